//! The commands for what was set aside for a person.
//!
//! Guarantees: nothing is discarded without a reason that is kept; the running
//! gateway does the work, so no two programs write one state.

use super::{ConfigFile, Fault, say};
use crate::{
    config,
    control::{self, ControlError},
    dates::rfc3339,
    delivery::desk::{Ask, LISTED_MAX, Listed, Reply, Shown},
    flow::run::ReplayFrom,
};
use clap::{Args, Subcommand};
use std::{fmt::Write, path::Path};
use tokio::runtime;

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

/// What can be done with parked orders.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// One line for each: order key, since when, cause, what happened.
    List {
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// One of them with every step it took.
    Show {
        /// Its key, as `list` prints it.
        key: String,
    },
    /// Try again from the step that failed.
    Replay {
        /// Their keys, as `list` prints them.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        keys: Vec<String>,
        /// All that stand still.
        #[arg(long)]
        all: bool,
        /// Begin with the shop's order again; a temporary order in M3 is taken back first.
        #[arg(long)]
        from_start: bool,
    },
    /// Take off the list, for good; nothing is sent.
    Discard {
        /// Its key, as `list` prints it.
        key: String,
        /// Why; kept with the order.
        #[arg(long)]
        reason: String,
    },
}

/// Does one of them.
pub fn run(parked: &Parked) -> Result<(), Fault> {
    let loaded = config::load(&parked.config.path)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Fault::NoStart { part: "the runtime", source: Box::new(error) })?;
    let text = runtime.block_on(answer(&loaded.config.state_dir, &parked.action))?;
    say(&text)
}

async fn answer(state_dir: &Path, action: &Action) -> Result<String, ControlError> {
    match action {
        Action::List { json } => {
            let listed = list(state_dir).await?;
            if *json { listed_as_json(&listed) } else { Ok(listed_as_text(&listed)) }
        }
        Action::Show { key } => {
            match control::ask(state_dir, &Ask::Show { key: key.clone() }).await? {
                Reply::Shown(shown) => Ok(shown_as_text(&shown)),
                Reply::Listed(_) | Reply::Done => Ok(String::new()),
            }
        }
        Action::Replay { keys, all, from_start } => {
            let from = if *from_start { ReplayFrom::Start } else { ReplayFrom::Step };
            let keys = if *all { standing_still(state_dir).await? } else { keys.clone() };
            for key in &keys {
                control::ask(state_dir, &Ask::Replay { key: key.clone(), from }).await?;
            }
            Ok(format!("{} replayed\n", keys.len()))
        }
        Action::Discard { key, reason } => {
            let ask = Ask::Discard { key: key.clone(), reason: reason.clone() };
            control::ask(state_dir, &ask).await?;
            Ok(format!("{key} discarded\n"))
        }
    }
}

async fn standing_still(state_dir: &Path) -> Result<Vec<String>, ControlError> {
    let listed = list(state_dir).await?;
    Ok(listed.into_iter().filter(|row| row.stands_still).map(|row| row.key).collect())
}

/// Asks page by page.
async fn list(state_dir: &Path) -> Result<Vec<Listed>, ControlError> {
    let mut all: Vec<Listed> = Vec::new();
    loop {
        let after = all.last().map(|row| row.key.clone());
        match control::ask(state_dir, &Ask::List { after }).await? {
            Reply::Listed(page) => {
                let last = page.len() < LISTED_MAX;
                all.extend(page);
                if last {
                    return Ok(all);
                }
            }
            Reply::Shown(_) | Reply::Done => return Ok(all),
        }
    }
}

fn listed_as_json(listed: &[Listed]) -> Result<String, ControlError> {
    let mut text = String::new();
    for row in listed {
        text.push_str(&serde_json::to_string(row).map_err(ControlError::Unreadable)?);
        text.push('\n');
    }
    Ok(text)
}

fn listed_as_text(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut text = String::new();
    for Listed { key, cause, since_ms, stands_still } in listed {
        let still = if *stands_still { "" } else { " (goes on)" };
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{key:20} {} {}{still}: {}",
            rfc3339(*since_ms),
            cause.kind.name(),
            cause.text
        );
    }
    text
}

fn shown_as_text(shown: &Shown) -> String {
    let Shown { key, stage, cause, waits, orno, cuno, total, trail } = shown;
    let mut text = format!("order      {key}\nstage      {stage}\n");
    let rows = [("M3 order", orno), ("customer", cuno), ("total", total), ("waits for", waits)];
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:10} {value}");
        }
    }
    if let Some(cause) = cause {
        let _ = writeln!(text, "cause      {cause}\nadvice     {}", cause.kind.advice());
    }
    for mark in trail {
        let _ = writeln!(text, "  {} {}", rfc3339(mark.at_ms), mark.what);
    }
    text
}
