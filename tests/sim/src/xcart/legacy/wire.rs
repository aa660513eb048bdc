//! Entities in the default schema: the shape of the database (reference/xcart.md 9.3).
//!
//! The names of columns below the order, which the notes do not list, are those of X-Cart's
//! tables (`[I]`); whether an address has its fields as columns or as rows is a switch. Pure.

use super::super::{
    address::Address,
    options::{Depth, Legacy},
    order::{Line, Order, Payment, Surcharge},
    order_wire::float,
    product::Product,
    profile::Profile,
    statuses::{Status, Table},
    world::World,
};
use serde_json::{Map, Value, json};

/// What stands where a password was hashed; nobody but the shop may ever see it.
pub(crate) const HASH: &str =
    "SHA512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7";

/// An order's columns, as a list shows them.
pub(super) fn order_row(order: &Order) -> Map<String, Value> {
    fields(json!({
        "order_id": order.id,
        "orderNumber": order.number,
        "date": order.created_s,
        "lastRenewDate": order.updated_s,
        "total": float(order.total()),
        "subtotal": float(order.sub_total()),
        "shipping_id": order.shipping_id,
        "shipping_method_name": order.shipping_method,
        "payment_method_name": order.payment.shown,
        "tracking": "",
        "notes": order.notes,
        "adminNotes": order.admin_notes,
        "recent": true,
        "is_order": true,
    }))
}

/// An order with its relations.
pub(super) fn order(order: &Order, legacy: &Legacy) -> Value {
    let mut whole = order_row(order);
    let status = |table: Table| {
        let status = order.status(table).and_then(|id| table.by_id(id));
        status.map_or(Value::Null, |status| status_row(status, legacy))
    };
    let tracking: Vec<Value> = order
        .tracking
        .iter()
        .map(|it| json!({"tracking_id": it.id, "value": it.value, "creationDate": it.at_s}))
        .collect();
    let customer = order.customer_id.map(|id| json!({"profile_id": id, "login": order.email}));
    let paid = match legacy.depth {
        Depth::Deep => payment(order),
        Depth::Shallow => Value::Object(payment_row(&order.payment, order)),
    };
    whole.extend(fields(json!({
        "paymentStatus": status(Table::Payment),
        "shippingStatus": status(Table::Shipping),
        "profile": profile_copy(order, legacy, legacy.depth),
        // PHP writes an empty relation as an empty list.
        "orig_profile": customer.unwrap_or_else(|| json!([])),
        "details": [],
        "trackingNumbers": tracking,
        "events": [],
        "items": order.lines.iter().map(line).collect::<Vec<_>>(),
        "surcharges": order.surcharges.iter().enumerate().map(surcharge).collect::<Vec<_>>(),
        "payment_transactions": [paid],
        "currency": {"currency_id": 978, "code": order.currency.code, "e": order.currency.digits},
    })));
    Value::Object(whole)
}

/// A status; ids differ from shop to shop.
pub(super) fn status_row(status: &Status, legacy: &Legacy) -> Value {
    let id = status.id + legacy.status_id_shift;
    json!({"id": id, "code": status.code.unwrap_or_default(), "position": status.id * 10})
}

fn line(line: &Line) -> Value {
    let total = float(line.price * rust_decimal::Decimal::from(line.amount));
    json!({
        "item_id": line.id, "name": line.name, "sku": line.sku, "price": float(line.price),
        "itemNetPrice": float(line.price), "discountedSubtotal": total, "amount": line.amount,
        "total": total, "subtotal": total, "object": line.product_id.map(|id| json!({"product_id": id})),
        "variant": line.variant_id.map(|id| json!({"id": id})), "attributeValues": [],
    })
}

fn surcharge((weight, surcharge): (usize, &Surcharge)) -> Value {
    json!({
        "id": surcharge.id, "type": surcharge.kind.wire(), "code": surcharge.code,
        "class": surcharge.kind.class(), "include": surcharge.include,
        "available": surcharge.available, "value": float(surcharge.value),
        "name": surcharge.name, "weight": weight * 10,
    })
}

fn payment_row(payment: &Payment, order: &Order) -> Map<String, Value> {
    fields(json!({
        "transaction_id": payment.id, "date": order.created_s, "publicTxnId": null,
        "method_name": payment.service, "method_local_name": payment.shown, "status": "S",
        "value": float(order.total()), "note": "", "type": "sale",
    }))
}

/// A payment transaction with its relations.
pub(super) fn payment(order: &Order) -> Value {
    let mut whole = payment_row(&order.payment, order);
    let backend: Vec<Value> = order
        .payment
        .backend
        .iter()
        .map(|it| {
            json!({"id": it.id, "type": it.kind, "date": it.at_s, "status": it.status,
                   "value": float(it.value)})
        })
        .collect();
    whole.insert("backend_transactions".to_owned(), backend.into());
    whole.insert("currency".to_owned(), json!({"code": order.currency.code}));
    Value::Object(whole)
}

/// The id of the copy of a profile that an order keeps.
pub(super) fn copy_id(order: &Order) -> u64 {
    order.snapshot_id.unwrap_or(900_000 + order.id)
}

/// The copy of a profile that an order keeps.
pub(super) fn profile_copy(order: &Order, legacy: &Legacy, depth: Depth) -> Value {
    let mut whole = profile_row(copy_id(order), &order.email);
    if depth == Depth::Deep {
        whole.insert("addresses".to_owned(), addresses(order, legacy, depth));
    }
    Value::Object(whole)
}

/// The copy, read by its own id: its addresses stand in it, bare where relations end early.
pub(super) fn profile_copy_alone(order: &Order, legacy: &Legacy) -> Value {
    let mut whole = profile_row(copy_id(order), &order.email);
    whole.insert("addresses".to_owned(), addresses(order, legacy, legacy.depth));
    Value::Object(whole)
}

fn profile_row(id: u64, login: &str) -> Map<String, Value> {
    fields(json!({
        "profile_id": id, "login": login, "password": HASH, "access_level": 0, "status": "E",
        "added": 1, "language": "en",
    }))
}

/// A customer's profile.
pub(super) fn profile(id: u64, profile: &Profile) -> Value {
    Value::Object(profile_row(id, profile.login()))
}

/// The order's addresses with their ids: one, where both are the same.
fn of_order(order: &Order) -> Vec<(u64, &Address, [bool; 2])> {
    let billing = order.billing.as_ref().map(|it| (order.id * 10, it));
    let shipping = order.shipping.as_ref().map(|it| (order.id * 10 + 1, it));
    match (billing, shipping) {
        (Some((id, one)), Some((_, other))) if one == other => vec![(id, one, [true, true])],
        (billing, shipping) => {
            let billing = billing.map(|(id, it)| (id, it, [true, false]));
            let shipping = shipping.map(|(id, it)| (id, it, [false, true]));
            billing.into_iter().chain(shipping).collect()
        }
    }
}

fn addresses(order: &Order, legacy: &Legacy, depth: Depth) -> Value {
    let one = |(id, address, roles): (u64, &Address, [bool; 2])| match depth {
        Depth::Deep => address_whole(id, address, roles, legacy),
        Depth::Shallow => Value::Object(address_row(id, address, roles)),
    };
    of_order(order).into_iter().map(one).collect()
}

fn address_row(id: u64, address: &Address, [billing, shipping]: [bool; 2]) -> Map<String, Value> {
    let kind = if address.commercial { "C" } else { "R" };
    fields(json!({
        "address_id": id, "is_billing": billing, "is_shipping": shipping, "isWork": false,
        "address_type": kind,
    }))
}

fn address_whole(id: u64, address: &Address, roles: [bool; 2], legacy: &Legacy) -> Value {
    let mut whole = address_row(id, address, roles);
    let own = [
        ("title", &address.title),
        ("firstname", &address.firstname),
        ("lastname", &address.lastname),
        ("phone", &address.phone),
        ("street", &address.street),
        ("zipcode", &address.zipcode),
        ("city", &address.city),
        ("custom_state", &address.state_name),
    ];
    let own = own.into_iter().map(|(name, value)| (name, value.as_str()));
    let custom = address.custom_fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = own.chain(custom);
    if legacy.address_fields_as_rows {
        let rows: Vec<Value> = (1..)
            .zip(all)
            .map(|(id, (name, value)): (u64, _)| {
                json!({"id": id, "value": value, "addressField": {"serviceName": name}})
            })
            .collect();
        whole.insert("addressFields".to_owned(), rows.into());
    } else {
        whole.extend(all.map(|(name, value)| (name.to_owned(), json!(value))));
    }
    whole.insert("country".to_owned(), json!({"code": address.country_code}));
    whole.insert("state".to_owned(), Value::Null);
    Value::Object(whole)
}

/// An address of an order, read by its own id.
pub(super) fn address(world: &World, id: u64, legacy: &Legacy) -> Option<Value> {
    let all = world.orders.values().flat_map(of_order);
    let (id, address, roles) = all.into_iter().find(|(own, _, _)| *own == id)?;
    Some(address_whole(id, address, roles, legacy))
}

/// A product's columns, as a list shows them.
pub(super) fn product_row(product: &Product) -> Map<String, Value> {
    let field = |name: &str| product.fields.get(name).cloned().unwrap_or_default();
    fields(json!({
        "product_id": product.id, "sku": field("sku"), "price": field("price"),
        "amount": field("amount"), "inventoryEnabled": field("inventory_traceable"),
        "enabled": field("enabled"), "weight": field("weight"),
    }))
}

/// A product with its relations.
pub(super) fn product(product: &Product) -> Value {
    let mut whole = product_row(product);
    let name = product.fields.get("name").cloned().unwrap_or_default();
    whole.insert("translations".to_owned(), json!([{"code": "en", "name": name}]));
    let variants: Vec<Value> = product.variants.iter().map(|(id, of)| variant(*id, of)).collect();
    whole.insert("variants".to_owned(), variants.into());
    Value::Object(whole)
}

/// A variant.
pub(super) fn variant(id: u64, of: &Map<String, Value>) -> Value {
    let field = |name: &str| of.get(name).cloned().unwrap_or_default();
    json!({
        "id": id, "sku": field("sku"), "amount": field("amount"),
        "defaultAmount": field("default_amount"), "price": field("price"),
        "defaultPrice": field("default_price"),
    })
}

fn fields(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}
