//! Turns figures into medians, ratios, tables and lines of JSON.

use crate::{gauge::Figures, machine::Machine};
use serde::Serialize;
use std::{collections::BTreeMap, error::Error, fmt::Write as _};

/// One result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What it is, `process.64.journal.rate`.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it is held against: a goal, or the raw log's figure of the same run.
    pub(crate) reference: Option<f64>,
}

/// A goal and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) limit: f64,
    /// Whether more is better.
    pub(crate) side: Side,
    pub(crate) unit: &'static str,
}

/// On which side of its limit a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    AtLeast,
    AtMost,
}

impl Goal {
    /// Whether it is reached.
    pub(crate) fn is_reached(&self) -> bool {
        match self.side {
            Side::AtLeast => self.value >= self.limit,
            Side::AtMost => self.value <= self.limit,
        }
    }
}

/// Figures of each round, by way, connections and engine.
pub(crate) type Measured = BTreeMap<(&'static str, usize, &'static str), Vec<Figures>>;

/// What stands in a column, with its unit.
pub(crate) const FIGURES: [(&str, &str); 8] = [
    ("rate", "events/s"),
    ("p50_us", "us"),
    ("p99_us", "us"),
    ("cpu_us", "us"),
    ("written", "bytes/byte"),
    ("grown", "bytes/byte"),
    ("peak_kib", "KiB"),
    ("drain", "events/s"),
];

/// Returns the middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the median of one figure.
pub(crate) fn of(rounds: &[Figures], name: &str) -> f64 {
    let values: Vec<f64> = rounds.iter().filter_map(|round| round.get(name).copied()).collect();
    median(&values)
}

/// Returns the median of the ratios of two figures, round by round.
pub(crate) fn ratio(above: &[Figures], below: &[Figures], name: &str) -> f64 {
    let pairs = above.iter().zip(below);
    let ratios = pairs.filter_map(|(above, below)| Some(above.get(name)? / below.get(name)?));
    median(&ratios.collect::<Vec<_>>())
}

/// Returns a row for each figure of each engine.
pub(crate) fn rows(measured: &Measured) -> Vec<Row> {
    let mut rows = Vec::new();
    for ((way, connections, engine), rounds) in measured {
        let raw = measured.get(&(*way, *connections, "raw"));
        for (figure, unit) in FIGURES {
            let value = of(rounds, figure);
            if value.is_finite() {
                let reference = raw.map(|raw| of(raw, figure)).filter(|value| value.is_finite());
                let name = format!("{way}.{connections}.{engine}.{figure}");
                rows.push(Row { name, value, unit, reference });
            }
        }
    }
    rows
}

/// Returns the tables in Markdown.
pub(crate) fn tables(machine: &Machine, measured: &Measured, goals: &[Goal]) -> String {
    let mut text = String::new();
    let Machine { cores, model, kernel, filesystem, sync_us, load } = machine;
    let _ = writeln!(
        text,
        "{cores} cores of {model}, Linux {kernel}, {filesystem}; median of appending 4 KB and \
         `fdatasync` before and after: {} µs; load at the start and at the end: {}.\n",
        sync_us.iter().map(u32::to_string).collect::<Vec<_>>().join(" and "),
        load.join(" and "),
    );
    text.push_str("| goal | limit | measured | |\n|---|---|---|---|\n");
    for goal in goals {
        let limit = match goal.side {
            Side::AtLeast => format!("≥ {}", short(goal.limit)),
            Side::AtMost => format!("≤ {}", short(goal.limit)),
        };
        let verdict = if goal.is_reached() { "reached" } else { "**not reached**" };
        let (what, value, unit) = (&goal.what, short(goal.value), goal.unit);
        let _ = writeln!(text, "| {what} | {limit} {unit} | {value} | {verdict} |");
    }
    text.push_str(
        "\n| way | connections | store | rate | to raw | p50 µs | p99 µs | to raw | CPU µs/event | \
         written/byte | disk/byte | peak MiB | drain/ingest |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for ((way, connections, engine), rounds) in measured {
        let raw = measured.get(&(*way, *connections, "raw")).map_or(&[][..], Vec::as_slice);
        let drain = of(rounds, "drain") / of(rounds, "rate");
        let _ = writeln!(
            text,
            "| {way} | {connections} | {engine} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            short(of(rounds, "rate")),
            short(ratio(rounds, raw, "rate")),
            short(of(rounds, "p50_us")),
            short(of(rounds, "p99_us")),
            short(ratio(rounds, raw, "p99_us")),
            short(of(rounds, "cpu_us")),
            short(of(rounds, "written")),
            short(of(rounds, "grown")),
            short(of(rounds, "peak_kib") / 1_024.0),
            short(drain),
        );
    }
    text
}

fn short(value: f64) -> String {
    match value {
        value if !value.is_finite() => "–".to_owned(),
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Prints a line of results.
#[expect(clippy::print_stdout, reason = "results are what this program is for")]
pub(crate) fn line(text: &str) {
    use std::io::Write as _;
    println!("{text}");
    let _ = std::io::stdout().flush();
}

/// Tells how far it is.
#[expect(clippy::print_stderr, reason = "a person waits")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}

/// Tells what went wrong, and why.
#[expect(clippy::print_stderr, reason = "there is nobody else to tell")]
pub(crate) fn complain(fault: &(dyn Error + 'static)) {
    let mut text = fault.to_string();
    let mut why = fault.source();
    while let Some(source) = why {
        let _ = write!(text, ": {source}");
        why = source.source();
    }
    eprintln!("could not measure: {text}");
}
