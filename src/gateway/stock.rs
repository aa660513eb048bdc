//! Starts the parts of the stock flow.

use crate::{
    cli::serve::Frame,
    connector::{m3::M3, xcart::rest::Shop},
    goods::{Shared, send::Sender, walk::Walker, watch::Watcher},
    state::State,
};
use std::sync::Arc;

/// Starts one that watches M3, one that reads the shop's goods, and those that tell the shop.
pub(super) fn start(frame: &Frame, state: &State, (shop, m3): (&Shop, &M3), shared: &Shared) {
    let rules = frame.loaded.config.order_to_cash.as_ref();
    let items = rules.map(|rules| rules.items.clone()).unwrap_or_default();
    let supervisor = &frame.supervisor;
    let watcher = Arc::new(Watcher::new(m3.clone(), state.clone(), shared.clone()));
    supervisor.keep("stock watch", move |stop| {
        let watcher = Arc::clone(&watcher);
        async move { watcher.run(stop).await }
    });
    let walker = (shared.clone(), items);
    let walker = Arc::new(Walker::new(shop.clone(), m3.clone(), state.clone(), walker));
    supervisor.keep("goods walk", move |stop| {
        let walker = Arc::clone(&walker);
        async move { walker.run(stop).await }
    });
    for lane in 0..shared.rules.writes_at_once {
        let sender = Arc::new(Sender::new(shop.clone(), state.clone(), shared.clone(), lane));
        supervisor.keep(format!("stock sender {lane}"), move |stop| {
            let sender = Arc::clone(&sender);
            async move { sender.run(stop).await }
        });
    }
}
