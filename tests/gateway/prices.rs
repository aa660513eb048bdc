//! The shop's prices follow M3.

use crate::{
    harness::{PATIENCE, Plot, Scene, eventually, within},
    tools::causeway,
};
use causeway_sim::m3::{ListedPrice, PriceKey};
use rust_decimal::Decimal;

fn plot(more: &str) -> Plot {
    let prices = format!(
        "[prices]\nlist = \"WEB\"\ncurrency = \"EUR\"\nmode = \"write\"\npoll_s = 1\noverlap_s = 5\n{more}\n\n[order_to_cash]"
    );
    Plot::calm().edit("[order_to_cash]", &prices)
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) async fn costs(scene: &Scene, sku: &str, wants: &str) {
    let what = format!("{sku} to cost {wants}, not {:?}", scene.shop.price(sku));
    let price = async || (scene.shop.price(sku) == Some(decimal(wants))).then_some(());
    eventually(&what, price).await;
}

/// How often the shop was told a price.
fn told(scene: &Scene) -> usize {
    let seen = scene.shop.what_it_saw().into_iter();
    seen.filter(|seen| seen.method == "PUT" && seen.body.contains("price")).count()
}

/// Changes the price of every item, and waits until the shop has them all.
async fn all_changed(scene: &Scene, by: &str) {
    for item in scene.shop.goods() {
        let price = ListedPrice::plain(item.price + decimal(by));
        scene.m3.set_listed_price(PriceKey::of("WEB", &item.itno, "20200101"), price);
    }
    let equal = async || {
        let goods = scene.shop.goods();
        let same = |sku: &str, price: Decimal| scene.shop.price(sku) == Some(price);
        goods.iter().all(|item| same(&item.sku, item.price + decimal(by))).then_some(())
    };
    within(2 * PATIENCE, "the shop to have every price", equal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_gets_each_new_price_and_no_other_write() {
    let scene = plot("").begin().await;
    all_changed(&scene, "1.25").await;
    let goods = scene.shop.goods();
    assert!(told(&scene) <= goods.len() + 2, "{} for {} goods", told(&scene), goods.len());
    let amounts = scene.shop.what_it_saw().into_iter();
    assert_eq!(amounts.filter(|seen| seen.body.contains("amount")).count(), 0);
    let item = &goods[0];
    let key = PriceKey::of("WEB", &item.itno, "20200101");
    let hundred = ListedPrice { per: 100, ..ListedPrice::plain(decimal("1234.5")) };
    scene.m3.set_listed_price(key.clone(), hundred);
    costs(&scene, &item.sku, "12.345").await;
    // For one customer, for many pieces, of another list, for a day that has not come: none of ours.
    let plain = ListedPrice::plain(decimal("1"));
    let far = PriceKey { from: "20991231".to_owned(), ..key.clone() };
    for other in [
        PriceKey { customer: "Y30000".to_owned(), ..key.clone() },
        PriceKey { quantity: 50, ..key.clone() },
        PriceKey { list: "B2B".to_owned(), ..key.clone() },
        far,
    ] {
        scene.m3.set_listed_price(other, plain.clone());
    }
    let newer = PriceKey { from: "20210101".to_owned(), ..key };
    scene.m3.set_listed_price(newer, ListedPrice::plain(decimal("7.77")));
    costs(&scene, &item.sku, "7.77").await;
    let said = causeway(&scene, &["goods", "show", &item.sku]).await;
    assert!(said.out.contains("price from 20991231, 0+, per 1"), "{}", said.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_with_vat_in_its_prices_gets_them_so() {
    let scene = plot("shop_prices = \"gross\"\nvat_percent = \"19\"").begin().await;
    let item = scene.shop.goods().swap_remove(0);
    let key = PriceKey::of("WEB", &item.itno, "20200101");
    scene.m3.set_listed_price(key.clone(), ListedPrice::plain(decimal("10.01")));
    costs(&scene, &item.sku, "11.91").await;
    let with = ListedPrice { vat_included: true, ..ListedPrice::plain(decimal("10.01")) };
    scene.m3.set_listed_price(key, with);
    costs(&scene, &item.sku, "10.01").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_vat_would_have_to_be_guessed_the_shop_keeps_its_price() {
    let scene = plot("").begin().await;
    all_changed(&scene, "0.50").await;
    let item = scene.shop.goods().swap_remove(0);
    let key = PriceKey::of("WEB", &item.itno, "20200101");
    let with = ListedPrice { vat_included: true, ..ListedPrice::plain(decimal("99")) };
    scene.m3.set_listed_price(key, with);
    let told = async || {
        let said = causeway(&scene, &["goods", "show", &item.sku]).await;
        said.out.contains("VAT is needed and prices.vat_percent is not set").then_some(())
    };
    eventually("the reason to be shown", told).await;
    assert_eq!(scene.shop.price(&item.sku), Some(item.price + decimal("0.50")));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_read_whole_each_time_gives_the_same() {
    let scene = plot("ask = \"list\"").begin().await;
    all_changed(&scene, "2").await;
    let item = scene.shop.goods().swap_remove(0);
    // A newer version of the list.
    let newer = PriceKey::of("WEB", &item.itno, "20220101");
    scene.m3.set_listed_price(newer.clone(), ListedPrice::plain(decimal("3.21")));
    costs(&scene, &item.sku, "3.21").await;
    scene.m3.remove_listed_price(&newer);
    costs(&scene, &item.sku, &(item.price + decimal("2")).to_string()).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_and_price_of_a_product_go_in_one_write() {
    let stock = "[stock]\nwarehouses = [\"001\"]\nmode = \"write\"\npoll_s = 1\n\n[prices]";
    let scene = plot("").edit("[prices]", stock).begin().await;
    all_changed(&scene, "4").await;
    let item = scene.shop.goods().swap_remove(1);
    scene.shop.outage(true);
    scene.m3.set_stock("001", &item.itno, Decimal::from(77));
    let key = PriceKey::of("WEB", &item.itno, "20200101");
    scene.m3.set_listed_price(key, ListedPrice::plain(decimal("5.55")));
    let waits = async || {
        let said = causeway(&scene, &["goods", "show", &item.sku]).await;
        (said.out.contains("5.55") && said.out.contains("77")).then_some(())
    };
    eventually("both to be known", waits).await;
    scene.shop.outage(false);
    costs(&scene, &item.sku, "5.55").await;
    let both = scene.shop.what_it_saw().into_iter().filter(|seen| {
        seen.status == 200 && seen.body.contains("\"amount\":77") && seen.body.contains("5.55")
    });
    assert_eq!(both.count(), 1);
    scene.close().await;
}
