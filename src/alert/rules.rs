//! When somebody is told of what. Pure.
//!
//! Each rule reads a [`View`] and returns what is wrong, as [`Judgement`]s with texts that say
//! what happened, since when, why and what to do next. What a rule does not return is well.
//! A rule never remembers: how long something has been so is the business of [`super::life`].

mod limits;
mod machine;
mod work;

pub use limits::{Limits, Rule};
pub use machine::CLOCK_FLOOR_MS;

use super::view::View;
use crate::clock::UnixMs;
use serde::{Deserialize, Serialize};

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
            Rule::Apart => work::apart(view),
            Rule::NotUnderstood => work::not_understood(view, limits),
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
