//! What is kept of an order's parcels, invoices and money beside its run. Pure.
//!
//! The form on disk is the form of these types; an order from before they were kept has none
//! and begins with empty books.

use super::{
    invoice::Invoice,
    parcel::Parcels,
    payment::{At, Posting},
};
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
    /// Its payments.
    pub money: Money,
}

/// The payments of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Whether the shop was asked since something may have changed.
    pub fresh: bool,
    /// Each payment, in the order the shop told them.
    pub postings: Vec<Posting>,
    /// The effect under way.
    pub doing: Option<Doing>,
}

/// What is being done about payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
    /// The shop is asked for them.
    Reading,
    /// This one is being posted.
    Posting(u64),
}

impl Money {
    /// Returns a payment by the shop's id.
    pub fn posting(&mut self, id: u64) -> Option<&mut Posting> {
        self.postings.iter_mut().find(|posting| posting.movement.id == id)
    }

    /// Returns the references of all other payments.
    pub fn references(&self, id: u64) -> Vec<String> {
        let others = self.postings.iter().filter(|posting| posting.movement.id != id);
        let references = others.filter_map(|posting| match &posting.at {
            At::Posted { reference } => Some(reference.clone()),
            At::Waits | At::Step { .. } | At::Silent { .. } | At::Doubt | At::Left { .. } => None,
        });
        references.collect()
    }
}

impl Books {
    /// Returns what has to stay when the order leaves: its payments, so that none is posted again.
    #[must_use]
    pub fn remains(&self) -> Self {
        Self { money: self.money.clone(), ..Self::default() }
    }

    /// Whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
