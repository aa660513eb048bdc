//! Looks for doubles and orphans after an order has been confirmed or cancelled. Pure.
//!
//! A lost call may still make a temporary order after its successor was confirmed.
//! After the quiescence time, after an hour and after a day the key is looked up
//! again: heads with our mark are deleted, a second real order is an alarm.

use super::{Effect, Run, Stage};
use crate::{
    connector::Failure,
    flow::{
        cause::{Cause, CauseKind},
        place::{Ask, Found},
    },
    ids::Orno,
};
use serde::{Deserialize, Serialize};

/// Pauses between the sweeps that follow the first, in milliseconds.
const PAUSES_MS: [u64; 2] = [60 * 60 * 1_000, 23 * 60 * 60 * 1_000];

/// When to look next, and what is to be cleaned up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    next_ms: Option<u64>,
    swept: u8,
    orphans: Vec<Orno>,
}

impl Sweep {
    /// The first look is due when no lost call can run any more.
    pub fn begin(now_ms: u64, quiescence_ms: u64) -> Self {
        let next_ms = Some(now_ms.saturating_add(quiescence_ms));
        Self { next_ms, swept: 0, orphans: Vec::new() }
    }

    /// When something is due.
    pub fn due_ms(&self) -> Option<u64> {
        if self.orphans.is_empty() { self.next_ms } else { Some(0) }
    }

    fn swept(&mut self, now_ms: u64) {
        let pause = PAUSES_MS.get(usize::from(self.swept));
        self.next_ms = pause.map(|pause| now_ms.saturating_add(*pause));
        self.swept = self.swept.saturating_add(1);
    }

    /// Whether an orphan is being deleted: then nothing else is asked for.
    pub(super) fn deletes(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// The orphan that was asked for last is gone, or cannot be deleted.
    pub fn orphan_settled(&mut self) {
        if !self.orphans.is_empty() {
            self.orphans.remove(0);
        }
    }
}

impl Run {
    /// The next step of a sweep, if one is due and the order is not on its way to M3.
    pub(super) fn next_sweep(&self, now_ms: u64) -> Option<Effect> {
        if !self.sweeps() || self.sweep.due_ms().is_none_or(|due| now_ms < due) {
            return None;
        }
        let ask = match self.sweep.orphans.first() {
            Some(tmp) => Ask::Delete { tmp: tmp.clone() },
            None => Ask::Look,
        };
        Some(Effect::Place(ask))
    }

    /// M3 does not delete the orphan: the next sweep tries again, after the last one a
    /// person is told.
    pub(super) fn give_orphan_up(&mut self, failure: &Failure) {
        if let (None, Some(tmp)) = (self.sweep.next_ms, self.sweep.orphans.first()) {
            let text = format!("temporary order {tmp} is left in M3 (OIS275): {failure}");
            let cause = Cause::new(CauseKind::HeadRefused, text);
            self.attention.get_or_insert(cause);
        }
        self.sweep.orphan_settled();
    }

    /// Whether answers about heads belong to a sweep.
    pub(super) fn sweeps(&self) -> bool {
        matches!(self.stage, Stage::Follow { .. } | Stage::Done(_)) && self.cuno.is_some()
    }

    /// Judges a look.
    pub(super) fn on_sweep(&mut self, found: Found, now_ms: u64) -> Option<Cause> {
        self.sweep.swept(now_ms);
        let mut real = found.real;
        real.extend(found.batch.iter().filter_map(|head| head.orno.clone()));
        real.sort();
        real.dedup();
        let ours = |oref: &String| self.placing.tokens.contains(oref);
        let open = found.batch.into_iter().filter(|head| head.orno.is_none() && ours(&head.oref));
        self.sweep.orphans = open.map(|head| head.tmp).collect();
        let others: Vec<Orno> =
            real.into_iter().filter(|orno| Some(orno) != self.orno.as_ref()).collect();
        let first = others.first().cloned()?;
        let others = others.iter().map(Orno::as_str).collect::<Vec<_>>().join(", ");
        let known = self.orno.clone();
        if known.is_none() {
            // Once it is known, it is neither an alarm again nor made a second time.
            self.orno = Some(first);
        }
        Some(match known {
            Some(ours) => {
                Cause::new(CauseKind::TwoRealOrders, format!("beside {ours} there is {others}"))
            }
            None => Cause::new(
                CauseKind::CancelledAfterConfirm,
                format!("cancelled in the shop, yet M3 has order {others}"),
            ),
        })
    }
}
