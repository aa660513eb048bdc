//! Leads one case from effect to effect until it rests.
//!
//! Guarantees: a case whose next call cannot be made, because the system is away or too
//! many confirmations run, is put back with its place in the queue; nothing is counted.

use super::{
    cases::{CaseError, Cases, Held},
    perform::Performer,
    rows::{CaseKey, Due},
    timekeeper::Timekeeper,
};
use crate::{
    connector::{Class, Fate},
    failpoint,
    flow::{
        books::Money,
        cause::CauseKind,
        place::{Ask, Placing},
        rules::Rules,
        run::{Case, Context, Effect, Need, Next, Outcome},
    },
    retry::Jitter,
};
use prometheus_client::metrics::counter::Counter;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Effects of one case without a rest. An order of hundreds of lines needs some twenty; a case that wants
/// more than this goes round in a circle.
const EFFECTS_AT_ONCE_MAX: u32 = 400;
/// How long such a case rests.
const CIRCLE_REST_MS: u64 = 60_000;

/// What every worker uses.
#[derive(Debug)]
pub(super) struct Tools {
    pub cases: Cases,
    pub performer: Performer,
    pub rules: Arc<Rules>,
    pub stop: CancellationToken,
    pub confirmed: Counter,
    /// One for each confirmation that may run.
    pub confirms: Arc<Semaphore>,
    /// Whether cases wait for a confirmation: then nobody overtakes them.
    pub confirms_queued: AtomicBool,
}

/// A case that is given to a worker.
#[derive(Debug)]
pub(super) struct Job {
    pub key: CaseKey,
    pub due: Due,
    /// Leave for one confirmation, if it was waiting for one.
    pub ticket: Option<OwnedSemaphorePermit>,
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

/// What came of an effect for the worker.
enum Done {
    /// The case goes on.
    Taken,
    /// The case has handed over to another.
    HandedOver,
    /// Nothing was sent: the system is away.
    Held,
}

/// Works on a case until it rests, waits or the gateway stops.
pub(super) async fn work(tools: Arc<Tools>, job: Job) -> Finished {
    let key = job.key.clone();
    let result = lead(&tools, job).await;
    Finished { key, result }
}

async fn lead(tools: &Tools, job: Job) -> Result<Moved, CaseError> {
    let Job { key, due, mut ticket } = job;
    let now_ms = tools.time().now().now_ms;
    let Some(mut held) = tools.cases.load(&key, Some(due), now_ms)? else {
        tools.cases.forget_due(&key, due).await?;
        return Ok(Moved::default());
    };
    failpoint::pass("case.loaded");
    let from = held.stored_stage();
    let queued_ms = held.queued_ms(now_ms);
    held.case.recover(&tools.context());
    for effects in 0_u32.. {
        let back = |need| Some(Due { need, at_ms: queued_ms });
        if tools.stop.is_cancelled() {
            tools.save_at_stop(&mut held, back).await?;
            break;
        }
        let before = (held.case.run.placing.clone(), held.case.books.money.clone());
        let next = tools.next(&mut held);
        let due = match next {
            Next::Do(effect) if effects >= EFFECTS_AT_ONCE_MAX => {
                Some(tools.circled(&mut held, &effect, before))
            }
            Next::Do(effect) => {
                let need = effect.need();
                let mut done = Done::Held;
                if tools.may_leave(need, &mut ticket) {
                    if effect.is_write() && !tools.cases.save(&mut held, Some(due)).await? {
                        // An event came first: the intent was not sent, so it is none.
                        held.case.take_back(&effect, before);
                        continue;
                    }
                    done = tools.carry_out(&effect, &mut held).await?;
                }
                match done {
                    Done::Taken => {
                        ticket = ticket.filter(|_| need != Need::Confirm);
                        continue;
                    }
                    Done::HandedOver => return Ok(Moved { from, to: None }),
                    Done::Held => {
                        held.case.take_back(&effect, before);
                        back(need)
                    }
                }
            }
            Next::Wait(wait) => Some(Due { need: held.case.need(), at_ms: wait.until_ms }),
            Next::Rest => None,
            Next::Leave => {
                if tools.cases.leave(&mut held).await? {
                    return Ok(Moved { from, to: None });
                }
                continue;
            }
        };
        if tools.cases.save(&mut held, due).await? {
            break;
        }
    }
    Ok(Moved { from, to: Some(held.case.run.stage.name()) })
}

impl Tools {
    /// The time that cases are due by.
    pub(super) fn time(&self) -> &Timekeeper {
        self.performer.customers().time()
    }

    fn context(&self) -> Context<'_> {
        let now = self.time().now();
        Context {
            rules: &self.rules,
            now_ms: now.now_ms,
            steady: now.steady,
            jitter: Jitter(fastrand::u8(..)),
        }
    }

    /// Asks the case what is to be done, and tells when M3 has come to have the order.
    fn next(&self, held: &mut Held) -> Next {
        let known = held.case.run.orno.is_some();
        let next = held.case.next(&self.context());
        if let (Some(orno), false) = (&held.case.run.orno, known) {
            tracing::info!(order = %held.key, %orno, "M3 has the order");
            self.confirmed.inc();
        }
        next
    }

    /// An event that comes in the same moment is taken in, once.
    async fn save_at_stop(
        &self,
        held: &mut Held,
        back: impl Fn(Need) -> Option<Due>,
    ) -> Result<(), CaseError> {
        for _ in 0..2 {
            let due = back(held.case.need());
            if self.cases.save(held, due).await? {
                break;
            }
        }
        Ok(())
    }

    /// Whether a call may leave now; a confirmation needs a ticket.
    fn may_leave(&self, need: Need, ticket: &mut Option<OwnedSemaphorePermit>) -> bool {
        if self.performer.closed_for(need).is_some() {
            return false;
        }
        if need != Need::Confirm || ticket.is_some() {
            return true;
        }
        if !self.confirms_queued.load(Ordering::Acquire) {
            *ticket = Arc::clone(&self.confirms).try_acquire_owned().ok();
        }
        ticket.is_some()
    }

    /// A case goes round in a circle: it rests, and the log says so.
    fn circled(&self, held: &mut Held, effect: &Effect, before: (Placing, Money)) -> Due {
        held.case.take_back(effect, before);
        tracing::error!(order = %held.key, ?effect, "this order goes round in a circle");
        let at_ms = self.time().now().now_ms.saturating_add(CIRCLE_REST_MS);
        Due { need: held.case.need(), at_ms }
    }

    /// Carries an effect out.
    async fn carry_out(&self, effect: &Effect, held: &mut Held) -> Result<Done, CaseError> {
        failpoint::pass_at("effect", effect, "before");
        let outcome = self.performer.perform(effect, &held.case).await;
        failpoint::pass_at("effect", effect, "after");
        if let Outcome::Failed(failure) = &outcome
            && (failure.fate, failure.class) == (Fate::NotDone, Class::Held)
        {
            return Ok(Done::Held);
        }
        let parked = held.case.run.parked().cloned();
        let alarmed = held.case.run.attention.is_some();
        held.case.on(outcome, &self.context());
        if Self::belongs_elsewhere(held) {
            self.cases.hand_over(held, self.time().now().now_ms).await?;
            return Ok(Done::HandedOver);
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
        Ok(Done::Taken)
    }

    /// Whether the order turned out to be that of another case: an event named it by its id,
    /// or by a number that the shop reads generously. One case writes for each key in M3.
    fn belongs_elsewhere(held: &Held) -> bool {
        let run = &held.case.run;
        let untouched = run.orno.is_none() && run.placing.tokens.is_empty();
        untouched && run.key.as_ref().is_some_and(|key| CaseKey::of_order(key) != held.key)
    }
}

impl Case {
    /// An effect was not carried out, so its intent is none.
    fn take_back(&mut self, effect: &Effect, (placing, money): (Placing, Money)) {
        match effect {
            Effect::Place(_) => self.run.placing = placing,
            Effect::Pay { .. } | Effect::ReadPayments(_) => self.books.money = money,
            Effect::ReadOrder(_) | Effect::EnsureCustomer | Effect::FindItems(_) => {}
            Effect::ReadReal(_) | Effect::ReadProgress(_) | Effect::Tell { .. } => {}
        }
    }
}

impl Effect {
    /// Whether it changes another system in a way that must be durable here first.
    fn is_write(&self) -> bool {
        match self {
            Self::Place(ask) => ask.is_write(),
            Self::Tell { .. } => true,
            Self::Pay { step, .. } => step.is_write(),
            // The customer's intent has a row of its own.
            Self::ReadOrder(_) | Self::EnsureCustomer | Self::FindItems(_) => false,
            Self::ReadReal(_) | Self::ReadProgress(_) | Self::ReadPayments(_) => false,
        }
    }

    /// Whom it asks.
    fn need(&self) -> Need {
        match self {
            Self::ReadOrder(_) | Self::Tell { .. } | Self::ReadPayments(_) => Need::Shop,
            Self::Place(Ask::Confirm { .. }) => Need::Confirm,
            Self::Place(_) | Self::EnsureCustomer | Self::FindItems(_) => Need::M3,
            Self::ReadReal(_) | Self::ReadProgress(_) | Self::Pay { .. } => Need::M3,
        }
    }
}
