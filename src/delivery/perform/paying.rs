//! Carries out the steps of a payment.
//!
//! Holds no decision.

use super::{Performer, Trouble, lacks};
use crate::{
    clock,
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
        let key = payment::key(key, &posting.movement);
        let (company, division) = self.m3.place();
        let today_s = i64::try_from(clock::now().unix_ms() / 1_000).unwrap_or(0);
        let account = Account {
            company,
            today_s,
            division,
            orno: run.orno.as_ref().ok_or_else(|| lacks("order number"))?,
            cuno: run.cuno.as_ref().ok_or_else(|| lacks("customer"))?,
            key: &key,
        };
        let call = mi_payments::call(step, posting, account, rules);
        let call = call.ok_or_else(|| lacks("settings for this payment"))?;
        let kind = if step.is_write() { Kind::Write } else { Kind::Read };
        let answer = self.m3.call(&call, kind).await;
        Ok(Outcome::Paid(mi_payments::told(step, answer, &key)?))
    }
}
