//! The play: start everything, take orders, kill the gateway if asked, watch, prove.

use crate::{
    args::{Args, Flows},
    child::Gateway,
    day::Day,
    incidents::Incidents,
    market::{Goods, Market},
    money::Money,
    people::People,
    progress::{Progress, Screen},
    proof::Proof,
    report,
    setting::Setting,
};
use causeway::delivery::desk::Listed;
use causeway_sim::{m3::Books, xcart::BookedOrder};
use std::{
    error::Error,
    io::{self, Write as _},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior};

/// Between two looks at the books.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same where the gateway is expected to die soon.
const LOOK_OFTEN: Duration = Duration::from_millis(50);
/// After so many looks at goods that differ it is night, and the gateway reads them whole.
const LOOKS_UNTIL_NIGHT: u32 = 30;
/// How often `causeway reconcile` is asked in the end until both sides are equal.
const RECONCILIATIONS_MAX: usize = 60;
/// Rest before the idle memory is read.
const IDLE: Duration = Duration::from_secs(2);

/// Plays; says whether the proof holds.
pub(crate) async fn run(args: Args) -> Result<bool, Box<dyn Error>> {
    let setting = Setting::new(&args).await?;
    let mut gateway = Gateway::start(&args, &setting.folder).await?;
    setting.connect_webhooks(&args)?;
    introduce(&args, &setting)?;
    if args.fail.is_empty() {
        tokio::time::sleep(IDLE).await;
    }
    let rss_idle_kib = gateway.resident_kib();
    let mut proof = tokio::select! {
        proof = played(&args, &setting, &mut gateway) => proof?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            look(&setting, &gateway).await?.proof
        }
    };
    (proof.rss_idle_kib, proof.rss_peak_kib) = (rss_idle_kib, gateway.peak_kib());
    proof.died_at = gateway.died_at().to_vec();
    report::print(&proof)?;
    stay(&args).await?;
    let stopped_well = gateway.stop().await?;
    if !stopped_well {
        say("THE GATEWAY DID NOT STOP WELL.\n")?;
    }
    if args.json {
        report::print_json(&proof)?;
    }
    Ok(proof.holds() && stopped_well)
}

/// Plays to the end, and has both sides compared by the product itself, too.
async fn played(
    args: &Args,
    setting: &Setting,
    gateway: &mut Gateway,
) -> Result<Proof, Box<dyn Error>> {
    let begun = now();
    let mut proof = orders_flow(args, setting, gateway).await?;
    proof.seconds = now().duration_since(begun).as_secs_f64();
    if args.flows == Flows::All {
        setting.calm_down();
        // What the weather has left behind passes; the last answer counts.
        for _ in 0..RECONCILIATIONS_MAX {
            proof.reconciled = gateway.reconcile().await?;
            if proof.is_agreed() {
                break;
            }
            // A call that was lost is waited out before its order is done.
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(proof)
}

/// Stays until somebody ends it, unless it is to end by itself.
async fn stay(args: &Args) -> io::Result<()> {
    if args.exit {
        return Ok(());
    }
    say("Everything keeps running; Ctrl-C ends it.\n")?;
    tokio::signal::ctrl_c().await
}

fn introduce(args: &Args, setting: &Setting) -> io::Result<()> {
    let folder = setting.folder.config();
    let Args { weather, seed, .. } = args;
    let (orders, items, customers) = (args.orders(), args.items(), args.customers());
    say(&format!(
        "Causeway sandbox: {orders} orders, {items} items, {customers} customers, weather {weather}, seed {seed}\n\
         \n  shop (simulated X-Cart)  {}\n  \
         M3 (simulated)           {}\n  \
         gateway, its page        http://127.0.0.1:{}/\n  \
         gateway, its webhooks    https://localhost:{}/hooks/xcart\n  \
         its configuration        {}\n  \
         its log                  {}\n\n\
         An order goes: shop > webhook or poll > journal > customer, head, lines, confirmation in M3 >\n\
         delivery and invoice in M3 > tracking and status back to the shop.\n\
         {}\n",
        setting.shop.url(),
        setting.m3.url(),
        setting.ports.page,
        setting.ports.webhooks,
        folder.display(),
        setting.folder.log().display(),
        match args.flows {
            Flows::Orders => "",
            Flows::All =>
                "Stock, prices and products go: M3 > what changed > the shop. Some buyers change or cancel\n\
                           what they ordered; a clerk does in M3 what Causeway asks people for.\n",
        },
    ))
}

/// Both systems' books and the gateway's list at one moment, and what they prove.
struct Look {
    shop: Vec<BookedOrder>,
    m3: Books,
    parked: Vec<Listed>,
    proof: Proof,
}

/// What happens beside the orders, and who looks after them.
struct Beside {
    incidents: Incidents,
    market: Option<Market>,
    people: Option<People>,
    /// Looks since all was settled but the goods, and goods that differed when night fell.
    evening: (u32, usize),
}

impl Beside {
    fn drawn(args: &Args) -> Self {
        let (orders, all) = (args.orders(), args.flows == Flows::All);
        Self {
            incidents: Incidents::drawn(&args.weather, args.seed, orders),
            market: all.then(|| Market::drawn(args.seed, orders)),
            people: all.then(|| People::drawn(args.seed)),
            evening: (0, 0),
        }
    }

    /// Lets happen what is due.
    async fn happen(&mut self, setting: &Setting, gateway: &Gateway, look: &Look) {
        let done = look.proof.done();
        self.incidents.happen(setting, done, now());
        if let Some(market) = &mut self.market {
            market.happen(setting, done);
        }
        if let Some(people) = &mut self.people {
            people.buy(setting, &look.shop, &look.m3);
            people.clerk((setting, gateway), &look.parked, (&look.shop, &look.m3)).await;
        }
    }

    /// Goods that differ when all else is settled are found by the reading at night.
    async fn fall_asleep(&mut self, gateway: &Gateway, goods: &mut Goods) {
        // It is not night before the day is over.
        let is_over = self.is_over();
        let (looks, found) = &mut self.evening;
        *looks += u32::from(is_over);
        if is_over && *looks % LOOKS_UNTIL_NIGHT == 0 && !goods.are_equal() {
            *found = (*found).max(goods.other_stock + goods.other_price + goods.other_name);
            gateway.read_goods().await;
        }
        goods.found_at_night = *found;
    }

    fn is_over(&self) -> bool {
        let market = self.market.as_ref().is_none_or(Market::is_over);
        let people = self.people.as_ref().is_none_or(People::are_content);
        self.incidents.are_over() && market && people
    }

    /// Adds what it knows to the proof.
    async fn tell(&mut self, setting: &Setting, gateway: &Gateway, look: &mut Look) {
        let Look { shop, m3, proof, .. } = look;
        proof.money = self.market.as_ref().map(|_| Money::of(proof, shop, m3));
        proof.goods = self.market.as_ref().map(|market| market.compare(setting, proof));
        proof.deeds = self.people.as_ref().map(|people| people.deeds);
        if let Some(goods) = &mut proof.goods {
            self.fall_asleep(gateway, goods).await;
        }
    }
}

/// Takes the orders in and watches until all are settled.
async fn orders_flow(
    args: &Args,
    setting: &Setting,
    gateway: &mut Gateway,
) -> Result<Proof, Box<dyn Error>> {
    let mut screen = Screen::new();
    let mut kills = Kills::new(args);
    let mut beside = Beside::drawn(args);
    let every = if args.fail.is_empty() { LOOK_EVERY } else { LOOK_OFTEN };
    let mut looks = tokio::time::interval(every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begun, day) = (now(), Day::of(args));
    let mut taken = 0;
    loop {
        looks.tick().await;
        let passed = now().duration_since(begun);
        let due = day.orders_by(passed, taken);
        if due > taken {
            let numbers = setting.shop.place_orders(due - taken);
            taken = due;
            if let Some(people) = &mut beside.people {
                people.placed(numbers);
            }
        }
        if gateway.revive().await? {
            continue;
        }
        let mut look = match look(setting, gateway).await {
            Ok(look) => look,
            Err(_) if gateway.revive_surely().await? => continue,
            Err(fault) => return Err(fault.into()),
        };
        let hour = args.day.then(|| day.hour(passed));
        screen.draw(Progress::of((hour, args.orders()), &look.shop, &look.m3, &look.proof))?;
        beside.happen(setting, gateway, &look).await;
        let late = passed > Duration::from_secs(args.patience_s);
        let done = taken == args.orders() && look.proof.settled() == taken && beside.is_over();
        if done || late {
            beside.tell(setting, gateway, &mut look).await;
        }
        let goods = look.proof.goods.as_ref().is_none_or(Goods::are_equal)
            && look.proof.money.as_ref().is_none_or(Money::is_equal);
        if kills.due(look.proof.done()) {
            gateway.kill_and_restart().await?;
        } else if (done && goods) || late {
            screen.end()?;
            return Ok(look.proof);
        }
    }
}

async fn look(setting: &Setting, gateway: &Gateway) -> io::Result<Look> {
    // What is set aside first: an order may leave that list for M3, never the other way.
    let parked = gateway.parked().await?;
    let (m3, shop) = (setting.m3.books(), setting.shop.books());
    let proof = Proof::of(&shop, &m3, &parked);
    Ok(Look { shop, m3, parked, proof })
}

/// When the gateway is killed: at random counts of orders done, each once.
struct Kills(Vec<usize>);

impl Kills {
    fn new(args: &Args) -> Self {
        let mut dice = fastrand::Rng::with_seed(args.seed);
        let mut at: Vec<usize> =
            (0..args.kill).map(|_| dice.usize(0..args.orders().max(1))).collect();
        at.sort_unstable_by(|a, b| b.cmp(a));
        Self(at)
    }

    fn due(&mut self, done: usize) -> bool {
        let due = self.0.last().is_some_and(|at| *at <= done);
        if due {
            self.0.pop();
        }
        due
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[expect(clippy::disallowed_methods, reason = "the sandbox measures its own play")]
fn now() -> Instant {
    Instant::now()
}
