//! Version 2 of the MI API: what is sent and what comes back (reference/m3.md 1.2 to 1.4). Pure.
//!
//! Guarantees: an entry counts as done only if the answer says nothing against it; an entry
//! without an answer counts as not run only where M3 says so; a refusal reads the same
//! whether it comes as 200 with results or as 400 at top level.

use super::{
    mi::{MiCall, MiRecord},
    wire::{Place, Refusal, broke_off, query},
};
use crate::connector::{
    Class, Failure, Fate,
    http::Answer,
    loose::{Flag, Many, Text, encode, transport},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest address sent with GET; gateways refuse beyond 8 kB (reference/m3.md 10).
pub(crate) const URL_BYTES_MAX: usize = 6_000;

/// What came of each call of a request, in its order.
pub(crate) type Entries = Vec<Result<Vec<MiRecord>, Failure>>;

/// Writes the address of one transaction.
pub(crate) fn url(place: &Place, call: &MiCall) -> String {
    let MiCall { program, transaction, fields, columns, records_max } = call;
    let returned = if columns.is_empty() {
        String::new()
    } else {
        format!(";returncols={}", columns.join(","))
    };
    format!(
        "{}/v2/execute/{program}/{transaction};maxrecs={records_max}{returned};cono={};divi={}\
         ;dateformat=YMD8;righttrim=true{}",
        place.base,
        place.company,
        encode(&place.division),
        query(fields)
    )
}

/// Writes the address of bulk calls; the other options are in the body.
pub(crate) fn bulk_url(place: &Place) -> String {
    format!("{}/v2/execute?dateformat=YMD8", place.base)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the members are M3's")]
struct Bulk<'a> {
    program: &'a str,
    cono: u16,
    divi: &'a str,
    exclude_empty_values: bool,
    right_trim: bool,
    max_returned_records: u32,
    transactions: Vec<BulkEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkEntry<'a> {
    transaction: &'a str,
    record: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    selected_columns: &'a [String],
}

/// Writes the body of bulk calls. All calls are of one program, which the caller checked.
pub(crate) fn bulk_body(place: &Place, calls: &[MiCall]) -> serde_json::Result<Vec<u8>> {
    let transactions = calls.iter().map(|call| BulkEntry {
        transaction: &call.transaction,
        record: call.fields.iter().map(|(field, value)| (&**field, &**value)).collect(),
        selected_columns: &call.columns,
    });
    let unlimited = calls.iter().any(|call| call.records_max == 0);
    let records_max = calls.iter().map(|call| call.records_max).max().unwrap_or(0);
    serde_json::to_vec(&Bulk {
        program: calls.first().map_or("", |call| &call.program),
        cono: place.company,
        divi: &place.division,
        exclude_empty_values: false,
        right_trim: true,
        max_returned_records: if unlimited { 0 } else { records_max },
        transactions: transactions.collect(),
    })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    results: Option<Many<Entry>>,
    was_terminated: Option<Flag>,
    termination_reason: Text,
    termination_error_type: Text,
    // M3 spells it so.
    nr_of_successfull_transactions: Option<Text>,
    nr_of_failed_transactions: Option<Text>,
    error_message: Option<Text>,
    error_code: Text,
    error_type: Option<Text>,
    error_field: Text,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    transaction: Text,
    records: Many<MiRecord>,
    not_processed: Flag,
    error_message: Text,
    error_code: Text,
    error_type: Text,
    error_field: Text,
}

/// Reads the answer to `calls`, sent as one request.
///
/// The outer error stands for the whole request; fates are those of writes.
pub(crate) fn read(answer: &Answer, calls: &[MiCall]) -> Result<Entries, Failure> {
    if !matches!(answer.status, 200..=299 | 400) {
        return Err(transport(answer));
    }
    let Ok(body) = serde_json::from_slice::<Body>(&answer.body) else {
        return Err(transport(answer));
    };
    match body.results {
        Some(Many(ref results)) if results.is_empty() && body.says_no() => Ok(spread(&body, calls)),
        Some(_) => body.entries(calls),
        None if body.says_no() => Ok(spread(&body, calls)),
        None => Err(transport(answer)),
    }
}

/// Fills every entry of a request that was answered as a whole.
fn spread(body: &Body, calls: &[MiCall]) -> Entries {
    let missing = body.missing();
    let refused_first = missing.fate == Fate::Refused && calls.len() > 1;
    let ran_none = count(body.nr_of_successfull_transactions.as_ref()) == Some(0);
    let fill = |index: usize| match (refused_first, ran_none) {
        // M3 refused one, says that none succeeded, but not whether the others were tried.
        (true, true) if index > 0 => Failure { fate: Fate::NotDone, ..missing.clone() },
        (true, false) => Failure { fate: Fate::Unknown, ..missing.clone() },
        (true, true) | (false, _) => missing.clone(),
    };
    (0..calls.len()).map(|index| Err(fill(index))).collect()
}

impl Body {
    /// Whether the body alone, without results, is an MI outcome.
    fn says_no(&self) -> bool {
        self.error_message.is_some()
            || self.error_type.is_some()
            || self.was_terminated.is_some()
            || self.failed() > 0
    }

    fn failed(&self) -> u64 {
        count(self.nr_of_failed_transactions.as_ref()).unwrap_or(0)
    }

    fn was_terminated(&self) -> bool {
        self.was_terminated.unwrap_or_default().0
    }

    /// Matches the results to the calls.
    fn entries(mut self, calls: &[MiCall]) -> Result<Entries, Failure> {
        let Many(results) = self.results.take().unwrap_or_default();
        let echoes = |(entry, call): (&Entry, &MiCall)| {
            let name = entry.transaction.0.trim();
            name.is_empty() || name == call.transaction
        };
        if results.len() > calls.len() || !results.iter().zip(calls).all(echoes) {
            return Err(garbled("the results are not those of the request"));
        }
        let mut entries: Entries = results.into_iter().map(Entry::outcome).collect();
        let complained = entries.iter().filter(|entry| entry.is_err()).count();
        let unnamed = self.failed() > u64::try_from(complained).unwrap_or(u64::MAX);
        // Terminated without a word about where: a list may have lost its end.
        let unplaced = self.was_terminated() && complained == 0;
        if (unnamed || unplaced) && entries.len() == calls.len() {
            doubt(&mut entries, &self);
        }
        let missing = self.missing();
        for index in entries.len()..calls.len() {
            let first = index == 0 || missing.fate != Fate::Refused;
            let fate = if first { missing.fate } else { Fate::Unknown };
            entries.push(Err(Failure { fate, ..missing.clone() }));
        }
        Ok(entries)
    }

    /// Says what became of an entry that has no result.
    fn missing(&self) -> Failure {
        let kind = self.error_type.clone().unwrap_or_default().0;
        let refusal = Refusal {
            code: &self.error_code.0,
            kind: &kind,
            field: &self.error_field.0,
            message: self.error_message.as_ref().map_or("", |text| &text.0),
        };
        let reason = self.termination_reason.0.trim();
        let terminated_by = self.termination_error_type.0.trim();
        let business = !refusal.code.trim().is_empty() || is_business(kind.trim());
        if business {
            return refusal.failure();
        }
        let message = if refusal.message.trim().is_empty() { reason } else { refusal.message };
        let kind = if kind.trim().is_empty() { terminated_by } else { &kind };
        let failure = Refusal { kind, message, ..refusal }.failure();
        match (self.was_terminated(), is_business(terminated_by)) {
            (true, false) => Failure { fate: Fate::Unknown, class: Class::Broken, ..failure },
            (true, true) => failure,
            (false, _) if failure.text.is_empty() && failure.code.is_empty() => {
                garbled("a result is missing")
            }
            (false, _) => failure,
        }
    }
}

impl Entry {
    fn outcome(self) -> Result<Vec<MiRecord>, Failure> {
        let refusal = Refusal {
            code: &self.error_code.0,
            kind: &self.error_type.0,
            field: &self.error_field.0,
            message: &self.error_message.0,
        };
        if self.not_processed.0 {
            let failure = Failure::new(Fate::NotDone, Class::Broken, "M3 did not run it");
            return Err(failure.with_code(refusal.kind));
        }
        let said = [refusal.code, refusal.kind, refusal.message];
        if said.iter().any(|text| !text.trim().is_empty()) {
            let rows = self.records.0.iter().any(|record| !record.is_empty());
            return Err(if rows { broke_off(&refusal) } else { refusal.failure() });
        }
        let Many(records) = self.records;
        // `[{}]` is one of the ways to say "done, nothing to tell".
        Ok(records.into_iter().filter(|record| !record.is_empty()).collect())
    }
}

/// The answer as a whole says that more failed than its entries admit: believe no yes.
fn doubt(entries: &mut Entries, body: &Body) {
    let only = entries.len() == 1;
    for entry in entries.iter_mut().filter(|entry| entry.is_ok()) {
        let missing = body.missing();
        let doubtful = garbled("M3 tells of a failure that it does not name");
        *entry = Err(if only && missing.fate == Fate::Refused { missing } else { doubtful });
    }
}

fn count(text: Option<&Text>) -> Option<u64> {
    text.and_then(|Text(text)| text.trim().parse().ok())
}

/// Whether this error type is M3's own no, given before or by the transaction.
fn is_business(kind: &str) -> bool {
    matches!(
        kind,
        "ServerReturnedNOK"
            | "ProgramNotFound"
            | "TransactionNotFound"
            | "MandatoryInputFieldNotFound"
            | "InputFieldNotFound"
            | "InputFieldTooLong"
    )
}

fn garbled(text: &str) -> Failure {
    Failure::new(Fate::Unknown, Class::Broken, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> Place {
        let base = "https://gw.example/ACME_PRD/M3/m3api-rest".to_owned();
        Place { base, company: 100, division: "AAA".to_owned() }
    }

    fn calls(count: usize) -> Vec<MiCall> {
        vec![MiCall::new("OIS100MI", "AddBatchLine"); count]
    }

    /// Shows an answer in one line: records as `ITNO=1`, failures as fate, class, code and field.
    fn shown(status: u16, body: &str, count: usize) -> String {
        let answer = Answer {
            status,
            retry_after_s: None,
            body: body.as_bytes().to_vec(),
            rest_error: None,
        };
        let no = |failure: &Failure| {
            let Failure { fate, class, code, field, .. } = failure;
            format!("{fate:?} {class:?} {code} {}", field.as_deref().unwrap_or("-"))
        };
        match read(&answer, &calls(count)) {
            Err(failure) => format!("all: {}", no(&failure)),
            Ok(entries) => {
                assert_eq!(entries.len(), count, "{body}");
                let shown = entries.iter().map(|entry| match entry {
                    Err(failure) => no(failure),
                    Ok(records) => {
                        let all = records.iter().flat_map(MiRecord::iter);
                        let all: Vec<_> = all.map(|(k, v)| format!("{k}={v}")).collect();
                        format!("ok[{}]", all.join(","))
                    }
                });
                shown.collect::<Vec<_>>().join(" | ")
            }
        }
    }

    #[test]
    fn an_address_carries_the_options_as_matrix_parameters() {
        let call = MiCall::new("OIS100MI", "GetHead").with("ORNO", "00 1+;x");
        let base = "https://gw.example/ACME_PRD/M3/m3api-rest/v2/execute/OIS100MI/GetHead";
        let tail = "cono=100;divi=AAA;dateformat=YMD8;righttrim=true?ORNO=00%201%2B%3Bx";
        assert_eq!(url(&place(), &call), format!("{base};maxrecs=0;{tail}"));
        let call = call.columns(&["ORNO", "ORST"]).records_max(1);
        let want = format!("{base};maxrecs=1;returncols=ORNO,ORST;{tail}");
        assert_eq!(url(&place(), &call), want);
        assert!(reqwest::Url::parse(&want).unwrap().as_str() == want, "kept as written");
    }

    #[test]
    fn a_bulk_body_names_one_program_and_every_option() {
        let calls = [
            MiCall::new("OIS100MI", "AddBatchLine").with("ITNO", "MUG \"1\"").with("ORQT", "2"),
            MiCall::new("OIS100MI", "AddBatchLine").with("ITNO", "X").columns(&["PONR"]),
        ];
        let body = String::from_utf8(bulk_body(&place(), &calls).unwrap()).unwrap();
        let want = concat!(
            r#"{"program":"OIS100MI","cono":100,"divi":"AAA","excludeEmptyValues":false,"#,
            r#""rightTrim":true,"maxReturnedRecords":0,"transactions":["#,
            r#"{"transaction":"AddBatchLine","record":{"ITNO":"MUG \"1\"","ORQT":"2"}},"#,
            r#"{"transaction":"AddBatchLine","record":{"ITNO":"X"},"selectedColumns":["PONR"]}]}"#
        );
        assert_eq!(body, want);
        assert_eq!(bulk_url(&place()), format!("{}/v2/execute?dateformat=YMD8", place().base));
    }

    const NOK: &str = r#""errorMessage":"no such item    WIT0103 ITNO","errorType":"ServerReturnedNOK","errorCode":"WIT0103","errorCfg":null,"errorField":"ITNO""#;

    /// Status, body and what one call makes of them.
    type Rows<'a> = &'a [(u16, &'a str, &'a str)];

    const YES: Rows<'_> = &[
        (
            200,
            r#"{"results":[{"transaction":"AddBatchLine","records":[{"PONR":"1"}]}],"wasTerminated":false}"#,
            "ok[PONR=1]",
        ),
        (
            200,
            r#"{"results":[{"transaction":"AddBatchLine","records":[{"PONR":1,"SAPR":19.90}]}]}"#,
            "ok[PONR=1,SAPR=19.90]",
        ),
        (
            200,
            r#"{"results":[{"records":{"PONR":"1"}}],"wasTerminated":"false","nrOfFailedTransactions":"0"}"#,
            "ok[PONR=1]",
        ),
        (200, r#"{"results":{"records":[{"PONR":"1"}]},"unknown":[{}]}"#, "ok[PONR=1]"),
        (200, r#"{"results":[{"transaction":"AddBatchLine"}],"nrOfFailedTransactions":0}"#, "ok[]"),
        (200, r#"{"results":[{"records":[]}]}"#, "ok[]"),
        (200, r#"{"results":[{"records":[{}]}]}"#, "ok[]"),
        (
            200,
            r#"{"results":[{"records":null,"errorMessage":null,"errorCode":"","errorType":""}]}"#,
            "ok[]",
        ),
    ];

    const NO: Rows<'_> = &[
        (
            200,
            r#"{"results":[{"errorMessage":"Locked","errorCode":"XUP0001"}]}"#,
            "Refused Locked XUP0001 -",
        ),
        (
            200,
            r#"{"results":[{"errorMessage":"free words","errorType":"ServerReturnedNOK"}]}"#,
            "Refused Unclassified ServerReturnedNOK -",
        ),
        (
            400,
            r#"{"errorMessage":"Transaction not found","errorType":"TransactionNotFound"}"#,
            "Refused Config TransactionNotFound -",
        ),
        (
            400,
            r#"{"errorMessage":"CUNO is missing","errorType":"MandatoryInputFieldNotFound","errorField":"CUNO"}"#,
            "Refused Data MandatoryInputFieldNotFound CUNO",
        ),
        (
            400,
            r#"{"wasTerminated":true,"terminationReason":"too long","terminationErrorType":"InputFieldTooLong"}"#,
            "Refused Data InputFieldTooLong -",
        ),
        (200, r#"{"results":[{"notProcessed":true}],"wasTerminated":true}"#, "NotDone Broken  -"),
    ];

    const TERMINATED: Rows<'_> = &[
        (
            400,
            r#"{"wasTerminated":true,"terminationReason":"connection lost","terminationErrorType":"CommunicationError"}"#,
            "Unknown Broken CommunicationError -",
        ),
        (
            200,
            r#"{"results":[],"wasTerminated":true,"terminationReason":"connection lost","nrOfFailedTransactions":1}"#,
            "Unknown Broken  -",
        ),
        (200, r#"{"results":[],"wasTerminated":"true"}"#, "Unknown Broken  -"),
        (
            200,
            r#"{"results":[{"records":[{"PONR":"1"}],"errorCode":"XRE0103"}]}"#,
            "Unknown Broken XRE0103 -",
        ),
        (
            200,
            r#"{"results":[{"records":[{}],"errorCode":"XRE0103"}]}"#,
            "Refused NotFound XRE0103 -",
        ),
        (
            200,
            r#"{"results":[{"records":[{"PONR":"1"}]}],"nrOfFailedTransactions":1}"#,
            "Unknown Broken  -",
        ),
        (
            200,
            r#"{"results":[{"records":[{"PONR":"1"}]}],"wasTerminated":true}"#,
            "Unknown Broken  -",
        ),
        (200, r#"{"results":[],"wasTerminated":false}"#, "Unknown Broken  -"),
        (200, r#"{"results":[{"transaction":"GetHead","records":[]}]}"#, "all: Unknown Broken  -"),
        (200, r#"{"results":[{"records":[]},{"records":[]}]}"#, "all: Unknown Broken  -"),
    ];

    const UNREADABLE: Rows<'_> = &[
        (200, "{}", "all: Unknown Broken HTTP 200 -"),
        (200, "", "all: Unknown Broken HTTP 200 -"),
        (200, "<html><body>Log in</body></html>", "all: Unknown Broken HTTP 200 -"),
        (200, r#"{"results":[{"records":[{"PONR":"1"}"#, "all: Unknown Broken HTTP 200 -"),
        (200, "[1,2]", "all: Unknown Broken HTTP 200 -"),
        (200, "<miResult/>", "all: Unknown Broken HTTP 200 -"),
        (400, "<html>Bad</html>", "all: Refused Unclassified HTTP 400 -"),
        (400, "", "all: Refused Unclassified HTTP 400 -"),
        (400, r#"{"error":"bad"}"#, "all: Refused Unclassified HTTP 400 -"),
        (500, r#"{"errorMessage":"crash"}"#, "all: Unknown Broken HTTP 500 -"),
        (503, "<html>Soon</html>", "all: Unknown Unavailable HTTP 503 -"),
        (504, "", "all: Unknown TimedOut HTTP 504 -"),
        (429, "", "all: NotDone RateLimited HTTP 429 -"),
    ];

    #[test]
    fn one_call_is_read_in_every_form_of_answer() {
        for (status, body, want) in [YES, NO, TERMINATED, UNREADABLE].concat() {
            assert_eq!(shown(status, body, 1), want, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_reads_the_same_with_results_and_at_top_level() {
        let inside = format!(
            r#"{{"results":[{{"transaction":"AddBatchLine",{NOK}}}],"wasTerminated":false,"nrOfSuccessfullTransactions":0,"nrOfFailedTransactions":1}}"#
        );
        let on_top = format!(r#"{{{NOK},"wasTerminated":true,"nrOfFailedTransactions":1}}"#);
        for status in [200, 400] {
            for body in [&inside, &on_top] {
                assert_eq!(shown(status, body, 1), "Refused Data WIT0103 ITNO", "{status} {body}");
            }
        }
    }

    #[test]
    fn entries_of_a_bulk_keep_their_places() {
        let nok = format!(r#"{{"transaction":"AddBatchLine",{NOK}}}"#);
        let ok = r#"{"transaction":"AddBatchLine","records":[{"PONR":"1"}]}"#;
        let bodies = [
            (
                format!(
                    r#"{{"results":[{ok},{nok},{ok}],"nrOfSuccessfullTransactions":2,"nrOfFailedTransactions":1}}"#
                ),
                "ok[PONR=1] | Refused Data WIT0103 ITNO | ok[PONR=1]",
            ),
            (
                format!(r#"{{"results":[{ok}],"wasTerminated":true,"terminationReason":"time"}}"#),
                "ok[PONR=1] | Unknown Broken  - | Unknown Broken  -",
            ),
            (
                format!(
                    r#"{{"results":[{ok},{{"notProcessed":true}},{{"notProcessed":"true"}}],"wasTerminated":true}}"#
                ),
                "ok[PONR=1] | NotDone Broken  - | NotDone Broken  -",
            ),
            (
                format!(r#"{{"results":[{ok},{ok}],"wasTerminated":false}}"#),
                "ok[PONR=1] | ok[PONR=1] | Unknown Broken  -",
            ),
            (
                format!(r#"{{"results":[{ok},{ok},{ok}],"nrOfFailedTransactions":1}}"#),
                "Unknown Broken  - | Unknown Broken  - | Unknown Broken  -",
            ),
            (
                format!(
                    r#"{{"results":[{ok}],"wasTerminated":true,"terminationErrorType":"InputFieldTooLong"}}"#
                ),
                "ok[PONR=1] | Unknown Data InputFieldTooLong - | Unknown Data InputFieldTooLong -",
            ),
        ];
        for (body, want) in bodies {
            assert_eq!(shown(200, &body, 3), want, "{body}");
        }
        let whole = [
            (
                format!(r#"{{{NOK},"nrOfSuccessfullTransactions":0}}"#),
                "Refused Data WIT0103 ITNO | NotDone Data WIT0103 ITNO",
            ),
            (format!("{{{NOK}}}"), "Unknown Data WIT0103 ITNO | Unknown Data WIT0103 ITNO"),
        ];
        for (body, want) in whole {
            assert_eq!(shown(400, &body, 2), want, "{body}");
        }
    }

    const WHOLE: &str = r#"{"results":[{"transaction":"AddBatchLine","records":[{"PONR":"1"},{"PONR":"2"}]}],"wasTerminated":false,"nrOfSuccessfullTransactions":1}"#;

    proptest! {
        #[test]
        fn an_answer_that_was_cut_is_neither_a_yes_nor_a_certain_no(at in 0..WHOLE.len()) {
            let cut = &WHOLE[..at];
            prop_assert_eq!(shown(200, cut, 1), "all: Unknown Broken HTTP 200 -");
        }

        #[test]
        fn no_body_makes_a_write_certainly_not_done(status in prop::sample::select(vec![200_u16, 400, 500]), body in ".{0,60}") {
            prop_assert!(!shown(status, &body, 1).contains("NotDone"));
            prop_assert!(!shown(status, &body, 1).starts_with("ok"));
        }
    }
}
