//! Writes one profile: reads it, says on disk that it is about to, and writes what differs.
//!
//! What this module guarantees:
//! 1. What was under way when the gateway was killed, or when an answer was lost, is looked at before
//!    anything else is concluded: until then it is not known what the shop has.
//! 2. One that is disabled is counted before it is, so that a kill in between cannot let more through.

use super::{
    buyer::Buyer,
    rules::Edits,
    send::{Sender, Shutting, Step},
    table::{self, Disabled},
    walk,
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        xcart::profiles::{Change, Entry, Rank, Status},
    },
    delivery::rows,
    goods::{
        Committed, Trouble, commit_or_not,
        good::Refused,
        row,
        rules::Mode,
        send::{is_for_itself, passes, pause_after},
    },
    state::Batch,
};

/// How often what was written is kept, against changes by others.
const KEEP_TRIES_MAX: u32 = 5;

/// What may be done about a profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// What becomes of what people changed.
    pub(super) edits: Edits,
    /// Whether it may be written at all.
    pub(super) mode: Mode,
    /// Whether it may be disabled.
    pub(super) shutting: Shutting,
}

impl Wish {
    /// Returns what is to be written.
    pub(super) fn change(self, buyer: &Buyer) -> Change {
        match self.mode {
            Mode::Write => buyer.due(self.edits),
            Mode::Watch => Change::default(),
        }
    }

    /// Whether one that is to be disabled waits.
    pub(super) fn waits(self) -> bool {
        self.shutting == Shutting::Later
    }
}

/// One profile that is worked on.
pub(super) struct Case {
    /// X-Cart's id of it.
    pub(super) id: u64,
    /// Its row as it lies on disk.
    pub(super) stored: Vec<u8>,
    /// It.
    pub(super) buyer: Buyer,
    /// What may be done.
    pub(super) wish: Wish,
}

impl Sender {
    /// Returns how many were disabled within a day.
    pub(super) fn disabled(&self) -> Result<Disabled, Trouble> {
        let stored: Option<Disabled> = row(&self.state, &rows::cursor(table::DISABLED))?;
        Ok(stored.unwrap_or_default().at(clock::now().unix_ms()))
    }

    /// Reads a profile once more and writes what differs then.
    pub(super) async fn write(&self, case: &mut Case) -> Result<Step, Trouble> {
        let now_ms = clock::now().unix_ms();
        if case.buyer.refused.as_ref().is_some_and(|one| one.rests(now_ms)) {
            return Ok(Step::Left);
        }
        let shown = match self.shop.profile(case.id).await {
            Ok(Some(Entry::Shown(shown))) => shown,
            Ok(Some(Entry::Unreadable { why, .. })) => {
                return self.failed(case, Failure::new(Fate::Refused, Class::Data, why));
            }
            Ok(None) => {
                walk::forget(&self.state, case.id, &case.stored).await?;
                return Ok(Step::Gone);
            }
            Err(failure) => return self.failed(case, failure),
        };
        case.buyer.seen(&shown);
        case.buyer.unsure = false;
        self.work_out(case.id, &mut case.buyer)?;
        let change = case.wish.change(&case.buyer);
        if change == Change::default() || case.buyer.rank == Rank::Staff {
            return Ok(Step::Settled);
        }
        if change.status == Some(Status::Disabled) && case.wish.waits() {
            return Ok(Step::Shut);
        }
        if self.intend(case, &change).await? == Committed::Not {
            return Ok(Step::Left);
        }
        match self.shop.change_profile(case.id, &shown.login, &change).await {
            Ok(after) => {
                let took = case.buyer.written(&change, &after);
                self.shared.note(|standing| standing.written = standing.written.saturating_add(1));
                let (profile, status) = (case.id, change.status.map(Status::letter));
                tracing::info!(profile, status, membership = ?change.membership, "the shop has it");
                if !took {
                    tracing::warn!(profile, "the shop took a change and shows something else");
                }
                Ok(Step::Settled)
            }
            Err(failure) => self.failed(case, failure),
        }
    }

    /// Says on disk that a change is about to be written, and counts one that is disabled.
    async fn intend(&self, case: &mut Case, change: &Change) -> Result<Committed, Trouble> {
        case.buyer.intend(change);
        let key = table::of_profile(table::PROFILES, case.id);
        let fresh = rows::write(&case.buyer)?;
        let mut batch = Batch::new();
        batch.expect(key.clone(), Some(&case.stored));
        batch.put(key, fresh.clone());
        if change.status == Some(Status::Disabled) && case.wish.edits != Edits::Asked {
            let now = self.disabled()?;
            let count = now.count.saturating_add(1);
            batch.put(rows::cursor(table::DISABLED), rows::write(&Disabled { count, ..now })?);
        }
        let done = commit_or_not(&self.state, batch).await?;
        if done == Committed::Yes {
            case.stored = fresh;
        }
        Ok(done)
    }

    /// Judges a call that failed: whether this profile rests, or everything does.
    fn failed(&self, case: &mut Case, failure: Failure) -> Result<Step, Trouble> {
        let profile = case.id;
        if is_for_itself(&failure) {
            let (now_ms, before) = (clock::now().unix_ms(), case.buyer.refused.as_ref());
            let pause = pause_after(&failure, Refused::times(before));
            let text = failure.to_string();
            tracing::warn!(profile, why = text, "the shop refuses a change");
            let again_ms = now_ms.saturating_add(clock::millis(pause));
            case.buyer.refused = Some(Refused::again(before, &text, (now_ms, again_ms)));
            return Ok(Step::Left);
        }
        if self.shop.closed_for().is_none() && passes(&failure) {
            tracing::debug!(profile, why = %failure, "the shop did not take a change");
            return Ok(Step::Left);
        }
        Err(failure.into())
    }

    /// Keeps what was written to a profile whose row was read anew meanwhile.
    pub(super) async fn keep_given(&self, key: &[u8], buyer: &Buyer) -> Result<(), Trouble> {
        for _ in 0..KEEP_TRIES_MAX {
            let Some(stored) = self.state.get(key)? else { return Ok(()) };
            let fresh: Buyer = rows::read(&stored)?;
            let (given, refused) = (buyer.given.clone(), buyer.refused.clone());
            let kept = Buyer { given, refused, unsure: buyer.unsure, ..fresh.clone() };
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
}
