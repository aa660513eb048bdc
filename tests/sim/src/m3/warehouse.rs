//! What the warehouse and the invoicing do with an order by themselves.
//!
//! Guarantees: each step moves an order by one: allocated, on a picking list, delivered, invoiced,
//! paid; an order in two parts goes through them twice; the invoices of an order add up to its
//! total. Pure: somebody else says when.

use super::{
    call::{Moment, date},
    real::{ALLOCATED, DELIVERED, INVOICED, OPEN, Order, PICKING},
    world::{World, next},
};
use rust_decimal::Decimal;

/// Goods of one order that leave together.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) dlix: u64,
    pub(crate) orno: String,
    pub(crate) lines: Vec<(u64, Decimal)>,
    /// The tracking number, once issued.
    pub(crate) etrn: Option<String>,
    pub(crate) packages: Vec<String>,
    pub(crate) invoice: Option<u64>,
    pub(crate) carrier: String,
    pub(crate) made_wall_ms: u64,
    pub(crate) changed_wall_ms: u64,
}

impl Delivery {
    pub(crate) fn issued(&self) -> bool {
        self.etrn.is_some()
    }
}

/// One invoice.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    pub(crate) ivno: u64,
    pub(crate) year: String,
    pub(crate) orno: String,
    /// IVTP.
    pub(crate) kind: &'static str,
    pub(crate) dlix: u64,
    pub(crate) cuno: String,
    pub(crate) currency: String,
    pub(crate) amount: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) open: Decimal,
    pub(crate) date: String,
    pub(crate) changed_wall_ms: u64,
}

impl Invoice {
    /// 9 is paid.
    pub(crate) fn reco(&self) -> u8 {
        if self.open.is_zero() { 9 } else { 0 }
    }
}

/// What is next for an order.
enum Step {
    Issue(u64),
    Invoice(u64),
    Pick,
    Allocate,
    Pay,
    Wait,
    Settle,
}

impl World {
    /// One step for every order.
    pub(crate) fn advance(&mut self, now: Moment) {
        let open = self.orders.values().filter(|order| !order.settled);
        for orno in open.map(|order| order.orno.clone()).collect::<Vec<_>>() {
            match self.next_step(&orno) {
                Step::Issue(dlix) => self.issue(dlix, now.wall_ms),
                Step::Invoice(dlix) => self.invoice(dlix, now.wall_ms),
                Step::Pick => self.pick(&orno, now.wall_ms),
                Step::Allocate => self.allocate(&orno, now.wall_ms),
                Step::Pay => self.pay(&orno, now.wall_ms),
                Step::Wait => {}
                Step::Settle => {
                    if let Some(order) = self.orders.get_mut(&orno) {
                        order.settled = true;
                    }
                }
            }
        }
    }

    /// The deliveries of an order, oldest first.
    pub(crate) fn deliveries_of(&self, order: &Order) -> impl Iterator<Item = &Delivery> {
        order.deliveries.iter().filter_map(|dlix| self.deliveries.get(dlix))
    }

    /// The invoices of an order, oldest first.
    pub(crate) fn invoices_of(&self, order: &Order) -> impl Iterator<Item = &Invoice> {
        order.invoices.iter().filter_map(|ivno| self.invoices.get(ivno))
    }

    fn next_step(&self, orno: &str) -> Step {
        let Some(order) = self.orders.get(orno) else { return Step::Wait };
        let any_at = |step| order.lines.iter().any(|line| line.at(step) > Decimal::ZERO);
        if let Some(delivery) = self.deliveries_of(order).find(|delivery| !delivery.issued()) {
            return Step::Issue(delivery.dlix);
        }
        if let Some(delivery) = self.deliveries_of(order).find(|d| d.invoice.is_none()) {
            return Step::Invoice(delivery.dlix);
        }
        match (any_at(ALLOCATED), any_at(OPEN)) {
            (true, _) | (_, true) if self.warehouse_held => Step::Wait,
            (true, _) => Step::Pick,
            (false, true) => Step::Allocate,
            (false, false) => {
                let unpaid = self.invoices_of(order).any(|invoice| !invoice.open.is_zero());
                if unpaid { Step::Pay } else { Step::Settle }
            }
        }
    }

    /// Allocates all, or of an order that leaves in parts about half.
    fn allocate(&mut self, orno: &str, wall_ms: u64) {
        let Some(mut order) = self.orders.get(orno).cloned() else { return };
        let wanted = portions(&order);
        order.parts = 1;
        for (line, quantity) in order.lines.iter_mut().zip(wanted) {
            if quantity > Decimal::ZERO {
                line.shift(quantity, OPEN, ALLOCATED);
            }
        }
        let before = self.orders.insert(orno.to_owned(), order.clone());
        for (line, old) in order.lines.iter().zip(before.iter().flat_map(|order| &order.lines)) {
            let quantity = line.at(ALLOCATED) - old.at(ALLOCATED);
            if quantity <= Decimal::ZERO {
                continue;
            }
            let warehouse = order.warehouse(line);
            self.move_stock(warehouse, &line.itno, wall_ms, |balance| {
                balance.allocated += quantity;
                // Goods come in when they are needed, so that no order waits for ever.
                if balance.on_hand < balance.allocated {
                    balance.on_hand = balance.allocated + Decimal::ONE_HUNDRED;
                }
            });
        }
    }

    fn pick(&mut self, orno: &str, wall_ms: u64) {
        let dlix = next(&mut self.series.delivery);
        let Some(order) = self.orders.get_mut(orno) else { return };
        let mut lines = Vec::new();
        for line in &mut order.lines {
            let quantity = line.at(ALLOCATED);
            if quantity > Decimal::ZERO {
                line.shift(quantity, ALLOCATED, PICKING);
                lines.push((line.ponr, quantity));
            }
        }
        order.deliveries.push(dlix);
        let delivery = Delivery {
            dlix,
            orno: orno.to_owned(),
            lines,
            etrn: None,
            packages: Vec::new(),
            invoice: None,
            carrier: "CARRIER".to_owned(),
            made_wall_ms: wall_ms,
            changed_wall_ms: wall_ms,
        };
        self.deliveries.insert(dlix, delivery);
    }

    fn issue(&mut self, dlix: u64, wall_ms: u64) {
        let count = self.packages.unwrap_or_else(|| 1 + self.dice.below(2));
        let packages: Vec<_> =
            (0..count).map(|_| format!("P{:09}", next(&mut self.series.package))).collect();
        let Some(delivery) = self.deliveries.get_mut(&dlix) else { return };
        delivery.etrn = Some(format!("1Z{dlix:010}"));
        delivery.packages = packages;
        delivery.changed_wall_ms = wall_ms;
        let delivery = delivery.clone();
        let Some(order) = self.orders.get_mut(&delivery.orno) else { return };
        shift_all(order, &delivery, PICKING, DELIVERED);
        let order = order.clone();
        for (ponr, quantity) in &delivery.lines {
            let Some(line) = order.lines.iter().find(|line| line.ponr == *ponr) else { continue };
            self.move_stock(order.warehouse(line), &line.itno, wall_ms, |balance| {
                balance.on_hand -= quantity;
                balance.allocated -= quantity;
                balance.reserved -= quantity;
            });
        }
    }

    fn invoice(&mut self, dlix: u64, wall_ms: u64) {
        let Some(delivery) = self.deliveries.get(&dlix).cloned() else { return };
        let Some(order) = self.orders.get_mut(&delivery.orno) else { return };
        shift_all(order, &delivery, DELIVERED, INVOICED);
        let order = order.clone();
        let sums = self.order_sums(&order);
        let mut last = order.lines.iter().flat_map(|line| line.steps.keys());
        let asked = self.invoices_of(&order).map(|invoice| invoice.amount);
        let before: Decimal = asked.filter(Decimal::is_sign_positive).sum();
        let (amount, tax) = if last.all(|step| *step >= INVOICED) {
            (sums.total - before, sums.tax)
        } else {
            // An order discount is spread, so that no later invoice is below nothing.
            let (goods, all) = (self.goods_value(&order, &delivery), sums.net_lines);
            let share = goods.checked_mul(sums.total).and_then(|part| part.checked_div(all));
            let decimals = self.decimals(order.text("CUCD"));
            let share = share.map_or(goods, |share| super::money::rounded(share, decimals));
            (goods.min(share), Decimal::ZERO)
        };
        let ivno = next(&mut self.series.invoice);
        let day = date(wall_ms);
        let invoice = Invoice {
            ivno,
            year: day.chars().take(4).collect(),
            orno: order.orno.clone(),
            kind: "31",
            dlix,
            cuno: order.text("CUNO").to_owned(),
            currency: order.text("CUCD").to_owned(),
            amount,
            tax,
            open: amount,
            date: day,
            changed_wall_ms: wall_ms,
        };
        self.invoices.insert(ivno, invoice);
        if let Some(order) = self.orders.get_mut(&order.orno) {
            order.invoices.push(ivno);
        }
        if let Some(delivery) = self.deliveries.get_mut(&dlix) {
            delivery.invoice = Some(ivno);
            delivery.changed_wall_ms = wall_ms;
        }
    }

    /// What the goods of one delivery come to, before order discount, charges and tax.
    fn goods_value(&self, order: &Order, delivery: &Delivery) -> Decimal {
        let decimals = self.decimals(order.text("CUCD"));
        let value = |(ponr, quantity): &(u64, Decimal)| {
            let line = order.lines.iter().find(|line| line.ponr == *ponr)?;
            let whole = line.terms.net(decimals);
            Some(super::money::rounded(whole * quantity / line.terms.quantity, decimals))
        };
        delivery.lines.iter().filter_map(value).sum()
    }

    fn pay(&mut self, orno: &str, wall_ms: u64) {
        let own = self.orders.get(orno).map(|order| order.invoices.clone());
        for ivno in own.unwrap_or_default() {
            if let Some(invoice) = self.invoices.get_mut(&ivno) {
                invoice.open = Decimal::ZERO;
                invoice.changed_wall_ms = wall_ms;
            }
        }
    }
}

/// What each line is given: all of it, or about half of the order.
fn portions(order: &Order) -> Vec<Decimal> {
    let open: Vec<_> = order.lines.iter().map(|line| line.at(OPEN)).collect();
    if order.parts < 2 {
        return open;
    }
    if let [only] = open.as_slice() {
        let half = (only / Decimal::TWO).floor();
        return vec![if half.is_zero() { *only } else { half }];
    }
    let first = open.len().div_ceil(2);
    open.iter().enumerate().map(|(n, all)| if n < first { *all } else { Decimal::ZERO }).collect()
}

fn shift_all(order: &mut Order, delivery: &Delivery, from: u8, to: u8) {
    for (ponr, quantity) in &delivery.lines {
        if let Some(line) = order.lines.iter_mut().find(|line| line.ponr == *ponr) {
            line.shift(*quantity, from, to);
        }
    }
}
