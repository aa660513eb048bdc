//! One thread that writes, in one go, what queued while it was syncing the last.
//!
//! Guarantees: every entry is answered after its group was written and never before; entries are
//! written in the order they were accepted; what was accepted before `stop` is written before `stop`
//! returns. There is no timer: a lone entry is written at once.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::{Notify, oneshot};

/// What a committer writes to.
pub trait Sink: Send + 'static {
    /// What is written.
    type Entry: Send + 'static;
    /// What the sender is told.
    type Answer: Send + 'static;

    /// Writes a group durably; returns one answer for each entry, in order.
    fn write(&mut self, group: Vec<Self::Entry>) -> Vec<Self::Answer>;

    /// Does what nobody waits for. Called after each group and each wake.
    fn tidy(&mut self);

    /// Lets go of everything. Called once, last.
    fn close(&mut self);
}

/// How much may wait, and how much is written in one go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries that are written in one go.
    pub batch_entries_max: usize,
    /// Bytes that are written in one go.
    pub batch_bytes_max: usize,
    /// Entries that may wait.
    pub queue_len_max: usize,
    /// Bytes that may wait.
    pub queue_bytes_max: usize,
}

/// How large an entry is.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// How many entries it counts as.
    pub entries: usize,
    /// How many bytes it has.
    pub bytes: usize,
}

/// Why an entry was not accepted, or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Full,
    /// The committer has stopped.
    Closed,
}

struct Work<S: Sink> {
    entry: S::Entry,
    weight: Weight,
    answer: oneshot::Sender<S::Answer>,
    held: Held,
}

enum Job<S: Sink> {
    Write(Work<S>),
    Wake,
}

#[derive(Debug, Default)]
struct Gauge {
    queued_bytes: AtomicUsize,
    stopping: AtomicBool,
    /// Rings when something has left the queue.
    left: Notify,
}

/// A share of the queue's bytes, given back when dropped.
#[derive(Debug)]
struct Held(Arc<Gauge>, usize);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.queued_bytes.fetch_sub(self.1, Ordering::AcqRel);
        self.0.left.notify_waiters();
    }
}

/// The way in.
pub struct Queue<S: Sink> {
    jobs: SyncSender<Job<S>>,
    gauge: Arc<Gauge>,
    limits: Limits,
}

impl<S: Sink> Clone for Queue<S> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), gauge: Arc::clone(&self.gauge), limits: self.limits }
    }
}

impl<S: Sink> std::fmt::Debug for Queue<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("gauge", &self.gauge).finish_non_exhaustive()
    }
}

impl<S: Sink> Queue<S> {
    /// Hands in an entry and waits until it is written.
    ///
    /// An entry whose sender stops waiting is written all the same.
    pub async fn submit(&self, entry: S::Entry, weight: Weight) -> Result<S::Answer, Refused> {
        let (answer, answered) = oneshot::channel();
        let held = self.hold(weight.bytes)?;
        let sent = self.send(Job::Write(Work { entry, weight, answer, held }));
        sent.map_err(|(refused, _)| refused)?;
        answered.await.map_err(|_| Refused::Closed)
    }

    /// The same, but waits for room where there is none; only what never has any is refused.
    pub async fn submit_patiently(
        &self,
        entry: S::Entry,
        weight: Weight,
    ) -> Result<S::Answer, Refused> {
        if weight.bytes > self.limits.queue_bytes_max {
            return Err(Refused::Full);
        }
        let (answer, answered) = oneshot::channel();
        let held = loop {
            let mut left = pin!(self.gauge.left.notified());
            left.as_mut().enable();
            match self.hold(weight.bytes) {
                Ok(held) => break held,
                Err(Refused::Full) if !self.is_stopping() => left.await,
                Err(refused) => return Err(refused),
            }
        };
        let mut job = Job::Write(Work { entry, weight, answer, held });
        loop {
            let mut left = pin!(self.gauge.left.notified());
            left.as_mut().enable();
            match self.send(job) {
                Ok(()) => break,
                Err((Refused::Full, back)) => job = back,
                Err((Refused::Closed, _)) => return Err(Refused::Closed),
            }
            left.await;
        }
        answered.await.map_err(|_| Refused::Closed)
    }

    fn is_stopping(&self) -> bool {
        self.gauge.stopping.load(Ordering::Acquire)
    }

    /// Asks for a tidy-up; one that is already due is enough.
    pub fn wake(&self) {
        // A full queue means that the thread is at work and will tidy up after it.
        let _ = self.jobs.try_send(Job::Wake);
    }

    fn send(&self, job: Job<S>) -> Result<(), (Refused, Job<S>)> {
        if self.is_stopping() {
            return Err((Refused::Closed, job));
        }
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) => (Refused::Full, job),
            TrySendError::Disconnected(job) => (Refused::Closed, job),
        })
    }

    fn hold(&self, bytes: usize) -> Result<Held, Refused> {
        let add = |queued: usize| {
            queued.checked_add(bytes).filter(|total| *total <= self.limits.queue_bytes_max)
        };
        let queued = &self.gauge.queued_bytes;
        match queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, add) {
            Ok(_) => Ok(Held(Arc::clone(&self.gauge), bytes)),
            Err(_) => Err(Refused::Full),
        }
    }
}

/// Owns the thread that writes. Dropping it is stopping it.
#[must_use = "dropping it stops the thread"]
pub struct Committer {
    thread: Option<JoinHandle<()>>,
    ask: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl Committer {
    /// Writes what is queued, lets go of the files and ends the thread. Blocks until then.
    pub fn stop(mut self) {
        self.end();
    }

    /// Returns whether the thread still runs.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn end(&mut self) {
        (self.ask)();
        if let Some(thread) = self.thread.take() {
            // A thread that fell has told the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts the thread.
pub fn start<S: Sink>(
    name: &str,
    mut sink: S,
    limits: Limits,
) -> io::Result<(Queue<S>, Committer)> {
    let (jobs, arrivals) = sync_channel(limits.queue_len_max);
    let queue = Queue { jobs, gauge: Arc::default(), limits };
    let gauge = Arc::clone(&queue.gauge);
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        run(&mut sink, &arrivals, &gauge, limits);
        gauge.left.notify_waiters();
        sink.close();
    })?;
    let asked = queue.clone();
    let ask = Box::new(move || {
        asked.gauge.stopping.store(true, Ordering::Release);
        asked.wake();
    });
    Ok((queue, Committer { thread: Some(thread), ask }))
}

fn run<S: Sink>(sink: &mut S, arrivals: &Receiver<Job<S>>, gauge: &Gauge, limits: Limits) {
    let mut carried = None;
    loop {
        let job = match carried.take() {
            Some(work) => Job::Write(work),
            None if gauge.stopping.load(Ordering::Acquire) => match arrivals.try_recv() {
                Ok(job) => job,
                Err(_) => return,
            },
            None => match arrivals.recv() {
                Ok(job) => job,
                Err(_) => return,
            },
        };
        if let Job::Write(first) = job {
            let group = gather(first, arrivals, limits, &mut carried);
            write(sink, group);
        }
        sink.tidy();
        gauge.left.notify_waiters();
    }
}

/// Takes what already waits, up to the limits; what does not fit is carried to the next group.
fn gather<S: Sink>(
    first: Work<S>,
    arrivals: &Receiver<Job<S>>,
    limits: Limits,
    carried: &mut Option<Work<S>>,
) -> Vec<Work<S>> {
    let Weight { mut entries, mut bytes } = first.weight;
    let mut group = vec![first];
    while let Ok(job) = arrivals.try_recv() {
        let Job::Write(work) = job else { continue };
        entries = entries.saturating_add(work.weight.entries);
        bytes = bytes.saturating_add(work.weight.bytes);
        if entries > limits.batch_entries_max || bytes > limits.batch_bytes_max {
            *carried = Some(work);
            break;
        }
        group.push(work);
    }
    group
}

fn write<S: Sink>(sink: &mut S, group: Vec<Work<S>>) {
    let mut entries = Vec::with_capacity(group.len());
    let mut senders = Vec::with_capacity(group.len());
    for Work { entry, answer, weight: _, held } in group {
        entries.push(entry);
        senders.push((answer, held));
    }
    for ((sender, held), answer) in senders.into_iter().zip(sink.write(entries)) {
        // Who no longer waits is not told.
        let _ = sender.send(answer);
        drop(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};
    use std::task::{Context, Poll};

    /// Writes a group only when told to, and remembers it.
    struct Gate {
        go: Receiver<()>,
        groups: Arc<Mutex<Vec<Vec<u32>>>>,
    }

    impl Sink for Gate {
        type Entry = u32;
        type Answer = u32;

        fn write(&mut self, group: Vec<u32>) -> Vec<u32> {
            self.groups.lock().unwrap().push(group.clone());
            self.go.recv().unwrap();
            group.into_iter().map(|entry| entry * 10).collect()
        }

        fn tidy(&mut self) {}

        fn close(&mut self) {
            self.groups.lock().unwrap().push(Vec::new());
        }
    }

    type Seen = Arc<Mutex<Vec<Vec<u32>>>>;

    fn gate(limits: Limits) -> (Queue<Gate>, Committer, mpsc::Sender<()>, Seen) {
        let (open, go) = mpsc::channel();
        let groups = Seen::default();
        let sink = Gate { go, groups: Arc::clone(&groups) };
        let (queue, committer) = start("test", sink, limits).unwrap();
        (queue, committer, open, groups)
    }

    const LIMITS: Limits = Limits {
        batch_entries_max: 4,
        batch_bytes_max: 100,
        queue_len_max: 8,
        queue_bytes_max: 200,
    };

    /// Hands in an entry without waiting for its answer.
    fn hand_in(
        queue: &Queue<Gate>,
        entry: u32,
        bytes: usize,
    ) -> tokio::task::JoinHandle<Result<u32, Refused>> {
        let queue = queue.clone();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { queue.submit(entry, Weight { entries: 1, bytes }).await });
        tokio::task::spawn_local(async move { tasks.join_next().await.unwrap().unwrap() })
    }

    async fn until_begun(groups: &Seen, count: usize) {
        for _ in 0..100_000 {
            if groups.lock().unwrap().len() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("group {count} never began");
    }

    #[test]
    fn what_queued_during_a_sync_is_the_next_group_up_to_its_limits() {
        let local = tokio::task::LocalSet::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        local.block_on(&runtime, async {
            let (queue, committer, open, groups) = gate(LIMITS);
            let mut answers = vec![hand_in(&queue, 1, 1)];
            until_begun(&groups, 1).await;
            for (entry, bytes) in [(2, 1), (3, 1), (4, 1), (5, 1), (6, 60), (7, 60), (8, 1)] {
                answers.push(hand_in(&queue, entry, bytes));
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            assert!(answers.iter().all(|answer| !answer.is_finished()), "nothing is synced yet");
            for _ in 0..4 {
                open.send(()).unwrap();
            }
            for (entry, answer) in (1..).zip(answers) {
                assert_eq!(answer.await.unwrap(), Ok(entry * 10));
            }
            committer.stop();
            let want: [&[u32]; 5] = [&[1], &[2, 3, 4, 5], &[6], &[7, 8], &[]];
            assert_eq!(*groups.lock().unwrap(), want);
        });
    }

    #[test]
    fn a_full_queue_refuses_and_a_stopped_one_has_written_what_it_accepted() {
        let local = tokio::task::LocalSet::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        local.block_on(&runtime, async {
            let (queue, committer, open, groups) = gate(LIMITS);
            let mut accepted = vec![hand_in(&queue, 0, 1)];
            until_begun(&groups, 1).await;
            for entry in 1..=8 {
                accepted.push(hand_in(&queue, entry, 1));
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            let one = Weight { entries: 1, bytes: 1 };
            assert_eq!(queue.submit(9, one).await, Err(Refused::Full), "by length");
            let large = Weight { entries: 1, bytes: 192 };
            assert_eq!(queue.submit(9, large).await, Err(Refused::Full), "by bytes");
            // Who has patience is written when there is room.
            let mut patient = std::pin::pin!(queue.submit_patiently(9, large));
            let look = |context: &mut Context<'_>| Poll::Ready(patient.as_mut().poll(context));
            assert!(std::future::poll_fn(look).await.is_pending(), "there is no room yet");
            for _ in 0..4 {
                open.send(()).unwrap();
            }
            assert_eq!(patient.await, Ok(90));
            let never = Weight { entries: 1, bytes: 201 };
            assert_eq!(queue.submit_patiently(9, never).await, Err(Refused::Full));
            committer.stop();
            assert_eq!(queue.submit_patiently(9, one).await, Err(Refused::Closed));
            for (entry, answer) in (0..).zip(accepted) {
                assert_eq!(answer.await.unwrap(), Ok(entry * 10));
            }
            assert_eq!(queue.submit(9, one).await, Err(Refused::Closed));
            assert_eq!(queue.gauge.queued_bytes.load(Ordering::SeqCst), 0, "all is given back");
        });
    }
}
