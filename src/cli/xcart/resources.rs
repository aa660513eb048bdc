//! Lists and shows what the shop's API offers, by the table of it.
//!
//! Guarantees: only GET is sent, a page at a time, up to a limit; a filter that the shop would
//! ignore is not sent. What the shop wrote reaches the terminal as printable text only.

use super::{Fault, refused, say};
use crate::{
    cli::{
        aside, pretty,
        table::{Form, aligned, csv},
    },
    connector::{
        Class, Failure, Fate,
        xcart::{
            resources::{Resource, Unaskable},
            rest::{PAGE_LEN, Shop},
        },
    },
};
use clap::Args;
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// Records that are printed at most.
const RECORDS_MAX: i64 = 100_000;

/// What is listed.
#[derive(Debug, Args)]
pub struct List {
    /// What: `causeway xcart describe` names it.
    pub resource: String,
    /// Numbers of the records that it belongs to, such as a product's for its variants.
    #[arg(value_name = "NUMBER")]
    pub numbers: Vec<String>,
    /// Only these, or in this order, such as `paymentStatus.code=P` or `order[date]=desc`.
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = pair)]
    pub filters: Vec<(String, String)>,
    /// Records at most.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=RECORDS_MAX))]
    pub limit: u32,
    /// Texts in this language, such as `de`, where the shop has them.
    #[arg(long, value_name = "LL", value_parser = language)]
    pub language: Option<String>,
    /// How the list is printed; as JSON each record stands there as the shop wrote it.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub form: Form,
}

/// What is shown.
#[derive(Debug, Args)]
pub struct Show {
    /// What: `causeway xcart describe` names it.
    pub resource: String,
    /// Its number, after those of the records that it belongs to.
    #[arg(value_name = "NUMBER", required = true)]
    pub numbers: Vec<String>,
    /// Texts in this language, such as `de`, where the shop has them.
    #[arg(long, value_name = "LL", value_parser = language)]
    pub language: Option<String>,
    /// As the shop wrote it.
    #[arg(long)]
    pub json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

fn language(text: &str) -> Result<String, String> {
    let is_one = text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_lowercase());
    if is_one { Ok(text.to_owned()) } else { Err("write two small letters, as in de".to_owned()) }
}

/// The shop with its texts in the language that was asked for.
fn in_language(shop: &Shop, language: Option<&str>) -> Shop {
    language.map_or_else(|| shop.clone(), |language| shop.speaking(language))
}

fn misasked(fault: &Unaskable) -> Fault {
    Fault::Misasked(fault.to_string())
}

/// Says what the API offers, or all of one thing.
pub(super) fn describe(name: Option<&str>) -> Result<(), Fault> {
    let Some(name) = name else {
        let row = |one: &Resource| {
            let path = one.list.or(one.one).unwrap_or_default();
            [one.name, path, one.changed_by, one.since, one.section].map(str::to_owned).to_vec()
        };
        let rows: Vec<_> = Resource::all().iter().map(row).collect();
        return say(&aligned(&["name", "path", "changed by", "since", "section"], &rows));
    };
    let one = Resource::named(name).map_err(|fault| misasked(&fault))?;
    let filters = if one.filters.is_empty() { "none".to_owned() } else { one.filters.join(" ") };
    let shown: Vec<&str> = one.columns.iter().map(|column| column.title).collect();
    let shown = if shown.is_empty() {
        "every plain member: the notes do not say what a record has".to_owned()
    } else {
        shown.join(" ")
    };
    let rows = [
        ("name", one.name.to_owned()),
        ("list", one.list.unwrap_or("-").to_owned()),
        ("one", one.one.unwrap_or("-").to_owned()),
        ("filters", filters),
        ("changed by", one.changed_by.to_owned()),
        ("since", one.since.to_owned()),
        ("section", format!("reference/xcart.md {}", one.section)),
        ("shown", shown),
    ];
    let rows: Vec<_> = rows.map(|(name, value)| vec![name.to_owned(), value]).to_vec();
    say(&aligned(&["", ""], &rows).trim_start_matches('\n').replacen("\n\n", "\n", 1))
}

/// Lists records.
pub(super) fn list(runtime: &Runtime, shop: &Shop, asked: &List) -> Result<(), Fault> {
    let one = Resource::named(&asked.resource).map_err(|fault| misasked(&fault))?;
    // What cannot be asked is told before anything is sent.
    one.page(&asked.numbers, &asked.filters, (1, 1)).map_err(|fault| misasked(&fault))?;
    let shop = in_language(shop, asked.language.as_deref());
    let read = runtime.block_on(Box::pin(pages(&shop, &one, asked)));
    let (records, is_whole) = read.map_err(|failure| unread(&failure, &one))?;
    if asked.form == Form::Json {
        let lines = records.iter().map(|record| format!("{}\n", one_line(record)));
        say(&lines.collect::<Vec<_>>().concat())?;
    } else {
        say(&written(&one, &records, asked.form))?;
    }
    if !is_whole {
        aside(&format!("there may be more than {}: --limit", records.len()));
    }
    Ok(())
}

/// Shows one record.
pub(super) fn show(runtime: &Runtime, shop: &Shop, asked: &Show) -> Result<(), Fault> {
    let one = Resource::named(&asked.resource).map_err(|fault| misasked(&fault))?;
    let path = one.single(&asked.numbers).map_err(|fault| misasked(&fault))?;
    let shop = in_language(shop, asked.language.as_deref());
    let found = runtime.block_on(Box::pin(shop.look(&path)));
    let found = found.map_err(|failure| unread(&failure, &one))?;
    if asked.json {
        return say(&pretty::json(&found));
    }
    let record = vec![value(&found)];
    let titles = one.titles(&record);
    let (cells, odd) = record.first().map(|one_of| one.cells(&titles, one_of)).unwrap_or_default();
    let rows: Vec<_> =
        titles.into_iter().zip(cells).map(|(title, cell)| vec![title, cell]).collect();
    say(&aligned(&["field", "value"], &rows))?;
    warn(odd);
    Ok(())
}

/// Reads pages until one is short or there are enough; says whether that was the end.
async fn pages(
    shop: &Shop,
    one: &Resource,
    asked: &List,
) -> Result<(Vec<Box<RawValue>>, bool), Failure> {
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let mut records: Vec<Box<RawValue>> = Vec::new();
    for page in 1_u32.. {
        let path = one.page(&asked.numbers, &asked.filters, (page, PAGE_LEN));
        let path = path.map_err(|fault| odd(&fault.to_string()))?;
        let found = listed(&shop.look(&path).await?, one.member())?;
        let is_last = found.len() < PAGE_LEN || one.member().is_some();
        records.extend(found);
        if records.len() >= limit {
            let is_whole = is_last && records.len() == limit;
            records.truncate(limit);
            return Ok((records, is_whole));
        }
        if is_last {
            break;
        }
    }
    Ok((records, true))
}

/// Reads a list, or the one that stands in a member of a record.
fn listed(found: &RawValue, member: Option<&str>) -> Result<Vec<Box<RawValue>>, Failure> {
    let no_list = || odd("the answer is no list");
    let Some(member) = member else {
        return serde_json::from_str(found.get()).map_err(|_| no_list());
    };
    let record: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(found.get()).map_err(|_| no_list())?;
    let list = record.get(member).ok_or_else(no_list)?;
    serde_json::from_str(list.get()).map_err(|_| no_list())
}

fn odd(text: &str) -> Failure {
    Failure::new(Fate::Refused, Class::Data, text)
}

fn value(record: &RawValue) -> Value {
    serde_json::from_str(record.get()).unwrap_or(Value::Null)
}

/// A record on one line, whatever blanks the shop put between its values.
fn one_line(record: &RawValue) -> String {
    record.get().replace(['\n', '\r'], " ")
}

fn written(one: &Resource, records: &[Box<RawValue>], form: Form) -> String {
    let records: Vec<Value> = records.iter().map(|record| value(record)).collect();
    let titles = one.titles(&records);
    let mut odd = 0_usize;
    let mut rows = Vec::new();
    for record in &records {
        let (cells, unlike) = one.cells(&titles, record);
        odd = odd.saturating_add(unlike);
        rows.push(cells);
    }
    warn(odd);
    let headings: Vec<&str> = titles.iter().map(String::as_str).collect();
    match form {
        Form::Csv => csv(&headings, &rows),
        Form::Text | Form::Json => aligned(&headings, &rows),
    }
}

/// Says that values are not what the notes say.
fn warn(odd: usize) {
    if odd > 0 {
        aside(&format!("{odd} values are not of the kind that the notes say; each begins with ?"));
    }
}

/// Says why nothing was read, with what the shop needs for it.
fn unread(failure: &Failure, one: &Resource) -> Fault {
    if failure.class == Class::Config && failure.code == "HTTP 404" {
        let (name, since) = (one.name, one.since);
        return Fault::Refused(format!("{failure}\n-> this shop has no {name}: it needs {since}"));
    }
    refused(failure)
}
