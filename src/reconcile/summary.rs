//! What came of a comparison of both systems, in numbers; the last one at night is kept.
//!
//! Guarantees: no name, number or address is in it.

use super::{What, row::Row};
use crate::{
    dates::rfc3339,
    delivery::rows,
    state::{Batch, State, StateError},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the last one lies.
const KEY: &[u8] = b"y/compared";

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// When it was begun, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took, in seconds.
    pub took_s: u64,
    /// How many there are, by what was compared and what it came to.
    #[serde(with = "flat")]
    pub counts: BTreeMap<(String, String), u64>,
    /// How many of them somebody should look at.
    pub differing: u64,
    /// Why it ended early; none if all was compared.
    pub fault: Option<String>,
}

/// A pair is no key in JSON.
mod flat {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    type Counts = BTreeMap<(String, String), u64>;

    pub(super) fn serialize<S: Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<_> = counts.iter().map(|((what, name), count)| (what, name, count)).collect();
        rows.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counts, D::Error> {
        let rows = Vec::<(String, String, u64)>::deserialize(from)?;
        Ok(rows.into_iter().map(|(what, name, count)| ((what, name), count)).collect())
    }
}

impl Summary {
    /// Counts a row.
    pub fn take(&mut self, row: &Row) {
        let key = (row.what.name().to_owned(), row.verdict.clone());
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
        self.differing = self.differing.saturating_add(u64::from(row.differs));
    }

    /// Returns when it was begun, and whether it ended early.
    pub fn ended(&self) -> (u64, bool) {
        (self.at_ms, self.fault.is_some())
    }

    /// Says how many there are of one kind: `12 orders: 12 equal`; none if nothing of it was compared.
    pub fn told(&self, what: What) -> Option<String> {
        let own = self.counts.iter().filter(|((of, _), _)| of == what.name());
        let counts: Vec<_> = own.map(|((_, name), count)| (name, count)).collect();
        let all: u64 = counts.iter().map(|(_, count)| **count).sum();
        let told: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        (!told.is_empty()).then(|| format!("{all} {}: {}", what.name(), told.join(", ")))
    }

    /// Returns it as names and values.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = vec![
            ("At".to_owned(), rfc3339(self.at_ms)),
            ("Somebody should look at".to_owned(), self.differing.to_string()),
        ];
        let fault = self.fault.iter().map(|why| ("Ended early".to_owned(), why.clone()));
        rows.extend(fault);
        let told = What::ALL.into_iter().filter_map(|what| self.told(what));
        rows.extend(told.map(|told| ("Compared".to_owned(), told)));
        rows
    }
}

/// Reads the last one that was kept; the error is a sentence for a person.
pub fn last(state: &State) -> Result<Option<Summary>, String> {
    let unread = |why: String| format!("could not read the state: {why}");
    let stored = state.get(KEY).map_err(|fault| unread(fault.to_string()))?;
    stored.as_deref().map(rows::read).transpose().map_err(|fault| unread(fault.to_string()))
}

/// Keeps one as the last.
pub async fn keep(state: &State, summary: &Summary) -> Result<(), StateError> {
    let mut batch = Batch::new();
    // Only a value that cannot be written down fails here, and there is none.
    if let Ok(bytes) = rows::write(summary) {
        batch.put(KEY.to_vec(), bytes);
        state.commit(batch).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_kind_and_result_and_read_back_in_both_forms() {
        let row = |what, verdict: &str, differs| Row {
            what,
            verdict: verdict.to_owned(),
            differs,
            ..Row::default()
        };
        let mut summary = Summary::default();
        summary.take(&row(What::Orders, "equal", false));
        summary.take(&row(What::Orders, "gone", true));
        summary.take(&row(What::Orders, "equal", false));
        summary.take(&row(What::Customers, "differs", true));
        assert_eq!(summary.told(What::Orders).unwrap(), "3 orders: 2 equal, 1 gone");
        assert_eq!(summary.told(What::Goods), None);
        assert_eq!(summary.differing, 2);
        let json = serde_json::to_string(&summary).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
        let bytes = rows::write(&summary).unwrap();
        assert_eq!(rows::read::<Summary>(&bytes).unwrap(), summary);
    }
}
