//! The small collections that are only read here: categories, memberships, tax and product
//! classes (reference/xcart.md 5.2). Pure.

use super::{
    call::Call,
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::Small,
    world::World,
};
use serde_json::{Value, json};

/// `GET` of one of them.
pub(crate) fn many(world: &World, call: &Call, kind: Small) -> Result<Outcome, Refusal> {
    let (name, list) = list(world, kind);
    Ok(Outcome::Page(name, Page::cut(call, &list, Value::clone)?))
}

/// `GET` of one entry.
pub(crate) fn one(world: &World, kind: Small, id: u64) -> Result<Outcome, Refusal> {
    let (name, list) = list(world, kind);
    let found = list.into_iter().find(|entry| entry["id"] == id);
    found.map(|entry| Outcome::One(name, entry)).ok_or(Refusal::NotFound)
}

/// Whether there is such a membership.
pub(crate) fn is_membership(world: &World, id: u64) -> bool {
    world.memberships.iter().any(|(known, _)| *known == id)
}

fn list(world: &World, kind: Small) -> (&'static str, Vec<Value>) {
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
            let all = world.memberships.iter();
            let all = all.map(|(id, name)| json!({"id": id, "name": name, "enabled": true}));
            ("Membership", all.collect())
        }
        Small::TaxClasses => (
            "TaxClass",
            vec![json!({"id": 1, "name": "Default"}), json!({"id": 2, "name": "Books"})],
        ),
        Small::ProductClasses => ("ProductClass", vec![json!({"id": 1, "name": "Tools"})]),
    }
}
