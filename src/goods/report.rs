//! What people may ask of the goods, and the answers.
//!
//! Guarantees: an answer reads and changes nothing, but for the one that a product was asked for with;
//! a list comes in parts of bounded size.

mod items;
pub mod load;
mod seen;
pub mod survey;

use self::seen::Eyes;
use super::{Shared, good::Balances, held, price, rules::Mode, table};
use crate::{
    clock,
    delivery::{cases::CaseError, rows},
    state::State,
};
use serde::{Deserialize, Serialize};

/// Goods in one part of a list.
const LISTED_MAX: usize = 200;
/// Rows looked through for one part.
const LOOKED_MAX: usize = 20_000;
/// Rows read in one go.
const ROWS_MAX: usize = 256;

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// How the flow stands.
    Standing,
    /// Lists goods behind a SKU.
    List {
        /// Which.
        only: Only,
        /// Behind this one; from the beginning when none.
        after: Option<String>,
    },
    /// Shows one.
    Show {
        /// The shop's SKU.
        sku: String,
    },
    /// Reads M3's lists and the shop's goods anew.
    Refresh,
    /// About the initial load.
    Load(load::Ask),
    /// Makes the product of an item that was deleted in the shop, or tries again.
    Make {
        /// ITNO.
        itno: String,
    },
}

/// Which goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only {
    /// All.
    All,
    /// Those of which the shop has something else than it should.
    Differing,
    /// Those that M3 does not know.
    Unknown,
    /// Those that the shop refused, or of which it is not clear what they should say.
    Refused,
    /// Items that have no product and should have one, or had one.
    Missing,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// How it stands.
    Standing(Told),
    /// A part of a list.
    Listed {
        /// The goods.
        goods: Vec<Line>,
        /// Where the next part begins, if there may be one.
        after: Option<String>,
    },
    /// One.
    Shown(Box<Shown>),
    /// It was begun.
    Begun,
    /// A part of what a load would do.
    Planned(survey::Page),
    /// How a load stands.
    Load(Box<load::Told>),
}

/// How the flow stands, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The flows that are on.
    pub flows: Vec<FlowTold>,
    /// Seconds since the shop's goods were read to the end; none if never.
    pub walked_s: Option<u64>,
    /// Items that wait.
    pub waiting: u64,
    /// Seconds that the oldest of them does.
    pub oldest_s: u64,
    /// Goods whose write the shop refuses.
    pub refused: u64,
    /// Goods that M3 does not know.
    pub unknown: u64,
    /// Writes since the start.
    pub written: u64,
    /// Items without a product; none if none are made.
    pub missing: Option<u64>,
    /// Products made since the start.
    pub made: u64,
    /// Whether wholesale prices are wanted and the shop has none at all.
    pub no_wholesale: bool,
}

/// How one flow stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowTold {
    /// `stock`, `prices` or `items`.
    pub name: String,
    /// Whether the shop is written to.
    pub writes: bool,
    /// Seconds since M3 was asked; none if never since the start.
    pub polled_s: Option<u64>,
}

/// One SKU in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// SKU.
    pub sku: String,
    /// ITNO, if M3 knows it.
    pub itno: Option<String>,
    /// X-Cart's `product_id`; none for an item without a product.
    pub product: Option<u64>,
    /// The variant's id, if it is one.
    pub variant: Option<u64>,
    /// Pieces the shop has.
    pub has: Option<u64>,
    /// Pieces it should have.
    pub wants: Option<u64>,
    /// The price the shop has.
    pub has_price: Option<String>,
    /// The price it should have.
    pub wants_price: Option<String>,
    /// What the product is to say of itself instead of what it says; empty if nothing else.
    pub changes: String,
    /// What is wrong, in words; empty if nothing is.
    pub note: String,
}

/// One SKU with where its number comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// What a list shows.
    pub line: Line,
    /// M3's figure by warehouse.
    pub balances: Vec<(String, String)>,
    /// M3's prices: from, to (0: no end), from so many pieces on, price, for so many, with VAT or not.
    pub prices: Vec<PriceLine>,
    /// Pieces that are never sold.
    pub safety: String,
    /// Pieces that were ordered and are not in M3 yet.
    pub held: u64,
    /// What M3 says of the item: field and value.
    pub article: Vec<(String, String)>,
    /// What the product says of itself: field, what the shop has, what it should have.
    pub card: Vec<(String, String, String)>,
    /// Wholesale prices: for what, what the shop has, what it should have.
    pub tiers: Vec<(String, String, String)>,
    /// Whether it waits to be compared or written.
    pub is_due: bool,
}

/// One price of M3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceLine {
    /// PRRF.
    pub list: String,
    /// FVDT.
    pub from: u32,
    /// LVDT; 0 for no end.
    pub to: u32,
    /// From so many pieces on.
    pub quantity: String,
    /// SAPR.
    pub price: String,
    /// For so many pieces.
    pub per: u32,
    /// Whether it contains VAT.
    pub gross: bool,
}

/// Answers; the outer error is a sentence for the person.
pub async fn answer(state: &State, shared: &Shared, ask: &Ask) -> Result<Reply, String> {
    let unread = |fault: CaseError| format!("could not read the state: {fault}");
    match ask {
        Ask::Standing => Ok(Reply::Standing(standing(shared))),
        Ask::List { only: Only::Missing, after } => {
            items::missing(state, after.as_deref()).map_err(unread)
        }
        Ask::List { only, after } => {
            list(state, (*only, Eyes::of(&shared.rules)), after.as_deref()).map_err(unread)
        }
        Ask::Show { sku } => {
            let shown = show(state, shared, sku).map_err(unread)?;
            let shown = match shown {
                Some(shown) => Some(shown),
                None => items::show(state, sku).map_err(unread)?,
            };
            match shown {
                Some(shown) => Ok(Reply::Shown(Box::new(shown))),
                None => Err(format!("the shop has no SKU {sku}, as far as its goods were read")),
            }
        }
        Ask::Load(ask) => load::answer(state, shared, ask).await,
        Ask::Make { itno } => items::make(state, shared, itno).await.map(|()| Reply::Begun),
        Ask::Refresh => {
            shared.bells.full.notify_one();
            shared.bells.walk.notify_one();
            Ok(Reply::Begun)
        }
    }
}

fn standing(shared: &Shared) -> Told {
    let now_ms = clock::now().unix_ms();
    let standing = *shared.standing.borrow();
    let ago = |at_ms: u64| (at_ms > 0).then(|| now_ms.saturating_sub(at_ms) / 1_000);
    let flow = |name: &str, mode: Mode, at_ms: u64| FlowTold {
        name: name.to_owned(),
        writes: mode == Mode::Write,
        polled_s: ago(at_ms),
    };
    let rules = &shared.rules;
    let stock = rules.stock.as_ref().map(|stock| flow("stock", stock.mode, standing.stock_ms));
    let prices = rules.prices.as_ref();
    let prices = prices.map(|prices| flow("prices", prices.mode, standing.prices_ms));
    let items = rules.items.as_ref();
    let makes = items.is_some_and(|items| items.create.is_some());
    let items = items.map(|items| flow("items", items.mode, standing.items_ms));
    Told {
        flows: stock.into_iter().chain(prices).chain(items).collect(),
        walked_s: ago(standing.walked_ms),
        waiting: standing.waiting,
        oldest_s: standing.waiting_since_ms.and_then(ago).unwrap_or(0),
        refused: standing.refused,
        unknown: standing.unknown,
        written: standing.written,
        missing: makes.then_some(standing.missing),
        made: standing.made,
        no_wholesale: standing.no_wholesale,
    }
}

fn list(
    state: &State,
    (only, eyes): (Only, Eyes),
    after: Option<&str>,
) -> Result<Reply, CaseError> {
    let range = match after {
        Some(sku) => rows::table_after(table::GOODS, &table::key(table::GOODS, sku)),
        None => rows::table(table::GOODS),
    };
    let (mut goods, mut looked) = (Vec::new(), 0_usize);
    let mut pages = state.pages(range, ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            let Some(sku) = table::name_of(key) else { continue };
            let seen = eyes.see(state, (sku, value))?;
            looked = looked.saturating_add(1);
            if only.takes(&seen) {
                goods.push(seen.line(sku));
            }
            if goods.len() >= LISTED_MAX || looked >= LOOKED_MAX {
                return Ok(Reply::Listed { goods, after: Some(sku.to_owned()) });
            }
        }
    }
    Ok(Reply::Listed { goods, after: None })
}

fn show(state: &State, shared: &Shared, sku: &str) -> Result<Option<Shown>, CaseError> {
    let Some(stored) = state.get(&table::key(table::GOODS, sku))? else { return Ok(None) };
    let seen = Eyes::of(&shared.rules).see(state, (sku, &stored))?;
    let good = &seen.good;
    let itno = good.itno.as_ref().map_or("", |itno| itno.as_str());
    let balances = state.get(&table::key(table::BALANCES, itno))?;
    let balances = balances.as_deref().map(rows::read::<Balances>).transpose()?.unwrap_or_default();
    let held = held::pieces(state, sku)?;
    let is_due = state.get(&table::key(table::DUE, itno))?.is_some();
    let balances = balances.into_iter().map(|(whlo, quantity)| (whlo, quantity.to_mi()));
    let lists = state.get(&table::key(table::PRICES, itno))?;
    let lists = lists.as_deref().map(rows::read::<price::Lists>).transpose()?.unwrap_or_default();
    let prices = lists.iter().flat_map(|(list, listed)| {
        listed.iter().map(|((from, quantity), valid)| PriceLine {
            list: list.clone(),
            from: *from,
            to: valid.to,
            quantity: quantity.to_mi(),
            price: valid.price.to_mi(),
            per: valid.per,
            gross: valid.gross,
        })
    });
    let safety = shared.rules.stock.as_ref().map(|stock| stock.safety_of(itno));
    Ok(Some(Shown {
        line: seen.line(sku),
        balances: balances.collect(),
        prices: prices.collect(),
        safety: safety.unwrap_or_default().to_mi(),
        held,
        article: items::article(state, itno)?,
        card: items::card(&good.card),
        tiers: seen.ladder.table(),
        is_due,
    }))
}
