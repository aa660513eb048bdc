//! Invoices, what is open of them, and prepayments (reference/m3.md 4.5 and 4.6). Pure.

use super::{
    call::{Ask, Nok, Outcome, Record, date, row},
    warehouse::Invoice,
    world::{World, next},
};
use rust_decimal::Decimal;

impl World {
    /// OIS350MI, ARS200MI and OIS125MI.
    pub(crate) fn invoice_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("OIS350MI", "LstAllInvByCO" | "LstInvHeadByCo") => self.invoices_of_order(ask),
            ("OIS350MI", "GetInvHead") => {
                self.invoice_of(ask, "IVNO", "YEA4").map(|found| vec![self.invoice_row(found)])
            }
            ("OIS350MI", "LstInvLine") => {
                self.invoice_of(ask, "IVNO", "YEA4").map(|found| vec![self.invoice_row(found)])
            }
            ("ARS200MI", "LstInvoices") => self.invoices_of_customer(ask),
            ("ARS200MI", "GetInvTotInfo") => {
                self.invoice_of(ask, "CINO", "INYR").map(|found| vec![self.invoice_row(found)])
            }
            ("OIS125MI", "AddPrePayment") => self.add_prepayment(ask),
            ("OIS125MI", "LstPrePayByCO") => Ok(self.list_prepayments(ask)),
            _ => return None,
        })
    }

    fn invoice_of(&self, ask: &Ask<'_>, number: &str, year: &str) -> Result<&Invoice, Nok> {
        let wanted = ask.text(number);
        let found = wanted.trim_start_matches('0').parse().ok();
        let found = found.and_then(|ivno: u64| self.invoices.get(&ivno));
        let found = found.filter(|invoice| invoice.year == ask.text(year));
        found.ok_or_else(|| Nok::new("XRE0103", number, wanted))
    }

    fn invoice_row(&self, invoice: &Invoice) -> Record {
        let customer = self.customers.get(&invoice.cuno);
        let name = customer.map_or("", |customer| customer.text("CUNM")).to_owned();
        let order = self.orders.get(&invoice.orno);
        let of = |field: &str| order.map_or("", |order| order.text(field)).to_owned();
        let paid = invoice.reco() == 9;
        row([
            ("ORNO", invoice.orno.clone()),
            ("WHLO", of("WHLO")),
            ("DLIX", invoice.dlix.to_string()),
            ("IVNO", invoice.ivno.to_string()),
            ("CINO", invoice.ivno.to_string()),
            ("EXIN", invoice.ivno.to_string()),
            ("INPX", String::new()),
            ("YEA4", invoice.year.clone()),
            ("INYR", invoice.year.clone()),
            ("IVTP", invoice.kind.to_owned()),
            ("IDAT", invoice.date.clone()),
            ("IVDT", invoice.date.clone()),
            ("DUDT", invoice.date.clone()),
            ("ACDT", invoice.date.clone()),
            ("CUNO", invoice.cuno.clone()),
            ("CUN1", name.clone()),
            ("CUNM", name.clone()),
            ("PYNO", of("PYNO")),
            ("PYN1", name),
            ("INRC", of("INRC")),
            ("IVAV", invoice.amount.to_string()),
            ("CUAM", invoice.amount.to_string()),
            ("AMT1", invoice.amount.to_string()),
            ("AMT2", (invoice.amount - invoice.tax).to_string()),
            ("VTAM", invoice.tax.to_string()),
            ("RAFC", invoice.open.to_string()),
            ("CUCD", invoice.currency.clone()),
            ("CUC1", invoice.currency.clone()),
            ("CUC2", invoice.currency.clone()),
            ("TEPY", of("TEPY")),
            ("PYCD", of("PYCD")),
            ("ORST", "77".to_owned()),
            ("JRNO", invoice.ivno.rem_euclid(10_000_000).to_string()),
            ("JSNO", "1".to_owned()),
            ("VONO", invoice.ivno.rem_euclid(100_000_000).to_string()),
            ("TRCD", "10".to_owned()),
            ("RECO", invoice.reco().to_string()),
            ("REDE", if paid { date(invoice.changed_wall_ms) } else { String::new() }),
            ("LMTS", invoice.changed_wall_ms.to_string()),
        ])
    }

    fn invoices_of_order(&self, ask: &Ask<'_>) -> Outcome {
        let (order, dlix) = (self.order_of(ask)?, ask.whole("DLIX")?);
        let wanted = |invoice: &&Invoice| dlix == 0 || invoice.dlix == dlix;
        let found = self.invoices_of(order).filter(wanted);
        Ok(found.map(|invoice| self.invoice_row(invoice)).collect())
    }

    fn invoices_of_customer(&self, ask: &Ask<'_>) -> Outcome {
        let cuno = ask.text("CUNO");
        if !self.customers.contains_key(cuno) {
            return Err(Nok::new("WCU0203", "CUNO", cuno));
        }
        let only_open = ask.text("AAC0") == "1";
        let own = |i: &&Invoice| i.cuno == cuno && !(only_open && i.reco() == 9);
        let found = self.invoices.values().filter(own);
        Ok(found.map(|invoice| self.invoice_row(invoice)).collect())
    }

    /// Credits a part of an invoice, or all of it: a document of its own.
    pub(crate) fn credit(&mut self, ivno: u64, amount: Decimal, wall_ms: u64) -> Option<u64> {
        let invoice = self.invoices.get(&ivno)?.clone();
        let credit = next(&mut self.series.invoice);
        let order = self.orders.get_mut(&invoice.orno)?;
        order.invoices.push(credit);
        order.settled = false;
        let day = date(wall_ms);
        let document = Invoice {
            ivno: credit,
            kind: "32",
            year: day.chars().take(4).collect(),
            amount: -amount,
            open: -amount,
            tax: Decimal::ZERO,
            date: day,
            changed_wall_ms: wall_ms,
            ..invoice
        };
        self.invoices.insert(credit, document);
        Some(credit)
    }

    /// Takes an invoice out of the books, as when it is cancelled and made anew.
    pub(crate) fn withdraw_invoice(&mut self, ivno: u64) {
        let Some(invoice) = self.invoices.remove(&ivno) else { return };
        if let Some(order) = self.orders.get_mut(&invoice.orno) {
            order.invoices.retain(|own| *own != ivno);
        }
    }

    fn add_prepayment(&mut self, ask: &Ask<'_>) -> Outcome {
        let orno = ask.text("COIV");
        let order = self.orders.get(orno).ok_or_else(|| Nok::new("WOR0303", "COIV", orno))?;
        ask.number("IVAM")?;
        let (cuno, currency) = (order.text("CUNO").to_owned(), order.text("CUCD").to_owned());
        let number = format!("PP{:08}", next(&mut self.series.request));
        let year: String = date(ask.now.wall_ms).chars().take(4).collect();
        let mut request = ask.record.clone();
        request.extend(row([
            ("PPYT", "10".to_owned()),
            ("PPYN", number.clone()),
            ("RYEA", year.clone()),
            ("CUNO", cuno),
            ("CUCD", currency),
        ]));
        self.requests.push(request);
        Ok(vec![row([("PPYN", number), ("RYEA", year)])])
    }

    fn list_prepayments(&self, ask: &Ask<'_>) -> Vec<Record> {
        let of = |request: &&Record| request.get("COIV").is_some_and(|o| o == ask.text("COIV"));
        self.requests.iter().filter(of).cloned().collect()
    }
}
