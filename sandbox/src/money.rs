//! Whether M3 has each payment that the shop captured, once. Pure.

use crate::proof::{Proof, key_of};
use causeway_sim::{m3::Books, xcart::BookedOrder};
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::HashMap;

/// How the money of both sides compares.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Money {
    /// Orders whose payments are in M3, each once and whole.
    pub posted: usize,
    /// Orders of which M3 lacks money, or has another sum.
    pub other: usize,
    /// Payments that M3 has more than once.
    pub doubled: usize,
}

impl Money {
    /// Compares the orders that M3 has invoiced.
    pub(crate) fn of(proof: &Proof, shop: &[BookedOrder], m3: &Books) -> Self {
        let mut money = Self::default();
        let mut sums: HashMap<&str, Decimal> = HashMap::new();
        let mut keys: HashMap<&str, usize> = HashMap::new();
        for payment in m3.payments.iter().filter(|payment| payment.whole) {
            let times = keys.entry(&payment.key).or_default();
            *times += 1;
            money.doubled += usize::from(*times > 1);
            let order = payment.key.rsplit_once('-').map_or("", |(order, _)| order);
            *sums.entry(order).or_default() += payment.amount;
        }
        for (order, row) in shop.iter().zip(&proof.rows) {
            if row.is_in_m3() && order.captured > Decimal::ZERO {
                let sum = sums.get(key_of(&order.number).as_str()).copied().unwrap_or_default();
                let count =
                    if sum == order.captured { &mut money.posted } else { &mut money.other };
                *count += 1;
            }
        }
        money
    }

    /// Whether each payment is there once.
    pub(crate) fn is_equal(&self) -> bool {
        self.other == 0 && self.doubled == 0
    }
}
