//! The command that compares both systems.
//!
//! Guarantees: nothing is written to either system; an order is taken over only when asked for, and
//! only by the running gateway.

use super::{
    ConfigFile, Fault, aside, say,
    table::{Form, aligned, csv},
};
use crate::{
    clock,
    config::{self, Config, Loaded},
    control::{self, ControlError},
    delivery::desk::{Ask, Reply},
    flow::rules::Rules,
    reconcile::{
        What,
        others::{of_customers, of_goods, sides},
        row::Row,
        summary::Summary,
        walk::{PAGES_MAX, Walk, WalkError},
    },
};
use clap::{ArgAction, Args, ValueEnum};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Seconds of a day.
const DAY_S: i64 = 24 * 60 * 60;
const HEADINGS: [&str; 8] = ["of", "key", "id", "in M3", "has", "result", "what", "what to do"];

/// Compare orders, customers and goods of the shop with M3.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Where both systems are found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What is compared; all that is on unless it is said.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub what: Vec<What>,
    /// Orders that changed in the shop in so many days.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    pub days: i64,
    /// How the list is printed.
    #[arg(long = "as", value_enum, default_value = "text")]
    pub form: Form,
    /// Which rows are listed.
    #[arg(long, value_enum, default_value = "differing")]
    pub list: Which,
    /// What the gateway found when it last compared by itself; nothing is compared now.
    #[arg(long, action = ArgAction::Count)]
    pub last: u8,
    /// Have the gateway take over the orders that it has not heard of.
    #[arg(long)]
    pub take: bool,
}

/// Which rows are listed.
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
    let runtime = super::runtime()?;
    if reconcile.last > 0 {
        return last(&runtime, &loaded, reconcile.form);
    }
    let mut told = Told { which: reconcile.list, ..Told::default() };
    let wanted = wanted(&reconcile.what, &loaded.config)?;
    let compared = compare(&runtime, &loaded, (&wanted, reconcile.days), &mut told);
    // What was compared before something failed is shown all the same.
    if compared.is_ok() || told.summary != Summary::default() {
        say(&told.printed(reconcile.form)?)?;
    }
    compared?;
    let taken = if reconcile.take { runtime.block_on(take(&loaded, &told.unknown))? } else { 0 };
    if reconcile.take {
        aside(&format!(
            "{taken} orders are being taken over; see causeway parked, or compare again"
        ));
    }
    let differing = usize::try_from(told.summary.differing).unwrap_or(usize::MAX);
    match differing.saturating_sub(taken) {
        0 => Ok(()),
        left => Err(Fault::Apart(left)),
    }
}

fn compare(
    runtime: &Runtime,
    loaded: &Loaded,
    (wanted, days): (&[What], i64),
    told: &mut Told,
) -> Result<(), Fault> {
    let state_dir = &loaded.config.state_dir;
    for what in wanted {
        match (what, &loaded.config.order_to_cash) {
            (What::Orders, Some(rules)) => orders(runtime, loaded, (rules, days), told)?,
            (What::Orders, None) => {}
            (What::Customers, _) => {
                let sides = sides(&loaded.config);
                runtime.block_on(of_customers(state_dir, &sides, |row| told.take(row)))?;
            }
            (What::Goods, _) => runtime.block_on(of_goods(state_dir, |row| told.take(row)))?,
        }
    }
    Ok(())
}

/// Names what is compared: what was asked for, which must be on, or all that is on.
fn wanted(asked: &[What], config: &Config) -> Result<Vec<What>, Fault> {
    let on = |what: What| match what {
        What::Orders => (config.order_to_cash.is_some(), "[order_to_cash]"),
        What::Customers => (!sides(config).is_empty(), "[buyers] or [profiles]"),
        What::Goods => (config.goods().is_some(), "[stock], [prices] or [items]"),
    };
    if let Some(off) = asked.iter().find(|what| !on(**what).0) {
        let (name, table) = (off.name(), on(*off).1);
        let text = format!("there is no {table} in the configuration: no {name} are carried over");
        return Err(Fault::Misasked(text));
    }
    let all = || What::ALL.into_iter().filter(|what| on(*what).0).collect::<Vec<_>>();
    let wanted = if asked.is_empty() { all() } else { asked.to_vec() };
    if wanted.is_empty() {
        let text = "there is no [order_to_cash] in the configuration: no orders are taken over";
        return Err(Fault::Misasked(text.to_owned()));
    }
    Ok(wanted)
}

fn orders(
    runtime: &Runtime,
    loaded: &Loaded,
    (rules, days): (&Rules, i64),
    told: &mut Told,
) -> Result<(), Fault> {
    let (shop, m3) = (super::xcart::shop(loaded)?, super::m3::connect(loaded)?);
    let now_s = i64::try_from(clock::now().unix_ms() / 1_000).unwrap_or(i64::MAX);
    let since_s = now_s.saturating_sub(days.saturating_mul(DAY_S));
    let (state_dir, rest) = (loaded.config.state_dir.as_path(), Duration::ZERO);
    let walk = Walk { shop: &shop, m3: &m3, state_dir, rules, since_s, rest };
    let whole = runtime.block_on(Box::pin(
        walk.run(|row| told.take(row), |read| aside(&format!("{read} orders compared"))),
    ));
    if !whole.map_err(fault)? {
        aside(&format!("more than {PAGES_MAX} pages of orders: ask for fewer days"));
    }
    Ok(())
}

/// Prints what the gateway found by itself.
fn last(runtime: &Runtime, loaded: &Loaded, form: Form) -> Result<(), Fault> {
    let found = runtime.block_on(control::ask_compared(&loaded.config.state_dir))?;
    let Some(summary) = found else {
        return say("nothing was compared yet; [reconcile] in the configuration has it done\n");
    };
    match form {
        Form::Text => {
            let rows = summary.rows().into_iter();
            let lines: Vec<_> = rows.map(|(name, told)| format!("{name:<24}{told}\n")).collect();
            say(&lines.concat())?;
        }
        Form::Csv => {
            let counts = summary.counts.iter();
            let rows: Vec<_> = counts
                .map(|((what, name), count)| vec![what.clone(), name.clone(), count.to_string()])
                .collect();
            say(&csv(&["of", "result", "count"], &rows))?;
        }
        Form::Json => {
            let text = serde_json::to_string(&summary).map_err(ControlError::Unreadable)?;
            say(&format!("{text}\n"))?;
        }
    }
    match summary.differing {
        0 if summary.fault.is_none() => Ok(()),
        differing => Err(Fault::Apart(usize::try_from(differing).unwrap_or(usize::MAX))),
    }
}

/// What came of it.
#[derive(Default)]
struct Told {
    which: Which,
    rows: Vec<Row>,
    summary: Summary,
    /// Ids of the shop's orders that the gateway has not heard of.
    unknown: Vec<u64>,
}

impl Told {
    fn take(&mut self, row: Row) {
        self.summary.take(&row);
        if row.what == What::Orders && row.verdict == "unknown" {
            self.unknown.push(row.id);
        }
        if row.differs || self.which == Which::All {
            self.rows.push(row);
        }
    }

    fn printed(&self, form: Form) -> Result<String, ControlError> {
        let cells = |row: &Row| {
            let Row { what, id, key, orno, total, verdict, text, repair, differs: _ } = row;
            let id = id.to_string();
            [what.name(), key, &id, orno, total, verdict, text, repair].map(str::to_owned).to_vec()
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
                let counts = What::ALL.into_iter().filter_map(|what| self.summary.told(what));
                let counts: Vec<_> = counts.map(|told| told + "\n").collect();
                let counts =
                    if counts.is_empty() { "nothing\n".to_owned() } else { counts.concat() };
                format!("{table}{counts}")
            }
        })
    }
}

/// Has the gateway take over the orders with these ids.
async fn take(loaded: &Loaded, ids: &[u64]) -> Result<usize, Fault> {
    let mut taken: usize = 0;
    for id in ids {
        let reply = control::ask(&loaded.config.state_dir, &Ask::Take { id: *id }).await?;
        taken = taken.saturating_add(usize::from(matches!(reply, Reply::Done)));
    }
    Ok(taken)
}

fn fault(fault: WalkError) -> Fault {
    match fault {
        WalkError::Shop(failure) => super::m3::failed(&failure, crate::connector::Kind::Read),
        WalkError::Gateway(fault) => fault.into(),
    }
}
