//! What a product of the shop says of itself, field by field (reference/xcart.md 5.1). Pure.
//!
//! Guarantees: two values are equal as texts here if they are equal in the shop; a long text is kept
//! as its fingerprint, and is never written.

use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate, loose::Text},
    ids::short_hash,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, value::RawValue};
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
    /// Its tax class, by name; empty for none.
    TaxClass,
    /// The categories that count and that it stands in, by path, one on a line; it is no field of a
    /// product in the shop, but a list of its own.
    Category,
}

/// Values by field: numbers without needless zeros.
pub type Sheet = BTreeMap<Field, String>;

impl Field {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Description,
        Self::BriefDescription,
        Self::Weight,
        Self::Enabled,
        Self::TaxClass,
        Self::Category,
    ];

    /// Returns the shop's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Description => "description",
            Self::BriefDescription => "brief_description",
            Self::Weight => "weight",
            Self::Enabled => "enabled",
            Self::TaxClass => "tax_class",
            Self::Category => "category",
        }
    }

    /// Whether a value that the shop shows is the one that is wanted: among the categories of a product
    /// it is enough that one is.
    pub fn is_so(self, has: &str, want: &str) -> bool {
        match self {
            Self::Name | Self::Description | Self::BriefDescription => has == want,
            Self::Weight | Self::Enabled | Self::TaxClass => has == want,
            Self::Category => has.lines().any(|one| one == want),
        }
    }
}

/// Begins a tax class that is shown by its id alone.
pub const BY_ID: char = '#';

/// The fields as the shop shows them; what it does not show is none.
#[derive(Deserialize, Default)]
struct Wire {
    name: Option<Text>,
    description: Option<Text>,
    brief_description: Option<Text>,
    weight: Option<Text>,
    enabled: Option<bool>,
    /// None where the shop does not show it; null is no class.
    #[serde(default)]
    tax_class: WireTaxClass,
}

/// A tax class as 5.5 shows it.
#[derive(Deserialize)]
struct WireClass {
    #[serde(default)]
    name: Text,
}

/// A tax class as the shop shows it; empty for none.
#[derive(Default)]
struct WireTaxClass(Option<String>);

impl<'de> Deserialize<'de> for WireTaxClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Box<RawValue>>::deserialize(deserializer).map(|raw| Self(Some(class(&raw))))
    }
}

/// Reads a tax class: with its name, or by its id alone, as [`BY_ID`] and the id.
fn class(raw: &RawValue) -> String {
    match serde_json::from_str::<WireClass>(raw.get()) {
        Ok(WireClass { name: Text(name) }) => name.trim().to_owned(),
        Err(_) => match serde_json::from_str::<Text>(raw.get()) {
            Ok(Text(id)) if !id.trim().is_empty() => format!("{BY_ID}{}", id.trim()),
            Ok(Text(_)) | Err(_) => String::new(),
        },
    }
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
        (Field::TaxClass, wire.tax_class.0),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_class: Option<Value>,
}

impl Written {
    /// Writes a sheet; a weight goes as the number it is, not as a float, and a tax class in the form that
    /// the shop wants. What is no field of a product is left out.
    pub(super) fn of(sheet: &Sheet, tax_class: Option<Value>) -> Result<Self, Failure> {
        let value = |field: Field| sheet.get(&field).cloned();
        let weight = value(Field::Weight).map(RawValue::from_string).transpose();
        Ok(Self {
            name: value(Field::Name),
            description: value(Field::Description),
            brief_description: value(Field::BriefDescription),
            weight: weight
                .map_err(|fault| Failure::new(Fate::NotDone, Class::Data, &fault.to_string()))?,
            enabled: value(Field::Enabled).map(|enabled| enabled == "true"),
            tax_class,
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
        for (shown, want) in
            [(r#"{"id":2,"name":"Books"}"#, "Books"), ("null", ""), ("2", "#2"), (r#""2""#, "#2")]
        {
            assert_eq!(read(&format!(r#"{{"tax_class":{shown}}}"#))[&Field::TaxClass], want);
        }
    }

    #[test]
    fn only_what_is_in_a_sheet_is_written() {
        let sheet =
            Sheet::from([(Field::Weight, "0.5".to_owned()), (Field::Enabled, "false".to_owned())]);
        let text = serde_json::to_string(&Written::of(&sheet, None).unwrap()).unwrap();
        assert_eq!(text, r#"{"weight":0.5,"enabled":false}"#);
        let lists = Sheet::from([
            (Field::TaxClass, "Books".to_owned()),
            (Field::Category, "Apparel".to_owned()),
        ]);
        let text = serde_json::to_string(&Written::of(&lists, Some(2.into())).unwrap()).unwrap();
        assert_eq!(text, r#"{"tax_class":2}"#, "a category is a list of its own");
        let bad = Sheet::from([(Field::Weight, "x".to_owned())]);
        assert!(Written::of(&bad, None).is_err());
    }
}
