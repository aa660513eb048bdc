//! A shop, an M3, and the gateway's parts between them, in one thread and simulated time.
//!
//! The parts are those of the product: reception, poller, dispatcher with its workers, connectors.
//! Simulated are the network, the disk and the clock.

use crate::{
    chance::{self, Bug, Plan},
    life::{Lives, SimDisk},
    line::{Far, Line, Wires},
    watch::Watch,
};
use causeway::{
    clock,
    config::{self, Loaded},
    connector::{http, m3, xcart},
    delivery::{
        cases::Cases,
        customers::Customers,
        desk::{Ask, Reply, Request},
        dispatch::{Delivery, Tally},
        perform::Performer,
    },
    gateway::Book,
    intake::{
        dedup::Recent,
        poller::{Parts, Poller},
        reception::{NotKept, Reception},
        shelf::{self, Ledger, Once},
        webhook::Signal,
    },
    journal::{self, Journal},
    metrics::Received,
    secret::Secret,
    state::{self, State},
};
use causeway_sim::{
    catalogue::{self, Item},
    dice::Dice,
    m3::{self as sim_m3, M3},
    serve,
    xcart::{self as sim_xcart, Clock, Courier, Shop},
};
use http_body_util::Full;
use hyper::body::Bytes;
use prometheus_client::metrics::counter::Counter;
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, UNIX_EPOCH},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// When every run begins.
pub(crate) const BEGIN_S: u64 = 1_790_000_000;
/// Goods that both systems know.
const ITEMS: usize = 30;
const WEBHOOK_SECRET: &str = "the secret of the simulation";
/// Writes that a lying disk only pretends.
const LIES_PERMILLE: u32 = 100;
/// How long a delivery is remembered.
const REMEMBERED: Duration = Duration::from_hours(24);

/// The configuration, read once by the product's own code.
fn loaded() -> &'static Loaded {
    // The credentials are read at each start, so that the folder has to stay.
    static LOADED: OnceLock<(Loaded, tempfile::TempDir)> = OnceLock::new();
    let (loaded, _) = LOADED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("causeway.toml");
        std::fs::write(&file, CONFIGURATION.replace("{FOLDER}", folder.path().to_str().unwrap()))
            .unwrap();
        for (name, text) in [("x", "token"), ("m", IONAPI), ("h", WEBHOOK_SECRET)] {
            let path = folder.path().join("credentials").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, private).unwrap();
        }
        (config::load(&file).unwrap(), folder)
    });
    loaded
}

/// In form only; each run has one of its own M3.
const IONAPI: &str = r#"{"ti":"T_PRD","cn":"Causeway","dt":"12","ci":"T_PRD~a","cs":"b",
"iu":"https://m3.simulated","pu":"https://m3.simulated/T_PRD/as/","oa":"authorization.oauth2",
"ot":"token.oauth2","or":"revoke_token.oauth2","ev":"T","v":"1.0","saak":"T_PRD#c","sask":"d"}"#;

const CONFIGURATION: &str = r#"
state_dir = "{FOLDER}"

[intake]
listen = "127.0.0.1:0"
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
secret = "h"

[xcart]
base_url = "https://shop.simulated"
credential = "x"

[m3]
company = 100
division = "AAA"
[m3.login.ion]
credential = "m"

[order_to_cash]
shop_prefix = "X1"
order_type = "WEB"
facility = "A01"
warehouse = "001"
heads_max = 20
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

type Desk = mpsc::Sender<Request>;
type Front = Reception<Once<Watched, Recent>>;
type Count = Arc<Mutex<usize>>;

/// One run's world.
pub(crate) struct Scene {
    pub plan: Plan,
    pub shop: Shop,
    pub m3: M3,
    pub lives: Arc<Lives>,
    pub watch: Arc<Watch>,
    pub wires: Arc<Wires>,
    pub rows: state::Memory,
    pub events: journal::Memory,
    pub door: Arc<Door>,
    base: http::Http,
    gateway: Option<Running>,
}

/// A gateway that runs.
struct Running {
    tasks: JoinSet<()>,
    desk: Desk,
}

/// Where webhooks come in, while somebody is there.
pub(crate) struct Door {
    front: Mutex<Option<(Arc<Front>, u64)>>,
    lives: Arc<Lives>,
    accepted: Mutex<usize>,
    /// Deliveries that the journal gave a receipt for.
    kept: Count,
}

/// The journal as the intake writes to it, and who looks on.
#[derive(Debug)]
struct Watched {
    book: Book,
    kept: Count,
    bug: Option<Bug>,
}

impl Ledger for Watched {
    type Receipt = ();

    fn has_room(&self) -> bool {
        self.book.has_room()
    }

    async fn append(
        &self,
        signal: Signal,
        body: Bytes,
        received: clock::UnixMs,
    ) -> Result<(), NotKept> {
        if self.bug == Some(Bug::EagerReception) {
            return Ok(());
        }
        let receipt = self.book.append(signal, body, received).await?;
        assert!(receipt.seq().0 > 0);
        *self.kept.lock().unwrap() += 1;
        Ok(())
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

impl Courier for Door {
    fn carry(
        &self,
        request: serve::Request,
    ) -> Pin<Box<dyn Future<Output = Option<u16>> + Send + '_>> {
        Box::pin(async move {
            let (front, life) = self.front.lock().unwrap().clone()?;
            let mut asked = hyper::Request::post(request.path.as_str());
            asked.headers_mut()?.extend(request.headers);
            let asked = asked.body(Full::<Bytes>::from(request.body)).ok()?;
            let answer = front.answer(asked).await;
            if !self.lives.is_living(life) {
                return None;
            }
            let status = answer.status().as_u16();
            if status == 202 {
                *self.accepted.lock().unwrap() += 1;
            }
            Some(status)
        })
    }
}

/// A client to build requests with; made once, since that takes long.
fn base_client() -> http::Http {
    static BASE: OnceLock<http::Http> = OnceLock::new();
    BASE.get_or_init(|| http::Http::new(&http::Settings::default(), &[]).unwrap()).clone()
}

impl Scene {
    /// Opens both systems; the gateway does not run yet.
    pub(crate) fn new(plan: Plan) -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(BEGIN_S);
        clock::simulate(Some(now));
        // What is made once makes use of chance, too.
        loaded();
        let base = base_client();
        fastrand::seed(plan.seed);
        let dice = Dice::new(plan.seed).fork("scene");
        let items = goods();
        let lives = Lives::new(plan.gateway, dice.fork("lives"));
        let disk = |bug| {
            let permille = if plan.bug == Some(bug) { LIES_PERMILLE } else { 0 };
            let pretends = Mutex::new((dice.fork("pretends"), permille));
            Arc::new(SimDisk { lives: Arc::clone(&lives), pretends })
        };
        let rows = state::Memory::new(disk(Bug::StateNotKept));
        let events = journal::Memory::new(disk(Bug::JournalNotKept));
        let watch = Arc::new(Watch::new(rows.clone()));
        let door = Arc::new(Door {
            front: Mutex::default(),
            lives: Arc::clone(&lives),
            accepted: Mutex::default(),
            kept: Arc::default(),
        });
        let shop = open_shop(&plan, items.clone(), Arc::clone(&door));
        shop.set_webhook(chance::webhooks(&mut dice.fork("webhooks"), WEBHOOK_SECRET));
        let m3 = open_m3(&plan, items);
        let chance = Mutex::new((plan.wire, dice.fork("wires")));
        let wires =
            Arc::new(Wires { lives: Arc::clone(&lives), watch: Arc::clone(&watch), chance });
        Self { plan, shop, m3, lives, watch, wires, rows, events, door, base, gateway: None }
    }

    /// Starts the gateway, as after a crash or for the first time.
    pub(crate) fn start(&mut self) {
        let life = self.lives.begin();
        self.watch.note(&format!("the gateway starts, life {life}"));
        let (journal, state) = (Journal::in_memory(&self.events), State::in_memory(&self.rows));
        let Loaded { config, credentials } = loaded();
        let bug = self.plan.bug;
        let through = |far| {
            let wires = Arc::clone(&self.wires);
            self.base.through(Arc::new(Line { far, life, wires, bug }))
        };
        let token = Secret::new(&self.shop_token());
        let shop = through(Far::Shop(self.shop.clone()));
        let shop = xcart::rest::Shop::through(config.xcart.clone().unwrap(), &token, &shop);
        let m3 = through(Far::M3(self.m3.clone()));
        let ionapi = Secret::new(&self.m3.ionapi());
        let m3 = m3::M3::through(config.m3.clone().unwrap(), &ionapi, &m3);
        let (shop, m3) = (shop.unwrap(), m3.unwrap());
        let mut rules = config.order_to_cash.clone().unwrap();
        if bug == Some(Bug::NoQuiescence) {
            rules.quiescence_s = 0;
        }
        let rules = Arc::new(rules);
        let prefix = rules.shop_prefix.clone();
        let received = Received::default();
        let parts = Parts {
            shop: shop.clone(),
            journal: journal.clone(),
            state: state.clone(),
            prefix,
            received: received.clone(),
        };
        let poll =
            causeway::intake::poller::Config { poll_s: self.plan.poll_s, ..config.poll.clone() };
        let poller = Poller::new(parts, &poll);
        let customers = Customers::new(m3.clone(), state.clone(), Arc::clone(&rules));
        let performer = Performer::new(shop, m3, rules, Arc::new(customers));
        let (desk, requests) = mpsc::channel(16);
        let mut delivery = Delivery::new(
            (journal.clone(), Cases::new(state), performer),
            config.delivery,
            (requests, watch::Sender::new(Tally::default())),
            Counter::default(),
        );
        let intake = config.intake.as_ref().unwrap();
        let memory = Arc::new(Mutex::new(Recent::new(1_000)));
        shelf::recall(&journal, &memory, 1_000, || false).unwrap();
        let kept = Arc::clone(&self.door.kept);
        let ledger = Watched { book: Book(journal), kept, bug };
        let once = Once::new(ledger, memory, REMEMBERED);
        let sources = intake.sources(credentials).unwrap();
        let front = Arc::new(Reception::new(sources, once, intake.limits, received));
        *self.door.front.lock().unwrap() = Some((front, life));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { poller.run(CancellationToken::new()).await });
        tasks.spawn(async move { delivery.run(CancellationToken::new()).await });
        self.gateway = Some(Running { tasks, desk });
    }

    /// Ends the process, as SIGKILL or the power does.
    pub(crate) async fn kill(&mut self) {
        self.lives.end();
        *self.door.front.lock().unwrap() = None;
        if let Some(mut gateway) = self.gateway.take() {
            gateway.tasks.shutdown().await;
        }
        self.watch.ended();
        self.watch.note("the gateway is dead");
    }

    /// Asks what a person may ask; none while the gateway is away.
    pub(crate) async fn ask(&self, ask: Ask) -> Option<Result<Reply, String>> {
        let (reply, answer) = oneshot::channel();
        self.gateway.as_ref()?.desk.send(Request { ask, reply }).await.ok()?;
        answer.await.ok()
    }

    /// Whether a part of the gateway fell.
    pub(crate) fn fell(&mut self) -> bool {
        self.gateway.as_mut().is_some_and(|gateway| gateway.tasks.try_join_next().is_some())
    }

    /// How many webhooks were told that they are ours, and how many of them the journal kept.
    pub(crate) fn accepted(&self) -> (usize, usize) {
        (*self.door.accepted.lock().unwrap(), *self.door.kept.lock().unwrap())
    }

    fn shop_token(&self) -> String {
        sim_xcart::Options::calm(self.plan.seed).write_token
    }
}

/// The goods are the same in every run: making them takes long.
fn goods() -> Vec<Item> {
    static GOODS: OnceLock<Vec<Item>> = OnceLock::new();
    GOODS.get_or_init(|| catalogue::items(1, ITEMS)).clone()
}

fn open_shop(plan: &Plan, items: Vec<Item>, door: Arc<Door>) -> Shop {
    let options = sim_xcart::Options {
        weather: plan.shop_weather.clone(),
        quirks: plan.quirks.clone(),
        defects_permille: plan.defects_permille,
        clock: Clock::simulated(i64::try_from(BEGIN_S).unwrap()),
        items: items.clone(),
        ..options(plan.seed, items)
    };
    Shop::unplugged(options, door)
}

/// `Options::calm` makes goods of its own first; these are put in their place.
fn options(seed: u64, items: Vec<Item>) -> sim_xcart::Options {
    static CALM: OnceLock<sim_xcart::Options> = OnceLock::new();
    let calm = CALM.get_or_init(|| sim_xcart::Options { items, ..sim_xcart::Options::calm(1) });
    sim_xcart::Options { seed, ..calm.clone() }
}

fn open_m3(plan: &Plan, items: Vec<Item>) -> M3 {
    static CALM: OnceLock<sim_m3::Options> = OnceLock::new();
    let calm = CALM.get_or_init(|| sim_m3::Options { items, ..sim_m3::Options::calm(1) });
    let options = sim_m3::Options {
        seed: plan.seed,
        weather: plan.m3_weather.clone(),
        switches: plan.switches.clone(),
        pace_ms: plan.pace_ms,
        ..calm.clone()
    };
    M3::unplugged(options, BEGIN_S * 1_000)
}
