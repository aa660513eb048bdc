//! Reads all profiles of the shop, once a day and when asked, and the newest of them now and then.
//!
//! What this module guarantees:
//! 1. A walk goes on where it was when the gateway stopped; a page is on disk before the next is read.
//! 2. A profile is forgotten only when a whole walk did not meet it and the shop itself says that it is
//!    not there.
//! 3. What a page shows of a profile that is known only has that profile read once more: the page may be
//!    older than what was written to it.
//! 4. Other settings, and other memberships of the shop, have every profile compared once more.

use super::{
    Shared, Wanted,
    buyer::Buyer,
    find, mark,
    rules::Buyers,
    table::{self, WalkCursor},
};
use crate::{
    clock,
    connector::xcart::{
        profiles::{Entry, Shown},
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

    fn rules(&self) -> &Buyers {
        &self.shared.rules.buyers
    }

    async fn go(&self, asked: Asked, ages: &mut Ages) -> Result<(), Trouble> {
        let now_ms = clock::now().unix_ms();
        let old = now_ms.saturating_sub(ages.memberships_ms) >= MEMBERSHIPS_AGE_MS_MAX;
        if old || asked == Asked::BySomebody {
            self.memberships().await?;
            ages.memberships_ms = now_ms;
        }
        self.after_other_settings().await?;
        let cursor: Option<WalkCursor> = row(&self.state, &rows::cursor(table::WALK_CURSOR))?;
        let mut cursor = cursor.unwrap_or_default();
        self.shared.note(|standing| standing.walked_ms = cursor.ended_ms);
        let daily_ms = self.rules().full_at.last_before(now_ms);
        if cursor.page == 0 && cursor.ended_ms >= daily_ms && asked == Asked::ByNobody {
            let every_ms = self.rules().poll_s.saturating_mul(1_000);
            if now_ms.saturating_sub(ages.newest_ms) >= every_ms {
                self.newest(cursor).await?;
                ages.newest_ms = now_ms;
            }
            return Ok(());
        }
        if cursor.page == 0 {
            (cursor.number, cursor.page) = (cursor.number.saturating_add(1), 1);
        }
        self.walk(cursor).await
    }

    /// Reads the shop's memberships, if any are wanted.
    async fn memberships(&self) -> Result<(), Trouble> {
        let found = if self.rules().memberships.is_empty() {
            Vec::new()
        } else {
            patiently(|| self.shop.memberships()).await?
        };
        self.shared.memberships.send_replace(Some(found.into()));
        Ok(())
    }

    /// Marks everything that is kept if settings or memberships are others than the last time.
    async fn after_other_settings(&self) -> Result<(), Trouble> {
        let known = self.shared.memberships.borrow().clone();
        let written = format!("{:?} {known:?}", self.shared.rules);
        let of = short_hash(&[written.as_bytes()], 16);
        let key = rows::cursor(table::SETTINGS);
        let before: Option<String> = row(&self.state, &key)?;
        if before.as_ref() == Some(&of) {
            return Ok(());
        }
        let now_ms = clock::now().unix_ms();
        let mut pages = self.state.pages(rows::table(table::PROFILES), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            let mut batch = Batch::new();
            for id in page.iter().filter_map(|(key, _)| table::profile_of(key)) {
                mark(&mut batch, &self.state, id, (Wanted::ByChange, now_ms))?;
            }
            commit(&self.state, batch).await?;
        }
        let mut batch = Batch::new();
        batch.put(key, rows::write(&of)?);
        commit(&self.state, batch).await?;
        self.shared.bells.send.notify_waiters();
        Ok(())
    }

    /// Reads the last page and what is behind it: a new profile has the largest id.
    async fn newest(&self, mut cursor: WalkCursor) -> Result<(), Trouble> {
        let (mut page, before) = (cursor.last_page.max(1), cursor);
        let mut found = self.shop.profiles(page).await?;
        if found.is_empty() && page > 1 {
            page = page.saturating_sub(1);
            found = self.shop.profiles(page).await?;
        }
        let mut marked = 0_usize;
        loop {
            let is_last = found.len() < PAGE_LEN || page >= PAGES_MAX;
            marked = marked.saturating_add(self.take(found, cursor.number).await?);
            if is_last {
                break;
            }
            page = page.saturating_add(1);
            found = self.shop.profiles(page).await?;
        }
        cursor.last_page = page;
        if cursor != before {
            self.keep(cursor).await?;
        }
        if marked > 0 {
            self.shared.bells.send.notify_waiters();
        }
        Ok(())
    }

    async fn walk(&self, mut cursor: WalkCursor) -> Result<(), Trouble> {
        let mut met = 0_usize;
        loop {
            let page = patiently(|| self.shop.profiles(cursor.page)).await?;
            let is_last = page.len() < PAGE_LEN || cursor.page >= PAGES_MAX;
            met = met.saturating_add(page.len());
            self.take(page, cursor.number).await?;
            cursor.last_page = cursor.page;
            cursor.page = cursor.page.saturating_add(1);
            if is_last {
                break;
            }
            self.keep(cursor).await?;
        }
        self.forget(cursor.number).await?;
        cursor = WalkCursor { page: 0, ended_ms: clock::now().unix_ms(), ..cursor };
        self.keep(cursor).await?;
        tracing::info!(profiles = met, "read the shop's profiles");
        self.shared.note(|standing| standing.walked_ms = cursor.ended_ms);
        self.shared.bells.send.notify_waiters();
        Ok(())
    }

    async fn keep(&self, cursor: WalkCursor) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        batch.put(rows::cursor(table::WALK_CURSOR), rows::write(&cursor)?);
        commit(&self.state, batch).await
    }

    /// Writes a page down; says how many profiles are due for it.
    async fn take(&self, page: Vec<Entry>, walk: u64) -> Result<usize, Trouble> {
        let mut shown = Vec::with_capacity(page.len());
        for entry in page {
            match entry {
                Entry::Shown(one) => shown.push(one),
                Entry::Unreadable { id, why } => {
                    tracing::warn!(id, why, "a profile cannot be read");
                }
            }
        }
        for _ in 0..KEEP_TRIES_MAX {
            let (mut batch, mut marked) = (Batch::new(), 0_usize);
            for one in &shown {
                marked = marked.saturating_add(self.write_down(&mut batch, one, walk)?);
            }
            if batch.is_empty() || commit_or_not(&self.state, batch).await? == Committed::Yes {
                return Ok(marked);
            }
        }
        Err(Trouble::Doubt("the profiles change all the time".to_owned()))
    }

    fn write_down(&self, batch: &mut Batch, shown: &Shown, walk: u64) -> Result<usize, Trouble> {
        let now_ms = clock::now().unix_ms();
        let key = table::of_profile(table::PROFILES, shown.id);
        let stored = self.state.get(&key)?;
        let before = stored.as_deref().map(rows::read::<Buyer>).transpose()?;
        let (mut buyer, mut due) = match &before {
            Some(before) => {
                // A page may be older than our own last write: the profile itself is asked then.
                let differs = before.clone().seen(shown);
                let (login, unsure) = (shown.login.clone(), before.unsure || differs);
                (Buyer { login, unsure, ..before.clone() }, differs)
            }
            None => (Buyer::new(shown, walk), true),
        };
        buyer.walk = walk;
        due = due || find::is_joined_anew(&self.state, shown.id, &buyer.tie)?;
        let login = |buyer: &Buyer| table::mail(&buyer.login);
        let (old, new) = (before.as_ref().map(login).unwrap_or_default(), login(&buyer));
        if old != new {
            self.rename(batch, shown.id, [&old, &new])?;
        }
        if due {
            mark(batch, &self.state, shown.id, (Wanted::ByChange, now_ms))?;
        }
        if before.as_ref() != Some(&buyer) {
            batch.expect(key.clone(), stored.as_deref());
            batch.put(key, rows::write(&buyer)?);
        }
        Ok(usize::from(due))
    }

    /// Lists a profile under another login. Whoever has the same one is looked at again.
    fn rename(&self, batch: &mut Batch, id: u64, [old, new]: [&str; 2]) -> Result<(), Trouble> {
        let now_ms = clock::now().unix_ms();
        if !old.is_empty() {
            batch.delete(table::profile_pair(table::BY_LOGIN, old, id));
        }
        if !new.is_empty() {
            batch.put(table::profile_pair(table::BY_LOGIN, new, id), Vec::new());
        }
        for login in [old, new] {
            for other in find::profiles(&self.state, (table::BY_LOGIN, login), find::OWNERS_MAX)? {
                mark(batch, &self.state, other, (Wanted::ByChange, now_ms))?;
            }
        }
        Ok(())
    }

    /// Forgets what this walk did not meet and what is not there.
    async fn forget(&self, walk: u64) -> Result<(), Trouble> {
        let mut pages = self.state.pages(rows::table(table::PROFILES), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, value) in &page {
                let buyer: Buyer = rows::read(value)?;
                let Some(id) = table::profile_of(key).filter(|_| buyer.walk != walk) else {
                    continue;
                };
                if patiently(|| self.shop.profile(id)).await?.is_none() {
                    forget(&self.state, id, value).await?;
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Forgets a profile that is not in the shop any more.
pub(super) async fn forget(state: &State, id: u64, stored: &[u8]) -> Result<(), Trouble> {
    let (now_ms, buyer) = (clock::now().unix_ms(), rows::read::<Buyer>(stored)?);
    let key = table::of_profile(table::PROFILES, id);
    let mut batch = Batch::new();
    batch.expect(key.clone(), Some(stored));
    batch.delete(key);
    batch.delete(table::of_profile(table::DUE, id));
    if let Some(cuno) = buyer.tie.concerns() {
        batch.delete(table::profile_pair(table::BY_CUSTOMER, cuno.as_str(), id));
    }
    let login = table::mail(&buyer.login);
    if !login.is_empty() {
        batch.delete(table::profile_pair(table::BY_LOGIN, &login, id));
        // Who shared its login may be the only one now.
        let others = find::profiles(state, (table::BY_LOGIN, &login), find::OWNERS_MAX)?;
        for other in others.into_iter().filter(|other| *other != id) {
            mark(&mut batch, state, other, (Wanted::ByChange, now_ms))?;
        }
    }
    commit_or_not(state, batch).await?;
    tracing::info!(profile = id, "the shop does not have it any more");
    Ok(())
}
