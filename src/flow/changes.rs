//! Says field by field how two readings of one shop order differ. Pure.
//!
//! What is said may be shown to whoever runs the gateway, and logged: amounts, quantities,
//! SKUs and codes with their values; of addresses, e-mail and notes only which part differs.

use crate::order::{Address, Line, Order, Surcharge};
use std::fmt::Display;

/// Differences that are listed; the rest is counted.
const LISTED_MAX: usize = 100;

/// Lists what the shop has changed, lines first.
pub fn changes(before: &Order, now: &Order) -> Vec<String> {
    let mut said = lines(&before.lines, &now.lines);
    said.extend(surcharges(&before.surcharges, &now.surcharges));
    let total = (&before.total, &now.total);
    said.extend(value("total", total.0, total.1));
    said.extend(value("sub-total", &before.sub_total, &now.sub_total));
    said.extend(value("currency", &before.currency, &now.currency));
    said.extend(address("delivery address", before.shipping.as_ref(), now.shipping.as_ref()));
    said.extend(address("billing address", before.billing.as_ref(), now.billing.as_ref()));
    let method = |order: &Order| order.shipping_method.clone().unwrap_or_else(|| "none".to_owned());
    said.extend(value("shipping method", &method(before), &method(now)));
    let hidden = [
        ("e-mail address", before.email != now.email),
        ("customer account", before.customer_id != now.customer_id),
        ("buyer's note", before.notes != now.notes),
    ];
    let hidden = hidden.into_iter().filter(|(_, differs)| *differs);
    said.extend(hidden.map(|(name, _)| format!("{name} changed")));
    let left = said.len().saturating_sub(LISTED_MAX);
    if left > 0 {
        said.truncate(LISTED_MAX);
        said.push(format!("and {left} more differences"));
    }
    said
}

fn value<T: PartialEq + Display>(name: &str, before: &T, now: &T) -> Option<String> {
    (before != now).then(|| format!("{name} {before} -> {now}"))
}

/// Lines are the same when the shop's item id is; what is left is matched by SKU.
fn lines(before: &[Line], now: &[Line]) -> Vec<String> {
    let mut said = Vec::new();
    let mut left: Vec<&Line> = now.iter().collect();
    for line in before {
        let by_id = left.iter().position(|other| other.id == line.id && other.sku == line.sku);
        let found = by_id.or_else(|| left.iter().position(|other| other.sku == line.sku));
        match found {
            Some(index) => said.extend(line_changes(line, left.remove(index))),
            None => said.push(format!("line {} removed ({} pieces)", named(line), line.quantity)),
        }
    }
    let added = |line: &&Line| {
        format!("line {} added ({} pieces at {})", named(line), line.quantity, line.price)
    };
    said.extend(left.iter().map(added));
    said
}

fn named(line: &Line) -> String {
    if line.sku.is_empty() { format!("without SKU, item {}", line.id) } else { line.sku.clone() }
}

fn line_changes(before: &Line, now: &Line) -> Vec<String> {
    let of = format!("line {}:", named(before));
    let subtotal = |line: &Line| {
        line.discounted_subtotal.map_or_else(|| "none".to_owned(), |amount| amount.to_string())
    };
    let mut said = Vec::new();
    said.extend(value(&format!("{of} quantity"), &before.quantity, &now.quantity));
    said.extend(value(&format!("{of} price"), &before.price, &now.price));
    said.extend(value(&format!("{of} discounted total"), &subtotal(before), &subtotal(now)));
    if before.name != now.name {
        said.push(format!("{of} name changed"));
    }
    if said.is_empty() && before != now {
        said.push(format!("{of} entered anew"));
    }
    said
}

fn surcharges(before: &[Surcharge], now: &[Surcharge]) -> Vec<String> {
    let mut said = Vec::new();
    let mut left: Vec<&Surcharge> = now.iter().collect();
    for surcharge in before {
        let code = &surcharge.code;
        match left.iter().position(|other| other.code == *code) {
            None => said.push(format!("surcharge {code} removed ({})", surcharge.value)),
            Some(index) => {
                let other = left.remove(index);
                let name = format!("surcharge {code}");
                let changed = value(&name, &surcharge.value, &other.value);
                let otherwise = || (surcharge != other).then(|| format!("{name} counts otherwise"));
                said.extend(changed.or_else(otherwise));
            }
        }
    }
    said.extend(left.iter().map(|new| format!("surcharge {} added ({})", new.code, new.value)));
    said
}

/// The name of a part of an address, and where it stands.
type AddressPart = (&'static str, fn(&Address) -> &String);

fn address(name: &str, before: Option<&Address>, now: Option<&Address>) -> Option<String> {
    let (before, now) = match (before, now) {
        (None, None) => return None,
        (None, Some(_)) => return Some(format!("{name} added")),
        (Some(_), None) => return Some(format!("{name} removed")),
        (Some(before), Some(now)) => (before, now),
    };
    let parts: [AddressPart; 10] = [
        ("first name", |a| &a.firstname),
        ("last name", |a| &a.lastname),
        ("company", |a| &a.company),
        ("VAT number", |a| &a.vat_number),
        ("telephone", |a| &a.phone),
        ("street", |a| &a.street),
        ("postal code", |a| &a.zipcode),
        ("town", |a| &a.city),
        ("country", |a| &a.country_code),
        ("state", |a| &a.state_name),
    ];
    let differing = parts.iter().filter(|(_, part)| part(before) != part(now));
    let differing: Vec<&str> = differing.map(|(part, _)| *part).collect();
    (!differing.is_empty()).then(|| format!("{name} changed: {}", differing.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::place::tests::story;

    fn changed(change: impl FnOnce(&mut Order)) -> Vec<String> {
        let before = Order { shipping: Some(Address::default()), ..story::order(0) };
        let mut now = before.clone();
        change(&mut now);
        changes(&before, &now)
    }

    #[test]
    fn each_field_that_changed_is_said_and_nothing_personal_is_shown() {
        type Change = fn(&mut Order);
        let table: [(Change, &[&str]); 12] = [
            (|_| {}, &[]),
            (|o| o.payment_status = Some("C".into()), &[]),
            (|o| o.lines[0].quantity = 5, &["line MUG: quantity 1 -> 5"]),
            (|o| o.lines[1].price = "9.90".parse().unwrap(), &["line SHIRT: price 10 -> 9.90"]),
            (|o| drop(o.lines.remove(0)), &["line MUG removed (1 pieces)"]),
            (
                |o| o.lines.push(Line { id: 9, sku: "CAP".into(), ..o.lines[0].clone() }),
                &["line CAP added (1 pieces at 10)"],
            ),
            (|o| o.lines.reverse(), &[]),
            (|o| o.lines[0].id = 77, &["line MUG: entered anew"]),
            (|o| o.surcharges[0].value = "7".parse().unwrap(), &["surcharge SHIPPING 5 -> 7"]),
            (|o| o.total = "40".parse().unwrap(), &["total 33 -> 40"]),
            (
                |o| {
                    let shipping = o.shipping.as_mut().unwrap();
                    shipping.street = "1 Secret Lane".into();
                    shipping.city = "Hiddenham".into();
                },
                &["delivery address changed: street, town"],
            ),
            (
                |o| (o.email, o.notes) = ("new@secret.example".into(), "door code 1234".into()),
                &["e-mail address changed", "buyer's note changed"],
            ),
        ];
        for (i, (change, want)) in table.into_iter().enumerate() {
            assert_eq!(changed(change), want, "row {i}");
        }
    }

    #[test]
    fn a_thousand_differences_are_cut_and_counted() {
        let said = changed(|o| {
            let line = o.lines[0].clone();
            o.lines.extend((0..1_000).map(|n| Line {
                id: n + 100,
                sku: n.to_string(),
                ..line.clone()
            }));
        });
        assert_eq!(said.len(), LISTED_MAX + 1);
        assert_eq!(said.last().unwrap(), "and 900 more differences");
    }
}
