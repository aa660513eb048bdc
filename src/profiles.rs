//! The shop's profiles come to M3 as customers, also those that never ordered.
//!
//! What this stage guarantees:
//! 1. A customer is found, made and told of changes by the code of the orders (`delivery::customers`), and takes
//!    turns with them: a profile and an order of one person never make two.
//! 2. Nobody is guessed: two customers that fit equally well go to a person.
//! 3. A profile of the shop's staff, and one of a guest, is never taken.
//! 4. What is to be told is on disk before the call, with the moment at which it was seen.
//! 5. With `mode = "watch"` nothing is written, but for what a load lets through that a person started.
//!
//! What it does not: hold up orders. It has one call under way, keeps to its rate and waits its turn at the
//! gate; and it does not take customers away when a profile goes.

mod count;
pub mod keep;
pub mod load;
pub mod profile;
pub mod report;
pub mod rules;
pub mod table;
pub mod walk;

use self::rules::Profiles;
use crate::{
    connector::xcart::profiles::Membership,
    delivery::{cases::CaseError, rows},
    state::{Batch, State},
};
use std::sync::Arc;
use tokio::sync::{Notify, watch as watching};

/// Wakes the parts of this stage.
#[derive(Debug, Default)]
pub struct Bells {
    /// A profile is due.
    pub keep: Notify,
    /// The shop's profiles are to be read.
    pub walk: Notify,
}

/// How this stage stands, for the page and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When the shop's profiles were last read to the end, in milliseconds since 1970.
    pub walked_ms: u64,
    /// Profiles that wait to be compared.
    pub waiting: u64,
    /// Since when the oldest of them does.
    pub waiting_since_ms: Option<u64>,
    /// Profiles of which M3 should be told.
    pub differing: u64,
    /// Profiles that a person must look at.
    pub parked: u64,
    /// Profiles that the settings leave out.
    pub left_out: u64,
    /// Profiles with a customer that knows all there is.
    pub equal: u64,
    /// Customers that were made since the start.
    pub made: u64,
    /// Customers that were told of something since the start.
    pub told: u64,
}

/// The handle that the parts share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The settings.
    pub rules: Arc<Profiles>,
    /// The bells.
    pub bells: Arc<Bells>,
    /// What is shown.
    pub standing: watching::Sender<Standing>,
    /// The shop's memberships; none while they were not read.
    pub memberships: watching::Sender<Option<Arc<[Membership]>>>,
}

impl Shared {
    /// Starts with nothing known.
    pub fn new(rules: Profiles) -> Self {
        let (rules, bells) = (Arc::new(rules), Arc::default());
        let (standing, memberships) = (watching::Sender::default(), watching::Sender::default());
        Self { rules, bells, standing, memberships }
    }

    fn note(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(change);
    }
}

/// Says that a profile is to be looked at; it keeps its place if it was due already.
pub(crate) fn mark(
    batch: &mut Batch,
    state: &State,
    (table, id): (&str, u64),
    now_ms: u64,
) -> Result<(), CaseError> {
    let key = table::of_profile(table, id);
    let before = state.get(&key)?.as_deref().map(rows::read::<table::Due>).transpose()?;
    let since_ms = before.map_or(now_ms, |due| due.since_ms);
    // Whoever says that something has changed does not want to wait for an earlier failure.
    let due = table::Due { mark: fastrand::u64(..), since_ms, failed: 0, again_ms: 0 };
    batch.put(key, rows::write(&due)?);
    Ok(())
}
