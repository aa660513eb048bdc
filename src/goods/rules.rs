//! What an integrator may set about the stock flow: the `[stock]` table. Pure.

use crate::{amount::Amount, config::Problems, connector::m3::stock::Figure, ids::short_hash};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Settings of the stock flow: the `[stock]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// WHLO of the warehouses whose balances are added up.
    pub warehouses: Vec<String>,
    /// Which of M3's figures counts.
    #[serde(default)]
    pub quantity: Figure,
    /// Whether the shop is written to.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds between two looks at M3.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// How far back each look reaches beyond the one before, in seconds: clocks differ, and a long
    /// transaction appears late.
    #[serde(default = "overlap_s")]
    pub overlap_s: u64,
    /// When everything is read anew each day, as `HH:MM` in UTC.
    #[serde(default)]
    pub full_at: DayTime,
    /// Pieces of each item that are never sold.
    #[serde(default)]
    pub safety: Amount,
    /// Other numbers of pieces for some items, by ITNO.
    #[serde(default)]
    pub safety_of: BTreeMap<String, Amount>,
    /// How long after its confirmation an order still counts as not in M3's balances, in seconds.
    #[serde(default = "hold_confirmed_s")]
    pub hold_confirmed_s: u64,
    /// Writes to the shop at the same time.
    #[serde(default = "writes_at_once")]
    pub writes_at_once: u32,
    /// Whether variants are asked for; that is one call for each product, once a day.
    #[serde(default = "yes")]
    pub variants: bool,
}

/// Whether the shop is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What would be written is shown, nothing is.
    #[default]
    Watch,
    /// The shop gets M3's figures.
    Write,
}

/// A time of the day in UTC, as minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DayTime(u64);

impl DayTime {
    /// Returns the last such moment that is not after `now_ms`, in milliseconds since 1970.
    pub fn last_before(self, now_ms: u64) -> u64 {
        let today = now_ms - now_ms % DAY_MS + self.0 * 60_000;
        if today <= now_ms { today } else { today.saturating_sub(DAY_MS) }
    }
}

impl Default for DayTime {
    fn default() -> Self {
        Self(2 * 60 + 30)
    }
}

impl TryFrom<String> for DayTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a time of the day such as 02:30");
        let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
        let part = |text: &str, below: u64| {
            let number = text.parse::<u64>().ok().filter(|number| *number < below);
            number
                .filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(bad)
        };
        Ok(Self(part(hours, 24)? * 60 + part(minutes, 60)?))
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Warehouses that may be added up.
const WAREHOUSES_MAX: usize = 50;
/// Writes to the shop at the same time, at most.
const WRITES_AT_ONCE_MAX: u32 = 8;
const fn poll_s() -> u64 {
    60
}

const fn overlap_s() -> u64 {
    120
}

const fn hold_confirmed_s() -> u64 {
    120
}

const fn writes_at_once() -> u32 {
    2
}

const fn yes() -> bool {
    true
}

impl Rules {
    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        let nameless = self.warehouses.iter().any(|whlo| whlo.trim().is_empty());
        let none = self.warehouses.is_empty() || nameless;
        let rows = [
            (none, "warehouses", "names no warehouse, or an empty one"),
            (self.warehouses.len() > WAREHOUSES_MAX, "warehouses", "names more than 50 warehouses"),
            (!(1..=86_400).contains(&self.poll_s), "poll_s", "is not between 1 and 86400"),
            (self.overlap_s > 86_400, "overlap_s", "is more than a day"),
            (self.hold_confirmed_s > 86_400, "hold_confirmed_s", "is more than a day"),
            (
                !(1..=WRITES_AT_ONCE_MAX).contains(&self.writes_at_once),
                "writes_at_once",
                "is not between 1 and 8",
            ),
        ];
        for (wrong, name, told) in rows {
            if wrong {
                problems.add(format!("{key}.{name}"), told, "see docs/configuration.md");
            }
        }
    }

    /// Returns a fingerprint of which figures of M3 count.
    pub fn fingerprint(&self) -> String {
        let mut parts: Vec<&[u8]> = self.warehouses.iter().map(String::as_bytes).collect();
        parts.sort_unstable();
        parts.push(self.quantity.field().as_bytes());
        short_hash(&parts, 12)
    }

    /// Returns the pieces of an item that are never sold.
    pub fn safety_of(&self, itno: &str) -> Amount {
        self.safety_of.get(itno).copied().unwrap_or(self.safety)
    }

    /// Returns the time between two looks at M3.
    pub fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_read_and_found_again() {
        let at = DayTime::try_from("02:30".to_owned()).unwrap();
        assert_eq!(at, DayTime::default());
        let day = 20_000 * DAY_MS;
        let half_past_two = day + 150 * 60_000;
        assert_eq!(at.last_before(half_past_two), half_past_two);
        assert_eq!(at.last_before(half_past_two - 1), half_past_two - DAY_MS);
        assert_eq!(at.last_before(day + DAY_MS - 1), half_past_two);
        for bad in ["24:00", "2:30", "02:60", "0230", "ab:cd", "+2:30", ""] {
            assert!(DayTime::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_need_a_warehouse_and_nothing_else() {
        let rules: Rules = toml::from_str(r#"warehouses = ["001"]"#).unwrap();
        assert_eq!(rules.mode, Mode::Watch, "nothing is written that nobody asked for");
        let mut problems = Problems::default();
        rules.check("stock", &mut problems);
        assert!(problems.is_empty());
        let bad: Rules = toml::from_str("warehouses = []\npoll_s = 0\nwrites_at_once = 9").unwrap();
        bad.check("stock", &mut problems);
        assert!(!problems.is_empty());
    }
}
