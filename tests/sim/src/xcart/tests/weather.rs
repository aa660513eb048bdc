//! What stands in front of the shop, and its side door.

use super::{Rig, got};
use crate::{
    weather::{Fault, Weather},
    xcart::OrderSpec,
};
use reqwest::Method;
use std::time::{Duration, Instant};

/// Polls until it is so.
pub(super) async fn until(so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < deadline, "it never came to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_fault_hits_one_call_and_tells_whether_the_work_was_done() {
    let rig = Rig::calm().await;
    let number = rig.shop.place(OrderSpec::simple());
    let path = format!("/api/orders/{}/shipping_status", rig.id(&number));
    let table = [
        (Fault::TooMany { retry_after_s: Some(3) }, Some(429), "N"),
        (Fault::ServerError(502), Some(502), "N"),
        (Fault::CutBefore, None, "N"),
        (Fault::CutAfter, None, "P"),
    ];
    for (fault, status, want) in table {
        rig.shop.fault_next("PUT", "/api/orders", fault);
        assert_eq!(rig.get("/api/orders").await.status, 200, "{fault:?} is not for reading");
        let put = rig.writing(Method::PUT, &path).header("content-type", "application/json");
        let put = put.body(r#"{"code":"P"}"#).send().await;
        assert_eq!(put.ok().map(|answer| answer.status().as_u16()), status, "{fault:?}");
        assert_eq!(rig.shop.booked(&number).unwrap().shipping_status, want, "{fault:?}");
    }
    rig.shop.fault_next("PUT", "/api/orders", Fault::StillExecuting { late_ms: 250 });
    assert_eq!(rig.put(&path, r#"{"code":"S"}"#).await.status, 504);
    assert_eq!(rig.shop.booked(&number).unwrap().shipping_status, "P");
    until(|| rig.shop.booked(&number).unwrap().shipping_status == "S").await;
    assert_eq!(rig.put(&path, r#"{"code":"D"}"#).await.status, 200);
    let statuses: Vec<u16> =
        rig.shop.what_it_saw().iter().filter(|it| it.method == "PUT").map(|it| it.status).collect();
    assert_eq!(statuses, [429, 502, 0, 0, 504, 200]);
}

#[tokio::test]
async fn a_redeployment_is_a_page_and_an_outage_is_silence() {
    let rig = Rig::calm().await;
    rig.shop.redeploy(true);
    let page = rig.get("/api/orders").await;
    assert_eq!(page.status, 503);
    assert!(page.content_type.starts_with("text/html") && page.text.contains("re-deployed"));
    rig.shop.redeploy(false);
    rig.shop.outage(true);
    assert!(rig.reading(Method::GET, "/api/orders").send().await.is_err());
    rig.shop.outage(false);
    assert_eq!(rig.get("/api/orders").await.status, 200);
}

#[tokio::test]
async fn a_storm_hurts_some_calls_and_never_the_side_door() {
    let rig = Rig::with(|options| options.weather = Weather::storm()).await;
    let mut fine = 0;
    for _ in 0..60 {
        let answer = rig.reading(Method::GET, "/api/orders").send().await;
        fine += u32::from(answer.is_ok_and(|answer| answer.status() == 200));
        assert_eq!(got(rig.bare(Method::GET, "/_sim/webhooks")).await.status, 200);
    }
    assert!((30..60).contains(&fine), "{fine} of 60 were fine");
    assert_eq!(rig.shop.what_it_saw().len(), 60);
}

#[tokio::test]
async fn the_side_door_does_what_the_handle_does() {
    let rig = Rig::calm().await;
    let call = |path: &str| got(rig.bare(Method::POST, &format!("/_sim/{path}")));
    let numbers = call("place?count=3").await.json();
    let number = numbers[1].as_str().unwrap().to_owned();
    assert_eq!(call(&format!("cancel?number={number}")).await.status, 200);
    assert_eq!(call("cancel?number=0").await.status, 404);
    let books = call("books").await.json();
    assert_eq!(books[1]["payment_status"], "C");
    assert_eq!(books[1]["shipping_status"], "WND");
    let total = books[1]["total"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
    assert_eq!(total, rig.shop.booked(&number).unwrap().total);
    assert_eq!(call("redeploy?on=1").await.status, 200);
    assert_eq!(rig.get("/api/orders").await.status, 503);
    assert_eq!(call("redeploy?on=0").await.status, 200);
    assert_eq!(call("weather?name=storm").await.status, 200);
    assert_eq!(call("weather?name=calm").await.status, 200);
    assert_eq!(call("weather?name=fair").await.status, 404);
    assert_eq!(call("quirks?name=old").await.status, 200);
    assert_eq!(call("saw").await.json()[0]["status"], 503);
}
