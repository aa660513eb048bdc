//! All that changes while an M3 runs, behind one lock that is never held across a wait.

use super::{
    books::Seen,
    call::Moment,
    faults::Scripts,
    inbound::Published,
    options::{Options, Switches},
    token::{App, Tokens},
    world::{Setup, World},
};
use crate::{dice::Dice, weather::Weather};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many executed transactions are remembered.
pub const SEEN_MAX: usize = 2_000_000;

/// The company that holds the data.
pub(crate) const COMPANY: u16 = 100;
/// A company that the user may enter and that is empty.
pub(crate) const EMPTY_COMPANY: u16 = 200;

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) worlds: BTreeMap<u16, World>,
    pub(crate) weather: Weather,
    pub(crate) switches: Switches,
    pub(crate) tokens: Tokens,
    pub(crate) dice: Dice,
    pub(crate) seen: Vec<Seen>,
    pub(crate) scripts: Scripts,
    pub(crate) outage: bool,
    /// What applications published to ION.
    pub(crate) published: Vec<Published>,
    /// Statuses with which ION refuses the next ones; the last one is next.
    pub(crate) ion_refusals: Vec<u16>,
    /// Grows with every restart; work begun under another one is lost.
    pub(crate) epoch: u64,
    pub(crate) pace_ms: u64,
}

impl State {
    /// The company with the data.
    ///
    /// # Panics
    /// Never: it is made with the state.
    pub(crate) fn world(&mut self) -> &mut World {
        self.worlds.get_mut(&COMPANY).expect("company 100 is made at the start")
    }

    pub(crate) fn saw(&mut self, seen: Seen) {
        if self.seen.len() < SEEN_MAX {
            self.seen.push(seen);
        }
    }
}

/// One M3 and what it runs on.
#[derive(Debug)]
pub(crate) struct Core {
    state: Mutex<State>,
    pub(crate) options: Options,
    pub(crate) setup: Arc<Setup>,
    pub(crate) app: App,
    pub(crate) url: String,
    /// Where the API begins, below the host.
    pub(crate) base: String,
    pub(crate) work: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) pace_changed: Notify,
    started: Instant,
    started_wall_ms: u64,
}

impl Core {
    pub(crate) fn new(
        options: Options,
        setup: Arc<Setup>,
        url: String,
        started_wall_ms: u64,
    ) -> Self {
        let full = World::stocked(COMPANY, Arc::clone(&setup), &options, started_wall_ms);
        let empty = World::empty(EMPTY_COMPANY, Arc::clone(&setup), Dice::new(options.seed));
        let state = State {
            worlds: BTreeMap::from([(COMPANY, full), (EMPTY_COMPANY, empty)]),
            weather: options.weather.clone(),
            switches: options.switches.clone(),
            tokens: Tokens::new(options.seed),
            dice: Dice::new(options.seed).fork("weather"),
            seen: Vec::new(),
            scripts: Scripts::default(),
            outage: false,
            published: Vec::new(),
            ion_refusals: Vec::new(),
            epoch: 0,
            pace_ms: options.pace_ms,
        };
        let base = match &options.auth {
            super::options::Auth::Ionapi => format!("/{}/M3/m3api-rest", options.tenant),
            super::options::Auth::Basic { .. } => format!("{}/m3api-rest", options.grid_prefix),
        };
        Self {
            state: Mutex::new(state),
            app: App::new(&options.tenant, options.seed),
            options,
            setup,
            url,
            base,
            work: TaskTracker::new(),
            stop: CancellationToken::new(),
            pace_changed: Notify::new(),
            started: Instant::now(),
            started_wall_ms,
        }
    }

    /// Works on the state.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        // A panic under the lock has failed its test; the others may go on.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn now(&self) -> Moment {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment { ms, wall_ms: self.started_wall_ms + ms }
    }
}
