//! Items in M3's words: what changed of them, and their other names. Pure.
//!
//! Source: reference/m3.md 4.2. `LstItmByChgDate` knows days, not moments; its rows do not say in
//! which language they are, so it is written down here.

use super::{
    mi::{MiCall, MiRecord},
    order::rows,
    prices::Day,
};
use crate::{
    connector::Failure,
    ids::{BadCode, Itno},
};
use std::collections::BTreeSet;

/// The field in which a row says which language was asked for.
pub const LANGUAGE: &str = "LNCD";

/// Lists the items that changed on that day or later, all when none, with these fields; texts are in a
/// language, in M3's own when it is empty.
pub fn changed_since(day: Option<Day>, language: &str, fields: &[&str]) -> MiCall {
    let day = day.map_or_else(String::new, |day| day.to_string());
    let call = MiCall::new("MMS200MI", "LstItmByChgDate").with("FLMD", day);
    let columns: Vec<&str> = std::iter::once("ITNO").chain(fields.iter().copied()).collect();
    call.with(LANGUAGE, language).columns(&columns)
}

/// Writes into a row in which language it was asked for.
pub fn in_language(row: &MiRecord, language: &str) -> MiRecord {
    row.iter().chain([(LANGUAGE, language)]).collect()
}

/// Reads which item a row is about.
pub fn item(row: &MiRecord) -> Result<Itno, BadCode> {
    Itno::try_from(row.text("ITNO"))
}

/// Lists the other names of an item.
pub fn names(itno: &str) -> MiCall {
    let call = MiCall::new("MMS025MI", "LstAlias").with("ITNO", itno);
    call.columns(&["ITNO", "ALWT", "POPN"])
}

/// Reads them: category and name, of these categories, each once.
pub fn names_read(
    answer: Result<Vec<MiRecord>, Failure>,
    categories: &[String],
) -> Result<BTreeSet<(String, String)>, Failure> {
    let rows = rows(answer)?;
    let pairs = rows.iter().map(|row| (plain(row.text("ALWT")), row.text("POPN").to_owned()));
    let wanted = |(category, name): &(String, String)| {
        !name.is_empty() && categories.iter().any(|one| plain(one) == *category)
    };
    Ok(pairs.filter(wanted).collect())
}

/// Lists the items that have a name of a category.
pub fn named(name: &str, category: &str) -> MiCall {
    let call = MiCall::new("MMS025MI", "LstItem").with("POPN", name).with("ALWT", category);
    call.columns(&["POPN", "ALWT", "ITNO"]).records_max(20)
}

/// Reads which they are; the list only begins at the name.
pub fn named_read(
    answer: Result<Vec<MiRecord>, Failure>,
    name: &str,
) -> Result<BTreeSet<String>, Failure> {
    let rows = rows(answer)?;
    let same = rows.iter().filter(|row| row.text("POPN") == name);
    Ok(same.map(|row| row.text("ITNO").to_owned()).collect())
}

/// A category without the zeros that a numeric field may have in front.
pub fn plain(category: &str) -> String {
    let category = category.trim();
    let short = category.trim_start_matches('0');
    if short.is_empty() { category.to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_from_a_day_and_in_a_language() {
        let all = changed_since(None, "", &["STAT"]);
        assert_eq!((all.value("FLMD"), all.value("LNCD")), ("", ""));
        assert_eq!(all.columns, ["ITNO", "STAT"]);
        let some = changed_since(Some(20_261_124), "DE", &[]);
        assert_eq!((some.value("FLMD"), some.value("LNCD")), ("20261124", "DE"));
        let row: MiRecord = [("ITNO", "MUG     "), ("STAT", "20")].into_iter().collect();
        let tagged = in_language(&row, "DE");
        assert_eq!((tagged.text(LANGUAGE), tagged.text("STAT")), ("DE", "20"));
        assert_eq!(item(&tagged).unwrap().as_str(), "MUG");
        assert!(item(&MiRecord::default()).is_err());
    }

    #[test]
    fn other_names_are_read_of_the_categories_that_are_asked_about() {
        let row = |category: &str, name: &str, itno: &str| -> MiRecord {
            [("ALWT", category), ("POPN", name), ("ITNO", itno)].into_iter().collect()
        };
        let rows =
            vec![row("01", "A", "X"), row("2", "B", "X"), row("1", "A", "X"), row("1", "", "X")];
        let read = names_read(Ok(rows), &["1".to_owned()]).unwrap();
        assert_eq!(read, BTreeSet::from([("1".to_owned(), "A".to_owned())]));
        let rows = vec![row("1", "A", "X"), row("1", "A", "Y"), row("1", "AB", "Z")];
        let read = named_read(Ok(rows), "A").unwrap();
        assert_eq!(read, BTreeSet::from(["X".to_owned(), "Y".to_owned()]));
    }
}
