//! The small parts that several documents have: numbers, parties, amounts. Pure.
//!
//! What cannot be read is absent, never guessed: a document is a hint.

use super::xml::Element;
use rust_decimal::Decimal;

/// Characters of an id, a code or a name that are kept; what is longer is no id of M3's.
const CHARS_MAX: usize = 100;

/// The number of a document, as `DocumentID/ID` gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentId {
    /// The number.
    pub id: String,
    /// Whose it is: `100_AAA`.
    pub accounting_entity: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// How often it changed.
    pub variation: Option<u64>,
}

/// Another number of the same document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlternateId {
    /// Whose it is: `Customer`.
    pub role: Option<String>,
    /// The number.
    pub id: String,
}

/// A decimal with its unit or currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// How much.
    pub value: Decimal,
    /// Of which unit or currency, if it is said.
    pub unit: Option<String>,
}

/// Somebody, as far as one can be known by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// M3's number.
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
}

/// Reads a text that is to be a number, a code or a name.
pub(super) fn word(element: &Element, path: &[&str]) -> Option<String> {
    element.text_at(path).and_then(clean)
}

/// Takes a text that has no control character and is not too long.
pub(super) fn clean(text: &str) -> Option<String> {
    let text = text.trim();
    let good = !text.is_empty()
        && text.chars().count() <= CHARS_MAX
        && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

/// Reads `DocumentID` below a header.
pub(super) fn document_id(header: &Element) -> Option<DocumentId> {
    header.all("DocumentID").find_map(id_of)
}

fn id_of(document: &Element) -> Option<DocumentId> {
    document.all("ID").find_map(|id| {
        let said = |name| id.attribute(name).and_then(clean);
        Some(DocumentId {
            id: clean(id.text()?)?,
            accounting_entity: said("accountingEntity"),
            location: said("location"),
            variation: id.attribute("variationID").and_then(|text| text.parse().ok()),
        })
    })
}

/// Reads every `AlternateDocumentID`.
pub(super) fn alternates(header: &Element) -> Vec<AlternateId> {
    let read = |alternate: &Element| {
        let role = alternate.attribute("agencyRole").and_then(clean);
        Some(AlternateId { role, id: word(alternate, &["ID"])? })
    };
    header.all("AlternateDocumentID").filter_map(read).collect()
}

/// Reads the numbers of the documents of this kind that are referred to, each once.
pub(super) fn references(element: &Element, kind: &str) -> Vec<String> {
    let of_kind = |reference: &&Element| reference.attribute("type") == Some(kind);
    let read = |reference: &Element| word(reference, &["DocumentID", "ID"]);
    let mut found = Vec::new();
    for id in element.all("DocumentReference").filter(of_kind).filter_map(read) {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// Reads a party.
pub(super) fn party(element: &Element, name: &str) -> Party {
    element.at(&[name]).map(party_itself).unwrap_or_default()
}

/// Reads an element that is a party.
pub(super) fn party_itself(element: &Element) -> Party {
    Party { id: word(element, &["PartyIDs", "ID"]), name: word(element, &["Name"]) }
}

/// Reads an amount or a quantity.
pub(super) fn measure(element: &Element, path: &[&str]) -> Option<Measure> {
    let element = element.at(path)?;
    let unit = ["currencyID", "unitCode"].into_iter().find_map(|name| element.attribute(name));
    Some(Measure { value: decimal(element.text()?)?, unit: unit.and_then(clean) })
}

/// Reads a decimal with a point, exactly; a sign may stand before it.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    Decimal::from_str_exact(text.strip_prefix('+').unwrap_or(text)).ok()
}

/// Reads the item of a line.
pub(super) fn item(line: &Element) -> Option<String> {
    word(line, &["Item", "ItemID", "ID"]).or_else(|| word(line, &["ItemID", "ID"]))
}
