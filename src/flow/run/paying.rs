//! The payments of an order that M3 has. Pure.
//!
//! Guarantees: payments never hold up what the shop is told of the goods, unless a person is
//! needed; a payment that changes in the shop after it was posted is shown, and posted no second
//! time; an order is not finished while a payment is under way.

use super::{Case, Context, Effect, Ending, Stage};
use crate::{
    amount::Amount,
    connector::Failure,
    flow::{
        books::Doing,
        cause::{Cause, CauseKind},
        invoice::Invoice,
        payment::{self, After, At, Expected, Movement, Posting, Step, Told, rules::PaymentRules},
        steady::Pause,
    },
};

/// Payments of one order that are looked at.
const MOVEMENTS_MAX: usize = 100;

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
        let rules = posting_rules(context)?;
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
        for posting in &mut self.books.money.postings {
            let id = posting.movement.id;
            if let Some(step) = posting.next(context.steady) {
                self.books.money.doing = Some(Doing::Posting(id));
                return Some(Effect::Pay { id, step });
            }
        }
        None
    }

    /// When payments have to be looked at again; none when nothing is waited for.
    pub(super) fn pay_due_ms(&self, context: &Context<'_>) -> Option<u64> {
        posting_rules(context)?;
        let due = self.books.money.postings.iter().filter_map(|p| p.due_ms(context.steady));
        due.min().map(|left_ms| context.now_ms.saturating_add(left_ms))
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
        let Some(order) = &self.run.key else { return };
        let known = self.books.money.references(id);
        let Some(posting) = self.books.money.posting(id) else { return };
        let key = payment::key(order, &posting.movement);
        let cause = posting.on(told, &key, &known);
        if let At::Posted { reference } = &mut posting.at {
            let settings = posting_rules(context).and_then(|rules| rules.receivable_batch.as_ref());
            let batch =
                settings.and_then(|s| payment::batch_number(s.batch_prefix, &posting.movement));
            if let (true, Some(batch)) = (reference.is_empty(), batch) {
                *reference = batch.to_string();
            }
            let text = format!("payment {id} posted as {reference}");
            self.run.mark(context.now_ms, text);
        }
        if let Some(cause) = cause {
            self.run.park(cause, context.now_ms);
        }
    }

    /// Takes in that M3 gave no answer about a payment; says whether that is all.
    pub(super) fn payment_unanswered(&mut self, failure: &Failure, context: &Context<'_>) -> After {
        let Some(Doing::Posting(id)) = self.books.money.doing else { return After::Judge };
        match self.books.money.posting(id) {
            Some(posting) => posting.on_failure(failure, quiet(context)),
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

/// Says what a payment has done in M3.
pub(super) fn effect(posting: &Posting) -> String {
    let Movement { id, amount, currency, .. } = &posting.movement;
    let what = format!("payment {id} of {amount} {currency}");
    match &posting.at {
        At::Waits => format!("next: {what}, as soon as M3 has invoiced it"),
        At::Step { step: Step::Look | Step::Add | Step::Head, sent: false } => {
            format!("next: {what}")
        }
        At::Step { step, sent: false } => format!("done: {what} begun; next: {step:?}"),
        At::Step { .. } | At::Silent { .. } => format!("unknown: {what}; it is looked for"),
        At::Doubt => format!("unknown: {what}"),
        At::Posted { reference } => format!("done: {what} posted as {reference}"),
        At::Left { why } => format!("done: {what} left, {why}"),
    }
}
