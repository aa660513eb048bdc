//! Asks the shop what has changed, for ever: a missed webhook costs minutes, never an order.
//!
//! What this module guarantees:
//! 1. The cursor moves only after every order it passes is in the journal; an order may be
//!    written twice, which wakes its case once more.
//! 2. A failure of the shop, the journal or the state is waited out; the cursor stays.
//! 3. An order that cannot be read has its event too, so that its case can tell somebody.
//!
//! What it does not: decide what has changed. [`Poll`] does.

use super::webhook::Topic;
use crate::{
    clock,
    config::Problems,
    connector::{
        Class, Failure,
        xcart::{
            poll::{Cursor, Found, Poll, Then},
            rest::{OrdersQuery, Shop},
            wire::OrderOnPage,
        },
    },
    delivery::{
        events::entity,
        rows::{self, BadRow, CaseKey},
    },
    failpoint,
    ids::{KeyPrefix, OrderKey, OrderNumber},
    journal::{Journal, JournalError, NewEvent},
    metrics::{Received, Reception},
    order::OrderRef,
    retry::{Jitter, RetryPolicy},
    state::{Batch, State, StateError},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use thiserror::Error;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The source of our events, in the journal and in the metrics.
pub const SOURCE: &str = "xcart-poll";
/// Name of the cursor's row.
const CURSOR: &str = "xcart-poll";
/// A longer pause than this is not granted to the shop: it may have meant another unit.
const RETRY_AFTER_S_MAX: u64 = 3_600;
/// So many failures in a row are no hiccup: somebody is told once more, as an error.
const FAILURES_BORNE: u32 = 10;

/// How the shop is polled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default = "Config::house")]
pub struct Config {
    /// Seconds between two polls.
    pub poll_s: u64,
    /// Changes before this are left alone; absent: 24 hours before the first start. It counts
    /// only until the first poll; after that the cursor does.
    pub poll_since: Option<Since>,
    /// Pauses after failures; polling is never given up, so `attempts` does not count.
    pub retry: RetryPolicy,
}

/// A moment, written as in `2026-08-01T00:00:00Z`; in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Since(pub i64);

impl TryFrom<String> for Since {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let read = OffsetDateTime::parse(text.trim(), &Rfc3339);
        let bad = |_| format!("{text:?} is not a time such as 2026-08-01T00:00:00Z");
        read.map(|at| Self(at.unix_timestamp())).map_err(bad)
    }
}

impl Config {
    /// What an absent table or key means.
    pub const fn house() -> Self {
        Self { poll_s: 60, poll_since: None, retry: RetryPolicy::ORDERS }
    }

    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        if !(1..=86_400).contains(&self.poll_s) {
            problems.add(
                format!("{key}.poll_s"),
                format!("{} is not between 1 and 86400", self.poll_s),
                "leave the key out to poll every minute",
            );
        }
    }
}

/// What the poller uses.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Whom it asks.
    pub shop: Shop,
    /// Where events go.
    pub journal: Journal,
    /// Where the cursor lies.
    pub state: State,
    /// Begins the key of an order's case.
    pub prefix: KeyPrefix,
    /// Counts events.
    pub received: Received,
}

/// Polls the shop.
#[derive(Debug)]
pub struct Poller {
    parts: Parts,
    period: Duration,
    since_s: Option<i64>,
    retry: RetryPolicy,
}

/// Why a poll came to nothing. The text continues "could not poll the shop: ".
#[derive(Debug, Error)]
enum Trouble {
    #[error("{0}")]
    Shop(Failure),
    #[error("the journal refused: {0}")]
    Journal(#[from] JournalError),
    #[error("the state store refused: {0}")]
    State(#[from] StateError),
    #[error("{0}")]
    Row(#[from] BadRow),
}

/// The cursor's row as it lies in the state.
enum Stored {
    /// It must be read before going on.
    Unread,
    /// It is this, or is not there.
    Read(Option<Vec<u8>>),
}

/// How the next page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// Whole.
    Whole,
    /// In parts, since the shop fails over one of its orders.
    InParts,
    /// By id from here on.
    ById,
}

/// Where a run stands.
struct Progress {
    poll: Poll,
    stored: Stored,
    asking: Asking,
    /// How many nameless entries the last page had.
    nameless: usize,
    /// Failures in a row.
    failed: u32,
}

/// What the journal keeps of an order: a hint for people; the order is read anew.
#[derive(Serialize)]
struct Body<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_date_s: Option<i64>,
}

impl Poller {
    /// Prepares to poll; nothing is asked.
    pub fn new(parts: Parts, config: &Config) -> Self {
        let Config { poll_s, poll_since, retry } = config;
        let period = Duration::from_secs(*poll_s);
        Self { parts, period, since_s: poll_since.map(|since| since.0), retry: *retry }
    }

    /// Polls until stopped. What is being written then is finished first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut progress = Progress {
            poll: Poll::new(None, self.since_s),
            stored: Stored::Unread,
            asking: Asking::Whole,
            nameless: 0,
            failed: 0,
        };
        loop {
            let asked = stop.run_until_cancelled(self.ask(&mut progress)).await;
            let turned = match asked {
                None => return,
                Some(Ok(page)) => self.keep(&mut progress, &page).await,
                Some(Err(trouble)) => Err(trouble),
            };
            let pause = match turned {
                Ok(then) => self.went_well(&mut progress, then),
                Err(trouble) => self.went_wrong(&mut progress, &trouble),
            };
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn ask(&self, progress: &mut Progress) -> Result<Vec<OrderOnPage>, Trouble> {
        if let Stored::Unread = progress.stored {
            let row = self.parts.state.get(&rows::cursor(CURSOR))?;
            let cursor = row.as_deref().map(rows::read::<Cursor>).transpose()?;
            progress.poll = progress.poll.clone().resumed(cursor);
            progress.stored = Stored::Read(row);
        }
        if progress.asking == Asking::ById {
            self.go_on_by_id(progress).await?;
            progress.asking = Asking::Whole;
        }
        let query = progress.poll.query(clock::now());
        let failure = match self.parts.shop.orders_changed(query).await {
            Ok(page) => {
                progress.asking = Asking::Whole;
                return Ok(page);
            }
            Err(failure) => failure,
        };
        if failure.code != "HTTP 500" {
            return Err(Trouble::Shop(failure));
        }
        if progress.asking != Asking::InParts {
            progress.asking = Asking::InParts;
            return Err(Trouble::Shop(failure));
        }
        if !progress.poll.keeps_places() {
            self.go_on_by_id(progress).await?;
        }
        self.ask_singly(progress.poll.query(clock::now()), failure).await
    }

    /// Reads what is left of a poll by id, in which no order can slip between two pages.
    async fn go_on_by_id(&self, progress: &mut Progress) -> Result<(), Trouble> {
        let newest_s = self.parts.shop.newest_change().await.map_err(Trouble::Shop)?;
        progress.poll = progress.poll.clone().by_id(newest_s, clock::now());
        Ok(())
    }

    /// Steps over orders that break the shop (reference/xcart.md 12), unless all of them do.
    async fn ask_singly(
        &self,
        query: OrdersQuery,
        failure: Failure,
    ) -> Result<Vec<OrderOnPage>, Trouble> {
        let page = self.parts.shop.orders_one_by_one(query).await.map_err(Trouble::Shop)?;
        let broken = !page.is_empty() && page.iter().all(|entry| entry.id().is_none());
        if broken { Err(Trouble::Shop(failure)) } else { Ok(page) }
    }

    /// Puts what is new into the journal, and then moves the cursor.
    async fn keep(&self, progress: &mut Progress, page: &[OrderOnPage]) -> Result<Then, Trouble> {
        let Parts { shop: _, journal, state, prefix: _, received } = &self.parts;
        let now = clock::now();
        let step = progress.poll.take(page, now);
        let events = step.found.iter().map(|found| event(found, now.unix_ms())).collect();
        if let Err(error) = journal.append_all(events).await {
            received.count(SOURCE, Reception::Busy);
            return Err(error.into());
        }
        step.found.iter().for_each(|_| received.count(SOURCE, Reception::Accepted));
        let row = step.poll.cursor().map(rows::write).transpose()?;
        let mut batch = self.links(&step.found)?;
        if let (Some(row), Stored::Read(old)) = (&row, &progress.stored)
            && old.as_ref() != Some(row)
        {
            batch.expect(rows::cursor(CURSOR), old.as_deref());
            batch.put(rows::cursor(CURSOR), row.clone());
        }
        failpoint::pass("poll.journaled");
        if !batch.is_empty()
            && let Err(error) = state.commit(batch).await
        {
            progress.stored = Stored::Unread;
            return Err(error.into());
        }
        tracing::debug!(entries = page.len(), found = step.found.len(), then = ?step.then, "polled");
        if progress.poll.is_filtered() != step.poll.is_filtered() {
            let filtered = step.poll.is_filtered();
            tracing::info!(filtered, "whether the shop filters orders by their last change");
        }
        if step.nameless != progress.nameless && step.nameless > 0 {
            let entries = step.nameless;
            received.count(SOURCE, Reception::Unreadable);
            tracing::warn!(entries, "the shop lists orders that cannot be read and have no id");
        }
        progress.nameless = step.nameless;
        progress.stored = Stored::Read(row);
        progress.poll = step.poll;
        Ok(step.then)
    }

    /// Says which case an order id belongs to, so that an event that names only the id finds it.
    fn links(&self, found: &[Found]) -> Result<Batch, Trouble> {
        let mut batch = Batch::new();
        for Found { id, number, updated_s: _ } in found {
            let Some(number) = number else { continue };
            if self.parts.state.get(&rows::by_id(*id))?.is_none() {
                let key = CaseKey::of_order(&OrderKey::of(&self.parts.prefix, number));
                batch.put(rows::by_id(*id), key.as_str());
            }
        }
        Ok(batch)
    }

    fn went_well(&self, progress: &mut Progress, then: Then) -> Duration {
        if progress.failed > 0 {
            tracing::info!(failures = progress.failed, "the shop is polled again");
            progress.failed = 0;
        }
        match then {
            Then::Again => Duration::ZERO,
            Then::ById => {
                progress.asking = Asking::ById;
                Duration::ZERO
            }
            Then::Rest => self.period,
            Then::Endless => {
                tracing::error!("the shop's pages of orders have no end; the cursor stays");
                self.period
            }
        }
    }

    fn went_wrong(&self, progress: &mut Progress, trouble: &Trouble) -> Duration {
        progress.failed = progress.failed.saturating_add(1);
        let failures = progress.failed;
        let wait = self.retry.wait_however_long(failures, Jitter(fastrand::u8(..)));
        let pause = wait.max(trouble.asked());
        let retry_ms = clock::millis(pause);
        match (failures, trouble.needs_a_person()) {
            (1, true) | (FAILURES_BORNE, _) => {
                tracing::error!(failures, retry_ms, why = %trouble, "could not poll the shop");
            }
            (1, false) => tracing::warn!(retry_ms, why = %trouble, "could not poll the shop"),
            _ => tracing::debug!(failures, retry_ms, why = %trouble, "could not poll the shop"),
        }
        pause
    }
}

impl Trouble {
    /// How long the shop asks us to stay away.
    fn asked(&self) -> Duration {
        match self {
            Self::Shop(failure) => {
                let asked_s = failure.retry_after_s.unwrap_or(0);
                Duration::from_secs(asked_s.min(RETRY_AFTER_S_MAX))
            }
            Self::Journal(_) | Self::State(_) | Self::Row(_) => Duration::ZERO,
        }
    }

    /// Whether it will hardly pass by itself.
    fn needs_a_person(&self) -> bool {
        match self {
            Self::Shop(failure) => {
                matches!(failure.class, Class::Unauthorized | Class::Forbidden | Class::Config)
            }
            Self::Row(_) => true,
            Self::Journal(_) | Self::State(_) => false,
        }
    }
}

fn event(found: &Found, received_ms: u64) -> NewEvent {
    let Found { id, number, updated_s } = found;
    // An older shop cannot read an order by its number (reference/xcart.md 3.1).
    let order = OrderRef::Id(*id);
    let body = Body {
        id: *id,
        order_number: number.as_ref().map(OrderNumber::as_str),
        update_date_s: *updated_s,
    };
    let updated = updated_s.map(|at| at.to_string()).unwrap_or_default();
    NewEvent {
        source: SOURCE.to_owned(),
        topic: Topic::OrderUpdated.wire().to_owned(),
        entity: entity(&order),
        delivery: Sha256::digest(format!("poll\0{id}\0{updated}")).into(),
        received_ms,
        // Numbers and a text are written as JSON without fail.
        body: serde_json::to_vec(&body).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connector::{
            Fate,
            stub::{Reply, Stub},
        },
        journal::{self, Committer, Event, Seq},
        secret::Secret,
        state,
    };
    use std::path::Path;
    use tempfile::TempDir;
    use tokio::time::timeout;

    const HTML: &str = "<html>Internal Server Error</html>";
    const TIME_MAX: Duration = Duration::from_secs(20);

    fn order(id: u64, second: u8) -> String {
        format!(
            r#"{{"id":{id},"order_number":"N{id}","total":1,"sub_total":1,"items":[],"currency":"EUR","update_date":"2024-05-01T12:34:{second:02}+0000"}}"#
        )
    }

    fn page(orders: &[String]) -> Reply {
        Reply::json(200, &format!("[{}]", orders.join(",")))
    }

    fn journal(folder: &Path, free_bytes_min: u64) -> (Journal, Committer) {
        let text = format!("free_bytes_min = {free_bytes_min}");
        let config: journal::Config = toml::from_str(&text).unwrap();
        Journal::open(folder, &config).unwrap()
    }

    /// A shop that plays replies, and a journal and a state on a real disk.
    struct Stage {
        stub: Stub,
        parts: Parts,
        _committers: (Committer, Committer),
        folder: TempDir,
    }

    impl Stage {
        async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
            let stub = Stub::start(replies).await;
            let folder = TempDir::new().unwrap();
            let (journal, first) = journal(&folder.path().join("journal"), 0);
            let config: state::Config = toml::from_str("free_bytes_min = 0").unwrap();
            let (state, second) = State::open(&folder.path().join("state"), &config).unwrap();
            let settings = format!(
                "base_url = \"{}\"\ndialect = \"5.5\"\ncredential = \"shop\"\nhttp = {{ call_ms_max = 5000 }}\n\
                 gate = {{ calls_per_s_max = 1000, burst_max = 1000 }}",
                stub.url()
            );
            let settings = toml::from_str(&settings).unwrap();
            let shop = Shop::new(settings, &Secret::new("s3cret")).unwrap();
            let prefix = KeyPrefix::try_from("X".to_owned()).unwrap();
            let parts = Parts { shop, journal, state, prefix, received: Received::default() };
            Self { stub, parts, _committers: (first, second), folder }
        }

        /// Runs a fresh poller on these parts until something holds.
        async fn run_until(&self, what: &str, holds: impl Fn() -> bool) {
            let config = toml::from_str(
                "poll_since = \"2024-05-01T00:00:00Z\"\n\
                 retry = { first_ms = 1, cap_ms = 5, attempts = 1 }",
            );
            let mut poller = Poller::new(self.parts.clone(), &config.unwrap());
            poller.period = Duration::from_millis(5);
            let stop = CancellationToken::new();
            let watch = async {
                let deadline = clock::now().mono + TIME_MAX;
                while !holds() {
                    assert!(clock::now().mono < deadline, "never came true: {what}");
                    sleep(Duration::from_millis(2)).await;
                }
                stop.cancel();
            };
            tokio::join!(poller.run(stop.clone()), watch);
        }

        fn events(&self) -> Vec<Event> {
            self.parts.journal.read(Seq(1), 1_000, 1_000_000).unwrap()
        }

        fn entities(&self) -> Vec<String> {
            self.events().into_iter().map(|event| event.entity).collect()
        }

        fn watermark_s(&self) -> Option<i64> {
            let row = self.parts.state.get(&rows::cursor(CURSOR)).unwrap();
            row.map(|row| rows::read::<Cursor>(&row).unwrap().watermark_s())
        }
    }

    #[tokio::test]
    async fn changed_orders_become_events_and_a_restart_goes_on_from_the_cursor() {
        let (one, two, three) = (order(1, 10), order(2, 20), order(3, 21));
        let stage = Stage::new([
            page(&[one.clone(), two.clone()]),
            page(std::slice::from_ref(&two)),
            page(&[two.clone(), three.clone()]),
        ])
        .await;
        stage.run_until("three orders", || stage.watermark_s() == Some(1_714_566_861)).await;
        assert_eq!(stage.entities(), ["id:1", "id:2", "id:2", "id:3"]);
        let first = &stage.events()[0];
        assert_eq!((first.source.as_str(), first.topic.as_str()), (SOURCE, "order.updated"));
        let body = r#"{"id":1,"order_number":"N1","update_date_s":1714566850}"#;
        assert_eq!(std::str::from_utf8(&first.body), Ok(body));
        assert_ne!(first.delivery, stage.events()[1].delivery);
        let link = stage.parts.state.get(&rows::by_id(3)).unwrap().unwrap();
        let number = "N3".try_into().unwrap();
        let key = OrderKey::of(&stage.parts.prefix, &number);
        assert_eq!(link, key.as_str().as_bytes());

        stage.stub.asked();
        stage.stub.play([page(&[two, three, order(4, 22)])]);
        stage.run_until("a fourth", || stage.watermark_s() == Some(1_714_566_862)).await;
        let again = &stage.entities()[4..];
        assert_eq!(again, ["id:3", "id:4"], "the newest once more, in case it was saved again");
        let lines: Vec<_> = stage.stub.asked().into_iter().map(|asked| asked.line).collect();
        let after = "lastRenewDate%5Bafter%5D=2024-05-01T12%3A32%3A21Z";
        assert!(lines.iter().any(|line| line.contains(after)), "{lines:?}");
    }

    #[tokio::test]
    async fn a_full_journal_holds_the_cursor() {
        let mut stage = Stage::new([page(&[order(1, 10)]), page(&[order(1, 10)])]).await;
        let (full, _committer) = journal(&stage.folder.path().join("full"), u64::MAX / 4);
        let good = std::mem::replace(&mut stage.parts.journal, full);
        let asked = std::cell::Cell::new(0);
        let tried = || {
            asked.set(asked.get() + stage.stub.asked().len());
            asked.get() >= 4
        };
        stage.run_until("several tries", tried).await;
        assert_eq!((stage.watermark_s(), stage.entities().len()), (None, 0));
        stage.parts.journal = good;
        stage.stub.play([page(&[order(1, 10)])]);
        stage.run_until("room", || stage.watermark_s().is_some()).await;
        assert_eq!(stage.entities(), ["id:1"]);
    }

    #[tokio::test]
    async fn failures_are_waited_out_and_an_order_that_breaks_the_shop_is_stepped_over() {
        let unreadable = r#"{"id":7,"update_date":"2024-05-01T12:34:12+0000"}"#.to_owned();
        let broken = |times| std::iter::repeat_with(|| Reply::json(500, HTML)).take(times);
        let replies = [Reply::json(503, HTML), Reply::HangUp, Reply::json(200, HTML)]
            .into_iter()
            // The page twice, then the newest order, then its first part four times.
            .chain(broken(2))
            .chain([page(&[order(1, 10)])])
            .chain(broken(4))
            .chain([page(&[order(1, 10)])])
            .chain(broken(4))
            .chain([page(&[unreadable]), page(&[])]);
        let stage = Stage::new(replies.collect::<Vec<_>>()).await;
        stage.run_until("the rest of the page", || stage.watermark_s().is_some()).await;
        assert_eq!(stage.entities(), ["id:1", "id:7"]);
        assert_eq!(stage.parts.state.get(&rows::by_id(7)).unwrap(), None);
    }

    #[tokio::test]
    async fn an_older_shop_is_read_from_its_newest_order() {
        let old = order(1, 10).replace("2024-05", "2023-05");
        let newest = || page(&[order(2, 20), order(1, 10).replace("2024-05", "2023-05")]);
        let stage = Stage::new([page(&[old, order(2, 20)]), newest(), newest()]).await;
        stage.run_until("the newest", || stage.watermark_s() == Some(1_714_566_860)).await;
        assert_eq!(stage.entities(), ["id:2"]);
        let lines: Vec<_> = stage.stub.asked().into_iter().map(|asked| asked.line).collect();
        assert!(lines[1].ends_with("order%5BlastRenewDate%5D=desc"), "{lines:?}");
    }

    #[tokio::test]
    async fn a_shop_that_says_nothing_does_not_hold_up_the_end() {
        let stage = Stage::new([Reply::Silence]).await;
        let poller = Poller::new(stage.parts.clone(), &Config::house());
        let stop = CancellationToken::new();
        let asked = async {
            while stage.stub.asked().is_empty() {
                sleep(Duration::from_millis(2)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(poller.run(stop.clone()), asked) };
        timeout(Duration::from_secs(4), both).await.unwrap();
    }

    #[test]
    fn the_shop_may_ask_for_a_pause_within_reason() {
        for (asked_s, want_s) in [(None, 0), (Some(30), 30), (Some(90_000), 3_600)] {
            let failure = Failure::new(Fate::NotDone, Class::Unavailable, "maintenance");
            let trouble = Trouble::Shop(failure.with_retry_after_s(asked_s));
            assert_eq!(trouble.asked().as_secs(), want_s, "{asked_s:?}");
        }
    }

    #[test]
    fn settings_are_taken_or_refused_by_name() {
        let table = [
            ("", None),
            ("poll_s = 5\npoll_since = \"2026-08-01T02:00:00+02:00\"", None),
            ("poll_s = 0", Some("poll.poll_s")),
            ("poll_since = \"yesterday\"", Some("is not a time such as")),
            ("poll_minutes = 1", Some("poll_minutes")),
        ];
        for (text, want) in table {
            let told = match toml::from_str::<Config>(text) {
                Ok(config) => {
                    let mut problems = Problems::default();
                    config.check("poll", &mut problems);
                    problems.to_string()
                }
                Err(error) => error.to_string(),
            };
            match want {
                None => assert_eq!(told, "", "{text}"),
                Some(want) => assert!(told.contains(want), "{text}: {told}"),
            }
        }
        let since = Since::try_from("2026-08-01T02:00:00+02:00".to_owned());
        assert_eq!(since, Ok(Since(1_785_542_400)));
    }

    #[test]
    fn an_order_is_named_by_its_id_whatever_its_number() {
        for number in ["7", &"7".repeat(255), &"№".repeat(200)] {
            let found = Found { id: 9, number: number.try_into().ok(), updated_s: None };
            assert_eq!(event(&found, 0).entity, "id:9");
        }
    }
}
