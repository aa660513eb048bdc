//! The commands for customers: which customer of M3 each buyer is, and a person's word on it.
//!
//! Guarantees: the running gateway does the work, so no two programs write one state; a list is
//! printed part by part as it comes, however long it is.

use super::{
    ConfigFile, Fault, say,
    table::{Form, printable, quoted},
};
use crate::{
    config,
    control::{self, ControlError},
    dates::rfc3339,
    delivery::desk::{
        Ask, Reply,
        customers::{Line, Page},
    },
    flow::customer::card::Follows,
};
use clap::{Args, Subcommand};
use std::{fmt::Write, path::Path};

/// Which customer of M3 each buyer is.
#[derive(Debug, Args)]
pub struct Customers {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be asked of the customers.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Every buyer with its customer.
    List {
        /// How it is printed.
        #[arg(long = "as", value_enum, default_value = "text")]
        form: Form,
    },
    /// The customer of one buyer, and what M3 was told of it.
    Show {
        /// The shop's profile id, or a guest's e-mail address.
        buyer: String,
    },
    /// Say which customer a buyer is; orders that wait for it go on.
    Link {
        /// The shop's profile id, or a guest's e-mail address.
        buyer: String,
        /// M3's number of the customer (CUNO).
        customer: String,
        /// From now on it follows what the shop changes, as one that the gateway made.
        #[arg(long)]
        update: bool,
    },
    /// Forget which customer a buyer is; the next order finds or makes it.
    Unlink {
        /// The shop's profile id, or a guest's e-mail address.
        buyer: String,
    },
}

/// Does one of them.
pub fn run(customers: &Customers) -> Result<(), Fault> {
    let loaded = config::load(&customers.config.path)?;
    let state_dir = &loaded.config.state_dir;
    let runtime = super::runtime()?;
    match &customers.action {
        Action::List { form } => runtime.block_on(list(state_dir, *form)),
        Action::Show { buyer } => {
            let page = runtime.block_on(ask(state_dir, &Ask::Customer { buyer: buyer.clone() }))?;
            say(&page.lines.iter().map(shown).collect::<String>())
        }
        Action::Link { buyer, customer, update } => {
            let follows = if *update { Follows::Shop } else { Follows::Nobody };
            let (buyer, customer) = (buyer.clone(), customer.clone());
            let asked = Ask::LinkCustomer { buyer, customer, follows };
            let page = runtime.block_on(ask(state_dir, &asked))?;
            let woken = page.woken;
            say(&page.lines.iter().map(shown).collect::<String>())?;
            say(&format!(
                "{woken} parked orders go on; M3 is asked for the customer with the first\n"
            ))
        }
        Action::Unlink { buyer } => {
            let asked = Ask::UnlinkCustomer { buyer: buyer.clone() };
            runtime.block_on(control::ask(state_dir, &asked))?;
            say("forgotten; the next order of the buyer finds or makes the customer\n")
        }
    }
}

async fn ask(state_dir: &Path, ask: &Ask) -> Result<Page, ControlError> {
    let reply = control::ask(state_dir, ask).await?;
    let Reply::Customers(page) = reply else { return Err(ControlError::not_asked_for()) };
    Ok(*page)
}

async fn list(state_dir: &Path, form: Form) -> Result<(), Fault> {
    match form {
        Form::Text => say(&row(["buyer", "customer", "by", "since", "written"]))?,
        Form::Csv => say("buyer,customer,by,since,follows,written,notes\n")?,
        Form::Json => {}
    }
    let mut after = None;
    loop {
        let page = ask(state_dir, &Ask::Customers { after }).await?;
        let text = page.lines.iter().map(|line| printed(line, form)).collect::<Result<String, _>>();
        say(&text.map_err(ControlError::Unreadable)?)?;
        if page.after.is_none() {
            return Ok(());
        }
        after = page.after;
    }
}

fn row([buyer, customer, by, since, written]: [&str; 5]) -> String {
    let text = format!("{buyer:<40} {customer:<10} {by:<7} {since:<20} {written}");
    format!("{}\n", text.trim_end())
}

fn time(at_ms: u64) -> String {
    if at_ms == 0 { String::new() } else { rfc3339(at_ms) }
}

fn printed(line: &Line, form: Form) -> serde_json::Result<String> {
    let Line { name, customer, by, since_ms, follows, written_ms, notes } = line;
    let (since, written) = (time(*since_ms), time(*written_ms));
    Ok(match form {
        Form::Text => row([&printable(name), customer, by, &since, &written]),
        Form::Csv => {
            let (follows, notes) = (follows.to_string(), notes.join("; "));
            let cells = [name, customer, by, &since, &follows, &written, &notes];
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            format!("{}\n", cells.join(","))
        }
        Form::Json => format!("{}\n", serde_json::to_string(line)?),
    })
}

fn shown(line: &Line) -> String {
    let Line { name, customer, by, since_ms, follows, written_ms, notes } = line;
    let mut text = format!("buyer     {}\ncustomer  {customer}\n", printable(name));
    let said = match by.as_str() {
        "made" => "it was made for the shop",
        "person" => "a person said so",
        _ => "it was found in M3",
    };
    let _ = writeln!(text, "because   {said}");
    let rows = [
        ("since", time(*since_ms)),
        ("follows", if *follows { "the shop, as a person said".to_owned() } else { String::new() }),
        ("written", time(*written_ms)),
        ("notes", notes.join("; ")),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{name:<9} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_printed_for_people_sheets_and_programs() {
        let line = Line {
            name: "e:a\u{1b}b@x.example".into(),
            customer: "Y30000".into(),
            by: "person".into(),
            since_ms: 1_000,
            follows: true,
            written_ms: 0,
            notes: vec!["VAT number refused by M3".into()],
        };
        let text = printed(&line, Form::Text).unwrap();
        let cells: Vec<_> = text.split_whitespace().collect();
        assert_eq!(cells, ["e:a", "b@x.example", "Y30000", "person", "1970-01-01T00:00:01Z"]);
        let csv = printed(&line, Form::Csv).unwrap();
        assert!(
            csv.ends_with(",person,1970-01-01T00:00:01Z,true,,VAT number refused by M3\n"),
            "{csv}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&printed(&line, Form::Json).unwrap()).unwrap();
        assert_eq!(json["customer"], "Y30000");
        let text = shown(&line);
        for part in ["a person said so", "notes     VAT number refused", "follows   the shop"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
