//! What the flows need of each other and of the connections. Pure.

use super::{Config, Problems};
use crate::connector::xcart;

impl Config {
    /// Adds what a shop of 5.0 to 5.4 cannot do.
    pub(super) fn check_dialect(&self, dialect: xcart::Spoken, problems: &mut Problems) {
        if dialect != xcart::Spoken::Legacy {
            return;
        }
        let wholesale = self.prices.as_ref().is_some_and(|prices| prices.wholesale.is_some());
        let table = [
            ("items", self.items.is_some(), "products are not made or described there"),
            ("prices.wholesale", wholesale, "it has no prices by quantity or membership for us"),
            ("buyers", self.buyers.is_some(), "its profiles are not written"),
            ("profiles", self.profiles.is_some(), "its profiles are read for their orders only"),
        ];
        for (key, _, why) in table.into_iter().filter(|(_, is_set, _)| *is_set) {
            let told = format!("needs a shop of 5.5 or newer, and xcart.dialect is legacy: {why}");
            problems.add(key, told, format!("leave [{key}] out"));
        }
    }

    /// Adds what is wrong with stock, prices and items, and with what they need.
    pub(super) fn check_goods(&self, problems: &mut Problems) {
        if let Some(rules) = self.goods() {
            rules.check(problems);
            let create = rules.items.as_ref().and_then(|items| items.create.as_ref());
            if let Some(category) = create.and_then(|create| create.sku.category())
                && !self.joining().alias_categories.iter().any(|one| one == category)
            {
                let told =
                    "is an alias of a category that order_to_cash.items.alias_categories lacks";
                problems.add(
                    "items.create.sku",
                    told,
                    "orders of such a product would find no item",
                );
            }
            let needs = [("m3", self.m3.is_none()), ("xcart", self.xcart.is_none())];
            for (table, _) in needs.into_iter().filter(|(_, missing)| *missing) {
                let told = "is missing, and [stock], [prices] and [items] need it";
                problems.add(table, told, format!("add [{table}]"));
            }
        }
    }

    /// Adds what is wrong with buyers, profiles and the comparison at night, and with what they need.
    pub(super) fn check_customers(&self, problems: &mut Problems) {
        if let Some(buyers) = &self.buyers {
            buyers.check(problems);
            let needs = [("m3", self.m3.is_none()), ("xcart", self.xcart.is_none())];
            for (table, _) in needs.into_iter().filter(|(_, missing)| *missing) {
                problems.add(table, "is missing, and [buyers] needs it", format!("add [{table}]"));
            }
        }
        if let Some(profiles) = &self.profiles {
            profiles.check(problems);
            if self.order_to_cash.is_none() {
                let told = "is missing, and [profiles] makes customers as it says";
                problems.add("order_to_cash", told, "add [order_to_cash]");
            }
        }
        if let Some(reconcile) = &self.reconcile {
            reconcile.check(problems);
            if self.m3.is_none() || self.xcart.is_none() {
                let told = "needs [m3] and [xcart], and one of them is missing";
                problems.add("reconcile", told, "add it");
            }
        }
    }
}
