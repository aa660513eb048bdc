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
use crate::clock::{self, UnixMs};
use hyper::body::Bytes;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
    memory: Mutex<M>,
    window: Duration,
}

impl<L: Ledger, M: Memory + Send + 'static> Once<L, M> {
    /// Keeps in `ledger` what `memory` has not seen within `window`.
    pub fn new(ledger: L, memory: M, window: Duration) -> Self {
        Self { ledger, memory: Mutex::new(memory), window }
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
        self.memory().remember(delivery, received);
        Ok(Kept::New(receipt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        intake::{dedup::Recent, webhook::Topic},
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
        let shelf = Once::new(ledger, Recent::new(8), Duration::from_hours(1));
        let signal = |n| Signal {
            source: "shop".to_owned(),
            topic: Topic::OrderUpdated,
            order: OrderRef::Id(1),
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
}
