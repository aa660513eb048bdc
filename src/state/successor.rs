//! The next generation of the state, while it is filled beside the one that counts.
//!
//! Guarantees: once all is copied it has the rows of the one that counts, whatever was written
//! meanwhile; it is on the disk before it takes over; it takes as much memory as one portion and one
//! handle, however much lives. Until it takes over it means nothing: the next start removes it.

use super::{StateError, generation};
use crate::{
    failpoint,
    journal::{StoreError, durable, rows::Row, store::Store},
};
use std::{ops::ControlFlow, path::Path};

/// Rows are copied in portions of about this size, and of at most so many rows: within one batch sled
/// keeps every page that each row replaced.
const PORTION_BYTES_MAX: usize = 64 * 1024;
const PORTION_ROWS_MAX: usize = 64;

/// A handle through which this much was copied is opened again: sled keeps in memory what it wrote.
const HANDLE_BYTES_MAX: u64 = 512 * 1024;

/// The generation to be.
#[derive(Debug)]
pub(crate) struct Successor {
    generation: u64,
    to: Store,
    /// Every row before this one is copied.
    start: Vec<u8>,
}

/// How far a step has come.
#[derive(Debug)]
pub(crate) enum Copied {
    /// So many bytes more.
    Part(usize),
    All,
}

impl Successor {
    /// Begins with nothing.
    pub(crate) fn begin(folder: &Path, generation: u64) -> Result<Self, StateError> {
        let place = generation::name(generation);
        if folder.join(&place).exists() {
            durable::remove(folder, &place)
                .map_err(StoreError::io("remove a failed generation"))?;
        }
        let to = Store::create(folder, &place)?;
        Ok(Self { generation, to, start: Vec::new() })
    }

    /// Copies one more portion of what counts.
    pub(crate) fn step(&mut self, from: &Store) -> Result<Copied, StateError> {
        let (rows, bytes) = portion(from, &self.start)?;
        let Some(Row::Put(last, _)) = rows.last() else { return Ok(Copied::All) };
        self.start = [last.as_slice(), &[0]].concat();
        self.write(rows)?;
        Ok(Copied::Part(bytes))
    }

    /// Returns which of these rows lie in the part that is copied already.
    pub(crate) fn behind(&self, rows: &[Row]) -> Vec<Row> {
        let is_behind = |row: &&Row| match row {
            Row::Put(key, _) | Row::Delete(key) => *key < self.start,
        };
        rows.iter().filter(is_behind).cloned().collect()
    }

    /// Brings along what was written behind the copying.
    pub(crate) fn follow(&mut self, rows: Vec<Row>) -> Result<(), StateError> {
        if rows.is_empty() { Ok(()) } else { self.write(rows) }
    }

    /// Returns it, on the disk, to take over. To be called when all is copied.
    pub(crate) fn finish(self) -> Result<(u64, Store), StateError> {
        self.to.sync()?;
        failpoint::pass("state.compact.copied");
        Ok((self.generation, self.to))
    }

    /// Gives up; what was copied is removed.
    pub(crate) fn give_up(self, folder: &Path) {
        let Self { generation, to, start: _ } = self;
        drop(to);
        if let Err(error) = generation::remove(folder, generation) {
            tracing::warn!(%error, generation, "an unfinished copy of the state stays until the next start");
        }
    }

    fn write(&mut self, rows: Vec<Row>) -> Result<(), StateError> {
        self.to.apply(rows)?;
        if self.to.touched_bytes() > HANDLE_BYTES_MAX {
            self.to.reopen()?;
        }
        Ok(())
    }
}

/// Copies every row into a new generation in one go. It does not count yet.
///
/// `from` gives the handle to read through; it is asked before each portion, so that its owner can
/// give back the memory of a worn one.
pub(crate) fn copy_whole(
    folder: &Path,
    generation: u64,
    mut from: impl FnMut() -> Result<Store, StateError>,
) -> Result<Successor, StateError> {
    let mut successor = Successor::begin(folder, generation)?;
    while let Copied::Part(_) = successor.step(&from()?)? {}
    Ok(successor)
}

fn portion(from: &Store, start: &[u8]) -> Result<(Vec<Row>, usize), StoreError> {
    let mut rows = Vec::new();
    let mut bytes: usize = 0;
    from.scan(start.to_vec()..vec![u8::MAX], |key, value| {
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        rows.push(Row::Put(key.to_vec(), value.to_vec()));
        let is_full = bytes >= PORTION_BYTES_MAX || rows.len() >= PORTION_ROWS_MAX;
        if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok((rows, bytes))
}
