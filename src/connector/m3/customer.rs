//! Customers and items in M3's words. Pure.
//!
//! Source: reference/m3.md 4.1 and 4.2.

use super::{
    mi::{MiCall, MiRecord},
    order::{Answers, one, rows},
};
use crate::{
    connector::Failure,
    flow::customer::{Person, Record},
    ids::{Cuno, Itno},
};
use std::collections::BTreeMap;

/// Characters of ITNO.
const ITNO_CHARS_MAX: usize = 15;
/// Characters of POPN.
const ALIAS_CHARS_MAX: usize = 30;

/// Reads a customer.
pub fn get(cuno: &Cuno) -> MiCall {
    let call = MiCall::new("CRS610MI", "GetBasicData").with("CUNO", cuno.as_str());
    call.columns(&["CUNO", "MAIL", "ALCU", "STAT"])
}

/// Understands it.
pub fn got(answer: Result<Vec<MiRecord>, Failure>) -> Result<Option<Record>, Failure> {
    let record = one(answer)?;
    Ok(record.and_then(|record| {
        Some(Record {
            cuno: Cuno::try_from(record.text("CUNO")).ok()?,
            email: record.text("MAIL").trim().to_owned(),
            search_key: record.text("ALCU").trim().to_owned(),
            status: record.text("STAT").trim().to_owned(),
        })
    }))
}

/// Searches customers by e-mail address.
pub fn search(email: &str) -> MiCall {
    let call = MiCall::new("CRS610MI", "SearchCustomer").with("SQRY", format!("MAIL:{email}"));
    call.columns(&["CUNO"]).records_max(20)
}

/// Reads their numbers; what is no number is passed over.
pub fn found(answer: Result<Vec<MiRecord>, Failure>) -> Result<Vec<Cuno>, Failure> {
    let rows = rows(answer)?;
    Ok(rows.iter().filter_map(|row| Cuno::try_from(row.text("CUNO")).ok()).collect())
}

/// Adds a customer from the template.
pub fn add(person: &Person) -> MiCall {
    let call = MiCall::new("CRS610MI", "Add");
    person.fields.iter().fold(call, |call, (field, value)| call.with(field, value))
}

/// Lists customers from a number on, that one included, with these fields beside the usual ones; only
/// those that changed since then, in milliseconds since 1970, if that is given.
pub fn list(from: &str, since_ms: Option<u64>, fields: &[String], records_max: u32) -> MiCall {
    let since = since_ms.map(|since_ms| since_ms.to_string()).unwrap_or_default();
    let call = MiCall::new("CRS610MI", "LstByNumber").with("CUNO", from).with("LMTS", since);
    let usual = ["CUNO", "CUNM", "MAIL", "STAT", "ALCU"];
    let others = fields.iter().map(String::as_str).filter(|field| !usual.contains(field));
    let columns: Vec<&str> = usual.into_iter().chain(others).collect();
    call.columns(&columns).records_max(records_max)
}

/// Reads the items of those SKUs that can be item numbers.
pub fn items(skus: &[String]) -> Vec<MiCall> {
    let fit = skus.iter().filter(|sku| sku.chars().count() <= ITNO_CHARS_MAX);
    let get = |sku: &String| {
        MiCall::new("MMS200MI", "GetItmBasic").with("ITNO", sku).columns(&["ITNO", "STAT"])
    };
    fit.map(get).collect()
}

/// Says which SKUs are item numbers.
pub fn items_found(calls: &[MiCall], answers: Answers) -> Result<BTreeMap<String, Itno>, Failure> {
    let mut found = BTreeMap::new();
    for (call, answer) in calls.iter().zip(answers) {
        if let Some(itno) = one(answer)?.and_then(|row| Itno::try_from(row.text("ITNO")).ok()) {
            found.insert(call.value("ITNO").to_owned(), itno);
        }
    }
    Ok(found)
}

/// Looks SKUs up among the aliases of some categories (ALWT).
pub fn aliases(skus: &[String], categories: &[String]) -> Vec<MiCall> {
    let fit = skus.iter().filter(|sku| sku.chars().count() <= ALIAS_CHARS_MAX);
    let each = fit.flat_map(|sku| categories.iter().map(move |category| (sku, category)));
    let ask = |(sku, category): (&String, &String)| {
        let call = MiCall::new("MMS025MI", "LstItem").with("POPN", sku).with("ALWT", category);
        call.columns(&["POPN", "ALWT", "ITNO"]).records_max(5)
    };
    each.map(ask).collect()
}

/// Says which SKUs are aliases; the list only begins at the alias, so each row is compared.
pub fn aliases_found(
    calls: &[MiCall],
    answers: Answers,
) -> Result<BTreeMap<String, Itno>, Failure> {
    let mut found = BTreeMap::new();
    for (call, answer) in calls.iter().zip(answers) {
        let (sku, category) = (call.value("POPN"), call.value("ALWT"));
        let rows = rows(answer)?;
        let same = |row: &&MiRecord| {
            let category_fits =
                matches!(row.text("ALWT").trim(), "" | "0") || row.text("ALWT").trim() == category;
            row.text("POPN") == sku && category_fits
        };
        if let Some(itno) =
            rows.iter().find(same).and_then(|row| Itno::try_from(row.text("ITNO")).ok())
        {
            found.entry(sku.to_owned()).or_insert(itno);
        }
    }
    Ok(found)
}
