//! How cases lie in the state store: keys and the form of values. Pure.
//!
//! | key | value |
//! |---|---|
//! | `r/<case>` | the run and when it is due |
//! | `o/<case>`, `p/<case>` | the shop's order; the plan |
//! | `b/<case>` | the order as M3 has it, while the shop has another one |
//! | `x/<case>` | its parcels, invoices and money |
//! | `t/<case>` | what is remembered of a case that has left |
//! | `w/<case>` | an event that the case has not seen |
//! | `d<need>/<ms, 8 bytes><case>` | nothing: the case is due then, and needs the shop (`s`), M3 (`m`), a confirmation (`c`) or nobody (`n`) |
//! | `k/<case>` | why it is parked, or needs attention |
//! | `l/<name>`, `m/<name>` | M3's customer of a buyer; the number of one that is being made |
//! | `u/<customer>` | what M3 was told of it |
//! | `i/<order id>` | the case of an order id |
//! | `c/<name>` | a cursor |
//! | `n/<M3's order number>` | the case of an order of M3 |
//! | `v/<noun>/<hash>` | the newest variation of a document of ION, and when it came |
//! | `f/<sequence number, 8 bytes>` | an answer to a document of ION that is to be given |
//! | `y/compared` | what the last comparison at night came to; `reconcile::nightly` alone writes it |
//! | `g…/`, `u…/`, `cp/` and its kin | goods, buyers, profiles: `goods::table`, `buyers::table`, `profiles::table` |
//! | `a/<name>` | what the alerts remember; `alert::watch` alone writes it |
//!
//! A value begins with the version of its form; every released one stays readable.

use crate::{
    connector::ion::message::Head,
    flow::{
        cause::Cause,
        run::{Need, Run},
    },
    ids::{Cuno, OrderKey, Orno},
    order::OrderRef,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, SeqAccess, Visitor},
};
use std::{fmt, ops::Range};
use thiserror::Error;

/// The form that this program writes.
const VERSION: u8 = 1;

/// Names a case: the order's key, or `~#<order id>` while only the id is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseKey(String);

impl CaseKey {
    /// The case of an order whose number is known.
    pub fn of_order(key: &OrderKey) -> Self {
        Self(key.as_str().to_owned())
    }

    /// The case that only finds out which order an id is.
    pub fn of_id(id: u64) -> Self {
        Self(format!("~#{id}"))
    }

    /// Whether it only finds out which order an id is.
    pub fn is_of_id(&self) -> bool {
        self.0.starts_with("~#")
    }

    /// Takes a key as an operator types it.
    pub fn typed(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn row(&self, table: &str) -> Vec<u8> {
        format!("{table}/{}", self.0).into_bytes()
    }

    /// Key of the run.
    pub fn run(&self) -> Vec<u8> {
        self.row("r")
    }

    /// Key of the shop's order.
    pub fn order(&self) -> Vec<u8> {
        self.row("o")
    }

    /// Key of the plan.
    pub fn plan(&self) -> Vec<u8> {
        self.row("p")
    }

    /// Key of the order as M3 has it.
    pub fn placed(&self) -> Vec<u8> {
        self.row("b")
    }

    /// Key of the parcels, invoices and money.
    pub fn books(&self) -> Vec<u8> {
        self.row("x")
    }

    /// Key of what is remembered.
    pub fn remains(&self) -> Vec<u8> {
        self.row("t")
    }

    /// Key of the wake-up.
    pub fn wake(&self) -> Vec<u8> {
        self.row("w")
    }

    /// Key of the parked entry.
    pub fn parked(&self) -> Vec<u8> {
        self.row("k")
    }

    /// Key of the entry in the list of what is due.
    pub fn due(&self, due: Due) -> Vec<u8> {
        let mut key = due_table(due.need);
        key.extend_from_slice(&due.at_ms.to_be_bytes());
        key.extend_from_slice(self.0.as_bytes());
        key
    }

    /// Reads an entry of the list of what is due.
    pub fn from_due(row: &[u8]) -> Option<(Due, Self)> {
        let (table, rest) = row.split_at_checked(3)?;
        let need = Need::ALL.into_iter().find(|need| due_table(*need) == table)?;
        let (at_ms, key) = rest.split_first_chunk::<8>()?;
        let key = std::str::from_utf8(key).ok()?;
        Some((Due { need, at_ms: u64::from_be_bytes(*at_ms) }, Self(key.to_owned())))
    }

    /// Reads the case out of a key of another table.
    pub fn from_row(row: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(row).ok()?;
        text.split_once('/').map(|(_, key)| Self(key.to_owned()))
    }
}

impl fmt::Display for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every key of a table.
pub fn table(name: &str) -> Range<Vec<u8>> {
    format!("{name}/").into_bytes()..format!("{name}0").into_bytes()
}

/// Keys of a table behind one.
pub fn table_after(name: &str, key: &[u8]) -> Range<Vec<u8>> {
    let mut from = key.to_vec();
    from.push(0);
    from..format!("{name}0").into_bytes()
}

/// When a case is due, and whom it needs then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Whom.
    pub need: Need,
    /// In milliseconds since 1970.
    pub at_ms: u64,
}

impl Due {
    /// An event of the shop: the order is read there.
    pub const fn of_event(at_ms: u64) -> Self {
        Self { need: Need::Shop, at_ms }
    }
}

fn due_table(need: Need) -> Vec<u8> {
    format!("d{}/", need.letter()).into_bytes()
}

/// Every entry of one list of what is due up to a time, inclusive.
pub fn due_until(need: Need, now_ms: u64) -> Range<Vec<u8>> {
    let mut to = due_table(need);
    to.extend_from_slice(&now_ms.saturating_add(1).to_be_bytes());
    due_table(need)..to
}

/// Every entry of one list of what is due after a time.
pub fn due_after(need: Need, now_ms: u64) -> Range<Vec<u8>> {
    let mut end = due_table(need);
    end.extend_from_slice(&[0xFF; 9]);
    due_until(need, now_ms).end..end
}

/// Every entry of all lists of what is due, behind one of them if that is given.
pub fn all_due(behind: Option<&[u8]>) -> Range<Vec<u8>> {
    let from = behind.map_or_else(|| b"d".to_vec(), |key| [key, &[0]].concat());
    from..b"e".to_vec()
}

/// Key of the link from a buyer to M3's customer.
pub fn link(identity: &str) -> Vec<u8> {
    format!("l/{identity}").into_bytes()
}

/// Key of the number that a customer is being made with.
pub fn making(name: &str) -> Vec<u8> {
    format!("m/{name}").into_bytes()
}

/// Key of what M3 was told of a customer.
pub fn card(cuno: &Cuno) -> Vec<u8> {
    format!("u/{cuno}").into_bytes()
}

/// Key of the case of an order id.
pub fn by_id(id: u64) -> Vec<u8> {
    format!("i/{id}").into_bytes()
}

/// Key of the case of an order of M3.
pub fn by_orno(orno: &Orno) -> Vec<u8> {
    format!("n/{orno}").into_bytes()
}

/// Key of the newest variation of a document of ION.
pub fn variation(noun: &str, digest: &[u8; 32]) -> Vec<u8> {
    let mut key = format!("v/{noun}/").into_bytes();
    key.extend_from_slice(digest);
    key
}

/// Key of an answer to a document of ION.
pub fn answer(seq: u64) -> Vec<u8> {
    [b"f/", seq.to_be_bytes().as_slice()].concat()
}

/// Key of a cursor.
pub fn cursor(name: &str) -> Vec<u8> {
    format!("c/{name}").into_bytes()
}

/// A run with its place in the list of what is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run: Run,
    /// When it is due; none when it rests.
    pub due: Option<Due>,
}

/// An event that a case has not seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WakeRow {
    /// How the event names the order.
    pub reference: OrderRef,
    /// Its place in the journal.
    pub seq: u64,
    /// Which entry of the list of what is due belongs to it.
    pub due_ms: u64,
    /// Whether M3 told something of the order, so that it is looked at there at once.
    pub by_m3: bool,
}

/// The last field came later: a row without it is one of the shop.
impl<'de> Deserialize<'de> for WakeRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(4, WakeVisitor)
    }
}

struct WakeVisitor;

impl<'de> Visitor<'de> for WakeVisitor {
    type Value = WakeRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a wake-up")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<WakeRow, A::Error> {
        let missing = || A::Error::custom("a field is missing");
        Ok(WakeRow {
            reference: fields.next_element()?.ok_or_else(missing)?,
            seq: fields.next_element()?.ok_or_else(missing)?,
            due_ms: fields.next_element()?.ok_or_else(missing)?,
            by_m3: fields.next_element().ok().flatten().unwrap_or(false),
        })
    }
}

/// The newest variation of a document of ION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariationRow {
    /// Its number.
    pub variation: u64,
    /// When it came, in milliseconds since 1970.
    pub seen_ms: u64,
}

/// A document of ION that could not be used, until its sender is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRow {
    /// What its message said.
    pub head: Head,
    /// Why not.
    pub why: String,
    /// What the sender calls the document; empty when that cannot be read.
    pub bodid: String,
}

/// A case in the list of those that need a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParkedRow {
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since_ms: u64,
    /// Whether it stands still; else it goes on and only a difference was found.
    pub stands_still: bool,
}

/// A stored value cannot be read.
#[derive(Debug, Error)]
pub enum BadRow {
    /// It was written by a newer program.
    #[error("a state row has form {0}; this program reads up to {VERSION}")]
    Newer(u8),
    /// It is damaged.
    #[error("a state row cannot be read")]
    Damaged(#[source] postcard::Error),
    /// There is nothing in it.
    #[error("a state row is empty")]
    Empty,
}

/// Writes a value.
pub fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, BadRow> {
    let mut bytes = vec![VERSION];
    bytes.extend(postcard::to_stdvec(value).map_err(BadRow::Damaged)?);
    Ok(bytes)
}

/// Reads a value.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadRow> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(BadRow::Damaged),
        Some((version, _)) => Err(BadRow::Newer(*version)),
        None => Err(BadRow::Empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_lies_in_the_order_of_time_and_apart_by_need() {
        let (early, late) = (CaseKey::typed("B"), CaseKey::typed("A"));
        let m3 = |at_ms| Due { need: Need::M3, at_ms };
        assert!(early.due(m3(5)) < late.due(m3(300)));
        assert_eq!(CaseKey::from_due(&late.due(m3(300))), Some((m3(300), late.clone())));
        assert!(due_until(Need::M3, 300).contains(&late.due(m3(300))));
        assert!(!due_until(Need::M3, 299).contains(&late.due(m3(300))));
        assert!(due_after(Need::M3, 299).contains(&late.due(m3(u64::MAX))));
        for need in Need::ALL {
            let others = Need::ALL.into_iter().filter(|other| *other != need);
            for other in others {
                let row = late.due(Due { need: other, at_ms: 7 });
                assert!(!due_until(need, u64::MAX).contains(&row), "{need:?} {other:?}");
                assert!(!due_after(need, 0).contains(&row), "{need:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_wake_up_from_before_m3_could_tell_is_read_and_a_new_one_by_the_program_before() {
        #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
        struct Before {
            reference: OrderRef,
            seq: u64,
            due_ms: u64,
        }
        let before = Before { reference: OrderRef::Id(7), seq: 300, due_ms: 400 };
        let row: WakeRow = read(&write(&before).unwrap()).unwrap();
        let wanted = WakeRow { reference: OrderRef::Id(7), seq: 300, due_ms: 400, by_m3: false };
        assert_eq!(row, wanted);
        let by_m3 = WakeRow { by_m3: true, ..wanted };
        let bytes = write(&by_m3).unwrap();
        assert_eq!(read::<WakeRow>(&bytes).unwrap(), by_m3);
        assert_eq!(read::<Before>(&bytes).unwrap(), before);
        assert!(read::<WakeRow>(&bytes[..3]).is_err());
    }

    #[test]
    fn a_row_of_a_newer_form_is_refused_by_its_number() {
        let bytes = write(&7_u32).unwrap();
        assert_eq!(read::<u32>(&bytes).unwrap(), 7);
        let newer = read::<u32>(&[9, 7]).unwrap_err();
        assert!(newer.to_string().contains("form 9"), "{newer}");
        assert!(read::<u32>(&[]).is_err());
    }
}
