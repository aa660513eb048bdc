//! Starts the parts of the flow of buyers.

use crate::{
    buyers::{Shared, send::Sender, walk::Walker, watch::Watcher},
    connector::{m3::M3, xcart::rest::Shop},
    state::State,
    supervise::Supervisor,
};
use std::sync::Arc;

/// Starts the one that watches M3, the one that reads the shop's profiles, and the one that tells the shop.
pub(super) fn start(
    supervisor: &Supervisor,
    state: &State,
    (shop, m3): (&Shop, &M3),
    shared: &Shared,
) {
    let watcher = Arc::new(Watcher::new(m3.clone(), state.clone(), shared.clone()));
    supervisor.keep("buyers watch", move |stop| {
        let watcher = Arc::clone(&watcher);
        async move { watcher.run(stop).await }
    });
    let walker = Arc::new(Walker::new(shop.clone(), state.clone(), shared.clone()));
    supervisor.keep("buyers walk", move |stop| {
        let walker = Arc::clone(&walker);
        async move { walker.run(stop).await }
    });
    let sender = Arc::new(Sender::new(shop.clone(), state.clone(), shared.clone()));
    supervisor.keep("buyers sender", move |stop| {
        let sender = Arc::clone(&sender);
        async move { sender.run(stop).await }
    });
}
