//! Products that are made in the shop (reference/xcart.md 5.1).
//!
//! Guarantees: a product begins with no piece to sell, which the shop counts; a SKU is unique, so the
//! shop itself refuses the same product a second time. What it does not: know whether a call whose
//! answer was lost was carried out; [`Shop::newest_with`] looks.

use super::{
    products::{Entry, Shown, entry},
    rest::{PAGE_LEN, Shop},
    sheet::{Sheet, Written},
};
use crate::{
    amount::Amount,
    connector::{Class, Failure, Fate},
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

/// Characters of a SKU.
pub const SKU_CHARS_MAX: usize = 32;
/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 255;
/// Pages that are turned back at most to find the last one.
const PAGES_BACK_MAX: u32 = 1_000;

/// A product that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    /// Its SKU.
    pub sku: String,
    /// What it says of itself.
    pub sheet: Sheet,
    /// Its price; the shop's default is 0.
    pub price: Option<Amount>,
}

#[derive(Serialize)]
struct WireNew<'a> {
    sku: &'a str,
    #[serde(flatten)]
    sheet: Written,
    /// Without it the shop makes a thousand.
    amount: u64,
    inventory_traceable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
}

impl Shop {
    /// Makes a product. Not idempotent: after an unknown fate look for it first.
    ///
    /// A SKU that is there already is refused with [`Class::Exists`].
    pub async fn make_product(&self, new: &NewProduct) -> Result<Shown, Failure> {
        let class = self.tax_class(&new.sheet).await?;
        let answer = self.post("/products", &wire(new, class)?).await?;
        match entry(&String::from_utf8_lossy(&answer.body), None) {
            Entry::Shown(shown) => Ok(shown),
            Entry::Unreadable { id: _, why } => {
                let text = format!("the shop's answer cannot be read: {why}");
                Err(Failure::new(Fate::Unknown, Class::Broken, &text))
            }
        }
    }

    /// Looks for a SKU among the newest products: from page `page` on, or from the last one that is not
    /// empty before it, to the end. The newest product has the largest id, so it is there.
    pub async fn newest_with(&self, sku: &str, page: u32) -> Result<Option<Shown>, Failure> {
        let mut page = page.max(1);
        let mut entries = self.products(page).await?;
        let mut turned = 0;
        while entries.is_empty() && page > 1 && turned < PAGES_BACK_MAX {
            (page, turned) = (page.saturating_sub(1), turned.saturating_add(1));
            entries = self.products(page).await?;
        }
        loop {
            let is_last = entries.len() < PAGE_LEN;
            for one in entries {
                if let Entry::Shown(shown) = one
                    && shown.sku == sku
                {
                    return Ok(Some(shown));
                }
            }
            if is_last {
                return Ok(None);
            }
            page = page.saturating_add(1);
            entries = self.products(page).await?;
        }
    }
}

fn wire(new: &NewProduct, class: Option<Value>) -> Result<WireNew<'_>, Failure> {
    let price = new.price.map(|price| RawValue::from_string(price.to_mi())).transpose();
    let price =
        price.map_err(|fault| Failure::new(Fate::NotDone, Class::Data, &fault.to_string()))?;
    let sheet = Written::of(&new.sheet, class)?;
    Ok(WireNew { sku: &new.sku, sheet, amount: 0, inventory_traceable: true, price })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::xcart::sheet::Field;

    #[test]
    fn a_new_product_has_nothing_to_sell() {
        let sheet = Sheet::from([
            (Field::Name, "Mug".to_owned()),
            (Field::Weight, "0.5".to_owned()),
            (Field::Enabled, "false".to_owned()),
        ]);
        let new = NewProduct { sku: "MUG".to_owned(), sheet, price: None };
        let text = serde_json::to_string(&wire(&new, None).unwrap()).unwrap();
        let want = r#"{"sku":"MUG","name":"Mug","weight":0.5,"enabled":false,"amount":0,"inventory_traceable":true}"#;
        assert_eq!(text, want);
        let priced = NewProduct { price: Some("1.25".parse().unwrap()), ..new };
        let text = serde_json::to_string(&wire(&priced, None).unwrap()).unwrap();
        assert!(text.ends_with(r#","price":1.25}"#), "{text}");
    }
}
