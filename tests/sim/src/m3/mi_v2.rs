//! Answers as the second version of the REST API gives them (reference/m3.md 1.3 and 1.4). Pure.

use super::{
    call::{Nok, Record},
    message,
    options::{EmptyRecords, Switches},
    render::Shown,
};
use crate::serve::Answer;
use serde_json::{Map, Value, json};

/// One entry of an answer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) transaction: String,
    pub(crate) outcome: Result<Vec<Shown>, Nok>,
    /// Whether its kind ever gives rows.
    pub(crate) gives_rows: bool,
    /// The input, when the call asks for it back.
    pub(crate) parameters: Option<Record>,
}

/// Why a request ended before its last entry.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    pub(crate) reason: &'static str,
    pub(crate) kind: &'static str,
    /// Entries that were not run; one more may have run without a result.
    pub(crate) not_run: Vec<String>,
}

impl Termination {
    /// The connection to the program was lost.
    pub(crate) const fn lost(not_run: Vec<String>) -> Self {
        let reason = "Connection to the MI program was lost";
        Self { reason, kind: "ConnectionLost", not_run }
    }
}

/// Writes the answer to one transaction.
pub(crate) fn single(entry: Entry, switches: &Switches) -> Answer {
    let as_400 = match &entry.outcome {
        Ok(_) => false,
        Err(nok) if nok.kind == "TransactionNotFound" => !switches.unknown_transaction_as_200,
        Err(_) => switches.nok_as_400,
    };
    if let (Err(nok), true) = (&entry.outcome, as_400) {
        let mut body = error(nok, switches);
        close(&mut body, (0, 1), None, switches);
        return Answer::json(400, &Value::Object(body));
    }
    bulk(vec![entry], None, switches)
}

/// Writes the answer to many.
pub(crate) fn bulk(
    entries: Vec<Entry>,
    terminated: Option<&Termination>,
    switches: &Switches,
) -> Answer {
    let ok = entries.iter().filter(|entry| entry.outcome.is_ok()).count();
    let failed = (entries.len() - ok).max(usize::from(terminated.is_some()));
    let mut results: Vec<Value> = entries.into_iter().map(|e| written(e, switches)).collect();
    // Some sites leave out what was not run, others mark it.
    if switches.terminated_as_string {
        let marked = terminated.iter().flat_map(|end| &end.not_run);
        results.extend(marked.map(|name| json!({ "transaction": name, "notProcessed": true })));
    }
    let mut body = Map::new();
    body.insert("results".to_owned(), results.into());
    close(&mut body, (ok, failed), terminated, switches);
    Answer::json(200, &Value::Object(body))
}

/// Writes the refusal of a request that is not one.
pub(crate) fn malformed(reason: &'static str, switches: &Switches) -> Answer {
    let mut body = Map::new();
    let end = Termination { reason, kind: "BadRequest", not_run: Vec::new() };
    body.insert("results".to_owned(), json!([]));
    close(&mut body, (0, 1), Some(&end), switches);
    Answer::json(400, &Value::Object(body))
}

fn close(
    body: &mut Map<String, Value>,
    (ok, failed): (usize, usize),
    terminated: Option<&Termination>,
    switches: &Switches,
) {
    let flag = terminated.is_some();
    let flag = if switches.terminated_as_string { json!(flag.to_string()) } else { json!(flag) };
    body.insert("wasTerminated".to_owned(), flag);
    if let Some(end) = terminated {
        body.insert("terminationReason".to_owned(), end.reason.into());
        body.insert("terminationErrorType".to_owned(), end.kind.into());
    }
    // The spelling is the server's.
    body.insert("nrOfSuccessfullTransactions".to_owned(), ok.into());
    body.insert("nrOfFailedTransactions".to_owned(), failed.into());
}

fn written(entry: Entry, switches: &Switches) -> Value {
    let mut body = Map::new();
    body.insert("transaction".to_owned(), entry.transaction.into());
    if let Some(parameters) = entry.parameters {
        body.insert("parameters".to_owned(), json!(parameters));
    }
    match entry.outcome {
        Err(nok) => body.extend(error(&nok, switches)),
        Ok(rows) if rows.is_empty() => match switches.empty_records {
            EmptyRecords::Absent => {}
            EmptyRecords::OneEmpty if entry.gives_rows => {
                body.insert("records".to_owned(), json!([]));
            }
            EmptyRecords::Empty => drop(body.insert("records".to_owned(), json!([]))),
            EmptyRecords::OneEmpty => drop(body.insert("records".to_owned(), json!([{}]))),
        },
        Ok(rows) => {
            let record = |row: Shown| {
                row.into_iter().map(|(name, value)| (name, value.into())).collect::<Map<_, _>>()
            };
            let records: Vec<_> = rows.into_iter().map(record).map(Value::Object).collect();
            body.insert("records".to_owned(), records.into());
        }
    }
    Value::Object(body)
}

fn error(nok: &Nok, switches: &Switches) -> Map<String, Value> {
    let text = if switches.glue_code_in_message {
        message::glued(nok, switches.language)
    } else {
        let width = if switches.pad { message::TEXT_WIDTH } else { 0 };
        format!("{:<width$}", message::text(nok, switches.language))
    };
    let members = [
        ("errorMessage", text.as_str()),
        ("errorType", nok.kind),
        ("errorCode", &nok.code),
        ("errorCfg", ""),
        ("errorField", &nok.field),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
