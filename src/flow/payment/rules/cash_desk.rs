//! Settings of the cash desk: `[payments.cash_desk]`. Pure.

use super::Refunds;
use serde::Deserialize;

/// Settings of `cash-desk`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CashDesk {
    /// CSHD, the cash desk; one that nobody else uses.
    pub desk: String,
    /// PYCD, the payment method.
    pub payment_method: String,
    /// What the money is for.
    #[serde(default)]
    pub pays: Pays,
    /// How a payment is found again when an answer was lost.
    #[serde(default)]
    pub find_by: FindBy,
}

/// What the money of the cash desk is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pays {
    /// It is put on the payer's account, also before there is an invoice.
    #[default]
    OnAccount,
    /// It waits for invoices that it pays whole.
    Invoices,
}

/// How a payment is found again when an answer was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindBy {
    /// A person looks: nothing in M3 says for certain whose it is.
    #[default]
    Person,
    /// By our key in the text of its voucher (VTXT).
    VoucherText,
}

impl CashDesk {
    pub(super) fn check(&self, refunds: Refunds, found: &mut Vec<String>) {
        let codes = [("desk", &self.desk, 5), ("payment_method", &self.payment_method, 3)];
        for (name, value, chars_max) in codes {
            if value.is_empty() || value.chars().count() > chars_max {
                found.push(format!(
                    "payments.cash_desk.{name} must have 1 to {chars_max} characters"
                ));
            }
        }
        if (self.pays, refunds) == (Pays::Invoices, Refunds::Post) {
            found.push(
                "payments.refunds \"post\" does not go with payments.cash_desk.pays \"invoices\": no invoice takes a refund; report them, or pay on account".to_owned(),
            );
        }
    }
}
