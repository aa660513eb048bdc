//! A damaged journal opens, serves the rest, and names exactly what is gone.

use super::*;
use crate::journal::losses::Fate;
use std::fs::File;

const EVENTS: usize = 150;

fn small() -> Config {
    config("segment_bytes_max = 1048576\nhandle_bytes_max = 262144")
}

fn news() -> Vec<NewEvent> {
    (1..=EVENTS).map(|number| event(number, number % 7 * 1_900)).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A journal as a kill leaves it: several sealed segments and an open one, nothing closed.
async fn killed() -> TempDir {
    let (live, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (journal, committer) = Journal::open(live.path(), &small()).unwrap();
    for part in news().chunks(5) {
        let _ = journal.append_all(part.to_vec()).await.unwrap();
    }
    until("several segments", || journal.stats().segments >= 3).await;
    copy(live.path(), killed.path());
    drop(committer);
    killed
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let found = segments::list(folder).unwrap();
    let firsts = found.sealed.keys().copied().chain(found.newest);
    firsts.map(|first| folder.join(segments::name(first))).collect()
}

/// Reads everything, and waits for rescues where they are needed.
async fn served(journal: &Journal) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..4_000 {
        let next = events.last().map_or(1, |event| event.seq.0 + 1);
        match journal.read(Seq(next), 50, 300_000) {
            Ok(more) if more.is_empty() => return events,
            Ok(more) => events.extend(more),
            Err(JournalError::Damaged { .. } | JournalError::Unavailable) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(JournalError::Store(error)) if error.is_damage() => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("the rest is never served; {:?}", journal.condition());
}

fn lost(journal: &Journal) -> BTreeSet<u64> {
    let lost = journal.losses().into_iter().filter(|loss| loss.fate == Fate::Lost);
    lost.flat_map(|loss| loss.first..=loss.last).collect()
}

/// Opens a damaged journal and checks that every event is either as it was or recorded as lost, that
/// new ones get new numbers, and that a second opening sees the same. Returns what is lost.
async fn rest_is_served(folder: &Path, what: &str) -> BTreeSet<u64> {
    let news = news();
    let (journal, committer) =
        Journal::open(folder, &small()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let events = served(&journal).await;
    for event in &events {
        let new = &news[usize::try_from(event.seq.0).unwrap() - 1];
        assert!(same(event, new), "{what}: {:?} is another one", event.seq);
    }
    let gone = lost(&journal);
    let there: BTreeSet<u64> = events.iter().map(|event| event.seq.0).collect();
    assert_eq!(there.len(), events.len(), "{what}: one came twice");
    assert!(there.is_disjoint(&gone), "{what}: what is there is not lost");
    let all: BTreeSet<u64> = there.union(&gone).copied().collect();
    let want: BTreeSet<u64> = (1..=u64::try_from(EVENTS).unwrap()).collect();
    assert_eq!(all, want, "{what}: each is there or recorded");
    let receipt = journal.append(event(9, 100)).await.unwrap();
    assert!(receipt.seq().0 > u64::try_from(EVENTS).unwrap(), "{what}: {receipt:?}");
    committer.stop();
    let (journal, _committer) = Journal::open(folder, &small()).unwrap();
    let again = served(&journal).await;
    assert_eq!(again.len(), events.len() + 1, "{what}: after another start");
    assert_eq!(lost(&journal), gone, "{what}: after another start");
    assert_eq!(journal.condition().suspects, 0);
    gone
}

#[tokio::test]
async fn an_undamaged_journal_that_was_killed_lacks_nothing_and_puts_nothing_aside() {
    let folder = killed().await;
    assert_eq!(rest_is_served(folder.path(), "whole").await, BTreeSet::new());
    assert!(!folder.path().join("quarantine").exists());
}

#[tokio::test]
async fn flipped_bits_anywhere_cost_at_most_what_they_hit() {
    let pristine = killed().await;
    let mut random = fastrand::Rng::with_seed(23);
    let mut losses = Vec::new();
    let mut rescued = 0;
    for round in 0..24 {
        let folder = TempDir::new().unwrap();
        copy(pristine.path(), folder.path());
        let segments = folders(folder.path());
        let place = segments[random.usize(..segments.len())].join("db");
        let mut bytes = fs::read(&place).unwrap();
        let at = random.usize(..bytes.len());
        bytes[at] ^= 1 << random.u8(..8);
        fs::write(&place, bytes).unwrap();
        let what = format!("round {round}: {} at {at}", place.display());
        losses.push(rest_is_served(folder.path(), &what).await.len());
        rescued += rescue::aside(folder.path());
    }
    assert!(rescued > 3, "{rescued} of 24 hit something that is in use");
    assert!(losses.iter().all(|lost| *lost <= 20), "{losses:?}");
}

type Act<'a> = (&'a str, &'a dyn Fn(&Path));

#[tokio::test]
async fn files_that_are_cut_emptied_or_gone_are_rescued_as_far_as_they_go() {
    let pristine = killed().await;
    let count = folders(pristine.path()).len();
    let cut = |path: &Path| {
        let length = fs::metadata(path).unwrap().len();
        File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
    };
    let empty = |path: &Path| fs::write(path, b"").unwrap();
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let spoil = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let acts: [Act<'_>; 4] =
        [("cut", &cut), ("emptied", &empty), ("removed", &remove), ("spoilt", &spoil)];
    for segment in 0..count {
        for file in ["db", "conf", "snap.", "sealed"] {
            for (name, act) in &acts {
                let folder = TempDir::new().unwrap();
                copy(pristine.path(), folder.path());
                let place = folders(folder.path())[segment].clone();
                let entries = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
                let hit =
                    |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(file);
                let Some(path) = entries.into_iter().find(hit) else { continue };
                act(&path);
                let what = format!("segment {segment}: {file} {name}");
                let gone = rest_is_served(folder.path(), &what).await;
                if file != "db" {
                    assert_eq!(gone, BTreeSet::new(), "{what}: the events are in db");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_segment_that_is_gone_is_lost_and_named() {
    let pristine = killed().await;
    let found = segments::list(pristine.path()).unwrap();
    let newest = found.newest.unwrap();
    for first in found.sealed.keys().copied().chain([newest]) {
        let folder = TempDir::new().unwrap();
        copy(pristine.path(), folder.path());
        fs::remove_dir_all(folder.path().join(segments::name(first))).unwrap();
        let held = found
            .sealed
            .get(&first)
            .map_or(u64::try_from(EVENTS).unwrap(), |manifest| manifest.last);
        // Below the oldest that is there only the consumer's cursor tells what should be.
        if first == 1 {
            let opening = Opening { taken: Some(Seq(1)), ..Opening::default() };
            let (journal, committer) =
                Journal::open_with(folder.path(), &small(), opening).unwrap();
            assert_eq!(lost(&journal), (1..=held).collect());
            committer.stop();
        } else {
            let gone = rest_is_served(folder.path(), &format!("without {first}")).await;
            assert_eq!(gone, (first..=held).collect());
        }
    }
}

#[tokio::test]
async fn a_number_that_was_taken_is_never_used_again_by_a_journal_that_begins_anew() {
    let folder = TempDir::new().unwrap();
    let opening = Opening { taken: Some(Seq(500)), ..Opening::default() };
    let (journal, committer) = Journal::open_with(folder.path(), &small(), opening).unwrap();
    let seq = journal.append(event(1, 10)).await.unwrap().seq();
    assert!(seq.0 >= 500, "{seq:?}");
    assert_eq!(lost(&journal), BTreeSet::new(), "what was taken is not lost");
    assert_eq!(journal.read(Seq(500), 9, 9_000).unwrap().len(), 1);
    committer.stop();
}

#[tokio::test]
async fn damage_that_shows_while_running_is_rescued_while_running() {
    let folder = TempDir::new().unwrap();
    let (journal, committer) = Journal::open(folder.path(), &small()).unwrap();
    for part in news().chunks(5) {
        let _ = journal.append_all(part.to_vec()).await.unwrap();
    }
    until("several segments", || journal.stats().segments >= 3).await;
    // The row that begins with this record, and the number after its last.
    let row = |store: &store::Store, seq: u64| {
        let is_it = |key: &[u8], value: &[u8]| {
            rows::read(key, value).is_some_and(|piece| (piece.seq.0, piece.piece) == (seq, 0))
        };
        let (key, value) = store.last_where(Vec::new()..finder::end_key(), is_it).unwrap()?;
        let end = rows::read(&key, &value).unwrap().end();
        Some((key, end))
    };
    let spoil = |store: &store::Store, seq: u64| {
        let (key, _) = row(store, seq).unwrap();
        let value = [rows::key(Seq(seq), 0), vec![1; 40]].concat();
        store.apply(vec![rows::Row::Put(key, value)]).unwrap();
        store.sync().unwrap();
    };
    // In the newest, which is open, and in the oldest, which is not.
    let mut last = u64::try_from(EVENTS).unwrap();
    loop {
        last += 1;
        let _ = journal.append(event(usize::try_from(last).unwrap(), 10)).await.unwrap();
        let books = journal.shelf().books();
        let newest = books.newest.as_ref().unwrap();
        if newest.first <= last {
            spoil(&newest.store, last);
            break;
        }
    }
    let oldest = store::Store::open(&folder.path().join(segments::name(1))).unwrap();
    let end_of = |first: &u64| row(&oldest, *first).map(|(_, end)| end);
    let shared = |first: &u64| end_of(first).is_some_and(|end| end > first + 1);
    let first = (2..60).find(shared).unwrap();
    let end = end_of(&first).unwrap();
    spoil(&oldest, first);
    drop(oldest);
    let events = served(&journal).await;
    let gone: BTreeSet<u64> = (first..end).chain([last]).collect();
    assert_eq!(events.len(), usize::try_from(last).unwrap() - gone.len());
    assert_eq!(lost(&journal), gone);
    let condition = journal.condition();
    let count = u64::try_from(gone.len()).unwrap();
    assert_eq!((condition.lost, condition.aside, condition.suspects), (count, 2, 0));
    let receipt = journal.append(event(1, 100)).await.unwrap();
    assert_eq!(receipt.seq(), Seq(last + 1), "the end of the newest was known");
    committer.stop();
}

#[tokio::test]
async fn a_rescue_that_was_interrupted_is_done_again() {
    let pristine = killed().await;
    let folder = TempDir::new().unwrap();
    copy(pristine.path(), folder.path());
    let manifest = *segments::list(folder.path()).unwrap().sealed.values().next().unwrap();
    let end = manifest.last + 1;
    let why = "a test".to_owned();
    let order = rescue::Order { first: 1, end: Some(end), acknowledged: end, why };
    rescue::set_aside(folder.path(), &order).unwrap();
    assert_eq!(rest_is_served(folder.path(), "put aside only").await, BTreeSet::new());
}
