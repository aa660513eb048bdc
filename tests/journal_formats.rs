//! A journal of each released format lies in `journal_formats/` and stays readable.
//!
//! The folder of a new format is written by `write_a_journal`, once, at its release.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]

use causeway::journal::{Config, Event, Journal, JournalStats, NewEvent, Seq};
use std::{fs, path::Path};

/// Where to leave a journal for `journal_formats/`, when a format is released.
const WRITE_TO: &str = "CAUSEWAY_WRITE_FORMAT_TO";

/// A body of a length that matters, and no two alike.
fn body(number: u64) -> Vec<u8> {
    let length = match number % 5 {
        0 => 0,
        1 => 12,
        2 => 900,
        3 => 6_100,
        _ => 13_000,
    };
    if number.is_multiple_of(2) {
        return b"{\"orderNumber\":\"1042\"}".repeat(length / 22);
    }
    let mut random = fastrand::Rng::with_seed(number);
    (0..length).map(|_| random.u8(b'a'..b'i')).collect()
}

fn event(number: u64) -> NewEvent {
    NewEvent {
        source: "xcart-webhook".to_owned(),
        topic: "order.updated".to_owned(),
        entity: format!("order/{number} \u{e4}"),
        delivery: [u8::try_from(number % 256).unwrap(); 32],
        received_ms: 1_760_000_000_000 + number,
        body: body(number),
    }
}

fn stored(number: u64) -> Event {
    let NewEvent { source, topic, entity, delivery, received_ms, body } = event(number);
    Event { seq: Seq(number), source, topic, entity, delivery, received_ms, body }
}

fn config() -> Config {
    toml::from_str("free_bytes_min = 0\nsegment_bytes_max = 1048576").unwrap()
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

/// Writes what the fixtures hold: one sealed segment, and three events in an open one.
async fn write_a_journal(folder: &Path) {
    let (journal, committer) = Journal::open(folder, &config()).unwrap();
    let mut after = 0;
    let mut next = 1;
    while after < 3 {
        // Together, so that they share rows.
        let group = (next..next + 3).map(event).collect();
        let receipts = journal.append_all(group).await.unwrap();
        assert_eq!(receipts.last().unwrap().seq(), Seq(next + 2));
        next += 3;
        if journal.stats().segments > 1 {
            after += 1;
        }
    }
    committer.stop();
}

/// Reads all of a journal and returns the next sequence number.
fn check(folder: &Path) -> Seq {
    let (journal, committer) = Journal::open(folder, &config()).unwrap();
    let events = journal.read(Seq(1), usize::MAX, usize::MAX).unwrap();
    for (number, event) in (1..).zip(&events) {
        assert_eq!(*event, stored(number), "event {number}");
    }
    let JournalStats { first, next, segments, bytes: _ } = journal.stats();
    assert_eq!(first, Seq(1));
    // A segment of an older format is not written on; it is followed by one of this.
    assert!((2..=3).contains(&segments), "{segments} segments");
    assert_eq!(u64::try_from(events.len()).unwrap() + 1, next.0);
    committer.stop();
    next
}

#[tokio::test]
async fn a_journal_of_each_released_format_is_read_and_written_on() {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal_formats");
    let mut seen = 0;
    for format in fs::read_dir(formats).unwrap() {
        let format = format.unwrap().path();
        let folder = tempfile::tempdir().unwrap();
        copy(&format, folder.path());
        let next = check(folder.path());
        let (journal, committer) = Journal::open(folder.path(), &config()).unwrap();
        assert_eq!(journal.append(event(next.0)).await.unwrap().seq(), next, "{format:?}");
        committer.stop();
        check(folder.path());
        seen += 1;
    }
    assert!(seen >= 1, "no format has a fixture");
}

#[tokio::test]
async fn what_this_version_writes_is_what_the_fixtures_hold() {
    let folder = tempfile::tempdir().unwrap();
    write_a_journal(folder.path()).await;
    check(folder.path());
    if let Some(target) = std::env::var_os(WRITE_TO) {
        copy(folder.path(), Path::new(&target));
    }
}
