//! Systems that are away, slow or full: an order waits with a reason and goes on.

use crate::harness::{PATIENCE, Plot, QUIESCENCE, Scene, eventually, key, order_of, within};
use causeway_sim::{
    m3::Trouble,
    weather::{Fault, Weather},
    xcart::OrderSpec,
};

/// Waits until the gateway says why an order waits.
async fn waits(scene: &Scene, number: &str) -> String {
    let look = async || scene.shown(number).await.and_then(|shown| shown.waits);
    eventually(&format!("a reason why order {number} waits"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_of_m3_is_obeyed_as_long_as_it_asks_for() {
    let scene = Plot::calm().begin().await;
    let limit = Fault::TooMany { retry_after_s: Some(2) };
    scene.m3.fault_next("OIS100MI", "AddBatchHead", limit);
    let number = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&number).await;
    let saw = scene.m3.what_it_saw();
    let head = saw.iter().position(|seen| seen.transaction == "AddBatchHead").unwrap();
    // Nothing reaches M3 in the time it asked for, whatever is asked first after it.
    let gaps = saw.iter().zip(saw.iter().skip(1)).take(head);
    let rest_ms = gaps.map(|(before, after)| after.at_ms - before.at_ms).max().unwrap();
    assert!((1_900..6_000).contains(&rest_ms), "{rest_ms} ms");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_without_a_time_costs_no_order() {
    let scene = Plot::calm().begin().await;
    let some = Weather { too_many_permille: 60, retry_after: false, ..Weather::calm() };
    scene.m3.set_weather(some.clone());
    scene.shop.set_weather(some);
    let numbers: Vec<_> = (0..10).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    for number in &numbers {
        scene.confirmed(number).await;
    }
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_network_to_m3_is_down_orders_wait_with_a_reason_and_then_go_on() {
    let scene = Plot::calm().begin().await;
    scene.m3.outage(true);
    let numbers: Vec<_> = (0..5).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    for number in &numbers {
        let reason = waits(&scene, number).await;
        assert!(!reason.is_empty());
    }
    assert!(scene.listed().await.is_empty(), "nothing is parked because M3 is away");
    scene.m3.outage(false);
    for number in &numbers {
        scene.confirmed(number).await;
    }
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_m3_is_in_maintenance_nothing_is_parked_and_nothing_is_lost() {
    let scene = Plot::calm().begin().await;
    let table = [
        ("CRS610MI", "GetBasicData"),
        ("CRS610MI", "Add"),
        ("OIS100MI", "AddBatchHead"),
        ("OIS100MI", "AddBatchLine"),
        ("OIS100MI", "Confirm"),
    ];
    for (program, transaction) in table {
        for _ in 0..2 {
            scene.m3.fault_next(program, transaction, Fault::ServerError(503));
        }
    }
    let number = scene.shop.place(order_of(&scene.shop, 3));
    scene.confirmed(&number).await;
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_shop_is_away_its_order_waits_and_then_goes_on() {
    let scene = Plot::calm().begin().await;
    for away in [causeway_sim::xcart::Shop::redeploy, causeway_sim::xcart::Shop::outage] {
        away(&scene.shop, true);
        let number = scene.shop.place(order_of(&scene.shop, 2));
        let told = async || (scene.shop.webhooks_sent().waiting == 0).then_some(());
        eventually("the webhook to be told", told).await;
        assert!(scene.real(&number).is_empty());
        away(&scene.shop, false);
        scene.confirmed(&number).await;
    }
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_m3_restarts_and_loses_the_temporary_order_a_new_one_is_begun() {
    let scene = Plot::calm().begin().await;
    scene.m3.trouble_next("OIS100MI", "AddBatchLine", Trouble::Slow(800));
    let number = scene.shop.place(order_of(&scene.shop, 4));
    let begun = async || (!scene.m3.books().temporary.is_empty()).then_some(());
    eventually("the temporary order", begun).await;
    scene.m3.restart(false);
    assert!(scene.m3.books().temporary.is_empty());
    scene.confirmed(&number).await;
    assert_eq!(scene.real(&number).len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_m3_restarts_during_confirm_there_is_one_order() {
    for keep in [true, false] {
        let mut plot = Plot::calm();
        plot.m3.confirm_ms = 700..=700;
        let scene = plot.begin().await;
        let number = scene.shop.place(order_of(&scene.shop, 3));
        // The stage is durable before the call: M3 has it in hand when it has read it back.
        let read = async || {
            let saw = scene.m3.what_it_saw();
            saw.iter().any(|seen| seen.transaction == "LstBatchLine").then_some(())
        };
        eventually("the temporary order to be read back", read).await;
        scene.m3.restart(keep);
        scene.confirmed(&number).await;
        scene.stage(&number, "follow").await;
        assert_eq!(scene.real(&number).len(), 1, "kept: {keep}");
        assert_eq!(scene.real(&number)[0].cuor, key(&number));
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_revoked_in_mid_run_cost_nothing() {
    let scene = Plot::calm().begin().await;
    for _ in 0..4 {
        let numbers: Vec<_> = (0..4).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
        let any = async || scene.m3.books().temporary.last().map(|head| head.cuor.clone());
        eventually("a temporary order", any).await;
        scene.m3.revoke_tokens();
        scene.m3.fault_next("OIS100MI", "AddBatchLine", Fault::Unauthorized);
        for number in &numbers {
            scene.confirmed(number).await;
        }
    }
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_every_order_arrives_once() {
    let scene = Plot::calm().begin().await;
    let mut storm = Weather::storm();
    (storm.gateway_ms, storm.late_ms_max) = (100, u64::try_from(QUIESCENCE.as_millis()).unwrap());
    scene.m3.set_weather(storm.clone());
    scene.shop.set_weather(storm);
    let numbers = scene.shop.place_orders(30);
    for number in &numbers {
        let real = async || scene.real(number).pop().map(|_| ());
        within(PATIENCE * 3, &format!("order {number} in the storm"), real).await;
        scene.confirmed(number).await;
    }
    scene.m3.set_weather(Weather::calm());
    scene.shop.set_weather(Weather::calm());
    for number in &numbers {
        scene.stage(number, "follow").await;
        assert_eq!(scene.real(number).len(), 1);
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_uses_up_no_attempts() {
    let scene = Plot::calm().edit("attempts = 20", "attempts = 3").begin().await;
    scene.shop.outage(true);
    let before = scene.shop.what_it_saw().len();
    let number = scene.shop.place(OrderSpec::simple());
    let tried = async || (scene.shop.what_it_saw().len() > before + 12).then_some(());
    eventually("the shop to be asked again and again", tried).await;
    // What answers first when a system comes back is often a page of errors.
    scene.shop.fault_next("GET", "/api/orders/", Fault::ServerError(500));
    scene.shop.outage(false);
    scene.confirmed(&number).await;
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}
