//! What a shop of 5.5 takes by our extension only: tracking numbers and notes for the staff. One of
//! 5.0 to 5.4 takes both by itself.
//!
//! X-Cart 5.5 has no way to write either (reference/xcart.md 3.1 and 3.4). A module of the shop
//! may offer `POST /api/orders/{id}/tracking_numbers` with `value` (and `carrier`, `url` where
//! they are known), and `POST /api/orders/{id}/notes` with `text`, which is added to the order's
//! `admin_notes` as a line of its own.
//!
//! Guarantees: a shop without them is told apart from one that refuses; a note that the order
//! has is not written again.

use super::{
    problem::{self, Missing},
    rest::{Shop, success, unreadable},
};
use crate::connector::{Failure, http::Answer, loose::Text};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The shop has it.
    Yes,
    /// The shop has no way to take it.
    NotOffered,
}

/// A parcel as the shop is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shipped {
    /// The tracking number.
    #[serde(rename = "value")]
    pub number: String,
    /// The carrier's name; empty where it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub carrier: String,
    /// Where it can be followed; empty where that is not known.
    #[serde(rename = "url", skip_serializing_if = "String::is_empty")]
    pub link: String,
}

#[derive(Serialize)]
struct Note<'a> {
    text: &'a str,
}

impl Shipped {
    /// Says it in a line.
    pub fn told(&self) -> String {
        let Self { number, carrier, link } = self;
        let parts = ["Tracking number", number, carrier, link];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Shop {
    /// Adds a tracking number where the shop has our extension. Not idempotent: after an
    /// unknown fate read the order's tracking numbers first.
    pub async fn add_tracking(&self, order_id: u64, shipped: &Shipped) -> Result<Written, Failure> {
        if self.is_legacy().await? {
            // It has no place for a carrier and a link.
            return Box::pin(self.legacy_add_tracking(order_id, &shipped.number)).await;
        }
        self.extend(&format!("/orders/{order_id}/tracking_numbers"), shipped).await
    }

    /// Adds a line to the order's notes for the staff, unless it is there.
    pub async fn add_note(&self, order_id: u64, text: &str) -> Result<Written, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_add_note(order_id, text)).await;
        }
        let answer = self.get(&format!("/orders/{order_id}")).await?;
        if notes(&answer)?.lines().any(|line| line.trim() == text) {
            return Ok(Written::Yes);
        }
        self.extend(&format!("/orders/{order_id}/notes"), &Note { text }).await
    }

    async fn extend(&self, target: &str, body: &impl Serialize) -> Result<Written, Failure> {
        let answer = self.send(Method::POST, target, Some(body)).await?;
        match answer.status {
            404 if problem::missing(&answer) == Missing::Path => Ok(Written::NotOffered),
            405 => Ok(Written::NotOffered),
            _ => success(answer).map(|_| Written::Yes),
        }
    }
}

fn notes(answer: &Answer) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Noted {
        #[serde(default)]
        admin_notes: Text,
    }
    let noted: Noted = serde_json::from_slice(&answer.body)
        .map_err(|fault| unreadable(answer, &fault.to_string()))?;
    Ok(noted.admin_notes.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_is_said_with_what_is_known_of_it() {
        let bare = Shipped { number: "1Z".into(), ..Shipped::default() };
        assert_eq!(bare.told(), "Tracking number 1Z");
        assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"value":"1Z"}"#);
        let link = "https://t.example/1Z".to_owned();
        let full = Shipped { carrier: "DHL".into(), link, ..bare };
        assert_eq!(full.told(), "Tracking number 1Z DHL https://t.example/1Z");
        let want = r#"{"value":"1Z","carrier":"DHL","url":"https://t.example/1Z"}"#;
        assert_eq!(serde_json::to_string(&full).unwrap(), want);
    }

    #[test]
    fn notes_may_be_null_or_missing() {
        let read = |body: &str| {
            let body = body.as_bytes().to_vec();
            notes(&Answer { status: 200, retry_after_s: None, body, rest_error: None })
        };
        assert_eq!(read(r#"{"admin_notes":null}"#).unwrap(), "");
        assert_eq!(read(r#"{"id":1}"#).unwrap(), "");
        assert_eq!(read(r#"{"admin_notes":"a\nb"}"#).unwrap(), "a\nb");
        assert!(read("<html>").is_err());
    }
}
