//! What the shop's callers see, against a server that plays replies.

use super::*;
use crate::connector::{
    stub::{Asked, Reply, Stub},
    xcart::{
        notes::{Shipped, Written},
        wire::OrderOnPage,
    },
};

const ORDER: &str = r#"{"id":42,"order_number":"1042","total":10,"sub_total":10,"items":[],"currency":"EUR","update_date":"2024-05-01T12:34:56+0000"}"#;
const NOT_THERE: &str = r#"{"type":"https://tools.ietf.org/html/rfc2616#section-10","title":"An error occurred","detail":"Not Found"}"#;
const CATCH_ALL: &str = r#"{"title":"An error occurred","detail":"Not found"}"#;
const HTML: &str = "<html><body>Log in</body></html>";

fn speaking(stub: &Stub, dialect: &str) -> Shop {
    let text = format!(
        "base_url = \"{}/store/\"\ncredential = \"shop\"\nhttp = {{ call_ms_max = 300 }}\ndialect = {dialect:?}",
        stub.url()
    );
    Shop::new(toml::from_str(&text).unwrap(), &Secret::new("s3cret")).unwrap()
}

fn shop(stub: &Stub) -> Shop {
    speaking(stub, "5.5")
}

fn told<T: std::fmt::Debug>(answer: Result<T, Failure>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(Failure { fate, class, .. }) => format!("{fate:?} {class:?}"),
    }
}

fn parcel(number: &str) -> Shipped {
    Shipped { number: number.to_owned(), ..Shipped::default() }
}

#[tokio::test]
async fn an_order_is_read_by_id_and_by_number() {
    let stub = Stub::start(vec![Reply::json(200, ORDER); 2]).await;
    let shop = shop(&stub);
    assert_eq!(shop.order_by_id(42).await.unwrap().id, 42);
    assert_eq!(shop.order_by_number("10/42").await.unwrap().id, 42);
    let asked = stub.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let want = ["GET /store/api/orders/42", "GET /store/api/orders/by_number/10%2F42"];
    assert_eq!(lines, want);
    for Asked { line, head, .. } in &asked {
        assert!(head.contains("x-auth-token: s3cret"), "{head}");
        assert!(head.contains("accept: application/json"), "{head}");
        assert!(!line.contains("s3cret"), "{line}");
    }
}

#[tokio::test]
async fn each_way_a_call_can_end_has_one_meaning() {
    let table = [
        // the reply, reading an order by id, by number, writing a status, adding a tracking number
        (Reply::json(404, NOT_THERE), ["Refused NotFound"; 4]),
        (
            Reply::json(404, CATCH_ALL),
            ["NotDone Config", "Refused NotFound", "NotDone Config", "NotOffered"],
        ),
        (Reply::json(404, HTML), ["NotDone Config"; 4]),
        (Reply::json(401, r#"{"message":"Invalid credentials."}"#), ["NotDone Unauthorized"; 4]),
        (
            Reply::json(200, HTML),
            ["NotDone Broken", "NotDone Broken", "Unknown Broken", "Unknown Broken"],
        ),
        (
            Reply::json(503, HTML),
            [
                "NotDone Unavailable",
                "NotDone Unavailable",
                "Unknown Unavailable",
                "Unknown Unavailable",
            ],
        ),
        (
            Reply::HangUp,
            [
                "NotDone Unreachable",
                "NotDone Unreachable",
                "Unknown Unreachable",
                "Unknown Unreachable",
            ],
        ),
        (
            Reply::Silence,
            ["NotDone TimedOut", "NotDone TimedOut", "Unknown TimedOut", "Unknown TimedOut"],
        ),
        (Reply::json(200, r#"{"id":1}"#), ["NotDone Broken", "NotDone Broken", "()", "Yes"]),
    ];
    for (reply, want) in table {
        let stub = Stub::start(vec![reply.clone(); 4]).await;
        let shop = shop(&stub);
        let got = [
            told(shop.order_by_id(1).await),
            told(shop.order_by_number("1").await),
            told(shop.set_shipping_status(1, "S").await),
            told(shop.add_tracking(1, &parcel("T")).await),
        ];
        assert_eq!(got, want, "{reply:?}");
        assert_eq!(stub.asked().len(), 4, "{reply:?} is not asked for twice");
    }
}

#[tokio::test]
async fn writes_send_what_the_shop_expects() {
    let replies = [Reply::json(200, "{}"), Reply::json(200, "{}"), Reply::json(201, "{}")];
    let stub = Stub::start(replies).await;
    let shop = shop(&stub);
    shop.set_shipping_status(42, "S").await.unwrap();
    shop.set_payment_status(42, "P").await.unwrap();
    assert_eq!(shop.add_tracking(42, &parcel("00\"340")).await, Ok(Written::Yes));
    let asked: Vec<_> =
        stub.asked().into_iter().map(|a| format!("{} {}", a.line, a.body)).collect();
    let want = [
        r#"PUT /store/api/orders/42/shipping_status {"code":"S"}"#,
        r#"PUT /store/api/orders/42/payment_status {"code":"P"}"#,
        r#"POST /store/api/orders/42/tracking_numbers {"value":"00\"340"}"#,
    ];
    assert_eq!(asked, want);
}

#[tokio::test]
async fn a_page_of_changes_is_asked_for_by_the_watermark() {
    let page = format!("[{ORDER},{{\"id\":43}}]");
    let stub =
        Stub::start([Reply::json(200, &page), Reply::json(200, "[]"), Reply::json(200, HTML)])
            .await;
    let shop = shop(&stub);
    let query = OrdersQuery {
        after_s: 1_714_566_896,
        filter: Filter::LastRenewDate,
        sort: Sort::OldestFirst,
        page: 1,
    };
    assert_eq!(shop.orders_changed(query).await.unwrap().len(), 2);
    let rest = OrdersQuery { filter: Filter::None, sort: Sort::NewestFirst, page: 2, ..query };
    assert_eq!(shop.orders_changed(rest).await, Ok(Vec::new()));
    assert_eq!(told(shop.orders_changed(rest).await), "NotDone Broken", "a page is no empty list");
    let asked = stub.asked();
    let want = [
        "GET /store/api/orders?itemsPerPage=100&page=1&order%5BlastRenewDate%5D=asc\
         &lastRenewDate%5Bafter%5D=2024-05-01T12%3A34%3A56Z",
        "GET /store/api/orders?itemsPerPage=100&page=2&order%5BlastRenewDate%5D=desc",
    ];
    assert_eq!([asked[0].line.as_str(), asked[1].line.as_str()], want);
}

#[tokio::test]
async fn an_order_that_breaks_the_shop_is_stepped_over_and_a_passing_fault_is_not() {
    let one = format!("[{ORDER}]");
    let broken = || std::iter::repeat_with(|| Reply::json(500, HTML)).take(4);
    let replies = broken()
        .chain([Reply::json(200, &one), Reply::json(503, HTML), Reply::json(500, HTML)])
        .chain([Reply::json(200, &one)])
        .chain(broken())
        .chain([Reply::json(200, &one), Reply::json(200, "[]")]);
    let stub = Stub::start(replies.collect::<Vec<_>>()).await;
    let query = OrdersQuery { after_s: 0, filter: Filter::None, sort: Sort::OldestFirst, page: 2 };
    let orders = shop(&stub).orders_one_by_one(query).await.unwrap();
    let read: Vec<_> = orders.iter().map(|o| matches!(o, OrderOnPage::Order(_))).collect();
    assert_eq!(read, [true, true, false, true]);
    let pages: Vec<String> = stub.asked().into_iter().map(|asked| asked.line).collect();
    assert!(pages[0].contains("itemsPerPage=10&page=11&"), "{}", pages[0]);
    let singles = ["page=101&", "page=102&", "page=102&", "page=102&", "page=103&"];
    for (page, want) in pages[4..].iter().zip(singles) {
        assert!(page.contains("itemsPerPage=1&") && page.contains(want), "{page}");
    }
    assert_eq!(pages.len(), 14);
}

#[tokio::test]
async fn the_shop_tells_what_it_can_do() {
    let docs = r#"{"info":{"title":"X-Cart","version":"5.5.1"},"paths":{"/api/orders":{"get":{"parameters":[{"name":"lastRenewDate[after]"}]}}}}"#;
    let stub = Stub::start([Reply::json(200, docs), Reply::json(200, "{}")]).await;
    let shop = shop(&stub);
    let probe = shop.probe().await.unwrap();
    assert!(probe.can(super::super::docs::Ability::FilterByChange), "{probe:?}");
    assert_eq!(told(shop.probe().await), "NotDone Broken");
    assert_eq!(stub.asked()[0].line, "GET /store/api/docs.json");
    assert_eq!(shop.gate_state().in_flight, 0);
}

#[tokio::test]
async fn an_old_shop_is_told_apart_from_none() {
    let other = r#"{"paths":{"/api/pets":{}}}"#;
    let add_on = || Reply::With(403, "", String::new());
    let table = [
        // what /api/docs.json answers, what the add-on answers, what is made of it
        (Reply::json(404, HTML), Some(add_on()), "Legacy"),
        (Reply::json(200, HTML), Some(add_on()), "Legacy"),
        (Reply::json(404, CATCH_ALL), Some(Reply::json(200, HTML)), "NotDone Config"),
        (Reply::json(200, HTML), Some(Reply::With(302, "", String::new())), "NotDone Broken"),
        (
            Reply::json(404, HTML),
            Some(Reply::json(403, "<html>forbidden</html>")),
            "NotDone Config",
        ),
        (Reply::json(404, HTML), Some(Reply::HangUp), "NotDone Config"),
        (Reply::json(200, other), None, "NotDone Broken"),
        (Reply::json(503, HTML), None, "NotDone Unavailable"),
        (Reply::json(401, "{}"), None, "NotDone Unauthorized"),
    ];
    for (docs, legacy, want) in table {
        let asked_for_legacy = legacy.is_some();
        let key_is_tried = Reply::json(200, "[]");
        let stub = Stub::start(std::iter::once(docs).chain(legacy).chain([key_is_tried])).await;
        let probed = speaking(&stub, "auto").probe().await.map(|probe| probe.dialect);
        assert_eq!(told(probed), want);
        let asked = stub.asked();
        let tried = usize::from(asked_for_legacy) + usize::from(want == "Legacy");
        assert_eq!(asked.len(), 1 + tried, "{want}");
        if let Some(Asked { line, head, .. }) = asked.get(1) {
            assert_eq!(line, "GET /store/admin.php?target=RESTAPI");
            assert!(!head.contains("s3cret"), "the token goes to the API alone: {head}");
        }
        if let Some(Asked { line, .. }) = asked.get(2) {
            assert!(line.ends_with("&_key=s3cret"), "{line}");
        }
    }
}

#[tokio::test]
async fn no_api_of_ours_can_send_a_delete_without_an_id() {
    let stub = Stub::start([Reply::json(204, "")]).await;
    let shop = shop(&stub);
    for target in ["/products", "/products/", "/orders", "/profiles?x=/5", "", "/5"] {
        let sent = shop.send(Method::DELETE, target, None::<&()>).await;
        assert_eq!(told(sent.map(|answer| answer.status)), "NotDone Config", "{target}");
    }
    assert!(stub.asked().is_empty(), "{:?}", stub.asked());
    let one = shop.send(Method::DELETE, "/products/5/variants/7", None::<&()>).await;
    assert_eq!(one.unwrap().status, 204);
    for path in ["https://evil.example/x", "/orders/../../admin.php", "//evil.example"] {
        assert_eq!(told(shop.look(path).await), "NotDone Config", "{path}");
    }
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn the_newest_products_are_looked_through_to_the_end_however_many_went() {
    let page = |ids: std::ops::Range<u64>| {
        let products = ids.map(|id| format!(r#"{{"id":{id},"sku":"S{id}"}}"#));
        Reply::json(200, &format!("[{}]", products.collect::<Vec<_>>().join(",")))
    };
    // Pages 4 and 3 have gone; 2 is full, and so there may be more.
    let replies = [page(0..0), page(0..0), page(100..200), page(200..203)];
    let stub = Stub::start(replies).await;
    let found = shop(&stub).newest_with("S202", 4).await.unwrap().unwrap();
    assert_eq!(found.place.product, 202);
    let asked: Vec<_> = stub.asked().into_iter().map(|asked| asked.line).collect();
    let line = |page: u32| format!("GET /store/api/products?itemsPerPage=100&page={page}");
    assert_eq!(asked, [line(4), line(3), line(2), line(3)]);
    let stub = Stub::start([page(0..0), page(0..0)]).await;
    assert_eq!(shop(&stub).newest_with("S1", 2).await.unwrap(), None, "the shop has none at all");
}

#[tokio::test]
async fn a_new_product_is_known_by_the_answer_or_must_be_looked_for() {
    use crate::connector::xcart::{making::NewProduct, sheet::Sheet};
    let taken = r#"{"type":"x","detail":"Input validations failed: SKU A is not unique"}"#;
    let table = [
        (Reply::json(201, r#"{"id":7,"sku":"A","amount":0}"#), "made"),
        (Reply::json(201, r#"{"sku":"A"}"#), "Unknown Broken"),
        (Reply::json(201, HTML), "Unknown Broken"),
        (Reply::json(400, taken), "Refused Exists"),
        (Reply::json(422, HTML), "Refused Unclassified"),
        (Reply::json(429, HTML), "NotDone RateLimited"),
        (Reply::json(500, HTML), "Unknown Broken"),
        (Reply::HangUp, "Unknown Unreachable"),
        (Reply::Silence, "Unknown TimedOut"),
    ];
    let new = NewProduct { sku: "A".to_owned(), sheet: Sheet::new(), price: None };
    for (reply, want) in table {
        let stub = Stub::start([reply.clone()]).await;
        let made = shop(&stub).make_product(&new).await;
        let got = made.map(|shown| format!("made {}", shown.place.product));
        let got = got.unwrap_or_else(|failure| format!("{:?} {:?}", failure.fate, failure.class));
        assert!(got.starts_with(want), "{reply:?}: {got}, not {want}");
    }
}

const LEGACY_ORDER: &str = r#"{"order_id":42,"orderNumber":"1042","date":5,"total":10,"subtotal":10,"currency":{"code":"EUR"},
    "profile":{"profile_id":7,"addresses":[{"is_billing":true,"street":"S 1","country_code":"DE"}]}}"#;

#[tokio::test]
async fn a_call_waits_until_it_is_known_which_api_the_shop_has() {
    let add_on = || Reply::With(403, "", String::new());
    let docs = r#"{"paths":{}}"#;
    let page = || Reply::json(200, HTML);
    let table: [(&str, Vec<Reply>, &str, usize); 7] = [
        // what happens, the replies, what reading an order comes to, calls
        ("older", vec![Reply::json(404, HTML), add_on(), Reply::json(200, LEGACY_ORDER)], "42", 3),
        ("newer", vec![Reply::json(200, docs), Reply::json(200, ORDER)], "42", 2),
        (
            "no right to the document",
            vec![Reply::json(403, "{}"), Reply::json(200, ORDER)],
            "42",
            2,
        ),
        ("a document that fails", vec![Reply::json(500, HTML), Reply::json(200, ORDER)], "42", 2),
        ("a page everywhere", vec![page(), page(), page()], "NotDone Broken", 3),
        ("maintenance", vec![Reply::json(503, HTML)], "NotDone Unavailable", 1),
        (
            "silence of the add-on",
            vec![Reply::json(404, HTML), Reply::HangUp],
            "NotDone Unreachable",
            2,
        ),
    ];
    for (name, replies, want, calls) in table {
        let stub = Stub::start(replies).await;
        let shop = speaking(&stub, "auto");
        assert_eq!(told(shop.order_by_id(42).await.map(|order| order.id)), want, "{name}");
        assert_eq!(stub.asked().len(), calls, "{name}");
        if name == "a page everywhere" {
            // When it is over the shop is asked once more.
            let old = [Reply::json(404, HTML), add_on(), Reply::json(200, LEGACY_ORDER)];
            stub.play(old);
            assert_eq!(shop.order_by_id(42).await.unwrap().id, 42);
        }
        if want == "42" {
            let order = if name == "older" { LEGACY_ORDER } else { ORDER };
            stub.play([Reply::json(200, order)]);
            assert_eq!(shop.order_by_id(42).await.unwrap().id, 42);
            assert_eq!(stub.asked().len(), 1, "{name}: it is asked once");
        }
    }
}

#[tokio::test]
async fn the_key_of_the_older_api_stands_in_the_address_and_in_no_failure() {
    let echo = "<html><h1>Not Found</h1><p>/store/admin.php?_path=order/1&amp;_key=s3cret was not found</p></html>";
    let said = "X-REST-Error: no way with s3cret\r\n";
    let replies = [
        Reply::json(404, echo),
        Reply::json(500, echo),
        Reply::json(200, echo),
        Reply::With(400, said, "null".to_owned()),
        Reply::json(200, r#"{"order_id":"s3cret"}"#),
        Reply::Silence,
        Reply::HangUp,
    ];
    let count = replies.len();
    let stub = Stub::start(replies).await;
    let shop = speaking(&stub, "legacy");
    for _ in 0..count {
        let failure = shop.order_by_id(1).await.unwrap_err();
        let shown = format!("{failure} {failure:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let lines: Vec<_> = stub.asked().into_iter().map(|asked| asked.line).collect();
    assert!(lines.iter().all(|line| line.contains("_key=s3cret")), "{lines:?}");
    assert!(!format!("{shop:?}").contains("s3cret"));
}

#[tokio::test]
async fn what_only_the_newer_api_can_do_is_not_sent_to_the_older_one() {
    let stub = Stub::start([]).await;
    let shop = speaking(&stub, "legacy");
    let place = crate::connector::xcart::products::Place { product: 5, variant: None };
    let refused = [
        told(shop.profiles(1).await),
        told(shop.memberships().await),
        told(shop.tiers(place).await),
        told(shop.remove_tier(place, 7).await),
        told(shop.put_json("/orders/5", &serde_json::json!({})).await),
        told(shop.send(Method::DELETE, "/products/5", None::<&()>).await),
    ];
    assert!(refused.iter().all(|told| told == "NotDone Config"), "{refused:?}");
    assert!(stub.asked().is_empty());
    for path in ["/order?_method=delete", "/order?%20_method=delete", "/order/0"] {
        assert_eq!(told(shop.look(path).await), "NotDone Config", "{path}");
    }
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn a_list_of_an_older_shop_is_read_to_its_end_whether_it_is_cut_or_not() {
    let rows = |ids: std::ops::Range<u32>| {
        let rows = ids.map(|id| format!(r#"{{"order_id":{id},"orderNumber":"{id}","date":{id}}}"#));
        Reply::json(200, &format!("[{}]", rows.collect::<Vec<_>>().join(",")))
    };
    let table = [
        // the parts, the calls they take, the orders in them
        (vec![rows(1..201), rows(191..391), rows(381..400)], 3, 399),
        (vec![rows(1..201), rows(1..201)], 2, 200),
        (vec![rows(1..501)], 1, 500),
        (vec![rows(1..201), Reply::json(200, "null")], 2, 200),
        (vec![rows(1..1)], 1, 0),
        (vec![Reply::json(200, "null")], 1, 0),
    ];
    for (parts, calls, want) in table {
        let stub = Stub::start(parts).await;
        let shop = speaking(&stub, "legacy");
        let (filter, sort) = (Filter::LastRenewDate, Sort::ById);
        let newest =
            OrdersQuery { after_s: 1, filter, sort, page: 1 + u32::saturating_sub(want, 1) / 100 };
        let last = shop.orders_changed(newest).await.unwrap();
        let ids: Vec<_> = last.iter().filter_map(OrderOnPage::id).collect();
        assert_eq!(ids.last().copied().unwrap_or(0), u64::from(want));
        let asked: Vec<_> = stub.asked().into_iter().map(|asked| asked.line).collect();
        assert_eq!(asked.len(), calls, "{want}: {asked:?}");
        assert!(
            asked[0].contains("limit%5D%5B0%5D=0&") && asked[0].contains("limit%5D%5B1%5D=200")
        );
    }
}
