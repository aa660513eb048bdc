//! Answers one delivery: reads its body within limits, has it judged, has it kept.
//!
//! What this module guarantees:
//! 1. A 2xx is said only with a receipt in hand, or for a delivery that had one before.
//! 2. When the journal has no room the sender is told so before its body is read.
//! 3. No body is held beyond its limit, nor all bodies beyond theirs.
//!
//! What it does not: say to a stranger why it was refused. The log does. What ION asks is
//! answered in `reception::ion`.

mod ion;

use super::{
    Limits,
    ion::Ion,
    signature::Headers,
    webhook::{Refusal, Signal, Source},
};
use crate::{
    clock,
    metrics::{Received, Reception as Outcome},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, HeaderValue, RETRY_AFTER},
};
use std::{
    collections::BTreeMap,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// A refusal is a WARN at most this often; the ones between are DEBUG, so that
/// a stranger cannot fill the log.
const WARN_EVERY_MS: u64 = 60_000;

/// Where a delivery becomes durable.
pub trait Shelf: Send + Sync + 'static {
    /// The proof that a delivery is on disk.
    type Receipt: Send;

    /// Whether one more delivery would be taken, as far as is known without trying.
    fn has_room(&self) -> bool;

    /// Keeps a delivery; returns only when it is on disk, or known not to be.
    fn keep(
        &self,
        signal: Signal,
        body: Bytes,
    ) -> impl Future<Output = Result<Kept<Self::Receipt>, NotKept>> + Send;
}

/// A delivery that is on disk.
#[derive(Debug)]
pub enum Kept<R> {
    /// Since this moment.
    New(R),
    /// It was before.
    Before,
}

/// A delivery that is not on disk, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// There is no room.
    Full,
    /// It is larger than one event may be.
    TooLarge,
    /// The disk failed.
    Failed,
}

/// What a sender is told.
enum Answer<R> {
    /// 202: it is ours. Cannot be said without the journal's proof.
    Accepted(R),
    /// 200: it was ours already.
    Repeated,
    /// It is not what we take.
    Refused(Refusal),
    /// 404: nobody lives at this path.
    NoSuchPath,
    /// 405: only POST.
    NotPost,
    /// 413: the body is over its limit.
    TooLarge,
    /// 408: the body took too long.
    TooSlow,
    /// 400: the body ended early.
    CutShort,
    /// 503 with `Retry-After`: it is still theirs.
    Busy,
}

/// What was read of a body.
#[derive(Default)]
struct Read {
    body: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
    /// The piece that would have made it larger than it may be; what follows was not read.
    over: Option<Bytes>,
}

/// Reads, judges and keeps deliveries.
#[derive(Debug)]
pub struct Reception<S> {
    sources: BTreeMap<String, Source>,
    shelf: S,
    ion: Option<Arc<Ion>>,
    limits: Limits,
    bodies: Arc<Semaphore>,
    received: Received,
    warned_ms: AtomicU64,
}

impl<S: Shelf> Reception<S> {
    /// Starts with nobody inside.
    pub fn new(sources: Vec<Source>, shelf: S, limits: Limits, received: Received) -> Self {
        let by_path = |source: Source| (source.path().to_owned(), source);
        Self {
            sources: sources.into_iter().map(by_path).collect(),
            shelf,
            ion: None,
            limits,
            bodies: Arc::new(Semaphore::new(limits.bodies_bytes_max.min(Semaphore::MAX_PERMITS))),
            received,
            warned_ms: AtomicU64::new(0),
        }
    }

    /// Returns the same with the end points that ION calls.
    #[must_use]
    pub fn with_ion(self, ion: Option<Arc<Ion>>) -> Self {
        Self { ion, ..self }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error,
    {
        if let Some(ion) = &self.ion
            && let Some(rest) = ion.below(request.uri().path()).map(str::to_owned)
        {
            return self.answer_ion(ion, &rest, request).await;
        }
        let source = self.sources.get(request.uri().path());
        let answer = match source {
            Some(source) if request.method() == Method::POST => self.take(source, request).await,
            Some(_) => Answer::NotPost,
            None => Answer::NoSuchPath,
        };
        self.note(source, &answer);
        self.response(answer)
    }

    async fn take<B>(&self, source: &Source, request: Request<B>) -> Answer<S::Receipt>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error,
    {
        let (head, mut body) = request.into_parts();
        if declared(&head.headers) > self.limits.body_bytes_max {
            return Answer::TooLarge;
        }
        if !self.shelf.has_room() {
            return Answer::Busy;
        }
        let (body, room) = match timeout(self.limits.body_time(), self.read(&mut body)).await {
            Ok(Ok(Read { over: Some(_), .. })) => return Answer::TooLarge,
            Ok(Ok(Read { body, room, over: None })) => (Bytes::from(body), room),
            Ok(Err(answer)) => return answer,
            Err(_) => return Answer::TooSlow,
        };
        let now_unix_s = clock::now().unix_ms() / 1_000;
        let answer = match source.read(&head.headers, &body, now_unix_s) {
            Ok(signal) => self.keep(signal, body).await,
            Err(refusal) => Answer::Refused(refusal),
        };
        drop(room);
        answer
    }

    /// Reads a body until its end, or until it is over the limit; each piece of it needs room among
    /// all bodies, taken before the piece is kept, so that who sends nothing holds nothing.
    async fn read<B>(&self, body: &mut B) -> Result<Read, Answer<S::Receipt>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut read = Read::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Answer::CutShort)?;
            let Ok(piece) = frame.into_data() else { continue };
            if read.body.len().saturating_add(piece.len()) > self.limits.body_bytes_max {
                read.over = Some(piece);
                return Ok(read);
            }
            let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let more = Arc::clone(&self.bodies).try_acquire_many_owned(bytes);
            let more = more.map_err(|_| Answer::Busy)?;
            match &mut read.room {
                Some(room) => room.merge(more),
                None => read.room = Some(more),
            }
            read.body.extend_from_slice(&piece);
        }
        Ok(read)
    }

    async fn keep(&self, signal: Signal, body: Bytes) -> Answer<S::Receipt> {
        match timeout(self.limits.keep_time(), self.shelf.keep(signal, body)).await {
            Ok(Ok(Kept::New(receipt))) => Answer::Accepted(receipt),
            Ok(Ok(Kept::Before)) => Answer::Repeated,
            Ok(Err(NotKept::TooLarge)) => Answer::TooLarge,
            Ok(Err(NotKept::Full)) => Answer::Busy,
            Ok(Err(NotKept::Failed)) => Answer::Busy,
            Err(_) => Answer::Busy,
        }
    }

    fn response(&self, answer: Answer<S::Receipt>) -> Response<Full<Bytes>> {
        let (status, told) = match answer {
            Answer::Accepted(_receipt) => (StatusCode::ACCEPTED, "accepted\n"),
            Answer::Repeated => (StatusCode::OK, "already accepted\n"),
            Answer::Refused(refusal) => {
                let status = StatusCode::from_u16(refusal.status());
                (status.unwrap_or(StatusCode::BAD_REQUEST), "refused\n")
            }
            Answer::NoSuchPath => (StatusCode::NOT_FOUND, "nothing here\n"),
            Answer::NotPost => (StatusCode::METHOD_NOT_ALLOWED, "only POST\n"),
            Answer::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body too large\n"),
            Answer::TooSlow => (StatusCode::REQUEST_TIMEOUT, "body too slow\n"),
            Answer::CutShort => (StatusCode::BAD_REQUEST, "body cut short\n"),
            Answer::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy, try again\n"),
        };
        let mut response = Response::new(Full::from(told));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.limits.retry_after_s));
        }
        response
    }

    /// Counts and logs. A path nobody configured is counted, but not logged.
    fn note(&self, source: Option<&Source>, answer: &Answer<S::Receipt>) {
        let (outcome, why) = match answer {
            Answer::Accepted(_) => (Outcome::Accepted, None),
            Answer::Repeated => (Outcome::Repeated, None),
            Answer::Refused(refusal @ Refusal::Unproven(cause)) => {
                (Outcome::Unproven, Some(format!("{refusal}: {cause}")))
            }
            Answer::Refused(refusal) => (Outcome::Unreadable, Some(refusal.to_string())),
            Answer::NoSuchPath => (Outcome::NoSuchPath, None),
            Answer::NotPost => (Outcome::NotPost, Some("not a POST".to_owned())),
            Answer::TooLarge => (Outcome::TooLarge, Some("the body is too large".to_owned())),
            Answer::TooSlow => (Outcome::TooSlow, Some("the body took too long".to_owned())),
            Answer::CutShort => (Outcome::TooSlow, Some("the body ended early".to_owned())),
            Answer::Busy => (Outcome::Busy, Some("there was no room".to_owned())),
        };
        let source = source.map_or("-", Source::name);
        self.received.count(source, outcome);
        if let Some(why) = why {
            self.warn(source, &why);
        }
    }

    fn warn(&self, source: &str, why: &str) {
        if self.may_warn() {
            tracing::warn!(source, why, "delivery not taken");
        } else {
            tracing::debug!(source, why, "delivery not taken");
        }
    }

    fn may_warn(&self) -> bool {
        let now = clock::now().unix_ms();
        let next = |last: u64| (last == 0 || now.abs_diff(last) >= WARN_EVERY_MS).then_some(now);
        self.warned_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

impl Headers for HeaderMap {
    fn value(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.get_all(name).iter();
        let first = values.next()?;
        values.next().is_none().then_some(first.as_bytes())
    }
}

/// What a sender says its body measures; silence is no claim.
fn declared(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}
