//! What is read of each kind of document (reference/m3.md 8.2). Pure.
//!
//! Guarantees: elements that are not known are passed over, those that are absent are
//! absent here; only the number of the document is required. A document is a hint: what
//! counts is read from M3.

use super::{
    part::{
        AlternateId, DocumentId, Measure, Party, alternates, document_id, item, measure, party,
        party_itself, references, word,
    },
    xml::Element,
};

/// A customer's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalesOrder {
    /// M3's number.
    pub id: DocumentId,
    /// Other numbers; the one of `Customer` is M3's CUOR.
    pub alternates: Vec<AlternateId>,
    /// When it was made, as written.
    pub date: Option<String>,
    /// A word such as `Open`; no status of M3's tables.
    pub status: Option<String>,
    /// Who ordered.
    pub customer: Party,
    /// To whom it goes.
    pub ship_to: Party,
    /// From which warehouse.
    pub warehouse: Option<String>,
    /// The whole amount.
    pub total: Option<Measure>,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
}

/// A line of a customer's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderLine {
    /// Its number.
    pub number: Option<String>,
    /// The item.
    pub item: Option<String>,
    /// How much was ordered.
    pub quantity: Option<Measure>,
    /// How much has left.
    pub shipped: Option<Measure>,
    /// How much has not.
    pub open: Option<Measure>,
    /// The price.
    pub price: Option<Measure>,
    /// For how many.
    pub per: Option<Measure>,
    /// The amount.
    pub amount: Option<Measure>,
    /// A word.
    pub status: Option<String>,
}

/// A delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shipment {
    /// M3's number.
    pub id: DocumentId,
    /// Other numbers.
    pub alternates: Vec<AlternateId>,
    /// A word such as `Shipped`.
    pub status: Option<String>,
    /// From which warehouse.
    pub warehouse: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// When it left, as written.
    pub shipped_at: Option<String>,
    /// The customer's orders in it.
    pub orders: Vec<String>,
    /// Numbers to follow it by.
    pub tracking: Vec<String>,
    /// What is in it.
    pub lines: Vec<ShipmentLine>,
}

/// A line of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShipmentLine {
    /// Its number.
    pub number: Option<String>,
    /// The item.
    pub item: Option<String>,
    /// How much was ordered.
    pub ordered: Option<Measure>,
    /// How much is in it.
    pub shipped: Option<Measure>,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemMaster {
    /// M3's number.
    pub id: DocumentId,
    /// What it is, with the language where that is said.
    pub descriptions: Vec<(Option<String>, String)>,
    /// A word.
    pub status: Option<String>,
    /// The unit it is counted in.
    pub unit: Option<String>,
    /// Its EAN or UPC.
    pub ean: Option<String>,
    /// Codes of its groups.
    pub groups: Vec<String>,
}

/// A customer, or one of the parts into which M3 splits one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartyMaster {
    /// M3's number.
    pub id: DocumentId,
    /// The name.
    pub name: Option<String>,
    /// A word.
    pub status: Option<String>,
    /// The currency.
    pub currency: Option<String>,
    /// The first e-mail address.
    pub mail: Option<String>,
    /// When it was changed, as written.
    pub changed_at: Option<String>,
}

/// A count or a correction of what a warehouse holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The number.
    pub id: DocumentId,
    /// Of which warehouse.
    pub warehouse: Option<String>,
    /// What was counted.
    pub lines: Vec<InventoryLine>,
}

/// A line of a count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryLine {
    /// The item.
    pub item: Option<String>,
    /// How much.
    pub quantity: Option<Measure>,
    /// Which lot.
    pub lot: Option<String>,
}

/// An invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoice {
    /// M3's number.
    pub id: DocumentId,
    /// When, as written.
    pub date: Option<String>,
    /// A word.
    pub status: Option<String>,
    /// The whole amount.
    pub total: Option<Measure>,
    /// The tax in it.
    pub tax: Option<Measure>,
    /// Who pays.
    pub bill_to: Party,
    /// Who ordered.
    pub customer: Party,
    /// The customer's orders in it.
    pub orders: Vec<String>,
    /// How many lines it has.
    pub lines: usize,
}

/// Somebody could or could not process a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// Which document: its `BODID`.
    pub of: Option<String>,
    /// Why not; empty when it could.
    pub failures: Vec<String>,
}

fn status(header: &Element) -> Option<String> {
    word(header, &["Status", "Code"])
}

fn warehouse(header: &Element) -> Option<String> {
    let mut ships_from = header.all("ShipFromParty").flat_map(|party| party.all("Location"));
    let located = ships_from.find_map(|location| word(location, &["ID"]));
    word(header, &["WarehouseLocation", "ID"]).or(located)
}

impl SalesOrder {
    pub(super) fn read(noun: &Element) -> Option<Self> {
        let header = noun.at(&["SalesOrderHeader"])?;
        Some(Self {
            id: document_id(header)?,
            alternates: alternates(header),
            date: word(header, &["DocumentDateTime"]),
            status: status(header),
            customer: party(header, "CustomerParty"),
            ship_to: party(header, "ShipToParty"),
            warehouse: warehouse(header),
            total: measure(header, &["TotalAmount"])
                .or_else(|| measure(header, &["ExtendedAmount"])),
            lines: noun.all("SalesOrderLine").map(OrderLine::read).collect(),
        })
    }
}

impl OrderLine {
    fn read(line: &Element) -> Self {
        Self {
            number: word(line, &["LineNumber"]),
            item: item(line),
            quantity: measure(line, &["Quantity"]),
            shipped: measure(line, &["ShippedQuantity"]),
            open: measure(line, &["OpenQuantity"]),
            price: measure(line, &["UnitPrice", "Amount"]),
            per: measure(line, &["UnitPrice", "PerQuantity"]),
            amount: measure(line, &["ExtendedAmount"]),
            status: status(line),
        }
    }
}

impl Shipment {
    pub(super) fn read(noun: &Element) -> Option<Self> {
        let header = noun.at(&["ShipmentHeader"])?;
        let mut orders = references(header, "SalesOrder");
        for id in noun.all("ShipmentItem").flat_map(|line| references(line, "SalesOrder")) {
            if !orders.contains(&id) {
                orders.push(id);
            }
        }
        Some(Self {
            id: document_id(header)?,
            alternates: alternates(header),
            status: status(header),
            warehouse: warehouse(header),
            carrier: party(header, "CarrierParty").id,
            shipped_at: word(header, &["ActualShipDateTime"]),
            orders,
            tracking: tracking(noun, header),
            lines: noun.all("ShipmentItem").map(ShipmentLine::read).collect(),
        })
    }
}

/// Tracking numbers, wherever a site has them: in units, in the header, in the user's area.
fn tracking(noun: &Element, header: &Element) -> Vec<String> {
    let ids = |element: &Element| -> Vec<String> {
        let found = element.all("TrackingID");
        found.filter_map(|id| word(id, &["ID"]).or_else(|| word(id, &[]))).collect()
    };
    let units = noun.all("ShipmentUnit").flat_map(ids);
    let properties = header.all("UserArea").flat_map(|area| area.all("Property"));
    let values = properties.flat_map(|property| property.all("NameValue"));
    let named = values.filter(|value| {
        let name = value.attribute("name").unwrap_or_default();
        name.to_ascii_lowercase().contains("tracking")
    });
    units.chain(ids(header)).chain(named.filter_map(|value| word(value, &[]))).collect()
}

impl ShipmentLine {
    fn read(line: &Element) -> Self {
        Self {
            number: word(line, &["LineNumber"]),
            item: item(line),
            ordered: measure(line, &["OrderQuantity"]),
            shipped: measure(line, &["ShippedQuantity"]),
        }
    }
}

impl ItemMaster {
    pub(super) fn read(noun: &Element) -> Option<Self> {
        let header = noun.at(&["ItemMasterHeader"])?;
        let described = |text: &Element| {
            Some((text.attribute("languageID").map(str::to_owned), text.text()?.to_owned()))
        };
        let classes = header.all("Classification").flat_map(|class| class.all("Codes"));
        let codes = classes.flat_map(|codes| codes.all("Code"));
        let ean = word(header, &["EANID"]).or_else(|| word(header, &["UPCID"]));
        Some(Self {
            id: own_id(header, "ItemID")?,
            descriptions: header.all("Description").filter_map(described).collect(),
            status: status(header),
            unit: word(header, &["BaseUOMCode"]),
            ean: ean.or_else(|| word(header, &["EANID", "ID"])),
            groups: codes.filter_map(|code| word(code, &[])).collect(),
        })
    }
}

/// A number of a master record, with whose it is and how often it changed.
fn own_id(element: &Element, name: &str) -> Option<DocumentId> {
    let id = element.all(name).find_map(|ids| ids.all("ID").find(|id| id.text().is_some()))?;
    let said = |name: &str| id.attribute(name).map(str::to_owned);
    Some(DocumentId {
        id: word(id, &[])?,
        accounting_entity: said("accountingEntity"),
        location: said("location"),
        variation: id.attribute("variationID").and_then(|text| text.parse().ok()),
    })
}

impl PartyMaster {
    pub(super) fn read(noun: &Element) -> Option<Self> {
        let is_mail = |way: &&Element| {
            let channel = way.text_at(&["ChannelCode"]).unwrap_or_default();
            channel.eq_ignore_ascii_case("email")
        };
        let mut ways = noun.all("Communication").filter(is_mail);
        Some(Self {
            id: own_id(noun, "PartyIDs")?,
            name: party_itself(noun).name,
            status: status(noun),
            currency: word(noun, &["CurrencyCode"]),
            mail: ways.find_map(|way| word(way, &["URI"])),
            changed_at: word(noun, &["LastModificationDateTime"]),
        })
    }
}

impl Inventory {
    pub(super) fn read(noun: &Element) -> Option<Self> {
        let [header, lines] = match noun.name() {
            "InventoryCount" => ["InventoryCountHeader", "InventoryCountLine"],
            _ => ["InventoryAdjustmentHeader", "InventoryAdjustmentLine"],
        };
        let header = noun.at(&[header])?;
        let lot = &["SerializedLot", "Lot", "LotIDs", "ID"];
        let line = |line: &Element| InventoryLine {
            item: item(line),
            quantity: measure(line, &["Quantity"]),
            lot: word(line, lot),
        };
        Some(Self {
            id: document_id(header)?,
            warehouse: warehouse(header),
            lines: noun.all(lines).map(line).collect(),
        })
    }
}

impl Invoice {
    pub(super) fn read(noun: &Element) -> Option<Self> {
        let header = noun.at(&["InvoiceHeader"])?;
        let mut orders = references(header, "SalesOrder");
        for line in noun.all("InvoiceLine") {
            let named = word(line, &["SalesOrderReference", "DocumentID", "ID"]);
            for id in named.into_iter().chain(references(line, "SalesOrder")) {
                if !orders.contains(&id) {
                    orders.push(id);
                }
            }
        }
        Some(Self {
            id: document_id(header)?,
            date: word(header, &["DocumentDateTime"]),
            status: status(header),
            total: measure(header, &["TotalAmount"]),
            tax: measure(header, &["TaxAmount"]),
            bill_to: party(header, "BillToParty"),
            customer: party(header, "CustomerParty"),
            orders,
            lines: noun.all("InvoiceLine").count(),
        })
    }
}

impl Confirmation {
    pub(super) fn read(data: &Element) -> Self {
        let failures = data.all("BOD").flat_map(Element::children);
        let failures = failures
            .filter(|message| matches!(message.name(), "BODFailureMessage" | "NounFailureMessage"));
        let told = failures.flat_map(|message| message.all("ErrorProcessMessage"));
        Self {
            of: word(data, &["Confirm", "OriginalApplicationArea", "BODID"]),
            failures: told.filter_map(|told| word(told, &["Description"])).collect(),
        }
    }
}
