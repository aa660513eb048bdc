//! Stories of a whole state on a real disk, and a comparison with a map.

use super::*;
use crate::journal::store::{Row, Store};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs};
use tempfile::TempDir;

fn config(text: &str) -> Config {
    toml::from_str(&format!("free_bytes_min = 0\nballast_bytes = 0\n{text}")).unwrap()
}

fn put(key: &str, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..bytes).map(|_| random.u8(..)).collect()
}

fn everything(state: &State) -> BTreeMap<Vec<u8>, Vec<u8>> {
    state.scan(Vec::new()..vec![255; 8], usize::MAX).unwrap().into_iter().collect()
}

fn break_down(state: &State) {
    state.live.handle().store().unwrap().break_down();
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart_with_a_higher_epoch() {
    let folder = TempDir::new().unwrap();
    let long = noise(1, 100_000);
    let (state, committer) = State::open(folder.path(), &config("")).unwrap();
    assert_eq!(state.epoch(), Epoch(1));
    state.commit(put("order/1", b"CLAIMED")).await.unwrap();
    state.commit(put("order/2", &long)).await.unwrap();
    state.commit(put("order/3", b"")).await.unwrap();
    let mut batch = Batch::new();
    batch.delete("order/3").put("order/4", b"RECEIVED".as_slice());
    state.commit(batch).await.unwrap();
    committer.stop();
    assert!(matches!(state.commit(put("a", b"")).await, Err(StateError::Closed)));
    assert!(matches!(state.get(b"order/1"), Err(StateError::Closed)));

    let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
    assert_eq!(state.epoch(), Epoch(2));
    assert_eq!(state.get(b"order/1").unwrap().as_deref(), Some(&b"CLAIMED"[..]));
    assert_eq!(state.get(b"order/2").unwrap(), Some(long));
    assert_eq!(state.get(b"order/3").unwrap(), None);
    let keys: Vec<_> = state.scan(b"order/2".to_vec()..b"order/9".to_vec(), 9).unwrap();
    let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"order/2".to_vec(), b"order/4".to_vec()]);
    assert_eq!(state.scan(b"a".to_vec()..b"z".to_vec(), 2).unwrap().len(), 2);
    assert_eq!(state.scan(b"z".to_vec()..b"a".to_vec(), 2).unwrap().len(), 0);
}

#[tokio::test]
async fn of_many_who_expect_the_same_value_exactly_one_wins() {
    let folder = TempDir::new().unwrap();
    let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20_u8 {
        let state = state.clone();
        tasks.spawn(async move {
            let mut batch = Batch::new();
            batch
                .expect("claim", None)
                .put("claim", vec![number])
                .put(vec![b'x', number], b"".as_slice());
            state.commit(batch).await.map(|()| number)
        });
    }
    let mut winners = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            Ok(number) => winners.push(number),
            Err(StateError::Conflict { key }) => assert_eq!(key, b"claim"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(state.get(b"claim").unwrap(), Some(winners.clone()));
    assert_eq!(everything(&state).len(), 2, "losers leave nothing behind");
}

#[tokio::test]
async fn a_second_state_in_the_same_folder_is_refused_until_the_first_has_stopped() {
    let folder = TempDir::new().unwrap();
    let (_state, committer) = State::open(folder.path(), &config("")).unwrap();
    let second = State::open(folder.path(), &config(""));
    assert!(matches!(second, Err(StateError::Locked)), "{second:?}");
    committer.stop();
    assert_eq!(State::open(folder.path(), &config("")).unwrap().0.epoch(), Epoch(2));
}

#[tokio::test]
async fn an_older_epoch_is_refused() {
    let folder = TempDir::new().unwrap();
    let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
    state.commit(put("a", b"1")).await.unwrap();
    let newer = Row::Put(row::note_key("epoch"), 9_u64.to_be_bytes().to_vec());
    state.live.handle().store().unwrap().apply(vec![newer]).unwrap();
    let refused = state.commit(put("a", b"2")).await;
    assert!(matches!(refused, Err(StateError::Superseded)), "{refused:?}");
    assert_eq!(state.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_state_that_is_rewritten_over_and_over_stays_small() {
    let folder = TempDir::new().unwrap();
    let small = config("compact_bytes_min = 1048576\nhandle_bytes_max = 300000");
    let (state, committer) = State::open(folder.path(), &small).unwrap();
    let mut want = BTreeMap::new();
    for round in 0..300_u64 {
        let key = format!("order/{:03}", round % 10);
        let value = noise(round, 20_000);
        state.commit(put(&key, &value)).await.unwrap();
        want.insert(key.into_bytes(), value);
    }
    assert_eq!(everything(&state), want);
    committer.stop();
    let generation = fs::read_to_string(folder.path().join("CURRENT")).unwrap();
    assert!(generation.trim_end().parse::<u64>().unwrap() > 2, "{generation}");
    let db = folder.path().join(generation.trim_end()).join("db");
    assert!(fs::metadata(db).unwrap().len() < 6_000_000);
    let (state, _committer) = State::open(folder.path(), &small).unwrap();
    assert_eq!(everything(&state), want);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "lock, CURRENT, one generation");
}

#[tokio::test]
async fn a_succession_may_be_interrupted_between_any_two_steps() {
    for steps in 0..4 {
        let folder = TempDir::new().unwrap();
        let (state, committer) = State::open(folder.path(), &config("")).unwrap();
        for number in 0..30_u64 {
            state.commit(put(&format!("{number}"), &noise(number, 9_000))).await.unwrap();
        }
        let want = everything(&state);
        committer.stop();
        let old = Store::open(&folder.path().join(generation::name(1))).unwrap();
        if steps > 0 {
            drop(generation::copy(&old, folder.path(), 2).unwrap());
        }
        drop(old);
        if steps > 1 {
            generation::switch(folder.path(), 2).unwrap();
        }
        if steps > 2 {
            generation::remove(folder.path(), 1).unwrap();
        }
        let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
        assert_eq!(everything(&state), want, "after {steps} steps");
        assert_eq!(state.epoch(), Epoch(2), "after {steps} steps");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "after {steps} steps");
    }
}

#[tokio::test]
async fn after_a_failed_sync_the_batch_is_not_acknowledged_and_the_state_goes_on() {
    let folder = TempDir::new().unwrap();
    let (state, committer) = State::open(folder.path(), &config("")).unwrap();
    state.commit(put("a", b"1")).await.unwrap();
    break_down(&state);
    let failed = state.commit(put("b", b"2")).await;
    assert!(matches!(failed, Err(StateError::Store(_))), "{failed:?}");
    assert_eq!(state.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    state.commit(put("c", b"3")).await.unwrap();
    committer.stop();
    let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
    assert_eq!(state.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(state.get(b"c").unwrap().as_deref(), Some(&b"3"[..]));
}

#[tokio::test]
async fn damage_and_excess_are_named() {
    let folder = TempDir::new().unwrap();
    let (state, _committer) =
        State::open(folder.path(), &config("value_bytes_max = 20000")).unwrap();
    state.commit(put("good", b"1")).await.unwrap();
    state.commit(put("bad", &noise(1, 20_000))).await.unwrap();
    let lost = Row::Delete(row::piece_key(b"bad", 1));
    state.live.handle().store().unwrap().apply(vec![lost]).unwrap();
    let got = state.get(b"bad");
    assert!(matches!(&got, Err(StateError::Damaged { key }) if key == b"bad"), "{got:?}");
    assert!(state.get(b"good").unwrap().is_some());
    for batch in [put("a", &vec![0; 20_001]), put(&"k".repeat(257), b"")] {
        let got = state.commit(batch).await;
        assert!(matches!(got, Err(StateError::TooLarge { .. })), "{got:?}");
    }
}

/// One thing that may happen to a state.
#[derive(Clone, Debug)]
enum Act {
    Put(u8, usize),
    Delete(u8),
    Swap(u8, bool, usize),
    Fail,
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let length = prop_oneof![0..40_usize, 5_980..6_010_usize, 11_980..30_000_usize];
    let act = prop_oneof![
        6 => (0..12_u8, length.clone()).prop_map(|(key, len)| Act::Put(key, len)),
        2 => (0..12_u8).prop_map(Act::Delete),
        3 => (0..12_u8, any::<bool>(), length).prop_map(|(key, right, len)| Act::Swap(key, right, len)),
        1 => Just(Act::Fail),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..60)
}

async fn perform(folder: &Path, acts: Vec<Act>) {
    let small = config("compact_bytes_min = 1048576\nhandle_bytes_max = 262144");
    let (mut state, mut committer) = State::open(folder, &small).unwrap();
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (step, act) in (0_u64..).zip(acts) {
        let mut batch = Batch::new();
        match act {
            Act::Put(key, len) => {
                batch.put(vec![key], noise(step, len));
                state.commit(batch).await.unwrap();
                model.insert(vec![key], noise(step, len));
            }
            Act::Delete(key) => {
                batch.delete(vec![key]);
                state.commit(batch).await.unwrap();
                model.remove(&vec![key]);
            }
            Act::Swap(key, right, len) => {
                let wrong = b"never stored".to_vec();
                let old = if right { model.get(&vec![key]) } else { Some(&wrong) };
                batch.expect(vec![key], old.map(Vec::as_slice)).put(vec![key], noise(step, len));
                let done = state.commit(batch).await;
                assert_eq!(done.is_ok(), right, "{done:?}");
                if right {
                    model.insert(vec![key], noise(step, len));
                }
            }
            Act::Fail => {
                break_down(&state);
                batch.expect(b"nobody".as_slice(), None).put(b"limbo".as_slice(), vec![1]);
                // It succeeds where the worn handle was reopened just before.
                let failed = state.commit(batch).await;
                assert!(matches!(failed, Ok(()) | Err(StateError::Store(_))), "{failed:?}");
                let mut batch = Batch::new();
                batch.delete(b"limbo".as_slice());
                state.commit(batch).await.unwrap();
            }
            Act::Restart => {
                committer.stop();
                (state, committer) = State::open(folder, &small).unwrap();
            }
        }
        assert_eq!(everything(&state), model, "after step {step}");
    }
    drop(committer);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_is_a_map_whatever_happens_to_it(acts in acts()) {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(perform(folder.path(), acts));
    }
}
