//! The handle that everybody holds, whatever the journal is kept on.
//!
//! It only passes on; what is guaranteed stands in [`crate::journal`].

use super::{
    Committer, Condition, Config, Event, JournalError, JournalStats, Loss, NewEvent, OnDisk,
    Opening, Receipt, Seq, memory::Memory,
};
use std::path::Path;
use tokio::sync::watch;

/// A handle to the journal; clones share it.
#[derive(Clone, Debug)]
pub struct Journal(Kept);

#[derive(Clone, Debug)]
enum Kept {
    OnDisk(OnDisk),
    InMemory(Memory),
}

impl Journal {
    /// Opens the journal in `folder`, which is created if need be, in this process alone. Blocks.
    pub fn open(folder: &Path, config: &Config) -> Result<(Self, Committer), JournalError> {
        Self::open_with(folder, config, Opening::default())
    }

    /// Opens the journal in `folder`, which is created if need be. Blocks.
    ///
    /// Damage is put aside and rescued first, which takes as long as reading the damaged segment does;
    /// else only what was written since the last opening of the newest segment is read.
    pub fn open_with(
        folder: &Path,
        config: &Config,
        opening: Opening,
    ) -> Result<(Self, Committer), JournalError> {
        let (journal, committer) = OnDisk::open_with(folder, config, opening)?;
        Ok((Self(Kept::OnDisk(journal)), committer))
    }

    /// Opens a journal in memory, for simulations.
    pub fn in_memory(memory: &Memory) -> Self {
        Self(Kept::InMemory(memory.clone()))
    }

    /// Stores one event; its receipt exists only once it is on the disk.
    pub async fn append(&self, event: NewEvent) -> Result<Receipt, JournalError> {
        self.append_all(vec![event]).await?.pop().ok_or(JournalError::Closed)
    }

    /// Stores events one after the other, all of them or none.
    pub async fn append_all(&self, events: Vec<NewEvent>) -> Result<Vec<Receipt>, JournalError> {
        match &self.0 {
            Kept::OnDisk(journal) => journal.append_all(events).await,
            Kept::InMemory(memory) => memory.append_all(events).await,
        }
    }

    /// Returns events from `from` on, in order, as many as both limits allow and at least one if there
    /// is one. Only numbers that are recorded as lost are passed over. Below the oldest event kept it
    /// begins with that one.
    ///
    /// Blocks for as long as the disk takes, and while a handle is being reopened.
    pub fn read(
        &self,
        from: Seq,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Event>, JournalError> {
        match &self.0 {
            Kept::OnDisk(journal) => journal.read(from, events_max, bytes_max),
            Kept::InMemory(memory) => Ok(memory.read(from, events_max, bytes_max)),
        }
    }

    /// Returns how the journal fares.
    pub fn condition(&self) -> Condition {
        match &self.0 {
            Kept::OnDisk(journal) => journal.condition(),
            Kept::InMemory(_) => Condition::default(),
        }
    }

    /// Returns the numbers that are recorded as missing, in order.
    pub fn losses(&self) -> Vec<Loss> {
        match &self.0 {
            Kept::OnDisk(journal) => journal.losses(),
            Kept::InMemory(_) => Vec::new(),
        }
    }

    /// Returns the journal on the disk; none in a simulation.
    pub fn on_disk(&self) -> Option<&OnDisk> {
        match &self.0 {
            Kept::OnDisk(journal) => Some(journal),
            Kept::InMemory(_) => None,
        }
    }

    /// Returns the next sequence number to be written; it changes after each durable batch.
    pub fn heads(&self) -> watch::Receiver<Seq> {
        match &self.0 {
            Kept::OnDisk(journal) => journal.heads(),
            Kept::InMemory(memory) => memory.heads(),
        }
    }

    /// Says that nothing below needs to be kept; drained segments are removed soon after.
    pub fn settle(&self, below: Seq) {
        match &self.0 {
            Kept::OnDisk(journal) => journal.settle(below),
            Kept::InMemory(memory) => memory.settle(below),
        }
    }

    /// Returns how much lies in the journal.
    pub fn stats(&self) -> JournalStats {
        match &self.0 {
            Kept::OnDisk(journal) => journal.stats(),
            Kept::InMemory(memory) => memory.stats(),
        }
    }

    /// Returns the segments of a journal on disk.
    #[cfg(test)]
    pub(super) fn shelf(&self) -> &super::Shelf {
        match &self.0 {
            Kept::OnDisk(journal) => &journal.shelf,
            Kept::InMemory(_) => panic!("it lies in memory"),
        }
    }
}
