//! How a call of the add-on is written (reference/xcart.md 9.1). Pure.
//!
//! Guarantees: there is no DELETE, which without an id would delete **everything** of its kind; a
//! change names one record; what is logged holds no key; a look can be nothing but a look.

use crate::connector::loose::encode;
use std::fmt::Display;

/// Where the add-on answers, below the shop's address.
pub(in crate::connector::xcart) const PATH: &str = "/admin.php";
/// The same for somebody without a key.
pub(in crate::connector::xcart) const STRANGER: &str = "/admin.php?target=RESTAPI";
/// The form of what is written: each version of the add-on reads it.
pub(in crate::connector::xcart) const FORM: &str = "application/x-www-form-urlencoded";

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    List,
    Read(u64),
    Make,
    Change(u64),
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::connector::xcart) struct Call {
    entity: String,
    deed: Deed,
    conditions: Vec<(String, String)>,
    model: Vec<(String, String)>,
}

impl Call {
    fn new(entity: &str, deed: Deed) -> Self {
        Self { entity: entity.to_owned(), deed, conditions: Vec::new(), model: Vec::new() }
    }

    /// Lists records, without their relations.
    pub(in crate::connector::xcart) fn list(entity: &str) -> Self {
        Self::new(entity, Deed::List)
    }

    /// Reads one record.
    pub(in crate::connector::xcart) fn read(entity: &str, id: u64) -> Self {
        Self::new(entity, Deed::Read(id))
    }

    /// Makes one record.
    pub(in crate::connector::xcart) fn make(entity: &str) -> Self {
        Self::new(entity, Deed::Make)
    }

    /// Changes one record; what is not named stays.
    pub(in crate::connector::xcart) fn change(entity: &str, id: u64) -> Self {
        Self::new(entity, Deed::Change(id))
    }

    /// Narrows a list: `date][0` stands for `_cnd[date][0]`.
    pub(in crate::connector::xcart) fn only(mut self, name: &str, value: impl Display) -> Self {
        self.conditions.push((format!("_cnd[{name}]"), value.to_string()));
        self
    }

    /// A part of a list.
    pub(in crate::connector::xcart) fn page(self, from: usize, len: usize) -> Self {
        self.only("limit][0", from).only("limit][1", len)
    }

    /// Writes a member: `order][order_id` stands for `model[order][order_id]`.
    pub(in crate::connector::xcart) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.model.push((format!("model[{name}]"), value.to_string()));
        self
    }

    /// Returns its entity.
    pub(super) fn entity(&self) -> &str {
        &self.entity
    }

    /// Whether it is about one record that is there, or should be.
    pub(super) const fn names_a_record(&self) -> bool {
        matches!(self.deed, Deed::Read(_) | Deed::Change(_))
    }

    /// Whether it changes something.
    pub(super) const fn writes(&self) -> bool {
        matches!(self.deed, Deed::Make | Deed::Change(_))
    }

    /// Returns the query without the key; the error says why it is not sent.
    pub(in crate::connector::xcart) fn target(&self) -> Result<String, &'static str> {
        let entity = &self.entity;
        let (path, method) = match self.deed {
            Deed::Read(0) | Deed::Change(0) => return Err("a record is named by its number"),
            Deed::List => (entity.clone(), ""),
            Deed::Read(id) => (format!("{entity}/{id}"), ""),
            Deed::Make => (format!("{entity}/0"), "&_method=post"),
            Deed::Change(id) => (format!("{entity}/{id}"), "&_method=put"),
        };
        let conditions = pairs(&self.conditions);
        let and = if conditions.is_empty() { "" } else { "&" };
        Ok(format!("target=RESTAPI&_path={path}{method}{and}{conditions}"))
    }

    /// Returns what is written; none for a call that reads.
    pub(in crate::connector::xcart) fn form(&self) -> Option<String> {
        self.writes().then(|| pairs(&self.model))
    }
}

fn pairs(pairs: &[(String, String)]) -> String {
    let written = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    written.collect::<Vec<_>>().join("&")
}

/// Reads what somebody wants to look at: `/order/5`, `/order?_cnd[email]=x`. The error says what is
/// wrong with it.
pub(in crate::connector::xcart) fn look(target: &str) -> Result<Call, &'static str> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_matches('/');
    let (entity, id) = path.split_once('/').unwrap_or((path, ""));
    let named = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if entity.is_empty() || !named(entity) {
        return Err("write an entity of the shop and its number, such as /order/5");
    }
    let mut call = match id {
        "" => Call::list(entity),
        id => Call::read(entity, id.parse().map_err(|_| "the number of a record has digits only")?),
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // Any other could be a verb, a schema or another place.
        let name = name.strip_prefix("_cnd[").and_then(|name| name.strip_suffix(']'));
        call = call.only(name.ok_or("a shop of 5.0 to 5.4 is asked by _cnd[…] only")?, value);
    }
    Ok(call)
}

/// Takes out what a shop shows of a password (reference/xcart.md 9.3).
pub(in crate::connector::xcart) fn without_passwords(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| !name.to_ascii_lowercase().contains("password"));
            fields.values_mut().for_each(without_passwords);
        }
        serde_json::Value::Array(rows) => rows.iter_mut().for_each(without_passwords),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_written_as_every_version_of_the_add_on_reads_them() {
        let table = [
            (Call::read("order", 5), "target=RESTAPI&_path=order/5", None),
            (
                Call::list("order").only("date][0", -1).page(0, 200),
                "target=RESTAPI&_path=order&_cnd%5Bdate%5D%5B0%5D=-1&_cnd%5Blimit%5D%5B0%5D=0&_cnd%5Blimit%5D%5B1%5D=200",
                None,
            ),
            (
                Call::make("ordertrackingnumber").with("value", "a&b").with("order][order_id", 7),
                "target=RESTAPI&_path=ordertrackingnumber/0&_method=post",
                Some("model%5Bvalue%5D=a%26b&model%5Border%5D%5Border_id%5D=7"),
            ),
            (
                Call::change("product", 9).with("amount", 3),
                "target=RESTAPI&_path=product/9&_method=put",
                Some("model%5Bamount%5D=3"),
            ),
        ];
        for (call, target, form) in table {
            assert_eq!(call.target().as_deref(), Ok(target));
            assert_eq!(call.form().as_deref(), form);
        }
        for nobody in [Call::read("order", 0), Call::change("order", 0)] {
            assert!(nobody.target().is_err(), "{nobody:?}");
        }
    }

    #[test]
    fn a_look_is_never_anything_else() {
        let table = [
            ("/order/5", Some("_path=order/5")),
            ("/order", Some("_path=order")),
            (
                "/xc-productvariants-productvariant/7",
                Some("_path=xc-productvariants-productvariant/7"),
            ),
            ("/order?_cnd[email]=a%26b", Some("_path=order&_cnd%5Bemail%5D=a%26b")),
            ("/order?_method=delete", None),
            ("/order?%5Fmethod=delete", None),
            ("/order?+_method=delete", None),
            ("/order?.method=delete", None),
            ("/order?_cnd[x]=1&_method=delete", None),
            ("/order?_schema=complex", None),
            ("/order/0", None),
            ("/order/5/items", None),
            ("/order&_method=delete", None),
            ("/order/5&_method=delete", None),
            ("/", None),
        ];
        for (path, want) in table {
            let got = look(path).and_then(|call| call.target());
            let want = want.map(|want| format!("target=RESTAPI&{want}"));
            assert_eq!(got.ok(), want, "{path}");
        }
    }

    #[test]
    fn passwords_are_taken_out_wherever_they_are() {
        let mut found = serde_json::json!({"login": "a", "password": "h", "profile": [{"passwordHash": "h", "id": 1}]});
        without_passwords(&mut found);
        assert_eq!(found, serde_json::json!({"login": "a", "profile": [{"id": 1}]}));
    }
}
