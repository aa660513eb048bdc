//! The journal as the intake writes to it.

use crate::{
    clock::UnixMs,
    delivery::events,
    intake::{
        reception::NotKept,
        shelf::Ledger,
        webhook::{Signal, Subject},
    },
    journal::{Journal, JournalError, NewEvent, Receipt},
    log,
};
use hyper::body::Bytes;

/// The journal as the intake writes to it.
#[derive(Debug)]
pub struct Book(pub Journal);

impl Ledger for Book {
    type Receipt = Receipt;

    fn has_room(&self) -> bool {
        // A full queue or disk answers at the append itself, before anything is written.
        true
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
            entity: match &signal.subject {
                Subject::Order(order) => events::entity(order),
                Subject::Profile(id) => events::profile_entity(*id),
            },
            delivery: signal.delivery,
            received_ms: received,
            body: body.into(),
        };
        self.0.append(event).await.map_err(|fault| match fault {
            JournalError::Full | JournalError::Unavailable | JournalError::Closed => NotKept::Full,
            JournalError::TooLarge { .. } => NotKept::TooLarge,
            fault @ (JournalError::Damaged { .. }
            | JournalError::Unreadable { .. }
            | JournalError::Newer(..)
            | JournalError::Config(_)
            | JournalError::Store(_)) => {
                tracing::error!(why = log::chain(&fault), "a delivery could not be kept");
                NotKept::Failed
            }
        })
    }
}
