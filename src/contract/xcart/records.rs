//! Orders, products and statuses of the shop, and writing what is there (reference/xcart.md 2.4 to 6).

use super::{Trial, Verdict, named, needs, open, relied, unexpected};
use crate::{
    amount::{Amount, currency_places},
    connector::{Class, Failure},
    contract::Depth,
    order::{Order, Standing},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Payment statuses that are known (reference/xcart.md 6.1).
const PAYMENTS: [&str; 7] = ["Q", "A", "PP", "P", "D", "C", "R"];
/// Shipping statuses that are known (reference/xcart.md 6.2).
const SHIPPINGS: [&str; 10] = ["N", "P", "S", "D", "WND", "R", "WFA", "NBA", "NB", "NF"];
/// A record that no shop has.
const NOBODY: u64 = 4_000_000_000;

impl Trial<'_> {
    pub(super) async fn records(&mut self) {
        self.missing().await;
        self.by_number().await;
        self.totals();
        self.statuses();
        self.products().await;
    }

    async fn missing(&mut self) {
        let fact =
            relied("missing", "2.4", "a record that is not there is told from a path that is not");
        let record = self.shop.order_by_id(NOBODY).await;
        let path = self.shop.look("/causeway_no_such_thing").await;
        let verdict = match (record, path) {
            (Err(record), Err(path)) => {
                let so = record.class == Class::NotFound && path.class != Class::NotFound;
                Verdict::of(so, format!("record: {record}; path: {path}"))
            }
            (Ok(_), _) => Verdict::Differs(format!("there is an order {NOBODY}")),
            (_, Ok(_)) => Verdict::Differs("an unknown path gives an answer".to_owned()),
        };
        self.book.note(fact, verdict);
    }

    pub(super) async fn by_number(&mut self) {
        let fact =
            open("by-number", "3.1", "an order is found by its number (in 5.5 from 5.5.0.10 on)");
        let Some(order) = self.orders.first() else {
            return self.book.note(fact, needs("an order"));
        };
        let verdict = match self.shop.order_by_number(order.number.as_str()).await {
            Ok(found) => Verdict::of(found.id == order.id, format!("order {}", found.id)),
            Err(failure) if failure.class == Class::NotFound => {
                Verdict::Differs(failure.to_string())
            }
            Err(failure) => unexpected(&failure),
        };
        self.book.note(fact, verdict);
    }

    pub(super) fn totals(&mut self) {
        let fact = relied("totals", "3.2", "lines and surcharges add up to the total");
        let (mut odd, mut count) = (Vec::new(), 0_usize);
        for order in self.orders.iter().filter(|order| !order.lines.is_empty()) {
            count = count.saturating_add(1);
            if !adds_up(order) {
                odd.push(order.number.to_string());
            }
        }
        let verdict = match (count, odd.first()) {
            (0, _) => needs("an order with lines"),
            (_, None) => Verdict::Holds(format!("{count} orders")),
            (_, Some(first)) => {
                Verdict::Differs(format!("{} of {count} do not, such as {first}", odd.len()))
            }
        };
        self.book.note(fact, verdict);
    }

    pub(super) fn statuses(&mut self) {
        let fact = open("statuses", "6", "orders have the statuses we know");
        let seen = |known: &[&str], code: fn(&Order) -> Option<&str>| {
            let seen: BTreeSet<&str> = self.orders.iter().filter_map(code).collect();
            let odd: Vec<&str> = seen.iter().copied().filter(|c| !known.contains(c)).collect();
            (seen.into_iter().collect::<Vec<_>>().join(" "), odd.join(" "))
        };
        let (payments, odd_payments) = seen(&PAYMENTS, |order| order.payment_status.as_deref());
        let (shippings, odd_shippings) = seen(&SHIPPINGS, |order| order.shipping_status.as_deref());
        let verdict = if self.orders.is_empty() {
            needs("an order")
        } else {
            let so = odd_payments.is_empty() && odd_shippings.is_empty();
            let odd = if so {
                String::new()
            } else {
                format!("; unknown {odd_payments} {odd_shippings}")
            };
            Verdict::of(so, format!("payment {payments}; shipping {shippings}{odd}"))
        };
        self.book.note(fact, verdict);
    }

    async fn products(&mut self) {
        let fact = open("products", "5.1", "products have SKU and a whole amount");
        let verdict = match self.list("/products?itemsPerPage=20").await {
            Err(failure) => unexpected(&failure),
            Ok(rows) if rows.is_empty() => needs("a product"),
            Ok(rows) => {
                let whole = |row: &&Value| {
                    let sku = row.get("sku").and_then(Value::as_str);
                    sku.is_some_and(|sku| !sku.is_empty())
                        && row.get("amount").is_some_and(Value::is_u64)
                };
                let good = rows.iter().filter(whole).count();
                Verdict::of(good == rows.len(), format!("{good} of {}", rows.len()))
            }
        };
        self.book.note(fact, verdict);
    }

    /// Writes what is there already.
    pub(super) async fn writes(&mut self) {
        let amount = relied("put-merges", "2.2, 5.1", "PUT of an amount changes nothing else");
        let status = relied("put-status", "3.3", "setting the status it has leaves no trace");
        if self.given.depth == Depth::Read {
            let why = "writes are tried with --write, --product and --order only";
            self.book.note(amount, Verdict::Untried(why.to_owned()));
            return self.book.note(status, Verdict::Untried(why.to_owned()));
        }
        let verdict = match self.given.product {
            None => needs("--product"),
            Some(id) => self.same_amount(id).await.unwrap_or_else(|no| named(&no, "product")),
        };
        self.book.note(amount, verdict);
        let verdict = match self.given.order {
            None => needs("--order"),
            Some(id) => self.same_status(id).await.unwrap_or_else(|no| named(&no, "order")),
        };
        self.book.note(status, verdict);
    }

    async fn same_amount(&mut self, id: u64) -> Result<Verdict, Failure> {
        let path = format!("/products/{id}");
        let before = self.json(&path).await?;
        let Some(amount) = before.get("amount").and_then(Value::as_u64) else {
            return Ok(Verdict::Differs(format!("product {id} has no amount")));
        };
        self.shop.put_json(&path, &json!({ "amount": amount })).await?;
        let after = self.json(&path).await?;
        let empty = serde_json::Map::new();
        let fields = before.as_object().unwrap_or(&empty).iter();
        let changed = fields.filter(|(name, value)| {
            name.as_str() != "update_date" && after.get(name.as_str()) != Some(value)
        });
        let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
        let seen = match changed.as_slice() {
            [] => format!("amount {amount} was set to {amount}, nothing else changed"),
            changed => format!("changed: {}", changed.join(", ")),
        };
        Ok(Verdict::of(changed.is_empty(), seen))
    }

    async fn same_status(&mut self, id: u64) -> Result<Verdict, Failure> {
        let order = self.shop.order_by_id(id).await?;
        let Some(code) = order.shipping_status else {
            return Ok(needs("an order with a shipping status"));
        };
        let history = format!("/orders/{id}/history");
        let before = self.list(&history).await?.len();
        self.shop.set_shipping_status(id, &code).await?;
        let (after, now) = (self.list(&history).await?.len(), self.shop.order_by_id(id).await?);
        let so = before == after && now.shipping_status.as_deref() == Some(code.as_str());
        let changed = now.updated_s != order.updated_s;
        let seen = format!(
            "{code} was set to {code}; history {before}, then {after}; counted as changed: {changed}"
        );
        Ok(Verdict::of(so, seen))
    }
}

/// Whether the parts of an order are its total, to one smallest unit for each part.
fn adds_up(order: &Order) -> bool {
    let places = currency_places(&order.currency);
    let lines = order.lines.iter().map(|line| line.price.times(line.quantity));
    let added = order.surcharges.iter().filter(|part| part.standing == Standing::Added);
    let mut parts = lines.chain(added.map(|part| Some(part.value)));
    let sum = parts.try_fold(Amount::ZERO, |sum, part| sum.plus(part?.rounded(places)));
    let most = i64::try_from(order.lines.len() + order.surcharges.len() + 1).unwrap_or(i64::MAX);
    let most = Amount(rust_decimal::Decimal::new(most, places));
    let rest = sum.and_then(|sum| order.total.rounded(places).minus(sum));
    rest.is_some_and(|rest| rest.magnitude() <= most)
}
