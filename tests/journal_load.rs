//! A run of 2000 orders through journal and state: what group commit brings, and what it costs in
//! memory. Prints its numbers; run with `--nocapture`.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]
#![expect(clippy::print_stdout, reason = "the numbers are the result")]

use causeway::{
    journal::{self, Journal, NewEvent, Seq},
    state::{self, Batch, State},
};
use std::{fs, time::Instant};
use tokio::task::JoinSet;

/// Above what a run takes whatever the allocator, below what sled takes without reopening.
const GROWTH_KIB_MAX: u64 = 60 * 1024;

fn event(number: u64) -> NewEvent {
    let mut random = fastrand::Rng::with_seed(number);
    NewEvent {
        source: "xcart-webhook".to_owned(),
        topic: "order.created".to_owned(),
        entity: number.to_string(),
        delivery: [1; 32],
        received_ms: number,
        body: (0..8_000).map(|_| random.u8(b'a'..b'i')).collect(),
    }
}

fn journal_config() -> journal::Config {
    toml::from_str("free_bytes_min = 0").unwrap()
}

fn state_config() -> state::Config {
    toml::from_str("free_bytes_min = 0").unwrap()
}

fn anonymous_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Appends `count` events from `senders` at once; returns the rate in events a second.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
async fn rate(journal: &Journal, senders: u64, count: u64) -> f64 {
    let mut tasks = JoinSet::new();
    let model = event(1);
    let begun = Instant::now();
    for sender in 0..senders {
        let (journal, model) = (journal.clone(), model.clone());
        tasks.spawn(async move {
            for _ in (sender..count).step_by(usize::try_from(senders).unwrap()) {
                let _ = journal.append(model.clone()).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    f64::from(u32::try_from(count).unwrap()) / begun.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_share_their_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _committer) = Journal::open(folder.path(), &journal_config()).unwrap();
    let one = rate(&journal, 1, 300).await;
    let many = rate(&journal, 64, 1_920).await;
    println!("1 sender: {one:.0}/s, 64 senders: {many:.0}/s, ratio {:.1}", many / one);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_two_thousand_orders_keeps_its_memory() {
    let folder = tempfile::tempdir().unwrap();
    let before = anonymous_kib();
    let (journal, _j) = Journal::open(&folder.path().join("journal"), &journal_config()).unwrap();
    let (state, _s) = State::open(&folder.path().join("state"), &state_config()).unwrap();
    let opened = anonymous_kib();
    let mut peak = 0;
    let mut tasks = JoinSet::new();
    for number in 0..2_000 {
        if tasks.len() >= 32 {
            tasks.join_next().await.unwrap().unwrap();
        }
        let (journal, state) = (journal.clone(), state.clone());
        tasks.spawn(async move {
            let seq = journal.append(event(number)).await.unwrap().seq();
            let stored = journal.read(seq, 1, 1).unwrap();
            for step in 0..10_u8 {
                let mut batch = Batch::new();
                let key = format!("run/{number}");
                let body = stored.first().unwrap().body.iter().copied();
                let request: Vec<u8> = body.take(700).collect();
                batch.put(key, [vec![step], request].concat());
                state.commit(batch).await.unwrap();
            }
        });
        peak = peak.max(anonymous_kib());
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    journal.settle(Seq(2_001));
    println!(
        "anonymous memory: {before} KiB before, {opened} opened, {peak} at most, {} after; {:?}",
        anonymous_kib(),
        journal.stats()
    );
    assert!(peak - opened < GROWTH_KIB_MAX, "grew by {} KiB", peak - opened);
}
