//! What an integrator may set about the goods: the tables `[goods]`, `[stock]` and `[prices]`; that of
//! items is a file of its own. Pure.

pub mod items;
pub mod wholesale;

use self::{items::Items, wholesale::Wholesale};
use super::price::day_at;
use crate::{
    amount::Amount,
    config::Problems,
    connector::m3::{prices::Day, stock::Figure},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// All settings of this stage.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the flows share.
    pub goods: Goods,
    /// The stock flow; absent: the shop keeps its numbers.
    pub stock: Option<Stock>,
    /// The price flow; absent: the shop keeps its prices.
    pub prices: Option<Prices>,
    /// The item flow; absent: the shop keeps its products as they are.
    pub items: Option<Items>,
}

/// What the flows share: the `[goods]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Goods {
    /// When everything is read anew each day, as `HH:MM` in UTC.
    pub full_at: DayTime,
    /// Writes to the shop at the same time.
    pub writes_at_once: u32,
    /// Whether variants are asked for; that is one call for each product, once a day.
    pub variants: bool,
}

impl Default for Goods {
    fn default() -> Self {
        Self { full_at: DayTime::default(), writes_at_once: 2, variants: true }
    }
}

/// Settings of the stock flow: the `[stock]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// WHLO of the warehouses whose balances are added up.
    pub warehouses: Vec<String>,
    /// Which of M3's figures counts.
    #[serde(default)]
    pub quantity: Figure,
    /// Whether the shop is written to.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds between two looks at M3.
    #[serde(default = "stock_poll_s")]
    pub poll_s: u64,
    /// How far back each look reaches beyond the one before, in seconds: clocks differ, and a long
    /// transaction appears late.
    #[serde(default = "overlap_s")]
    pub overlap_s: u64,
    /// Pieces of each item that are never sold.
    #[serde(default)]
    pub safety: Amount,
    /// Other numbers of pieces for some items, by ITNO.
    #[serde(default)]
    pub safety_of: BTreeMap<String, Amount>,
    /// How long after its confirmation an order still counts as not in M3's balances, in seconds.
    #[serde(default = "hold_confirmed_s")]
    pub hold_confirmed_s: u64,
}

/// Settings of the price flow: the `[prices]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// PRRF, the price list.
    pub list: String,
    /// CUCD, the currency of the shop's prices.
    pub currency: String,
    /// Whether the shop is written to.
    #[serde(default)]
    pub mode: Mode,
    /// How M3 is asked.
    #[serde(default)]
    pub ask: AskFor,
    /// Seconds between two looks at M3.
    #[serde(default = "prices_poll_s")]
    pub poll_s: u64,
    /// As for the stock.
    #[serde(default = "overlap_s")]
    pub overlap_s: u64,
    /// Whether the shop's prices contain VAT.
    #[serde(default)]
    pub shop_prices: Vat,
    /// VAT in percent, where M3's prices are of the other kind.
    pub vat_percent: Option<Amount>,
    /// Other percentages for some items, by ITNO.
    #[serde(default)]
    pub vat_percent_of: BTreeMap<String, Amount>,
    /// Decimal places of the shop's prices; the currency's own when VAT is worked out, else 4.
    pub decimals: Option<u32>,
    /// When M3's day begins, in minutes before midnight UTC: 60 for a site at +01:00.
    #[serde(default)]
    pub day_offset_min: i32,
    /// Prices by quantity and for memberships; absent: the shop keeps its own.
    pub wholesale: Option<Wholesale>,
}

/// How M3 is asked for prices (reference/m3.md 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskFor {
    /// `OIS320MI/LstNewPrices`: what changed, and everything once a day.
    #[default]
    Changes,
    /// `OIS017MI/LstPriceList` and `LstBasePrice`: the whole list each time. For an M3 without the
    /// other, and for one that has many more lists than this.
    List,
}

/// Whether prices contain VAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vat {
    /// They do not.
    #[default]
    Net,
    /// They do.
    Gross,
}

/// Whether the shop is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What would be written is shown, nothing is.
    #[default]
    Watch,
    /// The shop gets M3's figures.
    Write,
}

/// A time of the day in UTC, as minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DayTime(u64);

impl DayTime {
    /// A time of the day in UTC.
    pub(crate) const fn at(hour: u64, minute: u64) -> Self {
        Self(hour * 60 + minute)
    }

    /// Returns the last such moment that is not after `now_ms`, in milliseconds since 1970.
    pub fn last_before(self, now_ms: u64) -> u64 {
        let today = now_ms - now_ms % DAY_MS + self.0 * 60_000;
        if today <= now_ms { today } else { today.saturating_sub(DAY_MS) }
    }
}

impl Default for DayTime {
    fn default() -> Self {
        Self(2 * 60 + 30)
    }
}

impl TryFrom<String> for DayTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a time of the day such as 02:30");
        let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
        let part = |text: &str, below: u64| {
            let number = text.parse::<u64>().ok().filter(|number| *number < below);
            number
                .filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or_else(bad)
        };
        Ok(Self(part(hours, 24)? * 60 + part(minutes, 60)?))
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Warehouses that may be added up.
const WAREHOUSES_MAX: usize = 50;
/// Writes to the shop at the same time, at most.
const WRITES_AT_ONCE_MAX: u32 = 8;
/// Decimal places that a shop keeps of a price.
const DECIMALS_MAX: u32 = 4;

const fn stock_poll_s() -> u64 {
    60
}

const fn prices_poll_s() -> u64 {
    300
}

const fn overlap_s() -> u64 {
    120
}

const fn hold_confirmed_s() -> u64 {
    120
}

/// A rule that is broken, the key it is about, and what is wrong.
pub(crate) type Broken = (bool, &'static str, &'static str);

pub(crate) fn tell(key: &str, rows: &[Broken], problems: &mut Problems) {
    for (_, name, told) in rows.iter().filter(|(wrong, ..)| *wrong) {
        problems.add(format!("{key}.{name}"), *told, "see docs/configuration.md");
    }
}

pub(crate) const fn not_a_poll(poll_s: u64) -> Broken {
    (poll_s < 1 || poll_s > 86_400, "poll_s", "is not between 1 and 86400")
}

pub(crate) const fn not_an_overlap(overlap_s: u64) -> Broken {
    (overlap_s > 86_400, "overlap_s", "is more than a day")
}

impl Rules {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        self.goods.check(problems);
        self.stock.iter().for_each(|stock| stock.check(problems));
        self.prices.iter().for_each(|prices| prices.check(problems));
        self.items.iter().for_each(|items| items.check(problems));
        let shown = self.items.iter().any(|items| items.create.iter().any(|create| create.enabled));
        let priced = self.prices.as_ref().is_some_and(|prices| prices.mode == Mode::Write);
        let told = "shows new products to buyers, and without [prices] in mode \"write\" they cost nothing";
        tell("items", &[(shown && !priced, "create.enabled", told)], problems);
    }
}

impl Goods {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let lanes = (1..=WRITES_AT_ONCE_MAX).contains(&self.writes_at_once);
        tell("goods", &[(!lanes, "writes_at_once", "is not between 1 and 8")], problems);
    }
}

impl Stock {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let nameless = self.warehouses.iter().any(|whlo| whlo.trim().is_empty());
        let none = self.warehouses.is_empty() || nameless;
        let rows = [
            (none, "warehouses", "names no warehouse, or an empty one"),
            (self.warehouses.len() > WAREHOUSES_MAX, "warehouses", "names more than 50 warehouses"),
            not_a_poll(self.poll_s),
            not_an_overlap(self.overlap_s),
            (self.hold_confirmed_s > 86_400, "hold_confirmed_s", "is more than a day"),
        ];
        tell("stock", &rows, problems);
    }

    /// Returns the pieces of an item that are never sold.
    pub fn safety_of(&self, itno: &str) -> Amount {
        self.safety_of.get(itno).copied().unwrap_or(self.safety)
    }
}

impl Prices {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let percents = self.vat_percent.iter().chain(self.vat_percent_of.values());
        let hundred = Amount::from(100_u64);
        let odd = percents.into_iter().any(|percent| *percent < Amount::ZERO || *percent > hundred);
        let currency =
            self.currency.len() == 3 && self.currency.bytes().all(|b| b.is_ascii_uppercase());
        let rows = [
            (self.list.trim().is_empty(), "list", "names no price list"),
            (!currency, "currency", "is not a currency such as EUR"),
            (odd, "vat_percent", "is not between 0 and 100"),
            (
                self.decimals.is_some_and(|places| places > DECIMALS_MAX),
                "decimals",
                "is more than 4",
            ),
            (self.day_offset_min.abs() > 14 * 60, "day_offset_min", "is more than 14 hours"),
            not_a_poll(self.poll_s),
            not_an_overlap(self.overlap_s),
        ];
        tell("prices", &rows, problems);
        self.wholesale.iter().for_each(|wholesale| wholesale.check(self.ask, problems));
    }

    /// Returns the lists that are asked for: that of the price for everybody, and those of memberships.
    pub fn lists(&self) -> Vec<&str> {
        let mut lists = vec![self.list.as_str()];
        for list in self.wholesale.iter().flat_map(|wholesale| wholesale.memberships.values()) {
            if !lists.contains(&list.as_str()) {
                lists.push(list);
            }
        }
        lists
    }

    /// Returns M3's day at a moment, in milliseconds since 1970.
    pub fn day_at(&self, unix_ms: u64) -> Day {
        day_at(unix_ms, self.day_offset_min)
    }

    /// Returns the VAT of an item in percent, if it is known.
    pub fn vat_of(&self, itno: &str) -> Option<Amount> {
        self.vat_percent_of.get(itno).copied().or(self.vat_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_read_and_found_again() {
        let at = DayTime::try_from("02:30".to_owned()).unwrap();
        assert_eq!(at, DayTime::default());
        let day = 20_000 * DAY_MS;
        let half_past_two = day + 150 * 60_000;
        assert_eq!(at.last_before(half_past_two), half_past_two);
        assert_eq!(at.last_before(half_past_two - 1), half_past_two - DAY_MS);
        assert_eq!(at.last_before(day + DAY_MS - 1), half_past_two);
        for bad in ["24:00", "2:30", "02:60", "0230", "ab:cd", "+2:30", ""] {
            assert!(DayTime::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn rules_need_a_warehouse_and_a_price_list_and_nothing_else() {
        let stock: Stock = toml::from_str(r#"warehouses = ["001"]"#).unwrap();
        let prices: Prices = toml::from_str("list = \"WEB\"\ncurrency = \"EUR\"").unwrap();
        assert_eq!(
            (stock.mode, prices.mode),
            (Mode::Watch, Mode::Watch),
            "nothing is written unasked"
        );
        let mut problems = Problems::default();
        stock.check(&mut problems);
        prices.check(&mut problems);
        Goods::default().check(&mut problems);
        assert!(problems.is_empty(), "{problems}");
        let bad: Stock = toml::from_str("warehouses = []\npoll_s = 0").unwrap();
        bad.check(&mut problems);
        let bad = "list = \"\"\ncurrency = \"eur\"\nvat_percent = \"101\"\ndecimals = 5";
        let bad: Prices = toml::from_str(bad).unwrap();
        bad.check(&mut problems);
        toml::from_str::<Goods>("writes_at_once = 9").unwrap().check(&mut problems);
        assert_eq!(problems.all().len(), 7, "{problems}");
    }
}
