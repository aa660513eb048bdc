//! How goods lie in the state store: keys and values. Pure.
//!
//! | key | value |
//! |---|---|
//! | `gs/<sku>` | one SKU of the shop: where it is sold, its item, what it has and should have |
//! | `gi/<itno>`, a zero, `<sku>` | nothing: the SKUs of an item |
//! | `gv/<itno>`, `gl/<itno>`, `gt/<itno>` | the balances of an item; its prices by list; its texts and other fields |
//! | `gw/<itno>`, a zero, `<sku>` | the wholesale prices of a SKU |
//! | `gn/<itno>` | an item that has no product: why not, or that one is being made |
//! | `gq/<itno>` | the item is due for the shop |
//! | `ga/<itno>` | the item was let through by the load |
//! | `gh/<sku>` | pieces that were ordered and that M3 does not have yet |
//!
//! A value begins with the version of its form, as in `delivery::rows`.

use crate::ids::Itno;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Table of the shop's SKUs.
pub const GOODS: &str = "gs";
/// Table of the balances.
pub const BALANCES: &str = "gv";
/// Table of the prices.
pub const PRICES: &str = "gl";
/// Table of the wholesale prices of the shop's SKUs.
pub const TIERS: &str = "gw";
/// Table of the items' texts and other fields.
pub const ITEMS: &str = "gt";
/// Table of the items without a product.
pub const NEWCOMERS: &str = "gn";
/// Table of what is due.
pub const DUE: &str = "gq";
/// Table of what the load let through.
pub const ADMITTED: &str = "ga";
/// Table of what was ordered and is not in M3.
pub const HELD: &str = "gh";
/// Name of the row with the shop's categories and tax classes.
pub const LISTS: &str = "goods-lists";
/// Name of the row that says for which settings everything was marked.
pub const SETTINGS: &str = "goods-settings";
/// Name of the row of the load.
pub const LOAD: &str = "goods-load";
/// Name of the cursor of the shop's goods.
pub const WALK_CURSOR: &str = "goods";

/// Returns the key of a row.
pub fn key(table: &str, name: &str) -> Vec<u8> {
    format!("{table}/{name}").into_bytes()
}

/// Reads the name out of a key.
pub fn name_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.split_once('/').map(|(_, name)| name)
}

/// Returns the key of the wholesale prices of a SKU of an item.
pub fn tiers_of(itno: &str, sku: &str) -> Vec<u8> {
    format!("{TIERS}/{itno}\0{sku}").into_bytes()
}

/// Returns the key of a SKU among those of its item.
pub fn sku_of_item(itno: &Itno, sku: &str) -> Vec<u8> {
    format!("gi/{itno}\0{sku}").into_bytes()
}

/// Every key of the SKUs of an item.
pub fn skus_of(itno: &str) -> Range<Vec<u8>> {
    format!("gi/{itno}\0").into_bytes()..format!("gi/{itno}\u{1}").into_bytes()
}

/// Reads the SKU out of such a key.
pub fn sku_in(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.split_once('\0').map(|(_, sku)| sku)
}

/// An item that is due. Each change writes another mark, so that none is lost while one is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Drawn anew at each change.
    pub mark: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Where the reading of one of M3's lists stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Changes up to here, by our clock in milliseconds since 1970, are on disk.
    pub seen_ms: u64,
    /// When everything was read last; 0 if never.
    pub full_ms: u64,
    /// Fingerprint of what was asked for: others need everything anew.
    pub of: String,
}

/// Where the reading of the shop's goods stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkCursor {
    /// The number of the walk that is under way, or was last.
    pub number: u64,
    /// The page to read next; 0 when none is under way.
    pub page: u32,
    /// When the last one ended, in milliseconds since 1970; 0 if none ever did.
    pub ended_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skus_of_an_item_are_found_and_no_others() {
        let item = |text: &str| Itno::try_from(text).unwrap();
        let key = sku_of_item(&item("MUG"), "mug/red");
        assert!(skus_of("MUG").contains(&key));
        assert_eq!(sku_in(&key), Some("mug/red"));
        for other in ["MUG1", "MU", "MUG-"] {
            assert!(!skus_of("MUG").contains(&sku_of_item(&item(other), "x")), "{other}");
        }
        assert_eq!(name_of(&super::key(GOODS, "a/b")), Some("a/b"));
    }
}
