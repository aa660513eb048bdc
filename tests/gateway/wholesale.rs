//! The shop's prices by quantity and for memberships follow M3.

use crate::{
    harness::{PATIENCE, Plot, Scene, eventually, within},
    process::Process,
    tools::causeway,
};
use causeway_sim::{
    catalogue::Item,
    m3::{ListedPrice, PriceKey},
    weather::{Fault, Weather},
    xcart::Quirks,
};
use rust_decimal::Decimal;

/// Ids of the shop's two memberships.
const WHOLESALE: Option<u64> = Some(4);
const DEALERS: Option<u64> = Some(5);

/// What a SKU costs: from so many pieces on, for whom, the price.
type Wants<'a> = &'a [(u64, Option<u64>, &'a str)];

fn plot(prices: &str, wholesale: &str) -> Plot {
    let text = format!(
        "[prices]\nlist = \"WEB\"\ncurrency = \"EUR\"\npoll_s = 1\noverlap_s = 5\n{prices}\n[prices.wholesale]\nquiet_s = 2\n{wholesale}\n\n[order_to_cash]"
    );
    Plot::calm().edit("[order_to_cash]", &text)
}

fn writing(wholesale: &str) -> Plot {
    plot("mode = \"write\"", wholesale)
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A price of M3 from so many pieces on.
fn lists(scene: &Scene, item: &Item, (list, quantity): (&str, u64), price: &str) {
    let key = PriceKey { quantity, ..PriceKey::of(list, &item.itno, "20200101") };
    scene.m3.set_listed_price(key, ListedPrice::plain(decimal(price)));
}

fn unlists(scene: &Scene, item: &Item, (list, quantity): (&str, u64)) {
    let key = PriceKey { quantity, ..PriceKey::of(list, &item.itno, "20200101") };
    scene.m3.remove_listed_price(&key);
}

fn has(scene: &Scene, sku: &str, wants: Wants<'_>) -> bool {
    let wants: Vec<_> =
        wants.iter().map(|(from, of, price)| (*from, *of, decimal(price).normalize())).collect();
    scene.shop.wholesale(sku) == wants
}

async fn costs(scene: &Scene, sku: &str, wants: Wants<'_>) {
    let look = async || has(scene, sku, wants).then_some(());
    let found = tokio::time::timeout(PATIENCE, within(2 * PATIENCE, "", look)).await;
    let now = scene.shop.wholesale(sku);
    assert!(found.is_ok(), "{sku} should cost {wants:?}, and costs {now:?}");
}

/// Calls about wholesale prices: how many of this method.
fn calls(scene: &Scene, method: &str) -> usize {
    let seen = scene.shop.what_it_saw().into_iter();
    seen.filter(|seen| seen.method == method && seen.path.contains("wholesale_prices")).count()
}

async fn told(scene: &Scene, sku: &str, text: &str) {
    let shown = async || causeway(scene, &["goods", "show", sku]).await;
    let look = async || shown().await.out.contains(text).then_some(());
    let found = tokio::time::timeout(PATIENCE, within(2 * PATIENCE, "", look)).await;
    assert!(found.is_ok(), "{text:?} should be told: {}", shown().await.out);
}

/// Has M3's lists and the shop's goods read anew, and waits until the shop was.
async fn refresh(scene: &Scene) {
    let pages = || {
        let seen = scene.shop.what_it_saw().into_iter();
        seen.filter(|seen| seen.method == "GET" && seen.path == "/api/products").count()
    };
    let before = pages();
    let said = causeway(scene, &["goods", "refresh"]).await;
    assert_eq!(said.status, 0, "{}", said.err);
    eventually("the shop to be read", async || (pages() > before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_are_added_changed_and_removed_with_the_fewest_calls() {
    let scene = writing("").begin().await;
    let item = scene.shop.goods().swap_remove(0);
    lists(&scene, &item, ("WEB", 10), "9.5");
    lists(&scene, &item, ("WEB", 100), "8.25");
    costs(&scene, &item.sku, &[(10, None, "9.5"), (100, None, "8.25")]).await;
    assert_eq!((calls(&scene, "GET"), calls(&scene, "POST")), (1, 2), "no other product is asked");
    lists(&scene, &item, ("WEB", 10), "9");
    costs(&scene, &item.sku, &[(10, None, "9"), (100, None, "8.25")]).await;
    assert_eq!((calls(&scene, "GET"), calls(&scene, "PUT")), (1, 1), "what the shop has is known");
    // Only a whole list says that something is gone.
    unlists(&scene, &item, ("WEB", 100));
    lists(&scene, &item, ("WEB", 50), "8.5");
    refresh(&scene).await;
    costs(&scene, &item.sku, &[(10, None, "9"), (50, None, "8.5")]).await;
    unlists(&scene, &item, ("WEB", 10));
    unlists(&scene, &item, ("WEB", 50));
    refresh(&scene).await;
    costs(&scene, &item.sku, &[]).await;
    let reads = calls(&scene, "GET");
    refresh(&scene).await;
    lists(&scene, &item, ("WEB", 0), "11");
    let price = async || (scene.shop.price(&item.sku) == Some(decimal("11"))).then_some(());
    eventually("the price for one", price).await;
    assert_eq!(calls(&scene, "GET"), reads, "a product without levels is not asked");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_have_prices_of_their_own_and_others_keep_theirs() {
    let tables = "memberships = { \"Wholesale\" = \"B2B\", \"Nobody\" = \"B2B\" }";
    let scene = writing(tables).set().await;
    let item = scene.shop.goods().swap_remove(0);
    lists(&scene, &item, ("B2B", 0), "8");
    lists(&scene, &item, ("B2B", 20), "7");
    lists(&scene, &item, ("WEB", 10), "9.5");
    scene.shop.add_wholesale(&item.sku, (5, DEALERS), 3.33);
    scene.shop.add_wholesale(&item.sku, (20, WHOLESALE), 6.0);
    scene.shop.add_wholesale(&item.sku, (30, WHOLESALE), 5.0);
    let mut scene = scene;
    Box::pin(scene.start()).await;
    let wants: Wants<'_> =
        &[(1, WHOLESALE, "8"), (5, DEALERS, "3.33"), (10, None, "9.5"), (20, WHOLESALE, "7")];
    costs(&scene, &item.sku, wants).await;
    told(&scene, &item.sku, "the shop has no membership Nobody").await;
    told(&scene, &item.sku, "20+ for Wholesale").await;
    // A variant has its own.
    let variant = scene.shop.goods().into_iter().find(|it| scene.shop.product(&it.sku).is_none());
    let variant = variant.unwrap();
    lists(&scene, &variant, ("WEB", 3), "2.5");
    costs(&scene, &variant.sku, &[(3, None, "2.5")]).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_watches_is_shown_the_differences() {
    let scene = plot("", "foreign = \"remove\"").set().await;
    let item = scene.shop.goods().swap_remove(0);
    lists(&scene, &item, ("WEB", 10), "9.5");
    scene.shop.add_wholesale(&item.sku, (10, None), 9.0);
    scene.shop.add_wholesale(&item.sku, (10, None), 9.0);
    scene.shop.add_wholesale(&item.sku, (5, DEALERS), 3.33);
    let mut scene = scene;
    Box::pin(scene.start()).await;
    told(&scene, &item.sku, "wholesale 10+ for everybody: 9 -> 9.5").await;
    told(&scene, &item.sku, "5+ for membership 5: 3.33 goes").await;
    told(&scene, &item.sku, "two wholesale prices 10+ for everybody").await;
    let asked = ["goods", "list", "--only", "differing", "--as", "csv"];
    let listed = causeway(&scene, &asked).await;
    assert!(listed.out.contains("wholesale 10+ for everybody"), "{}", listed.out);
    let writes = ["PUT", "POST", "DELETE"].map(|method| calls(&scene, method));
    assert_eq!(writes, [0, 0, 0]);
    scene.stop().await;
    let config = std::fs::read_to_string(scene.config()).unwrap();
    let write = config.replace("[prices]\n", "[prices]\nmode = \"write\"\n");
    std::fs::write(scene.config(), write).unwrap();
    Box::pin(scene.start()).await;
    costs(&scene, &item.sku, &[(10, None, "9.5")]).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_adds_no_second_price() {
    let scene = writing("").begin().await;
    let goods = scene.shop.goods();
    let faults = [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::StillExecuting { late_ms: 1_500 },
        Fault::ServerError(500),
        Fault::ServerError(503),
        Fault::TooMany { retry_after_s: Some(1) },
    ];
    for (item, fault) in goods.iter().zip(faults) {
        let product = scene.shop.product(&item.sku).unwrap();
        let path = format!("/api/products/{}/wholesale_prices", product["id"]);
        scene.shop.fault_next("POST", &path, fault);
        lists(&scene, item, ("WEB", 10), "9.5");
        costs(&scene, &item.sku, &[(10, None, "9.5")]).await;
    }
    for (item, _) in goods.iter().zip(faults) {
        lists(&scene, item, ("WEB", 10), "9.25");
    }
    for (item, _) in goods.iter().zip(faults) {
        costs(&scene, &item.sku, &[(10, None, "9.25")]).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_doubles_no_price() {
    let mut plot = writing("memberships = { \"Wholesale\" = \"B2B\" }");
    plot.shop.weather.latency_ms = 20..=40;
    let scene = plot.set().await;
    let goods: Vec<Item> = scene.shop.goods().into_iter().take(8).collect();
    lists(&scene, &goods[0], ("B2B", 0), "4");
    let mut process = Process::start(&scene).await;
    for round in 0..4_u64 {
        let before = calls(&scene, "POST") + calls(&scene, "PUT");
        for item in &goods {
            lists(&scene, item, ("WEB", 10 + round), &format!("9.{round}"));
            lists(&scene, item, ("B2B", 5), &format!("8.{round}"));
        }
        let some = async || {
            let now = calls(&scene, "POST") + calls(&scene, "PUT");
            (now > before + 3).then_some(())
        };
        within(2 * PATIENCE, "some to be written", some).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    for (place, item) in goods.iter().enumerate() {
        let mut wants = vec![(5, WHOLESALE, "8.3")];
        if place == 0 {
            wants.insert(0, (1, WHOLESALE, "4"));
        }
        let levels = [(10, None, "9.0"), (11, None, "9.1"), (12, None, "9.2"), (13, None, "9.3")];
        wants.extend(levels);
        costs(&scene, &item.sku, &wants).await;
    }
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_wholesale_prices_is_asked_once_and_prices_go_on() {
    let mut plot = writing("");
    plot.shop.quirks = Quirks { wholesale_module: false, ..Quirks::calm() };
    let scene = plot.begin().await;
    let goods = scene.shop.goods();
    for item in &goods {
        lists(&scene, item, ("WEB", 10), "0.5");
        lists(&scene, item, ("WEB", 0), "77");
    }
    for item in &goods {
        let price = async || (scene.shop.price(&item.sku) == Some(decimal("77"))).then_some(());
        eventually("the price for one", price).await;
    }
    told(&scene, &goods[0].sku, "the shop has no wholesale prices: its module is missing").await;
    // Both lanes may have asked at the same moment.
    assert!(calls(&scene, "GET") <= 2, "{}", calls(&scene, "GET"));
    let standing = causeway(&scene, &["goods"]).await;
    assert!(standing.out.contains("its module is missing"), "{}", standing.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_takes_no_price_from_one_piece_on_gets_the_others() {
    let mut plot = writing("memberships = { \"Wholesale\" = \"B2B\" }");
    plot.shop.quirks = Quirks { wholesale_from_one: false, ..Quirks::calm() };
    let scene = plot.set().await;
    let goods: Vec<Item> = scene.shop.goods().into_iter().take(6).collect();
    for item in &goods {
        lists(&scene, item, ("B2B", 0), "8");
        lists(&scene, item, ("B2B", 20), "7");
    }
    let mut scene = scene;
    Box::pin(scene.start()).await;
    for item in &goods {
        costs(&scene, &item.sku, &[(20, WHOLESALE, "7")]).await;
    }
    told(&scene, &goods[0].sku, "the shop takes no price of Wholesale from 1 piece on").await;
    let refused = scene.shop.what_it_saw().into_iter().filter(|seen| seen.status == 400).count();
    assert!((1..=2).contains(&refused), "{refused} refusals for {} goods", goods.len());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_the_shop_refuses_rests_and_holds_up_nothing_else() {
    let scene = writing("").begin().await;
    let goods = scene.shop.goods();
    let product = scene.shop.product(&goods[0].sku).unwrap();
    let path = format!("/api/products/{}/wholesale_prices", product["id"]);
    scene.shop.fault_next("POST", &path, Fault::ServerError(422));
    lists(&scene, &goods[0], ("WEB", 10), "9.5");
    told(&scene, &goods[0].sku, "the shop refused a wholesale price 1 times").await;
    lists(&scene, &goods[1], ("WEB", 10), "9.5");
    costs(&scene, &goods[1].sku, &[(10, None, "9.5")]).await;
    lists(&scene, &goods[0], ("WEB", 0), "88");
    let price = async || (scene.shop.price(&goods[0].sku) == Some(decimal("88"))).then_some(());
    eventually("the price for one of the refused one", price).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_for_a_hundred_days_to_come_and_vat_count_as_for_one_piece() {
    let scene =
        plot("mode = \"write\"\nshop_prices = \"gross\"\nvat_percent = \"19\"", "").begin().await;
    let item = scene.shop.goods().swap_remove(0);
    let key = |quantity, from: &str| PriceKey { quantity, ..PriceKey::of("WEB", &item.itno, from) };
    let hundred = ListedPrice { per: 100, ..ListedPrice::plain(decimal("1000")) };
    scene.m3.set_listed_price(key(10, "20200101"), hundred);
    scene.m3.set_listed_price(key(50, "20991231"), ListedPrice::plain(decimal("1")));
    let ended = ListedPrice { to: "20210101".to_owned(), ..ListedPrice::plain(decimal("2")) };
    scene.m3.set_listed_price(key(20, "20200101"), ended);
    costs(&scene, &item.sku, &[(10, None, "11.9")]).await;
    told(&scene, &item.sku, "price from 20991231, 50+, per 1").await;
    // A new price for one piece ends what began before it.
    scene.m3.set_listed_price(key(0, "20220101"), ListedPrice::plain(decimal("10")));
    costs(&scene, &item.sku, &[]).await;
    assert_eq!(scene.shop.price(&item.sku), Some(decimal("11.9")));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_m3_does_not_have_takes_nothing_away() {
    let scene = writing("memberships = { \"Wholesale\" = \"GONE\" }").begin().await;
    let item = scene.shop.goods().swap_remove(0);
    scene.shop.add_wholesale(&item.sku, (20, WHOLESALE), 6.0);
    lists(&scene, &item, ("WEB", 10), "9.5");
    let asked = async || {
        let saw = scene.m3.what_it_saw();
        (saw.iter().filter(|seen| seen.transaction == "LstNewPrices").count() > 2).then_some(())
    };
    eventually("M3 to be asked again", asked).await;
    assert!(has(&scene, &item.sku, &[(20, WHOLESALE, "6")]));
    // Somebody makes the list.
    lists(&scene, &item, ("GONE", 5), "5");
    costs(&scene, &item.sku, &[(5, WHOLESALE, "5"), (10, None, "9.5")]).await;
    let list = plot("ask = \"list\"", "").set().await;
    let check = causeway(&list, &["check"]).await;
    assert!(check.status == 78 && check.err.contains("prices.wholesale"), "{check:?}");
    list.close().await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_leaves_each_price_once() {
    let mut plot = writing("memberships = { \"Wholesale\" = \"B2B\" }");
    plot.shop.weather = Weather::storm();
    plot.shop.weather.late_ms_max = 1_000;
    let scene = plot.set().await;
    let goods: Vec<Item> = scene.shop.goods().into_iter().take(12).collect();
    for item in &goods {
        lists(&scene, item, ("WEB", 10), "9.5");
        lists(&scene, item, ("B2B", 0), "8");
        lists(&scene, item, ("B2B", 20), "7");
    }
    let mut scene = scene;
    Box::pin(scene.start()).await;
    let wants: Wants<'_> = &[(1, WHOLESALE, "8"), (10, None, "9.5"), (20, WHOLESALE, "7")];
    let all = async || goods.iter().all(|item| has(&scene, &item.sku, wants)).then_some(());
    within(6 * PATIENCE, "every price in the shop once", all).await;
    scene.close().await;
}
