//! The calls of a payment from its first to its last, as they are when nothing goes wrong. Pure.

use super::{
    DeskCall, LedgerCall, Posting, Step,
    rules::{PaymentRules, Pays, Strategy},
};

/// Lists the calls; none where the payment still waits for its invoices.
pub fn steps(posting: &Posting, rules: &PaymentRules) -> Vec<Step> {
    let count = |items: usize| u16::try_from(items).unwrap_or(u16::MAX);
    let parts = count(posting.parts.len());
    let find = rules.vouchers_carry_the_key().then_some(Step::Find);
    let desk = |call| Step::Desk(call, 0);
    match rules.strategy {
        Strategy::None => Vec::new(),
        Strategy::Prepayment => vec![Step::Look, Step::Add],
        Strategy::ReceivableBatch if parts == 0 => Vec::new(),
        Strategy::ReceivableBatch => {
            let lines = (0..parts).map(Step::Line);
            [Step::Head].into_iter().chain(lines).chain([Step::Control]).collect()
        }
        Strategy::CashDesk => {
            let pays = rules.cash_desk.as_ref().map(|desk| desk.pays);
            let what: Vec<Step> = match pays {
                Some(Pays::Invoices) if parts == 0 => return Vec::new(),
                Some(Pays::Invoices) => {
                    (0..parts).map(|place| desk(DeskCall::Invoice(place))).collect()
                }
                Some(Pays::OnAccount) | None => vec![desk(DeskCall::OnAccount)],
            };
            let last = [DeskCall::Payment, DeskCall::Validate, DeskCall::End].map(desk);
            find.into_iter().chain([Step::Draw]).chain(what).chain(last).collect()
        }
        Strategy::Ledger => {
            let lines = rules.ledger.as_ref().map_or(0, |ledger| count(ledger.lines.len()));
            let lines = (0..lines).map(|place| Step::Ledger(LedgerCall::Line(place)));
            let last = [LedgerCall::Control, LedgerCall::Update].map(Step::Ledger);
            let head = [Step::Ledger(LedgerCall::Head)];
            find.into_iter().chain(head).chain(lines).chain(last).collect()
        }
    }
}
