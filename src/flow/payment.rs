//! The shop's payments on their way into M3: each is posted once. Pure.
//!
//! A [`Posting`] is asked [`Posting::next`] what to do and told what came of it, as an order is.
//! Guarantees:
//! 1. An intent is durable before its call, and every call carries the key of its payment.
//! 2. After a lost answer nothing is sent before the quiescence time has passed. Then a prepayment is
//!    looked up; a batch head or line is sent again under the same number, which M3 keeps once; what
//!    the cash desk or the general ledger may have booked is looked for among the vouchers.
//! 3. What a look-up cannot decide goes to a person, never to M3 a second time.
//! 4. Amounts are decimals in one currency, and the lines of a batch add up to their payment.

pub mod layout;
mod plan;
pub mod preview;
pub mod report;
pub mod rules;
mod step;
mod voucher;

pub use plan::Expected;
pub use step::{DeskCall, LedgerCall, Step};
pub use voucher::{VoucherLine, Vouchers, Whole};

use self::rules::{PaymentRules, Refunds};
use super::{
    cause::{Cause, CauseKind},
    steady::{Pause, Steady},
};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate},
    ids::{OrderKey, short_hash},
};
use serde::{Deserialize, Serialize};

/// Longest text key of a payment: TX30 (reference/m3.md 4.6).
const KEY_CHARS_MAX: usize = 30;
/// Payments with a larger id have no batch number: PBID has 10 digits, two are the prefix.
const BATCH_ID_MAX: u64 = 100_000_000;

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// From the buyer: captured.
    In,
    /// Back to the buyer: refunded.
    Back,
}

/// Money that moved, as the shop's payment service says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The shop's id of the backend transaction; one of its own for each capture and refund.
    pub id: u64,
    /// Which way.
    pub way: Way,
    /// How much; never negative.
    pub amount: Amount,
    /// ISO 4217.
    pub currency: String,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// The payment service.
    pub method: String,
}

/// A part of a payment that pays one invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// CINO.
    pub invoice: String,
    /// INYR.
    pub year: String,
    /// PYNO.
    pub payer: String,
    /// PYAM; negative for a refund.
    pub amount: Amount,
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// It cannot be posted yet.
    Waits,
    /// This is next; whether it was sent is known after the answer only.
    Step {
        /// What.
        step: Step,
        /// Whether the call is or may be under way.
        sent: bool,
    },
    /// The answer was lost; the call may run until that is over.
    Silent {
        /// Which.
        step: Step,
        /// Until when.
        quiet: Pause,
    },
    /// A person has to find out.
    Doubt,
    /// M3 has it.
    Posted {
        /// M3's number, or what a person wrote.
        reference: String,
    },
    /// It is not for us to post.
    Left {
        /// Why.
        why: String,
    },
}

/// One payment and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// What moved.
    pub movement: Movement,
    /// Which invoices it pays; empty for a prepayment.
    pub parts: Vec<Part>,
    /// Where it stands.
    pub at: At,
    /// The last call that was sent again after a silence, or that a person was asked about.
    pub again: Option<Step>,
}

/// A prepayment that M3 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepaid {
    /// PPYN.
    pub number: String,
    /// TX30; none where the list does not give it.
    pub text: Option<String>,
    /// IVAM.
    pub amount: Amount,
}

/// What M3 answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The prepayments of the order.
    Found(Vec<Prepaid>),
    /// The number of the new one.
    Added(String),
    /// The vouchers with our key.
    Vouchers(Vouchers),
    /// The payment number that was drawn.
    Number(u32),
    /// It did what was asked.
    Done,
}

/// What a payment is told of its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Its key in M3.
    pub key: &'a str,
    /// References of the order's other payments.
    pub known: &'a [String],
    /// The settings.
    pub rules: &'a PaymentRules,
    /// How long a call that is lost now may still run.
    pub quiet: Pause,
}

/// Names a payment in M3: at most 30 characters, the same for the same payment.
pub fn key(order: &OrderKey, movement: &Movement) -> String {
    let plain = format!("{}-{}", order.as_str(), movement.id);
    if plain.chars().count() <= KEY_CHARS_MAX { plain } else { short_hash(&[plain.as_bytes()], 26) }
}

/// Returns the batch number of a payment; none where its id has too many digits.
pub fn batch_number(prefix: u8, movement: &Movement) -> Option<u64> {
    let first = u64::from(prefix).checked_mul(BATCH_ID_MAX)?;
    (movement.id < BATCH_ID_MAX).then(|| first.saturating_add(movement.id))
}

impl Posting {
    /// Begins with what the shop says.
    pub fn new(movement: Movement, rules: &PaymentRules) -> Self {
        let left = |why: &str| At::Left { why: why.to_owned() };
        let is_of = |method: &String| *method == movement.method;
        let at = if movement.at_s < rules.since_s() {
            left("it is older than payments.since")
        } else if !rules.methods.is_empty() && !rules.methods.iter().any(is_of) {
            left("its payment service is not in payments.methods")
        } else if (movement.way, rules.refunds) == (Way::Back, Refunds::Report) {
            left("refunds are posted by a person")
        } else {
            At::Waits
        };
        Self { movement, parts: Vec::new(), at, again: None }
    }

    /// What M3 is told: negative for a refund.
    pub fn signed(&self) -> Amount {
        match self.movement.way {
            Way::In => self.movement.amount,
            Way::Back => Amount::ZERO.minus(self.movement.amount).unwrap_or_default(),
        }
    }

    /// Whether M3 is asked to do something more.
    pub fn is_open(&self) -> bool {
        match &self.at {
            At::Waits | At::Step { .. } | At::Silent { .. } | At::Doubt => true,
            At::Posted { .. } | At::Left { .. } => false,
        }
    }

    /// Says which call is next, and notes that it is sent.
    pub fn next(&mut self, now: Steady) -> Option<Step> {
        let step = match &self.at {
            At::Step { step, .. } => *step,
            At::Silent { step, quiet } if quiet.left_ms(now) == 0 => {
                if step.is_remembered() {
                    self.again = Some(*step);
                }
                step.after_silence()
            }
            // A person has looked, and M3 does not have it.
            At::Doubt => match self.again {
                Some(step @ (Step::Draw | Step::Ledger(_))) => step,
                Some(_) | None if self.parts.is_empty() => Step::Add,
                Some(_) | None => Step::Head,
            },
            At::Waits | At::Silent { .. } | At::Posted { .. } | At::Left { .. } => return None,
        };
        self.at = At::Step { step, sent: true };
        Some(step)
    }

    /// In how many milliseconds something is to be done; none when nothing is waited for.
    pub fn due_ms(&self, now: Steady) -> Option<u64> {
        match &self.at {
            At::Step { .. } => Some(0),
            At::Silent { quiet, .. } => Some(quiet.left_ms(now)),
            At::Waits | At::Doubt | At::Posted { .. } | At::Left { .. } => None,
        }
    }

    /// Takes a posting that was read from disk: what was an intent may have been done.
    pub fn recover(&mut self, quiet: Pause) {
        if let At::Step { step, sent: true } = &self.at {
            self.at = At::Silent { step: *step, quiet };
        }
    }

    /// Takes in an answer; `Some` when a person is needed.
    pub fn on(&mut self, told: &Told, around: &Around<'_>) -> Option<Cause> {
        let At::Step { step, .. } = &self.at else { return None };
        match (*step, told) {
            (Step::Look, Told::Found(found)) => return self.on_found(found, around),
            (Step::Find, Told::Vouchers(found)) => return self.on_vouchers(found, around),
            (Step::Add, Told::Added(number)) if number.is_empty() => {
                self.at = At::Doubt;
                return Some(self.doubt("M3 took it and gave no number"));
            }
            (Step::Add, Told::Added(number)) => {
                self.at = At::Posted { reference: number.clone() };
            }
            (Step::Draw, Told::Number(number)) => self.on_number(*number, around),
            (step @ (Step::Head | Step::Line(_) | Step::Control), Told::Done) => self.advance(step),
            (Step::Desk(call, number), Told::Done) => self.on_desk(call, number, around),
            (Step::Ledger(call), Told::Done) => self.on_ledger(call, around),
            // An answer to another question.
            (_, Told::Found(_) | Told::Added(_) | Told::Vouchers(_) | Told::Number(_)) => {}
            (_, Told::Done) => {}
        }
        None
    }

    fn advance(&mut self, step: Step) {
        let count = u16::try_from(self.parts.len()).unwrap_or(u16::MAX);
        let next = match step {
            Step::Head => Some(0),
            Step::Line(place) => Some(place.saturating_add(1)),
            Step::Look | Step::Add | Step::Control | Step::Find => None,
            Step::Draw | Step::Desk(_, _) | Step::Ledger(_) => None,
        };
        self.at = match next {
            Some(place) if place < count => At::Step { step: Step::Line(place), sent: false },
            Some(_) => At::Step { step: Step::Control, sent: false },
            None => At::Posted { reference: String::new() },
        };
    }

    /// By our key where the list gives it; else by the amount, if that is certain.
    fn on_found(&mut self, found: &[Prepaid], around: &Around<'_>) -> Option<Cause> {
        let Around { key, known, .. } = *around;
        let ours: Vec<&Prepaid> =
            found.iter().filter(|one| one.text.as_deref() == Some(key)).collect();
        let amount = self.signed();
        let alike = |one: &&Prepaid| {
            one.text.is_none() && one.amount == amount && !known.contains(&one.number)
        };
        let alike: Vec<&Prepaid> = found.iter().filter(alike).collect();
        match (ours.as_slice(), alike.as_slice()) {
            ([one], _) => self.at = At::Posted { reference: one.number.clone() },
            ([], []) => self.at = At::Step { step: Step::Add, sent: false },
            ([], [_, ..]) => {
                self.at = At::Doubt;
                return Some(
                    self.doubt("M3 has a prepayment of this amount and does not say whose it is"),
                );
            }
            ([_, _, ..], _) => {
                self.at = At::Doubt;
                return Some(self.doubt("M3 has it more than once"));
            }
        }
        None
    }

    fn was_there_before(&self, step: Step) -> bool {
        step.is_kept_once() && self.again == Some(step)
    }

    fn doubt(&self, why: &str) -> Cause {
        let Movement { id, amount, currency, .. } = &self.movement;
        Cause::new(CauseKind::PaymentUnknown, format!("payment {id} of {amount} {currency}: {why}"))
    }

    /// Takes in that there was no answer; says whether that is all, or the failure is to be judged.
    pub fn on_failure(&mut self, failure: &Failure, around: &Around<'_>) -> After {
        let At::Step { step, .. } = &self.at else { return After::Judge };
        let step = *step;
        match failure.fate {
            Fate::Unknown => {
                self.at = At::Silent { step, quiet: around.quiet };
                After::Settled
            }
            // Of a number that was never sent before it says that somebody else uses it.
            Fate::Refused if failure.class == Class::Exists && self.was_there_before(step) => {
                if let Step::Ledger(call) = step {
                    self.on_ledger(call, around);
                } else {
                    self.advance(step);
                }
                After::Settled
            }
            Fate::Refused if is_final(failure.class) => self.on_final_refusal(failure, around),
            Fate::Refused | Fate::NotDone => self.same_again(step),
        }
    }
}

/// Whether the same call would be refused again.
const fn is_final(class: Class) -> bool {
    match class {
        Class::Forbidden | Class::NotFound | Class::Exists | Class::Data | Class::Config => true,
        Class::State | Class::Unclassified => true,
        Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => false,
        Class::Held | Class::Broken | Class::Unauthorized | Class::Locked => false,
    }
}

/// What is to be done about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing more.
    Settled,
    /// A person is asked.
    Park(Cause),
    /// It is judged as every other one.
    Judge,
}

#[cfg(test)]
mod tests;
