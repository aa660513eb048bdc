//! Products and variants of the shop: read by pages, written by what changed (reference/xcart.md 5.1).
//!
//! Guarantees: a write names only what changes, so nothing else of a product is touched; it is
//! absolute, so it may be repeated; a product that cannot be read never hides the others of its page.

use super::{
    problem::{self, Missing},
    rest::{PAGE_LEN, Shop},
    sheet::{self, Sheet},
};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate, Kind, loose::Text},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// Where a SKU is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// X-Cart's `product_id`.
    pub product: u64,
    /// The variant's id, if it is one.
    pub variant: Option<u64>,
}

/// What is sold under one SKU, as the shop shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Where.
    pub place: Place,
    /// SKU; empty for a variant without one of its own.
    pub sku: String,
    /// Pieces; none for a variant that takes them from its product.
    pub amount: Option<u64>,
    /// Whether the shop counts them; without that an amount has no effect.
    pub counted: bool,
    /// Price of one; none for a variant that takes its product's, or where the shop says none.
    pub price: Option<Amount>,
    /// What it says of itself; empty for a variant.
    pub sheet: Sheet,
}

/// One entry of a list of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It can be read.
    Shown(Shown),
    /// It cannot.
    Unreadable {
        /// Its id, if that can be read.
        id: Option<u64>,
        /// What is wrong with it.
        why: String,
    },
}

/// What is to be changed of a product or variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The pieces there are from now on.
    pub amount: Option<u64>,
    /// The price from now on.
    pub price: Option<Amount>,
    /// What a product says of itself from now on.
    pub sheet: Sheet,
}

#[derive(Deserialize)]
struct WireProduct {
    id: Text,
    #[serde(default)]
    sku: Text,
    #[serde(default)]
    amount: Text,
    #[serde(default)]
    price: Text,
    inventory_traceable: Option<bool>,
    default_amount: Option<bool>,
    default_price: Option<bool>,
}

/// The members that change; what is none is not sent, and stays.
#[derive(Default, Serialize)]
struct WireChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    /// Without it the amount has no effect in the storefront.
    #[serde(skip_serializing_if = "Option::is_none")]
    inventory_traceable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_amount: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_price: Option<bool>,
    #[serde(flatten)]
    sheet: sheet::Written,
}

impl Shop {
    /// Reads one page of products in the order of their ids, from page 1. It is the last one when
    /// it is shorter than [`PAGE_LEN`].
    pub async fn products(&self, page: u32) -> Result<Vec<Entry>, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_products(page)).await;
        }
        let answer = self.get(&format!("/products?itemsPerPage={PAGE_LEN}&page={page}")).await?;
        list(&answer.body, None)
    }

    /// Reads one product; none if there is no such product.
    pub async fn product(&self, id: u64) -> Result<Option<Entry>, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_product(id)).await;
        }
        match self.get(&format!("/products/{id}")).await {
            Ok(answer) => Ok(Some(entry(&String::from_utf8_lossy(&answer.body), None))),
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads the variants of a product; none where the shop has no variants at all.
    pub async fn variants(&self, product: u64) -> Result<Option<Vec<Entry>>, Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_variants(product)).await;
        }
        let target = format!("/products/{product}/variants?itemsPerPage={PAGE_LEN}");
        let answer = self.send(Method::GET, &target, None::<&()>).await;
        let answer = answer.map_err(|failure| failure.of_kind(Kind::Read))?;
        match answer.status {
            404 if problem::missing(&answer) == Missing::Path => Ok(None),
            // The product has gone meanwhile.
            404 if problem::missing(&answer) == Missing::Record => Ok(Some(Vec::new())),
            200..=299 => list(&answer.body, Some(product)).map(Some),
            _ => Err(problem::failure(&answer).of_kind(Kind::Read)),
        }
    }

    /// Writes what changed. Absolute: after an unknown fate it is simply sent again.
    pub async fn change_goods(&self, place: Place, change: &Change) -> Result<(), Failure> {
        if self.is_legacy().await? {
            return Box::pin(self.legacy_change_goods(place, change)).await;
        }
        let class =
            if place.variant.is_none() { self.tax_class(&change.sheet).await? } else { None };
        let change = wire(place, change, class)?;
        let Place { product, variant } = place;
        match variant {
            None => self.put(&format!("/products/{product}"), &change).await,
            Some(variant) => {
                self.put(&format!("/products/{product}/variants/{variant}"), &change).await
            }
        }
    }
}

/// Writes a change of a product, or of a variant, which then has its own.
fn wire(place: Place, change: &Change, class: Option<Value>) -> Result<WireChange, Failure> {
    let Change { amount, price, ref sheet } = *change;
    // A price is written as it is: as a float it might not be.
    let raw = price.map(|price| RawValue::from_string(price.to_mi())).transpose();
    let raw = raw.map_err(|fault| Failure::new(Fate::NotDone, Class::Data, &fault.to_string()))?;
    let is_variant = place.variant.is_some();
    let own = |is_sent: bool| (is_variant && is_sent).then_some(false);
    Ok(WireChange {
        amount,
        inventory_traceable: (!is_variant && amount.is_some()).then_some(true),
        default_amount: own(amount.is_some()),
        price: raw,
        default_price: own(price.is_some()),
        sheet: if is_variant {
            sheet::Written::default()
        } else {
            sheet::Written::of(sheet, class)?
        },
    })
}

fn list(body: &[u8], product: Option<u64>) -> Result<Vec<Entry>, Failure> {
    let entries: Vec<&RawValue> = serde_json::from_slice(body).map_err(|fault| {
        let text = format!("the shop's list of products cannot be read: {fault}");
        Failure::new(Fate::NotDone, Class::Broken, &text)
    })?;
    Ok(entries.into_iter().map(|raw| entry(raw.get(), product)).collect())
}

/// Reads a product, or a variant of `product`.
pub(super) fn entry(text: &str, product: Option<u64>) -> Entry {
    let unreadable = |id: Option<u64>, why: String| Entry::Unreadable { id, why };
    let wire: WireProduct = match serde_json::from_str(text) {
        Ok(wire) => wire,
        Err(fault) => return unreadable(None, fault.to_string()),
    };
    let Ok(id) = wire.id.0.trim().parse::<u64>() else {
        return unreadable(None, format!("id: {:?}", wire.id.0));
    };
    let Ok(amount) = pieces(&wire.amount.0) else {
        return unreadable(Some(id), format!("amount: {:?}", wire.amount.0));
    };
    let place = match product {
        None => Place { product: id, variant: None },
        Some(product) => Place { product, variant: Some(id) },
    };
    let inherits = wire.default_amount == Some(true);
    let price = Amount::from_json_number(wire.price.0.trim()).ok();
    Entry::Shown(Shown {
        place,
        sku: wire.sku.0.trim().to_owned(),
        amount: if inherits { None } else { amount },
        counted: !inherits && wire.inventory_traceable != Some(false),
        price: price.filter(|_| wire.default_price != Some(true)),
        sheet: if product.is_none() { sheet::read(text) } else { Sheet::new() },
    })
}

/// Pieces: a whole number, or nothing where the shop says none.
pub(super) fn pieces(text: &str) -> Result<Option<u64>, ()> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let amount = Amount::from_json_number(text.trim()).map_err(drop)?;
    let whole = amount.0.trunc();
    if whole != amount.0 {
        return Err(());
    }
    // A shop that oversold shows less than nothing.
    Ok(Some(u64::try_from(whole).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_variants_are_read_as_they_are_written() {
        let body = r#"[{"id":7,"sku":" A-1 ","amount":3,"inventory_traceable":true,"price":1.5,"new":{}},
            {"id":"8","sku":"B","amount":"4.0","inventory_traceable":false},
            {"id":9,"sku":"C","amount":2.5}, {"sku":"D"}, "x", {"id":10,"sku":null,"amount":-2}]"#;
        let read = list(body.as_bytes(), None).unwrap();
        let shown = |product, sku: &str, amount, counted| {
            let price: Option<Amount> = (product == 7).then(|| "1.5".parse().unwrap());
            let place = Place { product, variant: None };
            let (sku, sheet) = (sku.to_owned(), Sheet::new());
            Entry::Shown(Shown { place, sku, amount, counted, price, sheet })
        };
        assert_eq!(read[0], shown(7, "A-1", Some(3), true));
        assert_eq!(read[1], shown(8, "B", Some(4), false));
        assert!(matches!(read[2], Entry::Unreadable { id: Some(9), .. }));
        assert!(matches!(read[3], Entry::Unreadable { id: None, .. }));
        assert!(matches!(read[4], Entry::Unreadable { id: None, .. }));
        assert_eq!(read[5], shown(10, "", Some(0), true));
        let variants = r#"[{"id":1,"sku":"V","amount":5,"default_amount":false},
            {"id":2,"sku":"W","amount":5,"default_amount":true}]"#;
        let read = list(variants.as_bytes(), Some(7)).unwrap();
        let place = |variant| Place { product: 7, variant: Some(variant) };
        let own = Shown {
            place: place(1),
            sku: "V".to_owned(),
            amount: Some(5),
            counted: true,
            price: None,
            sheet: Sheet::new(),
        };
        let inherited = Shown {
            place: place(2),
            sku: "W".to_owned(),
            amount: None,
            counted: false,
            price: None,
            sheet: Sheet::new(),
        };
        assert_eq!(read, [Entry::Shown(own), Entry::Shown(inherited)]);
        assert!(list(b"<html>", None).is_err());
    }

    #[test]
    fn a_change_names_only_what_changes_and_prices_are_no_floats() {
        let price = Some("0.1235".parse().unwrap());
        let text = |change, variant: Option<u64>| {
            let place = Place { product: 1, variant };
            serde_json::to_string(&wire(place, &change, None).unwrap()).unwrap()
        };
        let both = Change { amount: Some(3), price, ..Change::default() };
        assert_eq!(text(both, None), r#"{"amount":3,"inventory_traceable":true,"price":0.1235}"#);
        let priced = Change { amount: None, price, ..Change::default() };
        assert_eq!(text(priced, Some(2)), r#"{"price":0.1235,"default_price":false}"#);
        let counted = Change { amount: Some(3), ..Change::default() };
        assert_eq!(text(counted, Some(2)), r#"{"amount":3,"default_amount":false}"#);
    }
}
