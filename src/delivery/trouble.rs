//! Why an effect has no answer.

use super::{cases::CaseError, rows::BadRow};
use crate::{
    connector::{Class, Failure, Fate},
    flow::cause::Cause,
    state::StateError,
};

/// Why an effect has no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A call failed.
    Failed(Failure),
    /// A person must look.
    Stopped(Cause),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        Self::Stopped(cause)
    }
}

impl From<StateError> for Trouble {
    fn from(fault: StateError) -> Self {
        Self::own_fault(&fault)
    }
}

impl From<BadRow> for Trouble {
    fn from(fault: BadRow) -> Self {
        Self::own_fault(&fault)
    }
}

impl From<CaseError> for Trouble {
    fn from(fault: CaseError) -> Self {
        Self::own_fault(&fault)
    }
}

impl Trouble {
    /// Our own disk failed: nothing was asked of anybody.
    pub(crate) fn own_fault(fault: &dyn std::error::Error) -> Self {
        let text = format!("the state store: {fault}");
        Self::Failed(Failure::new(Fate::NotDone, Class::Unavailable, &text))
    }
}
