//! An order of the shop and what hangs on it.
//!
//! Guarantee: `sub_total` and `total` follow from lines and surcharges by the rule of
//! reference/xcart.md 3.2, except for orders that are wrong on purpose. Pure.

use super::{address::Address, statuses::Table};
use rust_decimal::{Decimal, RoundingStrategy};

/// A currency of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Currency {
    pub(crate) code: &'static str,
    /// Digits after the point.
    pub(crate) digits: u32,
    /// Hundredths of it for one euro.
    pub(crate) rate_percent: i64,
}

/// The currencies orders come in; the first is the shop's own.
pub(crate) const CURRENCIES: [Currency; 5] = [
    Currency { code: "EUR", digits: 2, rate_percent: 100 },
    Currency { code: "USD", digits: 2, rate_percent: 109 },
    Currency { code: "GBP", digits: 2, rate_percent: 86 },
    Currency { code: "SEK", digits: 2, rate_percent: 1_127 },
    Currency { code: "JPY", digits: 0, rate_percent: 16_350 },
];

impl Currency {
    /// The currency of a code.
    pub(crate) fn of(code: &str) -> Option<Self> {
        CURRENCIES.iter().find(|currency| currency.code == code).copied()
    }

    /// Rounds to what can be paid, halves away from zero as the shop does.
    pub(crate) fn round(self, amount: Decimal) -> Decimal {
        amount.round_dp_with_strategy(self.digits, RoundingStrategy::MidpointAwayFromZero)
    }

    /// What a price in euro is in this currency.
    pub(crate) fn convert(self, euro: Decimal) -> Decimal {
        self.round(euro * Decimal::new(self.rate_percent, 2))
    }
}

/// Why an order cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// It has a line for goods M3 does not know.
    UnknownSku,
    /// It has a line for goods M3 refuses to sell.
    BlockedItem,
    /// Its total is not what its parts add up to, by more than one.
    TotalDoesNotAddUp,
    /// It has no lines.
    NoLines,
    /// Reading it breaks the shop.
    Unreadable,
}

impl Defect {
    /// Its name in the books.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownSku => "UnknownSku",
            Self::BlockedItem => "BlockedItem",
            Self::TotalDoesNotAddUp => "TotalDoesNotAddUp",
            Self::NoLines => "NoLines",
            Self::Unreadable => "Unreadable",
        }
    }
}

/// Something added to or taken from a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Surcharge {
    pub(crate) id: u64,
    pub(crate) kind: SurchargeKind,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) value: Decimal,
    /// Already in the price.
    pub(crate) include: bool,
    pub(crate) available: bool,
}

/// The four types of surcharge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurchargeKind {
    /// A tax.
    Tax,
    /// A discount; its value is negative.
    Discount,
    /// The cost of shipping.
    Shipping,
    /// A fee.
    Handling,
}

impl SurchargeKind {
    /// How the shop spells it.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Tax => "tax",
            Self::Discount => "discount",
            Self::Shipping => "shipping",
            Self::Handling => "handling",
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Tax => "\\CDev\\SalesTax\\Logic\\Order\\Modifier\\Tax",
            Self::Discount => "\\CDev\\VolumeDiscounts\\Logic\\Order\\Modifier\\Discount",
            Self::Shipping => "\\XLite\\Logic\\Order\\Modifier\\Shipping",
            Self::Handling => "\\XC\\Fees\\Logic\\Order\\Modifier\\Handling",
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: u64,
    /// None when the product was deleted.
    pub(crate) product_id: Option<u64>,
    pub(crate) variant_id: Option<u64>,
    pub(crate) sku: String,
    pub(crate) itno: Option<String>,
    pub(crate) name: String,
    pub(crate) price: Decimal,
    pub(crate) amount: u32,
    pub(crate) surcharges: Vec<Surcharge>,
}

/// A tracking number.
#[derive(Clone, Debug)]
pub(crate) struct Tracking {
    pub(crate) id: u64,
    pub(crate) at_s: i64,
    pub(crate) value: String,
    /// What the extension was told of who carries it.
    pub(crate) carrier: String,
}

/// One thing that happened to an order.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) at_s: i64,
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) profile_id: Option<u64>,
}

/// What was paid and how.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) id: u64,
    pub(crate) method_id: u64,
    pub(crate) service: String,
    pub(crate) shown: String,
    /// What the payment service did, oldest first.
    pub(crate) backend: Vec<Backend>,
}

/// One thing that the payment service did.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) id: u64,
    pub(crate) kind: &'static str,
    pub(crate) at_s: i64,
    /// One letter: S is carried out.
    pub(crate) status: &'static str,
    pub(crate) value: Decimal,
}

/// An order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) number: String,
    pub(crate) currency: Currency,
    pub(crate) lines: Vec<Line>,
    pub(crate) surcharges: Vec<Surcharge>,
    /// By how much the total is wrong.
    pub(crate) total_off_by: Decimal,
    pub(crate) email: String,
    pub(crate) customer_id: Option<u64>,
    pub(crate) snapshot_id: Option<u64>,
    pub(crate) billing: Option<Address>,
    pub(crate) shipping: Option<Address>,
    pub(crate) created_s: i64,
    pub(crate) updated_s: i64,
    pub(crate) payment_status: Option<u64>,
    pub(crate) shipping_status: Option<u64>,
    /// The status has a translation missing: its name is null.
    pub(crate) nameless_status: bool,
    pub(crate) shipping_id: Option<u64>,
    pub(crate) shipping_method: Option<String>,
    pub(crate) notes: String,
    pub(crate) admin_notes: String,
    pub(crate) tracking: Vec<Tracking>,
    pub(crate) payment: Payment,
    pub(crate) history: Vec<Event>,
    /// Breaks the list that contains it.
    pub(crate) broken: bool,
    pub(crate) defect: Option<Defect>,
}

impl Order {
    /// The lines' value, rounded once at the end.
    pub(crate) fn sub_total(&self) -> Decimal {
        let sum: Decimal =
            self.lines.iter().map(|line| line.price * Decimal::from(line.amount)).sum();
        self.currency.round(sum)
    }

    /// The grand total.
    pub(crate) fn total(&self) -> Decimal {
        let added: Decimal = self.counted().map(|surcharge| surcharge.value).sum();
        self.sub_total() + added + self.total_off_by
    }

    /// The surcharges that are part of the total.
    pub(crate) fn counted(&self) -> impl Iterator<Item = &Surcharge> {
        self.surcharges.iter().filter(|surcharge| !surcharge.include && surcharge.available)
    }

    /// The id of one of its two statuses.
    pub(crate) fn status(&self, table: Table) -> Option<u64> {
        match table {
            Table::Payment => self.payment_status,
            Table::Shipping => self.shipping_status,
        }
    }

    /// The code of one of its two statuses.
    pub(crate) fn status_code(&self, table: Table) -> Option<&'static str> {
        table.by_id(self.status(table)?)?.code
    }
}
