//! One SKU as it is shown to people.

use super::{Line, Only, items};
use crate::{
    amount::Amount,
    delivery::{cases::CaseError, rows},
    goods::{
        card::Edits,
        good::Good,
        load::{Part, Parts},
        rules::{Rules, wholesale::Foreign},
        table,
        tier::Ladder,
        want,
    },
    state::State,
};

const UNKNOWN: &str = "M3 knows neither an item nor an alias of this name";

/// How a SKU is looked at.
#[derive(Clone, Copy)]
pub(super) struct Eyes {
    pub(super) edits: Edits,
    /// None: wholesale prices are the shop's own.
    pub(super) foreign: Option<Foreign>,
}

/// One SKU with all that is kept of it.
pub(super) struct Seen {
    pub(super) good: Good,
    pub(super) ladder: Ladder,
    eyes: Eyes,
}

impl Eyes {
    pub(super) fn of(rules: &Rules) -> Self {
        let wholesale = rules.prices.as_ref().and_then(|prices| prices.wholesale.as_ref());
        Self { edits: want::edits(rules), foreign: wholesale.map(|one| one.foreign) }
    }

    pub(super) fn see(self, state: &State, (sku, value): (&str, &[u8])) -> Result<Seen, CaseError> {
        let good: Good = rows::read(value)?;
        let key = good.itno.as_ref().filter(|_| self.foreign.is_some());
        let key = key.map(|itno| table::tiers_of(itno.as_str(), sku));
        let stored = key.map(|key| state.get(&key)).transpose()?.flatten();
        let ladder = stored.as_deref().map(rows::read).transpose()?.unwrap_or_default();
        Ok(Seen { good, ladder, eyes: self })
    }
}

impl Seen {
    /// What is to be changed, in words.
    fn changes(&self) -> String {
        let card = items::changes(&self.good.card, self.eyes.edits);
        let card = (!card.is_empty()).then_some(card);
        let all: Vec<_> = card.into_iter().chain(self.tiers_due()).collect();
        all.join("; ")
    }

    pub(super) fn edits(&self) -> Edits {
        self.eyes.edits
    }

    /// What is to be done about its wholesale prices, in words.
    pub(super) fn tiers_due(&self) -> Vec<String> {
        self.ladder.changes(self.eyes.foreign.unwrap_or_default())
    }

    /// Why something of these parts stays as it is; empty if nothing does.
    pub(super) fn kept(&self, parts: &Parts) -> String {
        let has = |part: Part| parts.contains(&part);
        let card = items::kept(&self.good.card, self.eyes.edits).filter(|_| has(Part::Items));
        let tiers = self.ladder.told().filter(|_| has(Part::Prices));
        let price = self.good.no_price.is_some();
        let numbers = if price { has(Part::Prices) } else { has(Part::Prices) || has(Part::Stock) };
        let numbers = match &self.good.itno {
            None => Some(UNKNOWN.to_owned()),
            Some(_) => Some(kept(&self.good)).filter(|told| numbers && !told.is_empty()),
        };
        numbers.into_iter().chain(card).chain(tiers).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn differs(&self) -> bool {
        let tiers = !self.ladder.due(self.eyes.foreign.unwrap_or_default()).is_empty();
        tiers || self.good.differs(self.eyes.edits)
    }

    /// What a list shows of it.
    pub(super) fn line(&self, sku: &str) -> Line {
        let good = &self.good;
        let refused = good.refused.as_ref().or(good.card.refused.as_ref());
        let note = match (refused, &good.itno) {
            (Some(refused), _) => {
                format!("the shop refused it {} times: {}", refused.times, refused.text)
            }
            (None, None) => UNKNOWN.to_owned(),
            (None, Some(_)) => match items::kept(&good.card, self.eyes.edits) {
                Some(told) => told,
                None => kept(good),
            },
        };
        let note = match self.ladder.told() {
            Some(told) if note.is_empty() => told,
            Some(told) => format!("{note}; {told}"),
            None => note,
        };
        let price = |price: Option<Amount>| price.map(Amount::to_mi);
        Line {
            sku: sku.to_owned(),
            itno: good.itno.as_ref().map(|itno| itno.as_str().to_owned()),
            product: Some(good.place.product),
            variant: good.place.variant,
            has: good.has,
            wants: good.wants,
            has_price: price(good.has_price),
            wants_price: price(good.wants_price),
            changes: self.changes(),
            note,
        }
    }
}

impl Only {
    pub(super) fn takes(self, seen: &Seen) -> bool {
        let good = &seen.good;
        match self {
            Self::All => true,
            Self::Differing => seen.differs(),
            Self::Unknown => good.itno.is_none(),
            Self::Refused => {
                let card = &good.card;
                let ladder = seen.ladder.refused.is_some();
                ladder || good.refused.is_some() || card.refused.is_some() || card.unclear.is_some()
            }
            Self::Missing => false,
        }
    }
}

/// Says why the shop keeps what it has, if it does.
fn kept(good: &Good) -> String {
    match (&good.no_price, good.wants, good.wants_price) {
        (Some(why), ..) => format!("the shop keeps its price: {why}"),
        (None, None, None) if good.card.wants.is_empty() => "M3 lists nothing of it".to_owned(),
        (None, None, None) => String::new(),
        (None, Some(_), _) if !good.counted => "the shop does not count its pieces".to_owned(),
        (None, ..) => String::new(),
    }
}
