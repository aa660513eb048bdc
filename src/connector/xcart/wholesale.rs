//! Prices by quantity and membership of a product or variant (reference/xcart.md 5.1 and 5.2).
//!
//! Guarantees: a price that is changed or removed is named by its id; "the shop has no such prices at
//! all" is told from "this product has none". What it does not: know whether an [`Shop::add_tier`] whose
//! answer was lost was carried out; the list says so.

use super::{
    problem::{self, Missing},
    products::Place,
    rest::{PAGE_LEN, Shop, success, unreadable},
};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate, Kind, http::Answer, loose::Text},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Pages of one list at most.
const PAGES_MAX: u32 = 10;
/// The kind of a price that is an amount of money.
const MONEY: &str = "price";

/// What a wholesale price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rung {
    /// The membership's id; none for everybody.
    pub membership: Option<u64>,
    /// From so many pieces on.
    pub from: u64,
}

/// Ids of memberships by name: several where a name is there more than once.
pub type Memberships = BTreeMap<String, Vec<u64>>;

/// One wholesale price as the shop has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The shop's id of it.
    pub id: u64,
    /// What it is for.
    pub rung: Rung,
    /// The price; none for a percentage, and for what is no number.
    pub price: Option<Amount>,
}

/// The wholesale prices of a product or variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tiers {
    /// These.
    Listed(Vec<Tier>),
    /// The product or variant is not there.
    NoProduct,
    /// The shop has no wholesale prices: the module is missing.
    NoModule,
}

#[derive(Deserialize)]
struct WireTier {
    id: Text,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    price: Text,
    #[serde(default)]
    quantity_range_begin: Text,
    membership: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WireMembership {
    id: Text,
}

#[derive(Serialize)]
struct WirePrice {
    #[serde(rename = "type")]
    kind: &'static str,
    price: Box<RawValue>,
    quantity_range_begin: u64,
    membership: Option<u64>,
}

impl Shop {
    /// Reads the wholesale prices of a product or variant.
    pub async fn tiers(&self, place: Place) -> Result<Tiers, Failure> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let target = format!("{}?itemsPerPage={PAGE_LEN}&page={page}", list_of(place));
            let answer = self.send(Method::GET, &target, None::<&()>).await;
            let answer = answer.map_err(|failure| failure.of_kind(Kind::Read))?;
            if answer.status == 404 {
                return Ok(match problem::missing(&answer) {
                    Missing::Record => Tiers::NoProduct,
                    Missing::Path | Missing::Elsewhere => Tiers::NoModule,
                });
            }
            let some = list(&success(answer).map_err(|failure| failure.of_kind(Kind::Read))?)?;
            // A shop that does not turn these pages shows the first one again.
            if some.first().is_some_and(|first| all.contains(first)) {
                return Ok(Tiers::Listed(all));
            }
            let is_last = some.len() < PAGE_LEN;
            all.extend(some);
            if is_last {
                return Ok(Tiers::Listed(all));
            }
        }
        // With a part of them only, one that is there would be added again.
        let text = format!("more than {PAGES_MAX} pages of wholesale prices for one product");
        Err(Failure::new(Fate::Refused, Class::Data, &text))
    }

    /// Adds a wholesale price. Not idempotent: after an unknown fate read the list first.
    pub async fn add_tier(
        &self,
        place: Place,
        (rung, price): (Rung, Amount),
    ) -> Result<Tier, Failure> {
        let answer = self.post(&list_of(place), &wire(rung, price)?).await?;
        let text = String::from_utf8_lossy(&answer.body);
        read(&text).map_err(|why| {
            let text = format!("the shop's answer cannot be read: {why}");
            Failure::new(Fate::Unknown, Class::Broken, &text)
        })
    }

    /// Makes a wholesale price what it should be. Absolute: it may be sent again.
    pub async fn change_tier(
        &self,
        place: Place,
        (id, rung, price): (u64, Rung, Amount),
    ) -> Result<(), Failure> {
        self.put(&format!("{}/{id}", list_of(place)), &wire(rung, price)?).await
    }

    /// Removes a wholesale price; one that is gone is removed.
    pub async fn remove_tier(&self, place: Place, id: u64) -> Result<(), Failure> {
        let target = format!("{}/{id}", list_of(place));
        match self.send(Method::DELETE, &target, None::<&()>).await.and_then(success) {
            Err(failure) if failure.class == Class::NotFound => Ok(()),
            done => done.map(|_| ()),
        }
    }
}

fn list_of(place: Place) -> String {
    let Place { product, variant } = place;
    match variant {
        None => format!("/products/{product}/wholesale_prices"),
        Some(variant) => format!("/products/{product}/variants/{variant}/wholesale_prices"),
    }
}

fn wire(rung: Rung, price: Amount) -> Result<WirePrice, Failure> {
    // A price is written as it is: as a float it might not be.
    let price = RawValue::from_string(price.to_mi())
        .map_err(|fault| Failure::new(Fate::NotDone, Class::Data, &fault.to_string()))?;
    let Rung { membership, from } = rung;
    Ok(WirePrice { kind: MONEY, price, quantity_range_begin: from, membership })
}

fn list(answer: &Answer) -> Result<Vec<Tier>, Failure> {
    let bad = |why: &str| unreadable(answer, why);
    let all: Vec<&RawValue> =
        serde_json::from_slice(&answer.body).map_err(|fault| bad(&fault.to_string()))?;
    // One that cannot be read could be the one that is about to be added.
    all.into_iter().map(|raw| read(raw.get()).map_err(|why| bad(&why))).collect()
}

fn read(text: &str) -> Result<Tier, String> {
    let wire: WireTier = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
    let number = |name: &str, text: &str| {
        text.trim().parse::<u64>().map_err(|_| format!("{name} of a wholesale price: {text:?}"))
    };
    let membership = wire.membership.map(|raw| membership(raw.get())).transpose()?.flatten();
    let is_money = wire.kind.0.is_empty() || wire.kind.0 == MONEY;
    Ok(Tier {
        id: number("id", &wire.id.0)?,
        rung: Rung { membership, from: number("begin", &wire.quantity_range_begin.0)? },
        price: Amount::from_json_number(wire.price.0.trim()).ok().filter(|_| is_money),
    })
}

/// Reads a membership: its id, or itself with its id, or none.
fn membership(text: &str) -> Result<Option<u64>, String> {
    let id = match text.trim_start().as_bytes().first() {
        Some(b'{') => serde_json::from_str::<WireMembership>(text).map(|one| one.id),
        Some(_) | None => serde_json::from_str::<Text>(text),
    };
    let id = id.map_err(|fault| fault.to_string())?.0;
    let id = id.trim();
    if id.is_empty() {
        return Ok(None);
    }
    id.parse().map(Some).map_err(|_| format!("membership of a wholesale price: {id:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wholesale_price_is_read_in_every_form_and_written_as_it_is() {
        let tier = |membership, from, price: Option<&str>| Tier {
            id: 7,
            rung: Rung { membership, from },
            price: price.map(|price| price.parse().unwrap()),
        };
        let table = [
            (
                r#"{"id":7,"type":"price","price":9.5,"quantity_range_begin":10,"membership":null}"#,
                Some(tier(None, 10, Some("9.5"))),
            ),
            (
                r#"{"id":"7","price":"9.50","quantity_range_begin":2,"membership":4}"#,
                Some(tier(Some(4), 2, Some("9.5"))),
            ),
            (
                r#"{"id":7,"type":"percent","price":9.5,"quantity_range_begin":2}"#,
                Some(tier(None, 2, None)),
            ),
            (
                r#"{"id":7,"price":1,"quantity_range_begin":2,"membership":{"id":4,"name":"Gold"}}"#,
                Some(tier(Some(4), 2, Some("1"))),
            ),
            (r#"{"id":7,"price":1,"quantity_range_begin":2,"membership":"Gold"}"#, None),
            (r#"{"id":7,"price":1}"#, None),
            (r#"{"price":1,"quantity_range_begin":2}"#, None),
        ];
        for (text, want) in table {
            assert_eq!(read(text).ok(), want, "{text}");
        }
        let rung = Rung { membership: None, from: 10 };
        let text = serde_json::to_string(&wire(rung, "0.1235".parse().unwrap()).unwrap()).unwrap();
        let want = r#"{"type":"price","price":0.1235,"quantity_range_begin":10,"membership":null}"#;
        assert_eq!(text, want);
        let place = Place { product: 5, variant: Some(6) };
        assert_eq!(list_of(place), "/products/5/variants/6/wholesale_prices");
    }
}
