//! The ways the API says no, and the bodies it says it with (reference/xcart.md 2.1, 2.4).
//! Pure.

use super::php_json::{Unicode, encode};
use crate::serve::Answer;
use serde_json::{Value, json};

/// What a client is refused with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No token at all.
    NoToken,
    /// A token that is neither of the two.
    BadToken,
    /// A bearer, which this shop has not issued.
    BadBearer,
    /// The token that may only read, used to write.
    Denied,
    /// No such resource.
    NotFound,
    /// No such path, or not with this method.
    NoSuchPath,
    /// 400 with this detail.
    Bad(String),
    /// A format that is not offered.
    Unacceptable(String),
    /// A body without a type, or of a type that is not read.
    Unsupported(String),
    /// The shop broke.
    Broken,
}

/// How the client wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) json_ld: bool,
    pub(crate) debug: bool,
}

impl Refusal {
    /// A field of the wrong type.
    pub(crate) fn misformatted() -> Self {
        Self::Bad("The input data is misformatted.".to_owned())
    }

    /// The answer that carries it.
    pub(crate) fn answer(&self, manner: Manner) -> Answer {
        match self {
            Self::NoToken => unauthorized("JWT Token not found"),
            Self::BadBearer => unauthorized("Invalid JWT Token"),
            Self::BadToken => plain(401, &json!({"message": "Invalid credentials."})),
            Self::NoSuchPath => {
                plain(404, &json!({"title": "An error occurred", "detail": "Not found"}))
            }
            Self::Denied => problem(403, "Access Denied.", manner),
            Self::NotFound => problem(404, "Not Found", manner),
            Self::Bad(detail) => problem(400, detail, manner),
            Self::Unacceptable(detail) => problem(406, detail, manner),
            Self::Unsupported(detail) => problem(415, detail, manner),
            Self::Broken => problem(500, "Internal Server Error", manner),
        }
    }
}

fn unauthorized(message: &str) -> Answer {
    plain(401, &json!({"code": 401, "message": message})).with("www-authenticate", "Bearer")
}

fn plain(status: u16, body: &Value) -> Answer {
    Answer::typed(status, "application/json", encode(body, Unicode::Escaped))
}

fn problem(status: u16, detail: &str, manner: Manner) -> Answer {
    let title = "An error occurred";
    let mut body = if manner.json_ld {
        json!({
            "@context": "/api/contexts/Error",
            "@type": "hydra:Error",
            "hydra:title": title,
            "hydra:description": detail,
        })
    } else {
        let kind = "https://tools.ietf.org/html/rfc2616#section-10";
        json!({"type": kind, "title": title, "detail": detail})
    };
    if manner.debug {
        body["trace"] = json!([{
            "namespace": "", "short_class": "", "class": "", "type": "", "function": "",
            "file": "/var/www/xcart/vendor/api-platform/core/src/EventListener/ReadListener.php",
            "line": 100,
        }]);
    }
    let content_type = if manner.json_ld {
        "application/ld+json; charset=utf-8"
    } else {
        "application/problem+json; charset=utf-8"
    };
    Answer::typed(status, content_type, encode(&body, Unicode::Plain))
}
