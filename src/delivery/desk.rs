//! What a person can ask of the cases: list, show, replay, discard.
//!
//! Guarantees: nothing is discarded without a reason that is kept; a case that a
//! worker has in hand is not touched, the person is asked to try again.

pub mod customers;
mod payments;

use super::{
    cases::{CaseError, Cases, Held},
    events,
    rows::{self, CaseKey, Due, ParkedRow},
    worker::{Moved, Tools},
};
use crate::{
    clock::UnixMs,
    flow::{
        cause::{Cause, CauseKind},
        customer::card::Follows,
        payment::{Posting, report::Line},
        run::{Mark, Need, ReplayFrom, Stage},
    },
    ids::{Cuno, OrderKey, Orno},
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
    /// The same of an order that may not be known.
    Find {
        /// Its key.
        key: String,
    },
    /// Take an order of the shop over as if the shop had told of it.
    Take {
        /// X-Cart's internal id.
        id: u64,
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
    /// The payments, from behind an order's key on.
    Payments {
        /// The last key of the page before.
        after: Option<String>,
    },
    /// A person has found a payment in M3, or has dealt with it.
    SettlePayment {
        /// The order's key.
        key: String,
        /// The shop's id of the payment.
        id: u64,
        /// Where it is in M3, or what was done.
        reference: String,
    },
    /// The buyers and their customers, from behind a buyer's name on.
    Customers {
        /// The last name of the page before.
        after: Option<String>,
    },
    /// The customer of one buyer.
    Customer {
        /// Profile id or e-mail address.
        buyer: String,
    },
    /// A person says which customer a buyer is.
    LinkCustomer {
        /// Profile id or e-mail address.
        buyer: String,
        /// CUNO.
        customer: String,
        /// Whether it follows the shop.
        follows: Follows,
    },
    /// What is known of a buyer's customer is forgotten.
    UnlinkCustomer {
        /// Profile id or e-mail address.
        buyer: String,
    },
    /// The payments of one order, each whole.
    PaymentsOf {
        /// The order's key.
        key: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// At most [`LISTED_MAX`] cases.
    Listed(Vec<Listed>),
    /// One case.
    Shown(Box<Shown>),
    /// The gateway has not heard of it.
    Unknown,
    /// Payments.
    Payments {
        /// Each of them.
        lines: Vec<Line>,
        /// Where the next page begins, if there may be one.
        after: Option<String>,
    },
    /// Buyers and their customers.
    Customers(Box<customers::Page>),
    /// It is done.
    Done,
    /// The payments of one order.
    PaidOrder(Box<PaidOrder>),
}

/// The payments of one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaidOrder {
    /// Its key.
    pub key: OrderKey,
    /// M3's order.
    pub orno: Option<Orno>,
    /// M3's customer.
    pub cuno: Option<Cuno>,
    /// Each payment.
    pub postings: Vec<Posting>,
    /// What is to be credited.
    pub returned: Option<String>,
    /// Why calls about payments wait.
    pub held: Option<String>,
    /// What happened, oldest first.
    pub trail: Vec<Mark>,
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
    /// Another difference that somebody should know of.
    pub attention: Option<Cause>,
    /// The rules that it was planned with, and the rules of today.
    pub planned_with: Option<String>,
    /// The rules of today.
    pub rules: String,
    /// What was done in M3 and in the shop, and what may have been.
    pub effects: Vec<String>,
    /// What happened, oldest first.
    pub trail: Vec<Mark>,
}

/// Answers a question; says which cases changed their stages.
pub(super) async fn answer(tools: &Tools, request: Request) -> Vec<Moved> {
    let Request { ask, reply } = request;
    let (answer, moved) = match answered(tools, ask).await {
        Ok((answer, moved)) => (Ok(answer), moved),
        Err(why) => (Err(why), Vec::new()),
    };
    // Whoever asked may have gone.
    let _ = reply.send(answer);
    moved
}

type Answered = Result<(Reply, Vec<Moved>), String>;

async fn answered(tools: &Tools, ask: Ask) -> Answered {
    let (cases, now_ms) = (&tools.cases, tools.time().now().now_ms);
    let only = |reply: Reply| (reply, Vec::new());
    match ask {
        Ask::List { after } => list(cases, after.as_deref()).map(only),
        Ask::Show { key } => find(tools, &key, now_ms)?.ok_or_else(|| unknown(&key)).map(only),
        Ask::Find { key } => Ok(only(find(tools, &key, now_ms)?.unwrap_or(Reply::Unknown))),
        Ask::Take { id } => match events::take_over(cases, &tools.rules, id, now_ms).await {
            Ok(()) => Ok(only(Reply::Done)),
            Err(fault) => Err(crate::log::chain(&fault)),
        },
        Ask::Replay { key, from } => {
            let change = |held: &mut Held| replay(held, from, now_ms);
            settled(change_case(cases, &key, now_ms, change).await)
        }
        Ask::Discard { reason, .. } if reason.trim().is_empty() => {
            Err("a reason is needed".to_owned())
        }
        Ask::Discard { key, reason } => {
            let change = |held: &mut Held| discard(held, &reason, now_ms);
            settled(change_case(cases, &key, now_ms, change).await)
        }
        Ask::Payments { after } => payments::list(cases, after.as_deref()).map(only),
        Ask::PaymentsOf { key } => {
            let held = known(cases, &key, now_ms);
            let held = held.and_then(|held| held.ok_or_else(|| unknown(&key)));
            held.and_then(payments::of_order).map(only)
        }
        Ask::SettlePayment { reference, .. } if reference.trim().is_empty() => {
            Err("say where it is, or what was done".to_owned())
        }
        Ask::SettlePayment { key, id, reference } => {
            let change = |held: &mut Held| payments::settle(held, (id, &reference), now_ms);
            settled(change_case(cases, &key, now_ms, change).await)
        }
        Ask::Customers { after } => customers::list(cases, after.as_deref()).map(only),
        Ask::Customer { buyer } => customers::show(cases, &buyer).map(only),
        Ask::LinkCustomer { buyer, customer, follows } => {
            customers::link(tools, (&buyer, &customer), follows, now_ms).await
        }
        Ask::UnlinkCustomer { buyer } => customers::unlink(cases, &buyer).await.map(only),
    }
}

fn settled(changed: Result<Moved, String>) -> Answered {
    changed.map(|moved| (Reply::Done, vec![moved]))
}

fn replay(held: &mut Held, from: ReplayFrom, now_ms: UnixMs) -> Result<(), String> {
    if from == ReplayFrom::StartWithOldRules && held.case.plan.is_none() {
        return Err("no plan is kept; replay it without the old rules".to_owned());
    }
    if held.case.run.replay(from, now_ms) { Ok(()) } else { Err(needs_nobody(held)) }
}

fn discard(held: &mut Held, reason: &str, now_ms: UnixMs) -> Result<(), String> {
    let noted = held.case.run.attention.take().is_some();
    let discarded = held.case.run.discard(reason, now_ms);
    if noted && !discarded {
        held.case.run.mark(now_ms, format!("a difference was settled by a person: {reason}"));
    }
    if noted || discarded { Ok(()) } else { Err(needs_nobody(held)) }
}

fn needs_nobody(held: &Held) -> String {
    format!("it needs nobody (stage {})", held.case.run.stage.name())
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

fn find(tools: &Tools, key: &str, now_ms: UnixMs) -> Result<Option<Reply>, String> {
    let Some(held) = known(&tools.cases, key, now_ms)? else { return Ok(None) };
    let (need, effects) = (held.case.need(), held.case.effects());
    let waits = held.case.run.wait.as_ref().map(|wait| wait.reason.clone());
    let stage = if held.has_left() { "left" } else { held.case.run.stage.name() };
    let is_at_rest = matches!(held.case.run.stage, Stage::Parked { .. } | Stage::Done(_));
    let closed = tools.performer.closed_for(need).filter(|_| !is_at_rest);
    let away = closed.map(|left| {
        let name = if need == Need::Shop { "the shop" } else { "M3" };
        format!(
            "{name} is away or has asked for a pause; it is tried again in {} s",
            left.as_secs()
        )
    });
    let Held { key, case, .. } = held;
    let run = case.run;
    let parked = run.parked().cloned();
    let (cause, attention) = match parked {
        Some(parked) => (Some(parked), run.attention),
        None => (run.attention, None),
    };
    Ok(Some(Reply::Shown(Box::new(Shown {
        key: key.as_str().to_owned(),
        stage: stage.to_owned(),
        cause,
        attention,
        waits: waits.or(away),
        orno: run.orno.map(Into::into),
        cuno: run.cuno.map(Into::into),
        total: run.total.map(|(total, currency)| format!("{total} {currency}")),
        planned_with: case.plan.map(|plan| plan.rules),
        rules: tools.rules.version(),
        effects,
        trail: run.trail,
    }))))
}

async fn change_case(
    cases: &Cases,
    key: &str,
    now_ms: UnixMs,
    change: impl FnOnce(&mut Held) -> Result<(), String>,
) -> Result<Moved, String> {
    let mut held = load(cases, key, now_ms)?;
    let from = held.stored_stage();
    change(&mut held).map_err(|why| format!("order {key}: {why}"))?;
    let to = Some(held.case.run.stage.name());
    let due = Due { need: held.case.need(), at_ms: now_ms };
    match cases.save(&mut held, Some(due)).await {
        Ok(true) => Ok(Moved { from, to }),
        Ok(false) | Err(CaseError::Store(StateError::Conflict { .. })) => {
            Err(format!("order {key} is being worked on; try again"))
        }
        Err(fault) => Err(crate::log::chain(&fault)),
    }
}

fn load(cases: &Cases, key: &str, now_ms: UnixMs) -> Result<Held, String> {
    known(cases, key, now_ms)?.ok_or_else(|| unknown(key))
}

fn known(cases: &Cases, key: &str, now_ms: UnixMs) -> Result<Option<Held>, String> {
    let held = cases.load(&CaseKey::typed(key), None, now_ms);
    held.map(|held| held.filter(Held::is_known)).map_err(|fault| crate::log::chain(&fault))
}

fn unknown(key: &str) -> String {
    format!("no order {} is known", CaseKey::typed(key))
}

/// Parks a case on which the program failed.
pub(super) async fn set_aside(
    cases: &Cases,
    key: &CaseKey,
    now_ms: UnixMs,
) -> Result<Moved, CaseError> {
    let Some(mut held) = cases.load(key, None, now_ms)? else { return Ok(Moved::default()) };
    let from = held.stored_stage();
    let cause = Cause::new(CauseKind::KeepsFailing, "the program failed on it; see its log");
    held.case.run.park(cause, now_ms);
    held.case.run.reread = false;
    cases.save(&mut held, None).await?;
    Ok(Moved { from, to: Some(held.case.run.stage.name()) })
}
