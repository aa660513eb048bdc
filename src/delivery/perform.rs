//! Carries out one effect of a case: the calls to M3 and to the shop.
//!
//! Holds no decision: what is asked comes from `flow`, what it means goes back there.

mod customers;
mod following;
mod paying;

use super::{customers::Customers, trouble::Trouble};
use crate::{
    connector::{
        Class, Failure, Fate, Kind,
        m3::{M3, customer as mi_customer, follow as mi_follow, mi::MiCall, order as mi_order},
        xcart::rest::Shop,
    },
    failpoint::{self, Plant},
    flow::{
        place::{Ask, Deletion, Found, Told},
        rules::Rules,
        run::{Case, Effect, Need, Outcome},
    },
    ids::{Cuno, Itno, OrderKey, Orno},
    order::OrderRef,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// SKUs whose item number is remembered.
const ITEMS_REMEMBERED_MAX: usize = 10_000;

/// The two systems and what is remembered of them.
#[derive(Debug)]
pub struct Performer {
    shop: Shop,
    m3: M3,
    rules: Arc<Rules>,
    items: Mutex<BTreeMap<String, Itno>>,
    customers: Arc<Customers>,
}

impl Performer {
    /// Takes the two systems and who keeps the customers.
    pub fn new(shop: Shop, m3: M3, rules: Arc<Rules>, customers: Arc<Customers>) -> Self {
        Self { shop, m3, rules, items: Mutex::default(), customers }
    }

    /// The customers, as the performer shares them with others.
    pub(super) fn customers(&self) -> &Arc<Customers> {
        &self.customers
    }

    /// Ends all waiting for leave to call; calls on their way are not touched.
    pub fn end(&self) {
        self.shop.end();
        self.m3.end();
    }

    /// Returns how long the system that is needed cannot be asked.
    pub fn closed_for(&self, need: Need) -> Option<Duration> {
        match need {
            Need::Shop => self.shop.closed_for(),
            Need::M3 | Need::Confirm => self.m3.closed_for(),
            Need::Nobody => None,
        }
    }

    /// Carries an effect out. The case is durable already if the effect writes.
    pub async fn perform(&self, effect: &Effect, case: &Case) -> Outcome {
        match self.outcome(effect, case).await {
            Ok(outcome) => outcome,
            Err(Trouble::Failed(failure)) => Outcome::Failed(failure),
            Err(Trouble::Stopped(why)) => Outcome::Stopped(why),
        }
    }

    async fn outcome(&self, effect: &Effect, case: &Case) -> Result<Outcome, Trouble> {
        match effect {
            Effect::ReadOrder(reference) => {
                let order = match reference {
                    OrderRef::Id(id) => self.shop.order_by_id(*id).await?,
                    OrderRef::Number(number) => self.shop.order_by_number(number.as_str()).await?,
                };
                Ok(Outcome::Order(Box::new(order)))
            }
            Effect::EnsureCustomer => Box::pin(self.ensure_customer(case)).await,
            Effect::FindItems(skus) => {
                let itnos = self.find_items(skus).await?;
                Ok(Outcome::Items { itnos, booked: Box::pin(self.book(case)).await? })
            }
            Effect::Place(ask) => Ok(Outcome::Told(self.place(ask, case).await?)),
            Effect::ReadReal(orno) => {
                let (key, cuno) = key_and_cuno(case)?;
                let answers = self.m3.bulk(&mi_follow::read_real(orno, cuno), Kind::Read).await?;
                Ok(Outcome::Real(mi_follow::real_read(answers, orno, key)?))
            }
            Effect::ReadProgress(orno) => Box::pin(self.progress(orno, case)).await,
            Effect::ReadPayments(id) => Ok(Outcome::Payments(self.shop.payments(*id).await?)),
            Effect::Pay { id, step } => Box::pin(self.pay(*id, *step, case)).await,
            Effect::Tell { order_id, tell } => self.tell(*order_id, tell, case).await,
        }
    }

    async fn place(&self, ask: &Ask, case: &Case) -> Result<Told, Trouble> {
        let names = &self.rules.transactions;
        let plan = || case.plan.as_ref().ok_or_else(|| lacks("plan"));
        Ok(match ask {
            Ask::Look => self.look(case).await?,
            Ask::AddHead { oref } => {
                let call = mi_order::add_head(plan()?, oref, names);
                mi_order::head_added(&self.m3.call(&call, Kind::Write).await?)?
            }
            Ask::AddDetails { tmp } => self.add(&mi_order::add_details(plan()?, tmp), case).await?,
            Ask::AddLines { tmp, cupos } => {
                self.add(&mi_order::add_lines(plan()?, tmp, cupos, names), case).await?
            }
            Ask::ReadBatch { tmp } => {
                mi_order::batch_read(self.read(&mi_order::read_batch(tmp)).await?)?
            }
            Ask::Confirm { tmp } => {
                mi_order::confirmed(&self.m3.call(&mi_order::confirm(tmp), Kind::Write).await?)
            }
            Ask::ReadConfirm { tmp } => {
                mi_order::confirm_read(self.read(&mi_order::read_confirm(tmp)).await?, tmp)?
            }
            Ask::Delete { tmp } => self.delete(tmp, &case.run.placing.tokens).await?,
        })
    }

    async fn add(&self, calls: &[MiCall], case: &Case) -> Result<Told, Failure> {
        if calls.is_empty() {
            return Ok(Told::Added);
        }
        let names = mi_order::names(calls, |cupo| case.sku_of(cupo));
        mi_order::all_added(self.m3.bulk(calls, Kind::Write).await?, &names)
    }

    /// Deletes a temporary order after another look at whose it is.
    async fn delete(&self, tmp: &Orno, tokens: &[String]) -> Result<Told, Failure> {
        let head =
            mi_order::head_read(self.m3.call(&mi_order::get_batch_head(tmp), Kind::Read).await)?;
        match Deletion::of(head.as_ref(), tokens) {
            Deletion::Needless => {}
            Deletion::Due => {
                self.m3.call(&mi_order::delete(tmp), Kind::Write).await?;
            }
            Deletion::Forbidden => {
                let text = "a real order was made of it";
                return Err(Failure::new(Fate::Refused, Class::State, text));
            }
        }
        Ok(Told::Deleted)
    }

    /// Lists what carries the key, with every customer that an attempt was made for.
    async fn look(&self, case: &Case) -> Result<Told, Failure> {
        let (key, cuno) = key_and_cuno(case)?;
        let mut all = Found::default();
        for cuno in std::iter::once(cuno).chain(&case.run.former) {
            let answers = self.m3.bulk(&mi_order::look(cuno), Kind::Read).await?;
            let mut found = mi_order::looked(answers, key)?;
            if failpoint::planted(Plant::NoLook) {
                found = Found::default();
            }
            let marks = self.read(&mi_order::marks(&found)).await?;
            let Found { real, batch } = mi_order::marked(found, marks)?;
            all.real.extend(real);
            all.batch.extend(batch);
        }
        Ok(Told::Heads(all))
    }

    async fn read(&self, calls: &[MiCall]) -> Result<mi_order::Answers, Failure> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        self.m3.bulk(calls, Kind::Read).await
    }

    async fn find_items(&self, skus: &[String]) -> Result<BTreeMap<String, Option<Itno>>, Trouble> {
        let mut found = self.remembered(skus);
        let left = |found: &BTreeMap<String, Itno>| -> Vec<String> {
            skus.iter().filter(|sku| !found.contains_key(*sku)).cloned().collect()
        };
        let calls = mi_customer::items(&left(&found));
        found.extend(mi_customer::items_found(&calls, self.read(&calls).await?)?);
        let calls = mi_customer::aliases(&left(&found), &self.rules.items.alias_categories);
        found.extend(mi_customer::aliases_found(&calls, self.read(&calls).await?)?);
        self.remember(&found);
        Ok(skus.iter().map(|sku| (sku.clone(), found.get(sku).cloned())).collect())
    }

    fn remembered(&self, skus: &[String]) -> BTreeMap<String, Itno> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        skus.iter().filter_map(|sku| Some((sku.clone(), items.get(sku)?.clone()))).collect()
    }

    fn remember(&self, found: &BTreeMap<String, Itno>) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len().saturating_add(found.len()) > ITEMS_REMEMBERED_MAX {
            items.clear();
        }
        items.extend(found.iter().map(|(sku, itno)| (sku.clone(), itno.clone())));
    }
}

fn key_and_cuno(case: &Case) -> Result<(&OrderKey, &Cuno), Failure> {
    match (&case.run.key, &case.run.cuno) {
        (Some(key), Some(cuno)) => Ok((key, cuno)),
        (None, _) | (_, None) => Err(lacks("key or customer")),
    }
}

/// A promise of our own is broken: the case lacks what its stage has given it.
fn lacks(what: &str) -> Failure {
    Failure::new(Fate::NotDone, Class::Broken, &format!("the case has no {what}"))
}
