//! Stories of a whole journal on a real disk.

mod damage;
mod torn;

use super::*;
use std::{collections::BTreeSet, fs, time::Duration};
use tempfile::TempDir;

fn config(text: &str) -> Config {
    toml::from_str(&format!("free_bytes_min = 0\n{text}")).unwrap()
}

fn event(number: usize, body_bytes: usize) -> NewEvent {
    let mut random = fastrand::Rng::with_seed(u64::try_from(number).unwrap());
    NewEvent {
        source: "xcart-webhook".to_owned(),
        topic: "order.updated".to_owned(),
        entity: format!("order/{number}"),
        delivery: [9; 32],
        received_ms: 1_700_000_000_000,
        body: (0..body_bytes).map(|_| random.u8(..)).collect(),
    }
}

fn same(stored: &Event, new: &NewEvent) -> bool {
    stored.entity == new.entity && stored.body == new.body && stored.delivery == new.delivery
}

fn read_all(journal: &Journal, from: u64) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let next = events.last().map_or(from, |event| event.seq.0 + 1);
        let more = journal.read(Seq(next), 50, 300_000).unwrap();
        if more.is_empty() {
            return events;
        }
        events.extend(more);
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came true: {what}");
}

#[tokio::test]
async fn what_was_appended_is_read_in_order_also_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let config = config("");
    let sizes = [0, 10, 5_900, 6_000, 6_001, 20_000, 300_000, 3];
    let news: Vec<_> = sizes.iter().enumerate().map(|(n, size)| event(n, *size)).collect();
    let (journal, committer) = Journal::open(folder.path(), &config).unwrap();
    for (number, new) in news.iter().enumerate() {
        let receipt = journal.append(new.clone()).await.unwrap();
        assert_eq!(receipt.seq(), Seq(u64::try_from(number).unwrap() + 1));
    }
    let check = |journal: &Journal| {
        let events = read_all(journal, 0);
        assert_eq!(events.len(), news.len());
        assert!(events.iter().zip(&news).all(|(stored, new)| same(stored, new)));
        assert_eq!(*journal.heads().borrow(), Seq(9));
    };
    check(&journal);
    committer.stop();
    assert!(matches!(journal.append(event(1, 1)).await, Err(JournalError::Closed)));
    assert!(matches!(journal.read(Seq(1), 1, 1), Err(JournalError::Closed)));
    let (again, committer) = Journal::open(folder.path(), &config).unwrap();
    check(&again);
    assert_eq!(again.append(event(9, 1)).await.unwrap().seq(), Seq(9));
    drop(committer);
}

#[tokio::test]
async fn a_read_keeps_to_both_limits_and_always_moves_on() {
    let folder = TempDir::new().unwrap();
    let (journal, _committer) = Journal::open(folder.path(), &config("")).unwrap();
    let news = (0..6).map(|number| event(number, 1_000)).collect();
    let _ = journal.append_all(news).await.unwrap();
    let table = [
        // from, events, bytes, what comes
        (1, 100, 1_000_000, vec![1, 2, 3, 4, 5, 6]),
        (1, 2, 1_000_000, vec![1, 2]),
        (4, 100, 2_000, vec![4, 5]),
        (4, 100, 2_999, vec![4, 5]),
        (4, 100, 1, vec![4]),
        (6, 100, 0, vec![6]),
        (7, 100, 1_000_000, vec![]),
        (1, 0, 1_000_000, vec![]),
    ];
    for (from, events_max, bytes_max, want) in table {
        let got = journal.read(Seq(from), events_max, bytes_max).unwrap();
        let got: Vec<_> = got.iter().map(|event| event.seq.0).collect();
        assert_eq!(got, want, "from {from}, {events_max} events, {bytes_max} bytes");
    }
}

#[tokio::test]
async fn full_segments_are_sealed_and_drained_ones_are_removed_as_folders() {
    let folder = TempDir::new().unwrap();
    let config = config("segment_bytes_max = 1048576\nhandle_bytes_max = 300000");
    let (journal, committer) = Journal::open(folder.path(), &config).unwrap();
    let news: Vec<_> = (0..400).map(|number| event(number, 9_000)).collect();
    for part in news.chunks(8) {
        let _ = journal.append_all(part.to_vec()).await.unwrap();
    }
    until("several segments", || journal.stats().segments >= 4).await;
    let events = read_all(&journal, 1);
    assert_eq!(events.len(), 400);
    assert!(events.iter().zip(&news).all(|(stored, new)| same(stored, new)));

    let before = journal.stats();
    journal.settle(Seq(200));
    until("a drained segment is gone", || journal.stats().segments < before.segments).await;
    until("all drained ones are gone", || !journal.shelf().has_drained(Seq(200))).await;
    let after = journal.stats();
    assert!(after.first > Seq(1) && after.first <= Seq(200), "{after:?}");
    assert!(after.bytes < before.bytes);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        after.segments + 3,
        "lock and numbers"
    );
    assert_eq!(read_all(&journal, 0).first().unwrap().seq, after.first);

    committer.stop();
    let (again, _committer) = Journal::open(folder.path(), &config).unwrap();
    assert_eq!(again.stats().next, Seq(401));
    assert_eq!(read_all(&again, 0).len(), usize::try_from(401 - after.first.0).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_get_dense_sequence_numbers_and_each_its_own() {
    let folder = TempDir::new().unwrap();
    let (journal, _committer) = Journal::open(folder.path(), &config("")).unwrap();
    let senders = (0..40).map(|sender| {
        let journal = journal.clone();
        async move {
            let mut got = Vec::new();
            for n in 0..5 {
                let number = sender * 5 + n;
                got.push((journal.append(event(number, 100)).await.unwrap().seq(), number));
            }
            got
        }
    });
    let mut tasks: tokio::task::JoinSet<_> = senders.collect();
    let mut all = BTreeSet::new();
    while let Some(got) = tasks.join_next().await {
        let got = got.unwrap();
        assert!(got.is_sorted(), "one sender's events keep their order: {got:?}");
        all.extend(got);
    }
    let events = read_all(&journal, 1);
    assert_eq!(events.len(), 200);
    for (event, (seq, number)) in events.iter().zip(&all) {
        assert_eq!((event.seq, &event.entity), (*seq, &format!("order/{number}")));
    }
}

#[tokio::test]
async fn a_full_queue_or_disk_is_told_and_nothing_is_lost_or_half_written() {
    let folder = TempDir::new().unwrap();
    let limits = config("queue_len_max = 2\nevent_bytes_max = 1000\nqueue_bytes_max = 70000");
    let (journal, committer) = Journal::open(folder.path(), &limits).unwrap();
    let large = journal.append(event(0, 1_001)).await;
    assert!(matches!(large, Err(JournalError::TooLarge { bytes: 1_001, bytes_max: 1_000 })));
    let many = (0..100).map(|number| event(number, 1_000)).collect();
    assert!(matches!(journal.append_all(many).await, Err(JournalError::TooLarge { .. })));

    let mut waiting: tokio::task::JoinSet<_> = (0..50)
        .map(|number| {
            let journal = journal.clone();
            async move { journal.append(event(number, 9)).await }
        })
        .collect();
    let (mut stored, mut full) = (0, 0);
    while let Some(got) = waiting.join_next().await {
        match got.unwrap() {
            Ok(_) => stored += 1,
            Err(JournalError::Full) => full += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(stored >= 2 && full >= 1, "{stored} stored, {full} refused");
    assert_eq!(read_all(&journal, 1).len(), stored);
    committer.stop();

    let floor = Config { free_bytes_min: Some(u64::MAX), ..limits };
    let (journal, _committer) = Journal::open(folder.path(), &floor).unwrap();
    assert!(matches!(journal.append(event(0, 1)).await, Err(JournalError::Full)));
    assert_eq!(read_all(&journal, 1).len(), stored);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_and_a_new_segment_begins() {
    let folder = TempDir::new().unwrap();
    let (journal, committer) = Journal::open(folder.path(), &config("")).unwrap();
    let break_down = || {
        let books = journal.shelf().books();
        books.newest.as_ref().unwrap().store.break_down();
    };
    // Before the first event of a segment, and after some.
    break_down();
    assert!(matches!(journal.append(event(1, 10)).await, Err(JournalError::Store(_))));
    for number in 1..4 {
        assert_eq!(
            journal.append(event(number, 10)).await.unwrap().seq().0,
            u64::try_from(number).unwrap()
        );
    }
    break_down();
    let failed = journal.append_all(vec![event(91, 10), event(92, 9_000)]).await;
    assert!(matches!(failed, Err(JournalError::Store(_))), "{failed:?}");
    assert_eq!(*journal.heads().borrow(), Seq(4));
    assert_eq!(
        read_all(&journal, 1).len(),
        3,
        "sealed segments are read as far as their seal says"
    );
    assert_eq!(journal.append(event(4, 10)).await.unwrap().seq(), Seq(4));
    let check = |journal: &Journal| {
        let entities: Vec<_> = read_all(journal, 1).into_iter().map(|e| e.entity).collect();
        assert_eq!(entities, ["order/1", "order/2", "order/3", "order/4"]);
    };
    check(&journal);
    assert_eq!(journal.stats().segments, 2);
    committer.stop();
    let (again, _committer) = Journal::open(folder.path(), &config("")).unwrap();
    check(&again);
}

#[tokio::test]
async fn a_second_journal_in_the_same_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_journal, _committer) = Journal::open(folder.path(), &config("")).unwrap();
    let second = Journal::open(folder.path(), &config(""));
    assert!(matches!(second, Err(JournalError::Store(StoreError::Locked))), "{second:?}");
}

#[tokio::test]
async fn leftovers_of_an_interrupted_run_are_swept() {
    let folder = TempDir::new().unwrap();
    let (journal, committer) = Journal::open(folder.path(), &config("")).unwrap();
    let _ = journal.append(event(1, 10)).await.unwrap();
    committer.stop();
    let segment = folder.path().join(segments::name(1));
    for leftover in ["new-00000000000000000002", "drained-00000000000000000000"] {
        fs::create_dir(folder.path().join(leftover)).unwrap();
        fs::write(folder.path().join(leftover).join("db"), b"half").unwrap();
    }
    fs::write(segment.join("snap.00000000000FFFFF.generating"), b"half").unwrap();
    let (again, _committer) = Journal::open(folder.path(), &config("")).unwrap();
    assert_eq!(read_all(&again, 1).len(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "lock, numbers and a segment");
}
