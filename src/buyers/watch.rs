//! Asks M3 what changed of its customers, for ever.
//!
//! What this module guarantees:
//! 1. The watermark moves only after every change before it is on disk; it is the moment before
//!    the call, less an overlap.
//! 2. A list is read a part at a time, so that its length costs no memory.
//! 3. A whole list that lacks half of what was known, or a field that the settings name, is told and not
//!    believed: nobody is taken for gone because of it.

use super::{Shared, customer::Customer, find, table};
use crate::{
    clock,
    connector::{
        Kind,
        m3::{M3, customer as mi, mi::MiRecord, order::rows as listed},
    },
    delivery::rows,
    goods::{
        Trouble,
        balance::{Whole, is_credible},
        commit,
        table::Cursor,
    },
    ids::{Cuno, short_hash},
    retry::{Jitter, RetryPolicy, is_told},
    state::{Batch, State},
};
use std::{collections::BTreeSet, time::Duration};
use tokio_util::sync::CancellationToken;

/// Customers in one part of the list.
const PART_LEN: u32 = 1_000;
/// Parts of one list; an M3 that has more is told of.
const PARTS_MAX: u32 = 1_000;
/// Rows of customers and marks after which is written.
const WRITTEN_MAX: usize = 256;
/// Rows read in one go.
const ROWS_MAX: usize = 256;
/// How long M3 is not asked after it told of a change.
const TOLD_REST: Duration = Duration::from_secs(1);

/// Watches M3's customers.
#[derive(Debug)]
pub struct Watcher {
    m3: M3,
    state: State,
    shared: Shared,
}

/// What one look came to.
#[derive(Default)]
struct Looked {
    rows: usize,
    changed: usize,
    /// Every number that was listed; empty where only changes were asked for.
    seen: BTreeSet<Cuno>,
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
            let bells = &self.shared.bells;
            let (rung, told) = (bells.full.notified(), bells.look.notified());
            let looked = stop.run_until_cancelled(self.look(asked)).await;
            self.shared.note(|standing| standing.reading = false);
            let pause = match looked {
                None => return,
                Some(Ok(())) => {
                    failed = 0;
                    self.shared.rules.buyers.poll()
                }
                Some(Err(trouble)) => {
                    failed = failed.saturating_add(1);
                    if is_told(failed) {
                        tracing::warn!(failed, why = %trouble, "could not look at M3's customers");
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

    async fn look(&self, asked: Whole) -> Result<(), Trouble> {
        let now_ms = clock::now().unix_ms();
        let key = rows::cursor(table::CURSOR);
        let cursor: Cursor = crate::goods::row(&self.state, &key)?.unwrap_or_default();
        let whole = self.whole(&cursor, asked, now_ms);
        let overlap_ms = self.shared.rules.buyers.overlap_s.saturating_mul(1_000);
        let since_ms = match whole {
            Whole::All => None,
            // A clock that was set back must not skip anything.
            Whole::Changes => Some(cursor.seen_ms.min(now_ms).saturating_sub(overlap_ms)),
        };
        self.shared.note(|standing| standing.reading = true);
        let mut looked = self.list(since_ms, now_ms).await?;
        if whole == Whole::All {
            if looked.rows == 0 {
                return Err(Trouble::Doubt("M3 lists no customer at all".to_owned()));
            }
            let gone = self.leave_out(&looked.seen, now_ms).await?;
            looked.changed = looked.changed.saturating_add(gone);
        }
        let full_ms = if whole == Whole::All { now_ms } else { cursor.full_ms };
        let mut batch = Batch::new();
        batch.put(key, rows::write(&Cursor { seen_ms: now_ms, full_ms, of: self.fingerprint() })?);
        commit(&self.state, batch).await?;
        let Looked { rows, changed, .. } = looked;
        tracing::debug!(rows, changed, ?whole, "looked at M3's customers");
        self.shared.note(|standing| (standing.polled_ms, standing.reading) = (now_ms, false));
        self.shared.bells.send.notify_waiters();
        Ok(())
    }

    fn whole(&self, cursor: &Cursor, asked: Whole, now_ms: u64) -> Whole {
        let daily_ms = self.shared.rules.buyers.full_at.last_before(now_ms).max(1);
        let due = cursor.full_ms < daily_ms || cursor.of != self.fingerprint();
        if due { Whole::All } else { asked }
    }

    /// A fingerprint of what is asked for: another one needs everything anew.
    fn fingerprint(&self) -> String {
        let fields = self.shared.rules.buyers.fields();
        let parts: Vec<&[u8]> = fields.iter().map(String::as_bytes).collect();
        short_hash(&parts, 12)
    }

    /// Reads the list a part at a time, each from the last number of the one before, which is listed again.
    async fn list(&self, since_ms: Option<u64>, now_ms: u64) -> Result<Looked, Trouble> {
        let fields = self.shared.rules.buyers.fields();
        let (mut looked, mut from) = (Looked::default(), String::new());
        for part in 0..PARTS_MAX {
            let call = mi::list(&from, since_ms, &fields, PART_LEN);
            let rows = listed(self.m3.call(&call, Kind::Read).await)?;
            let begins = part == 0 && since_ms.is_none();
            if let Some(field) = fields.iter().find(|field| begins && lacks(&rows, field)) {
                let many = rows.len();
                return Err(Trouble::Doubt(format!(
                    "M3 lists {many} customers and none with a field {field}; is it right?"
                )));
            }
            let last = rows.last().map(|row| row.text("CUNO").to_owned());
            let fresh: Vec<_> = rows
                .iter()
                .filter(|row| row.text("CUNO") != from)
                .filter_map(|row| Customer::read(row, &fields))
                .collect();
            let Some(last) = last.filter(|last| *last != from && !fresh.is_empty()) else {
                return Ok(looked);
            };
            if fresh.iter().any(|(cuno, _)| looked.seen.contains(cuno)) {
                let told = "M3's list of customers does not go on at the number it is asked for";
                return Err(Trouble::Doubt(told.to_owned()));
            }
            looked.rows = looked.rows.saturating_add(fresh.len());
            looked.changed = looked.changed.saturating_add(self.take(&fresh, now_ms).await?);
            looked.seen.extend(fresh.into_iter().map(|(cuno, _)| cuno));
            from = last;
        }
        Err(Trouble::Doubt(format!("M3's list of customers has more than {PARTS_MAX} parts")))
    }

    /// Writes down what changed; says how many customers did.
    async fn take(&self, fresh: &[(Cuno, Customer)], now_ms: u64) -> Result<usize, Trouble> {
        let (mut changed, mut batch, mut written) = (0_usize, Batch::new(), 0_usize);
        for (cuno, customer) in fresh {
            let known = find::customer(&self.state, cuno)?;
            if known.as_ref() == Some(customer) {
                continue;
            }
            changed = changed.saturating_add(1);
            let marks = self.put(&mut batch, (cuno, customer, known.as_ref()), now_ms)?;
            written = written.saturating_add(marks).saturating_add(2);
            if written >= WRITTEN_MAX {
                commit(&self.state, std::mem::take(&mut batch)).await?;
                written = 0;
            }
        }
        commit(&self.state, batch).await?;
        // The customers may be many, and orders are not to wait for this.
        tokio::task::yield_now().await;
        Ok(changed)
    }

    /// Writes one customer, what it is found by, and marks of its profiles; says how many.
    fn put(
        &self,
        batch: &mut Batch,
        (cuno, customer, known): (&Cuno, &Customer, Option<&Customer>),
        now_ms: u64,
    ) -> Result<usize, Trouble> {
        let before = known.map_or("", |known| known.mail.as_str());
        if before != customer.mail {
            if !before.is_empty() {
                batch.delete(table::pair(table::BY_MAIL, before, cuno.as_str()));
            }
            if !customer.mail.is_empty() {
                let key = table::pair(table::BY_MAIL, &customer.mail, cuno.as_str());
                batch.put(key, Vec::new());
            }
        }
        batch.put(table::key(table::CUSTOMERS, cuno.as_str()), rows::write(customer)?);
        let about = (cuno, [before, customer.mail.as_str()]);
        find::mark_those_of(batch, (&self.state, &self.shared), about, now_ms)
    }

    /// Customers that a whole list lacks are gone, unless they are too many for that.
    async fn leave_out(&self, seen: &BTreeSet<Cuno>, now_ms: u64) -> Result<usize, Trouble> {
        let (mut vanished, mut known) = (Vec::new(), 0_usize);
        let mut pages = self.state.pages(rows::table(table::CUSTOMERS), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, value) in &page {
                let name = std::str::from_utf8(key).ok().and_then(|key| key.split_once('/'));
                let cuno = name.and_then(|(_, cuno)| Cuno::try_from(cuno).ok());
                let Some(cuno) = cuno else { continue };
                let customer: Customer = rows::read(value)?;
                known = known.saturating_add(usize::from(!customer.gone));
                if !customer.gone && !seen.contains(&cuno) {
                    vanished.push(cuno);
                }
            }
            tokio::task::yield_now().await;
        }
        if !is_credible(vanished.len(), known) {
            let lacks = vanished.len();
            return Err(Trouble::Doubt(format!(
                "M3's whole list lacks {lacks} of {known} customers that were known; it is not believed"
            )));
        }
        for cuno in &vanished {
            let Some(before) = find::customer(&self.state, cuno)? else { continue };
            let (mut batch, gone) = (Batch::new(), Customer { gone: true, ..before.clone() });
            self.put(&mut batch, (cuno, &gone, Some(&before)), now_ms)?;
            commit(&self.state, batch).await?;
        }
        Ok(vanished.len())
    }
}

/// Whether rows were listed and none of them has a field.
fn lacks(rows: &[MiRecord], field: &str) -> bool {
    let has = |row: &MiRecord| row.iter().any(|(name, _)| name == field);
    !rows.is_empty() && !rows.iter().any(has)
}
