//! Reads the transactions out of a request. Pure.

use super::{
    call::Record,
    route::{self, CallOptions},
    work::{Entry, Job},
};
use crate::serve::Request;
use serde_json::Value;

/// The one transaction of a GET.
pub(crate) fn single(program: &str, transaction: &str, query: &str, options: CallOptions) -> Job {
    let entry = Entry {
        transaction: transaction.to_owned(),
        record: route::record(query),
        columns: Vec::new(),
    };
    job(program, vec![entry], options)
}

/// The transactions of a bulk request, or why it is none.
pub(crate) fn bulk(request: &Request) -> Result<Job, &'static str> {
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err("Content-Type is not application/json");
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| "Body is not JSON")?;
    let program = body.get("program").and_then(Value::as_str).ok_or("program is missing")?;
    let list = body.get("transactions").and_then(Value::as_array);
    let list = list.filter(|list| !list.is_empty()).ok_or("transactions is missing")?;
    let mut options = CallOptions::of(&route::pairs(&request.query));
    for name in ["cono", "divi", "excludeEmptyValues", "rightTrim", "maxReturnedRecords"] {
        if let Some(value) = body.get(name).and_then(plain) {
            options.set(name, &value);
        }
    }
    let entries = list.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(job(program, entries, options))
}

fn entry(value: &Value) -> Result<Entry, &'static str> {
    let name = value.get("transaction").and_then(Value::as_str);
    let mut record = Record::new();
    if let Some(fields) = value.get("record").filter(|record| !record.is_null()) {
        for (name, value) in fields.as_object().ok_or("record is not an object")? {
            if !value.is_null() {
                let value = plain(value).ok_or("a value is neither text nor number")?;
                record.insert(name.clone(), value);
            }
        }
    }
    let columns = value.get("selectedColumns").and_then(Value::as_array);
    let columns = columns.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    Ok(Entry {
        transaction: name.ok_or("transaction is missing")?.to_owned(),
        record,
        columns: columns.collect(),
    })
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn job(program: &str, entries: Vec<Entry>, options: CallOptions) -> Job {
    Job {
        program: program.to_owned(),
        entries,
        options,
        entries_max: usize::MAX,
        withhold_last: false,
        pause_ms: 0,
        refuse: None,
        answered: true,
    }
}
