//! What an integrator may set about addresses: `[order_to_cash.address]`. Pure.

use super::countries;
use serde::Deserialize;
use std::fmt;

/// Settings of addresses, telephone numbers and e-mail addresses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressRules {
    /// Which faults of an address park the order; the others are only noted with it.
    pub park: Vec<Fault>,
    /// Which parts are written in capitals.
    pub capitals: Capitals,
    /// Whether everything is written in the letters of ASCII.
    pub transliterate: bool,
    /// What becomes of ä, ö and ü when it is.
    pub umlauts: Umlauts,
    /// Countries whose states go into ECAR as a code; their names have no line then.
    pub state_codes: Vec<String>,
    /// How telephone numbers are written.
    pub phones: Phones,
}

impl Default for AddressRules {
    fn default() -> Self {
        Self {
            park: Vec::new(),
            capitals: Capitals::default(),
            transliterate: false,
            umlauts: Umlauts::default(),
            state_codes: ["BR", "CA", "CH", "IT", "US"].map(str::to_owned).into(),
            phones: Phones::default(),
        }
    }
}

/// What can be wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It does not fit its field of M3.
    Cut,
    /// It holds characters that M3 does not take.
    Characters,
    /// The postal code is not of its country's form.
    PostalCode,
    /// A part is empty that the country needs.
    Missing,
    /// There is no such country.
    Country,
    /// It is no telephone number.
    Phone,
    /// It is no e-mail address.
    Email,
    /// It is no VAT number.
    VatNumber,
    /// The country has no such state, where its code would be written.
    State,
}

/// A fault and where it is; shows no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// With which part.
    pub part: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part;
        match self.fault {
            // Plans call a part that was cut by its name alone.
            Fault::Cut => f.write_str(part),
            Fault::Characters => write!(f, "{part}: characters left out"),
            Fault::PostalCode => write!(f, "{part}: not of the country's form"),
            Fault::Missing => write!(f, "{part}: missing"),
            Fault::Country => write!(f, "{part}: unknown"),
            Fault::Phone => write!(f, "{part}: not a number of the country"),
            Fault::Email => write!(f, "{part}: not an address"),
            Fault::VatNumber => write!(f, "{part}: not a number of its kind"),
            Fault::State => write!(f, "{part}: not one of the country"),
        }
    }
}

/// Which parts of an address are written in capitals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capitals {
    /// As the buyer typed them; a postal code always has its own.
    #[default]
    AsTyped,
    /// Those that the post of the country wants so.
    Country,
}

/// What becomes of ä, ö and ü, which languages write otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Umlauts {
    /// `ae`, `oe`, `ue`, as in German.
    #[default]
    Ae,
    /// `a`, `o`, `u`, as in Swedish, Finnish, Turkish.
    A,
}

/// How telephone numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phones {
    /// As E.164 where the number can be read, else as typed.
    #[default]
    E164,
    /// As the buyer typed them.
    AsTyped,
}

impl AddressRules {
    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let unknown = self.state_codes.iter().filter(|code| countries::of(code).is_none());
        let say = |code| format!("order_to_cash.address.state_codes: {code:?} is no country");
        unknown.map(say).collect()
    }
}
