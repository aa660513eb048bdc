//! Finds the line and the key that an offset in a TOML text lies in.
//!
//! Guarantees: a line from 1; a key as an operator would say it
//! (`intake.sources[1].path`), made from the table header above and the key of the line; never a
//! value, because a value may be a secret in the wrong place. Pure.

use std::collections::HashMap;

/// Returns the line and the key at byte `at` of `text`.
pub(super) fn of(text: &str, at: usize) -> (usize, String) {
    let mut table = String::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut begins = 0;
    for (number, line) in text.split('\n').enumerate() {
        let ends = begins + line.len();
        let trimmed = line.trim();
        if let Some(header) = array_header(trimmed) {
            let count = counts.entry(header.to_owned()).or_insert(0);
            table = format!("{}[{count}]", indexed(header, &HashMap::new()));
            *count += 1;
        } else if let Some(header) = table_header(trimmed) {
            table = indexed(header, &counts);
        }
        if at <= ends {
            return (number + 1, join(&table, key_of(trimmed)));
        }
        begins = ends + 1;
    }
    (text.lines().count().max(1), table)
}

fn array_header(line: &str) -> Option<&str> {
    Some(line.strip_prefix("[[")?.split_once("]]")?.0.trim())
}

fn table_header(line: &str) -> Option<&str> {
    Some(line.strip_prefix('[')?.split_once(']')?.0.trim())
}

/// Puts the index of the newest element behind each array a header passes through.
fn indexed(header: &str, counts: &HashMap<String, usize>) -> String {
    let mut plain = String::new();
    let mut said = String::new();
    for part in header.split('.') {
        plain = join(&plain, part);
        said = join(&said, part);
        if let Some(count) = counts.get(&plain) {
            said = format!("{said}[{}]", count.saturating_sub(1));
        }
    }
    said
}

fn key_of(line: &str) -> &str {
    if line.starts_with('[') || line.starts_with('#') {
        return "";
    }
    line.split_once('=').map_or("", |(key, _)| key.trim())
}

fn join(table: &str, key: &str) -> String {
    match (table, key) {
        (table, "") => table.to_owned(),
        ("", key) => key.to_owned(),
        (table, key) => format!("{table}.{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_said_as_line_and_key() {
        let text =
            "a = 1\n[b]\nc = 2 # x\n[[d.e]]\nf = 3\n[[d.e]]\nf = 4\n[d.e.g]\nh = { i = 5 }\n";
        let table = [
            ("1", (1, "a")),
            ("[b]", (2, "b")),
            ("2", (3, "b.c")),
            ("3", (5, "d.e[0].f")),
            ("4", (7, "d.e[1].f")),
            ("5", (9, "d.e[1].g.h")),
        ];
        for (at, (line, key)) in table {
            assert_eq!(of(text, text.find(at).unwrap()), (line, key.to_owned()), "{at}");
        }
        assert_eq!(of("", 9), (1, String::new()));
    }
}
