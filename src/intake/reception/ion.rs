//! Answers one call of ION: within the limits of every delivery, in ION's own words.
//!
//! Guarantees: the credential is proven before anything else; a body is read within the same
//! limits as a webhook's, and a larger one as it comes, so that it is never held as a whole.

use super::{Answer, Outcome, Read, Reception, Shelf, declared};
use crate::intake::ion::{Call, Form, Ion, SOURCE, Told, answers, large::Feed};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::Value;
use std::{error::Error, time::Duration};
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
        let (head, mut body) = request.into_parts();
        let beside = (&head.headers, head.uri.query().unwrap_or_default());
        let (declared, most) = (declared(&head.headers), self.limits.body_bytes_max);
        if declared > self.most(ion, form) {
            return too_large();
        }
        if !self.shelf.has_room() {
            return busy();
        }
        if declared > most {
            return self.given_large(ion, (form, beside), Read::default(), body).await;
        }
        let Read { body, room, over: _ } =
            match timeout(self.limits.body_time(), self.read(&mut body)).await {
                Ok(Ok(read @ Read { over: Some(_), .. })) => {
                    return self.given_large(ion, (form, beside), read, body).await;
                }
                Ok(Ok(read)) => read,
                Ok(Err(Answer::CutShort)) => return cut_short(),
                Ok(Err(_)) => return busy(),
                Err(_) => return too_slow(),
            };
        let body = Bytes::from(body);
        let taken = ion.take(form, beside, &body);
        let told = timeout(self.limits.keep_time(), taken).await.unwrap_or(Told::Busy);
        drop(room);
        answered(told)
    }

    /// Returns how large a body of this form may be.
    fn most(&self, ion: &Ion, form: Form) -> usize {
        match form {
            Form::Single => self.limits.body_bytes_max,
            Form::Multipart | Form::Bare => ion.config().largest_body(&self.limits),
        }
    }

    /// Takes a document in that is larger than is held in memory; `read` is what was read of it.
    async fn given_large<B>(
        &self,
        ion: &Ion,
        (form, beside): (Form, (&HeaderMap, &str)),
        read: Read,
        body: B,
    ) -> Said
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error,
    {
        let (feed, reading) = match ion.begin_large(form, beside) {
            None => return too_large(),
            Some(Err(())) => return busy(),
            Some(Ok(begun)) => begun,
        };
        let most = self.most(ion, form);
        let both = async { tokio::join!(fed(feed, read, body, most), reading.read()) };
        let time = Duration::from_millis(ion.config().limits.large_ms_max);
        match timeout(time, both).await {
            Err(_) => too_slow(),
            Ok((Fed::Over, _)) => too_large(),
            Ok((Fed::CutShort, _)) => cut_short(),
            Ok((Fed::Whole, message)) => {
                let taken = ion.take_large(message);
                answered(timeout(self.limits.keep_time(), taken).await.unwrap_or(Told::Busy))
            }
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

/// How a large body came.
enum Fed {
    /// To its end, or so far that its reader had seen enough.
    Whole,
    /// It was larger than it may be.
    Over,
    /// It broke off.
    CutShort,
}

/// Feeds a body to its reader: what was read of it before, then what comes.
async fn fed<B>(feed: Feed, read: Read, mut body: B, most: usize) -> Fed
where
    B: Body<Data = Bytes> + Unpin,
{
    let Read { body: before, room, over } = read;
    let mut bytes = before.len();
    if !feed.put(Bytes::from(before)).await {
        return Fed::Whole;
    }
    drop(room);
    let mut next = over;
    loop {
        if let Some(piece) = next {
            bytes = bytes.saturating_add(piece.len());
            if bytes > most {
                return Fed::Over;
            }
            if !feed.put(piece).await {
                return Fed::Whole;
            }
        }
        next = match body.frame().await {
            None => break,
            Some(Err(_)) => return Fed::CutShort,
            Some(Ok(frame)) => frame.into_data().ok(),
        };
    }
    feed.end().await;
    Fed::Whole
}

fn answered(told: Told) -> Said {
    match told {
        Told::Accepted(_receipt) => Said::yes(answers::taken("accepted"), Some(Outcome::Accepted)),
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

fn cut_short() -> Said {
    Said::no(StatusCode::BAD_REQUEST, Outcome::TooSlow, "the body ended early")
}

fn too_slow() -> Said {
    Said::no(StatusCode::REQUEST_TIMEOUT, Outcome::TooSlow, "the body took too long")
}

fn too_large() -> Said {
    Said::no(StatusCode::PAYLOAD_TOO_LARGE, Outcome::TooLarge, "the body is too large")
}

fn busy() -> Said {
    Said::no(StatusCode::SERVICE_UNAVAILABLE, Outcome::Busy, "there is no room; try again")
}
