//! Kills a writing process with SIGKILL, again and again, and looks for what it had acknowledged.
//!
//! The test program starts itself a second time; that child writes and prints a line for each
//! acknowledgement, and the parent kills it in the middle.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]

use causeway::{
    journal::{self, Journal, NewEvent, Seq},
    state::{self, Batch, Epoch, State},
};
use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

const FOLDER: &str = "CAUSEWAY_KILL_TEST_FOLDER";
const ROUNDS: u64 = 6;

fn event(number: u64) -> NewEvent {
    let body_bytes = usize::try_from(number % 7 * 2_500).unwrap();
    let mut random = fastrand::Rng::with_seed(number);
    NewEvent {
        source: "xcart-webhook".to_owned(),
        topic: "order.created".to_owned(),
        entity: number.to_string(),
        delivery: [1; 32],
        received_ms: number,
        body: (0..body_bytes).map(|_| random.u8(..)).collect(),
    }
}

fn journal_config() -> journal::Config {
    let text = "free_bytes_min = 0\nsegment_bytes_max = 1048576\nhandle_bytes_max = 262144";
    toml::from_str(text).unwrap()
}

fn state_config() -> state::Config {
    let text = "free_bytes_min = 0\ncompact_bytes_min = 1048576\nhandle_bytes_max = 262144";
    toml::from_str(text).unwrap()
}

/// Writes until killed; says on its output what was acknowledged.
#[tokio::main(flavor = "current_thread")]
async fn write_for_ever(folder: &Path) {
    let (journal, _committer) = Journal::open(&folder.join("journal"), &journal_config()).unwrap();
    let (state, _state_committer) = State::open(&folder.join("state"), &state_config()).unwrap();
    let mut out = std::io::stderr();
    loop {
        let next = journal.heads().borrow().0;
        let receipts = journal.append_all((next..next + 5).map(event).collect()).await.unwrap();
        let last = receipts.last().unwrap().seq().0;
        let mut batch = Batch::new();
        let body = event(last).body;
        batch
            .put(b"last".as_slice(), last.to_be_bytes())
            .put([b"k".as_slice(), &[u8::try_from(last % 9).unwrap()]].concat(), body);
        state.commit(batch).await.unwrap();
        writeln!(out, "\nacknowledged {last}").unwrap();
    }
}

/// Starts a writer, kills it after `lines` acknowledgements, and returns the last one it printed.
fn run_and_kill(folder: &Path, lines: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_acknowledged_is_lost_when_the_process_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stderr.take().unwrap());
    let mut acknowledged = 0;
    let mut seen = 0;
    for line in output.lines() {
        let line = line.unwrap();
        let Some(number) = line.strip_prefix("acknowledged ") else { continue };
        acknowledged = number.parse().unwrap();
        seen += 1;
        if seen == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= lines, "the writer ended by itself after {seen} acknowledgements");
    acknowledged
}

fn check(folder: &Path, acknowledged: u64, epoch: Epoch) {
    let (journal, committer) = Journal::open(&folder.join("journal"), &journal_config()).unwrap();
    let next = journal.stats().next.0;
    assert!(next > acknowledged, "acknowledged up to {acknowledged}, next is {next}");
    assert_eq!(next % 5, 1, "a batch is there whole or not at all");
    let mut from = 1;
    while from < next {
        for stored in journal.read(Seq(from), 64, 1 << 20).unwrap() {
            assert_eq!(stored.seq, Seq(from));
            assert_eq!((stored.entity, stored.body), (from.to_string(), event(from).body));
            from += 1;
        }
    }
    committer.stop();
    let (state, committer) = State::open(&folder.join("state"), &state_config()).unwrap();
    assert_eq!(state.epoch(), epoch);
    let last = state.get(b"last").unwrap().unwrap();
    let last = u64::from_be_bytes(last.try_into().unwrap());
    assert!(last >= acknowledged, "acknowledged {acknowledged}, the state knows {last}");
    let key = [b"k".as_slice(), &[u8::try_from(last % 9).unwrap()]].concat();
    assert_eq!(state.get(&key).unwrap(), Some(event(last).body));
    committer.stop();
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write_for_ever(Path::new(OsStr::new(&folder)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill(folder.path(), 3 + round * 17);
        check(folder.path(), acknowledged, Epoch(round * 2 + 2));
    }
}
