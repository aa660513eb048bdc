//! The programs, transactions and fields of M3 (reference/m3.md 3, 4 and 4.7). Pure.
//!
//! Guarantees: what was read from the customer's own M3 comes before what was shipped, and
//! each program says which of both it is. The shipped part knows the programs of the
//! reference; the lengths of its inputs are borrowed from outputs, and some are unknown.

pub mod cache;
pub mod check;
pub mod needed;
pub mod refresh;
mod shipped;

use crate::clock::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    /// Text.
    #[serde(rename = "A")]
    Alpha,
    /// A number.
    #[serde(rename = "N")]
    Numeric,
    /// A day, `yyyyMMdd`.
    #[serde(rename = "D")]
    Date,
}

impl FieldKind {
    /// Returns the letter that M3 uses.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Alpha => "A",
            Self::Numeric => "N",
            Self::Date => "D",
        }
    }

    fn of_letter(letter: &str) -> Self {
        match letter {
            "N" => Self::Numeric,
            "D" => Self::Date,
            _ => Self::Alpha,
        }
    }
}

/// Whether a call works without a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// It does not.
    Mandatory,
    /// It does.
    Optional,
}

/// One field of an input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Such as `CUNO`.
    pub name: String,
    /// What M3 calls it.
    pub description: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Characters; none where nobody knows.
    pub length: Option<u16>,
    /// Digits behind the point, where M3 says so.
    pub decimals: Option<u8>,
    /// Whether a call works without it.
    pub duty: Duty,
}

/// Whether all fields are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// All.
    Whole,
    /// There are more.
    Part,
}

/// The fields that go in or come out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// In M3's order.
    pub fields: Vec<Field>,
    /// Whether there are more.
    pub extent: Extent,
}

impl Layout {
    /// Returns a field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether a field of this name is certainly not there.
    pub fn lacks(&self, name: &str) -> bool {
        self.extent == Extent::Whole && self.field(name).is_none()
    }
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// What M3 calls it; empty in the shipped part.
    pub description: String,
    /// What goes in.
    pub input: Layout,
    /// What comes out.
    pub output: Layout,
}

/// Where the transactions of a program are known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// From the reference.
    Shipped,
    /// Not at all: M3 has the program, and nobody asked what is in it.
    Listed,
    /// From M3, at this time.
    Read(UnixMs),
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What M3 calls it; empty in the shipped part.
    pub description: String,
    /// Where its transactions are known from.
    pub source: Source,
    /// By name; capitals matter.
    pub transactions: BTreeMap<String, Transaction>,
}

/// Which M3 was read, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When its list of programs was read.
    pub at_ms: UnixMs,
    /// CONO of the calls.
    pub company: u16,
    /// DIVI of the calls.
    pub division: String,
}

/// All programs that are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Which M3 it was read from; none if it is only what was shipped.
    pub reading: Option<Reading>,
    /// By name.
    pub programs: BTreeMap<String, Program>,
}

impl Catalogue {
    /// Returns a program.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.get(name)
    }

    /// Returns a transaction.
    pub fn transaction(&self, program: &str, name: &str) -> Option<&Transaction> {
        self.program(program)?.transactions.get(name)
    }

    /// Names the programs whose transactions are known.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        let known = self.programs.iter().filter(|(_, found)| found.source != Source::Listed);
        known.map(|(name, _)| name.as_str())
    }

    /// Puts what was read over what is here. M3's list of programs is the whole truth: what it
    /// does not have goes, what was not read of it stays as it was known.
    #[must_use]
    pub fn under(mut self, read: Self) -> Self {
        let mut programs = BTreeMap::new();
        for (name, program) in read.programs {
            let before = self.programs.remove(&name).filter(|_| program.source == Source::Listed);
            let merged = match before {
                Some(before) => Program { description: program.description, ..before },
                None => program,
            };
            programs.insert(name, merged);
        }
        Self { reading: read.reading, programs }
    }
}

#[cfg(test)]
mod tests;
