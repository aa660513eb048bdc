//! `causeway xcart describe|list|show`: every resource of the API that the simulated shop has.

use crate::{
    harness::{Plot, Scene, order_of},
    tools::{Said, causeway},
};
use std::collections::BTreeMap;

async fn asked(scene: &Scene, args: &[&str]) -> Said {
    causeway(scene, &[&["xcart"][..], args].concat()).await
}

/// The records of a list, as the shop wrote them.
async fn listed(scene: &Scene, args: &[&str]) -> Vec<serde_json::Value> {
    let said = asked(scene, &[&["list", "--form", "json"][..], args].concat()).await;
    assert_eq!(said.status, 0, "{args:?}: {said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lists one thing, and shows the first of it where it has a path of its own.
async fn listed_and_shown(scene: &Scene, name: &str, numbers: &[&str]) {
    let said = asked(scene, &[&["list", name][..], numbers].concat()).await;
    assert_eq!(said.status, 0, "{name}: {said:?}");
    assert_eq!(said.err, "", "{name}: a value is of another kind\n{}", said.out);
    let records = listed(scene, &[&[name][..], numbers].concat()).await;
    assert_eq!(said.out.lines().count(), records.len() + 1, "{name}: {}", said.out);
    let known = asked(scene, &["describe", name]).await;
    let has_one = known.out.lines().any(|line| line.starts_with("one") && line.contains('/'));
    let id = records.first().and_then(|record| record.get("id")).map(ToString::to_string);
    // The simulated shop has images in a product, and not each by itself.
    let Some(id) = id.filter(|_| has_one && name != "product-images") else { return };
    let one = asked(scene, &[&["show", name][..], numbers, &[&id]].concat()).await;
    assert_eq!((one.status, one.err.as_str()), (0, ""), "{name} {id}: {one:?}");
    let has = |line: &str| line.split_whitespace().collect::<Vec<_>>() == ["id", id.as_str()];
    assert!(one.out.lines().any(has), "{name}: {}", one.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_resource_that_the_shop_has_is_listed_and_shown_and_of_the_kind_the_notes_say() {
    let mut plot = Plot::calm().silent();
    plot.shop.quirks.wholesale_module = true;
    let scene = Box::pin(plot.set()).await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let booked = scene.shop.booked(&number).unwrap();
    let order = booked.id.to_string();
    let first = async |args: &[&str]| {
        let records = listed(&scene, args).await;
        records.first().and_then(|record| record.get("id")).map(ToString::to_string)
    };
    let product = first(&["products", "--limit", "1"]).await.unwrap();
    let profile = first(&["profiles"]).await.unwrap();
    let table: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("orders", vec![]),
        ("order-items", vec![order.as_str()]),
        ("order-surcharges", vec![&order]),
        ("order-transactions", vec![&order]),
        ("order-details", vec![&order]),
        ("order-history", vec![&order]),
        ("carts", vec![]),
        ("profiles", vec![]),
        ("addresses", vec![&profile]),
        ("products", vec![]),
        ("product-images", vec![&product]),
        ("variants", vec![&product]),
        ("wholesale-prices", vec![&product]),
        ("product-classes", vec![]),
        ("categories", vec![]),
        ("memberships", vec![]),
        ("tax-classes", vec![]),
    ]);
    for (name, numbers) in &table {
        listed_and_shown(&scene, name, numbers).await;
    }
    let shown = asked(&scene, &["show", "order-by-number", &number]).await;
    assert!(shown.out.contains(&number), "{shown:?}");
    let items = listed(&scene, &["order-items", &order]).await;
    assert_eq!(items.len(), booked.lines.len());
    for name in ["order-payment-status", "order-shipping-status"] {
        let status = asked(&scene, &["show", name, &order]).await;
        assert_eq!(status.status, 0, "{status:?}");
    }
    scene.shop.set_shipping_status(&number, "P");
    let german = ["show", "order-shipping-status", &order, "--language", "de"];
    let german = asked(&scene, &german).await;
    assert!(german.out.contains("In Bearbeitung"), "{german:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_followed_up_to_the_limit_and_what_cannot_be_asked_is_not_sent() {
    let scene = Box::pin(Plot::calm().silent().set()).await;
    scene.shop.place_orders(120);
    assert_eq!(listed(&scene, &["orders"]).await.len(), 120);
    let some = asked(&scene, &["list", "orders", "--limit", "110", "--form", "csv"]).await;
    assert_eq!(some.out.lines().count(), 111);
    assert!(some.err.contains("there may be more than 110"), "{}", some.err);
    let paid = listed(&scene, &["orders", "--filter", "paymentStatus.code=P"]).await;
    let codes: Vec<_> = paid.iter().map(|order| order["payment_status"]["code"].clone()).collect();
    assert!(codes.iter().all(|code| code == "P"), "{codes:?}");
    let newest = listed(&scene, &["orders", "--filter", "order[date]=desc", "--limit", "2"]).await;
    assert!(newest[0]["create_date"].as_str() >= newest[1]["create_date"].as_str());
    let table: [(&[&str], &str); 6] = [
        (&["list", "products", "--filter", "sku=A"], "no filter of products"),
        (&["list", "variants"], "needs 1 numbers: product"),
        (&["show", "orders", "x/../1"], "not the number of a record"),
        (&["list", "inventory"], "there is no \"inventory\""),
        (&["describe", "inventory"], "there is no \"inventory\""),
        (&["list", "orders", "--filter", "odd"], "NAME=VALUE"),
    ];
    for (args, want) in table {
        let said = asked(&scene, args).await;
        assert!(said.status == 64 && said.err.contains(want), "{args:?}: {said:?}");
    }
    let gone = asked(&scene, &["show", "orders", "999999"]).await;
    assert!(gone.status == 1 && gone.err.contains("no such record"), "{gone:?}");
    // A shop without the module has no such path.
    let without = asked(&scene, &["list", "coupons"]).await;
    assert!(without.status == 1 && without.err.contains("it needs module Coupons"), "{without:?}");
    let all = asked(&scene, &["describe"]).await;
    for name in ["orders", "carts", "attributes-select", "reviews", "tax-classes", "coupons"] {
        assert!(all.out.lines().any(|line| line.starts_with(name)), "{name}\n{}", all.out);
    }
    scene.shop.redeploy(true);
    let away = asked(&scene, &["list", "orders"]).await;
    assert_eq!(away.status, 69, "{away:?}");
    scene.close().await;
}
