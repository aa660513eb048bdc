//! The written form of one value: a format version, its length, a CRC-32, and pieces where it is long.
//!
//! Guarantees: a value that is read back is the one that was written under that key; the pieces of
//! long values lie apart from the keys, so that no scan meets them. Pure.

use crate::journal::rows::VALUE_BYTES_MAX;

/// The longest key.
pub(crate) const KEY_BYTES_MAX: usize = 256;

/// The largest value any configuration may allow.
pub(crate) const VALUE_BYTES_CEILING: usize = 16 * 1024 * 1024;

const VERSION: u8 = 1;
/// Version, length, checksum.
const HEAD_BYTES: usize = 9;
const FIRST_BYTES_MAX: usize = VALUE_BYTES_MAX - HEAD_BYTES;

const VALUES: u8 = b'v';
const PIECES: u8 = b'p';
const NOTES: u8 = b'n';

/// A row: its key, and its value unless it is to go.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Returns where the value of a key begins.
pub(crate) fn head_key(key: &[u8]) -> Vec<u8> {
    [&[VALUES], key].concat()
}

/// Returns the key again.
pub(crate) fn key_of(head_key: &[u8]) -> Option<&[u8]> {
    head_key.strip_prefix(&[VALUES])
}

/// Returns where a further piece of a value lies.
pub(crate) fn piece_key(key: &[u8], piece: u16) -> Vec<u8> {
    [&[PIECES], key, &piece.to_be_bytes()].concat()
}

/// Returns where the store notes something about itself.
pub(crate) fn note_key(name: &str) -> Vec<u8> {
    [&[NOTES], name.as_bytes()].concat()
}

/// Returns whether a row is a note of the store about itself.
pub(crate) fn is_note(key: &[u8]) -> bool {
    key.first() == Some(&NOTES)
}

/// Returns bounds that hold every value.
pub(crate) fn all_values() -> std::ops::Range<Vec<u8>> {
    vec![VALUES]..vec![VALUES + 1]
}

/// Returns the rows that put a value, or remove it, where one of `old_len` bytes lay.
pub(crate) fn changes(key: &[u8], value: Option<&[u8]>, old_len: Option<usize>) -> Vec<Change> {
    let old_pieces = old_len.map_or(0, pieces);
    let Some(value) = value else {
        let gone = (0..old_pieces).map(|piece| (piece_key(key, piece), None));
        return std::iter::once((head_key(key), None)).chain(gone).collect();
    };
    let (first, rest) = value.split_at_checked(FIRST_BYTES_MAX).unwrap_or((value, &[]));
    let mut head = Vec::with_capacity(HEAD_BYTES + first.len());
    head.push(VERSION);
    head.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    head.extend(checksum(key, value).to_le_bytes());
    head.extend(first);
    let further = (0..=u16::MAX).zip(rest.chunks(VALUE_BYTES_MAX));
    let further = further.map(|(piece, bytes)| (piece_key(key, piece), Some(bytes.to_vec())));
    let surplus = (pieces(value.len())..old_pieces).map(|piece| (piece_key(key, piece), None));
    std::iter::once((head_key(key), Some(head))).chain(further).chain(surplus).collect()
}

/// Returns the length of the value that begins with `head`; `None` if it is not a head of ours.
pub(crate) fn length(head: &[u8]) -> Option<usize> {
    let (&VERSION, rest) = head.split_first()? else { return None };
    let (length, _) = rest.split_first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

/// Returns how many pieces follow the head of a value.
pub(crate) fn pieces(length: usize) -> u16 {
    let rest = length.saturating_sub(FIRST_BYTES_MAX);
    u16::try_from(rest.div_ceil(VALUE_BYTES_MAX)).unwrap_or(u16::MAX)
}

/// Puts a value together and checks it; `None` if it is damaged.
pub(crate) fn join(key: &[u8], head: &[u8], further: &[Vec<u8>]) -> Option<Vec<u8>> {
    let length = length(head)?;
    let (front, first) = head.split_first_chunk::<HEAD_BYTES>()?;
    let written = u32::from_le_bytes(*front.last_chunk::<4>()?);
    let mut value = first.to_vec();
    value.extend(further.iter().flatten());
    (value.len() == length && checksum(key, &value) == written).then_some(value)
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[VERSION]);
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn values_of_every_length_replace_each_other_and_leave_nothing_behind() {
        let lengths = [0, 1, FIRST_BYTES_MAX - 1, FIRST_BYTES_MAX, FIRST_BYTES_MAX + 1];
        let longer = [FIRST_BYTES_MAX + VALUE_BYTES_MAX, 12_000, 50_000];
        let lengths: Vec<usize> = lengths.into_iter().chain(longer).collect();
        for old in &lengths {
            for new in &lengths {
                let mut rows = BTreeMap::new();
                let mut apply = |changes: Vec<Change>| {
                    for (key, value) in changes {
                        match value {
                            Some(value) => rows.insert(key, value),
                            None => rows.remove(&key),
                        };
                    }
                    rows.clone()
                };
                apply(changes(b"k", Some(&vec![1; *old]), None));
                let rows = apply(changes(b"k", Some(&vec![2; *new]), Some(*old)));
                assert_eq!(rows.len(), 1 + usize::from(pieces(*new)), "{old} to {new}");
                let further: Vec<_> =
                    (0..pieces(*new)).map(|piece| rows[&piece_key(b"k", piece)].clone()).collect();
                let got = join(b"k", &rows[&head_key(b"k")], &further);
                assert_eq!(got, Some(vec![2; *new]), "{old} to {new}");
                assert!(apply(changes(b"k", None, Some(*new))).is_empty(), "{old} to {new}");
            }
        }
    }

    #[test]
    fn a_value_under_another_key_or_with_an_altered_byte_is_damaged() {
        let head = changes(b"order/1", Some(b"CLAIMED"), None).remove(0).1.unwrap();
        assert_eq!(join(b"order/1", &head, &[]).as_deref(), Some(&b"CLAIMED"[..]));
        assert_eq!(join(b"order/2", &head, &[]), None);
        for at in 0..head.len() {
            let mut altered = head.clone();
            altered[at] ^= 1;
            assert_eq!(join(b"order/1", &altered, &[]), None, "byte {at}");
        }
    }
}
