//! What can be asked of the sandbox.

use causeway_sim::weather::Weather;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Shows orders flowing from a shop through Causeway into M3 and their status flowing back.
#[derive(Clone, Debug, Parser)]
#[command(name = "causeway-sandbox", version)]
#[expect(clippy::struct_excessive_bools, reason = "two switches of a command line")]
pub(crate) struct Args {
    /// A business day: 5,000 customers, 20,000 items and 3,000 orders, few at night and most in the
    /// evening. What is given besides counts more.
    #[arg(long)]
    pub day: bool,
    /// How many orders the shop takes [default: 200, on a business day 3000].
    #[arg(long)]
    orders: Option<usize>,
    /// How many goods both systems know [default: 300, on a business day 20000].
    #[arg(long)]
    items: Option<usize>,
    /// How many customers have an account in the shop [default: 40, on a business day 5000].
    #[arg(long)]
    customers: Option<u64>,
    /// Orders a second; 0 places them as fast as it goes.
    #[arg(long, default_value_t = 25)]
    pub rate: u32,
    /// The same seed makes the same shop, orders and weather.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What goes wrong between the systems: calm, breezy or storm.
    #[arg(long, default_value = "calm", value_parser = weather)]
    pub weather: String,
    /// What flows: orders alone, or all that is bought, changed and cancelled, with stock, prices and
    /// products.
    #[arg(long, value_enum, default_value = "all")]
    pub flows: Flows,
    /// Kill the gateway with SIGKILL so many times at random while orders flow, and start it again.
    #[arg(long, default_value_t = 0)]
    pub kill: u32,
    /// Places at which the gateway dies, `NAME:N` for the Nth pass, one for each of its starts. Works
    /// only with a gateway that was built for fault tests (feature `failpoints`).
    #[arg(long, value_delimiter = ',')]
    pub fail: Vec<String>,
    /// How often the warehouse of the simulated M3 moves every order one step on.
    #[arg(long, default_value_t = 700)]
    pub pace_ms: u64,
    /// The gateway's `quiescence_s`; a lost call of the simulated M3 runs at most half as long.
    #[arg(long, default_value_t = 4)]
    pub quiescence_s: u64,
    /// End when all orders are settled; the status is 0 only if none was lost, doubled or unequal.
    #[arg(long)]
    pub exit: bool,
    /// Print the proof as one JSON object in the last line.
    #[arg(long)]
    pub json: bool,
    /// The gateway's binary; without it this program acts as the gateway too.
    #[arg(long, value_name = "PATH")]
    pub gateway: Option<PathBuf>,
    /// Keep the gateway's folder (configuration, state, log) here instead of a temporary one.
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Give up waiting after so many seconds; what is not settled by then counts as lost.
    #[arg(long, default_value_t = 1_800)]
    pub patience_s: u64,
}

/// What flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flows {
    /// Orders to M3, status and tracking back.
    Orders,
    /// That, buyers who change their minds, and stock, prices and products from M3 to the shop.
    All,
}

impl Args {
    /// How many orders the shop takes.
    pub(crate) fn orders(&self) -> usize {
        self.orders.unwrap_or(if self.day { 3_000 } else { 200 })
    }

    /// How many goods both systems know.
    pub(crate) fn items(&self) -> usize {
        self.items.unwrap_or(if self.day { 20_000 } else { 300 })
    }

    /// How many customers have an account.
    pub(crate) fn customers(&self) -> u64 {
        self.customers.unwrap_or(if self.day { 5_000 } else { 40 })
    }
}

fn weather(name: &str) -> Result<String, String> {
    let known = Weather::named(name).map(|_| name.to_owned());
    known.ok_or_else(|| "the weather is calm, breezy or storm".to_owned())
}
