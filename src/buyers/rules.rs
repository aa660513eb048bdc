//! What an integrator may set about buyers: the table `[buyers]`. Pure.

use crate::{
    config::Problems,
    connector::xcart::profiles::Status,
    goods::rules::{Broken, DayTime, Mode, not_a_poll, not_an_overlap, tell},
    ids::KeyPrefix,
};
use serde::{Deserialize, Deserializer};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// All settings of this stage.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The flow's own.
    pub buyers: Buyers,
    /// Begins the number that the order flow gives a registered customer; absent: it gives none.
    pub account_prefix: Option<KeyPrefix>,
}

/// Settings of the flow: the `[buyers]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buyers {
    /// Whether the shop is written to.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds between two looks at M3, and at the newest profiles of the shop.
    #[serde(default = "poll_s")]
    pub poll_s: u64,
    /// How far back each look at M3 reaches beyond the one before, in seconds.
    #[serde(default = "overlap_s")]
    pub overlap_s: u64,
    /// When both sides are read whole each day, as `HH:MM` in UTC.
    #[serde(default)]
    pub full_at: DayTime,
    /// Whether a profile may log in, by STAT; a status that is not there changes nothing.
    #[serde(default)]
    pub statuses: BTreeMap<String, Status>,
    /// Values of fields of M3's that disable a profile whatever the status says.
    #[serde(default)]
    pub disable_where: BTreeMap<String, Vec<String>>,
    /// The field of M3's that holds the group.
    #[serde(default = "group_field")]
    pub group_field: String,
    /// The name of the shop's membership by the value of that field; an empty name takes it away, a
    /// value that is not there changes nothing.
    #[serde(default)]
    pub memberships: BTreeMap<String, String>,
    /// Whether a profile belongs to the one customer with the same e-mail address.
    #[serde(default = "yes")]
    pub match_by_email: bool,
    /// Whether what people changed in the shop is made good.
    #[serde(default, deserialize_with = "edits")]
    pub overwrite: Edits,
    /// Profiles that may be disabled within a day; where it would be more none is.
    #[serde(default = "disable_max")]
    pub disable_max: u64,
}

/// What becomes of what people changed in the shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edits {
    /// It stays until M3 changes.
    #[default]
    Kept,
    /// It is made good, but nobody is let in again whom a person shut out.
    Overwritten,
    /// A person asked for M3's values.
    Asked,
}

/// The most that `disable_max` may be.
const DISABLE_CEILING: u64 = 1_000_000;

const fn poll_s() -> u64 {
    300
}

const fn overlap_s() -> u64 {
    120
}

fn group_field() -> String {
    "CUCL".to_owned()
}

const fn yes() -> bool {
    true
}

const fn disable_max() -> u64 {
    50
}

/// In the file it is a yes or no.
fn edits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Edits, D::Error> {
    let overwrite = bool::deserialize(deserializer)?;
    Ok(if overwrite { Edits::Overwritten } else { Edits::Kept })
}

fn is_field(text: &str) -> bool {
    (3..=10).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl Buyers {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let statuses = self.statuses.is_empty() && self.disable_where.is_empty();
        let empty = self.disable_where.values().any(Vec::is_empty);
        let rows: [Broken; 7] = [
            not_a_poll(self.poll_s),
            not_an_overlap(self.overlap_s),
            (
                statuses && self.memberships.is_empty(),
                "statuses",
                "and disable_where and memberships are empty: nothing would be done",
            ),
            (!is_field(&self.group_field), "group_field", "is no field of M3 such as CUCL or PLTB"),
            (
                self.disable_where.keys().any(|name| !is_field(name)) || empty,
                "disable_where",
                "names what is no field of M3, or a field without values",
            ),
            (
                !(1..=DISABLE_CEILING).contains(&self.disable_max),
                "disable_max",
                "is not between 1 and 1000000",
            ),
            (
                self.statuses.keys().any(|status| status.trim().is_empty()),
                "statuses",
                "names an empty status",
            ),
        ];
        tell("buyers", &rows, problems);
    }

    /// Names the fields of M3's that are read beside the usual ones.
    pub fn fields(&self) -> Vec<String> {
        let group = (!self.memberships.is_empty()).then_some(&self.group_field);
        let fields: BTreeSet<&String> = self.disable_where.keys().chain(group).collect();
        fields.into_iter().cloned().collect()
    }

    /// Returns the time between two looks.
    pub const fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_would_do_nothing_or_cannot_work_is_refused_and_nothing_is_written_unasked() {
        let good = "statuses = { 20 = \"E\", 90 = \"D\" }\nmemberships = { A = \"Wholesale\" }";
        let good: Buyers = toml::from_str(good).unwrap();
        assert_eq!((good.mode, good.overwrite), (Mode::Watch, Edits::Kept));
        assert_eq!(good.fields(), ["CUCL"]);
        let mut problems = Problems::default();
        good.check(&mut problems);
        assert!(problems.is_empty(), "{problems}");
        let table = [
            ("", "statuses"),
            ("statuses = { \"\" = \"E\" }", "statuses"),
            ("memberships = { A = \"B\" }\ngroup_field = \"x\"", "group_field"),
            ("disable_where = { BLCD = [] }", "disable_where"),
            ("disable_where = { \"a b\" = [\"1\"] }", "disable_where"),
            ("statuses = { 20 = \"E\" }\ndisable_max = 0", "disable_max"),
            ("statuses = { 20 = \"E\" }\npoll_s = 0", "poll_s"),
            ("statuses = { 20 = \"E\" }\noverlap_s = 100000", "overlap_s"),
        ];
        for (text, key) in table {
            let mut problems = Problems::default();
            toml::from_str::<Buyers>(text).unwrap().check(&mut problems);
            let told = problems.to_string();
            assert!(told.contains(&format!("buyers.{key}")), "{text}: {told}");
        }
        assert!(toml::from_str::<Buyers>("statuses = { 20 = \"X\" }").is_err());
    }
}
