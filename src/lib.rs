//! Causeway joins an X-Cart shop to an Infor M3 ERP.

pub mod journal;
pub mod state;
