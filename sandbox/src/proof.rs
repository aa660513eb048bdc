//! Judges by the books of both simulators whether every order is where it should be. Pure.
//!
//! The gateway is asked only which orders it has set aside and why; whether that
//! is true is judged by the books too.

use crate::{
    market::Goods,
    money::Money,
    people::{Deeds, is_cancelled, is_for_clerk},
};
use causeway::{
    delivery::desk::Listed,
    ids::{KeyPrefix, OrderKey, OrderNumber},
};
use causeway_sim::{
    m3::{Books, RealOrder},
    xcart::BookedOrder,
};
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// The proof. Its numbers are the last line of `--json`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Proof {
    /// Orders that the shop took and that are to be taken over.
    pub accepted: usize,
    /// Those with exactly one M3 order.
    pub created: usize,
    /// Those set aside for a person, with a cause, and without an M3 order.
    pub parked: usize,
    /// Those that the shop cancelled and that M3 has not, or has deleted.
    pub cancelled: usize,
    /// Those that the shop changed after M3 had them, and that a clerk has not dealt with yet.
    pub at_clerk: usize,
    /// Those with more than one M3 order.
    pub duplicates: usize,
    /// Those in neither place.
    pub lost: usize,
    /// Those whose M3 order has other lines, another total or another currency.
    pub unequal: usize,
    /// Those whose shipment and payment the shop knows.
    pub told: usize,
    /// Sound orders that were set aside all the same.
    pub parked_without_defect: usize,
    /// Temporary orders that nobody needs and nobody has removed.
    pub orphans: usize,
    /// What M3 should not have been asked.
    pub violations: Vec<String>,
    /// Parked orders by cause.
    pub causes: BTreeMap<String, usize>,
    /// By currency: the sum of the shop's orders and of M3's.
    pub totals: BTreeMap<String, Totals>,
    /// How the money compares; none where only orders flow.
    pub money: Option<Money>,
    /// How the goods compare; none where only orders flow.
    pub goods: Option<Goods>,
    /// What buyers and the clerk did.
    pub deeds: Option<Deeds>,
    /// What `causeway reconcile` says in the end: orders by verdict.
    pub reconciled: BTreeMap<String, usize>,
    /// From the first order to the last.
    pub seconds: f64,
    /// Memory of the gateway before the first order.
    pub rss_idle_kib: u64,
    /// Highest memory of the gateway.
    pub rss_peak_kib: u64,
    /// Where the gateway died when it was told to.
    pub died_at: Vec<String>,
    /// Every order.
    #[serde(skip)]
    pub rows: Vec<Row>,
}

/// Sums of the orders that both systems have.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Totals {
    /// What the shop's buyers owe.
    #[serde(serialize_with = "as_text")]
    pub shop: Decimal,
    /// What M3's customers owe.
    #[serde(serialize_with = "as_text")]
    pub m3: Decimal,
}

/// Amounts leave as text, so that no reader makes floats of them.
fn as_text<S: serde::Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

/// State of an order that the shop cancelled.
const CANCELLED: &str = "cancelled";

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub number: String,
    pub orno: String,
    pub lines: usize,
    pub shop_total: String,
    pub m3_total: String,
    pub state: String,
    pub wrong: bool,
}

impl Row {
    /// Whether M3 has it and is to keep it.
    pub(crate) fn is_in_m3(&self) -> bool {
        self.orno != "-"
    }

    /// Whether its goods are not for sale though M3 does not know of it.
    pub(crate) fn holds(&self) -> bool {
        self.orno == "-" && self.state != CANCELLED
    }
}

/// How one order was found.
enum Found<'a> {
    Created(&'a RealOrder),
    Unequal(&'a RealOrder, String),
    AtClerk(&'a RealOrder),
    Twice(usize),
    Parked(&'a Listed),
    Cancelled,
    Lost,
}

impl Proof {
    /// Judges.
    pub(crate) fn of(shop: &[BookedOrder], m3: &Books, parked: &[Listed]) -> Self {
        let mut real: HashMap<&str, Vec<&RealOrder>> = HashMap::new();
        for order in &m3.orders {
            real.entry(&order.cuor).or_default().push(order);
        }
        let parked: HashMap<&str, &Listed> =
            parked.iter().map(|row| (row.key.as_str(), row)).collect();
        let mut proof = Self { violations: m3.violations.clone(), ..Self::default() };
        for order in shop {
            let key = key_of(&order.number);
            let ours = real.remove(key.as_str()).unwrap_or_default();
            let found = find(order, &ours, parked.get(key.as_str()).copied());
            proof.count(order, &found);
        }
        // An M3 order that no shop order asked for is as bad as a double.
        proof.duplicates += real.values().map(Vec::len).sum::<usize>();
        proof.orphans = m3.temporary.iter().filter(|head| head.made.is_empty()).count();
        proof
    }

    /// Whether nothing is lost, doubled or unequal.
    pub(crate) fn holds(&self) -> bool {
        let equal = self.totals.values().all(|totals| totals.shop == totals.m3);
        let goods = self.goods.as_ref().is_none_or(Goods::are_equal);
        let people = self.at_clerk == 0;
        let orders = self.lost == 0 && self.duplicates == 0 && self.unequal == 0;
        let money = self.money.as_ref().is_none_or(Money::is_equal);
        equal && goods && money && people && orders && self.is_agreed()
    }

    /// Whether `causeway reconcile` found nothing else than the orders that are set aside.
    pub(crate) fn is_agreed(&self) -> bool {
        self.reconciled.iter().all(|(verdict, count)| match verdict.as_str() {
            "equal" | "not-wanted" => true,
            "parked" => *count == self.parked,
            _ => false,
        })
    }

    /// Orders with which the gateway is through for the first time.
    pub(crate) fn done(&self) -> usize {
        self.created + self.parked + self.cancelled
    }

    /// Orders about which nothing more will happen by itself.
    pub(crate) fn settled(&self) -> usize {
        self.told + self.parked + self.cancelled
    }

    fn count(&mut self, order: &BookedOrder, found: &Found<'_>) {
        self.accepted += 1;
        let mut row = Row {
            number: order.number.clone(),
            orno: "-".to_owned(),
            lines: order.lines.len(),
            shop_total: format!("{} {}", order.total, order.currency),
            m3_total: "-".to_owned(),
            state: String::new(),
            wrong: false,
        };
        match found {
            Found::Created(real) | Found::Unequal(real, _) => {
                self.created += 1;
                let totals = self.totals.entry(order.currency.clone()).or_default();
                totals.shop += order.total;
                totals.m3 += real.total;
                row.orno.clone_from(&real.orno);
                row.m3_total = format!("{} {}", real.total, real.cucd);
                row.state = state(order, real);
                let equal = matches!(found, Found::Created(_));
                self.told += usize::from(equal && is_told(order, real));
            }
            Found::AtClerk(real) => {
                (self.created, self.at_clerk) = (self.created + 1, self.at_clerk + 1);
                row.orno.clone_from(&real.orno);
                row.m3_total = format!("{} {}", real.total, real.cucd);
                (row.state, row.wrong) = ("waits for the clerk".to_owned(), true);
            }
            Found::Cancelled => {
                self.cancelled += 1;
                CANCELLED.clone_into(&mut row.state);
            }
            Found::Twice(times) => {
                self.duplicates += 1;
                (row.state, row.wrong) = (format!("{times} M3 ORDERS"), true);
            }
            Found::Parked(listed) => {
                self.parked += 1;
                self.parked_without_defect += usize::from(order.defect.is_none());
                let cause = listed.cause.kind.name();
                *self.causes.entry(cause.to_owned()).or_default() += 1;
                row.state = format!("parked: {cause}");
            }
            Found::Lost => {
                self.lost += 1;
                (row.state, row.wrong) = ("NOT IN M3".to_owned(), true);
            }
        }
        if let Found::Unequal(_, why) = found {
            self.unequal += 1;
            (row.state, row.wrong) = (format!("UNEQUAL: {why}"), true);
        }
        self.rows.push(row);
    }
}

fn find<'a>(order: &BookedOrder, real: &[&'a RealOrder], parked: Option<&'a Listed>) -> Found<'a> {
    let is_at_clerk = parked.is_some_and(is_for_clerk);
    match (real, parked) {
        ([], Some(listed)) if listed.stands_still => Found::Parked(listed),
        ([], Some(_) | None) if is_cancelled(order) => Found::Cancelled,
        ([], Some(_) | None) => Found::Lost,
        ([one], _) if is_at_clerk => Found::AtClerk(one),
        ([one], _) if one.orsl == "90" && is_cancelled(order) => Found::Cancelled,
        ([one], _) => match difference(order, one) {
            Some(why) => Found::Unequal(one, why),
            None => Found::Created(one),
        },
        (many, _) => Found::Twice(many.len()),
    }
}

/// The key under which the gateway of the sandbox enters an order.
pub(crate) fn key_of(number: &str) -> String {
    let prefix = KeyPrefix::try_from("X1".to_owned()).ok();
    let number_of = OrderNumber::try_from(number).ok();
    let key = prefix.zip(number_of).map(|(prefix, number)| OrderKey::of(&prefix, &number));
    key.map_or_else(|| number.to_owned(), |key| key.as_str().to_owned())
}

fn difference(order: &BookedOrder, real: &RealOrder) -> Option<String> {
    if is_cancelled(order) {
        return Some("the shop cancelled it".to_owned());
    }
    if order.total != real.total || order.currency != real.cucd {
        return Some(format!("{} {} is {} {}", order.total, order.currency, real.total, real.cucd));
    }
    let mut shop: Vec<_> = order
        .lines
        .iter()
        .map(|l| (l.itno.clone().unwrap_or_default(), Decimal::from(l.quantity), l.price))
        .collect();
    let mut m3: Vec<_> = real.lines.iter().map(|l| (l.itno.clone(), l.quantity, l.price)).collect();
    shop.sort();
    m3.sort();
    (shop != m3).then(|| "the lines differ".to_owned())
}

/// Whether the shop knows that it was shipped and paid.
fn is_told(order: &BookedOrder, real: &RealOrder) -> bool {
    let settled = !real.invoices.is_empty() && real.invoices.iter().all(|i| i.reco == 9);
    let paid = ["P", "R", "PP"].contains(&order.payment_status.as_str());
    real.orsl == "77" && order.shipping_status == "S" && paid && settled
}

fn state(order: &BookedOrder, real: &RealOrder) -> String {
    let shipping = match order.shipping_status.as_str() {
        "N" | "" => "new",
        "P" => "processing",
        "S" => "shipped",
        "D" => "delivered",
        other => other,
    };
    let paid = if order.payment_status == "P" { ", paid" } else { "" };
    format!("M3 {}-{}, shop: {shipping}{paid}", real.orsl, real.orst)
}
