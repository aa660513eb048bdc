//! What waits to be told, channel by channel. Pure.
//!
//! What this module guarantees:
//! 1. A notice is in one letter of each channel, and a letter is kept until its channel took it.
//! 2. What comes within `group_ms` is one letter; while a letter cannot be sent, what comes
//!    meanwhile is the next one.
//! 3. A letter that is sent again has the same identity, so who gets it twice can tell.
//! 4. At most [`NOTICES_MAX`] notices wait in a channel; what gives way is counted and said in the
//!    next letter. At most so many letters leave in an hour as the channel allows.

use super::life::Notice;
use crate::{
    clock::UnixMs,
    retry::{Jitter, RetryPolicy},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Notices that wait in one channel.
pub const NOTICES_MAX: usize = 200;
/// Notices in one letter.
const LETTER_NOTICES_MAX: usize = 20;
const HOUR_MS: u64 = 3_600_000;

/// Everything that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// Drawn once, so that no other box has letters of the same identity.
    tag: u64,
    next: u64,
    channels: BTreeMap<String, Channel>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Channel {
    waiting: VecDeque<Notice>,
    letter: Option<Letter>,
    sent_ms: VecDeque<UnixMs>,
    missed: u64,
}

/// What is sent in one go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The same at each attempt, and never used again.
    pub id: String,
    /// When it was put together.
    pub made_ms: UnixMs,
    /// What it tells; nothing, in a test.
    pub notices: Vec<Notice>,
    /// Notices before it that gave way.
    pub missed: u64,
    attempts: u32,
    next_ms: UnixMs,
}

impl Letter {
    /// Puts a letter together that only tries a channel.
    pub fn test(tag: u64, made_ms: UnixMs) -> Self {
        let id = format!("{tag:016x}-test");
        Self { id, made_ms, notices: Vec::new(), missed: 0, attempts: 0, next_ms: made_ms }
    }

    /// Whether it only tries a channel.
    pub fn is_test(&self) -> bool {
        self.notices.is_empty()
    }
}

/// How a channel is paced.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long notices are gathered.
    pub group_ms: u64,
    /// Letters in an hour.
    pub letters_per_h_max: u32,
}

/// How a channel stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub channel: String,
    /// Notices that it has not taken yet.
    pub unsent: u64,
    /// Failures in a row of the letter that is being sent.
    pub failures: u32,
}

impl Outbox {
    /// Fits the channels to the configured ones; a new one first hears of what is raised.
    pub fn fit(&mut self, names: &[&str], raised: &[Notice], tag: u64) {
        if self.tag == 0 {
            self.tag = tag.max(1);
        }
        self.channels.retain(|name, _| names.contains(&name.as_str()));
        for name in names {
            self.channels.entry((*name).to_owned()).or_insert_with(|| Channel {
                waiting: raised.iter().take(NOTICES_MAX).cloned().collect(),
                ..Channel::default()
            });
        }
    }

    /// Takes in notices, for every channel.
    pub fn put(&mut self, notices: &[Notice]) {
        for channel in self.channels.values_mut() {
            for notice in notices {
                if channel.waiting.len() >= NOTICES_MAX {
                    channel.waiting.pop_front();
                    channel.missed = channel.missed.saturating_add(1);
                }
                channel.waiting.push_back(notice.clone());
            }
        }
    }

    /// Puts a letter together for a channel if it is time; a letter is durable before it is sent.
    pub fn make(&mut self, name: &str, now_ms: UnixMs, pace: Pace) {
        let id = format!("{:016x}-{}", self.tag, self.next);
        let Some(channel) = self.channels.get_mut(name) else { return };
        channel.not_after(now_ms);
        if channel.letter.is_some() || channel.may_make_at(pace).is_none_or(|at| at > now_ms) {
            return;
        }
        let count = channel.waiting.len().min(LETTER_NOTICES_MAX);
        channel.letter = Some(Letter {
            id,
            made_ms: now_ms,
            notices: channel.waiting.drain(..count).collect(),
            missed: std::mem::take(&mut channel.missed),
            attempts: 0,
            next_ms: now_ms,
        });
        self.next = self.next.saturating_add(1);
    }

    /// Returns the letter that a channel is to send now.
    pub fn due(&self, name: &str, now_ms: UnixMs) -> Option<&Letter> {
        let letter = self.channels.get(name)?.letter.as_ref()?;
        (letter.next_ms <= now_ms).then_some(letter)
    }

    /// Returns when a channel has something to do.
    pub fn next_ms(&self, name: &str, pace: Pace) -> Option<UnixMs> {
        let channel = self.channels.get(name)?;
        match &channel.letter {
            Some(letter) => Some(letter.next_ms),
            None => channel.may_make_at(pace),
        }
    }

    /// The channel took its letter.
    pub fn sent(&mut self, name: &str, now_ms: UnixMs) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        channel.letter = None;
        channel.sent_ms.push_back(now_ms);
    }

    /// The channel did not take it; returns how often it has failed.
    pub fn failed(
        &mut self,
        name: &str,
        now_ms: UnixMs,
        asked_s: Option<u64>,
        (policy, jitter): (RetryPolicy, Jitter),
    ) -> u32 {
        let letter = self.channels.get_mut(name).and_then(|channel| channel.letter.as_mut());
        let Some(letter) = letter else { return 0 };
        letter.attempts = letter.attempts.saturating_add(1);
        let wait = policy.wait_however_long(letter.attempts, jitter);
        let wait_ms = crate::clock::millis(wait).max(asked_s.unwrap_or(0).saturating_mul(1_000));
        letter.next_ms = now_ms.saturating_add(wait_ms.min(HOUR_MS));
        letter.attempts
    }

    /// Returns how each channel stands.
    pub fn standings(&self) -> Vec<Standing> {
        let standings = self.channels.iter().map(|(name, channel)| {
            let in_letter = channel.letter.as_ref().map_or(0, |letter| letter.notices.len());
            let unsent = in_letter.saturating_add(channel.waiting.len());
            Standing {
                channel: name.clone(),
                unsent: u64::try_from(unsent).unwrap_or(u64::MAX),
                failures: channel.letter.as_ref().map_or(0, |letter| letter.attempts),
            }
        });
        standings.collect()
    }
}

impl Channel {
    /// A time that has not come yet was written by a clock that was wrong.
    fn not_after(&mut self, now_ms: UnixMs) {
        for at_ms in &mut self.sent_ms {
            *at_ms = (*at_ms).min(now_ms);
        }
        while self.sent_ms.front().is_some_and(|at_ms| now_ms.saturating_sub(*at_ms) >= HOUR_MS) {
            self.sent_ms.pop_front();
        }
        for notice in &mut self.waiting {
            notice.at_ms = notice.at_ms.min(now_ms);
        }
        if let Some(letter) = &mut self.letter {
            letter.next_ms = letter.next_ms.min(now_ms.saturating_add(HOUR_MS));
        }
    }

    /// Returns from when on a letter may be put together; none when there is nothing to tell.
    fn may_make_at(&self, pace: Pace) -> Option<UnixMs> {
        let gathered_ms = self.waiting.front()?.at_ms.saturating_add(pace.group_ms);
        let most = usize::try_from(pace.letters_per_h_max.max(1)).unwrap_or(usize::MAX);
        let surplus = self.sent_ms.len().checked_sub(most);
        let free_ms = surplus.and_then(|place| self.sent_ms.get(place)).copied();
        let free_ms = free_ms.map_or(0, |at_ms| at_ms.saturating_add(HOUR_MS));
        Some(gathered_ms.max(free_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{life::Event, rules::Told};

    const PACE: Pace = Pace { group_ms: 15_000, letters_per_h_max: 3 };
    const RETRY: (RetryPolicy, Jitter) = (RetryPolicy::MESSAGES, Jitter(0));

    fn notice(key: &str, at_ms: u64) -> Notice {
        let told = Told::default();
        let (key, event) = (key.to_owned(), Event::Raised);
        Notice { key, event, at_ms, since_ms: at_ms, lasted_s: None, told }
    }

    fn outbox(names: &[&str]) -> Outbox {
        let mut outbox = Outbox::default();
        outbox.fit(names, &[], 7);
        outbox
    }

    /// Makes and returns the keys of the letter that is due.
    fn letter(outbox: &mut Outbox, name: &str, now_ms: u64) -> Option<(String, Vec<String>)> {
        outbox.make(name, now_ms, PACE);
        let letter = outbox.due(name, now_ms)?;
        let keys = letter.notices.iter().map(|notice| notice.key.clone()).collect();
        Some((letter.id.clone(), keys))
    }

    #[test]
    fn what_comes_together_is_one_letter_in_each_channel() {
        let mut outbox = outbox(&["mail", "chat"]);
        outbox.put(&[notice("a", 1_000)]);
        outbox.put(&[notice("b", 9_000)]);
        assert_eq!(letter(&mut outbox, "mail", 15_999), None);
        assert_eq!(outbox.next_ms("mail", PACE), Some(16_000));
        let (mail, keys) = letter(&mut outbox, "mail", 16_000).unwrap();
        assert_eq!(keys, ["a", "b"]);
        let (chat, keys) = letter(&mut outbox, "chat", 16_000).unwrap();
        assert_eq!(keys, ["a", "b"]);
        assert_ne!(mail, chat, "each letter has an identity of its own");
        outbox.sent("mail", 16_100);
        assert_eq!(letter(&mut outbox, "mail", 99_000), None, "nothing is told twice");
    }

    #[test]
    fn a_letter_that_fails_is_kept_with_its_identity_and_what_comes_meanwhile_is_the_next() {
        let mut outbox = outbox(&["mail"]);
        outbox.put(&[notice("a", 0)]);
        let first = letter(&mut outbox, "mail", 15_000).unwrap();
        assert_eq!(outbox.failed("mail", 15_000, None, RETRY), 1);
        outbox.put(&[notice("b", 16_000)]);
        assert_eq!(letter(&mut outbox, "mail", 19_999), None);
        assert_eq!(letter(&mut outbox, "mail", 20_000), Some(first.clone()));
        assert_eq!(outbox.failed("mail", 20_000, Some(120), RETRY), 2);
        assert_eq!(letter(&mut outbox, "mail", 139_999), None, "as long as was asked");
        let bytes = postcard::to_stdvec(&outbox).unwrap();
        let mut outbox: Outbox = postcard::from_bytes(&bytes).unwrap();
        outbox.fit(&["mail"], &[notice("a", 0)], 99);
        assert_eq!(letter(&mut outbox, "mail", 140_000), Some(first), "after a restart too");
        assert_eq!(outbox.standings()[0].unsent, 2);
        outbox.sent("mail", 140_000);
        assert_eq!(letter(&mut outbox, "mail", 140_000).unwrap().1, ["b"]);
    }

    #[test]
    fn a_channel_sends_so_many_letters_an_hour_and_gathers_the_rest() {
        let mut outbox = outbox(&["mail"]);
        let mut letters = Vec::new();
        for minute in 0..180 {
            let now_ms = minute * 60_000;
            outbox.put(&[notice(&minute.to_string(), now_ms)]);
            if let Some((_, keys)) = letter(&mut outbox, "mail", now_ms + 20_000) {
                letters.push((minute, keys.len()));
                outbox.sent("mail", now_ms + 20_000);
            }
        }
        let begins: Vec<_> = letters.iter().map(|(minute, _)| *minute).collect();
        assert_eq!(begins, [0, 1, 2, 60, 61, 62, 120, 121, 122]);
        assert_eq!(letters[3].1, LETTER_NOTICES_MAX);
    }

    #[test]
    fn what_does_not_fit_gives_way_and_is_said() {
        let mut outbox = outbox(&["mail"]);
        let many: Vec<_> = (0..NOTICES_MAX + 5).map(|n| notice(&n.to_string(), 0)).collect();
        outbox.put(&many);
        let (_, keys) = letter(&mut outbox, "mail", 15_000).unwrap();
        assert_eq!((keys.len(), keys[0].as_str()), (LETTER_NOTICES_MAX, "5"));
        assert_eq!(outbox.due("mail", 15_000).unwrap().missed, 5);
        outbox.sent("mail", 15_000);
        letter(&mut outbox, "mail", 15_000).unwrap();
        assert_eq!(outbox.due("mail", 15_000).unwrap().missed, 0, "said once");
    }

    #[test]
    fn a_new_channel_hears_what_is_raised_and_a_removed_one_is_forgotten() {
        let mut outbox = outbox(&["mail"]);
        outbox.put(&[notice("a", 0)]);
        outbox.fit(&["chat"], &[notice("raised", 0)], 1);
        assert_eq!(letter(&mut outbox, "mail", 20_000), None);
        assert_eq!(letter(&mut outbox, "chat", 20_000).unwrap().1, ["raised"]);
    }

    #[test]
    fn a_clock_that_goes_back_delays_a_letter_by_an_hour_at_most() {
        let mut outbox = outbox(&["mail"]);
        outbox.put(&[notice("a", 9_000_000_000)]);
        letter(&mut outbox, "mail", 9_000_015_000).unwrap();
        outbox.failed("mail", 9_000_015_000, None, RETRY);
        assert_eq!(letter(&mut outbox, "mail", 1_000), None);
        assert!(letter(&mut outbox, "mail", 1_000 + HOUR_MS).is_some());
    }
}
