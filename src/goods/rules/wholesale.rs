//! What an integrator may set about wholesale prices: the table `[prices.wholesale]`. Pure.

use super::{AskFor, Broken, tell};
use crate::config::Problems;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Settings of prices by quantity and for memberships.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wholesale {
    /// Price lists (PRRF) by the name of the shop's membership that they are for.
    #[serde(default)]
    pub memberships: BTreeMap<String, String>,
    /// What becomes of wholesale prices that are for another membership.
    #[serde(default)]
    pub foreign: Foreign,
    /// How long a call can run in the shop after its answer was lost, in seconds: a look before that says
    /// nothing.
    #[serde(default = "quiet_s")]
    pub quiet_s: u64,
}

/// What becomes of what is not ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// It stays.
    #[default]
    Keep,
    /// It is removed, and so is one of two for the same.
    Remove,
}

/// Memberships with a list of their own, at most.
const MEMBERSHIPS_MAX: usize = 20;
/// The longest that a call may be thought to run.
const QUIET_S_MAX: u64 = 3_600;

const fn quiet_s() -> u64 {
    120
}

impl Wholesale {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, ask: AskFor, problems: &mut Problems) {
        let empty = |text: &String| text.trim().is_empty() || text.trim() != text;
        let nameless = self.memberships.iter().any(|(name, list)| empty(name) || empty(list));
        let rows: [Broken; 4] = [
            (nameless, "memberships", "has an empty name or list, or one with blanks around it"),
            (
                self.memberships.len() > MEMBERSHIPS_MAX,
                "memberships",
                "names more than 20 memberships",
            ),
            (!(1..=QUIET_S_MAX).contains(&self.quiet_s), "quiet_s", "is not between 1 and 3600"),
            (
                ask == AskFor::List,
                "memberships",
                "cannot be followed with prices.ask = \"list\": OIS017MI does not say for how many pieces a price is",
            ),
        ];
        tell("prices.wholesale", &rows, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_told_with_its_key() {
        let table = [
            ("", AskFor::Changes, ""),
            ("memberships = { Gold = \"WEBGOLD\" }", AskFor::Changes, ""),
            ("", AskFor::List, "prices.ask"),
            ("memberships = { \" \" = \"WEBGOLD\" }", AskFor::Changes, "wholesale.memberships"),
            ("memberships = { Gold = \"\" }", AskFor::Changes, "wholesale.memberships"),
            ("quiet_s = 0", AskFor::Changes, "wholesale.quiet_s"),
        ];
        for (text, ask, want) in table {
            let rules: Wholesale = toml::from_str(text).unwrap();
            let mut problems = Problems::default();
            rules.check(ask, &mut problems);
            let told = problems.to_string();
            assert_eq!(told.is_empty(), want.is_empty(), "{text}: {told}");
            assert!(told.contains(want), "{text}: {told}");
        }
        assert!(toml::from_str::<Wholesale>("foreign = \"burn\"").is_err());
    }
}
