//! What is to go wrong with the next call of a transaction, as a test wrote it. Pure.

use crate::weather::Fault;
use std::collections::{BTreeMap, VecDeque};

/// What goes wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Something on the way.
    Way(Fault),
    /// M3 refuses with this message id; the work is not done.
    Refused(String),
    /// A bulk request ends after so many entries.
    TerminatedAfter(usize),
    /// A bulk request ends within the entry after so many: it is executed and not reported.
    TerminatedWithin(usize),
    /// A list breaks off after so many rows.
    PartialAfter(usize),
    /// The answer comes in XML.
    Xml,
    /// The call takes so many milliseconds longer, and is answered.
    Slow(u64),
}

/// The troubles waiting for their transactions, first come, first served.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    waiting: BTreeMap<(String, String), VecDeque<Trouble>>,
}

impl Scripts {
    pub(crate) fn add(&mut self, program: &str, transaction: &str, trouble: Trouble) {
        let key = (program.to_owned(), transaction.to_owned());
        self.waiting.entry(key).or_default().push_back(trouble);
    }

    /// The trouble of the first of these transactions that has one.
    pub(crate) fn take(&mut self, program: &str, transactions: &[&str]) -> Option<Trouble> {
        transactions.iter().find_map(|transaction| {
            self.waiting.get_mut(&(program.to_owned(), (*transaction).to_owned()))?.pop_front()
        })
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}
