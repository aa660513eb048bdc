//! What M3 was told of a customer, and what it is to be told now. Pure.
//!
//! Guarantees: only what the shop changed since M3 was told is written, so what a clerk changed in M3
//! stays until the shop changes the same part; an older order never overwrites a newer one; while a
//! write whose answer was lost may still run nothing else is written over it. Every write is absolute:
//! twice is as good as once.

use super::{How, Person};
use crate::{
    connector::{Class, Failure, Fate},
    flow::{
        plan::Field,
        rules::{CustomerRules, Update},
        steady::{Pause, Steady},
    },
    ids::short_hash,
};
use serde::{Deserialize, Serialize};

/// How often a change is tried while another user has the customer open.
const LOCKED_TRIES_MAX: u32 = 3;
/// Characters of a fingerprint.
const HASH_CHARS: usize = 12;

/// Fields that are written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// CUNM.
    Name,
    /// CUA1 to CUA4, PONO, TOWN, CSCD, ECAR.
    Address,
    /// PHNO.
    Phone,
    /// MAIL.
    Mail,
    /// VRNO.
    Vat,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Name, Self::Address, Self::Phone, Self::Mail, Self::Vat];

    /// Returns what people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Address => "address",
            Self::Phone => "telephone",
            Self::Mail => "e-mail address",
            Self::Vat => "VAT number",
        }
    }
}

/// Whose customer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// The gateway made it.
    Ours,
    /// It was in M3 before.
    Theirs,
}

/// The fingerprint of each part.
type Prints = Vec<(Part, String)>;

/// What M3 was told of one customer; it holds fingerprints, no names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Whose it is.
    pub owner: Owner,
    /// What M3 was told last, or had from the shop when it was met.
    pub told: Prints,
    /// Of which time the newest order is that was told of, in seconds since 1970.
    pub newest_s: i64,
    /// When something was written last, in milliseconds since 1970; 0: never.
    pub written_ms: u64,
    /// Parts that M3 refused when they were written last.
    pub refused: Vec<Part>,
    /// A write whose outcome is not known.
    pub pending: Option<Pending>,
    /// Earlier ones that were lost and sent again: they may still run, late.
    pub lost: Option<Pending>,
}

/// A write that may be under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What is written.
    pub parts: Prints,
    /// How long it may still run after its answer was lost.
    pub pause: Pause,
}

/// The two calls that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `ChgBasicData`.
    Basic,
    /// `ChgFinancial`.
    Financial,
}

impl Call {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Basic, Self::Financial];

    /// Whether it writes a part.
    pub fn writes(self, part: Part) -> bool {
        (part == Part::Vat) == (self == Self::Financial)
    }
}

impl Card {
    /// Begins the card of a customer that was just made, or met.
    pub fn begin(person: &Person, how: How) -> Self {
        let owner = match how {
            How::Made | How::Known => Owner::Ours,
            How::Matched => Owner::Theirs,
        };
        // `Add` takes no VAT number: that is told after it.
        let is_told = |part: &Part| how != How::Made || *part != Part::Vat;
        let told = prints(person).into_iter().filter(|(part, _)| is_told(part)).collect();
        let newest_s = person.told_s;
        let (refused, pending, lost) = (Vec::new(), None, None);
        Self { owner, told, newest_s, written_ms: 0, refused, pending, lost }
    }

    /// Says which parts are to be written; `follows` is what a person said when linking it.
    pub fn due(&self, person: &Person, rules: &CustomerRules, follows: Follows) -> Vec<Part> {
        let may = match (rules.update, self.owner, follows) {
            (Update::Never, _, _) => self.is_unfinished(person),
            (Update::All, _, _)
            | (Update::Ours, Owner::Ours, _)
            | (Update::Ours, _, Follows::Shop) => true,
            (Update::Ours, Owner::Theirs, Follows::Nobody) => false,
        };
        if !may || person.is_shared() || person.told_s < self.newest_s {
            return Vec::new();
        }
        let is_under_way = |part: Part| {
            self.pending.as_ref().is_some_and(|p| p.parts.iter().any(|(of, _)| *of == part))
        };
        let fresh = prints(person);
        let is_wanted = |part: Part| rules.update != Update::Never || part == Part::Vat;
        let differs = |print: &&(Part, String)| {
            is_wanted(print.0) && (!self.told.contains(print) || is_under_way(print.0))
        };
        fresh.iter().filter(differs).map(|(part, _)| *part).collect()
    }

    /// A customer that was made of this order gets its VAT number whatever the rules say.
    fn is_unfinished(&self, person: &Person) -> bool {
        let has_vat = self.told.iter().any(|(part, _)| *part == Part::Vat);
        self.owner == Owner::Ours && self.newest_s == person.told_s && !has_vat
    }

    /// How long another write may still run that says something else; 0: none.
    pub fn waits_ms(&self, person: &Person, now: Steady) -> u64 {
        let fresh = prints(person);
        let other = |write: &&Pending| write.parts.iter().any(|print| !fresh.contains(print));
        let writes = self.pending.iter().chain(&self.lost).filter(other);
        writes.map(|write| write.pause.left_ms(now)).max().unwrap_or(0)
    }

    /// Notes what is about to be written; it is durable before the call. `pause` begins now.
    pub fn intend(&mut self, person: &Person, parts: &[Part], pause: Pause) {
        self.lost.take_if(|lost| lost.pause.left_ms(pause.since) == 0);
        if let Some(before) = self.pending.take() {
            let lost = self.lost.get_or_insert(Pending { parts: Vec::new(), pause });
            lost.pause = pause;
            lost.parts.retain(|(part, _)| before.parts.iter().all(|(of, _)| of != part));
            lost.parts.extend(before.parts);
        }
        let parts = prints(person).into_iter().filter(|(part, _)| parts.contains(part)).collect();
        self.newest_s = person.told_s;
        self.pending = Some(Pending { parts, pause });
    }

    /// The answer to a write was lost; `pause` ends when it must have ended.
    pub fn lose(&mut self, pause: Pause) {
        if let Some(pending) = &mut self.pending {
            pending.pause = pause;
        }
    }

    /// Takes in that M3 took, or refused, the parts of one call.
    pub fn settle(&mut self, call: Call, answer: Answer, now_ms: u64) {
        let Some(pending) = &mut self.pending else { return };
        let (done, left): (Prints, Prints) = std::mem::take(&mut pending.parts)
            .into_iter()
            .partition(|(part, _)| call.writes(*part));
        pending.parts = left;
        if pending.parts.is_empty() {
            self.pending = None;
        }
        for (part, print) in done {
            self.refused.retain(|of| *of != part);
            if answer != Answer::Done {
                self.refused.push(part);
            }
            if answer != Answer::Barred {
                self.told.retain(|(of, _)| *of != part);
                self.told.push((part, print));
            }
        }
        if answer == Answer::Done {
            self.written_ms = now_ms;
        }
    }

    /// The call was not sent: what was intended for it is what was before.
    pub fn withdraw(&mut self, call: Call, before: Option<Pending>) {
        let is_of = |print: &(Part, String)| call.writes(print.0);
        let before = before.map(|mut pending| {
            pending.parts.retain(is_of);
            pending
        });
        let Some(pending) = &mut self.pending else { return };
        pending.parts.retain(|print| !is_of(print));
        pending.parts.extend(before.into_iter().flat_map(|pending| pending.parts));
        if pending.parts.is_empty() {
            self.pending = None;
        }
    }
}

/// Whether a customer that was linked by a person follows the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Follows {
    /// As if it were ours.
    Shop,
    /// It is left as it is.
    Nobody,
}

/// What M3 answered to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It will never be.
    Refused,
    /// Not now: another user holds the customer, or a right or a transaction is missing. The next order
    /// tells it again.
    Barred,
}

impl Answer {
    /// What a failure means for a change; none where the same call is to be tried again. An order does not
    /// wait long for somebody who has the customer open.
    pub fn of(failure: &Failure, tries: u32) -> Option<Self> {
        if failure.fate != Fate::Refused {
            return None;
        }
        match failure.class {
            Class::Locked if tries < LOCKED_TRIES_MAX => None,
            Class::Locked | Class::Forbidden | Class::Config | Class::Unauthorized => {
                Some(Self::Barred)
            }
            Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => None,
            Class::Held | Class::Broken => None,
            Class::NotFound | Class::Exists | Class::Data => Some(Self::Refused),
            Class::State | Class::Unclassified => Some(Self::Refused),
        }
    }
}

/// Input of a call for some parts; a part of which M3 has an older value is emptied where it is empty.
pub fn fields(person: &Person, call: Call, parts: &[Part], rules: &CustomerRules) -> Vec<Field> {
    let wanted = |part: &Part| parts.contains(part) && call.writes(*part);
    let wanted = person.fields.iter().filter(|(part, _)| wanted(part));
    let filled = wanted.map(|(_, (name, value))| {
        let value = match (name.as_str(), value.as_str()) {
            // It is mandatory: it cannot be emptied.
            ("CUA1", "") => "-",
            (_, "") => rules.blank.as_str(),
            (_, value) => value,
        };
        (name.clone(), value.to_owned())
    });
    filled.filter(|(_, value)| !value.is_empty()).collect()
}

/// The fingerprint of each part that the shop says something of.
fn prints(person: &Person) -> Prints {
    let print = |part: Part| {
        let own = person.fields.iter().filter(|(of, _)| *of == part);
        let values: Vec<&[u8]> = own.map(|(_, (_, value))| value.as_bytes()).collect();
        let says = values.iter().any(|value| !value.is_empty());
        says.then(|| (part, short_hash(&values, HASH_CHARS)))
    };
    Part::ALL.into_iter().filter_map(print).collect()
}
