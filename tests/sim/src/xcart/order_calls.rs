//! The calls about orders (reference/xcart.md 2.3, 3.1, 3.3, 3.4).
//!
//! Guarantees: filters that are not known and dates that cannot be read are ignored in silence;
//! a list that contains a broken order breaks; putting a status an order has changes nothing.

use super::{
    call::Call,
    dates::parse,
    order::Order,
    order_wire,
    outcome::{Outcome, Page, window},
    place::unreadable,
    refusal::Refusal,
    route::Verb,
    statuses::Table,
    world::World,
};
use crate::dice::Dice;
use serde_json::Value;
use std::cmp::Ordering;

/// `GET /api/orders`.
pub(crate) fn list(world: &World, call: &Call) -> Result<Outcome, Refusal> {
    let asked = Asked::read(world, call);
    let mut orders: Vec<&Order> =
        world.orders.values().filter(|order| asked.wants(order)).collect();
    sort(world, call, &mut orders);
    let (number, per) = call.query.page()?;
    let shown = window(&orders, number, per);
    // Alone on a page an order breaks only if it breaks its own end points.
    let breaks = |order: &&Order| unreadable(&world.quirks, order) || shown.len() > 1;
    if shown.iter().filter(|order| order.broken).any(breaks) {
        return Err(Refusal::Broken);
    }
    let page = Page::cut(call, &orders, |order| order_wire::order(world, order, Some(call)))?;
    Ok(Outcome::Page("Order", page))
}

/// A limit of a date, and its kind.
type Bound<'a> = (&'a str, i64);

/// What a list is narrowed by.
struct Asked<'a> {
    created: Vec<Bound<'a>>,
    renewed: Vec<Bound<'a>>,
    payment: Vec<&'a str>,
    shipping: Vec<&'a str>,
    login: String,
}

impl<'a> Asked<'a> {
    fn read(world: &World, call: &'a Call) -> Self {
        let query = &call.query;
        // A date that cannot be read is no limit.
        let bounds = |name: &str| {
            let limits = query.keyed(name).into_iter();
            limits.filter_map(|(kind, text)| Some((kind, parse(text, world.now_s())?))).collect()
        };
        let renewed = world.quirks.last_renew_date_filter.then(|| bounds("lastRenewDate"));
        Self {
            created: bounds("date"),
            renewed: renewed.unwrap_or_default(),
            payment: query.all("paymentStatus.code"),
            shipping: query.all("shippingStatus.code"),
            login: query.get("profile.login").unwrap_or_default().to_lowercase(),
        }
    }

    fn wants(&self, order: &Order) -> bool {
        let coded = |codes: &[&str], table: Table| {
            codes.is_empty() || order.status_code(table).is_some_and(|code| codes.contains(&code))
        };
        within(&self.created, order.created_s)
            && within(&self.renewed, order.updated_s)
            && coded(&self.payment, Table::Payment)
            && coded(&self.shipping, Table::Shipping)
            && (self.login.is_empty() || order.email.to_lowercase().contains(&self.login))
    }
}

fn within(bounds: &[Bound<'_>], at_s: i64) -> bool {
    bounds.iter().all(|&(kind, s)| match kind {
        "after" => at_s >= s,
        "before" => at_s <= s,
        "strictly_after" => at_s > s,
        "strictly_before" => at_s < s,
        _ => true,
    })
}

/// What to sort by.
type Key = fn(&Order) -> i64;

/// Sorts as asked; a database gives ties in whatever order it likes.
fn sort(world: &World, call: &Call, orders: &mut [&Order]) {
    let keys: Vec<(Key, bool)> = call
        .query
        .keyed("order")
        .into_iter()
        .filter_map(|(field, direction)| {
            let key: Key = match field {
                "date" => |order| order.created_s,
                "lastRenewDate" => |order| order.updated_s,
                _ => return None,
            };
            match direction.to_ascii_lowercase().as_str() {
                "asc" | "" => Some((key, false)),
                "desc" => Some((key, true)),
                _ => None,
            }
        })
        .collect();
    if keys.is_empty() {
        return;
    }
    let salt = if world.quirks.ties_shuffled { world.calls } else { 0 };
    let tie = |order: &Order| Dice::new(order.id ^ (salt << 32)).next_u64();
    orders.sort_by(|one, two| {
        let sorted = keys.iter().fold(Ordering::Equal, |so_far, (key, falling)| {
            so_far.then_with(|| {
                let ordering = key(one).cmp(&key(two));
                if *falling { ordering.reverse() } else { ordering }
            })
        });
        sorted.then_with(|| tie(one).cmp(&tie(two)))
    });
}

/// `GET /api/orders/{id}`.
pub(crate) fn one(world: &World, call: &Call, id: u64) -> Result<Outcome, Refusal> {
    let order = readable(world, id)?;
    Ok(Outcome::One("Order", order_wire::order(world, order, Some(call))))
}

/// `GET /api/orders/by_number/{number}`.
pub(crate) fn by_number(world: &World, call: &Call, number: &str) -> Result<Outcome, Refusal> {
    if world.quirks.by_number_broken {
        return Err(Refusal::NotFound);
    }
    let id = *world.by_number.get(number).ok_or(Refusal::NotFound)?;
    one(world, call, id)
}

/// `GET .../payment_transactions`.
pub(crate) fn transactions(world: &World, id: u64) -> Result<Outcome, Refusal> {
    let list = super::money::transactions(world, readable(world, id)?);
    Ok(Outcome::Page("Transaction", Page::whole(list)))
}

/// `GET .../history`.
pub(crate) fn history(world: &World, id: u64) -> Result<Outcome, Refusal> {
    let list = order_wire::history(readable(world, id)?);
    Ok(Outcome::Page("OrderHistoryEvents", Page::whole(list)))
}

/// `GET .../details`.
pub(crate) fn details(world: &World, id: u64) -> Result<Outcome, Refusal> {
    let list = order_wire::details(readable(world, id)?);
    Ok(Outcome::Page("OrderDetail", Page::whole(list)))
}

fn readable(world: &World, id: u64) -> Result<&Order, Refusal> {
    let order = world.orders.get(&id).ok_or(Refusal::NotFound)?;
    if unreadable(&world.quirks, order) { Err(Refusal::Broken) } else { Ok(order) }
}

/// `GET` and `PUT .../payment_status` and `.../shipping_status`.
pub(crate) fn status(
    world: &mut World,
    call: &Call,
    (id, table, verb): (u64, Table, Verb),
) -> Result<Outcome, Refusal> {
    let kind = match table {
        Table::Payment => "PaymentStatus",
        Table::Shipping => "ShippingStatus",
    };
    let has_status = match world.orders.get(&id) {
        None => return Err(Refusal::Bad(format!("Order with ID {id} not found"))),
        Some(order) => order.status(table).is_some(),
    };
    // An order without a status breaks its end point, for reading and for writing.
    if !has_status {
        return Err(Refusal::Broken);
    }
    if verb == Verb::Put {
        let code = code_of(&call.input()?)?;
        let wanted = table.named(&code).ok_or_else(|| Refusal::Bad(table.refusal(&code)))?;
        world.set_status(id, table, wanted.id);
    }
    let order = world.orders.get(&id).ok_or(Refusal::NotFound)?;
    let value = order_wire::status_of(order, table, call.language).ok_or(Refusal::Broken)?;
    Ok(Outcome::One(kind, value))
}

fn code_of(input: &Value) -> Result<String, Refusal> {
    let class = "XLite\\API\\Endpoint\\OrderStatus\\DTO\\Input";
    let code = match input.get("code") {
        Some(Value::String(code)) => code,
        None if input.is_object() => {
            return Err(Refusal::Bad(super::fields::blank(class, "code")));
        }
        Some(_) | None => return Err(Refusal::misformatted()),
    };
    match code.chars().count() {
        0 => Err(Refusal::Bad(super::fields::blank(class, "code"))),
        1..=4 => Ok(code.clone()),
        _ => Err(Refusal::Bad(format!(
            "Object({class}).code:\n    This value is too long. It should have 4 characters or \
             less. (code d94b19cc-114f-4f44-9cc4-4138e80a87b9)\n"
        ))),
    }
}

/// `POST .../tracking_numbers`, where the extension is installed.
pub(crate) fn add_tracking(world: &mut World, call: &Call, id: u64) -> Result<Outcome, Refusal> {
    if !world.orders.contains_key(&id) {
        return Err(Refusal::NotFound);
    }
    let input = call.input()?;
    let Some(value) = input["value"].as_str() else { return Err(Refusal::misformatted()) };
    if value.is_empty() {
        let class = "Extension\\Tracking\\DTO\\Input";
        return Err(Refusal::Bad(super::fields::blank(class, "value")));
    }
    let carrier = input["carrier"].as_str().unwrap_or_default();
    let tracking = world.add_tracking(id, (value, carrier)).ok_or(Refusal::NotFound)?;
    let date = super::dates::iso8601(tracking.at_s);
    let made = serde_json::json!({"id": tracking.id, "date": date, "value": tracking.value});
    Ok(Outcome::Made("OrderTrackingNumber", made))
}

/// `POST .../notes`, where the extension is installed.
pub(crate) fn add_note(world: &mut World, call: &Call, id: u64) -> Result<Outcome, Refusal> {
    if !world.orders.contains_key(&id) {
        return Err(Refusal::NotFound);
    }
    let input = call.input()?;
    let Some(text) = input["text"].as_str() else { return Err(Refusal::misformatted()) };
    if text.is_empty() {
        let class = "Extension\\Notes\\DTO\\Input";
        return Err(Refusal::Bad(super::fields::blank(class, "text")));
    }
    world.add_note(id, text);
    Ok(Outcome::Made("OrderNote", serde_json::json!({"text": text})))
}
