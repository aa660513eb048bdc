//! What is kept of an order's parcels, invoices and money beside its run. Pure.
//!
//! The form on disk is the form of these types; an order from before they were kept has none
//! and begins with empty books.

use super::{
    invoice::Invoice,
    parcel::Parcels,
    payment::{At, Posting},
    returns::Returned,
    steady::Pause,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use std::fmt;

/// The books of one order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Its parcels.
    pub parcels: Parcels,
    /// Its invoices and credit notes at the last look.
    pub invoices: Vec<Invoice>,
    /// When M3 had nothing more to do for the first time, in milliseconds since 1970.
    pub complete_ms: Option<u64>,
    /// Its payments.
    pub money: Money,
    /// What came to be kept later.
    pub later: Later,
}

/// What came to be kept later than the rest; books without it are read as if it were empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// What the shop says was returned.
    pub returned: Option<Returned>,
    /// Until when no call about payments is made.
    pub hold: Option<Hold>,
}

/// A pause of the payments; what else is to be done for the order goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How long.
    pub quiet: Pause,
    /// Why.
    pub reason: String,
    /// Failures in a row.
    pub failed: u32,
    /// Those among them that are not borne for ever.
    pub counted: u32,
}

impl<'de> Deserialize<'de> for Books {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(5, BooksVisitor)
    }
}

struct BooksVisitor;

impl<'de> Visitor<'de> for BooksVisitor {
    type Value = Books;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the books of an order")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Books, A::Error> {
        let missing = || A::Error::custom("a field is missing");
        Ok(Books {
            parcels: fields.next_element()?.ok_or_else(missing)?,
            invoices: fields.next_element()?.ok_or_else(missing)?,
            complete_ms: fields.next_element()?.ok_or_else(missing)?,
            money: fields.next_element()?.ok_or_else(missing)?,
            later: fields.next_element().ok().flatten().unwrap_or_default(),
        })
    }
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
        let later = Later { returned: self.later.returned.clone(), hold: None };
        Self { money: self.money.clone(), later, ..Self::default() }
    }

    /// Whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_from_before_returns_were_kept_are_read_and_new_ones_are_read_whole() {
        #[derive(Serialize)]
        struct Before {
            parcels: Parcels,
            invoices: Vec<Invoice>,
            complete_ms: Option<u64>,
            money: Money,
        }
        let money = Money { fresh: true, ..Money::default() };
        let before = Before {
            parcels: Parcels::default(),
            invoices: Vec::new(),
            complete_ms: Some(7),
            money: money.clone(),
        };
        let read: Books = postcard::from_bytes(&postcard::to_stdvec(&before).unwrap()).unwrap();
        let wanted = Books { complete_ms: Some(7), money, ..Books::default() };
        assert_eq!(read, wanted);
        let quiet = Pause { since: crate::flow::steady::Steady { boot: 1, ms: 2 }, ms: 3 };
        let hold = Hold { quiet, reason: "away".to_owned(), failed: 1, counted: 0 };
        let later = Later { hold: Some(hold), ..Later::default() };
        let now = Books { later, ..wanted };
        let bytes = postcard::to_stdvec(&now).unwrap();
        assert_eq!(postcard::from_bytes::<Books>(&bytes).unwrap(), now);
    }
}
