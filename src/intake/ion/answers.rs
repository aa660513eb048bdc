//! What ION is told, in its own words (reference/m3.md 7.3). Pure.

use super::config::Config;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// We are there.
pub fn ping() -> Value {
    json!({ "status": "OK", "code": 200, "errors": [] })
}

/// How we want to be spoken to: v3 in two parts, which spares the document its Base64.
pub fn protocol() -> Value {
    json!({
        "version": "v3",
        "messageMethod": "multipartMessage",
        "message_ContentType": "application/json",
        "supportedEncoding": "BASE64",
        "supportedCharacterSet": "UTF-8",
        "hasDiscovery": true,
    })
}

/// Which versions we know.
pub fn versions() -> Value {
    json!({ "supportedVersions": ["v2", "v3"] })
}

/// Which documents we take and give.
pub fn discovery(config: &Config) -> Value {
    let mut documents: BTreeMap<&str, (bool, bool)> =
        config.documents.iter().map(|name| (name.as_str(), (true, false))).collect();
    documents.entry("Confirm.BOD").or_insert((false, true)).1 = true;
    let told = documents
        .into_iter()
        .map(|(name, (receive, send))| json!({ "name": name, "receive": receive, "send": send }));
    json!({
        "logicalId": config.logical_id,
        "supportedDocumentConfigurations": told.collect::<Vec<_>>(),
    })
}

/// A document is ours.
pub fn taken(message: &str) -> Value {
    json!({ "status": "OK", "code": 200, "message": message })
}

/// A call came to nothing.
pub fn refused(code: u16, message: &str) -> Value {
    json!({ "status": "ERROR", "code": code, "message": message })
}
