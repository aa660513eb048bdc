//! Invoices and credit notes: several of them, in parts, and what contradicts what was told.

use crate::{
    harness::{Plot, Scene, eventually, order_of},
    shipments::difference,
};
use causeway::flow::cause::CauseKind;
use causeway_sim::{m3::BookedInvoice, weather::Fault, xcart::OrderSpec};
use rust_decimal::Decimal;

const HEAD: &str = "[order_to_cash.customer]";

fn with(tables: &str) -> Plot {
    Plot::calm().edit(HEAD, &format!("{tables}\n{HEAD}"))
}

/// An order that is to be paid by invoice.
fn unpaid(scene: &Scene, lines: usize) -> OrderSpec {
    order_of(&scene.shop, lines).payment_status("Q")
}

async fn payment(scene: &Scene, number: &str, code: &str) {
    let look = async || scene.shop.booked(number).filter(|order| order.payment_status == code);
    eventually(&format!("payment status {code}"), look).await;
}

/// Moves the order on until it has so many invoices.
async fn invoiced(scene: &Scene, number: &str, count: usize) -> Vec<BookedInvoice> {
    let look = async || {
        let invoices = scene.real(number).pop()?.invoices;
        if invoices.len() < count {
            scene.m3.advance();
        }
        (invoices.len() == count).then_some(invoices)
    };
    eventually(&format!("{count} invoices"), look).await
}

/// Whether M3 was asked about the order once more after this moment.
async fn looked(scene: &Scene) {
    let asked = || {
        let saw = scene.m3.what_it_saw();
        saw.iter().filter(|seen| seen.transaction == "LstAllInvByCO").count()
    };
    let before = asked();
    eventually("two looks", async || (asked() >= before + 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_two_invoices_is_paid_when_both_are_settled() {
    let tables =
        "[order_to_cash.statuses]\npartly_paid = \"PP\"\n[order_to_cash.invoices]\nnote = true";
    let mut plot = with(tables);
    plot.shop.quirks.note_extension = true;
    let scene = plot.begin().await;
    let number = scene.shop.place(unpaid(&scene, 4));
    let real = scene.confirmed(&number).await;
    scene.m3.deliver_partially(&real.orno);
    let first = invoiced(&scene, &number, 1).await.remove(0);
    scene.m3.settle_invoice(first.ivno);
    payment(&scene, &number, "PP").await;
    let second = invoiced(&scene, &number, 2).await.remove(1);
    looked(&scene).await;
    assert_eq!(scene.shop.booked(&number).unwrap().payment_status, "PP");
    scene.m3.settle_invoice(second.ivno);
    payment(&scene, &number, "P").await;
    scene.stage(&number, "done").await;
    let notes = scene.shop.booked(&number).unwrap().admin_notes;
    for invoice in [first, second] {
        let named = notes.lines().filter(|line| line.contains(&invoice.ivno.to_string())).count();
        assert_eq!(named, 1, "{notes}");
    }
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_is_credited_whole_and_made_anew_is_told_as_it_goes() {
    let tables =
        "[order_to_cash.statuses]\ncredited = \"R\"\n[order_to_cash.invoices]\nwatch_days = 30";
    let scene = with(tables).begin().await;
    let number = scene.shop.place(unpaid(&scene, 2));
    scene.confirmed(&number).await;
    let invoice = invoiced(&scene, &number, 1).await.remove(0);
    scene.m3.credit_invoice(invoice.ivno, invoice.amount).unwrap();
    payment(&scene, &number, "R").await;
    let again = scene.m3.invoice_again(invoice.ivno).unwrap();
    scene.m3.settle_invoice(again);
    scene.m3.settle_invoice(invoice.ivno);
    scene.m3.settle_credits(invoice.ivno);
    payment(&scene, &number, "P").await;
    let shown = scene.shown(&number).await.unwrap();
    assert!(shown.effects.iter().any(|line| line.contains("invoiced")), "{:?}", shown.effects);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_back_late_is_told_while_the_order_is_watched() {
    let tables = "[order_to_cash.statuses]\npartly_credited = \"PP\"\n[order_to_cash.invoices]\nwatch_days = 30";
    let scene = with(tables).begin().await;
    let number = scene.shop.place(order_of(&scene.shop, 2));
    scene.confirmed(&number).await;
    let invoice = invoiced(&scene, &number, 1).await.remove(0);
    scene.m3.settle_invoice(invoice.ivno);
    let shipped = async || scene.shop.booked(&number).filter(|o| o.shipping_status == "S");
    eventually("the order to be shipped", shipped).await;
    looked(&scene).await;
    assert_eq!(scene.shown(&number).await.unwrap().stage, "follow");
    scene.m3.credit_invoice(invoice.ivno, Decimal::ONE).unwrap();
    payment(&scene, &number, "PP").await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_a_credit_changes_no_status_and_the_order_ends() {
    let scene = Plot::calm().begin().await;
    let number = scene.shop.place(unpaid(&scene, 2));
    scene.confirmed(&number).await;
    let invoice = invoiced(&scene, &number, 1).await.remove(0);
    scene.m3.credit_invoice(invoice.ivno, invoice.amount).unwrap();
    scene.stage(&number, "done").await;
    assert_eq!(scene.shop.booked(&number).unwrap().payment_status, "Q");
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_goes_or_is_open_again_after_it_was_paid_is_shown() {
    let scene = with("[order_to_cash.invoices]\nwatch_days = 30").begin().await;
    let number = scene.shop.place(unpaid(&scene, 2));
    scene.confirmed(&number).await;
    let invoice = invoiced(&scene, &number, 1).await.remove(0);
    scene.m3.settle_invoice(invoice.ivno);
    payment(&scene, &number, "P").await;
    scene.m3.reopen_invoice(invoice.ivno);
    let said = difference(&scene, &number, CauseKind::InvoiceChanged).await;
    assert!(said.contains("was paid and is open again"), "{said}");
    scene.m3.withdraw_invoice(invoice.ivno);
    let gone = async || {
        let said = difference(&scene, &number, CauseKind::InvoiceChanged).await;
        said.contains("is not in M3 any more").then_some(())
    };
    eventually("the withdrawal to be shown", gone).await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_before_the_goods_and_a_lost_answer_change_nothing_about_the_end() {
    let mut plot = Plot::calm();
    plot.m3.pace_ms = 50;
    let scene = plot.begin().await;
    for transaction in ["LstAllInvByCO", "LstAllInvByCO"] {
        scene.m3.fault_next("OIS350MI", transaction, Fault::CutAfter);
    }
    scene.m3.fault_next("ARS200MI", "GetInvTotInfo", Fault::ServerError(502));
    let number = scene.shop.place(unpaid(&scene, 3));
    scene.confirmed(&number).await;
    scene.stage(&number, "done").await;
    let booked = scene.shop.booked(&number).unwrap();
    assert_eq!((booked.shipping_status.as_str(), booked.payment_status.as_str()), ("S", "P"));
    scene.close().await;
}
