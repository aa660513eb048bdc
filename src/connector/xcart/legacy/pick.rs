//! Picks what changed out of a list that a shop cannot narrow by that (reference/xcart.md 9.2). Pure.
//!
//! Guarantees: the page is the one that a shop of 5.5.1 would give for the same question.

use crate::connector::xcart::{
    rest::{Filter, OrdersQuery, PAGE_LEN, Sort},
    wire::OrderOnPage,
};
use std::{cmp::Reverse, collections::BTreeMap};

/// Seconds of a day.
const DAY_S: i64 = 24 * 60 * 60;
/// Seconds that an order may be dated ahead of our clock and still be listed.
const AHEAD_S: i64 = 365 * DAY_S;

/// Between which moments an order was placed that may have changed since: `days` before that change,
/// at the latest by our clock. Both ends are in seconds since 1970.
pub(super) fn window(query: &OrdersQuery, days: u32, now_s: i64) -> (i64, i64) {
    // Whoever asks for no moment wants what is newest.
    let since_s = if query.after_s == 0 { now_s } else { query.after_s.min(now_s) };
    let back_s = i64::from(days).saturating_mul(DAY_S);
    (since_s.saturating_sub(back_s), now_s.saturating_add(AHEAD_S))
}

/// Sorts, narrows and cuts. An order that was listed twice counts as it was seen last.
pub(super) fn page(query: &OrdersQuery, listed: Vec<OrderOnPage>) -> Vec<OrderOnPage> {
    let (mut named, mut all) = (BTreeMap::new(), Vec::new());
    for entry in listed {
        match entry.id() {
            Some(id) => drop(named.insert(id, entry)),
            None => all.push(entry),
        }
    }
    all.extend(named.into_values());
    if query.filter == Filter::LastRenewDate {
        all.retain(|entry| entry.updated_s().is_none_or(|at| at >= query.after_s));
    }
    match query.sort {
        Sort::OldestFirst => all.sort_by_key(|entry| (entry.updated_s(), entry.id())),
        Sort::NewestFirst => all.sort_by_key(|entry| Reverse((entry.updated_s(), entry.id()))),
        Sort::ById => all.sort_by_key(OrderOnPage::id),
    }
    let before = usize::try_from(query.page.saturating_sub(1)).unwrap_or(usize::MAX);
    all.into_iter().skip(before.saturating_mul(PAGE_LEN)).take(PAGE_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glimpse(id: u64, updated_s: i64) -> OrderOnPage {
        let number = format!("N{id}").as_str().try_into().unwrap();
        OrderOnPage::Glimpse { id, number, updated_s }
    }

    fn ids(query: OrdersQuery, listed: &[(u64, i64)]) -> Vec<u64> {
        let listed = listed.iter().map(|(id, at)| glimpse(*id, *at)).collect();
        page(&query, listed).iter().filter_map(OrderOnPage::id).collect()
    }

    #[test]
    fn a_page_is_what_a_newer_shop_would_give() {
        use {Filter::*, Sort::*};
        // 3 was listed a second time, after it had changed.
        let listed = [(1, 50), (2, 40), (3, 10), (4, 60), (3, 70)];
        let table = [
            (LastRenewDate, OldestFirst, 50, vec![1, 4, 3]),
            (LastRenewDate, ById, 50, vec![1, 3, 4]),
            (None, NewestFirst, 50, vec![3, 4, 1, 2]),
        ];
        for (filter, sort, after_s, want) in table {
            let query = OrdersQuery { after_s, filter, sort, page: 1 };
            assert_eq!(ids(query, &listed), want, "{query:?}");
        }
        let many: Vec<_> = (1..=250).map(|id| (id, 1_000 + i64::try_from(id).unwrap())).collect();
        let query = OrdersQuery { after_s: 1, filter: LastRenewDate, sort: OldestFirst, page: 3 };
        assert_eq!(ids(query, &many), (201..=250).collect::<Vec<_>>());
        assert!(ids(OrdersQuery { page: 4, ..query }, &many).is_empty());
    }

    #[test]
    fn the_window_reaches_back_from_the_watermark_and_not_from_today() {
        let now_s = 100 * DAY_S;
        let query = |after_s| OrdersQuery {
            after_s,
            filter: Filter::LastRenewDate,
            sort: Sort::OldestFirst,
            page: 1,
        };
        for (after_s, want) in [(0, 86), (90 * DAY_S, 76), (200 * DAY_S, 86)] {
            assert_eq!(window(&query(after_s), 14, now_s).0, want * DAY_S, "{after_s}");
        }
    }
}
