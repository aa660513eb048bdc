//! The log of a database on the disk, read without opening the database.
//!
//! Guarantees: nothing is changed; a block that the disk does not give back counts as zeros; messages
//! come in the order they were written.

use super::{
    Seq,
    note::Note,
    rawlog::{self, Before, Change, Message, PART_BYTES, PartHead},
    rows::{self, Content},
    slots,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    ops::ControlFlow,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// Read one by one where a larger read fails.
const BLOCK_BYTES: usize = 4_096;

/// The key under which a segment notes how far it goes.
const NOTE: (Seq, u16) = (Seq(u64::MAX), 0);

/// One part of the log.
#[derive(Clone, Copy, Debug)]
struct Part {
    offset: u64,
    head: Option<PartHead>,
    /// Its number, from its head or else from its messages.
    number: u64,
}

/// The file `db` of a database.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    parts: Vec<Part>,
}

/// Where in the file a value lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    offset: u64,
    bytes: usize,
}

impl LogFile {
    /// Opens the log of the database in `folder` and puts its parts in order.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let file = File::open(folder.join("db"))?;
        let part_bytes = u64::try_from(PART_BYTES).map_err(io::Error::other)?;
        let count = file.metadata()?.len().div_ceil(part_bytes);
        let mut log = Self { file, parts: Vec::new() };
        let mut bytes = Vec::new();
        for offset in (0..count).map(|index| index.saturating_mul(part_bytes)) {
            log.load(offset, 20, &mut bytes)?;
            let head = rawlog::part_head(&bytes);
            let number = match head {
                Some(head) => Some(head.number),
                None => log.number_from_messages(offset, &mut bytes)?,
            };
            log.parts.extend(number.map(|number| Part { offset, head, number }));
        }
        log.parts.sort_by_key(|part| part.number);
        Ok(log)
    }

    /// Shows the messages of the parts from `number` on, and of those whose head is broken.
    pub(crate) fn walk(
        &self,
        number: u64,
        mut visit: impl FnMut(u64, &Message<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            if part.number < number && part.head.is_some() {
                continue;
            }
            self.load(part.offset, PART_BYTES, &mut bytes)?;
            let mut ended = ControlFlow::Continue(());
            rawlog::messages(&bytes, part.head.map(|head| head.number), |message| {
                if ended.is_continue() {
                    ended = visit(part.offset, &message);
                }
            });
            if ended.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns from which number on the parts do not follow each other any more, if so.
    fn torn_from(&self, base: u64) -> Option<u64> {
        let part_bytes = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
        let heads = || self.parts.iter().filter_map(|part| part.head);
        let stable = heads().map(|head| head.stable / part_bytes).max().unwrap_or(0);
        let from = stable.max(base);
        let mut expected = from;
        for number in heads().map(|head| head.number).filter(|number| *number >= from) {
            if number != expected {
                return Some(number);
            }
            expected = number.saturating_add(1);
        }
        None
    }

    /// Reads a value.
    pub(crate) fn value(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; place.bytes];
        self.file.read_exact_at(&mut bytes, place.offset)?;
        Ok(bytes)
    }

    /// Finds the rows of a journal's segment that begins with `first`, and notes of how far it goes.
    pub(crate) fn rows(&self, first: u64) -> io::Result<Rows> {
        let mut rows = Rows::default();
        let mut prefixes = BTreeMap::new();
        self.walk(0, |offset, message| {
            let place = |value: &[u8]| place(offset, message, value);
            match message.change() {
                Some(Change::Page { prefix, rows: found, .. }) => {
                    prefixes.insert(message.page, prefix);
                    for (key, value) in found {
                        rows.take(first, &key, value, place(value));
                    }
                }
                Some(Change::Put { suffix, value }) => {
                    if let Some(key) = key_of(prefixes.get(&message.page), suffix) {
                        rows.take(first, &key, value, place(value));
                    }
                }
                Some(Change::Delete { .. } | Change::Free) | None => {}
            }
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    /// Finds the newest version of every row of any database. Where a message is broken an older
    /// version of its rows may be found, or a row that was deleted.
    pub(crate) fn latest(&self) -> io::Result<BTreeMap<Vec<u8>, Place>> {
        let mut rows: BTreeMap<Vec<u8>, Place> = BTreeMap::new();
        let mut prefixes: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        self.walk(0, |offset, message| {
            let prefix = prefixes.get(&message.page);
            match message.change() {
                Some(Change::Page { low, high, prefix, rows: found }) => {
                    let old = rows.range(low..).map(|(key, _)| key);
                    let old: Vec<_> =
                        old.take_while(|key| high.is_empty() || **key < high).cloned().collect();
                    for key in old {
                        rows.remove(&key);
                    }
                    let placed = |(key, value): (_, &[u8])| (key, place(offset, message, value));
                    rows.extend(found.into_iter().map(placed));
                    prefixes.insert(message.page, prefix);
                }
                Some(Change::Put { suffix, value }) => {
                    if let Some(prefix) = prefix {
                        rows.insert([prefix, suffix].concat(), place(offset, message, value));
                    }
                }
                Some(Change::Delete { suffix }) => {
                    if let Some(prefix) = prefix {
                        rows.remove(&[prefix, suffix].concat());
                    }
                }
                Some(Change::Free) | None => {}
            }
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    fn number_from_messages(&self, offset: u64, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
        self.load(offset, PART_BYTES, bytes)?;
        let mut number = None;
        rawlog::messages(bytes, None, |message| number = number.or(Some(message.number)));
        Ok(number)
    }

    /// Reads from `offset` on, at most `length` bytes; what cannot be read is zero.
    fn load(&self, offset: u64, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let rest = self.file.metadata()?.len().saturating_sub(offset);
        let length = length.min(usize::try_from(rest).unwrap_or(usize::MAX));
        bytes.clear();
        bytes.resize(length, 0);
        if self.file.read_exact_at(bytes, offset).is_ok() {
            return Ok(());
        }
        let mut at = offset;
        for block in bytes.chunks_mut(BLOCK_BYTES) {
            if self.file.read_exact_at(block, at).is_err() {
                block.fill(0);
            }
            at = at.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

impl Place {
    /// Returns where the end of the value lies, which is `bytes`.
    fn without_front(self, value: &[u8], bytes: &[u8]) -> Self {
        let front = value.len().saturating_sub(bytes.len());
        let front = u64::try_from(front).unwrap_or(u64::MAX);
        Self { offset: self.offset.saturating_add(front), bytes: bytes.len() }
    }
}

fn place(offset: u64, message: &Message<'_>, value: &[u8]) -> Place {
    let inside = u64::try_from(message.offset(value)).unwrap_or(u64::MAX);
    Place { offset: offset.saturating_add(inside), bytes: value.len() }
}

/// The rows of a segment.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Where each piece of a record lies.
    pub(crate) places: BTreeMap<(u64, u16), Place>,
    /// The number after the last one that is known to have been acknowledged; 0 if nothing tells.
    pub(crate) acknowledged: u64,
}

impl Rows {
    fn take(&mut self, first: u64, key: &[u8], value: &[u8], place: Place) {
        if rows::place(key) == Some(NOTE) {
            let note = Note::decode(value).map_or(0, |note| note.acknowledged);
            self.acknowledged = self.acknowledged.max(note);
        } else if let Some(Content { seq, piece, bytes }) = rows::read(key, value)
            && seq.0 >= first
        {
            self.places.insert((seq.0, piece), place.without_front(value, bytes));
        }
    }
}

/// Puts a key together. Without the page that it belonged to it could be one of many: then none.
fn key_of(prefix: Option<&Vec<u8>>, suffix: &[u8]) -> Option<Vec<u8>> {
    match prefix {
        Some(prefix) => Some([prefix, suffix].concat()),
        None if rows::place(suffix).is_some() || slots::ends_like_a_slot(suffix) => {
            Some(suffix.to_vec())
        }
        None => None,
    }
}

/// Whether the store would open a segment without overwriting what was acknowledged.
///
/// `acknowledged` is the number after the last acknowledged one, as far as is known elsewhere.
/// Reads only what was written since the last opening.
pub(crate) fn opens_whole(folder: &Path, first: u64, acknowledged: u64) -> io::Result<bool> {
    let mut acknowledged = acknowledged;
    let mut hidden = u64::MAX;
    let snapshot_holds = unstable(folder, |key, value, is_hidden| {
        let read = rows::read(key, value).map(|piece| (piece.seq, piece.piece));
        match read.or_else(|| rows::place(&guessed(first, key)).filter(|_| !value.is_empty())) {
            Some(NOTE) => {
                let note = Note::decode(value);
                acknowledged = acknowledged.max(note.map_or(0, |note| note.acknowledged));
            }
            Some((seq, _)) if is_hidden == Hidden::Yes => hidden = hidden.min(seq.0),
            Some(_) | None => {}
        }
    })?;
    Ok(snapshot_holds && hidden >= acknowledged)
}

/// Whether the store would pass over a row because something before it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    Yes,
    No,
}

/// Shows the rows that were written since the store's last snapshot; keys may lack their beginning.
/// Returns false if the snapshot itself is broken.
pub(crate) fn unstable(
    folder: &Path,
    mut visit: impl FnMut(&[u8], &[u8], Hidden),
) -> io::Result<bool> {
    let base = match snapshot(folder)? {
        Snapshot::At(base) => base,
        Snapshot::Missing => 0,
        Snapshot::Broken => return Ok(false),
    };
    let log = LogFile::open(folder)?;
    let torn = log.torn_from(base);
    log.walk(base, |_, message| {
        let is_behind = torn.is_some_and(|torn| message.number >= torn);
        let is_hidden = message.before == Before::Broken || is_behind;
        let hidden = if is_hidden { Hidden::Yes } else { Hidden::No };
        match message.change() {
            Some(Change::Page { rows, .. }) => {
                for (key, value) in &rows {
                    visit(key, value, hidden);
                }
            }
            Some(Change::Put { suffix, value }) => visit(suffix, value, hidden),
            Some(Change::Delete { .. } | Change::Free) | None => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(true)
}

/// The lowest key from `first` on that ends so; good enough to tell old from new.
fn guessed(first: u64, suffix: &[u8]) -> Vec<u8> {
    let lowest = rows::key(Seq(first), 0);
    let front_bytes = lowest.len().saturating_sub(suffix.len());
    let (front, _) = lowest.split_at_checked(front_bytes).unwrap_or((&lowest, &[]));
    let mut key = [front, suffix].concat();
    if key < lowest {
        for byte in key.iter_mut().take(front_bytes).rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
    key
}

enum Snapshot {
    Missing,
    /// The part of the log from which on it must be read.
    At(u64),
    Broken,
}

/// Looks at the newest snapshot of the store's page table.
fn snapshot(folder: &Path) -> io::Result<Snapshot> {
    let mut newest: Option<(u64, std::path::PathBuf)> = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let place = name.to_str().and_then(|name| name.strip_prefix("snap."));
        let place = place.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        if let Some(place) = place.filter(|place| newest.as_ref().is_none_or(|(n, _)| place > n)) {
            newest = Some((place, entry.path()));
        }
    }
    let Some((place, path)) = newest else { return Ok(Snapshot::Missing) };
    let bytes = fs::read(path)?;
    let Some((front, checksum)) = bytes.split_last_chunk::<4>() else {
        return Ok(Snapshot::Broken);
    };
    let Some((body, _length)) = front.split_last_chunk::<8>() else { return Ok(Snapshot::Broken) };
    if body.is_empty() || crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Ok(Snapshot::Broken);
    }
    let part_bytes = u64::try_from(PART_BYTES).unwrap_or(u64::MAX);
    Ok(Snapshot::At(place / part_bytes))
}
