//! Calls to M3's MI programs over HTTP (reference/m3.md 1 and 2).
//!
//! Guarantees: company and division are sent with every call; a call is sent once, and a
//! second time only after a 401, which proves that it was not run; a read never has an
//! unknown fate; a write that may have been run is never reported as not done.

pub mod customer;
pub mod follow;
pub mod ionapi;
pub mod mi;
mod mi_v1;
mod mi_v2;
pub mod order;
pub mod token;
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
    http::{self, Answer, Http, HttpError},
    loose::transport,
};
use crate::{clock, failpoint, metrics::Calls, secret::Secret};
use reqwest::{Method, Request, header};
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

/// A request in a form that can be sent again after a 401.
struct Outgoing {
    method: Method,
    url: String,
    body: Option<Vec<u8>>,
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

impl Inner {
    async fn call_v1(&self, call: &MiCall) -> Result<Vec<MiRecord>, Failure> {
        let url = mi_v1::url(&self.place, call);
        if url.len() > mi_v2::URL_BYTES_MAX {
            let text =
                "the call is too long for version 1, which has no other way than the address";
            return Err(Failure::new(Fate::Refused, Class::Data, text));
        }
        let answer = self.send(&Outgoing { method: Method::GET, url, body: None }).await?;
        mi_v1::read(&answer)
    }

    /// Reads travel in the address where they fit, writes never: addresses end up in logs.
    async fn call_v2(&self, call: &MiCall, kind: Kind) -> Result<Vec<MiRecord>, Failure> {
        let calls = std::slice::from_ref(call);
        let url = mi_v2::url(&self.place, call);
        let entries = if kind == Kind::Read && url.len() <= mi_v2::URL_BYTES_MAX {
            let answer = self.send(&Outgoing { method: Method::GET, url, body: None }).await?;
            mi_v2::read(&answer, calls)?
        } else {
            self.post_v2(calls).await?
        };
        let nothing = || Err(Failure::new(Fate::Unknown, Class::Broken, "a result is missing"));
        entries.into_iter().next().unwrap_or_else(nothing)
    }

    async fn post_v2(&self, calls: &[MiCall]) -> Result<mi_v2::Entries, Failure> {
        let body = mi_v2::bulk_body(&self.place, calls)
            .map_err(|e| Failure::new(Fate::Refused, Class::Data, &e.to_string()))?;
        let url = mi_v2::bulk_url(&self.place);
        let answer = self.send(&Outgoing { method: Method::POST, url, body: Some(body) }).await?;
        mi_v2::read(&answer, calls)
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Answer, Failure> {
        let pass = self.gate.enter().await?;
        let answer = match &self.access {
            Access::Ion(tokens) => self.send_with_token(outgoing, tokens).await,
            Access::Basic { user, password } => {
                let word = data_encoding::BASE64
                    .encode(format!("{user}:{}", password.reveal()).as_bytes());
                self.send_as(outgoing, &Secret::new(&format!("Basic {word}"))).await
            }
        };
        let failure = match &answer {
            Ok(answer) if matches!(answer.status, 200..=299 | 400) => None,
            Ok(answer) => Some(transport(answer)),
            Err(failure) => Some(failure.clone()),
        };
        pass.done(failure.as_ref());
        answer
    }

    async fn send_with_token(&self, call: &Outgoing, tokens: &Tokens) -> Result<Answer, Failure> {
        let bearer = tokens.bearer().await?;
        let answer = self.send_as(call, &authorization(&bearer.secret)).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let bearer = tokens.renewed(&bearer).await?;
        self.send_as(call, &authorization(&bearer.secret)).await
    }

    async fn send_as(&self, outgoing: &Outgoing, word: &Secret) -> Result<Answer, Failure> {
        let request = self.request(outgoing, word).map_err(|error| {
            let text = format!("the request cannot be built: {}", error.without_url());
            Failure::new(Fate::NotDone, Class::Config, &text)
        })?;
        failpoint::pass("m3.call.before");
        let answer = self.http.send(request).await.map_err(Failure::from);
        failpoint::pass("m3.call.answered");
        answer
    }

    fn request(&self, outgoing: &Outgoing, word: &Secret) -> reqwest::Result<Request> {
        let Outgoing { method, url, body } = outgoing;
        let request = self.http.client().request(method.clone(), url);
        let request = request
            .header(header::AUTHORIZATION, word.reveal())
            .header(header::ACCEPT, "application/json");
        match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(body.clone()).build()
            }
            None => request.build(),
        }
    }
}

fn authorization(token: &Secret) -> Secret {
    Secret::new(&format!("Bearer {}", token.reveal()))
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
