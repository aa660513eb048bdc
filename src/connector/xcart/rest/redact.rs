//! Takes our token out of what a shop answers. Pure.
//!
//! Guarantees: a page that repeats the address of a call (an error page of a server in front of the
//! shop does) shows no token of at least [`CHARS_MIN`] characters to whoever reads the failure.

use crate::{
    connector::{http::Answer, loose::encode},
    secret::Secret,
};

/// A shorter one stands in every text by chance.
const CHARS_MIN: usize = 6;
/// What stands in its place.
const INSTEAD: &str = "[token]";

/// Takes the token out, as it is and as it is written in an address.
pub(super) fn answer(answer: Answer, token: &Secret) -> Answer {
    let plain = token.reveal();
    if plain.chars().count() < CHARS_MIN {
        return answer;
    }
    let (encoded, Answer { status, retry_after_s, body, rest_error }) = (encode(plain), answer);
    let clean = |text: &str| {
        let found = text.contains(plain) || text.contains(&encoded);
        found.then(|| text.replace(plain, INSTEAD).replace(&encoded, INSTEAD))
    };
    let cleaned = clean(&String::from_utf8_lossy(&body)).map(String::into_bytes);
    let body = cleaned.unwrap_or(body);
    let rest_error = rest_error.map(|text| clean(&text).unwrap_or(text));
    Answer { status, retry_after_s, body, rest_error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_in_both_spellings_and_nothing_else_is_changed() {
        let table = [
            (
                "s3cr/et+",
                "<p>/admin.php?_key=s3cr%2Fet%2B or s3cr/et+",
                "<p>/admin.php?_key=[token] or [token]",
            ),
            ("s3cr/et+", "{\"a\":1}", "{\"a\":1}"),
            ("t", "it stays", "it stays"),
        ];
        for (token, body, want) in table {
            let given = Answer {
                status: 404,
                retry_after_s: None,
                body: body.as_bytes().to_vec(),
                rest_error: Some(body.to_owned()),
            };
            let got = answer(given, &Secret::new(token));
            assert_eq!(
                (got.body.as_slice(), got.rest_error.as_deref()),
                (want.as_bytes(), Some(want))
            );
        }
        // What is no text is passed on byte by byte.
        let bytes = vec![0xff, b'a'];
        let given =
            Answer { status: 200, retry_after_s: None, body: bytes.clone(), rest_error: None };
        assert_eq!(answer(given, &Secret::new("s3cret")).body, bytes);
    }
}
