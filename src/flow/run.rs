//! One shop order's way to M3 and back, as a state machine. Pure.
//!
//! A [`Case`] is asked [`Case::next`] what to do, the shell does it, and
//! [`Case::on`] takes the outcome in. The shell keeps two promises: one effect at a
//! time for a case, and the case is durable before an effect that writes.
//!
//! Nothing ends in silence: a case is done, waits with a reason and a time, or is
//! parked with a cause.

mod effects;
mod following;
mod late;
mod needs;
mod outcomes;
mod paying;
mod record;
mod reread;
mod returning;
mod sweep;

pub use needs::Need;
pub use record::{Ending, Mark, Remains, Replan, ReplayFrom, Run, Stage, Standing, Wait};
pub use sweep::Sweep;

use super::{
    books::Books,
    cause::{Cause, CauseKind},
    customer::book::Booked,
    follow::{Progress, Tell},
    payment,
    place::{Around, Ask, Step, Then, Told},
    plan::Plan,
    rules::Rules,
    steady::Steady,
};
use crate::{
    amount::Amount,
    connector::Failure,
    ids::{Cuno, Itno, OrderKey, Orno},
    order::{Order, OrderRef},
    retry::Jitter,
};
use std::collections::BTreeMap;

/// A case with the documents that belong to it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The state.
    pub run: Run,
    /// The order as the shop last told it.
    pub order: Option<Order>,
    /// What M3 is asked for.
    pub plan: Option<Plan>,
    /// The order as M3 has it, once the shop has another one.
    pub placed: Option<Order>,
    /// Its parcels, invoices and money.
    pub books: Books,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// One call, or a few that belong together.
    Do(Effect),
    /// Nothing before that time.
    Wait(Wait),
    /// Nothing until something happens.
    Rest,
    /// The case leaves the state; only its [`Remains`] stay.
    Leave,
}

/// One thing to do in another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads the order from the shop.
    ReadOrder(OrderRef),
    /// Finds or makes the customer in M3.
    EnsureCustomer,
    /// Finds the items of these SKUs in M3, and puts the delivery address where it belongs.
    FindItems(Vec<String>),
    /// A step of the order protocol.
    Place(Ask),
    /// Reads the real order for the comparison.
    ReadReal(Orno),
    /// Asks M3 how far the order is.
    ReadProgress(Orno),
    /// Reads the order's payments from the shop.
    ReadPayments(u64),
    /// A step of a payment.
    Pay {
        /// The shop's id of the payment.
        id: u64,
        /// Which.
        step: payment::Step,
    },
    /// Tells the shop.
    Tell {
        /// X-Cart's order id.
        order_id: u64,
        /// What.
        tell: Tell,
    },
}

/// What came of an effect.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The shop's order.
    Order(Box<Order>),
    /// M3's customer.
    Customer {
        /// Its number.
        cuno: Cuno,
        /// What somebody should know of.
        notes: Vec<String>,
    },
    /// What the lines and the delivery address are in M3.
    Items {
        /// M3's items by SKU; none where M3 knows neither item nor alias.
        itnos: BTreeMap<String, Option<Itno>>,
        /// The delivery address.
        booked: Booked,
    },
    /// An answer to a step of the order protocol.
    Told(Told),
    /// The real order.
    Real(Real),
    /// How far the order is.
    Progress(Progress),
    /// The order's payments.
    Payments(Vec<payment::Movement>),
    /// An answer to a step of a payment.
    Paid(payment::Told),
    /// The shop has it.
    Done,
    /// The shop has no way to take the tracking number, but has it in its notes.
    Noted,
    /// The shop has no way to take it.
    NotOffered,
    /// The call gave no answer.
    Failed(Failure),
    /// A person must look.
    Stopped(Cause),
}

/// A real order as M3 gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Real {
    /// Every real order with the key.
    pub ornos: Vec<Orno>,
    /// TOPY.
    pub total: Amount,
    /// CUCD.
    pub currency: String,
    /// Its lines.
    pub lines: Vec<super::plan::LineInM3>,
}

/// What a case is told about its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The settings.
    pub rules: &'a Rules,
    /// Milliseconds since 1970; never goes back, but may jump ahead.
    pub now_ms: u64,
    /// The same moment on a clock that cannot be set.
    pub steady: Steady,
    /// For the next wait.
    pub jitter: Jitter,
}

impl Case {
    /// Takes a case that was read from disk: a write that was an intent has an unknown outcome.
    pub fn recover(&mut self, context: &Context<'_>) {
        self.run.placing.recover(context.steady);
        self.recover_payments(context);
        self.lose_tell(context);
        if self.run.tells_tracking() {
            // It may have been written; the shop's list decides.
            self.run.reread = true;
        }
    }

    /// Says what is to be done.
    pub fn next(&mut self, context: &Context<'_>) -> Next {
        if self.run.reread && self.may_reread() {
            return match self.waiting(context) {
                Some(wait) if self.run.failed > 0 => Next::Wait(wait),
                Some(_) | None => Next::Do(Effect::ReadOrder(self.run.reference.clone())),
            };
        }
        if matches!(self.run.stage, Stage::Parked { .. }) {
            return Next::Rest;
        }
        if let Some(wait) = self.waiting(context) {
            return Next::Wait(wait);
        }
        self.run.wait = None;
        if let Some(effect) = self.run.next_sweep(context.now_ms) {
            return Next::Do(effect);
        }
        self.step(context)
    }

    fn waiting(&self, context: &Context<'_>) -> Option<Wait> {
        self.run.wait.clone().filter(|wait| context.now_ms < wait.until_ms)
    }

    fn step(&mut self, context: &Context<'_>) -> Next {
        match &self.run.stage {
            Stage::Read => Next::Do(Effect::ReadOrder(self.run.reference.clone())),
            Stage::Customer => Next::Do(Effect::EnsureCustomer),
            Stage::Items => Next::Do(Effect::FindItems(self.skus())),
            Stage::Place | Stage::Withdraw => self.place(context),
            Stage::Check => match self.run.orno.clone() {
                Some(orno) => Next::Do(Effect::ReadReal(orno)),
                None => self.park(Cause::new(CauseKind::KeepsFailing, "no order number"), context),
            },
            Stage::Follow { .. } => self.follow(context),
            Stage::Done(Ending::Completed) => match self.pay(context) {
                Some(effect) => Next::Do(effect),
                None => self.rest(context),
            },
            Stage::Done(_) => self.run.rest(context),
            Stage::Parked { .. } => Next::Rest,
        }
    }

    fn place(&mut self, context: &Context<'_>) -> Next {
        if self.run.stage == Stage::Withdraw {
            self.run.placing.give_up(Then::Again);
            if !self.run.placing.holds_a_head() && !self.run.placing.past_confirm() {
                self.run.withdrawn(self.plan.as_ref());
                return self.next(context);
            }
        }
        if self.run.is_stale(context.now_ms) {
            // The look belongs to the moment of the create, so it is made again, too.
            self.run.placing.recover(context.steady);
            self.run.reread = true;
            return self.next(context);
        }
        let (Some(key), Some(plan)) = (&self.run.key, &self.plan) else {
            self.run.stage = Stage::Read;
            return self.next(context);
        };
        let around = around(key, plan, context);
        match self.run.placing.next(&around) {
            Step::Ask(ask) => Next::Do(Effect::Place(ask)),
            Step::Wait { left_ms, reason } => {
                let until_ms = context.now_ms.saturating_add(left_ms);
                let wait = Wait { until_ms, reason: reason.to_owned() };
                self.run.wait = Some(wait.clone());
                Next::Wait(wait)
            }
            Step::Park(cause) => self.park(cause, context),
            Step::Confirmed(orno) => {
                self.run.confirmed(orno, context);
                self.next(context)
            }
            Step::Cancelled => {
                self.run.stage = Stage::Done(Ending::Cancelled);
                self.run.mark(context.now_ms, "cancelled before M3 had it");
                self.run.sweep = Sweep::begin(context.now_ms, context.rules.quiescence_ms());
                self.next(context)
            }
        }
    }

    fn park(&mut self, cause: Cause, context: &Context<'_>) -> Next {
        self.run.park(cause, context.now_ms);
        Next::Rest
    }

    /// Returns the SKU of the line that has this CUPO.
    pub fn sku_of(&self, cupo: &str) -> Option<String> {
        let index = cupo.parse::<usize>().ok()?.checked_sub(1)?;
        self.order.as_ref()?.lines.get(index).map(|line| line.sku.clone())
    }

    fn skus(&self) -> Vec<String> {
        let lines = self.order.iter().flat_map(|order| &order.lines);
        let mut skus: Vec<String> = lines.map(|line| line.sku.clone()).collect();
        skus.sort();
        skus.dedup();
        skus
    }
}

impl Run {
    /// The temporary order is gone: it is planned anew, or placed again as it was planned.
    fn withdrawn(&mut self, plan: Option<&Plan>) {
        let replan = std::mem::replace(&mut self.replan, Replan::Anew);
        self.stage = match (replan, plan) {
            (Replan::Kept, Some(_)) => Stage::Place,
            (Replan::Kept, None) | (Replan::Anew, _) => Stage::Read,
        };
    }

    fn confirmed(&mut self, orno: Orno, context: &Context<'_>) {
        self.mark(context.now_ms, format!("confirmed as {orno}"));
        self.orno = Some(orno);
        self.stage = Stage::Check;
        self.sweep = Sweep::begin(context.now_ms, context.rules.quiescence_ms());
    }

    /// A finished case still has its sweeps; some time after the last of them it leaves.
    fn rest(&self, context: &Context<'_>) -> Next {
        let wait =
            |until_ms, reason: &str| Next::Wait(Wait { until_ms, reason: reason.to_owned() });
        if let Some(due_ms) = self.sweep.due_ms().filter(|_| self.sweeps()) {
            return wait(due_ms, "finished; a last look for doubles is due");
        }
        if self.attention.is_some() {
            return Next::Rest;
        }
        let leave_ms = self.last_ms().saturating_add(context.rules.keep_done_ms());
        if context.now_ms < leave_ms {
            return wait(leave_ms, "finished; it is kept for questions until then");
        }
        Next::Leave
    }
}

fn around<'a>(key: &'a OrderKey, plan: &'a Plan, context: &Context<'_>) -> Around<'a> {
    Around {
        key,
        plan,
        quiescence_ms: context.rules.quiescence_ms(),
        heads_max: context.rules.heads_max,
        now: context.steady,
    }
}

#[cfg(test)]
mod tests;
