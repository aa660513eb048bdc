//! One small sled database. The only file that names sled.
//!
//! Guarantees: after `sync` everything applied before is on the disk, also after a power cut; a
//! database that was created is there whole or not at all; no value is long enough to leave the log
//! (docs/adr/0001-sled.md has the measurements behind each call).
//! It does not guarantee to stay usable after an error: then drop it and open another.

mod error;
mod watch;

pub use self::error::StoreError;
use self::watch::{Sleeper, watched};
use super::{
    durable,
    rows::{Pair, Row, VALUE_BYTES_MAX},
};
use crate::failpoint::{self, Plant};
use std::{
    fs::{self, File},
    io,
    ops::{ControlFlow, Range},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// The longest key: with the longest value it keeps a leaf of 20 entries below the blob limit.
pub(crate) const KEY_BYTES_MAX: usize = 300;

/// What sled is told; the memory of a handle is bounded by reopening it, not by this.
const CACHE_BYTES_MAX: u64 = 1024 * 1024;

/// A dropped handle lets go of its lock when sled's own threads have finished with it.
const LOCK_TRIES_MAX: u32 = 400;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A handle to one database; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// Here until the handle is dropped.
    db: Option<Arc<Base>>,
    file: Arc<File>,
    folder: PathBuf,
    touched_bytes: Arc<AtomicU64>,
    #[cfg(test)]
    broken: Arc<std::sync::atomic::AtomicBool>,
}

/// What sled holds of a database.
#[derive(Debug)]
struct Base {
    db: sled::Db,
    config: sled::Config,
}

/// A call that waits for a write is not told when the write fails in one of sled 0.34's two places
/// that write (`Log::exit_reservation`): it learns of it from the next call that comes by.
impl Sleeper for Base {
    fn wake(&self) {
        if self.config.global_error().is_err() {
            // It returns at once, and tells those that wait.
            let _ = catch_unwind(AssertUnwindSafe(|| self.db.flush()));
        }
    }
}

impl Store {
    /// Creates the database `name` in `parent`, durably, and opens it.
    pub(crate) fn create(parent: &Path, name: &str) -> Result<Self, StoreError> {
        Self::prepare(parent, name)?.publish(name)
    }

    /// Creates a database in `parent` that has no name yet; what is left of it goes at the next start.
    pub(crate) fn prepare(parent: &Path, draft: &str) -> Result<Self, StoreError> {
        let folder = parent.join(format!("{}{draft}", durable::UNFINISHED));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(StoreError::io("remove an unfinished database"))?;
        }
        failpoint::pass("store.create.before");
        let store = Self::open_new(&folder)?;
        failpoint::pass("store.create.opened");
        Self::settle(&folder)?;
        Ok(store)
    }

    /// Gives a prepared database its name, durably.
    ///
    /// sled asks for the place of its files only while it opens a database.
    pub(crate) fn publish(mut self, name: &str) -> Result<Self, StoreError> {
        let doing = "name a database";
        let no_name = || StoreError::io(doing)(io::ErrorKind::InvalidInput.into());
        let (parent, draft) =
            self.folder.parent().zip(self.folder.file_name()).ok_or_else(no_name)?;
        let draft = draft.to_str().ok_or_else(no_name)?;
        durable::publish(parent, draft, name).map_err(StoreError::io(doing))?;
        self.folder = parent.join(name);
        Ok(self)
    }

    /// Syncs everything a closed database consists of.
    pub(crate) fn settle(folder: &Path) -> Result<(), StoreError> {
        for part in ["conf", "db", "blobs", ""] {
            durable::sync_folder(&folder.join(part)).map_err(StoreError::io("sync a database"))?;
        }
        Ok(())
    }

    /// Opens a database that is there.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        // sled would begin an empty one.
        if !folder.join("db").exists() || !folder.join("conf").exists() {
            return Err(StoreError::Gone);
        }
        Self::open_new(folder)
    }

    /// Opens a database, or begins one that nobody relies on yet.
    pub(crate) fn open_new(folder: &Path) -> Result<Self, StoreError> {
        durable::clear_generating(folder).map_err(StoreError::io("clear a snapshot"))?;
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES_MAX)
            .mode(sled::Mode::LowSpace)
            .use_compression(false)
            .flush_every_ms(None);
        let mut tries: u32 = 0;
        let db = loop {
            match caught("open a database", || config.open()) {
                Err(StoreError::Locked) if tries < LOCK_TRIES_MAX => {
                    tries = tries.saturating_add(1);
                }
                opened => break opened?,
            }
            thread::sleep(LOCK_PAUSE);
        };
        // Opening may have replaced the snapshot, and a missing one loses data in silence.
        durable::sync_folder(folder).map_err(StoreError::io("sync a database"))?;
        let file = File::open(folder.join("db")).map_err(StoreError::io("open a database"))?;
        warn_of_blobs(folder);
        Ok(Self {
            db: Some(Arc::new(Base { db, config })),
            file: Arc::new(file),
            folder: folder.to_path_buf(),
            touched_bytes: Arc::default(),
            #[cfg(test)]
            broken: Arc::default(),
        })
    }

    /// Applies rows, all or none; they are on disk after the next [`Store::sync`].
    pub(crate) fn apply(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let mut bytes: usize = 0;
        for row in rows {
            let (key, value) = match row {
                Row::Put(key, value) => (key, Some(value)),
                Row::Delete(key) => (key, None),
            };
            let value_bytes = value.as_ref().map_or(0, Vec::len);
            if key.len() > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
                return Err(StoreError::RowTooLong);
            }
            bytes = bytes.saturating_add(key.len()).saturating_add(value_bytes);
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.touch(bytes);
        let db = self.db()?;
        failpoint::pass("store.apply.before");
        guard("write a batch", db, |db| db.apply_batch(batch))?;
        failpoint::pass("store.apply.after");
        Ok(())
    }

    /// Waits until everything applied is on the disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        #[cfg(test)]
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Fell { doing: "sync a batch" });
        }
        let db = self.db()?;
        if failpoint::planted(Plant::NoFlush) {
            return Ok(());
        }
        guard("write a batch", db, |db| db.flush())?;
        failpoint::pass("store.sync.flushed");
        if failpoint::planted(Plant::NoSync) {
            return Ok(());
        }
        self.file.sync_data().map_err(StoreError::io("sync a batch"))?;
        failpoint::pass("store.sync.done");
        Ok(())
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let db = self.db()?;
        let value = guard("read a row", db, |db| db.get(key))?;
        let value = value.map(|value| value.to_vec());
        self.touch(value.as_ref().map_or(0, Vec::len));
        Ok(value)
    }

    /// Shows the rows of a range, in order, until `visit` breaks.
    pub(crate) fn scan(
        &self,
        range: Range<Vec<u8>>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        if range.start >= range.end {
            return Ok(());
        }
        let db = self.db()?;
        let mut rows = db.db.range(range);
        while let Some((key, value)) = guard("read a row", db, |_| rows.next().transpose())? {
            self.touch(key.len().saturating_add(value.len()));
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the last row of a range for which `is_it` holds, key and value.
    pub(crate) fn last_where(
        &self,
        range: Range<Vec<u8>>,
        is_it: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<Option<Pair>, StoreError> {
        if range.start >= range.end {
            return Ok(None);
        }
        let db = self.db()?;
        let mut rows = db.db.range(range);
        while let Some((key, value)) = guard("read a row", db, |_| rows.next_back().transpose())? {
            self.touch(key.len().saturating_add(value.len()));
            if is_it(&key, &value) {
                return Ok(Some((key.to_vec(), value.to_vec())));
            }
        }
        Ok(None)
    }

    /// Puts empty rows, one after the other; they are on disk after the next [`Store::sync`].
    pub(crate) fn lay(&self, keys: impl Iterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        let db = self.db()?;
        for key in keys {
            guard("lay out a database", db, |db| db.insert(key, Vec::new()))?;
        }
        Ok(())
    }

    /// Closes the only handle to a database and opens it again, which gives its memory back.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        let db = self.db()?;
        guard("write a batch", db, |db| db.flush())?;
        self.close();
        *self = Self::open(&self.folder)?;
        Ok(())
    }

    /// Returns how much was read and written through this handle; its memory grows with it.
    pub(crate) fn touched_bytes(&self) -> u64 {
        self.touched_bytes.load(Ordering::Relaxed)
    }

    /// Returns the length of the database's file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Returns where the database lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn db(&self) -> Result<&Arc<Base>, StoreError> {
        self.db.as_ref().ok_or(StoreError::Fell { doing: "use a closed database" })
    }

    fn touch(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.touched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The last handle syncs once more, and sled panics where that fails: on a dying disk, just when
    /// the owner is about to begin another database.
    fn close(&mut self) {
        let Some(db) = self.db.take() else { return };
        if Arc::strong_count(&db) == 1 {
            // Nothing is left for the closing, whose waiting nobody could end.
            let _ = guard("write a batch", &db, |db| db.flush());
        }
        if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
            tracing::warn!("a database could not be closed cleanly");
        }
    }

    /// Makes every later sync of this handle fail, as a dying disk would.
    #[cfg(test)]
    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs a call of sled that may wait for a write.
fn guard<T>(
    doing: &'static str,
    base: &Arc<Base>,
    call: impl FnOnce(&sled::Db) -> Result<T, sled::Error>,
) -> Result<T, StoreError> {
    watched(base, || caught(doing, || call(&base.db)))
}

/// Runs a call of sled, which may panic where its files are damaged.
fn caught<T>(
    doing: &'static str,
    call: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains("acquire lock") => {
            Err(StoreError::Locked)
        }
        Ok(Err(source)) => Err(StoreError::Refused { doing, source: Arc::new(source) }),
        Err(_) => Err(StoreError::Fell { doing }),
    }
}

fn warn_of_blobs(folder: &Path) {
    let blobs = fs::read_dir(folder.join("blobs")).map_or(0, Iterator::count);
    if blobs > 0 {
        tracing::error!(blobs, "a database holds values that are never synced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_rows_in_any_order_never_become_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path(), "rows").unwrap();
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..600 {
            let mut key = vec![b'k'; KEY_BYTES_MAX];
            key[KEY_BYTES_MAX - 1] = random.u8(0..120);
            let row = match random.u8(0..4) {
                0 => Row::Delete(key),
                _ => Row::Put(key, (0..VALUE_BYTES_MAX).map(|_| random.u8(..)).collect()),
            };
            store.apply(vec![row]).unwrap();
        }
        store.sync().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("rows/blobs")).unwrap().count(), 0);
    }

    #[test]
    fn a_row_that_is_too_long_is_refused_with_its_whole_batch() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path(), "rows").unwrap();
        let good = Row::Put(b"a".to_vec(), b"1".to_vec());
        for bad in [
            Row::Put(b"b".to_vec(), vec![0; VALUE_BYTES_MAX + 1]),
            Row::Delete(vec![0; KEY_BYTES_MAX + 1]),
        ] {
            let refused = store.apply(vec![good.clone(), bad]);
            assert!(matches!(refused, Err(StoreError::RowTooLong)), "{refused:?}");
            assert_eq!(store.get(b"a").unwrap(), None);
        }
    }

    #[test]
    fn a_dropped_store_can_be_opened_again_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(folder.path(), "rows").unwrap();
        for round in 0..20_u8 {
            store.apply(vec![Row::Put(vec![round], vec![round; 5_000])]).unwrap();
            store.sync().unwrap();
            let place = store.folder().to_path_buf();
            drop(store);
            store = Store::open(&place).unwrap();
            assert_eq!(store.get(&[round]).unwrap(), Some(vec![round; 5_000]));
        }
    }
}
