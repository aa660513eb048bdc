//! When to try again what failed: a segment that could not be begun or rescued.
//!
//! Guarantees: a disk that refuses is asked at growing intervals, never longer than the longest.

use crate::clock;
use std::time::{Duration, Instant};

/// The first pause; it doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// When to try again what failed.
pub(crate) struct Again {
    pause: Duration,
    at: Option<Instant>,
}

impl Again {
    /// Starts with nothing failed.
    pub(crate) fn new() -> Self {
        Self { pause: PAUSE, at: None }
    }

    /// Returns whether it is time to try.
    pub(crate) fn is_due(&self) -> bool {
        self.at.is_none_or(|at| clock::now().mono >= at)
    }

    /// Waits twice as long as the last time.
    pub(crate) fn failed(&mut self) {
        self.at = clock::now().mono.checked_add(self.pause);
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
    }

    /// Forgets what failed.
    pub(crate) fn worked(&mut self) {
        *self = Self::new();
    }
}
