//! Categories and tax classes of the shop, and which products stand in a category (reference/xcart.md 5.2).
//!
//! Guarantees: a category is named with those above it, so that two of the same name are told apart; to put a
//! product where it is, and to take it from where it is not, changes nothing.

use super::{
    docs::Dialect,
    rest::{PAGE_LEN, Shop, success, unreadable},
    sheet::{Field, Sheet},
};
use crate::connector::{Class, Failure, Fate, loose::Text};
use reqwest::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Pages of one list at most.
const PAGES_MAX: u32 = 1_000;
/// Categories above one at most; a shop whose categories go in a circle has no more.
const DEPTH_MAX: usize = 20;
/// Stands between the names of a path.
const BETWEEN: &str = "/";

/// A category or a tax class by its name in the shop's default language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The shop's id of it.
    pub id: u64,
    /// Its own name.
    pub name: String,
    /// Its name behind those of the categories above it; the name itself of a tax class.
    pub path: String,
}

#[derive(Clone, Deserialize)]
struct WireNamed {
    id: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    parent: Option<Text>,
}

#[derive(Deserialize)]
struct WireMember {
    product_id: Text,
}

#[derive(Serialize)]
struct WirePut {
    product_id: u64,
}

impl Shop {
    /// Reads the categories of the shop.
    pub async fn categories(&self) -> Result<Vec<Named>, Failure> {
        let all: Vec<WireNamed> = self.pages("/categories").await?;
        Ok(with_paths(&all))
    }

    /// Reads the tax classes of the shop.
    pub async fn tax_classes(&self) -> Result<Vec<Named>, Failure> {
        let all: Vec<WireNamed> = self.pages("/tax_classes").await?;
        let plain = all.into_iter().map(|wire| WireNamed { parent: None, ..wire });
        Ok(with_paths(&plain.collect::<Vec<_>>()))
    }

    /// Reads which products stand in a category.
    pub async fn products_in(&self, category: u64) -> Result<BTreeSet<u64>, Failure> {
        let all: Vec<WireMember> = self.pages(&format!("/categories/{category}/products")).await?;
        Ok(all.iter().filter_map(|member| number(&member.product_id)).collect())
    }

    /// Puts a product into a category. Whether the shop takes one a second time is not known: where it
    /// refuses, its list says whether the product stands there.
    pub async fn put_in(&self, category: u64, product: u64) -> Result<(), Failure> {
        let target = format!("/categories/{category}/products");
        match self.post(&target, &WirePut { product_id: product }).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.fate == Fate::Refused && failure.class != Class::NotFound => {
                if self.products_in(category).await?.contains(&product) {
                    Ok(())
                } else {
                    Err(failure)
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// Takes a product out of a category; one that is not there is out of it.
    pub async fn take_out(&self, category: u64, product: u64) -> Result<(), Failure> {
        let target = format!("/categories/{category}/products/{product}");
        match self.send(Method::DELETE, &target, None::<&()>).await.and_then(success) {
            Err(failure) if failure.class == Class::NotFound => Ok(()),
            done => done.map(|_| ()),
        }
    }

    /// Returns the tax class of a sheet as this shop wants to hear it: 5.5 by its name, 5.6 by its id
    /// (reference/xcart.md 5.1, 10).
    pub(super) async fn tax_class(&self, sheet: &Sheet) -> Result<Option<Value>, Failure> {
        let Some(name) = sheet.get(&Field::TaxClass) else { return Ok(None) };
        match self.dialect().await? {
            Dialect::Legacy | Dialect::XCart550 | Dialect::XCart551 => {
                Ok(Some(Value::from(name.as_str())))
            }
            Dialect::XCart56 => {
                let known = self.tax_classes().await?;
                let own = known.iter().find(|one| one.name == *name);
                let lacks = || {
                    let text = format!("the shop has no tax class {name:?}");
                    Failure::new(Fate::Refused, Class::Data, &text)
                };
                own.map(|own| Some(Value::from(own.id))).ok_or_else(lacks)
            }
        }
    }

    async fn pages<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let (mut all, mut before) = (Vec::new(), Vec::new());
        for page in 1..=PAGES_MAX {
            let answer = self.get(&format!("{path}?itemsPerPage={PAGE_LEN}&page={page}")).await?;
            // A shop that does not turn these pages shows the first one again.
            if answer.body == before {
                return Ok(all);
            }
            let some: Vec<T> = serde_json::from_slice(&answer.body)
                .map_err(|fault| unreadable(&answer, &fault.to_string()))?;
            let is_last = some.len() < PAGE_LEN;
            all.extend(some);
            if is_last {
                return Ok(all);
            }
            before.clone_from(&answer.body);
        }
        let text = format!("the shop's list {path} has more than {PAGES_MAX} pages");
        Err(Failure::new(Fate::NotDone, Class::Broken, &text))
    }
}

fn number(text: &Text) -> Option<u64> {
    text.0.trim().parse().ok()
}

fn with_paths(all: &[WireNamed]) -> Vec<Named> {
    let by_id: BTreeMap<u64, &WireNamed> =
        all.iter().filter_map(|wire| Some((number(&wire.id)?, wire))).collect();
    let named = |(id, wire): (&u64, &&WireNamed)| {
        let name = wire.name.0.trim().to_owned();
        let (mut names, mut above) = (vec![name.clone()], wire.parent.as_ref().and_then(number));
        while let Some(one) =
            above.and_then(|id| by_id.get(&id)).filter(|_| names.len() < DEPTH_MAX)
        {
            names.push(one.name.0.trim().to_owned());
            above = one.parent.as_ref().and_then(number);
        }
        names.reverse();
        // The root of all categories has no name that anybody sees.
        names.retain(|name| !name.is_empty());
        Named { id: *id, name, path: names.join(BETWEEN) }
    };
    by_id.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_named_with_those_above_it_and_a_circle_ends() {
        let body = r#"[{"id":1,"name":"","parent":null},{"id":2,"name":"Apparel","parent":1},
            {"id":"3","name":" Shirts ","parent":2},{"id":4,"name":"A","parent":5},
            {"id":5,"name":"B","parent":4},{"id":6,"name":"Orphan","parent":99},{"id":"x","name":"?"}]"#;
        let all: Vec<WireNamed> = serde_json::from_str(body).unwrap();
        let paths: Vec<(u64, String)> =
            with_paths(&all).into_iter().map(|one| (one.id, one.path)).collect();
        let path = |id| &paths.iter().find(|(of, _)| *of == id).unwrap().1;
        assert_eq!((path(2).as_str(), path(3).as_str()), ("Apparel", "Apparel/Shirts"));
        assert_eq!(path(6), "Orphan");
        assert!(path(4).ends_with("B/A"));
        assert_eq!(paths.len(), 6);
    }
}
