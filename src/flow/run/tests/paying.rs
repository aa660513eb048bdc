//! Stories of an order's payment, with an M3 that may lose answers and a gateway that may fall.

use super::*;
use crate::flow::payment::{Movement, Prepaid, Step, Told as PaidTold, Way, key};

const SECOND_MS: u64 = 1_000;

/// What happens to one call that adds a prepayment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Carried out, and the answer is lost.
    LostAfter,
    /// Never carried out, and nobody knows.
    LostBefore,
    /// Carried out, and the gateway falls before it hears of it.
    FallsAfter,
    /// The gateway falls before it sends.
    FallsBefore,
    /// The shop tells of a change before the intent is durable, so nothing is sent.
    EventFirst,
}

fn rules() -> Rules {
    let payments = "strategy = \"prepayment\"\nsince = \"2020-01-01\"\nrefunds = \"post\"\n\
                    [prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"";
    Rules { payments: Some(toml::from_str(payments).unwrap()), ..story::rules() }
}

fn movement(id: u64) -> Movement {
    Movement {
        id,
        way: Way::In,
        amount: Amount(33.into()),
        currency: "EUR".into(),
        at_s: 1_795_392_000,
        method: "Stripe".into(),
    }
}

/// What M3 has, by key.
struct Books {
    rules: Rules,
    prepaid: Vec<Prepaid>,
    faults: Vec<Fault>,
}

impl Books {
    /// Leads the case until M3 has been asked how far the order is so many times.
    fn lead(&mut self, case: &mut Case, mut now_ms: u64, looks: u32) -> u64 {
        let mut looked = 0;
        for _ in 0..500 {
            let before = case.clone();
            let effect = match case.next(&context(&self.rules, now_ms)) {
                Next::Do(effect) => effect,
                Next::Wait(wait) => {
                    assert!(wait.until_ms > now_ms, "waits for the past: {wait:?}");
                    now_ms = wait.until_ms;
                    continue;
                }
                Next::Rest | Next::Leave => return now_ms,
            };
            let outcome = match &effect {
                Effect::ReadPayments(_) => Some(Outcome::Payments(vec![movement(7), movement(8)])),
                Effect::Pay { step: Step::Look, .. } => {
                    Some(Outcome::Paid(PaidTold::Found(self.prepaid.clone())))
                }
                Effect::Pay { id, .. } => self.add(*id, case, before),
                Effect::ReadProgress(_) if looked == looks => return now_ms,
                Effect::ReadProgress(_) => {
                    looked += 1;
                    Some(progress(&[]))
                }
                Effect::ReadOrder(_) => Some(order(0, "P")),
                // The sweep after the confirmation.
                Effect::Place(Ask::Look) => Some(found(&["1000001"], vec![])),
                Effect::EnsureCustomer | Effect::FindItems(_) | Effect::Place(_) => {
                    panic!("not asked for: {effect:?}")
                }
                Effect::ReadReal(_) => panic!("not asked for: {effect:?}"),
                Effect::Tell { .. } => Some(Outcome::Done),
            };
            match outcome {
                Some(outcome) => case.on(outcome, &context(&self.rules, now_ms)),
                None => case.recover(&context(&self.rules, now_ms)),
            }
            now_ms += SECOND_MS;
        }
        panic!("it never comes to rest: {:?}", case.run);
    }

    fn add(&mut self, id: u64, case: &mut Case, before: Case) -> Option<Outcome> {
        let fault = self.faults.pop().unwrap_or(Fault::None);
        let is_done = matches!(fault, Fault::None | Fault::LostAfter | Fault::FallsAfter);
        let number = format!("PP{}", self.prepaid.len());
        if is_done {
            let text = Some(key(&story::key(), &movement(id)));
            self.prepaid.push(Prepaid { number: number.clone(), text, amount: Amount(33.into()) });
        }
        match fault {
            Fault::None => Some(Outcome::Paid(PaidTold::Added(number))),
            Fault::LostAfter | Fault::LostBefore => Some(failed(Fate::Unknown, Class::TimedOut)),
            Fault::FallsAfter | Fault::FallsBefore => None,
            Fault::EventFirst => {
                // As the worker does when the case was not saved.
                case.books.money = before.books.money;
                case.run.reread = true;
                None
            }
        }
    }
}

#[test]
fn whatever_is_lost_and_whenever_it_falls_each_payment_is_posted_once() {
    let faults = [
        Fault::None,
        Fault::LostAfter,
        Fault::LostBefore,
        Fault::FallsAfter,
        Fault::FallsBefore,
        Fault::EventFirst,
    ];
    for first in faults {
        for second in faults {
            for third in faults {
                let (mut case, now_ms) = led(to_follow());
                let mut books = Books {
                    rules: rules(),
                    prepaid: Vec::new(),
                    faults: vec![third, second, first],
                };
                books.lead(&mut case, now_ms, 30);
                let mut keys: Vec<_> = books.prepaid.iter().map(|p| p.text.clone()).collect();
                keys.sort();
                let want = ["X1042-7", "X1042-8"].map(|key| Some(key.to_owned()));
                assert_eq!(keys, want, "{first:?} {second:?} {third:?}");
                let open = case.books.money.postings.iter().filter(|p| p.is_open()).count();
                assert_eq!((open, case.run.parked()), (0, None), "{first:?} {second:?} {third:?}");
            }
        }
    }
}

#[test]
fn without_payment_rules_the_shop_is_not_asked_for_payments() {
    let (mut case, now_ms) = led(to_follow());
    let mut books = Books { rules: story::rules(), prepaid: Vec::new(), faults: Vec::new() };
    books.lead(&mut case, now_ms, 10);
    assert!(!case.books.money.fresh, "it was never asked");
}
