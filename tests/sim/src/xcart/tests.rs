//! The shop as a client meets it, over HTTP, held to reference/xcart.md.

mod legacy;
mod orders;
mod others;
mod seeded;
mod weather;
mod webhooks;

use super::{Clock, Options, Quirks, Shop};
use reqwest::{Client, Method, RequestBuilder};
use rust_decimal::Decimal;
use serde_json::Value;
use std::net::SocketAddr;

/// A moment in May.
pub(super) const MAY: i64 = 1_714_566_896;

/// A shop, its clock, and a client with both tokens.
pub(super) struct Rig {
    pub(super) shop: Shop,
    pub(super) clock: Clock,
    client: Client,
    read: String,
    write: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) text: String,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

pub(super) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Rig {
    pub(super) async fn calm() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(set: impl FnOnce(&mut Options)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Clock::by_hand(MAY);
        let mut options = Options { clock: clock.clone(), ..Options::calm(7) };
        set(&mut options);
        let (read, write) = (options.read_token.clone(), options.write_token.clone());
        let shop = Shop::start(anywhere(), options).await.unwrap();
        Self { shop, clock, client: Client::builder().no_proxy().build().unwrap(), read, write }
    }

    pub(super) fn set_quirks(&self, change: impl FnOnce(&mut Quirks)) {
        let mut quirks = Quirks::calm();
        change(&mut quirks);
        self.shop.set_quirks(quirks);
    }

    pub(super) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.shop.url()))
    }

    pub(super) fn reading(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("X-Auth-Token", &self.read)
    }

    pub(super) fn writing(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("x-auth-token", &self.write)
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        got(self.reading(Method::GET, path)).await
    }

    pub(super) async fn put(&self, path: &str, body: &str) -> Got {
        self.send(Method::PUT, path, body).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Got {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> Got {
        let request = self.writing(method, path).header("content-type", "application/json");
        got(request.body(body.to_owned())).await
    }

    pub(super) fn id(&self, number: &str) -> u64 {
        self.shop.booked(number).unwrap().id
    }
}

pub(super) async fn got(request: RequestBuilder) -> Got {
    let answer = request.send().await.unwrap();
    let content_type = answer.headers().get("content-type");
    let content_type = content_type.map_or("", |it| it.to_str().unwrap()).to_owned();
    Got { status: answer.status().as_u16(), content_type, text: answer.text().await.unwrap() }
}

pub(super) fn euro(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}
