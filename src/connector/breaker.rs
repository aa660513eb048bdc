//! Decides whether a destination that is away is asked at all. Pure.
//!
//! Guarantees: after `failures_max` calls in a row that found nobody, calls are refused at
//! once until a pause is over; then one probe leaves, and only its success lets the others
//! follow. Pauses double up to `pause_max`.

use std::time::{Duration, Instant};

/// When to stop asking, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Calls in a row that may find nobody.
    pub failures_max: u32,
    /// The first pause.
    pub pause_first: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

/// Whether a call may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Like any other.
    Go,
    /// Alone, to see whether somebody is there.
    Probe,
    /// Not before this time.
    Refused(Instant),
}

/// What a call found out about the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Somebody answered, be it with an error.
    Somebody,
    /// Nobody did, or only "I am away".
    Nobody,
    /// Nothing: it was given up, or took too long to tell.
    Nothing,
}

/// Where the breaker stands, for metrics and the doctor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Calls leave.
    Closed,
    /// Calls are refused.
    Open,
    /// One probe is on its way or may leave.
    HalfOpen,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, opened: u32 },
    Probing { opened: u32, retry_at: Instant },
}

/// The breaker of one destination.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    state: State,
}

impl Breaker {
    /// Starts closed: calls leave.
    pub fn new(policy: Policy) -> Self {
        Self { policy, state: State::Closed { failures: 0 } }
    }

    /// Says whether a call may leave.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Go,
            State::Open { until, .. } if now < until => Admission::Refused(until),
            State::Open { opened, .. } => {
                let retry_at = now + self.pause(opened);
                self.state = State::Probing { opened, retry_at };
                Admission::Probe
            }
            State::Probing { retry_at, .. } => Admission::Refused(retry_at),
        }
    }

    /// Takes in what a call found out. `admission` is what it left with.
    pub fn found(&mut self, admission: Admission, found: Found, now: Instant) {
        match (&self.state, admission, found) {
            (State::Closed { .. }, _, Found::Somebody) => {
                self.state = State::Closed { failures: 0 };
            }
            (State::Closed { failures }, _, Found::Nobody) => {
                let failures = failures.saturating_add(1);
                self.state = if failures >= self.policy.failures_max {
                    State::Open { until: now + self.pause(0), opened: 0 }
                } else {
                    State::Closed { failures }
                };
            }
            (State::Closed { .. }, _, Found::Nothing) => {}
            (State::Probing { .. }, Admission::Probe, Found::Somebody) => {
                self.state = State::Closed { failures: 0 };
            }
            (State::Probing { opened, .. }, Admission::Probe, Found::Nobody) => {
                let opened = opened.saturating_add(1);
                self.state = State::Open { until: now + self.pause(opened), opened };
            }
            (State::Probing { opened, .. }, Admission::Probe, Found::Nothing) => {
                self.state = State::Open { until: now, opened: *opened };
            }
            // Calls that left before it opened come back late and prove nothing about now.
            (State::Probing { .. }, Admission::Go | Admission::Refused(_), _) => {}
            (State::Open { .. }, _, _) => {}
        }
    }

    /// Returns until when calls are refused, without letting a probe go.
    pub fn refused_until(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Open { until, .. } => Some(until).filter(|until| now < *until),
            State::Probing { retry_at, .. } => Some(retry_at),
            State::Closed { .. } => None,
        }
    }

    /// Returns where it stands.
    pub fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed { .. } => Standing::Closed,
            State::Open { until, .. } if now < until => Standing::Open,
            State::Open { .. } => Standing::HalfOpen,
            State::Probing { .. } => Standing::HalfOpen,
        }
    }

    fn pause(&self, opened: u32) -> Duration {
        self.policy.pause_first.saturating_mul(1 << opened.min(16)).min(self.policy.pause_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        failures_max: 3,
        pause_first: Duration::from_secs(5),
        pause_max: Duration::from_secs(15),
    };

    #[derive(Debug)]
    enum Step {
        Admit(Want),
        Back(Found),
        Late(Found),
        Stands(Standing),
    }

    #[derive(Debug, PartialEq)]
    enum Want {
        Go,
        Probe,
        Until(u64),
    }

    #[test]
    fn it_opens_probes_alone_and_closes_only_when_somebody_answers() {
        use {Found::*, Standing::*, Step::*, Want::*};
        let start = crate::clock::now().mono;
        let at = |s: u64| start + Duration::from_secs(s);
        let mut breaker = Breaker::new(POLICY);
        let story = [
            (0, Admit(Go)),
            (0, Back(Nobody)),
            (0, Back(Nobody)),
            (0, Back(Somebody)),
            (1, Back(Nobody)),
            (1, Back(Nothing)),
            (1, Back(Nobody)),
            (1, Stands(Closed)),
            (1, Admit(Go)),
            (1, Back(Nobody)),
            (1, Stands(Open)),
            (1, Admit(Until(6))),
            (2, Late(Somebody)),
            (5, Admit(Until(6))),
            (6, Stands(HalfOpen)),
            (6, Admit(Probe)),
            (6, Admit(Until(11))),
            (6, Late(Somebody)),
            (6, Admit(Until(11))),
            (7, Back(Nobody)),
            (7, Admit(Until(17))),
            (17, Admit(Probe)),
            (17, Back(Nothing)),
            (17, Admit(Probe)),
            (18, Back(Nobody)),
            (18, Admit(Until(33))),
            (33, Admit(Probe)),
            (33, Back(Somebody)),
            (33, Stands(Closed)),
            (33, Admit(Go)),
        ];
        let mut last = Admission::Go;
        for (second, step) in story {
            let told = format!("{second}s {step:?}");
            match step {
                Admit(want) => {
                    let got = breaker.admit(at(second));
                    let shown = match got {
                        Admission::Go => Go,
                        Admission::Probe => Probe,
                        Admission::Refused(until) => Until(until.duration_since(start).as_secs()),
                    };
                    assert_eq!(shown, want, "{told}");
                    if !matches!(got, Admission::Refused(_)) {
                        last = got;
                    }
                }
                Back(found) => breaker.found(last, found, at(second)),
                Late(found) => breaker.found(Admission::Go, found, at(second)),
                Stands(want) => assert_eq!(breaker.standing(at(second)), want, "{told}"),
            }
        }
    }
}
