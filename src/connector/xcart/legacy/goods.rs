//! Products and variants of a shop of 5.0 to 5.4 (reference/xcart.md 9.2, 9.4).
//!
//! Guarantees: as for the API of 5.5. What it does not: switch the shop's counting of a product on,
//! and read or write what a product says of itself.

use super::{call::Call, wire::Rows};
use crate::{
    amount::Amount,
    connector::{
        Class, Failure, Fate,
        loose::{Flag, Text},
        xcart::{
            products::{Change, Entry, Place, Shown, pieces},
            rest::{PAGE_LEN, Shop, unreadable},
            sheet::Sheet,
        },
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The entity of variants, which a module of the shop brings.
const VARIANT: &str = "xc-productvariants-productvariant";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireGood {
    #[serde(rename = "product_id", alias = "id")]
    id: Text,
    #[serde(default)]
    sku: Text,
    #[serde(default)]
    amount: Text,
    #[serde(default)]
    price: Text,
    #[serde(default)]
    default_amount: Flag,
    #[serde(default)]
    default_price: Flag,
}

#[derive(Deserialize)]
struct WireFamily {
    variants: Option<Rows<Box<RawValue>>>,
}

impl Shop {
    /// Reads one page of products, from page 1.
    pub(in crate::connector::xcart) async fn legacy_products(
        &self,
        page: u32,
    ) -> Result<Vec<Entry>, Failure> {
        let from = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        let from = from.saturating_mul(PAGE_LEN);
        let answer = match self.legacy_read(&Call::list("product").page(from, PAGE_LEN)).await {
            // A list without rows may be null.
            Err(failure) if failure.class == Class::NotFound => return Ok(Vec::new()),
            answer => answer?,
        };
        let rows: Rows<Box<RawValue>> = serde_json::from_slice(&answer.body)
            .map_err(|why| unreadable(&answer, &why.to_string()))?;
        // A shop that does not cut its lists shows all of them each time.
        let before = if rows.0.len() > PAGE_LEN { from } else { 0 };
        let rows = rows.0.iter().skip(before).take(PAGE_LEN);
        Ok(rows.map(|row| entry(row.get(), None)).collect())
    }

    /// Reads one product; none if there is no such product.
    pub(in crate::connector::xcart) async fn legacy_product(
        &self,
        id: u64,
    ) -> Result<Option<Entry>, Failure> {
        match self.legacy_read(&Call::read("product", id)).await {
            Ok(answer) => Ok(Some(entry(&String::from_utf8_lossy(&answer.body), None))),
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads the variants of a product; none where the shop has no variants at all.
    pub(in crate::connector::xcart) async fn legacy_variants(
        &self,
        product: u64,
    ) -> Result<Option<Vec<Entry>>, Failure> {
        let answer = match self.legacy_read(&Call::read("product", product)).await {
            // The product has gone meanwhile.
            Err(failure) if failure.class == Class::NotFound => return Ok(Some(Vec::new())),
            answer => answer?,
        };
        let family: WireFamily = serde_json::from_slice(&answer.body)
            .map_err(|why| unreadable(&answer, &why.to_string()))?;
        let read = |rows: Rows<Box<RawValue>>| {
            rows.0.iter().map(|row| entry(row.get(), Some(product))).collect()
        };
        Ok(family.variants.map(read))
    }

    /// Writes what changed. Absolute: after an unknown fate it is simply sent again.
    pub(in crate::connector::xcart) async fn legacy_change_goods(
        &self,
        place: Place,
        change: &Change,
    ) -> Result<(), Failure> {
        let Change { amount, price, sheet } = change;
        if !sheet.is_empty() {
            let text = "what a product says of itself is not written to a shop of 5.0 to 5.4";
            return Err(Failure::new(Fate::Refused, Class::Config, text));
        }
        let mut call = match place.variant {
            None => Call::change("product", place.product),
            Some(variant) => Call::change(VARIANT, variant),
        };
        let own = place.variant.is_some();
        if let Some(amount) = amount {
            call = call.with("amount", amount);
            call = if own { call.with("defaultAmount", 0) } else { call };
        }
        if let Some(price) = price {
            call = call.with("price", price.to_mi());
            call = if own { call.with("defaultPrice", 0) } else { call };
        }
        self.legacy_write(&call).await
    }
}

/// Reads a product, or a variant of `product`.
fn entry(text: &str, product: Option<u64>) -> Entry {
    let unreadable = |id: Option<u64>, why: String| Entry::Unreadable { id, why };
    let wire: WireGood = match serde_json::from_str(text) {
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
    let own = product.is_some();
    let inherits = own && wire.default_amount.0;
    let price = Amount::from_json_number(wire.price.0.trim()).ok();
    Entry::Shown(Shown {
        place,
        sku: wire.sku.0.trim().to_owned(),
        amount: if inherits { None } else { amount },
        // Whether the shop counts them is not ours to set here.
        counted: !inherits,
        price: price.filter(|_| !(own && wire.default_price.0)),
        sheet: Sheet::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_variants_are_read_with_what_they_have_of_their_own() {
        let table = [
            (
                r#"{"product_id":7,"sku":" A ","amount":"3","price":"1.5000"}"#,
                None,
                "A",
                Some(3),
                Some("1.5"),
            ),
            (
                r#"{"id":9,"sku":"V","amount":5,"defaultAmount":false,"price":2,"defaultPrice":true}"#,
                Some(7),
                "V",
                Some(5),
                None,
            ),
            (
                r#"{"id":9,"sku":"","amount":5,"defaultAmount":"1","price":2,"defaultPrice":0}"#,
                Some(7),
                "",
                None,
                Some("2"),
            ),
        ];
        for (text, product, sku, amount, price) in table {
            let Entry::Shown(shown) = entry(text, product) else { panic!("{text}") };
            assert_eq!((shown.sku.as_str(), shown.amount), (sku, amount), "{text}");
            assert_eq!(shown.price.map(Amount::to_mi).as_deref(), price, "{text}");
            assert_eq!(shown.counted, amount.is_some(), "{text}");
        }
        for (text, id) in [("7", None), (r#"{"product_id":7,"amount":1.5}"#, Some(7))] {
            assert!(matches!(entry(text, None), Entry::Unreadable { id: got, .. } if got == id));
        }
    }
}
