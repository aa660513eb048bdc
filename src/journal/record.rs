//! The written form of one event: a format version, postcard, zstd or lz4, and a CRC-32.
//!
//! Guarantees: a record that decodes is the one that was encoded; a record of a newer format is
//! refused, never guessed at; no row is longer than `VALUE_BYTES_MAX`. Pure.

use super::{Event, NewEvent, Seq};
use lz4_flex::block::{compress_into, decompress, get_maximum_output_size};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, cell::RefCell};
use thiserror::Error;
use zstd::bulk::{Compressor, Decompressor};

/// The longest value given to the store.
///
/// A leaf of the store may be written whole with up to 20 entries, and becomes a file that is never
/// synced at 131,067 bytes (docs/adr/0001-sled.md).
pub(crate) const VALUE_BYTES_MAX: usize = 6_000;

/// The largest event any configuration may allow.
pub(crate) const EVENT_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// Room for source, topic, entity and the fixed fields of an event.
pub(crate) const LABEL_BYTES_MAX: usize = 1_024;

/// The newest version; a record that an older one can read is still written with that number.
const VERSION: u8 = 2;
/// Knows plain bytes and lz4.
const VERSION_LZ4: u8 = 1;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// Since version 2.
const ZSTD: u8 = 2;
const ZSTD_LEVEL: i32 = 1;
/// Before packed bytes: how many they were.
const LENGTH_BYTES: usize = 4;
/// Version, packing, stored length, checksum.
const HEAD_BYTES: usize = 10;
const KEY_BYTES: usize = 10;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Bytes are missing at the end.
    #[error("the record is cut short")]
    Short,
    /// A newer version wrote it.
    #[error("the record's format {0} is newer than this version")]
    Newer(u8),
    /// A byte is not what was written.
    #[error("the record's checksum does not match")]
    Checksum,
    /// It is whole and yet not an event.
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

/// How the bytes of a record are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// As they are.
    None,
    /// Fast; JSON shrinks to about a half.
    Lz4,
    /// JSON shrinks to about a third, so that least is written.
    Zstd,
}

thread_local! {
    /// Making these takes longer than using them.
    static PACKER: RefCell<Option<Compressor<'static>>> =
        RefCell::new(Compressor::new(ZSTD_LEVEL).ok());
    static UNPACKER: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::new().ok());
}

/// Encodes one event; what does not shrink is stored as it is.
pub fn encode(event: &NewEvent, packing: Packing) -> Result<Vec<u8>, RecordError> {
    let meta = Meta {
        source: Cow::Borrowed(&event.source),
        topic: Cow::Borrowed(&event.topic),
        entity: Cow::Borrowed(&event.entity),
        delivery: event.delivery,
        received_ms: event.received_ms,
    };
    let plain = Vec::with_capacity(LABEL_BYTES_MAX.saturating_add(event.body.len()));
    let mut plain = postcard::to_extend(&meta, plain).map_err(|_| RecordError::Malformed)?;
    plain.extend_from_slice(&event.body);
    let (version, packing, mut record) = match packing {
        Packing::None => None,
        Packing::Lz4 => pack_lz4(&plain).map(|record| (VERSION_LZ4, LZ4, record)),
        Packing::Zstd => pack_zstd(&plain).map(|record| (VERSION, ZSTD, record)),
    }
    .filter(|(_, _, record)| record.len() < HEAD_BYTES.saturating_add(plain.len()))
    .unwrap_or_else(|| (VERSION_LZ4, PLAIN, [&[0; HEAD_BYTES], plain.as_slice()].concat()));
    let (front, rest) = record.split_first_chunk_mut::<6>().ok_or(RecordError::Malformed)?;
    let (sum, payload) = rest.split_first_chunk_mut::<4>().ok_or(RecordError::Malformed)?;
    let length = u32::try_from(payload.len()).map_err(|_| RecordError::Malformed)?;
    let mut bytes = [version, packing].into_iter().chain(length.to_le_bytes());
    front.fill_with(|| bytes.next().unwrap_or(0));
    *sum = checksum(front, payload).to_le_bytes();
    record.shrink_to_fit();
    Ok(record)
}

/// Returns room for the head, the plain length and what a packer fills in; `None` if it fails.
fn pack(
    plain: &[u8],
    bound: usize,
    fill: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<Vec<u8>> {
    let plain_bytes = u32::try_from(plain.len()).ok()?;
    let begin = HEAD_BYTES + LENGTH_BYTES;
    let mut record = vec![0; begin.checked_add(bound)?];
    record.get_mut(HEAD_BYTES..begin)?.copy_from_slice(&plain_bytes.to_le_bytes());
    let packed_bytes = fill(record.get_mut(begin..)?)?;
    record.truncate(begin.checked_add(packed_bytes)?);
    Some(record)
}

fn pack_lz4(plain: &[u8]) -> Option<Vec<u8>> {
    pack(plain, get_maximum_output_size(plain.len()), |room| compress_into(plain, room).ok())
}

fn pack_zstd(plain: &[u8]) -> Option<Vec<u8>> {
    // What is longer than the plain bytes is of no use, so there is no room for it either.
    pack(plain, plain.len(), |room| {
        PACKER.with_borrow_mut(|packer| packer.as_mut()?.compress_to_buffer(plain, room).ok())
    })
}

/// Decodes one record.
pub fn decode(seq: Seq, record: &[u8]) -> Result<Event, RecordError> {
    let head = check(record)?;
    let plain = match head.packing {
        PLAIN => Cow::Borrowed(head.payload),
        LZ4 => Cow::Owned(unpack(head.payload, |packed, bytes| decompress(packed, bytes).ok())?),
        ZSTD => Cow::Owned(unpack(head.payload, unpack_zstd)?),
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

fn unpack(
    payload: &[u8],
    expand: impl FnOnce(&[u8], usize) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, RecordError> {
    let (plain_bytes, packed) =
        payload.split_first_chunk::<LENGTH_BYTES>().ok_or(RecordError::Malformed)?;
    let plain_bytes =
        usize::try_from(u32::from_le_bytes(*plain_bytes)).map_err(|_| RecordError::Malformed)?;
    if plain_bytes > EVENT_BYTES_CEILING + LABEL_BYTES_MAX {
        return Err(RecordError::Malformed);
    }
    let plain = expand(packed, plain_bytes).ok_or(RecordError::Malformed)?;
    if plain.len() == plain_bytes { Ok(plain) } else { Err(RecordError::Malformed) }
}

fn unpack_zstd(packed: &[u8], plain_bytes: usize) -> Option<Vec<u8>> {
    UNPACKER.with_borrow_mut(|unpacker| unpacker.as_mut()?.decompress(packed, plain_bytes).ok())
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
            packing in proptest::sample::select(&[Packing::None, Packing::Lz4, Packing::Zstd]),
        ) {
            let new = event(body.repeat(repeat));
            let record = encode(&new, packing).unwrap();
            let got = decode(Seq(9), &record).unwrap();
            prop_assert_eq!(got.body, new.body);
            prop_assert_eq!(got.topic, new.topic);
            prop_assert_eq!(got.seq, Seq(9));
            let joined: Vec<u8> = rows(Seq(9), &record).flat_map(|(_, bytes)| bytes).collect();
            prop_assert_eq!(joined, record);
        }

        #[test]
        fn no_single_altered_bit_is_overlooked(at in 0..90_usize, bit in 0..8_u8) {
            let body = b"{\"number\":\"1042\"}".repeat(5);
            let mut record = encode(&event(body), Packing::Zstd).unwrap();
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
        let mut record = encode(&event(Vec::new()), Packing::Zstd).unwrap();
        record[0] = VERSION + 1;
        assert_eq!(decode(Seq(1), &record).unwrap_err(), RecordError::Newer(VERSION + 1));
    }

    #[test]
    fn a_record_carries_the_oldest_version_that_can_read_it() {
        let text = b"{\"number\":\"1042\",\"total\":\"12.00\"}".repeat(9);
        let mut random = fastrand::Rng::with_seed(5);
        let noise: Vec<u8> = (0..300).map(|_| random.u8(..)).collect();
        for (packing, body, want) in [
            (Packing::None, &text, (1, PLAIN)),
            (Packing::Lz4, &text, (1, LZ4)),
            (Packing::Zstd, &text, (2, ZSTD)),
            (Packing::Lz4, &noise, (1, PLAIN)),
            (Packing::Zstd, &noise, (1, PLAIN)),
        ] {
            let mut new = event(body.clone());
            new.delivery = std::array::from_fn(|_| random.u8(..));
            let record = encode(&new, packing).unwrap();
            assert_eq!((record[0], record[1]), want, "{packing:?}");
            assert_eq!(decode(Seq(1), &record).unwrap().body, *body, "{packing:?}");
        }
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
