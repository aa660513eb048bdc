//! The inputs of the shop: which fields they have and what may be in them.
//!
//! Guarantees: a field of the wrong type is "misformatted", a float where an integer belongs
//! included; a value that breaks a rule is told as the shop tells it, in one text; fields not
//! sent stay as they are; fields not known are ignored (reference/xcart.md 2.2, 2.4). Pure.

use super::refusal::Refusal;
use serde_json::{Map, Value};

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Text of so many characters.
    Text { min: usize, max: usize },
    /// Text or null.
    NullableText,
    /// A number of any spelling, not below zero.
    Number,
    /// An integer, not below zero.
    Int,
    /// An integer or null.
    NullableInt,
    /// Yes or no.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these numbers.
    OneOf(&'static [u64]),
    /// A list, of anything.
    List,
}

/// One field of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A field.
pub(crate) const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

const BLANK: &str = "This value should not be blank. (code c1051bb4-d103-4f74-8988-acbcafc7fdc3)";

/// Checks what was sent and lays it over what is stored; on refusal nothing is changed.
pub(crate) fn merge(
    class: &str,
    schema: &[Field],
    stored: &mut Map<String, Value>,
    sent: &Value,
) -> Result<(), Refusal> {
    let Some(sent) = sent.as_object() else { return Err(Refusal::misformatted()) };
    let mut violations = String::new();
    for field in schema {
        let Some(value) = sent.get(field.name) else { continue };
        if !fits(field.kind, value) {
            return Err(Refusal::misformatted());
        }
        if let Some(complaint) = breaks(field.kind, value) {
            violations.push_str(&violation(class, field.name, &complaint));
        }
    }
    if !violations.is_empty() {
        return Err(Refusal::Bad(violations));
    }
    for field in schema {
        if let Some(value) = sent.get(field.name) {
            stored.insert(field.name.to_owned(), kept(field.kind, value));
        }
    }
    Ok(())
}

/// What is said of a required field that is missing.
pub(crate) fn blank(class: &str, name: &str) -> String {
    violation(class, name, BLANK)
}

fn violation(class: &str, name: &str, complaint: &str) -> String {
    format!("Object({class}).{name}:\n    {complaint}\n")
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Text { .. } | Kind::Word(_) => value.is_string(),
        Kind::NullableText => value.is_string() || value.is_null(),
        Kind::Number => value.is_number(),
        Kind::Int | Kind::OneOf(_) => value.is_i64() || value.is_u64(),
        Kind::NullableInt => value.is_null() || value.is_i64() || value.is_u64(),
        Kind::Bool => value.is_boolean(),
        Kind::List => value.is_array(),
    }
}

fn breaks(kind: Kind, value: &Value) -> Option<String> {
    let positive = || "This value should be either positive or zero.".to_owned();
    match kind {
        Kind::Text { min, max } => {
            let len = value.as_str().unwrap_or_default().chars().count();
            if min > 0 && len == 0 {
                Some(BLANK.to_owned())
            } else if len < min {
                Some(format!(
                    "This value is too short. It should have {min} characters or more. \
                     (code 9ff3fdc4-b214-49db-8718-39c315e33d45)"
                ))
            } else if len > max {
                Some(format!(
                    "This value is too long. It should have {max} characters or less. \
                     (code d94b19cc-114f-4f44-9cc4-4138e80a87b9)"
                ))
            } else {
                None
            }
        }
        Kind::Number => (value.as_f64().unwrap_or(0.0) < 0.0).then(positive),
        Kind::Int | Kind::NullableInt => (value.as_i64().unwrap_or(0) < 0).then(positive),
        Kind::Word(words) => (!words.contains(&value.as_str().unwrap_or_default())).then(choice),
        Kind::OneOf(numbers) => {
            (!value.as_u64().is_some_and(|number| numbers.contains(&number))).then(choice)
        }
        Kind::NullableText | Kind::Bool | Kind::List => None,
    }
}

fn choice() -> String {
    "The value you selected is not a valid choice. (code 8e179f1b-97aa-4560-a02f-2a8b42e49df7)"
        .to_owned()
}

/// As the database keeps it: prices have four decimals.
fn kept(kind: Kind, value: &Value) -> Value {
    match kind {
        Kind::Number => {
            let rounded = (value.as_f64().unwrap_or(0.0) * 10_000.0).round() / 10_000.0;
            Value::from(rounded)
        }
        Kind::Text { .. }
        | Kind::NullableText
        | Kind::Int
        | Kind::NullableInt
        | Kind::Bool
        | Kind::Word(_)
        | Kind::OneOf(_)
        | Kind::List => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SCHEMA: [Field; 4] = [
        field("sku", Kind::Text { min: 1, max: 4 }),
        field("price", Kind::Number),
        field("amount", Kind::Int),
        field("status", Kind::Word(&["E", "D"])),
    ];

    #[test]
    fn what_is_sent_is_laid_over_what_is_stored_or_refused_whole() {
        let table = [
            (json!({"amount": 7}), Ok(json!({"sku": "A", "amount": 7}))),
            (json!({"price": 2}), Ok(json!({"sku": "A", "amount": 1, "price": 2.0}))),
            (json!({"price": 1.234_567}), Ok(json!({"sku": "A", "amount": 1, "price": 1.2346}))),
            (json!({"unheard": 1}), Ok(json!({"sku": "A", "amount": 1}))),
            (json!({"amount": 7.0}), Err("misformatted")),
            (json!({"amount": "7"}), Err("misformatted")),
            (json!({"amount": null}), Err("misformatted")),
            (json!({"amount": -1}), Err("positive or zero")),
            (json!({"sku": ""}), Err("Object(In).sku:\n    This value should not be blank.")),
            (json!({"sku": "ABCDE", "amount": 3}), Err("too long")),
            (json!({"status": "X"}), Err("valid choice")),
            (json!([1]), Err("misformatted")),
        ];
        for (sent, want) in table {
            let mut stored = json!({"sku": "A", "amount": 1}).as_object().unwrap().clone();
            let got = merge("In", &SCHEMA, &mut stored, &sent);
            match (got, want) {
                (Ok(()), Ok(want)) => assert_eq!(Value::Object(stored), want, "{sent}"),
                (Err(Refusal::Bad(detail)), Err(want)) => {
                    assert!(detail.contains(want), "{sent}: {detail}");
                    assert_eq!(stored["amount"], 1);
                }
                (got, want) => panic!("{sent}: {got:?}, not {want:?}"),
            }
        }
    }
}
