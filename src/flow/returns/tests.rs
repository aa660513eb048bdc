//! What statuses mean, and what is asked of whom.

use super::*;
use crate::flow::{invoice::Receivable, place::tests::story};

fn document(number: &str, amount: i64) -> Invoice {
    Invoice {
        number: number.into(),
        year: "2026".into(),
        payer: "Y1".into(),
        amount: Amount(amount.into()),
        currency: "EUR".into(),
        receivable: Receivable::Posted,
    }
}

fn returned(what: What, refunded: Option<i64>) -> Returned {
    let refunded = refunded.map(|amount| Amount(amount.into()));
    Returned { refunded, asked: true, ..Returned::new(what, Sure::ByStatus, 0) }
}

#[test]
fn a_status_means_a_return_only_after_what_it_takes_back() {
    let rules = ReturnRules::default();
    let by_status = |what| Some((what, Sure::ByStatus));
    let table = [
        // payment, shipping, payment before, what it means
        ("P", "S", Some("P"), None),
        ("R", "S", Some("P"), by_status(What::Whole)),
        ("R", "N", None, by_status(What::Whole)),
        ("P", "R", Some("P"), by_status(What::Goods)),
        ("PP", "S", Some("P"), by_status(What::Part)),
        ("PP", "S", Some("Q"), Some((What::Part, Sure::ByPayments))),
        ("PP", "S", Some("PP"), Some((What::Part, Sure::ByPayments))),
        ("PP", "S", None, Some((What::Part, Sure::ByPayments))),
        ("C", "S", Some("P"), None),
    ];
    for (payment, shipping, before, want) in table {
        let order = Order {
            payment_status: Some(payment.into()),
            shipping_status: Some(shipping.into()),
            ..story::order(0)
        };
        assert_eq!(rules.what(&order, before), want, "{payment} {shipping} {before:?}");
        let off: ReturnRules = toml::from_str("follow = \"off\"").unwrap();
        assert_eq!(off.what(&order, before), None);
    }
}

#[test]
fn a_person_is_told_what_to_enter_until_the_credit_is_equal() {
    let table = [
        // what, refunded, delivered, documents, part of what is said; none where it is settled
        (What::Whole, Some(33), 0, vec![], Some("cancel it, or the lines")),
        (What::Whole, Some(33), 3, vec![], Some("not invoiced it")),
        (What::Whole, Some(33), 3, vec![("1", 33)], Some("credit invoice 1 by that amount")),
        (What::Whole, Some(33), 3, vec![("1", 33), ("2", -33)], None),
        (What::Whole, None, 3, vec![("1", 33), ("2", -33)], None),
        (What::Whole, Some(33), 3, vec![("1", 33), ("2", -5)], Some("M3 has credited 5.00 EUR")),
        (What::Whole, None, 3, vec![("1", 33), ("2", -5)], Some("gave the whole payment back")),
        (What::Part, Some(5), 3, vec![("1", 33), ("2", -5)], None),
        (What::Part, Some(5), 3, vec![("1", 33), ("2", -2), ("3", -3)], None),
        (What::Part, Some(5), 3, vec![("1", 33)], Some("gave 5.00 EUR back")),
        (What::Part, Some(5), 3, vec![("1", 33), ("2", -33)], Some("M3 has credited 33.00 EUR")),
        (What::Part, None, 3, vec![("1", 33), ("2", -9)], None),
        // An invoice that was too high was put right; that is no return.
        (What::Part, Some(5), 3, vec![("1", 40), ("2", -7)], Some("gave 5.00 EUR back; enter")),
        (What::Goods, None, 3, vec![("1", 40), ("2", -7)], Some("goods come back; enter")),
        (What::Part, Some(5), 3, vec![("1", 40), ("2", -7), ("3", -5)], None),
        (What::Part, Some(5), 3, vec![("1", 40), ("2", -9)], Some("M3 has credited 2.00 EUR")),
        (What::Whole, Some(33), 3, vec![("1", 40), ("2", -33)], None),
        (What::Goods, None, 3, vec![("1", 33)], Some("the goods come back")),
        (What::Goods, None, 3, vec![("1", 33), ("2", -9)], None),
    ];
    for (what, refunded, delivered, documents, want) in table {
        let invoices: Vec<_> = documents.iter().map(|(n, a)| document(n, *a)).collect();
        let m3 = InM3 {
            orno: "1000001",
            delivered: Amount(delivered.into()),
            invoices: &invoices,
            total: Amount(33.into()),
            currency: "EUR",
            tolerance: Amount::ZERO,
        };
        match (returned(what, refunded).judge(m3), want) {
            (Verdict::Settled(said), None) => assert!(said.contains("EUR"), "{said}"),
            (Verdict::Ask(said), Some(part)) => assert!(said.contains(part), "{said}"),
            (got, _) => panic!("{what:?} {refunded:?} {documents:?}: {got:?}"),
        }
    }
}

#[test]
fn more_that_is_given_back_opens_a_return_anew_and_the_same_does_not() {
    let mut part = returned(What::Part, Some(5));
    part.standing = Standing::Settled;
    part.refunds(Amount(5.into()));
    assert!(!part.is_open());
    part.refunds(Amount(8.into()));
    assert!(part.is_open());
}
