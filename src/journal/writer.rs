//! Writes groups of records to the newest segment, seals it when it is full or broken, and removes
//! what is drained.
//!
//! Guarantees: a group is acknowledged whole after its sync, or not at all; after any error the handle
//! is dropped, the segment is sealed with what was acknowledged, and another is begun; at no moment
//! are there two segments without a seal.

use super::{
    Config, JournalError, Seq,
    committer::Sink,
    durable,
    manifest::Tally,
    record::{self, RecordError},
    segments,
    shelf::{Books, Opened, Shelf},
    store::{Row, Store, StoreError},
};
use crate::failpoint;
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// The one that writes.
pub(crate) struct Writer {
    config: Config,
    shelf: Arc<Shelf>,
    place: Place,
    head: watch::Sender<Seq>,
    settled: Arc<AtomicU64>,
    /// Whether the last group was refused for want of space.
    is_full: bool,
    /// Keeps other processes out while it is open.
    lock: Option<File>,
}

/// Where the next record goes.
enum Place {
    /// Into this segment.
    Open(Store, Tally),
    /// Into the next segment, once this one is sealed.
    Ended(Tally),
}

/// Opens what lies in `folder`, or begins.
pub(crate) fn open(
    folder: &Path,
    config: &Config,
    settled: Arc<AtomicU64>,
) -> Result<(Writer, Arc<Shelf>, watch::Receiver<Seq>), JournalError> {
    let lock = prepare(folder).map_err(StoreError::io("prepare the journal's folder"))?;
    let lock = Some(lock.ok_or(StoreError::Locked)?);
    let found = segments::list(folder)?;
    let (store, tally) = if let Some(first) = found.newest {
        segments::audit(folder, first, config.handle_bytes_max)?
    } else {
        let last = found.sealed.values().next_back().map_or(0, |manifest| manifest.last);
        let first = last.saturating_add(1);
        (Store::create(folder, &segments::name(first))?, Tally::new(first))
    };
    let newest = Opened { first: tally.first(), store: store.clone() };
    let shelf = Shelf::new(folder.to_path_buf(), config.handle_bytes_max, found.sealed, newest);
    let shelf = Arc::new(shelf);
    let (head, heads) = watch::channel(Seq(tally.next()));
    let place = Place::Open(store, tally);
    let config = *config;
    let shared = Arc::clone(&shelf);
    Ok((Writer { config, shelf, place, head, settled, is_full: false, lock }, shared, heads))
}

/// Makes the folder, takes it and sweeps it.
fn prepare(folder: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        durable::sync_folder(parent)?;
    }
    let lock = durable::lock(folder)?;
    if lock.is_some() {
        durable::sweep(folder)?;
    }
    Ok(lock)
}

impl Sink for Writer {
    type Entry = Vec<Vec<u8>>;
    type Answer = Result<u64, JournalError>;

    fn write(&mut self, group: Vec<Self::Entry>) -> Vec<Self::Answer> {
        match self.put(&group) {
            Ok(first) => {
                let begin = |next: &mut u64, entry: &Self::Entry| {
                    let first = *next;
                    let events = u64::try_from(entry.len()).unwrap_or(u64::MAX);
                    *next = next.saturating_add(events);
                    Some(Ok(first))
                };
                group.iter().scan(first, begin).collect()
            }
            Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    fn tidy(&mut self) {
        let done = self.rotate().and_then(|()| self.reopen()).and_then(|()| self.remove_drained());
        if let Err(error) = done {
            alarm(&error, "could not tidy the journal");
        }
    }

    fn close(&mut self) {
        let mut books = self.shelf.books();
        books.closed = true;
        books.newest = None;
        books.reading = None;
        if let Place::Open(_, tally) = &self.place {
            self.place = Place::Ended(tally.clone());
        }
        self.lock = None;
    }
}

impl Writer {
    /// Writes the records of a group; returns the first sequence number.
    fn put(&mut self, group: &[Vec<Vec<u8>>]) -> Result<u64, JournalError> {
        let free = durable::free_bytes(&self.shelf.folder)
            .map_err(StoreError::io("ask for the free space"))?;
        let was_full = std::mem::replace(&mut self.is_full, free < self.config.free_bytes_min);
        if self.is_full {
            if !was_full {
                tracing::error!(free, "the disk is full; no event is accepted");
            }
            return Err(JournalError::Full);
        }
        let shared = Arc::clone(&self.shelf);
        self.begin(&mut shared.books())?;
        let Place::Open(store, tally) = &mut self.place else {
            return Err(JournalError::Unavailable);
        };
        let first = tally.next();
        let mut grown = tally.clone();
        let mut rows = Vec::new();
        for record in group.iter().flatten() {
            rows.extend(
                record::rows(Seq(grown.next()), record).map(|(key, value)| Row::Put(key, value)),
            );
            grown.add(sum(record)?);
        }
        failpoint::pass("journal.put.before");
        if let Err(error) = store.apply(rows).and_then(|()| store.sync()) {
            alarm(&error, "could not write to the journal; its segment is given up");
            let mut books = shared.books();
            self.end(&mut books);
            if let Err(error) = self.begin(&mut books) {
                alarm(&error, "could not begin a segment; the next append tries again");
            }
            return Err(error.into());
        }
        failpoint::pass("journal.put.durable");
        let next = grown.next();
        *tally = grown;
        self.head.send_replace(Seq(next));
        Ok(first)
    }

    /// Lets go of the newest segment.
    fn end(&mut self, books: &mut Books) {
        if let Place::Open(_, tally) = &self.place {
            self.place = Place::Ended(tally.clone());
        }
        books.newest = None;
    }

    /// Seals what ended and begins the next segment; does nothing while one is open.
    fn begin(&mut self, books: &mut Books) -> Result<(), StoreError> {
        let Place::Ended(tally) = &mut self.place else { return Ok(()) };
        let folder = &self.shelf.folder;
        let first = tally.next();
        match tally.manifest() {
            Some(manifest) => {
                failpoint::pass("journal.seal.before");
                segments::seal(folder, &manifest)?;
                failpoint::pass("journal.seal.after");
                books.sealed.insert(manifest.first, manifest);
                *tally = Tally::new(first);
            }
            None if folder.join(segments::name(first)).exists() => {
                durable::remove(folder, &segments::name(first))
                    .map_err(StoreError::io("remove a segment without events"))?;
            }
            None => {}
        }
        let store = Store::create(folder, &segments::name(first))?;
        failpoint::pass("journal.begun");
        books.newest = Some(Opened { first, store: store.clone() });
        self.place = Place::Open(store, Tally::new(first));
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), StoreError> {
        let Place::Open(store, tally) = &self.place else { return Ok(()) };
        if store.file_bytes() < self.config.segment_bytes_max || tally.manifest().is_none() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shelf);
        let mut books = shared.books();
        self.end(&mut books);
        self.begin(&mut books)
    }

    /// Gives the memory of a worn handle back.
    fn reopen(&mut self) -> Result<(), StoreError> {
        let Place::Open(store, tally) = &self.place else { return Ok(()) };
        if store.touched_bytes() <= self.config.handle_bytes_max {
            return Ok(());
        }
        let place = store.folder().to_path_buf();
        let tally = tally.clone();
        let shared = Arc::clone(&self.shelf);
        let mut books = shared.books();
        self.end(&mut books);
        failpoint::pass("journal.reopen.dropped");
        let store = Store::open(&place)?;
        failpoint::pass("journal.reopen.opened");
        books.newest = Some(Opened { first: tally.first(), store: store.clone() });
        self.place = Place::Open(store, tally);
        Ok(())
    }

    fn remove_drained(&mut self) -> Result<(), StoreError> {
        let below = Seq(self.settled.load(Ordering::Acquire));
        while self.shelf.has_drained(below) {
            let mut books = self.shelf.books();
            let Some(first) = books.sealed.keys().next().copied() else { break };
            if books.reading.as_ref().is_some_and(|reading| reading.first == first) {
                books.reading = None;
            }
            durable::remove(&self.shelf.folder, &segments::name(first))
                .map_err(StoreError::io("remove a drained segment"))?;
            books.sealed.remove(&first);
        }
        Ok(())
    }
}

fn sum(record: &[u8]) -> Result<u32, JournalError> {
    record::check_sum(record)
        .map_err(|_: RecordError| JournalError::Config("an event was not encoded whole"))
}

fn alarm(error: &(dyn std::error::Error + 'static), what: &str) {
    tracing::error!(error, "{what}");
}
