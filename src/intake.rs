//! Where webhooks come in: settings, and the stages a delivery passes.
//!
//! A delivery passes `listener` (sockets and time), `reception` (body and answer),
//! `signature` (is it from who it says), `webhook` (what does it say), `dedup`
//! (was it taken before) and the journal. It is answered 2xx only with the
//! journal's receipt.

pub mod began;
pub mod dedup;
pub mod ion;
pub mod listener;
pub mod poller;
pub mod reception;
pub mod shelf;
pub mod signature;
pub mod tls;
pub mod webhook;

use crate::config::{CredentialError, Credentials, Problems};
use serde::Deserialize;
use signature::Verifier;
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};
use webhook::{Source, SourceConfig};

/// Where webhooks come in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The certificate to show.
    #[serde(default = "tls::Config::house")]
    pub tls: tls::Config,
    /// What one sender may use up.
    #[serde(default = "Limits::house")]
    pub limits: Limits,
    /// Who may send, and how each one writes.
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    /// Where ION calls us; absent: nowhere.
    pub ion: Option<ion::config::Config>,
}

/// What strangers may use up. A limit of zero is refused.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default = "Limits::house")]
pub struct Limits {
    /// Connections open at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Time for a TLS handshake.
    pub handshake_ms_max: u64,
    /// Request line and headers.
    pub header_bytes_max: usize,
    /// Time for the headers of a request, and between two requests.
    pub header_ms_max: u64,
    /// One body.
    pub body_bytes_max: usize,
    /// Time for one body.
    pub body_ms_max: u64,
    /// All bodies being read at once.
    pub bodies_bytes_max: usize,
    /// Time for the journal to take a delivery.
    pub keep_ms_max: u64,
    /// What a sender is told to wait when we are full.
    pub retry_after_s: u64,
}

impl Limits {
    /// What an absent table or key means.
    pub const fn house() -> Self {
        Self {
            connections_max: 64,
            handshake_ms_max: 5_000,
            header_bytes_max: 16 * 1024,
            header_ms_max: 10_000,
            body_bytes_max: 1024 * 1024,
            body_ms_max: 10_000,
            bodies_bytes_max: 4 * 1024 * 1024,
            keep_ms_max: 10_000,
            retry_after_s: 30,
        }
    }

    fn check(&self, key: &str, problems: &mut Problems) {
        let ranges = [
            ("connections_max", number(self.connections_max), 1, 10_000),
            ("handshake_ms_max", self.handshake_ms_max, 100, 60_000),
            ("header_bytes_max", number(self.header_bytes_max), 8_192, 1024 * 1024),
            ("header_ms_max", self.header_ms_max, 100, 600_000),
            ("body_bytes_max", number(self.body_bytes_max), 1_024, 1024 * 1024),
            ("body_ms_max", self.body_ms_max, 100, 600_000),
            ("bodies_bytes_max", number(self.bodies_bytes_max), 1_024, 1024 * 1024 * 1024),
            ("keep_ms_max", self.keep_ms_max, 100, 600_000),
            ("retry_after_s", self.retry_after_s, 1, 86_400),
        ];
        problems.add_outside(key, ranges);
        if self.bodies_bytes_max < self.body_bytes_max {
            problems.add(
                format!("{key}.bodies_bytes_max"),
                "is less than body_bytes_max, so that the largest body never fits",
                "make it several times body_bytes_max",
            );
        }
    }

    fn body_time(&self) -> Duration {
        Duration::from_millis(self.body_ms_max)
    }

    fn keep_time(&self) -> Duration {
        Duration::from_millis(self.keep_ms_max)
    }

    /// The longest that one request can take when nobody misbehaves.
    fn request_time(&self) -> Duration {
        let parts = [self.header_ms_max, self.body_ms_max, self.keep_ms_max];
        Duration::from_millis(parts.iter().fold(0, |sum, part| sum.saturating_add(*part)))
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Config {
    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        self.limits.check(&format!("{key}.limits"), problems);
        self.tls.check(&format!("{key}.tls"), problems);
        if self.sources.is_empty() && self.ion.is_none() {
            problems.add(
                format!("{key}.sources"),
                "is empty, so that every delivery would be refused",
                "add a [[intake.sources]], or remove [intake] to only poll",
            );
        }
        if let Some(ion) = &self.ion {
            ion.check(&format!("{key}.ion"), problems);
        }
        let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
        for (index, source) in self.sources.iter().enumerate() {
            let key = format!("{key}.sources[{index}]");
            source.check(&key, problems);
            for (field, value, seen) in
                [("name", &source.name, &mut names), ("path", &source.path, &mut paths)]
            {
                if !seen.insert(value) {
                    problems.add(
                        format!("{key}.{field}"),
                        format!("{value:?} is there twice"),
                        "give each source its own",
                    );
                }
            }
        }
    }

    /// Names every credential the sources and ION need, with the key that names it.
    pub fn credentials<'c>(&'c self, key: &'c str) -> impl Iterator<Item = (String, &'c str)> {
        let of_ion = self.ion.iter().flat_map(move |ion| {
            let named = ion.credentials().into_iter();
            named.map(move |(at, name)| (format!("{key}.ion.{at}"), name))
        });
        let of_sources = self.sources.iter().enumerate().flat_map(move |(index, source)| {
            let named = source.signature.credentials().into_iter();
            let key = format!("{key}.sources[{index}].signature");
            named.map(move |(at, name)| (format!("{key}.{at}"), name.as_str()))
        });
        of_sources.chain(of_ion)
    }

    /// Reads the secrets and makes the sources ready.
    pub fn sources(&self, credentials: &Credentials) -> Result<Vec<Source>, CredentialError> {
        let ready = |config: &SourceConfig| {
            let named = config.signature.credentials().into_iter();
            let secrets: Result<Vec<_>, _> =
                named.map(|(_, name)| credentials.get(name.as_str())).collect();
            Ok(Source::new(config.clone(), Verifier::new(config.signature.clone(), secrets?)))
        };
        self.sources.iter().map(ready).collect()
    }
}
