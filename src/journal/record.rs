//! The written form of one event: a format version, postcard, zstd or lz4, and a CRC-32.
//!
//! Guarantees: a record that decodes is the one that was encoded; a record of a newer format is
//! refused, never guessed at. Pure.

use super::{Event, NewEvent, Seq};
use lz4_flex::block::{compress_into, decompress, get_maximum_output_size};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, cell::RefCell, sync::LazyLock, thread::LocalKey};
use thiserror::Error;
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

/// The largest event any configuration may allow.
pub(crate) const EVENT_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// Room for source, topic, entity and the fixed fields of an event.
pub(crate) const LABEL_BYTES_MAX: usize = 1_024;

/// Since 3 records share rows, which an older version would take for damage; so it is told.
const VERSION: u8 = 3;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// zstd without a dictionary, of version 2; only read.
const ZSTD_ALONE: u8 = 2;
/// zstd with `DICTIONARY`, since version 3.
const ZSTD: u8 = 3;
const ZSTD_LEVEL: i32 = 1;

/// What orders, customers and items of a shop have in common (reference/xcart.md 3 to 5), so that it
/// need not be in each record. A part of the format: another one needs a number of its own.
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

static PACKING: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, ZSTD_LEVEL));
static UNPACKING: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

/// Before packed bytes: how many they were.
const LENGTH_BYTES: usize = 4;
/// Version, packing, stored length, checksum.
const HEAD_BYTES: usize = 10;

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
        RefCell::new(Compressor::with_prepared_dictionary(&PACKING).ok());
    static UNPACKER: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::with_prepared_dictionary(&UNPACKING).ok());
    static UNPACKER_ALONE: RefCell<Option<Decompressor<'static>>> =
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
    let (packing, mut record) = match packing {
        Packing::None => None,
        Packing::Lz4 => pack_lz4(&plain).map(|record| (LZ4, record)),
        Packing::Zstd => pack_zstd(&plain).map(|record| (ZSTD, record)),
    }
    .filter(|(_, record)| record.len() < HEAD_BYTES.saturating_add(plain.len()))
    .unwrap_or_else(|| (PLAIN, [&[0; HEAD_BYTES], plain.as_slice()].concat()));
    let (front, rest) = record.split_first_chunk_mut::<6>().ok_or(RecordError::Malformed)?;
    let (sum, payload) = rest.split_first_chunk_mut::<4>().ok_or(RecordError::Malformed)?;
    let length = u32::try_from(payload.len()).map_err(|_| RecordError::Malformed)?;
    let mut bytes = [VERSION, packing].into_iter().chain(length.to_le_bytes());
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
        ZSTD_ALONE => Cow::Owned(unpack(head.payload, unpack_zstd(&UNPACKER_ALONE))?),
        ZSTD => Cow::Owned(unpack(head.payload, unpack_zstd(&UNPACKER))?),
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

type Unpacker = LocalKey<RefCell<Option<Decompressor<'static>>>>;

fn unpack_zstd(unpacker: &'static Unpacker) -> impl FnOnce(&[u8], usize) -> Option<Vec<u8>> {
    |packed, plain_bytes| {
        unpacker.with_borrow_mut(|it| it.as_mut()?.decompress(packed, plain_bytes).ok())
    }
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
    fn what_does_not_shrink_is_stored_as_it_is() {
        let text = b"{\"number\":\"1042\",\"total\":\"12.00\"}".repeat(9);
        let mut random = fastrand::Rng::with_seed(5);
        let noise: Vec<u8> = (0..300).map(|_| random.u8(..)).collect();
        for (packing, body, want) in [
            (Packing::None, &text, PLAIN),
            (Packing::Lz4, &text, LZ4),
            (Packing::Zstd, &text, ZSTD),
            (Packing::Lz4, &noise, PLAIN),
            (Packing::Zstd, &noise, PLAIN),
        ] {
            let mut new = event(body.clone());
            new.delivery = std::array::from_fn(|_| random.u8(..));
            let record = encode(&new, packing).unwrap();
            assert_eq!((record[0], record[1]), (VERSION, want), "{packing:?}");
            assert_eq!(decode(Seq(1), &record).unwrap().body, *body, "{packing:?}");
        }
    }

    #[test]
    fn the_dictionary_is_the_one_that_records_were_written_with() {
        assert_eq!(crc32fast::hash(DICTIONARY), 3_325_937_213);
    }
}
