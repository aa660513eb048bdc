//! The facts about the add-on API of 5.0 to 5.4 (reference/xcart.md 9), tried on such a shop.
//!
//! Guarantees: without leave to write only reads are sent; what is written is what is there already.

use super::{Trial, Verdict, named, needs, open, relied, unexpected};
use crate::{
    connector::{
        Class, Failure,
        xcart::{
            products::{Change, Entry, Place},
            rest::{Filter, OrdersQuery, Sort},
            wire::OrderOnPage,
        },
    },
    contract::Depth,
};
use serde_json::Value;

/// Orders that are read whole.
const ORDERS_MAX: usize = 5;
/// A record that no shop has.
const NOBODY: u64 = 4_000_000_000;
/// A second of the year 2100, after which nothing was placed yet.
const FUTURE_S: i64 = 4_102_444_800;

impl Trial<'_> {
    /// Tries everything that can be tried on a shop of 5.0 to 5.4.
    pub(super) async fn legacy(&mut self) {
        self.legacy_key().await;
        self.legacy_orders().await;
        self.legacy_missing().await;
        self.by_number().await;
        self.totals();
        self.statuses();
        self.legacy_lists().await;
        self.legacy_writes().await;
    }

    async fn legacy_key(&mut self) {
        let fact = relied("token", "9.3", "a wrong key is refused with an empty 403");
        let verdict = match self.stranger.look("/order?_cnd[limit][0]=0&_cnd[limit][1]=1").await {
            Ok(_) => Verdict::Differs("it was taken: EVERYBODY CAN READ THE ORDERS".to_owned()),
            Err(failure) if failure.class == Class::Unauthorized => {
                Verdict::Holds(failure.to_string())
            }
            Err(failure) => unexpected(&failure),
        };
        self.book.note(fact, verdict);
    }

    /// Lists the orders of the window, and reads some of them whole for the other trials.
    async fn legacy_orders(&mut self) {
        let listed = relied("listed", "9.3", "a list says when each order was last saved");
        let whole = relied("orders", "9.3", "an order can be read whole");
        let (filter, sort) = (Filter::None, Sort::NewestFirst);
        let query = OrdersQuery { after_s: 0, filter, sort, page: 1 };
        let page = match self.shop.orders_changed(query).await {
            Ok(page) => page,
            Err(failure) => {
                self.book.note(listed, unexpected(&failure));
                return self.book.note(whole, needs("a list of orders"));
            }
        };
        let odd = page.iter().filter(|entry| entry.updated_s().is_none()).count();
        self.book.note(listed, Verdict::of(odd == 0, format!("{odd} of {} do not", page.len())));
        let ids = page.iter().filter_map(OrderOnPage::id).take(ORDERS_MAX);
        let mut faults = Vec::new();
        for id in ids.chain(self.given.order) {
            match self.shop.order_by_id(id).await {
                Ok(order) => self.orders.push(order),
                Err(failure) => faults.push(format!("{id}: {failure}")),
            }
        }
        let verdict = match (faults.first(), self.orders.len()) {
            (None, 0) => needs("an order"),
            (None, count) => Verdict::Holds(format!("{count} orders")),
            (Some(first), count) => Verdict::Differs(format!(
                "{} of {} cannot: {first}",
                faults.len(),
                count + faults.len()
            )),
        };
        self.book.note(whole, verdict);
    }

    async fn legacy_missing(&mut self) {
        let fact =
            relied("missing", "9.3", "a record that is not there is told from an unknown entity");
        let record = self.shop.order_by_id(NOBODY).await.map(|_| ());
        let entity = self.shop.look("/causeway-no-such-thing").await.map(|_| ());
        let verdict = match (record, entity) {
            (Err(record), Err(entity)) => {
                let so = record.class == Class::NotFound && entity.class == Class::Config;
                Verdict::of(so, format!("record: {record}; entity: {entity}"))
            }
            (Ok(()), _) => Verdict::Differs(format!("there is an order {NOBODY}")),
            (_, Ok(())) => Verdict::Differs("an unknown entity gives an answer".to_owned()),
        };
        self.book.note(fact, verdict);
    }

    /// What the notes leave open about lists.
    async fn legacy_lists(&mut self) {
        let facts = [
            (
                open("limit", "9.1", "a list can be cut"),
                "/product?_cnd[limit][0]=0&_cnd[limit][1]=1".to_owned(),
                1,
            ),
            (
                open("date", "9.2", "orders are narrowed by `date`"),
                format!(
                    "/order?_cnd[date][0]={FUTURE_S}&_cnd[date][1]={}&_cnd[limit][0]=0&_cnd[limit][1]=2",
                    FUTURE_S + 1
                ),
                0,
            ),
            (
                open("date-range", "9.2", "orders are narrowed by `dateRange`"),
                format!(
                    "/order?_cnd[dateRange][0]={FUTURE_S}&_cnd[dateRange][1]={}&_cnd[limit][0]=0&_cnd[limit][1]=2",
                    FUTURE_S + 1
                ),
                0,
            ),
        ];
        for (fact, path, most) in facts {
            let verdict = match self.rows(&path).await {
                Ok(count) => Verdict::of(count <= most, format!("{count} rows")),
                Err(failure) => unexpected(&failure),
            };
            self.book.note(fact, verdict);
        }
        let fact = open("status-lists", "9.1", "the ids of statuses can be listed");
        let both =
            [self.rows("/order-status-payment").await, self.rows("/order-status-shipping").await];
        let verdict = match both {
            [Ok(payment), Ok(shipping)] => {
                Verdict::of(payment > 0 && shipping > 0, format!("{payment} and {shipping}"))
            }
            [Err(failure), _] | [_, Err(failure)] => {
                Verdict::Differs(format!("they are learnt from orders, or set: {failure}"))
            }
        };
        self.book.note(fact, verdict);
    }

    /// How many rows a list has; one without rows may be null.
    async fn rows(&self, path: &str) -> Result<usize, Failure> {
        match self.json(path).await {
            Ok(Value::Array(rows)) => Ok(rows.len()),
            Ok(Value::Object(rows)) => Ok(rows.len()),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Ok(0),
            Err(failure) if failure.class == Class::NotFound => Ok(0),
            Err(failure) => Err(failure),
        }
    }

    /// Writes what is there already.
    async fn legacy_writes(&mut self) {
        let amount =
            relied("put-merges", "9.4", "an amount can be written, and changes nothing else");
        let status = relied("put-status", "9.4", "a status can be written by the id its code has");
        if self.given.depth == Depth::Read {
            let why = "writes are tried with --write, --product and --order only";
            self.book.note(amount, Verdict::Untried(why.to_owned()));
            return self.book.note(status, Verdict::Untried(why.to_owned()));
        }
        let verdict = match self.given.product {
            None => needs("--product"),
            Some(id) => self.legacy_amount(id).await.unwrap_or_else(|no| named(&no, "product")),
        };
        self.book.note(amount, verdict);
        let verdict = match self.given.order {
            None => needs("--order"),
            Some(id) => self.legacy_status(id).await.unwrap_or_else(|no| named(&no, "order")),
        };
        self.book.note(status, verdict);
    }

    async fn legacy_amount(&self, id: u64) -> Result<Verdict, Failure> {
        let before = self.shop.product(id).await?;
        let Some(Entry::Shown(shown)) = &before else {
            return Ok(needs("a product that can be read"));
        };
        let Some(amount) = shown.amount else { return Ok(needs("a product with an amount")) };
        let place = Place { product: id, variant: None };
        let change = Change { amount: Some(amount), ..Change::default() };
        self.shop.change_goods(place, &change).await?;
        let after = self.shop.product(id).await?;
        Ok(Verdict::of(after == before, format!("amount {amount} was set to {amount}")))
    }

    async fn legacy_status(&self, id: u64) -> Result<Verdict, Failure> {
        let order = self.shop.order_by_id(id).await?;
        let Some(code) = order.shipping_status else {
            return Ok(needs("an order with a shipping status"));
        };
        self.shop.set_shipping_status(id, &code).await?;
        let now = self.shop.order_by_id(id).await?;
        let changed = now.updated_s != order.updated_s;
        let seen = format!("{code} was set to {code}; counted as changed: {changed}");
        Ok(Verdict::of(now.shipping_status.as_deref() == Some(code.as_str()), seen))
    }
}
