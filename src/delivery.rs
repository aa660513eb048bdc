//! Does what the flows decide, order by order.
//!
//! What this stage guarantees:
//! 1. One case is worked on by one worker at a time, and nothing else writes it.
//! 2. A case is durable before every effect that writes.
//! 3. An event is settled in the journal only when a durable row wakes its case.
//! 4. Whatever is not finished has a row in the list of what is due, or is parked.
//! 5. A case that needs a system that is away is not touched until it may be tried again.
//! 6. What waits lies on the disk: in memory are the cases in hand and no others.
//!
//! The sequence of one order's steps is kept; one order never holds up another.

pub mod answers;
pub mod cases;
mod credit;
pub mod customers;
pub mod desk;
pub mod dispatch;
pub mod events;
mod hand;
pub mod heard;
pub mod links;
pub mod people;
pub mod perform;
mod ramp;
pub mod rows;
mod sick;
mod timekeeper;
pub(crate) mod trouble;
mod worker;

use serde::Deserialize;

/// Settings of the delivery.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Orders worked on at the same time.
    #[serde(default = "lanes_max")]
    pub lanes_max: usize,
    /// Confirmations that run at the same time; M3 takes long over each.
    #[serde(default = "confirm_concurrency_max")]
    pub confirm_concurrency_max: usize,
    /// Cases that are due and wait; above it events stay in the journal.
    #[serde(default = "waiting_max")]
    pub waiting_max: usize,
}

impl Config {
    /// Says what is wrong with these limits, if anything.
    pub fn check(&self) -> Result<(), &'static str> {
        let wrong = [
            (self.lanes_max == 0, "lanes_max must be at least 1"),
            (self.confirm_concurrency_max == 0, "confirm_concurrency_max must be at least 1"),
            (self.waiting_max < WAITING_FLOOR, "waiting_max must be at least 100"),
        ];
        wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, why)| Err(why))
    }
}

/// The least that `waiting_max` may be.
const WAITING_FLOOR: usize = 100;

impl Default for Config {
    fn default() -> Self {
        Self {
            lanes_max: lanes_max(),
            confirm_concurrency_max: confirm_concurrency_max(),
            waiting_max: waiting_max(),
        }
    }
}

const fn lanes_max() -> usize {
    8
}

const fn confirm_concurrency_max() -> usize {
    2
}

const fn waiting_max() -> usize {
    10_000
}
