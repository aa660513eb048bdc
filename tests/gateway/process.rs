//! The gateway as a process: killed, told to stop, started twice.

use crate::harness::{Plot, Scene, eventually, key, order_of, within};
use causeway::{delivery::desk::Ask, gateway::GatewayError};
use causeway_sim::{
    m3::Trouble,
    weather::Weather,
    xcart::{OrderSpec, WebhookTarget},
};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// How long a stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(8);
const KILLS: usize = 10;
const ORDERS_PER_KILL: usize = 4;

/// The gateway's process; killed when the story fails.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it and waits until it answers.
    pub(crate) async fn start(scene: &Scene) -> Self {
        let log = scene.config().with_extension("log");
        let mut process = Self { child: spawn(&scene.config(), &log) };
        let up = async || {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("ended: {status}\n{}", fs::read_to_string(&log).unwrap());
            }
            let asked = scene.ask(&Ask::List { after: None }).await;
            (asked.is_ok() && log_says(&log, "listening for webhooks")).then_some(())
        };
        eventually("the gateway to be up", up).await;
        fs::remove_file(&log).unwrap();
        process
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn terminate(&self) {
        let told = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(told.success());
    }

    async fn ended(&mut self) -> ExitStatus {
        let ended = async || self.child.try_wait().unwrap();
        within(STOP_TIME_MAX, "the gateway to stop", ended).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn spawn(config: &Path, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_causeway"))
        .arg("gateway")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

pub(crate) fn log_says(log: &Path, text: &str) -> bool {
    fs::read_to_string(log).is_ok_and(|told| told.contains(text))
}

/// Waits until each order is in M3 once and equal, and nothing is left over.
async fn all_is_well(scene: &Scene, numbers: &[String]) {
    for number in numbers {
        scene.confirmed(number).await;
        scene.stage(number, "follow").await;
        assert_eq!(scene.real(number).len(), 1);
    }
    let swept = async || {
        let open = scene.m3.books().temporary;
        open.iter().all(|head| !head.made.is_empty()).then_some(())
    };
    eventually("the orphans to be swept", swept).await;
    assert!(scene.listed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_ten_times_at_random_it_loses_and_doubles_nothing() {
    let mut plot = Plot::calm();
    let breezy = Weather { latency_ms: 0..=25, late_ms_max: 600, ..Weather::breezy() };
    (plot.m3.weather, plot.shop.weather) = (breezy, Weather::calm());
    let scene = plot.set().await;
    let mut dice = fastrand::Rng::with_seed(11);
    let mut process = Process::start(&scene).await;
    // A gateway that is down must not make the shop give up: losses are for the poller.
    let patient = WebhookTarget { retries_max: 60, backoff_ms: 1, ..scene.target() };
    scene.shop.set_webhook(WebhookTarget { answer_ms_max: 2_000, ..patient });
    let mut numbers = Vec::new();
    for _ in 0..KILLS {
        numbers.extend(scene.shop.place_orders(ORDERS_PER_KILL));
        // The moment is the point: it lies anywhere in the work on these orders.
        tokio::time::sleep(Duration::from_millis(dice.u64(0..500))).await;
        process.kill();
        process = Process::start(&scene).await;
    }
    all_is_well(&scene, &numbers).await;
    process.terminate();
    assert!(process.ended().await.success());
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_well_within_seconds_and_the_next_start_goes_on() {
    let mut plot = Plot::calm();
    plot.m3.weather = Weather { latency_ms: 10..=40, ..Weather::calm() };
    let scene = plot.set().await;
    let mut process = Process::start(&scene).await;
    scene.connect();
    let numbers: Vec<_> = (0..20).map(|_| scene.shop.place(order_of(&scene.shop, 3))).collect();
    let first = async || (!scene.m3.books().orders.is_empty()).then_some(());
    eventually("the first order in M3", first).await;
    process.terminate();
    assert!(process.ended().await.success());
    let done = scene.m3.books().orders.len();
    assert!(done < numbers.len(), "all {done} were done before it was told to stop");
    assert!(scene.shown(&numbers[0]).await.is_none(), "nobody answers any more");
    let process = Process::start(&scene).await;
    all_is_well(&scene, &numbers).await;
    drop(process);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_waits_for_the_call_that_is_under_way() {
    let scene = Plot::calm().set().await;
    let mut process = Process::start(&scene).await;
    scene.connect();
    scene.m3.trouble_next("OIS100MI", "Confirm", Trouble::Slow(1_500));
    let number = scene.shop.place(OrderSpec::simple());
    let read = async || {
        let saw = scene.m3.what_it_saw();
        saw.iter().any(|seen| seen.transaction == "LstBatchLine").then_some(())
    };
    eventually("the temporary order to be read back", read).await;
    process.terminate();
    assert!(process.ended().await.success());
    let process = Process::start(&scene).await;
    all_is_well(&scene, std::slice::from_ref(&number)).await;
    let saw = scene.m3.what_it_saw();
    assert_eq!(saw.iter().filter(|seen| seen.transaction == "Confirm").count(), 1);
    drop(process);
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_state_is_refused_and_the_first_goes_on() {
    let scene = Plot::calm().begin().await;
    let refused = scene.start_another().await;
    assert!(matches!(refused, GatewayError::State(_)), "{refused:?}");
    // With ports of its own, so that the state is all they share.
    let config = scene.config().with_file_name("second.toml");
    let log = config.with_extension("log");
    let text = fs::read_to_string(scene.config()).unwrap();
    let text = text.replace(&format!(":{}", scene.ports.page), ":0");
    fs::write(&config, text.replace(&format!(":{}", scene.ports.webhooks), ":0")).unwrap();
    let mut second = Process { child: spawn(&config, &log) };
    assert_eq!(second.ended().await.code(), Some(70));
    let told = fs::read_to_string(&log).unwrap();
    assert!(told.contains("another process uses the state"), "{told}");
    let number = scene.shop.place(OrderSpec::simple());
    scene.confirmed(&number).await;
    assert_eq!(scene.stage(&number, "follow").await.key, key(&number));
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_kill_is_there_after_it() {
    let scene = Plot::calm().set().await;
    let process = Process::start(&scene).await;
    scene.connect();
    scene.m3.outage(true);
    scene.shop.outage(true);
    let numbers: Vec<_> = (0..8).map(|_| scene.shop.place(order_of(&scene.shop, 2))).collect();
    let all = async || (scene.shop.webhooks_sent().accepted == 8).then_some(());
    eventually("eight webhooks to be acknowledged", all).await;
    process.kill();
    scene.shop.unset_webhook();
    scene.shop.outage(false);
    scene.m3.outage(false);
    let process = Process::start(&scene).await;
    all_is_well(&scene, &numbers).await;
    drop(process);
    scene.close().await;
}
