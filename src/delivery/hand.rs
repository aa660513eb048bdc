//! What the dispatcher has in hand: the only things of the delivery that are in memory.

use super::{Config, credit::Credit, ramp::Ramp, rows::CaseKey, sick::Sick, worker::Finished};
use crate::flow::run::Need;
use std::{collections::HashMap, time::Instant};
use tokio::task::{self, JoinSet};

/// What is in hand.
pub(super) struct InHand {
    pub(super) workers: JoinSet<Finished>,
    pub(super) keys: HashMap<task::Id, (CaseKey, Need)>,
    pub(super) more_events: bool,
    pub(super) credit: Credit,
    pub(super) ramp: Ramp,
    pub(super) sick: Sick,
    /// After a fault of the store nothing is begun before this moment.
    pub(super) rest_until: Option<Instant>,
}

impl InHand {
    pub(super) fn new(config: Config) -> Self {
        Self {
            workers: JoinSet::new(),
            keys: HashMap::new(),
            more_events: true,
            credit: Credit::new(config.waiting_max),
            ramp: Ramp::new(config.lanes_max),
            sick: Sick::default(),
            rest_until: None,
        }
    }

    pub(super) fn holds(&self, key: &CaseKey) -> bool {
        self.keys.values().any(|(in_hand, _)| in_hand == key)
    }

    pub(super) fn count(&self, need: Need) -> usize {
        self.keys.values().filter(|(_, of)| *of == need).count()
    }
}
