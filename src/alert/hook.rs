//! A webhook that is told.
//!
//! What this module guarantees:
//! 1. Its address is a secret: it comes from a credential and stands in no log and no fault.
//! 2. HTTPS, or this machine; no redirect is followed; limits and proxies as for every connector.
//! 3. With a signature, body and time are proven by HMAC-SHA256.
//!
//! A message is sent once the answer has a status of 200 to 299.

use super::{
    channel::{ChannelError, Layer, SendFault},
    form::Form,
    mail::letters_per_h_max,
    outbox::Letter,
};
use crate::{
    clock::Now,
    config::{CredentialName, Credentials},
    connector::http::{self, Http},
    secret::Secret,
};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use reqwest::{Request, header};
use serde::Deserialize;
use sha2::Sha256;
use std::fmt;
use url::Url;

/// Characters of an answer that are repeated to the operator.
const ANSWER_CHARS_MAX: usize = 120;

/// A webhook to tell people by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What it is called.
    pub name: String,
    /// The credential with its address.
    pub url_credential: CredentialName,
    /// What it understands.
    #[serde(default)]
    pub form: Form,
    /// The credential with the secret that messages are signed with.
    pub signature_credential: Option<CredentialName>,
    /// How to reach it.
    #[serde(default)]
    pub http: http::Settings,
    /// Messages in an hour.
    #[serde(default = "letters_per_h_max")]
    pub letters_per_h_max: u32,
}

impl Settings {
    /// Says what cannot work, by key, and why.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.signature_credential.is_some() && self.form != Form::Generic {
            let reason = "is for the generic form only: the others look at no signature";
            problems.push(("signature_credential", reason.to_owned()));
        }
        if !(1..=1_000).contains(&self.letters_per_h_max) {
            let reason = "must be between 1 and 1000".to_owned();
            problems.push(("letters_per_h_max", reason));
        }
        problems
    }

    /// Returns the address out of its credential.
    pub fn address(&self, credentials: &Credentials) -> Result<Url, ChannelError> {
        let secret = credentials.get(self.url_credential.as_str())?;
        address(&secret).ok_or_else(|| {
            let name = &self.url_credential;
            let told = format!(
                "the credential `{name}` holds no address that begins with https:// (http:// for this machine only)"
            );
            ChannelError::Setting(told)
        })
    }
}

/// Reads an address; a fault of the parser would repeat it, so there is none.
fn address(secret: &Secret) -> Option<Url> {
    let text = secret.reveal().trim();
    http::address(text).ok()?;
    // The check cuts a slash at the end, which may be part of the key.
    Url::parse(text).ok()
}

/// A webhook that is ready.
#[derive(Clone)]
pub(super) struct Hook {
    url: Url,
    form: Form,
    signature: Option<Secret>,
    http: Http,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("form", &self.form).finish_non_exhaustive()
    }
}

impl Hook {
    /// Prepares a webhook.
    pub(super) fn new(
        settings: &Settings,
        credentials: &Credentials,
    ) -> Result<Self, ChannelError> {
        let url = settings.address(credentials)?;
        let signature = settings.signature_credential.as_ref();
        let signature = signature.map(|name| credentials.get(name.as_str())).transpose()?;
        let http = Http::new(&settings.http, &[&url]);
        let http = http.map_err(|error| ChannelError::Setting(crate::log::chain(&error)))?;
        Ok(Self { url, form: settings.form, signature, http })
    }

    /// Sends a letter.
    pub(super) async fn send(
        &self,
        letter: &Letter,
        box_name: &str,
        now: Now,
    ) -> Result<(), SendFault> {
        let request = self.request(letter, box_name, now)?;
        let answer = self.http.send(request).await.map_err(|lost| {
            let layer = match lost.sent {
                http::Sent::No if lost.text.contains("certificate") => Layer::Tls,
                http::Sent::No => Layer::Connect,
                http::Sent::Perhaps => Layer::Message,
            };
            SendFault::new(layer, lost.text)
        })?;
        let layer = match answer.status {
            200..=299 => return Ok(()),
            401 | 403 => Layer::Login,
            _ => Layer::Message,
        };
        let words = String::from_utf8_lossy(&answer.body);
        let words: String = words.trim().chars().take(ANSWER_CHARS_MAX).collect();
        // Who repeats our address is not repeated.
        let words = if words.contains(self.url.path()) && self.url.path() != "/" {
            String::new()
        } else {
            words
        };
        let text = format!("HTTP {} {words}", answer.status);
        let retry_after_s = answer.retry_after_s;
        Err(SendFault { retry_after_s, ..SendFault::new(layer, text.trim()) })
    }

    fn request(&self, letter: &Letter, box_name: &str, now: Now) -> Result<Request, SendFault> {
        let body = self.form.write(letter, box_name);
        let mut builder = self
            .http
            .client()
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("X-Causeway-Delivery", &letter.id);
        if let Some(secret) = &self.signature {
            let time_s = (now.unix_ms() / 1_000).to_string();
            let signature = format!("sha256={}", signature(secret, &time_s, &body)?);
            builder = builder
                .header("X-Causeway-Timestamp", time_s)
                .header("X-Causeway-Signature", signature);
        }
        let request = builder.body(body).build();
        request.map_err(|_| SendFault::new(Layer::Message, "the request cannot be built"))
    }
}

/// Returns the HMAC-SHA256 of time, a full stop and body, in hex.
fn signature(secret: &Secret, time_s: &str, body: &str) -> Result<String, SendFault> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
    let mut mac = mac.map_err(|_| SendFault::new(Layer::Message, "the secret cannot sign"))?;
    mac.update(time_s.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    Ok(HEXLOWER.encode(&mac.finalize().into_bytes()))
}
