//! What a compaction of the state costs in memory. It is the largest thing a gateway does that nobody
//! asked for, and what it takes from the heap glibc rarely gets back.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]
#![expect(clippy::print_stdout, reason = "the number is the result")]

use causeway::state::{self, Batch, State};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// What live in the state when it is compacted.
const CASES: u64 = 12_000;
/// Below what it takes in large batches through one handle (25 MiB), above what is needed: 1 or 16 MiB,
/// by what the opening before has left in the process.
const GROWTH_KIB_MAX: u64 = 22 * 1024;

fn resident_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn row(number: u64, times: usize) -> (Vec<u8>, Vec<u8>) {
    let mut random = fastrand::Rng::with_seed(number);
    let value = (0..random.usize(40..300) * times).map(|_| random.u8(..)).collect();
    (format!("r/SHOP-{number:08}").into_bytes(), value)
}

async fn write_all(state: &State, times: usize) {
    for first in (0..CASES).step_by(100) {
        let mut batch = Batch::new();
        for number in first..first + 100 {
            let (key, value) = row(number, times);
            batch.put(key, value);
        }
        state.commit(batch).await.unwrap();
    }
}

fn generation(folder: &Path) -> u64 {
    fs::read_to_string(folder.join("CURRENT")).unwrap().trim_end().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a test has a deadline")]
async fn a_compaction_takes_little_memory_however_much_lives() {
    let folder = tempfile::tempdir().unwrap();
    // No compaction yet.
    let large = "free_bytes_min = 0\ncompact_bytes_min = 1000000000\n";
    let (state, committer) = State::open(folder.path(), &toml::from_str(large).unwrap()).unwrap();
    // The file of long values stays as long when they become short.
    for times in [8, 1] {
        write_all(&state, times).await;
    }
    committer.stop();
    drop(state);

    let config: state::Config =
        toml::from_str("free_bytes_min = 0\ncompact_bytes_min = 1048576\n").unwrap();
    let (state, committer) = State::open(folder.path(), &config).unwrap();
    let before = generation(folder.path());
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let resident = resident_kib("VmRSS:");
    let deadline = Instant::now() + Duration::from_mins(1);
    while generation(folder.path()) == before {
        assert!(Instant::now() < deadline, "nothing was compacted");
        let mut batch = Batch::new();
        batch.put("c/poll", "again");
        state.commit(batch).await.unwrap();
    }
    committer.stop();
    let grown = resident_kib("VmHWM:").saturating_sub(resident);
    println!("a compaction of {CASES} cases took {grown} KiB");
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB");
}
