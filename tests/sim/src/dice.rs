//! Chance that repeats: the same seed gives the same throws.
//!
//! A fork depends on the seed and its label only, not on what was thrown before,
//! so that a part that throws more often does not change the luck of the others.
//! Pure.

use std::ops::RangeInclusive;

/// A seeded source of chance (splitmix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// Dice of their own for one part, named by its label.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self::new(mix(self.seed ^ mix(hash)))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 up to and without `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next_u64() % n }
    }

    /// Whether something happens that happens `p` times in a thousand.
    pub fn permille(&mut self, p: u32) -> bool {
        self.below(1000) < u64::from(p)
    }

    /// A number of the range, both ends included; its start when it is empty.
    pub fn range(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (start, end) = range.into_inner();
        if end <= start { start } else { start + self.below((end - start).saturating_add(1)) }
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let len = u64::try_from(from.len()).unwrap_or(u64::MAX);
        &from[usize::try_from(self.below(len)).unwrap_or(0)]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_falls_the_same_way_and_a_fork_does_not_care_when_it_is_made() {
        let (mut one, mut two) = (Dice::new(7), Dice::new(7));
        assert_eq!(one.next_u64(), two.next_u64());
        let mut early = Dice::new(7).fork("orders");
        let mut late = one.fork("orders");
        assert_eq!(early.next_u64(), late.next_u64());
        assert_ne!(Dice::new(7).fork("a").next_u64(), Dice::new(7).fork("b").next_u64());
    }

    #[test]
    fn throws_stay_within_their_bounds() {
        let mut dice = Dice::new(1);
        for _ in 0..1000 {
            assert!((3..=5).contains(&dice.range(3..=5)));
            assert!(dice.below(4) < 4);
            assert!([1, 2, 3].contains(dice.pick(&[1, 2, 3])));
        }
        assert_eq!(dice.below(0), 0);
        assert!(!dice.permille(0));
        assert!(dice.permille(1000));
    }
}
