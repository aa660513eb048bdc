//! The catalogue and the user as MI shows them (reference/m3.md 4.7). Pure.

use super::{
    call::{Ask, Nok, Outcome, Record, row},
    catalogue::{Field, caption},
    options::{DateFormat, Language},
    world::World,
};

impl World {
    /// MRS001MI and MNS150MI.
    pub(crate) fn metadata_programs(&mut self, ask: &Ask<'_>) -> Option<Outcome> {
        Some(match (ask.program, ask.transaction) {
            ("MRS001MI", "LstPrograms") => Ok(self.list_programs()),
            ("MRS001MI", "LstTransactions") => self.list_transactions(ask),
            ("MRS001MI", "LstFields" | "LstAdtFieldInf") => self.list_fields(ask),
            ("MNS150MI", "GetUserData") => self.user_data(ask),
            ("MNS150MI", "LstCmpDivi") => self.companies(ask),
            _ => return None,
        })
    }

    fn list_programs(&self) -> Vec<Record> {
        let program = |name: &str| {
            row([
                ("MINM", name.to_owned()),
                ("OBNM", name.trim_end_matches("MI").to_owned()),
                ("MIDS", format!("{name} interface")),
                ("VERS", "1".to_owned()),
                ("RGDT", "20240101".to_owned()),
                ("LMDT", "20240101".to_owned()),
            ])
        };
        self.setup.catalogue.programs().map(program).collect()
    }

    fn list_transactions(&self, ask: &Ask<'_>) -> Outcome {
        let program = ask.text("MINM");
        if !self.setup.catalogue.has(program) {
            return Err(Nok::new("XRE0103", "MINM", program));
        }
        let transaction = |name: &str| {
            let many = ["Lst", "Search", "Sel"].iter().any(|start| name.starts_with(start));
            row([
                ("MINM", program.to_owned()),
                ("TRNM", name.to_owned()),
                ("TRDS", name.to_owned()),
                ("STAT", "20".to_owned()),
                ("SIMU", if many { "M" } else { "S" }.to_owned()),
            ])
        };
        Ok(self.setup.catalogue.transactions(program).map(|(name, _)| transaction(name)).collect())
    }

    fn list_fields(&self, ask: &Ask<'_>) -> Outcome {
        let (program, name) = (ask.text("MINM"), ask.text("TRNM"));
        let transaction = self.setup.catalogue.find(program, name);
        let transaction = transaction.ok_or_else(|| Nok::new("XRE0103", "TRNM", name))?;
        let fields = match ask.text("TRTP") {
            "I" => &transaction.input,
            "O" => &transaction.output,
            other => return Err(Nok::new("WTY0101", "TRTP", other)),
        };
        let mut from = 16;
        let mut list = Vec::new();
        for field in fields {
            let length = field.length.unwrap_or(10);
            let mut found = field_row(field, from, length);
            found.extend(row([
                ("MINM", program.to_owned()),
                ("TRNM", name.to_owned()),
                ("TRTP", ask.text("TRTP").to_owned()),
            ]));
            list.push(found);
            from += length;
        }
        Ok(list)
    }

    fn user_data(&self, ask: &Ask<'_>) -> Outcome {
        let user = ask.text("USID");
        if !user.is_empty() && user != self.setup.user {
            return Err(Nok::new("WUS0503", "USID", user));
        }
        let language = match ask.switches.language {
            Language::En => "GB",
            Language::De => "DE",
            Language::Sv => "SE",
        };
        let format = match ask.switches.date_format {
            DateFormat::Ymd8 | DateFormat::Ymd6 => "YMD",
            DateFormat::Dmy8 | DateFormat::Dmy6 => "DMY",
            DateFormat::Mdy8 | DateFormat::Mdy6 => "MDY",
        };
        let first = |table: &[String]| table.first().cloned().unwrap_or_default();
        Ok(vec![row([
            ("CONO", ask.switches.default_company.to_string()),
            ("DIVI", "AAA".to_owned()),
            ("LANC", language.to_owned()),
            ("DTFM", format.to_owned()),
            ("DCFM", if ask.switches.decimal_comma { "," } else { "." }.to_owned()),
            ("TIZO", "CET".to_owned()),
            ("FACI", first(&self.setup.codes.facilities)),
            ("WHLO", first(&self.setup.codes.warehouses)),
            ("USID", self.setup.user.clone()),
            ("NAME", "Web shop interface".to_owned()),
        ])])
    }

    fn companies(&self, ask: &Ask<'_>) -> Outcome {
        if ask.text("USID") != self.setup.user {
            return Err(Nok::new("WUS0503", "USID", ask.text("USID")));
        }
        let company = |cono: &str| {
            row([
                ("CONO", cono.to_owned()),
                ("DIVI", "AAA".to_owned()),
                ("TX40", format!("Company {cono}")),
                ("CONM", "Main division".to_owned()),
            ])
        };
        Ok(vec![company("100"), company("200")])
    }
}

fn field_row(field: &Field, from: usize, length: usize) -> Record {
    row([
        ("FLNM", field.name.to_owned()),
        ("FLDS", caption(field.name).to_owned()),
        ("FRPO", from.to_string()),
        ("TOPO", (from + length - 1).to_string()),
        ("LENG", length.to_string()),
        ("LNTH", length.to_string()),
        ("FLDP", "0".to_owned()),
        ("TYPE", field.kind.letter().to_owned()),
        ("MAND", if field.mandatory { "1" } else { "0" }.to_owned()),
    ])
}
