//! Reads a request's target: which transaction, with which options and fields. Pure.

use super::{call::Record, options::DateFormat};
use percent_encoding::percent_decode_str;

/// Rows of a list when a call does not say how many.
const ROWS_DEFAULT: usize = 100;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One transaction, answered as v1 or v2 does.
    One { v2: bool, program: String, transaction: String, matrix: Vec<(String, String)> },
    /// Many transactions of one program.
    Bulk,
    /// The token of a browser session.
    Csrf,
    /// Nothing that is known.
    Unknown,
}

/// Reads the path below the base of the API.
pub(crate) fn target(path: &str) -> Target {
    let mut matrix = Vec::new();
    let mut names = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let mut parts = segment.split(';');
        names.push(decoded(parts.next().unwrap_or_default()));
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            matrix.push((decoded(name), decoded(value)));
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let one = |v2, program: &str, transaction: &str| Target::One {
        v2,
        program: program.to_owned(),
        transaction: transaction.to_owned(),
        matrix: matrix.clone(),
    };
    match names.as_slice() {
        ["csrf"] => Target::Csrf,
        ["v2", "execute"] => Target::Bulk,
        ["execute", program, transaction] => one(false, program, transaction),
        ["v2", "execute", program, transaction] => one(true, program, transaction),
        _ => Target::Unknown,
    }
}

/// Reads a query or a form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let part = part.replace('+', " ");
        let (name, value) = part.split_once('=').unwrap_or((&part, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The fields of a GET.
pub(crate) fn record(query: &str) -> Record {
    pairs(query).into_iter().filter(|(name, _)| !name.starts_with('_')).collect()
}

/// How a call wants to be run and answered (reference/m3.md 1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallOptions {
    /// None is no limit.
    pub(crate) rows_max: Option<usize>,
    pub(crate) columns: Vec<String>,
    pub(crate) exclude_empty: bool,
    pub(crate) right_trim: bool,
    pub(crate) cono: Option<String>,
    pub(crate) divi: Option<String>,
    pub(crate) date_format: Option<DateFormat>,
    pub(crate) extended: bool,
    pub(crate) metadata: bool,
    pub(crate) xml: bool,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            rows_max: Some(ROWS_DEFAULT),
            columns: Vec::new(),
            exclude_empty: false,
            right_trim: false,
            cono: None,
            divi: None,
            date_format: None,
            extended: false,
            metadata: false,
            xml: false,
        }
    }
}

impl CallOptions {
    /// The options that these pairs set; what is no option is left alone.
    pub(crate) fn of(pairs: &[(String, String)]) -> Self {
        let mut options = Self::default();
        for (name, value) in pairs {
            options.set(name, value);
        }
        options
    }

    /// Sets one, by the name that a target or a body gives it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let yes = value == "true" || value == "1";
        match name {
            "maxrecs" | "maxReturnedRecords" => self.rows_max = rows_max(value),
            "returncols" => self.columns = columns(value),
            "excludempty" | "excludeempty" | "excludeEmptyValues" => self.exclude_empty = yes,
            "righttrim" | "rightTrim" => self.right_trim = yes,
            "cono" => self.cono = named(value, "0"),
            "divi" => self.divi = Some(value.trim().to_owned()),
            "dateformat" => self.date_format = DateFormat::named(value),
            "extendedresult" => self.extended = yes,
            "metadata" => self.metadata = yes,
            "format" => self.xml = value == "xml",
            _ => {}
        }
    }
}

fn rows_max(value: &str) -> Option<usize> {
    match value.parse() {
        Ok(0) => None,
        Ok(rows) => Some(rows),
        Err(_) => Some(ROWS_DEFAULT),
    }
}

fn columns(value: &str) -> Vec<String> {
    value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn named(value: &str, none: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty() && value != none).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_parameters_are_read_off_the_segments_and_decoded() {
        let path = "/v2/execute/OIS100MI/GetHead;returncols=ORNO,ORST%2COREF;maxrecs=0;cono=100";
        let Target::One { v2, program, transaction, matrix } = target(path) else {
            panic!("not one transaction");
        };
        assert_eq!((v2, program.as_str(), transaction.as_str()), (true, "OIS100MI", "GetHead"));
        let options = CallOptions::of(&matrix);
        assert_eq!(options.columns, ["ORNO", "ORST", "OREF"]);
        assert_eq!((options.rows_max, options.cono.as_deref()), (None, Some("100")));
    }

    #[test]
    fn both_spellings_of_exclude_empty_are_known_and_a_plus_is_a_blank() {
        for name in ["excludempty", "excludeempty", "excludeEmptyValues"] {
            let mut options = CallOptions::default();
            options.set(name, "true");
            assert!(options.exclude_empty, "{name}");
        }
        let fields = record("CUNM=A+B%2BC&_rid=4711&CUA1=%C3%A4");
        assert_eq!(fields.get("CUNM").unwrap(), "A B+C");
        assert_eq!(fields.get("CUA1").unwrap(), "ä");
        assert_eq!(fields.len(), 2);
    }

    #[test]
    fn what_is_no_transaction_is_told_apart() {
        let table = [
            ("/csrf", Target::Csrf),
            ("/v2/execute", Target::Bulk),
            ("/execute", Target::Unknown),
            ("/v3/execute/A/B", Target::Unknown),
        ];
        for (path, want) in table {
            assert_eq!(target(path), want, "{path}");
        }
    }
}
