//! Reads the shop's orders of the last days and compares each with M3.
//!
//! Guarantees: nothing is written to either system; the newest change is read first, so that an order
//! which changes meanwhile is met twice and not passed over; pages and orders have limits.

use super::{InM3, Known, Verdict, What, judge, row::Row};
use crate::{
    connector::{
        Failure, Kind,
        m3::{M3, compare},
        xcart::{
            docs::Ability,
            rest::{Filter, OrdersQuery, PAGE_LEN, Shop, Sort},
            wire::OrderOnPage,
        },
    },
    control::{self, ControlError},
    delivery::desk::{Ask, Reply, Shown},
    flow::rules::Rules,
    ids::{Cuno, OrderKey, Orno},
    order::Order,
};
use std::{collections::HashSet, path::Path, time::Duration};
use thiserror::Error;

/// Orders asked of M3 in one go.
const ORDERS_AT_ONCE: usize = 10;
/// Pages read in one walk.
pub const PAGES_MAX: u32 = 1_000;

/// Why a walk ended early. The text continues "could not compare: ".
#[derive(Debug, Error)]
pub enum WalkError {
    /// The shop.
    #[error("the shop did not list its orders: {0}")]
    Shop(Failure),
    /// The gateway.
    #[error("the running gateway was not reached")]
    Gateway(#[from] ControlError),
}

/// What is walked with.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    /// One side.
    pub shop: &'a Shop,
    /// The other.
    pub m3: &'a M3,
    /// Where the gateway is asked.
    pub state_dir: &'a Path,
    /// How orders are taken over.
    pub rules: &'a Rules,
    /// Orders changed since then, in seconds since 1970.
    pub since_s: i64,
    /// The rest between two pages.
    pub rest: Duration,
}

/// An order of the shop with what is known of it.
struct Met {
    order: Box<Order>,
    key: OrderKey,
    known: Option<Box<Shown>>,
}

impl Walk<'_> {
    /// Compares; `found` is given each order, `read` how many there were after each page.
    ///
    /// Returns whether all were read: no more than [`PAGES_MAX`] pages are.
    pub async fn run(
        &self,
        mut found: impl FnMut(Row),
        mut read: impl FnMut(usize),
    ) -> Result<bool, WalkError> {
        let probe = self.shop.probe().await.map_err(WalkError::Shop)?;
        let filters = probe.can(Ability::FilterByChange);
        let filter = if filters { Filter::LastRenewDate } else { Filter::None };
        let mut met = HashSet::new();
        for page in 1..=PAGES_MAX {
            let sort = Sort::NewestFirst;
            let query = OrdersQuery { after_s: self.since_s, filter, sort, page };
            let orders = self.shop.orders_whole(query).await.map_err(WalkError::Shop)?;
            let is_last = orders.len() < PAGE_LEN || orders.iter().all(|order| self.is_old(order));
            let fresh = orders.into_iter().filter(|order| !self.is_old(order));
            let fresh: Vec<_> =
                fresh.filter(|order| order.id().is_none_or(|id| met.insert(id))).collect();
            self.compare(fresh, &mut found).await?;
            read(met.len());
            if is_last {
                return Ok(true);
            }
            tokio::time::sleep(self.rest).await;
        }
        Ok(false)
    }

    fn is_old(&self, order: &OrderOnPage) -> bool {
        order.updated_s().is_some_and(|at| at < self.since_s)
    }

    async fn compare(
        &self,
        orders: Vec<OrderOnPage>,
        found: &mut impl FnMut(Row),
    ) -> Result<(), WalkError> {
        let mut here = Vec::new();
        for order in orders {
            match order {
                OrderOnPage::Order(order) => {
                    let key = OrderKey::of(&self.rules.shop_prefix, &order.number);
                    let known = self.known(&key).await?;
                    here.push(Met { order, key, known });
                }
                OrderOnPage::Unreadable { id, why, .. } => found(unreadable(id, why)),
                // Older than what was asked for, or it would have been read.
                OrderOnPage::Glimpse { .. } => {}
            }
        }
        for some in here.chunks(ORDERS_AT_ONCE) {
            for (met, in_m3) in some.iter().zip(self.in_m3(some).await) {
                found(self.row(met, in_m3.as_ref()));
            }
        }
        Ok(())
    }

    /// Asks the gateway; none when it has not heard of the order.
    async fn known(&self, key: &OrderKey) -> Result<Option<Box<Shown>>, WalkError> {
        let ask = Ask::Find { key: key.as_str().to_owned() };
        let reply = control::ask(self.state_dir, &ask).await?;
        Ok(if let Reply::Shown(shown) = reply { Some(shown) } else { None })
    }

    /// Asks M3 for those whose number is known.
    async fn in_m3(&self, some: &[Met]) -> Vec<Option<InM3>> {
        let numbers: Vec<_> = some.iter().map(Met::numbers).collect();
        let asked = numbers.iter().flatten();
        let calls: Vec<_> = asked.flat_map(|(orno, cuno)| compare::read(orno, cuno)).collect();
        let mut answers = match self.m3.bulk(&calls, Kind::Read).await {
            Ok(answers) => answers.into_iter(),
            Err(failure) => {
                let why = InM3::Unanswered(failure.to_string());
                return numbers.iter().map(|known| known.as_ref().map(|_| why.clone())).collect();
            }
        };
        let mut in_m3 = Vec::with_capacity(some.len());
        for (met, known) in some.iter().zip(&numbers) {
            in_m3.push(known.as_ref().map(|(orno, _)| {
                let own = answers.by_ref().take(compare::CALLS).collect();
                compare::understood(own, orno, &met.key)
            }));
        }
        in_m3
    }

    fn row(&self, met: &Met, in_m3: Option<&InM3>) -> Row {
        let Met { order, key, known } = met;
        let told = known.as_ref().map(|shown| Known {
            stage: shown.stage.clone(),
            cause: shown.cause.as_ref().or(shown.attention.as_ref()).map(ToString::to_string),
            waits: shown.waits.clone(),
        });
        let verdict = judge(order, told.as_ref(), in_m3, self.rules);
        Row {
            what: What::Orders,
            id: order.id,
            key: key.as_str().to_owned(),
            orno: known.as_ref().and_then(|shown| shown.orno.clone()).unwrap_or_default(),
            total: format!("{} {}", order.total, order.currency),
            verdict: verdict.name().to_owned(),
            text: verdict.text().to_owned(),
            repair: verdict.repair(key.as_str()),
            differs: verdict.is_difference(),
        }
    }
}

impl Met {
    /// M3's numbers of the order and its customer, if the gateway knows both.
    fn numbers(&self) -> Option<(Orno, Cuno)> {
        let shown = self.known.as_ref()?;
        let orno = Orno::try_from(shown.orno.clone()?).ok()?;
        let cuno = Cuno::try_from(shown.cuno.clone()?).ok()?;
        Some((orno, cuno))
    }
}

fn unreadable(id: Option<u64>, why: String) -> Row {
    let verdict = Verdict::Unreadable(why);
    Row {
        what: What::Orders,
        id: id.unwrap_or(0),
        key: String::new(),
        orno: String::new(),
        total: String::new(),
        verdict: verdict.name().to_owned(),
        text: verdict.text().to_owned(),
        repair: verdict.repair(""),
        differs: true,
    }
}
