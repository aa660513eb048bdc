//! What happened to a call to another system, for those who decide what to do next.
//!
//! Every call to M3 or the shop that gives no answer leaves here as a [`Failure`]. Its
//! [`Fate`] says whether the call may have been carried out, its [`Class`] why not; nothing
//! else about it is meant to be branched on. Pure.

mod again;
pub mod breaker;
pub mod gate;
pub mod http;
pub mod ion;
pub mod limiter;
mod loose;
pub mod m3;
mod quota;
#[cfg(test)]
pub(crate) mod stub;
mod trust;
pub mod xcart;

pub use again::again_after;

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Characters of a failure's text that are kept.
pub const TEXT_CHARS_MAX: usize = 300;

/// A call that gave no answer that can be used. It is stored in run states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether the call was carried out.
    pub fate: Fate,
    /// Why it gave no answer.
    pub class: Class,
    /// The other side's own code: `WIT0103`, `HTTP 503`, or empty.
    pub code: String,
    /// The field the other side named, if it named one.
    pub field: Option<String>,
    /// For the operator: trimmed, at most [`TEXT_CHARS_MAX`] characters.
    pub text: String,
    /// How many seconds the other side, or the gate, asks us to wait.
    pub retry_after_s: Option<u64>,
    /// Each part of a bulk call that was refused, by name.
    pub parts: Vec<String>,
}

/// Whether a call was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// Certainly not, so the same call may be sent again.
    NotDone,
    /// Perhaps, or perhaps it still will be: look before sending again.
    Unknown,
    /// Understood and refused; the same call will be refused again.
    Refused,
}

/// Why a call gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// No connection came about, or it was lost.
    Unreachable,
    /// No complete answer in the time allowed.
    TimedOut,
    /// Too many calls (429).
    RateLimited,
    /// Away for a while: 502, 503, maintenance, or the gate is closed.
    Unavailable,
    /// Our own gate is closed: the destination is away or has asked for a pause. Nothing was sent.
    Held,
    /// A fault of the other side, or an answer that cannot be read.
    Broken,
    /// The credentials were not accepted.
    Unauthorized,
    /// The credentials are good but not for this.
    Forbidden,
    /// The record does not exist; normal for look-ups.
    NotFound,
    /// The record exists already.
    Exists,
    /// Another user holds or has just changed the record; the same call may succeed soon.
    Locked,
    /// A value is wrong: item, customer, number, date.
    Data,
    /// A setting is wrong here or in the other system.
    Config,
    /// The record's state does not allow it.
    State,
    /// A code that this program does not know; a person must look.
    Unclassified,
}

/// What a call does to the other system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Reads only: a lost answer costs nothing, its fate is never unknown.
    Read,
    /// Changes something.
    Write,
}

impl Failure {
    /// Returns how long the other side, or the gate, asks us to wait.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs(self.retry_after_s.unwrap_or(0))
    }

    /// Describes a failure; the text is tidied and cut.
    pub fn new(fate: Fate, class: Class, text: &str) -> Self {
        let text = tidy(text);
        let (code, parts) = (String::new(), Vec::new());
        Self { fate, class, code, field: None, text, retry_after_s: None, parts }
    }

    /// Adds the other side's code.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: code.into(), ..self }
    }

    /// Adds the field the other side named; an empty one is none.
    #[must_use]
    pub fn with_field(self, field: &str) -> Self {
        let field = field.trim();
        Self { field: (!field.is_empty()).then(|| field.to_owned()), ..self }
    }

    /// Adds the pause that was asked for.
    #[must_use]
    pub fn with_retry_after_s(self, retry_after_s: Option<u64>) -> Self {
        Self { retry_after_s, ..self }
    }

    /// Adds the parts that were refused.
    #[must_use]
    pub fn with_parts(self, parts: Vec<String>) -> Self {
        Self { parts, ..self }
    }

    /// Settles the fate by what the call does: a read that was lost has changed nothing.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        let fate = match (self.fate, kind) {
            (Fate::Unknown, Kind::Read) => Fate::NotDone,
            (Fate::Unknown, Kind::Write) => Fate::Unknown,
            (Fate::NotDone, _) => Fate::NotDone,
            (Fate::Refused, _) => Fate::Refused,
        };
        Self { fate, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fate: _, class, code, field, text, retry_after_s: _, parts: _ } = self;
        write!(f, "{class:?}")?;
        if !code.is_empty() {
            write!(f, " {code}")?;
        }
        if let Some(field) = field {
            write!(f, " at {field}")?;
        }
        if !text.is_empty() {
            write!(f, ": {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Joins runs of blanks and control characters into one blank and cuts the rest.
pub(crate) fn tidy(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut tidy = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
        if tidy.len() > TEXT_CHARS_MAX * 4 {
            break;
        }
    }
    if tidy.chars().count() > TEXT_CHARS_MAX {
        tidy = tidy.chars().take(TEXT_CHARS_MAX - 1).chain(['…']).collect();
    }
    tidy
}

impl Class {
    /// Returns the fixed name that metrics show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Locked => "locked",
            Self::Data => "data",
            Self::Config => "config",
            Self::State => "state",
            Self::Unclassified => "unclassified",
        }
    }

    /// Judges an M3 message id, or the error type that stands in for one
    /// (reference/m3.md 6 and 1.4). An unknown one needs a person.
    pub fn of_m3_code(code: &str) -> Self {
        match code.trim() {
            "XRE0103" => Self::NotFound,
            "XRE0104" => Self::Exists,
            "XUP0001" | "XDE0001" | "XAD0001" | "XO_1130" => Self::Locked,
            "WCU0103" | "WCU0203" | "XIM0002" | "WIT0101" | "WIT0102" | "WIT0103" | "XIT0107"
            | "WPO0403" | "WOR0303" | "WPO0303" | "XIM0039" | "WAD1001" | "WAD1003" | "XNU0000"
            | "XNU0003" | "XDT0001" | "X_00200" => Self::Data,
            "WWH0101" | "WWH0102" | "WWH0103" | "WFAC302" | "WFAC303" | "WTT0403" | "WTE0101"
            | "WTE0103" | "WMO0101" | "WMO0103" | "WUS0503" | "XAU0008" | "X_01003" | "XOPC001" => {
                Self::Config
            }
            "WST0301" | "WDL0203" | "MW41079" | "MW_0008" => Self::State,
            "MandatoryInputFieldNotFound" | "InputFieldTooLong" => Self::Data,
            "TransactionNotFound" | "ProgramNotFound" => Self::Config,
            _ => Self::Unclassified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_of_m3_codes_has_its_class() {
        use Class::*;
        let table: [(&str, Class); 43] = [
            ("XRE0103", NotFound),
            ("XRE0104", Exists),
            ("WCU0203", Data),
            ("WCU0103", Data),
            ("XIM0002", Data),
            ("WIT0101", Data),
            ("WIT0102", Data),
            ("WIT0103", Data),
            ("XIT0107", Data),
            ("WPO0403", Data),
            ("WWH0101", Config),
            ("WWH0102", Config),
            ("WWH0103", Config),
            ("WFAC302", Config),
            ("WFAC303", Config),
            ("WOR0303", Data),
            ("WPO0303", Data),
            ("XIM0039", Data),
            ("WTT0403", Config),
            ("WAD1001", Data),
            ("WAD1003", Data),
            ("WTE0101", Config),
            ("WTE0103", Config),
            ("WMO0101", Config),
            ("WMO0103", Config),
            ("WST0301", State),
            ("WUS0503", Config),
            ("WDL0203", State),
            ("MW41079", State),
            ("MW_0008", State),
            ("XAU0008", Config),
            ("X_01003", Config),
            ("XUP0001", Locked),
            ("XDE0001", Locked),
            ("XAD0001", Locked),
            ("XO_1130", Locked),
            ("XNU0000", Data),
            ("XNU0003", Data),
            ("XDT0001", Data),
            ("X_00200", Data),
            ("XOPC001", Config),
            ("CPF9898", Unclassified),
            ("ABC1234", Unclassified),
        ];
        for (code, want) in table {
            assert_eq!(Class::of_m3_code(code), want, "{code}");
            assert_eq!(Class::of_m3_code(&format!(" {code} ")), want, "{code} padded");
        }
    }

    #[test]
    fn error_types_stand_in_for_missing_codes() {
        let table = [
            ("ServerReturnedNOK", Class::Unclassified),
            ("TransactionNotFound", Class::Config),
            ("MandatoryInputFieldNotFound", Class::Data),
            ("InputFieldTooLong", Class::Data),
            ("", Class::Unclassified),
        ];
        for (code, want) in table {
            assert_eq!(Class::of_m3_code(code), want, "{code}");
        }
    }

    #[test]
    fn texts_are_tidied_and_cut() {
        let long = "word ".repeat(400);
        let table = [
            ("  a \r\n\t b  ", "a b".to_owned()),
            ("", String::new()),
            ("a\u{0}b", "a b".to_owned()),
            (long.as_str(), format!("{}…", &long[..299])),
        ];
        for (text, want) in table {
            let got = Failure::new(Fate::Refused, Class::Data, text).text;
            assert_eq!(got, want, "{text:?}");
            assert!(got.chars().count() <= TEXT_CHARS_MAX, "{text:?}");
        }
    }

    #[test]
    fn a_lost_read_has_changed_nothing() {
        use {Fate::*, Kind::*};
        let table = [
            (Unknown, Read, NotDone),
            (Unknown, Write, Unknown),
            (NotDone, Write, NotDone),
            (Refused, Read, Refused),
            (Refused, Write, Refused),
        ];
        for (fate, kind, want) in table {
            let got = Failure::new(fate, Class::TimedOut, "").of_kind(kind).fate;
            assert_eq!(got, want, "{fate:?} {kind:?}");
        }
    }

    #[test]
    fn a_failure_survives_its_stored_form() {
        let failure = Failure::new(Fate::Refused, Class::Data, "no such item")
            .with_code("WIT0103")
            .with_field(" ITNO ")
            .with_retry_after_s(Some(7));
        let stored = postcard::to_stdvec(&failure).unwrap();
        assert_eq!(postcard::from_bytes::<Failure>(&stored).unwrap(), failure);
        assert_eq!(failure.to_string(), "Data WIT0103 at ITNO: no such item");
    }
}
