//! Files and folders that are there after a power cut, or were never there.
//!
//! Guarantees: when a function here returns, what it did has reached the disk; when power fails
//! before, a file is the old one or the new one, whole.

use crate::failpoint::{self, Plant};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::Path,
};

const LOCK: &str = "lock";

/// Begins the name of a folder that is being built; such a folder is removed at start.
pub(crate) const UNFINISHED: &str = "new-";

/// Begins the name of a folder that is being removed; such a folder is removed at start.
pub(crate) const DRAINED: &str = "drained-";

/// Takes the folder for this process while the file is open; `None` if another has it.
pub(crate) fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Replaces the file `name` in `folder`.
pub(crate) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{UNFINISHED}{name}"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    failpoint::pass("durable.replace.written");
    file.sync_all()?;
    failpoint::pass("durable.replace.synced");
    fs::rename(&temporary, folder.join(name))?;
    failpoint::pass("durable.replace.renamed");
    sync_folder(folder)
}

/// Syncs the entries of a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if failpoint::planted(Plant::NoSync) {
        return Ok(());
    }
    File::open(folder)?.sync_all()
}

/// Gives a finished folder its name.
pub(crate) fn publish(parent: &Path, unfinished: &str, name: &str) -> io::Result<()> {
    failpoint::pass("durable.publish.before");
    fs::rename(parent.join(unfinished), parent.join(name))?;
    failpoint::pass("durable.publish.renamed");
    sync_folder(parent)
}

/// Removes a folder so that it is never seen half removed; what is left of it goes at the next start.
pub(crate) fn remove(parent: &Path, name: &str) -> io::Result<()> {
    let drained = parent.join(format!("{DRAINED}{name}"));
    if drained.exists() {
        fs::remove_dir_all(&drained)?;
    }
    failpoint::pass("durable.remove.before");
    fs::rename(parent.join(name), &drained)?;
    failpoint::pass("durable.remove.renamed");
    sync_folder(parent)?;
    failpoint::pass("durable.remove.synced");
    let _ = fs::remove_dir_all(&drained);
    failpoint::pass("durable.remove.done");
    Ok(())
}

/// Removes what an interrupted run left unfinished, files and folders.
pub(crate) fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(UNFINISHED) && !name.starts_with(DRAINED) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what an interrupted opening of a database left; the store would take it for a snapshot.
pub(crate) fn clear_generating(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns the bytes an ordinary user may still write to the volume.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let volume = rustix::fs::statvfs(folder)?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}
