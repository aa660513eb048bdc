//! The only place that asks what time it is.
//!
//! Deciding code takes `now` as an argument, so a test can run a week in a loop.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// Reads both clocks.
#[expect(clippy::disallowed_methods, reason = "this is the one permitted reader of the clocks")]
pub fn now() -> Now {
    let now = Now { mono: tokio::time::Instant::now().into_std(), wall: SystemTime::now() };
    #[cfg(feature = "failpoints")]
    let now = {
        let ahead = crate::failpoint::ahead();
        Now { mono: now.mono + ahead, wall: now.wall + ahead }
    };
    now
}

/// Returns whole milliseconds, at most `u64::MAX`.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
