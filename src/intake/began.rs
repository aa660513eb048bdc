//! When this gateway was started for the first time, kept beside journal and state.
//!
//! Guarantees: written once, and never while the clock is obviously wrong. It matters only when the
//! poller's cursor is lost with the state: then the shop is asked for all that changed since, and not
//! for the last day only, so that no order is forgotten that was taken in and waited for M3. What was
//! there before the gateway came is left alone.

use crate::{
    alert::rules::CLOCK_FLOOR_MS, clock::UnixMs, connector::xcart::poll::FIRST_LOOK_S,
    journal::durable,
};
use std::{fs, io, path::Path};

const NAME: &str = "began";

/// Returns from when on the shop is asked if nothing says how far it was asked, in seconds since 1970;
/// `None` on the first start.
pub fn poll_since(state_dir: &Path, now_ms: UnixMs) -> io::Result<Option<i64>> {
    match fs::read_to_string(state_dir.join(NAME)) {
        Ok(text) => Ok(since(&text)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) if now_ms < CLOCK_FLOOR_MS => Ok(None),
        Err(_) => {
            durable::replace(state_dir, NAME, format!("{}\n", now_ms / 1_000).as_bytes())?;
            Ok(None)
        }
    }
}

/// Returns the same without writing anything; none if there was no start yet.
pub fn kept(state_dir: &Path) -> io::Result<Option<i64>> {
    match fs::read_to_string(state_dir.join(NAME)) {
        Ok(text) => Ok(since(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn since(text: &str) -> Option<i64> {
    text.trim_end().parse::<i64>().ok().map(|at| at.saturating_sub(FIRST_LOOK_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_is_remembered_and_no_later_one_nor_one_in_1970() {
        let folder = tempfile::tempdir().unwrap();
        let since = |now_ms| poll_since(folder.path(), now_ms).unwrap();
        assert_eq!(since(5_000), None, "the clock is wrong");
        assert_eq!(since(CLOCK_FLOOR_MS + 90_000_000), None);
        let first = i64::try_from(CLOCK_FLOOR_MS / 1_000).unwrap() + 90_000 - FIRST_LOOK_S;
        assert_eq!(since(CLOCK_FLOOR_MS + 190_000_000), Some(first));
        assert_eq!(since(5_000), Some(first));
        fs::write(folder.path().join(NAME), "torn").unwrap();
        assert_eq!(since(CLOCK_FLOOR_MS), None);
    }
}
