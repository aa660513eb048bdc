//! A way to a person: an e-mail account or a webhook.
//!
//! Guarantees: a letter that [`Channel::send`] reports as sent was taken by the other side; a
//! fault says at which layer, and holds no secret and no address of a webhook.

use super::{config::Config, hook::Hook, mail::Mail, outbox::Letter};
use crate::{
    clock::Now,
    config::{CredentialError, Credentials},
};
use std::fmt;
use thiserror::Error;

/// Why a letter was not taken. The text continues "could not send a message by …: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{layer}: {text}")]
pub struct SendFault {
    /// How far it came.
    pub layer: Layer,
    /// What was seen.
    pub text: String,
    /// How many seconds the other side asks us to wait.
    pub retry_after_s: Option<u64>,
}

impl SendFault {
    pub(super) fn new(layer: Layer, text: impl Into<String>) -> Self {
        Self { layer, text: text.into(), retry_after_s: None }
    }
}

/// What a letter goes through, from the bottom up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The other side answers.
    Connect,
    /// The connection is encrypted, by a certificate that is good.
    Tls,
    /// The other side believes who we are.
    Login,
    /// It takes the message.
    Message,
}

impl Layer {
    /// Returns its fixed name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Message => "message",
        }
    }

    /// Returns what a person can do when it fails.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Connect => "check host and port, and the firewall between",
            Self::Tls => {
                "check security (starttls or tls) and the port; if the server has a CA of its own, set ca_file"
            }
            Self::Login => "the credential or the user is not accepted: write the right one down",
            Self::Message => {
                "read its words: a sender or receiver that is not allowed, a form it does not know, or a limit"
            }
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a channel cannot be used. The text continues "could not prepare …: ".
#[derive(Debug, Error)]
pub enum ChannelError {
    /// A secret cannot be read.
    #[error("a credential cannot be read")]
    Credential(#[from] CredentialError),
    /// A setting cannot work.
    #[error("{0}")]
    Setting(String),
}

/// A channel that is ready.
#[derive(Clone, Debug)]
pub struct Channel {
    name: String,
    box_name: String,
    letters_per_h_max: u32,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Mail(Mail),
    Hook(Hook),
}

impl Channel {
    /// Prepares every configured channel; each with its key, and why it cannot be used, if so.
    pub fn all(
        config: &Config,
        credentials: &Credentials,
    ) -> Vec<(String, Result<Self, ChannelError>)> {
        let box_name = &config.box_name;
        let mail = config.mail.iter().enumerate().map(|(index, settings)| {
            let way = Mail::new(settings, credentials, box_name).map(Way::Mail);
            let most = settings.letters_per_h_max;
            (format!("mail[{index}]"), Self::of(&settings.name, box_name, most, way))
        });
        let hooks = config.webhooks.iter().enumerate().map(|(index, settings)| {
            let way = Hook::new(settings, credentials).map(Way::Hook);
            let most = settings.letters_per_h_max;
            (format!("webhooks[{index}]"), Self::of(&settings.name, box_name, most, way))
        });
        mail.chain(hooks).collect()
    }

    fn of(
        name: &str,
        box_name: &str,
        letters_per_h_max: u32,
        way: Result<Way, ChannelError>,
    ) -> Result<Self, ChannelError> {
        let (name, box_name) = (name.to_owned(), box_name.to_owned());
        way.map(|way| Self { name, box_name, letters_per_h_max, way })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how many letters it may be given in an hour.
    pub fn letters_per_h_max(&self) -> u32 {
        self.letters_per_h_max
    }

    /// Sends a letter.
    pub async fn send(&self, letter: &Letter, now: Now) -> Result<(), SendFault> {
        match &self.way {
            Way::Mail(mail) => Box::pin(mail.send(letter, &self.box_name, now)).await,
            Way::Hook(hook) => hook.send(letter, &self.box_name, now).await,
        }
    }

    /// Goes as far as it can without sending anything; says what was seen, or nothing where only a
    /// message tries more than the connection.
    pub async fn try_out(&self) -> Result<Option<String>, SendFault> {
        match &self.way {
            Way::Mail(mail) => Box::pin(mail.log_in()).await.map(Some),
            Way::Hook(_) => Ok(None),
        }
    }
}
