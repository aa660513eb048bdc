//! One shop order's way to M3 and back, as a state machine. Pure.
//!
//! A [`Case`] is asked [`Case::next`] what to do, the shell does it, and
//! [`Case::on`] takes the outcome in. The shell keeps two promises: one effect at a
//! time for a case, and the case is durable before an effect that writes.
//!
//! Nothing ends in silence: a case is done, waits with a reason and a time, or is
//! parked with a cause.

mod outcomes;
mod reread;
mod sweep;

pub use sweep::Sweep;

use super::{
    cause::{Cause, CauseKind},
    follow::{Follow, Progress, Tell},
    place::{Around, Ask, Placing, Step, Then, Told},
    plan::Plan,
    rules::Rules,
};
use crate::{
    amount::Amount,
    connector::Failure,
    ids::{Cuno, Itno, OrderKey, Orno},
    order::{Order, OrderRef},
    retry::Jitter,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Entries of a case's trail; the oldest give way.
const TRAIL_MAX: usize = 32;

/// One order as it is kept: small, rewritten at every step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How the order is named to the shop.
    pub reference: OrderRef,
    /// The key in CUOR; none until the shop has told the order's number.
    pub key: Option<OrderKey>,
    /// Where it stands.
    pub stage: Stage,
    /// The protocol that creates exactly one M3 order.
    pub placing: Placing,
    /// Whether the shop said that something changed since the order was last read.
    pub reread: bool,
    /// Failures in a row of what is being tried.
    pub failed: u32,
    /// Until when and why it waits.
    pub wait: Option<Wait>,
    /// Fingerprint of the order that M3 has or will get.
    pub content: Option<String>,
    /// M3's customer.
    pub cuno: Option<Cuno>,
    /// M3's order.
    pub orno: Option<Orno>,
    /// The shop's total and currency.
    pub total: Option<(Amount, String)>,
    /// A difference that somebody should know of while the order goes on.
    pub attention: Option<Cause>,
    /// Looks for doubles and orphans after the confirmation.
    pub sweep: Sweep,
    /// When it began.
    pub opened_ms: u64,
    /// What happened so far, oldest first.
    pub trail: Vec<Mark>,
}

/// A reason to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Until when, in milliseconds since 1970.
    pub until_ms: u64,
    /// Why.
    pub reason: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The order is read from the shop.
    Read,
    /// The customer is found or made in M3.
    Customer,
    /// The items are found in M3.
    Items,
    /// The order is created in M3.
    Place,
    /// A temporary order is taken back because the shop changed the order.
    Withdraw,
    /// The real order is compared with the shop's.
    Check,
    /// M3 delivers and invoices; the shop is told.
    Follow {
        /// How far.
        follow: Follow,
        /// When M3 is asked next.
        look_ms: u64,
    },
    /// It has come to an end.
    Done(Ending),
    /// A person must look.
    Parked {
        /// Why.
        cause: Cause,
        /// Where it goes on when replayed.
        back: Box<Self>,
        /// Since when.
        since_ms: u64,
    },
}

impl Stage {
    /// Returns the fixed name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Customer => "customer",
            Self::Items => "items",
            Self::Place => "place",
            Self::Withdraw => "withdraw",
            Self::Check => "check",
            Self::Follow { .. } => "follow",
            Self::Done(_) => "done",
            Self::Parked { .. } => "parked",
        }
    }
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Delivered, invoiced and told to the shop.
    Completed,
    /// Cancelled in the shop before M3 had it.
    Cancelled,
    /// Its payment status is not one of those taken over.
    NotWanted,
    /// A person decided so.
    Discarded,
}

/// A case with the documents that belong to it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The state.
    pub run: Run,
    /// The order as the shop last told it.
    pub order: Option<Order>,
    /// What M3 is asked for.
    pub plan: Option<Plan>,
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
}

/// One thing to do in another system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads the order from the shop.
    ReadOrder(OrderRef),
    /// Finds or makes the customer in M3.
    EnsureCustomer,
    /// Finds the items of these SKUs in M3.
    FindItems(Vec<String>),
    /// A step of the order protocol.
    Place(Ask),
    /// Reads the real order for the comparison.
    ReadReal(Orno),
    /// Asks M3 how far the order is.
    ReadProgress(Orno),
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
    Customer(Cuno),
    /// M3's items by SKU; none where M3 knows neither item nor alias.
    Items(BTreeMap<String, Option<Itno>>),
    /// An answer to a step of the order protocol.
    Told(Told),
    /// The real order.
    Real(Real),
    /// How far the order is.
    Progress(Progress),
    /// The shop has it.
    Done,
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
    /// This start of the gateway.
    pub epoch: u64,
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// For the next wait.
    pub jitter: Jitter,
}

impl Run {
    /// Begins a run for an order that the shop has named.
    pub fn new(reference: OrderRef, key: Option<OrderKey>, now_ms: u64) -> Self {
        Self {
            reference,
            key,
            stage: Stage::Read,
            placing: Placing::new(),
            reread: false,
            failed: 0,
            wait: None,
            content: None,
            cuno: None,
            orno: None,
            total: None,
            attention: None,
            sweep: Sweep::default(),
            opened_ms: now_ms,
            trail: vec![Mark { at_ms: now_ms, what: "received".to_owned() }],
        }
    }

    /// Notes what happened; the oldest entry gives way.
    pub fn mark(&mut self, at_ms: u64, what: impl Into<String>) {
        if self.trail.len() >= TRAIL_MAX {
            // The first entry says when it came in and stays.
            self.trail.remove(1);
        }
        self.trail.push(Mark { at_ms, what: what.into() });
    }

    /// Sets the case aside for a person.
    pub fn park(&mut self, cause: Cause, now_ms: u64) {
        self.mark(now_ms, format!("parked: {}", cause.kind.name()));
        self.wait = None;
        self.failed = 0;
        let back = match std::mem::replace(&mut self.stage, Stage::Read) {
            Stage::Parked { back, .. } => back,
            stage => Box::new(stage),
        };
        self.stage = Stage::Parked { cause, back, since_ms: now_ms };
    }

    /// Goes on where it was parked, or from the shop's order anew; says whether it was parked.
    pub fn replay(&mut self, from: ReplayFrom, now_ms: u64) -> bool {
        let Stage::Parked { back, .. } = &self.stage else { return false };
        self.stage = match (from, &self.orno) {
            (ReplayFrom::Start, None) => {
                self.placing.give_up(Then::Again);
                Stage::Withdraw
            }
            (ReplayFrom::Start, Some(_)) | (ReplayFrom::Step, _) => (**back).clone(),
        };
        self.reread = true;
        self.failed = 0;
        self.wait = None;
        self.mark(now_ms, "replayed");
        true
    }

    /// Ends a parked case for good; says whether it was parked.
    pub fn discard(&mut self, reason: &str, now_ms: u64) -> bool {
        if !matches!(self.stage, Stage::Parked { .. }) {
            return false;
        }
        self.stage = Stage::Done(Ending::Discarded);
        if self.orno.is_none() {
            // A temporary order that was left for the person is cleaned up.
            self.sweep = Sweep::begin(now_ms, 0);
        }
        self.attention = None;
        self.mark(now_ms, format!("discarded by a person: {reason}"));
        true
    }

    /// Why it is parked.
    pub fn parked(&self) -> Option<&Cause> {
        match &self.stage {
            Stage::Parked { cause, .. } => Some(cause),
            Stage::Read | Stage::Customer | Stage::Items | Stage::Place | Stage::Withdraw => None,
            Stage::Check | Stage::Follow { .. } | Stage::Done(_) => None,
        }
    }
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayFrom {
    /// At the step that failed.
    Step,
    /// At the shop's order, as far as M3 has none yet.
    Start,
}

impl Case {
    /// Takes a case that was read from disk: a write that was an intent has an unknown outcome.
    pub fn recover(&mut self, context: &Context<'_>) {
        self.run.placing.recover(context.now_ms, context.rules.quiescence_ms());
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
            Stage::Done(_) => self.run.rest(),
            Stage::Parked { .. } => Next::Rest,
        }
    }

    fn place(&mut self, context: &Context<'_>) -> Next {
        if self.run.stage == Stage::Withdraw {
            self.run.placing.give_up(Then::Again);
            if !self.run.placing.holds_a_head() {
                self.run.stage = Stage::Read;
                return self.next(context);
            }
        }
        let (Some(key), Some(plan)) = (&self.run.key, &self.plan) else {
            self.run.stage = Stage::Read;
            return self.next(context);
        };
        let around = around(key, plan, context);
        match self.run.placing.next(&around) {
            Step::Ask(ask) => Next::Do(Effect::Place(ask)),
            Step::Wait { until_ms, reason } => {
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

    fn follow(&mut self, context: &Context<'_>) -> Next {
        let Stage::Follow { follow, look_ms } = &self.run.stage else { return Next::Rest };
        if let Some(tell) = follow.next() {
            let Some(order) = &self.order else {
                return Next::Do(Effect::ReadOrder(self.run.reference.clone()));
            };
            return Next::Do(Effect::Tell { order_id: order.id, tell: tell.clone() });
        }
        if follow.complete {
            self.run.stage = Stage::Done(Ending::Completed);
            self.run.mark(context.now_ms, "completed");
            return self.run.rest();
        }
        let look_ms = *look_ms;
        if context.now_ms < look_ms {
            let until_ms = self.run.sweep.due_ms().map_or(look_ms, |due| due.min(look_ms));
            let reason = format!("M3 delivers and invoices it (status {})", follow.seen);
            return Next::Wait(Wait { until_ms, reason });
        }
        match self.run.orno.clone() {
            Some(orno) => Next::Do(Effect::ReadProgress(orno)),
            None => self.park(Cause::new(CauseKind::KeepsFailing, "no order number"), context),
        }
    }

    fn park(&mut self, cause: Cause, context: &Context<'_>) -> Next {
        self.run.park(cause, context.now_ms);
        Next::Rest
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
    fn confirmed(&mut self, orno: Orno, context: &Context<'_>) {
        self.mark(context.now_ms, format!("confirmed as {orno}"));
        self.orno = Some(orno);
        self.stage = Stage::Check;
        self.sweep = Sweep::begin(context.now_ms, context.rules.quiescence_ms());
    }

    /// A finished case still has its sweeps.
    fn rest(&self) -> Next {
        let due_ms = self.sweep.due_ms().filter(|_| self.sweeps());
        due_ms.map_or(Next::Rest, |until_ms| {
            Next::Wait(Wait {
                until_ms,
                reason: "finished; a last look for doubles is due".to_owned(),
            })
        })
    }
}

fn around<'a>(key: &'a OrderKey, plan: &'a Plan, context: &Context<'_>) -> Around<'a> {
    Around {
        key,
        plan,
        quiescence_ms: context.rules.quiescence_ms(),
        heads_max: context.rules.heads_max,
        epoch: context.epoch,
        now_ms: context.now_ms,
    }
}

#[cfg(test)]
mod tests;
