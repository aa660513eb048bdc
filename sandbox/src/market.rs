//! What happens to goods while orders flow: deliveries come in, prices change. And the proof that the shop
//! has, in the end, what M3 has.
//!
//! Drawn from the seed, at counts of orders done. Judged by the books of both simulators.

use crate::{proof::Proof, setting::Setting};
use causeway_sim::m3::{ListedPrice, PriceKey};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The warehouse and the list that the gateway of the sandbox follows.
pub(crate) const WAREHOUSE: &str = "001";
pub(crate) const LIST: &str = "WEB";
/// First day of the prices of the simulated M3.
const FIRST_DAY: &str = "20200101";
/// Changes for each order.
const CHANGES_PER_ORDER: usize = 2;

/// What changes, and the prices as they are by now.
pub(crate) struct Market {
    dice: fastrand::Rng,
    changes_left: usize,
    orders: usize,
    prices: HashMap<String, Decimal>,
}

/// How the goods of both sides compare.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Goods {
    /// Goods that were compared.
    pub compared: usize,
    /// Those of which the shop has another number of pieces.
    pub other_stock: usize,
    /// Those that cost something else in the shop.
    pub other_price: usize,
}

impl Goods {
    /// Whether both sides have the same.
    pub(crate) fn are_equal(&self) -> bool {
        self.other_stock == 0 && self.other_price == 0
    }
}

impl Market {
    pub(crate) fn drawn(seed: u64, orders: usize) -> Self {
        Self {
            dice: fastrand::Rng::with_seed(seed ^ 0x5707),
            changes_left: orders * CHANGES_PER_ORDER,
            orders,
            prices: HashMap::new(),
        }
    }

    /// Lets happen what is due when so many orders are done.
    pub(crate) fn happen(&mut self, setting: &Setting, done: usize) {
        let goods = setting.shop.goods();
        let due = self.orders.saturating_sub(done) * CHANGES_PER_ORDER;
        while self.changes_left > due {
            self.changes_left -= 1;
            let Some(item) = goods.get(self.dice.usize(0..goods.len().max(1))) else { return };
            if self.dice.bool() {
                let on_hand = Decimal::from(self.dice.u32(0..2_000));
                setting.m3.set_stock(WAREHOUSE, &item.itno, on_hand);
            } else {
                let price = Decimal::new(self.dice.i64(100..90_000), 2);
                let key = PriceKey::of(LIST, &item.itno, FIRST_DAY);
                setting.m3.set_listed_price(key, ListedPrice::plain(price));
                self.prices.insert(item.itno.clone(), price);
            }
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.changes_left == 0
    }

    /// Compares both sides. What was ordered and is not in M3 is not for sale.
    pub(crate) fn compare(&self, setting: &Setting, proof: &Proof) -> Goods {
        let missing: HashSet<&str> = proof
            .rows
            .iter()
            .filter(|row| row.orno == "-")
            .map(|row| row.number.as_str())
            .collect();
        let mut held: HashMap<String, i64> = HashMap::new();
        for order in setting.shop.books() {
            if missing.contains(order.number.as_str()) {
                for line in &order.lines {
                    *held.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
                }
            }
        }
        let mut goods = Goods::default();
        for item in setting.shop.goods() {
            let Some((_, av02)) = setting.m3.stock(WAREHOUSE, &item.itno) else { continue };
            let free = av02 - Decimal::from(held.get(&item.sku).copied().unwrap_or(0));
            let wants = free.floor().max(Decimal::ZERO).to_i64();
            let price = self.prices.get(&item.itno).copied().unwrap_or(item.price);
            goods.compared += 1;
            goods.other_stock += usize::from(setting.shop.amount(&item.sku) != wants);
            goods.other_price += usize::from(setting.shop.price(&item.sku) != Some(price));
        }
        goods
    }
}
