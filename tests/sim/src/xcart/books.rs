//! The shop's books: what is true, for a test to compare with what a gateway made of it. Pure.

use super::{
    money::{BACK, IN, moved},
    options::Quirks,
    order::{Defect, Order, SurchargeKind},
    place::unreadable,
    statuses::Table,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// An order in the books.
#[derive(Clone, Debug, PartialEq)]
pub struct BookedOrder {
    /// The shop's internal id.
    pub id: u64,
    /// The number people use.
    pub number: String,
    /// ISO 4217.
    pub currency: String,
    /// The grand total.
    pub total: Decimal,
    /// The lines' value.
    pub sub_total: Decimal,
    /// The lines.
    pub lines: Vec<BookedLine>,
    /// The surcharges, those not added included.
    pub surcharges: Vec<BookedSurcharge>,
    /// The customer's e-mail address.
    pub email: String,
    /// The customer's profile.
    pub customer_id: Option<u64>,
    /// Code, empty when there is none.
    pub payment_status: String,
    /// Code, empty when there is none.
    pub shipping_status: String,
    /// What payment services have taken in for it.
    pub captured: Decimal,
    /// What they have given back.
    pub refunded: Decimal,
    /// Tracking numbers.
    pub tracking: Vec<String>,
    /// Who carries each of them, as far as the shop was told.
    pub carriers: Vec<String>,
    /// The notes for the staff.
    pub admin_notes: String,
    /// Why it cannot be imported.
    pub defect: Option<Defect>,
    /// The codes of its history, oldest first.
    pub history: Vec<String>,
    /// When it was placed, UNIX seconds.
    pub created_s: i64,
    /// When it was last saved, UNIX seconds.
    pub updated_s: i64,
}

/// A line in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedLine {
    /// What the shop calls the goods.
    pub sku: String,
    /// What M3 calls them, if it knows them.
    pub itno: Option<String>,
    /// How many.
    pub quantity: u32,
    /// Price of one.
    pub price: Decimal,
}

/// A surcharge in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedSurcharge {
    /// Its type.
    pub kind: SurchargeKind,
    /// Its code.
    pub code: String,
    /// Its value, negative for a discount.
    pub value: Decimal,
    /// Whether it is part of the total: not in the prices already, and available.
    pub counted: bool,
}

impl BookedOrder {
    /// Books an order as it is under these quirks.
    pub(crate) fn of(order: &Order, quirks: &Quirks) -> Self {
        let code = |table| order.status_code(table).unwrap_or_default().to_owned();
        Self {
            id: order.id,
            number: order.number.clone(),
            currency: order.currency.code.to_owned(),
            total: order.total(),
            sub_total: order.sub_total(),
            lines: order
                .lines
                .iter()
                .map(|line| BookedLine {
                    sku: line.sku.clone(),
                    itno: line.itno.clone(),
                    quantity: line.amount,
                    price: line.price,
                })
                .collect(),
            surcharges: order
                .surcharges
                .iter()
                .map(|it| BookedSurcharge {
                    kind: it.kind,
                    code: it.code.clone(),
                    value: it.value,
                    counted: !it.include && it.available,
                })
                .collect(),
            email: order.email.clone(),
            customer_id: order.customer_id,
            payment_status: code(Table::Payment),
            shipping_status: code(Table::Shipping),
            captured: moved(&order.payment.backend, &IN),
            refunded: moved(&order.payment.backend, &BACK),
            tracking: order.tracking.iter().map(|it| it.value.clone()).collect(),
            carriers: order.tracking.iter().map(|it| it.carrier.clone()).collect(),
            admin_notes: order.admin_notes.clone(),
            defect: if unreadable(quirks, order) { Some(Defect::Unreadable) } else { order.defect },
            history: order.history.iter().map(|event| event.code.clone()).collect(),
            created_s: order.created_s,
            updated_s: order.updated_s,
        }
    }

    /// The order for the admin's page; amounts as text, so that they stay exact.
    pub fn to_json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({"sku": line.sku, "itno": line.itno, "quantity": line.quantity,
                       "price": line.price.to_string()})
            })
            .collect();
        let surcharges: Vec<Value> = self
            .surcharges
            .iter()
            .map(|it| {
                json!({"type": it.kind.wire(), "code": it.code, "value": it.value.to_string(),
                       "counted": it.counted})
            })
            .collect();
        json!({
            "id": self.id, "number": self.number, "currency": self.currency,
            "total": self.total.to_string(), "sub_total": self.sub_total.to_string(),
            "lines": lines, "surcharges": surcharges, "email": self.email,
            "customer_id": self.customer_id, "payment_status": self.payment_status,
            "shipping_status": self.shipping_status, "tracking": self.tracking,
            "defect": self.defect.map(Defect::name), "history": self.history,
            "created_s": self.created_s, "updated_s": self.updated_s,
        })
    }
}

/// A call the shop got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When, UNIX milliseconds.
    pub at_ms: u64,
    /// The method.
    pub method: String,
    /// The path, undecoded.
    pub path: String,
    /// The query, undecoded.
    pub query: String,
    /// The status answered; 0 when the line was cut.
    pub status: u16,
    /// The front of the body sent, as text.
    pub body: String,
}
