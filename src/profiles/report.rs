//! What people may ask of the profiles, and the answers.
//!
//! Guarantees: an answer reads and changes nothing, but for what is asked to be looked at again and for a
//! load; a list comes in parts of bounded size.

use super::{
    Shared, load, mark,
    profile::{Profile, Verdict, odd_memberships},
    table,
};
use crate::{
    clock,
    delivery::rows,
    flow::cause::CauseKind,
    goods::{Trouble, commit, load::Stage, report::load::Told as LoadTold, row, rules::Mode},
    state::{Batch, State},
};
use serde::{Deserialize, Serialize};

/// Profiles in one part of a list.
const LISTED_MAX: usize = 200;
/// Rows looked through for one part.
const LOOKED_MAX: usize = 20_000;
/// Rows read in one go.
const ROWS_MAX: usize = 256;
/// Parked profiles that are named with a load.
const LEFT_MAX: usize = 50;

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// How the flow stands.
    Standing,
    /// Lists profiles behind one.
    List {
        /// Which.
        only: Only,
        /// Behind this one; from the beginning when none.
        after: Option<u64>,
    },
    /// Looks at one profile again, now.
    Look {
        /// The profile's id.
        profile: u64,
    },
    /// Reads the shop's profiles anew.
    Refresh,
    /// Whether a load could be planned.
    Plan,
    /// How a load stands.
    Load,
    /// Starts one, at so many profiles a minute.
    Start(u32),
    /// Halts it, goes on or ends it.
    Turn(Stage),
}

/// Which profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only {
    /// All.
    All,
    /// Those of which M3 is to be told.
    Differing,
    /// Those that a person must look at.
    Parked,
    /// Those that the settings leave out.
    LeftOut,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// How it stands.
    Standing(Told),
    /// A part of a list.
    Listed {
        /// The profiles.
        profiles: Vec<Line>,
        /// Where the next part begins, if there may be one.
        after: Option<u64>,
    },
    /// It was begun, or could be.
    Begun,
    /// How a load stands.
    Load(Box<LoadTold>),
}

/// How the flow stands, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Whether M3 is written to.
    pub writes: bool,
    /// Seconds since the shop's profiles were read to the end; none if never.
    pub walked_s: Option<u64>,
    /// Profiles that wait.
    pub waiting: u64,
    /// Seconds that the oldest of them does.
    pub oldest_s: u64,
    /// Profiles of which M3 is to be told.
    pub differing: u64,
    /// Profiles that a person must look at.
    pub parked: u64,
    /// Profiles that the settings leave out.
    pub left_out: u64,
    /// Profiles with a customer that knows all there is.
    pub equal: u64,
    /// Customers made since the start.
    pub made: u64,
    /// Customers found or told of changes since the start.
    pub told: u64,
    /// What is wrong with the memberships that the settings name.
    pub memberships: Vec<String>,
}

/// One profile in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// X-Cart's id of it.
    pub profile: u64,
    /// What it logs in with.
    pub login: String,
    /// CUNO, if one customer is meant.
    pub cuno: Option<String>,
    /// How it stands, in a word that never changes.
    pub stands: String,
    /// The same in words, and what M3 did not take.
    pub note: String,
    /// What to do; empty if nothing is.
    pub advice: String,
}

/// Answers; the error is a sentence for the person.
pub async fn answer(state: &State, shared: &Shared, ask: &Ask) -> Result<Reply, String> {
    let unread = |fault: Trouble| format!("could not read the state: {fault}");
    match ask {
        Ask::Standing => Ok(Reply::Standing(standing(shared))),
        Ask::List { only, after } => list(state, *only, *after).map_err(unread),
        Ask::Look { profile } => {
            let mut batch = Batch::new();
            let now_ms = clock::now().unix_ms();
            let marked = mark(&mut batch, state, (table::NEWS, *profile), now_ms);
            marked.map_err(|fault| unread(fault.into()))?;
            commit(state, batch).await.map_err(unread)?;
            shared.bells.keep.notify_waiters();
            Ok(Reply::Begun)
        }
        Ask::Refresh => {
            shared.bells.walk.notify_one();
            Ok(Reply::Begun)
        }
        Ask::Plan => load::ready(state).map_err(unread)?.map(|()| Reply::Begun),
        Ask::Load => status(state, shared).map(|told| Reply::Load(Box::new(told))).map_err(unread),
        Ask::Start(per_min) => load::start(state, shared, *per_min).await.map(|()| Reply::Begun),
        Ask::Turn(to) => load::turn(state, shared, *to).await.map(|()| Reply::Begun),
    }
}

fn standing(shared: &Shared) -> Told {
    let now_ms = clock::now().unix_ms();
    let standing = *shared.standing.borrow();
    let ago = |at_ms: u64| (at_ms > 0).then(|| now_ms.saturating_sub(at_ms) / 1_000);
    let memberships = match shared.memberships.borrow().as_deref() {
        None => vec!["the shop's memberships were not read yet".to_owned()],
        Some(known) => odd_memberships(&shared.rules, known),
    };
    Told {
        writes: shared.rules.mode == Mode::Write,
        walked_s: ago(standing.walked_ms),
        waiting: standing.waiting,
        oldest_s: standing.waiting_since_ms.and_then(ago).unwrap_or(0),
        differing: standing.differing,
        parked: standing.parked,
        left_out: standing.left_out,
        equal: standing.equal,
        made: standing.made,
        told: standing.told,
        memberships,
    }
}

impl Only {
    fn takes(self, verdict: &Verdict) -> bool {
        match self {
            Self::All => true,
            Self::Differing => verdict.differs(),
            Self::Parked => matches!(verdict, Verdict::Parked(_)),
            Self::LeftOut => matches!(verdict, Verdict::LeftOut(_)),
        }
    }
}

fn list(state: &State, only: Only, after: Option<u64>) -> Result<Reply, Trouble> {
    let range = match after {
        Some(id) => rows::table_after(table::PROFILES, &table::of_profile(table::PROFILES, id)),
        None => rows::table(table::PROFILES),
    };
    let (mut profiles, mut looked) = (Vec::new(), 0_usize);
    let mut pages = state.pages(range, ROWS_MAX);
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            let Some(id) = table::profile_of(key) else { continue };
            let profile: Profile = rows::read(value)?;
            looked = looked.saturating_add(1);
            if only.takes(&profile.kept.verdict) {
                profiles.push(line(id, profile));
            }
            if profiles.len() >= LISTED_MAX || looked >= LOOKED_MAX {
                return Ok(Reply::Listed { profiles, after: Some(id) });
            }
        }
    }
    Ok(Reply::Listed { profiles, after: None })
}

fn line(id: u64, profile: Profile) -> Line {
    let Profile { login, kept, .. } = profile;
    let told = std::iter::once(kept.verdict.told()).chain(kept.notes);
    let told: Vec<String> = told.filter(|told| !told.is_empty()).collect();
    Line {
        profile: id,
        login,
        cuno: kept.verdict.cuno().map(|cuno| cuno.as_str().to_owned()),
        stands: kept.verdict.name().to_owned(),
        note: told.join("; "),
        advice: advice(id, &kept.verdict),
    }
}

fn advice(id: u64, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Parked(cause) if cause.kind == CauseKind::CustomerAmbiguous => {
            format!("causeway customers link {id} CUNO")
        }
        Verdict::Parked(_) => {
            format!("mend what it says, or link it; then causeway profiles look {id}")
        }
        Verdict::New | Verdict::LeftOut(_) | Verdict::Equal(_) => String::new(),
        Verdict::Make(_) | Verdict::Match(_) | Verdict::Change(..) => {
            "causeway load, or set mode = \"write\"".to_owned()
        }
    }
}

fn status(state: &State, shared: &Shared) -> Result<LoadTold, Trouble> {
    let now_ms = clock::now().unix_ms();
    let load = load::stored(state)?;
    let seconds = load.as_ref().map_or(0, |load| load.seconds(now_ms));
    let waits = |table| Ok::<_, Trouble>(state.scan(rows::table(table), LOOKED_MAX)?.len());
    let waiting = waits(table::NEWS)?.saturating_add(waits(table::DUE)?);
    let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
    let mut left = Vec::new();
    if let Reply::Listed { profiles, .. } = list(state, Only::Parked, None)? {
        let named = profiles.into_iter().take(LEFT_MAX);
        left.extend(named.map(|line| (line.profile.to_string(), line.note)));
    }
    // What waits in a load is what is left of it; so it counts as let through.
    let load = load.map(|load| {
        let admitted = load.total;
        load::Load { admitted, calls: admitted.saturating_sub(waiting), ..load }
    });
    let uncompared = shared.standing.borrow().waiting;
    Ok(LoadTold { load, seconds, waiting, left, uncompared })
}

/// Has profiles looked at again of which a person said who they are.
pub(crate) fn wake(state: &State, name: &str, now_ms: u64) -> Result<Batch, Trouble> {
    let mut batch = Batch::new();
    let mut pages = state.pages(rows::table(table::PROFILES), ROWS_MAX);
    let mut looked = 0_usize;
    if let Some(id) = name.strip_prefix("c:").and_then(|id| id.parse().ok()) {
        let key = table::of_profile(table::PROFILES, id);
        if row::<Profile>(state, &key)?.is_some() {
            mark(&mut batch, state, (table::NEWS, id), now_ms)?;
        }
        return Ok(batch);
    }
    while let Some(page) = pages.next_page()? {
        for (key, value) in &page {
            let profile: Profile = rows::read(value)?;
            let Some(id) = table::profile_of(key) else { continue };
            if crate::flow::customer::mailbox(&profile.login) == name {
                mark(&mut batch, state, (table::NEWS, id), now_ms)?;
            }
        }
        looked = looked.saturating_add(page.len());
        if looked >= LOOKED_MAX {
            break;
        }
    }
    Ok(batch)
}
