//! What people do in the shop with accounts and memberships, and what they see of them.
//!
//! Guarantee: what is changed here is seen by the next call and by nobody before.

use super::{
    Shop,
    address::Address,
    front::lock,
    profile::{self, Profile},
};

impl Shop {
    /// The profile with this id as the API shows it.
    pub fn profile(&self, id: u64) -> Option<serde_json::Value> {
        lock(&self.inner.world).profiles.get(&id).map(Profile::wire)
    }

    /// The ids of all profiles with their logins.
    pub fn profiles(&self) -> Vec<(u64, String)> {
        let world = lock(&self.inner.world);
        world.profiles.iter().map(|(id, profile)| (*id, profile.login().to_owned())).collect()
    }

    /// Somebody in the back office changes a field of a profile.
    pub fn set_profile(&self, id: u64, field: &str, value: serde_json::Value) {
        profile::set(&mut lock(&self.inner.world), id, field, value);
    }

    /// Somebody opens an account; gives its id.
    pub fn add_profile(&self, login: &str) -> u64 {
        profile::add(&mut lock(&self.inner.world), login)
    }

    /// A customer gives a profile this address, for invoices and goods; the one it gave before is changed.
    pub fn set_address(&self, id: u64, address: &Address) {
        profile::set_address(&mut lock(&self.inner.world), id, address);
    }

    /// Somebody in the back office deletes a profile.
    pub fn remove_profile(&self, id: u64) {
        let mut world = lock(&self.inner.world);
        world.profiles.remove(&id);
        world.accounts.retain(|account| account.0 != id);
    }

    /// Somebody in the back office adds a category.
    pub fn add_category(&self, id: u64, name: &str, parent: Option<u64>) {
        lock(&self.inner.world).categories.insert(id, (name.to_owned(), parent));
    }

    /// Somebody in the back office adds a tax class.
    pub fn add_tax_class(&self, id: u64, name: &str) {
        lock(&self.inner.world).tax_classes.insert(id, name.to_owned());
    }

    /// Somebody in the back office puts a product into a category.
    pub fn put_in(&self, category: u64, sku: &str) {
        let mut world = lock(&self.inner.world);
        if let Some((product, _)) = world.shelf.get(sku).copied() {
            world.standing.insert((category, product));
        }
    }

    /// Somebody in the back office takes a product out of a category.
    pub fn take_out(&self, category: u64, sku: &str) {
        let mut world = lock(&self.inner.world);
        if let Some((product, _)) = world.shelf.get(sku).copied() {
            world.standing.remove(&(category, product));
        }
    }

    /// The categories that a product stands in.
    pub fn stands_in(&self, sku: &str) -> Vec<u64> {
        let world = lock(&self.inner.world);
        let own = world.shelf.get(sku).map(|(product, _)| *product);
        let all = world.standing.iter().filter(|(_, product)| Some(*product) == own);
        all.map(|(category, _)| *category).collect()
    }

    /// Somebody in the back office gives a membership another name.
    pub fn rename_membership(&self, id: u64, name: &str) {
        lock(&self.inner.world).memberships.insert(id, name.to_owned());
    }
}
