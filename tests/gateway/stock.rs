//! The shop's stock follows M3.

use crate::{
    harness::{PATIENCE, Plot, Scene, eventually, within},
    ion,
    process::Process,
    tools::causeway,
};
use causeway_sim::{
    catalogue::Item,
    ion::{Encoding, Options, Way, bods},
    xcart::OrderSpec,
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

/// A table of the stock flow in front of that of the orders.
fn plot(table: &str) -> Plot {
    let stock = format!(
        "[stock]\nwarehouses = [\"001\", \"002\"]\npoll_s = 1\noverlap_s = 5\n{table}\n[order_to_cash]"
    );
    Plot::calm().edit("[order_to_cash]", &stock)
}

pub(crate) fn writing() -> Plot {
    plot("mode = \"write\"")
}

/// What M3 has to sell of an item, over both warehouses.
fn in_m3(scene: &Scene, item: &Item) -> i64 {
    let of = |whlo: &str| scene.m3.stock(whlo, &item.itno).map_or(Decimal::ZERO, |(_, av02)| av02);
    (of("001") + of("002")).floor().max(Decimal::ZERO).to_i64().unwrap()
}

/// The goods of which the shop has another number than M3.
fn differing(scene: &Scene) -> Vec<(String, Option<i64>, i64)> {
    let goods = scene.shop.goods().into_iter();
    let pairs = goods.map(|item| {
        let (has, wants) = (scene.shop.amount(&item.sku), in_m3(scene, &item));
        (item.sku, has, wants)
    });
    pairs.filter(|(_, has, wants)| *has != Some(*wants)).collect()
}

pub(crate) async fn equal(scene: &Scene) {
    let equal = async || differing(scene).is_empty().then_some(());
    let what = "the shop to have what M3 has";
    within(2 * PATIENCE, what, equal).await;
}

/// How often the shop was told a number of pieces of anything, or of one SKU.
fn told(scene: &Scene) -> usize {
    let seen = scene.shop.what_it_saw().into_iter();
    seen.filter(|seen| seen.method == "PUT" && seen.body.contains("amount")).count()
}

pub(crate) async fn follows(scene: &Scene, sku: &str, wants: i64) {
    let what = format!("{wants} pieces of {sku}");
    let amount = async || (scene.shop.amount(sku) == Some(wants)).then_some(());
    eventually(&what, amount).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_gets_every_number_and_each_change_once() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let goods = scene.shop.goods();
    let told_first = told(&scene);
    assert!(told_first <= goods.len(), "{told_first} writes for {} goods", goods.len());
    assert!(goods.iter().any(|item| item.sku != item.itno), "some are known by an alias only");
    let item = &goods[0];
    scene.m3.set_stock("001", &item.itno, Decimal::from(17));
    scene.m3.set_stock("002", &item.itno, Decimal::from(5));
    follows(&scene, &item.sku, 22).await;
    scene.m3.set_stock("002", &item.itno, Decimal::from(-30));
    follows(&scene, &item.sku, 0).await;
    assert!(told(&scene) <= told_first + 3);
    let said = causeway(&scene, &["goods", "show", &item.sku]).await;
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(said.out.contains("warehouse 001") && said.out.contains("-30"), "{}", said.out);
    let said = causeway(&scene, &["goods", "list", "--only", "differing", "--as", "csv"]).await;
    assert_eq!(said.out.lines().count(), 1, "{}", said.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_watches_is_shown_the_differences_and_nothing_is_written() {
    let mut scene = plot("").begin().await;
    let want = differing(&scene).len();
    assert!(want > 10, "the two begin with other numbers");
    let listed = async || {
        let said =
            causeway(&scene, &["goods", "list", "--only", "differing", "--as", "json"]).await;
        (said.out.lines().count() == want).then_some(said.out)
    };
    let listed = eventually("all differences to be listed", listed).await;
    let (sku, has, wants) = differing(&scene).swap_remove(0);
    let line = listed.lines().find(|line| line.contains(&format!("\"sku\":\"{sku}\""))).unwrap();
    assert!(line.contains(&format!("\"has\":{}", has.unwrap())), "{line}");
    assert!(line.contains(&format!("\"wants\":{wants}")), "{line}");
    let said = causeway(&scene, &["goods"]).await;
    assert!(said.out.contains("watch, nothing is written"), "{}", said.out);
    assert_eq!(told(&scene), 0);
    // Who is content with what was shown need not wait until M3 changes it.
    scene.stop().await;
    let config = std::fs::read_to_string(scene.config()).unwrap();
    let write = config.replace("[stock]\n", "[stock]\nmode = \"write\"\n");
    std::fs::write(scene.config(), write).unwrap();
    Box::pin(scene.start()).await;
    equal(&scene).await;
    // The same for other settings: M3 has not changed, what is for sale has.
    scene.stop().await;
    let safe = std::fs::read_to_string(scene.config()).unwrap();
    let item = scene.shop.goods().into_iter().find(|item| in_m3(&scene, item) > 9).unwrap();
    let safety = format!("[stock]\nsafety_of = {{ {:?} = \"9\" }}\n", item.itno);
    std::fs::write(scene.config(), safe.replace("[stock]\n", &safety)).unwrap();
    Box::pin(scene.start()).await;
    follows(&scene, &item.sku, in_m3(&scene, &item) - 9).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_while_the_shop_is_away_become_one_write() {
    let scene = writing().begin().await;
    equal(&scene).await;
    scene.shop.outage(true);
    let item = scene.shop.goods().swap_remove(1);
    let before = told(&scene);
    for on_hand in 1..=30 {
        scene.m3.set_stock("001", &item.itno, Decimal::from(on_hand));
        scene.m3.set_stock("002", &item.itno, Decimal::ZERO);
    }
    let waits = async || {
        let said = causeway(&scene, &["goods", "show", &item.sku]).await;
        said.out.contains("it waits to be compared or written").then_some(())
    };
    eventually("the item to wait", waits).await;
    scene.shop.outage(false);
    follows(&scene, &item.sku, 30).await;
    let taken =
        scene.shop.what_it_saw().into_iter().filter(|seen| {
            seen.method == "PUT" && seen.status == 200 && seen.body.contains("amount")
        });
    let taken: Vec<_> = taken.map(|seen| (seen.at_ms % 100_000, seen.path, seen.body)).collect();
    assert_eq!(taken.len(), before + 1, "{taken:#?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ordered_and_is_not_in_m3_is_not_for_sale_again() {
    let scene = writing().begin().await;
    equal(&scene).await;
    // Orders cannot be made, balances can be read.
    let refused = || causeway_sim::m3::Trouble::Refused("WXX9999".to_owned());
    scene.m3.trouble_next("OIS100MI", "AddBatchHead", refused());
    let number = scene.shop.place(OrderSpec::simple());
    scene.parked(&number).await;
    let line = scene.shop.booked(&number).unwrap().lines.swap_remove(0);
    let item = scene.shop.goods().into_iter().find(|item| item.sku == line.sku).unwrap();
    scene.m3.set_stock("001", &item.itno, Decimal::from(100));
    scene.m3.set_stock("002", &item.itno, Decimal::ZERO);
    follows(&scene, &item.sku, 100 - i64::from(line.quantity)).await;
    scene.replay(&number, causeway::flow::run::ReplayFrom::Step).await;
    scene.confirmed(&number).await;
    // M3 has it reserved now, so the number stays what it is.
    let held = async || {
        let said = causeway(&scene, &["goods", "show", &item.sku]).await;
        said.out.contains(&format!("{}", 100 - line.quantity)).then_some(())
    };
    eventually("the order to be reserved", held).await;
    assert!(scene.shop.amount(&item.sku).unwrap() <= 100 - i64::from(line.quantity));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_shop_puts_back_for_an_order_that_m3_has_is_not_for_sale() {
    let scene = plot("mode = \"write\"\nhold_confirmed_s = 2").begin().await;
    equal(&scene).await;
    let number = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&number).await;
    let line = scene.shop.booked(&number).unwrap().lines.swap_remove(0);
    let item = scene.shop.goods().into_iter().find(|item| item.sku == line.sku).unwrap();
    let settled = async || {
        let said = causeway(&scene, &["goods", "show", &item.sku]).await;
        let held = said.out.lines().find(|line| line.contains("not in M3 yet"))?.to_owned();
        held.ends_with(" 0").then_some(())
    };
    eventually("the order to be forgotten by the goods", settled).await;
    equal(&scene).await;
    scene.shop.cancel(&number);
    scene.parked(&number).await;
    // M3 has the pieces reserved until somebody deletes the order there.
    equal(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_between_loses_no_change() {
    let scene = writing().set().await;
    let mut process = Process::start(&scene).await;
    for round in 1..=4_usize {
        let wanted = told(&scene) + 3;
        for (at, item) in scene.shop.goods().iter().enumerate() {
            let on_hand = Decimal::from(at * 7 + round * 100);
            scene.m3.set_stock("001", &item.itno, on_hand);
        }
        let some = async || (told(&scene) >= wanted).then_some(());
        eventually("some to be told", some).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    equal(&scene).await;
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_lacks_the_warehouse_empties_nothing() {
    let mut scene = writing().begin().await;
    equal(&scene).await;
    scene.stop().await;
    let config = std::fs::read_to_string(scene.config()).unwrap();
    std::fs::write(scene.config(), config.replace(r#"["001", "002"]"#, r#"["009"]"#)).unwrap();
    let before = told(&scene);
    Box::pin(scene.start()).await;
    causeway(&scene, &["goods", "refresh"]).await;
    let number = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&number).await;
    let said = causeway(&scene, &["goods"]).await;
    assert!(said.out.contains("M3 was asked not since the start"), "{}", said.out);
    assert_eq!(told(&scene), before, "nothing is known of warehouse 009");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_somebody_changed_in_the_shop_is_found_and_made_good() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let item = scene.shop.goods().swap_remove(2);
    scene.shop.set_amount(&item.sku, 9_999);
    let said = causeway(&scene, &["goods", "refresh"]).await;
    assert_eq!(said.status, 0, "{}", said.err);
    equal(&scene).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_the_shop_refuses_holds_up_no_other() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let goods = scene.shop.goods();
    let (gone, other) = (&goods[0], &goods[1]);
    scene.shop.remove_product(&gone.sku);
    scene.m3.set_stock("001", &gone.itno, Decimal::from(3));
    scene.m3.set_stock("001", &other.itno, Decimal::from(333));
    scene.m3.set_stock("002", &other.itno, Decimal::ZERO);
    follows(&scene, &other.sku, 333).await;
    let forgotten = async || {
        let said = causeway(&scene, &["goods", "show", &gone.sku]).await;
        (said.status != 0 && said.err.contains("has no SKU")).then_some(())
    };
    eventually("the product to be forgotten", forgotten).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_ion_tells_of_brings_the_stock_at_once() {
    let stock = "[stock]\nwarehouses = [\"001\", \"002\"]\nmode = \"write\"\npoll_s = 86400\n\n[order_to_cash]";
    let mut scene = ion::set(ion::plot().edit("[order_to_cash]", stock)).await;
    Box::pin(scene.start()).await;
    equal(&scene).await;
    let item = scene.shop.goods().swap_remove(3);
    scene.m3.set_stock("001", &item.itno, Decimal::from(41));
    scene.m3.set_stock("002", &item.itno, Decimal::ONE);
    let mut ion = ion::ion(&scene, Options::calm(Way::Multipart(Encoding::None)));
    let lines = [(item.itno.clone(), Decimal::from(41))];
    let report = ion.publish(&[bods::inventory_count("C1", 1, &lines)]).await;
    assert!(report.refused.is_empty(), "{report:?}");
    follows(&scene, &item.sku, 42).await;
    scene.close().await;
}
