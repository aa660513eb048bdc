//! The catalogue that was read from M3, in a file of the state folder.
//!
//! Guarantees: the file is the old one or the new one, whole; one of another company or
//! division, or of a newer version of this program, is not used, and it is said why. It holds no
//! data of the customer, only M3's own words; losing it costs a reading.

use super::{Catalogue, Reading};
use crate::journal::durable;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};
use thiserror::Error;

/// The file's name below the state folder.
pub const NAME: &str = "m3-catalogue.json";
/// Version of the form that is written.
const VERSION: u32 = 1;
/// Bytes above which a file is not read.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Why there is no catalogue of M3's own. The text continues "could not use the catalogue: ".
#[derive(Debug, Error)]
pub enum CacheError {
    /// The file cannot be read or written.
    #[error("{NAME} cannot be read or written")]
    File(#[from] io::Error),
    /// The file is not ours.
    #[error("{NAME} is not understood")]
    Unreadable(#[from] serde_json::Error),
    /// A newer program wrote it.
    #[error("{NAME} has version {0}, and this program knows {VERSION}")]
    Newer(u32),
    /// It was read from another company or division.
    #[error("{NAME} was read from company {company}, division {division:?}")]
    Elsewhere {
        /// CONO.
        company: u16,
        /// DIVI.
        division: String,
    },
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
struct Stored {
    catalogue: Catalogue,
}

#[derive(Serialize)]
struct Storing<'a> {
    version: u32,
    catalogue: &'a Catalogue,
}

/// Reads the file; none if there is none.
pub fn load(
    state_dir: &Path,
    (company, division): (u16, &str),
) -> Result<Option<Catalogue>, CacheError> {
    let file = match File::open(state_dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let Version { version } = serde_json::from_str(&text)?;
    if version > VERSION {
        return Err(CacheError::Newer(version));
    }
    let Stored { catalogue } = serde_json::from_str(&text)?;
    match &catalogue.reading {
        Some(Reading { company: other, division: name, .. })
            if (*other, name.as_str()) != (company, division) =>
        {
            Err(CacheError::Elsewhere { company: *other, division: name.clone() })
        }
        Some(_) | None => Ok(Some(catalogue)),
    }
}

/// Writes the file.
pub fn store(state_dir: &Path, catalogue: &Catalogue) -> Result<(), CacheError> {
    let text = serde_json::to_vec(&Storing { version: VERSION, catalogue })?;
    Ok(durable::replace(state_dir, NAME, &text)?)
}

/// Returns the best there is: what was read over what was shipped, and why it is no more than
/// the latter when the file cannot be used.
pub fn best(state_dir: &Path, place: (u16, &str)) -> (Catalogue, Option<CacheError>) {
    let shipped = Catalogue::shipped();
    match load(state_dir, place) {
        Ok(Some(read)) => (shipped.under(read), None),
        Ok(None) => (shipped, None),
        Err(error) => (shipped, Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read() -> Catalogue {
        let reading = Reading { at_ms: 5, company: 100, division: "AAA".to_owned() };
        Catalogue { reading: Some(reading), ..Catalogue::shipped() }
    }

    #[test]
    fn what_was_read_is_there_again_and_only_for_its_company() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path(), (100, "AAA")).unwrap().is_none());
        store(folder.path(), &read()).unwrap();
        assert_eq!(load(folder.path(), (100, "AAA")).unwrap(), Some(read()));
        for place in [(200, "AAA"), (100, "")] {
            let (best, why) = best(folder.path(), place);
            assert_eq!(best, Catalogue::shipped());
            assert!(why.unwrap().to_string().contains("read from company 100"), "{place:?}");
        }
    }

    #[test]
    fn a_file_that_is_torn_or_newer_is_said_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let table = [
            ("{\"version\":1,\"catal", "is not understood"),
            ("", "is not understood"),
            ("{\"version\":2,\"catalogue\":{}}", "has version 2"),
            ("{\"version\":1}", "is not understood"),
        ];
        for (text, want) in table {
            fs::write(folder.path().join(NAME), text).unwrap();
            let (best, why) = best(folder.path(), (100, "AAA"));
            assert_eq!(best.reading, None);
            assert!(why.unwrap().to_string().contains(want), "{text}");
        }
    }
}
