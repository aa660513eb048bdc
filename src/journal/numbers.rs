//! Three small files that keep a sequence number from being used twice, whatever happens to a segment.
//!
//! - `head`: the number after the last acknowledged one. Written after each group without a sync of
//!   its own, so it is exact after a kill and never ahead; after a power cut it may be behind.
//! - `reserved`: no number from this one on was ever given out. On disk before the numbers are used.
//! - `floor`: the next event gets at least this number. Written when the end of a segment is not known.
//!
//! Guarantees: `head` ≤ what was acknowledged + 1 ≤ `reserved`. A file that is damaged counts as missing.

use super::durable;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

const HEAD: &str = "head";
const RESERVED: &str = "reserved";
const FLOOR: &str = "floor";

/// Numbers that are reserved in one go; a sync of the disk for each so many.
const RESERVE: u64 = 65_536;

/// How far to go when nothing tells what was reserved: more than one life of a disk holds.
const LEAP: u64 = 1 << 40;

/// What the files say.
#[derive(Debug)]
pub(crate) struct Numbers {
    folder: PathBuf,
    file: Option<File>,
    pub(crate) head: Option<u64>,
    pub(crate) reserved: Option<u64>,
    pub(crate) floor: u64,
}

impl Numbers {
    /// Reads the files.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: folder.to_path_buf(),
            file: None,
            head: read(&folder.join(HEAD))?,
            reserved: read(&folder.join(RESERVED))?,
            floor: read(&folder.join(FLOOR))?.unwrap_or(0),
        })
    }

    /// Returns a number that was never given out, however high `known` ones were.
    pub(crate) fn beyond(&self, known: u64) -> u64 {
        match self.reserved {
            Some(reserved) if reserved >= known => reserved,
            // The file is missing or from another journal.
            Some(_) | None => known.max(self.head.unwrap_or(0)).saturating_add(LEAP),
        }
    }

    /// Makes sure that the next event gets at least this number. Durable.
    pub(crate) fn raise_floor(&mut self, next: u64) -> io::Result<()> {
        if next > self.floor {
            durable::replace(&self.folder, FLOOR, &written(next))?;
            self.floor = next;
        }
        Ok(())
    }

    /// Makes sure that numbers up to and without `next` may be given out. Durable.
    pub(crate) fn reserve(&mut self, next: u64) -> io::Result<()> {
        if self.reserved.is_none_or(|reserved| next > reserved) {
            let reserved = next.saturating_add(RESERVE);
            durable::replace(&self.folder, RESERVED, &written(reserved))?;
            self.reserved = Some(reserved);
        }
        Ok(())
    }

    /// Notes the number after the last acknowledged one. Survives a kill, not yet a power cut.
    pub(crate) fn acknowledge(&mut self, next: u64) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(begin(&self.folder)?),
        };
        file.write_all_at(&written(next), 0)?;
        self.head = Some(next);
        Ok(())
    }

    /// Makes what was noted last survive a power cut as well.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

fn begin(folder: &Path) -> io::Result<File> {
    let path = folder.join(HEAD);
    let is_new = !path.exists();
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    if is_new {
        file.write_all_at(&written(0), 0)?;
        file.sync_all()?;
        durable::sync_folder(folder)?;
    }
    Ok(file)
}

/// A number in text of one length, with a checksum.
fn written(number: u64) -> Vec<u8> {
    let digits = format!("{number:020}");
    format!("{digits} {:08x}\n", crc32fast::hash(digits.as_bytes())).into_bytes()
}

fn read(path: &Path) -> io::Result<Option<u64>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let number = text.split_once(' ').and_then(|(digits, _)| digits.parse().ok());
            Ok(number.filter(|number| written(*number) == bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_back_and_a_damaged_file_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers = Numbers::read(folder.path()).unwrap();
        assert_eq!((numbers.head, numbers.reserved, numbers.floor), (None, None, 0));
        numbers.reserve(2).unwrap();
        numbers.acknowledge(7).unwrap();
        numbers.acknowledge(12).unwrap();
        numbers.raise_floor(9).unwrap();
        numbers.raise_floor(3).unwrap();
        let again = Numbers::read(folder.path()).unwrap();
        assert_eq!((again.head, again.reserved, again.floor), (Some(12), Some(2 + RESERVE), 9));
        assert_eq!(again.beyond(12), 2 + RESERVE);
        let head = folder.path().join(HEAD);
        let mut bytes = fs::read(&head).unwrap();
        bytes[3] = b'9';
        fs::write(&head, bytes).unwrap();
        fs::write(folder.path().join(RESERVED), b"").unwrap();
        let again = Numbers::read(folder.path()).unwrap();
        assert_eq!((again.head, again.reserved), (None, None));
        assert!(again.beyond(12) > 12 + RESERVE, "nothing tells how far it went");
    }

    #[test]
    fn numbers_are_reserved_in_large_steps() {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers = Numbers::read(folder.path()).unwrap();
        numbers.reserve(2).unwrap();
        let written = fs::read(folder.path().join(RESERVED)).unwrap();
        numbers.reserve(RESERVE).unwrap();
        assert_eq!(fs::read(folder.path().join(RESERVED)).unwrap(), written);
        numbers.reserve(RESERVE * 5).unwrap();
        assert_eq!(numbers.reserved, Some(RESERVE * 6));
    }
}
