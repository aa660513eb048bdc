//! What people may ask of the initial load.
//!
//! Guarantees: one load at a time; it is started only when both sides were read to the end, so that the
//! plan is whole.

use super::{
    Reply,
    seen::Eyes,
    survey::{self, Kind, Page, Planned},
};
use crate::{
    clock,
    delivery::{cases::CaseError, rows},
    goods::{
        Committed, Shared, Trouble,
        load::{self, Load, PER_MIN_MAX, Part, Parts, Place, Stage},
        loader,
        newcomer::Newcomer,
        rules::Mode,
        table::{self, WalkCursor},
        want,
    },
    state::State,
};
use serde::{Deserialize, Serialize};

/// SKUs of one page of a plan.
const SKUS_MAX: usize = 500;
/// Items that the shop refused, named in one answer.
const LEFT_MAX: usize = 50;
/// How often a row is written, against changes by others.
const TRIES_MAX: u32 = 3;

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// A part of what a load would do.
    Plan {
        /// Which parts; all that are configured when empty.
        parts: Parts,
        /// Where it begins; at the beginning when none.
        place: Option<Place>,
    },
    /// How it stands.
    Status,
    /// Starts one.
    Start {
        /// Which parts; all that only watch when empty.
        parts: Parts,
        /// Calls a minute.
        per_min: u32,
    },
    /// Halts it, goes on or ends it.
    Turn(Stage),
}

/// How a load stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// It; none if there was never one.
    pub load: Option<Load>,
    /// Seconds since it was started, up to its end.
    pub seconds: u64,
    /// Items that were let through and are not done.
    pub waiting: u64,
    /// Items that the shop refused, as far as they are named: ITNO and why.
    pub left: Vec<(String, String)>,
    /// Items that are not compared yet.
    pub uncompared: u64,
}

/// Answers; the outer error is a sentence for the person.
pub(super) async fn answer(state: &State, shared: &Shared, ask: &Ask) -> Result<Reply, String> {
    let told = |trouble: Trouble| format!("could not use the state: {trouble}");
    match ask {
        Ask::Plan { parts, place } => {
            ready(state, shared).map_err(told)??;
            let place = place.clone().unwrap_or(Place::Newcomers(None));
            let parts = if parts.is_empty() { configured(shared) } else { parts.clone() };
            let page = plan(state, shared, (&parts, place)).map_err(|fault| told(fault.into()))?;
            Ok(Reply::Planned(page))
        }
        Ask::Status => status(state, shared).map(|told| Reply::Load(Box::new(told))).map_err(told),
        Ask::Start { parts, per_min } => start(state, shared, (parts, *per_min)).await,
        Ask::Turn(to) => turn(state, shared, *to).await,
    }
}

fn configured(shared: &Shared) -> Parts {
    Part::ALL.into_iter().filter(|part| part.mode(&shared.rules).is_some()).collect()
}

fn plan(
    state: &State,
    shared: &Shared,
    (parts, place): (&Parts, Place),
) -> Result<Page, CaseError> {
    survey::page(state, &shared.rules, (parts, place), SKUS_MAX)
}

/// Whether both sides were read; the inner error says what lacks.
fn ready(state: &State, shared: &Shared) -> Result<Result<(), String>, Trouble> {
    let walked = state.get(&rows::cursor(table::WALK_CURSOR))?;
    let walked = walked.as_deref().map(rows::read::<WalkCursor>).transpose()?.unwrap_or_default();
    let read = want::is_current(state, &shared.rules)? && want::is_read(state, &shared.rules)?;
    if read && walked.ended_ms > 0 {
        return Ok(Ok(()));
    }
    let lacks = if read { "the shop's goods" } else { "M3's lists" };
    Ok(Err(format!("{lacks} were not read to the end yet; see `causeway goods`, and ask again")))
}

fn status(state: &State, shared: &Shared) -> Result<Told, Trouble> {
    let now_ms = clock::now().unix_ms();
    let load = loader::stored(state)?;
    let seconds = load.as_ref().map_or(0, |load| load.seconds(now_ms));
    let open = loader::open(state, now_ms)?;
    let waiting = u64::try_from(open.waiting).unwrap_or(u64::MAX);
    let mut left = Vec::new();
    for itno in open.left.into_iter().take(LEFT_MAX) {
        let why = why(state, shared, &itno)?;
        left.push((itno, why));
    }
    let uncompared = shared.standing.borrow().waiting;
    Ok(Told { load, seconds, waiting, left, uncompared })
}

/// Says why an item is not done.
fn why(state: &State, shared: &Shared, itno: &str) -> Result<String, Trouble> {
    let stored = state.get(&table::key(table::NEWCOMERS, itno))?;
    if let Some(newcomer) = stored.as_deref().map(rows::read::<Newcomer>).transpose()? {
        return Ok(newcomer.told());
    }
    let eyes = Eyes::of(&shared.rules);
    for (key, _) in state.scan(table::skus_of(itno), LEFT_MAX)? {
        let Some(sku) = table::sku_in(&key) else { continue };
        if let Some(stored) = state.get(&table::key(table::GOODS, sku))? {
            let note = eyes.see(state, (sku, &stored))?.line(sku).note;
            if !note.is_empty() {
                return Ok(note);
            }
        }
    }
    Ok("it takes longer than expected".to_owned())
}

async fn start(
    state: &State,
    shared: &Shared,
    (parts, per_min): (&Parts, u32),
) -> Result<Reply, String> {
    let told = |trouble: Trouble| format!("could not use the state: {trouble}");
    ready(state, shared).map_err(told)??;
    let watched = load::in_mode(&shared.rules, Mode::Watch);
    let parts = if parts.is_empty() { watched.clone() } else { parts.clone() };
    if let Some(part) = parts.iter().find(|part| part.mode(&shared.rules).is_none()) {
        return Err(format!("the configuration has no [{}]", part.name()));
    }
    if parts.is_disjoint(&watched) {
        return Err("each of these is in mode \"write\" and is written without a load".to_owned());
    }
    if !(1..=PER_MIN_MAX).contains(&per_min) {
        return Err(format!("{per_min} calls a minute are not between 1 and {PER_MIN_MAX}"));
    }
    let before = loader::stored(state).map_err(told)?;
    if before.as_ref().is_some_and(Load::is_under_way) {
        return Err("a load is under way; see `causeway load status`".to_owned());
    }
    let total = count(state, shared, &parts).await.map_err(told)?;
    let begun = Load::begin((parts, per_min), total, clock::now().unix_ms());
    match loader::keep(state, before.as_ref(), &begun).await.map_err(told)? {
        Committed::Not => Err("a load was started meanwhile".to_owned()),
        Committed::Yes => {
            tracing::info!(goods = total, per_min, "a load was started");
            shared.bells.load.notify_one();
            Ok(Reply::Begun)
        }
    }
}

/// Counts the goods that differ, and has what was refused before tried again.
async fn count(state: &State, shared: &Shared, parts: &Parts) -> Result<u64, Trouble> {
    let (mut total, mut place) = (0_u64, Some(Place::Newcomers(None)));
    while let Some(here) = place {
        let page = plan(state, shared, (parts, here))?;
        let ones = page.planned.chunk_by(|a, b| (&a.sku, &a.itno) == (&b.sku, &b.itno));
        for of_one in ones {
            let calls: u64 = of_one.iter().map(|planned| planned.calls).sum();
            total = total.saturating_add(u64::from(calls > 0));
            let refused = |one: &&Planned| one.kind != Kind::Skip && !one.why.is_empty();
            if let Some(one) = of_one.iter().find(refused) {
                survey::try_again(state, one).await?;
            }
        }
        place = page.next;
        tokio::task::yield_now().await;
    }
    Ok(total)
}

async fn turn(state: &State, shared: &Shared, to: Stage) -> Result<Reply, String> {
    let told = |trouble: Trouble| format!("could not use the state: {trouble}");
    for _ in 0..TRIES_MAX {
        let Some(load) = loader::stored(state).map_err(told)? else {
            return Err("there is no load; `causeway load start` starts one".to_owned());
        };
        let after = load.clone().turn(to, clock::now().unix_ms())?;
        if loader::keep(state, Some(&load), &after).await.map_err(told)? == Committed::Yes {
            tracing::info!(stage = ?to, "the load was turned");
            shared.bells.load.notify_one();
            return Ok(Reply::Begun);
        }
    }
    Err("the load changes all the time; try again".to_owned())
}
