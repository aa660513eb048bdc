//! Turns the wish for an order into an order.
//!
//! Guarantees: ids are fresh, goods are taken from the shelf, the history begins as the shop's
//! does, and the webhook hears of it.

use super::{
    options::Quirks,
    order::{CURRENCIES, Currency, Defect, Event, Line, Order, Payment, Surcharge, SurchargeKind},
    profile::Profile,
    spec::{Customer, OrderSpec, ProductLink, SpecLine, SpecSurcharge},
    statuses::{Stock, Table},
    world::World,
};
use rust_decimal::Decimal;

/// Places an order and gives its number.
pub(crate) fn place(world: &mut World, mut spec: OrderSpec) -> String {
    if spec.lines.is_empty() && spec.fill {
        let first = world.goods.first().map(|item| (item.sku.clone(), item.price));
        if let Some((sku, price)) = first {
            spec = spec.line(&sku, 1, price);
        }
    }
    let (id, number) = world.fresh_order();
    let order = build(world, spec, id, number.clone());
    world.orders.insert(id, order);
    world.by_number.insert(number.clone(), id);
    world.begin_payment(id);
    world.move_stock(id, Stock::Taken);
    world.tell_order(id, "order.created");
    number
}

fn build(world: &mut World, spec: OrderSpec, id: u64, number: String) -> Order {
    let now_s = world.now_s();
    let currency = Currency::of(&spec.currency).unwrap_or(CURRENCIES[0]);
    let lines = spec.lines.iter().map(|it| line(world, it, currency)).collect();
    let surcharges = spec.surcharges.iter().map(|it| surcharge(world, it)).collect();
    let customer_id = match spec.customer {
        Customer::Guest => None,
        Customer::GuestWithProfile => Some(anonymous(world, &spec.email)),
        Customer::Account(id) => Some(id),
    };
    let (method_id, service, shown) = spec.payment_method;
    let payment = Payment { id: world.fresh_id(), method_id, service, shown, backend: Vec::new() };
    let defect = spec.defect.or_else(|| unsellable(world, &spec.lines));
    let nobody = spec.email.is_empty() && spec.billing.is_none() && spec.shipping.is_none();
    Order {
        id,
        number,
        currency,
        lines,
        surcharges,
        total_off_by: spec.total_off_by,
        email: spec.email,
        customer_id,
        snapshot_id: (!nobody).then(|| world.fresh_id()),
        billing: spec.billing,
        shipping: spec.shipping,
        created_s: now_s,
        updated_s: now_s,
        payment_status: Table::Payment.named(&spec.payment_status).map(|status| status.id),
        shipping_status: spec
            .shipping_status
            .and_then(|code| Table::Shipping.named(&code))
            .map(|status| status.id),
        nameless_status: spec.nameless_status,
        shipping_id: spec.shipping_method.as_ref().map(|(id, _)| *id),
        shipping_method: spec.shipping_method.map(|(_, name)| name),
        notes: spec.notes,
        admin_notes: spec.admin_notes,
        tracking: Vec::new(),
        payment,
        history: beginning(world, now_s),
        broken: spec.broken,
        defect,
    }
}

/// What M3 will say to lines that somebody made by hand.
fn unsellable(world: &World, lines: &[SpecLine]) -> Option<Defect> {
    lines.iter().find_map(|line| match world.items.get(&line.sku) {
        None => Some(Defect::UnknownSku),
        Some(item) if !item.is_active() => Some(Defect::BlockedItem),
        Some(_) => None,
    })
}

fn beginning(world: &mut World, at_s: i64) -> Vec<Event> {
    let codes = [
        ("PLACE ORDER", "Order placed"),
        ("USER IP", "Customer IP: 203.0.113.7"),
        ("TRANSACTION", "Payment transaction"),
        ("EMAIL ADMIN SENT", "Order created"),
    ];
    codes
        .iter()
        .map(|(code, description)| Event {
            id: world.fresh_id(),
            at_s,
            code: (*code).to_owned(),
            description: (*description).to_owned(),
            profile_id: None,
        })
        .collect()
}

fn anonymous(world: &mut World, email: &str) -> u64 {
    let (id, now_s) = (world.fresh_id(), world.now_s());
    world.profiles.insert(id, Profile::new(id, email, now_s));
    id
}

fn line(world: &mut World, spec: &SpecLine, currency: Currency) -> Line {
    let id = world.fresh_id();
    let item = world.items.get(&spec.sku);
    let (itno, name) = match item {
        Some(item) => (Some(item.itno.clone()), item.name.clone()),
        None => (None, format!("Discontinued: {}", spec.sku)),
    };
    let shelf = match spec.product {
        ProductLink::Kept => world.shelf.get(&spec.sku).copied(),
        ProductLink::Deleted => None,
    };
    let surcharges = spec.vat_percent.map(|percent| {
        let gross = spec.price * Decimal::from(spec.amount);
        Surcharge {
            id: id + 1_000_000,
            kind: SurchargeKind::Tax,
            code: "CDEV.VAT".to_owned(),
            name: format!("VAT {percent}%"),
            value: currency.round(gross * Decimal::from(percent) / Decimal::from(100 + percent)),
            include: true,
            available: true,
        }
    });
    Line {
        id,
        product_id: shelf.map(|(product, _)| product),
        variant_id: shelf.and_then(|(_, variant)| variant),
        sku: spec.sku.clone(),
        itno,
        name,
        price: spec.price,
        amount: spec.amount,
        surcharges: surcharges.into_iter().collect(),
    }
}

fn surcharge(world: &mut World, spec: &SpecSurcharge) -> Surcharge {
    Surcharge {
        id: world.fresh_id(),
        kind: spec.kind,
        code: spec.code.clone(),
        name: spec.name.clone(),
        value: spec.value,
        include: spec.include,
        available: spec.available,
    }
}

/// Whether reading this order alone breaks, too.
pub(crate) fn unreadable(quirks: &Quirks, order: &Order) -> bool {
    order.broken && quirks.broken_single_too
}
