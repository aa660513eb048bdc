//! A delivery address in the address book of M3's customer. Pure.
//!
//! Guarantees: one address has one number at a customer, derived from what it says, so that adding it
//! twice is refused with "exists"; an entry under the number that is in another town is not used.

use crate::{
    flow::{
        address::Lines,
        plan::Field,
        rules::{KeptIn, Rules},
    },
    ids::short_hash,
    order::Order,
};

/// Characters of ADID.
const ADID_CHARS: usize = 6;

/// An address that belongs into the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// ADID.
    pub adid: String,
    /// Input of `CRS610MI/AddAddress` beside CUNO, ADRT and ADID.
    pub fields: Vec<Field>,
    postal_code: String,
    country: String,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booked {
    /// The order names it.
    Named(String),
    /// It goes on the order; why, if somebody should know.
    OnOrder(Option<String>),
}

impl Booked {
    /// ADID of the order's head.
    pub fn adid(&self) -> Option<&str> {
        match self {
            Self::Named(adid) => Some(adid),
            Self::OnOrder(_) => None,
        }
    }
}

impl Entry {
    /// Returns the entry of an order; none where its delivery address is the buyer's own, or many buyers
    /// share the customer.
    pub fn of(order: &Order, rules: &Rules) -> Option<Self> {
        if rules.customer.addresses == KeptIn::Order
            || rules.customer.shared_of(order.customer_id).is_some()
        {
            return None;
        }
        let lines = |address| Lines::from_shop(address, &rules.address);
        let (ship_to, bill_to) = (lines(order.shipping.as_ref()?), lines(order.billing.as_ref()?));
        if number(&ship_to) == number(&bill_to) {
            return None;
        }
        let adid = number(&ship_to);
        let fields: [(&str, &str); 10] = [
            ("CUNM", &ship_to.name),
            ("CUA1", ship_to.line(0)),
            ("CUA2", ship_to.line(1)),
            ("CUA3", ship_to.line(2)),
            ("CUA4", ship_to.line(3)),
            ("PONO", &ship_to.postal_code),
            ("TOWN", &ship_to.town),
            ("CSCD", &ship_to.country),
            ("ECAR", &ship_to.state),
            ("PHNO", &ship_to.phone),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (postal_code, country) = (ship_to.postal_code, ship_to.country);
        Some(Self { adid, fields, postal_code, country })
    }

    /// The first field that M3 wants of an address (reference/m3.md 4.1) and the shop does not have.
    pub fn lacks(&self) -> Option<&'static str> {
        let has = |field: &str| self.fields.iter().any(|(name, _)| name == field);
        ["CUA1", "PONO", "CSCD", "TOWN"].into_iter().find(|field| !has(field))
    }

    /// Whether an entry of M3 with these values is at the same place; a clerk may have written the
    /// street better.
    pub fn is_at(&self, postal_code: &str, country: &str) -> bool {
        let same = |a: &str, b: &str| {
            let plain = |text: &str| -> String {
                text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase()
            };
            plain(a) == plain(b)
        };
        same(&self.postal_code, postal_code) && same(&self.country, country)
    }
}

/// Whoever lives there; the telephone does not make another address of it.
fn number(lines: &Lines) -> String {
    let parts = [&lines.name, &lines.town, &lines.postal_code, &lines.country, &lines.state];
    let parts = parts.into_iter().chain(&lines.lines);
    let parts: Vec<String> = parts.map(|part| part.to_lowercase()).collect();
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    short_hash(&parts, ADID_CHARS)
}
