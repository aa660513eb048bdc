//! What people do in M3 by hand: another tracking number, a credit note, a payment taken back.
//!
//! Guarantee: what is changed here is seen by the next call and by nobody before.

use super::{
    M3,
    real::{DELETED, Line, OPEN, Order},
    warehouse::Delivery,
};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

impl M3 {
    /// Deletes an order of which nothing is picked yet, as a clerk does in OIS300; says whether it could.
    pub fn cancel_order(&self, orno: &str) -> bool {
        let can = self.core.with(|state| state.world().orders.get(orno).is_some_and(Order::low));
        can && self.change_lines(orno, |line| {
            line.steps = BTreeMap::from([(DELETED, line.terms.quantity)]);
            -line.terms.quantity
        })
    }

    /// Changes the line of this CUPO of which nothing is allocated yet; says whether it could.
    pub fn change_quantity(&self, orno: &str, cupo: &str, quantity: Decimal) -> bool {
        let is_it = |line: &Line| {
            line.fields.get("CUPO").is_some_and(|its| its == cupo) && line.status() == "22"
        };
        let can = self.core.with(|state| {
            state.world().orders.get(orno).is_some_and(|order| order.lines.iter().any(is_it))
        });
        can && self.change_lines(orno, |line| {
            if !is_it(line) {
                return Decimal::ZERO;
            }
            let more = quantity - line.terms.quantity;
            line.terms.quantity = quantity;
            line.steps = BTreeMap::from([(OPEN, quantity)]);
            more
        })
    }

    /// Changes each line by what `change` does; what it gives back is reserved besides.
    fn change_lines(&self, orno: &str, mut change: impl FnMut(&mut Line) -> Decimal) -> bool {
        let wall_ms = self.core.now().wall_ms;
        self.core.with(|state| {
            let world = state.world();
            let Some(mut order) = world.orders.get(orno).cloned() else { return false };
            let more: Vec<Decimal> = order.lines.iter_mut().map(&mut change).collect();
            for (line, more) in order.lines.iter().zip(more) {
                world.move_stock(order.warehouse(line), &line.itno, wall_ms, |balance| {
                    balance.reserved += more;
                });
            }
            world.orders.insert(orno.to_owned(), order);
            true
        })
    }

    /// Changes the tracking number of a delivery that has left; an empty one withdraws it.
    pub fn set_tracking(&self, dlix: u64, number: &str) {
        self.change_delivery(dlix, |delivery| delivery.etrn = Some(number.to_owned()));
    }

    /// Lets another carrier take a delivery.
    pub fn set_carrier(&self, dlix: u64, carrier: &str) {
        self.change_delivery(dlix, |delivery| carrier.clone_into(&mut delivery.carrier));
    }

    /// Lets each delivery from here on leave in so many packages.
    pub fn pack_in(&self, packages: u64) {
        self.core.with(|state| state.world().packages = Some(packages));
    }

    /// Lets `LstByNumber` know of so many customers only; of all when none.
    pub fn list_customers_to(&self, most: Option<usize>) {
        self.core.with(|state| state.world().customers_listed_max = most);
    }

    /// Takes a customer out of the files.
    pub fn remove_customer(&self, cuno: &str) {
        self.core.with(|state| state.world().customers.remove(cuno));
    }

    /// Credits an invoice, and gives the number of the credit note.
    pub fn credit_invoice(&self, ivno: u64, amount: Decimal) -> Option<u64> {
        let wall_ms = self.core.now().wall_ms;
        self.core.with(|state| state.world().credit(ivno, amount, wall_ms))
    }

    /// Takes an invoice out of the books.
    pub fn withdraw_invoice(&self, ivno: u64) {
        self.core.with(|state| state.world().withdraw_invoice(ivno));
    }

    /// Settles one invoice: its amount was paid.
    pub fn settle_invoice(&self, ivno: u64) {
        self.core.with(|state| {
            if let Some(invoice) = state.world().invoices.get_mut(&ivno) {
                invoice.open = Decimal::ZERO;
            }
        });
    }

    /// Sets the credit notes of the same order off.
    pub fn settle_credits(&self, ivno: u64) {
        self.core.with(|state| {
            let world = state.world();
            let Some(orno) = world.invoices.get(&ivno).map(|invoice| invoice.orno.clone()) else {
                return;
            };
            let own = world.invoices.values_mut().filter(|invoice| invoice.orno == orno);
            for credit in own.filter(|invoice| invoice.amount.is_sign_negative()) {
                credit.open = Decimal::ZERO;
            }
        });
    }

    /// Makes an invoice anew after it was credited, and gives the new number.
    pub fn invoice_again(&self, ivno: u64) -> Option<u64> {
        let wall_ms = self.core.now().wall_ms;
        self.core.with(|state| {
            let amount = state.world().invoices.get(&ivno)?.amount;
            let again = state.world().credit(ivno, -amount, wall_ms)?;
            state.world().invoices.get_mut(&again)?.kind = "31";
            Some(again)
        })
    }

    /// Takes the payment of an invoice back.
    pub fn reopen_invoice(&self, ivno: u64) {
        self.core.with(|state| {
            if let Some(invoice) = state.world().invoices.get_mut(&ivno) {
                invoice.open = invoice.amount;
            }
        });
    }

    fn change_delivery(&self, dlix: u64, change: impl FnOnce(&mut Delivery)) {
        self.core.with(|state| {
            if let Some(delivery) = state.world().deliveries.get_mut(&dlix) {
                change(delivery);
            }
        });
    }
}
