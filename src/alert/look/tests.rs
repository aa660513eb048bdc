//! Looks at a state that was written for it.

use super::*;
use crate::{
    alert::view::Reach,
    clock,
    delivery::rows::Due,
    flow::{
        cause::Cause,
        run::{Need, Run},
    },
    order::OrderRef,
    state::{self, Batch},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

struct Scene {
    looker: Looker,
    tally: watch::Sender<Tally>,
    refused: Arc<AtomicU64>,
    state: State,
    folder: tempfile::TempDir,
    _committer: state::Committer,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let config: state::Config = toml::from_str("free_bytes_min = 0").unwrap();
    let (state, committer) = State::open(&folder.path().join("state"), &config).unwrap();
    let tally = watch::Sender::new(Tally::default());
    let refused = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&refused);
    let destination = Destination { name: "m3", reach: Reach::Away, clock_ahead_s: Some(7) };
    let looker = Looker::new(Sources {
        state: state.clone(),
        folder: folder.path().to_owned(),
        floor_bytes: 5,
        certificate_file: Some(folder.path().join("own.crt")),
        tally: tally.subscribe(),
        refused: Box::new(move || count.load(Ordering::Relaxed)),
        unusable: Box::new(|| 2),
        destinations: Box::new(move || vec![(destination, Some(99))]),
        losses: Box::new(|| 3),
        compared: watch::channel(None).1,
    });
    Scene { looker, tally, refused, state, folder, _committer: committer }
}

async fn put(state: &State, key: Vec<u8>, value: Vec<u8>) {
    let mut batch = Batch::new();
    batch.put(key, value);
    state.commit(batch).await.unwrap();
}

async fn case(at: &State, key: &str, stage: Stage, (opened_ms, due_ms): (u64, u64)) {
    let key = CaseKey::typed(key);
    let run = Run { stage, ..Run::new(OrderRef::Id(1), None, opened_ms) };
    let due = Due { need: Need::M3, at_ms: due_ms };
    let row = RunRow { run, due: Some(due) };
    put(at, key.run(), rows::write(&row).unwrap()).await;
    put(at, key.due(due), Vec::new()).await;
}

#[tokio::test]
async fn parked_orders_are_counted_by_cause_with_the_oldest_of_each() {
    let mut scene = scene();
    let parked = [(CauseKind::NoSku, 500), (CauseKind::NoSku, 200), (CauseKind::Unequal, 900)];
    for (index, (kind, since_ms)) in parked.into_iter().enumerate() {
        let row = ParkedRow { cause: Cause::new(kind, "x"), since_ms, stands_still: true };
        let key = CaseKey::typed(&format!("X{index}"));
        put(&scene.state, key.parked(), rows::write(&row).unwrap()).await;
    }
    let view = scene.looker.look(clock::now(), 3).view;
    let want = [
        Parked { kind: CauseKind::NoSku, count: 2, oldest_ms: 200 },
        Parked { kind: CauseKind::Unequal, count: 1, oldest_ms: 900 },
    ];
    assert_eq!(view.parked, want);
    assert_eq!((view.losses, view.destinations[0].clock_ahead_s), (3, Some(7)));
    assert_eq!(view.certificates, [Certificate { name: "m3", ends_ms: 99 }]);
    assert!(view.disk.unwrap().free_bytes > 0);
}

#[tokio::test]
async fn the_oldest_order_on_its_way_is_found_however_long_the_list_is() {
    let mut scene = scene();
    for index in 0..600_u64 {
        let stage = Stage::Done(crate::flow::run::Ending::Completed);
        case(&scene.state, &format!("D{index}"), stage, (1, 1_000 + index)).await;
    }
    case(&scene.state, "X1", Stage::Place, (700, 5_000)).await;
    case(&scene.state, "X2", Stage::Items, (600, 5_001)).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(scene.looker.look(clock::now(), 3).view.waiting_since_ms);
    }
    assert_eq!(seen, [None, None, Some(600), Some(600)], "256 entries in a look");
    scene.tally.send_modify(|tally| tally.oldest_due_ms = Some(400));
    assert_eq!(scene.looker.look(clock::now(), 3).view.waiting_since_ms, Some(400));
}

#[tokio::test]
async fn a_clock_that_was_set_is_seen_and_one_that_runs_is_not() {
    let mut scene = scene();
    let begin = clock::now();
    let after = |mono_s: u64, wall_s: u64| Now {
        mono: begin.mono + Duration::from_secs(mono_s),
        wall: begin.wall + Duration::from_secs(wall_s),
    };
    let steps = [(0, 0, None), (10, 10, None), (20, 3_620, Some(3_600)), (30, 30, Some(-3_600))];
    for (mono_s, wall_s, want) in steps {
        let view = scene.looker.look(after(mono_s, wall_s), 3).view;
        assert_eq!(view.step.map(|step| step.by_s), want, "{mono_s} {wall_s}");
        let quiet_ms = view.now_ms - view.orders.last_ms.unwrap();
        assert!(quiet_ms <= 10_000, "a silence is counted from the jump on");
    }
}

#[tokio::test]
async fn what_was_turned_away_and_what_stands_still_is_passed_on() {
    let mut scene = scene();
    let now = clock::now();
    assert_eq!(scene.looker.look(now, 3).view.refused_ms, None);
    scene.refused.store(2, Ordering::Relaxed);
    scene.tally.send_modify(|tally| tally.fault = Some("why".to_owned()));
    let view = scene.looker.look(now, 3).view;
    assert_eq!(view.refused_ms, Some(now.unix_ms()));
    assert_eq!(view.standstill.as_deref(), Some("why"));
    scene.tally.send_modify(|tally| tally.orders = 1);
    let later = Now { mono: clock::now().mono, wall: now.wall + Duration::from_secs(9) };
    let view = scene.looker.look(later, 3).view;
    assert_eq!(
        (view.refused_ms, view.orders.last_ms),
        (Some(now.unix_ms()), Some(later.unix_ms()))
    );
}

#[tokio::test]
async fn our_own_certificate_is_read_and_its_absence_is_no_fault() {
    let mut scene = scene();
    assert_eq!(scene.looker.look(clock::now(), 3).view.certificates.len(), 1);
    crate::intake::tls::Config::house().server(scene.folder.path()).unwrap();
    scene.looker.own = None;
    let view = scene.looker.look(clock::now(), 3).view;
    let own = view.certificates.iter().find(|certificate| certificate.name == "own").unwrap();
    assert!(own.ends_ms > view.now_ms + 3_000 * 86_400_000, "ten years");
}

#[tokio::test]
async fn documents_that_could_not_be_used_are_found_once_and_with_the_time() {
    let mut scene = scene();
    let now = clock::now();
    let first = scene.looker.look(now, 1).view.unusable;
    assert_eq!(first, [Unusable { at_ms: now.unix_ms(), count: 2 }]);
    assert_eq!(scene.looker.look(clock::now(), 1).view.unusable, first, "not counted again");
}
