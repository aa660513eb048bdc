//! What the shop does with an order while it is on its way to M3, and afterwards.

use crate::harness::{Plot, Scene, eventually, key, order_of};
use causeway::delivery::desk::Ask;
use causeway_sim::m3::Trouble;

/// Waits until M3 has a temporary order of this shop order, and says its number.
async fn begun(scene: &Scene, number: &str) -> String {
    let look = async || {
        let books = scene.m3.books();
        books.temporary.into_iter().find(|head| head.cuor == key(number)).map(|head| head.orno)
    };
    eventually(&format!("a temporary order of {number}"), look).await
}

/// Waits until M3 has no temporary order.
async fn none_open(scene: &Scene) {
    let look = async || {
        let open = scene.m3.books().temporary;
        open.iter().all(|head| !head.made.is_empty()).then_some(())
    };
    eventually("the temporary order to be taken back", look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_cancelled_before_m3_knows_it_never_gets_there() {
    let scene = Plot::calm().begin().await;
    scene.m3.outage(true);
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let waits = async || scene.shown(&number).await.and_then(|shown| shown.waits);
    eventually("the order to wait for M3", waits).await;
    assert!(scene.shop.cancel(&number));
    scene.stage(&number, "done").await;
    scene.m3.outage(false);
    let after = scene.shop.place(order_of(&scene.shop, 1).email("after@example.org"));
    scene.confirmed(&after).await;
    assert!(scene.real(&number).is_empty());
    none_open(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_cancelled_while_it_is_entered_is_taken_back() {
    let scene = Plot::calm().begin().await;
    scene.m3.trouble_next("OIS100MI", "AddBatchLine", Trouble::Slow(900));
    let number = scene.shop.place(order_of(&scene.shop, 3));
    begun(&scene, &number).await;
    assert!(scene.shop.cancel(&number));
    scene.stage(&number, "done").await;
    none_open(&scene).await;
    assert!(scene.real(&number).is_empty());
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_cancelled_after_m3_has_it_waits_for_a_person() {
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    assert!(scene.shop.cancel(&number));
    assert_eq!(scene.parked(&number).await, "cancelled-after-confirm");
    assert_eq!(scene.real(&number).len(), 1, "M3 is not touched");
    let reason = "cancelled in M3 by hand".to_owned();
    scene.ask(&Ask::Discard { key: key(&number), reason }).await.unwrap();
    scene.stage(&number, "done").await;
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_changed_while_it_is_entered_reaches_m3_as_it_is_now() {
    let scene = Plot::calm().begin().await;
    scene.m3.trouble_next("OIS100MI", "AddBatchLine", Trouble::Slow(900));
    let number = scene.shop.place(order_of(&scene.shop, 3));
    begun(&scene, &number).await;
    let sku = scene.shop.goods()[1].sku.clone();
    assert!(scene.shop.change_quantity(&number, &sku, 7));
    let real = scene.confirmed(&number).await;
    assert!(real.lines.iter().any(|line| line.quantity == 7.into()), "{:?}", real.lines);
    none_open(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_changed_while_m3_is_away_reaches_it_as_it_is_now() {
    let scene = Plot::calm().begin().await;
    scene.m3.outage(true);
    let number = scene.shop.place(order_of(&scene.shop, 3));
    let waits = async || scene.shown(&number).await.and_then(|shown| shown.waits);
    eventually("the order to wait for M3", waits).await;
    let sku = scene.shop.goods()[0].sku.clone();
    assert!(scene.shop.change_quantity(&number, &sku, 0));
    let told = async || (scene.shop.webhooks_sent().waiting == 0).then_some(());
    eventually("the change to be told", told).await;
    scene.m3.outage(false);
    assert_eq!(scene.confirmed(&number).await.lines.len(), 2);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_changed_after_m3_has_it_waits_for_a_person() {
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let before = scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    let sku = scene.shop.goods()[0].sku.clone();
    assert!(scene.shop.change_quantity(&number, &sku, 5));
    assert_eq!(scene.parked(&number).await, "changed-after-confirm");
    let real = scene.real(&number);
    assert_eq!((real.len(), real[0].total), (1, before.total), "M3 is not touched");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_nobody_told_is_not_written_over_with_a_status() {
    let plot = Plot::calm().edit("poll_s = 1", "poll_s = 600").silent();
    let mut scene = plot.set().await;
    let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("A"));
    scene.m3.hold_deliveries(true);
    scene.start().await;
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    let told = async || scene.shop.booked(&number).filter(|o| o.shipping_status == "P");
    eventually("the shop to be told of the confirmation", told).await;
    assert!(scene.shop.cancel(&number));
    scene.m3.set_pace_ms(50);
    scene.m3.hold_deliveries(false);
    assert_eq!(scene.parked(&number).await, "cancelled-after-confirm");
    let booked = scene.shop.booked(&number).unwrap();
    assert_ne!(booked.payment_status, "P", "the cancellation is still there");
    scene.close().await;
}
