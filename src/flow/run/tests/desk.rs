//! Stories of payments at the cash desk and in the general ledger, with an M3 that may lose answers,
//! refuse and book at another moment than we think, a gateway that may fall, and a person.

use super::*;
use crate::flow::payment::{
    At, DeskCall, LedgerCall, Movement, Step, Told as PaidTold, VoucherLine, Vouchers, Way, Whole,
    key,
};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one call that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Carried out, and the answer is lost.
    LostAfter,
    /// Never carried out, and nobody knows.
    LostBefore,
    /// Carried out, and the gateway falls before it hears of it.
    FallsAfter,
    /// The gateway falls before it sends.
    FallsBefore,
    /// An event comes before the intent is durable, so nothing is sent.
    EventFirst,
    /// M3 refuses it for a reason that a person mends.
    Refused,
    /// Somebody holds the record.
    Locked,
}

const FAULTS: [Fault; 7] = [
    Fault::LostAfter,
    Fault::LostBefore,
    Fault::FallsAfter,
    Fault::FallsBefore,
    Fault::EventFirst,
    Fault::Refused,
    Fault::Locked,
];

/// When the cash desk books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Books {
    Validate,
    End,
    /// At the end, even what was never validated.
    EndAlways,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    #[default]
    Begun,
    Paid,
    /// Validated, controlled.
    Checked,
    Booked,
}

#[derive(Clone, Debug, Default)]
struct Number {
    text: Option<String>,
    reached: Reached,
}

impl Number {
    const fn is_validated(&self) -> bool {
        matches!(self.reached, Reached::Checked | Reached::Booked)
    }
}

#[derive(Clone, Debug, Default)]
struct Batch {
    text: String,
    lines: Vec<u16>,
    reached: Reached,
}

/// An M3 with both, and the person beside it.
struct World {
    rules: Rules,
    books: Books,
    again: &'static str,
    drawn: u32,
    numbers: BTreeMap<u32, Number>,
    batches: BTreeMap<u64, Batch>,
    vouchers: Vec<String>,
    /// At which write call what happens.
    faults: Vec<(usize, Fault)>,
    writes: usize,
    asked: usize,
}

fn rules(text: &str) -> Rules {
    let text = format!("since = \"2020-01-01\"\n{text}");
    let payments: payment::rules::PaymentRules = toml::from_str(&text).unwrap();
    assert_eq!(payments.problems(Some("AAA")), Vec::<String>::new());
    Rules { payments: Some(payments), ..story::rules() }
}

fn desk_rules(find_by: &str) -> Rules {
    rules(&format!(
        "strategy = \"cash-desk\"\n[cash_desk]\ndesk = \"WEB01\"\npayment_method = \"CRD\"\nfind_by = \"{find_by}\""
    ))
}

fn ledger_rules(find_by: &str, again: &str) -> Rules {
    let line = |side: &str| {
        format!(
            "[[ledger.lines]]\nside = \"{side}\"\naccount = \"1930\"\nfields = [{{ from = 1, width = 12, value = \"signed\" }}, {{ from = 20, width = 30, value = \"text\" }}]\n"
        )
    };
    rules(&format!(
        "strategy = \"ledger\"\n[ledger]\nkey_prefix = \"W1\"\ninterface = \"WEB\"\nfind_by = \"{find_by}\"\nline_again = \"{again}\"\n{}{}",
        line("debit"),
        line("credit")
    ))
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

fn refused(class: Class) -> Outcome {
    failed(Fate::Refused, class)
}

impl World {
    fn new(rules: Rules, books: Books, again: &'static str, faults: Vec<(usize, Fault)>) -> Self {
        Self {
            rules,
            books,
            again,
            drawn: 0,
            numbers: BTreeMap::new(),
            batches: BTreeMap::new(),
            vouchers: Vec::new(),
            faults,
            writes: 0,
            asked: 0,
        }
    }

    /// Leads the case until M3 has been asked how far the order is so many times.
    fn lead(&mut self, case: &mut Case, mut now_ms: u64, looks: u32) {
        let mut looked = 0;
        for _ in 0..1_000 {
            let before = case.clone();
            let effect = match case.next(&context(&self.rules, now_ms)) {
                Next::Do(effect) => effect,
                Next::Wait(wait) => {
                    assert!(wait.until_ms > now_ms, "waits for the past: {wait:?}");
                    now_ms = wait.until_ms;
                    continue;
                }
                Next::Rest if case.run.parked().is_some() => {
                    self.person(case, now_ms);
                    continue;
                }
                Next::Rest | Next::Leave => return,
            };
            let outcome = match &effect {
                Effect::ReadPayments(_) => Some(Outcome::Payments(vec![movement(7), movement(8)])),
                Effect::Pay { id, step: Step::Find } => Some(Outcome::Paid(self.find(*id))),
                Effect::Pay { id, step } => self.write(*id, *step, case, before),
                Effect::ReadProgress(_) if looked == looks => return,
                Effect::ReadProgress(_) => {
                    looked += 1;
                    Some(progress(&[]))
                }
                Effect::ReadOrder(_) => Some(order(0, "P")),
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
            now_ms += 1_000;
        }
        panic!("it never comes to rest: {:?} {:?}", case.run, case.books.money);
    }

    fn find(&self, id: u64) -> PaidTold {
        let text = key(&story::key(), &movement(id));
        let line = |place: usize| VoucherLine {
            voucher: place.to_string(),
            text: text.clone(),
            amount: Amount(33.into()),
            currency: "EUR".into(),
        };
        let places = self.vouchers.iter().enumerate().filter(|(_, it)| **it == text);
        let lines = places.map(|(place, _)| line(place)).collect();
        PaidTold::Vouchers(Vouchers { lines, whole: Whole::Yes })
    }

    fn write(&mut self, id: u64, step: Step, case: &mut Case, before: Case) -> Option<Outcome> {
        let place = self.writes;
        self.writes += 1;
        let fault = self.faults.iter().find(|(at, _)| *at == place).map(|(_, fault)| *fault);
        match fault {
            Some(Fault::Refused) => return Some(refused(Class::State)),
            Some(Fault::Locked) => return Some(refused(Class::Locked)),
            Some(Fault::LostBefore) => return Some(failed(Fate::Unknown, Class::TimedOut)),
            Some(Fault::FallsBefore) => return None,
            Some(Fault::EventFirst) => {
                case.books.money = before.books.money;
                case.run.reread = true;
                return None;
            }
            Some(Fault::LostAfter | Fault::FallsAfter) | None => {}
        }
        let outcome = self.carry_out(id, step);
        match fault {
            Some(Fault::LostAfter) => Some(failed(Fate::Unknown, Class::TimedOut)),
            Some(Fault::FallsAfter) => None,
            _ => Some(outcome),
        }
    }

    fn carry_out(&mut self, id: u64, step: Step) -> Outcome {
        match step {
            Step::Draw => {
                self.drawn += 1;
                self.numbers.insert(self.drawn, Number::default());
                Outcome::Paid(PaidTold::Number(self.drawn))
            }
            Step::Desk(call, number) => self.desk(id, call, number),
            Step::Ledger(call) => self.ledger(id, call),
            Step::Look | Step::Add | Step::Head | Step::Line(_) | Step::Control | Step::Find => {
                panic!("not asked for: {step:?}")
            }
        }
    }

    fn desk(&mut self, id: u64, call: DeskCall, number: u32) -> Outcome {
        let books = self.books;
        let Some(entry) = self.numbers.get_mut(&number) else { return refused(Class::NotFound) };
        let mut books_it = false;
        match call {
            DeskCall::OnAccount if entry.text.is_some() => return refused(Class::State),
            DeskCall::OnAccount => entry.text = Some(key(&story::key(), &movement(id))),
            DeskCall::Payment => entry.reached = entry.reached.max(Reached::Paid),
            DeskCall::Validate if entry.text.is_none() || entry.reached != Reached::Paid => {
                return refused(Class::State);
            }
            DeskCall::Validate => {
                entry.reached = Reached::Checked;
                books_it = books == Books::Validate;
            }
            DeskCall::End | DeskCall::Abandon => {
                books_it = entry.reached != Reached::Booked
                    && match books {
                        Books::Validate => false,
                        Books::End => entry.is_validated(),
                        Books::EndAlways => entry.text.is_some(),
                    };
            }
            DeskCall::Invoice(_) => panic!("there is no invoice"),
        }
        if books_it {
            entry.reached = Reached::Booked;
            self.vouchers.extend(entry.text.clone());
        }
        if matches!(call, DeskCall::End | DeskCall::Abandon) {
            self.numbers.remove(&number);
        }
        Outcome::Paid(PaidTold::Done)
    }

    fn ledger(&mut self, id: u64, call: LedgerCall) -> Outcome {
        if call == LedgerCall::Head {
            if self.batches.contains_key(&id) {
                return refused(Class::Exists);
            }
            let text = key(&story::key(), &movement(id));
            self.batches.insert(id, Batch { text, ..Batch::default() });
            return Outcome::Paid(PaidTold::Done);
        }
        let Some(batch) = self.batches.get_mut(&id) else { return refused(Class::NotFound) };
        match call {
            LedgerCall::Head => {}
            LedgerCall::Line(place) if batch.lines.contains(&place) => match self.again {
                "refused" => return refused(Class::Exists),
                "replaces" => {}
                // The worst there can be.
                _ => batch.lines.push(place),
            },
            LedgerCall::Line(place) => batch.lines.push(place),
            LedgerCall::Control if batch.lines.is_empty() || batch.reached == Reached::Booked => {
                return refused(Class::State);
            }
            LedgerCall::Control => batch.reached = Reached::Checked,
            LedgerCall::Update if batch.reached != Reached::Checked => {
                return refused(Class::State);
            }
            LedgerCall::Update => {
                batch.reached = Reached::Booked;
                assert_eq!(batch.lines, [0, 1], "the batch is not whole");
                self.vouchers.push(batch.text.clone());
            }
        }
        Outcome::Paid(PaidTold::Done)
    }

    /// Does what the cause says.
    fn person(&mut self, case: &mut Case, now_ms: u64) {
        self.asked += 1;
        let why = case.run.parked().unwrap().clone();
        let under_way = |at: &At| matches!(at, At::Step { .. } | At::Doubt);
        let postings = &case.books.money.postings;
        let id = postings.iter().find(|p| under_way(&p.at)).unwrap().movement.id;
        let text = key(&story::key(), &movement(id));
        if why.kind == CauseKind::PaymentRefused {
            if why.text.contains("end payment number") {
                self.numbers.clear();
            }
        } else {
            assert_eq!(why.kind, CauseKind::PaymentUnknown, "{}", why.text);
            assert!(why.text.contains(&text), "it says what to look for: {}", why.text);
            if self.books == Books::End {
                // Ending a number by hand books what was validated.
                let validated = self.numbers.values().filter(|n| n.reached == Reached::Checked);
                self.vouchers.extend(validated.filter_map(|n| n.text.clone()));
            }
            self.numbers.clear();
            if let Some(batch) = self.batches.get_mut(&id)
                && why.text.contains("AddBatchLine")
                && batch.lines.len() > usize::from(case_line(case, id))
            {
                // The line is there: the person finishes the batch.
                (batch.lines, batch.reached) = (vec![0, 1], Reached::Booked);
                self.vouchers.push(batch.text.clone());
            }
            if self.vouchers.contains(&text) {
                assert!(case.settle_payment(id, "seen in M3", now_ms));
            }
        }
        assert!(case.run.replay(ReplayFrom::Step, now_ms));
        case.run.reread = false;
    }
}

/// The line that a person is asked about.
fn case_line(case: &Case, id: u64) -> u16 {
    let posting = case.books.money.postings.iter().find(|p| p.movement.id == id).unwrap();
    match posting.again {
        Some(Step::Ledger(LedgerCall::Line(place))) => place,
        _ => panic!("no line in doubt: {posting:?}"),
    }
}

/// Whether a person may have to say whether M3 has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubts {
    Never,
    Sometimes,
}

fn every_pair_of_faults(make: impl Fn(Vec<(usize, Fault)>) -> World, doubts: Doubts) {
    for first in 0..7 {
        for one in FAULTS {
            for gap in [1, 2, 4] {
                for other in FAULTS {
                    let faults = vec![(first, one), (first + gap, other)];
                    let mut world = make(faults.clone());
                    let (mut case, now_ms) = led(to_follow());
                    world.lead(&mut case, now_ms, 12);
                    let told = format!("{faults:?} {:?}", world.books);
                    let once: BTreeSet<_> = world.vouchers.iter().cloned().collect();
                    let want = BTreeSet::from(["X1042-7", "X1042-8"].map(str::to_owned));
                    assert_eq!((world.vouchers.len(), once), (2, want), "{told}");
                    let open = case.books.money.postings.iter().filter(|p| p.is_open()).count();
                    assert_eq!((open, case.run.parked()), (0, None), "{told}");
                    let refusals = [one, other].iter().filter(|f| **f == Fault::Refused).count();
                    if doubts == Doubts::Never {
                        assert!(world.asked <= refusals, "{told}");
                    }
                }
            }
        }
    }
}

#[test]
fn with_the_key_in_its_vouchers_the_cash_desk_books_each_payment_once_and_asks_nobody() {
    for books in [Books::Validate, Books::End, Books::EndAlways] {
        let make = |faults| World::new(desk_rules("voucher-text"), books, "", faults);
        every_pair_of_faults(make, Doubts::Never);
    }
}

#[test]
fn without_it_a_person_looks_and_nothing_is_booked_twice() {
    for books in [Books::Validate, Books::End] {
        let make = |faults| World::new(desk_rules("person"), books, "", faults);
        every_pair_of_faults(make, Doubts::Sometimes);
    }
}

#[test]
fn the_ledger_books_each_payment_once_however_it_takes_a_second_line() {
    for again in ["refused", "replaces"] {
        let make =
            |faults| World::new(ledger_rules("voucher-text", again), Books::End, again, faults);
        every_pair_of_faults(make, Doubts::Never);
    }
    let make = |faults| World::new(ledger_rules("person", "person"), Books::End, "", faults);
    every_pair_of_faults(make, Doubts::Sometimes);
}
