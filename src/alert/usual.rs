//! How many orders usually come in each hour of the week. Pure.
//!
//! What this module guarantees:
//! 1. Nothing is called usual before an hour was watched whole in enough weeks.
//! 2. An hour in which the shop was away, or the program not running throughout, teaches nothing.
//! 3. A silence teaches nothing before it has ended, so it cannot become usual while it lasts.
//! 4. A change of the clocks for summer makes it more patient, not less: the quietest of three
//!    neighbouring hours counts.
//!
//! Hours are those of UTC. The newest weeks weigh more: each new one counts for a quarter.

use crate::clock::UnixMs;
use serde::{Deserialize, Serialize};

const HOUR_MS: u64 = 3_600_000;
const HOURS: u64 = 168;
/// How late the first look of an hour may come for the hour to count as whole.
const LATE_MS_MAX: u64 = 300_000;
/// Weeks that weigh alike; each later one counts for a share as if there were so many.
const WEEKS_ALIKE: u64 = 3;
/// Hours of one silence that can be learned.
const SILENT_MAX: usize = 168;
/// How far back hours are added up.
const BACK_HOURS_MAX: u64 = 2 * HOURS;

/// What is usual, and what came last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    hours: Vec<Hour>,
    last_ms: Option<UnixMs>,
    /// Whole hours without an order since the last one.
    silent: Vec<u64>,
    #[serde(skip)]
    current: Option<Current>,
}

/// An hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hour {
    orders_milli: u64,
    weeks: u32,
}

/// The hour that is being counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Current {
    hour: u64,
    orders: u64,
    worth: Worth,
}

/// Whether an hour can teach something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    Whole,
    Spoiled,
}

impl Default for Usual {
    fn default() -> Self {
        let hours = (0..HOURS).map(|_| Hour::default()).collect();
        Self { hours, last_ms: None, silent: Vec::new(), current: None }
    }
}

impl Usual {
    /// Takes in that so many orders came since it was last told; says whether an hour was learned.
    pub fn see(&mut self, orders: u64, now_ms: UnixMs) -> bool {
        let last_ms = self.last_ms.map_or(now_ms, |last_ms| last_ms.min(now_ms));
        self.last_ms = Some(if orders > 0 { now_ms } else { last_ms });
        if orders > 0 {
            for hour in std::mem::take(&mut self.silent) {
                self.fold(hour, 0);
            }
        }
        let hour = now_ms / HOUR_MS;
        let begun = |worth| Current { hour, orders, worth };
        let (current, learned) = match self.current {
            Some(current) if current.hour == hour => {
                let orders = current.orders.saturating_add(orders);
                (Current { orders, ..current }, false)
            }
            Some(current) if current.hour.checked_add(1) == Some(hour) => {
                (begun(Worth::Whole), self.learn(current))
            }
            Some(_) | None if now_ms % HOUR_MS <= LATE_MS_MAX => (begun(Worth::Whole), false),
            Some(_) | None => (begun(Worth::Spoiled), false),
        };
        self.current = Some(current);
        learned
    }

    /// Begins to count anew, because the clock was set; what is usual stays.
    pub fn begin_anew(&mut self, now_ms: UnixMs) {
        self.silent.clear();
        (self.last_ms, self.current) = (Some(now_ms), None);
    }

    /// Says that this hour, and the silence that it is part of, is not like others.
    pub fn spoil(&mut self) {
        self.silent.clear();
        if let Some(current) = &mut self.current {
            current.worth = Worth::Spoiled;
        }
    }

    /// Returns when the last order came, or when looking began.
    pub fn last_ms(&self) -> Option<UnixMs> {
        self.last_ms
    }

    /// Returns how many orders would usually have come since the last one, in thousandths; none
    /// while no hour since then was seen in `weeks` weeks.
    pub fn expected_milli(&self, weeks: u32, now_ms: UnixMs) -> Option<u64> {
        let last_ms = self.last_ms.filter(|last_ms| *last_ms <= now_ms)?;
        let last_hour = now_ms / HOUR_MS;
        let first_hour = (last_ms / HOUR_MS).max(last_hour.saturating_sub(BACK_HOURS_MAX));
        let mut sum = None;
        for hour in first_hour..=last_hour {
            let Some(rate) = self.rate_milli(hour, weeks) else { continue };
            let begins_ms = hour.saturating_mul(HOUR_MS);
            let ends_ms = begins_ms.saturating_add(HOUR_MS).min(now_ms);
            let overlap_ms = ends_ms.saturating_sub(begins_ms.max(last_ms));
            let share = rate.saturating_mul(overlap_ms) / HOUR_MS;
            sum = Some(sum.unwrap_or(0_u64).saturating_add(share));
        }
        sum
    }

    fn rate_milli(&self, hour: u64, weeks: u32) -> Option<u64> {
        let learned = |hour: u64| self.hour(hour).filter(|hour| hour.weeks >= weeks);
        learned(hour)?;
        let near = [hour.saturating_sub(1), hour, hour.saturating_add(1)];
        near.into_iter().filter_map(learned).map(|hour| hour.orders_milli).min()
    }

    fn hour(&self, hour: u64) -> Option<Hour> {
        let place = usize::try_from(hour % HOURS).ok()?;
        self.hours.get(place).copied()
    }

    fn learn(&mut self, current: Current) -> bool {
        match (current.worth, current.orders) {
            (Worth::Spoiled, _) => return false,
            (Worth::Whole, 0) if self.silent.len() < SILENT_MAX => self.silent.push(current.hour),
            (Worth::Whole, 0) => return false,
            (Worth::Whole, orders) => self.fold(current.hour, orders),
        }
        true
    }

    fn fold(&mut self, hour: u64, orders: u64) {
        let place = usize::try_from(hour % HOURS).unwrap_or_default();
        let Some(hour) = self.hours.get_mut(place) else { return };
        let known = u64::from(hour.weeks).min(WEEKS_ALIKE);
        let fresh = orders.saturating_mul(1_000);
        let sum = hour.orders_milli.saturating_mul(known).saturating_add(fresh);
        hour.orders_milli = sum / (known + 1);
        hour.weeks = hour.weeks.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;
    const WEEK_MS: u64 = HOURS * HOUR_MS;
    /// A Thursday, 00:00 UTC.
    const BEGIN_MS: u64 = 2_900 * WEEK_MS;

    /// Orders a minute in an hour of the week: 6 an hour from 8 to 18 on five days, else none.
    fn shop(now_ms: u64) -> u64 {
        let (hour, day) = (now_ms / HOUR_MS % 24, now_ms / HOUR_MS / 24 % 7);
        let open = (8..18).contains(&hour) && day < 5;
        u64::from(open && (now_ms / MINUTE_MS).is_multiple_of(10))
    }

    /// Watches minute by minute.
    fn watch(usual: &mut Usual, from_ms: u64, to_ms: u64, orders: impl Fn(u64) -> u64) {
        let mut now_ms = from_ms;
        while now_ms < to_ms {
            usual.see(orders(now_ms), now_ms);
            now_ms += MINUTE_MS;
        }
    }

    #[test]
    fn nothing_is_usual_before_three_weeks_were_seen() {
        let mut usual = Usual::default();
        for week in 0..5 {
            let from_ms = BEGIN_MS + week * WEEK_MS;
            // Monday's shop opens and nobody comes: the day is silent in the third week.
            let noon_ms = from_ms + 12 * HOUR_MS;
            watch(&mut usual, from_ms, noon_ms, shop);
            let expected = usual.expected_milli(3, noon_ms + 2 * HOUR_MS);
            assert_eq!(expected.is_some(), week >= 3, "week {week}: {expected:?}");
            watch(&mut usual, noon_ms, from_ms + WEEK_MS, shop);
        }
    }

    #[test]
    fn a_silence_by_day_is_noticed_and_one_by_night_is_not() {
        let mut usual = Usual::default();
        let end_ms = BEGIN_MS + 4 * WEEK_MS;
        watch(&mut usual, BEGIN_MS, end_ms, shop);
        let table = [
            // silent from hour, looked at in hour, least and most that is missing
            (9, 11, 10_000, 14_000),
            (10, 16, 34_000, 38_000),
            (18, 31, 0, 1_000),
        ];
        for (from_h, to_h, least, most) in table {
            let mut day = usual.clone();
            watch(&mut day, end_ms, end_ms + from_h * HOUR_MS, shop);
            watch(&mut day, end_ms + from_h * HOUR_MS, end_ms + to_h * HOUR_MS, |_| 0);
            let missing = day.expected_milli(3, end_ms + to_h * HOUR_MS).unwrap();
            assert!((least..=most).contains(&missing), "{from_h} to {to_h}: {missing}");
        }
        // It does not become usual while it lasts.
        let mut day = usual.clone();
        watch(&mut day, end_ms, end_ms + 18 * HOUR_MS, |_| 0);
        assert!(day.expected_milli(3, end_ms + 18 * HOUR_MS).unwrap() > 45_000);
        // A whole weekend without an order is nothing new.
        let friday_ms = end_ms + 4 * 24 * HOUR_MS + 18 * HOUR_MS;
        watch(&mut usual, end_ms, friday_ms, shop);
        let monday_ms = end_ms + WEEK_MS + 8 * HOUR_MS;
        watch(&mut usual, friday_ms, monday_ms, |_| 0);
        assert!(usual.expected_milli(3, monday_ms).unwrap() < 2_000);
    }

    #[test]
    fn a_clock_that_is_put_back_an_hour_rings_no_bell() {
        let mut usual = Usual::default();
        let end_ms = BEGIN_MS + 4 * WEEK_MS;
        watch(&mut usual, BEGIN_MS, end_ms, shop);
        // Everybody gets up an hour later by UTC.
        watch(&mut usual, end_ms, end_ms + 9 * HOUR_MS, |_| 0);
        assert!(usual.expected_milli(3, end_ms + 9 * HOUR_MS).unwrap() < 1_000);
    }

    #[test]
    fn an_hour_that_is_spoiled_or_half_seen_teaches_nothing() {
        let mut usual = Usual::default();
        assert!(!usual.see(9, BEGIN_MS + 20 * MINUTE_MS));
        assert!(!usual.see(0, BEGIN_MS + HOUR_MS), "begun after its first minutes");
        usual.spoil();
        assert!(!usual.see(0, BEGIN_MS + 2 * HOUR_MS), "spoiled");
        assert!(usual.see(0, BEGIN_MS + 3 * HOUR_MS), "whole");
        assert!(!usual.see(0, BEGIN_MS + 9 * HOUR_MS), "jumped over");
    }

    #[test]
    fn newer_weeks_weigh_more_and_what_is_stored_forgets_the_hour_under_way() {
        let mut usual = Usual::default();
        for orders in [10, 10, 10, 10, 2, 2, 2, 2, 2, 2] {
            let from_ms = BEGIN_MS + usual.last_ms.map_or(0, |last| last - BEGIN_MS + WEEK_MS);
            let from_ms = from_ms / WEEK_MS * WEEK_MS;
            usual.see(orders, from_ms);
            usual.see(0, from_ms + HOUR_MS);
            usual.last_ms = Some(from_ms);
        }
        let rate = usual.hour(BEGIN_MS / HOUR_MS).unwrap().orders_milli;
        assert!((2_000..4_000).contains(&rate), "{rate}");
        let bytes = postcard::to_stdvec(&usual).unwrap();
        let again: Usual = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((again.hours, again.current), (usual.hours, None));
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_expectation_and_no_fall() {
        let mut usual = Usual::default();
        usual.see(1, BEGIN_MS);
        usual.see(0, 1_000);
        assert_eq!(usual.last_ms(), Some(1_000));
        assert_eq!(usual.expected_milli(1, 500), None);
        usual.begin_anew(BEGIN_MS);
        assert_eq!(usual.last_ms(), Some(BEGIN_MS), "not years ago");
    }
}
