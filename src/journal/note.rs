//! How far a segment goes, noted in the segment itself now and then. Pure.
//!
//! Guarantees: a note that decodes is the one that was written. It spares a start the counting of what
//! lies before it, and tells after damage what had been acknowledged. Not with each group: the page
//! that holds it is written anew with every tenth change, with all its rows.

use super::{Seq, manifest::Tally, rows};

const NOTE_VERSION: u8 = 1;

/// The key of the row in which a segment notes how far it goes; behind every event.
pub(crate) fn note_key() -> Vec<u8> {
    rows::key(Seq(u64::MAX), 0)
}

/// A note is written with the group that brings so many bytes since the last one.
pub(crate) const NOTE_BYTES: u64 = 256 * 1024;

/// How far a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Everything below was acknowledged when this was written.
    pub(crate) acknowledged: u64,
    /// Records in the segment, this group's included.
    pub(crate) count: u64,
    /// The checksum over their checksums.
    pub(crate) checksum: u32,
}

impl Note {
    /// Returns the written form.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![NOTE_VERSION];
        bytes.extend(self.acknowledged.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.checksum.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the written form; `None` if it is damaged or of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (front, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(front) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (&NOTE_VERSION, rest) = front.split_first()? else { return None };
        let (acknowledged, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            acknowledged: u64::from_le_bytes(*acknowledged),
            count: u64::from_le_bytes(*count),
            checksum: u32::from_le_bytes(*rest.first_chunk::<4>()?),
        })
    }
}

impl Note {
    /// Returns the note of a segment that goes as far as `tally`.
    pub(crate) fn of(tally: &Tally, acknowledged: u64) -> Self {
        Self { acknowledged, count: tally.count(), checksum: tally.checksum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_no_altered_byte_is_overlooked() {
        let note = Note { acknowledged: 7, count: 300, checksum: 0xA5A5_0001 };
        let bytes = note.encode();
        assert_eq!(Note::decode(&bytes), Some(note));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(Note::decode(&altered), None, "byte {at}");
        }
    }

    #[test]
    fn a_tally_goes_on_from_a_note_as_if_it_had_counted_itself() {
        let mut whole = Tally::new(5);
        (0..9).for_each(|checksum| whole.add(checksum));
        let mut resumed = Tally::resume(5, Note::of(&whole, 5));
        for checksum in 9..12 {
            whole.add(checksum);
            resumed.add(checksum);
        }
        assert_eq!(resumed.manifest(), whole.manifest());
        assert_eq!(resumed.next(), 17);
    }
}
