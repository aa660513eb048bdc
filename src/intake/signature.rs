//! Decides whether a delivery was signed by who it says (reference/xcart.md 7.2(1)).
//!
//! Guarantees: the signature is computed over the raw bytes; it is compared in
//! constant time; during a rotation either of two secrets is good; a signed
//! timestamp outside its tolerance is refused before the signature is looked at
//! and is itself part of what is signed. Pure: the caller brings the time.
//!
//! What it does not: remember. A delivery repeated within the tolerance is for
//! `intake::dedup`.

use crate::{
    config::{CredentialName, Problems},
    secret::Secret,
};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

/// How a source proves who it is, as written in the config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Scheme {
    /// It does not: anybody who reaches the path is believed. The body is only a hint.
    None,
    /// A fixed value in a header.
    Token(TokenScheme),
    /// HMAC-SHA256 over the raw body.
    Hmac(HmacScheme),
}

/// A fixed value in a header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenScheme {
    /// The header that carries the value.
    pub header: String,
    /// What stands before the value, such as `Bearer `.
    #[serde(default)]
    pub prefix: String,
    /// The credential with the value.
    pub secret: CredentialName,
    /// The credential with the value that will follow; both are good.
    pub secret_next: Option<CredentialName>,
}

/// HMAC-SHA256 over the raw body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacScheme {
    /// The header that carries the signature.
    pub header: String,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before the signature, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// The time of signing, if the source signs one.
    pub timestamp: Option<Timestamp>,
    /// The credential with the key.
    pub secret: CredentialName,
    /// The credential with the key that will follow; both are good.
    pub secret_next: Option<CredentialName>,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Two hexadecimal digits a byte, in either case.
    Hex,
    /// Standard alphabet, padded.
    Base64,
}

/// A signed time: what is signed is timestamp, separator, body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The header with the seconds since 1970.
    pub header: String,
    /// How far it may lie from our clock, on either side.
    pub tolerance_s: u64,
    /// What stands between timestamp and body when both are signed.
    #[serde(default = "full_stop")]
    pub separator: String,
}

fn full_stop() -> String {
    ".".to_owned()
}

impl Scheme {
    /// Names the credentials this scheme needs, each with the key that names it.
    pub fn credentials(&self) -> Vec<(&'static str, &CredentialName)> {
        let (table, now, next) = match self {
            Self::None => return Vec::new(),
            Self::Token(token) => {
                (("token.secret", "token.secret_next"), &token.secret, token.secret_next.as_ref())
            }
            Self::Hmac(hmac) => {
                (("hmac.secret", "hmac.secret_next"), &hmac.secret, hmac.secret_next.as_ref())
            }
        };
        let (key, key_next) = table;
        std::iter::once((key, now)).chain(next.map(|name| (key_next, name))).collect()
    }

    /// Adds what is wrong beyond the grammar; `key` is where the scheme stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        let (kind, header, timestamp) = match self {
            Self::None => return,
            Self::Token(token) => ("token", &token.header, None),
            Self::Hmac(hmac) => ("hmac", &hmac.header, hmac.timestamp.as_ref()),
        };
        check_header(&format!("{key}.{kind}.header"), header, problems);
        let Some(timestamp) = timestamp else { return };
        check_header(&format!("{key}.{kind}.timestamp.header"), &timestamp.header, problems);
        if !(1..=3_600).contains(&timestamp.tolerance_s) {
            problems.add(
                format!("{key}.{kind}.timestamp.tolerance_s"),
                format!("{} is not between 1 and 3600", timestamp.tolerance_s),
                "use 300 unless the source's clock is known to be better",
            );
        }
    }
}

/// Adds a problem unless `name` can be the name of a header.
pub fn check_header(key: &str, name: &str, problems: &mut Problems) {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(good) {
        problems.add(
            key,
            format!("{name:?} cannot be the name of a header"),
            "use letters, digits and hyphens, as the source writes it",
        );
    }
}

/// The headers of one delivery.
pub trait Headers {
    /// Returns a header's value. One that appears twice has no value, so nobody
    /// can add a second one and be read where the first was checked.
    fn value(&self, name: &str) -> Option<&[u8]>;
}

/// Why a delivery is not believed. The sender is told none of this.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Unproven {
    /// A header the scheme needs is absent, or there twice.
    #[error("the header {0} is missing or appears twice")]
    NoHeader(String),
    /// The value does not have the form the config describes.
    #[error("the header {0} does not have the configured prefix or encoding")]
    Malformed(String),
    /// The signed time is too far from ours.
    #[error("the timestamp is {off_s} s away from our clock, which is more than {tolerance_s} s")]
    Expired {
        /// How far.
        off_s: u64,
        /// How far it may be.
        tolerance_s: u64,
    },
    /// The value is wrong for every secret.
    #[error("the signature fits no secret")]
    Wrong,
}

/// A scheme together with its secrets.
#[derive(Clone, Debug)]
pub struct Verifier {
    scheme: Scheme,
    secrets: Vec<Secret>,
}

impl Verifier {
    /// Joins a scheme with the secrets it names, today's and, if there is one, the next.
    pub fn new(scheme: Scheme, secrets: Vec<Secret>) -> Self {
        Self { scheme, secrets }
    }

    /// Says whether the delivery comes from a holder of a secret.
    pub fn verify(
        &self,
        headers: &impl Headers,
        body: &[u8],
        now_unix_s: u64,
    ) -> Result<(), Unproven> {
        match &self.scheme {
            Scheme::None => Ok(()),
            Scheme::Token(token) => self.verify_token(token, headers),
            Scheme::Hmac(hmac) => self.verify_hmac(hmac, headers, body, now_unix_s),
        }
    }

    fn verify_token(&self, token: &TokenScheme, headers: &impl Headers) -> Result<(), Unproven> {
        let given = prefixed(headers, &token.header, &token.prefix)?;
        // Hashes are compared, so that not even the length of the secret shows.
        let given = Sha256::digest(given);
        let fits = |secret: &Secret| Sha256::digest(secret.reveal().as_bytes()).ct_eq(&given);
        self.any(fits)
    }

    fn verify_hmac(
        &self,
        hmac: &HmacScheme,
        headers: &impl Headers,
        body: &[u8],
        now_unix_s: u64,
    ) -> Result<(), Unproven> {
        let stamp = match &hmac.timestamp {
            None => None,
            Some(rule) => Some((fresh(rule, headers, now_unix_s)?, rule.separator.as_bytes())),
        };
        let written = prefixed(headers, &hmac.header, &hmac.prefix)?;
        let given = match hmac.encoding {
            Encoding::Hex => HEXLOWER_PERMISSIVE.decode(written),
            Encoding::Base64 => BASE64.decode(written),
        };
        let given = given.map_err(|_| Unproven::Malformed(hmac.header.clone()))?;
        self.any(|secret| {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else {
                return Choice::from(0);
            };
            if let Some((stamp, separator)) = stamp {
                mac.update(stamp);
                mac.update(separator);
            }
            mac.update(body);
            mac.finalize().into_bytes().ct_eq(&given)
        })
    }

    /// Tries every secret, also after one has fitted: the time taken says nothing.
    fn any(&self, fits: impl Fn(&Secret) -> Choice) -> Result<(), Unproven> {
        let found = self.secrets.iter().fold(Choice::from(0), |found, s| found | fits(s));
        if bool::from(found) { Ok(()) } else { Err(Unproven::Wrong) }
    }
}

fn prefixed<'h>(headers: &'h impl Headers, name: &str, prefix: &str) -> Result<&'h [u8], Unproven> {
    let value = headers.value(name).ok_or_else(|| Unproven::NoHeader(name.to_owned()))?;
    value.strip_prefix(prefix.as_bytes()).ok_or_else(|| Unproven::Malformed(name.to_owned()))
}

fn fresh<'h>(
    rule: &Timestamp,
    headers: &'h impl Headers,
    now_unix_s: u64,
) -> Result<&'h [u8], Unproven> {
    let written = prefixed(headers, &rule.header, "")?;
    let signed_at: u64 = std::str::from_utf8(written)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Unproven::Malformed(rule.header.clone()))?;
    let off_s = signed_at.abs_diff(now_unix_s);
    let tolerance_s = rule.tolerance_s;
    if off_s > tolerance_s {
        return Err(Unproven::Expired { off_s, tolerance_s });
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const BODY: &[u8] = br#"{"order_id": 7}"#;

    impl Headers for Vec<(&str, String)> {
        fn value(&self, name: &str) -> Option<&[u8]> {
            let mut found = self.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
            let (_, value) = found.next()?;
            found.next().is_none().then_some(value.as_bytes())
        }
    }

    fn name(text: &str) -> CredentialName {
        CredentialName::try_from(text.to_owned()).unwrap()
    }

    fn verifier(encoding: Encoding, prefix: &str, timestamp: Option<Timestamp>) -> Verifier {
        let scheme = Scheme::Hmac(HmacScheme {
            header: "X-Signature".to_owned(),
            encoding,
            prefix: prefix.to_owned(),
            timestamp,
            secret: name("now"),
            secret_next: Some(name("next")),
        });
        Verifier::new(scheme, vec![Secret::new("today"), Secret::new("tomorrow")])
    }

    fn mac(key: &str, content: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(content);
        mac.finalize().into_bytes().to_vec()
    }

    #[test]
    fn a_published_example_verifies() {
        // RFC 4231, test case 2.
        let scheme = verifier(Encoding::Hex, "", None).scheme;
        let known = Verifier::new(scheme, vec![Secret::new("Jefe")]);
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let headers = vec![("X-Signature", signature.to_owned())];
        assert_eq!(known.verify(&headers, b"what do ya want for nothing?", NOW), Ok(()));
    }

    #[test]
    fn each_encoding_is_read_and_each_fault_is_named() {
        let hex = |key| HEXLOWER_PERMISSIVE.encode(&mac(key, BODY));
        let base64 = |key| BASE64.encode(&mac(key, BODY));
        let malformed = || Err(Unproven::Malformed("X-Signature".to_owned()));
        let missing = || Err(Unproven::NoHeader("X-Signature".to_owned()));
        let table = [
            ("hex", Encoding::Hex, "", vec![hex("today")], Ok(())),
            ("upper case hex", Encoding::Hex, "", vec![hex("today").to_uppercase()], Ok(())),
            ("base64", Encoding::Base64, "", vec![base64("today")], Ok(())),
            ("prefix", Encoding::Hex, "sha256=", vec![format!("sha256={}", hex("today"))], Ok(())),
            ("next secret", Encoding::Hex, "", vec![hex("tomorrow")], Ok(())),
            ("other secret", Encoding::Hex, "", vec![hex("yesterday")], Err(Unproven::Wrong)),
            (
                "cut short",
                Encoding::Hex,
                "",
                vec![hex("today")[..32].to_owned()],
                Err(Unproven::Wrong),
            ),
            ("empty", Encoding::Hex, "", vec![String::new()], Err(Unproven::Wrong)),
            ("no prefix", Encoding::Hex, "sha256=", vec![hex("today")], malformed()),
            ("other encoding", Encoding::Hex, "", vec![base64("today")], malformed()),
            ("absent", Encoding::Hex, "", vec![], missing()),
            ("twice", Encoding::Hex, "", vec![hex("today"), hex("today")], missing()),
        ];
        for (told, encoding, prefix, values, want) in table {
            let headers: Vec<_> = values.into_iter().map(|v| ("x-signature", v)).collect();
            let got = verifier(encoding, prefix, None).verify(&headers, BODY, NOW);
            assert_eq!(got, want, "{told}");
        }
    }

    #[test]
    fn a_changed_body_is_refused() {
        let headers = vec![("X-Signature", HEXLOWER_PERMISSIVE.encode(&mac("today", BODY)))];
        let verifier = verifier(Encoding::Hex, "", None);
        assert_eq!(verifier.verify(&headers, br#"{"order_id":7}"#, NOW), Err(Unproven::Wrong));
    }

    #[test]
    fn a_timestamp_is_part_of_what_is_signed_and_must_be_near() {
        let rule = Timestamp {
            header: "X-Timestamp".to_owned(),
            tolerance_s: 300,
            separator: ".".to_owned(),
        };
        let verifier = verifier(Encoding::Hex, "", Some(rule));
        let signed = |at: &str| mac("today", format!("{at}.{}", "{\"order_id\": 7}").as_bytes());
        let expired = |off_s| Err(Unproven::Expired { off_s, tolerance_s: 300 });
        let malformed = Err(Unproven::Malformed("X-Timestamp".to_owned()));
        let table = [
            ("now", "1800000000", "1800000000", Ok(())),
            ("oldest", "1799999700", "1799999700", Ok(())),
            ("too old", "1799999699", "1799999699", expired(301)),
            ("from the future", "1800000301", "1800000301", expired(301)),
            ("moved", "1799999900", "1800000000", Err(Unproven::Wrong)),
            ("words", "yesterday", "yesterday", malformed),
        ];
        for (told, signed_at, sent, want) in table {
            let signature = HEXLOWER_PERMISSIVE.encode(&signed(signed_at));
            let headers = vec![("X-Signature", signature), ("X-Timestamp", sent.to_owned())];
            assert_eq!(verifier.verify(&headers, BODY, NOW), want, "{told}");
        }
    }

    #[test]
    fn a_token_is_compared_whole() {
        let scheme = Scheme::Token(TokenScheme {
            header: "Authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
            secret: name("now"),
            secret_next: None,
        });
        let verifier = Verifier::new(scheme, vec![Secret::new("today")]);
        let table = [
            ("Bearer today", Ok(())),
            ("Bearer toda", Err(Unproven::Wrong)),
            ("Bearer todayy", Err(Unproven::Wrong)),
            ("today", Err(Unproven::Malformed("Authorization".to_owned()))),
        ];
        for (value, want) in table {
            let headers = vec![("authorization", value.to_owned())];
            assert_eq!(verifier.verify(&headers, BODY, NOW), want, "{value}");
        }
    }

    #[test]
    fn a_scheme_with_secrets_believes_nobody_when_it_was_given_none() {
        let scheme = verifier(Encoding::Hex, "", None).scheme;
        let headers = vec![("X-Signature", HEXLOWER_PERMISSIVE.encode(&mac("", BODY)))];
        let got = Verifier::new(scheme, Vec::new()).verify(&headers, BODY, NOW);
        assert_eq!(got, Err(Unproven::Wrong));
    }
}
