//! Wholesale prices of products and variants (reference/xcart.md 5.1).
//!
//! Guarantees: a PUT is a merge; a product that is gone takes its wholesale prices along.

use super::{
    call::Call,
    classes,
    fields::{Field, Kind, field, merge},
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::Verb,
    world::World,
};
use serde_json::{Map, Value, json};

const CLASS: &str = "CDev\\Wholesale\\API\\Endpoint\\WholesalePrice\\DTO\\Input";
const SCHEMA: [Field; 4] = [
    field("type", Kind::Word(&["price", "percent"])),
    field("price", Kind::Number),
    field("quantity_range_begin", Kind::Int),
    field("membership", Kind::NullableInt),
];

/// Whose prices: of a product, or of one of its variants.
pub(crate) type Owner = (u64, Option<u64>);

/// `GET` and `POST .../wholesale_prices`.
pub(crate) fn many(
    world: &mut World,
    call: &Call,
    (owner, verb): (Owner, Verb),
) -> Result<Outcome, Refusal> {
    exists(world, owner)?;
    if verb == Verb::Post {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!("price"));
        fields.insert("price".to_owned(), json!(0.0));
        fields.insert("quantity_range_begin".to_owned(), json!(2));
        fields.insert("membership".to_owned(), Value::Null);
        merge(CLASS, &SCHEMA, &mut fields, &call.input()?)?;
        may_be(world, &fields)?;
        let id = world.fresh_id();
        let value = wire(id, &fields);
        world.wholesale.insert((owner, id), fields);
        return Ok(Outcome::Made("WholesalePrice", value));
    }
    let list: Vec<Value> = world
        .wholesale
        .iter()
        .filter(|((of, _), _)| *of == owner)
        .map(|((_, id), fields)| wire(*id, fields))
        .collect();
    Ok(Outcome::Page("WholesalePrice", Page::cut(call, &list, Value::clone)?))
}

/// Whether the shop takes it. It has no rule against two for the same quantity and membership.
fn may_be(world: &World, fields: &Map<String, Value>) -> Result<(), Refusal> {
    let begin = fields.get("quantity_range_begin").and_then(Value::as_u64).unwrap_or(0);
    let least = if world.quirks.wholesale_from_one { 1 } else { 2 };
    if begin < least {
        let told = format!("This value should be greater than or equal to {least}.");
        return Err(Refusal::Bad(format!("Object({CLASS}).quantity_range_begin:\n    {told}\n")));
    }
    match fields.get("membership").and_then(Value::as_u64) {
        Some(id) if !classes::is_membership(world, id) => {
            Err(Refusal::Bad(format!("Membership with ID {id} not found")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A wholesale price that a person adds.
pub(crate) fn add(
    world: &mut World,
    owner: Owner,
    (from, membership): (u64, Option<u64>),
    price: f64,
) {
    let id = world.fresh_id();
    let value = json!({
        "type": "price", "price": price, "quantity_range_begin": from, "membership": membership,
    });
    if let Value::Object(fields) = value {
        world.wholesale.insert((owner, id), fields);
    }
}

/// `GET`, `PUT` and `DELETE .../wholesale_prices/{id}`.
pub(crate) fn one(
    world: &mut World,
    call: &Call,
    (owner, id, verb): (Owner, u64, Verb),
) -> Result<Outcome, Refusal> {
    exists(world, owner)?;
    let key = (owner, id);
    let mut fields = world.wholesale.get(&key).ok_or(Refusal::NotFound)?.clone();
    match verb {
        Verb::Get | Verb::Post => {}
        Verb::Delete => {
            world.wholesale.remove(&key);
            return Ok(Outcome::Gone);
        }
        Verb::Put => {
            merge(CLASS, &SCHEMA, &mut fields, &call.input()?)?;
            may_be(world, &fields)?;
            world.wholesale.insert(key, fields.clone());
        }
    }
    Ok(Outcome::One("WholesalePrice", wire(id, &fields)))
}

fn exists(world: &World, (product, variant): Owner) -> Result<(), Refusal> {
    let product = world.products.get(&product).ok_or(Refusal::NotFound)?;
    match variant {
        Some(variant) if !product.variants.contains_key(&variant) => Err(Refusal::NotFound),
        Some(_) | None => Ok(()),
    }
}

fn wire(id: u64, fields: &Map<String, Value>) -> Value {
    let mut whole = Map::new();
    whole.insert("id".to_owned(), json!(id));
    whole.extend(fields.clone());
    Value::Object(whole)
}
