//! Whether the shop and M3 have the same, and what can be done where they do not: here the orders. Pure.
//!
//! Guarantees: what is compared is what both systems say now, not what the gateway remembers of
//! them; nothing is called equal that was not read on both sides.

pub mod nightly;
pub mod others;
pub mod row;
pub mod summary;
pub mod walk;

use crate::{
    amount::Amount,
    config::Problems,
    flow::{plan::LineInM3, rules::Rules, run::Real},
    goods::rules::{DayTime, tell},
    order::Order,
};
use clap::ValueEnum;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What can be compared.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// The shop's orders of the last days, one by one, on both sides.
    #[default]
    Orders,
    /// The shop's profiles, as the flow of buyers knows them.
    Customers,
    /// Stock, prices and products, as their flows know them.
    Goods,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Orders, Self::Customers, Self::Goods];

    /// Returns its fixed name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Customers => "customers",
            Self::Goods => "goods",
        }
    }
}

/// When both systems are compared each day: the `[reconcile]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nightly {
    /// As `HH:MM` in UTC.
    pub at: DayTime,
    /// Orders that changed in the shop in so many days.
    pub days: u32,
    /// What is compared; what is not on is left out.
    pub what: Vec<What>,
}

/// The most days that are compared.
const DAYS_MAX: u32 = 3_650;

impl Default for Nightly {
    fn default() -> Self {
        let at = DayTime::at(3, 30);
        Self { at, days: 7, what: What::ALL.to_vec() }
    }
}

impl Nightly {
    /// Adds what is wrong beyond the grammar.
    pub fn check(&self, problems: &mut Problems) {
        let days = !(1..=DAYS_MAX).contains(&self.days);
        let rows = [
            (days, "days", "is not between 1 and 3650"),
            (self.what.is_empty(), "what", "names nothing to compare"),
        ];
        tell("reconcile", &rows, problems);
    }
}

/// What the gateway knows of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Name of its stage.
    pub stage: String,
    /// Why it is parked, or what a person should know of it.
    pub cause: Option<String>,
    /// What it waits for.
    pub waits: Option<String>,
}

/// What M3 has of an order whose number the gateway knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InM3 {
    /// This.
    Read(Box<Real>),
    /// It was deleted there.
    Deleted,
    /// M3 does not know the number.
    Gone,
    /// It gave no answer that can be relied on.
    Unanswered(String),
}

/// How the two sides stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Total, currency and lines are the same, and M3 has it once.
    Equal,
    /// The shop's status says that it is not taken over, and M3 does not have it.
    NotWanted,
    /// The gateway is at work on it, or waits.
    Underway(String),
    /// It waits for a person, or a person was told of a difference.
    Parked(String),
    /// The shop wants it taken over, and the gateway has never heard of it.
    Unknown,
    /// The gateway knows M3's number, M3 does not.
    Gone,
    /// M3 has more than one living order of it.
    Twice(String),
    /// Something differs.
    Unequal(String),
    /// The shop's answer cannot be read.
    Unreadable(String),
    /// M3 gave no answer.
    Unanswered(String),
}

impl Verdict {
    /// Its name, which never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::NotWanted => "not-wanted",
            Self::Underway(_) => "underway",
            Self::Parked(_) => "parked",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
            Self::Twice(_) => "twice",
            Self::Unequal(_) => "unequal",
            Self::Unreadable(_) => "unreadable",
            Self::Unanswered(_) => "unanswered",
        }
    }

    /// Says more, if there is more to say.
    pub fn text(&self) -> &str {
        match self {
            Self::Equal | Self::NotWanted => "",
            Self::Unknown => "the shop wants it taken over, the gateway has not heard of it",
            Self::Gone => "M3 has no order of the number that it gave",
            Self::Underway(text)
            | Self::Parked(text)
            | Self::Twice(text)
            | Self::Unequal(text)
            | Self::Unreadable(text)
            | Self::Unanswered(text) => text,
        }
    }

    /// Whether somebody should look at it.
    pub fn is_difference(&self) -> bool {
        match self {
            Self::Equal | Self::NotWanted | Self::Underway(_) => false,
            Self::Parked(_)
            | Self::Unknown
            | Self::Gone
            | Self::Twice(_)
            | Self::Unequal(_)
            | Self::Unreadable(_)
            | Self::Unanswered(_) => true,
        }
    }

    /// Proposes what to do.
    pub fn repair(&self, key: &str) -> String {
        match self {
            Self::Equal | Self::NotWanted | Self::Underway(_) => String::new(),
            Self::Parked(_) => format!("causeway parked show {key}"),
            Self::Unknown => "causeway reconcile --take".to_owned(),
            Self::Gone => {
                "ask in M3 who deleted it; enter it there or cancel it in the shop".into()
            }
            Self::Twice(_) => "delete all but one in M3".to_owned(),
            Self::Unequal(_) => "correct M3's order, or the shop's".to_owned(),
            Self::Unreadable(_) => "open it in the shop's administration and save it".to_owned(),
            Self::Unanswered(_) => "causeway doctor, then compare again".to_owned(),
        }
    }
}

/// Judges one order of the shop.
///
/// `in_m3` is given when the gateway knows M3's number.
pub fn judge(order: &Order, known: Option<&Known>, in_m3: Option<&InM3>, rules: &Rules) -> Verdict {
    let Some(known) = known else {
        return if rules.wants(order) { Verdict::Unknown } else { Verdict::NotWanted };
    };
    let told = known.cause.clone();
    match in_m3 {
        Some(InM3::Unanswered(why)) => Verdict::Unanswered(why.clone()),
        Some(InM3::Gone) => told.map_or(Verdict::Gone, Verdict::Parked),
        Some(InM3::Deleted) if rules.is_cancelled(order) => Verdict::Equal,
        Some(InM3::Deleted) => {
            let deleted = || Verdict::Unequal("M3 has deleted it".to_owned());
            told.map_or_else(deleted, Verdict::Parked)
        }
        Some(InM3::Read(real)) => match (difference(order, real, rules), told) {
            (Some(twice @ Verdict::Twice(_)), _) => twice,
            (_, Some(told)) => Verdict::Parked(told),
            (Some(verdict), None) => verdict,
            (None, None) => Verdict::Equal,
        },
        None => match told {
            Some(told) => Verdict::Parked(told),
            None if !rules.wants(order) => Verdict::NotWanted,
            None => {
                let Known { stage, waits, cause: _ } = known;
                let waits = waits.as_ref().map(|waits| format!(", {waits}")).unwrap_or_default();
                Verdict::Underway(format!("stage {stage}{waits}"))
            }
        },
    }
}

fn difference(order: &Order, real: &Real, rules: &Rules) -> Option<Verdict> {
    if real.ornos.len() > 1 {
        let ornos: Vec<_> = real.ornos.iter().map(crate::ids::Orno::as_str).collect();
        return Some(Verdict::Twice(format!("M3 has {}", ornos.join(", "))));
    }
    if rules.is_cancelled(order) {
        return Some(Verdict::Unequal("the shop cancelled it, M3 has it".to_owned()));
    }
    let off = order.total.minus(real.total).map(Amount::magnitude);
    let is_off = off.is_none_or(|off| off > rules.total_tolerance);
    if is_off || order.currency != real.currency {
        return Some(Verdict::Unequal(format!(
            "the shop's total is {} {}, M3's is {} {}",
            order.total, order.currency, real.total, real.currency
        )));
    }
    lines(order, &real.lines).map(Verdict::Unequal)
}

/// Compares the lines by CUPO, which counts the shop's lines from 1.
fn lines(order: &Order, found: &[LineInM3]) -> Option<String> {
    if order.lines.len() != found.len() {
        let (shop, m3) = (order.lines.len(), found.len());
        return Some(format!("the shop has {shop} lines, M3 has {m3}"));
    }
    for (line, cupo) in order.lines.iter().zip(1_u32..) {
        let cupo = cupo.to_string();
        let Some(other) = found.iter().find(|other| other.cupo == cupo) else {
            return Some(format!("line {cupo} ({}) is not in M3", line.sku));
        };
        if other.quantity != Amount(Decimal::from(line.quantity)) {
            return Some(format!(
                "line {cupo} ({}): {} pieces in the shop, {} in M3",
                line.sku, line.quantity, other.quantity
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Line;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn rules() -> Rules {
        toml::from_str(
            "shop_prefix = \"X\"\norder_type = \"EC1\"\nfacility = \"A01\"\nwarehouse = \"001\"\n\
             [customer]\ntemplate = \"WEB\"\n",
        )
        .unwrap()
    }

    fn order(payment_status: &str) -> Order {
        let line = |id: u64, sku: &str| Line {
            id,
            sku: sku.into(),
            name: sku.into(),
            price: amount("10"),
            quantity: 2,
            discounted_subtotal: None,
        };
        Order {
            id: 42,
            number: "1042".try_into().unwrap(),
            currency: "EUR".into(),
            total: amount("40"),
            sub_total: amount("40"),
            email: String::new(),
            customer_id: None,
            billing: None,
            shipping: None,
            created_s: 0,
            updated_s: 0,
            payment_status: Some(payment_status.into()),
            shipping_status: None,
            shipping_method: None,
            notes: String::new(),
            lines: vec![line(1, "MUG"), line(2, "SHIRT")],
            surcharges: vec![],
            tracking: vec![],
        }
    }

    fn real() -> Real {
        let line = |cupo: &str, itno: &str| LineInM3 {
            cupo: cupo.into(),
            itno: itno.into(),
            quantity: amount("2"),
            price: amount("10"),
        };
        Real {
            ornos: vec!["0010000042".try_into().unwrap()],
            total: amount("40.00"),
            currency: "EUR".into(),
            lines: vec![line("2", "SHIRT"), line("1", "MUG")],
        }
    }

    fn read(change: impl FnOnce(&mut Real)) -> InM3 {
        let mut real = real();
        change(&mut real);
        InM3::Read(Box::new(real))
    }

    fn known(stage: &str, cause: Option<&str>) -> Known {
        Known { stage: stage.into(), cause: cause.map(Into::into), waits: None }
    }

    #[test]
    fn each_way_in_which_two_sides_can_stand_has_its_name() {
        let other: crate::ids::Orno = "0010000043".try_into().unwrap();
        let follow = || Some(known("follow", None));
        let told = || Some(known("follow", Some("changed-after-confirm: quantity")));
        let table = [
            ("P", None, None, "unknown"),
            ("D", None, None, "not-wanted"),
            ("P", Some(known("customer", None)), None, "underway"),
            ("D", Some(known("done", None)), None, "not-wanted"),
            ("P", Some(known("parked", Some("unknown-sku: MUG"))), None, "parked"),
            ("P", follow(), Some(read(|_| {})), "equal"),
            ("D", follow(), Some(read(|_| {})), "unequal"),
            ("P", told(), Some(read(|_| {})), "parked"),
            ("P", follow(), Some(read(|real| real.total = amount("39.99"))), "unequal"),
            ("P", follow(), Some(read(|real| real.currency = "SEK".into())), "unequal"),
            ("P", follow(), Some(read(|real| real.lines.truncate(1))), "unequal"),
            ("P", follow(), Some(read(|real| real.lines[0].cupo = "7".into())), "unequal"),
            ("P", follow(), Some(read(|real| real.lines[1].quantity = amount("3"))), "unequal"),
            ("P", told(), Some(read(|real| real.ornos.push(other.clone()))), "twice"),
            ("P", follow(), Some(InM3::Gone), "gone"),
            ("P", told(), Some(InM3::Gone), "parked"),
            ("P", follow(), Some(InM3::Deleted), "unequal"),
            ("D", follow(), Some(InM3::Deleted), "equal"),
            ("P", follow(), Some(InM3::Unanswered("no answer".into())), "unanswered"),
        ];
        for (status, known, in_m3, want) in table {
            let verdict = judge(&order(status), known.as_ref(), in_m3.as_ref(), &rules());
            assert_eq!(verdict.name(), want, "{status} {known:?} {in_m3:?}: {}", verdict.text());
            assert_eq!(verdict.is_difference(), !verdict.repair("X1042").is_empty(), "{want}");
        }
    }
}
