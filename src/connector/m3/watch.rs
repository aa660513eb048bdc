//! A read together with the form in which M3 answered it, for who wants to know how this M3 speaks.
//!
//! Guarantees: it is sent by GET, like other reads, and changes nothing.

use super::{
    Api, M3,
    mi::{MiCall, MiRecord},
    mi_v1, mi_v2, unsendable,
};
use crate::connector::{Class, Failure, Fate, Kind, http::Answer};
use serde_json::Value;
use std::fmt;

/// An answer, as it looked and as it was understood.
#[derive(Clone, Debug)]
pub struct Watched {
    /// How it looked.
    pub sight: Sight,
    /// What it said.
    pub read: Result<Vec<MiRecord>, Failure>,
}

/// How an answer looked on the wire (reference/m3.md 1.4 and 1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// HTTP status.
    pub status: u16,
    /// Where a refusal stood.
    pub place: Stands,
    /// M3's type of error, such as `ServerReturnedNOK`; empty without a refusal.
    pub kind: String,
    /// M3's message id; empty without a refusal, and often with one.
    pub code: String,
    /// How the records looked.
    pub records: &'static str,
}

/// Where a refusal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Nowhere: it is none.
    Nowhere,
    /// At the top of the body.
    Top,
    /// In the results.
    Results,
    /// The body is no JSON.
    Unreadable,
}

impl M3 {
    /// Runs one transaction that reads, and shows how the answer looked.
    pub async fn watch(&self, call: &MiCall) -> Result<Watched, Failure> {
        call.check().map_err(|bad| unsendable(&bad))?;
        let inner = &*self.0;
        let url = match inner.api {
            Api::V1 => mi_v1::url(&inner.place, call),
            Api::V2 => mi_v2::url(&inner.place, call),
        };
        let answer = inner.get(url).await.map_err(|failure| failure.of_kind(Kind::Read))?;
        let missing = || Failure::new(Fate::Unknown, Class::Broken, "a result is missing");
        let read = match inner.api {
            Api::V1 => mi_v1::read(&answer),
            Api::V2 => mi_v2::read(&answer, std::slice::from_ref(call))
                .and_then(|entries| entries.into_iter().next().ok_or_else(missing)?),
        };
        let read = read.map_err(|failure| failure.of_kind(Kind::Read));
        Ok(Watched { sight: Sight::of(&answer), read })
    }

    /// Runs transactions that read in one request, however many they are.
    pub async fn bulk_whole(
        &self,
        calls: &[MiCall],
    ) -> Result<Vec<Result<Vec<MiRecord>, Failure>>, Failure> {
        super::check_all(calls).map_err(|bad| unsendable(&bad))?;
        let answers = self.0.post_v2(calls).await.map_err(|failure| failure.of_kind(Kind::Read))?;
        Ok(answers.into_iter().map(|one| one.map_err(|no| no.of_kind(Kind::Read))).collect())
    }

    /// Whether this version of the API has bulk calls.
    pub fn has_bulk(&self) -> bool {
        self.0.api == Api::V2
    }

    /// Returns the headers about limits that answers came with, each once with its newest value.
    pub fn limit_headers(&self) -> Vec<(String, String)> {
        self.0.http.limit_headers()
    }
}

impl Sight {
    fn of(answer: &Answer) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            let (kind, code) = (String::new(), String::new());
            let place = Stands::Unreadable;
            return Self { status: answer.status, place, kind, code, records: "unreadable" };
        };
        let first = body.pointer("/results/0").unwrap_or(&Value::Null);
        let partial = body.get("ErrorMessage").unwrap_or(&Value::Null);
        let text = |from: &Value, name: &str| {
            from.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
        };
        let found = [
            (&body, Stands::Top, ["errorType", "errorCode", "errorMessage"]),
            (&body, Stands::Top, ["@type", "@code", "Message"]),
            (first, Stands::Results, ["errorType", "errorCode", "errorMessage"]),
            (partial, Stands::Results, ["@type", "@code", "Message"]),
        ];
        let refusal = found.into_iter().find_map(|(from, place, [kind, code, message])| {
            let (kind, code) = (text(from, kind), text(from, code));
            let is_one = !(kind.is_empty() && code.is_empty() && text(from, message).is_empty());
            is_one.then_some((place, kind, code))
        });
        let (place, kind, code) =
            refusal.unwrap_or((Stands::Nowhere, String::new(), String::new()));
        let records = first.get("records").or_else(|| body.get("MIRecord"));
        Self { status: answer.status, place, kind, code, records: shape(records) }
    }
}

fn shape(records: Option<&Value>) -> &'static str {
    match records {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Array(rows)) if rows.is_empty() => "[]",
        Some(Value::Array(rows)) if is_empty_row(rows) => "[{}]",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "a bare object",
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => "a value",
    }
}

fn is_empty_row(rows: &[Value]) -> bool {
    matches!(rows, [Value::Object(row)] if row.is_empty())
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, place, kind, code, records } = self;
        let place = match place {
            Stands::Nowhere => return write!(f, "HTTP {status}, records {records}"),
            Stands::Unreadable => return write!(f, "HTTP {status}, no JSON"),
            Stands::Top => "at top level",
            Stands::Results => "in results",
        };
        let code = if code.is_empty() { "no code" } else { code };
        write!(f, "HTTP {status}, {place}, {kind} {code}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_answer_is_told_apart() {
        let table = [
            (200, r#"{"results":[{"records":[{"A":"1"}]}]}"#, "HTTP 200, records a list"),
            (200, r#"{"results":[{"transaction":"x"}]}"#, "HTTP 200, records absent"),
            (200, r#"{"results":[{"records":[{}]}]}"#, "HTTP 200, records [{}]"),
            (
                200,
                r#"{"Program":"P","MIRecord":{"NameValue":[]}}"#,
                "HTTP 200, records a bare object",
            ),
            (
                200,
                r#"{"results":[{"errorType":"ServerReturnedNOK","errorCode":"XRE0103"}]}"#,
                "HTTP 200, in results, ServerReturnedNOK XRE0103",
            ),
            (
                400,
                r#"{"errorType":"TransactionNotFound","errorCode":" "}"#,
                "HTTP 400, at top level, TransactionNotFound no code",
            ),
            (
                200,
                r#"{"@type":"ServerReturnedNOK","@code":"XRE0103","@cfg":null}"#,
                "HTTP 200, at top level, ServerReturnedNOK XRE0103",
            ),
            (404, "<html>", "HTTP 404, no JSON"),
        ];
        for (status, body, want) in table {
            let answer = Answer {
                status,
                retry_after_s: None,
                body: body.as_bytes().to_vec(),
                rest_error: None,
            };
            assert_eq!(Sight::of(&answer).to_string(), want, "{body}");
        }
    }
}
