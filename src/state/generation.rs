//! The generations of the state's database: which one counts, and how the next one takes over.
//!
//! Guarantees: `CURRENT` always names a database that is whole; when power fails between two steps of
//! a succession, either the old or the new generation counts, with the same rows.

use super::StateError;
use crate::journal::{
    StoreError, durable,
    store::{Row, Store},
};
use std::{fs, io, ops::ControlFlow, path::Path};

const CURRENT: &str = "CURRENT";

/// Rows are copied in portions of about this size, and of at most so many rows: within one batch sled
/// keeps every page that each row replaced.
const PORTION_BYTES_MAX: usize = 64 * 1024;
const PORTION_ROWS_MAX: usize = 64;

/// A handle through which this much was copied is opened again: sled keeps in memory what it wrote.
const HANDLE_BYTES_MAX: u64 = 512 * 1024;

/// Opens the generation that counts, or the first; removes all others.
pub(crate) fn open(folder: &Path) -> Result<(u64, Store), StateError> {
    durable::sweep(folder).map_err(StoreError::io("sweep the state's folder"))?;
    let Some(generation) = read_current(folder)? else {
        remove_others(folder, 0).map_err(StoreError::io("remove an old generation"))?;
        let store = Store::create(folder, &name(1))?;
        switch(folder, 1)?;
        return Ok((1, store));
    };
    let place = folder.join(name(generation));
    if !place.join("db").exists() {
        return Err(StateError::Unreadable { path: place, what: "counts but is not there" });
    }
    remove_others(folder, generation).map_err(StoreError::io("remove an old generation"))?;
    Ok((generation, Store::open(&place)?))
}

/// Copies every row into a new generation, durably. It does not count yet.
///
/// `from` gives the handle to read through; it is asked before each portion, so that its owner can
/// give back the memory of a worn one.
pub(crate) fn copy(
    folder: &Path,
    generation: u64,
    mut from: impl FnMut() -> Result<Store, StateError>,
) -> Result<Store, StateError> {
    let place = name(generation);
    if folder.join(&place).exists() {
        durable::remove(folder, &place).map_err(StoreError::io("remove a failed generation"))?;
    }
    let mut to = Store::create(folder, &place)?;
    let mut start = Vec::new();
    loop {
        let rows = portion(&from()?, start)?;
        let Some(Row::Put(last, _)) = rows.last() else { break };
        start = [last.as_slice(), &[0]].concat();
        to.apply(rows)?;
        if to.touched_bytes() > HANDLE_BYTES_MAX {
            to.reopen()?;
        }
    }
    to.sync()?;
    Ok(to)
}

/// Makes a generation the one that counts.
pub(crate) fn switch(folder: &Path, generation: u64) -> Result<(), StoreError> {
    let text = format!("{}\n", name(generation));
    durable::replace(folder, CURRENT, text.as_bytes()).map_err(StoreError::io("switch generations"))
}

/// Removes a generation that no longer counts.
pub(crate) fn remove(folder: &Path, generation: u64) -> Result<(), StoreError> {
    durable::remove(folder, &name(generation)).map_err(StoreError::io("remove an old generation"))
}

/// Returns the folder's name of a generation.
pub(crate) fn name(generation: u64) -> String {
    format!("{generation:010}")
}

fn portion(from: &Store, start: Vec<u8>) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    let mut bytes: usize = 0;
    from.scan(start..vec![u8::MAX], |key, value| {
        bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
        rows.push(Row::Put(key.to_vec(), value.to_vec()));
        let is_full = bytes >= PORTION_BYTES_MAX || rows.len() >= PORTION_ROWS_MAX;
        if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(rows)
}

fn read_current(folder: &Path) -> Result<Option<u64>, StateError> {
    let path = folder.join(CURRENT);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(StoreError::io("read which generation counts"))?,
    };
    let generation = text.trim_end().parse().ok();
    generation.map(Some).ok_or(StateError::Unreadable { path, what: "is damaged" })
}

fn remove_others(folder: &Path, generation: u64) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file_name = entry?.file_name();
        let Some(text) = file_name.to_str() else { continue };
        let is_generation = text.parse::<u64>().is_ok_and(|number| name(number) == text);
        if is_generation && text != name(generation) {
            durable::remove(folder, text)?;
        }
    }
    Ok(())
}
