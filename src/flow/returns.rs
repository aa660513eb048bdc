//! Goods that come back and money that is given back after M3 has the order. Pure.
//!
//! M3 offers no call for a customer return, so a person enters it there. Guarantees: the person is
//! told what to do, in which amount; it closes by itself when M3 shows the credit note; what the
//! two systems say differently is said; the same return is not told twice.

use super::{
    invoice::{self, Credit, Invoice},
    rules::ReturnRules,
};
use crate::{
    amount::{Amount, currency_places},
    order::Order,
};
use serde::{Deserialize, Serialize};

/// What the shop says came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// All of the money.
    Whole,
    /// A part of the money.
    Part,
    /// Goods; of money nothing is said.
    Goods,
}

/// How far a return is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// M3 shows nothing of it yet, or something else.
    Open,
    /// M3 has credited it.
    Settled,
    /// A person has dealt with it.
    Dismissed,
}

/// A return as the shop tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// What came back.
    pub what: What,
    /// How much money went back; none where that is not known.
    pub refunded: Option<Amount>,
    /// Whether the shop's payments were read since it was told last.
    pub asked: bool,
    /// How it is known.
    pub sure: Sure,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// How far it is.
    pub standing: Standing,
    /// What a person was told last.
    pub shown: String,
}

/// What M3 has of the order.
#[derive(Clone, Copy, Debug)]
pub struct InM3<'a> {
    /// Its number.
    pub orno: &'a str,
    /// Whether anything was delivered.
    pub delivered: Amount,
    /// Its documents.
    pub invoices: &'a [Invoice],
    /// What the order comes to.
    pub total: Amount,
    /// The order's currency.
    pub currency: &'a str,
    /// How far a credit may be from the refund.
    pub tolerance: Amount,
}

/// What is to be made of a return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// M3 has credited it.
    Settled(String),
    /// A person has to do this.
    Ask(String),
}

impl InM3<'_> {
    /// What the documents of one kind come to, in the order's currency.
    fn sum(&self, kind: impl Fn(&Invoice) -> bool) -> Amount {
        let own = self.invoices.iter().filter(|i| kind(i) && i.currency == self.currency);
        let amounts = own.map(|i| i.amount.magnitude());
        amounts.fold(Amount::ZERO, |sum, amount| sum.plus(amount).unwrap_or(sum))
    }

    /// What was credited, less what takes back an invoice that was higher than the order.
    fn credited_beyond_correction(&self) -> Amount {
        let credited = self.sum(Invoice::is_credit);
        let surplus =
            self.sum(|i| !i.is_credit()).minus(self.total).filter(|more| *more > Amount::ZERO);
        let rest = surplus.and_then(|surplus| credited.minus(surplus)).unwrap_or(credited);
        rest.max(Amount::ZERO)
    }
}

impl Returned {
    /// Begins with what the shop says.
    pub const fn new(what: What, sure: Sure, since_ms: u64) -> Self {
        Self {
            what,
            refunded: None,
            asked: false,
            sure,
            since_ms,
            standing: Standing::Open,
            shown: String::new(),
        }
    }

    /// Whether M3 is still to credit it.
    pub fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// Takes in what the shop gave back by now; more than before is news.
    pub fn refunds(&mut self, sum: Amount) {
        self.asked = true;
        let sum = Some(sum).filter(|sum| !sum.is_zero());
        if sum.is_some() && self.refunded != sum {
            self.standing = Standing::Open;
        }
        self.refunded = sum.or(self.refunded);
    }

    /// Compares it with M3.
    pub fn judge(&self, m3: InM3<'_>) -> Verdict {
        let (whole, credited) = (m3.sum(Invoice::is_credit), m3.credited_beyond_correction());
        let all = invoice::credit(m3.invoices) == Credit::All;
        // M3's own charges may stand in an invoice and be credited with it.
        let near = |wanted: Amount| {
            let off = |sum| wanted.minus(sum).map(Amount::magnitude);
            [whole, credited].map(off).into_iter().flatten().any(|off| off <= m3.tolerance)
        };
        let currency = m3.currency;
        let fits = match (self.what, self.refunded) {
            (What::Whole, _) if all => true,
            (_, Some(refunded)) => near(refunded),
            (What::Whole, None) => false,
            (What::Part | What::Goods, None) => !credited.is_zero(),
        };
        if fits && !whole.is_zero() {
            return Verdict::Settled(format!(
                "M3 has credited the return: {}",
                money(whole, currency)
            ));
        }
        let amount = match (self.refunded, self.what) {
            (Some(refunded), _) => format!("gave {} back", money(refunded, currency)),
            (None, What::Whole) => "gave the whole payment back".to_owned(),
            (None, What::Part) => "gave a part of the payment back".to_owned(),
            (None, What::Goods) => "says that the goods come back".to_owned(),
        };
        let documents = m3.invoices.iter().filter(|i| !i.is_credit());
        let documents: Vec<&str> = documents.map(|i| i.number.as_str()).collect();
        let orno = m3.orno;
        let advice = match (documents.as_slice(), m3.delivered.is_zero(), credited.is_zero()) {
            (_, _, false) => format!(
                "M3 has credited {} of order {orno}; correct whichever is wrong",
                money(credited, currency)
            ),
            ([], true, _) => format!(
                "M3 has delivered nothing of order {orno}: cancel it, or the lines that are given back, in OIS300"
            ),
            ([], false, _) => format!(
                "M3 has delivered order {orno} and not invoiced it: enter the customer return in OIS390, and credit it once it is invoiced"
            ),
            ([..], _, _) => format!(
                "enter the customer return of order {orno} in OIS390, or credit invoice {} by that amount",
                documents.join(", ")
            ),
        };
        Verdict::Ask(format!("the shop {amount}; {advice}"))
    }
}

/// Writes a sum with the decimals of its currency.
fn money(amount: Amount, currency: &str) -> String {
    let places = usize::try_from(currency_places(currency)).unwrap_or(2);
    format!("{:.places$} {currency}", amount.0)
}

/// How a return is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sure {
    /// A status of the shop says so.
    ByStatus,
    /// The shop's payments have to say so.
    ByPayments,
}

impl ReturnRules {
    /// Whether the shop has given the whole order back, so that it is not to be entered any more.
    pub fn is_whole(&self, order: &Order) -> bool {
        matches!(self.what(order, None), Some((What::Whole | What::Goods, _)))
    }

    /// Says what the shop's statuses mean; `before` is its payment status at the last look.
    pub fn what(&self, order: &Order, before: Option<&str>) -> Option<(What, Sure)> {
        if !self.follows() {
            return None;
        }
        let is = |codes: &[String], code: &Option<String>| {
            code.as_ref().is_some_and(|code| codes.contains(code))
        };
        if is(&self.payment_statuses, &order.payment_status) {
            return Some((What::Whole, Sure::ByStatus));
        }
        if is(&self.shipping_statuses, &order.shipping_status) {
            return Some((What::Goods, Sure::ByStatus));
        }
        let partly = is(&self.partly_statuses, &order.payment_status);
        let was_paid = before.is_some_and(|code| !self.partly_statuses.iter().any(|p| p == code));
        match (partly, was_paid) {
            // An order that was waiting for its payment is partly paid now, not given back.
            (true, true)
                if before.is_some_and(|code| self.paid_statuses.iter().any(|p| p == code)) =>
            {
                Some((What::Part, Sure::ByStatus))
            }
            (true, _) => Some((What::Part, Sure::ByPayments)),
            (false, _) => None,
        }
    }
}

#[cfg(test)]
mod tests;
