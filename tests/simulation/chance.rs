//! What goes wrong in one run, drawn from its seed.
//!
//! Each run draws how often each kind of thing happens, so that some runs are all crashes and some
//! all lost answers. Pure.

use causeway_sim::{
    dice::Dice,
    m3,
    weather::Weather,
    xcart::{self, Payload, WebhookTarget},
};

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The longest that a lost call goes on in M3: less than the gateway's `quiescence_s` of 900.
const LATE_MS_MAX: u64 = 14 * MINUTE_MS;

/// A bug that is planted, to show that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The state is told to be on disk and is not.
    StateNotKept,
    /// The journal is told to be on disk and is not.
    JournalNotKept,
    /// A webhook is acknowledged before it is kept.
    EagerReception,
    /// A call whose answer was lost is taken for one that was not made.
    LostIsNotDone,
    /// Nobody waits for a lost call to end.
    NoQuiescence,
}

impl Bug {
    /// Each of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::StateNotKept,
        Self::JournalNotKept,
        Self::EagerReception,
        Self::LostIsNotDone,
        Self::NoQuiescence,
    ];
}

/// What one run is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its seed.
    pub seed: u64,
    /// What is wrong with the gateway.
    pub bug: Option<Bug>,
    /// Orders that the shop takes.
    pub orders: u64,
    /// How long faults go on.
    pub rough_ms: u64,
    /// Of the gateway's own life.
    pub gateway: GatewayFaults,
    /// On the way to both systems.
    pub wire: WireFaults,
    /// How often something happens to a system or an order, in the rough time.
    pub incidents: u64,
    /// What the shop's calls meet.
    pub shop_weather: Weather,
    /// What M3's calls meet.
    pub m3_weather: Weather,
    /// How the shop behaves.
    pub quirks: xcart::Quirks,
    /// How M3 behaves.
    pub switches: m3::Switches,
    /// Orders with a defect, per thousand.
    pub defects_permille: u32,
    /// Between two polls.
    pub poll_s: u64,
    /// Between two steps of M3's warehouse.
    pub pace_ms: u64,
}

/// What happens to the gateway, per thousand writes or calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GatewayFaults {
    /// It crashes.
    pub crash_permille: u32,
    /// At most so often.
    pub crashes_max: u32,
    /// It stays down so long at most.
    pub down_ms_max: u64,
    /// A write fails, before or after it is done.
    pub disk_permille: u32,
    /// A write takes long.
    pub slow_disk_permille: u32,
}

/// What happens on the wire, per thousand calls.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "all are counted in the same way")]
pub(crate) struct WireFaults {
    /// Nobody answers at the door.
    pub refused_permille: u32,
    /// The request never arrives, and nobody says so.
    pub lost_request_permille: u32,
    /// The answer never arrives.
    pub lost_answer_permille: u32,
    /// The answer takes its time, up to hours.
    pub slow_permille: u32,
}

impl WireFaults {
    /// A good wire.
    pub(crate) const NONE: Self = Self {
        refused_permille: 0,
        lost_request_permille: 0,
        lost_answer_permille: 0,
        slow_permille: 0,
    };
}

impl Plan {
    /// The same with a planted bug.
    pub(crate) fn with(self, bug: Bug) -> Self {
        Self { bug: Some(bug), ..self }
    }

    /// Draws the plan of a seed.
    pub(crate) fn drawn(seed: u64) -> Self {
        let mut dice = Dice::new(seed).fork("plan");
        let switches =
            if dice.permille(700) { m3::Switches::drawn(seed) } else { m3::Switches::plain() };
        // That a second Confirm is refused is only inferred (reference/m3.md 9.2); else it makes one
        // more order.
        let second_confirm_is_error = Dice::new(seed).fork("second confirm").permille(700);
        let switches = m3::Switches { second_confirm_is_error, ..switches };
        let quirks = match dice.below(3) {
            0 => xcart::Quirks::calm(),
            1 => xcart::Quirks::old(),
            _ => xcart::Quirks { tracking_extension: dice.permille(500), ..xcart::Quirks::storm() },
        };
        let gateway = GatewayFaults {
            crash_permille: level(&mut dice, &[0, 5, 20, 60]),
            crashes_max: u32::try_from(dice.range(1..=12)).unwrap(),
            down_ms_max: *dice.pick(&[SECOND_MS, MINUTE_MS, 20 * MINUTE_MS, 3 * HOUR_MS]),
            disk_permille: level(&mut dice, &[0, 0, 5, 20]),
            slow_disk_permille: level(&mut dice, &[0, 10, 50]),
        };
        let wire = WireFaults {
            refused_permille: level(&mut dice, &[0, 5, 50]),
            lost_request_permille: level(&mut dice, &[0, 5, 30]),
            lost_answer_permille: level(&mut dice, &[0, 5, 30, 100]),
            slow_permille: level(&mut dice, &[0, 5, 30]),
        };
        Self {
            seed,
            bug: None,
            orders: dice.range(1..=5),
            rough_ms: dice.range(10 * MINUTE_MS..=8 * HOUR_MS),
            gateway,
            wire,
            incidents: dice.range(0..=8),
            shop_weather: weather(&mut dice),
            m3_weather: weather(&mut dice),
            quirks,
            switches,
            defects_permille: level(&mut dice, &[0, 0, 100]),
            poll_s: *dice.pick(&[300, 900, 3_600]),
            pace_ms: dice.range(2 * MINUTE_MS..=20 * MINUTE_MS),
        }
    }
}

/// One of these, each as likely.
fn level(dice: &mut Dice, levels: &[u32]) -> u32 {
    *dice.pick(levels)
}

/// Some weather in real time: calls of up to a minute, work that goes on for a quarter of an hour.
fn weather(dice: &mut Dice) -> Weather {
    let named = *dice.pick(&["calm", "breezy", "storm", "storm"]);
    Weather {
        latency_ms: 5..=*dice.pick(&[50, 2_000, 20_000]),
        retry_after_s: 1..=*dice.pick(&[1, 60, 600]),
        gateway_ms: MINUTE_MS,
        late_ms_max: *dice.pick(&[2 * MINUTE_MS, LATE_MS_MAX]),
        ..Weather::named(named).unwrap()
    }
}

/// How badly the shop tells its webhooks.
pub(crate) fn webhooks(dice: &mut Dice, secret: &str) -> WebhookTarget {
    let target = WebhookTarget::signed("https://gateway.simulated/hooks/xcart", secret);
    let payload = *dice.pick(&[Payload::Thin, Payload::ThinNumber, Payload::Full]);
    WebhookTarget {
        payload,
        lost_permille: *dice.pick(&[0, 50, 500]),
        duplicate_permille: *dice.pick(&[0, 100, 500]),
        late_permille: *dice.pick(&[0, 100, 500]),
        late_ms_max: *dice.pick(&[SECOND_MS, 10 * MINUTE_MS, 5 * HOUR_MS]),
        shuffle: dice.permille(500),
        ..target
    }
}
