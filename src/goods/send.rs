//! Tells the shop how many pieces it has, what they cost and what they are, item by item.
//!
//! What this module guarantees:
//! 1. An item is told once for all that changed while it waited, with what is true then.
//! 2. The mark of an item goes only with the write that made it needless, and stays when the item
//!    changed meanwhile.
//! 3. What the shop refuses for what it is rests for itself, and holds up no other item; while the
//!    shop is away nothing is tried.
//! 4. What a product says of itself is a write of its own: a name that is refused holds up no pieces.

use super::{
    Committed, Shared, Trouble,
    card::Edits,
    commit_or_not,
    good::{Good, Refused},
    load::Part,
    loader::{self, Leave},
    make::{Made, Maker},
    shelf,
    table::{self, Due},
    want::{self, Wants},
    watch::IDLE,
    wholesaler::Wholesaler,
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        xcart::{
            products::Change,
            rest::Shop,
            sheet::{Field, Sheet},
        },
    },
    delivery::rows,
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
    maker: Maker,
    wholesaler: Wholesaler,
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

/// What became of one write.
pub(super) enum Written {
    /// The shop has it already, or nobody wants it written.
    Needless,
    /// The shop has it now.
    Taken(Change),
    /// The shop refused it for what it is.
    Refused(Refused),
    /// It was refused before and is not tried yet.
    Rests,
}

impl Written {
    fn is_left(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Rests)
    }
}

/// What became of the writes of one SKU.
struct Writes {
    sku: String,
    /// How often its pieces had been doubted before.
    doubts: u64,
    numbers: Written,
    card: Written,
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
    pub fn new(shop: Shop, state: State, (shared, maker): (Shared, Maker), lane: u32) -> Self {
        let wholesaler = Wholesaler::new(shop.clone(), state.clone(), shared.clone());
        Self { shop, state, shared, maker, wholesaler, lane }
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
        if !want::is_current(&self.state, &self.shared.rules)? {
            return Ok(Told::Left { refused: 0 });
        }
        let leave = loader::leave(&self.state, &self.shared.rules, itno)?;
        let goods = self.goods(itno)?;
        let wants = want::of(&self.state, &self.shared.rules, (itno, &goods))?;
        let made = if goods.is_empty() {
            self.maker.consider(itno, &wants, &leave).await?
        } else {
            self.maker.welcome(itno, &goods).await?
        };
        match made {
            Made::Nothing => {}
            Made::Waits => return Ok(Told::Left { refused: 0 }),
            Made::Refused => return Ok(Told::Left { refused: 1 }),
        }
        let edits = want::edits(&self.shared.rules);
        let mut results = Vec::with_capacity(goods.len());
        for (sku, good) in &goods {
            let mut good = good.clone();
            wants.give(&mut good, edits);
            let (change, before) = (numbers(&good, &leave), &good.refused);
            let numbers = self.write(sku, &good, (change, before)).await?;
            let (change, before) = (card(&good, (edits, &leave)), &good.card.refused);
            let card = self.write(sku, &good, (change, before)).await?;
            results.push(Writes { sku: sku.clone(), doubts: good.doubts, numbers, card });
        }
        let left = results.iter().filter(|one| one.numbers.is_left() || one.card.is_left()).count();
        self.keep(&wants, results).await?;
        let mut left = left;
        for (sku, good) in &goods {
            let told = self.wholesaler.tell((itno, sku, good), wants.tiers.as_ref(), &leave);
            left = left.saturating_add(usize::from(told.await?.is_left()));
        }
        if left > 0 {
            return Ok(Told::Left { refused: u64::try_from(left).unwrap_or(u64::MAX) });
        }
        let due = table::key(table::DUE, itno);
        let mut batch = Batch::new();
        batch.expect(due.clone(), Some(&marked));
        batch.delete(due);
        leave.finished(&mut batch, itno);
        match self.state.commit(batch).await {
            // It changed meanwhile and is due again.
            Err(StateError::Conflict { .. }) => Ok(Told::Left { refused: 0 }),
            done => Ok(done.map(|()| Told::Done)?),
        }
    }

    /// Writes down what came of the writes. The goods may have been read anew meanwhile, so each is
    /// taken as it is now.
    async fn keep(&self, wants: &Wants, results: Vec<Writes>) -> Result<(), Trouble> {
        let edits = want::edits(&self.shared.rules);
        for _ in 0..KEEP_TRIES_MAX {
            let mut batch = Batch::new();
            for one in &results {
                let key = table::key(table::GOODS, &one.sku);
                let Some(before) = self.state.get(&key)? else { continue };
                let mut good: Good = rows::read(&before)?;
                wants.give(&mut good, edits);
                one.note(&mut good);
                let after = rows::write(&good)?;
                if after != before {
                    batch.expect(key.clone(), Some(&before));
                    batch.put(key, after);
                }
            }
            if commit_or_not(&self.state, batch).await? == Committed::Yes {
                return Ok(());
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

    /// Writes where the shop has something else.
    async fn write(
        &self,
        sku: &str,
        good: &Good,
        (change, before): (Option<Change>, &Option<Refused>),
    ) -> Result<Written, Trouble> {
        let now_ms = clock::now().unix_ms();
        let Some(change) = change else { return Ok(Written::Needless) };
        if before.as_ref().is_some_and(|refused| refused.rests(now_ms)) {
            return Ok(Written::Rests);
        }
        match self.give(good, &change).await {
            Ok(()) => {
                tracing::debug!(sku, ?change, "the shop has it");
                self.shared.note(|standing| standing.written = standing.written.saturating_add(1));
                Ok(Written::Taken(change))
            }
            Err(failure) if is_for_itself(&failure) => {
                let pause = pause_after(&failure, Refused::times(before.as_ref()));
                let text = failure.to_string();
                tracing::warn!(sku, why = text, "the shop refuses a change");
                if failure.class == Class::NotFound && before.is_none() {
                    // It was deleted or made anew: the shop's list tells.
                    self.shared.bells.walk.notify_one();
                }
                let again_ms = now_ms.saturating_add(clock::millis(pause));
                Ok(Written::Refused(Refused::again(before.as_ref(), &text, (now_ms, again_ms))))
            }
            Err(failure) if self.shop.closed_for().is_none() && passes(&failure) => {
                tracing::debug!(sku, why = %failure, "the shop did not take a change");
                Ok(Written::Rests)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Sends a change. A category is a list of its own in the shop; all of it may be sent again.
    async fn give(&self, good: &Good, change: &Change) -> Result<(), Failure> {
        let mut rest = change.clone();
        let category = rest.sheet.remove(&Field::Category);
        if rest != Change::default() {
            self.shop.change_goods(good.place, &rest).await?;
        }
        match category {
            Some(category) => shelf::put((&self.shop, &self.state), good, &category).await,
            None => Ok(()),
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
        let missing = self.state.scan(rows::table(table::NEWCOMERS), COUNTED_MAX)?.len();
        let missing = u64::try_from(missing).unwrap_or(u64::MAX);
        self.shared.note(|standing| {
            standing.missing = missing;
            (standing.waiting, standing.waiting_since_ms) = (waiting, oldest_ms);
            standing.refused = refused;
        });
        Ok(())
    }
}

impl Writes {
    /// Notes in a SKU what came of its writes.
    fn note(&self, good: &mut Good) {
        match &self.numbers {
            // What the shop sold while it was written comes after it: it is told once more.
            Written::Taken(change) if good.doubts != self.doubts => {
                good.written(&Change { amount: None, ..change.clone() });
            }
            Written::Taken(change) => good.written(change),
            Written::Refused(refused) => good.refused = Some(refused.clone()),
            Written::Needless | Written::Rests => {}
        }
        match &self.card {
            Written::Taken(change) => good.written(change),
            Written::Refused(refused) => good.card.refused = Some(refused.clone()),
            Written::Needless | Written::Rests => {}
        }
    }
}

/// The pieces and the price to be written, as far as there is leave to.
fn numbers(good: &Good, leave: &Leave) -> Option<Change> {
    let amount = good.amount_due().filter(|_| leave.allows(Part::Stock));
    let price = good.price_due().filter(|_| leave.allows(Part::Prices));
    let change = Change { amount, price, sheet: Sheet::new() };
    (change != Change::default()).then_some(change)
}

/// What a product is to say of itself, as far as there is leave to write it.
fn card(good: &Good, (edits, leave): (Edits, &Leave)) -> Option<Change> {
    let sheet = good.sheet_due(edits);
    let due = leave.allows(Part::Items) && !sheet.is_empty();
    due.then(|| Change { sheet, ..Change::default() })
}

/// How long a write rests that was refused so often.
pub(crate) fn pause_after(failure: &Failure, times: u32) -> Duration {
    // A shop that fails over it may fail over anything for a moment.
    let passes = failure.class == Class::Broken || failure.fate != Fate::Refused;
    let policy = if passes { RetryPolicy::ORDERS } else { RetryPolicy::REFUSED };
    policy.wait_however_long(times, Jitter(fastrand::u8(..)))
}

/// Whether the shop refused this product, and not everybody.
pub(crate) fn is_for_itself(failure: &Failure) -> bool {
    let of_us = matches!(failure.class, Class::Unauthorized | Class::Forbidden | Class::Held);
    (failure.fate == Fate::Refused || failure.class == Class::Broken) && !of_us
}

/// Whether only this call was lost: the next item may be told.
pub(crate) fn passes(failure: &Failure) -> bool {
    matches!(failure.class, Class::Unreachable | Class::TimedOut | Class::Locked)
}
