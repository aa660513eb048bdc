//! Says what a case has done in other systems, so that a person who replays it knows. Pure.
//!
//! A line begins with `done`, with `unknown` (the request was or may have been sent, and no
//! answer came) or with `next`. It is taken from what is kept, not from the trail, which is cut.

use super::{Case, Stage, paying};
use crate::flow::{
    follow::Follow,
    invoice::sums,
    place::{Place, Then},
    returns::Returned,
};

impl Case {
    /// Lists the effects of the case, oldest first.
    pub fn effects(&self) -> Vec<String> {
        let run = &self.run;
        let mut said = Vec::new();
        said.extend(run.cuno.as_ref().map(|cuno| format!("done: customer {cuno}")));
        let withdrawn = run.placing.tokens.len().saturating_sub(1);
        if withdrawn > 0 {
            said.push(format!("done: {withdrawn} earlier temporary orders begun and given up"));
        }
        match &run.orno {
            Some(orno) => said.push(format!("done: confirmed in M3 as order {orno}")),
            None => said.extend(place_effects(&run.placing.at, run.placing.tokens.len())),
        }
        let back = if let Stage::Parked { back, .. } = &run.stage { back } else { &run.stage };
        if let Stage::Follow { follow, .. } = back {
            said.extend(follow_effects(follow));
        }
        said.extend(self.books.money.postings.iter().map(paying::effect));
        if self.books.later.returned.as_ref().is_some_and(Returned::is_open) {
            said.push("next: the credit note of a return, which a person enters".to_owned());
        }
        for (currency, sum) in sums(&self.books.invoices) {
            let count = self.books.invoices.iter().filter(|i| i.currency == currency).count();
            said.push(format!("done: M3 invoiced {sum} {currency} in {count} documents"));
        }
        said
    }
}

fn place_effects(at: &Place, begun: usize) -> Vec<String> {
    let opened = |tmp| format!("done: temporary order {tmp} opened");
    match at {
        Place::Look { lost: Some(_), .. } if begun > 0 => {
            vec!["unknown: whether the last call to M3 was carried out; it is looked up".to_owned()]
        }
        Place::Look { .. } | Place::AddHead { sent: false } => Vec::new(),
        Place::AddHead { sent: true } => vec!["unknown: temporary order begun".to_owned()],
        Place::AddDetails { tmp, sent } => {
            vec![opened(tmp), step(*sent, "address, texts, charges")]
        }
        Place::AddLines { tmp, cupos, sent } => {
            vec![opened(tmp), step(*sent, &format!("{} lines", cupos.len()))]
        }
        Place::ListLines { tmp, .. } => vec![opened(tmp), step(SENT, "lines")],
        Place::ReadBack { tmp } => vec![opened(tmp), "next: read it back".to_owned()],
        Place::Confirm { tmp, sent } => {
            vec![opened(tmp), "done: lines entered and compared".to_owned(), step(*sent, "confirm")]
        }
        Place::ReadConfirm { tmp, .. } => vec![opened(tmp), step(SENT, "confirm")],
        Place::Delete { tmp, sent, then } => {
            let after = match then {
                Then::Again => "delete it and begin anew",
                Then::Park(_) => "delete it, because M3 refused a part",
                Then::Cancelled => "delete it, because the shop cancelled",
            };
            vec![opened(tmp), step(*sent, after)]
        }
        Place::Confirmed { orno } => vec![format!("done: confirmed in M3 as order {orno}")],
        Place::Cancelled => vec!["done: given up before M3 had it".to_owned()],
    }
}

/// An intent whose outcome is not known.
const SENT: bool = true;

fn follow_effects(follow: &Follow) -> Vec<String> {
    let told = [("shipping status", &follow.shipping), ("payment status", &follow.payment)];
    let told = told.iter().filter(|(_, code)| !code.is_empty());
    let mut said: Vec<String> =
        told.map(|(name, code)| format!("done: shop told {name} {code}")).collect();
    if !follow.tracking.is_empty() {
        said.push(format!("done: shop has {} tracking numbers", follow.tracking.len()));
    }
    said
}

/// What was sent has an outcome that is not known; what was not is what comes next.
fn step(is_sent: impl Into<bool>, what: &str) -> String {
    let word = if is_sent.into() { "unknown" } else { "next" };
    format!("{word}: {what}")
}
