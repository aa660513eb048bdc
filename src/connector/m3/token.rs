//! The bearer token of one `.ionapi` credential (reference/m3.md 2.2).
//!
//! Guarantees: one token at a time, asked for by one caller while the others wait; renewed
//! at 80 % of its life; a token that still lives is used while the token server is away;
//! a server that said no is not asked again for a while. A call that got no token was not sent.

use super::ionapi::{IonApi, IonApiError, ServiceAccount};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        http::{Answer, Http},
        loose::{Text, excerpt, transport},
    },
    secret::Secret,
};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Life of a token whose server does not say.
const LIFE_UNSAID: Duration = Duration::from_mins(5);

/// The longest life that is believed.
const LIFE_MAX: Duration = Duration::from_hours(24);

/// What an absent `rest_ms_after_failure` means.
const REST_MS_AFTER_FAILURE: u64 = 5_000;

/// What an absent `rest_ms_after_refusal` means.
const REST_MS_AFTER_REFUSAL: u64 = 60_000;

/// How the service proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Service account; every Infor OS takes it.
    #[default]
    Password,
    /// Client id and secret only; Infor OS of 2025 and newer.
    ClientCredentials,
}

/// Where client id and secret travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In an `Authorization: Basic` header.
    #[default]
    Basic,
    /// As members of the form.
    Form,
}

/// What to do with a refresh token, if the server gives one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresh {
    /// Leave it; log in again instead, which is simpler and as good.
    #[default]
    Ignore,
    /// Use it, and log in again when it is refused.
    Use,
}

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How the service proves who it is.
    pub grant: Grant,
    /// Where client id and secret travel.
    pub client_auth: ClientAuth,
    /// What to do with a refresh token.
    pub refresh: Refresh,
    /// How long a failed log-in is not repeated, so that a queue of calls is no burst of them.
    pub rest_ms_after_failure: u64,
    /// The same after the credentials were refused: repeating them may lock the account.
    pub rest_ms_after_refusal: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            grant: Grant::default(),
            client_auth: ClientAuth::default(),
            refresh: Refresh::default(),
            rest_ms_after_failure: REST_MS_AFTER_FAILURE,
            rest_ms_after_refusal: REST_MS_AFTER_REFUSAL,
        }
    }
}

/// A token as given out. `number` tells it from the one before.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub secret: Secret,
    pub number: u64,
}

/// The keeper of the token.
#[derive(Debug)]
pub(crate) struct Tokens {
    http: Http,
    app: IonApi,
    settings: Settings,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    live: Option<Live>,
    given: u64,
    failed: Option<(Instant, Failure)>,
}

#[derive(Clone, Debug)]
struct Live {
    bearer: Bearer,
    refresh: Option<Secret>,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Text,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
    #[serde(default)]
    error_description: Text,
}

type Form<'a> = Vec<(&'static str, &'a str)>;

impl Tokens {
    /// Checks that the grant has what it needs.
    pub(crate) fn new(http: Http, app: IonApi, settings: Settings) -> Result<Self, IonApiError> {
        match (settings.grant, &app.service_account) {
            (Grant::Password, None) => Err(IonApiError::NoServiceAccount),
            (Grant::Password, Some(_)) | (Grant::ClientCredentials, _) => {
                Ok(Self { http, app, settings, kept: Mutex::default() })
            }
        }
    }

    /// Returns a token that should be good.
    pub(crate) async fn bearer(&self) -> Result<Bearer, Failure> {
        self.bearer_other_than(None).await
    }

    /// Returns a token other than the one that was refused.
    pub(crate) async fn renewed(&self, refused: &Bearer) -> Result<Bearer, Failure> {
        self.bearer_other_than(Some(refused.number)).await
    }

    async fn bearer_other_than(&self, refused: Option<u64>) -> Result<Bearer, Failure> {
        // Held while asking: this is what makes the others wait for the one answer.
        let mut kept = self.kept.lock().await;
        let now = clock::now().mono;
        if kept.live.as_ref().is_some_and(|live| Some(live.bearer.number) == refused) {
            kept.live = None;
        }
        if let Some(live) = &kept.live
            && now < live.renew_at
        {
            return Ok(live.bearer.clone());
        }
        let fresh = match &kept.failed {
            Some((until, failure)) if now < *until => Err(failure.clone()),
            Some(_) | None => self.obtain(kept.live.as_ref()).await,
        };
        kept.settle(fresh, &self.settings, clock::now().mono)
    }

    async fn obtain(&self, before: Option<&Live>) -> Result<Granted, Failure> {
        let refresh = before.and_then(|live| live.refresh.as_ref());
        if let (Refresh::Use, Some(refresh)) = (self.settings.refresh, refresh) {
            let form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.reveal())];
            if let Ok(granted) = self.ask(form).await {
                return Ok(granted);
            }
        }
        self.ask(self.log_in_form()).await
    }

    fn log_in_form(&self) -> Form<'_> {
        let scopes = self.app.scopes.first().filter(|_| self.app.scopes.len() == 1);
        let mut form = match (self.settings.grant, &self.app.service_account) {
            (Grant::Password, Some(ServiceAccount { user, password })) => vec![
                ("grant_type", "password"),
                ("username", user.reveal()),
                ("password", password.reveal()),
            ],
            (Grant::Password, None) | (Grant::ClientCredentials, _) => {
                vec![("grant_type", "client_credentials")]
            }
        };
        form.extend(scopes.map(|scope| ("scope", scope.as_str())));
        form
    }

    async fn ask(&self, mut form: Form<'_>) -> Result<Granted, Failure> {
        let (id, secret) = (self.app.client_id.as_str(), self.app.client_secret.reveal());
        let request = self.http.client().post(&self.app.token_url);
        let request = match self.settings.client_auth {
            ClientAuth::Basic => request.basic_auth(id, Some(secret)),
            ClientAuth::Form => {
                form.extend([("client_id", id), ("client_secret", secret)]);
                request
            }
        };
        let request = request.header("accept", "application/json").form(&form).build();
        let request = request.map_err(|_| not_sent(Class::Config, "the token address is wrong"))?;
        match self.http.send(request).await {
            Ok(answer) => granted(&answer),
            Err(lost) => Err(Failure { fate: Fate::NotDone, ..lost.into() }),
        }
    }
}

impl Kept {
    fn settle(
        &mut self,
        fresh: Result<Granted, Failure>,
        settings: &Settings,
        now: Instant,
    ) -> Result<Bearer, Failure> {
        match (fresh, &self.live) {
            (Ok(granted), _) => {
                self.given = self.given.saturating_add(1);
                self.failed = None;
                let live = Live::new(&granted, self.given, now);
                let bearer = live.bearer.clone();
                self.live = Some(live);
                tracing::debug!(number = bearer.number, "token renewed");
                Ok(bearer)
            }
            (Err(failure), Some(live)) if now < live.ends_at => {
                tracing::debug!(%failure, "token not renewed; the old one still lives");
                let bearer = live.bearer.clone();
                self.remember(failure, settings, now);
                Ok(bearer)
            }
            (Err(failure), _) => {
                self.remember(failure.clone(), settings, now);
                Err(failure)
            }
        }
    }

    fn remember(&mut self, failure: Failure, settings: &Settings, now: Instant) {
        if self.failed.as_ref().is_none_or(|(until, _)| *until <= now) {
            self.failed = Some((now + rest_after(&failure, settings), failure));
        }
    }
}

impl Live {
    fn new(granted: &Granted, number: u64, now: Instant) -> Self {
        let said = granted.expires_in.0.trim().parse().map(Duration::from_secs);
        let life = said.unwrap_or(LIFE_UNSAID).min(LIFE_MAX);
        Self {
            bearer: Bearer { secret: Secret::new(&granted.access_token), number },
            refresh: granted.refresh_token.as_deref().map(Secret::new),
            renew_at: now + life.saturating_mul(4) / 5,
            ends_at: now + life,
        }
    }
}

fn rest_after(failure: &Failure, settings: &Settings) -> Duration {
    let after_failure = Duration::from_millis(settings.rest_ms_after_failure);
    let after_refusal = Duration::from_millis(settings.rest_ms_after_refusal);
    let asked = failure.retry_after_s.map(Duration::from_secs);
    let rest = match failure.class {
        Class::Unauthorized | Class::Config | Class::Forbidden => after_refusal,
        Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => {
            after_failure
        }
        Class::Held | Class::Broken | Class::NotFound => after_failure,
        Class::Exists | Class::Locked => after_failure,
        Class::Data | Class::State | Class::Unclassified => after_failure,
    };
    asked.unwrap_or(rest).max(rest)
}

fn granted(answer: &Answer) -> Result<Granted, Failure> {
    if let (200..=299, Ok(granted)) = (answer.status, serde_json::from_slice(&answer.body)) {
        return Ok(granted);
    }
    let code = format!("HTTP {}", answer.status);
    if let (400..=499, Ok(Denied { error, error_description })) =
        (answer.status, serde_json::from_slice(&answer.body))
    {
        let class = match error.as_str() {
            "unsupported_grant_type" | "invalid_scope" | "invalid_request" => Class::Config,
            _ if answer.status == 429 => Class::RateLimited,
            _ => Class::Unauthorized,
        };
        let text = format!("no token: {error} {}", error_description.0);
        return Err(not_sent(class, &text)
            .with_code(code)
            .with_retry_after_s(answer.retry_after_s));
    }
    // A 2xx that is no token must not be shown: it may hold one.
    let text = match answer.status {
        200..=299 => "the token server's answer cannot be read".into(),
        _ => excerpt(&answer.body),
    };
    let Failure { class, .. } = transport(answer);
    let class = if class == Class::Unclassified { Class::Unauthorized } else { class };
    let text = format!("no token: {text}");
    Err(not_sent(class, &text).with_code(code).with_retry_after_s(answer.retry_after_s))
}

fn not_sent(class: Class, text: &str) -> Failure {
    Failure::new(Fate::NotDone, class, text)
}
