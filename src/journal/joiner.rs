//! Puts rows together to records again and notices every sequence number that is not there.
//!
//! Guarantees: whatever rows it is given, each sequence number from the first to the last expected is
//! reported exactly once, as whole or as lost. Pure.

use super::{Seq, record};
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
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8], mut tell: impl FnMut(Item)) {
        let Some((seq, piece)) = record::place(key) else { return };
        if seq.0 < self.next {
            return;
        }
        if let Some(lost) = self.lose_until(seq.0) {
            tell(Item::Lost(lost));
        }
        if piece != self.pieces {
            return;
        }
        self.part.extend_from_slice(value);
        self.pieces = self.pieces.saturating_add(1);
        if record::length(&self.part).is_some_and(|length| length <= self.part.len()) {
            tell(Item::Whole(seq, std::mem::take(&mut self.part)));
            self.step_to(seq.0.saturating_add(1));
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
            joiner.push(key, value, |item| items.push(item));
        }
        items.extend(joiner.finish(end).map(Item::Lost));
        let short = |item| match item {
            Item::Whole(seq, _) => Ok(seq.0),
            Item::Lost(lost) => Err((*lost.start(), *lost.end())),
        };
        items.into_iter().map(short).collect()
    }

    #[test]
    fn every_sequence_number_is_reported_once_as_whole_or_as_lost() {
        let all: Vec<_> = [(1, 10), (2, 15_000), (3, 10), (4, 7_000)]
            .into_iter()
            .flat_map(|(seq, bytes)| record::rows(Seq(seq), &record_of(bytes)).collect::<Vec<_>>())
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
