//! The gateway's numbers, and the small page that shows them.
//!
//! What this module guarantees:
//! 1. Counters are counted where things happen; everything that is a state is
//!    taken from one [`Picture`] at the moment it is asked for, so a number is
//!    never kept twice.
//! 2. Label values come from the configuration or from closed sets, never from
//!    what a stranger sent, so their number is bounded.
//! 3. The page has no script, no external resource and no personal data.

mod flows;
pub mod page;
pub mod server;

use page::Picture;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use serde::Deserialize;
use std::{
    fmt, fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

/// Where the page is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on; reachable from this machine only, unless set otherwise.
    #[serde(default = "Config::listen")]
    pub listen: SocketAddr,
}

impl Config {
    const fn listen() -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464)
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Reception {
    /// It is on disk.
    Accepted,
    /// It was on disk.
    Repeated,
    /// The signature was not good.
    Unproven,
    /// It could not be understood.
    Unreadable,
    /// Its path is nobody's.
    NoSuchPath,
    /// Its method was not POST.
    NotPost,
    /// A newer variation of it was taken before.
    Stale,
    /// Its body was over the limit.
    TooLarge,
    /// Its body did not come in time, or not whole.
    TooSlow,
    /// There was no room.
    Busy,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceivedLabels {
    source: String,
    result: Reception,
}

/// Counts deliveries.
#[derive(Clone, Debug, Default)]
pub struct Received(Family<ReceivedLabels, Counter>);

impl Received {
    /// Counts one. `source` must be a configured name or a constant.
    pub fn count(&self, source: &str, result: Reception) {
        self.0.get_or_create(&ReceivedLabels { source: source.to_owned(), result }).inc();
    }

    /// Returns how many were counted.
    pub fn counted(&self, source: &str, result: Reception) -> u64 {
        self.0.get_or_create(&ReceivedLabels { source: source.to_owned(), result }).get()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeardLabels {
    noun: &'static str,
    result: &'static str,
}

/// Counts the documents of ION by what they came to.
#[derive(Clone, Debug, Default)]
pub struct Heard(Family<HeardLabels, Counter>);

impl Heard {
    /// Counts one.
    pub fn count(&self, noun: &'static str, result: &'static str) {
        self.0.get_or_create(&HeardLabels { noun, result }).inc();
    }

    /// Returns how many were counted.
    pub fn counted(&self, noun: &'static str, result: &'static str) -> u64 {
        self.0.get_or_create(&HeardLabels { noun, result }).get()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    destination: String,
    class: &'static str,
}

/// Counts calls to other systems.
#[derive(Clone, Debug, Default)]
pub struct Calls(Family<CallLabels, Counter>);

impl Calls {
    /// Counts one. `class` is `ok` or the class of its failure.
    pub fn count(&self, destination: &str, class: &'static str) {
        self.0.get_or_create(&CallLabels { destination: destination.to_owned(), class }).inc();
    }

    /// Returns how many were counted.
    pub fn counted(&self, destination: &str, class: &'static str) -> u64 {
        self.0.get_or_create(&CallLabels { destination: destination.to_owned(), class }).get()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    channel: String,
    result: &'static str,
}

/// Counts messages to people.
#[derive(Clone, Debug, Default)]
pub struct Messages(Family<MessageLabels, Counter>);

impl Messages {
    /// Counts one attempt. `result` is `sent` or the layer at which it failed.
    pub fn count(&self, channel: &str, result: &'static str) {
        self.0.get_or_create(&MessageLabels { channel: channel.to_owned(), result }).inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabels {
    channel: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabels {
    flow: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabels {
    destination: String,
}

/// Everything the gateway counts. A handle: clones count together.
#[derive(Clone)]
pub struct Metrics {
    /// Deliveries by source and result.
    pub received: Received,
    /// Calls by destination and class.
    pub calls: Calls,
    /// Orders whose confirmation in M3 is known.
    pub confirmed: Counter,
    /// Messages to people by channel and result.
    pub messages: Messages,
    /// Documents of ION by noun and result.
    pub heard: Heard,
    states: States,
    registry: Arc<Mutex<Registry>>,
}

/// What is set from the picture.
#[derive(Clone, Debug, Default)]
struct States {
    runs: Family<StageLabels, Gauge>,
    breakers: Family<BreakerLabels, Gauge>,
    pauses: Family<BreakerLabels, Gauge>,
    rates: Family<BreakerLabels, Gauge>,
    parked: Gauge,
    oldest_waiting: Gauge,
    journal_first: Gauge,
    journal_next: Gauge,
    journal_bytes: Gauge,
    journal_lost: Gauge,
    journal_quarantined: Gauge,
    resident: Gauge,
    goods_polled: Family<FlowLabels, Gauge>,
    goods_waiting: Gauge,
    goods_refused: Gauge,
    goods_unknown: Gauge,
    goods_written: Gauge,
    goods_missing: Gauge,
    goods_made: Gauge,
    flows: flows::Flows,
    alerts: Gauge,
    unsent: Family<ChannelLabels, Gauge>,
}

impl Metrics {
    /// Starts at zero.
    pub fn new() -> Self {
        let metrics = Self {
            received: Received::default(),
            calls: Calls::default(),
            confirmed: Counter::default(),
            messages: Messages::default(),
            heard: Heard::default(),
            states: States::default(),
            registry: Arc::new(Mutex::new(Registry::with_prefix("causeway"))),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let Self { received, calls, confirmed, messages, heard, states, registry: _ } = self;
        registry.register("events_received", "Deliveries by source and result", received.0.clone());
        registry.register("calls", "Calls by destination and class", calls.0.clone());
        let told = "Documents of ION by noun and result";
        registry.register("ion_documents", told, heard.0.clone());
        registry.register("orders_confirmed", "Orders confirmed in M3", confirmed.clone());
        registry.register("runs", "Flow runs by stage", states.runs.clone());
        let told = "State of the circuit breaker: 0 closed, 1 trying, 2 open";
        registry.register("breaker_state", told, states.breakers.clone());
        let told = "Time left of a pause that a system asked for with 429";
        let pauses = states.pauses.clone();
        registry.register_with_unit("call_pause", told, Unit::Seconds, pauses);
        let told = "Thousandths of calls_per_s_max that are used; less after 429";
        registry.register("call_rate_permille", told, states.rates.clone());
        registry.register("parked", "Runs a person must look at", states.parked.clone());
        let told = "Age of the oldest run that waits";
        let oldest = states.oldest_waiting.clone();
        registry.register_with_unit("oldest_waiting", told, Unit::Seconds, oldest);
        let first = states.journal_first.clone();
        registry.register("journal_first", "Oldest sequence number kept", first);
        let next = states.journal_next.clone();
        registry.register("journal_next", "Next sequence number", next);
        let bytes = states.journal_bytes.clone();
        registry.register_with_unit("journal", "Size of the journal", Unit::Bytes, bytes);
        let lost = states.journal_lost.clone();
        registry.register("journal_lost", "Events recorded as lost", lost);
        let aside = states.journal_quarantined.clone();
        registry.register("journal_quarantined", "Damaged segments put aside", aside);
        let told = "Messages to people by channel and result";
        registry.register("alert_messages", told, messages.0.clone());
        registry.register("alerts_raised", "Alerts that are raised", states.alerts.clone());
        let told = "Notices that a channel has not taken yet";
        registry.register("alert_unsent", told, states.unsent.clone());
        let told = "When M3 was last asked, since 1970, by flow";
        let polled = states.goods_polled.clone();
        registry.register_with_unit("goods_polled", told, Unit::Seconds, polled);
        let told = "Items that wait to be compared or written to the shop";
        registry.register("goods_waiting", told, states.goods_waiting.clone());
        let told = "Goods whose change the shop refuses";
        registry.register("goods_refused", told, states.goods_refused.clone());
        let told = "Goods of the shop that M3 does not know";
        registry.register("goods_unknown", told, states.goods_unknown.clone());
        let told = "Changes of goods that the shop took since the start";
        registry.register("goods_written", told, states.goods_written.clone());
        let told = "Items that should have a product in the shop and have none";
        registry.register("goods_missing", told, states.goods_missing.clone());
        let told = "Products that were made since the start";
        registry.register("goods_made", told, states.goods_made.clone());
        states.flows.register(&mut registry);
        let resident = states.resident.clone();
        let told = "Memory of the process that is in RAM";
        registry.register_with_unit("process_resident_memory", told, Unit::Bytes, resident);
    }

    /// Writes everything in the text format of Prometheus.
    pub fn render(&self, picture: &Picture) -> Result<String, fmt::Error> {
        // The lock keeps two readers from seeing each other's half-set gauges.
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        self.states.set(picture);
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        drop(registry);
        Ok(out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl States {
    fn set(&self, picture: &Picture) {
        self.runs.clear();
        for (stage, count) in &picture.stages {
            let labels = StageLabels { stage: stage.clone() };
            self.runs.get_or_create(&labels).set(gauge(*count));
        }
        for family in [&self.breakers, &self.pauses, &self.rates] {
            family.clear();
        }
        for destination in &picture.destinations {
            let labels = BreakerLabels { destination: destination.name.clone() };
            self.breakers.get_or_create(&labels).set(destination.breaker.number());
            self.pauses.get_or_create(&labels).set(gauge(destination.paused_s));
            self.rates.get_or_create(&labels).set(i64::from(destination.rate_permille));
        }
        self.parked.set(gauge(picture.parked));
        self.oldest_waiting.set(gauge(picture.oldest_waiting_s));
        self.journal_first.set(gauge(picture.journal.first));
        self.journal_next.set(gauge(picture.journal.next));
        self.journal_bytes.set(gauge(picture.journal.bytes));
        self.journal_lost.set(gauge(picture.journal.lost));
        let aside = u64::try_from(picture.journal.aside).unwrap_or(u64::MAX);
        self.journal_quarantined.set(gauge(aside));
        let goods = picture.goods.unwrap_or_default();
        self.goods_polled.clear();
        let flows =
            [("stock", goods.stock_ms), ("prices", goods.prices_ms), ("items", goods.items_ms)];
        for (flow, at_ms) in flows {
            if at_ms > 0 {
                self.goods_polled.get_or_create(&FlowLabels { flow }).set(gauge(at_ms / 1_000));
            }
        }
        self.goods_waiting.set(gauge(goods.waiting));
        self.goods_refused.set(gauge(goods.refused));
        self.goods_unknown.set(gauge(goods.unknown));
        self.goods_written.set(gauge(goods.written));
        self.goods_missing.set(gauge(goods.missing));
        self.goods_made.set(gauge(goods.made));
        self.flows.set(picture);
        self.alerts.set(gauge(u64::try_from(picture.alerts.len()).unwrap_or(u64::MAX)));
        self.unsent.clear();
        for channel in &picture.channels {
            let labels = ChannelLabels { channel: channel.name.clone() };
            self.unsent.get_or_create(&labels).set(gauge(channel.unsent));
        }
        self.resident.set(gauge(resident_bytes().unwrap_or(0)));
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Reads the kernel's own sum; `statm` would need the size of a page.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::{
        page::{Breaker, ChannelPicture, Destination, JournalPicture},
        *,
    };

    #[test]
    fn counters_and_the_picture_appear_under_their_names() {
        let metrics = Metrics::new();
        metrics.received.count("shop", Reception::Accepted);
        metrics.received.count("shop", Reception::Accepted);
        metrics.calls.count("m3", "timed_out");
        metrics.confirmed.inc();
        metrics.messages.count("ops", "sent");
        let picture = Picture {
            stages: vec![("lines".to_owned(), 3)],
            parked: 1,
            oldest_waiting_s: 77,
            journal: JournalPicture { first: 5, next: 9, bytes: 1_000, lost: 2, aside: 1 },
            destinations: vec![Destination {
                name: "m3".to_owned(),
                breaker: Breaker::Open,
                paused_s: 7,
                rate_permille: 500,
            }],
            alerts: vec![("disk".to_owned(), "nearly full".to_owned())],
            channels: vec![ChannelPicture { name: "ops".to_owned(), unsent: 4, failures: 2 }],
            ..Picture::default()
        };
        let told = metrics.render(&picture).unwrap();
        let wanted = [
            "causeway_events_received_total{source=\"shop\",result=\"Accepted\"} 2",
            "causeway_calls_total{destination=\"m3\",class=\"timed_out\"} 1",
            "causeway_orders_confirmed_total 1",
            "causeway_runs{stage=\"lines\"} 3",
            "causeway_parked 1",
            "causeway_oldest_waiting_seconds 77",
            "causeway_journal_next 9",
            "causeway_journal_bytes 1000",
            "causeway_journal_lost 2",
            "causeway_journal_quarantined 1",
            "causeway_breaker_state{destination=\"m3\"} 2",
            "causeway_alert_messages_total{channel=\"ops\",result=\"sent\"} 1",
            "causeway_alerts_raised 1",
            "causeway_alert_unsent{channel=\"ops\"} 4",
            "causeway_call_pause_seconds{destination=\"m3\"} 7",
            "causeway_call_rate_permille{destination=\"m3\"} 500",
        ];
        for line in wanted {
            assert!(told.lines().any(|told| told == line), "{line}\n{told}");
        }
        let resident = told.lines().find(|line| line.starts_with("causeway_process_resident"));
        assert!(resident.is_some_and(|line| !line.ends_with(" 0")), "{told}");
    }

    #[test]
    fn a_stage_nobody_is_in_any_more_disappears() {
        let metrics = Metrics::new();
        let picture = Picture { stages: vec![("lines".to_owned(), 3)], ..Picture::default() };
        metrics.render(&picture).unwrap();
        let told = metrics.render(&Picture::default()).unwrap();
        assert!(!told.contains("stage=\"lines\""), "{told}");
    }
}
