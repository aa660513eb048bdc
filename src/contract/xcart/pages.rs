//! Lists of the shop: pages, sorting, filters (reference/xcart.md 2.3).

use super::{Trial, Verdict, needs, open, relied, unexpected};
use crate::connector::xcart::{
    docs::{Ability, Probe},
    rest::{Filter, OrdersQuery, PAGE_LEN, Sort},
    wire::OrderOnPage,
};
use serde_json::Value;

/// A page that no shop has.
const FAR: &str = "/orders?page=1000000&itemsPerPage=100";
/// A day after which nothing has changed yet.
const FUTURE: &str = "2999-01-01T00%3A00%3A00%2B00%3A00";

impl Trial<'_> {
    pub(super) async fn pages(&mut self, probe: &Probe) {
        self.newest().await;
        self.limits().await;
        self.filters(probe).await;
    }

    /// Reads the page of the orders that changed last, which the other trials use, too.
    async fn newest(&mut self) {
        let readable = relied("orders", "3.2", "every order of a page can be read");
        let sorted = relied("sorted", "2.3", "orders can be sorted by their last change");
        let sort = Sort::NewestFirst;
        let query = OrdersQuery { after_s: 0, filter: Filter::None, sort, page: 1 };
        // One order may break the page for all; the poller reads it in parts, too.
        let page = match self.shop.orders_whole(query).await {
            Ok(page) => page,
            Err(failure) => {
                self.book.note(readable, unexpected(&failure));
                return self.book.note(sorted, needs("a page of orders"));
            }
        };
        let mut odd = Vec::new();
        for order in page {
            match order {
                OrderOnPage::Order(order) => self.orders.push(*order),
                OrderOnPage::Glimpse { id, .. } => odd.push(format!("{id}: it was not read")),
                OrderOnPage::Unreadable { id, why, .. } => odd.push(format!("{id:?}: {why}")),
            }
        }
        let count = self.orders.len();
        let seen = match odd.first() {
            None => format!("{count} orders"),
            Some(first) => format!("{} of {} cannot: {first}", odd.len(), count + odd.len()),
        };
        self.book.note(readable, Verdict::of(odd.is_empty(), seen));
        let changed: Vec<i64> = self.orders.iter().map(|order| order.updated_s).collect();
        let verdict = if changed.len() < 2 {
            needs("two orders")
        } else {
            let so = changed.windows(2).all(|pair| matches!(pair, [one, next] if one >= next));
            Verdict::of(so, format!("{} orders, the newest first", changed.len()))
        };
        self.book.note(sorted, verdict);
    }

    async fn limits(&mut self) {
        let clamp = relied("page-size", "2.3", "at most 100 records come on a page");
        let verdict = match self.list("/orders?itemsPerPage=200").await {
            Err(failure) => unexpected(&failure),
            Ok(rows) if rows.len() < PAGE_LEN => needs("more than 100 orders"),
            Ok(rows) => Verdict::of(rows.len() == PAGE_LEN, format!("{} of 200", rows.len())),
        };
        self.book.note(clamp, verdict);
        let end = relied("past-the-end", "2.3", "past the last page is an empty list");
        let verdict = match self.list(FAR).await {
            Err(failure) => unexpected(&failure),
            Ok(rows) => Verdict::of(rows.is_empty(), format!("{} rows", rows.len())),
        };
        self.book.note(end, verdict);
    }

    async fn filters(&mut self, probe: &Probe) {
        let change =
            open("change-filter-works", "2.3", "lastRenewDate[after] leaves older orders out");
        let silent =
            open("unknown-filter", "2.3", "a filter that is not known is ignored in silence");
        if self.orders.is_empty() {
            self.book.note(change, needs("an order"));
            return self.book.note(silent, needs("an order"));
        }
        let after = format!("/orders?itemsPerPage=5&lastRenewDate%5Bafter%5D={FUTURE}");
        let listed = probe.can(Ability::FilterByChange);
        let verdict = match self.list(&after).await {
            Err(failure) => unexpected(&failure),
            Ok(rows) => {
                let seen = format!("{} orders changed after 2999; listed: {listed}", rows.len());
                Verdict::of(rows.is_empty(), seen)
            }
        };
        self.book.note(change, verdict);
        let odd = self.list("/orders?itemsPerPage=5&causewayNoSuchFilter=1").await;
        let verdict = odd.map_or_else(
            |failure| unexpected(&failure),
            |rows: Vec<Value>| Verdict::of(!rows.is_empty(), format!("{} orders came", rows.len())),
        );
        self.book.note(silent, verdict);
    }
}
