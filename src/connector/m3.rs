//! Calls to M3's MI programs over HTTP.

pub mod customer;
pub mod follow;
pub mod mi;
mod mi_v1;
mod mi_v2;
pub mod order;
mod wire;
