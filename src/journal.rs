//! Events on disk, in order, until every flow has finished with them.
//!
//! What this module guarantees:
//! 1. `append` returns only after the event has reached the disk, power cuts included.
//! 2. Sequence numbers grow by one and no acknowledged one is ever used again.
//! 3. An event is removed only when `settle` said that nothing below needs it.
//! 4. Damage is put aside and rescued as far as it can be read; the exact sequence numbers that are
//!    missing are recorded and told, and exactly those are passed over.
//!
//! What it does not: order between different journals, or uniqueness of events; an event whose
//! sender was told of a failure may still be there after a restart.

mod again;
mod broom;
#[doc(hidden)]
pub mod committer;
mod config;
pub mod copy;
pub(crate) mod durable;
mod finder;
pub mod guard;
mod handle;
pub mod inspect;
mod joiner;
pub(crate) mod logfile;
mod lossbook;
mod losses;
mod manifest;
mod memory;
mod note;
pub(crate) mod numbers;
mod opening;
mod rawlog;
#[doc(hidden)]
pub mod record;
mod rescue;
mod retention;
pub(crate) mod rows;
mod segments;
mod shelf;
pub(crate) mod slots;
mod spare;
pub(crate) mod store;
mod writer;

#[cfg(test)]
mod tests;

use crate::journal::{
    committer::{Limits, Queue, Refused, Weight},
    record::{LABEL_BYTES_MAX, Packing},
    shelf::Shelf,
    writer::Writer,
};
use serde::{Deserialize, Serialize};
use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use thiserror::Error;
use tokio::sync::watch;

pub use crate::journal::{
    committer::Committer,
    config::Config,
    guard::Guard,
    handle::Journal,
    losses::{Fate, Loss},
    memory::Memory,
    store::StoreError,
};

/// A place in the journal. The first event has 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Which way it came, `xcart-webhook`.
    pub source: String,
    /// What it is about, `order.updated`.
    pub topic: String,
    /// Whom it concerns; a hint for routing.
    pub entity: String,
    /// A hash of the sender's id for this delivery.
    pub delivery: [u8; 32],
    /// When it came, in Unix milliseconds.
    pub received_ms: u64,
    /// What it said, byte for byte.
    pub body: Vec<u8>,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where it lies.
    pub seq: Seq,
    /// Which way it came.
    pub source: String,
    /// What it is about.
    pub topic: String,
    /// Whom it concerns; a hint for routing.
    pub entity: String,
    /// A hash of the sender's id for this delivery.
    pub delivery: [u8; 32],
    /// When it came, in Unix milliseconds.
    pub received_ms: u64,
    /// What it said, byte for byte.
    pub body: Vec<u8>,
}

/// Proof that an event is on disk. Only [`Journal::append`] and [`Journal::append_all`] make one, so
/// an acknowledgement that asks for a `Receipt` cannot be sent too early.
#[must_use = "the sender is still waiting for its acknowledgement"]
#[derive(Debug)]
pub struct Receipt(Seq);

impl Receipt {
    /// Where the event lies.
    pub fn seq(&self) -> Seq {
        self.0
    }
}

/// Why the journal did not do what it was asked.
#[derive(Clone, Debug, Error)]
pub enum JournalError {
    /// The queue or the disk is full; the event is still the sender's.
    #[error("the journal is full")]
    Full,
    /// The event is larger than the configuration allows.
    #[error("the event has {bytes} bytes, more than {bytes_max}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// The committer has stopped.
    #[error("the journal is closed")]
    Closed,
    /// The newest segment could not be opened again yet; the next append tries it.
    #[error("the newest segment is not open")]
    Unavailable,
    /// Events that were acknowledged are not readable.
    #[error("events are missing: {missing:?}")]
    Damaged {
        /// Their sequence numbers.
        missing: Vec<RangeInclusive<u64>>,
    },
    /// A segment's folder is not what it should be.
    #[error("{path} {what}")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A newer version of the gateway wrote this.
    #[error("event {0:?} has the newer format {1}")]
    Newer(Seq, u8),
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(&'static str),
    /// The disk or the database failed; whether the event is stored is not known.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl JournalError {
    /// Returns whether the volume has no room.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Store(error) => error.is_full(),
            Self::TooLarge { .. }
            | Self::Closed
            | Self::Unavailable
            | Self::Damaged { .. }
            | Self::Unreadable { .. }
            | Self::Newer(..)
            | Self::Config(_) => false,
        }
    }
}

/// How much lies in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalStats {
    /// The oldest event still kept, or the next one if none is.
    pub first: Seq,
    /// The next sequence number.
    pub next: Seq,
    /// How many segments there are.
    pub segments: usize,
    /// How many bytes they take on the disk.
    pub bytes: u64,
}

/// What an opening has to know from outside.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// How a database is looked at before it is opened.
    pub guard: Guard,
    /// Everything below was taken by whom the events are for; `None` when that is not known. What is
    /// missing from there on is reported, and no number below is given out again.
    pub taken: Option<Seq>,
}

/// How the journal fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// How many events are recorded as lost.
    pub lost: u64,
    /// How many damaged segments lie in quarantine.
    pub aside: usize,
    /// Why the last events were not accepted, if so.
    pub refusing: Option<String>,
    /// How many segments wait to be rescued.
    pub suspects: usize,
}

/// Reads a record as a back-up holds it.
pub(crate) fn decode(seq: Seq, record: &[u8]) -> Result<Event, JournalError> {
    record::decode(seq, record).map_err(|error| match error {
        record::RecordError::Newer(version) => JournalError::Newer(seq, version),
        record::RecordError::Short
        | record::RecordError::Checksum
        | record::RecordError::Malformed => JournalError::Damaged { missing: vec![seq.0..=seq.0] },
    })
}

/// The journal on the disk: what a [`Journal`] is outside of simulations. Clones share it.
#[derive(Clone, Debug)]
pub struct OnDisk {
    queue: Queue<Writer>,
    shelf: Arc<Shelf>,
    head: watch::Receiver<Seq>,
    settled: Arc<AtomicU64>,
    event_bytes_max: usize,
    queue_bytes_max: usize,
    packing: Packing,
}

impl OnDisk {
    /// Opens the journal in `folder`, which is created if need be, in this process alone. Blocks.
    pub fn open(folder: &Path, config: &Config) -> Result<(Self, Committer), JournalError> {
        Self::open_with(folder, config, Opening::default())
    }

    /// Opens the journal in `folder`, which is created if need be. Blocks.
    ///
    /// Damage is put aside and rescued first, which takes as long as reading the damaged segment does;
    /// else only what was written since the last opening of the newest segment is read.
    pub fn open_with(
        folder: &Path,
        config: &Config,
        opening: Opening,
    ) -> Result<(Self, Committer), JournalError> {
        config.check().map_err(JournalError::Config)?;
        let settled = Arc::<AtomicU64>::default();
        let (writer, shelf, head) = writer::open(folder, config, opening, Arc::clone(&settled))?;
        let limits = Limits {
            batch_entries_max: config.batch_events_max,
            batch_bytes_max: config.batch_bytes_max,
            queue_len_max: config.queue_len_max,
            queue_bytes_max: config.queue_bytes_max,
        };
        let (queue, committer) = committer::start("journal", writer, limits)
            .map_err(StoreError::io("start the committer"))?;
        let Config { event_bytes_max, queue_bytes_max, compression: packing, .. } = *config;
        let journal =
            Self { queue, shelf, head, settled, event_bytes_max, queue_bytes_max, packing };
        Ok((journal, committer))
    }

    /// Stores one event; its receipt exists only once it is on the disk.
    pub async fn append(&self, event: NewEvent) -> Result<Receipt, JournalError> {
        self.append_all(vec![event]).await?.pop().ok_or(JournalError::Closed)
    }

    /// Stores events one after the other, all of them or none.
    pub async fn append_all(&self, events: Vec<NewEvent>) -> Result<Vec<Receipt>, JournalError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut records = Vec::with_capacity(events.len());
        for event in events {
            self.check_size(&event)?;
            let record = record::encode(&event, self.packing);
            records.push(record.map_err(|_| JournalError::Config("an event cannot be encoded"))?);
        }
        let entries = records.len();
        let bytes = records.iter().map(Vec::len).sum();
        if bytes > self.queue_bytes_max {
            return Err(JournalError::TooLarge { bytes, bytes_max: self.queue_bytes_max });
        }
        let answer = self.queue.submit(records, Weight { entries, bytes }).await;
        let first = answer.map_err(|refused| match refused {
            Refused::Full => JournalError::Full,
            Refused::Closed => JournalError::Closed,
        })??;
        Ok((first..).take(entries).map(|seq| Receipt(Seq(seq))).collect())
    }

    /// Returns events from `from` on, in order, as many as both limits allow and at least one if there
    /// is one. Only numbers that are recorded as lost are passed over. Below the oldest event kept it
    /// begins with that one.
    ///
    /// Blocks for as long as the disk takes, and while a handle is being reopened.
    pub fn read(
        &self,
        from: Seq,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Event>, JournalError> {
        let head = *self.head.borrow();
        let events = self.shelf.read(from, head, shelf::Room { events_max, bytes_max });
        if self.shelf.needs_care() {
            self.queue.wake();
        }
        events
    }

    /// Returns how the journal fares.
    pub fn condition(&self) -> Condition {
        let books = self.shelf.books();
        Condition {
            lost: books.lossbook.losses().lost(),
            aside: rescue::aside(&self.shelf.folder),
            refusing: books.refusing.clone(),
            suspects: books.suspects.len(),
        }
    }

    /// Returns the numbers that are recorded as missing, in order.
    pub fn losses(&self) -> Vec<Loss> {
        self.shelf.books().lossbook.losses().all().cloned().collect()
    }

    /// Returns the next sequence number to be written; it changes after each durable batch.
    pub fn heads(&self) -> watch::Receiver<Seq> {
        self.head.clone()
    }

    /// Says that nothing below needs to be kept; drained segments are removed soon after.
    pub fn settle(&self, below: Seq) {
        self.settled.fetch_max(below.0, Ordering::AcqRel);
        if self.shelf.has_drained(below) {
            self.queue.wake();
        }
    }

    /// Returns how much lies in the journal.
    pub fn stats(&self) -> JournalStats {
        let next = *self.head.borrow();
        let (first, segments, bytes) = self.shelf.measure();
        JournalStats { first: first.unwrap_or(next), next, segments, bytes }
    }

    fn check_size(&self, event: &NewEvent) -> Result<(), JournalError> {
        let labels = [&event.source, &event.topic, &event.entity];
        let label_bytes = labels.iter().map(|label| label.len()).sum();
        let label_bytes_max = LABEL_BYTES_MAX / 2;
        for (bytes, bytes_max) in
            [(label_bytes, label_bytes_max), (event.body.len(), self.event_bytes_max)]
        {
            if bytes > bytes_max {
                return Err(JournalError::TooLarge { bytes, bytes_max });
            }
        }
        Ok(())
    }
}
