//! Undoes how a document is packed, as it comes. Pure.
//!
//! Guarantees: how it is packed is told from its first bytes; nothing is unpacked beyond the limit
//! of the document, which [`Weighed`] keeps; memory is one piece and, for DEFLATE, its window.

use super::{LargeError, MessageError, Slot, Whole, message::is_zlib};
use data_encoding::{BASE64, HEXLOWER};
use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    inflate::stream::{InflateState, inflate},
};
use sha2::{Digest as _, Sha256};
use std::io::{self, Cursor, Read};

/// Bytes that are read at once.
const PIECE: usize = 8 * 1024;
/// Blanks before a document that are passed over.
const BLANKS_MAX: usize = 64 * 1024;
/// The mark that may stand before the first character.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Returns the document, unpacked and without blanks before it; none where there is nothing else.
pub(super) fn unpacked<'r>(
    from: Box<dyn Read + 'r>,
    slot: &Slot,
) -> io::Result<Option<Box<dyn Read + 'r>>> {
    let Some((start, mut packed)) = begun(from)? else { return Ok(None) };
    if start.starts_with(b"<") {
        return Ok(Some(packed));
    }
    if !is_zlib(&start) {
        let letters = Box::new(Letters::new(packed, slot.clone()));
        let Some((start, plain)) = begun(letters)? else { return Ok(None) };
        // What is neither is no XML, which its reader says.
        if !is_zlib(&start) {
            return Ok(Some(plain));
        }
        packed = plain;
    }
    let stream = begun(Box::new(Inflate::new(packed, slot.clone())))?;
    Ok(stream.map(|(_, plain)| plain))
}

/// Passes over blanks; returns the first bytes after them, and a reader that begins with these.
#[expect(clippy::type_complexity, reason = "what was seen, and everything")]
fn begun<'r>(mut from: Box<dyn Read + 'r>) -> io::Result<Option<(Vec<u8>, Box<dyn Read + 'r>)>> {
    let mut passed = 0_usize;
    loop {
        let mut piece = [0; 64];
        let count = filled(&mut from, &mut piece)?;
        let start = piece.get(..count).unwrap_or_default();
        let text = start.strip_prefix(BOM).unwrap_or(start).trim_ascii_start();
        if count == 0 {
            return Ok(None);
        }
        passed = passed.saturating_add(count);
        if !text.is_empty() || passed > BLANKS_MAX {
            let text = text.to_vec();
            let whole = Cursor::new(text.clone()).chain(from);
            return Ok(Some((text, Box::new(whole))));
        }
    }
}

/// Fills a piece as far as there is something.
fn filled(from: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut count = 0_usize;
    while let Some(rest) = piece.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => count = count.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Undoes Base64; blanks between the letters are passed over.
struct Letters<R> {
    from: R,
    /// Letters that make no whole group yet.
    rest: Vec<u8>,
    ready: Cursor<Vec<u8>>,
    slot: Slot,
}

impl<R: Read> Letters<R> {
    fn new(from: R, slot: Slot) -> Self {
        Self { from, rest: Vec::new(), ready: Cursor::default(), slot }
    }
}

impl<R: Read> Read for Letters<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.ready.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            let mut piece = [0; PIECE];
            let count = filled(&mut self.from, &mut piece)?;
            if count == 0 && self.rest.is_empty() {
                return Ok(0);
            }
            let letters = piece.get(..count).unwrap_or_default().iter().copied();
            self.rest.extend(letters.filter(|letter| !letter.is_ascii_whitespace()));
            // At the end what is left must be whole.
            let whole = if count == 0 { self.rest.len() } else { self.rest.len() / 4 * 4 };
            let group: Vec<u8> = self.rest.drain(..whole).collect();
            let bytes = BASE64.decode(&group);
            let bytes = bytes.map_err(|_| self.slot.fail(MessageError::NotBase64.into()))?;
            self.ready = Cursor::new(bytes);
        }
    }
}

/// Undoes DEFLATE (a zlib stream).
struct Inflate<R> {
    from: R,
    /// What was read and not used yet.
    packed: Vec<u8>,
    state: Box<InflateState>,
    is_done: bool,
    slot: Slot,
}

impl<R: Read> Inflate<R> {
    fn new(from: R, slot: Slot) -> Self {
        let state = InflateState::new_boxed(DataFormat::Zlib);
        Self { from, packed: Vec::new(), state, is_done: false, slot }
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_done && !out.is_empty() {
            let ended = if self.packed.is_empty() {
                let mut piece = [0; PIECE];
                let count = filled(&mut self.from, &mut piece)?;
                self.packed.extend_from_slice(piece.get(..count).unwrap_or_default());
                count == 0
            } else {
                false
            };
            let result = inflate(&mut self.state, &self.packed, out, MZFlush::None);
            self.packed.drain(..result.bytes_consumed.min(self.packed.len()));
            match result.status {
                Ok(MZStatus::StreamEnd) => self.is_done = true,
                // Nothing came of it because nothing was there.
                Ok(MZStatus::Ok) | Err(MZError::Buf) if !ended || result.bytes_written > 0 => {}
                Ok(MZStatus::Ok | MZStatus::NeedDict) | Err(_) => {
                    return Err(self.slot.fail(MessageError::NotDeflate.into()));
                }
            }
            if result.bytes_written > 0 {
                return Ok(result.bytes_written);
            }
        }
        Ok(0)
    }
}

/// Counts a document and hashes it; refuses what is more than it may be.
pub(super) struct Weighed<R> {
    from: R,
    bytes: usize,
    bytes_max: usize,
    hasher: Sha256,
    slot: Slot,
}

impl<R: Read> Weighed<R> {
    /// Begins at nothing.
    pub(super) fn new(from: R, bytes_max: usize, slot: Slot) -> Self {
        Self { from, bytes: 0, bytes_max, hasher: Sha256::new(), slot }
    }

    /// Says what was read.
    pub(super) fn whole(self) -> Whole {
        let bytes = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        Whole { bytes, sha256: HEXLOWER.encode(&self.hasher.finalize()) }
    }
}

impl<R: Read> Read for Weighed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(out)?;
        self.bytes = self.bytes.saturating_add(count);
        if self.bytes > self.bytes_max {
            let error = LargeError::Message(MessageError::TooLarge(self.bytes_max));
            return Err(self.slot.fail(error));
        }
        self.hasher.update(out.get(..count).unwrap_or_default());
        Ok(count)
    }
}
