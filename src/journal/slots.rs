//! Where the rows of a segment lie, so that the store writes each of them once. Pure.
//!
//! The store writes a leaf of its tree anew, with all its rows, after ten changes and when it has more
//! than 16 entries: rows that are only ever put behind the last one are written three to four times. So
//! the leaves are laid out before there are rows: each slot row of eight is preceded by eight empty
//! entries, which makes it a leaf of its own that is never split and never changed ten times.
//!
//! Guarantees: keys sort as the rows were written; a leaf has at most 16 entries, eight of them rows.

/// Rows of a leaf, and the empty entries that keep a place for it.
const LEAF_ROWS: u32 = 8;

/// The leaf that is still open at the end takes no rows, nor does the one before it.
const MARGIN_LEAVES: u32 = 2;

/// Leaves that are laid out in one go: as many as a handle takes rows before it is worn.
pub(crate) const LAID_LEAVES: u32 = 48;

const KEY_BYTES: usize = 6;
const EMPTY: u8 = 0;
const ROW: u8 = 1;

/// Which of a segment's rows, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) u32);

impl Slot {
    /// Returns the key of the row.
    pub(crate) fn key(self) -> Vec<u8> {
        entry(self.0 / LEAF_ROWS, ROW, self.0 % LEAF_ROWS)
    }

    /// Reads a key.
    pub(crate) fn read(key: &[u8]) -> Option<Self> {
        let key = <[u8; KEY_BYTES]>::try_from(key).ok()?;
        let [a, b, c, d, ROW, row] = key else { return None };
        let row = u32::from(row);
        let first = u32::from_be_bytes([a, b, c, d]).checked_mul(LEAF_ROWS)?;
        if row < LEAF_ROWS { Some(Self(first.checked_add(row)?)) } else { None }
    }

    /// Returns the one behind it.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the first slot of a leaf.
    pub(crate) fn of_leaf(leaf: u32) -> Self {
        Self(leaf.saturating_mul(LEAF_ROWS))
    }
}

/// Whether a key could be the end of the key of a slot.
pub(crate) fn ends_like_a_slot(suffix: &[u8]) -> bool {
    match suffix {
        [.., ROW, row] => suffix.len() <= KEY_BYTES && u32::from(*row) < LEAF_ROWS,
        _ => false,
    }
}

/// Returns up to which leaf the layout goes, from its last key.
pub(crate) fn leaves_of(last: &[u8]) -> Option<u32> {
    let (leaf, rest) = last.split_first_chunk::<4>()?;
    (rest.len() == KEY_BYTES - 4).then(|| u32::from_be_bytes(*leaf).saturating_add(1))
}

/// Returns how many rows there is room for, with so many leaves laid out.
pub(crate) fn room(leaves: u32) -> Slot {
    Slot::of_leaf(leaves.saturating_sub(MARGIN_LEAVES))
}

/// Returns the empty entries of the next leaves, in the order in which they must be put.
pub(crate) fn layout(leaves: u32) -> impl Iterator<Item = Vec<u8>> {
    let next = leaves..leaves.saturating_add(LAID_LEAVES);
    next.flat_map(|leaf| (0..LEAF_ROWS).map(move |at| entry(leaf, EMPTY, at)))
}

fn entry(leaf: u32, kind: u8, at: u32) -> Vec<u8> {
    let at = u8::try_from(at).unwrap_or(u8::MAX);
    let mut key = Vec::with_capacity(KEY_BYTES);
    key.extend(leaf.to_be_bytes());
    key.extend([kind, at]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_slots_do_and_each_leaf_has_sixteen_of_them() {
        let mut keys: Vec<_> =
            layout(0).chain((0..LAID_LEAVES * 8).map(|at| Slot(at).key())).collect();
        keys.sort();
        for leaf in keys.chunks(16) {
            let slots: Vec<_> = leaf.iter().filter_map(|key| Slot::read(key)).collect();
            assert_eq!(slots.len(), 8);
            assert!(slots.is_sorted());
        }
        let slots: Vec<_> = keys.iter().filter_map(|key| Slot::read(key)).collect();
        assert_eq!(slots, (0..LAID_LEAVES * 8).map(Slot).collect::<Vec<_>>());
        assert_eq!(leaves_of(keys.last().unwrap()), Some(LAID_LEAVES));
        assert_eq!(room(LAID_LEAVES), Slot((LAID_LEAVES - 2) * 8));
    }

    #[test]
    fn a_key_of_another_kind_is_no_slot() {
        for key in [&b""[..], &[0, 1], &[0; 10], &[0; 6], &[0, 0, 0, 1, 0, 3]] {
            assert_eq!(Slot::read(key), None, "{key:?}");
        }
        assert_eq!(Slot::read(&[0, 0, 0, 2, 1, 3]), Some(Slot(19)));
        assert!(ends_like_a_slot(&[1, 3]) && ends_like_a_slot(&[0, 0, 0, 2, 1, 3]));
        assert!(!ends_like_a_slot(&[1, 9]) && !ends_like_a_slot(&[0; 10]));
    }
}
