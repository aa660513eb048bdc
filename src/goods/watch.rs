//! Asks M3 which balances changed, for ever.
//!
//! What this module guarantees:
//! 1. The watermark moves only after every change before it is on disk; it is the moment before
//!    the call, less an overlap.
//! 2. What is held for orders is taken before M3 is asked: an order that is confirmed meanwhile
//!    counts twice for a moment, never not at all.
//! 3. A whole list that lacks half of what was known changes nothing and is told.

use super::{
    Shared, Trouble,
    balance::{self, Listed, Whole},
    commit,
    good::{Balances, Good},
    held, mark,
    table::{self, StockCursor},
};
use crate::{
    clock,
    connector::{Kind, m3::M3, m3::stock},
    delivery::rows,
    ids::Itno,
    retry::{Jitter, RetryPolicy},
    state::{Batch, State},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Items written in one go.
const ITEMS_MAX: usize = 128;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// Watches M3's balances.
#[derive(Debug)]
pub struct Watcher {
    m3: M3,
    state: State,
    shared: Shared,
}

/// What one look came to.
struct Look {
    rows: usize,
    changed: usize,
    whole: Whole,
}

impl Watcher {
    /// Prepares to watch; nothing is asked.
    pub fn new(m3: M3, state: State, shared: Shared) -> Self {
        Self { m3, state, shared }
    }

    /// Watches until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut failed, mut asked) = (0_u32, Whole::Changes);
        loop {
            let Some(looked) = stop.run_until_cancelled(self.look(asked)).await else {
                return;
            };
            let pause = match looked {
                Ok(Look { rows, changed, whole }) => {
                    tracing::debug!(rows, changed, ?whole, "looked at M3's balances");
                    failed = 0;
                    self.shared.rules.poll()
                }
                Err(trouble) => {
                    failed = failed.saturating_add(1);
                    let pause =
                        RetryPolicy::ORDERS.wait_however_long(failed, Jitter(fastrand::u8(..)));
                    if failed == 1 || failed.is_multiple_of(20) {
                        tracing::warn!(failed, why = %trouble, "could not look at M3's balances");
                    }
                    pause
                }
            };
            asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.bells.full.notified() => Whole::All,
                // What was asked for and failed is still wanted.
                () = tokio::time::sleep(pause) => if failed > 0 { asked } else { Whole::Changes },
            };
        }
    }

    async fn look(&self, asked: Whole) -> Result<Look, Trouble> {
        let rules = &self.shared.rules;
        let now_ms = clock::now().unix_ms();
        let key = rows::cursor(table::STOCK_CURSOR);
        let stored = self.state.get(&key)?;
        let cursor = stored.as_deref().map(rows::read::<StockCursor>).transpose()?;
        let cursor = cursor.unwrap_or_default();
        let (daily_ms, of) = (rules.full_at.last_before(now_ms), rules.fingerprint());
        let due = cursor.full_ms < daily_ms.max(1) || cursor.of != of;
        let whole = if due { Whole::All } else { asked };
        let hold_ms = rules.hold_confirmed_s.saturating_mul(1_000);
        let held = held::now(&self.state, now_ms, hold_ms).await?;
        let overlap_ms = rules.overlap_s.saturating_mul(1_000);
        let since_ms = match whole {
            Whole::All => None,
            // A clock that was set back must not skip anything.
            Whole::Changes => Some(cursor.seen_ms.min(now_ms).saturating_sub(overlap_ms)),
        };
        let listed = self.list(since_ms, whole).await?;
        let mut changed = self.take(&listed, whole, now_ms).await?;
        if whole == Whole::All {
            changed = changed.saturating_add(self.forget(&listed, now_ms).await?);
        }
        changed = changed.saturating_add(self.hold(&held, now_ms).await?);
        let full_ms = if whole == Whole::All { now_ms } else { cursor.full_ms };
        let mut batch = Batch::new();
        batch.put(key, rows::write(&StockCursor { seen_ms: now_ms, full_ms, of })?);
        commit(&self.state, batch).await?;
        self.shared.note(|standing| standing.polled_ms = now_ms);
        if changed > 0 {
            self.shared.bells.send.notify_waiters();
        }
        if cursor.full_ms == 0 {
            // Now SKUs can be told from aliases.
            self.shared.bells.walk.notify_one();
        }
        Ok(Look { rows: listed.len(), changed, whole })
    }

    async fn list(&self, since_ms: Option<u64>, whole: Whole) -> Result<Listed, Trouble> {
        let rules = &self.shared.rules;
        let call = stock::changed_since(since_ms, rules.quantity);
        let answer = self.m3.call(&call, Kind::Read).await?;
        let all = answer.len();
        let mut rows = Vec::new();
        for row in answer {
            let read = stock::balance(&row, rules.quantity, &rules.warehouses);
            match read {
                Ok(found) => rows.extend(found),
                Err(bad) => {
                    tracing::warn!(itno = row.text("ITNO"), %bad, "a balance cannot be read");
                }
            }
        }
        if whole == Whole::All && rows.is_empty() {
            let warehouses = rules.warehouses.join(", ");
            return Err(Trouble::Doubt(format!(
                "M3 lists {all} balances and none of warehouse {warehouses}; are stock.warehouses right?"
            )));
        }
        Ok(Listed::new(rows))
    }

    /// Writes down what changed, a part at a time; says how many items did.
    async fn take(&self, listed: &Listed, whole: Whole, now_ms: u64) -> Result<usize, Trouble> {
        let (mut changed, mut batch, mut items) = (0_usize, Batch::new(), 0_usize);
        for (itno, rows) in listed.items() {
            let key = table::key(table::BALANCES, itno.as_str());
            let stored = self.state.get(&key)?;
            let known = stored.as_deref().map(rows::read::<Balances>).transpose()?;
            let fresh = balance::merged(known.as_ref(), rows, whole);
            if known.as_ref() == Some(&fresh) {
                continue;
            }
            batch.put(key, rows::write(&fresh)?);
            mark(&mut batch, &self.state, itno.as_str(), now_ms)?;
            if known.is_none() {
                self.link(&mut batch, itno)?;
            }
            (changed, items) = (changed.saturating_add(1), items.saturating_add(1));
            if items >= ITEMS_MAX {
                commit(&self.state, std::mem::take(&mut batch)).await?;
                items = 0;
            }
        }
        commit(&self.state, batch).await?;
        Ok(changed)
    }

    /// A new item whose number is a SKU that was nobody's.
    fn link(&self, batch: &mut Batch, itno: &Itno) -> Result<(), Trouble> {
        let key = table::key(table::GOODS, itno.as_str());
        let Some(stored) = self.state.get(&key)? else { return Ok(()) };
        let mut good: Good = rows::read(&stored)?;
        if good.itno.is_none() {
            good.itno = Some(itno.clone());
            batch.expect(key.clone(), Some(&stored));
            batch.put(key, rows::write(&good)?);
            batch.put(table::sku_of_item(itno, itno.as_str()), Vec::new());
        }
        Ok(())
    }

    /// Items that a whole list lacks have nothing to sell any more.
    async fn forget(&self, listed: &Listed, now_ms: u64) -> Result<usize, Trouble> {
        let (mut vanished, mut known) = (Vec::new(), 0_usize);
        let mut range = rows::table(table::BALANCES);
        loop {
            let page = self.state.scan(range, ROWS_MAX)?;
            for (key, value) in &page {
                let Some(itno) = table::name_of(key) else { continue };
                if rows::read::<Balances>(value)?.is_empty() {
                    continue;
                }
                known = known.saturating_add(1);
                if !listed.has(itno) {
                    vanished.push(itno.to_owned());
                }
            }
            match page.last() {
                Some((key, _)) if page.len() == ROWS_MAX => {
                    range = rows::table_after(table::BALANCES, key);
                }
                Some(_) | None => break,
            }
        }
        if !Listed::is_credible(vanished.len(), known) {
            let lacks = vanished.len();
            return Err(Trouble::Doubt(format!(
                "M3's list of all balances lacks {lacks} of {known} items that had some; it is not believed"
            )));
        }
        for some in vanished.chunks(ITEMS_MAX) {
            let mut batch = Batch::new();
            for itno in some {
                let key = table::key(table::BALANCES, itno);
                batch.put(key, rows::write(&Balances::new())?);
                mark(&mut batch, &self.state, itno, now_ms)?;
            }
            commit(&self.state, batch).await?;
        }
        Ok(vanished.len())
    }

    /// Writes down what orders hold; items whose number changed are due.
    async fn hold(&self, held: &held::Held, now_ms: u64) -> Result<usize, Trouble> {
        let changed = held::changed(&held::stored(&self.state)?, held);
        let all: Vec<_> = changed.iter().collect();
        for some in all.chunks(ITEMS_MAX) {
            let mut batch = Batch::new();
            for (sku, pieces) in some {
                held::put(&mut batch, sku, **pieces)?;
                let good = self.state.get(&table::key(table::GOODS, sku))?;
                let good = good.as_deref().map(rows::read::<Good>).transpose()?;
                if let Some(itno) = good.and_then(|good| good.itno) {
                    mark(&mut batch, &self.state, itno.as_str(), now_ms)?;
                }
            }
            commit(&self.state, batch).await?;
        }
        Ok(changed.len())
    }
}

/// The longest that a part rests when nobody wakes it.
pub(super) const IDLE: Duration = Duration::from_mins(1);
