//! An item that has no product in the shop: why, or how far the making of one is. Pure.
//!
//! Guarantees: it is on disk that a product was asked for before it is; an item whose product was
//! deleted in the shop is remembered, so that none is made again unasked.

use super::good::Refused;
use serde::{Deserialize, Serialize};

/// Such an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newcomer {
    /// The SKU it should have or had; empty while that is not known.
    pub sku: String,
    /// How far it is.
    pub stage: Stage,
    /// Whether a product may have been made of which nobody heard.
    pub unsure: bool,
    /// Why there is none; empty if nothing is in the way.
    pub why: String,
    /// Why the shop did not take it, or when it is looked for again.
    pub refused: Option<Refused>,
}

/// How far an item is on its way into the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It should have a product.
    Wanted,
    /// The shop was asked to make one, and has not answered.
    Sent,
    /// It had one, which was deleted in the shop.
    Gone,
}

impl Newcomer {
    /// An item that should have a product with this SKU.
    pub fn wanted(sku: &str) -> Self {
        let (sku, why) = (sku.to_owned(), String::new());
        Self { sku, stage: Stage::Wanted, unsure: false, why, refused: None }
    }

    /// An item that cannot have one.
    pub fn without(why: &str) -> Self {
        Self { why: why.to_owned(), ..Self::wanted("") }
    }

    /// An item whose product was deleted in the shop.
    pub fn gone(sku: &str) -> Self {
        Self { stage: Stage::Gone, ..Self::wanted(sku) }
    }

    /// Whether it is to be left alone for a while.
    pub fn rests(&self, now_ms: u64) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.rests(now_ms))
    }

    /// Says for a person why there is no product.
    pub fn told(&self) -> String {
        match (self.stage, &self.refused) {
            (Stage::Gone, _) => {
                "its product was deleted in the shop; `causeway goods make` makes another"
                    .to_owned()
            }
            (Stage::Wanted, _) if !self.why.is_empty() => self.why.clone(),
            (Stage::Wanted | Stage::Sent, Some(refused)) => {
                format!("the shop did not take it {} times: {}", refused.times, refused.text)
            }
            (Stage::Sent, None) => "it is being made".to_owned(),
            (Stage::Wanted, None) => "it is to be made".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_why_there_is_no_product() {
        let refused = |text: &str| Some(Refused::again(None, text, (1, 10)));
        let table = [
            (Newcomer::wanted("A"), "it is to be made"),
            (Newcomer::without("M3 has no name"), "M3 has no name"),
            (Newcomer::gone("A"), "causeway goods make"),
            (Newcomer { stage: Stage::Sent, ..Newcomer::wanted("A") }, "it is being made"),
            (Newcomer { refused: refused("no"), ..Newcomer::wanted("A") }, "1 times: no"),
        ];
        for (newcomer, want) in table {
            assert!(newcomer.told().contains(want), "{newcomer:?}: {}", newcomer.told());
        }
        let resting = Newcomer { refused: refused("no"), ..Newcomer::wanted("A") };
        assert!(resting.rests(9) && !resting.rests(10));
    }
}
