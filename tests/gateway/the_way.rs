//! The way of an order when nothing is wrong, and what the shop's telling does to it.

use crate::harness::{Plot, Scene, eventually, order_of};
use causeway_sim::{
    weather::Fault,
    xcart::{self, Options, OrderSpec, Quirks, SurchargeKind, WebhookTarget},
};
use rust_decimal::Decimal;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::sync::Arc;

/// An order with all that an order has.
fn rich(scene: &Scene) -> OrderSpec {
    order_of(&scene.shop, 3)
        .email("grete@example.org")
        .payment_status("A")
        .notes("Please ring twice.")
        .surcharge(SurchargeKind::Shipping, "SHIPPING", Decimal::new(495, 2))
        .surcharge(SurchargeKind::Discount, "DISCOUNT", Decimal::new(-200, 2))
}

/// Waits until the shop knows that an order has left and is paid.
async fn told(scene: &Scene, number: &str) -> xcart::BookedOrder {
    let what = format!("the shop told of order {number}");
    let look = async || {
        let booked = scene.shop.booked(number)?;
        (booked.shipping_status == "S" && booked.payment_status == "P").then_some(booked)
    };
    eventually(&what, look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_travels_all_the_way_and_its_status_and_tracking_come_back() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 150;
    plot.shop.quirks = Quirks { tracking_extension: true, ..Quirks::calm() };
    let scene = plot.begin().await;
    let number = scene.shop.place(rich(&scene));
    let real = scene.confirmed(&number).await;
    assert_eq!(real.discount, Decimal::new(200, 2));
    assert!(real.texts.iter().any(|text| text.contains("ring twice")), "{:?}", real.texts);
    told(&scene, &number).await;
    let shown = scene.stage(&number, "done").await;
    assert_eq!(shown.orno.as_deref(), Some(real.orno.as_str()));
    let etrn = scene.real(&number)[0].deliveries.iter().filter_map(|d| d.etrn.clone()).collect();
    let tracking: Vec<String> = etrn;
    assert!(!tracking.is_empty());
    assert_eq!(scene.shop.booked(&number).unwrap().tracking, tracking);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_was_lost_and_comes_after_its_successor_is_written_over() {
    let mut plot = Plot::calm().edit("quiescence_s = 1", "quiescence_s = 4");
    plot.m3.pace_ms = 100;
    let scene = plot.begin().await;
    // "Processing" is carried out three seconds late, when "shipped" has been written.
    let late = Fault::StillExecuting { late_ms: 3_000 };
    scene.shop.fault_next("PUT", "/api/orders", late);
    let number = scene.shop.place(rich(&scene));
    told(&scene, &number).await;
    let look = async || {
        let changes = scene.shop.booked(&number)?.history;
        let changes = changes.iter().filter(|code| *code == "CHANGE SHIPPING STATUS ORDER");
        (changes.count() >= 4).then_some(())
    };
    eventually("processing, shipped, processing again, shipped again", look).await;
    told(&scene, &number).await;
    scene.stage(&number, "done").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tracking_extension_the_order_still_ends() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 150;
    let scene = plot.begin().await;
    let number = scene.shop.place(rich(&scene));
    told(&scene, &number).await;
    scene.stage(&number, "done").await;
    assert_eq!(scene.shop.booked(&number).unwrap().tracking, Vec::<String>::new());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_leaves_in_two_parts_is_shipped_only_when_all_of_it_has_left() {
    let mut plot = Plot::calm();
    plot.shop.quirks = Quirks { tracking_extension: true, ..Quirks::calm() };
    let scene = plot.begin().await;
    let number = scene.shop.place(rich(&scene));
    let real = scene.confirmed(&number).await;
    scene.m3.deliver_partially(&real.orno);
    let first_tracking = async || {
        scene.m3.advance();
        let now = scene.real(&number).pop()?;
        now.deliveries.iter().any(|delivery| delivery.etrn.is_some()).then_some(())
    };
    eventually("the first part to leave", first_tracking).await;
    let look = async || scene.shop.booked(&number).filter(|o| !o.tracking.is_empty());
    let partly = eventually("the first tracking number in the shop", look).await;
    assert_eq!(partly.shipping_status, "P");
    scene.m3.set_pace_ms(100);
    assert_eq!(told(&scene, &number).await.tracking.len(), 2);
    scene.stage(&number, "done").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_told_twice_makes_one_order() {
    let scene = Plot::calm().begin().await;
    let target = scene.target();
    scene.shop.set_webhook(WebhookTarget { duplicate_permille: 1000, ..target });
    let numbers: Vec<_> = (0..6).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    for number in &numbers {
        scene.confirmed(number).await;
    }
    let all_told = async || (scene.shop.webhooks_sent().waiting == 0).then_some(());
    eventually("every webhook to be told", all_told).await;
    assert!(scene.shop.webhooks_sent().duplicates >= 6);
    for number in &numbers {
        scene.stage(number, "follow").await;
        assert_eq!(scene.real(number).len(), 1);
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_with_a_bad_signature_is_401_and_leads_nowhere() {
    let scene = Plot::calm().silent().begin().await;
    let client = client(&scene.certificate());
    let table = [
        Some("sha256=0000000000000000000000000000000000000000000000000000000000000000"),
        Some("sha256=zz"),
        Some(""),
        None,
    ];
    for signature in table {
        let body = r#"{"event":"order.created","id":1,"order_number":"1"}"#;
        let post = client
            .post(scene.hooks_url())
            .header("X-Shop-Event", "order.created")
            .header("X-Shop-Delivery", "1")
            .body(body);
        let post = match signature {
            Some(signature) => post.header("X-Shop-Signature", signature),
            None => post,
        };
        assert_eq!(post.send().await.unwrap().status(), 401, "{signature:?}");
    }
    assert!(scene.shown("1").await.is_none());
    let target = scene.target();
    let signature = xcart::Signature::hmac("not the secret");
    scene.shop.set_webhook(WebhookTarget { signature, retries_max: 0, ..target });
    scene.shop.place(OrderSpec::simple());
    let refused = async || (scene.shop.webhooks_sent().given_up == 1).then_some(());
    eventually("the shop to give up", refused).await;
    let page = page(&scene, &client, "metrics").await;
    assert_eq!(counted(&page, "Unproven"), Some(5), "{page}");
    assert_eq!(counted(&page, "Accepted"), None, "{page}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_yet_is_taken_over_when_it_is() {
    let plot = Plot::calm()
        .edit("facility = \"A01\"", "facility = \"A01\"\nimport_payment_statuses = [\"P\", \"A\"]");
    let scene = plot.begin().await;
    let number = scene.shop.place(OrderSpec::simple().payment_status("Q"));
    scene.stage(&number, "done").await;
    assert!(scene.real(&number).is_empty());
    assert!(scene.shop.set_payment_status(&number, "P"));
    scene.confirmed(&number).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_every_sort_are_in_m3_as_they_are_in_the_shop() {
    let mut plot = Plot::calm();
    plot.shop.quirks = Quirks { float_noise: true, fine_prices: true, ..Quirks::storm() };
    plot.shop = Options { awaiting_permille: 0, ..plot.shop };
    let scene = plot.begin().await;
    let numbers = scene.shop.place_orders(60);
    let (mut confirmed, mut refused) = (0, 0);
    for number in &numbers {
        let booked = scene.shop.booked(number).unwrap();
        if booked.defect.is_none() {
            scene.confirmed(number).await;
            confirmed += 1;
        } else {
            scene.parked(number).await;
            refused += 1;
        }
    }
    assert!(confirmed > 50, "{confirmed} confirmed, {refused} parked");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_numbers_shows_the_orders_that_m3_has() {
    let scene = Plot::calm().begin().await;
    let numbers: Vec<_> = (0..3).map(|_| scene.shop.place(OrderSpec::simple())).collect();
    for number in &numbers {
        scene.confirmed(number).await;
    }
    let client = client(&scene.certificate());
    let look = async || {
        let page = page(&scene, &client, "metrics").await;
        page.lines()
            .any(|line| line.starts_with("causeway_orders_confirmed") && line.ends_with(" 3"))
            .then_some(page)
    };
    let page_of_numbers = eventually("three confirmed orders on the page", look).await;
    assert!(page_of_numbers.contains("causeway_events_received_total"), "{page_of_numbers}");
    assert!(page(&scene, &client, "healthz").await.contains("ok"));
    scene.close().await;
}

/// Trusts the gateway's own certificate and nothing else.
fn client(certificate: &str) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_slice_iter(certificate.as_bytes());
    found.for_each(|certificate| roots.add(certificate.unwrap()).unwrap());
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().unwrap()
}

async fn page(scene: &Scene, client: &reqwest::Client, path: &str) -> String {
    let url = format!("http://127.0.0.1:{}/{path}", scene.ports.page);
    client.get(url).send().await.unwrap().text().await.unwrap()
}

/// How many deliveries of the webhook came to this.
fn counted(page: &str, result: &str) -> Option<u64> {
    let name = format!("causeway_events_received_total{{source=\"xcart\",result=\"{result}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name))?.parse().ok()
}
