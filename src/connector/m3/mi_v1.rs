//! Version 1 of the MI API: what is sent and what comes back (reference/m3.md 1.2, 1.5). Pure.
//!
//! Guarantees: a list that broke off after some rows is a failure, never a short list.

use super::{
    mi::{MiCall, MiRecord},
    wire::{Place, Refusal, broke_off, query},
};
use crate::connector::{
    Failure,
    http::Answer,
    loose::{Many, Text, encode, transport},
};
use serde::Deserialize;

/// Writes the address of one transaction; version 1 knows no other way, for writes either.
pub(crate) fn url(place: &Place, call: &MiCall) -> String {
    let MiCall { program, transaction, fields, columns, records_max } = call;
    let returned = if columns.is_empty() {
        String::new()
    } else {
        format!(";returncols={}", columns.join(","))
    };
    format!(
        "{}/execute/{program}/{transaction};metadata=false;maxrecs={records_max}{returned};cono={}\
         ;divi={};dateformat=YMD8{}",
        place.base,
        place.company,
        encode(&place.division),
        query(fields)
    )
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "Program")]
    program: Option<Text>,
    #[serde(rename = "MIRecord", default)]
    records: Many<Row>,
    #[serde(rename = "ErrorMessage")]
    broke_off: Option<No>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "NameValue", default)]
    pairs: Many<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Value", default)]
    value: Text,
}

#[derive(Deserialize)]
struct No {
    #[serde(rename = "@type")]
    kind: Text,
    #[serde(rename = "@code", default)]
    code: Text,
    #[serde(rename = "@field", default)]
    field: Text,
    #[serde(rename = "Message", default)]
    message: Text,
}

impl No {
    fn refusal(&self) -> Refusal<'_> {
        let No { kind, code, field, message } = self;
        Refusal { code: &code.0, kind: &kind.0, field: &field.0, message: &message.0 }
    }
}

/// Reads the answer to one call; the fate is that of a write.
pub(crate) fn read(answer: &Answer) -> Result<Vec<MiRecord>, Failure> {
    if !matches!(answer.status, 200..=299 | 400) {
        return Err(transport(answer));
    }
    if let Ok(no) = serde_json::from_slice::<No>(&answer.body) {
        return Err(no.refusal().failure());
    }
    let Ok(body) = serde_json::from_slice::<Body>(&answer.body) else {
        return Err(transport(answer));
    };
    match body {
        Body { broke_off: Some(no), records, .. } if records.0.is_empty() => {
            Err(no.refusal().failure())
        }
        Body { broke_off: Some(no), .. } => Err(broke_off(&no.refusal())),
        Body { program: None, records, .. } if records.0.is_empty() => Err(transport(answer)),
        Body { .. } if answer.status == 400 => Err(transport(answer)),
        Body { records: Many(rows), .. } => Ok(rows.into_iter().filter_map(Row::record).collect()),
    }
}

impl Row {
    fn record(self) -> Option<MiRecord> {
        let Many(pairs) = self.pairs;
        let record: MiRecord =
            pairs.into_iter().map(|Pair { name, value: Text(value) }| (name, value)).collect();
        (!record.is_empty()).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: u16, body: &str) -> String {
        let answer = Answer {
            status,
            retry_after_s: None,
            body: body.as_bytes().to_vec(),
            rest_error: None,
        };
        match read(&answer) {
            Err(failure) => {
                let Failure { fate, class, code, field, text, .. } = failure;
                format!("{fate:?} {class:?} {code} {} {text}", field.as_deref().unwrap_or("-"))
            }
            Ok(records) => {
                let rows = records.iter().map(|record| {
                    let pairs = record.iter().map(|(k, _)| format!("{k}={}", record.text(k)));
                    pairs.collect::<Vec<_>>().join(",")
                });
                format!("ok[{}]", rows.collect::<Vec<_>>().join("|"))
            }
        }
    }

    #[test]
    fn an_address_carries_the_options_as_matrix_parameters() {
        let base = "https://m3.local:21254/m3api-rest".to_owned();
        let place = Place { base, company: 1, division: String::new() };
        let call = MiCall::new("CRS610MI", "GetBasicData").with("CUNO", "Y 1").columns(&["CUNM"]);
        let want = "https://m3.local:21254/m3api-rest/execute/CRS610MI/GetBasicData;metadata=false\
                    ;maxrecs=0;returncols=CUNM;cono=1;divi=;dateformat=YMD8?CUNO=Y%201";
        assert_eq!(url(&place, &call), want);
    }

    #[test]
    fn every_form_of_answer_is_read() {
        let head = r#""Program":"CRS610MI","Transaction":"LstByNumber""#;
        let meta = r#""Metadata":{"Field":{"@name":"CUNO","@type":"A","@length":"10","@description":"Customer"}}"#;
        let row = |n: u8| {
            format!(
                r#"{{"RowIndex":"{n}","NameValue":[{{"Name":"CUNO","Value":"Y{n}        "}},{{"Name":"CUNM","Value":"A  b   "}}]}}"#
            )
        };
        let no = r#"{"@type":"ServerReturnedNOK","@code":"XRE0103","@cfg":null,"@field":"CUNO","Message":"Record does not exist            XRE0103 CUNO"}"#;
        let table = [
            (
                200,
                format!(r#"{{{head},{meta},"MIRecord":[{},{}]}}"#, row(1), row(2)),
                "ok[CUNO=Y1,CUNM=A  b|CUNO=Y2,CUNM=A  b]",
            ),
            (200, format!(r#"{{{head},{meta},"MIRecord":{}}}"#, row(1)), "ok[CUNO=Y1,CUNM=A  b]"),
            (
                200,
                format!(r#"{{{head},"MIRecord":{{"NameValue":{{"Name":"ORNO","Value":7}}}}}}"#),
                "ok[ORNO=7]",
            ),
            (200, format!("{{{head}}}"), "ok[]"),
            (200, format!(r#"{{{head},"MIRecord":null}}"#), "ok[]"),
            (200, format!(r#"{{{head},"MIRecord":[]}}"#), "ok[]"),
            (200, format!(r#"{{{head},"MIRecord":[{{"RowIndex":"0"}}]}}"#), "ok[]"),
            (200, no.to_owned(), "Refused NotFound XRE0103 CUNO Record does not exist"),
            (400, no.to_owned(), "Refused NotFound XRE0103 CUNO Record does not exist"),
            (
                200,
                format!(r#"{{{head},"MIRecord":[{}],"ErrorMessage":{no}}}"#, row(1)),
                "Unknown Broken XRE0103 CUNO Record does not exist",
            ),
            (
                200,
                format!(r#"{{{head},"ErrorMessage":{no}}}"#),
                "Refused NotFound XRE0103 CUNO Record does not exist",
            ),
            (200, "<html>Login</html>".to_owned(), "Unknown Broken HTTP 200 - Login"),
            (
                200,
                "<miResult><Program>CRS610MI</Program></miResult>".to_owned(),
                "Unknown Broken HTTP 200 - the answer cannot be read",
            ),
            (200, "{}".to_owned(), "Unknown Broken HTTP 200 - the answer cannot be read"),
            (200, String::new(), "Unknown Broken HTTP 200 - the answer cannot be read"),
            (400, "<html>no</html>".to_owned(), "Refused Unclassified HTTP 400 - no"),
            (500, no.to_owned(), "Unknown Broken HTTP 500 - "),
        ];
        for (status, body, want) in table {
            let got = shown(status, &body);
            assert!(got.starts_with(want), "{status} {body}: {got}");
        }
    }
}
