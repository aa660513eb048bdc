//! Runs the gateway: the frame around its parts.
//!
//! What this module guarantees:
//! 1. systemd hears READY only after every part was started.
//! 2. SIGTERM and SIGINT stop the parts within a grace; a second signal ends at once.
//! 3. A gateway that gave up ends with a fault, so that systemd starts it afresh.
//!
//! What it does not: know the parts. They are put into the [`Frame`].

use super::{
    Fault,
    notify::{Word, tell},
};
use crate::{
    config::Loaded,
    gateway,
    log::{self, LogError},
    metrics::{
        Metrics,
        page::{Health, Picture},
        server::Page,
    },
    supervise::{RestartPolicy, StillRunning, Supervisor},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// Time for the parts to stop; systemd's own patience is longer.
const GRACE: Duration = Duration::from_secs(25);

/// The box has few cores and little memory; nothing here computes for long.
const WORKER_THREADS: usize = 2;

/// Threads for calls that block; each one costs memory.
const BLOCKING_THREADS_MAX: usize = 8;

/// What a part may use when it is started.
#[derive(Debug)]
pub struct Frame {
    /// What the operator set.
    pub loaded: Loaded,
    /// Who runs tasks.
    pub supervisor: Supervisor,
    /// Where things are counted.
    pub metrics: Metrics,
    /// What the page shows; its one owner publishes it.
    pub picture: watch::Sender<Picture>,
}

/// Runs until a signal, or until a part gives up.
pub fn run(loaded: Loaded) -> Result<(), Fault> {
    match log::start(loaded.config.log.level, loaded.config.log.target) {
        // A caller that runs us inside its own process has its own log.
        Ok(()) | Err(LogError::Twice) => {}
        Err(error @ LogError::NoJournal(_)) => return Err(error.into()),
    }
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(no_start("the runtime"))?;
    let ended = runtime.block_on(serve(loaded));
    // Who would not stop in the grace does not get another one.
    runtime.shutdown_background();
    ended
}

async fn serve(loaded: Loaded) -> Result<(), Fault> {
    let mut signals = Signals::listen().map_err(no_start("the signal handler"))?;
    let supervisor = Supervisor::new(RestartPolicy::HOUSE, CancellationToken::new());
    let (picture, shown) = watch::channel(Picture::default());
    let frame = Frame { loaded, supervisor: supervisor.clone(), metrics: Metrics::new(), picture };
    // The state's lock first: a second gateway is told what is wrong, not that a port is taken.
    let foundation = gateway::start(&frame).await;
    let foundation = foundation
        .map_err(|fault| Fault::NoStart { part: "the gateway", source: Box::new(fault) })?;
    page(&frame, shown).await?;
    frame.picture.send_modify(|picture| picture.health = Health::Well);
    tell(Word::Ready);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
    let stopped = until_told(&supervisor, &mut signals).await;
    // The committers write what was queued, now that nobody queues any more.
    drop(foundation);
    tracing::info!("stopped");
    match supervisor.gave_up() {
        Some(part) => Err(Fault::GaveUp(part.to_owned())),
        None => Ok(stopped?),
    }
}

/// Waits for the end, from within or by a signal, and stops every part.
async fn until_told(supervisor: &Supervisor, signals: &mut Signals) -> Result<(), StillRunning> {
    tokio::select! {
        biased;
        () = supervisor.stopping() => {}
        () = signals.any() => tracing::info!("told to stop"),
    }
    tell(Word::Stopping);
    tokio::select! {
        biased;
        stopped = supervisor.stop(GRACE) => stopped,
        () = signals.any() => supervisor.stop(Duration::ZERO).await,
    }
}

async fn page(frame: &Frame, shown: watch::Receiver<Picture>) -> Result<(), Fault> {
    let Some(config) = frame.loaded.config.metrics else { return Ok(()) };
    let page = Page::bind(config.listen, frame.metrics.clone(), shown).await;
    let page = Arc::new(page.map_err(no_start("the page with the numbers"))?);
    frame.supervisor.keep("page", move |stop| Arc::clone(&page).run(stop));
    Ok(())
}

fn no_start(part: &'static str) -> impl FnOnce(io::Error) -> Fault {
    move |error| Fault::NoStart { part, source: Box::new(error) }
}

/// The two signals that ask for an end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
