//! Does what the flows decide, order by order.
//!
//! What this stage guarantees:
//! 1. One case is worked on by one worker at a time, and nothing else writes it.
//! 2. A case is durable before every effect that writes.
//! 3. An event is settled in the journal only when a durable row wakes its case.
//! 4. Whatever is not finished has a row in the list of what is due, or is parked.
//!
//! The sequence of one order's steps is kept; one order never holds up another.

pub mod cases;
pub mod desk;
pub mod dispatch;
pub mod events;
pub mod people;
pub mod perform;
pub mod rows;
mod worker;

use serde::Deserialize;

/// Settings of the delivery.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Orders worked on at the same time.
    #[serde(default = "lanes_max")]
    pub lanes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { lanes_max: lanes_max() }
    }
}

const fn lanes_max() -> usize {
    8
}
