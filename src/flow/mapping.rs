//! Translates a shop order into a plan for M3. Pure.
//!
//! It reads nothing but its arguments, so every odd order a customer ever sent
//! can be kept as a test row. The sum of what M3 is asked to book is the shop's
//! total, to the last cent, or there is no plan.

mod addresses;

use super::{
    address::{Lines, script::clean, wrap::wrap},
    cause::{Cause, CauseKind},
    customer::book::Booked,
    plan::{Detail, Field, Plan, PlannedLine},
    rules::{LEFT_OUT, ORDER_DISCOUNT, PriceFrom, Rules},
};
use crate::{
    amount::{Amount, currency_places},
    ids::{Cuno, Itno, OrderKey},
    order::{Line, Order, Standing},
};
use addresses::Addresses;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Characters of one line of text in M3 (reference/m3.md 3.2).
const TEXT_CHARS_MAX: usize = 60;
/// Lines of text sent with one order.
const TEXT_LINES_MAX: usize = 20;
/// Characters of ITDS.
const NAME_CHARS_MAX: usize = 30;
/// Lines of one order; CUPO has room for more.
const ORDER_LINES_MAX: usize = 5_000;
/// Code under which the table of charges has the rounding difference.
const ROUNDING: &str = "ROUNDING";

/// Says what is wrong with an order before anything is asked of M3.
pub fn check(order: &Order, rules: &Rules) -> Result<(), Cause> {
    if order.lines.is_empty() {
        return Err(Cause::new(CauseKind::NoLines, "the shop's order has no lines"));
    }
    if order.lines.len() > ORDER_LINES_MAX {
        let text = format!("{} lines; at most {ORDER_LINES_MAX}", order.lines.len());
        return Err(Cause::new(CauseKind::UnfitValue, text));
    }
    for line in &order.lines {
        check_line(line)?;
    }
    if order.currency.len() != 3 || !order.currency.chars().all(|c| c.is_ascii_uppercase()) {
        let text = format!("currency {:?} is no ISO 4217 code", order.currency);
        return Err(Cause::new(CauseKind::UnfitValue, text));
    }
    addresses::of(order, rules)?;
    money(order, rules).map(|_| ())
}

fn check_line(line: &Line) -> Result<(), Cause> {
    if line.sku.is_empty() {
        let text = format!("item {} of the order has no SKU", line.id);
        return Err(Cause::new(CauseKind::NoSku, text));
    }
    if line.quantity == 0 || line.price < Amount::ZERO {
        let text = format!(
            "item {} ({}): quantity {}, price {}",
            line.id, line.sku, line.quantity, line.price
        );
        return Err(Cause::new(CauseKind::UnfitValue, text));
    }
    Ok(())
}

/// Makes the plan. `today` is `yyyyMMdd`; `itnos` holds every SKU of the order; `booked` says where its
/// delivery address is.
pub fn plan(
    order: &Order,
    (key, cuno): (&OrderKey, &Cuno),
    (itnos, booked): (&BTreeMap<String, Itno>, &Booked),
    rules: &Rules,
    today: &str,
) -> Result<Plan, Cause> {
    check(order, rules)?;
    let Money { charges, discount } = money(order, rules)?;
    let Addresses { ship_to, odd: mut cut, text } = addresses::of(order, rules)?;
    let mut details = Vec::new();
    let ship_to = ship_to.filter(|lines| booked.adid().is_none() && !lines.name.is_empty());
    details.extend(ship_to.map(|lines| ship_to_detail(&lines)));
    if let Booked::OnOrder(Some(why)) = booked {
        cut.push(why.clone());
    }
    let (texts, left) = texts(order, &text);
    if left {
        cut.push("note".to_owned());
    }
    details.extend(texts.iter().map(|line| text_detail(line)));
    details.extend(charges.into_iter().map(|charge| charge_detail(charge, order)));
    let mut head = head(order, (key, cuno), discount, rules, today);
    head.extend(booked.adid().map(|adid| ("ADID".to_owned(), adid.to_owned())));
    Ok(Plan {
        head,
        details,
        lines: lines(order, itnos, rules)?,
        currency: order.currency.clone(),
        total: order.total,
        cut,
        rules: rules.version(),
    })
}

/// Amounts beside the lines.
struct Money {
    charges: Vec<(String, String, Amount)>,
    discount: Amount,
}

/// Sorts the surcharges into charges and discount, and proves that all adds up.
fn money(order: &Order, rules: &Rules) -> Result<Money, Cause> {
    let overflow = || Cause::new(CauseKind::UnfitValue, "an amount has more than 28 digits");
    let places = currency_places(&order.currency);
    let mut money = Money { charges: Vec::new(), discount: Amount::ZERO };
    let mut sum = Amount::ZERO;
    for line in &order.lines {
        let value = line.price.times(line.quantity).ok_or_else(overflow)?.rounded(places);
        sum = sum.plus(value).ok_or_else(overflow)?;
    }
    for surcharge in order.surcharges.iter().filter(|s| s.standing == Standing::Added) {
        let value = surcharge.value.rounded(places);
        sum = sum.plus(value).ok_or_else(overflow)?;
        money.book(&surcharge.code, &surcharge.name, value, rules)?;
    }
    let rest = order.total.rounded(places).minus(sum).ok_or_else(overflow)?;
    if rest.magnitude() > rounding_max(order, places) {
        let text = format!(
            "lines and surcharges are {sum} {currency}, the total is {}",
            order.total,
            currency = order.currency
        );
        return Err(Cause::new(CauseKind::TotalDoesNotAddUp, text));
    }
    if rules.price == PriceFrom::Shop {
        money.book(ROUNDING, "Rounding", rest, rules)?;
    }
    Ok(money)
}

impl Money {
    fn book(&mut self, code: &str, name: &str, value: Amount, rules: &Rules) -> Result<(), Cause> {
        if value.is_zero() {
            return Ok(());
        }
        let Some(rule) = rules.charges.iter().find(|rule| rule.fits(code)) else {
            let text = format!("no charge for surcharge {code:?}");
            return Err(Cause::new(CauseKind::UnmappedSurcharge, text));
        };
        match rule.crid.as_str() {
            LEFT_OUT => {}
            ORDER_DISCOUNT => self.discount = self.discount.minus(value).unwrap_or(self.discount),
            crid => self.charge(crid, name, value),
        }
        Ok(())
    }

    /// M3 takes each charge once for an order (XRE0104): equal ones are added up.
    fn charge(&mut self, crid: &str, name: &str, value: Amount) {
        match self.charges.iter_mut().find(|(known, ..)| known == crid) {
            Some((_, _, sum)) => *sum = sum.plus(value).unwrap_or(*sum),
            None => self.charges.push((crid.to_owned(), name.to_owned(), value)),
        }
    }
}

/// One smallest unit of the currency for each line and surcharge: what a shop that
/// rounds at other places than M3 can differ by.
fn rounding_max(order: &Order, places: u32) -> Amount {
    let pieces = order.lines.len() + order.surcharges.len() + 1;
    let pieces = i64::try_from(pieces).unwrap_or(i64::MAX);
    Amount(Decimal::new(pieces, places))
}

fn head(
    order: &Order,
    (key, cuno): (&OrderKey, &Cuno),
    discount: Amount,
    rules: &Rules,
    today: &str,
) -> Vec<Field> {
    let ordered = crate::dates::yyyymmdd(order.created_s).unwrap_or_else(|| today.to_owned());
    let discount = if discount.is_zero() { String::new() } else { discount.to_mi() };
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let fields: [(&str, String); 14] = [
        ("CUNO", cuno.to_string()),
        ("ORTP", rules.order_type.clone()),
        ("FACI", rules.facility.clone()),
        ("WHLO", rules.warehouse.clone()),
        ("CUOR", key.to_string()),
        ("CUCD", order.currency.clone()),
        ("ORDT", ordered),
        ("RLDT", today.to_owned()),
        ("OTBA", discount),
        ("MODL", optional(&rules.delivery_method)),
        ("TEDL", optional(&rules.delivery_terms)),
        ("TEPY", optional(&rules.payment_terms)),
        ("PYCD", optional(&rules.payment_method)),
        ("YREF", order.number.as_str().chars().take(30).collect()),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn ship_to_detail(lines: &Lines) -> Detail {
    let fields = [
        ("ADRT", "1"),
        ("CUNM", &lines.name),
        ("CUA1", lines.line(0)),
        ("CUA2", lines.line(1)),
        ("CUA3", lines.line(2)),
        ("CUA4", lines.line(3)),
        ("PONO", &lines.postal_code),
        ("TOWN", &lines.town),
        ("CSCD", &lines.country),
        ("ECAR", &lines.state),
        ("PHNO", &lines.phone),
    ];
    detail("AddBatchAddress", &fields)
}

/// The buyer's note, then what M3's fields do not hold; says whether the note is cut to make room.
fn texts(order: &Order, text: &str) -> (Vec<String>, bool) {
    let (text, _) = wrap(text, TEXT_CHARS_MAX, TEXT_LINES_MAX);
    let room = TEXT_LINES_MAX.saturating_sub(text.len());
    let (mut lines, left) = wrap(&clean(&order.notes), TEXT_CHARS_MAX, room);
    lines.extend(text);
    (lines, left)
}

fn text_detail(line: &str) -> Detail {
    let fields = [("TYPE", "1"), ("TYTR", "1"), ("PARM", line)];
    detail("AddBatchText", &fields)
}

fn charge_detail((crid, name, value): (String, String, Amount), order: &Order) -> Detail {
    let name: String = clean(&name).chars().take(NAME_CHARS_MAX).collect();
    let fields = [
        ("CRID", crid.as_str()),
        ("CRAM", &value.to_mi()),
        ("CRD0", name.trim_end()),
        ("CUCD", &order.currency),
    ];
    detail("AddBatchHeadChg", &fields)
}

fn detail(transaction: &str, fields: &[(&str, &str)]) -> Detail {
    let fields = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Detail { transaction: transaction.to_owned(), fields }
}

fn lines(
    order: &Order,
    itnos: &BTreeMap<String, Itno>,
    rules: &Rules,
) -> Result<Vec<PlannedLine>, Cause> {
    let planned = order.lines.iter().zip(1_u16..).map(|(line, cupo)| {
        let Some(itno) = itnos.get(&line.sku) else {
            return Err(Cause::new(CauseKind::UnknownSku, format!("SKU {:?}", line.sku)));
        };
        let name: String = clean(&line.name).chars().take(NAME_CHARS_MAX).collect();
        Ok(PlannedLine {
            cupo,
            itno: itno.clone(),
            quantity: line.quantity,
            price: (rules.price == PriceFrom::Shop).then_some(line.price),
            name: name.trim_end().to_owned(),
        })
    });
    planned.collect()
}

#[cfg(test)]
mod tests;
