//! The life of an alert: from the first suspicion to the word that it is over. Pure.
//!
//! What this module guarantees:
//! 1. An alert is told once when it begins and once when it ends, whatever the restarts; in
//!    between only when it gets twice as bad, and as a reminder.
//! 2. It begins only after it was so for a time, and ends only after it was well for a time.
//! 3. Who was not told of its beginning is not told of its end.
//! 4. A clock that goes back makes nothing earlier and nothing lost.
//!
//! The whole of it is one value that is stored at each change.

use super::rules::{Judgement, Told, Verdict};
use crate::clock::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The least time between two words that the same thing got worse.
const WORSE_PAUSE_MS: u64 = 600_000;

/// How patient the house is.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long something must be wrong before it is told.
    pub for_ms: u64,
    /// How long it must be well before that is told.
    pub clear_ms: u64,
    /// After how long it is said again.
    pub remind_ms: u64,
}

/// Every alert that is suspected or raised, and what is muted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    alerts: BTreeMap<String, Alert>,
    mutes: BTreeMap<String, UnixMs>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Alert {
    since_ms: UnixMs,
    told: Told,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Wrong, but not for long enough.
    Suspected,
    /// Wrong.
    Raised {
        /// How bad it was when it was last told.
        weight: u64,
        /// When it was last told; never, while it is muted.
        told_ms: Option<UnixMs>,
        /// Since when it is well.
        well_ms: Option<UnixMs>,
    },
}

/// What somebody is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is known by.
    pub key: String,
    /// What became of it.
    pub event: Event,
    /// When.
    pub at_ms: UnixMs,
    /// Since when it is so.
    pub since_ms: UnixMs,
    /// How long it lasted, when it is over.
    pub lasted_s: Option<u64>,
    /// The texts.
    pub told: Told,
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It began.
    Raised,
    /// It is twice as bad as when it was last told.
    Worse,
    /// It still is so.
    Still,
    /// It is over.
    Over,
}

impl Event {
    /// Returns its fixed name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Worse => "worse",
            Self::Still => "still",
            Self::Over => "over",
        }
    }
}

/// A raised alert, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What it is known by.
    pub key: String,
    /// Since when.
    pub since_ms: UnixMs,
    /// Until when nobody is told of it.
    pub muted_until_ms: Option<UnixMs>,
    /// The texts.
    pub told: Told,
}

/// The moment of a step, with what is the same for all alerts.
struct Moment<'a> {
    now_ms: UnixMs,
    policy: &'a Policy,
}

/// Whether people want to hear of an alert.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ear {
    Open,
    Muted,
}

impl Alerts {
    /// Takes in what is wrong at a moment, and returns what is to be told.
    pub fn step(&mut self, judged: &[Judgement], now_ms: UnixMs, policy: &Policy) -> Vec<Notice> {
        self.mutes.retain(|_, until_ms| *until_ms > now_ms);
        let judged: BTreeMap<&str, &Judgement> =
            judged.iter().map(|judged| (judged.key.as_str(), judged)).collect();
        for judged in judged.values().filter(|judged| judged.verdict == Verdict::Raise) {
            self.alerts.entry(judged.key.clone()).or_insert_with(|| Alert {
                since_ms: now_ms,
                told: judged.told.clone(),
                phase: Phase::Suspected,
            });
        }
        let moment = Moment { now_ms, policy };
        let mut notices = Vec::new();
        for (key, mut alert) in std::mem::take(&mut self.alerts) {
            alert.not_after(now_ms);
            let ear = if self.muted_until_ms(&key).is_some() { Ear::Muted } else { Ear::Open };
            let (alert, event) = alert.step(judged.get(key.as_str()).copied(), &moment, ear);
            if let Some((event, alert)) = event {
                notices.push(alert.notice(&key, event, now_ms));
            }
            if let Some(alert) = alert {
                self.alerts.insert(key, alert);
            }
        }
        notices
    }

    /// Returns what is raised, as reminders for who has not heard of it yet.
    pub fn reminders(&self, now_ms: UnixMs) -> Vec<Notice> {
        let raised = self.alerts.iter().filter(|(_, alert)| alert.was_told());
        raised.map(|(key, alert)| alert.notice(key, Event::Still, now_ms)).collect()
    }

    /// Returns what is raised.
    pub fn raised(&self) -> Vec<Shown> {
        let raised = self.alerts.iter().filter(|(_, alert)| alert.is_raised());
        raised
            .map(|(key, alert)| Shown {
                key: key.clone(),
                since_ms: alert.since_ms,
                muted_until_ms: self.muted_until_ms(key),
                told: alert.told.clone(),
            })
            .collect()
    }

    /// Whether an alert is raised.
    pub fn is_raised(&self, key: &str) -> bool {
        self.alerts.get(key).is_some_and(Alert::is_raised)
    }

    /// An alert is muted by its own key, or by the name of its rule.
    fn muted_until_ms(&self, key: &str) -> Option<UnixMs> {
        let rule = key.split('/').next().unwrap_or(key);
        let until_ms = [key, rule].into_iter().filter_map(|name| self.mutes.get(name));
        until_ms.copied().max()
    }

    /// Tells nobody of an alert, or of all of a rule, until a time; its end is told to who heard
    /// of its beginning.
    pub fn mute(&mut self, key: &str, until_ms: UnixMs) {
        self.mutes.insert(key.to_owned(), until_ms);
    }

    /// Takes a mute back; says whether there was one.
    pub fn unmute(&mut self, key: &str) -> bool {
        self.mutes.remove(key).is_some()
    }

    /// Returns what is muted, and until when.
    pub fn mutes(&self) -> &BTreeMap<String, UnixMs> {
        &self.mutes
    }
}

/// What is left of an alert, and what is to be told of it as it was.
type Stepped = (Option<Alert>, Option<(Event, Alert)>);

impl Alert {
    fn is_raised(&self) -> bool {
        matches!(self.phase, Phase::Raised { .. })
    }

    fn was_told(&self) -> bool {
        matches!(self.phase, Phase::Raised { told_ms: Some(_), .. })
    }

    /// A time that has not come yet was written by another clock, and nobody waits for it. Since
    /// when a raised alert is so is only shown: it stays, because the clock may be wrong now.
    fn not_after(&mut self, now_ms: UnixMs) {
        match &mut self.phase {
            Phase::Suspected => self.since_ms = self.since_ms.min(now_ms),
            Phase::Raised { told_ms, well_ms, .. } => {
                *told_ms = told_ms.map(|at_ms| at_ms.min(now_ms));
                *well_ms = well_ms.map(|at_ms| at_ms.min(now_ms));
            }
        }
    }

    fn step(self, judged: Option<&Judgement>, moment: &Moment<'_>, ear: Ear) -> Stepped {
        match (self.phase.clone(), judged) {
            (Phase::Suspected, None) => (None, None),
            (Phase::Suspected, Some(judged)) => self.suspected(judged, moment, ear),
            (Phase::Raised { weight, told_ms, well_ms }, None) => {
                let well_ms = well_ms.unwrap_or(moment.now_ms);
                if moment.now_ms.saturating_sub(well_ms) < moment.policy.clear_ms {
                    let phase = Phase::Raised { weight, told_ms, well_ms: Some(well_ms) };
                    return (Some(Self { phase, ..self }), None);
                }
                let phase = Phase::Raised { weight, told_ms, well_ms: Some(well_ms) };
                (None, told_ms.map(|_| (Event::Over, Self { phase, ..self })))
            }
            (Phase::Raised { weight, told_ms, .. }, Some(judged)) => {
                self.still_raised((weight, told_ms), judged, moment, ear)
            }
        }
    }

    fn suspected(self, judged: &Judgement, moment: &Moment<'_>, ear: Ear) -> Stepped {
        let for_ms = judged.for_s.map_or(moment.policy.for_ms, |for_s| for_s.saturating_mul(1_000));
        let so_long = moment.now_ms.saturating_sub(self.since_ms) >= for_ms;
        if judged.verdict == Verdict::Keep || !so_long {
            return (Some(self), None);
        }
        let told_ms = (ear == Ear::Open).then_some(moment.now_ms);
        let phase = Phase::Raised { weight: judged.weight, told_ms, well_ms: None };
        let since_ms = judged.since_ms.unwrap_or(self.since_ms).min(moment.now_ms);
        let raised = Self { since_ms, told: judged.told.clone(), phase };
        let event = told_ms.map(|_| (Event::Raised, raised.clone()));
        (Some(raised), event)
    }

    fn still_raised(
        self,
        (weight, told_ms): (u64, Option<UnixMs>),
        judged: &Judgement,
        moment: &Moment<'_>,
        ear: Ear,
    ) -> Stepped {
        let silent_ms = told_ms.map(|told_ms| moment.now_ms.saturating_sub(told_ms));
        let worse = judged.verdict == Verdict::Raise && judged.weight >= weight.saturating_mul(2);
        let event = match (ear, silent_ms) {
            (Ear::Muted, _) => None,
            (Ear::Open, None) => Some(Event::Raised),
            (Ear::Open, Some(ms)) if worse && ms >= WORSE_PAUSE_MS => Some(Event::Worse),
            (Ear::Open, Some(ms)) if ms >= moment.policy.remind_ms => Some(Event::Still),
            (Ear::Open, Some(_)) => None,
        };
        let Some(event) = event else {
            let phase = Phase::Raised { weight, told_ms, well_ms: None };
            return (Some(Self { phase, ..self }), None);
        };
        let (told_ms, weight) = (Some(moment.now_ms), judged.weight.max(1));
        let phase = Phase::Raised { weight, told_ms, well_ms: None };
        let told = Self { told: judged.told.clone(), phase, ..self };
        (Some(told.clone()), Some((event, told)))
    }

    fn notice(&self, key: &str, event: Event, now_ms: UnixMs) -> Notice {
        let well_ms = match self.phase {
            Phase::Suspected => None,
            Phase::Raised { well_ms, .. } => well_ms,
        };
        let lasted = well_ms.map(|well_ms| well_ms.saturating_sub(self.since_ms) / 1_000);
        Notice {
            key: key.to_owned(),
            event,
            at_ms: now_ms,
            since_ms: self.since_ms,
            lasted_s: lasted.filter(|_| event == Event::Over),
            told: self.told.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
