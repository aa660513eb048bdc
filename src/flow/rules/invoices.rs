//! What is taken over of invoices: `[order_to_cash.invoices]`. Pure.

use serde::Deserialize;

/// What is taken over of invoices and credit notes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvoiceRules {
    /// IVTP of credit notes whose amount has no minus; a negative amount is always a credit.
    pub credit_types: Vec<String>,
    /// Whether each invoice number is written as an order note.
    pub note: bool,
    /// So many days after an order is complete M3 is still asked for credit notes; 0: it is not.
    pub watch_days: u32,
}

/// Days that an order is watched at most.
const WATCH_DAYS_MAX: u32 = 365;

impl InvoiceRules {
    /// Returns for how long a complete order is watched, in milliseconds.
    pub fn watch_ms(&self) -> u64 {
        u64::from(self.watch_days).saturating_mul(24 * 60 * 60 * 1_000)
    }

    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.watch_days > WATCH_DAYS_MAX {
            found.push(format!(
                "order_to_cash.invoices.watch_days must be at most {WATCH_DAYS_MAX}"
            ));
        }
        if self.credit_types.iter().any(|code| code.is_empty() || code.chars().count() > 2) {
            found.push(
                "order_to_cash.invoices.credit_types must have 1 to 2 characters each".to_owned(),
            );
        }
        found
    }
}
