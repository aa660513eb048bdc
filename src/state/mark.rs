//! What the state notes about itself now and then, so that a start need not count. Pure.
//!
//! Guarantees: a mark that decodes is the one that was written. Not with each group: the page that
//! holds it is written anew with every tenth change, with all its rows.

/// The name of the row.
pub(crate) const NAME: &str = "mark";

/// A mark is written with every so many groups.
pub(crate) const COMMITS_MAX: u64 = 32;

/// How far the state has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Groups that were written, this one included.
    pub(crate) commits: u64,
    /// Bytes that live, about.
    pub(crate) live_bytes: u64,
}

impl Mark {
    /// Returns the written form.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = self.commits.to_le_bytes().to_vec();
        bytes.extend(self.live_bytes.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the written form; `None` if it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (front, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(front) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (commits, rest) = front.split_first_chunk::<8>()?;
        let live_bytes = u64::from_le_bytes(rest.try_into().ok()?);
        Some(Self { commits: u64::from_le_bytes(*commits), live_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_no_altered_byte_is_overlooked() {
        let mark = Mark { commits: 70_000, live_bytes: 9 };
        let bytes = mark.encode();
        assert_eq!(Mark::decode(&bytes), Some(mark));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(Mark::decode(&altered), None, "byte {at}");
        }
    }
}
