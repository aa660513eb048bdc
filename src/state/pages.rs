//! A range of the state, read a part at a time.

use super::{Pair, State, StateError};
use std::ops::Range;

/// Where such a reading stands. Rows that come in behind it are met, those before it are not.
#[derive(Debug)]
pub struct Pages<'a> {
    state: &'a State,
    left: Range<Vec<u8>>,
    rows_max: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn new(state: &'a State, range: Range<Vec<u8>>, rows_max: usize) -> Self {
        Self { state, left: range, rows_max }
    }

    /// Returns the next part, in order; none when there is nothing more.
    pub fn next_page(&mut self) -> Result<Option<Vec<Pair>>, StateError> {
        let page = self.state.scan(self.left.clone(), self.rows_max)?;
        let Some((last, _)) = page.last() else { return Ok(None) };
        // The key right behind the last one.
        self.left.start = [last.as_slice(), &[0]].concat();
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Batch, Config};

    #[tokio::test]
    async fn every_row_of_the_range_is_met_once_whatever_becomes_of_those_before() {
        let folder = tempfile::tempdir().unwrap();
        let (state, _committer) = State::open(folder.path(), &Config::house()).unwrap();
        let key = |at: u8| vec![b'k', b'/', at];
        let mut batch = Batch::new();
        for at in 0..7 {
            batch.put(key(at), vec![at]);
        }
        batch.put(b"l/".to_vec(), Vec::new());
        state.commit(batch).await.unwrap();
        let mut met = Vec::new();
        let mut pages = state.pages(b"k/".to_vec()..b"k0".to_vec(), 3);
        while let Some(page) = pages.next_page().unwrap() {
            assert!(page.len() <= 3);
            for (key, value) in page {
                met.extend(value);
                let mut batch = Batch::new();
                batch.delete(key);
                state.commit(batch).await.unwrap();
            }
        }
        assert_eq!(met, [0, 1, 2, 3, 4, 5, 6]);
    }
}
