//! Buyers and goods, as the running gateway compares them all the time, line by line.
//!
//! Guarantees: nothing is written and nothing is asked of the other systems; the gateway's lists come
//! part by part.

use super::row::{Flow, Row, of_buyer, of_good};
use crate::{
    buyers,
    control::{ControlError, ask_buyers, ask_goods},
    goods,
};
use std::path::Path;

fn other(what: &str) -> ControlError {
    ControlError::Refused(format!("the gateway answered something else than its {what}"))
}

/// Tells the buyers; `found` is given each.
pub async fn of_buyers(state_dir: &Path, mut found: impl FnMut(Row)) -> Result<(), ControlError> {
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
