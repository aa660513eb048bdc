//! The goods that both simulated systems know.

use rust_decimal::Decimal;

/// One product of the shop and the M3 item that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What the shop calls it.
    pub sku: String,
    /// What M3 calls it, at most 15 characters.
    pub itno: String,
    /// The alias under which M3 knows the shop's name: category (ALWT) and number (POPN).
    pub alias: Option<(String, String)>,
    /// Its name.
    pub name: String,
    /// Its price for one.
    pub price: Decimal,
    /// Its status in M3: 20 is active.
    pub status: String,
}
