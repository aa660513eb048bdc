//! The shop's other dialect: the add-on API of X-Cart 5.0 to 5.4 (reference/xcart.md 9).
//!
//! It gives what the API of 5.5 gives, in the same words; [`super::rest::Shop`] chooses between the
//! two, and its callers do not know which one it is. Where the notes leave open how a shop answers,
//! both answers are understood.

pub(super) mod call;
mod goods;
mod orders;
mod payments;
mod pick;
pub(super) mod problem;
pub(super) mod statuses;
mod wire;
