//! The written form of one event: a format version, postcard, lz4 and a CRC-32.
//!
//! Guarantees: a record that decodes is the one that was encoded; a record of a newer format is
//! refused, never guessed at; no row is longer than [`VALUE_BYTES_MAX`]. Pure.

use super::{Event, NewEvent, Seq};
use lz4_flex::block::{compress_prepend_size, decompress, uncompressed_size};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use thiserror::Error;

/// The longest value given to the store.
///
/// A leaf of the store may be written whole with up to 20 entries, and becomes a file that is never
/// synced at 131,067 bytes (docs/adr/0001-sled.md).
pub(crate) const VALUE_BYTES_MAX: usize = 6_000;

/// The largest event any configuration may allow.
pub(crate) const EVENT_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// Room for source, topic, entity and the fixed fields of an event.
pub(crate) const LABEL_BYTES_MAX: usize = 1_024;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// Version, packing, stored length, checksum.
const HEAD_BYTES: usize = 10;
const KEY_BYTES: usize = 10;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum RecordError {
    #[error("the record is cut short")]
    Short,
    #[error("the record's format {0} is newer than this version")]
    Newer(u8),
    #[error("the record's checksum does not match")]
    Checksum,
    #[error("the record cannot be read")]
    Malformed,
}

/// What is stored in front of the body.
#[derive(Serialize, Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    entity: Cow<'a, str>,
    delivery: [u8; 32],
    received_ms: u64,
}

/// Encodes one event.
pub(crate) fn encode(event: &NewEvent) -> Result<Vec<u8>, RecordError> {
    let meta = Meta {
        source: Cow::Borrowed(&event.source),
        topic: Cow::Borrowed(&event.topic),
        entity: Cow::Borrowed(&event.entity),
        delivery: event.delivery,
        received_ms: event.received_ms,
    };
    let mut plain = postcard::to_stdvec(&meta).map_err(|_| RecordError::Malformed)?;
    plain.extend_from_slice(&event.body);
    let packed = compress_prepend_size(&plain);
    let (packing, payload) =
        if packed.len() < plain.len() { (LZ4, packed) } else { (PLAIN, plain) };
    let length = u32::try_from(payload.len()).map_err(|_| RecordError::Malformed)?;
    let mut record = Vec::with_capacity(HEAD_BYTES + payload.len());
    record.extend([VERSION, packing]);
    record.extend(length.to_le_bytes());
    record.extend(checksum(&record, &payload).to_le_bytes());
    record.extend(payload);
    Ok(record)
}

/// Decodes one record.
pub(crate) fn decode(seq: Seq, record: &[u8]) -> Result<Event, RecordError> {
    let head = check(record)?;
    let plain = match head.packing {
        PLAIN => Cow::Borrowed(head.payload),
        LZ4 => Cow::Owned(unpack(head.payload)?),
        _ => return Err(RecordError::Malformed),
    };
    let (meta, body) =
        postcard::take_from_bytes::<Meta<'_>>(&plain).map_err(|_| RecordError::Malformed)?;
    Ok(Event {
        seq,
        source: meta.source.into_owned(),
        topic: meta.topic.into_owned(),
        entity: meta.entity.into_owned(),
        delivery: meta.delivery,
        received_ms: meta.received_ms,
        body: body.to_vec(),
    })
}

/// Returns the checksum of a whole record.
pub(crate) fn check_sum(record: &[u8]) -> Result<u32, RecordError> {
    check(record).map(|head| head.checksum)
}

/// Returns the length a record will have, from the row that begins it.
pub(crate) fn length(first: &[u8]) -> Option<usize> {
    let (_, rest) = first.split_first_chunk::<2>()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_add(HEAD_BYTES)
}

/// Returns the rows of a record, each with its key.
pub(crate) fn rows(seq: Seq, record: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let pieces = record.chunks(VALUE_BYTES_MAX);
    (0..=u16::MAX).zip(pieces).map(move |(piece, bytes)| (key(seq, piece), bytes.to_vec()))
}

/// Returns the key of one piece of a record; keys sort as sequence numbers do.
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

struct Head<'a> {
    packing: u8,
    checksum: u32,
    payload: &'a [u8],
}

fn check(record: &[u8]) -> Result<Head<'_>, RecordError> {
    let (&[version, packing], _) = record.split_first_chunk::<2>().ok_or(RecordError::Short)?;
    if version > VERSION {
        return Err(RecordError::Newer(version));
    }
    let (front, rest) = record.split_first_chunk::<6>().ok_or(RecordError::Short)?;
    let (written, payload) = rest.split_first_chunk::<4>().ok_or(RecordError::Short)?;
    if length(record) != Some(record.len()) {
        return Err(RecordError::Short);
    }
    let written = u32::from_le_bytes(*written);
    if written != checksum(front, payload) {
        return Err(RecordError::Checksum);
    }
    Ok(Head { packing, checksum: written, payload })
}

fn checksum(front: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(front);
    hasher.update(payload);
    hasher.finalize()
}

fn unpack(payload: &[u8]) -> Result<Vec<u8>, RecordError> {
    let (plain_bytes, packed) = uncompressed_size(payload).map_err(|_| RecordError::Malformed)?;
    if plain_bytes > EVENT_BYTES_CEILING + LABEL_BYTES_MAX {
        return Err(RecordError::Malformed);
    }
    decompress(packed, plain_bytes).map_err(|_| RecordError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(body: Vec<u8>) -> NewEvent {
        NewEvent {
            source: "xcart-webhook".to_owned(),
            topic: "order.updated".to_owned(),
            entity: "order/1042".to_owned(),
            delivery: [7; 32],
            received_ms: 1_700_000_000_000,
            body,
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            body in proptest::collection::vec(any::<u8>(), 0..20_000),
            repeat in 1..4_usize,
        ) {
            let new = event(body.repeat(repeat));
            let record = encode(&new).unwrap();
            let got = decode(Seq(9), &record).unwrap();
            prop_assert_eq!(got.body, new.body);
            prop_assert_eq!(got.topic, new.topic);
            prop_assert_eq!(got.seq, Seq(9));
            let joined: Vec<u8> = rows(Seq(9), &record).flat_map(|(_, bytes)| bytes).collect();
            prop_assert_eq!(joined, record);
        }

        #[test]
        fn no_single_altered_bit_is_overlooked(at in 0..60_usize, bit in 0..8_u8) {
            let mut record = encode(&event(b"{\"number\":\"1042\"}".to_vec())).unwrap();
            let at = at % record.len();
            record[at] ^= 1 << bit;
            prop_assert!(decode(Seq(1), &record).is_err());
        }

        #[test]
        fn no_bytes_make_the_decoder_fall(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(Seq(1), &bytes);
        }
    }

    #[test]
    fn a_record_of_a_newer_format_is_refused_by_its_number() {
        let mut record = encode(&event(Vec::new())).unwrap();
        record[0] = VERSION + 1;
        assert_eq!(decode(Seq(1), &record).unwrap_err(), RecordError::Newer(VERSION + 1));
    }

    #[test]
    fn keys_sort_as_sequence_numbers_and_pieces_do() {
        let places = [(1, 0), (1, 1), (1, 256), (2, 0), (255, 3), (256, 0), (u64::MAX, 1)];
        let keys: Vec<_> = places.iter().map(|(seq, piece)| key(Seq(*seq), *piece)).collect();
        assert!(keys.is_sorted());
        for ((seq, piece), key) in places.iter().zip(&keys) {
            assert_eq!(place(key), Some((Seq(*seq), *piece)));
        }
    }
}
