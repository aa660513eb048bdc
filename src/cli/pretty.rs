//! JSON with one value a line, for a person. Pure.
//!
//! Guarantees: every value stands there as it was written, numbers to the last digit; only
//! blanks between values change.

use serde_json::value::RawValue;

/// Blanks for each step inwards.
const STEP: usize = 2;

/// Breaks JSON into lines.
pub fn json(value: &RawValue) -> String {
    let mut text = String::with_capacity(value.get().len().saturating_mul(2));
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    // Whether a list or object has just begun: an empty one stays on its line.
    let mut fresh = false;
    for letter in value.get().chars() {
        if quoted {
            text.push(letter);
            quoted = letter != '"' || escaped;
            escaped = letter == '\\' && !escaped;
            continue;
        }
        match letter {
            ' ' | '\n' | '\r' | '\t' => continue,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !fresh {
                    line(&mut text, depth);
                }
            }
            _ if fresh => line(&mut text, depth),
            _ => {}
        }
        text.push(letter);
        fresh = matches!(letter, '{' | '[');
        quoted = letter == '"';
        match letter {
            '{' | '[' => depth = depth.saturating_add(1),
            ',' => line(&mut text, depth),
            ':' => text.push(' '),
            _ => {}
        }
    }
    text.push('\n');
    text
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', depth.saturating_mul(STEP)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_stays_as_it_was_written() {
        let table = [
            ("[]", "[]\n"),
            ("{}", "{}\n"),
            ("19.899999999999999", "19.899999999999999\n"),
            ("\"a{,\\\"[:\"", "\"a{,\\\"[:\"\n"),
            (
                "{ \"b\" :[ 1.50,{\"c\":[]} ],\n\"a\":\"x: \\\\\"}",
                "{\n  \"b\": [\n    1.50,\n    {\n      \"c\": []\n    }\n  ],\n  \"a\": \"x: \\\\\"\n}\n",
            ),
        ];
        for (text, want) in table {
            let value: Box<RawValue> = serde_json::from_str(text).unwrap();
            assert_eq!(json(&value), want, "{text}");
            let again: serde_json::Value = serde_json::from_str(&json(&value)).unwrap();
            assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap());
        }
    }
}
