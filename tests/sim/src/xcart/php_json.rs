//! JSON as PHP writes it.
//!
//! Guarantees: a whole float loses its fraction (`10`), any other float is the shortest text
//! that reads back the same (`serialize_precision` -1), slashes are escaped, and what is not
//! ASCII is written as `\uXXXX` unless asked otherwise. Pure.

use serde_json::Value;
use std::fmt::Write;

/// How text outside ASCII is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unicode {
    /// As `\uXXXX`, surrogate pairs for what lies beyond the first plane.
    Escaped,
    /// As it is.
    Plain,
}

/// Writes a value.
pub(crate) fn encode(value: &Value, unicode: Unicode) -> String {
    let mut out = String::new();
    write(&mut out, value, unicode);
    out
}

fn write(out: &mut String, value: &Value, unicode: Unicode) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => out.push_str(&float_text(float)),
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_text(out, text, unicode),
        Value::Array(list) => {
            out.push('[');
            for (at, entry) in list.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(out, entry, unicode);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (name, entry)) in map.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(out, name, unicode);
                out.push(':');
                write(out, entry, unicode);
            }
            out.push('}');
        }
    }
}

/// The float as PHP 7.1 and later print it.
pub(crate) fn float_text(float: f64) -> String {
    let size = float.abs();
    if float == 0.0 {
        return if float.is_sign_negative() { "-0.0".to_owned() } else { "0".to_owned() };
    }
    if (1e-4..1e15).contains(&size) {
        return format!("{float}");
    }
    let text = format!("{float:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa =
        if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}e{sign}{exponent}")
}

fn write_text(out: &mut String, text: &str, unicode: Unicode) {
    out.push('"');
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            _ if sign >= ' ' && (sign.is_ascii() || unicode == Unicode::Plain) => out.push(sign),
            _ => {
                for unit in sign.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_text_look_as_php_writes_them() {
        let table = [
            (json!(10.0), "10"),
            (json!(0.1 + 0.2), "0.30000000000000004"),
            (json!(-2.5), "-2.5"),
            (json!(0.00001), "1.0e-5"),
            (json!(1.5e20), "1.5e+20"),
            (json!(0.0), "0"),
            (json!(7), "7"),
            (json!("a/b \"ß\" 😀\u{b}\n"), r#""a\/b \"\u00df\" \ud83d\ude00\u000b\n""#),
            (json!({"a": [null, true]}), r#"{"a":[null,true]}"#),
        ];
        for (value, want) in table {
            assert_eq!(encode(&value, Unicode::Escaped), want);
        }
        assert_eq!(encode(&json!("ß/"), Unicode::Plain), "\"ß\\/\"");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let value = json!({"n": [1.1, 1e-7, 123_456.789, 3], "t": "Ж中\u{1}\\"});
        for unicode in [Unicode::Escaped, Unicode::Plain] {
            let back: Value = serde_json::from_str(&encode(&value, unicode)).unwrap();
            assert_eq!(back, value);
        }
    }
}
