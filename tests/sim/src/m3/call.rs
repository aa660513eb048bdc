//! The words between the gateway in front and the M3 behind it. Pure.

use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Fields and their values, by name.
pub(crate) type Record = BTreeMap<String, String>;

/// What a transaction answers: its rows, or why not.
pub(crate) type Outcome = Result<Vec<Record>, Nok>;

/// The moment of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Since the simulator started.
    pub(crate) ms: u64,
    /// Since 1970.
    pub(crate) wall_ms: u64,
}

/// Why M3 refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nok {
    pub(crate) kind: &'static str,
    pub(crate) code: String,
    pub(crate) field: String,
    pub(crate) value: String,
}

impl Nok {
    /// A refusal by the program itself, for this field and value.
    pub(crate) fn new(code: &str, field: &str, value: &str) -> Self {
        Self {
            kind: "ServerReturnedNOK",
            code: code.to_owned(),
            field: field.to_owned(),
            value: value.to_owned(),
        }
    }

    /// A refusal by the REST layer, before the program was asked.
    pub(crate) fn rest(kind: &'static str, field: &str, value: &str) -> Self {
        Self { kind, code: String::new(), field: field.to_owned(), value: value.to_owned() }
    }
}

/// One call of one transaction, its fields checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) program: &'a str,
    pub(crate) transaction: &'a str,
    pub(crate) record: &'a Record,
    pub(crate) now: Moment,
    pub(crate) switches: &'a super::options::Switches,
    /// Rows beyond these are not shown.
    pub(crate) rows_max: usize,
}

impl<'a> Ask<'a> {
    /// The value of a field; empty when it was not sent.
    pub(crate) fn text(&self, field: &str) -> &'a str {
        self.record.get(field).map_or("", String::as_str)
    }

    /// The value of a field as a number; none when it is blank.
    pub(crate) fn number(&self, field: &str) -> Result<Option<Decimal>, Nok> {
        let text = self.text(field).trim();
        if text.is_empty() {
            return Ok(None);
        }
        parse_number(text).map(Some).ok_or_else(|| Nok::new("XNU0000", field, text))
    }

    /// The value of a field as a whole number; 0 when it is blank.
    pub(crate) fn whole(&self, field: &str) -> Result<u64, Nok> {
        let text = self.text(field).trim();
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| Nok::new("XNU0000", field, text))
    }
}

/// Reads a number as MI takes it: decimal point, leading minus, no exponent.
pub(crate) fn parse_number(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { text.parse().ok() } else { None }
}

/// A row of these fields.
pub(crate) fn row<const N: usize>(fields: [(&str, String); N]) -> Record {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The date of a moment as M3 keeps it, `yyyyMMdd`.
pub(crate) fn date(wall_ms: u64) -> String {
    let seconds = i64::try_from(wall_ms / 1000).unwrap_or(0);
    let day = time::OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .date();
    format!("{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
}
