//! What the headers of answers say about limits: quotas, rates, pauses (reference/m3.md 1.7).
//!
//! Guarantees: only headers about limits are kept, at most 16 of them, cut to 80 characters.

use reqwest::header::HeaderMap;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Headers that are kept.
const HEADERS_MAX: usize = 16;
/// Characters of a value that are kept.
const VALUE_CHARS_MAX: usize = 80;
/// What the name of such a header contains.
const MARKS: [&str; 4] = ["ratelimit", "rate-limit", "quota", "retry-after"];

/// The headers that were seen, each with its newest value. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimitHeaders(Arc<Mutex<BTreeMap<String, String>>>);

impl LimitHeaders {
    /// Keeps those of one answer.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        for (name, value) in headers {
            let name = name.as_str();
            if !MARKS.iter().any(|mark| name.contains(mark)) {
                continue;
            }
            let Ok(value) = value.to_str() else { continue };
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() < HEADERS_MAX || seen.contains_key(name) {
                seen.insert(name.to_owned(), value.chars().take(VALUE_CHARS_MAX).collect());
            }
        }
    }

    /// Returns them by name.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_about_limits_are_kept_and_not_too_many() {
        let seen = LimitHeaders::default();
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("retry-after", "7"), ("x-ratelimit-limit", "600"), ("set-cookie", "secret")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        seen.note(&headers);
        headers.insert("retry-after", "x".repeat(200).parse().unwrap());
        for n in 0..40 {
            let name: reqwest::header::HeaderName = format!("x-quota-{n}").parse().unwrap();
            headers.insert(name, "1".parse().unwrap());
        }
        seen.note(&headers);
        let list = seen.list();
        assert_eq!(list.len(), HEADERS_MAX);
        assert_eq!(list[0], ("retry-after".to_owned(), "x".repeat(VALUE_CHARS_MAX)));
        assert!(list.iter().all(|(name, _)| name != "set-cookie"), "{list:?}");
    }
}
