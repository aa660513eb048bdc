//! What a person can ask of the cases: list, show, replay, discard.
//!
//! Guarantees: nothing is discarded without a reason that is kept; a case that a
//! worker has in hand is not touched, the person is asked to try again.

use super::{
    cases::{CaseError, Cases, Held},
    rows::{self, CaseKey, ParkedRow},
    worker::Moved,
};
use crate::{
    clock::UnixMs,
    flow::{
        cause::{Cause, CauseKind},
        run::{Mark, ReplayFrom},
    },
    state::StateError,
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Cases listed in one answer.
pub const LISTED_MAX: usize = 1_000;

/// A question with the place for its answer.
#[derive(Debug)]
pub struct Request {
    /// The question.
    pub ask: Ask,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Reply, String>>,
}

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// The cases that need a person, from behind a key on.
    List {
        /// The last key of the page before.
        after: Option<String>,
    },
    /// One case with every step it took.
    Show {
        /// Its key.
        key: String,
    },
    /// Try a case again.
    Replay {
        /// Its key.
        key: String,
        /// From where.
        from: ReplayFrom,
    },
    /// End a case for good; nothing is sent.
    Discard {
        /// Its key.
        key: String,
        /// Why.
        reason: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// At most [`LISTED_MAX`] cases.
    Listed(Vec<Listed>),
    /// One case.
    Shown(Box<Shown>),
    /// It is done.
    Done,
}

/// A case that needs a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its key, as M3 has it in CUOR.
    pub key: String,
    /// Why.
    pub cause: Cause,
    /// Since when, in milliseconds since 1970.
    pub since_ms: UnixMs,
    /// Whether it stands still, or goes on with a difference.
    pub stands_still: bool,
}

/// One case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// Its key.
    pub key: String,
    /// Name of its stage.
    pub stage: String,
    /// Why it is parked or needs attention.
    pub cause: Option<Cause>,
    /// What it waits for.
    pub waits: Option<String>,
    /// M3's order.
    pub orno: Option<String>,
    /// M3's customer.
    pub cuno: Option<String>,
    /// The shop's total.
    pub total: Option<String>,
    /// What happened, oldest first.
    pub trail: Vec<Mark>,
}

/// Answers a question; says which case changed its stage.
pub(super) async fn answer(cases: &Cases, request: Request, now_ms: UnixMs) -> Option<Moved> {
    let Request { ask, reply } = request;
    let (answer, moved) = match ask {
        Ask::List { after } => (list(cases, after.as_deref()), None),
        Ask::Show { key } => (show(cases, &key, now_ms), None),
        Ask::Replay { key, from } => {
            let change = |held: &mut Held| held.case.run.replay(from, now_ms);
            settled(change_case(cases, &key, now_ms, change).await)
        }
        Ask::Discard { reason, .. } if reason.trim().is_empty() => {
            (Err("a reason is needed".to_owned()), None)
        }
        Ask::Discard { key, reason } => {
            let change = |held: &mut Held| {
                let noted = held.case.run.attention.take().is_some();
                held.case.run.discard(&reason, now_ms) || noted
            };
            settled(change_case(cases, &key, now_ms, change).await)
        }
    };
    // Whoever asked may have gone.
    let _ = reply.send(answer);
    moved
}

type Settled = (Result<Reply, String>, Option<Moved>);

fn settled(changed: Result<Moved, String>) -> Settled {
    match changed {
        Ok(moved) => (Ok(Reply::Done), Some(moved)),
        Err(why) => (Err(why), None),
    }
}

fn list(cases: &Cases, after: Option<&str>) -> Result<Reply, String> {
    let range = match after {
        Some(key) => rows::table_after("k", &CaseKey::typed(key).parked()),
        None => rows::table("k"),
    };
    let found = cases.state().scan(range, LISTED_MAX).map_err(|fault| fault.to_string())?;
    let mut listed = Vec::with_capacity(found.len());
    for (key, row) in &found {
        let ParkedRow { cause, since_ms, stands_still } =
            rows::read(row).map_err(|fault| fault.to_string())?;
        let Some(key) = CaseKey::from_row(key) else { continue };
        listed.push(Listed { key: key.as_str().to_owned(), cause, since_ms, stands_still });
    }
    Ok(Reply::Listed(listed))
}

fn show(cases: &Cases, key: &str, now_ms: UnixMs) -> Result<Reply, String> {
    let held = load(cases, key, now_ms)?;
    let run = held.case.run;
    Ok(Reply::Shown(Box::new(Shown {
        key: held.key.as_str().to_owned(),
        stage: run.stage.name().to_owned(),
        cause: run.parked().or(run.attention.as_ref()).cloned(),
        waits: run.wait.map(|wait| wait.reason),
        orno: run.orno.map(Into::into),
        cuno: run.cuno.map(Into::into),
        total: run.total.map(|(total, currency)| format!("{total} {currency}")),
        trail: run.trail,
    })))
}

async fn change_case(
    cases: &Cases,
    key: &str,
    now_ms: UnixMs,
    change: impl FnOnce(&mut Held) -> bool,
) -> Result<Moved, String> {
    let mut held = load(cases, key, now_ms)?;
    let from = Some(held.case.run.stage.name());
    if !change(&mut held) {
        return Err(format!("order {key} needs nobody (stage {})", held.case.run.stage.name()));
    }
    let to = Some(held.case.run.stage.name());
    match cases.save(&mut held, Some(now_ms)).await {
        Ok(true) => Ok(Moved { from, to }),
        Ok(false) | Err(CaseError::Store(StateError::Conflict { .. })) => {
            Err(format!("order {key} is being worked on; try again"))
        }
        Err(fault) => Err(crate::log::chain(&fault)),
    }
}

fn load(cases: &Cases, key: &str, now_ms: UnixMs) -> Result<Held, String> {
    let key = CaseKey::typed(key);
    let held = cases.load(&key, None, now_ms).map_err(|fault| crate::log::chain(&fault))?;
    held.filter(Held::is_known).ok_or_else(|| format!("no order {key} is known"))
}

/// Parks a case on which the program failed.
pub(super) async fn set_aside(
    cases: &Cases,
    key: &CaseKey,
    now_ms: UnixMs,
) -> Result<Moved, CaseError> {
    let Some(mut held) = cases.load(key, None, now_ms)? else { return Ok(Moved::default()) };
    let from = held.is_known().then(|| held.case.run.stage.name());
    let cause = Cause::new(CauseKind::KeepsFailing, "the program failed on it; see its log");
    held.case.run.park(cause, now_ms);
    held.case.run.reread = false;
    cases.save(&mut held, None).await?;
    Ok(Moved { from, to: Some(held.case.run.stage.name()) })
}
