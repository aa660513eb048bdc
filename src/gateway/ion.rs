//! Puts ION's parts together: what it calls, what understands its documents, what answers it,
//! and what forgets old variations.

use super::{GatewayError, flows::Flows};
use crate::{
    cli::serve::Frame,
    clock,
    config::{Config, CredentialError, Credentials},
    delivery::{
        answers::Answering,
        heard::{self, Answers, Ears},
    },
    intake::ion::{Ion, Stores, config, files::Files},
    log,
    state::State,
    supervise::Supervisor,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Between two looks for variations that may be forgotten.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// One day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn settings(config: &Config) -> Option<&config::Config> {
    config.intake.as_ref().and_then(|intake| intake.ion.as_ref())
}

/// Makes the end points that ION calls ready, if they are configured, and reads its folder.
pub(super) fn endpoints(
    config: &Config,
    credentials: &Credentials,
    supervisor: &Supervisor,
    stores: Stores,
) -> Result<Option<Arc<Ion>>, CredentialError> {
    let Some(settings) = settings(config) else { return Ok(None) };
    tracing::info!(path = settings.path, "ION may call");
    let ion = Arc::new(Ion::new(settings.clone(), settings.verifier(credentials)?, stores));
    if let Some(files) = &settings.files
        && let Some(folder) = &files.folder_in
    {
        let every = Duration::from_millis(files.look_ms);
        let files = Arc::new(Files::new(Arc::clone(&ion), folder.clone(), every));
        supervisor.keep("ion-files", move |stop| {
            let files = Arc::clone(&files);
            async move { files.run(stop).await }
        });
    }
    Ok(Some(ion))
}

/// Returns what is needed to understand ION's documents; who answers them begins to.
pub(super) fn ears(frame: &Frame, state: &State, flows: &Flows) -> Result<Ears, GatewayError> {
    let config = &frame.loaded.config;
    let settings = settings(config);
    Ok(Ears {
        company: config.m3.as_ref().map(|m3| m3.company),
        limits: settings.map(|ion| ion.limits.of_xml()),
        answers: settings.map(|ion| answers(frame, ion, state)).transpose()?.flatten(),
        items: flows.goods.as_ref().map(|goods| Arc::clone(&goods.bells)),
        buyers: flows.buyers.as_ref().map(|buyers| Arc::clone(&buyers.bells)),
        profiles: flows.profiles.as_ref().map(|profiles| Arc::clone(&profiles.bells)),
        counted: frame.metrics.heard.clone(),
    })
}

fn answers(
    frame: &Frame,
    ion: &config::Config,
    state: &State,
) -> Result<Option<Answers>, GatewayError> {
    let credentials = &frame.loaded.credentials;
    let publish = ion.publish.as_ref();
    let credential = publish.map(|publish| credentials.get(&publish.credential)).transpose()?;
    let Some(outlet) = ion.outlet(credential.as_ref())? else { return Ok(None) };
    let answers = Answers { logical_id: ion.logical_id.clone(), news: Arc::default() };
    let counted = frame.metrics.heard.clone();
    let answering = Answering::new(state.clone(), outlet, answers.clone(), counted);
    frame.supervisor.keep("ion-answers", move |stop| {
        let answering = answering.clone();
        async move { answering.run(stop).await }
    });
    Ok(Some(answers))
}

/// Forgets variations that are older than may come again, for as long as the gateway runs.
pub(super) fn forget(config: &Config, supervisor: &Supervisor, state: State) {
    let kept_ms = settings(config).map(|ion| ion.variations_kept_days.saturating_mul(DAY_MS));
    let Some(kept_ms) = kept_ms else { return };
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
