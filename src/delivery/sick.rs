//! Cases that cannot be worked on, because a row of theirs is damaged or the program falls
//! over them: they rest alone and do not hold up the others. Pure.

use super::{cases::CaseError, rows::CaseKey};
use crate::state::StateError;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Cases that may be sick before it is taken for a fault of the store.
const SICK_MAX: usize = 64;
/// The first rest; it doubles.
const REST_FIRST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_mins(5);

/// The sick cases.
#[derive(Debug, Default)]
pub(super) struct Sick {
    cases: HashMap<CaseKey, Rest>,
}

#[derive(Debug)]
struct Rest {
    falls: u32,
    until: Instant,
    why: String,
}

impl Sick {
    /// Whether one more may be sick.
    pub(super) fn has_room(&self) -> bool {
        self.cases.len() < SICK_MAX
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.cases.len()
    }

    /// A case could not be worked on.
    pub(super) fn fell(&mut self, key: CaseKey, why: &str, now: Instant) {
        let falls = self.cases.get(&key).map_or(0, |rest| rest.falls).saturating_add(1);
        let rest = REST_FIRST.saturating_mul(1 << falls.saturating_sub(1).min(16)).min(REST_MAX);
        self.cases.insert(key, Rest { falls, until: now + rest, why: why.to_owned() });
    }

    /// A case could be worked on.
    pub(super) fn recovered(&mut self, key: &CaseKey) {
        self.cases.remove(key);
    }

    /// Whether a case is left alone now.
    pub(super) fn rests(&self, key: &CaseKey, now: Instant) -> bool {
        self.cases.get(key).is_some_and(|rest| now < rest.until)
    }

    /// Returns when the next one may be tried again.
    pub(super) fn next_in(&self, now: Instant) -> Option<Duration> {
        let resting = self.cases.values().map(|rest| rest.until).filter(|until| now < *until);
        resting.min().map(|until| until.saturating_duration_since(now))
    }

    /// Says which case cannot be worked on, and why; none when all can.
    pub(super) fn told(&self) -> Option<String> {
        let (key, rest) = self.cases.iter().min_by_key(|(key, _)| *key)?;
        let others = self.cases.len().saturating_sub(1);
        let others = if others == 0 { String::new() } else { format!(", nor on {others} others") };
        Some(format!("could not work on order {key}{others}: {}", rest.why))
    }
}

impl CaseError {
    /// Whether only this case is concerned; else the store is.
    pub(super) fn is_of_one_case(&self) -> bool {
        match self {
            Self::Row(_) => true,
            Self::Store(fault) => match fault {
                StateError::Conflict { .. }
                | StateError::TooLarge { .. }
                | StateError::Damaged { .. } => true,
                StateError::Locked
                | StateError::Superseded
                | StateError::Full
                | StateError::Closed
                | StateError::Unavailable => false,
                StateError::Unreadable { .. } | StateError::Config(_) | StateError::Store(_) => {
                    false
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sick_case_rests_alone_and_longer_each_time() {
        let start = crate::clock::now().mono;
        let at = |s| start + Duration::from_secs(s);
        let (ill, well) = (CaseKey::typed("X1"), CaseKey::typed("X2"));
        let mut sick = Sick::default();
        assert_eq!(sick.told(), None);
        sick.fell(ill.clone(), "damaged", at(0));
        assert!(sick.rests(&ill, at(0)) && !sick.rests(&well, at(0)) && !sick.rests(&ill, at(1)));
        assert_eq!(sick.next_in(at(0)), Some(Duration::from_secs(1)));
        sick.fell(ill.clone(), "damaged", at(1));
        assert!(sick.rests(&ill, at(2)) && !sick.rests(&ill, at(3)));
        for _ in 0..40 {
            sick.fell(ill.clone(), "damaged", at(3));
        }
        assert!(sick.rests(&ill, at(3 + 299)) && !sick.rests(&ill, at(3 + 300)));
        assert_eq!(sick.told().unwrap(), "could not work on order X1: damaged");
        sick.recovered(&ill);
        assert_eq!((sick.told(), sick.next_in(at(3))), (None, None));
    }
}
