//! What happens when the shop says that an order changed. Pure.
//!
//! Before the confirmation the order is taken back and planned anew, or given up.
//! After it M3 is not touched: a person decides (compensation is a flow of its own).

use super::{Case, Context, Ending, ReplayFrom, Run, Stage, Sweep};
use crate::{
    flow::{
        cause::{Cause, CauseKind},
        mapping,
        place::Then,
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
            // What a person was asked about may have been mended in the shop.
            Stage::Parked { .. } => {
                self.orno.is_none() && !self.placing.past_confirm() && !self.placing.in_flight()
            }
            Stage::Check => false,
        }
    }
}

impl Case {
    pub(super) fn may_reread(&self) -> bool {
        self.run.may_reread()
    }

    /// Takes in the order as the shop has it.
    pub(super) fn on_order(&mut self, order: Order, context: &Context<'_>) {
        self.run.reread = false;
        let hash = order.content_hash();
        let first = self.run.content.is_none();
        let changed = self.run.content.as_ref().is_some_and(|known| *known != hash);
        let cancelled = context.rules.is_cancelled(&order);
        self.run.key = Some(OrderKey::of(&context.rules.shop_prefix, &order.number));
        // A status can be read by number only where that works; the id always does.
        self.run.reference = OrderRef::Id(order.id);
        self.run.total = Some((order.total, order.currency.clone()));
        self.run.content = Some(hash);
        if let Stage::Follow { follow, .. } = &mut self.run.stage {
            follow.shop_has(&order.tracking);
            let status = |code: &Option<String>| code.clone().unwrap_or_default();
            let (shipping, payment) = (&order.shipping_status, &order.payment_status);
            follow.shop_shows(&status(shipping), &status(payment), context.now_ms);
        }
        self.order = Some(order);
        match &self.run.stage {
            Stage::Read => self.judge(context),
            Stage::Done(Ending::NotWanted | Ending::Cancelled) if self.run.orno.is_none() => {
                self.judge(context);
            }
            Stage::Done(Ending::NotWanted | Ending::Cancelled) if self.is_wanted(context) => {
                self.run.mark(context.now_ms, "the shop wants the order that M3 has");
                self.run.stage = Stage::Check;
            }
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
            Stage::Follow { .. } | Stage::Done(Ending::Completed) => {
                let kind = match (cancelled, changed) {
                    (true, _) if !self.run.cancel_seen() => CauseKind::CancelledAfterConfirm,
                    (_, true) => CauseKind::ChangedAfterConfirm,
                    (_, false) => return,
                };
                self.park_late(kind, context);
            }
            Stage::Parked { .. } if cancelled || changed || first => {
                self.run.replay(ReplayFrom::Start, context.now_ms);
                self.run.reread = false;
            }
            Stage::Customer | Stage::Items | Stage::Place | Stage::Withdraw => {}
            Stage::Check | Stage::Done(_) | Stage::Parked { .. } => {}
        }
    }

    fn is_wanted(&self, context: &Context<'_>) -> bool {
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
            let status = order.payment_status.clone().unwrap_or_default();
            self.run.mark(context.now_ms, format!("not taken over: payment status {status:?}"));
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

    /// Asks a person about a change of an order that M3 has.
    fn park_late(&mut self, kind: CauseKind, context: &Context<'_>) {
        let orno = self.run.orno.as_ref().map(ToString::to_string).unwrap_or_default();
        let text = format!("the shop's order changed after M3 had confirmed it as {orno}");
        self.run.park(Cause::new(kind, text), context.now_ms);
    }
}

impl Run {
    /// Whether a person was already told of the cancellation.
    fn cancel_seen(&self) -> bool {
        let name = CauseKind::CancelledAfterConfirm.name();
        self.trail.iter().any(|mark| mark.what.ends_with(name))
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
        importable && !self.is_cancelled(order)
    }
}
