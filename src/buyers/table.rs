//! How buyers lie in the state store: keys and values. Pure.
//!
//! | key | value |
//! |---|---|
//! | `up/<profile id>` | one profile of the shop: what it has and should have, and whose it is |
//! | `uv/<cuno>` | one customer as M3 lists it |
//! | `um/<e-mail>`, a zero, `<cuno>` | nothing: the customers with an e-mail address |
//! | `ul/<e-mail>`, a zero, `<profile id>` | nothing: the profiles with a login |
//! | `ui/<cuno>`, a zero, `<profile id>` | nothing: the profiles of a customer, as far as was found |
//! | `uq/<profile id>` | the profile is due for the shop |
//!
//! A profile's id has 20 digits, so that profiles lie in the order of the shop's list. A value begins
//! with the version of its form, as in `delivery::rows`.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Table of the profiles.
pub const PROFILES: &str = "up";
/// Table of the customers.
pub const CUSTOMERS: &str = "uv";
/// Table of the customers by e-mail address.
pub const BY_MAIL: &str = "um";
/// Table of the profiles by login.
pub const BY_LOGIN: &str = "ul";
/// Table of the profiles by customer.
pub const BY_CUSTOMER: &str = "ui";
/// Table of what is due.
pub const DUE: &str = "uq";
/// Name of the cursor of M3's list.
pub const CURSOR: &str = "buyers";
/// Name of the cursor of the shop's list.
pub const WALK_CURSOR: &str = "buyers-walk";
/// Name of the row that says for which settings everything was marked.
pub const SETTINGS: &str = "buyers-settings";
/// Name of the row that counts what was disabled of late.
pub const DISABLED: &str = "buyers-disabled";

/// Returns the key of a row.
pub fn key(table: &str, name: &str) -> Vec<u8> {
    format!("{table}/{name}").into_bytes()
}

/// Returns the key of a row about a profile.
pub fn of_profile(table: &str, id: u64) -> Vec<u8> {
    format!("{table}/{id:020}").into_bytes()
}

/// Reads the profile out of such a key.
pub fn profile_of(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.split_once('/')?.1.parse().ok()
}

/// Returns the key of one thing among those of another.
pub fn pair(table: &str, of: &str, name: &str) -> Vec<u8> {
    format!("{table}/{of}\0{name}").into_bytes()
}

/// Returns the key of a profile among those of something.
pub fn profile_pair(table: &str, of: &str, id: u64) -> Vec<u8> {
    pair(table, of, &format!("{id:020}"))
}

/// Every key of what belongs to something.
pub fn pairs(table: &str, of: &str) -> Range<Vec<u8>> {
    format!("{table}/{of}\0").into_bytes()..format!("{table}/{of}\u{1}").into_bytes()
}

/// Reads what belongs out of such a key.
pub fn name_in(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.split_once('\0').map(|(_, name)| name)
}

/// An e-mail address as both sides are compared; empty if it can be nobody's, or is longer than a key
/// may be.
pub fn mail(text: &str) -> String {
    let mail = text.trim().to_lowercase();
    let fits = mail.contains('@') && mail.len() <= MAIL_BYTES_MAX && !mail.contains('\0');
    if fits { mail } else { String::new() }
}

/// Bytes of an e-mail address that is compared.
const MAIL_BYTES_MAX: usize = 200;

/// A profile that is due. Each change writes another mark, so that none is lost while one is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Drawn anew at each change.
    pub mark: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Whether a person asked for M3's values.
    pub asked: bool,
}

/// Where the reading of the shop's profiles stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkCursor {
    /// The number of the walk that is under way, or was last.
    pub number: u64,
    /// The page to read next; 0 when none is under way.
    pub page: u32,
    /// When the last one ended, in milliseconds since 1970; 0 if none ever did.
    pub ended_ms: u64,
    /// The page on which the newest profile was.
    pub last_page: u32,
}

/// How many profiles were disabled of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// When the first of them was, in milliseconds since 1970.
    pub since_ms: u64,
    /// How many.
    pub count: u64,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Disabled {
    /// Returns how many count at a moment: a day after the first of them none does.
    #[must_use]
    pub const fn at(self, now_ms: u64) -> Self {
        // A clock that was set back must not let everybody be disabled at once.
        let over = now_ms.saturating_sub(self.since_ms) >= DAY_MS || self.count == 0;
        if over { Self { since_ms: now_ms, count: 0 } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_something_is_found_and_nothing_else() {
        let key = profile_pair(BY_LOGIN, "a@x", 7);
        assert!(pairs(BY_LOGIN, "a@x").contains(&key));
        assert_eq!(name_in(&key).unwrap().parse(), Ok(7_u64));
        for other in ["a@x.y", "a@", "a@x0"] {
            assert!(!pairs(BY_LOGIN, "a@x").contains(&profile_pair(BY_LOGIN, other, 7)), "{other}");
        }
        assert_eq!(profile_of(&of_profile(PROFILES, 12)), Some(12));
        assert!(of_profile(DUE, 9) < of_profile(DUE, 10));
    }

    #[test]
    fn addresses_are_compared_in_one_form_and_what_is_none_is_nobodys() {
        assert_eq!(mail(" A@X.example "), "a@x.example");
        for none in ["", "-", "nobody", &format!("{}@x", "x".repeat(300)), "a@x\0b"] {
            assert_eq!(mail(none), "", "{none}");
        }
    }

    #[test]
    fn what_was_disabled_counts_for_a_day() {
        let some = Disabled { since_ms: 1_000, count: 3 };
        assert_eq!(some.at(DAY_MS).count, 3);
        assert_eq!(some.at(0).count, 3, "a clock that was set back");
        assert_eq!(some.at(1_000 + DAY_MS), Disabled { since_ms: 1_000 + DAY_MS, count: 0 });
    }
}
