//! An order as somebody wants it placed, by hand or by the dice.
//!
//! Guarantee: what is not asked for is plain: euro, paid, new, one address, a guest. Pure.

use super::{
    address::Address,
    order::{Defect, SurchargeKind},
};
use rust_decimal::Decimal;

/// An order to place.
#[derive(Clone, Debug)]
pub struct OrderSpec {
    pub(crate) currency: String,
    pub(crate) lines: Vec<SpecLine>,
    pub(crate) surcharges: Vec<SpecSurcharge>,
    pub(crate) total_off_by: Decimal,
    pub(crate) email: String,
    pub(crate) customer: Customer,
    pub(crate) billing: Option<Address>,
    pub(crate) shipping: Option<Address>,
    pub(crate) payment_status: String,
    pub(crate) shipping_status: Option<String>,
    pub(crate) shipping_method: Option<(u64, String)>,
    pub(crate) payment_method: (u64, String, String),
    pub(crate) notes: String,
    pub(crate) admin_notes: String,
    pub(crate) nameless_status: bool,
    pub(crate) broken: bool,
    pub(crate) defect: Option<Defect>,
    /// Whether the shop adds a line of its own when there is none.
    pub(crate) fill: bool,
}

/// A line to order.
#[derive(Clone, Debug)]
pub(crate) struct SpecLine {
    pub(crate) sku: String,
    pub(crate) amount: u32,
    pub(crate) price: Decimal,
    pub(crate) product: ProductLink,
    /// Included tax in percent, told by a surcharge of the line.
    pub(crate) vat_percent: Option<i64>,
}

/// Whether the product of a line still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProductLink {
    Kept,
    Deleted,
}

/// A surcharge of the order.
#[derive(Clone, Debug)]
pub(crate) struct SpecSurcharge {
    pub(crate) kind: SurchargeKind,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) value: Decimal,
    pub(crate) include: bool,
    pub(crate) available: bool,
}

/// Who orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Customer {
    /// A guest of whom no profile is kept.
    Guest,
    /// A guest with an anonymous profile of their own.
    GuestWithProfile,
    /// The account of this profile.
    Account(u64),
}

impl OrderSpec {
    /// A paid order in euro by a guest, for one piece of the shop's first goods unless a line
    /// is added.
    pub fn simple() -> Self {
        Self {
            currency: "EUR".to_owned(),
            lines: Vec::new(),
            surcharges: Vec::new(),
            total_off_by: Decimal::ZERO,
            email: "anna.mueller@example.org".to_owned(),
            customer: Customer::Guest,
            billing: Some(Address::simple()),
            shipping: Some(Address::simple()),
            payment_status: "P".to_owned(),
            shipping_status: Some("N".to_owned()),
            shipping_method: Some((1, "DHL Paket".to_owned())),
            payment_method: (7, "Stripe".to_owned(), "Credit or debit card".to_owned()),
            notes: String::new(),
            admin_notes: String::new(),
            nameless_status: false,
            broken: false,
            defect: None,
            fill: true,
        }
    }

    /// In this currency.
    #[must_use]
    pub fn currency(mut self, code: &str) -> Self {
        code.clone_into(&mut self.currency);
        self
    }

    /// With one more line.
    #[must_use]
    pub fn line(mut self, sku: &str, amount: u32, price: Decimal) -> Self {
        self.lines.push(SpecLine {
            sku: sku.to_owned(),
            amount,
            price,
            product: ProductLink::Kept,
            vat_percent: None,
        });
        self
    }

    /// With one more line whose product was deleted since.
    #[must_use]
    pub fn line_of_deleted(self, sku: &str, amount: u32, price: Decimal) -> Self {
        let mut spec = self.line(sku, amount, price);
        if let Some(line) = spec.lines.last_mut() {
            line.product = ProductLink::Deleted;
        }
        spec
    }

    /// Without any line, which cannot be imported.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.lines.clear();
        self.fill = false;
        self.defect = Some(Defect::NoLines);
        self
    }

    /// With a surcharge that is added to the total.
    #[must_use]
    pub fn surcharge(mut self, kind: SurchargeKind, code: &str, value: Decimal) -> Self {
        self.surcharges.push(SpecSurcharge {
            kind,
            code: code.to_owned(),
            name: code.to_lowercase(),
            value,
            include: false,
            available: true,
        });
        self
    }

    /// With a surcharge that is in the prices already.
    #[must_use]
    pub fn included(self, kind: SurchargeKind, code: &str, value: Decimal) -> Self {
        let mut spec = self.surcharge(kind, code, value);
        if let Some(surcharge) = spec.surcharges.last_mut() {
            surcharge.include = true;
        }
        spec
    }

    /// With a surcharge that does not apply.
    #[must_use]
    pub fn unavailable(self, kind: SurchargeKind, code: &str, value: Decimal) -> Self {
        let mut spec = self.surcharge(kind, code, value);
        if let Some(surcharge) = spec.surcharges.last_mut() {
            surcharge.available = false;
        }
        spec
    }

    /// With a total that is wrong by this much.
    #[must_use]
    pub fn total_off_by(mut self, amount: Decimal) -> Self {
        self.total_off_by = amount;
        if amount.abs() > Decimal::ONE {
            self.defect = Some(Defect::TotalDoesNotAddUp);
        }
        self
    }

    /// By this e-mail address.
    #[must_use]
    pub fn email(mut self, email: &str) -> Self {
        email.clone_into(&mut self.email);
        self
    }

    /// By this customer.
    #[must_use]
    pub fn customer(mut self, customer: Customer) -> Self {
        self.customer = customer;
        self
    }

    /// Billed to this address, or to none.
    #[must_use]
    pub fn billing(mut self, address: Option<Address>) -> Self {
        self.billing = address;
        self
    }

    /// Shipped to this address, or to none.
    #[must_use]
    pub fn shipping(mut self, address: Option<Address>) -> Self {
        self.shipping = address;
        self
    }

    /// With this payment status.
    #[must_use]
    pub fn payment_status(mut self, code: &str) -> Self {
        code.clone_into(&mut self.payment_status);
        self
    }

    /// With this shipping status, or with null.
    #[must_use]
    pub fn shipping_status(mut self, code: Option<&str>) -> Self {
        self.shipping_status = code.map(str::to_owned);
        self
    }

    /// With a note of the customer's.
    #[must_use]
    pub fn notes(mut self, notes: &str) -> Self {
        notes.clone_into(&mut self.notes);
        self
    }

    /// With these notes of the staff.
    #[must_use]
    pub fn admin_notes(mut self, notes: &str) -> Self {
        notes.clone_into(&mut self.admin_notes);
        self
    }

    /// Booked as not importable, for this reason.
    #[must_use]
    pub fn defect(mut self, defect: Defect) -> Self {
        self.defect = Some(defect);
        self
    }

    /// Breaks every list that contains it.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.broken = true;
        self
    }
}
