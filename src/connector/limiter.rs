//! Decides when the next call to one destination may leave. Pure.
//!
//! Guarantees: over any time calls leave no faster than `per_s` with a start of at most
//! `burst`; after a 429 none leaves before the pause that was asked for, or before a
//! doubling pause of our own, is over.
//!
//! It learns: each 429 halves the rate, down to a floor; each second in which a call went
//! well gives a twentieth of the full rate back. What it has learned is not stored.

use crate::retry::Jitter;
use std::time::{Duration, Instant};

/// The first pause after a 429 that named none.
pub const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// The longest pause after a 429, whoever asks for more.
pub const PAUSE_MAX: Duration = Duration::from_mins(10);

/// The full rate, in thousandths of it.
pub const FULL_PERMILLE: u32 = 1_000;

/// What one good second gives back.
const RAISE_PERMILLE: u32 = 50;

/// The longest pause of our own choice.
const PAUSE_OWN_MAX: Duration = Duration::from_mins(1);

/// A token bucket that can be paused.
///
/// It is kept as the moment at which the bucket would be full again, so it
/// needs no timer and no fractions.
#[derive(Debug)]
pub struct Limiter {
    interval: Duration,
    /// How much of the full rate is used.
    rate_permille: u32,
    floor_permille: u32,
    raised_at: Option<Instant>,
    burst: u32,
    pause_first: Duration,
    full_at: Option<Instant>,
    paused_until: Option<Instant>,
    pauses: u32,
}

impl Limiter {
    /// Starts full. Both limits are at least 1.
    pub fn new(per_s: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_s.max(1);
        Self {
            interval,
            rate_permille: FULL_PERMILLE,
            floor_permille: FULL_PERMILLE,
            raised_at: None,
            burst: burst.max(1),
            pause_first: PAUSE_FIRST,
            full_at: None,
            paused_until: None,
            pauses: 0,
        }
    }

    /// Begins with this pause after a 429 that does not say how long; at least 1 ms.
    #[must_use]
    pub fn with_pause_first(self, pause_first: Duration) -> Self {
        Self { pause_first: pause_first.max(Duration::from_millis(1)), ..self }
    }

    /// Learns from each 429, down to this rate; at most the full one.
    #[must_use]
    pub fn with_floor(self, per_s_min: u32, per_s_max: u32) -> Self {
        let floor = per_s_min.max(1).saturating_mul(FULL_PERMILLE) / per_s_max.max(1);
        Self { floor_permille: floor.clamp(1, FULL_PERMILLE), ..self }
    }

    /// Returns how much of the full rate is used, in thousandths.
    pub fn rate_permille(&self) -> u32 {
        self.rate_permille
    }

    /// The time between two calls at the rate that was learned.
    fn interval(&self) -> Duration {
        self.interval.saturating_mul(FULL_PERMILLE) / self.rate_permille.max(1)
    }

    /// Takes one token, or says when to ask again.
    pub fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if let Some(until) = self.paused_until(now) {
            return Err(until);
        }
        let full_at = self.full_at.unwrap_or(now).max(now);
        let room = self.interval().saturating_mul(self.burst.saturating_sub(1));
        match full_at.duration_since(now).checked_sub(room) {
            Some(early) if !early.is_zero() => Err(now + early),
            Some(_) | None => {
                self.full_at = Some(full_at + self.interval());
                Ok(())
            }
        }
    }

    /// Stops after a 429, and returns for how long: as long as was asked for,
    /// else twice as long as the last time.
    ///
    /// Answers to calls that had already left do not lengthen a pause of our own.
    pub fn pause(&mut self, asked: Option<Duration>, jitter: Jitter, now: Instant) -> Duration {
        let left = self.paused_until(now).map(|until| until.duration_since(now));
        if left.is_none() {
            // Answers to calls that left before the pause are no second reason.
            self.rate_permille = (self.rate_permille / 2).max(self.floor_permille);
            self.raised_at = Some(now);
        }
        let pause = match (asked, left) {
            (Some(asked), _) => asked.min(PAUSE_MAX).max(left.unwrap_or_default()),
            (None, Some(left)) => left,
            (None, None) => self.next_own_pause(jitter),
        };
        self.paused_until = Some(now + pause);
        pause
    }

    /// A call went through: the next pause of our own begins small again.
    pub fn went_well(&mut self, now: Instant) {
        self.pauses = 0;
        let is_due = self.raised_at.is_none_or(|at| now >= at + Duration::from_secs(1));
        if self.rate_permille < FULL_PERMILLE && is_due {
            self.rate_permille = (self.rate_permille + RAISE_PERMILLE).min(FULL_PERMILLE);
            self.raised_at = Some(now);
        }
    }

    /// Returns until when a 429 stops everything.
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }

    fn next_own_pause(&mut self, jitter: Jitter) -> Duration {
        let full = self.pause_first.saturating_mul(1 << self.pauses.min(16)).min(PAUSE_OWN_MAX);
        self.pauses = self.pauses.saturating_add(1);
        // Jitter adds here: coming back too early is what the 429 was about.
        full + full.saturating_mul(u32::from(jitter.0)) / 510
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn start() -> Instant {
        crate::clock::now().mono
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        let (mut limiter, start) = (Limiter::new(10, 3), start());
        let at = |ms: u64| start + Duration::from_millis(ms);
        let story = [
            // ms, may it leave, or when
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(at(100))),
            (99, Err(at(100))),
            (100, Ok(())),
            (100, Err(at(200))),
            (900, Ok(())),
            (900, Ok(())),
            (900, Ok(())),
            (900, Err(at(1_000))),
        ];
        for (ms, want) in story {
            assert_eq!(limiter.take(at(ms)), want, "at {ms} ms");
        }
    }

    #[test]
    fn pauses_follow_the_request_or_double_until_a_call_goes_well() {
        let (mut limiter, start) = (Limiter::new(100, 100), start());
        let at = |s: u64| start + Duration::from_secs(s);
        let ask = |s: u64| Some(Duration::from_secs(s));
        let story = [
            // second, asked for, pause in seconds
            (0, ask(30), 30),
            (1, ask(2), 29),
            (1, None, 29),
            (31, None, 1),
            (40, None, 2),
            (50, None, 4),
            (51, None, 3),
            (60, ask(86_400), 600),
        ];
        for (second, asked, want) in story {
            let got = limiter.pause(asked, Jitter(0), at(second));
            assert_eq!(got.as_secs(), want, "{second}s asked {asked:?}");
            assert_eq!(limiter.take(at(second)), Err(at(second + want)), "{second}s");
        }
        assert_eq!(limiter.take(at(660)), Ok(()));
        limiter.went_well(at(699));
        assert_eq!(limiter.pause(None, Jitter(255), at(700)), Duration::from_millis(1_500));
    }

    #[test]
    fn the_rate_is_halved_by_each_429_and_comes_back_bit_by_bit() {
        let (start, second) = (start(), Duration::from_secs(1));
        let mut limiter = Limiter::new(10, 1).with_floor(1, 10);
        let mut now = start;
        let mut seen = vec![limiter.rate_permille()];
        for _ in 0..5 {
            now += Duration::from_mins(2);
            limiter.pause(Some(second), Jitter(0), now);
            // More of the same burst.
            limiter.pause(Some(second), Jitter(0), now);
            seen.push(limiter.rate_permille());
        }
        assert_eq!(seen, [1_000, 500, 250, 125, 100, 100]);
        now += second;
        assert_eq!(limiter.take(now), Ok(()));
        assert_eq!(limiter.take(now), Err(now + second), "one call a second is the floor");
        for _ in 0..3 {
            now += second;
            limiter.went_well(now);
            limiter.went_well(now);
        }
        assert_eq!(limiter.rate_permille(), 250, "a second gives once");
        for _ in 0..30 {
            now += second;
            limiter.went_well(now);
        }
        assert_eq!(limiter.rate_permille(), FULL_PERMILLE);
    }

    proptest! {
        #[test]
        fn no_second_sees_more_than_the_rate_and_one_burst(
            per_s in 1..50_u32, burst in 1..20_u32, gaps in prop::collection::vec(0..200_u64, 1..200),
        ) {
            let (mut limiter, start) = (Limiter::new(per_s, burst), start());
            let mut now = start;
            let mut left = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if limiter.take(now).is_ok() {
                    left.push(now);
                }
            }
            for first in &left {
                let within = left.iter().filter(|at| *at >= first && **at < *first + Duration::from_secs(1));
                prop_assert!(within.count() <= usize::try_from(per_s + burst).unwrap());
            }
        }
    }
}
