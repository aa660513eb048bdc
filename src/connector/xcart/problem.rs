//! How the shop says no (reference/xcart.md 2.1 and 2.4). Pure.
//!
//! Guarantees: "this record does not exist" is never confused with "this path does not
//! exist", which is a wrong address or an older shop.

use crate::connector::{
    Class, Failure, Fate,
    http::Answer,
    loose::{Text, transport},
    tidy,
};
use serde::Deserialize;

/// An error as the shop words it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    title: Text,
    detail: Text,
    message: Text,
}

/// Where a 404 came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The record is not there.
    Record,
    /// The path or the method is not there: the shop's catch-all.
    Path,
    /// Not the shop's API at all.
    Elsewhere,
}

/// Judges a 404. The shop's catch-all answers JSON without a `type`.
pub(super) fn missing(answer: &Answer) -> Missing {
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(Problem { kind: Some(_), .. }) => Missing::Record,
        Ok(Problem { kind: None, .. }) => Missing::Path,
        Err(_) => Missing::Elsewhere,
    }
}

/// Turns an answer that is not a success into a failure; fates are those of writes.
pub(super) fn failure(answer: &Answer) -> Failure {
    let failure = transport(answer);
    let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
        return failure;
    };
    let said = [&problem.detail, &problem.message, &problem.title];
    let text = said.iter().find(|text| !text.0.trim().is_empty()).map_or("", |text| &text.0);
    let told = Failure { text: tidy(text), ..failure };
    match (answer.status, missing(answer)) {
        (404, Missing::Record) => Failure { fate: Fate::Refused, class: Class::NotFound, ..told },
        (400, _) => Failure { fate: Fate::Refused, class: bad_request(text), ..told },
        (422, _) => Failure { fate: Fate::Refused, class: Class::Data, ..told },
        // An optimistic lock: the shop rolled back.
        (409, _) => Failure { fate: Fate::NotDone, class: Class::Locked, ..told },
        _ => told,
    }
}

/// Judges the shop's own words; these are not translated (reference/xcart.md 2.4).
fn bad_request(detail: &str) -> Class {
    let detail = detail.trim();
    if detail.starts_with("Order with ID") && detail.ends_with("not found") {
        Class::NotFound
    } else if detail.starts_with("Status code") {
        Class::Config
    } else if detail.starts_with("Input validations failed: SKU ")
        && detail.ends_with(" is not unique")
    {
        Class::Exists
    } else {
        Class::Data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<html><h1>Be right back</h1></html>";

    fn check(status: u16, body: &str, want: (Fate, Class, &str)) {
        let answer = Answer {
            status,
            retry_after_s: None,
            body: body.as_bytes().to_vec(),
            rest_error: None,
        };
        let got = failure(&answer);
        assert_eq!((got.fate, got.class, got.text.as_str()), want, "{status} {body}");
        assert_eq!(got.code, format!("HTTP {status}"));
    }

    #[test]
    fn each_problem_the_shop_words_has_its_fate_and_class() {
        use {Class as C, Fate as F};
        let table = [
            (403, "Access Denied.", F::Refused, C::Forbidden),
            (404, "Not Found", F::Refused, C::NotFound),
            (400, "Order with ID 7 not found", F::Refused, C::NotFound),
            (400, "Status code 'X' is wrong", F::Refused, C::Config),
            (400, "Status code 'X' is invalid", F::Refused, C::Config),
            (400, "Syntax error", F::Refused, C::Data),
            (400, "Input validations failed: SKU A 1 is not unique", F::Refused, C::Exists),
            (400, "Input validations failed: Clean URL a is not unique", F::Refused, C::Data),
            (409, "The optimistic lock failed", F::NotDone, C::Locked),
            (415, "The content type", F::Refused, C::Config),
            (422, "sku: blank", F::Refused, C::Data),
            (500, "Internal Server Error", F::Unknown, C::Broken),
        ];
        for (status, detail, fate, class) in table {
            let body = format!(
                r#"{{"type":"https://tools.ietf.org/html/rfc2616#section-10","title":"An error occurred","detail":"{detail}"}}"#
            );
            check(status, &body, (fate, class, detail));
        }
    }

    #[test]
    fn what_is_not_a_problem_document_is_judged_by_its_status() {
        use {Class as C, Fate as F};
        let credentials = r#"{"message":"Invalid credentials."}"#;
        let bearer = r#"{"code":401,"message":"JWT Token not found"}"#;
        let catch_all = r#"{"title":"An error occurred","detail":"Not found"}"#;
        check(401, credentials, (F::NotDone, C::Unauthorized, "Invalid credentials."));
        check(401, bearer, (F::NotDone, C::Unauthorized, "JWT Token not found"));
        check(404, catch_all, (F::NotDone, C::Config, "Not found"));
        let table = [
            (200, F::Unknown, C::Broken),
            (400, F::Refused, C::Unclassified),
            (404, F::NotDone, C::Config),
            (429, F::NotDone, C::RateLimited),
            (503, F::Unknown, C::Unavailable),
        ];
        for (status, fate, class) in table {
            check(status, HTML, (fate, class, "Be right back"));
        }
    }
}
