//! The initial load of customers: what only watches otherwise is let through, at a rate.
//!
//! Guarantees: one load at a time; it is on disk and goes on after a kill; while it is paused, or when it
//! has ended, nothing more is begun. How a profile is carried over is `keep`'s business.

use super::{Shared, keep as keeping, profile::Verdict, table};
pub use crate::goods::load::{Load, Stage};
use crate::{
    buyers::table::WalkCursor,
    clock,
    delivery::rows,
    goods::{
        Committed, Trouble, commit_or_not,
        load::{PER_MIN_MAX, Part, Parts},
        row,
        rules::Mode,
    },
    state::{Batch, State},
};

/// How often a row is written, against changes by others.
const TRIES_MAX: u32 = 3;

/// Reads the load, if there was ever one.
pub(super) fn stored(state: &State) -> Result<Option<Load>, Trouble> {
    row(state, &rows::cursor(table::LOAD))
}

/// Writes the load down, if it is as it was.
pub(super) async fn keep(
    state: &State,
    before: Option<&Load>,
    after: &Load,
) -> Result<Committed, Trouble> {
    let key = rows::cursor(table::LOAD);
    let mut batch = Batch::new();
    batch.expect(key.clone(), before.map(rows::write).transpose()?.as_deref());
    batch.put(key, rows::write(after)?);
    commit_or_not(state, batch).await
}

/// Whether the shop's profiles were read to the end and all were looked at; the error says what lacks.
pub(super) fn ready(state: &State) -> Result<Result<(), String>, Trouble> {
    let walked: Option<WalkCursor> = row(state, &rows::cursor(table::WALK_CURSOR))?;
    if walked.is_none_or(|cursor| cursor.ended_ms == 0) {
        let told = "the shop's profiles were not read to the end yet; see `causeway profiles`, and ask again";
        return Ok(Err(told.to_owned()));
    }
    Ok(Ok(()))
}

/// Starts one; the error is a sentence for the person.
pub(super) async fn start(state: &State, shared: &Shared, per_min: u32) -> Result<(), String> {
    let told = |trouble: Trouble| format!("could not use the state: {trouble}");
    ready(state).map_err(told)??;
    if shared.rules.mode == Mode::Write {
        return Err("[profiles] is in mode \"write\": customers are made without a load".to_owned());
    }
    if !(1..=PER_MIN_MAX).contains(&per_min) {
        return Err(format!("{per_min} a minute are not between 1 and {PER_MIN_MAX}"));
    }
    let before = stored(state).map_err(told)?;
    if before.as_ref().is_some_and(Load::is_under_way) {
        return Err("a load is under way; see `causeway load status`".to_owned());
    }
    let now_ms = clock::now().unix_ms();
    // What stood in a person's way is tried once more.
    let wanted = |verdict: &Verdict| verdict.differs() || matches!(verdict, Verdict::Parked(_));
    let total = keeping::mark_all(state, now_ms, wanted).await.map_err(told)?;
    let begun = Load::begin((Parts::from([Part::Customers]), per_min), total, now_ms);
    match keep(state, before.as_ref(), &begun).await.map_err(told)? {
        Committed::Not => Err("a load was started meanwhile".to_owned()),
        Committed::Yes => {
            tracing::info!(profiles = total, per_min, "a load of customers was started");
            shared.bells.keep.notify_waiters();
            Ok(())
        }
    }
}

/// Halts it, goes on or ends it; the error is a sentence for the person.
pub(super) async fn turn(state: &State, shared: &Shared, to: Stage) -> Result<(), String> {
    let told = |trouble: Trouble| format!("could not use the state: {trouble}");
    for _ in 0..TRIES_MAX {
        let Some(load) = stored(state).map_err(told)? else {
            return Err("there is no load; `causeway load start` starts one".to_owned());
        };
        let after = load.clone().turn(to, clock::now().unix_ms())?;
        if keep(state, Some(&load), &after).await.map_err(told)? == Committed::Yes {
            tracing::info!(stage = ?to, "the load of customers was turned");
            shared.bells.keep.notify_waiters();
            return Ok(());
        }
    }
    Err("the load changes all the time; try again".to_owned())
}
