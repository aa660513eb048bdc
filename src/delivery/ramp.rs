//! How many cases at once are given to a system that has come back. Pure.
//!
//! Guarantees: while it is away nothing is given; when it may be tried again, one case is;
//! each one that ends doubles the number, up to the limit.

use crate::flow::run::Need;
use std::collections::BTreeMap;

/// The window of each system.
#[derive(Debug)]
pub(super) struct Ramp {
    cases_max: usize,
    windows: BTreeMap<Need, usize>,
}

impl Ramp {
    /// Starts wide open.
    pub(super) fn new(cases_max: usize) -> Self {
        Self { cases_max, windows: BTreeMap::new() }
    }

    /// The system is away.
    pub(super) fn away(&mut self, need: Need) {
        self.windows.insert(need, 1);
    }

    /// A case that needed it has ended while it was there.
    pub(super) fn ended(&mut self, need: Need) {
        let Some(window) = self.windows.get_mut(&need) else { return };
        *window = window.saturating_mul(2);
        if *window >= self.cases_max {
            self.windows.remove(&need);
        }
    }

    /// Returns how many cases that need it may be in hand at once.
    pub(super) fn window(&self, need: Need) -> usize {
        self.windows.get(&need).copied().unwrap_or(self.cases_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_comes_back_is_tried_by_one_and_then_by_twice_as_many() {
        let mut ramp = Ramp::new(8);
        assert_eq!(ramp.window(Need::M3), 8);
        ramp.away(Need::M3);
        ramp.away(Need::M3);
        let mut seen = vec![ramp.window(Need::M3)];
        for _ in 0..5 {
            ramp.ended(Need::M3);
            seen.push(ramp.window(Need::M3));
        }
        assert_eq!(seen, [1, 2, 4, 8, 8, 8]);
        assert_eq!(ramp.window(Need::Shop), 8, "the other system is not slowed down");
    }
}
