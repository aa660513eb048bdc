//! Opens the generation that counts, and rescues it where it is damaged.
//!
//! Guarantees: the store never opens what it would overwrite; damaged files are kept as they are in
//! quarantine; every value that can be read whole comes into a new generation, and each key whose value
//! cannot is named in a report. Where the log is broken a value may be an older one. Where nothing is left
//! to read, a new state is begun and that is said: never in silence.

use super::{StateError, generation, mark, mark::Mark, row};
use crate::{
    journal::{
        Guard, StoreError, durable,
        logfile::{Hidden, LogFile, Place, unstable},
        rows::Row,
        store::Store,
    },
    log,
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

const QUARANTINE: &str = "quarantine";
const REPORT: &str = "report";
const PORTION_BYTES_MAX: usize = 512 * 1024;
const HANDLE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Keys that the report names.
const NAMED_MAX: usize = 10_000;

/// What a person must know who has no state any more.
pub const NOTHING_LEFT: &str = "the state is gone, a new one was begun: events still in the journal and what the \
    shop names as changed are taken in again, and each order is looked up in M3 before it is created; what \
    was parked is not known any more. If there is a back-up, stop the gateway and restore it";

/// How a generation came to be open.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) generation: u64,
    pub(crate) store: Store,
    pub(crate) history: History,
}

/// Whether a generation is as it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum History {
    Whole,
    Rescued,
}

/// Opens the generation that counts, or the first. `commits` is the last that is known to be written.
pub(crate) fn open(folder: &Path, guard: &Guard, commits: u64) -> Result<Found, StateError> {
    let Some(generation) = generation::find(folder)? else {
        if commits > 0 {
            let store = rescue(folder, 0, "there is no generation of it")?;
            return Ok(Found { generation: 1, store, history: History::Rescued });
        }
        let (generation, history) = (1, History::Whole);
        let store = Store::create(folder, &generation::name(generation))?;
        generation::switch(folder, generation)?;
        return Ok(Found { generation, store, history });
    };
    let place = folder.join(generation::name(generation));
    let why = match open_whole(&place, guard, commits) {
        Ok(store) => return Ok(Found { generation, store, history: History::Whole }),
        Err(error) if error.is_damage() => log::chain(&error),
        Err(error) => return Err(error.into()),
    };
    tracing::error!(generation, why, "the state is damaged; it is put aside");
    let store = rescue(folder, generation, &why)?;
    Ok(Found { generation: generation.saturating_add(1), store, history: History::Rescued })
}

fn open_whole(place: &Path, guard: &Guard, commits: u64) -> Result<Store, StoreError> {
    let mut known = commits;
    let mut hidden = u64::MAX;
    let holds = unstable(place, |key, value, is_hidden| {
        if !row::note_key(mark::NAME).ends_with(key) {
            return;
        }
        let Some(mark) = Mark::decode(value) else { return };
        known = known.max(mark.commits.saturating_sub(1));
        if is_hidden == Hidden::Yes {
            hidden = hidden.min(mark.commits);
        }
    });
    match holds {
        Ok(true) if hidden > known => {}
        Ok(_) => return Err(StoreError::Unfit("its log is broken".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::Gone),
        Err(error) => return Err(StoreError::io("look at a database")(error)),
    }
    guard.look(place)?;
    let store = Store::open(place)?;
    let last = read_mark(&store)?.map_or(0, |mark| mark.commits);
    if last.saturating_add(mark::COMMITS_MAX) <= commits {
        return Err(StoreError::Unfit(format!("it ends before commit {commits}, at about {last}")));
    }
    Ok(store)
}

/// Returns the mark of a generation; one of an older version has none.
pub(crate) fn read_mark(store: &Store) -> Result<Option<Mark>, StoreError> {
    Ok(store.get(&row::note_key(mark::NAME))?.and_then(|mark| Mark::decode(&mark)))
}

/// Puts a generation aside and brings what can be read of it into the next one, which then counts.
fn rescue(folder: &Path, generation: u64, why: &str) -> Result<Store, StateError> {
    let aside = set_aside(folder, generation).map_err(StoreError::io("put the state aside"))?;
    let read = "read a damaged state";
    let log = match LogFile::open(&aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        log => Some(log.map_err(StoreError::io(read))?),
    };
    let rows = log.as_ref().map(LogFile::latest).transpose().map_err(StoreError::io(read))?;
    let (is_gone, rows) = (rows.is_none(), rows.unwrap_or_default());
    let next = generation.saturating_add(1);
    let name = generation::name(next);
    if folder.join(&name).exists() {
        generation::remove(folder, next)?;
    }
    let unfinished = format!("{}{name}", durable::UNFINISHED);
    let place = folder.join(&unfinished);
    let (kept, lost) = rebuild(log.as_ref(), &rows, &place)?;
    Store::settle(&place)?;
    durable::publish(folder, &unfinished, &name).map_err(StoreError::io("name a generation"))?;
    generation::switch(folder, next)?;
    let all = if is_gone { " and all that is not known: nothing was left to read" } else { "" };
    let mut report = format!("why  {why}\nkept {kept}\nlost {}{all}\n", lost.len());
    for key in lost.iter().take(NAMED_MAX) {
        // Writing into a String cannot fail.
        let _ = writeln!(report, "lost {}", key.escape_ascii());
    }
    durable::replace(&aside, REPORT, report.as_bytes())
        .map_err(StoreError::io("write a report"))?;
    let (lost, aside) = (lost.len(), aside.display());
    if is_gone {
        tracing::error!(%aside, "{NOTHING_LEFT}");
    } else {
        tracing::error!(kept, lost, %aside, "the state was rescued as far as it can be read");
    }
    Ok(Store::open(&folder.join(&name))?)
}

/// Moves a generation into quarantine; returns where it lies, or lay already. Of one that is not there
/// an empty folder is put there, for the report.
fn set_aside(folder: &Path, generation: u64) -> io::Result<PathBuf> {
    let name = generation::name(generation);
    let quarantine = folder.join(QUARANTINE);
    let place = |serial: u16| quarantine.join(format!("{name}-{serial}"));
    let Some(free) = (1..=u16::MAX).find(|serial| !place(*serial).exists()) else {
        return Err(io::ErrorKind::StorageFull.into());
    };
    let is_there = folder.join(&name).exists();
    if let Some(last) = free.checked_sub(1).filter(|last| *last > 0 && !is_there) {
        return Ok(place(last));
    }
    fs::create_dir_all(&quarantine)?;
    durable::sync_folder(folder)?;
    if is_there {
        fs::rename(folder.join(&name), place(free))?;
    } else {
        fs::create_dir(place(free))?;
    }
    durable::sync_folder(&quarantine)?;
    durable::sync_folder(folder)?;
    Ok(place(free))
}

/// Writes every value that is whole, and every note; returns how many, and the keys of the others.
fn rebuild(
    log: Option<&LogFile>,
    rows: &BTreeMap<Vec<u8>, Place>,
    place: &Path,
) -> Result<(usize, Vec<Vec<u8>>), StoreError> {
    let mut store = Store::open_new(place)?;
    let Some(log) = log else { return Ok((0, Vec::new())) };
    let read = |at: &Place| log.value(*at).map_err(StoreError::io("read a damaged state"));
    let (mut kept, mut lost, mut portion, mut bytes) = (0_usize, Vec::new(), Vec::new(), 0_usize);
    for (head_key, at) in rows {
        let head = read(at)?;
        let Some(key) = row::key_of(head_key) else {
            if row::is_note(head_key) {
                portion.push(Row::Put(head_key.clone(), head));
            }
            continue;
        };
        let count = row::length(&head).map_or(0, row::pieces);
        let keys = (0..count).map(|piece| row::piece_key(key, piece));
        let pieces = keys.clone().map(|key| rows.get(&key).map(read).transpose());
        let pieces: Option<Vec<Vec<u8>>> = pieces.collect::<Result<_, _>>()?;
        let whole = pieces.filter(|pieces| row::join(key, &head, pieces).is_some());
        let Some(pieces) = whole else {
            lost.push(key.to_vec());
            continue;
        };
        kept = kept.saturating_add(1);
        bytes = bytes.saturating_add(head.len());
        portion.push(Row::Put(head_key.clone(), head));
        for (key, piece) in keys.zip(pieces) {
            bytes = bytes.saturating_add(piece.len());
            portion.push(Row::Put(key, piece));
        }
        if bytes > PORTION_BYTES_MAX {
            bytes = 0;
            store.apply(std::mem::take(&mut portion))?;
            store.sync()?;
        }
        if store.touched_bytes() > HANDLE_BYTES_MAX {
            drop(store);
            store = Store::open(place)?;
        }
    }
    store.apply(portion)?;
    store.sync()?;
    Ok((kept, lost))
}
