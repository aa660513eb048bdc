//! What a product of the shop says of itself, field by field (reference/xcart.md 5.1). Pure.
//!
//! Guarantees: two values are equal as texts here if they are equal in the shop; a long text is kept
//! as its fingerprint, and is never written.

use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate, loose::Text},
    ids::short_hash,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Characters of a value that is kept as it is.
pub const CHARS_MAX: usize = 500;

/// One field of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Its name, plain text.
    Name,
    /// Its description, HTML.
    Description,
    /// Its short description, HTML.
    BriefDescription,
    /// The weight of one, in the shop's unit.
    Weight,
    /// Whether buyers see it: `true` or `false`.
    Enabled,
}

/// Values by field: numbers without needless zeros.
pub type Sheet = BTreeMap<Field, String>;

impl Field {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Name, Self::Description, Self::BriefDescription, Self::Weight, Self::Enabled];

    /// Returns the shop's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Description => "description",
            Self::BriefDescription => "brief_description",
            Self::Weight => "weight",
            Self::Enabled => "enabled",
        }
    }
}

/// The fields as the shop shows them; what it does not show is none.
#[derive(Deserialize, Default)]
struct Wire {
    name: Option<Text>,
    description: Option<Text>,
    brief_description: Option<Text>,
    weight: Option<Text>,
    enabled: Option<bool>,
}

/// Reads what a product shows; one that shows it in another form shows nothing.
pub(super) fn read(text: &str) -> Sheet {
    let wire: Wire = serde_json::from_str(text).unwrap_or_default();
    let weight = wire.weight.and_then(|text| Amount::from_json_number(text.0.trim()).ok());
    let pairs = [
        (Field::Name, wire.name.map(|text| kept(text.0))),
        (Field::Description, wire.description.map(|text| kept(text.0))),
        (Field::BriefDescription, wire.brief_description.map(|text| kept(text.0))),
        (Field::Weight, weight.map(Amount::to_mi)),
        (Field::Enabled, wire.enabled.map(|enabled| enabled.to_string())),
    ];
    pairs.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

/// A value as it is, or its fingerprint if it is long.
fn kept(text: String) -> String {
    let chars = text.chars().count();
    if chars <= CHARS_MAX {
        return text;
    }
    format!("{chars} characters, {}", short_hash(&[text.as_bytes()], 16))
}

/// The fields that are written; what is none is not sent, and stays.
#[derive(Default, Serialize)]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brief_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

impl Written {
    /// Writes a sheet; a weight goes as the number it is, not as a float.
    pub(super) fn of(sheet: &Sheet) -> Result<Self, Failure> {
        let value = |field: Field| sheet.get(&field).cloned();
        let weight = value(Field::Weight).map(RawValue::from_string).transpose();
        Ok(Self {
            name: value(Field::Name),
            description: value(Field::Description),
            brief_description: value(Field::BriefDescription),
            weight: weight
                .map_err(|fault| Failure::new(Fate::NotDone, Class::Data, &fault.to_string()))?,
            enabled: value(Field::Enabled).map(|enabled| enabled == "true"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shop_shows_is_read_and_what_it_does_not_show_is_none() {
        let long = "x".repeat(CHARS_MAX + 1);
        let text = format!(
            r#"{{"name":" A ","description":"{long}","weight":0.50,"enabled":true,"brief_description":null}}"#
        );
        let sheet = read(&text);
        assert_eq!(sheet[&Field::Name], " A ");
        assert!(sheet[&Field::Description].starts_with("501 characters, "));
        assert_eq!(
            (sheet[&Field::Weight].as_str(), sheet[&Field::Enabled].as_str()),
            ("0.5", "true")
        );
        assert!(!sheet.contains_key(&Field::BriefDescription));
    }

    #[test]
    fn only_what_is_in_a_sheet_is_written() {
        let sheet =
            Sheet::from([(Field::Weight, "0.5".to_owned()), (Field::Enabled, "false".to_owned())]);
        let text = serde_json::to_string(&Written::of(&sheet).unwrap()).unwrap();
        assert_eq!(text, r#"{"weight":0.5,"enabled":false}"#);
        let bad = Sheet::from([(Field::Weight, "x".to_owned())]);
        assert!(Written::of(&bad).is_err());
    }
}
