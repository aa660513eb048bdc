//! The shop's categories and tax classes as far as the settings name them. Pure.
//!
//! Guarantees: a name that the shop does not have, or has twice, is told with what to do, and nothing is
//! written by it; until the shop's lists were read nothing is made of them.

use super::rules::items::Items;
use crate::connector::xcart::{
    sheet::{BY_ID, Field, Sheet},
    shelves::Named,
};
use serde::{Deserialize, Serialize};

/// What the shop has, as it was read last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    /// Its categories.
    pub categories: Vec<Named>,
    /// Its tax classes.
    pub tax_classes: Vec<Named>,
}

/// Finds what a name, or a path, means; the error says what to do.
fn find<'a>(known: &'a [Named], text: &str, what: &str, key: &str) -> Result<&'a Named, String> {
    let text = text.trim();
    let exact: Vec<&Named> = known.iter().filter(|one| one.path == text).collect();
    let found = if exact.is_empty() {
        known.iter().filter(|one| one.name == text).collect()
    } else {
        exact
    };
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!(
            "the shop has no {what} {text:?}: make it there, or correct {key}, then `causeway goods refresh`"
        )),
        [_, _, ..] => Err(format!(
            "the shop has several {what} {text:?}: name another one in {key}, a category by its path"
        )),
    }
}

impl Lists {
    /// Finds a category.
    pub fn category(&self, text: &str) -> Result<&Named, String> {
        find(&self.categories, text, "category", "items.categories")
    }

    /// Finds a tax class.
    pub fn tax_class(&self, text: &str) -> Result<&Named, String> {
        find(&self.tax_classes, text, "tax class", "items.tax_classes")
    }

    /// Names the categories that the settings name and the shop has.
    pub fn mapped(&self, items: &Items) -> Vec<&Named> {
        let named = items.categories.iter().flat_map(|coded| coded.of.values());
        let mut found: Vec<&Named> = named.filter_map(|name| self.category(name).ok()).collect();
        found.sort_by_key(|one| one.id);
        found.dedup_by_key(|one| one.id);
        found
    }

    /// Writes a tax class that is known by its id alone by its name.
    pub fn name_class(&self, sheet: &mut Sheet) {
        let Some(class) = sheet.get_mut(&Field::TaxClass) else { return };
        let id = class.strip_prefix(BY_ID).and_then(|id| id.parse::<u64>().ok());
        if let Some(own) = id.and_then(|id| self.tax_classes.iter().find(|one| one.id == id)) {
            class.clone_from(&own.name);
        }
    }
}

/// Writes in a sheet what the settings name as the shop names it; without the shop's lists it is left out.
pub fn resolve(sheet: &mut Sheet, lists: Option<&Lists>) -> Result<(), String> {
    let (category, class) = (sheet.remove(&Field::Category), sheet.remove(&Field::TaxClass));
    let Some(lists) = lists else { return Ok(()) };
    if let Some(category) = category {
        sheet.insert(Field::Category, lists.category(&category)?.path.clone());
    }
    if let Some(class) = class {
        sheet.insert(Field::TaxClass, lists.tax_class(&class)?.name.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Lists {
        let named = |id, name: &str, path: &str| Named { id, name: name.into(), path: path.into() };
        Lists {
            categories: vec![
                named(2, "Apparel", "Apparel"),
                named(3, "Shirts", "Apparel/Shirts"),
                named(4, "Shirts", "Sale/Shirts"),
            ],
            tax_classes: vec![named(1, "Default", "Default"), named(2, "Books", "Books")],
        }
    }

    #[test]
    fn a_name_or_a_path_is_found_and_what_is_not_there_or_twice_is_told() {
        let table = [
            ("Apparel", Ok(2)),
            (" Apparel/Shirts ", Ok(3)),
            ("Shirts", Err("several category")),
            ("Shoes", Err("no category \"Shoes\": make it there")),
        ];
        for (text, want) in table {
            match (lists().category(text), want) {
                (Ok(found), Ok(id)) => assert_eq!(found.id, id, "{text}"),
                (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
                (found, want) => panic!("{text}: {found:?}, not {want:?}"),
            }
        }
    }

    #[test]
    fn a_sheet_is_resolved_as_a_whole_or_not_and_without_lists_nothing_is_made_of_it() {
        let sheet = Sheet::from([
            (Field::Name, "A".to_owned()),
            (Field::Category, "Apparel/Shirts".to_owned()),
            (Field::TaxClass, "Books".to_owned()),
        ]);
        let mut both = sheet.clone();
        resolve(&mut both, Some(&lists())).unwrap();
        assert_eq!(both, sheet);
        let mut neither = sheet.clone();
        resolve(&mut neither, None).unwrap();
        assert_eq!(neither.len(), 1);
        let mut odd = Sheet::from([(Field::TaxClass, "Food".to_owned())]);
        assert!(resolve(&mut odd, Some(&lists())).unwrap_err().contains("items.tax_classes"));
        let mut by_id = Sheet::from([(Field::TaxClass, "#2".to_owned())]);
        lists().name_class(&mut by_id);
        assert_eq!(by_id[&Field::TaxClass], "Books");
    }
}
