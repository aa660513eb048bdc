//! stub
use crate::{
    connector::xcart::rest::Shop, ids::KeyPrefix, journal::Journal, metrics::Received, state::State,
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
/// c
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    #[allow(missing_docs)]
    pub poll_s: u64,
}
/// p
#[allow(missing_docs)]
pub struct Poller;
impl Poller {
    /// n
    pub fn new(_: (Shop, Journal, State), _: KeyPrefix, _: Config, _: Received) -> Self {
        Self
    }
    /// r
    pub async fn run(&mut self, stop: CancellationToken) {
        stop.cancelled().await
    }
}
