//! `causeway m3 describe`: programs, transactions and fields, and where they are known from.

use super::{Desk, Name};
use crate::{
    cli::{Fault, say, table::aligned},
    clock,
    connector::m3::catalogue::{
        Catalogue, Duty, Extent, Field, Layout, Program, Source, Transaction, check, refresh,
    },
    dates::rfc3339,
};
use clap::Args;
use serde_json::json;

/// Say which programs, transactions and fields M3 has.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Describe {
    /// A program, or one of its transactions; absent: the programs are listed.
    #[arg(value_name = "PGM[/TRX]")]
    pub name: Option<Name>,
    /// Read it anew from M3 first, and keep it in the state folder.
    #[arg(long)]
    pub refresh: bool,
    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Prints what is known.
pub fn run(desk: &mut Desk, describe: &Describe) -> Result<(), Fault> {
    let program = describe.name.as_ref().map(|name| name.program.as_str());
    if describe.refresh {
        desk.refresh(program)?;
    } else if let Some(program) = program {
        desk.learn(program)?;
    }
    let catalogue = &desk.catalogue;
    let text = match &describe.name {
        None if describe.json => programs_json(catalogue),
        None => programs_text(catalogue),
        Some(name) => {
            let Some(program) = catalogue.program(&name.program) else {
                let near = check::near(&name.program, catalogue.programs.keys());
                return Err(unknown("program", &name.program, &near));
            };
            match &name.transaction {
                None if describe.json => transactions_json(&name.program, program),
                None => transactions_text(&name.program, program),
                Some(transaction) => {
                    let Some(found) = program.transactions.get(transaction) else {
                        let near = check::near(transaction, program.transactions.keys());
                        return Err(unknown("transaction", transaction, &near));
                    };
                    if describe.json {
                        fields_json(&name.program, transaction, found)
                    } else {
                        let title = format!("{}/{transaction}", name.program);
                        fields_text(&title, found, program.source)
                    }
                }
            }
        }
    };
    say(&text)
}

fn unknown(what: &str, name: &str, near: &[String]) -> Fault {
    let proposal = match near {
        [] => "causeway m3 describe lists what there is".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Fault::Missing(format!("there is no {what} {name}; {proposal}"))
}

/// Says where something is known from.
pub fn origin(source: Source) -> String {
    match source {
        Source::Shipped => {
            "shipped with causeway, not read from M3; lengths of inputs may differ".to_owned()
        }
        Source::Listed => "only its name was read from M3".to_owned(),
        Source::Read(at_ms) => {
            let age = refresh::age(at_ms, clock::now().unix_ms());
            format!("read from M3 at {}, {age}", rfc3339(at_ms))
        }
    }
}

fn programs_text(catalogue: &Catalogue) -> String {
    let row = |(name, program): (&String, &Program)| {
        let source = match program.source {
            Source::Shipped => "shipped",
            Source::Listed => "not read",
            Source::Read(_) => "read",
        };
        let count = match program.source {
            Source::Listed => "-".to_owned(),
            Source::Shipped | Source::Read(_) => program.transactions.len().to_string(),
        };
        vec![name.clone(), source.to_owned(), count, program.description.clone()]
    };
    let rows: Vec<_> = catalogue.programs.iter().map(row).collect();
    let table = aligned(&["program", "known", "transactions", "description"], &rows);
    let from = match &catalogue.reading {
        None => "These are the programs shipped with causeway; --refresh reads M3's own list."
            .to_owned(),
        Some(reading) => format!(
            "The list was read from M3 (company {}, division {:?}) at {}.",
            reading.company,
            reading.division,
            rfc3339(reading.at_ms)
        ),
    };
    format!("{table}{from}\n")
}

fn programs_json(catalogue: &Catalogue) -> String {
    let line = |(name, program): (&String, &Program)| {
        let Program { description, source, transactions } = program;
        let count = transactions.len();
        let value = json!({
            "program": name, "description": description, "known": source, "transactions": count,
        });
        format!("{value}\n")
    };
    catalogue.programs.iter().map(line).collect()
}

fn transactions_text(name: &str, program: &Program) -> String {
    let row = |(name, found): (&String, &Transaction)| {
        let mandatory = found.input.fields.iter().filter(|field| field.duty == Duty::Mandatory);
        let mandatory: Vec<&str> = mandatory.map(|field| field.name.as_str()).collect();
        let (input, output) = (count(&found.input), count(&found.output));
        vec![name.clone(), input, output, mandatory.join(" "), found.description.clone()]
    };
    let rows: Vec<_> = program.transactions.iter().map(row).collect();
    let headings = ["transaction", "in", "out", "mandatory", "description"];
    let title = if program.description.is_empty() {
        name.to_owned()
    } else {
        format!("{name}: {}", program.description)
    };
    format!("{title}\n{}{}.\n", aligned(&headings, &rows), capital(&origin(program.source)))
}

fn count(layout: &Layout) -> String {
    let count = layout.fields.len();
    match layout.extent {
        Extent::Whole => count.to_string(),
        Extent::Part => format!("{count}+"),
    }
}

fn transactions_json(name: &str, program: &Program) -> String {
    let line = |(transaction, found): (&String, &Transaction)| {
        let mandatory = found.input.fields.iter().filter(|field| field.duty == Duty::Mandatory);
        let mandatory: Vec<&str> = mandatory.map(|field| field.name.as_str()).collect();
        let value = json!({
            "program": name,
            "transaction": transaction,
            "description": found.description,
            "known": program.source,
            "mandatory": mandatory,
            "in": found.input.fields.len(),
            "out": found.output.fields.len(),
        });
        format!("{value}\n")
    };
    program.transactions.iter().map(line).collect()
}

fn fields_text(title: &str, found: &Transaction, source: Source) -> String {
    let mut rows = Vec::new();
    for (way, layout) in [("in", &found.input), ("out", &found.output)] {
        rows.extend(layout.fields.iter().map(|field| row(way, field)));
        if layout.extent == Extent::Part {
            let more = "there are more, which only M3's own catalogue names";
            rows.push([way, "…", "", "", "", more].map(str::to_owned).to_vec());
        }
    }
    let title = if found.description.is_empty() {
        title.to_owned()
    } else {
        format!("{title}: {}", found.description)
    };
    let headings = ["", "field", "type", "length", "mandatory", "description"];
    format!("{title}\n{}{}.\n", aligned(&headings, &rows), capital(&origin(source)))
}

fn row(way: &str, field: &Field) -> Vec<String> {
    let length = match (field.length, field.decimals) {
        (None, _) => "?".to_owned(),
        (Some(length), None) => length.to_string(),
        (Some(length), Some(decimals)) => format!("{length}.{decimals}"),
    };
    let mandatory = match field.duty {
        Duty::Mandatory => "yes",
        Duty::Optional => "",
    };
    vec![
        way.to_owned(),
        field.name.clone(),
        field.kind.letter().to_owned(),
        length,
        mandatory.to_owned(),
        field.description.clone(),
    ]
}

fn fields_json(program: &str, name: &str, found: &Transaction) -> String {
    let line = |way: &str, field: &Field| {
        let value = json!({
            "program": program,
            "transaction": name,
            "way": way,
            "field": field.name,
            "type": field.kind,
            "length": field.length,
            "decimals": field.decimals,
            "mandatory": field.duty == Duty::Mandatory,
            "description": field.description,
        });
        format!("{value}\n")
    };
    let input = found.input.fields.iter().map(|field| line("in", field));
    input.chain(found.output.fields.iter().map(|field| line("out", field))).collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
