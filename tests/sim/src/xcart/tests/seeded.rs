//! The orders that come out of the dice.

use super::Rig;
use crate::xcart::{BookedOrder, Defect, OrderSpec, Quirks};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::HashSet;

fn adds_up(order: &BookedOrder) -> bool {
    let added: Decimal = order.surcharges.iter().filter(|it| it.counted).map(|it| it.value).sum();
    order.sub_total + added == order.total
}

#[tokio::test]
async fn the_same_seed_places_the_same_orders() {
    let (one, two) = (Rig::calm().await, Rig::calm().await);
    assert_eq!(one.shop.place_orders(50), two.shop.place_orders(50));
    assert_eq!(one.shop.books(), two.shop.books());
}

#[tokio::test]
async fn an_order_without_a_defect_can_be_imported_and_one_with_a_defect_cannot() {
    let rig = Rig::with(|options| {
        options.defects_permille = 200;
        options.quirks = Quirks { fine_prices: true, ..Quirks::storm() };
    });
    let rig = rig.await;
    rig.shop.place_orders(1_500);
    let goods = rig.shop.goods();
    let active = |sku: &str| goods.iter().any(|item| item.sku == sku && item.is_active());
    let mut met = HashSet::new();
    for order in rig.shop.books() {
        let known = order.lines.iter().all(|line| line.itno.is_some());
        let sellable = order.lines.iter().all(|line| active(&line.sku));
        let why = match order.defect {
            None => {
                adds_up(&order)
                    && sellable
                    && !order.lines.is_empty()
                    && order.total >= Decimal::ZERO
                    && order.total.scale() <= 2
            }
            Some(Defect::UnknownSku) => !known && adds_up(&order),
            Some(Defect::BlockedItem) => known && !sellable && adds_up(&order),
            Some(Defect::TotalDoesNotAddUp) => sellable && !adds_up(&order),
            Some(Defect::NoLines) => order.lines.is_empty(),
            Some(Defect::Unreadable) => false,
        };
        assert!(why, "{order:?}");
        met.insert(order.defect);
    }
    assert_eq!(met.len(), 5, "{met:?}");
}

#[tokio::test]
async fn seeded_orders_hold_what_a_year_of_orders_holds() {
    let rig = Rig::with(|options| options.quirks = Quirks::storm()).await;
    rig.shop.place_orders(1_000);
    let (mut orders, mut texts) = (Vec::new(), String::new());
    for booked in rig.shop.books() {
        let order = rig.get(&format!("/api/orders/{}", booked.id)).await.json();
        texts.push_str(&order.to_string());
        orders.push(order);
    }
    let some = |of: fn(&Value) -> bool| orders.iter().filter(|order| of(order)).count();
    for currency in ["EUR", "USD", "GBP", "SEK", "JPY"] {
        assert!(orders.iter().any(|order| order["currency"] == currency), "{currency}");
    }
    assert!(some(|order| order["billing_address"].is_null()) > 5);
    assert!(some(|order| order["shipping_address"].is_null()) > 5);
    assert!(some(|order| order["customer_id"].is_null()) > 50);
    assert!(some(|order| order["shipping_status"]["name"].is_null()) > 3);
    assert!(some(|order| order["items"].as_array().unwrap().len() == 1) > 100);
    assert!(some(|order| order["items"].as_array().unwrap().len() > 9) > 50);
    let unlinked = |order: &Value| {
        order["items"].as_array().unwrap().iter().any(|item| item["product_id"].is_null())
    };
    assert!(some(unlinked) > 5);
    let noisy = |order: &Value| order["total"].to_string().len() > 12;
    assert!(some(noisy) > 20, "sums of floats that nobody rounded");
    let fields = orders.iter().map(|order| order.as_object().unwrap().len());
    assert!(fields.collect::<HashSet<_>>().len() > 3, "module fields come and go");
    for sign in ["ß", "Ł", "Ж", "京", "🎁", "\\u0007", "SHIPPING", "CDEV.STAX", "DCOUPON"] {
        assert!(texts.contains(sign), "{sign}");
    }
}

#[tokio::test]
async fn noise_in_a_total_is_never_seen_after_rounding() {
    let rig = Rig::with(|options| {
        options.quirks = Quirks { fine_prices: true, ..Quirks::storm() };
    });
    let rig = rig.await;
    rig.shop.place_orders(200);
    for booked in rig.shop.books() {
        let order = rig.get(&format!("/api/orders/{}", booked.id)).await.json();
        for (field, want) in [("total", booked.total), ("sub_total", booked.sub_total)] {
            let shown: Decimal = order[field].to_string().parse().unwrap_or_default();
            assert_eq!(shown.round_dp(4), want, "{field} of {}", booked.number);
        }
    }
}

#[tokio::test]
async fn orders_made_by_hand_are_booked_with_the_defect_they_have() {
    let rig = Rig::calm().await;
    let goods = rig.shop.goods();
    let blocked = &goods.iter().find(|item| !item.is_active()).unwrap().sku;
    let one = Decimal::ONE;
    let emptied = rig.shop.place(OrderSpec::simple());
    rig.shop.change_quantity(&emptied, &goods[0].sku, 0);
    let table = [
        (rig.shop.place(OrderSpec::simple()), None),
        (
            rig.shop.place(OrderSpec::simple().line("NOBODY-KNOWS", 1, one)),
            Some(Defect::UnknownSku),
        ),
        (rig.shop.place(OrderSpec::simple().line(blocked, 1, one)), Some(Defect::BlockedItem)),
        (rig.shop.place(OrderSpec::simple().without_lines()), Some(Defect::NoLines)),
        (rig.shop.place(OrderSpec::simple().total_off_by(one)), None),
        (
            rig.shop.place(OrderSpec::simple().total_off_by(Decimal::TWO)),
            Some(Defect::TotalDoesNotAddUp),
        ),
        (emptied, Some(Defect::NoLines)),
    ];
    for (number, want) in table {
        assert_eq!(rig.shop.booked(&number).unwrap().defect, want, "order {number}");
    }
}

#[tokio::test]
async fn unpaid_orders_are_paid_by_and_by() {
    let rig = Rig::with(|options| {
        options.awaiting_permille = 1_000;
        options.pays_after_ms = Some(30);
    });
    let rig = rig.await;
    rig.shop.place_orders(5);
    assert!(rig.shop.books().iter().all(|order| order.payment_status == "Q"));
    let paid = || rig.shop.books().iter().all(|order| order.payment_status == "P");
    super::weather::until(paid).await;
    let history = rig.shop.books()[0].history.clone();
    assert!(history.contains(&"CHANGE PAYMENT STATUS ORDER".to_owned()));
}
