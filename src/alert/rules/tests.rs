//! Each rule as a table: what is seen, and what is said of it.

use super::{Judgement, Limits, Rule, Verdict, judge, span};
use crate::{
    alert::view::{
        Certificate, Compared, Destination, Disk, Ended, Orders, Parked, Reach, Step, Unusable,
        View,
    },
    flow::cause::CauseKind,
};

/// 2026-11-24 12:00 UTC.
const NOON_MS: u64 = 1_795_521_600_000;
const HOUR_MS: u64 = 3_600_000;
const MIB: u64 = 1_048_576;

fn view() -> View {
    View { now_ms: NOON_MS, ..View::default() }
}

fn judged(view: &View, limits: &Limits) -> Vec<(String, Verdict)> {
    judge(view, limits).into_iter().map(|judged| (judged.key, judged.verdict)).collect()
}

fn only(view: &View, limits: &Limits) -> Judgement {
    let mut all = judge(view, limits);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn raised(key: &str) -> Vec<(String, Verdict)> {
    vec![(key.to_owned(), Verdict::Raise)]
}

#[test]
fn a_gateway_that_is_well_is_not_talked_about() {
    assert_eq!(judge(&view(), &Limits::default()), []);
}

#[test]
fn parked_orders_are_told_by_cause_number_and_age() {
    let parked = |count, age_h| Parked {
        kind: CauseKind::UnknownSku,
        count,
        oldest_ms: NOON_MS - age_h * HOUR_MS,
    };
    let borne = Limits { parked_max: 3, ..Limits::default() };
    let table = [
        (parked(1, 0), Limits::default(), true),
        (parked(3, 1), borne.clone(), false),
        (parked(4, 1), borne.clone(), true),
        (parked(1, 25), borne.clone(), true),
        (parked(4, 25), Limits { off: vec![Rule::Parked], ..borne }, false),
    ];
    for (parked, limits, told) in table {
        let view = View { parked: vec![parked], ..view() };
        let want = if told { raised("parked/unknown-sku") } else { Vec::new() };
        assert_eq!(judged(&view, &limits), want, "{parked:?} {limits:?}");
    }
    let two = View {
        parked: vec![parked(2, 5), Parked { kind: CauseKind::Unequal, ..parked(1, 2) }],
        ..view()
    };
    let told = judge(&two, &Limits::default());
    assert_eq!(told[0].told.what, "2 orders need a person: unknown-sku");
    assert_eq!(told[0].told.why, "set aside since 2026-11-24T07:00:00Z");
    assert_eq!(told[1].told.what, "1 order needs a person: unequal");
    assert_eq!((told[0].weight, told[0].since_ms), (2, Some(NOON_MS - 5 * HOUR_MS)));
}

#[test]
fn missing_orders_are_told_by_what_is_usual_or_by_a_fixed_time() {
    let orders = |quiet_h, expected_milli| Orders {
        last_ms: Some(NOON_MS - quiet_h * HOUR_MS),
        expected_milli,
    };
    let fixed = Limits { no_orders_h: Some(6), ..Limits::default() };
    let table = [
        (Orders::default(), Limits::default(), false),
        (orders(200, None), Limits::default(), false),
        (orders(2, Some(11_999)), Limits::default(), false),
        (orders(2, Some(12_000)), Limits::default(), true),
        (orders(6, None), fixed.clone(), false),
        (orders(7, None), fixed.clone(), true),
        (orders(2, Some(12_000)), fixed, true),
    ];
    for (orders, limits, told) in table {
        let want = if told { raised("no-orders") } else { Vec::new() };
        assert_eq!(judged(&View { orders, ..view() }, &limits), want, "{orders:?}");
    }
    let told = only(&View { orders: orders(3, Some(40_500)), ..view() }, &Limits::default()).told;
    assert_eq!(told.what, "no order for 3 h 0 min");
    assert!(told.why.contains("2026-11-24T09:00:00Z") && told.why.contains("some 40"), "{told:?}");
}

#[test]
fn an_order_that_waits_is_told_after_an_hour_and_forgotten_below_half_of_it() {
    let minutes = [(29, None), (31, Some(Verdict::Keep)), (61, Some(Verdict::Raise))];
    for (age_min, want) in minutes {
        let since = Some(NOON_MS - age_min * 60_000);
        let got = judged(&View { waiting_since_ms: since, ..view() }, &Limits::default());
        assert_eq!(got.first().map(|(_, verdict)| *verdict), want, "{age_min} min");
    }
}

#[test]
fn a_disk_is_told_below_its_limit_or_twice_the_floor_whichever_is_more() {
    let table = [
        // free, floor, limit, verdict
        (600, 128, 512, None),
        (550, 128, 512, Some(Verdict::Keep)),
        (511, 128, 512, Some(Verdict::Raise)),
        (511, 300, 100, Some(Verdict::Raise)),
        (661, 300, 100, None),
        (10, 128, 0, Some(Verdict::Raise)),
        (10, 0, 0, None),
    ];
    for (free, floor, least, want) in table {
        let disk = Disk { free_bytes: free * MIB, floor_bytes: floor * MIB };
        let limits = Limits { disk_bytes_min: least * MIB, ..Limits::default() };
        let got = judged(&View { disk: Some(disk), ..view() }, &limits);
        assert_eq!(got.first().map(|(_, verdict)| *verdict), want, "{free} {floor} {least}");
    }
    let full = Disk { free_bytes: 90 * MIB, floor_bytes: 128 * MIB };
    let told = only(&View { disk: Some(full), ..view() }, &Limits::default());
    assert_eq!(told.told.what, "the disk is full (90 MiB free): no event is accepted");
    assert_eq!(told.weight, 2, "worse than nearly full");
}

#[test]
fn webhooks_that_were_turned_away_count_for_two_minutes() {
    for (age_s, told) in [(1, true), (120, true), (121, false)] {
        let refused = View { refused_ms: Some(NOON_MS - age_s * 1_000), ..view() };
        assert_eq!(!judge(&refused, &Limits::default()).is_empty(), told, "{age_s} s");
    }
}

#[test]
fn certificates_are_told_three_weeks_before_their_end() {
    let table = [
        (22 * 24, None),
        (20 * 24, Some("the certificate of m3 ends in 20 d 0 h")),
        (0, Some("the certificate of m3 has ended")),
    ];
    for (left_h, want) in table {
        let certificate = Certificate { name: "m3", ends_ms: NOON_MS + left_h * HOUR_MS };
        let got = judge(&View { certificates: vec![certificate], ..view() }, &Limits::default());
        assert_eq!(got.first().map(|judged| judged.told.what.as_str()), want, "{left_h} h");
    }
    let own = Certificate { name: "own", ends_ms: NOON_MS + HOUR_MS };
    let told = only(&View { certificates: vec![own], ..view() }, &Limits::default());
    assert_eq!(told.key, "certificate/own");
    assert!(told.told.advice.contains("intake.tls"), "{told:?}");
}

#[test]
fn a_system_is_away_only_by_what_was_found_and_stays_as_it_was_until_asked() {
    let table = [
        (Reach::Reached, None),
        (Reach::Unknown, Some(Verdict::Keep)),
        (Reach::Away, Some(Verdict::Raise)),
    ];
    for (reach, want) in table {
        let destination = Destination { name: "m3", reach, clock_ahead_s: None };
        let got = judge(&View { destinations: vec![destination], ..view() }, &Limits::default());
        assert_eq!(got.first().map(|judged| judged.verdict), want, "{reach:?}");
        assert!(got.iter().all(|judged| judged.for_s == Some(900) && judged.key == "away/m3"));
    }
}

#[test]
fn the_clock_is_compared_with_the_year_the_others_and_itself() {
    let ahead =
        |name, ahead_s| Destination { name, reach: Reach::Reached, clock_ahead_s: Some(ahead_s) };
    let step = |age_s: u64, by_s| Step { at_ms: NOON_MS - age_s * 1_000, by_s };
    let table = [
        (View { now_ms: 5_000, ..view() }, Some("the clock says 1970-01-01T00:00:05Z")),
        (View { destinations: vec![ahead("m3", 60)], ..view() }, None),
        (
            View { destinations: vec![ahead("m3", 61)], ..view() },
            Some("our clock is 1 min 1 s behind that of m3"),
        ),
        (
            View { destinations: vec![ahead("xcart", -7_200)], ..view() },
            Some("our clock is 2 h 0 min ahead of that of xcart"),
        ),
        (View { step: Some(step(10, -90)), ..view() }, Some("the clock jumped back by 1 min 30 s")),
        (View { step: Some(step(700, -90)), ..view() }, None),
    ];
    for (view, want) in table {
        let got = judge(&view, &Limits::default());
        assert_eq!(got.first().map(|judged| judged.told.what.as_str()), want, "{view:?}");
    }
}

#[test]
fn a_standstill_and_losses_are_told_with_their_reason_and_number() {
    let ill = View { standstill: Some("could not take events".to_owned()), ..view() };
    let told = only(&ill, &Limits::default());
    assert_eq!(
        (told.key.as_str(), told.told.why.as_str()),
        ("standstill", "could not take events")
    );
    let lost = View { losses: 3, ..view() };
    let told = only(&lost, &Limits::default());
    assert_eq!((told.told.what.as_str(), told.for_s), ("the journal has lost 3 events", Some(0)));
}

#[test]
fn a_comparison_is_told_when_something_differs_or_it_could_not_be_made() {
    let table = [
        (0, Ended::Whole, None),
        (1, Ended::Whole, Some("the shop and M3 differ in 1 thing")),
        (7, Ended::Whole, Some("the shop and M3 differ in 7 things")),
        (0, Ended::Early, Some("the shop and M3 could not be compared")),
    ];
    for (differing, ended, want) in table {
        let compared = Some(Compared { at_ms: NOON_MS, differing, ended });
        let got = judge(&View { compared, ..view() }, &Limits::default());
        assert_eq!(got.first().map(|judged| judged.told.what.as_str()), want);
        assert!(got.iter().all(|judged| judged.key == "apart" && judged.weight >= 1));
    }
}

#[test]
fn every_judgement_says_what_why_and_what_to_do_under_the_name_of_its_rule() {
    let everything = View {
        parked: vec![Parked { kind: CauseKind::NoSku, count: 1, oldest_ms: NOON_MS }],
        waiting_since_ms: Some(NOON_MS - 9 * HOUR_MS),
        orders: Orders { last_ms: Some(NOON_MS - HOUR_MS), expected_milli: Some(99_000) },
        disk: Some(Disk { free_bytes: 1, floor_bytes: 2 }),
        refused_ms: Some(NOON_MS),
        certificates: vec![Certificate { name: "own", ends_ms: NOON_MS }],
        destinations: vec![Destination {
            name: "m3",
            reach: Reach::Away,
            clock_ahead_s: Some(900),
        }],
        step: None,
        standstill: Some("x".to_owned()),
        losses: 1,
        compared: Some(Compared { at_ms: NOON_MS, differing: 1, ended: Ended::Whole }),
        unusable: vec![Unusable { at_ms: NOON_MS, count: 1 }],
        ..view()
    };
    let all = judge(&everything, &Limits::default());
    for rule in Rule::ALL {
        let named = |judged: &&Judgement| judged.key.split('/').next() == Some(rule.name());
        let judged = all.iter().find(named).unwrap_or_else(|| panic!("{rule:?} is silent"));
        let texts = [&judged.told.what, &judged.told.why, &judged.told.advice];
        assert!(texts.iter().all(|text| !text.is_empty()), "{judged:?}");
        let off = Limits { off: vec![rule], ..Limits::default() };
        assert!(!judge(&everything, &off).iter().any(|judged| named(&judged)), "{rule:?} is off");
    }
}

#[test]
fn a_span_is_said_in_the_two_largest_units() {
    let table = [(5, "5 s"), (65, "1 min 5 s"), (7_260, "2 h 1 min"), (180_000, "2 d 2 h")];
    for (seconds, want) in table {
        assert_eq!(span(seconds), want);
    }
}

#[test]
fn documents_that_could_not_be_used_are_counted_over_a_time_and_forgotten_after_it() {
    let at = |minutes_ago: u64, count| Unusable { at_ms: NOON_MS - minutes_ago * 60_000, count };
    let borne = Limits { not_understood_max: 3, ..Limits::default() };
    let table = [
        (vec![], Limits::default(), None),
        (vec![at(59, 1)], Limits::default(), Some((Verdict::Raise, 1))),
        (vec![at(61, 1)], Limits::default(), None),
        (vec![at(61, 9), at(50, 2), at(1, 1)], borne.clone(), Some((Verdict::Keep, 3))),
        (vec![at(50, 2), at(1, 2)], borne.clone(), Some((Verdict::Raise, 4))),
        (vec![at(1, 9)], Limits { off: vec![Rule::NotUnderstood], ..borne }, None),
    ];
    for (unusable, limits, want) in table {
        let told = judge(&View { unusable: unusable.clone(), ..view() }, &limits);
        let got = told.first().map(|judged| (judged.verdict, judged.weight));
        assert_eq!(got, want, "{unusable:?}");
    }
    let told = only(&View { unusable: vec![at(9, 1), at(5, 1)], ..view() }, &Limits::default());
    assert_eq!(told.told.what, "2 documents of ION could not be used");
    assert!(told.told.why.contains("2026-11-24T11:55:00Z"), "{:?}", told.told);
}
