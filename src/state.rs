//! What the flows know between two events: run states, cursors, links and dedup keys.
//!
//! What this module guarantees:
//! 1. `commit` returns only after the batch has reached the disk, power cuts included; a batch is
//!    applied whole or not at all.
//! 2. A batch whose expectations do not hold changes nothing, and disturbs no other.
//! 3. One process writes; each start has a higher epoch, and an older one is refused.
//! 4. A value is read as it was written, or reported as damaged.
//!
//! What it does not: history, or an order between keys. After [`StateError::Store`] whether the batch
//! is stored is not known; read before trying again.

mod ballast;
mod config;
pub mod copy;
mod generation;
mod group;
mod handle;
mod live;
mod mark;
mod memory;
mod pages;
mod rescue;
mod row;
mod successor;
mod writer;

#[cfg(test)]
mod tests;

use crate::{
    journal::committer::{self, Limits, Queue, Refused, Weight},
    state::{live::Live, row::KEY_BYTES_MAX, writer::Writer},
};
use serde::{Deserialize, Serialize};
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

pub use crate::{
    journal::{Committer, Guard, StoreError},
    state::{
        config::Config, group::Batch, handle::State, memory::Memory, pages::Pages,
        rescue::NOTHING_LEFT,
    },
};

/// Which start of the gateway this is; it grows by one each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// Why the state was not read or written.
#[derive(Clone, Debug, Error)]
pub enum StateError {
    /// Another process has the folder.
    #[error("another process uses the state")]
    Locked,
    /// A key has another value than the batch expects; nothing of the batch was applied.
    #[error("the value of {} is not the expected one", .key.escape_ascii())]
    Conflict {
        /// The first key that differs.
        key: Vec<u8>,
    },
    /// A newer epoch has been written; this process must end.
    #[error("a newer start of the gateway has taken over")]
    Superseded,
    /// The queue or the disk is full.
    #[error("the state is full")]
    Full,
    /// A key, a value or the batch is larger than the configuration allows.
    #[error("{bytes} bytes are more than {bytes_max}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// The committer has stopped.
    #[error("the state is closed")]
    Closed,
    /// The database could not be opened again yet after an error; the next commit tries it.
    #[error("the state is not open")]
    Unavailable,
    /// A value is not the one that was written.
    #[error("the value of {} is damaged", .key.escape_ascii())]
    Damaged {
        /// Its key.
        key: Vec<u8>,
    },
    /// The folder is not what it should be.
    #[error("{path} {what}")]
    Unreadable {
        /// Which part of it.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(&'static str),
    /// The disk or the database failed; whether the batch is stored is not known.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Gives back the room that is held in the state's folder for a full volume; says whether there was any.
pub fn make_room(folder: &Path) -> bool {
    ballast::release(folder)
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The state on the disk: what a [`State`] is outside of simulations. Clones share it.
#[derive(Clone, Debug)]
pub struct OnDisk {
    queue: Queue<Writer>,
    live: Arc<Live>,
    epoch: Epoch,
    config: Config,
}

impl OnDisk {
    /// Opens the state in `folder`, which is created if need be, and raises the epoch durably, in this
    /// process alone. Blocks.
    pub fn open(folder: &Path, config: &Config) -> Result<(Self, Committer), StateError> {
        Self::open_with(folder, config, &Guard::Here)
    }

    /// Opens the state in `folder`, which is created if need be, and raises the epoch durably. Blocks.
    ///
    /// A damaged state is put aside and rescued first, as far as it can be read.
    pub fn open_with(
        folder: &Path,
        config: &Config,
        guard: &Guard,
    ) -> Result<(Self, Committer), StateError> {
        config.check().map_err(StateError::Config)?;
        let (writer, live) = writer::open(folder, config, guard)?;
        let epoch = writer.epoch();
        let limits = Limits {
            batch_entries_max: config.batch_commits_max,
            batch_bytes_max: config.batch_bytes_max,
            queue_len_max: config.queue_len_max,
            queue_bytes_max: config.queue_bytes_max,
        };
        let (queue, committer) = committer::start("state", writer, limits)
            .map_err(StoreError::io("start the committer"))?;
        Ok((Self { queue, live, epoch, config: *config }, committer))
    }

    /// Returns the epoch of this start.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the value of a key. It may belong to a commit whose sync is still under way.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let value = self.live.get(key);
        self.wake_if_worn();
        value
    }

    /// Returns keys and values of a range, in order, at most `rows_max`.
    pub fn scan(&self, range: Range<Vec<u8>>, rows_max: usize) -> Result<Vec<Pair>, StateError> {
        let rows = self.live.scan(&range, rows_max);
        self.wake_if_worn();
        rows
    }

    /// Applies a batch durably, or not at all.
    pub async fn commit(&self, batch: Batch) -> Result<(), StateError> {
        let (key_bytes, value_bytes, bytes) = batch.measure();
        let limits = [
            (key_bytes, KEY_BYTES_MAX),
            (value_bytes, self.config.value_bytes_max),
            (bytes, self.config.queue_bytes_max),
        ];
        for (bytes, bytes_max) in limits {
            if bytes > bytes_max {
                return Err(StateError::TooLarge { bytes, bytes_max });
            }
        }
        // Each caller has one commit under way: whoever waits here holds nobody up but himself.
        let answer = self.queue.submit_patiently(batch, Weight { entries: 1, bytes }).await;
        answer.map_err(|refused| match refused {
            Refused::Full => StateError::Full,
            Refused::Closed => StateError::Closed,
        })?
    }

    fn wake_if_worn(&self) {
        if self.live.is_unfinished() || self.live.touched_bytes() > self.config.handle_bytes_max {
            self.queue.wake();
        }
    }
}
