//! The admin's side door, `/_sim/…`: what a test does in-process, by hand.
//!
//! Guarantee: no weather and no tokens here.

use super::{Shop, books::BookedOrder, options::Quirks, query::Query};
use crate::{
    serve::{Answer, Request},
    weather::Weather,
};
use serde_json::{Value, json};

/// Orders placed by one call at most.
const PLACE_LEN_MAX: usize = 10_000;
const UNKNOWN: &str = "no such order, line or code";

/// Answers `/_sim/<path>`.
pub(crate) fn answer(shop: &Shop, path: &str, request: &Request) -> Answer {
    let query = Query::parse(&request.query);
    let text = |name: &str| query.get(name).unwrap_or_default();
    let on = matches!(text("on"), "1" | "true" | "yes" | "on");
    let known = json!({"done": true});
    let done = match path {
        "books" => Ok(Value::Array(shop.books().iter().map(BookedOrder::to_json).collect())),
        "saw" => Ok(saw(shop)),
        "webhooks" => Ok(webhooks(shop)),
        "place" => {
            let count = text("count").parse().unwrap_or(1).min(PLACE_LEN_MAX);
            Ok(json!(shop.place_orders(count)))
        }
        "cancel" => shop.cancel(text("number")).then_some(known).ok_or(UNKNOWN),
        "quantity" => {
            let amount = text("quantity").parse().unwrap_or(1);
            let done = shop.change_quantity(text("number"), text("sku"), amount);
            done.then_some(known).ok_or(UNKNOWN)
        }
        "payment_status" => {
            let done = shop.set_payment_status(text("number"), text("code"));
            done.then_some(known).ok_or(UNKNOWN)
        }
        "shipping_status" => {
            let done = shop.set_shipping_status(text("number"), text("code"));
            done.then_some(known).ok_or(UNKNOWN)
        }
        "weather" => weather(shop, text("name")),
        "quirks" => quirks(shop, text("name")),
        "redeploy" => {
            shop.redeploy(on);
            Ok(json!({"redeploying": on}))
        }
        "outage" => {
            shop.outage(on);
            Ok(json!({"outage": on}))
        }
        _ => Err("there is no such thing here"),
    };
    match done {
        Ok(value) => Answer::json(200, &value),
        Err(complaint) => Answer::json(404, &json!({"error": complaint})),
    }
}

fn weather(shop: &Shop, name: &str) -> Result<Value, &'static str> {
    let weather = Weather::named(name).ok_or("the weather is calm, breezy or storm")?;
    shop.set_weather(weather);
    Ok(json!({"weather": name}))
}

fn quirks(shop: &Shop, name: &str) -> Result<Value, &'static str> {
    let quirks = Quirks::named(name).ok_or("the quirks are calm, old or storm")?;
    shop.set_quirks(quirks);
    Ok(json!({"quirks": name}))
}

fn saw(shop: &Shop) -> Value {
    let line = |seen: super::Seen| {
        json!({"at_ms": seen.at_ms, "method": seen.method, "path": seen.path,
               "query": seen.query, "status": seen.status, "body": seen.body})
    };
    Value::Array(shop.what_it_saw().into_iter().map(line).collect())
}

fn webhooks(shop: &Shop) -> Value {
    let counts = shop.webhooks_sent();
    json!({"sent": counts.sent, "accepted": counts.accepted, "refused": counts.refused,
           "lost": counts.lost, "duplicates": counts.duplicates, "given_up": counts.given_up,
           "waiting": counts.waiting})
}
