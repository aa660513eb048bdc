//! Payments: whatever is captured, in parts, given back, lost or refused, M3 has each once.

use crate::{
    harness::{Plot, Scene, eventually, key, order_of},
    tools::causeway,
};
use ::causeway::{
    delivery::desk::{Ask, Reply},
    flow::{
        payment::{Way, report::Line, report::sums},
        run::ReplayFrom,
    },
};
use causeway_sim::{
    m3::{BookedPayment, Trouble},
    weather::Fault,
};
use rust_decimal::Decimal;

const HEAD: &str = "[order_to_cash.customer]";
pub(crate) const PREPAYMENT: &str = "[payments]\nstrategy = \"prepayment\"\nsince = \"2020-01-01\"\nREFUNDS\n\
                          [payments.prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"";
const BATCH: &str = "[payments]\nstrategy = \"receivable-batch\"\nsince = \"2020-01-01\"\nREFUNDS\n\
                     [payments.receivable_batch]\nbatch_type = \"WEB\"\nbatch_prefix = 71";

pub(crate) fn posting(table: &str, refunds: &str) -> Plot {
    let table = table.replace("REFUNDS", &format!("refunds = \"{refunds}\""));
    Plot::calm().edit(HEAD, &format!("{table}\n{HEAD}"))
}

pub(crate) fn amount(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Waits until M3 has so many whole payments of an order.
pub(crate) async fn paid(scene: &Scene, number: &str, count: usize) -> Vec<BookedPayment> {
    let own = format!("{}-", key(number));
    let look = async || {
        let all = scene.m3.books().payments.into_iter();
        let ours: Vec<_> = all.filter(|p| p.key.starts_with(&own) && p.whole).collect();
        (ours.len() >= count).then_some(ours)
    };
    let found = eventually(&format!("{count} payments of {number}"), look).await;
    assert_eq!(found.len(), count, "{found:?}");
    found
}

/// Waits until the gateway has no payment of an order under way.
pub(crate) async fn at_rest(scene: &Scene, number: &str, count: usize) -> Vec<Line> {
    let look = async || {
        let own: Vec<_> =
            listed(scene).await.into_iter().filter(|line| line.order == key(number)).collect();
        let rests = own.iter().all(|line| line.is_posted() || line.state == "left");
        (own.len() == count && rests).then_some(own)
    };
    eventually(&format!("{count} payments of {number} at rest"), look).await
}

/// Lets M3 invoice an order in two parts, and waits for the one payment that pays both.
pub(crate) async fn pays_both(scene: &Scene, number: &str) -> BookedPayment {
    let both = async || {
        let invoices = scene.real(number).pop()?.invoices;
        if invoices.len() < 2 {
            scene.m3.advance();
        }
        (invoices.len() == 2).then_some(invoices)
    };
    let invoices = eventually("both invoices", both).await;
    let payment = paid(scene, number, 1).await.remove(0);
    assert_eq!(payment.of, invoices.iter().map(|i| i.ivno.to_string()).collect::<Vec<_>>());
    assert_eq!(payment.amount, invoices.iter().map(|i| i.amount).sum::<Decimal>());
    payment
}

pub(crate) async fn listed(scene: &Scene) -> Vec<Line> {
    let reply = scene.ask(&Ask::Payments { after: None }).await.unwrap();
    let Reply::Payments { lines, after: None } = reply else {
        panic!("that is no whole list of payments")
    };
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_payment_becomes_one_prepayment_of_the_order() {
    let scene = posting(PREPAYMENT, "report").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let real = scene.confirmed(&number).await;
    let payment = paid(&scene, &number, 1).await.remove(0);
    let total = scene.shop.booked(&number).unwrap().total;
    assert_eq!((payment.amount, &payment.of), (total, &vec![real.orno]));
    let line = at_rest(&scene, &number, 1).await.remove(0);
    assert_eq!((line.note, line.amount.0, line.way), (payment.number, total, Way::In));
    scene.m3.set_pace_ms(50);
    scene.stage(&number, "done").await;
    paid(&scene, &number, 1).await;
    let sum = sums(&listed(&scene).await).remove(0);
    assert_eq!((sum.captured.0, sum.difference.0), (total, Decimal::ZERO));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_captured_and_given_back_are_each_posted_once() {
    let scene = posting(PREPAYMENT, "post").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2).payment_status("A"));
    scene.confirmed(&number).await;
    scene.stage(&number, "follow").await;
    scene.shop.capture(&number, amount("3.50")).unwrap();
    assert_eq!(paid(&scene, &number, 1).await[0].amount, amount("3.50"));
    scene.shop.capture(&number, amount("1")).unwrap();
    paid(&scene, &number, 2).await;
    scene.shop.refund(&number, amount("0.50")).unwrap();
    let mut amounts: Vec<_> = paid(&scene, &number, 3).await.iter().map(|p| p.amount).collect();
    amounts.sort();
    assert_eq!(amounts, [amount("-0.50"), amount("1"), amount("3.50")]);
    at_rest(&scene, &number, 3).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_listed_for_a_person_by_default_also_after_the_order_is_done() {
    let mut plot = posting(PREPAYMENT, "report");
    plot.m3.pace_ms = 50;
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    scene.stage(&number, "done").await;
    paid(&scene, &number, 1).await;
    scene.shop.refund(&number, amount("1")).unwrap();
    let lines = at_rest(&scene, &number, 2).await;
    let refund = lines.iter().find(|line| line.way == Way::Back).unwrap();
    assert_eq!((refund.state.as_str(), refund.note.contains("person")), ("left", true));
    paid(&scene, &number, 1).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_never_posts_a_prepayment_twice() {
    let scene = posting(PREPAYMENT, "report").begin().await;
    let table = [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::ServerError(502),
        Fault::StillExecuting { late_ms: 700 },
    ];
    for fault in table {
        scene.m3.fault_next("OIS125MI", "AddPrePayment", fault);
        let number = scene.shop.place(order_of(&scene.shop, 1));
        paid(&scene, &number, 1).await;
        at_rest(&scene, &number, 1).await;
        paid(&scene, &number, 1).await;
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_posting_posts_nothing_twice() {
    let mut scene = posting(PREPAYMENT, "report").begin().await;
    scene.m3.trouble_next("OIS125MI", "AddPrePayment", Trouble::Slow(300));
    let number = scene.shop.place(order_of(&scene.shop, 1));
    let asked = async || {
        let saw = scene.m3.what_it_saw();
        saw.iter().any(|seen| seen.transaction == "LstPrePayByCO").then_some(())
    };
    eventually("the look before the posting", asked).await;
    scene.stop().await;
    Box::pin(scene.start()).await;
    paid(&scene, &number, 1).await;
    at_rest(&scene, &number, 1).await;
    paid(&scene, &number, 1).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_waits_for_a_person_and_is_posted_by_the_replay() {
    let scene = posting(PREPAYMENT, "report").begin().await;
    let refused = Trouble::Refused("WST0301".to_owned());
    scene.m3.trouble_next("OIS125MI", "AddPrePayment", refused);
    let number = scene.shop.place(order_of(&scene.shop, 1));
    assert_eq!(scene.parked(&number).await, "payment-refused");
    scene.replay(&number, ReplayFrom::Step).await;
    paid(&scene, &number, 1).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_a_person_settled_is_not_sent_any_more() {
    let scene = posting(PREPAYMENT, "report").begin().await;
    let refused = Trouble::Refused("WST0301".to_owned());
    scene.m3.trouble_next("OIS125MI", "AddPrePayment", refused);
    let number = scene.shop.place(order_of(&scene.shop, 1));
    scene.parked(&number).await;
    let id = listed(&scene).await[0].payment;
    let reference = "entered by hand".to_owned();
    scene.ask(&Ask::SettlePayment { key: key(&number), id, reference }).await.unwrap();
    scene.m3.set_pace_ms(50);
    scene.stage(&number, "done").await;
    let line = at_rest(&scene, &number, 1).await.remove(0);
    assert!(line.is_posted() && line.note.contains("by hand"), "{line:?}");
    assert!(scene.m3.books().payments.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_pays_the_invoices_of_an_order_when_they_are_there() {
    let scene = posting(BATCH, "report").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 4));
    let real = scene.confirmed(&number).await;
    scene.m3.deliver_partially(&real.orno);
    let waits = async || {
        let lines = listed(&scene).await;
        lines.first().filter(|line| line.state == "waits").map(|_| ())
    };
    eventually("the payment to wait for its invoices", waits).await;
    assert!(scene.m3.books().payments.is_empty());
    let payment = pays_both(&scene, &number).await;
    assert!(payment.number.starts_with("71") && payment.kind == "WEB", "{payment:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_loses_its_answers_is_whole_and_there_once() {
    let mut plot = posting(BATCH, "report");
    plot.m3.pace_ms = 50;
    let scene = plot.begin().await;
    for transaction in ["AddBatchHead", "AddBatchLine", "ControlBatch"] {
        for fault in [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 600 }] {
            scene.m3.fault_next("ARS040MI", transaction, fault);
            let number = scene.shop.place(order_of(&scene.shop, 1));
            let payment = paid(&scene, &number, 1).await.remove(0);
            assert_eq!(payment.amount, scene.shop.booked(&number).unwrap().total);
            scene.stage(&number, "done").await;
            paid(&scene, &number, 1).await;
        }
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_somebody_sets_is_no_money_and_without_the_table_nothing_is_posted() {
    for plot in [posting(PREPAYMENT, "report"), Plot::calm()] {
        let mut plot = plot;
        plot.m3.pace_ms = 50;
        let scene = plot.begin().await;
        // Paid by invoice: M3 settles it and the shop's status becomes "paid".
        let number = scene.shop.place(order_of(&scene.shop, 1).payment_status("Q"));
        scene.stage(&number, "done").await;
        assert_eq!(scene.shop.booked(&number).unwrap().payment_status, "P");
        assert!(scene.m3.books().payments.is_empty());
        assert!(listed(&scene).await.is_empty());
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_made_before_the_first_day_is_left_alone() {
    let plot = posting(PREPAYMENT, "report").edit("2020-01-01", "2999-01-01");
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    let line = at_rest(&scene, &number, 1).await.remove(0);
    assert!(line.state == "left" && line.note.contains("since"), "{line:?}");
    assert!(scene.m3.books().payments.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_is_known_after_the_order_has_left() {
    let warehouse = "warehouse = \"001\"";
    let mut plot = posting(PREPAYMENT, "post")
        .edit(warehouse, &format!("{warehouse}\nkeep_done_days = 0\nsweep_days = 0"));
    plot.m3.pace_ms = 50;
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    scene.stage(&number, "left").await;
    let first = paid(&scene, &number, 1).await.remove(0);
    scene.shop.refund(&number, amount("1")).unwrap();
    let payments = paid(&scene, &number, 2).await;
    let mut amounts: Vec<_> = payments.iter().map(|payment| payment.amount).collect();
    amounts.sort();
    assert_eq!(amounts, [amount("-1"), first.amount]);
    at_rest(&scene, &number, 2).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepayment_in_a_foreign_currency_goes_to_a_person() {
    let scene = posting(PREPAYMENT, "report").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1).currency("USD"));
    assert_eq!(scene.parked(&number).await, "payment-refused");
    assert!(scene.m3.books().payments.is_empty());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_printed_for_people_sheets_and_programs() {
    let scene = posting(PREPAYMENT, "report").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    paid(&scene, &number, 1).await;
    at_rest(&scene, &number, 1).await;
    let report = async |form: &[&str]| {
        let said = causeway(&scene, &[&["payments", "report"], form].concat()).await;
        assert_eq!(said.status, 0, "{}", said.err);
        said.out
    };
    let total = scene.shop.booked(&number).unwrap().total.to_string();
    let forms: [&[&str]; 3] = [&[], &["--csv"], &["--json"]];
    for form in forms {
        let told = report(form).await;
        assert!(told.contains(&total) && told.lines().count() == 2, "{form:?}: {told}");
    }
    let other_day = report(&["--day", "1999-12-31", "--csv"]).await;
    assert_eq!(other_day.lines().count(), 1, "{other_day}");
    scene.close().await;
}
