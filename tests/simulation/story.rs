//! What happens in one run: orders, changes, incidents, crashes; then calm, until all is at rest.

use crate::{
    chance::Plan,
    judge::{self, Standing},
    scene::{BEGIN_S, Scene},
};
use causeway::{delivery::desk::Ask, flow::run::ReplayFrom};
use causeway_sim::{dice::Dice, weather::Weather};
use std::{
    collections::BTreeSet,
    time::{Duration, UNIX_EPOCH},
};
use tokio::time::{sleep, sleep_until, timeout};

const MINUTE: Duration = Duration::from_mins(1);
/// Between two looks in the calm.
const LOOK_EVERY: Duration = Duration::from_mins(10);
/// By when everything has to be at rest once nothing goes wrong any more.
const REST_MAX: Duration = Duration::from_hours(5 * 24);
/// The last of the sweeps that follow an order closely.
const SWEPT_AFTER: Duration = Duration::from_hours(26);
/// A clock jumps so far at most.
const JUMP_S_MAX: u64 = 3 * 60 * 60;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Report {
    /// What must not be and was.
    pub wrong: Vec<String>,
    /// The last of what happened.
    pub trace: String,
    /// Calls to M3.
    pub calls: u64,
    /// Crashes of the gateway.
    pub crashes: u32,
    /// Orders that M3 has.
    pub created: usize,
}

/// Something that happens at a time.
#[derive(Clone, Copy, Debug)]
enum Event {
    Place,
    ChangeQuantity,
    Cancel,
    RestartM3,
    M3Away(bool),
    ShopAway(bool),
    Redeploy(bool),
    RevokeTokens,
    ClockJumps,
}

#[expect(clippy::disallowed_methods, reason = "a simulation lives by tokio's paused clock")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Plays one run.
pub(crate) async fn play(plan: Plan) -> Report {
    let mut scene = Scene::new(plan);
    let mut told =
        Told { dice: Dice::new(scene.plan.seed).fork("story"), touched: BTreeSet::new() };
    scene.start();
    rough_time(&mut scene, &mut told).await;
    calm_down(&mut scene).await;
    come_to_rest(&mut scene, &told).await;
    sleep(SWEPT_AFTER).await;
    judge::end(&mut scene, &told.touched);
    let (calls, trace) = scene.watch.fingerprint();
    let created = scene.m3.books().orders.len();
    Report { wrong: scene.watch.found(), trace, calls, crashes: scene.lives.crashes(), created }
}

struct Told {
    dice: Dice,
    /// Orders that were changed or cancelled after they were placed.
    touched: BTreeSet<String>,
}

/// The events of the rough time, each with its moment.
fn drawn(plan: &Plan, dice: &mut Dice) -> Vec<(u64, Event)> {
    let mut events = Vec::new();
    for _ in 0..plan.orders {
        events.push((dice.range(0..=plan.rough_ms / 2), Event::Place));
    }
    for _ in 0..plan.incidents {
        let at = dice.range(0..=plan.rough_ms);
        let until = (at + dice.range(1_000..=plan.rough_ms / 3)).min(plan.rough_ms);
        match dice.below(9) {
            0 => events.push((at, Event::ChangeQuantity)),
            1 => events.push((at, Event::Cancel)),
            2 | 3 => events.push((at, Event::RestartM3)),
            4 => events.extend([(at, Event::M3Away(true)), (until, Event::M3Away(false))]),
            5 => events.extend([(at, Event::ShopAway(true)), (until, Event::ShopAway(false))]),
            6 => events.extend([(at, Event::Redeploy(true)), (until, Event::Redeploy(false))]),
            7 => events.push((at, Event::RevokeTokens)),
            _ => events.push((at, Event::ClockJumps)),
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

async fn rough_time(scene: &mut Scene, told: &mut Told) {
    let begun = now();
    let moment = |ms| begun + Duration::from_millis(ms);
    let mut events: std::collections::VecDeque<_> = drawn(&scene.plan, &mut told.dice).into();
    let end = moment(scene.plan.rough_ms);
    let mut up_at = None;
    loop {
        let next = events.front().map_or(end, |(at, _)| moment(*at));
        let lives = scene.lives.clone();
        tokio::select! {
            biased;
            () = lives.crash(), if up_at.is_none() => {
                scene.kill().await;
                let down_ms = told.dice.range(0..=scene.plan.gateway.down_ms_max);
                up_at = Some(now() + Duration::from_millis(down_ms));
            }
            () = sleep_until(up_at.unwrap_or(end)), if up_at.is_some() => {
                up_at = None;
                scene.start();
            }
            () = sleep_until(next) => match events.pop_front() {
                Some((_, event)) => happen(scene, told, event),
                None => break,
            }
        }
    }
    if up_at.is_some() {
        scene.start();
    }
}

fn happen(scene: &Scene, told: &mut Told, event: Event) {
    let mut detail = String::new();
    match event {
        Event::Place => detail = scene.shop.place_orders(1).join(","),
        Event::ChangeQuantity | Event::Cancel => {
            let booked = scene.shop.books();
            if booked.is_empty() {
                return;
            }
            let order = told.dice.pick(&booked);
            detail.clone_from(&order.number);
            let quantity = u32::try_from(told.dice.range(1..=9)).unwrap();
            let changed = match (event, order.lines.first()) {
                (Event::Cancel, _) => scene.shop.cancel(&order.number),
                (_, Some(line)) => scene.shop.change_quantity(&order.number, &line.sku, quantity),
                (_, None) => false,
            };
            if changed {
                told.touched.insert(order.number.clone());
            }
        }
        Event::RestartM3 => scene.m3.restart(told.dice.permille(300)),
        Event::M3Away(away) => scene.m3.outage(away),
        Event::ShopAway(away) => scene.shop.outage(away),
        Event::Redeploy(away) => scene.shop.redeploy(away),
        Event::RevokeTokens => scene.m3.revoke_tokens(),
        Event::ClockJumps => {
            let wall = causeway::clock::now().wall;
            let by = Duration::from_secs(told.dice.range(1..=JUMP_S_MAX));
            let floor = UNIX_EPOCH + Duration::from_secs(BEGIN_S);
            let jumped = if told.dice.permille(500) { wall + by } else { (wall - by).max(floor) };
            causeway::clock::simulate(Some(jumped));
            detail = format!("{by:?}");
        }
    }
    scene.watch.note(&format!("{event:?} {detail}"));
}

async fn calm_down(scene: &mut Scene) {
    scene.lives.calm_down();
    scene.wires.calm_down();
    scene.m3.outage(false);
    scene.shop.outage(false);
    scene.shop.redeploy(false);
    scene.m3.set_weather(Weather::calm());
    scene.shop.set_weather(Weather::calm());
    let switches = causeway_sim::m3::Switches {
        locked_permille: 0,
        terminate_permille: 0,
        ..scene.plan.switches.clone()
    };
    scene.m3.set_switches(switches);
    scene.watch.note("calm");
    // A crash that was drawn just before is carried out.
    if timeout(Duration::ZERO, scene.lives.crash()).await.is_ok() {
        scene.kill().await;
        scene.start();
    }
}

async fn come_to_rest(scene: &mut Scene, told: &Told) {
    let begun = now();
    loop {
        sleep(LOOK_EVERY).await;
        if scene.fell() {
            return scene.watch.wrong("a part of the gateway fell");
        }
        let standings = judge::standings(scene, &told.touched);
        let mut waiting = Vec::new();
        for (number, standing) in standings {
            match standing {
                Standing::AtRest => {}
                Standing::Parked(cause) => {
                    scene.watch.note(&format!("replayed {number}: {cause}"));
                    let (key, from) = (judge::key(&number), ReplayFrom::Step);
                    if let Some(Err(why)) = scene.ask(Ask::Replay { key, from }).await {
                        scene.watch.note(&format!("not replayed {number}: {why}"));
                    }
                    waiting.push(format!("{number} is parked: {cause}"));
                }
                Standing::Moves(why) => waiting.push(format!("{number}: {why}")),
                // What is wrong is told at the end.
                Standing::Wrong(_) => {}
            }
        }
        if waiting.is_empty() {
            let took = begun.elapsed().as_secs() / MINUTE.as_secs();
            return scene.watch.note(&format!("at rest after {took} minutes"));
        }
        if begun.elapsed() > REST_MAX {
            return scene.watch.wrong(&format!("never at rest: {}", waiting.join("; ")));
        }
    }
}
