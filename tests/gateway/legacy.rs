//! A shop of 5.0 to 5.4: the same promises over the add-on API, however the shop answers what the
//! notes leave open.

use crate::{
    harness::{PATIENCE, Plot, Scene, eventually, order_of, within},
    payments, process, stock,
    tools::{causeway, result},
};
use causeway::flow::run::ReplayFrom;
use causeway_sim::{
    m3::{ListedPrice, PriceKey},
    weather::Fault,
    xcart::{DateFilter, Depth, Legacy, OrderSpec, Seen, SurchargeKind},
};
use rust_decimal::Decimal;
use std::{fs, path::Path};

const CREDENTIAL: &str = "credential = \"xcart-token\"";
/// The key of the simulated shop, and how a hash of it begins.
const KEY: &str = "write-token-of-the-simulated-shop";
const HASH: &str = "9b71d224bd62f3785d96d46ad3ea3d73";

/// With an older shop that nobody hears of, and what the configuration says of it.
fn with(plot: Plot, kind: Legacy, said: &str) -> Plot {
    let mut plot = plot.silent().edit(CREDENTIAL, &format!("{CREDENTIAL}\n{said}"));
    plot.shop.legacy = Some(kind);
    plot
}

fn plot(kind: Legacy) -> Plot {
    with(Plot::calm(), kind, "dialect = \"legacy\"")
}

/// Older shops that answer in different ways, with what is said of them.
fn kinds() -> [(Legacy, &'static str); 3] {
    let calm = Legacy::calm();
    let uncut = Legacy { date_filter: DateFilter::Ignored, depth: Depth::Shallow, ..calm.clone() };
    [
        (calm, "dialect = \"legacy\""),
        (Legacy::odd(), "dialect = \"auto\""),
        (uncut, "legacy = { changes_days = 3 }"),
    ]
}

/// The calls of the add-on so far.
fn calls(scene: &Scene) -> Vec<Seen> {
    scene.shop.what_it_saw().into_iter().filter(|seen| seen.path == "/admin.php").collect()
}

/// How often a kind of call was made: `_method=put` and `_path=order/`, say.
fn made(scene: &Scene, parts: &[&str]) -> usize {
    let fits = |seen: &Seen| parts.iter().all(|part| seen.query.contains(part));
    calls(scene).into_iter().filter(fits).count()
}

/// Fails if anything was asked that must never be: a deletion, or a hash of a password.
fn harmless(scene: &Scene) {
    for Seen { method, query, .. } in calls(scene) {
        assert!(["GET", "POST"].contains(&method.as_str()), "{method} {query}");
        assert!(!query.to_lowercase().contains("delete"), "{query}");
        assert!(!query.contains("_schema"), "{query}");
    }
}

fn with_surcharges(scene: &Scene, lines: usize) -> OrderSpec {
    let order = order_of(&scene.shop, lines);
    let amount = |text: &str| text.parse::<Decimal>().unwrap();
    let order = order.surcharge(SurchargeKind::Shipping, "SHIPPING", amount("4.90"));
    let order = order.surcharge(SurchargeKind::Tax, "CDEV.STAX.1", amount("1.35"));
    order.surcharge(SurchargeKind::Discount, "DCOUPON", amount("-2"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_of_an_older_shop_is_in_m3_once_with_equal_lines_and_total() {
    for (kind, said) in kinds() {
        let scene = with(Plot::calm(), kind, said).begin().await;
        let mut numbers = scene.shop.place_orders(5);
        numbers.push(scene.shop.place(with_surcharges(&scene, 3)));
        for number in &numbers {
            scene.confirmed(number).await;
        }
        harmless(&scene);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_or_cancelled_in_an_older_shop_is_found() {
    for (kind, said) in kinds() {
        let scene = with(Plot::calm(), kind, said).begin().await;
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
        let total = scene.shop.booked(&numbers[0]).unwrap().total;
        let reread = async || {
            let now = scene.shown(&numbers[0]).await?.total?;
            now.starts_with(&total.to_string()).then_some(())
        };
        eventually(&format!("the total to become {total}"), reread).await;
        scene.m3.outage(false);
        scene.confirmed(&numbers[0]).await;
        assert!(scene.real(&numbers[1]).is_empty());
        scene.close().await;
    }
}

/// Orders that show which id each status has, and that nobody takes over.
fn show_statuses(scene: &Scene) {
    for code in ["S", "P"] {
        let number = scene.shop.place(order_of(&scene.shop, 1).payment_status("D"));
        assert!(scene.shop.set_shipping_status(&number, code));
    }
    scene.shop.place(order_of(&scene.shop, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_and_tracking_numbers_are_written_back_whatever_their_ids() {
    for (kind, said) in kinds() {
        let mut plot = with(Plot::calm(), kind, said);
        plot.m3.pace_ms = 100;
        let scene = plot.begin().await;
        show_statuses(&scene);
        let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("Q"));
        scene.stage(&number, "done").await;
        let booked = scene.shop.booked(&number).unwrap();
        let statuses = (booked.shipping_status.as_str(), booked.payment_status.as_str());
        assert_eq!(statuses, ("S", "P"), "{said}");
        let sent: Vec<String> =
            scene.real(&number).remove(0).deliveries.into_iter().filter_map(|d| d.etrn).collect();
        assert!(!sent.is_empty());
        assert_eq!(booked.tracking, sent, "{said}");
        assert!(scene.listed().await.is_empty(), "{said}");
        harmless(&scene);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_whose_id_nobody_knows_parks_the_order_until_it_is_known() {
    let mut plot = plot(Legacy { status_lists: false, ..Legacy::calm() });
    plot.m3.pace_ms = 100;
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    assert_eq!(scene.parked(&number).await, "configuration");
    let text = scene.listed().await.remove(0).cause.text;
    assert!(text.contains("xcart.legacy.shipping_status_ids"), "{text}");
    assert_eq!(scene.real(&number).len(), 1);
    show_statuses(&scene);
    let gone_on = async || {
        for row in scene.listed().await.iter().filter(|row| row.stands_still) {
            assert_eq!(row.cause.kind.name(), "configuration");
            scene.replay(row.key.trim_start_matches("X1"), ReplayFrom::Step).await;
        }
        (scene.shown(&number).await?.stage == "done").then_some(())
    };
    within(2 * PATIENCE, "the order to be done", gone_on).await;
    assert_eq!(scene.shop.booked(&number).unwrap().shipping_status, "S");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_write_nothing_twice() {
    let mut plot = plot(Legacy::calm());
    plot.m3.pace_ms = 100;
    let scene = plot.begin().await;
    for (method, path) in [
        ("PUT", "/admin.php/order/"),
        ("PUT", "/admin.php/order/"),
        ("POST", "/admin.php/ordertrackingnumber/"),
    ] {
        scene.shop.fault_next(method, path, Fault::CutAfter);
    }
    let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("Q"));
    scene.stage(&number, "done").await;
    let booked = scene.shop.booked(&number).unwrap();
    let sent = scene.real(&number).remove(0).deliveries.len();
    assert_eq!(booked.tracking.len(), sent, "{:?}", booked.tracking);
    assert_eq!((booked.shipping_status.as_str(), booked.payment_status.as_str()), ("S", "P"));
    let cut = calls(&scene).into_iter().filter(|seen| seen.status == 0).count();
    assert_eq!(cut, 3);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_added_to_what_the_staff_wrote() {
    let head = "[order_to_cash.customer]";
    let table = format!("[order_to_cash.invoices]\nnote = true\n{head}");
    let mut plot = with(Plot::calm().edit(head, &table), Legacy::odd(), "");
    plot.m3.pace_ms = 100;
    let scene = plot.begin().await;
    show_statuses(&scene);
    let order = order_of(&scene.shop, 1).payment_status("Q").admin_notes("Ring twice.");
    let number = scene.shop.place(order);
    scene.stage(&number, "done").await;
    let ivno = scene.real(&number).remove(0).invoices.remove(0).ivno.to_string();
    let noted = scene.shop.booked(&number).unwrap().admin_notes;
    assert!(noted.starts_with("Ring twice.\n") && noted.contains(&ivno), "{noted}");
    assert_eq!(noted.lines().count(), 2, "{noted}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_of_an_older_shop_are_posted_once() {
    for kind in [Legacy::calm(), Legacy::odd()] {
        let plot = payments::posting(payments::PREPAYMENT, "post");
        let scene = with(plot, kind, "dialect = \"legacy\"").begin().await;
        show_statuses(&scene);
        let number = scene.shop.place(order_of(&scene.shop, 2));
        scene.confirmed(&number).await;
        let total = scene.shop.booked(&number).unwrap().total;
        assert_eq!(payments::paid(&scene, &number, 1).await[0].amount, total);
        scene.stage(&number, "follow").await;
        scene.shop.refund(&number, payments::amount("0.50")).unwrap();
        let back = payments::paid(&scene, &number, 2).await;
        assert!(back.iter().any(|p| p.amount == payments::amount("-0.50")), "{back:?}");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_and_prices_of_products_and_variants_follow_m3() {
    for kind in [Legacy::calm(), Legacy { lists_by_id: true, ..Legacy::odd() }] {
        let prices =
            "[prices]\nlist = \"WEB\"\ncurrency = \"EUR\"\nmode = \"write\"\npoll_s = 1\n[stock]";
        let plot = stock::writing().edit("[stock]", prices);
        let scene = with(plot, kind, "dialect = \"legacy\"").begin().await;
        let products = scene.shop.products();
        stock::equal(&scene).await;
        let goods = scene.shop.goods();
        // Each ninth is a variant of the one before it.
        for item in [&goods[0], &goods[8]] {
            scene.shop.fault_next("PUT", "/admin.php/", Fault::CutAfter);
            scene.m3.set_stock("001", &item.itno, Decimal::from(17));
            scene.m3.set_stock("002", &item.itno, Decimal::from(5));
            stock::follows(&scene, &item.sku, 22).await;
            let price = ListedPrice::plain("12.3450".parse().unwrap());
            scene.m3.set_listed_price(PriceKey::of("WEB", &item.itno, "20200101"), price);
            let costs = async || {
                let price = scene.shop.price(&item.sku)?;
                (price == "12.345".parse().unwrap()).then_some(())
            };
            eventually(&format!("{} to cost 12.345", item.sku), costs).await;
        }
        assert!(made(&scene, &["xc-productvariants-productvariant/", "_method=put"]) > 0);
        assert!(made(&scene, &["_path=product/", "_method=put"]) > 0);
        assert_eq!(scene.shop.products(), products, "nothing was deleted");
        harmless(&scene);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_the_time_when_the_gateway_was_down_are_found_list_by_list() {
    let mut scene = plot(Legacy::calm()).begin().await;
    let before = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&before).await;
    scene.stop().await;
    let numbers: Vec<_> = (0..230).map(|_| scene.shop.place(OrderSpec::simple())).collect();
    scene.start().await;
    let all = async || (scene.m3.books().orders.len() == 231).then_some(());
    within(3 * PATIENCE, "every order", all).await;
    for number in [&before, &numbers[0], &numbers[229]] {
        scene.confirmed(number).await;
    }
    assert!(made(&scene, &["limit%5D%5B0%5D=190"]) > 0, "the list has two parts");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_compared_and_what_is_looked_at_has_no_password() {
    for kind in [Legacy::calm(), Legacy::odd()] {
        let scene = plot(kind).begin().await;
        scene.m3.hold_deliveries(true);
        show_statuses(&scene);
        let numbers = scene.shop.place_orders(4);
        for number in &numbers {
            scene.confirmed(number).await;
            scene.stage(number, "follow").await;
        }
        let said = causeway(&scene, &["reconcile"]).await;
        assert_eq!(said.status, 0, "{said:?}");
        // Two of them nobody takes over.
        assert!(said.out.starts_with("7 orders: "), "{said:?}");
        let id = scene.shop.booked(&numbers[0]).unwrap().id;
        for path in
            [format!("/order/{id}"), "/profile".to_owned(), "/order?_cnd[recent]=1".to_owned()]
        {
            let said = causeway(&scene, &["xcart", "get", &path]).await;
            assert_eq!(said.status, 0, "{said:?}");
            assert!(
                said.out.contains("order_id") || said.out.contains("profile_id"),
                "{}",
                said.out
            );
            assert!(!said.out.contains("password") && !said.out.contains(HASH), "{}", said.out);
        }
        for path in ["/order?_method=delete", "/product/5?%5Fmethod=delete", "/order/0", "/nothing"]
        {
            let said = causeway(&scene, &["xcart", "get", path]).await;
            assert_ne!(said.status, 0, "{path}: {said:?}");
            assert!(!format!("{said:?}").contains(KEY), "{said:?}");
        }
        assert_eq!(scene.shop.books().len(), 7);
        harmless(&scene);
        scene.close().await;
    }
}

/// Every file below a folder that holds one of these texts.
fn holding(folder: &Path, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, texts));
        } else if let Ok(bytes) = fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            if texts.iter().any(|part| text.contains(part)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_log_no_error_and_no_file_of_the_gateway() {
    let kind = Legacy { depth: Depth::Shallow, ..Legacy::calm() };
    let mut plot = plot(kind);
    plot.m3.pace_ms = 100;
    let scene = Box::pin(plot.set()).await;
    let log = scene.config().with_extension("told");
    let mut child = process::spawn(&scene.config(), &log);
    let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("Q"));
    for (method, fault) in [("PUT", Fault::CutAfter), ("GET", Fault::ServerError(500))] {
        scene.shop.fault_next(method, "/admin.php/order/", fault);
    }
    let done = async || {
        let booked = scene.shop.booked(&number)?;
        (booked.shipping_status == "S" && !booked.tracking.is_empty()).then_some(())
    };
    within(2 * PATIENCE, "the order to be shipped", done).await;
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(doctor.status, 0, "{doctor:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(process::log_says(&log, "_path=order/"), "calls are logged at this level");
    for part in [KEY, "_key=", HASH] {
        assert!(!process::log_says(&log, part), "{part} is in the log");
    }
    assert_eq!(holding(&scene.state(), &[KEY, HASH]), Vec::<String>::new());
    assert!(!format!("{doctor:?}").contains(KEY));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_and_check_say_what_an_older_shop_is_and_cannot_do() {
    let scene = Box::pin(plot(Legacy::calm()).set()).await;
    let check = causeway(&scene, &["check"]).await;
    assert_eq!(check.status, 0, "{check:?}");
    assert!(
        check.out.contains("X-Cart 5.0 to 5.4") && check.out.contains("no webhooks"),
        "{}",
        check.out
    );
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "xcart", "login"), "ok", "{}", doctor.out);
    assert!(doctor.out.contains("no wholesale prices"), "{}", doctor.out);
    scene.write_credential("xcart-token", "a key that nobody gave out");
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "xcart", "login"), "FAILED", "{}", doctor.out);
    assert!(doctor.out.contains("refused our key"), "{}", doctor.out);
    assert!(!format!("{doctor:?}").contains("a key that nobody"), "{doctor:?}");
    scene.write_credential("xcart-token", KEY);
    scene.shop.set_legacy(Some(Legacy { switched_off: true, ..Legacy::calm() }));
    let doctor = causeway(&scene, &["doctor"]).await;
    assert_eq!(result(&doctor.out, "xcart", "login"), "FAILED", "{}", doctor.out);
    assert!(doctor.out.contains("is the add-on REST API on?"), "{}", doctor.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_refuses_what_an_older_shop_cannot_do_with_the_reason() {
    let table = [
        ("[items]\ndescription = [\"FUDS\"]\nupdate = [\"description\"]\n", "items"),
        ("[buyers]\ndisable_where = { BLCD = [\"1\"] }\n", "buyers"),
        ("[prices]\nlist = \"WEB\"\ncurrency = \"EUR\"\n[prices.wholesale]\n", "prices.wholesale"),
    ];
    for (text, key) in table {
        let plot = plot(Legacy::calm()).edit("[m3]\n", &format!("{text}[m3]\n"));
        let scene = Box::pin(plot.set()).await;
        let check = causeway(&scene, &["check"]).await;
        assert_eq!(check.status, 78, "{key}: {check:?}");
        assert!(
            check.err.contains(key) && check.err.contains("needs a shop of 5.5"),
            "{}",
            check.err
        );
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_key_a_switched_off_add_on_and_an_outage_lose_nothing() {
    let mut scene = plot(Legacy::calm()).begin().await;
    scene.shop.set_legacy(Some(Legacy { switched_off: true, ..Legacy::calm() }));
    let number = scene.shop.place(order_of(&scene.shop, 1));
    let asked = calls(&scene).len();
    let again = async || (calls(&scene).len() > asked + 2).then_some(());
    eventually("the shop to be asked again", again).await;
    assert!(scene.shown(&number).await.is_none());
    scene.shop.set_legacy(Some(Legacy::calm()));
    scene.confirmed(&number).await;
    scene.shop.outage(true);
    let other = scene.shop.place(order_of(&scene.shop, 2));
    scene.shop.outage(false);
    scene.confirmed(&other).await;
    // With the key that may only read, orders go on and statuses wait for a person.
    scene.stop().await;
    scene.write_credential("xcart-token", "read-token-of-the-simulated-shop");
    Box::pin(scene.start()).await;
    let third = scene.shop.place(order_of(&scene.shop, 1));
    scene.confirmed(&third).await;
    scene.parked(&third).await;
    let rows = scene.listed().await;
    assert!(rows.iter().any(|row| row.cause.text.contains("may only read")), "{rows:?}");
    scene.close().await;
}
