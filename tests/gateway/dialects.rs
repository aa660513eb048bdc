//! M3s that differ: names of transactions, versions of the API, spellings of answers.

use crate::harness::{Plot, Scene, eventually, order_of};
use causeway::flow::run::ReplayFrom;
use causeway_sim::m3::{Auth, Language, OrderEntryNames, Switches};
use std::collections::BTreeSet;

const DIVISION: &str = "division = \"AAA\"";

fn basic() -> Auth {
    Auth::Basic { user: "CAUSEWAY".to_owned(), password: "p:ä ss\"".to_owned() }
}

/// With the transaction names that this M3 has.
fn with_names(plot: Plot) -> Plot {
    let names = "transactions = { head = \"AddHead\", line = \"AddLine\" }";
    plot.edit("[order_to_cash.customer]", &format!("{names}\n[order_to_cash.customer]"))
}

/// Takes orders from the dice all the way and back.
async fn all_the_way(scene: &Scene, count: usize, told: &str) {
    let numbers = scene.shop.place_orders(count);
    for number in &numbers {
        scene.confirmed(number).await;
    }
    for number in &numbers {
        let shipped = async || {
            let booked = scene.shop.booked(number)?;
            (booked.shipping_status == "S").then_some(())
        };
        eventually(&format!("{told}: order {number} shipped"), shipped).await;
        scene.stage(number, "done").await;
    }
    assert!(scene.listed().await.is_empty(), "{told}");
}

fn transactions(scene: &Scene) -> BTreeSet<String> {
    scene.m3.what_it_saw().into_iter().map(|seen| seen.transaction).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_m3_that_has_addhead_and_addline_is_called_by_those_names() {
    let mut plot = with_names(Plot::calm());
    plot.m3.switches.order_entry_names = OrderEntryNames::AddHead;
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 3));
    scene.confirmed(&number).await;
    let called = transactions(&scene);
    assert!(called.contains("AddHead") && called.contains("AddLine"), "{called:?}");
    assert!(!called.contains("AddBatchHead") && !called.contains("AddBatchLine"), "{called:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_m3_does_not_have_park_the_order_and_say_so() {
    for as_200 in [false, true] {
        let mut plot = with_names(Plot::calm());
        plot.m3.switches.unknown_transaction_as_200 = as_200;
        let scene = plot.begin().await;
        let number = scene.shop.place(order_of(&scene.shop, 1));
        let cause = scene.parked(&number).await;
        assert!(["head-refused", "configuration"].contains(&cause), "{cause}");
        let text = scene.listed().await.remove(0).cause.text;
        assert!(text.contains("AddHead"), "{text}");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_m3_on_the_premises_is_called_with_a_password_and_the_first_version() {
    for single_as_object in [false, true] {
        let mut plot = Plot::calm().edit(DIVISION, &format!("{DIVISION}\napi = \"v1\""));
        plot.m3.auth = basic();
        plot.m3.pace_ms = 100;
        plot.m3.switches.single_as_object = single_as_object;
        let scene = plot.begin().await;
        all_the_way(&scene, 4, "Basic, v1").await;
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_m3_on_the_premises_is_called_with_a_password_and_the_second_version() {
    let mut plot = Plot::calm();
    plot.m3.auth = basic();
    plot.m3.pace_ms = 100;
    let scene = plot.begin().await;
    all_the_way(&scene, 4, "Basic, v2").await;
    scene.close().await;
}

/// One difference at a time, so that a failure names it.
#[tokio::test(flavor = "multi_thread")]
async fn each_way_in_which_m3s_spell_answers_is_understood() {
    let plain = Switches::plain();
    let table = [
        ("nok_as_400", Switches { nok_as_400: true, ..plain.clone() }),
        ("glued codes", Switches { glue_code_in_message: true, ..plain.clone() }),
        ("decimal comma", Switches { decimal_comma: true, ..plain.clone() }),
        ("no padding", Switches { pad: false, ..plain.clone() }),
        ("string flags", Switches { terminated_as_string: true, ..plain.clone() }),
        ("German", Switches { language: Language::De, nok_as_400: true, ..plain.clone() }),
        ("Swedish", Switches { language: Language::Sv, glue_code_in_message: true, ..plain }),
    ];
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 100;
    let scene = plot.begin().await;
    for (told, switches) in table {
        scene.m3.set_switches(switches);
        all_the_way(&scene, 2, told).await;
    }
    scene.close().await;
}

async fn drawn(seed: u64, api: &str) {
    let mut plot = Plot::calm().edit(DIVISION, &format!("{DIVISION}\napi = \"{api}\""));
    plot.m3.switches = Switches::drawn(seed);
    (plot.m3.pace_ms, plot.m3.partial_permille) = (100, 300);
    (plot.m3.seed, plot.shop.seed) = (seed, seed);
    let scene = plot.begin().await;
    all_the_way(&scene, 8, &format!("seed {seed}, {api}")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_m3_that_is_drawn_by_lot_gets_its_orders_by_the_second_version() {
    for seed in [1, 2, 3] {
        drawn(seed, "v2").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_m3_that_is_drawn_by_lot_gets_its_orders_by_the_first_version() {
    for seed in [4, 5, 6] {
        drawn(seed, "v1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_m3_checks_only_at_confirm_the_order_is_parked_there() {
    for nok in [true, false] {
        let mut plot = Plot::calm();
        plot.m3.switches.check_at_confirm = true;
        plot.m3.switches.confirm_nok_when_checks_fail = nok;
        let scene = plot.begin().await;
        let blocked = scene.shop.goods()[0].clone();
        scene.m3.set_item_status(&blocked.itno, "90");
        let number = scene.shop.place(order_of(&scene.shop, 2));
        assert_eq!(scene.parked(&number).await, "confirm-refused", "refused: {nok}");
        assert!(scene.real(&number).is_empty());
        scene.m3.set_item_status(&blocked.itno, "20");
        scene.replay(&number, ReplayFrom::Step).await;
        scene.confirmed(&number).await;
        scene.close().await;
    }
}
