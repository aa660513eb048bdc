//! What is stored: webhooks of orders of about 4 KB, the same for the same seed. Their fields are those
//! of the shop (reference/xcart.md 3.1).
//!
//! Names, streets, goods, amounts and texts vary from order to order, and there is a token that cannot
//! be compressed, so that a body shrinks as those of a shop do. Pure.

use fastrand::Rng;
use serde_json::{Value, json};

/// About how long a body is.
const BODY_BYTES: usize = 4_000;

/// How many different bodies there are, but for the number.
const BODIES: u64 = 512;

/// What every body begins with; the number follows.
const FRONT: &[u8] = b"{\"order_number\":\"";
/// Digits of a number.
const DIGITS: usize = 12;

const GIVEN: [&str; 12] = [
    "Anna",
    "Bruno",
    "Chloe",
    "David",
    "Emilia",
    "Finn",
    "Greta",
    "Henrik",
    "Ines",
    "Jonas",
    "Katarzyna",
    "Lucas",
];
const FAMILY: [&str; 12] = [
    "Albrecht",
    "Bergstrom",
    "Castellano",
    "Dubois",
    "Eriksson",
    "Fischer",
    "Gonzalez",
    "Hakkinen",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lindqvist",
];
const STREETS: [&str; 8] = [
    "Rue de la Gare",
    "Hauptstrasse",
    "Storgatan",
    "Via Garibaldi",
    "Calle Mayor",
    "Mill Lane",
    "Ulica Polna",
    "Kirkegata",
];
const CITIES: [&str; 8] =
    ["Lyon", "Leipzig", "Malmo", "Torino", "Sevilla", "Leeds", "Gdansk", "Bergen"];
const GOODS: [&str; 16] = [
    "bolt", "bracket", "bearing", "coupling", "filter", "flange", "gasket", "hose", "lamp",
    "motor", "pump", "relay", "sensor", "switch", "valve", "washer",
];
const KINDS: [&str; 10] = [
    "brass",
    "black",
    "large",
    "M8",
    "stainless",
    "sealed",
    "twin",
    "230 V",
    "reinforced",
    "spare",
];

/// The bodies of a run.
#[derive(Debug)]
pub(crate) struct Bodies(Vec<Vec<u8>>);

impl Bodies {
    /// Makes them.
    pub(crate) fn new(seed: u64) -> Self {
        Self((0..BODIES).map(|at| body(&mut Rng::with_seed(seed ^ (at << 20)))).collect())
    }

    /// Returns a body that carries this number and so is like no other.
    pub(crate) fn with_number(&self, number: u64) -> Vec<u8> {
        let at = usize::try_from(number % BODIES).unwrap_or(0);
        let mut body = self.0.get(at).cloned().unwrap_or_default();
        let digits = format!("{number:0DIGITS$}");
        let place = FRONT.len()..FRONT.len() + DIGITS;
        if let Some(place) = body.get_mut(place).filter(|place| place.len() == digits.len()) {
            place.copy_from_slice(digits.as_bytes());
        }
        body
    }
}

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from.get(random.usize(0..from.len())).copied().unwrap_or_default()
}

fn body(random: &mut Rng) -> Vec<u8> {
    let mut lines = Vec::new();
    loop {
        let rest = json!({
            "event": "order.created",
            "id": random.u32(10_000..9_999_999),
            "total": random.u32(0..9_000_000),
            "sub_total": random.u32(0..9_000_000),
            "email": format!("{}{}@example.com", pick(random, &FAMILY), random.u32(1..9_999)),
            "items": lines,
            "billing_address": address(random),
            "shipping_address": address(random),
            "create_date": date(random, "+0000"),
            "update_date": date(random, "+0000"),
            "payment_status": {"id": 4, "code": "P", "name": "Paid", "customer_name": "Paid"},
            "shipping_status": {"id": 1, "code": "N", "name": "New", "customer_name": "New"},
            "customer_id": random.u32(1..90_000),
            "order_profile_id": random.u32(1..900_000),
            "shipping_id": random.u32(1..9),
            "shipping_method_name": words(random, 2),
            "notes": words(random, 12),
            "admin_notes": token(random, 64),
            "currency": pick(random, &["EUR", "SEK", "GBP", "PLN"]),
            "stock_status": "reduced",
            "surcharges": [surcharge(random, "SHIPPING")],
            "tracking_numbers": [],
        });
        let rest = rest.to_string();
        if rest.len() + FRONT.len() + DIGITS + 2 >= BODY_BYTES {
            let rest = rest.strip_prefix('{').unwrap_or_default().as_bytes();
            return [FRONT, &[b'0'; DIGITS], b"\",", rest].concat();
        }
        lines.push(line(random));
    }
}

fn line(random: &mut Rng) -> Value {
    let (kind, good) = (pick(random, &KINDS), pick(random, &GOODS));
    json!({
        "id": random.u32(1..4_000_000),
        "product_id": random.u32(1..400_000),
        "sku": format!("{}-{:05}", good.to_uppercase(), random.u32(0..99_999)),
        "update_date": date(random, "+00:00"),
        "name": format!("{kind} {good} {}", random.u32(2..400)),
        "price": amount(random, 9_000),
        "item_net_price": amount(random, 9_000),
        "discounted_subtotal": amount(random, 90_000),
        "amount": random.u32(1..40),
        "backordered_amount": 0,
        "surcharges": [surcharge(random, "CDEV.STAX.1")],
        "variant": null,
    })
}

fn surcharge(random: &mut Rng, code: &str) -> Value {
    json!({
        "id": random.u32(1..4_000_000),
        "type": "tax",
        "code": code,
        "class": "\\XLite\\Logic\\Order\\Modifier",
        "include": random.bool(),
        "available": true,
        "value": amount(random, 900),
        "name": words(random, 1),
        "weight": random.u8(0..30),
    })
}

fn address(random: &mut Rng) -> Value {
    json!({
        "id": random.u32(1..4_000_000),
        "is_billing": random.bool(),
        "is_shipping": random.bool(),
        "is_work": false,
        "type": "C",
        "firstname": pick(random, &GIVEN),
        "lastname": pick(random, &FAMILY),
        "phone": format!("+4{}", random.u64(10_000_000..9_999_999_999)),
        "street": format!("{} {}", pick(random, &STREETS), random.u32(1..300)),
        "zipcode": format!("{:05}", random.u32(1_000..99_999)),
        "city": pick(random, &CITIES),
        "country_code": pick(random, &["FR", "DE", "SE", "IT", "GB"]),
        "state": null,
        "state_name": "",
        "custom_fields": [],
    })
}

fn date(random: &mut Rng, zone: &str) -> String {
    let (month, day) = (random.u8(1..13), random.u8(1..29));
    let (hour, minute, second) = (random.u8(0..24), random.u8(0..60), random.u8(0..60));
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
}

fn amount(random: &mut Rng, below: u32) -> f64 {
    f64::from(random.u32(0..below)) + f64::from(random.u32(0..100)) / 100.0
}

fn words(random: &mut Rng, count: usize) -> String {
    let words = (0..count).map(|_| match random.u8(0..3) {
        0 => pick(random, &KINDS).to_owned(),
        1 => pick(random, &GOODS).to_owned(),
        _ => (0..random.usize(3..9)).map(|_| random.lowercase()).collect(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn token(random: &mut Rng, length: usize) -> String {
    (0..length).map(|_| random.alphanumeric()).collect()
}
