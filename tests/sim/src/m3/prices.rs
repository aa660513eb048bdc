//! Price lists (reference/m3.md 4.3). Pure.
//!
//! Guarantees: a price is found by list, currency, customer, first day, item and quantity; a list that
//! is asked for by a time gives what changed since, and never says when.

use super::{
    call::{Ask, Nok, Outcome, Record, row},
    world::World,
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// What a price is found by, less the item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceKey {
    /// PRRF.
    pub list: String,
    /// CUCD.
    pub currency: String,
    /// CUNO; empty for everybody.
    pub customer: String,
    /// FVDT, `yyyyMMdd`.
    pub from: String,
    /// ITNO.
    pub itno: String,
    /// QTYL: from so many pieces on; 0 is the price of the list.
    pub quantity: u64,
}

impl PriceKey {
    /// The price for everybody of one item in a list, from a day on.
    pub fn of(list: &str, itno: &str, from: &str) -> Self {
        Self {
            list: list.to_owned(),
            currency: "EUR".to_owned(),
            customer: String::new(),
            from: from.to_owned(),
            itno: itno.to_owned(),
            quantity: 0,
        }
    }
}

/// One price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPrice {
    /// SAPR.
    pub price: Decimal,
    /// SACD: for so many pieces; 0 is 1.
    pub per: u32,
    /// LVDT; empty for no end.
    pub to: String,
    /// TINC.
    pub vat_included: bool,
}

impl ListedPrice {
    /// For one piece, without VAT and without an end.
    pub fn plain(price: Decimal) -> Self {
        Self { price, per: 0, to: String::new(), vat_included: false }
    }
}

/// All prices, each with when it was changed.
pub(crate) type Prices = BTreeMap<PriceKey, (ListedPrice, u64)>;

/// The list that a new company has.
pub(crate) const LIST: &str = "WEB";
const FIRST_DAY: &str = "20200101";

impl World {
    /// The price that an item begins with.
    pub(crate) fn list_item(&mut self, itno: &str, price: Decimal, wall_ms: u64) {
        let key = PriceKey::of(LIST, itno, FIRST_DAY);
        self.prices.insert(key, (ListedPrice::plain(price), wall_ms));
    }

    /// OIS320MI and OIS017MI.
    pub(crate) fn price_programs(&self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("OIS320MI", "LstNewPrices") => self.list_new_prices(ask),
            ("OIS017MI", "LstPriceList") => Ok(self.list_price_lists(ask)),
            ("OIS017MI", "LstBasePrice") => self.list_base_prices(ask),
            _ => return None,
        })
    }

    fn list_new_prices(&self, ask: &Ask<'_>) -> Outcome {
        let since = ask.whole("LMTS")?;
        let changed = self.prices.iter().filter(|(_, (_, at_ms))| *at_ms >= since);
        Ok(changed.take(ask.rows_max).map(|(key, (price, _))| price_row(key, price)).collect())
    }

    /// One row for each version of a list.
    fn list_price_lists(&self, ask: &Ask<'_>) -> Vec<Record> {
        let wanted = |key: &&PriceKey| {
            let fits =
                |field: &str, value: &str| ask.text(field).is_empty() || ask.text(field) == value;
            fits("PRRF", &key.list) && fits("CUCD", &key.currency) && fits("CUNO", &key.customer)
        };
        let mut versions: Vec<_> = self.prices.keys().filter(wanted).collect();
        versions.dedup_by(|a, b| {
            (&a.list, &a.currency, &a.customer, &a.from)
                == (&b.list, &b.currency, &b.customer, &b.from)
        });
        let version = |key: &PriceKey| {
            row([
                ("CONO", self.cono.to_string()),
                ("PRRF", key.list.clone()),
                ("CUCD", key.currency.clone()),
                ("CUNO", key.customer.clone()),
                ("FVDT", key.from.clone()),
                ("LVDT", String::new()),
                ("TX15", "Web shop".to_owned()),
            ])
        };
        versions.into_iter().take(ask.rows_max).map(version).collect()
    }

    fn list_base_prices(&self, ask: &Ask<'_>) -> Outcome {
        let (list, currency, from) = (ask.text("PRRF"), ask.text("CUCD"), ask.text("FVDT"));
        let wanted = |key: &PriceKey| {
            let version = (key.list.as_str(), key.currency.as_str(), key.from.as_str());
            version == (list, currency, from)
                && key.customer == ask.text("CUNO")
                && key.quantity == 0
        };
        let found: Vec<_> = self.prices.iter().filter(|(key, _)| wanted(key)).collect();
        if found.is_empty() {
            return Err(Nok::new("XRE0103", "PRRF", list));
        }
        let found = found.into_iter().take(ask.rows_max);
        Ok(found.map(|(key, (price, _))| price_row(key, price)).collect())
    }
}

fn price_row(key: &PriceKey, price: &ListedPrice) -> Record {
    row([
        ("PRRF", key.list.clone()),
        ("CUCD", key.currency.clone()),
        ("CUNO", key.customer.clone()),
        ("FVDT", key.from.clone()),
        ("LVDT", price.to.clone()),
        ("ITNO", key.itno.clone()),
        ("QTYL", format!("{}.000000", key.quantity)),
        ("SAPR", format!("{:.4}", price.price)),
        ("SACD", price.per.to_string()),
        ("SPUN", "PCS".to_owned()),
        ("NTCD", "0".to_owned()),
        ("TINC", u8::from(price.vat_included).to_string()),
    ])
}
