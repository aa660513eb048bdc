//! What is kept of an order's parcels, invoices and money beside its run. Pure.
//!
//! The form on disk is the form of these types; an order from before they were kept has none
//! and begins with empty books.

use super::{invoice::Invoice, parcel::Parcels};
use serde::{Deserialize, Serialize};

/// The books of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Its parcels.
    pub parcels: Parcels,
    /// Its invoices and credit notes at the last look.
    pub invoices: Vec<Invoice>,
    /// When M3 had nothing more to do for the first time, in milliseconds since 1970.
    pub complete_ms: Option<u64>,
}

impl Books {
    /// Whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
