//! Opens a simulated X-Cart shop and places orders in it until it is interrupted.

use causeway_sim::{
    weather::Weather,
    xcart::{Legacy, Options, Quirks, Shop, WebhookTarget},
};
use clap::Parser;
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// A simulated X-Cart shop, of 5.5 if it is not told otherwise.
#[derive(Debug, Parser)]
#[command(name = "sim-xcart", version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8055")]
    listen: SocketAddr,
    /// The same seed gives the same shop and the same orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// calm, breezy or storm.
    #[arg(long, default_value = "calm", value_parser = weather)]
    weather: Weather,
    /// calm (5.5.1), old (5.5.0) or storm.
    #[arg(long, default_value = "calm", value_parser = quirks)]
    quirks: Quirks,
    /// Makes it one of 5.0 to 5.4: calm, or odd in what nobody knows; the tokens are its keys.
    #[arg(long, value_parser = legacy)]
    legacy: Option<Legacy>,
    /// Lets tracking numbers be written.
    #[arg(long)]
    tracking_extension: bool,
    /// How many goods the shop has.
    #[arg(long, default_value_t = causeway_sim::xcart::ITEMS_BY_DEFAULT)]
    items: usize,
    /// How many orders of a thousand cannot be imported.
    #[arg(long, default_value_t = 0)]
    defects_permille: u32,
    /// The token that may only read.
    #[arg(long, default_value = "read")]
    read_token: String,
    /// The token that may do everything.
    #[arg(long, default_value = "write")]
    write_token: String,
    /// Where events are told.
    #[arg(long)]
    webhook: Option<String>,
    /// What the webhook is signed with.
    #[arg(long, default_value = "secret", requires = "webhook")]
    webhook_secret: String,
    /// Repeats, delays, loses and shuffles what is told.
    #[arg(long, requires = "webhook")]
    webhook_unruly: bool,
    /// The authorities the webhook's certificate may come from, as PEM.
    #[arg(long, requires = "webhook")]
    ca: Option<PathBuf>,
    /// How many orders to place.
    #[arg(long, default_value_t = 0)]
    orders: usize,
    /// How many of them in a second; 0 places all at once.
    #[arg(long, default_value_t = 1)]
    rate: u32,
}

fn weather(name: &str) -> Result<Weather, &'static str> {
    Weather::named(name).ok_or("calm, breezy or storm")
}

fn quirks(name: &str) -> Result<Quirks, &'static str> {
    Quirks::named(name).ok_or("calm, old or storm")
}

fn legacy(name: &str) -> Result<Legacy, &'static str> {
    Legacy::named(name).ok_or("calm or odd")
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Nobody is left to tell if stderr is gone.
            let _ = writeln!(io::stderr(), "sim-xcart: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let (listen, count, rate) = (arguments.listen, arguments.orders, arguments.rate);
    let shop = Shop::start(listen, options(arguments)?).await?;
    writeln!(io::stdout(), "an X-Cart shop at {}/, its side door at /_sim/books", shop.url())?;
    tokio::select! {
        () = place(&shop, count, rate) => tokio::signal::ctrl_c().await?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    shop.stop().await;
    Ok(())
}

fn options(arguments: Arguments) -> io::Result<Options> {
    let ca_pem = arguments.ca.map(std::fs::read_to_string).transpose()?;
    let webhook = arguments.webhook.map(|url| {
        let target = WebhookTarget::signed(&url, &arguments.webhook_secret);
        let target = if arguments.webhook_unruly { target.unruly() } else { target };
        WebhookTarget { ca_pem, ..target }
    });
    let mut quirks = arguments.quirks;
    quirks.tracking_extension |= arguments.tracking_extension;
    Ok(Options {
        weather: arguments.weather,
        quirks,
        items: causeway_sim::catalogue::items(arguments.seed, arguments.items),
        read_token: arguments.read_token,
        write_token: arguments.write_token,
        webhook,
        legacy: arguments.legacy,
        defects_permille: arguments.defects_permille,
        ..Options::calm(arguments.seed)
    })
}

async fn place(shop: &Shop, count: usize, rate: u32) {
    if rate == 0 {
        shop.place_orders(count);
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    for _ in 0..count {
        ticks.tick().await;
        shop.place_orders(1);
    }
}
