//! A shop, an M3 and a gateway between them, for one story.
//!
//! Guarantees: each story has systems, folder and ports of its own; every wait has a
//! deadline; [`Scene::close`] fails when the gateway does not stop in time, when M3 was asked
//! what it should not be asked, or when any order is in M3 twice.

use causeway::{
    cli::serve::Frame,
    config,
    control::{self, ControlError},
    delivery::desk::{Ask, Listed, Reply, Shown},
    flow::run::ReplayFrom,
    gateway::{self, Foundation},
    log,
    metrics::{Metrics, page::Picture, server::Page},
    supervise::{RestartPolicy, Supervisor},
};
use causeway_sim::{
    m3::{self, M3, RealOrder},
    xcart::{self, BookedOrder, OrderSpec, Shop, WebhookTarget},
};
use rust_decimal::Decimal;
use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long anything may take that is looked for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the gateway may take to stop.
const STOP_TIME_MAX: Duration = Duration::from_secs(8);
/// What the shop signs its webhooks with.
pub(crate) const WEBHOOK_SECRET: &str = "the secret of the stories";
/// Goods that both systems know; the first ones are plain.
const ITEMS: usize = 40;
/// How long a lost call may still be running in M3.
pub(crate) const QUIESCENCE: Duration = Duration::from_secs(1);

/// What a story begins with.
pub(crate) struct Plot {
    pub shop: xcart::Options,
    pub m3: m3::Options,
    edits: Vec<(String, String)>,
    tells: bool,
}

impl Plot {
    /// Two sound systems and fine weather; M3's warehouse stands still until it is moved.
    pub(crate) fn calm() -> Self {
        let items = causeway_sim::catalogue::items(1, ITEMS);
        let shop = xcart::Options { items: items.clone(), ..xcart::Options::calm(1) };
        let mut m3 = m3::Options { items, partial_permille: 0, ..m3::Options::calm(1) };
        m3.weather.late_ms_max = 600;
        Self { shop, m3, edits: Vec::new(), tells: true }
    }

    /// With another text in the configuration.
    pub(crate) fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    /// With a shop that tells nobody anything.
    pub(crate) fn silent(mut self) -> Self {
        self.tells = false;
        self
    }

    /// Opens the two systems and writes what the gateway needs; it does not run.
    pub(crate) async fn set(self) -> Scene {
        // Who looks for the reason of a failure sets the variable.
        if std::env::var_os("CAUSEWAY_STORY_LOG").is_some() {
            let _ = log::start(log::Level::Debug, log::Target::Stderr);
        }
        let Self { shop: shop_options, m3: m3_options, edits, tells } = self;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let token = shop_options.write_token.clone();
        let auth = m3_options.auth.clone();
        let shop = Shop::start(anywhere, shop_options).await.unwrap();
        let m3 = M3::start(anywhere, m3_options).await.unwrap();
        let folder = tempfile::Builder::new().prefix("causeway-story-").tempdir().unwrap();
        let ports = Ports { webhooks: free_port(), page: free_port() };
        let scene = Scene { shop, m3, folder, ports, tells, gateway: None };
        scene.write_files(&token, &auth, &edits);
        scene
    }

    /// The same with the gateway running in this process.
    pub(crate) async fn begin(self) -> Scene {
        let mut scene = Box::pin(self.set()).await;
        Box::pin(scene.start()).await;
        scene
    }
}

/// Where the gateway listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub webhooks: u16,
    pub page: u16,
}

/// The systems of one story.
pub(crate) struct Scene {
    pub shop: Shop,
    pub m3: M3,
    pub ports: Ports,
    folder: tempfile::TempDir,
    tells: bool,
    gateway: Option<Running>,
}

/// A gateway in this process.
struct Running {
    supervisor: Supervisor,
    foundation: Foundation,
}

impl Running {
    async fn start(config: &Path) -> Result<Self, gateway::GatewayError> {
        let loaded = config::load(config).unwrap();
        let supervisor = Supervisor::new(RestartPolicy::HOUSE, CancellationToken::new());
        let (picture, shown) = watch::channel(Picture::default());
        let metrics = Metrics::new();
        let listen = loaded.config.metrics.unwrap().listen;
        let frame =
            Frame { loaded, supervisor: supervisor.clone(), metrics: metrics.clone(), picture };
        let foundation = gateway::start(&frame).await?;
        let page = Arc::new(Page::bind(listen, metrics, shown).await.unwrap());
        supervisor.keep("page", move |stop| Arc::clone(&page).run(stop));
        Ok(Self { supervisor, foundation })
    }

    async fn stop(self) {
        let Self { supervisor, foundation } = self;
        assert_eq!(supervisor.gave_up(), None);
        supervisor.stop(STOP_TIME_MAX).await.unwrap();
        drop(foundation);
    }
}

impl Scene {
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("causeway.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn credential(&self, name: &str) -> PathBuf {
        self.folder.path().join("credentials").join(name)
    }

    pub(crate) fn hooks_url(&self) -> String {
        format!("https://localhost:{}/hooks/xcart", self.ports.webhooks)
    }

    /// The certificate that the gateway made for itself.
    pub(crate) fn certificate(&self) -> String {
        fs::read_to_string(self.state().join("tls/own.crt")).unwrap()
    }

    /// Starts the gateway in this process and lets the shop tell it.
    pub(crate) async fn start(&mut self) {
        self.gateway = Some(Box::pin(Running::start(&self.config())).await.unwrap());
        self.connect();
    }

    /// Starts one more gateway on the same state; it must not start.
    pub(crate) async fn start_another(&self) -> gateway::GatewayError {
        Running::start(&self.config()).await.err().unwrap()
    }

    /// Lets the shop tell its events to the gateway, if it is one that tells.
    pub(crate) fn connect(&self) {
        if self.tells {
            self.shop.set_webhook(self.target());
        }
    }

    /// The gateway, as the shop knows it.
    pub(crate) fn target(&self) -> WebhookTarget {
        let target = WebhookTarget::signed(&self.hooks_url(), WEBHOOK_SECRET);
        WebhookTarget { ca_pem: Some(self.certificate()), ..target }
    }

    /// Stops the gateway of this process as SIGTERM would.
    pub(crate) async fn stop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
    }

    /// Ends the story and looks for what must never be.
    pub(crate) async fn close(mut self) {
        self.stop().await;
        let books = self.m3.books();
        assert_eq!(books.violations, Vec::<String>::new());
        let mut keys: Vec<_> = books.orders.iter().map(|order| order.cuor.clone()).collect();
        keys.sort();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count, "an order is in M3 twice");
        self.shop.stop().await;
        self.m3.stop().await;
    }

    /// The real orders of a shop order.
    pub(crate) fn real(&self, number: &str) -> Vec<RealOrder> {
        let key = key(number);
        self.m3.books().orders.into_iter().filter(|order| order.cuor == key).collect()
    }

    /// Waits for the one real order of a shop order, which must be equal to it.
    pub(crate) async fn confirmed(&self, number: &str) -> RealOrder {
        let Some(real) = sought(PATIENCE, async || self.real(number).into_iter().next()).await
        else {
            panic!("order {number} is not in M3: {:?}", self.shown(number).await);
        };
        assert_equal(&self.shop.booked(number).unwrap(), &real);
        real
    }

    /// Waits until an order is set aside, and says as what.
    pub(crate) async fn parked(&self, number: &str) -> &'static str {
        let what = format!("order {number} parked");
        let look = async || {
            let listed = self.listed().await;
            listed.into_iter().find(|row| row.key == key(number) && row.stands_still)
        };
        eventually(&what, look).await.cause.kind.name()
    }

    /// What is set aside for a person.
    pub(crate) async fn listed(&self) -> Vec<Listed> {
        let reply = self.ask(&Ask::List { after: None }).await.unwrap();
        let Reply::Listed(listed) = reply else { panic!("that is no list") };
        listed
    }

    /// How the gateway shows an order; none while it does not know it.
    pub(crate) async fn shown(&self, number: &str) -> Option<Shown> {
        let reply = self.ask(&Ask::Show { key: key(number) }).await;
        if let Ok(Reply::Shown(shown)) = reply { Some(*shown) } else { None }
    }

    /// Waits until an order has come to this stage.
    pub(crate) async fn stage(&self, number: &str, stage: &str) -> Shown {
        let look = async || self.shown(number).await.filter(|shown| shown.stage == stage);
        match sought(PATIENCE, look).await {
            Some(shown) => shown,
            None => panic!("order {number} is not at {stage}: {:?}", self.shown(number).await),
        }
    }

    /// Tries a parked order again.
    pub(crate) async fn replay(&self, number: &str, from: ReplayFrom) {
        self.ask(&Ask::Replay { key: key(number), from }).await.unwrap();
    }

    /// Asks as a person does: again, while a worker has the order in hand.
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<Reply, ControlError> {
        let answered = async || match control::ask(&self.state(), ask).await {
            Err(ControlError::Refused(said)) if said.ends_with("try again") => None,
            answer => Some(answer),
        };
        eventually("the order to be free", answered).await
    }

    fn write_files(&self, token: &str, auth: &m3::Auth, edits: &[(String, String)]) {
        let folder = self.folder.path();
        for name in ["credentials", "state"] {
            fs::DirBuilder::new().mode(0o700).create(folder.join(name)).unwrap();
        }
        self.write_credential("xcart-token", token);
        self.write_credential("xcart-webhook", WEBHOOK_SECRET);
        let login = match auth {
            m3::Auth::Ionapi => {
                self.write_credential("m3.ionapi", &self.m3.ionapi());
                "ion]\ncredential = \"m3.ionapi\"".to_owned()
            }
            m3::Auth::Basic { user, password } => {
                self.write_credential("m3-password", password);
                let base = self.m3.api();
                format!(
                    "basic]\nbase_url = \"{base}\"\nuser = \"{user}\"\ncredential = \"m3-password\""
                )
            }
        };
        let mut text = CONFIGURATION
            .replace("{STATE}", &self.state().display().to_string())
            .replace("{SHOP}", &self.shop.url())
            .replace("{LOGIN}", &login)
            .replace("{WEBHOOKS}", &self.ports.webhooks.to_string())
            .replace("{PAGE}", &self.ports.page.to_string());
        for (from, to) in edits {
            assert!(text.contains(from), "{from} is not in the configuration");
            text = text.replace(from, to);
        }
        fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn write_credential(&self, name: &str, text: &str) {
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(self.credential(name)).unwrap();
        io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }
}

/// The key of a shop order in M3.
pub(crate) fn key(number: &str) -> String {
    format!("X1{number}")
}

/// Looks until it finds; fails the story after [`PATIENCE`].
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look).await
}

/// Looks until it finds; fails the story after a time.
pub(crate) async fn within<T>(
    time: Duration,
    what: &str,
    look: impl AsyncFnMut() -> Option<T>,
) -> T {
    match sought(time, look).await {
        Some(found) => found,
        None => panic!("not within {time:?}: {what}"),
    }
}

/// Looks until it finds, or the time is over.
async fn sought<T>(time: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(time, looking).await.ok()
}

/// Fails unless M3 has what the shop has: goods, quantities, prices, total and currency.
pub(crate) fn assert_equal(order: &BookedOrder, real: &RealOrder) {
    let BookedOrder { number, .. } = order;
    assert_eq!((order.total, &order.currency), (real.total, &real.cucd), "total of {number}");
    let itno = |line: &xcart::BookedLine| line.itno.clone().unwrap_or_default();
    let mut shop: Vec<_> =
        order.lines.iter().map(|l| (itno(l), Decimal::from(l.quantity), l.price)).collect();
    let mut m3: Vec<_> = real.lines.iter().map(|l| (l.itno.clone(), l.quantity, l.price)).collect();
    shop.sort();
    m3.sort();
    assert_eq!(shop, m3, "lines of {number}");
}

/// An order for so many of the first goods, one line each.
pub(crate) fn order_of(shop: &Shop, lines: usize) -> OrderSpec {
    let goods = shop.goods();
    let lines = goods.iter().take(lines);
    lines.fold(OrderSpec::simple(), |spec, item| spec.line(&item.sku, 2, item.price))
}

/// A port outside of those that the system hands out, so that no other story gets it meanwhile.
fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(10_000..32_000)).find(free).unwrap()
}

/// In fast motion; in real life the values that are left out here are right.
const CONFIGURATION: &str = r#"
state_dir = "{STATE}"

[log]
level = "debug"

[metrics]
listen = "127.0.0.1:{PAGE}"

[intake]
listen = "127.0.0.1:{WEBHOOKS}"

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
base_url = "{SHOP}"
credential = "xcart-token"
http = { proxy = "off" }
gate = { concurrency_max = 4, calls_per_s_max = 1000, calls_per_s_min = 200, burst_max = 1000, wait_ms_max = 20000, failures_max = 10, away_ms_first = 50, away_ms_max = 300 }

[poll]
poll_s = 1

[m3]
company = 100
division = "AAA"
http = { proxy = "off" }
gate = { concurrency_max = 4, calls_per_s_max = 1000, calls_per_s_min = 200, burst_max = 1000, wait_ms_max = 20000, failures_max = 10, away_ms_first = 50, away_ms_max = 300 }
[m3.login.{LOGIN}

[order_to_cash]
shop_prefix = "X1"
order_type = "WEB"
facility = "A01"
warehouse = "001"
quiescence_s = 1
follow_s = [1, 1]
retry = { first_ms = 50, cap_ms = 500, attempts = 20 }
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
