//! Tries the systems a configuration names: from the name in DNS to what we may do there.
//!
//! What this module guarantees:
//! 1. Only reads are sent to the other system.
//! 2. A layer above a failed one is reported as not tried.
//!
//! What it does not: prove that every later call will be allowed.

use super::{
    probe::{Target, walk, walk_to_tls},
    report::{Finding, Layer, Row},
};
use crate::{
    alert::{MailSettings, Security},
    config::Credentials,
    connector::{
        Class, Failure, Kind, http,
        m3::{
            self, Login, M3,
            catalogue::{
                needed::{self, Wants},
                refresh,
            },
            ionapi::IonApi,
            mi::{MiCall, MiRecord},
        },
        xcart::{
            self,
            docs::{Dialect, Probe},
            rest::Shop,
        },
    },
    flow::rules::OrderEntry,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{env, path::Path, sync::Arc};
use url::Url;

/// Tries M3: each address, then login, permission and company.
pub(super) async fn m3(
    settings: &m3::Settings,
    credentials: &Credentials,
    wants: &Wants,
) -> Vec<Row> {
    let name = "m3";
    let failed = |layer, seen: String| {
        let finding = Finding::failed(seen, "run causeway check: it names the key");
        vec![Row { connection: name.to_owned(), layer, finding }]
    };
    let secret = match credentials.get(settings.login.credential()) {
        Ok(secret) => secret,
        Err(error) => return failed(Layer::Credentials, error.to_string()),
    };
    let addresses = match &settings.login {
        Login::Basic { base_url, .. } => vec![(name, base_url.clone())],
        Login::Ion { .. } => match IonApi::parse(secret.reveal()) {
            Ok(app) => vec![("m3 token", app.token_url), (name, app.api_root)],
            Err(error) => return failed(Layer::Credentials, error.to_string()),
        },
    };
    let mut rows = Vec::new();
    for (connection, address) in addresses {
        match target(connection, &address, &settings.http) {
            Ok(target) => rows.extend(walk(&target).await),
            Err(seen) => return failed(Layer::Dns, seen),
        }
    }
    let below = rows.iter().any(|row| matches!(row.finding, Finding::Failed { .. }));
    let calls = match M3::new(settings.clone(), &secret) {
        Err(error) => return failed(Layer::Login, error.to_string()),
        Ok(_) if below => vec![Layer::Login, Layer::Permission, Layer::Catalogue, Layer::Company]
            .into_iter()
            .map(|layer| (layer, Finding::Skipped("a layer below failed".to_owned())))
            .collect(),
        Ok(m3) => ask(&m3, settings, wants).await,
    };
    let named = |(layer, finding)| Row { connection: name.to_owned(), layer, finding };
    rows.extend(calls.into_iter().map(named));
    rows
}

/// Tries the shop: its address, then whether it takes our token.
pub(super) async fn xcart(settings: &xcart::Settings, credentials: &Credentials) -> Vec<Row> {
    let name = "xcart";
    let named = |layer, finding| Row { connection: name.to_owned(), layer, finding };
    let advice = "run causeway check: it names the key";
    let secret = match credentials.get(&settings.credential) {
        Ok(secret) => secret,
        Err(error) => {
            return vec![named(Layer::Credentials, Finding::failed(error.to_string(), advice))];
        }
    };
    let shop = Shop::new(settings.clone(), &secret).map_err(|error| error.to_string());
    let target = target(name, &settings.base_url, &settings.http);
    let (shop, target) = match shop.and_then(|shop| Ok((shop, target?))) {
        Ok(both) => both,
        Err(seen) => return vec![named(Layer::Dns, Finding::failed(seen, advice))],
    };
    let mut rows = walk(&target).await;
    let finding = if rows.iter().any(|row| matches!(row.finding, Finding::Failed { .. })) {
        Finding::Skipped("a layer below failed".to_owned())
    } else {
        match shop.probe().await {
            Ok(probe) => spoken(&probe),
            Err(failure) => judged(Err(failure)),
        }
    };
    rows.push(named(Layer::Login, finding));
    rows
}

/// Says what the shop speaks and can do.
fn spoken(probe: &Probe) -> Finding {
    let (dialect, title) = (probe.dialect.name(), &probe.title);
    if probe.dialect == Dialect::Legacy {
        return Finding::Fine(format!("{dialect}: {}", probe.dialect.lacks()));
    }
    let abilities: Vec<&str> = probe.abilities.iter().map(|ability| ability.name()).collect();
    let abilities =
        if abilities.is_empty() { "nothing beside it".to_owned() } else { abilities.join(", ") };
    Finding::Fine(format!("{dialect} ({title}): {abilities}"))
}

/// Tries the way to a mail server; what lies above it only the server's own protocol tells.
pub(super) async fn mail(name: &str, settings: &MailSettings) -> Vec<Row> {
    let tls = match settings.security {
        Security::Tls => trust(settings.ca_file.as_deref()).map(Some),
        Security::Starttls | Security::Plain => Ok(None),
    };
    let (host, port) = (settings.host.clone(), settings.port());
    let seen = match tls {
        Ok(tls) => {
            let target = Target { name: name.to_owned(), host, port, tls, proxy: None };
            // A mail server speaks no HTTP, which the last layer would ask for.
            return walk_to_tls(&target).await;
        }
        Err(seen) => seen,
    };
    let finding = Finding::failed(seen, "run causeway check: it names the key");
    vec![Row { connection: name.to_owned(), layer: Layer::Tls, finding }]
}

/// Tries the way to the host of a webhook; its address is not shown.
pub(super) async fn hook(name: &str, address: &Url, settings: &http::Settings) -> Vec<Row> {
    let origin = address.origin().ascii_serialization();
    match target(name, &origin, settings) {
        Ok(target) => walk(&target).await,
        Err(seen) => {
            let finding = Finding::failed(seen, "run causeway check: it names the key");
            vec![Row { connection: name.to_owned(), layer: Layer::Dns, finding }]
        }
    }
}

/// Asks M3 what only M3 can say (reference/m3.md 3: `MNS150MI`, `MRS001MI`).
async fn ask(m3: &M3, settings: &m3::Settings, wants: &Wants) -> Vec<(Layer, Finding)> {
    let login = m3.log_in().await.map(|()| match &settings.login {
        Login::Ion { .. } => "a token was given".to_owned(),
        Login::Basic { .. } => "goes with every call".to_owned(),
    });
    let user = MiCall::new("MNS150MI", "GetUserData").columns(&["USID", "CONO", "DIVI"]);
    let user = m3.call(&user, Kind::Read).await;
    let (company, division) = (settings.company, &settings.division);
    let company = user.map(|_| format!("company {company}, division {division:?} answers"));
    let orders = MiCall::new("MRS001MI", "LstTransactions").with("MINM", "OIS100MI");
    let orders = m3.call(&orders.columns(&["TRNM"]).records_max(0), Kind::Read).await;
    let orders = match orders {
        Ok(found) => has_transactions(&found, &wants.names),
        Err(failure) => judged(Err(failure)),
    };
    vec![
        (Layer::Login, judged(login)),
        (Layer::Permission, orders),
        (Layer::Catalogue, catalogue(m3, wants).await),
        (Layer::Company, judged(company)),
    ]
}

/// What the order protocol calls beside the two transactions whose names can be set.
const ORDER_ENTRY: [&str; 13] = [
    "AddBatchAddress",
    "AddBatchHeadChg",
    "AddBatchText",
    "Confirm",
    "DelBatchHead",
    "GetBatchHead",
    "GetHead",
    "GetOrderNo",
    "GetOrderValue",
    "LstBatchHead",
    "LstBatchLine",
    "LstHead",
    "LstLine",
];

/// Compares M3's own list with what orders need (reference/m3.md 0 and 4.7).
fn has_transactions(found: &[MiRecord], names: &OrderEntry) -> Finding {
    let has = |name: &str| found.iter().any(|row| row.text("TRNM").trim() == name);
    let wanted = [names.head.as_str(), names.line.as_str()].into_iter().chain(ORDER_ENTRY);
    let missing: Vec<&str> = wanted.filter(|name| !has(name)).collect();
    if missing.is_empty() {
        let (count, head, line) = (found.len(), &names.head, &names.line);
        return Finding::Fine(format!(
            "OIS100MI has {count} transactions, {head} and {line} among them"
        ));
    }
    let advice = if missing.contains(&names.head.as_str()) && has("AddHead") {
        "this M3 has AddHead and AddLine: set order_to_cash.transactions"
    } else {
        "give the user the right to them, or ask for an M3 that has them"
    };
    Finding::failed(format!("OIS100MI lacks {}", missing.join(", ")), advice)
}

/// Reads what M3 says of the programs we call, and compares every field we send or read.
async fn catalogue(m3: &M3, wants: &Wants) -> Finding {
    let wanted = needed::programs(wants);
    let found = match Box::pin(refresh::read(m3, &wanted, &mut |_| {})).await {
        Ok(found) => found,
        Err(failure) => return judged(Err(failure)),
    };
    let (missing, count) = (needed::missing(&found, wants), needed::needed(wants).len());
    if missing.is_empty() {
        return Finding::Fine(format!("the {count} transactions we call have every field we use"));
    }
    let advice = "ask for a user who may call them, or for an M3 that has them; reference: docs/integrators.md";
    Finding::failed(format!("M3 lacks {}", missing.join(", ")), advice)
}

fn judged(answer: Result<String, Failure>) -> Finding {
    match answer {
        Ok(seen) => Finding::Fine(seen),
        Err(failure) => {
            let seen = format!("{} {}", failure.code, failure.text);
            Finding::failed(seen.trim(), advice(failure.class))
        }
    }
}

/// Says what to do about a failure of this class.
pub(super) const fn advice(class: Class) -> &'static str {
    match class {
        Class::Unauthorized => {
            "the credential is not accepted: make a new one and write it down here"
        }
        Class::Forbidden => "give the user the right to this program (SES400, MNS410)",
        Class::NotFound => "check the path of the API, its version and the suite",
        Class::Config => "check company and division, and that the user may work in them (MNS150)",
        Class::RateLimited => "wait; if it stays, ask for a higher limit",
        Class::Unreachable | Class::TimedOut => "it stopped answering while we looked: try again",
        Class::Held => "it was asked to rest for a while: try again",
        Class::Unavailable => "it is up, but says that it is not available: ask who runs it",
        Class::Broken => "what answers is not the API: check the address, and what stands between",
        Class::Exists | Class::Locked | Class::Data | Class::State => "ask who runs M3",
        Class::Unclassified => "ask who runs the other side what its words mean",
    }
}

/// Says how to connect to an address, in the words of the walk.
fn target(name: &str, address: &str, settings: &http::Settings) -> Result<Target, String> {
    let url = http::address(address).map_err(|error| error.to_string())?;
    let host = url.host_str().ok_or("the address has no host")?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().ok_or("the address has no port")?;
    let tls = match url.scheme() {
        "https" => Some(trust(settings.ca_file.as_deref())?),
        _ => None,
    };
    let proxy = if tls.is_some() { proxy(&settings.proxy, &host)? } else { None };
    Ok(Target { name: name.to_owned(), host, port, tls, proxy })
}

/// Whom the connection trusts: a private CA alone, else the system's.
fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = match ca_file {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn proxy(way: &http::Proxy, host: &str) -> Result<Option<(String, u16)>, String> {
    let text = match way {
        http::Proxy::Off => return Ok(None),
        http::Proxy::Url(text) => text.clone(),
        http::Proxy::System => match system_proxy(host) {
            Some(text) => text,
            None => return Ok(None),
        },
    };
    let url = Url::parse(&text).map_err(|error| format!("the proxy: {error}"))?;
    let host = url.host_str().ok_or("the proxy has no host")?.to_owned();
    Ok(Some((host, url.port_or_known_default().unwrap_or(3_128))))
}

/// Reads the variables that the client reads.
fn system_proxy(host: &str) -> Option<String> {
    let read = |name| env::var_os(name)?.into_string().ok().filter(|text| !text.is_empty());
    let either = |upper, lower| read(upper).or_else(|| read(lower));
    let except = either("NO_PROXY", "no_proxy").unwrap_or_default();
    let excepted = except.split(',').map(|name| name.trim().trim_start_matches('.')).any(|name| {
        let suffix = host.strip_suffix(name).filter(|_| !name.is_empty());
        name == "*" || suffix.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if excepted { None } else { either("HTTPS_PROXY", "https_proxy") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_m3_with_other_names_for_order_entry_is_told_apart_from_one_without() {
        let rows = |names: &[&str]| -> Vec<MiRecord> {
            names.iter().map(|name| [("TRNM", *name)].into_iter().collect()).collect()
        };
        let all = [&ORDER_ENTRY[..], &["AddBatchHead", "AddBatchLine"]].concat();
        let other = [&ORDER_ENTRY[..], &["AddHead", "AddLine"]].concat();
        let batch = OrderEntry::default();
        let short = OrderEntry { head: "AddHead".to_owned(), line: "AddLine".to_owned() };
        let table = [
            (&all, &batch, None),
            (&other, &short, None),
            (&other, &batch, Some("set order_to_cash.transactions")),
            (&all, &short, Some("give the user the right")),
        ];
        for (names, wanted, want) in table {
            match (has_transactions(&rows(names), wanted), want) {
                (Finding::Fine(_), None) => {}
                (Finding::Failed { advice, .. }, Some(want)) => {
                    assert!(advice.contains(want), "{advice}");
                }
                (got, want) => panic!("{got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn an_address_becomes_a_target() {
        let settings = http::Settings { proxy: http::Proxy::Off, ..http::Settings::default() };
        let plain = target("m3", "http://[::1]:8080/m3api-rest", &settings).unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.tls.is_none()), ("::1", 8080, true));
        let through = http::Proxy::Url("http://proxy.site:3128".to_owned());
        let found = proxy(&through, "m3.example");
        assert_eq!(found, Ok(Some(("proxy.site".to_owned(), 3128))));
        assert!(target("m3", "http://m3.example", &settings).is_err());
    }

    #[tokio::test]
    async fn what_lies_above_a_failed_layer_is_not_tried() {
        use std::{fs, os::unix::fs::PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("pw");
        fs::write(&secret, "x").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "company = 1\ndivision = \"\"\n[login.basic]\n\
             base_url = \"http://127.0.0.1:{port}\"\nuser = \"u\"\ncredential = \"pw\"\n"
        );
        let settings: m3::Settings = toml::from_str(&text).unwrap();
        let rows = m3(&settings, &Credentials::in_folder(folder.path()), &Wants::default()).await;
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.layer, matches!(row.finding, Finding::Skipped(_))))
            .collect();
        let want = [
            (Layer::Dns, false),
            (Layer::Tcp, false),
            (Layer::Clock, true),
            (Layer::Login, true),
            (Layer::Permission, true),
            (Layer::Catalogue, true),
            (Layer::Company, true),
        ];
        assert_eq!(told, want);
    }
}
