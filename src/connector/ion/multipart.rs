//! Takes a multipart body apart (RFC 2046, RFC 7578). Pure.
//!
//! Guarantees: parts are slices of the body; there are at most [`PARTS_MAX`]; a boundary that
//! is not there, or a body that ends too early, is refused.

use super::message::MessageError;

/// The most parts; a message has two.
pub(super) const PARTS_MAX: usize = 8;

/// Bytes of the headers of one part.
const HEAD_BYTES_MAX: usize = 4_096;

/// Reads the boundary out of a content type.
pub(super) fn boundary(content_type: &str) -> Result<&str, MessageError> {
    let mut pieces = content_type.split(';').map(str::trim);
    let kind = pieces.next().unwrap_or_default();
    let is_multipart = kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"));
    if !is_multipart {
        return Err(MessageError::NotMultipart);
    }
    let is_boundary =
        |piece: &&str| piece.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("boundary="));
    let found = pieces.find(is_boundary).and_then(|piece| piece.get(9..));
    let found = found.map(|text| text.trim_matches('"'));
    found.filter(|text| (1..=70).contains(&text.len())).ok_or(MessageError::NotMultipart)
}

/// Returns the contents of every part, without their headers.
pub(super) fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<&'a [u8]>, MessageError> {
    let mark = format!("--{boundary}").into_bytes();
    let mut rest = match find(body, &mark) {
        Some(at) => body.get(at.saturating_add(mark.len())..).unwrap_or_default(),
        None => return Err(MessageError::NotMultipart),
    };
    // Within the body a boundary stands at the beginning of a line.
    let between = [b"\r\n", mark.as_slice()].concat();
    let mut found = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(found);
        }
        if found.len() >= PARTS_MAX {
            return Err(MessageError::TooManyParts);
        }
        let end = find(rest, &between).ok_or(MessageError::CutShort)?;
        let part = rest.get(..end).unwrap_or_default();
        found.push(content(part)?);
        rest = rest.get(end.saturating_add(between.len())..).unwrap_or_default();
    }
}

/// What follows the headers, which an empty line ends.
fn content(part: &[u8]) -> Result<&[u8], MessageError> {
    let part = part.strip_prefix(b"\r\n").ok_or(MessageError::CutShort)?;
    if let Some(content) = part.strip_prefix(b"\r\n") {
        return Ok(content);
    }
    let head = part.get(..part.len().min(HEAD_BYTES_MAX)).unwrap_or_default();
    let end = find(head, b"\r\n\r\n").ok_or(MessageError::CutShort)?;
    Ok(part.get(end.saturating_add(4)..).unwrap_or_default())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
