//! What the shop's API offers, as a table, and how a record of it is read (reference/xcart.md 3 to
//! 5). Pure.
//!
//! What this module guarantees:
//! 1. An address is built of numbers and of filters that the shop knows, so nothing that is
//!    given can lead elsewhere; the shop ignores a filter that it does not know, and gives
//!    everything, so such a one is refused here.
//! 2. A record is read by what the notes say of it: what is absent is empty, what is unknown is
//!    passed over, and a value of another kind is shown with a question mark before it.

use crate::connector::loose::encode;
use serde_json::Value;
use std::fmt::Write as _;
use thiserror::Error;

/// The table.
const TABLE: &str = include_str!("resources/table.txt");
/// Members of a record that are shown where the notes do not say which it has.
const MEMBERS_MAX: usize = 10;
/// Digits of a number that names a record.
const ID_DIGITS_MAX: usize = 18;
/// Characters of a shop's order number.
const NUMBER_CHARS_MAX: usize = 255;

/// Something that the API offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is called here.
    pub name: &'static str,
    /// The path of the list; none where there is only one.
    pub list: Option<&'static str>,
    /// The path of one; none where it is only listed.
    pub one: Option<&'static str>,
    /// Filters and sorts of the list.
    pub filters: Vec<&'static str>,
    /// Methods that change it, such as `PUT`; this program reads only, but where a flow writes.
    pub changed_by: &'static str,
    /// Since which version, or which module has it.
    pub since: &'static str,
    /// Where the notes say it.
    pub section: &'static str,
    /// What is shown of a record; none: every plain member.
    pub columns: Vec<Column>,
}

/// What is shown of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Where it stands: members, each after a slash.
    pub at: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it must be.
    pub kind: Kind,
}

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text; a number counts as one.
    Text,
    /// A whole number.
    Int,
    /// A number, kept as it is written.
    Amount,
    /// Yes or no.
    Flag,
    /// A moment, as it is written.
    Time,
    /// A list, of which the length is shown.
    Count,
    /// A list of texts, numbers, or records with a name or a value.
    Names,
}

/// Why nothing can be asked for. The text continues "could not ask the shop: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unaskable {
    /// No such thing.
    #[error("there is no {0:?}: causeway xcart describe names what there is")]
    NoSuchThing(String),
    /// It has no list, or no single record.
    #[error("{0} can only be {1}")]
    OtherWay(&'static str, &'static str),
    /// Numbers are missing, or there are too many.
    #[error("{0} needs {1} numbers: {2}")]
    Numbers(&'static str, usize, String),
    /// That is no number.
    #[error("{0:?} is not the number of a record")]
    NotANumber(String),
    /// That is no filter.
    #[error("{0:?} is no filter of {1}: the shop would ignore it and give everything; it has {2}")]
    NoSuchFilter(String, &'static str, String),
}

impl Resource {
    /// Returns every one, in the order of the notes.
    pub fn all() -> Vec<Self> {
        TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(Self::read).collect()
    }

    /// Finds one by its name.
    pub fn named(name: &str) -> Result<Self, Unaskable> {
        let mut all = Self::all().into_iter();
        let found = all.find(|one| one.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| Unaskable::NoSuchThing(name.chars().take(60).collect()))
    }

    fn read(line: &'static str) -> Option<Self> {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [name, list, one, filters, changed_by, since, section, columns] = cells[..] else {
            return None;
        };
        let some = |cell: &'static str| (cell != "-").then_some(cell);
        let shown = (columns != "*").then_some(columns);
        Some(Self {
            name,
            list: some(list),
            one: some(one),
            filters: some(filters).into_iter().flat_map(str::split_whitespace).collect(),
            changed_by,
            since,
            section,
            columns: shown
                .into_iter()
                .flat_map(str::split_whitespace)
                .map(Column::read)
                .collect::<Option<_>>()?,
        })
    }

    /// Returns the path of a page of the list, below `/api`, with the filters; pages begin at 1.
    pub fn page(
        &self,
        numbers: &[String],
        filters: &[(String, String)],
        (page, length): (u32, usize),
    ) -> Result<String, Unaskable> {
        let list = self.list.ok_or(Unaskable::OtherWay(self.name, "shown"))?;
        let mut path = self.filled(list, numbers)?;
        let (_, member) = split(list);
        if member.is_some() {
            return Ok(path);
        }
        // Writing into a String cannot fail.
        let _ = write!(path, "?itemsPerPage={length}&page={page}");
        for (name, value) in filters {
            if !self.filters.contains(&name.as_str()) {
                let known = if self.filters.is_empty() {
                    "none".to_owned()
                } else {
                    self.filters.join(", ")
                };
                return Err(Unaskable::NoSuchFilter(name.clone(), self.name, known));
            }
            let _ = write!(path, "&{}={}", encode(name), encode(value));
        }
        Ok(path)
    }

    /// Returns the path of one, below `/api`.
    pub fn single(&self, numbers: &[String]) -> Result<String, Unaskable> {
        let one = self.one.ok_or(Unaskable::OtherWay(self.name, "listed"))?;
        self.filled(one, numbers)
    }

    /// Returns the member of a record in which the list stands, where it has no path of its own.
    pub fn member(&self) -> Option<&'static str> {
        split(self.list?).1
    }

    /// Puts numbers into a path.
    fn filled(&self, path: &'static str, numbers: &[String]) -> Result<String, Unaskable> {
        let (path, _) = split(path);
        let wanted = places(path);
        if wanted.len() != numbers.len() {
            let named = if wanted.is_empty() { "none".to_owned() } else { wanted.join(", ") };
            return Err(Unaskable::Numbers(self.name, wanted.len(), named));
        }
        let mut filled = path.to_owned();
        for (place, number) in wanted.into_iter().zip(numbers) {
            // The number of an order is the only one that people see, and may have letters.
            let is_good = match place {
                "number" => {
                    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    number.len() <= NUMBER_CHARS_MAX && number.chars().all(is_word)
                }
                _ => number.len() <= ID_DIGITS_MAX && number.bytes().all(|b| b.is_ascii_digit()),
            };
            if !is_good || number.is_empty() {
                return Err(Unaskable::NotANumber(number.chars().take(60).collect()));
            }
            filled = filled.replacen(&format!("{{{place}}}"), number, 1);
        }
        Ok(filled)
    }

    /// Returns the titles of what is shown of these records.
    pub fn titles(&self, records: &[Value]) -> Vec<String> {
        if self.columns.is_empty() {
            return members(records);
        }
        self.columns.iter().map(|column| column.title.to_owned()).collect()
    }

    /// Reads a record, as text for each title; the count says how many values are not of the kind
    /// that the notes give them.
    pub fn cells(&self, titles: &[String], record: &Value) -> (Vec<String>, usize) {
        if self.columns.is_empty() {
            let cell = |title: &String| record.get(title).and_then(plain).unwrap_or_default();
            return (titles.iter().map(cell).collect(), 0);
        }
        let mut odd = 0_usize;
        let cells = self.columns.iter().map(|column| match column.cell(record) {
            Ok(text) => text,
            Err(text) => {
                odd = odd.saturating_add(1);
                format!("?{text}")
            }
        });
        let cells = cells.collect();
        (cells, odd)
    }
}

/// Splits off the member of a record in which a list stands.
fn split(path: &'static str) -> (&'static str, Option<&'static str>) {
    path.split_once('#').map_or((path, None), |(path, member)| (path, Some(member)))
}

/// Returns the names of the numbers that a path needs.
fn places(path: &'static str) -> Vec<&'static str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

/// Every plain member of some records, in their order.
fn members(records: &[Value]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for record in records.iter().filter_map(Value::as_object) {
        for (name, value) in record {
            if found.len() < MEMBERS_MAX && plain(value).is_some() && !found.contains(name) {
                found.push(name.clone());
            }
        }
    }
    found
}

/// A value that is no list and no record; null is empty.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

impl Column {
    /// Reads `payment_status/code=paid:text`.
    fn read(text: &'static str) -> Option<Self> {
        let (name, kind) = text.split_once(':').unwrap_or((text, "text"));
        let (at, title) = name.split_once('=').unwrap_or((name, name));
        let kind = match kind {
            "text" => Kind::Text,
            "int" => Kind::Int,
            "amount" => Kind::Amount,
            "flag" => Kind::Flag,
            "time" => Kind::Time,
            "count" => Kind::Count,
            "names" => Kind::Names,
            _ => return None,
        };
        Some(Self { at, title, kind })
    }

    /// Reads the value of a record; the error is one of another kind.
    fn cell(&self, record: &Value) -> Result<String, String> {
        let mut found = record;
        for name in self.at.split('/') {
            // A member of each of a list is only known by its name.
            if let Value::Array(records) = found {
                let each = records.iter().filter_map(|one| plain(one.get(name)?));
                return Ok(each.collect::<Vec<_>>().join(" "));
            }
            match found.get(name) {
                None | Some(Value::Null) => return Ok(String::new()),
                Some(value) => found = value,
            }
        }
        self.kind.written(found)
    }
}

impl Kind {
    fn written(self, value: &Value) -> Result<String, String> {
        let odd = || Err(value.to_string().chars().take(40).collect());
        match (self, value) {
            (Self::Text | Self::Time, Value::String(text)) => Ok(text.clone()),
            (Self::Text, Value::Number(number)) => Ok(number.to_string()),
            (Self::Int, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                Ok(number.to_string())
            }
            (Self::Amount, Value::Number(number)) => Ok(number.to_string()),
            (Self::Flag, Value::Bool(flag)) => Ok(if *flag { "yes" } else { "no" }.to_owned()),
            (Self::Count, Value::Array(list)) => Ok(list.len().to_string()),
            (Self::Names, Value::Array(list)) => {
                let name = |one: &Value| {
                    let named = |name: &str| one.get(name).and_then(plain);
                    plain(one).or_else(|| match (named("name"), named("value")) {
                        (Some(name), Some(value)) => Some(format!("{name}={value}")),
                        (name, value) => name.or(value),
                    })
                };
                Ok(list.iter().filter_map(name).collect::<Vec<_>>().join(" "))
            }
            (
                Self::Text
                | Self::Time
                | Self::Int
                | Self::Amount
                | Self::Flag
                | Self::Count
                | Self::Names,
                _,
            ) => odd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    fn numbers(numbers: &[&str]) -> Vec<String> {
        numbers.iter().map(|number| (*number).to_owned()).collect()
    }

    #[test]
    fn every_line_of_the_table_can_be_read_and_has_a_name_of_its_own() {
        let lines: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        let all = Resource::all();
        assert_eq!(all.len(), lines.len());
        let names: BTreeSet<_> = all.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), all.len(), "two are named alike");
        for one in &all {
            assert!(one.list.is_some() || one.one.is_some(), "{}", one.name);
            assert!(one.filters.is_empty() || one.list.is_some(), "{}", one.name);
            let titles: BTreeSet<_> = one.columns.iter().map(|column| column.title).collect();
            assert_eq!(titles.len(), one.columns.len(), "{}", one.name);
        }
    }

    #[test]
    fn an_address_is_built_of_numbers_and_known_filters_only() {
        let page = |name: &str, given: &[&str], filter: &str| {
            let filters = filter.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
            let filters: Vec<_> = filters.into_iter().collect();
            let one = Resource::named(name).map_err(|fault| fault.to_string())?;
            one.page(&numbers(given), &filters, (2, 100)).map_err(|fault| fault.to_string())
        };
        let table: [(&str, &[&str], &str, &str); 9] = [
            ("memberships", &[], "", "/memberships?itemsPerPage=100&page=2"),
            ("variants", &["5"], "", "/products/5/variants?itemsPerPage=100&page=2"),
            (
                "orders",
                &[],
                "date[after]=2026-01-01T00:00:00+00:00",
                "/orders?itemsPerPage=100&page=2&date%5Bafter%5D=2026-01-01T00%3A00%3A00%2B00%3A00",
            ),
            ("order-items", &["5"], "", "/orders/5"),
            ("orders", &[], "sku=1", "is no filter of orders"),
            ("variants", &[], "", "needs 1 numbers: product"),
            ("variants", &["../5"], "", "is not the number of a record"),
            ("order-by-number", &["5"], "", "can only be shown"),
            ("inventory", &[], "", "there is no \"inventory\""),
        ];
        for (name, given, filter, want) in table {
            let got = page(name, given, filter).unwrap_or_else(|told| told);
            assert!(got.contains(want), "{name}: {got}");
        }
        let one = |name: &str, given: &[&str]| {
            Resource::named(name).unwrap().single(&numbers(given)).map_err(|told| told.to_string())
        };
        assert_eq!(one("order-by-number", &["A_1"]).unwrap(), "/orders/by_number/A_1");
        let price = one("variant-wholesale-prices", &["1", "2", "3"]).unwrap();
        assert_eq!(price, "/products/1/variants/2/wholesale_prices/3");
        for bad in [&["A-1"][..], &[""], &["1", "2"], &["%2e"]] {
            assert!(one("order-by-number", bad).is_err(), "{bad:?}");
        }
        assert!(one("order-items", &["5"]).unwrap_err().contains("only be listed"));
    }

    #[test]
    fn a_record_is_read_by_kind_and_what_is_of_another_one_is_marked() {
        let orders = Resource::named("orders").unwrap();
        let titles = orders.titles(&[]);
        let record = json!({
            "id": 5, "order_number": "0005", "total": 12.50, "currency": "EUR",
            "payment_status": { "code": "P" }, "shipping_status": null, "customer_id": "seven",
            "items": [{}, {}], "tracking_numbers": [{ "value": "T1" }, { "value": "T2" }],
            "reward_points": { "unknown": [1] },
        });
        let (cells, odd) = orders.cells(&titles, &record);
        let of = |title: &str| {
            let at = titles.iter().position(|known| known == title).unwrap();
            cells[at].as_str()
        };
        assert_eq!((of("id"), of("total"), of("paid"), of("shipped")), ("5", "12.5", "P", ""));
        assert_eq!((of("items"), of("tracking"), of("email")), ("2", "T1 T2", ""));
        assert_eq!((of("customer_id"), odd), ("?\"seven\"", 1));
        let groups = Resource::named("attribute-groups").unwrap();
        let records = [json!({ "id": 1, "name": "a", "list": [1] }), json!({ "position": 2 })];
        let titles = groups.titles(&records);
        assert_eq!(titles, ["id", "name", "position"]);
        assert_eq!(groups.cells(&titles, &records[1]).0, ["", "", "2"]);
        for odd in [json!(null), json!([]), json!("text"), json!(7)] {
            assert_eq!(orders.cells(&orders.titles(&[]), &odd).0.len(), orders.columns.len());
        }
    }
}
