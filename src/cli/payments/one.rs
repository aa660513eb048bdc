//! One order's payments for a person: where each stands, its keys, and the calls it takes.
//!
//! Guarantee: a preview sends nothing.

use crate::{
    config::Config,
    connector::m3::{
        mi::MiCall,
        payments::{self as mi_payments, Account},
    },
    dates::rfc3339,
    delivery::desk::PaidOrder,
    flow::payment::{At, Movement, Posting, Way, key, preview, rules::day_of},
};
use std::fmt::Write;

/// The payment number, before one is drawn.
const NOT_DRAWN: &str = "(the number drawn)";

/// Shows the payments of an order with what was done and what M3 answered.
pub(super) fn shown(paid: &PaidOrder) -> String {
    let mut text = head(paid);
    for posting in &paid.postings {
        text.push_str(&title(paid, posting));
        let (state, more) = state(posting);
        let _ = writeln!(text, "  state    {state}{more}");
        for part in &posting.parts {
            let (invoice, year, amount) = (&part.invoice, &part.year, part.amount);
            let _ = writeln!(text, "  pays     invoice {invoice} of {year} with {amount}");
        }
        let word = format!("payment {}", posting.movement.id);
        let own = paid.trail.iter().filter(|mark| mark.what.contains(&word));
        for mark in own {
            let _ = writeln!(text, "  {}  {}", rfc3339(mark.at_ms), mark.what);
        }
    }
    if let Some(returned) = &paid.returned {
        let _ = writeln!(text, "return     {returned}");
    }
    if let Some(held) = &paid.held {
        let _ = writeln!(text, "waits      {held}");
    }
    text
}

/// Shows the calls that each payment takes, without one of them being sent.
pub(super) fn previewed(paid: &PaidOrder, config: &Config) -> String {
    let mut text = head(paid);
    let (Some(rules), Some(m3)) = (&config.payments, &config.m3) else {
        return text + "payments are not posted: [payments] is absent\n";
    };
    let (Some(orno), Some(cuno)) = (&paid.orno, &paid.cuno) else {
        return text + "M3 does not have the order yet\n";
    };
    for posting in &paid.postings {
        text.push_str(&title(paid, posting));
        let steps = preview::steps(posting, rules);
        if steps.is_empty() {
            text.push_str("  it waits for the invoices that it pays\n");
        }
        for step in steps {
            let key = key(&paid.key, &posting.movement);
            let account = Account {
                division: &m3.division,
                orno,
                cuno,
                key: &key,
                company: m3.company,
                today_s: posting.movement.at_s,
            };
            let call = mi_payments::call(step, posting, account, rules);
            let line = call.map_or_else(
                || format!("{}: the settings do not fit it", step.transaction()),
                |call| written(&call),
            );
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

fn written(call: &MiCall) -> String {
    let mut line = format!("{}/{}", call.program, call.transaction);
    for (field, value) in &call.fields {
        let value = match (field.as_str(), value.as_str()) {
            ("PMNB", "0") => NOT_DRAWN,
            // What stands at which place counts.
            ("PARM", value) => {
                let _ = write!(line, " PARM=\"{value}\"");
                continue;
            }
            (_, value) => value,
        };
        let _ = write!(line, " {field}={value}");
    }
    line
}

fn head(paid: &PaidOrder) -> String {
    let orno = paid.orno.as_ref().map_or_else(|| "not in M3 yet".to_owned(), ToString::to_string);
    let mut text = format!("order      {} ({orno})\n", paid.key.as_str());
    if paid.postings.is_empty() {
        text.push_str("no payment of it is known\n");
    }
    text
}

fn title(paid: &PaidOrder, posting: &Posting) -> String {
    let Movement { id, way, amount, currency, at_s, method } = &posting.movement;
    let way = match way {
        Way::In => "captured",
        Way::Back => "refunded",
    };
    let (day, key) = (day_of(*at_s), key(&paid.key, &posting.movement));
    format!("payment    {id}, {way} {amount} {currency} on {day} by {method}\n  key      {key}\n")
}

fn state(posting: &Posting) -> (&'static str, String) {
    let again = posting.again.map(|step| format!(" (in doubt since {})", step.transaction()));
    let again = again.unwrap_or_default();
    match &posting.at {
        At::Waits => ("waits", ": M3 has no invoices that it pays".to_owned()),
        At::Step { step, sent: false } => {
            ("under-way", format!(": next is {}{again}", step.transaction()))
        }
        At::Step { step, .. } => ("unknown", format!(": {} is under way", step.transaction())),
        At::Silent { step, .. } => {
            ("unknown", format!(": the answer to {} is waited out{again}", step.transaction()))
        }
        At::Doubt => ("unknown", format!(": a person has to look{again}")),
        At::Posted { reference } => ("posted", format!(": {reference}")),
        At::Left { why } => ("left", format!(": {why}")),
    }
}
