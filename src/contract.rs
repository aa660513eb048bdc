//! What we believe about the other systems, tried on one of them.
//!
//! A fact is one sentence of our notes on a system; a trial says whether it holds there. Facts
//! that the gateway relies on must hold; the others are questions whose answer somebody needs. Pure.

pub mod ion;
pub mod m3;
pub mod xcart;

use std::fmt;

/// What a fact means for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It relies on it: where it differs, orders fail or a person is needed.
    Relied,
    /// It works either way; the answer helps who sets it up.
    Open,
}

/// One sentence that is true or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// A short name that stays.
    pub name: &'static str,
    /// Where our notes on the system say it.
    pub section: &'static str,
    /// The sentence.
    pub text: &'static str,
    /// What it means for the gateway.
    pub weight: Weight,
}

/// A fact that the gateway relies on.
pub const fn relied(name: &'static str, section: &'static str, text: &'static str) -> Fact {
    Fact { name, section, text, weight: Weight::Relied }
}

/// A fact that it works without.
pub const fn open(name: &'static str, section: &'static str, text: &'static str) -> Fact {
    Fact { name, section, text, weight: Weight::Open }
}

/// What came of a trial, with what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so there.
    Holds(String),
    /// It is otherwise there.
    Differs(String),
    /// It could not be tried.
    Untried(String),
}

impl Verdict {
    /// Holds if `so`, else differs.
    #[expect(clippy::fn_params_excessive_bools, reason = "the outcome of a comparison")]
    pub fn of(so: bool, seen: impl Into<String>) -> Self {
        if so { Self::Holds(seen.into()) } else { Self::Differs(seen.into()) }
    }

    /// Returns the word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds(_) => "holds",
            Self::Differs(_) => "DIFFERS",
            Self::Untried(_) => "not tried",
        }
    }

    /// Returns what was seen.
    pub fn seen(&self) -> &str {
        match self {
            Self::Holds(seen) | Self::Differs(seen) | Self::Untried(seen) => seen,
        }
    }
}

/// Says that a trial needs something that was not given or is not there.
fn needs(what: &str) -> Verdict {
    Verdict::Untried(format!("needs {what}"))
}

/// How far a trial may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Reads only.
    Read,
    /// Writes what it takes away again.
    Write,
    /// Makes a real order, too, and deletes it.
    Confirm,
}

/// Everything that was tried, in its order.
#[derive(Clone, Debug, Default)]
pub struct Book {
    rows: Vec<(Fact, Verdict)>,
}

impl Book {
    /// Writes down what came of a trial.
    pub fn note(&mut self, fact: Fact, verdict: Verdict) {
        self.rows.push((fact, verdict));
    }

    /// Returns all rows.
    pub fn rows(&self) -> &[(Fact, Verdict)] {
        &self.rows
    }

    /// Counts the facts that the gateway relies on and that differ.
    pub fn broken(&self) -> usize {
        let broken = |(fact, verdict): &&(Fact, Verdict)| {
            fact.weight == Weight::Relied && matches!(verdict, Verdict::Differs(_))
        };
        self.rows.iter().filter(broken).count()
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relied => "relied on",
            Self::Open => "open",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_relied_on_and_differs_is_broken() {
        let mut book = Book::default();
        let (must, may) = (relied("a", "1", "x"), open("b", "2", "y"));
        for fact in [must, may] {
            book.note(fact, Verdict::of(true, "yes"));
            book.note(fact, Verdict::Untried("no customer".to_owned()));
        }
        book.note(may, Verdict::of(false, "no"));
        assert_eq!((book.broken(), book.rows().len()), (0, 5));
        book.note(must, Verdict::of(false, "no"));
        assert_eq!(book.broken(), 1);
    }
}
