//! Price lists in M3's words. Pure.
//!
//! Source: reference/m3.md 4.3. SACD 0 and 1 are a price for one; blank LVDT is no end; a row with a
//! customer is not for everybody.

use super::mi::{BadNumber, MiCall, MiRecord};
use crate::{amount::Amount, ids::Itno};
use rust_decimal::prelude::ToPrimitive;

const COLUMNS: [&str; 10] =
    ["PRRF", "CUCD", "CUNO", "FVDT", "LVDT", "ITNO", "QTYL", "SAPR", "SACD", "TINC"];

/// A day as M3 writes it: `yyyyMMdd` as a number; 0 is none.
pub type Day = u32;

/// One price of one item in the list that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// PRRF: the list it is of.
    pub list: String,
    /// ITNO.
    pub itno: Itno,
    /// FVDT: from this day on.
    pub from: Day,
    /// LVDT: up to this day; 0 for no end.
    pub to: Day,
    /// QTYL: from so many pieces on.
    pub quantity: Amount,
    /// SAPR.
    pub price: Amount,
    /// SACD: for so many pieces, at least 1.
    pub per: u32,
    /// TINC: whether it contains VAT.
    pub gross: bool,
}

/// Lists the prices that changed since then, in milliseconds since 1970; all when none.
pub fn changed_since(since_ms: Option<u64>) -> MiCall {
    let call = MiCall::new("OIS320MI", "LstNewPrices");
    let call = match since_ms {
        Some(since_ms) => call.with("LMTS", since_ms.to_string()),
        None => call,
    };
    call.columns(&COLUMNS)
}

/// Lists the versions of a price list.
pub fn versions(list: &str, currency: &str) -> MiCall {
    let call = MiCall::new("OIS017MI", "LstPriceList").with("PRRF", list);
    call.with("CUCD", currency).columns(&["PRRF", "CUCD", "CUNO", "FVDT", "LVDT"])
}

/// Lists the prices of each version that is for everybody.
pub fn of_versions(rows: &[MiRecord], list: &str, currency: &str) -> Vec<MiCall> {
    let ours = |row: &&MiRecord| is_of(row, list, currency);
    let ask = |row: &MiRecord| {
        let call = MiCall::new("OIS017MI", "LstBasePrice").with("PRRF", list);
        call.with("CUCD", currency).with("FVDT", row.text("FVDT").trim()).columns(&COLUMNS)
    };
    rows.iter().filter(ours).map(ask).collect()
}

fn is_of(row: &MiRecord, list: &str, currency: &str) -> bool {
    row.text("PRRF").trim() == list
        && row.text("CUCD").trim() == currency
        && row.text("CUNO").trim().is_empty()
}

/// Understands one row; none if it is of no such list or for one customer.
pub fn price(row: &MiRecord, lists: &[&str], currency: &str) -> Result<Option<Price>, BadNumber> {
    let Some(list) = lists.iter().find(|list| is_of(row, list, currency)) else { return Ok(None) };
    let Ok(itno) = Itno::try_from(row.text("ITNO")) else { return Ok(None) };
    let whole = |field: &str| -> Result<u32, BadNumber> {
        let text = row.text(field).trim().chars().take(40).collect();
        let bad = BadNumber { field: field.to_owned(), text };
        row.decimal(field)?.to_u32().ok_or(bad)
    };
    Ok(Some(Price {
        list: (*list).to_owned(),
        itno,
        from: whole("FVDT")?,
        to: whole("LVDT")?,
        quantity: Amount(row.decimal("QTYL")?),
        price: Amount(row.decimal("SAPR")?),
        per: whole("SACD")?.max(1),
        gross: row.text("TINC").trim() == "1",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, &str)]) -> MiRecord {
        let base = [("PRRF", "WEB"), ("CUCD", "EUR"), ("ITNO", "MUG"), ("FVDT", "20260101")];
        base.iter().chain(pairs).copied().collect()
    }

    #[test]
    fn a_row_is_read_as_m3_writes_it_and_only_of_the_list_asked_about() {
        let read = |pairs: &[(&str, &str)]| price(&row(pairs), &["WEB", "GOLD"], "EUR");
        let got =
            read(&[("SAPR", "1234,5000"), ("SACD", "100"), ("TINC", "1"), ("QTYL", "10.000000")]);
        let got = got.unwrap().unwrap();
        assert_eq!((got.price.to_mi(), got.per, got.gross), ("1234.5".to_owned(), 100, true));
        assert_eq!((got.from, got.to, got.quantity), (20_260_101, 0, Amount::from(10)));
        let plain = read(&[("SAPR", "5"), ("SACD", "0"), ("LVDT", "20261231")]).unwrap().unwrap();
        assert_eq!((plain.per, plain.gross, plain.to), (1, false, 20_261_231));
        assert_eq!(read(&[("CUNO", "Y30000"), ("SAPR", "5")]), Ok(None));
        assert_eq!(read(&[("PRRF", "B2B"), ("SAPR", "5")]), Ok(None));
        assert_eq!(read(&[("PRRF", "GOLD"), ("SAPR", "5")]).unwrap().unwrap().list, "GOLD");
        assert!(read(&[("SAPR", "x")]).is_err());
        assert!(read(&[("SACD", "-1")]).is_err());
    }

    #[test]
    fn every_version_that_is_for_everybody_is_asked_for() {
        let rows = [row(&[]), row(&[("CUNO", "Y1")]), row(&[("FVDT", "20270101")])];
        let calls = of_versions(&rows, "WEB", "EUR");
        let days: Vec<_> = calls.iter().map(|call| call.value("FVDT")).collect();
        assert_eq!(days, ["20260101", "20270101"]);
    }
}
