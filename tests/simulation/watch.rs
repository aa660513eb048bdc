//! Looks at every call to M3 while it is made, for what must never be.
//!
//! Guarantees: what it finds is kept with the time and the call; it changes nothing.

use causeway::{
    delivery::rows::{self, CaseKey, RunRow},
    flow::place::Place,
    state::Memory,
};
use causeway_sim::{m3::M3, serve::Request};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};
use tokio::time::Instant;

/// Calls that are kept for the report of a failure.
const TRACE_MAX: usize = 400;

/// What a call to M3 wants to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Head,
    Details,
    Line,
    Confirm,
    Delete,
}

/// A call under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    watch: &'a Watch,
    keys: Vec<String>,
    life: u64,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut notes = self.watch.notes.lock().unwrap();
        for key in &self.keys {
            if notes.under_way.get(key) == Some(&self.life) {
                notes.under_way.remove(key);
            }
        }
    }
}

/// The watch.
#[derive(Debug)]
pub(crate) struct Watch {
    memory: Memory,
    begun: Instant,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    wrong: Vec<String>,
    trace: VecDeque<String>,
    /// Writes under way, by key.
    under_way: BTreeMap<String, u64>,
    /// The temporary orders that were to be confirmed, by key.
    targets: BTreeMap<String, Vec<String>>,
    calls: u64,
}

impl Watch {
    pub(crate) fn new(memory: Memory) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a simulation lives by tokio's paused clock")]
        let begun = Instant::now();
        Self { memory, begun, notes: Mutex::default() }
    }

    /// Notes something for the report of a failure.
    pub(crate) fn note(&self, what: &str) {
        let at = self.begun.elapsed().as_secs_f64();
        let mut notes = self.notes.lock().unwrap();
        if notes.trace.len() >= TRACE_MAX {
            notes.trace.pop_front();
        }
        notes.trace.push_back(format!("{at:>10.1} s  {what}"));
    }

    /// Notes something that must never be.
    pub(crate) fn wrong(&self, what: &str) {
        self.note(&format!("WRONG: {what}"));
        self.notes.lock().unwrap().wrong.push(what.to_owned());
    }

    /// What must never be and was.
    pub(crate) fn found(&self) -> Vec<String> {
        self.notes.lock().unwrap().wrong.clone()
    }

    /// The last of what happened.
    pub(crate) fn trace(&self) -> String {
        Vec::from(self.notes.lock().unwrap().trace.clone()).join("\n")
    }

    /// How many calls M3 got, and a fingerprint of all that was noted.
    pub(crate) fn fingerprint(&self) -> (u64, String) {
        let calls = self.notes.lock().unwrap().calls;
        (calls, self.trace())
    }

    /// A call arrives at M3.
    pub(crate) fn call(&self, m3: &M3, request: &Request, life: u64) -> Call<'_> {
        self.notes.lock().unwrap().calls += 1;
        let asked = asked(request);
        let mut keys = Vec::new();
        for (write, record) in &asked {
            let Some(key) = key_of(m3, *write, record) else { continue };
            self.check_intent(&key, *write, record);
            if *write == Write::Confirm {
                self.check_target(m3, &key, record);
            }
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut names: Vec<_> = asked.iter().map(|(write, _)| format!("{write:?}")).collect();
        names.dedup();
        if !keys.is_empty() {
            self.note(&format!("life {life}: {} {}", names.join(","), keys.join(",")));
        }
        for key in &keys {
            let other = self.notes.lock().unwrap().under_way.insert(key.clone(), life);
            if other == Some(life) {
                self.wrong(&format!("two writes for {key} at once"));
            }
        }
        Call { watch: self, keys, life }
    }

    /// The process has ended: what it had under way is nobody's.
    pub(crate) fn ended(&self) {
        self.notes.lock().unwrap().under_way.clear();
    }

    /// No write without a durable intent that says just this.
    fn check_intent(&self, key: &str, write: Write, record: &Value) {
        let row = self.memory.get(&CaseKey::typed(key).run());
        let run = row.as_deref().map(|row| rows::read::<RunRow>(row).unwrap().run);
        let tmp = text(record, "ORNO");
        let intended = run.is_some_and(|run| match (&run.placing.at, write) {
            (Place::AddHead { sent }, Write::Head) => {
                *sent && run.placing.tokens.last().is_some_and(|it| it == text(record, "OREF"))
            }
            (Place::AddDetails { tmp: at, sent }, Write::Details)
            | (Place::AddLines { tmp: at, sent, .. }, Write::Line)
            | (Place::Confirm { tmp: at, sent }, Write::Confirm)
            | (Place::Delete { tmp: at, sent, .. }, Write::Delete) => *sent && at.as_str() == tmp,
            // An orphan is swept up: the sweep names it in the run.
            (_, Write::Delete) => true,
            (_, Write::Head | Write::Details | Write::Line | Write::Confirm) => false,
        });
        if !intended {
            self.wrong(&format!("{write:?} of {tmp} for {key} without a durable intent"));
        }
    }

    /// One temporary order of a key is confirmed, unless the one before is proven gone.
    fn check_target(&self, m3: &M3, key: &str, record: &Value) {
        let tmp = text(record, "ORNO").to_owned();
        let books = m3.books();
        let mut notes = self.notes.lock().unwrap();
        let targets = notes.targets.entry(key.to_owned()).or_default();
        let earlier: Vec<_> = targets.iter().filter(|it| **it != tmp).cloned().collect();
        if !targets.contains(&tmp) {
            targets.push(tmp.clone());
        }
        drop(notes);
        let is_there = |it: &String| books.temporary.iter().any(|head| head.orno == *it);
        if let Some(open) = earlier.iter().find(|it| is_there(it)) {
            self.wrong(&format!("{key}: {tmp} is confirmed while {open} is still there"));
        }
        let other = books.orders.iter().find(|order| order.cuor == key && order.tmp != tmp);
        if let Some(real) = other {
            self.wrong(&format!("{key}: {tmp} is confirmed, and {} is there", real.orno));
        }
    }
}

/// The writes of order entry in a request, each with its fields.
fn asked(request: &Request) -> Vec<(Write, Value)> {
    if request.method != "POST" {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if text(&body, "program") != "OIS100MI" {
        return Vec::new();
    }
    let entries = body.get("transactions").and_then(Value::as_array).cloned().unwrap_or_default();
    let write = |entry: &Value| {
        let write = match text(entry, "transaction") {
            "AddBatchHead" | "AddHead" => Write::Head,
            "AddBatchAddress" | "AddBatchText" | "AddBatchHeadChg" => Write::Details,
            "AddBatchLine" | "AddLine" => Write::Line,
            "Confirm" => Write::Confirm,
            "DelBatchHead" => Write::Delete,
            _ => return None,
        };
        Some((write, entry.get("record")?.clone()))
    };
    entries.iter().filter_map(write).collect()
}

/// The key of the order that a write is for.
fn key_of(m3: &M3, write: Write, record: &Value) -> Option<String> {
    if write == Write::Head {
        return Some(text(record, "CUOR").to_owned());
    }
    let tmp = text(record, "ORNO");
    let books = m3.books();
    books.temporary.iter().find(|head| head.orno == tmp).map(|head| head.cuor.clone())
}

/// A member that is a text.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
