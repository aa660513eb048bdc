//! Starts the comparison of both systems at night.

use crate::{
    cli::serve::Frame,
    connector::{m3::M3, xcart::rest::Shop},
    reconcile::{What, nightly::Parts, others::sides, summary::Summary},
    state::State,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Starts it if it is configured.
pub(super) fn start(
    frame: &Frame,
    state: &State,
    (shop, m3): (&Shop, &M3),
    last: &watch::Sender<Option<Summary>>,
) {
    let config = &frame.loaded.config;
    let Some(settings) = &config.reconcile else { return };
    let sides = sides(config);
    let on = |what: &What| match what {
        What::Orders => config.order_to_cash.is_some(),
        What::Customers => !sides.is_empty(),
        What::Goods => config.goods().is_some(),
    };
    let parts = Arc::new(Parts {
        shop: shop.clone(),
        m3: m3.clone(),
        state: state.clone(),
        state_dir: config.state_dir.clone(),
        rules: config.order_to_cash.clone(),
        what: settings.what.iter().copied().filter(on).collect(),
        sides: sides.clone(),
        settings: settings.clone(),
        poll_since_s: config.poll.poll_since.map(|since| since.0),
        last: last.clone(),
    });
    frame.supervisor.keep("reconcile", move |stop| {
        let parts = Arc::clone(&parts);
        async move { parts.run(stop).await }
    });
}
