//! What an integrator may set about customers: `[order_to_cash.customer]`. Pure.

use crate::ids::{Cuno, KeyPrefix};
use serde::Deserialize;

/// Characters of the text that empties a field.
const BLANK_CHARS_MAX: usize = 1;

/// How customers are found, made and kept up to date in M3.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerRules {
    /// CUTM, the template customer that new ones are copied from.
    pub template: String,
    /// Begins the CUNO of registered customers; the rest is the shop's profile id.
    #[serde(default = "account_prefix")]
    pub account_prefix: KeyPrefix,
    /// Begins the CUNO of guests; the rest is a hash of the e-mail address.
    #[serde(default = "guest_prefix")]
    pub guest_prefix: KeyPrefix,
    /// Whether a customer of M3 with the same e-mail address is taken instead of a new one.
    #[serde(default = "yes")]
    pub match_by_email: bool,
    /// Whose VAT number finds a customer of M3.
    #[serde(default)]
    pub match_by_vat: VatOf,
    /// What becomes of an order that two customers of M3 fit equally well.
    #[serde(default)]
    pub ambiguous: Ambiguous,
    /// Which customers follow the name, address, telephone, e-mail address and VAT number of the shop.
    #[serde(default)]
    pub update: Update,
    /// Where a delivery address goes that is not the buyer's own.
    #[serde(default)]
    pub addresses: KeptIn,
    /// What M3 is sent to empty a field; an empty text sends nothing.
    #[serde(default = "blank")]
    pub blank: String,
    /// LNCD of new customers; the template's own when absent.
    pub language: Option<String>,
    /// CUNO of one customer for many buyers, who get none of their own; absent: there is none.
    pub shared: Option<Cuno>,
    /// Whose orders are its.
    #[serde(default)]
    pub shared_for: SharedFor,
}

/// Whose VAT number finds a customer of M3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VatOf {
    /// Nobody's: everybody can read the number of a company.
    #[default]
    Nobody,
    /// That of registered customers, where the shop checks who they are.
    Accounts,
    /// Everybody's.
    All,
}

/// What becomes of an order that several customers of M3 fit equally well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// A person says which it is.
    #[default]
    Park,
    /// The first that M3 names is taken.
    First,
    /// None of them: a new one is made.
    New,
}

/// Which customers follow the shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Update {
    /// None.
    Never,
    /// Those that this gateway made, and those that a person linked so.
    #[default]
    Ours,
    /// All, but the shared one.
    All,
}

/// Where a delivery address goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptIn {
    /// On the order alone.
    #[default]
    Order,
    /// Once among the customer's addresses; the order names it (ADID).
    Book,
}

/// Whose orders belong to the shared customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SharedFor {
    /// Those of guests; a registered customer has one of his own.
    #[default]
    Guests,
    /// All.
    All,
}

impl CustomerRules {
    /// Returns the shared customer if a buyer with this profile id, or without one, is one of its.
    pub fn shared_of(&self, account: Option<u64>) -> Option<&Cuno> {
        let its = match self.shared_for {
            SharedFor::Guests => account.is_none(),
            SharedFor::All => true,
        };
        self.shared.as_ref().filter(|_| its)
    }

    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.template.is_empty() || self.template.chars().count() > 10 {
            found.push("order_to_cash.customer.template must have 1 to 10 characters".to_owned());
        }
        if self.blank.chars().count() > BLANK_CHARS_MAX {
            found.push(format!(
                "order_to_cash.customer.blank must have at most {BLANK_CHARS_MAX} character"
            ));
        }
        found
    }
}

const fn yes() -> bool {
    true
}

fn blank() -> String {
    "?".to_owned()
}

fn account_prefix() -> KeyPrefix {
    KeyPrefix::fixed("W")
}

fn guest_prefix() -> KeyPrefix {
    KeyPrefix::fixed("G")
}
