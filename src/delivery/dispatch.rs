//! Gives cases that are due to workers, and takes events in.
//!
//! One loop owns what is in flight. Nothing is polled: it wakes when the journal
//! grows, when a worker ends, when a case falls due, or when a person asks. The oldest
//! that can be worked on goes first; what needs a system that is away is not looked at;
//! a case on which the program or its row fails rests alone.

use super::{
    Config,
    cases::{CaseError, Cases},
    credit::Credit,
    desk::{self, Request},
    events,
    hand::InHand,
    perform::Performer,
    rows::{self, CaseKey, Due},
    worker::{self, Finished, Job, Moved, Tools},
};
use crate::{clock, flow::run::Need, journal::Journal};
use prometheus_client::metrics::counter::Counter;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::{self, JoinError},
};
use tokio_util::sync::CancellationToken;

/// Pause after the disk or the store failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// Longest sleep; a clock that was set is noticed after it at the latest.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Longest sleep while somebody waits for a system that is away.
const AWAY_SLEEP_MAX: Duration = Duration::from_secs(5);
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
    config: Config,
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

/// What is due and can be worked on.
struct View {
    ready: Vec<(Due, CaseKey)>,
    oldest_ms: Option<u64>,
    pause: Duration,
}

impl Delivery {
    /// Puts the parts together.
    pub fn new(
        (journal, cases, performer): (Journal, Cases, Performer),
        config: Config,
        (requests, tally): (mpsc::Receiver<Request>, watch::Sender<Tally>),
        confirmed: Counter,
    ) -> Self {
        let stop = CancellationToken::new();
        let rules = performer.customers().shared_rules();
        let confirms = Arc::new(Semaphore::new(config.confirm_concurrency_max.max(1)));
        let confirms_queued = AtomicBool::new(false);
        let tools = Tools { cases, performer, rules, stop, confirmed, confirms, confirms_queued };
        let config = Config { lanes_max: config.lanes_max.max(1), ..config };
        Self { journal, tools: Arc::new(tools), config, requests, tally }
    }

    /// Runs until told to stop; workers finish the call under way, as far as there is time.
    pub async fn run(&mut self, stop: CancellationToken) {
        let mut hand = InHand::new(self.config);
        let mut heads = self.journal.heads();
        self.count_or_say();
        loop {
            let pause = self.turn(&mut hand).await;
            let idle = hand.keys.len() < self.config.lanes_max;
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
        self.tools.performer.end();
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
        match self.take_events(hand).await {
            Ok(()) => {}
            Err(fault) => {
                self.failed("take events", &fault);
                return AFTER_FAULT;
            }
        }
        match self.hand_out(hand) {
            Ok(_) if hand.more_events && hand.credit.is_left() => Duration::ZERO,
            Ok(pause) if hand.more_events => pause.min(Credit::COUNT_EVERY),
            Ok(pause) => pause,
            Err(fault) => {
                self.failed("find what is due", &fault);
                AFTER_FAULT
            }
        }
    }

    /// Takes events as long as not too many cases wait; the others stay in the journal.
    async fn take_events(&self, hand: &mut InHand) -> Result<(), events::TakeError> {
        let Tools { cases, performer, rules, .. } = &*self.tools;
        if !hand.more_events {
            return Ok(());
        }
        let now_ms = self.tools.time().now().now_ms;
        let begun = clock::now().mono;
        if hand.credit.is_to_be_counted(begun) {
            // What waits for an M3 that is away lies on the disk and costs nothing; the more events have
            // become orders by then, the fewer are left to be looked at when it is back.
            let needs = Need::ALL.into_iter().filter(|need| {
                matches!(need, Need::Shop | Need::Nobody) || performer.closed_for(*need).is_none()
            });
            let waiting = waiting(cases, needs, now_ms, self.config.waiting_max)?;
            hand.credit.counted(waiting, begun, clock::now().mono);
        }
        if hand.credit.is_left() {
            let taken = events::take(&self.journal, cases, rules, now_ms).await?;
            hand.credit.spent(taken.woken);
            hand.more_events = taken.more;
        }
        Ok(())
    }

    fn hand_out(&self, hand: &mut InHand) -> Result<Duration, CaseError> {
        let now = self.tools.time().now();
        let mut view = View { ready: Vec::new(), oldest_ms: None, pause: SLEEP_MAX };
        for need in Need::ALL {
            self.look(hand, need, now.now_ms, &mut view)?;
        }
        let View { mut ready, oldest_ms, pause } = view;
        ready.sort_by_key(|(due, _)| due.at_ms);
        for (due, key) in ready {
            if hand.keys.len() >= self.config.lanes_max {
                break;
            }
            self.begin(hand, due, key);
        }
        let fault = hand.sick.told();
        self.tally.send_if_modified(|tally| {
            let changed = tally.oldest_due_ms != oldest_ms || tally.fault != fault;
            (tally.oldest_due_ms, tally.fault) = (oldest_ms, fault);
            changed
        });
        Ok(pause)
    }

    /// Finds what is due of one list, as many as may be begun.
    fn look(
        &self,
        hand: &mut InHand,
        need: Need,
        now_ms: u64,
        view: &mut View,
    ) -> Result<(), CaseError> {
        let state = self.tools.cases.state();
        let closed = self.tools.performer.closed_for(need);
        let window = match need {
            _ if closed.is_some() => 0,
            Need::Confirm => self.tools.confirms.available_permits(),
            Need::Shop | Need::M3 | Need::Nobody => {
                hand.ramp.window(need).saturating_sub(hand.count(need))
            }
        };
        let window = window.min(self.config.lanes_max.saturating_sub(hand.keys.len()));
        // Every case in hand can have two entries of its own at the front of the list.
        let known = hand.keys.len().saturating_add(hand.sick.count()).saturating_mul(2);
        let rows_max = if window == 0 { 1 } else { window.saturating_add(known) };
        let rows = state.scan(rows::due_until(need, now_ms), rows_max)?;
        let due: Vec<_> = rows.iter().filter_map(|(row, _)| CaseKey::from_due(row)).collect();
        let oldest_ms = due.first().map(|(due, _)| due.at_ms);
        view.oldest_ms = view.oldest_ms.into_iter().chain(oldest_ms).min();
        if need == Need::Confirm {
            self.tools.confirms_queued.store(!due.is_empty(), Ordering::Release);
        }
        let next = state.scan(rows::due_after(need, now_ms), 1)?;
        let next = next.first().and_then(|(row, _)| CaseKey::from_due(row));
        let next = next.map(|(due, _)| Duration::from_millis(due.at_ms.saturating_sub(now_ms)));
        if let Some(left) = closed {
            hand.ramp.away(need);
            let next = if due.is_empty() { next } else { Some(Duration::ZERO) };
            let next = next.map(|next| next.max(left.min(AWAY_SLEEP_MAX)));
            view.pause = next.unwrap_or(SLEEP_MAX).min(view.pause);
            return Ok(());
        }
        view.pause = next.unwrap_or(SLEEP_MAX).min(view.pause);
        let now = clock::now().mono;
        let free = |(_, key): &(Due, CaseKey)| !hand.holds(key) && !hand.sick.rests(key, now);
        view.ready.extend(due.into_iter().filter(free).take(window));
        if let Some(left) = hand.sick.next_in(now) {
            view.pause = view.pause.min(left);
        }
        Ok(())
    }

    fn begin(&self, hand: &mut InHand, due: Due, key: CaseKey) {
        if hand.holds(&key) {
            return;
        }
        let ticket = match due.need {
            Need::Confirm => {
                let ticket = Arc::clone(&self.tools.confirms).try_acquire_owned();
                let Ok(ticket) = ticket else { return };
                Some(ticket)
            }
            Need::Shop | Need::M3 | Need::Nobody => None,
        };
        let job = Job { key: key.clone(), due, ticket };
        let worker = hand.workers.spawn(worker::work(Arc::clone(&self.tools), job));
        hand.keys.insert(worker.id(), (key, due.need));
    }

    fn finished(&self, hand: &mut InHand, id: task::Id, finished: Finished) {
        let need = hand.keys.remove(&id).map_or(Need::Nobody, |(_, need)| need);
        if self.tools.performer.closed_for(need).is_none() {
            hand.ramp.ended(need);
        }
        let Finished { key, result } = finished;
        match result {
            Ok(moved) => {
                hand.sick.recovered(&key);
                self.moved(moved);
                if moved.from.is_none() && moved.to.is_some() && !key.is_of_id() {
                    self.tally.send_modify(|tally| tally.orders = tally.orders.saturating_add(1));
                }
            }
            Err(fault) if fault.is_of_one_case() && hand.sick.has_room() => {
                let why = crate::log::chain(&fault);
                tracing::error!(order = %key, why, "this order cannot be worked on");
                hand.sick.fell(key, &why, clock::now().mono);
            }
            Err(fault) => {
                hand.rest_until = Some(clock::now().mono + AFTER_FAULT);
                self.failed(&format!("work on order {key}"), &fault);
            }
        }
    }

    /// A case on which the program fails would be tried for ever: a person looks first.
    async fn panicked(&self, hand: &mut InHand, id: task::Id) {
        let Some((key, _)) = hand.keys.remove(&id) else { return };
        tracing::error!(order = %key, "the program failed on this order");
        match desk::set_aside(&self.tools.cases, &key, self.tools.time().now().now_ms).await {
            Ok(moved) => self.moved(moved),
            Err(fault) => {
                hand.sick.fell(key, &crate::log::chain(&fault), clock::now().mono);
                self.failed("set a case aside", &fault);
            }
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
        for moved in desk::answer(&self.tools, request).await {
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
        let mut pages = state.pages(rows::table("r"), COUNT_ROWS_MAX);
        let mut stages = BTreeMap::new();
        while let Some(found) = pages.next_page()? {
            for (_, row) in &found {
                let row: rows::RunRow = rows::read(row)?;
                self.tools.time().was(row.run.last_ms());
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

/// Counts the cases in some lists of what is due, up to `waiting_max`.
fn waiting(
    cases: &Cases,
    needs: impl Iterator<Item = Need>,
    now_ms: u64,
    waiting_max: usize,
) -> Result<usize, CaseError> {
    let mut count = 0_usize;
    for need in needs {
        let left = waiting_max.saturating_sub(count);
        let rows = cases.state().scan(rows::due_until(need, now_ms), left)?;
        count = count.saturating_add(rows.len());
    }
    Ok(count)
}
