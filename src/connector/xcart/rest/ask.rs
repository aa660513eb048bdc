//! What the shop says of itself, and single looks at it (reference/xcart.md 1, 2.2 and 9.1).
//!
//! Guarantees: only reads, but for [`Shop::put_json`]; the token is sent to the API alone.

use super::{Shop, unreadable, unsendable};
use crate::{
    connector::{
        Class, Failure,
        http::Answer,
        xcart::{
            docs::{Dialect, Probe},
            guard,
        },
    },
    log,
};
use reqwest::{Method, header};
use serde_json::value::RawValue;
use std::time::Duration;

/// Where the add-on of 5.0 to 5.4 answers.
const LEGACY: &str = "/admin.php?target=RESTAPI";
/// First pause between two tries to find out what the shop speaks; it doubles.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest of them.
const PAUSE_MAX: Duration = Duration::from_mins(5);

impl Shop {
    /// Asks the shop what its API can do. A shop without this API, but with the add-on of
    /// 5.0 to 5.4, is told apart from one that is not there.
    pub async fn probe(&self) -> Result<Probe, Failure> {
        let probe = match self.get("/docs.json").await {
            Ok(answer) => Probe::read(&answer.body).map_err(|why| unreadable(&answer, &why)),
            Err(failure) if may_be_legacy(&failure) && self.is_legacy().await => {
                Ok(Probe::legacy())
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

    /// Reads something, by its path below `/api`, as the shop wrote it.
    pub async fn look(&self, path: &str) -> Result<Box<RawValue>, Failure> {
        let target = guard::readable(path).map_err(unsendable)?;
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

    /// Whether the add-on answers: a call without its key is refused with an empty page.
    async fn is_legacy(&self) -> bool {
        let Some(root) = self.0.base.strip_suffix("/api") else { return false };
        let request = self.0.http.client().get(format!("{root}{LEGACY}"));
        let request = request.header(header::ACCEPT, "application/json").build();
        let (Ok(request), Ok(pass)) = (request, self.0.gate.enter().await) else { return false };
        let answer = self.0.http.send(request).await;
        // What the add-on says to a stranger proves nothing about the API.
        drop(pass);
        matches!(answer, Ok(Answer { status: 403, body, .. }) if body.trim_ascii().is_empty())
    }
}

/// Whether what answered may be a shop without this API: an unknown path, or a page for people.
fn may_be_legacy(failure: &Failure) -> bool {
    let page = failure.class == Class::Broken && failure.code == "HTTP 200";
    page || failure.code == "HTTP 404"
}

fn log_probe(probe: &Probe) {
    let abilities: Vec<&str> = probe.abilities.iter().map(|ability| ability.name()).collect();
    let (dialect, title) = (probe.dialect.name(), &probe.title);
    match probe.dialect {
        Dialect::Legacy => {
            tracing::error!(
                dialect,
                "the shop has the API of 5.0 to 5.4, which is not spoken here"
            );
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
