//! One SKU of the shop, and what is to be done about it. Pure.

use super::card::{Card, Edits};
use crate::{
    amount::Amount,
    connector::xcart::{
        products::{Change, Place, Shown},
        sheet::Sheet,
    },
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
    /// Why its pieces or price could not be written.
    pub refused: Option<Refused>,
    /// What it says of itself; empty for a variant.
    pub card: Card,
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

impl Refused {
    /// The shop refused once more what it has refused as `before`.
    pub fn again(before: Option<&Self>, text: &str, (now_ms, again_ms): (u64, u64)) -> Self {
        let since_ms = before.map_or(now_ms, |refused| refused.since_ms);
        let times = Self::times(before);
        let text = text.chars().take(TEXT_CHARS_MAX).collect();
        Self { text, since_ms, times, again_ms }
    }

    /// Returns how often it was refused, this time included.
    pub fn times(before: Option<&Self>) -> u32 {
        before.map_or(0, |refused| refused.times).saturating_add(1)
    }

    /// Whether it is still to rest.
    pub fn rests(&self, now_ms: u64) -> bool {
        now_ms < self.again_ms
    }
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
        let Shown { place, sku: _, amount, counted, price, sheet } = shown;
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
            card: Card { has: sheet.clone(), ..Card::default() },
        }
    }

    /// Takes in what the shop shows; says whether it has something else than thought.
    pub fn seen(&mut self, shown: &Shown, walk: u64) -> bool {
        let differs =
            (self.has, self.counted) != (shown.amount, shown.counted) || self.place != shown.place;
        (self.place, self.has, self.counted) = (shown.place, shown.amount, shown.counted);
        self.walk = walk;
        self.card.seen(shown.sheet.clone()) || differs
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

    /// Returns what a product is to say of itself from now on.
    pub fn sheet_due(&self, edits: Edits) -> Sheet {
        self.card.due(edits)
    }

    /// Whether the shop has anything else than it should.
    pub fn differs(&self, edits: Edits) -> bool {
        let numbers = self.amount_due().is_some() || self.price_due().is_some();
        numbers || !self.sheet_due(edits).is_empty()
    }

    /// The shop has it.
    pub fn written(&mut self, change: &Change) {
        if let Some(amount) = change.amount {
            (self.has, self.counted) = (Some(amount), true);
        }
        self.has_price = change.price.or(self.has_price);
        if change.amount.is_some() || change.price.is_some() {
            self.refused = None;
        }
        self.card.written(&change.sheet);
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
        let (sku, sheet) = ("A".to_owned(), Sheet::new());
        let shown = Shown { place, sku, amount: Some(3), counted: true, price: None, sheet };
        let mut good = Good::new(&shown, 1);
        let differs = |good: &Good| good.differs(Edits::Kept);
        assert!(!differs(&good), "nobody has worked out what it should have");
        good.wants = Some(5);
        assert!(differs(&good));
        good.refused = Some(Refused::again(None, "no", (100, 200)));
        good.refused = Some(Refused::again(good.refused.as_ref(), "no", (300, 400)));
        let refused = good.refused.clone().unwrap();
        assert_eq!((refused.since_ms, refused.times), (100, 2));
        assert!(refused.rests(399) && !refused.rests(400));
        good.written(&Change { amount: Some(5), ..Change::default() });
        assert!(!differs(&good) && good.refused.is_none());
        let uncounted = Shown { counted: false, amount: Some(5), ..shown };
        assert!(good.seen(&uncounted, 2));
        assert!(differs(&good), "an amount that is not counted has no effect");
        assert!(!good.seen(&uncounted, 3));
        good.wants_price = Some(Amount::from(7));
        assert_eq!(good.price_due(), Some(Amount::from(7)));
        good.written(&Change { price: Some(Amount::from(7)), ..Change::default() });
        assert_eq!((good.price_due(), good.amount_due()), (None, Some(5)));
    }
}
