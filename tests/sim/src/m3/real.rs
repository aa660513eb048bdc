//! Real orders: what Confirm made, and the transactions of OIS100MI that read and change it.
//!
//! Guarantees: a line's status is the lowest and the highest step among its quantities
//! (reference/m3.md 5.1); an order is deleted only while nothing of it has been picked. Pure.

use super::{
    call::{Ask, Moment, Nok, Outcome, Record, row},
    money::{Sums, Terms, discount, sums},
    orders::{Batch, Charge},
    world::{World, found_by},
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Steps of a quantity: to be allocated, allocated, on a picking list, delivered, invoiced.
pub(crate) const OPEN: u8 = 2;
pub(crate) const ALLOCATED: u8 = 3;
pub(crate) const PICKING: u8 = 4;
pub(crate) const DELIVERED: u8 = 6;
pub(crate) const INVOICED: u8 = 7;
pub(crate) const DELETED: u8 = 9;

/// A line of a real order.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) ponr: u64,
    pub(crate) itno: String,
    pub(crate) fields: Record,
    pub(crate) terms: Terms,
    pub(crate) steps: BTreeMap<u8, Decimal>,
}

impl Line {
    pub(crate) fn at(&self, step: u8) -> Decimal {
        self.steps.get(&step).copied().unwrap_or_default()
    }

    /// Moves a quantity from one step to another.
    pub(crate) fn shift(&mut self, quantity: Decimal, from: u8, to: u8) {
        let rest = self.at(from) - quantity;
        if rest.is_zero() {
            self.steps.remove(&from);
        } else {
            self.steps.insert(from, rest);
        }
        *self.steps.entry(to).or_default() += quantity;
    }

    pub(crate) fn status(&self) -> String {
        let low = self.steps.keys().next().copied().unwrap_or(OPEN);
        let high = self.steps.keys().next_back().copied().unwrap_or(OPEN);
        if low == DELETED { "90".to_owned() } else { format!("{low}{high}") }
    }

    fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// A real order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) orno: String,
    pub(crate) tmp: String,
    /// Its customer, beside the fields because all orders of one are looked for often.
    pub(crate) cuno: String,
    pub(crate) fields: Record,
    pub(crate) lines: Vec<Line>,
    pub(crate) charges: Vec<Charge>,
    pub(crate) addresses: BTreeMap<u64, Record>,
    pub(crate) texts: Vec<Record>,
    pub(crate) made: Moment,
    /// Into how many deliveries it is still to be split.
    pub(crate) parts: u8,
    /// Its deliveries and invoices, oldest first.
    pub(crate) deliveries: Vec<u64>,
    pub(crate) invoices: Vec<u64>,
    /// Whether nothing is left to be done.
    pub(crate) settled: bool,
}

impl Order {
    pub(crate) fn new(orno: String, batch: &Batch, parts: u8, now: Moment) -> Self {
        let line = |line: &super::orders::BatchLine| Line {
            ponr: line.ponr,
            itno: line.text("ITNO").to_owned(),
            fields: line.fields.clone(),
            terms: line.terms.clone(),
            steps: BTreeMap::from([(OPEN, line.terms.quantity)]),
        };
        let of_lines = batch.line_charges.iter().map(|(_, charge)| charge);
        Self {
            orno,
            tmp: batch.orno.clone(),
            cuno: batch.cuno.clone(),
            fields: batch.fields.clone(),
            lines: batch.lines.iter().map(line).collect(),
            charges: batch.charges.iter().chain(of_lines).cloned().collect(),
            addresses: batch.addresses.clone(),
            texts: batch.texts.clone(),
            made: now,
            parts,
            deliveries: Vec::new(),
            invoices: Vec::new(),
            settled: false,
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    /// Lowest and highest line status.
    pub(crate) fn span(&self) -> (String, String) {
        let mut all: Vec<_> = self.lines.iter().map(Line::status).collect();
        all.sort();
        let deleted = || "90".to_owned();
        (all.first().cloned().unwrap_or_else(deleted), all.last().cloned().unwrap_or_else(deleted))
    }

    pub(crate) fn warehouse<'a>(&'a self, line: &'a Line) -> &'a str {
        let own = line.text("WHLO");
        if own.is_empty() { self.text("WHLO") } else { own }
    }

    /// Whether nothing of it is picked.
    pub(crate) fn low(&self) -> bool {
        self.lines.iter().all(|line| line.steps.keys().all(|step| *step <= ALLOCATED))
    }
}

impl World {
    /// OIS100MI after Confirm.
    pub(crate) fn real_orders(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match ask.transaction {
            "GetHead" => self.order_of(ask).map(|order| vec![self.order_row(order)]),
            "LstHead" => self.list_orders(ask),
            "SearchHead" => Ok(self.search_orders(ask)),
            "GetLine" => self.get_line(ask),
            "LstLine" => self.list_order_lines(ask),
            "GetOrderValue" => self.order_of(ask).map(|order| vec![self.value_row(order)]),
            "LstDelLineByCO" => self.delivery_lines_of_order(ask),
            "GetAddress" => self.order_address(ask),
            "AddLineBatchEnt" => self.add_line_to_order(ask),
            "ChgLineBatchEnt" => self.change_order_line(ask),
            "DelLineBatchEnt" => self.delete_order_line(ask).map(|()| {
                let orno = ask.text("ORNO").to_owned();
                vec![row([("ORNO", orno), ("STAT", "90".to_owned())])]
            }),
            "DelLine" => self.delete_order_line(ask).map(|()| Vec::new()),
            "DelHead" => self.delete_order(ask),
            "AddConnCOCharge" => self.add_order_charge(ask),
            "LstNewBalances" => self.list_new_balances(ask),
            "CheckCustomer" => self.check_customer(ask),
            "GetATP" => self.available_to_promise(ask),
            _ => return None,
        })
    }

    pub(crate) fn order_of(&self, ask: &Ask<'_>) -> Result<&Order, Nok> {
        let orno = ask.text("ORNO");
        self.orders.get(orno).ok_or_else(|| Nok::new("WOR0303", "ORNO", orno))
    }

    pub(crate) fn vat_permille(&self, cuno: &str) -> u32 {
        let taxable = self.customers.get(cuno).is_some_and(|c| c.text("TXAP") == "1");
        if taxable { self.setup.vat_permille } else { 0 }
    }

    pub(crate) fn order_sums(&self, order: &Order) -> Sums {
        let live = order.lines.iter().filter(|line| line.at(DELETED).is_zero());
        let terms: Vec<Terms> = live.map(|line| line.terms.clone()).collect();
        let amount = |field: &str| order.text(field).parse().unwrap_or(Decimal::ZERO);
        let decimals = self.decimals(order.text("CUCD"));
        let off = discount(amount("OTBA"), amount("OTDP"), &terms, decimals);
        let charges = order.charges.iter().map(|charge| charge.amount).sum();
        let vat = self.vat_permille(order.text("CUNO"));
        sums(&terms, off, charges, vat, decimals)
    }

    fn value_row(&self, order: &Order) -> Record {
        let sums = self.order_sums(order);
        let invoiced: Decimal = self.invoices_of(order).map(|invoice| invoice.amount).sum();
        let decimals = usize::try_from(self.decimals(order.text("CUCD"))).unwrap_or(2);
        let show = |amount: Decimal| format!("{amount:.decimals$}");
        row([
            ("BRAM", show(sums.gross)),
            ("NTAM", show(sums.net_lines)),
            ("ODAM", show(sums.discount)),
            ("ONET", show(sums.order_net)),
            ("EXAM", show(sums.charges)),
            ("EFAM", "0".to_owned()),
            ("ORVA", show(sums.before_tax)),
            ("VTAM", show(sums.tax)),
            ("TOAM", show(sums.total)),
            ("ROAM", "0".to_owned()),
            ("TOPY", show(sums.total)),
            ("INTA", show(invoiced)),
            ("ITOA", show(invoiced)),
            ("ITOP", show(invoiced)),
            ("CUCD", order.text("CUCD").to_owned()),
        ])
    }

    fn order_row(&self, order: &Order) -> Record {
        let mut found = order.fields.clone();
        found.extend(self.value_row(order));
        let (low, high) = order.span();
        let stopped = self.customers.get(order.text("CUNO")).map_or("0", |c| c.text("BLCD"));
        let tax = if self.vat_permille(order.text("CUNO")) > 0 { "1" } else { "0" };
        found.extend(row([
            ("ORNO", order.orno.clone()),
            ("STAT", low.clone()),
            ("ORSL", low),
            ("ORST", high),
            ("DIVI", "AAA".to_owned()),
            ("TXAP", tax.to_owned()),
            ("OBLC", if stopped.is_empty() { "0" } else { stopped }.to_owned()),
            ("CHID", self.setup.user.clone()),
        ]));
        found
    }

    fn list_orders(&self, ask: &Ask<'_>) -> Outcome {
        let cuno = ask.text("CUNO");
        if !self.customers.contains_key(cuno) {
            return Err(Nok::new("WCU0203", "CUNO", cuno));
        }
        let (from, to) = (ask.text("ORSL"), ask.text("ORST"));
        let wanted = |order: &&Order| {
            let (low, high) = order.span();
            (from.is_empty() || low.as_str() >= from) && (to.is_empty() || high.as_str() <= to)
        };
        let own = self.numbers_of(cuno).filter_map(|orno| self.orders.get(orno));
        let own = own.filter(|order| order.cuno == cuno);
        Ok(own.filter(wanted).take(ask.rows_max).map(|order| self.order_row(order)).collect())
    }

    /// The index lags behind the orders.
    fn search_orders(&self, ask: &Ask<'_>) -> Vec<Record> {
        let seen = |order: &&Order| order.made.ms + self.setup.index_ms <= ask.now.ms;
        let indexed = ["ORNO", "CUNO", "CUOR", "OREF", "YREF", "ORTP"];
        self.orders
            .values()
            .filter(seen)
            .filter(|order| {
                let value = |field: &str| match field {
                    "ORNO" => order.orno.as_str(),
                    _ => order.text(field),
                };
                found_by(ask.text("SQRY"), &value, &indexed)
            })
            .take(ask.rows_max)
            .map(|order| self.order_row(order))
            .collect()
    }

    fn line_row(&self, order: &Order, line: &Line) -> Record {
        let mut found = line.fields.clone();
        let decimals = self.decimals(order.text("CUCD"));
        let terms = &line.terms;
        let per = if terms.quantity.is_zero() { Decimal::ONE } else { terms.quantity };
        let done = line.at(DELIVERED) + line.at(INVOICED);
        let article = self.articles.get(&line.itno);
        let show = |quantity: Decimal| format!("{quantity:.6}");
        found.extend(row([
            ("ORNO", order.orno.clone()),
            ("ITNO", line.itno.clone()),
            ("ITDS", article.map_or_else(String::new, super::items::Article::short_name)),
            ("ORQT", show(terms.quantity)),
            ("ORQA", show(terms.quantity)),
            ("WHLO", order.warehouse(line).to_owned()),
            ("SAPR", format!("{:.4}", terms.price)),
            ("NEPR", format!("{:.4}", terms.net(decimals) / per)),
            ("NLAM", terms.net(decimals).to_string()),
            ("LNA2", terms.net(decimals).to_string()),
            ("PONR", line.ponr.to_string()),
            ("POSX", "0".to_owned()),
            ("ORST", line.status()),
            ("ALUN", "PCS".to_owned()),
            ("SPUN", "PCS".to_owned()),
            ("CUCD", order.text("CUCD").to_owned()),
            ("ALQT", show(line.at(ALLOCATED) + line.at(PICKING))),
            ("DLQT", show(done)),
            ("IVQT", show(line.at(INVOICED))),
        ]));
        found
    }

    fn line_of<'a>(order: &'a Order, ask: &Ask<'_>) -> Result<&'a Line, Nok> {
        let ponr = ask.whole("PONR")?;
        let found = order.lines.iter().find(|line| line.ponr == ponr);
        found.ok_or_else(|| Nok::new("WPO0303", "PONR", ask.text("PONR")))
    }

    fn get_line(&self, ask: &Ask<'_>) -> Outcome {
        let order = self.order_of(ask)?;
        Ok(vec![self.line_row(order, Self::line_of(order, ask)?)])
    }

    fn list_order_lines(&self, ask: &Ask<'_>) -> Outcome {
        let order = self.order_of(ask)?;
        let same = |field: &str, value: &str| [value, ""].contains(&ask.text(field));
        let wanted = |line: &&Line| same("ORST", &line.status()) && same("ITNO", &line.itno);
        Ok(order.lines.iter().filter(wanted).map(|line| self.line_row(order, line)).collect())
    }

    fn order_address(&self, ask: &Ask<'_>) -> Outcome {
        let order = self.order_of(ask)?;
        let found = order.addresses.get(&ask.whole("ADRT")?);
        let found = found.ok_or_else(|| Nok::new("XRE0103", "ADRT", ask.text("ADRT")))?;
        Ok(vec![found.clone()])
    }

    fn add_line_to_order(&mut self, ask: &Ask<'_>) -> Outcome {
        self.order_of(ask)?;
        let mut fields = ask.record.clone();
        self.check_line(&mut fields)?;
        let itno = fields.get("ITNO").cloned().unwrap_or_default();
        let terms = self.terms(ask, &itno)?;
        let orno = ask.text("ORNO").to_owned();
        let Some(order) = self.orders.get_mut(&orno) else { return Ok(Vec::new()) };
        let ponr = order.lines.iter().map(|line| line.ponr).max().unwrap_or(0) + 1;
        let steps = BTreeMap::from([(OPEN, terms.quantity)]);
        order.settled = false;
        order.lines.push(Line { ponr, itno, fields, terms, steps });
        Ok(vec![row([
            ("ORNO", orno),
            ("STAT", "90".to_owned()),
            ("PONR", ponr.to_string()),
            ("POSX", "0".to_owned()),
            ("ATNR", "0".to_owned()),
        ])])
    }

    fn change_order_line(&mut self, ask: &Ask<'_>) -> Outcome {
        let (quantity, ponr) = (ask.number("ORQA")?, ask.whole("PONR")?);
        Self::line_of(self.order_of(ask)?, ask)?;
        let orno = ask.text("ORNO").to_owned();
        let line = self.orders.get_mut(&orno).map(|order| &mut order.lines);
        let line = line.and_then(|lines| lines.iter_mut().find(|line| line.ponr == ponr));
        if let (Some(line), Some(quantity)) = (line, quantity) {
            if line.status() != "22" || quantity <= Decimal::ZERO {
                return Err(Nok::new("WST0301", "ORST", &line.status()));
            }
            line.terms.quantity = quantity;
            line.steps = BTreeMap::from([(OPEN, quantity)]);
        }
        Ok(vec![row([("ORNO", orno), ("STAT", "90".to_owned())])])
    }

    fn delete_order_line(&mut self, ask: &Ask<'_>) -> Result<(), Nok> {
        let ponr = ask.whole("PONR")?;
        let status = Self::line_of(self.order_of(ask)?, ask)?.status();
        if !["22", "23", "33"].contains(&status.as_str()) {
            return Err(Nok::new("WST0301", "ORST", &status));
        }
        let orno = ask.text("ORNO").to_owned();
        let line = self.orders.get_mut(&orno).map(|order| &mut order.lines);
        if let Some(line) = line.and_then(|lines| lines.iter_mut().find(|l| l.ponr == ponr)) {
            line.steps = BTreeMap::from([(DELETED, line.terms.quantity)]);
        }
        Ok(())
    }

    fn delete_order(&mut self, ask: &Ask<'_>) -> Outcome {
        let order = self.order_of(ask)?;
        let (low, orno) = (order.low(), order.orno.clone());
        let status = order.span().1;
        self.violations.push(format!("DelHead of order {orno} in status {status}"));
        if !low {
            return Err(Nok::new("WST0301", "ORST", &status));
        }
        if let Some(order) = self.orders.get_mut(&orno) {
            for line in &mut order.lines {
                line.steps = BTreeMap::from([(DELETED, line.terms.quantity)]);
            }
        }
        Ok(Vec::new())
    }

    fn add_order_charge(&mut self, ask: &Ask<'_>) -> Outcome {
        let currency = self.order_of(ask)?.text("CUCD").to_owned();
        let charge = self.charge(ask, &currency)?;
        if let Some(order) = self.orders.get_mut(ask.text("ORNO")) {
            order.charges.push(charge);
        }
        Ok(Vec::new())
    }
}
