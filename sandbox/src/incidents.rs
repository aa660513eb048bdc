//! What happens to the two systems in a storm beside the weather on their calls.
//!
//! Drawn from the seed, at counts of orders done: M3 restarts and forgets its
//! temporary orders, M3 is away, the shop is deployed anew, all tokens are revoked.

use crate::setting::Setting;
use std::time::Duration;
use tokio::time::Instant;

/// How long a system is away.
const AWAY: Duration = Duration::from_secs(2);

/// One incident.
#[derive(Clone, Copy, Debug)]
enum Incident {
    Restart,
    Outage,
    Redeploy,
    Revoke,
}

/// The incidents to come, and the one that lasts.
pub(crate) struct Incidents {
    /// By orders done, the next one last.
    to_come: Vec<(usize, Incident)>,
    lasting: Option<(Incident, Instant)>,
}

impl Incidents {
    /// Draws them: each kind twice in a storm, none else.
    pub(crate) fn drawn(weather: &str, seed: u64, orders: usize) -> Self {
        use Incident::{Outage, Redeploy, Restart, Revoke};
        let mut dice = fastrand::Rng::with_seed(seed ^ 0x57_02_11);
        let mut to_come = Vec::new();
        if weather == "storm" {
            for incident in [Restart, Outage, Redeploy, Revoke].repeat(2) {
                to_come.push((dice.usize(0..orders.max(1)), incident));
            }
        }
        to_come.sort_unstable_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self { to_come, lasting: None }
    }

    /// Lets happen what is due.
    pub(crate) fn happen(&mut self, setting: &Setting, done: usize, now: Instant) {
        if let Some((incident, until)) = self.lasting {
            if now < until {
                return;
            }
            self.lasting = None;
            switch(setting, incident, Switch::Back);
        }
        let Some((at, incident)) = self.to_come.last().copied() else { return };
        if at <= done {
            self.to_come.pop();
            switch(setting, incident, Switch::Away);
            self.lasting = Some((incident, now + AWAY));
        }
    }

    /// Whether the systems are as they should be.
    pub(crate) fn are_over(&self) -> bool {
        self.lasting.is_none()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Switch {
    Away,
    Back,
}

fn switch(setting: &Setting, incident: Incident, to: Switch) {
    let away = to == Switch::Away;
    match incident {
        Incident::Restart if away => setting.m3.restart(false),
        Incident::Revoke if away => setting.m3.revoke_tokens(),
        Incident::Restart | Incident::Revoke => {}
        Incident::Outage => setting.m3.outage(away),
        Incident::Redeploy => setting.shop.redeploy(away),
    }
}
