//! What stands in which category of the shop, and how a product comes to another one.
//!
//! Guarantees: the shop's lists are on disk before anything is compared with them; a product is in its new
//! category before it leaves the one that we put it into, and leaves no other.

use super::{
    Trouble, afresh, commit, good::Good, lists::Lists, row, rules::items::Items, table,
    walk::patiently,
};
use crate::{
    connector::{
        Class, Failure, Fate,
        xcart::{
            rest::Shop,
            sheet::{Field, Sheet},
        },
    },
    delivery::rows,
    state::{Batch, State},
};
use std::collections::HashMap;

/// The shop's categories and tax classes, and what stands where.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    lists: Lists,
    /// The categories that count, by product; none where nobody wants to know.
    of: Option<HashMap<u64, Vec<String>>>,
}

impl Shelves {
    /// Adds to what a product shows of itself what the shop's lists show.
    pub(super) fn complete(&self, sheet: &mut Sheet, product: u64) {
        self.lists.name_class(sheet);
        if let Some(of) = &self.of {
            let stands = of.get(&product).map(|paths| paths.join("\n")).unwrap_or_default();
            sheet.insert(Field::Category, stands);
        }
    }
}

/// Reads the shop's categories and tax classes and what stands where, as far as the settings want it.
pub(super) async fn read(
    (shop, state): (&Shop, &State),
    items: Option<&Items>,
) -> Result<Shelves, Trouble> {
    let Some(items) = items else { return Ok(Shelves::default()) };
    let mut shelves = Shelves::default();
    if items.tax_classes.is_some() {
        shelves.lists.tax_classes = patiently(|| shop.tax_classes()).await?;
    }
    if items.categories.is_some() {
        shelves.lists.categories = patiently(|| shop.categories()).await?;
    }
    if items.update.contains(&Field::Category) {
        shelves.of.get_or_insert_default();
    }
    for category in shelves.lists.mapped(items) {
        let Some(of) = &mut shelves.of else { break };
        for product in patiently(|| shop.products_in(category.id)).await? {
            of.entry(product).or_default().push(category.path.clone());
        }
    }
    let (key, known) = (rows::cursor(table::LISTS), rows::write(&shelves.lists)?);
    if state.get(&key)?.as_ref() != Some(&known) {
        let mut batch = Batch::new();
        batch.put(key, known);
        commit(state, batch).await?;
        // What was not in the shop may be there by now.
        afresh::texts(state).await?;
    }
    Ok(shelves)
}

/// Puts a product into a category, and takes it out of the one that we put it into before.
pub(super) async fn put(
    (shop, state): (&Shop, &State),
    good: &Good,
    category: &str,
) -> Result<(), Failure> {
    let lists: Option<Lists> = row(state, &rows::cursor(table::LISTS))
        .map_err(|trouble| Failure::new(Fate::NotDone, Class::Locked, &trouble.to_string()))?;
    let lists = lists.unwrap_or_default();
    let product = good.place.product;
    let into = lists.category(category);
    let into = into.map_err(|why| Failure::new(Fate::Refused, Class::Data, &why))?;
    shop.put_in(into.id, product).await?;
    let left = good.card.leaves(category).and_then(|path| lists.category(path).ok());
    match left {
        Some(left) => shop.take_out(left.id, product).await,
        None => Ok(()),
    }
}
