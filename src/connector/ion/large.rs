//! Reads a message whose document is larger than is held in memory: as it comes, keeping an extract
//! (reference/m3.md 7.3 and 7.5). Pure: the bytes come from whoever calls.
//!
//! What this module guarantees:
//! 1. Memory does not grow with the document: held are one text or tag, the extract, and a few
//!    tens of kilobytes.
//! 2. The extract is a document itself, and says the same hints, numbers and variations as the
//!    whole one; beside it stands how large that was, with its hash.
//! 3. What is refused of a small document is refused here; only elements that are passed over
//!    are not counted.
//! 4. How a document is packed is told from its first bytes, since what is said of it may follow.

mod extract;
mod parts;
mod unpack;

use self::{
    extract::extract,
    parts::Parts,
    unpack::{Weighed, unpacked},
};
use super::{
    bod::BodError,
    message::{self, Head, Message, MessageError, Whole},
    multipart::{PARTS_MAX, boundary},
    xml,
};
use std::{
    cell::RefCell,
    io::{self, Read},
    rc::Rc,
};
use thiserror::Error;

/// Bytes of the part that says what the document is.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What one large document may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole document, unpacked.
    pub bytes_max: usize,
    /// What holds for the extract, and for depth, attributes and texts of the whole.
    pub xml: xml::Limits,
}

/// Why a large document cannot be taken. The text continues "could not take it: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LargeError {
    /// The message cannot be read.
    #[error("the message cannot be read: {0}")]
    Message(#[from] MessageError),
    /// The document cannot be taken.
    #[error("{0}")]
    Bod(#[from] BodError),
    /// Even the extract is large.
    #[error("what has to be kept of the document is larger than {0} bytes")]
    Extract(usize),
    /// It ended before its end.
    #[error("it ended early")]
    CutShort,
}

impl From<xml::XmlError> for LargeError {
    fn from(error: xml::XmlError) -> Self {
        Self::Bod(error.into())
    }
}

/// How a large message comes.
#[derive(Clone, Debug)]
pub enum Form {
    /// Two parts, under this content type.
    Multipart(String),
    /// The document itself, with names and values that stand beside it.
    Bare(Vec<(String, String)>),
}

/// Where readers that lie within each other leave the reason of a failure: what reads them knows
/// errors of input only.
#[derive(Clone, Debug, Default)]
struct Slot(Rc<RefCell<Option<LargeError>>>);

impl Slot {
    /// Leaves a reason, unless there is one; returns what is given to the reader above.
    fn fail(&self, error: LargeError) -> io::Error {
        self.0.borrow_mut().get_or_insert(error);
        io::Error::from(io::ErrorKind::InvalidData)
    }

    /// Returns the reason that was left, or that input ended.
    fn reason(&self) -> LargeError {
        self.0.borrow_mut().take().unwrap_or(LargeError::CutShort)
    }
}

/// Reads a message to its end.
pub fn read(form: &Form, from: impl Read, limits: &Limits) -> Result<Message, LargeError> {
    let slot = Slot::default();
    match form {
        Form::Bare(said) => {
            let said = said.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let (head, packed) = message::beside(said);
            packed.encoding()?;
            message_of(head, document(from, limits, &slot)?)
        }
        Form::Multipart(kind) => {
            let parts = Parts::new(from, boundary(kind)?, slot.clone());
            of_parts(parts, limits, &slot)
        }
    }
}

fn message_of(head: Head, document: Option<(Vec<u8>, Whole)>) -> Result<Message, LargeError> {
    let (document, whole) = document.ok_or(MessageError::NoDocument)?;
    Ok(Message { head, document, extract_of: Some(whole) })
}

/// Reads the parts; which is which is told from their first bytes.
fn of_parts(
    mut parts: Parts<impl Read>,
    limits: &Limits,
    slot: &Slot,
) -> Result<Message, LargeError> {
    let mut said = None;
    let mut payload = None;
    let mut count = 0_usize;
    while parts.advance().map_err(|_| slot.reason())? {
        count = count.saturating_add(1);
        if count > PARTS_MAX {
            return Err(MessageError::TooManyParts.into());
        }
        if said.is_none() && parts.begins_with(b'{').map_err(|_| slot.reason())? {
            said = Some(head(&mut parts, slot)?);
        } else if payload.is_none() {
            payload = document(&mut parts, limits, slot)?;
        }
    }
    let said: message::Wire = said.ok_or(MessageError::NotJson { line: 1, column: 1 })?;
    let head = Head::from(&said);
    said.document.unwrap_or_default().encoding()?;
    message_of(head, payload)
}

fn head(part: &mut impl Read, slot: &Slot) -> Result<message::Wire, LargeError> {
    let mut text = Vec::new();
    let most = u64::try_from(HEAD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    part.take(most).read_to_end(&mut text).map_err(|_| slot.reason())?;
    if text.len() > HEAD_BYTES_MAX {
        return Err(MessageError::HeadTooLong(HEAD_BYTES_MAX).into());
    }
    let wire = message::wire(&text)?;
    if wire.is_one() { Ok(wire) } else { Err(MessageError::NotJson { line: 1, column: 1 }.into()) }
}

/// Reads a document; none where there is nothing but blanks.
fn document(
    from: impl Read,
    limits: &Limits,
    slot: &Slot,
) -> Result<Option<(Vec<u8>, Whole)>, LargeError> {
    let plain = unpacked(Box::new(from), slot).map_err(|_| slot.reason())?;
    let Some(plain) = plain else { return Ok(None) };
    let mut weighed = Weighed::new(plain, limits.bytes_max, slot.clone());
    let document = extract(&mut weighed, &limits.xml, slot)?;
    Ok(Some((document, weighed.whole())))
}

#[cfg(test)]
mod tests;
