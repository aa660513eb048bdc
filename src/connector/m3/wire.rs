//! What both versions of the MI API share on the wire. Pure.
//!
//! Guarantees: a value of a caller never becomes an option or another field; a refusal is
//! judged by its code alone, because its text is in the user's language.

use crate::connector::{Class, Failure, Fate, loose::encode};

/// Where calls run: both options are sent with every call, because the defaults of the MI
/// user may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Up to and without the slash before `execute` or `v2`.
    pub base: String,
    /// CONO.
    pub company: u16,
    /// DIVI; blank is a legal value.
    pub division: String,
}

/// Writes the fields of a call as a query, with its `?` if there are any.
pub(crate) fn query(fields: &[(String, String)]) -> String {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(field, value)| format!("{}={}", encode(field), encode(value)))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// An error as M3 words it, from either version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal<'a> {
    pub code: &'a str,
    pub kind: &'a str,
    pub field: &'a str,
    pub message: &'a str,
}

impl Refusal<'_> {
    /// Turns M3's no into a failure. The message loses the code and field that M3 glues to its end.
    pub(crate) fn failure(&self) -> Failure {
        let (code, kind, field) = (self.code.trim(), self.kind.trim(), self.field.trim());
        let code = if code.is_empty() { kind } else { code };
        let class = Class::of_m3_code(code);
        Failure::new(Fate::Refused, class, unglued(self.message, code, field))
            .with_code(code.chars().take(40).collect::<String>())
            .with_field(field)
    }
}

/// Turns an error that follows rows into a failure: a list that broke off proves nothing,
/// least of all that a record does not exist.
pub(crate) fn broke_off(refusal: &Refusal<'_>) -> Failure {
    Failure { fate: Fate::Unknown, class: Class::Broken, ..refusal.failure() }
}

fn unglued<'a>(message: &'a str, code: &str, field: &str) -> &'a str {
    let mut text = message.trim();
    for tail in [field, code, field] {
        let cut = text.strip_suffix(tail).filter(|rest| rest.ends_with(char::is_whitespace));
        text = cut.filter(|_| !tail.is_empty()).unwrap_or(text).trim_end();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_a_query() {
        let fields = [("CUNM".to_owned(), "A & B".to_owned()), ("ITNO".to_owned(), "1".to_owned())];
        assert_eq!(query(&fields), "?CUNM=A%20%26%20B&ITNO=1");
        assert_eq!(query(&[]), "");
    }

    #[test]
    fn messages_lose_the_padding_code_and_field_at_their_end() {
        let table = [
            (
                "Record does not exist            XRE0103 CUNO",
                "XRE0103",
                "CUNO",
                "Record does not exist",
            ),
            ("Record does not exist   CUNO XRE0103   ", "XRE0103", "CUNO", "Record does not exist"),
            ("Artikel XYZ fehlt", "WIT0103", "ITNO", "Artikel XYZ fehlt"),
            ("Item number ITNO", "WIT0103", "ITNO", "Item number"),
            ("WIT0103", "WIT0103", "", "WIT0103"),
            ("plain", "", "", "plain"),
        ];
        for (message, code, field, want) in table {
            let refusal = Refusal { code, kind: "ServerReturnedNOK", field, message };
            let failure = refusal.failure();
            assert_eq!(failure.text, want, "{message}");
            assert_eq!(failure.fate, Fate::Refused);
        }
        let bare = Refusal { code: "  ", kind: "TransactionNotFound", ..Refusal::default() };
        assert_eq!(bare.failure().code, "TransactionNotFound");
    }
}
