//! A state of each form lies in `state_formats/` and stays readable. `v1` has neither marks nor numbers nor
//! the epoch beside the database; it was written by the program as of commit 3a56038.
//!
//! The folder of a new form is written by `what_this_version_writes_can_become_a_sample`, once, at its
//! release.

#![expect(clippy::unwrap_used, reason = "a test helper may fail by panicking")]

use causeway::state::{Batch, Config, State};
use std::{fs, path::Path};

const VALUES: u64 = 40;

fn config() -> Config {
    toml::from_str("free_bytes_min = 0\nballast_bytes = 0").unwrap()
}

fn value(number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    (0..number % 5 * 3_100).map(|_| random.u8(..)).collect()
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

fn check(folder: &Path) {
    let (state, committer) = State::open(folder, &config()).unwrap();
    assert!(state.epoch().0 >= 2, "an epoch is never used twice");
    for number in 0..VALUES {
        let want = (number % 7 != 3).then(|| value(number));
        assert_eq!(state.get(format!("run/{number}").as_bytes()).unwrap(), want, "{number}");
    }
    assert!(!folder.join("quarantine").exists());
    committer.stop();
}

#[test]
fn a_state_of_each_released_form_is_read() {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state_formats");
    let mut seen = 0;
    for format in fs::read_dir(formats).unwrap() {
        let folder = tempfile::tempdir().unwrap();
        copy(&format.unwrap().path(), folder.path());
        check(folder.path());
        check(folder.path());
        seen += 1;
    }
    assert_eq!(seen, 2, "each form has a sample");
}

#[tokio::test]
async fn what_this_version_writes_can_become_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    let (state, committer) = State::open(folder.path(), &config()).unwrap();
    for number in 0..VALUES {
        let mut batch = Batch::new();
        batch.put(format!("run/{number}"), value(number));
        state.commit(batch).await.unwrap();
    }
    for number in (0..VALUES).filter(|number| number % 7 == 3) {
        let mut batch = Batch::new();
        batch.delete(format!("run/{number}"));
        state.commit(batch).await.unwrap();
    }
    committer.stop();
    if let Some(target) = std::env::var_os("CAUSEWAY_WRITE_STATE_TO") {
        copy(folder.path(), Path::new(&target));
    }
    check(folder.path());
}
