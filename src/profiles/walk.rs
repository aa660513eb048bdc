//! Reads all profiles of the shop, once a day and when asked, and the newest of them now and then.
//!
//! What this module guarantees:
//! 1. A walk goes on where it was when the gateway stopped; a page is on disk before the next is read.
//! 2. Each customer's profile that a walk meets is looked at once, as its addresses show no time of change
//!    (reference/xcart.md 4.1, 4.2); a new one is looked at first.
//! 3. A profile is forgotten only when a whole walk did not meet it and the shop itself says that it is
//!    not there. Its customer stays.
//! 4. Other settings, and other memberships of the shop, have every profile looked at once more.

use super::{
    Shared, keep, mark,
    profile::{self, Profile, Verdict},
    rules::Profiles,
    table,
};
use crate::{
    buyers::table::WalkCursor,
    clock,
    connector::xcart::{
        profiles::{Entry, Membership, Shown},
        rest::{PAGE_LEN, Shop},
    },
    delivery::rows,
    goods::{Committed, Trouble, commit, commit_or_not, row, walk::patiently, watch::IDLE},
    ids::short_hash,
    retry::{Jitter, RetryPolicy, is_told},
    state::{Batch, State},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pages of one walk; a shop that has more does not turn them.
const PAGES_MAX: u32 = 20_000;
/// Rows read in one go.
const ROWS_MAX: usize = 256;
/// How old what is known of the shop's memberships may be.
const MEMBERSHIPS_AGE_MS_MAX: u64 = 60 * 60 * 1_000;
/// How often a page is written down, against changes by others.
const KEEP_TRIES_MAX: u32 = 5;

/// Walks over the shop's profiles.
#[derive(Debug)]
pub struct Walker {
    shop: Shop,
    state: State,
    shared: Shared,
}

/// When something was read last, in milliseconds since 1970.
#[derive(Debug, Default)]
struct Ages {
    memberships_ms: u64,
    newest_ms: u64,
}

/// Who wants a walk now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ByNobody,
    BySomebody,
}

/// Which profiles are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// All of them.
    Whole,
    /// Those behind the last one that is known.
    Newest,
}

impl Walker {
    /// Prepares to walk; nothing is asked.
    pub fn new(shop: Shop, state: State, shared: Shared) -> Self {
        Self { shop, state, shared }
    }

    /// Walks until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut failed, mut asked, mut ages) = (0_u32, Asked::ByNobody, Ages::default());
        let every = self.rules().poll().min(IDLE).max(Duration::from_secs(1));
        loop {
            let walked = stop.run_until_cancelled(self.go(asked, &mut ages)).await;
            let pause = match walked {
                None => return,
                Some(Ok(())) => {
                    (failed, asked) = (0, Asked::ByNobody);
                    every
                }
                Some(Err(trouble)) => {
                    failed = failed.saturating_add(1);
                    if is_told(failed) {
                        tracing::warn!(failed, why = %trouble, "could not read the shop's profiles");
                    }
                    RetryPolicy::ORDERS.wait_however_long(failed, Jitter(fastrand::u8(..)))
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.bells.walk.notified() => asked = Asked::BySomebody,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn rules(&self) -> &Profiles {
        &self.shared.rules
    }

    async fn go(&self, asked: Asked, ages: &mut Ages) -> Result<(), Trouble> {
        let now_ms = clock::now().unix_ms();
        let old = now_ms.saturating_sub(ages.memberships_ms) >= MEMBERSHIPS_AGE_MS_MAX;
        if old || asked == Asked::BySomebody {
            self.memberships().await?;
            ages.memberships_ms = now_ms;
        }
        self.after_other_settings(now_ms).await?;
        let cursor: Option<WalkCursor> = row(&self.state, &rows::cursor(table::WALK_CURSOR))?;
        let mut cursor = cursor.unwrap_or_default();
        self.shared.note(|standing| standing.walked_ms = cursor.ended_ms);
        let daily_ms = self.rules().full_at.last_before(now_ms);
        if cursor.page == 0 && cursor.ended_ms >= daily_ms && asked == Asked::ByNobody {
            let every_ms = self.rules().poll_s.saturating_mul(1_000);
            if now_ms.saturating_sub(ages.newest_ms) >= every_ms {
                // The page before may be the last one, after a profile was deleted.
                let page = cursor.last_page.saturating_sub(1).max(1);
                self.read(WalkCursor { page, ..cursor }, Reading::Newest).await?;
                ages.newest_ms = now_ms;
            }
            return Ok(());
        }
        if cursor.page == 0 {
            (cursor.number, cursor.page) = (cursor.number.saturating_add(1), 1);
        }
        self.read(cursor, Reading::Whole).await
    }

    /// Reads the shop's memberships, if any are left out.
    async fn memberships(&self) -> Result<(), Trouble> {
        let found = if self.rules().leave_memberships.is_empty() {
            Vec::new()
        } else {
            patiently(|| self.shop.memberships()).await?
        };
        for told in profile::odd_memberships(self.rules(), &found) {
            tracing::warn!(why = told, "profiles.leave_memberships leaves nobody out by it");
        }
        self.shared.memberships.send_replace(Some(found.into()));
        Ok(())
    }

    fn known(&self) -> Vec<Membership> {
        self.shared.memberships.borrow().as_deref().unwrap_or_default().to_vec()
    }

    /// Marks everything that is kept if settings or memberships are others than the last time.
    async fn after_other_settings(&self, now_ms: u64) -> Result<(), Trouble> {
        let written = format!("{:?} {:?}", self.shared.rules, self.known());
        let of = short_hash(&[written.as_bytes()], 16);
        let key = rows::cursor(table::SETTINGS);
        let before: Option<String> = row(&self.state, &key)?;
        if before.as_ref() == Some(&of) {
            return Ok(());
        }
        keep::mark_all(&self.state, now_ms, |_| true).await?;
        let mut batch = Batch::new();
        batch.put(key, rows::write(&of)?);
        commit(&self.state, batch).await?;
        self.shared.bells.keep.notify_waiters();
        Ok(())
    }

    /// Reads the shop's list from a page on.
    async fn read(&self, mut cursor: WalkCursor, reading: Reading) -> Result<(), Trouble> {
        let (mut met, mut marked, before) = (0_usize, 0_usize, cursor.last_page);
        loop {
            let page = patiently(|| self.shop.profiles(cursor.page)).await?;
            let is_last = page.len() < PAGE_LEN || cursor.page >= PAGES_MAX;
            met = met.saturating_add(page.len());
            marked = marked.saturating_add(self.take(page, cursor.number, reading).await?);
            cursor.last_page = cursor.page;
            cursor.page = cursor.page.saturating_add(1);
            if is_last {
                break;
            }
            if reading == Reading::Whole {
                self.keep(cursor).await?;
            }
        }
        cursor.page = 0;
        match reading {
            Reading::Whole => {
                self.forget(cursor.number).await?;
                cursor.ended_ms = clock::now().unix_ms();
                self.keep(cursor).await?;
                tracing::info!(profiles = met, "read the shop's profiles");
                self.shared.note(|standing| standing.walked_ms = cursor.ended_ms);
            }
            Reading::Newest if cursor.last_page != before => self.keep(cursor).await?,
            Reading::Newest => {}
        }
        if marked > 0 {
            self.shared.bells.keep.notify_waiters();
        }
        Ok(())
    }

    async fn keep(&self, cursor: WalkCursor) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        batch.put(rows::cursor(table::WALK_CURSOR), rows::write(&cursor)?);
        commit(&self.state, batch).await
    }

    /// Writes a page down; says how many profiles are due for it.
    async fn take(&self, page: Vec<Entry>, walk: u64, reading: Reading) -> Result<usize, Trouble> {
        let memberships = self.known();
        for _ in 0..KEEP_TRIES_MAX {
            let (mut batch, mut marked) = (Batch::new(), 0_usize);
            for entry in &page {
                let at = (walk, reading, memberships.as_slice());
                marked = marked.saturating_add(self.write_down(&mut batch, entry, at)?);
            }
            if batch.is_empty() || commit_or_not(&self.state, batch).await? == Committed::Yes {
                return Ok(marked);
            }
        }
        Err(Trouble::Doubt("the profiles change all the time".to_owned()))
    }

    fn write_down(
        &self,
        batch: &mut Batch,
        entry: &Entry,
        (walk, reading, memberships): (u64, Reading, &[Membership]),
    ) -> Result<usize, Trouble> {
        let shown: &Shown = match entry {
            Entry::Shown(shown) => shown,
            Entry::Unreadable { id, why } => {
                tracing::warn!(id, why, "a profile cannot be read");
                return Ok(0);
            }
        };
        let key = table::of_profile(table::PROFILES, shown.id);
        let stored = self.state.get(&key)?;
        let before: Option<Profile> = stored.as_deref().map(rows::read).transpose()?;
        if before.is_some() && reading == Reading::Newest {
            return Ok(0);
        }
        let is_new = before.is_none();
        let mut profile = before.unwrap_or_else(|| Profile::new(&shown.login, walk));
        let left_out = profile::left_out(shown, self.rules(), memberships);
        profile.walk = walk;
        profile.login.clone_from(&shown.login);
        let table = match left_out {
            Some(reason) => {
                profile.kept.turn(Verdict::LeftOut(reason));
                None
            }
            None if is_new && reading == Reading::Newest => Some(table::NEWS),
            None => Some(table::DUE),
        };
        if let Some(table) = table {
            mark(batch, &self.state, (table, shown.id), clock::now().unix_ms())?;
        }
        batch.expect(key.clone(), stored.as_deref());
        batch.put(key, rows::write(&profile)?);
        Ok(usize::from(table.is_some()))
    }

    /// Forgets what this walk did not meet and what is not there.
    async fn forget(&self, walk: u64) -> Result<(), Trouble> {
        let mut pages = self.state.pages(rows::table(table::PROFILES), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, value) in &page {
                let profile: Profile = rows::read(value)?;
                let Some(id) = table::profile_of(key).filter(|_| profile.walk != walk) else {
                    continue;
                };
                if patiently(|| self.shop.profile(id)).await?.is_none() {
                    forget(&self.state, id).await?;
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Forgets a profile that is not in the shop any more; its customer and its link stay.
pub(super) async fn forget(state: &State, id: u64) -> Result<(), Trouble> {
    let mut batch = Batch::new();
    for table in [table::PROFILES, table::NEWS, table::DUE] {
        batch.delete(table::of_profile(table, id));
    }
    commit(state, batch).await?;
    tracing::info!(profile = id, "the shop does not have it any more");
    Ok(())
}
