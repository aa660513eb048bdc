//! Stories of a whole state on a real disk, and a comparison with a map.

use super::*;
use crate::journal::{rows::Row, store::Store};
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
    state.live().handle().store().unwrap().break_down();
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
    state.live().handle().store().unwrap().apply(vec![newer]).unwrap();
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
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        5,
        "lock, CURRENT, epoch, head, generation"
    );
}

#[tokio::test]
async fn what_is_written_while_the_state_is_compacted_is_there_afterwards_and_after_a_kill() {
    const KEYS: u64 = 600;
    let (folder, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let small = config("compact_bytes_min = 1048576");
    let (state, committer) = State::open(folder.path(), &small).unwrap();
    let mut want = BTreeMap::new();
    // The file of long values stays as long when they become short.
    for number in 0..KEYS {
        let (key, value) = (format!("order/{number:03}"), noise(number, 12_000));
        state.commit(put(&key, &value)).await.unwrap();
        want.insert(key.into_bytes(), value);
    }
    let mut random = fastrand::Rng::with_seed(9);
    let mut meanwhile = 0;
    for round in 0..2_000_u64 {
        let mut batch = Batch::new();
        for _ in 0..4 {
            let key = format!("order/{:03}", random.u64(..KEYS));
            if random.u8(..) < 30 {
                batch.delete(key.as_bytes());
                want.remove(key.as_bytes());
            } else {
                let value = noise(random.u64(..), random.usize(0..1_500));
                batch.put(key.as_bytes(), value.clone());
                want.insert(key.into_bytes(), value);
            }
        }
        state.commit(batch).await.unwrap();
        if state.live().is_unfinished() {
            meanwhile += 1;
            if meanwhile == 4 {
                copy_folder(folder.path(), killed.path());
                let (copy, _committer) = State::open(killed.path(), &small).unwrap();
                assert_eq!(everything(&copy), want, "a kill in the middle of it, round {round}");
            }
        } else if meanwhile > 0 {
            break;
        }
    }
    assert!(meanwhile >= 4, "it was done in {meanwhile} steps");
    assert_eq!(everything(&state), want);
    committer.stop();
    let generation = fs::read_to_string(folder.path().join("CURRENT")).unwrap();
    assert!(generation.trim_end().parse::<u64>().unwrap() > 1, "{generation}");
    let (state, _committer) = State::open(folder.path(), &small).unwrap();
    assert_eq!(everything(&state), want);
}

#[tokio::test]
async fn a_state_whose_rows_take_much_more_than_they_hold_is_not_compacted_again_and_again() {
    let folder = TempDir::new().unwrap();
    let (state, committer) =
        State::open(folder.path(), &config("compact_bytes_min = 1048576")).unwrap();
    for round in 0..400_u64 {
        let mut batch = Batch::new();
        for number in 0..64 {
            batch.put((round * 64 + number).to_be_bytes(), b"".as_slice());
        }
        state.commit(batch).await.unwrap();
    }
    committer.stop();
    let generation = fs::read_to_string(folder.path().join("CURRENT")).unwrap();
    let generation: u32 = generation.trim_end().parse().unwrap();
    let bytes = fs::metadata(folder.path().join(format!("{generation:010}/db"))).unwrap().len();
    // Each doubles what the one before has left.
    assert!(generation <= 1 + (bytes >> 18).ilog2(), "{generation} generations, {bytes} bytes");
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
            drop(successor::copy_whole(folder.path(), 2, || Ok(old.clone())).unwrap());
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "after {steps} steps");
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
    state.live().handle().store().unwrap().apply(vec![lost]).unwrap();
    let got = state.get(b"bad");
    assert!(matches!(&got, Err(StateError::Damaged { key }) if key == b"bad"), "{got:?}");
    assert!(state.get(b"good").unwrap().is_some());
    for batch in [put("a", &vec![0; 20_001]), put(&"k".repeat(257), b"")] {
        let got = state.commit(batch).await;
        assert!(matches!(got, Err(StateError::TooLarge { .. })), "{got:?}");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A state as a kill leaves it, and every value that any of its keys ever had.
async fn killed() -> (TempDir, BTreeMap<Vec<u8>, Vec<Vec<u8>>>) {
    let (live, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (state, committer) =
        State::open(live.path(), &config("handle_bytes_max = 262144")).unwrap();
    let mut history: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..160_u64 {
        let key = format!("order/{:03}", random.u32(0..60));
        let value = noise(round, random.usize(0..14_000));
        state.commit(put(&key, &value)).await.unwrap();
        history.entry(key.into_bytes()).or_default().push(value);
    }
    copy_folder(live.path(), killed.path());
    drop(committer);
    (killed, history)
}

#[tokio::test]
async fn a_killed_state_is_whole_and_nothing_is_put_aside() {
    let (folder, history) = killed().await;
    let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
    let want: BTreeMap<_, _> =
        history.into_iter().map(|(key, mut values)| (key, values.pop().unwrap())).collect();
    assert_eq!(everything(&state), want);
    assert!(!folder.path().join("quarantine").exists());
    assert_eq!(state.epoch(), Epoch(2));
}

#[tokio::test]
async fn a_damaged_state_opens_with_every_value_that_can_be_read() {
    let (pristine, history) = killed().await;
    let mut random = fastrand::Rng::with_seed(8);
    let mut rescued = 0;
    for round in 0..24 {
        let folder = TempDir::new().unwrap();
        copy_folder(pristine.path(), folder.path());
        let place = folder.path().join(generation::name(1));
        let file = if round % 4 == 0 {
            let mut names = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
            names.find(|path| path.to_str().unwrap().contains("snap.")).unwrap()
        } else {
            place.join("db")
        };
        let mut bytes = fs::read(&file).unwrap();
        let at = random.usize(..bytes.len());
        bytes[at] ^= 1 << random.u8(..8);
        fs::write(&file, bytes).unwrap();
        let opened = State::open(folder.path(), &config(""));
        let (state, committer) = opened.unwrap_or_else(|error| panic!("{round}: {error:?}"));
        let was_rescued = folder.path().join("quarantine").exists();
        let mut there = 0;
        for (key, values) in &history {
            match state.get(key) {
                Ok(Some(value)) => {
                    assert!(values.contains(&value), "round {round}: a value nobody wrote");
                    there += 1;
                }
                Ok(None) => assert!(was_rescued, "round {round}: lost in silence"),
                // It shows when it is read.
                Err(StateError::Damaged { .. } | StateError::Store(_)) => {}
                Err(other) => panic!("round {round}: {other:?}"),
            }
        }
        assert!(there + 20 >= history.len(), "round {round}: {there} of {}", history.len());
        if was_rescued {
            rescued += 1;
            assert!(state.epoch().0 > writer::EPOCH_LEAP, "no epoch is used twice");
        }
        committer.stop();
    }
    assert!(rescued >= 6, "{rescued}");
}

#[tokio::test]
async fn a_state_whose_pointer_is_lost_is_not_begun_anew() {
    for damage in ["", "nonsense\n"] {
        let folder = TempDir::new().unwrap();
        let (state, committer) = State::open(folder.path(), &config("")).unwrap();
        state.commit(put("a", b"1")).await.unwrap();
        committer.stop();
        fs::write(folder.path().join("CURRENT"), damage).unwrap();
        if damage.is_empty() {
            fs::remove_file(folder.path().join("CURRENT")).unwrap();
        }
        let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
        assert_eq!(state.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    }
}

#[tokio::test]
async fn a_state_of_which_nothing_is_left_is_begun_anew_and_that_is_written_down() {
    for gone in ["db", "generation", "generation and pointer"] {
        let (folder, _) = killed().await;
        let place = folder.path().join(generation::name(1));
        match gone {
            "db" => fs::remove_file(place.join("db")).unwrap(),
            _ => fs::remove_dir_all(&place).unwrap(),
        }
        if gone.ends_with("pointer") {
            fs::remove_file(folder.path().join("CURRENT")).unwrap();
        }
        let (state, committer) = State::open(folder.path(), &config("")).unwrap();
        assert!(everything(&state).is_empty(), "{gone}");
        let epoch = state.epoch();
        assert!(epoch.0 > writer::EPOCH_LEAP, "{gone}: no epoch is used twice, {epoch:?}");
        state.commit(put("a", b"1")).await.unwrap();
        committer.stop();
        let mut aside = fs::read_dir(folder.path().join("quarantine")).unwrap();
        let report = aside.next().unwrap().unwrap().path().join("report");
        let report = fs::read_to_string(report).unwrap();
        assert!(report.contains("kept 0") && report.contains("nothing was left"), "{report}");
        let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
        assert_eq!(state.get(b"a").unwrap().as_deref(), Some(&b"1"[..]), "{gone}");
        assert_eq!(state.epoch().0, epoch.0 + 1, "{gone}");
        assert!(aside.next().is_none(), "{gone}: once");
    }
}

#[tokio::test]
async fn a_state_whose_small_files_are_gone_keeps_its_values() {
    for gone in ["conf", "blobs", "snap.", "all but db"] {
        let (folder, history) = killed().await;
        for entry in fs::read_dir(folder.path().join(generation::name(1))).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name != "db" && (name.starts_with(gone) || gone == "all but db") {
                if path.is_dir() {
                    fs::remove_dir_all(path).unwrap();
                } else {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        let (state, _committer) = State::open(folder.path(), &config("")).unwrap();
        let there = everything(&state);
        assert_eq!(there.len(), history.len(), "{gone}");
        for (key, value) in there {
            assert_eq!(history[&key].last(), Some(&value), "{gone}");
        }
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
