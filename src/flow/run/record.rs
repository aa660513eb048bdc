//! What is kept of a case: the run, its stages, its trail. Pure.
//!
//! The form on disk is the form of these types; `delivery::rows` puts a version before it.

use super::Sweep;
use crate::{
    amount::Amount,
    flow::{
        cause::{Cause, CauseKind},
        follow::Follow,
        place::{Placing, Then},
    },
    ids::{Cuno, OrderKey, Orno},
    order::OrderRef,
};
use serde::{Deserialize, Serialize};

/// Entries of a case's trail; the oldest give way.
const TRAIL_MAX: usize = 32;

/// In the trail: set aside, with the cause behind it.
const PARKED: &str = "parked: ";
/// In the trail: what a person was told of has changed once more.
const AGAIN: &str = "the shop changed it again";

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
    /// When the order was read last.
    pub read_ms: u64,
    /// Failures in a row of what is being tried.
    pub failed: u32,
    /// Those among them that are not borne for ever: an outage uses up no attempts.
    pub counted: u32,
    /// Until when and why it waits.
    pub wait: Option<Wait>,
    /// Fingerprint of the order that M3 has or will get.
    pub content: Option<String>,
    /// Fingerprint of a later one that a person was told of.
    pub told: Option<String>,
    /// How the shop stands to what M3 has, as far as a person knows.
    pub standing: Standing,
    /// How the shop stood to it when it was read last.
    pub seen: Standing,
    /// What becomes of the plan of an order that is withdrawn.
    pub replan: Replan,
    /// M3's customer.
    pub cuno: Option<Cuno>,
    /// Customers for whom earlier attempts were made: these are looked through, too.
    pub former: Vec<Cuno>,
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

impl Run {
    /// Begins a run for an order that the shop has named.
    pub fn new(reference: OrderRef, key: Option<OrderKey>, now_ms: u64) -> Self {
        Self {
            reference,
            key,
            stage: Stage::Read,
            placing: Placing::new(),
            reread: false,
            read_ms: 0,
            failed: 0,
            counted: 0,
            wait: None,
            content: None,
            told: None,
            standing: Standing::Wanted,
            seen: Standing::Wanted,
            replan: Replan::Anew,
            cuno: None,
            former: Vec::new(),
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

    /// Notes that the shop has changed it while a person looks at an earlier change.
    pub(super) fn changed_again(&mut self, now_ms: u64) {
        self.mark(now_ms, AGAIN);
    }

    /// When a person was last told that the shop changed or cancelled what M3 has.
    pub fn late_ms(&self) -> Option<u64> {
        let is_late = |mark: &&Mark| {
            mark.what == AGAIN
                || mark.what.strip_prefix(PARKED).is_some_and(|cause| {
                    cause == CauseKind::ChangedAfterConfirm.name()
                        || cause == CauseKind::CancelledAfterConfirm.name()
                })
        };
        self.trail.iter().rev().find(is_late).map(|mark| mark.at_ms)
    }

    /// Sets the case aside for a person.
    pub fn park(&mut self, cause: Cause, now_ms: u64) {
        self.mark(now_ms, format!("{PARKED}{}", cause.kind.name()));
        self.wait = None;
        (self.failed, self.counted) = (0, 0);
        let back = match std::mem::replace(&mut self.stage, Stage::Read) {
            Stage::Parked { back, .. } => back,
            stage @ (Stage::Read
            | Stage::Customer
            | Stage::Items
            | Stage::Place
            | Stage::Withdraw
            | Stage::Check
            | Stage::Follow { .. }
            | Stage::Done(_)) => Box::new(stage),
        };
        self.stage = Stage::Parked { cause, back, since_ms: now_ms };
    }

    /// Goes on where it was parked, or from the shop's order anew; says whether it was parked.
    pub fn replay(&mut self, from: ReplayFrom, now_ms: u64) -> bool {
        let Stage::Parked { back, .. } = &self.stage else { return false };
        self.stage = match (from, &self.orno) {
            (ReplayFrom::Start | ReplayFrom::StartWithOldRules, None) => {
                self.placing.give_up(Then::Again);
                Stage::Withdraw
            }
            (ReplayFrom::Start | ReplayFrom::StartWithOldRules, Some(_)) => (**back).clone(),
            (ReplayFrom::Step, _) => (**back).clone(),
        };
        self.replan = match from {
            ReplayFrom::Step | ReplayFrom::Start => Replan::Anew,
            ReplayFrom::StartWithOldRules => Replan::Kept,
        };
        self.settle();
        (self.failed, self.counted) = (0, 0);
        self.wait = None;
        self.mark(now_ms, from.told());
        true
    }

    /// Ends a parked case for good; says whether it was parked.
    pub fn discard(&mut self, reason: &str, now_ms: u64) -> bool {
        if !matches!(self.stage, Stage::Parked { .. }) {
            return false;
        }
        self.standing = self.seen;
        self.stage = Stage::Done(Ending::Discarded);
        if self.orno.is_none() {
            // A temporary order that was left for the person is cleaned up.
            self.sweep = Sweep::begin(now_ms, 0);
        }
        self.settle();
        self.attention = None;
        self.mark(now_ms, format!("discarded by a person: {reason}"));
        true
    }

    /// A person has dealt with what was told of the shop's order; what came since is read.
    fn settle(&mut self) {
        if let Some(told) = self.told.take() {
            self.content = Some(told);
        }
        self.reread = true;
    }

    /// M3 told something of the order: it is asked at once how far it is.
    pub fn look_now(&mut self) {
        if let Stage::Follow { follow, look_ms } = &mut self.stage {
            *look_ms = 0;
            follow.look_closely();
        }
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

/// How the shop stands to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It wants it.
    Wanted,
    /// It has cancelled it.
    Cancelled,
}

/// What becomes of the plan of an order that is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replan {
    /// The order is planned anew with the rules of today.
    Anew,
    /// It is placed again as it was planned.
    Kept,
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayFrom {
    /// At the step that failed, with the plan as it was made.
    Step,
    /// At the shop's order, as far as M3 has none yet; it is planned with the rules of today.
    Start,
    /// At the first call to M3, with the plan as it was made, as far as the shop's order is the same.
    StartWithOldRules,
}

impl ReplayFrom {
    const fn told(self) -> &'static str {
        match self {
            Self::Step => "replayed from the step that failed",
            Self::Start => "replayed from the start",
            Self::StartWithOldRules => "replayed from the start with the old rules",
        }
    }
}

/// What is remembered of an order that has left the state: enough to know it again, so
/// that no later event makes a second one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// How the order is named to the shop.
    pub reference: OrderRef,
    /// The key in CUOR.
    pub key: Option<OrderKey>,
    /// How it ended.
    pub ending: Ending,
    /// M3's order.
    pub orno: Option<Orno>,
    /// M3's customer.
    pub cuno: Option<Cuno>,
    /// Fingerprint of the order that M3 has.
    pub content: Option<String>,
    /// How the shop stands to it, as far as a person knows.
    pub standing: Standing,
    /// When something happened last.
    pub last_ms: u64,
}

impl Run {
    /// Returns what is to be remembered; none when a later event may begin afresh.
    pub fn remains(&self) -> Option<Remains> {
        let Stage::Done(ending) = &self.stage else { return None };
        if self.orno.is_none() && *ending != Ending::Discarded {
            return None;
        }
        Some(Remains {
            reference: self.reference.clone(),
            key: self.key.clone(),
            ending: *ending,
            orno: self.orno.clone(),
            cuno: self.cuno.clone(),
            content: self.content.clone(),
            standing: self.standing,
            last_ms: self.last_ms(),
        })
    }

    /// Takes an order up again that had left.
    pub fn recalled(remains: Remains) -> Self {
        let Remains { reference, key, ending, orno, cuno, content, standing, last_ms } = remains;
        let trail =
            vec![Mark { at_ms: last_ms, what: "finished; left the state since".to_owned() }];
        let fresh = Self::new(reference, key, last_ms);
        let stage = Stage::Done(ending);
        Self { stage, orno, cuno, content, standing, seen: standing, trail, ..fresh }
    }

    /// When something happened last.
    pub fn last_ms(&self) -> u64 {
        self.trail.last().map_or(self.opened_ms, |mark| mark.at_ms)
    }
}
