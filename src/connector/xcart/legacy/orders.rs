//! Orders of a shop of 5.0 to 5.4: read, listed, and told how far they are (reference/xcart.md 9).
//!
//! Guarantees: an order is whole or not read at all: its addresses, which may stand in records of
//! their own, are part of it; a list is read with an overlap, so that one that loses an order
//! meanwhile shows all others.

use super::{
    call::Call,
    pick, problem,
    statuses::Table,
    wire::{self, Located, Use},
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        http::Answer,
        xcart::{
            notes::Written,
            rest::{OrdersQuery, Shop, unreadable},
            wire::OrderOnPage,
        },
    },
    order::{Address, Order},
};

/// Orders in one part of a list.
const LIST_LEN: usize = 200;
/// Of these so many are read again with the next part.
const LIST_OVERLAP: usize = 10;
/// Parts of a list; a shop with more orders in its window is not read.
const LISTS_MAX: usize = 500;
/// Addresses that are read of one order.
const ADDRESSES_MAX: usize = 10;

impl Shop {
    /// Reads an order by its id.
    pub(in crate::connector::xcart) async fn legacy_order(
        &self,
        id: u64,
    ) -> Result<Order, Failure> {
        let answer = self.legacy_read(&Call::read("order", id)).await?;
        let read = wire::order(&answer.body, self.address_fields());
        let wire::Read { mut order, profile, mut addresses, statuses } =
            read.map_err(|why| unreadable(&answer, &why))?;
        if order.id != id {
            return Err(unreadable(&answer, &format!("it is order {} and not {id}", order.id)));
        }
        for (table, code, id) in statuses {
            self.legacy_known().learn(table, &code, id);
        }
        if addresses.is_empty() {
            let profile = profile.ok_or_else(|| unreadable(&answer, "it shows no profile"))?;
            addresses = self.addresses_of(profile).await?;
        }
        (order.billing, order.shipping) = self.chosen(addresses).await?;
        Ok(order)
    }

    async fn addresses_of(&self, profile: u64) -> Result<Vec<Located>, Failure> {
        let answer = self.legacy_read(&Call::read("profile", profile)).await?;
        wire::profile(&answer.body, self.address_fields()).map_err(|why| unreadable(&answer, &why))
    }

    /// Chooses the two addresses of an order, and reads what is not known of them.
    async fn chosen(
        &self,
        addresses: Vec<Located>,
    ) -> Result<(Option<Address>, Option<Address>), Failure> {
        let (mut billing, mut shipping) = (None, None);
        for located in addresses.into_iter().take(ADDRESSES_MAX) {
            if located.use_for == Use::Neither {
                continue;
            }
            let use_for = located.use_for;
            let address = self.located(located).await?;
            if matches!(use_for, Use::Billing | Use::Both) {
                billing = billing.or_else(|| address.clone());
            }
            if matches!(use_for, Use::Shipping | Use::Both) {
                shipping = shipping.or(address);
            }
        }
        Ok((billing, shipping))
    }

    async fn located(
        &self,
        Located { id, address, .. }: Located,
    ) -> Result<Option<Address>, Failure> {
        let (None, Some(id)) = (&address, id) else { return Ok(address) };
        let answer = self.legacy_read(&Call::read("address", id)).await?;
        match wire::address(&answer.body, self.address_fields()) {
            Ok(Some(address)) => Ok(Some(address)),
            Ok(None) => Err(unreadable(&answer, "an address without a street or a country")),
            Err(why) => Err(unreadable(&answer, &why)),
        }
    }

    /// Reads an order by the number the buyer knows.
    pub(in crate::connector::xcart) async fn legacy_order_numbered(
        &self,
        number: &str,
    ) -> Result<Order, Failure> {
        let answer = self.legacy_read(&Call::list("order").only("orderNumber", number)).await?;
        let page = wire::list(&answer.body).map_err(|why| unreadable(&answer, &why))?;
        // A shop that does not narrow the list shows others, too.
        let is_it = |entry: &OrderOnPage| match entry {
            OrderOnPage::Glimpse { number: own, .. } => own.as_str() == number,
            OrderOnPage::Order(_) | OrderOnPage::Unreadable { .. } => false,
        };
        match page.iter().find(|entry| is_it(entry)).and_then(OrderOnPage::id) {
            Some(id) => self.legacy_order(id).await,
            None => Err(problem::no_record()),
        }
    }

    /// Reads one page of orders by their last change, which this shop does not narrow by: all that
    /// were placed in a window are listed, and what was asked for is picked out.
    pub(in crate::connector::xcart) async fn legacy_changed(
        &self,
        query: OrdersQuery,
    ) -> Result<Vec<OrderOnPage>, Failure> {
        let now_s = i64::try_from(clock::now().unix_ms() / 1_000).unwrap_or(i64::MAX);
        let (from_s, to_s) = pick::window(&query, self.legacy_settings().changes_days, now_s);
        let mut listed: Vec<OrderOnPage> = Vec::new();
        for part in 0..LISTS_MAX {
            let from = part.saturating_mul(LIST_LEN.saturating_sub(LIST_OVERLAP));
            let answer = match self.legacy_read(&placed(from_s, to_s).page(from, LIST_LEN)).await {
                // A list without rows may be null.
                Err(failure) if failure.class == Class::NotFound => {
                    return Ok(pick::page(&query, listed));
                }
                answer => answer?,
            };
            let found = wire::list(&answer.body).map_err(|why| unreadable(&answer, &why))?;
            // A shop that does not cut its lists shows all of it, each time.
            let again = part > 0 && first(&found) == first(&listed);
            let is_last = again || wire::rows(&answer.body) != LIST_LEN;
            listed.extend(found);
            if is_last {
                return Ok(pick::page(&query, listed));
            }
        }
        let text = "too many orders for one list: make xcart.legacy.changes_days smaller";
        Err(Failure::new(Fate::NotDone, Class::Config, text))
    }

    /// Sets a status of an order, by the id that its code has in this shop. Absolute.
    pub(in crate::connector::xcart) async fn legacy_set_status(
        &self,
        table: Table,
        (order_id, code): (u64, &str),
    ) -> Result<(), Failure> {
        let id = self.legacy_status_id(table, code).await?;
        let member = format!("{}][id", table.relation());
        self.legacy_write(&Call::change("order", order_id).with(&member, id)).await
    }

    /// Adds a tracking number. Not idempotent: after an unknown fate read the order's first.
    pub(in crate::connector::xcart) async fn legacy_add_tracking(
        &self,
        order_id: u64,
        number: &str,
    ) -> Result<Written, Failure> {
        let made = Call::make("ordertrackingnumber");
        let made = made.with("value", number).with("order][order_id", order_id);
        match self.legacy_write(&made).await {
            Ok(()) => Ok(Written::Yes),
            // A shop of before 5.1.4 has no such records.
            Err(failure) if failure.class == Class::Config && failure.code == "HTTP 404" => {
                Ok(Written::NotOffered)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Adds a line to the notes for the staff, unless it is there. The notes are written as a whole:
    /// what somebody writes between our read and our write is lost.
    pub(in crate::connector::xcart) async fn legacy_add_note(
        &self,
        order_id: u64,
        text: &str,
    ) -> Result<Written, Failure> {
        let answer = self.legacy_read(&Call::read("order", order_id)).await?;
        let notes = notes(&answer)?;
        if notes.lines().any(|line| line.trim() == text) {
            return Ok(Written::Yes);
        }
        let joined =
            if notes.trim().is_empty() { text.to_owned() } else { format!("{notes}\n{text}") };
        let change = Call::change("order", order_id).with("adminNotes", joined);
        self.legacy_write(&change).await.map(|()| Written::Yes)
    }
}

/// Orders by the day they were placed. The notes name the filter in two ways, and a shop passes over
/// the one it does not know.
fn placed(from_s: i64, to_s: i64) -> Call {
    let list = Call::list("order");
    let list = list.only("date][0", from_s).only("date][1", to_s);
    list.only("dateRange][0", from_s).only("dateRange][1", to_s)
}

fn first(listed: &[OrderOnPage]) -> Option<u64> {
    listed.first().and_then(OrderOnPage::id)
}

fn notes(answer: &Answer) -> Result<String, Failure> {
    wire::admin_notes(&answer.body).map_err(|why| unreadable(answer, &why))
}
