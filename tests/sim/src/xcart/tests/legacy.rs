//! A shop of 5.0 to 5.4, held to reference/xcart.md 9.

use super::{Got, MAY, Rig, got};
use crate::xcart::{DateFilter, Legacy, OrderSpec};
use reqwest::Method;

const WRITE: &str = "write-token-of-the-simulated-shop";
const READ: &str = "read-token-of-the-simulated-shop";

async fn rig(kind: Legacy) -> Rig {
    Rig::with(|options| options.legacy = Some(kind)).await
}

fn path(key: &str, rest: &str) -> String {
    format!("/admin.php?target=RESTAPI&_key={key}&_path={rest}")
}

async fn get(rig: &Rig, rest: &str) -> Got {
    got(rig.bare(Method::GET, &path(WRITE, rest))).await
}

async fn form(rig: &Rig, rest: &str, form: &str) -> Got {
    let request = rig.bare(Method::POST, &path(WRITE, rest));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    got(request.body(form.to_owned())).await
}

#[tokio::test]
async fn a_key_opens_what_it_is_for_and_every_refusal_is_an_empty_page() {
    let rig = rig(Legacy::calm()).await;
    let id = rig.id(&rig.shop.place(OrderSpec::simple()));
    let table = [
        (path(READ, "order"), 200),
        (path(WRITE, &format!("order/{id}")), 200),
        (path("", "order"), 403),
        (path("other", "order"), 403),
        (path(READ, &format!("order/{id}&_method=put&model[adminNotes]=x")), 403),
        (path(WRITE, "nothing"), 404),
        (path(WRITE, "order/9999"), 404),
        ("/api/orders".to_owned(), 404),
    ];
    for (path, status) in table {
        let got = got(rig.bare(Method::GET, &path)).await;
        assert_eq!(got.status, status, "{path}");
        assert_eq!(got.text.is_empty(), status != 200 && !path.starts_with("/api"), "{path}");
    }
    let login = got(rig.bare(Method::GET, "/admin.php")).await;
    assert!(login.status == 200 && login.text.contains("<html"), "{login:?}");
    assert_eq!(get(&rig, &format!("order/{id}&_schema=complex")).await.status, 400);
}

#[tokio::test]
async fn a_list_has_no_relations_and_is_narrowed_by_the_day_an_order_was_placed_only() {
    for filter in [DateFilter::Date, DateFilter::DateRange, DateFilter::Ignored] {
        let rig = rig(Legacy { date_filter: filter, ..Legacy::calm() }).await;
        let first = rig.shop.place(OrderSpec::simple());
        rig.clock.advance(1_000);
        rig.shop.place(OrderSpec::simple());
        rig.clock.advance(1_000);
        assert!(rig.shop.set_shipping_status(&first, "S"));
        let name = if filter == DateFilter::DateRange { "dateRange" } else { "date" };
        let since = get(&rig, &format!("order&_cnd[{name}][0]={}", MAY + 500)).await.json();
        let count = if filter == DateFilter::Ignored { 2 } else { 1 };
        assert_eq!(since.as_array().unwrap().len(), count, "{filter:?}");
        let all = get(&rig, "order&_cnd[lastRenewDate][0]=9999999999").await.json();
        assert_eq!(all.as_array().unwrap().len(), 2, "there is no such filter");
        assert_eq!(all[0]["lastRenewDate"], MAY + 2_000);
        assert!(all[0].get("items").is_none() && all[0].get("profile").is_none());
        let part = get(&rig, "order&_cnd[limit][0]=1&_cnd[limit][1]=5").await.json();
        assert_eq!(part.as_array().unwrap().len(), 1);
        let shipped = get(&rig, "order&_cnd[shippingStatus]=S").await.json();
        assert_eq!(shipped[0]["orderNumber"], first.as_str());
    }
}

#[tokio::test]
async fn statuses_are_written_by_ids_that_differ_from_shop_to_shop() {
    let rig = rig(Legacy { status_id_shift: 10, ..Legacy::calm() }).await;
    let number = rig.shop.place(OrderSpec::simple());
    let id = rig.id(&number);
    let listed = get(&rig, "order-status-shipping").await.json();
    let shipped = listed.as_array().unwrap().iter().find(|row| row["code"] == "S").unwrap();
    assert_eq!(shipped["id"], 13);
    let told = form(&rig, &format!("order/{id}&_method=put"), "model[shippingStatus][id]=13").await;
    assert_eq!(told.status, 200);
    assert_eq!(rig.shop.booked(&number).unwrap().shipping_status, "S");
    let wrong = form(&rig, &format!("order/{id}&_method=put"), "model[shippingStatus][id]=3").await;
    assert_eq!((wrong.status, wrong.text.as_str()), (400, "null"));
    let track = format!("model[value]=T1&model[order][order_id]={id}");
    assert_eq!(form(&rig, "ordertrackingnumber/0", &track).await.json()["value"], "T1");
    let notes =
        form(&rig, &format!("order/{id}&_method=put"), "model={\"adminNotes\":\"a\"}").await;
    assert_eq!(notes.json()["adminNotes"], "a");
    assert_eq!(rig.shop.booked(&number).unwrap().tracking, ["T1"]);
}

#[tokio::test]
async fn a_deletion_without_an_id_deletes_everything() {
    let rig = rig(Legacy::calm()).await;
    let one = rig.id(&rig.shop.place(OrderSpec::simple()));
    rig.shop.place(OrderSpec::simple());
    assert_eq!(get(&rig, &format!("order/{one}&_method=delete")).await.status, 200);
    assert_eq!(rig.shop.books().len(), 1);
    assert_eq!(got(rig.bare(Method::DELETE, &path(WRITE, "product"))).await.status, 200);
    assert_eq!(rig.shop.products(), 0);
    assert_eq!(get(&rig, "order&_method=delete").await.status, 200);
    assert!(rig.shop.books().is_empty());
}
