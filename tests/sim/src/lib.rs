//! Simulators of the two systems that Causeway joins.
//!
//! They follow the reference files and not any client of theirs, know nothing of the
//! product, and keep books that a test compares with what the product says it did.

pub mod catalogue;
pub mod dice;
pub mod ion;
pub mod m3;
pub mod serve;
pub mod weather;
pub mod xcart;
