//! What people change of the item master. What the API shows of it is in `items`.
//!
//! Guarantees: each change of an item moves the day of its change; an alias has a day of its own.

use super::{
    M3,
    items::{Alias, Article},
    state::Core,
};

impl M3 {
    /// Sets one field of an item, such as NEWE or ITGR, as its transactions show it.
    pub fn set_item_field(&self, itno: &str, field: &str, value: &str) {
        self.core.change_item(itno, |article| {
            article.fields.insert(field.to_owned(), value.to_owned());
        });
    }

    /// Sets ITDS and FUDS of an item in a language.
    pub fn set_item_text(&self, itno: &str, language: &str, (short, long): (&str, &str)) {
        self.core.change_item(itno, |article| {
            article.texts.insert(language.to_owned(), (short.to_owned(), long.to_owned()));
        });
    }

    /// Gives an item one more name, of a category (ALWT).
    pub fn add_alias(&self, itno: &str, category: &str, number: &str) {
        self.core.with(|state| {
            state.world().aliases.push(Alias {
                category: category.to_owned(),
                qualifier: String::new(),
                number: number.to_owned(),
                itno: itno.to_owned(),
            });
        });
    }

    /// Deletes an item; its stock and prices stay.
    pub fn remove_item(&self, itno: &str) {
        self.core.with(|state| {
            state.world().articles.remove(itno);
        });
    }
}

impl Core {
    pub(super) fn change_item(&self, itno: &str, change: impl FnOnce(&mut Article)) {
        let now = self.now();
        self.with(|state| {
            if let Some(article) = state.world().articles.get_mut(itno) {
                change(article);
                article.changed_wall_ms = now.wall_ms;
            }
        });
    }
}
