//! Writes groups of records to the newest segment, seals it when it is full or broken, and removes
//! what is drained.
//!
//! Guarantees: a group is acknowledged whole after its sync, or not at all; after any error the handle
//! is dropped, the segment is sealed with what was acknowledged, and another is begun; at no moment
//! are there two segments without a seal.

use super::{
    Config, JournalError, Opening, Seq,
    again::Again,
    broom::Broom,
    committer::Sink,
    durable,
    finder::Front,
    manifest::Tally,
    note::{self, Note},
    numbers::Numbers,
    opening,
    record::{self, RecordError},
    rescue::{self, Order},
    retention::Room,
    rows::{Row, Rows},
    segments,
    shelf::{Books, Opened, Shelf},
    spare::Spare,
    store::{Store, StoreError},
};
use crate::{failpoint, log};
use std::{
    fs::File,
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
    numbers: Numbers,
    /// The next segment's database, made beside the writing.
    spare: Spare,
    head: watch::Sender<Seq>,
    settled: Arc<AtomicU64>,
    /// Whether the last group was refused, and readers know why.
    is_refusing: bool,
    /// When to try again what failed.
    again: Again,
    /// Bytes that were written since the last note.
    unnoted: u64,
    /// Removes what is settled.
    broom: Broom,
    /// Keeps other processes out while it is open.
    lock: Option<File>,
}

/// Where the next record goes.
enum Place {
    /// Into this segment.
    Open(Store, Tally, Front),
    /// Into the next segment, once this one is sealed.
    Ended(Tally),
}

/// Opens what lies in `folder`, or begins.
pub(crate) fn open(
    folder: &Path,
    config: &Config,
    opening: Opening,
    settled: Arc<AtomicU64>,
) -> Result<(Writer, Arc<Shelf>, watch::Receiver<Seq>), JournalError> {
    let opened = opening::open(folder, config, &opening)?;
    let opening::Opened { lock, lossbook, mut numbers, found, newest, next } = opened;
    let shelf =
        Shelf::new(folder.to_path_buf(), config.handle_bytes_max, opening, found.sealed, lossbook);
    let shelf = Arc::new(shelf);
    let mut books = shelf.books();
    let place = go_on(folder, newest, next, &mut books)?;
    drop(books);
    numbers.acknowledge(next).map_err(StoreError::io("write the numbers"))?;
    let (head, heads) = watch::channel(Seq(next));
    let writer = Writer {
        config: *config,
        shelf: Arc::clone(&shelf),
        place,
        numbers,
        spare: Spare::default(),
        head,
        settled,
        is_refusing: false,
        again: Again::new(),
        unnoted: 0,
        broom: Broom::default(),
        lock: Some(lock),
    };
    Ok((writer, shelf, heads))
}

/// Goes on with the newest segment, unless there is none or its rows do not lie in slots.
fn go_on(
    folder: &Path,
    newest: Option<(Store, Tally)>,
    next: u64,
    books: &mut Books,
) -> Result<Place, StoreError> {
    let Some((store, tally)) = newest else {
        return begin(folder, next, books, &mut Spare::default());
    };
    let Some(front) = Front::find(&store)? else {
        drop(store);
        return succeed(folder, &tally, books, &mut Spare::default());
    };
    books.newest = Some(Opened { first: tally.first(), store: store.clone() });
    // It was looked at; to look again while its old handle is being closed would find it half written.
    books.trusted.insert(tally.first());
    Ok(Place::Open(store, tally, front))
}

/// Begins the segment whose first event gets the number `first`.
fn begin(
    folder: &Path,
    first: u64,
    books: &mut Books,
    spare: &mut Spare,
) -> Result<Place, StoreError> {
    let (store, front) = spare.take(folder, &segments::name(first))?;
    books.newest = Some(Opened { first, store: store.clone() });
    books.trusted.insert(first);
    Ok(Place::Open(store, Tally::new(first), front))
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
        if self.again.is_due() {
            let done = self.rescue().and_then(|()| self.rotate()).and_then(|()| self.reopen());
            if let Err(error) = done {
                self.again.failed();
                alarm(&error, "could not tidy the journal");
            }
        }
        let below = Seq(self.settled.load(Ordering::Acquire));
        let free = || room(&self.shelf.folder, &self.config);
        let room = || if free().is_ok() { Room::Enough } else { Room::Scarce };
        if let Err(error) = self.broom.sweep(&self.shelf, below, &self.config, room) {
            alarm(&error, "could not remove a drained segment");
        }
    }

    fn close(&mut self) {
        let mut books = self.shelf.books();
        books.closed = true;
        books.newest = None;
        books.reading = None;
        if let Place::Open(_, tally, _) = &self.place {
            self.place = Place::Ended(tally.clone());
        }
        self.spare = Spare::default();
        if let Err(error) = self.numbers.sync() {
            alarm(&error, "could not note how far the journal goes");
        }
        self.lock = None;
    }
}

impl Writer {
    /// Writes the records of a group; returns the first sequence number.
    fn put(&mut self, group: &[Vec<Vec<u8>>]) -> Result<u64, JournalError> {
        let written = room(&self.shelf.folder, &self.config).and_then(|()| self.write_group(group));
        match &written {
            Ok(_) => self.tell_refusing(None),
            Err(error) => self.tell_refusing(Some(error)),
        }
        written
    }

    /// Publishes why nothing is accepted, and says so once.
    fn tell_refusing(&mut self, error: Option<&JournalError>) {
        match error {
            None if !self.is_refusing => return,
            None => tracing::info!("events are accepted again"),
            Some(error) if !self.is_refusing => {
                let why = log::chain(error);
                tracing::error!(why, "no event is accepted");
            }
            Some(_) => {}
        }
        self.is_refusing = error.is_some();
        self.shelf.books().refusing = error.map(|error| log::chain(error));
    }

    fn write_group(&mut self, group: &[Vec<Vec<u8>>]) -> Result<u64, JournalError> {
        let shared = Arc::clone(&self.shelf);
        self.begin(&mut shared.books())?;
        let Place::Open(store, tally, front) = &mut self.place else {
            return Err(JournalError::Unavailable);
        };
        let first = tally.next();
        let mut grown = tally.clone();
        let mut filled = Rows::in_slots(front.slot);
        for record in group.iter().flatten() {
            filled.push(Seq(grown.next()), record);
            grown.add(sum(record)?);
        }
        let (mut rows, slot) = filled.finish_in_slots();
        let slot = slot.unwrap_or(front.slot);
        let next = grown.next();
        let bytes: usize = group.iter().flatten().map(Vec::len).sum();
        let unnoted = self.unnoted.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let notes = unnoted >= note::NOTE_BYTES;
        if notes {
            rows.push(Row::Put(note::note_key(), Note::of(&grown, first).encode()));
        }
        self.numbers.reserve(next).map_err(StoreError::io("reserve numbers"))?;
        failpoint::pass("journal.put.before");
        let laid = front.make_room(store, slot);
        if let Err(error) = laid.and_then(|()| store.apply(rows)).and_then(|()| store.sync()) {
            alarm(&error, "could not write to the journal; its segment is given up");
            let mut books = shared.books();
            self.end(&mut books);
            if let Err(error) = self.begin(&mut books) {
                alarm(&error, "could not begin a segment; a later append tries again");
            }
            return Err(error.into());
        }
        failpoint::pass("journal.put.durable");
        *tally = grown;
        front.slot = slot;
        self.unnoted = if notes { 0 } else { unnoted };
        if let Err(error) = self.numbers.acknowledge(next) {
            // Only what a look after damage would like to know is behind.
            tracing::warn!(%error, "could not note how far the journal goes");
        }
        self.head.send_replace(Seq(next));
        Ok(first)
    }

    /// Lets go of the newest segment.
    fn end(&mut self, books: &mut Books) {
        if let Place::Open(_, tally, _) = &self.place {
            self.place = Place::Ended(tally.clone());
        }
        books.newest = None;
    }

    /// Seals what ended and begins the next segment; does nothing while one is open.
    ///
    /// After a failure it tries again only after a pause.
    fn begin(&mut self, books: &mut Books) -> Result<(), JournalError> {
        let Place::Ended(tally) = &self.place else { return Ok(()) };
        if !self.again.is_due() {
            return Err(JournalError::Unavailable);
        }
        match succeed(&self.shelf.folder, tally, books, &mut self.spare) {
            Ok(place) => {
                self.place = place;
                self.again.worked();
                Ok(())
            }
            Err(error) => {
                self.again.failed();
                Err(error.into())
            }
        }
    }

    /// Rescues a segment that a reader found damaged; the newest is ended first.
    fn rescue(&mut self) -> Result<(), JournalError> {
        let shared = Arc::clone(&self.shelf);
        let mut books = shared.books();
        let Some((first, why)) = books.suspects.first_key_value() else { return Ok(()) };
        let (first, why) = (*first, why.clone());
        if books.newest.as_ref().is_some_and(|newest| newest.first == first) {
            self.end(&mut books);
            self.begin(&mut books)?;
        }
        if books.reading.as_ref().is_some_and(|reading| reading.first == first) {
            books.reading = None;
        }
        let folder = &shared.folder;
        if let Some(manifest) = books.sealed.get(&first).copied() {
            if folder.join(segments::name(first)).exists() {
                let end = manifest.last.saturating_add(1);
                let order = Order { first, end: Some(end), acknowledged: end, why };
                rescue::set_aside(folder, &order)?;
            }
            rescue::finish(folder, &mut books.lossbook)?;
            match segments::read_seal(&folder.join(segments::name(first)))? {
                Some(Ok(manifest)) => books.sealed.insert(first, manifest),
                Some(Err(_)) | None => books.sealed.remove(&first),
            };
        }
        books.suspects.remove(&first);
        self.again.worked();
        Ok(())
    }

    /// Ends a segment that is full, or that was written until its handle is worn: what went through a
    /// handle stays in memory, and another database is at hand while this one would take many syncs
    /// to be opened again.
    fn rotate(&mut self) -> Result<(), JournalError> {
        let Place::Open(store, tally, _) = &self.place else { return Ok(()) };
        let (file_bytes, touched_bytes) = (store.file_bytes(), store.touched_bytes());
        let worn_bytes = self.config.handle_bytes_max;
        if touched_bytes > worn_bytes / 2 {
            self.spare.make(&self.shelf.folder);
        }
        let is_full = file_bytes >= self.config.segment_bytes_max;
        let is_worn = touched_bytes > worn_bytes && file_bytes > worn_bytes;
        if (!is_full && !is_worn) || tally.manifest().is_none() {
            return Ok(());
        }
        let old = store.clone();
        let shared = Arc::clone(&self.shelf);
        let mut books = shared.books();
        self.end(&mut books);
        let begun = self.begin(&mut books);
        drop(books);
        self.spare.let_go(old);
        begun
    }

    /// Gives the memory of a handle back that is worn by reading.
    fn reopen(&mut self) -> Result<(), JournalError> {
        let Place::Open(store, tally, front) = &self.place else { return Ok(()) };
        let front = *front;
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
        self.place = Place::Open(store, tally, front);
        Ok(())
    }
}

/// Whether there is enough free space to accept anything.
fn room(folder: &Path, config: &Config) -> Result<(), JournalError> {
    let free = durable::free_bytes(folder).map_err(StoreError::io("ask for the free space"))?;
    if free < config.free_bytes_min() { Err(JournalError::Full) } else { Ok(()) }
}

/// Seals a segment that ended and begins the next one.
fn succeed(
    folder: &Path,
    tally: &Tally,
    books: &mut Books,
    spare: &mut Spare,
) -> Result<Place, StoreError> {
    let first = tally.next();
    if let Some(manifest) = tally.manifest() {
        failpoint::pass("journal.seal.before");
        segments::seal(folder, &manifest)?;
        failpoint::pass("journal.seal.after");
        books.sealed.insert(manifest.first, manifest);
    }
    // One without events, or what an attempt left that failed after the name was given.
    if folder.join(segments::name(first)).exists() {
        durable::remove(folder, &segments::name(first))
            .map_err(StoreError::io("remove a segment without events"))?;
    }
    begin(folder, first, books, spare)
}

fn sum(record: &[u8]) -> Result<u32, JournalError> {
    record::check_sum(record)
        .map_err(|_: RecordError| JournalError::Config("an event was not encoded whole"))
}

fn alarm(error: &(dyn std::error::Error + 'static), what: &str) {
    tracing::error!(error, "{what}");
}
