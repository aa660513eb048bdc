//! The one way to a destination: at most so many calls at once and per second, none
//! while it is away.
//!
//! Guarantees: a call that the gate refuses was never sent ([`Fate::NotDone`]) and is told when to
//! come back; nobody waits longer than `wait_ms_max`; a [`Pass`] that is dropped without a
//! word gives its place back and proves nothing.

use super::{
    Class, Failure, Fate,
    breaker::{Admission, Breaker, Found, Policy, Standing},
    limiter::{Limiter, PAUSE_FIRST},
};
use crate::{clock, metrics::Calls, retry::Jitter};
use serde::Deserialize;
use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// What is closed is not looked at again sooner.
const CLOSED_MIN: Duration = Duration::from_millis(100);

/// How hard one destination may be pressed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Calls on their way at the same time.
    pub concurrency_max: u32,
    /// Calls a second, over time.
    pub calls_per_s_max: u32,
    /// The fewest calls a second that answers of 429 can bring it down to.
    pub calls_per_s_min: u32,
    /// Calls that may leave together after a rest.
    pub burst_max: u32,
    /// How long a call waits for its turn before it is refused.
    pub wait_ms_max: u64,
    /// First pause after a 429 that does not say how long; it doubles with each further one.
    pub pause_ms_first: u64,
    /// Calls in a row that find nobody before the destination is taken for away.
    pub failures_max: u32,
    /// First pause while it is away.
    pub away_ms_first: u64,
    /// Longest pause while it is away.
    pub away_ms_max: u64,
}

impl Default for Settings {
    /// Gentle: shops and M3 are slow, and 2 to 4 calls at once is what both bear
    /// (reference/m3.md 9.1, reference/xcart.md 12).
    fn default() -> Self {
        Self {
            concurrency_max: 3,
            calls_per_s_max: 10,
            calls_per_s_min: 1,
            burst_max: 10,
            wait_ms_max: 60_000,
            pause_ms_first: clock::millis(PAUSE_FIRST),
            failures_max: 5,
            away_ms_first: 5_000,
            away_ms_max: 60_000,
        }
    }
}

/// What the gate looks like, for metrics and the doctor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Where the circuit breaker stands.
    pub breaker: Standing,
    /// Seconds until a pause after 429 ends; 0 when there is none.
    pub paused_s: u64,
    /// How much of `calls_per_s_max` is used, in thousandths; less after answers of 429.
    pub rate_permille: u32,
    /// Calls on their way.
    pub in_flight: usize,
}

/// The gate of one destination. Shared by reference.
#[derive(Debug)]
pub struct Gate {
    places: Semaphore,
    places_max: usize,
    wait_max: Duration,
    inner: Mutex<Inner>,
    counter: OnceLock<Counter>,
    /// Cancelled when nothing is to be sent any more.
    ended: CancellationToken,
}

/// Where calls are counted, and under which name.
#[derive(Debug)]
struct Counter {
    calls: Calls,
    destination: &'static str,
}

#[derive(Debug)]
struct Inner {
    limiter: Limiter,
    breaker: Breaker,
}

/// Leave to send one call. Say with [`Pass::done`] how it went.
#[must_use = "a pass that is dropped proves nothing about the destination"]
#[derive(Debug)]
pub struct Pass<'a> {
    gate: &'a Gate,
    admission: Admission,
    _place: SemaphorePermit<'a>,
}

impl Gate {
    /// Starts open, full and empty.
    pub fn new(settings: &Settings) -> Self {
        let places_max = usize::try_from(settings.concurrency_max.max(1)).unwrap_or(1);
        let policy = Policy {
            failures_max: settings.failures_max.max(1),
            pause_first: Duration::from_millis(settings.away_ms_first.max(1)),
            pause_max: Duration::from_millis(settings.away_ms_max.max(1)),
        };
        let limiter = Limiter::new(settings.calls_per_s_max, settings.burst_max)
            .with_floor(settings.calls_per_s_min, settings.calls_per_s_max)
            .with_pause_first(Duration::from_millis(settings.pause_ms_first));
        Self {
            places: Semaphore::new(places_max),
            places_max,
            wait_max: Duration::from_millis(settings.wait_ms_max),
            inner: Mutex::new(Inner { limiter, breaker: Breaker::new(policy) }),
            counter: OnceLock::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Counts every call from here on; a second counter is not taken.
    pub fn count_in(&self, calls: Calls, destination: &'static str) {
        let _ = self.counter.set(Counter { calls, destination });
    }

    /// Ends it: whoever waits for leave is refused at once, what is on its way is not touched.
    pub fn end(&self) {
        self.places.close();
        self.ended.cancel();
    }

    /// Waits for leave to send one call.
    pub async fn enter(&self) -> Result<Pass<'_>, Failure> {
        let now = clock::now().mono;
        let deadline = now + self.wait_max;
        if let Some(until) = self.refused_until(now) {
            return Err(held(until, now));
        }
        let place = timeout_at(deadline.into(), self.places.acquire()).await;
        let Ok(Ok(place)) = place else {
            return Err(busy("too many calls are waiting", None));
        };
        self.take_token(deadline).await?;
        let now = clock::now().mono;
        let admitted = self.lock().breaker.admit(now);
        match admitted {
            Admission::Refused(until) => Err(held(until, now)),
            admission @ (Admission::Go | Admission::Probe) => {
                Ok(Pass { gate: self, admission, _place: place })
            }
        }
    }

    /// Returns what the gate looks like.
    pub fn state(&self) -> State {
        let now = clock::now().mono;
        let inner = self.lock();
        let paused = inner.limiter.paused_until(now).map(|until| seconds(until, now));
        State {
            breaker: inner.breaker.standing(now),
            paused_s: paused.unwrap_or(0),
            rate_permille: inner.limiter.rate_permille(),
            in_flight: self.places_max.saturating_sub(self.places.available_permits()),
        }
    }

    /// Returns how long nothing is sent: the destination is away, or has asked for a pause.
    ///
    /// While a single probe is on its way it is the time until the next one, at least 100 ms.
    pub fn closed_for(&self) -> Option<Duration> {
        let now = clock::now().mono;
        let inner = self.lock();
        let paused = inner.limiter.paused_until(now);
        let until = inner.breaker.refused_until(now).into_iter().chain(paused).max();
        drop(inner);
        until.map(|until| until.saturating_duration_since(now).max(CLOSED_MIN))
    }

    fn refused_until(&self, now: Instant) -> Option<Instant> {
        self.lock().breaker.refused_until(now)
    }

    async fn take_token(&self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let now = clock::now().mono;
            let taken = self.lock().limiter.take(now);
            match taken {
                Ok(()) => return Ok(()),
                Err(at) if at > deadline => {
                    let paused = self.lock().limiter.paused_until(now);
                    return Err(match paused {
                        Some(until) => held(until, now),
                        None => busy("calls are too many", Some(seconds(at, now))),
                    });
                }
                Err(at) => {
                    let waited = self.ended.run_until_cancelled(sleep_until(at.into())).await;
                    if waited.is_none() {
                        return Err(held(at, now));
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves whole values behind: nothing here is half-written.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says how the call went: no failure, or this one.
    pub fn done(mut self, failure: Option<&Failure>) {
        if let Some(Counter { calls, destination }) = self.gate.counter.get() {
            calls.count(destination, failure.map_or("ok", |failure| failure.class.name()));
        }
        let now = clock::now().mono;
        let mut inner = self.gate.lock();
        match failure {
            None => inner.limiter.went_well(now),
            Some(failure) if failure.class == Class::RateLimited => {
                let asked = failure.retry_after_s.map(Duration::from_secs);
                inner.limiter.pause(asked, Jitter(fastrand::u8(..)), now);
            }
            Some(_) => {}
        }
        let found = failure.map_or(Found::Somebody, |failure| found(failure.class));
        inner.breaker.found(self.admission, found, now);
        self.admission = Admission::Go;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.admission == Admission::Probe {
            let now = clock::now().mono;
            self.gate.lock().breaker.found(Admission::Probe, Found::Nothing, now);
        }
    }
}

fn found(class: Class) -> Found {
    match class {
        Class::Unreachable => Found::Nobody,
        Class::Unavailable => Found::Nobody,
        Class::TimedOut => Found::Nothing,
        Class::RateLimited => Found::Somebody,
        Class::Held => Found::Nothing,
        Class::Broken => Found::Somebody,
        Class::Unauthorized => Found::Somebody,
        Class::Forbidden => Found::Somebody,
        Class::NotFound => Found::Somebody,
        Class::Exists => Found::Somebody,
        Class::Locked => Found::Somebody,
        Class::Data => Found::Somebody,
        Class::Config => Found::Somebody,
        Class::State => Found::Somebody,
        Class::Unclassified => Found::Somebody,
    }
}

fn held(until: Instant, now: Instant) -> Failure {
    let text = "not asked: it was away a moment ago, or has asked for a pause";
    Failure::new(Fate::NotDone, Class::Held, text).with_retry_after_s(Some(seconds(until, now)))
}

fn busy(text: &str, retry_after_s: Option<u64>) -> Failure {
    Failure::new(Fate::NotDone, Class::RateLimited, text).with_retry_after_s(retry_after_s)
}

/// Returns whole seconds from `now` to `until`, rounded up, at least 1.
fn seconds(until: Instant, now: Instant) -> u64 {
    let left = until.saturating_duration_since(now);
    left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(change: impl FnOnce(&mut Settings)) -> Gate {
        let mut settings = Settings::default();
        change(&mut settings);
        Gate::new(&settings)
    }

    fn failure(class: Class) -> Failure {
        Failure::new(Fate::NotDone, class, "")
    }

    #[tokio::test(start_paused = true)]
    async fn a_destination_that_is_away_is_asked_once_a_pause_and_no_call_waits_for_it() {
        let gate = gate(|s| s.failures_max = 2);
        for _ in 0..2 {
            gate.enter().await.unwrap().done(Some(&failure(Class::Unreachable)));
        }
        assert_eq!(gate.state().breaker, Standing::Open);
        let refused = gate.enter().await.unwrap_err();
        let told = (refused.fate, refused.class, refused.retry_after_s);
        assert_eq!(told, (Fate::NotDone, Class::Held, Some(5)));

        tokio::time::advance(Duration::from_secs(5)).await;
        let probe = gate.enter().await.unwrap();
        assert_eq!(gate.enter().await.unwrap_err().class, Class::Held);
        drop(probe);
        gate.enter().await.unwrap().done(None);
        assert_eq!(gate.state().breaker, Standing::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_pauses_everybody_for_as_long_as_was_asked() {
        let gate = gate(|s| s.wait_ms_max = 20_000);
        let limited = failure(Class::RateLimited).with_retry_after_s(Some(15));
        gate.enter().await.unwrap().done(Some(&limited));
        assert_eq!(gate.state().paused_s, 15);
        let before = clock::now().mono;
        gate.enter().await.unwrap().done(Some(&limited.with_retry_after_s(Some(30))));
        assert_eq!(clock::now().mono.duration_since(before).as_secs(), 15);
        let refused = gate.enter().await.unwrap_err();
        assert_eq!((refused.fate, refused.retry_after_s), (Fate::NotDone, Some(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_nobody_waits_for_leave_any_more() {
        let gate = gate(|s| (s.calls_per_s_max, s.burst_max, s.concurrency_max) = (1, 1, 2));
        gate.enter().await.unwrap().done(None);
        let (waiting, ended) = tokio::join!(gate.enter(), async { gate.end() });
        assert_eq!((waiting.unwrap_err().fate, ended), (Fate::NotDone, ()));
        assert_eq!(gate.enter().await.unwrap_err().fate, Fate::NotDone);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_finds_no_place_in_time_was_not_sent() {
        let gate = gate(|s| s.concurrency_max = 1);
        let first = gate.enter().await.unwrap();
        assert_eq!(gate.state().in_flight, 1);
        assert_eq!(gate.enter().await.unwrap_err().fate, Fate::NotDone);
        first.done(Some(&failure(Class::Data)));
        assert_eq!(gate.state().in_flight, 0);
        gate.enter().await.unwrap().done(None);
    }
}
