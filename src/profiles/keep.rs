//! Looks at profiles one by one, and has their customers found, made and told.
//!
//! What this module guarantees:
//! 1. A profile is read just before anything is decided about it.
//! 2. What M3 is to be told is on disk before it is; after a kill it goes on with the same words.
//! 3. The mark of a profile goes only with the row that made it needless, and stays when it changed
//!    meanwhile. A profile that fails rests for itself and holds up no other; while the shop or M3 is away
//!    all of them wait.
//! 4. No more profiles are looked at in a minute than the settings, or the load, allow.

use super::{
    Shared, count,
    load::{self, Load, Stage},
    profile::{self, After, Kept, Linked, Next, Profile, Reason, Verdict},
    rules::{Taken, pace},
    table::{self, Due},
};
use crate::{
    clock,
    connector::{
        Failure,
        xcart::{
            profiles::{Entry, Shown},
            rest::Shop,
            wire::AddressBook,
        },
    },
    delivery::{customers::Customers, rows, trouble::Trouble as Stuck},
    failpoint,
    flow::customer::{Buyer, How, Person},
    goods::{
        Committed, Trouble, commit, commit_or_not, load::ROUNDS_MAX, row, rules::Mode, watch::IDLE,
    },
    retry::{Jitter, RetryPolicy},
    state::{Batch, State},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Marks looked through for one that does not rest.
const LOOKED_MAX: usize = 5_000;
/// Marks read in one go.
const MARKS_MAX: usize = 64;
/// The pause after something failed that is nobody's fault.
const AGAIN: Duration = Duration::from_secs(3);
/// Between two counts.
const COUNT_EVERY_MS: u64 = 30_000;
/// How often a row is written down, against changes by others.
const KEEP_TRIES_MAX: u32 = 5;

/// Keeps the customers of profiles.
#[derive(Debug)]
pub struct Keeper {
    shop: Shop,
    customers: Arc<Customers>,
    state: State,
    shared: Shared,
}

/// A profile that is due.
struct Job {
    table: &'static str,
    id: u64,
    /// Its mark as it was read.
    mark: Vec<u8>,
    due: Due,
}

/// What became of a profile that was looked at.
enum Came {
    /// It stands like this.
    Stands(String, Kept),
    /// The shop does not have it.
    Gone,
    /// It is tried again; what was kept of it before stays.
    Failed(Failure),
}

/// What came of asking about a profile.
enum Answer {
    /// It is noted how it stands.
    Kept,
    /// The settings leave it out.
    LeftOut(Reason),
    /// The shop does not have it.
    Gone,
}

/// What a turn came to.
enum Turn {
    /// A profile was looked at; the next may be after a pause.
    Looked(Duration),
    /// Nothing can be done before that.
    Rests(Duration),
}

impl Keeper {
    /// Prepares to keep; nobody is asked.
    pub fn new(shop: Shop, customers: Arc<Customers>, state: State, shared: Shared) -> Self {
        Self { shop, customers, state, shared }
    }

    /// Keeps until stopped. A call that is under way is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut counted_ms = 0_u64;
        let mut news = true;
        loop {
            let rung = self.shared.bells.keep.notified();
            let now_ms = clock::now().unix_ms();
            let turn = self.turn(now_ms).await;
            let rests = matches!(turn, Ok(Turn::Rests(_)));
            if (rests && news) || now_ms.saturating_sub(counted_ms) >= COUNT_EVERY_MS {
                counted_ms = now_ms;
                self.publish().await;
            }
            news = !rests;
            let pause = match turn {
                Ok(Turn::Looked(pause) | Turn::Rests(pause)) => pause,
                Err(trouble) => {
                    tracing::warn!(why = %trouble, "could not look at the shop's profiles");
                    AGAIN
                }
            };
            let wakes = rests;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = rung, if wakes => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn turn(&self, now_ms: u64) -> Result<Turn, Trouble> {
        let idle = self.shared.rules.poll().min(IDLE);
        if let Some(left) =
            self.shop.closed_for().into_iter().chain(self.customers.closed_for()).max()
        {
            return Ok(Turn::Rests(left.max(AGAIN.min(idle))));
        }
        if self.shared.memberships.borrow().is_none() {
            return Ok(Turn::Rests(idle));
        }
        let load = load::stored(&self.state)?.filter(|load| load.stage == Stage::Running);
        let Some(job) = self.pick(now_ms)? else {
            self.end_load(load.as_ref(), now_ms).await?;
            return Ok(Turn::Rests(idle));
        };
        let (mode, per_min) = match (&load, self.shared.rules.mode) {
            (Some(load), _) => (Mode::Write, load.per_min),
            (None, mode) => (mode, self.shared.rules.per_min),
        };
        let came = self.look(&job, mode, now_ms).await?;
        self.settle(&job, came, now_ms).await?;
        Ok(Turn::Looked(pace(per_min)))
    }

    /// Finds what is due first and does not rest.
    fn pick(&self, now_ms: u64) -> Result<Option<Job>, Trouble> {
        for table in [table::NEWS, table::DUE] {
            let (mut pages, mut looked) =
                (self.state.pages(rows::table(table), MARKS_MAX), 0_usize);
            while let Some(page) = pages.next_page()? {
                for (key, mark) in page {
                    let Some(id) = table::profile_of(&key) else { continue };
                    let due: Due = rows::read(&mark)?;
                    if due.again_ms <= now_ms {
                        return Ok(Some(Job { table, id, mark, due }));
                    }
                    looked = looked.saturating_add(1);
                }
                if looked >= LOOKED_MAX {
                    break;
                }
            }
        }
        Ok(None)
    }

    async fn look(&self, job: &Job, mode: Mode, now_ms: u64) -> Result<Came, Trouble> {
        let key = table::of_profile(table::PROFILES, job.id);
        let stored: Option<Profile> = row(&self.state, &key)?;
        let Profile { mut login, mut kept, .. } = stored.unwrap_or_else(|| Profile::new("", 0));
        let verdict = match self.ask(job, mode, now_ms, (&mut login, &mut kept)).await {
            Ok(Answer::Kept) => return Ok(Came::Stands(login, kept)),
            Ok(Answer::Gone) => return Ok(Came::Gone),
            Ok(Answer::LeftOut(reason)) => Verdict::LeftOut(reason),
            Err(Stuck::Failed(failure)) => match profile::after(&failure, job.due.failed) {
                After::Again => return Ok(Came::Failed(failure)),
                After::Park(cause) => Verdict::Parked(cause),
            },
            Err(Stuck::Stopped(cause)) => Verdict::Parked(cause),
        };
        kept.turn(verdict);
        Ok(Came::Stands(login, kept))
    }

    /// Reads a profile, and does what is to be done for it.
    async fn ask(
        &self,
        job: &Job,
        mode: Mode,
        now_ms: u64,
        (login, kept): (&mut String, &mut Kept),
    ) -> Result<Answer, Stuck> {
        let shown = match self.shop.profile(job.id).await? {
            Some(Entry::Shown(shown)) => shown,
            Some(Entry::Unreadable { why, .. }) => {
                tracing::warn!(profile = job.id, why, "a profile cannot be read");
                return Ok(Answer::LeftOut(Reason::Unreadable));
            }
            None => return Ok(Answer::Gone),
        };
        login.clone_from(&shown.login);
        if let Some(reason) = self.left_out(&shown) {
            return Ok(Answer::LeftOut(reason));
        }
        let Some(book) = self.shop.address_book(job.id).await? else { return Ok(Answer::Gone) };
        if book == AddressBook::default() && self.shared.rules.without_address == Taken::Leave {
            return Ok(Answer::LeftOut(Reason::NoAddress));
        }
        self.decide(&shown, &book, (job, mode, now_ms), kept).await
    }

    fn left_out(&self, shown: &Shown) -> Option<Reason> {
        let known = self.shared.memberships.borrow().clone();
        profile::left_out(shown, &self.shared.rules, known.as_deref().unwrap_or_default())
    }

    /// Does what is to be done for a profile that is a customer's.
    async fn decide(
        &self,
        shown: &Shown,
        book: &AddressBook,
        (job, mode, now_ms): (&Job, Mode, u64),
        kept: &mut Kept,
    ) -> Result<Answer, Stuck> {
        let (billing, shipping) = (book.billing.as_ref(), book.shipping.as_ref());
        let told_s = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
        let (account, email) = (Some(shown.id), shown.login.as_str());
        let buyer = Buyer { account, email, billing, shipping, told_s };
        let mut person = Person::who(&buyer, self.customers.rules())?;
        if person.is_shared() {
            return Ok(Answer::LeftOut(Reason::Shared));
        }
        let print = profile::print(&person);
        let link = self.customers.linked(&person)?;
        let linked = if link.is_some() { Linked::Yes } else { Linked::Not };
        match (kept.next(&print, linked, mode), link) {
            (Next::Foresee, _) | (Next::Compare | Next::Nothing, None) => {
                let foreseen = self.customers.foresee(&person).await?;
                kept.turn(foreseen.into());
            }
            (Next::Nothing, Some(link)) => {
                let notes = std::mem::take(&mut kept.notes);
                kept.settle(&print, link.cuno, notes);
            }
            (Next::Compare, Some(link)) => match self.customers.due(&person, &link)? {
                parts if parts.is_empty() => kept.settle(&print, link.cuno, Vec::new()),
                parts => kept.turn(Verdict::Change(link.cuno, parts)),
            },
            (Next::Tell, _) => {
                person.told_s = kept.intend(&print, told_s);
                self.write_down(job.id, &shown.login, kept)
                    .await
                    .map_err(|fault| Stuck::own_fault(&fault))?;
                failpoint::pass("profiles.intended");
                let ensured = self.customers.ensure(&person, job.due.failed).await?;
                failpoint::pass("profiles.ensured");
                self.shared.note(|standing| match ensured.how {
                    Some(How::Made) => standing.made = standing.made.saturating_add(1),
                    Some(How::Known | How::Matched) | None => {
                        standing.told = standing.told.saturating_add(1);
                    }
                });
                kept.settle(&print, ensured.cuno, ensured.notes);
            }
        }
        Ok(Answer::Kept)
    }

    /// Writes down what became of a profile, and takes its mark away or lets it rest.
    async fn settle(&self, job: &Job, came: Came, now_ms: u64) -> Result<(), Trouble> {
        let key = table::of_profile(job.table, job.id);
        let mut batch = Batch::new();
        batch.expect(key.clone(), Some(&job.mark));
        match came {
            Came::Stands(login, kept) => {
                if let Verdict::Parked(cause) = &kept.verdict {
                    tracing::error!(profile = job.id, why = %cause, "a profile needs a person");
                }
                self.write_down(job.id, &login, &kept).await?;
                batch.delete(key);
            }
            Came::Gone => {
                super::walk::forget(&self.state, job.id).await?;
                return Ok(());
            }
            Came::Failed(failure) => {
                let failed = job.due.failed.saturating_add(1);
                let pause = RetryPolicy::ORDERS.wait_however_long(failed, Jitter(fastrand::u8(..)));
                let pause = clock::millis(pause.max(failure.retry_after()));
                tracing::debug!(profile = job.id, failed, why = %failure, "tried again later");
                let due = Due { failed, again_ms: now_ms.saturating_add(pause), ..job.due };
                batch.put(key, rows::write(&due)?);
            }
        }
        // One that changed meanwhile is due again.
        commit_or_not(&self.state, batch).await.map(|_| ())
    }

    async fn write_down(&self, id: u64, login: &str, kept: &Kept) -> Result<(), Trouble> {
        let key = table::of_profile(table::PROFILES, id);
        for _ in 0..KEEP_TRIES_MAX {
            let stored = self.state.get(&key)?;
            let before: Option<Profile> = stored.as_deref().map(rows::read).transpose()?;
            let walk = before.map_or(0, |before| before.walk);
            let fresh = Profile { login: login.to_owned(), walk, kept: kept.clone() };
            let mut batch = Batch::new();
            batch.expect(key.clone(), stored.as_deref());
            batch.put(key.clone(), rows::write(&fresh)?);
            if commit_or_not(&self.state, batch).await? == Committed::Yes {
                return Ok(());
            }
        }
        Err(Trouble::Doubt("a profile changes all the time".to_owned()))
    }

    /// A load ends when nothing is due any more.
    async fn end_load(&self, load: Option<&Load>, now_ms: u64) -> Result<(), Trouble> {
        let Some(load) = load else { return Ok(()) };
        for table in [table::NEWS, table::DUE] {
            if !self.state.scan(rows::table(table), 1)?.is_empty() {
                return Ok(());
            }
        }
        if load.round < ROUNDS_MAX && mark_all(&self.state, now_ms, Verdict::differs).await? > 0 {
            // What came while it was being started, or changed since.
            let again = Load { round: load.round.saturating_add(1), ..load.clone() };
            load::keep(&self.state, Some(load), &again).await?;
            return Ok(());
        }
        let refused = count::parked(&self.state).await?;
        let done = Load { stage: Stage::Done, ended_ms: now_ms, refused, ..load.clone() };
        if load::keep(&self.state, Some(load), &done).await? == Committed::Yes {
            tracing::info!(profiles = load.total, refused, "the load of customers is done");
        }
        Ok(())
    }

    async fn publish(&self) {
        if let Err(trouble) = count::count(&self.state, &self.shared).await {
            tracing::warn!(why = %trouble, "could not count the shop's profiles");
        }
    }
}

/// Marks everything that is kept.
pub(super) async fn mark_all(
    state: &State,
    now_ms: u64,
    wanted: impl Fn(&Verdict) -> bool,
) -> Result<u64, Trouble> {
    let mut marked = 0_u64;
    let mut pages = state.pages(rows::table(table::PROFILES), MARKS_MAX);
    while let Some(page) = pages.next_page()? {
        let mut batch = Batch::new();
        for (key, value) in &page {
            let Some(id) = table::profile_of(key) else { continue };
            if wanted(&rows::read::<Profile>(value)?.kept.verdict) {
                super::mark(&mut batch, state, (table::DUE, id), now_ms)?;
                marked = marked.saturating_add(1);
            }
        }
        commit(state, batch).await?;
        tokio::task::yield_now().await;
    }
    Ok(marked)
}
