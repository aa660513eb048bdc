//! What a sealed segment says about itself: first, last, count and a checksum over its records.
//!
//! Guarantees: a manifest that decodes is the one that was written; segments that follow each other
//! without a gap are told from those that do not. Pure.

use super::note::Note;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::RangeInclusive};

/// Every number from the first to the last is there.
const DENSE: u8 = 1;
/// Some are recorded as lost.
const WITH_HOLES: u8 = 2;

/// Why bytes are not a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsealed {
    Damaged,
    /// A newer version of the gateway wrote it.
    Newer,
}

/// The promise of a sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u64,
    pub(crate) checksum: u32,
}

impl Manifest {
    /// Returns the written form: version, postcard, CRC-32. `None` never happens for this type.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![if self.span() == Some(self.count) { DENSE } else { WITH_HOLES }];
        bytes.extend(postcard::to_stdvec(self).ok()?);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        Some(bytes)
    }

    /// Reads the written form, unless it is damaged, newer, or contradicts itself.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unsealed> {
        let (front, checksum) = bytes.split_last_chunk::<4>().ok_or(Unsealed::Damaged)?;
        if crc32fast::hash(front) != u32::from_le_bytes(*checksum) {
            return Err(Unsealed::Damaged);
        }
        let (version, payload) = front.split_first().ok_or(Unsealed::Damaged)?;
        if *version > WITH_HOLES {
            return Err(Unsealed::Newer);
        }
        let manifest: Self = postcard::from_bytes(payload).map_err(|_| Unsealed::Damaged)?;
        let span = manifest.span().ok_or(Unsealed::Damaged)?;
        let agrees = match *version {
            DENSE => manifest.count == span,
            WITH_HOLES => manifest.count < span,
            _ => false,
        };
        if agrees { Ok(manifest) } else { Err(Unsealed::Damaged) }
    }

    /// Returns how many numbers lie between the first and the last, both included.
    fn span(&self) -> Option<u64> {
        self.last.checked_sub(self.first)?.checked_add(1)
    }
}

/// Counts the records of a segment and sums their checksums, in order.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    first: u64,
    count: u64,
    hasher: crc32fast::Hasher,
}

impl Tally {
    /// Starts before the first record.
    pub(crate) fn new(first: u64) -> Self {
        Self { first, count: 0, hasher: crc32fast::Hasher::new() }
    }

    /// Goes on where a note says.
    pub(crate) fn resume(first: u64, note: Note) -> Self {
        let bytes = note.count.saturating_mul(4);
        let hasher = crc32fast::Hasher::new_with_initial_len(note.checksum, bytes);
        Self { first, count: note.count, hasher }
    }

    /// Takes in the checksum of the next record.
    pub(crate) fn add(&mut self, checksum: u32) {
        self.count = self.count.saturating_add(1);
        self.hasher.update(&checksum.to_le_bytes());
    }

    /// Returns the sequence number the segment begins with.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the sequence number after the last one.
    pub(crate) fn next(&self) -> u64 {
        self.first.saturating_add(self.count)
    }

    /// Returns how many records were taken in.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the checksum over their checksums.
    pub(crate) fn checksum(&self) -> u32 {
        self.hasher.clone().finalize()
    }

    /// Returns the manifest, or `None` for a segment without records.
    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let last = self.count.checked_sub(1)?.checked_add(self.first)?;
        let (count, checksum) = (self.count, self.checksum());
        Some(Manifest { first: self.first, last, count, checksum })
    }
}

/// Returns the sequence numbers that lie between segments and in none of them.
///
/// `newest` is where the unsealed segment begins, if there is one. Segments must not overlap.
pub(crate) fn gaps(
    sealed: &BTreeMap<u64, Manifest>,
    newest: Option<u64>,
) -> Vec<RangeInclusive<u64>> {
    let starts = sealed.keys().copied().skip(1).chain(newest);
    let ends = sealed.values().map(|manifest| manifest.last.saturating_add(1));
    let between = ends.zip(starts).filter(|(end, start)| end < start);
    between.map(|(end, start)| end..=start.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(first: u64, last: u64) -> Manifest {
        Manifest { first, last, count: last - first + 1, checksum: 5 }
    }

    #[test]
    fn a_manifest_is_read_back_and_no_altered_byte_is_overlooked() {
        let written = manifest(65, 190);
        let bytes = written.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes), Ok(written));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(Manifest::decode(&altered).is_err(), "byte {at}");
        }
        assert_eq!(Manifest::decode(&[]), Err(Unsealed::Damaged));
        let holes = Manifest { count: 3, ..written };
        assert_eq!(Manifest::decode(&holes.encode().unwrap()), Ok(holes));
    }

    #[test]
    fn gaps_between_segments_are_named_exactly() {
        let table = [
            // sealed segments, newest, missing
            (vec![], Some(1), vec![]),
            (vec![(1, 10)], Some(11), vec![]),
            (vec![(1, 10)], None, vec![]),
            (vec![(1, 10), (11, 20)], Some(21), vec![]),
            (vec![(1, 10), (15, 20)], Some(21), vec![11..=14]),
            (vec![(1, 10), (11, 20)], Some(31), vec![21..=30]),
            (vec![(5, 10)], Some(12), vec![11..=11]),
        ];
        for (segments, newest, want) in table {
            let sealed = segments.iter().map(|&(a, z)| (a, manifest(a, z))).collect();
            assert_eq!(gaps(&sealed, newest), want, "{segments:?} then {newest:?}");
        }
    }

    #[test]
    fn a_tally_of_nothing_has_no_manifest() {
        let mut tally = Tally::new(7);
        assert_eq!(tally.manifest(), None);
        tally.add(1);
        tally.add(2);
        let manifest = tally.manifest().unwrap();
        assert_eq!((manifest.first, manifest.last, manifest.count), (7, 8, 2));
        assert_eq!(tally.next(), 9);
    }
}
