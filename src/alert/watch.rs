//! The loop of the alerts: look, judge, remember, send.
//!
//! What this module guarantees:
//! 1. What was told and what waits to be told is durable before a message leaves. When the disk
//!    takes nothing the message leaves all the same: it may be about that.
//! 2. One message of a channel is under way at a time; a channel that fails holds up no other.
//! 3. Nothing here is waited for by anybody.

use super::{
    channel::{Channel, SendFault},
    config::Config,
    desk::{Ask, Listed, MUTE_S_MAX, Reply, Request},
    life::{Alerts, Policy},
    look::{Learned, Looker},
    outbox::{Outbox, Pace},
    rules::{self, Rule},
    view::Reach,
};
use crate::{
    clock::{self, UnixMs},
    delivery::rows,
    metrics::{Messages, page::ChannelPicture},
    retry::Jitter,
    state::{Batch, State},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// Where the book lies in the state.
const BOOK: &[u8] = b"a/book";
/// Where it lies what is usual.
const USUAL: &[u8] = b"a/usual";
/// The longest sleep; a clock that was set is noticed after it at the latest.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// How long a message under way may take when the gateway stops; it is sent again otherwise.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// What is stored at each change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    alerts: Alerts,
    outbox: Outbox,
}

/// What the alerts show of themselves: what is raised, and how the channels stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertsPicture {
    /// What each raised alert is known by, and what it says.
    pub raised: Vec<(String, String)>,
    /// How the channels stand.
    pub channels: Vec<ChannelPicture>,
}

/// What the loop is made of.
#[derive(Debug)]
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The ways to people.
    pub channels: Vec<Channel>,
    /// Where values come from.
    pub looker: Looker,
    /// Where it is kept what was told.
    pub state: State,
    /// Questions of people.
    pub requests: mpsc::Receiver<Request>,
    /// Where it is shown how things stand.
    pub picture: watch::Sender<AlertsPicture>,
    /// Where messages are counted.
    pub messages: Messages,
}

/// The loop.
#[derive(Debug)]
pub struct Watch {
    parts: Parts,
    book: Book,
    /// The book as it lies in the state.
    stored: Vec<u8>,
    unkept: u32,
    in_flight: BTreeSet<String>,
}

/// A message that was sent, or not.
type Sent = (String, Result<(), SendFault>);

enum Event {
    Stop,
    Sent(Option<Sent>),
    Asked(Request),
    Time,
}

impl Watch {
    /// Begins with what was told before.
    pub fn new(mut parts: Parts) -> Self {
        let book: Book = load(&parts.state, BOOK).unwrap_or_default();
        parts.looker.usual = load(&parts.state, USUAL).unwrap_or_default();
        let mut watch =
            Self { parts, book, stored: Vec::new(), unkept: 0, in_flight: BTreeSet::new() };
        let names: Vec<&str> = watch.parts.channels.iter().map(Channel::name).collect();
        let raised = watch.book.alerts.reminders(clock::now().unix_ms());
        watch.book.outbox.fit(&names, &raised, fastrand::u64(1..));
        watch
    }

    /// Runs until told to stop.
    pub async fn run(&mut self, stop: CancellationToken) {
        let mut sends = JoinSet::new();
        self.in_flight.clear();
        let begin = Instant::from_std(clock::now().mono);
        let mut next_look = begin + Duration::from_secs(self.parts.config.quiet_start_s);
        loop {
            self.post(&mut sends).await;
            self.publish();
            let wake = next_look.min(self.next_letter());
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => Event::Stop,
                Some(sent) = sends.join_next() => Event::Sent(sent.ok()),
                Some(request) = self.parts.requests.recv() => Event::Asked(request),
                () = sleep_until(wake) => Event::Time,
            };
            match event {
                Event::Stop => break,
                Event::Sent(sent) => self.sent(sent).await,
                Event::Asked(request) => self.asked(request).await,
                Event::Time if clock::now().mono >= next_look.into_std() => {
                    self.look().await;
                    next_look += Duration::from_secs(self.parts.config.look_s);
                    next_look = next_look.max(Instant::from_std(clock::now().mono));
                }
                Event::Time => {}
            }
        }
        let ending = async {
            while let Some(sent) = sends.join_next().await {
                self.sent(sent.ok()).await;
            }
        };
        // What is not sent by then is sent again at the next start, with the same identity.
        let _ = timeout(STOP_TIME_MAX, ending).await;
        sends.shutdown().await;
    }

    async fn look(&mut self) {
        let now = clock::now();
        let now_ms = now.unix_ms();
        let limits = &self.parts.config.rules;
        let look = self.parts.looker.look(now, limits.learn_weeks);
        let away = look.view.destinations.iter().any(|at| at.reach == Reach::Away);
        if away || self.book.alerts.is_raised(Rule::NoOrders.name()) {
            self.parts.looker.usual.spoil();
        }
        let judged = rules::judge(&look.view, limits);
        let notices = self.book.alerts.step(&judged, now_ms, &self.policy());
        for notice in &notices {
            let (alert, event, what) = (&notice.key, notice.event.name(), &notice.told.what);
            tracing::warn!(alert, event, what, "alert");
        }
        self.book.outbox.put(&notices);
        self.keep().await;
        if look.learned == Learned::Usual {
            self.put(USUAL, rows::write(&self.parts.looker.usual)).await;
        }
    }

    fn policy(&self) -> Policy {
        let config = &self.parts.config;
        Policy {
            for_ms: config.for_s.saturating_mul(1_000),
            clear_ms: config.clear_s.saturating_mul(1_000),
            remind_ms: config.remind_h.saturating_mul(3_600_000),
        }
    }

    fn pace(&self, channel: &Channel) -> Pace {
        let group_ms = self.parts.config.group_s.saturating_mul(1_000);
        Pace { group_ms, letters_per_h_max: channel.letters_per_h_max() }
    }

    /// Sends what is due, in every channel that has nothing under way.
    async fn post(&mut self, sends: &mut JoinSet<Sent>) {
        let now = clock::now();
        let now_ms = now.unix_ms();
        let mut due = Vec::new();
        for channel in &self.parts.channels {
            if self.in_flight.contains(channel.name()) {
                continue;
            }
            self.book.outbox.make(channel.name(), now_ms, self.pace(channel));
            let letter = self.book.outbox.due(channel.name(), now_ms);
            due.extend(letter.map(|letter| (channel.clone(), letter.clone())));
        }
        if due.is_empty() {
            return;
        }
        self.keep().await;
        for (channel, letter) in due {
            self.in_flight.insert(channel.name().to_owned());
            sends.spawn(async move {
                let sent = channel.send(&letter, now).await;
                (channel.name().to_owned(), sent)
            });
        }
    }

    fn next_letter(&self) -> Instant {
        let now = clock::now();
        let idle = self.parts.channels.iter().filter(|at| !self.in_flight.contains(at.name()));
        let next_ms =
            idle.filter_map(|at| self.book.outbox.next_ms(at.name(), self.pace(at))).min();
        let wait = next_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now.unix_ms())));
        Instant::from_std(now.mono) + wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX)
    }

    async fn sent(&mut self, sent: Option<Sent>) {
        let Some((name, result)) = sent else {
            // Which one fell is not known; each is sent again.
            self.in_flight.clear();
            return;
        };
        self.in_flight.remove(&name);
        let now_ms = clock::now().unix_ms();
        match result {
            Ok(()) => {
                let standings = self.book.outbox.standings();
                let failed = standings.iter().any(|at| at.channel == name && at.failures > 0);
                if failed {
                    tracing::info!(channel = name, "alerts can be sent again");
                }
                self.parts.messages.count(&name, "sent");
                self.book.outbox.sent(&name, now_ms);
            }
            Err(fault) => self.failed(&name, &fault, now_ms),
        }
        self.keep().await;
    }

    fn failed(&mut self, name: &str, fault: &SendFault, now_ms: UnixMs) {
        let retry = (self.parts.config.retry, Jitter(fastrand::u8(..)));
        self.parts.messages.count(name, fault.layer.name());
        let failures = self.book.outbox.failed(name, now_ms, fault.retry_after_s, retry);
        let (layer, why) = (fault.layer.name(), &fault.text);
        if failures <= 1 {
            tracing::error!(channel = name, layer, why, "an alert could not be sent; it is kept");
        } else {
            tracing::debug!(channel = name, layer, why, failures, "an alert still waits");
        }
    }

    async fn asked(&mut self, Request { ask, reply }: Request) {
        let answer = self.answer(ask).await;
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }

    async fn answer(&mut self, ask: Ask) -> Result<Reply, String> {
        let alerts = &mut self.book.alerts;
        match ask {
            Ask::List => {
                let (raised, mutes) = (alerts.raised(), alerts.mutes().clone());
                let channels = self.book.outbox.standings();
                return Ok(Reply::Listed(Listed { raised, channels, mutes }));
            }
            Ask::Mute { key, for_s } => {
                let known = Rule::ALL.iter().any(|rule| key.split('/').next() == Some(rule.name()));
                if !known {
                    return Err(format!(
                        "no alert is called {key:?}; `causeway alert list` names them"
                    ));
                }
                if !(1..=MUTE_S_MAX).contains(&for_s) {
                    return Err("nothing is muted for longer than 30 days".to_owned());
                }
                let for_ms = for_s.saturating_mul(1_000);
                alerts.mute(&key, clock::now().unix_ms().saturating_add(for_ms));
            }
            Ask::Unmute { key } if !alerts.unmute(&key) => {
                return Err(format!("{key:?} is not muted"));
            }
            Ask::Unmute { .. } => {}
        }
        self.keep().await;
        Ok(Reply::Done)
    }

    /// Makes the book durable if it changed.
    async fn keep(&mut self) {
        let written = rows::write(&self.book);
        if written.as_ref().is_ok_and(|bytes| *bytes == self.stored) {
            return;
        }
        let bytes = written.as_ref().ok().cloned();
        if self.put(BOOK, written).await {
            self.stored = bytes.unwrap_or_default();
        }
    }

    async fn put(&mut self, key: &[u8], value: Result<Vec<u8>, rows::BadRow>) -> bool {
        let kept = match value {
            Err(fault) => Err(crate::log::chain(&fault)),
            Ok(value) => {
                let mut batch = Batch::new();
                batch.put(key, value);
                let kept = self.parts.state.commit(batch).await;
                kept.map_err(|fault| crate::log::chain(&fault))
            }
        };
        match kept {
            Ok(()) => {
                self.unkept = 0;
                true
            }
            Err(why) => {
                if self.unkept == 0 {
                    tracing::error!(
                        why,
                        "it could not be kept what was told; it may be told twice"
                    );
                }
                self.unkept = self.unkept.saturating_add(1);
                false
            }
        }
    }

    fn publish(&self) {
        let raised = self.book.alerts.raised().into_iter();
        let channels = self.book.outbox.standings().into_iter();
        let fresh = AlertsPicture {
            raised: raised.map(|alert| (alert.key, alert.told.what)).collect(),
            channels: channels
                .map(|at| ChannelPicture {
                    name: at.channel,
                    unsent: at.unsent,
                    failures: at.failures,
                })
                .collect(),
        };
        self.parts.picture.send_if_modified(|shown| {
            let changed = *shown != fresh;
            *shown = fresh;
            changed
        });
    }
}

/// Reads what an earlier start left; what cannot be read is begun anew, and said.
fn load<T: DeserializeOwned>(state: &State, key: &[u8]) -> Option<T> {
    let bytes = match state.get(key) {
        Ok(bytes) => bytes?,
        Err(fault) => {
            tracing::error!(why = crate::log::chain(&fault), "it is not known what was told");
            return None;
        }
    };
    match rows::read(&bytes) {
        Ok(value) => Some(value),
        Err(fault) => {
            tracing::error!(why = crate::log::chain(&fault), "it is not known what was told");
            None
        }
    }
}

#[cfg(test)]
mod tests;
