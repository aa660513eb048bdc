//! Decides whether a delivery was taken before.
//!
//! Guarantees: within the window a repeated delivery is told from a new one by
//! its hash; a delivery whose journal entry failed is never taken for a repeated
//! one, because it is remembered only after its receipt. Pure.
//!
//! What it does not: make repeated work harmless. A repeated signal that slips
//! through (after a restart, after the window) makes a flow re-read an order
//! and find nothing to do.

use crate::clock::UnixMs;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Where it is remembered which deliveries were taken.
pub trait Memory {
    /// Returns when a delivery was taken, if it is remembered.
    fn taken_at(&self, delivery: &[u8; 32]) -> Option<UnixMs>;
    /// Remembers a delivery. To be called only with the journal's receipt in hand.
    fn remember(&mut self, delivery: [u8; 32], at: UnixMs);
}

/// What a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Not seen within the window: keep it.
    Fresh,
    /// Taken before: say yes to the sender and do nothing.
    Repeated,
}

/// Judges a delivery. A clock that was set back makes the memory younger, never older.
pub fn judge(taken_at: Option<UnixMs>, now: UnixMs, window: Duration) -> Judgement {
    let Some(taken_at) = taken_at else { return Judgement::Fresh };
    let age = Duration::from_millis(now.saturating_sub(taken_at));
    if age <= window { Judgement::Repeated } else { Judgement::Fresh }
}

/// The newest deliveries, at most `len_max` of them; the oldest is forgotten first.
#[derive(Debug)]
pub struct Recent {
    at: HashMap<[u8; 32], UnixMs>,
    order: VecDeque<[u8; 32]>,
    len_max: usize,
}

impl Recent {
    /// Starts with nothing remembered.
    pub fn new(len_max: usize) -> Self {
        Self { at: HashMap::new(), order: VecDeque::new(), len_max }
    }
}

impl Memory for Recent {
    fn taken_at(&self, delivery: &[u8; 32]) -> Option<UnixMs> {
        self.at.get(delivery).copied()
    }

    fn remember(&mut self, delivery: [u8; 32], at: UnixMs) {
        if self.at.insert(delivery, at).is_none() {
            self.order.push_back(delivery);
        }
        while self.order.len() > self.len_max {
            if let Some(oldest) = self.order.pop_front() {
                self.at.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_repeated_only_within_the_window() {
        let window = Duration::from_secs(10);
        let table = [
            (None, 5_000, Judgement::Fresh),
            (Some(5_000), 5_000, Judgement::Repeated),
            (Some(5_000), 15_000, Judgement::Repeated),
            (Some(5_000), 15_001, Judgement::Fresh),
            (Some(5_000), 1_000, Judgement::Repeated),
        ];
        for (taken_at, now, want) in table {
            assert_eq!(judge(taken_at, now, window), want, "{taken_at:?} at {now}");
        }
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_the_memory_never_grows_over_its_limit() {
        let mut recent = Recent::new(3);
        for n in 0..5_u8 {
            recent.remember([n; 32], u64::from(n));
            recent.remember([n; 32], u64::from(n) + 10);
        }
        let known: Vec<_> = (0..5_u8).map(|n| recent.taken_at(&[n; 32])).collect();
        assert_eq!(known, [None, None, Some(12), Some(13), Some(14)]);
        assert_eq!((recent.at.len(), recent.order.len()), (3, 3));
    }
}
