//! The facts about ION (reference/m3.md 7, 8 and 13), tried on our own end points from outside and,
//! where documents are given to ION, on its messaging service.
//!
//! Guarantees: without leave to write nothing is given that could be taken: our end points are asked,
//! and given what they must refuse; ION is asked only. With leave, what is given is a document
//! that comes to nothing, and a Confirm.BOD that says that it is a test; both are told before.

mod given;
mod ours;
mod theirs;

use super::{Book, Depth, Verdict, needs, open, relied};
use crate::{
    clock,
    connector::{
        Failure, Fate,
        ion::{caller::Caller, publish::Publisher},
    },
    ids::{hex_hash, short_hash},
    intake::ion::config::Config,
};

/// What the trials are given.
#[derive(Clone, Debug)]
pub struct Given {
    /// How far they may go; there is nothing to confirm.
    pub depth: Depth,
    /// Documents of the site, each with the name it is told by.
    pub documents: Vec<(String, Vec<u8>)>,
}

/// Who is tried.
#[derive(Debug)]
pub struct Parties<'a> {
    /// Calls our own end points.
    pub caller: &'a Caller,
    /// ION's messaging; absent: nothing is given to it.
    pub publisher: Option<&'a Publisher>,
}

/// What the gateway goes by.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// What is set about ION.
    pub ion: &'a Config,
    /// Our company in M3, if it is set.
    pub company: Option<u16>,
    /// The largest body that is taken, bytes.
    pub body_bytes_max: u64,
}

/// One run of all trials.
pub struct Trial<'a> {
    parties: Parties<'a>,
    settings: Settings<'a>,
    given: &'a Given,
    told: &'a mut (dyn FnMut(&str) + Send),
    /// Tells what this run gives from what another one gave.
    run: String,
    book: Book,
}

impl<'a> Trial<'a> {
    /// Begins with nothing tried; `told` is given what a person should see at once.
    pub fn new(
        parties: Parties<'a>,
        settings: Settings<'a>,
        given: &'a Given,
        told: &'a mut (dyn FnMut(&str) + Send),
    ) -> Self {
        let (at_ms, process) = (clock::now().unix_ms(), std::process::id());
        let run = short_hash(&[&at_ms.to_be_bytes(), &process.to_be_bytes()], 12);
        Self { parties, settings, given, told, run, book: Book::default() }
    }

    /// Tries everything; the error is given when our own end points cannot be reached at all.
    pub async fn run(mut self) -> Result<Book, Failure> {
        Box::pin(self.ours()).await?;
        Box::pin(self.theirs()).await;
        self.documents();
        Ok(self.book)
    }

    /// Names a message of this run, as a publisher does: 32 hex digits.
    fn message_id(&self, what: &str) -> String {
        hex_hash(&[self.run.as_bytes(), what.as_bytes()], 32)
    }
}

/// What a trial says whose call should have been answered.
fn unexpected(failure: &Failure) -> Verdict {
    match failure.fate {
        Fate::Refused => Verdict::Differs(failure.to_string()),
        Fate::NotDone | Fate::Unknown => Verdict::Untried(format!("no answer: {failure}")),
    }
}
