//! The calls about a profile's addresses (reference/xcart.md 4.2).
//!
//! Guarantees: additional fields must exist and be enabled; when they are sent they are
//! replaced as a whole; a state's id wins over its name.

use super::{
    call::Call,
    fields::{Field, Kind, field, merge},
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::Verb,
    world::World,
};
use serde_json::{Map, Value, json};

const CLASS: &str = "XLite\\API\\Endpoint\\Address\\DTO\\Input";
const LINE: Kind = Kind::Text { min: 0, max: 255 };

const SCHEMA: [Field; 15] = [
    field("is_billing", Kind::Bool),
    field("is_shipping", Kind::Bool),
    field("is_work", Kind::Bool),
    field("type", Kind::Word(&["R", "C"])),
    field("title", LINE),
    field("firstname", LINE),
    field("lastname", LINE),
    field("phone", LINE),
    field("street", LINE),
    field("zipcode", Kind::Text { min: 0, max: 32 }),
    field("city", LINE),
    field("country_code", Kind::NullableText),
    field("state", Kind::NullableInt),
    field("state_name", LINE),
    field("custom_fields", Kind::List),
];
/// What an address must have in this shop.
const REQUIRED: [&str; 5] = ["firstname", "lastname", "street", "city", "zipcode"];
/// The additional fields of this shop and whether they are enabled.
const ADDITIONAL: [(&str, bool); 3] = [("company", true), ("vat_number", true), ("fax", false)];
/// The states this shop knows by id.
const STATES: [(u64, &str); 3] = [(201, "Bayern"), (202, "New York"), (203, "Staffordshire")];

/// The fields of an address without its id.
pub(crate) fn address_fields(wire: Value) -> Map<String, Value> {
    let Value::Object(mut fields) = wire else { return Map::new() };
    fields.remove("id");
    fields
}

fn wire(id: u64, fields: &Map<String, Value>) -> Value {
    let mut whole = Map::new();
    whole.insert("id".to_owned(), json!(id));
    whole.extend(fields.clone());
    Value::Object(whole)
}

/// `GET` and `POST .../addresses`.
pub(crate) fn many(
    world: &mut World,
    call: &Call,
    (profile_id, verb): (u64, Verb),
) -> Result<Outcome, Refusal> {
    let profile = world.profiles.get(&profile_id).ok_or(Refusal::NotFound)?;
    if verb != Verb::Post {
        let list = profile.addresses.iter().map(|(id, fields)| wire(*id, fields)).collect();
        return Ok(Outcome::Page("Address", Page::whole(list)));
    }
    let plain = super::address::Address::simple();
    let mut fields = address_fields(plain.wire(0, super::address::Roles::default()));
    for name in REQUIRED {
        fields.insert(name.to_owned(), json!(""));
    }
    for name in ["title", "phone", "country_code"] {
        fields.insert(name.to_owned(), json!(""));
    }
    change(&mut fields, &call.input()?)?;
    let id = world.fresh_id();
    let value = wire(id, &fields);
    if let Some(profile) = world.profiles.get_mut(&profile_id) {
        profile.addresses.insert(id, fields);
    }
    world.tell_profile(profile_id, "customer.updated");
    Ok(Outcome::Made("Address", value))
}

/// `GET`, `PUT` and `DELETE .../addresses/{id}`.
pub(crate) fn one(
    world: &mut World,
    call: &Call,
    (profile_id, id, verb): (u64, u64, Verb),
) -> Result<Outcome, Refusal> {
    let profile = world.profiles.get_mut(&profile_id).ok_or(Refusal::NotFound)?;
    let mut fields = profile.addresses.get(&id).ok_or(Refusal::NotFound)?.clone();
    match verb {
        Verb::Get | Verb::Post => return Ok(Outcome::One("Address", wire(id, &fields))),
        Verb::Delete => {
            profile.addresses.remove(&id);
        }
        Verb::Put => {
            change(&mut fields, &call.input()?)?;
            profile.addresses.insert(id, fields.clone());
        }
    }
    world.tell_profile(profile_id, "customer.updated");
    if verb == Verb::Delete {
        Ok(Outcome::Gone)
    } else {
        Ok(Outcome::One("Address", wire(id, &fields)))
    }
}

fn change(fields: &mut Map<String, Value>, sent: &Value) -> Result<(), Refusal> {
    for entry in sent["custom_fields"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or_default();
        let complaint = match ADDITIONAL.iter().find(|(known, _)| *known == name) {
            Some((_, true)) => continue,
            Some((_, false)) => format!("Field \"{name}\" is disabled"),
            None if SCHEMA.iter().any(|field| field.name == name) => {
                format!("Field \"{name}\" is not additional")
            }
            None => format!("Field with \"{name}\" service name not found"),
        };
        return Err(Refusal::Bad(complaint));
    }
    let mut changed = fields.clone();
    merge(CLASS, &SCHEMA, &mut changed, sent)?;
    if let Some(id) = sent["state"].as_u64() {
        let Some((_, name)) = STATES.iter().find(|(known, _)| *known == id) else {
            return Err(Refusal::Bad(format!("State with ID {id} not found")));
        };
        changed.insert("state_name".to_owned(), json!(name));
    }
    for name in REQUIRED {
        if changed.get(name).and_then(Value::as_str).unwrap_or_default().is_empty() {
            return Err(Refusal::Bad(format!("Field \"{name}\" is required")));
        }
    }
    *fields = changed;
    Ok(())
}
