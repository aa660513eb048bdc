//! Back-ups under load, restored elsewhere, and what must be refused.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]

use causeway::{
    backup::{self, BackupError},
    journal::{self, Journal, NewEvent, Seq},
    state::{self, Batch, Epoch, State},
};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

const SEGMENT_BYTES_MAX: u64 = 1024 * 1024;

fn journal_config() -> journal::Config {
    toml::from_str("free_bytes_min = 0\nsegment_bytes_max = 1048576").unwrap()
}

fn state_config() -> state::Config {
    toml::from_str("free_bytes_min = 0\nballast_bytes = 0\nhandle_bytes_max = 262144").unwrap()
}

fn event(number: u64) -> NewEvent {
    let mut random = fastrand::Rng::with_seed(number);
    NewEvent {
        source: "xcart-webhook".to_owned(),
        topic: "order.created".to_owned(),
        entity: number.to_string(),
        delivery: [1; 32],
        received_ms: number,
        body: (0..number % 5 * 2_500).map(|_| random.u8(..)).collect(),
    }
}

struct Stores {
    journal: Journal,
    state: State,
    committers: (journal::Committer, state::Committer),
}

fn open(folder: &Path) -> Stores {
    let (state, of_state) = State::open(&folder.join("state"), &state_config()).unwrap();
    let (journal, of_journal) = Journal::open(&folder.join("journal"), &journal_config()).unwrap();
    Stores { journal, state, committers: (of_journal, of_state) }
}

/// Appends an event, then commits a cursor behind it, as a consumer would.
async fn step(stores: &Stores) -> u64 {
    let number = stores.journal.heads().borrow().0;
    let seq = stores.journal.append(event(number)).await.unwrap().seq().0;
    let mut batch = Batch::new();
    batch.put(b"cursor".as_slice(), (seq + 1).to_be_bytes());
    batch.put([b"order/".as_slice(), &seq.to_be_bytes()].concat(), event(seq).body);
    stores.state.commit(batch).await.unwrap();
    seq
}

fn cursor(stores: &Stores) -> u64 {
    let cursor = stores.state.get(b"cursor").unwrap().unwrap();
    u64::from_be_bytes(cursor.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_up_under_load_holds_everything_acknowledged_before_it_and_no_cursor_ahead() {
    let (live, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stores = Arc::new(open(live.path()));
    for _ in 0..120 {
        step(&stores).await;
    }
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut load = tokio::task::JoinSet::new();
    let (busy, stop, count) = (Arc::clone(&stores), Arc::clone(&over), Arc::clone(&done));
    load.spawn(async move {
        while !stop.load(Ordering::SeqCst) {
            let seq = step(&busy).await;
            busy.journal.settle(Seq(seq));
            count.store(seq, Ordering::SeqCst);
        }
    });
    let file = other.path().join("one.backup");
    let before = stores.journal.heads().borrow().0;
    let (state, journal, target) = (stores.state.clone(), stores.journal.clone(), file.clone());
    let written = tokio::task::spawn_blocking(move || backup::write(&state, &journal, &target));
    let contents = written.await.unwrap().unwrap();
    over.store(true, Ordering::SeqCst);
    while load.join_next().await.is_some() {}
    assert!(done.load(Ordering::SeqCst) > before, "the load went on meanwhile");
    assert!(contents.next >= before);
    assert_eq!(backup::check(&file).unwrap(), contents);

    let place = other.path().join("restored");
    fs::create_dir(&place).unwrap();
    let epoch = stores.state.epoch();
    assert_eq!(backup::restore(&file, &place, SEGMENT_BYTES_MAX).unwrap(), contents);
    let restored = open(&place);
    assert!(restored.state.epoch() > Epoch(epoch.0 + (1 << 20)), "no epoch is used twice");
    let cursor = cursor(&restored);
    assert!(cursor >= before && cursor <= contents.next, "{cursor} {contents:?}");
    for seq in before.saturating_sub(50).max(1)..cursor {
        let key = [b"order/".as_slice(), &seq.to_be_bytes()].concat();
        assert_eq!(restored.state.get(&key).unwrap(), Some(event(seq).body), "{seq}");
    }
    let first = restored.journal.stats().first.0;
    let mut from = first;
    while from < contents.next {
        for stored in restored.journal.read(Seq(from), 50, 500_000).unwrap() {
            assert_eq!((stored.seq, stored.body), (Seq(from), event(from).body));
            from += 1;
        }
    }
    let next = restored.journal.append(event(1)).await.unwrap().seq().0;
    assert!(next > done.load(Ordering::SeqCst), "no number of the other life is used again");
    assert_eq!(restored.journal.read(Seq(from), 9, 9_000).unwrap().len(), 1);
    restored.committers.0.stop();
    restored.committers.1.stop();
}

#[tokio::test]
async fn what_is_not_whole_or_not_empty_is_refused_and_nothing_is_left_behind() {
    let (live, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stores = open(live.path());
    for _ in 0..20 {
        step(&stores).await;
    }
    let contents = backup::write(&stores.state, &stores.journal, other.path()).unwrap();
    assert!(contents.file.extension().is_some_and(|extension| extension == "backup"));
    let again = backup::write(&stores.state, &stores.journal, &contents.file);
    assert!(
        matches!(again, Err(BackupError::Io { .. })),
        "a file is never written over: {again:?}"
    );
    let refused = backup::restore(&contents.file, live.path(), SEGMENT_BYTES_MAX);
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))), "{refused:?}");

    let bytes = fs::read(&contents.file).unwrap();
    let place = other.path().join("restored");
    fs::create_dir(&place).unwrap();
    let bad = other.path().join("bad");
    let mut random = fastrand::Rng::with_seed(4);
    for round in 0..60 {
        let mut altered = bytes.clone();
        if round % 3 == 0 {
            altered.truncate(random.usize(..bytes.len()));
        } else {
            altered[random.usize(..bytes.len())] ^= 1 << random.u8(..8);
        }
        fs::write(&bad, altered).unwrap();
        let refused = backup::restore(&bad, &place, SEGMENT_BYTES_MAX);
        let named = matches!(refused, Err(BackupError::NotABackup(_) | BackupError::Journal(_)));
        assert!(named, "round {round}: {refused:?}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "round {round}");
    }
    backup::restore(&contents.file, &place, SEGMENT_BYTES_MAX).unwrap();
    assert_eq!(fs::read_dir(&place).unwrap().count(), 2, "journal and state");
}

/// A back-up of each released form lies in `backup_formats/` and stays readable.
#[tokio::test]
async fn a_back_up_of_each_released_form_is_restored() {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backup_formats");
    let mut seen = 0;
    for format in fs::read_dir(formats).unwrap() {
        let place = tempfile::tempdir().unwrap();
        let file = format.unwrap().path();
        let contents = backup::restore(&file, place.path(), SEGMENT_BYTES_MAX).unwrap();
        let restored = open(place.path());
        let events = restored.journal.read(Seq(1), usize::MAX, usize::MAX).unwrap();
        assert_eq!(u64::try_from(events.len()).unwrap(), contents.events, "{file:?}");
        for stored in events {
            assert_eq!(stored.body, event(stored.seq.0).body, "{file:?}");
        }
        assert_eq!(cursor(&restored), contents.next);
        seen += 1;
    }
    assert!(seen >= 1, "no form has a sample");
}

/// Where to leave a back-up for `backup_formats/`, when a form is released.
#[tokio::test]
async fn what_this_version_writes_can_become_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    let stores = open(folder.path());
    for _ in 0..15 {
        step(&stores).await;
    }
    let file = std::env::var_os("CAUSEWAY_WRITE_BACKUP_TO");
    let file = file.map_or_else(|| folder.path().join("sample"), Into::into);
    let contents = backup::write(&stores.state, &stores.journal, &file).unwrap();
    assert_eq!((contents.values, contents.events, contents.next), (16, 15, 16));
}
