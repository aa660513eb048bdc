//! Which system a case needs next, so that it waits where it is not tried in vain. Pure.

use super::{Case, Run, Stage};
use crate::flow::place::Place;
use serde::{Deserialize, Serialize};

/// Whom a case needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Need {
    /// The shop.
    Shop,
    /// M3.
    M3,
    /// M3, for a confirmation: these are slow, and few run at once.
    Confirm,
    /// Nobody.
    Nobody,
}

impl Need {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Shop, Self::M3, Self::Confirm, Self::Nobody];

    /// Returns the letter that stands for it in a key.
    pub const fn letter(self) -> char {
        match self {
            Self::Shop => 's',
            Self::M3 => 'm',
            Self::Confirm => 'c',
            Self::Nobody => 'n',
        }
    }
}

impl Case {
    /// Says whom the case needs next; it may turn out to need another one first.
    pub fn need(&self) -> Need {
        let run = &self.run;
        if run.reread_is_next() {
            return Need::Shop;
        }
        match &run.stage {
            Stage::Read => Need::Shop,
            Stage::Customer | Stage::Items | Stage::Check => Need::M3,
            Stage::Place | Stage::Withdraw => run.placing_need(),
            Stage::Follow { follow, .. } if follow.next().is_some() => Need::Shop,
            Stage::Follow { .. } => Need::M3,
            Stage::Done(_) if run.sweeps() && run.sweep.due_ms().is_some() => Need::M3,
            Stage::Done(_) | Stage::Parked { .. } => Need::Nobody,
        }
    }
}

impl Run {
    fn placing_need(&self) -> Need {
        match &self.placing.at {
            Place::Confirm { .. } => Need::Confirm,
            Place::Look { .. } | Place::AddHead { .. } | Place::AddDetails { .. } => Need::M3,
            Place::AddLines { .. } | Place::ListLines { .. } | Place::ReadBack { .. } => Need::M3,
            Place::ReadConfirm { .. } | Place::Delete { .. } => Need::M3,
            Place::Confirmed { .. } => Need::M3,
            Place::Cancelled => Need::Nobody,
        }
    }
}
