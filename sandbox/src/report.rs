//! Writes the table of orders and the proof for a person.

use crate::{
    money::Money,
    people::Deeds,
    proof::{Proof, Row},
};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

/// Rows shown when all is well; wrong and parked ones are always shown.
const ROWS_MAX: usize = 40;

/// Prints table and proof.
pub(crate) fn print(proof: &Proof) -> io::Result<()> {
    let mut text = table(&proof.rows);
    text.push_str(&verdict(proof));
    io::stdout().lock().write_all(text.as_bytes())
}

/// Prints the proof as one JSON object.
pub(crate) fn print_json(proof: &Proof) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, proof)?;
    writeln!(out)
}

fn table(rows: &[Row]) -> String {
    let head = ["shop order", "M3 order", "lines", "shop total", "M3 total", "state"];
    let interesting = |row: &&Row| row.wrong || row.state.starts_with("parked");
    let plain = rows.iter().filter(|row| !interesting(row)).take(ROWS_MAX);
    let shown: Vec<&Row> = plain.chain(rows.iter().filter(interesting)).collect();
    let cells: Vec<[String; 6]> = shown
        .iter()
        .map(|row| {
            let Row { number, orno, lines, shop_total, m3_total, state, .. } = row;
            let lines = lines.to_string();
            [number, orno, &lines, shop_total, m3_total, state].map(Clone::clone)
        })
        .collect();
    let mut widths = head.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::from("\n");
    line(&mut text, &head.map(str::to_owned), &widths);
    for row in &cells {
        line(&mut text, row, &widths);
    }
    let hidden = rows.len().saturating_sub(shown.len());
    if hidden > 0 {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "… and {hidden} more, equal on both sides");
    }
    text
}

fn line(text: &mut String, cells: &[String; 6], widths: &[usize; 6]) {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
    text.push('\n');
}

fn verdict(proof: &Proof) -> String {
    let Proof { accepted, created, parked, cancelled, duplicates, lost, unequal, .. } = proof;
    let mut text = format!(
        "\nThe proof, from the books of the shop and of M3:\n  \
         accepted by the shop     {accepted}\n  \
         created in M3 (once)     {created}\n  \
         set aside with a cause   {parked}\n  \
         cancelled by the shop    {cancelled}\n  \
         doubled                  {duplicates}\n  \
         lost                     {lost}\n  \
         unequal                  {unequal}\n"
    );
    for (cause, count) in &proof.causes {
        let _ = writeln!(text, "    parked: {cause} {count}");
    }
    for (currency, totals) in &proof.totals {
        let same = if totals.shop == totals.m3 { "equal" } else { "UNEQUAL" };
        let _ =
            writeln!(text, "  total {currency}  shop {}  M3 {}  {same}", totals.shop, totals.m3);
    }
    beside(&mut text, proof);
    for violation in &proof.violations {
        let _ = writeln!(text, "  M3 should not have been asked: {violation}");
    }
    let _ = writeln!(
        text,
        "  {:.1} s; memory of the gateway: {} KiB idle, {} KiB at most",
        proof.seconds, proof.rss_idle_kib, proof.rss_peak_kib
    );
    let holds = if proof.holds() {
        "Nothing is lost, doubled or unequal."
    } else {
        "THE PROOF FAILS: see the lines above and the gateway's log."
    };
    let _ = writeln!(text, "  {holds}");
    text
}

/// What happened beside the orders, and what the product says of both sides.
fn beside(text: &mut String, proof: &Proof) {
    if let Some(Money { posted, other, doubled }) = proof.money {
        let _ = writeln!(
            text,
            "  paid orders whose money M3 has {posted}, with another sum {other}, payments doubled {doubled}"
        );
    }
    if let Some(goods) = &proof.goods {
        let same = if goods.are_equal() { "equal" } else { "UNEQUAL" };
        let _ = writeln!(
            text,
            "  goods in the shop {}, other stock than M3 {}, other price {}, other name {}, new without a product {}, found at night {}  {same}",
            goods.compared,
            goods.other_stock,
            goods.other_price,
            goods.other_name,
            goods.without_product,
            goods.found_at_night
        );
    }
    for example in proof.goods.iter().flat_map(|goods| &goods.examples) {
        let _ = writeln!(text, "    {example}");
    }
    if let Some(deeds) = &proof.deeds {
        let Deeds { edited, cancelled, returned, .. } = deeds;
        let _ = writeln!(
            text,
            "  buyers changed {edited}, cancelled {cancelled}, got money back for {returned}"
        );
        let Deeds { clerk_changed, clerk_deleted, clerk_reopened, clerk_credited, .. } = deeds;
        let _ = writeln!(
            text,
            "  for Causeway a clerk changed {clerk_changed}, deleted {clerk_deleted}, credited {clerk_credited} in M3, reopened {clerk_reopened}"
        );
    }
    if !proof.reconciled.is_empty() {
        let verdicts: Vec<_> =
            proof.reconciled.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let _ = writeln!(text, "  causeway reconcile: {}", verdicts.join(", "));
    }
}
