//! The addresses of an order: M3's lines, and what goes into its text instead. Pure.

use crate::{
    flow::{
        address::{
            Lines, phone,
            rules::{Fault, Finding},
            script::clean,
        },
        cause::{Cause, CauseKind},
        customer::{MAIL_CHARS_MAX, odd_vat},
        rules::Rules,
    },
    order::Order,
};

/// The addresses of one order.
pub(super) struct Addresses {
    /// Where it is delivered.
    pub(super) ship_to: Option<Lines>,
    /// What is odd, by part; shows no value.
    pub(super) odd: Vec<String>,
    /// What M3's fields do not hold; empty if nothing.
    pub(super) text: String,
}

/// Reads the addresses; a fault that the rules park for is the error.
pub(super) fn of(order: &Order, rules: &Rules) -> Result<Addresses, Cause> {
    let lines = |address| Lines::from_shop(address, &rules.address);
    let ship_to = order.shipping.as_ref().or(order.billing.as_ref()).map(lines);
    // The invoice goes to the customer's address, which is made of this one.
    let bill_to = order.billing.as_ref().filter(|_| order.billing != order.shipping);
    let bill_to = bill_to.filter(|_| order.shipping.is_some()).map(lines);
    let mail = mail(order);
    let found = [("", ship_to.as_ref()), ("billing ", bill_to.as_ref())];
    let found = found.into_iter().filter_map(|(of, lines)| Some((of, lines?)));
    let found = found.flat_map(|(of, lines)| lines.findings.iter().map(move |found| (of, *found)));
    let vat = odd_vat(order).map(clean);
    let odd_vat = vat.as_ref().map(|_| Finding { fault: Fault::VatNumber, part: "VAT number" });
    let found: Vec<(&str, Finding)> =
        found.chain(mail.into_iter().chain(odd_vat).map(|found| ("", found))).collect();
    let odd: Vec<String> = found.iter().map(|(of, found)| format!("{of}{found}")).collect();
    if found.iter().any(|(_, found)| rules.address.park.contains(&found.fault)) {
        let text = format!("the address: {}", odd.join("; "));
        return Err(Cause::new(CauseKind::UnfitValue, text).with_details(&odd));
    }
    let shared = rules.customer.shared_of(order.customer_id).is_some();
    let mut said = Vec::new();
    said.extend(ship_to.iter().filter(|l| l.is_cut()).map(|l| ("DELIVERY ADDRESS", &l.whole)));
    let invoice = bill_to.iter().filter(|lines| shared || lines.is_cut());
    said.extend(invoice.map(|lines| ("INVOICE ADDRESS", &lines.whole)));
    let email = clean(&order.email);
    if !email.is_empty() && (shared || mail.is_some()) {
        said.push(("E-MAIL", &email));
    }
    said.extend(vat.iter().map(|number| ("VAT NUMBER", number)));
    let said: Vec<String> = said.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    Ok(Addresses { ship_to, odd, text: said.join(" ") })
}

/// What is wrong with the e-mail address; an order without one has nothing wrong.
fn mail(order: &Order) -> Option<Finding> {
    let email = clean(&order.email);
    let part = "e-mail address";
    if email.is_empty() {
        None
    } else if !phone::is_email(&email) {
        Some(Finding { fault: Fault::Email, part })
    } else {
        (email.chars().count() > MAIL_CHARS_MAX).then_some(Finding { fault: Fault::Cut, part })
    }
}
