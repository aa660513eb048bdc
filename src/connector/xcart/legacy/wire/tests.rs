//! Orders as shops of 5.0 to 5.4 may write them.

use super::*;
use crate::order::{Standing, SurchargeKind};

const FULL: &str = r#"{"order_id":42,"orderNumber":"1042","date":1714566896,"lastRenewDate":"1714566900","total":"44.8800","subtotal":39.98,
    "shipping_method_name":"DHL","notes":null,"adminNotes":"","tracking":"OLD1",
    "paymentStatus":{"id":14,"code":"P","position":10},"shippingStatus":{"id":31,"code":""},
    "profile":{"profile_id":9,"login":" a@b.example","password":"SHA512:secret","addresses":[
       {"address_id":5,"is_billing":1,"is_shipping":0,"firstname":"Ada","street":"S 1","city":"D","zipcode":"01067","country":{"code":"de"},
        "state":{"state_id":1,"state":"Sachsen"},"company":" ACME "},
       {"address_id":6,"is_billing":false,"is_shipping":true,"country_code":"AT","custom_state":"Tirol","addressFields":{
         "3":{"id":1,"value":"Neu 2","addressField":{"serviceName":"street"}},"4":{"id":2,"value":"DE1","addressField":{"serviceName":"VAT_number"}}}}]},
    "orig_profile":[],"details":[],"items":{"8":{"item_id":8,"sku":"B","name":"b","price":0.5,"amount":1},
       "7":{"item_id":7,"sku":" A ","name":"a","price":"19.9900","amount":"2","discountedSubtotal":39.98}},
    "surcharges":[{"id":1,"type":"shipping","code":"SHIPPING","include":false,"available":true,"value":4.9,"name":"DHL"},
       {"id":2,"type":"tax","code":"CDEV.VAT","include":"1","available":"1","value":6.38}],
    "trackingNumbers":[{"tracking_id":1,"value":"00340"}],"currency":{"code":"eur"},"events":[{"deep":[[]]}]}"#;

fn read(json: &str) -> Result<Read, String> {
    order(json.as_bytes(), &AddressFields::default())
}

#[test]
fn an_order_is_read_exactly_however_php_wrote_it() {
    let Read { order, profile, addresses, statuses } = read(FULL).unwrap();
    assert_eq!((order.id, order.number.as_str(), order.currency.as_str()), (42, "1042", "EUR"));
    assert_eq!((order.total.to_mi(), order.sub_total.to_mi()), ("44.88".into(), "39.98".into()));
    assert_eq!((order.created_s, order.updated_s), (1_714_566_896, 1_714_566_900));
    assert_eq!((order.email.as_str(), order.customer_id, profile), ("a@b.example", None, Some(9)));
    assert_eq!(order.payment_status.as_deref(), Some("P"));
    assert_eq!(order.shipping_status.as_deref(), Some("31"), "one without a code goes by its id");
    let lines: Vec<_> = order.lines.iter().map(|l| (l.id, l.sku.as_str(), l.quantity)).collect();
    assert_eq!(lines, [(7, "A", 2), (8, "B", 1)]);
    assert_eq!(order.lines[0].discounted_subtotal.unwrap().to_mi(), "39.98");
    let surcharges: Vec<_> = order.surcharges.iter().map(|s| (s.kind, s.standing)).collect();
    let want =
        [(SurchargeKind::Shipping, Standing::Added), (SurchargeKind::Tax, Standing::Included)];
    assert_eq!(surcharges, want);
    assert_eq!(order.tracking, ["00340", "OLD1"]);
    let want = [(Table::Payment, "P".to_owned(), 14), (Table::Shipping, String::new(), 31)];
    assert_eq!(statuses, want);
    let told: Vec<_> = addresses
        .iter()
        .map(|located| {
            let address = located.address.as_ref().unwrap();
            (located.id, located.use_for, address.country_code.as_str(), address.street.as_str())
        })
        .collect();
    let want = [(Some(5), Use::Billing, "DE", "S 1"), (Some(6), Use::Shipping, "AT", "Neu 2")];
    assert_eq!(told, want);
    let [billing, shipping] = [0, 1].map(|at| addresses[at].address.clone().unwrap());
    assert_eq!((billing.company.as_str(), billing.state_name.as_str()), ("ACME", "Sachsen"));
    assert_eq!((shipping.vat_number.as_str(), shipping.state_name.as_str()), ("DE1", "Tirol"));
}

#[test]
fn an_address_whose_fields_are_elsewhere_is_read_by_its_id() {
    let bare = r#"{"profile_id":9,"addresses":[{"address_id":"5","is_billing":true,"is_shipping":true,"address_type":"R"}]}"#;
    let found = profile(bare.as_bytes(), &AddressFields::default()).unwrap();
    let told: Vec<_> = found.iter().map(|a| (a.id, a.use_for, a.address.is_none())).collect();
    assert_eq!(told, [(Some(5), Use::Both, true)]);
    let none = profile(br#"{"profile_id":9}"#, &AddressFields::default()).unwrap();
    assert!(none.is_empty());
}

#[test]
fn what_would_be_a_guess_is_refused_with_its_field() {
    let table = [
        (r#""order_id":42"#, r#""order_id":"x""#, "order_id"),
        (r#""orderNumber":"1042""#, r#""orderNumber":null"#, "number"),
        (r#""total":"44.8800","#, "", "total"),
        (r#""code":"eur""#, r#""code":"""#, "currency"),
        (r#""amount":"2""#, r#""amount":1.5"#, "amount: 1.5 is not a whole number"),
        (r#""price":"19.9900""#, r#""price":"a lot""#, "price"),
        (r#""date":1714566896"#, r#""date":"2024-05-01""#, "is no number of seconds"),
    ];
    for (from, to, want) in table {
        assert!(FULL.contains(from), "{from}");
        let told = read(&FULL.replacen(from, to, 1)).err().unwrap();
        assert!(told.contains(want), "{told}");
    }
}

#[test]
fn a_list_names_its_orders_and_no_carts() {
    let rows = [
        r#"{"order_id":1,"orderNumber":"101","date":50,"lastRenewDate":70}"#,
        r#"{"order_id":2,"orderNumber":"","date":50}"#,
        r#"{"order_id":"3","orderNumber":103,"date":"60","lastRenewDate":0}"#,
        r#"{"order_id":4,"orderNumber":"104"}"#,
        "7",
    ];
    let plain = format!("[{}]", rows.join(","));
    let keyed: Vec<String> =
        (10..).zip(rows).map(|(key, row): (u32, _)| format!("\"{key}\":{row}")).collect();
    let keyed = format!("{{{}}}", keyed.join(","));
    for body in [plain, keyed] {
        let found = list(body.as_bytes()).unwrap();
        let told: Vec<_> = found.iter().map(|entry| (entry.id(), entry.updated_s())).collect();
        let want = [(Some(1), Some(70)), (Some(3), Some(60)), (Some(4), None), (None, None)];
        assert_eq!(told, want, "{body}");
        assert_eq!(rows_of(&body), 5);
    }
    for body in ["<html>", "null", "7", ""] {
        assert!(list(body.as_bytes()).is_err(), "{body}");
    }
}

fn rows_of(body: &str) -> usize {
    rows(body.as_bytes())
}
