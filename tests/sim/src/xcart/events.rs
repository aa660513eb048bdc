//! What happened in the shop, on its way to whoever tells the webhook.
//!
//! Guarantee: a full queue never holds up the shop; what does not fit counts as lost.

use super::options::{Payload, WebhookTarget};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

/// Events waiting to be told at most.
pub(crate) const EVENTS_LEN_MAX: usize = 100_000;

/// Something that happened to an order or a profile.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) event: &'static str,
    pub(crate) id: u64,
    /// None for a profile.
    pub(crate) number: Option<String>,
    /// The resource as it was then, when the target wants it.
    pub(crate) full: Option<Value>,
}

/// An event and where it is to be told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) happened: Happened,
    pub(crate) target: Arc<WebhookTarget>,
}

/// Where the shop leaves what happened.
#[derive(Debug)]
pub(crate) struct Outbox {
    target: Option<Arc<WebhookTarget>>,
    queue: mpsc::Sender<Told>,
    counts: Arc<Counts>,
}

impl Outbox {
    /// An outbox and the far end of its queue.
    pub(crate) fn new(
        target: Option<WebhookTarget>,
        counts: Arc<Counts>,
    ) -> (Self, mpsc::Receiver<Told>) {
        let (queue, events) = mpsc::channel(EVENTS_LEN_MAX);
        (Self { target: target.map(Arc::new), queue, counts }, events)
    }

    /// Tells another target from here on, or none.
    pub(crate) fn aim(&mut self, target: Option<WebhookTarget>) {
        self.target = target.map(Arc::new);
    }

    /// Whether anybody is told anything.
    pub(crate) fn wanted(&self) -> bool {
        self.target.is_some()
    }

    /// Whether bodies hold the whole resource.
    pub(crate) fn wants_full(&self) -> bool {
        self.target.as_ref().is_some_and(|target| target.payload == Payload::Full)
    }

    /// Leaves an event to be told.
    pub(crate) fn tell(&self, happened: Happened) {
        let Some(target) = &self.target else { return };
        let told = Told { happened, target: Arc::clone(target) };
        self.counts.waiting.fetch_add(1, Ordering::SeqCst);
        if self.queue.try_send(told).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::SeqCst);
            self.counts.lost.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// How the telling went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Attempts made.
    pub sent: u64,
    /// Attempts answered 2xx.
    pub accepted: u64,
    /// Attempts answered otherwise or not at all.
    pub refused: u64,
    /// Events never told: by bad luck, or for want of room.
    pub lost: u64,
    /// Events told twice.
    pub duplicates: u64,
    /// Deliveries given up after all retries.
    pub given_up: u64,
    /// Deliveries not ended yet.
    pub waiting: u64,
}

/// The counters behind [`WebhookCounts`].
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) waiting: AtomicU64,
}

impl Counts {
    /// As they are now.
    pub(crate) fn read(&self) -> WebhookCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        WebhookCounts {
            sent: of(&self.sent),
            accepted: of(&self.accepted),
            refused: of(&self.refused),
            lost: of(&self.lost),
            duplicates: of(&self.duplicates),
            given_up: of(&self.given_up),
            waiting: of(&self.waiting),
        }
    }
}
