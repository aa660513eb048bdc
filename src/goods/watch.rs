//! Asks M3 what changed of its items, for ever.
//!
//! What this module guarantees:
//! 1. The watermark moves only after every change before it is on disk; it is the moment before
//!    the call, less an overlap.
//! 2. What is held for orders is taken before M3 is asked: an order that is confirmed meanwhile
//!    counts twice for a moment, never not at all.
//! 3. A whole list that lacks half of what was known changes nothing and is told.

use super::{
    Shared, Trouble,
    balance::{Listed, Whole, is_credible},
    commit,
    good::Good,
    held, mark,
    source::Source,
    table::{self, Cursor},
};
use crate::{
    clock,
    connector::m3::M3,
    delivery::{cases::CaseError, rows},
    ids::Itno,
    retry::{Jitter, RetryPolicy, is_told},
    state::{Batch, State, StateError},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Items written in one go.
const ITEMS_MAX: usize = 128;
/// Rows read in one go.
const ROWS_MAX: usize = 256;
/// How long M3 is not asked after it told of a change.
const TOLD_REST: Duration = Duration::from_secs(1);
/// The longest that a part of this stage rests when nobody wakes it.
pub(crate) const IDLE: Duration = Duration::from_mins(1);

/// Watches one kind of what M3 knows.
#[derive(Debug)]
pub struct Watcher<S> {
    m3: M3,
    state: State,
    shared: Shared,
    source: S,
}

/// What one look came to.
struct Look {
    rows: usize,
    changed: usize,
    whole: Whole,
}

impl<S: Source> Watcher<S> {
    /// Prepares to watch; nothing is asked.
    pub fn new(m3: M3, state: State, (shared, source): (Shared, S)) -> Self {
        Self { m3, state, shared, source }
    }

    /// Watches until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut failed, mut asked) = (0_u32, Whole::Changes);
        loop {
            let bells = &self.shared.bells;
            let (rung, told) = (bells.full.notified(), bells.look.notified());
            let Some(looked) = stop.run_until_cancelled(self.look(asked)).await else {
                return;
            };
            let pause = match looked {
                Ok(Look { rows, changed, whole }) => {
                    tracing::debug!(what = S::NAME, rows, changed, ?whole, "looked at M3");
                    failed = 0;
                    self.source.poll()
                }
                Err(trouble) => {
                    failed = failed.saturating_add(1);
                    if is_told(failed) {
                        tracing::warn!(what = S::NAME, failed, why = %trouble, "could not look at M3");
                    }
                    RetryPolicy::ORDERS.wait_however_long(failed, Jitter(fastrand::u8(..)))
                }
            };
            // What was asked for and failed is still wanted.
            let wanted = if failed > 0 { asked } else { Whole::Changes };
            asked = tokio::select! {
                () = stop.cancelled() => return,
                () = rung => Whole::All,
                () = tokio::time::sleep(pause) => wanted,
                () = told => {
                    // One change seldom comes alone.
                    tokio::time::sleep(TOLD_REST).await;
                    wanted
                }
            };
        }
    }

    async fn look(&self, asked: Whole) -> Result<Look, Trouble> {
        let now_ms = clock::now().unix_ms();
        let key = rows::cursor(S::NAME);
        let stored = self.state.get(&key)?;
        let cursor = stored.as_deref().map(rows::read::<Cursor>).transpose()?.unwrap_or_default();
        let whole = self.whole(&cursor, asked, now_ms);
        let _alone = match whole {
            Whole::All => Some(self.shared.reading.lock().await),
            Whole::Changes => None,
        };
        let held = match self.source.hold_ms() {
            Some(hold_ms) => {
                let look = held::Look { now_ms, before_ms: cursor.seen_ms, hold_ms };
                Some(held::now(&self.state, look).await?)
            }
            None => None,
        };
        let since_ms = match whole {
            Whole::All => None,
            // A clock that was set back must not skip anything.
            Whole::Changes => {
                Some(cursor.seen_ms.min(now_ms).saturating_sub(self.source.overlap_ms()))
            }
        };
        let listed = self.list(since_ms, whole).await?;
        let mut changed = self.take(&listed, whole, now_ms).await?;
        changed = changed.saturating_add(self.go_over(&listed, whole, (&cursor, now_ms)).await?);
        if let Some(held) = held {
            changed = changed.saturating_add(self.hold(&held, now_ms).await?);
        }
        let full_ms = if whole == Whole::All { now_ms } else { cursor.full_ms };
        let of = self.source.fingerprint();
        let mut batch = Batch::new();
        batch.put(key, rows::write(&Cursor { seen_ms: now_ms, full_ms, of })?);
        commit(&self.state, batch).await?;
        self.shared.note(|standing| S::note(standing, now_ms));
        if changed > 0 {
            self.shared.bells.send.notify_waiters();
        }
        if cursor.full_ms == 0 {
            // Now SKUs can be told from aliases.
            self.shared.bells.read.notify_one();
        }
        Ok(Look { rows: listed.len(), changed, whole })
    }

    fn whole(&self, cursor: &Cursor, asked: Whole, now_ms: u64) -> Whole {
        let daily_ms = self.shared.rules.goods.full_at.last_before(now_ms).max(1);
        let due = cursor.full_ms < daily_ms || cursor.of != self.source.fingerprint();
        if due || self.source.asks_for_all() { Whole::All } else { asked }
    }

    async fn list(&self, since_ms: Option<u64>, whole: Whole) -> Result<Listed<S::Row>, Trouble> {
        let answer = self.source.list(&self.m3, since_ms).await?;
        let all = answer.len();
        if whole == Whole::All
            && all > 0
            && let Some(lacking) = self.source.lacking(&answer)
        {
            return Err(Trouble::Doubt(lacking));
        }
        let mut rows = Vec::new();
        for row in answer {
            match self.source.read(&row) {
                Ok(found) => rows.extend(found),
                Err(bad) => {
                    let itno = row.text("ITNO");
                    tracing::warn!(what = S::NAME, itno, %bad, "a row of M3 cannot be read");
                }
            }
        }
        if whole == Whole::All && rows.is_empty() {
            return Err(Trouble::Doubt(self.source.nothing(all)));
        }
        Ok(Listed::new(rows))
    }

    /// Writes down what changed, a part at a time; says how many items did.
    async fn take(
        &self,
        listed: &Listed<S::Row>,
        whole: Whole,
        now_ms: u64,
    ) -> Result<usize, Trouble> {
        let (mut changed, mut batch, mut items) = (0_usize, Batch::new(), 0_usize);
        for (itno, its_rows) in listed.items() {
            let key = table::key(S::TABLE, itno.as_str());
            let stored = self.state.get(&key)?;
            let known = stored.as_deref().map(rows::read::<S::Kept>).transpose()?;
            let fresh = rows::write(&self.source.merge(known, its_rows, whole))?;
            if stored.as_ref() == Some(&fresh) {
                continue;
            }
            batch.put(key, fresh);
            mark(&mut batch, &self.state, itno.as_str(), now_ms)?;
            if stored.is_none() {
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

    /// Finds what a whole list lacks, and what has begun or ended since the last look.
    async fn go_over(
        &self,
        listed: &Listed<S::Row>,
        whole: Whole,
        (cursor, now_ms): (&Cursor, u64),
    ) -> Result<usize, Trouble> {
        if whole == Whole::Changes && !self.source.may_turn(cursor.seen_ms, now_ms) {
            return Ok(0);
        }
        let (mut vanished, mut turned, mut known) = (Vec::new(), Vec::new(), 0_usize);
        let mut pages = self.state.pages(rows::table(S::TABLE), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, value) in &page {
                let Some(itno) = table::name_of(key) else { continue };
                let kept: S::Kept = rows::read(value)?;
                if kept == S::Kept::default() {
                    continue;
                }
                known = known.saturating_add(1);
                if whole == Whole::All && !listed.has(itno) {
                    vanished.push(itno.to_owned());
                } else if self.source.turns(&kept, cursor.seen_ms, now_ms) {
                    turned.push(itno.to_owned());
                }
            }
            tokio::task::yield_now().await;
        }
        if !is_credible(vanished.len(), known) {
            let (what, lacks) = (S::NAME, vanished.len());
            return Err(Trouble::Doubt(format!(
                "M3's whole list ({what}) lacks {lacks} of {known} items that were known; it is not believed"
            )));
        }
        self.empty(&vanished, now_ms).await?;
        for some in turned.chunks(ITEMS_MAX) {
            let mut batch = Batch::new();
            for itno in some {
                mark(&mut batch, &self.state, itno, now_ms)?;
            }
            commit(&self.state, batch).await?;
        }
        Ok(vanished.len().saturating_add(turned.len()))
    }

    /// Items that a whole list lacks have nothing any more.
    async fn empty(&self, vanished: &[String], now_ms: u64) -> Result<(), Trouble> {
        for some in vanished.chunks(ITEMS_MAX) {
            let mut batch = Batch::new();
            for itno in some {
                batch.put(table::key(S::TABLE, itno), rows::write(&S::Kept::default())?);
                mark(&mut batch, &self.state, itno, now_ms)?;
            }
            commit(&self.state, batch).await?;
        }
        Ok(())
    }

    /// Writes down what orders hold. Where others do the shop has changed its number itself: it is
    /// written once more, even if it should be what it was.
    async fn hold(&self, held: &held::Held, now_ms: u64) -> Result<usize, Trouble> {
        let changed = held::changed(&held::stored(&self.state)?, held);
        for (sku, hold) in &changed {
            let mut batch = Batch::new();
            held::put(&mut batch, sku, *hold)?;
            let key = table::key(table::GOODS, sku);
            if let Some(stored) = self.state.get(&key)? {
                let mut good: Good = rows::read(&stored)?;
                good.doubt();
                if let Some(itno) = &good.itno {
                    mark(&mut batch, &self.state, itno.as_str(), now_ms)?;
                }
                batch.expect(key.clone(), Some(&stored));
                batch.put(key, rows::write(&good)?);
            }
            match commit(&self.state, batch).await {
                // Somebody else has just written the row; the next look takes it up.
                Err(Trouble::Store(CaseError::Store(StateError::Conflict { .. }))) => {
                    tracing::debug!(sku, "its row has just changed");
                }
                done => done?,
            }
        }
        Ok(changed.len())
    }
}
