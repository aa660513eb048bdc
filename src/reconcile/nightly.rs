//! Compares both systems once a day, by itself.
//!
//! What this module guarantees:
//! 1. Nothing is repaired and nothing is written to either system.
//! 2. One call is under way at a time, with a rest between two pages of orders, so that orders go first.
//! 3. What came of it is kept; a comparison that could not be made is tried again, and kept as one that
//!    ended early when that goes on.

use super::{
    Nightly, What,
    others::{Side, of_customers, of_goods},
    summary::{self, Summary},
    walk::Walk,
};
use crate::{
    clock,
    connector::{m3::M3, xcart::rest::Shop},
    flow::rules::Rules,
    intake::began,
    log,
    retry::{Jitter, RetryPolicy},
    state::State,
};
use std::{path::PathBuf, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// The rest between two pages of orders.
const PAGE_REST: Duration = Duration::from_millis(500);
/// Tries before it is kept as one that ended early.
const TRIES_MAX: u32 = 8;
/// After how long one that ended early is made again.
const EARLY_AGAIN_MS: u64 = 60 * 60 * 1_000;
/// Seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// What is compared with.
#[derive(Debug)]
pub struct Parts {
    /// One side.
    pub shop: Shop,
    /// The other.
    pub m3: M3,
    /// Where what came of it is kept.
    pub state: State,
    /// Where the gateway is asked.
    pub state_dir: PathBuf,
    /// How orders are taken over; absent: they are not compared.
    pub rules: Option<Rules>,
    /// What is compared of what is on.
    pub what: Vec<What>,
    /// The flows of profiles that are on.
    pub sides: Vec<Side>,
    /// When, and how far back.
    pub settings: Nightly,
    /// From when on the shop is asked for orders at all, in seconds since 1970, where that is set.
    pub poll_since_s: Option<i64>,
    /// What came of the last one.
    pub last: watch::Sender<Option<Summary>>,
}

impl Parts {
    /// Compares each day until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            // Where nothing was ever compared it is done at once.
            let (last_ms, early) = self.last.borrow().as_ref().map_or((0, false), Summary::ended);
            let now_ms = clock::now().unix_ms();
            let mut pause = LOOK_EVERY;
            // A clock that was set back compares again when its day has come.
            let again = early && now_ms.saturating_sub(last_ms) >= EARLY_AGAIN_MS;
            if again || last_ms < self.settings.at.last_before(now_ms) {
                match stop.run_until_cancelled(self.patiently(now_ms)).await {
                    None => return,
                    Some(Ok(())) => {}
                    Some(Err(pause_after)) => pause = pause_after,
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Compares, and again if that cannot be done now; the error is how long to rest.
    async fn patiently(&self, at_ms: u64) -> Result<(), Duration> {
        let mut tried = 0_u32;
        let mut summary = Summary::default();
        while tried < TRIES_MAX {
            summary = self.compare(at_ms).await;
            tried = tried.saturating_add(1);
            let Some(why) = &summary.fault else { break };
            tracing::warn!(tried, why, "could not compare both systems");
            if tried < TRIES_MAX {
                let jitter = Jitter(fastrand::u8(..));
                tokio::time::sleep(RetryPolicy::ORDERS.wait_however_long(tried, jitter)).await;
            }
        }
        let Summary { differing, took_s, .. } = summary;
        tracing::info!(differing, took_s, "both systems were compared");
        match summary::keep(&self.state, &summary).await {
            Ok(()) => {
                self.last.send_replace(Some(summary));
                Ok(())
            }
            Err(fault) => {
                tracing::warn!(why = log::chain(&fault), "could not keep what was compared");
                Err(LOOK_EVERY.saturating_mul(3))
            }
        }
    }

    async fn compare(&self, at_ms: u64) -> Summary {
        let mut summary = Summary { at_ms, ..Summary::default() };
        let begun = clock::now().mono;
        for what in &self.what {
            let compared = match what {
                What::Orders => self.orders(&mut summary).await,
                What::Customers => {
                    of_customers(&self.state_dir, &self.sides, |row| summary.take(&row))
                        .await
                        .map_err(|fault| log::chain(&fault))
                }
                What::Goods => of_goods(&self.state_dir, |row| summary.take(&row))
                    .await
                    .map_err(|fault| log::chain(&fault)),
            };
            if let Err(why) = compared {
                summary.fault = Some(format!("{}: {why}", what.name()));
                break;
            }
        }
        summary.took_s = clock::now().mono.duration_since(begun).as_secs();
        summary
    }

    async fn orders(&self, summary: &mut Summary) -> Result<(), String> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let back_s = u64::from(self.settings.days).saturating_mul(DAY_S);
        let since_s = (summary.at_ms / 1_000).saturating_sub(back_s);
        // What was there before the gateway came is left alone, as the poller does.
        let begun_s = began::poll_since(&self.state_dir, summary.at_ms).unwrap_or_default();
        let begun_s = self.poll_since_s.or(begun_s).unwrap_or(0);
        let walk = Walk {
            shop: &self.shop,
            m3: &self.m3,
            state_dir: &self.state_dir,
            rules,
            since_s: i64::try_from(since_s).unwrap_or(0).max(begun_s),
            rest: PAGE_REST,
        };
        let whole = walk.run(|row| summary.take(&row), |_| {}).await;
        if whole.map_err(|fault| log::chain(&fault))? {
            return Ok(());
        }
        Err("there are more orders than one comparison reads; set fewer days".to_owned())
    }
}
