//! Decides what happens to each order. Pure.
//!
//! A run (`run`) leads one order through its stages; the protocol that creates
//! exactly one M3 order is `place`, what the shop is told afterwards is `follow`,
//! the translation of an order is `mapping`. Nothing here reads a clock, a disk or
//! a socket: the stage `delivery` does what is decided here.

pub mod address;
pub mod books;
pub mod cause;
pub mod changes;
pub mod customer;
pub mod follow;
pub mod invoice;
pub mod mapping;
pub mod parcel;
pub mod payment;
pub mod place;
pub mod plan;
pub mod returns;
pub mod rules;
pub mod run;
pub mod steady;
