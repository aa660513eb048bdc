//! How the buyers stand, in numbers.

use super::{
    Shared,
    buyer::Buyer,
    table::{self, Due},
};
use crate::{delivery::rows, goods::Trouble, state::State};

/// Marks that are counted; above it there are simply many.
const COUNTED_MAX: usize = 20_000;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// Counts how the buyers stand, and publishes it.
pub(super) async fn count(state: &State, shared: &Shared) -> Result<(), Trouble> {
    let (mut waiting, mut oldest_ms) = (0_u64, None::<u64>);
    for (_, value) in state.scan(rows::table(table::DUE), COUNTED_MAX)? {
        let since_ms = rows::read::<Due>(&value)?.since_ms;
        waiting = waiting.saturating_add(1);
        oldest_ms = Some(oldest_ms.map_or(since_ms, |oldest| oldest.min(since_ms)));
    }
    let (mut differing, mut refused, mut unknown) = (0_u64, 0_u64, 0_u64);
    let edits = shared.rules.buyers.overwrite;
    let mut pages = state.pages(rows::table(table::PROFILES), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (_, value) in &page {
            let buyer: Buyer = rows::read(value)?;
            let unclear = buyer.refused.is_some() || buyer.wants.unclear.is_some();
            differing = differing.saturating_add(u64::from(buyer.differs(edits)));
            refused = refused.saturating_add(u64::from(unclear));
            unknown = unknown.saturating_add(u64::from(!buyer.tie.told().is_empty()));
        }
        // The profiles may be many, and orders are not to wait for this.
        tokio::task::yield_now().await;
    }
    shared.note(|standing| {
        (standing.waiting, standing.waiting_since_ms) = (waiting, oldest_ms);
        (standing.differing, standing.refused) = (differing, refused);
        standing.unknown = unknown;
    });
    Ok(())
}
