//! Starts the parts of the flows of stock, prices and items.

use crate::{
    cli::serve::Frame,
    connector::{m3::M3, xcart::rest::Shop},
    delivery::dispatch::Tally,
    goods::{
        Shared, loader::Loader, make::Maker, send::Sender, source::Source, walk::Walker,
        watch::Watcher,
    },
    state::State,
    supervise::Supervisor,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Starts those that watch M3, one that reads the shop's goods, those that tell the shop, and the one
/// that lets a load through.
pub(super) fn start(
    frame: &Frame,
    state: &State,
    (shop, m3): (&Shop, &M3),
    (shared, tally): (&Shared, watch::Receiver<Tally>),
) {
    let items = frame.loaded.config.joining();
    let supervisor = &frame.supervisor;
    if let Some(stock) = &shared.rules.stock {
        follow(supervisor, (m3, state), (shared, stock.clone()));
    }
    if let Some(prices) = &shared.rules.prices {
        follow(supervisor, (m3, state), (shared, prices.clone()));
    }
    if let Some(items) = &shared.rules.items {
        follow(supervisor, (m3, state), (shared, items.clone()));
    }
    let categories = items.alias_categories.clone();
    let walker = (shared.clone(), items);
    let walker = Arc::new(Walker::new(shop.clone(), m3.clone(), state.clone(), walker));
    supervisor.keep("goods walk", move |stop| {
        let walker = Arc::clone(&walker);
        async move { walker.run(stop).await }
    });
    let loader = (shop.clone(), state.clone());
    let loader = Arc::new(Loader::new(loader, shared.clone(), tally));
    supervisor.keep("goods load", move |stop| {
        let loader = Arc::clone(&loader);
        async move { loader.run(stop).await }
    });
    for lane in 0..shared.rules.goods.writes_at_once {
        let stores = (state.clone(), shared.clone());
        let maker = Maker::new(shop.clone(), m3.clone(), stores, categories.clone());
        let sender = (shared.clone(), maker);
        let sender = Arc::new(Sender::new(shop.clone(), state.clone(), sender, lane));
        supervisor.keep(format!("goods sender {lane}"), move |stop| {
            let sender = Arc::clone(&sender);
            async move { sender.run(stop).await }
        });
    }
}

fn follow<S: Source>(
    supervisor: &Supervisor,
    (m3, state): (&M3, &State),
    (shared, source): (&Shared, S),
) {
    let source = (shared.clone(), source);
    let watcher = Arc::new(Watcher::new(m3.clone(), state.clone(), source));
    supervisor.keep(format!("{} watch", S::NAME), move |stop| {
        let watcher = Arc::clone(&watcher);
        async move { watcher.run(stop).await }
    });
}
