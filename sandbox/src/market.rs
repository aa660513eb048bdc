//! What happens to goods while orders flow: deliveries come in, prices and names change, new items are made.
//! And the proof that the shop has, in the end, what M3 has.
//!
//! Drawn from the seed, at counts of orders done. Judged by the books of both simulators.

use crate::{proof::Proof, setting::Setting};
use causeway_sim::{
    catalogue::Item,
    m3::{ListedPrice, PriceKey},
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The warehouse and the list that the gateway of the sandbox follows.
pub(crate) const WAREHOUSE: &str = "001";
pub(crate) const LIST: &str = "WEB";
/// The item group whose items get products.
pub(crate) const NEW_GROUP: &str = "WEBNEW";
/// First day of the prices of the simulated M3.
const FIRST_DAY: &str = "20200101";
/// Goods that differ which are named.
const EXAMPLES_MAX: usize = 10;
/// Changes for each order.
const CHANGES_PER_ORDER: usize = 2;

/// What changes, and the prices as they are by now.
pub(crate) struct Market {
    dice: fastrand::Rng,
    changes_left: usize,
    orders: usize,
    prices: HashMap<String, Decimal>,
    /// Names that M3 changed, by SKU.
    names: HashMap<String, String>,
    /// Items that M3 has made.
    made: Vec<String>,
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
    /// Those with another name.
    pub other_name: usize,
    /// New items that have no product, or several.
    pub without_product: usize,
    /// Those that only the whole reading at night made equal.
    pub found_at_night: usize,
    /// Some of those that differ, with what the shop has and should have.
    pub examples: Vec<String>,
}

impl Goods {
    /// Whether both sides have the same.
    pub(crate) fn are_equal(&self) -> bool {
        let goods = self.other_stock == 0 && self.other_price == 0 && self.other_name == 0;
        goods && self.without_product == 0
    }
}

impl Market {
    pub(crate) fn drawn(seed: u64, orders: usize) -> Self {
        Self {
            dice: fastrand::Rng::with_seed(seed ^ 0x5707),
            changes_left: orders * CHANGES_PER_ORDER,
            orders,
            prices: HashMap::new(),
            names: HashMap::new(),
            made: Vec::new(),
        }
    }

    /// Lets happen what is due when so many orders are done.
    pub(crate) fn happen(&mut self, setting: &Setting, done: usize) {
        let goods = &setting.items;
        let due = self.orders.saturating_sub(done) * CHANGES_PER_ORDER;
        while self.changes_left > due {
            self.changes_left -= 1;
            let Some(item) = goods.get(self.dice.usize(0..goods.len().max(1))) else { return };
            match self.dice.u32(0..20) {
                0..9 => {
                    let on_hand = Decimal::from(self.dice.u32(0..2_000));
                    setting.m3.set_stock(WAREHOUSE, &item.itno, on_hand);
                }
                9..16 => {
                    let price = Decimal::new(self.dice.i64(100..90_000), 2);
                    let key = PriceKey::of(LIST, &item.itno, FIRST_DAY);
                    setting.m3.set_listed_price(key, ListedPrice::plain(price));
                    self.prices.insert(item.itno.clone(), price);
                }
                16..19 => self.rename(setting, item),
                _ => self.make(setting),
            }
        }
    }

    fn rename(&mut self, setting: &Setting, item: &Item) {
        // A variant has no name of its own.
        if setting.shop.product(&item.sku).is_some() {
            let name = format!("{} {}", item.name, self.dice.u32(0..1_000));
            setting.m3.set_item_field(&item.itno, "FUDS", &name);
            self.names.insert(item.sku.clone(), name);
        }
    }

    fn make(&mut self, setting: &Setting) {
        let itno = format!("NEW-{:05}", self.made.len());
        let (sku, name) = (itno.clone(), format!("New item {}", self.made.len()));
        let price = Decimal::new(self.dice.i64(100..90_000), 2);
        let status = "20".to_owned();
        setting.m3.add_item(&Item { sku, itno: itno.clone(), alias: None, name, price, status });
        setting.m3.set_item_field(&itno, "ITGR", NEW_GROUP);
        self.made.push(itno);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.changes_left == 0
    }

    /// Compares both sides. What was ordered and is not in M3 is not for sale.
    pub(crate) fn compare(&self, setting: &Setting, proof: &Proof) -> Goods {
        let missing: HashSet<&str> =
            proof.rows.iter().filter(|row| row.holds()).map(|row| row.number.as_str()).collect();
        let mut held: HashMap<String, i64> = HashMap::new();
        for order in setting.shop.books() {
            if missing.contains(order.number.as_str()) {
                for line in &order.lines {
                    *held.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
                }
            }
        }
        let mut goods = Goods::default();
        for item in &setting.items {
            let Some((_, av02)) = setting.m3.stock(WAREHOUSE, &item.itno) else { continue };
            let free = av02 - Decimal::from(held.get(&item.sku).copied().unwrap_or(0));
            let wants = free.floor().max(Decimal::ZERO).to_i64();
            let price = self.prices.get(&item.itno).copied().unwrap_or(item.price);
            goods.compared += 1;
            let (amount, asked) = (setting.shop.amount(&item.sku), setting.shop.price(&item.sku));
            goods.other_stock += usize::from(amount != wants);
            goods.other_price += usize::from(asked != Some(price));
            if (amount != wants || asked != Some(price)) && goods.examples.len() < EXAMPLES_MAX {
                let sku = &item.sku;
                goods.examples.push(format!(
                    "{sku}: {amount:?} pieces for {asked:?}, should be {wants:?} for {price}"
                ));
            }
        }
        let is_named = |(sku, name): (&String, &String)| {
            setting
                .shop
                .product(sku)
                .is_some_and(|product| product.get("name").is_some_and(|its| its == name))
        };
        goods.other_name = self.names.iter().filter(|named| !is_named(*named)).count();
        let made = self.made.iter().filter(|itno| setting.shop.product(itno).is_some()).count();
        let products = setting.shop.products().saturating_sub(setting.products);
        goods.without_product = self.made.len().abs_diff(products).max(self.made.len() - made);
        goods
    }
}
