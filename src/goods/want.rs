//! What the SKUs of one item should have, worked out from what is kept of it.
//!
//! Guarantees: nothing is worked out from what was read for other settings; see [`is_current`].

use super::{
    Trouble, article,
    card::Edits,
    good::{Balances, Good, for_sale},
    held,
    lists::{self, Lists},
    price, row,
    rules::{Prices, Rules, Stock, items::Items, wholesale::Wholesale},
    source::Source as _,
    table::{self, Cursor},
    tier::Wanted,
};
use crate::{
    amount::Amount,
    clock,
    connector::{m3::prices::Day, xcart::sheet::Sheet},
    delivery::rows,
    state::State,
};

/// What the SKUs of one item should have.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    /// Pieces; none if the shop keeps its own.
    pub(super) amount: Option<u64>,
    /// The price; none if the shop keeps its own.
    pub(super) price: Option<Amount>,
    /// Why there is no price that it should have.
    pub(super) no_price: Option<String>,
    /// Wholesale prices, or why they cannot be worked out; none if the shop keeps its own.
    pub(super) tiers: Option<Result<Wanted, String>>,
    /// What a product should say of itself.
    pub(super) sheet: Sheet,
    /// Why that cannot be worked out.
    pub(super) unclear: Option<String>,
}

impl Wants {
    /// Writes it into one of them; what need not be written of its card is settled.
    pub(super) fn give(&self, good: &mut Good, edits: Edits) {
        let Self { amount, price, no_price, tiers: _, sheet, unclear } = self.clone();
        (good.wants, good.wants_price, good.no_price) = (amount, price, no_price);
        if good.place.variant.is_none() {
            (good.card.wants, good.card.unclear) = (sheet, unclear);
            good.card.settle(edits);
        }
    }
}

/// Returns what becomes of people's edits; they stay where nothing else is said.
pub(super) fn edits(rules: &Rules) -> Edits {
    rules.items.as_ref().map_or(Edits::Kept, Items::edits)
}

/// Names the lists of M3 that are watched, with the fingerprint of what is asked for today.
fn watched(rules: &Rules) -> impl Iterator<Item = (&'static str, String)> {
    let lists = [
        rules.stock.as_ref().map(|stock| (Stock::NAME, stock.fingerprint())),
        rules.prices.as_ref().map(|prices| (Prices::NAME, prices.fingerprint())),
        rules.items.as_ref().map(|items| (Items::NAME, items.fingerprint())),
    ];
    lists.into_iter().flatten()
}

/// Whether M3 was read whole for the settings of today: what was read for other warehouses or
/// another price list says nothing about these.
pub(super) fn is_current(state: &State, rules: &Rules) -> Result<bool, Trouble> {
    for (name, of) in watched(rules) {
        let cursor: Option<Cursor> = row(state, &rows::cursor(name))?;
        if cursor.is_none_or(|cursor| cursor.of != of) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether each list of M3 that is watched was read whole once.
pub(super) fn is_read(state: &State, rules: &Rules) -> Result<bool, Trouble> {
    for (name, _) in watched(rules) {
        let cursor: Option<Cursor> = row(state, &rows::cursor(name))?;
        if cursor.is_none_or(|cursor| cursor.full_ms == 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Works out wholesale prices: those of the list for everybody, and those of each membership's own.
fn tiers(
    lists: &price::Lists,
    (prices, wholesale): (&Prices, &Wholesale),
    today: Day,
    vat: Option<Amount>,
) -> Result<Wanted, &'static str> {
    let levels = |list: &String| match lists.get(list) {
        Some(listed) => price::levels(listed, today, prices, vat),
        None => Ok(price::Levels::new()),
    };
    let mut wanted = Wanted::new();
    // From 1 piece on everybody pays the price of the product.
    let everybody = levels(&prices.list)?.into_iter().filter(|(from, _)| *from > 1);
    wanted.extend(everybody.map(|(from, price)| ((None, from), price)));
    for (name, list) in &wholesale.memberships {
        let own = levels(list)?.into_iter();
        wanted.extend(own.map(|(from, price)| ((Some(name.clone()), from), price)));
    }
    Ok(wanted)
}

/// Works out what the SKUs of an item should have.
pub(super) fn of(
    state: &State,
    rules: &Rules,
    (itno, goods): (&str, &[(String, Good)]),
) -> Result<Wants, Trouble> {
    let mut wants = Wants::default();
    if let Some(stock) = &rules.stock
        && let Some(mut balances) = row::<Balances>(state, &table::key(table::BALANCES, itno))?
    {
        balances.retain(|whlo, _| stock.warehouses.contains(whlo));
        let mut held = 0_u64;
        for (sku, _) in goods {
            // Of an item, under whatever SKU.
            held = held.saturating_add(held::pieces(state, sku)?);
        }
        wants.amount = Some(for_sale(&balances, stock.safety_of(itno), held));
    }
    if let Some(prices) = &rules.prices
        && let Some(lists) = row::<price::Lists>(state, &table::key(table::PRICES, itno))?
    {
        let today = prices.day_at(clock::now().unix_ms());
        let (listed, vat) = (lists.get(&prices.list), prices.vat_of(itno));
        let listed = listed.unwrap_or(const { &price::Listed::new() });
        match price::for_shop(listed, today, prices, vat) {
            Ok(price) => wants.price = Some(price),
            Err(why) => wants.no_price = Some(why.to_owned()),
        }
        wants.tiers = prices.wholesale.as_ref().map(|wholesale| match &wants.no_price {
            Some(why) => Err(why.clone()),
            None => tiers(&lists, (prices, wholesale), today, vat).map_err(str::to_owned),
        });
    }
    if let Some(items) = &rules.items
        && let Some(article) = row::<article::Article>(state, &table::key(table::ITEMS, itno))?
        && !article.is_empty()
    {
        let known: Option<Lists> = row(state, &rows::cursor(table::LISTS))?;
        let sheet = article::sheet(&article, items, items.update.iter().copied());
        let resolved = sheet.and_then(|mut sheet| {
            lists::resolve(&mut sheet, known.as_ref())?;
            Ok(sheet)
        });
        match resolved {
            Ok(sheet) => wants.sheet = sheet,
            Err(why) => wants.unclear = Some(why),
        }
    }
    Ok(wants)
}
