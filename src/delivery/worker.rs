//! Leads one case from effect to effect until it rests.

use super::{
    cases::{CaseError, Cases, Held},
    perform::Performer,
    rows::CaseKey,
};
use crate::{
    clock, failpoint,
    flow::{
        cause::CauseKind,
        rules::Rules,
        run::{Context, Effect, Next},
    },
    retry::Jitter,
};
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every worker uses.
#[derive(Debug)]
pub(super) struct Tools {
    pub cases: Cases,
    pub performer: Performer,
    pub rules: Arc<Rules>,
    pub stop: CancellationToken,
    pub confirmed: Counter,
}

/// What became of a case.
#[derive(Debug)]
pub(super) struct Finished {
    pub key: CaseKey,
    pub result: Result<Moved, CaseError>,
}

/// From which stage to which; none where the case was not or is no more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub from: Option<&'static str>,
    pub to: Option<&'static str>,
}

/// Works on a case until it rests, waits or the gateway stops.
pub(super) async fn work(tools: Arc<Tools>, key: CaseKey, due_ms: u64) -> Finished {
    let result = lead(&tools, &key, due_ms).await;
    Finished { key, result }
}

async fn lead(tools: &Tools, key: &CaseKey, due_ms: u64) -> Result<Moved, CaseError> {
    let Some(mut held) = tools.cases.load(key, Some(due_ms), clock::now().unix_ms())? else {
        tools.cases.forget_due(key, due_ms).await?;
        return Ok(Moved::default());
    };
    let from = held.is_known().then(|| held.case.run.stage.name());
    failpoint::pass("case.loaded");
    held.case.recover(&tools.context());
    loop {
        if tools.stop.is_cancelled() {
            tools.cases.save(&mut held, Some(due_ms)).await?;
            break;
        }
        let before = held.case.run.placing.clone();
        let known = held.case.run.orno.is_some();
        let next = held.case.next(&tools.context());
        if let (Some(orno), false) = (&held.case.run.orno, known) {
            tracing::info!(order = %held.key, %orno, "M3 has the order");
            tools.confirmed.inc();
        }
        let due = match next {
            Next::Do(effect) => {
                if effect.is_write() && !tools.cases.save(&mut held, Some(due_ms)).await? {
                    // An event came first: the intent was not sent, so it is none.
                    held.case.run.placing = before;
                    continue;
                }
                if tools.carry_out(&effect, &mut held).await? {
                    return Ok(Moved { from, to: None });
                }
                continue;
            }
            Next::Wait(wait) => Some(wait.until_ms),
            Next::Rest => None,
        };
        if tools.cases.save(&mut held, due).await? {
            break;
        }
    }
    Ok(Moved { from, to: Some(held.case.run.stage.name()) })
}

impl Tools {
    fn context(&self) -> Context<'_> {
        Context {
            rules: &self.rules,
            epoch: self.cases.state().epoch().0,
            now_ms: clock::now().unix_ms(),
            jitter: Jitter(fastrand::u8(..)),
        }
    }

    /// Carries an effect out; says whether the case has handed over to another.
    async fn carry_out(&self, effect: &Effect, held: &mut Held) -> Result<bool, CaseError> {
        failpoint::pass_at("effect", effect, "before");
        let outcome = self.performer.perform(effect, &held.case).await;
        failpoint::pass_at("effect", effect, "after");
        let parked = held.case.run.parked().cloned();
        let alarmed = held.case.run.attention.is_some();
        held.case.on(outcome, &self.context());
        if held.key.is_of_id() && held.case.run.key.is_some() {
            self.cases.hand_over(held, clock::now().unix_ms()).await?;
            return Ok(true);
        }
        let run = &held.case.run;
        if let (Some(cause), false) = (&run.attention, alarmed) {
            tracing::error!(order = %held.key, cause = cause.kind.name(), why = cause.text, "orders differ");
        }
        if let (Some(cause), None) = (run.parked(), parked) {
            tracing::error!(order = %held.key, cause = cause.kind.name(), why = cause.text, "parked");
            if cause.kind == CauseKind::CustomerRefused {
                self.performer.forget_customer(&held.case).await?;
            }
        }
        Ok(false)
    }
}

impl Effect {
    /// Whether it changes another system in a way that must be durable here first.
    fn is_write(&self) -> bool {
        match self {
            Self::Place(ask) => ask.is_write(),
            Self::Tell { .. } => true,
            // The customer's intent has a row of its own.
            Self::ReadOrder(_) | Self::EnsureCustomer | Self::FindItems(_) => false,
            Self::ReadReal(_) | Self::ReadProgress(_) => false,
        }
    }
}
