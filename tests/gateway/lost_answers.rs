//! Answers of M3 that are lost: whatever was done or not, there is one order in the end.

use crate::harness::{Plot, QUIESCENCE, Scene, eventually, key, order_of};
use causeway_sim::{m3::Trouble, weather::Fault};

const PROGRAM: &str = "OIS100MI";

/// Places an order into trouble and waits until it is right all the same.
async fn survives(scene: &Scene, transaction: &str, trouble: Trouble) -> String {
    scene.m3.trouble_next(PROGRAM, transaction, trouble);
    let number = scene.shop.place(order_of(&scene.shop, 5));
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    number
}

/// Waits until no temporary order is left that nobody needs.
async fn no_orphans(scene: &Scene) {
    let look = async || {
        let open = scene.m3.books().temporary;
        open.iter().all(|head| !head.made.is_empty()).then_some(())
    };
    eventually("the orphans to be swept", look).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_answer_to_confirm_is_lost_there_is_one_order() {
    let scene = Plot::calm().begin().await;
    let number = survives(&scene, "Confirm", Trouble::Way(Fault::CutAfter)).await;
    assert_eq!(scene.real(&number).len(), 1);
    assert_eq!(confirms(&scene), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_confirm_never_reached_m3_it_is_sent_again_for_the_same_temporary_order() {
    let scene = Plot::calm().begin().await;
    let number = survives(&scene, "Confirm", Trouble::Way(Fault::CutBefore)).await;
    assert_eq!(scene.real(&number).len(), 1);
    assert_eq!(scene.m3.books().temporary.len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_confirm_is_still_executing_nobody_confirms_again() {
    let scene = Plot::calm().begin().await;
    let late = Fault::StillExecuting { late_ms: 600 };
    let number = survives(&scene, "Confirm", Trouble::Way(late)).await;
    assert_eq!(scene.real(&number).len(), 1);
    assert_eq!(confirms(&scene), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_answer_to_the_head_is_lost_its_temporary_order_is_found_and_used() {
    let scene = Plot::calm().begin().await;
    let number = survives(&scene, "AddBatchHead", Trouble::Way(Fault::CutAfter)).await;
    assert_eq!(scene.real(&number).len(), 1);
    let temporary = scene.m3.books().temporary;
    assert!(temporary.iter().all(|head| head.cuor == key(&number)));
    no_orphans(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_after_the_quiescence_time_is_swept() {
    let scene = Plot::calm().begin().await;
    let late_ms = u64::try_from(QUIESCENCE.as_millis()).unwrap() + 700;
    let trouble = Trouble::Way(Fault::StillExecuting { late_ms });
    let number = survives(&scene, "AddBatchHead", trouble).await;
    let two = async || (heads(&scene) == 2).then_some(());
    eventually("the late head", two).await;
    no_orphans(&scene).await;
    assert_eq!(scene.real(&number).len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_cut_in_the_middle_are_equal_in_the_end() {
    let scene = Plot::calm().begin().await;
    let table = [
        Trouble::TerminatedAfter(2),
        Trouble::TerminatedWithin(2),
        Trouble::Way(Fault::CutAfter),
        Trouble::Way(Fault::CutBefore),
        Trouble::Way(Fault::ServerError(502)),
        Trouble::Way(Fault::StillExecuting { late_ms: 500 }),
    ];
    for trouble in table {
        let number = survives(&scene, "AddBatchLine", trouble.clone()).await;
        assert_eq!(scene.real(&number)[0].lines.len(), 5, "{trouble:?}");
    }
    no_orphans(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_whose_answer_is_lost_is_there_once() {
    let scene = Plot::calm().begin().await;
    for fault in [Fault::CutAfter, Fault::StillExecuting { late_ms: 400 }] {
        let number = survives(&scene, "AddBatchAddress", Trouble::Way(fault)).await;
        assert!(scene.real(&number)[0].address.is_some());
    }
    no_orphans(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_whose_answer_is_lost_is_made_once() {
    let scene = Plot::calm().begin().await;
    let before = scene.m3.books().customers.len();
    let table = [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 500 }];
    for (index, fault) in table.into_iter().enumerate() {
        scene.m3.fault_next("CRS610MI", "Add", fault);
        let mail = format!("lost{index}@example.org");
        let number = scene.shop.place(order_of(&scene.shop, 1).email(&mail));
        scene.confirmed(&number).await;
        assert_eq!(scene.m3.books().customers.len(), before + index + 1, "{fault:?}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_the_shop_that_is_lost_does_not_stop_the_order() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 100;
    plot.shop.quirks.tracking_extension = true;
    let scene = plot.begin().await;
    scene.shop.fault_next("PUT", "/api", Fault::CutAfter);
    scene.shop.fault_next("POST", "/api", Fault::CutAfter);
    let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("A"));
    scene.stage(&number, "done").await;
    let booked = scene.shop.booked(&number).unwrap();
    assert_eq!((booked.shipping_status.as_str(), booked.payment_status.as_str()), ("S", "P"));
    assert_eq!(booked.tracking.len(), 1, "a tracking number is written once");
    scene.close().await;
}

/// How often M3 executed Confirm.
fn confirms(scene: &Scene) -> usize {
    scene.m3.what_it_saw().iter().filter(|seen| seen.transaction == "Confirm").count()
}

/// How often M3 opened a temporary order.
fn heads(scene: &Scene) -> usize {
    let saw = scene.m3.what_it_saw();
    saw.iter().filter(|seen| seen.transaction == "AddBatchHead" && seen.outcome == "OK").count()
}
