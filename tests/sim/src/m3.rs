//! An Infor M3 behind its gateway, as `reference/m3.md` describes it.
//!
//! Guarantees: it does what the reference says and not what a client hopes; what it was asked and
//! what it booked can be read at any time; the same seed gives the same M3. It keeps nothing on
//! disk, and it has no interface but MI over REST.

mod admin;
mod areas;
mod batches;
pub mod books;
mod call;
mod catalogue;
mod check;
mod confirm;
mod customers;
mod deliveries;
mod faults;
mod gateway;
mod hands;
mod inbound;
mod invoices;
mod items;
mod master;
mod message;
mod messaging;
mod metadata;
mod mi_v1;
mod mi_v2;
mod money;
mod options;
mod orders;
mod parse;
mod prices;
mod real;
mod render;
mod route;
mod state;
mod token;
mod vouchers;
mod warehouse;
mod work;
mod world;

pub use batches::BookedPayment;
pub use books::{BookedDelivery, BookedInvoice, Books, Customer, RealLine, RealOrder, Seen};
pub use faults::Trouble;
pub use inbound::Published;
pub use messaging::{Listing, Messaging};
pub use options::{
    Auth, Codes, DateFormat, DeskBooks, EmptyRecords, Language, LineAgain, Options,
    OrderEntryNames, Switches,
};
pub use prices::{ListedPrice, PriceKey};
pub use state::SEEN_MAX;

use crate::{
    serve,
    weather::{Fault, Weather},
};
use rust_decimal::Decimal;
use state::Core;
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpListener;

/// How long work under way may take after the stop.
const STOP_MS_MAX: u64 = 3_000;

/// One running M3; clones are the same one.
#[derive(Clone, Debug)]
pub struct M3 {
    core: Arc<Core>,
}

impl M3 {
    /// Starts one at this address; port 0 takes a free one.
    pub async fn start(addr: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let own = format!("{scheme}://{}", listener.local_addr()?);
        let url = options.public_url.clone().unwrap_or(own);
        let tls = options.tls.clone();
        let m3 = Self::new(options, url, wall_ms());
        let serving = Arc::clone(&m3.core);
        let handler = move |request| gateway::answer(Arc::clone(&serving), request);
        m3.core.work.spawn(serve::serve(listener, tls, m3.core.stop.clone(), handler));
        Ok(m3)
    }

    /// Starts one without a socket, at this time of day in Unix milliseconds: it is asked by
    /// [`M3::answer`], and its time is tokio's, which may be paused.
    pub fn unplugged(options: Options, wall_ms: u64) -> Self {
        Self::new(options, "https://m3.simulated".to_owned(), wall_ms)
    }

    /// Answers one request, as its server would.
    pub async fn answer(&self, request: serve::Request) -> serve::Answer {
        gateway::answer(Arc::clone(&self.core), request).await
    }

    fn new(options: Options, url: String, started_wall_ms: u64) -> Self {
        let user = match &options.auth {
            Auth::Ionapi => "WEBUSER".to_owned(),
            Auth::Basic { user, .. } => user.clone(),
        };
        let setup = Arc::new(world::Setup {
            codes: options.codes.clone(),
            catalogue: catalogue::Catalogue::new(options.switches.order_entry_names),
            index_ms: options.index_ms,
            partial_permille: options.partial_permille,
            vat_permille: options.vat_permille,
            user,
        });
        let core = Arc::new(Core::new(options, setup, url, started_wall_ms));
        core.work.spawn(pace(Arc::clone(&core)));
        Self { core }
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        self.core.url.clone()
    }

    /// Where its API begins: execute and v2 are below it.
    pub fn api(&self) -> String {
        format!("{}{}", self.core.url, self.core.base)
    }

    /// The `.ionapi` file as Infor delivers it.
    pub fn ionapi(&self) -> String {
        let file = self.core.app.file(&self.core.options.tenant, &self.core.url);
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    /// What company 100 has booked.
    pub fn books(&self) -> Books {
        self.core.with(|state| state.world().books())
    }

    /// How many orders company 100 has booked.
    pub fn booked(&self) -> usize {
        self.core.with(|state| state.world().booked())
    }

    /// What it executed, oldest first, at most [`SEEN_MAX`].
    pub fn what_it_saw(&self) -> Vec<Seen> {
        self.core.with(|state| state.seen.clone())
    }

    /// What applications published to ION, oldest first.
    pub fn published(&self) -> Vec<Published> {
        self.core.with(|state| state.published.clone())
    }

    /// Lets ION refuse the next publications with these statuses, the first one first.
    pub fn refuse_publications(&self, statuses: &[u16]) {
        let reversed = statuses.iter().rev().copied().collect();
        self.core.with(|state| state.ion_refusals = reversed);
    }

    /// Changes the weather.
    pub fn set_weather(&self, weather: Weather) {
        self.core.with(|state| state.weather = weather);
    }

    /// Changes how it behaves. The names of order entry stay as they were at the start.
    pub fn set_switches(&self, switches: Switches) {
        self.core.with(|state| state.switches = switches);
    }

    /// Moves every order one step on.
    pub fn advance(&self) {
        let now = self.core.now();
        self.core.with(|state| state.world().advance(now));
    }

    /// How often the warehouse moves by itself; 0 is never.
    pub fn set_pace_ms(&self, pace_ms: u64) {
        self.core.set_pace_ms(pace_ms);
    }

    /// Whether orders stay where they are allocated.
    #[expect(clippy::fn_params_excessive_bools, reason = "held or not held")]
    pub fn hold_deliveries(&self, held: bool) {
        self.core.with(|state| state.world().warehouse_held = held);
    }

    /// Lets this order leave in two parts, when nothing of it is allocated yet.
    pub fn deliver_partially(&self, orno: &str) {
        self.core.with(|state| {
            if let Some(order) = state.world().orders.get_mut(orno) {
                order.parts = 2;
            }
        });
    }

    /// Restarts M3: work under way and tokens are lost, a Confirm under way is interrupted, and
    /// unless they are kept so are temporary orders that are not confirmed.
    #[expect(clippy::fn_params_excessive_bools, reason = "kept or not kept")]
    pub fn restart(&self, keep_unconfirmed: bool) {
        self.core.restart();
        if !keep_unconfirmed {
            self.core.forget_unconfirmed();
        }
    }

    /// Takes it away: connections are cut or answered with a maintenance page.
    #[expect(clippy::fn_params_excessive_bools, reason = "on or off")]
    pub fn outage(&self, on: bool) {
        self.core.with(|state| state.outage = on);
    }

    /// Ends every token, refresh tokens too.
    pub fn revoke_tokens(&self) {
        self.core.with(|state| state.tokens.revoke_all());
    }

    /// Blocks a customer (STAT 90).
    pub fn block_customer(&self, cuno: &str) {
        self.core.set_customer_status(cuno, "90");
    }

    /// Activates a customer (STAT 20).
    pub fn unblock_customer(&self, cuno: &str) {
        self.core.set_customer_status(cuno, "20");
    }

    /// Sets one field of a customer, such as BLCD or TXAP.
    pub fn set_customer_field(&self, cuno: &str, field: &str, value: &str) {
        let wall_ms = self.core.now().wall_ms;
        self.core.with(|state| {
            if field == "MAIL" {
                state.world().note_mail(value, cuno);
            }
            if let Some(customer) = state.world().customers.get_mut(cuno) {
                customer.changed_wall_ms = wall_ms;
                customer.fields.insert(field.to_owned(), value.to_owned());
            }
        });
    }

    /// Sets the status of an item.
    pub fn set_item_status(&self, itno: &str, stat: &str) {
        self.core.set_item_status(itno, stat);
    }

    /// Sets the price of an item.
    pub fn set_item_price(&self, itno: &str, price: Decimal) {
        self.core.change_item(itno, |article| article.item.price = price);
    }

    /// Enters or changes a price in a price list; a new company has the list `WEB` in EUR.
    pub fn set_listed_price(&self, key: PriceKey, price: ListedPrice) {
        let now = self.core.now();
        self.core.with(|state| {
            state.world().prices.insert(key, (price, now.wall_ms));
        });
    }

    /// Takes a price out of a price list.
    pub fn remove_listed_price(&self, key: &PriceKey) {
        self.core.with(|state| {
            state.world().prices.remove(key);
        });
    }

    /// Adds an item to its catalogue.
    pub fn add_item(&self, item: &crate::catalogue::Item) {
        let now = self.core.now();
        self.core.with(|state| state.world().add_item(item, now.wall_ms));
    }

    /// Sets what a warehouse holds of an item.
    pub fn set_stock(&self, warehouse: &str, itno: &str, on_hand: Decimal) {
        let now = self.core.now();
        self.core.with(|state| {
            state
                .world()
                .move_stock(warehouse, itno, now.wall_ms, |balance| balance.on_hand = on_hand);
        });
    }

    /// What a warehouse can still promise of an item (AV01, AV02).
    pub fn stock(&self, warehouse: &str, itno: &str) -> Option<(Decimal, Decimal)> {
        let key = (warehouse.to_owned(), itno.to_owned());
        self.core.with(|state| {
            let found = state.world().stock.get(&key)?;
            Some((found.av01(), found.av02()))
        })
    }

    /// Adds an active customer.
    pub fn add_customer(&self, cuno: &str, name: &str, mail: &str) {
        let now = self.core.now();
        self.core.with(|state| state.world().add_customer(cuno, name, mail, now.wall_ms));
    }

    /// Lets the next call of a transaction suffer this instead of the weather.
    pub fn fault_next(&self, program: &str, transaction: &str, fault: Fault) {
        self.trouble_next(program, transaction, Trouble::Way(fault));
    }

    /// Lets the next call of a transaction go wrong in a way of M3's own.
    pub fn trouble_next(&self, program: &str, transaction: &str, trouble: Trouble) {
        self.core.with(|state| state.scripts.add(program, transaction, trouble));
    }

    /// Forgets the faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.core.with(|state| state.scripts.clear());
    }

    /// Stops it; what is under way is given a moment to end.
    pub async fn stop(self) {
        self.core.stop.cancel();
        self.core.work.close();
        let ended = self.core.work.wait();
        let _ = tokio::time::timeout(Duration::from_millis(STOP_MS_MAX), ended).await;
    }
}

impl Core {
    fn forget_unconfirmed(&self) {
        self.with(|state| state.worlds.values_mut().for_each(world::World::forget_unconfirmed));
    }

    fn restart(&self) {
        self.with(|state| {
            state.epoch += 1;
            state.tokens.revoke_all();
            state.worlds.values_mut().for_each(world::World::interrupt);
        });
    }

    fn set_pace_ms(&self, pace_ms: u64) {
        self.with(|state| state.pace_ms = pace_ms);
        self.pace_changed.notify_one();
    }

    fn set_item_status(&self, itno: &str, stat: &str) {
        self.change_item(itno, |article| stat.clone_into(&mut article.item.status));
    }

    fn set_customer_status(&self, cuno: &str, stat: &str) {
        let now = self.now();
        self.with(|state| {
            if let Some(customer) = state.world().customers.get_mut(cuno) {
                stat.clone_into(&mut customer.stat);
                customer.changed_wall_ms = now.wall_ms;
            }
        });
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

/// Moves the warehouse on as often as it is told to.
async fn pace(core: Arc<Core>) {
    loop {
        let pace_ms = core.with(|state| state.pace_ms);
        let due = async {
            if pace_ms == 0 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(pace_ms)).await;
        };
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = core.pace_changed.notified() => {}
            () = due => {
                let now = core.now();
                core.with(|state| state.world().advance(now));
            }
        }
    }
}

#[cfg(test)]
mod tests;
