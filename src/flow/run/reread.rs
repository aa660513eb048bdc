//! What happens when the shop says that an order changed. Pure.
//!
//! Before the confirmation the order is taken back and planned anew, or given up. After
//! it M3 is not touched: a person is told field by field what changed (`late`), and
//! decides. A change is never passed over: while a confirmation is under way the order is
//! read as soon as that is settled, and while it is parked the person sees what came since.

use super::{Case, Context, Ending, Replan, ReplayFrom, Run, Stage, Standing, Sweep};
use crate::{
    flow::{
        cause::{Cause, CauseKind},
        mapping,
        place::{Place, Then},
        rules::Rules,
    },
    ids::OrderKey,
    order::{Order, OrderRef},
};

impl Run {
    /// Whether the order is read again before anything else.
    pub(super) fn reread_is_next(&self) -> bool {
        self.reread && self.may_reread()
    }

    fn may_reread(&self) -> bool {
        match &self.stage {
            Stage::Read
            | Stage::Customer
            | Stage::Items
            | Stage::Follow { .. }
            | Stage::Done(_) => true,
            Stage::Place | Stage::Withdraw => {
                !self.placing.past_confirm() && !self.placing.in_flight()
            }
            // What a person was asked about may have been mended in the shop, or is not
            // any more what they were told.
            Stage::Parked { .. } => !self.placing.in_flight(),
            // It is read as soon as the comparison is done.
            Stage::Check => false,
        }
    }
}

/// An order that was read longer ago is read again before anything is created of it: after an
/// outage what the shop said since may still lie in the journal.
const FRESH_MS: u64 = 10 * 60 * 1_000;

impl Run {
    /// Whether the next call would create something of an order that was read long ago.
    pub(super) fn is_stale(&self, now_ms: u64) -> bool {
        let creates = matches!(self.placing.at, Place::AddHead { sent: false });
        creates && self.stage == Stage::Place && now_ms.saturating_sub(self.read_ms) > FRESH_MS
    }
}

impl Case {
    pub(super) fn may_reread(&self) -> bool {
        self.run.may_reread()
    }

    /// Takes in the order as the shop has it.
    pub(super) fn on_order(&mut self, order: Order, context: &Context<'_>) {
        self.run.reread = false;
        self.books.money.fresh = false;
        self.run.read_ms = context.now_ms;
        let key = OrderKey::of(&context.rules.shop_prefix, &order.number);
        if self.run.key.as_ref().is_some_and(|known| *known != key) {
            // What M3 has can be found by the first key only.
            let text = format!("the shop gives the order another number now: {}", order.number);
            return self.run.park(Cause::new(CauseKind::UnfitValue, text), context.now_ms);
        }
        self.run.key = Some(key);
        // A status can be read by number only where that works; the id always does.
        self.run.reference = OrderRef::Id(order.id);
        self.run.total = Some((order.total, order.currency.clone()));
        if let Stage::Follow { follow, .. } = &mut self.run.stage {
            follow.shop_has(&order.tracking);
            let status = |code: &Option<String>| code.clone().unwrap_or_default();
            let (shipping, payment) = (&order.shipping_status, &order.payment_status);
            follow.shop_shows(&status(shipping), &status(payment), context.steady);
        }
        let is_cancelled = context.rules.is_cancelled(&order);
        self.run.seen = if is_cancelled { Standing::Cancelled } else { Standing::Wanted };
        if self.run.is_late() {
            let before = self.order.as_ref().and_then(|order| order.payment_status.clone());
            self.on_late_order(order, context);
            return self.notice_return(before.as_deref(), context);
        }
        self.on_early_order(order, context);
    }

    /// M3 does not have the order yet, and cannot come to have it.
    fn on_early_order(&mut self, order: Order, context: &Context<'_>) {
        let hash = order.content_hash();
        let first = self.run.content.is_none();
        let changed = self.run.content.as_ref().is_some_and(|known| *known != hash);
        let returned = context.rules.returns.is_whole(&order);
        let cancelled = context.rules.is_cancelled(&order) || returned;
        self.run.content = Some(hash);
        if changed {
            self.run.replan = Replan::Anew;
        }
        (self.order, self.placed) = (Some(order), None);
        match &self.run.stage {
            Stage::Read | Stage::Done(Ending::NotWanted | Ending::Cancelled) => self.judge(context),
            Stage::Customer | Stage::Items if cancelled || changed => self.judge(context),
            Stage::Place | Stage::Withdraw if cancelled => {
                self.run.placing.give_up(Then::Cancelled);
                self.run.mark(context.now_ms, "the shop cancelled the order");
                self.run.stage = Stage::Place;
            }
            Stage::Place if changed => {
                self.run.placing.give_up(Then::Again);
                self.run.mark(context.now_ms, "the shop changed the order");
                self.run.stage = Stage::Withdraw;
            }
            Stage::Place if self.run.placing.is_cancelling() => {
                self.run.placing.give_up(Then::Again);
                self.run.mark(context.now_ms, "the shop wants the order after all");
                self.run.stage = Stage::Withdraw;
            }
            Stage::Parked { .. } if cancelled || changed || first => {
                self.run.replay(ReplayFrom::Start, context.now_ms);
                self.run.reread = false;
            }
            Stage::Customer | Stage::Items | Stage::Place | Stage::Withdraw => {}
            Stage::Parked { .. } => {}
            // These are late.
            Stage::Check | Stage::Follow { .. } => {}
            Stage::Done(Ending::Completed | Ending::Discarded) => {}
        }
    }

    pub(super) fn is_wanted(&self, context: &Context<'_>) -> bool {
        self.order.as_ref().is_some_and(|order| context.rules.wants(order))
    }

    /// Decides whether an order that M3 does not have is taken over.
    fn judge(&mut self, context: &Context<'_>) {
        let Some(order) = &self.order else { return };
        if !context.rules.wants(order) {
            self.run.stage = Stage::Done(Ending::NotWanted);
            if !self.run.placing.tokens.is_empty() {
                // A lost call may still open a temporary order.
                self.run.sweep = Sweep::begin(context.now_ms, context.rules.quiescence_ms());
            }
            let status = |code: &Option<String>| code.clone().unwrap_or_default();
            let why = format!(
                "not taken over: payment status {:?}, shipping status {:?}",
                status(&order.payment_status),
                status(&order.shipping_status)
            );
            self.run.mark(context.now_ms, why);
            return;
        }
        match mapping::check(order, context.rules) {
            Ok(()) => {
                self.run.placing.reopen();
                self.run.stage = Stage::Customer;
            }
            Err(cause) => self.run.park(cause, context.now_ms),
        }
    }
}

impl Rules {
    /// Whether the shop has given the order up.
    pub fn is_cancelled(&self, order: &Order) -> bool {
        let is = |codes: &[String], code: &Option<String>| {
            code.as_ref().is_some_and(|code| codes.contains(code))
        };
        is(&self.cancel_payment_statuses, &order.payment_status)
            || is(&self.cancel_shipping_statuses, &order.shipping_status)
    }

    /// Whether an order is to be taken over.
    pub fn wants(&self, order: &Order) -> bool {
        let payment = order.payment_status.as_ref();
        let importable = payment.is_some_and(|code| self.import_payment_statuses.contains(code));
        importable && !self.is_cancelled(order) && !self.returns.is_whole(order)
    }
}
