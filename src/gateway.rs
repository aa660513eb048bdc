//! Puts the gateway together: the one place that sees every part.
//!
//! What this module guarantees:
//! 1. Nothing is taken in before journal and state are open, checked and locked.
//! 2. The parts get the handles they use and no others.
//! 3. At the end the committers finish what was queued, after every part has stopped.

mod alerts;
mod book;
mod buyers;
mod catalogue;
mod flows;
mod ion;
mod nightly;
mod profiles;

pub use book::Book;

use self::flows::Flows;
use crate::{
    alert,
    cli::serve::Frame,
    clock,
    config::{Config, CredentialError, Credentials, Loaded},
    connector::{
        breaker::Standing,
        gate,
        ion::publish::PublishError,
        m3::{M3, M3Error},
        xcart::rest::{Shop, ShopError},
    },
    control::{Desks, Door},
    delivery::{
        cases::Cases,
        customers::Customers,
        desk::Request,
        dispatch::{Delivery, Tally},
        events,
        perform::Performer,
    },
    flow::rules::Rules,
    intake::{
        began,
        dedup::Recent,
        ion::Stores,
        listener::Listener,
        poller::{self, Poller},
        reception::Reception,
        shelf::{self, Once},
        tls::TlsError,
    },
    journal::{self, Guard, Journal, JournalError, Opening},
    log,
    metrics::{
        Metrics,
        page::{Breaker, Destination, Health, JournalPicture, Picture},
    },
    state::{self, State, StateError},
    supervise::Supervisor,
};
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Questions of people that wait for the dispatcher.
const QUESTIONS_WAITING_MAX: usize = 16;
/// Deliveries that are remembered so that a repeated one is not written again.
const DELIVERIES_REMEMBERED_MAX: usize = 20_000;
/// Deliveries that are read back from the journal at the start.
const DELIVERIES_RECALLED_MAX: u64 = 20_000;
/// How long a delivery is remembered.
const DELIVERY_REMEMBERED: Duration = Duration::from_hours(24);
/// The longest that the picture stays as it is.
const PICTURE_AGE_MAX: Duration = Duration::from_secs(5);

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
    /// ION cannot be answered.
    #[error("ION cannot be called")]
    Ion(#[from] PublishError),
    /// Nobody can be told of anything.
    #[error("a channel for alerts cannot be used")]
    Alerts(#[from] alert::ChannelError),
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

/// Starts every part that is configured. The foundation is dropped after the supervisor has stopped.
pub async fn start(frame: &Frame) -> Result<Foundation, GatewayError> {
    let Frame { loaded: Loaded { config, credentials }, supervisor, metrics, picture } = frame;
    let (state, state_committer) =
        State::open_with(&config.state_dir.join("state"), &config.state, &Guard::own())?;
    let (journal, journal_committer) = open_journal(config, &state)?;
    if state.epoch() == state::Epoch(1) && journal.heads().borrow().0 > 1 {
        tracing::error!("{}", state::NOTHING_LEFT);
    }
    listen(config, credentials, supervisor, (journal.clone(), state.clone()), metrics).await?;
    ion::forget(config, supervisor, state.clone());
    let tally = watch::Sender::new(Tally::default());
    let (desk, requests) = mpsc::channel(QUESTIONS_WAITING_MAX);
    let (alerts_desk, alert_requests) = mpsc::channel(QUESTIONS_WAITING_MAX);
    let flows = Flows::of(config, &state);
    let alerts_desk = config.alerts.as_ref().map(|_| alerts_desk);
    let Flows { goods, buyers, profiles, compared } = flows.clone();
    let desks = Desks { cases: desk, alerts: alerts_desk, goods, buyers, profiles };
    let opened = |source| GatewayError::Door { what: "the control socket", source };
    let door = Door::open(&config.state_dir, desks, (state.clone(), journal.clone()));
    let door = Arc::new(door.map_err(opened)?);
    supervisor.keep("control", move |stop| Arc::clone(&door).run(stop));
    let mut gates = Vec::new();
    if let (Some(xcart), Some(m3)) = (&config.xcart, &config.m3) {
        let shop = Shop::new(xcart.clone(), &credentials.get(&xcart.credential)?)?;
        let m3 = M3::new(m3.clone(), &credentials.get(m3.login.credential())?)?;
        shop.count_calls(&metrics.calls);
        m3.count_calls(&metrics.calls);
        greet(supervisor, shop.clone());
        gates = vec![Gated::Shop(shop.clone()), Gated::M3(m3.clone())];
        flows.start(frame, &state, (&shop, &m3), &tally);
        if let Some(rules) = &config.order_to_cash {
            let stores = (journal.clone(), state.clone());
            poll(config, frame, (shop.clone(), &stores), rules);
            let cases = Cases::new(state.clone()).hearing(ion::ears(frame, &state, &flows)?);
            let rules = Arc::new(Rules { payments: config.payments.clone(), ..rules.clone() });
            let customers = Customers::new(m3.clone(), state.clone(), Arc::clone(&rules));
            let customers = Arc::new(customers);
            if let Some(shared) = &flows.profiles {
                profiles::start(supervisor, &state, (&shop, &customers), shared);
            }
            let performer = Performer::new(shop, m3, rules, customers);
            let parts = (journal.clone(), cases, performer);
            deliver(frame, parts, (requests, tally.clone()));
        }
    }
    if config.order_to_cash.is_none() {
        tracing::warn!("no [order_to_cash]: events are kept, no order is carried over");
    }
    let told = (tally.subscribe(), compared.subscribe());
    let alerts = alerts::watch(frame, (state, journal.clone()), &gates, told, alert_requests)?;
    let draw = drawing(journal, (gates, flows), alerts, picture.clone());
    show(supervisor, draw, tally.subscribe());
    Ok(Foundation { _journal: journal_committer, _state: state_committer })
}

/// Says in the log which API the shop speaks, as soon as it answers.
fn greet(supervisor: &Supervisor, shop: Shop) {
    supervisor.run_once("dialect", move |stop| async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = shop.greet() => {}
        }
    });
}

/// Opens the journal; a full volume gets the room back that is held for that.
fn open_journal(
    config: &Config,
    state: &State,
) -> Result<(Journal, journal::Committer), JournalError> {
    let folder = config.state_dir.join("journal");
    let opening = Opening { guard: Guard::own(), taken: events::taken(state) };
    match Journal::open_with(&folder, &config.journal, opening.clone()) {
        Err(error) if error.is_full() && state::make_room(&config.state_dir.join("state")) => {
            Journal::open_with(&folder, &config.journal, opening)
        }
        opened => opened,
    }
}

fn poll(config: &Config, frame: &Frame, (shop, stores): (Shop, &(Journal, State)), rules: &Rules) {
    let (journal, state) = stores.clone();
    let (prefix, received) = (rules.shop_prefix.clone(), frame.metrics.received.clone());
    let parts = poller::Parts { shop, journal, state, prefix, received };
    let since =
        began::poll_since(&config.state_dir, clock::now().unix_ms()).unwrap_or_else(|error| {
            tracing::warn!(%error, "could not keep when the gateway was first started");
            None
        });
    let poll_since = config.poll.poll_since.or(since.map(poller::Since));
    let poller = Arc::new(Poller::new(parts, &poller::Config { poll_since, ..config.poll }));
    frame.supervisor.keep("poller", move |stop| {
        let poller = Arc::clone(&poller);
        async move { poller.run(stop).await }
    });
}

async fn listen(
    config: &Config,
    credentials: &Credentials,
    supervisor: &Supervisor,
    (journal, state): (Journal, State),
    metrics: &Metrics,
) -> Result<(), GatewayError> {
    let Some(intake) = &config.intake else { return Ok(()) };
    let sources = intake.sources(credentials)?;
    let tls = intake.tls.server(&config.state_dir.join("tls"))?;
    let memory = Arc::new(std::sync::Mutex::new(Recent::new(DELIVERIES_REMEMBERED_MAX)));
    recall(supervisor, journal.clone(), Arc::clone(&memory));
    let stores = Stores {
        journal: journal.clone(),
        state,
        memory: Arc::clone(&memory),
        window: DELIVERY_REMEMBERED,
    };
    let ion = ion::endpoints(config, credentials, supervisor, stores)?;
    let shelf = Once::new(Book(journal), memory, DELIVERY_REMEMBERED);
    let reception = Reception::new(sources, shelf, intake.limits, metrics.received.clone());
    let reception = reception.with_ion(ion);
    let listener = Listener::bind(intake.listen, tls, intake.limits, reception).await;
    let opened = |source| GatewayError::Door { what: "the webhook port", source };
    let listener = Arc::new(listener.map_err(opened)?);
    tracing::info!(address = %intake.listen, "listening for webhooks");
    supervisor.keep("webhooks", move |stop| Arc::clone(&listener).run(stop));
    Ok(())
}

/// Reads the last deliveries back, beside the start: one that comes again before costs a look only.
fn recall(supervisor: &Supervisor, journal: Journal, memory: Arc<std::sync::Mutex<Recent>>) {
    supervisor.run_once("recall", move |stop| async move {
        let read = move || {
            shelf::recall(&journal, &memory, DELIVERIES_RECALLED_MAX, || stop.is_cancelled())
        };
        if let Ok(Err(fault)) = tokio::task::spawn_blocking(read).await {
            tracing::warn!(why = log::chain(&fault), "not every delivery was read back");
        }
    });
}

fn deliver(
    frame: &Frame,
    parts: (Journal, Cases, Performer),
    asked: (mpsc::Receiver<Request>, watch::Sender<Tally>),
) {
    let (config, confirmed) = (frame.loaded.config.delivery, frame.metrics.confirmed.clone());
    let delivery = Delivery::new(parts, config, asked, confirmed);
    let delivery = Arc::new(Mutex::new(delivery));
    frame.supervisor.keep("delivery", move |stop| {
        let delivery = Arc::clone(&delivery);
        async move { delivery.lock().await.run(stop).await }
    });
}

/// A system we call, as far as the picture shows it.
#[derive(Clone)]
enum Gated {
    Shop(Shop),
    M3(M3),
}

impl Gated {
    fn drawn(&self) -> Destination {
        match self {
            Self::Shop(shop) => destination("xcart", &shop.gate_state()),
            Self::M3(m3) => destination("m3", &m3.gate_state()),
        }
    }
}

/// Returns what puts the picture together.
fn drawing(
    journal: Journal,
    (gates, flows): (Vec<Gated>, Flows),
    alerts: watch::Receiver<alert::AlertsPicture>,
    picture: watch::Sender<Picture>,
) -> impl Fn(&Tally) + Send + Sync + 'static {
    move |tally: &Tally| {
        let alert::AlertsPicture { raised, channels } = alerts.borrow().clone();
        let (stats, condition) = (journal.stats(), journal.condition());
        let refusing = |why: String| format!("the journal accepts no event: {why}");
        let fault = tally.fault.clone().or(condition.refusing.map(refusing));
        let now_ms = clock::now().unix_ms();
        let oldest = tally.oldest_due_ms.map(|due| now_ms.saturating_sub(due) / 1_000);
        picture.send_replace(flows.draw(Picture {
            health: fault.map_or(Health::Well, Health::Ill),
            journal: JournalPicture {
                first: stats.first.0,
                next: stats.next.0,
                bytes: stats.bytes,
                lost: condition.lost,
                aside: condition.aside,
            },
            stages: stages(&tally.stages),
            parked: tally.stages.get("parked").copied().unwrap_or(0),
            oldest_waiting_s: oldest.unwrap_or(0),
            destinations: gates.iter().map(Gated::drawn).collect(),
            alerts: raised,
            channels,
            ..Picture::default()
        }));
    }
}

/// Publishes what there is to see, when something changed and now and then.
fn show(
    supervisor: &Supervisor,
    draw: impl Fn(&Tally) + Send + Sync + 'static,
    tally: watch::Receiver<Tally>,
) {
    let draw = Arc::new(draw);
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

fn destination(name: &str, gate: &gate::State) -> Destination {
    let breaker = match gate.breaker {
        Standing::Closed => Breaker::Closed,
        Standing::HalfOpen => Breaker::Trying,
        Standing::Open => Breaker::Open,
    };
    let gate::State { paused_s, rate_permille, .. } = *gate;
    Destination { name: name.to_owned(), breaker, paused_s, rate_permille }
}
