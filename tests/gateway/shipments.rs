//! Parcels and their tracking numbers: several of them, where the shop takes them and where it
//! does not, changed and withdrawn after they were told.

use crate::harness::{Plot, Scene, eventually, order_of};
use causeway::flow::cause::CauseKind;
use causeway_sim::{m3::BookedDelivery, weather::Fault, xcart::BookedOrder};

const HEAD: &str = "[order_to_cash.customer]";

/// With lines in front of the customers' table.
fn with(table: &str) -> Plot {
    Plot::calm().edit(HEAD, &format!("{table}\n{HEAD}"))
}

/// With a shop that takes tracking numbers.
fn taking(mut plot: Plot) -> Plot {
    plot.shop.quirks.tracking_extension = true;
    plot
}

/// Waits until the shop has so many tracking numbers.
async fn tracked(scene: &Scene, number: &str, count: usize) -> BookedOrder {
    let what = format!("{count} tracking numbers of {number}");
    let look = async || scene.shop.booked(number).filter(|order| order.tracking.len() == count);
    eventually(&what, look).await
}

/// Waits until a part of the order has left, and gives what has.
async fn left(scene: &Scene, number: &str, count: usize) -> Vec<BookedDelivery> {
    let look = async || {
        let real = scene.real(number).pop()?;
        let gone: Vec<_> = real.deliveries.into_iter().filter(|d| d.etrn.is_some()).collect();
        if gone.len() < count {
            scene.m3.advance();
        }
        (gone.len() == count).then_some(gone)
    };
    eventually("the goods to leave", look).await
}

/// Waits until a person is shown a difference of this kind, and gives its words.
pub(crate) async fn difference(scene: &Scene, number: &str, kind: CauseKind) -> String {
    let what = format!("{} of {number}", kind.name());
    let look = async || {
        let attention = scene.shown(number).await?.cause.filter(|cause| cause.kind == kind)?;
        Some(format!("{} {}", attention.text, attention.details.join(" ")))
    };
    eventually(&what, look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_package_of_every_delivery_is_told_once_with_its_carrier() {
    let table = "shipments = { source = \"packages\", carriers = [{ code = \"CARR*\", name = \"DHL\", \
                 url = \"https://t.example/{number}\" }] }\n";
    let facility = "facility = \"A01\"";
    let plot = Plot::calm().edit(facility, &format!("{facility}\n{table}"));
    let scene = taking(plot).begin().await;
    scene.m3.pack_in(3);
    let number = scene.shop.place(order_of(&scene.shop, 4));
    let real = scene.confirmed(&number).await;
    scene.m3.deliver_partially(&real.orno);
    let first = left(&scene, &number, 1).await;
    let booked = tracked(&scene, &number, 3).await;
    let etrn = first[0].etrn.clone().unwrap();
    assert_eq!(booked.tracking, [etrn.clone(), format!("{etrn}-2"), format!("{etrn}-3")]);
    assert_eq!(booked.carriers, ["DHL", "DHL", "DHL"]);
    assert_eq!(booked.shipping_status, "P");
    scene.m3.set_pace_ms(50);
    let booked = tracked(&scene, &number, 6).await;
    scene.stage(&number, "done").await;
    let mut numbers = booked.tracking;
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 6, "each is told once");
    assert_eq!(scene.shop.booked(&number).unwrap().shipping_status, "S");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_part_that_has_left_first_gets_the_status_of_the_table() {
    let plot = with("[order_to_cash.statuses]\npartly_shipped = \"WFA\"");
    let scene = taking(plot).begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 4));
    let real = scene.confirmed(&number).await;
    scene.m3.deliver_partially(&real.orno);
    left(&scene, &number, 1).await;
    let look = async || scene.shop.booked(&number).filter(|o| o.shipping_status == "WFA");
    eventually("partly shipped", look).await;
    scene.m3.set_pace_ms(50);
    scene.stage(&number, "done").await;
    assert_eq!(scene.shop.booked(&number).unwrap().shipping_status, "S");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_extension_the_number_is_a_note_where_that_is_wanted_and_said_where_not() {
    for (note, taken) in [(true, true), (true, false), (false, true)] {
        let mut plot = with(&format!("[order_to_cash.shipments]\nnote = {note}"));
        plot.shop.quirks.note_extension = taken;
        plot.m3.pace_ms = 50;
        let scene = plot.begin().await;
        if taken {
            // The answer to the first note is lost.
            scene.shop.fault_next("POST", "/api/orders", Fault::CutAfter);
            scene.shop.fault_next("POST", "/api/orders", Fault::CutAfter);
        }
        let number = scene.shop.place(order_of(&scene.shop, 2));
        let shown = scene.stage(&number, "done").await;
        let notes = scene.shop.booked(&number).unwrap().admin_notes;
        let etrn = scene.real(&number)[0].deliveries[0].etrn.clone().unwrap();
        let told = notes.lines().filter(|line| line.contains(&etrn)).count();
        let trail: Vec<_> = shown.trail.iter().map(|mark| mark.what.as_str()).collect();
        if note && taken {
            assert_eq!(told, 1, "{notes}");
        } else {
            assert_eq!(told, 0, "{notes}");
            assert!(trail.iter().any(|what| what.contains("tracking not written")), "{trail:?}");
        }
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_m3_changes_or_withdraws_after_the_shop_was_told_is_shown() {
    let scene = taking(Plot::calm()).begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 3));
    scene.confirmed(&number).await;
    let delivery = left(&scene, &number, 1).await.remove(0);
    tracked(&scene, &number, 1).await;
    scene.m3.set_tracking(delivery.dlix, "00340999");
    let said = difference(&scene, &number, CauseKind::TrackingChanged).await;
    assert!(said.contains("became 00340999"), "{said}");
    assert_eq!(tracked(&scene, &number, 2).await.tracking[1], "00340999");
    scene.m3.set_tracking(delivery.dlix, "");
    let look = async || {
        let said = difference(&scene, &number, CauseKind::TrackingChanged).await;
        said.contains("withdrew tracking number 00340999").then_some(())
    };
    eventually("the withdrawal to be shown", look).await;
    scene.m3.set_pace_ms(50);
    // It goes on all the same.
    scene.stage(&number, "done").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_comes_after_the_goods_is_told_late() {
    let scene = taking(Plot::calm()).begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.confirmed(&number).await;
    let look = async || {
        let delivery = scene.real(&number).pop()?.deliveries.pop();
        let Some(delivery) = delivery else {
            scene.m3.advance();
            return None;
        };
        scene.m3.advance();
        scene.m3.set_tracking(delivery.dlix, "");
        Some(delivery.dlix)
    };
    let dlix = eventually("the goods to leave without a number", look).await;
    let look = async || scene.shop.booked(&number).filter(|o| o.shipping_status == "S");
    let booked = eventually("shipped", look).await;
    assert_eq!(booked.tracking, Vec::<String>::new());
    scene.m3.set_tracking(dlix, "LATE1");
    assert_eq!(tracked(&scene, &number, 1).await.tracking, ["LATE1"]);
    scene.close().await;
}
