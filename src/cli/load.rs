//! The commands for the initial load: what it would do, and its start, halt and end.
//!
//! Guarantees: `plan` writes nothing anywhere; what the running gateway knows only the running gateway
//! tells.

mod customers;
mod orders;
mod wanted;

use self::wanted::Wanted;
use super::{
    ConfigFile, Fault, aside,
    goods::unexpected,
    say,
    table::{Form, printable, quoted},
};
use crate::{
    config::{self, Loaded},
    control::{self, ControlError},
    dates,
    goods::{
        load::{PER_MIN, PER_MIN_MAX, Part, Parts, Stage, named},
        report::{
            Ask, Reply,
            load::{self, Told},
            survey::{Kind, Planned},
        },
    },
};
use clap::{Args, Subcommand, ValueEnum};
use std::{collections::BTreeMap, fmt::Write, path::Path};

/// Reasons for skipping that are printed.
const REASONS_MAX: usize = 10;
/// Cells of the bar.
const BAR_LEN: u64 = 30;

/// The initial load.
#[derive(Debug, Args)]
pub struct Load {
    /// Where the state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be asked of the load.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Say what would be made, changed and skipped, and why; nothing is written.
    Plan {
        /// What is to be brought; all that the configuration has by default.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<Bring>,
        /// Calls to the shop a minute.
        #[arg(long, default_value_t = PER_MIN, value_parser = clap::value_parser!(u32).range(1..=i64::from(PER_MIN_MAX)))]
        rate: u32,
        /// Print each thing, too, and not only how many there are.
        #[arg(long)]
        list: bool,
        /// How the list is printed; `csv` and `json` print it always.
        #[arg(long = "as", value_enum, default_value = "text")]
        form: Form,
        /// Orders of so many days are looked through for open ones; 0 for none.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(0..=3_650))]
        orders_days: i64,
    },
    /// Start it.
    Start {
        /// What is to be brought; all that only watches by default.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<Bring>,
        /// Calls to the shop a minute.
        #[arg(long, default_value_t = PER_MIN, value_parser = clap::value_parser!(u32).range(1..=i64::from(PER_MIN_MAX)))]
        rate: u32,
    },
    /// How far it is, and what the shop refused.
    Status {
        /// As one object of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Halt it; what is under way is finished.
    Pause,
    /// Go on after a halt.
    Resume,
    /// End it for good; what was brought stays.
    Stop,
}

/// What a load brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bring {
    /// New products, and what products say of themselves.
    Items,
    /// Prices, also by quantity and for memberships.
    Prices,
    /// Pieces.
    Stock,
    /// Customers of M3 for profiles of the shop; a load of its own.
    Profiles,
}

fn parts(only: &[Bring]) -> Parts {
    let part = |bring: &Bring| match bring {
        Bring::Items => Part::Items,
        Bring::Prices => Part::Prices,
        Bring::Stock => Part::Stock,
        Bring::Profiles => Part::Customers,
    };
    only.iter().map(part).collect()
}

/// Does one of them.
pub fn run(load: &Load) -> Result<(), Fault> {
    let loaded = config::load(&load.config.path)?;
    let runtime = super::runtime()?;
    let only = |only: &[Bring]| Wanted::of(&loaded.config, &parts(only));
    let turn = |stage, told: &str| {
        let wanted = only(&[])?;
        runtime.block_on(turned(&loaded, &wanted, stage))?;
        say(told)
    };
    match &load.action {
        Action::Plan { only: parts, rate, list, form, orders_days } => {
            let wanted = only(parts)?;
            let asked = Asked { rate: *rate, lists: *list, form: *form };
            if let Some(goods) = &wanted.goods {
                runtime.block_on(Box::pin(plan(&loaded, goods, asked)))?;
            }
            if wanted.customers {
                runtime.block_on(Box::pin(customers::plan(&loaded, asked)))?;
            }
            let days = *orders_days;
            if days == 0 || *form != Form::Text {
                return Ok(());
            }
            runtime.block_on(Box::pin(orders::told(&loaded, days))).and_then(|text| say(&text))
        }
        Action::Start { only: parts, rate } => {
            let asked = only(parts)?;
            let wanted = if parts.is_empty() { asked.that_watch(&loaded.config) } else { asked };
            if let Some(parts) = wanted.goods {
                let ask = load::Ask::Start { parts, per_min: *rate };
                runtime.block_on(begun(&loaded, ask))?;
            }
            if wanted.customers {
                runtime.block_on(customers::start(&loaded, *rate))?;
            }
            say("the load is running; see `causeway load status`\n")
        }
        Action::Status { json } => {
            let (wanted, state_dir) = (only(&[])?, &loaded.config.state_dir);
            let show = |told: &Told, text: fn(&Told) -> String| -> Result<(), Fault> {
                let json = json.then(|| serde_json::to_string(told)).transpose();
                let json = json.map_err(ControlError::Unreadable)?.map(|json| json + "\n");
                say(&json.unwrap_or_else(|| text(told)))
            };
            if wanted.goods.is_some() {
                show(&runtime.block_on(status(state_dir))?, standing)?;
            }
            if wanted.customers {
                show(&runtime.block_on(customers::status(&loaded))?, customers::standing)?;
            }
            Ok(())
        }
        Action::Pause => {
            turn(Stage::Paused, "the load is paused; `causeway load resume` goes on\n")
        }
        Action::Resume => turn(Stage::Running, "the load goes on; see `causeway load status`\n"),
        Action::Stop => turn(Stage::Stopped, "the load has ended; what was brought stays\n"),
    }
}

/// Halts the loads that are under way, goes on with them or ends them.
async fn turned(loaded: &Loaded, wanted: &Wanted, stage: Stage) -> Result<(), Fault> {
    let mut outcomes = Vec::new();
    if wanted.goods.is_some() {
        outcomes.push(begun(loaded, load::Ask::Turn(stage)).await);
    }
    if wanted.customers {
        outcomes.push(customers::turn(loaded, stage).await);
    }
    // One of the two may not have been started.
    if outcomes.iter().any(Result::is_ok) {
        return Ok(());
    }
    outcomes.into_iter().collect()
}

async fn begun(loaded: &Loaded, ask: load::Ask) -> Result<(), Fault> {
    match control::ask_goods(&loaded.config.state_dir, &Ask::Load(ask)).await? {
        Reply::Begun => Ok(()),
        other @ (Reply::Standing(_)
        | Reply::Listed { .. }
        | Reply::Shown(_)
        | Reply::Planned(_)
        | Reply::Load(_)) => Err(unexpected(&other).into()),
    }
}

async fn status(state_dir: &Path) -> Result<Told, Fault> {
    match control::ask_goods(state_dir, &Ask::Load(load::Ask::Status)).await? {
        Reply::Load(told) => Ok(*told),
        other @ (Reply::Standing(_)
        | Reply::Listed { .. }
        | Reply::Shown(_)
        | Reply::Planned(_)
        | Reply::Begun) => Err(unexpected(&other).into()),
    }
}

/// How a plan is asked for.
#[derive(Clone, Copy)]
struct Asked {
    rate: u32,
    lists: bool,
    form: Form,
}

/// What a plan comes to.
#[derive(Default)]
struct Sums {
    counts: BTreeMap<Kind, u64>,
    reasons: BTreeMap<String, u64>,
    calls: u64,
    equal: u64,
    /// Items that wait to be compared.
    uncompared: u64,
}

async fn plan(loaded: &Loaded, parts: &Parts, asked: Asked) -> Result<(), Fault> {
    let (mut sums, mut place) = (Sums::default(), None);
    if asked.form == Form::Csv {
        say("what,sku,itno,change,why,calls\r\n")?;
    }
    loop {
        let ask = load::Ask::Plan { parts: parts.clone(), place };
        let page = match control::ask_goods(&loaded.config.state_dir, &Ask::Load(ask)).await? {
            Reply::Planned(page) => page,
            other @ (Reply::Standing(_)
            | Reply::Listed { .. }
            | Reply::Shown(_)
            | Reply::Load(_)
            | Reply::Begun) => return Err(unexpected(&other).into()),
        };
        sums.equal = sums.equal.saturating_add(page.equal);
        for planned in &page.planned {
            sums.add(planned);
            if asked.lists || asked.form != Form::Text {
                say(&printed(planned, asked.form).map_err(ControlError::Unreadable)?)?;
            }
        }
        if page.next.is_none() {
            break;
        }
        place = page.next;
    }
    sums.uncompared = status(&loaded.config.state_dir).await?.uncompared;
    let text = sums.told(asked.rate);
    if asked.form == Form::Text {
        return say(&text);
    }
    aside(&text);
    Ok(())
}

impl Sums {
    fn add(&mut self, planned: &Planned) {
        let count = self.counts.entry(planned.kind).or_default();
        *count = count.saturating_add(1);
        self.calls = self.calls.saturating_add(planned.calls);
        if planned.kind == Kind::Skip {
            let count = self.reasons.entry(planned.why.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn told(&self, rate: u32) -> String {
        let count = |kind: Kind| self.counts.get(&kind).copied().unwrap_or(0).to_string();
        let minutes = self.calls.div_ceil(u64::from(rate.max(1)));
        let rows = [
            ("products to be made", count(Kind::Product)),
            ("products with other texts", count(Kind::Texts)),
            ("prices to be changed", count(Kind::Price)),
            ("goods with other wholesale prices", count(Kind::Wholesale)),
            ("numbers of pieces to be changed", count(Kind::Pieces)),
            ("goods that are equal", self.equal.to_string()),
            ("items not compared yet", self.uncompared.to_string()),
            (
                "calls to the shop",
                format!("{}, {}", self.calls, time_told(minutes.saturating_mul(60))),
            ),
            ("at so many calls a minute", rate.to_string()),
            ("skipped, and why", count(Kind::Skip)),
        ];
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<36}{value}");
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (why, count) in reasons.iter().take(REASONS_MAX) {
            let _ = writeln!(text, "  {count:>8}  {why}");
        }
        if reasons.len() > REASONS_MAX {
            text.push_str("            and others; --list shows each\n");
        }
        text
    }
}

fn printed(planned: &Planned, form: Form) -> serde_json::Result<String> {
    let Planned { kind, sku, itno, what, why, calls } = planned;
    Ok(match form {
        Form::Json => format!("{}\n", serde_json::to_string(planned)?),
        Form::Csv => {
            let cells = [kind.name(), sku, itno, what, why].map(quoted);
            format!("{},{calls}\r\n", cells.join(","))
        }
        Form::Text => {
            let told = [what.as_str(), why.as_str()];
            let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
            let text = format!("{:<10} {sku:<32} {itno:<15} {}", kind.name(), told.join("; "));
            format!("{}\n", printable(&text).trim_end())
        }
    })
}

/// Says how long something takes.
fn time_told(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, _) => format!("about {m} min"),
        (h, m, _) => format!("about {h} h {m} min"),
    }
}

fn standing(told: &Told) -> String {
    let Some(load) = &told.load else {
        return "there was no load yet; `causeway load plan` says what one would do\n".to_owned();
    };
    let stage = match load.stage {
        Stage::Running => "running",
        Stage::Paused => "paused; `causeway load resume` goes on",
        Stage::Stopped => "stopped by a person; `causeway load start` starts another",
        Stage::Done => "done; now set mode = \"write\", restart, and the shop follows M3",
    };
    let left = u64::try_from(told.left.len()).unwrap_or(u64::MAX);
    let refused = if load.is_under_way() { left } else { load.refused };
    let open = told.waiting.saturating_add(left);
    let done = load.admitted.saturating_sub(open);
    let total = load.total.max(done);
    let mut rows = vec![
        ("load".to_owned(), format!("{stage} ({})", named(&load.parts))),
        ("started".to_owned(), dates::rfc3339(load.began_ms)),
        ("goods".to_owned(), format!("{} {done} of {total}", bar(done, total))),
        ("under way".to_owned(), told.waiting.to_string()),
        ("refused by the shop".to_owned(), refused.to_string()),
        ("round".to_owned(), load.round.to_string()),
    ];
    let per_min = load.calls.saturating_mul(60).checked_div(told.seconds).unwrap_or(0);
    let rate = format!(
        "{} calls in {}, {per_min} a minute of {}",
        load.calls,
        time_told(told.seconds),
        load.per_min
    );
    rows.push(("rate".to_owned(), rate));
    if load.is_under_way() {
        // So many calls for each of those that are left as for those before.
        let each = load.calls.checked_div(load.admitted).unwrap_or(1).max(1);
        let left = total.saturating_sub(load.admitted).saturating_mul(each);
        let seconds = left.saturating_mul(60) / u64::from(load.per_min.max(1));
        rows.push(("left".to_owned(), time_told(seconds)));
    }
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<22}{value}");
    }
    for (itno, why) in &told.left {
        let _ = writeln!(text, "  {itno:<15} {why}");
    }
    if load.refused > 0 && !load.is_under_way() {
        text.push_str("see `causeway goods list --only refused` and `--only missing`\n");
    }
    text
}

fn bar(done: u64, total: u64) -> String {
    let full = done.saturating_mul(BAR_LEN).checked_div(total).unwrap_or(BAR_LEN).min(BAR_LEN);
    let cells = (0..BAR_LEN).map(|cell| if cell < full { '#' } else { '.' });
    format!("[{}]", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_printed_for_people_sheets_and_programs_and_added_up() {
        let planned = |kind, what: &str, why: &str, calls| Planned {
            kind,
            sku: "=A,1".to_owned(),
            itno: "A1".to_owned(),
            what: what.to_owned(),
            why: why.to_owned(),
            calls,
        };
        let pieces = planned(Kind::Pieces, "3 -> 5", "", 1);
        assert_eq!(printed(&pieces, Form::Csv).unwrap(), "pieces,\"'=A,1\",A1,3 -> 5,,1\r\n");
        let read: Planned = serde_json::from_str(&printed(&pieces, Form::Json).unwrap()).unwrap();
        assert_eq!(read, pieces);
        let mut sums = Sums::default();
        for _ in 0..150 {
            sums.add(&pieces);
        }
        sums.add(&planned(Kind::Skip, "", "M3 knows neither", 0));
        let told = sums.told(60);
        assert!(told.contains("150, about 3 min"), "{told}");
        assert!(told.contains("1  M3 knows neither"), "{told}");
    }

    #[test]
    fn a_bar_is_full_at_the_end_and_when_there_is_nothing() {
        let table = [(0, 10, 0), (5, 10, 15), (10, 10, 30), (0, 0, 30), (9, 5, 30)];
        for (done, total, want) in table {
            let bar = bar(done, total);
            assert_eq!(bar.matches('#').count(), want, "{done} of {total}");
            assert_eq!(bar.len(), 32);
        }
    }
}
