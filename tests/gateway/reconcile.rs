//! The orders of both systems are compared, and what was missed is taken over when told.

use crate::{
    harness::{Plot, Scene, assert_equal, key, order_of},
    tools::{Said, causeway},
};
use serde_json::Value;

async fn compared(scene: &Scene, more: &[&str]) -> Said {
    causeway(scene, &[&["reconcile"], more].concat()).await
}

/// Changes an order in M3 by hand.
async fn in_m3(scene: &Scene, transaction: &str, orno: &str, fields: &[&str]) {
    let (name, orno) = (format!("OIS100MI/{transaction}"), format!("ORNO={orno}"));
    let asked = [&["m3", "call", "--write", &name, &orno], fields].concat();
    let said = causeway(scene, &asked).await;
    assert_eq!(said.status, 0, "{said:?}");
}

/// The row of an order.
fn row(said: &Said, number: &str) -> Value {
    let rows = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let key = key(number);
    rows.into_iter().find(|row| row["key"] == key.as_str()).unwrap_or_else(|| panic!("{said:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_sides_have_is_equal_and_what_m3_changed_is_named() {
    let scene = Plot::calm().begin().await;
    scene.m3.hold_deliveries(true);
    let numbers = scene.shop.place_orders(12);
    for number in &numbers {
        scene.confirmed(number).await;
        scene.stage(number, "follow").await;
    }
    let said = compared(&scene, &[]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(said.out, "12 orders: 12 equal\n");

    let orno = scene.confirmed(&numbers[3]).await.orno;
    in_m3(&scene, "ChgLineBatchEnt", &orno, &["PONR=1", "ORQA=77"]).await;
    let other = scene.confirmed(&numbers[5]).await;
    for line in 1..=other.lines.len() {
        in_m3(&scene, "DelLine", &other.orno, &[&format!("PONR={line}")]).await;
    }
    let said = compared(&scene, &["--as", "json"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(said.out.lines().count(), 2, "{said:?}");
    let changed = row(&said, &numbers[3]);
    assert_eq!((&changed["verdict"], &changed["orno"]), (&"unequal".into(), &orno.as_str().into()));
    let deleted = row(&said, &numbers[5]);
    assert!(deleted["verdict"] == "unequal" || deleted["verdict"] == "parked", "{deleted}");
    assert!(!deleted["repair"].as_str().unwrap().is_empty());
    let said = compared(&scene, &["--as", "csv", "--list", "all"]).await;
    assert_eq!(said.out.lines().count(), 13, "{said:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_told_of_is_found_and_taken_over_once() {
    let scene = Plot::calm().silent().edit("poll_s = 1", "poll_s = 3600").begin().await;
    let spec = order_of(&scene.shop, 2);
    let number = scene.shop.place(spec);
    let unpaid = scene.shop.place(order_of(&scene.shop, 1).payment_status("D"));
    let said = compared(&scene, &["--as", "json", "--list", "all"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(row(&said, &number)["verdict"], "unknown");
    assert_eq!(row(&said, &unpaid)["verdict"], "not-wanted");
    assert!(scene.real(&number).is_empty(), "comparing takes nothing over");

    for _ in 0..2 {
        compared(&scene, &["--take"]).await;
    }
    let real = scene.confirmed(&number).await;
    assert_equal(&scene.shop.booked(&number).unwrap(), &real);
    scene.stage(&number, "follow").await;
    let said = compared(&scene, &[]).await;
    assert_eq!((said.status, said.out.as_str()), (0, "2 orders: 1 equal, 1 not-wanted\n"));
    assert_eq!(scene.real(&number).len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_nothing_is_called_equal() {
    let mut scene = Plot::calm().begin().await;
    let number = scene.shop.place_orders(1).swap_remove(0);
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    scene.m3.outage(true);
    let said = compared(&scene, &["--as", "json"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(row(&said, &number)["verdict"], "unanswered");
    scene.m3.outage(false);
    scene.stop().await;
    let said = compared(&scene, &[]).await;
    assert_eq!(said.status, 69, "{said:?}");
    scene.close().await;
}
