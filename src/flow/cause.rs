//! Why an order waits for a person. Pure.
//!
//! Every kind has a name that never changes (lists are grouped by it, alerts and
//! scripts match on it) and an advice that says what to do next.

use crate::connector::{Class, Failure};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest text kept with a cause, in characters.
const TEXT_CHARS_MAX: usize = 400;
/// Details kept with a cause.
const DETAILS_MAX: usize = 500;
/// Longest detail, in characters.
const DETAIL_CHARS_MAX: usize = 240;

/// What to do about a tracking number that changed.
const TRACKING: &str =
    "compare the order's tracking numbers in the shop with M3's, tell the buyer, then discard";

/// What to do about a document that contradicts an earlier one.
const INVOICE: &str = "look at the order's invoices in ARS200, set the payment status in the shop if it is wrong, then discard";

/// What to do about a buyer who may be several customers.
const AMBIGUOUS: &str = "say which one it is: `causeway customers link` with the buyer's profile id or e-mail address and the number; the order goes on by itself";

/// What to do about a payment that cannot be posted.
const PAYMENT: &str =
    "mend what M3 or the text names (the payments table, the set-up of the program), then replay";

/// What to do about a payment of which nobody knows whether it is posted.
const PAYMENT_SILENT: &str = "look for the payment in M3 by the key given; there: `causeway payments settle`; not there: replay posts it";

/// What to do about a return.
const RETURN: &str = "enter in M3 what the text names; it is closed by itself when M3 shows the credit note; discard it if nothing is to be credited";

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CauseKind {
    /// M3 has neither an item nor an alias of that name.
    UnknownSku,
    /// A line of the shop's order has no SKU.
    NoSku,
    /// The shop's order has no lines.
    NoLines,
    /// The lines and surcharges of the shop's order are not its total.
    TotalDoesNotAddUp,
    /// A surcharge has no charge in the table.
    UnmappedSurcharge,
    /// A value of the shop's order does not fit M3.
    UnfitValue,
    /// The shop does not know the order any more.
    OrderGone,
    /// The customer exists in M3 and belongs to somebody else.
    CustomerConflict,
    /// M3 does not accept the customer: unknown, blocked or refused.
    CustomerRefused,
    /// M3 refused the head.
    HeadRefused,
    /// M3 refused a line, an address, a text or a charge.
    LineRefused,
    /// M3's checks stopped the order at its confirmation.
    ConfirmRefused,
    /// A temporary order with our key was made by somebody else.
    ForeignHead,
    /// More than one real order carries our key.
    TwoRealOrders,
    /// The M3 order's total or lines differ from the shop's.
    Unequal,
    /// The shop cancelled the order after M3 had confirmed it.
    CancelledAfterConfirm,
    /// The shop changed the order after M3 had confirmed it.
    ChangedAfterConfirm,
    /// The M3 order was deleted or is closed short.
    OrderDeletedInM3,
    /// A setting of Causeway or a table of M3 is wrong.
    Configuration,
    /// A user lacks a right.
    Permission,
    /// The shop refused a status or tracking number.
    ShopRefused,
    /// A call failed as often as the retry policy allows.
    KeepsFailing,
    /// M3 changed or withdrew a tracking number that the shop was told.
    TrackingChanged,
    /// M3 withdrew or changed an invoice, or took a payment back.
    InvoiceChanged,
    /// M3 refused a payment, or it cannot be posted as the settings say.
    PaymentRefused,
    /// Whether M3 has a payment is not known, and M3 cannot be asked.
    PaymentUnknown,
    /// Two customers of M3 fit the buyer equally well.
    CustomerAmbiguous,
    /// The shop gave money back, or goods come back, and M3 does not show it.
    ReturnedInShop,
}

impl CauseKind {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::UnknownSku,
        Self::NoSku,
        Self::NoLines,
        Self::TotalDoesNotAddUp,
        Self::UnmappedSurcharge,
        Self::UnfitValue,
        Self::OrderGone,
        Self::CustomerConflict,
        Self::CustomerRefused,
        Self::HeadRefused,
        Self::LineRefused,
        Self::ConfirmRefused,
        Self::ForeignHead,
        Self::TwoRealOrders,
        Self::Unequal,
        Self::CancelledAfterConfirm,
        Self::ChangedAfterConfirm,
        Self::OrderDeletedInM3,
        Self::Configuration,
        Self::Permission,
        Self::ShopRefused,
        Self::KeepsFailing,
        Self::TrackingChanged,
        Self::InvoiceChanged,
        Self::PaymentRefused,
        Self::PaymentUnknown,
        Self::CustomerAmbiguous,
        Self::ReturnedInShop,
    ];

    /// Returns the fixed name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownSku => "unknown-sku",
            Self::NoSku => "no-sku",
            Self::NoLines => "no-lines",
            Self::TotalDoesNotAddUp => "total-does-not-add-up",
            Self::UnmappedSurcharge => "unmapped-surcharge",
            Self::UnfitValue => "unfit-value",
            Self::OrderGone => "order-gone",
            Self::CustomerConflict => "customer-conflict",
            Self::CustomerRefused => "customer-refused",
            Self::HeadRefused => "head-refused",
            Self::LineRefused => "line-refused",
            Self::ConfirmRefused => "confirm-refused",
            Self::ForeignHead => "foreign-head",
            Self::TwoRealOrders => "two-real-orders",
            Self::Unequal => "unequal",
            Self::CancelledAfterConfirm => "cancelled-after-confirm",
            Self::ChangedAfterConfirm => "changed-after-confirm",
            Self::OrderDeletedInM3 => "order-deleted-in-m3",
            Self::Configuration => "configuration",
            Self::Permission => "permission",
            Self::ShopRefused => "shop-refused",
            Self::KeepsFailing => "keeps-failing",
            Self::TrackingChanged => "tracking-changed",
            Self::InvoiceChanged => "invoice-changed",
            Self::PaymentRefused => "payment-refused",
            Self::PaymentUnknown => "payment-unknown",
            Self::CustomerAmbiguous => "customer-ambiguous",
            Self::ReturnedInShop => "returned-in-shop",
        }
    }

    /// Returns what a person can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::UnknownSku => {
                "create the item or an alias (MMS025) in M3 or correct the SKU in the shop, then replay"
            }
            Self::NoSku => "give the product a SKU in the shop, then replay",
            Self::NoLines => "look at the order in the shop; discard it if it is empty",
            Self::TotalDoesNotAddUp => {
                "compare lines, surcharges and total in the shop; enter the order by hand or correct it and replay"
            }
            Self::UnmappedSurcharge => {
                "add the surcharge's code to order_to_cash.charges in the configuration, then replay"
            }
            Self::UnfitValue => "correct the value in the shop, then replay",
            Self::OrderGone => "look for the order in the shop; discard it if it was deleted",
            Self::CustomerConflict => {
                "two people share a customer number; say which customer it is with `causeway customers link`, or change one of them in M3 and replay"
            }
            Self::CustomerRefused => {
                "look at the customer in CRS610 (status, template), then replay"
            }
            Self::HeadRefused => {
                "mend what M3 names (order type, facility, warehouse, customer), then replay"
            }
            Self::LineRefused => {
                "mend the item, unit, address, text or charge that M3 names, then replay"
            }
            Self::ConfirmRefused => "open the temporary order in OIS275, mend it, then replay",
            Self::ForeignHead => {
                "somebody else entered this order in M3 (OIS275); finish or delete it there, then replay"
            }
            Self::TwoRealOrders => "delete the order that is too many in OIS300, then replay",
            Self::Unequal => {
                "compare the two orders; M3 was not changed; discard when you have settled it"
            }
            Self::CancelledAfterConfirm => {
                "cancel the order in OIS300, then discard; replay if it is to be delivered all the same"
            }
            Self::ChangedAfterConfirm => {
                "change the order in OIS300 by hand as listed, then replay: the shop goes on being told"
            }
            Self::OrderDeletedInM3 => {
                "tell the buyer and set the order's status in the shop, then discard"
            }
            Self::Configuration => "correct the setting that M3 names, then replay",
            Self::Permission => {
                "give Causeway's user the missing right (MNS410, SES400), then replay"
            }
            Self::ShopRefused => {
                "look at the status codes of the shop and in order_to_cash.statuses, then replay"
            }
            Self::KeepsFailing => "look at the other system's log at the time given, then replay",
            Self::TrackingChanged => TRACKING,
            Self::InvoiceChanged => INVOICE,
            Self::PaymentRefused => PAYMENT,
            Self::PaymentUnknown => PAYMENT_SILENT,
            Self::CustomerAmbiguous => AMBIGUOUS,
            Self::ReturnedInShop => RETURN,
        }
    }
}

/// One trouble with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What kind it is.
    pub kind: CauseKind,
    /// What happened, for the operator; at most 400 characters, no personal data.
    pub text: String,
    /// Each refused line or changed field by name; at most 500 of 240 characters.
    pub details: Vec<String>,
}

impl Cause {
    /// Makes a cause; a longer text is cut.
    pub fn new(kind: CauseKind, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = text.chars().take(TEXT_CHARS_MAX).collect();
        Self { kind, text, details: Vec::new() }
    }

    /// Adds what there is to say of each part; what is too long or too much is cut.
    #[must_use]
    pub fn with_details(mut self, details: &[String]) -> Self {
        let left = details.len().saturating_sub(DETAILS_MAX);
        let kept = details.iter().take(DETAILS_MAX);
        self.details.extend(kept.map(|text| text.chars().take(DETAIL_CHARS_MAX).collect()));
        if left > 0 {
            self.details.push(format!("and {left} more"));
        }
        self
    }

    /// Makes the cause for a refusal: by what was refused, unless the reason is a setting or a right.
    pub fn of_refusal(kind: CauseKind, doing: &str, failure: &Failure) -> Self {
        let kind = match failure.class {
            Class::Config => CauseKind::Configuration,
            Class::Forbidden => CauseKind::Permission,
            Class::Unreachable
            | Class::TimedOut
            | Class::RateLimited
            | Class::Unavailable
            | Class::Held
            | Class::Broken
            | Class::Unauthorized
            | Class::NotFound
            | Class::Exists
            | Class::Locked
            | Class::Data
            | Class::State
            | Class::Unclassified => kind,
        };
        Self::new(kind, format!("{doing}: {failure}")).with_details(&failure.parts)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}
