//! Writes groups of batches to the state's database, and compacts it by succession.
//!
//! Guarantees: a batch is acknowledged after its sync; one that conflicts changes nothing; nothing is
//! written once a newer epoch is on the disk; after a failed sync no page of the old file is trusted
//! for new writes: its rows are copied into a new generation first.

mod compaction;

use self::compaction::Compaction;
use super::{
    Config, Epoch, StateError,
    ballast::Ballast,
    generation,
    group::{Batch, Declined, Group},
    live::{self, Handle, Live},
    mark::{self, Mark},
    rescue::{self, Found, History},
    row, successor,
};
use crate::failpoint;
use crate::journal::{
    Guard, StoreError, committer::Sink, durable, numbers::Numbers, rows::Row, store::Store,
};
use std::{
    collections::BTreeMap,
    fs::File,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The name of the row, and of the file, with the epoch of the last start.
pub(crate) const EPOCH: &str = "epoch";

/// After a rescue the epoch grows by so much: the last ones may be lost.
pub(crate) const EPOCH_LEAP: u64 = 1 << 20;

/// The one that writes.
pub(crate) struct Writer {
    folder: PathBuf,
    config: Config,
    epoch: Epoch,
    generation: u64,
    /// The highest number that a generation was given.
    newest: u64,
    live: Arc<Live>,
    live_bytes: u64,
    compaction: Compaction,
    /// Groups that were written, in the life of the state.
    commits: u64,
    /// Where that number is noted outside the database.
    numbers: Numbers,
    /// Room that is given back when there is none.
    ballast: Ballast,
    /// Whether the last group was refused for want of space.
    is_full: bool,
    /// Keeps other processes out while it is open.
    lock: Option<File>,
}

/// Opens what lies in `folder`, or begins, and raises the epoch.
pub(crate) fn open(
    folder: &Path,
    config: &Config,
    guard: &Guard,
) -> Result<(Writer, Arc<Live>), StateError> {
    std::fs::create_dir_all(folder).map_err(StoreError::io("create the state's folder"))?;
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        durable::sync_folder(parent).map_err(StoreError::io("sync the state's folder"))?;
    }
    let lock = durable::lock(folder).map_err(StoreError::io("take the lock"))?;
    let lock = Some(lock.ok_or(StateError::Locked)?);
    let numbers = Numbers::read(folder).map_err(StoreError::io("read the numbers"))?;
    let commits = numbers.head.unwrap_or(0);
    let mut ballast = Ballast::new(folder, config.ballast_bytes);
    let found = match rescue::open(folder, guard, commits) {
        Err(StateError::Store(error)) if error.is_full() && ballast.release() => {
            rescue::open(folder, guard, commits)?
        }
        opened => opened?,
    };
    let Found { generation, store, history } = found;
    failpoint::pass("state.epoch.before");
    let epoch = raise_epoch(folder, &store, history)?;
    failpoint::pass("state.epoch.durable");
    let reached = match rescue::read_mark(&store)? {
        // What came after the mark is a little more or less.
        Some(mark) if history == History::Whole => {
            Mark { commits: mark.commits.max(commits), ..mark }
        }
        mark => {
            let commits = mark.map_or(0, |mark| mark.commits).max(commits);
            Mark { commits, live_bytes: measure(&store)? }
        }
    };
    if history == History::Rescued {
        // It is not to be taken for one that ends too early.
        store.apply(vec![Row::Put(row::note_key(mark::NAME), reached.encode())])?;
        store.sync()?;
    }
    let Mark { commits, live_bytes } = reached;
    let live = Arc::new(Live::new(store));
    let (folder, config) = (folder.to_path_buf(), *config);
    let shared = Arc::clone(&live);
    ballast.keep(config.free_bytes_min);
    let (is_full, compaction) = (false, Compaction::default());
    #[rustfmt::skip]
    let writer = Writer {
        folder, config, epoch, generation, newest: generation, live, live_bytes, compaction, commits,
        numbers, ballast, is_full, lock,
    };
    Ok((writer, shared))
}

/// Writes an epoch that is higher than any before, in the database and beside it.
fn raise_epoch(folder: &Path, store: &Store, history: History) -> Result<Epoch, StateError> {
    let beside = std::fs::read_to_string(folder.join(EPOCH)).unwrap_or_default();
    let beside = beside.trim_end().parse().unwrap_or(0);
    let last = match (read_epoch(store), history) {
        (Ok(epoch), History::Whole) => epoch.0.max(beside),
        (Ok(epoch), History::Rescued) => epoch.0.max(beside).saturating_add(EPOCH_LEAP),
        (Err(StateError::Damaged { .. }), _) => beside.saturating_add(EPOCH_LEAP),
        (Err(error), _) => return Err(error),
    };
    let epoch = Epoch(last.saturating_add(1));
    durable::replace(folder, EPOCH, format!("{}\n", epoch.0).as_bytes())
        .map_err(StoreError::io("write the epoch"))?;
    let note = Row::Put(row::note_key(EPOCH), epoch.0.to_be_bytes().to_vec());
    store.apply(vec![note])?;
    store.sync()?;
    Ok(epoch)
}

impl Sink for Writer {
    type Entry = Batch;
    type Answer = Result<(), StateError>;

    fn write(&mut self, batches: Vec<Batch>) -> Vec<Self::Answer> {
        let len = batches.len();
        match self.put(batches) {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); len],
        }
    }

    fn tidy(&mut self) {
        if let Err(error) = self.compact().and_then(|()| self.reopen()) {
            alarm(&error, "could not tidy the state");
        }
        self.ballast.keep(self.config.free_bytes_min);
    }

    fn close(&mut self) {
        self.give_up_compaction();
        *self.live.handle() = Handle::Closed;
        if let Err(error) = self.numbers.sync() {
            alarm(&error, "could not note how far the state goes");
        }
        self.lock = None;
    }
}

impl Writer {
    /// Returns the epoch this writer was opened with.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn put(&mut self, batches: Vec<Batch>) -> Result<Vec<Result<(), StateError>>, StateError> {
        let free =
            || durable::free_bytes(&self.folder).map_err(StoreError::io("ask for the free space"));
        let mut free_bytes = free()?;
        if free_bytes < self.config.free_bytes_min && self.ballast.release() {
            free_bytes = free()?;
        }
        let free = free_bytes;
        let was_full = std::mem::replace(&mut self.is_full, free < self.config.free_bytes_min);
        if self.is_full {
            if !was_full {
                tracing::error!(free, "the disk is full; no state is written");
            }
            return Err(StateError::Full);
        }
        let store = self.store()?;
        if read_epoch(&store)? != self.epoch {
            return Err(StateError::Superseded);
        }
        let mut group = Group::default();
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            let admitted = group.admit(batch, |key| live::value(&store, key));
            answers.push(admitted.map_err(|declined| match declined {
                Declined::Conflict(key) => StateError::Conflict { key },
                Declined::Unread(error) => error,
            }));
        }
        let (mut rows, live_bytes) = self.rows(&store, group.into_changes())?;
        if !rows.is_empty() {
            let commits = self.commits.saturating_add(1);
            if commits.is_multiple_of(mark::COMMITS_MAX) {
                let mark = Mark { commits, live_bytes };
                rows.push(Row::Put(row::note_key(mark::NAME), mark.encode()));
            }
            self.commit(store, rows)?;
            (self.live_bytes, self.commits) = (live_bytes, commits);
            if let Err(error) = self.numbers.acknowledge(commits) {
                // Only what a look after damage would like to know is behind.
                tracing::warn!(%error, "could not note how far the state goes");
            }
        }
        Ok(answers)
    }

    /// Returns what to write, and how many bytes live after it.
    fn rows(
        &self,
        store: &Store,
        changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<(Vec<Row>, u64), StateError> {
        let mut rows = Vec::new();
        let mut live_bytes = self.live_bytes;
        for (key, value) in changes {
            let old = live::length(store, &key)?;
            live_bytes = live_bytes
                .saturating_sub(old.map_or(0, |old| cost(&key, old)))
                .saturating_add(value.as_ref().map_or(0, |value| cost(&key, value.len())));
            let written = row::changes(&key, value.as_deref(), old).into_iter();
            rows.extend(written.map(|(key, value)| match value {
                Some(value) => Row::Put(key, value),
                None => Row::Delete(key),
            }));
        }
        Ok((rows, live_bytes))
    }

    /// Applies while readers are kept out, syncs while they are not.
    fn commit(&mut self, store: Store, rows: Vec<Row>) -> Result<(), StateError> {
        failpoint::pass("state.commit.before");
        let followed = self.behind(&rows);
        let applied = {
            let _kept_out = self.live.handle();
            store.apply(rows)
        };
        let Err(error) = applied.and_then(|()| store.sync()) else {
            failpoint::pass("state.commit.durable");
            self.follow(followed);
            return Ok(());
        };
        alarm(&error, "could not write the state; its database is given up");
        if error.is_full() {
            self.ballast.release();
        }
        drop(store);
        self.give_up_compaction();
        let live = Arc::clone(&self.live);
        let mut handle = live.handle();
        *handle = Handle::Broken;
        if let Err(error) = self.succeed(&mut handle) {
            alarm(&error, "could not replace the state's database; the next commit tries again");
        }
        Err(error.into())
    }

    /// Returns the open database, after an error a new one.
    fn store(&mut self) -> Result<Store, StateError> {
        let live = Arc::clone(&self.live);
        let mut handle = live.handle();
        if matches!(*handle, Handle::Broken) {
            self.succeed(&mut handle)?;
        }
        handle.store().cloned()
    }

    /// Opens the generation that broke and puts its successor in its place.
    fn succeed(&mut self, handle: &mut Handle) -> Result<(), StateError> {
        let mut broken = Store::open(&self.folder.join(generation::name(self.generation)))?;
        generation::clear(&self.folder, self.generation)?;
        let next = self.next_generation();
        let handle_bytes_max = self.config.handle_bytes_max;
        let whole = successor::copy_whole(&self.folder, next, || {
            if broken.touched_bytes() > handle_bytes_max {
                broken.reopen()?;
            }
            Ok(broken.clone())
        })?;
        let (_, store) = whole.finish()?;
        generation::switch(&self.folder, next)?;
        drop(broken);
        let old = std::mem::replace(&mut self.generation, next);
        self.live_bytes = measure(&store)?;
        self.compaction = Compaction::default();
        *handle = Handle::Open(store);
        Ok(generation::remove(&self.folder, old)?)
    }

    /// Gives the memory of a worn handle back.
    fn reopen(&self) -> Result<(), StateError> {
        if self.live.touched_bytes() <= self.config.handle_bytes_max {
            return Ok(());
        }
        let mut handle = self.live.handle();
        *handle = Handle::Broken;
        *handle = Handle::Open(Store::open(&self.folder.join(generation::name(self.generation)))?);
        Ok(())
    }
}

fn read_epoch(store: &Store) -> Result<Epoch, StateError> {
    let Some(note) = store.get(&row::note_key(EPOCH))? else { return Ok(Epoch(0)) };
    let bytes = <[u8; 8]>::try_from(note.as_slice());
    let damaged = |_| StateError::Damaged { key: EPOCH.as_bytes().to_vec() };
    bytes.map(|bytes| Epoch(u64::from_be_bytes(bytes))).map_err(damaged)
}

fn measure(store: &Store) -> Result<u64, StoreError> {
    let mut bytes: u64 = 0;
    store.scan(row::all_values(), |key, head| {
        bytes = bytes.saturating_add(cost(key, row::length(head).unwrap_or(0)));
        ControlFlow::Continue(())
    })?;
    Ok(bytes)
}

fn cost(key: &[u8], value_len: usize) -> u64 {
    u64::try_from(key.len().saturating_add(value_len)).unwrap_or(u64::MAX)
}

fn alarm(error: &(dyn std::error::Error + 'static), what: &str) {
    tracing::error!(error, "{what}");
}
