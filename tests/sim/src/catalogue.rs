//! The goods that both simulated systems know.
//!
//! Guarantees: the same seed and count give the same goods; SKU, ITNO and alias are unique;
//! an ITNO is a valid one (upper case, at most [`ITNO_LEN_MAX`] characters); a SKU that is not
//! its own ITNO has an alias that fits POPN (reference/m3.md 4.2). Pure.

use crate::dice::Dice;
use rust_decimal::Decimal;

/// The longest item number of M3.
pub const ITNO_LEN_MAX: usize = 15;
/// The longest alias of M3 (POPN); the shop itself would take a SKU of 32 characters.
pub const POPN_LEN_MAX: usize = 30;
/// So many goods at the front are always plain and active, for tests that name them.
pub const PLAIN_AT_FRONT: usize = 8;

/// One product of the shop and the M3 item that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What the shop calls it.
    pub sku: String,
    /// What M3 calls it, at most 15 characters.
    pub itno: String,
    /// The alias under which M3 knows the shop's name: category (ALWT) and number (POPN).
    pub alias: Option<(String, String)>,
    /// Its name.
    pub name: String,
    /// Its price for one.
    pub price: Decimal,
    /// Its status in M3: 20 is active.
    pub status: String,
}

impl Item {
    /// Whether M3 takes an order for it.
    pub fn is_active(&self) -> bool {
        self.status == "20"
    }
}

const KINDS: [&str; 10] =
    ["TSHIRT", "MUG", "BOLT", "LAMP", "CABLE", "PUMP", "VALVE", "CHAIR", "PAPER", "GLOVE"];
const COLOURS: [&str; 8] = ["RED", "BLUE", "GREEN", "BLACK", "WHITE", "SILVER", "AMBER", "VIOLET"];
const FINISHES: [&str; 4] = ["MATT", "GLOSS", "BRUSHED", "RAW"];
const NAMES: [&str; 8] = [
    "T-shirt \"Größe L\" <cotton & linen>",
    "Kaffeebecher, weiß",
    "Śruba sześciokątna M8×40",
    "Лампа настольная",
    "電源ケーブル 2m",
    "Pump / Pumpe / Pompe à eau",
    "Chaise d'école – très légère",
    "Paper A4, 80 g/m², 500 sheets",
];

/// Makes `count` goods. Most SKUs are their own ITNO, some are longer than that and some are
/// EANs, both known to M3 as an alias only; a few are blocked in M3.
pub fn items(seed: u64, count: usize) -> Vec<Item> {
    let mut dice = Dice::new(seed).fork("catalogue");
    (0..count).map(|index| item(&mut dice, index)).collect()
}

fn item(dice: &mut Dice, index: usize) -> Item {
    let kind = *dice.pick(&KINDS);
    let colour = *dice.pick(&COLOURS);
    let throw = if index < PLAIN_AT_FRONT { 0 } else { dice.below(1000) };
    let plain = format!("{kind}-{index:05}");
    let (sku, itno, alias) = match throw {
        0..800 => (plain.clone(), plain, None),
        800..930 => {
            let sku = long_sku(dice, kind, colour, index);
            (sku.clone(), plain, Some(("1".to_owned(), sku)))
        }
        _ => {
            let ean = ean13(400_000_000_000 + u64::try_from(index).unwrap_or(0));
            (ean.clone(), plain, Some(("2".to_owned(), ean)))
        }
    };
    let blocked = index >= PLAIN_AT_FRONT && dice.permille(25);
    let status = if blocked { *dice.pick(&["50", "80", "90"]) } else { "20" };
    let cents = match dice.below(20) {
        0 => dice.range(1..=99),
        1..=2 => dice.range(50_000..=250_000),
        _ => dice.range(100..=49_999),
    };
    let name = format!("{} {}", dice.pick(&NAMES), colour.to_lowercase());
    let price = Decimal::new(i64::try_from(cents).unwrap_or(1), 2);
    Item { sku, itno, alias, name, price, status: status.to_owned() }
}

fn long_sku(dice: &mut Dice, kind: &str, colour: &str, index: usize) -> String {
    let finish = *dice.pick(&FINISHES);
    let mut sku = format!("{kind}-{colour}-{finish}-{index:05}");
    while sku.len() <= ITNO_LEN_MAX || (sku.len() < POPN_LEN_MAX && dice.permille(300)) {
        sku.push('X');
    }
    sku
}

/// The number with its check digit.
fn ean13(twelve: u64) -> String {
    let digits = format!("{twelve:012}");
    let sum: u32 = digits
        .bytes()
        .enumerate()
        .map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 0 { 1 } else { 3 })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn goods_are_unique_and_every_name_fits_where_m3_keeps_it() {
        let goods = items(42, 2_000);
        let unique = |of: fn(&Item) -> &String| goods.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!(unique(|item| &item.sku), 2_000);
        assert_eq!(unique(|item| &item.itno), 2_000);
        for item in &goods {
            assert!(item.itno.len() <= ITNO_LEN_MAX, "{item:?}");
            assert_eq!(item.itno, item.itno.to_uppercase());
            assert!(item.price > Decimal::ZERO);
            match &item.alias {
                None => assert_eq!(item.sku, item.itno),
                Some((category, number)) => {
                    assert_eq!(number, &item.sku);
                    assert!(number.len() <= POPN_LEN_MAX, "{item:?}");
                    assert!(["1", "2"].contains(&category.as_str()));
                }
            }
        }
        assert_eq!(goods, items(42, 2_000));
    }

    #[test]
    fn every_sort_of_good_is_there_and_the_first_ones_are_plain() {
        let goods = items(1, 500);
        let share = |of: fn(&Item) -> bool| goods.iter().filter(|item| of(item)).count();
        assert!(share(|item| item.alias.is_none()) > 350);
        assert!(share(|item| item.sku.len() > ITNO_LEN_MAX) > 20);
        assert!(share(|item| item.alias.as_ref().is_some_and(|alias| alias.0 == "2")) > 10);
        assert!((1..40).contains(&share(|item| !item.is_active())));
        assert!(goods[..PLAIN_AT_FRONT].iter().all(|it| it.alias.is_none() && it.is_active()));
    }

    #[test]
    fn an_ean_carries_its_check_digit() {
        assert_eq!(ean13(400_638_133_393), "4006381333931");
    }
}
