//! Categories and tax classes of the shop's products follow codes of M3's items.

use crate::{
    harness::{Plot, Scene, eventually},
    process::Process,
    tools::{Said, causeway},
};
use causeway_sim::{catalogue::Item, weather::Fault, xcart::Quirks};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::fs;

const TABLES: &str = r#"[items]
poll_s = 1
update = ["category", "tax_class"]
categories = { field = "ITCL", of = { "100" = "Apparel", "200" = "Apparel/Werkzeug" } }
tax_classes = { field = "VTCS", of = { "01" = "Default", "02" = "Books" } }
"#;

fn plot(more: &str) -> Plot {
    Plot::calm().edit("[order_to_cash]", &format!("{TABLES}{more}\n\n[order_to_cash]"))
}

fn writing() -> Plot {
    plot("mode = \"write\"")
}

async fn goods(scene: &Scene, args: &[&str]) -> Said {
    causeway(scene, &[&["goods"], args].concat()).await
}

/// The SKU of a product, no variant, and its item.
fn first(scene: &Scene) -> (String, String) {
    let item = scene.shop.goods().swap_remove(0);
    (item.sku, item.itno)
}

/// The name of the tax class of a product.
fn class(scene: &Scene, sku: &str) -> Value {
    let product = scene.shop.product(sku).unwrap();
    product.pointer("/tax_class/name").cloned().unwrap_or_default()
}

async fn is_class(scene: &Scene, sku: &str, want: Value) {
    let look = async || (class(scene, sku) == want).then_some(());
    eventually(&format!("the tax class of {sku} to be {want}"), look).await;
}

async fn stands(scene: &Scene, sku: &str, want: &[u64]) {
    let look = async || (scene.shop.stands_in(sku) == want).then_some(());
    eventually(&format!("{sku} to stand in {want:?}"), look).await;
}

/// Waits until a SKU is shown like this and waits for nothing.
async fn shows(scene: &Scene, sku: &str, wanted: impl Fn(&str) -> bool) -> String {
    let shown = async || {
        let out = goods(scene, &["show", sku]).await.out;
        (wanted(&out) && !out.contains("it waits")).then_some(out)
    };
    eventually(&format!("{sku} to be shown otherwise"), shown).await
}

/// How often the shop was asked for this below the categories.
fn asked(scene: &Scene, method: &str) -> usize {
    let seen = scene.shop.what_it_saw();
    seen.iter().filter(|s| s.method == method && s.path.contains("/categories/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_moves_with_its_code_and_where_a_person_put_it_it_stays() {
    for standing_once in [false, true] {
        let mut plot = writing();
        plot.shop.quirks = Quirks { standing_once, ..Quirks::calm() };
        let scene = plot.begin().await;
        let (sku, itno) = first(&scene);
        // A person's own category; the settings do not name it.
        scene.shop.add_category(9, "Sale", None);
        scene.shop.put_in(9, &sku);
        stands(&scene, &sku, &[2, 9]).await;
        is_class(&scene, &sku, json!("Default")).await;
        scene.m3.set_item_field(&itno, "ITCL", "200");
        scene.m3.set_item_field(&itno, "VTCS", "2");
        stands(&scene, &sku, &[3, 9]).await;
        is_class(&scene, &sku, json!("Books")).await;
        // A person puts it back: that stays until M3 changes.
        scene.shop.take_out(3, &sku);
        scene.shop.put_in(2, &sku);
        goods(&scene, &["refresh"]).await;
        let keeps = |shown: &str| shown.contains("the shop has its own category");
        let shown = shows(&scene, &sku, keeps).await;
        assert!(shown.contains("Apparel/Werkzeug"), "{shown}");
        assert_eq!(scene.shop.stands_in(&sku), [2, 9]);
        scene.m3.set_item_field(&itno, "ITCL", "100");
        shows(&scene, &sku, |shown| !keeps(shown)).await;
        assert_eq!(scene.shop.stands_in(&sku), [2, 9], "it stands there already");
        // A code that is not in the table changes nothing.
        scene.m3.set_item_field(&itno, "ITCL", "999");
        shows(&scene, &sku, |shown| shown.contains("999")).await;
        assert_eq!(scene.shop.stands_in(&sku), [2, 9]);
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_shop_lacks_is_told_and_written_once_it_is_there() {
    let scene = writing().begin().await;
    let (sku, itno) = first(&scene);
    stands(&scene, &sku, &[2]).await;
    let text = fs::read_to_string(scene.config()).unwrap();
    let other = text.replace("\"Apparel/Werkzeug\"", "\"Garden\"").replace("\"Books\"", "\"Food\"");
    let mut scene = scene;
    scene.stop().await;
    fs::write(scene.config(), other).unwrap();
    Box::pin(scene.start()).await;
    scene.m3.set_item_field(&itno, "ITCL", "200");
    let told = async || {
        let out = goods(&scene, &["list", "--only", "refused"]).await.out;
        out.contains("the shop has no category \"Garden\": make it there").then_some(())
    };
    eventually("the missing category to be told", told).await;
    assert_eq!(scene.shop.stands_in(&sku), [2], "it is not taken out before it has another place");
    scene.shop.add_category(12, "Garden", None);
    goods(&scene, &["refresh"]).await;
    stands(&scene, &sku, &[12]).await;
    scene.m3.set_item_field(&itno, "VTCS", "2");
    let told = async || {
        let out = goods(&scene, &["list", "--only", "refused"]).await.out;
        out.contains("no tax class \"Food\"").then_some(())
    };
    eventually("the missing tax class to be told", told).await;
    scene.shop.add_tax_class(7, "Food");
    goods(&scene, &["refresh"]).await;
    is_class(&scene, &sku, json!("Food")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_of_5_6_is_told_the_tax_class_by_its_id() {
    let mut plot = writing();
    plot.shop.quirks = Quirks { classes_by_id: true, ..Quirks::calm() };
    let scene = plot.begin().await;
    let (sku, itno) = first(&scene);
    is_class(&scene, &sku, json!("Default")).await;
    scene.m3.set_item_field(&itno, "VTCS", "2");
    is_class(&scene, &sku, json!("Books")).await;
    let seen = scene.shop.what_it_saw();
    let told = |body: &str| body.contains("\"tax_class\":2");
    assert!(seen.iter().any(|seen| seen.method == "PUT" && told(&seen.body)));
    let read = |scene: &Scene| {
        let seen = scene.shop.what_it_saw();
        seen.iter().filter(|s| s.method == "GET" && s.path.starts_with("/api/tax_classes")).count()
    };
    let before = read(&scene);
    goods(&scene, &["refresh"]).await;
    eventually("the lists to be read", async || (read(&scene) > before).then_some(())).await;
    shows(&scene, &sku, |shown| !shown.contains("tax_class \"")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_kills_leave_each_product_where_it_belongs() {
    let scene = writing().set().await;
    for fault in [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 300 }] {
        scene.shop.fault_next("POST", "/api/categories", fault);
    }
    let mut process = Process::start(&scene).await;
    for wanted in [3, 12, 20] {
        let some = async || (asked(&scene, "POST") >= wanted).then_some(());
        eventually("products to be put in", some).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    let products: Vec<String> = scene
        .shop
        .goods()
        .into_iter()
        .filter(|item| scene.shop.product(&item.sku).is_some())
        .map(|item| item.sku)
        .collect();
    for sku in &products {
        stands(&scene, sku, &[2]).await;
        is_class(&scene, sku, json!("Default")).await;
    }
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_product_begins_with_its_tax_class_and_comes_to_its_category() {
    let create = "create = { where = { STAT = [\"20\"], ITGR = [\"NEW\"] } }";
    let scene = plot(&format!("mode = \"write\"\n{create}")).begin().await;
    let item = Item {
        sku: "SHELF-1".to_owned(),
        itno: "SHELF-1".to_owned(),
        alias: None,
        name: "A shelf".to_owned(),
        price: Decimal::from(12),
        status: "20".to_owned(),
    };
    scene.m3.add_item(&item);
    scene.m3.set_item_field("SHELF-1", "ITGR", "NEW");
    scene.m3.set_item_field("SHELF-1", "VTCS", "2");
    scene.m3.set_item_field("SHELF-1", "ITCL", "200");
    let made = async || scene.shop.product("SHELF-1");
    eventually("the product to be made", made).await;
    is_class(&scene, "SHELF-1", json!("Books")).await;
    stands(&scene, "SHELF-1", &[3]).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_writes_nothing_and_says_what_it_would() {
    let scene = plot("").begin().await;
    let (sku, _) = first(&scene);
    let told = async || {
        let out = goods(&scene, &["list", "--only", "differing"]).await.out;
        let own = out.lines().find(|line| line.starts_with(&sku))?.to_owned();
        own.contains("category \"\" -> \"Apparel\"").then_some(own)
    };
    let own = eventually("the differences to be listed", told).await;
    assert!(own.contains("tax_class \"\" -> \"Default\""), "{own}");
    assert_eq!(asked(&scene, "POST"), 0);
    assert_eq!(class(&scene, &sku), Value::Null);
    scene.close().await;
}
