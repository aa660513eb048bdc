//! The store's log, read without the store: sled 0.34.7's segments, messages and rows.
//!
//! Guarantees: whatever bytes it is given, it ends, and shows only messages whose checksum holds; what
//! comes behind a broken place is found again. It is for looking before sled opens a database, which
//! overwrites what follows a broken place, and for salvage. Pure.

/// sled's own unit of its log. Not a segment of the journal.
pub(crate) const PART_BYTES: usize = 512 * 1024;

const PART_HEAD_BYTES: usize = 20;
/// No message begins in the last bytes of a part.
const MESSAGE_HEAD_BYTES_MAX: usize = 32;
const SIGN: u64 = 0x7FFF_FFFF_FFFF_FFFF;
const FREE: u8 = 4;
const NODE: u8 = 8;
const LINK: u8 = 10;
const KIND_MAX: u8 = 11;
const CAP: u8 = 2;

/// What a part of the log says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartHead {
    /// Which part of the endless log this is.
    pub(crate) number: u64,
    /// Everything before this place of the log was written when the part was begun.
    pub(crate) stable: u64,
}

/// Reads the head of a part; `None` if it is broken or was never written.
pub(crate) fn part_head(bytes: &[u8]) -> Option<PartHead> {
    let (checksum, rest) = bytes.split_first_chunk::<4>()?;
    let (body, _) = rest.split_first_chunk::<16>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) ^ u32::MAX {
        return None;
    }
    let place = u64::from_le_bytes(*body.first_chunk::<8>()?) ^ SIGN;
    let stable = u64::from_le_bytes(*body.last_chunk::<8>()?) ^ SIGN;
    let part_bytes = u64::try_from(PART_BYTES).ok()?;
    // A log that is not yet stable says -1.
    let stable = if stable > SIGN { 0 } else { stable };
    place.is_multiple_of(part_bytes).then_some(PartHead { number: place / part_bytes, stable })
}

/// Whether what came before a message in its part could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Whole,
    Broken,
}

/// One message of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    kind: u8,
    /// The page it belongs to.
    pub(crate) page: u64,
    /// The part it says it was written to.
    pub(crate) number: u64,
    /// Where it begins in its part.
    pub(crate) at: usize,
    pub(crate) before: Before,
    payload: &'a [u8],
    bytes: usize,
}

/// Shows every message of a part whose checksum holds, in order. `number` is the part's own, if its
/// head could be read; messages of another part that lie there from earlier are passed over.
pub(crate) fn messages<'a>(
    part: &'a [u8],
    number: Option<u64>,
    mut visit: impl FnMut(Message<'a>),
) {
    let mut number = number;
    let mut before = if number.is_some() { Before::Whole } else { Before::Broken };
    let mut at = PART_HEAD_BYTES;
    while at.saturating_add(MESSAGE_HEAD_BYTES_MAX) <= PART_BYTES && at < part.len() {
        let Some(found) = message(part, at, number) else {
            before = Before::Broken;
            at = at.saturating_add(1);
            continue;
        };
        number = Some(found.number);
        at = at.saturating_add(found.bytes);
        if found.kind == CAP {
            return;
        }
        visit(Message { before, ..found });
    }
}

fn message(part: &[u8], at: usize, number: Option<u64>) -> Option<Message<'_>> {
    let bytes = part.get(at..)?;
    let (checksum, rest) = bytes.split_first_chunk::<4>()?;
    let mut cursor = Cursor(rest);
    let kind = cursor.byte().filter(|kind| (1..=KIND_MAX).contains(kind))?;
    let length = usize::try_from(cursor.number()?).ok()?;
    let written = cursor.number()?;
    if number.is_some_and(|number| number != written) {
        return None;
    }
    let page = cursor.number()?;
    let head_bytes = rest.len().checked_sub(cursor.0.len())?;
    let payload = cursor.take(length)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(payload);
    hasher.update(rest.get(..head_bytes)?);
    if hasher.finalize() ^ u32::MAX != u32::from_le_bytes(*checksum) {
        return None;
    }
    let bytes = head_bytes.checked_add(4)?.checked_add(length)?;
    let before = Before::Whole;
    Some(Message { kind, page, number: written, at, before, payload, bytes })
}

/// A change to the rows, as a message has it.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// A page with all its rows. Keys are whole.
    Page { low: Vec<u8>, high: Vec<u8>, prefix: Vec<u8>, rows: Vec<(Vec<u8>, &'a [u8])> },
    /// A row of a page; the key lacks the page's prefix.
    Put { suffix: &'a [u8], value: &'a [u8] },
    /// A row that goes; the key lacks the page's prefix.
    Delete { suffix: &'a [u8] },
    /// The page is not in use any more.
    Free,
}

impl<'a> Message<'a> {
    /// Returns what the message changes about rows, if anything.
    pub(crate) fn change(&self) -> Option<Change<'a>> {
        let mut cursor = Cursor(self.payload);
        match self.kind {
            FREE => Some(Change::Free),
            NODE => page(&mut cursor),
            LINK => match cursor.byte()? {
                0 => Some(Change::Put { suffix: cursor.text()?, value: cursor.text()? }),
                1 => Some(Change::Delete { suffix: cursor.text()? }),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns where `value`, which is part of this message, lies in its part of the log.
    pub(crate) fn offset(&self, value: &[u8]) -> usize {
        let start = self.payload.as_ptr().addr();
        let inside = value.as_ptr().addr().saturating_sub(start);
        let head_bytes = self.bytes.saturating_sub(self.payload.len());
        self.at.saturating_add(head_bytes).saturating_add(inside)
    }
}

fn page<'a>(cursor: &mut Cursor<'a>) -> Option<Change<'a>> {
    let (_next, _merging_child, _merging) = (cursor.number()?, cursor.number()?, cursor.byte()?);
    let prefix_bytes = usize::from(cursor.byte()?);
    let (low, high) = (cursor.text()?, cursor.text()?);
    let prefix = low.get(..prefix_bytes)?;
    if cursor.byte()? != 0 {
        return None;
    }
    let count = usize::try_from(cursor.number()?).ok()?;
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push([prefix, cursor.text()?].concat());
    }
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.push((key, cursor.text()?));
    }
    Some(Change::Page { low: low.to_vec(), high: high.to_vec(), prefix: prefix.to_vec(), rows })
}

/// Bytes that are read from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(front)
    }

    /// Reads a number as sled writes it: shorter when small.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        match first {
            0..=240 => Some(u64::from(first)),
            241..=248 => {
                let low = u64::from(self.byte()?);
                Some(240 + 256 * (u64::from(first) - 241) + low)
            }
            249 => {
                let (high, low) = (u64::from(self.byte()?), u64::from(self.byte()?));
                Some(2_288 + 256 * high + low)
            }
            250.. => {
                let mut bytes = [0; 8];
                let given = self.take(usize::from(first - 247))?;
                for (byte, given) in bytes.iter_mut().zip(given) {
                    *byte = *given;
                }
                Some(u64::from_le_bytes(bytes))
            }
        }
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::try_from(self.number()?).ok()?;
        self.take(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{rows::Row, store::Store},
        *,
    };
    use proptest::prelude::*;
    use std::{collections::BTreeMap, fs};

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Replays a log file the way a database would.
    fn replay(file: &[u8]) -> (Rows, usize) {
        let mut parts: Vec<_> =
            file.chunks(PART_BYTES).map(|part| (part_head(part), part)).collect();
        parts.sort_by_key(|(head, _)| head.map(|head| head.number));
        let mut rows = Rows::new();
        let mut prefixes = BTreeMap::new();
        let mut behind_breaks = 0;
        for (head, part) in parts {
            messages(part, head.map(|head| head.number), |message| {
                behind_breaks += usize::from(message.before == Before::Broken);
                match message.change() {
                    Some(Change::Page { low, high, prefix, rows: new }) => {
                        rows.retain(|key, _| *key < low || (!high.is_empty() && *key >= high));
                        rows.extend(new.into_iter().map(|(key, value)| (key, value.to_vec())));
                        prefixes.insert(message.page, prefix);
                    }
                    Some(Change::Put { suffix, value }) => {
                        // The page was written anew later, and its old base is gone.
                        let Some(prefix) = prefixes.get(&message.page) else { return };
                        let key = [prefix, suffix].concat();
                        let at = message.offset(value);
                        assert_eq!(&part[at..at + value.len()], value);
                        rows.insert(key, value.to_vec());
                    }
                    Some(Change::Delete { suffix }) => {
                        let Some(prefix) = prefixes.get(&message.page) else { return };
                        rows.remove(&[prefix.as_slice(), suffix].concat());
                    }
                    Some(Change::Free) | None => {}
                }
            });
        }
        (rows, behind_breaks)
    }

    #[test]
    fn a_log_is_read_as_the_database_reads_it_also_after_many_openings() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(folder.path(), "rows").unwrap();
        let place = store.folder().to_path_buf();
        let mut want = Rows::new();
        let mut random = fastrand::Rng::with_seed(5);
        for round in 0..300_u32 {
            let mut batch = Vec::new();
            for _ in 0..random.usize(1..9) {
                let key =
                    format!("order/{:04}/{}", random.u32(0..400), "x".repeat(random.usize(0..9)));
                if random.u8(0..5) == 0 {
                    want.remove(key.as_bytes());
                    batch.push(Row::Delete(key.into_bytes()));
                } else {
                    let value: Vec<u8> =
                        (0..random.usize(0..6_000)).map(|_| random.u8(..)).collect();
                    want.insert(key.clone().into_bytes(), value.clone());
                    batch.push(Row::Put(key.into_bytes(), value));
                }
            }
            store.apply(batch).unwrap();
            store.sync().unwrap();
            if round % 40 == 39 {
                drop(store);
                store = Store::open(&place).unwrap();
            }
        }
        let (got, behind_breaks) = replay(&fs::read(place.join("db")).unwrap());
        assert_eq!(got.len(), want.len());
        assert_eq!(got, want);
        assert_eq!(behind_breaks, 0, "a whole log has no broken place");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fall(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = part_head(&bytes);
            messages(&bytes, None, |message| { let _ = message.change(); });
            messages(&bytes, Some(0), |message| { let _ = message.change(); });
        }
    }
}
