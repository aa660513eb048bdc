//! The commands for what was set aside for a person.
//!
//! Guarantees: nothing is discarded without a reason that is kept; the running
//! gateway does the work, so no two programs write one state.

use super::{ConfigFile, Fault, say};
use crate::{
    config,
    control::{self, ControlError},
    dates::rfc3339,
    delivery::desk::{Ask, LISTED_MAX, Listed, Reply, Shown},
    flow::{cause::CauseKind, run::ReplayFrom},
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{cmp::Reverse, fmt::Write, path::Path};

/// Keys shown with a group.
const GROUP_KEYS_MAX: usize = 10;

/// Look after what was set aside for a person.
#[derive(Debug, Args)]
pub struct Parked {
    /// Where the gateway's state is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with parked orders.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// What needs a person, grouped by cause: how many, since when, what to do.
    List {
        /// One line for each order instead.
        #[arg(long)]
        flat: bool,
        /// As JSON, one object a line: a cause, or with `--flat` an order.
        #[arg(long)]
        json: bool,
        /// Only this cause, such as `unknown-sku`.
        #[arg(long)]
        cause: Option<String>,
    },
    /// One of them with every step it took.
    Show {
        /// Its key, as `list` prints it.
        key: String,
    },
    /// Try again: from the step that failed, as it was planned.
    Replay {
        /// Their keys, as `list` prints them.
        #[arg(required_unless_present_any = ["all", "cause"], conflicts_with_all = ["all", "cause"])]
        keys: Vec<String>,
        /// All that stand still for this cause, such as `unknown-sku`.
        #[arg(long)]
        cause: Option<String>,
        /// All that stand still.
        #[arg(long, conflicts_with = "cause")]
        all: bool,
        /// Begin with the shop's order and plan it with the rules of today; a temporary
        /// order in M3 is taken back first.
        #[arg(long)]
        from_start: bool,
        /// With `--from-start`: keep the plan that was made with the rules of that time.
        #[arg(long, requires = "from_start")]
        with_old_rules: bool,
    },
    /// Take off the list, for good; nothing is sent.
    Discard {
        /// Their keys, as `list` prints them.
        #[arg(required_unless_present = "cause", conflicts_with = "cause")]
        keys: Vec<String>,
        /// All that stand still for this cause, such as `no-lines`.
        #[arg(long)]
        cause: Option<String>,
        /// Why; kept with the order.
        #[arg(long)]
        reason: String,
    },
}

/// Does one of them.
pub fn run(parked: &Parked) -> Result<(), Fault> {
    let loaded = config::load(&parked.config.path)?;
    let runtime = super::runtime()?;
    let text = runtime.block_on(answer(&loaded.config.state_dir, &parked.action))?;
    say(&text)
}

async fn answer(state_dir: &Path, action: &Action) -> Result<String, ControlError> {
    match action {
        Action::List { flat, json, cause } => {
            let listed = list(state_dir).await?;
            let of_cause = |row: &Listed| cause.as_deref().is_none_or(|name| is_of(row, name));
            let listed: Vec<Listed> = listed.into_iter().filter(of_cause).collect();
            match (flat, json) {
                (true, true) => as_json(&listed),
                (true, false) => Ok(listed_as_text(&listed)),
                (false, true) => as_json(&by_cause(&listed)),
                (false, false) => Ok(grouped_as_text(&by_cause(&listed))),
            }
        }
        Action::Show { key } => {
            let reply = control::ask(state_dir, &Ask::Show { key: key.clone() }).await?;
            let Reply::Shown(shown) = reply else { return Ok(String::new()) };
            Ok(shown_as_text(&shown))
        }
        Action::Replay { keys, cause, all, from_start, with_old_rules } => {
            let from = match (from_start, with_old_rules) {
                (true, true) => ReplayFrom::StartWithOldRules,
                (true, false) => ReplayFrom::Start,
                (false, _) => ReplayFrom::Step,
            };
            let keys = match (all, cause) {
                (false, None) => keys.clone(),
                (_, cause) => standing_still(state_dir, cause.as_deref()).await?,
            };
            let asks = keys.into_iter().map(|key| (key.clone(), Ask::Replay { key, from }));
            each(state_dir, asks.collect(), "replayed").await
        }
        Action::Discard { keys, cause, reason } => {
            let ask = |key: String| (key.clone(), Ask::Discard { key, reason: reason.clone() });
            let keys = match cause {
                None => keys.clone(),
                Some(name) => standing_still(state_dir, Some(name)).await?,
            };
            let asks = keys.into_iter().map(ask);
            each(state_dir, asks.collect(), "discarded").await
        }
    }
}

/// Asks for one after the other; one that cannot be done does not stop the next.
async fn each(
    state_dir: &Path,
    asks: Vec<(String, Ask)>,
    done: &str,
) -> Result<String, ControlError> {
    let (mut count, mut refused) = (0_usize, Vec::new());
    for (key, ask) in asks {
        match control::ask(state_dir, &ask).await {
            Ok(_) => count = count.saturating_add(1),
            Err(ControlError::Refused(why)) if why.contains(&key) => refused.push(why),
            Err(ControlError::Refused(why)) => refused.push(format!("order {key}: {why}")),
            Err(fault) => return Err(fault),
        }
    }
    if refused.is_empty() {
        return Ok(format!("{count} {done}\n"));
    }
    let text = format!("{count} {done}, {} not: {}", refused.len(), refused.join("; "));
    Err(ControlError::Refused(text))
}

fn is_of(row: &Listed, name: &str) -> bool {
    row.cause.kind.name() == name
}

async fn standing_still(
    state_dir: &Path,
    cause: Option<&str>,
) -> Result<Vec<String>, ControlError> {
    if let Some(name) = cause.filter(|name| !CauseKind::ALL.iter().any(|k| k.name() == *name)) {
        let known = CauseKind::ALL.map(CauseKind::name).join(", ");
        let text = format!("there is no cause {name:?}; the causes are {known}");
        return Err(ControlError::Refused(text));
    }
    let meant = |row: &Listed| row.stands_still && cause.is_none_or(|name| is_of(row, name));
    Ok(list(state_dir).await?.into_iter().filter(meant).map(|row| row.key).collect())
}

/// Asks page by page.
async fn list(state_dir: &Path) -> Result<Vec<Listed>, ControlError> {
    let mut all: Vec<Listed> = Vec::new();
    loop {
        let after = all.last().map(|row| row.key.clone());
        let reply = control::ask(state_dir, &Ask::List { after }).await?;
        let Reply::Listed(page) = reply else { return Ok(all) };
        let last = page.len() < LISTED_MAX;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// Those that need a person for one cause.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    cause: &'static str,
    /// How many stand still.
    parked: usize,
    /// How many go on with a difference.
    going_on: usize,
    oldest_ms: u64,
    advice: &'static str,
    /// The oldest few.
    keys: Vec<String>,
}

/// Groups by cause, the largest first.
fn by_cause(listed: &[Listed]) -> Vec<Group> {
    let mut sorted: Vec<&Listed> = listed.iter().collect();
    sorted.sort_by_key(|row| row.since_ms);
    let mut groups: Vec<Group> = Vec::new();
    for row in sorted {
        let Listed { key, cause, since_ms, stands_still } = row;
        let at = groups.iter().position(|group| group.cause == cause.kind.name());
        let at = at.unwrap_or(groups.len());
        if at == groups.len() {
            groups.push(Group {
                cause: cause.kind.name(),
                parked: 0,
                going_on: 0,
                oldest_ms: *since_ms,
                advice: cause.kind.advice(),
                keys: Vec::new(),
            });
        }
        let Some(group) = groups.get_mut(at) else { continue };
        let count = if *stands_still { &mut group.parked } else { &mut group.going_on };
        *count = count.saturating_add(1);
        if group.keys.len() < GROUP_KEYS_MAX {
            group.keys.push(key.clone());
        }
    }
    groups.sort_by_key(|group| Reverse(group.parked.saturating_add(group.going_on)));
    groups
}

fn as_json<T: Serialize>(rows: &[T]) -> Result<String, ControlError> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row).map_err(ControlError::Unreadable)?);
        text.push('\n');
    }
    Ok(text)
}

fn grouped_as_text(groups: &[Group]) -> String {
    if groups.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut text = String::new();
    for Group { cause, parked, going_on, oldest_ms, advice, keys } in groups {
        let on = if *going_on == 0 { String::new() } else { format!(", {going_on} go on") };
        let more = parked.saturating_add(*going_on).saturating_sub(keys.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{cause}: {parked} parked{on}, oldest {}", rfc3339(*oldest_ms));
        let _ = writeln!(text, "  to do  {advice}");
        let _ = writeln!(text, "  orders {}{more}", keys.join(" "));
    }
    text
}

fn listed_as_text(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut text = String::new();
    for Listed { key, cause, since_ms, stands_still } in listed {
        let still = if *stands_still { "" } else { " (goes on)" };
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{key:20} {} {}{still}: {}",
            rfc3339(*since_ms),
            cause.kind.name(),
            cause.text
        );
    }
    text
}

fn shown_as_text(shown: &Shown) -> String {
    let Shown { key, stage, cause, attention, waits, orno, cuno, total, .. } = shown;
    let Shown { planned_with, rules, effects, trail, .. } = shown;
    let mut text = format!("order      {key}\nstage      {stage}\n");
    let rows = [("M3 order", orno), ("customer", cuno), ("total", total), ("waits for", waits)];
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:10} {value}");
        }
    }
    if let Some(planned) = planned_with {
        let differ = if planned == rules { "the same" } else { "others" };
        let _ = writeln!(text, "rules      planned with {planned}; today's are {rules}, {differ}");
    }
    for cause in cause.iter().chain(attention) {
        let _ = writeln!(text, "cause      {cause}\nadvice     {}", cause.kind.advice());
        for detail in &cause.details {
            let _ = writeln!(text, "           - {detail}");
        }
    }
    for effect in effects {
        let _ = writeln!(text, "effect     {effect}");
    }
    for mark in trail {
        let _ = writeln!(text, "  {} {}", rfc3339(mark.at_ms), mark.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::cause::Cause;

    fn row(key: &str, kind: CauseKind, since_ms: u64) -> Listed {
        let stands_still = kind != CauseKind::Unequal;
        Listed { key: key.to_owned(), cause: Cause::new(kind, "why"), since_ms, stands_still }
    }

    #[test]
    fn what_is_parked_is_grouped_by_cause_with_the_largest_group_first() {
        let mut rows: Vec<Listed> =
            (0..12).map(|n| row(&format!("X{n}"), CauseKind::UnknownSku, 5_000 - n)).collect();
        rows.push(row("Y1", CauseKind::Unequal, 1_000));
        let groups = by_cause(&rows);
        let seen: Vec<_> =
            groups.iter().map(|g| (g.cause, g.parked, g.going_on, g.oldest_ms)).collect();
        assert_eq!(seen, [("unknown-sku", 12, 0, 4_989), ("unequal", 0, 1, 1_000)]);
        let text = grouped_as_text(&groups);
        let want =
            ["unknown-sku: 12 parked, oldest 1970", "orders X11 X10", "and 2 more", "1 go on"];
        for part in want {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.contains(CauseKind::UnknownSku.advice()), "{text}");
        assert_eq!(as_json(&groups).unwrap().lines().count(), 2);
        assert_eq!(grouped_as_text(&[]), "nothing is parked\n");
    }
}
