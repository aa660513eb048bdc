//! What becomes of the placing when something comes between: a crash, a lost answer, a
//! change of mind. Pure.

use super::{Place, Placing, Steady, Then};
use crate::ids::Orno;

impl Placing {
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
            Place::Look { .. } | Place::AddHead { .. } => match (&self.at, then) {
                (_, Then::Cancelled) => Place::Cancelled,
                // What the look found may have changed until the new plan is made.
                (Place::AddHead { sent: false }, Then::Again | Then::Park(_)) => Place::LOOK,
                (_, Then::Again | Then::Park(_)) => return,
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

    /// Takes a state that was read from disk: whatever was an intent has an unknown outcome,
    /// and whatever was seen may have changed since.
    pub fn recover(&mut self, now: Steady) {
        let same_start = std::mem::replace(&mut self.boot, now.boot) == now.boot;
        if self.in_flight() {
            return self.lose(now);
        }
        self.at = match &self.at {
            Place::AddHead { .. } => Place::LOOK,
            Place::Confirm { tmp, .. } => Place::ReadBack { tmp: tmp.clone() },
            // An old copy of the state may have been put back, with a part done already.
            Place::AddLines { tmp, .. } if !same_start => Place::ReadBack { tmp: tmp.clone() },
            Place::AddDetails { tmp, .. } if !same_start => Place::delete(tmp, Then::Again),
            Place::AddDetails { .. } | Place::AddLines { .. } | Place::Delete { .. } => return,
            Place::Look { .. } | Place::ListLines { .. } | Place::ReadBack { .. } => return,
            Place::ReadConfirm { .. } | Place::Confirmed { .. } | Place::Cancelled => return,
        };
    }

    /// The outcome of the write under way is unknown.
    pub(super) fn lose(&mut self, now: Steady) {
        match &mut self.at {
            Place::AddHead { .. } => self.at = Place::Look { lost: Some(now), from: None },
            Place::AddDetails { tmp, .. } => self.at = Place::delete(tmp, Then::Again),
            Place::AddLines { tmp, .. } => {
                self.at = Place::ListLines { tmp: tmp.clone(), lost: now };
            }
            Place::Confirm { tmp, .. } => {
                let tmp = tmp.clone();
                self.at = self.unconfirmed(&tmp, now, None);
            }
            Place::Delete { sent, .. } => *sent = false,
            Place::Look { .. } | Place::ListLines { .. } | Place::ReadBack { .. } => {}
            Place::ReadConfirm { .. } | Place::Confirmed { .. } | Place::Cancelled => {}
        }
    }

    /// A confirmation ended without a yes: what became of it is read.
    pub(super) fn unconfirmed(
        &mut self,
        tmp: &Orno,
        lost: Steady,
        refused: Option<String>,
    ) -> Place {
        self.confirm_lost = Some(lost);
        Place::ReadConfirm { tmp: tmp.clone(), lost, refused, from: None }
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
            Place::Confirm { tmp, .. } => {
                // Somebody else may release it while M3 is away for us.
                self.at = Place::ReadBack { tmp: tmp.clone() };
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
