//! How the profiles stand, in numbers.

use super::{
    Shared,
    profile::{Profile, Verdict},
    table::{self, Due},
};
use crate::{delivery::rows, goods::Trouble, state::State};

/// Marks of a table that are counted; above it there are simply many.
const COUNTED_MAX: usize = 20_000;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// Counts how the profiles stand, and publishes it.
pub(super) async fn count(state: &State, shared: &Shared) -> Result<(), Trouble> {
    let (mut waiting, mut oldest_ms) = (0_u64, None::<u64>);
    for table in [table::NEWS, table::DUE] {
        for (_, value) in state.scan(rows::table(table), COUNTED_MAX)? {
            let since_ms = rows::read::<Due>(&value)?.since_ms;
            waiting = waiting.saturating_add(1);
            oldest_ms = Some(oldest_ms.map_or(since_ms, |oldest| oldest.min(since_ms)));
        }
    }
    let [mut differing, mut parked, mut left_out, mut equal] = [0_u64; 4];
    each(state, |verdict| {
        let count = match verdict {
            Verdict::New => return,
            Verdict::LeftOut(_) => &mut left_out,
            Verdict::Equal(_) => &mut equal,
            Verdict::Make(_) | Verdict::Match(_) | Verdict::Change(..) => &mut differing,
            Verdict::Parked(_) => &mut parked,
        };
        *count = count.saturating_add(1);
    })
    .await?;
    shared.note(|standing| {
        (standing.waiting, standing.waiting_since_ms) = (waiting, oldest_ms);
        (standing.differing, standing.parked) = (differing, parked);
        (standing.left_out, standing.equal) = (left_out, equal);
    });
    Ok(())
}

/// Counts those that a person must look at.
pub(super) async fn parked(state: &State) -> Result<u64, Trouble> {
    let mut parked = 0_u64;
    let count = |verdict: &Verdict| {
        parked = parked.saturating_add(u64::from(matches!(verdict, Verdict::Parked(_))));
    };
    each(state, count).await?;
    Ok(parked)
}

async fn each(state: &State, mut found: impl FnMut(&Verdict)) -> Result<(), Trouble> {
    let mut pages = state.pages(rows::table(table::PROFILES), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (_, value) in &page {
            found(&rows::read::<Profile>(value)?.kept.verdict);
        }
        // The profiles may be many, and orders are not to wait for this.
        tokio::task::yield_now().await;
    }
    Ok(())
}
