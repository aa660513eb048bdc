//! fjall: one batch for each group, then `fdatasync` of its journal.

use crate::{
    disk::{Disk, PORTION},
    gauge::Fault,
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::{fs, path::Path};

/// A database of fjall.
pub(crate) struct FjallLog {
    database: Database,
    events: Keyspace,
}

impl Disk for FjallLog {
    fn open(folder: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        let database = Database::builder(folder).open()?;
        let events = database.keyspace("events", KeyspaceCreateOptions::default)?;
        Ok(Self { database, events })
    }

    fn write(&mut self, first: u64, records: &[Vec<u8>]) -> Result<(), Fault> {
        let mut group = self.database.batch();
        for (number, record) in (first..).zip(records) {
            group.insert(&self.events, number.to_be_bytes(), record.as_slice());
        }
        group.commit()?;
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn take(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        let mut taken = Vec::new();
        let mut group = self.database.batch();
        for row in self.events.iter().take(PORTION) {
            let (key, record) = row.into_inner()?;
            group.remove(&self.events, key.to_vec());
            let number = <[u8; 8]>::try_from(key.as_ref())?;
            taken.push((u64::from_be_bytes(number), record.to_vec()));
        }
        group.commit()?;
        self.database.persist(PersistMode::SyncData)?;
        Ok(taken)
    }
}
