//! The numbers two systems know an order, a customer and an item by. Pure.
//!
//! A value here is never empty, fits the M3 field it will fill, and holds no
//! character that MI would alter. Check once, on the way in.

use data_encoding::{BASE32_NOPAD, Encoding, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// Why a text cannot be one of the codes below.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadCode {
    /// There is nothing in it.
    #[error("{what} is empty")]
    Empty {
        /// Which code.
        what: &'static str,
    },
    /// M3's field is shorter.
    #[error("{what} {text:?} is longer than {max} characters")]
    TooLong {
        /// Which code.
        what: &'static str,
        /// The text, cut.
        text: String,
        /// M3's limit in characters.
        max: usize,
    },
    /// It holds a control character or begins or ends with a blank.
    #[error("{what} {text:?} holds a character that M3 would alter")]
    Character {
        /// Which code.
        what: &'static str,
        /// The text.
        text: String,
    },
}

fn check(what: &'static str, max: usize, text: &str) -> Result<(), BadCode> {
    if text.is_empty() {
        return Err(BadCode::Empty { what });
    }
    if text.chars().count() > max {
        return Err(BadCode::TooLong { what, text: text.chars().take(60).collect(), max });
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(BadCode::Character { what, text: text.to_owned() });
    }
    Ok(())
}

macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the code as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadCode;
            fn try_from(text: String) -> Result<Self, BadCode> {
                check($what, $max, &text)?;
                Ok(Self(text))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadCode;
            fn try_from(text: &str) -> Result<Self, BadCode> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

code!(
    /// The shop's order number, as the buyer reads it (reference/xcart.md 3.2: 1 to 255 characters).
    OrderNumber, "order number", 255);
code!(
    /// M3 customer number.
    Cuno, "CUNO", 10);
code!(
    /// M3 item number.
    Itno, "ITNO", 15);
code!(
    /// M3 order number, temporary or real.
    Orno, "ORNO", 10);
code!(
    /// The key under which M3 knows a shop order: at most 20 characters, kept in CUOR.
    ///
    /// It is injective: two order numbers never share a key. Built by [`OrderKey::of`] only.
    OrderKey, "order key", 20);

/// Characters of CUOR (reference/m3.md 3.2).
const KEY_CHARS_MAX: usize = 20;

impl OrderKey {
    /// Builds the key of an order: the prefix and the number where they fit in
    /// 20 characters and M3 would not fold them, else the prefix, `~` and a hash.
    ///
    /// A plain number never contains `~`, so a hashed key never equals a plain one.
    pub fn of(prefix: &KeyPrefix, number: &OrderNumber) -> Self {
        let number = number.as_str();
        let keeps = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "-_./".contains(c);
        if prefix.0.len() + number.len() <= KEY_CHARS_MAX && number.chars().all(keeps) {
            return Self(format!("{}{number}", prefix.0));
        }
        Self(format!("{}~{}", prefix.0, short_hash(&[number.as_bytes()], 15)))
    }
}

/// What every key of one shop begins with: 0 to 4 upper-case letters or digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Makes a prefix that is written in the program.
    pub(crate) fn fixed(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let keeps = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        if text.len() > 4 || !text.chars().all(keeps) {
            return Err("a prefix has at most 4 characters, A to Z and 0 to 9");
        }
        Ok(Self(text))
    }
}

impl From<KeyPrefix> for String {
    fn from(prefix: KeyPrefix) -> Self {
        prefix.0
    }
}

/// Returns the first `chars` characters of the base-32 SHA-256 over `parts`, each ended by a zero byte.
pub fn short_hash(parts: &[&[u8]], chars: usize) -> String {
    written(parts, &BASE32_NOPAD, chars)
}

/// Returns the first `chars` hex digits of the SHA-256 over `parts`, each ended by a zero byte.
pub fn hex_hash(parts: &[&[u8]], chars: usize) -> String {
    written(parts, &HEXLOWER, chars)
}

fn written(parts: &[&[u8]], letters: &Encoding, chars: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    let mut text = letters.encode(&hasher.finalize());
    text.truncate(chars);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_are_refused_when_empty_long_or_altered_by_m3() {
        for text in ["", "12345678901", " A", "A ", "A\tB"] {
            assert!(Cuno::try_from(text).is_err(), "{text:?}");
        }
        assert_eq!(Cuno::try_from("Y30000").unwrap().as_str(), "Y30000");
    }

    #[test]
    fn keys_keep_plain_numbers_and_hash_the_others() {
        let prefix = KeyPrefix::try_from("X1".to_owned()).unwrap();
        let key = |n: &str| OrderKey::of(&prefix, &OrderNumber::try_from(n).unwrap()).0;
        assert_eq!(key("1042"), "X11042");
        for odd in ["abc", "123456789012345678901234567890", "10~42", "№7"] {
            assert!(key(odd).starts_with("X1~"), "{odd}");
            assert!(key(odd).len() <= KEY_CHARS_MAX, "{odd}");
        }
        assert_ne!(key("abc"), key("ABC"));
    }

    proptest! {
        #[test]
        fn two_numbers_never_share_a_key(a in "[0-9A-Za-z_~-]{1,30}", b in "[0-9A-Za-z_~-]{1,30}") {
            let prefix = KeyPrefix::try_from("S".to_owned()).unwrap();
            let key = |n: &str| OrderKey::of(&prefix, &OrderNumber::try_from(n).unwrap());
            prop_assert_eq!(key(&a) == key(&b), a == b);
            prop_assert!(key(&a).as_str().len() <= KEY_CHARS_MAX);
        }
    }
}
