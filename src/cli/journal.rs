//! The commands that look at the journal of a stopped gateway, and the look before an opening.
//!
//! Guarantees: nothing on the disk is changed. They take the journal's lock, so that a gateway that
//! runs is never looked at, and none starts meanwhile.

use super::{ConfigFile, Fault, say};
use crate::{
    config,
    dates::rfc3339,
    journal::{
        Event, Fate, JournalError, Loss, StoreError, guard,
        inspect::{AtRest, Findings, Segment},
    },
};
use clap::{Args, Subcommand};
use data_encoding::{BASE64, HEXLOWER};
use rustix::process::{Resource, Rlimit, Signal};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    ops::{ControlFlow, RangeInclusive},
    path::PathBuf,
};

/// Memory that a look may take; a database that takes more is not fit.
const LOOK_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Processor time that a look may take.
const LOOK_CPU_S_MAX: u64 = 20;

/// Look at the events on the disk.
#[derive(Debug, Args)]
pub struct Journal {
    /// Where the gateway's state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with a journal at rest.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Read everything; exit status 1 when an acknowledged event is missing or a segment is damaged.
    Verify {
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// One line for each segment, then what is recorded as lost.
    List {
        /// As JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// One event.
    Show {
        /// Its sequence number.
        seq: u64,
        /// Only its body, byte for byte.
        #[arg(long)]
        body: bool,
    },
    /// Events as JSON, one object a line; a body that is no text as `body_base64`.
    Export {
        /// The first number.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// The last number.
        #[arg(long, default_value_t = u64::MAX)]
        to: u64,
    },
}

/// Open one database and look at it.
#[derive(Debug, Args)]
pub struct Look {
    /// The folder of the database.
    pub folder: PathBuf,
}

/// Does one of them.
pub fn run(journal: &Journal) -> Result<(), Fault> {
    let loaded = config::load(&journal.config.path)?;
    let folder = loaded.config.state_dir.join("journal");
    let at_rest = AtRest::open(&folder).map_err(|error| {
        let is_used = matches!(error, JournalError::Store(StoreError::Locked));
        if is_used { Fault::InUse } else { Fault::Journal(error) }
    })?;
    match &journal.action {
        Action::Verify { json } => {
            let found = at_rest.verify()?;
            say(&if *json { findings_json(&found) } else { findings_text(&found) })?;
            whole_or_not(&found)
        }
        Action::List { json } if *json => {
            let (segments, losses) = (at_rest.list()?, at_rest.losses());
            let lines = segments.iter().map(segment_json).chain(losses.iter().map(loss_json));
            say(&lines.map(|value| line(&value)).collect::<String>())
        }
        Action::List { .. } => {
            let mut text: String = at_rest.list()?.iter().map(segment_text).collect();
            text.extend(at_rest.losses().iter().map(loss_text));
            say(&text)
        }
        Action::Show { seq, body } if *body => write_out(&event(&at_rest, *seq)?.body),
        Action::Show { seq, .. } => {
            let event = event(&at_rest, *seq)?;
            say(&event_text(&event))?;
            write_out(&event.body)?;
            say("\n")
        }
        Action::Export { from, to } => export(&at_rest, *from..=*to),
    }
}

/// Looks at one database, within limits, and ends with what it found.
pub fn look(look: &Look) -> Result<(), Fault> {
    // Who asked may have ended meanwhile. A limit that the system does not know is no reason not to look.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    for (resource, maximum) in
        [(Resource::As, LOOK_BYTES_MAX), (Resource::Cpu, LOOK_CPU_S_MAX), (Resource::Core, 0)]
    {
        let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
        let _ = rustix::process::setrlimit(resource, limit);
    }
    Ok(guard::look(&look.folder)?)
}

fn findings_json(found: &Findings) -> String {
    line(&json!({
        "whole": found.is_whole(),
        "events": events(found),
        "next": found.next,
        "missing": found.missing,
        "between": ranges_json(&found.between),
        "segments": found.segments.iter().map(segment_json).collect::<Vec<_>>(),
        "recorded": found.recorded.iter().map(loss_json).collect::<Vec<_>>(),
        "quarantined": found.aside,
    }))
}

fn findings_text(found: &Findings) -> String {
    let mut text: String = found.segments.iter().map(segment_text).collect();
    for range in &found.between {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "in no segment: {}", range_text(range));
    }
    text.extend(found.recorded.iter().map(loss_text));
    let (events, next, aside) = (events(found), found.next, found.aside);
    let _ = writeln!(text, "{events} events, the next is {next}, {aside} segments in quarantine");
    text
}

fn events(found: &Findings) -> u64 {
    found.segments.iter().map(|segment| segment.count).sum()
}

fn whole_or_not(found: &Findings) -> Result<(), Fault> {
    if found.is_whole() {
        return Ok(());
    }
    let damaged = found.segments.iter().filter(|segment| segment.damage.is_some()).count();
    let missing = found.missing;
    Err(Fault::Missing(format!("{missing} events are missing, {damaged} segments are damaged")))
}

fn event(at_rest: &AtRest, seq: u64) -> Result<Event, Fault> {
    let mut found = None;
    at_rest.read(seq..=seq, |event| {
        found = Some(event);
        ControlFlow::Break(())
    })?;
    found.ok_or_else(|| {
        let lost =
            at_rest.losses().into_iter().find(|loss| (loss.first..=loss.last).contains(&seq));
        let why = lost.map_or_else(|| "it is not in the journal".to_owned(), |loss| loss.why);
        Fault::Missing(format!("there is no event {seq}: {why}"))
    })
}

fn event_text(event: &Event) -> String {
    let Event { seq, source, topic, entity, delivery, received_ms, body } = event;
    let (received, delivery) = (rfc3339(*received_ms), HEXLOWER.encode(delivery));
    format!(
        "event      {}\nreceived   {received}\nsource     {source}\ntopic      {topic}\n\
         entity     {entity}\ndelivery   {delivery}\nbytes      {}\n\n",
        seq.0,
        body.len()
    )
}

fn write_out(bytes: &[u8]) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Fault::Unsaid)
}

fn export(at_rest: &AtRest, range: RangeInclusive<u64>) -> Result<(), Fault> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut failed = None;
    let mut next: Option<u64> = None;
    let mut absent: u64 = 0;
    at_rest.read(range, |event| {
        let seq = event.seq.0;
        absent = absent.saturating_add(seq.saturating_sub(next.unwrap_or(seq)));
        next = seq.checked_add(1);
        match out.write_all(line(&event_json(&event)).as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or_else(|| out.flush(), Err).map_err(Fault::Unsaid)?;
    if absent == 0 {
        return Ok(());
    }
    Err(Fault::Missing(format!("{absent} numbers in between are not there; see `journal verify`")))
}

fn event_json(event: &Event) -> Value {
    let Event { seq, source, topic, entity, delivery, received_ms, body } = event;
    let (key, body) = match std::str::from_utf8(body) {
        Ok(text) => ("body", text.to_owned()),
        Err(_) => ("body_base64", BASE64.encode(body)),
    };
    json!({
        "seq": seq.0,
        "received_ms": received_ms,
        "source": source,
        "topic": topic,
        "entity": entity,
        "delivery": HEXLOWER.encode(delivery),
        key: body,
    })
}

fn segment_json(segment: &Segment) -> Value {
    let Segment { first, last, count, bytes, is_sealed, damage, missing } = segment;
    json!({
        "segment": first,
        "last": last,
        "count": count,
        "bytes": bytes,
        "sealed": is_sealed,
        "damage": damage,
        "missing": ranges_json(missing),
    })
}

fn loss_json(loss: &Loss) -> Value {
    let Loss { first, last, fate, at_ms, why } = loss;
    json!({ "first": first, "last": last, "fate": fate, "at_ms": at_ms, "why": why })
}

fn segment_text(segment: &Segment) -> String {
    let Segment { first, last, count, bytes, is_sealed, damage, missing } = segment;
    let last = last.map_or_else(|| "none".to_owned(), |last| last.to_string());
    let state = if *is_sealed { "sealed" } else { "open" };
    let mut text =
        format!("segment {first:>10} to {last:>10} {count:>9} events {bytes:>11} bytes {state}");
    if let Some(damage) = damage {
        // Writing into a String cannot fail.
        let _ = write!(text, ", DAMAGED: {damage}");
    }
    for range in missing {
        let _ = write!(text, ", missing {}", range_text(range));
    }
    text.push('\n');
    text
}

fn loss_text(loss: &Loss) -> String {
    let Loss { first, last, fate, at_ms, why } = loss;
    let fate = match fate {
        Fate::Lost => "lost",
        Fate::Unused => "unused",
    };
    let range = range_text(&(*first..=*last));
    format!("{fate} {range}, noticed {}: {why}\n", rfc3339(*at_ms))
}

fn range_text(range: &RangeInclusive<u64>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{} to {}", range.start(), range.end())
    }
}

fn ranges_json(ranges: &[RangeInclusive<u64>]) -> Value {
    ranges.iter().map(|range| json!([range.start(), range.end()])).collect()
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
