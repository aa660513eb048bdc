//! Turns journal events into wake-ups of cases.
//!
//! Guarantees: an event leaves the journal only after its wake-up is durable; the
//! cursor moves in the same batch. Many events of one order become one wake-up: an
//! event is a signal, the order is read anew. A document of ION wakes the order that it names,
//! which then looks at M3 (`heard`).

use super::{
    cases::{CaseError, Cases},
    heard::{self, Gained},
    rows::{self, CaseKey, Due, WakeRow},
};
use crate::{
    clock::UnixMs,
    failpoint,
    flow::rules::Rules,
    ids::{OrderKey, OrderNumber},
    journal::{Event, Journal, JournalError, Seq},
    order::OrderRef,
    state::{Batch, State, StateError},
};
use std::collections::BTreeMap;
use thiserror::Error;

/// Events taken from the journal in one go.
const EVENTS_MAX: usize = 128;
/// Bytes of events taken in one go.
const EVENT_BYTES_MAX: usize = 512 * 1024;
/// What the entity of an event about a profile begins with, and that of no other.
const PROFILE: &str = "profile:";
/// Name of the cursor.
const CURSOR: &str = "journal";

/// Why events could not be taken. The text continues "could not take events: ".
#[derive(Debug, Error)]
pub enum TakeError {
    /// The journal refused.
    #[error("the journal refused")]
    Journal(#[from] JournalError),
    /// The state store refused.
    #[error("the state store refused")]
    Case(#[from] CaseError),
}

impl From<StateError> for TakeError {
    fn from(fault: StateError) -> Self {
        Self::Case(fault.into())
    }
}

impl From<rows::BadRow> for TakeError {
    fn from(fault: rows::BadRow) -> Self {
        Self::Case(fault.into())
    }
}

/// Writes how an event names its order, for [`Event::entity`].
pub fn entity(order: &OrderRef) -> String {
    match order {
        OrderRef::Id(id) => format!("id:{id}"),
        OrderRef::Number(number) => format!("number:{number}"),
    }
}

/// Writes how an event names a profile of the shop.
pub fn profile_entity(id: u64) -> String {
    format!("{PROFILE}{id}")
}

/// Reads it.
fn profile_of(event: &Event) -> Option<u64> {
    event.entity.strip_prefix(PROFILE)?.parse().ok()
}

/// Reads which order an event names.
fn order_of(event: &Event) -> Option<OrderRef> {
    match event.entity.split_once(':')? {
        ("id", id) => id.parse().ok().map(OrderRef::Id),
        ("number", number) => OrderNumber::try_from(number).ok().map(OrderRef::Number),
        _ => None,
    }
}

/// Returns up to where events were taken before; `None` if none ever was, or it cannot be read.
pub fn taken(state: &State) -> Option<Seq> {
    let cursor = state.get(&rows::cursor(CURSOR)).ok()??;
    rows::read::<u64>(&cursor).ok().map(Seq)
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether there may be more.
    pub more: bool,
    /// Cases that were woken.
    pub woken: usize,
}

/// Takes the next events, at most a batch of them.
pub async fn take(
    journal: &Journal,
    cases: &Cases,
    rules: &Rules,
    now_ms: UnixMs,
) -> Result<Taken, TakeError> {
    let (state, ears) = (cases.state(), cases.ears());
    let cursor = state.get(&rows::cursor(CURSOR))?;
    let from = cursor.as_deref().map(rows::read::<u64>).transpose()?.unwrap_or(1);
    let events = journal.read(Seq(from), EVENTS_MAX, EVENT_BYTES_MAX)?;
    let Some(first) = events.first() else {
        journal.settle(Seq(from));
        return Ok(Taken { more: false, woken: 0 });
    };
    let mut next = first.seq.0;
    let mut batch = Batch::new();
    batch.expect(rows::cursor(CURSOR), cursor.as_deref());
    let mut wakes: BTreeMap<CaseKey, Wake> = BTreeMap::new();
    let mut gained = Gained::default();
    for event in &events {
        let seq = event.seq.0;
        next = seq.saturating_add(1);
        if heard::is_document(event) {
            gained.hear(event, state, ears, &mut batch)?;
            for (key, reference) in gained.wakes.drain(..) {
                Wake { reference, seq, by_m3: true }.join(&mut wakes, key);
            }
            if gained.is_enough() {
                break;
            }
            continue;
        }
        if let Some(id) = profile_of(event) {
            gained.profiles.extend(ears.profiles.as_ref().map(|_| id));
            continue;
        }
        let Some(order) = order_of(event) else {
            let topic = &event.topic;
            tracing::error!(seq, topic, "the event names no order; it is passed over");
            continue;
        };
        let key = case_of(&order, state, rules)?;
        Wake { reference: order, seq, by_m3: false }.join(&mut wakes, key);
    }
    batch.put(rows::cursor(CURSOR), rows::write(&next)?);
    gained.note(state, now_ms, &mut batch)?;
    let woken = wakes.len();
    write_wakes(&mut batch, state, wakes, now_ms)?;
    failpoint::pass("events.take.before");
    state.commit(batch).await?;
    failpoint::pass("events.take.durable");
    gained.count(ears);
    journal.settle(Seq(next));
    let more = events.len() == EVENTS_MAX || *journal.heads().borrow() > Seq(next);
    Ok(Taken { more, woken })
}

/// Adds the wake-ups to the batch that moves the cursor.
fn write_wakes(
    batch: &mut Batch,
    state: &State,
    wakes: BTreeMap<CaseKey, Wake>,
    now_ms: UnixMs,
) -> Result<(), TakeError> {
    for (key, Wake { mut reference, seq, mut by_m3 }) in wakes {
        let known = known_wake(state, &key)?;
        let due_ms = known.as_ref().map_or(now_ms, |wake| wake.due_ms);
        if let Some(known) = known {
            reference.learn(&known.reference);
            by_m3 |= known.by_m3;
        }
        batch.put(key.wake(), rows::write(&WakeRow { reference, seq, due_ms, by_m3 })?);
        batch.put(key.due(Due::of_event(due_ms)), Vec::new());
    }
    Ok(())
}

/// Wakes an order of the shop as an event would, for a person who knows of it.
pub(super) async fn take_over(
    cases: &Cases,
    rules: &Rules,
    id: u64,
    now_ms: UnixMs,
) -> Result<(), TakeError> {
    let (state, mut reference) = (cases.state(), OrderRef::Id(id));
    let key = case_of(&reference, state, rules)?;
    let mut batch = Batch::new();
    let known = known_wake(state, &key)?;
    let (mut seq, mut by_m3) = (0, false);
    if let Some(known) = known {
        batch.delete(key.due(Due::of_event(known.due_ms)));
        reference.learn(&known.reference);
        (seq, by_m3) = (known.seq, known.by_m3);
    }
    batch.expect(key.wake(), state.get(&key.wake())?.as_deref());
    batch.put(key.wake(), rows::write(&WakeRow { reference, seq, due_ms: now_ms, by_m3 })?);
    batch.put(key.due(Due::of_event(now_ms)), Vec::new());
    Ok(state.commit(batch).await?)
}

/// What the events that are taken at once say to one case.
struct Wake {
    reference: OrderRef,
    seq: u64,
    by_m3: bool,
}

impl Wake {
    fn join(self, wakes: &mut BTreeMap<CaseKey, Self>, key: CaseKey) {
        match wakes.get_mut(&key) {
            Some(known) => {
                known.reference.learn(&self.reference);
                known.seq = self.seq;
                known.by_m3 |= self.by_m3;
            }
            None => {
                wakes.insert(key, self);
            }
        }
    }
}

/// Reads the wake-up that is there already; a damaged one is replaced, or it would keep
/// every other event from being taken.
fn known_wake(state: &State, key: &CaseKey) -> Result<Option<WakeRow>, TakeError> {
    let row = match state.get(&key.wake()) {
        Err(StateError::Damaged { .. }) => return Ok(None),
        row => row?,
    };
    let read = row.as_deref().map(rows::read::<WakeRow>).transpose();
    Ok(read.unwrap_or_else(|fault| {
        let why = crate::log::chain(&fault);
        tracing::error!(order = %key, why, "a wake-up cannot be read; it is written anew");
        None
    }))
}

fn case_of(order: &OrderRef, state: &State, rules: &Rules) -> Result<CaseKey, TakeError> {
    Ok(match order {
        OrderRef::Number(number) => CaseKey::of_order(&OrderKey::of(&rules.shop_prefix, number)),
        OrderRef::Id(id) => match state.get(&rows::by_id(*id))? {
            Some(key) => CaseKey::typed(&String::from_utf8_lossy(&key)),
            None => CaseKey::of_id(*id),
        },
    })
}
