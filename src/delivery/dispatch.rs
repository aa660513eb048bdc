//! Gives cases that are due to workers, and takes events in.
//!
//! One loop owns what is in flight. Nothing is polled: it wakes when the journal
//! grows, when a worker ends, when a case falls due, or when a person asks.

use super::{
    Config,
    cases::{CaseError, Cases},
    desk::{self, Request},
    events,
    perform::Performer,
    rows::{self, CaseKey},
    worker::{self, Finished, Moved, Tools},
};
use crate::{clock, flow::rules::Rules, journal::Journal};
use prometheus_client::metrics::counter::Counter;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::{self, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// Pause after the disk or the store failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// Longest sleep; a clock that was set is noticed after it at the latest.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// How long workers may finish the call under way when the gateway stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
/// Rows read at once when the stages are counted at the start.
const COUNT_ROWS_MAX: usize = 256;

/// How many cases are in each stage. Published by the dispatcher, never locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases by the name of their stage.
    pub stages: BTreeMap<&'static str, u64>,
    /// When the oldest case that is due was due, in milliseconds since 1970.
    pub oldest_due_ms: Option<u64>,
    /// Why the last attempt to take events or a case failed, if it did.
    pub fault: Option<String>,
    /// Orders that were seen for the first time, since the start.
    pub orders: u64,
}

/// The parts of the delivery.
pub struct Delivery {
    journal: Journal,
    tools: Arc<Tools>,
    lanes_max: usize,
    requests: mpsc::Receiver<Request>,
    tally: watch::Sender<Tally>,
}

/// What woke the loop.
enum Event {
    Stop,
    Finished(Result<(task::Id, Finished), JoinError>),
    Asked(Request),
    Arrived,
    Time,
}

/// What is in hand.
#[derive(Default)]
struct InHand {
    workers: JoinSet<Finished>,
    keys: HashMap<task::Id, CaseKey>,
    more_events: bool,
    /// After a fault nothing is begun before this moment.
    rest_until: Option<Instant>,
}

impl Delivery {
    /// Puts the parts together.
    pub fn new(
        (journal, cases, performer): (Journal, Cases, Performer),
        rules: Arc<Rules>,
        config: Config,
        (requests, tally): (mpsc::Receiver<Request>, watch::Sender<Tally>),
        confirmed: Counter,
    ) -> Self {
        let stop = CancellationToken::new();
        let tools = Arc::new(Tools { cases, performer, rules, stop, confirmed });
        Self { journal, tools, lanes_max: config.lanes_max.max(1), requests, tally }
    }

    /// Runs until told to stop; workers finish the call under way, as far as there is time.
    pub async fn run(&mut self, stop: CancellationToken) {
        let mut hand = InHand::default();
        let mut heads = self.journal.heads();
        hand.more_events = true;
        self.count_or_say();
        loop {
            let pause = self.turn(&mut hand).await;
            let idle = hand.keys.len() < self.lanes_max;
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => Event::Stop,
                Some(ended) = hand.workers.join_next_with_id() => Event::Finished(ended),
                Some(request) = self.requests.recv() => Event::Asked(request),
                changed = heads.changed() => {
                    if changed.is_ok() { Event::Arrived } else { Event::Stop }
                }
                () = tokio::time::sleep(pause), if idle => Event::Time,
            };
            match event {
                Event::Stop => break,
                Event::Finished(Ok((id, finished))) => self.finished(&mut hand, id, finished),
                Event::Finished(Err(panic)) => self.panicked(&mut hand, panic.id()).await,
                Event::Asked(request) => self.asked(request).await,
                Event::Arrived => hand.more_events = true,
                Event::Time => {}
            }
        }
        self.end(hand).await;
    }

    async fn end(&self, mut hand: InHand) {
        self.tools.stop.cancel();
        let ended = async { while hand.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME_MAX, ended).await.is_err() {
            // A call that takes longer is dropped: its intent is durable, so the next
            // start looks what became of it.
            hand.workers.shutdown().await;
        }
    }

    /// Takes events and hands out what is due; returns how long there is nothing to do.
    async fn turn(&self, hand: &mut InHand) -> Duration {
        let now = clock::now().mono;
        let rest = hand.rest_until.map(|until| until.saturating_duration_since(now));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            return rest;
        }
        if hand.more_events {
            let now_ms = clock::now().unix_ms();
            let state = self.tools.cases.state();
            match events::take(&self.journal, state, &self.tools.rules, now_ms).await {
                Ok(more) => hand.more_events = more,
                Err(fault) => {
                    self.failed("take events", &fault);
                    return AFTER_FAULT;
                }
            }
        }
        match self.hand_out(hand) {
            Ok(_) if hand.more_events => Duration::ZERO,
            Ok(pause) => pause,
            Err(fault) => {
                self.failed("find what is due", &fault);
                AFTER_FAULT
            }
        }
    }

    fn hand_out(&self, hand: &mut InHand) -> Result<Duration, CaseError> {
        let now_ms = clock::now().unix_ms();
        let state = self.tools.cases.state();
        // Every case in hand can have two entries of its own at the front of the list.
        let rows_max = self.lanes_max.saturating_mul(4);
        let due = state.scan(rows::due_until(now_ms), rows_max)?;
        let mut oldest = None;
        for (at_ms, key) in due.iter().filter_map(|(row, _)| CaseKey::from_due(row)) {
            oldest = oldest.or(Some(at_ms));
            if hand.keys.len() >= self.lanes_max {
                break;
            }
            if !hand.keys.values().any(|in_hand| *in_hand == key) {
                let work = worker::work(Arc::clone(&self.tools), key.clone(), at_ms);
                hand.keys.insert(hand.workers.spawn(work).id(), key);
            }
        }
        self.tally.send_if_modified(|tally| {
            let changed = tally.oldest_due_ms != oldest || tally.fault.is_some();
            (tally.oldest_due_ms, tally.fault) = (oldest, None);
            changed
        });
        let all = rows::table("d");
        let later = rows::due_until(now_ms).end..all.end;
        let next = state.scan(later, 1)?.first().and_then(|(row, _)| CaseKey::from_due(row));
        let pause = next.map(|(at_ms, _)| Duration::from_millis(at_ms.saturating_sub(now_ms)));
        Ok(pause.unwrap_or(SLEEP_MAX).min(SLEEP_MAX))
    }

    fn finished(&self, hand: &mut InHand, id: task::Id, finished: Finished) {
        hand.keys.remove(&id);
        match finished.result {
            Ok(moved) => {
                self.moved(moved);
                if moved.from.is_none() && moved.to.is_some() && !finished.key.is_of_id() {
                    self.tally.send_modify(|tally| tally.orders = tally.orders.saturating_add(1));
                }
            }
            Err(fault) => {
                hand.rest_until = Some(clock::now().mono + AFTER_FAULT);
                self.failed(&format!("work on order {}", finished.key), &fault);
            }
        }
    }

    /// A case on which the program fails would be tried for ever: a person looks first.
    async fn panicked(&self, hand: &mut InHand, id: task::Id) {
        hand.rest_until = Some(clock::now().mono + AFTER_FAULT);
        let Some(key) = hand.keys.remove(&id) else { return };
        tracing::error!(order = %key, "the program failed on this order");
        match desk::set_aside(&self.tools.cases, &key, clock::now().unix_ms()).await {
            Ok(moved) => self.moved(moved),
            Err(fault) => self.failed("set a case aside", &fault),
        }
    }

    fn moved(&self, Moved { from, to }: Moved) {
        if from == to {
            return;
        }
        self.tally.send_modify(|tally| {
            if let Some(stage) = from {
                let count = tally.stages.entry(stage).or_default();
                *count = count.saturating_sub(1);
            }
            if let Some(stage) = to {
                let count = tally.stages.entry(stage).or_default();
                *count = count.saturating_add(1);
            }
        });
    }

    async fn asked(&self, request: Request) {
        let now_ms = clock::now().unix_ms();
        let moved = desk::answer(&self.tools.cases, request, now_ms).await;
        if let Some(moved) = moved {
            self.moved(moved);
        }
    }

    fn count_or_say(&self) {
        if let Err(fault) = self.count() {
            self.failed("count the cases", &fault);
        }
    }

    /// Counts the cases by stage once, a few at a time.
    fn count(&self) -> Result<(), CaseError> {
        let state = self.tools.cases.state();
        let mut range = rows::table("r");
        let mut stages = BTreeMap::new();
        loop {
            let found = state.scan(range, COUNT_ROWS_MAX)?;
            let Some((last, _)) = found.last() else { break };
            range = rows::table_after("r", last);
            for (_, row) in &found {
                let row: rows::RunRow = rows::read(row)?;
                let count: &mut u64 = stages.entry(row.run.stage.name()).or_default();
                *count = count.saturating_add(1);
            }
        }
        self.tally.send_modify(|tally| tally.stages = stages);
        Ok(())
    }

    fn failed(&self, doing: &str, fault: &dyn std::error::Error) {
        let why = crate::log::chain(fault);
        tracing::error!(doing, why, "the delivery stands still");
        self.tally.send_modify(|tally| tally.fault = Some(format!("could not {doing}: {why}")));
    }
}
