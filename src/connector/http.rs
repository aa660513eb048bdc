//! One HTTP client for every connector.
//!
//! Guarantees: no redirect is followed and nothing is sent twice; `http://` is spoken to
//! this machine only; a private CA replaces all other roots; no answer is larger than
//! `body_bytes_max` and none takes longer than `call_ms_max`. When there is no complete
//! answer, [`Lost`] says whether the request may have left.

use super::{Class, Failure, Fate, quota::LimitHeaders, trust};
use crate::{certificate, clock};
use reqwest::{Client, Request, Response, header, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::{
    error::Error as _,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use thiserror::Error;
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};
use url::{Host, Url};

/// Idle connections kept for one host; each costs some 20 kB with TLS.
const IDLE_PER_HOST_MAX: usize = 2;

/// How long an idle connection is kept: short, because a write that meets the other
/// side's hanging up has an unknown fate.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// The header in which an X-Cart of 5.0 to 5.4 says what is wrong (reference/xcart.md 9.3).
const REST_ERROR: &str = "x-rest-error";

/// The longest `Retry-After` that is believed.
const RETRY_AFTER_S_MAX: u64 = 86_400;

/// How to reach one destination.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Time to connect, TLS included.
    pub connect_ms_max: u64,
    /// Time for the whole call. The gateway before M3 gives up after 60 s (reference/m3.md 1.7).
    pub call_ms_max: u64,
    /// Size of an answer.
    pub body_bytes_max: usize,
    /// PEM file with the only authorities to trust; without it those of the system.
    pub ca_file: Option<PathBuf>,
    /// The way out.
    pub proxy: Proxy,
}

/// The way out of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proxy {
    /// As the environment says.
    #[default]
    System,
    /// Directly.
    Off,
    /// Through this one, such as `http://proxy.site:3128`.
    Url(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_ms_max: 10_000,
            call_ms_max: 70_000,
            body_bytes_max: 10_000_000,
            ca_file: None,
            proxy: Proxy::System,
        }
    }
}

/// Why there is no client. The text continues "could not prepare the connection: ".
#[derive(Debug, Error)]
pub enum HttpError {
    /// The address is not one.
    #[error("{0:?} is not an address")]
    NotAnAddress(String),
    /// Plain HTTP to another machine.
    #[error("{0} is not https, which is allowed for this machine only")]
    NotHttps(Url),
    /// The CA file cannot be used.
    #[error("the CA file {path} cannot be read")]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate cannot be used.
    #[error("a certificate of {path} cannot be used")]
    CaUnusable {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: rustls::Error,
    },
    /// Nothing to trust.
    #[error("no certificate authority was found {0}")]
    NoRoots(&'static str),
    /// The library refused.
    #[error("the client cannot be built")]
    Client(#[from] reqwest::Error),
    /// The TLS library refused.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// A complete answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What `Retry-After` asks for, if it is there and can be read.
    pub retry_after_s: Option<u64>,
    /// The body, whole.
    pub body: Vec<u8>,
    /// What `X-REST-Error` says (reference/xcart.md 9.3).
    pub rest_error: Option<String>,
}

/// No complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Whether the request may have left.
    pub sent: Sent,
    /// Unreachable, timed out or broken.
    pub class: Class,
    /// For the operator.
    pub text: String,
}

/// Whether a request may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// No.
    No,
    /// Perhaps.
    Perhaps,
}

impl Lost {
    fn too_late() -> Self {
        let text = "no answer in time".to_owned();
        Self { sent: Sent::Perhaps, class: Class::TimedOut, text }
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        let fate = match lost.sent {
            Sent::No => Fate::NotDone,
            Sent::Perhaps => Fate::Unknown,
        };
        Self::new(fate, lost.class, &lost.text)
    }
}

/// What stands in the place of the network in a simulation.
pub trait Exchange: std::fmt::Debug + Send + Sync {
    /// Carries one request over and its answer back; what is never ready is a silence.
    fn exchange(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Lost>> + Send + '_>>;
}

/// The client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    body_bytes_max: usize,
    call_max: Duration,
    simulated: Option<Arc<dyn Exchange>>,
    seen: Arc<Mutex<Seen>>,
    limits: LimitHeaders,
}

/// What the newest answers showed beside what they said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many seconds the other clock is ahead of ours; none when its answers carry no date.
    pub clock_ahead_s: Option<i64>,
    /// When the certificate of the other side ends, in milliseconds since 1970.
    pub certificate_ends_ms: Option<u64>,
}

/// Reads the address of a destination; it ends without a slash.
pub fn address(text: &str) -> Result<Url, HttpError> {
    let url = Url::parse(text.trim_end_matches('/'))
        .map_err(|_| HttpError::NotAnAddress(text.to_owned()))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine(&url) => Ok(url),
        "http" => Err(HttpError::NotHttps(url)),
        _ => Err(HttpError::NotAnAddress(text.to_owned())),
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Http {
    /// Builds the client for these addresses, which decide whether roots are loaded at all.
    pub fn new(settings: &Settings, addresses: &[&Url]) -> Result<Self, HttpError> {
        let encrypted = addresses.iter().any(|url| url.scheme() == "https");
        let roots = match (&settings.ca_file, encrypted) {
            (Some(path), true) => trust::of_file(path)?,
            (None, true) => trust::of_system()?,
            (_, false) => RootCertStore::empty(),
        };
        let is_here = addresses.iter().all(|url| is_this_machine(url));
        Self::with_tls(settings, trust::these(roots)?, is_here)
    }

    /// Builds a client that takes one certificate only, whatever names are in it, and goes through
    /// no proxy.
    pub(crate) fn pinned(settings: &Settings, certificate: Vec<u8>) -> Result<Self, HttpError> {
        Self::with_tls(settings, trust::only(certificate)?, true)
    }

    #[expect(clippy::fn_params_excessive_bools, reason = "whether only this machine is called")]
    fn with_tls(settings: &Settings, tls: ClientConfig, is_here: bool) -> Result<Self, HttpError> {
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .tls_info(true)
            .user_agent(concat!("causeway/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_millis(settings.connect_ms_max))
            .timeout(Duration::from_millis(settings.call_ms_max))
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .pool_idle_timeout(IDLE_MAX);
        let builder = match &settings.proxy {
            _ if is_here => builder.no_proxy(),
            Proxy::System => builder,
            Proxy::Off => builder.no_proxy(),
            Proxy::Url(url) => builder.proxy(reqwest::Proxy::all(url.as_str())?),
        };
        Ok(Self {
            client: builder.build()?,
            body_bytes_max: settings.body_bytes_max,
            call_max: Duration::from_millis(settings.call_ms_max),
            simulated: None,
            seen: Arc::default(),
            limits: LimitHeaders::default(),
        })
    }

    /// Returns the same client with a simulation in the place of the network.
    #[must_use]
    pub fn through(&self, simulated: Arc<dyn Exchange>) -> Self {
        Self { simulated: Some(simulated), ..self.clone() }
    }

    /// Returns the client, to build requests with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns what the newest answers showed.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the headers about limits that answers came with.
    pub(crate) fn limit_headers(&self) -> Vec<(String, String)> {
        self.limits.list()
    }

    /// Notes the date and the certificate of an answer; without one, what was seen before stays.
    fn look_at(&self, response: &Response) {
        self.limits.note(response.headers());
        let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(http_date);
        let info = response.extensions().get::<reqwest::tls::TlsInfo>();
        let ends = info.and_then(reqwest::tls::TlsInfo::peer_certificate);
        let ends = ends.and_then(certificate::ends_ms);
        let ours = OffsetDateTime::from(clock::now().wall);
        let ahead_s = date.map(|date| (date - ours).whole_seconds());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clock_ahead_s = ahead_s.or(seen.clock_ahead_s);
        seen.certificate_ends_ms = ends.or(seen.certificate_ends_ms);
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&self, request: Request) -> Result<Answer, Lost> {
        if let Some(simulated) = &self.simulated {
            let answer = tokio::time::timeout(self.call_max, simulated.exchange(request)).await;
            return answer.unwrap_or_else(|_| Err(Lost::too_late()));
        }
        let response = self.client.execute(request).await.map_err(|error| lost(&error))?;
        self.look_at(&response);
        let status = response.status().as_u16();
        let retry_after_s = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| retry_after_s(text, clock::now().wall));
        let rest_error = response.headers().get(REST_ERROR);
        let rest_error = rest_error.map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        let body = self.read(response).await?;
        Ok(Answer { status, retry_after_s, body, rest_error })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Lost> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
            if body.len().saturating_add(chunk.len()) > self.body_bytes_max {
                let text = format!("the answer is larger than {} bytes", self.body_bytes_max);
                return Err(Lost { sent: Sent::Perhaps, class: Class::Broken, text });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Judges a request that got no answer. Only a failure to connect proves that nothing left.
fn lost(error: &reqwest::Error) -> Lost {
    let sent = if error.is_connect() || error.is_builder() { Sent::No } else { Sent::Perhaps };
    let class = match (error.is_connect(), error.is_timeout()) {
        (true, _) => Class::Unreachable,
        (false, true) => Class::TimedOut,
        (false, false) => Class::Unreachable,
    };
    Lost { sent, class, text: words(error) }
}

/// Judges an answer that broke off.
fn cut(error: &reqwest::Error) -> Lost {
    let class = if error.is_timeout() { Class::TimedOut } else { Class::Unreachable };
    Lost { sent: Sent::Perhaps, class, text: words(error) }
}

/// Returns the causes without the address, which may hold values.
fn words(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    match words.is_empty() {
        true if error.is_timeout() => "no answer in time".to_owned(),
        true => "the request failed".to_owned(),
        false => words.join(": "),
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after_s(text: &str, now: SystemTime) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.min(RETRY_AFTER_S_MAX));
    }
    let left = (http_date(text)? - OffsetDateTime::from(now)).whole_seconds();
    Some(u64::try_from(left).unwrap_or(0).min(RETRY_AFTER_S_MAX))
}

/// Reads a date as headers have it (RFC 9110 5.6.7).
fn http_date(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    Some(PrimitiveDateTime::parse(text.trim(), format).ok()?.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::stub::{Reply, Stub};
    use std::time::UNIX_EPOCH;

    fn http(url: &Url, change: impl FnOnce(&mut Settings)) -> Http {
        let mut settings = Settings::default();
        change(&mut settings);
        Http::new(&settings, &[url]).unwrap()
    }

    async fn get(http: &Http, url: &str) -> Result<Answer, Lost> {
        http.send(http.client().get(url).build().unwrap()).await
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let table = [
            ("https://m3.example:7443/", "https://m3.example:7443/"),
            ("https://m3.example/a/", "https://m3.example/a"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("http://localhost", "http://localhost/"),
            ("http://[::1]:1", "http://[::1]:1/"),
            (
                "http://10.0.0.7",
                "http://10.0.0.7/ is not https, which is allowed for this machine only",
            ),
            (
                "http://localhost.evil.example",
                "http://localhost.evil.example/ is not https, which is allowed for this machine only",
            ),
            ("ftp://h", "\"ftp://h\" is not an address"),
            ("m3.example", "\"m3.example\" is not an address"),
            ("", "\"\" is not an address"),
        ];
        for (text, want) in table {
            let got = address(text).map_or_else(|e| e.to_string(), String::from);
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let table = [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999", Some(RETRY_AFTER_S_MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sat, 05 Nov 1994 08:50:37 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(retry_after_s(text, now), want, "{text}");
        }
    }

    #[tokio::test]
    async fn what_left_and_what_did_not_is_told_apart() {
        let stub = Stub::start([
            Reply::With(200, "retry-after: 7\r\n", "yes".to_owned()),
            Reply::With(302, "location: /elsewhere\r\n", String::new()),
            Reply::HangUp,
            Reply::BreakOff,
            Reply::With(200, "", "x".repeat(101)),
            Reply::Silence,
        ])
        .await;
        let url = address(&stub.url()).unwrap();
        let http = http(&url, |s| {
            s.body_bytes_max = 100;
            s.call_ms_max = 500;
        });
        let mut told = Vec::new();
        for _ in 0..6 {
            told.push(match get(&http, url.as_str()).await {
                Ok(answer) => format!("{} {:?}", answer.status, answer.retry_after_s),
                Err(Lost { sent, class, .. }) => format!("{sent:?} {class:?}"),
            });
        }
        let want = [
            "200 Some(7)",
            "302 None",
            "Perhaps Unreachable",
            "Perhaps Unreachable",
            "Perhaps Broken",
            "Perhaps TimedOut",
        ];
        assert_eq!(told, want);
        assert_eq!(stub.asked().len(), 6, "nothing is sent twice, no redirect is followed");
        drop(stub);
        let lost = get(&http, url.as_str()).await.unwrap_err();
        assert_eq!((lost.sent, lost.class), (Sent::No, Class::Unreachable));
        assert!(!lost.text.is_empty() && !lost.text.contains("http://"), "{}", lost.text);
    }

    #[tokio::test]
    async fn the_other_clock_is_seen_in_its_answers_and_stays_seen() {
        let old = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        let replies = [Reply::With(200, "", String::new()), Reply::With(500, old, String::new())];
        let stub = Stub::start(replies).await;
        stub.play([Reply::With(200, "", String::new())]);
        let url = address(&stub.url()).unwrap();
        let http = http(&url, |_| {});
        let mut seen = Vec::new();
        for _ in 0..3 {
            get(&http, url.as_str()).await.unwrap();
            seen.push(http.seen().clock_ahead_s.map(|ahead_s| ahead_s < -900_000_000));
        }
        assert_eq!(seen, [None, Some(true), Some(true)]);
        assert_eq!(http.seen().certificate_ends_ms, None);
    }

    /// An authority, and a certificate for `localhost` that it signed.
    fn authority() -> (String, rustls::ServerConfig) {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], der);
        (pem, server.unwrap())
    }

    /// Answers one request over TLS, if the client accepts the certificate.
    async fn answer_once(listener: tokio::net::TcpListener, server: rustls::ServerConfig) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let (socket, _) = listener.accept().await.unwrap();
        let Ok(mut socket) = acceptor.accept(socket).await else { return };
        let _ = socket.read(&mut [0; 4_096]).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        let _ = socket.shutdown().await;
    }

    #[tokio::test]
    async fn only_the_private_ca_is_trusted_and_a_stranger_is_told_nothing() {
        let (pem, own) = authority();
        let (_, stranger) = authority();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        for (server, trusted) in [(own, true), (stranger, false)] {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let url = address(&format!("https://localhost:{port}")).unwrap();
            let http = http(&url, |s| s.ca_file = Some(path.clone()));
            let (got, ()) = tokio::join!(get(&http, url.as_str()), answer_once(listener, server));
            match got {
                Ok(answer) => {
                    assert!(trusted && answer.body == b"hi", "{answer:?}");
                    // rcgen's own default end.
                    let ends_ms = http.seen().certificate_ends_ms.unwrap();
                    assert!(ends_ms > 60_000_000_000_000, "{ends_ms}");
                }
                Err(lost) => {
                    assert!(!trusted, "{lost:?}");
                    assert_eq!((lost.sent, lost.class), (Sent::No, Class::Unreachable));
                    assert!(lost.text.contains("certificate"), "{}", lost.text);
                }
            }
        }
    }

    #[test]
    fn a_private_ca_must_be_readable_and_hold_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let url = Url::parse("https://m3.example").unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let table = [
            (None, "Err(CaUnreadable"),
            (Some("words"), "Err(NoRoots"),
            (Some(pem.as_str()), "Ok("),
        ];
        for (text, want) in table {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let settings = Settings { ca_file: Some(path.clone()), ..Settings::default() };
            let got = format!("{:?}", Http::new(&settings, &[&url]));
            assert!(got.starts_with(want), "{got}");
        }
    }
}
