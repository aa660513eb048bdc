//! The initial load: from a shop that differs to one that is equal, planned, at a rate, halted and
//! resumed.

use crate::{
    harness::{PATIENCE, Plot, Scene, eventually, order_of, within},
    process::Process,
    tools::{Said, causeway},
};
use causeway_sim::{
    catalogue::Item,
    m3::{ListedPrice, PriceKey},
    weather::Fault,
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde_json::{Value, json};

const NEW: usize = 10;

/// All flows, which only watch.
fn plot() -> Plot {
    let tables = r#"[stock]
warehouses = ["001"]
poll_s = 1
[prices]
list = "WEB"
currency = "EUR"
poll_s = 1
[prices.wholesale]
quiet_s = 2
[items]
poll_s = 1
name = ["FUDS", "ITDS"]
weight = { field = "NEWE", factor = "1000" }
update = ["weight"]
create = { where = { STAT = ["20"], ITGR = ["NEW"] } }

[order_to_cash]"#;
    Plot::calm().edit("[order_to_cash]", tables)
}

/// New items, another price for each item, and a level for one.
fn differ(scene: &Scene) {
    for number in 0..NEW {
        let name = format!("NEW-{number}");
        let item = Item {
            sku: name.clone(),
            itno: name.clone(),
            alias: None,
            name: name.clone(),
            price: Decimal::from(12),
            status: "20".to_owned(),
        };
        scene.m3.add_item(&item);
        scene.m3.set_item_field(&name, "ITGR", "NEW");
        scene.m3.set_stock("001", &name, Decimal::from(7));
    }
    for item in scene.shop.goods() {
        let price = ListedPrice::plain(item.price + Decimal::ONE);
        scene.m3.set_listed_price(PriceKey::of("WEB", &item.itno, "20200101"), price);
    }
    let first = scene.shop.goods().swap_remove(0);
    let level = PriceKey { quantity: 10, ..PriceKey::of("WEB", &first.itno, "20200101") };
    scene.m3.set_listed_price(level, ListedPrice::plain(Decimal::from(5)));
}

/// What lacks in the shop.
fn lacks(scene: &Scene) -> Vec<String> {
    let mut lacks = Vec::new();
    for item in scene.shop.goods() {
        let (_, av02) = scene.m3.stock("001", &item.itno).unwrap_or_default();
        let pieces = av02.floor().max(Decimal::ZERO).to_i64();
        if scene.shop.amount(&item.sku) != pieces {
            lacks.push(format!("pieces of {}", item.sku));
        }
        if scene.shop.price(&item.sku) != Some(item.price + Decimal::ONE) {
            lacks.push(format!("price of {}", item.sku));
        }
    }
    for number in 0..NEW {
        let name = format!("NEW-{number}");
        let product = scene.shop.product(&name);
        if product.as_ref().map(|it| (it["amount"].clone(), it["price"].clone()))
            != Some((json!(7), json!(12.0)))
        {
            lacks.push(format!("{name}: {product:?}"));
        }
    }
    let first = scene.shop.goods().swap_remove(0);
    if scene.shop.wholesale(&first.sku) != [(10, None, Decimal::from(5))] {
        lacks.push("wholesale".to_owned());
    }
    lacks
}

async fn equal(scene: &Scene) {
    let look = async || lacks(scene).is_empty().then_some(());
    let done = tokio::time::timeout(2 * PATIENCE, within(3 * PATIENCE, "", look)).await;
    assert!(done.is_ok(), "{:?} {:?}", lacks(scene), load(scene, &["status"]).await);
}

/// Calls that could change something in the shop.
fn writes(scene: &Scene) -> usize {
    scene.shop.what_it_saw().iter().filter(|seen| seen.method != "GET").count()
}

async fn load(scene: &Scene, args: &[&str]) -> Said {
    causeway(scene, &[&["load"], args].concat()).await
}

async fn done(scene: &Scene, args: &[&str]) {
    let said = load(scene, args).await;
    assert_eq!(said.status, 0, "{args:?}: {said:?}");
}

async fn status(scene: &Scene) -> Value {
    let said = load(scene, &["status", "--json"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

async fn stage(scene: &Scene, wants: &str) -> Value {
    let look = async || {
        let status = status(scene).await;
        (status.pointer("/load/stage") == Some(&json!(wants))).then_some(status)
    };
    within(2 * PATIENCE, wants, look).await
}

/// Waits until the plan has so many new products and different prices.
async fn planned(scene: &Scene) -> Vec<Value> {
    let goods = scene.shop.goods().len();
    let look = async || {
        let said = load(scene, &["plan", "--as", "json"]).await;
        let lines: Vec<Value> =
            said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let count = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
        let whole = count("product") == NEW && count("price") == goods;
        (said.status == 0 && whole && count("wholesale") == 1).then_some(lines)
    };
    eventually("the plan to be whole", look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_writes_nothing_and_a_start_writes_all_of_it_once() {
    let scene = plot().set().await;
    differ(&scene);
    scene.shop.add_product("HAND-MADE", "M3 does not know it");
    let old = scene.shop.place(order_of(&scene.shop, 1));
    scene.shop.spread_orders(40 * 86_400);
    let mut scene = scene;
    Box::pin(scene.start()).await;
    let lines = planned(&scene).await;
    let skipped = lines.iter().find(|line| line["sku"] == "HAND-MADE").unwrap();
    assert!(
        skipped["kind"] == "skip" && skipped["why"].as_str().unwrap().contains("M3 knows neither")
    );
    let plan = load(&scene, &["plan", "--list"]).await;
    for text in
        ["products to be made", "skipped, and why", "are not taken over: 1", &format!("X1{old}")]
    {
        assert!(plan.out.contains(text), "{text}: {}", plan.out);
    }
    let csv = load(&scene, &["plan", "--as", "csv", "--only", "items"]).await;
    assert!(
        csv.out.contains("product,NEW-3,NEW-3,is new") && !csv.out.contains("price,"),
        "{csv:?}"
    );
    assert_eq!(writes(&scene), 0, "a plan writes nothing");
    let calls: u64 = lines.iter().map(|line| line["calls"].as_u64().unwrap()).sum();
    done(&scene, &["start", "--rate", "6000"]).await;
    equal(&scene).await;
    let status = stage(&scene, "done").await;
    assert_eq!((&status["load"]["refused"], &status["waiting"]), (&json!(0), &json!(0)));
    let written = writes(&scene);
    assert!(
        written <= usize::try_from(calls).unwrap() + 3,
        "{written} writes, {calls} were planned"
    );
    assert!(load(&scene, &["status"]).await.out.contains("done; now set mode"));
    // What changes now is shown and not written: the settings still say so.
    let item = scene.shop.goods().swap_remove(0);
    scene.m3.set_stock("001", &item.itno, Decimal::from(4_321));
    let shown = async || {
        let said = causeway(&scene, &["goods", "show", &item.sku]).await;
        said.out.contains("4321").then_some(())
    };
    eventually("the change to be known", shown).await;
    assert_eq!(writes(&scene), written);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_and_a_part_is_a_part() {
    let scene = plot().begin().await;
    differ(&scene);
    planned(&scene).await;
    for (args, want) in [
        (&["pause"][..], "there is no load"),
        (&["start", "--only", "stock", "--rate", "1"], ""),
        (&["start"], "a load is under way"),
        (&["resume"], "is running already"),
        (&["pause"], ""),
    ] {
        let said = load(&scene, args).await;
        assert_eq!(said.status == 0, want.is_empty(), "{args:?}: {said:?}");
        assert!(said.err.contains(want), "{args:?}: {said:?}");
    }
    let before = writes(&scene);
    let asked = async || {
        let saw = scene.m3.what_it_saw();
        (saw.iter().filter(|seen| seen.transaction == "LstNewBalances").count() > 4).then_some(())
    };
    eventually("time to pass", asked).await;
    assert_eq!(writes(&scene), before, "a pause holds");
    done(&scene, &["stop"]).await;
    assert!(load(&scene, &["resume"]).await.err.contains("no load is under way"));
    done(&scene, &["start", "--only", "stock", "--rate", "6000"]).await;
    stage(&scene, "done").await;
    let left = lacks(&scene);
    assert!(left.iter().all(|lack| !lack.starts_with("pieces")), "{left:?}");
    let prices = left.iter().filter(|lack| lack.starts_with("price")).count();
    assert_eq!(prices, scene.shop.goods().len(), "no price was brought");
    assert!(scene.shop.product("NEW-1").is_none() && !left.is_empty());
    done(&scene, &["start", "--rate", "6000"]).await;
    equal(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_killed_goes_on_and_makes_nothing_twice() {
    let mut plot = plot();
    plot.shop.weather.latency_ms = 10..=30;
    let scene = plot.set().await;
    differ(&scene);
    let mut process = Process::start(&scene).await;
    planned(&scene).await;
    let products = scene.shop.products();
    done(&scene, &["start", "--rate", "1200"]).await;
    for round in 1..=4_usize {
        let some = async || (writes(&scene) >= round * 6).then_some(());
        within(2 * PATIENCE, "some to be written", some).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    equal(&scene).await;
    stage(&scene, "done").await;
    assert_eq!(scene.shop.products(), products + NEW);
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_shop_refuses_stops_nothing_and_is_in_the_report() {
    let scene = plot().begin().await;
    differ(&scene);
    planned(&scene).await;
    let item = scene.shop.goods().swap_remove(1);
    let path = format!("/api/products/{}", scene.shop.product(&item.sku).unwrap()["id"]);
    for _ in 0..2 {
        scene.shop.fault_next("PUT", &path, Fault::ServerError(422));
    }
    scene.shop.fault_next("POST", "/api/products", Fault::ServerError(422));
    done(&scene, &["start", "--rate", "6000"]).await;
    let status = stage(&scene, "done").await;
    assert_eq!(status["load"]["refused"], 2, "{status}");
    let refused = causeway(&scene, &["goods", "list", "--only", "refused"]).await;
    assert!(refused.out.contains(&item.sku), "{}", refused.out);
    assert_eq!(lacks(&scene).len(), 3, "{:?}", lacks(&scene));
    // Who has mended it starts again, and need not wait.
    done(&scene, &["start", "--rate", "6000"]).await;
    equal(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_away_in_the_middle_is_waited_for() {
    let scene = plot().begin().await;
    differ(&scene);
    planned(&scene).await;
    done(&scene, &["start", "--rate", "600"]).await;
    let some = async || (writes(&scene) >= 4).then_some(());
    within(2 * PATIENCE, "some to be written", some).await;
    scene.m3.outage(true);
    scene.shop.outage(true);
    let away = async || {
        let saw = scene.shop.what_it_saw();
        (saw.iter().filter(|seen| seen.status == 0).count() > 8).then_some(())
    };
    eventually("the shop to be found away", away).await;
    scene.shop.outage(false);
    let order = scene.shop.place(order_of(&scene.shop, 1));
    let more = writes(&scene);
    let some = async || (writes(&scene) >= more + 4).then_some(());
    within(2 * PATIENCE, "some to be written while M3 is away", some).await;
    scene.m3.outage(false);
    scene.confirmed(&order).await;
    let goods = async || {
        let priced = |item: &Item| scene.shop.price(&item.sku) == Some(item.price + Decimal::ONE);
        scene.shop.goods().iter().all(priced).then_some(())
    };
    within(2 * PATIENCE, "every price", goods).await;
    stage(&scene, "done").await;
    scene.close().await;
}
