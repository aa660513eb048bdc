//! Calls the end points of a gateway as ION does, to see from outside what it answers.
//!
//! Guarantees: what it proves itself with stands in no text; nothing is sent twice. Where it
//! calls this machine, only the certificate is taken that the configuration names, whatever names
//! are in it; elsewhere a certificate must be good as everybody's.

use crate::{
    connector::{
        Class, Failure, Fate, Kind,
        http::{self, Answer, Http, HttpError},
        loose::{encode, excerpt},
    },
    secret::Secret,
};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use reqwest::{RequestBuilder, header};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

/// What separates the parts of a message.
const BOUNDARY: &str = "causeway-contract-part";

/// How one is called.
#[derive(Clone, Debug)]
pub struct Target {
    /// Address up to and without `/service`.
    pub url: String,
    /// Name and value of the header that says who calls; absent: nobody does.
    pub proof: Option<(String, Secret)>,
    /// Time and trust.
    pub http: http::Settings,
    /// The certificate that alone is good, as DER; absent: trust as [`Target::http`] says.
    pub certificate: Option<Vec<u8>>,
}

/// By which form a document is given (reference/m3.md 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object (v2).
    Single,
    /// Two parts (v3).
    Multipart,
    /// The document itself (v3).
    Bare,
}

impl Form {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Single, Self::Multipart, Self::Bare];

    /// Returns where it is given, below the target's address.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Single => "v2/message",
            Self::Multipart => "v3/multipartMessage",
            Self::Bare => "v3/message/multipart",
        }
    }
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// `Show.ShipToPartyMaster`.
    pub name: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The document.
    pub document: &'a str,
}

/// Calls a gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    http: Http,
    base: String,
    proof: Option<(String, Secret)>,
}

/// Returns where a gateway that listens there is reached from its own machine.
pub fn here(listen: SocketAddr, path: &str) -> String {
    let ip = match listen.ip() {
        // Every address of IPv6 takes those of IPv4, too, unless the system was told otherwise.
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    format!("https://{}{path}", SocketAddr::new(ip, listen.port()))
}

impl Caller {
    /// Prepares to call; nothing is sent.
    pub fn new(target: Target) -> Result<Self, HttpError> {
        let Target { url, proof, http, certificate } = target;
        let address = http::address(&url)?;
        let http = match certificate {
            Some(certificate) => Http::pinned(&http, certificate)?,
            None => Http::new(&http, &[&address])?,
        };
        Ok(Self {
            http,
            base: format!("{}/service", address.as_str().trim_end_matches('/')),
            proof,
        })
    }

    /// Returns the same with another proof.
    #[must_use]
    pub fn with_proof(&self, proof: Option<(String, Secret)>) -> Self {
        Self { proof, ..self.clone() }
    }

    /// Asks one of the questions that are answered without a body.
    pub async fn ask(&self, path: &str) -> Result<Answer, Failure> {
        self.send(self.http.client().get(format!("{}/{path}", self.base))).await
    }

    /// Asks which documents are taken.
    pub async fn discover(&self) -> Result<Answer, Failure> {
        let request = self.http.client().post(format!("{}/v3/discovery", self.base));
        self.send(request.header("X-TenantId", "CAUSEWAY")).await
    }

    /// Gives one document.
    pub async fn give(&self, form: Form, given: Given<'_>) -> Result<Answer, Failure> {
        let url = format!("{}/{}", self.base, form.path());
        let request = self.http.client();
        let request = match form {
            Form::Single => {
                let document = json!({
                    "value": given.document, "encoding": "NONE", "characterSet": "UTF-8",
                });
                let request = request.post(url).header(header::CONTENT_TYPE, "application/json");
                request.body(said(given, &document))
            }
            Form::Multipart => {
                let kind = format!("multipart/form-data; boundary={BOUNDARY}");
                let request = request.post(url).header(header::CONTENT_TYPE, kind);
                request.body(parts(given))
            }
            Form::Bare => {
                let (name, id) = (encode(given.name), encode(given.id));
                let request = request.post(format!("{url}?documentName={name}&messageId={id}"));
                let request = request.header(header::CONTENT_TYPE, "application/xml");
                request.body(given.document.to_owned())
            }
        };
        self.send(request).await
    }

    /// Says that a body of so many bytes follows, and does not send it: who judges by what is
    /// said answers at once.
    pub async fn promise(&self, form: Form, bytes: u64) -> Result<Answer, Failure> {
        let request = self.http.client().post(format!("{}/{}", self.base, form.path()));
        let request = request.header(header::CONTENT_TYPE, "application/xml");
        self.send(request.body(reqwest::Body::wrap(Promised(bytes)))).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let request = match &self.proof {
            Some((name, value)) => request.header(name, value.reveal()),
            None => request,
        };
        let request = request.build().map_err(|error| {
            let text = format!("the request cannot be built: {}", error.without_url());
            Failure::new(Fate::NotDone, Class::Config, &text)
        })?;
        self.http.send(request).await.map_err(|lost| Failure::from(lost).of_kind(Kind::Read))
    }
}

/// Says what was answered, for a person.
pub fn told(answer: &Answer) -> String {
    let message = serde_json::from_slice::<Value>(&answer.body).ok();
    let message = message.as_ref().and_then(|said| said.get("message")?.as_str());
    let text = message.map_or_else(|| excerpt(&answer.body).into_owned(), str::to_owned);
    format!("HTTP {}: {}", answer.status, text.chars().take(200).collect::<String>())
}

fn said(given: Given<'_>, document: &Value) -> String {
    let Given { name, id, document: _ } = given;
    let from = "lid://causeway.contract";
    json!({ "documentName": name, "messageId": id, "fromLogicalId": from, "document": document })
        .to_string()
}

fn parts(given: Given<'_>) -> String {
    let said = said(given, &json!({ "encoding": "NONE", "characterSet": "UTF-8" }));
    let part = |name: &str, content: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n"
        )
    };
    let (said, payload) = (part("ParameterRequest", &said), part("MessagePayload", given.document));
    format!("{said}{payload}--{BOUNDARY}--\r\n")
}

/// A body that never comes.
struct Promised(u64);

impl Body for Promised {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_reached_where_it_listens() {
        let table = [
            ("0.0.0.0:8443", "https://127.0.0.1:8443/ims"),
            ("[::]:8443", "https://127.0.0.1:8443/ims"),
            ("192.0.2.7:443", "https://192.0.2.7:443/ims"),
            ("[::1]:1", "https://[::1]:1/ims"),
        ];
        for (listen, want) in table {
            assert_eq!(here(listen.parse().unwrap(), "/ims"), want);
        }
    }

    #[test]
    fn an_answer_is_told_by_its_message_or_its_text() {
        let answer = |body: &str| Answer {
            status: 400,
            retry_after_s: None,
            rest_error: None,
            body: body.into(),
        };
        assert_eq!(told(&answer(r#"{"message":"no"}"#)), "HTTP 400: no");
        assert_eq!(told(&answer("<h1>Bad</h1>")), "HTTP 400: Bad");
    }
}
