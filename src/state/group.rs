//! Decides which batches of a group are applied, and what they come to together.
//!
//! Guarantees: a batch is admitted whole or not at all; it sees what was admitted before it in the
//! same group; one that conflicts leaves no trace and does not disturb the others. Pure.

use std::collections::BTreeMap;

/// What to change in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    expected: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Starts with nothing to change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a key a value; of two changes to one key the later one holds.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push((key.into(), Some(value.into())));
        self
    }

    /// Removes a key.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push((key.into(), None));
        self
    }

    /// Makes the batch conditional: before it the key must have exactly this value, or none.
    pub fn expect(&mut self, key: impl Into<Vec<u8>>, value: Option<&[u8]>) -> &mut Self {
        self.expected.push((key.into(), value.map(<[u8]>::to_vec)));
        self
    }

    /// Returns whether there is nothing to change and nothing to check.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.expected.is_empty()
    }

    /// Returns the longest key, the longest value and the sum of all.
    pub(crate) fn measure(&self) -> (usize, usize, usize) {
        let all = self.changes.iter().chain(&self.expected);
        all.fold((0, 0, 0), |(key_max, value_max, sum), (key, value)| {
            let value = value.as_ref().map_or(0, Vec::len);
            let sum = key.len().saturating_add(value).saturating_add(sum);
            (key_max.max(key.len()), value_max.max(value), sum)
        })
    }
}

/// Why a batch was not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Declined<E> {
    /// This key has another value than expected.
    Conflict(Vec<u8>),
    /// What is stored could not be read.
    Unread(E),
}

/// The batches admitted so far, as one.
#[derive(Debug, Default)]
pub(crate) struct Group {
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Group {
    /// Admits a batch if all it expects holds; `stored` tells what was there before the group.
    pub(crate) fn admit<E>(
        &mut self,
        batch: Batch,
        mut stored: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<(), Declined<E>> {
        for (key, expected) in batch.expected {
            let holds = match self.changes.get(&key) {
                Some(pending) => *pending == expected,
                None => stored(&key).map_err(Declined::Unread)? == expected,
            };
            if !holds {
                return Err(Declined::Conflict(key));
            }
        }
        self.changes.extend(batch.changes);
        Ok(())
    }

    /// Returns what all admitted batches come to.
    pub(crate) fn into_changes(self) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn batch(expected: &[(&str, Option<&str>)], changes: &[(&str, Option<&str>)]) -> Batch {
        let mut batch = Batch::new();
        for (key, value) in expected {
            batch.expect(*key, value.map(str::as_bytes));
        }
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(*key, *value),
                None => batch.delete(*key),
            };
        }
        batch
    }

    #[test]
    fn a_batch_sees_the_ones_before_it_and_a_conflict_leaves_no_trace() {
        let stored = BTreeMap::from([("a", "1"), ("b", "2")]);
        let story = [
            // expected, changes, the key that conflicts
            (vec![("a", Some("1"))], vec![("a", Some("3"))], None),
            (vec![("a", Some("1"))], vec![("a", Some("4")), ("z", Some("!"))], Some("a")),
            (vec![("a", Some("3")), ("z", None)], vec![("b", None)], None),
            (vec![("b", Some("2"))], vec![("z", Some("!"))], Some("b")),
            (vec![("b", None)], vec![("c", Some("5")), ("c", Some("6"))], None),
            (vec![("c", Some("5"))], vec![], Some("c")),
            (vec![], vec![("d", None)], None),
        ];
        let mut group = Group::default();
        for (expected, changes, want) in story {
            let got = group.admit(batch(&expected, &changes), |key| {
                let key = std::str::from_utf8(key).unwrap();
                Ok::<_, Infallible>(stored.get(key).map(|value| value.as_bytes().to_vec()))
            });
            let want = want.map_or(Ok(()), |key| Err(Declined::Conflict(key.into())));
            assert_eq!(got, want, "{expected:?} {changes:?}");
        }
        let want = BTreeMap::from([
            (b"a".to_vec(), Some(b"3".to_vec())),
            (b"b".to_vec(), None),
            (b"c".to_vec(), Some(b"6".to_vec())),
            (b"d".to_vec(), None),
        ]);
        assert_eq!(group.into_changes(), want);
    }
}
