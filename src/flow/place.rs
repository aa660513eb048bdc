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
//!
//! Time is measured on the clock of `steady`: no jump of the wall clock shortens a
//! quiescence. A temporary order is read back immediately before each confirmation,
//! because a clerk, or a life of the gateway that a back-up has forgotten, may have
//! released it.

mod answers;
mod interrupted;
mod words;

pub use answers::Verdict;
pub use words::{Ask, BatchHead, Deletion, Found, Step, Told};

use super::{
    cause::{Cause, CauseKind},
    plan::{Comparison, LineInM3, Plan},
    steady::{Pause, Steady},
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
    /// When the last confirmation ended without a yes.
    pub confirm_lost: Option<Steady>,
    /// The start of the gateway that had it in hand last.
    pub boot: u64,
    /// The start of the gateway in which the last head was begun.
    pub head_boot: u64,
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
        lost: Option<Steady>,
        /// Not to be asked before this is over.
        from: Option<Pause>,
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
        /// When the answer was lost; the call may still be adding lines.
        lost: Steady,
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
        lost: Steady,
        /// M3's no, if it said one.
        refused: Option<String>,
        /// Not to be asked before this is over.
        from: Option<Pause>,
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
    /// This moment of this start of the gateway.
    pub now: Steady,
}

impl Around<'_> {
    /// Returns how long `from` keeps from asking; 0 when there is nothing to wait for.
    fn left_ms(&self, from: Option<Pause>) -> u64 {
        from.map_or(0, |pause| pause.left_ms(self.now))
    }

    /// Returns the time after which a call that was lost then must have ended.
    fn quiet(&self, lost: Steady) -> Pause {
        lost.pause(self.quiescence_ms)
    }

    /// Returns the pause before the next of several looks within one quiescence time.
    fn between_looks(&self, lost: Steady) -> Pause {
        let pause_ms = (self.quiescence_ms / LOOKS_PER_QUIESCENCE).max(1);
        let quiet = self.quiet(lost);
        if quiet.left_ms(self.now) <= pause_ms { quiet } else { self.now.pause(pause_ms) }
    }
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
            confirm_lost: None,
            boot: 0,
            head_boot: 0,
            undeleted: None,
            at: Place::LOOK,
        }
    }

    /// Says what is wanted. A write that is asked for has become an intent: the
    /// caller makes the state durable before it sends anything.
    pub fn next(&mut self, around: &Around<'_>) -> Step {
        match &mut self.at {
            Place::Look { from, .. } if around.left_ms(*from) > 0 => Step::Wait {
                left_ms: around.left_ms(*from),
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
            Place::ListLines { lost, .. } if around.quiet(*lost).left_ms(around.now) > 0 => {
                Step::Wait {
                    left_ms: around.quiet(*lost).left_ms(around.now),
                    reason: "a call that adds lines was lost; it may still be running",
                }
            }
            Place::ListLines { tmp, .. } | Place::ReadBack { tmp } => {
                Step::Ask(Ask::ReadBatch { tmp: tmp.clone() })
            }
            Place::Confirm { tmp, .. } => {
                let tmp = tmp.clone();
                self.begin_confirm(tmp, around)
            }
            Place::ReadConfirm { from, .. } if around.left_ms(*from) > 0 => Step::Wait {
                left_ms: around.left_ms(*from),
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
        let oref = token(around.key, around.now.boot, serial);
        self.tokens.push(oref.clone());
        self.confirming = false;
        self.confirms = 0;
        self.head_boot = around.now.boot;
        self.at = Place::AddHead { sent: true };
        Step::Ask(Ask::AddHead { oref })
    }

    fn begin_confirm(&mut self, tmp: Orno, around: &Around<'_>) -> Step {
        if self.confirms >= around.heads_max {
            let text = format!("temporary order {tmp} was confirmed {} times", self.confirms);
            self.confirms = 0;
            self.at = Place::ReadBack { tmp };
            return Step::Park(Cause::new(CauseKind::KeepsFailing, text));
        }
        self.confirms = self.confirms.saturating_add(1);
        self.confirming = true;
        self.at = Place::Confirm { tmp: tmp.clone(), sent: true };
        Step::Ask(Ask::Confirm { tmp })
    }
}

impl Place {
    /// Looks at once; nothing is lost.
    const LOOK: Self = Self::Look { lost: None, from: None };

    fn delete(tmp: &Orno, then: Then) -> Self {
        Self::Delete { tmp: tmp.clone(), sent: false, then }
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
pub(in crate::flow) fn token(key: &OrderKey, boot: u64, serial: u32) -> String {
    let parts: [&[u8]; 3] = [key.as_str().as_bytes(), &boot.to_be_bytes(), &serial.to_be_bytes()];
    format!("{TOKEN_PREFIX}{}", short_hash(&parts, 20))
}

#[cfg(test)]
pub(super) mod tests;
