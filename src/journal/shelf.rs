//! The segments as readers see them: the newest, which is written, and one sealed one, which is read.
//!
//! Guarantees: at most two databases are open; a read returns events in order, passes over exactly what
//! is recorded as lost, and never returns one that is not yet durable; a sealed segment is read only as
//! far as its seal says.

use super::{
    Event, JournalError, Seq, finder,
    joiner::{Item, Joiner},
    lossbook::Lossbook,
    losses::Losses,
    manifest::Manifest,
    opening,
    record::{self, RecordError},
    retention::Kept,
    rows, segments,
    store::{Store, StoreError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::{ControlFlow, Range, RangeInclusive},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
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
    /// What may be passed over.
    pub(crate) lossbook: Lossbook,
    /// Segments that this process wrote or has looked at.
    pub(crate) trusted: BTreeSet<u64>,
    /// Segments that were found damaged and wait to be rescued, each with the reason.
    pub(crate) suspects: BTreeMap<u64, String>,
    /// Why the last events were not accepted, if so.
    pub(crate) refusing: Option<String>,
}

/// All segments; readers and the writer meet here.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) folder: PathBuf,
    handle_bytes_max: u64,
    opening: super::Opening,
    /// Copies that are being taken; none of the segments is removed meanwhile.
    pub(crate) holds: AtomicUsize,
    books: Mutex<Books>,
}

impl Shelf {
    /// Starts with what was found on the disk.
    pub(crate) fn new(
        folder: PathBuf,
        handle_bytes_max: u64,
        opening: super::Opening,
        sealed: BTreeMap<u64, Manifest>,
        lossbook: Lossbook,
    ) -> Self {
        let books = Books {
            sealed,
            newest: None,
            reading: None,
            closed: false,
            lossbook,
            trusted: BTreeSet::new(),
            suspects: BTreeMap::new(),
            refusing: None,
        };
        let holds = AtomicUsize::new(0);
        Self { folder, handle_bytes_max, opening, holds, books: Mutex::new(books) }
    }

    /// Locks the books; a reader that fell leaves nothing half done.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from `from` up to and without `head`; what is recorded as lost is passed over.
    pub(crate) fn read(
        &self,
        from: Seq,
        head: Seq,
        room: Room,
    ) -> Result<Vec<Event>, JournalError> {
        let mut books = self.books();
        let mut reading = Reading { room, bytes: 0, events: Vec::new(), stop: None };
        let mut at = from.0.max(books.first().unwrap_or(0));
        loop {
            at = books.lossbook.losses().skip(at);
            if at >= head.0 || room.events_max == 0 || reading.stop.is_some() {
                break;
            }
            let (opened, end) = match self.segment(&mut books, at) {
                Ok(found) => found,
                // What was read so far is as good as ever.
                Err(_) if !reading.events.is_empty() => break,
                Err(error) => return Err(error),
            };
            let end = end.min(head.0);
            let read = reading.pass(&opened.store, at..end, books.lossbook.losses());
            suspect(&mut books, opened.first, &reading, read.as_ref().err());
            match read {
                Err(_) if !reading.events.is_empty() => break,
                read => read?,
            }
            at = end;
        }
        reading.finish()
    }

    /// Returns whether the writer should see to a handle or a segment.
    pub(crate) fn needs_care(&self) -> bool {
        let books = self.books();
        let newest = books.newest.as_ref();
        !books.suspects.is_empty()
            || newest.is_some_and(|newest| newest.store.touched_bytes() > self.handle_bytes_max)
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
        let (segments, bytes) = firsts.fold((0_usize, 0_u64), |(segments, sum), first| {
            (segments.saturating_add(1), sum.saturating_add(self.segment_bytes(first)))
        });
        (books.first().map(Seq), segments, bytes)
    }

    /// Returns the bytes of a segment on the disk.
    pub(crate) fn segment_bytes(&self, first: u64) -> u64 {
        let file = self.folder.join(segments::name(first)).join("db");
        fs::metadata(file).map_or(0, |metadata| metadata.len())
    }

    /// Returns what decides whether a sealed segment is kept.
    pub(crate) fn kept(&self, first: u64) -> Option<Kept> {
        let last = self.books().sealed.get(&first)?.last;
        let seal = self.folder.join(segments::name(first)).join(segments::SEAL);
        let sealed = fs::metadata(seal).and_then(|metadata| metadata.modified()).ok();
        let since = sealed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let sealed_ms = since.map_or(0, crate::clock::millis);
        Some(Kept { last, bytes: self.segment_bytes(first), sealed_ms })
    }

    /// Returns an open segment that has `at`, and where it ends.
    fn segment(&self, books: &mut Books, at: u64) -> Result<(Opened, u64), JournalError> {
        if books.closed {
            return Err(JournalError::Closed);
        }
        if let Some(newest) = books.newest.as_ref().filter(|newest| newest.first <= at) {
            let first = newest.first;
            if books.suspects.contains_key(&first) {
                return Err(JournalError::Unavailable);
            }
            return Ok((Opened { first, store: newest.store.clone() }, u64::MAX));
        }
        let holds = books.sealed.range(..=at).next_back();
        let Some((&first, &manifest)) = holds.filter(|(_, manifest)| at <= manifest.last) else {
            return Err(JournalError::Unavailable);
        };
        if books.suspects.contains_key(&first) {
            return Err(JournalError::Unavailable);
        }
        let end = manifest.last.saturating_add(1);
        let fresh = books.reading.take().filter(|opened| {
            opened.first == first && opened.store.touched_bytes() <= self.handle_bytes_max
        });
        let store = match fresh {
            Some(opened) => opened.store,
            None => self.open(books, first, end)?,
        };
        books.reading = Some(Opened { first, store: store.clone() });
        Ok((Opened { first, store }, end))
    }

    /// Opens a sealed segment, the first time with a look at it.
    fn open(&self, books: &mut Books, first: u64, end: u64) -> Result<Store, StoreError> {
        let place = self.folder.join(segments::name(first));
        let opened = if books.trusted.contains(&first) {
            Store::open(&place)
        } else {
            opening::open_checked(&place, (first, end), &self.opening)
        };
        match &opened {
            Ok(_) => {
                books.trusted.insert(first);
            }
            Err(error) if error.is_damage() => {
                books.suspects.insert(first, crate::log::chain(error));
            }
            Err(_) => {}
        }
        opened
    }
}

/// Notes a segment that is not what it should be; the writer sees to it.
fn suspect(books: &mut Books, first: u64, reading: &Reading, error: Option<&StoreError>) {
    let why = match (&reading.stop, error) {
        (_, Some(error)) if error.is_damage() => crate::log::chain(error),
        (Some(Stop::Damage(missing)), _) => format!("it lacks {missing:?}"),
        (None | Some(Stop::Full | Stop::Newer(..)), _) => return,
    };
    books.suspects.entry(first).or_insert(why);
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
    fn pass(
        &mut self,
        store: &Store,
        range: Range<u64>,
        losses: &Losses,
    ) -> Result<(), StoreError> {
        let mut joiner = Joiner::new(range.start);
        let from = finder::begin(store, range.start)?;
        store.scan(from..finder::end_key(), |key, value| {
            let Some(row) = rows::read(key, value) else { return ControlFlow::Continue(()) };
            if row.seq.0 >= range.end {
                return ControlFlow::Break(());
            }
            joiner.push(row, |item| match &item {
                Item::Whole(seq, _) if seq.0 >= range.end => {}
                Item::Whole(..) | Item::Lost(_) => self.take(item, losses),
            });
            if self.stop.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if self.stop.is_none()
            && let Some(lost) = joiner.finish(range.end)
        {
            self.take(Item::Lost(lost), losses);
        }
        Ok(())
    }

    fn take(&mut self, item: Item, losses: &Losses) {
        if self.stop.is_some() {
            return;
        }
        match item {
            Item::Lost(lost) => {
                self.stop = losses.uncovered(lost).into_iter().next().map(Stop::Damage);
            }
            Item::Whole(seq, record) => self.decode(seq, &record),
        }
    }

    fn decode(&mut self, seq: Seq, record: &[u8]) {
        match record::decode(seq, record) {
            Ok(event) => self.keep(event),
            Err(RecordError::Newer(version)) => self.stop = Some(Stop::Newer(seq, version)),
            Err(RecordError::Short | RecordError::Checksum | RecordError::Malformed) => {
                self.stop = Some(Stop::Damage(seq.0..=seq.0));
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
