//! Tells the shop how many pieces it has and what they cost, item by item.
//!
//! What this module guarantees:
//! 1. An item is told once for all that changed while it waited, with what is true then.
//! 2. The mark of an item goes only with the write that made it needless, and stays when the item
//!    changed meanwhile.
//! 3. What the shop refuses for what it is rests for itself, and holds up no other item; while the
//!    shop is away nothing is tried.

use super::{
    Shared, Trouble, commit,
    good::{Balances, Good, for_sale},
    held, price,
    rules::{Mode, Prices, Stock},
    source::Source as _,
    table::{self, Cursor, Due},
    watch::IDLE,
};
use crate::{
    amount::Amount,
    clock,
    connector::{
        Class, Failure, Fate,
        xcart::{products::Change, rest::Shop},
    },
    delivery::{cases::CaseError, rows},
    ids::short_hash,
    retry::{Jitter, RetryPolicy},
    state::{Batch, State, StateError},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Marks read in one go.
const MARKS_MAX: usize = 64;
/// Marks that are counted; above it there are simply many.
const COUNTED_MAX: usize = 20_000;
/// How often what came of writes is written down, against changes by others.
const KEEP_TRIES_MAX: u32 = 5;
/// SKUs of one item at most.
const SKUS_MAX: usize = 200;
/// The pause after a pass that left something behind.
const AGAIN: Duration = Duration::from_secs(2);

/// Tells the shop. There may be several lanes; each has items of its own.
#[derive(Debug)]
pub struct Sender {
    shop: Shop,
    state: State,
    shared: Shared,
    lane: u32,
}

/// What a pass over all marks came to.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    /// Marks that stay.
    left: u64,
    /// Goods that rest because the shop refused them.
    refused: u64,
}

/// What the SKUs of one item should have.
#[derive(Clone, Debug, Default)]
struct Wants {
    amount: Option<u64>,
    price: Option<Amount>,
    no_price: Option<String>,
}

impl Wants {
    fn give(&self, good: &mut Good) {
        let Self { amount, price, no_price } = self.clone();
        (good.wants, good.wants_price, good.no_price) = (amount, price, no_price);
    }
}

/// What became of one write.
enum Written {
    /// The shop has it already, or nobody wants it written.
    Needless,
    /// The shop has it now.
    Taken(Change),
    /// The shop refused it for what it is.
    Refused { text: String, at_ms: u64, again_ms: u64 },
    /// It was refused before and is not tried yet.
    Rests,
}

/// What became of one item.
enum Told {
    /// Nothing is due any more.
    Done,
    /// Its mark stays; some of its SKUs may rest.
    Left { refused: u64 },
}

impl Sender {
    /// Prepares lane `lane` of `goods.writes_at_once`; nothing is sent.
    pub fn new(shop: Shop, state: State, shared: Shared, lane: u32) -> Self {
        Self { shop, state, shared, lane }
    }

    /// Tells until stopped. A write that is under way is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let rung = self.shared.bells.send.notified();
            let passed = self.pass(&stop).await;
            if let (0, Ok(passed)) = (self.lane, &passed)
                && let Err(trouble) = self.publish(passed.refused)
            {
                tracing::warn!(why = %trouble, "could not count what is due for the shop");
            }
            let pause = match passed {
                Ok(Passed { left: 0, .. }) => IDLE,
                Ok(Passed { .. }) => AGAIN,
                Err(trouble) => {
                    tracing::debug!(why = %trouble, "could not tell the shop of its stock");
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

    /// Goes over all marks once.
    async fn pass(&self, stop: &CancellationToken) -> Result<Passed, Trouble> {
        let mut passed = Passed::default();
        let mut pages = self.state.pages(rows::table(table::DUE), MARKS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, _) in &page {
                let Some(itno) = table::name_of(key).filter(|itno| self.is_ours(itno)) else {
                    continue;
                };
                if stop.is_cancelled() {
                    return Ok(passed);
                }
                match self.tell(itno).await? {
                    Told::Done => {}
                    Told::Left { refused } => {
                        passed.left = passed.left.saturating_add(1);
                        passed.refused = passed.refused.saturating_add(refused);
                    }
                }
            }
        }
        Ok(passed)
    }

    fn is_ours(&self, itno: &str) -> bool {
        let lanes = self.shared.rules.goods.writes_at_once.max(1);
        let hash = short_hash(&[itno.as_bytes()], 4);
        let sum: u32 = hash.bytes().map(u32::from).sum();
        sum % lanes == self.lane
    }

    /// Brings the SKUs of one item to what they should have.
    async fn tell(&self, itno: &str) -> Result<Told, Trouble> {
        // Read before anything else, so that what changes from here on leaves another mark.
        let Some(marked) = self.state.get(&table::key(table::DUE, itno))? else {
            return Ok(Told::Done);
        };
        if !self.is_current()? {
            return Ok(Told::Left { refused: 0 });
        }
        let goods = self.goods(itno)?;
        let wants = self.wants(itno, &goods)?;
        let mut results = Vec::with_capacity(goods.len());
        for (sku, mut good) in goods {
            wants.give(&mut good);
            let result = self.write(&sku, &good).await?;
            results.push((sku, good.doubts, result));
        }
        let is_left = |result: &Written| matches!(result, Written::Refused { .. } | Written::Rests);
        let left = results.iter().filter(|(.., result)| is_left(result)).count();
        self.keep(&wants, results).await?;
        if left > 0 {
            return Ok(Told::Left { refused: u64::try_from(left).unwrap_or(u64::MAX) });
        }
        let due = table::key(table::DUE, itno);
        let mut batch = Batch::new();
        batch.expect(due.clone(), Some(&marked));
        batch.delete(due);
        match self.state.commit(batch).await {
            // It changed meanwhile and is due again.
            Err(StateError::Conflict { .. }) => Ok(Told::Left { refused: 0 }),
            done => Ok(done.map(|()| Told::Done)?),
        }
    }

    /// Writes down what came of the writes. The goods may have been read anew meanwhile, so each is
    /// taken as it is now.
    async fn keep(
        &self,
        wants: &Wants,
        results: Vec<(String, u64, Written)>,
    ) -> Result<(), Trouble> {
        for _ in 0..KEEP_TRIES_MAX {
            let mut batch = Batch::new();
            for (sku, doubts, result) in &results {
                let key = table::key(table::GOODS, sku);
                let Some(before) = self.state.get(&key)? else { continue };
                let mut good: Good = rows::read(&before)?;
                wants.give(&mut good);
                match result {
                    // What the shop sold while it was written comes after it: it is told once more.
                    Written::Taken(change) if good.doubts != *doubts => {
                        good.written(&Change { amount: None, ..*change });
                    }
                    Written::Taken(change) => good.written(change),
                    Written::Refused { text, at_ms, again_ms } => {
                        good.refuse(text, *at_ms, *again_ms);
                    }
                    Written::Needless | Written::Rests => {}
                }
                let after = rows::write(&good)?;
                if after != before {
                    batch.expect(key.clone(), Some(&before));
                    batch.put(key, after);
                }
            }
            match commit(&self.state, batch).await {
                Err(Trouble::Store(CaseError::Store(StateError::Conflict { .. }))) => {}
                done => return done,
            }
        }
        // Its mark stays, and it is told once more.
        Err(Trouble::Doubt("the goods change all the time".to_owned()))
    }

    fn goods(&self, itno: &str) -> Result<Vec<(String, Good)>, Trouble> {
        let mut goods = Vec::new();
        for (key, _) in self.state.scan(table::skus_of(itno), SKUS_MAX)? {
            let Some(sku) = table::sku_in(&key) else { continue };
            if let Some(stored) = self.state.get(&table::key(table::GOODS, sku))? {
                goods.push((sku.to_owned(), rows::read(&stored)?));
            }
        }
        Ok(goods)
    }

    /// Whether M3 was read whole for the settings of today: what was read for other warehouses or
    /// another price list says nothing about these.
    fn is_current(&self) -> Result<bool, Trouble> {
        let rules = &self.shared.rules;
        let watched = [
            rules.stock.as_ref().map(|stock| (Stock::NAME, stock.fingerprint())),
            rules.prices.as_ref().map(|prices| (Prices::NAME, prices.fingerprint())),
        ];
        for (name, of) in watched.into_iter().flatten() {
            let cursor = self.state.get(&rows::cursor(name))?;
            let cursor = cursor.as_deref().map(rows::read::<Cursor>).transpose()?;
            if cursor.is_none_or(|cursor| cursor.of != of) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Works out what the SKUs of an item should have.
    fn wants(&self, itno: &str, goods: &[(String, Good)]) -> Result<Wants, Trouble> {
        let rules = &self.shared.rules;
        let mut wants = Wants::default();
        if let Some(stock) = &rules.stock
            && let Some(stored) = self.state.get(&table::key(table::BALANCES, itno))?
        {
            let mut balances: Balances = rows::read(&stored)?;
            balances.retain(|whlo, _| stock.warehouses.contains(whlo));
            let held = self.held(goods)?;
            wants.amount = Some(for_sale(&balances, stock.safety_of(itno), held));
        }
        if let Some(prices) = &rules.prices
            && let Some(stored) = self.state.get(&table::key(table::PRICES, itno))?
        {
            let today = prices.day_at(clock::now().unix_ms());
            let listed: price::Listed = rows::read(&stored)?;
            match price::for_shop(&listed, today, prices, prices.vat_of(itno)) {
                Ok(price) => wants.price = Some(price),
                Err(why) => wants.no_price = Some(why.to_owned()),
            }
        }
        Ok(wants)
    }

    /// Adds up what orders hold of an item, under whatever SKU.
    fn held(&self, goods: &[(String, Good)]) -> Result<u64, Trouble> {
        let mut held = 0_u64;
        for (sku, _) in goods {
            held = held.saturating_add(held::pieces(&self.state, sku)?);
        }
        Ok(held)
    }

    /// What is to be written, as far as somebody wants it written.
    fn change(&self, good: &Good) -> Option<Change> {
        let rules = &self.shared.rules;
        let writes = |mode: Option<Mode>| mode == Some(Mode::Write);
        let stock = writes(rules.stock.as_ref().map(|stock| stock.mode));
        let prices = writes(rules.prices.as_ref().map(|prices| prices.mode));
        let amount = good.amount_due().filter(|_| stock);
        let price = good.price_due().filter(|_| prices);
        let change = Change { amount, price };
        (change != Change::default()).then_some(change)
    }

    /// Writes where the shop has something else.
    async fn write(&self, sku: &str, good: &Good) -> Result<Written, Trouble> {
        let now_ms = clock::now().unix_ms();
        let Some(change) = self.change(good) else { return Ok(Written::Needless) };
        if good.rests(now_ms) {
            return Ok(Written::Rests);
        }
        match self.shop.change_goods(good.place, change).await {
            Ok(()) => {
                tracing::debug!(sku, ?change, "the shop has it");
                self.shared.note(|standing| standing.written = standing.written.saturating_add(1));
                Ok(Written::Taken(change))
            }
            Err(failure) if is_for_itself(&failure) => {
                let jitter = Jitter(fastrand::u8(..));
                // A shop that fails over it may fail over anything for a moment.
                let broke = failure.class == Class::Broken;
                let policy = if broke { RetryPolicy::ORDERS } else { RetryPolicy::REFUSED };
                let pause = policy.wait_however_long(good.refusals(), jitter);
                let text = failure.to_string();
                tracing::warn!(sku, why = text, "the shop refuses a change");
                if failure.class == Class::NotFound && good.refused.is_none() {
                    // It was deleted or made anew: the shop's list tells.
                    self.shared.bells.walk.notify_one();
                }
                let again_ms = now_ms.saturating_add(clock::millis(pause));
                Ok(Written::Refused { text, at_ms: now_ms, again_ms })
            }
            Err(failure) if self.shop.closed_for().is_none() && passes(&failure) => {
                tracing::debug!(sku, why = %failure, "the shop did not take a change");
                Ok(Written::Rests)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Publishes how much is due, as far as it is worth counting.
    fn publish(&self, refused: u64) -> Result<(), Trouble> {
        let (mut waiting, mut oldest_ms) = (0_u64, None::<u64>);
        let due = self.state.scan(rows::table(table::DUE), COUNTED_MAX)?;
        for (_, value) in &due {
            let since_ms = rows::read::<Due>(value)?.since_ms;
            waiting = waiting.saturating_add(1);
            oldest_ms = Some(oldest_ms.map_or(since_ms, |oldest| oldest.min(since_ms)));
        }
        self.shared.note(|standing| {
            (standing.waiting, standing.waiting_since_ms) = (waiting, oldest_ms);
            standing.refused = refused;
        });
        Ok(())
    }
}

/// Whether the shop refused this product, and not everybody.
fn is_for_itself(failure: &Failure) -> bool {
    let of_us = matches!(failure.class, Class::Unauthorized | Class::Forbidden | Class::Held);
    (failure.fate == Fate::Refused || failure.class == Class::Broken) && !of_us
}

/// Whether only this call was lost: the next item may be told.
fn passes(failure: &Failure) -> bool {
    matches!(failure.class, Class::Unreachable | Class::TimedOut | Class::Locked)
}
