//! A file that holds room on the volume, to be given back when there is none.
//!
//! Guarantees: its blocks are real ones; giving it back takes no room itself; it is made again only
//! when that leaves enough.

use crate::{
    clock,
    journal::durable::{self, UNFINISHED},
};
use rustix::fs::{FallocateFlags, fallocate};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const NAME: &str = "ballast";
/// Written at once where the volume cannot reserve blocks.
const PIECE_BYTES: usize = 64 * 1024;
/// After a failure it is not tried again for so long.
const PAUSE: Duration = Duration::from_mins(1);

/// The file.
#[derive(Debug)]
pub(crate) struct Ballast {
    folder: PathBuf,
    bytes: u64,
    again: Option<Instant>,
}

impl Ballast {
    /// Knows a file of `bytes` in `folder`; 0 means none.
    pub(crate) fn new(folder: &Path, bytes: u64) -> Self {
        Self { folder: folder.to_path_buf(), bytes, again: None }
    }

    /// Gives the room back; says whether there was any.
    pub(crate) fn release(&self) -> bool {
        release(&self.folder)
    }

    /// Makes the file where it is not, if the volume has room for it beyond `free_bytes_min`.
    pub(crate) fn keep(&mut self, free_bytes_min: u64) {
        if self.bytes == 0 || self.is_held() {
            return;
        }
        let now = clock::now().mono;
        if self.again.is_some_and(|again| now < again) {
            return;
        }
        let wanted = free_bytes_min.saturating_add(self.bytes.saturating_mul(2));
        let has_room = durable::free_bytes(&self.folder).is_ok_and(|free| free >= wanted);
        if has_room && self.make().is_ok() {
            self.again = None;
        } else {
            self.again = now.checked_add(PAUSE);
        }
    }

    fn is_held(&self) -> bool {
        fs::metadata(self.folder.join(NAME)).is_ok_and(|metadata| metadata.len() >= self.bytes)
    }

    fn make(&self) -> io::Result<()> {
        let unfinished = format!("{UNFINISHED}{NAME}");
        let path = self.folder.join(&unfinished);
        let made = fill(&path, self.bytes);
        if made.is_err() {
            // Half a ballast would only take room.
            let _ = fs::remove_file(&path);
        }
        made?;
        durable::publish(&self.folder, &unfinished, NAME)
    }
}

/// Gives the room of the ballast in `folder` back; says whether there was any.
pub(crate) fn release(folder: &Path) -> bool {
    let path = folder.join(NAME);
    let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let released = fs::remove_file(&path).is_ok();
    if released {
        // The blocks are free when the removal is on the disk; until then this helps already.
        let _ = durable::sync_folder(folder);
        tracing::warn!(bytes, "the volume is full; the ballast was given back to finish work");
    }
    released
}

fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    if fallocate(&file, FallocateFlags::empty(), 0, bytes).is_err() {
        let piece = vec![0; PIECE_BYTES];
        let pieces = bytes.div_ceil(u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX));
        for _ in 0..pieces {
            file.write_all(&piece)?;
        }
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn the_ballast_takes_real_blocks_and_gives_them_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut ballast = Ballast::new(folder.path(), 300_000);
        ballast.keep(0);
        let metadata = fs::metadata(folder.path().join(NAME)).unwrap();
        assert!(metadata.len() >= 300_000);
        assert!(metadata.blocks() * 512 >= 300_000, "{} blocks", metadata.blocks());
        assert!(ballast.release());
        assert!(!ballast.release());
        ballast.keep(u64::MAX / 4);
        assert!(!ballast.is_held(), "it is not made where room is scarce");
    }
}
