//! redb: one transaction for each group, durable at its commit.

use crate::{
    disk::{Disk, PORTION},
    gauge::Fault,
};
use redb::{Database, Durability, ReadableTable as _, TableDefinition};
use std::{fs, path::Path};

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

/// A database of redb.
pub(crate) struct RedbLog(Database);

impl Disk for RedbLog {
    fn open(folder: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        Ok(Self(Database::create(folder.join("events.redb"))?))
    }

    fn write(&mut self, first: u64, records: &[Vec<u8>]) -> Result<(), Fault> {
        let mut group = self.0.begin_write()?;
        group.set_durability(Durability::Immediate)?;
        {
            let mut table = group.open_table(EVENTS)?;
            for (number, record) in (first..).zip(records) {
                table.insert(number, record.as_slice())?;
            }
        }
        Ok(group.commit()?)
    }

    fn take(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        let group = self.0.begin_write()?;
        let mut taken = Vec::new();
        {
            let mut table = group.open_table(EVENTS)?;
            for row in table.range::<u64>(..)?.take(PORTION) {
                let (number, record) = row?;
                taken.push((number.value(), record.value().to_vec()));
            }
            for (number, _) in &taken {
                table.remove(number)?;
            }
        }
        group.commit()?;
        Ok(taken)
    }
}
