//! Status writes whose answer was lost. Pure.
//!
//! Writing a status twice does no harm, but a lost write may be carried out late, after
//! its successor: the shop then shows "processing" for goods that have left. So after
//! the quiescence time the shop is read again, and a status that only a lost write can
//! have set is written over. A status that somebody chose is left alone.

use super::{Follow, Tell};
use crate::flow::steady::{Pause, Steady};
use serde::{Deserialize, Serialize};

/// Lost writes that are remembered.
const LOST_MAX: usize = 8;

/// Lost writes, and when the last of them can no longer be running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Doubt {
    quiet: Pause,
    lost: Vec<Tell>,
}

impl Follow {
    /// The answer to the write that is due was lost; it may be carried out until that is over.
    pub fn lose(&mut self, quiet: Pause) {
        let Some(tell @ (Tell::Shipping(_) | Tell::Payment(_))) = self.next().cloned() else {
            return;
        };
        let doubt = self.doubt.get_or_insert(Doubt { quiet, lost: Vec::new() });
        doubt.quiet = quiet;
        if !doubt.lost.contains(&tell) && doubt.lost.len() < LOST_MAX {
            doubt.lost.push(tell);
        }
    }

    /// In how many milliseconds the shop is to be read again; none when nothing was lost.
    pub fn doubt_left_ms(&self, now: Steady) -> Option<u64> {
        self.doubt.as_ref().map(|doubt| doubt.quiet.left_ms(now))
    }

    /// Takes in the statuses that the shop has.
    pub fn shop_shows(&mut self, shipping: &str, payment: &str, now: Steady) {
        let Some(doubt) = self.doubt.take_if(|doubt| doubt.quiet.left_ms(now) == 0) else { return };
        let overwritten = |tell: Tell, told: &str, wanted: bool| {
            let differs = match &tell {
                Tell::Shipping(code) | Tell::Payment(code) => code != told,
                Tell::Tracking(_) | Tell::Note(_) => false,
            };
            differs && wanted && doubt.lost.contains(&tell)
        };
        let (told, wanted) = (self.shipping.clone(), !self.is_due(&Tell::is_shipping));
        if overwritten(Tell::Shipping(shipping.to_owned()), &told, wanted && !told.is_empty()) {
            self.due.push(Tell::Shipping(told));
        }
        let (told, wanted) = (self.payment.clone(), !self.is_due(&Tell::is_payment));
        if overwritten(Tell::Payment(payment.to_owned()), &told, wanted && !told.is_empty()) {
            self.due.push(Tell::Payment(told));
        }
    }

    fn is_due(&self, kind: &dyn Fn(&Tell) -> bool) -> bool {
        self.due.iter().any(kind)
    }
}

impl Tell {
    const fn is_shipping(&self) -> bool {
        matches!(self, Self::Shipping(_))
    }

    const fn is_payment(&self) -> bool {
        matches!(self, Self::Payment(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::rules::StatusRules;

    fn at(ms: u64) -> Steady {
        Steady { boot: 1, ms }
    }

    fn lost_processing_then_shipped() -> Follow {
        let mut follow = Follow::new(&StatusRules::default());
        follow.lose(at(0).pause(1_000));
        follow.told();
        follow.due.push(Tell::Shipping("S".into()));
        follow.told();
        follow
    }

    #[test]
    fn a_lost_status_that_came_late_is_written_over() {
        let table = [
            // shop's status, when it is read, what is written
            ("P", 999, vec![]),
            ("P", 1_000, vec![Tell::Shipping("S".into())]),
            ("S", 1_000, vec![]),
            // Somebody chose that.
            ("D", 1_000, vec![]),
        ];
        for (shipping, now_ms, want) in table {
            let mut follow = lost_processing_then_shipped();
            follow.shop_shows(shipping, "P", at(now_ms));
            assert_eq!(follow.due, want, "{shipping} at {now_ms}");
            assert_eq!(follow.doubt_left_ms(at(now_ms)).is_some(), now_ms < 1_000);
        }
    }

    #[test]
    fn a_newer_status_that_is_due_needs_no_repair() {
        let mut follow = lost_processing_then_shipped();
        follow.due.push(Tell::Shipping("R".into()));
        follow.shop_shows("P", "P", at(1_000));
        assert_eq!(follow.due, vec![Tell::Shipping("R".into())]);
    }
}
