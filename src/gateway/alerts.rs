//! Puts the alerts together: what they look at, and by whom people are told.

use super::{Gated, GatewayError};
use crate::{
    alert::{AlertsPicture, Channel, Destination, Looker, Parts, Reach, Request, Sources, Watch},
    cli::serve::Frame,
    clock::UnixMs,
    connector::{breaker::Standing, gate, http::Seen},
    delivery::dispatch::Tally,
    journal::Journal,
    metrics::{Calls, Reception},
    reconcile::summary::Summary,
    state::State,
};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, watch};

/// Starts the alerts if they are configured; returns what they show of themselves.
pub(super) fn watch(
    frame: &Frame,
    (state, journal): (State, Journal),
    gates: &[Gated],
    (tally, compared): (watch::Receiver<Tally>, watch::Receiver<Option<Summary>>),
    requests: mpsc::Receiver<Request>,
) -> Result<watch::Receiver<AlertsPicture>, GatewayError> {
    let (picture, shown) = watch::channel(AlertsPicture::default());
    let Some(settings) = &frame.loaded.config.alerts else { return Ok(shown) };
    let channels = Channel::all(settings, &frame.loaded.credentials).into_iter();
    let channels = channels.map(|(_, channel)| channel).collect::<Result<Vec<_>, _>>()?;
    if channels.is_empty() {
        tracing::warn!("[alerts] names no channel: what is wrong is shown, and nobody is told");
    }
    let watch = Watch::new(Parts {
        config: settings.clone(),
        channels,
        looker: Looker::new(sources(frame, (state.clone(), journal), gates, (tally, compared))),
        state,
        requests,
        picture,
        messages: frame.metrics.messages.clone(),
    });
    let watch = Arc::new(Mutex::new(watch));
    frame.supervisor.keep("alerts", move |stop| {
        let watch = Arc::clone(&watch);
        async move { watch.lock().await.run(stop).await }
    });
    Ok(shown)
}

fn sources(
    frame: &Frame,
    (state, journal): (State, Journal),
    gates: &[Gated],
    (tally, compared): (watch::Receiver<Tally>, watch::Receiver<Option<Summary>>),
) -> Sources {
    let config = &frame.loaded.config;
    let tls = config.state_dir.join("tls");
    let names: Vec<String> = config
        .intake
        .iter()
        .flat_map(|intake| &intake.sources)
        .map(|source| source.name.clone())
        .collect();
    let (received, calls, gates) =
        (frame.metrics.received.clone(), frame.metrics.calls.clone(), gates.to_vec());
    let heard = frame.metrics.heard.clone();
    Sources {
        state,
        folder: config.state_dir.clone(),
        floor_bytes: config.journal.free_bytes_min(),
        certificate_file: config.intake.as_ref().map(|intake| intake.tls.cert_file(&tls)),
        tally,
        refused: Box::new(move || {
            names.iter().map(|name| received.counted(name, Reception::Busy)).sum()
        }),
        unusable: Box::new(move || heard.counted("unread", "not_understood")),
        destinations: Box::new(move || gates.iter().map(|gate| seen(gate, &calls)).collect()),
        losses: Box::new(move || journal.condition().lost),
        compared,
    }
}

/// Says whether a system can be reached, and what its answers showed.
fn seen(gated: &Gated, calls: &Calls) -> (Destination, Option<UnixMs>) {
    let (name, state, seen): (_, gate::State, Seen) = match gated {
        Gated::Shop(shop) => ("xcart", shop.gate_state(), shop.seen()),
        Gated::M3(m3) => ("m3", m3.gate_state(), m3.seen()),
    };
    let reach = match state.breaker {
        Standing::Closed if calls.counted(name, "ok") == 0 => Reach::Unknown,
        Standing::Closed => Reach::Reached,
        Standing::HalfOpen => Reach::Away,
        Standing::Open => Reach::Away,
    };
    let Seen { clock_ahead_s, certificate_ends_ms } = seen;
    (Destination { name, reach, clock_ahead_s }, certificate_ends_ms)
}
