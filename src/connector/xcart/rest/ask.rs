//! What the shop says of itself, and single looks at it (reference/xcart.md 1, 2.2 and 9.1).
//!
//! Guarantees: only reads, but for [`Shop::put_json`].

use super::{Shop, legacy::Tongue, unreadable, unsendable};
use crate::{
    connector::{
        Class, Failure,
        xcart::{
            docs::{Dialect, Probe},
            guard,
        },
    },
    log,
};
use reqwest::Method;
use serde_json::value::RawValue;
use std::time::Duration;

/// First pause between two tries to find out what the shop speaks; it doubles.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest of them.
const PAUSE_MAX: Duration = Duration::from_mins(5);

impl Shop {
    /// Asks the shop what its API can do. A shop without this API, but with the add-on of
    /// 5.0 to 5.4, is told apart from one that is not there; then our key is tried, too.
    pub async fn probe(&self) -> Result<Probe, Failure> {
        if self.0.legacy.is_settled() {
            return self.legacy_probe().await;
        }
        let probe = match self.get("/docs.json").await {
            Ok(answer) => Probe::read(&answer.body).map_err(|why| unreadable(&answer, &why)),
            Err(failure) if may_be_legacy(&failure) && self.has_add_on().await.unwrap_or(false) => {
                self.0.legacy.settle(Tongue::Legacy);
                self.legacy_probe().await
            }
            Err(failure) => Err(failure),
        }?;
        // It stays until the next start, as an upgrade of a shop has one.
        let _ = self.0.dialect.set(probe.dialect);
        Ok(probe)
    }

    /// Returns what the shop speaks; it is asked if it was not yet.
    pub(in crate::connector::xcart) async fn dialect(&self) -> Result<Dialect, Failure> {
        match self.0.dialect.get() {
            Some(dialect) => Ok(*dialect),
            None => Ok(self.probe().await?.dialect),
        }
    }

    /// Reads something, by its path below `/api`, as the shop wrote it; from a shop of 5.0 to 5.4
    /// by what it calls `_path`, without passwords.
    pub async fn look(&self, path: &str) -> Result<Box<RawValue>, Failure> {
        let target = guard::readable(path).map_err(unsendable)?;
        if self.is_legacy().await? {
            return self.legacy_look(target).await;
        }
        let answer = self.get(target).await?;
        serde_json::from_slice(&answer.body).map_err(|why| unreadable(&answer, &why.to_string()))
    }

    /// Changes something by PUT, which X-Cart merges into what is there (reference/xcart.md 2.2).
    pub async fn put_json(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Box<RawValue>, Failure> {
        let target = guard::readable(path).map_err(unsendable)?;
        let answer = self.send(Method::PUT, target, Some(body)).await?;
        let answer = super::success(answer)?;
        serde_json::from_slice(&answer.body).map_err(|why| unreadable(&answer, &why.to_string()))
    }

    /// Finds out what the shop speaks and logs it, however long that takes.
    pub async fn greet(&self) {
        let mut pause = PAUSE_FIRST;
        loop {
            match self.probe().await {
                Ok(probe) => return log_probe(&probe),
                Err(failure) => {
                    tracing::debug!(
                        why = log::chain(&failure),
                        "what the shop speaks is not known yet"
                    );
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }
}

/// Whether what answered may be a shop without this API: an unknown path, or a page for people.
pub(super) fn may_be_legacy(failure: &Failure) -> bool {
    let page = failure.class == Class::Broken && failure.code == "HTTP 200";
    page || failure.code == "HTTP 404"
}

fn log_probe(probe: &Probe) {
    let abilities: Vec<&str> = probe.abilities.iter().map(|ability| ability.name()).collect();
    let (dialect, title) = (probe.dialect.name(), &probe.title);
    match probe.dialect {
        Dialect::Legacy => {
            tracing::info!(dialect, lacks = probe.dialect.lacks(), "what the shop speaks");
        }
        Dialect::XCart550 | Dialect::XCart551 | Dialect::XCart56 => {
            tracing::info!(
                dialect,
                title,
                abilities = abilities.join(", "),
                "what the shop speaks"
            );
        }
    }
}
