//! The X-Cart shop: its REST API of version 5.5 and newer (reference/xcart.md 2 and 3), and the add-on
//! of 5.0 to 5.4 (reference/xcart.md 9), behind one client.

pub mod docs;
mod guard;
mod legacy;
pub mod making;
pub mod notes;
pub mod payments;
pub mod poll;
mod problem;
pub mod products;
pub mod profiles;
pub mod resources;
pub mod rest;
pub mod sheet;
pub mod shelves;
pub mod wholesale;
pub mod wire;

use super::{gate, http};
use crate::config::Problems;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How to reach the shop. It names a credential and holds none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The shop's address with its folder, if it has one, without `/api`.
    pub base_url: String,
    /// The credential that holds the read/write token, or the read/write key of the older API.
    pub credential: String,
    /// Which API the shop has.
    #[serde(default)]
    pub dialect: Spoken,
    /// What only a shop of 5.0 to 5.4 needs.
    #[serde(default)]
    pub legacy: Legacy,
    /// Which additional address fields mean what.
    #[serde(default)]
    pub address_fields: AddressFields,
    /// Time, size and trust.
    #[serde(default)]
    pub http: http::Settings,
    /// How hard the shop may be pressed.
    #[serde(default)]
    pub gate: gate::Settings,
}

/// Which API a shop has (reference/xcart.md 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Spoken {
    /// The shop is asked when it is first needed.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// That of 5.5 and newer.
    #[serde(rename = "5.5")]
    Modern,
    /// The add-on of 5.0 to 5.4.
    #[serde(rename = "legacy")]
    Legacy,
}

/// What only a shop of 5.0 to 5.4 needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Legacy {
    /// How many days after it was placed a change of an order is still found.
    pub changes_days: u32,
    /// Payment statuses by code, where the shop does not show which id each has.
    pub payment_status_ids: BTreeMap<String, u64>,
    /// Shipping statuses by code, where the shop does not show which id each has.
    pub shipping_status_ids: BTreeMap<String, u64>,
}

impl Default for Legacy {
    fn default() -> Self {
        let (payment_status_ids, shipping_status_ids) = (BTreeMap::new(), BTreeMap::new());
        Self { changes_days: 14, payment_status_ids, shipping_status_ids }
    }
}

impl Settings {
    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        let days = self.legacy.changes_days;
        if !(1..=365).contains(&days) {
            problems.add(
                format!("{key}.legacy.changes_days"),
                format!("{days} is not between 1 and 365"),
                "leave the key out for 14 days",
            );
        }
    }
}

/// Service names of additional address fields: X-Cart's core has no company and no VAT
/// number (reference/xcart.md 4.1). The first that is there and not empty counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressFields {
    /// Names of a company field.
    pub company: Vec<String>,
    /// Names of a VAT number field.
    pub vat_number: Vec<String>,
}

impl Default for AddressFields {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            company: names(&["company", "company_name"]),
            vat_number: names(&["vat_number", "vat_id", "vat", "tax_number"]),
        }
    }
}
