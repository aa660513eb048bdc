//! The commands for payments: what the shop captured against what M3 has, and where one is.
//!
//! Guarantees: what the running gateway knows only the running gateway tells; amounts of
//! different currencies are never added.

mod one;

use super::{ConfigFile, Fault, say, table::quoted};
use crate::{
    config,
    control::{self, ControlError},
    delivery::desk::{Ask, PaidOrder, Reply},
    flow::payment::{
        Way,
        report::{Line, Sum, sums},
        rules::PaymentRules,
    },
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{fmt::Write, path::Path};

/// What the shop captured, and what M3 has of it.
#[derive(Debug, Args)]
pub struct Payments {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be asked of the payments.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// By day and currency: captured, refunded, posted, the difference, and each payment that M3 lacks.
    Report {
        /// Only this day, `yyyy-mm-dd`, UTC.
        #[arg(long, value_name = "DAY")]
        day: Option<String>,
        /// As JSON, one object a line: the sums, then each payment.
        #[arg(long, conflicts_with = "csv")]
        json: bool,
        /// Every payment, comma-separated, with names in the first line.
        #[arg(long)]
        csv: bool,
    },
    /// List payments, one a line.
    List {
        /// Only those in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
        /// Go on behind this line of the page before, as it was told there.
        #[arg(long, default_value_t = 0, value_name = "COUNT")]
        skip: usize,
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show the payments of an order: where each stands, its key, every step, what M3 answered.
    Show {
        /// The order's key, as `parked list` prints it.
        key: String,
    },
    /// Show the calls to M3 that the payments of an order take; nothing is sent.
    Preview {
        /// The order's key.
        key: String,
    },
    /// Say where a payment is that Causeway cannot post or find; it is not sent any more.
    Settle {
        /// The order's key, as `parked list` prints it.
        key: String,
        /// The shop's id of the payment, as the report prints it.
        payment: u64,
        /// Where it is in M3, or what was done; kept with the order.
        #[arg(long)]
        reference: String,
    },
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// M3 has it.
    Posted,
    /// M3 has no invoice for it yet.
    Waits,
    /// It is next.
    UnderWay,
    /// Nobody knows yet whether M3 has it.
    Unknown,
    /// It is not for us to post.
    Left,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Waits => "waits",
            Self::UnderWay => "under-way",
            Self::Unknown => "unknown",
            Self::Left => "left",
        }
    }
}

/// Does one of them.
pub fn run(payments: &Payments) -> Result<(), Fault> {
    let loaded = config::load(&payments.config.path)?;
    let state_dir = &loaded.config.state_dir;
    let runtime = super::runtime()?;
    match &payments.action {
        Action::Report { day, json, csv } => {
            let mut lines = runtime.block_on(read(state_dir))?;
            if let Some(day) = day {
                lines.retain(|line| line.day == *day);
            }
            let printed = match (json, csv) {
                (true, _) => as_json(&lines).map_err(ControlError::Unreadable)?,
                (false, true) => as_csv(&lines),
                (false, false) => as_text(&lines),
            };
            let posts = loaded.config.payments.as_ref().is_some_and(PaymentRules::posts);
            if !posts && !json && !csv {
                say("payments are not posted: [payments] is absent or its strategy is \"none\"\n")?;
            }
            say(&printed)
        }
        Action::List { state, limit, skip, json } => {
            let mut lines = runtime.block_on(read(state_dir))?;
            lines.retain(|line| state.is_none_or(|state| line.state == state.name()));
            let page = lines.get(*skip..).unwrap_or_default();
            let left = page.len().saturating_sub(*limit);
            let page: Vec<&Line> = page.iter().take(*limit).collect();
            if *json {
                let lines = page.iter().map(serde_json::to_string);
                let lines = lines.collect::<serde_json::Result<Vec<_>>>();
                return say(&lines.map_err(ControlError::Unreadable)?.join("\n"));
            }
            say(&listed(&page))?;
            let next = skip.saturating_add(*limit);
            if left == 0 { Ok(()) } else { say(&format!("{left} more: --skip {next}\n")) }
        }
        Action::Show { key } => say(&one::shown(&runtime.block_on(read_one(state_dir, key))?)),
        Action::Preview { key } => {
            let paid = runtime.block_on(read_one(state_dir, key))?;
            say(&one::previewed(&paid, &loaded.config))
        }
        Action::Settle { key, payment, reference } => {
            let (key, id, reference) = (key.clone(), *payment, reference.clone());
            let told = format!("order {key}: payment {id} is settled\n");
            runtime
                .block_on(control::ask(state_dir, &Ask::SettlePayment { key, id, reference }))?;
            say(&told)
        }
    }
}

async fn read(state_dir: &Path) -> Result<Vec<Line>, ControlError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let reply = control::ask(state_dir, &Ask::Payments { after }).await?;
        let Reply::Payments { lines, after: next } = reply else {
            return Err(ControlError::not_asked_for());
        };
        all.extend(lines);
        if next.is_none() {
            all.sort_by(|a: &Line, b| (&a.day, a.payment).cmp(&(&b.day, b.payment)));
            return Ok(all);
        }
        after = next;
    }
}

async fn read_one(state_dir: &Path, key: &str) -> Result<PaidOrder, ControlError> {
    let reply = control::ask(state_dir, &Ask::PaymentsOf { key: key.to_owned() }).await?;
    let Reply::PaidOrder(paid) = reply else { return Err(ControlError::not_asked_for()) };
    Ok(*paid)
}

/// One line for each payment.
fn listed(lines: &[&Line]) -> String {
    let mut text = format!(
        "{:<12}{:<22}{:>12}  {:<10}{:>14} {:<4}{:<11}{}\n",
        "day", "order", "payment", "way", "amount", "", "state", "note"
    );
    for line in lines {
        let Line { day, order, payment, amount, currency, state, note, .. } = line;
        let (way, amount) = (way(line), amount.to_string());
        let _ = writeln!(
            text,
            "{day:<12}{order:<22}{payment:>12}  {way:<10}{amount:>14} {currency:<4}{state:<11}{note}"
        );
    }
    text
}

const fn way(line: &Line) -> &'static str {
    match line.way {
        Way::In => "captured",
        Way::Back => "refunded",
    }
}

fn as_text(lines: &[Line]) -> String {
    let row = |cells: [&str; 7]| {
        let [day, currency, a, b, c, d, open] = cells;
        format!("{day:<12}{currency:<4}{a:>14}{b:>14}{c:>14}{d:>14}{open:>12}\n")
    };
    let mut text = row(["day", "", "captured", "refunded", "posted", "difference", "not posted"]);
    for sum in sums(lines) {
        let Sum { day, currency, captured, refunded, posted, difference, not_posted } = sum;
        let amounts = [captured, refunded, posted, difference].map(|amount| amount.to_string());
        let [captured, refunded, posted, difference] = &amounts;
        let open = not_posted.to_string();
        text.push_str(&row([&day, &currency, captured, refunded, posted, difference, &open]));
    }
    for line in lines.iter().filter(|line| !line.is_posted()) {
        let Line { order, payment, day, amount, currency, state, note, .. } = line;
        let _ = writeln!(
            text,
            "{day}  order {order}, payment {payment}: {} {amount} {currency}, {state}: {note}",
            way(line)
        );
    }
    text
}

fn as_csv(lines: &[Line]) -> String {
    let mut text = "day,order,payment,way,amount,currency,state,note\n".to_owned();
    for line in lines {
        let (id, amount) = (line.payment.to_string(), line.amount.to_string());
        let cells = [
            &line.day,
            &line.order,
            &id,
            way(line),
            &amount,
            &line.currency,
            &line.state,
            &line.note,
        ];
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told<'a> {
    Sum(&'a Sum),
    Payment(&'a Line),
}

fn as_json(lines: &[Line]) -> serde_json::Result<String> {
    let sums = sums(lines);
    let told = sums.iter().map(Told::Sum).chain(lines.iter().map(Told::Payment));
    told.map(|one| serde_json::to_string(&one).map(|text| format!("{text}\n"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Amount;

    #[test]
    fn a_report_is_printed_for_people_sheets_and_programs() {
        let line = |payment, state: &str, note: &str| Line {
            order: "X11".into(),
            payment,
            day: "2026-11-24".into(),
            way: Way::In,
            amount: Amount(10.into()),
            currency: "EUR".into(),
            state: state.into(),
            note: note.into(),
        };
        let lines = [line(1, "posted", "PP1"), line(2, "waits", "no invoice, yet")];
        let text = as_text(&lines);
        let row = text.lines().nth(1).unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells, ["2026-11-24", "EUR", "20", "0", "10", "10", "1"]);
        assert!(text.ends_with("payment 2: captured 10 EUR, waits: no invoice, yet\n"), "{text}");
        let csv = as_csv(&lines);
        assert!(
            csv.ends_with("2026-11-24,X11,2,captured,10,EUR,waits,\"no invoice, yet\"\n"),
            "{csv}"
        );
        let json = as_json(&lines).unwrap();
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!((json.lines().count(), first["sum"]["difference"].as_str()), (3, Some("10")));
    }
}
