//! The commands for goods: how stock, prices and products follow M3, which differ, and why one is as it
//! is.
//!
//! Guarantees: what the running gateway knows only the running gateway tells; a list is printed part
//! by part as it comes, however long it is.

use super::{
    ConfigFile, Fault, say,
    table::{Form, quoted},
};
use crate::{
    config,
    control::{self, ControlError},
    goods::report::{Ask, Line, Only, Reply, Shown, Told},
};
use clap::{Args, Subcommand, ValueEnum};
use std::{fmt::Write, path::Path};

/// What is told of a shop without wholesale prices.
const NO_WHOLESALE: &str = "the shop has none: its module is missing";

/// How the shop's stock, prices and products follow M3.
#[derive(Debug, Args)]
pub struct Goods {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do; without it: how the flows stand.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What can be asked of the goods.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// The goods of the shop with what it has and should have.
    List {
        /// Which.
        #[arg(long, value_enum, default_value = "all")]
        only: Which,
        /// How it is printed.
        #[arg(long = "as", value_enum, default_value = "text")]
        form: Form,
    },
    /// One of them, with where its numbers come from.
    Show {
        /// The shop's SKU, or the number of an item without a product.
        sku: String,
    },
    /// Make the product of an item again that was deleted in the shop, or try once more.
    Make {
        /// M3's number of the item.
        itno: String,
    },
    /// Read M3's lists and the shop's goods anew, now.
    Refresh,
}

/// Which goods are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Which {
    /// All of them.
    All,
    /// Those of which the shop has something else than it should.
    Differing,
    /// Those that M3 does not know.
    Unknown,
    /// Those that the shop refused, or whose texts cannot be worked out.
    Refused,
    /// Items that should have a product and have none.
    Missing,
}

/// Does one of them.
pub fn run(goods: &Goods) -> Result<(), Fault> {
    let loaded = config::load(&goods.config.path)?;
    let state_dir = &loaded.config.state_dir;
    let runtime = super::runtime()?;
    match &goods.action {
        None => match runtime.block_on(control::ask_goods(state_dir, &Ask::Standing))? {
            Reply::Standing(told) => say(&standing(&told)),
            other @ (Reply::Listed { .. }
            | Reply::Shown(_)
            | Reply::Begun
            | Reply::Planned(_)
            | Reply::Load(_)) => Err(unexpected(&other).into()),
        },
        Some(Action::List { only, form }) => runtime.block_on(list(state_dir, *only, *form)),
        Some(Action::Show { sku }) => {
            let ask = Ask::Show { sku: sku.clone() };
            match runtime.block_on(control::ask_goods(state_dir, &ask))? {
                Reply::Shown(shown) => say(&one(&shown)),
                other @ (Reply::Standing(_)
                | Reply::Listed { .. }
                | Reply::Begun
                | Reply::Planned(_)
                | Reply::Load(_)) => Err(unexpected(&other).into()),
            }
        }
        Some(Action::Make { itno }) => {
            runtime.block_on(control::ask_goods(state_dir, &Ask::Make { itno: itno.clone() }))?;
            say("it is looked at again; see `causeway goods show`\n")
        }
        Some(Action::Refresh) => {
            runtime.block_on(control::ask_goods(state_dir, &Ask::Refresh))?;
            say("M3's lists and the shop's goods are being read; see `causeway goods`\n")
        }
    }
}

pub(super) fn unexpected(reply: &Reply) -> ControlError {
    let kind = match reply {
        Reply::Standing(_) => "standing",
        Reply::Listed { .. } => "list",
        Reply::Shown(_) => "good",
        Reply::Begun => "start",
        Reply::Planned(_) => "plan",
        Reply::Load(_) => "load",
    };
    ControlError::Refused(format!("the gateway answered with a {kind}, which was not asked for"))
}

async fn list(state_dir: &Path, only: Which, form: Form) -> Result<(), Fault> {
    let only = match only {
        Which::All => Only::All,
        Which::Differing => Only::Differing,
        Which::Unknown => Only::Unknown,
        Which::Refused => Only::Refused,
        Which::Missing => Only::Missing,
    };
    match form {
        Form::Text => say(&row(["SKU", "ITNO", "has", "wants", "price", "wants", ""]))?,
        Form::Csv => {
            say("sku,itno,product,variant,has,wants,has_price,wants_price,changes,note\n")?;
        }
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
            other @ (Reply::Standing(_)
            | Reply::Shown(_)
            | Reply::Begun
            | Reply::Planned(_)
            | Reply::Load(_)) => {
                return Err(unexpected(&other).into());
            }
        }
    }
}

fn printed(line: &Line, form: Form) -> serde_json::Result<String> {
    let number = |pieces: Option<u64>| pieces.map_or_else(String::new, |pieces| pieces.to_string());
    let itno = line.itno.as_deref().unwrap_or_default();
    let (has, wants) = (number(line.has), number(line.wants));
    let price = |price: &Option<String>| price.clone().unwrap_or_default();
    let (has_price, wants_price) = (price(&line.has_price), price(&line.wants_price));
    Ok(match form {
        Form::Json => format!("{}\n", serde_json::to_string(line)?),
        Form::Csv => {
            let cells = [
                quoted(&line.sku),
                quoted(itno),
                number(line.product),
                number(line.variant),
                has,
                wants,
                has_price,
                wants_price,
                quoted(&line.changes),
                quoted(&line.note),
            ];
            format!("{}\n", cells.join(","))
        }
        Form::Text => {
            let told = [line.changes.as_str(), line.note.as_str()];
            let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
            row([&line.sku, itno, &has, &wants, &has_price, &wants_price, &told.join("; ")])
        }
    })
}

fn row([sku, itno, has, wants, price, new, note]: [&str; 7]) -> String {
    let text = format!("{sku:<32} {itno:<15} {has:>8} {wants:>8} {price:>11} {new:>11}  {note}");
    format!("{}\n", text.trim_end())
}

fn standing(told: &Told) -> String {
    let ago = |seconds: Option<u64>, never: &str| match seconds {
        Some(seconds) => format!("{seconds} s ago"),
        None => never.to_owned(),
    };
    let flows = told.flows.iter().map(|flow| {
        let mode = if flow.writes { "write" } else { "watch, nothing is written" };
        let asked = ago(flow.polled_s, "not since the start");
        (flow.name.as_str(), format!("{mode}; M3 was asked {asked}"))
    });
    let missing = told.missing.map(|missing| {
        let told = format!("{missing}; made since the start: {}", told.made);
        ("items without a product", told)
    });
    let rows: Vec<_> = flows
        .chain([
            ("the shop's goods were read", ago(told.walked_s, "never to the end")),
            ("items waiting", format!("{}, the oldest {} s", told.waiting, told.oldest_s)),
            ("written since the start", told.written.to_string()),
            ("refused by the shop", told.refused.to_string()),
            ("unknown to M3", told.unknown.to_string()),
        ])
        .chain(missing)
        .chain(told.no_wholesale.then(|| ("wholesale prices", NO_WHOLESALE.to_owned())))
        .collect();
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<28}{value}");
        text
    })
}

fn one(shown: &Shown) -> String {
    let Shown { line, balances, prices, safety, held, article, card, tiers, is_due } = shown;
    let number = |pieces: Option<u64>| pieces.map_or("-".to_owned(), |pieces| pieces.to_string());
    let place = match (line.product, line.variant) {
        (Some(product), Some(variant)) => format!("product {product}, variant {variant}"),
        (Some(product), None) => format!("product {product}"),
        (None, _) => "no product".to_owned(),
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    if line.wants.is_some() {
        rows.extend(
            balances.iter().map(|(whlo, many)| (format!("warehouse {whlo}"), many.clone())),
        );
        rows.push(("less: never sold".to_owned(), safety.clone()));
        rows.push(("less: ordered, not in M3 yet".to_owned(), held.to_string()));
        rows.push(("for sale".to_owned(), number(line.wants)));
    }
    rows.push(("in the shop".to_owned(), number(line.has)));
    for price in prices {
        let to = if price.to == 0 { String::new() } else { format!(" to {}", price.to) };
        let vat = if price.gross { ", with VAT" } else { "" };
        let name =
            format!("price from {}{to}, {}+, per {}{vat}", price.from, price.quantity, price.per);
        let name = format!("{name}, {}", price.list);
        rows.push((name, price.price.clone()));
    }
    let price = |price: &Option<String>| price.clone().unwrap_or_else(|| "-".to_owned());
    rows.push(("price for the shop".to_owned(), price(&line.wants_price)));
    rows.push(("price in the shop".to_owned(), price(&line.has_price)));
    let mut text = format!("{}  {place}, ITNO {}\n", line.sku, line.itno.as_deref().unwrap_or("-"));
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<48}{value:>12}");
    }
    for (field, value) in article {
        let _ = writeln!(text, "  M3 {field:<20} {value}");
    }
    for (field, has, wants) in card {
        let _ = writeln!(text, "  {field:<23} {has:?}, from M3 {wants:?}");
    }
    for (rung, has, wants) in tiers {
        let _ = writeln!(text, "  wholesale {rung:<30} {has}, from M3 {wants}");
    }
    if *is_due {
        text.push_str("  it waits to be compared or written\n");
    }
    for told in [&line.changes, &line.note].into_iter().filter(|told| !told.is_empty()) {
        let _ = writeln!(text, "  {told}");
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
            product: Some(7),
            variant: None,
            has: Some(3),
            wants: None,
            has_price: Some("1.5".to_owned()),
            wants_price: None,
            changes: String::new(),
            note: String::new(),
        };
        assert_eq!(printed(&line, Form::Csv).unwrap(), "\"'=A,\"\"1\"\"\",A1,7,,3,,1.5,,,\n");
        let text = printed(&line, Form::Text).unwrap();
        assert!(text.starts_with("=A,\"1\"") && text.ends_with("1.5\n"), "{text:?}");
        let json: Line = serde_json::from_str(&printed(&line, Form::Json).unwrap()).unwrap();
        assert_eq!(json, line);
    }
}
