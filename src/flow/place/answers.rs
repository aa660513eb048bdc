//! What the placing makes of M3's answers. Pure.
//!
//! Every answer leads to exactly one place; an answer that does not fit the
//! question changes nothing, so that the question is asked again.

use super::{
    Around, BatchHead, Cause, CauseKind, Class, Comparison, Failure, Fate, Found,
    LOOKS_PER_QUIESCENCE, LineInM3, Place, Placing, STAT_CREATED, Step, Then, Told, all_lines,
};
use crate::ids::Orno;

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
            (Place::Look { lost_ms, from_ms }, Told::Heads(found)) => {
                let (at, cause) = self.found((lost_ms, from_ms), found, around);
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
                self.at = read_back(tmp, head, &lines, around);
            }
            (Place::Confirm { tmp, .. }, Told::Confirmed { orno, stat }) => {
                self.at = confirmed(&tmp, orno, &stat, around);
            }
            (
                Place::ReadConfirm { tmp, lost_ms, refused, from_ms },
                Told::Outcome { head, errors },
            ) => {
                let last_look = from_ms >= lost_ms.saturating_add(around.quiescence_ms);
                let at = Confirmation { tmp, lost_ms, refused, last_look };
                let (at, cause) = at.outcome(head, &errors, around);
                self.at = at;
                // M3 looked at it and said no, or it was waited for: nothing is under way.
                self.confirming &= cause.is_none() && !matches!(self.at, Place::Confirm { .. });
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
                self.lose(around.now_ms, around.quiescence_ms);
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
                self.at = Place::Confirm { tmp, sent: false };
                self.not_done();
                return Verdict::Again;
            }
            Place::Confirm { tmp, .. } => {
                self.at = Place::read_confirm(&tmp, around.now_ms, Some(failure.to_string()));
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
        self.at = Place::LOOK;
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
        (lost_ms, from_ms): (Option<u64>, u64),
        found: Found,
        around: &Around<'_>,
    ) -> (Place, Option<Cause>) {
        let again = Place::Look { lost_ms, from_ms: 0 };
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
        let open: Vec<&BatchHead> = found.batch.iter().collect();
        if let Some(foreign) = open.iter().find(|head| !self.tokens.contains(&head.oref)) {
            let text = format!("temporary order {} has our key but not our mark", foreign.tmp);
            return (again, Some(Cause::new(CauseKind::ForeignHead, text)));
        }
        let undeleted = self.undeleted.take();
        if let Some(head) = open.iter().find(|head| Some(&head.tmp) == undeleted.as_ref()) {
            let text = format!("M3 does not delete temporary order {}", head.tmp);
            return (again, Some(Cause::new(CauseKind::HeadRefused, text)));
        }
        if let Some(stale) = open.iter().find(|head| !self.is_current(&head.oref)) {
            return (Place::delete(&stale.tmp, Then::Again), None);
        }
        let at = match (open.as_slice(), lost_ms) {
            ([head], Some(lost)) if self.confirming => Place::read_confirm(&head.tmp, lost, None),
            // The lost call did open it, and nothing was added since.
            ([head], Some(_)) => Place::AddDetails { tmp: head.tmp.clone(), sent: false },
            ([head, ..], _) => Place::delete(&head.tmp, Then::Again),
            ([], Some(lost)) if from_ms < lost.saturating_add(around.quiescence_ms) => {
                Place::Look { lost_ms, from_ms: lost.saturating_add(around.quiescence_ms) }
            }
            ([], _) => {
                // No confirmation is under way and nothing is left that it could confirm.
                self.confirming = false;
                Place::AddHead { sent: false }
            }
        };
        (at, None)
    }

    /// Whether it marks the head that was opened last, for the plan of today.
    fn is_current(&self, oref: &String) -> bool {
        self.tokens.len() > self.withdrawn && self.tokens.last() == Some(oref)
    }
}

fn read_back(tmp: Orno, head: Option<BatchHead>, lines: &[LineInM3], around: &Around<'_>) -> Place {
    let Some(head) = head else { return Place::LOOK };
    if let Some(orno) = head.orno {
        return Place::Confirmed { orno };
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

fn confirmed(tmp: &Orno, orno: Option<Orno>, stat: &str, around: &Around<'_>) -> Place {
    match orno {
        Some(orno) if stat == STAT_CREATED && orno != *tmp => Place::Confirmed { orno },
        Some(_) | None => {
            let refused = (stat != STAT_CREATED).then(|| format!("status {stat}"));
            Place::read_confirm(tmp, around.now_ms, refused)
        }
    }
}

/// A confirmation that got no yes.
struct Confirmation {
    tmp: Orno,
    lost_ms: u64,
    refused: Option<String>,
    last_look: bool,
}

impl Confirmation {
    fn outcome(
        self,
        head: Option<BatchHead>,
        errors: &[String],
        around: &Around<'_>,
    ) -> (Place, Option<Cause>) {
        let Self { tmp, lost_ms, refused, last_look } = self;
        let Some(head) = head else {
            // Gone: confirmed and cleaned, or lost by a restart of M3. The key decides.
            return (Place::Look { lost_ms: Some(lost_ms), from_ms: 0 }, None);
        };
        if let Some(orno) = head.orno {
            return (Place::Confirmed { orno }, None);
        }
        if let Some(refused) = refused {
            let text = format!("{refused}; {} (temporary order {tmp})", errors.join("; "));
            return (Place::ReadBack { tmp }, Some(Cause::new(CauseKind::ConfirmRefused, text)));
        }
        if last_look {
            return (Place::Confirm { tmp, sent: false }, None);
        }
        let quiet_ms = lost_ms.saturating_add(around.quiescence_ms);
        let pause = (around.quiescence_ms / LOOKS_PER_QUIESCENCE).max(1);
        let from_ms = around.now_ms.saturating_add(pause).min(quiet_ms);
        (Place::ReadConfirm { tmp, lost_ms, refused: None, from_ms }, None)
    }
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
