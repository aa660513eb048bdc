//! The simulator's own pages, for use by hand and by other programs. No weather reaches them.
//!
//! `GET /_sim/books`, `/_sim/saw`, `/_sim/ionapi`; `POST /_sim/advance`, `/_sim/restart?keep=1`,
//! `/_sim/weather?name=storm`, `/_sim/outage?on=1`, `/_sim/revoke`, `/_sim/pace?ms=100`,
//! `/_sim/hold?on=1`, `/_sim/fault?program=OIS100MI&transaction=Confirm&fault=cut_after`,
//! `/_sim/item?itno=A&stat=90`, `/_sim/customer?cuno=Y&stat=90`.

use super::{books::Books, books::RealOrder, faults::Trouble, route, state::Core};
use crate::{
    serve::{Answer, Request},
    weather::{Fault, Weather},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Answers one page.
pub(crate) fn answer(core: &Core, request: &Request) -> Answer {
    let query: BTreeMap<_, _> = route::pairs(&request.query).into_iter().collect();
    let value = |name: &str| query.get(name).map_or("", String::as_str);
    let page = request.path.trim_start_matches("/_sim/");
    match (request.method.as_str(), page) {
        ("GET", "books") => Answer::json(200, &books(&core.with(|state| state.world().books()))),
        ("GET", "saw") => Answer::json(200, &saw(core)),
        ("GET", "ionapi") => Answer::json(200, &core.app.file(&core.options.tenant, &core.url)),
        ("POST", page) => match changed(core, page, &value) {
            Some(()) => Answer::json(200, &json!({ "done": page })),
            None => Answer::json(400, &json!({ "error": "unknown page or value" })),
        },
        _ => Answer::json(404, &json!({ "error": "unknown page" })),
    }
}

/// Does what a page is for; none when it makes no sense.
fn changed<'a>(core: &Core, page: &str, value: &dyn Fn(&str) -> &'a str) -> Option<()> {
    let now = core.now();
    let on = value("on") == "1";
    match page {
        "advance" => core.with(|state| state.world().advance(now)),
        "restart" => {
            core.restart();
            if value("keep") != "1" {
                core.forget_unconfirmed();
            }
        }
        "weather" => {
            let weather = Weather::named(value("name"))?;
            core.with(|state| state.weather = weather);
        }
        "outage" => core.with(|state| state.outage = on),
        "hold" => core.with(|state| state.world().warehouse_held = on),
        "revoke" => core.with(|state| state.tokens.revoke_all()),
        "pace" => core.set_pace_ms(value("ms").parse().ok()?),
        "fault" => {
            let trouble = trouble(value)?;
            let (program, transaction) = (value("program"), value("transaction"));
            core.with(|state| state.scripts.add(program, transaction, trouble));
        }
        "item" => core.set_item_status(value("itno"), value("stat")),
        "customer" => core.set_customer_status(value("cuno"), value("stat")),
        _ => return None,
    }
    Some(())
}

fn trouble<'a>(value: &dyn Fn(&str) -> &'a str) -> Option<Trouble> {
    let number = value("n").parse().unwrap_or(1);
    Some(match value("fault") {
        "too_many" => Trouble::Way(Fault::TooMany { retry_after_s: Some(number) }),
        "unauthorized" => Trouble::Way(Fault::Unauthorized),
        "server_error" => Trouble::Way(Fault::ServerError(500)),
        "cut_before" => Trouble::Way(Fault::CutBefore),
        "cut_after" => Trouble::Way(Fault::CutAfter),
        "still_executing" => Trouble::Way(Fault::StillExecuting { late_ms: number }),
        "terminated" => Trouble::TerminatedAfter(usize::try_from(number).ok()?),
        "terminated_within" => Trouble::TerminatedWithin(usize::try_from(number).ok()?),
        "partial" => Trouble::PartialAfter(usize::try_from(number).ok()?),
        "xml" => Trouble::Xml,
        "slow" => Trouble::Slow(number),
        "refused" => Trouble::Refused(value("code").to_owned()),
        _ => return None,
    })
}

fn saw(core: &Core) -> Value {
    let seen = core.with(|state| state.seen.clone());
    let one = |seen: super::books::Seen| {
        json!({
            "at_ms": seen.at_ms,
            "program": seen.program,
            "transaction": seen.transaction,
            "record": seen.record,
            "outcome": seen.outcome,
            "answered": seen.answered,
        })
    };
    seen.into_iter().map(one).collect()
}

fn books(books: &Books) -> Value {
    let temporary = books.temporary.iter().map(|batch| {
        let lines = batch.lines.iter().map(|(itno, quantity, price)| {
            json!({
                "itno": itno,
                "quantity": quantity.to_string(),
                "price": price.to_string(),
            })
        });
        json!({
            "orno": batch.orno,
            "stat": batch.stat,
            "made": batch.made,
            "cuno": batch.cuno,
            "cuor": batch.cuor,
            "oref": batch.oref,
            "lines": lines.collect::<Value>(),
        })
    });
    let customers = books.customers.iter().map(|customer| {
        json!({ "cuno": customer.cuno, "stat": customer.stat, "fields": customer.fields })
    });
    json!({
        "orders": books.orders.iter().map(order).collect::<Value>(),
        "temporary": temporary.collect::<Value>(),
        "customers": customers.collect::<Value>(),
        "violations": books.violations,
    })
}

fn order(order: &RealOrder) -> Value {
    let lines = order.lines.iter().map(|line| {
        json!({
            "ponr": line.ponr,
            "itno": line.itno,
            "quantity": line.quantity.to_string(),
            "price": line.price.to_string(),
            "cupo": line.cupo,
            "status": line.status,
        })
    });
    let charges = order
        .charges
        .iter()
        .map(|(crid, amount)| json!({ "crid": crid, "amount": amount.to_string() }));
    let deliveries =
        order.deliveries.iter().map(|one| json!({ "dlix": one.dlix, "etrn": one.etrn }));
    let invoices = order
        .invoices
        .iter()
        .map(|one| json!({ "ivno": one.ivno, "amount": one.amount.to_string(), "reco": one.reco }));
    json!({
        "orno": order.orno,
        "tmp": order.tmp,
        "cuor": order.cuor,
        "oref": order.oref,
        "cuno": order.cuno,
        "cucd": order.cucd,
        "total": order.total.to_string(),
        "orsl": order.orsl,
        "orst": order.orst,
        "lines": lines.collect::<Value>(),
        "charges": charges.collect::<Value>(),
        "deliveries": deliveries.collect::<Value>(),
        "invoices": invoices.collect::<Value>(),
        "texts": order.texts,
        "address": order.address,
    })
}
