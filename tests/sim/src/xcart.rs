//! An X-Cart shop, as reference/xcart.md describes it: one of 5.5, or one of 5.0 to 5.4.
//!
//! Guarantees: what the API shows is what [`Shop::books`] says; an order without a defect can be
//! imported, one with a defect cannot; the same seed gives the same shop and the same orders.

mod address;
mod address_calls;
mod admin;
mod api;
mod books;
mod call;
mod classes;
mod dates;
mod docs;
mod events;
mod fields;
mod front;
mod hands;
mod legacy;
mod money;
mod options;
mod order;
mod order_calls;
mod order_wire;
mod outcome;
mod php_json;
mod place;
mod product;
mod profile;
mod query;
mod refusal;
mod route;
mod seed;
mod spec;
mod statuses;
mod webhook;
mod wholesale;
mod words;
mod world;

pub use address::Address;
pub use books::{BookedLine, BookedOrder, BookedSurcharge, Seen};
pub use events::WebhookCounts;
pub use options::{
    Clock, DateFilter, Depth, Encoding, ITEMS_BY_DEFAULT, Legacy, Options, Payload, Quirks,
    Signature, Timestamp, WebhookTarget,
};
pub use order::{Defect, SurchargeKind};
pub use spec::{Customer, OrderSpec};
pub use webhook::Courier;
pub use world::SEEN_LEN_MAX;

use crate::{
    dice::Dice,
    serve,
    weather::{Fault, Weather},
};
use call::Tokens;
use events::{Counts, Outbox};
use front::{Front, Ordered, Sky, lock};
use rust_decimal::Decimal;
use statuses::Table;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Handle, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use world::World;

/// A shop that is open. Clones are handles to the same shop.
#[derive(Clone)]
pub struct Shop {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    sky: Mutex<Sky>,
    counts: Arc<Counts>,
    url: String,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    pays_after: Option<Duration>,
    runtime: Handle,
    tokens: Tokens,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shop({})", self.url())
    }
}

impl Shop {
    /// Opens a shop; port 0 takes any that is free.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let tls = options.tls.clone();
        let shop = Self::new(options, url, None);
        let (front, end) = (Front { shop: shop.clone() }, shop.inner.stop.clone());
        let handler = move |request| front.clone().answer(request);
        let server = tokio::spawn(serve::serve(listener, tls, end, handler));
        lock(&shop.inner.tasks).push(server);
        Ok(shop)
    }

    /// Opens a shop without a socket: it is asked by [`Shop::answer`], and its webhooks are given
    /// to the courier.
    pub fn unplugged(options: Options, courier: Arc<dyn Courier>) -> Self {
        Self::new(options, "https://shop.simulated".to_owned(), Some(courier))
    }

    /// Answers one request, as its server would.
    pub async fn answer(&self, request: serve::Request) -> serve::Answer {
        Front { shop: self.clone() }.answer(request).await
    }

    fn new(options: Options, url: String, courier: Option<Arc<dyn Courier>>) -> Self {
        let dice = Dice::new(options.seed);
        let counts = Arc::new(Counts::default());
        let (outbox, events) = Outbox::new(options.webhook.clone(), Arc::clone(&counts));
        let closed = CancellationToken::new();
        let sky = Sky {
            weather: options.weather.clone(),
            redeploying: false,
            outage: false,
            ordered: Vec::new(),
            dice: dice.fork("sky"),
        };
        let world = World::new(&options, outbox);
        let inner = Inner {
            world: Mutex::new(world),
            sky: Mutex::new(sky),
            counts: Arc::clone(&counts),
            url,
            stop: closed.clone(),
            tasks: Mutex::new(Vec::new()),
            pays_after: options.pays_after_ms.map(Duration::from_millis),
            runtime: Handle::current(),
            tokens: Tokens { read: options.read_token, write: options.write_token },
        };
        let shop = Self { inner: Arc::new(inner) };
        let telling = webhook::run(events, dice.fork("webhook"), counts, closed, courier);
        lock(&shop.inner.tasks).push(tokio::spawn(telling));
        shop
    }

    /// The shop's base URL, without a slash at its end.
    pub fn url(&self) -> String {
        self.inner.url.clone()
    }

    /// Closes the shop; calls under way may end.
    pub async fn stop(self) {
        self.inner.stop.cancel();
        let tasks: Vec<JoinHandle<()>> = lock(&self.inner.tasks).drain(..).collect();
        for task in tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
    }

    /// Tells another webhook from here on.
    pub fn set_webhook(&self, target: WebhookTarget) {
        lock(&self.inner.world).outbox.aim(Some(target));
    }

    /// Tells no webhook from here on.
    pub fn unset_webhook(&self) {
        lock(&self.inner.world).outbox.aim(None);
    }

    /// Places orders out of the dice and gives their numbers.
    pub fn place_orders(&self, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| {
                let mut world = lock(&self.inner.world);
                let spec = world.draw();
                let number = place::place(&mut world, spec);
                let unpaid = world
                    .order_by_number(&number)
                    .is_some_and(|order| order.status_code(Table::Payment) == Some("Q"));
                drop(world);
                if unpaid {
                    self.pay_later(number.clone());
                }
                number
            })
            .collect()
    }

    /// Lets the orders have come in evenly over the last `span_s` seconds, and not all in one.
    pub fn spread_orders(&self, span_s: i64) {
        let mut world = lock(&self.inner.world);
        let (now_s, count) = (world.now_s(), i64::try_from(world.orders.len()).unwrap_or(i64::MAX));
        for (place, order) in (0..).zip(world.orders.values_mut()) {
            let at_s = now_s - span_s + span_s * place / count.max(1);
            (order.created_s, order.updated_s) = (at_s, at_s);
        }
    }

    fn pay_later(&self, number: String) {
        let Some(after) = self.inner.pays_after else { return };
        let (shop, closed) = (self.clone(), self.inner.stop.clone());
        self.inner.runtime.spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = tokio::time::sleep(after) => {
                    shop.pay(&number);
                }
            }
        });
    }

    /// Places one order made by hand and gives its number.
    pub fn place(&self, spec: OrderSpec) -> String {
        place::place(&mut lock(&self.inner.world), spec)
    }

    /// Cancels an order as an admin does: payment C, shipping WND. False if there is none.
    pub fn cancel(&self, number: &str) -> bool {
        self.set_payment_status(number, "C") && self.set_shipping_status(number, "WND")
    }

    /// Changes how much of a SKU an order has; 0 removes the line. False if there is none.
    pub fn change_quantity(&self, number: &str, sku: &str, quantity: u32) -> bool {
        lock(&self.inner.world).change_quantity(number, sku, quantity)
    }

    /// Sets the payment status as an admin does. False if there is no such order or code.
    pub fn set_payment_status(&self, number: &str, code: &str) -> bool {
        self.set_status(number, Table::Payment, code)
    }

    /// Sets the shipping status as an admin does. False if there is no such order or code.
    pub fn set_shipping_status(&self, number: &str, code: &str) -> bool {
        self.set_status(number, Table::Shipping, code)
    }

    fn set_status(&self, number: &str, table: Table, code: &str) -> bool {
        let mut world = lock(&self.inner.world);
        let Some(id) = world.by_number.get(number).copied() else { return false };
        let Some(status) = table.named(code) else { return false };
        world.set_status(id, table, status.id);
        true
    }

    /// What is true, in the order it was placed.
    pub fn books(&self) -> Vec<BookedOrder> {
        let world = lock(&self.inner.world);
        world.orders.values().map(|order| BookedOrder::of(order, &world.quirks)).collect()
    }

    /// What is true of one order.
    pub fn booked(&self, number: &str) -> Option<BookedOrder> {
        let world = lock(&self.inner.world);
        world.order_by_number(number).map(|order| BookedOrder::of(order, &world.quirks))
    }

    /// The goods the shop was opened with.
    pub fn goods(&self) -> Vec<crate::catalogue::Item> {
        lock(&self.inner.world).goods.clone()
    }

    /// The stock of a SKU, if the shop sells it.
    pub fn amount(&self, sku: &str) -> Option<i64> {
        let world = lock(&self.inner.world);
        let (product, variant) = world.shelf.get(sku)?;
        world.products.get(product)?.amount(*variant)
    }

    /// The price of a SKU, as the API shows it.
    pub fn price(&self, sku: &str) -> Option<Decimal> {
        let world = lock(&self.inner.world);
        let (product, variant) = world.shelf.get(sku)?;
        world.products.get(product)?.price(*variant)
    }

    /// The product of a SKU as the API shows it, if it is sold as one of its own.
    pub fn product(&self, sku: &str) -> Option<serde_json::Value> {
        let world = lock(&self.inner.world);
        let (product, variant) = world.shelf.get(sku)?;
        world.products.get(product).filter(|_| variant.is_none()).map(product::Product::wire)
    }

    /// How many products there are.
    pub fn products(&self) -> usize {
        lock(&self.inner.world).products.len()
    }

    /// Somebody in the back office changes a field of a product.
    pub fn set_product(&self, sku: &str, field: &str, value: serde_json::Value) {
        let mut world = lock(&self.inner.world);
        let Some((product, None)) = world.shelf.get(sku).copied() else { return };
        if let Some(product) = world.products.get_mut(&product) {
            product.fields.insert(field.to_owned(), value);
        }
    }

    /// Somebody in the back office adds a product with the shop's defaults.
    pub fn add_product(&self, sku: &str, name: &str) {
        product::add(&mut lock(&self.inner.world), sku, name);
    }

    /// The wholesale prices of a SKU, in the order of quantity and membership: from so many pieces on,
    /// for whom, the price.
    pub fn wholesale(&self, sku: &str) -> Vec<(u64, Option<u64>, Decimal)> {
        let world = lock(&self.inner.world);
        let Some(owner) = world.shelf.get(sku) else { return Vec::new() };
        let of = world.wholesale.iter().filter(|((of, _), _)| of == owner);
        let mut all: Vec<_> = of
            .map(|(_, fields)| {
                let number = |name: &str| fields.get(name).and_then(serde_json::Value::as_u64);
                let price = fields.get("price").map(ToString::to_string).unwrap_or_default();
                let price = price.parse::<Decimal>().unwrap_or_default().normalize();
                (number("quantity_range_begin").unwrap_or(0), number("membership"), price)
            })
            .collect();
        all.sort();
        all
    }

    /// Somebody in the back office adds a wholesale price: from so many pieces on, for whom.
    pub fn add_wholesale(&self, sku: &str, of: (u64, Option<u64>), price: f64) {
        let mut world = lock(&self.inner.world);
        let Some(owner) = world.shelf.get(sku).copied() else { return };
        wholesale::add(&mut world, owner, of, price);
    }

    /// Somebody in the back office types another number of pieces in.
    pub fn set_amount(&self, sku: &str, amount: i64) {
        let mut world = lock(&self.inner.world);
        let Some((product, variant)) = world.shelf.get(sku).copied() else { return };
        if let Some(product) = world.products.get_mut(&product)
            && let Some(now) = product.amount(variant)
        {
            product.shift_amount(variant, amount - now);
        }
    }

    /// Somebody in the back office deletes the product of a SKU, with its variants.
    pub fn remove_product(&self, sku: &str) {
        let mut world = lock(&self.inner.world);
        let Some((product, _)) = world.shelf.get(sku).copied() else { return };
        world.products.remove(&product);
        world.shelf.retain(|_, (other, _)| *other != product);
    }

    /// The calls the shop got, oldest first, at most [`SEEN_LEN_MAX`].
    pub fn what_it_saw(&self) -> Vec<Seen> {
        lock(&self.inner.world).seen.iter().cloned().collect()
    }

    /// How the telling of webhooks went so far.
    pub fn webhooks_sent(&self) -> WebhookCounts {
        self.inner.counts.read()
    }

    /// Changes the weather.
    pub fn set_weather(&self, weather: Weather) {
        lock(&self.inner.sky).weather = weather;
    }

    /// Changes the quirks.
    pub fn set_quirks(&self, quirks: Quirks) {
        lock(&self.inner.world).quirks = quirks;
    }

    /// Makes it another kind of shop of 5.0 to 5.4, or one of 5.5.
    pub fn set_legacy(&self, legacy: Option<Legacy>) {
        lock(&self.inner.world).legacy = legacy;
    }

    #[expect(clippy::fn_params_excessive_bools, reason = "the one word says what it is")]
    /// Begins or ends a redeployment: every call gets 503 and a page of HTML.
    pub fn redeploy(&self, on: bool) {
        lock(&self.inner.sky).redeploying = on;
    }

    #[expect(clippy::fn_params_excessive_bools, reason = "the one word says what it is")]
    /// Begins or ends an outage: every call is cut off without an answer.
    pub fn outage(&self, on: bool) {
        lock(&self.inner.sky).outage = on;
    }

    /// Orders a fault for the next call of this method below this path.
    pub fn fault_next(&self, method: &str, path_prefix: &str, fault: Fault) {
        let (method, path_prefix) = (method.to_owned(), path_prefix.to_owned());
        lock(&self.inner.sky).ordered.push(Ordered { method, path_prefix, fault });
    }
}

#[cfg(test)]
mod tests;
