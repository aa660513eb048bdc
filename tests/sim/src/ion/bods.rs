//! Documents as M3 publishes them (reference/m3.md 8). Values of its own, or of M3's books.

use crate::m3::{BookedDelivery, BookedInvoice, RealOrder};
use rust_decimal::Decimal;
use std::fmt::Write as _;

/// The namespace of every document.
const NAMESPACE: &str = "http://schema.infor.com/InforOAGIS/2";

/// A document.
#[derive(Clone, Debug)]
pub struct Bod {
    /// `Sync` or `Show`.
    pub verb: String,
    /// `SalesOrder`.
    pub noun: String,
    /// Whose it is.
    pub entity: String,
    /// Its number.
    pub id: String,
    /// How often it changed.
    pub variation: u64,
    /// What is to be done: `Replace`, `Delete`.
    pub action: String,
    /// The noun's element.
    pub content: String,
}

impl Bod {
    /// A document of the company.
    pub fn new(noun: &str, id: &str, variation: u64, content: String) -> Self {
        Self {
            verb: "Sync".to_owned(),
            noun: noun.to_owned(),
            entity: "100_AAA".to_owned(),
            id: id.to_owned(),
            variation,
            action: "Replace".to_owned(),
            content,
        }
    }

    /// The same as an answer to an initial load.
    #[must_use]
    pub fn shown(self) -> Self {
        Self { verb: "Show".to_owned(), ..self }
    }

    /// The same as a tombstone.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { action: "Delete".to_owned(), ..self }
    }

    /// The same with so many lines more that it has at least so many bytes, as a large order of a
    /// wholesaler has; what nobody reads stands in them, too.
    #[must_use]
    pub fn lengthened(self, bytes: usize) -> Self {
        let end = format!("</{}>", self.noun);
        let (start, _) = self.content.rsplit_once(&end).unwrap_or((&self.content, ""));
        let mut content = start.to_owned();
        let mut number = 1_000_u32;
        while content.len() < bytes {
            let _ = write!(
                content,
                "<{0}Line><LineNumber>{number}</LineNumber><Item><ItemID><ID>ITEM-{number}</ID></ItemID>\
                 </Item><Description languageID=\"en\">A &amp; B, as it stands in the catalogue\
                 </Description><Quantity unitCode=\"PCE\">1</Quantity></{0}Line>",
                self.noun
            );
            number += 1;
        }
        content.push_str(&end);
        Self { content, ..self }
    }

    /// `Sync.SalesOrder`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.verb, self.noun)
    }

    /// The whole document.
    pub fn xml(&self) -> String {
        let Self { verb, noun, entity, id, variation, action, content } = self;
        let (entity, id) = (escaped(entity), escaped(id));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <{verb}{noun} xmlns=\"{NAMESPACE}\" releaseID=\"9.2\" versionID=\"2.14.0\">\n\
             <ApplicationArea><Sender><LogicalID>lid://infor.m3.m3</LogicalID>\
             <ComponentID>M3BE</ComponentID><ConfirmationCode>OnError</ConfirmationCode></Sender>\
             <CreationDateTime>2026-11-23T03:00:00Z</CreationDateTime>\
             <BODID>infor-nid:ACME_TST:{entity}:100_001:{id}:?{noun}&amp;verb={verb}\
             &amp;variationID={variation}</BODID></ApplicationArea>\n\
             <DataArea><{verb}><TenantID>ACME_TST</TenantID>\
             <AccountingEntityID>{entity}</AccountingEntityID><LocationID>100_001</LocationID>\
             <ActionCriteria><ActionExpression actionCode=\"{action}\"/></ActionCriteria></{verb}>\n\
             {content}\n</DataArea></{verb}{noun}>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

fn document_id(id: &str, variation: u64) -> String {
    format!(
        "<DocumentID><ID accountingEntity=\"100_AAA\" location=\"100_001\" \
         lid=\"lid://infor.m3.m3\" variationID=\"{variation}\">{}</ID></DocumentID>",
        escaped(id)
    )
}

fn of_order(orno: &str) -> String {
    let id = escaped(orno);
    format!(
        "<DocumentReference type=\"SalesOrder\"><DocumentID><ID>{id}</ID></DocumentID>\
         </DocumentReference>"
    )
}

/// The word M3 publishes for a status.
fn word(lowest: &str, highest: &str) -> &'static str {
    match (lowest, highest) {
        ("90", _) => "Canceled",
        (_, high) if high < "44" => "Open",
        (low, _) if low < "66" => "Approved",
        (low, _) if low < "77" => "Shipped",
        _ => "Closed",
    }
}

/// A customer's order as it is booked.
pub fn sales_order(order: &RealOrder, variation: u64) -> Bod {
    let RealOrder { orno, cuor, cuno, cucd, total, orsl, orst, lines, .. } = order;
    let mut content = format!(
        "<SalesOrder><SalesOrderHeader>{}<AlternateDocumentID agencyRole=\"Customer\"><ID>{}</ID>\
         </AlternateDocumentID><DocumentDateTime>2026-11-23T03:00:00Z</DocumentDateTime>\
         <Status><Code>{}</Code></Status><CustomerParty><PartyIDs><ID>{cuno}</ID></PartyIDs>\
         </CustomerParty><TotalAmount currencyID=\"{cucd}\">{total}</TotalAmount>\
         <UserArea><Property><NameValue name=\"x\" type=\"StringType\">y</NameValue></Property>\
         </UserArea></SalesOrderHeader>",
        document_id(orno, variation),
        escaped(cuor),
        word(orsl, orst),
    );
    for line in lines {
        let _ = write!(
            content,
            "<SalesOrderLine><LineNumber>{}</LineNumber><Item><ItemID><ID>{}</ID></ItemID></Item>\
             <Quantity unitCode=\"PCE\">{}</Quantity><UnitPrice><Amount currencyID=\"{cucd}\">{}\
             </Amount><PerQuantity unitCode=\"PCE\">1</PerQuantity></UnitPrice></SalesOrderLine>",
            line.ponr,
            escaped(&line.itno),
            line.quantity,
            line.price,
        );
    }
    content.push_str("</SalesOrder>");
    Bod::new("SalesOrder", orno, variation, content)
}

/// A delivery of an order.
pub fn shipment(order: &RealOrder, delivery: &BookedDelivery, variation: u64) -> Bod {
    let id = delivery.dlix.to_string();
    let tracking = delivery.etrn.as_deref().map(escaped).unwrap_or_default();
    let content = format!(
        "<Shipment><ShipmentHeader>{}<Status><Code>Shipped</Code></Status>\
         <WarehouseLocation><ID>001</ID></WarehouseLocation>{}</ShipmentHeader>\
         <ShipmentUnit><TrackingID>{tracking}</TrackingID></ShipmentUnit></Shipment>",
        document_id(&id, variation),
        of_order(&order.orno),
    );
    Bod::new("Shipment", &id, variation, content)
}

/// An invoice of an order.
pub fn invoice(order: &RealOrder, invoice: &BookedInvoice, variation: u64) -> Bod {
    let id = invoice.ivno.to_string();
    let content = format!(
        "<Invoice><InvoiceHeader>{}<TotalAmount currencyID=\"{}\">{}</TotalAmount>\
         </InvoiceHeader><InvoiceLine><LineNumber>1</LineNumber><SalesOrderReference><DocumentID>\
         <ID>{}</ID></DocumentID></SalesOrderReference></InvoiceLine></Invoice>",
        document_id(&id, variation),
        order.cucd,
        invoice.amount,
        order.orno,
    );
    Bod::new("Invoice", &id, variation, content)
}

/// An item.
pub fn item(itno: &str, variation: u64) -> Bod {
    let id = escaped(itno);
    let content = format!(
        "<ItemMaster><ItemMasterHeader><ItemID><ID accountingEntity=\"100\" \
         variationID=\"{variation}\">{id}</ID></ItemID><Description languageID=\"en\">A thing\
         </Description><Status><Code>Open</Code></Status><BaseUOMCode>PCE</BaseUOMCode>\
         </ItemMasterHeader></ItemMaster>"
    );
    Bod { entity: "100".to_owned(), ..Bod::new("ItemMaster", itno, variation, content) }
}

/// A customer, or a part of one: `CustomerPartyMaster`, `BillToPartyMaster`, ….
pub fn party(noun: &str, cuno: &str, variation: u64) -> Bod {
    let id = escaped(cuno);
    let content = format!(
        "<{noun}><PartyIDs><ID accountingEntity=\"100\" variationID=\"{variation}\">{id}</ID>\
         </PartyIDs><Name>Somebody</Name><Status><Code>Open</Code></Status></{noun}>"
    );
    Bod { entity: "100".to_owned(), ..Bod::new(noun, cuno, variation, content) }
}

/// A count of what a warehouse holds.
pub fn inventory_count(id: &str, variation: u64, lines: &[(String, Decimal)]) -> Bod {
    let mut content = format!(
        "<InventoryCount><InventoryCountHeader>{}<WarehouseLocation><ID>001</ID>\
         </WarehouseLocation></InventoryCountHeader>",
        document_id(id, variation)
    );
    for (itno, quantity) in lines {
        let itno = escaped(itno);
        let _ = write!(
            content,
            "<InventoryCountLine><ItemID><ID>{itno}</ID></ItemID>\
             <Quantity unitCode=\"PCE\">{quantity}</Quantity></InventoryCountLine>"
        );
    }
    content.push_str("</InventoryCount>");
    Bod::new("InventoryCount", id, variation, content)
}
