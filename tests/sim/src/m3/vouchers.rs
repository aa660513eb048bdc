//! The cash desk, the interface of the general ledger, and the vouchers of both (reference/m3.md 4.6). Pure.
//!
//! Guarantees: nothing is booked before the moment that the switch names, nor a payment number or a
//! batch twice; a batch whose debit and credit differ is not booked; a voucher shows the sender's text
//! only where the switch says so.
//!
//! The interface `WEB` of this site reads PARM as: account 1 to 10, D or C at 11, amount 12 to 28,
//! currency 29 to 31, day 32 to 39, text 41 to 70.

use super::{
    batches::BookedPayment,
    call::{Ask, Nok, Outcome, Record, date, parse_number, row},
    options::{DeskBooks, LineAgain},
    world::{World, next},
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The cash desk of this site.
const DESK: &str = "WEB01";
/// Its interface to the general ledger.
const INTERFACE: &str = "WEB";

/// A payment number of the cash desk that was not given back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Number {
    invoices: Vec<u64>,
    on_account: Option<Decimal>,
    paid: Option<Decimal>,
    text: String,
    payer: String,
    currency: String,
    day: String,
    validated: bool,
    booked: bool,
}

impl Number {
    /// Payer, currency and day.
    fn note(&mut self, ask: &Ask<'_>) {
        let kept = [&mut self.payer, &mut self.currency, &mut self.day];
        for (field, kept) in ["PYNO", "CUCD", "PYDT"].into_iter().zip(kept) {
            ask.text(field).clone_into(kept);
        }
    }
}

/// A batch of the interface.
#[derive(Clone, Debug, Default)]
pub(crate) struct LedgerBatch {
    lines: Vec<(u64, String)>,
    controlled: bool,
    updated: bool,
}

/// What was booked.
#[derive(Clone, Debug)]
pub(crate) struct Voucher {
    program: &'static str,
    number: u64,
    of: Vec<String>,
    text: String,
    kind: String,
    amount: Decimal,
    currency: String,
    day: String,
    /// When the list has it.
    listed_ms: u64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finance {
    numbers: BTreeMap<u64, Number>,
    batches: BTreeMap<String, LedgerBatch>,
    vouchers: Vec<Voucher>,
    series: u64,
}

impl World {
    /// OIS215MI, GLS840MI and GLS200MI.
    pub(crate) fn finance_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("OIS215MI", "AddPaymentNo") => self.draw_number(ask),
            ("OIS215MI", "AddInvoice") => self.pay_invoice(ask),
            ("OIS215MI", "AddOnAccount") => self.pay_on_account(ask),
            ("OIS215MI", "AddPayment") => self.take_payment(ask),
            ("OIS215MI", "Validate") => self.validate_number(ask),
            ("OIS215MI", "EndProgram") => self.end_number(ask),
            ("GLS840MI", "AddBatchHead") => self.open_ledger(ask),
            ("GLS840MI", "AddBatchLine") => self.write_line(ask),
            ("GLS840MI", "CtrlBatch") => self.control_ledger(ask),
            ("GLS840MI", "UpdBatch") => self.update_ledger(ask),
            ("GLS200MI", "LstVouchersByDt") => Ok(self.list_vouchers(ask)),
            _ => return None,
        })
    }

    fn draw_number(&mut self, ask: &Ask<'_>) -> Outcome {
        let desk = ask.text("CSHD");
        if !["", DESK].contains(&desk) {
            return Err(Nok::new("XRE0103", "CSHD", desk));
        }
        let number = next(&mut self.finance.series);
        self.finance.numbers.insert(number, Number::default());
        Ok(vec![row([
            ("PMNB", number.to_string()),
            ("CSHD", DESK.to_owned()),
            ("DIVI", "AAA".to_owned()),
            ("CUCD", "EUR".to_owned()),
            ("PYDT", date(ask.now.wall_ms)),
        ])])
    }

    /// A number that is drawn and not validated.
    fn open_number(&mut self, ask: &Ask<'_>) -> Result<&mut Number, Nok> {
        let found = self.finance.numbers.get_mut(&ask.whole("PMNB")?);
        let found = found.filter(|_| ask.text("CSHD") == DESK);
        let found = found.ok_or_else(|| Nok::new("XRE0103", "PMNB", ask.text("PMNB")))?;
        if found.validated {
            return Err(Nok::new("WST0301", "PMNB", ask.text("PMNB")));
        }
        Ok(found)
    }

    fn pay_invoice(&mut self, ask: &Ask<'_>) -> Outcome {
        let wanted = ask.text("EXIN");
        let known = wanted.parse().ok().filter(|ivno| self.invoices.contains_key(ivno));
        let ivno = known.ok_or_else(|| Nok::new("XRE0103", "EXIN", wanted))?;
        let number = self.open_number(ask)?;
        if number.invoices.contains(&ivno) {
            return Err(Nok::new("XRE0104", "EXIN", wanted));
        }
        number.invoices.push(ivno);
        Ok(Vec::new())
    }

    fn pay_on_account(&mut self, ask: &Ask<'_>) -> Outcome {
        let amount = ask.number("PMAM")?;
        let number = self.open_number(ask)?;
        number.on_account = amount;
        ask.text("VTXT").clone_into(&mut number.text);
        number.note(ask);
        Ok(Vec::new())
    }

    fn take_payment(&mut self, ask: &Ask<'_>) -> Outcome {
        let amount = ask.number("PMAM")?.unwrap_or_default();
        let number = self.open_number(ask)?;
        number.paid = Some(number.paid.unwrap_or_default() + amount);
        if number.text.is_empty() {
            ask.text("IRNO").clone_into(&mut number.text);
        }
        number.note(ask);
        Ok(Vec::new())
    }

    fn validate_number(&mut self, ask: &Ask<'_>) -> Outcome {
        let number = self.open_number(ask)?.clone();
        let own = number.invoices.iter().filter_map(|ivno| self.invoices.get(ivno));
        let owed: Decimal = own.map(|invoice| invoice.open).sum();
        let owed = owed + number.on_account.unwrap_or_default();
        if number.paid != Some(owed) || owed.is_zero() {
            return Err(Nok::new("WST0301", "PMAM", &owed.to_string()));
        }
        self.open_number(ask)?.validated = true;
        if ask.switches.desk_books == DeskBooks::AtValidate {
            self.book_number(ask)?;
        }
        Ok(Vec::new())
    }

    fn end_number(&mut self, ask: &Ask<'_>) -> Outcome {
        let found = self.finance.numbers.get(&ask.whole("PMNB")?);
        let number = found.ok_or_else(|| Nok::new("XRE0103", "PMNB", ask.text("PMNB")))?;
        let entered = number.on_account.is_some() || !number.invoices.is_empty();
        let books = match ask.switches.desk_books {
            DeskBooks::AtValidate => false,
            DeskBooks::AtEnd => number.validated,
            DeskBooks::AtEndAlways => entered,
        };
        if books && !number.booked {
            self.book_number(ask)?;
        }
        self.finance.numbers.remove(&ask.whole("PMNB")?);
        Ok(Vec::new())
    }

    fn book_number(&mut self, ask: &Ask<'_>) -> Result<(), Nok> {
        let number = self.finance.numbers.get_mut(&ask.whole("PMNB")?);
        let number = number.ok_or_else(|| Nok::new("XRE0103", "PMNB", ask.text("PMNB")))?;
        number.booked = true;
        let number = number.clone();
        let mut amount = number.on_account.unwrap_or_default();
        for ivno in &number.invoices {
            if let Some(invoice) = self.invoices.get_mut(ivno) {
                amount += std::mem::take(&mut invoice.open);
                invoice.changed_wall_ms = ask.now.wall_ms;
            }
        }
        let invoices = number.invoices.iter().map(u64::to_string);
        let of = if number.invoices.is_empty() { vec![number.payer] } else { invoices.collect() };
        let day = if number.day.is_empty() { date(ask.now.wall_ms) } else { number.day };
        self.book(
            "OIS215MI",
            (of, number.text, DESK.to_owned()),
            (amount, number.currency, day),
            ask,
        );
        Ok(())
    }

    fn book(
        &mut self,
        program: &'static str,
        (of, text, kind): (Vec<String>, String, String),
        (amount, currency, day): (Decimal, String, String),
        ask: &Ask<'_>,
    ) {
        let number = 30_000_000 + next(&mut self.finance.series);
        let listed_ms = ask.now.ms + ask.switches.voucher_ms;
        let voucher = Voucher { program, number, of, text, kind, amount, currency, day, listed_ms };
        self.finance.vouchers.push(voucher);
    }

    fn open_ledger(&mut self, ask: &Ask<'_>) -> Outcome {
        let key = ask.text("KEY1");
        if ask.text("INTN") != INTERFACE {
            return Err(Nok::new("XRE0103", "INTN", ask.text("INTN")));
        }
        if self.finance.batches.contains_key(key) {
            return Err(Nok::new("XRE0104", "KEY1", key));
        }
        self.finance.batches.insert(key.to_owned(), LedgerBatch::default());
        Ok(Vec::new())
    }

    fn ledger_batch(&mut self, ask: &Ask<'_>) -> Result<&mut LedgerBatch, Nok> {
        let key = ask.text("KEY1");
        self.finance.batches.get_mut(key).ok_or_else(|| Nok::new("XRE0103", "KEY1", key))
    }

    fn write_line(&mut self, ask: &Ask<'_>) -> Outcome {
        let (line, again) = (ask.whole("LINE")?, ask.switches.ledger_line_again);
        let parm = ask.text("PARM").to_owned();
        let batch = self.ledger_batch(ask)?;
        if batch.updated {
            return Err(Nok::new("WST0301", "KEY1", ask.text("KEY1")));
        }
        let known = batch.lines.iter_mut().find(|(number, _)| *number == line);
        match (known, again) {
            (Some(_), LineAgain::Refused) => {
                return Err(Nok::new("XRE0104", "LINE", ask.text("LINE")));
            }
            (Some(known), LineAgain::Replaces) => known.1 = parm,
            (Some(_), LineAgain::Added) | (None, _) => batch.lines.push((line, parm)),
        }
        Ok(Vec::new())
    }

    fn control_ledger(&mut self, ask: &Ask<'_>) -> Outcome {
        let batch = self.ledger_batch(ask)?;
        let lines: Option<Vec<_>> = batch.lines.iter().map(|(_, parm)| posted(parm)).collect();
        let lines = lines.ok_or_else(|| Nok::new("XNU0000", "PARM", ""))?;
        let sum: Decimal = lines.iter().map(|line| line.amount).sum();
        if lines.is_empty() || !sum.is_zero() || batch.updated {
            return Err(Nok::new("WST0301", "KEY1", ask.text("KEY1")));
        }
        batch.controlled = true;
        Ok(Vec::new())
    }

    fn update_ledger(&mut self, ask: &Ask<'_>) -> Outcome {
        let batch = self.ledger_batch(ask)?;
        if !batch.controlled || batch.updated {
            return Err(Nok::new("WST0301", "KEY1", ask.text("KEY1")));
        }
        batch.updated = true;
        let lines: Vec<_> = batch.lines.iter().filter_map(|(_, parm)| posted(parm)).collect();
        if ask.switches.ledger_forgets {
            self.finance.batches.remove(ask.text("KEY1"));
        }
        let amount = lines.iter().map(|line| line.amount).filter(Decimal::is_sign_positive).sum();
        if let Some(first) = lines.first() {
            let of = lines.iter().map(|line| line.account.clone()).collect();
            let key = ask.text("KEY1").to_owned();
            let (text, currency) = (first.text.clone(), first.currency.clone());
            self.book("GLS840MI", (of, text, key), (amount, currency, first.day.clone()), ask);
        }
        Ok(Vec::new())
    }

    fn list_vouchers(&self, ask: &Ask<'_>) -> Vec<Record> {
        let days = ask.text("FRDT")..=ask.text("TODT");
        let listed = |voucher: &&Voucher| {
            days.contains(&voucher.day.as_str()) && voucher.listed_ms <= ask.now.ms
        };
        let rows = self.finance.vouchers.iter().filter(listed).flat_map(|voucher| {
            ["D", "C"].map(|side| {
                let amount = if side == "D" { voucher.amount } else { -voucher.amount };
                let shows = ask.switches.voucher_text;
                row([
                    ("CONO", self.cono.to_string()),
                    ("DIVI", "AAA".to_owned()),
                    ("YEA4", voucher.day.chars().take(4).collect()),
                    ("VSER", "WEB".to_owned()),
                    ("VONO", voucher.number.to_string()),
                    ("ACDT", voucher.day.clone()),
                    ("CUCD", voucher.currency.clone()),
                    ("CUAM", amount.to_string()),
                    ("ACAM", amount.to_string()),
                    ("DBCR", side.to_owned()),
                    ("VTXT", if shows { voucher.text.clone() } else { "Web payment".to_owned() }),
                ])
            })
        });
        rows.collect()
    }

    /// What was booked, as the books show it.
    pub(crate) fn booked_vouchers(&self) -> impl Iterator<Item = BookedPayment> {
        self.finance.vouchers.iter().map(|voucher| BookedPayment {
            program: voucher.program,
            number: voucher.number.to_string(),
            of: voucher.of.clone(),
            key: voucher.text.clone(),
            amount: voucher.amount,
            kind: voucher.kind.clone(),
            whole: true,
        })
    }
}

/// A line as the interface reads it; debit is positive.
struct Posted {
    account: String,
    amount: Decimal,
    currency: String,
    day: String,
    text: String,
}

fn posted(parm: &str) -> Option<Posted> {
    let at = |from: usize, to: usize| {
        let characters = parm.chars().skip(from - 1).take(to + 1 - from);
        characters.collect::<String>().trim().to_owned()
    };
    let amount = parse_number(&at(12, 28))?;
    let amount = match at(11, 11).as_str() {
        "D" => amount,
        "C" => -amount,
        _ => return None,
    };
    Some(Posted {
        account: at(1, 10),
        amount,
        currency: at(29, 31),
        day: at(32, 39),
        text: at(41, 70),
    })
}
