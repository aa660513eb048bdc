//! The order object and its sub-resources as the API shows them (reference/xcart.md 3.2).
//!
//! Guarantee: the totals shown are the books' totals; with float noise on they are off by what
//! sums of floats are off by and no more. Pure.

use super::{
    address::Roles,
    call::{Call, Language},
    dates::{iso8601, rfc3339},
    options::Quirks,
    order::{Event, Line, Order, Surcharge},
    statuses::Table,
    world::World,
};
use crate::dice::Dice;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// The order as `GET /api/orders/{id}` shows it.
pub(crate) fn order(world: &World, order: &Order, call: Option<&Call>) -> Value {
    let (sub_total, total) = totals(&world.quirks, order);
    let language = call.map_or(Language::English, |call| call.language);
    let status = |table| status_of(order, table, language).unwrap_or(Value::Null);
    let items: Vec<Value> = order.lines.iter().map(|it| line(world, order, it)).collect();
    let surcharges: Vec<Value> = order.surcharges.iter().enumerate().map(surcharge).collect();
    let tracking: Vec<Value> = order
        .tracking
        .iter()
        .map(|it| json!({"id": it.id, "date": iso8601(it.at_s), "value": it.value}))
        .collect();
    let roles = |billing| Roles { billing, shipping: !billing, work: false };
    let billing = order.billing.as_ref().map(|it| it.wire(order.id * 10, roles(true)));
    let shipping = order.shipping.as_ref().map(|it| it.wire(order.id * 10 + 1, roles(false)));
    let mut value = json!({
        "id": order.id,
        "order_number": order.number,
        "total": total,
        "sub_total": sub_total,
        "email": order.email,
        "items": items,
        "billing_address": billing,
        "shipping_address": shipping,
        "create_date": iso8601(order.created_s),
        "update_date": iso8601(order.updated_s),
        "payment_status": status(Table::Payment),
        "shipping_status": status(Table::Shipping),
        "customer_id": order.customer_id,
        "order_profile_id": order.snapshot_id,
        "shipping_id": order.shipping_id,
        "shipping_method_name": order.shipping_method,
        "notes": order.notes,
        "admin_notes": order.admin_notes,
        "currency": order.currency.code,
        "stock_status": "reduced",
        "surcharges": surcharges,
        "tracking_numbers": tracking,
    });
    if world.quirks.module_fields
        && let Some(fields) = value.as_object_mut()
    {
        // Modules are switched on and off while the shop runs.
        module_fields(fields, order, world.calls / 50);
    }
    value
}

/// One of an order's statuses; none when the order has none.
pub(crate) fn status_of(order: &Order, table: Table, language: Language) -> Option<Value> {
    let status = table.by_id(order.status(table)?)?;
    let name = match language {
        Language::English => status.name,
        Language::German => status.name_de,
    };
    let nameless = order.nameless_status && table == Table::Shipping;
    let name = (!nameless).then_some(name);
    let code = status.code.unwrap_or_default();
    Some(json!({"id": status.id, "code": code, "name": name, "customer_name": name}))
}

fn totals(quirks: &Quirks, order: &Order) -> (f64, f64) {
    let (sub_total, total) = (float(order.sub_total()), float(order.total()));
    if !quirks.float_noise {
        return (sub_total, total);
    }
    let noisy_sub =
        order.lines.iter().fold(0.0, |sum, line| sum + float(line.price) * f64::from(line.amount));
    let noisy = order.counted().fold(noisy_sub, |sum, it| sum + float(it.value))
        + float(order.total_off_by);
    // Noise is in the last digits; a difference that can be seen is a rounding.
    let kept = |exact: f64, noisy: f64| if (exact - noisy).abs() < 1e-6 { noisy } else { exact };
    (kept(sub_total, noisy_sub), kept(total, noisy))
}

/// The float next to a decimal.
pub(crate) fn float(amount: Decimal) -> f64 {
    amount.to_string().parse().unwrap_or(0.0)
}

fn line(world: &World, order: &Order, line: &Line) -> Value {
    let gross = line.price * Decimal::from(line.amount);
    let included: Decimal = line.surcharges.iter().filter(|it| it.include).map(|it| it.value).sum();
    let net = order.currency.round((gross - included) / Decimal::from(line.amount.max(1)));
    let discounts: Decimal =
        order.counted().map(|it| it.value).filter(Decimal::is_sign_negative).sum();
    let sub_total = order.sub_total();
    let share = if sub_total.is_zero() { Decimal::ZERO } else { gross * discounts / sub_total };
    let surcharges: Vec<Value> = line.surcharges.iter().enumerate().map(surcharge).collect();
    let product = line.product_id.filter(|id| world.products.contains_key(id));
    json!({
        "id": line.id,
        "product_id": product,
        "sku": line.sku,
        "update_date": rfc3339(order.updated_s),
        "name": line.name,
        "price": float(line.price),
        "item_net_price": float(net),
        "discounted_subtotal": float(order.currency.round(gross + share)),
        "amount": line.amount,
        "backordered_amount": 0,
        "surcharges": surcharges,
        "variant": line.variant_id.filter(|_| product.is_some()),
    })
}

fn surcharge((weight, surcharge): (usize, &Surcharge)) -> Value {
    json!({
        "id": surcharge.id,
        "type": surcharge.kind.wire(),
        "code": surcharge.code,
        "class": surcharge.kind.class(),
        "include": surcharge.include,
        "available": surcharge.available,
        "value": float(surcharge.value),
        "name": surcharge.name,
        "weight": weight * 10,
    })
}

fn module_fields(fields: &mut Map<String, Value>, order: &Order, epoch: u64) {
    let on = |bit: u64| Dice::new(order.id ^ (epoch << 24) ^ (bit << 48)).permille(600);
    let all = [
        (
            "used_coupons",
            json!([{"id": 1, "code": "SPRING", "value": 10, "type": "%", "coupon_id": null}]),
        ),
        ("reward_points", json!(order.id % 100)),
        ("survey", Value::Null),
        ("mobile_order", json!(on(9))),
        ("recovered", json!(false)),
        ("cart_reminder_emails", json!([])),
        ("lost", json!("")),
        ("last_visit_date", json!(order.created_s)),
        ("gross_profit", json!(12.345_678)),
        ("mailchimp_store_id", Value::Null),
        ("selected_multi_currency", json!({"code": "USD", "total": 1})),
        ("selected_multi_currency_rate", json!(1.093_7)),
        ("usps_shipments", json!([{"id": 1, "transaction_id": "", "tracking_number": "94001"}])),
    ];
    for (bit, (name, value)) in (0..).zip(all) {
        if on(bit) {
            fields.insert(name.to_owned(), value);
        }
    }
}

/// The order's history.
pub(crate) fn history(order: &Order) -> Vec<Value> {
    let event = |event: &Event| {
        json!({
            "id": event.id,
            "date": iso8601(event.at_s),
            "code": event.code,
            "description": event.description,
            "data": {},
            // The shop repeats the code here.
            "comment": event.code,
            "profile_id": event.profile_id,
            "profile_name": event.profile_id.map(|_| "admin@shop.example"),
            "ip": "203.0.113.7",
            "details": [],
        })
    };
    order.history.iter().map(event).collect()
}

/// The order's details.
pub(crate) fn details(order: &Order) -> Vec<Value> {
    vec![
        json!({"id": order.id * 10, "name": "PaymentMethod", "value": order.payment.shown}),
        json!({"id": order.id * 10 + 1, "name": "reason", "value": ""}),
    ]
}
