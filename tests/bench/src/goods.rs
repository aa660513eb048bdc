//! Stock and prices of a large shop: how many calls it takes to bring both sides together, and how long
//! one change is on its way. Both systems answer at once; nothing in between but the gateway.

use crate::{
    gauge::{self, Fault},
    orders::secret,
    report,
    start::Gateway,
};
use causeway_sim::{
    catalogue::Item,
    m3::{self, ListedPrice, M3, PriceKey},
    xcart::{self, Shop},
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longer than any phase should take.
const PATIENCE: Duration = Duration::from_mins(20);
/// Between two looks at everything.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Single changes whose way is measured.
const SINGLE: usize = 41;
/// Seconds between two looks of the gateway at M3.
const POLL_S: u64 = 1;
/// Entries of a page of the shop's products.
const PAGE_LEN: usize = 100;
/// Categories of aliases that are asked for each SKU that is no ITNO.
const CATEGORIES: usize = 2;

/// How large the shop is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// The gateway, as it is shipped.
    #[arg(long)]
    gateway: PathBuf,
    /// Where everything lies meanwhile.
    #[arg(long)]
    folder: PathBuf,
    /// Goods of the shop; all change their stock.
    #[arg(long, default_value_t = 50_000)]
    items: usize,
    /// How many of them change their price, too.
    #[arg(long, default_value_t = 20_000)]
    prices: usize,
    /// How many of them get a wholesale price, too.
    #[arg(long, default_value_t = 5_000)]
    wholesale: usize,
}

/// Calls since the last count.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    m3: usize,
    reads: usize,
    writes: usize,
}

struct Stage {
    shop: Shop,
    m3: M3,
    goods: Vec<Item>,
    counted: Calls,
}

/// Measures it, and prints a table.
pub(crate) async fn run(plan: &Plan) -> Result<(), Fault> {
    let place = tempfile::Builder::new().prefix("goods-").tempdir_in(&plan.folder)?;
    let mut stage = Stage::set(place.path(), plan.items).await?;
    let begun = gauge::now();
    let (gateway, _) = Gateway::start(&plan.gateway, place.path())?;
    stage.equal().await?;
    stage.tell("first", begun.elapsed(), stage.least_first());
    let begun = gauge::now();
    for (at, item) in stage.goods.iter_mut().enumerate() {
        stage.m3.set_stock("001", &item.itno, Decimal::from(1_000 + at % 777));
        if at < plan.prices {
            item.price += Decimal::ONE;
            let price = ListedPrice::plain(item.price);
            stage.m3.set_listed_price(PriceKey::of("WEB", &item.itno, "20200101"), price);
        }
    }
    stage.equal().await?;
    let changed = stage.goods.len();
    stage.tell("all changed", begun.elapsed(), Calls { m3: 2, reads: 0, writes: changed });
    stage.wholesale(plan.wholesale).await?;
    let median_ms = stage.single().await?;
    let over_ms = median_ms - 1e3 * gauge::figure(POLL_S);
    report::line(&format!(
        "one change: {median_ms:.0} ms at the median, {over_ms:.0} ms beyond a poll of {POLL_S} s"
    ));
    report::line(&format!("memory of the gateway: {} KiB at most", gateway.status_kib("VmHWM:")?));
    Ok(())
}

impl Stage {
    async fn set(folder: &Path, count: usize) -> Result<Self, Fault> {
        let goods = causeway_sim::catalogue::items(1, count);
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = xcart::Options { items: goods.clone(), ..xcart::Options::calm(1) };
        let token = options.write_token.clone();
        let shop = Shop::start(anywhere, options).await?;
        let options = m3::Options { items: goods.clone(), ..m3::Options::calm(1) };
        let m3 = M3::start(anywhere, options).await?;
        for name in ["credentials", "state"] {
            fs::DirBuilder::new().mode(0o700).recursive(true).create(folder.join(name))?;
        }
        let credentials = folder.join("credentials");
        for (name, text) in [("xcart-token", token), ("m3.ionapi", m3.ionapi())] {
            secret(&credentials.join(name), &text)?;
        }
        let config = CONFIG
            .replace("{state}", &folder.join("state").display().to_string())
            .replace("{poll}", &POLL_S.to_string())
            .replace("{shop}", &shop.url());
        fs::write(folder.join("causeway.toml"), config)?;
        Ok(Self { shop, m3, goods, counted: Calls::default() })
    }

    fn wants(&self, item: &Item) -> Option<i64> {
        self.m3.stock("001", &item.itno)?.1.floor().max(Decimal::ZERO).to_i64()
    }

    /// Waits until both sides are equal. Looks at the whole shop only while something differs.
    async fn equal(&self) -> Result<(), Fault> {
        let begun = gauge::now();
        let mut at = 0;
        while let Some(item) = self.goods.get(at) {
            let same = self.shop.amount(&item.sku) == self.wants(item)
                && self.shop.price(&item.sku) == Some(item.price);
            if same {
                at += 1;
            } else if begun.elapsed() > PATIENCE {
                return Err(format!("{} is not as it should be", item.sku).into());
            } else {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Lists a price from 10 pieces on for some, and waits until the shop has them.
    async fn wholesale(&mut self, count: usize) -> Result<(), Fault> {
        let begun = gauge::now();
        let some: Vec<&Item> = self.goods.iter().take(count).collect();
        for item in &some {
            let key = PriceKey { quantity: 10, ..PriceKey::of("WEB", &item.itno, "20200101") };
            self.m3.set_listed_price(key, ListedPrice::plain(item.price));
        }
        for item in &some {
            let want = [(10, None, item.price.normalize())];
            while self.shop.wholesale(&item.sku) != want {
                if begun.elapsed() > PATIENCE {
                    return Err(format!("{} has no wholesale price", item.sku).into());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        let (reads, writes) = (some.len(), some.len());
        self.tell("wholesale", begun.elapsed(), Calls { m3: 1, reads, writes });
        Ok(())
    }

    fn counts(&self) -> Calls {
        let seen = self.shop.what_it_saw();
        let writes = seen.iter().filter(|call| call.method != "GET").count();
        // A bulk request is one call; each of its transactions was seen.
        Calls { m3: self.m3.what_it_saw().len(), reads: seen.len() - writes, writes }
    }

    /// What the first reading cannot do without.
    fn least_first(&self) -> Calls {
        let products = self.goods.len() - self.goods.len() / 9;
        let aliases = self.goods.iter().filter(|item| item.sku != item.itno).count();
        let pages = products.div_ceil(PAGE_LEN);
        Calls { m3: 2 + aliases * CATEGORIES, reads: pages + products, writes: self.goods.len() }
    }

    fn tell(&mut self, name: &str, time: Duration, least: Calls) {
        let now = self.counts();
        let (m3, reads) = (now.m3 - self.counted.m3, now.reads - self.counted.reads);
        let writes = now.writes - self.counted.writes;
        self.counted = now;
        report::line(&format!(
            "{name}: {} s; transactions of M3 {m3} (least {}), reads of the shop {reads} (least {}), writes {writes} (least {})",
            time.as_secs(),
            least.m3,
            least.reads,
            least.writes
        ));
    }

    /// Changes one item after another; returns the median of their ways in milliseconds.
    async fn single(&self) -> Result<f64, Fault> {
        let mut ways = Vec::with_capacity(SINGLE);
        for (at, item) in self.goods.iter().take(SINGLE).enumerate() {
            let begun = gauge::now();
            self.m3.set_stock("001", &item.itno, Decimal::from(5_000 + at));
            while self.shop.amount(&item.sku) != self.wants(item) {
                if begun.elapsed() > PATIENCE {
                    return Err("a change did not arrive".into());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ways.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        ways.sort_by(f64::total_cmp);
        ways.get(SINGLE / 2).copied().ok_or_else(|| "nothing was measured".into())
    }
}

const CONFIG: &str = r#"
state_dir = "{state}"

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

[stock]
warehouses = ["001"]
mode = "write"
poll_s = {poll}
overlap_s = 2

[prices]
list = "WEB"
currency = "EUR"
mode = "write"
poll_s = {poll}
overlap_s = 2
[prices.wholesale]

[goods]
writes_at_once = 8
"#;
