//! The journal in memory, for simulations. It survives for as long as a clone of it does.
//!
//! Guarantees: those of the journal on disk, as far as the simulated disk lets it.

use super::{Event, JournalError, JournalStats, NewEvent, Receipt, Seq, StoreError};
use crate::rehearsal::{Disk, Verdict, When};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Events in memory; clones are the same events.
#[derive(Clone, Debug)]
pub struct Memory {
    books: Arc<Mutex<Books>>,
    head: Arc<watch::Sender<Seq>>,
    disk: Arc<dyn Disk>,
}

#[derive(Debug, Default)]
struct Books {
    events: VecDeque<Event>,
    bytes: u64,
}

impl Memory {
    /// Starts without events.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { books: Arc::default(), head: Arc::new(watch::Sender::new(Seq(1))), disk }
    }

    pub(super) async fn append_all(
        &self,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Receipt>, JournalError> {
        if self.ask(When::Before).await? == Verdict::Lie {
            let next = self.head.borrow().0;
            return Ok((next..).zip(events).map(|(seq, _)| Receipt(Seq(seq))).collect());
        }
        let receipts = self.write(events);
        self.ask(When::After).await?;
        Ok(receipts)
    }

    fn write(&self, events: Vec<NewEvent>) -> Vec<Receipt> {
        let mut books = self.books();
        let mut next = self.head.borrow().0;
        let mut receipts = Vec::with_capacity(events.len());
        for event in events {
            let seq = Seq(next);
            next = next.saturating_add(1);
            receipts.push(Receipt(seq));
            let NewEvent { source, topic, entity, delivery, received_ms, body } = event;
            books.bytes = books.bytes.saturating_add(length(&body));
            books.events.push_back(Event {
                seq,
                source,
                topic,
                entity,
                delivery,
                received_ms,
                body,
            });
        }
        self.head.send_replace(Seq(next));
        receipts
    }

    pub(super) fn read(&self, from: Seq, events_max: usize, bytes_max: usize) -> Vec<Event> {
        let books = self.books();
        let at = books.events.partition_point(|event| event.seq < from);
        let mut bytes: usize = 0;
        let fits = |event: &&Event| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(event.body.len().max(1));
            is_first || bytes <= bytes_max
        };
        books.events.range(at..).take(events_max).take_while(fits).cloned().collect()
    }

    pub(super) fn heads(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    pub(super) fn settle(&self, below: Seq) {
        let mut books = self.books();
        while let Some(event) = books.events.pop_front_if(|event| event.seq < below) {
            books.bytes = books.bytes.saturating_sub(length(&event.body));
        }
    }

    pub(super) fn stats(&self) -> JournalStats {
        let books = self.books();
        let next = *self.head.borrow();
        let first = books.events.front().map_or(next, |event| event.seq);
        JournalStats { first, next, segments: 1, bytes: books.bytes }
    }

    async fn ask(&self, when: When) -> Result<Verdict, JournalError> {
        match self.disk.at(when).await {
            Verdict::Fail => Err(StoreError::Fell { doing: "write a batch" }.into()),
            verdict @ (Verdict::Go | Verdict::Lie) => Ok(verdict),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn length(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}
