//! Takes a multipart body apart as it comes (RFC 2046, RFC 7578). Pure.
//!
//! Guarantees: no more is held than a window of [`WINDOW`] bytes; a body that ends too early is
//! an error, never a short part.

use super::{LargeError, MessageError, Slot};
use std::io::{self, BufRead as _, Read};

/// Bytes that are held.
const WINDOW: usize = 16 * 1024;

/// Bytes of the headers of one part.
const HEAD_BYTES_MAX: usize = 4_096;

/// A body in parts. Reading it reads the part it stands in.
pub(super) struct Parts<R> {
    from: io::Chain<&'static [u8], R>,
    /// What stands between two parts.
    between: Vec<u8>,
    window: Vec<u8>,
    slot: Slot,
    at: At,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a part, or before the first one.
    Inside,
    /// At the mark behind a part.
    Mark,
    /// Behind the last one.
    End,
}

impl<R: Read> Parts<R> {
    /// Begins before the first part.
    pub(super) fn new(from: R, boundary: &str, slot: Slot) -> Self {
        let between = [b"\r\n--", boundary.as_bytes()].concat();
        // The first mark stands at the very beginning, without a line before it.
        let from = Read::chain(&b"\r\n"[..], from);
        Self { from, between, window: Vec::new(), slot, at: At::Inside }
    }

    /// Goes to the next part, behind its headers; false when there is none.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        let mut passed = [0; 4_096];
        while self.at == At::Inside && self.read(&mut passed)? > 0 {}
        if self.at == At::End {
            return Ok(false);
        }
        self.fill(self.between.len().saturating_add(2))?;
        self.window.drain(..self.between.len().min(self.window.len()));
        if self.window.starts_with(b"--") {
            self.at = At::End;
            return Ok(false);
        }
        self.fill(HEAD_BYTES_MAX)?;
        let end = find(self.window.get(..HEAD_BYTES_MAX).unwrap_or(&self.window), b"\r\n\r\n");
        let Some(end) = end else { return Err(self.cut_short()) };
        self.window.drain(..end.saturating_add(4));
        self.at = At::Inside;
        Ok(true)
    }

    /// Whether the first byte of the part that is no blank is this one; nothing is taken.
    pub(super) fn begins_with(&mut self, wanted: u8) -> io::Result<bool> {
        self.fill(WINDOW)?;
        let first = self.window.iter().find(|byte| !byte.is_ascii_whitespace());
        Ok(first == Some(&wanted))
    }

    /// Reads until so much is held, or there is no more.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        let mut piece = [0; 4_096];
        while self.window.len() < bytes {
            match self.from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.window.extend_from_slice(piece.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn cut_short(&self) -> io::Error {
        self.slot.fail(LargeError::Message(MessageError::CutShort))
    }
}

impl<R: Read> Read for Parts<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at != At::Inside || out.is_empty() {
            return Ok(0);
        }
        self.fill(WINDOW)?;
        // A mark that begins in what is held may end behind it.
        let safe = match find(&self.window, &self.between) {
            Some(0) => {
                self.at = At::Mark;
                return Ok(0);
            }
            Some(end) => end,
            None => self.window.len().saturating_sub(self.between.len().saturating_sub(1)),
        };
        if safe == 0 {
            return Err(self.cut_short());
        }
        let count = safe.min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), self.window.get(..count)) {
            to.copy_from_slice(from);
        }
        self.window.drain(..count);
        Ok(count)
    }
}

/// Finds what begins with a carriage return, and jumps from one to the next.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut rest = text;
    loop {
        // A slice can always be read.
        let passed = rest.skip_until(b'\r').ok().filter(|passed| *passed > 0)?;
        let at = text.len().checked_sub(rest.len())?.checked_sub(1)?;
        let found = text.get(at..).filter(|found| found.starts_with(wanted));
        if passed > 0 && found.is_some() {
            return Some(at);
        }
    }
}
