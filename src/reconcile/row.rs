//! One line of a comparison, whatever was compared, and how buyers and goods become one. Pure.
//!
//! Guarantees: what is only being worked on, and what a person chose, is no difference.

use super::What;
use crate::{buyers, goods, profiles};
use serde::Serialize;

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What was compared.
    pub what: What,
    /// X-Cart's internal id; 0 where it has none.
    pub id: u64,
    /// An order's key as M3 has it in CUOR, a profile's login, a SKU; empty when the shop's answer
    /// cannot be read.
    pub key: String,
    /// M3's number of the order, the customer or the item, where there is one.
    pub orno: String,
    /// An order's total with its currency; what the shop has of the others.
    pub total: String,
    /// Name of the verdict.
    pub verdict: String,
    /// What it says.
    pub text: String,
    /// What to do.
    pub repair: String,
    /// Whether somebody should look at it.
    pub differs: bool,
}

/// Whether the flow itself makes good what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It only watches.
    Watches,
    /// It writes.
    Writes,
}

/// What a line came to: the verdict, what it says, what to do, and whether somebody should look.
type Judged = (&'static str, String, String, bool);

/// Judges a profile; none for the shop's staff.
pub fn of_buyer(line: buyers::report::Line, flow: Flow) -> Option<Row> {
    let show = || format!("causeway buyers show {}", line.profile);
    let (verdict, text, repair, differs): Judged = match line.tie.as_str() {
        "staff" => return None,
        "unknown" => ("no-customer", String::new(), String::new(), false),
        "gone" | "conflict" | "several-profiles" | "several-customers" => {
            ("unclear", line.note.clone(), show(), true)
        }
        _ if line.note.starts_with("the shop") => ("refused", line.note.clone(), show(), true),
        _ if !line.changes.is_empty() => match flow {
            Flow::Writes => ("underway", line.changes.clone(), String::new(), false),
            Flow::Watches => {
                let repair = format!("causeway buyers apply {}", line.profile);
                ("differs", line.changes.clone(), repair, true)
            }
        },
        _ if !line.note.is_empty() => ("kept", line.note.clone(), String::new(), false),
        _ if line.other_mail.is_some() => {
            ("other-e-mail", "M3 has another e-mail address".to_owned(), String::new(), false)
        }
        _ => ("equal", String::new(), String::new(), false),
    };
    Some(Row {
        what: What::Customers,
        id: line.profile,
        total: format!("{} {}", line.status, line.membership).trim_end().to_owned(),
        key: line.login,
        orno: line.cuno.unwrap_or_default(),
        verdict: verdict.to_owned(),
        text,
        repair,
        differs,
    })
}

/// Judges a profile by its customer in M3; none where there is nothing to compare.
pub fn of_profile(line: profiles::report::Line, flow: Flow) -> Option<Row> {
    let (verdict, repair, differs) = match (line.stands.as_str(), flow) {
        ("left-out", _) => return None,
        ("parked", _) => ("parked", line.advice, true),
        ("waiting", _) | ("make" | "match" | "change", Flow::Writes) => {
            ("underway", String::new(), false)
        }
        ("make" | "match", Flow::Watches) => ("not-in-m3", line.advice, true),
        ("change", Flow::Watches) => ("differs", line.advice, true),
        _ => ("equal", String::new(), false),
    };
    Some(Row {
        what: What::Customers,
        id: line.profile,
        key: line.login,
        orno: line.cuno.unwrap_or_default(),
        total: String::new(),
        verdict: verdict.to_owned(),
        text: line.note,
        repair,
        differs,
    })
}

/// Judges a SKU.
pub fn of_good(line: goods::report::Line, flow: Flow) -> Row {
    let pieces = line.wants.is_some() && line.wants != line.has;
    let price = line.wants_price.is_some() && line.wants_price != line.has_price;
    let show = || format!("causeway goods show {}", line.sku);
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let number = |pieces: Option<u64>| value(&pieces.map(|pieces| pieces.to_string()));
    let (verdict, text, repair, differs): Judged = if line.itno.is_none() {
        ("no-item", String::new(), String::new(), false)
    } else if line.note.starts_with("the shop refused") {
        ("refused", line.note.clone(), show(), true)
    } else if pieces || price || !line.changes.is_empty() {
        let mut told = Vec::new();
        if pieces {
            told.push(format!("{} pieces, M3 {}", number(line.has), number(line.wants)));
        }
        if price {
            let (has, wants) = (value(&line.has_price), value(&line.wants_price));
            told.push(format!("price {has}, M3 {wants}"));
        }
        told.extend((!line.changes.is_empty()).then(|| line.changes.clone()));
        match flow {
            Flow::Writes => ("underway", told.join("; "), String::new(), false),
            Flow::Watches => {
                let repair = "change it in the shop, or set mode = \"write\"".to_owned();
                ("differs", told.join("; "), repair, true)
            }
        }
    } else {
        ("equal", String::new(), String::new(), false)
    };
    let total = format!("{} {}", number(line.has), value(&line.has_price));
    Row {
        what: What::Goods,
        id: line.product.unwrap_or(0),
        key: line.sku,
        orno: line.itno.unwrap_or_default(),
        total,
        verdict: verdict.to_owned(),
        text,
        repair,
        differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_judged_by_whose_it_is_and_what_is_to_be_written() {
        let line =
            |tie: &str, changes: &str, note: &str, mail: Option<&str>| buyers::report::Line {
                profile: 7,
                login: "a@x".to_owned(),
                cuno: None,
                tie: tie.to_owned(),
                status: "E".to_owned(),
                wants_status: String::new(),
                membership: String::new(),
                wants_membership: None,
                changes: changes.to_owned(),
                other_mail: mail.map(str::to_owned),
                note: note.to_owned(),
            };
        let table = [
            (line("order", "", "", None), Flow::Watches, "equal", false),
            (line("order", "", "", Some("b@x")), Flow::Watches, "other-e-mail", false),
            (line("number", "disable it", "", None), Flow::Watches, "differs", true),
            (line("number", "disable it", "", None), Flow::Writes, "underway", false),
            (line("e-mail", "x", "the shop refused it", None), Flow::Writes, "refused", true),
            (line("e-mail", "", "disabled by a person", None), Flow::Writes, "kept", false),
            (line("unknown", "", "M3 has none", None), Flow::Watches, "no-customer", false),
            (line("gone", "", "M3 lists none", None), Flow::Watches, "unclear", true),
            (line("several-customers", "", "x", None), Flow::Writes, "unclear", true),
        ];
        for (line, flow, verdict, differs) in table {
            let row = of_buyer(line.clone(), flow).unwrap();
            assert_eq!((row.verdict.as_str(), row.differs), (verdict, differs), "{line:?}");
            assert_eq!(row.differs, !row.repair.is_empty());
        }
        assert_eq!(of_buyer(line("staff", "", "", None), Flow::Writes), None);
    }

    #[test]
    fn a_sku_is_judged_by_its_pieces_its_price_and_its_texts() {
        let line = |has, wants, price: Option<&str>, changes: &str| goods::report::Line {
            sku: "A".to_owned(),
            itno: Some("A".to_owned()),
            product: Some(1),
            variant: None,
            has,
            wants,
            has_price: Some("1.5".to_owned()),
            wants_price: price.map(str::to_owned),
            changes: changes.to_owned(),
            note: String::new(),
        };
        let judged = |line, flow| {
            let row = of_good(line, flow);
            (row.verdict, row.text, row.differs)
        };
        let told =
            |verdict: &str, text: &str, differs| (verdict.to_owned(), text.to_owned(), differs);
        let same = line(Some(3), Some(3), Some("1.5"), "");
        assert_eq!(judged(same, Flow::Watches), told("equal", "", false));
        let keeps = line(Some(3), None, None, "");
        assert_eq!(judged(keeps, Flow::Watches), told("equal", "", false));
        let other = line(Some(3), Some(4), Some("2"), "name");
        let want = told("differs", "3 pieces, M3 4; price 1.5, M3 2; name", true);
        assert_eq!(judged(other.clone(), Flow::Watches), want);
        assert_eq!(judged(other, Flow::Writes).0, "underway");
    }
}
