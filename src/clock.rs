//! The only place that asks what time it is.
//!
//! Deciding code takes `now` as an argument, so a test can run a week in a loop. The rest reads
//! tokio's clock, which a test can pause, and a simulation lets the wall clock of its thread follow.

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Milliseconds since 1970, the form in which a time is stored, sent and shown.
pub type UnixMs = u64;

/// One moment, on both clocks: `mono` to measure with, `wall` to write down.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Never goes back; meaningless after a restart.
    pub mono: Instant,
    /// May jump; the only one that is stored or shown.
    pub wall: SystemTime,
}

impl Now {
    /// Returns the wall time in milliseconds since 1970; a clock set before 1970 reads 0.
    pub fn unix_ms(&self) -> UnixMs {
        let since = self.wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        millis(since)
    }
}

thread_local! {
    /// Where the two clocks of a simulation stood together.
    static SIMULATED: Cell<Option<Now>> = const { Cell::new(None) };
}

/// Reads both clocks.
#[expect(clippy::disallowed_methods, reason = "this is the one permitted reader of the clocks")]
pub fn now() -> Now {
    let mono = tokio::time::Instant::now().into_std();
    let wall = match SIMULATED.get() {
        Some(both) => both.wall + mono.saturating_duration_since(both.mono),
        None => SystemTime::now(),
    };
    let now = Now { mono, wall };
    #[cfg(feature = "failpoints")]
    let now = {
        let ahead = crate::failpoint::ahead();
        Now { mono: now.mono + ahead, wall: now.wall + ahead }
    };
    now
}

/// Lets the wall clock of this thread show `wall` and then follow tokio's clock; `None` ends that.
///
/// For simulations, whose runtime has one thread and a paused clock. A second call is a clock that
/// jumps.
#[expect(clippy::disallowed_methods, reason = "this is the one permitted reader of the clocks")]
pub fn simulate(wall: Option<SystemTime>) {
    let mono = tokio::time::Instant::now().into_std();
    SIMULATED.set(wall.map(|wall| Now { mono, wall }));
}

/// Returns whole milliseconds, at most `u64::MAX`.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
