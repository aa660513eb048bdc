//! What people may ask of the goods, and the answers.
//!
//! Guarantees: an answer reads and changes nothing; a list comes in parts of bounded size.

use super::{
    Shared,
    good::{Balances, Good},
    table,
};
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
    /// Reads M3's balances and the shop's goods anew.
    Refresh,
}

/// Which goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only {
    /// All.
    All,
    /// Those of which the shop has another number than it should.
    Differing,
    /// Those that M3 does not know.
    Unknown,
    /// Those that the shop refused.
    Refused,
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
}

/// How the flow stands, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Whether the shop is written to.
    pub writes: bool,
    /// Seconds since M3 was asked; none if never since the start.
    pub polled_s: Option<u64>,
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
}

/// One SKU in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// SKU.
    pub sku: String,
    /// ITNO, if M3 knows it.
    pub itno: Option<String>,
    /// X-Cart's `product_id`.
    pub product: u64,
    /// The variant's id, if it is one.
    pub variant: Option<u64>,
    /// Pieces the shop has.
    pub has: Option<u64>,
    /// Pieces it should have.
    pub wants: Option<u64>,
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
    /// Pieces that are never sold.
    pub safety: String,
    /// Pieces that were ordered and are not in M3 yet.
    pub held: u64,
    /// Whether it waits to be compared or written.
    pub is_due: bool,
}

/// Answers; the outer error is a sentence for the person.
pub fn answer(state: &State, shared: &Shared, ask: &Ask) -> Result<Reply, String> {
    let unread = |fault: CaseError| format!("could not read the state: {fault}");
    match ask {
        Ask::Standing => Ok(Reply::Standing(standing(shared))),
        Ask::List { only, after } => list(state, *only, after.as_deref()).map_err(unread),
        Ask::Show { sku } => match show(state, shared, sku).map_err(unread)? {
            Some(shown) => Ok(Reply::Shown(Box::new(shown))),
            None => Err(format!("the shop has no SKU {sku}, as far as its goods were read")),
        },
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
    Told {
        writes: shared.rules.mode == super::rules::Mode::Write,
        polled_s: ago(standing.polled_ms),
        walked_s: ago(standing.walked_ms),
        waiting: standing.waiting,
        oldest_s: standing.waiting_since_ms.and_then(ago).unwrap_or(0),
        refused: standing.refused,
        unknown: standing.unknown,
        written: standing.written,
    }
}

fn list(state: &State, only: Only, after: Option<&str>) -> Result<Reply, CaseError> {
    let mut range = match after {
        Some(sku) => rows::table_after(table::GOODS, &table::key(table::GOODS, sku)),
        None => rows::table(table::GOODS),
    };
    let (mut goods, mut looked) = (Vec::new(), 0_usize);
    loop {
        let page = state.scan(range, ROWS_MAX)?;
        for (key, value) in &page {
            let Some(sku) = table::name_of(key) else { continue };
            let good: Good = rows::read(value)?;
            looked = looked.saturating_add(1);
            if only.takes(&good) {
                goods.push(line(sku, &good));
            }
            if goods.len() >= LISTED_MAX || looked >= LOOKED_MAX {
                return Ok(Reply::Listed { goods, after: Some(sku.to_owned()) });
            }
        }
        match page.last() {
            Some((key, _)) if page.len() == ROWS_MAX => {
                range = rows::table_after(table::GOODS, key);
            }
            Some(_) | None => return Ok(Reply::Listed { goods, after: None }),
        }
    }
}

impl Only {
    fn takes(self, good: &Good) -> bool {
        match self {
            Self::All => true,
            Self::Differing => good.differs(),
            Self::Unknown => good.itno.is_none(),
            Self::Refused => good.refused.is_some(),
        }
    }
}

fn line(sku: &str, good: &Good) -> Line {
    let note = match (&good.refused, &good.itno) {
        (Some(refused), _) => {
            format!("the shop refused it {} times: {}", refused.times, refused.text)
        }
        (None, None) => "M3 knows neither an item nor an alias of this name".to_owned(),
        (None, Some(_)) if good.wants.is_none() => {
            "M3 lists no balance of it in these warehouses".to_owned()
        }
        (None, Some(_)) if !good.counted => "the shop does not count its pieces".to_owned(),
        (None, Some(_)) => String::new(),
    };
    Line {
        sku: sku.to_owned(),
        itno: good.itno.as_ref().map(|itno| itno.as_str().to_owned()),
        product: good.place.product,
        variant: good.place.variant,
        has: good.has,
        wants: good.wants,
        note,
    }
}

fn show(state: &State, shared: &Shared, sku: &str) -> Result<Option<Shown>, CaseError> {
    let Some(stored) = state.get(&table::key(table::GOODS, sku))? else { return Ok(None) };
    let good: Good = rows::read(&stored)?;
    let itno = good.itno.as_ref().map_or("", |itno| itno.as_str());
    let balances = state.get(&table::key(table::BALANCES, itno))?;
    let balances = balances.as_deref().map(rows::read::<Balances>).transpose()?.unwrap_or_default();
    let held = state.get(&table::key(table::HELD, sku))?;
    let held = held.as_deref().map(rows::read::<u64>).transpose()?.unwrap_or(0);
    let is_due = state.get(&table::key(table::DUE, itno))?.is_some();
    let balances = balances.into_iter().map(|(whlo, quantity)| (whlo, quantity.to_mi()));
    Ok(Some(Shown {
        line: line(sku, &good),
        balances: balances.collect(),
        safety: shared.rules.safety_of(itno).to_mi(),
        held,
        is_due,
    }))
}
