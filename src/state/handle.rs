//! The handle that everybody holds, whatever the state is kept on.
//!
//! It only passes on; what is guaranteed stands in [`crate::state`].

use super::{
    Batch, Committer, Config, Epoch, Guard, OnDisk, Pages, Pair, StateError, memory::Memory,
};
use std::{ops::Range, path::Path};

/// A handle to the state; clones share it.
#[derive(Clone, Debug)]
pub struct State(Kept);

#[derive(Clone, Debug)]
enum Kept {
    OnDisk(OnDisk),
    InMemory(Memory, Epoch),
}

impl State {
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
        let (state, committer) = OnDisk::open_with(folder, config, guard)?;
        Ok((Self(Kept::OnDisk(state)), committer))
    }

    /// Opens a state in memory, for simulations, and raises its epoch.
    pub fn in_memory(memory: &Memory) -> Self {
        let epoch = memory.open();
        Self(Kept::InMemory(memory.clone(), epoch))
    }

    /// Returns the state on the disk; none in a simulation.
    pub fn on_disk(&self) -> Option<&OnDisk> {
        match &self.0 {
            Kept::OnDisk(state) => Some(state),
            Kept::InMemory(..) => None,
        }
    }

    /// Returns the epoch of this start.
    pub fn epoch(&self) -> Epoch {
        match &self.0 {
            Kept::OnDisk(state) => state.epoch(),
            Kept::InMemory(_, epoch) => *epoch,
        }
    }

    /// Returns the value of a key. It may belong to a commit whose sync is still under way.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match &self.0 {
            Kept::OnDisk(state) => state.get(key),
            Kept::InMemory(memory, _) => Ok(memory.get(key)),
        }
    }

    /// Returns keys and values of a range, in order, at most `rows_max`.
    pub fn scan(&self, range: Range<Vec<u8>>, rows_max: usize) -> Result<Vec<Pair>, StateError> {
        match &self.0 {
            Kept::OnDisk(state) => state.scan(range, rows_max),
            Kept::InMemory(memory, _) => Ok(memory.scan(range, rows_max)),
        }
    }

    /// Reads a range a part at a time: so many rows in each, however many there are.
    pub fn pages(&self, range: Range<Vec<u8>>, rows_max: usize) -> Pages<'_> {
        Pages::new(self, range, rows_max)
    }

    /// Applies a batch durably, or not at all.
    pub async fn commit(&self, batch: Batch) -> Result<(), StateError> {
        match &self.0 {
            Kept::OnDisk(state) => state.commit(batch).await,
            Kept::InMemory(memory, epoch) => memory.commit(batch, *epoch).await,
        }
    }

    /// Returns the database of a state on disk.
    #[cfg(test)]
    pub(super) fn live(&self) -> &super::Live {
        match &self.0 {
            Kept::OnDisk(state) => &state.live,
            Kept::InMemory(..) => panic!("it lies in memory"),
        }
    }
}
