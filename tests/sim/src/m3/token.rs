//! The authorization server beside the gateway (reference/m3.md 2).
//!
//! Guarantees: a token is good until it expires, is revoked, or the server restarts; revoking any
//! token of a grant ends the grant. Pure: the time is an argument.

use super::{options::Options, route};
use crate::{
    dice::Dice,
    serve::{Answer, Request},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The credentials of the one authorized app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl App {
    pub(crate) fn new(tenant: &str, seed: u64) -> Self {
        let mut dice = Dice::new(seed).fork("credentials");
        let mut random = || format!("{:016x}{:016x}", dice.next_u64(), dice.next_u64());
        Self {
            client_id: format!("{tenant}~{}", random()),
            client_secret: random(),
            user: format!("{tenant}#{}", random()),
            password: random(),
        }
    }

    /// The `.ionapi` file as Infor delivers it.
    pub(crate) fn file(&self, tenant: &str, url: &str) -> Value {
        json!({
            "ti": tenant,
            "cn": "causeway-sim",
            "dt": "12",
            "ci": self.client_id,
            "cs": self.client_secret,
            "iu": url,
            "pu": format!("{url}/{tenant}/as/"),
            "oa": "authorization.oauth2",
            "ot": "token.oauth2",
            "or": "revoke_token.oauth2",
            "ru": "",
            "sc": [],
            "ev": "M3SIM",
            "v": "1.1",
            "saak": self.user,
            "sask": self.password,
        })
    }
}

#[derive(Clone, Debug)]
struct Issued {
    grant: u64,
    expires_ms: u64,
}

/// The tokens that are good.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    dice: Dice,
    grants: u64,
    access: BTreeMap<String, Issued>,
    refresh: BTreeMap<String, u64>,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed).fork("tokens");
        Self { dice, grants: 0, access: BTreeMap::new(), refresh: BTreeMap::new() }
    }

    /// Whether the request carries a good token.
    pub(crate) fn good(&self, request: &Request, now_ms: u64) -> bool {
        let token = bearer(request).and_then(|token| self.access.get(token));
        token.is_some_and(|issued| issued.expires_ms > now_ms)
    }

    /// Ends every grant.
    pub(crate) fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    /// Ends the access token that the request carries.
    pub(crate) fn expire(&mut self, request: &Request) {
        if let Some(token) = bearer(request) {
            self.access.remove(token);
        }
    }

    /// Answers the token end point.
    pub(crate) fn issue(
        &mut self,
        request: &Request,
        app: &App,
        options: &Options,
        now_ms: u64,
    ) -> Answer {
        let form = form(request);
        if let Err(refusal) = client(request, &form, app) {
            return refusal;
        }
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let grant = match field("grant_type") {
            "password" if field("username") == app.user && field("password") == app.password => {
                self.grants += 1;
                self.grants
            }
            "password" => return refused(400, "invalid_grant"),
            "refresh_token" => match self.refresh.remove(field("refresh_token")) {
                Some(grant) => grant,
                None => return refused(400, "invalid_grant"),
            },
            "client_credentials" if options.client_credentials => {
                self.grants += 1;
                self.grants
            }
            "client_credentials" => return refused(400, "unauthorized_client"),
            _ => return refused(400, "unsupported_grant_type"),
        };
        let token = self.random();
        let expires_ms = now_ms + options.token_life_s * 1_000;
        self.access.insert(token.clone(), Issued { grant, expires_ms });
        let mut body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": options.token_life_s,
        });
        if options.refresh_tokens && field("grant_type") != "client_credentials" {
            let refresh = self.random();
            self.refresh.insert(refresh.clone(), grant);
            body["refresh_token"] = refresh.into();
        }
        Answer::json(200, &body).with("cache-control", "no-store")
    }

    /// Answers the revocation end point; a token that is not known is as good as revoked.
    pub(crate) fn revoke(&mut self, request: &Request, app: &App) -> Answer {
        let form = form(request);
        if let Err(refusal) = client(request, &form, app) {
            return refusal;
        }
        let token = form.get("token").map_or("", String::as_str);
        let grant = self.access.get(token).map(|issued| issued.grant);
        let grant = grant.or_else(|| self.refresh.get(token).copied());
        if let Some(grant) = grant {
            self.access.retain(|_, issued| issued.grant != grant);
            self.refresh.retain(|_, of| *of != grant);
        }
        Answer::empty(200)
    }

    fn random(&mut self) -> String {
        let mut word = || format!("{:016x}", self.dice.next_u64());
        [word(), word(), word()].concat()
    }
}

fn bearer(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

fn form(request: &Request) -> BTreeMap<String, String> {
    route::pairs(&String::from_utf8_lossy(&request.body)).into_iter().collect()
}

/// Checks the client, in the form or by HTTP Basic.
fn client(request: &Request, form: &BTreeMap<String, String>, app: &App) -> Result<(), Answer> {
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(refused(400, "invalid_request"));
    }
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (id, secret) =
        basic(request).unwrap_or_else(|| (field("client_id"), field("client_secret")));
    if id == app.client_id && secret == app.client_secret {
        Ok(())
    } else {
        Err(refused(401, "invalid_client").with("www-authenticate", "Basic realm=\"as\""))
    }
}

/// User and password of HTTP Basic.
pub(crate) fn basic(request: &Request) -> Option<(String, String)> {
    let coded = request.header("authorization")?.strip_prefix("Basic ")?;
    let plain = data_encoding::BASE64.decode(coded.as_bytes()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn refused(status: u16, error: &str) -> Answer {
    let body = json!({ "error": error, "error_description": error.replace('_', " ") });
    Answer::json(status, &body)
}
