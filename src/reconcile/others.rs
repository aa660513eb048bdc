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
    let flow = match ask_buyers(state_dir, &Ask::Standing).await? {
        Reply::Standing(told) if told.walked_s.is_none() => {
            let told = "the shop's profiles were never read to the end; see causeway buyers";
            return Err(ControlError::Refused(told.to_owned()));
        }
        // Whoever is held back needs a person.
        Reply::Standing(told) if told.writes && told.held.0 == 0 => Flow::Writes,
        Reply::Standing(_) => Flow::Watches,
        Reply::Listed { .. } | Reply::Shown(_) | Reply::Begun => return Err(other("standing")),
    };
    let mut after = None;
    loop {
        match ask_buyers(state_dir, &Ask::List { only: Only::All, after }).await? {
            Reply::Listed { buyers, after: next } => {
                buyers.into_iter().filter_map(|line| of_buyer(line, flow)).for_each(&mut found);
                if next.is_none() {
                    return Ok(());
                }
                after = next;
            }
            Reply::Standing(_) | Reply::Shown(_) | Reply::Begun => return Err(other("list")),
        }
    }
}

/// Tells the goods; `found` is given each.
pub async fn of_goods(state_dir: &Path, mut found: impl FnMut(Row)) -> Result<(), ControlError> {
    use goods::report::{Ask, Only, Reply};
    let flow = match ask_goods(state_dir, &Ask::Standing).await? {
        Reply::Standing(told) if told.walked_s.is_none() => {
            let told = "the shop's goods were never read to the end; see causeway goods";
            return Err(ControlError::Refused(told.to_owned()));
        }
        Reply::Standing(told) if told.flows.iter().all(|flow| flow.writes) => Flow::Writes,
        Reply::Standing(_) => Flow::Watches,
        Reply::Listed { .. } | Reply::Shown(_) | Reply::Begun => return Err(other("standing")),
        Reply::Planned(_) | Reply::Load(_) => return Err(other("standing")),
    };
    let mut after = None;
    loop {
        match ask_goods(state_dir, &Ask::List { only: Only::All, after }).await? {
            Reply::Listed { goods, after: next } => {
                goods.into_iter().map(|line| of_good(line, flow)).for_each(&mut found);
                if next.is_none() {
                    return Ok(());
                }
                after = next;
            }
            Reply::Standing(_) | Reply::Shown(_) | Reply::Begun => return Err(other("list")),
            Reply::Planned(_) | Reply::Load(_) => return Err(other("list")),
        }
    }
}
