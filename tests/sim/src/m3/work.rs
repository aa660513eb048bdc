//! Executes what a request asks for, one transaction after the other.
//!
//! Guarantees: the entries of a request run in its order and each whole; work begun before a
//! restart does not go on after it.

use super::{
    books::Seen,
    call::{Ask, Nok, Outcome, Record},
    catalogue::Transaction,
    check,
    route::CallOptions,
    state::{COMPANY, Core, EMPTY_COMPANY, State},
    world::World,
};
use std::{sync::Arc, time::Duration};

/// One transaction with its fields as they were sent.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) transaction: String,
    pub(crate) record: Record,
    pub(crate) columns: Vec<String>,
}

/// All transactions of one request.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) program: String,
    pub(crate) entries: Vec<Entry>,
    pub(crate) options: CallOptions,
    /// Ends after so many entries.
    pub(crate) entries_max: usize,
    /// Keeps the outcome of the last entry that ran from the client.
    pub(crate) withhold_last: bool,
    /// Waits so long before each entry.
    pub(crate) pause_ms: u64,
    /// Refuses the first entry with this message id.
    pub(crate) refuse: Option<String>,
    /// Whether the client will be given the answer.
    pub(crate) answered: bool,
}

/// What became of a job: the outcomes of the entries that ran. Fewer than asked for when it was
/// terminated or the server was restarted.
pub(crate) type Done = Vec<Outcome>;

/// Runs a job to its end, whoever waits for it.
pub(crate) async fn run(core: Arc<Core>, job: Job) -> Done {
    let epoch = core.with(|state| state.epoch);
    let mut done = Vec::new();
    for (n, entry) in job.entries.iter().take(job.entries_max).enumerate() {
        let refuse = job.refuse.as_deref().filter(|_| n == 0);
        if job.pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(job.pause_ms)).await;
        }
        let Some(outcome) = one(&core, &job, entry, refuse, epoch).await else { break };
        done.push(outcome);
        tokio::task::yield_now().await;
    }
    done
}

/// None when the server was restarted meanwhile.
async fn one(
    core: &Core,
    job: &Job,
    entry: &Entry,
    refuse: Option<&str>,
    epoch: u64,
) -> Option<Outcome> {
    let slow = job.program == "OIS100MI" && entry.transaction == "Confirm";
    if slow {
        let begun = core.with(|state| begin_confirm(core, state, job, entry));
        match begun {
            Err(nok) => {
                let refused = Err(nok);
                core.with(|state| remember(core, state, job, entry, &refused));
                return Some(refused);
            }
            Ok(ms) => tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(ms)) => {}
                () = core.stop.cancelled() => return None,
            },
        }
    }
    core.with(|state| {
        if state.epoch != epoch {
            return None;
        }
        let outcome = match refuse {
            Some(id) => Err(Nok::new(id, "", "")),
            None => execute(core, state, job, entry),
        };
        if slow && outcome.is_err() {
            release(state, entry);
        }
        remember(core, state, job, entry, &outcome);
        Some(outcome)
    })
}

fn remember(core: &Core, state: &mut State, job: &Job, entry: &Entry, outcome: &Outcome) {
    let outcome = match outcome {
        Ok(_) => "OK".to_owned(),
        Err(nok) if nok.code.is_empty() => nok.kind.to_owned(),
        Err(nok) => nok.code.clone(),
    };
    state.saw(Seen {
        program: job.program.clone(),
        transaction: entry.transaction.clone(),
        record: entry.record.clone(),
        outcome,
        at_ms: core.now().ms,
        answered: job.answered,
    });
}

fn begin_confirm(core: &Core, state: &mut State, job: &Job, entry: &Entry) -> Result<u64, Nok> {
    if let (Some(orno), Ok(world)) =
        (entry.record.get("ORNO"), company(state, &job.options, &entry.record))
    {
        world.begin_confirm(orno.trim_end())?;
    }
    Ok(state.dice.range(core.options.confirm_ms.clone()))
}

fn release(state: &mut State, entry: &Entry) {
    let orno = entry.record.get("ORNO").map_or("", |orno| orno.trim_end());
    for world in state.worlds.values_mut() {
        if let Some(batch) = world.batch.get_mut(orno) {
            batch.running = false;
        }
    }
}

fn execute(core: &Core, state: &mut State, job: &Job, entry: &Entry) -> Outcome {
    let name = format!("{}/{}", job.program, entry.transaction);
    let Some(transaction) = core.setup.catalogue.find(&job.program, &entry.transaction) else {
        return Err(Nok::rest("TransactionNotFound", "", &name));
    };
    let switches = state.switches.clone();
    let format = job.options.date_format.unwrap_or(switches.date_format);
    note_violations(state, transaction, job, entry);
    let record = check::check(transaction, &entry.record, format, &switches)?;
    let changes =
        !["Get", "Lst", "Search", "Check"].iter().any(|w| entry.transaction.starts_with(w));
    if changes && state.dice.permille(switches.locked_permille) {
        return Err(Nok::new("XUP0001", "", ""));
    }
    let now = core.now();
    let world = company(state, &job.options, &entry.record)?;
    world.run(&Ask {
        program: &job.program,
        transaction: &entry.transaction,
        record: &record,
        now,
        switches: &switches,
        rows_max: job.options.rows_max.unwrap_or(usize::MAX),
    })
}

/// The company that a call works in: its own field, then its option, then the user's default.
fn company<'a>(
    state: &'a mut State,
    options: &CallOptions,
    record: &Record,
) -> Result<&'a mut World, Nok> {
    let default = state.switches.default_company.to_string();
    let own = record.get("CONO").map(|cono| cono.trim()).filter(|cono| !cono.is_empty());
    let cono = own.or(options.cono.as_deref()).unwrap_or(&default);
    let divi = options.divi.as_deref().unwrap_or_default();
    if options.cono.is_some() && !["", "AAA"].contains(&divi) {
        return Err(Nok::new("XAU0008", "DIVI", divi));
    }
    let known = cono.parse().ok().filter(|cono| [COMPANY, EMPTY_COMPANY].contains(cono));
    let world = known.and_then(|cono| state.worlds.get_mut(&cono));
    world.ok_or_else(|| Nok::new("XAU0008", "CONO", cono))
}

fn note_violations(state: &mut State, transaction: &Transaction, job: &Job, entry: &Entry) {
    let name = format!("{}/{}", job.program, entry.transaction);
    let about_itself = ["MRS001MI", "MNS150MI"].contains(&job.program.as_str());
    let told = job.options.cono.is_some() || entry.record.contains_key("CONO");
    let mut notes = Vec::new();
    if !told && !about_itself {
        notes.push(format!("{name} without a company"));
    }
    for field in check::unknown(transaction, &entry.record) {
        notes.push(format!("{name} has no field {field}"));
    }
    // Each kind once: a client that forgets the company forgets it every time.
    let world = state.world();
    notes.retain(|note| !world.violations.contains(note));
    world.violations.extend(notes);
}
