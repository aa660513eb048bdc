//! The two tables of statuses and what a change of status does.
//!
//! Guarantees: every transition is taken; the status an order already has changes nothing;
//! digits name an id, anything else a code (reference/xcart.md 3.3, 6). Pure.

/// One status of a table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) id: u64,
    /// Custom statuses may have none.
    pub(crate) code: Option<&'static str>,
    pub(crate) name: &'static str,
    pub(crate) name_de: &'static str,
}

const fn status(id: u64, code: &'static str, name: &'static str, name_de: &'static str) -> Status {
    Status { id, code: Some(code), name, name_de }
}

/// The payment statuses; ids differ from shop to shop and mean nothing.
pub(crate) const PAYMENT: [Status; 7] = [
    status(1, "Q", "Awaiting payment", "Zahlung ausstehend"),
    status(2, "A", "Authorized", "Autorisiert"),
    status(3, "PP", "Partially paid", "Teilweise bezahlt"),
    status(4, "P", "Paid", "Bezahlt"),
    status(5, "D", "Declined", "Abgelehnt"),
    status(6, "C", "Canceled", "Storniert"),
    status(7, "R", "Refunded", "Erstattet"),
];

/// The shipping statuses; the last is a merchant's own and has no code.
pub(crate) const SHIPPING: [Status; 9] = [
    status(1, "N", "New", "Neu"),
    status(2, "P", "Processing", "In Bearbeitung"),
    status(3, "S", "Shipped", "Versandt"),
    status(4, "D", "Delivered", "Zugestellt"),
    status(5, "WND", "Will Not Deliver", "Wird nicht geliefert"),
    status(6, "R", "Returned", "Zurückgesandt"),
    status(7, "WFA", "Waiting for approval", "Wartet auf Freigabe"),
    status(8, "NBA", "New/Backordered", "Neu/Nachbestellt"),
    Status { id: 21, code: None, name: "Gift wrapping", name_de: "Geschenkverpackung" },
];

/// Which of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Payment,
    Shipping,
}

impl Table {
    fn statuses(self) -> &'static [Status] {
        match self {
            Self::Payment => &PAYMENT,
            Self::Shipping => &SHIPPING,
        }
    }

    /// The status of an id.
    pub(crate) fn by_id(self, id: u64) -> Option<&'static Status> {
        self.statuses().iter().find(|status| status.id == id)
    }

    /// The status that the `code` of a request names.
    pub(crate) fn named(self, code: &str) -> Option<&'static Status> {
        if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.by_id(code.parse().ok()?);
        }
        self.statuses().iter().find(|status| status.code == Some(code))
    }

    /// What the shop says of a code it does not have.
    pub(crate) fn refusal(self, code: &str) -> String {
        match self {
            Self::Payment => format!("Status code '{code}' is invalid"),
            Self::Shipping => format!("Status code '{code}' is wrong"),
        }
    }

    /// The history's word for a change.
    pub(crate) fn history_code(self) -> &'static str {
        match self {
            Self::Payment => "CHANGE PAYMENT STATUS ORDER",
            Self::Shipping => "CHANGE SHIPPING STATUS ORDER",
        }
    }
}

/// What a change of the payment status does to the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stock {
    /// Nothing.
    Stays,
    /// The goods of the order go back on the shelf.
    Restored,
    /// They are taken from it again.
    Taken,
}

/// What going from one payment status to another does to the stock.
pub(crate) fn stock_effect(from: Option<&str>, to: Option<&str>) -> Stock {
    let open = |code: Option<&str>| matches!(code, Some("Q" | "A" | "PP" | "P"));
    let void = |code: Option<&str>| matches!(code, Some("C" | "D"));
    if open(from) && void(to) {
        Stock::Restored
    } else if void(from) && open(to) {
        Stock::Taken
    } else {
        Stock::Stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_name_an_id_and_letters_a_code() {
        let table = [
            (Table::Payment, "P", Some(4)),
            (Table::Payment, "4", Some(4)),
            (Table::Payment, "p", None),
            (Table::Payment, "", None),
            (Table::Payment, "99", None),
            (Table::Shipping, "NBA", Some(8)),
            (Table::Shipping, "NB", None),
            (Table::Shipping, "21", Some(21)),
        ];
        for (of, code, want) in table {
            assert_eq!(of.named(code).map(|status| status.id), want, "{of:?} {code}");
        }
    }

    #[test]
    fn stock_moves_only_between_open_and_void() {
        let table = [
            (Some("P"), Some("C"), Stock::Restored),
            (Some("Q"), Some("D"), Stock::Restored),
            (Some("C"), Some("P"), Stock::Taken),
            (Some("C"), Some("D"), Stock::Stays),
            (Some("Q"), Some("P"), Stock::Stays),
            (Some("P"), Some("R"), Stock::Stays),
            (None, Some("C"), Stock::Stays),
        ];
        for (from, to, want) in table {
            assert_eq!(stock_effect(from, to), want, "{from:?} to {to:?}");
        }
    }
}
