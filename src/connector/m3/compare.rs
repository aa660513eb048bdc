//! What M3 has of an order, for whoever compares both systems. Pure.
//!
//! Source: reference/m3.md 3.2 and 5.1.

use super::{
    follow::{read_real, real_read},
    mi::MiCall,
    order::{Answers, DELETED, is_absent, one},
};
use crate::{
    connector::Failure,
    ids::{Cuno, OrderKey, Orno},
    reconcile::InM3,
};

/// Calls for one order.
pub const CALLS: usize = 4;

/// Asks for an order and for others of the same key.
pub fn read(orno: &Orno, cuno: &Cuno) -> Vec<MiCall> {
    let mut calls = read_real(orno, cuno);
    let head = MiCall::new("OIS100MI", "GetHead").with("ORNO", orno.as_str());
    calls.push(head.columns(&["ORSL"]));
    calls
}

/// Understands it.
pub fn understood(mut answers: Answers, orno: &Orno, key: &OrderKey) -> InM3 {
    let unanswered = |failure: Failure| InM3::Unanswered(failure.to_string());
    let head = match answers.pop().map(one) {
        Some(Ok(head)) => head,
        Some(Err(failure)) if is_absent(&failure) => None,
        Some(Err(failure)) => return unanswered(failure),
        None => return InM3::Unanswered("M3 answered less than it was asked".to_owned()),
    };
    let Some(head) = head else { return InM3::Gone };
    if head.text("ORSL").trim() == DELETED {
        return InM3::Deleted;
    }
    match real_read(answers, orno, key) {
        Ok(real) => InM3::Read(Box::new(real)),
        Err(failure) if is_absent(&failure) => InM3::Gone,
        Err(failure) => unanswered(failure),
    }
}
