//! What was ordered in the shop and is not in M3's balances yet.
//!
//! Guarantees: an order counts from the moment its lines are known until its confirmation has had
//! time to reach M3's balances; so it may count twice for a while and never not at all. One that the
//! shop changes or cancels later holds nothing more, but leaves a mark for as long: the shop has
//! moved its own number; the first look after it sees it, however late that is. What it cannot know: an order that was placed since the shop was last asked.

use super::table;
use crate::{
    delivery::{
        cases::CaseError,
        rows::{self, CaseKey, RunRow},
    },
    flow::run::{Ending, Run, Stage, Standing},
    order::Order,
    state::{Batch, State},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// What orders hold of one SKU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Pieces.
    pub pieces: u64,
    /// Which orders: another sum for others, though they may hold as much.
    pub of: u64,
}

/// By SKU.
pub type Held = BTreeMap<String, Hold>;

/// What an order means for its SKUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Nothing,
    /// The shop has moved its own numbers, at this time.
    Marks(u64),
    /// Its pieces still lack in M3's balances.
    Holds,
}

/// The time of a look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Now.
    pub now_ms: u64,
    /// The time of the look before.
    pub before_ms: u64,
    /// How long an order counts after its confirmation.
    pub hold_ms: u64,
}

fn counts(run: &Run, look: Look) -> Counts {
    let Look { now_ms, before_ms, hold_ms } = look;
    let is_fresh = |at_ms: u64| now_ms < at_ms.saturating_add(hold_ms);
    let is_news = |at_ms: u64| is_fresh(at_ms) || at_ms >= before_ms;
    let withdrawn = run.seen == Standing::Cancelled && run.orno.is_none();
    match (&run.stage, &run.orno) {
        // It may have been placed and cancelled before it was read.
        (Stage::Done(Ending::Cancelled | Ending::NotWanted), None)
            if run.seen == Standing::Cancelled && is_news(run.last_ms()) =>
        {
            Counts::Marks(run.last_ms())
        }
        (Stage::Done(Ending::Cancelled | Ending::NotWanted | Ending::Discarded), None) => {
            Counts::Nothing
        }
        _ if withdrawn => Counts::Nothing,
        (_, None) => Counts::Holds,
        (_, Some(_)) if is_fresh(run.sweep.begun_ms()) => Counts::Holds,
        (_, Some(_)) => {
            run.late_ms().filter(|at_ms| is_news(*at_ms)).map_or(Counts::Nothing, Counts::Marks)
        }
    }
}

/// Adds up what all cases hold.
pub async fn now(state: &State, look: Look) -> Result<Held, CaseError> {
    let mut held = Held::new();
    let mut pages = state.pages(rows::table("r"), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            let row: RunRow = rows::read(value)?;
            let counts = counts(&row.run, look);
            let case = CaseKey::from_row(key).filter(|_| counts != Counts::Nothing);
            let of = case.as_ref().map_or(0, |case| mark_of(case.as_str()));
            // Another one for each change.
            let of = match counts {
                Counts::Marks(at_ms) => of.wrapping_add(at_ms),
                Counts::Nothing | Counts::Holds => of,
            };
            let order = case.map(|case| state.get(&case.order())).transpose()?.flatten();
            let order = order.as_deref().map(rows::read::<Order>).transpose()?;
            for line in order.iter().flat_map(|order| &order.lines) {
                let one = held.entry(line.sku.clone()).or_default();
                let pieces = if counts == Counts::Holds { u64::from(line.quantity) } else { 0 };
                one.pieces = one.pieces.saturating_add(pieces);
                one.of = one.of.wrapping_add(of);
            }
        }
        // The cases may be many, and orders are not to wait for this.
        tokio::task::yield_now().await;
    }
    Ok(held)
}

/// Returns what was held when this was last written down.
pub fn stored(state: &State) -> Result<Held, CaseError> {
    let mut held = Held::new();
    let mut pages = state.pages(rows::table(table::HELD), ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            if let Some(sku) = table::name_of(key) {
                held.insert(sku.to_owned(), rows::read(value)?);
            }
        }
    }
    Ok(held)
}

/// A number for an order; those of several are added up.
fn mark_of(case: &str) -> u64 {
    // FNV-1a: a coincidence costs a needless look at an item, or one that is missed until the next day.
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    case.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Names the SKUs that other orders hold than before, with what they hold. Pure.
pub fn changed(before: &Held, after: &Held) -> Held {
    let gone = before.keys().filter(|sku| !after.contains_key(*sku));
    let gone = gone.map(|sku| (sku.clone(), Hold::default()));
    let other = after.iter().filter(|(sku, hold)| before.get(*sku) != Some(hold));
    gone.chain(other.map(|(sku, hold)| (sku.clone(), *hold))).collect()
}

/// Writes it down.
pub fn put(batch: &mut Batch, sku: &str, hold: Hold) -> Result<(), rows::BadRow> {
    let key = table::key(table::HELD, sku);
    if hold == Hold::default() {
        batch.delete(key);
    } else {
        batch.put(key, rows::write(&hold)?);
    }
    Ok(())
}

/// Returns the pieces that orders hold of a SKU.
pub fn pieces(state: &State, sku: &str) -> Result<u64, CaseError> {
    let stored = state.get(&table::key(table::HELD, sku))?;
    let hold = stored.as_deref().map(rows::read::<Hold>).transpose()?;
    Ok(hold.map_or(0, |hold| hold.pieces))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        flow::cause::{Cause, CauseKind},
        ids::Orno,
        order::OrderRef,
    };

    #[test]
    fn an_order_counts_until_m3_must_have_it() {
        let counts = |run: &Run, now_ms: u64, before_ms: u64| {
            counts(run, Look { now_ms, before_ms, hold_ms: 100 })
        };
        let mut run = Run::new(OrderRef::Id(1), None, 0);
        assert_eq!(counts(&run, 0, 0), Counts::Holds);
        run.seen = Standing::Cancelled;
        assert_eq!(counts(&run, 0, 0), Counts::Nothing, "the shop has put it back");
        run.seen = Standing::Wanted;
        run.stage = Stage::Done(Ending::Discarded);
        assert_eq!(counts(&run, 0, 0), Counts::Nothing);
        run.stage = Stage::Check;
        run.orno = Orno::try_from("1").ok();
        run.sweep = crate::flow::run::Sweep::begin(1_000, 5);
        assert_eq!(counts(&run, 1_099, 1_090), Counts::Holds);
        assert_eq!(counts(&run, 1_100, 1_090), Counts::Nothing);
        let told = Cause::new(CauseKind::Unequal, "");
        run.park(told, 2_000);
        assert_eq!(counts(&run, 2_000, 1_990), Counts::Nothing, "the shop did nothing");
        run.park(Cause::new(CauseKind::CancelledAfterConfirm, ""), 3_000);
        assert_eq!(counts(&run, 3_099, 3_090), Counts::Marks(3_000));
        assert_eq!(counts(&run, 3_100, 3_090), Counts::Nothing);
        let late = counts(&run, 9_000, 2_990);
        assert_eq!(late, Counts::Marks(3_000), "the look before came too early");
        let mut gone = Run::new(OrderRef::Id(2), None, 500);
        (gone.stage, gone.seen) = (Stage::Done(Ending::NotWanted), Standing::Wanted);
        assert_eq!(counts(&gone, 501, 0), Counts::Nothing, "not paid yet");
        gone.seen = Standing::Cancelled;
        assert_eq!(counts(&gone, 501, 0), Counts::Marks(500), "cancelled before it was read");
        assert_eq!(counts(&gone, 601, 590), Counts::Nothing);
    }

    #[test]
    fn only_what_changed_is_named() {
        let held = |of: &[(&str, u64, &str)]| -> Held {
            let hold = |pieces: u64, case: &str| match case {
                "" => Hold::default(),
                case => Hold { pieces, of: mark_of(case) },
            };
            of.iter().map(|(sku, pieces, case)| ((*sku).to_owned(), hold(*pieces, case))).collect()
        };
        let before = held(&[("A", 1, "x"), ("B", 2, "x"), ("D", 4, "x")]);
        let after = held(&[("B", 2, "x"), ("C", 3, "y"), ("D", 4, "y")]);
        let want = held(&[("A", 0, ""), ("C", 3, "y"), ("D", 4, "y")]);
        assert_eq!(changed(&before, &after), want, "D is held by another order");
        assert!(changed(&after, &after).is_empty());
    }
}
