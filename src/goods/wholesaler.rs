//! Brings the wholesale prices of a SKU to what M3 says.
//!
//! What this module guarantees:
//! 1. It is on disk that the shop is asked before it is. After an answer that was lost, and after a kill
//!    in between, nothing is sent until the call must have ended; then the shop's list says what it did.
//! 2. A list is read where M3's prices changed and once after each walk; never for a SKU that has no
//!    wholesale prices and should have none.
//! 3. That the shop has no wholesale prices at all, or takes none from 1 piece on, is found once after
//!    each walk and not tried with each product.
//!
//! One lane tells of an item, so there is one writer of its rows.

use super::{
    Committed, Shared, Trouble, commit_or_not,
    good::{Good, Refused},
    load::Part,
    loader::Leave,
    row,
    rules::wholesale::Wholesale,
    send::{Written, is_for_itself, pause_after},
    table::{self, WalkCursor},
    tier::{self, Ladder, Step, Wanted},
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        xcart::{
            rest::Shop,
            wholesale::{Memberships, Rung, Tiers},
        },
    },
    delivery::rows,
    state::{Batch, State},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long it is believed that the shop has no wholesale prices.
const NO_MODULE: Duration = Duration::from_hours(1);
/// How long the memberships are not asked for after they could not be read.
const REST: Duration = Duration::from_secs(5);
/// What is told of such a shop.
const NO_MODULE_TOLD: &str = "the shop has no wholesale prices: its module is missing";

/// What is known of the shop. All lanes share it.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<tokio::sync::Mutex<Facts>>);

#[derive(Clone, Debug, Default)]
struct Facts {
    /// The memberships, and the walk since which they were read.
    memberships: Option<(u64, Arc<Memberships>)>,
    /// When the memberships could not be read.
    failed: Option<Instant>,
    /// When it was found that there are no wholesale prices, and the walk before.
    no_module: Option<(Instant, u64)>,
    /// What the shop said to a price from 1 piece on.
    no_one: Option<String>,
}

/// Tells the shop its wholesale prices.
#[derive(Debug)]
pub struct Wholesaler {
    shop: Shop,
    state: State,
    shared: Shared,
    /// When a call was last unanswered, by the key of its row. A restart begins anew.
    unanswered: Mutex<HashMap<Vec<u8>, Instant>>,
}

/// The wholesale prices of one SKU while they are in hand.
struct Hand<'a> {
    rules: &'a Wholesale,
    good: &'a Good,
    sku: &'a str,
    key: Vec<u8>,
    stored: Option<Vec<u8>>,
    ladder: Ladder,
}

impl Wholesaler {
    /// Prepares to tell; nothing is sent.
    pub fn new(shop: Shop, state: State, shared: Shared) -> Self {
        Self { shop, state, shared, unanswered: Mutex::default() }
    }

    /// Brings one SKU to what it should have, or finds out what it has.
    pub(super) async fn tell(
        &self,
        (itno, sku, good): (&str, &str, &Good),
        wanted: Option<&Result<Wanted, String>>,
        leave: &Leave,
    ) -> Result<Written, Trouble> {
        let key = table::tiers_of(itno, sku);
        let stored = self.state.get(&key)?;
        let rules = self.shared.rules.prices.as_ref().and_then(|prices| prices.wholesale.as_ref());
        let (Some(rules), Some(wanted)) = (rules, wanted) else {
            return self.forget(&key, stored.as_deref()).await;
        };
        if stored.is_none() && wanted.as_ref().map_or(true, Wanted::is_empty) {
            return Ok(Written::Needless);
        }
        let ladder = stored.as_deref().map(rows::read).transpose()?.unwrap_or_default();
        let mut hand = Hand { rules, good, sku, key, stored, ladder };
        let walk = self.walk()?;
        let Some(facts) = self.facts(walk).await? else { return Ok(Written::Rests) };
        if facts.no_module.is_some() {
            (hand.ladder.has, hand.ladder.notes) = (None, vec![NO_MODULE_TOLD.to_owned()]);
            return self.keep(&mut hand, Written::Needless).await;
        }
        let memberships = facts.memberships.unwrap_or_default().1;
        let shop = tier::Shop { memberships: &memberships, no_one: facts.no_one.as_deref() };
        let wanted = wanted.as_ref().map_err(String::as_str);
        hand.ladder.want(wanted, &rules.memberships, shop);
        if hand.ladder.unclear.is_some() {
            return self.keep(&mut hand, Written::Needless).await;
        }
        if hand.ladder.asked && !self.is_quiet(&hand.key, rules) {
            return self.keep(&mut hand, Written::Rests).await;
        }
        if hand.ladder.refused.as_ref().is_some_and(|one| one.rests(clock::now().unix_ms())) {
            return self.keep(&mut hand, Written::Rests).await;
        }
        let known = hand.ladder.has.is_some() && hand.ladder.walk >= walk && !hand.ladder.asked;
        if !known && let Some(written) = self.read(&mut hand, walk).await? {
            return self.keep(&mut hand, written).await;
        }
        self.write(hand, leave).await
    }

    /// The settings do not ask for wholesale prices: what was known of them is not true for long.
    async fn forget(&self, key: &[u8], stored: Option<&[u8]>) -> Result<Written, Trouble> {
        if stored.is_some() {
            let mut batch = Batch::new();
            batch.expect(key, stored);
            batch.delete(key);
            commit_or_not(&self.state, batch).await?;
        }
        Ok(Written::Needless)
    }

    /// The number of the last walk that has ended.
    fn walk(&self) -> Result<u64, Trouble> {
        let cursor: Option<WalkCursor> = row(&self.state, &rows::cursor(table::WALK_CURSOR))?;
        let WalkCursor { number, page, .. } = cursor.unwrap_or_default();
        Ok(if page == 0 { number } else { number.saturating_sub(1) })
    }

    /// What is known of the shop, if it said so; memberships are read after each walk, if any has a list.
    async fn facts(&self, walk: u64) -> Result<Option<Facts>, Trouble> {
        let mut facts = self.shared.wholesale.0.lock().await;
        let now = clock::now().mono;
        let within = |at: &Instant, time: Duration| now.duration_since(*at) < time;
        facts.no_module =
            facts.no_module.filter(|(at, then)| *then >= walk && within(at, NO_MODULE));
        self.shared.note(|standing| standing.no_wholesale = facts.no_module.is_some());
        let fresh = facts.memberships.as_ref().is_some_and(|(since, _)| *since >= walk);
        if fresh || facts.no_module.is_some() {
            return Ok(Some(facts.clone()));
        }
        if facts.failed.is_some_and(|at| within(&at, REST)) {
            return Ok(None);
        }
        let read = match self.memberships().await {
            Ok(read) => read,
            Err(failure) if self.shop.closed_for().is_some() => return Err(failure.into()),
            Err(failure) => {
                tracing::warn!(why = %failure, "could not read the shop's memberships");
                facts.failed = Some(now);
                return Ok(None);
            }
        };
        facts.memberships = Some((walk, Arc::new(read)));
        // After a walk it may be tried again.
        facts.no_one = None;
        Ok(Some(facts.clone()))
    }

    async fn memberships(&self) -> Result<Memberships, Failure> {
        let prices = self.shared.rules.prices.as_ref();
        let rules = prices.and_then(|prices| prices.wholesale.as_ref());
        if rules.is_none_or(|rules| rules.memberships.is_empty()) {
            return Ok(Memberships::new());
        }
        let mut by_name = Memberships::new();
        for one in self.shop.memberships().await? {
            by_name.entry(one.name).or_default().push(one.id);
        }
        Ok(by_name)
    }

    /// Whether a call that was not answered must have ended.
    fn is_quiet(&self, key: &[u8], rules: &Wholesale) -> bool {
        let now = clock::now().mono;
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *unanswered.entry(key.to_vec()).or_insert(now);
        now.duration_since(since) >= Duration::from_secs(rules.quiet_s)
    }

    /// Reads what the shop has; returns what became of it if there is nothing to go on with.
    async fn read(&self, hand: &mut Hand<'_>, walk: u64) -> Result<Option<Written>, Trouble> {
        let ladder = &mut hand.ladder;
        match self.shop.tiers(hand.good.place).await {
            Ok(Tiers::Listed(has)) => {
                (ladder.has, ladder.walk, ladder.asked) = (Some(has), walk, false);
                self.answered(&hand.key);
                Ok(None)
            }
            Ok(Tiers::NoModule) => {
                let mut facts = self.shared.wholesale.0.lock().await;
                if facts.no_module.is_none() {
                    tracing::warn!("{NO_MODULE_TOLD}");
                }
                facts.no_module = Some((clock::now().mono, walk));
                self.shared.note(|standing| standing.no_wholesale = true);
                (ladder.has, ladder.notes) = (None, vec![NO_MODULE_TOLD.to_owned()]);
                Ok(Some(Written::Needless))
            }
            Ok(Tiers::NoProduct) => {
                // It was deleted: the walk forgets it.
                self.shared.bells.walk.notify_one();
                ladder.has = None;
                Ok(Some(Written::Needless))
            }
            Err(failure) if self.shop.closed_for().is_some() => Err(failure.into()),
            Err(failure) if is_for_itself(&failure) => {
                Ok(Some(Written::Refused(refuse(hand, &failure))))
            }
            Err(failure) => {
                tracing::debug!(sku = hand.sku, why = %failure, "could not read wholesale prices");
                Ok(Some(Written::Rests))
            }
        }
    }

    /// Makes what is due.
    async fn write(&self, mut hand: Hand<'_>, leave: &Leave) -> Result<Written, Trouble> {
        let steps = hand.ladder.due(hand.rules.foreign);
        if steps.is_empty() {
            hand.ladder.refused = None;
            return self.keep(&mut hand, Written::Needless).await;
        }
        if !leave.allows(Part::Prices) {
            return self.keep(&mut hand, Written::Needless).await;
        }
        let mut has = hand.ladder.has.take().unwrap_or_default();
        hand.ladder.asked = true;
        if self.commit(&mut hand).await? == Committed::Not {
            return Ok(Written::Rests);
        }
        for step in steps {
            match self.step(hand.good, step).await {
                Ok(id) => {
                    Ladder::done(&mut has, step, id);
                    self.shared
                        .note(|standing| standing.written = standing.written.saturating_add(1));
                }
                Err(failure) => {
                    hand.ladder.has = Some(has);
                    return self.failed(hand, step, failure).await;
                }
            }
        }
        tracing::debug!(sku = hand.sku, "the shop has the wholesale prices");
        (hand.ladder.has, hand.ladder.asked, hand.ladder.refused) = (Some(has), false, None);
        self.keep(&mut hand, Written::Needless).await
    }

    async fn step(&self, good: &Good, step: Step) -> Result<Option<u64>, Failure> {
        let place = good.place;
        match step {
            Step::Change { id, rung, price } => {
                self.shop.change_tier(place, (id, rung, price)).await.map(|()| None)
            }
            Step::Add { rung, price } => {
                self.shop.add_tier(place, (rung, price)).await.map(|tier| Some(tier.id))
            }
            Step::Remove { id } => self.shop.remove_tier(place, id).await.map(|()| None),
        }
    }

    /// Writes down that a call was refused, not carried out, or that nobody knows.
    async fn failed(
        &self,
        mut hand: Hand<'_>,
        step: Step,
        failure: Failure,
    ) -> Result<Written, Trouble> {
        if failure.fate == Fate::Unknown {
            hand.ladder.has = None;
            let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            unanswered.insert(hand.key.clone(), clock::now().mono);
            drop(unanswered);
        } else {
            hand.ladder.asked = false;
        }
        if failure.class == Class::NotFound {
            // Somebody removed it: the list tells.
            hand.ladder.has = None;
        }
        if is_about_one(step, &failure) {
            self.shared.wholesale.0.lock().await.no_one = Some(failure.text);
            return self.keep(&mut hand, Written::Rests).await;
        }
        if is_for_itself(&failure) {
            let refused = refuse(&mut hand, &failure);
            return self.keep(&mut hand, Written::Refused(refused)).await;
        }
        tracing::debug!(sku = hand.sku, why = %failure, "the shop did not take a wholesale price");
        self.keep(&mut hand, Written::Rests).await?;
        if self.shop.closed_for().is_some() { Err(failure.into()) } else { Ok(Written::Rests) }
    }

    fn answered(&self, key: &[u8]) {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Writes down how it stands, and returns what became of it.
    async fn keep(&self, hand: &mut Hand<'_>, written: Written) -> Result<Written, Trouble> {
        match self.commit(hand).await? {
            Committed::Yes => Ok(written),
            Committed::Not => Ok(Written::Rests),
        }
    }

    async fn commit(&self, hand: &mut Hand<'_>) -> Result<Committed, Trouble> {
        let after = if hand.ladder.is_empty() { None } else { Some(rows::write(&hand.ladder)?) };
        if after == hand.stored {
            return Ok(Committed::Yes);
        }
        let mut batch = Batch::new();
        batch.expect(hand.key.clone(), hand.stored.as_deref());
        match &after {
            Some(after) => batch.put(hand.key.clone(), after.clone()),
            None => batch.delete(hand.key.clone()),
        };
        let committed = commit_or_not(&self.state, batch).await?;
        hand.stored = after;
        Ok(committed)
    }
}

/// Notes that the shop refused it for what it is.
fn refuse(hand: &mut Hand<'_>, failure: &Failure) -> Refused {
    let (before, why) = (hand.ladder.refused.take(), failure.to_string());
    let pause = pause_after(failure, Refused::times(before.as_ref()));
    let now_ms = clock::now().unix_ms();
    let again_ms = now_ms.saturating_add(clock::millis(pause));
    tracing::warn!(sku = hand.sku, why, "the shop refuses a wholesale price");
    let refused = Refused::again(before.as_ref(), &why, (now_ms, again_ms));
    hand.ladder.refused = Some(refused.clone());
    refused
}

/// Whether the shop said that it takes no price from 1 piece on.
fn is_about_one(step: Step, failure: &Failure) -> bool {
    let (Step::Change { rung, .. } | Step::Add { rung, .. }) = step else { return false };
    let Rung { from, .. } = rung;
    let letters: String = failure.text.chars().filter(char::is_ascii_alphabetic).collect();
    from == 1
        && failure.fate == Fate::Refused
        && letters.to_ascii_lowercase().contains("quantityrangebegin")
}
