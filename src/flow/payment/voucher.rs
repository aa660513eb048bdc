//! What M3's general ledger shows of a payment, where its vouchers carry our key. Pure.
//!
//! Guarantees: a payment is taken for booked only by one voucher with its key, amount and
//! currency; for not booked only by a whole list without the key.

use super::{
    After, Around, At, DeskCall, LedgerCall, Movement, Posting, Step,
    rules::{LineAgain, Pays, Strategy},
};
use crate::{
    amount::Amount,
    connector::{Class, Failure},
    flow::{
        cause::{Cause, CauseKind},
        steady::Steady,
    },
};

/// One line of a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoucherLine {
    /// Year, series and number.
    pub voucher: String,
    /// VTXT.
    pub text: String,
    /// CUAM.
    pub amount: Amount,
    /// CUCD.
    pub currency: String,
}

/// The lines that were listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouchers {
    /// Those with our key.
    pub lines: Vec<VoucherLine>,
    /// Whether the list was short enough to be whole.
    pub whole: Whole,
}

/// Whether a list has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// All was listed.
    Yes,
    /// There may be more.
    No,
}

impl VoucherLine {
    /// Whether the text has the key as a word of its own.
    pub fn carries(text: &str, key: &str) -> bool {
        text.split_whitespace().any(|word| word == key)
    }
}

impl Vouchers {
    /// Names the vouchers, each once.
    fn numbers(&self) -> Vec<&str> {
        let mut numbers: Vec<&str> = self.lines.iter().map(|line| line.voucher.as_str()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn shows(&self, movement: &Movement) -> bool {
        let is_it = |line: &VoucherLine| {
            line.amount.magnitude() == movement.amount && line.currency == movement.currency
        };
        self.lines.iter().any(is_it)
    }
}

impl Posting {
    /// Takes in the vouchers with our key.
    pub(super) fn on_vouchers(&mut self, found: &Vouchers, around: &Around<'_>) -> Option<Cause> {
        let numbers = found.numbers();
        let why = match (numbers.as_slice(), found.whole) {
            ([one], _) if found.shows(&self.movement) => {
                self.at = At::Posted { reference: format!("voucher {one}") };
                return None;
            }
            ([one], _) => format!("voucher {one} carries its key and another amount"),
            ([_, _, ..], _) => format!("several vouchers carry its key: {}", numbers.join(", ")),
            ([], Whole::No) if self.may_be_booked() => {
                "the list of vouchers is too long to be sure".to_owned()
            }
            ([], _) if matches!(self.again, Some(Step::Desk(DeskCall::End, _))) => {
                "the cash desk took it or still has it, and no voucher shows it".to_owned()
            }
            ([], _) => {
                let step = self.after_vouchers(around.rules.strategy);
                self.at = At::Step { step, sent: false };
                return None;
            }
        };
        Some(self.ask_about(&why, around))
    }

    /// Whether something was sent that may have booked it.
    const fn may_be_booked(&self) -> bool {
        matches!(self.again, Some(Step::Desk(_, _) | Step::Ledger(_)))
    }

    fn after_vouchers(&self, strategy: Strategy) -> Step {
        match (strategy, self.again) {
            (Strategy::Ledger, Some(step @ Step::Ledger(LedgerCall::Update))) => step,
            (Strategy::Ledger, _) => Step::Ledger(LedgerCall::Head),
            (_, _) => Step::Draw,
        }
    }

    /// Stands still until a person has looked; a replay goes on with what they then say is not there.
    fn ask_about(&mut self, why: &str, around: &Around<'_>) -> Cause {
        let look = self.where_to_look(around);
        self.again = match (around.rules.strategy, self.again) {
            (Strategy::Ledger, step @ Some(Step::Ledger(_))) => step,
            (Strategy::Ledger, _) => Some(Step::Ledger(LedgerCall::Head)),
            (_, _) => Some(Step::Draw),
        };
        self.at = At::Doubt;
        self.doubt(&format!("{why}; {look}"))
    }

    /// Says where a person finds it.
    fn where_to_look(&self, around: &Around<'_>) -> String {
        let key = around.key;
        let under_way = match &self.at {
            At::Step { step, .. } | At::Silent { step, .. } => Some(*step),
            At::Waits | At::Doubt | At::Posted { .. } | At::Left { .. } => None,
        };
        let number = [under_way, self.again].into_iter().flatten().find_map(Step::number);
        match (number, around.rules.ledger_key(&self.movement)) {
            (Some(number), _) => format!(
                "look for payment number {number} of cash desk {} in OIS215, for the text {key} in ARS200 and GLS200, and end the number",
                around.rules.desk()
            ),
            (None, Some(batch)) => {
                format!("look for batch {batch} in GLS840 and for {key} in GLS200")
            }
            (None, None) => format!("look for the text {key} in ARS200 and GLS200"),
        }
    }

    /// Gives up what no look can decide, once a lost answer can come no more.
    pub fn undecidable(&mut self, now: Steady, around: &Around<'_>) -> Option<Cause> {
        let At::Silent { step, quiet } = &self.at else { return None };
        let (step, rules) = (*step, around.rules);
        let decidable = match step {
            Step::Desk(_, _) | Step::Ledger(LedgerCall::Update) => rules.vouchers_carry_the_key(),
            Step::Ledger(LedgerCall::Line(_)) => {
                rules.ledger.as_ref().is_some_and(|l| l.line_again != LineAgain::Person)
            }
            Step::Look | Step::Add | Step::Head | Step::Line(_) | Step::Control => true,
            Step::Find | Step::Draw => true,
            Step::Ledger(LedgerCall::Head | LedgerCall::Control) => true,
        };
        if decidable || quiet.left_ms(now) > 0 {
            return None;
        }
        let why = format!("the answer to {} was lost", step.transaction());
        if matches!(step, Step::Ledger(_)) {
            self.again = Some(step);
        }
        Some(self.ask_about(&why, around))
    }

    /// Takes in a refusal that the same call would get again.
    pub(super) fn on_final_refusal(&mut self, failure: &Failure, around: &Around<'_>) -> After {
        let At::Step { step, .. } = &self.at else { return After::Judge };
        let step = *step;
        let by_text = around.rules.vouchers_carry_the_key();
        match step {
            // The number is gone, or M3 keeps it: the vouchers say what became of it.
            Step::Desk(DeskCall::Abandon, number) if by_text => {
                if failure.class != Class::NotFound {
                    self.again = Some(Step::Desk(DeskCall::End, number));
                }
                self.at = At::Silent { step: Step::Find, quiet: around.quiet };
                After::Settled
            }
            Step::Desk(DeskCall::End, _) => {
                After::Park(self.ask_about(&format!("EndProgram was refused ({failure})"), around))
            }
            Step::Desk(_, number) if by_text => {
                self.again = Some(step);
                self.at = At::Step { step: Step::Desk(DeskCall::Abandon, number), sent: false };
                After::Judge
            }
            Step::Desk(_, number) => {
                (self.at, self.again) = (At::Doubt, Some(Step::Draw));
                let Movement { id, .. } = &self.movement;
                let text = format!(
                    "payment {id}: {}: {failure}; end payment number {number} of cash desk {} in OIS215, mend what M3 names, then replay: it begins with a new number",
                    step.transaction(),
                    around.rules.desk()
                );
                After::Park(Cause::new(CauseKind::PaymentRefused, text))
            }
            Step::Ledger(LedgerCall::Line(_) | LedgerCall::Control)
                if failure.class == Class::NotFound =>
            {
                // Somebody has deleted the batch, which was never booked.
                self.again = None;
                self.at = At::Step { step: Step::Ledger(LedgerCall::Head), sent: false };
                After::Settled
            }
            // It was controlled the first time; what was not is refused by the update.
            Step::Ledger(LedgerCall::Control)
                if self.again == Some(step) && failure.class == Class::State =>
            {
                self.on_ledger(LedgerCall::Control, around);
                After::Settled
            }
            // That was wrong: it is controlled when a person has looked.
            Step::Ledger(LedgerCall::Update)
                if self.again == Some(Step::Ledger(LedgerCall::Control)) =>
            {
                self.again = None;
                self.same_again(Step::Ledger(LedgerCall::Control))
            }
            Step::Ledger(LedgerCall::Update) if self.again == Some(step) => {
                let why = format!("UpdBatch was refused the second time ({failure})");
                After::Park(self.ask_about(&why, around))
            }
            Step::Look | Step::Add | Step::Head | Step::Line(_) | Step::Control | Step::Find => {
                self.same_again(step)
            }
            Step::Draw | Step::Ledger(_) => self.same_again(step),
        }
    }

    pub(super) fn same_again(&mut self, step: Step) -> After {
        self.at = At::Step { step, sent: false };
        After::Judge
    }

    /// Takes in that a call about a payment number was carried out.
    pub(super) fn on_desk(&mut self, call: DeskCall, number: u32, around: &Around<'_>) {
        let count = u16::try_from(self.parts.len()).unwrap_or(u16::MAX);
        let next = match call {
            DeskCall::Invoice(place) if place.saturating_add(1) < count => {
                DeskCall::Invoice(place.saturating_add(1))
            }
            DeskCall::Invoice(_) | DeskCall::OnAccount => DeskCall::Payment,
            DeskCall::Payment => DeskCall::Validate,
            DeskCall::Validate => DeskCall::End,
            DeskCall::End => {
                let reference = format!("cash desk {} number {number}", around.rules.desk());
                self.at = At::Posted { reference };
                return;
            }
            DeskCall::Abandon => {
                // What M3 booked of it, if anything, may be shown a little later.
                self.at = At::Silent { step: Step::Find, quiet: around.quiet };
                return;
            }
        };
        self.at = At::Step { step: Step::Desk(next, number), sent: false };
    }

    /// Takes in the number that was drawn.
    pub(super) fn on_number(&mut self, number: u32, around: &Around<'_>) {
        let pays = around.rules.cash_desk.as_ref().map(|desk| desk.pays);
        let call = match pays {
            Some(Pays::Invoices) => DeskCall::Invoice(0),
            Some(Pays::OnAccount) | None => DeskCall::OnAccount,
        };
        self.at = At::Step { step: Step::Desk(call, number), sent: false };
    }

    /// Takes in that a call about the batch was carried out.
    pub(super) fn on_ledger(&mut self, call: LedgerCall, around: &Around<'_>) {
        let lines = around.rules.ledger.as_ref().map_or(0, |ledger| ledger.lines.len());
        let lines = u16::try_from(lines).unwrap_or(u16::MAX);
        let line = |place: u16| {
            if place < lines { LedgerCall::Line(place) } else { LedgerCall::Control }
        };
        let next = match call {
            LedgerCall::Head => line(0),
            LedgerCall::Line(place) => line(place.saturating_add(1)),
            LedgerCall::Control => LedgerCall::Update,
            LedgerCall::Update => {
                self.at = At::Posted { reference: String::new() };
                return;
            }
        };
        self.at = At::Step { step: Step::Ledger(next), sent: false };
    }
}
