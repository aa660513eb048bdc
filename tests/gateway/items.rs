//! The shop's products follow M3's items.

use crate::{
    harness::{PATIENCE, Plot, Scene, eventually, within},
    ion,
    process::Process,
    tools::{Said, causeway},
};
use causeway_sim::{
    catalogue::Item,
    ion::{Encoding, Options, Way, bods},
    weather::{Fault, Weather},
    xcart::OrderSpec,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A table of the item flow in front of that of the orders; what follows `mode` is its own.
fn plot(table: &str) -> Plot {
    let items = format!(
        "[items]\npoll_s = 1\nname = [\"FUDS\", \"ITDS\"]\ndescription = [\"FUDS\"]\nweight = {{ field = \"NEWE\", factor = \"1000\" }}\n{table}\n\n[order_to_cash]"
    );
    Plot::calm().edit("[order_to_cash]", &items)
}

/// Every field is written, and products are made for active items of group NEW.
fn writing() -> Plot {
    plot(&format!("{UPDATE}\nmode = \"write\"\n{CREATE}"))
}

const UPDATE: &str = r#"update = ["name", "description", "weight", "enabled"]"#;
const CREATE: &str = r#"create = { where = { STAT = ["20"], ITGR = ["NEW"] } }"#;

/// An item that the shop does not sell, of the group that gets products.
fn add(scene: &Scene, itno: &str, name: &str) {
    let item = Item {
        sku: itno.to_owned(),
        itno: itno.to_owned(),
        alias: None,
        name: name.to_owned(),
        price: Decimal::from(12),
        status: "20".to_owned(),
    };
    scene.m3.add_item(&item);
    scene.m3.set_item_field(itno, "ITGR", "NEW");
}

/// What the shop shows of a product; nothing if there is none.
fn field(scene: &Scene, sku: &str, name: &str) -> Value {
    scene.shop.product(sku).and_then(|product| product.get(name).cloned()).unwrap_or_default()
}

async fn becomes(scene: &Scene, (sku, name): (&str, &str), wants: Value) {
    let look = async || (field(scene, sku, name) == wants).then_some(());
    let what = format!("{name} of {sku} to be {wants}");
    within(2 * PATIENCE, &what, look).await;
}

/// Calls of a method below the products that the shop answered with success.
fn taken(scene: &Scene, method: &str) -> Vec<String> {
    let seen = scene.shop.what_it_saw().into_iter().filter(|seen| {
        seen.method == method && seen.path.starts_with("/api/products") && seen.status / 100 == 2
    });
    seen.map(|seen| seen.body).collect()
}

/// Products that are one of their own: plain ones, not variants.
fn plain(scene: &Scene) -> Vec<Item> {
    let goods = scene.shop.goods().into_iter();
    goods.filter(|item| scene.shop.product(&item.sku).is_some()).collect()
}

async fn equal(scene: &Scene) {
    let equal = async || {
        let same = |item: &Item| {
            field(scene, &item.sku, "weight") == json!(500.0)
                && field(scene, &item.sku, "enabled") == json!(item.is_active())
        };
        plain(scene).iter().all(same).then_some(())
    };
    within(2 * PATIENCE, "every product to be as M3 says", equal).await;
}

async fn shown(scene: &Scene, name: &str) -> Said {
    causeway(scene, &["goods", "show", name]).await
}

async fn told(scene: &Scene, name: &str, text: &str) {
    let what = format!("{text:?} to be told of {name}");
    let look = async || shown(scene, name).await.out.contains(text).then_some(());
    let found = tokio::time::timeout(PATIENCE, within(2 * PATIENCE, &what, look)).await;
    assert!(found.is_ok(), "{what}: {:?}", shown(scene, name).await);
}

async fn refresh(scene: &Scene) {
    let said = causeway(scene, &["goods", "refresh"]).await;
    assert_eq!(said.status, 0, "{}", said.err);
}

/// Waits until the shop has been read once more since now.
async fn walked(scene: &Scene) {
    let pages = || {
        let seen = scene.shop.what_it_saw().into_iter();
        seen.filter(|seen| seen.method == "GET" && seen.path == "/api/products").count()
    };
    let before = pages();
    refresh(scene).await;
    eventually("the shop to be read", async || (pages() > before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn products_get_what_m3_says_of_their_items_and_each_change_once() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let goods = plain(&scene);
    let written = taken(&scene, "PUT").len();
    assert!(written <= goods.len(), "{written} writes for {} products", goods.len());
    assert!(goods.iter().any(|item| item.sku != item.itno), "some are known by an alias only");
    let first = &goods[0];
    let html = first.name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    becomes(&scene, (&first.sku, "description"), json!(html)).await;
    assert_eq!(field(&scene, &first.sku, "name"), json!(first.name));
    scene.m3.set_item_field(&first.itno, "FUDS", "A new name");
    scene.m3.set_item_field(&first.itno, "NEWE", "1.25");
    becomes(&scene, (&first.sku, "name"), json!("A new name")).await;
    becomes(&scene, (&first.sku, "weight"), json!(1250.0)).await;
    let aliased = goods.iter().find(|item| item.sku != item.itno).unwrap();
    scene.m3.set_item_field(&aliased.itno, "FUDS", "Known by an alias");
    becomes(&scene, (&aliased.sku, "name"), json!("Known by an alias")).await;
    assert!(taken(&scene, "PUT").len() <= written + 3);
    let bodies = taken(&scene, "PUT").concat();
    assert!(!bodies.contains("amount") && !bodies.contains("price"), "nothing else is written");
    assert_eq!(taken(&scene, "POST").len(), 0, "no item is of the group that gets products");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_shows_and_hides_a_product_and_another_one_changes_nothing() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let item = plain(&scene).swap_remove(0);
    scene.m3.set_item_status(&item.itno, "90");
    becomes(&scene, (&item.sku, "enabled"), json!(false)).await;
    scene.m3.set_item_status(&item.itno, "20");
    becomes(&scene, (&item.sku, "enabled"), json!(true)).await;
    scene.m3.set_item_status(&item.itno, "10");
    scene.m3.set_item_field(&item.itno, "FUDS", "Preliminary");
    becomes(&scene, (&item.sku, "name"), json!("Preliminary")).await;
    assert_eq!(field(&scene, &item.sku, "enabled"), json!(true));
    // An item that M3 deletes leaves its product as it is.
    let gone = plain(&scene).swap_remove(1);
    let before = scene.shop.product(&gone.sku);
    scene.m3.remove_item(&gone.itno);
    refresh(&scene).await;
    told(&scene, &gone.sku, "M3 lists nothing of it").await;
    assert_eq!(scene.shop.product(&gone.sku), before);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_fits_gets_one_product_and_a_person_shows_it() {
    let stock = "[stock]\nwarehouses = [\"001\"]\nmode = \"write\"\npoll_s = 1\n\n[items]";
    let scene = writing().edit("[items]", stock).begin().await;
    equal(&scene).await;
    let products = scene.shop.products();
    add(&scene, "OTHER", "Of another group");
    scene.m3.set_item_field("OTHER", "ITGR", "B2B");
    add(&scene, "BLOCKED", "Blocked");
    scene.m3.set_item_status("BLOCKED", "90");
    add(&scene, "NEW-1", "Ein Becher <weiß>");
    scene.m3.set_stock("001", "NEW-1", Decimal::from(7));
    becomes(&scene, ("NEW-1", "amount"), json!(7)).await;
    let product = scene.shop.product("NEW-1").unwrap();
    let want = [
        ("name", json!("Ein Becher <weiß>")),
        ("description", json!("Ein Becher &lt;weiß&gt;")),
        ("weight", json!(500.0)),
        ("enabled", json!(false)),
        ("inventory_traceable", json!(true)),
    ];
    for (name, value) in want {
        assert_eq!(product[name], value, "{name}");
    }
    assert!(taken(&scene, "POST")[0].contains("\"amount\":0"), "{:?}", taken(&scene, "POST"));
    // Blocked and released again: still nobody has shown it.
    scene.m3.set_item_status("NEW-1", "90");
    scene.m3.set_item_field("NEW-1", "FUDS", "Blocked");
    becomes(&scene, ("NEW-1", "name"), json!("Blocked")).await;
    scene.m3.set_item_status("NEW-1", "20");
    scene.m3.set_item_field("NEW-1", "FUDS", "Released");
    becomes(&scene, ("NEW-1", "name"), json!("Released")).await;
    assert_eq!(field(&scene, "NEW-1", "enabled"), json!(false));
    scene.shop.set_product("NEW-1", "enabled", json!(true));
    walked(&scene).await;
    scene.m3.set_item_status("NEW-1", "90");
    becomes(&scene, ("NEW-1", "enabled"), json!(false)).await;
    scene.m3.set_item_status("NEW-1", "20");
    becomes(&scene, ("NEW-1", "enabled"), json!(true)).await;
    assert_eq!(taken(&scene, "POST").len(), 1);
    assert_eq!(scene.shop.products(), products + 1);
    // It can be ordered.
    let spec = OrderSpec::simple().line("NEW-1", 1, Decimal::from(12));
    let number = scene.shop.place(spec);
    let real = async || scene.real(&number).into_iter().next();
    let order = eventually("the order to be in M3", real).await;
    assert_eq!(order.lines[0].itno, "NEW-1");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_watches_is_shown_what_would_be_done_and_nothing_is_written() {
    let mut scene = plot(&format!("{UPDATE}\n{CREATE}")).begin().await;
    add(&scene, "NEW-1", "Neu");
    told(&scene, "NEW-1", "it is to be made").await;
    let item = plain(&scene).swap_remove(0);
    told(&scene, &item.sku, "weight \"0\" -> \"500\"").await;
    let missing = causeway(&scene, &["goods", "list", "--only", "missing", "--as", "csv"]).await;
    assert!(missing.out.contains("NEW-1,NEW-1,,"), "{}", missing.out);
    let differing = async || {
        let ask = ["goods", "list", "--only", "differing", "--as", "json"];
        let listed = causeway(&scene, &ask).await.out.lines().count();
        (listed == plain(&scene).len()).then_some(())
    };
    eventually("every product to be listed", differing).await;
    let counted = async || {
        let standing = causeway(&scene, &["goods"]).await.out;
        let watches = standing.contains("items   ") && standing.contains("watch, nothing");
        (watches && standing.contains("items without a product     1")).then_some(())
    };
    eventually("the new item to be counted", counted).await;
    assert_eq!((taken(&scene, "PUT").len(), taken(&scene, "POST").len()), (0, 0));
    // What was shown is done as soon as somebody says so, though M3 has not changed since.
    scene.stop().await;
    let config = std::fs::read_to_string(scene.config()).unwrap();
    let write = config.replace("[items]\n", "[items]\nmode = \"write\"\n");
    std::fs::write(scene.config(), write).unwrap();
    Box::pin(scene.start()).await;
    equal(&scene).await;
    becomes(&scene, ("NEW-1", "name"), json!("Neu")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_changes_in_the_shop_stays_until_m3_changes() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let item = plain(&scene).swap_remove(1);
    scene.shop.set_product(&item.sku, "name", json!("A better name"));
    scene.shop.set_product(&item.sku, "enabled", json!(false));
    walked(&scene).await;
    told(&scene, &item.sku, "the shop has its own name, enabled").await;
    // Something else of it changes: the person's own fields stay.
    scene.m3.set_item_field(&item.itno, "NEWE", "2");
    becomes(&scene, (&item.sku, "weight"), json!(2000.0)).await;
    assert_eq!(field(&scene, &item.sku, "name"), json!("A better name"));
    assert_eq!(field(&scene, &item.sku, "enabled"), json!(false));
    scene.m3.set_item_field(&item.itno, "FUDS", "M3's new name");
    becomes(&scene, (&item.sku, "name"), json!("M3's new name")).await;
    assert_eq!(field(&scene, &item.sku, "enabled"), json!(false));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_edits_are_overwritten_they_are_made_good() {
    let table = format!("{UPDATE}\nmode = \"write\"\noverwrite = true");
    let scene = plot(&table).begin().await;
    equal(&scene).await;
    let item = plain(&scene).swap_remove(1);
    scene.shop.set_product(&item.sku, "name", json!("A better name"));
    scene.shop.set_product(&item.sku, "enabled", json!(false));
    walked(&scene).await;
    becomes(&scene, (&item.sku, "name"), json!(item.name)).await;
    assert_eq!(field(&scene, &item.sku, "enabled"), json!(false), "that had a reason");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_in_the_language_that_is_named() {
    let names = "language = \"GB\"\nname = [\"FUDS:DE\", \"FUDS\"]\ndescription = [\"FUDS\"]\n";
    let own = "name = [\"FUDS\", \"ITDS\"]\ndescription = [\"FUDS\"]\n";
    let scene = plot("update = [\"name\", \"description\"]\nmode = \"write\"").edit(own, names);
    let scene = scene.begin().await;
    let item = plain(&scene).swap_remove(2);
    scene.m3.set_item_text(&item.itno, "DE", ("Becher", "Ein Becher"));
    scene.m3.set_item_text(&item.itno, "GB", ("Mug", "A mug"));
    becomes(&scene, (&item.sku, "name"), json!("Ein Becher")).await;
    becomes(&scene, (&item.sku, "description"), json!("A mug")).await;
    scene.m3.set_item_text(&item.itno, "DE", ("Becher", ""));
    becomes(&scene, (&item.sku, "name"), json!("A mug")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_worked_out_is_told_and_nothing_half_is_written() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let goods = plain(&scene);
    let (broken, other) = (&goods[0], &goods[1]);
    scene.m3.set_item_field(&broken.itno, "NEWE", "heavy");
    scene.m3.set_item_field(&broken.itno, "FUDS", "Not yet");
    scene.m3.set_item_field(&other.itno, "FUDS", "Another");
    becomes(&scene, (&other.sku, "name"), json!("Another")).await;
    told(&scene, &broken.sku, "field NEWE holds \"heavy\", which is not a number").await;
    assert_eq!(field(&scene, &broken.sku, "name"), json!(broken.name));
    let refused = causeway(&scene, &["goods", "list", "--only", "refused"]).await;
    assert!(refused.out.contains(&broken.sku), "{}", refused.out);
    scene.m3.set_item_field(&broken.itno, "NEWE", "0.5");
    becomes(&scene, (&broken.sku, "name"), json!("Not yet")).await;
    // The same for a new one.
    add(&scene, "NAMELESS", "");
    scene.m3.set_item_field("NAMELESS", "ITDS", "  ");
    told(&scene, "NAMELESS", "M3 has no name of it in FUDS, ITDS").await;
    assert!(scene.shop.product("NAMELESS").is_none());
    scene.m3.set_item_field("NAMELESS", "ITDS", "It has one");
    becomes(&scene, ("NAMELESS", "name"), json!("It has one")).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_no_second_product() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let products = scene.shop.products();
    let faults = [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::StillExecuting { late_ms: 1_500 },
        Fault::ServerError(500),
        Fault::ServerError(503),
        Fault::TooMany { retry_after_s: Some(1) },
    ];
    for (number, fault) in faults.iter().enumerate() {
        scene.shop.fault_next("POST", "/api/products", *fault);
        add(&scene, &format!("LOST-{number}"), "Lost on its way");
    }
    for number in 0..faults.len() {
        let itno = format!("LOST-{number}");
        becomes(&scene, (&itno, "name"), json!("Lost on its way")).await;
    }
    // The next change reaches it, so it is known whose product it is.
    for number in 0..faults.len() {
        let itno = format!("LOST-{number}");
        scene.m3.set_item_field(&itno, "FUDS", "Found again");
        becomes(&scene, (&itno, "name"), json!("Found again")).await;
        assert_eq!(field(&scene, &itno, "enabled"), json!(false), "{itno}");
    }
    assert_eq!(scene.shop.products(), products + faults.len());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_the_shop_refuses_holds_up_nothing_else() {
    let stock = "[stock]\nwarehouses = [\"001\"]\nmode = \"write\"\npoll_s = 1\n\n[items]";
    let scene = writing().edit("[items]", stock).begin().await;
    equal(&scene).await;
    scene.shop.fault_next("POST", "/api/products", Fault::ServerError(422));
    add(&scene, "REFUSED", "Refused once");
    told(&scene, "REFUSED", "the shop did not take it 1 times").await;
    add(&scene, "TAKEN", "Taken at once");
    becomes(&scene, ("TAKEN", "name"), json!("Taken at once")).await;
    let tried = causeway(&scene, &["goods", "make", "REFUSED"]).await;
    assert_eq!(tried.status, 0, "{}", tried.err);
    becomes(&scene, ("REFUSED", "name"), json!("Refused once")).await;
    // A text that is refused does not hold up the pieces of the same product.
    let item = plain(&scene).swap_remove(0);
    let path = format!("/api/products/{}", field(&scene, &item.sku, "id"));
    scene.shop.fault_next("PUT", &path, Fault::ServerError(422));
    scene.m3.set_item_field(&item.itno, "FUDS", "Refused text");
    told(&scene, &item.sku, "the shop refused it 1 times").await;
    scene.m3.set_stock("001", &item.itno, Decimal::from(4_321));
    becomes(&scene, (&item.sku, "amount"), json!(4_321)).await;
    assert_ne!(field(&scene, &item.sku, "name"), json!("Refused text"));
    let unknown = causeway(&scene, &["goods", "make", &item.itno]).await;
    assert!(unknown.status != 0 && unknown.err.contains("none of those that lack"), "{unknown:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_while_the_shop_is_away_become_one_write_with_the_last() {
    let scene = writing().begin().await;
    equal(&scene).await;
    let item = plain(&scene).swap_remove(1);
    let before = taken(&scene, "PUT").len();
    scene.shop.outage(true);
    for turn in 1..=20 {
        scene.m3.set_item_field(&item.itno, "FUDS", &format!("Name {turn}"));
    }
    told(&scene, &item.sku, "Name 20").await;
    scene.shop.outage(false);
    becomes(&scene, (&item.sku, "name"), json!("Name 20")).await;
    assert_eq!(taken(&scene, "PUT").len(), before + 1);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_it_is_written_is_written_again() {
    let mut plot = writing();
    plot.shop.weather.latency_ms = 150..=150;
    let scene = plot.begin().await;
    equal(&scene).await;
    let item = plain(&scene).swap_remove(0);
    for turn in 1..=8 {
        scene.m3.set_item_field(&item.itno, "FUDS", &format!("Turn {turn}"));
        let seen = async || field(&scene, &item.sku, "name").as_str().map(|_| ());
        eventually("the product", seen).await;
        scene.m3.set_item_field(&item.itno, "FUDS", &format!("Turn {turn}, after all"));
        scene.m3.set_item_status(&item.itno, if turn % 2 == 0 { "20" } else { "90" });
    }
    becomes(&scene, (&item.sku, "name"), json!("Turn 8, after all")).await;
    becomes(&scene, (&item.sku, "enabled"), json!(true)).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_was_deleted_is_not_made_again_unless_somebody_says_so() {
    let scene = writing().begin().await;
    equal(&scene).await;
    add(&scene, "NEW-1", "Neu");
    becomes(&scene, ("NEW-1", "name"), json!("Neu")).await;
    let item = plain(&scene).swap_remove(3);
    scene.m3.set_item_field(&item.itno, "ITGR", "NEW");
    scene.shop.remove_product("NEW-1");
    scene.shop.remove_product(&item.sku);
    walked(&scene).await;
    told(&scene, "NEW-1", "its product was deleted in the shop").await;
    told(&scene, &item.itno, "its product was deleted in the shop").await;
    scene.m3.set_item_field("NEW-1", "FUDS", "Noch einmal");
    told(&scene, "NEW-1", "Noch einmal").await;
    walked(&scene).await;
    assert!(scene.shop.product("NEW-1").is_none() && scene.shop.product(&item.sku).is_none());
    let made = causeway(&scene, &["goods", "make", "NEW-1"]).await;
    assert_eq!(made.status, 0, "{}", made.err);
    becomes(&scene, ("NEW-1", "name"), json!("Noch einmal")).await;
    assert!(scene.shop.product(&item.sku).is_none());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_product_may_get_an_alias_for_its_sku_if_it_is_its_own() {
    let create = r#"create = { where = { ITGR = ["NEW"] }, sku = "alias:1" }"#;
    let scene = plot(&format!("{UPDATE}\nmode = \"write\"\n{create}")).begin().await;
    equal(&scene).await;
    add(&scene, "A-1", "With an alias");
    scene.m3.add_alias("A-1", "1", "A-LONG-SKU-OF-A-1");
    becomes(&scene, ("A-LONG-SKU-OF-A-1", "name"), json!("With an alias")).await;
    add(&scene, "A-2", "Without one");
    told(&scene, "A-2", "M3 has no alias of category 1 for it").await;
    for itno in ["A-3", "A-4"] {
        scene.m3.add_alias(itno, "1", "SHARED");
        add(&scene, itno, "Shared");
    }
    told(&scene, "A-3", "several items want the SKU SHARED: A-3, A-4").await;
    told(&scene, "A-4", "several items want the SKU SHARED").await;
    scene.m3.add_alias("A-5", "1", "A-2");
    add(&scene, "A-5", "Another's number");
    told(&scene, "A-5", "its alias A-2 is the number of another item").await;
    // Whoever mends it in M3 need not do anything here: the next whole reading finds it.
    scene.m3.add_alias("A-2", "1", "NOW-IT-HAS");
    refresh(&scene).await;
    becomes(&scene, ("NOW-IT-HAS", "name"), json!("Without one")).await;
    assert_eq!(taken(&scene, "POST").len(), 2);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_the_shop_sells_under_an_alias_gets_no_second_product() {
    let scene = writing().begin().await;
    equal(&scene).await;
    scene.shop.add_product("OLD-SKU", "There before");
    walked(&scene).await;
    let unknown =
        async || shown(&scene, "OLD-SKU").await.out.contains("M3 knows neither").then_some(());
    eventually("the product to be unknown to M3", unknown).await;
    scene.m3.add_alias("LATE-1", "1", "OLD-SKU");
    add(&scene, "LATE-1", "M3's name of it");
    becomes(&scene, ("OLD-SKU", "name"), json!("M3's name of it")).await;
    assert!(scene.shop.product("LATE-1").is_none());
    // Somebody enters the product while M3 has the item: the shop refuses the second one.
    scene.shop.add_product("LATE-2", "Typed by a person");
    add(&scene, "LATE-2", "M3's");
    becomes(&scene, ("LATE-2", "name"), json!("M3's")).await;
    assert_eq!(taken(&scene, "POST").len(), 0);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_loses_no_change_and_makes_nothing_twice() {
    let mut plot = writing();
    plot.shop.weather.latency_ms = 20..=40;
    let scene = plot.set().await;
    let mut process = Process::start(&scene).await;
    let products = scene.shop.products();
    for round in 0..4_usize {
        let made = taken(&scene, "POST").len();
        for number in 0..6 {
            add(&scene, &format!("K-{round}-{number}"), &format!("Of round {round}"));
        }
        for item in plain(&scene).iter().take(6) {
            scene.m3.set_item_field(&item.itno, "FUDS", &format!("Round {round}"));
        }
        let some = async || (taken(&scene, "POST").len() > made + round).then_some(());
        within(2 * PATIENCE, "some to be made", some).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    for round in 0..4 {
        for number in 0..6 {
            let itno = format!("K-{round}-{number}");
            becomes(&scene, (&itno, "name"), json!(format!("Of round {round}"))).await;
            told(&scene, &itno, "product ").await;
            assert_eq!(field(&scene, &itno, "enabled"), json!(false), "{itno}");
        }
    }
    for item in scene.shop.goods().iter().take(6) {
        becomes(&scene, (&item.sku, "name"), json!("Round 3")).await;
    }
    assert_eq!(scene.shop.products(), products + 24);
    process.kill();
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_buyers_see_at_once_has_a_price() {
    let prices =
        "[prices]\nlist = \"WEB\"\ncurrency = \"EUR\"\nmode = \"write\"\npoll_s = 1\n\n[items]";
    let create = r#"create = { where = { ITGR = ["NEW"] }, enabled = true }"#;
    let scene = plot(&format!("{UPDATE}\nmode = \"write\"\n{create}")).edit("[items]", prices);
    let scene = scene.begin().await;
    equal(&scene).await;
    add(&scene, "PRICED", "It has a price");
    becomes(&scene, ("PRICED", "enabled"), json!(true)).await;
    assert_eq!(scene.shop.price("PRICED"), Some(Decimal::from(12)));
    assert!(taken(&scene, "POST")[0].contains("\"price\":12"), "{:?}", taken(&scene, "POST"));
    let set = causeway_sim::m3::PriceKey::of("WEB", "LATER", "20200101");
    add(&scene, "LATER", "Its price comes later");
    scene.m3.remove_listed_price(&set);
    let (has, price) =
        (shown(&scene, "LATER").await, causeway_sim::m3::ListedPrice::plain(Decimal::ONE));
    assert!(!has.out.contains("product 1"), "{}", has.out);
    scene.m3.set_listed_price(set, price);
    becomes(&scene, ("LATER", "enabled"), json!(true)).await;
    assert_ne!(scene.shop.price("LATER"), Some(Decimal::ZERO));
    scene.close().await;
    let alone = plot(&format!("{UPDATE}\n{create}")).set().await;
    let check = causeway(&alone, &["check"]).await;
    assert!(check.status == 78 && check.err.contains("items.create.enabled"), "{check:?}");
    alone.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_m3_does_not_have_stops_the_flow_with_its_name() {
    let create = r#"create = { where = { STAT = ["20"], ZZZ9 = ["1"] } }"#;
    let scene = plot(&format!("{UPDATE}\nmode = \"write\"\n{create}")).begin().await;
    let asked = async || {
        let saw = scene.m3.what_it_saw();
        (saw.iter().filter(|seen| seen.transaction == "LstItmByChgDate").count() > 1).then_some(())
    };
    eventually("M3 to be asked again and again", asked).await;
    let standing = causeway(&scene, &["goods"]).await;
    assert!(standing.out.contains("M3 was asked not since the start"), "{}", standing.out);
    assert_eq!(taken(&scene, "PUT").len(), 0);
    let read = causeway(&scene, &["m3", "describe", "MMS200MI", "--refresh"]).await;
    assert_eq!(read.status, 0, "{}", read.err);
    let check = causeway(&scene, &["check"]).await;
    let want = "LACKS MMS200MI/LstItmByChgDate out ZZZ9";
    assert!(check.out.contains(want), "{}", check.out);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_over_both_systems_makes_each_product_once() {
    let mut plot = writing();
    (plot.shop.weather, plot.m3.weather) = (Weather::storm(), Weather::storm());
    let scene = plot.begin().await;
    let products = scene.shop.products();
    let items: Vec<String> = (0..40).map(|number| format!("STORM-{number:02}")).collect();
    for itno in &items {
        add(&scene, itno, "Made in a storm");
    }
    let made = async || {
        let all = items.iter().all(|itno| scene.shop.product(itno).is_some());
        all.then_some(())
    };
    within(6 * PATIENCE, "every product to be made", made).await;
    for itno in &items {
        scene.m3.set_item_field(itno, "FUDS", "Changed in a storm");
    }
    let changed = async || {
        let name = json!("Changed in a storm");
        items.iter().all(|itno| field(&scene, itno, "name") == name).then_some(())
    };
    within(6 * PATIENCE, "every product to be changed", changed).await;
    assert_eq!(scene.shop.products(), products + items.len());
    for itno in &items {
        assert_eq!(field(&scene, itno, "enabled"), json!(false), "{itno} is shown by nobody");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_ion_tells_of_reaches_the_shop_at_once() {
    let items = "[items]\npoll_s = 86400\nupdate = [\"name\"]\nmode = \"write\"\n\n[order_to_cash]";
    let mut scene = ion::set(ion::plot().edit("[order_to_cash]", items)).await;
    Box::pin(scene.start()).await;
    let item = plain(&scene).swap_remove(3);
    told(&scene, &item.sku, "M3 FUDS").await;
    scene.m3.set_item_field(&item.itno, "FUDS", "Told by ION");
    let mut ion = ion::ion(&scene, Options::calm(Way::Multipart(Encoding::None)));
    let report = ion.publish(&[bods::item(&item.itno, 1)]).await;
    assert!(report.refused.is_empty(), "{report:?}");
    becomes(&scene, (&item.sku, "name"), json!("Told by ION")).await;
    scene.close().await;
}
