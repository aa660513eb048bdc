//! The commands for buyers: how the shop's profiles follow M3's customers, which differ, and why one is as
//! it is.
//!
//! Guarantees: what the running gateway knows only the running gateway tells; a list is printed part
//! by part as it comes, however long it is.

use super::{
    ConfigFile, Fault, say,
    table::{Form, printable, quoted},
};
use crate::{
    buyers::report::{Ask, Line, Only, Reply, Shown, Told},
    config,
    control::{self, ControlError},
};
use clap::{Args, Subcommand, ValueEnum};
use std::{fmt::Write, path::Path};

/// How the shop's buyers follow M3's customers.
#[derive(Debug, Args)]
pub struct Buyers {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do; without it: how the flow stands.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What can be asked of the buyers.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// The profiles of the shop with what each has and should have.
    List {
        /// Which.
        #[arg(long, value_enum, default_value = "all")]
        only: Which,
        /// How it is printed.
        #[arg(long = "as", value_enum, default_value = "text")]
        form: Form,
    },
    /// Those that are meant, with what M3 lists of their customer.
    Show {
        /// The id of a profile, the number of a customer, or an e-mail address.
        who: String,
    },
    /// Write M3's values to one profile, whatever the mode and whatever a person changed there.
    Apply {
        /// The profile's id.
        profile: u64,
    },
    /// Read M3's list and the shop's profiles anew, now.
    Refresh,
}

/// Which profiles are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Which {
    /// All of them.
    All,
    /// Those of which the shop has something else than it should.
    Differing,
    /// Those without a customer in M3 that is certain.
    Unknown,
    /// Those that the shop refused, or of which it is not clear what they should have.
    Refused,
}

/// Does one of them.
pub fn run(buyers: &Buyers) -> Result<(), Fault> {
    let loaded = config::load(&buyers.config.path)?;
    let state_dir = &loaded.config.state_dir;
    let runtime = super::runtime()?;
    let ask = match &buyers.action {
        None => Ask::Standing,
        Some(Action::List { only, form }) => {
            return runtime.block_on(list(state_dir, *only, *form));
        }
        Some(Action::Show { who }) => Ask::Show { who: who.clone() },
        Some(Action::Apply { profile }) => Ask::Apply { profile: *profile },
        Some(Action::Refresh) => Ask::Refresh,
    };
    match (runtime.block_on(control::ask_buyers(state_dir, &ask))?, &ask) {
        (Reply::Standing(told), _) => say(&standing(&told)),
        (Reply::Shown(shown), _) => say(&shown.iter().map(one).collect::<String>()),
        (Reply::Begun, Ask::Apply { profile }) => {
            say(&format!("M3's values are being written; see causeway buyers show {profile}\n"))
        }
        (Reply::Begun, _) => {
            say("M3's list and the shop's profiles are being read; see causeway buyers\n")
        }
        (Reply::Listed { .. }, _) => Err(ControlError::not_asked_for().into()),
    }
}

async fn list(state_dir: &Path, only: Which, form: Form) -> Result<(), Fault> {
    let only = match only {
        Which::All => Only::All,
        Which::Differing => Only::Differing,
        Which::Unknown => Only::Unknown,
        Which::Refused => Only::Refused,
    };
    match form {
        Form::Text => say(&row(["profile", "CUNO", "by", "has", "wants", "login", ""]))?,
        Form::Csv => say(
            "profile,login,cuno,by,status,wants_status,membership,wants_membership,changes,note\n",
        )?,
        Form::Json => {}
    }
    let mut after = None;
    loop {
        let reply = control::ask_buyers(state_dir, &Ask::List { only, after }).await?;
        let Reply::Listed { buyers, after: next } = reply else {
            return Err(ControlError::not_asked_for().into());
        };
        let text = buyers.iter().map(|line| printed(line, form)).collect::<Result<String, _>>();
        say(&text.map_err(ControlError::Unreadable)?)?;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

fn printed(line: &Line, form: Form) -> serde_json::Result<String> {
    let cuno = line.cuno.as_deref().unwrap_or_default();
    let wants_membership = line.wants_membership.as_deref();
    Ok(match form {
        Form::Json => format!("{}\n", serde_json::to_string(line)?),
        Form::Csv => {
            let cells = [
                line.profile.to_string(),
                quoted(&line.login),
                quoted(cuno),
                line.tie.clone(),
                line.status.clone(),
                line.wants_status.clone(),
                quoted(&line.membership),
                quoted(wants_membership.unwrap_or_default()),
                quoted(&line.changes),
                quoted(&line.note),
            ];
            format!("{}\n", cells.join(","))
        }
        Form::Text => {
            let told: Vec<&str> = [line.changes.as_str(), line.note.as_str()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect();
            let profile = line.profile.to_string();
            let (has, wants) = (
                format!("{} {}", line.status, line.membership),
                format!("{} {}", line.wants_status, wants_membership.unwrap_or_default()),
            );
            let login = printable(&line.login);
            row([&profile, cuno, &line.tie, &has, &wants, &login, &printable(&told.join("; "))])
        }
    })
}

fn row([profile, cuno, by, has, wants, login, note]: [&str; 7]) -> String {
    let text = format!("{profile:>9} {cuno:<10} {by:<8} {has:<16} {wants:<16} {login:<32}  {note}");
    format!("{}\n", text.trim_end())
}

fn standing(told: &Told) -> String {
    let ago = |seconds: Option<u64>, never: &str| match seconds {
        Some(seconds) => format!("{seconds} s ago"),
        None => never.to_owned(),
    };
    let mode = if told.writes { "write" } else { "watch, nothing is written" };
    let (held, most) = told.held;
    let held = match held {
        0 => "none".to_owned(),
        held => {
            format!("{held}, more than buyers.disable_max = {most} within a day: none is disabled")
        }
    };
    let rows = [
        ("mode", mode.to_owned()),
        ("M3 was asked", ago(told.polled_s, "not since the start")),
        ("the shop's profiles were read", ago(told.walked_s, "never to the end")),
        ("profiles waiting", format!("{}, the oldest {} s", told.waiting, told.oldest_s)),
        ("differing", told.differing.to_string()),
        ("held back", held),
        ("written since the start", told.written.to_string()),
        ("refused or unclear", told.refused.to_string()),
        ("without a certain customer", told.unknown.to_string()),
    ];
    let memberships = told.memberships.iter().map(|told| ("memberships", told.clone()));
    rows.into_iter().chain(memberships).fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<30}{value}");
        text
    })
}

fn one(shown: &Shown) -> String {
    let mut text = String::new();
    match &shown.line {
        None => text.push_str("a customer of M3 without a profile in the shop\n"),
        Some(line) => {
            let (cuno, tie) = (line.cuno.as_deref().unwrap_or("-"), &line.tie);
            let _ = writeln!(
                text,
                "profile {}  {}  CUNO {cuno} ({tie})",
                line.profile,
                printable(&line.login)
            );
            let keeps = |wants: &str| if wants.is_empty() { "its own" } else { wants }.to_owned();
            let membership = line.wants_membership.as_deref().map(|name| match name {
                "" => "none",
                name => name,
            });
            let pairs = [
                ("status", line.status.clone(), keeps(&line.wants_status)),
                ("membership", line.membership.clone(), membership.unwrap_or("its own").to_owned()),
            ];
            for (name, has, wants) in pairs {
                let _ = writeln!(text, "  {name:<14} {has:?}, from M3 {wants:?}");
            }
            if !shown.comment.is_empty() {
                let _ = writeln!(text, "  {:<14} {:?}", "comment", shown.comment);
            }
        }
    }
    for (field, value) in &shown.customer {
        let _ = writeln!(text, "  M3 {field:<11} {}", printable(value));
    }
    if shown.is_due {
        text.push_str("  it waits to be compared or written\n");
    }
    let told = shown.line.iter().flat_map(|line| [&line.changes, &line.note]);
    for told in told.filter(|told| !told.is_empty()) {
        let _ = writeln!(text, "  {}", printable(told));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_for_people_sheets_and_programs() {
        let line = Line {
            profile: 7,
            login: "=a@x,\"1\"\u{1b}".to_owned(),
            cuno: Some("Y30000".to_owned()),
            tie: "e-mail".to_owned(),
            status: "E".to_owned(),
            wants_status: "D".to_owned(),
            membership: String::new(),
            wants_membership: Some("Wholesale".to_owned()),
            changes: "disable it, membership Wholesale".to_owned(),
            other_mail: None,
            note: String::new(),
        };
        let want = "7,\"'=a@x,\"\"1\"\"\u{1b}\",Y30000,e-mail,E,D,,Wholesale,\"disable it, membership Wholesale\",\n";
        assert_eq!(printed(&line, Form::Csv).unwrap(), want);
        let text = printed(&line, Form::Text).unwrap();
        assert!(text.contains("Y30000") && text.ends_with("membership Wholesale\n"), "{text:?}");
        assert!(!text.contains('\u{1b}'));
        let json: Line = serde_json::from_str(&printed(&line, Form::Json).unwrap()).unwrap();
        assert_eq!(json, line);
    }
}
