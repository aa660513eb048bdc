//! The whole gateway in one thread and simulated time, with everything going wrong from a seed.
//!
//! The reception, the poller, the dispatcher with its workers and the connectors are the product's;
//! shop and M3 are the simulators'; network, disk and clock are simulated, and time jumps to the
//! next thing that happens. Each run ends in calm, and the invariants of the order protocol are
//! judged from the books of the two systems, while it runs and at its end.
//!
//! ```text
//! CAUSEWAY_SEEDS=1..100000 cargo nextest run --test simulation every_seed
//! CAUSEWAY_SEEDS=4711..4711 CAUSEWAY_TRACE=1 cargo nextest run --test simulation every_seed
//! ```

#![expect(clippy::unwrap_used, reason = "a simulation that cannot be set up has failed")]
#![expect(clippy::print_stdout, reason = "the count of seeds is the result")]

#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/life.rs"]
mod life;
#[path = "simulation/line.rs"]
mod line;
#[path = "simulation/scene.rs"]
mod scene;
#[path = "simulation/story.rs"]
mod story;
#[path = "simulation/watch.rs"]
mod watch;

use chance::{Bug, Plan};
use std::{
    env,
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::Instant,
};
use story::Report;

/// Seeds that are tried when nobody asks for others.
const SEEDS: RangeInclusive<u64> = 1..=30;
/// Seeds that failed once; each stands for a mistake that was in the product.
///
/// 3015: an event with an id that came while its case was read by a number lost the id.
const FOUND: [u64; 1] = [3015];
/// Within so many seeds a planted bug must show.
const BUG_SEEDS_MAX: u64 = 60;
/// Failing seeds that are told before the rest is left alone.
const FAILURES_MAX: usize = 5;

fn play(plan: Plan) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(Box::pin(story::play(plan)))
}

#[expect(clippy::disallowed_methods, reason = "a test is told its seeds by the environment")]
fn seeds() -> RangeInclusive<u64> {
    let Some(text) = env::var("CAUSEWAY_SEEDS").ok() else { return SEEDS };
    let (from, to) = text.split_once("..").unwrap_or((&text, &text));
    from.parse().unwrap()..=to.trim_start_matches('=').parse().unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is told")]
fn every_seed_ends_with_each_order_in_m3_exactly_once_and_equal() {
    let (seeds, begun) = (seeds(), Instant::now());
    let next = AtomicU64::new(*seeds.start());
    let failed = AtomicUsize::new(0);
    let (calls, crashes, created) = (AtomicU64::new(0), AtomicU64::new(0), AtomicUsize::new(0));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() || failed.load(Ordering::Relaxed) >= FAILURES_MAX {
                        return;
                    }
                    let report = play(Plan::drawn(seed));
                    calls.fetch_add(report.calls, Ordering::Relaxed);
                    crashes.fetch_add(u64::from(report.crashes), Ordering::Relaxed);
                    created.fetch_add(report.created, Ordering::Relaxed);
                    if env::var_os("CAUSEWAY_TRACE").is_some() {
                        println!("{}", report.trace);
                    }
                    if !report.wrong.is_empty() {
                        failed.fetch_add(1, Ordering::Relaxed);
                        println!("seed {seed} FAILS:\n  {}", report.wrong.join("\n  "));
                    }
                }
            });
        }
    });
    println!(
        "seeds {seeds:?}: {} orders in M3, {} calls to M3, {} crashes, {:.0} s",
        created.load(Ordering::Relaxed),
        calls.load(Ordering::Relaxed),
        crashes.load(Ordering::Relaxed),
        begun.elapsed().as_secs_f64(),
    );
    let failed = failed.load(Ordering::Relaxed);
    assert_eq!(failed, 0, "try one alone: CAUSEWAY_SEEDS=N..N CAUSEWAY_TRACE=1");
}

#[test]
fn seeds_that_failed_once_hold() {
    for seed in FOUND {
        let report = play(Plan::drawn(seed));
        assert!(report.wrong.is_empty(), "seed {seed}: {:?}", report.wrong);
    }
}

#[test]
fn each_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (1..=BUG_SEEDS_MAX).find_map(|seed| {
            let report = play(Plan::drawn(seed).with(bug));
            report.wrong.first().map(|what| format!("seed {seed}: {what}"))
        });
        println!("{bug:?} is found by {found:?}");
        assert!(found.is_some(), "{bug:?} is not found");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 1..=5 {
        let (one, two) = (play(Plan::drawn(seed)), play(Plan::drawn(seed)));
        assert_eq!(one.calls, two.calls, "seed {seed}");
        for (a, b) in one.trace.lines().zip(two.trace.lines()) {
            assert_eq!(a, b, "seed {seed}");
        }
    }
}
