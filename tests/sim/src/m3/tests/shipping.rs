//! From Confirm to the paid invoice; customers, items and stock beside it.

use super::client::{start, until};
use crate::m3::Switches;
use rust_decimal::Decimal;
use serde_json::json;

fn dec(text: &str) -> Decimal {
    text.trim().parse().unwrap()
}

#[tokio::test]
async fn an_order_goes_from_22_to_77_and_is_paid() {
    let client = start(|_| {}).await;
    let orno = client.confirmed("XC-1").await;
    let mut story = Vec::new();
    for _ in 0..6 {
        let rows = client.rows("OIS100MI/GetHead", &[("ORNO", &orno)]).await;
        story.push(rows[0]["ORSL"].as_str().unwrap().to_owned());
        client.m3.advance();
    }
    assert_eq!(story, ["22", "33", "44", "66", "77", "77"]);
    let order = client.m3.books().orders.remove(0);
    let tracking = order.deliveries[0].etrn.clone().unwrap();
    assert_eq!((order.invoices[0].amount, order.invoices[0].reco), (dec("47.30"), 9));
    let lines = client.rows("OIS100MI/LstDelLineByCO", &[("ORNO", &orno), ("PONR", "1")]).await;
    let dlix = lines[0]["DLIX"].as_str().unwrap().to_owned();
    let head = client.rows("MWS410MI/GetHead", &[("DLIX", &dlix)]).await;
    assert_eq!((&head[0]["ETRN"], &head[0]["RIDN"]), (&json!(tracking), &json!(orno)));
    let packed = client.rows("MWS423MI/LstPackDel", &[("DLIX", &dlix)]).await;
    assert_eq!(packed[0]["ETRN"], json!(tracking));
    let found = client.rows("OIS350MI/LstAllInvByCO", &[("ORNO", &orno)]).await;
    let of = |name: &str| found[0][name].as_str().unwrap().to_owned();
    assert_eq!((dec(&of("IVAV")), dec(&of("RAFC"))), (dec("47.30"), Decimal::ZERO));
    let (number, year) = (of("IVNO"), of("YEA4"));
    let fields = [("PYNO", "Y30000"), ("CINO", &number), ("INYR", &year), ("CUNO", "Y30000")];
    assert_eq!(client.rows("ARS200MI/GetInvTotInfo", &fields).await[0]["RECO"], "9");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_payment_batch_and_its_lines_are_kept_once_and_closed_by_the_control() {
    let client = start(|_| {}).await;
    let orno = client.confirmed("XC-9").await;
    (0..4).for_each(|_| client.m3.advance());
    let invoice = client.m3.books().orders[0].invoices[0].clone();
    let found = client.rows("OIS350MI/LstAllInvByCO", &[("ORNO", &orno)]).await;
    let (cino, year) = (invoice.ivno.to_string(), found[0]["YEA4"].as_str().unwrap().to_owned());
    let head = [("PBID", "7100000001"), ("BOPE", "WEB")];
    assert_eq!(client.rows("ARS040MI/AddBatchHead", &head).await[0]["PBID"], "7100000001");
    assert_eq!(client.refusal("ARS040MI/AddBatchHead", &head).await, "XRE0104");
    let line = [
        ("PBID", "7100000001"),
        ("TRNO", "1"),
        ("CINO", &cino),
        ("INYR", &year),
        ("CUNO", "Y30000"),
        ("PYAM", "47.30"),
        ("IRNO", "XC-9-1"),
    ];
    client.rows("ARS040MI/AddBatchLine", &line).await;
    assert_eq!(client.refusal("ARS040MI/AddBatchLine", &line).await, "XRE0104");
    assert!(!client.m3.books().payments[0].whole);
    client.rows("ARS040MI/ControlBatch", &[("PBID", "7100000001")]).await;
    let payment = client.m3.books().payments.remove(0);
    assert_eq!(
        (payment.amount, payment.whole, payment.key.as_str()),
        (dec("47.30"), true, "XC-9-1")
    );
    let mut later = line;
    later[1] = ("TRNO", "2");
    assert_eq!(client.refusal("ARS040MI/AddBatchLine", &later).await, "WST0301");
    client.m3.stop().await;
}

#[tokio::test]
async fn an_order_in_two_parts_shows_every_mixed_status_and_its_invoices_add_up() {
    let client = start(|_| {}).await;
    let orno = client.confirmed("XC-2").await;
    client.m3.deliver_partially(&orno);
    let mut story = Vec::new();
    for _ in 0..9 {
        let rows = client.rows("OIS100MI/GetHead", &[("ORNO", &orno)]).await;
        let of = |name: &str| rows[0][name].as_str().unwrap().to_owned();
        story.push(format!("{}-{}", of("ORSL"), of("ORST")));
        client.m3.advance();
    }
    let want = ["22-22", "22-33", "22-44", "22-66", "22-77", "33-77", "44-77", "66-77", "77-77"];
    assert_eq!(story, want);
    let order = client.m3.books().orders.remove(0);
    assert_eq!(order.deliveries.len(), 2);
    assert_ne!(order.deliveries[0].etrn, order.deliveries[1].etrn);
    assert_eq!(order.invoices.iter().map(|invoice| invoice.amount).sum::<Decimal>(), order.total);
    client.m3.stop().await;
}

#[tokio::test]
async fn one_line_in_two_parts_has_a_status_of_two_digits() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-3").await;
    let fields = [("ORNO", tmp.as_str()), ("ITNO", "MUG"), ("ORQT", "5")];
    client.rows("OIS100MI/AddBatchLine", &fields).await;
    let rows = client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
    let orno = rows[0]["ORNO"].as_str().unwrap().to_owned();
    client.m3.deliver_partially(&orno);
    let mut story = Vec::new();
    for _ in 0..9 {
        let rows = client.rows("OIS100MI/LstLine", &[("ORNO", &orno)]).await;
        let done = dec(rows[0]["DLQT"].as_str().unwrap()).normalize();
        story.push(format!("{} {done}", rows[0]["ORST"].as_str().unwrap()));
        client.m3.advance();
    }
    let want = ["22 0", "23 0", "24 0", "26 2", "27 2", "37 2", "47 2", "67 5", "77 5"];
    assert_eq!(story, want);
    client.m3.stop().await;
}

#[tokio::test]
async fn the_warehouse_moves_by_itself_and_can_be_held() {
    let client = start(|_| {}).await;
    client.confirmed("XC-4").await;
    client.m3.hold_deliveries(true);
    client.m3.set_pace_ms(5);
    let low = || client.m3.books().orders[0].orsl.clone();
    assert_eq!(low(), "22");
    client.m3.hold_deliveries(false);
    until("the order is invoiced", || low() == "77").await;
    client.m3.stop().await;
}

#[tokio::test]
async fn the_index_finds_an_order_and_a_customer_only_later() {
    let client = start(|options| options.index_ms = 1_000).await;
    let orno = client.confirmed("XC-5").await;
    let by_ref = [("SQRY", "CUOR:XC-5")];
    assert_eq!(client.rows("OIS100MI/SearchHead", &by_ref).await.len(), 0);
    assert_eq!(client.rows("OIS100MI/LstHead", &[("CUNO", "Y30000")]).await[0]["CUOR"], "XC-5");
    let fields = [
        ("CUTM", "WEBTMPL"),
        ("CUNM", "Jane Doe"),
        ("CUA1", "1 Main St"),
        ("MAIL", "jane@example.com"),
    ];
    client.rows("CRS610MI/Add", &fields).await;
    let by_mail = [("SQRY", "MAIL:jane@example.com")];
    assert_eq!(client.rows("CRS610MI/SearchCustomer", &by_mail).await.len(), 0);
    for _ in 0..500 {
        if !client.rows("CRS610MI/SearchCustomer", &by_mail).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let found = client.rows("OIS100MI/SearchHead", &by_ref).await;
    assert_eq!(found[0]["ORNO"], json!(orno));
    assert_eq!(client.rows("CRS610MI/SearchCustomer", &by_mail).await.len(), 1);
    client.m3.stop().await;
}

#[tokio::test]
async fn a_customer_needs_a_template_and_keeps_what_is_not_sent() {
    let client = start(|_| {}).await;
    let name = [("CUNM", "Jane Doe"), ("CUA1", "1 Main St"), ("CUNO", "X1")];
    let with = |more: &[(&'static str, &'static str)]| [name.as_slice(), more].concat();
    let add = "CRS610MI/Add";
    assert_eq!(client.refusal(add, &with(&[("CUTM", "Y30000")])).await, "WCU0203");
    assert_eq!(client.refusal(add, &with(&[])).await, "MandatoryInputFieldNotFound");
    let rows = client.rows(add, &with(&[("CUTM", "WEBTMPL"), ("MAIL", "j@x.org")])).await;
    assert_eq!((&rows[0]["CUNO"], &rows[0]["ERRM"]), (&json!("X1"), &json!("")));
    assert_eq!(client.refusal(add, &with(&[("CUTM", "WEBTMPL")])).await, "XRE0104");
    client.rows("CRS610MI/ChgBasicData", &[("CUNO", "X1"), ("TOWN", "York"), ("CUA1", "?")]).await;
    let rows = client.rows("CRS610MI/GetBasicData", &[("CUNO", "X1")]).await;
    let row = &rows[0];
    assert_eq!(
        (&row["CUNM"], &row["TOWN"], &row["CUA1"]),
        (&json!("Jane Doe"), &json!("York"), &json!(""))
    );
    assert_eq!((&row["MAIL"], &row["STAT"]), (&json!("j@x.org"), &json!("20")));
    let wrong = [("CUTM", "WEBTMPL"), ("CUNM", "A"), ("CUA1", "B"), ("CSCD", "ger")];
    let rows = client.rows(add, &wrong).await;
    assert_ne!(rows[0]["ERRM"], "");
    let made = rows[0]["CUNO"].as_str().unwrap();
    assert_eq!(client.rows("CRS610MI/GetBasicData", &[("CUNO", made)]).await[0]["STAT"], "10");
    client.m3.stop().await;
}

#[tokio::test]
async fn an_address_is_added_once_and_found_again() {
    let client = start(|_| {}).await;
    let key = [("CUNO", "Y30000"), ("ADRT", "1"), ("ADID", "SHOP01")];
    let place = [("CUA1", "2 Side St"), ("PONO", "10115"), ("CSCD", "DE"), ("TOWN", "Berlin")];
    let all = [key.as_slice(), &place].concat();
    client.rows("CRS610MI/AddAddress", &all).await;
    assert_eq!(client.refusal("CRS610MI/AddAddress", &all).await, "XRE0104");
    let rows = client.rows("CRS610MI/GetAddress", &key).await;
    assert_eq!(rows[0]["TOWN"], "Berlin");
    let none = [("CUNO", "Y30000"), ("ADRT", "1"), ("ADID", "OTHER")];
    assert_eq!(client.refusal("CRS610MI/GetAddress", &none).await, "XRE0103");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_vat_number_is_kept_listed_and_searched_where_m3_does_so() {
    let client = start(|options| options.index_ms = 0).await;
    let change = "CRS610MI/ChgFinancial";
    client.rows(change, &[("CUNO", "Y30000"), ("VRNO", "DE123456789")]).await;
    let listed = client.rows("CRS610MI/LstByNumber", &[("CUNO", "Y30000")]).await;
    assert_eq!(listed[0]["VRNO"], "DE123456789");
    let basic = client.rows("CRS610MI/GetBasicData", &[("CUNO", "Y30000")]).await;
    assert!(basic[0].get("VRNO").is_none(), "{basic:?}");
    let search = [("SQRY", "VRNO:DE123456789")];
    for (vat_indexed, count) in [(true, 1), (false, 0)] {
        client.m3.set_switches(Switches { vat_indexed, ..Switches::plain() });
        let found = client.rows("CRS610MI/SearchCustomer", &search).await;
        assert_eq!(found.len(), count, "{vat_indexed}");
    }
    client.m3.set_switches(Switches { refuse_odd_vat: true, ..Switches::plain() });
    let odd = [("CUNO", "Y30000"), ("VRNO", "123456789")];
    assert_eq!(client.refusal(change, &odd).await, "WVR0101");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_question_mark_empties_a_field_or_is_one() {
    let client = start(|_| {}).await;
    let basic = "CRS610MI/ChgBasicData";
    for (question_mark_blanks, want) in [(true, ""), (false, "?")] {
        client.m3.set_switches(Switches { question_mark_blanks, ..Switches::plain() });
        client.rows(basic, &[("CUNO", "Y30000"), ("CUA2", "Rear house")]).await;
        client.rows(basic, &[("CUNO", "Y30000"), ("CUA2", "?")]).await;
        let customers = client.m3.books().customers;
        let changed = customers.iter().find(|customer| customer.cuno == "Y30000").unwrap();
        assert_eq!(changed.text("CUA2"), want);
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn an_item_is_found_by_its_aliases() {
    let client = start(|_| {}).await;
    let table = [
        (vec![("ALWT", "1"), ("POPN", "a-very-long-sku-of-the-shop")], "LONG1"),
        (vec![("ALWT", "02"), ("POPN", "4006381333931"), ("ALWQ", "EA13")], "MUG"),
    ];
    for (fields, want) in table {
        assert_eq!(client.rows("MMS025MI/GetItem", &fields).await[0]["ITNO"], want);
    }
    let none = [("ALWT", "1"), ("POPN", "nothing")];
    assert_eq!(client.refusal("MMS025MI/GetItem", &none).await, "WPO0403");
    assert_eq!(client.rows("MMS025MI/LstItem", &[("POPN", "nothing")]).await.len(), 0);
    let tmp = client.head("XC-6").await;
    let line = [
        ("ORNO", tmp.as_str()),
        ("ITNO", "X"),
        ("ALWT", "2"),
        ("POPN", "4006381333931"),
        ("ORQT", "1"),
    ];
    client.rows("OIS100MI/AddBatchLine", &line).await;
    let lines = client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await;
    assert_eq!(lines[0]["ITNO"], "MUG");
    client.m3.stop().await;
}

#[tokio::test]
async fn stock_is_reserved_allocated_and_issued_and_its_changes_are_listed() {
    let client = start(|_| {}).await;
    client.m3.set_stock("001", "MUG", dec("10"));
    client.m3.set_stock("001", "TSHIRT-M", dec("10"));
    let key = [("WHLO", "001"), ("ITNO", "MUG")];
    let balance = async || {
        let rows = client.rows("MMS200MI/GetItmWhsBal", &key).await;
        let of = |name: &str| dec(rows[0][name].as_str().unwrap()).normalize().to_string();
        [of("STQT"), of("AV01"), of("AV02")].join(" ")
    };
    assert_eq!(balance().await, "10 10 10");
    client.confirmed("XC-7").await;
    assert_eq!(balance().await, "10 10 9");
    client.m3.advance();
    assert_eq!(balance().await, "10 9 9");
    client.m3.advance();
    client.m3.advance();
    assert_eq!(balance().await, "9 9 9");
    let all = client.rows("OIS100MI/LstNewBalances", &[]).await;
    assert_eq!(all.len(), 6);
    let never = client.rows("OIS100MI/LstNewBalances", &[("LMTS", "99999999999999")]).await;
    assert_eq!(never.len(), 0);
    client.m3.stop().await;
}

#[tokio::test]
async fn what_an_order_says_beside_its_lines_is_kept() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-8").await;
    let address = [
        ("ORNO", tmp.as_str()),
        ("ADRT", "1"),
        ("CUNM", "Żaneta Müller"),
        ("CUA1", "Улица 1"),
        ("TOWN", "Łódź"),
        ("PONO", "90-001"),
        ("CSCD", "PL"),
    ];
    client.rows("OIS100MI/AddBatchAddress", &address).await;
    assert_eq!(client.refusal("OIS100MI/AddBatchAddress", &address).await, "XRE0104");
    let note =
        [("ORNO", tmp.as_str()), ("TYPE", "1"), ("TYTR", "1"), ("PARM", "Please ring twice")];
    client.rows("OIS100MI/AddBatchText", &note).await;
    let long = [("ORNO", tmp.as_str()), ("TYPE", "12"), ("TYTR", "1"), ("PARM", "x")];
    assert_eq!(client.refusal("OIS100MI/AddBatchText", &long).await, "InputFieldTooLong");
    client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
    let order = client.m3.books().orders.remove(0);
    assert_eq!(order.texts, ["Please ring twice"]);
    assert_eq!(order.address.unwrap()["TOWN"], "Łódź");
    let fields = [("ORNO", order.orno.as_str()), ("ADRT", "1")];
    assert_eq!(client.rows("OIS100MI/GetAddress", &fields).await[0]["CUNM"], "Żaneta Müller");
    client.m3.stop().await;
}
