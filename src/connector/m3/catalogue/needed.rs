//! What the gateway itself asks of M3: each transaction with the fields it sends and reads. Pure.
//!
//! Guarantees: a story of the whole gateway that sends a field which is not listed here fails
//! (`tests/gateway/catalogue.rs`). Fields that are read only where they are there are not listed.

use super::{Catalogue, Source};
use crate::flow::rules::OrderEntry;

/// `PGM/TRX INPUT… > OUTPUT…`; the two names that can be set stand in braces.
const TABLE: &str = include_str!("needed.txt");

/// One transaction that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its program.
    pub program: &'static str,
    /// Its name.
    pub transaction: String,
    /// Fields that are sent.
    pub input: Vec<&'static str>,
    /// Fields that are read.
    pub output: Vec<&'static str>,
}

/// Returns all that is needed, under the names that are set.
pub fn needed(names: &OrderEntry) -> Vec<Needed> {
    let line = |line: &'static str| {
        let (input, output) = line.split_once('>')?;
        let mut input = input.split_whitespace();
        let (program, name) = input.next()?.split_once('/')?;
        let transaction = match name {
            "{head}" => names.head.clone(),
            "{line}" => names.line.clone(),
            name => name.to_owned(),
        };
        let output = output.split_whitespace().collect();
        Some(Needed { program, transaction, input: input.collect(), output })
    };
    TABLE.lines().filter_map(line).collect()
}

/// Names the programs of it.
pub fn programs() -> Vec<String> {
    let mut names: Vec<String> =
        needed(&OrderEntry::default()).iter().map(|needed| needed.program.to_owned()).collect();
    names.dedup();
    names
}

/// Says what M3 does not have of it, and what is mandatory there that is not sent; empty if
/// nothing that the catalogue knows of.
pub fn missing(catalogue: &Catalogue, names: &OrderEntry) -> Vec<String> {
    needed(names).iter().flat_map(|needed| lacking(catalogue, needed)).collect()
}

/// Says which of these fields M3 certainly does not give; empty while its fields were not read.
pub fn not_given(
    catalogue: &Catalogue,
    (name, transaction): (&str, &str),
    fields: &[&str],
) -> Vec<String> {
    let found = catalogue.program(name).and_then(|program| program.transactions.get(transaction));
    let gone = fields.iter().filter(|field| found.is_some_and(|found| found.output.lacks(field)));
    gone.map(|field| format!("{name}/{transaction} out {field}")).collect()
}

fn lacking(catalogue: &Catalogue, needed: &Needed) -> Vec<String> {
    let Needed { program: name, transaction, input, output } = needed;
    let Some(program) = catalogue.program(name) else { return vec![(*name).to_owned()] };
    let Some(found) = program.transactions.get(transaction) else {
        let unread = program.source == Source::Listed;
        return if unread { Vec::new() } else { vec![format!("{name}/{transaction}")] };
    };
    let lacks = |layout: &super::Layout, fields: &[&str], way: &str| -> Vec<String> {
        let gone = fields.iter().filter(|field| layout.lacks(field));
        gone.map(|field| format!("{name}/{transaction} {way} {field}")).collect()
    };
    let mut missing = lacks(&found.input, input, "in");
    missing.extend(lacks(&found.output, output, "out"));
    let unsent = found.input.fields.iter().filter(|field| {
        field.duty == super::Duty::Mandatory && !input.contains(&field.name.as_str())
    });
    missing.extend(unsent.map(|field| format!("{name}/{transaction} wants {}", field.name)));
    missing
}
