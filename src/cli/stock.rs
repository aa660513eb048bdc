//! The commands for the stock flow: how it stands, which goods differ, why one has the number it has.
//!
//! Guarantees: what the running gateway knows only the running gateway tells; a list is printed part
//! by part as it comes, however long it is.

use super::{ConfigFile, Fault, say};
use crate::{
    config,
    control::{self, ControlError},
    goods::report::{Ask, Line, Only, Reply, Shown, Told},
};
use clap::{Args, Subcommand, ValueEnum};
use std::{fmt::Write, path::Path};
use tokio::runtime;

/// How the shop's stock follows M3.
#[derive(Debug, Args)]
pub struct Stock {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do; without it: how the flow stands.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What can be asked of the goods.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// The goods of the shop with the pieces it has and should have.
    List {
        /// Which.
        #[arg(long, value_enum, default_value = "all")]
        only: Which,
        /// How it is printed.
        #[arg(long = "as", value_enum, default_value = "text")]
        form: Form,
    },
    /// One of them, with where its number comes from.
    Show {
        /// The shop's SKU.
        sku: String,
    },
    /// Read M3's balances and the shop's goods anew, now.
    Refresh,
}

/// Which goods are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Which {
    /// All of them.
    All,
    /// Those of which the shop has another number than it should.
    Differing,
    /// Those that M3 does not know.
    Unknown,
    /// Those that the shop refused.
    Refused,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Columns for people.
    Text,
    /// Comma-separated, with names in the first line.
    Csv,
    /// One object of JSON a line.
    Json,
}

/// Does one of them.
pub fn run(stock: &Stock) -> Result<(), Fault> {
    let loaded = config::load(&stock.config.path)?;
    let state_dir = &loaded.config.state_dir;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Fault::NoStart { part: "the runtime", source: Box::new(error) })?;
    match &stock.action {
        None => match runtime.block_on(control::ask_goods(state_dir, &Ask::Standing))? {
            Reply::Standing(told) => say(&standing(&told)),
            other @ (Reply::Listed { .. } | Reply::Shown(_) | Reply::Begun) => {
                Err(unexpected(&other).into())
            }
        },
        Some(Action::List { only, form }) => runtime.block_on(list(state_dir, *only, *form)),
        Some(Action::Show { sku }) => {
            let ask = Ask::Show { sku: sku.clone() };
            match runtime.block_on(control::ask_goods(state_dir, &ask))? {
                Reply::Shown(shown) => say(&one(&shown)),
                other @ (Reply::Standing(_) | Reply::Listed { .. } | Reply::Begun) => {
                    Err(unexpected(&other).into())
                }
            }
        }
        Some(Action::Refresh) => {
            runtime.block_on(control::ask_goods(state_dir, &Ask::Refresh))?;
            say("M3's balances and the shop's goods are being read; see `causeway stock`\n")
        }
    }
}

fn unexpected(reply: &Reply) -> ControlError {
    let kind = match reply {
        Reply::Standing(_) => "standing",
        Reply::Listed { .. } => "list",
        Reply::Shown(_) => "good",
        Reply::Begun => "start",
    };
    ControlError::Refused(format!("the gateway answered with a {kind}, which was not asked for"))
}

async fn list(state_dir: &Path, only: Which, form: Form) -> Result<(), Fault> {
    let only = match only {
        Which::All => Only::All,
        Which::Differing => Only::Differing,
        Which::Unknown => Only::Unknown,
        Which::Refused => Only::Refused,
    };
    match form {
        Form::Text => say(&format!("{:<32} {:<15} {:>8} {:>8}\n", "SKU", "ITNO", "has", "wants"))?,
        Form::Csv => say("sku,itno,product,variant,has,wants,note\n")?,
        Form::Json => {}
    }
    let mut after = None;
    loop {
        match control::ask_goods(state_dir, &Ask::List { only, after }).await? {
            Reply::Listed { goods, after: next } => {
                let text =
                    goods.iter().map(|line| printed(line, form)).collect::<Result<String, _>>();
                say(&text.map_err(ControlError::Unreadable)?)?;
                if next.is_none() {
                    return Ok(());
                }
                after = next;
            }
            other @ (Reply::Standing(_) | Reply::Shown(_) | Reply::Begun) => {
                return Err(unexpected(&other).into());
            }
        }
    }
}

fn printed(line: &Line, form: Form) -> serde_json::Result<String> {
    let number = |pieces: Option<u64>| pieces.map_or_else(String::new, |pieces| pieces.to_string());
    let itno = line.itno.as_deref().unwrap_or_default();
    let (has, wants) = (number(line.has), number(line.wants));
    Ok(match form {
        Form::Json => format!("{}\n", serde_json::to_string(line)?),
        Form::Csv => {
            let cells = [
                field(&line.sku),
                field(itno),
                line.product.to_string(),
                number(line.variant),
                has,
                wants,
                field(&line.note),
            ];
            format!("{}\n", cells.join(","))
        }
        Form::Text => {
            let text = format!("{:<32} {itno:<15} {has:>8} {wants:>8}  {}", line.sku, line.note);
            format!("{}\n", text.trim_end())
        }
    })
}

/// Writes a cell so that commas and quotes stay in it, and a spreadsheet does not take it for a formula.
fn field(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

fn standing(told: &Told) -> String {
    let ago = |seconds: Option<u64>, never: &str| match seconds {
        Some(seconds) => format!("{seconds} s ago"),
        None => never.to_owned(),
    };
    let mode = if told.writes { "write" } else { "watch: nothing is written to the shop" };
    let rows = [
        ("mode", mode.to_owned()),
        ("M3 was asked", ago(told.polled_s, "not since the start")),
        ("the shop's goods were read", ago(told.walked_s, "never to the end")),
        ("items waiting", format!("{}, the oldest {} s", told.waiting, told.oldest_s)),
        ("written since the start", told.written.to_string()),
        ("refused by the shop", told.refused.to_string()),
        ("unknown to M3", told.unknown.to_string()),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<28}{value}");
        text
    })
}

fn one(shown: &Shown) -> String {
    let Shown { line, balances, safety, held, is_due } = shown;
    let number = |pieces: Option<u64>| pieces.map_or("-".to_owned(), |pieces| pieces.to_string());
    let place = match line.variant {
        Some(variant) => format!("product {}, variant {variant}", line.product),
        None => format!("product {}", line.product),
    };
    let mut text = format!("{}  {place}, ITNO {}\n", line.sku, line.itno.as_deref().unwrap_or("-"));
    for (warehouse, quantity) in balances {
        let _ = writeln!(text, "  {:<28}{quantity:>10}", format!("warehouse {warehouse}"));
    }
    let _ = writeln!(text, "  {:<28}{:>10}", "never sold", format!("-{safety}"));
    let _ = writeln!(text, "  {:<28}{:>10}", "ordered, not in M3 yet", format!("-{held}"));
    let _ = writeln!(text, "  {:<28}{:>10}", "for sale", number(line.wants));
    let _ = writeln!(text, "  {:<28}{:>10}", "in the shop", number(line.has));
    if *is_due {
        text.push_str("  it waits to be compared or written\n");
    }
    if !line.note.is_empty() {
        let _ = writeln!(text, "  {}", line.note);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_for_people_sheets_and_programs() {
        let line = Line {
            sku: "=A,\"1\"".to_owned(),
            itno: Some("A1".to_owned()),
            product: 7,
            variant: None,
            has: Some(3),
            wants: None,
            note: String::new(),
        };
        assert_eq!(printed(&line, Form::Csv).unwrap(), "\"'=A,\"\"1\"\"\",A1,7,,3,,\n");
        let text = printed(&line, Form::Text).unwrap();
        assert!(text.starts_with("=A,\"1\"") && text.ends_with("3\n"), "{text:?}");
        let json: Line = serde_json::from_str(&printed(&line, Form::Json).unwrap()).unwrap();
        assert_eq!(json, line);
    }
}
