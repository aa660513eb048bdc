//! Removes segments that are settled, as far as they need not be kept.
//!
//! Guarantees: none with an event that is not settled goes, none that is being copied or waits to be
//! rescued, and none before an older one.

use super::{
    Config, Seq, durable,
    retention::{self, Kept, Room},
    segments,
    shelf::Shelf,
    store::StoreError,
};
use crate::clock;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Between two looks at settled segments that are kept.
const RETENTION_PAUSE: Duration = Duration::from_secs(5);

/// The one that removes.
#[derive(Debug, Default)]
pub(crate) struct Broom {
    /// When to look again at settled segments that are kept.
    look_again: Option<Instant>,
}

impl Broom {
    /// Removes what lies wholly below `below`, unless it is to be kept while there is `room`.
    pub(crate) fn sweep(
        &mut self,
        all: &Shelf,
        below: Seq,
        config: &Config,
        room: impl FnOnce() -> Room,
    ) -> Result<(), StoreError> {
        let is_held = all.holds.load(Ordering::Acquire) > 0;
        if is_held || !all.has_drained(below) {
            return Ok(());
        }
        let now = clock::now();
        if config.keeps_settled() && self.look_again.is_some_and(|at| now.mono < at) {
            return Ok(());
        }
        self.look_again = now.mono.checked_add(RETENTION_PAUSE);
        let sealed: Vec<u64> = all.books().sealed.keys().copied().collect();
        let kept: Vec<Kept> = sealed.iter().filter_map(|first| all.kept(*first)).collect();
        let count = retention::removable(&kept, below.0, now.unix_ms(), room(), config);
        for first in sealed.into_iter().take(count) {
            let mut books = all.books();
            if books.suspects.contains_key(&first) {
                break;
            }
            if books.reading.as_ref().is_some_and(|reading| reading.first == first) {
                books.reading = None;
            }
            durable::remove(&all.folder, &segments::name(first))
                .map_err(StoreError::io("remove a drained segment"))?;
            books.sealed.remove(&first);
        }
        Ok(())
    }
}
