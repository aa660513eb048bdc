//! Rows for a person, a spreadsheet or a program. Pure.
//!
//! Guarantees: nothing that another system wrote reaches the terminal but printable text.

use clap::ValueEnum;
use rust_decimal::Decimal;
use std::fmt::Write as _;

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Columns for people.
    Text,
    /// Comma-separated, with names in the first line.
    Csv,
    /// One object of JSON a line.
    Json,
}

/// Writes rows under their headings, each column as wide as it must be.
pub fn aligned(headings: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(headings.get(column).map_or(0, |heading| heading.chars().count()))
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for row in std::iter::once(&headings).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing into a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Writes rows as RFC 4180 has them.
pub fn csv(headings: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.map(quoted).collect();
        format!("{}\r\n", cells.join(","))
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// Writes a cell so that commas, quotes and line ends stay in it, and a spreadsheet does not take a text for
/// a formula; a number stays one.
pub fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if is_formula && cell.parse::<Decimal>().is_err() { "'" } else { "" };
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{mark}{}\"", cell.replace('"', "\"\""))
    } else {
        format!("{mark}{cell}")
    }
}

/// What another system wrote, as far as it can be printed: it must not reach the terminal as a command.
pub fn printable(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_quoted_and_hold_no_control_characters() {
        let rows = [["ä", "x, \"y\""], ["longer", "a\u{1b}[2J"]]
            .map(|row| row.map(str::to_owned).to_vec());
        let want = "A       B\nä       x, \"y\"\nlonger  a [2J\n";
        assert_eq!(aligned(&["A", "B"], &rows), want);
        assert_eq!(aligned(&["A", "B"], &[]), "A  B\n");
        let want = "A,B\r\nä,\"x, \"\"y\"\"\"\r\nlonger,a\u{1b}[2J\r\n";
        assert_eq!(csv(&["A", "B"], &rows), want);
    }

    #[test]
    fn a_text_is_no_formula_and_a_number_stays_one() {
        let table = [
            ("=1+1", "'=1+1"),
            ("+49 89", "'+49 89"),
            ("@a,\"b\"", "\"'@a,\"\"b\"\"\""),
            ("-cmd", "'-cmd"),
            ("-12.50", "-12.50"),
            ("+3", "+3"),
            ("plain", "plain"),
            ("", ""),
        ];
        for (cell, want) in table {
            assert_eq!(quoted(cell), want);
        }
    }
}
