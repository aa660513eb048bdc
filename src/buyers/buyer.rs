//! One profile of the shop, and what is to be done about it. Pure.
//!
//! Guarantees: a value is written when M3's is another than the one last written, or when none was;
//! what a person changed in the shop meanwhile stays, unless people's edits are overwritten. Who was
//! shut out by a person is never let in again by us, and a person's note is never replaced.

use super::{
    customer::{MARK, Wants},
    rules::Edits,
    tie::Tie,
};
use crate::{
    connector::xcart::profiles::{Belongs, Change, Rank, Shown, Status},
    goods::good::Refused,
};
use serde::{Deserialize, Serialize};

/// Characters kept of what the staff noted at a profile; the shop keeps no more.
const COMMENT_CHARS_MAX: usize = 255;

/// One profile as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buyer {
    /// What it logs in with.
    pub login: String,
    /// Whose it is.
    pub rank: Rank,
    /// Whether it may log in, as far as is known.
    pub status: Status,
    /// What the staff, or the gateway, noted about that.
    pub comment: String,
    /// Its membership.
    pub membership: Belongs,
    /// The walk that saw it last.
    pub walk: u64,
    /// Which customer it belongs to.
    pub tie: Tie,
    /// What it should have.
    pub wants: Wants,
    /// What of that was last written, or found there.
    pub given: Given,
    /// Whether a change was under way of which it is not known whether the shop took it.
    pub unsure: bool,
    /// Why the shop did not take it.
    pub refused: Option<Refused>,
}

/// What of M3 was last written, or found there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Whether it may log in.
    pub status: Option<Status>,
    /// What was noted at the profile when we disabled it; none while we did not.
    pub noted: Option<String>,
    /// Its membership.
    pub membership: Option<Belongs>,
}

fn cut(text: &str) -> String {
    text.chars().take(COMMENT_CHARS_MAX).collect()
}

impl Buyer {
    /// Begins with what the shop shows.
    pub fn new(shown: &Shown, walk: u64) -> Self {
        let Shown { id: _, login, rank, status, comment, membership, account: _ } = shown.clone();
        let (tie, wants, given) = (Tie::default(), Wants::default(), Given::default());
        let comment = cut(&comment);
        let (unsure, refused) = (false, None);
        Self { login, rank, status, comment, membership, walk, tie, wants, given, unsure, refused }
    }

    /// Takes in what the shop shows; says whether it is something else than thought.
    pub fn seen(&mut self, shown: &Shown) -> bool {
        let fresh = Self::new(shown, self.walk);
        let (tie, wants, given) = (self.tie.clone(), self.wants.clone(), self.given.clone());
        let (unsure, refused) = (self.unsure, self.refused.clone());
        let fresh = Self { tie, wants, given, unsure, refused, ..fresh };
        let differs = *self != fresh;
        *self = fresh;
        if self.status == Status::Enabled {
            // Whoever let it in again has settled what we noted.
            self.given.noted = None;
        }
        differs
    }

    /// Whether the gateway shut it out, and nobody has said anything about it since.
    fn is_shut_by_us(&self) -> bool {
        let noted = self.given.noted.as_ref() == Some(&self.comment);
        noted || self.comment.starts_with(MARK)
    }

    fn status_due(&self, edits: Edits) -> Option<Status> {
        let want = self.wants.status.filter(|want| *want != self.status)?;
        let due = match (edits, want) {
            (Edits::Asked, _) => true,
            (Edits::Kept | Edits::Overwritten, Status::Enabled) => {
                self.is_shut_by_us() && self.given.status != Some(want)
            }
            (Edits::Overwritten, Status::Disabled) => true,
            (Edits::Kept, Status::Disabled) => self.given.status != Some(want),
        };
        due.then_some(want)
    }

    fn membership_due(&self, edits: Edits) -> Option<Belongs> {
        let want = self.wants.membership.filter(|want| *want != self.membership)?;
        let due = match edits {
            Edits::Asked | Edits::Overwritten => true,
            Edits::Kept => self.given.membership != Some(want),
        };
        due.then_some(want)
    }

    /// Returns what is to be written.
    pub fn due(&self, edits: Edits) -> Change {
        let status = self.status_due(edits);
        let ours = self.comment.starts_with(MARK);
        let comment = match status {
            Some(Status::Disabled) if ours || self.comment.trim().is_empty() => {
                Some(cut(&self.wants.why))
            }
            Some(Status::Enabled) if ours => Some(String::new()),
            Some(Status::Enabled | Status::Disabled) | None => None,
        };
        Change { status, comment, membership: self.membership_due(edits) }
    }

    /// Whether the shop has something else than it should.
    pub fn differs(&self, edits: Edits) -> bool {
        self.due(edits) != Change::default()
    }

    /// Notes what need not be written: the shop has it already, or keeps its own.
    pub fn settle(&mut self, edits: Edits) {
        if self.status_due(edits).is_none() && self.wants.status.is_some() {
            self.given.status = self.wants.status;
        }
        if self.membership_due(edits).is_none() && self.wants.membership.is_some() {
            self.given.membership = self.wants.membership;
        }
    }

    /// A change is about to be written: until the shop shows itself nobody knows what it has.
    pub fn intend(&mut self, change: &Change) {
        self.unsure = true;
        if let Some(status) = change.status {
            self.given.status = None;
            let noted = change.comment.as_ref().unwrap_or(&self.comment);
            self.given.noted = (status == Status::Disabled).then(|| noted.clone());
        }
        if change.membership.is_some() {
            self.given.membership = None;
        }
    }

    /// The shop took a change, and shows this now; says whether it has what was sent.
    pub fn written(&mut self, change: &Change, shown: &Shown) -> bool {
        self.seen(shown);
        (self.refused, self.unsure) = (None, false);
        if let Some(status) = change.status {
            self.given.status = Some(status);
            self.given.noted = (status == Status::Disabled).then(|| self.comment.clone());
        }
        self.given.membership = change.membership.or(self.given.membership);
        change.status.is_none_or(|status| status == self.status)
            && change.membership.is_none_or(|membership| membership == self.membership)
    }

    /// Says in which way the shop keeps something else than M3 says; empty if it does not.
    pub fn kept(&self, edits: Edits) -> String {
        let due = self.due(edits);
        let status = match self.wants.status {
            Some(want) if want != self.status && due.status.is_none() => match want {
                Status::Enabled => "disabled in the shop by a person",
                Status::Disabled => "enabled in the shop by a person",
            },
            Some(_) | None => "",
        };
        let membership = match self.wants.membership {
            Some(want) if want != self.membership && due.membership.is_none() => {
                "has a membership that a person chose"
            }
            Some(_) | None => "",
        };
        let told: Vec<&str> =
            [status, membership].into_iter().filter(|text| !text.is_empty()).collect();
        told.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::xcart::profiles::Account;

    const NONE: Belongs = Belongs::Nowhere;

    fn shown(status: Status, comment: &str, membership: Belongs) -> Shown {
        let (login, comment) = ("a@x".to_owned(), comment.to_owned());
        let account = Account::Used;
        Shown { id: 7, login, rank: Rank::Customer, status, comment, membership, account }
    }

    fn buyer(status: Status, comment: &str, membership: Belongs) -> Buyer {
        Buyer::new(&shown(status, comment, membership), 1)
    }

    fn wants(status: Status, membership: Option<Belongs>) -> Wants {
        let why = format!("{MARK}Y1 has status 90");
        Wants { status: Some(status), why, membership, unclear: None }
    }

    #[test]
    fn whom_m3_blocks_is_shut_out_with_a_note_and_let_in_when_m3_does() {
        let mut buyer = buyer(Status::Enabled, "", NONE);
        buyer.wants = wants(Status::Disabled, None);
        let change = buyer.due(Edits::Kept);
        assert_eq!(change.status, Some(Status::Disabled));
        let note = change.comment.clone().unwrap();
        assert!(buyer.written(&change, &shown(Status::Disabled, &note, NONE)));
        assert!(!buyer.differs(Edits::Overwritten));
        buyer.wants = wants(Status::Enabled, None);
        let change = buyer.due(Edits::Kept);
        assert_eq!((change.status, change.comment.as_deref()), (Some(Status::Enabled), Some("")));
        assert!(buyer.written(&change, &shown(Status::Enabled, "", NONE)));
        buyer.wants = wants(Status::Disabled, None);
        assert!(buyer.differs(Edits::Kept), "blocked once more");
    }

    #[test]
    fn whom_a_person_shut_out_or_let_in_stays_so_until_m3_changes() {
        let mut out = buyer(Status::Disabled, "fraud", NONE);
        out.wants = wants(Status::Enabled, None);
        for edits in [Edits::Kept, Edits::Overwritten] {
            assert!(!out.differs(edits), "{edits:?}");
        }
        assert_eq!(out.kept(Edits::Kept), "disabled in the shop by a person");
        assert_eq!(out.due(Edits::Asked).status, Some(Status::Enabled), "a person asked for it");
        assert_eq!(out.due(Edits::Asked).comment, None, "a person's note stays");

        let mut inside = buyer(Status::Enabled, "", NONE);
        inside.wants = wants(Status::Disabled, None);
        let change = inside.due(Edits::Kept);
        inside.written(&change, &shown(Status::Disabled, &change.comment.clone().unwrap(), NONE));
        inside.seen(&shown(Status::Enabled, "", NONE));
        assert!(!inside.differs(Edits::Kept));
        assert_eq!(inside.kept(Edits::Kept), "enabled in the shop by a person");
        assert!(inside.differs(Edits::Overwritten));
        inside.wants = wants(Status::Enabled, None);
        inside.settle(Edits::Kept);
        inside.wants = wants(Status::Disabled, None);
        assert!(inside.differs(Edits::Kept), "M3 blocked it anew");
    }

    #[test]
    fn a_persons_note_is_kept_and_a_changed_one_keeps_a_profile_shut() {
        let mut noted = buyer(Status::Enabled, "pays late", NONE);
        noted.wants = wants(Status::Disabled, None);
        let change = noted.due(Edits::Kept);
        assert_eq!((change.status, &change.comment), (Some(Status::Disabled), &None));
        noted.written(&change, &shown(Status::Disabled, "pays late", NONE));
        noted.wants = wants(Status::Enabled, None);
        let mut changed = noted.clone();
        assert_eq!(noted.due(Edits::Kept).status, Some(Status::Enabled));
        changed.seen(&shown(Status::Disabled, "fraud, never let in", NONE));
        assert!(!changed.differs(Edits::Kept));
        // After a state that was lost, our own note tells.
        let mut lost = buyer(Status::Disabled, &format!("{MARK}Y1 has status 90"), NONE);
        lost.wants = wants(Status::Enabled, None);
        assert!(lost.differs(Edits::Kept));
    }

    #[test]
    fn what_was_under_way_when_all_ended_is_no_persons_choice() {
        let mut changed = buyer(Status::Enabled, "", Belongs::To(4));
        changed.wants = wants(Status::Enabled, Some(Belongs::To(4)));
        changed.settle(Edits::Kept);
        changed.wants.membership = Some(NONE);
        changed.intend(&changed.due(Edits::Kept));
        assert!(changed.unsure);
        // The shop took it, and M3 has gone back meanwhile.
        changed.wants.membership = Some(Belongs::To(4));
        changed.seen(&shown(Status::Enabled, "", NONE));
        assert_eq!(changed.due(Edits::Kept).membership, Some(Belongs::To(4)));

        let mut shut = buyer(Status::Enabled, "pays late", NONE);
        shut.wants = wants(Status::Disabled, None);
        shut.intend(&shut.due(Edits::Kept));
        shut.seen(&shown(Status::Disabled, "pays late", NONE));
        shut.wants = wants(Status::Enabled, None);
        assert_eq!(shut.due(Edits::Kept).status, Some(Status::Enabled), "we shut it out");
    }

    #[test]
    fn a_membership_follows_m3_and_a_persons_choice_stays_until_m3_changes() {
        let mut buyer = buyer(Status::Enabled, "", Belongs::To(5));
        buyer.wants = wants(Status::Enabled, Some(Belongs::To(4)));
        let change = buyer.due(Edits::Kept);
        assert_eq!(change, Change { membership: Some(Belongs::To(4)), ..Change::default() });
        assert!(
            !buyer.clone().written(&change, &shown(Status::Enabled, "", Belongs::To(5))),
            "not taken"
        );
        assert!(buyer.written(&change, &shown(Status::Enabled, "", Belongs::To(4))));
        buyer.seen(&shown(Status::Enabled, "", Belongs::To(5)));
        assert!(!buyer.differs(Edits::Kept) && buyer.differs(Edits::Overwritten));
        assert_eq!(buyer.kept(Edits::Kept), "has a membership that a person chose");
        buyer.settle(Edits::Kept);
        buyer.wants.membership = Some(NONE);
        assert_eq!(buyer.due(Edits::Kept).membership, Some(NONE), "M3 changed");
        buyer.wants.membership = None;
        assert!(!buyer.differs(Edits::Overwritten), "nobody says anything of it");
    }
}
