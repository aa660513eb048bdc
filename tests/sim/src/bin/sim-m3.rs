//! An M3 to try things against by hand: `sim-m3 --listen 127.0.0.1:8203 --weather storm`.
//!
//! It runs until it is interrupted and keeps nothing. Its own pages are under `/_sim/`.

use causeway_sim::{
    catalogue::Item,
    m3::{Auth, Language, M3, Options, OrderEntryNames, Switches},
    weather::Weather,
};
use clap::{Parser, ValueEnum};
use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

/// Who may call.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Access {
    /// Through the ION API gateway, with a token.
    Ionapi,
    /// On the grid, with HTTP Basic.
    Basic,
}

/// Names of order entry.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Names {
    /// `AddBatchHead` and `AddBatchLine`.
    Batch,
    /// `AddHead` and `AddLine` as well.
    AddHead,
}

/// Language of message texts.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tongue {
    En,
    De,
    Sv,
}

/// An Infor M3 behind its gateway.
#[derive(Debug, Parser)]
struct Cli {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8203")]
    listen: SocketAddr,
    /// Seed of all chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// calm, breezy or storm.
    #[arg(long, default_value = "calm", value_parser = weather)]
    weather: Weather,
    /// Who may call.
    #[arg(long, default_value = "ionapi")]
    auth: Access,
    /// User and password for basic, as USER:PASSWORD.
    #[arg(long, default_value = "MVXUSER:secret")]
    user: String,
    /// Where to write the .ionapi file.
    #[arg(long)]
    ionapi_out: Option<PathBuf>,
    /// How often the warehouse moves every order on, in milliseconds; 0 is never.
    #[arg(long, default_value_t = 0)]
    pace_ms: u64,
    /// How many made-up items it knows, ITEM0001 and on.
    #[arg(long, default_value_t = 100)]
    items: u32,
    /// Draw all differences between M3s from the seed.
    #[arg(long)]
    drawn: bool,
    /// Names of order entry.
    #[arg(long, default_value = "batch")]
    order_entry_names: Names,
    /// Language of message texts.
    #[arg(long, default_value = "en")]
    language: Tongue,
    /// Refusals on a single v2 GET are HTTP 400.
    #[arg(long)]
    nok_as_400: bool,
    /// An unknown transaction is HTTP 200.
    #[arg(long)]
    unknown_transaction_as_200: bool,
    /// v1 gives an array of one as the bare element.
    #[arg(long)]
    single_as_object: bool,
    /// Numbers have a decimal comma and the minus behind.
    #[arg(long)]
    decimal_comma: bool,
    /// Confirm answers OK with a status below 90 when its checks fail.
    #[arg(long)]
    confirm_ok_when_checks_fail: bool,
    /// A second Confirm makes one more order.
    #[arg(long)]
    second_confirm_doubles: bool,
}

fn weather(name: &str) -> Result<Weather, String> {
    Weather::named(name).ok_or_else(|| "not calm, breezy or storm".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Nobody is left to tell if stderr is gone.
            let _ = writeln!(io::stderr(), "sim-m3: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> io::Result<()> {
    let m3 = M3::start(cli.listen, options(&cli)).await?;
    if let Some(path) = &cli.ionapi_out {
        std::fs::write(path, m3.ionapi())?;
    }
    writeln!(io::stdout(), "M3 at {}, books at {}/_sim/books", m3.api(), m3.url())?;
    tokio::signal::ctrl_c().await?;
    m3.stop().await;
    Ok(())
}

fn options(cli: &Cli) -> Options {
    let mut options = Options::calm(cli.seed);
    options.weather = cli.weather.clone();
    options.pace_ms = cli.pace_ms;
    options.items = (1..=cli.items).map(item).collect();
    options.switches = switches(cli);
    if let Access::Basic = cli.auth {
        let (user, password) = cli.user.split_once(':').unwrap_or((&cli.user, ""));
        options.auth = Auth::Basic { user: user.to_owned(), password: password.to_owned() };
    }
    options
}

fn switches(cli: &Cli) -> Switches {
    if cli.drawn {
        return Switches::drawn(cli.seed);
    }
    Switches {
        nok_as_400: cli.nok_as_400,
        unknown_transaction_as_200: cli.unknown_transaction_as_200,
        single_as_object: cli.single_as_object,
        decimal_comma: cli.decimal_comma,
        confirm_nok_when_checks_fail: !cli.confirm_ok_when_checks_fail,
        second_confirm_is_error: !cli.second_confirm_doubles,
        order_entry_names: match cli.order_entry_names {
            Names::Batch => OrderEntryNames::Batch,
            Names::AddHead => OrderEntryNames::AddHead,
        },
        language: match cli.language {
            Tongue::En => Language::En,
            Tongue::De => Language::De,
            Tongue::Sv => Language::Sv,
        },
        ..Switches::plain()
    }
}

fn item(n: u32) -> Item {
    let itno = format!("ITEM{n:04}");
    Item {
        sku: itno.clone(),
        itno,
        alias: None,
        name: format!("Item {n}"),
        price: (n * 100 + 99).into(),
        status: "20".to_owned(),
    }
}
