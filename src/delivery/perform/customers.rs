//! Finds or makes the customer of an order, and keeps its delivery addresses.
//!
//! Holds no decision. What is to be known of customers lies with `delivery::customers`, which the flow
//! of profiles shares.

use super::{Performer, lacks, mi_customer};
use crate::{
    connector::{Class, Kind},
    delivery::{
        cases::CaseError,
        customers::{is_final, said},
        trouble::Trouble,
    },
    flow::{
        customer::{
            Person,
            book::{Booked, Entry},
        },
        run::{Case, Outcome},
    },
};

impl Performer {
    pub(super) async fn ensure_customer(&self, case: &Case) -> Result<Outcome, Trouble> {
        let order = case.order.as_ref().ok_or_else(|| lacks("order"))?;
        let person = Person::of(order, &self.rules)?;
        let ensured = self.customers.ensure(&person, case.run.counted).await?;
        Ok(Outcome::Customer { cuno: ensured.cuno, notes: ensured.notes })
    }

    /// M3 refused the customer: the next attempt looks for it anew, unless a person named it.
    pub async fn forget_customer(&self, case: &Case) -> Result<(), CaseError> {
        let person = case.order.as_ref().and_then(|order| Person::of(order, &self.rules).ok());
        match person {
            Some(person) => self.customers.forget(&person).await,
            None => Ok(()),
        }
    }

    /// Puts the delivery address into the customer's address book where it belongs there; where M3 does
    /// not take it, it goes on the order.
    pub(super) async fn book(&self, case: &Case) -> Result<Booked, Trouble> {
        let order = case.order.as_ref().ok_or_else(|| lacks("order"))?;
        let cuno = case.run.cuno.as_ref().ok_or_else(|| lacks("customer"))?;
        let Some(entry) = Entry::of(order, &self.rules) else { return Ok(Booked::OnOrder(None)) };
        let on_order = |why: &str| {
            Ok(Booked::OnOrder(Some(format!("not in the address book of {cuno}: {why}"))))
        };
        if let Some(field) = entry.lacks() {
            return on_order(&format!("it has no {field}"));
        }
        let answer = self.m3.call(&mi_customer::get_address(cuno, &entry.adid), Kind::Read).await;
        match mi_customer::address_got(answer) {
            Ok(Some((postal_code, country))) if entry.is_at(&postal_code, &country) => {
                return Ok(Booked::Named(entry.adid));
            }
            Ok(Some(_)) => return on_order(&format!("{} is another place there", entry.adid)),
            Ok(None) => {}
            Err(failure) if is_final(&failure) => return on_order(&said(&failure)),
            Err(failure) => return Err(failure.into()),
        }
        match self.m3.call(&mi_customer::add_address(cuno, &entry), Kind::Write).await {
            Ok(_) => Ok(Booked::Named(entry.adid)),
            // Another order of this buyer was quicker.
            Err(failure) if failure.class == Class::Exists => Ok(Booked::Named(entry.adid)),
            Err(failure) if is_final(&failure) => on_order(&said(&failure)),
            Err(failure) => Err(failure.into()),
        }
    }
}
