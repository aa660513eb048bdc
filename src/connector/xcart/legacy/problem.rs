//! How a shop of 5.0 to 5.4 says no (reference/xcart.md 9.3). Pure.
//!
//! Guarantees: an empty 404 is a record that is not there, or an entity the shop does not have, and
//! the two are told apart; a page for people is never taken for an answer.

use super::call::Call;
use crate::connector::{Class, Failure, Fate, http::Answer, loose::transport, tidy};

/// Returns what is wrong with an answer; fates are those of writes. None for one of JSON.
pub(in crate::connector::xcart) fn of(answer: &Answer, call: &Call) -> Option<Failure> {
    let body = answer.body.trim_ascii();
    let is_page = body.first() == Some(&b'<');
    if (200..300).contains(&answer.status) && !body.is_empty() && !is_page {
        return None;
    }
    let failure = transport(answer);
    Some(match (answer.status, body.is_empty()) {
        (403, true) if call.writes() => Failure {
            text: "the shop refused our key for a write: is it the one that may only read?".into(),
            ..failure
        },
        (403, true) => Failure {
            fate: Fate::NotDone,
            class: Class::Unauthorized,
            text: "the shop refused our key".into(),
            ..failure
        },
        (404, true) if call.names_a_record() => no_record(),
        (404, true) => Failure { text: tidy(&no_entity(call.entity())), ..failure },
        (400, _) => {
            let said = answer.rest_error.as_deref().filter(|said| !said.trim().is_empty());
            let text = said.map_or_else(|| failure.text.clone(), tidy);
            Failure { fate: Fate::Refused, class: Class::Data, text, ..failure }
        }
        (200..=299, _) if is_page => Failure {
            text: tidy(&format!(
                "a page came and not the API; is the add-on REST API on? {}",
                failure.text
            )),
            ..failure
        },
        _ => failure,
    })
}

/// A record that is not there.
pub(in crate::connector::xcart) fn no_record() -> Failure {
    Failure::new(Fate::Refused, Class::NotFound, "the shop has no such record")
        .with_code("HTTP 404")
}

fn no_entity(entity: &str) -> String {
    format!("the shop does not know {entity}: it is too old for it, or a module is off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_the_add_on_says_no_has_its_meaning() {
        use {Class as C, Fate as F};
        let (list, read, write) =
            (Call::list("order"), Call::read("order", 5), Call::change("order", 5).with("a", 1));
        let html = "<html><title>Log in</title></html>";
        let table = [
            (200, "[]", None, &list, None),
            (200, "null", None, &write, None),
            (
                200,
                html,
                None,
                &list,
                Some((F::Unknown, C::Broken, "is the add-on REST API on? Log in")),
            ),
            (200, "", None, &write, Some((F::Unknown, C::Broken, "cannot be read"))),
            (403, "", None, &list, Some((F::NotDone, C::Unauthorized, "refused our key"))),
            (403, "", None, &write, Some((F::Refused, C::Forbidden, "may only read"))),
            (403, html, None, &list, Some((F::Refused, C::Forbidden, "Log in"))),
            (404, "", None, &read, Some((F::Refused, C::NotFound, "no such record"))),
            (404, "", None, &list, Some((F::NotDone, C::Config, "does not know order"))),
            (404, html, None, &read, Some((F::NotDone, C::Config, "Log in"))),
            (
                400,
                "null",
                Some("Entity was not found"),
                &write,
                Some((F::Refused, C::Data, "Entity was")),
            ),
            (500, html, None, &write, Some((F::Unknown, C::Broken, "Log in"))),
            (503, html, None, &write, Some((F::Unknown, C::Unavailable, "Log in"))),
        ];
        for (status, body, said, call, want) in table {
            let rest_error = said.map(str::to_owned);
            let answer = Answer { status, retry_after_s: None, body: body.into(), rest_error };
            let got = of(&answer, call);
            match (&got, want) {
                (None, None) => {}
                (Some(got), Some((fate, class, text))) => {
                    assert_eq!((got.fate, got.class), (fate, class), "{status} {got:?}");
                    assert!(got.text.contains(text), "{status}: {}", got.text);
                }
                _ => panic!("{status} {body}: {got:?}"),
            }
        }
    }
}
