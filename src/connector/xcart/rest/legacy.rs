//! Calls of the add-on API of X-Cart 5.0 to 5.4 (reference/xcart.md 9), and which of the two APIs a
//! shop has.
//!
//! Guarantees: which API it is, is asked once, and a call waits for the answer rather than go to the
//! wrong one; the key stands in the address, because the add-on takes it nowhere else, and nowhere in
//! a log, a failure or an answer; a call is sent once; it cannot be a DELETE.

use super::{Shop, ask::may_be_legacy, unreadable, unsendable};
use crate::connector::{
    Class, Failure, Fate, Kind,
    http::Answer,
    loose::encode,
    xcart::{
        Legacy, Spoken,
        docs::Probe,
        legacy::{
            call::{self, Call},
            problem,
            statuses::Known,
        },
    },
};
use reqwest::{Method, header};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Which of the two APIs a shop has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    /// That of 5.5 and newer.
    Modern,
    /// That of 5.0 to 5.4.
    Legacy,
}

/// What the older API needs beside the client.
#[derive(Debug)]
pub(super) struct Side {
    tongue: OnceLock<Tongue>,
    asking: tokio::sync::Mutex<()>,
    settings: Legacy,
    known: Mutex<Known>,
}

impl Side {
    pub(super) fn new(spoken: Spoken, settings: Legacy) -> Self {
        let tongue = match spoken {
            Spoken::Auto => OnceLock::new(),
            Spoken::Modern => OnceLock::from(Tongue::Modern),
            Spoken::Legacy => OnceLock::from(Tongue::Legacy),
        };
        let known = Mutex::new(Known::of(&settings));
        Self { tongue, asking: tokio::sync::Mutex::default(), settings, known }
    }

    /// Whether it is known that the shop has the older API.
    pub(super) fn is_settled(&self) -> bool {
        self.tongue.get() == Some(&Tongue::Legacy)
    }

    /// Settles it; what was settled before stays.
    pub(super) fn settle(&self, tongue: Tongue) {
        // It was settled meanwhile, and by the same shop.
        let _ = self.tongue.set(tongue);
    }
}

/// What is said of everything that only the newer API can do.
pub(super) fn not_offered() -> Failure {
    let text = "the shop has the API of X-Cart 5.0 to 5.4, which cannot do this: docs/xcart-legacy.md says what it can";
    Failure::new(Fate::NotDone, Class::Config, text)
}

impl Shop {
    /// Whether the shop has the API of 5.0 to 5.4. Asks it, if the configuration leaves that open and
    /// nobody has asked before; the failure is that of a call that was not made.
    pub(in crate::connector::xcart) async fn is_legacy(&self) -> Result<bool, Failure> {
        let side = &self.0.legacy;
        if let Some(tongue) = side.tongue.get() {
            return Ok(*tongue == Tongue::Legacy);
        }
        let _turn = side.asking.lock().await;
        if let Some(tongue) = side.tongue.get() {
            return Ok(*tongue == Tongue::Legacy);
        }
        let found = match Box::pin(self.get("/docs.json")).await {
            Ok(_) => Tongue::Modern,
            Err(failure) if may_be_legacy(&failure) && self.has_add_on().await? => Tongue::Legacy,
            // A page for people proves nothing: the shop may be closed for an hour.
            Err(failure) if may_be_legacy(&failure) => return Ok(false),
            // Whoever asks for a token is the API of 5.5; one that fails may be, so it is tried.
            Err(failure) => match failure.class {
                Class::Unauthorized | Class::Forbidden => Tongue::Modern,
                Class::Broken => return Ok(false),
                Class::Unreachable | Class::TimedOut | Class::RateLimited => return Err(failure),
                Class::Unavailable | Class::Held => return Err(failure),
                Class::NotFound | Class::Exists | Class::Locked | Class::Data => Tongue::Modern,
                Class::Config | Class::State | Class::Unclassified => Tongue::Modern,
            },
        };
        side.settle(found);
        Ok(found == Tongue::Legacy)
    }

    /// Whether the add-on answers: a call without its key is refused with an empty page.
    pub(super) async fn has_add_on(&self) -> Result<bool, Failure> {
        let request = self.0.http.client().get(format!("{}{}", self.0.root, call::STRANGER));
        let request = request.header(header::ACCEPT, "application/json").build();
        let request = request.map_err(|e| unsendable(&e.without_url().to_string()))?;
        let pass = self.0.gate.enter().await?;
        let answer = self.0.http.send(request).await;
        // What the add-on says to a stranger proves nothing about the API.
        drop(pass);
        let answer = answer.map_err(|lost| Failure::from(lost).of_kind(Kind::Read))?;
        Ok(answer.status == 403 && answer.body.trim_ascii().is_empty())
    }

    /// Says what the older API can do, if it takes our key.
    pub(super) async fn legacy_probe(&self) -> Result<Probe, Failure> {
        let one = Call::list("order").page(0, 1);
        self.legacy_read(&one).await.map(|_| Probe::legacy())
    }

    /// Reads something by its path, as the shop wrote it but for passwords.
    pub(super) async fn legacy_look(&self, target: &str) -> Result<Box<RawValue>, Failure> {
        let call = call::look(target).map_err(unsendable)?;
        let answer = self.legacy_read(&call).await?;
        let bad = |why: serde_json::Error| unreadable(&answer, &why.to_string());
        let mut found: serde_json::Value = serde_json::from_slice(&answer.body).map_err(bad)?;
        call::without_passwords(&mut found);
        RawValue::from_string(found.to_string()).map_err(bad)
    }

    /// Reads something. An answer of JSON `null` is a record that is not there.
    pub(in crate::connector::xcart) async fn legacy_read(
        &self,
        call: &Call,
    ) -> Result<Answer, Failure> {
        let answer = self.legacy_send(call).await.map_err(|failure| failure.of_kind(Kind::Read))?;
        match problem::of(&answer, call) {
            Some(failure) => Err(failure.of_kind(Kind::Read)),
            None if answer.body.trim_ascii() == b"null" => Err(problem::no_record()),
            None => Ok(answer),
        }
    }

    /// Writes something; what the shop says of it is read as little as it can be.
    pub(in crate::connector::xcart) async fn legacy_write(
        &self,
        call: &Call,
    ) -> Result<(), Failure> {
        let answer = self.legacy_send(call).await?;
        match problem::of(&answer, call) {
            Some(failure) => Err(failure),
            None if serde_json::from_slice::<IgnoredAny>(&answer.body).is_err() => {
                let text = "the shop's answer to a write cannot be read";
                Err(Failure::new(Fate::Unknown, Class::Broken, text))
            }
            None => Ok(()),
        }
    }

    async fn legacy_send(&self, call: &Call) -> Result<Answer, Failure> {
        let target = call.target().map_err(unsendable)?;
        let (http, root, key) = (&self.0.http, &self.0.root, encode(self.0.token.reveal()));
        let url = format!("{root}{}?{target}&_key={key}", call::PATH);
        let form = call.form();
        // The verb stands in the address: a server in front of the shop may refuse PUT.
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let request = http.client().request(method.clone(), url);
        let request = request.header(header::ACCEPT, "application/json");
        let request = match form {
            Some(form) => request.header(header::CONTENT_TYPE, call::FORM).body(form),
            None => request,
        };
        let request = request.build().map_err(|e| unsendable(&e.without_url().to_string()))?;
        self.exchange(request, |answer| problem::of(answer, call), (&method, &target)).await
    }

    /// What was set about the older API.
    pub(in crate::connector::xcart) fn legacy_settings(&self) -> &Legacy {
        &self.0.legacy.settings
    }

    /// Which ids the shop's statuses have, as far as that is known.
    pub(in crate::connector::xcart) fn legacy_known(&self) -> MutexGuard<'_, Known> {
        self.0.legacy.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
