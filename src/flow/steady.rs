//! How long ago a call was lost, on a clock that nobody can set. Pure.
//!
//! The wall clock may jump, and between two starts of the gateway it proves nothing: a
//! box without a battery wakes up in 1970. So what must have passed before a lost call
//! counts as ended is measured in milliseconds of one start, and what was lost in an
//! earlier start is measured from the beginning of this one: too long, never too short.

use serde::{Deserialize, Serialize};

/// A moment of one start of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    /// Names the start; never the same twice, not even after an old copy of the state was
    /// put back.
    pub boot: u64,
    /// Milliseconds since its beginning.
    pub ms: u64,
}

/// A time that must have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Steady,
    /// How long.
    pub ms: u64,
}

impl Steady {
    /// Returns the pause that begins here.
    pub fn pause(self, ms: u64) -> Pause {
        Pause { since: self, ms }
    }
}

impl Pause {
    /// Returns how much of it is left; 0 when it is over.
    pub fn left_ms(self, now: Steady) -> u64 {
        let begun_ms = if self.since.boot == now.boot { self.since.ms } else { 0 };
        begun_ms.saturating_add(self.ms).saturating_sub(now.ms)
    }

    /// Whether it reaches as far as another one.
    pub fn covers(self, other: Self) -> bool {
        self.since == other.since && self.ms >= other.ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_an_earlier_start_is_measured_from_this_one() {
        let at = |boot, ms| Steady { boot, ms };
        let table = [
            // since, how long, now, left
            (at(1, 500), 1_000, at(1, 500), 1_000),
            (at(1, 500), 1_000, at(1, 1_400), 100),
            (at(1, 500), 1_000, at(1, 1_500), 0),
            (at(1, 500), 1_000, at(1, 99_000), 0),
            (at(1, 500), 1_000, at(2, 0), 1_000),
            (at(1, 99_000), 1_000, at(2, 400), 600),
            (at(1, 500), 1_000, at(2, 1_000), 0),
        ];
        for (since, ms, now, left_ms) in table {
            assert_eq!(since.pause(ms).left_ms(now), left_ms, "{since:?} {now:?}");
        }
    }
}
