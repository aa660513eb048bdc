//! A writer that uses journal and state as the gateway does, and the look at what is left of them.
//!
//! The writer appends batches from several tasks, a consumer turns events into rows, moves its cursor
//! in the same commit and only then settles. For each acknowledgement it prints how long the log of
//! the disk was, so that a cut after that point must have what was acknowledged.

use crate::{ledger, site::Fault};
use causeway::{
    journal::{self, Event, Journal, NewEvent, Seq},
    state::{self, Batch, State},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Write as _, stdout},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{sync::Mutex, task::JoinSet};

/// Events that are appended in one call, all or none.
pub(crate) const BATCH_EVENTS: u64 = 5;
/// Batches of one run have numbers from its session times this.
pub(crate) const SESSION_BATCHES: u64 = 1_000_000;
/// Tasks that append at once, in every other session.
const WRITERS: u64 = 3;
/// Tasks that append at once in the others: a group is then as large as it can get, and the store
/// writes it in several pieces.
const CROWD: u64 = 60;
/// Events that the consumer takes in one go.
const TAKE_EVENTS_MAX: usize = 16;

/// One acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Acked {
    /// A batch of events is kept.
    Batch(u64),
    /// A commit of the consumer is kept; so many were made.
    Commit(u64),
}

/// What must be there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// Batches that were acknowledged.
    pub(crate) batches: BTreeSet<u64>,
    /// Commits that were acknowledged.
    pub(crate) commits: u64,
}

impl Expected {
    /// Adds an acknowledgement.
    pub(crate) fn add(&mut self, acked: Acked) {
        match acked {
            Acked::Batch(batch) => {
                self.batches.insert(batch);
            }
            Acked::Commit(commits) => self.commits = self.commits.max(commits),
        }
    }
}

/// Whether many append at once in this session.
fn is_crowded(session: u64) -> bool {
    session % 2 == 1
}

fn journal_config(session: u64) -> Result<journal::Config, Fault> {
    // In a crowded session the store has reason to tidy up within a segment.
    let text = if is_crowded(session) {
        "free_bytes_min = 0\nsegment_bytes_max = 16777216\nhandle_bytes_max = 8388608"
    } else {
        "free_bytes_min = 0\nsegment_bytes_max = 1048576\nhandle_bytes_max = 524288"
    };
    Ok(toml::from_str(text)?)
}

fn state_config() -> Result<state::Config, Fault> {
    let text = "free_bytes_min = 0\ncompact_bytes_min = 1048576\nhandle_bytes_max = 524288";
    Ok(toml::from_str(text)?)
}

fn body(batch: u64, index: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(batch * 31 + index);
    let usual = if is_crowded(batch / SESSION_BATCHES) { 5_000 } else { 1_200 };
    let length = if random.u8(..) < 16 { 9_000 } else { usual };
    (0..random.usize(0..length)).map(|_| random.u8(..)).collect()
}

/// A row that is written anew by each commit, so that the state is compacted.
fn hot(commits: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(commits);
    (0..9_000).map(|_| random.u8(..)).collect()
}

fn event(batch: u64, index: u64) -> NewEvent {
    NewEvent {
        source: "power".to_owned(),
        topic: "order.updated".to_owned(),
        entity: format!("{batch}:{index}"),
        delivery: [7; 32],
        received_ms: batch,
        body: body(batch, index),
    }
}

/// Reads which event this is; `None` if it is not one of ours or not as it was written.
fn known(event: &Event) -> Option<(u64, u64)> {
    let (batch, index) = event.entity.split_once(':')?;
    let (batch, index) = (batch.parse().ok()?, index.parse().ok()?);
    (index < BATCH_EVENTS && event.body == body(batch, index)).then_some((batch, index))
}

fn row_of(batch: u64, index: u64) -> Vec<u8> {
    format!("row:{batch}:{index}").into_bytes()
}

fn number(value: Option<Vec<u8>>) -> u64 {
    let bytes: Option<[u8; 8]> = value.and_then(|value| value.try_into().ok());
    bytes.map_or(0, u64::from_be_bytes)
}

/// Prints what was acknowledged, with the length of the log at that moment.
struct Notary(PathBuf);

impl Notary {
    fn note(&self, acked: Acked) -> Result<(), Fault> {
        let position = fs::metadata(&self.0)?.len();
        let line = serde_json::to_string(&(position, acked))?;
        // One write for each line: the reader is another process.
        stdout().lock().write_all(format!("{line}\n").as_bytes())?;
        Ok(())
    }
}

/// Writes `batches` batches, consumes most of them, and ends without closing anything.
pub(crate) async fn write(
    folder: &Path,
    log: &Path,
    session: u64,
    batches: u64,
) -> Result<(), Fault> {
    let notary = Arc::new(Notary(log.to_path_buf()));
    let (state, keeper) = State::open(&folder.join("state"), &state_config()?)?;
    let config = journal_config(session)?;
    let (journal, committer) = Journal::open(&folder.join("journal"), &config)?;
    let numbers =
        Arc::new(Mutex::new(session * SESSION_BATCHES..session * SESSION_BATCHES + batches));
    let mut writers = JoinSet::new();
    let count = if is_crowded(session) { CROWD } else { WRITERS };
    for _ in 0..count {
        writers.spawn(append(journal.clone(), Arc::clone(&notary), Arc::clone(&numbers)));
    }
    let mut heads = journal.heads();
    loop {
        let more = consume(&journal, &state, &notary).await?;
        if more {
            continue;
        }
        tokio::select! {
            ended = writers.join_next() => match ended {
                Some(ended) => ended??,
                None => break,
            },
            _ = heads.changed() => {}
        }
    }
    let left = journal.stats();
    let generation = fs::read_to_string(folder.join("state/CURRENT"))?;
    let (first, segments) = (left.first.0, left.segments);
    let generation = generation.trim().trim_start_matches('0');
    stdout().lock().write_all(
        format!(
            "# {segments} segments left, from event {first}; generation {generation} of the state\n"
        )
        .as_bytes(),
    )?;
    // Neither is closed: what is on the disk is what was acknowledged, not what a goodbye added.
    std::mem::forget((committer, keeper));
    Ok(())
}

/// Appends batches until there are no more numbers for them.
async fn append(
    journal: Journal,
    notary: Arc<Notary>,
    numbers: Arc<Mutex<Range<u64>>>,
) -> Result<(), Fault> {
    loop {
        let Some(batch) = numbers.lock().await.next() else { return Ok(()) };
        let events = (0..BATCH_EVENTS).map(|index| event(batch, index)).collect();
        drop(journal.append_all(events).await?);
        notary.note(Acked::Batch(batch))?;
    }
}

/// Takes the next events as `delivery::events` does; says whether there may be more.
async fn consume(journal: &Journal, state: &State, notary: &Notary) -> Result<bool, Fault> {
    let cursor = state.get(b"cursor")?;
    let from = number(cursor.clone()).max(1);
    let events = journal.read(Seq(from), TAKE_EVENTS_MAX, 1 << 20)?;
    let Some(last) = events.last() else { return Ok(false) };
    let commits = number(state.get(b"commits")?) + 1;
    let mut batch = Batch::new();
    batch.expect(b"cursor".to_vec(), cursor.as_deref());
    let next = last.seq.0 + 1;
    batch.put(b"cursor".to_vec(), next.to_be_bytes());
    batch.put(b"commits".to_vec(), commits.to_be_bytes());
    batch.put(format!("hot:{}", commits % 7).into_bytes(), hot(commits));
    for event in &events {
        let (batch_of, index) = known(event).ok_or("the journal gave back another event")?;
        batch.put(row_of(batch_of, index), event.seq.0.to_be_bytes());
    }
    state.commit(batch).await?;
    notary.note(Acked::Commit(commits))?;
    journal.settle(Seq(next));
    Ok(true)
}

/// Opens what is left as the gateway would, and names everything that is wrong with it.
pub(crate) async fn check(folder: &Path, expected: &Expected) -> Result<Vec<String>, Fault> {
    let mut wrong = Vec::new();
    let (state, keeper) = State::open(&folder.join("state"), &state_config()?)?;
    let (journal, committer) = Journal::open(&folder.join("journal"), &journal_config(0)?)?;
    let commits = number(state.get(b"commits")?);
    if commits < expected.commits {
        wrong.push(format!("{} commits were acknowledged, {commits} are there", expected.commits));
    }
    let row = state.get(format!("hot:{}", commits % 7).as_bytes())?;
    if commits > 0 && row != Some(hot(commits)) {
        wrong.push(format!("the row of commit {commits} is not the one that was written"));
    }
    let cursor = number(state.get(b"cursor")?).max(1);
    let events = ledger::read_open(&journal)?;
    let mut kept: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut before = 0;
    for event in &events {
        if event.seq.0 <= before {
            wrong.push(format!("{} follows {before}", event.seq.0));
        }
        before = event.seq.0;
        match known(event) {
            None => wrong.push(format!("event {} is not as it was written", event.seq.0)),
            Some(place) => {
                let row = state.get(&row_of(place.0, place.1))?;
                if event.seq.0 < cursor && number(row) != event.seq.0 {
                    wrong.push(format!("the cursor passed {} without its row", event.seq.0));
                }
                if kept.insert(place, event.seq.0).is_some() {
                    wrong.push(format!("batch {} is there twice", place.0));
                }
            }
        }
    }
    let known_batches = kept.keys().map(|(batch, _)| *batch);
    for batch in known_batches.chain(expected.batches.iter().copied()).collect::<BTreeSet<_>>() {
        let mut gone = 0;
        for index in 0..BATCH_EVENTS {
            let in_journal = kept.contains_key(&(batch, index));
            let is_done = number(state.get(&row_of(batch, index))?) > 0;
            gone += u64::from(!in_journal && !is_done);
        }
        if gone > 0 {
            let was = expected.batches.contains(&batch);
            let what = if was { "acknowledged" } else { "half there" };
            wrong.push(format!("batch {batch} was {what} and lacks {gone} events"));
        }
    }
    goes_on(&journal, &state, &mut wrong).await?;
    committer.stop();
    keeper.stop();
    Ok(wrong)
}

/// Writes on and reads it back.
async fn goes_on(journal: &Journal, state: &State, wrong: &mut Vec<String>) -> Result<(), Fault> {
    let extra = SESSION_BATCHES * 900;
    let events = (0..BATCH_EVENTS).map(|index| event(extra, index)).collect();
    let receipts = journal.append_all(events).await?;
    let first = receipts.first().ok_or("no receipt came")?.seq();
    let read = journal.read(first, TAKE_EVENTS_MAX, 1 << 20)?;
    if read.iter().filter_map(known).filter(|(batch, _)| *batch == extra).count() != receipts.len()
    {
        wrong.push("what was appended afterwards cannot be read".to_owned());
    }
    let mut batch = Batch::new();
    batch.put(b"afterwards".to_vec(), b"yes".to_vec());
    state.commit(batch).await?;
    Ok(())
}
