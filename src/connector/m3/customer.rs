//! Customers, their addresses, and items in M3's words. Pure.
//!
//! Source: reference/m3.md 4.1 and 4.2. `GetBasicData` is not known to give VRNO; `LstByNumber` is.

use super::{
    mi::{MiCall, MiRecord},
    order::{Answers, one, rows},
};
use crate::{
    connector::Failure,
    flow::{
        customer::{By, Person, Record, book::Entry, card::Call},
        plan::Field,
        rules::CustomerRules,
    },
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
    Ok(one(answer)?.as_ref().and_then(record))
}

/// Reads a customer that may be a buyer: with its VAT number where that counts.
pub fn candidate(cuno: &Cuno, person: &Person, rules: &CustomerRules) -> MiCall {
    if !person.is_known_by_vat(rules) {
        return get(cuno);
    }
    // The list begins at the number.
    let call = MiCall::new("CRS610MI", "LstByNumber").with("CUNO", cuno.as_str());
    call.columns(&["CUNO", "MAIL", "STAT", "VRNO", "CSCD"]).records_max(1)
}

/// Understands it; a list that begins behind the number does not have it.
pub fn read(
    answer: Result<Vec<MiRecord>, Failure>,
    cuno: &Cuno,
) -> Result<Option<Record>, Failure> {
    Ok(got(answer)?.filter(|record| record.cuno == *cuno))
}

fn record(record: &MiRecord) -> Option<Record> {
    let text = |field: &str| record.text(field).trim().to_owned();
    Some(Record {
        cuno: Cuno::try_from(record.text("CUNO")).ok()?,
        email: text("MAIL"),
        search_key: text("ALCU"),
        status: text("STAT"),
        vat: text("VRNO"),
        country: text("CSCD"),
    })
}

/// Searches customers by e-mail address.
pub fn search(email: &str) -> MiCall {
    let call = MiCall::new("CRS610MI", "SearchCustomer").with("SQRY", format!("MAIL:{email}"));
    call.columns(&["CUNO"]).records_max(20)
}

/// Searches customers by VAT number.
pub fn search_vat(number: &str) -> MiCall {
    let call = MiCall::new("CRS610MI", "SearchCustomer").with("SQRY", format!("VRNO:{number}"));
    call.columns(&["CUNO"]).records_max(20)
}

/// Searches customers by what the buyer is known by.
pub fn search_for(by: By, person: &Person) -> MiCall {
    match by {
        By::Email => search(&person.email),
        By::Vat => search_vat(&person.vat),
    }
}

/// Reads their numbers; what is no number is passed over.
pub fn found(answer: Result<Vec<MiRecord>, Failure>) -> Result<Vec<Cuno>, Failure> {
    let rows = rows(answer)?;
    Ok(rows.iter().filter_map(|row| Cuno::try_from(row.text("CUNO")).ok()).collect())
}

/// Adds a customer from the template.
pub fn add(fields: &[Field]) -> MiCall {
    filled(MiCall::new("CRS610MI", "Add"), fields)
}

/// Changes some fields of a customer.
pub fn change(call: Call, cuno: &Cuno, fields: &[Field]) -> MiCall {
    let transaction = match call {
        Call::Basic => "ChgBasicData",
        Call::Financial => "ChgFinancial",
    };
    filled(MiCall::new("CRS610MI", transaction).with("CUNO", cuno.as_str()), fields)
}

fn filled(call: MiCall, fields: &[Field]) -> MiCall {
    fields.iter().fold(call, |call, (field, value)| call.with(field, value))
}

fn delivery_address(transaction: &str, cuno: &Cuno, adid: &str) -> MiCall {
    let call = MiCall::new("CRS610MI", transaction).with("CUNO", cuno.as_str());
    call.with("ADRT", "1").with("ADID", adid)
}

/// Reads a delivery address of a customer.
pub fn get_address(cuno: &Cuno, adid: &str) -> MiCall {
    delivery_address("GetAddress", cuno, adid).columns(&["ADID", "PONO", "CSCD"])
}

/// Understands it: postal code and country.
pub fn address_got(
    answer: Result<Vec<MiRecord>, Failure>,
) -> Result<Option<(String, String)>, Failure> {
    let text = |row: &MiRecord, field: &str| row.text(field).trim().to_owned();
    Ok(one(answer)?.map(|row| (text(&row, "PONO"), text(&row, "CSCD"))))
}

/// Adds a delivery address to a customer.
pub fn add_address(cuno: &Cuno, entry: &Entry) -> MiCall {
    filled(delivery_address("AddAddress", cuno, &entry.adid), &entry.fields)
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
