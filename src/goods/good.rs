//! One SKU of the shop, and what is to be done about it. Pure.

use crate::{
    amount::Amount,
    connector::xcart::products::{Change, Place, Shown},
    ids::Itno,
};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most pieces a shop is told: it keeps them in 32 bits.
const AMOUNT_MAX: u64 = 2_147_483_647;
/// Characters kept of what the shop said.
const TEXT_CHARS_MAX: usize = 200;

/// One SKU of the shop as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// Where it is sold.
    pub place: Place,
    /// M3's item; none while M3 is not known to have one.
    pub itno: Option<Itno>,
    /// Pieces the shop has, as far as is known; none for a variant that takes its product's, and while
    /// the shop may have changed them itself.
    pub has: Option<u64>,
    /// How often that was doubted.
    pub doubts: u64,
    /// Whether the shop counts them.
    pub counted: bool,
    /// Pieces it should have; none if the shop keeps its own.
    pub wants: Option<u64>,
    /// The price the shop has; none for a variant that takes its product's.
    pub has_price: Option<Amount>,
    /// The price it should have; none if the shop keeps its own.
    pub wants_price: Option<Amount>,
    /// Why there is no price that it should have.
    pub no_price: Option<String>,
    /// The walk that saw it last.
    pub walk: u64,
    /// Why it could not be written.
    pub refused: Option<Refused>,
}

/// The shop did not take a write for what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What the shop said.
    pub text: String,
    /// Since when.
    pub since_ms: u64,
    /// How often.
    pub times: u32,
    /// When it is tried again.
    pub again_ms: u64,
}

/// Balances of one item by WHLO.
pub type Balances = BTreeMap<String, Amount>;

/// Works out what can be sold: all warehouses, less what is kept and what was ordered and is not
/// in M3 yet, in whole pieces and not below 0.
pub fn for_sale(balances: &Balances, safety: Amount, held: u64) -> u64 {
    let sum = balances.values().try_fold(Amount::ZERO, |sum, more| sum.plus(*more));
    let left = sum.and_then(|sum| sum.minus(safety)).and_then(|left| left.minus(held.into()));
    let pieces = left.map(|left| left.0.floor().max(0.into()).min(AMOUNT_MAX.into()));
    // Only sums beyond 28 digits are none.
    pieces.and_then(|pieces| pieces.to_u64()).unwrap_or(0)
}

impl Good {
    /// Begins with what the shop shows.
    pub fn new(shown: &Shown, walk: u64) -> Self {
        let Shown { place, sku: _, amount, counted, price } = shown;
        let (has, counted, has_price) = (*amount, *counted, *price);
        Self {
            place: *place,
            itno: None,
            has,
            doubts: 0,
            counted,
            wants: None,
            has_price,
            wants_price: None,
            no_price: None,
            walk,
            refused: None,
        }
    }

    /// Takes in what the shop shows; says whether it has something else than thought.
    pub fn seen(&mut self, shown: &Shown, walk: u64) -> bool {
        let differs =
            (self.has, self.counted) != (shown.amount, shown.counted) || self.place != shown.place;
        (self.place, self.has, self.counted) = (shown.place, shown.amount, shown.counted);
        self.walk = walk;
        differs
    }

    /// The shop sold some, or took some back: what it has now nobody knows.
    pub fn doubt(&mut self) {
        (self.has, self.doubts) = (None, self.doubts.wrapping_add(1));
    }

    /// Returns the pieces to write, if the shop has others than it should.
    pub fn amount_due(&self) -> Option<u64> {
        self.wants.filter(|_| self.wants != self.has || !self.counted)
    }

    /// Returns the price to write, if the shop has another than it should.
    pub fn price_due(&self) -> Option<Amount> {
        self.wants_price.filter(|_| self.wants_price != self.has_price)
    }

    /// Whether the shop has anything else than it should.
    pub fn differs(&self) -> bool {
        self.amount_due().is_some() || self.price_due().is_some()
    }

    /// Whether a write that the shop refused is still to rest.
    pub fn rests(&self, now_ms: u64) -> bool {
        self.refused.as_ref().is_some_and(|refused| now_ms < refused.again_ms)
    }

    /// The shop has it.
    pub fn written(&mut self, change: &Change) {
        if let Some(amount) = change.amount {
            (self.has, self.counted) = (Some(amount), true);
        }
        self.has_price = change.price.or(self.has_price);
        self.refused = None;
    }

    /// Returns how often the shop has refused it, this time included.
    pub fn refusals(&self) -> u32 {
        self.refused.as_ref().map_or(0, |refused| refused.times).saturating_add(1)
    }

    /// The shop refused it.
    pub fn refuse(&mut self, text: &str, now_ms: u64, again_ms: u64) {
        let since_ms = self.refused.as_ref().map_or(now_ms, |refused| refused.since_ms);
        let (times, text) = (self.refusals(), text.chars().take(TEXT_CHARS_MAX).collect());
        self.refused = Some(Refused { text, since_ms, times, again_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balances(of: &[(&str, &str)]) -> Balances {
        let of = of.iter();
        of.map(|(whlo, quantity)| ((*whlo).to_owned(), quantity.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_for_sale_is_whole_and_never_less_than_nothing() {
        let table = [
            (&[("001", "10"), ("002", "2.9")][..], "0", 0, 12),
            (&[("001", "10"), ("002", "-3")], "0", 0, 7),
            (&[("001", "10")], "2.5", 0, 7),
            (&[("001", "10")], "2", 5, 3),
            (&[("001", "10")], "2", 9, 0),
            (&[("001", "-10")], "0", 0, 0),
            (&[], "0", 0, 0),
            (&[("001", "99999999999999999999")], "0", 0, AMOUNT_MAX),
            (&[("001", "3")], "0", u64::MAX, 0),
        ];
        for (of, safety, held, want) in table {
            let got = for_sale(&balances(of), safety.parse().unwrap(), held);
            assert_eq!(got, want, "{of:?} {safety} {held}");
        }
    }

    #[test]
    fn what_the_shop_refuses_rests_and_is_forgotten_when_it_is_taken() {
        let place = Place { product: 1, variant: None };
        let shown =
            Shown { place, sku: "A".to_owned(), amount: Some(3), counted: true, price: None };
        let mut good = Good::new(&shown, 1);
        assert!(!good.differs(), "nobody has worked out what it should have");
        good.wants = Some(5);
        assert!(good.differs());
        good.refuse("no", 100, 200);
        good.refuse("no", 300, 400);
        assert_eq!(good.refused.as_ref().map(|r| (r.since_ms, r.times)), Some((100, 2)));
        assert!(good.rests(399) && !good.rests(400));
        good.written(&Change { amount: Some(5), price: None });
        assert!(!good.differs() && good.refused.is_none());
        let uncounted = Shown { counted: false, amount: Some(5), ..shown };
        assert!(good.seen(&uncounted, 2));
        assert!(good.differs(), "an amount that is not counted has no effect");
        assert!(!good.seen(&uncounted, 3));
        good.wants_price = Some(Amount::from(7));
        assert_eq!(good.price_due(), Some(Amount::from(7)));
        good.written(&Change { amount: None, price: Some(Amount::from(7)) });
        assert_eq!((good.price_due(), good.amount_due()), (None, Some(5)));
    }
}
