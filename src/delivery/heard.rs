//! What ION's documents in the journal come to: wake-ups of orders, and notes of variations.
//!
//! What this module guarantees:
//! 1. An old variation of a document changes nothing; which one is the newest is written in
//!    the same batch as the cursor, so it is never forgotten and never known too early.
//! 2. A document is a hint: an order that it names is woken and looks at M3 itself. One that
//!    nobody here knows is passed over.
//! 3. What cannot be understood is counted, logged and passed by; where answers are given to
//!    ION, its sender is told by a Confirm.BOD that leaves with the same batch.

use super::{
    cases::CaseError,
    rows::{self, AnswerRow, CaseKey, RunRow, VariationRow},
};
use crate::{
    buyers,
    connector::ion::{
        Signal,
        bod::{Bod, BodError, Document},
        message::{Head, Message},
        signals,
        xml::Limits,
    },
    goods::Bells,
    journal::Event,
    metrics::Heard,
    order::OrderRef,
    profiles,
    state::{Batch, State, StateError},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};
use thiserror::Error;
use tokio::sync::Notify;

/// The source of the events, in the journal and in the metrics.
pub const SOURCE: &str = "ion";
/// What the entity of these events begins with, and that of no other.
const ENTITY: &str = "ion:";
/// Answers that wait at most; further documents are counted and logged only.
const ANSWERS_MAX: usize = 1_000;
/// Rows of one batch after which no further document is taken into it; one document has at most
/// `DOCUMENTS_MAX` of each kind, so that the batch stays far below what the state takes at once.
const ROWS_MAX: usize = 2_000;
/// Characters of a name in an entity.
const NAME_CHARS_MAX: usize = 60;

/// What a document about an item comes to.
const ITEM: &str = "item";
/// What one about a customer comes to.
const CUSTOMER: &str = "customer";

/// What is needed to understand ION's documents.
#[derive(Clone, Debug, Default)]
pub struct Ears {
    /// Our company in M3; documents of another one are passed over.
    pub company: Option<u16>,
    /// What one document may use up; absent: the usual.
    pub limits: Option<Limits>,
    /// Whether ION is answered when a document cannot be understood.
    pub answers: Option<Answers>,
    /// Wakes who asks M3 for balances and prices; absent: nobody does.
    pub items: Option<Arc<Bells>>,
    /// Wakes who asks M3 for customers; absent: nobody does.
    pub buyers: Option<Arc<buyers::Bells>>,
    /// Wakes who looks at the shop's profiles; absent: nobody does.
    pub profiles: Option<Arc<profiles::Bells>>,
    /// Counts documents.
    pub counted: Heard,
}

impl Ears {
    fn limits(&self) -> Limits {
        self.limits.unwrap_or(Limits::house())
    }
}

/// How ION is answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Our logical id.
    pub logical_id: String,
    /// Wakes who gives the answers.
    pub news: Arc<Notify>,
}

/// Why a document came to nothing. The text continues "could not use the document: ".
#[derive(Debug, Error)]
enum Deaf {
    #[error("what lies in the journal is no message")]
    NoMessage,
    #[error("{0}")]
    Bod(#[from] BodError),
}

/// What documents came to, until it is durable.
#[derive(Debug, Default)]
pub(super) struct Gained {
    /// Orders to be woken: how they are named, and by which event.
    pub wakes: Vec<(CaseKey, OrderRef)>,
    /// Profiles of the shop to be looked at.
    pub profiles: Vec<u64>,
    variations: BTreeMap<Vec<u8>, u64>,
    woken: usize,
    counts: Vec<(&'static str, &'static str)>,
}

/// Writes how an event names its document, for [`Event::entity`].
pub fn entity(noun: &str, owner: Option<&str>, id: Option<&str>) -> String {
    let short = |text: Option<&str>| -> String {
        text.unwrap_or_default().chars().take(NAME_CHARS_MAX).collect()
    };
    format!("{ENTITY}{noun}:{}:{}", short(owner), short(id))
}

/// Whether an event holds a document of ION.
pub(super) fn is_document(event: &Event) -> bool {
    event.entity.starts_with(ENTITY)
}

/// Returns how often a document changed: as it says, or as its message does where it has one
/// document only.
pub fn variation(bod: &Bod, document: &Document, said: Option<u64>) -> Option<u64> {
    bod.variation_of(document).or(said.filter(|_| bod.documents.len() == 1))
}

/// Returns where the newest variation of a document is noted; none where it has no number.
pub fn variation_key(bod: &Bod, document: &Document) -> Option<Vec<u8>> {
    let id = document.id()?;
    let mut hasher = Sha256::new();
    for part in [bod.entity_of(document).unwrap_or_default(), &id.id] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    Some(rows::variation(bod.noun.name(), &digest))
}

impl Gained {
    /// Takes one document in.
    pub(super) fn hear(
        &mut self,
        event: &Event,
        state: &State,
        ears: &Ears,
        batch: &mut Batch,
    ) -> Result<(), CaseError> {
        match read(event, ears) {
            (head, Ok(bod)) => self.understood(&head, bod, state, ears),
            (head, Err(fault)) => {
                let (seq, topic) = (event.seq.0, &event.topic);
                tracing::error!(seq, topic, why = %fault, "a document of ION cannot be used");
                self.counts.push(("unread", "not_understood"));
                if ears.answers.is_none() {
                    return Ok(());
                }
                let waiting = state.scan(rows::table("f"), ANSWERS_MAX);
                if waiting.is_ok_and(|waiting| waiting.len() >= ANSWERS_MAX) {
                    self.counts.push(("unread", "not_answered"));
                    return Ok(());
                }
                let bodid = Message::restored(&event.body).map(|(_, document)| document);
                let bodid = bodid.and_then(|document| Bod::name_of(document, &ears.limits()));
                let row =
                    AnswerRow { head, why: fault.to_string(), bodid: bodid.unwrap_or_default() };
                batch.put(rows::answer(event.seq.0), rows::write(&row)?);
                Ok(())
            }
        }
    }

    fn understood(
        &mut self,
        head: &Head,
        mut bod: Bod,
        state: &State,
        ears: &Ears,
    ) -> Result<(), CaseError> {
        let noun = bod.noun.name();
        let is_ours = |document: &Document| match (ears.company, bod.entity_of(document)) {
            (Some(company), Some(entity)) => {
                let number = entity.split('_').next().unwrap_or_default();
                number.parse::<u16>().map_or(true, |number| number == company)
            }
            (Some(_) | None, _) => true,
        };
        let mut fresh = Vec::new();
        for document in &bod.documents {
            if !is_ours(document) {
                self.counts.push((noun, "other_company"));
            } else if self.is_newer(&bod, document, head.variation, state)? {
                fresh.push(document.clone());
            } else {
                self.counts.push((noun, "stale"));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        for document in &fresh {
            if let Document::Confirmation(told) = document
                && !told.failures.is_empty()
            {
                let why = told.failures.join("; ");
                tracing::error!(of = told.of, why, "ION tells that a document of ours failed");
            }
        }
        bod.documents = fresh;
        for signal in signals(&bod) {
            let result = self.follow(signal, state)?;
            self.counts.push((noun, result));
        }
        Ok(())
    }

    /// Notes the variation of a document, unless a newer one is noted.
    fn is_newer(
        &mut self,
        bod: &Bod,
        document: &Document,
        said: Option<u64>,
        state: &State,
    ) -> Result<bool, CaseError> {
        let variation = variation(bod, document, said);
        let (Some(variation), Some(key)) = (variation, variation_key(bod, document)) else {
            return Ok(true);
        };
        let known = match self.variations.get(&key) {
            Some(known) => Some(*known),
            None => known_variation(state, &key)?,
        };
        if known.is_some_and(|known| variation <= known) {
            return Ok(false);
        }
        self.variations.insert(key, variation);
        Ok(true)
    }

    /// Hands a hint to whom it concerns. Flows of items and customers begin here.
    fn follow(&mut self, signal: Signal, state: &State) -> Result<&'static str, CaseError> {
        match signal {
            Signal::Order { key, orno } => {
                let by_orno = |orno| whole(state, &rows::by_orno(&orno));
                let mut found = known_run(state, key.map(|key| CaseKey::typed(&key)))?;
                if let (Some(orno), None) = (orno, &found) {
                    let key = by_orno(orno)?;
                    let key = key.map(|key| CaseKey::typed(&String::from_utf8_lossy(&key)));
                    found = known_run(state, key)?;
                }
                let result = if found.is_some() { "order_woken" } else { "order_unknown" };
                self.woken = self.woken.saturating_add(usize::from(found.is_some()));
                self.wakes.extend(found);
                Ok(result)
            }
            // Only that something changed is believed: what M3 has is asked for.
            Signal::Item { .. } => Ok(ITEM),
            Signal::Customer { .. } => Ok(CUSTOMER),
            Signal::Nothing => Ok("nothing"),
        }
    }

    /// Whether so much is to be written that the next document waits for the next batch.
    pub(super) fn is_enough(&self) -> bool {
        self.variations.len().saturating_add(self.woken) >= ROWS_MAX
    }

    /// Adds what is to be remembered to the batch that moves the cursor.
    pub(super) fn note(
        &self,
        state: &State,
        now_ms: u64,
        batch: &mut Batch,
    ) -> Result<(), CaseError> {
        for id in &self.profiles {
            profiles::mark(batch, state, (profiles::table::NEWS, *id), now_ms)?;
        }
        for (key, variation) in &self.variations {
            let row = VariationRow { variation: *variation, seen_ms: now_ms };
            batch.put(key.clone(), rows::write(&row)?);
        }
        Ok(())
    }

    /// Counts what was heard, once it is durable.
    pub(super) fn count(&self, ears: &Ears) {
        for (noun, result) in &self.counts {
            ears.counted.count(noun, result);
        }
        if let Some(items) = &ears.items
            && self.counts.iter().any(|(_, result)| *result == ITEM)
        {
            items.look.notify_waiters();
        }
        if let Some(buyers) = &ears.buyers
            && self.counts.iter().any(|(_, result)| *result == CUSTOMER)
        {
            buyers.look.notify_waiters();
        }
        if let Some(profiles) = ears.profiles.as_ref().filter(|_| !self.profiles.is_empty()) {
            profiles.keep.notify_waiters();
        }
        if let Some(answers) = &ears.answers {
            answers.news.notify_one();
        }
    }
}

fn read(event: &Event, ears: &Ears) -> (Head, Result<Bod, Deaf>) {
    let Some((head, document)) = Message::restored(&event.body) else {
        return (Head::default(), Err(Deaf::NoMessage));
    };
    (head, Bod::read(document, &ears.limits()).map_err(Deaf::from))
}

/// Reads a row; a damaged one is none, or it would keep every other event from being taken.
fn whole(state: &State, key: &[u8]) -> Result<Option<Vec<u8>>, CaseError> {
    match state.get(key) {
        Err(StateError::Damaged { .. }) => Ok(None),
        row => Ok(row?),
    }
}

/// A note that cannot be read is none: the document is taken for new.
fn known_variation(state: &State, key: &[u8]) -> Result<Option<u64>, CaseError> {
    let row = whole(state, key)?;
    Ok(row.and_then(|row| rows::read::<VariationRow>(&row).ok()).map(|row| row.variation))
}

/// Returns how a case names its order, if there is one that is still worked on.
fn known_run(
    state: &State,
    key: Option<CaseKey>,
) -> Result<Option<(CaseKey, OrderRef)>, CaseError> {
    let Some(key) = key.filter(|key| !key.is_of_id()) else { return Ok(None) };
    let Some(row) = whole(state, &key.run())? else { return Ok(None) };
    match rows::read::<RunRow>(&row) {
        Ok(row) => Ok(Some((key, row.run.reference))),
        Err(fault) => {
            // It is told by whoever works on the case.
            tracing::debug!(order = %key, %fault, "a run cannot be read");
            Ok(None)
        }
    }
}

/// Rows that are looked at in one go.
const FORGET_ROWS_MAX: usize = 256;

/// Forgets which variation of a document was the newest, where that was before `before_ms`;
/// returns how many were forgotten.
pub async fn forget(state: &State, before_ms: u64) -> Result<usize, CaseError> {
    let mut pages = state.pages(rows::table("v"), FORGET_ROWS_MAX);
    let mut count = 0_usize;
    while let Some(found) = pages.next_page()? {
        let mut batch = Batch::new();
        let is_old = |row: &[u8]| {
            rows::read::<VariationRow>(row).map_or(true, |row| row.seen_ms < before_ms)
        };
        let old: Vec<_> = found.iter().filter(|(_, row)| is_old(row)).collect();
        for (key, row) in &old {
            batch.expect(key.clone(), Some(row)).delete(key.clone());
        }
        if !old.is_empty() {
            match state.commit(batch).await {
                Ok(()) => count = count.saturating_add(old.len()),
                // One came again in this moment; the others are looked at an hour later.
                Err(StateError::Conflict { .. }) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
