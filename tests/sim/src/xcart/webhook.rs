//! Tells the webhook what happened, as badly as it was told to.
//!
//! Guarantees: an event is attempted until it is accepted or its retries are used up, unless it
//! was drawn to be lost; a retry carries the same delivery id and the same bytes; the signature
//! is over the raw bytes that are sent (reference/xcart.md 7).

use super::{
    events::{Counts, Happened, Told},
    options::{Encoding, Payload, Signature, WebhookTarget},
    php_json::{Unicode, encode},
};
use crate::{dice::Dice, serve::Request};
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, Mac};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::{
    collections::HashMap,
    fmt, io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use time::OffsetDateTime;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Attempts under way at most.
const ATTEMPTS_MAX: usize = 16;
/// Deliveries not ended at most, those that wait for their next attempt included.
const DELIVERIES_LEN_MAX: usize = 20_000;
/// How far apart shuffled events may change places.
const SHUFFLE_MS_MAX: u64 = 150;

/// Who carries webhooks where there is no network.
pub trait Courier: fmt::Debug + Send + Sync {
    /// Carries one over and brings the status of its answer; none when nobody answered.
    fn carry(&self, request: Request) -> Pin<Box<dyn Future<Output = Option<u16>> + Send + '_>>;
}

/// The way to the target.
#[derive(Clone)]
enum Way {
    Line(Result<reqwest::Client, Arc<io::Error>>),
    Courier(Arc<dyn Courier>),
}

/// Tells events until it is stopped; what waits then is forgotten.
pub(crate) async fn run(
    mut events: mpsc::Receiver<Told>,
    mut dice: Dice,
    counts: Arc<Counts>,
    stop: CancellationToken,
    courier: Option<Arc<dyn Courier>>,
) {
    let mut deliveries = JoinSet::new();
    let room = Arc::new(Semaphore::new(ATTEMPTS_MAX));
    let mut clients = HashMap::new();
    loop {
        let told = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = deliveries.join_next(), if !deliveries.is_empty() => continue,
            told = events.recv(), if deliveries.len() < DELIVERIES_LEN_MAX => match told {
                Some(told) => told,
                None => break,
            },
        };
        let key = told.target.ca_pem.clone();
        let way = if let Some(courier) = &courier {
            Way::Courier(Arc::clone(courier))
        } else {
            let client = clients.entry(key).or_insert_with_key(|ca| client(ca.as_deref()));
            Way::Line(client.clone())
        };
        for (delivery, wait_ms) in plan(&told, &mut dice, &counts) {
            let post = Post {
                way: way.clone(),
                counts: Arc::clone(&counts),
                room: Arc::clone(&room),
                delivery,
            };
            // Taken here, the permits of punctual ones are handed out in the events' order.
            let first = if wait_ms > 0 {
                None
            } else {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    permit = Arc::clone(&room).acquire_owned() => permit.ok(),
                }
            };
            deliveries.spawn(async move {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                post.until_accepted(first).await;
            });
        }
    }
}

/// One body on its way.
struct Delivery {
    id: String,
    event: &'static str,
    body: Vec<u8>,
    target: Arc<WebhookTarget>,
}

/// The deliveries an event leads to, each with its wait.
fn plan(told: &Told, dice: &mut Dice, counts: &Counts) -> Vec<(Delivery, u64)> {
    let target = &told.target;
    if dice.permille(target.lost_permille) {
        counts.lost.fetch_add(1, Ordering::SeqCst);
        counts.waiting.fetch_sub(1, Ordering::SeqCst);
        return Vec::new();
    }
    let id = format!("{:016x}", dice.next_u64());
    let delivery = |id: String| Delivery {
        id,
        event: told.happened.event,
        body: body(&told.happened, target.payload),
        target: Arc::clone(target),
    };
    let mut wait = || {
        if dice.permille(target.late_permille) {
            dice.range(1..=target.late_ms_max)
        } else if target.shuffle {
            dice.range(0..=SHUFFLE_MS_MAX)
        } else {
            0
        }
    };
    let (first_ms, second_ms) = (wait(), wait());
    let mut all = vec![(delivery(id.clone()), first_ms)];
    if dice.permille(target.duplicate_permille) {
        counts.duplicates.fetch_add(1, Ordering::SeqCst);
        counts.waiting.fetch_add(1, Ordering::SeqCst);
        let again = if dice.permille(500) { id } else { format!("{:016x}", dice.next_u64()) };
        all.push((delivery(again), second_ms));
    }
    all
}

fn body(happened: &Happened, payload: Payload) -> Vec<u8> {
    let mut whole = Map::new();
    whole.insert("event".to_owned(), json!(happened.event));
    match (&happened.number, payload) {
        (Some(number), Payload::ThinNumber) => {
            whole.insert("order_number".to_owned(), json!(number));
        }
        (number, Payload::Thin | Payload::ThinNumber | Payload::Full) => {
            whole.insert("id".to_owned(), json!(happened.id));
            if let Some(number) = number {
                whole.insert("order_number".to_owned(), json!(number));
            }
        }
    }
    if let (Payload::Full, Some(Value::Object(full))) = (payload, &happened.full) {
        whole.extend(full.clone());
    }
    encode(&Value::Object(whole), Unicode::Escaped).into_bytes()
}

struct Post {
    way: Way,
    counts: Arc<Counts>,
    room: Arc<Semaphore>,
    delivery: Delivery,
}

impl Post {
    async fn until_accepted(self, mut permit: Option<OwnedSemaphorePermit>) {
        let target = &self.delivery.target;
        let mut wait_ms = target.backoff_ms;
        let mut accepted = false;
        for attempt in 0..=target.retries_max {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                wait_ms = wait_ms.saturating_mul(2);
            }
            let held = match permit.take() {
                Some(first) => Some(first),
                None => Arc::clone(&self.room).acquire_owned().await.ok(),
            };
            self.counts.sent.fetch_add(1, Ordering::SeqCst);
            accepted = self.once().await;
            // One that waits for its next attempt must not hold up the others.
            drop(held);
            let counter = if accepted { &self.counts.accepted } else { &self.counts.refused };
            counter.fetch_add(1, Ordering::SeqCst);
            if accepted {
                break;
            }
        }
        if !accepted {
            self.counts.given_up.fetch_add(1, Ordering::SeqCst);
        }
        self.counts.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    async fn once(&self) -> bool {
        let Delivery { id, event, body, target } = &self.delivery;
        let now_s = OffsetDateTime::now_utc().unix_timestamp();
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("user-agent".to_owned(), "shop-webhooks/1.0".to_owned()),
            (target.event_header.clone(), (*event).to_owned()),
            (target.delivery_id_header.clone(), id.clone()),
        ];
        headers.extend(signature(&target.signature, body, now_s));
        let patience = Duration::from_millis(target.answer_ms_max);
        match &self.way {
            Way::Line(Err(_)) => false,
            Way::Line(Ok(client)) => {
                let request = client.post(&target.url).timeout(patience).body(body.clone());
                let request = headers.into_iter().fold(request, |it, (k, v)| it.header(k, v));
                request.send().await.is_ok_and(|answer| answer.status().is_success())
            }
            Way::Courier(courier) => {
                let Some(request) = post(&target.url, headers, body) else { return false };
                let answer = tokio::time::timeout(patience, courier.carry(request)).await;
                answer.is_ok_and(|status| status.is_some_and(|status| status / 100 == 2))
            }
        }
    }
}

/// A request as a server would see it.
fn post(url: &str, headers: Vec<(String, String)>, body: &[u8]) -> Option<Request> {
    let path = hyper::Uri::try_from(url).ok()?.path().to_owned();
    let mut map = hyper::HeaderMap::new();
    for (name, value) in headers {
        map.insert(hyper::header::HeaderName::try_from(name).ok()?, value.parse().ok()?);
    }
    let body = body.to_vec().into();
    Some(Request { method: "POST".to_owned(), path, query: String::new(), headers: map, body })
}

/// The headers that vouch for a body.
fn signature(signature: &Signature, body: &[u8], now_s: i64) -> Vec<(String, String)> {
    match signature {
        Signature::None => Vec::new(),
        Signature::Token { header, value } => vec![(header.clone(), value.clone())],
        Signature::Hmac { header, secret, encoding, prefix, timestamp } => {
            let mut headers = Vec::new();
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
                return headers;
            };
            if let Some(timestamp) = timestamp {
                if timestamp.signed {
                    mac.update(format!("{now_s}.").as_bytes());
                }
                headers.push((timestamp.header.clone(), now_s.to_string()));
            }
            mac.update(body);
            let digest = mac.finalize().into_bytes();
            let digest = match encoding {
                Encoding::Hex => HEXLOWER.encode(&digest),
                Encoding::Base64 => BASE64.encode(&digest),
            };
            headers.push((header.clone(), format!("{prefix}{digest}")));
            headers
        }
    }
}

fn client(ca_pem: Option<&str>) -> Result<reqwest::Client, Arc<io::Error>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Another part may have installed it first; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy();
    let builder = match ca_pem {
        None => builder,
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|fault| Arc::new(io::Error::other(fault)))?;
                roots.add(certificate).map_err(|fault| Arc::new(io::Error::other(fault)))?;
            }
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|fault| Arc::new(io::Error::other(fault)))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            builder.tls_backend_preconfigured(config)
        }
    };
    builder.build().map_err(|fault| Arc::new(io::Error::other(fault)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xcart::options::Timestamp;

    #[test]
    fn a_signature_is_over_the_raw_bytes_in_the_form_asked_for() {
        let hmac = |encoding, timestamp| Signature::Hmac {
            header: "X-Sig".to_owned(),
            secret: "key".to_owned(),
            encoding,
            prefix: "sha256=".to_owned(),
            timestamp,
        };
        let body = b"The quick brown fox jumps over the lazy dog";
        let hex = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        let plain = signature(&hmac(Encoding::Hex, None), body, 5);
        assert_eq!(plain, [("X-Sig".to_owned(), hex.to_owned())]);
        let base64 = signature(&hmac(Encoding::Base64, None), body, 5);
        assert_eq!(base64[0].1, "sha256=97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=");
        let stamp = |signed| Some(Timestamp { header: "X-At".to_owned(), signed });
        let beside = signature(&hmac(Encoding::Hex, stamp(false)), body, 5);
        assert_eq!(beside[0], ("X-At".to_owned(), "5".to_owned()));
        assert_eq!(beside[1].1, hex);
        let signed = signature(&hmac(Encoding::Hex, stamp(true)), body, 5);
        let by_hand = signature(&hmac(Encoding::Hex, None), &[b"5.".as_slice(), body].concat(), 0);
        assert_eq!(signed[1], by_hand[0]);
    }

    #[test]
    fn a_thin_body_names_the_order_and_nothing_else() {
        let order = Happened {
            event: "order.created",
            id: 7,
            number: Some("100".to_owned()),
            full: Some(json!({"id": 7, "total": 1.5})),
        };
        let table = [
            (Payload::Thin, r#"{"event":"order.created","id":7,"order_number":"100"}"#),
            (Payload::ThinNumber, r#"{"event":"order.created","order_number":"100"}"#),
            (Payload::Full, r#"{"event":"order.created","id":7,"order_number":"100","total":1.5}"#),
        ];
        for (payload, want) in table {
            assert_eq!(String::from_utf8(body(&order, payload)).unwrap(), want);
        }
    }
}
