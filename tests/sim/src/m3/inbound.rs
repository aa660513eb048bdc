//! ION's own messaging end points, which stand behind the same gateway and tokens as M3
//! (reference/m3.md 7.2): what applications publish.
//!
//! Guarantees: a message is kept once for each message id; a status that was asked for is answered
//! instead, once; what the connection point may not send is refused and not kept.

use super::{
    messaging::{Listing, Messaging},
    route::decoded,
    state::Core,
};
use crate::serve::{Answer, Request};
use serde_json::{Value, json};

/// Where they begin, below the tenant.
pub(super) const PATH: &str = "/IONSERVICES/api/ion/messaging/service";

/// What an application published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// `Confirm.BOD`.
    pub name: String,
    /// Its message id.
    pub id: String,
    /// From whom.
    pub from: String,
    /// The document.
    pub document: String,
    /// How often it came.
    pub times: u32,
}

/// Answers a call below [`PATH`].
pub(super) fn answer(core: &Core, request: &Request, below: &str) -> Answer {
    let now = core.now().ms;
    if !core.with(|state| state.tokens.good(request, now)) {
        return Answer::json(401, &json!({ "message": "not authorized" }));
    }
    let status = core.with(|state| state.ion_refusals.pop());
    if let Some(status) = status {
        return refused(status, "as it was asked");
    }
    let published = match (request.method.as_str(), below) {
        ("GET", "/ping") => return Answer::json(200, &json!({ "status": "OK", "code": 200 })),
        ("GET", "/versions") => {
            return Answer::json(200, &json!({ "supportedVersions": ["v2", "v3"] }));
        }
        ("GET", path) => return accepted(core, path),
        ("POST", "/v2/message") => single(&request.body).map(|message| (201, message)),
        ("POST", "/v3/multipartMessage") => multipart(request).map(|message| (202, message)),
        _ => return Answer::page(404, "Not Found"),
    };
    let Some((status, message)) = published else {
        return refused(400, "malformed");
    };
    let point = core.with(|state| state.switches.messaging.clone());
    if let Some((status, why)) = refusal(&point, &message) {
        return refused(status, why);
    }
    core.with(|state| {
        let known = state.published.iter_mut().find(|known| known.id == message.id);
        match known {
            Some(known) => known.times += 1,
            None => state.published.push(message),
        }
    });
    let told = json!({ "status": "OK", "message": "Published successfully", "code": status });
    Answer::json(status, &told)
}

fn refused(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({ "status": "ERROR", "code": status, "message": why }))
}

/// Tells what a connection point may send.
fn accepted(core: &Core, path: &str) -> Answer {
    let point = core.with(|state| state.switches.messaging.clone());
    let asked = path.strip_prefix("/v3/").and_then(|rest| rest.strip_suffix("/acceptedDocuments"));
    let Some(asked) = asked.filter(|_| point.listing != Listing::Absent) else {
        return Answer::page(404, "Not Found");
    };
    if !point.is_active || decoded(asked) != point.logical_id {
        return refused(412, "the connection point is unknown or not active");
    }
    match point.listing {
        Listing::Names | Listing::Absent => Answer::json(200, &json!(point.documents)),
        Listing::Objects => {
            let named = point.documents.iter().map(|name| json!({ "name": name }));
            Answer::json(200, &json!({ "documents": named.collect::<Vec<_>>() }))
        }
    }
}

/// Says why a connection point may not send a message.
fn refusal(point: &Messaging, message: &Published) -> Option<(u16, &'static str)> {
    if message.from != point.logical_id {
        return Some((403, "the logical id is not tied to this client id"));
    }
    if !point.is_active {
        return Some((412, "the connection point is not active"));
    }
    let is_set = point.documents.contains(&message.name);
    (!is_set).then_some((point.unknown_document, "the document is not set to be sent"))
}

fn text(said: &Value, name: &str) -> Option<String> {
    said.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn message(said: &Value, document: String) -> Option<Published> {
    Some(Published {
        name: text(said, "documentName")?,
        id: text(said, "messageId")?,
        from: text(said, "fromLogicalId")?,
        document,
        times: 1,
    })
}

fn single(body: &[u8]) -> Option<Published> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let document = said.get("document")?;
    let value = text(document, "value")?;
    let value = match text(document, "encoding")?.as_str() {
        "NONE" => value,
        "BASE64" => {
            let bytes = data_encoding::BASE64.decode(value.as_bytes()).ok()?;
            String::from_utf8(bytes).ok()?
        }
        _ => return None,
    };
    message(&said, value)
}

/// Reads the two parts by their names, as ION does.
fn multipart(request: &Request) -> Option<Published> {
    let kind = request.header("content-type")?;
    let boundary = kind.split("boundary=").nth(1)?.trim_matches('"');
    let body = std::str::from_utf8(&request.body).ok()?;
    let mark = format!("--{boundary}");
    let part = |name: &str| {
        let named = format!("name=\"{name}\"");
        let mut parts = body.split(mark.as_str()).filter(|part| part.contains(&named));
        let (_, content) = parts.next()?.split_once("\r\n\r\n")?;
        content.strip_suffix("\r\n").map(str::to_owned)
    };
    let said: Value = serde_json::from_str(&part("ParameterRequest")?).ok()?;
    message(&said, part("MessagePayload")?)
}
