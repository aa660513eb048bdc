//! Stories of returns: before M3 has the order, after it shipped, after it was invoiced and done;
//! in parts, repeated, late, and contradicted by M3.

use super::*;
use crate::flow::{
    invoice::{Invoice, Receivable},
    payment::{Movement, Way},
};

fn document(number: &str, amount: i64) -> Invoice {
    Invoice {
        number: number.into(),
        year: "2026".into(),
        payer: "Y1".into(),
        amount: Amount(amount.into()),
        currency: "EUR".into(),
        receivable: Receivable::Settled,
    }
}

/// A shop and an M3 that answer what they are asked.
struct Site {
    rules: Rules,
    payment: &'static str,
    shipping: &'static str,
    refunds: Vec<(u64, i64)>,
    delivered: i64,
    documents: Vec<Invoice>,
    gone: bool,
    told: Vec<Tell>,
}

impl Site {
    fn new() -> Self {
        Self {
            rules: story::rules(),
            payment: "P",
            shipping: "S",
            refunds: Vec::new(),
            delivered: 1,
            documents: vec![document("1", 33)],
            gone: false,
            told: Vec::new(),
        }
    }

    fn order(&self) -> Order {
        Order {
            payment_status: Some(self.payment.into()),
            shipping_status: Some(self.shipping.into()),
            ..story::order(0)
        }
    }

    fn progress(&self) -> Progress {
        let amount = |n: i64| Amount(n.into());
        let invoiced = i64::from(!self.documents.is_empty());
        let status = if self.gone { "90" } else { "66" };
        Progress {
            lowest: status.into(),
            highest: status.into(),
            lines: vec![LineProgress {
                ordered: amount(1),
                delivered: amount(self.delivered),
                invoiced: amount(invoiced),
            }],
            parcels: None,
            invoices: Some(self.documents.clone()),
        }
    }

    /// The shop tells of a change, and the case goes on until it was at M3 three times or rests.
    fn tell(&mut self, case: &mut Case, now_ms: u64) -> u64 {
        case.run.reread = true;
        self.lead(case, now_ms)
    }

    fn lead(&mut self, case: &mut Case, mut now_ms: u64) -> u64 {
        let (rules, mut looks) = (self.rules.clone(), 0);
        let mut is_early = false;
        for _ in 0..200 {
            let effect = match case.next(&context(&rules, now_ms)) {
                Next::Do(effect) => effect,
                Next::Wait(wait) => {
                    assert!(wait.until_ms > now_ms, "waits for the past: {wait:?}");
                    if matches!(case.run.stage, Stage::Done(_)) {
                        return now_ms;
                    }
                    (now_ms, is_early) = (wait.until_ms, false);
                    continue;
                }
                Next::Rest | Next::Leave => return now_ms,
            };
            let outcome = match effect {
                Effect::ReadOrder(_) => Outcome::Order(Box::new(self.order())),
                Effect::ReadPayments(_) => Outcome::Payments(self.movements()),
                Effect::ReadProgress(_) if looks == 3 => return now_ms,
                Effect::ReadProgress(_) => {
                    // What the shop gave back is news once.
                    assert!(!is_early || looks < 2, "it asks M3 again and again: {:?}", case.run);
                    (looks, is_early) = (looks + 1, true);
                    Outcome::Progress(self.progress())
                }
                Effect::Tell { tell, .. } => {
                    self.told.push(tell);
                    Outcome::Done
                }
                Effect::Place(Ask::Look) => found(&["1000001"], vec![]),
                other @ (Effect::EnsureCustomer | Effect::FindItems(_) | Effect::Place(_)) => {
                    panic!("not asked for: {other:?}")
                }
                Effect::ReadReal(_) | Effect::Pay { .. } => panic!("not asked for"),
            };
            case.on(outcome, &context(&rules, now_ms));
            now_ms += 1_000;
        }
        panic!("it never comes to rest: {:?}", case.run);
    }

    fn movements(&self) -> Vec<Movement> {
        let back = |(id, amount): &(u64, i64)| Movement {
            id: *id,
            way: Way::Back,
            amount: Amount((*amount).into()),
            currency: "EUR".into(),
            at_s: 1_795_392_000,
            method: String::new(),
        };
        self.refunds.iter().map(back).collect()
    }
}

fn asked(case: &Case) -> String {
    let shown = case.run.attention.as_ref();
    assert_eq!(case.run.parked(), None);
    shown
        .filter(|why| why.kind == CauseKind::ReturnedInShop)
        .map_or_else(String::new, |why| why.text.clone())
}

fn is_done(case: &Case) -> bool {
    case.run.stage == Stage::Done(Ending::Completed)
}

/// An order that is delivered, invoiced and paid.
fn done() -> (Site, Case, u64) {
    let (mut case, now_ms) = led(to_follow());
    let mut site = Site::new();
    let now_ms = site.tell(&mut case, now_ms);
    assert!(is_done(&case), "{:?}", case.run.stage);
    site.told.clear();
    (site, case, now_ms)
}

#[test]
fn an_order_that_is_returned_after_it_was_done_is_followed_until_the_credit_is_equal() {
    let (mut site, mut case, now_ms) = done();
    (site.payment, site.refunds) = ("R", vec![(9, 33)]);
    let now_ms = site.tell(&mut case, now_ms);
    assert!(
        asked(&case).contains("gave 33.00 EUR back") && asked(&case).contains("credit invoice 1")
    );
    assert!(!is_done(&case), "M3 is asked for the credit note");
    // Told again: nothing new.
    let before = case.run.attention.clone();
    let now_ms = site.tell(&mut case, now_ms);
    assert_eq!(case.run.attention, before);
    // Credited in part, which is said; then whole.
    site.documents.push(document("2", -30));
    let now_ms = site.lead(&mut case, now_ms);
    assert!(asked(&case).contains("M3 has credited 30.00 EUR"), "{}", asked(&case));
    site.documents.push(document("3", -3));
    let now_ms = site.lead(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true), "{:?}", case.run);
    let now_ms = site.tell(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true), "it stays settled");
    site.lead(&mut case, now_ms);
    assert_eq!(site.told, vec![], "the shop's status was never written over");
}

#[test]
fn a_return_of_an_order_whose_payments_are_posted_waits_between_two_looks() {
    let (mut site, mut case, now_ms) = done();
    let payments = "strategy = \"prepayment\"\nsince = \"2020-01-01\"\n\
                    [prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"";
    site.rules.payments = Some(toml::from_str(payments).unwrap());
    (site.payment, site.refunds) = ("R", vec![(9, 33)]);
    let now_ms = site.tell(&mut case, now_ms);
    assert!(asked(&case).contains("gave 33.00 EUR back"), "{}", asked(&case));
    site.documents.push(document("2", -33));
    site.lead(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true), "{:?}", case.run);
}

#[test]
fn parts_are_returned_one_after_the_other() {
    let (mut site, mut case, now_ms) = done();
    (site.payment, site.refunds) = ("PP", vec![(9, 5)]);
    let now_ms = site.tell(&mut case, now_ms);
    assert!(asked(&case).contains("gave 5.00 EUR back"), "{}", asked(&case));
    site.documents.push(document("2", -5));
    let now_ms = site.lead(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true));
    site.refunds.push((10, 4));
    let now_ms = site.tell(&mut case, now_ms);
    assert!(asked(&case).contains("gave 9.00 EUR back"), "{}", asked(&case));
    assert!(asked(&case).contains("credited 5.00 EUR"), "{}", asked(&case));
    site.documents.push(document("3", -4));
    site.lead(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true));
    assert_eq!(site.told, vec![]);
}

#[test]
fn a_return_before_anything_left_ends_with_the_order_that_m3_cancels() {
    let (mut case, now_ms) = led(to_follow());
    let mut site = Site::new();
    (site.delivered, site.documents, site.shipping) = (0, Vec::new(), "P");
    let now_ms = site.tell(&mut case, now_ms);
    (site.payment, site.refunds) = ("R", vec![(9, 33)]);
    let now_ms = site.tell(&mut case, now_ms);
    assert!(asked(&case).contains("cancel it, or the lines"), "{}", asked(&case));
    site.gone = true;
    site.lead(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true), "{:?}", case.run);
}

#[test]
fn a_return_while_m3_delivers_is_said_anew_when_what_is_to_be_done_changes() {
    let (mut case, now_ms) = led(to_follow());
    let mut site = Site::new();
    (site.documents, site.shipping, site.payment) = (Vec::new(), "R", "P");
    let now_ms = site.tell(&mut case, now_ms);
    assert!(asked(&case).contains("not invoiced it"), "{}", asked(&case));
    site.documents.push(document("1", 33));
    let now_ms = site.lead(&mut case, now_ms);
    assert!(asked(&case).contains("credit invoice 1"), "{}", asked(&case));
    assert_eq!(case.run.attention.as_ref().unwrap().details, Vec::<String>::new());
    site.documents.push(document("2", -33));
    site.lead(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true));
    assert!(!site.told.contains(&Tell::Shipping("S".into())), "{:?}", site.told);
}

#[test]
fn a_return_that_the_shop_takes_back_or_a_person_settles_is_shown_no_more() {
    let (mut site, mut case, now_ms) = done();
    (site.payment, site.refunds) = ("R", vec![(9, 33)]);
    let now_ms = site.tell(&mut case, now_ms);
    assert!(!asked(&case).is_empty());
    (site.payment, site.refunds) = ("P", vec![]);
    let now_ms = site.tell(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true));
    (site.payment, site.refunds) = ("R", vec![(9, 33)]);
    let now_ms = site.tell(&mut case, now_ms);
    assert!(!asked(&case).is_empty());
    // As a person discards it.
    case.run.attention = None;
    let now_ms = site.tell(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true));
    site.tell(&mut case, now_ms);
    assert_eq!(asked(&case), "");
}

#[test]
fn a_credit_that_comes_before_the_shop_says_it_needs_nobody() {
    let (mut site, mut case, now_ms) = done();
    site.documents.push(document("2", -33));
    (site.payment, site.refunds) = ("R", vec![(9, 33)]);
    site.tell(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), is_done(&case)), ("", true));
}

#[test]
fn a_partial_payment_is_no_return_and_an_order_that_is_returned_early_is_not_entered() {
    let (mut case, now_ms) = led(to_follow());
    let mut site = Site::new();
    (site.payment, site.documents) = ("Q", Vec::new());
    let now_ms = site.tell(&mut case, now_ms);
    site.payment = "PP";
    site.tell(&mut case, now_ms);
    assert_eq!((asked(&case).as_str(), case.books.later.returned.clone()), ("", None));
    for (payment, shipping) in [("R", "N"), ("P", "R")] {
        let mut case = super::case();
        let site = Site { payment, shipping, ..Site::new() };
        play(&mut case, START_MS, vec![("order", Outcome::Order(Box::new(site.order())))]);
        assert_eq!(case.run.stage, Stage::Done(Ending::NotWanted), "{payment} {shipping}");
    }
}

#[test]
fn a_payment_that_m3_does_not_take_holds_nothing_else_up() {
    let (mut case, now_ms) = led(to_follow());
    let payments = "strategy = \"prepayment\"\nsince = \"2020-01-01\"\n\
                    [prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"";
    let rules = Rules { payments: Some(toml::from_str(payments).unwrap()), ..story::rules() };
    let mut site = Site::new();
    let (mut now_ms, mut refused) = (now_ms, 0);
    for _ in 0..100 {
        let effect = match case.next(&context(&rules, now_ms)) {
            Next::Do(effect) => effect,
            Next::Wait(wait) => {
                now_ms = wait.until_ms;
                continue;
            }
            Next::Rest | Next::Leave => break,
        };
        let outcome = match effect {
            Effect::ReadPayments(_) => {
                Outcome::Payments(vec![Movement { way: Way::In, ..site_movement() }])
            }
            Effect::Pay { .. } => {
                refused += 1;
                failed(Fate::NotDone, Class::Unavailable)
            }
            Effect::ReadProgress(_) => Outcome::Progress(site.progress()),
            Effect::Tell { tell, .. } => {
                site.told.push(tell);
                Outcome::Done
            }
            Effect::ReadOrder(_) => Outcome::Order(Box::new(site.order())),
            Effect::Place(Ask::Look) => found(&["1000001"], vec![]),
            other @ (Effect::EnsureCustomer | Effect::FindItems(_) | Effect::Place(_)) => {
                panic!("not asked for: {other:?}")
            }
            Effect::ReadReal(_) => panic!("not asked for"),
        };
        case.on(outcome, &context(&rules, now_ms));
        now_ms += 1;
    }
    assert!(refused > 3, "it is tried again");
    assert!(case.books.later.hold.is_some() && case.run.parked().is_none());
    assert!(site.told.contains(&Tell::Shipping("S".into())), "{:?}", site.told);
}

fn site_movement() -> Movement {
    Movement {
        id: 7,
        way: Way::In,
        amount: Amount(33.into()),
        currency: "EUR".into(),
        at_s: 1_795_392_000,
        method: String::new(),
    }
}
