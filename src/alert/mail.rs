//! E-mail over SMTP.
//!
//! What this module guarantees:
//! 1. To another machine nothing is said in the clear: TLS from the start, or STARTTLS or no
//!    message. No switch accepts any certificate; a private CA replaces all others.
//! 2. A message is sent once the server has said 250 to it, and not before.
//! 3. A letter that is sent again has the same Message-ID.
//! 4. Everything takes at most `send_ms_max`.

use super::{
    channel::{ChannelError, Layer, SendFault},
    outbox::Letter,
    text,
};
use crate::{
    clock::Now,
    config::{CredentialName, Credentials},
};
use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::{Credentials as Login, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        extension::ClientId,
    },
};
use serde::Deserialize;
use std::{error::Error as _, fmt, fs, net::IpAddr, path::PathBuf, time::Duration};
use tokio::time::{Instant, timeout_at};

/// An e-mail account to tell people from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What it is called.
    pub name: String,
    /// The mail server.
    pub host: String,
    /// Its port; absent: 587, with `tls` 465, with `plain` 25.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub security: Security,
    /// Who logs in.
    pub user: Option<String>,
    /// The credential with the password.
    pub credential: Option<CredentialName>,
    /// Who it is from.
    pub from: String,
    /// Whom it is for.
    pub to: Vec<String>,
    /// PEM file with the only authorities to trust; without it those of the system.
    pub ca_file: Option<PathBuf>,
    /// Time for one message.
    #[serde(default = "send_ms_max")]
    pub send_ms_max: u64,
    /// Messages in an hour.
    #[serde(default = "letters_per_h_max")]
    pub letters_per_h_max: u32,
}

const fn send_ms_max() -> u64 {
    60_000
}

pub(super) const fn letters_per_h_max() -> u32 {
    12
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// It begins in the clear and must change to TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the start.
    Tls,
    /// Not at all: to this machine only.
    Plain,
}

impl Security {
    /// Returns the name an operator writes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Tls => "tls",
            Self::Plain => "plain",
        }
    }
}

impl Settings {
    /// Returns the port, with what its absence means.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::Plain => 25,
        })
    }

    /// Says what cannot work, by key, and why.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut add = |key, reason: &str| problems.push((key, reason.to_owned()));
        if self.host.is_empty() || self.host.contains(|c: char| c.is_whitespace() || c == '/') {
            add("host", "is not the name or address of a machine");
        }
        if self.security == Security::Plain && !is_this_machine(&self.host) {
            add("security", "plain is for a mail server on this machine only");
        }
        match (&self.user, &self.credential) {
            (Some(_), None) => add("user", "has no credential with its password"),
            (None, Some(_)) => add("credential", "stands there without a user"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Err(error) = self.from.parse::<Mailbox>() {
            add("from", &format!("{:?} is not an e-mail address: {error}", self.from));
        }
        if self.to.is_empty() {
            add("to", "nobody is told");
        }
        for to in &self.to {
            if let Err(error) = to.parse::<Mailbox>() {
                add("to", &format!("{to:?} is not an e-mail address: {error}"));
            }
        }
        if !(1_000..=600_000).contains(&self.send_ms_max) {
            add("send_ms_max", "must be between 1000 and 600000");
        }
        if !(1..=1_000).contains(&self.letters_per_h_max) {
            add("letters_per_h_max", "must be between 1 and 1000");
        }
        problems
    }
}

fn is_this_machine(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// An account that is ready.
#[derive(Clone)]
pub(super) struct Mail {
    host: String,
    port: u16,
    hello: ClientId,
    security: Security,
    tls: Option<TlsParameters>,
    login: Option<Login>,
    from: Mailbox,
    to: Vec<Mailbox>,
    /// What stands behind the `@` of a Message-ID.
    id_host: String,
    time_max: Duration,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Mail {
    /// Prepares an account.
    pub(super) fn new(
        settings: &Settings,
        credentials: &Credentials,
        box_name: &str,
    ) -> Result<Self, ChannelError> {
        let address = |text: &String| {
            let parsed = text.parse::<Mailbox>();
            parsed.map_err(|error| ChannelError::Setting(format!("{text:?}: {error}")))
        };
        let login = match (&settings.user, &settings.credential) {
            (Some(user), Some(name)) => {
                let password = credentials.get(name.as_str())?;
                Some(Login::new(user.clone(), password.reveal().to_owned()))
            }
            (Some(_) | None, _) => None,
        };
        let id_host = host_name(box_name);
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port(),
            hello: ClientId::Domain(id_host.clone()),
            security: settings.security,
            tls: tls(settings)?,
            login,
            from: address(&settings.from)?,
            to: settings.to.iter().map(address).collect::<Result<_, _>>()?,
            id_host,
            time_max: Duration::from_millis(settings.send_ms_max),
        })
    }

    /// Sends a letter.
    pub(super) async fn send(
        &self,
        letter: &Letter,
        box_name: &str,
        now: Now,
    ) -> Result<(), SendFault> {
        let message = self.message(letter, box_name, now)?;
        let deadline = Instant::from_std(now.mono) + self.time_max;
        let mut connection = Box::pin(self.connect(deadline)).await?;
        let (envelope, text) = (message.envelope(), message.formatted());
        let sending = timeout_at(deadline, connection.send(envelope, &text)).await;
        let sent = answered(Layer::Message, sending);
        // The server has answered: what becomes of the connection changes nothing.
        let _ = timeout_at(deadline, connection.abort()).await;
        sent.map(|_| ())
    }

    /// Connects and logs in, and says what was seen.
    pub(super) async fn log_in(&self) -> Result<String, SendFault> {
        let deadline = Instant::from_std(crate::clock::now().mono) + self.time_max;
        let mut connection = Box::pin(self.connect(deadline)).await?;
        let _ = timeout_at(deadline, connection.abort()).await;
        let secured = self.security.name();
        Ok(match &self.login {
            Some(_) => format!("logged in ({secured})"),
            None => format!("the server answers, without a login ({secured})"),
        })
    }

    async fn connect(&self, deadline: Instant) -> Result<AsyncSmtpConnection, SendFault> {
        let wrapped = self.tls.clone().filter(|_| self.security == Security::Tls);
        let server = (self.host.as_str(), self.port);
        let time_max = Some(self.time_max);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, time_max, &self.hello, wrapped, None);
        let connecting = timeout_at(deadline, Box::pin(connecting)).await;
        let mut connection = answered(Layer::Connect, connecting)?;
        if let Some(tls) = self.tls.clone().filter(|_| self.security == Security::Starttls) {
            let changing = Box::pin(connection.starttls(tls, &self.hello));
            let changing = timeout_at(deadline, changing).await;
            answered(Layer::Tls, changing)?;
        }
        if let Some(login) = &self.login {
            let logging_in = connection.auth(DEFAULT_MECHANISMS, login);
            answered(Layer::Login, timeout_at(deadline, logging_in).await)?;
        }
        Ok(connection)
    }

    fn message(&self, letter: &Letter, box_name: &str, now: Now) -> Result<Message, SendFault> {
        let header = |name: &'static str, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        let builder = Message::builder()
            .from(self.from.clone())
            .subject(text::subject(letter, box_name))
            .date(now.wall)
            .message_id(Some(format!("<causeway.{}@{}>", letter.id, self.id_host)))
            // RFC 3834: nobody's out-of-office answers it.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .header(ContentType::TEXT_PLAIN);
        let builder = self.to.iter().cloned().fold(builder, lettre::message::MessageBuilder::to);
        let message = builder.body(text::body(letter, box_name));
        message.map_err(|error| SendFault::new(Layer::Message, error.to_string()))
    }
}

/// Makes a name that can stand in a Message-ID and in EHLO.
fn host_name(box_name: &str) -> String {
    let name: String = box_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "causeway.invalid".to_owned() } else { format!("{name}.causeway.invalid") }
}

fn tls(settings: &Settings) -> Result<Option<TlsParameters>, ChannelError> {
    if settings.security == Security::Plain {
        return Ok(None);
    }
    let setting = |error: &dyn fmt::Display| ChannelError::Setting(error.to_string());
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let unreadable = |error: &dyn fmt::Display| {
            ChannelError::Setting(format!("the CA file {}: {error}", path.display()))
        };
        let pem = fs::read(path).map_err(|error| unreadable(&error))?;
        if !pem.windows(10).any(|text| text == b"-----BEGIN") {
            return Err(unreadable(&"it holds no certificate"));
        }
        let authority = Certificate::from_pem(&pem).map_err(|error| unreadable(&error))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    builder.build().map(Some).map_err(|error| setting(&error))
}

type SmtpError = lettre::transport::smtp::Error;

/// Judges the answer to one step.
fn answered<T>(
    layer: Layer,
    answer: Result<Result<T, SmtpError>, tokio::time::error::Elapsed>,
) -> Result<T, SendFault> {
    match answer {
        Ok(Ok(reached)) => Ok(reached),
        Ok(Err(error)) => {
            let layer = if is_tls(&error) { Layer::Tls } else { layer };
            Err(SendFault::new(layer, error.to_string()))
        }
        Err(_) => Err(SendFault::new(layer, "no answer in time")),
    }
}

/// Whether a failure to connect is one of the certificate or of TLS.
fn is_tls(error: &SmtpError) -> bool {
    let inner = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let inner = inner.and_then(std::io::Error::get_ref);
    inner.and_then(|cause| cause.downcast_ref::<rustls::Error>()).is_some()
}
