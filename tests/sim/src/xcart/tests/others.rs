//! Tokens, formats, products, profiles and the documents.

use super::{Rig, got};
use crate::xcart::OrderSpec;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn each_token_may_do_what_it_may_and_no_more() {
    let rig = Rig::calm().await;
    let id = rig.id(&rig.shop.place(OrderSpec::simple()));
    let path = format!("/api/orders/{id}/payment_status");
    let none = got(rig.bare(Method::GET, &path)).await;
    assert_eq!(
        (none.status, none.json()),
        (401, json!({"code": 401, "message": "JWT Token not found"}))
    );
    let wrong = got(rig.bare(Method::GET, &path).header("x-auth-token", "no")).await;
    assert_eq!((wrong.status, wrong.json()), (401, json!({"message": "Invalid credentials."})));
    let empty = got(rig.bare(Method::GET, &path).header("x-auth-token", "")).await;
    assert_eq!(empty.status, 401);
    let bearer = got(rig.bare(Method::GET, &path).header("authorization", "Bearer x")).await;
    assert_eq!(bearer.json()["message"], "Invalid JWT Token");
    let body = r#"{"code":"P"}"#;
    let reader = rig.reading(Method::PUT, &path).header("content-type", "application/json");
    let denied = got(reader.body(body)).await;
    assert_eq!((denied.status, denied.json()["detail"].clone()), (403, json!("Access Denied.")));
    assert_eq!(rig.get(&path).await.status, 200);
    assert_eq!(rig.put(&path, body).await.status, 200);
    // Even what does not exist is behind the tokens.
    assert_eq!(got(rig.bare(Method::GET, "/api/nothing")).await.status, 401);
}

#[tokio::test]
async fn what_the_shop_does_not_have_is_the_catch_all_404_without_a_type() {
    let rig = Rig::calm().await;
    let table = [
        (Method::GET, "/api/orders/abc"),
        (Method::GET, "/api/v2/orders"),
        (Method::PATCH, "/api/orders/1"),
        (Method::POST, "/api/orders"),
        (Method::DELETE, "/api/orders/1"),
        (Method::GET, "/api/products/11/inventory"),
        (Method::GET, "/api/products.json"),
    ];
    for (method, path) in table {
        let answer = got(rig.writing(method.clone(), path)).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.json(), json!({"title": "An error occurred", "detail": "Not found"}));
    }
    let missing = rig.get("/api/orders/999999").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["type"], "https://tools.ietf.org/html/rfc2616#section-10");
    assert_eq!(missing.json()["detail"], "Not Found");
    assert_eq!(missing.json().get("trace"), None);
    rig.set_quirks(|quirks| quirks.debug = true);
    assert!(rig.get("/api/orders/999999").await.json()["trace"].is_array());
}

#[tokio::test]
async fn json_ld_is_a_hydra_collection_and_its_errors_are_hydra_errors() {
    let rig = Rig::calm().await;
    rig.shop.place_orders(5);
    let path = "/api/orders?itemsPerPage=2&page=2";
    let by_header = got(rig.reading(Method::GET, path).header("accept", "application/ld+json"));
    let by_header = by_header.await;
    assert_eq!(by_header.content_type, "application/ld+json; charset=utf-8");
    let list = by_header.json();
    assert_eq!(list["@type"], "hydra:Collection");
    assert_eq!(list["hydra:totalItems"], 5);
    assert_eq!(list["hydra:view"]["hydra:next"], "/api/orders?page=3");
    assert_eq!(list["hydra:member"].as_array().unwrap().len(), 2);
    let member = &list["hydra:member"][0];
    assert_eq!(member["@id"], json!(format!("/api/orders/{}", member["id"])));
    let by_suffix = rig.get("/api/orders.jsonld?itemsPerPage=2&page=2").await;
    assert_eq!(by_suffix.json(), list);
    let error = rig.get("/api/orders/999999.jsonld").await;
    assert_eq!((error.status, error.json()["@type"].clone()), (404, json!("hydra:Error")));
    let refused = got(rig.reading(Method::GET, "/api/orders").header("accept", "text/csv")).await;
    assert_eq!(refused.status, 406);
    let page = got(rig.reading(Method::GET, "/api/orders").header("accept", "text/html")).await;
    assert_eq!((page.status, page.content_type.as_str()), (200, "text/html; charset=utf-8"));
}

#[tokio::test]
async fn the_document_tells_the_dialect_and_the_extension() {
    let rig = Rig::calm().await;
    let tracking = "/api/orders/{id}/tracking_numbers";
    let docs = rig.get("/api/docs.json").await.json();
    assert_eq!(docs["openapi"], "3.0.2");
    assert!(docs["paths"]["/api/orders/{id}/shipping_status"]["put"].is_object());
    assert_eq!(docs["paths"].get(tracking), None);
    let filters = |docs: &Value| docs["paths"]["/api/orders"]["get"]["parameters"].to_string();
    assert!(filters(&docs).contains("lastRenewDate[after]"));
    rig.set_quirks(|quirks| {
        quirks.tracking_extension = true;
        quirks.last_renew_date_filter = false;
    });
    let docs = rig.get("/api/docs.json").await.json();
    assert!(docs["paths"][tracking]["post"].is_object());
    assert!(!filters(&docs).contains("lastRenewDate"));
    assert_eq!(rig.get("/api/docs.json?spec_version=2").await.json()["swagger"], "2.0");
    assert_eq!(got(rig.bare(Method::GET, "/api/docs.json")).await.status, 401);
}

#[tokio::test]
async fn a_put_on_a_product_is_a_merge_and_an_amount_is_an_integer() {
    let rig = Rig::calm().await;
    let before = rig.get("/api/products/11").await.json();
    assert!(before["update_date"].as_str().unwrap().ends_with("+00:00"));
    let after = rig.put("/api/products/11", r#"{"amount":7}"#).await;
    assert_eq!(after.status, 200);
    let mut want = before.clone();
    want["amount"] = json!(7);
    want["update_date"] = json!("2024-05-01T12:34:56+00:00");
    assert_eq!(after.json(), want);
    assert_eq!(rig.shop.amount(before["sku"].as_str().unwrap()), Some(7));
    let table = [
        (r#"{"amount":7.0}"#, 400, "misformatted"),
        (r#"{"amount":"7"}"#, 400, "misformatted"),
        (r#"{"amount":-1}"#, 400, "positive or zero"),
        (r#"{"price":12}"#, 200, ""),
        (r#"{"price":12.34567}"#, 200, "12.3457"),
        (r#"{"sku":""}"#, 400, "Object(XLite"),
        (r#"{"inventory_traceable":true,"nonsense":1}"#, 200, ""),
    ];
    for (body, status, want) in table {
        let answer = rig.put("/api/products/11", body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.text.contains(want), "{body}: {}", answer.text);
    }
    let other = rig.get("/api/products/13").await.json()["sku"].clone();
    let clash = rig.put("/api/products/11", &json!({"sku": other}).to_string()).await;
    let want = format!("Input validations failed: SKU {} is not unique", other.as_str().unwrap());
    assert_eq!((clash.status, clash.json()["detail"].clone()), (400, json!(want)));
}

#[tokio::test]
async fn variants_have_a_stock_of_their_own_and_deleted_products_leave_orders_alone() {
    let rig = Rig::calm().await;
    // The ninth of the goods is a variant of the eighth, which is product 25.
    let sku = rig.shop.goods()[8].sku.clone();
    let variants = rig.get("/api/products/25/variants").await.json();
    assert_eq!(variants[0]["sku"], json!(sku));
    let path = format!("/api/products/25/variants/{}", variants[0]["id"]);
    let put = rig.put(&path, r#"{"amount":4,"default_amount":false}"#).await;
    assert_eq!((put.status, rig.shop.amount(&sku)), (200, Some(4)));
    let clash = json!({"sku": rig.shop.goods()[0].sku}).to_string();
    assert_eq!(rig.put(&path, &clash).await.json()["detail"], "SKU must be unique");
    let number = rig.shop.place(OrderSpec::simple().line(&sku, 1, super::euro(100)));
    let order = format!("/api/orders/{}", rig.id(&number));
    assert_eq!(rig.get(&order).await.json()["items"][0]["product_id"], 25);
    assert_eq!(got(rig.writing(Method::DELETE, "/api/products/25")).await.status, 204);
    let line = rig.get(&order).await.json()["items"][0].clone();
    assert_eq!((&line["product_id"], &line["sku"]), (&Value::Null, &json!(sku)));
    let made = rig.post("/api/products", r#"{"sku":"NEW-1","name":"New"}"#).await;
    assert_eq!((made.status, made.json()["amount"].clone()), (201, json!(1000)));
    assert_eq!(rig.post("/api/products", r#"{"sku":"NEW-2"}"#).await.status, 400);
}

#[tokio::test]
async fn wholesale_prices_belong_to_a_product_or_a_variant() {
    let rig = Rig::calm().await;
    let variants = rig.get("/api/products/25/variants").await.json();
    let of_variant = format!("/api/products/25/variants/{}/wholesale_prices", variants[0]["id"]);
    for path in ["/api/products/25/wholesale_prices", &of_variant] {
        assert_eq!(rig.get(path).await.json(), json!([]), "{path}");
        let made = rig.post(path, r#"{"price":9.5,"membership":4}"#).await;
        assert_eq!((made.status, made.json()["quantity_range_begin"].clone()), (201, json!(2)));
        let one = format!("{path}/{}", made.json()["id"]);
        assert_eq!(rig.put(&one, r#"{"quantity_range_begin":10}"#).await.json()["price"], 9.5);
        assert_eq!(rig.get(path).await.json()[0]["quantity_range_begin"], 10);
        assert_eq!(got(rig.writing(Method::DELETE, &one)).await.status, 204);
        assert_eq!(rig.get(&one).await.status, 404);
    }
    assert_eq!(rig.get("/api/products/9999/wholesale_prices").await.status, 404);
}

#[tokio::test]
async fn profiles_and_addresses_are_merged_and_refused_as_the_shop_does() {
    let rig = Rig::calm().await;
    let made = rig.post("/api/profiles", r#"{"login":"new@example.org","password":"secret-123"}"#);
    let made = made.await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json().get("password"), None);
    let path = format!("/api/profiles/{}", made.json()["id"]);
    let table = [
        ("/api/profiles", r#"{"login":"new@example.org"}"#, "Field \"login\" must be unique"),
        ("/api/profiles", r#"{"login":"no"}"#, "too short"),
        ("/api/profiles", r#"{"status":"E"}"#, "should not be blank"),
    ];
    for (path, body, want) in table {
        let answer = rig.post(path, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["detail"].as_str().unwrap().contains(want), "{}", answer.text);
    }
    assert_eq!(rig.put(&path, r#"{"membership_id":4}"#).await.json()["login"], "new@example.org");
    let address = json!({
        "firstname": "Ł", "lastname": "Ж", "street": "1", "city": "中", "zipcode": "1",
        "country_code": "DE", "state": 201, "state_name": "nowhere",
        "custom_fields": [{"name": "vat_number", "value": "DE1"}],
    });
    let addresses = format!("{path}/addresses");
    let made = rig.post(&addresses, &address.to_string()).await;
    assert_eq!((made.status, made.json()["state_name"].clone()), (201, json!("Bayern")));
    let one = format!("{addresses}/{}", made.json()["id"]);
    let put = rig.put(&one, r#"{"city":"Hof"}"#).await.json();
    assert_eq!(put["custom_fields"][0]["value"], "DE1");
    for (body, want) in [
        (
            r#"{"custom_fields":[{"name":"x","value":""}]}"#,
            "Field with \"x\" service name not found",
        ),
        (r#"{"custom_fields":[{"name":"city","value":""}]}"#, "Field \"city\" is not additional"),
        (r#"{"custom_fields":[{"name":"fax","value":""}]}"#, "Field \"fax\" is disabled"),
        (r#"{"state":9}"#, "State with ID 9 not found"),
        (r#"{"city":""}"#, "Field \"city\" is required"),
    ] {
        assert_eq!(rig.put(&one, body).await.json()["detail"], want);
    }
    let last = got(rig.writing(Method::DELETE, "/api/profiles/1")).await;
    assert_eq!(last.json()["detail"], "Cannot remove the last admin profile");
    assert_eq!(got(rig.writing(Method::DELETE, &path)).await.status, 204);
}
