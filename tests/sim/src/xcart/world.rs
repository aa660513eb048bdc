//! Everything the shop knows, and the changes an admin or the API makes to it.
//!
//! Guarantees: a change of an order bumps its `update_date` to the present second and tells the
//! webhook; a status that is already set changes nothing at all (reference/xcart.md 3.3).

use super::{
    books::Seen,
    events::{Happened, Outbox},
    options::{Clock, Legacy, Options, Quirks},
    order::{Defect, Event, Order, Tracking},
    product::Product,
    profile::Profile,
    seed::{self, Seed},
    statuses::{Stock, Table, stock_effect},
    wholesale::Owner,
};
use crate::{catalogue::Item, dice::Dice};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Calls remembered at most; the oldest are forgotten first.
pub const SEEN_LEN_MAX: usize = 200_000;

/// The shop's whole state.
pub(crate) struct World {
    pub(crate) quirks: Quirks,
    pub(crate) legacy: Option<Legacy>,
    pub(crate) items: HashMap<String, Item>,
    pub(crate) goods: Vec<Item>,
    pub(crate) products: BTreeMap<u64, Product>,
    /// Where a SKU is sold: product and, if it is one, variant.
    pub(crate) shelf: HashMap<String, (u64, Option<u64>)>,
    pub(crate) wholesale: BTreeMap<(Owner, u64), Map<String, Value>>,
    pub(crate) profiles: BTreeMap<u64, Profile>,
    pub(crate) memberships: BTreeMap<u64, String>,
    pub(crate) tax_classes: BTreeMap<u64, String>,
    /// Categories: their names, and those above them.
    pub(crate) categories: BTreeMap<u64, (String, Option<u64>)>,
    /// Which category holds which product.
    pub(crate) standing: BTreeSet<(u64, u64)>,
    pub(crate) orders: BTreeMap<u64, Order>,
    pub(crate) by_number: HashMap<String, u64>,
    pub(crate) accounts: Vec<(u64, String)>,
    pub(crate) seen: VecDeque<Seen>,
    pub(crate) calls: u64,
    pub(crate) clock: Clock,
    pub(crate) outbox: Outbox,
    pub(crate) dice: Dice,
    next_id: u64,
    next_number: u64,
    last_order_id: u64,
    defects_permille: u32,
    awaiting_permille: u32,
}

impl World {
    /// A shop with goods and customers and no orders.
    pub(crate) fn new(options: &Options, outbox: Outbox) -> Self {
        let dice = Dice::new(options.seed).fork("shop");
        let mut world = Self {
            quirks: options.quirks.clone(),
            legacy: options.legacy.clone(),
            items: options.items.iter().map(|it| (it.sku.clone(), it.clone())).collect(),
            goods: options.items.clone(),
            products: BTreeMap::new(),
            shelf: HashMap::new(),
            wholesale: BTreeMap::new(),
            profiles: BTreeMap::new(),
            memberships: [(4, "Wholesale"), (5, "Händler")]
                .map(|(id, name)| (id, name.to_owned()))
                .into(),
            tax_classes: [(1, "Default"), (2, "Books")]
                .map(|(id, name)| (id, name.to_owned()))
                .into(),
            categories: [(2, "Apparel", None), (3, "Werkzeug", Some(2))]
                .map(|(id, name, parent)| (id, (name.to_owned(), parent)))
                .into(),
            standing: BTreeSet::new(),
            orders: BTreeMap::new(),
            by_number: HashMap::new(),
            accounts: Vec::new(),
            seen: VecDeque::new(),
            calls: 0,
            clock: options.clock.clone(),
            outbox,
            dice,
            next_id: 5_000.max(options.customers.saturating_mul(2)),
            next_number: 100,
            last_order_id: 120,
            defects_permille: options.defects_permille,
            awaiting_permille: options.awaiting_permille,
        };
        super::product::stock_the_shelf(&mut world);
        super::profile::register_customers(&mut world, options.customers);
        world
    }

    /// The present second.
    pub(crate) fn now_s(&self) -> i64 {
        self.clock.now_s()
    }

    /// An id nothing else has.
    pub(crate) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The next order's id and number; ids have gaps, because carts take some.
    pub(crate) fn fresh_order(&mut self) -> (u64, String) {
        self.last_order_id += 1 + self.dice.below(3);
        let number = self.next_number.to_string();
        self.next_number += 1;
        (self.last_order_id, number)
    }

    /// The next order out of the dice.
    pub(crate) fn draw(&mut self) -> super::spec::OrderSpec {
        let seed = Seed {
            items: &self.goods,
            accounts: &self.accounts,
            quirks: &self.quirks,
            defects_permille: self.defects_permille,
            awaiting_permille: self.awaiting_permille,
        };
        seed::order(&mut self.dice, &seed)
    }

    /// The order of a number.
    pub(crate) fn order_by_number(&self, number: &str) -> Option<&Order> {
        self.orders.get(self.by_number.get(number)?)
    }

    /// Writes an event into an order's history.
    pub(crate) fn record(&mut self, order_id: u64, code: &str, description: &str) {
        let (id, at_s) = (self.fresh_id(), self.now_s());
        if let Some(order) = self.orders.get_mut(&order_id) {
            let (code, description) = (code.to_owned(), description.to_owned());
            order.history.push(Event { id, at_s, code, description, profile_id: Some(1) });
        }
    }

    /// Sets a status; says whether that changed anything.
    pub(crate) fn set_status(&mut self, order_id: u64, table: Table, status_id: u64) -> bool {
        let now_s = self.now_s();
        let Some(order) = self.orders.get_mut(&order_id) else { return false };
        if order.status(table) == Some(status_id) {
            return false;
        }
        let from = order.status_code(table);
        match table {
            Table::Payment => order.payment_status = Some(status_id),
            Table::Shipping => order.shipping_status = Some(status_id),
        }
        order.updated_s = now_s;
        let to = order.status_code(table);
        let told = format!("from {} to {}", from.unwrap_or("-"), to.unwrap_or("-"));
        self.record(order_id, table.history_code(), &told);
        if table == Table::Payment {
            self.move_stock(order_id, stock_effect(from, to));
        }
        self.record(order_id, "EMAIL CUSTOMER SENT", "Order changed");
        self.tell_order(order_id, "order.status_changed");
        true
    }

    /// Puts an order's goods back on the shelf or takes them from it.
    pub(crate) fn move_stock(&mut self, order_id: u64, effect: Stock) {
        let sign = match effect {
            Stock::Stays => return,
            Stock::Restored => 1,
            Stock::Taken => -1,
        };
        let Some(order) = self.orders.get(&order_id) else { return };
        let moved: Vec<(String, i64)> = order
            .lines
            .iter()
            .filter(|line| line.product_id.is_some())
            .map(|line| (line.sku.clone(), sign * i64::from(line.amount)))
            .collect();
        for (sku, by) in moved {
            self.shift_amount(&sku, by);
        }
    }

    fn shift_amount(&mut self, sku: &str, by: i64) {
        let Some((product, variant)) = self.shelf.get(sku).copied() else { return };
        if let Some(product) = self.products.get_mut(&product) {
            product.shift_amount(variant, by);
        }
    }

    /// Changes how much of a SKU was ordered, as an admin does; 0 removes the line.
    pub(crate) fn change_quantity(&mut self, number: &str, sku: &str, amount: u32) -> bool {
        let now_s = self.now_s();
        let Some(id) = self.by_number.get(number).copied() else { return false };
        let Some(order) = self.orders.get_mut(&id) else { return false };
        let Some(at) = order.lines.iter().position(|line| line.sku == sku) else { return false };
        let before = order.lines[at].amount;
        if amount == 0 {
            order.lines.remove(at);
            if order.lines.is_empty() {
                order.defect = Some(Defect::NoLines);
            }
        } else {
            order.lines[at].amount = amount;
        }
        order.updated_s = now_s;
        self.shift_amount(sku, i64::from(before) - i64::from(amount));
        self.record(id, "CHANGE PRODUCT AMOUNT", &format!("{sku}: {before} to {amount}"));
        self.record(id, "ORDER EDITED", "");
        self.tell_order(id, "order.updated");
        true
    }

    /// Adds a tracking number, as the extension or an admin does.
    pub(crate) fn add_tracking(
        &mut self,
        order_id: u64,
        (value, carrier): (&str, &str),
    ) -> Option<Tracking> {
        let (id, at_s) = (self.fresh_id(), self.now_s());
        let tracking = Tracking { id, at_s, value: value.to_owned(), carrier: carrier.to_owned() };
        let order = self.orders.get_mut(&order_id)?;
        order.tracking.push(tracking.clone());
        order.updated_s = at_s;
        self.record(order_id, "ORDER TRACKING", value);
        self.tell_order(order_id, "order.updated");
        Some(tracking)
    }

    /// Adds a line to the notes for the staff, as the extension or an admin does.
    pub(crate) fn add_note(&mut self, order_id: u64, text: &str) {
        let Some(order) = self.orders.get(&order_id) else { return };
        let mut notes = order.admin_notes.clone();
        if !notes.is_empty() {
            notes.push('\n');
        }
        notes.push_str(text);
        self.set_notes(order_id, &notes);
    }

    /// Makes these the notes for the staff.
    pub(crate) fn set_notes(&mut self, order_id: u64, notes: &str) {
        let now_s = self.now_s();
        let Some(order) = self.orders.get_mut(&order_id) else { return };
        notes.clone_into(&mut order.admin_notes);
        order.updated_s = now_s;
        self.record(order_id, "CHANGE NOTES ORDER", notes);
        self.tell_order(order_id, "order.updated");
    }

    /// Tells the webhook of an order.
    pub(crate) fn tell_order(&mut self, order_id: u64, event: &'static str) {
        if !self.outbox.wanted() {
            return;
        }
        let Some(order) = self.orders.get(&order_id) else { return };
        let full = self.outbox.wants_full().then(|| super::order_wire::order(self, order, None));
        let number = Some(order.number.clone());
        self.outbox.tell(Happened { event, id: order_id, number, full });
    }

    /// Tells the webhook of a profile.
    pub(crate) fn tell_profile(&mut self, profile_id: u64, event: &'static str) {
        if !self.outbox.wanted() {
            return;
        }
        let Some(profile) = self.profiles.get(&profile_id) else { return };
        let full = self.outbox.wants_full().then(|| profile.wire());
        self.outbox.tell(Happened { event, id: profile_id, number: None, full });
    }

    /// Remembers a call.
    pub(crate) fn saw(&mut self, seen: Seen) {
        if self.seen.len() >= SEEN_LEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }
}
