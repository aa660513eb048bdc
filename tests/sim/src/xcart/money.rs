//! What the payment services of a shop do, and how the API shows it (reference/xcart.md 3.2).
//!
//! Guarantee: money moves only where a payment service moved it; a payment status that somebody
//! sets moves none.

use super::{
    Shop,
    dates::iso8601,
    front::lock,
    order::{Backend, Order},
    order_wire::float,
    statuses::Table,
    world::World,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// The order's payment transactions.
pub(crate) fn transactions(world: &World, order: &Order) -> Vec<Value> {
    let letter = match order.status_code(Table::Payment) {
        Some("P" | "PP" | "R") => "S",
        Some("A") => "W",
        Some("D") => "F",
        Some("C") => "C",
        _ => "I",
    };
    let payment = &order.payment;
    let status = if world.quirks.transaction_status_bug { payment.shown.as_str() } else { letter };
    let kind = if letter == "W" { "auth" } else { "sale" };
    let backend: Vec<Value> = payment
        .backend
        .iter()
        .map(|it| {
            json!({"id": it.id, "type": it.kind, "date": iso8601(it.at_s),
                   "status": it.status, "value": float(it.value), "data": []})
        })
        .collect();
    vec![json!({
        "id": payment.id,
        "public_id": format!("{}-{}", order.number, payment.id),
        "public_txn_id": null,
        "method_id": payment.method_id,
        "type": kind,
        "date": iso8601(order.created_s),
        "status": status,
        "name": payment.service,
        "local_name": payment.shown,
        "currency": order.currency.code,
        "value": float(order.total()),
        "note": "",
        "data": [{"id": payment.id + 1, "name": "ref", "label": "Reference",
                  "value": "txn/1", "access_level": "A"}],
        "backend_transactions": backend,
    })]
}

impl World {
    /// What the payment service did while the order was placed, as its status tells.
    pub(crate) fn begin_payment(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(&order_id) else { return };
        let (kind, status) = match order.status_code(Table::Payment) {
            Some("P" | "PP" | "R") => ("sale", "S"),
            Some("A") => ("auth", "W"),
            Some("D") => ("sale", "F"),
            Some("C") => ("sale", "C"),
            _ => ("sale", "I"),
        };
        let total = order.total();
        self.add_backend(order_id, (kind, status, total));
    }

    /// Adds one; gives its id.
    pub(crate) fn add_backend(
        &mut self,
        order_id: u64,
        (kind, status, value): (&'static str, &'static str, Decimal),
    ) -> Option<u64> {
        let (id, at_s) = (self.fresh_id(), self.now_s());
        let order = self.orders.get_mut(&order_id)?;
        order.payment.backend.push(Backend { id, kind, at_s, status, value });
        Some(id)
    }

    fn moved(&self, order_id: u64, kinds: &[&str]) -> Decimal {
        self.orders.get(&order_id).map_or(Decimal::ZERO, |it| moved(&it.payment.backend, kinds))
    }
}

/// What payment services have moved.
pub(crate) fn moved(backend: &[Backend], kinds: &[&str]) -> Decimal {
    let done = backend.iter().filter(|it| it.status == "S" && kinds.contains(&it.kind));
    done.map(|it| it.value).sum()
}

pub(crate) const IN: [&str; 3] = ["sale", "capture", "capturePart"];
pub(crate) const BACK: [&str; 2] = ["refund", "refundPart"];

impl Shop {
    /// Captures a part of an order's payment, or all of it; gives the payment's id.
    pub fn capture(&self, number: &str, amount: Decimal) -> Option<u64> {
        let mut world = lock(&self.inner.world);
        let (order_id, total) = world.order_by_number(number).map(|o| (o.id, o.total()))?;
        let whole = world.moved(order_id, &IN) + amount >= total;
        let kind = if whole { "capture" } else { "capturePart" };
        let id = world.add_backend(order_id, (kind, "S", amount));
        drop(world);
        self.set_payment_status(number, if whole { "P" } else { "PP" });
        id
    }

    /// Gives a part of an order's payment back, or all of it; gives the refund's id.
    pub fn refund(&self, number: &str, amount: Decimal) -> Option<u64> {
        let mut world = lock(&self.inner.world);
        let order_id = world.order_by_number(number)?.id;
        let whole = world.moved(order_id, &BACK) + amount >= world.moved(order_id, &IN);
        let kind = if whole { "refund" } else { "refundPart" };
        let id = world.add_backend(order_id, (kind, "S", amount));
        drop(world);
        self.set_payment_status(number, if whole { "R" } else { "PP" });
        id
    }

    /// The buyer pays an order that was waiting for it.
    pub fn pay(&self, number: &str) -> bool {
        let mut world = lock(&self.inner.world);
        let Some((id, total)) = world.order_by_number(number).map(|o| (o.id, o.total())) else {
            return false;
        };
        world.add_backend(id, ("sale", "S", total));
        drop(world);
        self.set_payment_status(number, "P")
    }
}
