//! What a person can ask of the payments: list them, say where one is.
//!
//! Guarantees: a list comes in parts of bounded size; what a person says of a payment is kept
//! with the order.

use super::{PaidOrder, Reply};
use crate::{
    clock::UnixMs,
    delivery::{
        cases::{Cases, Held},
        rows::{self, CaseKey},
    },
    flow::{
        books::Books, cause::CauseKind, payment::report::Line, returns::Standing, run::ReplayFrom,
    },
};

/// Orders in one part of the list.
const ORDERS_MAX: usize = 200;

/// Lists the payments of the orders behind a key.
pub(super) fn list(cases: &Cases, after: Option<&str>) -> Result<Reply, String> {
    let range = match after {
        Some(key) => rows::table_after("x", &CaseKey::typed(key).books()),
        None => rows::table("x"),
    };
    let found = cases.state().scan(range, ORDERS_MAX).map_err(|fault| fault.to_string())?;
    let mut lines = Vec::new();
    let mut last = None;
    for (key, row) in &found {
        let Some(key) = CaseKey::from_row(key) else { continue };
        let books: Books = rows::read(row).map_err(|fault| format!("order {key}: {fault}"))?;
        let postings = books.money.postings.iter();
        lines.extend(postings.map(|posting| Line::of(key.as_str(), posting)));
        last = Some(key.as_str().to_owned());
    }
    let after = last.filter(|_| found.len() == ORDERS_MAX);
    Ok(Reply::Payments { lines, after })
}

/// Shows the payments of one order.
pub(super) fn of_order(held: Held) -> Result<Reply, String> {
    let Held { case, .. } = held;
    let (run, books) = (case.run, case.books);
    let key = run.key.ok_or_else(|| "its number is not known yet".to_owned())?;
    let returned = books.later.returned.map(|returned| match returned.standing {
        Standing::Open if returned.shown.is_empty() => "looked for in M3".to_owned(),
        Standing::Open => returned.shown,
        Standing::Settled => "credited".to_owned(),
        Standing::Dismissed => "dealt with by a person".to_owned(),
    });
    Ok(Reply::PaidOrder(Box::new(PaidOrder {
        key,
        orno: run.orno,
        cuno: run.cuno,
        postings: books.money.postings,
        returned,
        held: books.later.hold.map(|hold| hold.reason),
        trail: run.trail,
    })))
}

/// Notes where a payment is, and lets the order go on if it waits for that.
pub(super) fn settle(
    held: &mut Held,
    (id, reference): (u64, &str),
    now_ms: UnixMs,
) -> Result<(), String> {
    if !held.case.settle_payment(id, reference, now_ms) {
        return Err(format!("it has no payment {id} that is to be settled"));
    }
    let waits_for_it = held.case.run.parked().is_some_and(|cause| {
        matches!(cause.kind, CauseKind::PaymentUnknown | CauseKind::PaymentRefused)
    });
    if waits_for_it {
        held.case.run.replay(ReplayFrom::Step, now_ms);
    }
    Ok(())
}
