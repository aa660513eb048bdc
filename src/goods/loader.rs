//! Lets through what a load brings, at its rate, and no part of it that only watches otherwise.
//!
//! What this module guarantees:
//! 1. An item is let through by a row on disk, in one batch with its mark and with the place where the load
//!    stands: a gateway that was killed goes on there.
//! 2. While a load is paused or has ended nothing is let through, and what was is not begun any more; a
//!    call that is under way is finished.
//! 3. Orders go first: while one is due little more is let through; and nothing while the shop is away, or while
//!    much was let through that is not done.
//! 4. What the shop refuses stops nothing; it is counted and can be listed.
//!
//! It asks nobody and writes nothing to the shop: `send`, `make` and `wholesaler` do, as ever.

use super::{
    Committed, Shared, Trouble, commit, commit_or_not,
    load::{Admitted, Budget, Load, Part, Parts, Place, ROUNDS_MAX, Stage, in_mode},
    mark,
    report::survey::{self, Kind, Planned},
    row,
    rules::{Mode, Rules},
    table,
    watch::IDLE,
};
use crate::{
    clock,
    connector::xcart::rest::Shop,
    delivery::{dispatch::Tally, rows},
    state::{Batch, State},
};
use std::time::{Duration, Instant};
use tokio::sync::watch as watching;
use tokio_util::sync::CancellationToken;

/// Between two looks at a load that is running.
const TICK: Duration = Duration::from_millis(250);
/// Items that were let through and are not done, at most.
const OPEN_MAX: usize = 64;
/// SKUs looked at in one go.
const SKUS_AT_ONCE: usize = 64;
/// Items let through that are looked at.
const ADMITTED_MAX: usize = 20_000;
/// An item that is not done in this time holds up the load no more.
const OPEN_TIME_MAX: Duration = Duration::from_mins(30);
/// An order that has been due for longer does not wait because of us.
const ORDER_TIME_MAX: Duration = Duration::from_mins(1);
/// How long a load waits for orders before some is let through all the same.
const HELD_TIME_MAX: Duration = Duration::from_secs(10);

/// What may be written of an item.
#[derive(Clone, Debug, Default)]
pub(super) struct Leave {
    parts: Parts,
    is_admitted: bool,
}

impl Leave {
    /// Whether a part may be written.
    pub(super) fn allows(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Nothing of the item is left to be written.
    pub(super) fn finished(&self, batch: &mut Batch, itno: &str) {
        if self.is_admitted {
            batch.delete(table::key(table::ADMITTED, itno));
        }
    }
}

/// Says what may be written of an item: what the settings write, and what a running load brings of it.
pub(super) fn leave(state: &State, rules: &Rules, itno: &str) -> Result<Leave, Trouble> {
    let mut leave = Leave { parts: in_mode(rules, Mode::Write), is_admitted: false };
    if state.get(&table::key(table::ADMITTED, itno))?.is_some()
        && let Some(load) = stored(state)?.filter(|load| load.stage == Stage::Running)
    {
        leave.parts.extend(load.parts);
        leave.is_admitted = true;
    }
    Ok(leave)
}

/// Reads the load, if there was ever one.
pub(super) fn stored(state: &State) -> Result<Option<Load>, Trouble> {
    row(state, &rows::cursor(table::LOAD))
}

/// Writes the load down, if it is as it was; forgets what was let through once it has ended.
pub(super) async fn keep(
    state: &State,
    before: Option<&Load>,
    after: &Load,
) -> Result<Committed, Trouble> {
    let key = rows::cursor(table::LOAD);
    let mut batch = Batch::new();
    batch.expect(key.clone(), before.map(rows::write).transpose()?.as_deref());
    batch.put(key, rows::write(after)?);
    if !after.is_under_way() {
        for (key, _) in state.scan(rows::table(table::ADMITTED), ADMITTED_MAX)? {
            batch.delete(key);
        }
    }
    commit_or_not(state, batch).await
}

/// What was let through.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    /// Items that are not done.
    pub(super) waiting: usize,
    /// Items that the shop refused, or that take too long.
    pub(super) left: Vec<String>,
}

/// How fast a load goes on.
struct Pace {
    budget: Budget,
    /// When it was looked at last.
    since: Instant,
    /// Since when it waits for orders.
    held: Option<Instant>,
}

impl Pace {
    /// Whether it has waited for orders long enough.
    fn is_held_long(&mut self, now: Instant) -> bool {
        now.duration_since(*self.held.get_or_insert(now)) >= HELD_TIME_MAX
    }
}

/// Carries the load on.
#[derive(Debug)]
pub struct Loader {
    shop: Shop,
    state: State,
    shared: Shared,
    tally: watching::Receiver<Tally>,
}

impl Loader {
    /// Prepares to carry on; nothing is let through.
    pub fn new(
        (shop, state): (Shop, State),
        shared: Shared,
        tally: watching::Receiver<Tally>,
    ) -> Self {
        Self { shop, state, shared, tally }
    }

    /// Carries on until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pace = Pace { budget: Budget::default(), since: clock::now().mono, held: None };
        // A mark may have gone while nothing was let through.
        let mut marked = Stage::Paused;
        loop {
            let rung = self.shared.bells.load.notified();
            let stage = match self.turn(&mut pace, marked).await {
                Ok(stage) => {
                    marked = stage;
                    stage
                }
                Err(trouble) => {
                    tracing::warn!(why = %trouble, "could not carry the load on");
                    Stage::Paused
                }
            };
            let pause = if stage == Stage::Running { TICK } else { IDLE };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = rung => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks once at the load; returns its stage.
    async fn turn(&self, pace: &mut Pace, before: Stage) -> Result<Stage, Trouble> {
        let now = clock::now();
        let elapsed_ms = clock::millis(now.mono.duration_since(pace.since));
        pace.since = now.mono;
        let Some(load) = stored(&self.state)? else { return Ok(Stage::Stopped) };
        if load.stage != Stage::Running {
            pace.budget = Budget::default();
            return Ok(load.stage);
        }
        if before != Stage::Running {
            self.mark_admitted(now.unix_ms()).await?;
        }
        let held = self.is_order_due(now.unix_ms()) && !pace.is_held_long(now.mono);
        if self.shop.closed_for().is_some() || held {
            return Ok(Stage::Running);
        }
        pace.held = None;
        pace.budget.earn(elapsed_ms, load.per_min);
        let open = open(&self.state, now.unix_ms())?;
        if !pace.budget.is_left() || open.waiting >= OPEN_MAX {
            return Ok(Stage::Running);
        }
        self.go_on(load, &mut pace.budget, &open).await
    }

    /// Marks again what was let through: a mark goes when nothing may be written.
    async fn mark_admitted(&self, now_ms: u64) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        for (key, _) in self.state.scan(rows::table(table::ADMITTED), ADMITTED_MAX)? {
            if let Some(itno) = table::name_of(&key) {
                mark(&mut batch, &self.state, itno, now_ms)?;
            }
        }
        commit(&self.state, batch).await?;
        self.shared.bells.send.notify_waiters();
        Ok(())
    }

    fn is_order_due(&self, now_ms: u64) -> bool {
        let waits = |due_ms: u64| now_ms.saturating_sub(due_ms) < clock::millis(ORDER_TIME_MAX);
        self.tally.borrow().oldest_due_ms.is_some_and(waits)
    }

    /// Lets some through, or ends the round.
    async fn go_on(&self, load: Load, budget: &mut Budget, open: &Open) -> Result<Stage, Trouble> {
        let rules = &self.shared.rules;
        let place = (&load.parts, load.place.clone());
        let page = survey::page(&self.state, rules, place, SKUS_AT_ONCE)?;
        let room = OPEN_MAX.saturating_sub(open.waiting);
        let (mut after, mut batch, mut let_through) = (load.clone(), Batch::new(), 0_usize);
        let now_ms = clock::now().unix_ms();
        let mut whole = true;
        for of_one in page.planned.chunk_by(|a, b| (&a.sku, &a.itno) == (&b.sku, &b.itno)) {
            if !budget.is_left() || let_through >= room {
                whole = false;
                break;
            }
            let calls = of_one.iter().map(|planned| planned.calls).sum();
            if let Some(first) = of_one.first() {
                after.place = behind(&load.place, first);
                if calls > 0 && self.admit(&mut batch, first, now_ms)? {
                    budget.spend(calls);
                    after.admitted = after.admitted.saturating_add(1);
                    after.calls = after.calls.saturating_add(calls);
                    let_through = let_through.saturating_add(1);
                }
            }
        }
        match page.next {
            Some(next) if whole => after.place = next,
            None if whole => return self.end_round((load, after), batch, open, let_through).await,
            Some(_) | None => {}
        }
        self.write(&load, &after, batch).await?;
        Ok(after.stage)
    }

    /// Lets one through, unless it is; says whether it was.
    fn admit(&self, batch: &mut Batch, planned: &Planned, now_ms: u64) -> Result<bool, Trouble> {
        let key = table::key(table::ADMITTED, &planned.itno);
        if planned.kind == Kind::Skip || self.state.get(&key)?.is_some() {
            return Ok(false);
        }
        batch.put(key, rows::write(&Admitted { since_ms: now_ms })?);
        mark(batch, &self.state, &planned.itno, now_ms)?;
        Ok(true)
    }

    async fn write(&self, before: &Load, after: &Load, mut batch: Batch) -> Result<(), Trouble> {
        let key = rows::cursor(table::LOAD);
        if before == after && batch.is_empty() {
            return Ok(());
        }
        batch.expect(key.clone(), Some(&rows::write(before)?));
        batch.put(key, rows::write(after)?);
        // A person has halted it meanwhile: then nothing of this is let through.
        if commit_or_not(&self.state, batch).await? == Committed::Yes {
            self.shared.bells.send.notify_waiters();
        }
        Ok(())
    }

    /// All goods were gone over: waits for what is not done, goes over them again, or ends.
    async fn end_round(
        &self,
        (load, mut after): (Load, Load),
        batch: Batch,
        open: &Open,
        let_through: usize,
    ) -> Result<Stage, Trouble> {
        if let_through > 0 || open.waiting > 0 {
            self.write(&load, &after, batch).await?;
            return Ok(Stage::Running);
        }
        let left = self.differs(&after.parts, open).await?;
        if left && after.round < ROUNDS_MAX {
            after.round = after.round.saturating_add(1);
            after.place = Place::Newcomers(None);
            self.write(&load, &after, batch).await?;
            return Ok(Stage::Running);
        }
        after.stage = Stage::Done;
        after.ended_ms = clock::now().unix_ms();
        after.refused = u64::try_from(open.left.len()).unwrap_or(u64::MAX);
        if keep(&self.state, Some(&load), &after).await? == Committed::Yes {
            tracing::info!(goods = after.admitted, refused = after.refused, "the load is done");
        }
        Ok(after.stage)
    }

    /// Whether anything differs that was not let through and refused.
    async fn differs(&self, parts: &Parts, open: &Open) -> Result<bool, Trouble> {
        let mut place = Some(Place::Newcomers(None));
        while let Some(here) = place {
            let page = survey::page(&self.state, &self.shared.rules, (parts, here), SKUS_AT_ONCE)?;
            let fresh = |one: &Planned| one.calls > 0 && !open.left.contains(&one.itno);
            if page.planned.iter().any(fresh) {
                return Ok(true);
            }
            place = page.next;
            tokio::task::yield_now().await;
        }
        Ok(false)
    }
}

/// The place behind what was planned for one SKU.
fn behind(place: &Place, planned: &Planned) -> Place {
    match place {
        Place::Newcomers(_) => Place::Newcomers(Some(planned.itno.clone())),
        Place::Goods(_) => Place::Goods(Some(planned.sku.clone())),
    }
}

/// Says what of that which was let through is not done.
pub(super) fn open(state: &State, now_ms: u64) -> Result<Open, Trouble> {
    let mut open = Open::default();
    for (key, value) in state.scan(rows::table(table::ADMITTED), ADMITTED_MAX)? {
        let Some(itno) = table::name_of(&key) else { continue };
        let Admitted { since_ms } = rows::read(&value)?;
        let late = now_ms.saturating_sub(since_ms) > clock::millis(OPEN_TIME_MAX);
        if late || survey::is_refused(state, itno, now_ms)? {
            open.left.push(itno.to_owned());
        } else {
            open.waiting = open.waiting.saturating_add(1);
        }
    }
    Ok(open)
}
