//! Goes over all goods and says what is to be done for each, and what is not and why.
//!
//! Guarantees: nothing is changed and nobody is asked; a page is bounded, however few of its rows
//! differ.

use super::{
    items,
    seen::{Eyes, Seen},
};
use crate::{
    amount::Amount,
    delivery::{cases::CaseError, rows},
    goods::{
        Trouble, commit_or_not,
        good::{Good, Refused},
        load::{Part, Parts, Place},
        newcomer::{Newcomer, Stage},
        rules::Rules,
        table,
        tier::Ladder,
    },
    state::{Batch, State},
};
use serde::{Deserialize, Serialize};

/// Rows looked through for one page.
const LOOKED_MAX: usize = 5_000;
/// SKUs of one item at most.
const SKUS_MAX: usize = 200;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// One thing that is to be done, or is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which.
    pub kind: Kind,
    /// The shop's SKU; that which it would get for a new product.
    pub sku: String,
    /// ITNO, if M3 knows it.
    pub itno: String,
    /// What changes.
    pub what: String,
    /// Why it is skipped, or what the shop said to it before.
    pub why: String,
    /// Calls to the shop.
    pub calls: u64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A product is made.
    Product,
    /// What a product says of itself.
    Texts,
    /// The price for one.
    Price,
    /// Prices by quantity and for memberships.
    Wholesale,
    /// Pieces.
    Pieces,
    /// Nothing.
    Skip,
}

impl Kind {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Texts => "texts",
            Self::Price => "price",
            Self::Wholesale => "wholesale",
            Self::Pieces => "pieces",
            Self::Skip => "skip",
        }
    }
}

/// A part of what is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Each thing; those of one SKU stand together.
    pub planned: Vec<Planned>,
    /// SKUs of which the shop has all that it should.
    pub equal: u64,
    /// Where the next part begins, if there may be one.
    pub next: Option<Place>,
}

/// Reads a part with at most `max` SKUs that are not equal.
pub fn page(
    state: &State,
    rules: &Rules,
    (parts, place): (&Parts, Place),
    max: usize,
) -> Result<Page, CaseError> {
    let (table, after) = match &place {
        Place::Newcomers(after) => (table::NEWCOMERS, after),
        Place::Goods(after) => (table::GOODS, after),
    };
    let range = match after {
        Some(name) => rows::table_after(table, &table::key(table, name)),
        None => rows::table(table),
    };
    let eyes = Eyes::of(rules);
    let (mut page, mut found, mut looked) = (Page::default(), 0_usize, 0_usize);
    let mut pages = state.pages(range, ROWS_MAX);
    while let Some(some) = pages.next_page()? {
        for (key, value) in &some {
            let Some(name) = table::name_of(key) else { continue };
            let planned = match &place {
                Place::Newcomers(_) => newcomer(name, &rows::read(value)?, (parts, rules)),
                Place::Goods(_) => good(name, &eyes.see(state, (name, value))?, parts),
            };
            looked = looked.saturating_add(1);
            if planned.is_empty() {
                let counts = matches!(place, Place::Goods(_));
                page.equal = page.equal.saturating_add(u64::from(counts));
            } else {
                found = found.saturating_add(1);
                page.planned.extend(planned);
            }
            if found >= max || looked >= LOOKED_MAX {
                let name = Some(name.to_owned());
                page.next = Some(match place {
                    Place::Newcomers(_) => Place::Newcomers(name),
                    Place::Goods(_) => Place::Goods(name),
                });
                return Ok(page);
            }
        }
    }
    page.next = match place {
        Place::Newcomers(_) => Some(Place::Goods(None)),
        Place::Goods(_) => None,
    };
    Ok(page)
}

fn newcomer(itno: &str, newcomer: &Newcomer, (parts, rules): (&Parts, &Rules)) -> Vec<Planned> {
    let creates = rules.items.as_ref().is_some_and(|items| items.create.is_some());
    if !creates || !parts.contains(&Part::Items) {
        return Vec::new();
    }
    let made = match newcomer.stage {
        Stage::Wanted => newcomer.why.is_empty(),
        Stage::Sent => true,
        Stage::Gone => false,
    };
    let (kind, sku, itno) = (Kind::Product, newcomer.sku.clone(), itno.to_owned());
    if !made {
        let (kind, what, why) = (Kind::Skip, String::new(), newcomer.told());
        return vec![Planned { kind, sku, itno, what, why, calls: 0 }];
    }
    let why = newcomer.refused.as_ref().map_or_else(String::new, |_| newcomer.told());
    // It begins with nothing to sell; the pieces are another call.
    let calls = if parts.contains(&Part::Stock) { 2 } else { 1 };
    vec![Planned { kind, sku, itno, what: "is new".to_owned(), why, calls }]
}

fn good(sku: &str, seen: &Seen, parts: &Parts) -> Vec<Planned> {
    let good = &seen.good;
    let mut planned = Vec::new();
    let itno = good.itno.as_ref().map_or("", |itno| itno.as_str());
    let mut add = |kind: Kind, what: String, why: String, calls: usize| {
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        let (sku, itno) = (sku.to_owned(), itno.to_owned());
        planned.push(Planned { kind, sku, itno, what, why, calls });
    };
    let refused = |refused: &Option<Refused>| {
        refused
            .as_ref()
            .map_or_else(String::new, |one| format!("the shop refused it: {}", one.text))
    };
    let amount = good.amount_due().filter(|_| parts.contains(&Part::Stock));
    let price = good.price_due().filter(|_| parts.contains(&Part::Prices));
    if let Some(new) = amount {
        let old = good.has.map_or_else(|| "?".to_owned(), |has| has.to_string());
        add(Kind::Pieces, format!("{old} -> {new}"), refused(&good.refused), 1);
    }
    if let Some(new) = price {
        let old = good.has_price.map_or_else(|| "?".to_owned(), Amount::to_mi);
        // Pieces and price are one call.
        let calls = usize::from(amount.is_none());
        add(Kind::Price, format!("{old} -> {}", new.to_mi()), refused(&good.refused), calls);
    }
    let sheet = good.sheet_due(seen.edits());
    if parts.contains(&Part::Items) && !sheet.is_empty() {
        let what = items::changes(&good.card, seen.edits());
        add(Kind::Texts, what, refused(&good.card.refused), 1);
    }
    let steps = seen.tiers_due();
    if parts.contains(&Part::Prices) && !steps.is_empty() {
        add(Kind::Wholesale, steps.join("; "), refused(&seen.ladder.refused), steps.len());
    }
    let why = seen.kept(parts);
    if !why.is_empty() {
        add(Kind::Skip, String::new(), why, 0);
    }
    planned
}

/// Whether the shop refused something of an item, and it rests.
pub fn is_refused(state: &State, itno: &str, now_ms: u64) -> Result<bool, CaseError> {
    let rests = |refused: &Option<Refused>| refused.as_ref().is_some_and(|one| one.rests(now_ms));
    let stored = state.get(&table::key(table::NEWCOMERS, itno))?;
    let newcomer = stored.as_deref().map(rows::read::<Newcomer>).transpose()?;
    if newcomer.is_some_and(|one| one.stage != Stage::Sent && rests(&one.refused)) {
        return Ok(true);
    }
    for (key, _) in state.scan(table::skus_of(itno), SKUS_MAX)? {
        let Some(sku) = table::sku_in(&key) else { continue };
        let good = state.get(&table::key(table::GOODS, sku))?;
        let good = good.as_deref().map(rows::read::<Good>).transpose()?;
        let ladder = state.get(&table::tiers_of(itno, sku))?;
        let ladder = ladder.as_deref().map(rows::read::<Ladder>).transpose()?;
        let refused = good.is_some_and(|good| rests(&good.refused) || rests(&good.card.refused));
        if refused || ladder.is_some_and(|ladder| rests(&ladder.refused)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgets what the shop said to what is planned, so that it is tried at once.
pub(super) async fn try_again(state: &State, planned: &Planned) -> Result<(), Trouble> {
    let Planned { sku, itno, .. } = planned;
    let mut batch = Batch::new();
    let key = table::key(table::NEWCOMERS, itno);
    if let Some(stored) = state.get(&key)? {
        let again = Newcomer { refused: None, ..rows::read(&stored)? };
        batch.expect(key.clone(), Some(&stored));
        batch.put(key, rows::write(&again)?);
    }
    let key = table::key(table::GOODS, sku);
    if let Some(stored) = state.get(&key)? {
        let mut good: Good = rows::read(&stored)?;
        (good.refused, good.card.refused) = (None, None);
        batch.expect(key.clone(), Some(&stored));
        batch.put(key, rows::write(&good)?);
    }
    let key = table::tiers_of(itno, sku);
    if let Some(stored) = state.get(&key)? {
        let again = Ladder { refused: None, ..rows::read(&stored)? };
        batch.expect(key.clone(), Some(&stored));
        batch.put(key, rows::write(&again)?);
    }
    // Who has just written one of them has just tried.
    commit_or_not(state, batch).await.map(|_| ())
}
