//! Reads all goods of the shop: which SKUs there are, where they are sold, and how many it has.
//!
//! What this module guarantees:
//! 1. A walk goes on where it was when the gateway stopped; a page is on disk before the next is read.
//! 2. A SKU is forgotten only when a whole walk did not meet it and its product says so itself:
//!    products that move between pages while these are read are not lost.
//! 3. What somebody changed by hand is found once a day and made good.
//!
//! It is the only one that makes SKUs, and the only one that looks up their items.

use super::{
    Shared, Trouble, afresh, commit,
    good::Good,
    mark,
    newcomer::Newcomer,
    shelf::{self, Shelves},
    table::{self, WalkCursor},
    want,
    watch::IDLE,
};
use crate::{
    clock,
    connector::{
        Failure, Fate, Kind, again_after,
        m3::{M3, customer as mi_items, mi::MiCall},
        xcart::{
            products::{Entry, Shown},
            rest::{PAGE_LEN, Shop},
        },
    },
    delivery::rows,
    flow::rules::ItemRules,
    ids::Itno,
    retry::{Jitter, RetryPolicy, is_told},
    state::{Batch, State},
};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// Pages of one walk; a shop that has more does not turn them.
const PAGES_MAX: u32 = 20_000;
/// How often a read of the shop is tried.
const TRIES_MAX: u32 = 6;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// Walks over the shop's goods.
#[derive(Debug)]
pub struct Walker {
    shop: Shop,
    m3: M3,
    state: State,
    shared: Shared,
    items: ItemRules,
}

/// What a walk met.
#[derive(Debug, Default)]
struct Met {
    goods: u64,
    unreadable: u64,
    variants: Variants,
    shelves: Shelves,
}

/// Who wants a walk now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    ByNobody,
    BySomebody,
}

/// Whether variants are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Variants {
    #[default]
    Asked,
    /// The shop has none, or nobody wants them.
    None,
}

impl Walker {
    /// Prepares to walk; nothing is asked.
    pub fn new(shop: Shop, m3: M3, state: State, (shared, items): (Shared, ItemRules)) -> Self {
        Self { shop, m3, state, shared, items }
    }

    /// Walks once a day, and when asked, until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut failed, mut asked, mut has_walked) = (0_u32, Asked::ByNobody, false);
        loop {
            let Some(walked) = stop.run_until_cancelled(self.walk_if_due(asked)).await else {
                return;
            };
            let pause = match walked {
                Ok(whole) => {
                    (failed, asked) = (0, Asked::ByNobody);
                    has_walked |= whole;
                    IDLE
                }
                Err(trouble) => {
                    failed = failed.saturating_add(1);
                    if is_told(failed) {
                        tracing::warn!(failed, why = %trouble, "could not read the shop's goods");
                    }
                    RetryPolicy::ORDERS.wait_however_long(failed, Jitter(fastrand::u8(..)))
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shared.bells.walk.notified() => asked = Asked::BySomebody,
                // A walk begins when all lists were read, so one that ended needs no other for that.
                () = self.shared.bells.read.notified(), if !has_walked => asked = Asked::BySomebody,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Says whether the shop's goods were read to the end.
    async fn walk_if_due(&self, mut asked: Asked) -> Result<bool, Trouble> {
        let now_ms = clock::now().unix_ms();
        let other = afresh::after_other_settings(&self.state, &self.shared).await?;
        if other {
            // They may be about what was not kept of the shop.
            asked = Asked::BySomebody;
            self.shared.bells.send.notify_waiters();
        }
        if !want::is_read(&self.state, &self.shared.rules)? {
            // A SKU is told from an alias by what M3 has listed.
            return Ok(false);
        }
        let cursor = self.state.get(&rows::cursor(table::WALK_CURSOR))?;
        let cursor = cursor.as_deref().map(rows::read::<WalkCursor>).transpose()?;
        let mut cursor = cursor.unwrap_or_default();
        self.shared.note(|standing| standing.walked_ms = cursor.ended_ms);
        let daily_ms = self.shared.rules.goods.full_at.last_before(now_ms);
        if cursor.page == 0 && cursor.ended_ms >= daily_ms && asked == Asked::ByNobody {
            return Ok(false);
        }
        if cursor.page == 0 {
            (cursor.number, cursor.page) = (cursor.number.saturating_add(1), 1);
        }
        self.walk(cursor).await.map(|()| true)
    }

    async fn walk(&self, mut cursor: WalkCursor) -> Result<(), Trouble> {
        let items = self.shared.rules.items.as_ref();
        let shelves = shelf::read((&self.shop, &self.state), items).await?;
        let mut met = Met { shelves, ..Met::default() };
        if !self.shared.rules.goods.variants {
            met.variants = Variants::None;
        }
        loop {
            let page = patiently(|| self.shop.products(cursor.page)).await?;
            let last = page.len() < PAGE_LEN || cursor.page >= PAGES_MAX;
            self.take(page, cursor, &mut met).await?;
            cursor.page = cursor.page.saturating_add(1);
            if last {
                break;
            }
            self.keep(cursor).await?;
        }
        let unknown = self.forget(cursor.number).await?;
        cursor = WalkCursor { page: 0, ended_ms: clock::now().unix_ms(), ..cursor };
        self.keep(cursor).await?;
        let Met { goods, unreadable, .. } = met;
        tracing::info!(goods, unreadable, unknown, "read the shop's goods");
        let missing = afresh::newcomers(&self.state).await?;
        afresh::tiers(&self.state).await?;
        self.shared.note(|standing| {
            (standing.walked_ms, standing.unknown) = (cursor.ended_ms, unknown);
            standing.missing = missing;
        });
        self.shared.bells.send.notify_waiters();
        Ok(())
    }

    async fn keep(&self, cursor: WalkCursor) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        batch.put(rows::cursor(table::WALK_CURSOR), rows::write(&cursor)?);
        commit(&self.state, batch).await
    }

    async fn take(
        &self,
        page: Vec<Entry>,
        cursor: WalkCursor,
        met: &mut Met,
    ) -> Result<(), Trouble> {
        let products = readable(page, met);
        let mut all = products.clone();
        if met.variants == Variants::Asked {
            for product in &products {
                let id = product.place.product;
                let variants = patiently(|| self.shop.variants(id)).await?;
                let Some(variants) = variants else {
                    met.variants = Variants::None;
                    break;
                };
                all.extend(readable(variants, met));
            }
        }
        all.retain(|shown| !shown.sku.is_empty());
        for shown in &mut all {
            let items = self.shared.rules.items.as_ref();
            shown.sheet = items.map(|items| items.compared(&shown.sheet)).unwrap_or_default();
            if shown.place.variant.is_none() {
                met.shelves.complete(&mut shown.sheet, shown.place.product);
            }
        }
        met.goods = met.goods.saturating_add(u64::try_from(all.len()).unwrap_or(u64::MAX));
        self.write_down(&all, cursor.number).await
    }

    async fn write_down(&self, all: &[Shown], walk: u64) -> Result<(), Trouble> {
        let now_ms = clock::now().unix_ms();
        let mut nameless = Vec::new();
        let mut batch = Batch::new();
        for shown in all {
            let key = table::key(table::GOODS, &shown.sku);
            let stored = self.state.get(&key)?;
            let (mut good, differs) = match stored.as_deref().map(rows::read::<Good>).transpose()? {
                Some(mut good) => {
                    let differs = good.seen(shown, walk);
                    (good, differs)
                }
                None => (Good::new(shown, walk), true),
            };
            if good.itno.is_none() {
                good.itno = self.item_named(&shown.sku)?;
                match &good.itno {
                    Some(itno) => {
                        batch.put(table::sku_of_item(itno, &shown.sku), Vec::new());
                    }
                    None => nameless.push(shown.sku.clone()),
                }
            }
            if let Some(itno) = good.itno.as_ref().filter(|_| differs) {
                mark(&mut batch, &self.state, itno.as_str(), now_ms)?;
            }
            batch.expect(key.clone(), stored.as_deref());
            batch.put(key, rows::write(&good)?);
        }
        commit(&self.state, batch).await?;
        self.look_up(nameless, now_ms).await
    }

    /// A SKU that M3 has listed is its own item number.
    fn item_named(&self, sku: &str) -> Result<Option<Itno>, Trouble> {
        let Ok(itno) = Itno::try_from(sku) else { return Ok(None) };
        let tables = [table::BALANCES, table::PRICES, table::ITEMS];
        for table in tables {
            if self.state.get(&table::key(table, sku))?.is_some() {
                return Ok(Some(itno));
            }
        }
        Ok(None)
    }

    /// Looks the rest up among M3's aliases.
    async fn look_up(&self, skus: Vec<String>, now_ms: u64) -> Result<(), Trouble> {
        let calls = mi_items::aliases(&skus, &self.items.alias_categories);
        if calls.is_empty() {
            return Ok(());
        }
        let found = mi_items::aliases_found(&calls, self.ask(&calls).await?)?;
        let mut batch = Batch::new();
        for (sku, itno) in found {
            let key = table::key(table::GOODS, &sku);
            let Some(stored) = self.state.get(&key)? else { continue };
            let good = Good { itno: Some(itno.clone()), ..rows::read::<Good>(&stored)? };
            batch.expect(key.clone(), Some(&stored));
            batch.put(key, rows::write(&good)?);
            batch.put(table::sku_of_item(&itno, &sku), Vec::new());
            mark(&mut batch, &self.state, itno.as_str(), now_ms)?;
        }
        commit(&self.state, batch).await
    }

    async fn ask(&self, calls: &[MiCall]) -> Result<crate::connector::m3::order::Answers, Trouble> {
        Ok(self.m3.bulk(calls, Kind::Read).await?)
    }

    /// Forgets what this walk did not meet and what is not there; counts what M3 does not know.
    async fn forget(&self, walk: u64) -> Result<u64, Trouble> {
        let mut unknown = 0_u64;
        let mut asked: BTreeMap<u64, bool> = BTreeMap::new();
        let mut pages = self.state.pages(rows::table(table::GOODS), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, value) in &page {
                let good: Good = rows::read(value)?;
                let gone = good.walk != walk && !self.is_there(&good, &mut asked).await?;
                if gone {
                    self.drop_good(key, value, &good).await?;
                } else if good.itno.is_none() {
                    unknown = unknown.saturating_add(1);
                }
            }
        }
        Ok(unknown)
    }

    /// Asks a product that was not met whether it is there. A variant is where its product is: one
    /// that was deleted alone answers 404 when it is written, and rests.
    async fn is_there(
        &self,
        good: &Good,
        asked: &mut BTreeMap<u64, bool>,
    ) -> Result<bool, Trouble> {
        let product = good.place.product;
        if let Some(there) = asked.get(&product) {
            return Ok(*there);
        }
        let there = patiently(|| self.shop.product(product)).await?.is_some();
        asked.insert(product, there);
        Ok(there)
    }

    async fn drop_good(&self, key: &[u8], stored: &[u8], good: &Good) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        batch.expect(key, Some(stored));
        batch.delete(key);
        if let (Some(itno), Some(sku)) = (&good.itno, table::name_of(key)) {
            batch.delete(table::sku_of_item(itno, sku));
            batch.delete(table::tiers_of(itno.as_str(), sku));
            let others = self.state.scan(table::skus_of(itno.as_str()), 2)?;
            if self.shared.rules.items.is_some() && others.len() < 2 {
                let newcomer = table::key(table::NEWCOMERS, itno.as_str());
                batch.put(newcomer, rows::write(&Newcomer::gone(sku))?);
            }
            tracing::info!(sku, "the shop does not sell it any more");
        }
        commit(&self.state, batch).await
    }
}

/// Reads again what was lost on its way: a walk has thousands of calls, and one of them must not cost
/// the page.
pub(crate) async fn patiently<T, F>(read: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    again_after(read, |tried, failure| {
        let pause = RetryPolicy::ORDERS.wait_however_long(tried, Jitter(fastrand::u8(..))) / 4;
        let again = tried < TRIES_MAX && failure.fate == Fate::NotDone;
        again.then_some(pause.max(failure.retry_after()))
    })
    .await
}

/// Leaves out what cannot be read, with a word about it.
fn readable(entries: Vec<Entry>, met: &mut Met) -> Vec<Shown> {
    let mut shown = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Entry::Shown(one) => shown.push(one),
            Entry::Unreadable { id, why } => {
                met.unreadable = met.unreadable.saturating_add(1);
                tracing::warn!(id, why, "a product cannot be read");
            }
        }
    }
    shown
}
