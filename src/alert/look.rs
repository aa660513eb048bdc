//! Gathers what the rules look at.
//!
//! Guarantees: it only reads, a bounded piece at a time, so that a million waiting orders cost no
//! more than a hundred; what cannot be read is left out and does not stop the rest.

use super::{
    rules::CLOCK_FLOOR_MS,
    usual::Usual,
    view::{Certificate, Compared, Destination, Disk, Ended, Orders, Parked, Step, Unusable, View},
};
use crate::{
    certificate,
    clock::{Now, UnixMs, millis},
    delivery::{
        dispatch::Tally,
        rows::{self, CaseKey, ParkedRow, RunRow},
    },
    flow::{cause::CauseKind, run::Stage},
    journal::durable,
    reconcile::summary::Summary,
    state::State,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    path::PathBuf,
    time::Duration,
};
use tokio::sync::watch;

/// Parked orders that are counted.
const PARKED_ROWS_MAX: usize = 1_000;
/// Entries of the list of what is due that are looked at in one look.
const DUE_ROWS_MAX: usize = 256;
/// Looks in which documents of ION were found unusable that are remembered.
const UNUSABLE_MAX: usize = 1_000;
/// How often our own certificate is read again.
const CERTIFICATE_EVERY: Duration = Duration::from_hours(1);
/// How far the two clocks may drift apart between two looks before it is a jump.
const STEP_MS_MIN: u64 = 30_000;

/// Where values come from.
pub struct Sources {
    /// The gateway's state.
    pub state: State,
    /// The folder on the volume that everything is kept on.
    pub folder: PathBuf,
    /// Below so many free bytes the journal accepts nothing.
    pub floor_bytes: u64,
    /// The certificate that we show; absent: none.
    pub certificate_file: Option<PathBuf>,
    /// What the delivery says of itself.
    pub tally: watch::Receiver<Tally>,
    /// How many webhooks were turned away since the start.
    pub refused: Box<dyn Fn() -> u64 + Send + Sync>,
    /// How many documents of ION could not be used since the start.
    pub unusable: Box<dyn Fn() -> u64 + Send + Sync>,
    /// The systems we call, with the end of their certificates.
    pub destinations: Box<dyn Fn() -> Vec<(Destination, Option<UnixMs>)> + Send + Sync>,
    /// How many events the journal has recorded as lost.
    pub losses: Box<dyn Fn() -> u64 + Send + Sync>,
    /// What came of the last comparison at night.
    pub compared: watch::Receiver<Option<Summary>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Looks, and remembers what a look needs of the one before.
#[derive(Debug)]
pub struct Looker {
    sources: Sources,
    before: Option<Before>,
    refused_ms: Option<UnixMs>,
    unusable: VecDeque<Unusable>,
    step: Option<Step>,
    walk: Walk,
    own: Option<(Now, Option<UnixMs>)>,
    /// What is usual.
    pub(super) usual: Usual,
}

/// The look before.
#[derive(Clone, Copy, Debug)]
struct Before {
    now: Now,
    orders: u64,
    refused: u64,
    unusable: u64,
}

/// A round through the list of what is due, a piece at each look.
#[derive(Debug, Default)]
struct Walk {
    after: Option<Vec<u8>>,
    found: Option<UnixMs>,
    last_round: Option<UnixMs>,
}

/// What one look found.
#[derive(Debug)]
pub(super) struct Look {
    /// The values.
    pub view: View,
    /// Whether something was learned that is to be stored.
    pub learned: Learned,
}

/// Whether something was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// Nothing.
    Nothing,
    /// What is usual has changed.
    Usual,
}

impl Looker {
    /// Begins to look.
    pub fn new(sources: Sources) -> Self {
        let (before, refused_ms, step, own) = (None, None, None, None);
        Self {
            sources,
            before,
            refused_ms,
            unusable: VecDeque::new(),
            step,
            walk: Walk::default(),
            own,
            usual: Usual::default(),
        }
    }

    /// Looks once.
    pub(super) fn look(&mut self, now: Now, learn_weeks: u32) -> Look {
        let now_ms = now.unix_ms();
        let tally = self.sources.tally.borrow().clone();
        let learned = self.compare(now, &tally);
        let destinations = (self.sources.destinations)();
        let mut certificates: Vec<Certificate> = destinations
            .iter()
            .filter_map(|(at, ends_ms)| Some(Certificate { name: at.name, ends_ms: (*ends_ms)? }))
            .collect();
        let own = self.own_certificate(now);
        certificates.extend(own.map(|ends_ms| Certificate { name: "own", ends_ms }));
        let walked = self.walk.go_on(&self.sources.state);
        let view = View {
            now_ms,
            parked: parked(&self.sources.state),
            waiting_since_ms: walked.into_iter().chain(tally.oldest_due_ms).min(),
            orders: Orders {
                last_ms: self.usual.last_ms(),
                expected_milli: self.usual.expected_milli(learn_weeks, now_ms),
            },
            disk: self.disk(),
            refused_ms: self.refused_ms,
            certificates,
            destinations: destinations.into_iter().map(|(at, _)| at).collect(),
            step: self.step,
            standstill: tally.fault,
            losses: (self.sources.losses)(),
            compared: self.compared(),
            unusable: self.unusable.iter().copied().collect(),
        };
        Look { view, learned }
    }

    /// Compares with the look before: clocks, orders, webhooks that were turned away.
    fn compare(&mut self, now: Now, tally: &Tally) -> Learned {
        let now_ms = now.unix_ms();
        let (refused, unusable) = ((self.sources.refused)(), (self.sources.unusable)());
        let fresh = Before { now, orders: tally.orders, refused, unusable };
        let first = Before { orders: 0, refused: 0, unusable: 0, ..fresh };
        let before = self.before.replace(fresh).unwrap_or(first);
        self.note_unusable(fresh.unusable.saturating_sub(before.unusable), now_ms);
        if fresh.refused > before.refused {
            self.refused_ms = Some(now_ms);
        }
        let passed = now.mono.saturating_duration_since(before.now.mono);
        let should_ms = before.now.unix_ms().saturating_add(millis(passed));
        let off_ms = now_ms.abs_diff(should_ms);
        if off_ms >= STEP_MS_MIN {
            let by_s = i64::try_from(off_ms / 1_000).unwrap_or(i64::MAX);
            let by_s = if now_ms < should_ms { by_s.saturating_neg() } else { by_s };
            self.step = Some(Step { at_ms: now_ms, by_s });
            self.usual.begin_anew(now_ms);
        }
        if now_ms < CLOCK_FLOOR_MS {
            return Learned::Nothing;
        }
        let orders = fresh.orders.saturating_sub(before.orders);
        if self.usual.see(orders, now_ms) { Learned::Usual } else { Learned::Nothing }
    }

    /// Remembers that so many documents could not be used.
    fn note_unusable(&mut self, count: u64, at_ms: UnixMs) {
        if count == 0 {
            return;
        }
        if self.unusable.len() >= UNUSABLE_MAX {
            self.unusable.pop_front();
        }
        self.unusable.push_back(Unusable { at_ms, count });
    }

    /// What was compared at night, while that is configured.
    fn compared(&self) -> Option<Compared> {
        let last = self.sources.compared.borrow();
        let compared = last.as_ref()?;
        let Summary { at_ms, differing, .. } = *compared;
        let ended = if compared.fault.is_some() { Ended::Early } else { Ended::Whole };
        Some(Compared { at_ms, differing, ended })
    }

    fn disk(&self) -> Option<Disk> {
        let free_bytes = durable::free_bytes(&self.sources.folder).ok()?;
        Some(Disk { free_bytes, floor_bytes: self.sources.floor_bytes })
    }

    fn own_certificate(&mut self, now: Now) -> Option<UnixMs> {
        if let Some((read, ends_ms)) = self.own
            && now.mono.saturating_duration_since(read.mono) < CERTIFICATE_EVERY
        {
            return ends_ms;
        }
        let path = self.sources.certificate_file.as_ref()?;
        let der = CertificateDer::from_pem_file(path).ok();
        let ends_ms = der.and_then(|der| certificate::ends_ms(&der));
        self.own = Some((now, ends_ms));
        ends_ms
    }
}

/// Counts what is set aside for a person, by cause.
fn parked(state: &State) -> Vec<Parked> {
    let found = state.scan(rows::table("k"), PARKED_ROWS_MAX).unwrap_or_default();
    let mut causes: BTreeMap<CauseKind, Parked> = BTreeMap::new();
    for row in found.iter().filter_map(|(_, row)| rows::read::<ParkedRow>(row).ok()) {
        let kind = row.cause.kind;
        let parked =
            causes.entry(kind).or_insert(Parked { kind, count: 0, oldest_ms: row.since_ms });
        parked.count = parked.count.saturating_add(1);
        parked.oldest_ms = parked.oldest_ms.min(row.since_ms);
    }
    causes.into_values().collect()
}

impl Walk {
    /// Looks at the next piece of the list; returns since when the oldest order waits that was found in
    /// this round or the one before.
    fn go_on(&mut self, state: &State) -> Option<UnixMs> {
        let range = rows::all_due(self.after.as_deref());
        let found = state.scan(range, DUE_ROWS_MAX).unwrap_or_default();
        for key in found.iter().filter_map(|(row, _)| CaseKey::from_due(row)) {
            self.found = since(state, &key.1).into_iter().chain(self.found).min();
        }
        self.after = found.last().map(|(row, _)| row.clone());
        if found.len() < DUE_ROWS_MAX {
            (self.after, self.last_round) = (None, self.found.take());
        }
        self.found.into_iter().chain(self.last_round).min()
    }
}

/// Since when an order is on its way into M3; none when it is not.
fn since(state: &State, key: &CaseKey) -> Option<UnixMs> {
    let row: RunRow = rows::read(&state.get(&key.run()).ok()??).ok()?;
    match row.run.stage {
        Stage::Read | Stage::Customer | Stage::Items => {}
        Stage::Place | Stage::Withdraw | Stage::Check => {}
        Stage::Follow { .. } | Stage::Done(_) | Stage::Parked { .. } => return None,
    }
    let last_ms = row.run.trail.last().map_or(0, |mark| mark.at_ms);
    Some(row.run.opened_ms.max(last_ms))
}

#[cfg(test)]
mod tests;
