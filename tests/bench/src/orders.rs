//! The whole way: orders of a simulated shop until a simulated M3 has them, nothing in between but the
//! gateway. Both answer at once.

use crate::{
    gauge::{self, Fault},
    start::Gateway,
};
use causeway_sim::{
    m3::{self, M3},
    xcart::{self, Shop},
};
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// Goods that both systems know.
const ITEMS: usize = 300;
/// What the shop signs its webhooks with.
const SECRET: &str = "a secret of the bench";
/// Longer than any order should take.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the whole way takes.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// Orders a second, when all are there at once.
    pub(crate) rate: f64,
    /// From the placing of one order to the first call of M3, each.
    pub(crate) first_ms: Vec<f64>,
    /// From the placing of one order to its confirmation.
    pub(crate) whole_ms: Vec<f64>,
    pub(crate) peak_kib: u64,
}

/// Places orders one by one, then all at once.
pub(crate) async fn measure(
    program: &Path,
    folder: &Path,
    (single, many): (usize, usize),
) -> Result<Orders, Fault> {
    let stage = Stage::set(folder).await?;
    let (gateway, _) = Gateway::start(program, folder)?;
    stage.connect()?;
    let mut orders = Orders { rate: 0.0, first_ms: Vec::new(), whole_ms: Vec::new(), peak_kib: 0 };
    // The first one logs in and opens the connections.
    stage.one().await?;
    for _ in 0..single {
        let (first, whole) = stage.one().await?;
        orders.first_ms.push(first.as_secs_f64() * 1e3);
        orders.whole_ms.push(whole.as_secs_f64() * 1e3);
    }
    let before = stage.m3.books().orders.len();
    let begun = gauge::now();
    stage.shop.place_orders(many);
    while stage.m3.books().orders.len() < before + many {
        if begun.elapsed() > PATIENCE {
            return Err("the orders did not arrive".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    orders.rate = gauge::figure(u64::try_from(many)?) / begun.elapsed().as_secs_f64();
    orders.peak_kib = gateway.status_kib("VmHWM:")?;
    Ok(orders)
}

struct Stage {
    shop: Shop,
    m3: M3,
    folder: PathBuf,
    port: u16,
}

impl Stage {
    async fn set(folder: &Path) -> Result<Self, Fault> {
        let items = causeway_sim::catalogue::items(1, ITEMS);
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = xcart::Options { items: items.clone(), ..xcart::Options::calm(1) };
        let token = options.write_token.clone();
        let shop = Shop::start(anywhere, options).await?;
        let m3 = M3::start(anywhere, m3::Options { items, ..m3::Options::calm(1) }).await?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        for name in ["credentials", "state"] {
            fs::DirBuilder::new().mode(0o700).recursive(true).create(folder.join(name))?;
        }
        let credentials = folder.join("credentials");
        secret(&credentials.join("xcart-token"), &token)?;
        secret(&credentials.join("xcart-webhook"), SECRET)?;
        secret(&credentials.join("m3.ionapi"), &m3.ionapi())?;
        let config = CONFIG
            .replace("{state}", &folder.join("state").display().to_string())
            .replace("{port}", &port.to_string())
            .replace("{shop}", &shop.url());
        fs::write(folder.join("causeway.toml"), config)?;
        Ok(Self { shop, m3, folder: folder.to_owned(), port })
    }

    fn connect(&self) -> io::Result<()> {
        let certificate = fs::read_to_string(self.folder.join("state/tls/own.crt"))?;
        let url = format!("https://localhost:{}/hooks/xcart", self.port);
        let target = xcart::WebhookTarget::signed(&url, SECRET);
        self.shop.set_webhook(xcart::WebhookTarget { ca_pem: Some(certificate), ..target });
        Ok(())
    }

    /// Places one order; returns when M3 was called first, and when it was confirmed.
    async fn one(&self) -> Result<(Duration, Duration), Fault> {
        let seen = self.m3.what_it_saw().len();
        let begun = gauge::now();
        self.shop.place_orders(1);
        let mut first = None;
        loop {
            let calls = self.m3.what_it_saw();
            let new = calls.get(seen..).unwrap_or_default();
            if !new.is_empty() && first.is_none() {
                first = Some(begun.elapsed());
            }
            let confirmed = new.iter().any(|call| call.transaction == "Confirm");
            if let Some(first) = first.filter(|_| confirmed) {
                return Ok((first, begun.elapsed()));
            }
            if begun.elapsed() > PATIENCE {
                return Err("an order did not arrive".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Writes a credential that its owner alone may read.
pub(crate) fn secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

const CONFIG: &str = r#"
state_dir = "{state}"

[intake]
listen = "127.0.0.1:{port}"

[[intake.sources]]
name = "xcart"
path = "/hooks/xcart"
event = { header = "X-Shop-Event" }
delivery = { header = "X-Shop-Delivery" }
order_id = "/id"
order_number = "/order_number"
[intake.sources.signature.hmac]
header = "X-Shop-Signature"
encoding = "hex"
prefix = "sha256="
secret = "xcart-webhook"

[xcart]
base_url = "{shop}"
credential = "xcart-token"
gate = { concurrency_max = 64, calls_per_s_max = 10000, burst_max = 10000 }

[m3]
company = 100
division = "AAA"
gate = { concurrency_max = 64, calls_per_s_max = 10000, burst_max = 10000 }
[m3.login.ion]
credential = "m3.ionapi"

[delivery]
lanes_max = 48

[order_to_cash]
shop_prefix = "X1"
order_type = "WEB"
facility = "A01"
warehouse = "001"
follow_s = [3600, 3600]
charges = [
  { code = "SHIPPING", crid = "SHIP" },
  { code = "CDEV.STAX*", crid = "TAX" },
  { code = "DISCOUNT*", crid = "OTBA" },
  { code = "DCOUPON*", crid = "OTBA" },
  { code = "PMETHOD_FEE", crid = "PAYFEE" },
  { code = "ROUNDING", crid = "ROUND" },
]
[order_to_cash.customer]
template = "WEBTMPL"
"#;
