//! What no webhook told: the poller finds it.

use crate::harness::{Plot, eventually, order_of};
use causeway_sim::xcart::{OrderSpec, Quirks, WebhookTarget};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_webhook_is_lost_is_found_by_the_poller() {
    for quirks in [Quirks::calm(), Quirks::old(), Quirks::storm()] {
        let mut plot = Plot::calm();
        plot.shop.quirks = Quirks { broken_order_permille: 0, ..quirks };
        let scene = plot.begin().await;
        let target = scene.target();
        scene.shop.set_webhook(WebhookTarget { lost_permille: 1000, ..target });
        let numbers: Vec<_> = (0..3).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
        for number in &numbers {
            scene.confirmed(number).await;
        }
        assert_eq!(scene.shop.webhooks_sent().sent, 0);
        assert!(scene.shop.webhooks_sent().lost >= 3);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_the_time_when_the_gateway_was_down_are_found_page_by_page() {
    let mut scene = Plot::calm().begin().await;
    let before = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&before).await;
    scene.stop().await;
    scene.shop.unset_webhook();
    let numbers: Vec<_> = (0..120).map(|_| scene.shop.place(OrderSpec::simple())).collect();
    scene.start().await;
    for number in &numbers {
        scene.confirmed(number).await;
    }
    assert_eq!(scene.real(&before).len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_cancellations_that_nobody_told_are_found_too() {
    let scene = Plot::calm().silent().begin().await;
    scene.m3.outage(true);
    let numbers: Vec<_> = (0..2).map(|_| scene.shop.place(order_of(&scene.shop, 3))).collect();
    for number in &numbers {
        let waits = async || scene.shown(number).await.and_then(|shown| shown.waits);
        eventually("the order to wait for M3", waits).await;
    }
    let sku = scene.shop.goods()[1].sku.clone();
    assert!(scene.shop.change_quantity(&numbers[0], &sku, 9));
    assert!(scene.shop.cancel(&numbers[1]));
    scene.stage(&numbers[1], "done").await;
    let before = scene.shown(&numbers[0]).await.unwrap().total;
    let total = scene.shop.booked(&numbers[0]).unwrap().total;
    let reread = async || {
        let now = scene.shown(&numbers[0]).await?.total?;
        now.starts_with(&total.to_string()).then_some(())
    };
    eventually(&format!("{before:?} to become {total}"), reread).await;
    scene.m3.outage(false);
    scene.confirmed(&numbers[0]).await;
    assert!(scene.real(&numbers[1]).is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_breaks_the_pages_of_the_shop_holds_up_no_other() {
    let scene = Plot::calm().silent().begin().await;
    let first = scene.shop.place(order_of(&scene.shop, 1));
    let broken = scene.shop.place(order_of(&scene.shop, 1).broken());
    let last = scene.shop.place(order_of(&scene.shop, 1));
    for number in [&first, &last, &broken] {
        scene.confirmed(number).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_poller_and_the_webhook_both_tell_is_one_order() {
    let scene = Plot::calm().begin().await;
    let target = scene.target();
    let unruly = WebhookTarget { late_ms_max: 2_500, late_permille: 800, ..target.unruly() };
    scene.shop.set_webhook(unruly);
    let numbers: Vec<_> = (0..12).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    for number in &numbers {
        scene.confirmed(number).await;
    }
    let told = async || (scene.shop.webhooks_sent().waiting == 0).then_some(());
    eventually("the last webhook", told).await;
    for number in &numbers {
        scene.stage(number, "follow").await;
        assert_eq!(scene.real(number).len(), 1);
    }
    scene.close().await;
}
