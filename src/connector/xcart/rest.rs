//! Calls to the shop's REST API (reference/xcart.md 2 and 3).
//!
//! Guarantees: a call is sent once; the token is in a header, never in an address; an
//! answer that is not the API's own (a login page, a maintenance page) is a failure, never
//! an empty list.

use super::{
    Settings,
    docs::Dialect,
    guard,
    problem::{self, Missing},
    wire::{self, OrderOnPage},
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate, Kind, again_after,
        gate::{self, Gate},
        http::{self, Answer, Http, HttpError},
        loose::encode,
    },
    failpoint,
    metrics::Calls,
    order::Order,
    secret::Secret,
};
use reqwest::{Method, header};
use serde::Serialize;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use thiserror::Error;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

mod ask;

/// Orders on one page; the shop gives no more.
pub const PAGE_LEN: usize = 100;
/// Orders in one part of a page that cannot be read whole.
const PART_LEN: usize = 10;
/// Tries of a part or a single order that fails with 500: it is the order, not the moment.
const BROKEN_TRIES_MAX: u32 = 4;
/// Tries of one that fails for another reason that passes.
const PASSING_TRIES_MAX: u32 = 8;
/// First pause between two tries; it doubles four times.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The shop, ready to be called. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    gate: Gate,
    base: String,
    token: Secret,
    fields: super::AddressFields,
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
        let Settings { base_url, credential: _, address_fields: fields, http: _, gate } = settings;
        let url = http::address(&base_url)?;
        let http = http.clone();
        let base = format!("{}/api", url.as_str().trim_end_matches('/'));
        let gate = Gate::new(&gate);
        let (token, dialect) = (token.clone(), OnceLock::new());
        Ok(Self(Arc::new(Inner { http, gate, base, token, fields, dialect })))
    }

    /// Reads an order by X-Cart's internal id.
    pub async fn order_by_id(&self, id: u64) -> Result<Order, Failure> {
        let answer = self.get(&format!("/orders/{id}")).await?;
        self.0.order(&answer)
    }

    /// Reads an order by the number the buyer knows. Shops before 5.5.0.10 answer
    /// `NotFound` for every number (reference/xcart.md 3.1).
    pub async fn order_by_number(&self, number: &str) -> Result<Order, Failure> {
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

    /// Reads one page of orders. It is the last one when it is shorter than [`PAGE_LEN`].
    pub async fn orders_changed(&self, query: OrdersQuery) -> Result<Vec<OrderOnPage>, Failure> {
        let answer = self.get(&orders_target(&query, PAGE_LEN, query.page)).await?;
        wire::page(&answer.body, &self.0.fields).map_err(|why| unreadable(&answer, &why))
    }

    /// Reads when the shop last changed an order, in seconds since 1970; none if that order, or
    /// its date, cannot be read.
    pub async fn newest_change(&self) -> Result<Option<i64>, Failure> {
        let sort = Sort::NewestFirst;
        let query = OrdersQuery { after_s: 0, filter: Filter::None, sort, page: 1 };
        match self.page_patiently(&orders_target(&query, 1, 1)).await {
            Ok(found) => Ok(found.first().and_then(OrderOnPage::updated_s)),
            Err(failure) if failure.code == "HTTP 500" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads the same page in small parts, for a shop that fails with 500 because of one
    /// order on it (reference/xcart.md 12). Such an order comes back as unreadable.
    ///
    /// A call that fails for another reason is repeated: one that passes by must not cost
    /// the whole page, and must not be taken for a broken order.
    pub async fn orders_one_by_one(&self, query: OrdersQuery) -> Result<Vec<OrderOnPage>, Failure> {
        let mut orders = Vec::new();
        let parts = u32::try_from(PAGE_LEN / PART_LEN).unwrap_or(1);
        let before = query.page.saturating_sub(1).saturating_mul(parts);
        for part in (1..=parts).map(|part| before.saturating_add(part)) {
            let target = orders_target(&query, PART_LEN, part);
            let found = match self.page_patiently(&target).await {
                Err(failure) if failure.code == "HTTP 500" => self.singles(&query, part).await?,
                found => found?,
            };
            let last = found.len() < PART_LEN;
            orders.extend(found);
            if last {
                break;
            }
        }
        Ok(orders)
    }

    /// Reads the orders of a part each by its place.
    async fn singles(&self, query: &OrdersQuery, part: u32) -> Result<Vec<OrderOnPage>, Failure> {
        let len = u32::try_from(PART_LEN).unwrap_or(1);
        let before = part.saturating_sub(1).saturating_mul(len);
        let mut orders = Vec::new();
        for place in (1..=len).map(|place| before.saturating_add(place)) {
            match self.page_patiently(&orders_target(query, 1, place)).await {
                Ok(found) if found.is_empty() => break,
                Ok(found) => orders.extend(found),
                Err(failure) if failure.code == "HTTP 500" => {
                    let why = failure.to_string();
                    orders.push(OrderOnPage::Unreadable { id: None, updated_s: None, why });
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(orders)
    }

    async fn page_patiently(&self, target: &str) -> Result<Vec<OrderOnPage>, Failure> {
        let read = || async {
            let answer = self.get(target).await?;
            wire::page(&answer.body, &self.0.fields).map_err(|why| unreadable(&answer, &why))
        };
        again_after(read, |tried, failure| {
            let pause = PAUSE_FIRST.saturating_mul(1 << tried.min(4));
            (tried < tries_max(failure)).then_some(pause.max(failure.retry_after()))
        })
        .await
    }

    /// Sets the fulfilment status; setting the one it has changes nothing.
    pub async fn set_shipping_status(&self, order_id: u64, code: &str) -> Result<(), Failure> {
        self.put(&format!("/orders/{order_id}/shipping_status"), &Status { code }).await
    }

    /// Sets the payment status; setting the one it has changes nothing.
    pub async fn set_payment_status(&self, order_id: u64, code: &str) -> Result<(), Failure> {
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
        answer.and_then(success).map_err(|failure| failure.of_kind(Kind::Read))
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
        let Inner { http, gate, base, token, fields: _, dialect: _ } = &*self.0;
        let request = http
            .client()
            .request(method.clone(), format!("{base}{target}"))
            .header("x-auth-token", token.reveal())
            .header(header::ACCEPT, "application/json");
        let bytes = body.map(serde_json::to_vec).transpose();
        let request = match bytes.map_err(|e| unsendable(&e.to_string()))? {
            Some(bytes) => request.header(header::CONTENT_TYPE, "application/json").body(bytes),
            None => request,
        };
        let request = request.build().map_err(|e| unsendable(&e.without_url().to_string()))?;
        let pass = gate.enter().await?;
        let begun = clock::now().mono;
        failpoint::pass("shop.call.before");
        let answer = http.send(request).await.map_err(Failure::from);
        failpoint::pass("shop.call.answered");
        let failure = match &answer {
            Ok(answer) if answer.status < 300 => None,
            Ok(answer) => Some(problem::failure(answer)),
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

/// How often a call with this failure is tried.
const fn tries_max(failure: &Failure) -> u32 {
    match failure.class {
        Class::Broken => BROKEN_TRIES_MAX,
        Class::Unreachable | Class::TimedOut | Class::RateLimited | Class::Unavailable => {
            PASSING_TRIES_MAX
        }
        Class::Held | Class::Unauthorized | Class::Forbidden => 1,
        Class::NotFound | Class::Exists => 1,
        Class::Locked | Class::Data | Class::Config | Class::State | Class::Unclassified => 1,
    }
}

fn orders_target(query: &OrdersQuery, len: usize, page: u32) -> String {
    let OrdersQuery { after_s, filter, sort, page: _ } = query;
    let order = match sort {
        Sort::OldestFirst => "&order%5BlastRenewDate%5D=asc",
        Sort::NewestFirst => "&order%5BlastRenewDate%5D=desc",
        Sort::ById => "",
    };
    let after = match filter {
        Filter::LastRenewDate => format!("&lastRenewDate%5Bafter%5D={}", encode(&date(*after_s))),
        Filter::None => String::new(),
    };
    format!("/orders?itemsPerPage={len}&page={page}{order}{after}")
}

/// Writes a date with its offset: a date that the shop cannot read is ignored in silence.
fn date(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
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
