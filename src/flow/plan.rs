//! What M3 will be asked to do for one order, decided once and kept. Pure.
//!
//! A plan is written down before the first call and never changes: together with
//! the attempt's number and the temporary order number it is the exact request
//! that an intent stands for.

use crate::{amount::Amount, ids::Itno};
use serde::{Deserialize, Serialize};

/// A field of MI and its value.
pub type Field = (String, String);

/// The requests of one order, in M3's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Input of the head, without OREF, which each attempt sets.
    pub head: Vec<Field>,
    /// Address, texts and charges, in this sequence, without ORNO.
    pub details: Vec<Detail>,
    /// The lines.
    pub lines: Vec<PlannedLine>,
    /// CUCD.
    pub currency: String,
    /// What the shop says the order costs.
    pub total: Amount,
    /// Names of the parts that did not fit M3's fields and went into a text.
    pub cut: Vec<String>,
    /// The version of the rules that it was made with.
    pub rules: String,
}

/// One addition to the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// `AddBatchAddress`, `AddBatchText` or `AddBatchHeadChg`.
    pub transaction: String,
    /// Its input.
    pub fields: Vec<Field>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLine {
    /// CUPO: our own number of the line, from 1; finds the line again after a silence.
    pub cupo: u16,
    /// ITNO.
    pub itno: Itno,
    /// ORQT.
    pub quantity: u32,
    /// SAPR; none when M3 finds the price.
    pub price: Option<Amount>,
    /// ITDS, the name the buyer saw.
    pub name: String,
}

/// A line as M3 gives it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineInM3 {
    /// CUPO, as text because others may have written it.
    pub cupo: String,
    /// ITNO.
    pub itno: String,
    /// ORQT.
    pub quantity: Amount,
    /// SAPR.
    pub price: Amount,
}

/// How the lines of a temporary order compare with the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// All there, once, equal.
    Equal,
    /// What is there is right; these CUPO are not there yet.
    Missing(Vec<u16>),
    /// Something is there twice, or differs; the text says what.
    Unequal(String),
}

impl Plan {
    /// Compares M3's lines with the planned ones by CUPO.
    pub fn compare(&self, found: &[LineInM3]) -> Comparison {
        let mut missing = Vec::new();
        for line in &self.lines {
            let cupo = line.cupo.to_string();
            let same: Vec<&LineInM3> = found.iter().filter(|f| f.cupo == cupo).collect();
            match same.as_slice() {
                [] => missing.push(line.cupo),
                [one] => {
                    if let Some(difference) = line.difference(one) {
                        return Comparison::Unequal(difference);
                    }
                }
                _ => {
                    return Comparison::Unequal(format!(
                        "line {cupo} is there {} times",
                        same.len()
                    ));
                }
            }
        }
        let known = self.lines.len() - missing.len();
        if found.len() > known {
            return Comparison::Unequal(format!("{} lines where {known} are ours", found.len()));
        }
        if missing.is_empty() { Comparison::Equal } else { Comparison::Missing(missing) }
    }
}

impl PlannedLine {
    fn difference(&self, found: &LineInM3) -> Option<String> {
        let Self { cupo, itno, quantity, price, name: _ } = self;
        if found.itno != itno.as_str() {
            return Some(format!("line {cupo}: item {} instead of {itno}", found.itno));
        }
        if found.quantity != Amount(rust_decimal::Decimal::from(*quantity)) {
            return Some(format!("line {cupo}: quantity {} instead of {quantity}", found.quantity));
        }
        match price {
            Some(price) if *price != found.price => {
                Some(format!("line {cupo}: price {} instead of {price}", found.price))
            }
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(cupo: u16, quantity: u32) -> PlannedLine {
        let price = Some("19.90".parse().unwrap());
        PlannedLine { cupo, itno: "MUG".try_into().unwrap(), quantity, price, name: String::new() }
    }

    fn found(cupo: &str, quantity: &str, price: &str) -> LineInM3 {
        LineInM3 {
            cupo: cupo.into(),
            itno: "MUG".into(),
            quantity: quantity.parse().unwrap(),
            price: price.parse().unwrap(),
        }
    }

    #[test]
    fn lines_are_matched_by_cupo_and_compared_as_decimals() {
        let plan = Plan {
            head: vec![],
            details: vec![],
            lines: vec![planned(1, 2), planned(2, 1)],
            currency: "EUR".into(),
            total: Amount::ZERO,
            cut: vec![],
            rules: String::new(),
        };
        let (one, two) = (found("1", "2.000000", "19.9"), found("2", "1", "19.9000"));
        let table = [
            (vec![one.clone(), two.clone()], Comparison::Equal),
            (vec![two.clone(), one.clone()], Comparison::Equal),
            (vec![two.clone()], Comparison::Missing(vec![1])),
            (vec![], Comparison::Missing(vec![1, 2])),
            (
                vec![one.clone(), one.clone(), two.clone()],
                Comparison::Unequal("line 1 is there 2 times".into()),
            ),
            (
                vec![one.clone(), found("2", "3", "19.90")],
                Comparison::Unequal("line 2: quantity 3 instead of 1".into()),
            ),
            (
                vec![one.clone(), found("2", "1", "20")],
                Comparison::Unequal("line 2: price 20 instead of 19.90".into()),
            ),
            (
                vec![one, two, found("", "1", "1")],
                Comparison::Unequal("3 lines where 2 are ours".into()),
            ),
        ];
        for (lines, want) in table {
            assert_eq!(plan.compare(&lines), want, "{lines:?}");
        }
    }
}
