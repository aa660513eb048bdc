//! The reference: a segmented log that is only ever appended to. One write and one `fdatasync` for each
//! group; nothing less could promise the same.

use crate::{
    disk::{Disk, PORTION},
    gauge::Fault,
};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

/// As large as a segment of the journal.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The log; records are framed by number and length.
pub(crate) struct RawLog {
    folder: PathBuf,
    file: Option<File>,
    bytes: u64,
    buffer: Vec<u8>,
    /// What was read of the oldest segment and not yet taken.
    read: VecDeque<(u64, Vec<u8>)>,
    reading: Option<PathBuf>,
}

impl RawLog {
    fn begin(&mut self, first: u64) -> Result<(), Fault> {
        let file = File::create_new(self.folder.join(format!("{first:020}")))?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        self.file = Some(file);
        self.bytes = 0;
        Ok(())
    }

    /// Removes the segment that was read, and reads the next.
    fn turn(&mut self) -> Result<(), Fault> {
        if let Some(path) = self.reading.take() {
            fs::remove_file(path)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            paths.push(entry?.path());
        }
        let Some(path) = paths.into_iter().min() else { return Ok(()) };
        let mut bytes = Vec::new();
        File::open(&path)?.read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        while let Some((number, after)) = rest.split_first_chunk::<8>() {
            let (length, after) = after.split_first_chunk::<4>().ok_or("cut short")?;
            let length = usize::try_from(u32::from_le_bytes(*length))?;
            let (record, after) = after.split_at_checked(length).ok_or("cut short")?;
            self.read.push_back((u64::from_le_bytes(*number), record.to_vec()));
            rest = after;
        }
        self.reading = Some(path);
        Ok(())
    }
}

impl Disk for RawLog {
    fn open(folder: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            file: None,
            bytes: 0,
            buffer: Vec::new(),
            read: VecDeque::new(),
            reading: None,
        })
    }

    fn write(&mut self, first: u64, records: &[Vec<u8>]) -> Result<(), Fault> {
        if self.file.is_none() || self.bytes >= SEGMENT_BYTES_MAX {
            self.begin(first)?;
        }
        self.buffer.clear();
        for (number, record) in (first..).zip(records) {
            self.buffer.extend(number.to_le_bytes());
            self.buffer.extend(u32::try_from(record.len())?.to_le_bytes());
            self.buffer.extend_from_slice(record);
        }
        let file = self.file.as_mut().ok_or("no segment is open")?;
        file.write_all(&self.buffer)?;
        file.sync_data()?;
        self.bytes = self.bytes.saturating_add(u64::try_from(self.buffer.len())?);
        Ok(())
    }

    fn take(&mut self) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        if self.read.is_empty() {
            self.turn()?;
        }
        let count = self.read.len().min(PORTION);
        Ok(self.read.drain(..count).collect())
    }
}
