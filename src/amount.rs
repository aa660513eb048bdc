//! Money, prices and quantities as exact decimals. Pure.
//!
//! No float ever holds an amount. JSON numbers are read from their text, so
//! `0.30000000000000004` (PHP's sum of 0.1 and 0.2) becomes 0.3000 and not a
//! guess; see [`Amount::from_json_number`].

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// Decimal places that X-Cart stores for a price (reference/xcart.md 5.1); more is float noise.
pub const PLACES_MAX: u32 = 4;

/// An exact decimal, at most 28 digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub Decimal);

/// A text is not a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a number")]
pub struct NotANumber(String);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads the text of a JSON number, exponents included, rounded to [`PLACES_MAX`].
    pub fn from_json_number(text: &str) -> Result<Self, NotANumber> {
        let number = Decimal::from_str(text)
            .or_else(|_| Decimal::from_scientific(text))
            .map_err(|_| NotANumber(text.chars().take(40).collect()))?;
        Ok(Self(number).rounded(PLACES_MAX))
    }

    /// Rounds half away from zero, as shops and M3 do with money.
    #[must_use]
    pub fn rounded(self, places: u32) -> Self {
        Self(self.0.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero))
    }

    /// Multiplies by a whole number of pieces; `None` when it leaves 28 digits.
    #[must_use]
    pub fn times(self, pieces: u32) -> Option<Self> {
        self.0.checked_mul(Decimal::from(pieces)).map(Self)
    }

    /// Adds; `None` when it leaves 28 digits.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Subtracts; `None` when it leaves 28 digits.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Returns the size without the sign.
    #[must_use]
    pub fn magnitude(self) -> Self {
        Self(self.0.abs())
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Returns M3's written form: decimal point, no exponent, no trailing zeros (reference/m3.md 1.6).
    pub fn to_mi(self) -> String {
        self.0.normalize().to_string()
    }
}

impl From<u64> for Amount {
    fn from(whole: u64) -> Self {
        Self(whole.into())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Amount {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        Decimal::from_str(text).map(Self).map_err(|_| NotANumber(text.chars().take(40).collect()))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Returns how many decimal places a currency's money has (ISO 4217).
pub fn currency_places(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_numbers_are_read_exactly_and_float_noise_is_cut() {
        let table = [
            ("19.99", "19.99"),
            ("0.30000000000000004", "0.3"),
            ("1.0e+2", "100"),
            ("1E-2", "0.01"),
            ("-4.005", "-4.005"),
            ("12", "12"),
            ("0", "0"),
            ("1234567.891250001", "1234567.8913"),
        ];
        for (text, want) in table {
            let got = Amount::from_json_number(text).unwrap().to_mi();
            assert_eq!(got, want, "{text}");
        }
        for text in ["", "NaN", "1,5", "\"7\""] {
            assert!(Amount::from_json_number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn money_rounds_half_away_from_zero() {
        for (text, places, want) in [("2.345", 2, "2.35"), ("-2.345", 2, "-2.35"), ("0.5", 0, "1")]
        {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(amount.rounded(places).to_mi(), want, "{text}");
        }
    }
}
