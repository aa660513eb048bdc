//! The order protocol in M3's words: requests for `OIS100MI` and what its answers mean. Pure.
//!
//! Source: reference/m3.md 3.2. `LstBatchHead` does not give OREF, so a look is
//! two calls: the lists, then the heads that carry the key.

use super::mi::{MiCall, MiRecord};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate, tidy},
    flow::{
        place::{BatchHead, Found, Told},
        plan::{LineInM3, Plan},
        rules::OrderEntry,
    },
    ids::{Cuno, OrderKey, Orno},
};

const PROGRAM: &str = "OIS100MI";
/// ORSL of a deleted order (reference/m3.md 5.1).
pub(super) const DELETED: &str = "90";

/// Answers of a bulk call, one for each transaction.
pub type Answers = Vec<Result<Vec<MiRecord>, Failure>>;

/// Lists the temporary and the real orders of a customer.
pub fn look(cuno: &Cuno) -> Vec<MiCall> {
    let list = |transaction: &str| MiCall::new(PROGRAM, transaction).with("CUNO", cuno.as_str());
    vec![
        list("LstBatchHead").columns(&["ORNO", "CUOR", "STAT", "ORNR"]),
        list("LstHead").columns(&["ORNO", "CUOR", "ORSL"]),
    ]
}

/// Picks the orders with our key out of both lists; the heads still lack their OREF.
pub fn looked(answers: Answers, key: &OrderKey) -> Result<Found, Failure> {
    let [batch, real] = lists::<2>(answers)?;
    let ours = |record: &&MiRecord| record.text("CUOR") == key.as_str();
    let batch = batch.iter().filter(ours).map(batch_head).collect::<Result<_, _>>()?;
    Ok(Found { real: living(&real, key)?, batch })
}

/// The orders with our key that are not deleted (ORSL 90, reference/m3.md 5.1); where all are, the last,
/// so that nobody's deletion makes the order come back.
pub(super) fn living(records: &[MiRecord], key: &OrderKey) -> Result<Vec<Orno>, Failure> {
    let (mut living, mut deleted) = (Vec::new(), None);
    for record in records.iter().filter(|record| record.text("CUOR") == key.as_str()) {
        let orno = number(record, "ORNO")?;
        if record.text("ORSL").trim() == DELETED {
            deleted = Some(orno);
        } else {
            living.push(orno);
        }
    }
    if living.is_empty() {
        living.extend(deleted);
    }
    Ok(living)
}

/// Reads the marks of the heads that a look found.
pub fn marks(found: &Found) -> Vec<MiCall> {
    found.batch.iter().map(|head| get_batch_head(&head.tmp)).collect()
}

/// Puts the marks in; a head that is gone by now is left out.
pub fn marked(mut found: Found, answers: Answers) -> Result<Found, Failure> {
    let mut heads = Vec::new();
    for (head, answer) in found.batch.into_iter().zip(answers) {
        if let Some(read) = one(answer)?.map(|record| batch_head(&record)).transpose()? {
            heads.push(BatchHead { orno: head.orno.or(read.orno), tmp: head.tmp, ..read });
        }
    }
    found.batch = heads;
    Ok(found)
}

/// Opens a temporary order.
pub fn add_head(plan: &Plan, oref: &str, names: &OrderEntry) -> MiCall {
    let call = MiCall::new(PROGRAM, &names.head);
    plan.head.iter().fold(call, |call, (field, value)| call.with(field, value)).with("OREF", oref)
}

/// Reads the temporary number.
pub fn head_added(records: &[MiRecord]) -> Result<Told, Failure> {
    let orno = records.first().map(|record| number(record, "ORNO"));
    orno.unwrap_or_else(|| Err(unreadable("no ORNO in the answer"))).map(Told::Head)
}

/// Adds address, texts and charges.
pub fn add_details(plan: &Plan, tmp: &Orno) -> Vec<MiCall> {
    let details = plan.details.iter().map(|detail| {
        let call = MiCall::new(PROGRAM, &detail.transaction).with("ORNO", tmp.as_str());
        detail.fields.iter().fold(call, |call, (field, value)| call.with(field, value))
    });
    details.collect()
}

/// Adds the lines with these CUPO.
pub fn add_lines(plan: &Plan, tmp: &Orno, cupos: &[u16], names: &OrderEntry) -> Vec<MiCall> {
    let wanted = plan.lines.iter().filter(|line| cupos.contains(&line.cupo));
    let calls = wanted.map(|line| {
        MiCall::new(PROGRAM, &names.line)
            .with("ORNO", tmp.as_str())
            .with("ITNO", line.itno.as_str())
            .with("ORQT", line.quantity.to_string())
            .with("SAPR", line.price.map(Amount::to_mi).unwrap_or_default())
            .with("CUPO", line.cupo.to_string())
            .with("ITDS", &line.name)
    });
    calls.collect()
}

/// Says what became of a bulk write: all added, refused for good, or, where only a
/// part is certain, unknown. `names` says what each call was for; every refused one is
/// named in the failure.
pub fn all_added(answers: Answers, names: &[String]) -> Result<Told, Failure> {
    let total = answers.len();
    let failed = answers.into_iter().enumerate().filter_map(|(i, a)| Some((i, a.err()?)));
    let mut failures: Vec<(usize, Failure)> = failed.collect();
    if failures.is_empty() {
        return Ok(Told::Added);
    }
    let is_refused = |(_, f): &&(usize, Failure)| f.fate == Fate::Refused;
    let refused: Vec<&(usize, Failure)> = failures.iter().filter(is_refused).collect();
    let name = |i: usize| names.get(i).map_or("a call without a name", String::as_str);
    let parts: Vec<String> = refused.iter().map(|(i, f)| format!("{}: {f}", name(*i))).collect();
    // What will be refused again counts before what is only held by another user.
    let lead = refused.iter().find(|(_, f)| f.class != Class::Locked).or(refused.first());
    if let Some((at, lead)) = lead {
        let text = match parts.as_slice() {
            [_] => format!("{}: {}", name(*at), lead.text),
            many => {
                let listed: Vec<&str> = refused.iter().map(|(i, _)| name(*i)).collect();
                format!("{} of {total} refused: {}", many.len(), listed.join("; "))
            }
        };
        let text = tidy(&text);
        return Err(Failure { text, ..lead.clone() }.with_parts(parts));
    }
    let none_done =
        failures.len() == total && failures.iter().all(|(_, f)| f.fate == Fate::NotDone);
    let (_, mut failure) = failures.swap_remove(0);
    if !none_done {
        failure.fate = Fate::Unknown;
    }
    Err(failure)
}

/// Names the calls of a bulk write for a person.
pub fn names(calls: &[MiCall], sku_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let name = |call: &MiCall| {
        let (cupo, itno) = (call.value("CUPO"), call.value("ITNO"));
        match (call.transaction.as_str(), cupo) {
            ("AddBatchAddress", _) => "delivery address".to_owned(),
            ("AddBatchText", _) => "a line of text".to_owned(),
            ("AddBatchHeadChg", _) => format!("charge {}", call.value("CRID")),
            (_, "") => call.transaction.clone(),
            (_, cupo) => match sku_of(cupo).filter(|sku| sku != itno) {
                Some(sku) => format!("line {cupo}, SKU {sku}, item {itno}"),
                None => format!("line {cupo}, item {itno}"),
            },
        }
    };
    calls.iter().map(name).collect()
}

/// Reads head and lines of a temporary order.
pub fn read_batch(tmp: &Orno) -> Vec<MiCall> {
    let lines = MiCall::new(PROGRAM, "LstBatchLine").with("ORNO", tmp.as_str());
    vec![get_batch_head(tmp), lines.columns(&["ITNO", "ORQT", "SAPR", "CUPO"])]
}

/// Understands them.
pub fn batch_read(answers: Answers) -> Result<Told, Failure> {
    let [head, lines] = fixed::<2>(answers)?;
    let head = one(head)?.map(|record| batch_head(&record)).transpose()?;
    let lines = rows(lines)?.iter().map(line).collect::<Result<_, _>>()?;
    Ok(Told::Batch { head, lines })
}

/// Makes a temporary order a real one.
pub fn confirm(tmp: &Orno) -> MiCall {
    MiCall::new(PROGRAM, "Confirm").with("ORNO", tmp.as_str())
}

/// Reads the real number and the status.
pub fn confirmed(records: &[MiRecord]) -> Told {
    let record = records.first();
    let stat = record.map_or("", |record| record.text("STAT")).to_owned();
    let orno = record.and_then(|record| number(record, "ORNO").ok());
    Told::Confirmed { orno, stat }
}

/// Asks what became of a confirmation.
pub fn read_confirm(tmp: &Orno) -> Vec<MiCall> {
    let ask = |transaction: &str| MiCall::new(PROGRAM, transaction).with("ORNO", tmp.as_str());
    vec![get_batch_head(tmp), ask("GetOrderNo"), ask("LstErrMsgOrder")]
}

/// Understands the answer; the order is gone only if both say so.
pub fn confirm_read(answers: Answers, tmp: &Orno) -> Result<Told, Failure> {
    let [head, real, errors] = fixed::<3>(answers)?;
    let real = one(real)?.and_then(|record| number(&record, "ORNR").ok());
    let head = one(head)?.map(|record| batch_head(&record)).transpose()?;
    let head = match (head, real) {
        (Some(head), real) => Some(BatchHead { orno: real.or(head.orno), ..head }),
        (None, Some(orno)) => Some(BatchHead {
            tmp: tmp.clone(),
            oref: String::new(),
            cuor: String::new(),
            currency: String::new(),
            stat: String::new(),
            orno: Some(orno),
        }),
        (None, None) => None,
    };
    let texts = |record: &MiRecord| {
        [record.text("MSID"), record.text("TX60"), record.text("MDTA")].join(" ").trim().to_owned()
    };
    let errors = rows(errors).unwrap_or_default().iter().map(texts).collect();
    Ok(Told::Outcome { head, errors })
}

/// Deletes a temporary order.
pub fn delete(tmp: &Orno) -> MiCall {
    MiCall::new(PROGRAM, "DelBatchHead").with("ORNO", tmp.as_str())
}

/// Reads the head of a temporary order.
pub fn get_batch_head(tmp: &Orno) -> MiCall {
    MiCall::new(PROGRAM, "GetBatchHead").with("ORNO", tmp.as_str())
}

/// Understands it; none where there is no such order.
pub fn head_read(answer: Result<Vec<MiRecord>, Failure>) -> Result<Option<BatchHead>, Failure> {
    one(answer)?.map(|record| batch_head(&record)).transpose()
}

fn batch_head(record: &MiRecord) -> Result<BatchHead, Failure> {
    Ok(BatchHead {
        tmp: number(record, "ORNO")?,
        oref: record.text("OREF").to_owned(),
        cuor: record.text("CUOR").to_owned(),
        currency: record.text("CUCD").to_owned(),
        stat: record.text("STAT").to_owned(),
        orno: number(record, "ORNR").ok(),
    })
}

/// Reads a line of a temporary or real order.
pub(super) fn line(record: &MiRecord) -> Result<LineInM3, Failure> {
    Ok(LineInM3 {
        cupo: record.text("CUPO").trim().to_owned(),
        itno: record.text("ITNO").to_owned(),
        quantity: amount(record, "ORQT")?,
        price: amount(record, "SAPR")?,
    })
}

pub(super) fn amount(record: &MiRecord, field: &str) -> Result<Amount, Failure> {
    record.decimal(field).map(Amount).map_err(|fault| unreadable(&fault.to_string()))
}

pub(super) fn number(record: &MiRecord, field: &str) -> Result<Orno, Failure> {
    Orno::try_from(record.text(field)).map_err(|fault| unreadable(&format!("{field}: {fault}")))
}

/// M3 said yes and gave something that cannot be read: done or not is unknown.
pub(super) fn unreadable(text: &str) -> Failure {
    Failure::new(Fate::Unknown, Class::Broken, text)
}

/// The rows of a list; no rows where M3 says that there is no record.
pub fn rows(answer: Result<Vec<MiRecord>, Failure>) -> Result<Vec<MiRecord>, Failure> {
    match answer {
        Err(failure) if is_absent(&failure) => Ok(Vec::new()),
        rows => rows.map(|mut rows| {
            rows.retain(|row| !row.is_empty());
            rows
        }),
    }
}

/// One record, or none where M3 says that there is none.
pub(super) fn one(answer: Result<Vec<MiRecord>, Failure>) -> Result<Option<MiRecord>, Failure> {
    rows(answer).map(|rows| rows.into_iter().next())
}

/// Whether M3 says that the record or order does not exist (reference/m3.md 6).
pub(super) fn is_absent(failure: &Failure) -> bool {
    let unknown = matches!(
        failure.code.as_str(),
        "WOR0303" | "WCU0203" | "WCU0103" | "WIT0103" | "WPO0403" | "WAD1003"
    );
    failure.fate == Fate::Refused && (failure.class == Class::NotFound || unknown)
}

/// Exactly as many answers as questions.
pub(super) fn fixed<const N: usize>(
    answers: Answers,
) -> Result<[Result<Vec<MiRecord>, Failure>; N], Failure> {
    answers.try_into().map_err(|_| unreadable("another number of answers than of questions"))
}

/// Exactly as many lists as questions.
pub(super) fn lists<const N: usize>(answers: Answers) -> Result<[Vec<MiRecord>; N], Failure> {
    let lists = answers.into_iter().map(rows).collect::<Result<Vec<_>, _>>()?;
    lists.try_into().map_err(|_| unreadable("another number of answers than of questions"))
}

#[cfg(test)]
mod tests;
