//! When to try again, as a value an operator can read in the config file. Pure.

use serde::Deserialize;
use std::time::Duration;

/// Doubling delays from `first` up to `cap`, at most `attempts` tries in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct RetryPolicy {
    first: Duration,
    cap: Duration,
    attempts: u32,
}

/// Whether the log should hear of a failure of what is tried for ever: of the first in a row, and of each
/// twentieth.
pub const fn is_told(failed: u32) -> bool {
    failed == 1 || failed.is_multiple_of(20)
}

/// A share of the delay, 0 to 255 in 255ths; drawn by the shell, passed to the core.
#[derive(Clone, Copy, Debug)]
pub struct Jitter(pub u8);

impl RetryPolicy {
    /// Twelve tries from one second to five minutes: about half an hour in all.
    pub const ORDERS: Self =
        Self { first: Duration::from_secs(1), cap: Duration::from_mins(5), attempts: 12 };

    /// From five seconds to a quarter of an hour: for messages to people, which are never given up.
    pub const MESSAGES: Self =
        Self { first: Duration::from_secs(5), cap: Duration::from_mins(15), attempts: 1 };

    /// From a minute to six hours: for what a shop refuses until somebody mends it.
    pub const REFUSED: Self =
        Self { first: Duration::from_mins(1), cap: Duration::from_hours(6), attempts: 1 };

    /// Returns how long to wait after `failed` failures, or `None` to give up.
    pub fn wait_after(&self, failed: u32, jitter: Jitter) -> Option<Duration> {
        (failed < self.attempts).then(|| self.wait_however_long(failed, jitter))
    }

    /// Returns how long to wait after `failed` failures of something that is
    /// never given up, such as a system that is away.
    ///
    /// Jitter takes away up to half, so a fleet that lost M3 together does not
    /// come back together.
    pub fn wait_however_long(&self, failed: u32, jitter: Jitter) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let off = full.saturating_mul(u32::from(jitter.0)) / 510;
        full.saturating_sub(off)
    }
}

/// The policy as written in TOML. It exists for one moment, between file and check.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    first_ms: u64,
    cap_ms: u64,
    attempts: u32,
}

impl TryFrom<Written> for RetryPolicy {
    type Error = &'static str;

    fn try_from(w: Written) -> Result<Self, Self::Error> {
        match (w.first_ms, w.cap_ms, w.attempts) {
            (0, _, _) => Err("first_ms must be at least 1"),
            (first, cap, _) if cap < first => Err("cap_ms must not be less than first_ms"),
            (_, _, 0) => Err("attempts must be at least 1"),
            (first, cap, attempts) => Ok(Self {
                first: Duration::from_millis(first),
                cap: Duration::from_millis(cap),
                attempts,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(first_ms: u64, cap_ms: u64, attempts: u32) -> RetryPolicy {
        RetryPolicy::try_from(Written { first_ms, cap_ms, attempts }).unwrap()
    }

    #[test]
    fn waits_double_up_to_the_cap_and_then_end() {
        let policy = policy(1_000, 8_000, 6);
        let table = [
            // failures, jitter, wait in ms
            (1, 0, Some(1_000)),
            (2, 0, Some(2_000)),
            (4, 0, Some(8_000)),
            (5, 0, Some(8_000)),
            (5, 255, Some(4_000)),
            (6, 0, None),
        ];
        for (failed, jitter, want) in table {
            let got = policy.wait_after(failed, Jitter(jitter)).map(|d| d.as_millis());
            assert_eq!(got, want, "after {failed} failures with jitter {jitter}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_key_that_is_wrong() {
        let table = [("first_ms", (0, 1, 1)), ("cap_ms", (2, 1, 1)), ("attempts", (1, 1, 0))];
        for (key, (first_ms, cap_ms, attempts)) in table {
            let fault = RetryPolicy::try_from(Written { first_ms, cap_ms, attempts }).unwrap_err();
            assert!(fault.starts_with(key), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn jitter_never_lengthens_and_never_halves_twice(failed in 1..60_u32, j: u8) {
            let policy = policy(10, 4_000, 100);
            let full = policy.wait_however_long(failed, Jitter(0));
            let got = policy.wait_however_long(failed, Jitter(j));
            prop_assert!(full / 2 <= got && got <= full);
        }
    }
}
