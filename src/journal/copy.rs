//! Records out of a journal that is in use, and into one that nobody uses yet: for back-ups.
//!
//! Guarantees: while a copy is taken no segment is removed; every number from the oldest event to the
//! head at its beginning comes as a whole record, or is recorded as missing; a journal that is built is
//! on the disk when `finish` returns.

use super::{
    JournalError, OnDisk, Seq, durable,
    joiner::{Item, Joiner},
    logfile::LogFile,
    losses::{Fate, Loss, Losses},
    manifest::{Manifest, Tally},
    numbers::Numbers,
    record,
    rows::{Content, Rows},
    segments,
    shelf::Shelf,
    store::{Store, StoreError},
};
use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

/// Rows are written in portions of about this size.
const PORTION_BYTES_MAX: usize = 512 * 1024;
/// A handle is reopened after so much, which bounds its memory.
const HANDLE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Numbers that a restored journal passes over: those that were given out after the back-up.
const LEAP: u64 = 1_000_000;

/// Keeps segments from being removed.
#[derive(Debug)]
struct Hold(Arc<Shelf>);

impl Hold {
    fn new(shelf: &Arc<Shelf>) -> Self {
        shelf.holds.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shelf))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A copy that is being taken of a journal in use.
#[derive(Debug)]
pub struct Copying {
    journal: OnDisk,
    _hold: Hold,
}

impl Copying {
    /// Keeps everything the journal has from now on until this is dropped.
    pub fn begin(journal: &OnDisk) -> Self {
        Self { _hold: Hold::new(&journal.shelf), journal: journal.clone() }
    }

    /// Shows every record up to the present head, in order. Blocks; the journal goes on meanwhile.
    ///
    /// Returns the number after the last one, and what is recorded as missing. A record that is
    /// neither there nor recorded is an error; the journal sees to it, and a later try works.
    pub fn records<E: From<JournalError>>(
        &self,
        mut visit: impl FnMut(Seq, &[u8]) -> Result<(), E>,
    ) -> Result<(Seq, Vec<Loss>), E> {
        let all = &self.journal.shelf;
        let books = all.books();
        let head = *self.journal.head.borrow();
        let sealed = books.sealed.values().map(|one| (one.first, one.last.saturating_add(1)));
        let newest = books.newest.as_ref().map(|newest| (newest.first, head.0));
        let segments: Vec<_> = sealed.chain(newest).collect();
        let losses = books.lossbook.losses().clone();
        drop(books);
        for (first, end) in segments {
            let place = all.folder.join(segments::name(first));
            let missing = segment(&place, first..=end.saturating_sub(1), &losses, &mut visit)?;
            if !missing.is_empty() {
                let why = format!("it lacks {missing:?}");
                all.books().suspects.insert(first, why);
                self.journal.queue.wake();
                return Err(JournalError::Damaged { missing }.into());
            }
        }
        Ok((head, losses.all().cloned().collect()))
    }
}

/// Shows the whole records of a segment; returns what is neither there nor recorded.
fn segment<E: From<JournalError>>(
    place: &Path,
    range: RangeInclusive<u64>,
    losses: &Losses,
    visit: &mut impl FnMut(Seq, &[u8]) -> Result<(), E>,
) -> Result<Vec<RangeInclusive<u64>>, E> {
    let (first, last) = range.into_inner();
    let read = || StoreError::io("read a segment");
    let log = LogFile::open(place).map_err(read()).map_err(JournalError::from)?;
    let rows = log.rows(first).map_err(read()).map_err(JournalError::from)?;
    let mut joiner = Joiner::new(first);
    let (mut next, mut absent, mut visited) = (first, Vec::new(), Ok(()));
    for ((seq, piece), at) in rows.places {
        let value = log.value(at).map_err(read()).map_err(JournalError::from)?;
        joiner.push(Content { seq: Seq(seq), piece, bytes: &value }, |item| {
            let Item::Whole(seq, record) = item else { return };
            if visited.is_err() || seq.0 > last || record::check_sum(&record).is_err() {
                return;
            }
            if seq.0 > next {
                absent.push(next..=seq.0.saturating_sub(1));
            }
            next = seq.0.saturating_add(1);
            visited = visit(seq, &record);
        });
        if visited.is_err() || next > last {
            break;
        }
    }
    visited?;
    if next <= last {
        absent.push(next..=last);
    }
    Ok(absent.into_iter().flat_map(|range| losses.uncovered(range)).collect())
}

/// A journal that is being built.
#[derive(Debug)]
pub struct Builder {
    folder: PathBuf,
    segment_bytes_max: u64,
    open: Option<Open>,
}

/// The segment that is being written.
#[derive(Debug)]
struct Open {
    place: PathBuf,
    store: Store,
    tally: Tally,
    last: u64,
    bytes: u64,
    portion: Rows,
    portion_bytes: usize,
}

impl Builder {
    /// Begins in a folder that is not there yet.
    pub fn new(folder: &Path, segment_bytes_max: u64) -> Result<Self, JournalError> {
        fs::create_dir_all(folder).map_err(StoreError::io("create the journal's folder"))?;
        Ok(Self { folder: folder.to_path_buf(), segment_bytes_max, open: None })
    }

    /// Adds a record; numbers must grow.
    pub fn add(&mut self, seq: Seq, record: &[u8]) -> Result<(), JournalError> {
        let checksum = record::check_sum(record)
            .map_err(|_| JournalError::Damaged { missing: vec![seq.0..=seq.0] })?;
        if self.open.as_ref().is_some_and(|open| open.bytes > self.segment_bytes_max / 2) {
            self.seal()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::new(&self.folder, seq.0)?),
        };
        if open.tally.count() > 0 && seq.0 <= open.last {
            return Err(JournalError::Config("numbers do not grow"));
        }
        open.last = seq.0;
        open.tally.add(checksum);
        open.bytes = open.bytes.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
        open.portion_bytes = open.portion_bytes.saturating_add(record.len());
        open.portion.push(seq, record);
        if open.portion_bytes > PORTION_BYTES_MAX {
            open.flush()?;
        }
        Ok(())
    }

    /// Ends the journal: the next event gets a number well behind `next`.
    pub fn finish(mut self, next: Seq, recorded: &[Loss]) -> Result<(), JournalError> {
        self.seal()?;
        let mut losses = Losses::default();
        for loss in recorded {
            losses.record(loss);
        }
        let floor = next.0.saturating_add(LEAP);
        losses.record(&Loss {
            first: next.0,
            last: floor.saturating_sub(1),
            fate: Fate::Unused,
            at_ms: crate::clock::now().unix_ms(),
            why: "restored: these may have been given out after the back-up".to_owned(),
        });
        let write = || -> io::Result<()> {
            durable::replace(&self.folder, "losses", losses.encode().as_bytes())?;
            let mut numbers = Numbers::read(&self.folder)?;
            numbers.raise_floor(floor)?;
            numbers.reserve(floor)?;
            numbers.acknowledge(next.0)?;
            numbers.sync()
        };
        Ok(write().map_err(StoreError::io("write the numbers"))?)
    }

    fn seal(&mut self) -> Result<(), JournalError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.flush()?;
        let Open { place, store, tally, last, .. } = open;
        drop(store);
        let (first, count, checksum) = (tally.first(), tally.count(), tally.checksum());
        segments::seal_at(&place, &Manifest { first, last, count, checksum })?;
        Store::settle(&place)?;
        let name = segments::name(first);
        durable::publish(&self.folder, &format!("{}{name}", durable::UNFINISHED), &name)
            .map_err(StoreError::io("name a segment"))?;
        Ok(())
    }
}

impl Open {
    fn new(folder: &Path, first: u64) -> Result<Self, StoreError> {
        let place = folder.join(format!("{}{}", durable::UNFINISHED, segments::name(first)));
        Ok(Self {
            store: Store::open_new(&place)?,
            place,
            tally: Tally::new(first),
            last: first,
            bytes: 0,
            portion: Rows::default(),
            portion_bytes: 0,
        })
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.portion_bytes = 0;
        self.store.apply(std::mem::take(&mut self.portion).finish())?;
        self.store.sync()?;
        if self.store.touched_bytes() > HANDLE_BYTES_MAX {
            self.store.reopen()?;
        }
        Ok(())
    }
}
