//! Products and their variants (reference/xcart.md 5.1).
//!
//! Guarantees: a PUT is a merge; an amount is an absolute integer; a SKU is unique over
//! products and variants; dates carry a colon in their offset.

use super::{
    call::Call,
    classes,
    dates::rfc3339,
    fields::{Field, Kind, blank, field, merge},
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::Verb,
    world::World,
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const CLASS: &str = "XLite\\API\\Endpoint\\Product\\DTO\\Input";
const VARIANT_CLASS: &str = "XC\\ProductVariants\\API\\Endpoint\\ProductVariant\\DTO\\Input";
const TEXT: Kind = Kind::Text { min: 0, max: 65_535 };

const SCHEMA: [Field; 27] = [
    field("sku", Kind::Text { min: 1, max: 32 }),
    field("name", Kind::Text { min: 1, max: 255 }),
    field("description", TEXT),
    field("brief_description", TEXT),
    field("meta_tags", TEXT),
    field("meta_description", TEXT),
    field("meta_description_type", Kind::Word(&["A", "C"])),
    field("meta_title", TEXT),
    field("price", Kind::Number),
    field("enabled", Kind::Bool),
    field("weight", Kind::Number),
    field("separate_box", Kind::Bool),
    field("width", Kind::Number),
    field("length", Kind::Number),
    field("height", Kind::Number),
    field("free_shipping", Kind::Bool),
    field("taxable", Kind::Bool),
    field("arrival_date", Kind::NullableText),
    field("inventory_traceable", Kind::Bool),
    field("amount", Kind::Int),
    field("product_class", Kind::NullableText),
    field("tax_class", Kind::NullableText),
    field("memberships", Kind::List),
    field("clean_url", TEXT),
    field("market_price", Kind::Number),
    field("available_for_backorder", Kind::Bool),
    field("backorder_limit", Kind::Int),
];

const VARIANT_SCHEMA: [Field; 8] = [
    field("sku", Kind::NullableText),
    field("price", Kind::Number),
    field("default_price", Kind::Bool),
    field("amount", Kind::Int),
    field("default_amount", Kind::Bool),
    field("weight", Kind::Number),
    field("default_weight", Kind::Bool),
    field("default_variant", Kind::Bool),
];

/// Every so many goods one is a variant of the product before it.
const VARIANT_EVERY: usize = 9;

/// A product of the shop.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) id: u64,
    pub(crate) fields: Map<String, Value>,
    pub(crate) variants: BTreeMap<u64, Map<String, Value>>,
    created_s: i64,
    updated_s: i64,
}

impl Product {
    /// As the API shows it.
    pub(crate) fn wire(&self) -> Value {
        let mut whole = Map::new();
        whole.insert("id".to_owned(), json!(self.id));
        whole.extend(self.fields.clone());
        let class = |name: &str| match self.fields.get(name).and_then(Value::as_str) {
            Some(name) => json!({"id": 1, "name": name}),
            None => Value::Null,
        };
        whole.insert("product_class".to_owned(), class("product_class"));
        whole.insert("tax_class".to_owned(), class("tax_class"));
        whole.insert("create_date".to_owned(), json!(rfc3339(self.created_s)));
        whole.insert("update_date".to_owned(), json!(rfc3339(self.updated_s)));
        whole.insert("images".to_owned(), json!([]));
        whole.remove("meta_description_type");
        Value::Object(whole)
    }

    /// Moves the stock of the product, or of one of its variants, never below zero.
    pub(crate) fn shift_amount(&mut self, variant: Option<u64>, by: i64) {
        let Some(amount) = self.amount(variant) else { return };
        let own = variant.and_then(|id| self.variants.get_mut(&id)).filter(|own| keeps_own(own));
        let fields = own.unwrap_or(&mut self.fields);
        fields.insert("amount".to_owned(), json!((amount + by).max(0)));
    }

    /// The stock of the product, or of one of its variants.
    pub(crate) fn amount(&self, variant: Option<u64>) -> Option<i64> {
        let own = variant.and_then(|id| self.variants.get(&id)).filter(|own| keeps_own(own));
        own.unwrap_or(&self.fields).get("amount").and_then(Value::as_i64)
    }

    /// The price of the product, or of one of its variants.
    pub(crate) fn price(&self, variant: Option<u64>) -> Option<Decimal> {
        let own = variant.and_then(|id| self.variants.get(&id));
        let own = own.filter(|own| own.get("default_price") == Some(&json!(false)));
        own.unwrap_or(&self.fields).get("price")?.to_string().parse().ok()
    }

    fn sku(&self) -> &str {
        self.fields.get("sku").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Whether a variant has a stock of its own.
fn keeps_own(variant: &Map<String, Value>) -> bool {
    variant.get("default_amount") == Some(&json!(false))
}

/// Fills the shelf with the shop's goods.
pub(crate) fn stock_the_shelf(world: &mut World) {
    let now_s = world.now_s();
    let mut last_product = None;
    for (index, item) in world.goods.clone().into_iter().enumerate() {
        let amount = world.dice.range(0..=5_000);
        let price: f64 = item.price.to_string().parse().unwrap_or(0.0);
        if index % VARIANT_EVERY == VARIANT_EVERY - 1
            && let Some(product) = last_product
        {
            let id = world.fresh_id();
            if let Some(product) = world.products.get_mut(&product) {
                let fields = variant_fields(&item.sku, price, amount);
                product.variants.insert(id, fields);
            }
            world.shelf.insert(item.sku.clone(), (product, Some(id)));
            continue;
        }
        let id = 11 + u64::try_from(index).unwrap_or(0) * 2;
        let mut fields = defaults();
        fields.insert("sku".to_owned(), json!(item.sku));
        fields.insert("name".to_owned(), json!(item.name));
        fields.insert("price".to_owned(), json!(price));
        fields.insert("amount".to_owned(), json!(amount));
        fields.insert("clean_url".to_owned(), json!(format!("product-{id}")));
        let (created_s, updated_s) = (now_s - 90 * 86_400, now_s - 86_400);
        let variants = BTreeMap::new();
        world.products.insert(id, Product { id, fields, variants, created_s, updated_s });
        world.shelf.insert(item.sku, (id, None));
        last_product = Some(id);
    }
}

fn defaults() -> Map<String, Value> {
    let value = json!({
        "sku": "", "name": "", "description": "", "brief_description": "", "meta_tags": "",
        "meta_description": "", "meta_title": "", "price": 0.0, "enabled": true, "weight": 0.0,
        "separate_box": false, "width": 0.0, "length": 0.0, "height": 0.0,
        "free_shipping": false, "taxable": true, "arrival_date": null,
        "inventory_traceable": true, "amount": 1000, "product_class": null, "tax_class": null,
        "memberships": [], "clean_url": "", "market_price": 0.0,
        "available_for_backorder": false, "backorder_limit": 0,
    });
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn variant_fields(sku: &str, price: f64, amount: u64) -> Map<String, Value> {
    let value = json!({
        "price": price, "default_price": false, "amount": amount, "default_amount": false,
        "weight": 0.0, "default_weight": true, "default_variant": false, "sku": sku,
        "image": null, "attribute_checkbox_values": [], "attribute_select_values": [3, 4],
    });
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// `GET` and `POST /api/products`.
pub(crate) fn many(world: &mut World, call: &Call, verb: Verb) -> Result<Outcome, Refusal> {
    if verb == Verb::Post {
        return make(world, call);
    }
    let mut products: Vec<&Product> = world.products.values().collect();
    let number = |product: &Product| product.fields.get("price").and_then(Value::as_f64);
    let text = |product: &Product, name: &str| {
        product.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for (field, direction) in call.query.keyed("order") {
        match field {
            "price" => products.sort_by(|one, two| {
                number(one).unwrap_or(0.0).total_cmp(&number(two).unwrap_or(0.0))
            }),
            "name" => products.sort_by_key(|product| text(product, "name")),
            "arrivalDate" => products.sort_by_key(|product| text(product, "arrival_date")),
            _ => continue,
        }
        if direction.eq_ignore_ascii_case("desc") {
            products.reverse();
        }
    }
    Ok(Outcome::Page("Product", Page::cut(call, &products, |product| shown(world, product))?))
}

/// A product as this shop shows it.
fn shown(world: &World, product: &Product) -> Value {
    let mut value = product.wire();
    classes::show_class(world, &mut value);
    value
}

/// The fields that are taken; a tax class is named, or in a shop of 5.6 numbered.
fn schema(world: &World) -> Vec<Field> {
    let class = |field: Field| match field.name {
        "tax_class" if world.quirks.classes_by_id => Field { kind: Kind::NullableInt, ..field },
        _ => field,
    };
    SCHEMA.into_iter().map(class).collect()
}

fn make(world: &mut World, call: &Call) -> Result<Outcome, Refusal> {
    let sent = call.input()?;
    let missing: String = ["sku", "name"]
        .iter()
        .filter(|name| sent.get(**name).is_none())
        .map(|name| blank(CLASS, name))
        .collect();
    let mut fields = defaults();
    merge(CLASS, &schema(world), &mut fields, &sent)?;
    classes::take_class(world, &mut fields)?;
    if !missing.is_empty() {
        return Err(Refusal::Bad(missing));
    }
    let id = world.products.keys().next_back().map_or(11, |last| last + 1);
    let now_s = world.now_s();
    let variants = BTreeMap::new();
    let product = Product { id, fields, variants, created_s: now_s, updated_s: now_s };
    unique(world, &product)?;
    world.shelf.insert(product.sku().to_owned(), (id, None));
    let value = shown(world, &product);
    world.products.insert(id, product);
    Ok(Outcome::Made("Product", value))
}

/// A product that a person adds.
pub(crate) fn add(world: &mut World, sku: &str, name: &str) {
    let mut fields = defaults();
    fields.insert("sku".to_owned(), json!(sku));
    fields.insert("name".to_owned(), json!(name));
    let id = world.products.keys().next_back().map_or(11, |last| last + 1);
    let (now_s, variants) = (world.now_s(), BTreeMap::new());
    let product = Product { id, fields, variants, created_s: now_s, updated_s: now_s };
    world.shelf.insert(sku.to_owned(), (id, None));
    world.products.insert(id, product);
}

fn unique(world: &World, product: &Product) -> Result<(), Refusal> {
    let sku = product.sku();
    if world.shelf.get(sku).is_some_and(|owner| *owner != (product.id, None)) {
        return Err(Refusal::Bad(format!("Input validations failed: SKU {sku} is not unique")));
    }
    let url = product.fields.get("clean_url").and_then(Value::as_str).unwrap_or_default();
    let taken = |other: &Product| other.fields.get("clean_url") == Some(&json!(url));
    let others = world.products.values().filter(|other| other.id != product.id);
    if !url.is_empty() && others.into_iter().any(taken) {
        let detail = format!("Input validations failed: Clean URL {url} is not unique");
        return Err(Refusal::Bad(detail));
    }
    Ok(())
}

/// `GET`, `PUT` and `DELETE /api/products/{id}`.
pub(crate) fn one(
    world: &mut World,
    call: &Call,
    (id, verb): (u64, Verb),
) -> Result<Outcome, Refusal> {
    let Some(product) = world.products.get(&id) else { return Err(Refusal::NotFound) };
    match verb {
        Verb::Get | Verb::Post => Ok(Outcome::One("Product", shown(world, product))),
        Verb::Delete => {
            world.products.remove(&id);
            world.shelf.retain(|_, (product, _)| *product != id);
            world.wholesale.retain(|((product, _), _), _| *product != id);
            world.standing.retain(|(_, product)| *product != id);
            Ok(Outcome::Gone)
        }
        Verb::Put => {
            let sent = call.input()?;
            let mut changed = product.clone();
            let old_sku = product.sku().to_owned();
            merge(CLASS, &schema(world), &mut changed.fields, &sent)?;
            classes::take_class(world, &mut changed.fields)?;
            // The shop takes a null here for today.
            if sent.get("arrival_date").is_some_and(Value::is_null) {
                let today = json!(rfc3339(world.now_s()));
                changed.fields.insert("arrival_date".to_owned(), today);
            }
            let renamed = |field: &str| changed.fields.get(field) != product.fields.get(field);
            // What was unique stays it; a shop has an index for it, this one would look through all.
            if renamed("sku") || renamed("clean_url") {
                unique(world, &changed)?;
            }
            changed.updated_s = world.now_s();
            world.shelf.remove(&old_sku);
            world.shelf.insert(changed.sku().to_owned(), (id, None));
            let value = shown(world, &changed);
            world.products.insert(id, changed);
            Ok(Outcome::One("Product", value))
        }
    }
}

/// `GET .../variants`.
pub(crate) fn variants(world: &World, id: u64) -> Result<Outcome, Refusal> {
    let product = world.products.get(&id).ok_or(Refusal::NotFound)?;
    let list = product.variants.iter().map(|(id, fields)| variant_wire(*id, fields)).collect();
    Ok(Outcome::Page("ProductVariant", Page::whole(list)))
}

fn variant_wire(id: u64, fields: &Map<String, Value>) -> Value {
    let mut whole = Map::new();
    whole.insert("id".to_owned(), json!(id));
    whole.extend(fields.clone());
    Value::Object(whole)
}

/// `GET` and `PUT .../variants/{id}`.
pub(crate) fn variant(
    world: &mut World,
    call: &Call,
    (product_id, id, verb): (u64, u64, Verb),
) -> Result<Outcome, Refusal> {
    let product = world.products.get(&product_id).ok_or(Refusal::NotFound)?;
    let mut fields = product.variants.get(&id).ok_or(Refusal::NotFound)?.clone();
    let old_sku = fields.get("sku").and_then(Value::as_str).map(str::to_owned);
    if verb == Verb::Put {
        merge(VARIANT_CLASS, &VARIANT_SCHEMA, &mut fields, &call.input()?)?;
        let owner = (product_id, Some(id));
        let sku = fields.get("sku").and_then(Value::as_str).map(str::to_owned);
        if let Some(sku) = &sku
            && world.shelf.get(sku).is_some_and(|other| *other != owner)
        {
            return Err(Refusal::Bad("SKU must be unique".to_owned()));
        }
        if let Some(old) = old_sku {
            world.shelf.remove(&old);
        }
        if let Some(sku) = sku {
            world.shelf.insert(sku, owner);
        }
        if let Some(product) = world.products.get_mut(&product_id) {
            product.variants.insert(id, fields.clone());
        }
    }
    Ok(Outcome::One("ProductVariant", variant_wire(id, &fields)))
}
