//! The order in which everything is measured: what is compared runs in turns.

use crate::{
    disk::Engine,
    gauge::{Fault, Figures},
    machine::Machine,
    orders::{self, Orders},
    report::{self, Goal, Measured, Row, Side},
    start::{self, Starts},
    wire,
};
use clap::{Args, ValueEnum};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

const CONNECTIONS: [usize; 3] = [1, 64, 256];
const MIB: u64 = 1024 * 1024;

/// Marks where the results begin and end in the document that keeps them.
const BEGIN: &str = "<!-- results: begin -->";
const END: &str = "<!-- results: end -->";

/// What to measure.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "two switches of a command line")]
pub(crate) struct Plan {
    /// A short pass that shows that everything works; its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Writes the results into this document, between its markers.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement of ingest takes.
    #[arg(long, default_value_t = 3_000)]
    span_ms: u64,
    /// Only these parts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Only these stores.
    #[arg(long, value_delimiter = ',')]
    engines: Vec<Engine>,
    /// The gateway's binary.
    #[arg(long)]
    gateway: PathBuf,
    /// Where the stores lie while they are measured; on a disk, not in memory.
    #[arg(long)]
    folder: PathBuf,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Process,
    Https,
    Start,
    Orders,
}

impl Plan {
    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds }
    }

    fn span(&self) -> Duration {
        Duration::from_millis(if self.quick { 300 } else { self.span_ms })
    }

    fn engines(&self) -> Vec<Engine> {
        if self.engines.is_empty() { Engine::ALL.to_vec() } else { self.engines.clone() }
    }
}

/// Measures everything and prints what came of it.
pub(crate) async fn run(plan: &Plan) -> Result<(), Fault> {
    fs::create_dir_all(&plan.folder)?;
    let place = tempfile::Builder::new().prefix("bench-").tempdir_in(&plan.folder)?;
    let mut machine = Machine::look(place.path())?;
    let mut measured = Measured::new();
    for round in 1..=plan.rounds() {
        report::progress(&format!("round {round} of {}", plan.rounds()));
        ingest(plan, place.path(), &mut measured).await?;
    }
    let mut goals = ingest_goals(&measured);
    let mut rows = report::rows(&measured);
    if plan.has(Part::Start) {
        report::progress("starts with a backlog");
        let bytes = if plan.quick { 8 * MIB } else { 1024 * MIB };
        let folder = place.path().join("start");
        let starts = start::measure(&plan.gateway, &folder, bytes, plan.rounds()).await?;
        start_results(&starts, &mut goals, &mut rows);
        fs::remove_dir_all(folder)?;
    }
    if plan.has(Part::Orders) {
        report::progress("orders");
        let counts = if plan.quick { (3, 20) } else { (40, 400) };
        let orders = orders::measure(&plan.gateway, &place.path().join("orders"), counts).await?;
        order_results(&orders, &mut rows);
    }
    machine.look_again(place.path())?;
    tell(plan, &machine, &measured, &goals, rows)
}

async fn ingest(plan: &Plan, place: &Path, measured: &mut Measured) -> Result<(), Fault> {
    for connections in CONNECTIONS {
        for engine in plan.engines() {
            let folder = place.join("store");
            if plan.has(Part::Process) {
                let figures = in_process(engine, connections, plan.span(), &folder).await?;
                let key = ("process", connections, engine.name());
                measured.entry(key).or_default().push(figures);
                fs::remove_dir_all(&folder)?;
            }
        }
        for engine in plan.engines() {
            let folder = place.join("store");
            if plan.has(Part::Https) {
                let figures = wire::measure(engine, connections, plan.span(), &folder).await?;
                let key = ("https", connections, engine.name());
                measured.entry(key).or_default().push(figures);
                fs::remove_dir_all(&folder)?;
            }
        }
    }
    Ok(())
}

async fn in_process(
    engine: Engine,
    senders: usize,
    span: Duration,
    folder: &Path,
) -> Result<Figures, Fault> {
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["ingest", "--engine", engine.name()])
        .args(["--senders", &senders.to_string()])
        .args(["--span-ms", &span.as_millis().to_string(), "--folder"])
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("measuring {} ended with {}", engine.name(), output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn ingest_goals(measured: &Measured) -> Vec<Goal> {
    let mut goals = Vec::new();
    for way in ["process", "https"] {
        for connections in [64, 256] {
            let of = |engine| measured.get(&(way, connections, engine));
            let Some(journal) = of("journal") else { continue };
            let mut goal = |what: &str, value, (side, limit), unit| {
                let what = format!("{what}, {way}, {connections}");
                goals.push(Goal { what, value, limit, side, unit });
            };
            for (other, limit) in [("raw", 0.6), ("redb", 1.0), ("sqlite", 1.0), ("fjall", 1.0)] {
                if let Some(rounds) = of(other) {
                    let value = report::ratio(journal, rounds, "rate");
                    goal(&format!("ingest to {other}"), value, (Side::AtLeast, limit), "");
                }
            }
            if let Some(raw) = of("raw") {
                let value = report::ratio(journal, raw, "p99_us");
                goal("p99 to raw", value, (Side::AtMost, 2.0), "");
            }
            let written = report::of(journal, "written");
            goal("bytes written for a byte of JSON", written, (Side::AtMost, 1.5), "");
            if way == "process" {
                let drain = report::of(journal, "drain") / report::of(journal, "rate");
                goal("drain to ingest", drain, (Side::AtLeast, 1.5), "");
            }
            if way == "process" && connections == 256 {
                let cpu = report::of(journal, "cpu_us");
                goal("CPU for an event", cpu, (Side::AtMost, 40.0), "µs");
            }
        }
    }
    goals
}

fn start_results(starts: &Starts, goals: &mut Vec<Goal>, rows: &mut Vec<Row>) {
    let (ready, empty) = (report::median(&starts.ready_ms), report::median(&starts.empty_ms));
    let what = format!("ready after a kill, {} events waiting", starts.events);
    goals.push(Goal { what, value: ready, limit: 250.0, side: Side::AtMost, unit: "ms" });
    let peak = crate::gauge::figure(starts.peak_kib) / 1_024.0;
    let what = "peak memory of such a start".to_owned();
    goals.push(Goal { what, value: peak, limit: 64.0, side: Side::AtMost, unit: "MiB" });
    for (name, value, unit, reference) in [
        ("start.backlog.ready", ready, "ms", Some(empty)),
        ("start.empty.ready", empty, "ms", None),
        ("start.backlog.peak", peak, "MiB", Some(64.0)),
    ] {
        rows.push(Row { name: name.to_owned(), value, unit, reference });
    }
}

fn order_results(orders: &Orders, rows: &mut Vec<Row>) {
    for (name, value, unit) in [
        ("orders.rate", orders.rate, "orders/s"),
        ("orders.first_call", report::median(&orders.first_ms), "ms"),
        ("orders.confirmed", report::median(&orders.whole_ms), "ms"),
        ("orders.peak", crate::gauge::figure(orders.peak_kib) / 1_024.0, "MiB"),
    ] {
        rows.push(Row { name: name.to_owned(), value, unit, reference: None });
    }
}

fn tell(
    plan: &Plan,
    machine: &Machine,
    measured: &Measured,
    goals: &[Goal],
    mut rows: Vec<Row>,
) -> Result<(), Fault> {
    let mut text = report::tables(machine, measured, goals);
    let further =
        rows.iter().filter(|row| row.name.starts_with("orders") || row.name.starts_with("start"));
    text.push_str("\n| further | value | unit |\n|---|---|---|\n");
    for row in further {
        let _ = writeln!(text, "| {} | {:.1} | {} |", row.name, row.value, row.unit);
    }
    rows.extend(goals.iter().map(|goal| Row {
        name: format!("goal.{}", goal.what),
        value: goal.value,
        unit: goal.unit,
        reference: Some(goal.limit),
    }));
    if plan.json {
        report::line(&serde_json::to_string(machine)?);
        for row in &rows {
            report::line(&serde_json::to_string(row)?);
        }
    } else {
        report::line(&text);
    }
    if let Some(path) = &plan.record {
        let page = fs::read_to_string(path)?;
        let (before, rest) = page.split_once(BEGIN).ok_or("the document has no markers")?;
        let (_, after) = rest.split_once(END).ok_or("the document has no end marker")?;
        fs::write(path, format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))?;
    }
    Ok(())
}
