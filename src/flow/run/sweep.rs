//! Looks for doubles and orphans after an order has been confirmed or cancelled. Pure.
//!
//! A lost call may still make a temporary order after its successor was confirmed.
//! After the quiescence time, after an hour, after a day and then daily for `sweep_days`
//! the key is looked up again: heads with our mark are deleted, a second real order is an
//! alarm.

use super::{Effect, Run, Stage};
use crate::{
    connector::{Class, Failure},
    flow::{
        cause::{Cause, CauseKind},
        place::{Ask, Found},
    },
    ids::Orno,
};
use serde::{Deserialize, Serialize};

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// When to look next, and what is to be cleaned up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    begun_ms: u64,
    next_ms: Option<u64>,
    orphans: Vec<Orno>,
}

impl Sweep {
    /// The first look is due when no lost call can run any more.
    pub fn begin(now_ms: u64, quiescence_ms: u64) -> Self {
        let next_ms = Some(now_ms.saturating_add(quiescence_ms));
        Self { begun_ms: now_ms, next_ms, orphans: Vec::new() }
    }

    /// When it began: the order was confirmed or cancelled then; 0 before that.
    pub fn begun_ms(&self) -> u64 {
        self.begun_ms
    }

    /// When something is due.
    pub fn due_ms(&self) -> Option<u64> {
        if self.orphans.is_empty() { self.next_ms } else { Some(0) }
    }

    /// The next is due an hour after the beginning, or on a full day; one that was missed is
    /// not made up for. The last is on day `days`; with 0 there was only the first.
    fn swept(&mut self, now_ms: u64, days: u32) {
        let passed_ms = now_ms.saturating_sub(self.begun_ms);
        let next_ms = match passed_ms {
            passed if passed < HOUR_MS => HOUR_MS,
            passed => (passed / DAY_MS).saturating_add(1).saturating_mul(DAY_MS),
        };
        let is_due = days > 0 && next_ms <= u64::from(days).saturating_mul(DAY_MS);
        self.next_ms = is_due.then(|| self.begun_ms.saturating_add(next_ms));
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
        let is_gone = failure.class == Class::NotFound || failure.code == "WOR0303";
        if is_gone {
            // An answer was lost, and it was deleted all the same.
        } else if let (None, Some(tmp)) = (self.sweep.next_ms, self.sweep.orphans.first()) {
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
    pub(super) fn on_sweep(&mut self, found: Found, (now_ms, days): (u64, u32)) -> Option<Cause> {
        self.sweep.swept(now_ms, days);
        let mut real = found.real;
        real.extend(found.batch.iter().filter_map(|head| head.orno.clone()));
        real.sort();
        real.dedup();
        let ours = |oref: &String| self.placing.tokens.contains(oref);
        let open = found.batch.into_iter().filter(|head| !head.is_created() && ours(&head.oref));
        self.sweep.orphans = open.map(|head| head.tmp).collect();
        let others: Vec<Orno> =
            real.into_iter().filter(|orno| Some(orno) != self.orno.as_ref()).collect();
        let first = others.first().cloned()?;
        let others = others.iter().map(Orno::as_str).collect::<Vec<_>>().join(", ");
        let known = self.orno.clone();
        if known.is_none() {
            // Once it is known, it is neither an alarm again nor made a second time.
            self.orno = Some(first);
            self.standing = self.seen;
        }
        Some(match known {
            Some(ours) => {
                Cause::new(CauseKind::TwoRealOrders, format!("beside {ours} there is {others}"))
            }
            None => Cause::new(
                CauseKind::CancelledAfterConfirm,
                format!("given up before M3 had it, yet M3 has order {others}"),
            ),
        })
    }
}
