//! Pages of the shop's orders (reference/xcart.md 2.3 and 3.1).
//!
//! Guarantees: an order that breaks its page is stepped over and not the page; a call that fails for
//! another reason is repeated, or fails the whole page.

use super::{Filter, OrdersQuery, PAGE_LEN, Shop, Sort, unreadable};
use crate::connector::{
    Class, Failure, again_after,
    loose::encode,
    xcart::wire::{self, OrderOnPage},
};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Orders in one part of a page that cannot be read whole.
const PART_LEN: usize = 10;
/// Tries of a part or a single order that fails with 500: it is the order, not the moment.
const BROKEN_TRIES_MAX: u32 = 4;
/// Tries of one that fails for another reason that passes.
const PASSING_TRIES_MAX: u32 = 8;
/// First pause between two tries; it doubles four times.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

impl Shop {
    /// Reads one page of orders. It is the last one when it is shorter than [`PAGE_LEN`].
    ///
    /// A shop of 5.0 to 5.4 lists its orders without their lines: they come as glimpses.
    pub async fn orders_changed(&self, query: OrdersQuery) -> Result<Vec<OrderOnPage>, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_changed(query)).await;
        }
        let answer = self.get(&orders_target(&query, PAGE_LEN, query.page)).await?;
        wire::page(&answer.body, &self.0.fields).map_err(|why| unreadable(&answer, &why))
    }

    /// Reads when the shop last changed an order, in seconds since 1970; none if that order, or
    /// its date, cannot be read.
    pub async fn newest_change(&self) -> Result<Option<i64>, Failure> {
        let sort = Sort::NewestFirst;
        let query = OrdersQuery { after_s: 0, filter: Filter::None, sort, page: 1 };
        if self.is_legacy().await? {
            let newest = Box::pin(self.legacy_changed(query)).await?;
            return Ok(newest.first().and_then(OrderOnPage::updated_s));
        }
        match self.page_patiently(&orders_target(&query, 1, 1)).await {
            Ok(found) => Ok(found.first().and_then(OrderOnPage::updated_s)),
            Err(failure) if failure.code == "HTTP 500" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads the same page in small parts, for a shop that fails with 500 because of one
    /// order on it (reference/xcart.md 12). Such an order comes back as unreadable.
    ///
    /// A call that fails for another reason is repeated: one that passes by must not cost
    /// the whole page, and must not be taken for a broken order.
    pub async fn orders_one_by_one(&self, query: OrdersQuery) -> Result<Vec<OrderOnPage>, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_changed(query)).await;
        }
        let mut orders = Vec::new();
        let parts = u32::try_from(PAGE_LEN / PART_LEN).unwrap_or(1);
        let before = query.page.saturating_sub(1).saturating_mul(parts);
        for part in (1..=parts).map(|part| before.saturating_add(part)) {
            let target = orders_target(&query, PART_LEN, part);
            let found = match self.page_patiently(&target).await {
                Err(failure) if failure.code == "HTTP 500" => self.singles(&query, part).await?,
                found => found?,
            };
            let last = found.len() < PART_LEN;
            orders.extend(found);
            if last {
                break;
            }
        }
        Ok(orders)
    }

    /// Reads one page of orders, each of them whole if it changed since `after_s`, also where one of
    /// them breaks the page.
    pub async fn orders_whole(&self, query: OrdersQuery) -> Result<Vec<OrderOnPage>, Failure> {
        let page = match self.orders_changed(query).await {
            Err(failure) if failure.code == "HTTP 500" => self.orders_one_by_one(query).await?,
            page => page?,
        };
        let mut whole = Vec::with_capacity(page.len());
        for entry in page {
            if let OrderOnPage::Glimpse { id, updated_s, .. } = &entry
                && *updated_s >= query.after_s
            {
                whole.extend(self.glimpsed((*id, *updated_s)).await?);
            } else {
                whole.push(entry);
            }
        }
        Ok(whole)
    }

    /// Reads an order that a list only named; none if it has gone.
    async fn glimpsed(&self, (id, updated_s): (u64, i64)) -> Result<Option<OrderOnPage>, Failure> {
        match self.order_by_id(id).await {
            Ok(order) => Ok(Some(OrderOnPage::Order(Box::new(order)))),
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            Err(failure) if failure.class == Class::Broken => {
                let (id, updated_s, why) = (Some(id), Some(updated_s), failure.to_string());
                Ok(Some(OrderOnPage::Unreadable { id, updated_s, why }))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Reads the orders of a part each by its place.
    async fn singles(&self, query: &OrdersQuery, part: u32) -> Result<Vec<OrderOnPage>, Failure> {
        let len = u32::try_from(PART_LEN).unwrap_or(1);
        let before = part.saturating_sub(1).saturating_mul(len);
        let mut orders = Vec::new();
        for place in (1..=len).map(|place| before.saturating_add(place)) {
            match self.page_patiently(&orders_target(query, 1, place)).await {
                Ok(found) if found.is_empty() => break,
                Ok(found) => orders.extend(found),
                Err(failure) if failure.code == "HTTP 500" => {
                    let why = failure.to_string();
                    orders.push(OrderOnPage::Unreadable { id: None, updated_s: None, why });
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(orders)
    }

    async fn page_patiently(&self, target: &str) -> Result<Vec<OrderOnPage>, Failure> {
        let read = || async {
            let answer = self.get(target).await?;
            wire::page(&answer.body, &self.0.fields).map_err(|why| unreadable(&answer, &why))
        };
        again_after(read, |tried, failure| {
            let pause = PAUSE_FIRST.saturating_mul(1 << tried.min(4));
            (tried < tries_max(failure)).then_some(pause.max(failure.retry_after()))
        })
        .await
    }
}

/// How often a call with this failure is tried.
const fn tries_max(failure: &Failure) -> u32 {
    match failure.class {
        Class::Broken => BROKEN_TRIES_MAX,
        Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => {
            PASSING_TRIES_MAX
        }
        Class::Held | Class::Unauthorized | Class::Forbidden => 1,
        Class::NotFound | Class::Exists => 1,
        Class::Locked | Class::Data | Class::Config | Class::State | Class::Unclassified => 1,
    }
}

fn orders_target(query: &OrdersQuery, len: usize, page: u32) -> String {
    let OrdersQuery { after_s, filter, sort, page: _ } = query;
    let order = match sort {
        Sort::OldestFirst => "&order%5BlastRenewDate%5D=asc",
        Sort::NewestFirst => "&order%5BlastRenewDate%5D=desc",
        Sort::ById => "",
    };
    let after = match filter {
        Filter::LastRenewDate => format!("&lastRenewDate%5Bafter%5D={}", encode(&date(*after_s))),
        Filter::None => String::new(),
    };
    format!("/orders?itemsPerPage={len}&page={page}{order}{after}")
}

/// Writes a date with its offset: a date that the shop cannot read is ignored in silence.
fn date(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}
