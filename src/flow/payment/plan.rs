//! How a payment is posted: as a prepayment, or shared out over the invoices it pays. Pure.
//!
//! Guarantees: the parts of a payment add up to it, in its currency; no invoice is paid more than
//! it asks for; a refund gives back no more than was paid.

use super::{
    At, LedgerCall, Movement, Part, Posting, Step, Way, batch_number,
    layout::Entry,
    rules::{self, CashDesk, Ledger, PaymentRules, Pays, Strategy},
};
use crate::{
    amount::Amount,
    flow::{
        cause::{Cause, CauseKind},
        invoice::{Invoice, Receivable},
    },
};

/// Whether there may be more invoices later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The order is not invoiced whole.
    More,
    /// It is.
    Nothing,
}

impl Posting {
    /// Decides how it is posted; none while it has to wait.
    ///
    /// # Errors
    /// The cause for a person, when it cannot be posted as the settings say.
    pub fn plan(
        &mut self,
        rules: &PaymentRules,
        free: &mut [(Invoice, Amount)],
        more: Expected,
    ) -> Result<(), Cause> {
        let refused = |text: String| Cause::new(CauseKind::PaymentRefused, text);
        let Movement { id, amount, currency, .. } = &self.movement;
        if !rules::is_payable(*amount, currency) {
            return Err(refused(format!("payment {id}: {amount} {currency} is no sum of money")));
        }
        match (rules.strategy, &rules.cash_desk, &rules.ledger) {
            (Strategy::CashDesk, Some(desk), _) => return self.plan_desk(desk, rules, free, more),
            (Strategy::Ledger, _, Some(ledger)) => return self.plan_ledger(ledger, rules),
            (_, _, _) => {}
        }
        match (rules.strategy, &rules.prepayment, &rules.receivable_batch) {
            (Strategy::Prepayment, Some(settings), _) if settings.currency == *currency => {
                self.at = At::Step { step: Step::Look, sent: false };
            }
            (Strategy::Prepayment, Some(settings), _) => {
                let text = format!(
                    "payment {id} is in {currency}; OIS125MI takes {} only",
                    settings.currency
                );
                return Err(refused(text));
            }
            (Strategy::ReceivableBatch, _, Some(settings)) => {
                if batch_number(settings.batch_prefix, &self.movement).is_none() {
                    return Err(refused(format!(
                        "payment {id}: its id does not fit a batch number"
                    )));
                }
                match self.share(free) {
                    Some(parts) => {
                        self.parts = parts;
                        self.at = At::Step { step: Step::Head, sent: false };
                    }
                    None if more == Expected::More => {}
                    None => {
                        let text = format!(
                            "payment {id} of {amount} {currency} is more than what is open on the order's invoices in that currency"
                        );
                        return Err(refused(text));
                    }
                }
            }
            (_, _, _) => {}
        }
        Ok(())
    }

    fn plan_desk(
        &mut self,
        desk: &CashDesk,
        rules: &PaymentRules,
        free: &mut [(Invoice, Amount)],
        more: Expected,
    ) -> Result<(), Cause> {
        if desk.pays == Pays::Invoices {
            match self.whole_invoices(free) {
                Some(parts) => self.parts = parts,
                None if more == Expected::More => return Ok(()),
                None => {
                    let Movement { id, amount, currency, .. } = &self.movement;
                    let text = format!(
                        "payment {id} of {amount} {currency} is not what invoices of one payer come to, and the cash desk pays whole ones only"
                    );
                    return Err(Cause::new(CauseKind::PaymentRefused, text));
                }
            }
        }
        self.begin(Step::Draw, rules);
        Ok(())
    }

    fn plan_ledger(&mut self, ledger: &Ledger, rules: &PaymentRules) -> Result<(), Cause> {
        let id = self.movement.id;
        let refused = |why: &str| {
            Cause::new(CauseKind::PaymentRefused, format!("payment {id} cannot be written: {why}"))
        };
        if rules.ledger_key(&self.movement).is_none() {
            return Err(refused("its id does not fit KEY1"));
        }
        // Whether the amount fits; the rest is of a length that `check` has seen to.
        let entry = Entry { movement: &self.movement, key: "", orno: "", cuno: "" };
        ledger.parms(entry).map_err(|why| refused(&why))?;
        self.begin(Step::Ledger(LedgerCall::Head), rules);
        Ok(())
    }

    /// Before the first call M3 is looked through, where that can tell: an older copy of the state may have
    /// been put back.
    fn begin(&mut self, first: Step, rules: &PaymentRules) {
        let step = if rules.vouchers_carry_the_key() { Step::Find } else { first };
        self.at = At::Step { step, sent: false };
    }

    /// Takes invoices of one payer that together come to the payment: one alone, or the oldest.
    fn whole_invoices(&self, free: &mut [(Invoice, Amount)]) -> Option<Vec<Part>> {
        let Movement { amount, currency, way, .. } = &self.movement;
        let fits = |(invoice, open): &(Invoice, Amount)| {
            invoice.currency == *currency
                && !invoice.is_credit()
                && invoice.receivable == Receivable::Posted
                && *open == invoice.amount
        };
        let mut chosen: Vec<usize> = Vec::new();
        if let Some(one) = free.iter().position(|it| fits(it) && it.0.amount == *amount) {
            chosen.push(one);
        } else {
            let mut left = *amount;
            for (place, it) in free.iter().enumerate().filter(|(_, it)| fits(it)) {
                if left > Amount::ZERO {
                    left = left.minus(it.0.amount)?;
                    chosen.push(place);
                }
            }
            if !left.is_zero() {
                return None;
            }
        }
        let mut parts: Vec<Part> = Vec::new();
        for place in chosen {
            let (invoice, open) = free.get_mut(place)?;
            if *way == Way::Back || parts.iter().any(|part| part.payer != invoice.payer) {
                return None;
            }
            *open = Amount::ZERO;
            parts.push(Part {
                invoice: invoice.number.clone(),
                year: invoice.year.clone(),
                payer: invoice.payer.clone(),
                amount: invoice.amount,
            });
        }
        Some(parts)
    }

    /// Shares the money out over invoices, the oldest first; none when they are not enough.
    fn share(&self, free: &mut [(Invoice, Amount)]) -> Option<Vec<Part>> {
        let Movement { amount, currency, way, .. } = &self.movement;
        let room = |invoice: &Invoice, open: Amount| match way {
            Way::In => open,
            // A refund gives back what was paid.
            Way::Back => invoice.amount.minus(open).unwrap_or_default(),
        };
        let fits = |invoice: &Invoice| {
            invoice.currency == *currency
                && !invoice.is_credit()
                && invoice.receivable != Receivable::Missing
        };
        let (mut left, mut shares) = (*amount, Vec::new());
        for (place, (invoice, open)) in free.iter().enumerate() {
            let share = room(invoice, *open).min(left);
            if fits(invoice) && share > Amount::ZERO {
                left = left.minus(share)?;
                shares.push((place, share));
            }
        }
        if !left.is_zero() {
            return None;
        }
        let mut parts = Vec::new();
        for (place, share) in shares {
            let (invoice, open) = free.get_mut(place)?;
            let signed = match way {
                Way::In => share,
                Way::Back => Amount::ZERO.minus(share)?,
            };
            *open = open.minus(signed)?;
            parts.push(Part {
                invoice: invoice.number.clone(),
                year: invoice.year.clone(),
                payer: invoice.payer.clone(),
                amount: signed,
            });
        }
        Some(parts)
    }
}
