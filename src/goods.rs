//! The shop's goods follow M3: how many of each there are to sell, at which price, and what they are.
//!
//! What this stage guarantees:
//! 1. What M3 said is on disk before the watermark of its changes moves; a change that was lost on
//!    its way comes again, and once a day everything is read anew.
//! 2. Of many changes of one item the shop gets the last one: an item has one mark that it is due,
//!    however often it changes.
//! 3. What the shop sold and M3 does not have yet is not for sale again.
//! 4. Writes are absolute and name only what changes: they are repeated after any loss.
//! 5. With `mode = "watch"` nothing is written at all, but for what a load lets through that a person started.
//! 6. An item gets one product at most: what was sent and not answered is looked for first, and the
//!    shop takes a SKU once only.
//!
//! What it does not: hold up orders. It has few calls under way and waits its turn at the gate.

mod afresh;
pub mod article;
pub mod balance;
pub mod card;
pub mod good;
pub mod held;
pub mod lists;
pub mod load;
pub mod loader;
pub mod make;
pub mod newcomer;
mod plan;
pub mod price;
pub mod report;
pub mod rules;
pub mod send;
mod shelf;
pub mod source;
pub mod table;
pub mod tier;
pub mod walk;
mod want;
pub mod watch;
pub mod wholesaler;

use self::rules::Rules;
use crate::{
    connector::Failure,
    delivery::{
        cases::CaseError,
        rows::{self, BadRow},
    },
    state::{Batch, State, StateError},
};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{Mutex, Notify, watch as watching};

/// Wakes the parts of this stage.
#[derive(Debug, Default)]
pub struct Bells {
    /// Something is due for the shop.
    pub send: Notify,
    /// The shop's goods are to be read.
    pub walk: Notify,
    /// A list of M3's was read whole for the first time.
    pub read: Notify,
    /// Something has changed in M3.
    pub look: Notify,
    /// M3's lists are to be read whole.
    pub full: Notify,
    /// The load was started, halted or ended.
    pub load: Notify,
}

/// How this stage stands, for the page and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When M3 was last asked for balances with success, in milliseconds since 1970.
    pub stock_ms: u64,
    /// The same for prices.
    pub prices_ms: u64,
    /// The same for items.
    pub items_ms: u64,
    /// When the shop's goods were last read to the end.
    pub walked_ms: u64,
    /// Items that wait to be compared or written.
    pub waiting: u64,
    /// Since when the oldest of them does.
    pub waiting_since_ms: Option<u64>,
    /// Goods whose write the shop refuses.
    pub refused: u64,
    /// Goods of the shop that M3 does not know.
    pub unknown: u64,
    /// Writes that the shop took since the start.
    pub written: u64,
    /// Items that should have a product and have none.
    pub missing: u64,
    /// Products that were made since the start.
    pub made: u64,
    /// Whether the shop was found to have no wholesale prices.
    pub no_wholesale: bool,
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
    /// What is known of the shop's wholesale prices.
    pub wholesale: wholesaler::Known,
    /// A whole list of M3's is held in memory while it is taken in: one at a time.
    reading: Arc<Mutex<()>>,
}

impl Shared {
    /// Starts with nothing known.
    pub fn new(rules: Rules) -> Self {
        let (rules, bells) = (Arc::new(rules), Arc::default());
        let standing = watching::Sender::new(Standing::default());
        let (wholesale, reading) = (wholesaler::Known::default(), Arc::default());
        Self { rules, bells, standing, wholesale, reading }
    }

    fn note(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(change);
    }
}

/// Why a part of this stage could not go on. The text continues "could not …: ".
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    /// The other system gave no answer.
    #[error("{0}")]
    Call(Failure),
    /// The state store refused, or holds what cannot be read.
    #[error("the state store: {0}")]
    Store(#[from] CaseError),
    /// An answer that would do harm if it were not true.
    #[error("{0}")]
    Doubt(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Call(failure)
    }
}

impl From<StateError> for Trouble {
    fn from(fault: StateError) -> Self {
        Self::Store(fault.into())
    }
}

impl From<BadRow> for Trouble {
    fn from(fault: BadRow) -> Self {
        Self::Store(fault.into())
    }
}

/// Says that an item is due for the shop; it keeps its place if it was due already.
fn mark(batch: &mut Batch, state: &State, itno: &str, now_ms: u64) -> Result<(), Trouble> {
    let key = table::key(table::DUE, itno);
    let before = state.get(&key)?.as_deref().map(rows::read::<table::Due>).transpose()?;
    let since_ms = before.map_or(now_ms, |due| due.since_ms);
    let due = table::Due { mark: fastrand::u64(..), since_ms };
    batch.put(key, rows::write(&due)?);
    Ok(())
}

/// Reads a row.
pub(crate) fn row<T: DeserializeOwned>(state: &State, key: &[u8]) -> Result<Option<T>, Trouble> {
    Ok(state.get(key)?.as_deref().map(rows::read).transpose()?)
}

/// Writes a batch; says whether somebody else has changed one of its rows, so that nothing was written.
pub(crate) async fn commit_or_not(state: &State, batch: Batch) -> Result<Committed, Trouble> {
    match commit(state, batch).await {
        Ok(()) => Ok(Committed::Yes),
        Err(Trouble::Store(CaseError::Store(StateError::Conflict { .. }))) => Ok(Committed::Not),
        Err(trouble) => Err(trouble),
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is on disk.
    Yes,
    /// A row is not what was expected; nothing was written.
    Not,
}

/// Writes a batch if there is anything in it.
pub(crate) async fn commit(state: &State, batch: Batch) -> Result<(), Trouble> {
    if batch.is_empty() { Ok(()) } else { Ok(state.commit(batch).await?) }
}
