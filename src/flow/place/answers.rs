//! What the placing makes of M3's answers. Pure.
//!
//! Every answer leads to exactly one place; an answer that does not fit the
//! question changes nothing, so that the question is asked again.

use super::{
    Around, BatchHead, Cause, CauseKind, Class, Comparison, Failure, Fate, Found, LineInM3, Pause,
    Place, Placing, STAT_CREATED, Steady, Step, TOKEN_PREFIX, Then, Told, all_lines,
};
use crate::ids::Orno;

/// Statuses with which M3 says that it has looked and will not make an order of it
/// (reference/m3.md 5.4).
const REFUSING: [&str; 4] = ["15", "20", "25", "30"];

/// What is to be done about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The placing has moved on.
    Moved,
    /// Nothing was done; the same may be asked again later.
    Again,
    /// A person must look.
    Park(Cause),
}

impl Placing {
    /// Takes in an answer; `Some` when a person is needed.
    pub fn on(&mut self, told: Told, around: &Around<'_>) -> Option<Cause> {
        match (std::mem::replace(&mut self.at, Place::Cancelled), told) {
            (Place::Look { lost, from }, Told::Heads(found)) => {
                let (at, cause) = self.found((lost, from), found, around);
                self.at = at;
                return cause;
            }
            (Place::AddHead { .. }, Told::Head(tmp)) => {
                self.at = Place::AddDetails { tmp, sent: false };
            }
            (Place::AddDetails { tmp, .. }, Told::Added) => self.at = all_lines(tmp, around.plan),
            (Place::AddLines { tmp, .. }, Told::Added) => self.at = Place::ReadBack { tmp },
            (
                Place::ListLines { tmp, .. } | Place::ReadBack { tmp },
                Told::Batch { head, lines },
            ) => {
                self.at = self.read_back(tmp, head, &lines, around);
            }
            (Place::Confirm { tmp, .. }, Told::Confirmed { orno, stat }) => {
                self.at = self.confirmed(&tmp, orno, &stat, around);
            }
            (Place::ReadConfirm { tmp, lost, refused, from }, Told::Outcome { head, errors }) => {
                let made = head.as_ref().is_some_and(BatchHead::is_created);
                let at = Confirmation { tmp, lost, refused, from };
                let (at, cause) = at.outcome(head, &errors, around);
                self.at = at;
                // M3 looked at it and said no, or it was waited for: nothing is under way.
                let ended = cause.is_some() || matches!(self.at, Place::Confirm { .. });
                self.confirming &= made || !ended;
                return cause;
            }
            (Place::Delete { then, .. }, Told::Deleted) => return self.deleted(then),
            (same, _) => self.at = same,
        }
        None
    }

    /// Takes in a failure.
    pub fn on_failure(&mut self, failure: &Failure, around: &Around<'_>) -> Verdict {
        match failure.fate {
            Fate::NotDone => {
                self.not_done();
                Verdict::Again
            }
            Fate::Unknown => {
                self.lose(around.now);
                Verdict::Moved
            }
            Fate::Refused => self.refused(failure, around),
        }
    }

    fn refused(&mut self, failure: &Failure, around: &Around<'_>) -> Verdict {
        let locked = failure.class == Class::Locked;
        let gone = failure.class == Class::NotFound || is_order_unknown(failure);
        match std::mem::replace(&mut self.at, Place::Cancelled) {
            Place::AddHead { .. } => {
                self.at = Place::LOOK;
                if locked {
                    return Verdict::Again;
                }
                let kind = if is_about_customer(failure) {
                    CauseKind::CustomerRefused
                } else {
                    CauseKind::HeadRefused
                };
                return Verdict::Park(Cause::of_refusal(kind, "opening the order", failure));
            }
            Place::AddDetails { tmp, .. } | Place::AddLines { tmp, .. } if locked => {
                self.at = Place::delete(&tmp, Then::Again);
                return Verdict::Again;
            }
            Place::AddDetails { .. } | Place::AddLines { .. } if is_order_unknown(failure) => {
                self.at = Place::LOOK;
            }
            Place::AddDetails { tmp, .. } | Place::AddLines { tmp, .. } => {
                let doing = "adding lines, address, texts and charges";
                let cause = Cause::of_refusal(CauseKind::LineRefused, doing, failure);
                self.at = Place::delete(&tmp, Then::Park(cause));
            }
            Place::ListLines { .. } | Place::ReadBack { .. } if gone => {
                self.at = Place::LOOK;
            }
            Place::Confirm { tmp, .. } if locked => {
                self.at = Place::Confirm { tmp, sent: true };
                self.not_done();
                return Verdict::Again;
            }
            Place::Confirm { tmp, .. } => {
                self.at = self.unconfirmed(&tmp, around.now, Some(failure.to_string()));
            }
            Place::Delete { then, .. } if gone => {
                return self.deleted(then).map_or(Verdict::Moved, Verdict::Park);
            }
            Place::Delete { tmp, then, .. } if locked => {
                self.at = Place::delete(&tmp, then);
                return Verdict::Again;
            }
            Place::Delete { tmp, then, .. } => return self.undeletable(tmp, then, failure),
            same @ (Place::Look { .. }
            | Place::ListLines { .. }
            | Place::ReadBack { .. }
            | Place::ReadConfirm { .. }
            | Place::Confirmed { .. }
            | Place::Cancelled) => {
                self.at = same;
                let doing = "reading the order";
                return Verdict::Park(Cause::of_refusal(CauseKind::HeadRefused, doing, failure));
            }
        }
        Verdict::Moved
    }

    /// M3 does not delete it: perhaps somebody has released it. A look decides, at once
    /// or, for an order that is cancelled, in the sweeps.
    fn undeletable(&mut self, tmp: Orno, then: Then, failure: &Failure) -> Verdict {
        self.at = Place::LOOK;
        match then {
            Then::Again => self.undeleted = Some(tmp),
            Then::Park(cause) => return Verdict::Park(cause),
            Then::Cancelled if matches!(failure.class, Class::Config | Class::Forbidden) => {
                self.at = Place::delete(&tmp, then);
                let doing = "deleting a temporary order";
                return Verdict::Park(Cause::of_refusal(CauseKind::HeadRefused, doing, failure));
            }
            Then::Cancelled => self.at = Place::Cancelled,
        }
        Verdict::Moved
    }

    fn deleted(&mut self, then: Then) -> Option<Cause> {
        self.at = Place::Look { lost: self.confirm_lost.filter(|_| self.confirming), from: None };
        match then {
            Then::Again => None,
            Then::Park(cause) => Some(cause),
            Then::Cancelled => {
                self.at = Place::Cancelled;
                None
            }
        }
    }

    /// Judges a look: adopt, continue, clean up, wait, or create.
    fn found(
        &mut self,
        (lost, from): (Option<Steady>, Option<Pause>),
        found: Found,
        around: &Around<'_>,
    ) -> (Place, Option<Cause>) {
        let lost = lost.or(self.confirm_lost.filter(|_| self.confirming));
        let again = Place::Look { lost, from: None };
        let mut real = found.real;
        real.extend(found.batch.iter().filter_map(|head| head.orno.clone()));
        real.sort();
        real.dedup();
        match real.as_slice() {
            [] => {}
            [orno] => return (Place::Confirmed { orno: orno.clone() }, None),
            many => {
                let text = format!("real orders {}", list(many));
                return (again, Some(Cause::new(CauseKind::TwoRealOrders, text)));
            }
        }
        if let Some(made) = found.batch.iter().find(|head| head.is_created()) {
            return self.unnamed(made, (lost, from), around);
        }
        let open: Vec<&BatchHead> = found.batch.iter().collect();
        if let Some(foreign) = open.iter().find(|head| !self.tokens.contains(&head.oref)) {
            return (again, Some(Cause::new(CauseKind::ForeignHead, foreign_text(foreign))));
        }
        let undeleted = self.undeleted.take();
        if let Some(head) = open.iter().find(|head| Some(&head.tmp) == undeleted.as_ref()) {
            let text = format!("M3 does not delete temporary order {}", head.tmp);
            return (again, Some(Cause::new(CauseKind::HeadRefused, text)));
        }
        if let Some(stale) = open.iter().find(|head| !self.is_current(&head.oref)) {
            return (Place::delete(&stale.tmp, Then::Again), None);
        }
        (self.open_heads(&open, (lost, from), around), None)
    }

    /// What follows when all heads that a look found are of the attempt at hand.
    fn open_heads(
        &mut self,
        open: &[&BatchHead],
        (lost, from): (Option<Steady>, Option<Pause>),
        around: &Around<'_>,
    ) -> Place {
        match (open, lost) {
            ([head, ..], lost) if self.confirming => {
                self.unconfirmed(&head.tmp, lost.unwrap_or(around.now), None)
            }
            // The lost call did open it, and nothing was added since, unless in a life that a
            // back-up has forgotten.
            ([head], Some(_)) if self.head_boot == around.now.boot => {
                Place::AddDetails { tmp: head.tmp.clone(), sent: false }
            }
            ([head, ..], _) => Place::delete(&head.tmp, Then::Again),
            ([], Some(lost)) if !is_quiet(from, lost, around) => {
                Place::Look { lost: Some(lost), from: Some(around.quiet(lost)) }
            }
            ([], _) => {
                // No confirmation is under way and nothing is left that it could confirm.
                self.confirming = false;
                Place::AddHead { sent: false }
            }
        }
    }

    /// A real order was made of a head, and its number is not there yet: it is looked for
    /// again and again, and nothing is created or deleted meanwhile.
    fn unnamed(
        &mut self,
        made: &BatchHead,
        (lost, from): (Option<Steady>, Option<Pause>),
        around: &Around<'_>,
    ) -> (Place, Option<Cause>) {
        let lost = lost.unwrap_or(around.now);
        self.confirming = true;
        self.confirm_lost.get_or_insert(lost);
        let over = is_quiet(from, lost, around);
        let from = if over { around.quiet(lost) } else { around.between_looks(lost) };
        let at = Place::Look { lost: Some(lost), from: Some(from) };
        (at, over.then(|| unnamed(&made.tmp)))
    }

    /// Compares a temporary order with the plan; only an equal one is confirmed.
    fn read_back(
        &mut self,
        tmp: Orno,
        head: Option<BatchHead>,
        lines: &[LineInM3],
        around: &Around<'_>,
    ) -> Place {
        let Some(head) = head else { return Place::LOOK };
        if let Some(orno) = head.orno {
            return Place::Confirmed { orno };
        }
        if !self.tokens.contains(&head.oref) {
            // M3 has lost ours and given the number to somebody else.
            return Place::LOOK;
        }
        if head.is_created() {
            self.confirming = true;
            return self.unconfirmed(&tmp, around.now, None);
        }
        let currency_differs = !head.currency.is_empty() && head.currency != around.plan.currency;
        if head.cuor != around.key.as_str() || currency_differs {
            return Place::delete(&tmp, Then::Again);
        }
        match around.plan.compare(lines) {
            Comparison::Equal => Place::Confirm { tmp, sent: false },
            Comparison::Missing(cupos) => Place::AddLines { tmp, cupos, sent: false },
            Comparison::Unequal(_) => Place::delete(&tmp, Then::Again),
        }
    }

    fn confirmed(
        &mut self,
        tmp: &Orno,
        orno: Option<Orno>,
        stat: &str,
        around: &Around<'_>,
    ) -> Place {
        match orno {
            Some(orno) if stat == STAT_CREATED && orno != *tmp => Place::Confirmed { orno },
            // Only these say that M3 has ended with it; anything else may become an order.
            Some(_) | None => {
                let refused = REFUSING.contains(&stat).then(|| format!("status {stat}"));
                self.unconfirmed(tmp, around.now, refused)
            }
        }
    }

    /// Whether it marks the head that was opened last, for the plan of today.
    fn is_current(&self, oref: &String) -> bool {
        self.tokens.len() > self.withdrawn && self.tokens.last() == Some(oref)
    }
}

/// A confirmation that got no yes.
struct Confirmation {
    tmp: Orno,
    lost: Steady,
    refused: Option<String>,
    from: Option<Pause>,
}

impl Confirmation {
    fn outcome(
        self,
        head: Option<BatchHead>,
        errors: &[String],
        around: &Around<'_>,
    ) -> (Place, Option<Cause>) {
        let Self { tmp, lost, refused, from } = self;
        let Some(head) = head else {
            // Gone: confirmed and cleaned, or lost by a restart of M3. The key decides.
            return (Place::Look { lost: Some(lost), from: None }, None);
        };
        if let Some(orno) = head.orno {
            return (Place::Confirmed { orno }, None);
        }
        let made = head.is_created();
        if let (Some(refused), false) = (&refused, made) {
            let text = format!("{refused}; {} (temporary order {tmp})", errors.join("; "));
            return (Place::ReadBack { tmp }, Some(Cause::new(CauseKind::ConfirmRefused, text)));
        }
        match (is_quiet(from, lost, around), made) {
            (true, false) => (Place::Confirm { tmp, sent: false }, None),
            (true, true) => {
                let cause = unnamed(&tmp);
                (Place::ReadConfirm { tmp, lost, refused, from }, Some(cause))
            }
            (false, _) => {
                let from = Some(around.between_looks(lost));
                (Place::ReadConfirm { tmp, lost, refused, from }, None)
            }
        }
    }
}

/// Whether a look that was asked after this pause saw all that a lost call can have done.
fn is_quiet(from: Option<Pause>, lost: Steady, around: &Around<'_>) -> bool {
    from.is_some_and(|pause| pause.covers(around.quiet(lost)))
}

fn unnamed(tmp: &Orno) -> Cause {
    let text = format!(
        "temporary order {tmp} has become a real order (status {STAT_CREATED}), but M3 does not say which"
    );
    Cause::new(CauseKind::ConfirmRefused, text)
}

fn foreign_text(head: &BatchHead) -> String {
    let BatchHead { tmp, oref, .. } = head;
    if oref.starts_with(TOKEN_PREFIX) {
        return format!(
            "temporary order {tmp} has our key and a mark that this gateway does not remember: an old copy of its state was put back, or a second gateway runs"
        );
    }
    format!("temporary order {tmp} has our key but not our mark")
}

/// Whether M3 says that it does not know the (temporary) order.
fn is_order_unknown(failure: &Failure) -> bool {
    failure.code == "WOR0303"
        || (failure.class == Class::NotFound && failure.field.as_deref() == Some("ORNO"))
}

/// Whether M3 names the customer as the trouble.
fn is_about_customer(failure: &Failure) -> bool {
    let by_field = failure.field.as_deref() == Some("CUNO");
    by_field || failure.code.starts_with("WCU") || failure.code == "XIM0002"
}

fn list(ornos: &[Orno]) -> String {
    ornos.iter().map(Orno::as_str).collect::<Vec<_>>().join(", ")
}

impl Step {
    /// The question, if it is one.
    pub fn ask(self) -> Option<super::Ask> {
        match self {
            Self::Ask(ask) => Some(ask),
            Self::Wait { .. } | Self::Park(_) | Self::Confirmed(_) | Self::Cancelled => None,
        }
    }
}
