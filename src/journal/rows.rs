//! How records lie in the rows of a segment, and the keys of those rows. Pure.
//!
//! A row holds whole records that follow each other, as many as fit; a record that is longer than a row
//! lies in pieces, each in a row of its own. The key is the number of the first record, and the piece.
//!
//! Guarantees: no row is longer than `VALUE_BYTES_MAX`; keys sort as sequence numbers do; records that
//! are handed in together lie in as few rows as their order allows, since what the store does for a row
//! costs more than its bytes (docs/performance.md).

use super::{Seq, record};

/// The longest value given to the store.
///
/// A leaf of the store may be written whole with up to 20 entries, and becomes a file that is never
/// synced at 131,067 bytes (docs/adr/0001-sled.md).
pub(crate) const VALUE_BYTES_MAX: usize = 6_000;

const KEY_BYTES: usize = 10;

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
}

impl Rows {
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
        if record.len() <= VALUE_BYTES_MAX {
            self.open = Some((seq.0, seq.0.saturating_add(1), record.to_vec()));
            return;
        }
        let pieces = (0..=u16::MAX).zip(record.chunks(VALUE_BYTES_MAX));
        self.full.extend(pieces.map(|(piece, bytes)| Row::Put(key(seq, piece), bytes.to_vec())));
    }

    /// Returns the rows, each with its key.
    pub(crate) fn finish(mut self) -> Vec<Row> {
        self.close();
        self.full
    }

    fn close(&mut self) {
        if let Some((first, _, row)) = self.open.take() {
            self.full.push(Row::Put(key(Seq(first), 0), row));
        }
    }
}

/// Returns the key of one piece of a record, or of the row whose first record has this number.
pub(crate) fn key(seq: Seq, piece: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(KEY_BYTES);
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

/// Returns the number after the last record that a row begins or goes on with.
pub(crate) fn end(key: &[u8], value: &[u8]) -> Option<u64> {
    let (seq, piece) = place(key)?;
    let whole = if piece == 0 { u64::try_from(records(value).count()).unwrap_or(0) } else { 0 };
    Some(seq.0.saturating_add(whole.max(1)))
}

/// Returns the whole records at the front of a row.
pub(crate) fn records(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = row;
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
