//! The transactions that this M3 has, and their fields (reference/m3.md sections 3 and 4).
//!
//! Guarantees: what is listed here is answered by the programs behind it. Pure.

use super::options::OrderEntryNames;
use std::collections::BTreeMap;

/// `PGM/TRX REQ: FIELD typeLength,… OPT: … OUT: …`; `+` where fields were left out.
const TABLE: &str = include_str!("catalogue.txt");
const CAPTIONS: &str = include_str!("captions.txt");

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Alpha,
    Numeric,
    Date,
}

impl Kind {
    /// As metadata spells it.
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Alpha => "A",
            Self::Numeric => "N",
            Self::Date => "D",
        }
    }
}

/// One field of an input or output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// None where the reference does not know.
    pub(crate) length: Option<usize>,
    pub(crate) mandatory: bool,
}

/// One transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) input: Vec<Field>,
    /// Whether it takes fields that are not listed.
    pub(crate) input_more: bool,
    pub(crate) output: Vec<Field>,
    /// Whether it gives fields that are not listed.
    pub(crate) output_more: bool,
}

impl Transaction {
    pub(crate) fn input(&self, name: &str) -> Option<&Field> {
        self.input.iter().find(|field| field.name == name)
    }
}

/// All programs.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    programs: BTreeMap<&'static str, BTreeMap<&'static str, Transaction>>,
}

impl Catalogue {
    /// Reads the table.
    pub(crate) fn new(names: OrderEntryNames) -> Self {
        let mut programs: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for line in TABLE.lines() {
            let Some((name, fields)) = line.split_once(' ') else { continue };
            let Some((program, transaction)) = name.split_once('/') else { continue };
            programs.entry(program).or_default().insert(transaction, transaction_of(fields));
        }
        if names == OrderEntryNames::AddHead
            && let Some(orders) = programs.get_mut("OIS100MI")
        {
            for (alias, name) in [("AddHead", "AddBatchHead"), ("AddLine", "AddBatchLine")] {
                let same = orders.get(name).cloned().unwrap_or_default();
                orders.insert(alias, same);
            }
        }
        Self { programs }
    }

    pub(crate) fn programs(&self) -> impl Iterator<Item = &'static str> {
        self.programs.keys().copied()
    }

    pub(crate) fn has(&self, program: &str) -> bool {
        self.programs.contains_key(program)
    }

    pub(crate) fn transactions(
        &self,
        program: &str,
    ) -> impl Iterator<Item = (&'static str, &Transaction)> {
        self.programs.get(program).into_iter().flatten().map(|(name, found)| (*name, found))
    }

    /// Program and transaction names are case sensitive.
    pub(crate) fn find(&self, program: &str, transaction: &str) -> Option<&Transaction> {
        self.programs.get(program)?.get(transaction)
    }
}

/// What a field is called in English.
pub(crate) fn caption(field: &str) -> &'static str {
    CAPTIONS
        .lines()
        .filter_map(|line| line.split_once('='))
        .find_map(|(name, caption)| (name == field).then_some(caption))
        .unwrap_or_default()
}

fn transaction_of(text: &'static str) -> Transaction {
    let mut found = Transaction::default();
    let (input, output) = text.split_once("OUT: ").unwrap_or((text, "-"));
    let (required, optional) = match input.split_once("OPT: ") {
        Some((required, optional)) => (required, optional),
        None => (input, "-"),
    };
    let required = required.trim().strip_prefix("REQ:").unwrap_or_default();
    found.input = fields_of(required)
        .map(|field| Field { mandatory: true, ..field })
        .chain(fields_of(optional))
        .collect();
    found.input_more = optional.contains('+');
    found.output = fields_of(output).collect();
    found.output_more = output.contains('+');
    found
}

fn fields_of(text: &'static str) -> impl Iterator<Item = Field> {
    text.trim().trim_end_matches('+').split(',').filter_map(|field| {
        let (name, kind) = field.trim().split_once(' ')?;
        let (letter, length) = kind.trim().split_at_checked(1)?;
        let kind = match letter {
            "N" => Kind::Numeric,
            "D" => Kind::Date,
            _ => Kind::Alpha,
        };
        Some(Field { name, kind, length: length.parse().ok(), mandatory: false })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_every_field_its_kind_length_and_duty() {
        let catalogue = Catalogue::new(OrderEntryNames::Batch);
        let line = catalogue.find("OIS100MI", "AddBatchLine").unwrap();
        let table = [
            ("ORNO", Kind::Alpha, Some(10), true),
            ("ITNO", Kind::Alpha, Some(15), true),
            ("CUPO", Kind::Alpha, Some(7), false),
            ("DWDT", Kind::Date, Some(10), false),
            ("SACD", Kind::Numeric, Some(5), false),
            ("DANR", Kind::Numeric, None, false),
        ];
        for (name, kind, length, mandatory) in table {
            let field = line.input(name).unwrap();
            assert_eq!((field.kind, field.length, field.mandatory), (kind, length, mandatory));
        }
        let out: Vec<_> = line.output.iter().map(|field| field.name).collect();
        assert_eq!(out, ["PONR", "POSX", "ATNR"]);
        assert!(catalogue.find("OIS100MI", "GetLine").unwrap().output_more);
        assert!(catalogue.find("OIS100MI", "AddHead").is_none());
        assert!(Catalogue::new(OrderEntryNames::AddHead).find("OIS100MI", "AddHead").is_some());
        assert_eq!(caption("CUOR"), "Customers order number");
    }
}
