//! The small collections that are only read here: categories, memberships, tax and product
//! classes (reference/xcart.md 5.2). Pure.

use super::{
    call::Call,
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::Small,
};
use serde_json::{Value, json};

/// `GET` of one of them.
pub(crate) fn many(call: &Call, kind: Small) -> Result<Outcome, Refusal> {
    let (name, list) = list(kind);
    Ok(Outcome::Page(name, Page::cut(call, &list, Value::clone)?))
}

/// `GET` of one entry.
pub(crate) fn one(kind: Small, id: u64) -> Result<Outcome, Refusal> {
    let (name, list) = list(kind);
    let found = list.into_iter().find(|entry| entry["id"] == id);
    found.map(|entry| Outcome::One(name, entry)).ok_or(Refusal::NotFound)
}

/// Whether there is such a membership.
pub(crate) fn is_membership(id: u64) -> bool {
    list(Small::Memberships).1.iter().any(|entry| entry["id"] == id)
}

fn list(kind: Small) -> (&'static str, Vec<Value>) {
    match kind {
        Small::Categories => {
            let category = |id: u64, name: &str, parent: Option<u64>| {
                json!({"id": id, "enabled": true, "show_title": true, "position": id * 10,
                       "memberships": [], "parent": parent, "clean_url": name.to_lowercase(),
                       "name": name, "description": "", "meta_tags": "",
                       "meta_description": "", "meta_title": "", "icon": null, "banner": null})
            };
            ("Category", vec![category(2, "Apparel", None), category(3, "Werkzeug", Some(2))])
        }
        Small::Memberships => {
            let membership = |id: u64, name: &str| json!({"id": id, "name": name, "enabled": true});
            ("Membership", vec![membership(4, "Wholesale"), membership(5, "Händler")])
        }
        Small::TaxClasses => (
            "TaxClass",
            vec![json!({"id": 1, "name": "Default"}), json!({"id": 2, "name": "Books"})],
        ),
        Small::ProductClasses => ("ProductClass", vec![json!({"id": 1, "name": "Tools"})]),
    }
}
