//! Batch order entry: temporary orders on their way to a real one (reference/m3.md 3 and 5.4).
//!
//! Guarantees: temporary numbers come from a series of their own; each execution of Confirm that
//! passes its checks makes exactly one real order; nothing but Confirm makes one. It does not look
//! for duplicates: two heads with the same customer's order number are two orders. Pure.

use super::{
    call::{Ask, Nok, Outcome, Record, row},
    money::{Terms, rounded},
    world::{World, next},
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// A line of a temporary order.
#[derive(Clone, Debug)]
pub(crate) struct BatchLine {
    pub(crate) ponr: u64,
    pub(crate) fields: Record,
    pub(crate) terms: Terms,
}

impl BatchLine {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// A charge of an order.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) crid: String,
    pub(crate) amount: Decimal,
}

/// A temporary order.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) orno: String,
    /// Its customer, beside the fields because all heads of one are looked for often.
    pub(crate) cuno: String,
    pub(crate) stat: u8,
    pub(crate) fields: Record,
    pub(crate) lines: Vec<BatchLine>,
    pub(crate) last_ponr: u64,
    pub(crate) charges: Vec<Charge>,
    pub(crate) line_charges: Vec<(u64, Charge)>,
    pub(crate) addresses: BTreeMap<u64, Record>,
    pub(crate) texts: Vec<Record>,
    pub(crate) errors: Vec<(u64, Nok)>,
    /// Set while Confirm runs.
    pub(crate) running: bool,
    /// The real orders it became.
    pub(crate) made: Vec<String>,
    pub(crate) made_ms: u64,
}

impl Batch {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    /// The status that it has or would have as an order.
    pub(crate) const fn order_status(&self) -> &'static str {
        if self.stat >= 90 { "22" } else { "10" }
    }

    pub(crate) fn ornr(&self) -> String {
        self.made.first().cloned().unwrap_or_default()
    }
}

impl World {
    /// OIS100MI before Confirm, and OIS275MI.
    pub(crate) fn order_entry(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("OIS100MI", "AddBatchHead" | "AddHead") => self.add_head(ask),
            ("OIS100MI", "ChgBatchHead") => self.change_head(ask),
            ("OIS100MI", "AddBatchLine" | "AddLine") => self.add_line(ask),
            ("OIS100MI", "AddBatchAddress") => self.add_batch_address(ask),
            ("OIS100MI", "AddBatchText") => self.add_text(ask),
            ("OIS100MI", "AddBatchHeadChg") => self.add_head_charge(ask),
            ("OIS100MI", "AddBatchLineChg") => self.add_line_charge(ask),
            ("OIS100MI", "DelBatchLine") => self.delete_line(ask),
            ("OIS100MI", "DelBatchHead") => self.delete_head(ask),
            ("OIS100MI", "GetBatchHead") => self.get_head(ask),
            ("OIS100MI", "LstBatchHead") => self.list_heads(ask),
            ("OIS100MI", "LstBatchLine") => self.list_lines(ask),
            ("OIS100MI", "LstErrMsgOrder") => self.list_errors(ask),
            ("OIS100MI", "Confirm") => self.confirm(ask),
            ("OIS100MI", "GetOrderNo") | ("OIS275MI", "GetTmpOrderStat") => self.order_no(ask),
            _ => return None,
        })
    }

    pub(crate) fn batch_of(&self, ask: &Ask<'_>) -> Result<&Batch, Nok> {
        let orno = ask.text("ORNO");
        self.batch.get(orno).ok_or_else(|| Nok::new("WOR0303", "ORNO", orno))
    }

    /// The temporary order, when it may still be changed.
    fn open_batch(&mut self, ask: &Ask<'_>) -> Result<&mut Batch, Nok> {
        let orno = ask.text("ORNO");
        let batch = self.batch.get_mut(orno).ok_or_else(|| Nok::new("WOR0303", "ORNO", orno))?;
        if batch.running {
            return Err(Nok::new("XO_1130", "ORNO", orno));
        }
        if batch.stat >= 90 {
            return Err(Nok::new("WST0301", "STAT", "90"));
        }
        Ok(batch)
    }

    fn add_head(&mut self, ask: &Ask<'_>) -> Outcome {
        let cuno = ask.text("CUNO");
        if !self.customers.contains_key(cuno) {
            return Err(Nok::new("WCU0203", "CUNO", cuno));
        }
        for field in ["OTBA", "OTDP"] {
            ask.number(field)?;
        }
        let checked = self.check_head(ask.record);
        if let (Err(nok), false) = (&checked, ask.switches.check_at_confirm) {
            return Err(nok.clone());
        }
        let orno = next(&mut self.series.temporary).to_string();
        let mut fields = ask.record.clone();
        self.head_defaults(cuno, &mut fields, ask.now.wall_ms);
        let batch = Batch {
            orno: orno.clone(),
            cuno: fields.get("CUNO").cloned().unwrap_or_default(),
            stat: if checked.is_ok() { 20 } else { 15 },
            fields,
            lines: Vec::new(),
            last_ponr: 0,
            charges: Vec::new(),
            line_charges: Vec::new(),
            addresses: BTreeMap::new(),
            texts: Vec::new(),
            errors: checked.err().map(|nok| (1, nok)).into_iter().collect(),
            running: false,
            made: Vec::new(),
            made_ms: ask.now.ms,
        };
        self.note_order(&batch.cuno, &orno);
        self.batch.insert(orno.clone(), batch);
        Ok(vec![row([("ORNO", orno)])])
    }

    fn head_defaults(&self, cuno: &str, fields: &mut Record, wall_ms: u64) {
        let customer = self.customers.get(cuno);
        let own = |field: &str| customer.map_or("", |customer| customer.text(field)).to_owned();
        let today = super::call::date(wall_ms);
        let first = |table: &[String]| table.first().cloned().unwrap_or_default();
        let codes = &self.setup.codes;
        let defaults = [
            ("ORTP", first(&codes.order_types)),
            ("FACI", first(&codes.facilities)),
            ("WHLO", first(&codes.warehouses)),
            ("CUCD", own("CUCD")),
            ("TEPY", own("TEPY")),
            ("MODL", own("MODL")),
            ("TEDL", own("TEDL")),
            ("PYCD", own("PYCD")),
            ("LNCD", own("LNCD")),
            ("PYNO", cuno.to_owned()),
            ("INRC", cuno.to_owned()),
            ("ORDT", today.clone()),
            ("RLDT", today),
        ];
        for (field, value) in defaults {
            let sent = fields.entry(field.to_owned()).or_default();
            if sent.is_empty() {
                *sent = value;
            }
        }
    }

    fn change_head(&mut self, ask: &Ask<'_>) -> Outcome {
        self.check_head(ask.record)?;
        let batch = self.open_batch(ask)?;
        for (field, value) in ask.record {
            let value = if value == "?" { String::new() } else { value.clone() };
            if field != "ORNO" && field != "CONO" {
                batch.fields.insert(field.clone(), value);
            }
        }
        batch.cuno = batch.text("CUNO").to_owned();
        batch.stat = if batch.lines.is_empty() { 20 } else { batch.stat };
        let (cuno, orno) = (batch.cuno.clone(), batch.orno.clone());
        self.note_order(&cuno, &orno);
        Ok(Vec::new())
    }

    /// Checks what a head refers to.
    pub(crate) fn check_head(&self, fields: &Record) -> Result<(), Nok> {
        let value = |field: &str| fields.get(field).map_or("", String::as_str);
        let codes = &self.setup.codes;
        let tables = [
            ("ORTP", "WTT0403", &codes.order_types),
            ("FACI", "WFAC303", &codes.facilities),
            ("WHLO", "WWH0103", &codes.warehouses),
            ("MODL", "WMO0103", &codes.delivery_methods),
            ("TEDL", "WTE0103", &codes.delivery_terms),
            ("TEPY", "XRE0103", &codes.payment_terms),
            ("PYCD", "XRE0103", &codes.payment_methods),
        ];
        for (field, code, table) in tables {
            if !Self::in_table(table, value(field)) {
                return Err(Nok::new(code, field, value(field)));
            }
        }
        let currency = value("CUCD");
        let known = codes.currencies.iter().any(|(code, _)| code == currency);
        if !currency.is_empty() && !known {
            return Err(Nok::new("XRE0103", "CUCD", currency));
        }
        for field in ["PYNO", "INRC", "DECU"] {
            if !value(field).is_empty() && !self.customers.contains_key(value(field)) {
                return Err(Nok::new("WCU0203", field, value(field)));
            }
        }
        let cuno = value("CUNO");
        let adid = value("ADID");
        match self.customers.get(cuno) {
            Some(customer) if customer.stat != "20" => {
                Err(Nok::new("WST0301", "CUNO", &customer.stat))
            }
            Some(customer) if customer.text("CUTP") == "9" => {
                Err(Nok::new("WCU0203", "CUNO", cuno))
            }
            Some(customer) if !adid.is_empty() && !customer.has_address(adid) => {
                Err(Nok::new("WAD1003", "ADID", adid))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn add_line(&mut self, ask: &Ask<'_>) -> Outcome {
        self.open_batch(ask)?;
        let mut fields = ask.record.clone();
        let checked = self.check_line(&mut fields);
        if let (Err(nok), false) = (&checked, ask.switches.check_at_confirm) {
            return Err(nok.clone());
        }
        let terms = self.terms(ask, fields.get("ITNO").map_or("", String::as_str))?;
        fields.entry("WHLO".to_owned()).or_default();
        let batch = self.open_batch(ask)?;
        batch.last_ponr += 1;
        let ponr = batch.last_ponr;
        batch.stat = if checked.is_err() { 25 } else { batch.stat };
        batch.errors.extend(checked.err().map(|nok| (2, nok)));
        batch.lines.push(BatchLine { ponr, fields, terms });
        Ok(vec![row([
            ("PONR", ponr.to_string()),
            ("POSX", "0".to_owned()),
            ("ATNR", "0".to_owned()),
        ])])
    }

    /// Checks what a line refers to; an alias becomes the item it stands for.
    pub(crate) fn check_line(&self, fields: &mut Record) -> Result<(), Nok> {
        let value = |field: &str| fields.get(field).cloned().unwrap_or_default();
        let mut itno = value("ITNO");
        let (category, alias) = (value("ALWT"), value("POPN"));
        if !category.is_empty() && !alias.is_empty() {
            let found = self.alias(&category, &alias, "");
            let found = found.ok_or_else(|| Nok::new("WPO0403", "POPN", &alias))?;
            itno.clone_from(&found.itno);
            fields.insert("ITNO".to_owned(), itno.clone());
        }
        let warehouse = fields.get("WHLO").cloned().unwrap_or_default();
        if !Self::in_table(&self.setup.codes.warehouses, &warehouse) {
            return Err(Nok::new("WWH0103", "WHLO", &warehouse));
        }
        match self.articles.get(&itno) {
            None => Err(Nok::new("WIT0103", "ITNO", &itno)),
            Some(article) if article.item.status != "20" => Err(Nok::new("XIT0107", "ITNO", &itno)),
            Some(_) => Ok(()),
        }
    }

    /// What a line is computed from.
    pub(crate) fn terms(&self, ask: &Ask<'_>, itno: &str) -> Result<Terms, Nok> {
        let quantity = ask.number("ORQT")?.unwrap_or_default();
        if quantity.is_zero() {
            return Err(Nok::new("WQT0102", "ORQT", ""));
        }
        let sent = ask.number("SAPR")?;
        for (field, number) in [("ORQT", Some(quantity)), ("SAPR", sent)] {
            if number.is_some_and(|number| number < Decimal::ZERO) {
                return Err(Nok::new("XNU0003", field, ask.text(field)));
            }
        }
        let own = self.articles.get(itno).map_or(Decimal::ZERO, |article| article.item.price);
        let mut terms = Terms {
            quantity,
            price: rounded(sent.unwrap_or(own), ask.switches.price_decimals),
            per: ask.number("SACD")?.unwrap_or_default(),
            ..Terms::default()
        };
        for n in 1..=6 {
            terms.amounts_off.extend(ask.number(&format!("DIA{n}"))?);
            terms.percents_off.extend(ask.number(&format!("DIP{n}"))?);
        }
        Ok(terms)
    }

    fn add_batch_address(&mut self, ask: &Ask<'_>) -> Outcome {
        let adrt = ask.whole("ADRT")?;
        if !(1..=9).contains(&adrt) {
            return Err(Nok::new("WAD1001", "ADRT", ask.text("ADRT")));
        }
        let country = ask.text("CSCD");
        if !country.is_empty() && !super::customers::is_country(country) {
            return Err(Nok::new("XRE0103", "CSCD", country));
        }
        super::areas::check(ask)?;
        let batch = self.open_batch(ask)?;
        if batch.addresses.contains_key(&adrt) {
            return Err(Nok::new("XRE0104", "ADRT", ask.text("ADRT")));
        }
        batch.addresses.insert(adrt, ask.record.clone());
        Ok(Vec::new())
    }

    fn add_text(&mut self, ask: &Ask<'_>) -> Outcome {
        if !matches!(ask.text("TYPE"), "1" | "2") {
            return Err(Nok::new("WTY0101", "TYPE", ask.text("TYPE")));
        }
        if !matches!(ask.whole("TYTR")?, 1..=3) {
            return Err(Nok::new("WTY0101", "TYTR", ask.text("TYTR")));
        }
        let ponr = ask.whole("PONR")?;
        let batch = self.open_batch(ask)?;
        if ask.text("TYPE") == "2" && batch.lines.iter().all(|line| line.ponr != ponr) {
            return Err(Nok::new("WPO0303", "PONR", ask.text("PONR")));
        }
        batch.texts.push(ask.record.clone());
        Ok(Vec::new())
    }

    /// The charge that a call adds.
    pub(crate) fn charge(&self, ask: &Ask<'_>, currency: &str) -> Result<Charge, Nok> {
        let crid = ask.text("CRID");
        if !Self::in_table(&self.setup.codes.charges, crid) {
            return Err(Nok::new("WCRI103", "CRID", crid));
        }
        let amount = rounded(ask.number("CRAM")?.unwrap_or_default(), self.decimals(currency));
        Ok(Charge { crid: crid.to_owned(), amount })
    }

    fn add_head_charge(&mut self, ask: &Ask<'_>) -> Outcome {
        let currency = self.batch_of(ask)?.text("CUCD").to_owned();
        let charge = self.charge(ask, &currency)?;
        let batch = self.open_batch(ask)?;
        if batch.charges.iter().any(|known| known.crid == charge.crid) {
            return Err(Nok::new("XRE0104", "CRID", &charge.crid));
        }
        batch.charges.push(charge);
        Ok(Vec::new())
    }

    fn add_line_charge(&mut self, ask: &Ask<'_>) -> Outcome {
        let currency = self.batch_of(ask)?.text("CUCD").to_owned();
        let (charge, ponr) = (self.charge(ask, &currency)?, ask.whole("PONR")?);
        let batch = self.open_batch(ask)?;
        if batch.lines.iter().all(|line| line.ponr != ponr) {
            return Err(Nok::new("WPO0303", "PONR", ask.text("PONR")));
        }
        batch.line_charges.push((ponr, charge));
        Ok(Vec::new())
    }

    fn delete_line(&mut self, ask: &Ask<'_>) -> Outcome {
        let ponr = ask.whole("PONR")?;
        let batch = self.open_batch(ask)?;
        let before = batch.lines.len();
        batch.lines.retain(|line| line.ponr != ponr);
        if batch.lines.len() == before {
            return Err(Nok::new("WPO0303", "PONR", ask.text("PONR")));
        }
        batch.line_charges.retain(|(of, _)| *of != ponr);
        Ok(Vec::new())
    }

    fn delete_head(&mut self, ask: &Ask<'_>) -> Outcome {
        let orno = ask.text("ORNO");
        if self.batch_of(ask)?.stat >= 90 {
            self.violations.push(format!("DelBatchHead of {orno}, which is an order already"));
        }
        self.open_batch(ask)?;
        self.batch.remove(orno);
        Ok(Vec::new())
    }
}
