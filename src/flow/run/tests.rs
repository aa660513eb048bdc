//! Stories of one order: what happens, what is asked of whom, where it ends.

use super::*;
use crate::{
    connector::{Class, Fate},
    flow::{
        follow::LineProgress,
        parcel::Parcel,
        place::{BatchHead, Found, tests::story, token},
        plan::LineInM3,
    },
};

const START_MS: u64 = 1_767_225_600_000;

fn case() -> Case {
    let run = Run::new(OrderRef::Id(42), None, START_MS);
    Case { run, order: None, plan: None, placed: None, books: Books::default() }
}

fn context(rules: &Rules, now_ms: u64) -> Context<'_> {
    let steady = Steady { boot: 1, ms: now_ms - START_MS };
    Context { rules, now_ms, steady, jitter: Jitter(0) }
}

const fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::ReadOrder(_) => "order",
        Effect::EnsureCustomer => "customer",
        Effect::FindItems(_) => "items",
        Effect::Place(Ask::Look) => "look",
        Effect::Place(Ask::AddHead { .. }) => "head",
        Effect::Place(Ask::AddDetails { .. }) => "details",
        Effect::Place(Ask::AddLines { .. }) => "lines",
        Effect::Place(Ask::ReadBatch { .. }) => "read back",
        Effect::Place(Ask::Confirm { .. }) => "confirm",
        Effect::Place(Ask::ReadConfirm { .. }) => "outcome",
        Effect::Place(Ask::Delete { .. }) => "delete",
        Effect::ReadReal(_) => "real",
        Effect::ReadProgress(_) => "progress",
        Effect::ReadPayments(_) => "payments",
        Effect::Pay { .. } => "pay",
        Effect::Tell { .. } => "tell",
    }
}

/// Answers effect after effect; waits pass at once. Returns the time.
fn play(case: &mut Case, mut now_ms: u64, script: Vec<(&str, Outcome)>) -> u64 {
    let rules = story::rules();
    for (i, (want, outcome)) in script.into_iter().enumerate() {
        let effect = loop {
            match case.next(&context(&rules, now_ms)) {
                Next::Do(effect) => break effect,
                Next::Wait(wait) => {
                    assert!(wait.until_ms > now_ms, "{i}: waits for the past: {wait:?}");
                    now_ms = wait.until_ms;
                }
                Next::Rest | Next::Leave => panic!("{i}: rests instead of {want}: {:?}", case.run),
            }
        };
        assert_eq!(name(&effect), want, "{i}: {:?}", case.run);
        case.on(outcome, &context(&rules, now_ms));
    }
    now_ms
}

fn order(v: u32, payment: &str) -> Outcome {
    let payment_status = Some(payment.to_owned());
    Outcome::Order(Box::new(Order { payment_status, ..story::order(v) }))
}

fn found_items(itnos: BTreeMap<String, Option<Itno>>) -> Outcome {
    Outcome::Items { itnos, booked: Booked::OnOrder(None) }
}

fn customer(cuno: &str) -> Outcome {
    Outcome::Customer { cuno: cuno.try_into().unwrap(), notes: Vec::new() }
}

fn items() -> Outcome {
    let itno = |sku: &str| (sku.to_owned(), Some(sku.try_into().unwrap()));
    found_items([itno("MUG"), itno("SHIRT")].into())
}

fn tmp() -> Orno {
    "9000001".try_into().unwrap()
}

fn found(real: &[&str], heads: Vec<BatchHead>) -> Outcome {
    let real = real.iter().map(|o| (*o).try_into().unwrap()).collect();
    Outcome::Told(Told::Heads(Found { real, batch: heads }))
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

fn first_token() -> String {
    token(&story::key(), 1, 0)
}

fn lines() -> Vec<LineInM3> {
    let line = |cupo: &str, itno: &str, n: i64| LineInM3 {
        cupo: cupo.into(),
        itno: itno.into(),
        quantity: Amount(n.into()),
        price: Amount(10.into()),
    };
    vec![line("1", "MUG", 1), line("2", "SHIRT", 2)]
}

fn failed(fate: Fate, class: Class) -> Outcome {
    Outcome::Failed(Failure::new(fate, class, "no"))
}

fn real(total: i64) -> Outcome {
    let ornos = vec!["1000001".try_into().unwrap()];
    let (total, currency) = (Amount(total.into()), "EUR".to_owned());
    Outcome::Real(Real { ornos, total, currency, lines: lines() })
}

fn progress(tracking: &[&str]) -> Outcome {
    let one = Amount(1.into());
    let parcel = |number: &&str| Parcel { number: (*number).to_owned(), ..Parcel::default() };
    Outcome::Progress(Progress {
        lowest: "66".into(),
        highest: "66".into(),
        lines: vec![LineProgress { ordered: one, delivered: one, invoiced: Amount::ZERO }],
        parcels: Some(tracking.iter().map(parcel).collect()),
        invoices: None,
    })
}

fn to_items() -> Script {
    vec![("order", order(0, "Q")), ("customer", customer("W000000007"))]
}

fn to_look() -> Script {
    let mut script = to_items();
    script.push(("items", items()));
    script
}

fn to_head() -> Script {
    let mut script = to_look();
    script.push(("look", found(&[], vec![])));
    script.push(("head", Outcome::Told(Told::Head(tmp()))));
    script
}

fn to_confirm() -> Script {
    let mut script = to_head();
    script.push(("details", Outcome::Told(Told::Added)));
    script.push(("lines", Outcome::Told(Told::Added)));
    let batch = Told::Batch { head: Some(head(&first_token())), lines: lines() };
    script.push(("read back", Outcome::Told(batch)));
    script
}

fn confirmed() -> (&'static str, Outcome) {
    let orno = Some("1000001".try_into().unwrap());
    ("confirm", Outcome::Told(Told::Confirmed { orno, stat: "90".into() }))
}

fn to_follow() -> Script {
    let mut script = to_confirm();
    script.extend([confirmed(), ("real", real(33)), ("tell", Outcome::Done)]);
    script
}

fn led(script: Vec<(&str, Outcome)>) -> (Case, u64) {
    let mut case = case();
    let now_ms = play(&mut case, START_MS, script);
    (case, now_ms)
}

fn woken(script: Vec<(&str, Outcome)>, then: Vec<(&str, Outcome)>) -> Case {
    let (mut case, now_ms) = led(script);
    case.run.reread = true;
    play(&mut case, now_ms, then);
    case
}

/// The name of a stage, and why it is parked.
type Stand = (&'static str, Option<CauseKind>);

fn stands(case: &Case) -> Stand {
    (case.run.stage.name(), case.run.parked().map(|cause| cause.kind))
}

type Script = Vec<(&'static str, Outcome)>;

fn with(mut script: Script, more: Script) -> Case {
    script.extend(more);
    led(script).0
}

fn refused(class: Class) -> Outcome {
    failed(Fate::Refused, class)
}

fn deleted() -> (&'static str, Outcome) {
    ("delete", Outcome::Told(Told::Deleted))
}

fn unknown() -> Outcome {
    found_items([("MUG".to_owned(), None)].into())
}

/// Compares where each case stands: a name, the case, its stage, why it is parked.
fn all_stand(table: Vec<(&str, Case, Stand)>) {
    for (name, case, want) in table {
        assert_eq!(stands(&case), want, "{name}");
    }
}

#[test]
fn orders_that_cannot_be_taken_over_end_where_they_should() {
    let (park, data) = (Some, Class::Data);
    all_stand(vec![
        ("happy", led(to_follow()).0, ("follow", None)),
        ("not wanted", led(vec![("order", order(0, "X"))]).0, ("done", None)),
        (
            "not wanted, then paid",
            woken(vec![("order", order(0, "X"))], vec![("order", order(0, "P"))]),
            ("customer", None),
        ),
        (
            "unknown SKU",
            with(to_items(), vec![("items", unknown())]),
            ("parked", park(CauseKind::UnknownSku)),
        ),
        (
            "order gone",
            led(vec![("order", refused(Class::NotFound))]).0,
            ("parked", park(CauseKind::OrderGone)),
        ),
        (
            "no right",
            with(to_look(), vec![("look", refused(Class::Forbidden))]),
            ("parked", park(CauseKind::Permission)),
        ),
        (
            "a wrong setting",
            with(to_look(), vec![("look", found(&[], vec![])), ("head", refused(Class::Config))]),
            ("parked", park(CauseKind::Configuration)),
        ),
        (
            "a line refused",
            with(to_head(), vec![("details", refused(data)), deleted()]),
            ("parked", park(CauseKind::LineRefused)),
        ),
    ]);
}

#[test]
fn orders_that_the_shop_or_m3_changes_end_where_they_should() {
    let (park, data) = (Some, Class::Data);
    all_stand(vec![
        (
            "cancelled before",
            woken(to_head(), vec![("order", order(0, "C")), deleted()]),
            ("place", None),
        ),
        (
            "changed before",
            woken(to_head(), vec![("order", order(1, "Q")), deleted(), ("order", order(1, "Q"))]),
            ("customer", None),
        ),
        (
            "cancelled after",
            woken(to_follow(), vec![("order", order(0, "C"))]),
            ("parked", park(CauseKind::CancelledAfterConfirm)),
        ),
        (
            "changed after",
            woken(to_follow(), vec![("order", order(1, "Q"))]),
            ("parked", park(CauseKind::ChangedAfterConfirm)),
        ),
        ("told nothing new", woken(to_follow(), vec![("order", order(0, "P"))]), ("follow", None)),
        (
            "two real orders",
            with(to_look(), vec![("look", found(&["1", "2"], vec![]))]),
            ("parked", park(CauseKind::TwoRealOrders)),
        ),
        (
            "somebody's head",
            with(to_look(), vec![("look", found(&[], vec![head("JOE")]))]),
            ("parked", park(CauseKind::ForeignHead)),
        ),
        (
            "gone while followed",
            with(to_follow(), vec![("progress", refused(data))]),
            ("parked", park(CauseKind::OrderDeletedInM3)),
        ),
    ]);
}

#[test]
fn orders_that_change_while_they_are_confirmed_or_compared_are_told() {
    let park = Some;
    all_stand(vec![
        (
            "changed while it is compared",
            {
                let mut script = to_confirm();
                script.push(confirmed());
                woken(script, vec![("real", real(33)), ("order", order(1, "Q"))])
            },
            ("parked", park(CauseKind::ChangedAfterConfirm)),
        ),
        (
            "changed while its confirmation is lost",
            {
                let mut script = to_confirm();
                script.push(("confirm", failed(Fate::Unknown, Class::TimedOut)));
                let made = BatchHead { orno: Some("1000001".try_into().unwrap()), ..head("") };
                let outcome = Told::Outcome { head: Some(made), errors: vec![] };
                let then = vec![
                    ("outcome", Outcome::Told(outcome)),
                    ("real", real(33)),
                    ("order", order(1, "Q")),
                ];
                woken(script, then)
            },
            ("parked", park(CauseKind::ChangedAfterConfirm)),
        ),
    ]);
}

#[test]
fn a_corrected_order_leaves_the_list_of_those_parked() {
    let mut script = to_items();
    script.push(("items", found_items([("MUG".to_owned(), None)].into())));
    let same = woken(script.clone(), vec![("order", order(0, "Q"))]);
    assert_eq!(stands(&same), ("parked", Some(CauseKind::UnknownSku)), "nothing was mended");
    let then = vec![("order", order(1, "Q")), ("order", order(1, "Q"))];
    assert_eq!(stands(&woken(script.clone(), then)), ("customer", None));
    // The shop's faults do not hide why it is parked.
    let faults = vec![("order", failed(Fate::NotDone, Class::Broken)); 30];
    assert_eq!(stands(&woken(script, faults)), ("parked", Some(CauseKind::UnknownSku)));
}

#[test]
fn m3_away_is_waited_for_and_a_broken_m3_is_not() {
    for class in [Class::Unreachable, Class::TimedOut, Class::Unavailable, Class::RateLimited] {
        let (mut case, now_ms) = led(to_look());
        let until = play(&mut case, now_ms, vec![("look", failed(Fate::NotDone, class)); 100]);
        assert_eq!(stands(&case), ("place", None), "{class:?}");
        assert!(until > now_ms + 5 * 3_600_000, "{class:?}: 100 tries in {} ms", until - now_ms);
        let wait = case.run.wait.clone().unwrap();
        assert!(!wait.reason.is_empty());
    }
    let (mut case, now_ms) = led(to_look());
    play(&mut case, now_ms, vec![("look", failed(Fate::NotDone, Class::Broken)); 12]);
    assert_eq!(stands(&case), ("parked", Some(CauseKind::KeepsFailing)));
}

#[test]
fn a_replay_goes_on_at_the_step_or_begins_with_the_shops_order() {
    let mut script = to_look();
    script.push(("look", failed(Fate::Refused, Class::Config)));
    let table = [
        (ReplayFrom::Step, "place"),
        (ReplayFrom::Start, "withdraw"),
        (ReplayFrom::StartWithOldRules, "withdraw"),
    ];
    for (from, want) in table {
        let (mut case, now_ms) = led(script.clone());
        assert!(case.run.replay(from, now_ms));
        assert_eq!(case.run.stage.name(), want);
        assert!(!case.run.replay(from, now_ms), "it is not parked any more");
        let mut then = vec![("order", order(0, "Q"))];
        match from {
            ReplayFrom::Step => then.push(("look", found(&[], vec![]))),
            ReplayFrom::Start => then.push(("order", order(0, "Q"))),
            ReplayFrom::StartWithOldRules => then.push(("look", found(&[], vec![]))),
        }
        play(&mut case, now_ms, then);
    }
    let (mut case, now_ms) = led(to_follow());
    assert!(!case.run.replay(ReplayFrom::Start, now_ms) && !case.run.discard("", now_ms));
}

#[test]
fn a_discarded_order_is_cleaned_up_and_then_rests() {
    let rules = story::rules();
    let (mut case, now_ms) = led(to_confirm());
    let token = case.run.placing.tokens[0].clone();
    case.run.park(Cause::new(CauseKind::ConfirmRefused, ""), now_ms);
    assert!(case.run.discard("entered by hand", now_ms));
    let then = vec![
        ("order", order(0, "Q")),
        ("look", found(&[], vec![head(&token), head("JOE")])),
        ("delete", Outcome::Told(Told::Deleted)),
        ("look", found(&[], vec![])),
        ("look", found(&[], vec![])),
    ];
    let now_ms = play(&mut case, now_ms, then);
    assert_eq!(case.next(&context(&rules, now_ms)), Next::Leave);
    // Parked before there was a customer: nothing can be looked for.
    let mut early = led(vec![("order", failed(Fate::Refused, Class::NotFound))]).0;
    assert!(early.run.discard("gone", now_ms));
    play(&mut early, now_ms, vec![("order", failed(Fate::Refused, Class::NotFound))]);
    assert_eq!(early.next(&context(&rules, now_ms)), Next::Leave);
}

#[test]
fn a_sweep_deletes_orphans_and_alarms_once_about_a_second_order() {
    let (mut case, now_ms) = led(to_follow());
    let token = case.run.placing.tokens[0].clone();
    // Found while M3's progress is being waited for.
    let due = case.run.sweep.due_ms().unwrap();
    let then = vec![
        ("look", found(&["1000001"], vec![head(&token)])),
        ("delete", failed(Fate::Refused, Class::State)),
        ("progress", progress(&[])),
    ];
    play(&mut case, due.max(now_ms), then);
    let (mut case, _) = led(to_follow());
    let other = vec![("look", found(&["1000001", "1000002"], vec![]))];
    play(&mut case, due, other);
    assert_eq!(stands(&case), ("parked", Some(CauseKind::TwoRealOrders)));
    // Discarded, and yet M3 has it: said once, kept, not said again.
    let (mut case, now_ms) = led(to_confirm());
    case.run.park(Cause::new(CauseKind::ConfirmRefused, ""), now_ms);
    case.run.discard("by hand", now_ms);
    let then = vec![("order", order(0, "Q")), ("look", found(&["1000009"], vec![]))];
    let now_ms = play(&mut case, now_ms, then);
    assert_eq!(stands(&case), ("parked", Some(CauseKind::CancelledAfterConfirm)));
    assert!(case.run.discard("it is all right", now_ms));
    let again = ("look", found(&["1000009"], vec![]));
    play(&mut case, now_ms, vec![("order", order(0, "Q")), again.clone(), again]);
    assert_eq!(stands(&case), ("done", None));
}

#[test]
fn an_orphan_that_cannot_be_deleted_is_told_after_the_last_sweep() {
    let (mut case, now_ms) = led(to_follow());
    case.run.stage = Stage::Done(Ending::Completed);
    let token = case.run.placing.tokens[0].clone();
    let mut now_ms = now_ms;
    for told in [None, None, Some(CauseKind::HeadRefused)] {
        let then = vec![
            ("look", found(&["1000001"], vec![head(&token)])),
            ("delete", failed(Fate::Refused, Class::State)),
        ];
        now_ms = play(&mut case, now_ms, then);
        assert_eq!(case.run.attention.as_ref().map(|cause| cause.kind), told);
    }
    assert_eq!(case.next(&context(&story::rules(), now_ms)), Next::Rest);
}

#[test]
fn a_tracking_number_is_not_written_twice_after_a_silence_or_a_fall() {
    let rules = story::rules();
    let due = || {
        let mut script = to_follow();
        script.push(("progress", progress(&["T1"])));
        led(script)
    };
    let shop_has = || {
        let tracking = vec!["T1".to_owned()];
        let payment_status = Some("Q".to_owned());
        Outcome::Order(Box::new(Order { payment_status, tracking, ..story::order(0) }))
    };
    let told = |case: &mut Case, now_ms| match case.next(&context(&rules, now_ms)) {
        Next::Do(Effect::Tell { tell, .. }) => tell,
        next @ (Next::Do(_) | Next::Wait(_) | Next::Rest | Next::Leave) => panic!("{next:?}"),
    };
    let (mut lost, now_ms) = due();
    let then = vec![("tell", failed(Fate::Unknown, Class::TimedOut)), ("order", shop_has())];
    let now_ms = play(&mut lost, now_ms, then);
    assert_eq!(told(&mut lost, now_ms), Tell::Shipping("S".into()));
    let (mut fallen, now_ms) = due();
    assert_eq!(told(&mut fallen, now_ms), Tell::Tracking("T1".into()));
    fallen.recover(&context(&rules, now_ms));
    let now_ms = play(&mut fallen, now_ms, vec![("order", shop_has())]);
    assert_eq!(told(&mut fallen, now_ms), Tell::Shipping("S".into()));
}

#[test]
fn a_total_that_differs_is_told_while_the_order_goes_on() {
    let mut script = to_confirm();
    script.extend([confirmed(), ("real", real(34)), ("tell", Outcome::Done)]);
    let case = led(script).0;
    assert_eq!(stands(&case), ("follow", None));
    assert_eq!(case.run.attention.map(|cause| cause.kind), Some(CauseKind::Unequal));
}

mod desk;
mod late;
mod paying;
mod returning;
