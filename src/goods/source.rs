//! What is watched in M3: balances, prices, and items.
//!
//! A [`Source`] says what to ask, how to read a row, and how rows of one item are kept; `watch` does the
//! rest for all alike.

mod items;

use super::{
    Standing,
    balance::Whole,
    good::Balances,
    price,
    rules::{AskFor, Prices, Stock},
    table,
};
use crate::{
    connector::{
        Failure, Kind,
        m3::{
            M3,
            mi::{BadNumber, MiRecord},
            order::rows,
            prices::{self, Price},
            stock::{self, Balance},
        },
    },
    ids::{Itno, short_hash},
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// One kind of what M3 knows of items.
pub trait Source: Send + Sync + 'static {
    /// A row of M3's list.
    type Row: Send + Sync;
    /// What is kept of an item.
    type Kept: Serialize + DeserializeOwned + PartialEq + Default + Send + Sync;
    /// Name of the cursor, and in the log.
    const NAME: &'static str;
    /// Table of what is kept.
    const TABLE: &'static str;

    /// Returns the time between two looks.
    fn poll(&self) -> Duration;
    /// Returns how far back a look reaches beyond the one before, in milliseconds.
    fn overlap_ms(&self) -> u64;
    /// Returns a fingerprint of what is asked for: another one needs everything anew.
    fn fingerprint(&self) -> String;
    /// Whether M3 is asked for everything each time.
    fn asks_for_all(&self) -> bool {
        false
    }
    /// Asks M3.
    fn list(
        &self,
        m3: &M3,
        since_ms: Option<u64>,
    ) -> impl Future<Output = Result<Vec<MiRecord>, Failure>> + Send;
    /// Reads a row; none if it is not asked about.
    fn read(&self, row: &MiRecord) -> Result<Option<(Itno, Self::Row)>, BadNumber>;
    /// Takes the rows of one item in.
    fn merge(
        &self,
        known: Option<Self::Kept>,
        rows: &[(Itno, Self::Row)],
        whole: Whole,
    ) -> Self::Kept;
    /// Says why a whole list without a row that counts may be a mistake.
    fn nothing(&self, all: usize) -> String;
    /// Says what a whole list lacks that the settings ask for, if it does.
    fn lacking(&self, _all: &[MiRecord]) -> Option<String> {
        None
    }
    /// Whether anything kept can begin or end between two moments, in milliseconds since 1970.
    fn may_turn(&self, _from_ms: u64, _to_ms: u64) -> bool {
        false
    }
    /// Whether something kept does.
    fn turns(&self, _kept: &Self::Kept, _from_ms: u64, _to_ms: u64) -> bool {
        false
    }
    /// For how long a confirmed order is not in the balances yet, in milliseconds; none if orders do
    /// not matter.
    fn hold_ms(&self) -> Option<u64> {
        None
    }
    /// Notes that M3 was asked.
    fn note(standing: &mut Standing, now_ms: u64);
}

impl Source for Stock {
    type Row = Balance;
    type Kept = Balances;
    const NAME: &'static str = "stock";
    const TABLE: &'static str = table::BALANCES;

    fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_s)
    }

    fn overlap_ms(&self) -> u64 {
        self.overlap_s.saturating_mul(1_000)
    }

    fn fingerprint(&self) -> String {
        let mut parts: Vec<&[u8]> = self.warehouses.iter().map(String::as_bytes).collect();
        parts.sort_unstable();
        parts.push(self.quantity.field().as_bytes());
        short_hash(&parts, 12)
    }

    async fn list(&self, m3: &M3, since_ms: Option<u64>) -> Result<Vec<MiRecord>, Failure> {
        m3.call(&stock::changed_since(since_ms, self.quantity), Kind::Read).await
    }

    fn read(&self, row: &MiRecord) -> Result<Option<(Itno, Balance)>, BadNumber> {
        let read = stock::balance(row, self.quantity, &self.warehouses)?;
        Ok(read.map(|balance| (balance.itno.clone(), balance)))
    }

    fn merge(&self, known: Option<Balances>, rows: &[(Itno, Balance)], whole: Whole) -> Balances {
        let mut balances = match whole {
            Whole::All => Balances::new(),
            Whole::Changes => known.unwrap_or_default(),
        };
        balances.extend(rows.iter().map(|(_, row)| (row.warehouse.clone(), row.quantity)));
        balances
    }

    fn nothing(&self, all: usize) -> String {
        let warehouses = self.warehouses.join(", ");
        format!(
            "M3 lists {all} balances and none of warehouse {warehouses}; are stock.warehouses right?"
        )
    }

    fn hold_ms(&self) -> Option<u64> {
        Some(self.hold_confirmed_s.saturating_mul(1_000))
    }

    fn note(standing: &mut Standing, now_ms: u64) {
        standing.stock_ms = now_ms;
    }
}

impl Source for Prices {
    type Row = Price;
    type Kept = price::Lists;
    const NAME: &'static str = "prices";
    const TABLE: &'static str = table::PRICES;

    fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_s)
    }

    fn overlap_ms(&self) -> u64 {
        self.overlap_s.saturating_mul(1_000)
    }

    fn fingerprint(&self) -> String {
        let lists = self.lists().into_iter().map(str::as_bytes);
        let parts: Vec<&[u8]> =
            [b"lists".as_slice(), self.currency.as_bytes()].into_iter().chain(lists).collect();
        short_hash(&parts, 12)
    }

    fn asks_for_all(&self) -> bool {
        self.ask == AskFor::List
    }

    async fn list(&self, m3: &M3, since_ms: Option<u64>) -> Result<Vec<MiRecord>, Failure> {
        if self.ask == AskFor::Changes {
            return m3.call(&prices::changed_since(since_ms), Kind::Read).await;
        }
        let versions = m3.call(&prices::versions(&self.list, &self.currency), Kind::Read).await?;
        let mut all = Vec::new();
        for call in prices::of_versions(&versions, &self.list, &self.currency) {
            all.extend(rows(m3.call(&call, Kind::Read).await)?);
        }
        Ok(all)
    }

    fn read(&self, row: &MiRecord) -> Result<Option<(Itno, Price)>, BadNumber> {
        let read = prices::price(row, &self.lists(), &self.currency)?;
        Ok(read.map(|price| (price.itno.clone(), price)))
    }

    fn merge(
        &self,
        known: Option<price::Lists>,
        rows: &[(Itno, Price)],
        whole: Whole,
    ) -> price::Lists {
        let mut lists = match whole {
            Whole::All => price::Lists::new(),
            Whole::Changes => known.unwrap_or_default(),
        };
        price::take(&mut lists, rows.iter().map(|(_, row)| row.clone()));
        lists
    }

    fn nothing(&self, all: usize) -> String {
        let Self { list, currency, .. } = self;
        format!("M3 lists {all} prices and none of list {list} in {currency}; are they right?")
    }

    /// A list for a membership that was renamed must not take all its prices away.
    fn lacking(&self, all: &[MiRecord]) -> Option<String> {
        let has = |list: &str| {
            let mut rows = all.iter().map(|row| prices::price(row, &[list], &self.currency));
            rows.any(|read| read.is_ok_and(|price| price.is_some()))
        };
        let list = self.lists().into_iter().skip(1).find(|list| !has(list))?;
        let currency = &self.currency;
        Some(format!(
            "M3 lists {} prices and none of list {list} in {currency}; is prices.wholesale.memberships right?",
            all.len()
        ))
    }

    fn may_turn(&self, from_ms: u64, to_ms: u64) -> bool {
        self.day_at(from_ms) != self.day_at(to_ms)
    }

    fn turns(&self, kept: &price::Lists, from_ms: u64, to_ms: u64) -> bool {
        let (before, today) = (self.day_at(from_ms), self.day_at(to_ms));
        kept.values().any(|listed| price::turns(listed, before, today))
    }

    fn note(standing: &mut Standing, now_ms: u64) {
        standing.prices_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_adds_to_what_is_known_and_a_whole_list_replaces_it() {
        let stock: Stock = toml::from_str(r#"warehouses = ["1", "2"]"#).unwrap();
        let row = |warehouse: &str, quantity: u64| {
            let itno = Itno::try_from("B").unwrap();
            let warehouse = warehouse.to_owned();
            (itno.clone(), Balance { itno, warehouse, quantity: quantity.into() })
        };
        let of = |pairs: &[(&str, u64)]| -> Balances {
            pairs.iter().map(|(whlo, many)| ((*whlo).to_owned(), (*many).into())).collect()
        };
        let rows = [row("1", 5), row("1", 6)];
        let known = || Some(of(&[("1", 9), ("2", 4)]));
        assert_eq!(stock.merge(known(), &rows, Whole::Changes), of(&[("1", 6), ("2", 4)]));
        assert_eq!(stock.merge(known(), &rows, Whole::All), of(&[("1", 6)]));
        let other: Stock = toml::from_str(r#"warehouses = ["2", "1"]"#).unwrap();
        assert_eq!(stock.fingerprint(), other.fingerprint());
        let other: Stock = toml::from_str(r#"warehouses = ["1"]"#).unwrap();
        assert_ne!(stock.fingerprint(), other.fingerprint());
    }
}
