//! An address as profiles and orders hold it (reference/xcart.md 4.2). Pure.

use serde_json::{Value, json};

/// An address. There is no company field and no state code in the shop's core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Title, e.g. `Ms.`.
    pub title: String,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// Phone.
    pub phone: String,
    /// One line.
    pub street: String,
    /// Zip code, at most 32 characters.
    pub zipcode: String,
    /// City.
    pub city: String,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
    /// The shop's own number of the state.
    pub state: Option<u64>,
    /// The state's name.
    pub state_name: String,
    /// Whether it is a company's.
    pub commercial: bool,
    /// Additional fields by service name.
    pub custom_fields: Vec<(String, String)>,
}

impl Address {
    /// A plain German address.
    pub fn simple() -> Self {
        Self {
            title: "Ms.".to_owned(),
            firstname: "Anna".to_owned(),
            lastname: "Müller".to_owned(),
            phone: "+49 89 1234567".to_owned(),
            street: "Hauptstraße 1".to_owned(),
            zipcode: "80331".to_owned(),
            city: "München".to_owned(),
            country_code: "DE".to_owned(),
            state: None,
            state_name: String::new(),
            commercial: false,
            custom_fields: Vec::new(),
        }
    }

    /// As the API shows it.
    pub(crate) fn wire(&self, id: u64, roles: Roles) -> Value {
        let fields: Vec<Value> = self
            .custom_fields
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        json!({
            "id": id,
            "is_billing": roles.billing,
            "is_shipping": roles.shipping,
            "is_work": roles.work,
            "type": if self.commercial { "C" } else { "R" },
            "title": self.title,
            "firstname": self.firstname,
            "lastname": self.lastname,
            "phone": self.phone,
            "street": self.street,
            "zipcode": self.zipcode,
            "city": self.city,
            "country_code": self.country_code,
            "state": self.state,
            "state_name": self.state_name,
            "custom_fields": fields,
        })
    }
}

/// What an address is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) billing: bool,
    pub(crate) shipping: bool,
    pub(crate) work: bool,
}
