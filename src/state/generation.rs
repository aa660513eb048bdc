//! The generations of the state's database: which one counts, and how the next one takes over.
//!
//! Guarantees: `CURRENT` always names a database that is whole; when power fails between two steps of
//! a succession, either the old or the new generation counts, with the same rows.

use super::StateError;
use crate::journal::{StoreError, durable};
use std::{fs, io, path::Path};

const CURRENT: &str = "CURRENT";

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

/// Makes a generation the one that counts.
pub(crate) fn switch(folder: &Path, generation: u64) -> Result<(), StoreError> {
    let text = format!("{}\n", name(generation));
    durable::replace(folder, CURRENT, text.as_bytes()).map_err(StoreError::io("switch generations"))
}

/// Removes a generation that no longer counts.
pub(crate) fn remove(folder: &Path, generation: u64) -> Result<(), StoreError> {
    durable::remove(folder, &name(generation)).map_err(StoreError::io("remove an old generation"))
}

/// Removes what neither counts for the writer nor, as it may be after a failed switch, on the disk.
pub(crate) fn clear(folder: &Path, counts: u64) -> Result<(), StateError> {
    let named = read_current(folder)?;
    for other in list(folder).map_err(StoreError::io("list the generations"))? {
        if other != counts && Some(other) != named {
            remove(folder, other)?;
        }
    }
    Ok(())
}

/// Returns the folder's name of a generation.
pub(crate) fn name(generation: u64) -> String {
    format!("{generation:010}")
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
