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
    count,
    customer::Wants,
    find,
    put::{Case, Wish},
    rules::Edits,
    table::{self, Due},
};
use crate::{
    clock,
    connector::xcart::{
        profiles::{Change, Status},
        rest::Shop,
    },
    delivery::rows,
    goods::{Committed, Trouble, commit_or_not, rules::Mode, watch::IDLE},
    state::{Batch, State},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Marks read in one go.
const MARKS_MAX: usize = 64;
/// The pause after a pass that left something behind.
const AGAIN: Duration = Duration::from_secs(3);
/// Between two counts while nothing was written.
const COUNT_EVERY_MS: u64 = 30_000;
/// Parts of marks after which is counted in between.
const PARTS_BETWEEN_COUNTS: usize = 20;

/// Tells the shop.
#[derive(Debug)]
pub struct Sender {
    pub(super) shop: Shop,
    pub(super) state: State,
    pub(super) shared: Shared,
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
pub(super) enum Shutting {
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

    /// Brings one profile to what it should have.
    async fn tell(&self, id: u64, shutting: Shutting) -> Result<Told, Trouble> {
        // Read before anything else, so that what changes from here on leaves another mark.
        let due = table::of_profile(table::DUE, id);
        let Some(marked) = self.state.get(&due)? else { return Ok(Told::Done) };
        let wanted: Due = rows::read(&marked)?;
        let key = table::of_profile(table::PROFILES, id);
        let mut batch = Batch::new();
        batch.expect(due.clone(), Some(&marked));
        batch.delete(due);
        let Some(stored) = self.state.get(&key)? else {
            commit_or_not(&self.state, batch).await?;
            return Ok(Told::Done);
        };
        let before: Buyer = rows::read(&stored)?;
        let mut case =
            Case { id, stored, buyer: before.clone(), wish: self.wish(&wanted, shutting) };
        self.work_out(id, &mut case.buyer)?;
        let change = case.wish.change(&case.buyer);
        let shuts = change.status == Some(Status::Disabled);
        let step = if change == Change::default() && !case.buyer.unsure {
            Step::Settled
        } else if shuts && case.wish.waits() && !case.buyer.unsure {
            Step::Shut
        } else {
            self.write(&mut case).await?
        };
        let Case { stored, mut buyer, wish, .. } = case;
        match step {
            Step::Gone => return Ok(Told::Done),
            Step::Settled => buyer.settle(wish.edits),
            Step::Shut | Step::Left => batch = Batch::new(),
        }
        relist(&mut batch, id, [&before, &buyer]);
        let fresh = rows::write(&buyer)?;
        if fresh != stored {
            batch.expect(key.clone(), Some(&stored));
            batch.put(key.clone(), fresh);
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

    fn wish(&self, due: &Due, shutting: Shutting) -> Wish {
        let rules = &self.shared.rules.buyers;
        if due.asked {
            return Wish { edits: Edits::Asked, mode: Mode::Write, shutting: Shutting::Now };
        }
        Wish { edits: rules.overwrite, mode: rules.mode, shutting }
    }

    /// Finds out whose a profile is and what it should have.
    pub(super) fn work_out(&self, id: u64, buyer: &mut Buyer) -> Result<(), Trouble> {
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

    /// Publishes how the buyers stand.
    async fn publish(&self) {
        if let Err(trouble) = count::count(&self.state, &self.shared).await {
            tracing::warn!(why = %trouble, "could not count the shop's buyers");
        }
    }
}

/// What came of a look at one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
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
