//! Orders out of the dice: what a shop gets in a year, in any order.
//!
//! Guarantees: the same dice and goods give the same orders; an order without a defect is one
//! that M3 can take; an order with a defect is one that it cannot. Pure.

use super::{
    address::Address,
    options::Quirks,
    order::{CURRENCIES, Currency, Defect, SurchargeKind},
    spec::{Customer, OrderSpec, ProductLink, SpecLine},
    words::{FILLER, METHODS, NOTES, PAYMENTS, PEOPLE, PLACES, STREETS},
};
use crate::{catalogue::Item, dice::Dice};
use rust_decimal::Decimal;

/// Lines of a seeded order at most.
const LINES_MAX: u64 = 12;
/// Guests for each account.
const GUESTS_PER_ACCOUNT: u64 = 50;

/// What orders are made from.
pub(crate) struct Seed<'a> {
    pub(crate) items: &'a [Item],
    /// Profiles of registered customers with their e-mail addresses.
    pub(crate) accounts: &'a [(u64, String)],
    pub(crate) quirks: &'a Quirks,
    pub(crate) defects_permille: u32,
    pub(crate) awaiting_permille: u32,
}

/// The next order.
pub(crate) fn order(dice: &mut Dice, seed: &Seed<'_>) -> OrderSpec {
    let currency = match dice.below(10) {
        0..=4 => CURRENCIES[0],
        _ => *dice.pick(&CURRENCIES),
    };
    let mut spec = OrderSpec::simple().currency(currency.code);
    customer(dice, seed, &mut spec);
    addresses(dice, &mut spec);
    lines(dice, seed, currency, &mut spec);
    surcharges(dice, currency, &mut spec);
    statuses(dice, seed, &mut spec);
    notes(dice, &mut spec);
    if seed.quirks.broken_order_permille > 0 && dice.permille(seed.quirks.broken_order_permille) {
        spec.broken = true;
    } else if dice.permille(seed.defects_permille) {
        defect(dice, seed, currency, &mut spec);
    }
    spec
}

fn customer(dice: &mut Dice, seed: &Seed<'_>, spec: &mut OrderSpec) {
    let accounts = u64::try_from(seed.accounts.len()).unwrap_or(u64::MAX).max(1);
    let guest = dice.below(accounts.saturating_mul(GUESTS_PER_ACCOUNT));
    match dice.below(10) {
        0..=5 if !seed.accounts.is_empty() => {
            let (id, email) = dice.pick(seed.accounts);
            spec.customer = Customer::Account(*id);
            spec.email.clone_from(email);
        }
        6..=7 => {
            spec.customer = Customer::GuestWithProfile;
            spec.email = format!("guest.{guest}@example.net");
        }
        _ => {
            spec.customer = Customer::Guest;
            spec.email = format!("Guest+{guest}@Example.com");
        }
    }
}

/// An address out of the dice.
pub(crate) fn address(dice: &mut Dice) -> Address {
    let (firstname, lastname) = *dice.pick(&PEOPLE);
    let (country, city, zipcode, state) = *dice.pick(&PLACES);
    let commercial = dice.permille(250);
    let mut custom_fields = Vec::new();
    if commercial {
        custom_fields.push(("company".to_owned(), format!("{lastname} & Söhne GmbH")));
        custom_fields
            .push(("vat_number".to_owned(), format!("{country}{:09}", dice.below(999_999_999))));
    }
    Address {
        title: (*dice.pick(&["", "Mr.", "Ms.", "Dr."])).to_owned(),
        firstname: firstname.to_owned(),
        lastname: lastname.to_owned(),
        phone: (*dice.pick(&["", "+49 (0) 89 / 123-456", "555 0100 ext. 7", "0800-REIFEN"]))
            .to_owned(),
        street: (*dice.pick(&STREETS)).to_owned(),
        zipcode: zipcode.to_owned(),
        city: city.to_owned(),
        country_code: country.to_owned(),
        state: (!state.is_empty()).then(|| 100 + u64::try_from(state.len()).unwrap_or(0)),
        state_name: state.to_owned(),
        commercial,
        custom_fields,
    }
}

fn addresses(dice: &mut Dice, spec: &mut OrderSpec) {
    let first = address(dice);
    let second = if dice.permille(300) { address(dice) } else { first.clone() };
    (spec.billing, spec.shipping) = match dice.below(25) {
        0 => (None, Some(first)),
        // Nothing to ship: a pick-up at the counter.
        1 => {
            spec.shipping_method = None;
            (Some(first), None)
        }
        _ => (Some(first), Some(second)),
    };
}

fn lines(dice: &mut Dice, seed: &Seed<'_>, currency: Currency, spec: &mut OrderSpec) {
    let count = if dice.permille(350) { 1 } else { dice.range(1..=LINES_MAX) };
    let vat_percent = dice.permille(300).then(|| *dice.pick(&[7, 19, 20, 25]));
    for _ in 0..count {
        let item = active(dice, seed.items);
        spec.lines.push(line(dice, seed.quirks, currency, item));
        if let Some(line) = spec.lines.last_mut() {
            line.vat_percent = vat_percent;
        }
    }
    if let Some(percent) = vat_percent {
        let gross: Decimal = spec.lines.iter().map(|it| it.price * Decimal::from(it.amount)).sum();
        let value = currency.round(gross * Decimal::from(percent) / Decimal::from(100 + percent));
        *spec = spec.clone().included(SurchargeKind::Tax, "CDEV.VAT", value);
    }
}

/// Active goods; the catalogue's front is always active.
fn active<'a>(dice: &mut Dice, items: &'a [Item]) -> &'a Item {
    let mut item = dice.pick(items);
    while !item.is_active() {
        item = dice.pick(items);
    }
    item
}

fn line(dice: &mut Dice, quirks: &Quirks, currency: Currency, item: &Item) -> SpecLine {
    let mut price = currency.convert(item.price).max(Decimal::new(1, currency.digits));
    if quirks.fine_prices && currency.digits > 0 && dice.permille(100) {
        price += Decimal::new(i64::try_from(dice.range(1..=49)).unwrap_or(1), 4);
    }
    let amount = match dice.below(20) {
        0 => dice.range(21..=500),
        1..=6 => dice.range(2..=20),
        _ => 1,
    };
    let product = if dice.permille(15) { ProductLink::Deleted } else { ProductLink::Kept };
    let amount = u32::try_from(amount).unwrap_or(1);
    SpecLine { sku: item.sku.clone(), amount, price, product, vat_percent: None }
}

fn surcharges(dice: &mut Dice, currency: Currency, spec: &mut OrderSpec) {
    let gross: Decimal = spec.lines.iter().map(|it| it.price * Decimal::from(it.amount)).sum();
    let share = |percent: i64| currency.round(gross * Decimal::new(percent, 2));
    let mut next = spec.clone();
    let mut taken = Decimal::ZERO;
    for (code, permille) in [("DISCOUNT", 150), ("DCOUPON", 120)] {
        if dice.permille(permille) {
            let value = share(*dice.pick(&[3, 5, 10, 15, 33]));
            taken += value;
            next = next.surcharge(SurchargeKind::Discount, code, -value);
        }
    }
    if let Some((id, method, cents)) = spec.shipping_method.is_some().then(|| *dice.pick(&METHODS))
    {
        next.shipping_method = Some((id, method.to_owned()));
        let cost = currency.convert(Decimal::new(cents, 2));
        next = next.surcharge(SurchargeKind::Shipping, "SHIPPING", cost);
    }
    let vat_is_in_the_prices = spec.surcharges.iter().any(|it| it.include);
    if !vat_is_in_the_prices && dice.permille(400) {
        let base = currency.round(gross) - taken;
        let value = currency.round(base * Decimal::new(*dice.pick(&[600, 725, 888, 1_900]), 4));
        let code = *dice.pick(&["CDEV.STAX", "CDEV.STAX.3"]);
        next = next.surcharge(SurchargeKind::Tax, code, value);
    }
    if dice.permille(40) {
        next = next.surcharge(SurchargeKind::Handling, "PMETHOD_FEE", share(1));
    }
    if dice.permille(50) {
        next = next.unavailable(SurchargeKind::Tax, "AVATAX", share(7));
    }
    *spec = next;
}

fn statuses(dice: &mut Dice, seed: &Seed<'_>, spec: &mut OrderSpec) {
    let (id, service, shown) = *dice.pick(&PAYMENTS);
    spec.payment_method = (id, service.to_owned(), shown.to_owned());
    if dice.permille(seed.awaiting_permille) {
        "Q".clone_into(&mut spec.payment_status);
    }
    spec.nameless_status = dice.permille(20);
    if dice.permille(seed.quirks.null_status_permille) {
        spec.shipping_status = None;
    }
}

fn notes(dice: &mut Dice, spec: &mut OrderSpec) {
    if dice.permille(350) {
        (*dice.pick(&NOTES)).clone_into(&mut spec.notes);
    }
    if dice.permille(30) {
        let times = usize::try_from(dice.range(5..=60)).unwrap_or(5);
        spec.notes = FILLER.repeat(times);
    }
    if dice.permille(100) {
        "checked by phone – ok ✓".clone_into(&mut spec.admin_notes);
    }
}

fn defect(dice: &mut Dice, seed: &Seed<'_>, currency: Currency, spec: &mut OrderSpec) {
    let blocked: Vec<&Item> = seed.items.iter().filter(|item| !item.is_active()).collect();
    let defect = match dice.below(4) {
        0 if !blocked.is_empty() => Defect::BlockedItem,
        1 => Defect::TotalDoesNotAddUp,
        2 => Defect::NoLines,
        _ => Defect::UnknownSku,
    };
    let mut next = spec.clone();
    match defect {
        Defect::BlockedItem => {
            let item: &Item = dice.pick::<&Item>(&blocked);
            let bad = line(dice, seed.quirks, currency, item);
            next.lines.push(bad);
        }
        Defect::TotalDoesNotAddUp => {
            let off = i64::try_from(dice.range(2..=90)).unwrap_or(2);
            next = next.total_off_by(Decimal::new(off * 100 + 1, 2).round_dp(currency.digits));
        }
        Defect::NoLines => {
            next = next.without_lines();
            next.surcharges.retain(|surcharge| surcharge.kind == SurchargeKind::Shipping);
        }
        Defect::UnknownSku | Defect::Unreadable => {
            let sku = format!("NOT-IN-ERP-{:04}", dice.below(10_000));
            let price = Decimal::from(25);
            next = next.line(&sku, 1, price);
        }
    }
    *spec = next.defect(defect);
}
