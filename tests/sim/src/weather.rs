//! What goes wrong on the way to a system and back, decided by dice.
//!
//! The presets run in fast motion: waits that are minutes in reality are fractions of
//! a second. Real values can be set field by field. Pure.

use crate::dice::Dice;
use std::{ops::RangeInclusive, time::Duration};

/// How often which thing goes wrong, per thousand calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// How long a call takes when nothing is wrong.
    pub latency_ms: RangeInclusive<u64>,
    /// Answered 429.
    pub too_many_permille: u32,
    /// Whether a 429 tells when to come back (then half of them do).
    pub retry_after: bool,
    /// What such a 429 tells.
    pub retry_after_s: RangeInclusive<u64>,
    /// Answered 401 although the credential is good.
    pub unauthorized_permille: u32,
    /// Answered 500, 502 or 503 with a page of HTML, the work not done.
    pub server_error_permille: u32,
    /// Connection closed, the work not done.
    pub cut_before_permille: u32,
    /// Work done, connection closed without an answer.
    pub cut_after_permille: u32,
    /// Answered 504 while the work is done later.
    pub still_executing_permille: u32,
    /// How long the gateway in front waits before it answers 504.
    pub gateway_ms: u64,
    /// How much later than the call the work may be done, at most.
    pub late_ms_max: u64,
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// 429.
    TooMany {
        /// `Retry-After`, when there is one.
        retry_after_s: Option<u64>,
    },
    /// 401.
    Unauthorized,
    /// This status with a page of HTML; the work is not done.
    ServerError(u16),
    /// Closed before the work.
    CutBefore,
    /// Closed after the work.
    CutAfter,
    /// 504, and the work is done later.
    StillExecuting {
        /// So long after the call.
        late_ms: u64,
    },
}

impl Weather {
    /// Nothing goes wrong and nothing takes time.
    pub fn calm() -> Self {
        Self {
            latency_ms: 0..=0,
            too_many_permille: 0,
            retry_after: true,
            retry_after_s: 1..=1,
            unauthorized_permille: 0,
            server_error_permille: 0,
            cut_before_permille: 0,
            cut_after_permille: 0,
            still_executing_permille: 0,
            gateway_ms: 200,
            late_ms_max: 1_500,
        }
    }

    /// About one call in thirty suffers something.
    pub fn breezy() -> Self {
        Self {
            latency_ms: 0..=15,
            too_many_permille: 8,
            unauthorized_permille: 4,
            server_error_permille: 8,
            cut_before_permille: 5,
            cut_after_permille: 4,
            still_executing_permille: 4,
            late_ms_max: 600,
            ..Self::calm()
        }
    }

    /// About one call in seven suffers something.
    pub fn storm() -> Self {
        Self {
            latency_ms: 0..=40,
            too_many_permille: 35,
            unauthorized_permille: 15,
            server_error_permille: 35,
            cut_before_permille: 20,
            cut_after_permille: 25,
            still_executing_permille: 20,
            ..Self::calm()
        }
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "calm" => Some(Self::calm()),
            "breezy" => Some(Self::breezy()),
            "storm" => Some(Self::storm()),
            _ => None,
        }
    }

    /// What goes wrong with the next call.
    pub fn decide(&self, dice: &mut Dice) -> Fault {
        let mut throw = dice.below(1000);
        let mut falls_in = |permille: u32| {
            let width = u64::from(permille);
            let hit = throw < width;
            throw = if hit { 1000 } else { throw - width.min(throw) };
            hit
        };
        if falls_in(self.too_many_permille) {
            let told = self.retry_after && dice.permille(500);
            let retry_after_s = told.then(|| dice.range(self.retry_after_s.clone()));
            return Fault::TooMany { retry_after_s };
        }
        if falls_in(self.unauthorized_permille) {
            return Fault::Unauthorized;
        }
        if falls_in(self.server_error_permille) {
            return Fault::ServerError(*dice.pick(&[500, 502, 503]));
        }
        if falls_in(self.cut_before_permille) {
            return Fault::CutBefore;
        }
        if falls_in(self.cut_after_permille) {
            return Fault::CutAfter;
        }
        if falls_in(self.still_executing_permille) {
            let late_ms = dice.range(self.gateway_ms..=self.late_ms_max.max(self.gateway_ms));
            return Fault::StillExecuting { late_ms };
        }
        Fault::None
    }

    /// How long the next call takes.
    pub fn latency(&self, dice: &mut Dice) -> Duration {
        Duration::from_millis(dice.range(self.latency_ms.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Weather};
    use crate::dice::Dice;

    #[test]
    fn a_storm_hurts_one_call_in_seven_and_calm_hurts_none() {
        let mut dice = Dice::new(3);
        let table = [("calm", 0..=0), ("breezy", 20..=50), ("storm", 120..=180)];
        for (name, want) in table {
            let weather = Weather::named(name).unwrap();
            let hurt = (0..10_000).filter(|_| weather.decide(&mut dice) != Fault::None).count();
            assert!(want.contains(&(hurt / 10)), "{name}: {hurt} of 10000");
        }
        assert_eq!(Weather::named("fair"), None);
    }

    #[test]
    fn every_kind_of_fault_occurs_about_as_often_as_asked() {
        let mut dice = Dice::new(5);
        let storm = Weather::storm();
        let faults: Vec<_> = (0..20_000).map(|_| storm.decide(&mut dice)).collect();
        let share = |of: fn(&Fault) -> bool| faults.iter().filter(|f| of(f)).count() / 20;
        let rows = [
            (storm.too_many_permille, share(|f| matches!(f, Fault::TooMany { .. }))),
            (storm.unauthorized_permille, share(|f| matches!(f, Fault::Unauthorized))),
            (storm.server_error_permille, share(|f| matches!(f, Fault::ServerError(_)))),
            (storm.cut_before_permille, share(|f| matches!(f, Fault::CutBefore))),
            (storm.cut_after_permille, share(|f| matches!(f, Fault::CutAfter))),
            (storm.still_executing_permille, share(|f| matches!(f, Fault::StillExecuting { .. }))),
        ];
        for (want, got) in rows {
            assert!(usize::try_from(want).unwrap().abs_diff(got) <= 6, "{want} wanted, {got} got");
        }
    }
}
