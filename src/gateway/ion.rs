//! Puts ION's parts together: what it calls, what understands its documents, and what
//! forgets old variations.

use crate::{
    clock,
    config::{Config, CredentialError, Credentials},
    delivery::heard::{self, Ears},
    intake::ion::{Ion, Stores},
    log,
    metrics::Metrics,
    state::State,
    supervise::Supervisor,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks for variations that may be forgotten.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// One day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Makes the end points that ION calls ready, if they are configured.
pub(super) fn endpoints(
    config: &Config,
    credentials: &Credentials,
    stores: Stores,
) -> Result<Option<Ion>, CredentialError> {
    let Some(ion) = config.intake.as_ref().and_then(|intake| intake.ion.as_ref()) else {
        return Ok(None);
    };
    tracing::info!(path = ion.path, "ION may call");
    Ok(Some(Ion::new(ion.clone(), ion.verifier(credentials)?, stores)))
}

/// Returns what is needed to understand ION's documents.
pub(super) fn ears(config: &Config, metrics: &Metrics) -> Ears {
    let ion = config.intake.as_ref().and_then(|intake| intake.ion.as_ref());
    Ears {
        company: config.m3.as_ref().map(|m3| m3.company),
        limits: ion.map(|ion| ion.limits.of_xml()),
        answers: None,
        counted: metrics.heard.clone(),
    }
}

/// Forgets variations that are older than may come again, for as long as the gateway runs.
pub(super) fn forget(config: &Config, supervisor: &Supervisor, state: State) {
    let ion = config.intake.as_ref().and_then(|intake| intake.ion.as_ref());
    let Some(kept_ms) = ion.map(|ion| ion.variations_kept_days.saturating_mul(DAY_MS)) else {
        return;
    };
    supervisor.keep("ion-variations", move |stop: CancellationToken| {
        let state = state.clone();
        async move {
            while !stop.is_cancelled() {
                let before_ms = clock::now().unix_ms().saturating_sub(kept_ms);
                match heard::forget(&state, before_ms).await {
                    Ok(0) => {}
                    Ok(count) => tracing::debug!(count, "old variations of documents forgotten"),
                    Err(fault) => {
                        tracing::warn!(why = log::chain(&fault), "could not forget variations");
                    }
                }
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(FORGET_EVERY) => {}
                }
            }
        }
    });
}
