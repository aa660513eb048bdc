//! A business object document: its envelope and the documents in it (reference/m3.md 8.1). Pure.
//!
//! Guarantees: `Sync` and `Show` are taken for the state of a document, `Delete` for its end,
//! `Confirm` for an answer; every other verb is refused by its name. Several documents in one
//! envelope are all read.

use super::{
    noun::{Confirmation, Inventory, Invoice, ItemMaster, PartyMaster, SalesOrder, Shipment},
    part::{DocumentId, clean, word},
    words::WORDS,
    xml::{self, Element, Limits, XmlError},
};
use thiserror::Error;

/// Documents that one envelope may have.
pub const DOCUMENTS_MAX: usize = 1_000;

/// What an envelope says of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The state, because it changed.
    Sync,
    /// The state, because it was asked for.
    Show,
    /// An answer to a document of ours.
    Confirm,
}

impl Verb {
    /// Returns the name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sync => "Sync",
            Self::Show => "Show",
            Self::Confirm => "Confirm",
        }
    }
}

/// The kinds of documents that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// A customer's order.
    SalesOrder,
    /// A delivery.
    Shipment,
    /// An item.
    ItemMaster,
    /// A customer.
    CustomerPartyMaster,
    /// Who gets the invoice.
    BillToPartyMaster,
    /// Who pays.
    PayFromPartyMaster,
    /// Who gets the goods.
    ShipToPartyMaster,
    /// A count of stock.
    InventoryCount,
    /// A correction of stock.
    InventoryAdjustment,
    /// An invoice.
    Invoice,
    /// An answer.
    Bod,
}

impl Noun {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::SalesOrder,
        Self::Shipment,
        Self::ItemMaster,
        Self::CustomerPartyMaster,
        Self::BillToPartyMaster,
        Self::PayFromPartyMaster,
        Self::ShipToPartyMaster,
        Self::InventoryCount,
        Self::InventoryAdjustment,
        Self::Invoice,
        Self::Bod,
    ];

    /// Returns the name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SalesOrder => "SalesOrder",
            Self::Shipment => "Shipment",
            Self::ItemMaster => "ItemMaster",
            Self::CustomerPartyMaster => "CustomerPartyMaster",
            Self::BillToPartyMaster => "BillToPartyMaster",
            Self::PayFromPartyMaster => "PayFromPartyMaster",
            Self::ShipToPartyMaster => "ShipToPartyMaster",
            Self::InventoryCount => "InventoryCount",
            Self::InventoryAdjustment => "InventoryAdjustment",
            Self::Invoice => "Invoice",
            Self::Bod => "BOD",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|noun| noun.name() == name)
    }
}

/// A document in an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A customer's order.
    SalesOrder(SalesOrder),
    /// A delivery.
    Shipment(Shipment),
    /// An item.
    ItemMaster(ItemMaster),
    /// A customer, or a part of one.
    PartyMaster(PartyMaster),
    /// A count or a correction.
    Inventory(Inventory),
    /// An invoice.
    Invoice(Invoice),
    /// An answer.
    Confirmation(Confirmation),
}

impl Document {
    fn read(noun: Noun, element: &Element) -> Option<Self> {
        match noun {
            Noun::SalesOrder => SalesOrder::read(element).map(Self::SalesOrder),
            Noun::Shipment => Shipment::read(element).map(Self::Shipment),
            Noun::ItemMaster => ItemMaster::read(element).map(Self::ItemMaster),
            Noun::CustomerPartyMaster
            | Noun::BillToPartyMaster
            | Noun::PayFromPartyMaster
            | Noun::ShipToPartyMaster => PartyMaster::read(element).map(Self::PartyMaster),
            Noun::InventoryCount | Noun::InventoryAdjustment => {
                Inventory::read(element).map(Self::Inventory)
            }
            Noun::Invoice => Invoice::read(element).map(Self::Invoice),
            Noun::Bod => None,
        }
    }

    /// Returns its number; an answer has none.
    pub fn id(&self) -> Option<&DocumentId> {
        match self {
            Self::SalesOrder(order) => Some(&order.id),
            Self::Shipment(shipment) => Some(&shipment.id),
            Self::ItemMaster(item) => Some(&item.id),
            Self::PartyMaster(party) => Some(&party.id),
            Self::Inventory(inventory) => Some(&inventory.id),
            Self::Invoice(invoice) => Some(&invoice.id),
            Self::Confirmation(_) => None,
        }
    }
}

/// What the sender calls a document: `infor-nid:…` taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodId {
    /// The tenant.
    pub tenant: Option<String>,
    /// Whose the document is.
    pub accounting_entity: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// Its number.
    pub document: Option<String>,
    /// How often it changed.
    pub variation: Option<u64>,
}

impl BodId {
    /// Takes one apart; what is not there is absent.
    pub fn parse(text: &str) -> Self {
        let (names, query) = text.split_once('?').unwrap_or((text, ""));
        let mut names = names.split(':').skip(1).map(clean);
        let mut next = || names.next().flatten();
        let (tenant, accounting_entity, location) = (next(), next(), next());
        let document = next();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut variations = pairs.filter(|(key, _)| key.eq_ignore_ascii_case("variationID"));
        let variation = variations.find_map(|(_, value)| value.trim().parse().ok());
        Self { tenant, accounting_entity, location, document, variation }
    }
}

/// A whole envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bod {
    /// What it says of its documents.
    pub verb: Verb,
    /// What kind they are.
    pub noun: Noun,
    /// Whether they are gone (`Delete`).
    pub gone: bool,
    /// The logical id of who sent it.
    pub sender: Option<String>,
    /// What the sender calls it, whole.
    pub bodid: Option<String>,
    /// The same taken apart.
    pub name: BodId,
    /// When it was made, as written.
    pub created: Option<String>,
    /// Whose the documents are, unless they say so themselves.
    pub accounting_entity: Option<String>,
    /// The documents; at least one.
    pub documents: Vec<Document>,
}

/// Why a document cannot be taken. The text continues "could not take the document: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodError {
    /// It is not XML as it should be.
    #[error("the XML cannot be read: {0}")]
    Xml(#[from] XmlError),
    /// It asks for something that is not done.
    #[error("{0} has a verb that is not taken: only Sync, Show and Confirm are")]
    Verb(String),
    /// It is of a kind that is not read.
    #[error("{0} is not a kind of document that is read")]
    Noun(String),
    /// There is nothing in it.
    #[error("it has no {0} in its DataArea")]
    Empty(&'static str),
    /// Too many documents at once.
    #[error("it has more than {DOCUMENTS_MAX} documents")]
    TooMany,
    /// One of its documents has no number.
    #[error("a {0} in it has no number")]
    NoNumber(&'static str),
}

impl BodError {
    /// Whether the envelope is good and only what is in it is not: the sender's
    /// administrator should hear of it, and sending it again would not help.
    pub const fn is_of_content(&self) -> bool {
        match self {
            Self::Empty(_) | Self::NoNumber(_) => true,
            Self::Xml(_) | Self::Verb(_) | Self::Noun(_) | Self::TooMany => false,
        }
    }
}

/// Verbs that others use and that are not taken.
const OTHER_VERBS: [&str; 8] =
    ["Process", "Acknowledge", "Get", "Load", "Update", "Post", "Notify", "Cancel"];

/// Splits `SyncSalesOrder`, or `Sync.SalesOrder`.
pub fn name(text: &str) -> Result<(Verb, Noun), BodError> {
    let text = text.trim();
    let told = || text.chars().take(60).collect::<String>();
    for verb in [Verb::Sync, Verb::Show, Verb::Confirm] {
        let Some(noun) = text.strip_prefix(verb.name()) else { continue };
        let noun = noun.strip_prefix('.').unwrap_or(noun);
        return match (verb, Noun::of(noun)) {
            (Verb::Confirm, Some(Noun::Bod)) => Ok((verb, Noun::Bod)),
            (Verb::Sync | Verb::Show, Some(noun)) if noun != Noun::Bod => Ok((verb, noun)),
            (_, Some(_) | None) => Err(BodError::Noun(told())),
        };
    }
    if OTHER_VERBS.iter().any(|verb| text.starts_with(verb)) {
        return Err(BodError::Verb(told()));
    }
    Err(BodError::Noun(told()))
}

impl Bod {
    /// Reads a document.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, BodError> {
        let tree = xml::read(bytes, WORDS, limits)?;
        let (verb, noun) = name(&tree.name)?;
        let root = &tree.root;
        let data = root.at(&["DataArea"]).ok_or(BodError::Empty(noun.name()))?;
        let said = data.at(&[verb.name()]);
        let action = said.and_then(|said| said.at(&["ActionCriteria", "ActionExpression"]));
        let action = action.and_then(|action| action.attribute("actionCode"));
        let bodid = word_of(root, &["ApplicationArea", "BODID"]);
        Ok(Self {
            verb,
            noun,
            gone: action.is_some_and(|code| code.eq_ignore_ascii_case("Delete")),
            sender: word(root, &["ApplicationArea", "Sender", "LogicalID"]),
            name: bodid.as_deref().map(BodId::parse).unwrap_or_default(),
            bodid,
            created: word(root, &["ApplicationArea", "CreationDateTime"]),
            accounting_entity: said.and_then(|said| word(said, &["AccountingEntityID"])),
            documents: documents(noun, data)?,
        })
    }

    /// Returns what the sender calls a document, even if nothing else of it can be used.
    pub fn name_of(bytes: &[u8], limits: &Limits) -> Option<String> {
        let tree = xml::read(bytes, WORDS, limits).ok()?;
        word_of(&tree.root, &["ApplicationArea", "BODID"])
    }

    /// Returns whose a document is: as it says itself, or as its envelope does.
    pub fn entity_of<'a>(&'a self, document: &'a Document) -> Option<&'a str> {
        let own = document.id().and_then(|id| id.accounting_entity.as_deref());
        own.or(self.accounting_entity.as_deref()).or(self.name.accounting_entity.as_deref())
    }

    /// Returns how often a document changed. What the envelope says counts only where it has
    /// one document.
    pub fn variation_of(&self, document: &Document) -> Option<u64> {
        let own = document.id().and_then(|id| id.variation);
        own.or(self.name.variation.filter(|_| self.documents.len() == 1))
    }
}

/// A name that may be longer than a number of M3's.
fn word_of(root: &Element, path: &[&str]) -> Option<String> {
    let text = root.text_at(path)?;
    (text.len() <= 1_024 && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn documents(noun: Noun, data: &Element) -> Result<Vec<Document>, BodError> {
    if noun == Noun::Bod {
        return Ok(vec![Document::Confirmation(Confirmation::read(data))]);
    }
    if data.all(noun.name()).nth(DOCUMENTS_MAX).is_some() {
        return Err(BodError::TooMany);
    }
    let read = |element| Document::read(noun, element).ok_or(BodError::NoNumber(noun.name()));
    let documents: Vec<_> = data.all(noun.name()).map(read).collect::<Result<_, _>>()?;
    if documents.is_empty() { Err(BodError::Empty(noun.name())) } else { Ok(documents) }
}

#[cfg(test)]
mod tests;
