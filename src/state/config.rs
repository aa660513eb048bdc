//! What an operator may set about the state. Pure.

use super::row::VALUE_BYTES_CEILING;
use serde::Deserialize;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const MIB_DISK: u64 = 1024 * 1024;

/// The state's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Commits that are synced in one go.
    #[serde(default = "batch_commits_max")]
    pub batch_commits_max: usize,
    /// Bytes that are synced in one go; one larger commit is still written whole.
    #[serde(default = "batch_bytes_max")]
    pub batch_bytes_max: usize,
    /// Commits that may wait to be written.
    #[serde(default = "queue_len_max")]
    pub queue_len_max: usize,
    /// Bytes that may wait to be written, and the most one commit may bring.
    #[serde(default = "queue_bytes_max")]
    pub queue_bytes_max: usize,
    /// The largest value, at most 16 MiB.
    #[serde(default = "value_bytes_max")]
    pub value_bytes_max: usize,
    /// Below this much free space nothing is accepted; less than the journal's, so that what the
    /// journal holds can still be finished.
    #[serde(default = "free_bytes_min")]
    pub free_bytes_min: u64,
    /// Room that is held in a file of its own, to finish work and to open on a full volume; 0: none.
    #[serde(default = "ballast_bytes")]
    pub ballast_bytes: u64,
    /// A file larger than this, and than four times what lives in it, is compacted.
    #[serde(default = "compact_bytes_min")]
    pub compact_bytes_min: u64,
    /// A database handle through which this much went is reopened, which bounds its memory.
    #[serde(default = "handle_bytes_max")]
    pub handle_bytes_max: u64,
}

fn batch_commits_max() -> usize {
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

fn value_bytes_max() -> usize {
    MIB
}

fn free_bytes_min() -> u64 {
    32 * MIB_DISK
}

fn ballast_bytes() -> u64 {
    32 * MIB_DISK
}

fn compact_bytes_min() -> u64 {
    8 * MIB_DISK
}

fn handle_bytes_max() -> u64 {
    2 * MIB_DISK
}

impl Config {
    /// What an absent table means.
    pub fn house() -> Self {
        Self {
            batch_commits_max: batch_commits_max(),
            batch_bytes_max: batch_bytes_max(),
            queue_len_max: queue_len_max(),
            queue_bytes_max: queue_bytes_max(),
            value_bytes_max: value_bytes_max(),
            free_bytes_min: free_bytes_min(),
            ballast_bytes: ballast_bytes(),
            compact_bytes_min: compact_bytes_min(),
            handle_bytes_max: handle_bytes_max(),
        }
    }

    /// Says what is wrong with these limits, if anything.
    pub fn check(&self) -> Result<(), &'static str> {
        let wrong = [
            (self.batch_commits_max == 0, "batch_commits_max must be at least 1"),
            (self.batch_bytes_max == 0, "batch_bytes_max must be at least 1"),
            (self.queue_len_max == 0, "queue_len_max must be at least 1"),
            (
                self.queue_bytes_max < self.value_bytes_max.saturating_add(KIB),
                "queue_bytes_max must exceed value_bytes_max by 1 KiB",
            ),
            (self.value_bytes_max > VALUE_BYTES_CEILING, "value_bytes_max must not exceed 16 MiB"),
            (self.compact_bytes_min < MIB_DISK, "compact_bytes_min must be at least 1 MiB"),
            (self.handle_bytes_max < MIB_DISK / 4, "handle_bytes_max must be at least 256 KiB"),
        ];
        wrong.into_iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, why)| Err(why))
    }
}
