//! Stories of orders after M3 has them, after a person has dealt with them, and after they left.

use super::*;

fn reread(case: &mut Case, now_ms: u64, answer: Outcome) {
    case.run.reread = true;
    play(case, now_ms, vec![("order", answer)]);
}

#[test]
fn a_person_is_told_field_by_field_what_changed_and_sees_what_came_since() {
    let (mut case, now_ms) = led(to_follow());
    reread(&mut case, now_ms, order(1, "Q"));
    let why = case.run.parked().cloned().unwrap();
    assert!(why.text.contains("1000001"), "{}", why.text);
    let want = ["line MUG: quantity 1 -> 2", "surcharge DISCOUNT -2 -> -3", "total 33 -> 42"];
    for detail in want {
        assert!(why.details.iter().any(|d| d == detail), "{detail}: {:?}", why.details);
    }
    // It changes again while somebody looks at it: measured from what M3 has.
    reread(&mut case, now_ms, order(2, "Q"));
    let why = case.run.parked().cloned().unwrap();
    assert!(why.details.contains(&"line MUG: quantity 1 -> 3".to_owned()), "{why:?}");
    // Dealt with: it goes on, and the same order is no news.
    assert!(case.run.replay(ReplayFrom::Step, now_ms));
    play(&mut case, now_ms, vec![("order", order(2, "Q"))]);
    assert_eq!(stands(&case), ("follow", None));
    reread(&mut case, now_ms, order(2, "Q"));
    assert_eq!((stands(&case), &case.placed), (("follow", None), &None));
    // What comes then is measured from what the person has put into M3.
    reread(&mut case, now_ms, order(3, "Q"));
    let why = case.run.parked().cloned().unwrap();
    assert!(why.details.contains(&"line MUG: quantity 3 -> 4".to_owned()), "{why:?}");
    reread(&mut case, now_ms, order(2, "Q"));
    let why = case.run.parked().cloned().unwrap();
    assert!(why.text.contains("back to what it was"), "{}", why.text);
}

#[test]
fn a_cancellation_is_told_each_time_it_comes_and_not_twice() {
    let (mut case, now_ms) = led(to_follow());
    reread(&mut case, now_ms, order(0, "C"));
    assert_eq!(stands(&case), ("parked", Some(CauseKind::CancelledAfterConfirm)));
    assert!(case.run.replay(ReplayFrom::Step, now_ms));
    play(&mut case, now_ms, vec![("order", order(0, "C"))]);
    assert_eq!(stands(&case), ("follow", None), "told already");
    reread(&mut case, now_ms, order(0, "Q"));
    assert_eq!(stands(&case), ("parked", Some(CauseKind::ChangedAfterConfirm)));
    assert!(case.run.replay(ReplayFrom::Step, now_ms));
    play(&mut case, now_ms, vec![("order", order(0, "Q"))]);
    reread(&mut case, now_ms, order(0, "C"));
    assert_eq!(stands(&case), ("parked", Some(CauseKind::CancelledAfterConfirm)), "again");
    assert!(case.run.discard("cancelled in M3", now_ms));
    reread(&mut case, now_ms, order(0, "C"));
    assert_eq!(stands(&case), ("done", None));
}

#[test]
fn a_change_of_an_order_that_is_parked_for_something_else_is_shown_and_told_afterwards() {
    let mut script = to_confirm();
    let two = || {
        let ornos = ["1000001", "1000002"].map(|o| o.try_into().unwrap()).into();
        let (total, currency) = (Amount(33.into()), "EUR".to_owned());
        Outcome::Real(Real { ornos, total, currency, lines: lines() })
    };
    script.extend([confirmed(), ("real", two())]);
    let (mut case, now_ms) = led(script);
    assert_eq!(stands(&case), ("parked", Some(CauseKind::TwoRealOrders)));
    reread(&mut case, now_ms, order(1, "C"));
    let why = case.run.parked().cloned().unwrap();
    assert_eq!(why.kind, CauseKind::TwoRealOrders);
    let said = why.details.join("; ");
    assert!(said.contains("it is cancelled") && said.contains("quantity 1 -> 2"), "{said}");
    assert!(case.run.replay(ReplayFrom::Step, now_ms));
    play(&mut case, now_ms, vec![("order", order(1, "C"))]);
    assert_eq!(stands(&case), ("parked", Some(CauseKind::CancelledAfterConfirm)));
}

#[test]
fn a_discarded_order_that_changes_is_told_and_one_that_does_not_is_left_alone() {
    let (mut case, now_ms) = led(to_confirm());
    case.run.park(Cause::new(CauseKind::ConfirmRefused, ""), now_ms);
    assert!(case.run.discard("entered by hand", now_ms));
    play(&mut case, now_ms, vec![("order", order(0, "P"))]);
    assert_eq!(stands(&case), ("done", None), "a status alone is no change");
    reread(&mut case, now_ms, order(1, "P"));
    assert_eq!(stands(&case), ("parked", Some(CauseKind::ChangedAfterConfirm)));
    let text = case.run.parked().unwrap().text.clone();
    assert!(text.contains("after a person had discarded it"), "{text}");
}

#[test]
fn a_replay_from_the_start_plans_anew_unless_the_old_rules_are_asked_for() {
    let mut today = story::rules();
    today.warehouse = "002".to_owned();
    let parked = || {
        let (mut case, now_ms) = led(to_confirm());
        case.run.park(Cause::new(CauseKind::ConfirmRefused, ""), now_ms);
        (case, now_ms)
    };
    let old = story::rules().version();
    assert_ne!(old, today.version());
    let table = [
        (ReplayFrom::Step, old.clone()),
        (ReplayFrom::Start, today.version()),
        (ReplayFrom::StartWithOldRules, old),
    ];
    for (from, want) in table {
        let (mut case, now_ms) = parked();
        assert!(case.run.replay(from, now_ms));
        for _ in 0..12 {
            let context = context(&today, now_ms);
            let Next::Do(effect) = case.next(&context) else { panic!("{:?}", case.run) };
            let answer = match name(&effect) {
                "order" => order(0, "Q"),
                "customer" => customer("W000000007"),
                "items" => items(),
                "delete" => Outcome::Told(Told::Deleted),
                _ => break,
            };
            case.on(answer, &context);
        }
        assert_eq!(case.plan.as_ref().unwrap().rules, want, "{from:?}");
        assert_eq!(stands(&case), ("place", None), "{from:?}");
    }
}

#[test]
fn what_was_done_is_said_to_whoever_replays() {
    let (mut case, now_ms) = led(to_confirm());
    case.run.park(Cause::new(CauseKind::ConfirmRefused, ""), now_ms);
    let want = [
        "done: customer W000000007",
        "done: temporary order 9000001 opened",
        "done: lines entered and compared",
        "next: confirm",
    ];
    assert_eq!(case.effects(), want);
    let (case, _) = led(to_follow());
    let said = case.effects();
    assert!(said.contains(&"done: confirmed in M3 as order 1000001".to_owned()), "{said:?}");
    assert!(said.contains(&"done: shop told shipping status P".to_owned()), "{said:?}");
    let (mut lost, now_ms) = led(to_look());
    let then = vec![("look", found(&[], vec![])), ("head", failed(Fate::Unknown, Class::TimedOut))];
    play(&mut lost, now_ms, then);
    assert!(lost.effects().iter().any(|line| line.starts_with("unknown")), "{:?}", lost.effects());
}

#[test]
fn a_year_of_a_finished_order_has_few_looks_and_ends_with_what_makes_it_known() {
    let rules = Rules { sweep_days: 7, keep_done_days: 90, ..story::rules() };
    let (mut case, began_ms) = led(to_follow());
    case.run.stage = Stage::Done(Ending::Completed);
    let day_ms = 24 * 3_600_000;
    let (mut now_ms, mut looks) = (began_ms, Vec::new());
    while now_ms < began_ms + 365 * day_ms {
        match case.next(&context(&rules, now_ms)) {
            Next::Do(effect) => {
                assert_eq!(name(&effect), "look");
                looks.push((now_ms - began_ms) / 60_000);
                case.on(found(&["1000001"], vec![]), &context(&rules, now_ms));
            }
            Next::Wait(wait) => now_ms = wait.until_ms,
            Next::Leave => break,
            Next::Rest => panic!("{:?}", case.run),
        }
    }
    let day = 24 * 60;
    assert_eq!(looks, [15, 60, day, 2 * day, 3 * day, 4 * day, 5 * day, 6 * day, 7 * day]);
    assert_eq!((now_ms - case.run.last_ms()) / day_ms, 90);
    // It is known again, and a change of it is not silent.
    let remains = case.run.remains().unwrap();
    let bytes = postcard::to_stdvec(&remains).unwrap().len();
    assert!(bytes < 120, "{bytes} bytes stay");
    let run = Run::recalled(remains);
    let mut case = Case { run, order: None, plan: None, placed: None, books: Books::default() };
    reread(&mut case, now_ms, order(0, "Q"));
    assert_eq!(case.next(&context(&rules, now_ms)), Next::Leave, "nothing new");
    reread(&mut case, now_ms, order(1, "Q"));
    assert_eq!(stands(&case), ("parked", Some(CauseKind::ChangedAfterConfirm)));
}

#[test]
fn an_attempt_for_another_customer_is_still_looked_for() {
    let (mut case, now_ms) = led(to_head());
    case.run.reread = true;
    let then = vec![
        ("order", order(1, "Q")),
        deleted(),
        ("order", order(1, "Q")),
        ("customer", customer("W000000008")),
    ];
    play(&mut case, now_ms, then);
    assert_eq!(case.run.former, ["W000000007".try_into().unwrap()]);
}

#[test]
fn an_order_that_gets_another_number_waits_for_a_person() {
    let (mut case, now_ms) = led(to_head());
    let Outcome::Order(mut renamed) = order(0, "Q") else { panic!("an order") };
    renamed.number = "1043".try_into().unwrap();
    reread(&mut case, now_ms, Outcome::Order(renamed));
    assert_eq!(stands(&case), ("parked", Some(CauseKind::UnfitValue)));
    assert_eq!(case.run.key, Some(story::key()), "M3 knows it by this one");
}

#[test]
fn an_order_that_waited_long_for_m3_is_read_again_before_it_is_created() {
    let (case, now_ms) = led(to_look());
    let hour = now_ms + 3_600_000;
    let none = || ("look", found(&[], vec![]));
    let table = [
        ("cancelled meanwhile", hour, vec![none(), ("order", order(0, "C"))], "place"),
        ("as it was", hour, vec![none(), ("order", order(0, "Q")), none()], "place"),
        (
            "changed meanwhile",
            hour,
            vec![none(), ("order", order(1, "Q")), ("order", order(1, "Q"))],
            "customer",
        ),
        ("read a moment ago", now_ms + 60_000, vec![none()], "place"),
    ];
    for (name, at_ms, script, want) in table {
        let mut case = case.clone();
        play(&mut case, at_ms, script);
        assert_eq!(case.run.stage.name(), want, "{name}");
        let next = case.next(&context(&story::rules(), at_ms));
        let heads = matches!(&next, Next::Do(Effect::Place(Ask::AddHead { .. })));
        assert_eq!(heads, ["as it was", "read a moment ago"].contains(&name), "{name}: {next:?}");
    }
}
