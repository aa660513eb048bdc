//! ION's messages and the documents (BODs) in them (reference/m3.md 7 and 8).
//!
//! Guarantees: everything here that reads has limits and never panics; what a
//! document says is taken for a hint, never for the truth: whoever acts on a [`Signal`]
//! reads M3 first.

pub mod bod;
pub mod caller;
pub mod confirm;
pub mod large;
pub mod message;
mod multipart;
pub mod noun;
pub mod part;
pub mod publish;
pub mod signal;
mod words;
pub mod xml;

pub use signal::{Signal, signals};
