//! Marks many items at once: after other settings, and those whose obstacle may have gone.
//!
//! Guarantees: what the settings of today make of what is kept is compared with the shop, though M3
//! has not changed; a gateway that was killed in between begins anew.

use super::{Shared, Trouble, commit, mark, newcomer::Newcomer, row, table};
use crate::{
    clock,
    delivery::rows,
    ids::short_hash,
    state::{Batch, State},
};
use std::collections::BTreeSet;

/// Items written in one go.
const ITEMS_MAX: usize = 256;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// Marks everything that is kept if the settings are others than the last time; says whether.
pub(super) async fn after_other_settings(state: &State, shared: &Shared) -> Result<bool, Trouble> {
    let rules = &shared.rules;
    let written = format!("{:?} {:?} {:?}", rules.stock, rules.prices, rules.items);
    let of = short_hash(&[written.as_bytes()], 16);
    let key = rows::cursor(table::SETTINGS);
    let before: Option<String> = row(state, &key)?;
    if before.as_ref() == Some(&of) {
        return Ok(false);
    }
    let mut items = BTreeSet::new();
    for name in [table::BALANCES, table::PRICES, table::ITEMS, table::NEWCOMERS] {
        let mut pages = state.pages(rows::table(name), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            items.extend(page.iter().filter_map(|(key, _)| table::name_of(key)).map(str::to_owned));
            tokio::task::yield_now().await;
        }
    }
    mark_all(state, items).await?;
    let mut batch = Batch::new();
    batch.put(key, rows::write(&of)?);
    commit(state, batch).await?;
    Ok(before.is_some())
}

/// Marks the items of which M3 has texts: the shop's lists are others than they were.
pub(super) async fn texts(state: &State) -> Result<(), Trouble> {
    let mut items = BTreeSet::new();
    let mut pages = state.pages(rows::table(table::ITEMS), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        items.extend(page.iter().filter_map(|(key, _)| table::name_of(key)).map(str::to_owned));
        tokio::task::yield_now().await;
    }
    mark_all(state, items).await
}

/// Marks the items without a product that something stood in the way of; returns how many there are
/// without one.
pub(super) async fn newcomers(state: &State) -> Result<u64, Trouble> {
    let (mut stopped, mut all) = (BTreeSet::new(), 0_u64);
    let mut pages = state.pages(rows::table(table::NEWCOMERS), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            let newcomer: Newcomer = rows::read(value)?;
            all = all.saturating_add(1);
            if !newcomer.why.is_empty() {
                stopped.extend(table::name_of(key).map(str::to_owned));
            }
        }
    }
    mark_all(state, stopped).await?;
    Ok(all)
}

/// Marks the items that have wholesale prices: the shop's are read anew after a walk.
pub(super) async fn tiers(state: &State) -> Result<(), Trouble> {
    let mut items = BTreeSet::new();
    let mut pages = state.pages(rows::table(table::TIERS), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        let names = page.iter().filter_map(|(key, _)| table::name_of(key));
        items.extend(
            names.filter_map(|name| name.split_once('\0')).map(|(itno, _)| itno.to_owned()),
        );
        tokio::task::yield_now().await;
    }
    mark_all(state, items).await
}

async fn mark_all(state: &State, items: BTreeSet<String>) -> Result<(), Trouble> {
    let (now_ms, mut batch, mut in_it) = (clock::now().unix_ms(), Batch::new(), 0_usize);
    for itno in &items {
        mark(&mut batch, state, itno, now_ms)?;
        in_it = in_it.saturating_add(1);
        if in_it >= ITEMS_MAX {
            commit(state, std::mem::take(&mut batch)).await?;
            in_it = 0;
        }
    }
    commit(state, batch).await
}
