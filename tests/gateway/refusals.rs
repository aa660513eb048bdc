//! What M3 or the mapping refuses: set aside with its cause, taken up again by a person.

use crate::harness::{Plot, eventually, key, order_of};
use causeway::flow::run::ReplayFrom;
use causeway_sim::{
    catalogue::Item,
    m3::Trouble,
    xcart::{Address, OrderSpec, SurchargeKind},
};
use rust_decimal::Decimal;

/// Goods that only the shop knows.
fn novelty() -> Item {
    Item {
        sku: "NOVELTY-1".to_owned(),
        itno: "NOVELTY-1".to_owned(),
        alias: None,
        name: "Something new".to_owned(),
        price: Decimal::new(1_250, 2),
        status: "20".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_is_blocked_in_m3_parks_the_order_until_it_is_unblocked() {
    let scene = Plot::calm().begin().await;
    let first = scene.shop.place(OrderSpec::simple().email("otto@example.org"));
    let cuno = scene.confirmed(&first).await.cuno;
    scene.m3.block_customer(&cuno);
    let second = scene.shop.place(OrderSpec::simple().email("otto@example.org"));
    assert_eq!(scene.parked(&second).await, "customer-refused");
    assert!(scene.real(&second).is_empty());
    scene.m3.unblock_customer(&cuno);
    scene.replay(&second, ReplayFrom::Step).await;
    assert_eq!(scene.confirmed(&second).await.cuno, cuno);
    assert!(scene.listed().await.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_is_blocked_between_look_and_order_parks_it_too() {
    let scene = Plot::calm().begin().await;
    scene.m3.trouble_next("OIS100MI", "AddBatchHead", Trouble::Refused("WCU0203".to_owned()));
    let number = scene.shop.place(OrderSpec::simple());
    let cause = scene.parked(&number).await;
    assert!(["customer-refused", "head-refused"].contains(&cause), "{cause}");
    scene.replay(&number, ReplayFrom::Step).await;
    scene.confirmed(&number).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_that_m3_does_not_know_parks_the_order_until_the_item_is_there() {
    let mut plot = Plot::calm();
    plot.shop.items.push(novelty());
    let scene = plot.begin().await;
    let item = novelty();
    let number = scene.shop.place(order_of(&scene.shop, 1).line(&item.sku, 3, item.price));
    assert_eq!(scene.parked(&number).await, "unknown-sku");
    let listed = scene.listed().await;
    assert!(listed[0].cause.text.contains("NOVELTY-1"), "{}", listed[0].cause.text);
    assert!(scene.m3.books().temporary.is_empty(), "nothing may be begun without every item");
    scene.m3.add_item(&item);
    scene.replay(&number, ReplayFrom::Step).await;
    scene.confirmed(&number).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_blocked_in_m3_parks_the_order_and_leaves_no_short_one() {
    let scene = Plot::calm().begin().await;
    let blocked = scene.shop.goods()[2].clone();
    scene.m3.set_item_status(&blocked.itno, "90");
    let number = scene.shop.place(order_of(&scene.shop, 4));
    assert_eq!(scene.parked(&number).await, "line-refused");
    let gone = async || scene.m3.books().temporary.is_empty().then_some(());
    eventually("the temporary order to be taken back", gone).await;
    scene.m3.set_item_status(&blocked.itno, "20");
    scene.replay(&number, ReplayFrom::Step).await;
    assert_eq!(scene.confirmed(&number).await.lines.len(), 4);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_the_wrong_type_and_a_field_that_m3_refuses_park_as_line_refused() {
    let scene = Plot::calm().begin().await;
    let table = [
        // transaction, message of M3
        ("AddBatchLine", "XNU0003"),
        ("AddBatchLine", "WQT0102"),
        ("AddBatchAddress", "X_00200"),
        ("AddBatchHeadChg", "WCRI103"),
    ];
    for (transaction, message) in table {
        scene.m3.trouble_next("OIS100MI", transaction, Trouble::Refused(message.to_owned()));
        let spec = order_of(&scene.shop, 2);
        let number =
            scene.shop.place(spec.surcharge(SurchargeKind::Shipping, "SHIPPING", Decimal::ONE));
        assert_eq!(scene.parked(&number).await, "line-refused", "{transaction} {message}");
        assert!(scene.real(&number).is_empty());
        scene.replay(&number, ReplayFrom::Step).await;
        scene.confirmed(&number).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_add_up_or_cannot_be_mapped_never_reaches_m3() {
    let scene = Plot::calm().begin().await;
    let one = Decimal::ONE;
    let table = [
        ("total-does-not-add-up", OrderSpec::simple().total_off_by(Decimal::new(500, 2))),
        ("no-lines", OrderSpec::simple().without_lines()),
        ("unmapped-surcharge", OrderSpec::simple().surcharge(SurchargeKind::Handling, "GIFT", one)),
        ("no-sku", OrderSpec::simple().line("", 1, one)),
        ("unfit-value", OrderSpec::simple().email("")),
    ];
    for (cause, spec) in table {
        let number = scene.shop.place(spec);
        assert_eq!(scene.parked(&number).await, cause);
        assert!(scene.m3.books().temporary.is_empty(), "{cause}");
    }
    assert_eq!(scene.listed().await.len(), 5);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_confirm_refuses_waits_for_a_person_who_mends_it_in_m3() {
    let scene = Plot::calm().begin().await;
    let first = scene.shop.place(OrderSpec::simple().email("credit@example.org"));
    let cuno = scene.confirmed(&first).await.cuno;
    scene.m3.set_customer_field(&cuno, "BLCD", "1");
    let second = scene.shop.place(OrderSpec::simple().email("credit@example.org"));
    let cause = scene.parked(&second).await;
    assert!(["confirm-refused", "customer-refused"].contains(&cause), "{cause}");
    assert!(scene.real(&second).is_empty());
    scene.m3.set_customer_field(&cuno, "BLCD", "0");
    scene.replay(&second, ReplayFrom::Step).await;
    scene.confirmed(&second).await;
    assert_eq!(scene.stage(&second, "follow").await.key, key(&second));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_country_that_m3_does_not_know_parks_the_order() {
    let scene = Plot::calm().begin().await;
    let nowhere = Address { country_code: "D".to_owned(), ..Address::simple() };
    let table = [
        ("customer-refused", OrderSpec::simple().billing(Some(nowhere.clone()))),
        ("line-refused", OrderSpec::simple().email("x@example.org").shipping(Some(nowhere))),
    ];
    for (cause, spec) in table {
        let number = scene.shop.place(spec);
        assert_eq!(scene.parked(&number).await, cause);
        assert!(scene.real(&number).is_empty());
    }
    scene.close().await;
}
