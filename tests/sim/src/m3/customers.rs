//! Customers, their addresses and e-mail addresses (reference/m3.md 4.1).
//!
//! Guarantees: a customer is made only from a template; a given number is never made twice. It
//! does not look for the same e-mail twice. Pure.

use super::{
    areas,
    books::Customer,
    call::{Ask, Nok, Outcome, Record, date, row},
    message,
    world::{World, found_by, next},
};
use std::collections::BTreeMap;

/// Whether this can be a country code.
pub(crate) fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

impl World {
    pub(crate) fn add_template(&mut self, cuno: &str, wall_ms: u64) {
        self.add_customer(cuno, "Template web customer", "", wall_ms);
        if let Some(template) = self.customers.get_mut(cuno) {
            template.fields.insert("CUTP".to_owned(), "9".to_owned());
        }
    }

    pub(crate) fn add_customer(&mut self, cuno: &str, name: &str, mail: &str, wall_ms: u64) {
        let codes = &self.setup.codes;
        let first = |table: &[String]| table.first().cloned().unwrap_or_default();
        let fields = row([
            ("CUNM", name.to_owned()),
            ("CUA1", "1 High Street".to_owned()),
            ("MAIL", mail.to_owned()),
            ("CSCD", "DE".to_owned()),
            ("LNCD", "GB".to_owned()),
            ("CUTP", "0".to_owned()),
            ("CUCL", "WEB".to_owned()),
            ("CUCD", "EUR".to_owned()),
            ("TEPY", first(&codes.payment_terms)),
            ("PYCD", first(&codes.payment_methods)),
            ("MODL", first(&codes.delivery_methods)),
            ("TEDL", first(&codes.delivery_terms)),
            ("WHLO", first(&codes.warehouses)),
            ("FACI", first(&codes.facilities)),
            ("ORTP", first(&codes.order_types)),
            ("PYNO", cuno.to_owned()),
            ("TXAP", "0".to_owned()),
            ("BLCD", "0".to_owned()),
            ("RGDT", date(wall_ms)),
        ]);
        let customer = Customer {
            cuno: cuno.to_owned(),
            stat: "20".to_owned(),
            fields,
            addresses: BTreeMap::new(),
            changed_wall_ms: wall_ms,
            indexed_ms: 0,
        };
        self.note_mail(mail, cuno);
        self.customers.insert(cuno.to_owned(), customer);
    }

    /// CRS610MI and CRS111MI.
    pub(crate) fn customer_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("CRS610MI", "Add" | "Copy") => self.make_customer(ask),
            ("CRS610MI", "ChgBasicData") => self
                .change_customer(ask)
                .map(|()| vec![row([("CUNO", ask.text("CUNO").to_owned())])]),
            ("CRS610MI", "ChgFinancial") => {
                check_vat(ask).and_then(|()| self.change_customer(ask)).map(|()| Vec::new())
            }
            ("CRS610MI", "ChgOrderInfo") => self.change_customer(ask).map(|()| Vec::new()),
            ("CRS610MI", "GetBasicData") => self.customer_of(ask).map(|customer| {
                let mut found = self.customer_row(customer);
                // The reference does not name it here.
                found.remove("VRNO");
                vec![found]
            }),
            ("CRS610MI", "GetOrderInfo") => {
                self.customer_of(ask).map(|customer| vec![self.customer_row(customer)])
            }
            ("CRS610MI", "LstByNumber") => self.list_customers(ask),
            ("CRS610MI", "LstByName") => self.list_customers_by_name(ask),
            ("CRS610MI", "SearchCustomer") => Ok(self.search_customers(ask)),
            ("CRS610MI", "AddAddress") => self.add_address(ask),
            ("CRS610MI", "ChgAddress") => self.change_address(ask),
            ("CRS610MI", "GetAddress") => self.get_address(ask),
            ("CRS610MI", "LstAddresses") => self.list_addresses(ask),
            ("CRS111MI", "Add") => self.add_email(ask),
            ("CRS111MI", "Get") => self.get_email(ask),
            _ => return None,
        })
    }

    fn customer_of(&self, ask: &Ask<'_>) -> Result<&Customer, Nok> {
        let cuno = ask.text("CUNO");
        self.customers.get(cuno).ok_or_else(|| Nok::new("XRE0103", "CUNO", cuno))
    }

    fn customer_row(&self, customer: &Customer) -> Record {
        let mut found = customer.fields.clone();
        found.extend(row([
            ("CONO", self.cono.to_string()),
            ("CUNO", customer.cuno.clone()),
            ("STAT", customer.stat.clone()),
            ("LMDT", date(customer.changed_wall_ms)),
            ("LMTS", customer.changed_wall_ms.to_string()),
        ]));
        found
    }

    fn make_customer(&mut self, ask: &Ask<'_>) -> Outcome {
        let template = self.customers.get(ask.text("CUTM"));
        let template = template.filter(|template| template.text("CUTP") == "9").cloned();
        let template = template.ok_or_else(|| Nok::new("WCU0203", "CUTM", ask.text("CUTM")))?;
        let mut cuno = ask.text("CUNO").to_owned();
        if self.customers.contains_key(&cuno) {
            return Err(Nok::new("XRE0104", "CUNO", &cuno));
        }
        if cuno.is_empty() {
            cuno = format!("C{:07}", next(&mut self.series.customer));
        }
        let mut stat = match ask.text("STAT") {
            "" => "20",
            known @ ("10" | "20" | "90") => known,
            unknown => return Err(Nok::new("WST0301", "STAT", unknown)),
        };
        areas::check(ask)?;
        let country = ask.text("CSCD");
        let wrong = !country.is_empty() && !is_country(country);
        let mut said = String::new();
        if wrong {
            stat = "10";
            said = message::text(&Nok::new("XRE0103", "CSCD", country), ask.switches.language);
        }
        let mut fields = template.fields;
        for private in ["CUTP", "MAIL", "CUA2", "CUA3", "CUA4"] {
            fields.remove(private);
        }
        fields.extend(row([
            ("CUTP", "0".to_owned()),
            ("PYNO", cuno.clone()),
            ("RGDT", date(ask.now.wall_ms)),
        ]));
        copy_fields(ask, &mut fields);
        let customer = Customer {
            cuno: cuno.clone(),
            stat: stat.to_owned(),
            fields,
            addresses: BTreeMap::new(),
            changed_wall_ms: ask.now.wall_ms,
            indexed_ms: ask.now.ms + self.setup.index_ms,
        };
        self.note_mail(ask.text("MAIL"), &cuno);
        self.customers.insert(cuno.clone(), customer);
        let said = said.chars().take(50).collect();
        Ok(vec![row([("CUNO", cuno), ("ERRM", said)])])
    }

    fn change_customer(&mut self, ask: &Ask<'_>) -> Result<(), Nok> {
        let (cuno, stat) = (ask.text("CUNO"), ask.text("STAT"));
        if !["", "10", "20", "90"].contains(&stat) {
            return Err(Nok::new("WST0301", "STAT", stat));
        }
        let currency = ask.text("CUCD");
        let known = self.setup.codes.currencies.iter().any(|(code, _)| code == currency);
        if !currency.is_empty() && !known {
            return Err(Nok::new("XRE0103", "CUCD", currency));
        }
        let country = ask.text("CSCD");
        if !country.is_empty() && !is_country(country) {
            return Err(Nok::new("XRE0103", "CSCD", country));
        }
        areas::check(ask)?;
        let index_ms = self.setup.index_ms;
        let customer = self.customers.get_mut(cuno);
        let customer = customer.ok_or_else(|| Nok::new("XRE0103", "CUNO", cuno))?;
        copy_fields(ask, &mut customer.fields);
        if !stat.is_empty() {
            stat.clone_into(&mut customer.stat);
        }
        customer.changed_wall_ms = ask.now.wall_ms;
        customer.indexed_ms = ask.now.ms + index_ms;
        self.note_mail(ask.text("MAIL"), cuno);
        Ok(())
    }

    fn list_customers(&self, ask: &Ask<'_>) -> Outcome {
        let (from, since) = (ask.text("CUNO").to_owned(), ask.whole("LMTS")?);
        let known = self.customers.iter().take(self.customers_listed_max.unwrap_or(usize::MAX));
        let found = known.filter(|(cuno, _)| **cuno >= from).map(|(_, customer)| customer);
        let found = found.filter(|customer| customer.changed_wall_ms >= since);
        Ok(found.take(ask.rows_max).map(|customer| self.customer_row(customer)).collect())
    }

    fn list_customers_by_name(&self, ask: &Ask<'_>) -> Outcome {
        let (from, since) = (ask.text("CUNM"), ask.whole("LMTS")?);
        let wanted = |c: &&Customer| c.text("CUNM") >= from && c.changed_wall_ms >= since;
        let mut found: Vec<_> = self.customers.values().filter(wanted).collect();
        found.sort_by_key(|customer| (customer.text("CUNM").to_owned(), customer.cuno.clone()));
        let found = found.into_iter().take(ask.rows_max);
        Ok(found.map(|customer| self.customer_row(customer)).collect())
    }

    /// The index lags behind the customers.
    fn search_customers(&self, ask: &Ask<'_>) -> Vec<Record> {
        let all = ["CUNO", "MAIL", "ALCU", "CUNM", "YREF", "VRNO"];
        let indexed = if ask.switches.vat_indexed { &all[..] } else { &all[..5] };
        let query = ask.text("SQRY");
        let mail = query.strip_prefix("MAIL:").filter(|word| !word.contains(['*', '"', ' ']));
        let some = mail.map(|mail| self.customers_at.get(&mail.to_lowercase()));
        let some = some.map(|cunos| cunos.into_iter().flatten());
        let all = some.is_none().then(|| self.customers.values()).into_iter().flatten();
        let some = some.into_iter().flatten().filter_map(|cuno| self.customers.get(cuno));
        some.chain(all)
            .filter(|customer| customer.indexed_ms <= ask.now.ms)
            .filter(|customer| {
                let value = |field: &str| match field {
                    "CUNO" => customer.cuno.as_str(),
                    _ => customer.text(field),
                };
                found_by(query, &value, indexed)
            })
            .take(ask.rows_max)
            .map(|customer| self.customer_row(customer))
            .collect()
    }

    fn add_address(&mut self, ask: &Ask<'_>) -> Outcome {
        let (cuno, country) = (ask.text("CUNO").to_owned(), ask.text("CSCD"));
        if !is_country(country) {
            return Err(Nok::new("XRE0103", "CSCD", country));
        }
        areas::check(ask)?;
        let key = (ask.whole("ADRT")?, ask.text("ADID").to_owned());
        self.customer_of(ask)?;
        if let Some(customer) = self.customers.get_mut(&cuno) {
            if customer.addresses.contains_key(&key) {
                return Err(Nok::new("XRE0104", "ADID", &key.1));
            }
            customer.addresses.insert(key.clone(), ask.record.clone());
            customer.changed_wall_ms = ask.now.wall_ms;
        }
        Ok(vec![row([
            ("CONO", self.cono.to_string()),
            ("CUNO", cuno),
            ("ADRT", key.0.to_string()),
            ("ADID", key.1),
        ])])
    }

    fn change_address(&mut self, ask: &Ask<'_>) -> Outcome {
        areas::check(ask)?;
        let key = (ask.whole("ADRT")?, ask.text("ADID").to_owned());
        self.customer_of(ask)?;
        let customer = self.customers.get_mut(ask.text("CUNO"));
        let known = customer.and_then(|customer| customer.addresses.get_mut(&key));
        let known = known.ok_or_else(|| Nok::new("XRE0103", "ADID", &key.1))?;
        copy_fields(ask, known);
        Ok(Vec::new())
    }

    fn get_address(&self, ask: &Ask<'_>) -> Outcome {
        let key = (ask.whole("ADRT")?, ask.text("ADID").to_owned());
        let found = self.customer_of(ask)?.addresses.get(&key);
        let found = found.ok_or_else(|| Nok::new("XRE0103", "ADID", &key.1))?;
        Ok(vec![found.clone()])
    }

    fn list_addresses(&self, ask: &Ask<'_>) -> Outcome {
        let wanted = ask.whole("ADRT")?;
        let all = self.customer_of(ask)?.addresses.iter();
        let all = all.filter(|((kind, _), _)| wanted == 0 || *kind == wanted);
        Ok(all.map(|(_, address)| address.clone()).collect())
    }

    fn add_email(&mut self, ask: &Ask<'_>) -> Outcome {
        let key = (ask.text("EMTP").to_owned(), ask.text("EMKY").to_owned());
        if self.emails.contains_key(&key) {
            return Err(Nok::new("XRE0104", "EMKY", &key.1));
        }
        self.emails.insert(key, ask.text("EMAL").to_owned());
        Ok(Vec::new())
    }

    fn get_email(&self, ask: &Ask<'_>) -> Outcome {
        let key = (ask.text("EMTP").to_owned(), ask.text("EMKY").to_owned());
        let found = self.emails.get(&key).ok_or_else(|| Nok::new("XRE0103", "EMKY", &key.1))?;
        Ok(vec![row([("EMTP", key.0.clone()), ("EMKY", key.1.clone()), ("EMAL", found.clone())])])
    }

    pub(crate) fn check_customer(&self, ask: &Ask<'_>) -> Outcome {
        let cuno = ask.text("CUNO");
        let found = self.customers.get(cuno).ok_or_else(|| Nok::new("WCU0203", "CUNO", cuno))?;
        let mut answer = row([("SLEL", "0".to_owned()), ("CCRD", "0".to_owned())]);
        if found.text("BLCD") == "1" {
            let nok = Nok::new("WCR1001", "CUNO", cuno);
            answer.extend(row([
                ("MSG1", message::text(&nok, ask.switches.language)),
                ("MSID", nok.code),
                ("SLEL", "40".to_owned()),
                ("CCRD", "1".to_owned()),
            ]));
        }
        Ok(vec![answer])
    }
}

/// Whether M3 takes a VAT number: where it looks at it, it must begin with a country.
fn check_vat(ask: &Ask<'_>) -> Result<(), Nok> {
    let number = ask.text("VRNO");
    let begins = number.chars().take(2).filter(char::is_ascii_uppercase).count() == 2;
    if ask.switches.refuse_odd_vat && !number.is_empty() && !begins {
        return Err(Nok::new("WVR0101", "VRNO", number));
    }
    Ok(())
}

/// Takes over what was sent: omitted is unchanged, `?` blanks where it does.
fn copy_fields(ask: &Ask<'_>, kept: &mut Record) {
    for (field, value) in ask.record {
        if ["CONO", "CUNO", "CUTM", "STAT"].contains(&field.as_str()) || value.is_empty() {
            continue;
        }
        let blanks = value == "?" && ask.switches.question_mark_blanks;
        let value = if blanks { String::new() } else { value.clone() };
        kept.insert(field.clone(), value);
    }
}
