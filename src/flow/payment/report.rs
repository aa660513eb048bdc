//! What the shop captured and what M3 has, by day and currency. Pure.
//!
//! Guarantees: amounts of different currencies are never added; what is not posted is named
//! payment by payment.

use super::{At, Posting, Way, rules::day_of};
use crate::amount::Amount;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One payment as a person is shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The order's key in M3.
    pub order: String,
    /// The shop's id of the payment.
    pub payment: u64,
    /// The day, UTC, `yyyy-mm-dd`.
    pub day: String,
    /// Which way the money went.
    pub way: Way,
    /// How much; never negative.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// Where it stands: `posted`, `waits`, `under-way`, `unknown` or `left`.
    pub state: String,
    /// M3's reference, or why it is not there.
    pub note: String,
}

/// One day and currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// The day, UTC.
    pub day: String,
    /// ISO 4217.
    pub currency: String,
    /// What the shop captured.
    pub captured: Amount,
    /// What it gave back.
    pub refunded: Amount,
    /// What of both M3 has: captures less refunds.
    pub posted: Amount,
    /// Captured less refunded less posted; 0 when both sides agree.
    pub difference: Amount,
    /// Payments that M3 does not have, or of which nobody knows.
    pub not_posted: u64,
}

impl Line {
    /// Shows a payment.
    pub fn of(order: &str, posting: &Posting) -> Self {
        let (state, note) = match &posting.at {
            At::Waits => ("waits", "M3 has no invoice for it yet".to_owned()),
            At::Step { sent: false, .. } => ("under-way", "it is next".to_owned()),
            At::Step { .. } | At::Silent { .. } => {
                ("unknown", "an answer was lost; it is looked for".to_owned())
            }
            At::Doubt => ("unknown", "a person has to look in M3".to_owned()),
            At::Posted { reference } => ("posted", reference.clone()),
            At::Left { why } => ("left", why.clone()),
        };
        let movement = &posting.movement;
        Self {
            order: order.to_owned(),
            payment: movement.id,
            day: day_of(movement.at_s),
            way: movement.way,
            amount: movement.amount,
            currency: movement.currency.clone(),
            state: state.to_owned(),
            note,
        }
    }

    /// Whether M3 has it.
    pub fn is_posted(&self) -> bool {
        self.state == "posted"
    }
}

/// Adds payments up by day and currency.
pub fn sums(lines: &[Line]) -> Vec<Sum> {
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry((&line.day, &line.currency)).or_insert_with(|| Sum {
            day: line.day.clone(),
            currency: line.currency.clone(),
            ..Sum::default()
        });
        let side = match line.way {
            Way::In => &mut sum.captured,
            Way::Back => &mut sum.refunded,
        };
        *side = side.plus(line.amount).unwrap_or(*side);
        let posted = match line.way {
            Way::In => sum.posted.plus(line.amount),
            Way::Back => sum.posted.minus(line.amount),
        };
        if line.is_posted() {
            sum.posted = posted.unwrap_or(sum.posted);
        } else {
            sum.not_posted = sum.not_posted.saturating_add(1);
        }
        let net = sum.captured.minus(sum.refunded).and_then(|net| net.minus(sum.posted));
        sum.difference = net.unwrap_or(sum.difference);
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(day: &str, way: Way, amount: i64, currency: &str, state: &str) -> Line {
        Line {
            order: "X1".into(),
            payment: 1,
            day: day.into(),
            way,
            amount: Amount(amount.into()),
            currency: currency.into(),
            state: state.into(),
            note: String::new(),
        }
    }

    #[test]
    fn each_day_and_currency_says_what_m3_lacks() {
        let lines = [
            line("2026-11-24", Way::In, 30, "EUR", "posted"),
            line("2026-11-24", Way::In, 12, "EUR", "waits"),
            line("2026-11-24", Way::Back, 5, "EUR", "posted"),
            line("2026-11-24", Way::In, 7, "USD", "unknown"),
            line("2026-11-25", Way::Back, 3, "EUR", "left"),
        ];
        let told: Vec<_> = sums(&lines)
            .iter()
            .map(|s| {
                let amounts = [s.captured, s.refunded, s.posted, s.difference].map(Amount::to_mi);
                format!("{} {} {} {}", s.day, s.currency, amounts.join(" "), s.not_posted)
            })
            .collect();
        let want = [
            "2026-11-24 EUR 42 5 25 12 1",
            "2026-11-24 USD 7 0 0 7 1",
            "2026-11-25 EUR 0 3 0 -3 1",
        ];
        assert_eq!(told, want);
    }
}
