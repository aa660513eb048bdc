//! The order protocol against an M3 that loses, delays, repeats and forgets.
//!
//! The model of M3 is written from reference/m3.md 3 and 9 and knows nothing of the
//! connector. Whole cases are led through it, so that cancellations, changes and the
//! sweeps are part of every story; the shell's two promises (one effect at a time,
//! durable before a write) are kept by [`Story`], crashes included.

mod model;
pub(in crate::flow) mod story;

use super::*;
use crate::flow::plan::Comparison;
use model::AfterConfirm;
use proptest::prelude::*;
use story::{Fault, Outside, Story, tell};

/// What M3s do with a temporary order that was confirmed.
const AFTER_CONFIRM: [AfterConfirm; 4] = [
    AfterConfirm::Keeps,
    AfterConfirm::Removes,
    AfterConfirm::NamesLate,
    AfterConfirm::ConfirmsAgain,
];

/// A name, what happens to each call in turn, and what others do at which step.
type Row = (&'static str, Vec<Fault>, Vec<(usize, Outside)>);

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::NotDone),
        1 => any::<bool>().prop_map(|done| Fault::Lost { done }),
        2 => (0..1_000_u64).prop_map(|permille| Fault::Later { permille }),
        2 => (0..4_u8, 0..1_000_u64).prop_map(|(done, permille)| Fault::Partly { done, permille }),
        1 => Just(Fault::Refused),
        1 => Just(Fault::Locked),
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
        1 => (0..1_000_u64).prop_map(|permille| Fault::CrashLater { permille }),
    ];
    prop::collection::vec(fault, 0..40)
}

fn outside() -> impl Strategy<Value = Vec<(usize, Outside)>> {
    let event = prop_oneof![
        2 => Just(Outside::Cancel),
        1 => Just(Outside::Reinstate),
        3 => Just(Outside::Change),
        1 => Just(Outside::SomebodyConfirms),
        1 => Just(Outside::M3Restarts),
        1 => Just(Outside::Replay),
        1 => Just(Outside::ReplayFromStart),
        1 => Just(Outside::ReplayWithOldRules),
        1 => Just(Outside::ClockJumps),
        1 => Just(Outside::OldCopy),
    ];
    prop::collection::vec((0..50_usize, event), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn there_is_never_a_second_real_order_and_one_in_the_end(
        faults in faults(),
        outside in outside(),
        after_confirm in prop::sample::select(&AFTER_CONFIRM[..]),
    ) {
        Story::new(faults, outside, after_confirm).run()?;
    }

    #[test]
    fn lost_answers_alone_never_need_a_person(
        lost in prop::collection::vec(prop_oneof![
            3 => Just(Fault::None),
            1 => Just(Fault::NotDone),
            1 => Just(Fault::Lost { done: true }),
            1 => Just(Fault::CrashBefore),
            1 => Just(Fault::CrashAfter),
        ], 0..12),
    ) {
        // Six heads may be begun before a person is asked; twelve faults can cost more.
        let story = Story::new(lost, vec![], AfterConfirm::Keeps).run()?;
        let parked = story.parked_for.iter().filter(|k| **k != CauseKind::KeepsFailing).count();
        prop_assert_eq!(parked, 0);
    }
}

/// Faults that begin at a call of a quiet day: order 0, customer, items, look, head 4,
/// details, lines, read back, confirm 8.
fn at(skip: usize, faults: &[Fault]) -> Vec<Fault> {
    let mut all = vec![Fault::None; skip];
    all.extend_from_slice(faults);
    all
}

fn told(table: Vec<Row>) -> Result<(), TestCaseError> {
    for (name, faults, outside) in table {
        for after_confirm in AFTER_CONFIRM {
            Story::new(faults.clone(), outside.clone(), after_confirm)
                .run()
                .map_err(|fault| TestCaseError::fail(format!("{name}: {fault}")))?;
        }
    }
    Ok(())
}

#[test]
fn stories_of_lost_and_late_calls_end_with_one_order() -> Result<(), TestCaseError> {
    use Fault::{CrashBefore, CrashLater, Later, Lost, Partly};
    told(vec![
        ("a quiet day", vec![], vec![]),
        ("the head is lost and done", at(4, &[Lost { done: true }]), vec![]),
        ("the head is lost and never done", at(4, &[Lost { done: false }]), vec![]),
        ("the head is lost and done at the last moment", at(4, &[Later { permille: 999 }]), vec![]),
        ("the details are lost halfway", at(5, &[Partly { done: 1, permille: 900 }]), vec![]),
        ("lines trickle in late", at(6, &[Partly { done: 1, permille: 900 }]), vec![]),
        ("the confirmation is lost and done", at(8, &[Lost { done: true }]), vec![]),
        ("the confirmation is done at the last moment", at(8, &[Later { permille: 999 }]), vec![]),
        ("the confirmation is lost and never done", at(8, &[Lost { done: false }]), vec![]),
        ("a crash before the confirmation is sent", at(8, &[CrashBefore]), vec![]),
        (
            "a crash, and the confirmation is done later",
            at(8, &[CrashLater { permille: 999 }]),
            vec![],
        ),
    ])
}

#[test]
fn stories_of_those_who_interfere_end_as_the_shop_wants() -> Result<(), TestCaseError> {
    use Fault::{Later, Lost, Partly};
    told(vec![
        (
            "M3 restarts under a lost confirmation",
            at(8, &[Lost { done: false }]),
            vec![(9, Outside::M3Restarts)],
        ),
        (
            "somebody confirms while lines are awaited",
            at(6, &[Partly { done: 4, permille: 1 }]),
            vec![(8, Outside::SomebodyConfirms)],
        ),
        (
            "somebody confirms while ours runs on after a crash",
            at(8, &[Fault::CrashLater { permille: 417 }]),
            vec![(9, Outside::SomebodyConfirms)],
        ),
        (
            "the order changes while its head is lost",
            at(4, &[Later { permille: 500 }]),
            vec![(6, Outside::Change)],
        ),
        (
            "confirmed by somebody, cancelled, then changed",
            at(4, &[Lost { done: true }]),
            vec![(5, Outside::SomebodyConfirms), (5, Outside::Cancel), (46, Outside::Change)],
        ),
        (
            "confirmed by somebody, cancelled, wanted again and replayed",
            at(4, &[Lost { done: true }]),
            vec![
                (5, Outside::SomebodyConfirms),
                (5, Outside::Cancel),
                (46, Outside::Reinstate),
                (50, Outside::Replay),
            ],
        ),
    ])
}

#[test]
fn stories_of_buyers_who_change_their_mind_end_as_the_shop_wants() -> Result<(), TestCaseError> {
    use Fault::{Later, Locked, Refused};
    let n = Fault::None;
    told(vec![
        (
            "cancelled while its head is lost",
            at(4, &[Later { permille: 500 }]),
            vec![(6, Outside::Cancel)],
        ),
        (
            "cancelled and wanted again",
            vec![],
            vec![(5, Outside::Cancel), (12, Outside::Reinstate)],
        ),
        (
            "wanted again before the head is gone",
            vec![],
            vec![(5, Outside::Cancel), (6, Outside::Reinstate)],
        ),
        (
            "cancelled, and the head is locked",
            at(5, &[n, Locked, Locked]),
            vec![(5, Outside::Cancel)],
        ),
        (
            "cancelled, and the head cannot be deleted",
            at(5, &[n, Refused]),
            vec![(5, Outside::Cancel)],
        ),
        (
            "changed, and the head cannot be deleted",
            at(5, &[n, Refused, n, Refused]),
            vec![(5, Outside::Change)],
        ),
    ])
}

fn tmp() -> Orno {
    "9000001".try_into().unwrap()
}

fn around<'a>(key: &'a OrderKey, plan: &'a Plan, now_ms: u64) -> Around<'a> {
    Around { key, plan, quiescence_ms: 900_000, heads_max: 6, now: at_ms(now_ms) }
}

fn at_ms(ms: u64) -> Steady {
    Steady { boot: 1, ms }
}

fn placing(at: Place) -> Placing {
    Placing { n: 1, tokens: vec!["CWONE".into()], boot: 1, head_boot: 1, at, ..Placing::new() }
}

fn head(oref: &str) -> BatchHead {
    BatchHead {
        tmp: tmp(),
        oref: oref.into(),
        cuor: "X1042".into(),
        currency: "EUR".into(),
        stat: "20".into(),
        orno: None,
    }
}

#[test]
fn giving_up_leads_to_the_removal_of_whatever_there_is() {
    let delete = |then| Place::Delete { tmp: tmp(), sent: false, then };
    let read = |ms| Place::ReadConfirm { tmp: tmp(), lost: at_ms(ms), refused: None, from: None };
    let look = |ms: Option<u64>| Place::Look { lost: ms.map(at_ms), from: None };
    let confirmed = Place::Confirmed { orno: "1".try_into().unwrap() };
    let parked = Then::Park(Cause::new(CauseKind::LineRefused, ""));
    let table = [
        (look(None), false, Place::Cancelled, look(None)),
        (look(Some(5)), false, Place::Cancelled, look(Some(5))),
        (Place::AddHead { sent: false }, false, Place::Cancelled, look(None)),
        (
            Place::AddDetails { tmp: tmp(), sent: false },
            false,
            delete(Then::Cancelled),
            delete(Then::Again),
        ),
        (
            Place::AddLines { tmp: tmp(), cupos: vec![1], sent: false },
            false,
            delete(Then::Cancelled),
            delete(Then::Again),
        ),
        (
            Place::ListLines { tmp: tmp(), lost: at_ms(9) },
            false,
            delete(Then::Cancelled),
            delete(Then::Again),
        ),
        (Place::ReadBack { tmp: tmp() }, false, delete(Then::Cancelled), delete(Then::Again)),
        (
            Place::Confirm { tmp: tmp(), sent: false },
            false,
            delete(Then::Cancelled),
            delete(Then::Again),
        ),
        (delete(parked), false, delete(Then::Cancelled), delete(Then::Again)),
        (
            Place::Confirm { tmp: tmp(), sent: true },
            true,
            Place::Confirm { tmp: tmp(), sent: true },
            Place::Confirm { tmp: tmp(), sent: true },
        ),
        (read(1), true, read(1), read(1)),
        (look(Some(5)), true, look(Some(5)), look(Some(5))),
        (confirmed.clone(), false, confirmed.clone(), confirmed),
        (Place::Cancelled, false, Place::Cancelled, Place::Cancelled),
    ];
    for (at, confirming, cancelled, again) in table {
        let given_up = |then| {
            let mut placing = Placing { confirming, ..placing(at.clone()) };
            placing.give_up(then);
            placing.at
        };
        assert_eq!(given_up(Then::Cancelled), cancelled, "cancelled at {at:?}");
        assert_eq!(given_up(Then::Again), again, "changed at {at:?}");
    }
}

/// A name, when a call was lost, real orders, marks and real numbers of heads, what follows.
type Seen =
    (&'static str, Option<u64>, Vec<&'static str>, Vec<BatchHead>, Place, Option<CauseKind>);

const NOW_MS: u64 = 10_000_000;
const LOST_MS: u64 = NOW_MS - 1_000;

fn other(oref: &str, orno: Option<&str>) -> BatchHead {
    BatchHead { orno: orno.map(|o| o.try_into().unwrap()), ..head(oref) }
}

fn decide(table: Vec<Seen>) {
    let (key, plan) = (story::key(), story::plan());
    for (name, lost_ms, real, batch, want, cause) in table {
        let mut placing = placing(Place::Look { lost: lost_ms.map(at_ms), from: None });
        let real = real.into_iter().map(|o| o.try_into().unwrap()).collect();
        let got = placing.on(Told::Heads(Found { real, batch }), &around(&key, &plan, NOW_MS));
        assert_eq!((placing.at, got.map(|c| c.kind)), (want, cause), "{name}");
    }
}

#[test]
fn what_a_look_finds_decides_between_adopting_and_creating() {
    let lost = Some(LOST_MS);
    let add = Place::AddHead { sent: false };
    let confirmed = Place::Confirmed { orno: "7".try_into().unwrap() };
    let quiet = at_ms(LOST_MS).pause(900_000);
    let later = Place::Look { lost: Some(at_ms(LOST_MS)), from: Some(quiet) };
    decide(vec![
        ("nothing", None, vec![], vec![], add, None),
        ("nothing yet", lost, vec![], vec![], later, None),
        ("a real order", None, vec!["7"], vec![], confirmed.clone(), None),
        (
            "a real order beside a head",
            lost,
            vec!["7"],
            vec![other("CWONE", None)],
            confirmed.clone(),
            None,
        ),
        (
            "a head that became real",
            None,
            vec![],
            vec![other("CWONE", Some("7"))],
            confirmed.clone(),
            None,
        ),
        (
            "somebody else's that became real",
            None,
            vec![],
            vec![other("", Some("7"))],
            confirmed,
            None,
        ),
    ]);
}

#[test]
fn temporary_orders_that_a_look_finds_are_filled_removed_or_shown() {
    let lost = Some(LOST_MS);
    let delete = Place::Delete { tmp: tmp(), sent: false, then: Then::Again };
    let details = Place::AddDetails { tmp: tmp(), sent: false };
    decide(vec![
        ("the lost head", lost, vec![], vec![other("CWONE", None)], details, None),
        (
            "a head of ours of unknown content",
            None,
            vec![],
            vec![other("CWONE", None)],
            delete.clone(),
            None,
        ),
        (
            "a head without our mark",
            None,
            vec![],
            vec![other("JOE", None)],
            Place::Look { lost: None, from: None },
            Some(CauseKind::ForeignHead),
        ),
        (
            "a head with an empty mark",
            None,
            vec![],
            vec![other("", None)],
            Place::Look { lost: None, from: None },
            Some(CauseKind::ForeignHead),
        ),
        (
            "two real orders",
            None,
            vec!["7", "8"],
            vec![],
            Place::Look { lost: None, from: None },
            Some(CauseKind::TwoRealOrders),
        ),
        (
            "two heads of ours",
            lost,
            vec![],
            vec![other("CWONE", None), other("CWONE", None)],
            delete,
            None,
        ),
    ]);
}

#[test]
fn nothing_is_created_without_a_look_just_before() {
    let (key, plan) = (story::key(), story::plan());
    let look = Step::Ask(Ask::Look);
    // Saved before it was asked for, and loaded days later.
    let mut placing = placing(Place::AddHead { sent: false });
    placing.recover(at_ms(5));
    assert_eq!(placing.next(&around(&key, &plan, 10)), look);
    // M3 was away when it was asked for; somebody may have entered the order meanwhile.
    let mut placing = Placing::new();
    placing.on(Told::Heads(Found::default()), &around(&key, &plan, 10));
    assert!(matches!(placing.next(&around(&key, &plan, 10)), Step::Ask(Ask::AddHead { .. })));
    let away = Failure::new(Fate::NotDone, Class::Unreachable, "");
    assert_eq!(placing.on_failure(&away, &around(&key, &plan, 20)), Verdict::Again);
    assert_eq!(placing.next(&around(&key, &plan, 9_000_000)), look);
    assert!(placing.tokens.is_empty(), "a head that was never asked for has no mark");
    // A person was asked because no head held.
    let mut placing = Placing { n: 6, ..placing };
    placing.on(Told::Heads(Found::default()), &around(&key, &plan, 10));
    assert!(matches!(placing.next(&around(&key, &plan, 10)), Step::Park(_)));
    assert_eq!(placing.next(&around(&key, &plan, 10)), look);
}

#[test]
fn an_order_can_be_cancelled_while_no_confirmation_is_under_way() {
    let (key, plan) = (story::key(), story::plan());
    let around = around(&key, &plan, 10_000_000);
    let asked = || {
        let mut placing = placing(Place::Confirm { tmp: tmp(), sent: false });
        assert!(!placing.past_confirm());
        placing.next(&around);
        assert!(placing.past_confirm(), "the intent is written");
        placing
    };
    let table = [
        ("never sent", Fate::NotDone, Class::Unreachable, false),
        ("locked", Fate::Refused, Class::Locked, false),
        ("lost", Fate::Unknown, Class::TimedOut, true),
        ("refused, perhaps because it is real", Fate::Refused, Class::State, true),
    ];
    for (name, fate, class, past) in table {
        let mut placing = asked();
        placing.on_failure(&Failure::new(fate, class, ""), &around);
        assert_eq!(placing.past_confirm(), past, "{name}");
    }
    // Nothing of the lost confirmation can run any more.
    let mut placing = asked();
    let (lost, from) = (at_ms(0), Some(at_ms(0).pause(900_000)));
    placing.at = Place::ReadConfirm { tmp: tmp(), lost, refused: None, from };
    placing.on(Told::Outcome { head: Some(head("CWONE")), errors: vec![] }, &around);
    assert!(matches!(placing.at, Place::Confirm { sent: false, .. }) && !placing.past_confirm());
}

#[test]
fn a_head_that_is_found_again_after_its_confirmation_is_not_filled_again() {
    let (key, plan) = (story::key(), story::plan());
    let around = around(&key, &plan, 10_000_000);
    let lost = Some(at_ms(9_999_000));
    let mut placing = Placing { confirming: true, ..placing(Place::Look { lost, from: None }) };
    placing.on(Told::Heads(Found { real: vec![], batch: vec![head("CWONE")] }), &around);
    assert!(
        matches!(placing.at, Place::ReadConfirm { lost: Steady { ms: 9_999_000, .. }, .. }),
        "{placing:?}"
    );
}

#[test]
fn a_confirmation_that_never_holds_ends_with_a_person() {
    let (key, plan) = (story::key(), story::plan());
    let mut placing = placing(Place::Confirm { tmp: tmp(), sent: false });
    let mut now = 0;
    for _ in 0..200 {
        let around = around(&key, &plan, now);
        match placing.next(&around) {
            Step::Ask(Ask::Confirm { .. }) => {
                let fault = Failure::new(Fate::Unknown, Class::Broken, "HTTP 500");
                placing.on_failure(&fault, &around);
            }
            Step::Ask(Ask::ReadBatch { .. }) => {
                let (head, lines) = (Some(head("CWONE")), model::lines(&plan));
                placing.on(Told::Batch { head, lines }, &around);
            }
            Step::Ask(_) => {
                placing.on(Told::Outcome { head: Some(head("CWONE")), errors: vec![] }, &around);
            }
            Step::Wait { left_ms, .. } => now += left_ms,
            Step::Park(cause) => {
                assert_eq!(cause.kind, CauseKind::KeepsFailing);
                assert!(matches!(placing.next(&around), Step::Ask(_)), "a replay goes on");
                return;
            }
            step @ (Step::Confirmed(_) | Step::Cancelled) => panic!("{step:?}"),
        }
    }
    panic!("still at it after {now} ms: {placing:?}");
}

#[test]
fn a_plan_is_compared_before_the_confirmation_and_never_after() {
    let (key, plan) = (story::key(), story::plan());
    let around = around(&key, &plan, 0);
    let lines = model::lines(&plan);
    assert_eq!(plan.compare(&lines), Comparison::Equal);
    let delete = Place::Delete { tmp: tmp(), sent: false, then: Then::Again };
    let table = [
        (Some(head("CWONE")), lines.clone(), Place::Confirm { tmp: tmp(), sent: false }),
        (
            Some(head("CWONE")),
            lines[1..].to_vec(),
            Place::AddLines { tmp: tmp(), cupos: vec![1], sent: false },
        ),
        (Some(head("CWONE")), [&lines[..], &lines[..1]].concat(), delete.clone()),
        (
            Some(BatchHead { currency: "USD".into(), ..head("CWONE") }),
            lines.clone(),
            delete.clone(),
        ),
        (Some(BatchHead { cuor: "X1043".into(), ..head("CWONE") }), lines.clone(), delete),
        (None, vec![], Place::Look { lost: None, from: None }),
    ];
    for (head, lines, want) in table {
        let mut placing = placing(Place::ReadBack { tmp: tmp() });
        placing.on(Told::Batch { head: head.clone(), lines }, &around);
        assert_eq!(placing.at, want, "{head:?}");
    }
}

#[test]
fn the_story_teller_finds_a_second_order_when_there_is_one() {
    let mut story = Story::new(vec![], vec![], AfterConfirm::Keeps);
    story.m3.add_real_of_somebody();
    story.m3.add_real_of_somebody();
    assert!(tell(&mut story).is_err());
}

#[test]
fn a_real_order_without_a_name_is_waited_for_and_nothing_is_created_or_confirmed() {
    let (key, plan) = (story::key(), story::plan());
    let made = || BatchHead { stat: "90".into(), ..head("CWONE") };
    let mut placing = placing(Place::ReadBack { tmp: tmp() });
    let mut now = NOW_MS;
    for _ in 0..40 {
        let around = around(&key, &plan, now);
        match placing.next(&around) {
            Step::Wait { left_ms, .. } => now += left_ms,
            Step::Ask(Ask::ReadBatch { .. }) => {
                let told = Told::Batch { head: Some(made()), lines: model::lines(&plan) };
                assert_eq!(placing.on(told, &around), None);
            }
            Step::Ask(Ask::ReadConfirm { .. }) => {
                let told = Told::Outcome { head: Some(made()), errors: vec![] };
                if let Some(cause) = placing.on(told, &around) {
                    assert_eq!(cause.kind, CauseKind::ConfirmRefused);
                    assert!(now >= NOW_MS + 900_000, "asked a person after {} ms", now - NOW_MS);
                    assert!(placing.past_confirm(), "too late to cancel in silence");
                    return;
                }
            }
            step @ (Step::Ask(_) | Step::Park(_) | Step::Confirmed(_) | Step::Cancelled) => {
                panic!("{step:?}")
            }
        }
    }
    panic!("nobody is told: {placing:?}");
}

#[test]
fn a_look_that_finds_an_order_without_a_name_neither_deletes_nor_creates() {
    let (key, plan) = (story::key(), story::plan());
    let made = BatchHead { stat: "90".into(), ..head("JOE") };
    let mut placing = placing(Place::Look { lost: None, from: None });
    let found = || Told::Heads(Found { real: vec![], batch: vec![made.clone()] });
    assert_eq!(placing.on(found(), &around(&key, &plan, NOW_MS)), None);
    assert!(matches!(placing.at, Place::Look { from: Some(_), .. }), "{placing:?}");
    // Gone, and its order not there yet: that is waited out, too.
    let (nothing, later) = (Told::Heads(Found::default()), NOW_MS + 200_000);
    assert_eq!(placing.on(nothing, &around(&key, &plan, later)), None);
    assert!(matches!(placing.at, Place::Look { from: Some(_), .. }), "{placing:?}");
    let next = placing.next(&around(&key, &plan, later));
    assert_eq!(next.ask(), None, "it waits");
}

#[test]
fn a_head_that_is_removed_does_not_shorten_the_wait_for_a_lost_confirmation() {
    let (key, plan) = (story::key(), story::plan());
    let around = around(&key, &plan, NOW_MS);
    let mut placing = Placing {
        tokens: vec!["CWOLD".into(), "CWONE".into()],
        confirming: true,
        confirm_lost: Some(at_ms(LOST_MS)),
        ..placing(Place::Look { lost: Some(at_ms(LOST_MS)), from: None })
    };
    placing.on(Told::Heads(Found { real: vec![], batch: vec![head("CWOLD")] }), &around);
    assert!(matches!(placing.at, Place::Delete { .. }), "{placing:?}");
    placing.on(Told::Deleted, &around);
    placing.on(Told::Heads(Found::default()), &around);
    assert_eq!(placing.next(&around).ask(), None, "the confirmation may still be running");
}

#[test]
fn a_number_that_m3_gave_to_somebody_else_is_neither_deleted_nor_confirmed() {
    let tokens = vec!["CWONE".to_owned()];
    let table = [
        (None, Deletion::Needless),
        (Some(head("JOE")), Deletion::Needless),
        (Some(head("CWONE")), Deletion::Due),
        (Some(BatchHead { stat: "90".into(), ..head("CWONE") }), Deletion::Forbidden),
        (Some(other("CWONE", Some("7"))), Deletion::Forbidden),
    ];
    for (head, want) in table {
        assert_eq!(Deletion::of(head.as_ref(), &tokens), want, "{head:?}");
    }
    let (key, plan) = (story::key(), story::plan());
    let mut placing = placing(Place::ReadBack { tmp: tmp() });
    let theirs = BatchHead { cuor: "X1043".into(), ..head("JOE") };
    placing.on(Told::Batch { head: Some(theirs), lines: vec![] }, &around(&key, &plan, 0));
    assert_eq!(placing.at, Place::Look { lost: None, from: None });
}

#[test]
fn a_confirmation_is_answered_by_a_status_that_is_not_final_and_is_looked_after() {
    let (key, plan) = (story::key(), story::plan());
    let around = around(&key, &plan, NOW_MS);
    let table = [("30", true), ("15", true), ("55", false), ("40", false), ("", false)];
    for (stat, is_final) in table {
        let mut placing = placing(Place::Confirm { tmp: tmp(), sent: true });
        placing.confirming = true;
        placing.on(Told::Confirmed { orno: Some(tmp()), stat: stat.into() }, &around);
        let seen = BatchHead { stat: stat.into(), ..head("CWONE") };
        let cause = placing.on(Told::Outcome { head: Some(seen), errors: vec![] }, &around);
        assert_eq!(cause.is_some(), is_final, "{stat}");
        assert_eq!(placing.past_confirm(), !is_final, "{stat}");
    }
}

#[test]
fn a_restart_measures_the_quiescence_anew_and_reads_back_before_it_confirms() {
    let (key, plan) = (story::key(), story::plan());
    let at = |boot, ms| Around { now: Steady { boot, ms }, ..around(&key, &plan, 0) };
    // Lost just before the end of a start; the wall clock may say anything by now.
    let lost = Steady { boot: 1, ms: 50_000_000 };
    let from = Some(lost.pause(900_000));
    let mut placing = placing(Place::Look { lost: Some(lost), from });
    placing.recover(Steady { boot: 2, ms: 3_000 });
    let wait = placing.next(&at(2, 3_000));
    assert!(matches!(wait, Step::Wait { left_ms: 897_000, .. }), "{wait:?}");
    assert_eq!(placing.next(&at(2, 900_000)), Step::Ask(Ask::Look));
    let table = [
        (Place::Confirm { tmp: tmp(), sent: false }, 1, Place::ReadBack { tmp: tmp() }),
        (Place::Confirm { tmp: tmp(), sent: false }, 2, Place::ReadBack { tmp: tmp() }),
        (
            Place::AddLines { tmp: tmp(), cupos: vec![1], sent: false },
            2,
            Place::ReadBack { tmp: tmp() },
        ),
        (
            Place::AddDetails { tmp: tmp(), sent: false },
            2,
            Place::Delete { tmp: tmp(), sent: false, then: Then::Again },
        ),
        (
            Place::AddDetails { tmp: tmp(), sent: false },
            1,
            Place::AddDetails { tmp: tmp(), sent: false },
        ),
    ];
    for (before, boot, want) in table {
        let mut placing = self::placing(before.clone());
        placing.recover(Steady { boot, ms: 9 });
        assert_eq!(placing.at, want, "{before:?} in start {boot}");
    }
}
