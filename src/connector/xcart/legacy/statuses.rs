//! Which id a status has in this shop (reference/xcart.md 6, 9.4): ids differ, codes do not.
//!
//! Guarantees: an id is never guessed. It was set, or the shop's own list or one of its orders named
//! it; where none of them did, the write is refused with what to do.

use super::{call::Call, wire};
use crate::connector::{
    Class, Failure, Fate,
    xcart::{Legacy, rest::Shop, wire::OrderOnPage},
};
use std::collections::BTreeMap;

/// Which of the two statuses of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::connector::xcart) enum Table {
    Payment,
    Shipping,
}

impl Table {
    const BOTH: [Self; 2] = [Self::Payment, Self::Shipping];

    /// The path of the list of its statuses, by the rule of paths; no notes show it.
    const fn entity(self) -> &'static str {
        match self {
            Self::Payment => "order-status-payment",
            Self::Shipping => "order-status-shipping",
        }
    }

    /// The member of an order.
    pub(super) const fn relation(self) -> &'static str {
        match self {
            Self::Payment => "paymentStatus",
            Self::Shipping => "shippingStatus",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Payment => "xcart.legacy.payment_status_ids",
            Self::Shipping => "xcart.legacy.shipping_status_ids",
        }
    }
}

/// What is known of ids.
#[derive(Clone, Debug, Default)]
pub(in crate::connector::xcart) struct Known(BTreeMap<(Table, String), u64>);

impl Known {
    /// What was set.
    pub(in crate::connector::xcart) fn of(settings: &Legacy) -> Self {
        let mut known = Self::default();
        for table in Table::BOTH {
            let ids = match table {
                Table::Payment => &settings.payment_status_ids,
                Table::Shipping => &settings.shipping_status_ids,
            };
            known.0.extend(ids.iter().map(|(code, id)| ((table, code.clone()), *id)));
        }
        known
    }

    /// Takes note of what the shop said; what is known stays, since it may have been set.
    pub(super) fn learn(&mut self, table: Table, code: &str, id: u64) {
        if !code.is_empty() {
            self.0.entry((table, code.to_owned())).or_insert(id);
        }
    }

    /// A custom status without a code goes by its id (reference/xcart.md 3.3).
    fn id(&self, table: Table, code: &str) -> Option<u64> {
        code.parse().ok().or_else(|| self.0.get(&(table, code.to_owned())).copied())
    }
}

impl Shop {
    /// Finds out which id a status has.
    pub(super) async fn legacy_status_id(&self, table: Table, code: &str) -> Result<u64, Failure> {
        if let Some(id) = self.known_id(table, code) {
            return Ok(id);
        }
        match self.legacy_read(&Call::list(table.entity())).await {
            Ok(answer) => {
                for (code, id) in wire::statuses(&answer.body) {
                    self.legacy_known().learn(table, &code, id);
                }
            }
            // This shop does not show the list.
            Err(failure) if is_missing(&failure) => {}
            Err(failure) => return Err(failure),
        }
        if let Some(id) = self.known_id(table, code) {
            return Ok(id);
        }
        self.ask_an_order(table, code).await?;
        self.known_id(table, code).ok_or_else(|| unknown(table, code))
    }

    fn known_id(&self, table: Table, code: &str) -> Option<u64> {
        self.legacy_known().id(table, code)
    }

    /// Reads an order that has the status; whichever one is read, what it says is true.
    async fn ask_an_order(&self, table: Table, code: &str) -> Result<(), Failure> {
        let with = Call::list("order").only(table.relation(), code).page(0, 1);
        let page = match self.legacy_read(&with).await {
            Ok(answer) => wire::list(&answer.body).unwrap_or_default(),
            Err(failure) if is_missing(&failure) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        if let Some(id) = page.first().and_then(OrderOnPage::id) {
            Box::pin(self.legacy_order(id)).await?;
        }
        Ok(())
    }
}

fn is_missing(failure: &Failure) -> bool {
    matches!(failure.class, Class::Config | Class::NotFound | Class::Data)
}

fn unknown(table: Table, code: &str) -> Failure {
    let text = format!(
        "which id the status {code} has in this shop is not known: its list cannot be read and no order has it yet; set {}",
        table.key()
    );
    Failure::new(Fate::Refused, Class::Config, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_wins_and_what_was_never_said_is_not_known() {
        let settings =
            Legacy { payment_status_ids: [("P".to_owned(), 40)].into(), ..Legacy::default() };
        let mut known = Known::of(&settings);
        known.learn(Table::Payment, "P", 4);
        known.learn(Table::Shipping, "S", 3);
        known.learn(Table::Shipping, "", 9);
        let table = [
            (Table::Payment, "P", Some(40)),
            (Table::Shipping, "S", Some(3)),
            (Table::Shipping, "P", None),
            (Table::Shipping, "", None),
            (Table::Shipping, "21", Some(21)),
        ];
        for (table, code, want) in table {
            assert_eq!(known.id(table, code), want, "{table:?} {code}");
        }
        assert!(unknown(Table::Shipping, "S").text.contains("xcart.legacy.shipping_status_ids"));
    }
}
