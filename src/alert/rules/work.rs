//! The rules about orders and events. Pure.

use super::{Judgement, Limits, Rule, Told, Verdict, seconds_since, span};
use crate::{
    alert::view::{Compared, Ended, Unusable, View},
    dates::rfc3339,
};

/// Orders set aside for a person: an alert for each cause.
pub(super) fn parked(view: &View, limits: &Limits) -> Vec<Judgement> {
    let judged = view.parked.iter().filter_map(|parked| {
        let age_s = seconds_since(parked.oldest_ms, view.now_ms);
        let many = parked.count > limits.parked_max;
        if !many && age_s <= limits.parked_s_max {
            return None;
        }
        let name = parked.kind.name();
        let orders = if parked.count == 1 { "1 order needs" } else { "orders need" };
        let number = if parked.count == 1 { String::new() } else { format!("{} ", parked.count) };
        Some(Judgement {
            key: format!("{}/{name}", Rule::Parked.name()),
            verdict: Verdict::Raise,
            told: Told {
                what: format!("{number}{orders} a person: {name}"),
                why: format!("set aside since {}", rfc3339(parked.oldest_ms)),
                advice: format!("`causeway parked list` names them; {}", parked.kind.advice()),
            },
            weight: parked.count,
            since_ms: Some(parked.oldest_ms),
            for_s: None,
        })
    });
    judged.collect()
}

/// No order for longer than usual, or for longer than a fixed time.
pub(super) fn no_orders(view: &View, limits: &Limits) -> Vec<Judgement> {
    let Some(last_ms) = view.orders.last_ms else { return Vec::new() };
    let quiet_s = seconds_since(last_ms, view.now_ms);
    let fixed_s = limits.no_orders_h.map(|hours| hours.saturating_mul(3_600));
    let expected = view.orders.expected_milli.unwrap_or(0) / 1_000;
    let why = if fixed_s.is_some_and(|most_s| quiet_s > most_s) {
        format!("the limit is {}", span(fixed_s.unwrap_or(0)))
    } else if expected >= limits.no_orders_expected {
        format!("some {expected} would have come in other weeks at these hours")
    } else {
        return Vec::new();
    };
    vec![Judgement {
        key: Rule::NoOrders.name().to_owned(),
        verdict: Verdict::Raise,
        told: Told {
            what: format!("no order for {}", span(quiet_s)),
            why: format!("the last one came at {}; {why}", rfc3339(last_ms)),
            advice: "place a test order in the shop; look at its checkout, its payment methods and its webhooks; \
                     `causeway doctor` tries the way to it"
                .to_owned(),
        },
        weight: 1,
        since_ms: Some(last_ms),
        for_s: None,
    }]
}

/// An order that is not in M3 after a long time.
pub(super) fn waiting(view: &View, limits: &Limits) -> Vec<Judgement> {
    let Some(since_ms) = view.waiting_since_ms else { return Vec::new() };
    let age_s = seconds_since(since_ms, view.now_ms);
    let verdict = match age_s {
        age if age > limits.waiting_s_max => Verdict::Raise,
        age if age > limits.waiting_s_max / 2 => Verdict::Keep,
        _ => return Vec::new(),
    };
    vec![Judgement {
        key: Rule::Waiting.name().to_owned(),
        verdict,
        told: Told {
            what: format!("an order has waited for {}", span(age_s)),
            why: format!("it came at {} and is not in M3 yet", rfc3339(since_ms)),
            advice:
                "look at the overview for what is away; `causeway doctor` tries each connection; \
                     orders go on by themselves when it is back"
                    .to_owned(),
        },
        weight: 1,
        since_ms: Some(since_ms),
        for_s: None,
    }]
}

/// The delivery cannot work.
pub(super) fn standstill(view: &View, limits: &Limits) -> Vec<Judgement> {
    let Some(why) = &view.standstill else { return Vec::new() };
    vec![Judgement {
        key: Rule::Standstill.name().to_owned(),
        verdict: Verdict::Raise,
        told: Told {
            what: "the delivery of orders stands still".to_owned(),
            why: why.clone(),
            advice: "look at the disk and at `journalctl -u causeway -p err`; nothing is lost, \
                     but no order goes on"
                .to_owned(),
        },
        weight: 1,
        since_ms: None,
        for_s: Some(limits.standstill_s_max),
    }]
}

/// Events that were acknowledged and cannot be read any more.
pub(super) fn losses(view: &View) -> Vec<Judgement> {
    if view.losses == 0 {
        return Vec::new();
    }
    let events = if view.losses == 1 { "event" } else { "events" };
    vec![Judgement {
        key: Rule::Losses.name().to_owned(),
        verdict: Verdict::Raise,
        told: Told {
            what: format!("the journal has lost {} {events}", view.losses),
            why: "the disk gave back something else than was written".to_owned(),
            advice: "the log names the sequence numbers; the poller finds changed orders again, \
                     but compare the shop's orders of those hours with M3's; replace the disk"
                .to_owned(),
        },
        weight: view.losses,
        since_ms: None,
        for_s: Some(0),
    }]
}

/// The comparison at night found something, or could not be made.
pub(super) fn apart(view: &View) -> Vec<Judgement> {
    let Some(compared) = &view.compared else { return Vec::new() };
    let Compared { at_ms, differing, ended } = compared;
    let what = match (ended, differing) {
        (Ended::Early, _) => "the shop and M3 could not be compared".to_owned(),
        (Ended::Whole, 0) => return Vec::new(),
        (Ended::Whole, 1) => "the shop and M3 differ in 1 thing".to_owned(),
        (Ended::Whole, many) => format!("the shop and M3 differ in {many} things"),
    };
    let why = format!("compared at {}", rfc3339(*at_ms));
    vec![Judgement {
        key: Rule::Apart.name().to_owned(),
        verdict: Verdict::Raise,
        told: Told {
            what,
            why,
            advice: "`causeway reconcile` names each with what to do, `causeway reconcile --last` why one ended \
                     early; the next comparison at night ends this"
                .to_owned(),
        },
        weight: (*differing).max(1),
        since_ms: Some(*at_ms),
        for_s: Some(0),
    }]
}

/// Documents of ION came that could not be used.
pub(super) fn not_understood(view: &View, limits: &Limits) -> Vec<Judgement> {
    let is_recent =
        |one: &&Unusable| seconds_since(one.at_ms, view.now_ms) <= limits.not_understood_s;
    let recent: Vec<&Unusable> = view.unusable.iter().filter(is_recent).collect();
    let count = recent.iter().fold(0_u64, |sum, one| sum.saturating_add(one.count));
    let (Some(first), Some(last)) = (recent.first(), recent.last()) else { return Vec::new() };
    let documents = if count == 1 { "1 document" } else { "documents" };
    let number = if count == 1 { String::new() } else { format!("{count} ") };
    vec![Judgement {
        key: Rule::NotUnderstood.name().to_owned(),
        verdict: if count > limits.not_understood_max { Verdict::Raise } else { Verdict::Keep },
        told: Told {
            what: format!("{number}{documents} of ION could not be used"),
            why: format!("the last one came at {}; what it was about is found by polling", rfc3339(last.at_ms)),
            advice: "`journalctl -u causeway -p err` names each with its number in the journal and says what is \
                     missing; look at the mapping of the document flow in ION, and at docs/ion.md"
                .to_owned(),
        },
        weight: count,
        since_ms: Some(first.at_ms),
        for_s: Some(0),
    }]
}
