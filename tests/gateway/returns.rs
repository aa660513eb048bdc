//! Returns: what the shop gives back is shown until M3 has credited it, and no longer.

use crate::{
    harness::{Plot, Scene, eventually, key, order_of},
    payments::amount,
};
use causeway::{delivery::desk::Ask, flow::cause::CauseKind};
use rust_decimal::Decimal;

/// What a person is told of a return; none while there is nothing.
async fn asked(scene: &Scene, number: &str) -> Option<String> {
    let listed = scene.listed().await;
    let own = listed.into_iter().find(|row| row.key == key(number))?;
    assert!(!own.stands_still, "the order goes on: {}", own.cause);
    (own.cause.kind == CauseKind::ReturnedInShop).then_some(own.cause.text)
}

async fn told(scene: &Scene, number: &str, part: &str) {
    let look = async || asked(scene, number).await.filter(|text| text.contains(part));
    eventually(&format!("a person to be told: {part}"), look).await;
}

async fn closed(scene: &Scene, number: &str) {
    let look = async || asked(scene, number).await.is_none().then_some(());
    eventually("the return to be closed", look).await;
    scene.stage(number, "done").await;
    assert!(scene.listed().await.is_empty());
}

fn total(scene: &Scene, number: &str) -> Decimal {
    scene.shop.booked(number).unwrap().total
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_return_of_a_finished_order_is_shown_until_m3_has_credited_it() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 50;
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.stage(&number, "done").await;
    let invoice = scene.real(&number)[0].invoices[0].clone();
    scene.shop.refund(&number, total(&scene, &number)).unwrap();
    told(&scene, &number, &format!("credit invoice {}", invoice.ivno)).await;
    scene.m3.credit_invoice(invoice.ivno, amount("1")).unwrap();
    told(&scene, &number, "M3 has credited 1.00 EUR").await;
    let rest = total(&scene, &number) - amount("1");
    scene.m3.credit_invoice(invoice.ivno, rest).unwrap();
    scene.m3.settle_credits(invoice.ivno);
    closed(&scene, &number).await;
    assert_eq!(scene.shop.booked(&number).unwrap().payment_status, "R");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_given_back_is_closed_by_its_credit_and_the_next_part_opens_it() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 50;
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.stage(&number, "done").await;
    let invoice = scene.real(&number)[0].invoices[0].clone();
    scene.shop.refund(&number, amount("2.50")).unwrap();
    told(&scene, &number, "gave 2.50 EUR back").await;
    scene.m3.credit_invoice(invoice.ivno, amount("2.50")).unwrap();
    closed(&scene, &number).await;
    scene.shop.refund(&number, amount("1.50")).unwrap();
    told(&scene, &number, "gave 4.00 EUR back").await;
    let reason = "goodwill, nothing to credit".to_owned();
    scene.ask(&Ask::Discard { key: key(&number), reason }).await.unwrap();
    closed(&scene, &number).await;
    assert_eq!(scene.shop.booked(&number).unwrap().payment_status, "PP");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_before_m3_has_the_order_keeps_it_from_being_entered() {
    let scene = Plot::calm().begin().await;
    scene.m3.outage(true);
    let number = scene.shop.place(order_of(&scene.shop, 1));
    let waits = async || scene.shown(&number).await.and_then(|shown| shown.waits);
    eventually("the order to wait for M3", waits).await;
    scene.shop.refund(&number, total(&scene, &number)).unwrap();
    scene.stage(&number, "done").await;
    scene.m3.outage(false);
    let other = scene.shop.place(order_of(&scene.shop, 1));
    scene.confirmed(&other).await;
    assert!(scene.real(&number).is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_after_shipment_is_told_and_the_status_of_the_shop_stays() {
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    scene.confirmed(&number).await;
    let delivered = async || {
        let real = scene.real(&number).pop()?;
        let left = real.deliveries.iter().any(|delivery| delivery.etrn.is_some());
        if !left {
            scene.m3.advance();
        }
        left.then_some(())
    };
    eventually("the goods to leave", delivered).await;
    let shipped = async || scene.shop.booked(&number).filter(|order| order.shipping_status == "S");
    eventually("the shop to know", shipped).await;
    scene.shop.refund(&number, total(&scene, &number)).unwrap();
    told(&scene, &number, "not invoiced it").await;
    scene.m3.set_pace_ms(50);
    told(&scene, &number, "credit invoice").await;
    let invoice = scene.real(&number)[0].invoices[0].clone();
    scene.m3.credit_invoice(invoice.ivno, invoice.amount).unwrap();
    scene.m3.settle_credits(invoice.ivno);
    closed(&scene, &number).await;
    assert_eq!(scene.shop.booked(&number).unwrap().payment_status, "R");
    scene.close().await;
}
