//! Opens what lies in a journal's folder: puts aside what is damaged, rescues it, and finds the number
//! the next event gets.
//!
//! Guarantees: nothing is opened by the store that it would overwrite; every number below the next one
//! is readable or recorded; the next one was never given out before.

use super::{
    Config, JournalError, Opening, durable, finder,
    logfile::opens_whole,
    lossbook::Lossbook,
    losses::Fate,
    manifest::{self, Tally},
    note::{self, Note},
    numbers::Numbers,
    rescue,
    rescue::Order,
    segments::{self, Found},
    store::{Store, StoreError},
};
use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// Openings that are tried when the disk does not give back a block.
const TRIES_MAX: u32 = 3;

/// What was found, and made good where it was not.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) lock: File,
    pub(crate) lossbook: Lossbook,
    pub(crate) numbers: Numbers,
    pub(crate) found: Found,
    /// The segment that is written on; none when the next event begins one.
    pub(crate) newest: Option<(Store, Tally)>,
    /// The number the next event gets.
    pub(crate) next: u64,
}

/// Opens the journal in `folder`.
pub(crate) fn open(
    folder: &Path,
    config: &Config,
    opening: &Opening,
) -> Result<Opened, JournalError> {
    let lock = prepare(folder).map_err(StoreError::io("prepare the journal's folder"))?;
    let lock = lock.ok_or(StoreError::Locked)?;
    let mut lossbook = Lossbook::read(folder).map_err(StoreError::io("read what is lost"))?;
    let mut numbers = Numbers::read(folder).map_err(StoreError::io("read the numbers"))?;
    let newest = look_over(folder, config, opening, &mut numbers)?;
    rescue::finish(folder, &mut lossbook)?;
    let found = segments::list(folder)?;
    let mut opened = Opened { lock, lossbook, numbers, found, newest, next: 0 };
    opened.account(folder, opening.taken.map(|taken| taken.0))?;
    Ok(opened)
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

/// Puts aside what does not fit, and opens the segment that is written on.
fn look_over(
    folder: &Path,
    config: &Config,
    opening: &Opening,
    numbers: &mut Numbers,
) -> Result<Option<(Store, Tally)>, JournalError> {
    let found = segments::list(folder)?;
    let head = numbers.head.unwrap_or(0);
    for order in found.unfit {
        if order.end.is_none() {
            abandon(folder, numbers, order.first, order.why)?;
        } else {
            rescue::set_aside(folder, &order)?;
        }
    }
    let Some(first) = found.newest else { return Ok(None) };
    let place = folder.join(segments::name(first));
    match newest(&place, first, head, (config, opening)) {
        Ok((_, tally)) if tally.next() < head => {
            let why = format!("it ends before {}, which was acknowledged", head.saturating_sub(1));
            abandon(folder, numbers, first, why)?;
            Ok(None)
        }
        Ok(opened) => Ok(Some(opened)),
        Err(JournalError::Store(error)) if error.is_damage() => {
            abandon(folder, numbers, first, crate::log::chain(&error))?;
            Ok(None)
        }
        Err(JournalError::Damaged { missing }) => {
            abandon(folder, numbers, first, format!("it lacks {missing:?}"))?;
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Puts a segment aside whose end is not known; no number that it may have held is given out again.
fn abandon(
    folder: &Path,
    numbers: &mut Numbers,
    first: u64,
    why: String,
) -> Result<(), JournalError> {
    let acknowledged = numbers.head.unwrap_or(0).max(first);
    let next = numbers.beyond(acknowledged);
    numbers.raise_floor(next).map_err(StoreError::io("write the numbers"))?;
    Ok(rescue::set_aside(folder, &Order { first, end: None, acknowledged, why })?)
}

/// Opens the newest segment and finds how far it goes, without reading it.
fn newest(
    place: &Path,
    first: u64,
    head: u64,
    (config, opening): (&Config, &Opening),
) -> Result<(Store, Tally), JournalError> {
    let store = open_checked(place, (first, head), opening)?;
    let end = finder::end(&store, first)?;
    let note = store.get(&note::note_key())?.and_then(|note| Note::decode(&note));
    let noted = note.map(|note| Tally::resume(first, note)).filter(|tally| tally.next() <= end);
    segments::audit(store, noted.unwrap_or(Tally::new(first)), config.handle_bytes_max)
}

/// Opens a database that this process did not write, after looking at it.
///
/// `acknowledged` is the number after the last acknowledged one.
pub(crate) fn open_checked(
    place: &Path,
    (first, acknowledged): (u64, u64),
    opening: &Opening,
) -> Result<Store, StoreError> {
    match opens_whole(place, first, acknowledged) {
        Ok(true) => {}
        Ok(false) => {
            let what = "its log is broken before events that were acknowledged";
            return Err(StoreError::Unfit(what.to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::Gone),
        Err(error) => return Err(StoreError::io("look at a database")(error)),
    }
    opening.guard.look(place)?;
    let mut tries: u32 = 1;
    loop {
        match Store::open(place) {
            Err(error @ (StoreError::Io { .. } | StoreError::Refused { .. }))
                if error.is_damage() && tries < TRIES_MAX =>
            {
                tries = tries.saturating_add(1);
            }
            opened => return opened,
        }
    }
}

impl Opened {
    /// Finds the next number and records every number below it that is nowhere.
    fn account(&mut self, folder: &Path, taken: Option<u64>) -> Result<(), JournalError> {
        let sealed = &self.found.sealed;
        let last = sealed.values().next_back().map(|manifest| manifest.last.saturating_add(1));
        let end = self.newest.as_ref().map(|(_, tally)| tally.next()).or(last).unwrap_or(1);
        let head = self.numbers.head.unwrap_or(0);
        let known = end.max(head).max(taken.unwrap_or(0));
        let unsure =
            self.numbers.floor.max(if known > end { self.numbers.beyond(known) } else { 0 });
        self.next = end.max(unsure);
        if self.next > end {
            self.numbers.raise_floor(self.next).map_err(StoreError::io("write the numbers"))?;
            self.end_newest(folder)?;
        }
        let oldest = self.found.sealed.keys().next().copied();
        let oldest = oldest.or(self.newest.as_ref().map(|(_, tally)| tally.first()));
        let front = match (oldest, taken) {
            (Some(oldest), Some(taken)) => taken..oldest,
            (Some(_), None) => 0..0,
            (None, taken) => taken.unwrap_or(1)..self.next,
        };
        let mut gaps = manifest::gaps(&self.found.sealed, Some(self.begins()));
        gaps.extend((!front.is_empty()).then(|| front.start..=front.end.saturating_sub(1)));
        for gap in gaps {
            let (first, last) = gap.into_inner();
            let acknowledged = first..=last.min(head.saturating_sub(1));
            let why = "the segment that held them is not there";
            self.lossbook.record(&[acknowledged], Fate::Lost, why)?;
            let why = "so that no number is used twice after damage";
            self.lossbook.record(&[first.max(head)..=last], Fate::Unused, why)?;
        }
        self.lossbook.prune(self.found.sealed.keys().next().copied().unwrap_or(self.next))?;
        self.numbers.reserve(self.next).map_err(StoreError::io("reserve numbers"))?;
        Ok(())
    }

    /// Returns where the segment that is written on begins, or will begin.
    fn begins(&self) -> u64 {
        self.newest.as_ref().map_or(self.next, |(_, tally)| tally.first())
    }

    /// Seals the newest segment, because the next event does not follow its last one.
    fn end_newest(&mut self, folder: &Path) -> Result<(), StoreError> {
        let Some((store, tally)) = self.newest.take() else { return Ok(()) };
        drop(store);
        if let Some(manifest) = tally.manifest() {
            segments::seal(folder, &manifest)?;
            self.found.sealed.insert(manifest.first, manifest);
        } else {
            durable::remove(folder, &segments::name(tally.first()))
                .map_err(StoreError::io("remove a segment without events"))?;
        }
        Ok(())
    }
}
