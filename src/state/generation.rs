//! The generations of the state's database: which one counts, and how the next one takes over.
//!
//! Guarantees: `CURRENT` always names a database that is whole; when power fails between two steps of
//! a succession, either the old or the new generation counts, with the same rows.

use super::StateError;
use crate::journal::{StoreError, durable, rows::Row, store::Store};
use std::{fs, io, ops::ControlFlow, path::Path};

const CURRENT: &str = "CURRENT";

/// Rows are copied in portions of about this size, and of at most so many rows: within one batch sled
/// keeps every page that each row replaced.
const PORTION_BYTES_MAX: usize = 64 * 1024;
const PORTION_ROWS_MAX: usize = 64;

/// A handle through which this much was copied is opened again: sled keeps in memory what it wrote.
const HANDLE_BYTES_MAX: u64 = 512 * 1024;

/// Returns the generation that counts, if there is any; removes all others.
pub(crate) fn find(folder: &Path) -> Result<Option<u64>, StateError> {
    durable::sweep(folder).map_err(StoreError::io("sweep the state's folder"))?;
    let there = list(folder).map_err(StoreError::io("list the generations"))?;
    let counts = match read_current(folder)? {
        Some(generation) => Some(generation),
        // It was lost, or never written: the oldest is whole, whatever was under way.
        None => there.iter().min().copied(),
    };
    if let Some(counts) = counts {
        // Where it lies in quarantine, none of the others is known to be whole.
        let is_there = there.contains(&counts);
        for other in there.into_iter().filter(|other| is_there && *other != counts) {
            remove(folder, other)?;
        }
    }
    Ok(counts)
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

/// Returns which generation counts; `None` if the file is missing or damaged.
fn read_current(folder: &Path) -> Result<Option<u64>, StateError> {
    match fs::read_to_string(folder.join(CURRENT)) {
        Ok(text) => Ok(text.trim_end().parse().ok()),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) =>
        {
            Ok(None)
        }
        Err(error) => Err(StoreError::io("read which generation counts")(error).into()),
    }
}

fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file_name = entry?.file_name();
        let number = file_name.to_str().and_then(|text| text.parse().ok());
        found.extend(number.filter(|number| *name(*number) == *file_name));
    }
    Ok(found)
}
