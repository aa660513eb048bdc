//! What the shop is told while M3 delivers and invoices an order. Pure.
//!
//! Status writes are idempotent (reference/xcart.md 3.3) and simply repeated; a
//! tracking number is written only when the shop's list does not have it.
//! Whether all is shipped is decided by quantities, not by status alone
//! (reference/m3.md 5.1).

mod doubt;

use self::doubt::Doubt;
use super::{
    cause::{Cause, CauseKind},
    invoice::{Credit, Invoice, Receivable, credit},
    parcel::{PARCELS_MAX, Parcel},
    rules::{PaidWhen, StatusRules},
};
use crate::amount::Amount;
use serde::{Deserialize, Serialize};

/// Deleted (reference/m3.md 5.1).
const STATUS_DELETED: &str = "90";
/// Closed with a remaining quantity.
const STATUS_CLOSED: &str = "99";
/// Looks at an order between two questions for its deliveries while nothing changes.
const LOOKS_BETWEEN_DELIVERIES: u32 = 8;

/// An order as M3 has it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// ORSL, lowest line status; empty when the order is gone.
    pub lowest: String,
    /// ORST, highest line status.
    pub highest: String,
    /// Quantities of each line.
    pub lines: Vec<LineProgress>,
    /// The parcels of its deliveries; none where they were not asked for.
    pub parcels: Option<Vec<Parcel>>,
    /// Its invoices and credit notes; none where they were not asked for.
    pub invoices: Option<Vec<Invoice>>,
}

/// Quantities of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineProgress {
    /// ORQT.
    pub ordered: Amount,
    /// DLQT.
    pub delivered: Amount,
    /// IVQT.
    pub invoiced: Amount,
}

/// A write to the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell {
    /// `PUT .../shipping_status`.
    Shipping(String),
    /// `PUT .../payment_status`.
    Payment(String),
    /// A tracking number by the optional extension.
    Tracking(String),
    /// A line of the order's notes for the staff, by the optional extension.
    Note(String),
}

/// What the shop has been told and how far M3 has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// Shipping status last written.
    pub shipping: String,
    /// Payment status last written.
    pub payment: String,
    /// Tracking numbers the shop has, or cannot take.
    pub tracking: Vec<String>,
    /// Writes that are due, in this sequence.
    pub due: Vec<Tell>,
    /// Looks at M3 without news.
    pub idle: u32,
    /// `ORSL-ORST` at the last look.
    pub seen: String,
    /// Pieces delivered at the last look, over all lines.
    pub delivered: Amount,
    /// Whether M3 has nothing more to do.
    pub complete: bool,
    /// Status writes whose answer was lost.
    doubt: Option<Doubt>,
}

impl Follow {
    /// Begins with the first status after the confirmation.
    pub fn new(rules: &StatusRules) -> Self {
        let mut follow = Self::default();
        follow.want_shipping(&rules.confirmed);
        follow
    }

    /// Goes on with an order that was complete and of which the shop was told all.
    pub fn resumed(rules: &StatusRules) -> Self {
        Self { shipping: rules.shipped.clone(), ..Self::default() }
    }

    /// Whether deliveries are worth asking for: after a change, once more after it, and
    /// now and then, because a tracking number may be entered later.
    pub fn has_news(&self, now: &Progress) -> bool {
        let changed = self.seen != now.status() || self.delivered != now.delivered();
        changed || self.idle == 0 || self.idle.is_multiple_of(LOOKS_BETWEEN_DELIVERIES)
    }

    /// Lets the next look ask for deliveries, too.
    pub fn look_closely(&mut self) {
        self.idle = 0;
    }

    /// Returns the next write, if one is due.
    pub fn next(&self) -> Option<&Tell> {
        self.due.first()
    }

    /// The shop has it, or has said that it does not take it.
    pub fn told(&mut self) {
        if self.due.is_empty() {
            return;
        }
        match self.due.remove(0) {
            Tell::Shipping(code) => self.shipping = code,
            Tell::Payment(code) => self.payment = code,
            Tell::Tracking(number) => self.tracking.push(number),
            Tell::Note(_) => {}
        }
    }

    /// Takes in what the shop itself says of the order, so that nothing is written twice.
    pub fn shop_has(&mut self, tracking: &[String]) {
        self.due
            .retain(|tell| !matches!(tell, Tell::Tracking(number) if tracking.contains(number)));
        for number in tracking {
            if !self.tracking.contains(number) {
                self.tracking.push(number.clone());
            }
        }
    }

    /// Takes in M3's progress; `Some` when a person is needed.
    pub fn on(&mut self, now: &Progress, shop_payment: &str, rules: &StatusRules) -> Option<Cause> {
        let seen = now.status();
        if now.lowest.is_empty() || now.lowest == STATUS_DELETED {
            let text = format!("M3 has the order no more (status {seen})");
            return Some(Cause::new(CauseKind::OrderDeletedInM3, text));
        }
        self.idle = if self.seen == seen { self.idle.saturating_add(1) } else { 0 };
        (self.seen, self.delivered) = (seen, now.delivered());
        let parcels = now.parcels.as_deref().unwrap_or_default();
        // Each goes to the front, so the first comes last.
        for parcel in parcels.iter().take(PARCELS_MAX).rev() {
            self.want_tracking(&parcel.number);
        }
        if now.all_delivered() {
            self.want_shipping(&rules.shipped);
        } else if now.highest == STATUS_CLOSED && now.lowest == STATUS_CLOSED {
            let text = "M3 closed the order with a quantity that was not delivered";
            return Some(Cause::new(CauseKind::OrderDeletedInM3, text));
        } else if now.some_delivered() {
            self.want_shipping(&rules.partly_shipped);
        }
        self.follow_money(now, shop_payment, rules);
        None
    }

    fn follow_money(&mut self, now: &Progress, shop_payment: &str, rules: &StatusRules) {
        let credit = credit(now.invoices.as_deref().unwrap_or_default());
        let paid = now.paid(rules.paid_when) && credit != Credit::All;
        let is_already = rules.paid_already.iter().any(|code| code == shop_payment);
        // What we wrote of a credit ourselves does not keep a later payment from being told.
        let is_ours = self.payment == shop_payment && shop_payment != rules.paid;
        let code = match credit {
            Credit::All => &rules.credited,
            Credit::Part if !rules.partly_credited.is_empty() => &rules.partly_credited,
            Credit::Part | Credit::None if is_already && !is_ours => "",
            Credit::Part | Credit::None if paid => &rules.paid,
            Credit::Part | Credit::None if now.partly_paid(rules.paid_when) => &rules.partly_paid,
            Credit::Part | Credit::None => "",
        };
        if !code.is_empty() && code != shop_payment {
            self.want_payment(code);
        }
        let nothing_to_pay =
            rules.paid_when == PaidWhen::Never || is_already || credit == Credit::All;
        let settled = now.all_invoiced() || credit == Credit::All;
        self.complete = settled && now.all_posted() && (paid || nothing_to_pay);
    }

    /// A line for the staff, once the caller has made sure that it is news.
    pub fn want_note(&mut self, text: String) {
        let tell = Tell::Note(text);
        if !self.due.contains(&tell) {
            self.due.push(tell);
        }
    }

    fn want_shipping(&mut self, code: &str) {
        self.due.retain(|tell| !matches!(tell, Tell::Shipping(_)));
        if !code.is_empty() && self.shipping != code {
            self.due.push(Tell::Shipping(code.to_owned()));
        }
    }

    fn want_payment(&mut self, code: &str) {
        self.due.retain(|tell| !matches!(tell, Tell::Payment(_)));
        if !code.is_empty() && self.payment != code {
            self.due.push(Tell::Payment(code.to_owned()));
        }
    }

    /// Tracking goes before the status, so that the shop's mail has it (reference/xcart.md 3.3).
    fn want_tracking(&mut self, number: &str) {
        let tell = Tell::Tracking(number.to_owned());
        if number.is_empty()
            || self.tracking.iter().any(|n| n == number)
            || self.due.contains(&tell)
        {
            return;
        }
        self.due.insert(0, tell);
    }
}

impl Progress {
    fn status(&self) -> String {
        format!("{}-{}", self.lowest, self.highest)
    }

    fn delivered(&self) -> Amount {
        let sum = |sum: Amount, line: &LineProgress| sum.plus(line.delivered).unwrap_or(sum);
        self.lines.iter().fold(Amount::ZERO, sum)
    }

    fn all_delivered(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.delivered >= line.ordered)
    }

    /// Whether anything has left.
    pub fn some_delivered(&self) -> bool {
        self.lines.iter().any(|line| !line.delivered.is_zero())
    }

    /// Whether every piece is invoiced.
    pub fn all_invoiced(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.invoiced >= line.ordered)
    }

    /// Whether anything is invoiced.
    pub fn some_invoiced(&self) -> bool {
        self.lines.iter().any(|line| !line.invoiced.is_zero())
    }

    fn all_posted(&self) -> bool {
        let posted = |invoice: &Invoice| invoice.receivable != Receivable::Missing;
        let invoices = self.invoices.as_deref().unwrap_or_default();
        !invoices.is_empty() && invoices.iter().all(posted)
    }

    fn paid(&self, when: PaidWhen) -> bool {
        let invoices = self.invoices.as_deref().unwrap_or_default();
        let enough = !invoices.is_empty() && invoices.iter().all(|invoice| when.is_paid(invoice));
        enough && self.all_invoiced()
    }

    fn partly_paid(&self, when: PaidWhen) -> bool {
        self.invoices.iter().flatten().any(|i| !i.is_credit() && when.is_paid(i))
    }
}

impl PaidWhen {
    fn is_paid(self, invoice: &Invoice) -> bool {
        match self {
            Self::Settled => invoice.receivable == Receivable::Settled,
            Self::Posted => invoice.receivable != Receivable::Missing,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(lowest: &str, highest: &str, quantities: [(i64, i64, i64); 2]) -> Progress {
        let amount = |n: i64| Amount(n.into());
        let lines = quantities.map(|(ordered, delivered, invoiced)| LineProgress {
            ordered: amount(ordered),
            delivered: amount(delivered),
            invoiced: amount(invoiced),
        });
        Progress {
            lowest: lowest.into(),
            highest: highest.into(),
            lines: lines.into(),
            ..Progress::default()
        }
    }

    fn parcels(numbers: &[&str]) -> Vec<Parcel> {
        let parcel = |number: &&str| Parcel { number: (*number).into(), ..Parcel::default() };
        numbers.iter().map(parcel).collect()
    }

    fn invoice(number: &str, amount: i64, receivable: Receivable) -> Invoice {
        Invoice {
            number: number.into(),
            year: "2026".into(),
            payer: "Y1".into(),
            amount: Amount(amount.into()),
            currency: "EUR".into(),
            receivable,
        }
    }

    fn drain(follow: &mut Follow) -> Vec<Tell> {
        let mut told = Vec::new();
        while let Some(tell) = follow.next().cloned() {
            told.push(tell);
            follow.told();
        }
        told
    }

    #[test]
    fn the_shop_is_told_each_thing_once_and_tracking_before_the_status() {
        let rules = StatusRules::default();
        let mut follow = Follow::new(&rules);
        assert_eq!(drain(&mut follow), vec![Tell::Shipping("P".into())]);
        let allocated = progress("33", "33", [(2, 0, 0), (1, 0, 0)]);
        let mut partly = progress("23", "66", [(2, 2, 0), (1, 0, 0)]);
        partly.parcels = Some(parcels(&["T1"]));
        let mut shipped = progress("66", "66", [(2, 2, 0), (1, 1, 0)]);
        shipped.parcels = Some(parcels(&["T1", "T2"]));
        let mut invoiced = progress("77", "77", [(2, 2, 2), (1, 1, 1)]);
        invoiced.parcels = shipped.parcels.clone();
        invoiced.invoices = Some(vec![invoice("1", 30, Receivable::Posted)]);
        let mut settled = invoiced.clone();
        settled.invoices = Some(vec![invoice("1", 30, Receivable::Settled)]);
        let story = [
            (allocated, vec![], false),
            (partly, vec![Tell::Tracking("T1".into())], false),
            (shipped.clone(), vec![Tell::Tracking("T2".into()), Tell::Shipping("S".into())], false),
            (shipped, vec![], false),
            (invoiced, vec![], false),
            (settled, vec![Tell::Payment("P".into())], true),
        ];
        for (now, want, complete) in story {
            assert_eq!(follow.on(&now, "Q", &rules), None);
            assert_eq!(drain(&mut follow), want, "{now:?}");
            assert_eq!(follow.complete, complete, "{now:?}");
        }
    }

    #[test]
    fn an_order_that_is_paid_already_is_complete_with_its_posted_invoice() {
        let rules = StatusRules::default();
        let mut follow = Follow::new(&rules);
        drain(&mut follow);
        let mut now = progress("77", "77", [(2, 2, 2), (1, 1, 1)]);
        now.invoices = Some(vec![invoice("1", 30, Receivable::Posted)]);
        follow.on(&now, "P", &rules);
        assert_eq!(drain(&mut follow), vec![Tell::Shipping("S".into())]);
        assert!(follow.complete);
    }

    #[test]
    fn an_order_that_is_deleted_or_closed_short_needs_a_person() {
        let rules = StatusRules::default();
        for (lowest, highest) in [("90", "90"), ("", ""), ("99", "99")] {
            let now = progress(lowest, highest, [(2, 1, 1), (1, 0, 0)]);
            let cause = Follow::new(&rules).on(&now, "Q", &rules).unwrap();
            assert_eq!(cause.kind, CauseKind::OrderDeletedInM3, "{lowest}");
        }
    }

    #[test]
    fn a_tracking_number_that_the_shop_has_is_not_written_again() {
        let rules = StatusRules::default();
        let mut follow = Follow::new(&rules);
        let mut now = progress("66", "66", [(2, 2, 0), (1, 1, 0)]);
        now.parcels = Some(parcels(&["T1"]));
        follow.on(&now, "Q", &rules);
        follow.shop_has(&["T1".to_owned()]);
        assert_eq!(drain(&mut follow), vec![Tell::Shipping("S".into())]);
    }

    #[test]
    fn several_invoices_and_credits_come_to_one_payment_status() {
        use Receivable::*;
        let own = StatusRules {
            partly_paid: "PP".into(),
            credited: "R".into(),
            partly_credited: "PC".into(),
            ..StatusRules::default()
        };
        let plain = StatusRules::default();
        let (a, b) = (|r| invoice("1", 20, r), |r| invoice("2", 10, r));
        let (part, all) = (invoice("3", -10, Settled), invoice("4", -30, Settled));
        let table = [
            // rules, invoices, whether the whole order is invoiced, what is written, complete
            (&own, vec![a(Posted)], false, "", false),
            (&own, vec![a(Settled)], false, "PP", false),
            (&plain, vec![a(Settled)], false, "", false),
            (&own, vec![a(Settled), b(Posted)], true, "PP", false),
            (&own, vec![a(Settled), b(Missing)], true, "PP", false),
            (&own, vec![a(Settled), b(Settled)], true, "P", true),
            (&own, vec![a(Settled), b(Settled), part.clone()], true, "PC", true),
            (&plain, vec![a(Settled), b(Settled), part], true, "P", true),
            (&own, vec![a(Settled), b(Settled), all.clone()], true, "R", true),
            (&plain, vec![a(Settled), b(Settled), all.clone()], true, "", true),
            // Credited and invoiced anew.
            (&own, vec![a(Settled), b(Settled), all, invoice("5", 30, Posted)], true, "PC", false),
        ];
        for (rules, invoices, whole, want, complete) in table {
            let mut follow = Follow::new(rules);
            drain(&mut follow);
            let invoiced = i64::from(whole);
            let mut now = progress("77", "77", [(2, 2, 2), (1, 1, invoiced)]);
            now.invoices = Some(invoices.clone());
            assert_eq!(follow.on(&now, "Q", rules), None);
            let told: Vec<_> =
                drain(&mut follow).into_iter().filter(|t| matches!(t, Tell::Payment(_))).collect();
            let want: Vec<_> = [want]
                .iter()
                .filter(|c| !c.is_empty())
                .map(|c| Tell::Payment((*c).into()))
                .collect();
            assert_eq!((told, follow.complete), (want, complete), "{invoices:?}");
        }
    }

    #[test]
    fn an_order_that_was_credited_and_is_paid_after_all_is_told_as_paid() {
        let rules = StatusRules { credited: "R".into(), ..StatusRules::default() };
        let mut follow = Follow::new(&rules);
        let mut now = progress("77", "77", [(2, 2, 2), (1, 1, 1)]);
        let mut invoices =
            vec![invoice("1", 30, Receivable::Settled), invoice("2", -30, Receivable::Settled)];
        now.invoices = Some(invoices.clone());
        follow.on(&now, "Q", &rules);
        assert!(drain(&mut follow).contains(&Tell::Payment("R".into())));
        invoices.push(invoice("3", 30, Receivable::Settled));
        now.invoices = Some(invoices);
        follow.on(&now, "R", &rules);
        assert_eq!(drain(&mut follow), vec![Tell::Payment("P".into())]);
    }
}
