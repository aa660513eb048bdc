//! The other stores under the gateway's own committer: same records, same groups, one sync for each.

use crate::{
    fjall_log::FjallLog, gauge::Fault, raw_log::RawLog, redb_log::RedbLog, sqlite_log::SqliteLog,
};
use causeway::journal::{
    NewEvent,
    committer::{self, Committer, Limits, Queue, Sink, Weight},
    record::{self, Packing},
};
use clap::ValueEnum;
use std::path::Path;

/// Events that are taken out in one go when a store is drained.
pub(crate) const PORTION: usize = 256;

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Engine {
    /// A log of ours with one `fdatasync` for each group, and nothing else.
    Raw,
    /// The gateway's journal.
    Journal,
    /// redb.
    Redb,
    /// `SQLite`, WAL, `synchronous = FULL`.
    Sqlite,
    /// fjall.
    Fjall,
}

impl Engine {
    /// All, in the order of a round.
    pub(crate) const ALL: [Self; 5] =
        [Self::Raw, Self::Journal, Self::Redb, Self::Sqlite, Self::Fjall];

    /// Its name in the results.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Journal => "journal",
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
            Self::Fjall => "fjall",
        }
    }
}

/// A store of records by number.
pub(crate) trait Disk: Send + Sized + 'static {
    /// Opens it in an empty folder, or again.
    fn open(folder: &Path) -> Result<Self, Fault>;

    /// Writes records, numbered from `first` on, and waits until they are on the disk.
    fn write(&mut self, first: u64, records: &[Vec<u8>]) -> Result<(), Fault>;

    /// Takes out the oldest records, at most [`PORTION`], durably.
    fn take(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Fault>;
}

/// A store with a committer before it.
pub(crate) struct Shelf<D> {
    disk: D,
    next: u64,
}

impl<D: Disk> Sink for Shelf<D> {
    type Entry = Vec<u8>;
    type Answer = Result<u64, String>;

    fn write(&mut self, group: Vec<Vec<u8>>) -> Vec<Self::Answer> {
        let first = self.next;
        let count = u64::try_from(group.len()).unwrap_or(u64::MAX);
        if let Err(fault) = self.disk.write(first, &group) {
            return vec![Err(fault.to_string()); group.len()];
        }
        self.next = first.saturating_add(count);
        (first..self.next).map(Ok).collect()
    }

    fn tidy(&mut self) {}

    fn close(&mut self) {}
}

/// The way into a store that is not the journal.
#[derive(Debug)]
pub(crate) struct Log<D: Disk>(Queue<Shelf<D>>);

impl<D: Disk> Clone for Log<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Disk> Log<D> {
    /// Opens a store with the journal's own limits.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Committer), Fault> {
        let house = causeway::journal::Config::house();
        let limits = Limits {
            batch_entries_max: house.batch_events_max,
            batch_bytes_max: house.batch_bytes_max,
            queue_len_max: house.queue_len_max,
            queue_bytes_max: house.queue_bytes_max,
        };
        let shelf = Shelf { disk: D::open(folder)?, next: 1 };
        let (queue, committer) = committer::start("log", shelf, limits)?;
        Ok((Self(queue), committer))
    }

    /// Stores an event in the record that the journal would write.
    pub(crate) async fn append(&self, event: &NewEvent, packing: Packing) -> Result<u64, Fault> {
        let record = record::encode(event, packing)?;
        let weight = Weight { entries: 1, bytes: record.len() };
        let answer = self.0.submit(record, weight).await;
        Ok(answer.map_err(|refused| format!("{refused:?}"))??)
    }
}

/// Something to do with whichever store it is.
pub(crate) trait ForDisk {
    /// What comes of it.
    type Out;

    /// Does it.
    fn with<D: Disk>(self) -> Self::Out;
}

/// Does something with the store of an engine; `None` for the journal, which is no [`Disk`].
pub(crate) fn for_engine<F: ForDisk>(engine: Engine, task: F) -> Option<F::Out> {
    match engine {
        Engine::Raw => Some(task.with::<RawLog>()),
        Engine::Journal => None,
        Engine::Redb => Some(task.with::<RedbLog>()),
        Engine::Sqlite => Some(task.with::<SqliteLog>()),
        Engine::Fjall => Some(task.with::<FjallLog>()),
    }
}
