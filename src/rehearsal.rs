//! What a simulation puts in the place of the disk.
//!
//! Journal and state can be kept in memory ([`crate::journal::Memory`], [`crate::state::Memory`]):
//! what was written survives for as long as a clone of it does, as a disk survives a process. At
//! each write the simulation is asked, before it and after it. It may let time pass, fail the
//! write, or never answer, which is how a process ends in the middle.

use std::{fmt, pin::Pin};

/// Where a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing of it is there.
    Before,
    /// It is there, and nobody has been told.
    After,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Go,
    /// Who waits for it is told that the disk failed.
    Fail,
    /// Nothing of it is done, and who waits for it is told that it is. Only a simulation that has
    /// to show that it notices says so.
    Lie,
}

/// A disk that obeys a simulation.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Says what becomes of a write; a lie counts before it only.
    fn at(&self, when: When) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>>;
}

/// A disk on which nothing ever happens.
#[derive(Clone, Copy, Debug)]
pub struct Calm;

impl Disk for Calm {
    fn at(&self, _: When) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>> {
        Box::pin(std::future::ready(Verdict::Go))
    }
}
