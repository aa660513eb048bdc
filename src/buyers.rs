//! The shop's buyers follow M3: who may log in, and which membership each has.
//!
//! What this stage guarantees:
//! 1. What M3 said is on disk before the watermark of its changes moves, and once a day everything is
//!    read anew; of many changes of one customer the shop gets the last one.
//! 2. Nobody is guessed: a profile whose customer is not certain is listed and left alone, and one of
//!    the shop's staff is never written to.
//! 3. Within a day no more profiles are disabled than the settings allow; where it would be more none is.
//! 4. Before a write the profile is read; writes are absolute and name only what changes.
//! 5. With `mode = "watch"` nothing is written, but for what a person asks for.
//!
//! What it does not: hold up orders. It has one call under way and waits its turn at the gate; and it
//! does not take over names and addresses, which the shop's customers own.

pub mod buyer;
mod count;
pub mod customer;
mod find;
mod put;
pub mod report;
pub mod rules;
pub mod send;
pub mod table;
pub mod tie;
pub mod walk;
pub mod watch;

use self::rules::Rules;
use crate::{
    connector::xcart::profiles::Membership,
    delivery::rows,
    goods::{Trouble, row},
    state::{Batch, State},
};
use std::sync::Arc;
use tokio::sync::{Notify, watch as watching};

/// Wakes the parts of this stage.
#[derive(Debug, Default)]
pub struct Bells {
    /// Something is due for the shop.
    pub send: Notify,
    /// The shop's profiles are to be read.
    pub walk: Notify,
    /// Something has changed in M3.
    pub look: Notify,
    /// M3's list is to be read whole.
    pub full: Notify,
}

/// How this stage stands, for the page and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When M3 was last asked with success, in milliseconds since 1970.
    pub polled_ms: u64,
    /// Whether M3's list is being read.
    pub reading: bool,
    /// When the shop's profiles were last read to the end.
    pub walked_ms: u64,
    /// Profiles that wait to be compared or written.
    pub waiting: u64,
    /// Since when the oldest of them does.
    pub waiting_since_ms: Option<u64>,
    /// Profiles of which the shop has something else than it should.
    pub differing: u64,
    /// Profiles whose change the shop refuses, or of which it is not clear what they should have.
    pub refused: u64,
    /// Customers' profiles without a customer in M3 that is certain.
    pub unknown: u64,
    /// Profiles that would be disabled, and are not because they are too many.
    pub held: u64,
    /// Changes that the shop took since the start.
    pub written: u64,
}

/// The handle that the parts share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The settings.
    pub rules: Arc<Rules>,
    /// The bells.
    pub bells: Arc<Bells>,
    /// What is shown.
    pub standing: watching::Sender<Standing>,
    /// The shop's memberships; none while they were not read.
    pub memberships: watching::Sender<Option<Arc<[Membership]>>>,
}

impl Shared {
    /// Starts with nothing known.
    pub fn new(rules: Rules) -> Self {
        let (rules, bells) = (Arc::new(rules), Arc::default());
        let (standing, memberships) = (watching::Sender::default(), watching::Sender::default());
        Self { rules, bells, standing, memberships }
    }

    fn note(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(change);
    }
}

/// Who wants a profile to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Something has changed.
    ByChange,
    /// A person asks for M3's values.
    ByPerson,
}

/// Says that a profile is due for the shop; it keeps its place if it was due already.
fn mark(batch: &mut Batch, state: &State, id: u64, by: (Wanted, u64)) -> Result<(), Trouble> {
    let (wanted, now_ms) = by;
    let key = table::of_profile(table::DUE, id);
    let before: Option<table::Due> = row(state, &key)?;
    let since_ms = before.map_or(now_ms, |due| due.since_ms);
    let asked = wanted == Wanted::ByPerson || before.is_some_and(|due| due.asked);
    let due = table::Due { mark: fastrand::u64(..), since_ms, asked };
    batch.put(key, rows::write(&due)?);
    Ok(())
}
