//! What a document is a hint for: the one place at which flows hang. Pure.

use super::{
    bod::{Bod, Document, Noun},
    part::AlternateId,
};
use crate::ids::{Cuno, Itno, Orno};

/// Something in M3 that may have changed; whoever acts on it reads M3 first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// A customer's order. One of both names is there.
    Order {
        /// The number that the customer gave it (CUOR), which is our key.
        key: Option<String>,
        /// M3's number.
        orno: Option<Orno>,
    },
    /// An item: itself, or what there is of it.
    Item {
        /// M3's number.
        itno: Itno,
    },
    /// A customer.
    Customer {
        /// M3's number.
        cuno: Cuno,
    },
    /// Nothing that anybody here could look at.
    Nothing,
}

/// Says what an envelope is a hint for: each thing once, [`Signal::Nothing`] where a document
/// names nothing.
pub fn signals(bod: &Bod) -> Vec<Signal> {
    let mut found: Vec<Signal> = bod.documents.iter().flat_map(|one| of(bod.noun, one)).collect();
    found.sort();
    found.dedup();
    found
}

fn of(noun: Noun, document: &Document) -> Vec<Signal> {
    let mut found = match document {
        Document::SalesOrder(order) => {
            let (key, orno) = (customers(&order.alternates), orno(&order.id.id));
            vec![Signal::Order { key, orno }]
        }
        Document::Shipment(shipment) => orders(&shipment.orders, &shipment.alternates),
        Document::Invoice(invoice) => orders(&invoice.orders, &[]),
        Document::ItemMaster(item) => items([&item.id.id]),
        Document::Inventory(inventory) => {
            items(inventory.lines.iter().filter_map(|line| line.item.as_ref()))
        }
        Document::PartyMaster(party) => match noun {
            // An address of a customer has a number of its own before which the customer's stands
            // in some sites only.
            Noun::ShipToPartyMaster => Vec::new(),
            Noun::SalesOrder
            | Noun::Shipment
            | Noun::ItemMaster
            | Noun::CustomerPartyMaster
            | Noun::BillToPartyMaster
            | Noun::PayFromPartyMaster
            | Noun::InventoryCount
            | Noun::InventoryAdjustment
            | Noun::Invoice
            | Noun::Bod => {
                let cuno = Cuno::try_from(party.id.id.as_str()).ok();
                cuno.map(|cuno| Signal::Customer { cuno }).into_iter().collect()
            }
        },
        Document::Confirmation(_) => Vec::new(),
    };
    found.retain(|signal| *signal != Signal::Order { key: None, orno: None });
    if found.is_empty() { vec![Signal::Nothing] } else { found }
}

fn orno(id: &str) -> Option<Orno> {
    Orno::try_from(id).ok()
}

/// The number that the customer gave.
fn customers(alternates: &[AlternateId]) -> Option<String> {
    let is_customers = |one: &&AlternateId| {
        one.role.as_deref().is_none_or(|role| role.eq_ignore_ascii_case("Customer"))
    };
    // One that says whose it is goes first.
    let said = alternates.iter().filter(|one| one.role.is_some()).find(is_customers);
    said.or_else(|| alternates.iter().find(is_customers)).map(|one| one.id.clone())
}

fn orders(ornos: &[String], alternates: &[AlternateId]) -> Vec<Signal> {
    let named = ornos.iter().map(|id| Signal::Order { key: None, orno: orno(id) });
    let key = customers(alternates).map(|key| Signal::Order { key: Some(key), orno: None });
    named.chain(key).collect()
}

fn items(ids: impl IntoIterator<Item: AsRef<str>>) -> Vec<Signal> {
    let read = |id: &str| Itno::try_from(id).ok().map(|itno| Signal::Item { itno });
    ids.into_iter().filter_map(|id| read(id.as_ref())).collect()
}
