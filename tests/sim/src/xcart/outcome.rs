//! What a call comes to, put into the form the client wants.
//!
//! Guarantees: a list in JSON is a bare array without any count; in JSON-LD it is a Hydra
//! collection (reference/xcart.md 2.3); the text of a page says the same as its JSON. Pure.

use super::{
    call::{Call, Format},
    php_json::{Unicode, encode},
    refusal::Refusal,
};
use crate::serve::Answer;
use serde_json::{Map, Value, json};

/// What a call comes to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A resource of a type, read or changed.
    One(&'static str, Value),
    /// A resource that was made.
    Made(&'static str, Value),
    /// A page of a collection.
    Page(&'static str, Page),
    /// Deleted.
    Gone,
    /// Something that is no resource.
    Raw(Value),
}

/// A page of a collection.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    members: Vec<Value>,
    total: usize,
    number: usize,
    per: usize,
}

impl Page {
    /// Cuts the page a call asks for out of the whole list.
    pub(crate) fn cut<T>(
        call: &Call,
        list: &[T],
        wire: impl Fn(&T) -> Value,
    ) -> Result<Self, Refusal> {
        let (number, per) = call.query.page()?;
        let members = window(list, number, per).iter().map(wire).collect();
        Ok(Self { members, total: list.len(), number, per })
    }

    /// The whole list on one page: sub-collections are not paged further.
    pub(crate) fn whole(members: Vec<Value>) -> Self {
        let total = members.len();
        Self { members, total, number: 1, per: total.max(1) }
    }
}

/// The part of a list that a page shows.
pub(crate) fn window<T>(list: &[T], number: usize, per: usize) -> &[T] {
    let start = (number - 1).saturating_mul(per).min(list.len());
    let end = start.saturating_add(per).min(list.len());
    list.get(start..end).unwrap_or_default()
}

impl Outcome {
    /// The answer that carries it.
    pub(crate) fn answer(self, call: &Call) -> Answer {
        let answer = match self {
            Self::Gone => Answer::empty(204),
            Self::Raw(value) => shown(200, call, &value),
            Self::One(kind, value) => {
                let path = call.path.clone();
                shown(200, call, &single(call, kind, value, &path)).with("content-location", &path)
            }
            Self::Made(kind, value) => {
                let path = format!("{}/{}", call.path, value["id"]);
                shown(201, call, &single(call, kind, value, &path))
                    .with("content-location", &path)
                    .with("location", &path)
            }
            Self::Page(kind, page) => {
                let value = match call.format {
                    Format::Json | Format::Html => Value::Array(page.members),
                    Format::JsonLd => collection(call, kind, page),
                };
                shown(200, call, &value)
            }
        };
        answer
            .with("x-content-type-options", "nosniff")
            .with("x-frame-options", "deny")
            .with("vary", "Accept")
            .with("cache-control", "no-cache, private")
    }
}

fn shown(status: u16, call: &Call, value: &Value) -> Answer {
    match call.format {
        Format::Json => {
            let text = encode(value, Unicode::Escaped);
            Answer::typed(status, "application/json; charset=utf-8", text)
        }
        Format::JsonLd => {
            let text = encode(value, Unicode::Plain);
            Answer::typed(status, "application/ld+json; charset=utf-8", text)
        }
        Format::Html => {
            let page = "<!DOCTYPE html><html><head><title>API Platform</title></head>\
                        <body><redoc></redoc></body></html>";
            Answer::typed(200, "text/html; charset=utf-8", page)
        }
    }
}

fn single(call: &Call, kind: &str, value: Value, path: &str) -> Value {
    if call.format != Format::JsonLd {
        return value;
    }
    let mut whole = Map::new();
    whole.insert("@context".to_owned(), json!(format!("/api/contexts/{kind}")));
    whole.extend(linked(kind, value, path));
    Value::Object(whole)
}

fn linked(kind: &str, value: Value, path: &str) -> Map<String, Value> {
    let mut whole = Map::new();
    whole.insert("@id".to_owned(), json!(path));
    whole.insert("@type".to_owned(), json!(kind));
    if let Value::Object(fields) = value {
        whole.extend(fields);
    }
    whole
}

fn collection(call: &Call, kind: &str, page: Page) -> Value {
    let path = &call.path;
    let members: Vec<Value> = page
        .members
        .into_iter()
        .map(|value| {
            let id = format!("{path}/{}", value["id"]);
            Value::Object(linked(kind, value, &id))
        })
        .collect();
    let last = page.total.div_ceil(page.per.max(1)).max(1);
    let at = |number: usize| json!(format!("{path}?page={number}"));
    let mut view = Map::new();
    view.insert("@id".to_owned(), at(page.number));
    view.insert("@type".to_owned(), json!("hydra:PartialCollectionView"));
    view.insert("hydra:first".to_owned(), at(1));
    view.insert("hydra:last".to_owned(), at(last));
    if page.number > 1 {
        view.insert("hydra:previous".to_owned(), at(page.number - 1));
    }
    if page.number < last {
        view.insert("hydra:next".to_owned(), at(page.number + 1));
    }
    json!({
        "@context": format!("/api/contexts/{kind}"),
        "@id": path,
        "@type": "hydra:Collection",
        "hydra:member": members,
        "hydra:totalItems": page.total,
        "hydra:view": view,
        "hydra:search": {
            "@type": "hydra:IriTemplate",
            "hydra:template": format!("{path}{{?order[date],order[lastRenewDate]}}"),
            "hydra:variableRepresentation": "BasicRepresentation",
            "hydra:mapping": [],
        },
    })
}
