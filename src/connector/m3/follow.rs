//! A confirmed order in M3's words: value, lines, deliveries, invoices. Pure.
//!
//! Source: reference/m3.md 3.2, 4.4 and 4.5. What has not come about yet is not
//! asked for: deliveries only after a delivered quantity, invoices only after an
//! invoiced one.

use super::{
    mi::{MiCall, MiRecord},
    order::{Answers, amount, fixed, line, living, one, rows},
};
use crate::{
    amount::Amount,
    connector::Failure,
    flow::{
        follow::{LineProgress, Progress},
        invoice::{Invoice, Receivable},
        parcel::Parcel,
        rules::{InvoiceRules, ShipmentRules},
        run::Real,
    },
    ids::{Cuno, OrderKey, Orno},
};

/// RORC of a customer order (reference/m3.md 4.4).
const CUSTOMER_ORDER: &str = "3";
/// RECO of a settled invoice (reference/m3.md 4.5).
const SETTLED: &str = "9";

/// Reads a real order for the comparison with the shop's.
pub fn read_real(orno: &Orno, cuno: &Cuno) -> Vec<MiCall> {
    let ask = |transaction: &str| MiCall::new("OIS100MI", transaction).with("ORNO", orno.as_str());
    vec![
        ask("GetOrderValue").columns(&["TOPY", "CUCD"]),
        ask("LstLine").columns(&["ITNO", "ORQT", "SAPR", "CUPO"]),
        MiCall::new("OIS100MI", "LstHead")
            .with("CUNO", cuno.as_str())
            .columns(&["ORNO", "CUOR", "ORSL"]),
    ]
}

/// Understands it.
pub fn real_read(answers: Answers, orno: &Orno, key: &OrderKey) -> Result<Real, Failure> {
    let [value, lines, heads] = fixed::<3>(answers)?;
    let value = value?.into_iter().next().unwrap_or_default();
    let lines = rows(lines)?.iter().map(line).collect::<Result<_, _>>()?;
    let mut ornos = living(&rows(heads)?, key)?;
    ornos.push(orno.clone());
    ornos.sort();
    ornos.dedup();
    let currency = value.text("CUCD").to_owned();
    Ok(Real { ornos, total: amount(&value, "TOPY")?, currency, lines })
}

/// Asks how far an order is.
pub fn progress(orno: &Orno) -> Vec<MiCall> {
    let ask = |transaction: &str| MiCall::new("OIS100MI", transaction).with("ORNO", orno.as_str());
    vec![
        ask("GetHead").columns(&["ORSL", "ORST"]),
        ask("LstLine").columns(&["ORQT", "DLQT", "IVQT", "ORST"]),
    ]
}

/// Understands it; an order that is gone has no lowest status.
pub fn progressed(answers: Answers) -> Result<Progress, Failure> {
    let [head, lines] = fixed::<2>(answers)?;
    let Some(head) = one(head)? else { return Ok(Progress::default()) };
    let lines = rows(lines)?.iter().map(line_progress).collect::<Result<_, _>>()?;
    Ok(Progress {
        lowest: head.text("ORSL").trim().to_owned(),
        highest: head.text("ORST").trim().to_owned(),
        lines,
        parcels: None,
        invoices: None,
    })
}

fn line_progress(record: &MiRecord) -> Result<LineProgress, Failure> {
    Ok(LineProgress {
        ordered: amount(record, "ORQT")?,
        delivered: amount(record, "DLQT")?,
        invoiced: amount(record, "IVQT")?,
    })
}

/// Lists the delivery lines of an order.
pub fn deliveries(orno: &Orno) -> MiCall {
    let call = MiCall::new("MWS411MI", "LstDelLnByOrd").with("RORC", CUSTOMER_ORDER);
    call.with("RIDN", orno.as_str()).columns(&["DLIX", "RIDN"])
}

/// The deliveries among them, each once.
pub fn delivery_indexes<'a>(rows: &'a [MiRecord], orno: &Orno) -> Vec<&'a str> {
    let ours = rows.iter().filter(|row| row.text("RIDN").trim() == orno.as_str());
    let mut indexes: Vec<&str> = ours.map(|row| row.text("DLIX").trim()).collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes.retain(|dlix| !dlix.is_empty());
    indexes
}

/// Reads the head of each delivery; the carrier only where it has a name for the shop.
pub fn delivery_heads(indexes: &[&str], rules: &ShipmentRules) -> Vec<MiCall> {
    let mut columns = vec!["DLIX", "ETRN", "PGRS"];
    if !rules.carriers.is_empty() {
        columns.push(rules.carrier.name());
    }
    let ask =
        |dlix: &&str| MiCall::new("MWS410MI", "GetHead").with("DLIX", *dlix).columns(&columns);
    indexes.iter().map(ask).collect()
}

/// Lists the packages of each delivery; nothing where the number is the delivery's.
pub fn packages(indexes: &[&str], rules: &ShipmentRules) -> Vec<MiCall> {
    let Some((program, transaction)) = rules.source.list() else { return Vec::new() };
    let mut columns = vec!["PANR", rules.number.name()];
    columns.dedup();
    let ask = |dlix: &&str| MiCall::new(program, transaction).with("DLIX", *dlix).columns(&columns);
    indexes.iter().map(ask).collect()
}

/// Reads the parcels; a delivery that is gone has none.
pub fn parcels(
    indexes: &[&str],
    heads: Answers,
    packages: Answers,
    rules: &ShipmentRules,
) -> Result<Vec<Parcel>, Failure> {
    let mut parcels = Vec::new();
    let mut packages = packages.into_iter();
    for (dlix, head) in indexes.iter().zip(heads) {
        let listed = packages.next().map(rows).transpose()?;
        let Some(head) = one(head)? else { continue };
        let parcel = |package: &str, number: &str| Parcel {
            delivery: (*dlix).to_owned(),
            package: package.to_owned(),
            number: number.to_owned(),
            carrier: head.text(rules.carrier.name()).trim().to_owned(),
        };
        match listed {
            None => parcels.push(parcel("", head.text("ETRN").trim())),
            Some(listed) => {
                let number = rules.number.name();
                let each =
                    |row: &MiRecord| parcel(row.text("PANR").trim(), row.text(number).trim());
                parcels.extend(listed.iter().map(each));
            }
        }
    }
    Ok(parcels)
}

/// Lists the invoices of an order.
pub fn invoices(orno: &Orno) -> MiCall {
    let call = MiCall::new("OIS350MI", "LstAllInvByCO").with("ORNO", orno.as_str());
    call.columns(&["IVNO", "EXIN", "YEA4", "PYNO", "CUNO", "IVTP", "IVAV", "CUCD"])
}

/// Asks accounts receivable for each of them.
pub fn receivables(rows: &[MiRecord]) -> Vec<MiCall> {
    let ask = |row: &MiRecord| {
        let call = MiCall::new("ARS200MI", "GetInvTotInfo").with("PYNO", row.text("PYNO").trim());
        call.with("CINO", invoice_number(row))
            .with("INYR", row.text("YEA4").trim())
            .with("CUNO", row.text("CUNO").trim())
            .columns(&["CINO", "RECO"])
    };
    rows.iter().map(ask).collect()
}

/// Says which are posted and which are settled, and what they come to.
pub fn posted(
    rows: &[MiRecord],
    answers: Answers,
    rules: &InvoiceRules,
) -> Result<Vec<Invoice>, Failure> {
    let mut invoices = Vec::new();
    for (row, answer) in rows.iter().zip(answers) {
        let record = one(answer)?;
        let amount = amount(row, "IVAV")?;
        let is_credit = rules.credit_types.iter().any(|kind| kind == row.text("IVTP").trim());
        let amount = match Amount::ZERO.minus(amount.magnitude()) {
            Some(less) if is_credit => less,
            Some(_) | None => amount,
        };
        invoices.push(Invoice {
            number: invoice_number(row).to_owned(),
            year: row.text("YEA4").trim().to_owned(),
            payer: row.text("PYNO").trim().to_owned(),
            amount,
            currency: row.text("CUCD").trim().to_owned(),
            receivable: match record {
                None => Receivable::Missing,
                Some(record) if record.text("RECO").trim() == SETTLED => Receivable::Settled,
                Some(_) => Receivable::Posted,
            },
        });
    }
    Ok(invoices)
}

/// EXIN, or IVNO where there is none.
fn invoice_number(row: &MiRecord) -> &str {
    match row.text("EXIN").trim() {
        "" => row.text("IVNO").trim(),
        number => number,
    }
}
