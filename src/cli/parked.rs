//! The commands for what was set aside for a person.
//!
//! Guarantees: nothing is discarded without a reason that is kept.

use super::{ConfigFile, Fault};
use clap::{Args, Subcommand};

/// Look after what was set aside for a person.
#[derive(Debug, Args)]
pub struct Parked {
    /// Where the gateway's state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with parked runs.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// One line for each: number, order, since when, why.
    List,
    /// One of them with every step it took.
    Show {
        /// Its number, as `list` prints it.
        id: u64,
    },
    /// Try again from the step that failed.
    Replay {
        /// Their numbers, as `list` prints them.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<u64>,
        /// All of them.
        #[arg(long)]
        all: bool,
    },
    /// Take off the list, for good; nothing is sent.
    Discard {
        /// Its number, as `list` prints it.
        id: u64,
        /// Why; kept with the run.
        #[arg(long)]
        reason: String,
    },
}

/// Does one of them.
pub fn run(parked: &Parked) -> Result<(), Fault> {
    match parked.action {
        Action::List => Err(Fault::Without("the list of parked runs")),
        Action::Show { .. } => Err(Fault::Without("the list of parked runs")),
        Action::Replay { .. } => Err(Fault::Without("the list of parked runs")),
        Action::Discard { .. } => Err(Fault::Without("the list of parked runs")),
    }
}
