//! When orders come: evenly, as fast as it goes, or as on a business day. Pure.

use crate::args::Args;
use std::time::Duration;

/// Orders that are placed at once when they come as fast as it goes.
const BURST: usize = 50;
/// How much of a day's orders comes in each hour, in parts of a thousand: few at night, most in the evening.
const SHARES: [usize; 24] =
    [10, 6, 4, 3, 4, 8, 18, 30, 44, 56, 62, 64, 62, 56, 52, 50, 52, 58, 68, 80, 86, 68, 40, 19];

/// How orders come.
pub(crate) struct Day {
    orders: usize,
    rate: usize,
    is_business: bool,
}

impl Day {
    pub(crate) fn of(args: &Args) -> Self {
        let rate = usize::try_from(args.rate).unwrap_or(usize::MAX);
        Self { orders: args.orders(), rate, is_business: args.day }
    }

    /// How many orders the shop should have taken by now, where it has taken so many.
    pub(crate) fn orders_by(&self, passed: Duration, taken: usize) -> usize {
        let due = match self.rate {
            0 => taken + BURST,
            _ if self.is_business => self.curve(self.minute(passed)),
            rate => ms(passed).saturating_mul(rate) / 1_000 + 1,
        };
        due.min(self.orders)
    }

    /// The time of day, as `14:05`.
    pub(crate) fn hour(&self, passed: Duration) -> String {
        let minute = self.minute(passed).min(24 * 60 - 1);
        format!("{:02}:{:02}", minute / 60, minute % 60)
    }

    /// A day lasts as long as its orders at the mean rate.
    fn minute(&self, passed: Duration) -> usize {
        let day_ms = (self.orders * 1_000 / self.rate.max(1)).max(1);
        ms(passed).saturating_mul(24 * 60) / day_ms
    }

    fn curve(&self, minute: usize) -> usize {
        let (hour, rest) = (minute / 60, minute % 60);
        let before: usize = SHARES.iter().take(hour).sum();
        let now = SHARES.get(hour).copied().unwrap_or(0);
        let whole: usize = SHARES.iter().sum();
        self.orders * (before * 60 + now * rest) / (whole * 60)
    }
}

fn ms(passed: Duration) -> usize {
    usize::try_from(passed.as_millis()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_brings_all_its_orders_and_most_of_them_in_the_evening() {
        let day = Day { orders: 3_000, rate: 25, is_business: true };
        let at = |share: u32| day.orders_by(Duration::from_mins(2) * share / 24, 0);
        assert_eq!((at(0), at(24), at(30)), (0, 3_000, 3_000));
        assert!(at(21) - at(20) > 10 * (at(4) - at(3)), "evening and night");
        assert!((1..=24).all(|hour| at(hour) >= at(hour - 1)));
        assert_eq!(day.hour(Duration::from_mins(1)), "12:00");
        assert_eq!(day.hour(Duration::from_mins(10)), "23:59");
        let even = Day { is_business: false, ..day };
        assert_eq!(even.orders_by(Duration::from_secs(4), 0), 101);
    }
}
