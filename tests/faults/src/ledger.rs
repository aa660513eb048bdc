//! What was acknowledged, compared with what is in a journal. The comparison is pure.
//!
//! Guarantees: an acknowledged event that is missing, altered or doubled is named; so is an event
//! that nobody sent, and one that lies out of order.

use crate::site::{Fault, body};
use causeway::journal::{self, Event, Journal, JournalError, Seq, inspect::AtRest};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    path::Path,
};

/// Events read in one go.
const EVENTS_MAX: usize = 512;

/// What is wrong with a journal; empty when all is well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Acknowledged and not there.
    pub(crate) lost: Vec<u64>,
    /// There, but not as it was sent.
    pub(crate) altered: Vec<u64>,
    /// There more than once though its sender was told yes the first time.
    pub(crate) doubled: Vec<u64>,
    /// Sequence numbers that do not grow.
    pub(crate) unordered: Vec<u64>,
}

impl Verdict {
    /// Whether all is well.
    pub(crate) fn holds(&self) -> bool {
        *self == Self::default()
    }

    /// Compares. `kept` are the numbers whose sender was told yes, `tries` how often each was sent.
    pub(crate) fn of(
        kept: &BTreeSet<u64>,
        tries: &BTreeMap<u64, u64>,
        stored: &[(u64, Vec<u8>)],
    ) -> Self {
        let mut verdict = Self::default();
        let mut found: BTreeMap<u64, u64> = BTreeMap::new();
        let mut before = 0;
        for (seq, bytes) in stored {
            if *seq <= before {
                verdict.unordered.push(*seq);
            }
            before = *seq;
            match number_of(bytes).filter(|number| body(*number) == *bytes) {
                Some(number) => *found.entry(number).or_default() += 1,
                None => verdict.altered.push(*seq),
            }
        }
        verdict.lost = kept.iter().filter(|number| !found.contains_key(number)).copied().collect();
        // A sender that was told nothing may send again, and both may be kept.
        let twice = |(number, times): (&u64, &u64)| {
            let most = tries.get(number).copied().unwrap_or(0);
            (*times > most.max(1)).then_some(*number)
        };
        verdict.doubled = found.iter().filter_map(twice).collect();
        verdict
    }
}

fn number_of(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.strip_prefix("{\"id\":")?.split(',').next()?.parse().ok()
}

/// Reads a whole journal that nobody else has open.
pub(crate) fn read(folder: &Path) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    let config: journal::Config = toml::from_str("free_bytes_min = 0")?;
    let (journal, committer) = Journal::open(folder, &config)?;
    let events = read_open(&journal)?;
    committer.stop();
    Ok(events.into_iter().map(|event| (event.seq.0, event.body)).collect())
}

/// Reads everything that a journal has.
pub(crate) fn read_open(journal: &Journal) -> Result<Vec<Event>, Fault> {
    let mut all: Vec<Event> = Vec::new();
    let mut from = journal.stats().first;
    loop {
        let events = journal.read(from, EVENTS_MAX, 1 << 20)?;
        let Some(last) = events.last() else { return Ok(all) };
        from = Seq(last.seq.0 + 1);
        all.extend(events);
    }
}

/// Sequence numbers that the journal itself says are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) RangeInclusive<u64>);

impl Missing {
    /// How many numbers there are in all.
    pub(crate) fn count(all: &[Self]) -> usize {
        all.iter().map(|Self(range)| range.clone().count()).sum()
    }
}

/// Bodies with their sequence numbers, and what is said to be missing between them.
pub(crate) type WithGaps = (Vec<(u64, Vec<u8>)>, Vec<Missing>);

/// Reads a damaged journal: what is there, and which numbers it says are not.
pub(crate) fn read_with_gaps(folder: &Path) -> Result<WithGaps, Fault> {
    let config: journal::Config = toml::from_str("free_bytes_min = 0")?;
    let (journal, committer) = Journal::open(folder, &config)?;
    let (mut stored, mut gaps) = (Vec::new(), Vec::new());
    let mut from = journal.stats().first;
    loop {
        match journal.read(from, EVENTS_MAX, 1 << 20) {
            Ok(events) => {
                let Some(last) = events.last() else { break };
                from = Seq(last.seq.0 + 1);
                stored.extend(events.into_iter().map(|event| (event.seq.0, event.body)));
            }
            Err(JournalError::Damaged { missing }) => {
                let Some(end) = missing.iter().map(|range| *range.end()).max() else { break };
                gaps.extend(missing.into_iter().map(Missing));
                from = Seq(from.0.max(end) + 1);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    committer.stop();
    let recorded = AtRest::open(folder)?.losses();
    gaps.extend(recorded.into_iter().map(|loss| Missing(loss.first..=loss.last)));
    Ok((stored, gaps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_wrong_journal_is_noticed() {
        let kept: BTreeSet<u64> = (1..=5).collect();
        let tries: BTreeMap<u64, u64> = (1..=6).map(|number| (number, 1)).collect();
        let sound: Vec<_> = (1..=5).map(|number| (number, body(number))).collect();
        let verdict = |stored: &[_]| Verdict::of(&kept, &tries, stored);
        assert!(verdict(&sound).holds());

        let mut longer = sound.clone();
        longer.push((6, body(6)));
        assert!(verdict(&longer).holds(), "one that was sent and not acknowledged may be there");

        assert_eq!(verdict(&sound[..4]).lost, [5]);
        let mut altered = sound.clone();
        *altered[2].1.last_mut().unwrap() ^= 1;
        assert_eq!((verdict(&altered).altered, verdict(&altered).lost), (vec![3], vec![3]));
        let mut doubled = sound.clone();
        doubled.push((6, body(2)));
        assert_eq!(verdict(&doubled).doubled, [2]);
        let mut unordered = sound;
        unordered.swap(0, 1);
        assert_eq!(verdict(&unordered).unordered, [1]);
    }
}
