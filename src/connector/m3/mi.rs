//! The words of an MI call: program, transaction, fields, records. Pure.
//!
//! A [`MiRecord`] gives texts without the padding M3 adds and numbers in every form M3
//! writes them (reference/m3.md 1.6).

use crate::connector::loose::Text;
use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use std::fmt;
use thiserror::Error;

/// One transaction to run. Values are sent as they are; empty ones are never sent.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct MiCall {
    /// Such as `OIS100MI`.
    pub program: String,
    /// Such as `AddBatchHead`; capitals matter.
    pub transaction: String,
    /// Field and value, in the order they were given.
    pub fields: Vec<(String, String)>,
    /// Output fields wanted; all when empty.
    pub columns: Vec<String>,
    /// Records wanted; all when 0.
    #[serde(default)]
    pub records_max: u32,
}

/// A call that cannot be written without altering what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadCall {
    /// A name holds a character that would end it.
    #[error("{0:?} is not the name of a program, transaction or field")]
    Name(String),
    /// A bulk call must keep to one program.
    #[error("{0} and {1} cannot be called together")]
    TwoPrograms(String, String),
}

impl MiCall {
    /// Names a transaction.
    pub fn new(program: impl Into<String>, transaction: impl Into<String>) -> Self {
        let (program, transaction) = (program.into(), transaction.into());
        Self { program, transaction, fields: Vec::new(), columns: Vec::new(), records_max: 0 }
    }

    /// Adds a field; an empty value is left out, which M3 reads as "as it is" or "default".
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.fields.push((field.to_owned(), value));
        }
        self
    }

    /// Asks for these output fields only.
    #[must_use]
    pub fn columns(mut self, columns: &[&str]) -> Self {
        self.columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self
    }

    /// Asks for at most so many records; 0 asks for all.
    #[must_use]
    pub fn records_max(mut self, records_max: u32) -> Self {
        self.records_max = records_max;
        self
    }

    /// Returns the value of an input field, empty if it is not there.
    pub fn value(&self, field: &str) -> &str {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map_or("", |(_, value)| value)
    }

    /// Checks that no name can end early and become something else on the wire.
    pub(crate) fn check(&self) -> Result<(), BadCall> {
        let fields = self.fields.iter().map(|(name, _)| name);
        let names = [&self.program, &self.transaction].into_iter().chain(fields);
        match names.chain(&self.columns).find(|name| !is_name(name)) {
            Some(name) => Err(BadCall::Name(name.chars().take(40).collect())),
            None => Ok(()),
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=30).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// One record of an answer: names and values in one text, for a list may have a hundred thousand.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MiRecord {
    /// Name, value, name, value.
    text: Box<str>,
    /// Where each of them ends.
    ends: Box<[u32]>,
}

impl fmt::Debug for MiRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A field that should hold a number does not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("field {field} holds {text:?}, which is not a number")]
pub struct BadNumber {
    /// The field.
    pub field: String,
    /// What it holds, cut.
    pub text: String,
}

impl MiRecord {
    /// Returns a field without the blanks at its end; empty if it is not there.
    ///
    /// Of two values of a field the later one holds.
    pub fn text(&self, field: &str) -> &str {
        let found = self.iter().filter(|(name, _)| *name == field).last();
        found.map_or("", |(_, value)| value.trim_end())
    }

    /// Reads a number in any of M3's forms; blank is 0.
    pub fn decimal(&self, field: &str) -> Result<Decimal, BadNumber> {
        let text = self.text(field).trim_start();
        decimal(text).ok_or_else(|| BadNumber {
            field: field.to_owned(),
            text: text.chars().take(40).collect(),
        })
    }

    /// Walks over field and value, the latter as M3 sent it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut from = 0;
        let mut part = move |end: &u32| {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let part = self.text.get(from..end).unwrap_or_default();
            from = end;
            part
        };
        let pairs = self.ends.as_chunks::<2>().0.iter();
        pairs.map(move |[name, value]| (part(name), part(value)))
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// A record that is being read.
#[derive(Default)]
struct Growing {
    text: String,
    ends: Vec<u32>,
}

impl Growing {
    /// Adds a field; what would not fit in four gigabytes is left out.
    fn push(&mut self, field: &str, value: &str) {
        let name_end = self.text.len().saturating_add(field.len());
        let ends = (u32::try_from(name_end), u32::try_from(name_end.saturating_add(value.len())));
        if let (Ok(name_end), Ok(value_end)) = ends {
            self.text.push_str(field);
            self.text.push_str(value);
            self.ends.extend([name_end, value_end]);
        }
    }

    fn finish(self) -> MiRecord {
        MiRecord { text: self.text.into(), ends: self.ends.into() }
    }
}

impl<F: AsRef<str>, V: AsRef<str>> FromIterator<(F, V)> for MiRecord {
    fn from_iter<I: IntoIterator<Item = (F, V)>>(pairs: I) -> Self {
        let mut record = Growing::default();
        for (field, value) in pairs {
            record.push(field.as_ref(), value.as_ref());
        }
        record.finish()
    }
}

impl<'de> Deserialize<'de> for MiRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Reads a record without a tree in between: a list may have a hundred thousand of them.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = MiRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MiRecord, A::Error> {
        let mut record = Growing::default();
        while let Some((Text(field), Text(value))) = map.next_entry()? {
            record.push(&field, &value);
        }
        Ok(record.finish())
    }
}

/// Reads `12.5`, `12,5`, `12.5-`, `-12.5` and blank.
fn decimal(text: &str) -> Option<Decimal> {
    if text.is_empty() {
        return Some(Decimal::ZERO);
    }
    let (digits, negative) = match (text.strip_prefix('-'), text.strip_suffix('-')) {
        (Some(_), Some(_)) => return None,
        (Some(digits), None) => (digits, true),
        (None, Some(digits)) => (digits.trim_end(), true),
        (None, None) => (text, false),
    };
    let separators = digits.bytes().filter(|byte| matches!(byte, b'.' | b',')).count();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    if separators > 1 || !plain || digits.len() == separators {
        return None;
    }
    let number: Decimal = digits.replace(',', ".").parse().ok()?;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_form_m3_writes() {
        let table = [
            ("12.5", Some("12.5")),
            ("12,5", Some("12.5")),
            ("12.5-", Some("-12.5")),
            ("12,5 -", Some("-12.5")),
            ("-12.5", Some("-12.5")),
            ("-12,5", Some("-12.5")),
            ("   12.50   ", Some("12.50")),
            (".5", Some("0.5")),
            ("0000012", Some("12")),
            ("20260131", Some("20260131")),
            ("", Some("0")),
            ("     ", Some("0")),
            ("0", Some("0")),
            ("-0", Some("0")),
            ("1.234,50", None),
            ("1,234.50", None),
            ("-12-", None),
            ("--12", None),
            ("+12", None),
            ("1e3", None),
            ("1_000", None),
            (".", None),
            ("-", None),
            ("twelve", None),
            ("1 2", None),
            ("99999999999999999999999999999999", None),
        ];
        for (text, want) in table {
            let record: MiRecord = [("ORQT", text)].into_iter().collect();
            let got = record.decimal("ORQT").ok();
            assert_eq!(got, want.map(|w| w.parse().unwrap()), "{text:?}");
        }
        assert_eq!(MiRecord::default().decimal("ORQT"), Ok(Decimal::ZERO));
    }

    #[test]
    fn texts_lose_the_padding_at_their_end_only() {
        let record: MiRecord = [("CUNO", "  Y30000   "), ("NAME", "")].into_iter().collect();
        let table = [("CUNO", "  Y30000"), ("NAME", ""), ("NONE", "")];
        for (field, want) in table {
            assert_eq!(record.text(field), want, "{field}");
        }
    }

    #[test]
    fn of_two_values_of_a_field_the_later_one_holds() {
        let json = r#"{"ITNO": "MUG ", "STQT": 12.5, "NONE": null, "ITNO": "SHIRT"}"#;
        let record: MiRecord = serde_json::from_str(json).unwrap();
        assert_eq!((record.text("ITNO"), record.text("STQT")), ("SHIRT", "12.5"));
        assert_eq!(record.iter().next(), Some(("ITNO", "MUG ")));
        assert_eq!(record.iter().count(), 4);
        assert!(!record.is_empty() && MiRecord::default().is_empty());
    }

    #[test]
    fn a_call_leaves_empty_values_out_and_survives_its_stored_form() {
        let call = MiCall::new("OIS100MI", "GetHead").with("ORNO", "1").with("CONO", "");
        let call = call.columns(&["ORNO", "ORST"]).records_max(1);
        assert_eq!(call.fields, [("ORNO".to_owned(), "1".to_owned())]);
        assert_eq!((call.value("ORNO"), call.value("CONO")), ("1", ""));
        let stored = postcard::to_stdvec(&call).unwrap();
        assert_eq!(postcard::from_bytes::<MiCall>(&stored).unwrap(), call);
    }

    #[test]
    fn names_that_could_end_early_are_refused() {
        let good = MiCall::new("OIS100MI", "LstHead").with("3RDI", "a;b=c&d");
        assert_eq!(good.check(), Ok(()));
        let table = [
            MiCall::new("OIS100MI/../x", "LstHead"),
            MiCall::new("OIS100MI", "LstHead;cono=1"),
            MiCall::new("OIS100MI", ""),
            MiCall::new("OIS100MI", "LstHead").with("A&B", "1"),
            MiCall::new("OIS100MI", "LstHead").columns(&["A,B"]),
            MiCall::new("OIS100MI", "LstHead").columns(&["Ä"]),
        ];
        for call in table {
            assert!(call.check().is_err(), "{call:?}");
        }
    }
}
