//! Profiles: the customers, the guests and the admin (reference/xcart.md 4).
//!
//! Guarantees: a login is unique among accounts; a PUT is a merge; passwords are never shown;
//! the last admin cannot be deleted; the profile copies of orders are not among them.

use super::{
    address::{Address, Roles},
    address_calls::address_fields,
    call::Call,
    dates::{parse, rfc3339},
    fields::{Field, Kind, blank, field, merge},
    options::Quirks,
    outcome::{Outcome, Page},
    refusal::Refusal,
    route::Verb,
    seed,
    world::World,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const CLASS: &str = "XLite\\API\\Endpoint\\Profile\\DTO\\Input";
const ADMIN: u64 = 100;
const LOGIN_LEN_MIN: usize = 5;
const PASSWORD_LEN_MIN: usize = 8;
const PASSWORD_LEN_MAX: usize = 128;
/// Between the first address of a profile and that of the next.
const ADDRESSES_OF_ONE: u64 = 100;

const SCHEMA: [Field; 11] = [
    field("login", Kind::Text { min: LOGIN_LEN_MIN, max: 128 }),
    field("password", Kind::NullableText),
    field("access_level", Kind::OneOf(&[0, ADMIN])),
    field("status", Kind::Word(&["E", "D"])),
    field("status_comment", Kind::Text { min: 0, max: 255 }),
    field("referer", Kind::Text { min: 0, max: 255 }),
    field("language", Kind::Text { min: 0, max: 2 }),
    field("membership_id", Kind::NullableInt),
    field("pending_membership_id", Kind::NullableInt),
    field("force_change_password", Kind::Bool),
    field("role_ids", Kind::List),
];

/// A profile.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    id: u64,
    fields: Map<String, Value>,
    pub(crate) addresses: BTreeMap<u64, Map<String, Value>>,
    created_s: i64,
    logged_in_s: Option<i64>,
    anonymous: bool,
}

impl Profile {
    /// A guest's profile.
    pub(crate) fn new(id: u64, login: &str, created_s: i64) -> Self {
        let mut fields = defaults();
        fields.insert("login".to_owned(), json!(login));
        let addresses = BTreeMap::new();
        Self { id, fields, addresses, created_s, logged_in_s: None, anonymous: true }
    }

    /// As the API shows it.
    pub(crate) fn wire(&self) -> Value {
        let mut whole = Map::new();
        whole.insert("id".to_owned(), json!(self.id));
        whole.extend(self.fields.clone());
        whole.remove("password");
        whole.insert("create_date".to_owned(), json!(rfc3339(self.created_s)));
        let logged_in = self.logged_in_s.map(rfc3339);
        whole.insert("first_login_date".to_owned(), json!(logged_in));
        whole.insert("last_login_date".to_owned(), json!(logged_in));
        Value::Object(whole)
    }

    /// The same in a shop with these quirks.
    fn shown(&self, quirks: &Quirks) -> Value {
        let mut whole = self.wire();
        if let (true, Value::Object(fields)) = (quirks.marks_guests, &mut whole) {
            fields.insert("anonymous".to_owned(), json!(self.anonymous));
        }
        whole
    }

    pub(crate) fn login(&self) -> &str {
        self.fields.get("login").and_then(Value::as_str).unwrap_or_default()
    }

    fn is_admin(&self) -> bool {
        self.fields.get("access_level") == Some(&json!(ADMIN))
    }
}

fn defaults() -> Map<String, Value> {
    let value = json!({
        "login": "", "access_level": 0, "status": "E", "status_comment": "", "referer": "",
        "language": "en", "membership_id": null, "pending_membership_id": null,
        "force_change_password": false, "role_ids": [], "gdpr_consent": true,
    });
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// The admin and the customers a new shop has.
pub(crate) fn register_customers(world: &mut World, customers: u64) {
    let now_s = world.now_s();
    let mut dice = world.dice.fork("profiles");
    let mut admin = Profile::new(1, "admin@shop.example", now_s - 400 * 86_400);
    admin.anonymous = false;
    admin.fields.insert("access_level".to_owned(), json!(ADMIN));
    world.profiles.insert(1, admin);
    for id in 2..2 + customers {
        let login = format!("customer.{id}@example.org");
        let mut profile = Profile::new(id, &login, now_s - i64::try_from(id).unwrap_or(0) * 86_400);
        profile.anonymous = false;
        profile.logged_in_s = dice.permille(700).then_some(now_s - 3_600);
        for at in 0..dice.below(3) {
            let roles = Roles { billing: at == 0, shipping: true, work: false };
            let own = id * ADDRESSES_OF_ONE + at;
            let address = seed::address(&mut dice).wire(own, roles);
            profile.addresses.insert(own, address_fields(address));
        }
        world.profiles.insert(id, profile);
        world.accounts.push((id, login));
    }
}

/// Somebody in the back office changes a field of a profile.
pub(crate) fn set(world: &mut World, id: u64, field: &str, value: Value) {
    if let Some(profile) = world.profiles.get_mut(&id) {
        profile.fields.insert(field.to_owned(), value);
    }
}

/// Somebody opens an account.
pub(crate) fn add(world: &mut World, login: &str) -> u64 {
    let (id, now_s) = (world.fresh_id(), world.now_s());
    let mut profile = Profile::new(id, login, now_s);
    profile.anonymous = false;
    // Who registers is logged in by that [I].
    profile.logged_in_s = Some(now_s);
    world.accounts.push((id, login.to_owned()));
    world.profiles.insert(id, profile);
    world.tell_profile(id, "customer.created");
    id
}

/// A customer gives a profile an address, or changes the one it gave.
pub(crate) fn set_address(world: &mut World, id: u64, address: &Address) {
    let roles = Roles { billing: true, shipping: true, work: false };
    let own = id * ADDRESSES_OF_ONE;
    if let Some(profile) = world.profiles.get_mut(&id) {
        profile.addresses.insert(own, address_fields(address.wire(own, roles)));
    }
    world.tell_profile(id, "customer.updated");
}

/// `GET` and `POST /api/profiles`.
pub(crate) fn many(world: &mut World, call: &Call, verb: Verb) -> Result<Outcome, Refusal> {
    if verb == Verb::Post {
        return make(world, call);
    }
    let login = call.query.get("login").unwrap_or_default().to_lowercase();
    let free = call.query.get("searchFakeField").unwrap_or_default().to_lowercase();
    let within = |name: &str, at_s: i64| {
        call.query.keyed(name).iter().all(|(bound, text)| {
            match (*bound, parse(text, world.now_s())) {
                ("after", Some(s)) => at_s >= s,
                ("before", Some(s)) => at_s <= s,
                ("strictly_after", Some(s)) => at_s > s,
                ("strictly_before", Some(s)) => at_s < s,
                _ => true,
            }
        })
    };
    let profiles: Vec<&Profile> = world
        .profiles
        .values()
        .filter(|profile| {
            let name = profile.login().to_lowercase();
            name.contains(&login)
                && name.contains(&free)
                && within("added", profile.created_s)
                && within("first_login", profile.logged_in_s.unwrap_or(0))
        })
        .collect();
    Ok(Outcome::Page(
        "Profile",
        Page::cut(call, &profiles, |profile| profile.shown(&world.quirks))?,
    ))
}

fn make(world: &mut World, call: &Call) -> Result<Outcome, Refusal> {
    let sent = call.input()?;
    let (id, now_s) = (world.fresh_id(), world.now_s());
    let mut profile = Profile::new(id, "", now_s);
    profile.anonymous = false;
    check(&mut profile, &sent)?;
    if sent.get("login").is_none() {
        return Err(Refusal::Bad(blank(CLASS, "login")));
    }
    let taken = |other: &Profile| !other.anonymous && other.login() == profile.login();
    if world.profiles.values().any(taken) {
        return Err(Refusal::Bad("Field \"login\" must be unique".to_owned()));
    }
    let value = profile.wire();
    world.accounts.push((id, profile.login().to_owned()));
    world.profiles.insert(id, profile);
    world.tell_profile(id, "customer.created");
    Ok(Outcome::Made("Profile", value))
}

fn check(profile: &mut Profile, sent: &Value) -> Result<(), Refusal> {
    merge(CLASS, &SCHEMA, &mut profile.fields, sent)?;
    let length = |text: &str| text.chars().count();
    let password = sent.get("password").and_then(Value::as_str).map(length);
    if password.is_some_and(|length| !(PASSWORD_LEN_MIN..=PASSWORD_LEN_MAX).contains(&length)) {
        return Err(Refusal::Bad(format!(
            "Object({CLASS}).password:\n    This value should have between {PASSWORD_LEN_MIN} and \
             {PASSWORD_LEN_MAX} characters.\n"
        )));
    }
    if sent.get("login").is_some() && !profile.login().contains('@') {
        return Err(Refusal::Bad(format!(
            "Object({CLASS}).login:\n    This value is not a valid email address. \
             (code bd79c0ab-ddba-46cc-a703-a7a4b08de310)\n"
        )));
    }
    Ok(())
}

/// `GET`, `PUT` and `DELETE /api/profiles/{id}`.
pub(crate) fn one(
    world: &mut World,
    call: &Call,
    (id, verb): (u64, Verb),
) -> Result<Outcome, Refusal> {
    let Some(profile) = world.profiles.get(&id) else { return Err(Refusal::NotFound) };
    match verb {
        Verb::Get | Verb::Post => Ok(Outcome::One("Profile", profile.shown(&world.quirks))),
        Verb::Put => {
            let (mut changed, sent) = (profile.clone(), call.input()?);
            let required =
                ["login", "password"].into_iter().filter(|_| world.quirks.strict_profiles);
            if let Some(name) = required.into_iter().find(|name| sent.get(*name).is_none()) {
                return Err(Refusal::Bad(blank(CLASS, name)));
            }
            check(&mut changed, &sent)?;
            let value = changed.wire();
            if let Some(account) = world.accounts.iter_mut().find(|account| account.0 == id) {
                changed.login().clone_into(&mut account.1);
            }
            world.profiles.insert(id, changed);
            world.tell_profile(id, "customer.updated");
            Ok(Outcome::One("Profile", value))
        }
        Verb::Delete => {
            let admins = world.profiles.values().filter(|other| other.is_admin()).count();
            if profile.is_admin() && admins == 1 {
                return Err(Refusal::Bad("Cannot remove the last admin profile".to_owned()));
            }
            world.profiles.remove(&id);
            world.accounts.retain(|account| account.0 != id);
            // An order keeps its own copy but loses the link.
            for order in world.orders.values_mut().filter(|order| order.customer_id == Some(id)) {
                order.customer_id = None;
            }
            Ok(Outcome::Gone)
        }
    }
}
