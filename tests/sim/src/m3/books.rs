//! What a test may read of an M3: its books and what it was asked.
//!
//! Values only; a reader gets copies and can change nothing.

use super::{batches::BookedPayment, orders::Batch, real::Order, world::World};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// All that was booked, of company 100.
#[derive(Clone, Debug)]
pub struct Books {
    /// Orders that Confirm made.
    pub orders: Vec<RealOrder>,
    /// Temporary orders, confirmed or not.
    pub temporary: Vec<BatchOrder>,
    /// Customers, templates too.
    pub customers: Vec<Customer>,
    /// Money that interfaces posted.
    pub payments: Vec<BookedPayment>,
    /// What should not have been asked.
    pub violations: Vec<String>,
}

/// One real order.
#[derive(Clone, Debug)]
pub struct RealOrder {
    /// Its number.
    pub orno: String,
    /// The temporary number it came from.
    pub tmp: String,
    /// Customer's order number.
    pub cuor: String,
    /// Our reference.
    pub oref: String,
    /// Customer.
    pub cuno: String,
    /// Currency.
    pub cucd: String,
    /// What the customer owes (TOPY).
    pub total: Decimal,
    /// The lines' net (NTAM).
    pub net: Decimal,
    /// Tax (VTAM).
    pub tax: Decimal,
    /// Charges by their id.
    pub charges: Vec<(String, Decimal)>,
    /// Order discount (OTBA).
    pub discount: Decimal,
    /// Its lines.
    pub lines: Vec<RealLine>,
    /// Lowest line status.
    pub orsl: String,
    /// Highest line status.
    pub orst: String,
    /// Its texts (PARM).
    pub texts: Vec<String>,
    /// Its delivery address (ADRT 1), as it was sent.
    pub address: Option<BTreeMap<String, String>>,
    /// All fields of its head.
    pub fields: BTreeMap<String, String>,
    /// Its deliveries.
    pub deliveries: Vec<BookedDelivery>,
    /// Its invoices.
    pub invoices: Vec<BookedInvoice>,
    /// When it was made, since the start.
    pub made_ms: u64,
}

/// One line of a real order.
#[derive(Clone, Debug)]
pub struct RealLine {
    /// Line number.
    pub ponr: u64,
    /// Item.
    pub itno: String,
    /// Ordered quantity.
    pub quantity: Decimal,
    /// Sales price.
    pub price: Decimal,
    /// What the line comes to.
    pub net: Decimal,
    /// Customer's line number.
    pub cupo: String,
    /// Its status.
    pub status: String,
}

/// Goods that leave together.
#[derive(Clone, Debug)]
pub struct BookedDelivery {
    /// Delivery index.
    pub dlix: u64,
    /// Tracking number, once it has left.
    pub etrn: Option<String>,
    /// Line number and quantity.
    pub quantities: Vec<(u64, Decimal)>,
}

/// One invoice.
#[derive(Clone, Debug)]
pub struct BookedInvoice {
    /// Its number.
    pub ivno: u64,
    /// What it asks for.
    pub amount: Decimal,
    /// 9 is paid.
    pub reco: u8,
}

/// One temporary order.
#[derive(Clone, Debug)]
pub struct BatchOrder {
    /// Its number.
    pub orno: String,
    /// Its status.
    pub stat: u8,
    /// The real orders it became.
    pub made: Vec<String>,
    /// Customer.
    pub cuno: String,
    /// Customer's order number.
    pub cuor: String,
    /// Our reference.
    pub oref: String,
    /// Item, quantity and price of its lines.
    pub lines: Vec<(String, Decimal, Decimal)>,
    /// When it was made, since the start.
    pub made_ms: u64,
}

/// One customer.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Its number.
    pub cuno: String,
    /// 10 preliminary, 20 active, 90 blocked.
    pub stat: String,
    /// All its fields.
    pub fields: BTreeMap<String, String>,
    /// Its addresses by type and id.
    pub addresses: BTreeMap<(u64, String), BTreeMap<String, String>>,
    /// When it was changed, since 1970.
    pub changed_wall_ms: u64,
    /// When the index finds it, since the start.
    pub indexed_ms: u64,
}

impl Customer {
    /// The value of a field; empty when there is none.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    /// Whether it has a delivery address of this id.
    pub fn has_address(&self, adid: &str) -> bool {
        self.addresses.keys().any(|(kind, id)| *kind == 1 && id == adid)
    }
}

/// One transaction that M3 executed.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its program.
    pub program: String,
    /// Its name.
    pub transaction: String,
    /// Its fields as they were sent.
    pub record: BTreeMap<String, String>,
    /// `OK`, or the message id or error type of the refusal.
    pub outcome: String,
    /// When, since the start.
    pub at_ms: u64,
    /// Whether the client was given the answer.
    pub answered: bool,
}

impl World {
    /// Copies the books.
    pub(crate) fn books(&self) -> Books {
        Books {
            orders: self.orders.values().map(|order| self.booked_order(order)).collect(),
            temporary: self.batch.values().map(booked_batch).collect(),
            customers: self.customers.values().cloned().collect(),
            payments: self.booked_payments(),
            violations: self.violations.clone(),
        }
    }

    /// Counts the orders.
    pub(crate) fn booked(&self) -> usize {
        self.orders.len()
    }

    fn booked_order(&self, order: &Order) -> RealOrder {
        let sums = self.order_sums(order);
        let (low, high) = order.span();
        let decimals = self.decimals(order.text("CUCD"));
        let line = |line: &super::real::Line| RealLine {
            ponr: line.ponr,
            itno: line.itno.clone(),
            quantity: line.terms.quantity,
            price: line.terms.price,
            net: line.terms.net(decimals),
            cupo: line.fields.get("CUPO").cloned().unwrap_or_default(),
            status: line.status(),
        };
        let text = |text: &BTreeMap<String, String>| text.get("PARM").cloned();
        RealOrder {
            orno: order.orno.clone(),
            tmp: order.tmp.clone(),
            cuor: order.text("CUOR").to_owned(),
            oref: order.text("OREF").to_owned(),
            cuno: order.text("CUNO").to_owned(),
            cucd: order.text("CUCD").to_owned(),
            total: sums.total,
            net: sums.net_lines,
            tax: sums.tax,
            charges: order.charges.iter().map(|c| (c.crid.clone(), c.amount)).collect(),
            discount: sums.discount,
            lines: order.lines.iter().map(line).collect(),
            orsl: low,
            orst: high,
            texts: order.texts.iter().filter_map(text).collect(),
            address: order.addresses.get(&1).cloned(),
            fields: order.fields.clone(),
            deliveries: self
                .deliveries_of(order)
                .map(|d| BookedDelivery {
                    dlix: d.dlix,
                    etrn: d.etrn.clone(),
                    quantities: d.lines.clone(),
                })
                .collect(),
            invoices: self
                .invoices_of(order)
                .map(|i| BookedInvoice { ivno: i.ivno, amount: i.amount, reco: i.reco() })
                .collect(),
            made_ms: order.made.ms,
        }
    }
}

fn booked_batch(batch: &Batch) -> BatchOrder {
    let line = |line: &super::orders::BatchLine| {
        (line.text("ITNO").to_owned(), line.terms.quantity, line.terms.price)
    };
    BatchOrder {
        orno: batch.orno.clone(),
        stat: batch.stat,
        made: batch.made.clone(),
        cuno: batch.text("CUNO").to_owned(),
        cuor: batch.text("CUOR").to_owned(),
        oref: batch.text("OREF").to_owned(),
        lines: batch.lines.iter().map(line).collect(),
        made_ms: batch.made_ms,
    }
}
