//! The command that compares the orders of both systems.
//!
//! Guarantees: nothing is written to either system; an order is taken over only when asked for, and
//! only by the running gateway.

use super::{
    ConfigFile, Fault, aside, say,
    table::{Form, aligned, csv},
};
use crate::{
    clock,
    config::{self, Loaded},
    control::{self, ControlError},
    delivery::desk::{Ask, Reply},
    reconcile::walk::{PAGES_MAX, Row, Walk, WalkError},
};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;

/// Seconds of a day.
const DAY_S: i64 = 24 * 60 * 60;
const HEADINGS: [&str; 7] = ["key", "id", "ORNO", "total", "result", "what", "what to do"];

/// Compare the orders that changed of late in the shop, in M3 and in the gateway.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Where both systems are found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Orders that changed in the shop in so many days.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    pub days: i64,
    /// How the list is printed.
    #[arg(long = "as", value_enum, default_value = "text")]
    pub form: Form,
    /// Which orders are listed.
    #[arg(long, value_enum, default_value = "differing")]
    pub list: Which,
    /// Have the gateway take over the orders that it has not heard of.
    #[arg(long)]
    pub take: bool,
}

/// Which orders are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Those that somebody should look at.
    #[default]
    Differing,
    /// All.
    All,
}

/// Compares; a fault when somebody should look at something.
pub fn run(reconcile: &Reconcile) -> Result<(), Fault> {
    let loaded = config::load(&reconcile.config.path)?;
    let Some(rules) = &loaded.config.order_to_cash else {
        let text = "there is no [order_to_cash] in the configuration: no orders are taken over";
        return Err(Fault::Misasked(text.to_owned()));
    };
    let (shop, m3) = (super::xcart::shop(&loaded)?, super::m3::connect(&loaded)?);
    let now_s = i64::try_from(clock::now().unix_ms() / 1_000).unwrap_or(i64::MAX);
    let since_s = now_s.saturating_sub(reconcile.days.saturating_mul(DAY_S));
    let state_dir = &loaded.config.state_dir;
    let walk = Walk { shop: &shop, m3: &m3, state_dir, rules, since_s };
    let runtime = super::runtime()?;
    let mut told = Told { which: reconcile.list, ..Told::default() };
    let whole = runtime.block_on(Box::pin(
        walk.run(|row| told.take(row), |read| aside(&format!("{read} orders compared"))),
    ));
    if !whole.map_err(fault)? {
        aside(&format!("more than {PAGES_MAX} pages of orders: ask for fewer days"));
    }
    say(&told.printed(reconcile.form)?)?;
    let taken = if reconcile.take { runtime.block_on(take(&loaded, &told.unknown))? } else { 0 };
    if reconcile.take {
        aside(&format!(
            "{taken} orders are being taken over; see causeway parked, or compare again"
        ));
    }
    match told.differing.saturating_sub(taken) {
        0 => Ok(()),
        left => Err(Fault::Apart(left)),
    }
}

/// What came of it.
#[derive(Default)]
struct Told {
    which: Which,
    rows: Vec<Row>,
    counts: BTreeMap<&'static str, usize>,
    differing: usize,
    /// Ids of the shop's orders that the gateway has not heard of.
    unknown: Vec<u64>,
}

impl Told {
    fn take(&mut self, row: Row) {
        let count = self.counts.entry(row.verdict).or_default();
        *count = count.saturating_add(1);
        if row.verdict == "unknown" {
            self.unknown.push(row.id);
        }
        if row.differs {
            self.differing = self.differing.saturating_add(1);
        }
        if row.differs || self.which == Which::All {
            self.rows.push(row);
        }
    }

    fn printed(&self, form: Form) -> Result<String, ControlError> {
        let cells = |row: &Row| {
            let Row { id, key, orno, total, verdict, text, repair, differs: _ } = row;
            let id = id.to_string();
            [key, &id, orno, total, *verdict, text, repair].map(str::to_owned).to_vec()
        };
        let rows: Vec<_> = self.rows.iter().map(cells).collect();
        Ok(match form {
            Form::Csv => csv(&HEADINGS, &rows),
            Form::Json => {
                let lines = self.rows.iter().map(serde_json::to_string);
                let lines = lines.map(|line| line.map(|line| line + "\n"));
                lines.collect::<Result<String, _>>().map_err(ControlError::Unreadable)?
            }
            Form::Text => {
                let table = if rows.is_empty() { String::new() } else { aligned(&HEADINGS, &rows) };
                let all: usize = self.counts.values().sum();
                let counts: Vec<_> =
                    self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
                format!("{table}{all} orders: {}\n", counts.join(", "))
            }
        })
    }
}

/// Has the gateway take over the orders with these ids.
async fn take(loaded: &Loaded, ids: &[u64]) -> Result<usize, Fault> {
    let mut taken: usize = 0;
    for id in ids {
        match control::ask(&loaded.config.state_dir, &Ask::Take { id: *id }).await? {
            Reply::Done => taken = taken.saturating_add(1),
            Reply::Listed(_) | Reply::Shown(_) | Reply::Payments { .. } | Reply::Unknown => {}
            Reply::PaidOrder(_) => {}
        }
    }
    Ok(taken)
}

fn fault(fault: WalkError) -> Fault {
    match fault {
        WalkError::Shop(failure) => super::m3::failed(&failure, crate::connector::Kind::Read),
        WalkError::Gateway(fault) => fault.into(),
    }
}
