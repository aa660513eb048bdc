//! Why the program ends, and what systemd is told about it.
//!
//! Guarantees: each reason has one exit status; `RestartPreventExitStatus=78` in
//! the unit keeps systemd from restarting into a broken configuration for ever.

use crate::{
    backup::BackupError,
    config::ConfigError,
    control::ControlError,
    journal::{JournalError, StoreError, guard},
    log::LogError,
    supervise::StillRunning,
};
use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The command line asks for nothing we do.
    #[error("the command line is not usable")]
    Usage(#[source] clap::Error),
    /// Starting again changes nothing until somebody edits the file.
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
    /// Log lines have nowhere to go.
    #[error("logging cannot be started")]
    Log(#[from] LogError),
    /// A part could not begin.
    #[error("{part} cannot be started")]
    NoStart {
        /// Which part.
        part: &'static str,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A part fell too often.
    #[error("{0} kept failing")]
    GaveUp(String),
    /// The end had to be forced.
    #[error("the gateway did not stop in time")]
    StillRunning(#[from] StillRunning),
    /// `doctor` found something.
    #[error("{0} of the checks failed; the table says what to do")]
    Unwell(usize),
    /// `contract` found something.
    #[error("{0} facts that the gateway relies on differ; the table says which")]
    Differs(usize),
    /// `reconcile` found something.
    #[error("{0} of them need somebody; the list says what to do")]
    Apart(usize),
    /// Nobody is there to read the answer.
    #[error("the answer cannot be written")]
    Unsaid(#[source] io::Error),
    /// The running gateway did not do what was asked.
    #[error("could not ask the gateway")]
    Control(#[from] ControlError),
    /// The journal on the disk cannot be looked at.
    #[error("could not look at the journal")]
    Journal(#[from] JournalError),
    /// A back-up was not written.
    #[error("could not write the back-up")]
    NoBackup(#[source] BackupError),
    /// A back-up was not restored.
    #[error("could not restore the back-up")]
    NoRestore(#[source] BackupError),
    /// A running gateway has the journal.
    #[error("the gateway is running and has the journal; stop it first")]
    InUse,
    /// `journal verify` found something, or a number that is not there was asked for.
    #[error("{0}")]
    Missing(String),
    /// The command line is understood, but what it asks for cannot work.
    #[error("{0}")]
    Misasked(String),
    /// Another system understood and said no.
    #[error("{0}")]
    Refused(String),
    /// Another system gave no answer.
    #[error("{0}")]
    Unanswered(String),
    /// A database is not fit to be opened.
    #[error("the database is not fit")]
    Unfit(#[from] StoreError),
}

impl Fault {
    /// Returns the exit status, as `sysexits.h` numbers them.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(64),
            Self::Config(_) => ExitCode::from(78),
            Self::Log(_) => ExitCode::from(70),
            Self::NoStart { .. } => ExitCode::from(70),
            Self::GaveUp(_) => ExitCode::from(70),
            Self::StillRunning(_) => ExitCode::from(70),
            Self::Differs(_) | Self::Apart(_) => ExitCode::from(1),
            Self::Unwell(_) => ExitCode::from(1),
            Self::Unsaid(_) => ExitCode::from(74),
            Self::Control(_) => ExitCode::from(69),
            Self::Journal(_) => ExitCode::from(74),
            Self::NoBackup(_) | Self::NoRestore(_) => ExitCode::from(74),
            Self::InUse => ExitCode::from(75),
            Self::Missing(_) => ExitCode::from(1),
            Self::Misasked(_) => ExitCode::from(64),
            Self::Refused(_) => ExitCode::from(1),
            Self::Unanswered(_) => ExitCode::from(69),
            Self::Unfit(found) => ExitCode::from(guard::status(found)),
        }
    }
}

/// Prints the fault and every cause below it, one per line.
pub fn explain(fault: &Fault) {
    let mut err = io::stderr().lock();
    let mut cause: Option<&dyn Error> = Some(fault);
    while let Some(error) = cause {
        // Nobody is left to tell if stderr is gone.
        let _ = writeln!(err, "causeway: {error}");
        cause = error.source();
    }
}
