//! The play: start everything, take orders, kill the gateway if asked, watch, prove.

use crate::{
    args::{Args, Flows},
    child::Gateway,
    incidents::Incidents,
    market::Market,
    progress::{Progress, Screen},
    proof::Proof,
    report,
    setting::Setting,
};
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
/// Rest before the idle memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// Orders that are placed at once when they come as fast as it goes.
const BURST: usize = 50;

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
    let begun = now();
    let mut proof = tokio::select! {
        proof = orders_flow(&args, &setting, &mut gateway) => proof?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            judge(&setting, &gateway).await?
        }
    };
    proof.seconds = now().duration_since(begun).as_secs_f64();
    (proof.rss_idle_kib, proof.rss_peak_kib) = (rss_idle_kib, gateway.peak_kib());
    proof.died_at = gateway.died_at().to_vec();
    report::print(&proof)?;
    if !args.exit {
        say("Everything keeps running; Ctrl-C ends it.\n")?;
        tokio::signal::ctrl_c().await?;
    }
    let stopped_well = gateway.stop().await?;
    if !stopped_well {
        say("THE GATEWAY DID NOT STOP WELL.\n")?;
    }
    if args.json {
        report::print_json(&proof)?;
    }
    Ok(proof.holds() && stopped_well)
}

fn introduce(args: &Args, setting: &Setting) -> io::Result<()> {
    let folder = setting.folder.config();
    let Args { orders, weather, seed, .. } = args;
    say(&format!(
        "Causeway sandbox: {orders} orders, weather {weather}, seed {seed}\n\
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
            Flows::All => "Stock and prices go: M3 > what changed > the shop.\n",
        },
    ))
}

/// Takes the orders in and watches until all are settled.
async fn orders_flow(
    args: &Args,
    setting: &Setting,
    gateway: &mut Gateway,
) -> Result<Proof, Box<dyn Error>> {
    let mut screen = Screen::new();
    let mut kills = Kills::new(args);
    let mut incidents = Incidents::drawn(&args.weather, args.seed, args.orders);
    let mut market = (args.flows == Flows::All).then(|| Market::drawn(args.seed, args.orders));
    let every = if args.fail.is_empty() { LOOK_EVERY } else { LOOK_OFTEN };
    let mut look = tokio::time::interval(every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = now();
    let mut taken = 0;
    loop {
        look.tick().await;
        let passed = now().duration_since(begun);
        let due = due_by(args, passed, taken);
        if due > taken {
            setting.shop.place_orders(due - taken);
            taken = due;
        }
        if gateway.revive().await? {
            continue;
        }
        let mut proof = match judge(setting, gateway).await {
            Ok(proof) => proof,
            Err(_) if gateway.revive_surely().await? => continue,
            Err(fault) => return Err(fault.into()),
        };
        screen.draw(Progress::of(
            args.orders,
            &setting.shop.books(),
            &setting.m3.books(),
            &proof,
        ))?;
        let done = proof.created + proof.parked;
        incidents.happen(setting, done, now());
        let mut settled =
            taken == args.orders && proof.settled() == args.orders && incidents.are_over();
        if let Some(market) = &mut market {
            market.happen(setting, done);
            let goods = market.compare(setting, &proof);
            settled = settled && market.is_over() && goods.are_equal();
            proof.goods = Some(goods);
        }
        if kills.due(done) {
            gateway.kill_and_restart().await?;
        } else if settled || passed > Duration::from_secs(args.patience_s) {
            screen.end()?;
            return Ok(proof);
        }
    }
}

/// How many orders the shop should have taken by now.
fn due_by(args: &Args, passed: Duration, taken: usize) -> usize {
    let due = match args.rate {
        0 => taken + BURST,
        rate => {
            let ms = usize::try_from(passed.as_millis()).unwrap_or(usize::MAX);
            let rate = usize::try_from(rate).unwrap_or(usize::MAX);
            ms.saturating_mul(rate) / 1_000 + 1
        }
    };
    due.min(args.orders)
}

async fn judge(setting: &Setting, gateway: &Gateway) -> io::Result<Proof> {
    // What is set aside first: an order may leave that list for M3, never the other way.
    let parked = gateway.parked().await?;
    let m3 = setting.m3.books();
    Ok(Proof::of(&setting.shop.books(), &m3, &parked))
}

/// When the gateway is killed: at random counts of orders done, each once.
struct Kills(Vec<usize>);

impl Kills {
    fn new(args: &Args) -> Self {
        let mut dice = fastrand::Rng::with_seed(args.seed);
        let mut at: Vec<usize> =
            (0..args.kill).map(|_| dice.usize(0..args.orders.max(1))).collect();
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
