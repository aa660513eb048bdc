//! Balances in M3's words. Pure.
//!
//! Source: reference/m3.md 4.2. The rows of `LstNewBalances` do not say when they changed, and
//! there is no way to ask for the next part of a list: one answer holds all.

use super::mi::{BadNumber, MiCall, MiRecord};
use crate::{amount::Amount, ids::Itno};
use serde::Deserialize;

/// Which of M3's figures is what can be sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Figure {
    /// AV01: allocable on hand less allocated. Orders that are not allocated do not count.
    Av01,
    /// AV02: on hand less reserved. Every open order counts.
    #[default]
    Av02,
}

impl Figure {
    /// Returns M3's name of the field.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Av01 => "AV01",
            Self::Av02 => "AV02",
        }
    }
}

/// What one warehouse has of one item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Balance {
    /// ITNO.
    pub itno: Itno,
    /// WHLO.
    pub warehouse: String,
    /// The figure that was asked for, in the item's basic unit; it may be below 0.
    pub quantity: Amount,
}

/// Lists the balances that changed since then, in milliseconds since 1970; all when none.
pub fn changed_since(since_ms: Option<u64>, figure: Figure) -> MiCall {
    let call = MiCall::new("OIS100MI", "LstNewBalances");
    let call = match since_ms {
        Some(since_ms) => call.with("LMTS", since_ms.to_string()),
        None => call,
    };
    call.columns(&["WHLO", "ITNO", figure.field()])
}

/// Understands one row; none if it names no item or a warehouse that is not asked about.
pub fn balance(
    row: &MiRecord,
    figure: Figure,
    warehouses: &[String],
) -> Result<Option<Balance>, BadNumber> {
    let warehouse = row.text("WHLO").trim();
    if !warehouses.iter().any(|wanted| wanted == warehouse) {
        return Ok(None);
    }
    let Ok(itno) = Itno::try_from(row.text("ITNO")) else { return Ok(None) };
    let quantity = Amount(row.decimal(figure.field())?);
    Ok(Some(Balance { itno, warehouse: warehouse.to_owned(), quantity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_in_every_form_and_only_of_the_warehouses_asked_about() {
        let read = |pairs: &[(&str, &str)]| {
            let row: MiRecord = pairs.iter().copied().collect();
            balance(&row, Figure::Av02, &["001".to_owned()])
        };
        let got = read(&[("WHLO", "001"), ("ITNO", "MUG       "), ("AV02", "12,50-")]).unwrap();
        let got = got.unwrap();
        assert_eq!((got.itno.as_str(), got.quantity.to_mi().as_str()), ("MUG", "-12.5"));
        assert_eq!(read(&[("WHLO", "002"), ("ITNO", "MUG"), ("AV02", "x")]).unwrap(), None);
        assert_eq!(read(&[("WHLO", "001"), ("ITNO", ""), ("AV02", "1")]).unwrap(), None);
        assert!(read(&[("WHLO", "001"), ("ITNO", "MUG"), ("AV02", "x")]).is_err());
        assert_eq!(changed_since(Some(5), Figure::Av01).value("LMTS"), "5");
        assert_eq!(changed_since(None, Figure::Av01).value("LMTS"), "");
    }
}
