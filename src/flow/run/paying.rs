//! The payments of an order that M3 has. Pure.
//!
//! Guarantees: payments never hold up what the shop is told of the goods, unless a person is
//! needed; a payment that changes in the shop after it was posted is shown, and posted no second
//! time; an order is not finished while a payment is under way.

use super::{Case, Context, Effect, Ending, Stage};
use crate::{
    amount::Amount,
    clock,
    connector::Failure,
    flow::{
        books::{Doing, Hold},
        cause::{Cause, CauseKind},
        invoice::Invoice,
        payment::{
            self, After, Around, At, DeskCall, Expected, Movement, Posting, Step, Told,
            rules::PaymentRules,
        },
        steady::Pause,
    },
};

/// Payments of one order that are looked at.
const MOVEMENTS_MAX: usize = 100;

/// Whether a failure uses up an attempt; an outage does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    Yes,
    No,
}

/// The payment rules, where they post.
fn posting_rules<'a>(context: &Context<'a>) -> Option<&'a PaymentRules> {
    context.rules.payments.as_ref().filter(|rules| rules.posts())
}

fn quiet(context: &Context<'_>) -> Pause {
    context.steady.pause(context.rules.quiescence_ms())
}

impl Case {
    /// The next thing to do about payments; none while there is none.
    pub(super) fn pay(&mut self, context: &Context<'_>) -> Option<Effect> {
        let rules = posting_rules(context).filter(|_| !self.payments_are_held(context))?;
        let (Some(_), Some(order)) = (&self.run.orno, &self.order) else { return None };
        let money = &mut self.books.money;
        if !money.fresh {
            money.doing = Some(Doing::Reading);
            return Some(Effect::ReadPayments(order.id));
        }
        if let Some(cause) = self.plan_payments(rules) {
            self.run.park(cause, context.now_ms);
            return None;
        }
        let order_key = self.run.key.clone()?;
        for posting in &mut self.books.money.postings {
            let id = posting.movement.id;
            let key = payment::key(&order_key, &posting.movement);
            let around = Around { key: &key, known: &[], rules, quiet: quiet(context) };
            if let Some(cause) = posting.undecidable(context.steady, &around) {
                self.run.park(cause, context.now_ms);
                return None;
            }
            if let Some(step) = posting.next(context.steady) {
                self.books.money.doing = Some(Doing::Posting(id));
                return Some(Effect::Pay { id, step });
            }
        }
        None
    }

    /// When payments have to be looked at again; none when nothing is waited for.
    pub(super) fn pay_due_ms(&self, context: &Context<'_>) -> Option<u64> {
        let money = &self.books.money;
        let returned = self.books.later.returned.as_ref();
        let follows = matches!(self.run.stage, Stage::Follow { .. });
        let asks = follows && returned.is_some_and(|returned| !returned.asked);
        let posts = posting_rules(context).is_some();
        let can_read = self.run.orno.is_some() && self.order.is_some();
        let reads = (can_read && (asks || posts && !money.fresh)).then_some(0);
        let due = money.postings.iter().filter(|_| posts);
        let due = due.filter_map(|posting| posting.due_ms(context.steady)).chain(reads).min()?;
        let hold = self.books.later.hold.as_ref();
        let held_ms = hold.map_or(0, |hold| hold.quiet.left_ms(context.steady));
        Some(context.now_ms.saturating_add(due.max(held_ms)))
    }

    /// Says what is waited for.
    pub(super) fn pay_reason(&self) -> String {
        let hold = self.books.later.hold.as_ref();
        let lost = "an answer about a payment was lost and it is looked for";
        hold.map_or_else(|| lost.to_owned(), |hold| format!("a payment waits: {}", hold.reason))
    }

    /// Whether a call about payments has failed and is not tried again yet.
    pub(super) fn payments_are_held(&self, context: &Context<'_>) -> bool {
        let hold = self.books.later.hold.as_ref();
        hold.is_some_and(|hold| hold.quiet.left_ms(context.steady) > 0)
    }

    /// A call about payments failed: they wait, and the rest of the order goes on.
    pub(super) fn hold_payments(
        &mut self,
        failure: &Failure,
        counts: Counts,
        context: &Context<'_>,
    ) {
        let (failed, counted) =
            self.books.later.hold.as_ref().map_or((0, 0), |hold| (hold.failed, hold.counted));
        let failed = failed.saturating_add(1);
        let counted = counted.saturating_add(u32::from(counts == Counts::Yes));
        let retry = &context.rules.retry;
        if counts == Counts::Yes && retry.wait_after(counted, context.jitter).is_none() {
            self.books.later.hold = None;
            if self.books.money.doing == Some(Doing::Reading) && self.gives_refunds_up(context) {
                return;
            }
            let text = format!("a call about payments failed {counted} times: {failure}");
            return self.run.park(Cause::new(CauseKind::KeepsFailing, text), context.now_ms);
        }
        let pause = retry.wait_however_long(failed, context.jitter);
        let asked_ms = failure.retry_after_s.unwrap_or(0).saturating_mul(1_000);
        let quiet = context.steady.pause(clock::millis(pause).max(asked_ms));
        let reason = failure.to_string();
        self.books.later.hold = Some(Hold { quiet, reason, failed, counted });
    }

    fn plan_payments(&mut self, rules: &PaymentRules) -> Option<Cause> {
        let complete = match &self.run.stage {
            Stage::Follow { follow, .. } => follow.complete,
            Stage::Done(Ending::Completed) => true,
            Stage::Read | Stage::Customer | Stage::Items | Stage::Place | Stage::Withdraw => false,
            Stage::Check | Stage::Done(_) | Stage::Parked { .. } => false,
        };
        let more = if complete { Expected::Nothing } else { Expected::More };
        let mut free = self.free_invoices();
        let waiting =
            self.books.money.postings.iter_mut().filter(|posting| posting.at == At::Waits);
        for posting in waiting {
            if let Err(cause) = posting.plan(rules, &mut free, more) {
                return Some(cause);
            }
        }
        None
    }

    /// Each invoice with what no payment of ours is for yet.
    fn free_invoices(&self) -> Vec<(Invoice, Amount)> {
        let parts = || self.books.money.postings.iter().flat_map(|posting| &posting.parts);
        let open = |invoice: &Invoice| {
            let own = parts()
                .filter(|part| (&part.invoice, &part.year) == (&invoice.number, &invoice.year));
            own.fold(invoice.amount, |open, part| open.minus(part.amount).unwrap_or_default())
        };
        self.books.invoices.iter().map(|invoice| (invoice.clone(), open(invoice))).collect()
    }

    /// Takes in what the shop says of the order's payments.
    pub(super) fn on_payments(&mut self, movements: Vec<Movement>, context: &Context<'_>) {
        self.take_refunds(&movements, context);
        let Some(rules) = posting_rules(context) else { return };
        self.books.money.fresh = true;
        let mut said = Vec::new();
        for posting in &self.books.money.postings {
            let before = &posting.movement;
            match movements.iter().find(|movement| movement.id == before.id) {
                Some(now)
                    if (now.amount, now.way, &now.currency)
                        == (before.amount, before.way, &before.currency) => {}
                Some(now) => said.push(format!(
                    "payment {} was {} {} and is {} {} in the shop now",
                    before.id, before.amount, before.currency, now.amount, now.currency
                )),
                None => said.push(format!("payment {} is not in the shop any more", before.id)),
            }
        }
        for text in said {
            self.run.note(Cause::new(CauseKind::PaymentRefused, text));
        }
        let room = MOVEMENTS_MAX.saturating_sub(self.books.money.postings.len());
        let known = |movement: &Movement| {
            self.books.money.postings.iter().any(|posting| posting.movement.id == movement.id)
        };
        let fresh: Vec<Movement> =
            movements.into_iter().filter(|movement| !known(movement)).collect();
        if fresh.len() > room {
            let text = format!("more than {MOVEMENTS_MAX} payments; the rest is not posted");
            self.run.note(Cause::new(CauseKind::PaymentRefused, text));
        }
        for movement in fresh.into_iter().take(room) {
            let posting = Posting::new(movement, rules);
            if let At::Left { why } = &posting.at {
                let id = posting.movement.id;
                self.run.mark(context.now_ms, format!("payment {id} is not posted: {why}"));
            }
            self.books.money.postings.push(posting);
        }
    }

    /// Takes in what M3 says of a payment.
    pub(super) fn on_paid(&mut self, told: &Told, context: &Context<'_>) {
        let Some(Doing::Posting(id)) = self.books.money.doing else { return };
        let (Some(order), Some(rules)) = (&self.run.key, posting_rules(context)) else { return };
        let known = self.books.money.references(id);
        let Some(posting) = self.books.money.posting(id) else { return };
        let key = payment::key(order, &posting.movement);
        let around = Around { key: &key, known: &known, rules, quiet: quiet(context) };
        let cause = posting.on(told, &around);
        if let At::Posted { reference } = &mut posting.at {
            if reference.is_empty() {
                reference.push_str(&own_number(&posting.movement, rules));
            }
            let text = format!("payment {id} posted as {reference}");
            self.run.mark(context.now_ms, text);
        }
        if let Told::Number(number) = told {
            let text = format!("payment {id}: number {number} of cash desk {}", rules.desk());
            self.run.mark(context.now_ms, text);
        }
        if let Some(cause) = cause {
            self.run.park(cause, context.now_ms);
        }
    }

    /// Takes in that M3 gave no answer about a payment; says whether that is all.
    pub(super) fn payment_unanswered(&mut self, failure: &Failure, context: &Context<'_>) -> After {
        let Some(Doing::Posting(id)) = self.books.money.doing else { return After::Judge };
        let (Some(order), Some(rules)) = (&self.run.key, posting_rules(context)) else {
            return After::Judge;
        };
        match self.books.money.posting(id) {
            Some(posting) => {
                let key = payment::key(order, &posting.movement);
                let around = Around { key: &key, known: &[], rules, quiet: quiet(context) };
                posting.on_failure(failure, &around)
            }
            None => After::Judge,
        }
    }

    /// Takes payments that were read from disk: an intent may have been carried out.
    pub(super) fn recover_payments(&mut self, context: &Context<'_>) {
        self.books.money.doing = None;
        for posting in &mut self.books.money.postings {
            posting.recover(quiet(context));
        }
    }

    /// A person says where a payment is; true when there was one to settle.
    pub fn settle_payment(&mut self, id: u64, reference: &str, now_ms: u64) -> bool {
        let Some(posting) = self.books.money.posting(id) else { return false };
        if matches!(posting.at, At::Posted { .. }) {
            return false;
        }
        posting.at = At::Posted { reference: format!("by a person: {reference}") };
        self.run.mark(now_ms, format!("payment {id} settled by a person: {reference}"));
        true
    }
}

/// The number that we gave a payment ourselves.
fn own_number(movement: &Movement, rules: &PaymentRules) -> String {
    let batch = rules.receivable_batch.as_ref();
    let batch = batch.and_then(|batch| payment::batch_number(batch.batch_prefix, movement));
    let ledger = rules.ledger_key(movement).map(|key| format!("ledger batch {key}"));
    ledger.or_else(|| batch.map(|batch| batch.to_string())).unwrap_or_default()
}

/// Says what a payment has done in M3.
pub(super) fn effect(posting: &Posting) -> String {
    let Movement { id, amount, currency, .. } = &posting.movement;
    let what = format!("payment {id} of {amount} {currency}");
    match &posting.at {
        At::Waits => format!("next: {what}, as soon as M3 has invoiced it"),
        At::Step { step, sent: false } if step.is_first() => format!("next: {what}"),
        At::Step { step: step @ Step::Desk(call, number), sent: false } => {
            let begun = match call {
                DeskCall::Abandon => "given up",
                DeskCall::Invoice(_) | DeskCall::OnAccount | DeskCall::Payment => "begun",
                DeskCall::Validate | DeskCall::End => "begun",
            };
            let next = step.transaction();
            format!("done: {what} {begun} as payment number {number}; next: {next}")
        }
        At::Step { step, sent: false } => {
            format!("done: {what} begun; next: {}", step.transaction())
        }
        At::Step { .. } | At::Silent { .. } => format!("unknown: {what}; it is looked for"),
        At::Doubt => format!("unknown: {what}"),
        At::Posted { reference } => format!("done: {what} posted as {reference}"),
        At::Left { why } => format!("done: {what} left, {why}"),
    }
}
