//! Stories of one payment: what is sent, what is lost, where it ends.

use super::*;
use crate::flow::invoice::{Invoice, Receivable};

const QUIET_MS: u64 = 1_000;

fn rules(strategy: &str) -> PaymentRules {
    let text = format!(
        "strategy = \"{strategy}\"\nsince = \"2026-11-01\"\nrefunds = \"post\"\n\
         [prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"\n\
         [receivable_batch]\nbatch_type = \"WEB\"\nbatch_prefix = 71"
    );
    toml::from_str(&text).unwrap()
}

fn movement(way: Way, amount: &str) -> Movement {
    Movement {
        id: 17,
        way,
        amount: amount.parse().unwrap(),
        currency: "EUR".into(),
        at_s: 1_795_392_000,
        method: "Stripe".into(),
    }
}

fn invoice(number: &str, amount: i64, receivable: Receivable) -> (Invoice, Amount) {
    let amount = Amount(amount.into());
    let invoice = Invoice {
        number: number.into(),
        year: "2026".into(),
        payer: "Y1".into(),
        amount,
        currency: "EUR".into(),
        receivable,
    };
    (invoice, amount)
}

fn at(ms: u64) -> Steady {
    Steady { boot: 1, ms }
}

fn planned(strategy: &str, way: Way, amount: &str, free: &mut [(Invoice, Amount)]) -> Posting {
    let rules = rules(strategy);
    let mut posting = Posting::new(movement(way, amount), &rules);
    posting.plan(&rules, free, Expected::Nothing).unwrap();
    posting
}

/// Tells a posting something of which the settings matter.
fn on(posting: &mut Posting, told: &Told, known: &[String], rules: &PaymentRules) -> Option<Cause> {
    posting.on(told, &Around { key: "K", known, rules, quiet: at(0).pause(QUIET_MS) })
}

fn fails(posting: &mut Posting, failure: &Failure, rules: &PaymentRules) -> After {
    let quiet = at(0).pause(QUIET_MS);
    posting.on_failure(failure, &Around { key: "K", known: &[], rules, quiet })
}

fn lost(fate: Fate, class: Class) -> Failure {
    Failure::new(fate, class, "no")
}

fn posted(reference: &str) -> At {
    At::Posted { reference: reference.into() }
}

#[test]
fn a_prepayment_is_looked_for_and_added_once() {
    let mut posting = planned("prepayment", Way::In, "10.50", &mut []);
    assert_eq!(posting.next(at(0)), Some(Step::Look));
    assert_eq!(on(&mut posting, &Told::Found(vec![]), &[], &rules("prepayment")), None);
    assert_eq!(posting.next(at(0)), Some(Step::Add));
    on(&mut posting, &Told::Added("PP1".into()), &[], &rules("prepayment"));
    assert_eq!((posting.at.clone(), posting.next(at(9_999))), (posted("PP1"), None));
}

#[test]
fn after_a_silence_a_prepayment_is_looked_up_before_anything_is_sent() {
    let prepaid = |number: &str, text: Option<&str>, amount: i64| Prepaid {
        number: number.into(),
        text: text.map(Into::into),
        amount: Amount(amount.into()),
    };
    let add = At::Step { step: Step::Add, sent: false };
    let table = [
        // what the list has, where the payment stands then, whether a person is asked
        (vec![], add.clone(), false),
        (vec![prepaid("PP1", Some("K"), 10)], posted("PP1"), false),
        (vec![prepaid("PP1", Some("other"), 10)], add.clone(), false),
        (vec![prepaid("PP1", Some("K"), 10), prepaid("PP2", Some("K"), 10)], At::Doubt, true),
        // A list without the text: only what is certain is decided.
        (vec![prepaid("PP1", None, 10)], At::Doubt, true),
        (vec![prepaid("PP1", None, 11)], add.clone(), false),
        (vec![prepaid("PP0", None, 10)], add, false),
    ];
    for (found, want, asked) in table {
        let mut posting = planned("prepayment", Way::In, "10", &mut []);
        posting.next(at(0));
        on(&mut posting, &Told::Found(vec![]), &[], &rules("prepayment"));
        assert_eq!(posting.next(at(0)), Some(Step::Add));
        let failure = lost(Fate::Unknown, Class::TimedOut);
        assert_eq!(fails(&mut posting, &failure, &rules("prepayment")), After::Settled);
        assert_eq!((posting.next(at(999)), posting.due_ms(at(400))), (None, Some(600)));
        assert_eq!(posting.next(at(1_000)), Some(Step::Look));
        let cause =
            on(&mut posting, &Told::Found(found.clone()), &["PP0".into()], &rules("prepayment"));
        assert_eq!((&posting.at, cause.is_some()), (&want, asked), "{found:?}");
        if asked {
            assert_eq!(cause.unwrap().kind, CauseKind::PaymentUnknown);
        }
    }
}

#[test]
fn an_intent_that_was_cut_off_by_a_restart_counts_as_a_silence() {
    let mut posting = planned("prepayment", Way::In, "10", &mut []);
    posting.next(at(0));
    on(&mut posting, &Told::Found(vec![]), &[], &rules("prepayment"));
    posting.next(at(0));
    posting.recover(at(0).pause(QUIET_MS));
    assert_eq!(posting.next(at(999)), None);
    assert_eq!(posting.next(at(1_000)), Some(Step::Look));
}

#[test]
fn a_batch_is_sent_line_by_line_and_again_under_the_same_numbers() {
    let mut free = [invoice("1", 6, Receivable::Posted), invoice("2", 9, Receivable::Posted)];
    let mut posting = planned("receivable-batch", Way::In, "10", &mut free);
    let shares: Vec<_> =
        posting.parts.iter().map(|p| (p.invoice.as_str(), p.amount.to_mi())).collect();
    assert_eq!(shares, [("1", "6".to_owned()), ("2", "4".to_owned())]);
    assert_eq!(free[1].1.to_mi(), "5");
    let exists = lost(Fate::Refused, Class::Exists);
    let silence = lost(Fate::Unknown, Class::Unreachable);
    for step in [Step::Head, Step::Line(0), Step::Line(1)] {
        assert_eq!(posting.next(at(0)), Some(step));
        fails(&mut posting, &silence, &rules("receivable-batch"));
        assert_eq!(posting.next(at(1_000)), Some(step), "the same again");
        assert_eq!(fails(&mut posting, &exists, &rules("receivable-batch")), After::Settled);
    }
    assert_eq!(posting.next(at(0)), Some(Step::Control));
    on(&mut posting, &Told::Done, &[], &rules("receivable-batch"));
    assert!(!posting.is_open());
}

#[test]
fn a_batch_number_that_somebody_else_has_is_not_taken_for_ours() {
    let mut free = [invoice("1", 10, Receivable::Posted)];
    let mut posting = planned("receivable-batch", Way::In, "10", &mut free);
    let exists = lost(Fate::Refused, Class::Exists);
    for _ in 0..2 {
        assert_eq!(posting.next(at(0)), Some(Step::Head));
        assert_eq!(fails(&mut posting, &exists, &rules("receivable-batch")), After::Judge);
        assert_eq!(posting.at, At::Step { step: Step::Head, sent: false });
    }
    // A silence that was before the refusal does not come to be forgotten by a pause.
    posting.next(at(0));
    fails(&mut posting, &lost(Fate::Unknown, Class::TimedOut), &rules("receivable-batch"));
    posting.next(at(1_000));
    fails(&mut posting, &lost(Fate::NotDone, Class::RateLimited), &rules("receivable-batch"));
    assert_eq!(posting.next(at(1_000)), Some(Step::Head));
    assert_eq!(fails(&mut posting, &exists, &rules("receivable-batch")), After::Settled);
}

#[test]
fn what_is_not_invoiced_yet_waits_and_what_never_will_be_goes_to_a_person() {
    let rules = rules("receivable-batch");
    let table = [
        (vec![], Expected::More, "waits"),
        (vec![invoice("1", 6, Receivable::Posted)], Expected::More, "waits"),
        (vec![invoice("1", 6, Receivable::Posted)], Expected::Nothing, "person"),
        (vec![invoice("1", 10, Receivable::Missing)], Expected::More, "waits"),
        (vec![invoice("1", 10, Receivable::Settled)], Expected::More, "posts"),
        (vec![invoice("1", -10, Receivable::Posted)], Expected::Nothing, "person"),
    ];
    for (mut free, more, want) in table {
        let mut posting = Posting::new(movement(Way::In, "10"), &rules);
        let before = free.clone();
        let got = match posting.plan(&rules, &mut free, more) {
            Err(cause) => {
                assert_eq!(cause.kind, CauseKind::PaymentRefused);
                "person"
            }
            Ok(()) if posting.at == At::Waits => "waits",
            Ok(()) => "posts",
        };
        assert_eq!(got, want, "{before:?}");
        assert_eq!(free == before, want != "posts", "nothing is taken in vain");
    }
}

#[test]
fn a_refund_gives_back_no_more_than_was_paid() {
    let mut free = [invoice("1", 10, Receivable::Settled)];
    free[0].1 = Amount(4.into());
    let posting = planned("receivable-batch", Way::Back, "6", &mut free);
    assert_eq!((posting.parts[0].amount.to_mi(), free[0].1.to_mi()), ("-6".into(), "10".into()));
    let rules = rules("receivable-batch");
    let mut more = Posting::new(movement(Way::Back, "7"), &rules);
    assert!(more.plan(&rules, &mut free, Expected::Nothing).is_err());
}

#[test]
fn what_is_not_ours_to_post_is_left_with_its_reason() {
    let base = rules("prepayment");
    let table = [
        (PaymentRules { refunds: Refunds::Report, ..base.clone() }, Way::Back, "by a person"),
        (PaymentRules { since: Some("2026-12-01".into()), ..base.clone() }, Way::In, "older"),
        (PaymentRules { methods: vec!["PayPal".into()], ..base.clone() }, Way::In, "service"),
    ];
    for (rules, way, part) in table {
        let At::Left { why } = Posting::new(movement(way, "1"), &rules).at else {
            panic!("{part}")
        };
        assert!(why.contains(part), "{why}");
    }
    let mut dollars =
        Posting::new(Movement { currency: "USD".into(), ..movement(Way::In, "1") }, &base);
    assert!(dollars.plan(&base, &mut [], Expected::Nothing).is_err());
    let mut odd = Posting::new(movement(Way::In, "1.001"), &base);
    assert!(odd.plan(&base, &mut [], Expected::Nothing).is_err());
}

#[test]
fn keys_fit_m3_and_differ_from_payment_to_payment() {
    let order = |text: &str| {
        let prefix = crate::ids::KeyPrefix::try_from("X1".to_owned()).unwrap();
        OrderKey::of(&prefix, &crate::ids::OrderNumber::try_from(text).unwrap())
    };
    let big = Movement { id: u64::MAX, ..movement(Way::In, "1") };
    assert_eq!(key(&order("42"), &movement(Way::In, "1")), "X142-17");
    assert!(key(&order("424242424242424242"), &big).len() <= KEY_CHARS_MAX);
    assert_eq!(batch_number(71, &movement(Way::In, "1")), Some(7_100_000_017));
    assert_eq!(batch_number(71, &big), None);
}
