//! ION as it calls an application, as `reference/m3.md` 7 describes it.
//!
//! Guarantees: it delivers at least once and in no order; a document that is not answered 2xx is
//! sent again with the same message id until its tries are used up; a repeated one may carry an
//! id of ION's own behind `:-ION-:`; the same seed publishes in the same way. It asks who is there
//! before it gives anything. What applications publish to ION is received by the simulated M3,
//! which has the tokens (`m3::inbound`).

pub mod bods;
mod wire;

pub use bods::Bod;
pub use wire::{Encoding, Way, packed};

use crate::dice::Dice;
use reqwest::{Client, Method, RequestBuilder};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

/// Where the application is, and how ION proves who it is.
#[derive(Clone, Debug)]
pub struct Target {
    /// Up to and without `/service`.
    pub url: String,
    /// What stands in `Authorization`.
    pub authorization: String,
    /// The authority that is trusted; none for plain HTTP.
    pub ca_pem: Option<String>,
}

/// How badly it publishes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Chance.
    pub seed: u64,
    /// How often a message is sent twice, in a thousand.
    pub repeated_permille: u32,
    /// How often a message that was sent comes again at the end, in a thousand.
    pub again_permille: u32,
    /// Whether documents change places.
    pub shuffled: bool,
    /// Ways that are used; one is drawn for each message.
    pub ways: Vec<Way>,
    /// Tries of one message.
    pub tries_max: u32,
    /// Before the second try; doubled for each further one.
    pub backoff_ms: u64,
    /// How long an answer may take.
    pub answer_ms_max: u64,
}

impl Options {
    /// Publishes once, in order, in the way that is asked for.
    pub fn calm(way: Way) -> Self {
        Self {
            seed: 1,
            repeated_permille: 0,
            again_permille: 0,
            shuffled: false,
            ways: vec![way],
            tries_max: 5,
            backoff_ms: 20,
            answer_ms_max: 5_000,
        }
    }

    /// Publishes shuffled, twice and late, in every way there is.
    pub fn wild(seed: u64) -> Self {
        Self {
            seed,
            repeated_permille: 400,
            again_permille: 400,
            shuffled: true,
            ways: Way::all(),
            ..Self::calm(Way::Multipart(Encoding::None))
        }
    }
}

/// What an application said of itself.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// `ping`.
    pub ping: Value,
    /// `protocol`.
    pub protocol: Value,
    /// `versions`.
    pub versions: Value,
    /// `discovery`.
    pub discovery: Value,
}

/// What came of a publication.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests that were made.
    pub sent: u64,
    /// Messages that were answered 2xx.
    pub accepted: u64,
    /// How often each status was seen; 0 is none.
    pub statuses: BTreeMap<u16, u64>,
    /// Messages that were not accepted, with the last answer.
    pub refused: Vec<(u16, String)>,
}

/// One message.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    bod: Bod,
    way: Way,
}

/// A running ION.
#[derive(Debug)]
pub struct Ion {
    client: Client,
    target: Target,
    options: Options,
    dice: Dice,
}

impl Ion {
    /// Makes one ready.
    ///
    /// # Errors
    /// When the authority cannot be used.
    pub fn new(target: Target, options: Options) -> io::Result<Self> {
        let client = client(target.ca_pem.as_deref())?;
        let dice = Dice::new(options.seed).fork("ion");
        Ok(Self { client, target, options, dice })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let patience = Duration::from_millis(self.options.answer_ms_max);
        let url = format!("{}/service/{path}", self.target.url);
        let request = self.client.request(method, url).timeout(patience);
        let request = request.header("x-tenantid", "ACME_TST");
        match self.target.authorization.as_str() {
            "" => request,
            value => request.header("authorization", value),
        }
    }

    /// Asks who is there, as ION does before it gives anything.
    ///
    /// # Errors
    /// What was answered instead.
    pub async fn introduce(&self) -> Result<Introduction, String> {
        let ask = async |method: Method, path: &str| -> Result<Value, String> {
            let answer = self.request(method, path).send().await.map_err(|f| f.to_string())?;
            let status = answer.status().as_u16();
            let text = answer.text().await.map_err(|fault| fault.to_string())?;
            if status != 200 {
                return Err(format!("{path}: {status} {text}"));
            }
            serde_json::from_str(&text).map_err(|fault| format!("{path}: {fault}"))
        };
        Ok(Introduction {
            ping: ask(Method::GET, "ping").await?,
            protocol: ask(Method::GET, "protocol").await?,
            versions: ask(Method::GET, "versions").await?,
            discovery: ask(Method::POST, "v3/discovery").await?,
        })
    }

    /// Publishes documents, as well or as badly as it was told to.
    pub async fn publish(&mut self, bods: &[Bod]) -> Report {
        let messages = self.plan(bods);
        let mut report = Report::default();
        for message in messages {
            self.until_accepted(&message, &mut report).await;
        }
        report
    }

    fn plan(&mut self, bods: &[Bod]) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut late = Vec::new();
        for bod in bods {
            let id = format!("{:016x}{:016x}", self.dice.next_u64(), self.dice.next_u64());
            let way = *self.dice.pick(&self.options.ways);
            let message = Message { id, bod: bod.clone(), way };
            if self.dice.permille(self.options.repeated_permille) {
                messages.push(self.forwarded(&message));
            }
            if self.dice.permille(self.options.again_permille) {
                late.push(self.forwarded(&message));
            }
            messages.push(message);
        }
        if self.options.shuffled {
            for at in (1..messages.len()).rev() {
                let other = self.dice.below(u64::try_from(at).unwrap_or(0) + 1);
                messages.swap(at, usize::try_from(other).unwrap_or(0));
            }
        }
        messages.extend(late);
        messages
    }

    /// The same message with an id that ION adds, by any way.
    fn forwarded(&mut self, message: &Message) -> Message {
        let id = if self.dice.permille(500) {
            format!("{}:-ION-:{:032x}", message.id, u128::from(self.dice.next_u64()))
        } else {
            message.id.clone()
        };
        let way = *self.dice.pick(&self.options.ways);
        Message { id, bod: message.bod.clone(), way }
    }

    async fn until_accepted(&self, message: &Message, report: &mut Report) {
        let mut wait_ms = self.options.backoff_ms;
        let mut last = (0, String::new());
        for attempt in 0..self.options.tries_max {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                wait_ms = wait_ms.saturating_mul(2);
            }
            report.sent += 1;
            let request = self.request(Method::POST, message.way.path());
            let request = wire::written(request, message.way, &message.id, &message.bod);
            last = match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    (status, answer.text().await.unwrap_or_default())
                }
                Err(fault) => (0, fault.to_string()),
            };
            *report.statuses.entry(last.0).or_default() += 1;
            match last.0 {
                200..=299 => {
                    report.accepted += 1;
                    return;
                }
                // For good.
                400..=499 if !matches!(last.0, 408 | 429) => break,
                _ => {}
            }
        }
        report.refused.push(last);
    }

    /// Gives one body as it is, to a path below `/service/`; returns status and answer.
    ///
    /// # Errors
    /// When nobody answered.
    pub async fn give(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(u16, String), String> {
        let request = self.request(Method::POST, path).header("content-type", content_type);
        let answer = request.body(body).send().await.map_err(|fault| fault.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|fault| fault.to_string())?))
    }
}

fn client(ca_pem: Option<&str>) -> io::Result<Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Another part may have installed it first; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy();
    let builder = match ca_pem {
        None => builder,
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
            }
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            builder.tls_backend_preconfigured(config)
        }
    };
    builder.build().map_err(io::Error::other)
}
