//! A shop order as Causeway understands it. Pure.
//!
//! It holds what the shop said, read exactly and not yet judged: a line may have
//! no SKU, a total may not add up. `flow::mapping` judges.

use crate::{
    amount::Amount,
    ids::{OrderNumber, short_hash},
};
use serde::{Deserialize, Serialize};

/// How an event names an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderRef {
    /// X-Cart's internal `order_id`.
    Id(u64),
    /// The number the buyer reads.
    Number(OrderNumber),
}

impl OrderRef {
    /// Takes over an id from another event of the same order: an id can always be read by, a number
    /// only in newer shops (reference/xcart.md 3.1).
    pub fn learn(&mut self, other: &Self) {
        if matches!(other, Self::Id(_)) {
            self.clone_from(other);
        }
    }
}

/// One placed order (reference/xcart.md 3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// X-Cart's internal `order_id`.
    pub id: u64,
    /// The number the buyer reads.
    pub number: OrderNumber,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// What the buyer pays.
    pub total: Amount,
    /// The items before order-level surcharges.
    pub sub_total: Amount,
    /// Login of the order's profile copy; empty if none.
    pub email: String,
    /// The registered customer's profile id; none for guests without one.
    pub customer_id: Option<u64>,
    /// Snapshot of the billing address.
    pub billing: Option<Address>,
    /// Snapshot of the delivery address.
    pub shipping: Option<Address>,
    /// When it was placed, in seconds since 1970.
    pub created_s: i64,
    /// When its row was last saved, in seconds since 1970.
    pub updated_s: i64,
    /// Payment status code (Q, A, PP, P, D, C, R or the shop's own); none when null.
    pub payment_status: Option<String>,
    /// Shipping status code (N, P, S, D, WND, R or the shop's own); none when null.
    pub shipping_status: Option<String>,
    /// Shown name of the shipping method.
    pub shipping_method: Option<String>,
    /// The buyer's note.
    pub notes: String,
    /// What was bought.
    pub lines: Vec<Line>,
    /// Order-level surcharges, taxes, shipping and discounts.
    pub surcharges: Vec<Surcharge>,
    /// Tracking numbers that the shop already has.
    pub tracking: Vec<String>,
}

/// One bought item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// X-Cart's item id.
    pub id: u64,
    /// SKU, empty when the shop has none.
    pub sku: String,
    /// Name as the buyer saw it.
    pub name: String,
    /// Unit price as shown.
    pub price: Amount,
    /// Pieces.
    pub quantity: u32,
    /// Line total after item-level discounts, when the shop says one.
    pub discounted_subtotal: Option<Amount>,
}

/// What an order-level surcharge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SurchargeKind {
    /// Sales tax or VAT.
    Tax,
    /// Less to pay; its value is negative.
    Discount,
    /// Freight.
    Shipping,
    /// Handling or payment fee.
    Handling,
    /// Anything a module adds under a name of its own.
    Other,
}

/// How a surcharge counts (`include` and `available` in X-Cart's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It is added to the sub-total.
    Added,
    /// The prices already contain it, as they often do VAT.
    Included,
    /// It is not in force.
    Off,
}

/// One order-level surcharge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surcharge {
    /// What it is.
    pub kind: SurchargeKind,
    /// `SHIPPING`, `CDEV.STAX`, `DCOUPON`, ... (reference/xcart.md 3.2).
    pub code: String,
    /// Shown name.
    pub name: String,
    /// Whether it changes the total.
    pub standing: Standing,
    /// Amount in the order's currency; negative for discounts.
    pub value: Amount,
}

/// A name and address as the shop keeps them (reference/xcart.md 4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Given name.
    pub firstname: String,
    /// Family name.
    pub lastname: String,
    /// Company, from an additional field; empty if none.
    pub company: String,
    /// VAT number, from an additional field; empty if none.
    pub vat_number: String,
    /// Telephone.
    pub phone: String,
    /// One line of any length.
    pub street: String,
    /// Postal code.
    pub zipcode: String,
    /// Town.
    pub city: String,
    /// ISO 3166-1 alpha-2; empty if null.
    pub country_code: String,
    /// State or province in words.
    pub state_name: String,
}

impl Order {
    /// Returns a fingerprint of what M3 was or will be asked to do: lines,
    /// amounts, addresses and notes, but no status, time or tracking number.
    pub fn content_hash(&self) -> String {
        let content = (
            (self.id, &self.currency, self.total, self.sub_total),
            (&self.email, self.customer_id, &self.billing, &self.shipping),
            (&self.shipping_method, &self.notes, &self.lines, &self.surcharges),
        );
        // postcard into memory fails for no value of these types.
        let bytes = postcard::to_stdvec(&content).unwrap_or_default();
        short_hash(&[&bytes], 26)
    }
}
