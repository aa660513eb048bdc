//! What other systems write loosely, read without loss, and what an HTTP status means. Pure.
//!
//! Guarantees: a number is kept as the text it was; a value of a caller never ends early in
//! an address; a status without a body that can be read has one meaning for every connector.

use super::{Class, Failure, Fate, http::Answer};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt::Write as _};

/// Encodes a value for a path, a matrix parameter or a query: all but letters, digits and `-._~`.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A value, read as text from any scalar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map(Self).map_err(D::Error::custom),
            Some(b'n') => Ok(Self::default()),
            Some(b'{' | b'[') => Err(D::Error::custom("a value is expected")),
            Some(_) | None => Ok(Self(text.to_owned())),
        }
    }
}

/// A yes or no: `true`, `"true"`, `"false"`, 1, 0, null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Ok(Self(text.trim().eq_ignore_ascii_case("true") || text.trim() == "1"))
    }
}

/// A list that arrives as a bare element when it has one, or as null when it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let read = match text.as_bytes().first() {
            Some(b'[') => serde_json::from_str(text),
            Some(b'n') => Ok(Vec::new()),
            Some(_) | None => serde_json::from_str(text).map(|one| vec![one]),
        };
        read.map(Self).map_err(D::Error::custom)
    }
}

/// Judges an answer whose body cannot be used, by its status (reference/m3.md 1.7, reference/xcart.md 2.4).
pub(crate) fn transport(answer: &Answer) -> Failure {
    use Class::{
        Broken, Config, Data, Forbidden, RateLimited, TimedOut, Unauthorized, Unavailable,
        Unclassified,
    };
    use Fate::{NotDone, Refused, Unknown};
    let (fate, class) = match answer.status {
        200..=299 => (Unknown, Broken),
        300..=399 => (NotDone, Config),
        // A body that cannot be read: permanent, says reference/m3.md 1.4.
        400 => (Refused, Unclassified),
        401 | 407 => (NotDone, Unauthorized),
        403 => (Refused, Forbidden),
        // An unknown path or program. Not NotFound: that is an answer to a look-up.
        404 | 405 => (NotDone, Config),
        406 | 415 => (Refused, Config),
        408 | 504 => (Unknown, TimedOut),
        413 | 414 | 431 => (Refused, Data),
        429 => (NotDone, RateLimited),
        502 | 503 => (Unknown, Unavailable),
        500..=599 => (Unknown, Broken),
        _ => (Refused, Unclassified),
    };
    let text = match answer.status {
        // What should have been the answer may hold names and addresses.
        200..=299 if !is_page(&answer.body) => "the answer cannot be read".into(),
        _ => excerpt(&answer.body),
    };
    Failure::new(fate, class, &text)
        .with_code(format!("HTTP {}", answer.status))
        .with_retry_after_s(answer.retry_after_s)
}

/// Whether a body is a page for people.
fn is_page(body: &[u8]) -> bool {
    let head = String::from_utf8_lossy(body.get(..500).unwrap_or(body)).to_ascii_lowercase();
    head.contains("<html")
}

/// Returns what a person may recognise in a body: its text without tags.
pub(crate) fn excerpt(body: &[u8]) -> Cow<'static, str> {
    let body = body.get(..4_000).unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    if text.trim().is_empty() {
        return Cow::Borrowed("the answer is empty");
    }
    if !text.trim_start().starts_with('<') {
        return Cow::Owned(text.into_owned());
    }
    let pieces = text.split('<').map(|piece| piece.split_once('>').map_or("", |(_, words)| words));
    let mut pieces: Vec<_> = pieces.map(str::trim).filter(|piece| !piece.is_empty()).collect();
    // Title and heading often say the same.
    pieces.dedup();
    Cow::Owned(pieces.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_become_options_or_other_fields() {
        let table = [
            ("plain-1._~", "plain-1._~"),
            ("a b", "a%20b"),
            ("1+1", "1%2B1"),
            ("a;cono=2", "a%3Bcono%3D2"),
            ("a&ORNO=7", "a%26ORNO%3D7"),
            ("a/b?c#d%", "a%2Fb%3Fc%23d%25"),
            ("Jürgen", "J%C3%BCrgen"),
        ];
        for (value, want) in table {
            assert_eq!(encode(value), want, "{value}");
        }
    }

    #[test]
    fn loose_values_are_read_without_loss() {
        let texts = [
            (r#""a\u00e9 ""#, Some("aé ")),
            ("0.10000000000000000001", Some("0.10000000000000000001")),
            ("12", Some("12")),
            ("true", Some("true")),
            ("null", Some("")),
            ("{}", None),
            ("[1]", None),
        ];
        for (json, want) in texts {
            let got = serde_json::from_str::<Text>(json).ok().map(|text| text.0);
            assert_eq!(got.as_deref(), want, "{json}");
        }
        let flags = [
            ("true", true),
            (r#""true""#, true),
            (r#""false""#, false),
            ("false", false),
            ("null", false),
            ("1", true),
            (r#""True ""#, true),
        ];
        for (json, want) in flags {
            assert_eq!(serde_json::from_str::<Flag>(json).unwrap().0, want, "{json}");
        }
        let lists = [("[]", 0), ("null", 0), (r#""a""#, 1), (r#"["a","b"]"#, 2)];
        for (json, want) in lists {
            assert_eq!(serde_json::from_str::<Many<Text>>(json).unwrap().0.len(), want, "{json}");
        }
    }

    #[test]
    fn a_status_without_an_mi_answer_has_one_meaning() {
        use {Class::*, Fate::*};
        let table = [
            (200, Unknown, Broken),
            (204, Unknown, Broken),
            (302, NotDone, Config),
            (400, Refused, Unclassified),
            (401, NotDone, Unauthorized),
            (403, Refused, Forbidden),
            (404, NotDone, Config),
            (405, NotDone, Config),
            (408, Unknown, TimedOut),
            (413, Refused, Data),
            (414, Refused, Data),
            (415, Refused, Config),
            (418, Refused, Unclassified),
            (429, NotDone, RateLimited),
            (500, Unknown, Broken),
            (502, Unknown, Unavailable),
            (503, Unknown, Unavailable),
            (504, Unknown, TimedOut),
            (599, Unknown, Broken),
        ];
        for (status, fate, class) in table {
            let body = b"<html><title>Sorry</title><p>come <b>back</b></html>".to_vec();
            let got = transport(&Answer { status, retry_after_s: Some(3), body, rest_error: None });
            assert_eq!((got.fate, got.class), (fate, class), "{status}");
            assert_eq!(got.code, format!("HTTP {status}"));
            assert_eq!((got.text.as_str(), got.retry_after_s), ("Sorry come back", Some(3)));
        }
    }
}
