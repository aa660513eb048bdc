//! What a case makes of the outcomes of its effects. Pure.

use super::{Case, Context, Outcome, Real, Run, Stage, Wait, around, paying::Counts};
use crate::{
    clock,
    connector::{Class, Failure, Fate},
    dates::yyyymmdd,
    flow::{
        books::Doing,
        cause::{Cause, CauseKind},
        customer::book::Booked,
        follow::{Follow, Tell},
        mapping,
        payment::After,
        place::{Told, Verdict},
        plan::Comparison,
    },
    ids::{Cuno, Itno},
};
use std::collections::BTreeMap;

impl Case {
    /// Takes in what came of the effect that was asked for last.
    pub fn on(&mut self, outcome: Outcome, context: &Context<'_>) {
        let now_ms = context.now_ms;
        match outcome {
            Outcome::Failed(failure) => self.not_answered(&failure, context),
            Outcome::Stopped(cause) => self.run.park(cause, now_ms),
            answer @ (Outcome::Order(_)
            | Outcome::Customer { .. }
            | Outcome::Items { .. }
            | Outcome::Told(_)
            | Outcome::Real(_)
            | Outcome::Progress(_)
            | Outcome::Payments(_)
            | Outcome::Paid(_)
            | Outcome::Done
            | Outcome::Noted
            | Outcome::NotOffered) => {
                (self.run.failed, self.run.counted) = (0, 0);
                self.run.wait = None;
                if self.books.money.doing.is_some() {
                    self.books.later.hold = None;
                }
                self.answered(answer, context);
            }
        }
        self.books.money.doing = None;
    }

    fn not_answered(&mut self, failure: &Failure, context: &Context<'_>) {
        let reads = self.books.money.doing == Some(Doing::Reading);
        if reads && is_final(failure) && self.gives_refunds_up(context) {
            return;
        }
        if self.books.money.doing.is_some() {
            return match self.payment_unanswered(failure, context) {
                After::Settled => {}
                After::Park(cause) => self.run.park(cause, context.now_ms),
                After::Judge => self.failed(failure, context),
            };
        }
        if failure.fate == Fate::Unknown && self.run.tells_tracking() {
            // The shop's list decides whether the number is written again.
            self.run.reread = true;
        }
        if failure.fate == Fate::Unknown {
            self.lose_tell(context);
        }
        let places = matches!(self.run.stage, Stage::Place | Stage::Withdraw);
        if places && !self.run.reread_is_next() {
            self.placing_failed(failure, context);
        } else if self.gives_an_orphan_up(failure) {
            self.run.give_orphan_up(failure);
        } else {
            self.failed(failure, context);
        }
    }

    /// A write to the shop that is due may have been carried out, or still will be.
    pub(super) fn lose_tell(&mut self, context: &Context<'_>) {
        if let Stage::Follow { follow, .. } = &mut self.run.stage {
            follow.lose(context.steady.pause(context.rules.quiescence_ms()));
        }
    }

    /// An orphan that M3 does not delete is left for the next sweep.
    fn gives_an_orphan_up(&self, failure: &Failure) -> bool {
        let deletes = self.run.sweeps() && self.run.sweep.deletes() && !self.run.reread_is_next();
        deletes && failure.fate == Fate::Refused && failure.class != Class::Locked
    }

    fn answered(&mut self, answer: Outcome, context: &Context<'_>) {
        match answer {
            Outcome::Order(order) => self.on_order(*order, context),
            Outcome::Customer { cuno, notes } => {
                self.run.mark(context.now_ms, format!("customer {cuno}"));
                for note in notes {
                    self.run.mark(context.now_ms, format!("customer {cuno}: {note}"));
                }
                self.run.is_for(cuno);
                self.run.stage = Stage::Items;
            }
            Outcome::Items { itnos, booked } => self.on_items(itnos, &booked, context),
            Outcome::Told(told) if self.run.sweeps() => self.on_swept(told, context),
            Outcome::Told(told) => self.on_told(told, context),
            Outcome::Real(real) => self.on_real(&real, context),
            Outcome::Progress(progress) => self.on_progress(&progress, context),
            Outcome::Payments(movements) => self.on_payments(movements, context),
            Outcome::Paid(told) => self.on_paid(&told, context),
            Outcome::Done | Outcome::Noted | Outcome::NotOffered => {
                self.on_told_shop(&answer, context);
            }
            Outcome::Failed(_) | Outcome::Stopped(_) => {}
        }
    }

    fn on_items(
        &mut self,
        items: BTreeMap<String, Option<Itno>>,
        booked: &Booked,
        context: &Context<'_>,
    ) {
        let unknown: Vec<&str> =
            items.iter().filter(|(_, itno)| itno.is_none()).map(|(sku, _)| sku.as_str()).collect();
        if !unknown.is_empty() {
            let text = format!("M3 has neither item nor alias for SKU {}", unknown.join(", "));
            return self.run.park(Cause::new(CauseKind::UnknownSku, text), context.now_ms);
        }
        let known = items.into_iter().filter_map(|(sku, itno)| Some((sku, itno?))).collect();
        let (Some(order), Some(key), Some(cuno)) = (&self.order, &self.run.key, &self.run.cuno)
        else {
            self.run.stage = Stage::Read;
            return;
        };
        let today = i64::try_from(context.now_ms / 1_000).ok().and_then(yyyymmdd);
        let today = today.unwrap_or_else(|| "19700101".to_owned());
        match mapping::plan(order, (key, cuno), (&known, booked), context.rules, &today) {
            Ok(plan) => {
                if !plan.cut.is_empty() {
                    self.run.mark(context.now_ms, format!("address: {}", plan.cut.join("; ")));
                }
                self.plan = Some(plan);
                self.run.stage = Stage::Place;
            }
            Err(cause) => self.run.park(cause, context.now_ms),
        }
    }

    fn on_told(&mut self, told: Told, context: &Context<'_>) {
        match &told {
            Told::Head(tmp) => self.run.mark(context.now_ms, format!("temporary order {tmp}")),
            Told::Heads(_) | Told::Added | Told::Batch { .. } | Told::Confirmed { .. } => {}
            Told::Outcome { .. } | Told::Deleted => {}
        }
        let (Some(key), Some(plan)) = (&self.run.key, &self.plan) else { return };
        let around = around(key, plan, context);
        if let Some(cause) = self.run.placing.on(told, &around) {
            self.run.park(cause, context.now_ms);
        }
    }

    fn on_swept(&mut self, told: Told, context: &Context<'_>) {
        let cause = match told {
            Told::Heads(found) => {
                self.run.on_sweep(found, (context.now_ms, context.rules.sweep_days))
            }
            Told::Deleted => {
                self.run.sweep.orphan_settled();
                None
            }
            Told::Head(_) | Told::Added | Told::Batch { .. } => None,
            Told::Confirmed { .. } | Told::Outcome { .. } => None,
        };
        if let Some(cause) = cause {
            self.run.park(cause, context.now_ms);
        }
    }

    /// Compares the real order with the shop's: a difference alarms and changes nothing.
    fn on_real(&mut self, real: &Real, context: &Context<'_>) {
        let follow = Follow::new(&context.rules.statuses);
        let look_ms = context.now_ms.saturating_add(context.rules.follow_s.0.saturating_mul(1_000));
        self.run.stage = Stage::Follow { follow, look_ms };
        if real.ornos.len() > 1 {
            let ornos = real.ornos.iter().map(crate::ids::Orno::as_str).collect::<Vec<_>>();
            let text = format!("real orders {}", ornos.join(", "));
            return self.run.park(Cause::new(CauseKind::TwoRealOrders, text), context.now_ms);
        }
        let Some(plan) = &self.plan else { return };
        let off = plan.total.minus(real.total).map(crate::amount::Amount::magnitude);
        let total_differs = off.is_none_or(|off| off > context.rules.total_tolerance)
            || plan.currency != real.currency;
        let difference = match plan.compare(&real.lines) {
            Comparison::Unequal(text) => Some(text),
            Comparison::Missing(cupos) => Some(format!("lines {cupos:?} are missing")),
            Comparison::Equal if total_differs => Some(format!(
                "the shop's total is {} {}, M3's is {} {}",
                plan.total, plan.currency, real.total, real.currency
            )),
            Comparison::Equal => None,
        };
        if let Some(text) = difference {
            self.run.mark(context.now_ms, "differs from the shop's order");
            self.run.attention = Some(Cause::new(CauseKind::Unequal, text));
        }
    }

    fn placing_failed(&mut self, failure: &Failure, context: &Context<'_>) {
        let (Some(key), Some(plan)) = (&self.run.key, &self.plan) else { return };
        let around = around(key, plan, context);
        match self.run.placing.on_failure(failure, &around) {
            Verdict::Moved if failure.fate == Fate::Unknown => self.failed(failure, context),
            Verdict::Moved => (self.run.failed, self.run.counted) = (0, 0),
            Verdict::Again => self.failed(failure, context),
            Verdict::Park(cause) => self.run.park(cause, context.now_ms),
        }
    }

    /// Waits, or parks what will not mend itself.
    fn failed(&mut self, failure: &Failure, context: &Context<'_>) {
        let is_at_rest = matches!(self.run.stage, Stage::Parked { .. } | Stage::Done(_));
        if is_at_rest && self.run.reread_is_next() {
            // The failed look changes nothing about a case that is parked or done.
            if is_final(failure) {
                self.run.reread = false;
                return;
            }
            return self.pause(failure, context);
        }
        let pays = self.books.money.doing.is_some();
        match failure.class {
            Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable
                if pays =>
            {
                self.hold_payments(failure, Counts::No, context);
            }
            Class::Held | Class::Unauthorized if pays => {
                self.hold_payments(failure, Counts::No, context);
            }
            Class::Unreachable | Class::TimedOut | Class::RateLimited => {
                self.pause(failure, context);
            }
            Class::Unavailable | Class::Held | Class::Unauthorized => self.pause(failure, context),
            Class::Broken | Class::Locked if pays => {
                self.hold_payments(failure, Counts::Yes, context);
            }
            Class::Broken | Class::Locked => self.count(failure, context),
            Class::Unclassified if pays && failure.fate != Fate::Refused => {
                self.hold_payments(failure, Counts::Yes, context);
            }
            Class::Unclassified if failure.fate != Fate::Refused => self.count(failure, context),
            Class::Config | Class::Forbidden | Class::NotFound | Class::Exists => {
                self.stop(failure, context);
            }
            Class::Data | Class::State | Class::Unclassified => self.stop(failure, context),
        }
    }

    /// The other side is away: it is waited for, however long that takes.
    fn pause(&mut self, failure: &Failure, context: &Context<'_>) {
        self.run.failed = self.run.failed.saturating_add(1);
        let pause = context.rules.retry.wait_however_long(self.run.failed, context.jitter);
        let asked_ms = failure.retry_after_s.unwrap_or(0).saturating_mul(1_000);
        let until_ms = context.now_ms.saturating_add(clock::millis(pause).max(asked_ms));
        self.run.wait = Some(Wait { until_ms, reason: failure.to_string() });
    }

    fn count(&mut self, failure: &Failure, context: &Context<'_>) {
        self.run.counted = self.run.counted.saturating_add(1);
        let counted = self.run.counted;
        if context.rules.retry.wait_after(counted, context.jitter).is_some() {
            return self.pause(failure, context);
        }
        let text = format!("failed {counted} times: {failure}");
        self.run.park(Cause::new(CauseKind::KeepsFailing, text), context.now_ms);
    }

    fn stop(&mut self, failure: &Failure, context: &Context<'_>) {
        let (kind, doing) = match &self.run.stage {
            _ if self.books.money.doing == Some(Doing::Reading) => {
                (CauseKind::ShopRefused, "reading the order's payments")
            }
            _ if self.books.money.doing.is_some() => {
                (CauseKind::PaymentRefused, "posting a payment")
            }
            _ if self.run.reread_is_next() => {
                (CauseKind::OrderGone, "reading the order from the shop")
            }
            Stage::Read => (CauseKind::OrderGone, "reading the order from the shop"),
            Stage::Customer => (CauseKind::CustomerRefused, "finding or making the customer"),
            Stage::Items => (CauseKind::UnknownSku, "finding the items"),
            Stage::Place | Stage::Withdraw => (CauseKind::HeadRefused, "creating the order"),
            Stage::Check => (CauseKind::OrderDeletedInM3, "reading the order back"),
            Stage::Follow { .. } if self.tells() => (CauseKind::ShopRefused, "telling the shop"),
            Stage::Follow { .. } | Stage::Done(_) | Stage::Parked { .. } => {
                (CauseKind::OrderDeletedInM3, "asking how far the order is")
            }
        };
        self.run.park(Cause::of_refusal(kind, doing, failure), context.now_ms);
    }

    /// Whether the effect under way is a write to the shop.
    fn tells(&self) -> bool {
        matches!(&self.run.stage, Stage::Follow { follow, .. } if follow.next().is_some())
    }
}

impl Run {
    /// Takes M3's customer in; what an attempt for another one left behind is still looked for.
    fn is_for(&mut self, cuno: Cuno) {
        let former = self.cuno.replace(cuno).filter(|former| Some(former) != self.cuno.as_ref());
        if let Some(former) = former.filter(|_| !self.placing.tokens.is_empty())
            && !self.former.contains(&former)
        {
            self.former.push(former);
        }
    }

    /// Whether the effect under way writes a tracking number.
    pub(super) fn tells_tracking(&self) -> bool {
        match &self.stage {
            Stage::Follow { follow, .. } => matches!(follow.next(), Some(Tell::Tracking(_))),
            Stage::Read | Stage::Customer | Stage::Items | Stage::Place | Stage::Withdraw => false,
            Stage::Check | Stage::Done(_) | Stage::Parked { .. } => false,
        }
    }
}

/// Whether the same call would fail again.
fn is_final(failure: &Failure) -> bool {
    match failure.class {
        Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => false,
        Class::Held | Class::Unauthorized | Class::Broken | Class::Locked => false,
        Class::Forbidden | Class::NotFound | Class::Exists | Class::Data | Class::Config => true,
        Class::State | Class::Unclassified => true,
    }
}
