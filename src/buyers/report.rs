//! What people may ask of the buyers, and the answers.
//!
//! Guarantees: an answer reads and changes nothing, but for [`Ask::Apply`]; a list comes in parts of
//! bounded size.

use super::{
    Shared, Wanted,
    buyer::Buyer,
    customer::{Customer, named},
    find, mark,
    rules::Edits,
    table,
};
use crate::{
    clock,
    connector::xcart::profiles::{Belongs, Change, Membership, Status},
    delivery::rows,
    goods::{Committed, Trouble, commit_or_not, row, rules::Mode},
    ids::Cuno,
    state::{Batch, State},
};
use serde::{Deserialize, Serialize};

/// Profiles in one part of a list.
const LISTED_MAX: usize = 200;
/// Rows looked through for one part.
const LOOKED_MAX: usize = 20_000;
/// Rows read in one go.
const ROWS_MAX: usize = 256;
/// Profiles shown at once.
const SHOWN_MAX: usize = 20;

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
    /// Shows those that a person means.
    Show {
        /// A profile's id, a customer's number or an e-mail address.
        who: String,
    },
    /// Writes M3's values to one profile, whatever the mode and whatever a person changed there.
    Apply {
        /// The profile's id.
        profile: u64,
    },
    /// Reads M3's list and the shop's profiles anew.
    Refresh,
}

/// Which profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only {
    /// All.
    All,
    /// Those of which the shop has something else than it should.
    Differing,
    /// Those of customers without a customer in M3 that is certain.
    Unknown,
    /// Those that the shop refused, or of which it is not clear what they should have.
    Refused,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// How it stands.
    Standing(Told),
    /// A part of a list.
    Listed {
        /// The profiles.
        buyers: Vec<Line>,
        /// Where the next part begins, if there may be one.
        after: Option<u64>,
    },
    /// Those that were meant.
    Shown(Vec<Shown>),
    /// It was begun.
    Begun,
}

/// How the flow stands, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Whether the shop is written to.
    pub writes: bool,
    /// Seconds since M3 was asked; none if never since the start.
    pub polled_s: Option<u64>,
    /// Seconds since the shop's profiles were read to the end; none if never.
    pub walked_s: Option<u64>,
    /// Profiles that wait.
    pub waiting: u64,
    /// Seconds that the oldest of them does.
    pub oldest_s: u64,
    /// Profiles of which the shop has something else than it should.
    pub differing: u64,
    /// Profiles that the shop refuses, or of which it is not clear what they should have.
    pub refused: u64,
    /// Profiles without a customer that is certain.
    pub unknown: u64,
    /// Profiles that are not disabled because they are too many, and the limit.
    pub held: (u64, u64),
    /// Changes since the start.
    pub written: u64,
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
    /// How the two were joined, in a word.
    pub tie: String,
    /// `E` or `D`.
    pub status: String,
    /// What that should be; empty if the shop keeps its own.
    pub wants_status: String,
    /// The name of its membership; empty if it has none.
    pub membership: String,
    /// What that should be; none if the shop keeps its own.
    pub wants_membership: Option<String>,
    /// What is to be written; empty if nothing is.
    pub changes: String,
    /// MAIL of the customer, where it is another address than the login.
    pub other_mail: Option<String>,
    /// What is wrong, in words; empty if nothing is.
    pub note: String,
}

/// One profile, or a customer without one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// What a list shows; none for a customer without a profile.
    pub line: Option<Line>,
    /// What the staff noted at it.
    pub comment: String,
    /// What M3 lists of its customer: field and value.
    pub customer: Vec<(String, String)>,
    /// Whether it waits to be compared or written.
    pub is_due: bool,
}

/// What lines are written with.
struct Pen<'a> {
    state: &'a State,
    memberships: &'a [Membership],
    edits: Edits,
}

/// Answers; the outer error is a sentence for the person.
pub async fn answer(state: &State, shared: &Shared, ask: &Ask) -> Result<Reply, String> {
    let unread = |fault: Trouble| format!("could not read the state: {fault}");
    let known = shared.memberships.borrow().clone();
    let memberships = known.as_deref().unwrap_or_default();
    let pen = Pen { state, memberships, edits: shared.rules.buyers.overwrite };
    match ask {
        Ask::Standing => Ok(Reply::Standing(standing(shared))),
        Ask::List { only, after } => pen.list(*only, *after).map_err(unread),
        Ask::Show { who } => match pen.show(who.trim()).map_err(unread)? {
            shown if shown.is_empty() => Err(format!(
                "neither the shop nor M3 has {who}, as far as they were read; see causeway buyers"
            )),
            shown => Ok(Reply::Shown(shown)),
        },
        Ask::Apply { profile } => match apply(state, *profile).await.map_err(unread)? {
            Applied::Begun => {
                shared.bells.send.notify_waiters();
                Ok(Reply::Begun)
            }
            Applied::Unknown => Err(format!("the shop has no profile {profile}")),
            Applied::Nobody(why) => Err(format!("profile {profile} is left alone: {why}")),
        },
        Ask::Refresh => {
            shared.bells.full.notify_one();
            shared.bells.walk.notify_one();
            Ok(Reply::Begun)
        }
    }
}

/// What became of a wish to have M3's values written.
enum Applied {
    Begun,
    Unknown,
    Nobody(String),
}

async fn apply(state: &State, id: u64) -> Result<Applied, Trouble> {
    let key = table::of_profile(table::PROFILES, id);
    loop {
        let Some(stored) = state.get(&key)? else { return Ok(Applied::Unknown) };
        let mut buyer: Buyer = rows::read(&stored)?;
        if buyer.tie.customer().is_none() {
            let told = buyer.tie.told();
            let staff = "it belongs to the shop's staff".to_owned();
            return Ok(Applied::Nobody(if told.is_empty() { staff } else { told }));
        }
        buyer.refused = None;
        let mut batch = Batch::new();
        batch.expect(key.clone(), Some(&stored));
        batch.put(key.clone(), rows::write(&buyer)?);
        mark(&mut batch, state, id, (Wanted::ByPerson, clock::now().unix_ms()))?;
        if commit_or_not(state, batch).await? == Committed::Yes {
            return Ok(Applied::Begun);
        }
    }
}

fn standing(shared: &Shared) -> Told {
    let now_ms = clock::now().unix_ms();
    let standing = *shared.standing.borrow();
    let ago = |at_ms: u64| (at_ms > 0).then(|| now_ms.saturating_sub(at_ms) / 1_000);
    let rules = &shared.rules.buyers;
    let memberships = match shared.memberships.borrow().as_deref() {
        None => vec!["the shop's memberships were not read yet".to_owned()],
        Some(known) => {
            let names = rules.memberships.values().filter(|name| !name.is_empty());
            names.filter_map(|name| named(name, known).err()).collect()
        }
    };
    Told {
        writes: rules.mode == Mode::Write,
        polled_s: ago(standing.polled_ms),
        walked_s: ago(standing.walked_ms),
        waiting: standing.waiting,
        oldest_s: standing.waiting_since_ms.and_then(ago).unwrap_or(0),
        differing: standing.differing,
        refused: standing.refused,
        unknown: standing.unknown,
        held: (standing.held, rules.disable_max),
        written: standing.written,
        memberships,
    }
}

impl Only {
    fn takes(self, buyer: &Buyer, edits: Edits) -> bool {
        match self {
            Self::All => true,
            Self::Differing => buyer.differs(edits),
            Self::Unknown => !buyer.tie.told().is_empty(),
            Self::Refused => buyer.refused.is_some() || buyer.wants.unclear.is_some(),
        }
    }
}

impl Pen<'_> {
    fn list(&self, only: Only, after: Option<u64>) -> Result<Reply, Trouble> {
        let range = match after {
            Some(id) => rows::table_after(table::PROFILES, &table::of_profile(table::PROFILES, id)),
            None => rows::table(table::PROFILES),
        };
        let (mut buyers, mut looked) = (Vec::new(), 0_usize);
        let mut pages = self.state.pages(range, ROWS_MAX);
        while let Some(page) = pages.next_page()? {
            for (key, value) in &page {
                let Some(id) = table::profile_of(key) else { continue };
                let buyer: Buyer = rows::read(value)?;
                looked = looked.saturating_add(1);
                if only.takes(&buyer, self.edits) {
                    buyers.push(self.line(id, &buyer)?);
                }
                if buyers.len() >= LISTED_MAX || looked >= LOOKED_MAX {
                    return Ok(Reply::Listed { buyers, after: Some(id) });
                }
            }
        }
        Ok(Reply::Listed { buyers, after: None })
    }

    fn name(&self, membership: Belongs) -> String {
        let Belongs::To(id) = membership else { return String::new() };
        let found = self.memberships.iter().find(|one| one.id == id);
        found.map_or_else(|| id.to_string(), |one| one.name.clone())
    }

    fn line(&self, id: u64, buyer: &Buyer) -> Result<Line, Trouble> {
        let wants = &buyer.wants;
        let mail = table::mail(&buyer.login);
        let customer = match buyer.tie.customer() {
            Some(cuno) => find::customer(self.state, cuno)?,
            None => None,
        };
        let other_mail = customer.map(|customer| customer.mail);
        let told = buyer.tie.told();
        let note = match (&buyer.refused, &wants.unclear) {
            _ if !told.is_empty() => told,
            (Some(refused), _) => {
                format!("the shop refused it {} times: {}", refused.times, refused.text)
            }
            (None, Some(why)) => format!("the shop keeps its membership: {why}"),
            (None, None) => buyer.kept(self.edits),
        };
        Ok(Line {
            profile: id,
            login: buyer.login.clone(),
            cuno: buyer.tie.concerns().map(|cuno| cuno.as_str().to_owned()),
            tie: buyer.tie.name().to_owned(),
            status: buyer.status.letter().to_owned(),
            wants_status: wants.status.map(Status::letter).unwrap_or_default().to_owned(),
            membership: self.name(buyer.membership),
            wants_membership: wants.membership.map(|membership| self.name(membership)),
            changes: self.changes(&buyer.due(self.edits)),
            other_mail: other_mail.filter(|other| *other != mail),
            note,
        })
    }

    fn changes(&self, change: &Change) -> String {
        let status = change.status.map(|status| match status {
            Status::Enabled => "enable it".to_owned(),
            Status::Disabled => "disable it".to_owned(),
        });
        let membership = change.membership.map(|membership| match membership {
            Belongs::Nowhere => "take its membership away".to_owned(),
            Belongs::To(_) => format!("membership {}", self.name(membership)),
        });
        let all: Vec<String> = status.into_iter().chain(membership).collect();
        all.join(", ")
    }

    fn show(&self, who: &str) -> Result<Vec<Shown>, Trouble> {
        let mut ids = Vec::new();
        if let Ok(id) = who.parse::<u64>()
            && self.state.get(&table::of_profile(table::PROFILES, id))?.is_some()
        {
            ids.push(id);
        }
        let mail = table::mail(who);
        ids.extend(find::profiles(self.state, (table::BY_LOGIN, &mail), SHOWN_MAX)?);
        ids.extend(find::profiles(self.state, (table::BY_CUSTOMER, who), SHOWN_MAX)?);
        ids.dedup();
        let mut shown = Vec::new();
        for id in ids {
            let buyer: Option<Buyer> = row(self.state, &table::of_profile(table::PROFILES, id))?;
            let Some(buyer) = buyer else { continue };
            let is_due = self.state.get(&table::of_profile(table::DUE, id))?.is_some();
            let customer = self.customer(buyer.tie.concerns())?;
            let line = Some(self.line(id, &buyer)?);
            shown.push(Shown { line, comment: buyer.comment, customer, is_due });
        }
        if shown.is_empty() {
            let cuno = Cuno::try_from(who).ok();
            let customer = self.customer(cuno.as_ref())?;
            if !customer.is_empty() {
                let (line, comment) = (None, String::new());
                shown.push(Shown { line, comment, customer, is_due: false });
            }
        }
        Ok(shown)
    }

    fn customer(&self, cuno: Option<&Cuno>) -> Result<Vec<(String, String)>, Trouble> {
        let Some(cuno) = cuno else { return Ok(Vec::new()) };
        let Some(customer) = find::customer(self.state, cuno)? else { return Ok(Vec::new()) };
        let Customer { name, mail, status, search_key, fields, gone } = customer;
        let usual = [
            ("CUNO", cuno.as_str().to_owned()),
            ("CUNM", name),
            ("MAIL", mail),
            ("STAT", status),
            ("ALCU", search_key),
        ];
        let mut all: Vec<_> =
            usual.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        all.extend(fields);
        if gone {
            all.push(("gone".to_owned(), "M3's last whole list lacks it".to_owned()));
        }
        Ok(all)
    }
}
