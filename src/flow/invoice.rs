//! The invoices and credit notes of an order, added up by currency. Pure.
//!
//! Guarantees: amounts of different currencies are never added; an invoice that goes, changes,
//! or is open again after it was settled is said once for each time it happens.

use crate::amount::Amount;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One invoice or credit note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// EXIN, or IVNO where there is none.
    pub number: String,
    /// YEA4.
    pub year: String,
    /// PYNO, who pays.
    pub payer: String,
    /// What it asks for, VAT included; negative for a credit note.
    pub amount: Amount,
    /// CUCD.
    pub currency: String,
    /// How far accounts receivable is with it.
    pub receivable: Receivable,
}

/// What accounts receivable says of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receivable {
    /// It does not have it yet.
    Missing,
    /// It has it, not paid.
    Posted,
    /// It is settled: RECO 9.
    Settled,
}

/// How much of what was invoiced is credited again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// Nothing.
    None,
    /// A part.
    Part,
    /// All.
    All,
}

impl Invoice {
    /// Whether it gives money back.
    pub fn is_credit(&self) -> bool {
        self.amount < Amount::ZERO
    }

    fn is(&self, other: &Self) -> bool {
        (&self.number, &self.year) == (&other.number, &other.year)
    }

    /// Says it for a person.
    pub fn told(&self) -> String {
        let word = if self.is_credit() { "credit note" } else { "invoice" };
        format!("{word} {} ({} {})", self.number, self.amount, self.currency)
    }
}

/// Adds documents up by currency.
pub fn sums(invoices: &[Invoice]) -> BTreeMap<&str, Amount> {
    let mut sums = BTreeMap::new();
    for invoice in invoices {
        let sum: &mut Amount = sums.entry(invoice.currency.as_str()).or_default();
        *sum = sum.plus(invoice.amount).unwrap_or(*sum);
    }
    sums
}

/// Says how much is credited again.
pub fn credit(invoices: &[Invoice]) -> Credit {
    if !invoices.iter().any(Invoice::is_credit) {
        return Credit::None;
    }
    if sums(invoices).values().all(|sum| *sum <= Amount::ZERO) { Credit::All } else { Credit::Part }
}

/// What became of the documents of an order between two looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Those that were not there before.
    pub fresh: Vec<Invoice>,
    /// What a person should know.
    pub said: Vec<String>,
}

/// Compares two looks.
pub fn compare(before: &[Invoice], now: &[Invoice]) -> News {
    let mut news = News::default();
    for old in before {
        match now.iter().find(|fresh| fresh.is(old)) {
            None => news.said.push(format!("{} is not in M3 any more", old.told())),
            Some(fresh) if (fresh.amount, &fresh.currency) != (old.amount, &old.currency) => {
                news.said.push(format!("{} became {}", old.told(), fresh.told()));
            }
            Some(fresh)
                if old.receivable == Receivable::Settled
                    && fresh.receivable != Receivable::Settled =>
            {
                news.said.push(format!("{} was paid and is open again", old.told()));
            }
            Some(_) => {}
        }
    }
    news.fresh =
        now.iter().filter(|fresh| !before.iter().any(|old| old.is(fresh))).cloned().collect();
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use Receivable::*;

    fn invoice(number: &str, amount: i64, currency: &str, receivable: Receivable) -> Invoice {
        Invoice {
            number: number.into(),
            year: "2026".into(),
            payer: "Y1".into(),
            amount: Amount(amount.into()),
            currency: currency.into(),
            receivable,
        }
    }

    #[test]
    fn credits_are_summed_by_currency_and_never_across_two() {
        let eur = |amount| invoice("1", amount, "EUR", Posted);
        let table = [
            (vec![], Credit::None),
            (vec![eur(10)], Credit::None),
            (vec![eur(10), eur(-4)], Credit::Part),
            (vec![eur(10), eur(-10)], Credit::All),
            (vec![eur(10), eur(-10), eur(10)], Credit::Part),
            (vec![eur(10), invoice("2", -10, "USD", Posted)], Credit::Part),
        ];
        for (invoices, want) in table {
            assert_eq!(credit(&invoices), want, "{invoices:?}");
        }
    }

    #[test]
    fn what_contradicts_an_earlier_look_is_said() {
        let before = [invoice("1", 10, "EUR", Settled), invoice("2", 5, "EUR", Posted)];
        let table = [
            (vec![before[0].clone(), before[1].clone()], 0, ""),
            (vec![before[0].clone()], 0, "invoice 2 (5 EUR) is not in M3 any more"),
            (
                vec![before[0].clone(), invoice("2", 6, "EUR", Posted)],
                0,
                "invoice 2 (5 EUR) became invoice 2 (6 EUR)",
            ),
            (
                vec![invoice("1", 10, "EUR", Posted), before[1].clone()],
                0,
                "invoice 1 (10 EUR) was paid and is open again",
            ),
            (vec![before[0].clone(), before[1].clone(), invoice("3", -5, "EUR", Posted)], 1, ""),
        ];
        for (now, fresh, said) in table {
            let news = compare(&before, &now);
            assert_eq!((news.fresh.len(), news.said.join("; ").as_str()), (fresh, said));
        }
    }
}
