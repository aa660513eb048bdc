//! What an integrator may set about order-to-cash: the `[order_to_cash]` table. Pure.

mod customers;
mod invoices;
mod returns;
mod shipments;

pub use customers::{Ambiguous, CustomerRules, KeptIn, SharedFor, Update, VatOf};
pub use invoices::InvoiceRules;
pub use returns::{FollowReturns, ReturnRules};
pub use shipments::{CarrierField, CarrierRule, NumberField, ParcelSource, ShipmentRules};

use super::{address::rules::AddressRules, payment::rules::PaymentRules};
use crate::{
    amount::Amount,
    ids::{KeyPrefix, short_hash},
    retry::RetryPolicy,
};
use serde::Deserialize;

/// Grows when `mapping` plans the same order otherwise.
const MAPPING_VERSION: u32 = 2;

/// Settings of the order-to-cash flow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Begins every key in CUOR, so that two shops never share one; at most 4 characters.
    pub shop_prefix: KeyPrefix,
    /// ORTP of new orders.
    pub order_type: String,
    /// FACI of new orders.
    pub facility: String,
    /// WHLO of new orders.
    pub warehouse: String,
    /// MODL, delivery method; the customer's own when absent.
    pub delivery_method: Option<String>,
    /// TEDL, delivery terms; the customer's own when absent.
    pub delivery_terms: Option<String>,
    /// TEPY, payment terms; the customer's own when absent.
    pub payment_terms: Option<String>,
    /// PYCD, payment method; the customer's own when absent.
    pub payment_method: Option<String>,
    /// Whose price counts.
    #[serde(default)]
    pub price: PriceFrom,
    /// Payment status codes with which an order is taken over.
    #[serde(default = "importable")]
    pub import_payment_statuses: Vec<String>,
    /// Payment status codes that mean that the order is given up.
    #[serde(default = "cancel_payment")]
    pub cancel_payment_statuses: Vec<String>,
    /// Shipping status codes that mean that the order is given up.
    #[serde(default = "cancel_shipping")]
    pub cancel_shipping_statuses: Vec<String>,
    /// How long a lost call may still be running in M3, in seconds.
    #[serde(default = "quiescence_s")]
    pub quiescence_s: u64,
    /// How far the M3 total may be from the shop's before somebody is told.
    #[serde(default)]
    pub total_tolerance: Amount,
    /// How often a new temporary order is begun before a person is asked.
    #[serde(default = "heads_max")]
    pub heads_max: u32,
    /// First and longest pause between two looks at an order in M3, in seconds.
    #[serde(default = "follow_s")]
    pub follow_s: (u64, u64),
    /// On how many days after the confirmation doubles and orphans are looked for.
    #[serde(default = "sweep_days")]
    pub sweep_days: u32,
    /// How many days after its end a case leaves the state; only what makes it known again stays.
    #[serde(default = "keep_done_days")]
    pub keep_done_days: u32,
    /// When a failed call is tried again.
    #[serde(default = "retry")]
    pub retry: RetryPolicy,
    /// How customers are made.
    pub customer: CustomerRules,
    /// How addresses are written, and what becomes of odd ones.
    #[serde(default)]
    pub address: AddressRules,
    /// Where items are looked up beside ITNO.
    #[serde(default)]
    pub items: ItemRules,
    /// Which surcharge of the shop becomes which charge of M3; the first that fits counts.
    #[serde(default = "charges")]
    pub charges: Vec<ChargeRule>,
    /// Which status the shop is given at which event.
    #[serde(default)]
    pub statuses: StatusRules,
    /// Where tracking numbers and carriers come from.
    #[serde(default)]
    pub shipments: ShipmentRules,
    /// What is taken over of invoices.
    #[serde(default)]
    pub invoices: InvoiceRules,
    /// What is done about returns.
    #[serde(default)]
    pub returns: ReturnRules,
    /// How payments come into M3; a table of its own, put in here at the start.
    #[serde(skip)]
    pub payments: Option<PaymentRules>,
    /// What M3 calls the two transactions that open an order and add a line.
    #[serde(default)]
    pub transactions: OrderEntry,
}

/// Whose price an order line gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriceFrom {
    /// The price the buyer saw is sent as SAPR.
    #[default]
    Shop,
    /// M3 finds its own price; totals are compared after the confirmation.
    M3,
}

/// Where items are looked up when a SKU is no ITNO.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemRules {
    /// ALWT categories of MMS025, in the order they are asked: 1 own alias, 2 EAN.
    pub alias_categories: Vec<String>,
}

impl Default for ItemRules {
    fn default() -> Self {
        Self { alias_categories: vec!["1".to_owned(), "2".to_owned()] }
    }
}

/// One row of the table of charges.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeRule {
    /// Surcharge code of the shop; a `*` at its end stands for any rest.
    pub code: String,
    /// CRID of M3's charge, [`ORDER_DISCOUNT`] for the discount of the head, or [`LEFT_OUT`].
    pub crid: String,
}

/// As a CRID: the amount goes into the head's order discount OTBA, with its sign turned.
pub const ORDER_DISCOUNT: &str = "OTBA";
/// As a CRID: the surcharge is not taken over (and must not change the total).
pub const LEFT_OUT: &str = "-";

impl ChargeRule {
    /// Whether the rule is for this surcharge code.
    pub fn fits(&self, code: &str) -> bool {
        self.code.strip_suffix('*').map_or(self.code == code, |stem| code.starts_with(stem))
    }
}

/// Which status code the shop is given; an empty one sends nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusRules {
    /// Shipping status once M3 has confirmed the order.
    pub confirmed: String,
    /// Shipping status once a part is delivered.
    pub partly_shipped: String,
    /// Shipping status once all is delivered (ORSL 66).
    pub shipped: String,
    /// Payment status once the invoice is paid as `paid_when` says.
    pub paid: String,
    /// Payment status once a part of what is invoiced is paid.
    pub partly_paid: String,
    /// Payment status once all that was invoiced is credited again.
    pub credited: String,
    /// Payment status once a part of it is.
    pub partly_credited: String,
    /// What counts as paid.
    pub paid_when: PaidWhen,
    /// Payment statuses of the shop that already mean paid and are left alone.
    pub paid_already: Vec<String>,
}

impl Default for StatusRules {
    fn default() -> Self {
        Self {
            confirmed: "P".to_owned(),
            partly_shipped: "P".to_owned(),
            shipped: "S".to_owned(),
            paid: "P".to_owned(),
            partly_paid: String::new(),
            credited: String::new(),
            partly_credited: String::new(),
            paid_when: PaidWhen::Settled,
            paid_already: vec!["P".to_owned(), "R".to_owned()],
        }
    }
}

/// What of an invoice makes an order paid in the shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaidWhen {
    /// Accounts receivable has it settled: RECO 9 (reference/m3.md 4.5).
    #[default]
    Settled,
    /// Accounts receivable has it, paid or not.
    Posted,
    /// The payment status is never written.
    Never,
}

/// What M3 calls the transactions of order entry (reference/m3.md 0).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderEntry {
    /// Opens an order: `AddBatchHead`, or `AddHead` where M3 has that.
    pub head: String,
    /// Adds a line: `AddBatchLine`, or `AddLine` where M3 has that.
    pub line: String,
}

impl Default for OrderEntry {
    fn default() -> Self {
        Self { head: "AddBatchHead".to_owned(), line: "AddBatchLine".to_owned() }
    }
}

impl Rules {
    /// Returns the quiescence time in milliseconds.
    pub fn quiescence_ms(&self) -> u64 {
        self.quiescence_s.saturating_mul(1_000)
    }

    /// Returns how long a finished case is kept, in milliseconds.
    pub fn keep_done_ms(&self) -> u64 {
        u64::from(self.keep_done_days).saturating_mul(24 * 60 * 60 * 1_000)
    }

    /// Returns the fingerprint of what decides how an order is planned, such as `R4F2KQ7ZA`.
    ///
    /// A plan keeps the one that it was made with; pauses and retries do not count.
    pub fn version(&self) -> String {
        let Self { order_type, facility, warehouse, price, customer, items, charges, .. } = self;
        let address = &self.address;
        let head = (order_type, facility, warehouse, price);
        let terms = (
            &self.delivery_method,
            &self.delivery_terms,
            &self.payment_terms,
            &self.payment_method,
        );
        let text = format!(
            "{MAPPING_VERSION} {head:?} {terms:?} {customer:?} {address:?} {items:?} {charges:?}"
        );
        format!("R{}", short_hash(&[text.as_bytes()], 8))
    }

    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let fields: [(&str, &str, usize); 4] = [
            ("order_type", &self.order_type, 3),
            ("facility", &self.facility, 3),
            ("warehouse", &self.warehouse, 3),
            ("transactions.head", &self.transactions.head, 15),
        ];
        for (key, value, max) in fields {
            if value.is_empty() || value.chars().count() > max {
                found.push(format!("order_to_cash.{key} must have 1 to {max} characters"));
            }
        }
        for rule in &self.charges {
            if rule.crid.is_empty() || rule.crid.chars().count() > 6 {
                found.push(format!(
                    "order_to_cash.charges: crid of {:?} must have 1 to 6 characters",
                    rule.code
                ));
            }
        }
        found.extend(self.customer.problems());
        found.extend(self.shipments.problems());
        found.extend(self.invoices.problems());
        found.extend(self.returns.problems());
        found.extend(self.address.problems());
        if self.heads_max == 0 {
            found.push("order_to_cash.heads_max must be at least 1".to_owned());
        }
        if self.follow_s.0 == 0 || self.follow_s.1 < self.follow_s.0 {
            found.push(
                "order_to_cash.follow_s must be two numbers of seconds, the first at least 1 and not above the second"
                    .to_owned(),
            );
        }
        found
    }
}

fn importable() -> Vec<String> {
    ["Q", "A", "PP", "P"].map(str::to_owned).into()
}

fn cancel_payment() -> Vec<String> {
    ["C", "D"].map(str::to_owned).into()
}

fn cancel_shipping() -> Vec<String> {
    vec!["WND".to_owned()]
}

const fn quiescence_s() -> u64 {
    15 * 60
}

const fn sweep_days() -> u32 {
    7
}

const fn keep_done_days() -> u32 {
    90
}

const fn heads_max() -> u32 {
    6
}

const fn follow_s() -> (u64, u64) {
    (60, 30 * 60)
}

const fn retry() -> RetryPolicy {
    RetryPolicy::ORDERS
}

fn charges() -> Vec<ChargeRule> {
    let rows = [
        ("SHIPPING", "SHIP"),
        ("CDEV.STAX*", "TAX"),
        ("AVATAX*", "TAX"),
        ("DISCOUNT*", ORDER_DISCOUNT),
        ("DCOUPON*", ORDER_DISCOUNT),
        ("SPECIAL_OFFER_DISCOUNT*", ORDER_DISCOUNT),
        ("REWARDPOINTS*", ORDER_DISCOUNT),
        ("HANDLING*", "HAND"),
        ("ROUNDING", "ROUND"),
    ];
    rows.map(|(code, crid)| ChargeRule { code: code.to_owned(), crid: crid.to_owned() }).into()
}
