//! The segments as readers see them: the newest, which is written, and one sealed one, which is read.
//!
//! Guarantees: at most two databases are open; a read returns events in order and without a gap, and
//! never one that is not yet durable; a sealed segment is read only as far as its seal says.

use super::{
    Event, JournalError, Seq,
    joiner::{Item, Joiner},
    manifest::Manifest,
    record::{self, RecordError},
    segments,
    store::{Store, StoreError},
};
use std::{
    collections::BTreeMap,
    fs,
    ops::{ControlFlow, RangeInclusive},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How much one read may return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) events_max: usize,
    pub(crate) bytes_max: usize,
}

/// A segment whose database is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) first: u64,
    pub(crate) store: Store,
}

/// The books behind the lock.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) sealed: BTreeMap<u64, Manifest>,
    pub(crate) newest: Option<Opened>,
    /// The sealed segment that was read last.
    pub(crate) reading: Option<Opened>,
    pub(crate) closed: bool,
}

/// All segments; readers and the writer meet here.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) folder: PathBuf,
    handle_bytes_max: u64,
    books: Mutex<Books>,
}

impl Shelf {
    /// Starts with what was found on the disk.
    pub(crate) fn new(
        folder: PathBuf,
        handle_bytes_max: u64,
        sealed: BTreeMap<u64, Manifest>,
        newest: Opened,
    ) -> Self {
        let books = Books { sealed, newest: Some(newest), reading: None, closed: false };
        Self { folder, handle_bytes_max, books: Mutex::new(books) }
    }

    /// Locks the books; a reader that fell leaves nothing half done.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from `from` up to and without `head`.
    pub(crate) fn read(
        &self,
        from: Seq,
        head: Seq,
        room: Room,
    ) -> Result<Vec<Event>, JournalError> {
        let mut books = self.books();
        let mut reading = Reading { room, bytes: 0, events: Vec::new(), stop: None };
        let mut at = from.0.max(books.first().unwrap_or(0));
        while at < head.0 && room.events_max > 0 && reading.stop.is_none() {
            let (store, end) = self.segment(&mut books, at)?;
            let end = end.min(head.0);
            reading.pass(&store, at, end)?;
            at = end;
        }
        reading.finish()
    }

    /// Returns whether so much went through the newest handle that it should be reopened.
    pub(crate) fn is_worn(&self) -> bool {
        let books = self.books();
        let newest = books.newest.as_ref();
        newest.is_some_and(|newest| newest.store.touched_bytes() > self.handle_bytes_max)
    }

    /// Returns whether a sealed segment lies wholly below.
    pub(crate) fn has_drained(&self, below: Seq) -> bool {
        let books = self.books();
        books.sealed.first_key_value().is_some_and(|(_, oldest)| oldest.last < below.0)
    }

    /// Returns the oldest event, the number of segments and their bytes.
    pub(crate) fn measure(&self) -> (Option<Seq>, usize, u64) {
        let books = self.books();
        let newest = books.newest.as_ref();
        let firsts = books.sealed.keys().copied().chain(newest.map(|newest| newest.first));
        let bytes = |first| {
            let file = self.folder.join(segments::name(first)).join("db");
            fs::metadata(file).map_or(0, |metadata| metadata.len())
        };
        let (segments, bytes) = firsts.fold((0_usize, 0_u64), |(segments, sum), first| {
            (segments.saturating_add(1), sum.saturating_add(bytes(first)))
        });
        (books.first().map(Seq), segments, bytes)
    }

    /// Returns an open segment that has `at`, and where it ends.
    fn segment(&self, books: &mut Books, at: u64) -> Result<(Store, u64), JournalError> {
        if books.closed {
            return Err(JournalError::Closed);
        }
        if let Some(newest) = books.newest.as_ref().filter(|newest| newest.first <= at) {
            return Ok((newest.store.clone(), u64::MAX));
        }
        let holds = books.sealed.range(..=at).next_back();
        let Some((&first, manifest)) = holds.filter(|(_, manifest)| at <= manifest.last) else {
            return Err(JournalError::Unavailable);
        };
        let end = manifest.last.saturating_add(1);
        let fresh = books.reading.take().filter(|opened| {
            opened.first == first && opened.store.touched_bytes() <= self.handle_bytes_max
        });
        let opened = match fresh {
            Some(opened) => opened,
            None => Opened { first, store: Store::open(&self.folder.join(segments::name(first)))? },
        };
        let store = opened.store.clone();
        books.reading = Some(opened);
        Ok((store, end))
    }
}

impl Books {
    /// Returns the oldest sequence number kept.
    fn first(&self) -> Option<u64> {
        let newest = self.newest.as_ref().map(|newest| newest.first);
        self.sealed.keys().next().copied().or(newest)
    }
}

/// Why a read ended before its range did.
enum Stop {
    Full,
    Damage(RangeInclusive<u64>),
    Newer(Seq, u8),
}

struct Reading {
    room: Room,
    bytes: usize,
    events: Vec<Event>,
    stop: Option<Stop>,
}

impl Reading {
    fn pass(&mut self, store: &Store, from: u64, end: u64) -> Result<(), StoreError> {
        let mut joiner = Joiner::new(from);
        let range = record::key(Seq(from), 0)..record::key(Seq(end), 0);
        store.scan(range, |key, value| {
            joiner.push(key, value, |item| self.take(item));
            if self.stop.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if self.stop.is_none()
            && let Some(lost) = joiner.finish(end)
        {
            self.take(Item::Lost(lost));
        }
        Ok(())
    }

    fn take(&mut self, item: Item) {
        if self.stop.is_some() {
            return;
        }
        match item {
            Item::Lost(lost) => self.stop = Some(Stop::Damage(lost)),
            Item::Whole(seq, record) => self.decode(seq, &record),
        }
    }

    fn decode(&mut self, seq: Seq, record: &[u8]) {
        match record::decode(seq, record) {
            Ok(event) => self.keep(event),
            Err(RecordError::Newer(version)) => self.stop = Some(Stop::Newer(seq, version)),
            Err(RecordError::Short | RecordError::Checksum | RecordError::Malformed) => {
                self.take(Item::Lost(seq.0..=seq.0));
            }
        }
    }

    fn keep(&mut self, event: Event) {
        let bytes = self.bytes.saturating_add(event.body.len());
        if !self.events.is_empty() && bytes > self.room.bytes_max {
            self.stop = Some(Stop::Full);
            return;
        }
        self.bytes = bytes;
        self.events.push(event);
        if self.events.len() >= self.room.events_max || bytes >= self.room.bytes_max {
            self.stop = Some(Stop::Full);
        }
    }

    fn finish(self) -> Result<Vec<Event>, JournalError> {
        match self.stop {
            Some(Stop::Damage(missing)) if self.events.is_empty() => {
                Err(JournalError::Damaged { missing: vec![missing] })
            }
            Some(Stop::Newer(seq, version)) if self.events.is_empty() => {
                Err(JournalError::Newer(seq, version))
            }
            None | Some(Stop::Full | Stop::Damage(_) | Stop::Newer(..)) => Ok(self.events),
        }
    }
}
