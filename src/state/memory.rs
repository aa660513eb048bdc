//! The state in memory, for simulations. It survives for as long as a clone of it does.
//!
//! Guarantees: those of the state on disk, as far as the simulated disk lets it.

use super::{
    Batch, Epoch, Pair, StateError,
    group::{Declined, Group},
};
use crate::{
    journal::StoreError,
    rehearsal::{Disk, Verdict, When},
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Rows in memory; clones are the same rows.
#[derive(Clone, Debug)]
pub struct Memory {
    rows: Arc<Mutex<Rows>>,
    disk: Arc<dyn Disk>,
}

#[derive(Debug, Default)]
struct Rows {
    epoch: u64,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Memory {
    /// Starts with no rows.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { rows: Arc::default(), disk }
    }

    /// Raises the epoch, as a start of the gateway does.
    pub(super) fn open(&self) -> Epoch {
        let mut rows = self.rows();
        rows.epoch = rows.epoch.saturating_add(1);
        Epoch(rows.epoch)
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.rows().values.get(key).cloned()
    }

    /// Returns keys and values of a range, in order, at most `rows_max`.
    pub fn scan(&self, range: Range<Vec<u8>>, rows_max: usize) -> Vec<Pair> {
        if range.start >= range.end {
            return Vec::new();
        }
        let rows = self.rows();
        let found = rows.values.range(range).take(rows_max);
        found.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(super) async fn commit(&self, batch: Batch, epoch: Epoch) -> Result<(), StateError> {
        if self.ask(When::Before).await? == Verdict::Lie {
            return Ok(());
        }
        self.apply(batch, epoch)?;
        self.ask(When::After).await.map(|_| ())
    }

    fn apply(&self, batch: Batch, epoch: Epoch) -> Result<(), StateError> {
        let mut rows = self.rows();
        if rows.epoch != epoch.0 {
            return Err(StateError::Superseded);
        }
        let mut group = Group::default();
        let admitted = group.admit(batch, |key| Ok(rows.values.get(key).cloned()));
        admitted.map_err(|declined: Declined<Infallible>| match declined {
            Declined::Conflict(key) => StateError::Conflict { key },
            Declined::Unread(never) => match never {},
        })?;
        for (key, value) in group.into_changes() {
            match value {
                Some(value) => rows.values.insert(key, value),
                None => rows.values.remove(&key),
            };
        }
        Ok(())
    }

    async fn ask(&self, when: When) -> Result<Verdict, StateError> {
        match self.disk.at(when).await {
            Verdict::Fail => Err(StoreError::Fell { doing: "write a batch" }.into()),
            verdict @ (Verdict::Go | Verdict::Lie) => Ok(verdict),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
