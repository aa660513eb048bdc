//! How records lie in the rows of a segment. Pure.
//!
//! A row holds whole records that follow each other, as many as fit; a record that is longer than a row
//! lies in pieces, each in a row of its own. A row in a slot says in front which record it begins with,
//! and which piece of it; in segments that were rescued, restored or written by an older version the key
//! says so.
//!
//! Guarantees: no row is longer than `VALUE_BYTES_MAX`; keys sort as sequence numbers do; records that
//! are handed in together lie in as few rows as their order allows, since what the store does for a row
//! costs more than its bytes (docs/performance.md).

use super::{Seq, record, slots, slots::Slot};

/// The longest value given to the store.
///
/// A leaf of the store may be written whole with up to 20 entries, and becomes a file that is never
/// synced at 131,067 bytes (docs/adr/0001-sled.md).
pub(crate) const VALUE_BYTES_MAX: usize = 6_000;

/// A place: in keys, or in front of a row in a slot.
const PLACE_BYTES: usize = 10;

/// A change to one row.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
}

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Rows that are being filled.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    full: Vec<Row>,
    /// The row that still takes records, with the number of its first and the number after its last.
    open: Option<(u64, u64, Vec<u8>)>,
    /// Where the next row goes; `None` if the key is the place of its first record.
    slot: Option<Slot>,
}

impl Rows {
    /// Begins with rows in slots.
    pub(crate) fn in_slots(next: Slot) -> Self {
        Self { slot: Some(next), ..Self::default() }
    }

    /// Adds a record; numbers must grow, and may leave some out.
    pub(crate) fn push(&mut self, seq: Seq, record: &[u8]) {
        if let Some((_, next, row)) = &mut self.open
            && *next == seq.0
            && row.len().saturating_add(record.len()) <= VALUE_BYTES_MAX
        {
            row.extend_from_slice(record);
            *next = seq.0.saturating_add(1);
            return;
        }
        self.close();
        let room = VALUE_BYTES_MAX.saturating_sub(self.front_bytes());
        if record.len() <= room {
            let mut row = self.front(seq, 0);
            row.extend_from_slice(record);
            self.open = Some((seq.0, seq.0.saturating_add(1), row));
            return;
        }
        for (piece, bytes) in (0..=u16::MAX).zip(record.chunks(room)) {
            let mut row = self.front(seq, piece);
            row.extend_from_slice(bytes);
            self.put(seq, piece, row);
        }
    }

    /// Returns the rows, whose keys say their places.
    pub(crate) fn finish(self) -> Vec<Row> {
        self.finish_in_slots().0
    }

    /// Returns the rows, and where the next one goes.
    pub(crate) fn finish_in_slots(mut self) -> (Vec<Row>, Option<Slot>) {
        self.close();
        (self.full, self.slot)
    }

    fn close(&mut self) {
        if let Some((first, _, row)) = self.open.take() {
            self.put(Seq(first), 0, row);
        }
    }

    fn put(&mut self, seq: Seq, piece: u16, row: Vec<u8>) {
        let key = self.slot.map_or_else(|| key(seq, piece), Slot::key);
        self.slot = self.slot.map(Slot::next);
        self.full.push(Row::Put(key, row));
    }

    fn front_bytes(&self) -> usize {
        if self.slot.is_some() { PLACE_BYTES } else { 0 }
    }

    fn front(&self, seq: Seq, piece: u16) -> Vec<u8> {
        if self.slot.is_some() { key(seq, piece) } else { Vec::new() }
    }
}

/// Returns the key of one piece of a record, or of the row whose first record has this number.
pub(crate) fn key(seq: Seq, piece: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(PLACE_BYTES);
    key.extend(seq.0.to_be_bytes());
    key.extend(piece.to_be_bytes());
    key
}

/// Reads a key back.
pub(crate) fn place(key: &[u8]) -> Option<(Seq, u16)> {
    let (seq, rest) = key.split_first_chunk::<8>()?;
    let piece = <[u8; 2]>::try_from(rest).ok()?;
    Some((Seq(u64::from_be_bytes(*seq)), u16::from_be_bytes(piece)))
}

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    /// The number of its first record.
    pub(crate) seq: Seq,
    /// Which piece of that record it begins with.
    pub(crate) piece: u16,
    /// Records, or a part of one.
    pub(crate) bytes: &'a [u8],
}

/// Reads a row; `None` for what is no row. The key may lack its beginning if it is that of a slot.
pub(crate) fn read<'a>(key: &[u8], value: &'a [u8]) -> Option<Content<'a>> {
    if let Some((seq, piece)) = place(key) {
        return Some(Content { seq, piece, bytes: value });
    }
    let (front, bytes) = value.split_at_checked(PLACE_BYTES)?;
    let (seq, piece) = place(front).filter(|_| slots::ends_like_a_slot(key))?;
    Some(Content { seq, piece, bytes })
}

impl Content<'_> {
    /// Returns the number after the last record that it begins or goes on with.
    pub(crate) fn end(&self) -> u64 {
        let whole = if self.piece == 0 { records(self.bytes).count() } else { 0 };
        self.seq.0.saturating_add(u64::try_from(whole).unwrap_or(0).max(1))
    }
}

/// Returns the whole records at the front of a row's bytes.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = record::length(rest)?;
        let (record, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_sequence_numbers_and_pieces_do() {
        let places = [(1, 0), (1, 1), (1, 256), (2, 0), (255, 3), (256, 0), (u64::MAX, 1)];
        let keys: Vec<_> = places.iter().map(|(seq, piece)| key(Seq(*seq), *piece)).collect();
        assert!(keys.is_sorted());
        for ((seq, piece), key) in places.iter().zip(&keys) {
            assert_eq!(place(key), Some((Seq(*seq), *piece)));
        }
    }

    #[test]
    fn a_row_in_a_slot_says_in_front_what_it_begins_with() {
        let mut rows = Rows::in_slots(Slot(6));
        rows.push(Seq(7), &[1; 100]);
        rows.push(Seq(8), &[2; 9_000]);
        rows.push(Seq(9), &[3; 5_990]);
        rows.push(Seq(10), &[4; 1]);
        let (rows, next) = rows.finish_in_slots();
        assert_eq!(next, Some(Slot(11)));
        let mut got = Vec::new();
        for (slot, row) in (6..).map(Slot).zip(rows) {
            let Row::Put(key, value) = row else { panic!("a row is deleted") };
            assert_eq!(Slot::read(&key), Some(slot));
            assert!(value.len() <= VALUE_BYTES_MAX);
            let piece = read(&key[4..], &value).unwrap();
            assert_eq!(Some(piece), read(&key, &value));
            got.push((piece.seq.0, piece.piece, piece.bytes.len()));
        }
        let want = [(7, 0, 100), (8, 0, 5_990), (8, 1, 3_010), (9, 0, 5_990), (10, 0, 1)];
        assert_eq!(got, want);
    }

    #[test]
    fn records_that_follow_each_other_share_a_row_and_no_row_is_too_long() {
        let table = [
            // numbers and lengths of records, then numbers and lengths of rows
            (vec![], vec![]),
            (vec![(1, 100)], vec![(1, 100)]),
            (vec![(1, 100), (2, 200), (3, 300)], vec![(1, 600)]),
            (vec![(1, 100), (3, 200), (4, 300)], vec![(1, 100), (3, 500)]),
            (vec![(1, 3_000), (2, 3_000), (3, 1)], vec![(1, 6_000), (3, 1)]),
            (vec![(1, 9), (2, 6_001), (3, 9)], vec![(1, 9), (2, 6_000), (2, 1), (3, 9)]),
            (vec![(7, 12_000), (8, 6_000)], vec![(7, 6_000), (7, 6_000), (8, 6_000)]),
        ];
        for (records, want) in table {
            let mut rows = Rows::default();
            for (seq, length) in &records {
                rows.push(Seq(*seq), &vec![0; *length]);
            }
            let rows = rows.finish();
            let rows: Vec<_> = rows
                .into_iter()
                .map(|row| match row {
                    Row::Put(key, value) => (key, value.len()),
                    Row::Delete(key) => panic!("{key:?} is deleted"),
                })
                .collect();
            assert!(rows.iter().map(|(key, _)| key).is_sorted());
            let got: Vec<_> =
                rows.iter().map(|(key, length)| (place(key).unwrap().0.0, *length)).collect();
            assert_eq!(got, want, "{records:?}");
        }
    }
}
