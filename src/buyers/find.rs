//! Finds the customer of a profile, and the profiles of a customer, in what is kept.
//!
//! Guarantees: what an order joined is read where the order flow keeps it.

use super::{
    Shared, Wanted,
    buyer::Buyer,
    customer::Customer,
    mark, table,
    tie::{Facts, Tie},
};
use crate::{
    delivery::{links::LinkRow, rows},
    flow::customer::{account, number_of},
    goods::{Trouble, row},
    ids::{Cuno, KeyPrefix},
    state::{Batch, State},
};
use std::collections::BTreeSet;

/// Owners of one e-mail address that are looked at.
pub(super) const OWNERS_MAX: usize = 10;
/// Profiles of one customer that are marked at a change of it.
const PROFILES_MAX: usize = 5_000;

/// The profile whose customer would get this number.
fn numbered(prefix: &KeyPrefix, cuno: &Cuno) -> Option<u64> {
    let id = cuno.as_str().strip_prefix(prefix.as_str())?.parse().ok()?;
    (number_of(prefix, id).as_ref() == Ok(cuno)).then_some(id)
}

/// Reads what M3 lists of a customer.
pub(super) fn customer(state: &State, cuno: &Cuno) -> Result<Option<Customer>, Trouble> {
    row(state, &table::key(table::CUSTOMERS, cuno.as_str()))
}

/// The customer that an order, or a person, has joined a profile with.
fn joined(state: &State, id: u64) -> Result<Option<Cuno>, Trouble> {
    let link: Option<LinkRow> = row(state, &rows::link(&account(id)))?;
    Ok(link.map(|link| link.cuno))
}

/// Decides whose a profile is.
pub(super) fn tie(
    state: &State,
    shared: &Shared,
    (id, buyer): (u64, &Buyer),
) -> Result<Tie, Trouble> {
    let rules = &shared.rules;
    let mail = table::mail(&buyer.login);
    let mut facts = Facts::default();
    if let Some(cuno) = joined(state, id)? {
        let listed = customer(state, &cuno)?;
        facts.linked = Some((cuno, listed));
    }
    let number = rules.account_prefix.as_ref().and_then(|prefix| number_of(prefix, id).ok());
    if let Some(cuno) = number {
        facts.numbered = customer(state, &cuno)?.map(|customer| (cuno, customer));
    }
    if rules.buyers.match_by_email && !mail.is_empty() {
        for (key, _) in state.scan(table::pairs(table::BY_MAIL, &mail), OWNERS_MAX)? {
            let cuno = table::name_in(&key).and_then(|cuno| Cuno::try_from(cuno).ok());
            let Some(cuno) = cuno else { continue };
            let found = customer(state, &cuno)?;
            facts.same_mail.extend(found.map(|found| (cuno, found)));
        }
        facts.sharing = state.scan(table::pairs(table::BY_LOGIN, &mail), OWNERS_MAX)?.len();
    }
    Ok(Tie::of(buyer.rank, &mail, &facts))
}

/// Whether an order has joined a profile with another customer than was known.
pub(super) fn is_joined_anew(state: &State, id: u64, tie: &Tie) -> Result<bool, Trouble> {
    Ok(joined(state, id)?.is_some_and(|cuno| match tie {
        Tie::Linked(known) | Tie::Gone(known) => *known != cuno,
        Tie::Staff => false,
        Tie::Unknown | Tie::Numbered(_) | Tie::SameMail(_) | Tie::Conflict(_) => true,
        Tie::ManyProfiles | Tie::ManyCustomers => true,
    }))
}

/// Names the profiles that something is listed with.
pub(super) fn profiles(
    state: &State,
    (table, of): (&str, &str),
    most: usize,
) -> Result<Vec<u64>, Trouble> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let found = state.scan(table::pairs(table, of), most)?;
    Ok(found.iter().filter_map(|(key, _)| table::name_in(key)?.parse().ok()).collect())
}

/// Marks every profile that a change of a customer may be about; says how many.
pub(super) fn mark_those_of(
    batch: &mut Batch,
    (state, shared): (&State, &Shared),
    (cuno, mails): (&Cuno, [&str; 2]),
    now_ms: u64,
) -> Result<usize, Trouble> {
    let its = (table::BY_CUSTOMER, cuno.as_str());
    let mut ids: BTreeSet<u64> = profiles(state, its, PROFILES_MAX)?.into_iter().collect();
    ids.extend(shared.rules.account_prefix.as_ref().and_then(|prefix| numbered(prefix, cuno)));
    if shared.rules.buyers.match_by_email {
        for mail in mails {
            ids.extend(profiles(state, (table::BY_LOGIN, mail), OWNERS_MAX)?);
        }
    }
    for id in ids.iter().copied() {
        if state.get(&table::of_profile(table::PROFILES, id))?.is_some() {
            mark(batch, state, id, (Wanted::ByChange, now_ms))?;
        }
    }
    Ok(ids.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_profile_are_found_from_each_other() {
        let prefix = KeyPrefix::try_from("W".to_owned()).unwrap();
        let cuno = number_of(&prefix, 42).unwrap();
        assert_eq!(cuno.as_str(), "W000000042");
        assert_eq!(numbered(&prefix, &cuno), Some(42));
        for other in ["W42", "Y30000", "WHOLESALE", "G000000042"] {
            assert_eq!(numbered(&prefix, &Cuno::try_from(other).unwrap()), None, "{other}");
        }
        assert!(number_of(&prefix, u64::MAX).is_err());
    }
}
