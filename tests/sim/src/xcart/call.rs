//! One call of the API: where it goes, who makes it, and in which form the answer is wanted.
//!
//! Guarantee: the checks come in the framework's order — path, format, token, right — so that a
//! client sees the same refusal first (reference/xcart.md 2.1, 2.2, 2.4). Pure.

use super::{
    options::Quirks,
    query::Query,
    refusal::{Manner, Refusal},
    route::{Route, route},
};
use crate::serve::Request;
use serde_json::Value;

/// The forms an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    JsonLd,
    Html,
}

/// The languages of this shop; any other is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

/// The two tokens.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) read: String,
    pub(crate) write: String,
}

/// A call that may be carried out.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) format: Format,
    pub(crate) path: String,
    pub(crate) query: Query,
    /// The language names are wanted in.
    pub(crate) language: Language,
    content_type: Option<String>,
    body: Vec<u8>,
}

impl Call {
    /// Reads a request below `/api` and decides whether it may be carried out.
    pub(crate) fn read(
        request: &Request,
        tokens: &Tokens,
        quirks: &Quirks,
    ) -> Result<Self, Refusal> {
        let (path, suffix) = split_suffix(&request.path);
        let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
        let found =
            route(method, path, quirks).filter(|route| suffix.is_none() || route.takes_suffix());
        let format = match (&found, suffix) {
            (None, _) => Format::Json,
            (Some(_), Some(format)) => format,
            (Some(_), None) => accepted(request.header("accept"))?,
        };
        authorize(request, tokens, method)?;
        let route = found.ok_or(Refusal::NoSuchPath)?;
        let wanted = request.header("accept-language").and_then(|wanted| wanted.get(..2));
        let language = match wanted {
            Some(german) if german.eq_ignore_ascii_case("de") => Language::German,
            Some(_) | None => Language::English,
        };
        Ok(Self {
            route,
            format,
            path: path.to_owned(),
            query: Query::parse(&request.query),
            language,
            content_type: request.header("content-type").map(str::to_owned),
            body: request.body.to_vec(),
        })
    }

    /// The body of a write.
    pub(crate) fn input(&self) -> Result<Value, Refusal> {
        let Some(content_type) = &self.content_type else {
            let detail = "The \"Content-Type\" header must exist.";
            return Err(Refusal::Unsupported(detail.to_owned()));
        };
        let bare = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if bare != "application/json" && bare != "application/ld+json" {
            return Err(Refusal::Unsupported(format!(
                "The content-type \"{content_type}\" is not supported. Supported MIME types are \
                 \"application/json\", \"application/ld+json\", \"text/html\"."
            )));
        }
        serde_json::from_slice(&self.body).map_err(|_| Refusal::Bad("Syntax error".to_owned()))
    }
}

/// How a refusal of this request is to be put.
pub(crate) fn manner(request: &Request, quirks: &Quirks) -> Manner {
    let by_suffix = split_suffix(&request.path).1 == Some(Format::JsonLd);
    let by_header = accepted(request.header("accept")) == Ok(Format::JsonLd);
    Manner { json_ld: by_suffix || by_header, debug: quirks.debug }
}

fn split_suffix(path: &str) -> (&str, Option<Format>) {
    let table = [(".jsonld", Format::JsonLd), (".json", Format::Json), (".html", Format::Html)];
    for (suffix, format) in table {
        if let Some(rest) = path.strip_suffix(suffix) {
            return (rest, Some(format));
        }
    }
    (path, None)
}

fn accepted(header: Option<&str>) -> Result<Format, Refusal> {
    let Some(header) = header.filter(|header| !header.trim().is_empty()) else {
        return Ok(Format::Json);
    };
    let mut wanted: Vec<(f32, &str)> = header
        .split(',')
        .map(|entry| {
            let (kind, rest) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = rest.split(';').find_map(|part| part.trim().strip_prefix("q="));
            (weight.and_then(|weight| weight.parse().ok()).unwrap_or(1.0), kind.trim())
        })
        .collect();
    wanted.sort_by(|one, two| two.0.total_cmp(&one.0));
    for (_, kind) in wanted {
        match kind.to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => return Ok(Format::Json),
            "application/ld+json" => return Ok(Format::JsonLd),
            "text/html" | "text/*" => return Ok(Format::Html),
            _ => {}
        }
    }
    Err(Refusal::Unacceptable(format!(
        "Requested format \"{header}\" is not supported. Supported MIME types are \
         \"application/json\", \"application/ld+json\", \"text/html\"."
    )))
}

fn authorize(request: &Request, tokens: &Tokens, method: &str) -> Result<(), Refusal> {
    let is = |token: &str, sent: &str| !token.is_empty() && token == sent;
    match request.header("x-auth-token") {
        Some(sent) if is(&tokens.write, sent) => Ok(()),
        Some(sent) if is(&tokens.read, sent) && method == "GET" => Ok(()),
        Some(sent) if is(&tokens.read, sent) => Err(Refusal::Denied),
        Some(_) => Err(Refusal::BadToken),
        None => match request.header("authorization") {
            Some(sent) if sent.starts_with("Bearer ") => Err(Refusal::BadBearer),
            Some(_) | None => Err(Refusal::NoToken),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_known_format_wins_and_an_unknown_one_is_refused() {
        let table = [
            (None, Some(Format::Json)),
            (Some("*/*"), Some(Format::Json)),
            (Some("application/ld+json"), Some(Format::JsonLd)),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Some(Format::Html)),
            (Some("application/ld+json;q=0.5, application/json"), Some(Format::Json)),
            (Some("application/xml"), None),
            (Some("text/plain, */*;q=0.1"), Some(Format::Json)),
        ];
        for (header, want) in table {
            assert_eq!(accepted(header).ok(), want, "{header:?}");
        }
    }
}
