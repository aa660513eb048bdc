//! The `.ionapi` file: how a backend service logs in to Infor OS (reference/m3.md 2.1). Pure.
//!
//! Guarantees: every key that is missing is named at once; unknown keys are ignored; what
//! is secret stays in a [`Secret`].

use crate::secret::Secret;
use serde::Deserialize;
use thiserror::Error;

/// Why the file cannot be used. The text continues "could not read the .ionapi file: ".
#[derive(Debug, Error)]
pub enum IonApiError {
    /// Not JSON. The parser's words are kept out: they may quote a secret.
    #[error("it is not a JSON object of texts (line {line}, column {column})")]
    NotJson {
        /// Where reading stopped.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// Keys are missing or empty.
    #[error("these keys are missing: {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// The password grant needs the service account.
    #[error(
        "it has no service account (saak, sask): download it again with \
         \"create service account\", or choose the grant client_credentials"
    )]
    NoServiceAccount,
}

/// What the file says.
#[derive(Clone, Debug)]
pub struct IonApi {
    /// `ti`: the tenant, such as `ACME_PRD`.
    pub tenant: String,
    /// `cn`: name of the authorised app; empty if not given.
    pub app_name: String,
    /// `ci`.
    pub client_id: String,
    /// `cs`.
    pub client_secret: Secret,
    /// `iu` and `ti`: what every suite's path is added to.
    pub api_root: String,
    /// `pu` and `ot`.
    pub token_url: String,
    /// `pu` and `or`.
    pub revoke_url: Option<String>,
    /// `sc`, of version 1.1.
    pub scopes: Vec<String>,
    /// `ev`: environment; empty if not given.
    pub environment: String,
    /// `saak` and `sask`.
    pub service_account: Option<ServiceAccount>,
}

/// The user of the password grant.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// `saak`: `TENANT#random`.
    pub user: Secret,
    /// `sask`.
    pub password: Secret,
}

#[derive(Deserialize)]
struct File {
    ti: Option<String>,
    cn: Option<String>,
    ci: Option<String>,
    cs: Option<String>,
    iu: Option<String>,
    pu: Option<String>,
    ot: Option<String>,
    or: Option<String>,
    sc: Option<Vec<String>>,
    ev: Option<String>,
    saak: Option<String>,
    sask: Option<String>,
}

impl IonApi {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, IonApiError> {
        let file: File = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|e| IonApiError::NotJson { line: e.line(), column: e.column() })?;
        let mut missing = Vec::new();
        let mut need = |key: &'static str, value: Option<String>| {
            let value = value.filter(|value| !value.trim().is_empty());
            value.unwrap_or_else(|| {
                missing.push(key);
                String::new()
            })
        };
        let tenant = need("ti", file.ti);
        let client_id = need("ci", file.ci);
        let client_secret = Secret::new(&need("cs", file.cs));
        let api = need("iu", file.iu);
        let server = need("pu", file.pu);
        let token_path = need("ot", file.ot);
        if !missing.is_empty() {
            return Err(IonApiError::Missing(missing));
        }
        let account = file.saak.zip(file.sask).filter(|(user, _)| !user.is_empty());
        let service_account = account.map(|(user, password)| ServiceAccount {
            user: Secret::new(&user),
            password: Secret::new(&password),
        });
        Ok(Self {
            api_root: joined(&api, &tenant),
            token_url: joined(&server, &token_path),
            revoke_url: file.or.map(|path| joined(&server, &path)),
            tenant,
            app_name: file.cn.unwrap_or_default(),
            client_id,
            client_secret,
            scopes: file.sc.unwrap_or_default(),
            environment: file.ev.unwrap_or_default(),
            service_account,
        })
    }
}

fn joined(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim().trim_end_matches('/'), path.trim().trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: &str = r#"{"ti":"ACME_PRD","cn":"causeway","dt":"12","ci":"ACME_PRD~abc","cs":"s3cret",
        "iu":"https://gw.example","pu":"https://sso.example/ACME_PRD/as/","oa":"authorization.oauth2",
        "ot":"token.oauth2","or":"revoke_token.oauth2","ev":"E1","v":"1.1","sc":["a","b"],
        "saak":"ACME_PRD#xyz","sask":"pässword","brandNew":{"x":[1]}}"#;

    #[test]
    fn a_cloud_file_gives_every_address_and_hides_its_secrets() {
        let app = IonApi::parse(CLOUD).unwrap();
        assert_eq!(app.api_root, "https://gw.example/ACME_PRD");
        assert_eq!(app.token_url, "https://sso.example/ACME_PRD/as/token.oauth2");
        let revoke = "https://sso.example/ACME_PRD/as/revoke_token.oauth2";
        assert_eq!(app.revoke_url.as_deref(), Some(revoke));
        assert_eq!((app.client_id.as_str(), app.scopes.len()), ("ACME_PRD~abc", 2));
        let account = app.service_account.as_ref().unwrap();
        assert_eq!(account.user.reveal(), "ACME_PRD#xyz");
        let shown = format!("{app:?}");
        for secret in ["s3cret", "xyz", "pässword"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }

    #[test]
    fn an_on_prem_file_needs_no_slash_and_no_service_account() {
        let text = "\u{feff}{\"ti\":\"T\",\"ci\":\"c\",\"cs\":\"s\",\"iu\":\"https://h:7443/\",\
                    \"pu\":\"https://h/InforIntSTS\",\"ot\":\"connect/token\"}";
        let app = IonApi::parse(text).unwrap();
        assert_eq!(app.token_url, "https://h/InforIntSTS/connect/token");
        assert_eq!(app.api_root, "https://h:7443/T");
        assert!(app.service_account.is_none() && app.revoke_url.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let table = [
            ("{}", "these keys are missing: ti, ci, cs, iu, pu, ot"),
            (r#"{"ti":"T","ci":"c","cs":" ","iu":"u","pu":"p"}"#, "these keys are missing: cs, ot"),
            ("secret", "it is not a JSON object of texts (line 1, column 1)"),
            (r#"{"cs":42}"#, "it is not a JSON object of texts (line 1, column 8)"),
        ];
        for (text, want) in table {
            assert_eq!(IonApi::parse(text).unwrap_err().to_string(), want, "{text}");
        }
    }
}
