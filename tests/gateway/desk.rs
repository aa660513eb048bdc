//! The cash desk and the general ledger: whatever is lost, and whenever M3 books, each payment is
//! booked once or a person is told where to look.

use crate::{
    harness::{Plot, Scene, eventually, key, order_of},
    payments::{amount, at_rest, listed, paid, pays_both},
    tools::causeway,
};
use ::causeway::{delivery::desk::Ask, flow::run::ReplayFrom};
use causeway_sim::{
    m3::{DeskBooks, LineAgain, Trouble},
    weather::Fault,
};

const HEAD: &str = "[order_to_cash.customer]";

/// With these settings of the strategy.
fn with(strategy: &str, tables: &str) -> Plot {
    let payments = format!(
        "[payments]\nstrategy = \"{strategy}\"\nsince = \"2020-01-01\"\nrefunds = \"post\"\n{tables}"
    );
    Plot::calm().edit(HEAD, &format!("{payments}\n{HEAD}"))
}

fn desk(find_by: &str) -> Plot {
    with(
        "cash-desk",
        &format!(
            "[payments.cash_desk]\ndesk = \"WEB01\"\npayment_method = \"CRD\"\nfind_by = \"{find_by}\""
        ),
    )
}

/// As the interface of the simulated site reads it.
fn ledger(find_by: &str, line_again: &str) -> Plot {
    let line = |side: &str, account: &str| {
        format!(
            "[[payments.ledger.lines]]\nside = \"{side}\"\naccount = \"{account}\"\nfields = [\n\
             {{ from = 1, width = 10, value = \"account\" }},\n\
             {{ from = 11, width = 1, value = \"side\" }},\n\
             {{ from = 12, width = 17, value = \"amount\", fill = \"zero\" }},\n\
             {{ from = 29, width = 3, value = \"currency\" }},\n\
             {{ from = 32, width = 8, value = \"date\" }},\n\
             {{ from = 41, width = 30, value = \"text\" }},\n]\n"
        )
    };
    let tables = format!(
        "[payments.ledger]\nkey_prefix = \"W1\"\ninterface = \"WEB\"\nfind_by = \"{find_by}\"\nline_again = \"{line_again}\"\n{}{}",
        line("debit", "1930"),
        line("credit", "2420")
    );
    with("ledger", &tables)
}

async fn settled_once(scene: &Scene, number: &str) {
    let payment = paid(scene, number, 1).await.remove(0);
    assert_eq!(payment.amount, scene.shop.booked(number).unwrap().total);
    at_rest(scene, number, 1).await;
    paid(scene, number, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_put_on_account_at_the_cash_desk_and_a_refund_is_given_back_there() {
    let scene = desk("voucher-text").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let real = scene.confirmed(&number).await;
    let payment = paid(&scene, &number, 1).await.remove(0);
    assert_eq!((payment.program, payment.kind.as_str()), ("OIS215MI", "WEB01"));
    assert_eq!(payment.of, [real.cuno]);
    let line = at_rest(&scene, &number, 1).await.remove(0);
    assert_eq!(line.note, "cash desk WEB01 number 1");
    scene.shop.refund(&number, amount("0.50")).unwrap();
    let both = paid(&scene, &number, 2).await;
    assert!(both.iter().any(|payment| payment.amount == amount("-0.50")), "{both:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_at_the_cash_desk_never_books_twice_whenever_m3_books() {
    for books in [DeskBooks::AtValidate, DeskBooks::AtEnd, DeskBooks::AtEndAlways] {
        let mut plot = desk("voucher-text");
        plot.m3.switches.desk_books = books;
        plot.m3.switches.voucher_ms = 400;
        let scene = plot.begin().await;
        let calls = ["AddPaymentNo", "AddOnAccount", "AddPayment", "Validate", "EndProgram"];
        let mut numbers = Vec::new();
        for (place, transaction) in calls.into_iter().enumerate() {
            let faults =
                [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 600 }];
            scene.m3.fault_next("OIS215MI", transaction, faults[place % 3]);
            scene.m3.fault_next("OIS215MI", transaction, faults[(place + 1) % 3]);
            numbers.push(scene.shop.place(order_of(&scene.shop, 1)));
            settled_once(&scene, numbers.last().unwrap()).await;
        }
        for number in &numbers {
            settled_once(&scene, number).await;
        }
        assert!(scene.listed().await.is_empty(), "nobody is asked");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_at_the_cash_desk_books_nothing_twice() {
    let mut scene = desk("voucher-text").begin().await;
    scene.m3.trouble_next("OIS215MI", "Validate", Trouble::Slow(300));
    let number = scene.shop.place(order_of(&scene.shop, 1));
    let asked = async || {
        let saw = scene.m3.what_it_saw();
        saw.iter().any(|seen| seen.transaction == "AddPayment").then_some(())
    };
    eventually("the payment to be entered", asked).await;
    scene.stop().await;
    Box::pin(scene.start()).await;
    settled_once(&scene, &number).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_voucher_shows_the_key_a_person_is_told_where_to_look() {
    let mut plot = desk("person");
    plot.m3.switches.voucher_text = false;
    let scene = plot.begin().await;
    scene.m3.fault_next("OIS215MI", "Validate", Fault::CutAfter);
    let booked = scene.shop.place(order_of(&scene.shop, 1));
    assert_eq!(scene.parked(&booked).await, "payment-unknown");
    let cause = scene.shown(&booked).await.unwrap().cause.unwrap();
    assert!(cause.text.contains("payment number 1 of cash desk WEB01"), "{}", cause.text);
    assert!(cause.text.contains(&format!("{}-", key(&booked))), "{}", cause.text);
    paid(&scene, &booked, 1).await;
    let id = listed(&scene).await[0].payment;
    let reference = "seen in ARS200".to_owned();
    scene.ask(&Ask::SettlePayment { key: key(&booked), id, reference }).await.unwrap();
    settled_once(&scene, &booked).await;
    // The other way: it is not there, and the replay books it with a new number.
    scene.m3.fault_next("OIS215MI", "Validate", Fault::CutBefore);
    let lost = scene.shop.place(order_of(&scene.shop, 1));
    assert_eq!(scene.parked(&lost).await, "payment-unknown");
    scene.replay(&lost, ReplayFrom::Step).await;
    settled_once(&scene, &lost).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cash_desk_pays_the_invoices_of_an_order_when_they_are_there() {
    let plot = desk("voucher-text").edit("find_by", "pays = \"invoices\"\nfind_by");
    let plot = plot.edit("refunds = \"post\"", "refunds = \"report\"");
    let scene = plot.begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 4));
    let real = scene.confirmed(&number).await;
    scene.m3.deliver_partially(&real.orno);
    pays_both(&scene, &number).await;
    assert!(scene.real(&number)[0].invoices.iter().all(|invoice| invoice.reco == 9));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_becomes_a_balanced_batch_of_the_ledger_and_a_refund_one_of_the_other_side() {
    let scene = ledger("voucher-text", "refused").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    let payment = paid(&scene, &number, 1).await.remove(0);
    assert_eq!((payment.program, payment.kind.len()), ("GLS840MI", 10));
    assert_eq!(payment.of, ["1930", "2420"]);
    assert_eq!(payment.amount, scene.shop.booked(&number).unwrap().total);
    let line = at_rest(&scene, &number, 1).await.remove(0);
    assert_eq!(line.note, format!("ledger batch {}", payment.kind));
    scene.shop.refund(&number, amount("0.50")).unwrap();
    let both = paid(&scene, &number, 2).await;
    assert!(both.iter().any(|payment| payment.amount == amount("0.50")), "{both:?}");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_ledger_loses_never_books_twice_whatever_it_keeps() {
    for (again, name, forgets) in
        [(LineAgain::Refused, "refused", true), (LineAgain::Replaces, "replaces", false)]
    {
        let mut plot = ledger("voucher-text", name);
        plot.m3.switches.ledger_line_again = again;
        plot.m3.switches.ledger_forgets = forgets;
        plot.m3.switches.voucher_ms = 400;
        let scene = plot.begin().await;
        for transaction in ["AddBatchHead", "AddBatchLine", "CtrlBatch", "UpdBatch"] {
            for fault in [Fault::CutAfter, Fault::CutBefore, Fault::StillExecuting { late_ms: 600 }]
            {
                scene.m3.fault_next("GLS840MI", transaction, fault);
                let number = scene.shop.place(order_of(&scene.shop, 1));
                settled_once(&scene, &number).await;
            }
        }
        assert!(scene.listed().await.is_empty(), "nobody is asked");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_ledger_that_may_be_doubled_is_not_sent_again() {
    let mut plot = ledger("person", "person");
    plot.m3.switches.ledger_line_again = LineAgain::Added;
    let scene = plot.begin().await;
    scene.m3.fault_next("GLS840MI", "AddBatchLine", Fault::CutBefore);
    let number = scene.shop.place(order_of(&scene.shop, 1));
    assert_eq!(scene.parked(&number).await, "payment-unknown");
    let cause = scene.shown(&number).await.unwrap().cause.unwrap();
    assert!(cause.text.contains("in GLS840"), "{}", cause.text);
    scene.replay(&number, ReplayFrom::Step).await;
    settled_once(&scene, &number).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cash_desk_refuses_waits_for_a_person_and_begins_with_a_new_number() {
    for find_by in ["person", "voucher-text"] {
        let scene = desk(find_by).begin().await;
        scene.m3.trouble_next("OIS215MI", "AddPayment", Trouble::Refused("WST0301".to_owned()));
        let number = scene.shop.place(order_of(&scene.shop, 1));
        assert_eq!(scene.parked(&number).await, "payment-refused");
        scene.replay(&number, ReplayFrom::Step).await;
        settled_once(&scene, &number).await;
        let drawn = scene.m3.what_it_saw();
        let drawn = drawn.iter().filter(|seen| seen.transaction == "AddPaymentNo").count();
        assert_eq!(drawn, 2, "{find_by}");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payments_of_an_order_are_listed_shown_and_previewed() {
    let scene = ledger("voucher-text", "refused").begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 1));
    settled_once(&scene, &number).await;
    let order = key(&number);
    let run = async |words: &[&str]| {
        let said = causeway(&scene, &[&["payments"], words].concat()).await;
        assert_eq!(said.status, 0, "{}", said.err);
        said.out
    };
    let listed = run(&["list", "--state", "posted"]).await;
    assert!(listed.contains(&order) && listed.contains("ledger batch W1"), "{listed}");
    assert_eq!(run(&["list", "--state", "unknown"]).await.lines().count(), 1);
    assert!(run(&["list", "--limit", "0"]).await.contains("1 more: --skip 0"));
    let shown = run(&["show", &order]).await;
    assert!(shown.contains(&format!("key      {order}-")), "{shown}");
    assert!(shown.contains("posted: ledger batch W1"), "{shown}");
    let preview = run(&["preview", &order]).await;
    for part in ["GLS200MI/LstVouchersByDt", "LINE=2 PARM=\"2420", "GLS840MI/UpdBatch"] {
        assert!(preview.contains(part), "{part}: {preview}");
    }
    let sent = scene.m3.what_it_saw();
    assert_eq!(sent.iter().filter(|seen| seen.transaction == "UpdBatch").count(), 1);
    scene.close().await;
}
