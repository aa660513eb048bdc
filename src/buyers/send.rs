//! Tells the shop who may log in and which membership each has, profile by profile.
//!
//! What this module guarantees:
//! 1. Nothing is written before M3 and the shop were read for the settings of today, nor while M3's
//!    list is being read.
//! 2. A profile is read just before it is written, and nobody of the staff is written to.
//! 3. Who would be disabled waits until all that is due was looked at: where they are more than the
//!    settings allow within a day, none of them is.
//! 4. The mark of a profile goes only with the write that made it needless, and stays when it changed
//!    meanwhile. What the shop refuses rests for itself and holds up no other.

use super::{
    Shared, Standing,
    buyer::Buyer,
    customer::Wants,
    find,
    rules::Edits,
    table::{self, Disabled, Due},
    walk,
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        xcart::{
            profiles::{Change, Entry, Rank, Status},
            rest::Shop,
        },
    },
    delivery::rows,
    goods::{
        Committed, Trouble, commit, commit_or_not,
        good::Refused,
        row,
        rules::Mode,
        send::{is_for_itself, passes, pause_after},
        watch::IDLE,
    },
    state::{Batch, State},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Marks read in one go.
const MARKS_MAX: usize = 64;
/// Marks that are counted; above it there are simply many.
const COUNTED_MAX: usize = 20_000;
/// How often what was written is kept, against changes by others.
const KEEP_TRIES_MAX: u32 = 5;
/// Rows read in one go.
const ROWS_MAX: usize = 256;
/// The pause after a pass that left something behind.
const AGAIN: Duration = Duration::from_secs(3);
/// Between two counts while nothing was written.
const COUNT_EVERY_MS: u64 = 30_000;
/// Parts of marks after which is counted in between.
const PARTS_BETWEEN_COUNTS: usize = 20;

/// Tells the shop.
#[derive(Debug)]
pub struct Sender {
    shop: Shop,
    state: State,
    shared: Shared,
}

/// What a pass over all marks came to.
#[derive(Debug, Default)]
struct Passed {
    /// Marks that stay.
    left: u64,
    /// Profiles that were looked at and settled.
    done: u64,
    /// Profiles that are to be disabled.
    shut: Vec<u64>,
}

/// What became of one profile.
enum Told {
    /// Nothing is due any more.
    Done,
    /// Its mark stays.
    Left,
    /// It is to be disabled, and that was not allowed yet.
    Shut,
}

/// Whether a profile may be disabled in this step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutting {
    /// It waits until all others were looked at.
    Later,
    /// It may.
    Now,
}

impl Sender {
    /// Prepares to tell; nothing is sent.
    pub fn new(shop: Shop, state: State, shared: Shared) -> Self {
        Self { shop, state, shared }
    }

    /// Tells until stopped. A write that is under way is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut counted_ms = 0_u64;
        loop {
            let rung = self.shared.bells.send.notified();
            let passed = self.pass(&stop).await;
            let now_ms = clock::now().unix_ms();
            let news = passed.as_ref().is_ok_and(|passed| passed.done > 0);
            if news || now_ms.saturating_sub(counted_ms) >= COUNT_EVERY_MS {
                counted_ms = now_ms;
                self.publish().await;
            }
            let pause = match passed {
                Ok(Passed { left: 0, .. }) => IDLE,
                Ok(Passed { .. }) => AGAIN,
                Err(trouble) => {
                    tracing::debug!(why = %trouble, "could not tell the shop of its buyers");
                    self.shop.closed_for().unwrap_or(AGAIN).max(AGAIN)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = rung => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Whether both sides are known well enough for anything to be worked out.
    fn is_ready(&self) -> bool {
        let Standing { polled_ms, reading, walked_ms, .. } = *self.shared.standing.borrow();
        let memberships = self.shared.memberships.borrow().is_some();
        polled_ms > 0 && !reading && walked_ms > 0 && memberships
    }

    /// Goes over all marks once, and then over those who are to be disabled.
    async fn pass(&self, stop: &CancellationToken) -> Result<Passed, Trouble> {
        let mut passed = Passed::default();
        let mut pages = self.state.pages(rows::table(table::DUE), MARKS_MAX);
        let mut parts = 0_usize;
        while let Some(page) = pages.next_page()? {
            parts = parts.saturating_add(1);
            if parts.is_multiple_of(PARTS_BETWEEN_COUNTS) {
                self.publish().await;
            }
            for id in page.iter().filter_map(|(key, _)| table::profile_of(key)) {
                if stop.is_cancelled() || !self.is_ready() {
                    passed.left = passed.left.saturating_add(1);
                    return Ok(passed);
                }
                match self.tell(id, Shutting::Later).await? {
                    Told::Done => passed.done = passed.done.saturating_add(1),
                    Told::Left => passed.left = passed.left.saturating_add(1),
                    Told::Shut => passed.shut.push(id),
                }
            }
        }
        self.shut(stop, &mut passed).await?;
        Ok(passed)
    }

    /// Disables those who are to be, if they are not too many.
    async fn shut(&self, stop: &CancellationToken, passed: &mut Passed) -> Result<(), Trouble> {
        let most = self.shared.rules.buyers.disable_max;
        let many = u64::try_from(passed.shut.len()).unwrap_or(u64::MAX);
        let so_far = self.disabled()?.count;
        let held = if so_far.saturating_add(many) > most { many } else { 0 };
        let before = self.shared.standing.borrow().held;
        self.shared.note(|standing| standing.held = held);
        if held > 0 {
            passed.left = passed.left.saturating_add(held);
            if before != held {
                tracing::error!(
                    to_disable = many,
                    disabled_today = so_far,
                    disable_max = most,
                    "no profile is disabled: they would be more than buyers.disable_max within a day; look at \
                     causeway buyers list --only differing, and raise it if they are right"
                );
            }
            return Ok(());
        }
        for id in std::mem::take(&mut passed.shut) {
            if stop.is_cancelled() {
                return Ok(());
            }
            match self.tell(id, Shutting::Now).await? {
                Told::Done => passed.done = passed.done.saturating_add(1),
                Told::Left | Told::Shut => passed.left = passed.left.saturating_add(1),
            }
        }
        Ok(())
    }

    fn disabled(&self) -> Result<Disabled, Trouble> {
        let stored: Option<Disabled> = row(&self.state, &rows::cursor(table::DISABLED))?;
        Ok(stored.unwrap_or_default().at(clock::now().unix_ms()))
    }

    /// Brings one profile to what it should have.
    async fn tell(&self, id: u64, shutting: Shutting) -> Result<Told, Trouble> {
        // Read before anything else, so that what changes from here on leaves another mark.
        let due = table::of_profile(table::DUE, id);
        let Some(marked) = self.state.get(&due)? else { return Ok(Told::Done) };
        let Due { asked, .. } = rows::read(&marked)?;
        let key = table::of_profile(table::PROFILES, id);
        let mut batch = Batch::new();
        batch.expect(due.clone(), Some(&marked));
        batch.delete(due);
        let Some(stored) = self.state.get(&key)? else {
            commit_or_not(&self.state, batch).await?;
            return Ok(Told::Done);
        };
        let mut buyer: Buyer = rows::read(&stored)?;
        let before = buyer.clone();
        self.work_out(id, &mut buyer)?;
        let rules = &self.shared.rules.buyers;
        let edits = if asked { Edits::Asked } else { rules.overwrite };
        let writes = asked || rules.mode == Mode::Write;
        let change = if writes { buyer.due(edits) } else { Change::default() };
        let shuts = change.status == Some(Status::Disabled) && !asked;
        let step = if change == Change::default() {
            Step::Settled
        } else if shuts && shutting == Shutting::Later {
            Step::Shut
        } else {
            self.write((id, &stored), &mut buyer, edits, shutting).await?
        };
        match step {
            Step::Gone => return Ok(Told::Done),
            Step::Settled => buyer.settle(edits),
            Step::Shut | Step::Left => batch = Batch::new(),
        }
        relist(&mut batch, id, [&before, &buyer]);
        if buyer != before {
            batch.expect(key.clone(), Some(&stored));
            batch.put(key.clone(), rows::write(&buyer)?);
        }
        let kept = batch.is_empty() || commit_or_not(&self.state, batch).await? == Committed::Yes;
        if !kept {
            self.keep_given(&key, &buyer).await?;
        }
        Ok(match step {
            Step::Shut => Told::Shut,
            Step::Settled | Step::Gone if kept => Told::Done,
            // It changed meanwhile and is due again.
            Step::Settled | Step::Gone | Step::Left => Told::Left,
        })
    }

    /// Keeps what was written to a profile whose row was read anew meanwhile.
    async fn keep_given(&self, key: &[u8], buyer: &Buyer) -> Result<(), Trouble> {
        for _ in 0..KEEP_TRIES_MAX {
            let Some(stored) = self.state.get(key)? else { return Ok(()) };
            let fresh: Buyer = rows::read(&stored)?;
            let (given, refused) = (buyer.given.clone(), buyer.refused.clone());
            let kept = Buyer { given, refused, ..fresh.clone() };
            let mut batch = Batch::new();
            if kept != fresh {
                batch.expect(key, Some(&stored));
                batch.put(key.to_vec(), rows::write(&kept)?);
            }
            if batch.is_empty() || commit_or_not(&self.state, batch).await? == Committed::Yes {
                return Ok(());
            }
        }
        Err(Trouble::Doubt("the profiles change all the time".to_owned()))
    }

    /// Finds out whose a profile is and what it should have.
    fn work_out(&self, id: u64, buyer: &mut Buyer) -> Result<(), Trouble> {
        buyer.tie = find::tie(&self.state, &self.shared, (id, buyer))?;
        let memberships = self.shared.memberships.borrow().clone();
        buyer.wants = match buyer.tie.customer() {
            None => Wants::default(),
            Some(cuno) => {
                let customer = find::customer(&self.state, cuno)?.unwrap_or_default();
                let known = memberships.as_deref().unwrap_or_default();
                customer.wants(cuno, &self.shared.rules.buyers, known)
            }
        };
        Ok(())
    }

    /// Reads a profile once more and writes what differs then.
    async fn write(
        &self,
        (id, stored): (u64, &[u8]),
        buyer: &mut Buyer,
        edits: Edits,
        shutting: Shutting,
    ) -> Result<Step, Trouble> {
        let now_ms = clock::now().unix_ms();
        if buyer.refused.as_ref().is_some_and(|one| one.rests(now_ms)) {
            return Ok(Step::Left);
        }
        let shown = match self.shop.profile(id).await {
            Ok(Some(Entry::Shown(shown))) => shown,
            Ok(Some(Entry::Unreadable { why, .. })) => {
                let failure = Failure::new(Fate::Refused, Class::Data, why);
                return self.failed(id, buyer, failure);
            }
            Ok(None) => {
                walk::forget(&self.state, id, stored).await?;
                return Ok(Step::Gone);
            }
            Err(failure) => return self.failed(id, buyer, failure),
        };
        buyer.seen(&shown);
        self.work_out(id, buyer)?;
        let change = buyer.due(edits);
        if change == Change::default() || buyer.rank == Rank::Staff {
            return Ok(Step::Settled);
        }
        if change.status == Some(Status::Disabled) && edits != Edits::Asked {
            if shutting == Shutting::Later {
                return Ok(Step::Shut);
            }
            self.count_disabled().await?;
        }
        match self.shop.change_profile(id, &shown.login, &change).await {
            Ok(after) => {
                let took = buyer.written(&change, &after);
                self.shared.note(|standing| standing.written = standing.written.saturating_add(1));
                let status = change.status.map(Status::letter);
                tracing::info!(profile = id, status, membership = ?change.membership, "the shop has it");
                if !took {
                    tracing::warn!(profile = id, "the shop took a change and shows something else");
                }
                Ok(Step::Settled)
            }
            Err(failure) => self.failed(id, buyer, failure),
        }
    }

    /// Judges a call that failed: whether this profile rests, or everything does.
    fn failed(&self, id: u64, buyer: &mut Buyer, failure: Failure) -> Result<Step, Trouble> {
        if is_for_itself(&failure) {
            let (now_ms, before) = (clock::now().unix_ms(), buyer.refused.as_ref());
            let pause = pause_after(&failure, Refused::times(before));
            let text = failure.to_string();
            tracing::warn!(profile = id, why = text, "the shop refuses a change");
            let again_ms = now_ms.saturating_add(clock::millis(pause));
            buyer.refused = Some(Refused::again(before, &text, (now_ms, again_ms)));
            return Ok(Step::Left);
        }
        if self.shop.closed_for().is_none() && passes(&failure) {
            tracing::debug!(profile = id, why = %failure, "the shop did not take a change");
            return Ok(Step::Left);
        }
        Err(failure.into())
    }

    /// Counts one that is disabled before it is, so that a kill in between cannot let more through.
    async fn count_disabled(&self) -> Result<(), Trouble> {
        let now = self.disabled()?;
        let mut batch = Batch::new();
        let count = now.count.saturating_add(1);
        batch.put(rows::cursor(table::DISABLED), rows::write(&Disabled { count, ..now })?);
        commit(&self.state, batch).await
    }

    /// Publishes how the buyers stand.
    async fn publish(&self) {
        if let Err(trouble) = self.count().await {
            tracing::warn!(why = %trouble, "could not count the shop's buyers");
        }
    }

    async fn count(&self) -> Result<(), Trouble> {
        let (mut waiting, mut oldest_ms) = (0_u64, None::<u64>);
        for (_, value) in self.state.scan(rows::table(table::DUE), COUNTED_MAX)? {
            let since_ms = rows::read::<Due>(&value)?.since_ms;
            waiting = waiting.saturating_add(1);
            oldest_ms = Some(oldest_ms.map_or(since_ms, |oldest| oldest.min(since_ms)));
        }
        let (mut differing, mut refused, mut unknown) = (0_u64, 0_u64, 0_u64);
        let edits = self.shared.rules.buyers.overwrite;
        let mut pages = self.state.pages(rows::table(table::PROFILES), ROWS_MAX);
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
        self.shared.note(|standing| {
            (standing.waiting, standing.waiting_since_ms) = (waiting, oldest_ms);
            (standing.differing, standing.refused) = (differing, refused);
            standing.unknown = unknown;
        });
        Ok(())
    }
}

/// What came of a look at one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing is due any more.
    Settled,
    /// The shop does not have it any more.
    Gone,
    /// It is to be disabled, and that was not allowed yet.
    Shut,
    /// It is tried again.
    Left,
}

/// Lists a profile under the customer that it belongs to.
fn relist(batch: &mut Batch, id: u64, [before, after]: [&Buyer; 2]) {
    let (old, new) = (before.tie.concerns(), after.tie.concerns());
    if old == new {
        return;
    }
    if let Some(cuno) = old {
        batch.delete(table::profile_pair(table::BY_CUSTOMER, cuno.as_str(), id));
    }
    if let Some(cuno) = new {
        batch.put(table::profile_pair(table::BY_CUSTOMER, cuno.as_str(), id), Vec::new());
    }
}
