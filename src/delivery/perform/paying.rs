//! Carries out the steps of a payment.
//!
//! Holds no decision.

use super::{Performer, Trouble, lacks};
use crate::{
    connector::{
        Kind,
        m3::payments::{self as mi_payments, Account},
    },
    flow::{
        payment::{self, Step},
        run::{Case, Outcome},
    },
};

impl Performer {
    pub(super) async fn pay(&self, id: u64, step: Step, case: &Case) -> Result<Outcome, Trouble> {
        let run = &case.run;
        let rules = self.rules.payments.as_ref().ok_or_else(|| lacks("payment rules"))?;
        let found = case.books.money.postings.iter().find(|posting| posting.movement.id == id);
        let posting = found.ok_or_else(|| lacks("payment"))?;
        let key = run.key.as_ref().ok_or_else(|| lacks("key"))?;
        let account = Account {
            division: self.m3.place().1,
            orno: run.orno.as_ref().ok_or_else(|| lacks("order number"))?,
            cuno: run.cuno.as_ref().ok_or_else(|| lacks("customer"))?,
            key: &payment::key(key, &posting.movement),
        };
        let call = mi_payments::call(step, posting, account, rules);
        let call = call.ok_or_else(|| lacks("settings for this payment"))?;
        let kind = if step.is_write() { Kind::Write } else { Kind::Read };
        let answer = self.m3.call(&call, kind).await;
        Ok(Outcome::Paid(mi_payments::told(step, answer)?))
    }
}
