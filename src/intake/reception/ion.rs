//! Answers one call of ION: within the limits of every delivery, in ION's own words.
//!
//! Guarantees: the credential is proven before anything else; a body is read within the same
//! limits as a webhook's.

use super::{Answer, Outcome, Reception, Shelf, declared};
use crate::intake::ion::{Call, Form, Ion, SOURCE, Told, answers};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::Value;
use std::error::Error;
use tokio::time::timeout;

/// What ION is told, and what is counted and logged of it.
struct Said {
    status: StatusCode,
    body: Value,
    /// What is counted; none for a question.
    outcome: Option<Outcome>,
    why: Option<String>,
    allow: Option<Method>,
}

impl Said {
    fn yes(body: Value, outcome: Option<Outcome>) -> Self {
        Self { status: StatusCode::OK, body, outcome, why: None, allow: None }
    }

    fn no(status: StatusCode, outcome: Outcome, why: &str) -> Self {
        let body = answers::refused(status.as_u16(), why);
        Self { status, body, outcome: Some(outcome), why: Some(why.to_owned()), allow: None }
    }
}

impl<S: Shelf> Reception<S> {
    /// Answers a call below ION's path.
    pub(super) async fn answer_ion<B>(
        &self,
        ion: &Ion,
        rest: &str,
        request: Request<B>,
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error,
    {
        let mut said = self.say(ion, rest, request).await;
        if let Some(outcome) = said.outcome {
            self.received.count(SOURCE, outcome);
        }
        if let Some(why) = said.why.take() {
            self.warn(SOURCE, &why);
        }
        self.spoken(said)
    }

    async fn say<B>(&self, ion: &Ion, rest: &str, request: Request<B>) -> Said
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error,
    {
        if let Err(cause) = ion.prove(request.headers()) {
            let mut said = Said::no(StatusCode::UNAUTHORIZED, Outcome::Unproven, "not authorized");
            said.why = Some(format!("the caller is not believed: {cause}"));
            return said;
        }
        match Ion::call(rest, request.method()) {
            None => Said::no(StatusCode::NOT_FOUND, Outcome::NoSuchPath, "there is nothing here"),
            Some(Err(wanted)) => {
                let why = format!("only {wanted} is answered here");
                let said = Said::no(StatusCode::METHOD_NOT_ALLOWED, Outcome::NotPost, &why);
                Said { allow: Some(wanted), ..said }
            }
            Some(Ok(Call::Ping)) => Said::yes(answers::ping(), None),
            Some(Ok(Call::Protocol)) => Said::yes(answers::protocol(), None),
            Some(Ok(Call::Versions)) => Said::yes(answers::versions(), None),
            Some(Ok(Call::Discovery)) => Said::yes(answers::discovery(ion.config()), None),
            Some(Ok(Call::Give(form))) => self.given(ion, form, request).await,
        }
    }

    async fn given<B>(&self, ion: &Ion, form: Form, request: Request<B>) -> Said
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error,
    {
        let (head, body) = request.into_parts();
        if declared(&head.headers) > self.limits.body_bytes_max {
            return too_large();
        }
        if !self.shelf.has_room() {
            return busy();
        }
        let (body, room) = match timeout(self.limits.body_time(), self.read(body)).await {
            Ok(Ok(read)) => read,
            Ok(Err(Answer::TooLarge)) => return too_large(),
            Ok(Err(Answer::CutShort)) => {
                return Said::no(StatusCode::BAD_REQUEST, Outcome::TooSlow, "the body ended early");
            }
            Ok(Err(_)) => return busy(),
            Err(_) => {
                let status = StatusCode::REQUEST_TIMEOUT;
                return Said::no(status, Outcome::TooSlow, "the body took too long");
            }
        };
        let query = head.uri.query().unwrap_or_default();
        let taken = ion.take(form, (&head.headers, query), &body);
        let told = timeout(self.limits.keep_time(), taken).await.unwrap_or(Told::Busy);
        drop(room);
        match told {
            Told::Accepted(_receipt) => {
                Said::yes(answers::taken("accepted"), Some(Outcome::Accepted))
            }
            Told::Repeated => Said::yes(answers::taken("accepted before"), Some(Outcome::Repeated)),
            Told::Stale => {
                let body = answers::taken("a newer variation was accepted before");
                Said::yes(body, Some(Outcome::Stale))
            }
            Told::Refused(refusal) => {
                Said::no(StatusCode::BAD_REQUEST, Outcome::Unreadable, &refusal.to_string())
            }
            Told::TooLarge => too_large(),
            Told::Busy => busy(),
        }
    }

    fn spoken(&self, said: Said) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(said.body.to_string()));
        *response.status_mut() = said.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if let Some(allow) = said.allow.and_then(|allow| allow.as_str().parse().ok()) {
            headers.insert(ALLOW, allow);
        }
        if said.status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"causeway\"");
            headers.insert(WWW_AUTHENTICATE, realm);
        }
        if said.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.limits.retry_after_s));
        }
        response
    }
}

fn too_large() -> Said {
    Said::no(StatusCode::PAYLOAD_TOO_LARGE, Outcome::TooLarge, "the body is too large")
}

fn busy() -> Said {
    Said::no(StatusCode::SERVICE_UNAVAILABLE, Outcome::Busy, "there is no room; try again")
}
