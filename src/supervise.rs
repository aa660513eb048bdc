//! Keeps the parts running, and stops them in time.
//!
//! What this module guarantees:
//! 1. Every task of the process belongs to a [`Supervisor`]; nothing else spawns one.
//! 2. A part that panics or returns early is started again under a policy; too
//!    many falls stop everything, and the process ends so that systemd takes over.
//! 3. [`Supervisor::stop`] ends within the grace it is given and names the parts
//!    that would not stop.
//!
//! What it does not: order the stopping of parts. A part that needs another one
//! to finish its work holds a handle of that one.

use crate::clock;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinError;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

/// What a part is called in logs.
pub type Name = Cow<'static, str>;

/// How often a part may fall before systemd restarts the whole gateway.
#[derive(Clone, Copy, Debug)]
pub struct RestartPolicy {
    /// Pause before each restart.
    pub pause: Duration,
    /// Falls tolerated within `window`.
    pub falls_max: usize,
    /// How far back falls count.
    pub window: Duration,
}

/// What to do with a part that ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again after this pause.
    Restart(Duration),
    /// Stop the gateway; systemd starts it afresh.
    GiveUp,
}

impl RestartPolicy {
    /// Five falls in ten minutes, one second apart.
    pub const HOUSE: Self =
        Self { pause: Duration::from_secs(1), falls_max: 5, window: Duration::from_mins(10) };

    /// Judges one more fall after `recent` others within the window.
    pub fn judge(&self, recent: usize) -> Verdict {
        if recent < self.falls_max { Verdict::Restart(self.pause) } else { Verdict::GiveUp }
    }
}

/// Owns every task of the gateway. Nothing else may spawn one.
#[derive(Clone, Debug)]
pub struct Supervisor {
    tasks: TaskTracker,
    stop: CancellationToken,
    policy: RestartPolicy,
    running: Running,
    gave_up: Arc<OnceLock<Name>>,
}

/// Parts did not stop in the time given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("parts still running: {}", .0.join(", "))]
pub struct StillRunning(pub Vec<String>);

impl Supervisor {
    /// Starts with no tasks; the whole gateway stops when `stop` is cancelled.
    pub fn new(policy: RestartPolicy, stop: CancellationToken) -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop,
            policy,
            running: Running::default(),
            gave_up: Arc::default(),
        }
    }

    /// Runs a part until the gateway stops, and again when it panics or returns early.
    pub fn keep<F, Fut>(&self, name: impl Into<Name>, part: F)
    where
        F: Fn(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let listed = self.running.enter(name.clone());
        let (stop, policy, gave_up) = (self.stop.clone(), self.policy, Arc::clone(&self.gave_up));
        self.tasks.spawn(async move {
            let _listed = listed;
            let mut falls: Vec<Instant> = Vec::new();
            while !stop.is_cancelled() {
                let ended = own(part(stop.child_token())).await;
                if stop.is_cancelled() {
                    break;
                }
                let now = clock::now().mono;
                tracing::error!(part = %name, panicked = ended.is_err(), "part ended");
                falls.retain(|at| now.duration_since(*at) < policy.window);
                match policy.judge(falls.len()) {
                    Verdict::Restart(pause) => wait(&stop, pause).await,
                    Verdict::GiveUp => give_up(&gave_up, &stop, &name),
                }
                falls.push(now);
            }
        });
    }

    /// Runs a task that has an end. One that panics stops the gateway: what it
    /// held is in an unknown state, and only a fresh start knows what to do.
    pub fn run_once<F, Fut>(&self, name: impl Into<Name>, task: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let listed = self.running.enter(name.clone());
        let (stop, gave_up) = (self.stop.clone(), Arc::clone(&self.gave_up));
        let task = task(stop.child_token());
        self.tasks.spawn(async move {
            let _listed = listed;
            if own(task).await.is_err() {
                tracing::error!(part = %name, panicked = true, "task ended");
                give_up(&gave_up, &stop, &name);
            }
        });
    }

    /// Returns when the gateway is to stop, whoever asked for it.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Names the part whose falls ended the gateway, if that is what happened.
    pub fn gave_up(&self) -> Option<&str> {
        self.gave_up.get().map(AsRef::as_ref)
    }

    /// Asks every part to stop and waits, at most `grace`.
    pub async fn stop(&self, grace: Duration) -> Result<(), StillRunning> {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return Ok(());
        }
        let names = self.running.names();
        for part in &names {
            tracing::error!(part = %part, "part did not stop");
        }
        Err(StillRunning(names))
    }
}

/// Runs `part` as a task of its own, so that a panic ends only that task.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may spawn a task")]
async fn own(part: impl Future<Output = ()> + Send + 'static) -> Result<(), JoinError> {
    AbortOnDropHandle::new(tokio::spawn(part)).await
}

async fn wait(stop: &CancellationToken, pause: Duration) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

fn give_up(gave_up: &OnceLock<Name>, stop: &CancellationToken, name: &Name) {
    tracing::error!(part = %name, "gave up");
    // The first to give up is the one to name.
    let _ = gave_up.set(name.clone());
    stop.cancel();
}

/// The names of what runs, by a number of their own because two may share a name.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<(u64, BTreeMap<u64, Name>)>>);

impl Running {
    fn enter(&self, name: Name) -> Listed {
        let mut held = self.held();
        let (next, names) = &mut *held;
        let id = *next;
        *next = next.wrapping_add(1);
        names.insert(id, name);
        drop(held);
        Listed { id, list: self.clone() }
    }

    fn names(&self) -> Vec<String> {
        self.held().1.values().map(|name| name.clone().into_owned()).collect()
    }

    fn held(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Name>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// A line in the list of what runs; it goes when the task goes, panic or not.
struct Listed {
    id: u64,
    list: Running,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.list.held().1.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn policy(falls_max: usize) -> RestartPolicy {
        RestartPolicy { pause: Duration::from_secs(1), falls_max, window: Duration::from_mins(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_is_started_again_after_the_pause() {
        let supervisor = Supervisor::new(policy(9), CancellationToken::new());
        let starts = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&starts);
        supervisor.keep("shaky", move |stop| {
            let start = seen.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(start >= 2, "falls twice");
                stop.cancelled().await;
            }
        });
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        assert_eq!(supervisor.stop(Duration::from_secs(1)).await, Ok(()));
        assert_eq!(supervisor.gave_up(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_falls_within_the_window_stop_everything_and_are_named() {
        let supervisor = Supervisor::new(policy(2), CancellationToken::new());
        supervisor.keep("healthy", |stop| async move { stop.cancelled().await });
        supervisor.keep("hopeless", |_| async {});
        supervisor.stopping().await;
        assert_eq!(supervisor.gave_up(), Some("hopeless"));
        assert_eq!(supervisor.stop(Duration::from_secs(1)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn falls_outside_the_window_are_forgiven() {
        let supervisor = Supervisor::new(policy(1), CancellationToken::new());
        supervisor.keep("weekly", |_| tokio::time::sleep(Duration::from_mins(2)));
        tokio::time::sleep(Duration::from_hours(24)).await;
        assert_eq!(supervisor.gave_up(), None);
        assert_eq!(supervisor.stop(Duration::from_mins(3)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_not_stop_is_named() {
        let supervisor = Supervisor::new(policy(2), CancellationToken::new());
        supervisor.keep("polite", |stop| async move { stop.cancelled().await });
        supervisor.keep("deaf", |_| std::future::pending());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let late = supervisor.stop(Duration::from_secs(5)).await;
        assert_eq!(late, Err(StillRunning(vec!["deaf".to_owned()])));
    }

    #[tokio::test(start_paused = true)]
    async fn a_finite_task_may_end_but_must_not_panic() {
        let supervisor = Supervisor::new(policy(2), CancellationToken::new());
        supervisor.run_once("fine", |_| async {});
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(supervisor.gave_up(), None);
        supervisor.run_once("broken", |_| async { panic!("on purpose") });
        supervisor.stopping().await;
        assert_eq!(supervisor.gave_up(), Some("broken"));
    }
}
