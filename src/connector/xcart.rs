//! The X-Cart shop: its REST API of version 5.5 and newer (reference/xcart.md 2 and 3).

pub mod docs;
mod guard;
pub mod making;
pub mod notes;
pub mod payments;
pub mod poll;
mod problem;
pub mod products;
pub mod profiles;
pub mod rest;
pub mod sheet;
pub mod shelves;
pub mod wholesale;
pub mod wire;

use super::{gate, http};
use serde::Deserialize;

/// How to reach the shop. It names a credential and holds none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The shop's address with its folder, if it has one, without `/api`.
    pub base_url: String,
    /// The credential that holds the read/write token.
    pub credential: String,
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
