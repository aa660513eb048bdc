//! What an integrator may set about profiles: the table `[profiles]`. Pure.

use crate::{
    config::Problems,
    goods::rules::{Broken, DayTime, Mode, not_a_poll, tell},
};
use serde::Deserialize;
use std::time::Duration;

/// Settings of the flow: the `[profiles]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// Whether M3 is written to.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds between two looks at the newest profiles of the shop.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// When all profiles are gone over each day, as `HH:MM` in UTC.
    #[serde(default)]
    pub full_at: DayTime,
    /// Profiles looked at in a minute.
    #[serde(default = "per_min")]
    pub per_min: u32,
    /// What becomes of a profile without any address.
    #[serde(default)]
    pub without_address: Taken,
    /// What becomes of a profile that cannot log in.
    #[serde(default)]
    pub disabled: Taken,
    /// What becomes of one with which nobody ever logged in.
    #[serde(default)]
    pub never_logged_in: Taken,
    /// Names of memberships whose profiles are left out.
    #[serde(default)]
    pub leave_memberships: Vec<String>,
}

/// What becomes of profiles of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    /// They are left out.
    #[default]
    Leave,
    /// They are taken.
    Take,
}

/// The most profiles a minute.
pub const PER_MIN_MAX: u32 = 6_000;
/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;

const fn poll_s() -> u64 {
    300
}

const fn per_min() -> u32 {
    60
}

impl Profiles {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let rows: [Broken; 3] = [
            not_a_poll(self.poll_s),
            (!(1..=PER_MIN_MAX).contains(&self.per_min), "per_min", "is not between 1 and 6000"),
            (
                self.leave_memberships.iter().any(|name| name.trim().is_empty()),
                "leave_memberships",
                "names an empty membership",
            ),
        ];
        tell("profiles", &rows, problems);
    }

    /// Returns the time between two looks.
    pub const fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_s)
    }
}

/// The time for one profile, at so many a minute.
pub fn pace(per_min: u32) -> Duration {
    Duration::from_millis(MINUTE_MS.checked_div(per_min.into()).unwrap_or(MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_unasked_and_odd_values_are_refused_by_name() {
        let good: Profiles = toml::from_str("").unwrap();
        assert_eq!((good.mode, good.disabled), (Mode::Watch, Taken::Leave));
        assert_eq!(pace(good.per_min), Duration::from_secs(1));
        let mut problems = Problems::default();
        good.check(&mut problems);
        assert!(problems.is_empty(), "{problems}");
        let table = [
            ("poll_s = 0", "poll_s"),
            ("per_min = 0", "per_min"),
            ("per_min = 6001", "per_min"),
            ("leave_memberships = [\" \"]", "leave_memberships"),
        ];
        for (text, key) in table {
            let mut problems = Problems::default();
            toml::from_str::<Profiles>(text).unwrap().check(&mut problems);
            let told = problems.to_string();
            assert!(told.contains(&format!("profiles.{key}")), "{text}: {told}");
        }
        assert!(toml::from_str::<Profiles>("disabled = \"both\"").is_err());
    }
}
