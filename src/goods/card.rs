//! What one product says of itself: what it says, should say, and was last told to say. Pure.
//!
//! Guarantees: a field is written when M3's value is another than the one last written, or when none
//! was; what a person changed in the shop meanwhile stays, unless people's edits are overwritten. A
//! product that was made here and that no person has shown to buyers yet is never shown by us.

use super::good::Refused;
use crate::connector::xcart::sheet::{Field, Sheet};
use serde::{Deserialize, Serialize};

/// What becomes of what people changed in the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// It stays until M3 changes.
    Kept,
    /// It is made good.
    Overwritten,
}

/// One product as it is kept; empty while nobody wants its fields written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What the shop shows, as far as is known; empty until it was read.
    pub has: Sheet,
    /// What M3 says.
    pub wants: Sheet,
    /// What of M3 was last written, or found there.
    pub given: Sheet,
    /// Whether it was made here and nobody has shown it to buyers yet.
    pub hidden: bool,
    /// Why it cannot be worked out what it should say.
    pub unclear: Option<String>,
    /// Why the shop did not take it.
    pub refused: Option<Refused>,
}

const SHOWN: &str = "true";

impl Card {
    /// Takes in what the shop shows; says whether that is something else than thought.
    pub fn seen(&mut self, has: Sheet) -> bool {
        self.hidden = self.hidden && has.get(&Field::Enabled).is_none_or(|value| value != SHOWN);
        let differs = self.has != has;
        self.has = has;
        differs
    }

    /// Returns what is to be written.
    pub fn due(&self, edits: Edits) -> Sheet {
        // What the shop shows was not read yet.
        if self.has.is_empty() {
            return Sheet::new();
        }
        let due = self.wants.iter().filter(|(field, want)| self.is_due(**field, want, edits));
        due.map(|(field, want)| (*field, want.clone())).collect()
    }

    fn is_due(&self, field: Field, want: &String, edits: Edits) -> bool {
        let shows = field == Field::Enabled && want == SHOWN;
        let has = self.has.get(&field).is_some_and(|has| field.is_so(has, want));
        match self.given.get(&field) {
            _ if shows && self.hidden => false,
            None => !has,
            // What the shop had when it was read says little by now.
            Some(given) if given != want => true,
            // A product that a person took away from buyers has a reason.
            Some(_) if shows => false,
            Some(_) => edits == Edits::Overwritten && !has,
        }
    }

    /// Notes what need not be written: the shop has it already, or must not get it.
    pub fn settle(&mut self, edits: Edits) {
        if self.has.is_empty() {
            return;
        }
        let due = self.due(edits);
        let settled = self.wants.iter().filter(|(field, _)| !due.contains_key(field));
        let settled: Vec<_> = settled.map(|(field, want)| (*field, want.clone())).collect();
        self.given.extend(settled);
    }

    /// The shop has it.
    pub fn written(&mut self, sheet: &Sheet) {
        let pairs = || sheet.iter().map(|(field, value)| (*field, value.clone()));
        self.has.extend(pairs());
        self.given.extend(pairs());
        if !sheet.is_empty() {
            self.refused = None;
        }
    }

    /// Returns the category that the product was put into and still stands in, where another is wanted.
    pub fn leaves(&self, category: &str) -> Option<&str> {
        let given = self.given.get(&Field::Category).filter(|given| *given != category)?;
        let has = self.has.get(&Field::Category)?;
        Field::Category.is_so(has, given).then_some(given.as_str())
    }

    /// Names the fields in which the shop has something else than M3, and keeps it.
    pub fn kept(&self, edits: Edits) -> Vec<Field> {
        let due = self.due(edits);
        let differ = self.wants.iter().filter(|(field, want)| {
            let has = self.has.get(field).is_some_and(|has| field.is_so(has, want));
            !self.has.is_empty() && !has && !due.contains_key(field)
        });
        differ.map(|(field, _)| *field).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Sheet {
        Sheet::from([(Field::Name, text.to_owned())])
    }

    fn enabled(shown: &str) -> Sheet {
        Sheet::from([(Field::Enabled, shown.to_owned())])
    }

    #[test]
    fn what_m3_changes_is_written_and_what_a_person_changes_stays() {
        let mut card = Card { has: name("old"), wants: name("M3"), ..Card::default() };
        assert_eq!(card.due(Edits::Kept), name("M3"), "it never was written");
        card.written(&name("M3"));
        assert!(card.due(Edits::Kept).is_empty());
        assert!(card.seen(name("a person's")));
        assert!(card.due(Edits::Kept).is_empty(), "a person's edit stays");
        assert_eq!(card.kept(Edits::Kept), [Field::Name]);
        assert_eq!(card.due(Edits::Overwritten), name("M3"));
        card.settle(Edits::Kept);
        card.wants = name("M3, again");
        assert_eq!(card.due(Edits::Kept), name("M3, again"), "M3 changed");
        card.wants = name("a person's");
        assert_eq!(card.due(Edits::Kept), name("a person's"), "what the shop has is only believed");
    }

    #[test]
    fn what_the_shop_has_already_is_not_written_and_nothing_before_it_was_read() {
        let mut card = Card { wants: name("M3"), ..Card::default() };
        card.settle(Edits::Kept);
        assert!(card.due(Edits::Kept).is_empty() && card.given.is_empty());
        card.seen(name("M3"));
        card.settle(Edits::Kept);
        assert_eq!(card.given, name("M3"));
        card.seen(name("a person's"));
        assert!(card.due(Edits::Kept).is_empty());
    }

    #[test]
    fn a_product_leaves_only_the_category_that_we_put_it_into() {
        let category = |text: &str| Sheet::from([(Field::Category, text.to_owned())]);
        let mut card = Card { has: category("Sale"), wants: category("Tools"), ..Card::default() };
        assert_eq!(card.due(Edits::Kept), category("Tools"), "where a person put it it stays");
        assert_eq!(card.leaves("Tools"), None);
        card.written(&category("Tools"));
        card.seen(category("Sale\nTools"));
        assert!(card.due(Edits::Overwritten).is_empty() && card.kept(Edits::Kept).is_empty());
        card.wants = category("Garden");
        assert_eq!(card.due(Edits::Kept), category("Garden"));
        assert_eq!(card.leaves("Garden"), Some("Tools"));
        card.seen(category("Sale"));
        assert_eq!(card.leaves("Garden"), None, "a person took it out");
        card.wants = category("Tools");
        card.settle(Edits::Kept);
        assert!(card.due(Edits::Kept).is_empty(), "a person took it out, and M3 has not changed");
        assert_eq!(card.due(Edits::Overwritten), category("Tools"));
    }

    #[test]
    fn a_product_that_nobody_has_shown_yet_is_not_shown_by_us() {
        let mut card = Card { has: enabled("false"), hidden: true, ..Card::default() };
        card.wants = enabled("true");
        card.settle(Edits::Overwritten);
        assert!(card.due(Edits::Overwritten).is_empty());
        card.wants = enabled("false");
        assert_eq!(card.due(Edits::Kept), enabled("false"), "somebody may have shown it since");
        card.written(&enabled("false"));
        card.wants = enabled("true");
        assert!(card.due(Edits::Kept).is_empty(), "it still is not ready");
        card.settle(Edits::Kept);
        card.seen(enabled("true"));
        card.wants = enabled("false");
        assert_eq!(card.due(Edits::Kept), enabled("false"));
        card.written(&enabled("false"));
        card.wants = enabled("true");
        assert_eq!(card.due(Edits::Kept), enabled("true"), "it was for sale before");
        card.written(&enabled("true"));
        card.seen(enabled("false"));
        assert!(card.due(Edits::Overwritten).is_empty(), "a person took it away");
    }
}
