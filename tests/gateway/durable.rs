//! Orders that change late, end, leave, or are refused in part; and an M3 that confirms twice.

use crate::harness::{Plot, Scene, eventually, key, order_of};
use causeway::flow::run::ReplayFrom;
use causeway_sim::{
    m3::{Switches, Trouble},
    weather::Fault,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_m3_that_makes_one_more_order_at_each_confirmation_is_asked_once() {
    let mut plot = Plot::calm();
    plot.m3.switches = Switches { second_confirm_is_error: false, ..Switches::plain() };
    let scene = plot.begin().await;
    let table =
        [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 700 }, Fault::None];
    for fault in table {
        scene.m3.trouble_next("OIS100MI", "Confirm", Trouble::Way(fault));
        let number = scene.shop.place(order_of(&scene.shop, 3));
        scene.confirmed(&number).await;
        scene.stage(&number, "follow").await;
        assert_eq!(scene.real(&number).len(), 1, "{fault:?}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_what_changed_after_m3_had_it_and_the_order_goes_on() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 150;
    let scene = plot.begin().await;
    scene.m3.hold_deliveries(true);
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    let sku = scene.shop.goods()[0].sku.clone();
    assert!(scene.shop.change_quantity(&number, &sku, 5));
    assert_eq!(scene.parked(&number).await, "changed-after-confirm");
    let wanted = format!("line {sku}: quantity 2 -> 5");
    let shown = scene.shown(&number).await.unwrap();
    assert!(shown.cause.unwrap().details.contains(&wanted));
    // The buyer gives it up while somebody looks at it.
    assert!(scene.shop.cancel(&number));
    let cancelled = async || {
        let cause = scene.shown(&number).await?.cause?;
        (cause.kind.name() == "cancelled-after-confirm").then_some(cause)
    };
    let cause = eventually("the cancellation to be shown", cancelled).await;
    assert!(cause.details.contains(&wanted), "{cause:?}");
    scene.replay(&number, ReplayFrom::Step).await;
    assert_eq!(scene.parked(&number).await, "cancelled-after-confirm", "asked once more");
    scene.replay(&number, ReplayFrom::Step).await;
    scene.m3.hold_deliveries(false);
    scene.stage(&number, "done").await;
    assert!(scene.listed().await.is_empty());
    assert_eq!(scene.real(&number).len(), 1);
    scene.close().await;
}

/// A shop and an M3 between which orders end at once, and a gateway that keeps nothing.
async fn forgetful() -> Scene {
    let edit = "quiescence_s = 1\nsweep_days = 0\nkeep_done_days = 0";
    let mut plot = Plot::calm().edit("quiescence_s = 1", edit);
    plot.m3.pace_ms = 50;
    plot.begin().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_has_left_is_known_again_and_never_made_a_second_time() {
    let scene = forgetful().await;
    let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("A"));
    scene.stage(&number, "left").await;
    // Told again, it changes nothing.
    assert!(scene.shop.set_payment_status(&number, "A"));
    let sku = scene.shop.goods()[0].sku.clone();
    assert!(scene.shop.change_quantity(&number, &sku, 9));
    assert_eq!(scene.parked(&number).await, "changed-after-confirm");
    assert_eq!(scene.real(&number).len(), 1, "M3 is not touched");
    scene.replay(&number, ReplayFrom::Step).await;
    scene.stage(&number, "left").await;
    assert_eq!(scene.real(&number).len(), 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_that_m3_refuses_is_named_and_no_short_order_is_left() {
    let scene = Plot::calm().begin().await;
    let blocked: Vec<_> = [1, 3].map(|n| scene.shop.goods()[n].clone()).into();
    for item in &blocked {
        scene.m3.set_item_status(&item.itno, "90");
    }
    let number = scene.shop.place(order_of(&scene.shop, 4));
    assert_eq!(scene.parked(&number).await, "line-refused");
    let cause = scene.shown(&number).await.unwrap().cause.unwrap();
    assert_eq!(cause.details.len(), 2, "{cause:?}");
    for (item, line) in blocked.iter().zip(["line 2", "line 4"]) {
        let named = |text: &String| text.contains(line) && text.contains(&item.itno);
        assert!(cause.details.iter().any(named), "{line} {}: {cause:?}", item.itno);
    }
    let gone = async || scene.m3.books().temporary.is_empty().then_some(());
    eventually("the temporary order to be taken back", gone).await;
    assert!(scene.real(&number).is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_with_which_rules_is_shown_to_a_person() {
    let scene = Plot::calm().begin().await;
    let item = scene.shop.goods()[1].clone();
    scene.m3.set_item_status(&item.itno, "90");
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.parked(&number).await;
    let shown = scene.shown(&number).await.unwrap();
    assert_eq!(shown.planned_with.as_ref(), Some(&shown.rules));
    assert!(shown.effects.iter().any(|line| line.starts_with("done: customer")), "{shown:?}");
    scene.m3.set_item_status(&item.itno, "20");
    scene.replay(&number, ReplayFrom::StartWithOldRules).await;
    assert_eq!(scene.confirmed(&number).await.cuor, key(&number));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_gone_loses_no_order_and_doubles_none() {
    for gone in ["its file", "its generation", "all of it"] {
        let mut scene = Plot::calm().begin().await;
        let mut numbers: Vec<String> =
            (0..3).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
        for number in &numbers {
            scene.confirmed(number).await;
        }
        // This one is confirmed after the gateway was told that it was not.
        let late = scene.shop.place(order_of(&scene.shop, 2));
        let way = Fault::StillExecuting { late_ms: 600 };
        scene.m3.trouble_next("OIS100MI", "Confirm", Trouble::Way(way));
        let asked = async || {
            let saw = scene.m3.what_it_saw();
            (saw.iter().filter(|seen| seen.transaction == "Confirm").count() > 3).then_some(())
        };
        eventually("the confirmation", asked).await;
        scene.m3.outage(true);
        for _ in 0..3 {
            let number = scene.shop.place(order_of(&scene.shop, 2));
            let waits = async || scene.shown(&number).await.and_then(|shown| shown.waits);
            eventually("a reason to wait", waits).await;
            numbers.push(number);
        }
        scene.stop().await;
        let state = scene.state().join("state");
        let counts = std::fs::read_to_string(state.join("CURRENT")).unwrap();
        let generation = state.join(counts.trim_end());
        match gone {
            "its file" => std::fs::remove_file(generation.join("db")).unwrap(),
            "its generation" => std::fs::remove_dir_all(generation).unwrap(),
            _ => std::fs::remove_dir_all(&state).unwrap(),
        }
        scene.m3.outage(false);
        scene.start().await;
        for number in numbers.iter().chain([&late]) {
            scene.confirmed(number).await;
            scene.stage(number, "follow").await;
        }
        for number in numbers.iter().chain([&late]) {
            assert_eq!(scene.real(number).len(), 1, "{gone}: {number}");
        }
        let left = scene.m3.books().temporary.into_iter().filter(|head| head.stat < 90);
        assert_eq!(left.count(), 0, "{gone}: temporary orders");
        assert!(scene.listed().await.is_empty(), "{gone}");
        scene.close().await;
    }
}
