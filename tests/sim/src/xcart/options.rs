//! What can be set on the shop: its goods, quirks, weather and webhooks.

mod legacy;

pub use legacy::{DateFilter, Depth, Legacy};

use crate::{catalogue::Item, weather::Weather};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use time::OffsetDateTime;
use tokio::time::Instant;

/// Customers with an account when nobody says how many.
const CUSTOMERS_BY_DEFAULT: u64 = 40;
/// So many goods has a shop that was not told otherwise.
pub const ITEMS_BY_DEFAULT: usize = 200;

/// Everything a shop starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The same seed gives the same shop and the same orders.
    pub seed: u64,
    /// What goes wrong with calls of the API.
    pub weather: Weather,
    /// In which ways this shop is odd.
    pub quirks: Quirks,
    /// Its goods; orders are for these.
    pub items: Vec<Item>,
    /// How many customers have an account.
    pub customers: u64,
    /// The token that may only read; an empty one never matches.
    pub read_token: String,
    /// The token that may do everything; an empty one never matches.
    pub write_token: String,
    /// The certificate the shop shows; it speaks plain HTTP without one.
    pub tls: Option<rustls::ServerConfig>,
    /// Where events are told, if anywhere.
    pub webhook: Option<WebhookTarget>,
    /// How many orders of a thousand cannot be imported, each with its defect in the books.
    pub defects_permille: u32,
    /// How many orders of a thousand are placed unpaid (Q).
    pub awaiting_permille: u32,
    /// When those are paid; never by themselves if there is no time.
    pub pays_after_ms: Option<u64>,
    /// What the shop takes for the present.
    pub clock: Clock,
    /// Its kind, if it is one of 5.0 to 5.4; its two tokens are that one's keys.
    pub legacy: Option<Legacy>,
}

impl Options {
    /// A sound 5.5.1 shop in calm weather without webhooks.
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            weather: Weather::calm(),
            quirks: Quirks::calm(),
            items: crate::catalogue::items(seed, ITEMS_BY_DEFAULT),
            customers: CUSTOMERS_BY_DEFAULT,
            read_token: "read-token-of-the-simulated-shop".to_owned(),
            write_token: "write-token-of-the-simulated-shop".to_owned(),
            tls: None,
            webhook: None,
            defects_permille: 0,
            awaiting_permille: 0,
            pays_after_ms: None,
            clock: Clock::wall(),
            legacy: None,
        }
    }

    /// Everything on: storm, oddities, defects, orders that are paid later.
    pub fn storm(seed: u64) -> Self {
        Self {
            weather: Weather::storm(),
            quirks: Quirks::storm(),
            defects_permille: 15,
            awaiting_permille: 100,
            pays_after_ms: Some(400),
            ..Self::calm(seed)
        }
    }
}

/// The ways in which shops differ (reference/xcart.md 2.3, 3.2, 3.3, 3.4, 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The `lastRenewDate` ranges of 5.5.1; 5.5.0 ignores them in silence.
    pub last_renew_date_filter: bool,
    /// `by_number` answers 404, as before 5.5.0.10.
    pub by_number_broken: bool,
    /// Tracking numbers can be written: the extension, not X-Cart.
    pub tracking_extension: bool,
    /// `POST .../notes` exists: an extension, too.
    pub note_extension: bool,
    /// A transaction's status is the name of its method.
    pub transaction_status_bug: bool,
    /// Totals are sums of floats that nobody rounded.
    pub float_noise: bool,
    /// Some unit prices have four decimals; sums are rounded once, at the end.
    pub fine_prices: bool,
    /// Module fields come and go in the order object.
    pub module_fields: bool,
    /// So many orders of a thousand are placed without a shipping status; their status end
    /// point answers 500.
    pub null_status_permille: u32,
    /// So many orders of a thousand break every page that shows them beside others; alone on
    /// a page and by their own end points they can be read.
    pub broken_order_permille: u32,
    /// Whether such an order cannot be read at all; then it cannot be imported.
    pub broken_single_too: bool,
    /// Orders with equal sort keys change places from call to call.
    pub ties_shuffled: bool,
    /// A PUT of a profile must hold its login and its password, null included.
    pub strict_profiles: bool,
    /// A profile says whether it is a guest's (`anonymous`); whether a shop lists these, and says so, is not
    /// known (reference/xcart.md 3.2).
    pub marks_guests: bool,
    /// As in 5.6 a tax class is written by its id (reference/xcart.md 10); it is shown so, too, which is not known.
    pub classes_by_id: bool,
    /// A product that stands in a category is refused there a second time; nobody says what it does.
    pub standing_once: bool,
    /// Error bodies carry a trace, as on a shop left in debug mode.
    pub debug: bool,
    /// Wholesale prices: a module that a shop may not have.
    pub wholesale_module: bool,
    /// A wholesale price from 1 piece on is taken; the least is 2 without it. The default of 5.5 is 2, and
    /// nobody says what it does with 1.
    pub wholesale_from_one: bool,
}

impl Quirks {
    /// X-Cart 5.5.1 as it is.
    pub fn calm() -> Self {
        Self {
            last_renew_date_filter: true,
            by_number_broken: false,
            tracking_extension: false,
            note_extension: false,
            transaction_status_bug: true,
            float_noise: false,
            fine_prices: false,
            module_fields: false,
            null_status_permille: 0,
            broken_order_permille: 0,
            broken_single_too: false,
            ties_shuffled: false,
            strict_profiles: false,
            marks_guests: false,
            classes_by_id: false,
            standing_once: false,
            debug: false,
            wholesale_module: true,
            wholesale_from_one: true,
        }
    }

    /// An early 5.5.0.
    pub fn old() -> Self {
        Self { last_renew_date_filter: false, by_number_broken: true, ..Self::calm() }
    }

    /// What a client must cope with, but nothing that makes an order impossible to import.
    pub fn storm() -> Self {
        Self {
            float_noise: true,
            module_fields: true,
            broken_order_permille: 5,
            debug: true,
            ..Self::calm()
        }
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "calm" => Some(Self::calm()),
            "old" => Some(Self::old()),
            "storm" => Some(Self::storm()),
            _ => None,
        }
    }
}

/// Where and how events are told. X-Cart has no webhooks of its own: this is the module a
/// merchant installs (reference/xcart.md 7).
#[derive(Clone, Debug)]
pub struct WebhookTarget {
    /// Where to post.
    pub url: String,
    /// The only authorities trusted, as PEM; those built in when there is none.
    pub ca_pem: Option<String>,
    /// How a body is signed.
    pub signature: Signature,
    /// The header with the event's name.
    pub event_header: String,
    /// The header with the delivery's id.
    pub delivery_id_header: String,
    /// What is in the body.
    pub payload: Payload,
    /// Told twice, half of those under a new delivery id.
    pub duplicate_permille: u32,
    /// Told late.
    pub late_permille: u32,
    /// How late at most.
    pub late_ms_max: u64,
    /// Never told.
    pub lost_permille: u32,
    /// Told out of order.
    pub shuffle: bool,
    /// How often a refused delivery is tried again.
    pub retries_max: u32,
    /// The wait before the first of these; each next one is twice as long.
    pub backoff_ms: u64,
    /// How long an answer may take.
    pub answer_ms_max: u64,
}

impl WebhookTarget {
    /// Thin bodies signed by HMAC, told once and sent off in order, tried again five times.
    pub fn signed(url: &str, secret: &str) -> Self {
        Self {
            url: url.to_owned(),
            ca_pem: None,
            signature: Signature::hmac(secret),
            event_header: "X-Shop-Event".to_owned(),
            delivery_id_header: "X-Shop-Delivery".to_owned(),
            payload: Payload::Thin,
            duplicate_permille: 0,
            late_permille: 0,
            late_ms_max: 1_000,
            lost_permille: 0,
            shuffle: false,
            retries_max: 5,
            backoff_ms: 200,
            answer_ms_max: 5_000,
        }
    }

    /// The same with repeats, delays, losses and no order.
    #[must_use]
    pub fn unruly(self) -> Self {
        Self {
            duplicate_permille: 100,
            late_permille: 100,
            lost_permille: 50,
            shuffle: true,
            ..self
        }
    }
}

/// How the body of a webhook is signed.
#[derive(Clone, Debug)]
pub enum Signature {
    /// Not at all.
    None,
    /// A fixed value in a header.
    Token {
        /// The header.
        header: String,
        /// Its value.
        value: String,
    },
    /// HMAC-SHA256 over the raw body.
    Hmac {
        /// The header.
        header: String,
        /// The key.
        secret: String,
        /// How the digest is written.
        encoding: Encoding,
        /// What stands before the digest, e.g. `sha256=`.
        prefix: String,
        /// A header with the UNIX seconds of the attempt; it is then signed as well.
        timestamp: Option<Timestamp>,
    },
}

impl Signature {
    /// The usual one: hex behind `sha256=`, no timestamp.
    pub fn hmac(secret: &str) -> Self {
        Self::Hmac {
            header: "X-Shop-Signature".to_owned(),
            secret: secret.to_owned(),
            encoding: Encoding::Hex,
            prefix: "sha256=".to_owned(),
            timestamp: None,
        }
    }
}

/// How a digest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base 64 with padding.
    Base64,
}

/// A timestamp beside a signature.
#[derive(Clone, Debug)]
pub struct Timestamp {
    /// Its header.
    pub header: String,
    /// Whether `<timestamp>.` is signed before the body; else the body alone is.
    pub signed: bool,
}

/// What a webhook says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `{"event", "id", "order_number"}`.
    Thin,
    /// `{"event", "order_number"}`.
    ThinNumber,
    /// The whole resource as it was when the event happened, with `event` beside it.
    Full,
}

/// What the shop takes for the present.
#[derive(Clone, Debug)]
pub struct Clock(Present);

#[derive(Clone, Debug)]
enum Present {
    Wall,
    /// Its seconds.
    ByHand(Arc<AtomicI64>),
    /// The second at a moment of tokio's clock.
    Simulated(i64, Instant),
}

impl Clock {
    /// The clock on the wall.
    pub fn wall() -> Self {
        Self(Present::Wall)
    }

    /// A clock that stands until it is moved.
    pub fn by_hand(unix_s: i64) -> Self {
        Self(Present::ByHand(Arc::new(AtomicI64::new(unix_s))))
    }

    /// A clock that shows this and then follows tokio's, which may be paused.
    pub fn simulated(unix_s: i64) -> Self {
        Self(Present::Simulated(unix_s, Instant::now()))
    }

    /// Moves a clock by hand; the others do not care.
    pub fn advance(&self, seconds: i64) {
        if let Present::ByHand(clock) = &self.0 {
            clock.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    /// The present in UNIX seconds.
    pub fn now_s(&self) -> i64 {
        match &self.0 {
            Present::Wall => OffsetDateTime::now_utc().unix_timestamp(),
            Present::ByHand(clock) => clock.load(Ordering::SeqCst),
            Present::Simulated(unix_s, begun) => {
                let passed = i64::try_from(begun.elapsed().as_secs()).unwrap_or(0);
                unix_s.saturating_add(passed)
            }
        }
    }
}
