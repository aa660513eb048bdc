//! Which price the shop should have. Pure.
//!
//! Guarantees: no price is made up: where M3 has none that is valid, or where VAT would have to be
//! guessed, the shop keeps its own and somebody can read why.

use super::rules::{Prices, Vat};
use crate::{
    amount::{Amount, PLACES_MAX, currency_places},
    connector::m3::prices::{Day, Price},
};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// The prices of one item in a list, by first day and least quantity.
pub type Listed = BTreeMap<(Day, Amount), Valid>;

/// The prices of one item, by list (PRRF).
pub type Lists = BTreeMap<String, Listed>;

/// Prices by the number of pieces from which on they count.
pub type Levels = BTreeMap<u64, Amount>;

/// One price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valid {
    /// Up to this day; 0 for no end.
    pub to: Day,
    /// For `per` pieces.
    pub price: Amount,
    /// At least 1.
    pub per: u32,
    /// Whether it contains VAT.
    pub gross: bool,
}

/// Takes rows in: a later one for the same day and quantity replaces the earlier one.
pub fn take(lists: &mut Lists, rows: impl Iterator<Item = Price>) {
    for Price { list, itno: _, from, to, quantity, price, per, gross } in rows {
        let valid = Valid { to, price, per, gross };
        lists.entry(list).or_default().insert((from, quantity), valid);
    }
}

/// Returns M3's day at a moment.
pub fn day_at(unix_ms: u64, offset_min: i32) -> Day {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let at = at.checked_add(Duration::minutes(i64::from(offset_min))).unwrap_or(at);
    let year = u32::try_from(at.year()).unwrap_or(0);
    year * 10_000 + u32::from(u8::from(at.month())) * 100 + u32::from(at.day())
}

/// Whether a price begins or ends after `before` and not after `today`.
pub fn turns(listed: &Listed, before: Day, today: Day) -> bool {
    listed.iter().any(|((from, _), valid)| {
        let begins = *from > before && *from <= today;
        let ended = valid.to > 0 && valid.to >= before && valid.to < today;
        begins || ended
    })
}

/// Those that are valid today.
fn valid_on(listed: &Listed, today: Day) -> impl Iterator<Item = ((Day, Amount), &Valid)> {
    let valid = listed
        .iter()
        .filter(move |((from, _), valid)| *from <= today && (valid.to == 0 || valid.to >= today));
    valid.map(|(key, valid)| (*key, valid))
}

/// Finds the price for one piece: of those that are valid today the one that began last.
fn for_one(listed: &Listed, today: Day) -> Option<((Day, Amount), &Valid)> {
    let one = Amount::from(1);
    valid_on(listed, today)
        .filter(|((_, quantity), _)| *quantity <= one)
        .max_by_key(|(key, _)| *key)
}

/// Works out what the shop should ask for one piece; the error says why it cannot be worked out.
pub fn for_shop(
    listed: &Listed,
    today: Day,
    rules: &Prices,
    vat: Option<Amount>,
) -> Result<Amount, &'static str> {
    let (_, valid) =
        for_one(listed, today).ok_or("the price list has no price that is valid today")?;
    in_shop(valid, rules, vat)
}

/// Works out the prices by quantity, that for one piece among them if there is one. A level that began
/// before the price for one was replaced with it and counts no more.
pub fn levels(
    listed: &Listed,
    today: Day,
    rules: &Prices,
    vat: Option<Amount>,
) -> Result<Levels, &'static str> {
    let one = for_one(listed, today);
    let since = one.map_or(0, |((from, _), _)| from);
    let mut newest: BTreeMap<Amount, (Day, &Valid)> = BTreeMap::new();
    for ((from, quantity), valid) in valid_on(listed, today) {
        let counts = quantity > Amount::from(1) && from >= since;
        if counts && newest.get(&quantity).is_none_or(|(before, _)| *before <= from) {
            newest.insert(quantity, (from, valid));
        }
    }
    let mut levels = Levels::new();
    if let Some((_, valid)) = one {
        levels.insert(1, in_shop(valid, rules, vat)?);
    }
    for (quantity, (_, valid)) in newest {
        // Nobody buys half a piece: from 2.5 on is from 3 on.
        let from = quantity.0.ceil().to_u64().ok_or("a quantity of the list is too large")?;
        levels.insert(from, in_shop(valid, rules, vat)?);
    }
    Ok(levels)
}

/// Works out one price.
fn in_shop(valid: &Valid, rules: &Prices, vat: Option<Amount>) -> Result<Amount, &'static str> {
    let beyond = "the price is beyond 28 digits";
    let one = valid.price.0.checked_div(valid.per.max(1).into()).ok_or(beyond)?;
    let converted = match (valid.gross, rules.shop_prices) {
        (false, Vat::Net) | (true, Vat::Gross) => None,
        (gross, _) => Some((gross, vat.ok_or("VAT is needed and prices.vat_percent is not set")?)),
    };
    let hundred = rust_decimal::Decimal::ONE_HUNDRED;
    let price = match converted {
        None => Some(one),
        Some((gross, vat)) => {
            let with = hundred.checked_add(vat.0).ok_or(beyond)?;
            let (by, of) = if gross { (hundred, with) } else { (with, hundred) };
            one.checked_mul(by).and_then(|price| price.checked_div(of))
        }
    };
    let places = match (rules.decimals, converted) {
        (Some(places), _) => places,
        (None, Some(_)) => currency_places(&rules.currency),
        (None, None) => PLACES_MAX,
    };
    let price = Amount(price.ok_or(beyond)?).rounded(places);
    if price < Amount::ZERO { Err("the price is below 0") } else { Ok(price) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(more: &str) -> Prices {
        toml::from_str(&format!("list = \"WEB\"\ncurrency = \"EUR\"\n{more}")).unwrap()
    }

    fn listed(rows: &[(Day, Day, &str, &str, u32)]) -> Listed {
        let rows = rows.iter().map(|(from, to, quantity, price, per)| {
            let (quantity, price) = (quantity.parse().unwrap(), price.parse().unwrap());
            ((*from, quantity), Valid { to: *to, price, per: *per, gross: false })
        });
        rows.collect()
    }

    #[test]
    fn of_the_prices_that_are_valid_the_one_that_began_last_counts() {
        let prices = listed(&[
            (20_260_101, 0, "0", "10", 1),
            (20_260_601, 20_260_630, "0", "8", 1),
            (20_270_101, 0, "0", "12", 1),
            (20_260_101, 0, "100", "1", 1),
        ]);
        let at = |day| for_shop(&prices, day, &rules(""), None).map(Amount::to_mi);
        let table = [
            (20_251_231, Err("the price list has no price that is valid today")),
            (20_260_101, Ok("10".to_owned())),
            (20_260_615, Ok("8".to_owned())),
            (20_260_630, Ok("8".to_owned())),
            (20_260_701, Ok("10".to_owned())),
            (20_270_101, Ok("12".to_owned())),
        ];
        for (day, want) in table {
            assert_eq!(at(day), want, "{day}");
        }
        assert!(turns(&prices, 20_261_231, 20_270_101), "one begins");
        assert!(turns(&prices, 20_260_630, 20_260_701), "one has ended");
        assert!(!turns(&prices, 20_260_701, 20_260_930));
    }

    #[test]
    fn levels_are_those_of_the_newest_prices_and_in_whole_pieces() {
        let prices = listed(&[
            (20_260_101, 0, "0", "10", 1),
            (20_260_101, 0, "10", "9", 1),
            (20_260_101, 0, "99.5", "800", 100),
            (20_260_301, 0, "10", "8.5", 1),
            (20_260_301, 20_260_331, "20", "7", 1),
            (20_260_601, 0, "0", "12", 1),
            (20_260_601, 0, "50", "11", 1),
            (20_270_101, 0, "50", "5", 1),
        ]);
        let table: [(Day, &[(u64, &str)]); 5] = [
            (20_251_231, &[]),
            (20_260_201, &[(1, "10"), (10, "9"), (100, "8")]),
            (20_260_315, &[(1, "10"), (10, "8.5"), (20, "7"), (100, "8")]),
            (20_260_401, &[(1, "10"), (10, "8.5"), (100, "8")]),
            (20_260_701, &[(1, "12"), (50, "11")]),
        ];
        for (day, want) in table {
            let want: Levels =
                want.iter().map(|(from, price)| (*from, price.parse().unwrap())).collect();
            assert_eq!(levels(&prices, day, &rules(""), None), Ok(want), "{day}");
        }
        let gross = rules("shop_prices = \"gross\"");
        assert!(levels(&prices, 20_260_701, &gross, None).is_err(), "no VAT is guessed");
    }

    #[test]
    fn a_price_for_a_hundred_and_vat_are_worked_out_and_never_guessed() {
        let hundred = listed(&[(20_260_101, 0, "0", "12.345", 100)]);
        let today = 20_260_701;
        let of = |rules: &Prices, vat: Option<&str>| {
            let vat = vat.map(|vat| vat.parse().unwrap());
            for_shop(&hundred, today, rules, vat).map(Amount::to_mi)
        };
        assert_eq!(of(&rules(""), None), Ok("0.1235".to_owned()));
        let gross = rules("shop_prices = \"gross\"");
        assert!(of(&gross, None).unwrap_err().contains("vat_percent"));
        assert_eq!(of(&gross, Some("19")), Ok("0.15".to_owned()));
        let fine = rules("shop_prices = \"gross\"\ndecimals = 4");
        assert_eq!(of(&fine, Some("19")), Ok("0.1469".to_owned()));
        let mut with = listed(&[(20_260_101, 0, "0", "119", 1)]);
        for valid in with.values_mut() {
            valid.gross = true;
        }
        let vat = Some("19".parse().unwrap());
        assert_eq!(
            for_shop(&with, today, &rules(""), vat).map(Amount::to_mi),
            Ok("100".to_owned())
        );
    }

    #[test]
    fn a_day_is_m3s_own() {
        let midnight = 1_767_225_600_000;
        assert_eq!(day_at(midnight, 0), 20_260_101);
        assert_eq!(day_at(midnight - 1, 0), 20_251_231);
        assert_eq!(day_at(midnight - 1, 60), 20_260_101);
        assert_eq!(day_at(midnight, -1), 20_251_231);
    }
}
