//! What the webhook is told.

use super::{Rig, anywhere, weather::until};
use crate::{
    serve::{self, Answer, Request},
    xcart::{OrderSpec, Payload, WebhookTarget},
};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A receiver that refuses a number of posts first.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    async fn refusing(times: usize) -> Self {
        let listener = TcpListener::bind(anywhere()).await.unwrap();
        let url = format!("http://{}/hooks/shop", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = Arc::clone(&got);
        let handler = move |request: Request| {
            let kept = Arc::clone(&kept);
            async move {
                let mut kept = kept.lock().unwrap();
                kept.push(request);
                Answer::empty(if kept.len() <= times { 503 } else { 202 })
            }
        };
        tokio::spawn(serve::serve(listener, None, CancellationToken::new(), handler));
        Self { url, got }
    }

    fn got(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.got().iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect()
    }
}

async fn rig_telling(target: WebhookTarget) -> Rig {
    Rig::with(|options| options.webhook = Some(target)).await
}

#[tokio::test]
async fn an_order_is_told_thinly_and_signed_over_its_raw_bytes() {
    let receiver = Receiver::refusing(0).await;
    let rig = rig_telling(WebhookTarget::signed(&receiver.url, "s3cret")).await;
    let number = rig.shop.place(OrderSpec::simple());
    rig.shop.set_payment_status(&number, "C");
    rig.shop.set_payment_status(&number, "C");
    rig.shop.cancel("no-such-order");
    until(|| rig.shop.webhooks_sent().accepted == 2).await;
    let id = rig.id(&number);
    let mut bodies = receiver.bodies();
    bodies.sort_by_key(|body| body["event"].to_string());
    assert_eq!(bodies[0], json!({"event": "order.created", "id": id, "order_number": number}));
    assert_eq!(bodies[1]["event"], "order.status_changed");
    for request in receiver.got() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(&request.body);
        let want = format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
        assert_eq!(request.header("x-shop-signature"), Some(want.as_str()));
        assert!(request.header("x-shop-delivery").is_some());
        assert!(request.header("x-shop-event").unwrap().starts_with("order."));
    }
}

#[tokio::test]
async fn a_refused_delivery_comes_again_with_the_same_id_and_the_same_bytes() {
    let receiver = Receiver::refusing(2).await;
    let target = WebhookTarget {
        backoff_ms: 5,
        payload: Payload::Full,
        ..WebhookTarget::signed(&receiver.url, "k")
    };
    let rig = rig_telling(target).await;
    rig.shop.place_orders(1);
    until(|| rig.shop.webhooks_sent().accepted == 1).await;
    let counts = rig.shop.webhooks_sent();
    assert_eq!((counts.sent, counts.refused, counts.given_up), (3, 2, 0));
    let got = receiver.got();
    let ids: HashSet<_> = got.iter().map(|it| it.header("x-shop-delivery").unwrap()).collect();
    let bodies: HashSet<_> = got.iter().map(|it| it.body.clone()).collect();
    assert_eq!((ids.len(), bodies.len()), (1, 1));
    assert!(receiver.bodies()[0]["items"].is_array());
    until(|| rig.shop.webhooks_sent().waiting == 0).await;
}

#[tokio::test]
async fn an_unruly_module_loses_repeats_and_shuffles_but_counts_it_all() {
    let receiver = Receiver::refusing(0).await;
    let mut target = WebhookTarget::signed(&receiver.url, "k").unruly();
    target.late_ms_max = 50;
    let rig = rig_telling(target).await;
    rig.shop.place_orders(300);
    until(|| rig.shop.webhooks_sent().waiting == 0).await;
    let counts = rig.shop.webhooks_sent();
    assert!(counts.lost > 0 && counts.duplicates > 10, "{counts:?}");
    assert_eq!(counts.accepted, 300 - counts.lost + counts.duplicates);
    let order: Vec<u64> = receiver.bodies().iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert!(!order.is_sorted(), "out of order");
}

#[tokio::test]
async fn a_delivery_nobody_takes_is_given_up_and_counted() {
    let rig = rig_telling(WebhookTarget {
        backoff_ms: 1,
        retries_max: 2,
        payload: Payload::ThinNumber,
        ..WebhookTarget::signed("http://127.0.0.1:1/", "k")
    });
    let rig = rig.await;
    rig.shop.place_orders(1);
    until(|| rig.shop.webhooks_sent().given_up == 1).await;
    let counts = rig.shop.webhooks_sent();
    assert_eq!((counts.sent, counts.refused, counts.accepted), (3, 3, 0));
}
