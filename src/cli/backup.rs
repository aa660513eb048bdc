//! The commands that write a back-up and build a state folder from one.
//!
//! Guarantees: a gateway that runs writes the back-up itself, so no two programs have one journal; a
//! restore touches nothing but an empty state folder.

use super::{ConfigFile, Fault, say};
use crate::{
    backup::{self, BackupError, Contents},
    config::{self, Loaded},
    control::{self, ControlError, Errand},
    journal::{Guard, Journal, Opening},
    state::State,
};
use clap::Args;
use std::{io, path::PathBuf};

/// Write a back-up of journal and state.
#[derive(Debug, Args)]
pub struct Backup {
    /// Where the gateway's state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// A new file, or a folder to put one in; the gateway's user must be able to write there.
    pub target: PathBuf,
}

/// Build an empty state folder from a back-up.
#[derive(Debug, Args)]
pub struct Restore {
    /// Where the state is to be.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The file.
    pub file: PathBuf,
    /// Only read the file whole and say what it holds.
    #[arg(long)]
    pub check: bool,
}

/// Writes a back-up: the running gateway does it, or this process when none runs.
pub fn run(backup: &Backup) -> Result<(), Fault> {
    let loaded = config::load(&backup.config.path)?;
    let absolute = |error: io::Error| {
        Fault::NoBackup(BackupError::Io { doing: "find the folder", source: error })
    };
    let target = std::path::absolute(&backup.target).map_err(absolute)?;
    let runtime = super::runtime()?;
    let errand = Errand::Backup { target: target.clone() };
    match runtime.block_on(control::send(&loaded.config.state_dir, &errand)) {
        Err(ControlError::NoGateway { .. }) => {}
        answered => return say(&told("written", &answered?)),
    }
    let contents = at_rest(&loaded, &target).map_err(Fault::NoBackup)?;
    say(&told("written", &contents))
}

/// Writes a back-up of stores that nobody uses.
fn at_rest(loaded: &Loaded, target: &std::path::Path) -> Result<Contents, BackupError> {
    let config = &loaded.config;
    let guard = Guard::own();
    let (state, state_committer) =
        State::open_with(&config.state_dir.join("state"), &config.state, &guard)?;
    let opening = Opening { guard, taken: None };
    let (journal, journal_committer) =
        Journal::open_with(&config.state_dir.join("journal"), &config.journal, opening)?;
    let contents = backup::write(&state, &journal, target);
    journal_committer.stop();
    state_committer.stop();
    contents
}

/// Builds an empty state folder from a back-up, or only checks it.
pub fn restore(restore: &Restore) -> Result<(), Fault> {
    if restore.check {
        let contents = backup::check(&restore.file).map_err(Fault::NoRestore)?;
        return say(&told("whole", &contents));
    }
    let config = config::load(&restore.config.path)?.config;
    let segment_bytes_max = config.journal.segment_bytes_max;
    let contents = backup::restore(&restore.file, &config.state_dir, segment_bytes_max);
    say(&told("restored", &contents.map_err(Fault::NoRestore)?))
}

fn told(what: &str, contents: &Contents) -> String {
    let Contents { file, values, events, next, bytes } = contents;
    let file = file.display();
    format!("{file} {what}: {values} values, {events} events, the next is {next}, {bytes} bytes\n")
}
