//! The delivery's time: what is due, and how long ago a call was lost.
//!
//! What this module guarantees:
//! 1. The time by which cases are due never goes back, neither when the clock is set nor
//!    over a restart: nothing waits longer because somebody set the clock back. It follows
//!    a jump ahead: what only waits for its turn may come too early, which does no harm.
//! 2. What must have passed since a lost call is measured on the monotonic clock of this
//!    start, which nobody can set (`flow::steady`).
//!
//! What it does not: tell the true time. After the clock was set back, it runs ahead of it
//! until the clock has caught up; that is said in the log.

use crate::{
    clock::{self, Now, UnixMs},
    flow::steady::Steady,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// A lead of this size is worth a word in the log.
const LEAD_TOLD_MS: u64 = 60_000;
/// Bits of a start's name that are drawn; the rest is its epoch.
const DRAWN_BITS: u32 = 40;

/// One moment as the flows are told it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Milliseconds since 1970, or somewhat more; never less than before.
    pub now_ms: UnixMs,
    /// The same on the clock of this start.
    pub steady: Steady,
}

/// Keeps the time. Shared by reference.
#[derive(Debug)]
pub(super) struct Timekeeper {
    boot: u64,
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    at_ms: u64,
    mono: Instant,
    lead_told: bool,
}

impl Timekeeper {
    /// Begins with this start. The epoch alone would come again after an old copy of the
    /// state was put back, so a part of the name is drawn.
    pub(super) fn new(epoch: u64) -> Self {
        let now = clock::now();
        let boot = (epoch << DRAWN_BITS) | fastrand::u64(..1 << DRAWN_BITS);
        let kept = Kept { at_ms: now.unix_ms(), mono: now.mono, lead_told: false };
        Self { boot, started: now.mono, kept: Mutex::new(kept) }
    }

    /// Says that it was this late already when something was written down.
    pub(super) fn was(&self, at_ms: UnixMs) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.at_ms = kept.at_ms.max(at_ms);
    }

    /// Returns this moment.
    pub(super) fn now(&self) -> Moment {
        let now = clock::now();
        let Now { mono, wall: _ } = now;
        let wall_ms = now.unix_ms();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_ms = clock::millis(mono.saturating_duration_since(kept.mono));
        let at_ms = later(kept.at_ms, passed_ms, wall_ms);
        let lead_ms = at_ms.saturating_sub(wall_ms);
        let tell = lead_ms >= LEAD_TOLD_MS && !kept.lead_told;
        *kept = Kept { at_ms, mono: mono.max(kept.mono), lead_told: lead_ms >= LEAD_TOLD_MS };
        drop(kept);
        if tell {
            tracing::warn!(lead_ms, "the clock was set back; what waits goes on by its own count");
        }
        let ms = clock::millis(mono.saturating_duration_since(self.started));
        Moment { now_ms: at_ms, steady: Steady { boot: self.boot, ms } }
    }
}

/// Returns the time after so long: never earlier, and not behind the clock.
fn later(before_ms: u64, passed_ms: u64, wall_ms: u64) -> u64 {
    before_ms.saturating_add(passed_ms).max(wall_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_follows_a_jump_ahead_and_never_goes_back() {
        let story = [
            // passed, what the clock says, what the time is
            (1_000, 101_000, 101_000),
            (1_000, 3_702_000, 3_702_000),
            // The clock is set back to what is right.
            (1_000, 103_000, 3_703_000),
            (10_000, 113_000, 3_713_000),
            (3_600_000, 3_713_000, 7_313_000),
            // A box without a battery, and then the network's time.
            (1_000, 5, 7_314_000),
            (1_000, 9_000_000, 9_000_000),
        ];
        let mut at_ms = 100_000;
        for (passed_ms, wall_ms, want) in story {
            at_ms = later(at_ms, passed_ms, wall_ms);
            assert_eq!(at_ms, want, "{passed_ms} {wall_ms}");
        }
    }

    #[test]
    fn two_starts_of_one_epoch_have_different_names() {
        let (a, b) = (Timekeeper::new(7), Timekeeper::new(7));
        assert_ne!(a.now().steady.boot, b.now().steady.boot);
        assert_eq!(a.now().steady.boot >> DRAWN_BITS, 7);
    }

    #[test]
    fn what_was_written_in_an_earlier_start_is_not_in_the_future() {
        let keeper = Timekeeper::new(1);
        let ahead_ms = keeper.now().now_ms + 86_400_000;
        keeper.was(ahead_ms);
        assert!(keeper.now().now_ms >= ahead_ms);
    }
}
