//! Finds out which product an item would get, and what stands in the way.
//!
//! Guarantees: an item that the shop sells under its number or one of its aliases gets none; a SKU is
//! that of one item only. It asks M3, and writes nothing.

use super::{
    Trouble,
    article::{self, Article},
    good::Good,
    lists::{self, Lists},
    row,
    rules::items::{Create, Items, SkuFrom},
    table,
    want::Wants,
};
use crate::{
    connector::{
        Fate, Kind,
        m3::{M3, items as mi_items},
        xcart::{
            making::{NewProduct, SKU_CHARS_MAX},
            sheet::Field,
        },
    },
    delivery::rows,
    state::State,
};

/// What is to be done for an item.
#[derive(Debug)]
pub(super) enum Plan {
    /// A product is to be made.
    Make(NewProduct),
    /// The shop sells it under this SKU.
    Sold(String),
    /// It cannot have one.
    Not(String),
    /// M3 gave no answer.
    Later,
}

/// Plans products.
#[derive(Debug)]
pub(super) struct Planner {
    pub(super) m3: M3,
    pub(super) state: State,
    /// Aliases of these categories (ALWT) are SKUs, too.
    pub(super) categories: Vec<String>,
}

impl Planner {
    /// Finds out what its product would be, and what stands in the way.
    pub(super) async fn plan(
        &self,
        itno: &str,
        article: &Article,
        (items, create): (&Items, &Create),
        wants: &Wants,
    ) -> Result<Plan, Trouble> {
        let mut sheet = match article::sheet(article, items, items.mapped()) {
            Ok(sheet) => sheet,
            Err(why) => return Ok(Plan::Not(why)),
        };
        let known: Option<Lists> = row(&self.state, &rows::cursor(table::LISTS))?;
        if let Err(why) = lists::resolve(&mut sheet, known.as_ref()) {
            return Ok(Plan::Not(why));
        }
        // It is put there once it is made.
        sheet.remove(&Field::Category);
        let shown = create.enabled && sheet.get(&Field::Enabled).is_some_and(|on| on == "true");
        sheet.insert(Field::Enabled, shown.to_string());
        let price = wants.price.filter(|price| !price.is_zero());
        if shown && price.is_none() {
            return Ok(Plan::Not("it has no price, and buyers would see it at once".to_owned()));
        }
        let names = match self.m3.call(&mi_items::names(itno), Kind::Read).await {
            Err(failure) if failure.fate == Fate::NotDone => return Ok(Plan::Later),
            answer => mi_items::names_read(answer, &self.categories),
        };
        let names = match names {
            Ok(names) => names,
            Err(failure) => {
                return Ok(Plan::Not(format!("M3 does not list its aliases: {failure}")));
            }
        };
        for name in std::iter::once(itno).chain(names.iter().map(|(_, name)| name.as_str())) {
            let sold: Option<Good> = row(&self.state, &table::key(table::GOODS, name))?;
            match sold.map(|good| good.itno) {
                None => {}
                Some(None) => return Ok(Plan::Sold(name.to_owned())),
                Some(Some(other)) => {
                    return Ok(Plan::Not(format!("the shop sells {name} as item {other}")));
                }
            }
        }
        let sku = match &create.sku {
            SkuFrom::Itno => Ok(itno.to_owned()),
            SkuFrom::Alias(category) => {
                let plain = mi_items::plain(category);
                let own = names.into_iter().filter(|(of, _)| *of == plain).map(|(_, name)| name);
                match self.only(itno, category, own.collect()).await? {
                    Some(sku) => sku,
                    None => return Ok(Plan::Later),
                }
            }
        };
        Ok(match sku {
            Err(why) => Plan::Not(why),
            Ok(sku) if sku.chars().count() > SKU_CHARS_MAX => {
                Plan::Not(format!("{sku} is longer than the {SKU_CHARS_MAX} characters of a SKU"))
            }
            Ok(sku) => Plan::Make(NewProduct { sku, sheet, price }),
        })
    }

    /// Returns the one alias that is nobody else's, or why there is none; nothing if M3 gave no answer.
    async fn only(
        &self,
        itno: &str,
        category: &str,
        own: Vec<String>,
    ) -> Result<Option<Result<String, String>>, Trouble> {
        let name = match own.as_slice() {
            [] => return Ok(Some(Err(format!("M3 has no alias of category {category} for it")))),
            [name] => name,
            several => {
                let told = format!("M3 has several aliases of it: {}", several.join(", "));
                return Ok(Some(Err(told)));
            }
        };
        if name != itno && self.state.get(&table::key(table::ITEMS, name))?.is_some() {
            return Ok(Some(Err(format!("its alias {name} is the number of another item"))));
        }
        let owners = match self.m3.call(&mi_items::named(name, category), Kind::Read).await {
            Err(failure) if failure.fate == Fate::NotDone => return Ok(None),
            answer => mi_items::named_read(answer, name),
        };
        Ok(Some(match owners {
            Err(failure) => Err(format!("M3 does not say whose alias {name} is: {failure}")),
            Ok(owners) if owners.iter().any(|owner| owner != itno) => {
                let owners: Vec<String> = owners.into_iter().collect();
                Err(format!("several items want the SKU {name}: {}", owners.join(", ")))
            }
            Ok(_) => Ok(name.clone()),
        }))
    }
}
