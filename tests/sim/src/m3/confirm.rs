//! Confirm, and what can be read of a temporary order.
//!
//! Statuses: 15 head errors, 20 head without lines, 25 line errors, 30 credit stop, 55 interrupted,
//! 90 order created (reference/m3.md 5.4). Pure.

use super::{
    call::{Ask, Nok, Outcome, Record, row},
    message,
    money::{Sums, Terms, discount, sums},
    orders::Batch,
    real::Order,
    world::{World, next},
};
use rust_decimal::Decimal;

impl World {
    /// Notes that Confirm of this temporary order has begun. Others are told to come back.
    pub(crate) fn begin_confirm(&mut self, orno: &str) -> Result<(), Nok> {
        if let Some(batch) = self.batch.get_mut(orno) {
            if batch.running {
                return Err(Nok::new("XO_1130", "ORNO", orno));
            }
            batch.running = true;
        }
        Ok(())
    }

    /// Forgets what was not confirmed.
    pub(crate) fn forget_unconfirmed(&mut self) {
        self.batch.retain(|_, batch| batch.stat >= 90);
    }

    /// Leaves every Confirm under way where it was.
    pub(crate) fn interrupt(&mut self) {
        for batch in self.batch.values_mut() {
            if batch.running && batch.stat < 90 {
                batch.stat = 55;
            }
            batch.running = false;
        }
    }

    pub(crate) fn confirm(&mut self, ask: &Ask<'_>) -> Outcome {
        let orno = ask.text("ORNO").to_owned();
        let Some(batch) = self.batch.get_mut(&orno) else {
            return Err(Nok::new("WOR0303", "ORNO", &orno));
        };
        batch.running = false;
        let batch = batch.clone();
        if batch.stat >= 90 {
            let made = batch.ornr();
            self.violations.push(format!("repeated Confirm of {orno}, which is order {made}"));
            if ask.switches.second_confirm_is_error {
                return Err(Nok::new("WST0301", "STAT", "90"));
            }
        }
        let errors = self.check_batch(&batch);
        if let Some((stat, nok)) = errors.first().map(|(stat, _, nok)| (*stat, nok.clone())) {
            let errors = errors.into_iter().map(|(_, level, nok)| (level, nok)).collect();
            if let Some(batch) = self.batch.get_mut(&orno) {
                (batch.stat, batch.errors) = (stat, errors);
            }
            if ask.switches.confirm_nok_when_checks_fail {
                return Err(nok);
            }
            return Ok(vec![row([("ORNO", orno), ("STAT", stat.to_string())])]);
        }
        let made = self.make_order(&batch, ask);
        if let Some(batch) = self.batch.get_mut(&orno) {
            batch.stat = 90;
            batch.errors.clear();
            batch.made.push(made.clone());
        }
        Ok(vec![row([("ORNO", made), ("STAT", "90".to_owned())])])
    }

    /// All that is wrong with it: status that follows, level (1 head, 2 line), message.
    fn check_batch(&self, batch: &Batch) -> Vec<(u8, u64, Nok)> {
        let mut errors = Vec::new();
        if let Err(nok) = self.check_head(&batch.fields) {
            errors.push((15, 1, nok));
        }
        if batch.lines.is_empty() {
            errors.push((20, 1, Nok::new("WOR0902", "ORNO", &batch.orno)));
        }
        for line in &batch.lines {
            if let Err(nok) = self.check_line(&mut line.fields.clone()) {
                errors.push((25, 2, nok));
            }
        }
        let stopped = self.customers.get(batch.text("CUNO")).is_some_and(|c| c.text("BLCD") == "1");
        if stopped {
            errors.push((30, 1, Nok::new("WCR1001", "CUNO", batch.text("CUNO"))));
        }
        errors
    }

    fn make_order(&mut self, batch: &Batch, ask: &Ask<'_>) -> String {
        let orno = format!("{:010}", next(&mut self.series.order));
        let cuor = batch.text("CUOR");
        if !cuor.is_empty() {
            let same = self.by_cuor.entry(cuor.to_owned()).or_default();
            if let Some(first) = same.first() {
                self.violations.push(format!("two orders for {cuor}: {first} and {orno}"));
            }
            same.push(orno.clone());
        }
        let parts = if self.dice.permille(self.setup.partial_permille) { 2 } else { 1 };
        let order = Order::new(orno.clone(), batch, parts, ask.now);
        self.reserve(&order, ask.now.wall_ms);
        self.note_order(&batch.cuno, &orno);
        self.orders.insert(orno.clone(), order);
        orno
    }

    /// What the temporary order would come to.
    fn batch_sums(&self, batch: &Batch) -> Sums {
        let terms: Vec<Terms> = batch.lines.iter().map(|line| line.terms.clone()).collect();
        let amount = |field: &str| batch.text(field).parse().unwrap_or(Decimal::ZERO);
        let charges = batch.charges.iter().chain(batch.line_charges.iter().map(|(_, c)| c));
        let charges = charges.map(|charge| charge.amount).sum();
        let vat = self.vat_permille(batch.text("CUNO"));
        let decimals = self.decimals(batch.text("CUCD"));
        let off = discount(amount("OTBA"), amount("OTDP"), &terms, decimals);
        sums(&terms, off, charges, vat, decimals)
    }

    fn batch_row(&self, batch: &Batch) -> Record {
        let mut found = batch.fields.clone();
        let status = batch.order_status();
        found.extend(row([
            ("ORNO", batch.orno.clone()),
            ("ORNR", batch.ornr()),
            ("STAT", batch.stat.to_string()),
            ("NTAM", self.batch_sums(batch).net_lines.to_string()),
            ("ORSL", status.to_owned()),
            ("ORST", status.to_owned()),
        ]));
        found
    }

    pub(crate) fn get_head(&self, ask: &Ask<'_>) -> Outcome {
        self.batch_of(ask).map(|batch| vec![self.batch_row(batch)])
    }

    pub(crate) fn list_heads(&self, ask: &Ask<'_>) -> Outcome {
        let cuno = ask.text("CUNO");
        if !self.customers.contains_key(cuno) {
            return Err(Nok::new("WCU0203", "CUNO", cuno));
        }
        let (from, to) = (ask.text("ORSL"), ask.text("ORST"));
        let wanted = |batch: &&Batch| {
            let status = batch.order_status();
            (from.is_empty() || status >= from) && (to.is_empty() || status <= to)
        };
        let own = self.numbers_of(cuno).filter_map(|orno| self.batch.get(orno));
        let own = own.filter(|batch| batch.cuno == cuno).filter(wanted).take(ask.rows_max);
        Ok(own.map(|batch| self.batch_row(batch)).collect())
    }

    pub(crate) fn list_lines(&self, ask: &Ask<'_>) -> Outcome {
        let batch = self.batch_of(ask)?;
        let line = |line: &super::orders::BatchLine| {
            let mut found = line.fields.clone();
            let article = self.articles.get(line.text("ITNO"));
            let mut warehouse = line.text("WHLO");
            if warehouse.is_empty() {
                warehouse = batch.text("WHLO");
            }
            found.extend(row([
                ("PONR", line.ponr.to_string()),
                ("POSX", "0".to_owned()),
                ("ATNR", "0".to_owned()),
                ("WHLO", warehouse.to_owned()),
                ("ORQT", format!("{:.6}", line.terms.quantity)),
                ("SAPR", format!("{:.4}", line.terms.price)),
                ("ITDS", article.map_or_else(String::new, super::items::Article::short_name)),
            ]));
            found
        };
        Ok(batch.lines.iter().map(line).collect())
    }

    pub(crate) fn list_errors(&self, ask: &Ask<'_>) -> Outcome {
        let batch = self.batch_of(ask)?;
        let error = |(level, nok): &(u64, Nok)| {
            let text = message::text(nok, ask.switches.language);
            row([
                ("LEVL", level.to_string()),
                ("MDTA", nok.value.clone()),
                ("TX60", text.chars().take(60).collect()),
                ("MSID", nok.code.clone()),
            ])
        };
        Ok(batch.errors.iter().map(error).collect())
    }

    pub(crate) fn order_no(&self, ask: &Ask<'_>) -> Outcome {
        let batch = self.batch_of(ask)?;
        Ok(vec![row([
            ("ORNO", batch.orno.clone()),
            ("ORNR", batch.ornr()),
            ("STAT", batch.stat.to_string()),
        ])])
    }
}
