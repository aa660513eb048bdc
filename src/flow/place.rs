//! Brings exactly one M3 order about for one shop order. Pure.
//!
//! M3 has no idempotency key; the commit point is `Confirm` (design section 5,
//! reference/m3.md 9.2). What this machine guarantees, whatever is lost, late,
//! repeated or restarted, provided that its state is durable before each write it
//! asks for and that no lost call runs longer than the quiescence time:
//! 1. At most one temporary order of a key is ever confirmed, unless the earlier
//!    one is proven gone and no real order carries the key.
//! 2. A temporary order is confirmed only when its lines equal the plan.
//! 3. Only heads with a token of ours are deleted, and never a real order.

mod answers;
mod words;

pub use answers::Verdict;
pub use words::{Ask, BatchHead, Found, Step, Told};

use super::{
    cause::{Cause, CauseKind},
    plan::{Comparison, LineInM3, Plan},
};
use crate::{
    connector::{Class, Failure, Fate},
    ids::{OrderKey, Orno, short_hash},
};
use serde::{Deserialize, Serialize};

/// Begins every OREF that Causeway writes.
const TOKEN_PREFIX: &str = "CW";
/// Status of a temporary order that has become a real one (reference/m3.md 5.4).
pub const STAT_CREATED: &str = "90";
/// Looks at a temporary order within one quiescence time after its confirmation was lost.
const LOOKS_PER_QUIESCENCE: u64 = 8;

/// One order on its way to being confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placing {
    /// Attempts at a head so far.
    pub n: u32,
    /// OREF of every attempt; a head with another one is not ours.
    pub tokens: Vec<String>,
    /// How many of these, from the first, were made for a plan that was withdrawn.
    pub withdrawn: usize,
    /// Whether a confirmation may have been carried out: too late to cancel in silence.
    pub confirming: bool,
    /// Confirmations of the temporary order at hand that were sent.
    pub confirms: u32,
    /// A temporary order of ours that M3 did not delete.
    pub undeleted: Option<Orno>,
    /// Where it stands.
    pub at: Place,
}

/// Where the placing stands. `sent` marks an intent: the request was or may have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Looks for orders with our key before creating anything.
    Look {
        /// When the outcome of the last attempt at a head, or of a confirmation, was lost.
        lost_ms: Option<u64>,
        /// Not to be asked earlier.
        from_ms: u64,
    },
    /// Opens a temporary order.
    AddHead {
        /// Whether it is an intent.
        sent: bool,
    },
    /// Adds address, texts and charges.
    AddDetails {
        /// The temporary order.
        tmp: Orno,
        /// Whether it is an intent.
        sent: bool,
    },
    /// Adds lines.
    AddLines {
        /// The temporary order.
        tmp: Orno,
        /// CUPO of the lines that are wanted.
        cupos: Vec<u16>,
        /// Whether it is an intent.
        sent: bool,
    },
    /// Lists the lines after an answer was lost.
    ListLines {
        /// The temporary order.
        tmp: Orno,
        /// Not to be asked earlier: the lost call may still be adding lines.
        from_ms: u64,
    },
    /// Reads head and lines back before the confirmation.
    ReadBack {
        /// The temporary order.
        tmp: Orno,
    },
    /// Makes it a real order.
    Confirm {
        /// The only temporary order that may be confirmed.
        tmp: Orno,
        /// Whether it is an intent.
        sent: bool,
    },
    /// Finds out what became of a confirmation.
    ReadConfirm {
        /// The temporary order.
        tmp: Orno,
        /// When the confirmation ended without a yes.
        lost_ms: u64,
        /// M3's no, if it said one.
        refused: Option<String>,
        /// Not to be asked earlier.
        from_ms: u64,
    },
    /// Removes a temporary order of ours.
    Delete {
        /// The temporary order.
        tmp: Orno,
        /// Whether it is an intent.
        sent: bool,
        /// What comes next.
        then: Then,
    },
    /// There is a real order.
    Confirmed {
        /// Its number.
        orno: Orno,
    },
    /// The shop's order was cancelled in time.
    Cancelled,
}

/// What follows the removal of a temporary order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// Another attempt.
    Again,
    /// A person must look.
    Park(Cause),
    /// Nothing: the shop does not want the order any more.
    Cancelled,
}

/// What the machine is told about its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The order's key.
    pub key: &'a OrderKey,
    /// What is to be placed.
    pub plan: &'a Plan,
    /// How long a lost call may still run.
    pub quiescence_ms: u64,
    /// How many heads may be tried.
    pub heads_max: u32,
    /// This start of the gateway.
    pub epoch: u64,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

impl Placing {
    /// Begins.
    pub fn new() -> Self {
        Self {
            n: 0,
            tokens: Vec::new(),
            withdrawn: 0,
            confirming: false,
            confirms: 0,
            undeleted: None,
            at: Place::LOOK,
        }
    }

    /// Says what is wanted. A write that is asked for has become an intent: the
    /// caller makes the state durable before it sends anything.
    pub fn next(&mut self, around: &Around<'_>) -> Step {
        match &mut self.at {
            Place::Look { from_ms, .. } if around.now_ms < *from_ms => Step::Wait {
                until_ms: *from_ms,
                reason: "a call to M3 was lost; it may still be running",
            },
            Place::Look { .. } => Step::Ask(Ask::Look),
            Place::AddHead { .. } => self.begin_head(around),
            Place::AddDetails { tmp, .. } if around.plan.details.is_empty() => {
                self.at = all_lines(tmp.clone(), around.plan);
                self.next(around)
            }
            Place::AddDetails { tmp, sent } => {
                *sent = true;
                Step::Ask(Ask::AddDetails { tmp: tmp.clone() })
            }
            Place::AddLines { tmp, cupos, sent } => {
                *sent = true;
                Step::Ask(Ask::AddLines { tmp: tmp.clone(), cupos: cupos.clone() })
            }
            Place::ListLines { from_ms, .. } if around.now_ms < *from_ms => Step::Wait {
                until_ms: *from_ms,
                reason: "a call that adds lines was lost; it may still be running",
            },
            Place::ListLines { tmp, .. } | Place::ReadBack { tmp } => {
                Step::Ask(Ask::ReadBatch { tmp: tmp.clone() })
            }
            Place::Confirm { tmp, .. } => {
                let tmp = tmp.clone();
                self.begin_confirm(tmp, around)
            }
            Place::ReadConfirm { from_ms, .. } if around.now_ms < *from_ms => Step::Wait {
                until_ms: *from_ms,
                reason: "the answer to the confirmation was lost; M3 may still be working on it",
            },
            Place::ReadConfirm { tmp, .. } => Step::Ask(Ask::ReadConfirm { tmp: tmp.clone() }),
            Place::Delete { tmp, sent, .. } => {
                *sent = true;
                Step::Ask(Ask::Delete { tmp: tmp.clone() })
            }
            Place::Confirmed { orno } => Step::Confirmed(orno.clone()),
            Place::Cancelled => Step::Cancelled,
        }
    }

    fn begin_head(&mut self, around: &Around<'_>) -> Step {
        if self.n >= around.heads_max {
            let text = format!("{} temporary orders were begun and none held", self.n);
            self.n = 0;
            self.at = Place::LOOK;
            return Step::Park(Cause::new(CauseKind::KeepsFailing, text));
        }
        self.n = self.n.saturating_add(1);
        let serial = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX);
        let oref = token(around.key, around.epoch, serial);
        self.tokens.push(oref.clone());
        self.confirming = false;
        self.confirms = 0;
        self.at = Place::AddHead { sent: true };
        Step::Ask(Ask::AddHead { oref })
    }

    fn begin_confirm(&mut self, tmp: Orno, around: &Around<'_>) -> Step {
        if self.confirms >= around.heads_max {
            let text = format!("temporary order {tmp} was confirmed {} times", self.confirms);
            self.confirms = 0;
            return Step::Park(Cause::new(CauseKind::KeepsFailing, text));
        }
        self.confirms = self.confirms.saturating_add(1);
        self.confirming = true;
        self.at = Place::Confirm { tmp: tmp.clone(), sent: true };
        Step::Ask(Ask::Confirm { tmp })
    }

    /// Whether a real order exists or may come to exist: then it is too late to cancel.
    pub fn past_confirm(&self) -> bool {
        self.confirming || matches!(self.at, Place::Confirmed { .. })
    }

    /// Whether a write is an intent whose outcome is not known yet.
    pub fn in_flight(&self) -> bool {
        match &self.at {
            Place::AddHead { sent }
            | Place::AddDetails { sent, .. }
            | Place::AddLines { sent, .. }
            | Place::Confirm { sent, .. }
            | Place::Delete { sent, .. } => *sent,
            Place::Look { .. } | Place::ListLines { .. } | Place::ReadBack { .. } => false,
            Place::ReadConfirm { .. } | Place::Confirmed { .. } | Place::Cancelled => false,
        }
    }

    /// Whether a temporary order may have to be taken back first.
    pub fn holds_a_head(&self) -> bool {
        !matches!(self.at, Place::Look { .. } | Place::AddHead { sent: false } | Place::Cancelled)
    }

    /// Gives the temporary order up, before the confirmation only; afterwards nothing happens.
    pub fn give_up(&mut self, then: Then) {
        if self.past_confirm() {
            return;
        }
        if then == Then::Again {
            // Whatever a lost call still opens is a head for the plan of yesterday.
            self.withdrawn = self.tokens.len();
            self.n = 0;
        }
        self.at = match &self.at {
            Place::AddDetails { tmp, .. }
            | Place::AddLines { tmp, .. }
            | Place::ListLines { tmp, .. }
            | Place::ReadBack { tmp }
            | Place::Confirm { tmp, .. } => Place::Delete { tmp: tmp.clone(), sent: false, then },
            Place::Delete { tmp, sent, .. } => {
                Place::Delete { tmp: tmp.clone(), sent: *sent, then }
            }
            Place::Look { .. } | Place::AddHead { .. } => match then {
                Then::Cancelled => Place::Cancelled,
                Then::Again | Then::Park(_) => return,
            },
            Place::ReadConfirm { .. } | Place::Confirmed { .. } | Place::Cancelled => return,
        };
    }

    /// Whether it ends without an order.
    pub fn is_cancelling(&self) -> bool {
        matches!(&self.at, Place::Cancelled | Place::Delete { then: Then::Cancelled, .. })
    }

    /// A cancelled order is wanted after all.
    pub fn reopen(&mut self) {
        if self.at == Place::Cancelled {
            self.give_up(Then::Again);
            self.at = Place::LOOK;
        }
    }

    /// Takes a state that was read from disk: whatever was an intent has an unknown outcome.
    pub fn recover(&mut self, now_ms: u64, quiescence_ms: u64) {
        if self.in_flight() {
            self.lose(now_ms, quiescence_ms);
        } else if matches!(self.at, Place::AddHead { .. }) {
            // What the look found may have changed since.
            self.at = Place::LOOK;
        }
    }

    /// The outcome of the write under way is unknown.
    fn lose(&mut self, now_ms: u64, quiescence_ms: u64) {
        match &mut self.at {
            Place::AddHead { .. } => self.at = Place::Look { lost_ms: Some(now_ms), from_ms: 0 },
            Place::AddDetails { tmp, .. } => self.at = Place::delete(tmp, Then::Again),
            Place::AddLines { tmp, .. } => {
                let (tmp, from_ms) = (tmp.clone(), now_ms.saturating_add(quiescence_ms));
                self.at = Place::ListLines { tmp, from_ms };
            }
            Place::Confirm { tmp, .. } => self.at = Place::read_confirm(tmp, now_ms, None),
            Place::Delete { sent, .. } => *sent = false,
            Place::Look { .. } | Place::ListLines { .. } | Place::ReadBack { .. } => {}
            Place::ReadConfirm { .. } | Place::Confirmed { .. } | Place::Cancelled => {}
        }
    }

    /// The call was certainly not carried out; the same may be asked again.
    pub fn not_done(&mut self) {
        match &mut self.at {
            Place::AddHead { .. } => {
                // Somebody else may enter the order while M3 is away for us.
                self.at = Place::LOOK;
                self.n = self.n.saturating_sub(1);
                self.tokens.pop();
            }
            Place::Confirm { sent, .. } => {
                *sent = false;
                // An earlier one was waited for, so that nothing is under way.
                self.confirming = false;
                self.confirms = self.confirms.saturating_sub(1);
            }
            Place::AddDetails { sent, .. }
            | Place::AddLines { sent, .. }
            | Place::Delete { sent, .. } => *sent = false,
            Place::Look { .. } | Place::ListLines { .. } | Place::ReadBack { .. } => {}
            Place::ReadConfirm { .. } | Place::Confirmed { .. } | Place::Cancelled => {}
        }
    }
}

impl Place {
    /// Looks at once; nothing is lost.
    const LOOK: Self = Self::Look { lost_ms: None, from_ms: 0 };

    fn delete(tmp: &Orno, then: Then) -> Self {
        Self::Delete { tmp: tmp.clone(), sent: false, then }
    }

    fn read_confirm(tmp: &Orno, lost_ms: u64, refused: Option<String>) -> Self {
        Self::ReadConfirm { tmp: tmp.clone(), lost_ms, refused, from_ms: 0 }
    }
}

impl Default for Placing {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything of the plan is wanted.
fn all_lines(tmp: Orno, plan: &Plan) -> Place {
    let cupos = plan.lines.iter().map(|line| line.cupo).collect();
    Place::AddLines { tmp, cupos, sent: false }
}

/// Makes the token of one attempt: at most 30 characters, different for each key, start and attempt.
fn token(key: &OrderKey, epoch: u64, serial: u32) -> String {
    let parts: [&[u8]; 3] = [key.as_str().as_bytes(), &epoch.to_be_bytes(), &serial.to_be_bytes()];
    format!("{TOKEN_PREFIX}{}", short_hash(&parts, 20))
}

#[cfg(test)]
pub(super) mod tests;
