//! What an order comes to, over HTTP.

use super::client::{Client, Fields, start};
use rust_decimal::Decimal;

fn dec(text: &str) -> Decimal {
    text.trim().parse().unwrap()
}

async fn total(client: &Client, orno: &str) -> Decimal {
    let rows = client.rows("OIS100MI/GetOrderValue", &[("ORNO", orno)]).await;
    dec(rows[0]["TOPY"].as_str().unwrap())
}

/// An order of this head, these lines and charges; its number.
async fn placed(
    client: &Client,
    head: Fields<'_>,
    lines: &[Fields<'_>],
    charges: Fields<'_>,
) -> String {
    let with = |more: &[(&'static str, String)], given: &[(&str, &str)]| {
        let given = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let more = more.iter().map(|(n, v)| ((*n).to_owned(), v.clone()));
        given.chain(more).collect::<Vec<_>>()
    };
    let send = async |call: &str, fields: Vec<(String, String)>| {
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        client.rows(call, &fields).await
    };
    let rows = send("OIS100MI/AddBatchHead", with(&[("CUNO", "Y30000".to_owned())], head)).await;
    let tmp = rows[0]["ORNO"].as_str().unwrap().to_owned();
    for line in lines {
        send("OIS100MI/AddBatchLine", with(&[("ORNO", tmp.clone())], line)).await;
    }
    for (crid, amount) in charges {
        let fields = [("CRID", *crid), ("CRAM", *amount)];
        send("OIS100MI/AddBatchHeadChg", with(&[("ORNO", tmp.clone())], &fields)).await;
    }
    let rows = send("OIS100MI/Confirm", vec![("ORNO".to_owned(), tmp)]).await;
    rows[0]["ORNO"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_order_comes_to_its_lines_less_discounts_plus_charges() {
    let client = start(|_| {}).await;
    let shirts: Fields<'_> = &[("ITNO", "TSHIRT-M"), ("ORQT", "3"), ("SAPR", "19.90")];
    let own_price: Fields<'_> = &[("ITNO", "MUG"), ("ORQT", "2")];
    let off: Fields<'_> = &[("ITNO", "MUG"), ("ORQT", "2"), ("SAPR", "10"), ("DIA1", "1.50")];
    let exact: Fields<'_> = &[("ITNO", "MUG"), ("ORQT", "3"), ("SAPR", "33.5")];
    let eur: Fields<'_> = &[("CUCD", "EUR")];
    let less: Fields<'_> = &[("CUCD", "EUR"), ("OTBA", "5.05")];
    let yen: Fields<'_> = &[("CUCD", "JPY")];
    let freight: Fields<'_> = &[("FRT", "4.95"), ("TAX", "11.34"), ("DISC", "-2")];
    let table: [(Fields<'_>, Vec<Fields<'_>>, Fields<'_>, &str); 6] = [
        (eur, vec![shirts], &[], "59.70"),
        (eur, vec![own_price], &[], "15.00"),
        (eur, vec![off], &[], "18.50"),
        (less, vec![shirts], &[], "54.65"),
        (eur, vec![shirts], freight, "73.99"),
        (yen, vec![exact], &[("FRT", "500.4")], "601"),
    ];
    for (head, lines, charges, want) in table {
        let orno = placed(&client, head, &lines, charges).await;
        assert_eq!(total(&client, &orno).await, dec(want), "{head:?} {lines:?} {charges:?}");
        let books = client.m3.books();
        let order = books.orders.iter().find(|order| order.orno == orno).unwrap();
        assert_eq!(order.total, dec(want));
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn tax_is_added_for_a_taxable_customer_only() {
    let client = start(|options| options.vat_permille = 190).await;
    let line: Fields<'_> = &[("ITNO", "MUG"), ("ORQT", "1"), ("SAPR", "100")];
    let free = placed(&client, &[], &[line], &[]).await;
    assert_eq!(total(&client, &free).await, dec("100"));
    client.m3.set_customer_field("Y30000", "TXAP", "1");
    let taxed = placed(&client, &[], &[line], &[]).await;
    assert_eq!(total(&client, &taxed).await, dec("119"));
    client.m3.stop().await;
}

#[tokio::test]
async fn a_charge_is_taken_once_for_each_id() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-1").await;
    let fields = [("ORNO", tmp.as_str()), ("CRID", "FRT"), ("CRAM", "4.95")];
    client.rows("OIS100MI/AddBatchHeadChg", &fields).await;
    assert_eq!(client.refusal("OIS100MI/AddBatchHeadChg", &fields).await, "XRE0104");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_price_finer_than_the_item_allows_is_rounded_without_a_word() {
    let client = start(|options| options.switches.price_decimals = 2).await;
    let line: Fields<'_> = &[("ITNO", "MUG"), ("ORQT", "100"), ("SAPR", "1.005")];
    let orno = placed(&client, &[], &[line], &[]).await;
    assert_eq!(total(&client, &orno).await, dec("101"));
    client.m3.stop().await;
}
