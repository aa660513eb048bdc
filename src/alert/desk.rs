//! What a person can ask of the alerts: list, mute, unmute.
//!
//! Guarantees: nothing is muted for ever.

use super::{life::Shown, outbox::Standing};
use crate::clock::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Seconds for which something can be muted at once.
pub(super) const MUTE_S_MAX: u64 = 30 * 86_400;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// What is raised, how the channels stand, and what is muted.
    List,
    /// Tell nobody of an alert for a time.
    Mute {
        /// What it is known by.
        key: String,
        /// How long, at most 30 days.
        for_s: u64,
    },
    /// Tell of it again.
    Unmute {
        /// What it is known by.
        key: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// How things stand.
    Listed(Listed),
    /// It is done.
    Done,
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What is raised.
    pub raised: Vec<Shown>,
    /// How each channel stands.
    pub channels: Vec<Standing>,
    /// What is muted, and until when.
    pub mutes: BTreeMap<String, UnixMs>,
}

/// A question with the place for its answer.
#[derive(Debug)]
pub struct Request {
    /// The question.
    pub ask: Ask,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Reply, String>>,
}
