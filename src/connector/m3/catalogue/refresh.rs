//! Reads the catalogue from the customer's own M3 (reference/m3.md 4.7: `MRS001MI`).
//!
//! Guarantees: only reads are sent, many in one call; a program that could not be read whole is
//! no part of the result, the reading fails; what passes by (429, a lost connection) is tried again.

use super::{
    Catalogue, Duty, Extent, Field, FieldKind, Layout, Program, Reading, Source, Transaction,
};
use crate::{
    clock::{self, UnixMs},
    connector::{
        Class, Failure, Fate, Kind, again_after,
        m3::{
            M3,
            mi::{MiCall, MiRecord},
        },
    },
};
use std::{collections::BTreeMap, time::Duration};

const PROGRAM: &str = "MRS001MI";
/// Tries of one request that fails for a reason that passes.
const TRIES_MAX: u32 = 4;
/// First pause between two tries; it doubles.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause between two tries that M3 may ask for.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// Calls between two words about how far it is.
const CALLS_PER_STEP: usize = 40;

/// How far a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Lists that were read.
    pub done: usize,
    /// Lists that will be read.
    pub total: usize,
}

/// Which form of the list of fields this M3 has.
const LISTS: [&str; 2] = ["LstAdtFieldInf", "LstFields"];

/// Reads the list of all programs, and the transactions of those among them that are `wanted`.
pub async fn read(
    m3: &M3,
    wanted: &[String],
    told: &mut dyn FnMut(Progress),
) -> Result<Catalogue, Failure> {
    let at_ms = clock::now().unix_ms();
    let list = MiCall::new(PROGRAM, "LstPrograms").columns(&["MINM", "MIDS"]);
    let rows = asked(m3, &[list]).await?.pop().unwrap_or_default();
    let mut programs: BTreeMap<String, Program> = rows.iter().map(listed).collect();
    programs.remove("");
    let wanted: Vec<&String> = wanted.iter().filter(|name| programs.contains_key(*name)).collect();
    let transactions = transactions(m3, &wanted).await?;
    let total = transactions.len().saturating_mul(2);
    told(Progress { done: 0, total });
    let mut done = 0;
    let mut list = 0;
    for chunk in transactions.chunks(CALLS_PER_STEP / 2) {
        let read = fields(m3, chunk, &mut list).await?;
        for (named, (input, output)) in chunk.iter().zip(read) {
            let Some(program) = programs.get_mut(&named.program) else { continue };
            let description = named.description.clone();
            let transaction = Transaction { description, input, output };
            program.transactions.insert(named.name.clone(), transaction);
        }
        done += chunk.len() * 2;
        told(Progress { done, total });
    }
    for name in wanted {
        if let Some(program) = programs.get_mut(name) {
            program.source = Source::Read(at_ms);
        }
    }
    let (company, division) = m3.place();
    let reading = Reading { at_ms, company, division: division.to_owned() };
    Ok(Catalogue { reading: Some(reading), programs })
}

fn listed(row: &MiRecord) -> (String, Program) {
    let description = row.text("MIDS").trim().to_owned();
    let program = Program { description, source: Source::Listed, transactions: BTreeMap::new() };
    (row.text("MINM").trim().to_owned(), program)
}

/// A transaction whose fields are not read yet.
struct Named {
    program: String,
    name: String,
    description: String,
}

async fn transactions(m3: &M3, programs: &[&String]) -> Result<Vec<Named>, Failure> {
    let list = |name: &&String| {
        let call = MiCall::new(PROGRAM, "LstTransactions").with("MINM", *name);
        call.columns(&["TRNM", "TRDS"])
    };
    let lists = asked(m3, &programs.iter().map(list).collect::<Vec<_>>()).await?;
    let mut found = Vec::new();
    for (program, rows) in programs.iter().zip(lists) {
        found.extend(rows.iter().map(|row| Named {
            program: (*program).clone(),
            name: row.text("TRNM").trim().to_owned(),
            description: row.text("TRDS").trim().to_owned(),
        }));
    }
    found.retain(|named| !named.name.is_empty());
    Ok(found)
}

/// Reads what goes in and what comes out; `list` moves on when this M3 lacks a form of the list.
async fn fields(
    m3: &M3,
    transactions: &[Named],
    list: &mut usize,
) -> Result<Vec<(Layout, Layout)>, Failure> {
    loop {
        let name = LISTS.get(*list).copied().unwrap_or("LstFields");
        let ask = |named: &Named, way: &str| {
            let call = MiCall::new(PROGRAM, name).with("MINM", &named.program);
            call.with("TRNM", &named.name).with("TRTP", way)
        };
        let calls: Vec<MiCall> =
            transactions.iter().flat_map(|named| [ask(named, "I"), ask(named, "O")]).collect();
        match asked(m3, &calls).await {
            Err(failure) if failure.class == Class::Config && *list + 1 < LISTS.len() => *list += 1,
            Err(failure) => return Err(failure),
            Ok(lists) => {
                let mut layouts = lists.iter().map(|rows| layout(rows));
                let mut pairs = Vec::new();
                while let (Some(input), Some(output)) = (layouts.next(), layouts.next()) {
                    pairs.push((input, output));
                }
                return Ok(pairs);
            }
        }
    }
}

fn layout(rows: &[MiRecord]) -> Layout {
    let fields = rows.iter().filter(|row| !row.text("FLNM").trim().is_empty());
    Layout { fields: fields.map(field).collect(), extent: Extent::Whole }
}

fn field(row: &MiRecord) -> Field {
    let number = |name| row.text(name).trim().parse::<u16>().ok().filter(|number| *number > 0);
    let kind = FieldKind::of_letter(row.text("TYPE").trim());
    let mandatory = matches!(row.text("MAND").trim(), "1" | "Y" | "true");
    Field {
        name: row.text("FLNM").trim().to_owned(),
        description: row.text("FLDS").trim().to_owned(),
        kind,
        length: number("LENG").or_else(|| number("LNTH")),
        decimals: number("FLDP").and_then(|digits| u8::try_from(digits).ok()),
        duty: if mandatory { Duty::Mandatory } else { Duty::Optional },
    }
}

/// Asks, and gives one list for each call; M3's word that there is no record is an empty one.
async fn asked(m3: &M3, calls: &[MiCall]) -> Result<Vec<Vec<MiRecord>>, Failure> {
    again_after(
        || async { m3.bulk(calls, Kind::Read).await.and_then(lists) },
        |tried, failure| {
            let pause = PAUSE_FIRST.saturating_mul(1 << tried);
            let again = passes(failure.class) && tried < TRIES_MAX;
            again.then_some(pause.max(failure.retry_after()).min(PAUSE_MAX))
        },
    )
    .await
}

fn lists(answers: Vec<Result<Vec<MiRecord>, Failure>>) -> Result<Vec<Vec<MiRecord>>, Failure> {
    let list = |answer| match answer {
        Err(Failure { fate: Fate::Refused, class: Class::NotFound, .. }) => Ok(Vec::new()),
        answer => answer,
    };
    answers.into_iter().map(list).collect()
}

const fn passes(class: Class) -> bool {
    match class {
        Class::Unreachable | Class::TimedOut | Class::RateLimited => true,
        Class::Unavailable | Class::Held | Class::Broken | Class::Locked => true,
        Class::Unauthorized | Class::Forbidden | Class::NotFound | Class::Exists => false,
        Class::Data | Class::Config | Class::State | Class::Unclassified => false,
    }
}

/// Says how long ago something was read, for a person.
pub fn age(at_ms: UnixMs, now_ms: UnixMs) -> String {
    let hours = now_ms.saturating_sub(at_ms) / 3_600_000;
    match hours {
        0 => "less than an hour ago".to_owned(),
        1..=47 => format!("{hours} hours ago"),
        _ => format!("{} days ago", hours / 24),
    }
}
