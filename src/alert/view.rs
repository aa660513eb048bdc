//! What the rules look at: plain values of one moment. Pure.
//!
//! Guarantees: no order, name or address is in it, so none can get into a message.

use crate::{clock::UnixMs, flow::cause::CauseKind};

/// The gateway at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// When it was looked at.
    pub now_ms: UnixMs,
    /// What is set aside for a person, by cause.
    pub parked: Vec<Parked>,
    /// Since when the order waits that has waited longest on its way into M3.
    pub waiting_since_ms: Option<UnixMs>,
    /// What is known of the orders that come in.
    pub orders: Orders,
    /// The volume that everything is kept on.
    pub disk: Option<Disk>,
    /// When a webhook was last turned away because there was no room.
    pub refused_ms: Option<UnixMs>,
    /// The certificates that are shown to us, and the one that we show.
    pub certificates: Vec<Certificate>,
    /// The systems we call.
    pub destinations: Vec<Destination>,
    /// When the clock was last found to have jumped, and by how much.
    pub step: Option<Step>,
    /// Why the delivery stands still, if it does.
    pub standstill: Option<String>,
    /// Events that the journal has recorded as lost.
    pub losses: u64,
    /// What the last comparison of both systems at night came to.
    pub compared: Option<Compared>,
    /// Documents of ION that could not be used, the oldest first.
    pub unusable: Vec<Unusable>,
}

/// Documents of ION that could not be used, as one look found them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// When they were found.
    pub at_ms: UnixMs,
    /// How many.
    pub count: u64,
}

/// What a comparison of both systems came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// When it was begun.
    pub at_ms: UnixMs,
    /// How many somebody should look at.
    pub differing: u64,
    /// Whether all was compared.
    pub ended: Ended,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All was compared.
    Whole,
    /// Something stood in the way.
    Early,
}

/// Orders set aside for one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The cause.
    pub kind: CauseKind,
    /// How many.
    pub count: u64,
    /// Since when the oldest of them.
    pub oldest_ms: UnixMs,
}

/// What is known of the orders that come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// When the last one came, or when looking began.
    pub last_ms: Option<UnixMs>,
    /// How many would usually have come since, in thousandths; none while too little is learned.
    pub expected_milli: Option<u64>,
}

/// A volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What is free on it.
    pub free_bytes: u64,
    /// Below this nothing is accepted.
    pub floor_bytes: u64,
}

/// A certificate with an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is: `own`, `m3`, `xcart`.
    pub name: &'static str,
    /// When it ends.
    pub ends_ms: UnixMs,
}

/// A system that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name: `m3`, `xcart`.
    pub name: &'static str,
    /// Whether it can be reached.
    pub reach: Reach,
    /// How many seconds its clock is ahead of ours.
    pub clock_ahead_s: Option<i64>,
}

/// Whether a system can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing was asked since the start.
    Unknown,
    /// It answers.
    Reached,
    /// It is taken for away.
    Away,
}

/// A jump of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was found.
    pub at_ms: UnixMs,
    /// How far it went, forwards or backwards.
    pub by_s: i64,
}
