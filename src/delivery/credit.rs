//! How many more cases may be woken before events have to stay in the journal. Pure.
//!
//! Guarantees: what is due and waits is at most `waiting_max` cases and one batch of events;
//! counting costs a look at that many rows, so it is done only when the credit is used up, not more
//! often than every [`Credit::COUNT_EVERY`] while nothing moves, and never for more than a small part
//! of the time.

use std::time::{Duration, Instant};

/// The credit that is left.
#[derive(Debug)]
pub(super) struct Credit {
    waiting_max: usize,
    left: usize,
    not_before: Option<Instant>,
}

impl Credit {
    /// The shortest time between two counts.
    pub(super) const COUNT_EVERY: Duration = Duration::from_millis(500);

    /// Counting takes at most one part in so many of the time.
    const SHARE: u32 = 20;

    /// Starts with nothing: it is counted first.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { waiting_max, left: 0, not_before: None }
    }

    /// Whether it is used up and may be counted again.
    pub(super) fn is_to_be_counted(&self, now: Instant) -> bool {
        self.left == 0 && self.not_before.is_none_or(|at| now >= at)
    }

    /// So many cases wait; counting them began and ended then.
    pub(super) fn counted(&mut self, waiting: usize, begun: Instant, ended: Instant) {
        self.left = self.waiting_max.saturating_sub(waiting);
        let took = ended.saturating_duration_since(begun);
        let pause = took.saturating_mul(Self::SHARE).max(Self::COUNT_EVERY);
        self.not_before = begun.checked_add(pause);
    }

    /// So many cases were woken.
    pub(super) fn spent(&mut self, woken: usize) {
        self.left = self.left.saturating_sub(woken);
    }

    /// Whether events may be taken.
    pub(super) fn is_left(&self) -> bool {
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_while_there_is_credit_and_it_is_counted_only_when_used_up() {
        let start = crate::clock::now().mono;
        let at = |ms| start + Duration::from_millis(ms);
        let mut credit = Credit::new(100);
        assert!(!credit.is_left() && credit.is_to_be_counted(at(0)));
        credit.counted(40, at(0), at(1));
        credit.spent(59);
        assert!(credit.is_left() && !credit.is_to_be_counted(at(9_000)));
        credit.spent(128);
        assert!(!credit.is_left() && credit.is_to_be_counted(at(10_000)));
        credit.counted(100, at(10_000), at(10_001));
        assert!(!credit.is_left() && !credit.is_to_be_counted(at(10_100)));
        assert!(credit.is_to_be_counted(at(10_600)));
        credit.counted(100, at(10_600), at(10_700));
        assert!(!credit.is_to_be_counted(at(12_500)), "counting took long");
        assert!(credit.is_to_be_counted(at(12_600)));
        credit.counted(99, at(12_600), at(12_601));
        assert!(credit.is_left());
    }
}
