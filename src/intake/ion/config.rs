//! How ION calls us, as written in the configuration.
//!
//! Guarantees: nobody is believed without a secret; what contradicts itself is named with
//! its key.

use crate::{
    config::{CredentialError, CredentialName, Credentials, Problems},
    connector::ion::{
        bod, large,
        publish::{self, Outlet, PublishError, Publisher},
        xml,
    },
    intake::{
        self,
        ion::files,
        signature::{Scheme, TokenScheme, Verifier, check_header},
    },
    secret::Secret,
};
use data_encoding::BASE64;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Documents that are taken when none are named.
const DOCUMENTS: [&str; 21] = [
    "Sync.SalesOrder",
    "Show.SalesOrder",
    "Sync.Shipment",
    "Show.Shipment",
    "Sync.ItemMaster",
    "Show.ItemMaster",
    "Sync.CustomerPartyMaster",
    "Show.CustomerPartyMaster",
    "Sync.BillToPartyMaster",
    "Show.BillToPartyMaster",
    "Sync.PayFromPartyMaster",
    "Show.PayFromPartyMaster",
    "Sync.ShipToPartyMaster",
    "Show.ShipToPartyMaster",
    "Sync.InventoryCount",
    "Show.InventoryCount",
    "Sync.InventoryAdjustment",
    "Show.InventoryAdjustment",
    "Sync.Invoice",
    "Show.Invoice",
    "Confirm.BOD",
];

/// The largest document that ION gives anybody (reference/m3.md 7.5).
const LARGE_BYTES_CEILING: usize = 50 * 1024 * 1024;
/// Each one that is read occupies a thread of the few that may wait.
const LARGE_AT_ONCE_CEILING: usize = 4;

/// Where ION calls us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path below which ION finds `/service/ping` and the others.
    #[serde(default = "path")]
    pub path: String,
    /// Our own logical id in ION: `lid://infor.ims.xcart`.
    pub logical_id: String,
    /// How ION proves who it is; absent: it only meets us in folders, and every call is refused.
    pub login: Option<Login>,
    /// The documents that are taken, such as `Sync.SalesOrder`.
    #[serde(default = "documents")]
    pub documents: BTreeSet<String>,
    /// How long the newest variation of a document is remembered.
    #[serde(default = "variations_kept_days")]
    pub variations_kept_days: u64,
    /// What one document may use up.
    #[serde(default)]
    pub limits: Limits,
    /// How answers are given to ION; absent: into `files.folder_out`, or not at all.
    pub publish: Option<publish::Settings>,
    /// Folders in which ION and we meet; absent: none.
    pub files: Option<files::Config>,
}

fn path() -> String {
    "/ims".to_owned()
}

fn documents() -> BTreeSet<String> {
    DOCUMENTS.into_iter().map(str::to_owned).collect()
}

const fn variations_kept_days() -> u64 {
    90
}

/// How ION proves who it is (the target security of the API suite).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Login {
    /// User and password.
    Basic(BasicLogin),
    /// A fixed value in a header, such as `Authorization: Bearer …`.
    Token(TokenScheme),
}

/// User and password.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicLogin {
    /// The user.
    pub user: String,
    /// The credential with the password.
    pub secret: CredentialName,
    /// The credential with the password that will follow; both are good.
    pub secret_next: Option<CredentialName>,
}

/// What one document may use up, after it was unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Its size; the journal's `event_bytes_max` must exceed it by 4 KiB.
    pub document_bytes_max: usize,
    /// Elements within each other.
    pub depth_max: usize,
    /// All elements.
    pub elements_max: usize,
    /// Attributes of one element.
    pub attributes_max: usize,
    /// One text or one value of an attribute.
    pub text_bytes_max: usize,
    /// A body, and the document in it, of which an extract is kept because it is larger than the
    /// others may be.
    pub large_bytes_max: usize,
    /// How many such are read at once.
    pub large_at_once_max: usize,
    /// Time for one of them.
    pub large_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let xml::Limits { depth_max, elements_max, attributes_max, text_bytes_max, .. } =
            xml::Limits::house();
        let document_bytes_max = 1_000 * 1024;
        Self {
            document_bytes_max,
            depth_max,
            elements_max,
            attributes_max,
            text_bytes_max,
            large_bytes_max: 16 * 1024 * 1024,
            large_at_once_max: 2,
            large_ms_max: 60_000,
        }
    }
}

impl Limits {
    /// Returns them as the reader of XML takes them.
    pub const fn of_xml(&self) -> xml::Limits {
        xml::Limits {
            bytes_max: self.document_bytes_max,
            depth_max: self.depth_max,
            elements_max: self.elements_max,
            attributes_max: self.attributes_max,
            text_bytes_max: self.text_bytes_max,
        }
    }

    /// Returns them as the reader of large documents takes them.
    pub const fn of_large(&self) -> large::Limits {
        large::Limits { bytes_max: self.large_bytes_max, xml: self.of_xml() }
    }

    fn check(&self, key: &str, problems: &mut Problems) {
        let ranges = [
            ("document_bytes_max", self.document_bytes_max, 1_024, 16 * 1024 * 1024),
            ("depth_max", self.depth_max, 16, 256),
            ("elements_max", self.elements_max, 1_000, 1_000_000),
            ("attributes_max", self.attributes_max, 16, 1_024),
            ("text_bytes_max", self.text_bytes_max, 1_024, 1024 * 1024),
            ("large_bytes_max", self.large_bytes_max, 1_024, LARGE_BYTES_CEILING),
            ("large_at_once_max", self.large_at_once_max, 1, LARGE_AT_ONCE_CEILING),
        ];
        problems.add_outside(key, ranges);
        problems.add_outside(key, [("large_ms_max", self.large_ms_max, 1_000, 600_000)]);
    }
}

impl Config {
    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        let bad = self.path.contains(['?', '#', ' ']) || self.path.ends_with('/');
        if !self.path.starts_with('/') || bad {
            problems.add(
                format!("{key}.path"),
                format!("{:?} is not a path to put /service/ping behind", self.path),
                "begin with a slash and end without one, as in /ims",
            );
        }
        if !self.logical_id.starts_with("lid://") || self.logical_id.contains(char::is_whitespace) {
            problems.add(
                format!("{key}.logical_id"),
                format!("{:?} is not a logical id", self.logical_id),
                "take the one of the connection point, as in lid://infor.ims.xcart",
            );
        }
        match &self.login {
            None if self.files.as_ref().is_none_or(|files| files.folder_in.is_none()) => {
                problems.add(
                    format!("{key}.login"),
                    "is missing, so that ION could give us nothing",
                    "add login, or files.folder_in",
                );
            }
            None => {}
            Some(Login::Basic(BasicLogin { user, .. }))
                if user.is_empty() || user.contains(':') =>
            {
                problems.add(
                    format!("{key}.login.basic.user"),
                    "is empty or has a colon",
                    "take the user that is entered at the API suite",
                );
            }
            Some(Login::Basic(_)) => {}
            Some(Login::Token(token)) => {
                check_header(&format!("{key}.login.token.header"), &token.header, problems);
            }
        }
        for document in &self.documents {
            if !document.contains('.') || bod::name(document).is_err() {
                problems.add(
                    format!("{key}.documents"),
                    format!("{document:?} is not a document that is read"),
                    "write verb and noun as in Sync.SalesOrder, or leave the key out for all",
                );
            }
        }
        if !(1..=3_650).contains(&self.variations_kept_days) {
            problems.add(
                format!("{key}.variations_kept_days"),
                format!("{} is not between 1 and 3650", self.variations_kept_days),
                "leave the key out to remember for 90 days",
            );
        }
        self.limits.check(&format!("{key}.limits"), problems);
        if let Some(files) = &self.files {
            files.check(&format!("{key}.files"), problems);
        }
    }

    /// Returns how large a body may be that can be read while it comes; `limits` are those of every
    /// delivery.
    pub fn largest_body(&self, limits: &intake::Limits) -> usize {
        self.limits.large_bytes_max.max(limits.body_bytes_max)
    }

    /// Names every credential, each with the key that names it.
    pub fn credentials(&self) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        let login = self.login.as_ref().map(|login| match login {
            Login::Basic(basic) => ("basic", &basic.secret, basic.secret_next.as_ref()),
            Login::Token(token) => ("token", &token.secret, token.secret_next.as_ref()),
        });
        if let Some((kind, now, next)) = login {
            named.push((format!("login.{kind}.secret"), now.as_str()));
            named.extend(next.map(|name| (format!("login.{kind}.secret_next"), name.as_str())));
        }
        let publish = self.publish.as_ref();
        named.extend(publish.map(|p| ("publish.credential".to_owned(), p.credential.as_str())));
        named
    }

    /// Returns where answers go, if anywhere.
    pub fn outlet(&self, credential: Option<&Secret>) -> Result<Option<Outlet>, PublishError> {
        if let (Some(publish), Some(credential)) = (&self.publish, credential) {
            return Ok(Some(Outlet::Api(Publisher::new(publish, credential)?)));
        }
        let folder = self.files.as_ref().and_then(|files| files.folder_out.clone());
        Ok(folder.map(Outlet::Folder))
    }

    /// Reads the secrets of the login; none where there is no login.
    pub fn verifier(&self, credentials: &Credentials) -> Result<Option<Verifier>, CredentialError> {
        let Some(login) = &self.login else { return Ok(None) };
        let (scheme, secrets) = login.read(credentials)?;
        Ok(Some(Verifier::new(Scheme::Token(scheme), secrets)))
    }

    /// Returns name and value of the header with which ION proves who it is; none where there is
    /// no login.
    pub fn proof(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<(String, Secret)>, CredentialError> {
        let Some(login) = &self.login else { return Ok(None) };
        let (scheme, secrets) = login.read(credentials)?;
        let value = |secret: &Secret| Secret::new(&format!("{}{}", scheme.prefix, secret.reveal()));
        Ok(secrets.first().map(|secret| (scheme.header.clone(), value(secret))))
    }
}

impl Login {
    /// Reads the values that are good in a header, the one of today first. What the header of a user
    /// with a password has to be is known beforehand, so it is compared as a token is.
    fn read(
        &self,
        credentials: &Credentials,
    ) -> Result<(TokenScheme, Vec<Secret>), CredentialError> {
        let (now, next) = match self {
            Self::Basic(basic) => (&basic.secret, &basic.secret_next),
            Self::Token(token) => (&token.secret, &token.secret_next),
        };
        let names = std::iter::once(now).chain(next);
        let secrets: Result<Vec<_>, _> = names.map(|name| credentials.get(name.as_str())).collect();
        let secrets = secrets?;
        Ok(match self {
            Self::Token(token) => (token.clone(), secrets),
            Self::Basic(basic) => {
                let scheme = TokenScheme {
                    header: "authorization".to_owned(),
                    prefix: "Basic ".to_owned(),
                    secret: basic.secret.clone(),
                    secret_next: basic.secret_next.clone(),
                };
                let written = |secret: &Secret| {
                    let pair = format!("{}:{}", basic.user, secret.reveal());
                    Secret::new(&BASE64.encode(pair.as_bytes()))
                };
                (scheme, secrets.iter().map(written).collect())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        logical_id = "lid://infor.ims.xcart"
        documents = ["Sync.SalesOrder", "Show.ItemMaster", "Confirm.BOD"]
        files = { folder_in = "/in", folder_out = "/out" }
        [login.basic]
        user = "ion"
        secret = "ion-password"
    "#;

    fn told(text: &str) -> String {
        let config: Config = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        config.check("k", &mut problems);
        problems.to_string()
    }

    #[test]
    fn odd_settings_of_ion_are_refused_with_key_and_reason() {
        assert_eq!(told(GOOD), "");
        let table = [
            ("lid://infor", "infor", "k.logical_id", "not a logical id"),
            ("\"ion\"", "\"i:n\"", "k.login.basic.user", "colon"),
            ("Sync.SalesOrder", "SyncOrder", "k.documents", "\"SyncOrder\" is not a document"),
            ("Sync.SalesOrder", "Process.SalesOrder", "k.documents", "is not a document"),
            ("\"/in\"", "\"in\"", "k.files.folder_in", "not an absolute path"),
            ("\"/in\"", "\"/out\"", "k.files.folder_out", "from which documents are read"),
            ("files =", "path = \"ims/\"\nfiles =", "k.path", "is not a path"),
            ("files =", "variations_kept_days = 0\nfiles =", "k.variations_kept_days", "between"),
            ("files =", "limits = { depth_max = 1 }\nfiles =", "k.limits.depth_max", "between"),
            (
                "files =",
                "limits = { large_bytes_max = 52428801, large_at_once_max = 0 }\nfiles =",
                "k.limits.large_bytes_max",
                "between",
            ),
        ];
        for (from, to, key, reason) in table {
            let told = told(&GOOD.replace(from, to));
            assert!(told.contains(key) && told.contains(reason), "{to}: {told}");
        }
        let (without, _) = GOOD.split_once("[login").unwrap();
        assert_eq!(told(without), "", "it may meet us in folders only");
        let (nothing, _) = GOOD.split_once("documents").unwrap();
        assert!(told(nothing).contains("k.login"), "{}", told(nothing));
    }

    #[test]
    fn every_document_that_is_taken_by_default_is_one_that_is_read() {
        for document in documents() {
            let (verb, noun) = bod::name(&document).unwrap();
            assert_eq!(document, format!("{}.{}", verb.name(), noun.name()));
        }
        assert_eq!(documents().len(), 2 * (bod::Noun::ALL.len() - 1) + 1);
    }
}
