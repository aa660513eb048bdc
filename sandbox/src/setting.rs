//! Sets the scene: both simulators, and the gateway's folder with its configuration.

use crate::{
    args::{Args, Flows},
    market::{LIST, NEW_GROUP, WAREHOUSE},
};
use causeway_sim::{
    catalogue::Item,
    m3::{self, M3},
    weather::Weather,
    xcart::{self, Shop},
};
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// What the shop signs its webhooks with.
const WEBHOOK_SECRET: &str = "a secret of the sandbox";

/// Which surcharge of the simulated shop becomes which charge of the simulated M3.
const CHARGES: &str = r#"charges = [
  { code = "SHIPPING", crid = "SHIP" },
  { code = "CDEV.STAX*", crid = "TAX" },
  { code = "DISCOUNT*", crid = "OTBA" },
  { code = "DCOUPON*", crid = "OTBA" },
  { code = "PMETHOD_FEE", crid = "PAYFEE" },
  { code = "ROUNDING", crid = "ROUND" },
]"#;

/// The two systems and where the gateway lives.
pub(crate) struct Setting {
    pub shop: Shop,
    pub m3: M3,
    pub folder: Folder,
    pub ports: Ports,
    /// The goods that both systems know from the start.
    pub items: Vec<Item>,
    /// How many products the shop has at the start; some of the goods are variants.
    pub products: usize,
}

/// The gateway's folder; a temporary one disappears with it.
pub(crate) struct Folder {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// Where the gateway listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub webhooks: u16,
    pub page: u16,
}

impl Folder {
    fn new(keep: Option<&Path>) -> io::Result<Self> {
        if let Some(path) = keep {
            fs::create_dir_all(path)?;
            return Ok(Self { path: fs::canonicalize(path)?, _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("causeway-sandbox-").tempdir()?;
        Ok(Self { path: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path.join("causeway.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("gateway.log")
    }
}

impl Setting {
    /// Starts both systems and writes the gateway's configuration.
    pub(crate) async fn new(args: &Args) -> io::Result<Self> {
        let folder = Folder::new(args.keep.as_deref())?;
        let items = causeway_sim::catalogue::items(args.seed, args.items());
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let shop_options = shop_options(args, items.clone());
        let token = shop_options.write_token.clone();
        let shop = Shop::start(anywhere, shop_options).await?;
        let products = shop.products();
        let m3 = M3::start(anywhere, m3_options(args, items.clone())).await?;
        let ports = Ports { webhooks: free_port()?, page: free_port()? };
        write_gateway_files(&folder, (&shop, &token), &m3, (ports, args))?;
        Ok(Self { shop, m3, folder, ports, items, products })
    }

    /// The weather is over: what is compared now is not what was lost on its way.
    pub(crate) fn calm_down(&self) {
        self.shop.set_weather(Weather::calm());
        self.m3.set_weather(Weather::calm());
    }

    /// Lets the shop tell its events to the gateway, whose own certificate it trusts.
    pub(crate) fn connect_webhooks(&self, args: &Args) -> io::Result<()> {
        let certificate = fs::read_to_string(self.folder.state().join("tls/own.crt"))?;
        let url = format!("https://localhost:{}/hooks/xcart", self.ports.webhooks);
        let target = xcart::WebhookTarget::signed(&url, WEBHOOK_SECRET);
        let target = if args.weather == "calm" { target } else { target.unruly() };
        self.shop.set_webhook(xcart::WebhookTarget { ca_pem: Some(certificate), ..target });
        Ok(())
    }
}

/// The weather in fast motion. A 429 stops all calls to a system for as long as it asks,
/// and the shortest time that can be asked for is a second: so there are fewer of them.
fn weather(args: &Args) -> Weather {
    let named = Weather::named(&args.weather).unwrap_or_else(Weather::calm);
    Weather { retry_after_s: 0..=1, too_many_permille: named.too_many_permille / 12, ..named }
}

fn shop_options(args: &Args, items: Vec<Item>) -> xcart::Options {
    let customers = args.customers();
    let calm =
        xcart::Options { items: items.clone(), customers, ..xcart::Options::calm(args.seed) };
    match args.weather.as_str() {
        "storm" => xcart::Options {
            weather: weather(args),
            items,
            customers,
            ..xcart::Options::storm(args.seed)
        },
        "breezy" => xcart::Options { weather: weather(args), defects_permille: 10, ..calm },
        _ => calm,
    }
}

fn m3_options(args: &Args, items: Vec<Item>) -> m3::Options {
    let calm = m3::Options { items, pace_ms: args.pace_ms, ..m3::Options::calm(args.seed) };
    let weather = weather(args);
    match args.weather.as_str() {
        "storm" => m3::Options { weather, switches: m3::Switches::drawn(args.seed), ..calm },
        _ => m3::Options { weather, ..calm },
    }
}

/// Asks the system for a port that nobody has.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn write_gateway_files(
    folder: &Folder,
    (shop, token): (&Shop, &str),
    m3: &M3,
    (ports, args): (Ports, &Args),
) -> io::Result<()> {
    let credentials = folder.path.join("credentials");
    if !credentials.exists() {
        fs::DirBuilder::new().mode(0o700).create(&credentials)?;
    }
    if !folder.state().exists() {
        fs::DirBuilder::new().mode(0o700).create(folder.state())?;
    }
    secret(&credentials.join("xcart-token"), token)?;
    secret(&credentials.join("xcart-webhook"), WEBHOOK_SECRET)?;
    secret(&credentials.join("m3.ionapi"), &m3.ionapi())?;
    fs::write(folder.config(), configuration(folder, &shop.url(), ports, args))
}

fn secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// The gateway's configuration. Waits are in fast motion; in real life the values
/// that are left out here are right.
fn configuration(folder: &Folder, shop_url: &str, ports: Ports, args: &Args) -> String {
    let (quiescence_s, goods) = (args.quiescence_s, goods(args.flows));
    let state_dir = folder.state().display().to_string();
    let Ports { webhooks, page } = ports;
    let gate = "{ concurrency_max = 32, calls_per_s_max = 2000, calls_per_s_min = 500, burst_max = 2000, wait_ms_max = 60000, \
                pause_ms_first = 20, failures_max = 20, away_ms_first = 200, away_ms_max = 1000 }";
    format!(
        r#"# Written by the sandbox.
state_dir = "{state_dir}"

[log]
level = "info"

[metrics]
listen = "127.0.0.1:{page}"

[intake]
listen = "127.0.0.1:{webhooks}"

[[intake.sources]]
name = "xcart"
path = "/hooks/xcart"
event = {{ header = "X-Shop-Event" }}
delivery = {{ header = "X-Shop-Delivery" }}
order_id = "/id"
order_number = "/order_number"
[intake.sources.signature.hmac]
header = "X-Shop-Signature"
encoding = "hex"
prefix = "sha256="
secret = "xcart-webhook"

[xcart]
base_url = "{shop_url}"
credential = "xcart-token"
gate = {gate}

[poll]
poll_s = 1
retry = {{ first_ms = 100, cap_ms = 2000, attempts = 40 }}

[m3]
company = 100
division = "AAA"
gate = {gate}
[m3.login.ion]
credential = "m3.ionapi"
token = {{ rest_ms_after_failure = 50, rest_ms_after_refusal = 200 }}

[delivery]
lanes_max = 48
confirm_concurrency_max = 16

{goods}
[order_to_cash]
shop_prefix = "X1"
order_type = "WEB"
facility = "A01"
warehouse = "001"
quiescence_s = {quiescence_s}
heads_max = 20
follow_s = [2, 8]
retry = {{ first_ms = 100, cap_ms = 2000, attempts = 40 }}
{CHARGES}
[order_to_cash.customer]
template = "WEBTMPL"
"#
    )
}

/// The tables of payments, stock, prices and products. All is in fast motion here, too.
fn goods(flows: Flows) -> String {
    if flows == Flows::Orders {
        return String::new();
    }
    format!(
        r#"[stock]
warehouses = ["{WAREHOUSE}"]
mode = "write"
poll_s = 1
overlap_s = 20
hold_confirmed_s = 2

[prices]
list = "{LIST}"
currency = "EUR"
mode = "write"
poll_s = 1
overlap_s = 20

[payments]
strategy = "receivable-batch"
since = "2020-01-01"
receivable_batch = {{ batch_type = "WEB", batch_prefix = 71 }}

[items]
name = ["FUDS", "ITDS"]
weight = {{ field = "NEWE", factor = "1" }}
update = ["name", "weight"]
create = {{ where = {{ ITGR = ["{NEW_GROUP}"] }} }}
mode = "write"
poll_s = 1
"#
    )
}
