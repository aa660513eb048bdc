//! The catalogue as it is shipped: what reference/m3.md 3, 4 and 14 say. Pure.
//!
//! Its lines are `PGM/TRX REQ: FIELD typeLength,… OPT: … OUT: …`; a `+` at the end of a
//! part says that M3 has more fields there, a `?` that the length is unknown.

use super::{Catalogue, Duty, Extent, Field, FieldKind, Layout, Program, Source, Transaction};
use std::collections::BTreeMap;

const TABLE: &str = include_str!("shipped.txt");
const CAPTIONS: &str = include_str!("captions.txt");

impl Catalogue {
    /// Returns what was shipped.
    pub fn shipped() -> Self {
        let captions: BTreeMap<_, _> =
            CAPTIONS.lines().filter_map(|line| line.split_once('=')).collect();
        let mut programs: BTreeMap<String, Program> = BTreeMap::new();
        for line in TABLE.lines() {
            let Some((name, layouts)) = line.split_once(' ') else { continue };
            let Some((program, name)) = name.split_once('/') else { continue };
            let program = programs.entry(program.to_owned()).or_insert_with(|| Program {
                description: String::new(),
                source: Source::Shipped,
                transactions: BTreeMap::new(),
            });
            program.transactions.insert(name.to_owned(), transaction(layouts, &captions));
        }
        Self { reading: None, programs }
    }
}

fn transaction(text: &str, captions: &BTreeMap<&str, &str>) -> Transaction {
    let mut input = Layout { fields: Vec::new(), extent: Extent::Whole };
    let mut output = input.clone();
    let mut rest = text;
    for (mark, duty) in
        [("REQ: ", Duty::Mandatory), ("OPT: ", Duty::Optional), ("OUT: ", Duty::Optional)]
    {
        let Some(after) = rest.strip_prefix(mark) else { continue };
        let end = ["OPT: ", "OUT: "].into_iter().filter_map(|next| after.find(next)).min();
        let (part, left) =
            after.split_at_checked(end.unwrap_or(after.len())).unwrap_or((after, ""));
        let layout = if mark == "OUT: " { &mut output } else { &mut input };
        if part.contains('+') {
            layout.extent = Extent::Part;
        }
        layout.fields.extend(fields(part, duty, captions));
        rest = left;
    }
    Transaction { description: String::new(), input, output }
}

fn fields<'a>(
    text: &'a str,
    duty: Duty,
    captions: &'a BTreeMap<&str, &str>,
) -> impl Iterator<Item = Field> + 'a {
    text.trim().trim_end_matches('+').split(',').filter_map(move |field| {
        let (name, kind) = field.trim().split_once(' ')?;
        let (letter, length) = kind.trim().split_at_checked(1)?;
        Some(Field {
            name: name.to_owned(),
            description: captions.get(name).copied().unwrap_or_default().to_owned(),
            kind: FieldKind::of_letter(letter),
            length: length.parse().ok(),
            decimals: None,
            duty,
        })
    })
}
