//! What an operator may set about the journal. Pure.

use super::record::EVENT_BYTES_CEILING;
use serde::Deserialize;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const MIB_DISK: u64 = 1024 * 1024;

/// The journal's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A segment that has grown to this is sealed and another begun; at least 1 MiB.
    #[serde(default = "segment_bytes_max")]
    pub segment_bytes_max: u64,
    /// Events that are synced in one go.
    #[serde(default = "batch_events_max")]
    pub batch_events_max: usize,
    /// Bytes that are synced in one go; one larger call is still written whole.
    #[serde(default = "batch_bytes_max")]
    pub batch_bytes_max: usize,
    /// Calls that may wait to be written.
    #[serde(default = "queue_len_max")]
    pub queue_len_max: usize,
    /// Bytes that may wait to be written, and the most one call may bring.
    #[serde(default = "queue_bytes_max")]
    pub queue_bytes_max: usize,
    /// The largest body, at most 16 MiB.
    #[serde(default = "event_bytes_max")]
    pub event_bytes_max: usize,
    /// Below this much free space nothing is accepted; absent: two segments.
    pub free_bytes_min: Option<u64>,
    /// Settled segments are kept for so many hours, to look at them; 0: not for their age.
    #[serde(default)]
    pub keep_age_h: u64,
    /// Settled segments are kept up to so many bytes, to look at them; 0: not for their size. With
    /// both, one is removed when either is exceeded.
    #[serde(default)]
    pub keep_bytes: u64,
    /// A database handle through which this much went is reopened, which bounds its memory.
    #[serde(default = "handle_bytes_max")]
    pub handle_bytes_max: u64,
}

fn segment_bytes_max() -> u64 {
    64 * MIB_DISK
}

fn batch_events_max() -> usize {
    256
}

fn batch_bytes_max() -> usize {
    MIB
}

fn queue_len_max() -> usize {
    1024
}

fn queue_bytes_max() -> usize {
    4 * MIB
}

fn event_bytes_max() -> usize {
    MIB
}

fn handle_bytes_max() -> u64 {
    2 * MIB_DISK
}

impl Config {
    /// What an absent table means.
    pub fn house() -> Self {
        Self {
            segment_bytes_max: segment_bytes_max(),
            batch_events_max: batch_events_max(),
            batch_bytes_max: batch_bytes_max(),
            queue_len_max: queue_len_max(),
            queue_bytes_max: queue_bytes_max(),
            event_bytes_max: event_bytes_max(),
            free_bytes_min: None,
            keep_age_h: 0,
            keep_bytes: 0,
            handle_bytes_max: handle_bytes_max(),
        }
    }

    /// Returns below how much free space nothing is accepted.
    pub fn free_bytes_min(&self) -> u64 {
        self.free_bytes_min.unwrap_or_else(|| self.segment_bytes_max.saturating_mul(2))
    }

    /// Returns whether settled segments are kept for a while.
    pub(crate) fn keeps_settled(&self) -> bool {
        self.keep_age_h > 0 || self.keep_bytes > 0
    }

    /// Says what is wrong with these limits, if anything.
    pub fn check(&self) -> Result<(), &'static str> {
        let wrong = [
            (self.segment_bytes_max < MIB_DISK, "segment_bytes_max must be at least 1 MiB"),
            (self.batch_events_max == 0, "batch_events_max must be at least 1"),
            (self.batch_bytes_max == 0, "batch_bytes_max must be at least 1"),
            (self.queue_len_max == 0, "queue_len_max must be at least 1"),
            (
                self.queue_bytes_max < self.event_bytes_max.saturating_add(64 * KIB),
                "queue_bytes_max must exceed event_bytes_max by 64 KiB",
            ),
            (self.event_bytes_max > EVENT_BYTES_CEILING, "event_bytes_max must not exceed 16 MiB"),
            (self.handle_bytes_max < MIB_DISK / 4, "handle_bytes_max must be at least 256 KiB"),
        ];
        wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, why)| Err(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_accepted_and_nonsense_is_refused_by_name() {
        let table = [
            ("", None),
            ("segment_bytes_max = 1048576", None),
            ("segment_bytes_max = 1048575", Some("segment_bytes_max")),
            ("batch_events_max = 0", Some("batch_events_max")),
            ("queue_len_max = 0", Some("queue_len_max")),
            ("event_bytes_max = 4194304", Some("queue_bytes_max")),
            ("handle_bytes_max = 1", Some("handle_bytes_max")),
            ("segment_byte_max = 1048576", Some("segment_byte_max")),
        ];
        for (text, want) in table {
            let got = match toml::from_str::<Config>(text) {
                Ok(config) => config.check().err().map(str::to_owned),
                Err(error) => Some(error.to_string()),
            };
            match want {
                None => assert_eq!(got, None, "{text}"),
                Some(name) => assert!(got.is_some_and(|got| got.contains(name)), "{text}"),
            }
        }
    }
}
