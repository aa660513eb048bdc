//! An order that M3 has: how far it is, and what the shop is told of that. Pure.
//!
//! Guarantees: what contradicts what the shop was told (a tracking number that M3 changes, an
//! invoice that goes, a payment that is taken back) is a difference that a person is shown; the
//! order itself goes on.

use super::{Case, Context, Effect, Ending, Next, Outcome, Run, Stage, Standing, Wait};
use crate::flow::{
    cause::{Cause, CauseKind},
    follow::{Progress, Tell},
    invoice::{self, Invoice},
};

/// Looks at an order between two questions for its payments while nothing changes.
const LOOKS_BETWEEN_PAYMENTS: u32 = 8;

impl Case {
    pub(super) fn follow(&mut self, context: &Context<'_>) -> Next {
        let Stage::Follow { follow, .. } = &self.run.stage else { return Next::Rest };
        if let Some(tell) = follow.next() {
            let Some(order) = &self.order else {
                return Next::Do(Effect::ReadOrder(self.run.reference.clone()));
            };
            return Next::Do(Effect::Tell { order_id: order.id, tell: tell.clone() });
        }
        let money = self.ask_refunds(context).or_else(|| self.pay(context));
        if let Some(effect) = money {
            return Next::Do(effect);
        }
        let Stage::Follow { follow, look_ms } = &self.run.stage else { return Next::Rest };
        let doubt_left_ms = follow.doubt_left_ms(context.steady);
        if doubt_left_ms == Some(0) {
            return Next::Do(Effect::ReadOrder(self.run.reference.clone()));
        }
        let doubt_ms = doubt_left_ms.map(|left_ms| context.now_ms.saturating_add(left_ms));
        let pay_ms = self.pay_due_ms(context);
        if let (true, Some(until_ms)) = (follow.complete, pay_ms) {
            let reason = format!("complete; {}", self.pay_reason());
            return Next::Wait(Wait { until_ms, reason });
        }
        let watch_ms = self
            .books
            .complete_ms
            .filter(|_| follow.complete)
            .map(|complete_ms| complete_ms.saturating_add(context.rules.invoices.watch_ms()));
        let awaits = self.awaits_credit(context);
        let watches = awaits || watch_ms.is_some_and(|until_ms| context.now_ms < until_ms);
        if follow.complete
            && !watches
            && let Some(until_ms) = doubt_ms
        {
            let reason = "complete; a status write to the shop was lost and may still arrive";
            return Next::Wait(Wait { until_ms, reason: reason.to_owned() });
        }
        if follow.complete && !watches {
            self.run.stage = Stage::Done(Ending::Completed);
            self.run.mark(context.now_ms, "completed");
            return self.run.rest(context);
        }
        let look_ms = *look_ms;
        if context.now_ms < look_ms {
            let due = [self.run.sweep.due_ms(), doubt_ms, pay_ms].into_iter().flatten();
            let until_ms = due.fold(look_ms, u64::min);
            let reason = if awaits {
                "the credit note of a return is looked for in M3".to_owned()
            } else if watches {
                "complete; credit notes are still looked for".to_owned()
            } else {
                format!("M3 delivers and invoices it (status {})", follow.seen)
            };
            return Next::Wait(Wait { until_ms, reason });
        }
        match self.run.orno.clone() {
            Some(orno) => Next::Do(Effect::ReadProgress(orno)),
            None => self.park(Cause::new(CauseKind::KeepsFailing, "no order number"), context),
        }
    }

    /// A finished order may still have a payment under way.
    pub(super) fn rest(&self, context: &Context<'_>) -> Next {
        if self.run.parked().is_some() {
            return Next::Rest;
        }
        let next = self.run.rest(context);
        match (self.pay_due_ms(context), next) {
            (None, next) => next,
            (Some(due_ms), Next::Wait(wait)) if wait.until_ms <= due_ms => Next::Wait(wait),
            (Some(until_ms), _) => Next::Wait(Wait { until_ms, reason: self.pay_reason() }),
        }
    }

    pub(super) fn on_progress(&mut self, progress: &Progress, context: &Context<'_>) {
        let payment = self.order.as_ref().and_then(|order| order.payment_status.clone());
        self.look_at_parcels(progress, context);
        self.look_at_invoices(progress.invoices.as_deref(), context);
        let Stage::Follow { follow, look_ms } = &mut self.run.stage else { return };
        let before = follow.seen.clone();
        let cause =
            follow.on(progress, payment.as_deref().unwrap_or_default(), &context.rules.statuses);
        if follow.complete {
            self.books.complete_ms.get_or_insert(context.now_ms);
        } else {
            self.books.complete_ms = None;
        }
        if follow.complete || follow.idle.is_multiple_of(LOOKS_BETWEEN_PAYMENTS) {
            // A capture need not change the order in the shop.
            self.books.money.fresh = false;
        }
        let (first, cap) = context.rules.follow_s;
        let pause_s = first.saturating_mul(1 << follow.idle.min(20)).min(cap);
        *look_ms = context.now_ms.saturating_add(pause_s.saturating_mul(1_000));
        let seen = follow.seen.clone();
        if seen != before {
            self.run.mark(context.now_ms, format!("M3 status {seen}"));
        }
        match cause {
            Some(_) if self.is_cancelled_as_wanted() => self.end_as_wanted(context),
            Some(cause) => self.run.park(cause, context.now_ms),
            None => self.judge_return(context),
        }
    }

    fn look_at_parcels(&mut self, progress: &Progress, context: &Context<'_>) {
        let (Some(parcels), Stage::Follow { follow, .. }) = (&progress.parcels, &self.run.stage)
        else {
            return;
        };
        let said = self.books.parcels.look(parcels, &follow.tracking);
        for text in said {
            self.run.mark(context.now_ms, text.clone());
            self.run.note(Cause::new(CauseKind::TrackingChanged, text));
        }
    }

    fn look_at_invoices(&mut self, now: Option<&[Invoice]>, context: &Context<'_>) {
        let Some(now) = now else { return };
        let news = invoice::compare(&self.books.invoices, now);
        for text in news.said {
            self.run.mark(context.now_ms, text.clone());
            self.run.note(Cause::new(CauseKind::InvoiceChanged, text));
        }
        for fresh in &news.fresh {
            self.run.mark(context.now_ms, format!("M3 has {}", fresh.told()));
            if let (Stage::Follow { follow, .. }, true) =
                (&mut self.run.stage, context.rules.invoices.note)
            {
                follow.want_note(format!("M3 {}", fresh.told()));
            }
        }
        self.books.invoices = now.to_vec();
    }

    pub(super) fn on_told_shop(&mut self, answer: &Outcome, context: &Context<'_>) {
        let (taken, noted) = (matches!(answer, Outcome::Done), matches!(answer, Outcome::Noted));
        self.shop_shows_it(context);
        let Stage::Follow { follow, .. } = &mut self.run.stage else { return };
        let what = match follow.next() {
            Some(Tell::Shipping(code)) => format!("shop told: shipping {code}"),
            Some(Tell::Payment(code)) => format!("shop told: payment {code}"),
            Some(Tell::Tracking(_)) if taken => "shop told: tracking number".to_owned(),
            Some(Tell::Tracking(_)) if noted => {
                "shop told: tracking number, in the order's notes".to_owned()
            }
            Some(Tell::Tracking(_)) => {
                "tracking not written: the shop has no extension for it".to_owned()
            }
            Some(Tell::Note(_)) if taken => "shop told: a note".to_owned(),
            Some(Tell::Note(text)) => {
                format!("note not written, the shop has no extension for it: {text}")
            }
            None => return,
        };
        follow.told();
        self.run.mark(context.now_ms, what);
    }

    /// A status that we wrote ourselves is no news, even where it takes the place of one that
    /// meant a cancellation.
    fn shop_shows_it(&mut self, context: &Context<'_>) {
        let Stage::Follow { follow, .. } = &self.run.stage else { return };
        let Some(order) = &mut self.order else { return };
        match follow.next() {
            Some(Tell::Shipping(code)) => order.shipping_status = Some(code.clone()),
            Some(Tell::Payment(code)) => order.payment_status = Some(code.clone()),
            Some(Tell::Tracking(_) | Tell::Note(_)) | None => {}
        }
        if !context.rules.is_cancelled(order) {
            (self.run.standing, self.run.seen) = (Standing::Wanted, Standing::Wanted);
        }
    }
}

impl Run {
    /// Shows a difference to a person; beside an earlier one it is a detail of that.
    pub(super) fn note(&mut self, cause: Cause) {
        match &mut self.attention {
            Some(known) if known.text == cause.text || known.details.contains(&cause.text) => {}
            Some(known) => *known = known.clone().with_details(&[cause.text]),
            None => self.attention = Some(cause),
        }
    }
}
