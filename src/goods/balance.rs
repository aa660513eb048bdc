//! What a list of M3 changes, whatever it lists. Pure.

use crate::ids::Itno;

/// A whole list may lack so many items that were known; of more it must have more than one in [`VANISHED_SHARE`].
const VANISHED_FLOOR: usize = 20;
/// See [`VANISHED_FLOOR`].
const VANISHED_SHARE: usize = 2;

/// The rows of a list, by item.
#[derive(Debug)]
pub struct Listed<R>(Vec<(Itno, R)>);

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Everything there is.
    All,
    /// What changed.
    Changes,
}

impl<R> Listed<R> {
    /// Takes rows in any order; those of one item keep theirs.
    pub fn new(mut rows: Vec<(Itno, R)>) -> Self {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        Self(rows)
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Walks over the items with their rows.
    pub fn items(&self) -> impl Iterator<Item = (&Itno, &[(Itno, R)])> {
        let groups = self.0.chunk_by(|a, b| a.0 == b.0);
        groups.filter_map(|rows| rows.first().map(|first| (&first.0, rows)))
    }

    /// Whether an item is listed.
    pub fn has(&self, itno: &str) -> bool {
        self.0.binary_search_by(|row| row.0.as_str().cmp(itno)).is_ok()
    }
}

/// Whether a whole list that lacks so many of the `known` items can be true: a warehouse that was
/// renamed must not empty the shop.
pub fn is_credible(vanished: usize, known: usize) -> bool {
    vanished < VANISHED_FLOOR || vanished.saturating_mul(VANISHED_SHARE) < known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_gathered_by_item_in_the_order_they_came() {
        let item = |text: &str| Itno::try_from(text).unwrap();
        let listed = Listed::new(vec![(item("B"), 5), (item("A"), 1), (item("B"), 6)]);
        let items: Vec<_> = listed
            .items()
            .map(|(itno, rows)| (itno.as_str(), rows.iter().map(|row| row.1).collect::<Vec<_>>()))
            .collect();
        assert_eq!(items, [("A", vec![1]), ("B", vec![5, 6])]);
        assert!(listed.has("A") && !listed.has("C") && listed.len() == 3);
    }

    #[test]
    fn a_list_that_lacks_half_of_a_shop_is_not_believed() {
        assert!(is_credible(19, 19), "a small shop may be emptied");
        assert!(is_credible(400, 1_000));
        assert!(!is_credible(500, 1_000));
        assert!(!is_credible(20, 20));
    }
}
