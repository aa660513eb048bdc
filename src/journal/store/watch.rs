//! Looks after calls that wait, and wakes those that nobody else would.
//!
//! Guarantees: a call that has been running for [`LOOK_EVERY`] is looked after until it returns, at each
//! such interval; while none is running nothing happens.

use std::{
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

/// Between two looks at the calls that are running.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks after which it is said that a call takes long.
const LOOKS_LONG: u32 = 10;

/// What calls may be waiting in.
pub(super) trait Sleeper: Send + Sync + 'static {
    /// Ends the waiting of calls that wait for nothing. Must not wait itself.
    fn wake(&self);
}

/// One call.
struct Call {
    number: u64,
    looks: u32,
    sleeper: Weak<dyn Sleeper>,
}

#[derive(Default)]
struct Calls {
    running: Vec<Call>,
    last: u64,
    /// Whether the thread waits for a call; none before the first.
    is_idle: Option<bool>,
}

#[derive(Default)]
struct Watch {
    calls: Mutex<Calls>,
    begun: Condvar,
}

static WATCH: LazyLock<Watch> = LazyLock::new(Watch::default);

/// Runs a call that may wait in `sleeper`.
pub(super) fn watched<S: Sleeper, T>(sleeper: &Arc<S>, call: impl FnOnce() -> T) -> T {
    let _running = Running::begin(sleeper);
    call()
}

/// A call that is running, until it is dropped.
struct Running(u64);

impl Running {
    fn begin<S: Sleeper>(sleeper: &Arc<S>) -> Self {
        let mut calls = WATCH.calls();
        calls.last = calls.last.wrapping_add(1);
        let number = calls.last;
        let weak = Arc::downgrade(sleeper);
        calls.running.push(Call { number, looks: 0, sleeper: weak });
        match calls.is_idle {
            Some(false) => {}
            Some(true) => WATCH.begun.notify_one(),
            None => {
                let thread = thread::Builder::new().name("store-watch".to_owned());
                // Without a thread the next call tries again.
                calls.is_idle = thread.spawn(look_after).ok().map(|_| false);
            }
        }
        Self(number)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut calls = WATCH.calls();
        if let Some(place) = calls.running.iter().position(|call| call.number == self.0) {
            calls.running.swap_remove(place);
        }
    }
}

impl Watch {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look_after() {
    loop {
        let mut calls = WATCH.calls();
        calls.is_idle = Some(true);
        while calls.running.is_empty() {
            calls = WATCH.begun.wait(calls).unwrap_or_else(PoisonError::into_inner);
        }
        calls.is_idle = Some(false);
        drop(calls);
        thread::sleep(LOOK_EVERY);
        for sleeper in look() {
            sleeper.wake();
        }
    }
}

/// Returns what the calls are in that were there at the last look.
fn look() -> Vec<Arc<dyn Sleeper>> {
    let mut calls = WATCH.calls();
    let mut found = Vec::new();
    for call in &mut calls.running {
        call.looks = call.looks.saturating_add(1);
        if call.looks == LOOKS_LONG {
            let seconds = LOOK_EVERY.as_secs().saturating_mul(LOOKS_LONG.into());
            tracing::warn!(seconds, "the disk has not answered the database yet");
        }
        if call.looks > 1 {
            found.extend(call.sleeper.upgrade());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until it is woken.
    #[derive(Default)]
    struct Pit {
        is_woken: Mutex<bool>,
        woken: Condvar,
    }

    impl Sleeper for Pit {
        fn wake(&self) {
            *self.is_woken.lock().unwrap() = true;
            self.woken.notify_all();
        }
    }

    impl Pit {
        fn wait(&self) {
            let is_woken = self.is_woken.lock().unwrap();
            let patience = Duration::from_mins(1);
            let woken = self.woken.wait_timeout_while(is_woken, patience, |is_woken| !*is_woken);
            assert!(!woken.unwrap().1.timed_out(), "nobody woke it");
        }
    }

    #[test]
    fn a_call_that_waits_is_woken_also_when_others_come_and_go() {
        let (pit, other) = (Arc::new(Pit::default()), Arc::new(Pit::default()));
        assert_eq!(watched(&other, || 7), 7);
        watched(&pit, || pit.wait());
        assert!(!*other.is_woken.lock().unwrap(), "what returned is left alone");
        let again = Arc::new(Pit::default());
        watched(&again, || again.wait());
        assert!(WATCH.calls().running.iter().all(|call| call.looks <= LOOKS_LONG));
    }
}
