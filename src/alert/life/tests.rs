//! Stories of single alerts, and the property that holds for all of them.

use super::*;
use crate::{
    alert::{
        outbox::{Outbox, Pace},
        rules::Told,
    },
    retry::{Jitter, RetryPolicy},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const S: u64 = 1_000;
const H: u64 = 3_600 * S;
const T0: u64 = 1_795_521_600_000;
const POLICY: Policy = Policy { for_ms: 60 * S, clear_ms: 300 * S, remind_ms: 24 * H };

fn wrong(key: &str, verdict: Verdict, weight: u64) -> Judgement {
    Judgement {
        key: key.to_owned(),
        verdict,
        told: Told { what: format!("{key} {weight}"), ..Told::default() },
        weight,
        since_ms: None,
        for_s: None,
    }
}

fn raise(weight: u64) -> Vec<Judgement> {
    vec![wrong("disk", Verdict::Raise, weight)]
}

fn keep() -> Vec<Judgement> {
    vec![wrong("disk", Verdict::Keep, 1)]
}

/// Plays what is seen at which second, looking in between as the shell does.
fn play(alerts: &mut Alerts, scenes: &[(u64, Vec<Judgement>)], until_s: u64) -> Vec<(u64, Event)> {
    let mut told = Vec::new();
    for now_s in (0..=until_s).step_by(10) {
        let seen = scenes.iter().rev().find(|(from_s, _)| *from_s <= now_s);
        let seen = seen.map(|(_, seen)| seen.clone()).unwrap_or_default();
        let notices = alerts.step(&seen, T0 + now_s * S, &POLICY);
        told.extend(notices.into_iter().map(|notice| (now_s, notice.event)));
    }
    told
}

#[test]
fn an_alert_begins_after_a_minute_and_ends_after_five() {
    type Scenes = Vec<(u64, Vec<Judgement>)>;
    type Row = (&'static str, Scenes, Vec<(u64, Event)>);
    let table: [Row; 6] = [
        ("never wrong", vec![], vec![]),
        ("wrong for 50 s", vec![(0, raise(1)), (50, vec![])], vec![]),
        (
            "wrong for 10 min",
            vec![(0, raise(1)), (600, vec![])],
            vec![(60, Event::Raised), (900, Event::Over)],
        ),
        (
            "well for 200 s in between",
            vec![(0, raise(1)), (600, vec![]), (800, raise(1)), (1_000, vec![])],
            vec![(60, Event::Raised), (1_300, Event::Over)],
        ),
        (
            "nearly well is not well",
            vec![(0, raise(1)), (600, keep()), (2_000, vec![])],
            vec![(60, Event::Raised), (2_300, Event::Over)],
        ),
        ("nearly wrong is not wrong", vec![(0, keep())], vec![]),
    ];
    for (name, scenes, want) in table {
        assert_eq!(play(&mut Alerts::default(), &scenes, 3_000), want, "{name}");
    }
}

#[test]
fn the_end_says_how_long_it_lasted_and_since_when() {
    let mut alerts = Alerts::default();
    play(&mut alerts, &[(0, raise(1)), (600, vec![])], 890);
    let over = alerts.step(&[], T0 + 900 * S, &POLICY).remove(0);
    assert_eq!((over.event, over.since_ms, over.lasted_s), (Event::Over, T0, Some(600)));
    assert_eq!(alerts, Alerts::default(), "nothing is left of it");
    let mut early = wrong("disk", Verdict::Raise, 1);
    (early.since_ms, early.for_s) = (Some(T0 - H), Some(0));
    let raised = alerts.step(&[early], T0, &POLICY).remove(0);
    assert_eq!((raised.since_ms, raised.lasted_s), (T0 - H, None), "the rule knew it earlier");
}

#[test]
fn in_a_week_there_is_a_reminder_a_day() {
    let told = play(&mut Alerts::default(), &[(0, raise(1))], 7 * 86_400);
    let days: Vec<_> = told.iter().map(|(at_s, event)| (at_s / 86_400, *event)).collect();
    let want: Vec<_> =
        std::iter::once((0, Event::Raised)).chain((1..7).map(|day| (day, Event::Still))).collect();
    assert_eq!(days, want);
}

#[test]
fn what_gets_twice_as_bad_is_told_again_but_not_at_once() {
    let scenes: Vec<_> =
        [(0, 1), (100, 2), (900, 3), (1_000, 4), (1_100, 40)].map(|(s, w)| (s, raise(w))).into();
    let told = play(&mut Alerts::default(), &scenes, 3_000);
    let want = [
        (60, Event::Raised),
        // Ten minutes after the first word, with what it is then.
        (660, Event::Worse),
        (1_260, Event::Worse),
    ];
    assert_eq!(told, want);
}

#[test]
fn who_is_muted_hears_neither_beginning_nor_end_and_hears_later_what_stays() {
    let mut alerts = Alerts::default();
    alerts.mute("disk", T0 + 2_000 * S);
    let told = play(&mut alerts, &[(0, raise(1)), (600, vec![])], 1_500);
    assert_eq!(told, [], "over before the mute ended");
    let told = play(&mut alerts, &[(0, raise(1))], 2_500);
    assert_eq!(told, [(2_000, Event::Raised)]);
    alerts.mute("disk", T0 + 9_000 * S);
    assert_eq!(alerts.raised()[0].muted_until_ms, Some(T0 + 9_000 * S));
    let over = play(&mut alerts, &[], 2_900);
    assert_eq!(over, [(300, Event::Over)], "who heard of the beginning hears of the end");
    alerts.mute("parked", T0 + 9_000 * S);
    let whole_rule = [wrong("parked/no-sku", Verdict::Raise, 1)];
    assert_eq!(play(&mut alerts, &[(0, whole_rule.into())], 2_900), [], "a rule is muted whole");
    assert!(alerts.unmute("disk"));
    assert!(!alerts.unmute("disk"));
}

#[test]
fn a_clock_that_jumps_back_delays_and_doubles_nothing() {
    let mut alerts = Alerts::default();
    play(&mut alerts, &[(0, raise(1))], 100);
    let year_ms = 365 * 24 * H;
    assert_eq!(alerts.step(&raise(1), T0 - year_ms, &POLICY), []);
    assert_eq!(alerts.step(&[], T0 - year_ms + S, &POLICY), []);
    let over = alerts.step(&[], T0 - year_ms + 301 * S, &POLICY);
    assert_eq!(over.len(), 1, "{over:?}");
    assert_eq!(over[0].since_ms, T0, "the clock may be wrong now: what was written stays");
}

/// What becomes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Taken,
    Failed,
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    /// So many seconds pass, and this is what is seen of three things.
    Look { after_s: u64, seen: [u8; 3] },
    /// A channel tries what is due.
    Send { channel: usize, end: End },
    /// The program is killed and reads what it stored.
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => (0..2_000_u64, prop::array::uniform3(0..4_u8))
            .prop_map(|(after_s, seen)| Act::Look { after_s, seen }),
        4 => (0..2_usize, prop_oneof![Just(End::Taken), Just(End::Failed)])
            .prop_map(|(channel, end)| Act::Send { channel, end }),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..200)
}

const KEYS: [&str; 3] = ["a", "b", "c"];
const CHANNELS: [&str; 2] = ["mail", "chat"];
const PACE: Pace = Pace { group_ms: 15 * S, letters_per_h_max: 12 };

fn seen(what: [u8; 3]) -> Vec<Judgement> {
    let judged = KEYS.iter().zip(what).filter_map(|(key, what)| match what {
        0 => None,
        1 => Some(wrong(key, Verdict::Keep, 1)),
        weight => Some(wrong(key, Verdict::Raise, u64::from(weight).pow(2))),
    });
    judged.collect()
}

/// What each channel got, letter by letter, and what it was sent again.
#[derive(Default)]
struct Got {
    notices: [Vec<Notice>; 2],
    ids: BTreeSet<String>,
}

impl Got {
    fn send(&mut self, outbox: &mut Outbox, channel: usize, now_ms: u64, end: End) {
        let name = CHANNELS[channel];
        outbox.make(name, now_ms, PACE);
        let Some(letter) = outbox.due(name, now_ms).cloned() else { return };
        if end == End::Failed {
            outbox.failed(name, now_ms, None, (RetryPolicy::MESSAGES, Jitter(0)));
            return;
        }
        assert!(self.ids.insert(letter.id.clone()), "a letter was taken twice");
        self.notices[channel].extend(letter.notices);
        outbox.sent(name, now_ms);
    }
}

/// Reads back what was stored, as a start does.
fn stored<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    postcard::from_bytes(&postcard::to_stdvec(value).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn an_alert_is_told_once_in_each_channel_until_it_is_over_whatever_the_restarts(
        acts in acts()
    ) {
        let (mut alerts, mut outbox) = (Alerts::default(), Outbox::default());
        outbox.fit(&CHANNELS, &[], 7);
        let (mut now_ms, mut got, mut told) = (T0, Got::default(), Vec::new());
        for act in acts {
            match act {
                Act::Look { after_s, seen: what } => {
                    now_ms += after_s * S;
                    let notices = alerts.step(&seen(what), now_ms, &POLICY);
                    outbox.put(&notices);
                    told.extend(notices);
                }
                Act::Send { channel, end } => got.send(&mut outbox, channel, now_ms, end),
                Act::Restart => {
                    (alerts, outbox) = (stored(&alerts), stored(&outbox));
                    outbox.fit(&CHANNELS, &alerts.reminders(now_ms), 8);
                }
            }
        }
        // In the end everything is well and every channel works.
        for _ in 0..60 {
            now_ms += H;
            let notices = alerts.step(&[], now_ms, &POLICY);
            outbox.put(&notices);
            told.extend(notices);
            for channel in 0..CHANNELS.len() {
                got.send(&mut outbox, channel, now_ms, End::Taken);
            }
        }
        for notices in &got.notices {
            prop_assert_eq!(notices, &told, "a channel missed a word or heard one twice");
        }
        for key in KEYS {
            let mut open = false;
            for notice in told.iter().filter(|notice| notice.key == key) {
                let begins = notice.event == Event::Raised;
                prop_assert_eq!(begins, !open, "{:?} while open is {}", notice.event, open);
                open = notice.event != Event::Over;
            }
            prop_assert!(!open, "{} was never said to be over", key);
        }
    }
}
