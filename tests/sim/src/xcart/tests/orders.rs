//! Orders and their statuses.

use super::{Got, MAY, Rig, euro, got};
use crate::xcart::{Customer, Defect, OrderSpec, SurchargeKind};
use reqwest::Method;
use serde_json::{Value, json};

fn ids(got: &Got) -> Vec<u64> {
    got.json().as_array().unwrap().iter().map(|order| order["id"].as_u64().unwrap()).collect()
}

fn detail(got: &Got) -> String {
    got.json()["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_order_is_shown_with_both_spellings_of_dates_and_a_total_by_the_rule() {
    let rig = Rig::calm().await;
    let sku = rig.shop.goods()[0].sku.clone();
    let number = rig.shop.place(
        OrderSpec::simple()
            .line(&sku, 3, euro(1_999))
            .line_of_deleted("GONE-1", 1, euro(1_000))
            .surcharge(SurchargeKind::Shipping, "SHIPPING", euro(490))
            .surcharge(SurchargeKind::Discount, "DCOUPON", euro(-250))
            .included(SurchargeKind::Tax, "CDEV.VAT", euro(958))
            .unavailable(SurchargeKind::Tax, "AVATAX", euro(700))
            .shipping(None)
            .notes("ä/ß 😀"),
    );
    let answer = rig.get(&format!("/api/orders/{}", rig.id(&number))).await;
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/json; charset=utf-8")
    );
    let order = answer.json();
    assert_eq!(order["order_number"], json!(number));
    assert_eq!(order["sub_total"], json!(69.97));
    assert_eq!(order["total"], json!(72.37));
    assert_eq!(order["create_date"], "2024-05-01T12:34:56+0000");
    assert_eq!(order["items"][0]["update_date"], "2024-05-01T12:34:56+00:00");
    assert_eq!(order["items"][0]["amount"], 3);
    assert_eq!(order["items"][1]["product_id"], Value::Null);
    assert_eq!(order["items"][1]["sku"], "GONE-1");
    assert_eq!(order["shipping_address"], Value::Null);
    assert_eq!(order["billing_address"]["city"], "München");
    assert_eq!(order["customer_id"], Value::Null);
    assert_eq!(order["payment_status"]["code"], "P");
    assert_eq!(order["surcharges"].as_array().unwrap().len(), 4);
    // A whole number has no fraction and what is not ASCII is escaped, as PHP does it.
    assert!(answer.text.contains(r#""price":10,"#), "{}", answer.text);
    assert!(answer.text.contains(r#""notes":"\u00e4\/\u00df \ud83d\ude00""#));
    let by_number = rig.get(&format!("/api/orders/by_number/{number}")).await;
    assert_eq!(by_number.json(), order);
    rig.set_quirks(|quirks| quirks.by_number_broken = true);
    assert_eq!(rig.get(&format!("/api/orders/by_number/{number}")).await.status, 404);
}

#[tokio::test]
async fn pages_end_with_a_short_one_and_filters_nobody_knows_are_ignored() {
    let rig = Rig::calm().await;
    rig.shop.place_orders(130);
    let table = [
        ("/api/orders", 30),
        ("/api/orders?itemsPerPage=1000", 100),
        ("/api/orders?itemsPerPage=100&page=2", 30),
        ("/api/orders?itemsPerPage=100&page=3", 0),
        ("/api/orders?updatedSince=2999-01-01&itemsPerPage=100", 100),
        ("/api/orders?date[after]=soon&itemsPerPage=100", 100),
        ("/api/orders?date[after]=2024-05-02&itemsPerPage=100", 0),
        ("/api/orders?date[strictly_after]=2024-05-01T12:34:56%2B00:00&itemsPerPage=100", 0),
        ("/api/orders?date[before]=2024-05-01T12:34:56%2B00:00&itemsPerPage=100", 100),
        // The plus was not encoded: unreadable, hence unfiltered.
        ("/api/orders?date[strictly_after]=2024-05-01T12:34:56+00:00&itemsPerPage=100", 100),
        ("/api/orders?paymentStatus.code=Q", 0),
        ("/api/orders?paymentStatus.code[]=Q&paymentStatus.code[]=P&itemsPerPage=100", 100),
        ("/api/orders?shippingStatus.code=S", 0),
        ("/api/orders?profile.login=nobody-at-all", 0),
        ("/api/orders.json", 30),
    ];
    for (path, want) in table {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(ids(&answer).len(), want, "{path}");
    }
    let refused = rig.get("/api/orders?page=0").await;
    assert_eq!(
        (refused.status, detail(&refused).as_str()),
        (400, "Page should not be less than 1")
    );
    let all = ids(&rig.get("/api/orders?itemsPerPage=100").await);
    assert!(all.is_sorted(), "ascending by id: {all:?}");
}

#[tokio::test]
async fn orders_changed_since_are_found_only_where_the_shop_has_that_filter() {
    let rig = Rig::calm().await;
    let numbers = rig.shop.place_orders(5);
    rig.clock.advance(60);
    rig.shop.set_payment_status(&numbers[2], "R");
    rig.clock.advance(60);
    rig.shop.set_shipping_status(&numbers[0], "P");
    let path = "/api/orders?lastRenewDate[after]=2024-05-01T12:35:00%2B00:00";
    let sorted = format!("{path}&order[lastRenewDate]=desc");
    let changed = rig.get(&sorted).await;
    assert_eq!(ids(&changed), [rig.id(&numbers[0]), rig.id(&numbers[2])]);
    assert_eq!(changed.json()[0]["update_date"], "2024-05-01T12:36:56+0000");
    // Orders of one second come in no order, and with the quirk in another one each time.
    rig.set_quirks(|quirks| quirks.ties_shuffled = true);
    let mut orders = std::collections::HashSet::new();
    for _ in 0..8 {
        let mut tied = ids(&rig.get("/api/orders?order[date]=asc").await);
        orders.insert(tied.clone());
        tied.sort_unstable();
        assert_eq!(tied.len(), 5);
    }
    assert!(orders.len() > 1);
    rig.set_quirks(|quirks| quirks.last_renew_date_filter = false);
    let ignored = rig.get(&sorted).await;
    assert_eq!(ids(&ignored).len(), 5);
    assert_eq!(ids(&ignored)[..2], [rig.id(&numbers[0]), rig.id(&numbers[2])]);
}

#[tokio::test]
async fn putting_a_status_changes_it_once_and_again_changes_nothing() {
    let rig = Rig::calm().await;
    let number = rig.shop.place(OrderSpec::simple());
    let path = format!("/api/orders/{}/shipping_status", rig.id(&number));
    rig.clock.advance(10);
    let answer = rig.put(&path, r#"{"code":"P"}"#).await;
    assert_eq!(answer.status, 200);
    let want = json!({"id": 2, "code": "P", "name": "Processing", "customer_name": "Processing"});
    assert_eq!(answer.json(), want);
    let after = rig.shop.booked(&number).unwrap();
    assert_eq!(after.updated_s, MAY + 10);
    assert_eq!(after.history.iter().filter(|it| *it == "CHANGE SHIPPING STATUS ORDER").count(), 1);
    rig.clock.advance(10);
    for same in [r#"{"code":"P"}"#, r#"{"code":"2"}"#] {
        assert_eq!(rig.put(&path, same).await.json(), want);
        assert_eq!(rig.shop.booked(&number).unwrap(), after);
    }
    let german = rig.reading(Method::GET, &path).header("accept-language", "de-AT");
    assert_eq!(got(german).await.json()["name"], "In Bearbeitung");
}

#[tokio::test]
async fn bad_codes_missing_orders_and_bad_bodies_are_refused_as_the_shop_refuses_them() {
    let rig = Rig::calm().await;
    let id = rig.id(&rig.shop.place(OrderSpec::simple()));
    let table = [
        ("payment_status", r#"{"code":"X"}"#, 400, "Status code 'X' is invalid"),
        ("shipping_status", r#"{"code":"NB"}"#, 400, "Status code 'NB' is wrong"),
        ("shipping_status", r#"{"code":"99"}"#, 400, "Status code '99' is wrong"),
        ("payment_status", r#"{"code":7}"#, 400, "The input data is misformatted."),
        ("payment_status", r#"{"code":"#, 400, "Syntax error"),
        ("payment_status", "{}", 400, "This value should not be blank."),
        ("payment_status", r#"{"code":"ABCDE"}"#, 400, "too long"),
    ];
    for (of, body, status, want) in table {
        let answer = rig.put(&format!("/api/orders/{id}/{of}"), body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(detail(&answer).contains(want), "{body}: {}", answer.text);
        assert_eq!(answer.content_type, "application/problem+json; charset=utf-8");
        assert_eq!(answer.json()["title"], "An error occurred");
    }
    let missing = rig.put("/api/orders/99/payment_status", r#"{"code":"P"}"#).await;
    assert_eq!((missing.status, detail(&missing).as_str()), (400, "Order with ID 99 not found"));
    let untyped = rig.writing(Method::PUT, &format!("/api/orders/{id}/payment_status"));
    let untyped = got(untyped.body(r#"{"code":"P"}"#)).await;
    assert_eq!(untyped.status, 415);
    assert_eq!(detail(&untyped), "The \"Content-Type\" header must exist.");
}

#[tokio::test]
async fn a_cancelled_order_gives_its_goods_back_and_takes_them_again() {
    let rig = Rig::calm().await;
    let mut skus = rig.shop.goods().into_iter().map(|it| it.sku);
    let sku = skus.find(|sku| rig.shop.amount(sku).unwrap() > 50).unwrap();
    let before = rig.shop.amount(&sku).unwrap();
    let number = rig.shop.place(OrderSpec::simple().line(&sku, 5, euro(100)));
    assert_eq!(rig.shop.amount(&sku), Some(before - 5));
    let path = format!("/api/orders/{}/payment_status", rig.id(&number));
    for (code, want) in [("C", before), ("D", before), ("P", before - 5), ("R", before - 5)] {
        assert_eq!(rig.put(&path, &format!(r#"{{"code":"{code}"}}"#)).await.status, 200);
        assert_eq!(rig.shop.amount(&sku), Some(want), "{code}");
    }
    assert!(rig.shop.change_quantity(&number, &sku, 2));
    assert_eq!(rig.shop.amount(&sku), Some(before - 2));
    assert_eq!(rig.shop.booked(&number).unwrap().total, euro(200));
}

#[tokio::test]
async fn tracking_numbers_can_be_written_only_with_the_extension() {
    let rig = Rig::calm().await;
    let number = rig.shop.place(OrderSpec::simple());
    let path = format!("/api/orders/{}/tracking_numbers", rig.id(&number));
    let refused = rig.post(&path, r#"{"value":"1Z999"}"#).await;
    assert_eq!((refused.status, refused.content_type.as_str()), (404, "application/json"));
    assert_eq!(refused.json(), json!({"title": "An error occurred", "detail": "Not found"}));
    rig.set_quirks(|quirks| quirks.tracking_extension = true);
    let made = rig.post(&path, r#"{"value":"1Z999"}"#).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["value"], "1Z999");
    assert_eq!(made.json()["date"], "2024-05-01T12:34:56+0000");
    assert_eq!(rig.shop.booked(&number).unwrap().tracking, ["1Z999"]);
    assert_eq!(rig.post(&path, r#"{"value":5}"#).await.status, 400);
}

#[tokio::test]
async fn sub_resources_tell_payments_details_and_history_with_their_known_faults() {
    let rig = Rig::calm().await;
    let number = rig.shop.place(OrderSpec::simple().customer(Customer::Account(5)));
    let id = rig.id(&number);
    let payment = rig.get(&format!("/api/orders/{id}/payment_transactions")).await.json();
    assert_eq!(payment[0]["status"], "Credit or debit card");
    assert_eq!(payment[0]["backend_transactions"][0]["status"], "S");
    rig.set_quirks(|quirks| quirks.transaction_status_bug = false);
    let payment = rig.get(&format!("/api/orders/{id}/payment_transactions")).await.json();
    assert_eq!(payment[0]["status"], "S");
    let history = rig.get(&format!("/api/orders/{id}/history")).await.json();
    assert_eq!(history[0]["code"], "PLACE ORDER");
    assert_eq!(history[0]["comment"], "PLACE ORDER");
    assert!(rig.get(&format!("/api/orders/{id}/details")).await.json().is_array());
    assert_eq!(rig.get(&format!("/api/orders/{id}")).await.json()["customer_id"], 5);
}

#[tokio::test]
async fn a_broken_order_breaks_the_page_it_is_on_and_perhaps_itself() {
    let rig = Rig::calm().await;
    rig.shop.place_orders(4);
    let broken = rig.id(&rig.shop.place(OrderSpec::simple().broken()));
    let list = rig.get("/api/orders").await;
    assert_eq!((list.status, detail(&list).as_str()), (500, "Internal Server Error"));
    assert_eq!(rig.get("/api/orders?itemsPerPage=4").await.status, 200);
    assert_eq!(rig.get("/api/orders?itemsPerPage=1&page=5").await.status, 200);
    assert_eq!(rig.get(&format!("/api/orders/{broken}")).await.status, 200);
    assert_eq!(rig.shop.books()[4].defect, None);
    rig.set_quirks(|quirks| quirks.broken_single_too = true);
    assert_eq!(rig.shop.books()[4].defect, Some(Defect::Unreadable));
    assert_eq!(rig.get("/api/orders?itemsPerPage=1&page=5").await.status, 500);
    assert_eq!(rig.get(&format!("/api/orders/{broken}")).await.status, 500);
    let null = rig.id(&rig.shop.place(OrderSpec::simple().shipping_status(None)));
    let order = rig.get(&format!("/api/orders/{null}")).await.json();
    assert_eq!(order["shipping_status"], Value::Null);
    assert_eq!(rig.get(&format!("/api/orders/{null}/shipping_status")).await.status, 500);
}
