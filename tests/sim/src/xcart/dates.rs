//! Dates as the shop writes and reads them.
//!
//! Guarantees: two spellings going out, with and without a colon in the offset, always UTC;
//! coming in, the common forms PHP's `DateTime` takes; anything else is `None`, which the
//! filters treat as if it had not been sent (reference/xcart.md 2.3). Pure.

use time::{
    Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset,
    format_description::BorrowedFormatItem, format_description::well_known::Rfc3339,
    macros::format_description,
};

const SECONDS_A_DAY: i64 = 86_400;
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const BARE_OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory][offset_minute]"
);
const LOCAL_T: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const LOCAL_BLANK: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const LOCAL_SHORT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]");

/// `2024-05-01T12:34:56+0000`: orders, transactions, events, tracking numbers.
pub(crate) fn iso8601(unix_s: i64) -> String {
    format!("{}+0000", local(unix_s))
}

/// `2024-05-01T12:34:56+00:00`: products, profiles and the items of an order.
pub(crate) fn rfc3339(unix_s: i64) -> String {
    format!("{}+00:00", local(unix_s))
}

fn local(unix_s: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// The moment a text names, in whole seconds; `now_s` for the words that need it.
pub(crate) fn parse(text: &str, now_s: i64) -> Option<i64> {
    let text = text.trim();
    let midnight = now_s - now_s.rem_euclid(SECONDS_A_DAY);
    match text.to_ascii_lowercase().as_str() {
        // PHP takes an empty text for the present.
        "" | "now" => return Some(now_s),
        "today" | "midnight" => return Some(midnight),
        "yesterday" => return Some(midnight - SECONDS_A_DAY),
        "tomorrow" => return Some(midnight + SECONDS_A_DAY),
        _ => {}
    }
    if let Some(stamp) = text.strip_prefix('@') {
        return stamp.parse().ok();
    }
    absolute(text)
}

fn absolute(text: &str) -> Option<i64> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at.unix_timestamp());
    }
    if let Ok(at) = OffsetDateTime::parse(text, BARE_OFFSET) {
        return Some(at.unix_timestamp());
    }
    for form in [LOCAL_T, LOCAL_BLANK, LOCAL_SHORT] {
        if let Ok(at) = PrimitiveDateTime::parse(text, form) {
            return Some(at.assume_offset(UtcOffset::UTC).unix_timestamp());
        }
    }
    let day = Date::parse(text, DATE).ok()?;
    Some(PrimitiveDateTime::new(day, Time::MIDNIGHT).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_utc_in_whole_seconds() {
        assert_eq!(iso8601(1_714_566_896), "2024-05-01T12:34:56+0000");
        assert_eq!(rfc3339(1_714_566_896), "2024-05-01T12:34:56+00:00");
    }

    #[test]
    fn what_php_takes_is_taken_and_the_rest_is_nothing() {
        let noon = 1_714_566_896;
        let table = [
            ("2024-05-01T12:34:56+00:00", Some(noon)),
            ("2024-05-01T12:34:56+0000", Some(noon)),
            ("2024-05-01T14:34:56+02:00", Some(noon)),
            ("2024-05-01T12:34:56Z", Some(noon)),
            ("2024-05-01T12:34:56.789Z", Some(noon)),
            ("2024-05-01T12:34:56", Some(noon)),
            ("2024-05-01 12:34:56", Some(noon)),
            ("2024-05-01", Some(1_714_521_600)),
            ("@1714566896", Some(noon)),
            ("today", Some(1_714_521_600)),
            ("now", Some(noon)),
            // A plus sign that was not encoded arrives as a blank.
            ("2024-05-01T12:34:56 00:00", None),
            ("1714566896000", None),
            ("soon", None),
        ];
        for (text, want) in table {
            assert_eq!(parse(text, noon), want, "{text}");
        }
    }
}
