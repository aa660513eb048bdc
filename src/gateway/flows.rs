//! The flows beside the orders: goods, buyers, and the comparison at night.

use super::{buyers, catalogue, nightly};
use crate::{
    cli::serve::Frame,
    config::Config,
    connector::{m3::M3, xcart::rest::Shop},
    delivery::dispatch::Tally,
    goods,
    metrics::page::Picture,
    reconcile::summary::{self, Summary},
    state::State,
};
use tokio::sync::watch;

/// What these flows share with others. Absent: the flow is off.
#[derive(Clone)]
pub(super) struct Flows {
    /// Stock, prices and items.
    pub(super) goods: Option<goods::Shared>,
    /// Profiles.
    pub(super) buyers: Option<crate::buyers::Shared>,
    /// Customers of profiles.
    pub(super) profiles: Option<crate::profiles::Shared>,
    /// What came of the last comparison at night.
    pub(super) compared: watch::Sender<Option<Summary>>,
}

impl Flows {
    /// Prepares those that are configured.
    pub(super) fn of(config: &Config, state: &State) -> Self {
        let nightly = config.reconcile.as_ref();
        let last = nightly.and_then(|_| summary::last(state).unwrap_or_default());
        Self {
            goods: config.goods().map(goods::Shared::new),
            buyers: config.buyers().map(crate::buyers::Shared::new),
            profiles: config.profiles.clone().map(crate::profiles::Shared::new),
            compared: watch::Sender::new(last),
        }
    }

    /// Starts them.
    pub(super) fn start(
        &self,
        frame: &Frame,
        state: &State,
        systems: (&Shop, &M3),
        tally: &watch::Sender<Tally>,
    ) {
        if let Some(goods) = &self.goods {
            catalogue::start(frame, state, systems, (goods, tally.subscribe()));
        }
        if let Some(buyers) = &self.buyers {
            buyers::start(&frame.supervisor, state, systems, buyers);
        }
        nightly::start(frame, state, systems, &self.compared);
    }

    /// Draws how they stand.
    pub(super) fn draw(&self, picture: Picture) -> Picture {
        Picture {
            goods: self.goods.as_ref().map(|goods| *goods.standing.borrow()),
            buyers: self.buyers.as_ref().map(|buyers| *buyers.standing.borrow()),
            profiles: self.profiles.as_ref().map(|profiles| *profiles.standing.borrow()),
            compared: self.compared.borrow().clone(),
            ..picture
        }
    }
}
