//! `causeway m3 call`: runs one transaction.
//!
//! Guarantees: what is no read is not sent without `--write`, and then it is said what would
//! be sent; nothing is sent that M3 is known to refuse; values that are secrets are not shown.

use super::{Desk, Name, describe::origin, failed};
use crate::{
    cli::{
        Fault, say,
        table::{aligned, csv},
    },
    connector::{
        Kind,
        m3::mi::{MiCall, MiRecord},
    },
};
use clap::Args;
use serde_json::{Map, Value};
use std::str::FromStr;

/// How the names of transactions begin that only read.
const READS: [&str; 10] =
    ["Get", "Lst", "List", "Sel", "Select", "Search", "Chk", "Check", "Find", "Read"];

/// Fields whose values nobody should read over a shoulder: passwords and cards.
const SECRETS: [&str; 4] = ["PWMT", "PWM1", "PWM2", "CANU"];

/// Run one transaction and print what comes back.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Call {
    /// The transaction.
    #[arg(value_name = "PGM/TRX")]
    pub name: Name,
    /// What goes in.
    #[arg(value_name = "FIELD=value")]
    pub fields: Vec<Given>,
    /// Print these fields only.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Records at most; 0 is all.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max: u32,
    /// As JSON, one object a line.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// As CSV.
    #[arg(long)]
    pub csv: bool,
    /// Allow a transaction that changes something.
    #[arg(long)]
    pub write: bool,
    /// Send it even though the catalogue says that M3 will refuse it.
    #[arg(long)]
    pub unchecked: bool,
}

/// A field with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// In capitals.
    pub field: String,
    /// As it was written.
    pub value: String,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (field, value) = text.split_once('=').ok_or("write FIELD=value")?;
        let plain = field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if field.is_empty() || field.len() > 30 || !plain {
            return Err(format!("{field:?} is not the name of a field"));
        }
        Ok(Self { field: field.to_ascii_uppercase(), value: value.to_owned() })
    }
}

/// Runs it.
pub fn run(desk: &mut Desk, asked: &Call) -> Result<(), Fault> {
    let (call, kind) = understood(asked)?;
    if kind == Kind::Write && !asked.write {
        let (company, division) = desk.m3.place();
        return Err(Fault::Misasked(format!(
            "{}/{} may change something in M3 and was not sent. It would be sent to company \
             {company}, division {division:?}, with {}\n-> if that is meant, add --write",
            call.program,
            call.transaction,
            shown(&call)
        )));
    }
    if !asked.unchecked {
        checked(desk, &call)?;
    }
    let records = desk.runtime.block_on(Box::pin(desk.m3.call(&call, kind)));
    let records = records.map_err(|failure| failed(&failure, kind))?;
    say(&printed(asked, &records))
}

/// Makes the call of the words on the command line.
fn understood(asked: &Call) -> Result<(MiCall, Kind), Fault> {
    let Some(transaction) = &asked.name.transaction else {
        let program = &asked.name.program;
        let text = format!("name a transaction; causeway m3 describe {program} lists them");
        return Err(Fault::Misasked(text));
    };
    let columns: Vec<String> =
        asked.columns.iter().map(|name| name.trim().to_ascii_uppercase()).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let call = MiCall::new(&asked.name.program, transaction).columns(&columns);
    let mut call = call.records_max(asked.max);
    for Given { field, value } in &asked.fields {
        if !call.value(field).is_empty() {
            return Err(Fault::Misasked(format!("{field} is given twice")));
        }
        call = call.with(field, value);
    }
    let kind = if is_read(transaction) { Kind::Read } else { Kind::Write };
    Ok((call, kind))
}

/// Whether a transaction only reads, as far as its name says.
fn is_read(transaction: &str) -> bool {
    READS.iter().any(|start| {
        let rest = transaction.strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

fn checked(desk: &mut Desk, call: &MiCall) -> Result<(), Fault> {
    desk.learn(&call.program)?;
    let problems = desk.catalogue.check(call);
    if problems.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = problems.iter().map(|problem| format!("- {problem}")).collect();
    let source = desk.catalogue.program(&call.program).map(|program| program.source);
    let from = source.map_or_else(
        || "M3's list of programs".to_owned(),
        |source| format!("a catalogue {}", origin(source)),
    );
    Err(Fault::Misasked(format!(
        "M3 would refuse it, says {from}; it was not sent:\n{}\n-> causeway m3 describe {}/{} \
         shows the fields; --refresh reads them anew, --unchecked sends it all the same",
        told.join("\n"),
        call.program,
        call.transaction
    )))
}

/// Shows the fields of a call.
fn shown(call: &MiCall) -> String {
    if call.fields.is_empty() {
        return "no fields".to_owned();
    }
    let pair = |(field, value): &(String, String)| {
        let value = if SECRETS.contains(&field.as_str()) { "(not shown)" } else { value };
        format!("{field}={value}")
    };
    call.fields.iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn printed(asked: &Call, records: &[MiRecord]) -> String {
    let names = headings(asked, records);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cell = |record: &MiRecord, name: &str| {
        let secret = SECRETS.contains(&name) && !record.text(name).is_empty();
        if secret { "(not shown)".to_owned() } else { record.text(name).to_owned() }
    };
    if asked.json {
        let line = |record: &MiRecord| {
            let pairs = names.iter().map(|name| ((*name).to_owned(), cell(record, name).into()));
            format!("{}\n", Value::Object(pairs.collect::<Map<_, _>>()))
        };
        return records.iter().map(line).collect();
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| names.iter().map(|name| cell(record, name)).collect())
        .collect();
    if asked.csv {
        return csv(&names, &rows);
    }
    let count = match records.len() {
        0 => return "done; M3 gave no record\n".to_owned(),
        1 => "1 record".to_owned(),
        many => format!("{many} records"),
    };
    let limit = usize::try_from(asked.max).is_ok_and(|max| max == records.len());
    let more = if limit { "; there may be more: --max" } else { "" };
    format!("{}{count}{more}\n", aligned(&names, &rows))
}

/// The columns asked for, or all fields in which anything stands.
fn headings(asked: &Call, records: &[MiRecord]) -> Vec<String> {
    if !asked.columns.is_empty() {
        return asked.columns.iter().map(|name| name.trim().to_ascii_uppercase()).collect();
    }
    let mut names: Vec<String> = Vec::new();
    for record in records {
        for (name, _) in record.iter().filter(|(name, _)| !record.text(name).is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_as_a_read_is_one() {
        let reads = ["GetHead", "LstByNumber", "SelMtrlTrans", "SearchHead", "ChkOrder", "Select"];
        let writes = [
            "AddBatchHead",
            "Confirm",
            "Settle",
            "GetsRidOf",
            "Checkout",
            "ChgBasicData",
            "DelHead",
            "CtrlBatch",
            "RelForPick",
            "get",
            "",
        ];
        for name in reads {
            assert!(is_read(name), "{name}");
        }
        for name in writes {
            assert!(!is_read(name), "{name}");
        }
    }

    #[test]
    fn a_field_is_read_with_its_value() {
        let given = |field: &str, value: &str| {
            Ok(Given { field: field.to_owned(), value: value.to_owned() })
        };
        assert_eq!("cuno=Y=1".parse(), given("CUNO", "Y=1"));
        assert_eq!("TX40=".parse(), given("TX40", ""));
        for text in ["CUNO", "=1", "A&B=1", ""] {
            assert!(text.parse::<Given>().is_err(), "{text}");
        }
    }

    #[test]
    fn passwords_and_cards_are_not_shown() {
        let call = MiCall::new("CRS610MI", "Add").with("CUNO", "1").with("PWMT", "sesame");
        assert_eq!(shown(&call), "CUNO=1 PWMT=(not shown)");
    }
}
