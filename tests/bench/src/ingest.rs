//! Durable ingest and drain in one process: many senders, one store.

use crate::{
    bodies::Bodies,
    disk::{Disk, Engine, ForDisk, Log, for_engine},
    gauge::{self, Fault, Figures, Used},
};
use causeway::journal::{
    Config, Journal, NewEvent, Seq,
    record::{self, Packing},
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Events that are read in one go.
const READ_EVENTS_MAX: usize = 256;
/// Bytes that are read in one go.
const READ_BYTES_MAX: usize = 1024 * 1024;

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) engine: Engine,
    pub(crate) senders: usize,
    pub(crate) span: Duration,
    pub(crate) folder: PathBuf,
    pub(crate) packing: Packing,
}

/// The way into any store.
pub(crate) trait Ingest: Clone + Send + Sync + 'static {
    /// Stores one event durably.
    fn append(&self, event: NewEvent) -> impl Future<Output = Result<(), Fault>> + Send;
}

impl Ingest for Journal {
    async fn append(&self, event: NewEvent) -> Result<(), Fault> {
        let _receipt = Self::append(self, event).await?;
        Ok(())
    }
}

/// A log and how its records are packed.
pub(crate) struct Packed<D: Disk>(pub(crate) Log<D>, pub(crate) Packing);

impl<D: Disk> Clone for Packed<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1)
    }
}

impl<D: Disk> Ingest for Packed<D> {
    async fn append(&self, event: NewEvent) -> Result<(), Fault> {
        self.0.append(&event, self.1).await.map(|_| ())
    }
}

/// Returns the journal's configuration for a measurement.
pub(crate) fn journal_config(packing: Packing) -> Config {
    Config { compression: packing, free_bytes_min: Some(0), ..Config::house() }
}

/// Fills a store, closes it, drains it.
pub(crate) async fn run(task: Task) -> Result<Figures, Fault> {
    let mut figures = Figures::new();
    if task.engine == Engine::Journal {
        let (journal, committer) = Journal::open(&task.folder, &journal_config(task.packing))?;
        fill(&journal, &task, &mut figures).await?;
        committer.stop();
        drop(journal);
        drain_journal(&task, &mut figures)?;
    } else {
        let filling = for_engine(task.engine, Fill(&task)).ok_or("no such store")?;
        figures.extend(filling?);
    }
    figures.insert("left".to_owned(), gauge::figure(gauge::disk_bytes(&task.folder)?));
    Ok(figures)
}

struct Fill<'a>(&'a Task);

impl ForDisk for Fill<'_> {
    type Out = Result<Figures, Fault>;

    fn with<D: Disk>(self) -> Self::Out {
        let task = self.0;
        let mut figures = Figures::new();
        let (log, committer) = Log::<D>::open(&task.folder)?;
        let packed = Packed(log, task.packing);
        let filling = fill(&packed, task, &mut figures);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(filling))?;
        committer.stop();
        drop(packed);
        drain::<D>(&task.folder, &mut figures)?;
        Ok(figures)
    }
}

async fn fill<I: Ingest>(store: &I, task: &Task, figures: &mut Figures) -> Result<(), Fault> {
    let bodies = Arc::new(Bodies::new(1));
    let next = Arc::new(AtomicU64::new(1));
    let payload = Arc::new(AtomicU64::new(0));
    let before = Used::now()?;
    let end = gauge::now() + task.span;
    let mut senders = JoinSet::new();
    for _ in 0..task.senders {
        let (store, bodies) = (store.clone(), Arc::clone(&bodies));
        let (next, payload) = (Arc::clone(&next), Arc::clone(&payload));
        senders.spawn(async move {
            let mut times = Vec::new();
            while gauge::now() < end {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let event = event(number, bodies.with_number(number));
                payload.fetch_add(u64::try_from(event.body.len())?, Ordering::Relaxed);
                let begun = gauge::now();
                store.append(event).await?;
                times.push(gauge::micros(begun));
            }
            Ok::<_, Fault>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(sender) = senders.join_next().await {
        times.extend(sender??);
    }
    let events = u64::try_from(times.len())?;
    before.tell(figures, events, payload.load(Ordering::Relaxed))?;
    gauge::tell_times(figures, &mut times);
    figures.insert("peak_kib".to_owned(), gauge::figure(gauge::peak_kib()?));
    let disk = gauge::figure(gauge::disk_bytes(&task.folder)?);
    figures.insert("grown".to_owned(), disk / gauge::figure(payload.load(Ordering::Relaxed)));
    Ok(())
}

/// What the intake would store.
pub(crate) fn event(number: u64, body: Vec<u8>) -> NewEvent {
    let mut delivery = [0; 32];
    fastrand::Rng::with_seed(number).fill(&mut delivery);
    NewEvent {
        source: "xcart".to_owned(),
        topic: "order.created".to_owned(),
        entity: format!("order/{number}"),
        delivery,
        received_ms: 1_760_000_000_000 + number,
        body,
    }
}

fn drain<D: Disk>(folder: &Path, figures: &mut Figures) -> Result<(), Fault> {
    let begun = gauge::now();
    let mut disk = D::open(folder)?;
    let mut drained: u64 = 0;
    loop {
        let portion = disk.take()?;
        if portion.is_empty() {
            break;
        }
        for (number, record) in portion {
            let event = record::decode(Seq(number), &record)?;
            drained += u64::from(!event.body.is_empty());
        }
    }
    figures.insert("drain".to_owned(), gauge::figure(drained) / begun.elapsed().as_secs_f64());
    Ok(())
}

fn drain_journal(task: &Task, figures: &mut Figures) -> Result<(), Fault> {
    let begun = gauge::now();
    let (journal, committer) = Journal::open(&task.folder, &journal_config(task.packing))?;
    let mut drained: u64 = 0;
    let mut from = Seq(1);
    loop {
        let events = journal.read(from, READ_EVENTS_MAX, READ_BYTES_MAX)?;
        let Some(last) = events.last() else { break };
        from = Seq(last.seq.0.saturating_add(1));
        drained = drained.saturating_add(u64::try_from(events.len())?);
        journal.settle(from);
    }
    committer.stop();
    figures.insert("drain".to_owned(), gauge::figure(drained) / begun.elapsed().as_secs_f64());
    Ok(())
}
