//! How the shop's payments come into M3: the `[payments]` table. Pure.

mod cash_desk;

pub use super::layout::{Ledger, LineAgain};
pub use cash_desk::{CashDesk, FindBy, Pays};

use super::Movement;
use crate::{amount::currency_places, dates};
use serde::Deserialize;
use time::{Date, macros::format_description};

/// Settings of the payments.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentRules {
    /// Which program of M3 takes them.
    #[serde(default)]
    pub strategy: Strategy,
    /// The first day whose payments are posted, `yyyy-mm-dd`, UTC: what is older is in the books already.
    pub since: Option<String>,
    /// What becomes of refunds.
    #[serde(default)]
    pub refunds: Refunds,
    /// Payment services of the shop whose payments are posted; all when empty.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Settings of `prepayment`.
    pub prepayment: Option<Prepayment>,
    /// Settings of `receivable-batch`.
    pub receivable_batch: Option<ReceivableBatch>,
    /// Settings of `cash-desk`.
    pub cash_desk: Option<CashDesk>,
    /// Settings of `ledger`.
    pub ledger: Option<Ledger>,
}

/// Which program of M3 takes payments (reference/m3.md 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// None: the order carries the reference only.
    #[default]
    None,
    /// `OIS125MI`: a prepayment of the order.
    Prepayment,
    /// `ARS040MI`: a payment batch for invoices, which a clerk updates.
    ReceivableBatch,
    /// `OIS215MI`: the cash desk.
    CashDesk,
    /// `GLS840MI`: the general ledger's interface.
    Ledger,
}

/// What becomes of refunds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refunds {
    /// They are listed, and a person posts them.
    #[default]
    Report,
    /// They are posted with a negative amount.
    Post,
}

/// Settings of `prepayment`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepayment {
    /// STAT of new prepayments.
    pub status: String,
    /// The division's local currency, in which IVAM is; payments in another one go to a person.
    pub currency: String,
    /// TEPY; M3's own when absent.
    pub payment_terms: Option<String>,
}

/// Settings of `receivable-batch`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceivableBatch {
    /// BOPE, the batch payment type.
    pub batch_type: String,
    /// Begins every batch number (PBID), so that two shops never share one; 1 to 99.
    pub batch_prefix: u8,
}

impl PaymentRules {
    /// Whether anything is posted.
    pub fn posts(&self) -> bool {
        match self.strategy {
            Strategy::Prepayment | Strategy::ReceivableBatch => true,
            Strategy::CashDesk | Strategy::Ledger => true,
            Strategy::None => false,
        }
    }

    /// Whether the vouchers of M3 carry our key, so that a payment is found again by it.
    pub fn vouchers_carry_the_key(&self) -> bool {
        let find_by = match self.strategy {
            Strategy::CashDesk => self.cash_desk.as_ref().map(|desk| desk.find_by),
            Strategy::Ledger => self.ledger.as_ref().map(|ledger| ledger.find_by),
            Strategy::None | Strategy::Prepayment | Strategy::ReceivableBatch => None,
        };
        find_by == Some(FindBy::VoucherText)
    }

    /// Returns the name of the cash desk; empty where there is none.
    pub fn desk(&self) -> &str {
        self.cash_desk.as_ref().map_or("", |desk| desk.desk.as_str())
    }

    /// Returns KEY1 of a payment in the general ledger.
    pub fn ledger_key(&self, movement: &Movement) -> Option<String> {
        let ledger = self.ledger.as_ref().filter(|_| self.strategy == Strategy::Ledger)?;
        super::layout::key1(&ledger.key_prefix, movement.id)
    }

    /// Returns the first second whose payments are posted.
    pub fn since_s(&self) -> i64 {
        let day = self.since.as_deref().and_then(day);
        day.map_or(i64::MAX, |day| day.midnight().assume_utc().unix_timestamp())
    }

    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self, division: Option<&str>) -> Vec<String> {
        let mut found = Vec::new();
        match self.strategy {
            Strategy::None => return found,
            Strategy::CashDesk => self.check_desk(&mut found),
            Strategy::Ledger => self.check_ledger(division, &mut found),
            Strategy::Prepayment => self.check_prepayment(division, &mut found),
            Strategy::ReceivableBatch => self.check_batch(&mut found),
        }
        match &self.since {
            Some(text) if day(text).is_some() => {}
            Some(text) => found.push(format!("payments.since {text:?} is no day such as 2026-12-01")),
            None => found.push(
                "payments.since is missing: name the first day whose payments are to be posted, for older ones are in M3's books already".to_owned(),
            ),
        }
        found
    }

    fn check_prepayment(&self, division: Option<&str>, found: &mut Vec<String>) {
        let Some(Prepayment { status, currency, payment_terms }) = &self.prepayment else {
            return found
                .push("payments.prepayment is missing, and its strategy needs it".to_owned());
        };
        if status.is_empty() || status.chars().count() > 2 {
            found.push("payments.prepayment.status must have 1 to 2 characters".to_owned());
        }
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            found.push("payments.prepayment.currency must be a code such as EUR".to_owned());
        }
        if payment_terms.as_ref().is_some_and(|terms| terms.chars().count() > 3) {
            found.push(
                "payments.prepayment.payment_terms must have at most 3 characters".to_owned(),
            );
        }
        if division.is_some_and(str::is_empty) {
            found.push("m3.division is blank, and OIS125MI needs one".to_owned());
        }
    }

    fn check_desk(&self, found: &mut Vec<String>) {
        match &self.cash_desk {
            Some(desk) => desk.check(self.refunds, found),
            None => {
                found.push("payments.cash_desk is missing, and its strategy needs it".to_owned());
            }
        }
    }

    fn check_ledger(&self, division: Option<&str>, found: &mut Vec<String>) {
        match &self.ledger {
            Some(ledger) => ledger.check(found),
            None => {
                found.push("payments.ledger is missing, and its strategy needs it".to_owned());
            }
        }
        if division.is_some_and(str::is_empty) {
            found.push("m3.division is blank, and GLS840MI needs one".to_owned());
        }
    }

    fn check_batch(&self, found: &mut Vec<String>) {
        let Some(ReceivableBatch { batch_type, batch_prefix }) = &self.receivable_batch else {
            return found.push(
                "payments.receivable_batch is missing, and its strategy needs it".to_owned(),
            );
        };
        if batch_type.is_empty() || batch_type.chars().count() > 3 {
            found.push(
                "payments.receivable_batch.batch_type must have 1 to 3 characters".to_owned(),
            );
        }
        if *batch_prefix == 0 || *batch_prefix > 99 {
            found.push("payments.receivable_batch.batch_prefix must be 1 to 99".to_owned());
        }
    }
}

fn day(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// Returns a day as a person writes it, from seconds since 1970.
pub fn day_of(unix_s: i64) -> String {
    let digits = dates::yyyymmdd(unix_s).unwrap_or_default();
    match (digits.get(..4), digits.get(4..6), digits.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        (_, _, _) => "-".to_owned(),
    }
}

/// Whether an amount can be paid in this currency.
pub(super) fn is_payable(amount: crate::amount::Amount, currency: &str) -> bool {
    amount.rounded(currency_places(currency)) == amount
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        toml::from_str::<PaymentRules>(text).unwrap().problems(Some("AAA")).join("\n")
    }

    #[test]
    fn what_cannot_be_posted_once_is_refused_with_its_reason() {
        let prepayment = "strategy = \"prepayment\"\nsince = \"2026-12-01\"\n[prepayment]\nstatus = \"20\"\ncurrency = \"EUR\"";
        let batch = "strategy = \"receivable-batch\"\nsince = \"2026-12-01\"\n[receivable_batch]\nbatch_type = \"WEB\"\nbatch_prefix = 71";
        let desk = "strategy = \"cash-desk\"\nsince = \"2026-12-01\"\n[cash_desk]\ndesk = \"WEB01\"\npayment_method = \"CRD\"";
        let table = [
            ("", ""),
            (prepayment, ""),
            (batch, ""),
            ("strategy = \"cash-desk\"\nsince = \"2026-12-01\"", "payments.cash_desk is missing"),
            ("strategy = \"ledger\"\nsince = \"2026-12-01\"", "payments.ledger is missing"),
            (desk, ""),
            (&desk.replace("WEB01", "WEBSHOP"), "cash_desk.desk must have 1 to 5"),
            (&desk.replace("\"CRD\"", "\"\""), "cash_desk.payment_method must have 1 to 3"),
            (&format!("refunds = \"post\"\n{desk}\npays = \"invoices\""), "refunds"),
            ("strategy = \"prepayment\"\nsince = \"2026-12-01\"", "payments.prepayment is missing"),
            (&prepayment.replace("\"2026-12-01\"", "\"soon\""), "payments.since"),
            (&prepayment.replace("since = \"2026-12-01\"\n", ""), "payments.since is missing"),
            (&prepayment.replace("EUR", "euro"), "prepayment.currency"),
            (&batch.replace("71", "100"), "batch_prefix must be 1 to 99"),
        ];
        for (text, part) in table {
            let told = told(text);
            assert!(
                if part.is_empty() { told.is_empty() } else { told.contains(part) },
                "{text}: {told}"
            );
        }
        assert!(toml::from_str::<PaymentRules>("strategy = \"magic\"").is_err());
    }

    #[test]
    fn days_are_read_and_written() {
        let rules: PaymentRules = toml::from_str("since = \"2026-11-23\"").unwrap();
        assert_eq!(
            (rules.since_s(), day_of(1_795_392_000 + 80_000).as_str()),
            (1_795_392_000, "2026-11-23")
        );
        assert_eq!(toml::from_str::<PaymentRules>("").unwrap().since_s(), i64::MAX);
    }
}
