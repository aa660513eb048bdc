//! When somebody is told of what. Pure.
//!
//! Each rule reads a [`View`] and returns what is wrong, as [`Judgement`]s with texts that say
//! what happened, since when, why and what to do next. What a rule does not return is well.
//! A rule never remembers: how long something has been so is the business of [`super::life`].

mod machine;
mod work;

use super::view::View;
use crate::clock::UnixMs;
use serde::{Deserialize, Serialize};

/// What a rule can be switched off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Orders are set aside for a person.
    Parked,
    /// No order came for longer than usual.
    NoOrders,
    /// An order waits for long on its way into M3.
    Waiting,
    /// The volume is nearly full.
    Disk,
    /// Webhooks are turned away.
    Refusing,
    /// A certificate is near its end.
    Certificate,
    /// A system is away.
    Away,
    /// The clock is wrong.
    Clock,
    /// The delivery stands still.
    Standstill,
    /// The journal lost events.
    Losses,
}

impl Rule {
    /// Every rule, in the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::Losses,
        Self::Standstill,
        Self::Parked,
        Self::Waiting,
        Self::NoOrders,
        Self::Away,
        Self::Disk,
        Self::Refusing,
        Self::Clock,
        Self::Certificate,
    ];

    /// Returns its fixed name, with which every key of its alerts begins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::NoOrders => "no-orders",
            Self::Waiting => "waiting",
            Self::Disk => "disk",
            Self::Refusing => "refusing",
            Self::Certificate => "certificate",
            Self::Away => "away",
            Self::Clock => "clock",
            Self::Standstill => "standstill",
            Self::Losses => "losses",
        }
    }
}

/// When somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rules that are not applied.
    pub off: Vec<Rule>,
    /// Orders of one cause that may be parked without anybody being told.
    pub parked_max: u64,
    /// How long they may be, seconds.
    pub parked_s_max: u64,
    /// How many orders must be missing against what is usual.
    pub no_orders_expected: u64,
    /// In how many weeks an hour must have been seen before it is taken for usual.
    pub learn_weeks: u32,
    /// How long there may be no order at all, hours; absent: as long as is usual.
    pub no_orders_h: Option<u64>,
    /// How long an order may take into M3, seconds.
    pub waiting_s_max: u64,
    /// What must be free on the volume; twice the journal's floor counts when that is more.
    pub disk_bytes_min: u64,
    /// How long a certificate must still be valid, days.
    pub certificate_days_min: u64,
    /// How long a system may be away, seconds.
    pub away_s_max: u64,
    /// How far the clock may be off, seconds.
    pub clock_s_max: u64,
    /// How long the delivery may stand still, seconds.
    pub standstill_s_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            parked_max: 0,
            parked_s_max: 86_400,
            no_orders_expected: 12,
            learn_weeks: 3,
            no_orders_h: None,
            waiting_s_max: 3_600,
            disk_bytes_min: 536_870_912,
            certificate_days_min: 21,
            away_s_max: 900,
            clock_s_max: 60,
            standstill_s_max: 60,
        }
    }
}

impl Limits {
    /// Says which limits cannot work, by key, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let ranges = [
            ("parked_max", self.parked_max, 0, 1_000),
            ("parked_s_max", self.parked_s_max, 60, 2_592_000),
            ("no_orders_expected", self.no_orders_expected, 3, 10_000),
            ("learn_weeks", u64::from(self.learn_weeks), 1, 52),
            ("no_orders_h", self.no_orders_h.unwrap_or(1), 1, 8_760),
            ("waiting_s_max", self.waiting_s_max, 1, 2_592_000),
            ("certificate_days_min", self.certificate_days_min, 1, 3_650),
            ("away_s_max", self.away_s_max, 1, 2_592_000),
            ("clock_s_max", self.clock_s_max, 5, 86_400),
            ("standstill_s_max", self.standstill_s_max, 1, 86_400),
        ];
        let wrong =
            ranges.into_iter().filter(|(_, value, least, most)| !(*least..=*most).contains(value));
        wrong
            .map(|(key, value, least, most)| {
                (key, format!("{value} is not between {least} and {most}"))
            })
            .collect()
    }

    /// Whether a rule is applied.
    pub fn applies(&self, rule: Rule) -> bool {
        !self.off.contains(&rule)
    }
}

/// What is said about something that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What happened, in a few words; it stands in the subject.
    pub what: String,
    /// What is known of it.
    pub why: String,
    /// What to do next.
    pub advice: String,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it is known by: the rule, and after a slash what of it.
    pub key: String,
    /// Whether it is wrong enough to begin an alert.
    pub verdict: Verdict,
    /// The texts.
    pub told: Told,
    /// How bad it is; twice as bad is told again.
    pub weight: u64,
    /// Since when, where the rule knows.
    pub since_ms: Option<UnixMs>,
    /// How long it must be so before it is told; absent: as long as anything.
    pub for_s: Option<u64>,
}

/// Whether something is wrong enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Raise,
    /// To go on, not to begin.
    Keep,
}

/// Returns everything that is wrong.
pub fn judge(view: &View, limits: &Limits) -> Vec<Judgement> {
    let applied = Rule::ALL.into_iter().filter(|rule| limits.applies(*rule));
    applied
        .flat_map(|rule| match rule {
            Rule::Parked => work::parked(view, limits),
            Rule::NoOrders => work::no_orders(view, limits),
            Rule::Waiting => work::waiting(view, limits),
            Rule::Standstill => work::standstill(view, limits),
            Rule::Losses => work::losses(view),
            Rule::Disk => machine::disk(view, limits),
            Rule::Refusing => machine::refusing(view),
            Rule::Certificate => machine::certificate(view, limits),
            Rule::Away => machine::away(view, limits),
            Rule::Clock => machine::clock(view, limits),
        })
        .collect()
}

/// Says how long something took, in the two largest units.
pub fn span(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

fn seconds_since(since_ms: UnixMs, now_ms: UnixMs) -> u64 {
    now_ms.saturating_sub(since_ms) / 1_000
}

#[cfg(test)]
mod tests;
