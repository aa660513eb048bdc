//! The commands around the journal, with the real program and its look in a child.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]

use causeway::journal::{self, Journal, NewEvent};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

const EVENTS: u64 = 300;

fn event(number: u64) -> NewEvent {
    let mut random = fastrand::Rng::with_seed(number);
    NewEvent {
        source: "shop".to_owned(),
        topic: "order.updated".to_owned(),
        entity: format!("id:{number}"),
        delivery: [7; 32],
        received_ms: number,
        body: (0..5_000).map(|_| random.u8(..)).collect(),
    }
}

/// A configuration of a gateway that has a state folder and nothing else.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state_dir");
        fs::create_dir(&state_dir).unwrap();
        fs::set_permissions(&state_dir, fs::Permissions::from_mode(0o700)).unwrap();
        let text = format!(
            "state_dir = {state_dir:?}\n[journal]\nfree_bytes_min = 0\nsegment_bytes_max = 1048576\n\
             [state]\nfree_bytes_min = 0\nballast_bytes = 1048576\n"
        );
        fs::write(folder.path().join("causeway.toml"), text).unwrap();
        Self { folder }
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state_dir")
    }

    async fn fill(&self) {
        let config: journal::Config =
            toml::from_str("free_bytes_min = 0\nsegment_bytes_max = 1048576").unwrap();
        let (journal, committer) =
            Journal::open(&self.state_dir().join("journal"), &config).unwrap();
        for first in (1..=EVENTS).step_by(10) {
            let _ = journal.append_all((first..first + 10).map(event).collect()).await.unwrap();
        }
        committer.stop();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(arguments)
            .arg("--config")
            .arg(self.folder.path().join("causeway.toml"))
            .output()
            .unwrap()
    }

    /// Starts the gateway and waits until it can be asked.
    fn start(&self) -> Child {
        let socket = self.state_dir().join("control.sock");
        let _ = fs::remove_file(&socket);
        let mut child = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(["gateway", "--config"])
            .arg(self.folder.path().join("causeway.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..6_000 {
            if socket.exists() {
                return child;
            }
            assert!(child.try_wait().unwrap().is_none(), "the gateway ended by itself");
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the gateway never came up");
    }
}

fn segments(site: &Site) -> Vec<PathBuf> {
    let entries = fs::read_dir(site.state_dir().join("journal")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("db").exists());
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    paths
}

fn findings(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Spoils the body of an event on the disk; every copy of it.
fn spoil(db: &Path, number: u64) {
    let mut bytes = fs::read(db).unwrap();
    let body = event(number).body;
    let needle = body.get(100..140).unwrap();
    let mut found = 0;
    for at in 0..bytes.len() - needle.len() {
        if &bytes[at..at + needle.len()] == needle {
            bytes[at] ^= 0x40;
            found += 1;
        }
    }
    assert!(found > 0, "the body lies there as it is");
    fs::write(db, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_disk_can_be_shown_checked_saved_and_brought_back() {
    let site = Site::new();
    site.fill().await;
    let mut gateway = site.start();
    let busy = site.run(&["journal", "verify"]);
    assert_eq!(busy.status.code(), Some(75), "{busy:?}");
    let file = site.folder.path().join("one.backup");
    let saved = site.run(&["backup", file.to_str().unwrap()]);
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    gateway.kill().unwrap();
    gateway.wait().unwrap();

    let whole = site.run(&["journal", "verify", "--json"]);
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stdout));
    assert_eq!(findings(&whole)["events"], EVENTS);
    let body = site.run(&["journal", "show", "117", "--body"]);
    assert_eq!(body.stdout, event(117).body);
    let lines = site.run(&["journal", "export", "--from", "11", "--to", "20"]).stdout;
    let lines = String::from_utf8(lines).unwrap();
    let numbers: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (11..=20).collect::<Vec<_>>());

    let all = segments(&site);
    spoil(&all[0].join("db"), 40);
    let newest = all.last().unwrap();
    let snapshot = fs::read_dir(newest).unwrap().map(|entry| entry.unwrap().path());
    let is_snapshot = |path: &PathBuf| path.to_str().unwrap().contains("snap.");
    fs::write(snapshot.into_iter().find(is_snapshot).unwrap(), b"nonsense").unwrap();
    let damaged = site.run(&["journal", "verify", "--json"]);
    assert_eq!(damaged.status.code(), Some(1));
    let found = findings(&damaged);
    // A page of the database holds up to 16 events, and falls as one.
    let missing = found["missing"].as_u64().unwrap();
    assert!((1..=16).contains(&missing), "{found}");
    let ranges = found["segments"][0]["missing"].as_array().unwrap().clone();
    let holds = |range: &Value| (range[0].as_u64()..=range[1].as_u64()).contains(&Some(40));
    assert!(ranges.iter().any(holds), "{ranges:?}");

    // The newest is rescued at the start; the other one when somebody reads it.
    let mut gateway = site.start();
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(site.state_dir().join("journal/quarantine").exists());
    let rescued = findings(&site.run(&["journal", "verify", "--json"]));
    let want = (&(EVENTS - missing).into(), &missing.into());
    assert_eq!((&rescued["events"], &rescued["missing"]), want);

    let other = Site::new();
    let refused = site.run(&["restore", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(74), "there is a state already");
    let restored = other.run(&["restore", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let found = findings(&other.run(&["journal", "verify", "--json"]));
    assert_eq!((&found["events"], &found["whole"]), (&EVENTS.into(), &true.into()));
}
