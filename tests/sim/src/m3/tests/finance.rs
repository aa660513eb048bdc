//! The cash desk and the general ledger, over HTTP.

use super::client::start;
use crate::m3::{DeskBooks, LineAgain};

const DAYS: [(&str, &str); 2] = [("FRDT", "20200101"), ("TODT", "20991231")];

#[tokio::test]
async fn the_cash_desk_books_at_the_moment_of_the_switch_and_never_twice() {
    for (books, after_validate, after_end) in
        [(DeskBooks::AtValidate, 2, 2), (DeskBooks::AtEnd, 0, 2), (DeskBooks::AtEndAlways, 0, 2)]
    {
        let client = start(|options| options.switches.desk_books = books).await;
        let drawn = client.rows("OIS215MI/AddPaymentNo", &[("CSHD", "WEB01")]).await;
        let number = drawn[0]["PMNB"].as_str().unwrap().trim().to_owned();
        let base = [("PMNB", number.as_str()), ("CSHD", "WEB01")];
        let common = [("CUCD", "EUR"), ("PYNO", "Y30000"), ("PYDT", "20261123")];
        let with = |more: &[(&'static str, &'static str)]| {
            base.iter().chain(&common).chain(more).copied().collect::<Vec<_>>()
        };
        let on_account = with(&[("PMAM", "10.50"), ("VTXT", "X11-17")]);
        client.rows("OIS215MI/AddOnAccount", &on_account).await;
        assert_eq!(client.refusal("OIS215MI/Validate", &with(&[])).await, "WST0301", "not paid");
        let paid = with(&[("PYCD", "CRD"), ("PMAM", "10.50"), ("IRNO", "X11-17")]);
        client.rows("OIS215MI/AddPayment", &paid).await;
        client.rows("OIS215MI/Validate", &with(&[])).await;
        let count = async || client.rows("GLS200MI/LstVouchersByDt", &DAYS).await.len();
        assert_eq!(count().await, after_validate, "{books:?}");
        client.rows("OIS215MI/EndProgram", &base).await;
        assert_eq!(count().await, after_end, "{books:?}");
        assert_eq!(client.refusal("OIS215MI/EndProgram", &base).await, "XRE0103");
        let vouchers = client.rows("GLS200MI/LstVouchersByDt", &DAYS).await;
        assert_eq!(vouchers[0]["VTXT"].as_str().unwrap().trim(), "X11-17");
        client.m3.stop().await;
    }
}

#[tokio::test]
async fn a_batch_of_the_ledger_is_booked_once_and_only_when_it_balances() {
    let client = start(|options| options.switches.ledger_line_again = LineAgain::Added).await;
    let key = [("CONO", "100"), ("KEY1", "W100000001")];
    let head = [key[0], key[1], ("INTN", "WEB"), ("DESC", "X11-17")];
    client.rows("GLS840MI/AddBatchHead", &head).await;
    assert_eq!(client.refusal("GLS840MI/AddBatchHead", &head).await, "XRE0104");
    let debit = format!("{:<10}D{:0>17}EUR20261123 X11-17", "1930", "10.50");
    let credit = format!("{:<10}C{:0>17}EUR20261123 X11-17", "2420", "10.50");
    let line = async |number: &str, parm: &str| {
        let fields = [key[0], key[1], ("LINE", number), ("PARM", parm)];
        client.rows("GLS840MI/AddBatchLine", &fields).await
    };
    line("1", &debit).await;
    assert_eq!(client.refusal("GLS840MI/CtrlBatch", &key).await, "WST0301", "one side only");
    assert_eq!(client.refusal("GLS840MI/UpdBatch", &key).await, "WST0301", "not controlled");
    line("2", &credit).await;
    client.rows("GLS840MI/CtrlBatch", &key).await;
    client.rows("GLS840MI/UpdBatch", &key).await;
    assert_eq!(client.refusal("GLS840MI/UpdBatch", &key).await, "WST0301", "booked already");
    let booked = client.m3.books().payments;
    assert_eq!((booked.len(), booked[0].key.as_str()), (1, "X11-17"));
    assert_eq!(booked[0].of, ["1930", "2420"]);
    client.m3.stop().await;
}
