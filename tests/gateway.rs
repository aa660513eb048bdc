//! Stories of the whole gateway, between a simulated shop and a simulated M3.
//!
//! Guarantees: what is true is read from the books of the two simulators, never from the
//! gateway; nothing is waited for by sleeping, only by looking again until a deadline.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]
#![expect(clippy::panic, reason = "a deadline that passes fails the story")]

#[path = "gateway/addresses.rs"]
mod addresses;
#[path = "gateway/alerts.rs"]
mod alerts;
#[path = "gateway/buyers.rs"]
mod buyers;
#[path = "gateway/catalogue.rs"]
mod catalogue;
#[path = "gateway/changes.rs"]
mod changes;
#[path = "gateway/channels.rs"]
mod channels;
#[path = "gateway/contract.rs"]
mod contract;
#[path = "gateway/contract_ion.rs"]
mod contract_ion;
#[path = "gateway/customers.rs"]
mod customers;
#[path = "gateway/desk.rs"]
mod desk;
#[path = "gateway/dialects.rs"]
mod dialects;
#[path = "gateway/durable.rs"]
mod durable;
#[path = "gateway/harness.rs"]
mod harness;
#[path = "gateway/invoices.rs"]
mod invoices;
#[path = "gateway/ion.rs"]
mod ion;
#[path = "gateway/items.rs"]
mod items;
#[path = "gateway/large.rs"]
mod large;
#[path = "gateway/legacy.rs"]
mod legacy;
#[path = "gateway/load.rs"]
mod load;
#[path = "gateway/lost_answers.rs"]
mod lost_answers;
#[path = "gateway/outages.rs"]
mod outages;
#[path = "gateway/payments.rs"]
mod payments;
#[path = "gateway/polled.rs"]
mod polled;
#[path = "gateway/post.rs"]
mod post;
#[path = "gateway/pressure.rs"]
mod pressure;
#[path = "gateway/prices.rs"]
mod prices;
#[path = "gateway/process.rs"]
mod process;
#[path = "gateway/profiles.rs"]
mod profiles;
#[path = "gateway/reconcile.rs"]
mod reconcile;
#[path = "gateway/refusals.rs"]
mod refusals;
#[path = "gateway/resources.rs"]
mod resources;
#[path = "gateway/returns.rs"]
mod returns;
#[path = "gateway/several.rs"]
mod several;
#[path = "gateway/shelves.rs"]
mod shelves;
#[path = "gateway/shipments.rs"]
mod shipments;
#[path = "gateway/stock.rs"]
mod stock;
#[path = "gateway/the_way.rs"]
mod the_way;
#[path = "gateway/tools.rs"]
mod tools;
#[path = "gateway/wholesale.rs"]
mod wholesale;
