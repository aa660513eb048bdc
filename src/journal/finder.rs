//! Finds rows in the database of a segment, whichever way they lie there.
//!
//! Guarantees: a scan from where `begin` says, to `end_key`, meets every row of the records from that
//! number on.

use super::{
    Seq, note, rows,
    slots::{self, Slot},
    store::{Store, StoreError},
};
use std::cmp::Ordering;

/// Where the next row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Front {
    pub(crate) slot: Slot,
    /// Leaves that are laid out.
    pub(crate) leaves: u32,
}

impl Front {
    /// Lays out the first leaves of a new segment.
    pub(crate) fn lay_first(store: &Store) -> Result<Self, StoreError> {
        let mut front = Self { slot: Slot(0), leaves: 0 };
        front.lay(store)?;
        Ok(front)
    }

    fn lay(&mut self, store: &Store) -> Result<(), StoreError> {
        store.lay(slots::layout(self.leaves))?;
        self.leaves = self.leaves.saturating_add(slots::LAID_LEAVES);
        Ok(())
    }

    /// Sees to it that rows up to and without `next` have leaves of their own.
    pub(crate) fn make_room(&mut self, store: &Store, next: Slot) -> Result<(), StoreError> {
        while next > slots::room(self.leaves) {
            self.lay(store)?;
        }
        Ok(())
    }

    /// Finds where to go on; `None` for a segment whose rows do not lie in slots.
    pub(crate) fn find(store: &Store) -> Result<Option<Self>, StoreError> {
        let last = store.last_where(all(), |_, _| true)?;
        let Some(leaves) = last.and_then(|(key, _)| slots::leaves_of(&key)) else {
            return Ok(None);
        };
        let last = store.last_where(all(), |key, _| Slot::read(key).is_some())?;
        let slot = last.and_then(|(key, _)| Slot::read(&key)).map_or(Slot(0), Slot::next);
        Ok(Some(Self { slot, leaves }))
    }
}

fn all() -> std::ops::Range<Vec<u8>> {
    Vec::new()..end_key()
}

/// Returns the key behind every row.
pub(crate) fn end_key() -> Vec<u8> {
    note::note_key()
}

/// Returns the number after the last record, or `first` if there is none.
pub(crate) fn end(store: &Store, first: u64) -> Result<u64, StoreError> {
    let last = store.last_where(all(), |key, value| rows::read(key, value).is_some())?;
    let end = last.and_then(|(key, value)| rows::read(&key, &value).map(|piece| piece.end()));
    Ok(end.unwrap_or(first))
}

/// Returns the key from which on to scan for the record `from` and those behind it.
pub(crate) fn begin(store: &Store, from: u64) -> Result<Vec<u8>, StoreError> {
    if leaf_to(store, 0, from)?.is_none() {
        // The row that holds it may begin before it.
        let holds = store.last_where(Vec::new()..rows::key(Seq(from), 1), |_, _| true)?;
        return Ok(holds.map_or_else(|| rows::key(Seq(from), 0), |(key, _)| key));
    }
    let is_before = |leaf| Ok::<_, StoreError>(leaf_to(store, leaf, from)? == Some(Ordering::Less));
    let (mut low, mut high) = (0, 1_u32);
    while is_before(high)? {
        (low, high) = (high, high.saturating_mul(2));
    }
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        if is_before(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Slot::of_leaf(low).key())
}

/// Tells whether a leaf begins before the end of the first piece of a record; `None` if it has no row.
fn leaf_to(store: &Store, leaf: u32, from: u64) -> Result<Option<Ordering>, StoreError> {
    let key = Slot::of_leaf(leaf).key();
    let row = store.get(&key)?;
    let piece = row.as_deref().and_then(|row| rows::read(&key, row));
    Ok(piece.map(|piece| {
        if (piece.seq.0, piece.piece) <= (from, 0) { Ordering::Less } else { Ordering::Greater }
    }))
}
