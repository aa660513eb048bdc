//! The initial load: the controlled way from watching to writing. Pure.
//!
//! Guarantees: no more calls are let through than the rate allows, after a rest neither; what a stage
//! does not allow is refused with a sentence. How it works: `goods::loader`.

use super::rules::{Mode, Rules};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Calls a minute when nobody says how many.
pub const PER_MIN: u32 = 60;
/// Calls a minute at most.
pub const PER_MIN_MAX: u32 = 6_000;
/// How often the goods are gone over: what M3 changed meanwhile is brought, too.
pub const ROUNDS_MAX: u32 = 3;
/// The longest time whose calls may be made up for.
const SAVED_MS_MAX: u64 = 2_000;

/// What a load brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// New products, and what products say of themselves.
    Items,
    /// Prices, those by quantity and for memberships among them.
    Prices,
    /// Pieces.
    Stock,
    /// Customers of M3; a load of its own, which `profiles::load` carries on.
    Customers,
}

/// Some of them.
pub type Parts = BTreeSet<Part>;

impl Part {
    /// Those of the goods.
    pub const ALL: [Self; 3] = [Self::Items, Self::Prices, Self::Stock];

    /// Returns the name of its table in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Prices => "prices",
            Self::Stock => "stock",
            Self::Customers => "profiles",
        }
    }

    /// Returns how the settings want it; none if its flow is off.
    pub fn mode(self, rules: &Rules) -> Option<Mode> {
        match self {
            Self::Items => rules.items.as_ref().map(|items| items.mode),
            Self::Prices => rules.prices.as_ref().map(|prices| prices.mode),
            Self::Stock => rules.stock.as_ref().map(|stock| stock.mode),
            Self::Customers => None,
        }
    }
}

/// Returns the parts that the settings want like this.
pub fn in_mode(rules: &Rules, mode: Mode) -> Parts {
    Part::ALL.into_iter().filter(|part| part.mode(rules) == Some(mode)).collect()
}

/// Names parts for a person.
pub fn named(parts: &Parts) -> String {
    parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(", ")
}

/// A load as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How far it is.
    pub stage: Stage,
    /// What it brings.
    pub parts: Parts,
    /// Calls a minute.
    pub per_min: u32,
    /// When it was started, in milliseconds since 1970.
    pub began_ms: u64,
    /// When it ended; 0 while it has not.
    pub ended_ms: u64,
    /// Goods of which the shop had something else when it was started.
    pub total: u64,
    /// How often the goods were gone over, this time included.
    pub round: u32,
    /// Where it stands in them.
    pub place: Place,
    /// Goods that were let through.
    pub admitted: u64,
    /// Calls that these were thought to cost.
    pub calls: u64,
    /// Goods that the shop refused, at its end.
    pub refused: u64,
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It goes on.
    Running,
    /// A person has halted it.
    Paused,
    /// A person has ended it.
    Stopped,
    /// All was gone over.
    Done,
}

/// Where the going over stands: behind this name, from the beginning when none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Among the items without a product, by ITNO.
    Newcomers(Option<String>),
    /// Among the goods of the shop, by SKU.
    Goods(Option<String>),
}

/// An item that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// When, in milliseconds since 1970.
    pub since_ms: u64,
}

impl Load {
    /// Begins one.
    pub fn begin((parts, per_min): (Parts, u32), total: u64, now_ms: u64) -> Self {
        Self {
            stage: Stage::Running,
            parts,
            per_min,
            began_ms: now_ms,
            ended_ms: 0,
            total,
            round: 1,
            place: Place::Newcomers(None),
            admitted: 0,
            calls: 0,
            refused: 0,
        }
    }

    /// Whether it may go on, now or later.
    pub fn is_under_way(&self) -> bool {
        match self.stage {
            Stage::Running | Stage::Paused => true,
            Stage::Stopped | Stage::Done => false,
        }
    }

    /// Returns how long it has taken, in seconds, up to its end.
    pub fn seconds(&self, now_ms: u64) -> u64 {
        let until = if self.is_under_way() { now_ms } else { self.ended_ms };
        until.saturating_sub(self.began_ms) / 1_000
    }

    /// Comes to another stage; the error says why it cannot.
    pub fn turn(self, stage: Stage, now_ms: u64) -> Result<Self, &'static str> {
        let ended_ms = match (self.stage, stage) {
            (Stage::Running, Stage::Running) => return Err("the load is running already"),
            (Stage::Paused, Stage::Paused) => return Err("the load is paused already"),
            (Stage::Stopped | Stage::Done, _) => {
                return Err("no load is under way; `causeway load start` starts one");
            }
            (Stage::Running | Stage::Paused, Stage::Running | Stage::Paused) => 0,
            (Stage::Running | Stage::Paused, Stage::Stopped | Stage::Done) => now_ms,
        };
        Ok(Self { stage, ended_ms, ..self })
    }
}

/// What a running load may still spend. After a restart it begins empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// In parts of a call, so that no time is lost to rounding; below 0 after an item that cost more than
    /// was saved.
    parts: i64,
}

/// So many make a call: a millisecond at a call a minute is one.
const PARTS_OF_A_CALL: u64 = 60_000;

impl Budget {
    /// So much time has passed.
    pub fn earn(&mut self, elapsed_ms: u64, per_min: u32) {
        let worth = |ms: u64| whole(ms.saturating_mul(per_min.into()));
        let most = worth(SAVED_MS_MAX).max(whole(PARTS_OF_A_CALL));
        self.parts = self.parts.saturating_add(worth(elapsed_ms)).min(most);
    }

    /// Whether one more item may be let through.
    pub fn is_left(self) -> bool {
        self.parts >= whole(PARTS_OF_A_CALL)
    }

    /// An item was let through that costs so many calls.
    pub fn spend(&mut self, calls: u64) {
        self.parts = self.parts.saturating_sub(whole(calls.saturating_mul(PARTS_OF_A_CALL)));
    }
}

fn whole(parts: u64) -> i64 {
    i64::try_from(parts).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_let_through_than_the_rate_allows_also_after_a_rest() {
        let calls_in = |steps_ms: &[u64], per_min: u32, cost: u64| {
            let (mut budget, mut calls) = (Budget::default(), 0);
            for step in steps_ms {
                budget.earn(*step, per_min);
                while budget.is_left() {
                    budget.spend(cost);
                    calls += cost;
                }
            }
            calls
        };
        assert_eq!(calls_in(&[250; 240], 60, 1), 60, "one minute");
        assert_eq!(calls_in(&[250; 240], 1, 1), 1, "the slowest");
        assert!((60..=65).contains(&calls_in(&[250; 240], 60, 5)), "items of several calls");
        assert_eq!(calls_in(&[3_600_000], 600, 1), 20, "an hour away is not made up for");
    }

    #[test]
    fn what_a_stage_does_not_allow_is_refused() {
        let load = Load::begin((Parts::from([Part::Stock]), 60), 5, 1);
        let turned = |load: &Load, stage| load.clone().turn(stage, 9).map(|load| load.stage);
        assert!(turned(&load, Stage::Running).is_err());
        assert_eq!(turned(&load, Stage::Paused), Ok(Stage::Paused));
        let stopped = load.clone().turn(Stage::Stopped, 9).unwrap();
        assert_eq!((stopped.ended_ms, stopped.is_under_way()), (9, false));
        for stage in [Stage::Running, Stage::Paused, Stage::Stopped] {
            assert!(turned(&stopped, stage).is_err());
        }
    }
}
