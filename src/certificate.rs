//! When a certificate ends, read from its DER. Pure.
//!
//! Guarantees: what is no certificate gives `None`, never a wrong date. What it does not: check a
//! signature or a name; that is the TLS library's.

use crate::clock::UnixMs;
use time::{Date, Month, PrimitiveDateTime, Time};

/// Tags of DER that stand in front of the validity (RFC 5280, 4.1).
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Returns the last moment at which a certificate is valid.
pub fn ends_ms(der: &[u8]) -> Option<UnixMs> {
    let (certificate, _) = take(der, SEQUENCE)?;
    let (body, _) = take(certificate, SEQUENCE)?;
    let rest = take(body, VERSION).map_or(body, |(_, rest)| rest);
    let (_, rest) = take(rest, INTEGER)?;
    let (_, rest) = take(rest, SEQUENCE)?;
    let (_, rest) = take(rest, SEQUENCE)?;
    let (validity, _) = take(rest, SEQUENCE)?;
    let (_, text, rest) = element(validity)?;
    moment(validity.first().copied()?, text)?;
    let (tag, text, _) = element(rest)?;
    moment(tag, text)
}

/// Takes one element with this tag; returns its content and what follows.
fn take(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        (bytes.iter().fold(0, |sum: usize, byte| (sum << 8) | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Reads `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn moment(tag: u8, text: &[u8]) -> Option<UnixMs> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i32 = year.parse().ok()?;
            // RFC 5280, 4.1.2.5.1: below 50 is this century.
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let mut pairs = rest.as_bytes().chunks_exact(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        pair.parse::<u8>().ok()
    });
    let mut next = || pairs.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms(hour, minute, second).ok()?;
    let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
    u64::try_from(seconds).ok()?.checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn certificate(ends: time::OffsetDateTime) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["box.example".to_owned()]).unwrap();
        params.not_before = datetime!(2025-01-01 00:00 UTC);
        params.not_after = ends;
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_written_forms() {
        for ends in [datetime!(2026-12-24 18:30:05 UTC), datetime!(2060-02-29 00:00 UTC)] {
            let want = u64::try_from(ends.unix_timestamp()).unwrap() * 1_000;
            assert_eq!(ends_ms(&certificate(ends)), Some(want), "{ends}");
        }
    }

    #[test]
    fn what_is_cut_or_altered_gives_no_date_and_no_fall() {
        let whole = certificate(datetime!(2026-12-24 18:30:05 UTC));
        for length in 0..whole.len() {
            assert_eq!(ends_ms(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(ends_ms(b"hello"), None);
        for at in 0..whole.len().min(200) {
            let mut altered = whole.clone();
            altered[at] = 0xff;
            let _ = ends_ms(&altered);
        }
    }
}
