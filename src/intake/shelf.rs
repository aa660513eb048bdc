//! Puts deliveries into the journal, each one once.
//!
//! What this module guarantees:
//! 1. A delivery is remembered only after its receipt, so one that was lost is
//!    never taken for one that was kept.
//! 2. A repeated delivery is answered yes without being written again.
//!
//! What it does not: hold up two equal deliveries that arrive in the same
//! moment. Both are kept, and the flow finds nothing to do for the second.

use super::{
    dedup::{Judgement, Memory, judge},
    reception::{Kept, NotKept, Shelf},
    webhook::Signal,
};
use crate::{
    clock::{self, UnixMs},
    failpoint,
    journal::{Journal, JournalError, Seq},
};
use hyper::body::Bytes;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Events that are read at once when the memory is filled.
const RECALL_EVENTS_MAX: usize = 256;

/// Bytes that are read at once when the memory is filled.
const RECALL_BYTES_MAX: usize = 1024 * 1024;

/// Fills a memory from the newest `events_max` events of the journal, so that a
/// delivery repeated across a restart is known again. Blocks while it reads, until
/// `is_over` says that nobody needs it any more.
///
/// What the journal has already dropped is not recalled.
pub fn recall(
    journal: &Journal,
    memory: &Mutex<impl Memory>,
    events_max: u64,
    is_over: impl Fn() -> bool,
) -> Result<(), JournalError> {
    let stats = journal.stats();
    let mut from = stats.first.0.max(stats.next.0.saturating_sub(events_max));
    while from < stats.next.0 && !is_over() {
        let events = journal.read(Seq(from), RECALL_EVENTS_MAX, RECALL_BYTES_MAX)?;
        let Some(last) = events.last() else { break };
        from = last.seq.0.saturating_add(1);
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            // One that came again meanwhile is remembered better.
            if memory.taken_at(&event.delivery).is_none() {
                memory.remember(event.delivery, event.received_ms);
            }
        }
    }
    Ok(())
}

/// The journal, as the intake sees it.
pub trait Ledger: Send + Sync + 'static {
    /// The proof that an entry is on disk.
    type Receipt: Send;

    /// Whether one more entry would be taken, as far as is known without trying.
    fn has_room(&self) -> bool;

    /// Writes an entry; returns only when it is on disk, or known not to be.
    fn append(
        &self,
        signal: Signal,
        body: Bytes,
        received: UnixMs,
    ) -> impl Future<Output = Result<Self::Receipt, NotKept>> + Send;
}

/// A ledger behind a memory.
#[derive(Debug)]
pub struct Once<L, M> {
    ledger: L,
    memory: Arc<Mutex<M>>,
    window: Duration,
}

impl<L: Ledger, M: Memory + Send + 'static> Once<L, M> {
    /// Keeps in `ledger` what `memory` has not seen within `window`.
    pub fn new(ledger: L, memory: Arc<Mutex<M>>, window: Duration) -> Self {
        Self { ledger, memory, window }
    }

    fn memory(&self) -> MutexGuard<'_, M> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Ledger, M: Memory + Send + 'static> Shelf for Once<L, M> {
    type Receipt = L::Receipt;

    fn has_room(&self) -> bool {
        self.ledger.has_room()
    }

    async fn keep(&self, signal: Signal, body: Bytes) -> Result<Kept<L::Receipt>, NotKept> {
        let received = clock::now().unix_ms();
        let delivery = signal.delivery;
        let taken_at = self.memory().taken_at(&delivery);
        if judge(taken_at, received, self.window) == Judgement::Repeated {
            return Ok(Kept::Before);
        }
        let receipt = self.ledger.append(signal, body, received).await?;
        failpoint::pass("intake.kept");
        self.memory().remember(delivery, received);
        Ok(Kept::New(receipt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        intake::{
            dedup::Recent,
            webhook::{Subject, Topic},
        },
        journal::{self, NewEvent},
        order::OrderRef,
    };

    /// A ledger that fails on schedule.
    struct SimLedger(Mutex<Vec<Result<u64, NotKept>>>);

    impl Ledger for SimLedger {
        type Receipt = u64;

        fn has_room(&self) -> bool {
            true
        }

        async fn append(&self, _: Signal, _: Bytes, _: UnixMs) -> Result<u64, NotKept> {
            self.0.lock().unwrap().remove(0)
        }
    }

    #[tokio::test]
    async fn a_delivery_that_was_lost_may_come_again_and_one_that_was_kept_is_not_kept_twice() {
        let ledger = SimLedger(Mutex::new(vec![Err(NotKept::Full), Ok(7), Ok(8)]));
        let shelf =
            Once::new(ledger, Arc::new(Mutex::new(Recent::new(8))), Duration::from_hours(1));
        let signal = |n| Signal {
            source: "shop".to_owned(),
            topic: Topic::OrderUpdated,
            subject: Subject::Order(OrderRef::Id(1)),
            delivery: [n; 32],
        };
        let story = [
            (1, "Err(Full)"),
            (1, "Ok(New(7))"),
            (1, "Ok(Before)"),
            (2, "Ok(New(8))"),
            (2, "Ok(Before)"),
        ];
        for (delivery, want) in story {
            let got = shelf.keep(signal(delivery), Bytes::new()).await;
            assert_eq!(format!("{got:?}"), want, "delivery {delivery}");
        }
    }

    #[tokio::test]
    async fn the_newest_deliveries_are_known_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let config = journal::Config { free_bytes_min: Some(0), ..journal::Config::house() };
        let event = |n: u8| NewEvent {
            source: "shop".to_owned(),
            topic: "order.updated".to_owned(),
            entity: String::new(),
            delivery: [n; 32],
            received_ms: u64::from(n),
            body: vec![n; 100],
        };
        let (journal, committer) = Journal::open(folder.path(), &config).unwrap();
        journal.append_all((1..=5).map(event).collect()).await.unwrap();
        drop((journal, committer));
        let (journal, _committer) = Journal::open(folder.path(), &config).unwrap();
        let recent = Mutex::new(Recent::new(8));
        recall(&journal, &recent, 3, || true).unwrap();
        assert_eq!(recent.lock().unwrap().taken_at(&[5; 32]), None, "nobody needs it");
        recall(&journal, &recent, 3, || false).unwrap();
        let recent = recent.into_inner().unwrap();
        let known: Vec<_> = (1..=5).map(|n| recent.taken_at(&[n; 32])).collect();
        assert_eq!(known, [None, None, Some(3), Some(4), Some(5)]);
    }
}
