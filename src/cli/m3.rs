//! The commands for who integrates M3: what it can be asked, and asking it.
//!
//! Guarantees: nothing is changed in M3 without `--write`; no credential is printed; a running
//! gateway is not touched, the command calls M3 itself, through a gate of the same settings.

pub mod call;
pub mod describe;

use super::{ConfigFile, Fault, aside};
use crate::{
    config::{self, Loaded},
    connector::{
        Class, Failure, Fate, Kind,
        m3::{
            self, M3,
            catalogue::{
                Catalogue, cache,
                needed::{self, Wants},
                refresh,
            },
        },
    },
    log,
};
use clap::{Args, Subcommand};
use std::{path::PathBuf, str::FromStr};
use tokio::runtime::Runtime;

/// Ask M3.
#[derive(Debug, Args)]
pub struct Ask {
    /// Where M3 is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Say which programs, transactions and fields M3 has.
    Describe(describe::Describe),
    /// Run one transaction and print what comes back.
    Call(call::Call),
}

/// A program, with or without one of its transactions: `OIS100MI` or `OIS100MI/GetHead`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// In capitals.
    pub program: String,
    /// As it was written: capitals matter to M3.
    pub transaction: Option<String>,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |part: &str| {
            (1..=30).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let (program, transaction) = match text.split_once('/') {
            Some((program, transaction)) => (program, Some(transaction)),
            None => (text, None),
        };
        if !plain(program) || !transaction.is_none_or(plain) {
            return Err(format!("{text:?} is not PROGRAM or PROGRAM/TRANSACTION"));
        }
        let (program, transaction) = (program.to_ascii_uppercase(), transaction.map(str::to_owned));
        Ok(Self { program, transaction })
    }
}

/// Does one of them.
pub fn run(ask: &Ask) -> Result<(), Fault> {
    let loaded = config::load(&ask.config.path)?;
    let mut desk = Desk::open(&loaded)?;
    match &ask.action {
        Action::Describe(describe) => describe::run(&mut desk, describe),
        Action::Call(call) => call::run(&mut desk, call),
    }
}

/// Prepares to call the M3 of the configuration.
pub fn connect(loaded: &Loaded) -> Result<M3, Fault> {
    let Some(settings) = &loaded.config.m3 else {
        let text = "there is no [m3] in the configuration, which says how M3 is reached";
        return Err(Fault::Misasked(text.to_owned()));
    };
    let no_start = |source| Fault::NoStart { part: "the connection to M3", source };
    let secret = loaded
        .credentials
        .get(settings.login.credential())
        .map_err(|error| no_start(Box::new(error)))?;
    M3::new(settings.clone(), &secret).map_err(|error| no_start(Box::new(error)))
}

/// What both commands work with.
pub struct Desk {
    m3: M3,
    runtime: Runtime,
    catalogue: Catalogue,
    state_dir: PathBuf,
    wants: Wants,
}

impl Desk {
    /// Prepares to call M3, and takes the best catalogue there is.
    pub fn open(loaded: &Loaded) -> Result<Self, Fault> {
        let m3 = connect(loaded)?;
        let runtime = super::runtime()?;
        let state_dir = loaded.config.state_dir.clone();
        let (catalogue, why) = cache::best(&state_dir, m3.place());
        if let Some(error) = why {
            aside(&format!("the shipped catalogue is used: {}", log::chain(&error)));
        }
        Ok(Self { m3, runtime, catalogue, state_dir, wants: wants(loaded) })
    }

    /// Reads the catalogue anew: what the gateway needs, what was read before, and one more.
    fn refresh(&mut self, more: Option<&str>) -> Result<(), Fault> {
        let mut wanted: Vec<String> = self.catalogue.known().map(str::to_owned).collect();
        wanted.extend(needed::programs(&self.wants));
        self.read(wanted, more)
    }

    /// Reads one program if nothing is known of what is in it.
    fn learn(&mut self, program: &str) -> Result<(), Fault> {
        if self.catalogue.known().any(|known| known == program) {
            return Ok(());
        }
        // What was read before is kept: it is not read again.
        self.read(Vec::new(), Some(program))
    }

    fn read(&mut self, mut wanted: Vec<String>, more: Option<&str>) -> Result<(), Fault> {
        wanted.extend(more.map(str::to_owned));
        wanted.sort();
        wanted.dedup();
        let mut told = |progress: refresh::Progress| {
            let refresh::Progress { done, total } = progress;
            aside(&format!("read {done} of {total} lists of fields"));
        };
        let reading = Box::pin(refresh::read(&self.m3, &wanted, &mut told));
        let read =
            self.runtime.block_on(reading).map_err(|failure| failed(&failure, Kind::Read))?;
        let before = std::mem::replace(&mut self.catalogue, Catalogue::shipped());
        self.catalogue = before.under(read);
        if let Err(error) = cache::store(&self.state_dir, &self.catalogue) {
            aside(&format!("what was read is not kept: {}", log::chain(&error)));
        }
        Ok(())
    }
}

/// What the configuration asks of M3.
pub(super) fn wants(loaded: &Loaded) -> Wants {
    Wants::of(&loaded.config)
}

/// What lists the items that changed.
const CHANGED_ITEMS: (&str, &str) = ("MMS200MI", "LstItmByChgDate");

/// Says in one line what the catalogue of the state folder knows of what the gateway needs.
pub fn standing(loaded: &Loaded) -> Option<String> {
    let m3::Settings { company, division, .. } = loaded.config.m3.as_ref()?;
    let (catalogue, why) = cache::best(&loaded.config.state_dir, (*company, division));
    let from = match (&catalogue.reading, why) {
        (_, Some(error)) => format!("shipped, because {}", log::chain(&error)),
        (None, None) => "shipped; causeway m3 describe --refresh reads M3's own".to_owned(),
        (Some(reading), None) => format!("read {}", crate::dates::rfc3339(reading.at_ms)),
    };
    let mut missing = needed::missing(&catalogue, &wants(loaded));
    if let Some(items) = &loaded.config.items {
        for language in items.languages() {
            let fields: Vec<&str> = items.fields(language).into_iter().collect();
            missing.extend(needed::not_given(&catalogue, CHANGED_ITEMS, &fields));
        }
    }
    missing.dedup();
    Some(if missing.is_empty() {
        format!("{from}; it has all that we need")
    } else {
        format!("{from}; it LACKS {}", missing.join(", "))
    })
}

/// Turns a failure into the end of the command, with what to do next.
pub fn failed(failure: &Failure, kind: Kind) -> Fault {
    let next = next(failure, kind);
    let text = format!("{failure}\n-> {next}");
    match failure.fate {
        Fate::Refused => Fault::Refused(text),
        Fate::NotDone | Fate::Unknown => Fault::Unanswered(text),
    }
}

/// Says what to do after a failure.
fn next(failure: &Failure, kind: Kind) -> &'static str {
    if failure.fate == Fate::Unknown && kind == Kind::Write {
        return "it may have been carried out, or still be: look in M3 before you send it again";
    }
    match failure.class {
        Class::NotFound => "M3 has no such record: check the key, and leading blanks in it",
        Class::Exists => "M3 has it already: read it, or change it instead",
        Class::Locked => "somebody else has the record: try again in a moment",
        Class::Data => "correct the value; causeway m3 describe shows what each field takes",
        Class::State => "the record's status does not allow it: look at it in M3",
        Class::Unclassified => "look the code up in M3, or ask who runs it",
        class @ (Class::Unreachable
        | Class::TimedOut
        | Class::RateLimited
        | Class::Unavailable
        | Class::Held
        | Class::Broken
        | Class::Unauthorized
        | Class::Forbidden
        | Class::Config) => super::destinations::advice(class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_or_without_a_transaction() {
        let name = |program: &str, transaction: Option<&str>| Name {
            program: program.to_owned(),
            transaction: transaction.map(str::to_owned),
        };
        let table = [
            ("OIS100MI", Some(name("OIS100MI", None))),
            ("ois100mi/GetHead", Some(name("OIS100MI", Some("GetHead")))),
            ("OIS100MI/", None),
            ("/GetHead", None),
            ("OIS100MI/Get/Head", None),
            ("OIS100MI;cono=1/GetHead", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(text.parse::<Name>().ok(), want, "{text}");
        }
    }

    #[test]
    fn a_write_whose_answer_was_lost_is_never_called_undone() {
        let lost = Failure::new(Fate::Unknown, Class::TimedOut, "no answer in time");
        assert!(failed(&lost, Kind::Write).to_string().contains("may have been carried out"));
        let read = lost.of_kind(Kind::Read);
        assert!(!failed(&read, Kind::Read).to_string().contains("carried out"));
    }
}
