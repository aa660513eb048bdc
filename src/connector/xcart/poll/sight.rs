//! A page of orders, looked at from where a walk stands. Pure.

use super::{Found, OrderOnPage, PAGE_LEN, Sort, is_credible};

/// A page, looked at from where the walk stands.
pub(super) struct Sight {
    pub(super) found: Vec<Found>,
    pub(super) nameless: usize,
    len: usize,
    pub(super) dates: Vec<i64>,
    /// The latest date that may become the watermark.
    pub(super) top_s: Option<i64>,
}

impl Sight {
    pub(super) fn of(page: &[OrderOnPage], now_s: i64) -> Self {
        let dates: Vec<i64> = page.iter().filter_map(OrderOnPage::updated_s).collect();
        let found: Vec<_> = page.iter().filter_map(found).collect();
        Self {
            nameless: page.len().saturating_sub(found.len()),
            found,
            len: page.len(),
            top_s: dates.iter().filter(|at| is_credible(**at, now_s)).max().copied(),
            dates,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= PAGE_LEN
    }

    pub(super) fn is_sorted(&self, sort: Sort) -> bool {
        match sort {
            Sort::OldestFirst => self.dates.is_sorted(),
            Sort::NewestFirst => self.dates.is_sorted_by(|newer, older| newer >= older),
            Sort::ById => true,
        }
    }

    pub(super) fn reaches_below(&self, after_s: i64) -> bool {
        self.dates.iter().any(|at| *at < after_s)
    }
}

pub(super) fn found(entry: &OrderOnPage) -> Option<Found> {
    match entry {
        OrderOnPage::Order(order) => {
            let (id, number) = (order.id, Some(order.number.clone()));
            Some(Found { id, number, updated_s: Some(order.updated_s) })
        }
        OrderOnPage::Glimpse { id, number, updated_s } => {
            let (number, updated_s) = (Some(number.clone()), Some(*updated_s));
            Some(Found { id: *id, number, updated_s })
        }
        OrderOnPage::Unreadable { id, updated_s, why: _ } => {
            id.map(|id| Found { id, number: None, updated_s: *updated_s })
        }
    }
}
