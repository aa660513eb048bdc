//! When the state is compacted, and how: a little after each group, never all at once.
//!
//! Guarantees: nobody waits for longer than one step; a file is compacted again only when it has
//! doubled or what lives in it has halved since, so that copying costs no more than writing did; a
//! compaction that fails leaves the generation that counts as it was.

use super::{Handle, StateError, Writer, alarm, generation};
use crate::{
    clock, failpoint,
    journal::rows::Row,
    state::{
        live::Unfinished,
        successor::{Copied, Successor},
    },
};
use std::time::{Duration, Instant};

/// A file that large for what lives in it is compacted.
const RATIO: u64 = 4;
/// But not one that is less than that much larger than it was when it was new, unless as much less lives
/// in it than did then.
const CHANGE: u64 = 2;
/// How much is copied in one step at least; twice what was just written where that is more, so that
/// the copying comes to an end however much is written.
const STEP_BYTES_MIN: usize = 128 * 1024;
/// After a failure it is not tried again for so long.
const PAUSE: Duration = Duration::from_mins(1);

/// What is known of compactions, the one under way included.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    successor: Option<Successor>,
    /// The length of the file when it was new; nothing is known of one that an earlier start made.
    new_bytes: u64,
    /// What lived in it then.
    new_live_bytes: u64,
    /// Bytes that were written since the last step.
    written_bytes: usize,
    not_before: Option<Instant>,
}

impl Writer {
    /// Begins a compaction if the file has grown too large, or goes on with the one under way.
    pub(super) fn compact(&mut self) -> Result<(), StateError> {
        if self.compaction.successor.is_none() {
            if !self.is_worth_it() {
                return Ok(());
            }
            failpoint::pass("state.compact.before");
            generation::clear(&self.folder, self.generation)?;
            let next = self.next_generation();
            match Successor::begin(&self.folder, next) {
                Ok(successor) => self.compaction.successor = Some(successor),
                Err(error) => {
                    self.compaction.not_before = clock::now().mono.checked_add(PAUSE);
                    return Err(error);
                }
            }
            self.live.set_unfinished(Unfinished::Yes);
            self.compaction.written_bytes = 0;
        }
        match self.advance() {
            Ok(Copied::Part(_)) => Ok(()),
            Ok(Copied::All) => self.hand_over(),
            Err(error) => {
                self.give_up_compaction();
                Err(error)
            }
        }
    }

    fn is_worth_it(&self) -> bool {
        let file_bytes = match &*self.live.handle() {
            Handle::Open(store) => store.file_bytes(),
            Handle::Broken | Handle::Closed => return false,
        };
        let Compaction { new_bytes, new_live_bytes, not_before, .. } = &self.compaction;
        let changed = file_bytes > new_bytes.saturating_mul(CHANGE)
            || self.live_bytes.saturating_mul(CHANGE) < *new_live_bytes;
        file_bytes > self.config.compact_bytes_min
            && file_bytes > self.live_bytes.saturating_mul(RATIO)
            && changed
            && not_before.is_none_or(|at| clock::now().mono >= at)
    }

    fn advance(&mut self) -> Result<Copied, StateError> {
        let written = std::mem::take(&mut self.compaction.written_bytes);
        let step_bytes = written.saturating_mul(2).max(STEP_BYTES_MIN);
        let mut copied: usize = 0;
        while copied < step_bytes {
            self.reopen()?;
            let from = self.live.handle().store()?.clone();
            let Some(successor) = &mut self.compaction.successor else {
                return Ok(Copied::Part(0));
            };
            match successor.step(&from)? {
                Copied::Part(bytes) => copied = copied.saturating_add(bytes),
                Copied::All => return Ok(Copied::All),
            }
        }
        Ok(Copied::Part(copied))
    }

    fn hand_over(&mut self) -> Result<(), StateError> {
        let Some(successor) = self.compaction.successor.take() else { return Ok(()) };
        self.live.set_unfinished(Unfinished::No);
        self.compaction.not_before = clock::now().mono.checked_add(PAUSE);
        let (generation, store) = successor.finish()?;
        if let Err(error) = generation::switch(&self.folder, generation) {
            self.doubt_which_counts();
            return Err(error.into());
        }
        failpoint::pass("state.compact.switched");
        let (bytes, live) = (store.file_bytes(), self.live_bytes);
        self.compaction =
            Compaction { new_bytes: bytes, new_live_bytes: live, ..Compaction::default() };
        *self.live.handle() = Handle::Open(store);
        let old = std::mem::replace(&mut self.generation, generation);
        tracing::debug!(generation, bytes, live, "state compacted");
        Ok(generation::remove(&self.folder, old)?)
    }

    /// A switch failed, and perhaps not: what is written from now on must be in the one that counts.
    fn doubt_which_counts(&self) {
        if let Err(error) = generation::switch(&self.folder, self.generation) {
            alarm(&error, "could not tell which generation of the state counts; it is copied anew");
            *self.live.handle() = Handle::Broken;
        }
    }

    /// Returns a number that no generation had, not even one that was given up.
    pub(super) fn next_generation(&mut self) -> u64 {
        self.newest = self.newest.max(self.generation).saturating_add(1);
        self.newest
    }

    /// Returns what of a group the generation to be must be told.
    pub(super) fn behind(&mut self, rows: &[Row]) -> Vec<Row> {
        let bytes = rows.iter().map(|row| match row {
            Row::Put(key, value) => key.len().saturating_add(value.len()),
            Row::Delete(key) => key.len(),
        });
        self.compaction.written_bytes =
            bytes.fold(self.compaction.written_bytes, usize::saturating_add);
        self.compaction.successor.as_ref().map_or_else(Vec::new, |successor| successor.behind(rows))
    }

    /// Tells the generation to be what was written; where that fails, it is given up.
    pub(super) fn follow(&mut self, rows: Vec<Row>) {
        let Some(successor) = &mut self.compaction.successor else { return };
        if let Err(error) = successor.follow(rows) {
            alarm(&error, "could not go on compacting the state; it is tried again later");
            self.give_up_compaction();
        }
    }

    /// Ends a compaction that is under way without a result.
    pub(super) fn give_up_compaction(&mut self) {
        self.live.set_unfinished(Unfinished::No);
        if let Some(successor) = self.compaction.successor.take() {
            successor.give_up(&self.folder);
            self.compaction.not_before = clock::now().mono.checked_add(PAUSE);
        }
    }
}
