//! Calls to the shop's REST API (reference/xcart.md 2 and 3).
//!
//! Guarantees: a call is sent once; the token is in a header, never in an address (the older API
//! has it there, see `rest/legacy.rs`), and never in an answer that is handed on; an answer that is
//! not the API's own (a login page, a maintenance page) is a failure, never an empty list.

use super::{
    Settings,
    docs::Dialect,
    guard,
    legacy::statuses::Table,
    problem::{self, Missing},
    wire,
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate, Kind,
        gate::{self, Gate},
        http::{self, Answer, Http, HttpError},
        loose::encode,
    },
    failpoint,
    metrics::Calls,
    order::Order,
    secret::Secret,
};
use legacy::{Side, Tongue};
use reqwest::{Method, Request, header};
use serde::Serialize;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use thiserror::Error;

mod ask;
mod legacy;
mod orders;
mod redact;

/// Orders on one page; the shop gives no more.
pub const PAGE_LEN: usize = 100;
/// The shop, ready to be called. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop(Arc<Inner>, Option<Arc<str>>);

#[derive(Debug)]
struct Inner {
    http: Http,
    gate: Gate,
    /// The shop's address, without a slash at its end.
    root: String,
    token: Secret,
    fields: super::AddressFields,
    legacy: Side,
    /// What the shop speaks, once it was asked.
    dialect: OnceLock<Dialect>,
}

/// Why the shop cannot be called at all. The text continues "could not prepare the shop: ".
#[derive(Debug, Error)]
pub enum ShopError {
    /// The connection cannot be prepared.
    #[error("the connection cannot be prepared")]
    Http(#[from] HttpError),
}

/// Which orders, and in what order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrdersQuery {
    /// The watermark in seconds since 1970. An old shop ignores it: check what comes back.
    pub after_s: i64,
    /// Whether the shop is asked to leave older ones out.
    pub filter: Filter,
    /// By the time of the last change.
    pub sort: Sort,
    /// From 1.
    pub page: u32,
}

/// Whether the shop is asked to leave older orders out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// By the time of the last change; 5.5.1 and newer.
    LastRenewDate,
    /// No: all orders.
    None,
}

/// By the time of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The longest unchanged first.
    OldestFirst,
    /// The last changed first.
    NewestFirst,
    /// By X-Cart's internal id, which is the order that nobody asks for.
    ById,
}

#[derive(Serialize)]
struct Status<'a> {
    code: &'a str,
}

impl Shop {
    /// Prepares to call; nothing is sent. `token` is what the settings' credential names.
    pub fn new(settings: Settings, token: &Secret) -> Result<Self, ShopError> {
        let http = Http::new(&settings.http, &[&http::address(&settings.base_url)?])?;
        Self::through(settings, token, &http)
    }

    /// Prepares to call through a client that is there already.
    pub fn through(settings: Settings, token: &Secret, http: &Http) -> Result<Self, ShopError> {
        let url = http::address(&settings.base_url)?;
        let root = url.as_str().trim_end_matches('/').to_owned();
        let legacy = Side::new(settings.dialect, settings.legacy);
        let (http, gate, token) = (http.clone(), Gate::new(&settings.gate), token.clone());
        let (fields, dialect) = (settings.address_fields, OnceLock::new());
        let inner = Inner { http, gate, root, token, fields, legacy, dialect };
        Ok(Self(Arc::new(inner), None))
    }

    /// Returns the same shop with its texts in a language, such as `de`, where it has them; else in
    /// its own (reference/xcart.md 2.2).
    #[must_use]
    pub fn speaking(&self, language: &str) -> Self {
        Self(Arc::clone(&self.0), Some(language.into()))
    }

    /// Reads an order by X-Cart's internal id.
    pub async fn order_by_id(&self, id: u64) -> Result<Order, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_order(id)).await;
        }
        let answer = self.get(&format!("/orders/{id}")).await?;
        self.0.order(&answer)
    }

    /// Reads an order by the number the buyer knows. Shops before 5.5.0.10 answer
    /// `NotFound` for every number (reference/xcart.md 3.1).
    pub async fn order_by_number(&self, number: &str) -> Result<Order, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_order_numbered(number)).await;
        }
        let target = format!("/orders/by_number/{}", encode(number));
        let answer = self.send(Method::GET, &target, None::<&()>).await;
        let answer = answer.and_then(|answer| match answer.status {
            404 if problem::missing(&answer) == Missing::Path => {
                let failure = problem::failure(&answer);
                Err(Failure { fate: Fate::Refused, class: Class::NotFound, ..failure })
            }
            _ => success(answer),
        });
        self.0.order(&answer.map_err(|failure| failure.of_kind(Kind::Read))?)
    }

    /// Sets the fulfilment status; setting the one it has changes nothing.
    pub async fn set_shipping_status(&self, order_id: u64, code: &str) -> Result<(), Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_set_status(Table::Shipping, (order_id, code))).await;
        }
        self.put(&format!("/orders/{order_id}/shipping_status"), &Status { code }).await
    }

    /// Sets the payment status; setting the one it has changes nothing.
    pub async fn set_payment_status(&self, order_id: u64, code: &str) -> Result<(), Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_set_status(Table::Payment, (order_id, code))).await;
        }
        self.put(&format!("/orders/{order_id}/payment_status"), &Status { code }).await
    }

    /// Counts every call from here on.
    pub fn count_calls(&self, calls: &Calls) {
        self.0.gate.count_in(calls.clone(), "xcart");
    }

    /// Returns what the newest answers showed beside what they said.
    pub fn seen(&self) -> http::Seen {
        self.0.http.seen()
    }

    /// Ends the gate: whoever waits for leave to call is refused at once.
    pub fn end(&self) {
        self.0.gate.end();
    }

    /// Returns how long nothing is sent, if it is away or has asked for a pause.
    pub fn closed_for(&self) -> Option<Duration> {
        self.0.gate.closed_for()
    }

    /// Returns what the gate looks like, for metrics and the doctor.
    pub fn gate_state(&self) -> gate::State {
        self.0.gate.state()
    }

    pub(super) fn address_fields(&self) -> &super::AddressFields {
        &self.0.fields
    }

    pub(super) async fn get(&self, target: &str) -> Result<Answer, Failure> {
        let answer = self.send(Method::GET, target, None::<&()>).await;
        let answer = answer.and_then(success).map_err(|failure| failure.of_kind(Kind::Read))?;
        self.0.legacy.settle(Tongue::Modern);
        Ok(answer)
    }

    pub(super) async fn put(&self, target: &str, body: &impl Serialize) -> Result<(), Failure> {
        self.send(Method::PUT, target, Some(body)).await.and_then(success).map(|_| ())
    }

    pub(super) async fn post(
        &self,
        target: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        self.send(Method::POST, target, Some(body)).await.and_then(success)
    }

    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Answer, Failure> {
        if let Some(why) = guard::forbidden(method.as_str(), target) {
            return Err(unsendable(why));
        }
        if self.0.legacy.is_settled() {
            return Err(legacy::not_offered());
        }
        let Inner { http, token, .. } = &*self.0;
        let request = http
            .client()
            .request(method.clone(), format!("{}/api{target}", self.0.root))
            .header("x-auth-token", token.reveal())
            .header(header::ACCEPT, "application/json");
        let request = match &self.1 {
            Some(language) => request.header(header::ACCEPT_LANGUAGE, &**language),
            None => request,
        };
        let bytes = body.map(serde_json::to_vec).transpose();
        let request = match bytes.map_err(|e| unsendable(&e.to_string()))? {
            Some(bytes) => request.header(header::CONTENT_TYPE, "application/json").body(bytes),
            None => request,
        };
        let request = request.build().map_err(|e| unsendable(&e.without_url().to_string()))?;
        let judge = |answer: &Answer| (answer.status >= 300).then(|| problem::failure(answer));
        self.exchange(request, judge, (&method, target)).await
    }

    /// Sends a request through the gate and logs it as `told`, which holds no secret; `judge` says
    /// what is wrong with an answer. What stood for our token in the answer is taken out of it.
    async fn exchange(
        &self,
        request: Request,
        judge: impl Fn(&Answer) -> Option<Failure>,
        (method, target): (&Method, &str),
    ) -> Result<Answer, Failure> {
        let pass = self.0.gate.enter().await?;
        let begun = clock::now().mono;
        failpoint::pass("shop.call.before");
        let answer = self.0.http.send(request).await.map_err(Failure::from);
        failpoint::pass("shop.call.answered");
        let answer = answer.map(|answer| redact::answer(answer, &self.0.token));
        let failure = match &answer {
            Ok(answer) => judge(answer),
            Err(failure) => Some(failure.clone()),
        };
        pass.done(failure.as_ref());
        let ms = clock::millis(clock::now().mono.duration_since(begun));
        let class = failure.map(|failure| failure.class);
        tracing::debug!(%method, target, ms, ?class, "shop call");
        answer
    }
}

impl Inner {
    fn order(&self, answer: &Answer) -> Result<Order, Failure> {
        let text = str::from_utf8(&answer.body).map_err(|e| unreadable(answer, &e.to_string()))?;
        wire::order(text, &self.fields).map_err(|why| unreadable(answer, &why))
    }
}

/// Lets an answer of the API through: 2xx with JSON, or without any body after a write.
pub(super) fn success(answer: Answer) -> Result<Answer, Failure> {
    let json = matches!(answer.body.trim_ascii().first(), Some(b'{' | b'[' | b'"'));
    match answer.status {
        204 => Ok(answer),
        200..=299 if json => Ok(answer),
        _ => Err(problem::failure(&answer)),
    }
}

pub(super) fn unreadable(answer: &Answer, why: &str) -> Failure {
    let text = format!("the shop's answer cannot be read: {why}");
    Failure::new(Fate::NotDone, Class::Broken, &text).with_code(format!("HTTP {}", answer.status))
}

fn unsendable(why: &str) -> Failure {
    Failure::new(Fate::NotDone, Class::Config, &format!("the request cannot be built: {why}"))
}

#[cfg(test)]
mod tests;
