//! Writes an extract of a document while it is read: what the hints and the
//! variations need, as a document of its own. Pure.
//!
//! Guarantees: an extract says the same hints as its document. What is kept of a line is kept
//! once, however many lines say it; of an inventory's lines the first is kept, since only that
//! something changed is believed of them. One text or tag is held at a time.

use super::{LargeError, Slot};
use crate::connector::ion::{
    bod,
    xml::{self, Limits, Sink, Vocabulary, XmlError, known, malformed, more},
};
use quick_xml::{Reader, escape::escape, events::BytesStart};
use sha2::{Digest as _, Sha256};
use std::{
    cell::Cell,
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read},
    rc::Rc,
};

/// Bytes that a tag may be longer than the longest text.
const TAG_BYTES: usize = 4 * 1024;

/// What is kept. Both lists are sorted.
const WORDS: Vocabulary = Vocabulary {
    elements: &[
        "AccountingEntityID",
        "ActionCriteria",
        "ActionExpression",
        "AlternateDocumentID",
        "ApplicationArea",
        "BOD",
        "BODFailureMessage",
        "BODID",
        "BillToPartyMaster",
        "Confirm",
        "CreationDateTime",
        "CustomerPartyMaster",
        "DataArea",
        "Description",
        "DocumentID",
        "DocumentReference",
        "ErrorProcessMessage",
        "ID",
        "InventoryAdjustment",
        "InventoryAdjustmentHeader",
        "InventoryAdjustmentLine",
        "InventoryCount",
        "InventoryCountHeader",
        "InventoryCountLine",
        "Invoice",
        "InvoiceHeader",
        "InvoiceLine",
        "Item",
        "ItemID",
        "ItemMaster",
        "ItemMasterHeader",
        "LogicalID",
        "NounFailureMessage",
        "OriginalApplicationArea",
        "PartyIDs",
        "PayFromPartyMaster",
        "ReasonCode",
        "SalesOrder",
        "SalesOrderHeader",
        "SalesOrderReference",
        "Sender",
        "ShipToPartyMaster",
        "Shipment",
        "ShipmentHeader",
        "ShipmentItem",
        "Show",
        "Sync",
        "TenantID",
    ],
    attributes: &[
        "accountingEntity",
        "actionCode",
        "agencyRole",
        "location",
        "type",
        "variationID",
    ],
};

/// Elements of which only some parts are kept.
const NARROW: [(&str, &[&str]); 3] = [
    ("InvoiceLine", &["DocumentReference", "SalesOrderReference"]),
    ("ItemMasterHeader", &["ItemID"]),
    ("ShipmentItem", &["DocumentReference"]),
];

/// Elements that are kept once of those that are equal.
const DISTINCT: [&str; 3] = ["DocumentReference", "InvoiceLine", "ShipmentItem"];

/// Elements of which the first is enough.
const FIRST: [&str; 2] = ["InventoryAdjustmentLine", "InventoryCountLine"];

/// Reads a document to its end; returns the extract.
pub(super) fn extract(
    from: &mut impl Read,
    limits: &Limits,
    slot: &Slot,
) -> Result<Vec<u8>, LargeError> {
    let most = limits.text_bytes_max.saturating_add(TAG_BYTES);
    let left = Rc::new(Cell::new(most));
    let rationed = Rationed {
        from: BufReader::new(from),
        left: Rc::clone(&left),
        error: XmlError::TooLong(limits.text_bytes_max),
        slot: slot.clone(),
    };
    let mut reader = Reader::from_reader(rationed);
    let mut writer = Writer::new(*limits);
    let mut held = Vec::new();
    loop {
        held.clear();
        left.set(most);
        let read = reader.read_event_into(&mut held);
        if matches!(read, Err(quick_xml::Error::Io(_))) {
            return Err(slot.reason());
        }
        let Some(event) = more(read)? else { return writer.end() };
        let taken = xml::take(&event, &mut writer);
        if let Some(refused) = writer.refused.take() {
            return Err(refused);
        }
        taken?;
    }
}

/// Gives no more than a ration at a time, so that no text or tag is gathered beyond it.
struct Rationed<R> {
    from: BufReader<R>,
    left: Rc<Cell<usize>>,
    error: XmlError,
    slot: Slot,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut given = self.fill_buf()?;
        let count = given.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Rationed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.left.get();
        if left == 0 {
            return Err(self.slot.fail(self.error.clone().into()));
        }
        let held = self.from.fill_buf()?;
        Ok(held.get(..held.len().min(left)).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left.set(self.left.get().saturating_sub(count));
        self.from.consume(count);
    }
}

/// An element that is open and kept.
struct Open {
    name: String,
    /// Where it begins in the extract.
    at: usize,
}

struct Writer {
    limits: Limits,
    out: String,
    open: Vec<Open>,
    /// How many are open within the last of them that are not kept.
    passed: usize,
    /// Bytes of the text of the last of them.
    text: usize,
    /// Hashes of what is kept once, of this document.
    seen: BTreeSet<[u8; 32]>,
    is_done: bool,
    refused: Option<LargeError>,
}

impl Writer {
    fn new(limits: Limits) -> Self {
        let (out, open, seen) = (String::new(), Vec::new(), BTreeSet::new());
        Self { limits, out, open, passed: 0, text: 0, seen, is_done: false, refused: None }
    }

    /// Whether an element is kept where it stands.
    fn is_kept(&self, name: &str) -> bool {
        let parent = self.open.last().map_or("", |open| open.name.as_str());
        let narrow = NARROW.iter().find(|(of, _)| *of == parent);
        known(WORDS.elements, name).is_some()
            && narrow.is_none_or(|(_, parts)| parts.contains(&name))
    }

    fn begin(&mut self, start: &BytesStart<'_>, name: &str) -> Result<(), XmlError> {
        let attributes = xml::attributes(start, WORDS, &self.limits)?;
        let at = self.out.len();
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            for piece in [" ", name, "=\"", escape(value).as_ref(), "\""] {
                self.out.push_str(piece);
            }
        }
        self.out.push('>');
        self.open.push(Open { name: name.to_owned(), at });
        self.text = 0;
        self.measure();
        Ok(())
    }

    /// Takes back what was kept already.
    fn forget_again(&mut self, name: &str, at: usize) {
        let is_first = FIRST.contains(&name);
        if !is_first && !DISTINCT.contains(&name) {
            return;
        }
        let written = if is_first { name } else { self.out.get(at..).unwrap_or_default() };
        // Where it stands counts: the same reference of another document is another one.
        let within = self.open.last().map_or(0, |open| open.at);
        let mut hasher = Sha256::new();
        hasher.update(u64::try_from(within).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(written.as_bytes());
        if !self.seen.insert(hasher.finalize().into()) {
            self.out.truncate(at);
        }
    }

    fn measure(&mut self) {
        if self.out.len() > self.limits.bytes_max {
            self.refused = Some(LargeError::Extract(self.limits.bytes_max));
        }
    }

    fn end(self) -> Result<Vec<u8>, LargeError> {
        if self.is_done {
            return Ok(self.out.into_bytes());
        }
        let why = if self.out.is_empty() { "it has no element" } else { "it ends too early" };
        Err(XmlError::Malformed(why.to_owned()).into())
    }
}

impl Sink for Writer {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        if self.open.len().saturating_add(self.passed) >= self.limits.depth_max {
            return Err(XmlError::TooDeep(self.limits.depth_max));
        }
        let local = start.local_name();
        let local: &str = local.as_ref();
        if self.open.is_empty() {
            if self.is_done {
                return Err(XmlError::Malformed("it has two outermost elements".to_owned()));
            }
            // What nobody reads need not be read to its end.
            if let Err(refused) = bod::name(local) {
                self.refused = Some(refused.into());
                return Ok(());
            }
            return self.begin(start, local);
        }
        if self.passed == 0 && self.is_kept(local) {
            return self.begin(start, local);
        }
        xml::attributes(start, WORDS, &self.limits)?;
        self.passed = self.passed.saturating_add(1);
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        if self.passed > 0 {
            self.passed = self.passed.saturating_sub(1);
            return Ok(());
        }
        let Some(Open { name, at }) = self.open.pop() else { return Ok(()) };
        for piece in ["</", &name, ">"] {
            self.out.push_str(piece);
        }
        self.forget_again(&name, at);
        self.is_done = self.open.is_empty();
        self.measure();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if self.open.is_empty() {
            return match text.trim() {
                "" => Ok(()),
                _ => Err(malformed(&io::Error::other("it has text outside of its elements"))),
            };
        }
        if self.passed > 0 || text.trim().is_empty() {
            return Ok(());
        }
        self.text = self.text.saturating_add(text.len());
        if self.text > self.limits.text_bytes_max {
            return Err(XmlError::TooLong(self.limits.text_bytes_max));
        }
        self.out.push_str(escape(text).as_ref());
        self.measure();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_sorted_so_that_they_are_found() {
        for list in [WORDS.elements, WORDS.attributes] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }
}
