//! Sends calls to M3: through the gate, with a token or a password.
//!
//! Guarantees: a request leaves once, and a second time only after a 401, which proves that it was not
//! run; values of writes never stand in an address.

use super::{
    Access, Inner,
    mi::{MiCall, MiRecord},
    mi_v1, mi_v2,
    token::Tokens,
};
use crate::{
    connector::{Class, Failure, Fate, Kind, http::Answer, loose::transport},
    failpoint,
    secret::Secret,
};
use reqwest::{Method, Request, header};

/// A request in a form that can be sent again after a 401.
struct Outgoing {
    method: Method,
    url: String,
    body: Option<Vec<u8>>,
}

impl Inner {
    pub(super) async fn call_v1(&self, call: &MiCall) -> Result<Vec<MiRecord>, Failure> {
        let url = mi_v1::url(&self.place, call);
        if url.len() > mi_v2::URL_BYTES_MAX {
            let text =
                "the call is too long for version 1, which has no other way than the address";
            return Err(Failure::new(Fate::Refused, Class::Data, text));
        }
        let answer = self.get(url).await?;
        mi_v1::read(&answer)
    }

    /// Reads travel in the address where they fit, writes never: addresses end up in logs.
    pub(super) async fn call_v2(
        &self,
        call: &MiCall,
        kind: Kind,
    ) -> Result<Vec<MiRecord>, Failure> {
        let calls = std::slice::from_ref(call);
        let url = mi_v2::url(&self.place, call);
        let entries = if kind == Kind::Read && url.len() <= mi_v2::URL_BYTES_MAX {
            let answer = self.get(url).await?;
            mi_v2::read(&answer, calls)?
        } else {
            self.post_v2(calls).await?
        };
        let nothing = || Err(Failure::new(Fate::Unknown, Class::Broken, "a result is missing"));
        entries.into_iter().next().unwrap_or_else(nothing)
    }

    pub(super) async fn post_v2(&self, calls: &[MiCall]) -> Result<mi_v2::Entries, Failure> {
        let body = mi_v2::bulk_body(&self.place, calls)
            .map_err(|e| Failure::new(Fate::Refused, Class::Data, &e.to_string()))?;
        let url = mi_v2::bulk_url(&self.place);
        let answer = self.send(&Outgoing { method: Method::POST, url, body: Some(body) }).await?;
        mi_v2::read(&answer, calls)
    }

    pub(super) async fn get(&self, url: String) -> Result<Answer, Failure> {
        self.send(&Outgoing { method: Method::GET, url, body: None }).await
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
