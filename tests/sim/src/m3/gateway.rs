//! What stands in front of M3: tokens, weather, the two versions of the REST API.
//!
//! Guarantees: what a call does to M3 does not depend on whether its client still waits for it.

use super::{
    admin,
    call::Nok,
    faults::Trouble,
    inbound, mi_v1,
    mi_v2::{self, Termination},
    options::Auth,
    parse, render,
    route::{self, CallOptions, Target},
    state::Core,
    token,
    work::{self, Done, Job},
};
use crate::{
    serve::{Answer, Request},
    weather::Fault,
};
use std::{sync::Arc, time::Duration};

/// How a request wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    V1,
    V2,
    Bulk,
}

/// Answers one request.
pub(crate) async fn answer(core: Arc<Core>, request: Request) -> Answer {
    if request.path.starts_with("/_sim/") {
        return admin::answer(&core, &request);
    }
    // On a task of its own: a client that gives up does not stop what it began.
    let working = core.work.spawn(public(Arc::clone(&core), request));
    tokio::select! {
        done = working => done.unwrap_or(Answer::Cut),
        () = core.stop.cancelled() => Answer::Cut,
    }
}

async fn public(core: Arc<Core>, request: Request) -> Answer {
    if core.with(|state| state.outage) {
        let cut = core.with(|state| state.dice.permille(500));
        return if cut {
            Answer::Cut
        } else {
            Answer::page(503, "Service Temporarily Unavailable")
        };
    }
    let ionapi = core.options.auth == Auth::Ionapi;
    let authorization = format!("/{}/as/", core.options.tenant);
    if let Some(below) = request.path.strip_prefix(&authorization).filter(|_| ionapi) {
        let below = below.to_owned();
        return token_server(&core, &request, &below).await;
    }
    let ion = format!("/{}{}", core.options.tenant, inbound::PATH);
    if let Some(below) = request.path.strip_prefix(&ion).filter(|_| ionapi) {
        return inbound::answer(&core, &request, below);
    }
    let Some(below) = request.path.strip_prefix(&core.base) else {
        return Answer::page(404, "Not Found");
    };
    let (shape, job) = match wanted(&core, &request, &route::target(below)) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    call(core, request, shape, job).await
}

async fn token_server(core: &Core, request: &Request, below: &str) -> Answer {
    let (fault, latency) =
        core.with(|s| (s.weather.decide(&mut s.dice), s.weather.latency(&mut s.dice)));
    tokio::time::sleep(latency).await;
    match fault {
        Fault::CutBefore => return Answer::Cut,
        Fault::TooMany { retry_after_s } => return too_many(retry_after_s),
        Fault::ServerError(status) => return server_error(status),
        Fault::StillExecuting { .. } => return Answer::page(504, "Gateway Time-out"),
        Fault::None | Fault::Unauthorized | Fault::CutAfter => {}
    }
    let now = core.now().ms;
    let answer = match (request.method.as_str(), below) {
        ("POST", "token.oauth2") => {
            core.with(|state| state.tokens.issue(request, &core.app, &core.options, now))
        }
        ("POST", "revoke_token.oauth2") => {
            core.with(|state| state.tokens.revoke(request, &core.app))
        }
        (_, "token.oauth2" | "revoke_token.oauth2") => Answer::page(405, "Method Not Allowed"),
        _ => Answer::page(404, "Not Found"),
    };
    if fault == Fault::CutAfter { Answer::Cut } else { answer }
}

/// Reads what is asked for, or answers at once.
fn wanted(core: &Core, request: &Request, target: &Target) -> Result<(Shape, Job), Answer> {
    match target {
        // The SDK skips it behind the gateway; 404 is "not needed".
        Target::Csrf | Target::Unknown => Err(Answer::page(404, "Not Found")),
        Target::Bulk if request.method != "POST" => Err(Answer::page(405, "Method Not Allowed")),
        Target::Bulk => {
            let switches = core.with(|state| state.switches.clone());
            let job = parse::bulk(request).map_err(|why| mi_v2::malformed(why, &switches))?;
            Ok((Shape::Bulk, job))
        }
        Target::One { .. } if request.method != "GET" => {
            Err(Answer::page(405, "Method Not Allowed"))
        }
        Target::One { v2, program, transaction, matrix } => {
            let mut options = CallOptions::of(matrix);
            let accepts = request.header("accept").unwrap_or_default();
            options.xml |= accepts.contains("xml") && !accepts.contains("json");
            options.xml &= !v2;
            let job = parse::single(program, transaction, &request.query, options);
            Ok((if *v2 { Shape::V2 } else { Shape::V1 }, job))
        }
    }
}

async fn call(core: Arc<Core>, request: Request, shape: Shape, mut job: Job) -> Answer {
    let names: Vec<_> = job.entries.iter().map(|entry| entry.transaction.as_str()).collect();
    let (trouble, latency) = core.with(|state| {
        let scripted = state.scripts.take(&job.program, &names);
        let way = state.weather.decide(&mut state.dice);
        let count = u64::try_from(job.entries.len()).unwrap_or(u64::MAX);
        let lost = count > 1 && state.dice.permille(state.switches.terminate_permille);
        // A line that is cut by the weather may be cut in the middle of the work.
        let cut = scripted.is_none() && way == Fault::CutAfter && state.dice.permille(500);
        if lost || (cut && count > 1) {
            job.withhold_last = lost && state.dice.permille(500);
            let entries = state.dice.below(count) + u64::from(job.withhold_last);
            job.entries_max = usize::try_from(entries).unwrap_or(0);
        }
        let trouble = scripted.unwrap_or(Trouble::Way(way));
        (trouble, state.weather.latency(&mut state.dice))
    });
    tokio::time::sleep(latency).await;
    if let Some(refusal) = refused(&core, &request, &trouble) {
        return refusal;
    }
    let mut partial = None;
    match trouble {
        Trouble::Way(Fault::StillExecuting { late_ms }) => return late(core, job, late_ms).await,
        Trouble::Way(Fault::CutAfter) => job.answered = false,
        Trouble::Way(_) => {}
        Trouble::Refused(id) => job.refuse = Some(id),
        Trouble::TerminatedAfter(entries) => job.entries_max = entries,
        Trouble::TerminatedWithin(entries) => {
            job.entries_max = entries + 1;
            job.withhold_last = true;
        }
        Trouble::PartialAfter(rows) => partial = Some(rows),
        Trouble::Xml => job.options.xml = true,
        Trouble::Slow(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
    }
    let done = work::run(Arc::clone(&core), job.clone()).await;
    if !job.answered {
        return Answer::Cut;
    }
    written(&core, shape, &job, done, partial)
}

/// The work is done later than the answer: one transaction when the time has come, many one by
/// one until then. A Confirm has begun by then what takes it so long.
async fn late(core: Arc<Core>, mut job: Job, late_ms: u64) -> Answer {
    job.answered = false;
    let (gateway_ms, epoch) = core.with(|state| (state.weather.gateway_ms, state.epoch));
    let mut wait_ms = late_ms;
    let count = u64::try_from(job.entries.len()).unwrap_or(u64::MAX);
    if count > 1 {
        wait_ms = late_ms / 2;
        job.pause_ms = wait_ms / count;
    } else if job.entries.iter().any(|entry| entry.transaction == "Confirm") {
        wait_ms = late_ms.saturating_sub(*core.options.confirm_ms.end());
    }
    let later = Arc::clone(&core);
    core.work.spawn(async move {
        let wait = tokio::time::sleep(Duration::from_millis(wait_ms));
        tokio::select! {
            () = wait => {}
            () = later.stop.cancelled() => return,
        }
        if later.with(|state| state.epoch) == epoch {
            work::run(later, job).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(gateway_ms.min(late_ms))).await;
    Answer::page(504, "Gateway Time-out")
}

/// What is answered without asking M3.
fn refused(core: &Core, request: &Request, trouble: &Trouble) -> Option<Answer> {
    let now = core.now().ms;
    match trouble {
        Trouble::Way(Fault::CutBefore) => return Some(Answer::Cut),
        Trouble::Way(Fault::TooMany { retry_after_s }) => return Some(too_many(*retry_after_s)),
        Trouble::Way(Fault::ServerError(status)) => return Some(server_error(*status)),
        Trouble::Way(Fault::Unauthorized) => core.with(|state| state.tokens.expire(request)),
        Trouble::Way(_) | Trouble::Refused(_) | Trouble::Xml | Trouble::Slow(_) => {}
        Trouble::TerminatedAfter(_) | Trouble::TerminatedWithin(_) => {}
        Trouble::PartialAfter(_) => {}
    }
    let (good, asked_for) = match &core.options.auth {
        Auth::Ionapi => (core.with(|state| state.tokens.good(request, now)), "Bearer"),
        Auth::Basic { user, password } => {
            let sent = token::basic(request);
            (
                sent.is_some_and(|sent| sent == (user.clone(), password.clone())),
                "Basic realm=\"M3\"",
            )
        }
    };
    if good && *trouble != Trouble::Way(Fault::Unauthorized) {
        return None;
    }
    let empty = core.with(|state| state.dice.permille(500));
    let answer = if empty {
        Answer::empty(401)
    } else {
        Answer::json(401, &serde_json::json!({ "error": "invalid_token" }))
    };
    Some(answer.with("www-authenticate", asked_for))
}

fn too_many(retry_after_s: Option<u64>) -> Answer {
    let answer = Answer::page(429, "Too Many Requests");
    match retry_after_s {
        Some(seconds) => answer.with("retry-after", &seconds.to_string()),
        None => answer,
    }
}

fn server_error(status: u16) -> Answer {
    let title = match status {
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    Answer::page(status, title)
}

fn written(core: &Core, shape: Shape, job: &Job, mut done: Done, partial: Option<usize>) -> Answer {
    let switches = core.with(|state| state.switches.clone());
    let not_run: Vec<_> =
        job.entries.iter().skip(done.len()).map(|entry| entry.transaction.clone()).collect();
    if shape == Shape::Bulk && job.withhold_last {
        done.pop();
    }
    let mut entries = Vec::new();
    for (entry, outcome) in job.entries.iter().zip(done) {
        let transaction = core.setup.catalogue.find(&job.program, &entry.transaction);
        let mut options = job.options.clone();
        if !entry.columns.is_empty() {
            options.columns.clone_from(&entry.columns);
        }
        let shown = outcome.map(|rows| match transaction {
            Some(transaction) => render::rows(transaction, &rows, &options, &switches),
            None => Vec::new(),
        });
        entries.push(mi_v2::Entry {
            transaction: entry.transaction.clone(),
            outcome: shown,
            gives_rows: transaction.is_some_and(|t| !t.output.is_empty()),
            parameters: job.options.extended.then(|| entry.record.clone()),
        });
    }
    if shape == Shape::Bulk {
        let whole = entries.len() == job.entries.len();
        let terminated = (!whole).then(|| Termination::lost(not_run));
        return mi_v2::bulk(entries, terminated.as_ref(), &switches);
    }
    let Some(entry) = entries.pop() else { return server_error(500) };
    let unknown = !core.setup.catalogue.has(&job.program);
    if shape == Shape::V2 && unknown && switches.unknown_program_as_404 {
        return Answer::page(404, "Not Found");
    }
    if shape == Shape::V2 && !job.options.xml {
        return mi_v2::single(entry, &switches);
    }
    let (mut rows, mut nok) = match entry.outcome {
        Ok(rows) => (rows, None),
        Err(nok) => (Vec::new(), Some(nok)),
    };
    if let Some(kept) = partial.filter(|kept| *kept < rows.len()) {
        rows.truncate(kept);
        nok = Some(Nok::new("XRE0103", "", ""));
    }
    let transaction = core.setup.catalogue.find(&job.program, &entry.transaction);
    let (program, name) = (job.program.as_str(), entry.transaction.as_str());
    let result = mi_v1::Result1 { program, name, transaction, rows, nok };
    mi_v1::answer(&result, &job.options, &switches)
}
