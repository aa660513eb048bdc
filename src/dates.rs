//! Dates in M3's form. Pure.

use time::{Date, OffsetDateTime, macros::format_description};

/// Returns the UTC day of a time as `yyyyMMdd` (YMD8, reference/m3.md 1.6); `None` outside the years 0 to 9999.
pub fn yyyymmdd(unix_s: i64) -> Option<String> {
    let day = OffsetDateTime::from_unix_timestamp(unix_s).ok()?;
    day.format(format_description!("[year][month][day]")).ok()
}

/// Whether a text is a day of the calendar as `yyyyMMdd`.
pub fn is_yyyymmdd(text: &str) -> bool {
    text.len() == 8 && Date::parse(text, format_description!("[year][month][day]")).is_ok()
}

/// Returns a time in milliseconds since 1970 as RFC 3339 in whole seconds, `-` when it is no time.
pub fn rfc3339(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| {
            at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).ok()
        })
        .unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_m3_reads_them() {
        for (unix_s, want) in
            [(0, "19700101"), (1_795_392_000, "20261123"), (1_709_164_800, "20240229")]
        {
            assert_eq!(yyyymmdd(unix_s).as_deref(), Some(want));
        }
        assert_eq!(rfc3339(1_795_392_000_500), "2026-11-23T00:00:00Z");
        assert_eq!(yyyymmdd(i64::MAX), None);
        let table = [
            ("20240229", true),
            ("20230229", false),
            ("2024-2-9", false),
            ("", false),
            ("0", false),
        ];
        for (text, want) in table {
            assert_eq!(is_yyyymmdd(text), want, "{text}");
        }
    }
}
