//! Reads one webhook delivery: who sent it, what happened, to which order.
//!
//! Guarantees: nothing of the body is looked at before the signature was found
//! good; a delivery either becomes a [`Signal`] or a [`Refusal`] with its HTTP
//! status; equal deliveries have equal hashes, different sources never share one.
//! The body is a hint: flows re-read the order before they act
//! (reference/xcart.md 7.2(3)). Pure.

use super::signature::{Headers, Scheme, Unproven, Verifier, check_header};
use crate::{config::Problems, ids::OrderNumber, order::OrderRef};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt};
use thiserror::Error;

/// One sender of webhooks, as written in the config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// The name in logs, metrics and the journal.
    pub name: String,
    /// The path it posts to.
    pub path: String,
    /// How it proves who it is.
    pub signature: Scheme,
    /// Where a delivery names its event.
    pub event: Place,
    /// The source's event names and what they mean here, beside our own names.
    #[serde(default)]
    pub events: BTreeMap<String, Topic>,
    /// Where a delivery carries its identity; absent: hash of event and body.
    pub delivery: Option<Place>,
    /// JSON pointer to X-Cart's internal order id.
    pub order_id: Option<String>,
    /// JSON pointer to the order number the buyer reads.
    pub order_number: Option<String>,
    /// JSON pointer to the id of a profile, for events about customers.
    pub profile_id: Option<String>,
}

/// Where in a delivery a value stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Place {
    /// In the header of this name.
    Header(String),
    /// At this JSON pointer in the body.
    Pointer(String),
}

/// What a webhook may tell us. A closed set: a flow stands behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Topic {
    /// An order was placed.
    #[serde(rename = "order.created")]
    OrderCreated,
    /// Something about an order changed.
    #[serde(rename = "order.updated")]
    OrderUpdated,
    /// An order's payment or shipping status changed.
    #[serde(rename = "order.status_changed")]
    OrderStatusChanged,
    /// Somebody has opened an account.
    #[serde(rename = "customer.created")]
    CustomerCreated,
    /// Something about a profile or its addresses changed.
    #[serde(rename = "customer.updated")]
    CustomerUpdated,
}

impl Topic {
    const ALL: [Self; 5] = [
        Self::OrderCreated,
        Self::OrderUpdated,
        Self::OrderStatusChanged,
        Self::CustomerCreated,
        Self::CustomerUpdated,
    ];

    /// Returns the name in the journal and in the config.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created",
            Self::OrderUpdated => "order.updated",
            Self::OrderStatusChanged => "order.status_changed",
            Self::CustomerCreated => "customer.created",
            Self::CustomerUpdated => "customer.updated",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire())
    }
}

impl SourceConfig {
    /// Adds what is wrong beyond the grammar; `key` is where the source stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        if self.name.is_empty() {
            problems.add(format!("{key}.name"), "is empty", "give the source a short name");
        }
        if !self.path.starts_with('/') || self.path.contains(['?', '#', ' ']) {
            problems.add(
                format!("{key}.path"),
                format!("{:?} is not a path", self.path),
                "begin with a slash, without query, fragment or space",
            );
        }
        self.signature.check(&format!("{key}.signature"), problems);
        self.event.check(&format!("{key}.event"), problems);
        if let Some(delivery) = &self.delivery {
            delivery.check(&format!("{key}.delivery"), problems);
        }
        let pointers = [
            ("order_id", &self.order_id),
            ("order_number", &self.order_number),
            ("profile_id", &self.profile_id),
        ];
        for (name, pointer) in pointers {
            if let Some(pointer) = pointer {
                check_pointer(&format!("{key}.{name}"), pointer, problems);
            }
        }
        if [&self.order_id, &self.order_number, &self.profile_id].iter().all(|at| at.is_none()) {
            problems.add(
                key,
                "none of order_id, order_number and profile_id is set",
                "say with a JSON pointer where a delivery names its order or profile",
            );
        }
    }
}

impl Place {
    fn check(&self, key: &str, problems: &mut Problems) {
        match self {
            Self::Header(name) => check_header(&format!("{key}.header"), name, problems),
            Self::Pointer(at) => check_pointer(&format!("{key}.pointer"), at, problems),
        }
    }

    fn text(&self, headers: &impl Headers, body: &Value) -> Option<String> {
        match self {
            Self::Header(name) => {
                let value = std::str::from_utf8(headers.value(name)?).ok()?;
                Some(value.trim().to_owned())
            }
            Self::Pointer(at) => scalar(body.pointer(at)?),
        }
        .filter(|text| !text.is_empty())
    }
}

fn check_pointer(key: &str, pointer: &str, problems: &mut Problems) {
    if !pointer.starts_with('/') {
        problems.add(key, format!("{pointer:?} is not a JSON pointer"), "write it as /order/id");
    }
}

/// What a delivery told us, ready for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The name of the source.
    pub source: String,
    /// What happened.
    pub topic: Topic,
    /// To what.
    pub subject: Subject,
    /// The identity of this delivery: equal when it is sent again.
    pub delivery: [u8; 32],
}

/// What a delivery is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order.
    Order(OrderRef),
    /// X-Cart's id of a profile.
    Profile(u64),
}

/// Why a delivery is not taken.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nobody we know sent it.
    #[error("the delivery is not believed")]
    Unproven(#[source] Unproven),
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The configured place has no event name.
    #[error("the delivery names no event")]
    NoEvent,
    /// The event is neither ours nor in the table.
    #[error("the event {0:?} is not in the table of this source")]
    UnknownEvent(String),
    /// The configured place has no delivery id.
    #[error("the delivery has no id")]
    NoDeliveryId,
    /// The configured pointers lead to no order.
    #[error("the delivery names no order")]
    NoOrder,
    /// The configured pointer leads to no profile, or there is none.
    #[error("the delivery names no profile; is profile_id set?")]
    NoProfile,
}

impl Refusal {
    /// Returns the HTTP status the sender is given.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unproven(_) => 401,
            Self::NotJson => 400,
            Self::NoEvent => 400,
            Self::UnknownEvent(_) => 400,
            Self::NoDeliveryId => 400,
            Self::NoOrder => 400,
            Self::NoProfile => 400,
        }
    }
}

/// A source that is ready to read deliveries: its config with its secrets.
#[derive(Clone, Debug)]
pub struct Source {
    config: SourceConfig,
    verifier: Verifier,
}

impl Source {
    /// Joins the config of a source with the secrets it names.
    pub fn new(config: SourceConfig, verifier: Verifier) -> Self {
        Self { config, verifier }
    }

    /// Returns the name in logs, metrics and the journal.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Returns the path it posts to.
    pub fn path(&self) -> &str {
        &self.config.path
    }

    /// Reads one delivery that arrived at `now_unix_s`.
    pub fn read(
        &self,
        headers: &impl Headers,
        body: &[u8],
        now_unix_s: u64,
    ) -> Result<Signal, Refusal> {
        self.verifier.verify(headers, body, now_unix_s).map_err(Refusal::Unproven)?;
        let json: Value = serde_json::from_slice(body).map_err(|_| Refusal::NotJson)?;
        let event = self.config.event.text(headers, &json).ok_or(Refusal::NoEvent)?;
        let topic = self.topic(&event).ok_or_else(|| Refusal::UnknownEvent(clip(&event)))?;
        let subject = self.subject(topic, &json)?;
        let delivery = match &self.config.delivery {
            Some(place) => {
                let id = place.text(headers, &json).ok_or(Refusal::NoDeliveryId)?;
                hash([self.name().as_bytes(), b"id", id.as_bytes()])
            }
            None => hash([self.name().as_bytes(), event.as_bytes(), body]),
        };
        Ok(Signal { source: self.name().to_owned(), topic, subject, delivery })
    }

    fn topic(&self, event: &str) -> Option<Topic> {
        let ours = || Topic::ALL.into_iter().find(|topic| topic.wire() == event);
        self.config.events.get(event).copied().or_else(ours)
    }

    fn subject(&self, topic: Topic, json: &Value) -> Result<Subject, Refusal> {
        match topic {
            Topic::OrderCreated | Topic::OrderUpdated | Topic::OrderStatusChanged => {
                self.order(json).map(Subject::Order).ok_or(Refusal::NoOrder)
            }
            Topic::CustomerCreated | Topic::CustomerUpdated => {
                let at = self.config.profile_id.as_deref();
                let id = at.and_then(|at| scalar(json.pointer(at)?)?.parse().ok());
                id.filter(|id| *id > 0).map(Subject::Profile).ok_or(Refusal::NoProfile)
            }
        }
    }

    /// The id is preferred: it is what the REST API is asked by.
    fn order(&self, json: &Value) -> Option<OrderRef> {
        let at = |pointer: &Option<String>| scalar(json.pointer(pointer.as_deref()?)?);
        let id = at(&self.config.order_id).and_then(|text| text.parse().ok());
        let number = || OrderNumber::try_from(at(&self.config.order_number)?).ok();
        id.filter(|id| *id > 0).map(OrderRef::Id).or_else(|| number().map(OrderRef::Number))
    }
}

/// Text and whole numbers are names; nothing else is.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a stranger wrote goes into a log line only this far.
fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Every part is preceded by its length, so that no two lists of parts run together.
fn hash(parts: [&[u8]; 3]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(toml: &str) -> Source {
        let config: SourceConfig = toml::from_str(toml).unwrap();
        Source::new(config, Verifier::new(Scheme::None, Vec::new()))
    }

    const BY_HEADER: &str = r#"
        name = "shop"
        path = "/hooks/shop"
        signature = "none"
        event = { header = "X-Event" }
        events = { "orders/create" = "order.created" }
        delivery = { header = "X-Delivery" }
        order_id = "/order/id"
        order_number = "/order/number"
    "#;

    fn headers<'a>(event: &str, delivery: &str) -> Vec<(&'a str, String)> {
        vec![("X-Event", event.to_owned()), ("X-Delivery", delivery.to_owned())]
    }

    #[test]
    fn a_delivery_becomes_a_signal_or_a_refusal_with_a_status() {
        let source = source(BY_HEADER);
        let number = |text: &str| OrderRef::Number(OrderNumber::try_from(text.to_owned()).unwrap());
        let ok = |topic, order| Ok((topic, Subject::Order(order)));
        let table = [
            ("orders/create", r#"{"order":{"id":7}}"#, ok(Topic::OrderCreated, OrderRef::Id(7))),
            ("order.updated", r#"{"order":{"id":"7"}}"#, ok(Topic::OrderUpdated, OrderRef::Id(7))),
            (
                "order.updated",
                r#"{"order":{"number":"A1"}}"#,
                ok(Topic::OrderUpdated, number("A1")),
            ),
            (
                "order.updated",
                r#"{"order":{"id":0,"number":12}}"#,
                ok(Topic::OrderUpdated, number("12")),
            ),
            ("order.updated", r#"{"order":{"id":null}}"#, Err(Refusal::NoOrder)),
            ("order.updated", r#"{"order":{"number":""}}"#, Err(Refusal::NoOrder)),
            ("order.updated", "[]", Err(Refusal::NoOrder)),
            ("order.updated", "", Err(Refusal::NotJson)),
            ("order.updated", "order_id=7", Err(Refusal::NotJson)),
            ("", r#"{"order":{"id":7}}"#, Err(Refusal::NoEvent)),
            ("x.y", r#"{"order":{"id":7}}"#, Err(Refusal::UnknownEvent("x.y".to_owned()))),
        ];
        for (event, body, want) in table {
            let got = source.read(&headers(event, "d1"), body.as_bytes(), 0);
            let got = got.map(|signal| (signal.topic, signal.subject));
            assert_eq!(got, want, "{event} {body}");
            if let Err(refusal) = got {
                assert_eq!(refusal.status(), 400, "{refusal}");
            }
        }
    }

    #[test]
    fn a_delivery_is_known_again_by_its_id_and_else_by_event_and_body() {
        let body = br#"{"order":{"id":7}}"#;
        let by_id = source(BY_HEADER);
        let read =
            |event, id, body: &[u8]| by_id.read(&headers(event, id), body, 0).unwrap().delivery;
        assert_eq!(
            read("order.updated", "a", body),
            read("order.updated", "a", b"{\"order\":{\"id\":8}}")
        );
        assert_ne!(read("order.updated", "a", body), read("order.updated", "b", body));

        let by_body = source(&BY_HEADER.replace("delivery = { header = \"X-Delivery\" }", ""));
        let read =
            |event, body: &[u8]| by_body.read(&headers(event, "a"), body, 0).unwrap().delivery;
        assert_eq!(read("order.updated", body), read("order.updated", body));
        assert_ne!(read("order.updated", body), read("order.created", body));
        assert_ne!(read("order.updated", body), read("order.updated", b"{\"order\":{\"id\":8}}"));
    }

    #[test]
    fn a_delivery_about_a_customer_names_a_profile_if_the_source_says_where() {
        let with = source(&format!("{BY_HEADER}\nprofile_id = \"/profile/id\""));
        let read = |source: &Source, body: &str| {
            let got = source.read(&headers("customer.updated", "d1"), body.as_bytes(), 0);
            got.map(|signal| signal.subject)
        };
        let body = r#"{"profile":{"id":12}}"#;
        assert_eq!(read(&with, body), Ok(Subject::Profile(12)));
        assert_eq!(read(&with, r#"{"profile":{"id":0}}"#), Err(Refusal::NoProfile));
        assert_eq!(read(&with, r#"{"order":{"id":7}}"#), Err(Refusal::NoProfile));
        assert_eq!(read(&source(BY_HEADER), body), Err(Refusal::NoProfile));
        assert_eq!(Refusal::NoProfile.status(), 400);
    }

    #[test]
    fn event_and_delivery_id_may_stand_in_the_body() {
        let source = source(
            r#"
            name = "thin"
            path = "/t"
            signature = "none"
            event = { pointer = "/scope" }
            events = { "store/order/created" = "order.created" }
            delivery = { pointer = "/hash" }
            order_id = "/data/id"
            "#,
        );
        let body =
            br#"{"scope":"store/order/created","hash":"f00","data":{"type":"order","id":173331}}"#;
        let none: Vec<(&str, String)> = Vec::new();
        let signal = source.read(&none, body, 0).unwrap();
        assert_eq!(signal.topic, Topic::OrderCreated);
        assert_eq!(signal.subject, Subject::Order(OrderRef::Id(173_331)));
        let without = br#"{"scope":"store/order/created","data":{"id":173331}}"#;
        assert_eq!(source.read(&none, without, 0), Err(Refusal::NoDeliveryId));
    }

    #[test]
    fn an_unproven_delivery_is_refused_before_its_body_is_read() {
        let config: SourceConfig = toml::from_str(&BY_HEADER.replace(
            "signature = \"none\"",
            "signature = { token = { header = \"X-Token\", secret = \"t\" } }",
        ))
        .unwrap();
        let verifier =
            Verifier::new(config.signature.clone(), vec![crate::secret::Secret::new("s")]);
        let refusal = Source::new(config, verifier).read(&headers("x", "y"), b"garbage", 0);
        assert_eq!(refusal.as_ref().map_err(Refusal::status), Err(401));
    }

    #[test]
    fn odd_settings_are_refused_with_key_and_reason() {
        let table = [
            ("path = \"/hooks/shop\"", "path = \"hooks\"", "s.path", "is not a path"),
            ("name = \"shop\"", "name = \"\"", "s.name", "is empty"),
            ("header = \"X-Event\"", "header = \"X Event\"", "s.event.header", "name of a header"),
            ("\"/order/id\"", "\"order.id\"", "s.order_id", "not a JSON pointer"),
        ];
        for (from, to, key, reason) in table {
            let config: SourceConfig = toml::from_str(&BY_HEADER.replace(from, to)).unwrap();
            let mut problems = Problems::default();
            config.check("s", &mut problems);
            let told = problems.to_string();
            assert!(told.contains(key) && told.contains(reason), "{told}");
        }
    }
}
