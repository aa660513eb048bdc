//! Documents of many megabytes: taken as extracts, with little memory, and their end.

use crate::{
    harness::{Scene, eventually},
    ion::{all_accepted, calm, counted, followed, ion, numbers, plot, set, ship, until_counted},
    process::Process,
    tools::causeway,
};
use causeway_sim::ion::{Encoding, Options, Way, bods};
use std::fs;

const MIB: usize = 1024 * 1024;

/// One that gives messages of its own, and waits long for an answer: this build is slow.
fn patient(seed: u64, way: Way) -> Options {
    Options { seed, answer_ms_max: 60_000, ..Options::calm(way) }
}

async fn begin() -> Scene {
    let mut scene = set(plot()).await;
    Box::pin(scene.start()).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_five_megabytes_is_woken_and_its_extract_can_be_read_later() {
    let mut scene = begin().await;
    let ways = [
        Way::Multipart(Encoding::None),
        Way::Multipart(Encoding::Base64),
        Way::Multipart(Encoding::Deflate),
        Way::BareByHeaders,
        Way::BareByQuery,
    ];
    for (seed, way) in (1..).zip(ways) {
        let (number, _) = followed(&scene).await;
        let real = ship(&scene, &number);
        let order = bods::sales_order(&real, 5).lengthened(5 * MIB);
        let mut ion = ion(&scene, patient(seed, way));
        all_accepted(&mut ion, std::slice::from_ref(&order)).await;
        let told = async || (scene.shop.booked(&number)?.shipping_status == "S").then_some(());
        eventually("the shop to be told that it has left", told).await;
        // An older variation of it, as large, is known to be old.
        let before = bods::sales_order(&real, 4).lengthened(2 * MIB);
        all_accepted(&mut ion, &[before]).await;
    }
    let count = u64::try_from(ways.len()).unwrap();
    until_counted(&scene, "SalesOrder", "order_woken", count).await;
    let stale = "causeway_events_received_total{source=\"ion\",result=\"Stale\"} 5";
    assert!(numbers(&scene).await.unwrap().contains(stale));
    scene.stop().await;
    let kept = causeway(&scene, &["journal", "export", "--from", "1"]).await;
    let whole = bods::sales_order(&scene.m3.books().orders[0], 5).lengthened(5 * MIB).xml();
    let bodies: Vec<&str> = kept.out.lines().filter(|line| line.contains("extract_of")).collect();
    assert_eq!(bodies.len(), ways.len(), "{}", kept.err);
    for body in &bodies {
        let row: serde_json::Value = serde_json::from_str(body).unwrap();
        let text = row["body"].as_str().unwrap();
        assert!(text.len() < 3_000, "{} bytes are kept", text.len());
        let head: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let of = &head["extract_of"];
        assert!(of["bytes"].as_u64().unwrap() >= u64::try_from(whole.len()).unwrap() / 2, "{of}");
        assert_eq!(of["sha256"].as_str().unwrap().len(), 64);
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_the_limit_is_refused_with_413_and_the_json_form_keeps_its_own() {
    let mut scene = begin().await;
    let ion = calm(&scene);
    // The connection may be closed while the body is still on its way: then nobody hears the 413.
    let is_413 = |told: &Result<(u16, String), String>| {
        told.as_ref().map_or(true, |(status, _)| *status == 413)
    };
    let huge = vec![b'x'; 51 * MIB];
    let refused = ion.give("v3/message/multipart", "application/xml", huge).await;
    assert!(is_413(&refused), "{refused:?}");
    let json = vec![b' '; 2 * MIB];
    let refused = ion.give("v2/message", "application/json", json).await;
    assert!(is_413(&refused), "{refused:?}");
    let counted_twice = "causeway_events_received_total{source=\"ion\",result=\"TooLarge\"} 2";
    assert!(numbers(&scene).await.unwrap().contains(counted_twice));
    // Of a large one what is refused is refused while it comes.
    let wrong = bods::item("A", 1).lengthened(3 * MIB).xml().replace("SyncItem", "ProcessItem");
    let bare = "v3/message/multipart?documentName=Sync.ItemMaster&messageId=m";
    let refused = ion.give(bare, "application/xml", wrong.into_bytes()).await;
    assert!(refused.as_ref().map_or(true, |(status, _)| *status == 400), "{refused:?}");
    all_accepted(&mut calm(&scene), &[bods::item("A", 1)]).await;
    until_counted(&scene, "ItemMaster", "item", 1).await;
    scene.stop().await;
    // Where an operator allows less, less is taken.
    let settings = fs::read_to_string(scene.config()).unwrap();
    let less = "[intake.ion]\nlimits = { large_bytes_max = 2000000 }\n";
    fs::write(scene.config(), settings.replace("[intake.ion]\n", less)).unwrap();
    Box::pin(scene.start()).await;
    let large = bods::item("B", 1).lengthened(3 * MIB).xml().into_bytes();
    let refused = calm(&scene).give(bare, "application/xml", large).await;
    assert!(is_413(&refused), "{refused:?}");
    scene.close().await;
}

/// The most memory that a process has had, in kibibytes.
fn peak_kib(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_fifteen_megabytes_cost_no_memory_in_proportion() {
    let scene = set(plot()).await;
    let process = Process::start(&scene).await;
    let item = |n: usize, bytes: usize| bods::item(&format!("ITEM-{n}"), 1).lengthened(bytes);
    let packed = |seed, how| ion(&scene, patient(seed, Way::Multipart(how)));
    // What one of two megabytes costs is paid first: buffers, threads, pages of the allocator.
    let (mut one, mut other) = (packed(1, Encoding::None), packed(2, Encoding::Deflate));
    let small = [item(0, 2 * MIB), item(1, 2 * MIB)];
    let (first, second) = small.split_at(1);
    tokio::join!(all_accepted(&mut one, first), all_accepted(&mut other, second));
    let before = peak_kib(&process);
    let large = [item(2, 15 * MIB), item(3, 15 * MIB)];
    let (first, second) = large.split_at(1);
    tokio::join!(all_accepted(&mut one, first), all_accepted(&mut other, second));
    let grown = peak_kib(&process).saturating_sub(before);
    assert!(grown < 8 * 1024, "two of 15 MiB at a time took {grown} KiB more");
    until_counted(&scene, "ItemMaster", "item", 4).await;
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_large_ones_than_places_are_told_to_come_again_and_all_arrive() {
    let few = "[intake.ion]\nlimits = { large_at_once_max = 1 }\n";
    let mut scene = set(plot().edit("[intake.ion]\n", few)).await;
    Box::pin(scene.start()).await;
    let often = |seed| {
        let way = Way::BareByHeaders;
        Options { tries_max: 12, backoff_ms: 30, ..patient(seed, way) }
    };
    let order = |n: usize| [bods::item(&format!("ITEM-{n}"), 1).lengthened(3 * MIB)];
    let [mut one, mut two, mut three] = [1, 2, 3].map(|seed| ion(&scene, often(seed)));
    let (first, second, third) = (order(1), order(2), order(3));
    let (first, second, third) = tokio::join!(
        all_accepted(&mut one, &first),
        all_accepted(&mut two, &second),
        all_accepted(&mut three, &third)
    );
    let seen = [first, second, third].map(|report| report.statuses);
    assert!(seen.iter().all(|statuses| statuses.keys().all(|s| [0, 200, 503].contains(s))));
    until_counted(&scene, "ItemMaster", "item", 3).await;
    assert_eq!(counted(&scene, "unread", "not_understood").await, 0);
    scene.close().await;
}
