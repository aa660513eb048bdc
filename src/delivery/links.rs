//! Which customer of M3 a buyer is: the form of a link on disk. Pure.
//!
//! A link that holds a number alone, as programs before wrote it, is one that was found.

use crate::{flow::customer::card::Follows, ids::Cuno};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use std::fmt;

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkRow {
    /// M3's customer.
    pub cuno: Cuno,
    /// Who said so.
    pub by: LinkedBy,
    /// When, in milliseconds since 1970; 0: not known.
    pub at_ms: u64,
    /// Whether the customer follows the shop although it is not ours.
    pub follows: Follows,
}

/// Who said that a buyer is a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkedBy {
    /// The gateway made it or found it.
    Rules,
    /// A person; the gateway never takes it back.
    Person,
}

impl LinkRow {
    /// A link that was found.
    pub fn found(cuno: Cuno, at_ms: u64) -> Self {
        Self { cuno, by: LinkedBy::Rules, at_ms, follows: Follows::Nobody }
    }
}

impl<'de> Deserialize<'de> for LinkRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(4, LinkVisitor)
    }
}

struct LinkVisitor;

impl<'de> Visitor<'de> for LinkVisitor {
    type Value = LinkRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link to a customer")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<LinkRow, A::Error> {
        let cuno =
            fields.next_element()?.ok_or_else(|| A::Error::custom("the number is missing"))?;
        let by = fields.next_element().ok().flatten().unwrap_or(LinkedBy::Rules);
        let at_ms = fields.next_element().ok().flatten().unwrap_or(0);
        let follows = fields.next_element().ok().flatten().unwrap_or(Follows::Nobody);
        Ok(LinkRow { cuno, by, at_ms, follows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::rows;

    #[test]
    fn a_link_of_before_is_read_and_a_new_one_by_the_program_before() {
        let cuno = Cuno::try_from("W000000042").unwrap();
        let before: LinkRow = rows::read(&rows::write(&cuno).unwrap()).unwrap();
        assert_eq!(before, LinkRow::found(cuno.clone(), 0));
        let row = LinkRow {
            by: LinkedBy::Person,
            follows: Follows::Shop,
            ..LinkRow::found(cuno.clone(), 300)
        };
        let bytes = rows::write(&row).unwrap();
        assert_eq!(rows::read::<LinkRow>(&bytes).unwrap(), row);
        assert_eq!(rows::read::<Cuno>(&bytes).unwrap(), cuno);
        assert!(rows::read::<LinkRow>(&bytes[..1]).is_err());
    }
}
