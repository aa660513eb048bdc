//! Batch order entry and Confirm.

use super::client::{Client, Fields, line, start, until};
use crate::{
    m3::{OrderEntryNames, Switches, Trouble},
    weather::Fault,
};
use serde_json::json;
use std::time::Duration;

fn dec(text: &str) -> rust_decimal::Decimal {
    text.parse().unwrap()
}

async fn status(client: &Client, tmp: &str) -> (String, String) {
    let rows = client.rows("OIS275MI/GetTmpOrderStat", &[("ORNO", tmp)]).await;
    let text = |name: &str| rows[0][name].as_str().unwrap().to_owned();
    (text("STAT"), text("ORNR"))
}

#[tokio::test]
async fn confirm_makes_one_real_order_with_a_number_of_another_series() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-1001").await;
    assert_eq!(status(&client, &tmp).await, ("20".to_owned(), String::new()));
    let rows = client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
    let orno = rows[0]["ORNO"].as_str().unwrap();
    assert_ne!(orno, tmp);
    assert_eq!(status(&client, &tmp).await, ("90".to_owned(), orno.to_owned()));
    let books = client.m3.books();
    assert_eq!(books.orders.len(), 1);
    let order = &books.orders[0];
    assert_eq!(
        (order.orno.as_str(), order.tmp.as_str(), order.cuor.as_str()),
        (orno, tmp.as_str(), "XC-1001")
    );
    assert_eq!((order.total, order.orsl.as_str()), (dec("47.30"), "22"));
    let lines: Vec<_> =
        order.lines.iter().map(|l| (l.itno.as_str(), l.quantity, l.cupo.as_str())).collect();
    assert_eq!(lines, [("TSHIRT-M", dec("2"), "1"), ("MUG", dec("1"), "2")]);
    assert_eq!(books.violations, Vec::<String>::new());
    client.m3.stop().await;
}

#[tokio::test]
async fn nothing_stops_two_heads_with_the_same_customers_order_number() {
    let client = start(|_| {}).await;
    client.confirmed("XC-1").await;
    client.confirmed("XC-1").await;
    let books = client.m3.books();
    assert_eq!(books.orders.len(), 2);
    assert!(books.violations.iter().any(|text| text.starts_with("two orders for XC-1")));
    client.m3.stop().await;
}

#[tokio::test]
async fn a_second_confirm_is_refused_or_doubles_the_order_as_the_switch_says() {
    for (is_error, orders) in [(true, 1), (false, 2)] {
        let client = start(|options| options.switches.second_confirm_is_error = is_error).await;
        let tmp = client.order("XC-2").await;
        client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
        let (_, again) = client.one("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
        assert_eq!(again["nrOfFailedTransactions"], u64::from(is_error));
        let books = client.m3.books();
        assert_eq!(books.orders.len(), orders);
        assert!(books.violations.iter().any(|text| text.starts_with("repeated Confirm")));
        client.m3.stop().await;
    }
}

#[tokio::test]
async fn what_confirm_finds_wrong_shows_as_status_and_message_and_can_be_put_right() {
    for nok in [true, false] {
        let client = start(|options| options.switches.confirm_nok_when_checks_fail = nok).await;
        let tmp = client.order("XC-3").await;
        let table = [
            ("line of a blocked item", "25", "XIT0107"),
            ("credit stop", "30", "WCR1001"),
            ("blocked customer", "15", "WST0301"),
        ];
        for (what, stat, id) in table {
            let m3 = &client.m3;
            match stat {
                "25" => m3.set_item_status("MUG", "90"),
                "30" => m3.set_customer_field("Y30000", "BLCD", "1"),
                _ => m3.block_customer("Y30000"),
            }
            if nok {
                assert_eq!(
                    client.refusal("OIS100MI/Confirm", &[("ORNO", &tmp)]).await,
                    id,
                    "{what}"
                );
            } else {
                let rows = client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
                assert_eq!(rows[0]["STAT"], stat, "{what}");
            }
            assert_eq!(status(&client, &tmp).await.0, stat, "{what}");
            let errors = client.rows("OIS100MI/LstErrMsgOrder", &[("ORNO", &tmp)]).await;
            assert_eq!(errors[0]["MSID"], id, "{what}");
            m3.set_item_status("MUG", "20");
            m3.set_customer_field("Y30000", "BLCD", "0");
            m3.unblock_customer("Y30000");
        }
        client.rows("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
        assert_eq!(client.m3.books().orders.len(), 1);
        client.m3.stop().await;
    }
}

#[tokio::test]
async fn an_order_without_lines_is_not_confirmed() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-4").await;
    assert_eq!(client.refusal("OIS100MI/Confirm", &[("ORNO", &tmp)]).await, "WOR0902");
    assert_eq!(client.refusal("OIS100MI/Confirm", &[("ORNO", "1")]).await, "WOR0303");
    assert_eq!(client.m3.books().orders.len(), 0);
    client.m3.stop().await;
}

#[tokio::test]
async fn heads_and_lines_that_refer_to_nothing_are_refused_by_id() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-5").await;
    let tmp = tmp.as_str();
    client.m3.set_item_status("LONG1", "50");
    let head = "OIS100MI/AddBatchHead";
    let row = "OIS100MI/AddBatchLine";
    let charge = "OIS100MI/AddBatchHeadChg";
    let table: [(&str, Fields<'_>, &str); 14] = [
        (head, &[("CUNO", "NOBODY")], "WCU0203"),
        (head, &[("CUNO", "WEBTMPL")], "WCU0203"),
        (head, &[("CUNO", "Y30000"), ("ORTP", "ZZZ")], "WTT0403"),
        (head, &[("CUNO", "Y30000"), ("FACI", "ZZZ")], "WFAC303"),
        (head, &[("CUNO", "Y30000"), ("WHLO", "ZZZ")], "WWH0103"),
        (head, &[("CUNO", "Y30000"), ("MODL", "ZZZ")], "WMO0103"),
        (head, &[("CUNO", "Y30000"), ("ORDT", "2026-11")], "XDT0001"),
        (row, &[("ORNO", tmp), ("ITNO", "NONE"), ("ORQT", "1")], "WIT0103"),
        (row, &[("ORNO", tmp), ("ITNO", "LONG1"), ("ORQT", "1")], "XIT0107"),
        (row, &[("ORNO", tmp), ("ITNO", "MUG"), ("ORQT", "-1")], "XNU0003"),
        (row, &[("ORNO", tmp), ("ITNO", "MUG"), ("ORQT", "1"), ("SAPR", "1,5")], "XNU0000"),
        (row, &[("ORNO", "123"), ("ITNO", "MUG"), ("ORQT", "1")], "WOR0303"),
        (charge, &[("ORNO", tmp), ("CRID", "NOPE"), ("CRAM", "1")], "WCRI103"),
        (charge, &[("ORNO", tmp), ("CRID", "TOOLONG"), ("CRAM", "1")], "InputFieldTooLong"),
    ];
    for (call, fields, want) in table {
        assert_eq!(client.refusal(call, fields).await, want, "{call} {fields:?}");
    }
    client.m3.stop().await;
}

#[tokio::test]
async fn what_was_entered_can_be_read_back_and_taken_back() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-6").await;
    let heads = client.rows("OIS100MI/LstBatchHead", &[("CUNO", "Y30000")]).await;
    assert_eq!(
        (&heads[0]["ORNO"], &heads[0]["CUOR"], &heads[0]["ORNR"]),
        (&json!(tmp), &json!("XC-6"), &json!(""))
    );
    let lines = client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await;
    let cupos: Vec<_> = lines.iter().map(|line| line["CUPO"].as_str().unwrap()).collect();
    assert_eq!(cupos, ["1", "2"]);
    assert_eq!(dec(lines[0]["SAPR"].as_str().unwrap()), dec("19.90"));
    client.rows("OIS100MI/DelBatchLine", &[("ORNO", &tmp), ("PONR", "1")]).await;
    assert_eq!(client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await.len(), 1);
    client.rows("OIS100MI/DelBatchHead", &[("ORNO", &tmp)]).await;
    assert_eq!(client.refusal("OIS100MI/GetBatchHead", &[("ORNO", &tmp)]).await, "WOR0303");
    assert_eq!(client.m3.books().violations, Vec::<String>::new());
    client.m3.stop().await;
}

#[tokio::test]
async fn a_refused_line_leaves_the_other_lines_of_a_bulk_in_the_order() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-7").await;
    let body = json!({"program": "OIS100MI", "cono": 100, "transactions": [
        line(&tmp, "MUG", "1", "7.50", "1"),
        line(&tmp, "NONE", "1", "7.50", "2"),
        line(&tmp, "MUG", "2", "7.50", "3"),
    ]});
    let (http, answer) = client.bulk(&body).await.unwrap();
    assert_eq!((http.as_u16(), &answer["nrOfFailedTransactions"]), (200, &json!(1)));
    assert_eq!(answer["results"][1]["errorCode"], "WIT0103");
    assert_eq!(answer["results"][2]["records"][0]["PONR"], "2");
    assert_eq!(client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await.len(), 2);
    client.m3.stop().await;
}

#[tokio::test]
async fn a_terminated_bulk_has_done_what_it_reports_and_perhaps_one_more() {
    let table = [
        (Trouble::TerminatedAfter(1), 1, 1, false),
        (Trouble::TerminatedAfter(0), 0, 0, false),
        (Trouble::TerminatedWithin(1), 1, 2, false),
        // Where what was not run is marked, what ran without a report is not.
        (Trouble::TerminatedAfter(1), 3, 1, true),
        (Trouble::TerminatedWithin(1), 2, 2, true),
    ];
    for (trouble, reported, done, marks) in table {
        let client = start(|options| options.switches.terminated_as_string = marks).await;
        let tmp = client.head("XC-8").await;
        client.m3.trouble_next("OIS100MI", "AddBatchLine", trouble.clone());
        let lines: Vec<_> =
            (1..=3).map(|n| line(&tmp, "MUG", "1", "7.50", &n.to_string())).collect();
        let body = json!({"program": "OIS100MI", "cono": 100, "transactions": lines});
        let (_, answer) = client.bulk(&body).await.unwrap();
        let flag = if marks { json!("true") } else { json!(true) };
        assert_eq!(answer["wasTerminated"], flag, "{trouble:?}");
        assert_eq!(answer["results"].as_array().unwrap().len(), reported, "{trouble:?}");
        let rows = client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await;
        assert_eq!(rows.len(), done, "{trouble:?}");
        client.m3.stop().await;
    }
}

#[tokio::test]
async fn a_confirm_answered_504_makes_the_order_later() {
    let client = start(|_| {}).await;
    let tmp = client.order("XC-9").await;
    client.m3.fault_next("OIS100MI", "Confirm", Fault::StillExecuting { late_ms: 1_000 });
    let (http, _) = client.one("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
    assert_eq!(http.as_u16(), 504);
    assert_eq!(client.m3.books().orders.len(), 0);
    assert_eq!(status(&client, &tmp).await, ("20".to_owned(), String::new()));
    until("the order is made", || client.m3.books().orders.len() == 1).await;
    assert_eq!(status(&client, &tmp).await.0, "90");
    client.m3.stop().await;
}

#[tokio::test]
async fn a_confirm_whose_answer_is_cut_has_made_the_order_and_one_cut_before_has_not() {
    for (fault, orders) in [(Fault::CutAfter, 1), (Fault::CutBefore, 0)] {
        let client = start(|_| {}).await;
        let tmp = client.order("XC-10").await;
        client.m3.fault_next("OIS100MI", "Confirm", fault);
        let path = format!("/v2/execute/OIS100MI/Confirm;cono=100?ORNO={tmp}");
        assert!(client.get(&path).await.is_err());
        assert_eq!(client.m3.books().orders.len(), orders, "{fault:?}");
        client.m3.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_gives_up_does_not_stop_its_confirm() {
    let client = start(|options| options.confirm_ms = 1_500..=1_500).await;
    let tmp = client.order("XC-11").await;
    let path = format!("/v2/execute/OIS100MI/Confirm;cono=100?ORNO={tmp}");
    let given_up = tokio::time::timeout(Duration::from_millis(200), client.get(&path)).await;
    assert!(given_up.is_err());
    assert_eq!(client.refusal("OIS100MI/Confirm", &[("ORNO", &tmp)]).await, "XO_1130");
    until("the order is made", || client.m3.books().orders.len() == 1).await;
    client.m3.stop().await;
}

#[tokio::test]
async fn a_restart_interrupts_a_confirm_and_loses_what_was_not_confirmed() {
    let mut client = start(|options| options.confirm_ms = 60_000..=60_000).await;
    let tmp = client.order("XC-12").await;
    let path = format!("/v2/execute/OIS100MI/Confirm;cono=100?ORNO={tmp}");
    let given_up = tokio::time::timeout(Duration::from_millis(200), client.get(&path)).await;
    assert!(given_up.is_err());
    client.m3.restart(true);
    assert_eq!(client.get("/v2/execute/MNS150MI/GetUserData").await.unwrap().0.as_u16(), 401);
    client.renew().await;
    assert_eq!(status(&client, &tmp).await, ("55".to_owned(), String::new()));
    client.m3.restart(false);
    client.renew().await;
    assert_eq!(client.refusal("OIS100MI/GetOrderNo", &[("ORNO", &tmp)]).await, "WOR0303");
    assert_eq!(client.m3.books().orders.len(), 0);
    client.m3.stop().await;
}

#[tokio::test]
async fn late_work_dies_with_a_restart() {
    let mut client = start(|_| {}).await;
    let tmp = client.order("XC-13").await;
    client.m3.fault_next("OIS100MI", "Confirm", Fault::StillExecuting { late_ms: 300 });
    client.one("OIS100MI/Confirm", &[("ORNO", &tmp)]).await;
    client.m3.restart(true);
    client.renew().await;
    tokio::time::timeout(Duration::from_secs(5), async {
        // Long after the late work was due it has still not been done.
        for _ in 0..50 {
            assert_eq!(status(&client, &tmp).await.0, "20");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    client.m3.stop().await;
}

#[tokio::test]
async fn where_checks_wait_for_confirm_wrong_values_are_taken_until_then() {
    let client = start(|options| {
        options.switches = Switches { check_at_confirm: true, ..Switches::plain() };
    })
    .await;
    let rows = client.rows("OIS100MI/AddBatchHead", &[("CUNO", "Y30000"), ("ORTP", "ZZZ")]).await;
    let tmp = rows[0]["ORNO"].as_str().unwrap();
    assert_eq!(status(&client, tmp).await.0, "15");
    let fields = [("ORNO", tmp), ("ITNO", "NONE"), ("ORQT", "1")];
    client.rows("OIS100MI/AddBatchLine", &fields).await;
    assert_eq!(client.refusal("OIS100MI/Confirm", &[("ORNO", tmp)]).await, "WTT0403");
    assert_eq!(status(&client, tmp).await.0, "15");
    client.m3.stop().await;
}

#[tokio::test]
async fn an_m3_with_other_names_shows_them_in_its_catalogue_and_takes_them() {
    let client = start(|o| o.switches.order_entry_names = OrderEntryNames::AddHead).await;
    let known = client.rows("MRS001MI/LstTransactions", &[("MINM", "OIS100MI")]).await;
    assert!(known.iter().any(|row| row["TRNM"] == "AddHead"));
    let rows = client.rows("OIS100MI/AddHead", &[("CUNO", "Y30000")]).await;
    let tmp = rows[0]["ORNO"].as_str().unwrap();
    client.rows("OIS100MI/AddLine", &[("ORNO", tmp), ("ITNO", "MUG"), ("ORQT", "1")]).await;
    client.rows("OIS100MI/Confirm", &[("ORNO", tmp)]).await;
    assert_eq!(client.m3.books().orders[0].total, dec("7.50"));
    client.m3.stop().await;
}

#[tokio::test]
async fn a_real_order_is_deleted_only_in_low_status_and_it_is_noted() {
    let client = start(|_| {}).await;
    let early = client.confirmed("XC-14").await;
    let late = client.confirmed("XC-15").await;
    client.rows("OIS100MI/DelHead", &[("ORNO", &early)]).await;
    for _ in 0..3 {
        client.m3.advance();
    }
    assert_eq!(client.refusal("OIS100MI/DelHead", &[("ORNO", &late)]).await, "WST0301");
    let books = client.m3.books();
    assert_eq!((books.orders[0].orst.as_str(), books.orders[1].orst.as_str()), ("90", "66"));
    assert_eq!(books.violations.iter().filter(|text| text.starts_with("DelHead")).count(), 2);
    client.m3.stop().await;
}

#[tokio::test]
async fn a_bulk_answered_504_adds_its_lines_one_by_one_while_a_client_looks() {
    let client = start(|_| {}).await;
    let tmp = client.head("XC-16").await;
    client.m3.fault_next("OIS100MI", "AddBatchLine", Fault::StillExecuting { late_ms: 1_200 });
    let lines: Vec<_> = (1..=6).map(|n| line(&tmp, "MUG", "1", "7.50", &n.to_string())).collect();
    let body = json!({"program": "OIS100MI", "cono": 100, "transactions": lines});
    assert_eq!(client.bulk(&body).await.unwrap().0.as_u16(), 504);
    let mut counts = Vec::new();
    while counts.last() != Some(&6) {
        let rows = client.rows("OIS100MI/LstBatchLine", &[("ORNO", &tmp)]).await;
        counts.push(rows.len());
    }
    counts.dedup();
    assert!(counts.len() > 3, "{counts:?}");
    client.m3.stop().await;
}
