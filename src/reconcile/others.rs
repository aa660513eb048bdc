//! Buyers and goods, as the running gateway compares them all the time, line by line.
//!
//! Guarantees: nothing is written and nothing is asked of the other systems; the gateway's lists come
//! part by part.

use super::row::{Flow, Row, of_buyer, of_good, of_profile};
use crate::{
    buyers,
    config::Config,
    control::{ControlError, ask_buyers, ask_goods, ask_profiles},
    goods, profiles,
};
use std::path::Path;

fn other(what: &str) -> ControlError {
    ControlError::Refused(format!("the gateway answered something else than its {what}"))
}

/// A flow of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The shop's profiles follow M3's customers.
    Buyers,
    /// M3's customers are made of the shop's profiles.
    Profiles,
}

/// Names the flows of profiles that are on.
pub fn sides(config: &Config) -> Vec<Side> {
    let on = [(Side::Buyers, config.buyers.is_some()), (Side::Profiles, config.profiles.is_some())];
    on.into_iter().filter_map(|(side, on)| on.then_some(side)).collect()
}

/// Tells the profiles, as each flow knows them; `found` is given each.
pub async fn of_customers(
    state_dir: &Path,
    sides: &[Side],
    mut found: impl FnMut(Row),
) -> Result<(), ControlError> {
    for side in sides {
        match side {
            Side::Buyers => of_buyers(state_dir, &mut found).await?,
            Side::Profiles => of_profiles(state_dir, &mut found).await?,
        }
    }
    Ok(())
}

async fn of_profiles(state_dir: &Path, mut found: impl FnMut(Row)) -> Result<(), ControlError> {
    use profiles::report::{Ask, Only, Reply};
    let reply = ask_profiles(state_dir, &Ask::Standing).await?;
    let Reply::Standing(told) = reply else { return Err(other("standing")) };
    if told.walked_s.is_none() {
        let told = "the shop's profiles were never read to the end; see causeway profiles";
        return Err(ControlError::Refused(told.to_owned()));
    }
    let flow = if told.writes { Flow::Writes } else { Flow::Watches };
    let mut after = None;
    loop {
        let reply = ask_profiles(state_dir, &Ask::List { only: Only::All, after }).await?;
        let Reply::Listed { profiles, after: next } = reply else { return Err(other("list")) };
        profiles.into_iter().filter_map(|line| of_profile(line, flow)).for_each(&mut found);
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

async fn of_buyers(state_dir: &Path, mut found: impl FnMut(Row)) -> Result<(), ControlError> {
    use buyers::report::{Ask, Only, Reply};
    let reply = ask_buyers(state_dir, &Ask::Standing).await?;
    let Reply::Standing(told) = reply else { return Err(other("standing")) };
    if told.walked_s.is_none() {
        let told = "the shop's profiles were never read to the end; see causeway buyers";
        return Err(ControlError::Refused(told.to_owned()));
    }
    // Whoever is held back needs a person.
    let flow = if told.writes && told.held.0 == 0 { Flow::Writes } else { Flow::Watches };
    let mut after = None;
    loop {
        let reply = ask_buyers(state_dir, &Ask::List { only: Only::All, after }).await?;
        let Reply::Listed { buyers, after: next } = reply else { return Err(other("list")) };
        buyers.into_iter().filter_map(|line| of_buyer(line, flow)).for_each(&mut found);
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

/// Tells the goods; `found` is given each.
pub async fn of_goods(state_dir: &Path, mut found: impl FnMut(Row)) -> Result<(), ControlError> {
    use goods::report::{Ask, Only, Reply};
    let reply = ask_goods(state_dir, &Ask::Standing).await?;
    let Reply::Standing(told) = reply else { return Err(other("standing")) };
    if told.walked_s.is_none() {
        let told = "the shop's goods were never read to the end; see causeway goods";
        return Err(ControlError::Refused(told.to_owned()));
    }
    let writes = told.flows.iter().all(|flow| flow.writes);
    let flow = if writes { Flow::Writes } else { Flow::Watches };
    let mut after = None;
    loop {
        let reply = ask_goods(state_dir, &Ask::List { only: Only::All, after }).await?;
        let Reply::Listed { goods, after: next } = reply else { return Err(other("list")) };
        goods.into_iter().map(|line| of_good(line, flow)).for_each(&mut found);
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}
