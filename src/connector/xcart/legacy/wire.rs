//! What a shop of 5.0 to 5.4 says, read into Causeway's words (reference/xcart.md 9.3). Pure.
//!
//! Guarantees: as for the API of 5.5; a relation may be an object, `null` or PHP's empty list, and a
//! list may be one or an object with its rows under keys. The members below an order are not in the
//! notes: their names are those of X-Cart's tables, and an address may have its fields beside it or in
//! rows of their own. A password is not read.

use super::statuses::Table;
use crate::{
    connector::{
        loose::{Flag, Text},
        xcart::{
            AddressFields,
            wire::{
                OrderOnPage, WireItem, WireStatus, WireSurcharge, WireTracking, amount, currency,
                some, whole,
            },
        },
    },
    ids::OrderNumber,
    order::{Address, Order},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A relation to one record.
pub(super) struct One<T>(pub(super) Option<T>);

impl<T> Default for One<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Ok(Self(None));
        }
        serde_json::from_str(raw.get()).map(|one| Self(Some(one))).map_err(D::Error::custom)
    }
}

/// A list, however PHP wrote it.
pub(super) struct Rows<T>(pub(super) Vec<T>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        let rows = match raw.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str(raw.get()).map_err(D::Error::custom)?,
            Some(b'{') => {
                let keyed: BTreeMap<String, T> =
                    serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
                let mut keyed: Vec<_> = keyed.into_iter().collect();
                keyed.sort_by_key(|(key, _)| key.parse::<u64>().unwrap_or(u64::MAX));
                keyed.into_iter().map(|(_, row)| row).collect()
            }
            Some(_) | None => Vec::new(),
        };
        Ok(Self(rows))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOrder {
    #[serde(rename = "order_id")]
    id: Text,
    order_number: Text,
    total: Text,
    subtotal: Text,
    #[serde(default)]
    date: Text,
    #[serde(default)]
    last_renew_date: Text,
    #[serde(default, rename = "shipping_method_name")]
    shipping_method_name: Text,
    #[serde(default)]
    notes: Text,
    #[serde(default)]
    tracking: Text,
    #[serde(default)]
    payment_status: One<WireStatus>,
    #[serde(default)]
    shipping_status: One<WireStatus>,
    #[serde(default)]
    profile: One<WireProfile>,
    #[serde(default, rename = "orig_profile")]
    orig_profile: One<WireProfile>,
    #[serde(default)]
    items: Rows<WireItem>,
    #[serde(default)]
    surcharges: Rows<WireSurcharge>,
    #[serde(default)]
    tracking_numbers: Rows<WireTracking>,
    #[serde(default)]
    currency: One<WireCurrency>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireProfile {
    profile_id: Text,
    login: Text,
    addresses: Rows<BTreeMap<String, Box<RawValue>>>,
}

/// The currency of an order or a payment.
#[derive(Deserialize)]
pub(super) struct WireCurrency {
    #[serde(default)]
    pub(super) code: Text,
}

/// An order as far as its own record says it, and what is left to read.
pub(super) struct Read {
    /// Without its addresses.
    pub(super) order: Order,
    /// The copy of the buyer's profile that the order keeps.
    pub(super) profile: Option<u64>,
    /// The addresses that stand in the order itself.
    pub(super) addresses: Vec<Located>,
    /// Which ids the order's statuses have.
    pub(super) statuses: Vec<(Table, String, u64)>,
}

/// An address of an order's profile.
pub(super) struct Located {
    /// Its `address_id`.
    pub(super) id: Option<u64>,
    /// What it is used for.
    pub(super) use_for: Use,
    /// None where its fields must be read by its id.
    pub(super) address: Option<Address>,
}

/// What an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Billing,
    Shipping,
    Both,
    Neither,
}

/// Reads one order; the error says what is wrong with it.
pub(super) fn order(body: &[u8], fields: &AddressFields) -> Result<Read, String> {
    let wire: WireOrder = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let created_s = seconds("date", &wire.date)?;
    let updated_s = seconds("lastRenewDate", &wire.last_renew_date)?.or(created_s);
    let mut statuses = Vec::new();
    let mut status = |table: Table, One(told): One<WireStatus>| {
        let told = told?;
        if let Ok(id) = whole("id of a status", &told.id) {
            statuses.push((table, told.code.0.trim().to_owned(), id));
        }
        told.code()
    };
    let payment_status = status(Table::Payment, wire.payment_status);
    let shipping_status = status(Table::Shipping, wire.shipping_status);
    let profile = wire.profile.0.unwrap_or_default();
    let customer = wire.orig_profile.0.and_then(|profile| id_of(&profile.profile_id));
    let code = wire.currency.0.map(|currency| currency.code).unwrap_or_default();
    let numbers = wire.tracking_numbers.0.into_iter().filter_map(|number| some(number.value));
    let mut tracking: Vec<String> = numbers.collect();
    // Older shops have one number, in a column of the order.
    tracking.extend(some(wire.tracking).filter(|number| !tracking.contains(number)));
    let order = Order {
        id: whole("order_id", &wire.id)?,
        number: OrderNumber::try_from(wire.order_number.0.trim()).map_err(|e| e.to_string())?,
        currency: currency(&code)?,
        total: amount("total", &wire.total)?,
        sub_total: amount("subtotal", &wire.subtotal)?,
        email: profile.login.0.trim().to_owned(),
        customer_id: customer,
        billing: None,
        shipping: None,
        created_s: created_s.or(updated_s).ok_or("it has no date")?,
        updated_s: updated_s.ok_or("it has no date")?,
        payment_status,
        shipping_status,
        shipping_method: some(wire.shipping_method_name),
        notes: wire.notes.0,
        lines: wire.items.0.into_iter().map(WireItem::read).collect::<Result<_, _>>()?,
        surcharges: wire
            .surcharges
            .0
            .into_iter()
            .map(WireSurcharge::read)
            .collect::<Result<_, _>>()?,
        tracking,
    };
    let addresses = profile.addresses.0.iter().map(|raw| located(raw, fields)).collect();
    Ok(Read { order, profile: id_of(&profile.profile_id), addresses, statuses })
}

/// Reads the addresses of a profile.
pub(super) fn profile(body: &[u8], fields: &AddressFields) -> Result<Vec<Located>, String> {
    let profile: WireProfile = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    Ok(profile.addresses.0.iter().map(|raw| located(raw, fields)).collect())
}

/// Reads one address.
pub(super) fn address(body: &[u8], fields: &AddressFields) -> Result<Option<Address>, String> {
    let raw: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(body).map_err(|e| e.to_string())?;
    Ok(located(&raw, fields).address)
}

/// Reads a page of the list of orders; a cart, which has no number, is none. The outer error says that
/// it is no list.
pub(super) fn list(body: &[u8]) -> Result<Vec<OrderOnPage>, String> {
    let rows: Rows<Box<RawValue>> = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    if !matches!(body.trim_ascii().first(), Some(b'[' | b'{')) {
        return Err("it is no list".to_owned());
    }
    Ok(rows.0.iter().filter_map(|raw| entry(raw.get())).collect())
}

/// How many rows a list has, carts included.
pub(super) fn rows(body: &[u8]) -> usize {
    serde_json::from_slice::<Rows<serde::de::IgnoredAny>>(body).map_or(0, |rows| rows.0.len())
}

fn entry(json: &str) -> Option<OrderOnPage> {
    #[derive(Deserialize, Default)]
    #[serde(default, rename_all = "camelCase")]
    struct Handle {
        #[serde(rename = "order_id")]
        id: Text,
        order_number: Text,
        date: Text,
        last_renew_date: Text,
    }
    let Handle { id, order_number, date, last_renew_date } =
        serde_json::from_str(json).unwrap_or_default();
    let (id, number) = (whole("order_id", &id).ok(), order_number.0.trim());
    if id.is_some() && number.is_empty() {
        return None;
    }
    let at = |name: &str, text: &Text| seconds(name, text).ok().flatten();
    let updated_s = at("lastRenewDate", &last_renew_date).or_else(|| at("date", &date));
    if let (Some(id), Ok(number), Some(updated_s)) = (id, number.try_into(), updated_s) {
        return Some(OrderOnPage::Glimpse { id, number, updated_s });
    }
    let why = "its id, its number or its date cannot be read".to_owned();
    Some(OrderOnPage::Unreadable { id, updated_s, why })
}

/// Reads a list of statuses; what cannot be read is none.
pub(super) fn statuses(body: &[u8]) -> Vec<(String, u64)> {
    let rows: Rows<WireStatus> = serde_json::from_slice(body).unwrap_or_default();
    let read = |status: WireStatus| Some((some(status.code)?, whole("id", &status.id).ok()?));
    rows.0.into_iter().filter_map(read).collect()
}

/// Reads the notes for the staff.
pub(super) fn admin_notes(body: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Noted {
        #[serde(default, rename = "adminNotes")]
        notes: Text,
    }
    serde_json::from_slice(body).map(|Noted { notes }| notes.0).map_err(|e| e.to_string())
}

fn located(raw: &BTreeMap<String, Box<RawValue>>, names: &AddressFields) -> Located {
    let flag = |name: &str| {
        let raw = raw.get(name);
        raw.and_then(|raw| serde_json::from_str::<Flag>(raw.get()).ok()).is_some_and(|flag| flag.0)
    };
    let use_for = match (flag("is_billing"), flag("is_shipping")) {
        (true, true) => Use::Both,
        (true, false) => Use::Billing,
        (false, true) => Use::Shipping,
        (false, false) => Use::Neither,
    };
    let id = raw.get("address_id").and_then(|raw| serde_json::from_str(raw.get()).ok());
    Located { id: id.as_ref().and_then(id_of), use_for, address: fields_of(raw, names) }
}

/// Puts an address together; none where its street or its country is not there to be read.
fn fields_of(raw: &BTreeMap<String, Box<RawValue>>, names: &AddressFields) -> Option<Address> {
    let mut all = texts(raw);
    if let Some(rows) = raw.get("addressFields") {
        let Rows(rows): Rows<WireField> = serde_json::from_str(rows.get()).unwrap_or_default();
        for WireField { value, address_field: One(field) } in rows {
            let name = field.map(|field| field.service_name.0).unwrap_or_default();
            all.insert(name, value.0.trim().to_owned());
        }
    }
    let below = |relation: &str, name: &str| {
        let inner: BTreeMap<String, Box<RawValue>> =
            raw.get(relation).and_then(|raw| serde_json::from_str(raw.get()).ok())?;
        texts(&inner).remove(name).filter(|text| !text.is_empty())
    };
    let value = |name: &str| all.get(name).cloned().unwrap_or_default();
    let first = |names: &[String]| {
        let values = names.iter().filter_map(|name| {
            all.iter().find(|(own, text)| own.eq_ignore_ascii_case(name) && !text.is_empty())
        });
        values.map(|(_, text)| text.clone()).next().unwrap_or_default()
    };
    let country = below("country", "code").or_else(|| some(Text(value("country_code"))))?;
    all.get("street")?;
    let state = below("state", "state").or_else(|| some(Text(value("custom_state"))));
    Some(Address {
        company: first(&names.company),
        vat_number: first(&names.vat_number),
        firstname: value("firstname"),
        lastname: value("lastname"),
        phone: value("phone"),
        street: value("street"),
        zipcode: value("zipcode"),
        city: value("city"),
        country_code: country.to_ascii_uppercase(),
        state_name: state.unwrap_or_else(|| value("state_name")),
    })
}

#[derive(Deserialize)]
struct WireField {
    #[serde(default)]
    value: Text,
    #[serde(default, rename = "addressField")]
    address_field: One<WireFieldName>,
}

#[derive(Deserialize)]
struct WireFieldName {
    #[serde(default, rename = "serviceName")]
    service_name: Text,
}

/// The members that are values.
fn texts(raw: &BTreeMap<String, Box<RawValue>>) -> BTreeMap<String, String> {
    let texts = raw.iter().filter_map(|(name, raw)| {
        let Text(text) = serde_json::from_str(raw.get()).ok()?;
        Some((name.clone(), text.trim().to_owned()))
    });
    texts.collect()
}

fn id_of(text: &Text) -> Option<u64> {
    whole("id", text).ok().filter(|id| *id > 0)
}

/// Reads seconds since 1970; 0 and nothing are none.
pub(super) fn seconds(field: &str, Text(text): &Text) -> Result<Option<i64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let read = text.parse::<i64>().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("{field}: {shown:?} is no number of seconds")
    })?;
    Ok(Some(read).filter(|at| *at > 0))
}

#[cfg(test)]
mod tests;
