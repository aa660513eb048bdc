//! What a person can ask of the customers: which buyer is which, and say so.
//!
//! Guarantees: a list comes in parts of bounded size; what waits for a person because of a buyer goes
//! on as soon as they said who it is; a case in hand is not touched.

use super::{Reply, change_case};
use crate::{
    clock::UnixMs,
    delivery::{
        cases::{Cases, Held},
        links::{LinkRow, LinkedBy},
        rows::{self, CaseKey, ParkedRow},
        worker::{Moved, Tools},
    },
    flow::{
        cause::CauseKind,
        customer::{
            self, Person,
            card::{Card, Follows, Owner},
        },
        rules::Rules,
        run::ReplayFrom,
    },
    ids::Cuno,
    profiles,
    state::Batch,
};
use serde::{Deserialize, Serialize};

/// Links in one part of the list.
const LINKS_MAX: usize = 500;
/// Parked cases that are looked through for a buyer.
const LOOKED_MAX: usize = 20_000;
/// Parked cases that go on at once; the others are replayed by hand.
const WOKEN_MAX: usize = 1_000;
/// Rows of a part of the parked cases.
const ROWS_MAX: usize = 500;

/// A part of the list of links.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Page {
    /// Each of them.
    pub lines: Vec<Line>,
    /// Where the next part begins, if there may be one.
    pub after: Option<String>,
    /// Parked orders that go on.
    pub woken: usize,
}

/// One buyer and M3's customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `c:<profile id>`, `e:<e-mail address>` or `s:<shared customer>`.
    pub name: String,
    /// CUNO.
    pub customer: String,
    /// `made`, `found` or `person`.
    pub by: String,
    /// Since when, in milliseconds since 1970; 0: not known.
    pub since_ms: UnixMs,
    /// Whether a person said that it follows the shop.
    pub follows: bool,
    /// When the gateway wrote to it last; 0: never since it was made or found.
    pub written_ms: UnixMs,
    /// What M3 did not take of it, and what may be under way.
    pub notes: Vec<String>,
}

/// Lists the links behind a name.
pub(super) fn list(cases: &Cases, after: Option<&str>) -> Result<Reply, String> {
    let range = match after {
        Some(name) => rows::table_after("l", &rows::link(name)),
        None => rows::table("l"),
    };
    let found = cases.state().scan(range, LINKS_MAX).map_err(|fault| fault.to_string())?;
    let mut page = Page::default();
    for (key, row) in &found {
        let Some(name) = CaseKey::from_row(key) else { continue };
        page.lines.push(line(cases, name.as_str(), row)?);
    }
    page.after = page.lines.last().map(|line| line.name.clone());
    page.after = page.after.filter(|_| found.len() == LINKS_MAX);
    Ok(Reply::Customers(Box::new(page)))
}

/// Shows the link of one buyer.
pub(super) fn show(cases: &Cases, typed: &str) -> Result<Reply, String> {
    let name = customer::typed(typed)?;
    let row = cases.state().get(&rows::link(&name)).map_err(|fault| fault.to_string())?;
    let row = row.ok_or_else(|| format!("{name} has no customer in M3 yet"))?;
    let page = Page { lines: vec![line(cases, &name, &row)?], ..Page::default() };
    Ok(Reply::Customers(Box::new(page)))
}

fn line(cases: &Cases, name: &str, row: &[u8]) -> Result<Line, String> {
    let bad = |fault: rows::BadRow| format!("{name}: {fault}");
    let link: LinkRow = rows::read(row).map_err(bad)?;
    let row = cases.state().get(&rows::card(&link.cuno)).map_err(|fault| fault.to_string())?;
    let card: Option<Card> = row.as_deref().map(rows::read).transpose().map_err(bad)?;
    let is_ours = card.as_ref().is_some_and(|card| card.owner == Owner::Ours);
    let by = match link.by {
        LinkedBy::Person => "person",
        LinkedBy::Rules if is_ours => "made",
        LinkedBy::Rules => "found",
    };
    let refused = card.iter().flat_map(|card| &card.refused);
    let mut notes: Vec<String> =
        refused.map(|part| format!("{} refused by M3", part.name())).collect();
    if card.as_ref().is_some_and(|card| card.pending.is_some()) {
        notes.push("a change may be under way".to_owned());
    }
    Ok(Line {
        name: name.to_owned(),
        customer: link.cuno.into(),
        by: by.to_owned(),
        since_ms: link.at_ms,
        follows: link.follows == Follows::Shop,
        written_ms: card.as_ref().map_or(0, |card| card.written_ms),
        notes,
    })
}

/// Writes what a person says of a buyer, and lets the orders go on that wait for it.
pub(super) async fn link(
    tools: &Tools,
    (typed, customer): (&str, &str),
    follows: Follows,
    now_ms: UnixMs,
) -> Result<(Reply, Vec<Moved>), String> {
    let name = customer::typed(typed)?;
    let cuno = Cuno::try_from(customer.trim()).map_err(|fault| fault.to_string())?;
    let link = LinkRow { cuno, by: LinkedBy::Person, at_ms: now_ms, follows };
    let row = rows::write(&link).map_err(|fault| fault.to_string())?;
    let mut batch = profiles::report::wake(tools.cases.state(), &name, now_ms)
        .map_err(|fault| fault.to_string())?;
    batch.put(rows::link(&name), row.clone());
    tools.cases.state().commit(batch).await.map_err(|fault| fault.to_string())?;
    let moved = wake(tools, &name, now_ms).await?;
    let lines = vec![line(&tools.cases, &name, &row)?];
    let page = Page { lines, after: None, woken: moved.len() };
    Ok((Reply::Customers(Box::new(page)), moved))
}

/// Forgets a link: the next order of the buyer finds or makes the customer anew.
pub(super) async fn unlink(cases: &Cases, typed: &str) -> Result<Reply, String> {
    let name = customer::typed(typed)?;
    let key = rows::link(&name);
    let known = cases.state().get(&key).map_err(|fault| fault.to_string())?;
    if known.is_none() {
        return Err(format!("{name} has no customer in M3 yet"));
    }
    let mut batch = Batch::new();
    batch.delete(key);
    cases.state().commit(batch).await.map_err(|fault| fault.to_string())?;
    Ok(Reply::Done)
}

/// Replays what is parked for the customer of this buyer.
async fn wake(tools: &Tools, name: &str, now_ms: UnixMs) -> Result<Vec<Moved>, String> {
    let waits = |kind: CauseKind| {
        matches!(
            kind,
            CauseKind::CustomerAmbiguous | CauseKind::CustomerConflict | CauseKind::CustomerRefused
        )
    };
    let mut keys = Vec::new();
    let mut pages = tools.cases.state().pages(rows::table("k"), ROWS_MAX);
    let mut looked = 0_usize;
    while let Some(found) = pages.next_page().map_err(|fault| fault.to_string())? {
        looked = looked.saturating_add(found.len());
        for (key, row) in &found {
            let row: ParkedRow = rows::read(row).map_err(|fault| fault.to_string())?;
            if row.stands_still && waits(row.cause.kind) {
                keys.extend(CaseKey::from_row(key));
            }
        }
        if looked >= LOOKED_MAX || keys.len() >= LOOKED_MAX {
            break;
        }
    }
    let mut moved = Vec::new();
    for key in keys {
        let change = |held: &mut Held| {
            let is_theirs = is_of(held, name, &tools.rules);
            let replayed = is_theirs && held.case.run.replay(ReplayFrom::Step, now_ms);
            if replayed { Ok(()) } else { Err("another buyer".to_owned()) }
        };
        // One in hand, or gone meanwhile, is left.
        moved.extend(change_case(&tools.cases, key.as_str(), now_ms, change).await.ok());
        if moved.len() >= WOKEN_MAX {
            break;
        }
    }
    Ok(moved)
}

fn is_of(held: &Held, name: &str, rules: &Rules) -> bool {
    let person = held.case.order.as_ref().and_then(|order| Person::of(order, rules).ok());
    person.is_some_and(|person| person.names(&rules.customer).iter().any(|own| own == name))
}
