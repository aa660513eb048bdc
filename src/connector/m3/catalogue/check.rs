//! Looks at a call before it is sent: does M3 have what it names, and does each value fit? Pure.
//!
//! Guarantees: nothing is a problem that the catalogue does not know about; each problem says
//! what is wrong and, where a name is unknown, which ones are near it.

use super::{Catalogue, Duty, Field, FieldKind, Layout, Source};
use crate::{connector::m3::mi::MiCall, dates};
use std::fmt;

/// Names that are proposed.
const NEAR_MAX: usize = 3;
/// MI's word for "make this text empty" (reference/m3.md 1.6).
const BLANK: &str = "?";

/// Something that M3 would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// M3 has no such program.
    Program {
        /// What was asked for.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// The program has no such transaction.
    Transaction {
        /// What was asked for, with the program.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// The transaction takes no such field.
    Field {
        /// What was given.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// The transaction gives no such field.
    Column {
        /// What was wanted.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// The value is longer than the field.
    TooLong {
        /// The field.
        name: String,
        /// Characters of the value.
        length: usize,
        /// Characters of the field.
        length_max: u16,
    },
    /// The field takes a number.
    NotANumber {
        /// The field.
        name: String,
    },
    /// The field takes a day.
    NotADate {
        /// The field.
        name: String,
    },
    /// The call does not work without this field.
    Missing {
        /// The field.
        name: String,
        /// What M3 calls it.
        description: String,
    },
}

impl Catalogue {
    /// Says what M3 would refuse of a call; empty if nothing that is known.
    pub fn check(&self, call: &MiCall) -> Vec<Problem> {
        let MiCall { program: name, transaction, fields, columns, records_max: _ } = call;
        let Some(program) = self.program(name) else {
            let near = near(name, self.programs.keys());
            return vec![Problem::Program { name: name.clone(), near }];
        };
        let Some(found) = program.transactions.get(transaction) else {
            if program.source == Source::Listed {
                return Vec::new();
            }
            let near = near(transaction, program.transactions.keys());
            return vec![Problem::Transaction { name: format!("{name}/{transaction}"), near }];
        };
        let mut problems = Vec::new();
        for (name, value) in fields {
            match found.input.field(name) {
                Some(field) => problems.extend(misfit(field, value)),
                None if found.input.lacks(name) => {
                    let near = near_field(name, &found.input);
                    problems.push(Problem::Field { name: name.clone(), near });
                }
                None => {}
            }
        }
        let mandatory = found.input.fields.iter().filter(|field| field.duty == Duty::Mandatory);
        let missing = mandatory.filter(|field| call.value(&field.name).trim().is_empty());
        problems.extend(missing.map(|field| Problem::Missing {
            name: field.name.clone(),
            description: field.description.clone(),
        }));
        problems.extend(columns.iter().filter(|name| found.output.lacks(name)).map(|name| {
            Problem::Column { name: name.clone(), near: near_field(name, &found.output) }
        }));
        problems
    }
}

/// Says why a value does not fit.
fn misfit(field: &Field, value: &str) -> Option<Problem> {
    let name = || field.name.clone();
    let value = value.trim_end_matches(' ');
    if value.is_empty() || (value == BLANK && field.kind == FieldKind::Alpha) {
        return None;
    }
    let bad = match field.kind {
        FieldKind::Alpha => None,
        FieldKind::Numeric if is_number(value) => None,
        FieldKind::Numeric => Some(Problem::NotANumber { name: name() }),
        FieldKind::Date if value == "0" || dates::is_yyyymmdd(value) => None,
        FieldKind::Date => Some(Problem::NotADate { name: name() }),
    };
    if bad.is_some() {
        return bad;
    }
    // As M3, which is written in Java, counts.
    let length = value.encode_utf16().count();
    let length_max = field.length?;
    (length > usize::from(length_max)).then(|| Problem::TooLong {
        name: name(),
        length,
        length_max,
    })
}

/// Digits with at most one point and a minus in front (reference/m3.md 1.6).
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let points = digits.bytes().filter(|byte| *byte == b'.').count();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain && points <= 1 && digits.len() > points
}

fn near_field(name: &str, layout: &Layout) -> Vec<String> {
    near(name, layout.fields.iter().map(|field| &field.name))
}

/// Returns the names most like `name`, the nearest first.
pub fn near<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let folded = name.to_ascii_lowercase();
    let far_max = (folded.chars().count() / 3).max(1);
    let like = |known: &'a String| {
        let other = known.to_ascii_lowercase();
        let far = distance(&folded, &other);
        // `AddHead` is meant for `AddBatchHead`.
        let within = is_within(&folded, &other) || is_within(&other, &folded);
        (far <= far_max || within).then_some((far, known))
    };
    let mut found: Vec<(usize, &String)> = names.filter_map(like).collect();
    found.sort();
    found.into_iter().take(NEAR_MAX).map(|(_, known)| known.clone()).collect()
}

/// Whether all letters of a text of some length stand in another, in their order.
fn is_within(short: &str, long: &str) -> bool {
    let mut letters = long.chars();
    short.len() >= 3 && short.chars().all(|letter| letters.any(|other| other == letter))
}

/// Returns how many letters must change, come or go.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut next = vec![line + 1];
        for ((b, above), left_above) in other.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or(line);
            let change = left_above + usize::from(a != *b);
            next.push(change.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { name, near } => {
                write!(f, "M3 has no program {name}")?;
                propose(f, near)
            }
            Self::Transaction { name, near } => {
                write!(f, "there is no transaction {name}; capitals matter")?;
                propose(f, near)
            }
            Self::Field { name, near } => {
                write!(f, "{name} is not a field that goes in")?;
                propose(f, near)
            }
            Self::Column { name, near } => {
                write!(f, "{name} is not a field that comes out")?;
                propose(f, near)
            }
            Self::TooLong { name, length, length_max } => {
                write!(f, "{name} has {length} characters, and {length_max} is the most")
            }
            Self::NotANumber { name } => {
                write!(f, "{name} takes a number: digits, a point, a minus in front")
            }
            Self::NotADate { name } => write!(f, "{name} takes a day as yyyyMMdd"),
            Self::Missing { name, description } if description.is_empty() => {
                write!(f, "{name} is missing")
            }
            Self::Missing { name, description } => write!(f, "{name} is missing ({description})"),
        }
    }
}

fn propose(f: &mut fmt::Formatter<'_>, near: &[String]) -> fmt::Result {
    if near.is_empty() { Ok(()) } else { write!(f, "; did you mean {}?", near.join(" or ")) }
}
