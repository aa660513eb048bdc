//! The small collections that are only read here: categories, memberships, tax and product classes; and
//! what stands in a category (reference/xcart.md 5.2). Pure.

use super::{
    call::Call,
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::{Small, Verb},
    world::World,
};
use serde_json::{Map, Value, json};

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

/// `GET` and `POST .../products` of a category.
pub(crate) fn standing(
    world: &mut World,
    call: &Call,
    (id, verb): (u64, Verb),
) -> Result<Outcome, Refusal> {
    if !world.categories.contains_key(&id) {
        return Err(Refusal::NotFound);
    }
    if verb == Verb::Post {
        let sent = call.input()?;
        let product = sent["product_id"].as_u64().ok_or_else(Refusal::misformatted)?;
        if !world.products.contains_key(&product) {
            return Err(Refusal::Bad(format!("Product with ID {product} not found")));
        }
        if !world.standing.insert((id, product)) && world.quirks.standing_once {
            return Err(Refusal::Bad(format!("Product {product} is in the category already")));
        }
        return Ok(Outcome::Made("CategoryProducts", json!({"product_id": product})));
    }
    let all = world.standing.iter().filter(|(category, _)| *category == id);
    let all = all.map(|(_, product)| json!({"product_id": product})).collect();
    Ok(Outcome::Page("CategoryProducts", Page::whole(all)))
}

/// `DELETE .../products/{product_id}` of a category.
pub(crate) fn take_out(world: &mut World, id: u64, product: u64) -> Result<Outcome, Refusal> {
    if world.standing.remove(&(id, product)) { Ok(Outcome::Gone) } else { Err(Refusal::NotFound) }
}

/// Puts what a client sends as a tax class into the name that is kept; it must exist.
pub(crate) fn take_class(world: &World, fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let class = match fields.get("tax_class") {
        None | Some(Value::Null) => return Ok(()),
        Some(class) => class.clone(),
    };
    let (id, name) = (class.as_u64(), class.as_str());
    let mut known = world.tax_classes.iter();
    let found = known.find(|(of, own)| id == Some(**of) || name == Some(own.as_str()));
    let Some((_, own)) = found else {
        return Err(Refusal::Bad(format!("Tax class {class} not found")));
    };
    fields.insert("tax_class".to_owned(), json!(own));
    Ok(())
}

/// Shows the tax class of a product as this shop does.
pub(crate) fn show_class(world: &World, product: &mut Value) {
    let Some(name) = product["tax_class"]["name"].as_str() else { return };
    let found = world.tax_classes.iter().find(|(_, own)| *own == name);
    let id = found.map(|(id, _)| *id);
    let shown =
        if world.quirks.classes_by_id { json!(id) } else { json!({"id": id, "name": name}) };
    product["tax_class"] = shown;
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
            let all = world.categories.iter();
            ("Category", all.map(|(id, (name, parent))| category(*id, name, *parent)).collect())
        }
        Small::Memberships => {
            let all = world.memberships.iter();
            let all = all.map(|(id, name)| json!({"id": id, "name": name, "enabled": true}));
            ("Membership", all.collect())
        }
        Small::TaxClasses => {
            let all = world.tax_classes.iter();
            ("TaxClass", all.map(|(id, name)| json!({"id": id, "name": name})).collect())
        }
        Small::ProductClasses => ("ProductClass", vec![json!({"id": 1, "name": "Tools"})]),
    }
}
