//! The sequence numbers that are known not to be there, and may be passed over. Pure.
//!
//! Guarantees: a number is passed over only when it was recorded; ranges never overlap; a text that
//! decodes is the one that was written.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::RangeInclusive};

const TITLE: &str = "causeway losses 1";

/// Old ranges that are kept for people to read.
const KEPT_MAX: usize = 1_000;

/// What became of numbers that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// An event was acknowledged under each of them and cannot be read any more.
    Lost,
    /// Passed over so that no number is ever used twice; no event is known to have had one.
    Unused,
}

/// A range of numbers that are not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// What became of them.
    pub fate: Fate,
    /// When it was noticed, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why they are not there.
    pub why: String,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses(BTreeMap<u64, Loss>);

impl Losses {
    /// Returns the first number from `at` on that is not recorded.
    pub(crate) fn skip(&self, at: u64) -> u64 {
        let mut at = at;
        while let Some(loss) = self.holding(at) {
            let Some(next) = loss.last.checked_add(1) else { return u64::MAX };
            at = next;
        }
        at
    }

    /// Returns the parts of a range that are not recorded.
    pub(crate) fn uncovered(&self, range: RangeInclusive<u64>) -> Vec<RangeInclusive<u64>> {
        let (mut at, last) = range.into_inner();
        let mut parts = Vec::new();
        loop {
            at = self.skip(at);
            if at > last {
                return parts;
            }
            let next = self.0.range(at..=last).next().map(|(first, _)| *first);
            let end = next.map_or(last, |next| next.saturating_sub(1));
            parts.push(at..=end);
            match next {
                Some(next) => at = next,
                None => return parts,
            }
        }
    }

    /// Records what is not recorded yet of a range, and returns it.
    pub(crate) fn record(&mut self, loss: &Loss) -> Vec<Loss> {
        let parts = self.uncovered(loss.first..=loss.last);
        let cut = |part: RangeInclusive<u64>| Loss {
            first: *part.start(),
            last: *part.end(),
            ..loss.clone()
        };
        let fresh: Vec<Loss> = parts.into_iter().map(cut).collect();
        self.0.extend(fresh.iter().map(|loss| (loss.first, loss.clone())));
        fresh
    }

    /// Forgets the oldest of what lies wholly below `first`, beyond what people may want to read.
    pub(crate) fn prune(&mut self, first: u64) {
        while self.0.len() > KEPT_MAX
            && self.0.first_key_value().is_some_and(|(_, oldest)| oldest.last < first)
        {
            self.0.pop_first();
        }
    }

    /// Returns how many numbers are lost.
    pub(crate) fn lost(&self) -> u64 {
        let lost = self.0.values().filter(|loss| loss.fate == Fate::Lost);
        lost.map(|loss| loss.last.saturating_sub(loss.first).saturating_add(1)).sum()
    }

    /// Returns them in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Loss> {
        self.0.values()
    }

    /// Returns the written form: a title with a checksum, then a line of JSON for each range.
    pub(crate) fn encode(&self) -> String {
        let mut body = String::new();
        for loss in self.0.values() {
            // A struct of numbers and texts is always written.
            body.push_str(&serde_json::to_string(loss).unwrap_or_default());
            body.push('\n');
        }
        format!("{TITLE} {:08x}\n{body}", crc32fast::hash(body.as_bytes()))
    }

    /// Reads the written form; `None` if it is damaged.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let (title, body) = text.split_once('\n')?;
        let checksum = title.strip_prefix(TITLE)?.trim();
        if format!("{:08x}", crc32fast::hash(body.as_bytes())) != checksum {
            return None;
        }
        let mut losses = Self::default();
        for line in body.lines() {
            losses.record(&serde_json::from_str(line).ok()?);
        }
        Some(losses)
    }

    fn holding(&self, at: u64) -> Option<&Loss> {
        let (_, loss) = self.0.range(..=at).next_back()?;
        (loss.last >= at).then_some(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(first: u64, last: u64, fate: Fate) -> Loss {
        Loss { first, last, fate, at_ms: 5, why: "a bad disk".to_owned() }
    }

    #[test]
    fn exactly_what_was_recorded_is_passed_over() {
        let mut losses = Losses::default();
        losses.record(&loss(4, 5, Fate::Lost));
        losses.record(&loss(6, 6, Fate::Unused));
        losses.record(&loss(10, 12, Fate::Lost));
        for (at, want) in [(1, 1), (4, 7), (5, 7), (6, 7), (7, 7), (10, 13), (12, 13), (13, 13)] {
            assert_eq!(losses.skip(at), want, "{at}");
        }
        assert_eq!(losses.uncovered(1..=20), [1..=3, 7..=9, 13..=20]);
        assert_eq!(losses.uncovered(4..=6), []);
        assert_eq!(losses.uncovered(5..=10), [7..=9]);
        assert_eq!(losses.lost(), 5);
        let fresh = losses.record(&loss(3, 11, Fate::Lost));
        let fresh: Vec<_> = fresh.iter().map(|loss| (loss.first, loss.last)).collect();
        assert_eq!(fresh, [(3, 3), (7, 9)]);
        assert_eq!(losses.record(&loss(3, 11, Fate::Lost)), [], "nothing is told twice");
    }

    #[test]
    fn what_was_written_is_read_and_no_altered_byte_is_overlooked() {
        let mut losses = Losses::default();
        losses.record(&loss(4, 5, Fate::Lost));
        losses.record(&loss(70, 99, Fate::Unused));
        let text = losses.encode();
        assert_eq!(Losses::decode(&text), Some(losses));
        for at in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[at] ^= 2;
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(Losses::decode(&altered), None, "byte {at}");
        }
        assert_eq!(Losses::decode(&Losses::default().encode()), Some(Losses::default()));
    }

    #[test]
    fn old_ranges_are_forgotten_only_below_what_is_kept() {
        let mut losses = Losses::default();
        for number in 0..1_200_u64 {
            losses.record(&loss(number * 2, number * 2, Fate::Lost));
        }
        losses.prune(20);
        assert_eq!(losses.all().count(), 1_190);
        losses.prune(u64::MAX);
        assert_eq!(losses.all().count(), KEPT_MAX);
    }
}
