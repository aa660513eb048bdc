//! `causeway contract`: our notes on a system, tried on one, and nothing of it left behind.

use crate::{
    harness::{Plot, Scene, order_of},
    tools::{Said, causeway},
};
use causeway_sim::{
    m3::{Language, OrderEntryNames, Switches, Trouble},
    weather::Fault,
    xcart::{Legacy, Quirks},
};
use std::collections::BTreeMap;

const CUSTOMER: [&str; 2] = ["--customer", "Y30000"];

/// What each fact came to: its result and what was seen.
pub(crate) fn facts(said: &Said) -> BTreeMap<String, (String, String)> {
    let lines = said.out.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = |name: &str| row.get(name).unwrap().as_str().unwrap().to_owned();
        (of("name"), (of("result"), of("seen")))
    });
    lines.collect()
}

async fn scene(change: impl FnOnce(&mut Plot)) -> Scene {
    let mut plot = Plot::calm();
    change(&mut plot);
    begun(plot).await
}

async fn begun(plot: Plot) -> Scene {
    let scene = Box::pin(plot.set()).await;
    scene.m3.add_customer("Y30000", "Ada", "ada@example.com");
    scene
}

fn item(scene: &Scene) -> String {
    scene.shop.goods().into_iter().nth(1).unwrap().itno
}

/// Tries M3, with leave to do as much as `more` says.
async fn tried(scene: &Scene, more: &[&str]) -> Said {
    let item = item(scene);
    let head = ["contract", "m3", "--json", "--customer", "Y30000", "--item", &item];
    causeway(scene, &[&head[..], more].concat()).await
}

#[track_caller]
pub(crate) fn none_differ(said: &Said, told: &str, but: &[&str]) {
    assert_eq!(said.status, 0, "{told}: {}\n{}", said.out, said.err);
    for (name, (result, seen)) in facts(said) {
        let odd = result == "differs" && !but.contains(&name.as_str());
        assert!(!odd, "{told}: {name} differs: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_to_write_only_reads_are_sent_and_each_question_is_there() {
    let scene = scene(|_| {}).await;
    let said = causeway(&scene, &["contract", "m3"]).await;
    assert_eq!(said.status, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("nothing that the gateway relies on differs"), "{}", said.out);
    for section in 1..=10 {
        let section = format!("13.{section}");
        let row = |line: &&str| line.split([' ', ',']).any(|word| word == section);
        if section == "13.2" {
            // Only a Confirm can tell, and none is sent without leave.
            assert!(said.out.contains("writes are tried with --write"), "{}", said.out);
        } else {
            assert!(said.out.lines().any(|line| row(&line)), "{section}\n{}", said.out);
        }
    }
    let writes = ["Add", "Chg", "Del", "Confirm"];
    for seen in scene.m3.what_it_saw() {
        let wrote = writes.iter().any(|start| seen.transaction.starts_with(start));
        assert!(!wrote, "{seen:?}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_hold_on_every_kind_of_m3_and_the_answers_are_its_own() {
    for seed in 0..8 {
        let switches = Switches {
            locked_permille: 0,
            terminate_permille: 0,
            order_entry_names: OrderEntryNames::Batch,
            ..Switches::drawn(seed)
        };
        let as_400 = switches.nok_as_400;
        // The first version of the API answers in another form, and has no bulk calls.
        let first = seed >= 6;
        let version = if first { "api = \"v1\"\ncompany = 100" } else { "company = 100" };
        let mut plot = Plot::calm().edit("company = 100", version);
        plot.m3.switches = switches;
        let scene = begun(plot).await;
        let said = tried(&scene, &["--write"]).await;
        // Not a difference for orders: this M3 has no EXPORTMI, or checks values at Confirm only.
        none_differ(&said, &format!("seed {seed}"), &["export", "unknown-item"]);
        let facts = facts(&said);
        let nok = match (first, as_400) {
            (true, _) => "HTTP 200, at top level",
            (false, true) => "HTTP 400, at top level",
            (false, false) => "HTTP 200, in results",
        };
        assert!(facts["nok"].1.starts_with(nok), "{seed}: {:?}", facts["nok"]);
        assert!(scene.m3.books().temporary.is_empty(), "seed {seed}: all is taken away");
        assert!(scene.m3.books().orders.is_empty(), "seed {seed}: nothing was confirmed");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_leave_to_confirm_the_open_question_is_answered_and_the_order_deleted() {
    for refuses in [true, false] {
        let scene = scene(|plot| {
            plot.m3.switches.confirm_nok_when_checks_fail = refuses;
            plot.m3.switches.language = Language::De;
        })
        .await;
        let said = tried(&scene, &["--write", "--confirm"]).await;
        none_differ(&said, &format!("{refuses}"), &["export"]);
        let facts = facts(&said);
        let want = if refuses { "refused" } else { "taken, with STAT" };
        assert!(facts["confirm-empty"].1.starts_with(want), "{:?}", facts["confirm-empty"]);
        for name in ["confirm", "confirm-told", "confirm-again", "delete", "clean-up"] {
            assert_eq!(facts[name].0, "holds", "{name}: {}", facts[name].1);
        }
        assert!(said.err.contains("made real order"), "{}", said.err);
        let books = scene.m3.books();
        assert_eq!(books.orders.len(), 1, "{:?}", books.orders);
        assert_eq!(books.orders[0].orst, "90", "deleted");
        let open = books.temporary.iter().filter(|head| head.made.is_empty()).count();
        assert_eq!(open, 0, "{:?}", books.temporary);
        // The simulator books what the gateway itself must not do: here it is what is tried.
        let tried = ["repeated Confirm of", "DelHead of order"];
        let booked = books.violations.iter().zip(tried).all(|(one, start)| one.starts_with(start));
        assert!(booked && books.violations.len() == 2, "{:?}", books.violations);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_confirm_that_makes_one_more_order_is_found_and_both_are_deleted() {
    let scene = scene(|plot| plot.m3.switches.second_confirm_is_error = false).await;
    let said = tried(&scene, &["--write", "--confirm"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(facts(&said)["confirm-again"].0, "differs");
    let books = scene.m3.books();
    assert_eq!(books.orders.len(), 2);
    assert!(books.orders.iter().all(|order| order.orst == "90"), "{:?}", books.orders);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_told_by_the_exit_status_and_what_is_left_behind_by_name() {
    let scene = scene(|_| {}).await;
    scene.m3.trouble_next("OIS100MI", "DelBatchHead", Trouble::Refused("WST0301".to_owned()));
    let said = tried(&scene, &["--write"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.contains("STILL THERE"), "{}", said.err);
    let (result, seen) = facts(&said)["clean-up"].clone();
    assert!(result == "differs" && seen.contains("delete them in OIS275"), "{seen}");
    assert_eq!(scene.m3.books().temporary.len(), 1);
    let cut = Trouble::Way(Fault::CutAfter);
    scene.m3.trouble_next("OIS100MI", "AddBatchHead", cut);
    let lost = tried(&scene, &["--write"]).await;
    assert!(lost.err.contains("whose number was lost"), "{}\n{}", lost.out, lost.err);
    assert_eq!(scene.m3.books().temporary.len(), 1, "the lost one is found and deleted");
    scene.m3.outage(true);
    let away = causeway(&scene, &[&["contract", "m3"][..], &CUSTOMER].concat()).await;
    assert_eq!(away.status, 69, "{away:?}");
    scene.m3.outage(false);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_delivered_shows_codes_tracking_and_keys() {
    let scene = Plot::calm().begin().await;
    scene.m3.set_pace_ms(100);
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.stage(&number, "done").await;
    let real = scene.confirmed(&number).await;
    let asked = ["contract", "m3", "--json", "--order", &real.orno, "--customer", &real.cuno];
    let said = causeway(&scene, &asked).await;
    assert_eq!(said.status, 0, "{}\n{}", said.out, said.err);
    let facts = facts(&said);
    for name in ["keyed", "statuses", "pgrs", "tracking", "e-mail", "numbers"] {
        assert_eq!(facts[name].0, "holds", "{name}: {}", facts[name].1);
    }
    assert_eq!(facts["pgrs"].1, "90 in 1 deliveries");
    assert_eq!(facts["quota"].0, "not tried");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_on_the_way_is_waited_out_and_shown_with_its_headers() {
    let scene = scene(|_| {}).await;
    let many = Trouble::Way(Fault::TooMany { retry_after_s: Some(1) });
    scene.m3.trouble_next("EXPORTMI", "Select", many);
    let said = causeway(&scene, &["contract", "m3", "--json"]).await;
    assert_eq!(said.status, 0, "{}\n{}", said.out, said.err);
    let quota = facts(&said)["quota"].clone();
    assert_eq!(quota, ("holds".to_owned(), "1 answers of 429; retry-after: 1".to_owned()));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_about_the_shop_hold_on_every_kind_of_simulated_shop() {
    let odd = Quirks { module_fields: true, tracking_extension: true, ..Quirks::calm() };
    let broken = Quirks { broken_order_permille: 30, ..Quirks::calm() };
    // With the facts that such a shop answers in another way.
    let table: [(Quirks, &[&str]); 4] = [
        (Quirks::calm(), &["tracking"]),
        (odd, &[]),
        (broken, &["tracking"]),
        (Quirks::old(), &["tracking", "change-filter", "change-filter-works", "by-number"]),
    ];
    for (quirks, but) in table {
        let mut plot = Plot::calm().silent();
        plot.shop.quirks = quirks.clone();
        let scene = Box::pin(plot.set()).await;
        let numbers = scene.shop.place_orders(120);
        let id = scene.shop.booked(numbers.last().unwrap()).unwrap().id.to_string();
        let first = causeway(&scene, &["xcart", "get", "/products?itemsPerPage=1"]).await;
        let first: serde_json::Value = serde_json::from_str(&first.out).unwrap();
        let product = first.pointer("/0/id").unwrap().to_string();
        let head = ["contract", "xcart", "--json", "--write", "--order", &id];
        let asked = [&head[..], &["--product", &product]].concat();
        let said = causeway(&scene, &asked).await;
        none_differ(&said, &format!("{quirks:?}"), but);
        let facts = facts(&said);
        for name in but {
            assert_eq!(facts[*name].0, "differs", "{name}: {quirks:?}");
        }
        let untried = |(_, (result, _)): &(&String, &(String, String))| result == "not tried";
        let mut untried: Vec<_> = facts.iter().filter(untried).collect();
        // An order that breaks its page breaks the one of 200, too.
        untried.retain(|(name, _)| *name != "page-size" || quirks.broken_order_permille == 0);
        assert!(untried.is_empty(), "{untried:?}");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_to_write_the_shop_is_only_read_and_an_empty_one_is_no_fault() {
    let scene = Box::pin(Plot::calm().silent().set()).await;
    let said = causeway(&scene, &["contract", "xcart"]).await;
    assert_eq!(said.status, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("nothing that the gateway relies on differs"), "{}", said.out);
    assert!(said.out.contains("writes are tried with --write"), "{}", said.out);
    scene.shop.redeploy(true);
    let away = causeway(&scene, &["contract", "xcart"]).await;
    assert_eq!(away.status, 69, "{away:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_about_an_older_shop_hold_on_each_kind_and_its_answers_are_its_own() {
    let odd = &["date", "status-lists"][..];
    for (kind, but) in [(Legacy::calm(), &["date-range"][..]), (Legacy::odd(), odd)] {
        let mut plot = Plot::calm().silent();
        plot.shop.legacy = Some(kind.clone());
        let scene = Box::pin(plot.set()).await;
        let numbers = scene.shop.place_orders(12);
        let booked = scene.shop.booked(&numbers[0]).unwrap();
        let head = ["contract", "xcart", "--json", "--write", "--order", &booked.id.to_string()];
        let said = causeway(&scene, &[&head[..], &["--product", "11"]].concat()).await;
        none_differ(&said, &format!("{kind:?}"), but);
        let facts = facts(&said);
        for (name, (result, seen)) in &facts {
            let want = if but.contains(&name.as_str()) { "differs" } else { "holds" };
            assert_eq!(result, want, "{name}: {seen}");
        }
        let now = scene.shop.booked(&numbers[0]).unwrap();
        assert_eq!((now.history, now.updated_s), (booked.history, booked.updated_s));
        let read = causeway(&scene, &["contract", "xcart"]).await;
        assert!(read.out.contains("writes are tried with --write"), "{}", read.out);
        scene.close().await;
    }
}
