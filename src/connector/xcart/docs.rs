//! What the shop's own API document says it can do (reference/xcart.md 2.2). Pure.

use crate::connector::{loose::Text, tidy};
use serde::{Deserialize, de::IgnoredAny};
use std::collections::BTreeMap;

/// Which admin API the shop speaks (reference/xcart.md 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The add-on of 5.0 to 5.4.
    Legacy,
    /// 5.5.0, which does not filter orders by their last change.
    XCart550,
    /// 5.5.1 and newer of 5.5.
    XCart551,
    /// 5.6, whose products have other fields.
    XCart56,
}

impl Dialect {
    /// Returns the name that is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "X-Cart 5.0 to 5.4 (REST API add-on)",
            Self::XCart550 => "X-Cart 5.5.0",
            Self::XCart551 => "X-Cart 5.5.1",
            Self::XCart56 => "X-Cart 5.6",
        }
    }

    /// Returns what the shop cannot do for us that others can, in words; empty where that is nothing.
    pub const fn lacks(self) -> &'static str {
        match self {
            Self::Legacy => {
                "no webhooks, no wholesale prices, no buyers, no making or describing of products; changes are found in lists"
            }
            Self::XCart550 | Self::XCart551 | Self::XCart56 => "",
        }
    }
}

/// Something only some shops can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Orders can be asked for by the time of their last change: 5.5.1 and newer.
    FilterByChange,
    /// It has our extension for tracking numbers (reference/xcart.md 3.4).
    TakeTracking,
    /// It has product variants.
    Variants,
}

impl Ability {
    /// Returns the name that is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FilterByChange => "orders by their last change",
            Self::TakeTracking => "takes tracking numbers",
            Self::Variants => "variants",
        }
    }
}

/// What the shop says about its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Title and version of the API document.
    pub title: String,
    /// Which admin API it is.
    pub dialect: Dialect,
    /// What it can do.
    pub abilities: Vec<Ability>,
}

#[derive(Deserialize)]
struct Docs {
    #[serde(default)]
    info: Info,
    paths: BTreeMap<String, Path>,
    #[serde(default)]
    components: Components,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    title: Text,
    version: Text,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Path {
    get: Option<Operation>,
    post: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Operation {
    parameters: Vec<Parameter>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameter {
    name: Text,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Components {
    schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Schema {
    properties: Properties,
}

/// The one property that tells 5.6 from 5.5 (reference/xcart.md 10).
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Properties {
    manual_price: Option<IgnoredAny>,
}

impl Probe {
    /// A shop with the add-on of 5.0 to 5.4, which has no document about itself. Orders by their
    /// last change it cannot give; we find them in its lists.
    pub(super) fn legacy() -> Self {
        let abilities = vec![Ability::FilterByChange, Ability::TakeTracking, Ability::Variants];
        Self { title: String::new(), dialect: Dialect::Legacy, abilities }
    }

    /// Whether the shop can do this.
    pub fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }

    /// Reads `/api/docs.json`; the error says why it is not the API of a shop.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let Docs { info, paths, components } =
            serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let orders = paths
            .iter()
            .find(|(path, _)| path.trim_end_matches(".{_format}").ends_with("/api/orders"));
        let Some((_, orders)) = orders else { return Err("its API has no orders".to_owned()) };
        let asks = orders.get.iter().flat_map(|get| &get.parameters);
        let by_change = asks.into_iter().any(|ask| ask.name.0.starts_with("lastRenewDate["));
        let tracking = paths.iter().any(|(path, methods)| {
            let place = path.contains("/orders/{") && path.contains("/tracking_numbers");
            place && methods.post.is_some()
        });
        let variants = paths.keys().any(|path| path.ends_with("/variants"));
        let is_56 = components.schemas.values().any(|s| s.properties.manual_price.is_some());
        let abilities = [
            (by_change, Ability::FilterByChange),
            (tracking, Ability::TakeTracking),
            (variants, Ability::Variants),
        ];
        Ok(Self {
            title: tidy(&format!("{} {}", info.title.0, info.version.0)),
            dialect: match (is_56, by_change) {
                (true, _) => Dialect::XCart56,
                (false, true) => Dialect::XCart551,
                (false, false) => Dialect::XCart550,
            },
            abilities: abilities.into_iter().filter(|(can, _)| *can).map(|(_, a)| a).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use {Ability::*, Dialect::*};

    #[test]
    fn dialect_and_abilities_are_read_from_the_document() {
        let plain = r#"{"openapi":"3.0.2","info":{"title":"X-Cart","version":"5.5.0"},"paths":{
            "/api/orders.{_format}":{"ref":"order","parameters":[],"get":{"parameters":[{"name":"date[after]","in":"query"}]}}},
            "components":{"schemas":{"Product":{"type":"object","properties":{"price":{"type":"number"}}},"Empty":{"properties":[]}}}}"#;
        let rich = r#"{"info":{"title":"X-Cart"},"paths":{
            "/api/orders":{"get":{"parameters":[{"name":"lastRenewDate[after]"}]}},
            "/api/orders/{id}/tracking_numbers":{"post":{"responses":{}}},
            "/api/products/{product_id}/variants":{"get":{}}},
            "components":{"schemas":{"Product.Input":{"properties":{"manualPrice":{"type":"number"}}}}}}"#;
        let newer = r#"{"info":{"title":"X-Cart"},"paths":{
            "/api/orders":{"get":{"parameters":[{"name":"lastRenewDate[after]"}]}}}}"#;
        let read_only = r#"{"paths":{"/store/api/orders":{},"/store/api/orders/{id}/tracking_numbers":{"get":{}}}}"#;
        let table = [
            (plain, Ok(("X-Cart 5.5.0", XCart550, vec![]))),
            (rich, Ok(("X-Cart", XCart56, vec![FilterByChange, TakeTracking, Variants]))),
            (newer, Ok(("X-Cart", XCart551, vec![FilterByChange]))),
            (read_only, Ok(("", XCart550, vec![]))),
            (r#"{"paths":{"/api/pets":{}}}"#, Err("its API has no orders")),
        ];
        for (body, want) in table {
            let got = Probe::read(body.as_bytes());
            let got = got.as_ref().map(|p| (p.title.as_str(), p.dialect, p.abilities.clone()));
            assert_eq!(got.map_err(String::as_str), want, "{body}");
        }
        assert!(Probe::read(b"<html>").is_err());
    }
}
