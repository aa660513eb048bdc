//! A great deal at once, or one that spoils: what waits is on the disk, and nobody waits for
//! somebody else.

use crate::harness::{Plot, eventually, key, order_of, within};
use causeway::{
    delivery::rows::{self, Due},
    flow::run::Need,
    journal::{self, Journal, NewEvent},
    state::{self, Batch, State},
};
use causeway_sim::{m3::Trouble, xcart::OrderSpec};
use std::{fs, time::Duration};

const PROGRAM: &str = "OIS100MI";

#[tokio::test(flavor = "multi_thread")]
async fn few_confirmations_run_at_once_and_others_go_on_meanwhile() {
    let mut plot = Plot::calm().edit("poll_s = 1", "poll_s = 1\n\n[delivery]\nlanes_max = 4");
    plot.m3.confirm_ms = 900..=900;
    let scene = plot.begin().await;
    let numbers: Vec<_> = (0..8).map(|_| scene.shop.place(order_of(&scene.shop, 1))).collect();
    for number in &numbers {
        scene.confirmed(number).await;
    }
    let saw = scene.m3.what_it_saw();
    let at = |transaction: &str| -> Vec<u64> {
        let of = saw.iter().filter(|seen| seen.transaction == transaction);
        of.map(|seen| seen.at_ms).collect()
    };
    let mut confirms = at("Confirm");
    confirms.sort_unstable();
    assert_eq!(confirms.len(), 8);
    // Two at once: the third waits until the first has ended.
    for three in confirms.windows(3) {
        assert!(three[2] - three[0] >= 800, "{confirms:?}");
    }
    // All were read back long before the last was confirmed: the lanes were free.
    let mut heads = at("AddBatchHead");
    heads.sort_unstable();
    assert!(heads[7] + 1_000 < confirms[7], "{heads:?} {confirms:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_m3_is_away_waiting_orders_are_not_tried_one_by_one() {
    let away = ("away_ms_first = 50, away_ms_max = 300", "away_ms_first = 500, away_ms_max = 500");
    let scene = Plot::calm().edit(away.0, away.1).begin().await;
    scene.m3.outage(true);
    let numbers: Vec<_> = (0..40).map(|_| scene.shop.place(order_of(&scene.shop, 1))).collect();
    for number in &numbers {
        let waits = async || scene.shown(number).await.and_then(|shown| shown.waits);
        eventually("a reason", waits).await;
    }
    let mut untried = 0;
    for number in &numbers {
        let shown = scene.shown(number).await.unwrap();
        let waits = shown.waits.unwrap_or_default();
        untried += usize::from(waits.contains("is away or has asked"));
    }
    assert!(untried >= 20, "only {untried} of 40 wait for M3 without having been tried");
    assert!(scene.listed().await.is_empty());
    scene.m3.outage(false);
    for number in &numbers {
        scene.confirmed(number).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_row_is_damaged_and_one_that_is_slow_hold_up_nobody() {
    let mut scene = Plot::calm().begin().await;
    scene.stop().await;
    {
        let folder = scene.state().join("state");
        let (state, _committer) = State::open(&folder, &state::Config::house()).unwrap();
        let mut batch = Batch::new();
        for n in 0..5 {
            let ill = rows::CaseKey::typed(&format!("X1ILL{n}"));
            batch.put(ill.run(), vec![1, 255, 255, 255]);
            batch.put(ill.due(Due { need: Need::Shop, at_ms: 1 }), Vec::new());
        }
        state.commit(batch).await.unwrap();
    }
    scene.start().await;
    scene.m3.trouble_next(PROGRAM, "AddBatchHead", Trouble::Slow(4_000));
    let slow = scene.shop.place(OrderSpec::simple());
    let begun = async || {
        let saw = scene.m3.what_it_saw();
        saw.iter().any(|seen| seen.transaction == "LstBatchHead").then_some(())
    };
    eventually("the slow order to be begun", begun).await;
    let quick: Vec<_> = (0..6).map(|_| scene.shop.place(order_of(&scene.shop, 1))).collect();
    for number in &quick {
        let real = async || scene.real(number).pop();
        within(Duration::from_secs(15), "the others to go on", real).await;
    }
    scene.confirmed(&slow).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_wait_for_an_m3_that_is_away_keep_no_event_in_the_journal() {
    const ORDERS: usize = 260;
    let edit = "poll_s = 1\n\n[delivery]\nwaiting_max = 100";
    let scene = Plot::calm().edit("poll_s = 1", edit).begin().await;
    scene.m3.outage(true);
    let numbers: Vec<_> = (0..ORDERS).map(|_| scene.shop.place(order_of(&scene.shop, 1))).collect();
    for number in &numbers {
        let read = async || scene.shown(number).await.filter(|shown| shown.total.is_some());
        within(Duration::from_mins(1), "the order to be read", read).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_hundred_thousand_events_stays_on_the_disk() {
    const EVENTS: u64 = 100_000;
    const WAITING_MAX: usize = 1_000;
    let edit = format!("poll_s = 60\n\n[delivery]\nwaiting_max = {WAITING_MAX}");
    let mut scene = Plot::calm().edit("poll_s = 1", &edit).silent().set().await;
    backlog(&scene.state().join("journal"), EVENTS).await;
    scene.shop.outage(true);
    let before = resident_kib();
    scene.start().await;
    let asked = async || (scene.shop.what_it_saw().len() > 3).then_some(());
    eventually("the gateway to be at it", asked).await;
    let mut grown = 0;
    let settled = async || {
        grown = grown.max(resident_kib().saturating_sub(before));
        (scene.shop.what_it_saw().len() > 40).then_some(())
    };
    eventually("the gateway to have tried for a while", settled).await;
    scene.stop().await;
    assert!(grown < 64 * 1024, "{grown} KiB more in memory");
    let folder = scene.state().join("state");
    let (state, _committer) = State::open(&folder, &state::Config::house()).unwrap();
    let due: usize = Need::ALL
        .iter()
        .map(|need| state.scan(rows::due_until(*need, u64::MAX - 1), 10_000).unwrap().len())
        .sum();
    assert!((WAITING_MAX / 2..WAITING_MAX + 200).contains(&due), "{due} cases wait");
    drop(state);
    scene.close().await;
}

/// Fills a journal with events of as many orders.
async fn backlog(folder: &std::path::Path, events: u64) {
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let (journal, _committer) = Journal::open(folder, &journal::Config::house()).unwrap();
    let event = |n: u64| NewEvent {
        source: "xcart-poll".to_owned(),
        topic: "order.updated".to_owned(),
        entity: format!("id:{n}"),
        delivery: [7; 32],
        received_ms: n,
        body: b"{}".to_vec(),
    };
    let all: Vec<u64> = (1..=events).collect();
    for some in all.chunks(1_000) {
        let receipts = journal.append_all(some.iter().map(|n| event(*n)).collect()).await.unwrap();
        assert_eq!(receipts.len(), some.len());
    }
}

/// Memory of this process that is in RAM.
fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_m3_asks_for_uses_up_no_attempts_and_leaves_the_shop_alone() {
    let scene = Plot::calm().edit("attempts = 20", "attempts = 2").begin().await;
    let limit = causeway_sim::weather::Fault::TooMany { retry_after_s: Some(2) };
    for _ in 0..3 {
        scene.m3.fault_next(PROGRAM, "AddBatchHead", limit);
    }
    let first = scene.shop.place(order_of(&scene.shop, 1));
    let limited = async || {
        let shown = scene.shown(&first).await?;
        shown.waits.filter(|why| why.contains("pause") || why.contains("RateLimited"))
    };
    eventually("the pause", limited).await;
    // The shop is asked meanwhile: the next order comes as far as M3.
    let second = scene.shop.place(order_of(&scene.shop, 1));
    let read = async || scene.shown(&second).await.filter(|shown| shown.total.is_some());
    eventually("the second order to be read", read).await;
    for number in [&first, &second] {
        assert_eq!(scene.confirmed(number).await.cuor, key(number));
    }
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}
