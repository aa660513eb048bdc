//! Starts the parts of the flow of profiles.

use crate::{
    connector::xcart::rest::Shop,
    delivery::customers::Customers,
    profiles::{Shared, keep::Keeper, walk::Walker},
    state::State,
    supervise::Supervisor,
};
use std::sync::Arc;

/// Starts the one that reads the shop's profiles, and the one that keeps their customers.
pub(super) fn start(
    supervisor: &Supervisor,
    state: &State,
    (shop, customers): (&Shop, &Arc<Customers>),
    shared: &Shared,
) {
    let walker = Arc::new(Walker::new(shop.clone(), state.clone(), shared.clone()));
    supervisor.keep("profiles walk", move |stop| {
        let walker = Arc::clone(&walker);
        async move { walker.run(stop).await }
    });
    let customers = Arc::clone(customers);
    let keeper = Arc::new(Keeper::new(shop.clone(), customers, state.clone(), shared.clone()));
    supervisor.keep("profiles keeper", move |stop| {
        let keeper = Arc::clone(&keeper);
        async move { keeper.run(stop).await }
    });
}
