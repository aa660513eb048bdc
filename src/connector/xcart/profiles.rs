//! Profiles of the shop: who may buy, read by pages, written by what changed (reference/xcart.md 4.1).
//!
//! Guarantees: a write names only what changes, and the login, which the shop wants to hear; it is
//! absolute, so it may be repeated; the password is never touched; a profile that cannot be read never
//! hides the others of its page, and whose rank cannot be read is nobody's customer.

use super::{
    problem::{self, Missing},
    rest::{PAGE_LEN, Shop},
    wire::{self as orders, AddressBook},
};
use crate::connector::{
    Class, Failure, Fate, Kind,
    http::Answer,
    loose::{Flag, Text},
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// Pages of memberships; a shop that has more does not turn them.
const MEMBERSHIP_PAGES_MAX: u32 = 20;

/// A profile as the shop shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// X-Cart's id of it.
    pub id: u64,
    /// The e-mail address it logs in with, as the shop has it.
    pub login: String,
    /// Whose profile it is.
    pub rank: Rank,
    /// Whether it may log in.
    pub status: Status,
    /// What the staff noted about that.
    pub comment: String,
    /// Its membership.
    pub membership: Belongs,
    /// Whether somebody has an account behind it.
    pub account: Account,
}

/// Whether somebody has an account behind a profile. X-Cart may list the profiles of guests, too, and does
/// not say so of each of them (reference/xcart.md 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// Somebody has logged in.
    Used,
    /// Nobody ever has: it is a guest's, or the staff made it.
    Unused,
    /// The shop says that it is a guest's.
    Guest,
}

/// Whose profile it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rank {
    /// A customer's: `access_level` 0.
    Customer,
    /// Somebody's who works on the shop.
    Staff,
}

/// To which membership a profile belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Belongs {
    /// To none.
    #[default]
    Nowhere,
    /// To the one with this id.
    To(u64),
}

impl Belongs {
    /// As the shop writes it.
    fn wire(self) -> Value {
        match self {
            Self::Nowhere => Value::Null,
            Self::To(id) => Value::from(id),
        }
    }
}

/// Whether a profile may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// It may.
    #[serde(rename = "E")]
    Enabled,
    /// It may not.
    #[serde(rename = "D")]
    Disabled,
}

impl Status {
    /// Returns the shop's letter for it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Enabled => "E",
            Self::Disabled => "D",
        }
    }
}

/// One entry of a list of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It can be read.
    Shown(Shown),
    /// It cannot.
    Unreadable {
        /// Its id, if that can be read.
        id: Option<u64>,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// What is to be changed of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Whether it may log in from now on.
    pub status: Option<Status>,
    /// What the staff is to read about that.
    pub comment: Option<String>,
    /// Its membership from now on.
    pub membership: Option<Belongs>,
}

/// A membership of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// X-Cart's id of it.
    pub id: u64,
    /// Its name in the shop's default language.
    pub name: String,
    /// Whether the shop uses it.
    pub enabled: bool,
}

#[derive(Deserialize)]
struct WireProfile {
    id: Text,
    #[serde(default)]
    login: Text,
    #[serde(default)]
    access_level: Text,
    #[serde(default)]
    status: Text,
    #[serde(default)]
    status_comment: Text,
    #[serde(default)]
    membership_id: Text,
    #[serde(default)]
    first_login_date: Text,
    #[serde(default)]
    last_login_date: Text,
    #[serde(default)]
    anonymous: Flag,
}

#[derive(Deserialize)]
struct WireMembership {
    id: Text,
    #[serde(default)]
    name: Text,
    enabled: Option<bool>,
}

/// The members that change; what is none is not sent, and stays.
#[derive(Serialize)]
struct WireChange<'a> {
    login: &'a str,
    /// Null keeps it; sent only to a shop that wants to hear of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership_id: Option<Value>,
}

impl Shop {
    /// Reads one page of profiles in the order of their ids, from page 1. It is the last one when
    /// it is shorter than [`PAGE_LEN`].
    pub async fn profiles(&self, page: u32) -> Result<Vec<Entry>, Failure> {
        let answer = self.get(&format!("/profiles?itemsPerPage={PAGE_LEN}&page={page}")).await?;
        list(&answer.body)
    }

    /// Reads one profile; none if there is no such profile.
    pub async fn profile(&self, id: u64) -> Result<Option<Entry>, Failure> {
        let answer = self.found(&format!("/profiles/{id}")).await?;
        answer.map(|answer| one(&answer.body)).transpose()
    }

    /// Reads a record; none if there is no such record.
    async fn found(&self, target: &str) -> Result<Option<Answer>, Failure> {
        let answer = self.send(Method::GET, target, None::<&()>).await;
        let answer = answer.and_then(|answer| match answer.status {
            404 if problem::missing(&answer) == Missing::Record => Ok(None),
            _ => super::rest::success(answer).map(Some),
        });
        answer.map_err(|failure| failure.of_kind(Kind::Read))
    }

    /// Reads the addresses of a profile that count, of the first [`PAGE_LEN`] (reference/xcart.md 4.2);
    /// none if there is no such profile.
    pub async fn address_book(&self, id: u64) -> Result<Option<AddressBook>, Failure> {
        let target = format!("/profiles/{id}/addresses?itemsPerPage={PAGE_LEN}");
        let Some(answer) = self.found(&target).await? else { return Ok(None) };
        let read = orders::addresses(&answer.body, self.address_fields());
        read.map(Some).map_err(|fault| broken("addresses", &fault))
    }

    /// Writes what changed, with the login as it was just read. Absolute: after an unknown fate it is
    /// looked at and, if need be, sent again. Returns the profile as the shop has it now.
    pub async fn change_profile(
        &self,
        id: u64,
        login: &str,
        change: &Change,
    ) -> Result<Shown, Failure> {
        match self.put_profile(id, &wire(login, change, None)).await {
            // Whether a PUT without a password keeps it is not known of every shop; null does.
            Err(failure) if failure.fate == Fate::Refused && failure.text.contains("password") => {
                self.put_profile(id, &wire(login, change, Some(()))).await
            }
            done => done,
        }
    }

    async fn put_profile(&self, id: u64, change: &WireChange<'_>) -> Result<Shown, Failure> {
        let answer = self.send(Method::PUT, &format!("/profiles/{id}"), Some(change)).await;
        let answer = answer.and_then(super::rest::success)?;
        match one(&answer.body) {
            Ok(Entry::Shown(shown)) if shown.id == id => Ok(shown),
            Ok(Entry::Shown(_) | Entry::Unreadable { .. }) | Err(_) => {
                let text = "the shop's answer to the change of a profile cannot be read";
                Err(Failure::new(Fate::Unknown, Class::Broken, text))
            }
        }
    }

    /// Reads the memberships of the shop.
    pub async fn memberships(&self) -> Result<Vec<Membership>, Failure> {
        let mut all = Vec::new();
        for page in 1..=MEMBERSHIP_PAGES_MAX {
            let target = format!("/memberships?itemsPerPage={PAGE_LEN}&page={page}");
            let answer = self.get(&target).await?;
            let found: Vec<WireMembership> = serde_json::from_slice(&answer.body)
                .map_err(|fault| broken("memberships", &fault))?;
            let is_last = found.len() < PAGE_LEN;
            all.extend(found.into_iter().filter_map(|wire| {
                let (id, name) = (wire.id.0.trim().parse().ok()?, wire.name.0.trim().to_owned());
                Some(Membership { id, name, enabled: wire.enabled != Some(false) })
            }));
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}

fn wire<'a>(login: &'a str, change: &'a Change, password: Option<()>) -> WireChange<'a> {
    WireChange {
        login,
        password,
        status: change.status.map(Status::letter),
        status_comment: change.comment.as_deref(),
        membership_id: change.membership.map(Belongs::wire),
    }
}

fn broken(what: &str, fault: &serde_json::Error) -> Failure {
    let text = format!("the shop's list of {what} cannot be read: {fault}");
    Failure::new(Fate::NotDone, Class::Broken, &text)
}

fn list(body: &[u8]) -> Result<Vec<Entry>, Failure> {
    let entries: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|fault| broken("profiles", &fault))?;
    Ok(entries.into_iter().map(|raw| entry(raw.get())).collect())
}

fn one(body: &[u8]) -> Result<Entry, Failure> {
    let raw: &RawValue =
        serde_json::from_slice(body).map_err(|fault| broken("profiles", &fault))?;
    Ok(entry(raw.get()))
}

/// Reads a profile. What the shop says of it may be somebody's address, so it is in no message.
fn entry(text: &str) -> Entry {
    let Ok(wire) = serde_json::from_str::<WireProfile>(text) else {
        return Entry::Unreadable { id: None, why: "it is no profile" };
    };
    let Ok(id) = wire.id.0.trim().parse::<u64>() else {
        return Entry::Unreadable { id: None, why: "its id is no number" };
    };
    let unreadable = |why: &'static str| Entry::Unreadable { id: Some(id), why };
    let rank = match wire.access_level.0.trim().parse::<u64>() {
        Ok(0) => Rank::Customer,
        Ok(_) => Rank::Staff,
        Err(_) => return unreadable("its access_level is no number"),
    };
    let status = match wire.status.0.trim() {
        "E" => Status::Enabled,
        "D" => Status::Disabled,
        _ => return unreadable("its status is neither E nor D"),
    };
    let membership = match wire.membership_id.0.trim() {
        "" | "0" => Belongs::Nowhere,
        text => match text.parse() {
            Ok(id) => Belongs::To(id),
            Err(_) => return unreadable("its membership_id is no number"),
        },
    };
    let never_in = [&wire.first_login_date, &wire.last_login_date]
        .into_iter()
        .all(|at| at.0.trim().is_empty() || at.0.trim() == "0");
    let account = match (wire.anonymous, never_in) {
        (Flag(true), _) => Account::Guest,
        (Flag(false), true) => Account::Unused,
        (Flag(false), false) => Account::Used,
    };
    let (login, comment) = (wire.login.0.trim().to_owned(), wire.status_comment.0);
    Entry::Shown(Shown { id, login, rank, status, comment, membership, account })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_as_they_are_written_and_whose_rank_is_unknown_is_nobody() {
        let body = r#"[
            {"id":7,"login":" A@x.example ","access_level":0,"status":"E","membership_id":null,"new":{},
                "first_login_date":null,"last_login_date":"2024-05-01T12:34:56+00:00"},
            {"id":"8","login":"b@x","access_level":100,"status":"D","status_comment":"no","membership_id":4},
            {"id":9,"login":"c@x","status":"E"},
            {"id":10,"access_level":0,"status":"X"},
            {"id":11,"access_level":0,"status":"E","membership_id":"/api/memberships/4"},
            {"login":"d@x"}, "x"]"#;
        let read = list(body.as_bytes()).unwrap();
        let shown = Shown {
            id: 7,
            login: "A@x.example".to_owned(),
            rank: Rank::Customer,
            status: Status::Enabled,
            comment: String::new(),
            membership: Belongs::Nowhere,
            account: Account::Used,
        };
        assert_eq!(read[0], Entry::Shown(shown.clone()));
        let other = Shown {
            id: 8,
            login: "b@x".to_owned(),
            rank: Rank::Staff,
            status: Status::Disabled,
            comment: "no".to_owned(),
            membership: Belongs::To(4),
            account: Account::Unused,
        };
        assert_eq!(read[1], Entry::Shown(other));
        for (at, id) in [(2, Some(9)), (3, Some(10)), (4, Some(11)), (5, None), (6, None)] {
            assert!(matches!(&read[at], Entry::Unreadable { id: got, .. } if *got == id), "{at}");
        }
        assert!(list(b"<html>Be right back</html>").is_err());
        assert!(list(br#"{"hydra:member":[]}"#).is_err());
    }

    #[test]
    fn a_write_names_the_login_and_what_changes_and_nothing_else() {
        let table = [
            (Change::default(), None, r#"{"login":"a@x"}"#),
            (
                Change { membership: Some(Belongs::Nowhere), ..Change::default() },
                None,
                r#"{"login":"a@x","membership_id":null}"#,
            ),
            (
                Change {
                    status: Some(Status::Disabled),
                    comment: Some("M3".to_owned()),
                    membership: Some(Belongs::To(4)),
                },
                Some(()),
                r#"{"login":"a@x","password":null,"status":"D","status_comment":"M3","membership_id":4}"#,
            ),
        ];
        for (change, password, want) in table {
            assert_eq!(serde_json::to_string(&wire("a@x", &change, password)).unwrap(), want);
        }
    }
}
