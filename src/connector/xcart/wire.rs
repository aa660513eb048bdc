//! What the shop says, read into Causeway's words (reference/xcart.md 3.2, 4.2). Pure.
//!
//! Guarantees: amounts are read from the text of their numbers; unknown fields are ignored
//! and nulls are borne; one order that cannot be read never hides the others of its page.

use super::AddressFields;
use crate::{
    amount::Amount,
    connector::loose::{Flag, Text},
    ids::OrderNumber,
    order::{Address, Line, Order, Standing, Surcharge, SurchargeKind},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Iso8601};

/// One entry of a page of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderOnPage {
    /// An order.
    Order(Box<Order>),
    /// An order of which the list says no more than this.
    Glimpse {
        /// Its `order_id`.
        id: u64,
        /// The number the buyer reads.
        number: OrderNumber,
        /// When its row was last saved, in seconds since 1970.
        updated_s: i64,
    },
    /// Something that should be one.
    Unreadable {
        /// Its `order_id`, if that can be read.
        id: Option<u64>,
        /// When its row was last saved, in seconds since 1970, if that can be read.
        updated_s: Option<i64>,
        /// What is wrong with it.
        why: String,
    },
}

impl OrderOnPage {
    /// Returns its internal id, if that can be read.
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Order(order) => Some(order.id),
            Self::Glimpse { id, .. } => Some(*id),
            Self::Unreadable { id, .. } => *id,
        }
    }

    /// Returns when it was last changed, in seconds since 1970, if that can be read.
    pub fn updated_s(&self) -> Option<i64> {
        match self {
            Self::Order(order) => Some(order.updated_s),
            Self::Glimpse { updated_s, .. } => Some(*updated_s),
            Self::Unreadable { updated_s, .. } => *updated_s,
        }
    }
}

/// A list that may be null.
type List<T> = Option<Vec<T>>;

#[derive(Deserialize)]
struct WireOrder {
    id: Text,
    order_number: Text,
    total: Text,
    sub_total: Text,
    #[serde(default)]
    email: Text,
    items: List<WireItem>,
    billing_address: Option<WireAddress>,
    shipping_address: Option<WireAddress>,
    #[serde(default)]
    create_date: Text,
    #[serde(default)]
    update_date: Text,
    payment_status: Option<WireStatus>,
    shipping_status: Option<WireStatus>,
    #[serde(default)]
    customer_id: Text,
    #[serde(default)]
    shipping_method_name: Text,
    #[serde(default)]
    notes: Text,
    currency: Text,
    surcharges: List<WireSurcharge>,
    tracking_numbers: List<WireTracking>,
}

/// A status, in both dialects.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireStatus {
    pub(super) id: Text,
    pub(super) code: Text,
}

/// A tracking number, in both dialects.
#[derive(Deserialize)]
pub(super) struct WireTracking {
    #[serde(default)]
    pub(super) value: Text,
}

/// A line; the older dialect names its columns.
#[derive(Deserialize)]
pub(super) struct WireItem {
    #[serde(alias = "item_id")]
    id: Text,
    #[serde(default)]
    sku: Text,
    #[serde(default)]
    name: Text,
    price: Text,
    amount: Text,
    #[serde(default, alias = "discountedSubtotal")]
    discounted_subtotal: Text,
}

/// A surcharge, in both dialects.
#[derive(Deserialize)]
pub(super) struct WireSurcharge {
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    code: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    include: Flag,
    available: Option<Flag>,
    value: Text,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireAddress {
    is_billing: Flag,
    is_shipping: Flag,
    firstname: Text,
    lastname: Text,
    phone: Text,
    street: Text,
    zipcode: Text,
    city: Text,
    country_code: Text,
    state_name: Text,
    custom_fields: List<WireField>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireField {
    name: Text,
    value: Text,
}

/// Reads one order; the error says what is wrong with it.
pub(super) fn order(json: &str, fields: &AddressFields) -> Result<Order, String> {
    let wire: WireOrder = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let created_s = seconds("create_date", &wire.create_date)?;
    let updated_s = seconds("update_date", &wire.update_date)?.or(created_s);
    let address = |address: WireAddress| address.read(fields);
    Ok(Order {
        id: whole("id", &wire.id)?,
        number: OrderNumber::try_from(wire.order_number.0.trim()).map_err(|e| e.to_string())?,
        currency: currency(&wire.currency)?,
        total: amount("total", &wire.total)?,
        sub_total: amount("sub_total", &wire.sub_total)?,
        email: wire.email.0.trim().to_owned(),
        customer_id: some_whole("customer_id", &wire.customer_id)?,
        billing: wire.billing_address.map(address),
        shipping: wire.shipping_address.map(address),
        created_s: created_s.or(updated_s).ok_or("it has no date")?,
        updated_s: updated_s.ok_or("it has no date")?,
        payment_status: wire.payment_status.and_then(WireStatus::code),
        shipping_status: wire.shipping_status.and_then(WireStatus::code),
        shipping_method: some(wire.shipping_method_name),
        notes: wire.notes.0,
        lines: each(wire.items, WireItem::read)?,
        surcharges: each(wire.surcharges, WireSurcharge::read)?,
        tracking: wire
            .tracking_numbers
            .into_iter()
            .flatten()
            .filter_map(|t| some(t.value))
            .collect(),
    })
}

/// Reads a page of orders; the outer error says that it is no list.
pub(super) fn page(body: &[u8], fields: &AddressFields) -> Result<Vec<OrderOnPage>, String> {
    let entries: Vec<&RawValue> = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let read = |entry: &&RawValue| match order(entry.get(), fields) {
        Ok(order) => OrderOnPage::Order(Box::new(order)),
        Err(why) => unreadable(entry.get(), why),
    };
    Ok(entries.iter().map(read).collect())
}

fn unreadable(json: &str, why: String) -> OrderOnPage {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Handle<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
        #[serde(borrow)]
        update_date: Option<&'a RawValue>,
    }
    let text = |raw: Option<&RawValue>| -> Text {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    };
    let Handle { id, update_date } = serde_json::from_str(json).unwrap_or_default();
    OrderOnPage::Unreadable {
        id: whole("id", &text(id)).ok(),
        updated_s: seconds("update_date", &text(update_date)).ok().flatten(),
        why,
    }
}

impl WireStatus {
    /// Custom statuses may have no code; their id stands in for it (reference/xcart.md 3.3).
    pub(super) fn code(self) -> Option<String> {
        some(self.code).or_else(|| some(self.id))
    }
}

impl WireItem {
    pub(super) fn read(self) -> Result<Line, String> {
        let quantity = whole("amount", &self.amount)?;
        let subtotal = some(self.discounted_subtotal).map(Text);
        let subtotal = subtotal.map(|text| amount("discounted_subtotal", &text)).transpose()?;
        Ok(Line {
            id: whole("id of an item", &self.id)?,
            sku: self.sku.0.trim().to_owned(),
            name: self.name.0,
            price: amount("price", &self.price)?,
            quantity: u32::try_from(quantity)
                .map_err(|_| format!("amount {quantity} is too large"))?,
            discounted_subtotal: subtotal,
        })
    }
}

impl WireSurcharge {
    pub(super) fn read(self) -> Result<Surcharge, String> {
        let kind = match self.kind.0.trim() {
            "tax" => SurchargeKind::Tax,
            "discount" => SurchargeKind::Discount,
            "shipping" => SurchargeKind::Shipping,
            "handling" => SurchargeKind::Handling,
            _ => SurchargeKind::Other,
        };
        let standing = match (self.available.is_none_or(|flag| flag.0), self.include.0) {
            (false, _) => Standing::Off,
            (true, true) => Standing::Included,
            (true, false) => Standing::Added,
        };
        let value = amount("value of a surcharge", &self.value)?;
        Ok(Surcharge { kind, code: self.code.0, name: self.name.0, standing, value })
    }
}

impl WireAddress {
    fn read(self, names: &AddressFields) -> Address {
        let custom = self.custom_fields.unwrap_or_default();
        let first = |names: &[String]| {
            let values = names.iter().flat_map(|name| {
                custom.iter().filter(move |field| field.name.0.eq_ignore_ascii_case(name))
            });
            let mut values = values.map(|field| field.value.0.trim());
            values.find(|value| !value.is_empty()).unwrap_or_default().to_owned()
        };
        let trimmed = |Text(text): Text| text.trim().to_owned();
        Address {
            company: first(&names.company),
            vat_number: first(&names.vat_number),
            firstname: trimmed(self.firstname),
            lastname: trimmed(self.lastname),
            phone: trimmed(self.phone),
            street: trimmed(self.street),
            zipcode: trimmed(self.zipcode),
            city: trimmed(self.city),
            country_code: trimmed(self.country_code).to_ascii_uppercase(),
            state_name: trimmed(self.state_name),
        }
    }
}

/// The addresses of a profile that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressBook {
    /// The one that invoices go to, if one is marked so.
    pub billing: Option<Address>,
    /// The one that goods go to; the first of them where none is marked so.
    pub shipping: Option<Address>,
}

/// Reads the addresses of a profile.
pub(super) fn addresses(body: &[u8], fields: &AddressFields) -> serde_json::Result<AddressBook> {
    let mut book = AddressBook::default();
    let mut first = None;
    for wire in serde_json::from_slice::<Vec<WireAddress>>(body)? {
        let (Flag(bills), Flag(ships)) = (wire.is_billing, wire.is_shipping);
        let address = wire.read(fields);
        if bills && book.billing.is_none() {
            book.billing = Some(address.clone());
        }
        if ships && book.shipping.is_none() {
            book.shipping = Some(address.clone());
        }
        first = first.or(Some(address));
    }
    book.shipping = book.shipping.or(first);
    Ok(book)
}

fn each<W, T>(list: List<W>, read: impl Fn(W) -> Result<T, String>) -> Result<Vec<T>, String> {
    list.into_iter().flatten().map(read).collect()
}

pub(super) fn some(Text(text): Text) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn amount(field: &str, Text(text): &Text) -> Result<Amount, String> {
    Amount::from_json_number(text.trim()).map_err(|e| format!("{field}: {e}"))
}

/// Reads a whole number; PHP may write it as `2.0` or as text.
pub(super) fn whole(field: &str, text: &Text) -> Result<u64, String> {
    let amount = amount(field, text)?;
    let whole = amount.to_mi().parse();
    whole.map_err(|_| format!("{field}: {amount} is not a whole number"))
}

fn some_whole(field: &str, text: &Text) -> Result<Option<u64>, String> {
    if text.0.trim().is_empty() { Ok(None) } else { whole(field, text).map(Some) }
}

pub(super) fn currency(Text(text): &Text) -> Result<String, String> {
    let code = text.trim().to_ascii_uppercase();
    let good = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if good { Ok(code) } else { Err(format!("currency: {code:?} is no ISO 4217 code")) }
}

/// Reads both forms of date: `+0000` on orders, `+00:00` elsewhere. Empty is none.
pub(super) fn seconds(field: &str, Text(text): &Text) -> Result<Option<i64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || format!("{field}: {:?} is not a date", text.chars().take(40).collect::<String>());
    // ISO 8601's basic offset within an extended date is not standard; give it its colon.
    let colon = text.len().checked_sub(5).filter(|at| {
        let tail = text.get(*at..).unwrap_or_default();
        tail.starts_with(['+', '-']) && tail.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    });
    let extended = match colon {
        Some(at) => {
            let (head, tail) = text.split_at_checked(at + 3).ok_or_else(bad)?;
            format!("{head}:{tail}")
        }
        None => text.to_owned(),
    };
    let read = OffsetDateTime::parse(&extended, &Iso8601::DEFAULT).map_err(|_| bad())?;
    Ok(Some(read.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_profiles_addresses_those_count_that_are_marked_and_else_the_first() {
        let address = |street: &str, bills: &str, ships: u8| {
            format!(r#"{{"id":1,"street":"{street}","is_billing":{bills},"is_shipping":{ships}}}"#)
        };
        let table = [
            (vec![], [None, None]),
            (vec![address("a", "false", 0), address("b", "null", 0)], [None, Some("a")]),
            (vec![address("a", "false", 1), address("b", "true", 0)], [Some("b"), Some("a")]),
            (vec![address("a", "true", 1), address("b", "true", 1)], [Some("a"), Some("a")]),
        ];
        for (list, want) in table {
            let body = format!("[{}]", list.join(","));
            let book = addresses(body.as_bytes(), &AddressFields::default()).unwrap();
            let street = |address: Option<Address>| address.map(|address| address.street);
            let got = [street(book.billing), street(book.shipping)];
            assert_eq!(got, want.map(|street| street.map(str::to_owned)), "{body}");
        }
        assert!(addresses(b"<html>", &AddressFields::default()).is_err());
    }

    const FULL: &str = r#"{"id":42,"order_number":"1042","total":0.30000000000000004,"sub_total":1.0e+2,"email":"a@b.example ",
        "items":[{"id":7,"product_id":3,"sku":" TS-M ","update_date":"2024-05-01T12:34:56+00:00","name":"Shirt","price":19.99,
                  "item_net_price":16.8,"discounted_subtotal":39.98,"amount":2,"backordered_amount":0,"surcharges":[],"variant":null},
                 {"id":8,"sku":null,"name":null,"price":5,"amount":"1"}],
        "billing_address":{"id":1,"is_billing":true,"type":"R","title":"Ms","firstname":"Ada ","lastname":"L","phone":"1","street":"S 1",
                  "zipcode":"01067","city":"D","country_code":"de","state":null,"state_name":"","custom_fields":[
                  {"name":"vat_number","value":""},{"name":"Company","value":" ACME "},{"name":"tax_number","value":"DE1"}]},
        "shipping_address":null,"create_date":"2024-05-01T12:34:56+0000","update_date":"2024-05-01T14:34:57+02:00",
        "payment_status":{"id":4,"code":"P","name":"Bezahlt","customer_name":"x"},"shipping_status":null,"customer_id":null,
        "order_profile_id":9,"shipping_id":null,"shipping_method_name":null,"notes":null,"admin_notes":"","currency":"eur",
        "stock_status":"","surcharges":[
          {"id":1,"type":"tax","code":"CDEV.VAT","class":"\\X","include":true,"available":true,"value":6.38,"name":"VAT","weight":0},
          {"id":2,"type":"shipping","code":"SHIPPING","include":false,"available":true,"value":4.9,"name":"DHL"},
          {"id":3,"type":"discount","code":"DCOUPON","include":false,"available":true,"value":-1E-2,"name":null},
          {"id":4,"type":"magic","code":"M","include":true,"available":false,"value":1}],
        "tracking_numbers":[{"id":1,"date":"2024-05-01T12:34:56+0000","value":"00340"},{"id":2,"value":""}],
        "used_coupons":[{"id":1}],"reward_points":{"deep":[[]]}}"#;

    fn read(json: &str) -> Result<Order, String> {
        order(json, &AddressFields::default())
    }

    #[test]
    fn an_order_is_read_exactly_with_nulls_and_unknown_fields() {
        let got = read(FULL).unwrap();
        assert_eq!((got.id, got.number.as_str(), got.currency.as_str()), (42, "1042", "EUR"));
        assert_eq!(
            (got.total.to_mi(), got.sub_total.to_mi()),
            ("0.3".to_owned(), "100".to_owned())
        );
        assert_eq!((got.created_s, got.updated_s), (1_714_566_896, 1_714_566_897));
        assert_eq!(got.payment_status.as_deref(), Some("P"));
        assert_eq!((got.shipping_status, got.customer_id, got.shipping), (None, None, None));
        let lines: Vec<_> = got.lines.iter().map(|l| (l.sku.as_str(), l.quantity)).collect();
        assert_eq!(lines, [("TS-M", 2), ("", 1)]);
        assert_eq!(got.lines[0].discounted_subtotal.unwrap().to_mi(), "39.98");
        let billing = got.billing.unwrap();
        let told =
            [&billing.firstname, &billing.company, &billing.vat_number, &billing.country_code];
        assert_eq!(told, ["Ada", "ACME", "DE1", "DE"]);
        let surcharges = got.surcharges.iter().map(|s| (s.kind, s.standing, s.value.to_mi()));
        let want = [
            (SurchargeKind::Tax, Standing::Included, "6.38".to_owned()),
            (SurchargeKind::Shipping, Standing::Added, "4.9".to_owned()),
            (SurchargeKind::Discount, Standing::Added, "-0.01".to_owned()),
            (SurchargeKind::Other, Standing::Off, "1".to_owned()),
        ];
        assert_eq!(surcharges.collect::<Vec<_>>(), want);
        assert_eq!(got.tracking, ["00340"]);
    }

    #[test]
    fn a_bare_order_is_enough() {
        let bare = r#"{"id":"1","order_number":7,"total":"5.50","sub_total":5,"items":null,"currency":"USD",
            "update_date":"2024-05-01T12:34:56Z","shipping_status":{"id":17,"code":null}}"#;
        let got = read(bare).unwrap();
        assert_eq!((got.id, got.number.as_str(), got.total.to_mi()), (1, "7", "5.5".to_owned()));
        assert_eq!((got.created_s, got.shipping_status.as_deref()), (1_714_566_896, Some("17")));
        assert!(got.lines.is_empty() && got.notes.is_empty());
    }

    #[test]
    fn what_would_be_a_guess_is_refused_with_its_field() {
        let table = [
            (r#""id":42"#, r#""id":-1"#, "id: -1 is not a whole number"),
            (r#""order_number":"1042""#, r#""order_number":"""#, "order number is empty"),
            (r#""total":0.30000000000000004"#, r#""total":null"#, "total: \"\" is not a number"),
            (r#""total":0.30000000000000004,"#, "", "missing field `total`"),
            (r#""amount":2,"#, r#""amount":1.5,"#, "amount: 1.5 is not a whole number"),
            (r#""amount":2,"#, r#""amount":5000000000,"#, "amount 5000000000 is too large"),
            (r#""price":19.99"#, r#""price":{}"#, "a value is expected"),
            (r#""price":19.99"#, r#""price":"1,5""#, "price: \"1,5\" is not a number"),
            (r#""currency":"eur""#, r#""currency":"EURO""#, "currency: \"EURO\" is no"),
            ("2024-05-01T14:34:57+02:00", "yesterday", "update_date: \"yesterday\" is not a date"),
            (r#""customer_id":null"#, r#""customer_id":"x""#, "customer_id: \"x\" is not a number"),
        ];
        for (from, to, want) in table {
            assert!(FULL.contains(from), "{from}");
            let fault = read(&FULL.replacen(from, to, 1)).unwrap_err();
            assert!(fault.contains(want), "{fault}");
        }
    }

    #[test]
    fn one_unreadable_order_does_not_hide_its_page() {
        let broken = r#"{"id":43,"order_number":"1043","update_date":"2024-05-01T12:34:56+0000"}"#;
        let body = format!("[{FULL},{broken},null,7,{{\"id\":[]}},{FULL}]");
        let page = page(body.as_bytes(), &AddressFields::default()).unwrap();
        let told: Vec<_> = page
            .iter()
            .map(|entry| match entry {
                OrderOnPage::Order(order) => (Some(order.id), None, true),
                OrderOnPage::Glimpse { .. } => panic!("a page of 5.5 has whole orders"),
                OrderOnPage::Unreadable { id, updated_s, why } => {
                    assert!(!why.is_empty());
                    (*id, *updated_s, false)
                }
            })
            .collect();
        let none = (None, None, false);
        let full = (Some(42), None, true);
        assert_eq!(told, [full, (Some(43), Some(1_714_566_896), false), none, none, none, full]);
        for body in ["{}", "<html>", "", "[1"] {
            assert!(super::page(body.as_bytes(), &AddressFields::default()).is_err(), "{body}");
        }
    }

    #[test]
    fn both_forms_of_date_are_read() {
        let table = [
            ("2024-05-01T12:34:56+0000", Ok(Some(1_714_566_896))),
            ("2024-05-01T12:34:56+00:00", Ok(Some(1_714_566_896))),
            ("2024-05-01T08:04:56-0430", Ok(Some(1_714_566_896))),
            ("2024-05-01T12:34:56Z", Ok(Some(1_714_566_896))),
            ("2024-05-01T12:34:56.789+00:00", Ok(Some(1_714_566_896))),
            ("", Ok(None)),
            ("2024-05-01", Err(())),
            ("1714566896", Err(())),
            ("2024-13-01T12:34:56+0000", Err(())),
            ("é-0000", Err(())),
        ];
        for (text, want) in table {
            let got = seconds("d", &Text(text.to_owned())).map_err(|_| ());
            assert_eq!(got, want, "{text}");
        }
    }
}
