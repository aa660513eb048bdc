//! Asks M3 how far an order is, and tells the shop.
//!
//! Holds no decision. A note is read before it is written, so that one whose answer was lost is
//! not written twice.

use super::{Performer, Trouble, mi_follow, mi_order};
use crate::{
    connector::{
        Failure, Kind,
        xcart::notes::{Shipped, Written},
    },
    flow::{
        follow::{Progress, Tell},
        parcel::Parcel,
        rules::ShipmentRules,
        run::{Case, Outcome, Stage, Standing},
    },
    ids::Orno,
};

impl Performer {
    /// Asks for deliveries and invoices only where there is something new to learn.
    pub(super) async fn progress(&self, orno: &Orno, case: &Case) -> Result<Outcome, Trouble> {
        let mut progress = mi_follow::progressed(self.read(&mi_follow::progress(orno)).await?)?;
        let same =
            matches!(&case.run.stage, Stage::Follow { follow, .. } if !follow.has_news(&progress));
        let left_before = !case.books.parcels.seen.is_empty();
        if !same && (progress.some_delivered() || left_before) {
            progress.parcels = Some(self.parcels(orno).await?);
        }
        if asks_for_invoices(&progress, case) && (!same || progress.all_invoiced()) {
            let rows = mi_order::rows(self.m3.call(&mi_follow::invoices(orno), Kind::Read).await)?;
            let receivables = self.read(&mi_follow::receivables(&rows)).await?;
            let invoices = mi_follow::posted(&rows, receivables, &self.rules.invoices)?;
            progress.invoices = Some(invoices);
        }
        Ok(Outcome::Progress(progress))
    }

    async fn parcels(&self, orno: &Orno) -> Result<Vec<Parcel>, Failure> {
        let rules = &self.rules.shipments;
        let rows = mi_order::rows(self.m3.call(&mi_follow::deliveries(orno), Kind::Read).await)?;
        let indexes = mi_follow::delivery_indexes(&rows, orno);
        let heads = self.read(&mi_follow::delivery_heads(&indexes, rules)).await?;
        let packages = self.read(&mi_follow::packages(&indexes, rules)).await?;
        mi_follow::parcels(&indexes, heads, packages, rules)
    }

    pub(super) async fn tell(
        &self,
        order_id: u64,
        tell: &Tell,
        case: &Case,
    ) -> Result<Outcome, Trouble> {
        if let (Tell::Shipping(_) | Tell::Payment(_), Standing::Wanted) = (tell, case.run.standing)
        {
            // A status that means a cancellation must not be written over before it was seen.
            let order = self.shop.order_by_id(order_id).await?;
            if self.rules.is_cancelled(&order) {
                return Ok(Outcome::Order(Box::new(order)));
            }
        }
        match tell {
            Tell::Shipping(code) => self.shop.set_shipping_status(order_id, code).await?,
            Tell::Payment(code) => self.shop.set_payment_status(order_id, code).await?,
            Tell::Tracking(number) => return self.tell_parcel(order_id, number, case).await,
            Tell::Note(text) => {
                return Ok(match self.shop.add_note(order_id, text).await? {
                    Written::Yes => Outcome::Done,
                    Written::NotOffered => Outcome::NotOffered,
                });
            }
        }
        Ok(Outcome::Done)
    }

    /// By the extension for tracking numbers, else as a note where that is wanted.
    async fn tell_parcel(
        &self,
        order_id: u64,
        number: &str,
        case: &Case,
    ) -> Result<Outcome, Trouble> {
        let rules = &self.rules.shipments;
        let shipped = shipped(number, case, rules);
        if self.shop.add_tracking(order_id, &shipped).await? == Written::Yes {
            return Ok(Outcome::Done);
        }
        if !rules.note {
            return Ok(Outcome::NotOffered);
        }
        Ok(match self.shop.add_note(order_id, &shipped.told()).await? {
            Written::Yes => Outcome::Noted,
            Written::NotOffered => Outcome::NotOffered,
        })
    }
}

/// Whether there is an invoice, or was one at an earlier look.
fn asks_for_invoices(progress: &Progress, case: &Case) -> bool {
    progress.some_invoiced() || !case.books.invoices.is_empty()
}

fn shipped(number: &str, case: &Case, rules: &ShipmentRules) -> Shipped {
    let rule = rules.carrier(case.books.parcels.carrier_of(number));
    Shipped {
        number: number.to_owned(),
        carrier: rule.map(|rule| rule.name.clone()).unwrap_or_default(),
        link: rule.map(|rule| rule.link(number)).unwrap_or_default(),
    }
}
