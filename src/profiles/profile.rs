//! One profile of the shop, and what is to be done about its customer. Pure.
//!
//! Guarantees: M3 is told of a profile only when it says something else than the last time, so that the address of
//! a newer order stays; what is being told keeps the moment at which it was seen, however often it is
//! tried; staff and guests are nobody's customers.

use super::rules::{Profiles, Taken};
use crate::{
    buyers::customer::named,
    connector::{
        Class, Failure, Fate,
        xcart::profiles::{Account, Belongs, Membership, Rank, Shown, Status},
    },
    delivery::customers::Foreseen,
    flow::{
        cause::{Cause, CauseKind},
        customer::{Person, card::Part},
    },
    goods::rules::Mode,
    ids::{Cuno, short_hash},
};
use serde::{Deserialize, Serialize};

/// Characters of a fingerprint.
const PRINT_CHARS: usize = 16;
/// How often a call may fail in a way that waiting alone does not mend.
const TRIES_MAX: u32 = 12;

/// One profile as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What it logs in with.
    pub login: String,
    /// The walk that saw it last.
    pub walk: u64,
    /// What became of it.
    pub kept: Kept,
}

/// What became of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The fingerprint of what its customer knows; none while nothing was told.
    pub told: Option<String>,
    /// What is being told.
    pub saying: Option<Saying>,
    /// How it stands.
    pub verdict: Verdict,
    /// What somebody should know of.
    pub notes: Vec<String>,
}

/// What M3 is being told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// Its fingerprint.
    pub print: String,
    /// When the shop was seen to say so, in seconds since 1970.
    pub seen_s: i64,
}

/// How a profile stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It was not looked at yet.
    New,
    /// The settings leave it out.
    LeftOut(Reason),
    /// This customer knows all there is.
    Equal(Cuno),
    /// A customer with this number is to be made.
    Make(Cuno),
    /// This one of M3's is to be taken.
    Match(Cuno),
    /// This customer is to be told of these parts.
    Change(Cuno, Vec<Part>),
    /// A person must look.
    Parked(Cause),
}

/// Why a profile is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// It belongs to the shop's staff.
    Staff,
    /// It is a guest's.
    Guest,
    /// Nobody ever logged in with it.
    NeverLoggedIn,
    /// It cannot log in.
    Disabled,
    /// Its membership is left out.
    Membership,
    /// It has no address.
    NoAddress,
    /// Its buyers share one customer.
    Shared,
    /// It cannot be read.
    Unreadable,
}

impl Reason {
    /// Says it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Staff => "it belongs to the shop's staff",
            Self::Guest => "it is a guest's",
            Self::NeverLoggedIn => "nobody ever logged in with it",
            Self::Disabled => "it is disabled in the shop",
            Self::Membership => "its membership is left out",
            Self::NoAddress => "it has no address",
            Self::Shared => "its orders go to the shared customer",
            Self::Unreadable => "the shop's answer about it cannot be read",
        }
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: its customer knows all there is.
    Nothing,
    /// M3 is asked what would become of it.
    Foresee,
    /// What M3 would be told is worked out.
    Compare,
    /// M3 is told.
    Tell,
}

/// What is to be done about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It is tried again.
    Again,
    /// A person must look.
    Park(Cause),
}

impl Verdict {
    /// Returns its fixed name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::New => "waiting",
            Self::LeftOut(_) => "left-out",
            Self::Equal(_) => "equal",
            Self::Make(_) => "make",
            Self::Match(_) => "match",
            Self::Change(..) => "change",
            Self::Parked(_) => "parked",
        }
    }

    /// Returns the customer that is meant.
    pub const fn cuno(&self) -> Option<&Cuno> {
        match self {
            Self::Equal(cuno) | Self::Make(cuno) | Self::Match(cuno) | Self::Change(cuno, _) => {
                Some(cuno)
            }
            Self::New | Self::LeftOut(_) | Self::Parked(_) => None,
        }
    }

    /// Whether M3 is to be told of something.
    pub const fn differs(&self) -> bool {
        match self {
            Self::Make(_) | Self::Match(_) | Self::Change(..) => true,
            Self::New | Self::LeftOut(_) | Self::Equal(_) | Self::Parked(_) => false,
        }
    }

    /// Says in words how it stands; empty where there is nothing to say.
    pub fn told(&self) -> String {
        match self {
            Self::New | Self::Equal(_) => String::new(),
            Self::LeftOut(reason) => reason.told().to_owned(),
            Self::Make(_) => "M3 has no customer for it".to_owned(),
            Self::Match(cuno) => format!("customer {cuno} of M3 is the same"),
            Self::Change(_, parts) => {
                let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
                format!("the shop changed: {}", names.join(", "))
            }
            Self::Parked(cause) => cause.to_string(),
        }
    }
}

impl From<Foreseen> for Verdict {
    fn from(foreseen: Foreseen) -> Self {
        match foreseen {
            Foreseen::Make(cuno) => Self::Make(cuno),
            Foreseen::Match(cuno) => Self::Match(cuno),
        }
    }
}

impl Profile {
    /// Begins with a login that was seen.
    pub fn new(login: &str, walk: u64) -> Self {
        let verdict = Verdict::New;
        let kept = Kept { told: None, saying: None, verdict, notes: Vec::new() };
        Self { login: login.to_owned(), walk, kept }
    }
}

impl Kept {
    /// Says what is to be done for a profile that says this.
    pub fn next(&self, print: &str, linked: Linked, mode: Mode) -> Next {
        let is_saying = self.saying.as_ref().is_some_and(|saying| saying.print == print);
        let is_told = self.told.as_deref() == Some(print);
        match (linked, mode) {
            (Linked::Not, Mode::Watch) => Next::Foresee,
            (Linked::Not, Mode::Write) => Next::Tell,
            // Where a link was there before the profile was met, an order has told of it.
            (Linked::Yes, _) if !is_saying && (is_told || self.told.is_none()) => Next::Nothing,
            (Linked::Yes, Mode::Watch) => Next::Compare,
            (Linked::Yes, Mode::Write) => Next::Tell,
        }
    }

    /// Notes what is about to be told, and returns since when it is so, in seconds since 1970.
    pub fn intend(&mut self, print: &str, now_s: i64) -> i64 {
        match &self.saying {
            Some(saying) if saying.print == print => saying.seen_s,
            Some(_) | None => {
                self.saying = Some(Saying { print: print.to_owned(), seen_s: now_s });
                now_s
            }
        }
    }

    /// Its customer knows all of this.
    pub fn settle(&mut self, print: &str, cuno: Cuno, notes: Vec<String>) {
        self.told = Some(print.to_owned());
        (self.saying, self.verdict, self.notes) = (None, Verdict::Equal(cuno), notes);
    }

    /// It stands like this now.
    pub fn turn(&mut self, verdict: Verdict) {
        (self.verdict, self.notes) = (verdict, Vec::new());
    }
}

/// Whether a profile has a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// It has.
    Yes,
    /// Not yet.
    Not,
}

/// Returns the fingerprint of what a profile says.
pub fn print(person: &Person) -> String {
    let fields = person.fields.iter().flat_map(|(_, (name, value))| [name, value]);
    let parts: Vec<&[u8]> = fields.map(String::as_bytes).collect();
    short_hash(&parts, PRINT_CHARS)
}

/// Says why the settings leave a profile out, as far as its page shows.
pub fn left_out(shown: &Shown, rules: &Profiles, memberships: &[Membership]) -> Option<Reason> {
    let is_left = |membership: Belongs| match membership {
        Belongs::Nowhere => false,
        Belongs::To(id) => {
            let own = memberships.iter().find(|one| one.id == id);
            own.is_some_and(|own| rules.leave_memberships.contains(&own.name))
        }
    };
    let leaves = |taken: Taken| taken == Taken::Leave;
    match (shown.rank, shown.account, shown.status) {
        (Rank::Staff, _, _) => Some(Reason::Staff),
        (Rank::Customer, Account::Guest, _) => Some(Reason::Guest),
        (_, Account::Unused, _) if leaves(rules.never_logged_in) => Some(Reason::NeverLoggedIn),
        (_, _, Status::Disabled) if leaves(rules.disabled) => Some(Reason::Disabled),
        (Rank::Customer, Account::Used | Account::Unused, Status::Enabled | Status::Disabled) => {
            is_left(shown.membership).then_some(Reason::Membership)
        }
    }
}

/// Says what is wrong with the memberships that the settings name.
pub fn odd_memberships(rules: &Profiles, memberships: &[Membership]) -> Vec<String> {
    rules.leave_memberships.iter().filter_map(|name| named(name, memberships).err()).collect()
}

/// Decides what follows from a failure, after so many of them.
pub fn after(failure: &Failure, failed: u32) -> After {
    let doing = "finding or making the customer";
    let park = |kind| After::Park(Cause::of_refusal(kind, doing, failure));
    match failure.class {
        Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => {
            After::Again
        }
        Class::Held | Class::Unauthorized => After::Again,
        Class::Broken | Class::Locked if failed < TRIES_MAX => After::Again,
        Class::Unclassified if failure.fate != Fate::Refused && failed < TRIES_MAX => After::Again,
        Class::Broken | Class::Locked => park(CauseKind::KeepsFailing),
        Class::Forbidden | Class::NotFound | Class::Exists | Class::Data => {
            park(CauseKind::CustomerRefused)
        }
        Class::Config | Class::State | Class::Unclassified => park(CauseKind::CustomerRefused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        Shown {
            id: 7,
            login: "a@x".to_owned(),
            rank: Rank::Customer,
            status: Status::Enabled,
            comment: String::new(),
            membership: Belongs::Nowhere,
            account: Account::Used,
        }
    }

    #[test]
    fn staff_and_guests_are_never_taken_and_others_as_the_settings_say() {
        let take = "disabled = \"take\"\nnever_logged_in = \"take\"";
        let rules = |more: &str| -> Profiles {
            toml::from_str(&format!("leave_memberships = [\"Partners\"]\n{more}")).unwrap()
        };
        let memberships =
            [Membership { id: 4, name: "Partners".to_owned(), enabled: false }].to_vec();
        let table = [
            (shown(), [None, None]),
            (Shown { rank: Rank::Staff, ..shown() }, [Some(Reason::Staff); 2]),
            (Shown { account: Account::Guest, ..shown() }, [Some(Reason::Guest); 2]),
            (Shown { account: Account::Unused, ..shown() }, [Some(Reason::NeverLoggedIn), None]),
            (Shown { status: Status::Disabled, ..shown() }, [Some(Reason::Disabled), None]),
            (Shown { membership: Belongs::To(4), ..shown() }, [Some(Reason::Membership); 2]),
            (Shown { membership: Belongs::To(5), ..shown() }, [None; 2]),
        ];
        for (shown, want) in table {
            let got = [rules(""), rules(take)].map(|rules| left_out(&shown, &rules, &memberships));
            assert_eq!(got, want, "{shown:?}");
        }
        assert_eq!(odd_memberships(&rules(""), &memberships).len(), 1, "it is switched off");
        assert_eq!(odd_memberships(&rules(""), &[]).len(), 1, "there is none");
    }

    #[test]
    fn m3_is_told_of_what_changed_and_of_what_was_begun_and_never_of_the_same_twice() {
        let mut kept = Profile::new("a@x", 1).kept;
        let next = |kept: &Kept, print: &str, linked| {
            [Mode::Watch, Mode::Write].map(|mode| kept.next(print, linked, mode))
        };
        let table = [
            (Linked::Not, "a", [Next::Foresee, Next::Tell]),
            (Linked::Yes, "a", [Next::Nothing; 2]),
        ];
        for (linked, print, want) in table {
            assert_eq!(next(&kept, print, linked), want, "new, {linked:?}");
        }
        assert_eq!(kept.intend("a", 100), 100);
        assert_eq!(kept.intend("a", 200), 100, "a second try is of the same moment");
        assert_eq!(next(&kept, "a", Linked::Yes), [Next::Compare, Next::Tell], "it was begun");
        let cuno = Cuno::try_from("W7").unwrap();
        kept.settle("a", cuno.clone(), Vec::new());
        assert_eq!(next(&kept, "a", Linked::Yes), [Next::Nothing; 2]);
        assert_eq!(next(&kept, "b", Linked::Yes), [Next::Compare, Next::Tell]);
        assert_eq!(next(&kept, "a", Linked::Not), [Next::Foresee, Next::Tell], "it was unlinked");
        assert_eq!(kept.intend("b", 300), 300);
        kept.settle("b", cuno, Vec::new());
        assert_eq!(kept.saying, None);
    }

    #[test]
    fn who_is_away_is_waited_for_and_what_is_refused_goes_to_a_person() {
        let table = [
            (Fate::Unknown, Class::TimedOut, 1_000, None),
            (Fate::NotDone, Class::Held, 1_000, None),
            (Fate::NotDone, Class::Broken, 1, None),
            (Fate::NotDone, Class::Broken, TRIES_MAX, Some(CauseKind::KeepsFailing)),
            (Fate::Refused, Class::Unclassified, 0, Some(CauseKind::CustomerRefused)),
            (Fate::Refused, Class::Data, 0, Some(CauseKind::CustomerRefused)),
            (Fate::Refused, Class::Config, 0, Some(CauseKind::Configuration)),
            (Fate::Refused, Class::Forbidden, 0, Some(CauseKind::Permission)),
        ];
        for (fate, class, failed, want) in table {
            let got = match after(&Failure::new(fate, class, "no"), failed) {
                After::Again => None,
                After::Park(cause) => Some(cause.kind),
            };
            assert_eq!(got, want, "{fate:?} {class:?}");
        }
    }
}
