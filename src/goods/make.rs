//! Makes a product in the shop for an item that has none and should have one.
//!
//! What this module guarantees:
//! 1. It is on disk that the shop is asked before it is; an answer that was lost is looked for among
//!    the shop's newest products before it is asked again. The shop refuses a SKU that it has.
//! 2. Nothing is made before the shop's goods were read whole once, and nothing for an item that the
//!    shop sells under its number or one of its aliases.
//! 3. A product that a person deleted is not made again.
//! 4. What stands in the way is written down with the item, in words.
//!
//! One lane makes the product of an item, so there is one writer.

use super::{
    Committed, Shared, Trouble,
    article::{self, Article},
    commit_or_not,
    good::{Good, Refused},
    load::Part,
    loader::Leave,
    mark,
    newcomer::{Newcomer, Stage},
    plan::{Plan, Planner},
    row,
    send::{is_for_itself, pause_after},
    table::{self, WalkCursor},
    want::Wants,
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        m3::M3,
        xcart::{
            making::NewProduct,
            products::Shown,
            rest::{PAGE_LEN, Shop},
        },
    },
    delivery::rows,
    ids::Itno,
    state::{Batch, State},
};

/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// Makes products.
#[derive(Debug)]
pub struct Maker {
    shop: Shop,
    state: State,
    shared: Shared,
    planner: Planner,
}

/// What became of an item without a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// There is nothing to do until it changes.
    Nothing,
    /// It is to be looked at again.
    Waits,
    /// The shop refused it, and it is tried again later.
    Refused,
}

/// An item, and its row as it lies on the disk.
struct Item<'a> {
    itno: &'a str,
    stored: Option<Vec<u8>>,
    newcomer: Option<Newcomer>,
}

impl Item<'_> {
    fn key(&self) -> Vec<u8> {
        table::key(table::NEWCOMERS, self.itno)
    }

    fn refusals(&self) -> Option<&Refused> {
        self.newcomer.as_ref().and_then(|newcomer| newcomer.refused.as_ref())
    }

    /// The item cannot have a product; that one may have been made is not forgotten.
    fn not(&self, why: &str) -> Newcomer {
        let before = self.newcomer.as_ref().filter(|before| before.unsure);
        let sku = before.map(|before| before.sku.clone()).unwrap_or_default();
        Newcomer { sku, unsure: before.is_some(), ..Newcomer::without(why) }
    }

    fn unsure(&self) -> bool {
        self.newcomer.as_ref().is_some_and(|newcomer| newcomer.unsure)
    }
}

impl Maker {
    /// Prepares to make; nothing is sent. Aliases of these categories are SKUs, too.
    pub fn new(
        shop: Shop,
        m3: M3,
        (state, shared): (State, Shared),
        categories: Vec<String>,
    ) -> Self {
        let planner = Planner { m3, state: state.clone(), categories };
        Self { shop, state, shared, planner }
    }

    fn item<'a>(&self, itno: &'a str) -> Result<Item<'a>, Trouble> {
        let stored = self.state.get(&table::key(table::NEWCOMERS, itno))?;
        let newcomer = stored.as_deref().map(rows::read).transpose()?;
        Ok(Item { itno, stored, newcomer })
    }

    /// Ends the wait of an item that has a SKU by now; says whether anything was written.
    pub(super) async fn welcome(
        &self,
        itno: &str,
        goods: &[(String, Good)],
    ) -> Result<Made, Trouble> {
        let item = self.item(itno)?;
        let Some(newcomer) = &item.newcomer else { return Ok(Made::Nothing) };
        let mut batch = Batch::new();
        batch.expect(item.key(), item.stored.as_deref());
        batch.delete(item.key());
        let ours = newcomer.unsure || newcomer.stage == Stage::Sent;
        for (sku, _) in goods.iter().filter(|(sku, _)| ours && *sku == newcomer.sku) {
            let key = table::key(table::GOODS, sku);
            let Some(stored) = self.state.get(&key)? else { continue };
            let mut good: Good = rows::read(&stored)?;
            if good.card.given.is_empty() {
                self.is_ours(&mut good);
                batch.expect(key.clone(), Some(&stored));
                batch.put(key, rows::write(&good)?);
            }
        }
        commit_or_not(&self.state, batch).await?;
        Ok(Made::Waits)
    }

    /// Notes of a product that it was made here, as it is now.
    fn is_ours(&self, good: &mut Good) {
        let create = self.shared.rules.items.as_ref().and_then(|items| items.create.as_ref());
        good.card.hidden = !create.is_some_and(|create| create.enabled);
        good.card.given = good.card.has.clone();
    }

    /// Makes a product for an item without one, if it should have one.
    pub(super) async fn consider(
        &self,
        itno: &str,
        wants: &Wants,
        leave: &Leave,
    ) -> Result<Made, Trouble> {
        let items = self.shared.rules.items.as_ref();
        let Some((items, create)) = items.and_then(|items| Some((items, items.create.as_ref()?)))
        else {
            return Ok(Made::Nothing);
        };
        let item = self.item(itno)?;
        let stage = item.newcomer.as_ref().map(|newcomer| newcomer.stage);
        if stage == Some(Stage::Gone) {
            return Ok(Made::Nothing);
        }
        let article: Article =
            row(&self.state, &table::key(table::ITEMS, itno))?.unwrap_or_default();
        let fits = !article.is_empty() && article::fits(&article, create);
        if !fits && stage != Some(Stage::Sent) {
            let why = "it is not one of those that get a product any more";
            let left = item.unsure().then(|| item.not(why));
            return self.note(&item, left).await;
        }
        let walked: Option<WalkCursor> = row(&self.state, &rows::cursor(table::WALK_CURSOR))?;
        if walked.is_none_or(|walked| walked.ended_ms == 0) {
            return Ok(Made::Waits);
        }
        if let Some(newcomer) =
            item.newcomer.as_ref().filter(|one| one.rests(clock::now().unix_ms()))
        {
            return Ok(if newcomer.stage == Stage::Sent { Made::Waits } else { Made::Refused });
        }
        if let (Some(Stage::Sent), Some(newcomer)) = (stage, &item.newcomer) {
            return self.look(&item, newcomer).await;
        }
        match self.planner.plan(itno, &article, (items, create), wants).await? {
            Plan::Later => Ok(Made::Waits),
            Plan::Sold(sku) => self.link(itno, &sku).await,
            Plan::Not(why) => self.note(&item, Some(item.not(&why))).await,
            Plan::Make(new) if !leave.allows(Part::Items) => {
                let unsure = item.unsure();
                self.note(&item, Some(Newcomer { unsure, ..Newcomer::wanted(&new.sku) })).await
            }
            Plan::Make(new) => self.make(item, &new).await,
        }
    }

    /// Writes down how an item stands, or that nothing is to be said of it.
    async fn note(&self, item: &Item<'_>, newcomer: Option<Newcomer>) -> Result<Made, Trouble> {
        if newcomer == item.newcomer {
            return Ok(Made::Nothing);
        }
        let mut batch = Batch::new();
        batch.expect(item.key(), item.stored.as_deref());
        match newcomer {
            Some(newcomer) => batch.put(item.key(), rows::write(&newcomer)?),
            None => batch.delete(item.key()),
        };
        match commit_or_not(&self.state, batch).await? {
            Committed::Yes => Ok(Made::Nothing),
            Committed::Not => Ok(Made::Waits),
        }
    }

    /// Joins an item with a SKU that was nobody's.
    async fn link(&self, itno: &str, sku: &str) -> Result<Made, Trouble> {
        let (key, Ok(itno)) = (table::key(table::GOODS, sku), Itno::try_from(itno)) else {
            return Ok(Made::Nothing);
        };
        let Some(stored) = self.state.get(&key)? else { return Ok(Made::Waits) };
        let good = Good { itno: Some(itno.clone()), ..rows::read::<Good>(&stored)? };
        let mut batch = Batch::new();
        batch.expect(key.clone(), Some(&stored));
        batch.put(key, rows::write(&good)?);
        batch.put(table::sku_of_item(&itno, sku), Vec::new());
        mark(&mut batch, &self.state, itno.as_str(), clock::now().unix_ms())?;
        commit_or_not(&self.state, batch).await?;
        Ok(Made::Waits)
    }

    /// Asks the shop, once that is on disk.
    async fn make(&self, item: Item<'_>, new: &NewProduct) -> Result<Made, Trouble> {
        let asked = Newcomer {
            stage: Stage::Sent,
            unsure: item.unsure(),
            refused: item.refusals().cloned(),
            ..Newcomer::wanted(&new.sku)
        };
        let asked_row = rows::write(&asked)?;
        let mut batch = Batch::new();
        batch.expect(item.key(), item.stored.as_deref());
        batch.put(item.key(), asked_row.clone());
        if commit_or_not(&self.state, batch).await? == Committed::Not {
            return Ok(Made::Waits);
        }
        let item = Item { stored: Some(asked_row), newcomer: Some(asked), ..item };
        match self.shop.make_product(new).await {
            Ok(shown) => self.adopt(&item, &shown).await,
            Err(failure) => self.failed(&item, failure).await,
        }
    }

    /// Writes down that the shop did not make it, or that nobody knows.
    async fn failed(&self, item: &Item<'_>, failure: Failure) -> Result<Made, Trouble> {
        let (itno, why) = (item.itno, failure.to_string());
        let Some(asked) = item.newcomer.clone() else { return Ok(Made::Waits) };
        let now_ms = clock::now().unix_ms();
        let pause = pause_after(&failure, Refused::times(item.refusals()));
        let again_ms = now_ms.saturating_add(clock::millis(pause));
        let refused = Some(Refused::again(item.refusals(), &why, (now_ms, again_ms)));
        let lost = failure.fate == Fate::Unknown;
        let stage = if lost { Stage::Sent } else { Stage::Wanted };
        let unsure = asked.unsure || lost;
        self.note(item, Some(Newcomer { stage, unsure, refused, ..asked })).await?;
        if failure.class == Class::Exists {
            // Somebody made it since the shop was read, or we did: the shop's list tells.
            self.shared.bells.walk.notify_one();
        }
        if is_for_itself(&failure) && !lost {
            tracing::warn!(itno, why, "the shop refuses a new product");
            return Ok(Made::Refused);
        }
        tracing::debug!(itno, why, lost, "the shop did not say that it made a product");
        if self.shop.closed_for().is_some() { Err(failure.into()) } else { Ok(Made::Waits) }
    }

    /// Looks for a product that was asked for and of which nobody heard.
    async fn look(&self, item: &Item<'_>, newcomer: &Newcomer) -> Result<Made, Trouble> {
        match self.shop.newest_with(&newcomer.sku, self.page_before_last()?).await {
            Ok(Some(shown)) => self.adopt(item, &shown).await,
            Ok(None) => {
                let again = Newcomer { stage: Stage::Wanted, unsure: true, ..newcomer.clone() };
                self.note(item, Some(again)).await?;
                Ok(Made::Waits)
            }
            Err(failure) if self.shop.closed_for().is_none() => {
                tracing::debug!(itno = item.itno, why = %failure, "could not look for a product");
                Ok(Made::Waits)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// A page of the shop's list that is not behind its last one, by what is known of the shop.
    fn page_before_last(&self) -> Result<u32, Trouble> {
        let mut products = 0_usize;
        let mut pages = self.state.pages(rows::table(table::GOODS), ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (_, value) in &page {
                let good: Good = rows::read(value)?;
                products = products.saturating_add(usize::from(good.place.variant.is_none()));
            }
        }
        Ok(u32::try_from(products / PAGE_LEN).unwrap_or(u32::MAX))
    }

    /// Takes a product in that was made here.
    async fn adopt(&self, item: &Item<'_>, shown: &Shown) -> Result<Made, Trouble> {
        let (Some(items), Ok(itno)) = (&self.shared.rules.items, Itno::try_from(item.itno)) else {
            return Ok(Made::Nothing);
        };
        let mut good =
            Good::new(&Shown { sheet: items.compared(&shown.sheet), ..shown.clone() }, 0);
        good.itno = Some(itno.clone());
        self.is_ours(&mut good);
        let key = table::key(table::GOODS, &shown.sku);
        let mut batch = Batch::new();
        batch.expect(key.clone(), None);
        batch.put(key, rows::write(&good)?);
        batch.put(table::sku_of_item(&itno, &shown.sku), Vec::new());
        batch.expect(item.key(), item.stored.as_deref());
        batch.delete(item.key());
        mark(&mut batch, &self.state, itno.as_str(), clock::now().unix_ms())?;
        if commit_or_not(&self.state, batch).await? == Committed::Yes {
            let (sku, product) = (&shown.sku, shown.place.product);
            tracing::info!(itno = item.itno, sku, product, "a product was made");
            self.shared.note(|standing| standing.made = standing.made.saturating_add(1));
        }
        Ok(Made::Waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connector::xcart::{
            products::Place,
            sheet::{Field, Sheet},
        },
        goods::rules,
        secret::Secret,
        state::{Committer, Config},
    };

    fn maker(folder: &std::path::Path) -> (Maker, Committer) {
        let (state, committer) = State::open(folder, &Config::house()).unwrap();
        let secret = Secret::new("s");
        let shop = "base_url = \"https://127.0.0.1:9\"\ncredential = \"s\"";
        let shop = Shop::new(toml::from_str(shop).unwrap(), &secret).unwrap();
        let m3 = "company = 1\ndivision = \"\"\n[login.basic]\nbase_url = \"https://127.0.0.1:9\"\nuser = \"u\"\ncredential = \"s\"";
        let m3 = M3::new(toml::from_str(m3).unwrap(), &secret).unwrap();
        let items =
            "mode = \"write\"\nupdate = [\"enabled\"]\ncreate = { where = { STAT = [\"20\"] } }";
        let (goods, items) = (rules::Goods::default(), toml::from_str(items).ok());
        let rules = rules::Rules { goods, stock: None, prices: None, items };
        (Maker::new(shop, m3, (state, Shared::new(rules)), Vec::new()), committer)
    }

    fn good(sku: &str) -> (String, Good) {
        let sheet = Sheet::from([(Field::Enabled, "false".to_owned())]);
        let place = Place { product: 1, variant: None };
        let (sku, counted) = (sku.to_owned(), true);
        let shown = Shown { place, sku, amount: Some(0), counted, price: None, sheet };
        (shown.sku.clone(), Good::new(&shown, 1))
    }

    #[tokio::test]
    async fn a_product_that_the_walk_finds_first_is_ours_only_if_the_shop_was_asked_for_it() {
        let sent = Newcomer { stage: Stage::Sent, ..Newcomer::wanted("A") };
        let unsure = Newcomer { unsure: true, ..Newcomer::without("the shop said no") };
        let table = [
            (sent, true),
            (Newcomer { sku: "A".to_owned(), ..unsure.clone() }, true),
            (Newcomer { sku: "B".to_owned(), ..unsure }, false),
            (Newcomer::wanted("A"), false),
            (Newcomer::gone("A"), false),
        ];
        for (newcomer, ours) in table {
            let folder = tempfile::tempdir().unwrap();
            let (maker, _committer) = maker(folder.path());
            let goods = [good("A")];
            let mut batch = Batch::new();
            let key = table::key(table::GOODS, "A");
            batch.put(key.clone(), rows::write(&goods[0].1).unwrap());
            let waits = table::key(table::NEWCOMERS, "ITEM");
            batch.put(waits.clone(), rows::write(&newcomer).unwrap());
            maker.state.commit(batch).await.unwrap();
            assert_eq!(maker.welcome("ITEM", &goods).await.unwrap(), Made::Waits);
            assert_eq!(maker.state.get(&waits).unwrap(), None, "it has a product");
            let after: Good = row(&maker.state, &key).unwrap().unwrap();
            let given = after.card.given == after.card.has;
            assert_eq!((after.card.hidden, given), (ours, ours), "{newcomer:?}");
            assert_eq!(maker.welcome("ITEM", &goods).await.unwrap(), Made::Nothing);
        }
    }
}
