//! Where log lines go: the systemd journal with their fields kept, or stderr as text.
//!
//! What this module guarantees:
//! 1. Field names are the same in both (`ORDER`, `SEQ`, `PART` in the journal).
//! 2. Libraries speak only from WARN up: their DEBUG may hold headers and bodies.
//! 3. A log line that cannot be written is dropped; logging never fails the work.
//!
//! What it does not: redact. No code logs personal data above DEBUG (rule 16).

use log::kv;
use serde::Deserialize;
use std::{fmt, io, os::unix::fs::MetadataExt};
use systemd_journal_logger::JournalLog;
use thiserror::Error;
use tracing::{Event, Metadata, Subscriber, field};
use tracing_subscriber::{
    Layer, Registry,
    filter::{FilterFn, LevelFilter, filter_fn},
    layer::{Context, SubscriberExt},
};

/// How much is logged, and where.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The least important lines that are written.
    #[serde(default = "Level::house")]
    pub level: Level,
    /// Where they go.
    #[serde(default = "Target::house")]
    pub target: Target,
}

impl Config {
    /// What an absent table means.
    pub const fn house() -> Self {
        Self { level: Level::house(), target: Target::house() }
    }
}

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Someone must act.
    Error,
    /// We coped, but look.
    Warn,
    /// A state changed.
    Info,
    /// A decision.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    const fn house() -> Self {
        Self::Info
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// To the journal when systemd started us, else to stderr.
    Auto,
    /// To stderr, as text.
    Stderr,
    /// To the journal.
    Journal,
}

impl Target {
    const fn house() -> Self {
        Self::Auto
    }
}

/// Why logging could not be started.
#[derive(Debug, Error)]
pub enum LogError {
    /// The journal's socket does not answer.
    #[error("cannot reach the systemd journal")]
    NoJournal(#[source] io::Error),
    /// It was started before.
    #[error("logging was already started")]
    Twice,
}

/// Starts logging for the whole process. May be called once.
pub fn start(level: Level, target: Target) -> Result<(), LogError> {
    let journal = match target {
        Target::Auto => under_systemd(),
        Target::Stderr => false,
        Target::Journal => true,
    };
    if journal { start_journal(level) } else { start_stderr(level) }
}

/// Writes a fault and every cause below it on one line.
pub fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(below) = cause {
        text.push_str(": ");
        text.push_str(&below.to_string());
        cause = below.source();
    }
    text
}

fn start_journal(level: Level) -> Result<(), LogError> {
    let journal = JournalLog::empty().map_err(LogError::NoJournal)?;
    let journal = journal.with_syslog_identifier("causeway".to_owned());
    let layer = JournalLayer { sink: journal }.with_filter(ours(level));
    tracing::subscriber::set_global_default(Registry::default().with(layer))
        .map_err(|_| LogError::Twice)
}

fn start_stderr(level: Level) -> Result<(), LogError> {
    let text = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(ours(level));
    tracing::subscriber::set_global_default(Registry::default().with(text))
        .map_err(|_| LogError::Twice)
}

/// Whether stderr is the stream that systemd connected to the journal.
fn under_systemd() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream.to_str() == Some(format!("{}:{}", stderr.dev(), stderr.ino()).as_str())
}

fn ours(level: Level) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    let most = level.filter();
    filter_fn(move |meta| {
        let is_ours = meta.target().starts_with("causeway");
        let least = if is_ours { most } else { most.min(LevelFilter::WARN) };
        *meta.level() <= least
    })
    .with_max_level_hint(most)
}

/// Takes a finished line. The journal in production, a list in tests.
trait Sink: 'static {
    fn send(&self, record: &log::Record<'_>);
}

impl Sink for JournalLog {
    fn send(&self, record: &log::Record<'_>) {
        // A journal that is away must not stop orders.
        let _ = self.journal_send(record);
    }
}

/// Turns tracing events into log records whose key values are the event's fields.
struct JournalLayer<S> {
    sink: S,
}

impl<S: Sink, R: Subscriber> Layer<R> for JournalLayer<S> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, R>) {
        let mut line = Line::default();
        event.record(&mut line);
        let meta = event.metadata();
        let fields = Fields(&line.fields);
        self.sink.send(
            &log::Record::builder()
                .level(level_of(*meta.level()))
                .target(meta.target())
                .module_path(meta.module_path())
                .file(meta.file())
                .line(meta.line())
                .key_values(&fields)
                .args(format_args!("{}", line.message))
                .build(),
        );
    }
}

fn level_of(level: tracing::Level) -> log::Level {
    match level {
        tracing::Level::ERROR => log::Level::Error,
        tracing::Level::WARN => log::Level::Warn,
        tracing::Level::INFO => log::Level::Info,
        tracing::Level::DEBUG => log::Level::Debug,
        tracing::Level::TRACE => log::Level::Trace,
    }
}

/// One event, taken apart.
#[derive(Default)]
struct Line {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Line {
    fn put(&mut self, field: &field::Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), text));
        }
    }
}

impl field::Visit for Line {
    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &field::Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_error(&mut self, field: &field::Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(value), |error| error.source());
        let chain: Vec<String> = causes.map(ToString::to_string).collect();
        self.put(field, chain.join(": "));
    }
}

struct Fields<'l>(&'l [(&'static str, String)]);

impl kv::Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn kv::VisitSource<'kvs>) -> Result<(), kv::Error> {
        for (key, value) in self.0 {
            visitor.visit_pair(kv::Key::from_str(key), kv::Value::from(value.as_str()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fmt::Write,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct List(Arc<Mutex<Vec<String>>>);

    impl Sink for List {
        fn send(&self, record: &log::Record<'_>) {
            struct Told(String);
            impl<'kvs> kv::VisitSource<'kvs> for Told {
                fn visit_pair(
                    &mut self,
                    k: kv::Key<'kvs>,
                    v: kv::Value<'kvs>,
                ) -> Result<(), kv::Error> {
                    write!(self.0, " {k}={v}")?;
                    Ok(())
                }
            }
            let mut told = Told(format!("{} {}", record.level(), record.args()));
            record.key_values().visit(&mut told).unwrap();
            self.0.lock().unwrap().push(told.0);
        }
    }

    fn lines(level: Level, say: impl Fn()) -> Vec<String> {
        let list = List::default();
        let layer = JournalLayer { sink: list.clone() }.with_filter(ours(level));
        tracing::subscriber::with_default(Registry::default().with(layer), say);
        list.0.lock().unwrap().clone()
    }

    #[test]
    fn an_event_keeps_its_fields_as_fields() {
        let part = "lane";
        let got = lines(Level::Info, || tracing::warn!(order = 7, part = %part, "held {}", "up"));
        assert_eq!(got, ["WARN held up order=7 part=lane"]);
    }

    #[test]
    fn libraries_speak_only_when_something_is_wrong() {
        let got = lines(Level::Trace, || {
            tracing::trace!("ours");
            tracing::info!(target: "hyper::proto", "theirs");
            tracing::warn!(target: "hyper::proto", "their warning");
        });
        assert_eq!(got, ["TRACE ours", "WARN their warning"]);
        let got = lines(Level::Error, || tracing::warn!(target: "hyper", "their warning"));
        assert!(got.is_empty(), "{got:?}");
    }
}
