//! Payment batches of accounts receivable (reference/m3.md 4.6). Pure.
//!
//! Guarantees: a batch and a line are kept once under their numbers, and a second one is refused; a
//! batch that was controlled takes no further line; nothing is paid before a clerk updates it.

use super::{
    call::{Ask, Nok, Outcome, Record, row},
    world::World,
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// One batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) head: Record,
    pub(crate) lines: BTreeMap<u64, Record>,
    pub(crate) controlled: bool,
}

impl World {
    /// ARS040MI.
    pub(crate) fn batch_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match ask.transaction {
            "AddBatchHead" => self.add_batch(ask),
            "AddBatchLine" => self.add_batch_line(ask),
            "ControlBatch" => self.control_batch(ask),
            _ => return None,
        })
    }

    fn add_batch(&mut self, ask: &Ask<'_>) -> Outcome {
        let number = ask.whole("PBID")?;
        if self.payment_batches.contains_key(&number) {
            return Err(Nok::new("XRE0104", "PBID", ask.text("PBID")));
        }
        let batch = Batch { head: ask.record.clone(), ..Batch::default() };
        self.payment_batches.insert(number, batch);
        Ok(vec![row([("PBID", number.to_string())])])
    }

    fn add_batch_line(&mut self, ask: &Ask<'_>) -> Outcome {
        let (number, line) = (ask.whole("PBID")?, ask.whole("TRNO")?);
        ask.number("PYAM")?;
        let (cino, year) = (ask.text("CINO"), ask.text("INYR"));
        let invoice = cino.parse().ok().and_then(|ivno: u64| self.invoices.get(&ivno));
        if invoice.is_none_or(|invoice| invoice.year != year) {
            return Err(Nok::new("XRE0103", "CINO", cino));
        }
        let batch = self.payment_batches.get_mut(&number);
        let batch = batch.ok_or_else(|| Nok::new("XRE0103", "PBID", ask.text("PBID")))?;
        if batch.controlled {
            return Err(Nok::new("WST0301", "PBID", ask.text("PBID")));
        }
        if batch.lines.contains_key(&line) {
            return Err(Nok::new("XRE0104", "TRNO", ask.text("TRNO")));
        }
        batch.lines.insert(line, ask.record.clone());
        Ok(Vec::new())
    }

    fn control_batch(&mut self, ask: &Ask<'_>) -> Outcome {
        let batch = self.payment_batches.get_mut(&ask.whole("PBID")?);
        let batch = batch.ok_or_else(|| Nok::new("XRE0103", "PBID", ask.text("PBID")))?;
        batch.controlled = true;
        Ok(Vec::new())
    }
}

/// Money that was posted by an interface, as the books show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedPayment {
    /// The program that took it.
    pub program: &'static str,
    /// PPYN of a prepayment, PBID of a batch, VONO of a voucher.
    pub number: String,
    /// COIV of a prepayment; the invoices of a batch's lines or of the cash desk, else the payer; accounts.
    pub of: Vec<String>,
    /// The sender's key: TX30, IRNO, VTXT, or the text of the ledger's line.
    pub key: String,
    /// What it comes to.
    pub amount: Decimal,
    /// BOPE of a batch, STAT of a prepayment, CSHD, KEY1.
    pub kind: String,
    /// Whether it is whole: a batch that was controlled, a prepayment always.
    pub whole: bool,
}

impl World {
    /// Lists the payments that interfaces posted.
    pub(crate) fn booked_payments(&self) -> Vec<BookedPayment> {
        let text = |record: &Record, field: &str| record.get(field).cloned().unwrap_or_default();
        let number = |record: &Record, field: &str| text(record, field).parse().unwrap_or_default();
        let prepayments = self.requests.iter().map(|request| BookedPayment {
            program: "OIS125MI",
            number: text(request, "PPYN"),
            of: vec![text(request, "COIV")],
            key: text(request, "TX30"),
            amount: number(request, "IVAM"),
            kind: text(request, "STAT"),
            whole: true,
        });
        let batches = self.payment_batches.iter().map(|(pbid, batch)| BookedPayment {
            program: "ARS040MI",
            number: pbid.to_string(),
            of: batch.lines.values().map(|line| text(line, "CINO")).collect(),
            key: batch.lines.values().next().map(|line| text(line, "IRNO")).unwrap_or_default(),
            amount: batch.lines.values().map(|line| number(line, "PYAM")).sum(),
            kind: text(&batch.head, "BOPE"),
            whole: batch.controlled,
        });
        prepayments.chain(batches).chain(self.booked_vouchers()).collect()
    }
}
