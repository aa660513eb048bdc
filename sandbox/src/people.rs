//! Buyers who change their minds, and the clerk who does in M3 and in the shop what Causeway asks people for.
//!
//! Drawn from the seed for each order. The clerk knows only what `causeway parked list` shows, and does
//! what its advice says.

use crate::{child::Gateway, proof::key_of, setting::Setting};
use causeway::{
    delivery::desk::{Ask, Listed},
    flow::{cause::CauseKind, run::ReplayFrom},
};
use causeway_sim::{
    m3::{Books, RealOrder},
    xcart::BookedOrder,
};
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::HashMap;

/// Of a thousand buyers so many change a quantity, and so many cancel; half of them at once, the others
/// when M3 has the order.
const EDITS_PERMILLE: u32 = 40;
const CANCELS_PERMILLE: u32 = 30;
/// So many send all of it or a part back when they have it, and get their money.
const RETURNS_PERMILLE: u32 = 30;
/// Currencies without cents.
const WHOLE: [&str; 1] = ["JPY"];

/// What a buyer has in mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Will {
    Edit,
    Cancel,
    Return,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    AtOnce,
    /// When M3 has the order.
    InM3,
    /// When the shop knows that it was shipped and paid.
    Shipped,
}

/// An order whose buyer will change it.
struct Intent {
    number: String,
    will: Will,
    when: When,
}

/// What people did, for the report.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Deeds {
    /// Quantities that buyers changed.
    pub edited: usize,
    /// Orders that they cancelled.
    pub cancelled: usize,
    /// Orders for which money was given back.
    pub returned: usize,
    /// Orders that the clerk credited in M3.
    pub clerk_credited: usize,
    /// Orders that the clerk changed in M3, or back in the shop.
    pub clerk_changed: usize,
    /// Orders that the clerk deleted in M3.
    pub clerk_deleted: usize,
    /// Orders that were under way and that the buyer takes after all.
    pub clerk_reopened: usize,
}

/// The people.
pub(crate) struct People {
    dice: fastrand::Rng,
    intents: Vec<Intent>,
    pub deeds: Deeds,
}

impl People {
    pub(crate) fn drawn(seed: u64) -> Self {
        let dice = fastrand::Rng::with_seed(seed ^ 0xb0_fe);
        Self { dice, intents: Vec::new(), deeds: Deeds::default() }
    }

    /// Decides what the buyers of these orders will do.
    pub(crate) fn placed(&mut self, numbers: Vec<String>) {
        for number in numbers {
            let when = if self.dice.bool() { When::AtOnce } else { When::InM3 };
            let will = match self.dice.u32(0..1_000) {
                0..EDITS_PERMILLE => Will::Edit,
                throw if throw < EDITS_PERMILLE + CANCELS_PERMILLE => Will::Cancel,
                throw if throw < EDITS_PERMILLE + CANCELS_PERMILLE + RETURNS_PERMILLE => {
                    Will::Return
                }
                _ => continue,
            };
            let when = if will == Will::Return { When::Shipped } else { when };
            self.intents.push(Intent { number, will, when });
        }
    }

    /// Whether nobody has anything in mind any more.
    pub(crate) fn are_content(&self) -> bool {
        // Money that went back is to be credited, and the gateway may not have heard of it yet.
        self.intents.is_empty() && self.deeds.returned == self.deeds.clerk_credited
    }

    /// Lets the buyers do what is due.
    pub(crate) fn buy(&mut self, setting: &Setting, shop: &[BookedOrder], m3: &Books) {
        if self.intents.is_empty() {
            return;
        }
        let shop: HashMap<&str, &BookedOrder> =
            shop.iter().map(|order| (order.number.as_str(), order)).collect();
        let m3 = by_key(m3);
        let intents = std::mem::take(&mut self.intents);
        for intent in intents {
            let Some(order) = shop.get(intent.number.as_str()) else { continue };
            // A defective order stays what it is, so that its cause can be foretold.
            if order.defect.is_some() || is_cancelled(order) {
                continue;
            }
            let is_time = match intent.when {
                When::AtOnce => true,
                When::InM3 => m3.contains_key(&key_of(&order.number)),
                When::Shipped => order.shipping_status == "S" && order.payment_status == "P",
            };
            if !is_time {
                self.intents.push(intent);
                continue;
            }
            self.change(setting, order, intent.will);
        }
    }

    fn change(&mut self, setting: &Setting, order: &BookedOrder, will: Will) {
        match will {
            Will::Cancel => {
                setting.shop.cancel(&order.number);
                self.deeds.cancelled += 1;
            }
            Will::Return => {
                let part = self.dice.bool().then(|| order.captured / Decimal::from(3));
                let digits = if WHOLE.contains(&order.currency.as_str()) { 0 } else { 2 };
                let amount = part.map_or(order.captured, |part| part.round_dp(digits));
                if amount > Decimal::ZERO {
                    setting.shop.refund(&order.number, amount);
                    self.deeds.returned += 1;
                }
            }
            Will::Edit => {
                let Some(line) = order.lines.get(self.dice.usize(0..order.lines.len().max(1)))
                else {
                    return;
                };
                if order.lines.iter().filter(|other| other.sku == line.sku).count() == 1 {
                    let (number, sku) = (&order.number, &line.sku);
                    setting.shop.change_quantity(number, sku, line.quantity + 1);
                    self.deeds.edited += 1;
                }
            }
        }
    }

    /// The clerk deals with what was set aside because the shop changed after M3 had it.
    pub(crate) async fn clerk(
        &mut self,
        (setting, gateway): (&Setting, &Gateway),
        parked: &[Listed],
        (shop, m3): (&[BookedOrder], &Books),
    ) {
        let late = parked.iter().filter(|row| is_for_clerk(row));
        let late: HashMap<&str, &Listed> = late.map(|row| (row.key.as_str(), row)).collect();
        if late.is_empty() {
            return;
        }
        let m3 = by_key(m3);
        for order in shop {
            let key = key_of(&order.number);
            let (Some(row), Some(real)) = (late.get(key.as_str()), m3.get(&key)) else { continue };
            if is_return(row) {
                self.credit(setting, order, real);
                continue;
            }
            let ask = self.deal(setting, row, order, real);
            // One who is told that the order is in hand comes back.
            gateway.tell(ask).await;
        }
    }

    /// Credits what the shop gave back, once; Causeway finds it by itself.
    fn credit(&mut self, setting: &Setting, order: &BookedOrder, real: &RealOrder) {
        let invoices = || real.invoices.iter();
        // An amount of nothing has no sign that means anything.
        let credited: Decimal =
            invoices().map(|invoice| -invoice.amount).filter(|back| *back > Decimal::ZERO).sum();
        let mut left = order.refunded - credited;
        let owed = left;
        for invoice in invoices().filter(|_| credited.is_zero()) {
            let amount = left.min(invoice.amount);
            if amount > Decimal::ZERO {
                setting.m3.credit_invoice(invoice.ivno, amount);
                setting.m3.settle_credits(invoice.ivno);
                left -= amount;
            }
        }
        // Where nothing is invoiced yet there is nothing to credit; the clerk comes back.
        self.deeds.clerk_credited += usize::from(left < owed);
    }

    fn deal(
        &mut self,
        setting: &Setting,
        row: &Listed,
        order: &BookedOrder,
        real: &RealOrder,
    ) -> Ask {
        let key = row.key.clone();
        let replay = Ask::Replay { key: key.clone(), from: ReplayFrom::Step };
        if is_cancelled(order) {
            if real.orsl == "90" || setting.m3.cancel_order(&real.orno) {
                self.deeds.clerk_deleted += usize::from(real.orsl != "90");
                return Ask::Discard { key, reason: "deleted in OIS300".to_owned() };
            }
            setting.shop.set_payment_status(&order.number, "P");
            setting.shop.set_shipping_status(&order.number, "P");
            self.deeds.clerk_reopened += 1;
            return replay;
        }
        for (line, cupo) in order.lines.iter().zip(1..) {
            let cupo = format!("{cupo}");
            let Some(in_m3) = real.lines.iter().find(|other| other.cupo == cupo) else { continue };
            let wanted = Decimal::from(line.quantity);
            if in_m3.quantity == wanted {
                continue;
            }
            self.deeds.clerk_changed += 1;
            if !setting.m3.change_quantity(&real.orno, &cupo, wanted) {
                let before = u32::try_from(in_m3.quantity).unwrap_or(1);
                setting.shop.change_quantity(&order.number, &line.sku, before);
            }
        }
        replay
    }
}

/// Whether the clerk has to do something.
pub(crate) fn is_for_clerk(row: &Listed) -> bool {
    is_return(row) || row.stands_still && is_late(row)
}

/// Whether money that the shop gave back is to be credited.
fn is_return(row: &Listed) -> bool {
    row.cause.kind == CauseKind::ReturnedInShop
}

/// Whether a person is asked to make M3 and the shop agree again.
fn is_late(row: &Listed) -> bool {
    matches!(row.cause.kind, CauseKind::ChangedAfterConfirm | CauseKind::CancelledAfterConfirm)
}

/// Whether the shop does not want the order to be delivered.
pub(crate) fn is_cancelled(order: &BookedOrder) -> bool {
    ["C", "D"].contains(&order.payment_status.as_str()) || order.shipping_status == "WND"
}

fn by_key(m3: &Books) -> HashMap<String, &RealOrder> {
    m3.orders.iter().map(|order| (order.cuor.clone(), order)).collect()
}
