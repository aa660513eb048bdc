//! What is done about returns: `[order_to_cash.returns]`. Pure.

use serde::Deserialize;

/// What is done about returns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReturnRules {
    /// Who carries a return of the shop over to M3.
    pub follow: FollowReturns,
    /// Payment statuses that mean that all the money went back.
    pub payment_statuses: Vec<String>,
    /// Payment statuses that mean, after one of `paid_statuses`, that a part of it did.
    pub partly_statuses: Vec<String>,
    /// Payment statuses that mean that it was paid.
    pub paid_statuses: Vec<String>,
    /// Shipping statuses that mean that goods come back.
    pub shipping_statuses: Vec<String>,
    /// So many days M3 is asked for the credit note.
    pub wait_days: u32,
}

/// Who carries a return of the shop over to M3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FollowReturns {
    /// A person is told what to enter, and M3 is asked for the credit note.
    #[default]
    Person,
    /// Nobody; the shop's statuses of returns mean nothing.
    Off,
}

/// Days that a credit note is waited for at most.
const WAIT_DAYS_MAX: u32 = 365;

impl Default for ReturnRules {
    fn default() -> Self {
        Self {
            follow: FollowReturns::Person,
            payment_statuses: vec!["R".to_owned()],
            partly_statuses: vec!["PP".to_owned()],
            paid_statuses: vec!["P".to_owned()],
            shipping_statuses: vec!["R".to_owned()],
            wait_days: 60,
        }
    }
}

impl ReturnRules {
    /// Whether returns are looked at.
    pub fn follows(&self) -> bool {
        self.follow == FollowReturns::Person
    }

    /// Returns for how long a credit note is waited for, in milliseconds.
    pub fn wait_ms(&self) -> u64 {
        u64::from(self.wait_days).saturating_mul(24 * 60 * 60 * 1_000)
    }

    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.wait_days > WAIT_DAYS_MAX {
            found.push(format!("order_to_cash.returns.wait_days must be at most {WAIT_DAYS_MAX}"));
        }
        let lists = [
            ("payment_statuses", &self.payment_statuses),
            ("partly_statuses", &self.partly_statuses),
            ("paid_statuses", &self.paid_statuses),
            ("shipping_statuses", &self.shipping_statuses),
        ];
        for (name, codes) in lists {
            if codes.iter().any(|code| code.is_empty() || code.chars().count() > 4) {
                found
                    .push(format!("order_to_cash.returns.{name} must have 1 to 4 characters each"));
            }
        }
        found
    }
}
