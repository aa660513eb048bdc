//! What ION calls: it asks what we are, and gives us documents (reference/m3.md 7.3).
//!
//! What this module guarantees:
//! 1. A document is answered 2xx only with the journal's receipt, or because it was taken
//!    before, or because a newer variation of it was.
//! 2. Nobody is told anything, and nothing of a body is read, before the credential is proven.
//! 3. What can never be taken is refused with 400 and its reason; what cannot be taken now
//!    is answered 503, so that ION sends it again.
//! 4. Of a document that is larger than the journal takes an extract is kept, which says the same.
//! 5. A document whose envelope is good but that cannot be used is taken: the sender hears of
//!    it by a Confirm.BOD, and ION need not send it again.

pub mod answers;
pub mod config;
pub mod files;
pub mod large;

use self::{
    config::Config,
    large::{Feed, Reading},
};
use super::{
    dedup::{Judgement, Memory, Recent, judge},
    signature::{Headers, Unproven, Verifier},
};
use crate::{
    clock,
    connector::ion::{
        bod::{Bod, BodError},
        large::{Form as LargeForm, LargeError},
        message::{Message, MessageError},
    },
    delivery::{heard, rows},
    failpoint,
    journal::{Journal, JournalError, NewEvent, Receipt},
    log,
    state::State,
};
use hyper::{
    HeaderMap, Method,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use std::{
    io::{Cursor, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::sync::Semaphore;

/// The source of our events, in the journal and in the metrics.
pub const SOURCE: &str = heard::SOURCE;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Are you there?
    Ping,
    /// How do you want to be spoken to?
    Protocol,
    /// Which versions do you know?
    Versions,
    /// Which documents do you take?
    Discovery,
    /// Here is one.
    Give(Form),
}

/// How a document comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object (v2).
    Single,
    /// Two parts (v3).
    Multipart,
    /// The document itself, with what is said of it beside it (v3).
    Bare,
}

/// Why a document is not taken, for good. The text continues "could not take it: ".
#[derive(Debug, Error)]
pub enum Refusal {
    /// The message cannot be read.
    #[error("the message cannot be read: {0}")]
    Message(#[from] MessageError),
    /// The document cannot be taken.
    #[error("{0}")]
    Bod(#[from] BodError),
    /// The same of a large one.
    #[error("{0}")]
    Large(#[from] LargeError),
    /// Nobody wants it.
    #[error("{0} is not among the documents that are taken here")]
    NotWanted(String),
}

/// What became of a document.
#[derive(Debug)]
pub enum Told {
    /// It is on disk.
    Accepted(Receipt),
    /// It was before.
    Repeated,
    /// A newer variation of it was taken before.
    Stale,
    /// It can never be taken.
    Refused(Refusal),
    /// It is larger than one event may be.
    TooLarge,
    /// It is still theirs.
    Busy,
}

/// What a document needs to become durable.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Where it goes.
    pub journal: Journal,
    /// What is known of variations.
    pub state: State,
    /// Which messages were taken before; the one of the webhooks.
    pub memory: Arc<Mutex<Recent>>,
    /// For how long they are remembered.
    pub window: Duration,
}

/// The end points that ION calls.
#[derive(Debug)]
pub struct Ion {
    config: Config,
    verifier: Option<Verifier>,
    stores: Stores,
    /// How many large documents may be read.
    places: Arc<Semaphore>,
}

impl Ion {
    /// Joins the settings with the secrets they name; without a verifier nobody is believed.
    pub fn new(config: Config, verifier: Option<Verifier>, stores: Stores) -> Self {
        let places = Arc::new(Semaphore::new(config.limits.large_at_once_max));
        Self { config, verifier, stores, places }
    }

    /// Returns the settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the rest of a path that is ours; it begins with a slash.
    pub fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.config.path.as_str()).filter(|rest| rest.starts_with('/'))
    }

    /// Says what is asked for, or by which method it would have to be.
    pub fn call(rest: &str, method: &Method) -> Option<Result<Call, Method>> {
        let (call, wanted) = match rest {
            "/service/ping" => (Call::Ping, Method::GET),
            "/service/protocol" => (Call::Protocol, Method::GET),
            "/service/versions" => (Call::Versions, Method::GET),
            "/service/v2/discovery" | "/service/v3/discovery" => (Call::Discovery, Method::POST),
            "/service/v2/message" => (Call::Give(Form::Single), Method::POST),
            "/service/v3/multipartMessage" | "/service/v2/multipartMessage" => {
                (Call::Give(Form::Multipart), Method::POST)
            }
            "/service/v3/message/multipart" => (Call::Give(Form::Bare), Method::POST),
            _ => return None,
        };
        Some(if *method == wanted { Ok(call) } else { Err(wanted) })
    }

    /// Says whether the caller knows the secret.
    pub fn prove(&self, headers: &impl Headers) -> Result<(), Unproven> {
        let nobody = || Unproven::NoHeader("authorization (there is no login)".to_owned());
        self.verifier.as_ref().ok_or_else(nobody)?.verify(headers, &[], 0)
    }

    /// Takes a document in.
    pub async fn take(
        &self,
        form: Form,
        (headers, query): (&HeaderMap, &str),
        body: &Bytes,
    ) -> Told {
        let beside = beside(form, (headers, query));
        match (self.read(&beside, body), beside) {
            (Ok(message), _) => self.take_message(message).await,
            // It may have been packed, or be between what a body and what a document may be.
            (Err(MessageError::TooLarge(_)), Beside::Streamed(form)) => {
                self.take_at_once(form, Cursor::new(body.clone())).await
            }
            (Err(error), _) => Told::Refused(error.into()),
        }
    }

    fn read(&self, beside: &Beside, body: &[u8]) -> Result<Message, MessageError> {
        let bytes_max = self.config.limits.document_bytes_max;
        match beside {
            Beside::Nothing => Message::single(body, bytes_max),
            Beside::Streamed(LargeForm::Multipart(kind)) => {
                Message::multipart(kind, body, bytes_max)
            }
            Beside::Streamed(LargeForm::Bare(said)) => {
                let said = said.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                Message::bare(said, body, bytes_max)
            }
        }
    }

    /// Takes a large document in that is at hand: one that was packed, or a file.
    pub(crate) async fn take_at_once(
        &self,
        form: LargeForm,
        from: impl Read + Send + 'static,
    ) -> Told {
        // Who has its body in memory, or in a file, can wait for its turn.
        let Ok(_permit) = self.places.acquire().await else { return Told::Busy };
        let read = large::at_once(form, from, self.config.limits.of_large()).await;
        self.take_large(read).await
    }

    /// Begins to read a large document; none where its form must be in memory as a whole. The error
    /// says that too many are being read.
    pub fn begin_large(
        &self,
        form: Form,
        (headers, query): (&HeaderMap, &str),
    ) -> Option<Result<(Feed, Reading), ()>> {
        let Beside::Streamed(form) = beside(form, (headers, query)) else { return None };
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            return Some(Err(()));
        };
        Some(Ok(Reading::begin(form, self.config.limits.of_large(), permit)))
    }

    /// Takes in what was read of a large document.
    pub async fn take_large(&self, read: Result<Message, LargeError>) -> Told {
        match read {
            Ok(message) => {
                let whole = message.extract_of.as_ref();
                let (bytes, kept) = (whole.map(|whole| whole.bytes), message.document.len());
                tracing::info!(bytes, kept, "of a large document an extract is kept");
                self.take_message(message).await
            }
            Err(LargeError::Extract(_)) => Told::TooLarge,
            Err(refused @ (LargeError::Message(_) | LargeError::Bod(_) | LargeError::CutShort)) => {
                Told::Refused(refused.into())
            }
        }
    }

    /// Takes in a message that was read; the folder's way ends here, too.
    pub async fn take_message(&self, message: Message) -> Told {
        let label = match self.label(&message) {
            Ok(Label::Stale) => return Told::Stale,
            Ok(Label::Fresh { topic, entity }) => (topic, entity),
            Err(refusal) => return Told::Refused(refusal),
        };
        let received_ms = clock::now().unix_ms();
        let delivery = message.identity();
        let taken_at = self.memory().taken_at(&delivery);
        if judge(taken_at, received_ms, self.stores.window) == Judgement::Repeated {
            return Told::Repeated;
        }
        let (topic, entity) = label;
        let source = SOURCE.to_owned();
        let body = message.stored();
        let event = NewEvent { source, topic, entity, delivery, received_ms, body };
        let kept = self.stores.journal.append(event).await;
        match kept {
            Ok(receipt) => {
                failpoint::pass("intake.kept");
                self.memory().remember(delivery, received_ms);
                Told::Accepted(receipt)
            }
            Err(JournalError::TooLarge { .. }) => Told::TooLarge,
            Err(JournalError::Full | JournalError::Unavailable | JournalError::Closed) => {
                Told::Busy
            }
            Err(
                fault @ (JournalError::Damaged { .. }
                | JournalError::Unreadable { .. }
                | JournalError::Newer(..)
                | JournalError::Config(_)
                | JournalError::Store(_)),
            ) => {
                tracing::error!(why = log::chain(&fault), "a document could not be kept");
                Told::Busy
            }
        }
    }

    /// Reads the document so far that it can be named, and refused if it can never be used.
    fn label(&self, message: &Message) -> Result<Label, Refusal> {
        let head = &message.head;
        match Bod::read(&message.document, &self.config.limits.of_xml()) {
            Ok(bod) => {
                let topic = format!("{}.{}", bod.verb.name(), bod.noun.name());
                if !self.config.documents.contains(&topic) {
                    return Err(Refusal::NotWanted(topic));
                }
                if self.is_stale(&bod, head.variation) {
                    return Ok(Label::Stale);
                }
                let first = bod.documents.first();
                let id = first.and_then(|document| Some(document.id()?.id.as_str()));
                let owner = first.and_then(|document| bod.entity_of(document));
                let entity = heard::entity(bod.noun.name(), owner, id);
                Ok(Label::Fresh { topic, entity })
            }
            Err(error) if error.is_of_content() => {
                let topic = head.document_name.clone();
                Ok(Label::Fresh { topic, entity: heard::entity("unread", None, None) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether every document in it is known in a variation that is as new. What cannot be
    /// looked up is not stale: whoever reads the journal looks again.
    fn is_stale(&self, bod: &Bod, said: Option<u64>) -> bool {
        bod.documents.iter().all(|document| {
            let Some(variation) = heard::variation(bod, document, said) else { return false };
            let Some(key) = heard::variation_key(bod, document) else { return false };
            let row = self.stores.state.get(&key).ok().flatten();
            let known = row.and_then(|row| rows::read::<rows::VariationRow>(&row).ok());
            known.is_some_and(|known| variation <= known.variation)
        })
    }

    fn memory(&self) -> MutexGuard<'_, Recent> {
        self.stores.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands beside a body.
enum Beside {
    /// Nothing: all is in it.
    Nothing,
    /// What is needed to read it while it comes.
    Streamed(LargeForm),
}

fn beside(form: Form, (headers, query): (&HeaderMap, &str)) -> Beside {
    match form {
        Form::Single => Beside::Nothing,
        Form::Multipart => {
            let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            Beside::Streamed(LargeForm::Multipart(kind.unwrap_or_default().to_owned()))
        }
        Form::Bare => {
            let queried = url::form_urlencoded::parse(query.as_bytes()).into_owned();
            let readable = |(name, value): (&HeaderName, &HeaderValue)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            };
            let said = headers.iter().filter_map(readable).chain(queried);
            Beside::Streamed(LargeForm::Bare(said.collect()))
        }
    }
}

/// How a document is named in the journal.
enum Label {
    Fresh { topic: String, entity: String },
    Stale,
}

#[cfg(test)]
mod tests;
