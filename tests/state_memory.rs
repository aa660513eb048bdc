//! What the state costs in memory: a compaction, which is the largest thing a gateway does that nobody
//! asked for, and orders that are loaded and saved in no order.
//!
//! Each story is a process of its own with the allocator's settings of the product (`cli::memory`).
//! Without them glibc moves its threshold for mapped blocks, and the tables that sled makes for each
//! handle, 6 MB of which next to nothing is touched, are zeroed on the heap: 16 MiB in one run and 1 in
//! the next.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]
#![expect(clippy::print_stdout, reason = "the number is the result")]

use causeway::{
    cli::memory,
    state::{self, Batch, State},
};
use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// What live in the state when it is compacted.
const CASES: u64 = 12_000;
/// What a compaction may take: 4 to 8 MiB were seen, and 19 to 22 in large batches through one handle.
const COMPACTION_KIB_MAX: u64 = 12 * 1024;
/// Orders that wait, and how many of them are loaded and saved.
const ORDERS: u64 = 8_000;
const STEPS: u32 = 3_000;
/// What loading and saving may take: 13 MiB were seen, and 22 through a handle that is never renewed.
const ORDERS_KIB_MAX: u64 = 18 * 1024;

/// Runs the test of this name in a process of its own; returns whether this is that process.
fn is_alone(name: &str) -> bool {
    const ALONE: &str = "CAUSEWAY_TEST_ALONE";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut again = Command::new(env::current_exe().unwrap());
    again
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .env(memory::VARIABLE, memory::VALUE);
    let ended = again.status().unwrap();
    assert!(ended.success(), "{name}: {ended}");
    false
}

fn resident_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What was used at most since it was asked for.
struct Watch(u64);

impl Watch {
    fn begin() -> Self {
        fs::write("/proc/self/clear_refs", "5").unwrap();
        Self(resident_kib("VmRSS:"))
    }

    fn grown_kib(&self) -> u64 {
        resident_kib("VmHWM:").saturating_sub(self.0)
    }
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..bytes).map(|_| random.u8(..)).collect()
}

fn row(number: u64, times: usize) -> (Vec<u8>, Vec<u8>) {
    let bytes = fastrand::Rng::with_seed(number).usize(40..300) * times;
    (format!("r/SHOP-{number:08}").into_bytes(), noise(number, bytes))
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
    if !is_alone("a_compaction_takes_little_memory_however_much_lives") {
        return;
    }
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
    let watch = Watch::begin();
    let deadline = Instant::now() + Duration::from_mins(1);
    while generation(folder.path()) == before {
        assert!(Instant::now() < deadline, "nothing was compacted");
        let mut batch = Batch::new();
        batch.put("c/poll", "again");
        state.commit(batch).await.unwrap();
    }
    committer.stop();
    let grown = watch.grown_kib();
    println!("a compaction of {CASES} cases took {grown} KiB");
    assert!(grown < COMPACTION_KIB_MAX, "{grown} KiB");
}

fn case(number: u64) -> [(Vec<u8>, usize); 3] {
    [("r", 400), ("o", 2_000), ("p", 1_500)]
        .map(|(table, bytes)| (format!("{table}/SHOP-{number:08}").into_bytes(), bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a test tells how long it took")]
async fn orders_loaded_and_saved_in_no_order_take_little_memory_however_many_wait() {
    if !is_alone("orders_loaded_and_saved_in_no_order_take_little_memory_however_many_wait") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config: state::Config = toml::from_str("free_bytes_min = 0\nballast_bytes = 0\n").unwrap();
    let (state, committer) = State::open(folder.path(), &config).unwrap();
    for first in (0..ORDERS).step_by(40) {
        let mut batch = Batch::new();
        for number in first..first + 40 {
            for (key, bytes) in case(number) {
                batch.put(key, noise(number, bytes));
            }
        }
        state.commit(batch).await.unwrap();
    }
    committer.stop();
    drop(state);
    let (state, committer) = State::open(folder.path(), &config).unwrap();
    let watch = Watch::begin();
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..STEPS {
        let number = random.u64(..ORDERS);
        for (key, bytes) in case(number) {
            assert_eq!(state.get(&key).unwrap().unwrap().len(), bytes);
        }
        let (key, bytes) = case(number).into_iter().next().unwrap();
        let mut batch = Batch::new();
        batch.put(key, noise(random.u64(..), bytes));
        state.commit(batch).await.unwrap();
    }
    committer.stop();
    let (grown, took) = (watch.grown_kib(), begun.elapsed());
    println!("{STEPS} of {ORDERS} orders took {grown} KiB and {took:?}");
    assert!(grown < ORDERS_KIB_MAX, "{grown} KiB");
}
