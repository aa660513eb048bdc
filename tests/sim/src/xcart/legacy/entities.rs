//! What the add-on does with its entities (reference/xcart.md 9.1, 9.2, 9.4).

use super::{
    super::{
        options::{DateFilter, Legacy},
        order::Order,
        product::Product,
        statuses::{PAYMENT, SHIPPING, Table},
        world::World,
    },
    Call, Outcome, Verb,
    model::text,
    wire,
};
use serde_json::{Map, Value, json};

/// Carries a call out.
pub(super) fn carry_out(world: &mut World, legacy: &Legacy, call: &Call) -> Outcome {
    match (call.entity.as_str(), call.verb) {
        ("order", Verb::Get) => read_orders(world, legacy, call),
        ("order", Verb::Put) => change_order(world, legacy, call),
        ("order", Verb::Delete) => delete(&mut world.orders, call.id),
        ("ordertrackingnumber", Verb::Post) => add_tracking(world, call),
        ("ordertrackingnumber", Verb::Put) => change_tracking(world, call),
        ("product", Verb::Get) => read_products(world, call),
        ("product", Verb::Put) => change_product(world, call),
        ("product", Verb::Delete) => delete(&mut world.products, call.id),
        ("xc-productvariants-productvariant", Verb::Get | Verb::Put) => variant(world, call),
        ("profile", Verb::Get) => read_profile(world, legacy, call),
        ("profile", Verb::Delete) => delete(&mut world.profiles, call.id),
        ("address", Verb::Get) => one(call.id.and_then(|id| wire::address(world, id, legacy))),
        ("payment-transaction", Verb::Get) => {
            let of = |order: &&Order| Some(order.payment.id) == call.id;
            one(world.orders.values().find(of).map(wire::payment))
        }
        ("order-status-payment", Verb::Get) if legacy.status_lists => statuses(&PAYMENT, legacy),
        ("order-status-shipping", Verb::Get) if legacy.status_lists => statuses(&SHIPPING, legacy),
        _ => Outcome::NoEntity,
    }
}

fn one(found: Option<Value>) -> Outcome {
    found.map_or(Outcome::NoRecord, Outcome::One)
}

/// One record, or everything of its kind where no id is given.
fn delete<T>(all: &mut std::collections::BTreeMap<u64, T>, id: Option<u64>) -> Outcome {
    if let Some(id) = id {
        return one(all.remove(&id).map(|_| Value::Bool(true)));
    }
    all.clear();
    Outcome::One(Value::Bool(true))
}

fn statuses(table: &[super::super::statuses::Status], legacy: &Legacy) -> Outcome {
    let rows: Vec<Value> = table.iter().map(|status| wire::status_row(status, legacy)).collect();
    let count = rows.len();
    Outcome::List(rows, count)
}

/// Cuts out what `_cnd[limit]` asks for.
fn cut(rows: Vec<Value>, call: &Call) -> Outcome {
    let number = |name: &str| call.query.get(name).and_then(|text| text.parse::<usize>().ok());
    let count = rows.len();
    let (from, len) = (number("_cnd[limit][0]").unwrap_or(0), number("_cnd[limit][1]"));
    Outcome::List(rows.into_iter().skip(from).take(len.unwrap_or(count)).collect(), count)
}

fn read_orders(world: &World, legacy: &Legacy, call: &Call) -> Outcome {
    if let Some(id) = call.id {
        return one(world.orders.get(&id).map(|order| wire::order(order, legacy)));
    }
    let second = |name: &str, at: u32| {
        let text = call.query.get(&format!("_cnd[{name}][{at}]"));
        text.and_then(|text| text.parse::<i64>().ok())
    };
    let dated = |order: &Order| match legacy.date_filter {
        DateFilter::Ignored => true,
        DateFilter::Date | DateFilter::DateRange => {
            let name = if legacy.date_filter == DateFilter::Date { "date" } else { "dateRange" };
            second(name, 0).is_none_or(|from| order.created_s >= from)
                && second(name, 1).is_none_or(|to| order.created_s <= to)
        }
    };
    let is = |name: &str, has: Option<&str>| {
        call.query.get(&format!("_cnd[{name}]")).is_none_or(|wanted| has == Some(wanted))
    };
    let wanted = |order: &&Order| {
        dated(order)
            && is("orderNumber", Some(&order.number))
            && is("paymentStatus", order.status_code(Table::Payment))
            && is("shippingStatus", order.status_code(Table::Shipping))
    };
    let orders = world.orders.values().filter(wanted);
    cut(orders.map(|order| Value::Object(wire::order_row(order))).collect(), call)
}

fn change_order(world: &mut World, legacy: &Legacy, call: &Call) -> Outcome {
    let Some(id) = call.id.filter(|id| world.orders.contains_key(id)) else {
        return Outcome::NoRecord;
    };
    for (name, table) in [("paymentStatus", Table::Payment), ("shippingStatus", Table::Shipping)] {
        let Some(told) = call.model.get(name) else { continue };
        let wanted = text(&told["id"]).and_then(|text| text.parse::<u64>().ok());
        let wanted = wanted.and_then(|id| id.checked_sub(legacy.status_id_shift));
        match wanted.filter(|id| table.by_id(*id).is_some()) {
            Some(status) => {
                world.set_status(id, table, status);
            }
            None => return Outcome::Refused(format!("Entity for {name} was not found")),
        }
    }
    if let Some(notes) = call.model.get("adminNotes").and_then(text) {
        world.set_notes(id, &notes);
    }
    one(world.orders.get(&id).map(|order| wire::order(order, legacy)))
}

fn add_tracking(world: &mut World, call: &Call) -> Outcome {
    if call.id != Some(0) {
        return Outcome::Refused("a list of tracking numbers is not simulated".to_owned());
    }
    let order = text(&call.model["order"]["order_id"]).and_then(|text| text.parse().ok());
    let Some(value) = text(&call.model["value"]).filter(|value| !value.is_empty()) else {
        return Outcome::Refused("Column 'value' cannot be null".to_owned());
    };
    match order.and_then(|order| world.add_tracking(order, (&value, ""))) {
        Some(made) => Outcome::One(json!({"tracking_id": made.id, "value": made.value})),
        None => Outcome::Refused("Column 'order_id' cannot be null".to_owned()),
    }
}

fn change_tracking(world: &mut World, call: &Call) -> Outcome {
    let Some(value) = text(&call.model["value"]) else { return Outcome::NoRecord };
    let mut all = world.orders.values_mut().flat_map(|order| order.tracking.iter_mut());
    match all.find(|it| Some(it.id) == call.id) {
        Some(tracking) => {
            tracking.value = value;
            Outcome::One(json!({"tracking_id": tracking.id, "value": tracking.value}))
        }
        None => Outcome::NoRecord,
    }
}

fn read_products(world: &World, call: &Call) -> Outcome {
    if let Some(id) = call.id {
        return one(world.products.get(&id).map(wire::product));
    }
    let rows = world.products.values();
    cut(rows.map(|product| Value::Object(wire::product_row(product))).collect(), call)
}

fn change_product(world: &mut World, call: &Call) -> Outcome {
    let Some(product) = call.id.and_then(|id| world.products.get_mut(&id)) else {
        return Outcome::NoRecord;
    };
    if let Err(why) = lay_over(&mut product.fields, &call.model, &["amount", "price"]) {
        return Outcome::Refused(why);
    }
    one(Some(wire::product(product)))
}

/// Lays the fields that a stock or a price is written with over what is stored.
fn lay_over(stored: &mut Map<String, Value>, model: &Value, names: &[&str]) -> Result<(), String> {
    let mut changed = Vec::new();
    for name in names {
        let Some(told) = model.get(*name).and_then(text) else { continue };
        let value = match *name {
            "amount" => told.parse::<i64>().map(Value::from).map_err(drop),
            "price" => told.parse::<f64>().map(Value::from).map_err(drop),
            // A cast to a boolean.
            _ => Ok(Value::Bool(!matches!(told.as_str(), "" | "0"))),
        };
        let value = value.map_err(|()| format!("Invalid value of {name}"))?;
        let column = match *name {
            "defaultAmount" => "default_amount",
            "defaultPrice" => "default_price",
            other => other,
        };
        changed.push((column.to_owned(), value));
    }
    stored.extend(changed);
    Ok(())
}

fn variant(world: &mut World, call: &Call) -> Outcome {
    let Some(id) = call.id else {
        return Outcome::Refused("a list of variants is not simulated".to_owned());
    };
    let of = |product: &&mut Product| product.variants.contains_key(&id);
    let product = world.products.values_mut().find(of);
    let Some(fields) = product.and_then(|product| product.variants.get_mut(&id)) else {
        return Outcome::NoRecord;
    };
    let names = ["amount", "defaultAmount", "price", "defaultPrice"];
    if call.verb == Verb::Put
        && let Err(why) = lay_over(fields, &call.model, &names)
    {
        return Outcome::Refused(why);
    }
    Outcome::One(wire::variant(id, fields))
}

fn read_profile(world: &World, legacy: &Legacy, call: &Call) -> Outcome {
    let Some(id) = call.id else {
        let rows = world.profiles.iter().map(|(id, profile)| wire::profile(*id, profile));
        return cut(rows.collect(), call);
    };
    let own = world.profiles.get(&id).map(|profile| wire::profile(id, profile));
    let copy = || {
        let of = |order: &&Order| wire::copy_id(order) == id;
        world.orders.values().find(of).map(|order| wire::profile_copy_alone(order, legacy))
    };
    one(own.or_else(copy))
}
