//! Returns of an order that M3 has. Pure.
//!
//! Guarantees: a return never holds up an order, it is a difference that a person is shown; an order
//! that was done is followed again until M3 shows the credit note; a status that the shop
//! gave because of a return is not written over.

use super::{Case, Context, Effect, Ending, Stage};
use crate::{
    amount::Amount,
    flow::{
        books::Doing,
        cause::{Cause, CauseKind},
        follow::{Follow, Tell},
        payment::{Movement, Way, rules::PaymentRules},
        returns::{InM3, Returned, Standing, Sure, Verdict, What},
    },
};

impl Case {
    /// Takes in how the shop stands to the order now; `before` is its payment status until then.
    pub(super) fn notice_return(&mut self, before: Option<&str>, context: &Context<'_>) {
        let has_ended = match &self.run.stage {
            Stage::Done(Ending::Discarded | Ending::NotWanted | Ending::Cancelled) => true,
            Stage::Done(Ending::Completed) | Stage::Follow { .. } | Stage::Check => false,
            Stage::Parked { .. } | Stage::Place | Stage::Withdraw => false,
            Stage::Read | Stage::Customer | Stage::Items => false,
        };
        let Some(order) = self.order.as_ref().filter(|_| !has_ended) else { return };
        let what = context.rules.returns.what(order, before);
        // What we wrote of a credit note ourselves is no news.
        let ours = matches!(&self.run.stage, Stage::Follow { follow, .. }
            if order.payment_status.as_ref().is_some_and(|code| *code == follow.payment));
        let goods = matches!(what, Some((What::Goods, _)));
        let what = what.filter(|_| !ours || goods);
        match (what, self.books.later.returned.take()) {
            (None, Some(known)) if !ours && known.sure == Sure::ByStatus => {
                self.take_return_back(&known, context);
            }
            (None, known) => self.books.later.returned = known,
            (Some((what, _)), Some(known)) if known.what == what => {
                // There may be more of it.
                self.books.later.returned = Some(Returned { asked: false, ..known });
                self.look_again(context);
            }
            (Some((what, sure)), known) => {
                let fresh = Returned::new(what, sure, context.now_ms);
                let shown = known.map(|known| known.shown).unwrap_or_default();
                self.books.later.returned = Some(Returned { shown, ..fresh });
                if sure == Sure::ByStatus {
                    self.run.mark(context.now_ms, "the shop says that it is returned");
                }
                self.look_again(context);
            }
        }
    }

    fn look_again(&mut self, context: &Context<'_>) {
        if self.run.stage == Stage::Done(Ending::Completed) && self.run.orno.is_some() {
            let follow = Follow::resumed(&context.rules.statuses);
            self.run.stage = Stage::Follow { follow, look_ms: context.now_ms };
        }
        self.run.look_now();
    }

    fn take_return_back(&mut self, known: &Returned, context: &Context<'_>) {
        self.run.mark(context.now_ms, "the shop does not say any more that it is returned");
        self.hide_return(&known.shown);
    }

    /// Reads what the shop gave back, before a person is told what to do.
    pub(super) fn ask_refunds(&mut self, context: &Context<'_>) -> Option<Effect> {
        let returned = self.books.later.returned.as_ref()?;
        if returned.asked || self.payments_are_held(context) {
            return None;
        }
        let order = self.order.as_ref()?;
        self.books.money.doing = Some(Doing::Reading);
        Some(Effect::ReadPayments(order.id))
    }

    /// The shop does not tell its payments: what was given back is not known, and that is all.
    pub(super) fn gives_refunds_up(&mut self, context: &Context<'_>) -> bool {
        if context.rules.payments.as_ref().is_some_and(PaymentRules::posts) {
            return false;
        }
        if let Some(returned) = &mut self.books.later.returned {
            returned.asked = true;
            self.run.mark(context.now_ms, "the shop does not tell what it gave back");
        }
        true
    }

    /// Takes in what the shop gave back.
    pub(super) fn take_refunds(&mut self, movements: &[Movement], context: &Context<'_>) {
        let Some(currency) = self.order.as_ref().map(|order| order.currency.clone()) else {
            return;
        };
        let back = movements.iter().filter(|m| m.way == Way::Back && m.currency == currency);
        let sum = back.fold(Amount::ZERO, |sum, m| sum.plus(m.amount).unwrap_or(sum));
        let before = self.books.later.returned.clone();
        match &mut self.books.later.returned {
            Some(returned) => {
                returned.refunds(sum);
                if returned.sure == Sure::ByPayments && returned.refunded.is_none() {
                    // It is partly paid, and nothing was given back.
                    self.books.later.returned = None;
                }
            }
            None if sum.is_zero() || !context.rules.returns.follows() => return,
            None => {
                let mut fresh = Returned::new(What::Part, Sure::ByPayments, context.now_ms);
                fresh.refunds(sum);
                self.books.later.returned = Some(fresh);
            }
        }
        // Each look at M3 has the payments read anew, so only what is new leads to another look.
        let returned = &self.books.later.returned;
        if *returned != before && returned.as_ref().is_some_and(Returned::is_open) {
            self.look_again(context);
        }
    }

    /// Whether M3 is still asked for a credit note.
    pub(super) fn awaits_credit(&self, context: &Context<'_>) -> bool {
        let open = self.books.later.returned.as_ref().filter(|returned| returned.is_open());
        open.is_some_and(|returned| {
            context.now_ms < returned.since_ms.saturating_add(context.rules.returns.wait_ms())
        })
    }

    /// Compares a return with what M3 has now.
    pub(super) fn judge_return(&mut self, context: &Context<'_>) {
        self.keep_statuses(context);
        let Stage::Follow { follow, .. } = &self.run.stage else { return };
        let (Some(returned), Some(orno)) = (&self.books.later.returned, &self.run.orno) else {
            return;
        };
        if !returned.is_open() || !returned.asked {
            return;
        }
        let (total, currency) = match &self.run.total {
            Some((total, currency)) => (*total, currency.as_str()),
            None => (Amount::ZERO, ""),
        };
        let m3 = InM3 {
            orno: orno.as_str(),
            delivered: follow.delivered,
            invoices: &self.books.invoices,
            total,
            currency,
            tolerance: context.rules.total_tolerance,
        };
        let (verdict, shown) = (returned.judge(m3), returned.shown.clone());
        let (standing, text) = match verdict {
            Verdict::Settled(said) => {
                self.run.mark(context.now_ms, said);
                self.hide_return(&shown);
                (Standing::Settled, String::new())
            }
            Verdict::Ask(text) if text == shown && !self.shows(&shown) => {
                self.run.mark(context.now_ms, "a person has dealt with the return");
                (Standing::Dismissed, text)
            }
            Verdict::Ask(text) => {
                if text != shown {
                    self.hide_return(&shown);
                    self.run.note(Cause::new(CauseKind::ReturnedInShop, text.clone()));
                }
                (Standing::Open, text)
            }
        };
        if let Some(returned) = &mut self.books.later.returned {
            (returned.standing, returned.shown) = (standing, text);
        }
    }

    /// What the shop says because of a return is not written over with what M3 says of the sale.
    fn keep_statuses(&mut self, context: &Context<'_>) {
        let (Some(returned), Some(order)) = (&self.books.later.returned, &self.order) else {
            return;
        };
        let statuses = &context.rules.statuses;
        let back = |code: &Option<String>, codes: &[String]| {
            code.as_ref().is_some_and(|code| codes.contains(code))
        };
        let goods_back = back(&order.shipping_status, &context.rules.returns.shipping_statuses);
        let all_back = returned.what == What::Whole;
        let keeps = |tell: &Tell| match tell {
            Tell::Shipping(_) => !goods_back,
            Tell::Payment(code) => {
                let of_sale = *code == statuses.paid || *code == statuses.partly_paid;
                !(of_sale || all_back && *code == statuses.partly_credited)
            }
            Tell::Tracking(_) | Tell::Note(_) => true,
        };
        if let Stage::Follow { follow, .. } = &mut self.run.stage {
            follow.due.retain(keeps);
        }
    }

    /// M3 has the order no more, nothing had left, and the shop had given the money back.
    pub(super) fn is_cancelled_as_wanted(&self) -> bool {
        let open = self.books.later.returned.as_ref().filter(|returned| returned.is_open());
        let whole = open.is_some_and(|returned| returned.what != What::Part);
        matches!(&self.run.stage, Stage::Follow { follow, .. } if whole && follow.delivered.is_zero())
    }

    /// The return is settled by the order's end.
    pub(super) fn end_as_wanted(&mut self, context: &Context<'_>) {
        if let Some(returned) = &mut self.books.later.returned {
            returned.standing = Standing::Settled;
            let shown = std::mem::take(&mut returned.shown);
            self.hide_return(&shown);
        }
        self.run.mark(context.now_ms, "M3 has cancelled it, as the shop gave the money back");
        self.run.stage = Stage::Done(Ending::Completed);
    }

    /// Whether a person is shown this.
    fn shows(&self, text: &str) -> bool {
        let is_it = |cause: &Cause| {
            cause.text == text || cause.details.iter().any(|detail| text.starts_with(detail))
        };
        self.run.attention.as_ref().is_some_and(is_it)
    }

    /// Takes away what a person was shown; what else they were shown beside it stays.
    fn hide_return(&mut self, text: &str) {
        let Some(cause) = self.run.attention.as_mut().filter(|_| !text.is_empty()) else { return };
        if cause.text != text {
            cause.details.retain(|detail| !text.starts_with(detail));
        } else if cause.details.is_empty() {
            self.run.attention = None;
        } else {
            "the return is settled; what else differs stands below".clone_into(&mut cause.text);
        }
    }
}
