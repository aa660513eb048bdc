//! Calls to M3's MI programs over HTTP (reference/m3.md 1 and 2).
//!
//! Guarantees: company and division are sent with every call; a call is sent once, and a
//! second time only after a 401, which proves that it was not run; a read never has an
//! unknown fate; a write that may have been run is never reported as not done.

pub mod catalogue;
pub mod compare;
pub mod customer;
pub mod follow;
pub mod ionapi;
pub mod items;
pub mod mi;
mod mi_v1;
mod mi_v2;
pub mod order;
pub mod payments;
pub mod prices;
mod send;
pub mod stock;
pub mod token;
pub mod watch;
mod wire;

use self::{
    ionapi::{IonApi, IonApiError},
    mi::{BadCall, MiCall, MiRecord},
    token::Tokens,
    wire::Place,
};
use super::{
    Class, Failure, Fate, Kind,
    gate::{self, Gate},
    http::{self, Http, HttpError},
};
use crate::{clock, metrics::Calls, secret::Secret};
use serde::Deserialize;
use std::sync::Arc;
use thiserror::Error;
use url::Url;

/// How to reach M3. It names credentials and holds none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who calls, and where.
    pub login: Login,
    /// Company (CONO), sent with every call.
    pub company: u16,
    /// Division (DIVI), sent with every call; blank is a legal value.
    pub division: String,
    /// Version of the MI API.
    #[serde(default)]
    pub api: Api,
    /// Transactions in one bulk call; more take longer than the gateway's 60 s.
    #[serde(default = "calls_per_bulk_max")]
    pub calls_per_bulk_max: usize,
    /// Time, size and trust.
    #[serde(default)]
    pub http: http::Settings,
    /// How hard M3 may be pressed.
    #[serde(default)]
    pub gate: gate::Settings,
}

const fn calls_per_bulk_max() -> usize {
    50
}

/// Who calls, and where (reference/m3.md 1.1).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Login {
    /// Through the ION API gateway.
    Ion {
        /// The credential that holds the text of the `.ionapi` file.
        credential: String,
        /// The suite's context in the gateway.
        #[serde(default = "suite")]
        suite: String,
        /// How to log in.
        #[serde(default)]
        token: token::Settings,
    },
    /// Directly to M3 at the site.
    Basic {
        /// Up to and with `m3api-rest`.
        base_url: String,
        /// The M3 user.
        user: String,
        /// The credential that holds the user's password.
        credential: String,
    },
}

fn suite() -> String {
    "M3".to_owned()
}

/// Version of the MI API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// One transaction a call, always by GET.
    V1,
    /// Bulk calls by POST.
    #[default]
    V2,
}

/// Why M3 cannot be called at all. The text continues "could not prepare M3: ".
#[derive(Debug, Error)]
pub enum M3Error {
    /// The `.ionapi` file cannot be used.
    #[error("the .ionapi file cannot be used")]
    IonApi(#[from] IonApiError),
    /// The connection cannot be prepared.
    #[error("the connection cannot be prepared")]
    Http(#[from] HttpError),
    /// Company 0 is M3's word for "the user's own".
    #[error("company {0} is not between 1 and 999")]
    Company(u16),
}

impl Login {
    /// Returns the name of the one credential it needs.
    pub fn credential(&self) -> &str {
        match self {
            Self::Ion { credential, .. } => credential,
            Self::Basic { credential, .. } => credential,
        }
    }
}

/// M3, ready to be called. Cheap to clone.
#[derive(Clone, Debug)]
pub struct M3(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    gate: Gate,
    access: Access,
    place: Place,
    api: Api,
    calls_per_bulk_max: usize,
}

#[derive(Debug)]
enum Access {
    Ion(Box<Tokens>),
    Basic { user: String, password: Secret },
}

impl M3 {
    /// Prepares to call; nothing is sent. `credential` is what [`Login::credential`] names.
    pub fn new(settings: Settings, credential: &Secret) -> Result<Self, M3Error> {
        Self::with(settings, credential, Http::new)
    }

    /// Prepares to call through a client that is there already.
    pub fn through(settings: Settings, credential: &Secret, http: &Http) -> Result<Self, M3Error> {
        Self::with(settings, credential, |_, _| Ok(http.clone()))
    }

    fn with(
        settings: Settings,
        credential: &Secret,
        client: impl FnOnce(&http::Settings, &[&Url]) -> Result<Http, HttpError>,
    ) -> Result<Self, M3Error> {
        let Settings { login, company, division, api, calls_per_bulk_max, http, gate } = settings;
        if !(1..=999).contains(&company) {
            return Err(M3Error::Company(company));
        }
        let (base, access, http) = match login {
            Login::Ion { credential: _, suite, token } => {
                let app = IonApi::parse(credential.reveal())?;
                let base = format!("{}/{}/m3api-rest", app.api_root, suite.trim_matches('/'));
                let base = http::address(&base)?;
                let http = client(&http, &[&base, &http::address(&app.token_url)?])?;
                (base, Access::Ion(Box::new(Tokens::new(http.clone(), app, token)?)), http)
            }
            Login::Basic { base_url, user, credential: _ } => {
                let base = http::address(&base_url)?;
                let http = client(&http, &[&base])?;
                (base, Access::Basic { user, password: credential.clone() }, http)
            }
        };
        let base = base.as_str().trim_end_matches('/').to_owned();
        let place = Place { base, company, division };
        let calls_per_bulk_max = calls_per_bulk_max.max(1);
        let gate = Gate::new(&gate);
        Ok(Self(Arc::new(Inner { http, gate, access, place, api, calls_per_bulk_max })))
    }

    /// Runs one transaction.
    pub async fn call(&self, call: &MiCall, kind: Kind) -> Result<Vec<MiRecord>, Failure> {
        call.check().map_err(|bad| unsendable(&bad))?;
        let begun = clock::now().mono;
        let answer = match self.0.api {
            Api::V1 => self.0.call_v1(call).await,
            Api::V2 => self.0.call_v2(call, kind).await,
        };
        let ms = clock::millis(clock::now().mono.duration_since(begun));
        let MiCall { program, transaction, .. } = call;
        let answer = answer.map_err(|failure| failure.of_kind(kind));
        match &answer {
            Ok(records) => {
                tracing::debug!(program, transaction, ms, records = records.len(), "MI call");
            }
            Err(Failure { fate, class, code, .. }) => {
                tracing::debug!(program, transaction, ms, ?fate, ?class, code, "MI call failed");
            }
        }
        answer
    }

    /// Runs transactions of one program in their order; a refused one does not stop the next.
    ///
    /// One answer for each call. After a request without a whole answer nothing more is
    /// sent; the outer error is given when already the first request had none.
    pub async fn bulk(
        &self,
        calls: &[MiCall],
        kind: Kind,
    ) -> Result<Vec<Result<Vec<MiRecord>, Failure>>, Failure> {
        check_all(calls).map_err(|bad| unsendable(&bad))?;
        let chunk_max = match self.0.api {
            Api::V1 => 1,
            Api::V2 => self.0.calls_per_bulk_max,
        };
        let mut entries = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(chunk_max) {
            match self.chunk(chunk, kind).await {
                Err(failure) if entries.is_empty() => return Err(failure),
                Err(failure) => entries.extend(chunk.iter().map(|_| Err(failure.clone()))),
                Ok(more) => entries.extend(more),
            }
            if let Some(Err(failure)) = entries.iter().find(|entry| is_open(entry)) {
                let rest = Failure::new(Fate::NotDone, failure.class, "not sent after a failure");
                let left = calls.len().saturating_sub(entries.len());
                entries.extend((0..left).map(|_| Err(rest.clone())));
                break;
            }
        }
        Ok(entries)
    }

    /// Logs in, if that needs a call, and tells whether it worked.
    pub async fn log_in(&self) -> Result<(), Failure> {
        match &self.0.access {
            Access::Ion(tokens) => tokens.bearer().await.map(|_| ()),
            Access::Basic { .. } => Ok(()),
        }
    }

    /// Returns company and division, as every call has them.
    pub fn place(&self) -> (u16, &str) {
        (self.0.place.company, &self.0.place.division)
    }

    /// Counts every call from here on.
    pub fn count_calls(&self, calls: &Calls) {
        self.0.gate.count_in(calls.clone(), "m3");
    }

    /// Returns what the newest answers showed beside what they said.
    pub fn seen(&self) -> http::Seen {
        self.0.http.seen()
    }

    /// Ends the gate: whoever waits for leave to call is refused at once.
    pub fn end(&self) {
        self.0.gate.end();
    }

    /// Returns how long nothing is sent, if it is away or has asked for a pause.
    pub fn closed_for(&self) -> Option<std::time::Duration> {
        self.0.gate.closed_for()
    }

    /// Returns what the gate looks like, for metrics and the doctor.
    pub fn gate_state(&self) -> gate::State {
        self.0.gate.state()
    }

    async fn chunk(&self, calls: &[MiCall], kind: Kind) -> Result<mi_v2::Entries, Failure> {
        match (self.0.api, calls) {
            (Api::V1, [only]) => match self.call(only, kind).await {
                Err(failure) if failure.fate != Fate::Refused => Err(failure),
                settled => Ok(vec![settled]),
            },
            (Api::V1 | Api::V2, _) => {
                let entries = self.0.post_v2(calls).await.map_err(|f| f.of_kind(kind))?;
                let settled = entries.into_iter().map(|entry| entry.map_err(|f| f.of_kind(kind)));
                Ok(settled.collect())
            }
        }
    }
}

/// Whether an entry leaves open what became of it, so that nothing may follow it.
fn is_open(entry: &Result<Vec<MiRecord>, Failure>) -> bool {
    entry.as_ref().is_err_and(|failure| failure.fate != Fate::Refused)
}

fn check_all(calls: &[MiCall]) -> Result<(), BadCall> {
    for call in calls {
        call.check()?;
        if let Some(first) = calls.first().filter(|first| first.program != call.program) {
            return Err(BadCall::TwoPrograms(first.program.clone(), call.program.clone()));
        }
    }
    Ok(())
}

fn unsendable(bad: &BadCall) -> Failure {
    Failure::new(Fate::NotDone, Class::Config, &bad.to_string())
}

#[cfg(test)]
mod tests;
