//! Values out of a state that is in use, and into one that nobody uses yet: for back-ups.
//!
//! Guarantees: all values come from one moment; a state that is built is on the disk when `finish`
//! returns, and its next epoch was never used.

use super::{
    OnDisk, Pair, StateError, generation,
    live::{self, Handle},
    row,
    writer::{EPOCH, EPOCH_LEAP},
};
use crate::{
    clock,
    journal::{StoreError, durable, rows::Row, store::Store},
};
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Values are taken in portions of about this size.
const PORTION_BYTES_MAX: usize = 512 * 1024;
/// A handle is reopened after so much, which bounds its memory.
const HANDLE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Starts that a second of the clock is worth, for an epoch that no restored state had before.
const STARTS_PER_SECOND: u64 = 1_024;

impl OnDisk {
    /// Shows every key with its value, in order. Blocks, and holds up commits meanwhile.
    pub fn copy_out<E: From<StateError>>(
        &self,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut handle = self.live.handle();
        let mut start = row::all_values().start;
        loop {
            let store = handle.store()?.clone();
            let portion = portion(&store, start).map_err(StateError::from)?;
            let Some((last, _)) = portion.last() else { return Ok(()) };
            start = [last.as_slice(), &[0]].concat();
            for (head_key, head) in &portion {
                let Some(key) = row::key_of(head_key) else { continue };
                visit(key, &live::whole(&store, key, head)?)?;
            }
            if store.touched_bytes() > HANDLE_BYTES_MAX {
                let place = store.folder().to_path_buf();
                drop(store);
                *handle = Handle::Broken;
                *handle = Handle::Open(Store::open(&place).map_err(StateError::from)?);
            }
        }
    }
}

fn portion(store: &Store, start: Vec<u8>) -> Result<Vec<Pair>, StoreError> {
    let mut rows = Vec::new();
    let mut bytes: usize = 0;
    store.scan(start..row::all_values().end, |key, head| {
        bytes = bytes.saturating_add(key.len()).saturating_add(row::length(head).unwrap_or(0));
        rows.push((key.to_vec(), head.to_vec()));
        if bytes < PORTION_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(rows)
}

/// A state that is being built.
#[derive(Debug)]
pub struct Builder {
    folder: PathBuf,
    store: Store,
    portion: Vec<Row>,
    portion_bytes: usize,
}

impl Builder {
    /// Begins in a folder that is not there yet.
    pub fn new(folder: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(folder).map_err(StoreError::io("create the state's folder"))?;
        let store = Store::create(folder, &generation::name(1))?;
        Ok(Self { folder: folder.to_path_buf(), store, portion: Vec::new(), portion_bytes: 0 })
    }

    /// Adds a value.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        let changes = row::changes(key, Some(value), None).into_iter();
        let put = changes.filter_map(|(key, value)| value.map(|value| Row::Put(key, value)));
        self.portion.extend(put);
        self.portion_bytes =
            self.portion_bytes.saturating_add(key.len()).saturating_add(value.len());
        if self.portion_bytes > PORTION_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    /// Ends the state. `epoch` is the one of the back-up; the next start gets one far beyond it, and
    /// beyond what any state that was restored earlier can have come to.
    pub fn finish(mut self, epoch: u64) -> Result<(), StateError> {
        let seconds = clock::now().unix_ms() / 1_000;
        let epoch = epoch.saturating_add(EPOCH_LEAP).max(seconds.saturating_mul(STARTS_PER_SECOND));
        self.portion.push(Row::Put(row::note_key(EPOCH), epoch.to_be_bytes().to_vec()));
        self.flush()?;
        generation::switch(&self.folder, 1)?;
        durable::sync_folder(&self.folder).map_err(StoreError::io("sync the state's folder"))?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StateError> {
        self.portion_bytes = 0;
        self.store.apply(std::mem::take(&mut self.portion))?;
        self.store.sync()?;
        if self.store.touched_bytes() > HANDLE_BYTES_MAX {
            self.store.reopen()?;
        }
        Ok(())
    }
}
