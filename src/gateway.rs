//! Puts the gateway together: the one place that sees every part.
//!
//! What this module guarantees:
//! 1. Nothing is taken in before journal and state are open, checked and locked.
//! 2. The parts get the handles they use and no others.
//! 3. At the end the committers finish what was queued, after every part has stopped.

use crate::{
    clock::UnixMs,
    config::{Config, CredentialError, Credentials},
    connector::{
        breaker::Standing,
        gate,
        m3::{M3, M3Error},
        xcart::rest::{Shop, ShopError},
    },
    control::Door,
    delivery::{
        cases::Cases,
        desk::Request,
        dispatch::{Delivery, Tally},
        events,
        perform::Performer,
        rows,
    },
    intake::{
        dedup::Recent,
        listener::Listener,
        poller::Poller,
        reception::{NotKept, Reception},
        shelf::{Ledger, Once},
        tls::TlsError,
        webhook::Signal,
    },
    journal::{self, Journal, JournalError, NewEvent, Receipt},
    metrics::{
        Metrics,
        page::{Breaker, Destination, Health, JournalPicture, Picture},
    },
    state::{self, State, StateError},
    supervise::Supervisor,
};
use hyper::body::Bytes;
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Questions of people that wait for the dispatcher.
const QUESTIONS_WAITING_MAX: usize = 16;
/// Deliveries that are remembered so that a repeated one is not written again.
const DELIVERIES_REMEMBERED_MAX: usize = 20_000;
/// How long a delivery is remembered.
const DELIVERY_REMEMBERED: Duration = Duration::from_hours(24);
/// The longest that the picture stays as it is.
const PICTURE_AGE_MAX: Duration = Duration::from_secs(5);
/// Parked cases that the picture counts.
const PARKED_COUNTED_MAX: usize = 100_000;

/// Why the gateway could not be put together. The text continues "could not start: ".
#[derive(Debug, Error)]
pub enum GatewayError {
    /// A secret cannot be read.
    #[error("a credential cannot be read")]
    Credential(#[from] CredentialError),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    /// The state cannot be opened.
    #[error("the state cannot be opened")]
    State(#[from] StateError),
    /// The shop cannot be called.
    #[error("the shop cannot be called")]
    Shop(#[from] ShopError),
    /// M3 cannot be called.
    #[error("M3 cannot be called")]
    M3(#[from] M3Error),
    /// There is no certificate.
    #[error("there is no certificate to show")]
    Tls(#[from] TlsError),
    /// A port or socket cannot be opened.
    #[error("{what} cannot be opened")]
    Door {
        /// Which.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// What has to outlive every part.
#[derive(Debug)]
pub struct Foundation {
    // In this order: the state is written to last.
    _journal: journal::Committer,
    _state: state::Committer,
}

/// Starts every part. The foundation is dropped after the supervisor has stopped.
pub async fn start(
    config: &Config,
    credentials: &Credentials,
    supervisor: &Supervisor,
    metrics: &Metrics,
    picture: watch::Sender<Picture>,
) -> Result<Foundation, GatewayError> {
    let (state, state_committer) = State::open(&config.state_dir.join("state"), &config.state)?;
    let (journal, journal_committer) =
        Journal::open(&config.state_dir.join("journal"), &config.journal)?;
    let shop = Shop::new(config.xcart.clone(), &credentials.get(&config.xcart.credential)?)?;
    let m3 = M3::new(config.m3.clone(), &credentials.get(config.m3.login.credential())?)?;
    let (desk, requests) = mpsc::channel(QUESTIONS_WAITING_MAX);
    let tally = watch::Sender::new(Tally::default());
    let gates = (shop.clone(), m3.clone());
    show(supervisor, (journal.clone(), state.clone()), gates, tally.subscribe(), picture);
    poll(config, supervisor, (shop.clone(), journal.clone(), state.clone()), metrics);
    listen(config, credentials, supervisor, journal.clone(), metrics).await?;
    door(config, supervisor, desk)?;
    deliver(config, supervisor, (journal, state, shop, m3), (requests, tally), metrics);
    Ok(Foundation { _journal: journal_committer, _state: state_committer })
}

fn poll(
    config: &Config,
    supervisor: &Supervisor,
    (shop, journal, state): (Shop, Journal, State),
    metrics: &Metrics,
) {
    let prefix = config.order_to_cash.shop_prefix.clone();
    let received = metrics.received.clone();
    let poller = Poller::new((shop, journal, state), prefix, config.poll.clone(), received);
    let poller = Arc::new(Mutex::new(poller));
    supervisor.keep("poller", move |stop| {
        let poller = Arc::clone(&poller);
        async move { poller.lock().await.run(stop).await }
    });
}

async fn listen(
    config: &Config,
    credentials: &Credentials,
    supervisor: &Supervisor,
    journal: Journal,
    metrics: &Metrics,
) -> Result<(), GatewayError> {
    let Some(intake) = &config.intake else { return Ok(()) };
    let sources = intake.sources(credentials)?;
    let tls = intake.tls.server(&config.state_dir.join("tls"))?;
    let memory = Recent::new(DELIVERIES_REMEMBERED_MAX);
    let shelf = Once::new(Book(journal), memory, DELIVERY_REMEMBERED);
    let reception = Reception::new(sources, shelf, intake.limits, metrics.received.clone());
    let listener = Listener::bind(intake.listen, tls, intake.limits, reception).await;
    let opened = |source| GatewayError::Door { what: "the webhook port", source };
    let listener = Arc::new(listener.map_err(opened)?);
    tracing::info!(address = %intake.listen, "listening for webhooks");
    supervisor.keep("webhooks", move |stop| Arc::clone(&listener).run(stop));
    Ok(())
}

fn door(
    config: &Config,
    supervisor: &Supervisor,
    desk: mpsc::Sender<Request>,
) -> Result<(), GatewayError> {
    let opened = |source| GatewayError::Door { what: "the control socket", source };
    let door = Arc::new(Door::open(&config.state_dir, desk).map_err(opened)?);
    supervisor.keep("control", move |stop| Arc::clone(&door).run(stop));
    Ok(())
}

fn deliver(
    config: &Config,
    supervisor: &Supervisor,
    (journal, state, shop, m3): (Journal, State, Shop, M3),
    (requests, tally): (mpsc::Receiver<Request>, watch::Sender<Tally>),
    metrics: &Metrics,
) {
    let rules = Arc::new(config.order_to_cash.clone());
    let performer = Performer::new(shop, m3, state.clone(), Arc::clone(&rules));
    let parts = (journal, Cases::new(state), performer);
    let counted = metrics.confirmed.clone();
    let delivery = Delivery::new(parts, rules, config.delivery, (requests, tally), counted);
    let delivery = Arc::new(Mutex::new(delivery));
    supervisor.keep("delivery", move |stop| {
        let delivery = Arc::clone(&delivery);
        async move { delivery.lock().await.run(stop).await }
    });
}

/// The journal as the intake writes to it.
struct Book(Journal);

impl Ledger for Book {
    type Receipt = Receipt;

    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    async fn append(
        &self,
        signal: Signal,
        body: Bytes,
        received: UnixMs,
    ) -> Result<Receipt, NotKept> {
        let event = NewEvent {
            source: signal.source,
            topic: signal.topic.wire().to_owned(),
            entity: events::entity(&signal.order),
            delivery: signal.delivery,
            received_ms: received,
            body: body.into(),
        };
        self.0.append(event).await.map_err(|fault| match fault {
            JournalError::Full | JournalError::Unavailable | JournalError::Closed => NotKept::Full,
            JournalError::TooLarge { .. } => NotKept::TooLarge,
            JournalError::Damaged { .. } | JournalError::Unreadable { .. } => NotKept::Failed,
            JournalError::Newer(..) | JournalError::Config(_) => NotKept::Failed,
            JournalError::Store(_) => NotKept::Failed,
        })
    }
}

/// Publishes what there is to see, when something changed and now and then.
fn show(
    supervisor: &Supervisor,
    (journal, state): (Journal, State),
    (shop, m3): (Shop, M3),
    tally: watch::Receiver<Tally>,
    picture: watch::Sender<Picture>,
) {
    let draw = Arc::new(move |tally: &Tally| {
        let parked = state.scan(rows::table("k"), PARKED_COUNTED_MAX).map_or(0, |rows| rows.len());
        let stats = journal.stats();
        let now_ms = crate::clock::now().unix_ms();
        let oldest = tally.oldest_due_ms.map(|due| now_ms.saturating_sub(due) / 1_000);
        picture.send_replace(Picture {
            health: tally.fault.clone().map_or(Health::Well, Health::Ill),
            journal: JournalPicture {
                first: stats.first.0,
                next: stats.next.0,
                bytes: stats.bytes,
            },
            stages: stages(&tally.stages),
            parked: u64::try_from(parked).unwrap_or(u64::MAX),
            oldest_waiting_s: oldest.unwrap_or(0),
            destinations: vec![
                destination("xcart", shop.gate_state()),
                destination("m3", m3.gate_state()),
            ],
        });
    });
    supervisor.keep("picture", move |stop: CancellationToken| {
        let (draw, mut tally) = (Arc::clone(&draw), tally.clone());
        async move {
            loop {
                let now = tally.borrow_and_update().clone();
                draw(&now);
                // Not more often than a person can look.
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    _ = tally.changed() => {}
                    () = tokio::time::sleep(PICTURE_AGE_MAX) => {}
                }
            }
        }
    });
}

fn stages(counted: &BTreeMap<&'static str, u64>) -> Vec<(String, u64)> {
    counted.iter().map(|(stage, count)| ((*stage).to_owned(), *count)).collect()
}

fn destination(name: &str, gate: gate::State) -> Destination {
    let breaker = match gate.breaker {
        Standing::Closed => Breaker::Closed,
        Standing::HalfOpen => Breaker::Trying,
        Standing::Open => Breaker::Open,
    };
    Destination { name: name.to_owned(), breaker }
}
