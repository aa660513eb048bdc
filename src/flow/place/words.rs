//! The words between the placing and M3: what is asked, what is answered. Pure.

use super::STAT_CREATED;
use crate::{
    flow::{cause::Cause, plan::LineInM3},
    ids::Orno,
};
use serde::{Deserialize, Serialize};

/// What the placing wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An answer from M3.
    Ask(Ask),
    /// Time to pass.
    Wait {
        /// How many milliseconds.
        left_ms: u64,
        /// Why, for the operator.
        reason: &'static str,
    },
    /// A person.
    Park(Cause),
    /// Nothing: there is a real order.
    Confirmed(Orno),
    /// Nothing: cancelled.
    Cancelled,
}

/// A question or command to M3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Lists temporary and real orders with our key.
    Look,
    /// Opens a temporary order.
    AddHead {
        /// Our token.
        oref: String,
    },
    /// Adds address, texts and charges.
    AddDetails {
        /// The temporary order.
        tmp: Orno,
    },
    /// Adds lines.
    AddLines {
        /// The temporary order.
        tmp: Orno,
        /// CUPO of the lines wanted.
        cupos: Vec<u16>,
    },
    /// Reads head and lines.
    ReadBatch {
        /// The temporary order.
        tmp: Orno,
    },
    /// Confirms.
    Confirm {
        /// The temporary order.
        tmp: Orno,
    },
    /// Reads what became of a confirmation.
    ReadConfirm {
        /// The temporary order.
        tmp: Orno,
    },
    /// Deletes a temporary order.
    Delete {
        /// The temporary order.
        tmp: Orno,
    },
}

impl Ask {
    /// Whether it changes M3, so that the intent must be durable first.
    pub const fn is_write(&self) -> bool {
        match self {
            Self::Look | Self::ReadBatch { .. } | Self::ReadConfirm { .. } => false,
            Self::AddHead { .. } | Self::AddDetails { .. } | Self::AddLines { .. } => true,
            Self::Confirm { .. } | Self::Delete { .. } => true,
        }
    }
}

/// What M3 said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Orders with our key.
    Heads(Found),
    /// The number of the new temporary order.
    Head(Orno),
    /// All of it was added.
    Added,
    /// Head and lines of a temporary order; no head when there is none.
    Batch {
        /// The head.
        head: Option<BatchHead>,
        /// The lines.
        lines: Vec<LineInM3>,
    },
    /// The confirmation's answer.
    Confirmed {
        /// The real number, if M3 gave one.
        orno: Option<Orno>,
        /// STAT of the temporary order.
        stat: String,
    },
    /// What became of a confirmation; the texts are M3's own errors.
    Outcome {
        /// The head; none when there is none.
        head: Option<BatchHead>,
        /// `LstErrMsgOrder`.
        errors: Vec<String>,
    },
    /// It is deleted.
    Deleted,
}

/// Orders that carry our key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Real ones.
    pub real: Vec<Orno>,
    /// Temporary ones.
    pub batch: Vec<BatchHead>,
}

/// The head of a temporary order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// The temporary number.
    pub tmp: Orno,
    /// OREF.
    pub oref: String,
    /// CUOR.
    pub cuor: String,
    /// CUCD; empty where the answer has none.
    pub currency: String,
    /// STAT.
    pub stat: String,
    /// ORNR, the real order it became.
    pub orno: Option<Orno>,
}

impl BatchHead {
    /// Whether M3 says that a real order was made of it, even where ORNR is filled later.
    pub fn is_created(&self) -> bool {
        self.orno.is_some() || self.stat == STAT_CREATED
    }
}

/// What may be done with a temporary order that is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is deleted.
    Due,
    /// There is nothing of ours under the number.
    Needless,
    /// A real order was made of it: it stays.
    Forbidden,
}

impl Deletion {
    /// Judges the head that M3 has under the number: after a restart M3 may have given the
    /// number to somebody else.
    pub fn of(head: Option<&BatchHead>, tokens: &[String]) -> Self {
        match head {
            Some(head) if !tokens.contains(&head.oref) => Self::Needless,
            Some(head) if head.is_created() => Self::Forbidden,
            Some(_) => Self::Due,
            None => Self::Needless,
        }
    }
}
