//! How a payment is posted: as a prepayment, or shared out over the invoices it pays. Pure.
//!
//! Guarantees: the parts of a payment add up to it, in its currency; no invoice is paid more than
//! it asks for; a refund gives back no more than was paid.

use super::{
    At, Movement, Part, Posting, Step, Way, batch_number,
    rules::{self, PaymentRules, Strategy},
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
