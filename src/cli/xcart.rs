//! The commands for who looks at the shop's API.
//!
//! Guarantees: only GET is sent, below `/api`; the token is not printed.

pub mod resources;

use super::{ConfigFile, Fault, m3::failed, pretty, say};
use crate::{
    config::{self, Loaded},
    connector::{
        Class, Failure, Kind,
        xcart::{self, rest::Shop},
    },
    secret::Secret,
};
use clap::{Args, Subcommand};
use tokio::runtime::Runtime;

/// Ask the shop.
#[derive(Debug, Args)]
pub struct Ask {
    /// Where the shop is found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Read something and print it, as the shop wrote it.
    Get {
        /// Below `/api`, such as `/orders/5` or `/orders?page=2`.
        #[arg(value_name = "PATH")]
        target: String,
    },
    /// Say what the API offers, or all of one thing.
    Describe {
        /// One thing, such as `orders`.
        resource: Option<String>,
    },
    /// List records of one thing.
    List(resources::List),
    /// Show one record.
    Show(resources::Show),
}

/// Does it.
pub fn run(ask: &Ask) -> Result<(), Fault> {
    match &ask.action {
        Action::Describe { resource } => resources::describe(resource.as_deref()),
        Action::Get { target } => with_shop(ask, |runtime, shop| get(runtime, shop, target)),
        Action::List(asked) => {
            with_shop(ask, |runtime, shop| resources::list(runtime, shop, asked))
        }
        Action::Show(asked) => {
            with_shop(ask, |runtime, shop| resources::show(runtime, shop, asked))
        }
    }
}

fn with_shop(
    ask: &Ask,
    work: impl FnOnce(&Runtime, &Shop) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let shop = shop(&config::load(&ask.config.path)?)?;
    work(&super::runtime()?, &shop)
}

fn get(runtime: &Runtime, shop: &Shop, target: &str) -> Result<(), Fault> {
    match runtime.block_on(Box::pin(shop.look(target))) {
        Ok(found) => say(&pretty::json(&found)),
        Err(failure) if failure.class == Class::Config && failure.code.is_empty() => {
            Err(Fault::Misasked(failure.text))
        }
        Err(failure) => Err(refused(&failure)),
    }
}

/// Prepares to call the shop of the configuration.
pub fn shop(loaded: &Loaded) -> Result<Shop, Fault> {
    let settings = settings(loaded)?;
    let secret = loaded.credentials.get(&settings.credential).map_err(no_start)?;
    Shop::new(settings.clone(), &secret).map_err(no_start)
}

/// Prepares to call it with a token that nobody gave out.
pub fn stranger(loaded: &Loaded) -> Result<Shop, Fault> {
    let secret = Secret::new("causeway-contract-knows-no-token");
    Shop::new(settings(loaded)?.clone(), &secret).map_err(no_start)
}

fn settings(loaded: &Loaded) -> Result<&xcart::Settings, Fault> {
    let Some(settings) = &loaded.config.xcart else {
        let text = "there is no [xcart] in the configuration, which says how the shop is reached";
        return Err(Fault::Misasked(text.to_owned()));
    };
    Ok(settings)
}

fn no_start(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::NoStart { part: "the connection to the shop", source: Box::new(error) }
}

/// The words for M3 fit, but where the shop said no.
fn refused(failure: &Failure) -> Fault {
    let next = match (failure.class, failure.code.as_str()) {
        (Class::NotFound, _) => "the shop has no such record",
        (Class::Config, "HTTP 404") => {
            "the shop's API has no such path: causeway xcart get /docs.json names them"
        }
        (Class::Forbidden, _) => "the token may not read this: look at Settings, API in the shop",
        (_, _) => return failed(failure, Kind::Read),
    };
    Fault::Refused(format!("{failure}\n-> {next}"))
}
