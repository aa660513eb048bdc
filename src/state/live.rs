//! The open database of the state, as readers see it.
//!
//! Guarantees: a read sees a batch whole or not at all. It may see one whose sync is still under way.

use super::{Pair, StateError, row};
use crate::journal::store::{Store, StoreError};
use std::{
    ops::{ControlFlow, Range},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The handle that readers and the writer share.
#[derive(Debug)]
pub(crate) struct Live {
    handle: Mutex<Handle>,
    unfinished: AtomicBool,
}

/// What is behind the lock.
#[derive(Debug)]
pub(crate) enum Handle {
    Open(Store),
    /// After an error, until the writer has opened another.
    Broken,
    Closed,
}

impl Live {
    /// Starts with an open database.
    pub(crate) fn new(store: Store) -> Self {
        Self { handle: Mutex::new(Handle::Open(store)), unfinished: AtomicBool::new(false) }
    }

    /// Keeps readers out while the guard lives.
    pub(crate) fn handle(&self) -> MutexGuard<'_, Handle> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        value(self.handle().store()?, key)
    }

    /// Returns rows of a range, in order, at most `rows_max`.
    pub(crate) fn scan(
        &self,
        range: &Range<Vec<u8>>,
        rows_max: usize,
    ) -> Result<Vec<Pair>, StateError> {
        let handle = self.handle();
        let store = handle.store()?;
        let bounds = row::head_key(&range.start)..row::head_key(&range.end);
        let mut found = Vec::new();
        let mut failed = None;
        if rows_max > 0 {
            store.scan(bounds, |head_key, head| {
                let Some(key) = row::key_of(head_key) else { return ControlFlow::Continue(()) };
                match whole(store, key, head) {
                    Ok(value) => found.push((key.to_vec(), value)),
                    Err(error) => failed = Some(error),
                }
                if failed.is_none() && found.len() < rows_max {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
        }
        failed.map_or(Ok(found), Err)
    }

    /// Returns whether the writer has begun what it goes on with at its next tidy-up.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished.load(Ordering::Relaxed)
    }

    /// Says whether the writer is in the middle of something.
    pub(crate) fn set_unfinished(&self, unfinished: Unfinished) {
        self.unfinished.store(unfinished == Unfinished::Yes, Ordering::Relaxed);
    }

    /// Returns how much went through the handle.
    pub(crate) fn touched_bytes(&self) -> u64 {
        self.handle().store().map_or(0, Store::touched_bytes)
    }
}

/// Whether the writer is in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    Yes,
    No,
}

impl Handle {
    /// Returns the database, or why there is none.
    pub(crate) fn store(&self) -> Result<&Store, StateError> {
        match self {
            Self::Open(store) => Ok(store),
            Self::Broken => Err(StateError::Unavailable),
            Self::Closed => Err(StateError::Closed),
        }
    }
}

/// Returns the value of a key.
pub(crate) fn value(store: &Store, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
    store.get(&row::head_key(key))?.map(|head| whole(store, key, &head)).transpose()
}

/// Returns the length of the value of a key.
pub(crate) fn length(store: &Store, key: &[u8]) -> Result<Option<usize>, StoreError> {
    Ok(store.get(&row::head_key(key))?.and_then(|head| row::length(&head)))
}

/// Returns the value whose first row is `head`.
pub(crate) fn whole(store: &Store, key: &[u8], head: &[u8]) -> Result<Vec<u8>, StateError> {
    let damaged = || StateError::Damaged { key: key.to_vec() };
    let pieces = row::pieces(row::length(head).ok_or_else(damaged)?);
    let mut further = Vec::with_capacity(usize::from(pieces));
    for piece in 0..pieces {
        further.push(store.get(&row::piece_key(key, piece))?.ok_or_else(damaged)?);
    }
    row::join(key, head, &further).ok_or_else(damaged)
}
