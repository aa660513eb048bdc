//! What of the polling outlives a restart: the watermark and what was handed out around it. Pure.

use super::{Found, KNOWN_LEN_MAX, OVERLAP_S};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Every change up to this second, less the overlap, was handed out.
    pub(super) watermark_s: i64,
    /// Changes before this one are none of ours.
    pub(super) from_s: i64,
    /// What was handed out and may be met again: time of the change, order id.
    pub(super) known: BTreeSet<(Option<i64>, u64)>,
}

impl Cursor {
    pub(super) fn since(from_s: i64) -> Self {
        Self { watermark_s: from_s, from_s, known: BTreeSet::new() }
    }

    /// Returns the time of the last change that was handed out, in seconds since 1970.
    pub fn watermark_s(&self) -> i64 {
        self.watermark_s
    }

    /// Where a poll begins that looks back so far behind the watermark.
    pub(super) fn after_s(&self, overlap_s: i64) -> i64 {
        self.watermark_s.saturating_sub(overlap_s).max(self.from_s)
    }

    pub(super) fn advance(&mut self, to_s: Option<i64>) {
        self.watermark_s = to_s.map_or(self.watermark_s, |to_s| to_s.max(self.watermark_s));
        let after_s = self.after_s(OVERLAP_S);
        self.known.retain(|(updated_s, _)| updated_s.is_none_or(|at| at >= after_s));
    }

    /// An order may be saved again in the second of its last change, after it was handed out: what
    /// is as new as the watermark is handed out once more, unless the last poll did so.
    pub(super) fn doubt_newest(&mut self, began_s: i64) {
        if self.watermark_s > began_s {
            let newest = Some(self.watermark_s);
            self.known.retain(|(updated_s, _)| *updated_s != newest);
        }
    }

    pub(super) fn remember(&mut self, found: &Found) -> bool {
        self.known.insert((found.updated_s, found.id))
    }

    pub(super) fn forget_surplus(&mut self) {
        while self.known.len() > KNOWN_LEN_MAX {
            self.known.pop_first();
        }
    }
}
