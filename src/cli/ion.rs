//! What the commands need that call ION, or our own end points as ION does.
//!
//! Guarantees: secrets are read from the credentials and shown to nobody.

use super::{
    Fault,
    m3::failed,
    report::{Finding, Layer, Row},
};
use crate::{
    config::Loaded,
    connector::{
        Class, Failure, Kind,
        http::{self, Answer},
        ion::{
            caller::{Caller, Target, here, told},
            publish::Publisher,
        },
    },
    intake::{self, ion::config::Config},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{path::PathBuf, time::Duration};

/// How long our own end points may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Returns what is set about ION.
pub(super) fn settings(loaded: &Loaded) -> Result<(&intake::Config, &Config), Fault> {
    let intake = loaded.config.intake.as_ref();
    let both = intake.and_then(|intake| Some((intake, intake.ion.as_ref()?)));
    both.ok_or_else(|| {
        let text = "there is no [intake.ion] in the configuration, which says where ION calls us";
        Fault::Misasked(text.to_owned())
    })
}

/// Prepares to call our own end points: at an address as anybody does, or where this box listens.
pub(super) fn caller(
    loaded: &Loaded,
    url: Option<&str>,
    ca_file: Option<PathBuf>,
) -> Result<Caller, Fault> {
    let (intake, ion) = settings(loaded)?;
    let proof = ion.proof(&loaded.credentials).map_err(no_start)?;
    let limits = http::Settings {
        call_ms_max: u64::try_from(ANSWER_MAX.as_millis()).unwrap_or(u64::MAX),
        ca_file,
        ..http::Settings::default()
    };
    let (url, certificate) = if let Some(url) = url {
        (url.to_owned(), None)
    } else {
        let path = intake.tls.cert_file(&loaded.config.state_dir.join("tls"));
        let certificate = CertificateDer::from_pem_file(&path).map_err(|error| {
            let why = format!("{}: {error}", path.display());
            let next = "start the gateway once: it makes the certificate that it shows";
            Fault::Misasked(format!("{why}\n-> {next}"))
        })?;
        (here(intake.listen, &ion.path), Some(certificate.to_vec()))
    };
    Caller::new(Target { url, proof, http: limits, certificate }).map_err(no_start)
}

/// Prepares to call ION; none where nothing is given to it.
pub(super) fn publisher(loaded: &Loaded) -> Result<Option<Publisher>, Fault> {
    let (_, ion) = settings(loaded)?;
    let Some(publish) = &ion.publish else { return Ok(None) };
    let credential = loaded.credentials.get(&publish.credential).map_err(no_start)?;
    Publisher::new(publish, &credential).map(Some).map_err(no_start)
}

fn no_start(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::NoStart { part: "the connection to ION", source: Box::new(error) }
}

/// Says that our own end points did not answer.
pub(super) fn unreached(failure: &Failure) -> Fault {
    match failure.class {
        Class::Unreachable | Class::TimedOut => Fault::Unanswered(format!(
            "our own end points for ION: {failure}\n-> start the gateway; with --url, look at what stands between"
        )),
        Class::RateLimited
        | Class::Unavailable
        | Class::Held
        | Class::Broken
        | Class::Unauthorized
        | Class::Forbidden
        | Class::NotFound
        | Class::Exists
        | Class::Locked
        | Class::Data
        | Class::Config
        | Class::State
        | Class::Unclassified => failed(failure, Kind::Read),
    }
}

/// Tries what ION needs of us and we of it, for the doctor.
pub(super) async fn doctor(loaded: &Loaded) -> Vec<Row> {
    let Ok((_, ion)) = settings(loaded) else { return Vec::new() };
    let mut rows = vec![row("ion calls us", Layer::Login, endpoints(loaded).await)];
    match publisher(loaded) {
        Ok(None) => {}
        Ok(Some(publisher)) => rows.extend(messaging(&publisher, &ion.logical_id).await),
        Err(fault) => {
            let finding =
                Finding::failed(fault.to_string(), "run causeway check: it names the key");
            rows.push(row("ion", Layer::Credentials, finding));
        }
    }
    rows
}

fn row(connection: &str, layer: Layer, finding: Finding) -> Row {
    Row { connection: connection.to_owned(), layer, finding }
}

/// Calls our own end points where this box listens; a gateway that does not run is no fault.
async fn endpoints(loaded: &Loaded) -> Finding {
    let caller = match caller(loaded, None, None) {
        Ok(caller) => caller,
        Err(Fault::Misasked(text)) => return Finding::Skipped(text),
        Err(fault) => {
            return Finding::failed(fault.to_string(), "run causeway check: it names the key");
        }
    };
    match caller.ask("ping").await {
        Ok(answer) => pinged(&answer),
        Err(failure) if failure.class == Class::Unreachable && !was_shown(&failure) => {
            let next = "start the gateway, then ask again";
            Finding::Skipped(format!("nobody listens there: {failure}; {next}"))
        }
        Err(failure) => {
            let advice = "another program, or a gateway with an older certificate, has the port: \
                          look at intake.listen, and start the gateway again";
            Finding::failed(failure.to_string(), advice)
        }
    }
}

/// Whether a certificate was shown, and was not ours.
fn was_shown(failure: &Failure) -> bool {
    failure.text.to_ascii_lowercase().contains("certificate")
}

fn pinged(answer: &Answer) -> Finding {
    let advice = match answer.status {
        200 => return Finding::Fine(told(answer)),
        401 => "the running gateway has another password: start it again",
        404 => "the running gateway has another intake.ion.path: start it again",
        _ => "look at `journalctl -u causeway -p warning`",
    };
    Finding::failed(told(answer), advice)
}

/// Asks ION: for a token, whether its messaging is there, whether our connection point is active.
async fn messaging(publisher: &Publisher, logical_id: &str) -> Vec<Row> {
    let name = "ion";
    let skipped =
        |layer, below: &str| row(name, layer, Finding::Skipped(format!("{below} failed")));
    let token = publisher.log_in().await.map(|()| "a token was given".to_owned());
    let login = judged(token);
    let mut rows = vec![row(name, Layer::Login, login.clone())];
    if matches!(login, Finding::Failed { .. }) {
        let above = [Layer::Permission, Layer::Message].map(|layer| skipped(layer, "login"));
        rows.extend(above);
        return rows;
    }
    let ping = publisher.ping().await.map(|()| "ION's messaging answers".to_owned());
    rows.push(row(name, Layer::Permission, judged(ping)));
    let point = match publisher.accepted(logical_id).await {
        Err(failure) if failure.code == "HTTP 404" => {
            Finding::Skipped(format!("this ION does not tell of its connection points: {failure}"))
        }
        Err(failure) => judged(Err(failure)),
        Ok(names) if names.iter().any(|name| name == "Confirm.BOD") => {
            Finding::Fine(format!("{logical_id} is active and may send Confirm.BOD"))
        }
        Ok(_) => Finding::failed(
            format!("{logical_id} may not send Confirm.BOD"),
            "add it to the documents of the connection point in ION Desk, and activate it",
        ),
    };
    rows.push(row(name, Layer::Message, point));
    rows
}

fn judged(answer: Result<String, Failure>) -> Finding {
    match answer {
        Ok(seen) => Finding::Fine(seen),
        Err(failure) => {
            let advice = match failure.code.as_str() {
                "HTTP 412" => {
                    "activate the connection point in ION Desk; its logical id is intake.ion.logical_id"
                }
                "HTTP 403" => {
                    "enter the client id of the authorised app at the connection point in ION Desk"
                }
                _ => super::destinations::advice(failure.class),
            };
            Finding::failed(failure.to_string(), advice)
        }
    }
}
