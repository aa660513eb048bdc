//! Puts rows together to records again and notices every sequence number that is not there.
//!
//! Guarantees: whatever rows it is given, each sequence number from the first to the last expected is
//! reported exactly once, as whole or as lost. Pure.

use super::{
    Seq, record,
    rows::{self, Content},
};
use std::ops::RangeInclusive;

/// What became of a sequence number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Its record is whole in length; the checksum is for the reader to check.
    Whole(Seq, Vec<u8>),
    /// These are missing.
    Lost(RangeInclusive<u64>),
}

/// Joins rows that arrive in the order of their keys.
#[derive(Debug)]
pub(crate) struct Joiner {
    next: u64,
    part: Vec<u8>,
    pieces: u16,
}

impl Joiner {
    /// Expects `first` next.
    pub(crate) fn new(first: u64) -> Self {
        Self { next: first, part: Vec::new(), pieces: 0 }
    }

    /// Returns the first sequence number that is not yet reported.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Takes one row and tells what it completes.
    pub(crate) fn push(&mut self, row: Content<'_>, mut tell: impl FnMut(Item)) {
        let Content { seq, piece, bytes } = row;
        match piece {
            0 => self.begin(seq.0, bytes, &mut tell),
            _ => self.go_on(seq.0, piece, bytes, &mut tell),
        }
    }

    /// Takes a row that begins with the record `first`.
    fn begin(&mut self, first: u64, row: &[u8], tell: &mut impl FnMut(Item)) {
        let mut seq = first;
        for record in rows::records(row) {
            if seq >= self.next {
                self.tell_lost(seq, tell);
                tell(Item::Whole(Seq(seq), record.to_vec()));
                self.step_to(seq.saturating_add(1));
            }
            if record::check_sum(record).is_err() {
                // Where the next one begins is not sure.
                return;
            }
            seq = seq.saturating_add(1);
        }
        if seq == first && seq >= self.next {
            self.tell_lost(seq, tell);
            self.part.clear();
            self.part.extend_from_slice(row);
            self.pieces = 1;
        }
    }

    /// Takes a further piece of the record `seq`.
    fn go_on(&mut self, seq: u64, piece: u16, value: &[u8], tell: &mut impl FnMut(Item)) {
        if seq < self.next {
            return;
        }
        self.tell_lost(seq, tell);
        if piece != self.pieces {
            return;
        }
        self.part.extend_from_slice(value);
        self.pieces = self.pieces.saturating_add(1);
        if record::length(&self.part).is_some_and(|length| length <= self.part.len()) {
            tell(Item::Whole(Seq(seq), std::mem::take(&mut self.part)));
            self.step_to(seq.saturating_add(1));
        }
    }

    fn tell_lost(&mut self, seq: u64, tell: &mut impl FnMut(Item)) {
        if let Some(lost) = self.lose_until(seq) {
            tell(Item::Lost(lost));
        }
    }

    /// Ends before `end` and returns what never came.
    pub(crate) fn finish(&mut self, end: u64) -> Option<RangeInclusive<u64>> {
        self.lose_until(end)
    }

    fn lose_until(&mut self, seq: u64) -> Option<RangeInclusive<u64>> {
        let lost = self.next..=seq.checked_sub(1)?;
        if lost.is_empty() {
            return None;
        }
        self.step_to(seq);
        Some(lost)
    }

    fn step_to(&mut self, seq: u64) {
        self.next = seq;
        self.part.clear();
        self.pieces = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::NewEvent, *};

    fn record_of(body_bytes: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(3);
        let body = (0..body_bytes).map(|_| random.u8(..)).collect();
        let event = NewEvent {
            source: String::new(),
            topic: String::new(),
            entity: String::new(),
            delivery: [0; 32],
            received_ms: 0,
            body,
        };
        record::encode(&event, record::Packing::Zstd).unwrap()
    }

    fn join(rows: &[(Vec<u8>, Vec<u8>)], first: u64, end: u64) -> Vec<Result<u64, (u64, u64)>> {
        let mut joiner = Joiner::new(first);
        let mut items = Vec::new();
        for (key, value) in rows {
            joiner.push(rows::read(key, value).unwrap(), |item| items.push(item));
        }
        items.extend(joiner.finish(end).map(Item::Lost));
        let short = |item| match item {
            Item::Whole(seq, _) => Ok(seq.0),
            Item::Lost(lost) => Err((*lost.start(), *lost.end())),
        };
        items.into_iter().map(short).collect()
    }

    fn rows_of(records: &[(u64, usize)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = rows::Rows::default();
        for (seq, bytes) in records {
            rows.push(Seq(*seq), &record_of(*bytes));
        }
        let pair = |row| match row {
            rows::Row::Put(key, value) => (key, value),
            rows::Row::Delete(key) => (key, Vec::new()),
        };
        rows.finish().into_iter().map(pair).collect()
    }

    #[test]
    fn records_that_share_a_row_are_read_from_any_of_them_on() {
        let rows = rows_of(&[(5, 10), (6, 20), (7, 30), (8, 9_000), (9, 10), (11, 10)]);
        assert_eq!(rows.len(), 1 + 2 + 1 + 1);
        assert_eq!(join(&rows, 5, 12), [Ok(5), Ok(6), Ok(7), Ok(8), Ok(9), Err((10, 10)), Ok(11)]);
        assert_eq!(join(&rows[..4], 7, 10), [Ok(7), Ok(8), Ok(9)]);
        assert_eq!(join(&rows[1..4], 6, 10), [Err((6, 7)), Ok(8), Ok(9)]);
        assert_eq!(join(&rows[..1], 3, 8), [Err((3, 4)), Ok(5), Ok(6), Ok(7)]);
    }

    #[test]
    fn behind_a_broken_record_no_other_gets_its_number() {
        let mut rows = rows_of(&[(5, 10), (6, 20), (7, 30)]);
        let whole = rows[0].1.clone();
        let second = record_of(10).len();
        for at in second..second + record_of(20).len() {
            rows[0].1 = whole.clone();
            rows[0].1[at] ^= 1;
            let mut joiner = Joiner::new(5);
            let mut found = Vec::new();
            let row = rows::read(&rows[0].0, &rows[0].1).unwrap();
            joiner.push(row, |item| match item {
                Item::Whole(seq, record) if record::check_sum(&record).is_ok() => {
                    found.push((seq.0, record));
                }
                Item::Whole(..) | Item::Lost(_) => {}
            });
            assert_eq!(found, [(5, record_of(10))], "byte {at}");
        }
    }

    #[test]
    fn every_sequence_number_is_reported_once_as_whole_or_as_lost() {
        let all: Vec<_> = [(1, 10), (2, 15_000), (3, 10), (4, 7_000)]
            .into_iter()
            .flat_map(|(seq, bytes)| rows_of(&[(seq, bytes)]))
            .collect();
        assert_eq!(all.len(), 1 + 3 + 1 + 2);
        let table = [
            // rows taken away, what is told
            (vec![], vec![Ok(1), Ok(2), Ok(3), Ok(4)]),
            (vec![0], vec![Err((1, 1)), Ok(2), Ok(3), Ok(4)]),
            (vec![1], vec![Ok(1), Err((2, 2)), Ok(3), Ok(4)]),
            (vec![2], vec![Ok(1), Err((2, 2)), Ok(3), Ok(4)]),
            (vec![3], vec![Ok(1), Err((2, 2)), Ok(3), Ok(4)]),
            (vec![2, 4], vec![Ok(1), Err((2, 3)), Ok(4)]),
            (vec![6], vec![Ok(1), Ok(2), Ok(3), Err((4, 4))]),
            ((0..7).collect(), vec![Err((1, 4))]),
        ];
        for (gone, want) in table {
            let mut rows = all.clone();
            for at in gone.iter().rev() {
                rows.remove(*at);
            }
            assert_eq!(join(&rows, 1, 5), want, "without rows {gone:?}");
        }
    }
}
