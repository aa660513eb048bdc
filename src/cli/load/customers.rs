//! The load of customers, as the commands show it.

use super::{Asked, bar, time_told};
use crate::{
    cli::{
        Fault, profiles, say,
        table::{Form, quoted},
    },
    config::Loaded,
    control::{self, ControlError},
    dates,
    goods::{load::Stage, report::load::Told},
    profiles::report::{Ask, Line, Only, Reply},
};
use std::{collections::BTreeMap, fmt::Write};

/// Reasons that are printed.
const REASONS_MAX: usize = 10;

/// What a plan comes to.
#[derive(Default)]
struct Sums {
    counts: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
}

/// Prints what would become of the profiles.
pub(super) async fn plan(loaded: &Loaded, asked: Asked) -> Result<(), Fault> {
    let state_dir = &loaded.config.state_dir;
    let reply = control::ask_profiles(state_dir, &Ask::Plan).await?;
    let Reply::Begun = reply else { return Err(ControlError::not_asked_for().into()) };
    let mut sums = Sums::default();
    let each = |line: &Line| {
        sums.add(line);
        if asked.lists || asked.form != Form::Text {
            say(&printed(line, asked.form).map_err(ControlError::Unreadable)?)?;
        }
        Ok(())
    };
    profiles::each(state_dir, Only::All, each).await?;
    let text = sums.told(asked.rate);
    if asked.form == Form::Text {
        return say(&text);
    }
    crate::cli::aside(&text);
    Ok(())
}

/// A line of the plan, in the columns of that of the goods.
fn printed(line: &Line, form: Form) -> serde_json::Result<String> {
    if form != Form::Csv {
        return profiles::printed(line, form);
    }
    let cuno = line.cuno.as_deref().unwrap_or_default();
    let what = format!("customer-{}", line.stands);
    let profile = line.profile.to_string();
    let cells = [what.as_str(), &profile, cuno, &line.note, &line.advice].map(quoted);
    Ok(format!("{},{}\r\n", cells.join(","), u64::from(differs(line))))
}

fn differs(line: &Line) -> bool {
    matches!(line.stands.as_str(), "make" | "match" | "change")
}

impl Sums {
    fn add(&mut self, line: &Line) {
        let count = self.counts.entry(line.stands.clone()).or_default();
        *count = count.saturating_add(1);
        if matches!(line.stands.as_str(), "left-out" | "parked") {
            let count = self.reasons.entry(line.note.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn told(&self, rate: u32) -> String {
        let count = |stands: &str| self.counts.get(stands).copied().unwrap_or(0);
        let open: u64 = ["make", "match", "change"].into_iter().map(count).sum();
        let minutes = open.div_ceil(u64::from(rate.max(1)));
        let rows = [
            ("customers to be made", count("make").to_string()),
            ("customers of M3 to be joined", count("match").to_string()),
            ("customers to be changed", count("change").to_string()),
            ("profiles that are equal", count("equal").to_string()),
            ("profiles not looked at yet", count("waiting").to_string()),
            ("profiles that need a person", count("parked").to_string()),
            ("profiles left out", count("left-out").to_string()),
            ("at so many profiles a minute", rate.to_string()),
            ("time", time_told(minutes.saturating_mul(60))),
        ];
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<36}{value}");
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (why, count) in reasons.iter().take(REASONS_MAX) {
            let _ = writeln!(text, "  {count:>8}  {why}");
        }
        if reasons.len() > REASONS_MAX {
            text.push_str("            and others; --list shows each\n");
        }
        text
    }
}

/// Starts it.
pub(super) async fn start(loaded: &Loaded, per_min: u32) -> Result<(), Fault> {
    begun(loaded, &Ask::Start(per_min)).await
}

/// Halts it, goes on or ends it.
pub(super) async fn turn(loaded: &Loaded, stage: Stage) -> Result<(), Fault> {
    begun(loaded, &Ask::Turn(stage)).await
}

async fn begun(loaded: &Loaded, ask: &Ask) -> Result<(), Fault> {
    match control::ask_profiles(&loaded.config.state_dir, ask).await? {
        Reply::Begun => Ok(()),
        Reply::Standing(_) | Reply::Listed { .. } | Reply::Load(_) => {
            Err(ControlError::not_asked_for().into())
        }
    }
}

/// Asks how far it is.
pub(super) async fn status(loaded: &Loaded) -> Result<Told, Fault> {
    match control::ask_profiles(&loaded.config.state_dir, &Ask::Load).await? {
        Reply::Load(told) => Ok(*told),
        Reply::Standing(_) | Reply::Listed { .. } | Reply::Begun => {
            Err(ControlError::not_asked_for().into())
        }
    }
}

/// Says how far it is.
pub(super) fn standing(told: &Told) -> String {
    let Some(load) = &told.load else {
        let told =
            "there was no load of customers yet; `causeway load plan` says what one would do\n";
        return told.to_owned();
    };
    let stage = match load.stage {
        Stage::Running => "running",
        Stage::Paused => "paused; `causeway load resume` goes on",
        Stage::Stopped => "stopped by a person; `causeway load start` starts another",
        Stage::Done => "done; now set mode = \"write\" in [profiles] and restart",
    };
    let done = load.total.saturating_sub(told.waiting);
    let rows = [
        ("load of customers", stage.to_owned()),
        ("started", dates::rfc3339(load.began_ms)),
        ("profiles", format!("{} {done} of {}", bar(done, load.total), load.total)),
        ("waiting", told.waiting.to_string()),
        ("need a person", told.left.len().to_string()),
        ("rate", format!("at most {} a minute, {} so far", load.per_min, time_told(told.seconds))),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<22}{value}");
    }
    for (profile, why) in &told.left {
        let _ = writeln!(text, "  {profile:<15} {why}");
    }
    text
}
