//! Checks and normalises the fields of one call before its program sees them.
//!
//! Guarantees of what passes: mandatory fields are there, no alpha field is longer than its
//! length, numbers are numbers, dates are `yyyyMMdd` or blank, and no control character is left.
//! Pure.

use super::{
    call::{Nok, Record, parse_number},
    catalogue::{Field, Kind, Transaction},
    options::{DateFormat, Switches},
};

/// Alpha fields whose content is a number (reference/m3.md 3.2).
const NUMBERS_IN_ALPHA: [&str; 24] = [
    "ORQT", "SAPR", "OTBA", "OTDP", "CRAM", "CRFA", "DIA1", "DIA2", "DIA3", "DIA4", "DIA5", "DIA6",
    "PONR", "POSX", "NTAM", "TOPY", "AV01", "AV02", "ALQT", "DLQT", "IVQT", "AVTQ", "NLAM", "NEPR",
];

/// Keys that some sites fold to upper case.
const KEYS: [&str; 12] = [
    "CUNO", "ITNO", "WHLO", "FACI", "ORTP", "CRID", "MODL", "TEDL", "TEPY", "PYCD", "CUCD", "CUTM",
];

/// Whether the field's content is a number.
pub(crate) fn is_number(name: &str, kind: Kind) -> bool {
    kind == Kind::Numeric || NUMBERS_IN_ALPHA.contains(&name)
}

/// Checks one call's fields; names without meaning to the transaction are dropped.
pub(crate) fn check(
    transaction: &Transaction,
    sent: &Record,
    format: DateFormat,
    switches: &Switches,
) -> Result<Record, Nok> {
    let mut checked = Record::new();
    for field in &transaction.input {
        let value = sent.get(field.name).map_or("", |value| value.trim_end_matches(' '));
        if value.is_empty() {
            if field.mandatory {
                return Err(Nok::rest("MandatoryInputFieldNotFound", field.name, ""));
            }
            if !sent.contains_key(field.name) {
                continue;
            }
        }
        checked.insert(field.name.to_owned(), one(field, value, format, switches)?);
    }
    if transaction.input_more {
        for (name, value) in sent {
            checked.entry(name.clone()).or_insert_with(|| value.trim_end().to_owned());
        }
    }
    Ok(checked)
}

/// The names that were sent and mean nothing to the transaction.
pub(crate) fn unknown<'a>(transaction: &Transaction, sent: &'a Record) -> Vec<&'a str> {
    let known = |name: &str| transaction.input_more || transaction.input(name).is_some();
    sent.keys().map(String::as_str).filter(|name| !known(name)).collect()
}

fn one(field: &Field, value: &str, format: DateFormat, switches: &Switches) -> Result<String, Nok> {
    let too_long = |length: usize| field.length.is_some_and(|max| length > max);
    if too_long(value.encode_utf16().count()) {
        return Err(Nok::rest("InputFieldTooLong", field.name, value));
    }
    let astral = |c: char| switches.refuse_astral && u32::from(c) > 0xffff;
    if value.chars().any(|c| c.is_control() || astral(c)) {
        return Err(Nok::new("X_00200", field.name, ""));
    }
    if value.is_empty() || value == "?" {
        return Ok(value.to_owned());
    }
    if field.kind == Kind::Date {
        return parse_date(value, format).ok_or_else(|| Nok::new("XDT0001", field.name, value));
    }
    if is_number(field.name, field.kind) {
        let number = parse_number(value.trim());
        return number
            .map(|_| value.trim().to_owned())
            .ok_or_else(|| Nok::new("XNU0000", field.name, value));
    }
    let fold = switches.fold_case && KEYS.contains(&field.name);
    Ok(if fold { value.to_uppercase() } else { value.to_owned() })
}

/// Reads a date; blank and `0` are none.
pub(crate) fn parse_date(text: &str, format: DateFormat) -> Option<String> {
    if text == "0" {
        return Some(String::new());
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = match (format, text.len()) {
        (DateFormat::Ymd8, 8) => (&text[..4], &text[4..6], &text[6..]),
        (DateFormat::Dmy8, 8) => (&text[4..], &text[2..4], &text[..2]),
        (DateFormat::Mdy8, 8) => (&text[4..], &text[..2], &text[2..4]),
        (DateFormat::Ymd6, 6) => (&text[..2], &text[2..4], &text[4..]),
        (DateFormat::Dmy6, 6) => (&text[4..], &text[2..4], &text[..2]),
        (DateFormat::Mdy6, 6) => (&text[4..], &text[..2], &text[2..4]),
        _ => return None,
    };
    let century = if year.len() == 2 { "20" } else { "" };
    let full: i32 = format!("{century}{year}").parse().ok()?;
    let named = time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
    time::Date::from_calendar_date(full, named, day.parse().ok()?).ok()?;
    Some(format!("{century}{year}{month}{day}"))
}

/// Writes a date that is kept as `yyyyMMdd`.
pub(crate) fn show_date(kept: &str, format: DateFormat) -> String {
    let (Some(year), Some(month), Some(day)) = (kept.get(..4), kept.get(4..6), kept.get(6..8))
    else {
        return kept.to_owned();
    };
    let short = &year[2..];
    match format {
        DateFormat::Ymd8 => format!("{year}{month}{day}"),
        DateFormat::Ymd6 => format!("{short}{month}{day}"),
        DateFormat::Dmy8 => format!("{day}{month}{year}"),
        DateFormat::Dmy6 => format!("{day}{month}{short}"),
        DateFormat::Mdy8 => format!("{month}{day}{year}"),
        DateFormat::Mdy6 => format!("{month}{day}{short}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::m3::{catalogue::Catalogue, options::OrderEntryNames};

    type Sent<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn a_field_that_does_not_fit_is_refused_by_name() {
        let catalogue = Catalogue::new(OrderEntryNames::Batch);
        let head = catalogue.find("OIS100MI", "AddBatchHead").unwrap();
        let line = catalogue.find("OIS100MI", "AddBatchLine").unwrap();
        let long = "x".repeat(31);
        let table: [(&Transaction, Sent<'_>, &str, &str, &str); 9] = [
            (head, &[], "MandatoryInputFieldNotFound", "", "CUNO"),
            (head, &[("CUNO", "  ")], "MandatoryInputFieldNotFound", "", "CUNO"),
            (head, &[("CUNO", "Y"), ("OREF", &long)], "InputFieldTooLong", "", "OREF"),
            (head, &[("CUNO", "Y"), ("ORDT", "20261332")], "ServerReturnedNOK", "XDT0001", "ORDT"),
            (head, &[("CUNO", "Y"), ("OPRI", "x")], "ServerReturnedNOK", "XNU0000", "OPRI"),
            (head, &[("CUNO", "Y"), ("OTBA", "1,5")], "ServerReturnedNOK", "XNU0000", "OTBA"),
            (head, &[("CUNO", "Y"), ("YREF", "a\nb")], "ServerReturnedNOK", "X_00200", "YREF"),
            (line, &[("ORNO", "9"), ("ITNO", "0123456789abcdef")], "InputFieldTooLong", "", "ITNO"),
            (
                line,
                &[("ORNO", "9"), ("ITNO", "A"), ("SAPR", "1e3")],
                "ServerReturnedNOK",
                "XNU0000",
                "SAPR",
            ),
        ];
        for (transaction, fields, kind, code, field) in table {
            let sent = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let nok = check(transaction, &sent, DateFormat::Ymd8, &Switches::plain()).unwrap_err();
            assert_eq!((nok.kind, nok.code.as_str(), nok.field.as_str()), (kind, code, field));
        }
    }

    #[test]
    fn dates_are_read_and_written_in_the_format_that_was_asked_for() {
        let table = [
            (DateFormat::Ymd8, "20261123"),
            (DateFormat::Ymd6, "261123"),
            (DateFormat::Dmy8, "23112026"),
            (DateFormat::Dmy6, "231126"),
            (DateFormat::Mdy8, "11232026"),
            (DateFormat::Mdy6, "112326"),
        ];
        for (format, text) in table {
            assert_eq!(parse_date(text, format).as_deref(), Some("20261123"), "{format:?}");
            assert_eq!(show_date("20261123", format), text, "{format:?}");
        }
        assert_eq!(parse_date("0", DateFormat::Ymd8).as_deref(), Some(""));
        assert_eq!(parse_date("20260230", DateFormat::Ymd8), None);
    }
}
