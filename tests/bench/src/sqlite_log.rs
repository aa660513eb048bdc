//! `SQLite` with a write-ahead log and `synchronous = FULL`: one transaction for each group.

use crate::{
    disk::{Disk, PORTION},
    gauge::Fault,
};
use rusqlite::{Connection, params};
use std::{fs, path::Path};

/// A database of `SQLite`.
pub(crate) struct SqliteLog(Connection);

impl Disk for SqliteLog {
    fn open(folder: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        let connection = Connection::open(folder.join("events.sqlite"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, record BLOB NOT NULL)",
        )?;
        Ok(Self(connection))
    }

    fn write(&mut self, first: u64, records: &[Vec<u8>]) -> Result<(), Fault> {
        let group = self.0.transaction()?;
        {
            let mut insert =
                group.prepare_cached("INSERT INTO events (number, record) VALUES (?1, ?2)")?;
            for (number, record) in (first..).zip(records) {
                insert.execute(params![i64::try_from(number)?, record])?;
            }
        }
        Ok(group.commit()?)
    }

    fn take(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        let group = self.0.transaction()?;
        let mut taken = Vec::new();
        {
            let mut oldest = group
                .prepare_cached("SELECT number, record FROM events ORDER BY number LIMIT ?1")?;
            let mut rows = oldest.query(params![i64::try_from(PORTION)?])?;
            while let Some(row) = rows.next()? {
                taken.push((u64::try_from(row.get::<_, i64>(0)?)?, row.get(1)?));
            }
            if let Some((last, _)) = taken.last() {
                let mut remove = group.prepare_cached("DELETE FROM events WHERE number <= ?1")?;
                remove.execute(params![i64::try_from(*last)?])?;
            }
        }
        group.commit()?;
        Ok(taken)
    }
}
