//! Where tracking numbers and carriers come from: `[order_to_cash.shipments]`. Pure.

use serde::Deserialize;

/// Where the shop's tracking numbers come from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShipmentRules {
    /// Which list of M3 has them.
    pub source: ParcelSource,
    /// Which field of it is the number; ETRN when absent.
    pub number: NumberField,
    /// Which field of the delivery names the carrier.
    pub carrier: CarrierField,
    /// What the carriers of M3 are called in the shop; the first that fits counts.
    pub carriers: Vec<CarrierRule>,
    /// Whether a number that the shop takes in no other way is written as an order note.
    pub note: bool,
}

/// Which list of M3 has the parcels (reference/m3.md 4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParcelSource {
    /// `MWS410MI/GetHead`: one number for each delivery.
    #[default]
    Delivery,
    /// `MWS423MI/LstPackDel`: each package of a delivery.
    Packages,
    /// `MWS410MI/LstPackages`: the same, where the other list is not kept.
    DispatchPackages,
}

/// Which field is the tracking number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum NumberField {
    /// External tracking number.
    #[default]
    Etrn,
    /// Package number.
    Panr,
    /// Serial shipping container code.
    Sscc,
}

/// Which field of a delivery names the carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CarrierField {
    /// Forwarding agent.
    #[default]
    Fwno,
    /// Delivery method.
    Modl,
}

/// One row of the table of carriers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierRule {
    /// M3's code; a `*` at its end stands for any rest.
    pub code: String,
    /// What the shop is told.
    pub name: String,
    /// Where the buyer can follow the parcel; `{number}` stands for the tracking number.
    #[serde(default)]
    pub url: String,
}

/// Stands for the tracking number in [`CarrierRule::url`].
const NUMBER: &str = "{number}";

impl ParcelSource {
    /// Returns program and transaction of the list of packages; none where there is none.
    pub const fn list(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Delivery => None,
            Self::Packages => Some(("MWS423MI", "LstPackDel")),
            Self::DispatchPackages => Some(("MWS410MI", "LstPackages")),
        }
    }
}

impl NumberField {
    /// Returns M3's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etrn => "ETRN",
            Self::Panr => "PANR",
            Self::Sscc => "SSCC",
        }
    }
}

impl CarrierField {
    /// Returns M3's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fwno => "FWNO",
            Self::Modl => "MODL",
        }
    }
}

impl CarrierRule {
    fn fits(&self, code: &str) -> bool {
        self.code.strip_suffix('*').map_or(self.code == code, |stem| code.starts_with(stem))
    }

    /// Returns where a parcel can be followed; empty where that is not known.
    pub fn link(&self, number: &str) -> String {
        self.url.replace(NUMBER, &encoded(number))
    }
}

/// Keeps a number from becoming another part of an address.
fn encoded(number: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    number.bytes().map(one).collect()
}

impl ShipmentRules {
    /// Returns what the shop is told of a carrier.
    pub fn carrier(&self, code: &str) -> Option<&CarrierRule> {
        self.carriers.iter().find(|rule| rule.fits(code))
    }

    /// Says what is wrong with the values, each with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let fits = match (self.source, self.number) {
            (ParcelSource::Delivery, NumberField::Etrn) => true,
            (ParcelSource::Delivery, NumberField::Panr | NumberField::Sscc) => false,
            (ParcelSource::Packages, _) => true,
            (ParcelSource::DispatchPackages, NumberField::Etrn) => false,
            (ParcelSource::DispatchPackages, NumberField::Panr | NumberField::Sscc) => true,
        };
        if !fits {
            let name = self.number.name();
            found.push(format!(
                "order_to_cash.shipments.number {name} is not in that source: a delivery has ETRN only, dispatch-packages have PANR and SSCC only"
            ));
        }
        for rule in &self.carriers {
            let https = rule.url.is_empty()
                || rule.url.starts_with("https://") && rule.url.contains(NUMBER);
            if rule.code.is_empty() || rule.name.trim().is_empty() || !https {
                found.push(format!(
                    "order_to_cash.shipments.carriers: the row of {:?} needs a code, a name, and a url that is empty or begins with https:// and holds {NUMBER}",
                    rule.code
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_the_field_and_a_carrier_without_a_name_are_refused() {
        let table = [
            ("", None),
            ("source = \"packages\"\nnumber = \"SSCC\"", None),
            ("number = \"PANR\"", Some("shipments.number PANR")),
            ("source = \"dispatch-packages\"", Some("shipments.number ETRN")),
            ("carriers = [{ code = \"\", name = \"DHL\" }]", Some("needs a code")),
            (
                "carriers = [{ code = \"D\", name = \"DHL\", url = \"http://x/{number}\" }]",
                Some("https"),
            ),
            (
                "carriers = [{ code = \"D\", name = \"DHL\", url = \"https://x/\" }]",
                Some("{number}"),
            ),
        ];
        for (text, want) in table {
            let rules: ShipmentRules = toml::from_str(text).unwrap();
            let told = rules.problems().join("\n");
            match want {
                None => assert_eq!(told, "", "{text}"),
                Some(part) => assert!(told.contains(part), "{text}: {told}"),
            }
        }
    }

    #[test]
    fn the_first_row_that_fits_names_the_carrier_and_a_number_stays_one_part_of_the_link() {
        let text = "carriers = [{ code = \"DHL\", name = \"DHL Paket\", url = \"https://t.example/?n={number}\" },\
                    { code = \"D*\", name = \"other\" }]";
        let rules: ShipmentRules = toml::from_str(text).unwrap();
        let named = |code: &str| rules.carrier(code).map(|rule| rule.name.as_str());
        assert_eq!(
            (named("DHL"), named("DPD"), named("UPS")),
            (Some("DHL Paket"), Some("other"), None)
        );
        let link = rules.carrier("DHL").unwrap().link("1Z&a=/b");
        assert_eq!(link, "https://t.example/?n=1Z%26a%3D%2Fb");
    }
}
