//! What an operator may set about the rules. Pure.
//!
//! Guarantees: every limit has a default that a shop of any size can begin with, and bounds.

use serde::Deserialize;

/// What a rule can be switched off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Orders are set aside for a person.
    Parked,
    /// No order came for longer than usual.
    NoOrders,
    /// An order waits for long on its way into M3.
    Waiting,
    /// The volume is nearly full.
    Disk,
    /// Webhooks are turned away.
    Refusing,
    /// A certificate is near its end.
    Certificate,
    /// A system is away.
    Away,
    /// The clock is wrong.
    Clock,
    /// The delivery stands still.
    Standstill,
    /// The journal lost events.
    Losses,
    /// The comparison at night found something.
    Apart,
    /// Documents of ION could not be used.
    NotUnderstood,
}

impl Rule {
    /// Every rule, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Losses,
        Self::Standstill,
        Self::Parked,
        Self::Waiting,
        Self::NoOrders,
        Self::Away,
        Self::Disk,
        Self::Refusing,
        Self::Clock,
        Self::Certificate,
        Self::Apart,
        Self::NotUnderstood,
    ];

    /// Returns its fixed name, with which every key of its alerts begins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::NoOrders => "no-orders",
            Self::Waiting => "waiting",
            Self::Disk => "disk",
            Self::Refusing => "refusing",
            Self::Certificate => "certificate",
            Self::Away => "away",
            Self::Clock => "clock",
            Self::Standstill => "standstill",
            Self::Losses => "losses",
            Self::Apart => "apart",
            Self::NotUnderstood => "not-understood",
        }
    }
}

/// When somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rules that are not applied.
    pub off: Vec<Rule>,
    /// Orders of one cause that may be parked without anybody being told.
    pub parked_max: u64,
    /// How long they may be, seconds.
    pub parked_s_max: u64,
    /// How many orders must be missing against what is usual.
    pub no_orders_expected: u64,
    /// In how many weeks an hour must have been seen before it is taken for usual.
    pub learn_weeks: u32,
    /// How long there may be no order at all, hours; absent: as long as is usual.
    pub no_orders_h: Option<u64>,
    /// How long an order may take into M3, seconds.
    pub waiting_s_max: u64,
    /// What must be free on the volume; twice the journal's floor counts when that is more.
    pub disk_bytes_min: u64,
    /// How long a certificate must still be valid, days.
    pub certificate_days_min: u64,
    /// How long a system may be away, seconds.
    pub away_s_max: u64,
    /// How far the clock may be off, seconds.
    pub clock_s_max: u64,
    /// How long the delivery may stand still, seconds.
    pub standstill_s_max: u64,
    /// Documents of ION that may be unusable without anybody being told.
    pub not_understood_max: u64,
    /// In which time they are counted, seconds; so long after the last one it is over.
    pub not_understood_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            parked_max: 0,
            parked_s_max: 86_400,
            no_orders_expected: 12,
            learn_weeks: 3,
            no_orders_h: None,
            waiting_s_max: 3_600,
            disk_bytes_min: 536_870_912,
            certificate_days_min: 21,
            away_s_max: 900,
            clock_s_max: 60,
            standstill_s_max: 60,
            not_understood_max: 0,
            not_understood_s: 3_600,
        }
    }
}

impl Limits {
    /// Says which limits cannot work, by key, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let ranges = [
            ("parked_max", self.parked_max, 0, 1_000),
            ("parked_s_max", self.parked_s_max, 60, 2_592_000),
            ("no_orders_expected", self.no_orders_expected, 3, 10_000),
            ("learn_weeks", u64::from(self.learn_weeks), 1, 52),
            ("no_orders_h", self.no_orders_h.unwrap_or(1), 1, 8_760),
            ("waiting_s_max", self.waiting_s_max, 1, 2_592_000),
            ("certificate_days_min", self.certificate_days_min, 1, 3_650),
            ("away_s_max", self.away_s_max, 1, 2_592_000),
            ("clock_s_max", self.clock_s_max, 5, 86_400),
            ("standstill_s_max", self.standstill_s_max, 1, 86_400),
            ("not_understood_max", self.not_understood_max, 0, 1_000_000),
            ("not_understood_s", self.not_understood_s, 1, 604_800),
        ];
        let wrong =
            ranges.into_iter().filter(|(_, value, least, most)| !(*least..=*most).contains(value));
        wrong
            .map(|(key, value, least, most)| {
                (key, format!("{value} is not between {least} and {most}"))
            })
            .collect()
    }

    /// Whether a rule is applied.
    pub fn applies(&self, rule: Rule) -> bool {
        !self.off.contains(&rule)
    }
}
