//! What a list of balances changes. Pure.

use super::good::Balances;
use crate::{connector::m3::stock::Balance, ids::Itno};
use std::collections::BTreeSet;

/// Of so many items that M3 had balances of, at least one in [`VANISHED_SHARE`] must be left in a whole list.
const VANISHED_FLOOR: usize = 20;
/// See [`VANISHED_FLOOR`].
const VANISHED_SHARE: usize = 2;

/// The rows of a list, by item.
#[derive(Debug, Default)]
pub struct Listed(Vec<Balance>);

impl Listed {
    /// Takes rows in any order; of two for one warehouse the later one holds.
    pub fn new(mut rows: Vec<Balance>) -> Self {
        // Stable, so equal keys keep their order.
        rows.sort_by(|a, b| (&a.itno, &a.warehouse).cmp(&(&b.itno, &b.warehouse)));
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
    pub fn items(&self) -> impl Iterator<Item = (&Itno, &[Balance])> {
        let groups = self.0.chunk_by(|a, b| a.itno == b.itno);
        groups.filter_map(|rows| rows.first().map(|first| (&first.itno, rows)))
    }

    /// Whether an item is listed.
    pub fn has(&self, itno: &str) -> bool {
        self.0.binary_search_by(|row| row.itno.as_str().cmp(itno)).is_ok()
    }

    /// Whether a whole list that lacks so many of the `known` items can be true: a warehouse that
    /// was renamed must not empty the shop.
    pub fn is_credible(vanished: usize, known: usize) -> bool {
        vanished < VANISHED_FLOOR || vanished.saturating_mul(VANISHED_SHARE) < known
    }
}

/// Takes rows of one item in: a change adds to what is known, a whole list replaces it.
pub fn merged(known: Option<&Balances>, rows: &[Balance], whole: Whole) -> Balances {
    let mut balances = match whole {
        Whole::All => Balances::new(),
        Whole::Changes => known.cloned().unwrap_or_default(),
    };
    balances.extend(rows.iter().map(|row| (row.warehouse.clone(), row.quantity)));
    balances
}

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Everything there is.
    All,
    /// What changed.
    Changes,
}

/// Leaves out warehouses that do not count any more.
pub fn only(balances: Balances, warehouses: &[String]) -> Balances {
    let counted: BTreeSet<&String> = warehouses.iter().collect();
    balances.into_iter().filter(|(whlo, _)| counted.contains(whlo)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(itno: &str, warehouse: &str, quantity: u64) -> Balance {
        let itno = Itno::try_from(itno).unwrap();
        Balance { itno, warehouse: warehouse.to_owned(), quantity: quantity.into() }
    }

    #[test]
    fn rows_are_gathered_by_item_and_the_later_one_holds() {
        let listed = Listed::new(vec![row("B", "1", 5), row("A", "1", 1), row("B", "1", 6)]);
        let items: Vec<_> =
            listed.items().map(|(itno, rows)| (itno.as_str(), rows.len())).collect();
        assert_eq!(items, [("A", 1), ("B", 2)]);
        assert!(listed.has("A") && !listed.has("C"));
        let (_, rows) = listed.items().last().unwrap();
        let known: Balances =
            [("1".to_owned(), 9_u64.into()), ("2".to_owned(), 4_u64.into())].into();
        let changed = merged(Some(&known), rows, Whole::Changes);
        assert_eq!(
            changed,
            [("1".to_owned(), 6_u64.into()), ("2".to_owned(), 4_u64.into())].into()
        );
        assert_eq!(merged(Some(&known), rows, Whole::All), [("1".to_owned(), 6_u64.into())].into());
        assert_eq!(only(changed, &["2".to_owned()]), [("2".to_owned(), 4_u64.into())].into());
    }

    #[test]
    fn a_list_that_lacks_half_of_a_shop_is_not_believed() {
        assert!(Listed::is_credible(19, 19), "a small shop may be emptied");
        assert!(Listed::is_credible(400, 1_000));
        assert!(!Listed::is_credible(500, 1_000));
        assert!(!Listed::is_credible(20, 20));
    }
}
