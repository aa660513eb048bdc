//! The commands for profiles: which of the shop's have a customer in M3, which would get one, and which need a
//! person.
//!
//! Guarantees: what the running gateway knows only the running gateway tells; a list is printed part
//! by part as it comes, however long it is.

use super::{
    ConfigFile, Fault, say,
    table::{Form, printable, quoted},
};
use crate::{
    config,
    control::{self, ControlError},
    profiles::report::{Ask, Line, Only, Reply, Told},
};
use clap::{Args, Subcommand, ValueEnum};
use std::{fmt::Write, path::Path};

/// Which of the shop's profiles have a customer in M3.
#[derive(Debug, Args)]
pub struct Profiles {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do; without it: how the flow stands.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What can be asked of the profiles.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// The profiles of the shop with their customers.
    List {
        /// Which.
        #[arg(long, value_enum, default_value = "all")]
        only: Which,
        /// How it is printed.
        #[arg(long = "as", value_enum, default_value = "text")]
        form: Form,
    },
    /// Look at one profile again, now: after something was mended in M3 or in the shop.
    Look {
        /// The profile's id.
        profile: u64,
    },
    /// Read the shop's profiles anew, now.
    Refresh,
}

/// Which profiles are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Which {
    /// All of them.
    All,
    /// Those of which M3 is to be told.
    Differing,
    /// Those that need a person.
    Parked,
    /// Those that the settings leave out.
    LeftOut,
}

/// Does one of them.
pub fn run(profiles: &Profiles) -> Result<(), Fault> {
    let loaded = config::load(&profiles.config.path)?;
    let state_dir = &loaded.config.state_dir;
    let runtime = super::runtime()?;
    let (ask, begun) = match &profiles.action {
        None => (Ask::Standing, String::new()),
        Some(Action::List { only, form }) => {
            let only = match only {
                Which::All => Only::All,
                Which::Differing => Only::Differing,
                Which::Parked => Only::Parked,
                Which::LeftOut => Only::LeftOut,
            };
            return runtime.block_on(list(state_dir, only, *form));
        }
        Some(Action::Look { profile }) => (
            Ask::Look { profile: *profile },
            "it is looked at; see causeway profiles list\n".to_owned(),
        ),
        Some(Action::Refresh) => {
            (Ask::Refresh, "the shop's profiles are being read; see causeway profiles\n".to_owned())
        }
    };
    match runtime.block_on(control::ask_profiles(state_dir, &ask))? {
        Reply::Standing(told) => say(&standing(&told)),
        Reply::Begun => say(&begun),
        Reply::Listed { .. } | Reply::Load(_) => Err(ControlError::not_asked_for().into()),
    }
}

async fn list(state_dir: &Path, only: Only, form: Form) -> Result<(), Fault> {
    match form {
        Form::Text => say(&row(["profile", "CUNO", "", "login", ""]))?,
        Form::Csv => say("profile,login,cuno,stands,note,advice\n")?,
        Form::Json => {}
    }
    each(state_dir, only, |line| say(&printed(line, form).map_err(ControlError::Unreadable)?)).await
}

/// Hands over every profile of a list.
pub(super) async fn each(
    state_dir: &Path,
    only: Only,
    mut found: impl FnMut(&Line) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let reply = control::ask_profiles(state_dir, &Ask::List { only, after }).await?;
        let Reply::Listed { profiles, after: next } = reply else {
            return Err(ControlError::not_asked_for().into());
        };
        profiles.iter().try_for_each(&mut found)?;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

pub(super) fn printed(line: &Line, form: Form) -> serde_json::Result<String> {
    let Line { profile, login, cuno, stands, note, advice } = line;
    let (profile, cuno) = (profile.to_string(), cuno.as_deref().unwrap_or_default());
    Ok(match form {
        Form::Json => format!("{}\n", serde_json::to_string(line)?),
        Form::Csv => {
            let cells = [&profile, login, cuno, stands, note, advice].map(quoted);
            format!("{}\n", cells.join(","))
        }
        Form::Text => {
            let told = [note.as_str(), advice.as_str()];
            let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
            row([&profile, cuno, stands, &printable(login), &printable(&told.join("; "))])
        }
    })
}

fn row([profile, cuno, stands, login, note]: [&str; 5]) -> String {
    let text = format!("{profile:>9} {cuno:<10} {stands:<8} {login:<32}  {note}");
    format!("{}\n", text.trim_end())
}

fn standing(told: &Told) -> String {
    let walked = match told.walked_s {
        Some(seconds) => format!("{seconds} s ago"),
        None => "never to the end".to_owned(),
    };
    let mode = if told.writes { "write" } else { "watch, nothing is written" };
    let rows = [
        ("mode", mode.to_owned()),
        ("the shop's profiles were read", walked),
        ("profiles waiting", format!("{}, the oldest {} s", told.waiting, told.oldest_s)),
        ("M3 is to be told of", told.differing.to_string()),
        ("need a person", told.parked.to_string()),
        ("left out", told.left_out.to_string()),
        ("equal", told.equal.to_string()),
        ("customers made since the start", told.made.to_string()),
        ("found or told since the start", told.told.to_string()),
    ];
    let memberships = told.memberships.iter().map(|told| ("memberships", told.clone()));
    rows.into_iter().chain(memberships).fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<32}{value}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_for_people_sheets_and_programs() {
        let line = Line {
            profile: 7,
            login: "=a@x,\"1\"\u{1b}".to_owned(),
            cuno: Some("W000000007".to_owned()),
            stands: "make".to_owned(),
            note: "M3 has no customer for it".to_owned(),
            advice: String::new(),
        };
        let want = "7,\"'=a@x,\"\"1\"\"\u{1b}\",W000000007,make,M3 has no customer for it,\n";
        assert_eq!(printed(&line, Form::Csv).unwrap(), want);
        let text = printed(&line, Form::Text).unwrap();
        assert!(text.contains("W000000007") && !text.contains('\u{1b}'), "{text:?}");
        let json: Line = serde_json::from_str(&printed(&line, Form::Json).unwrap()).unwrap();
        assert_eq!(json, line);
    }
}
