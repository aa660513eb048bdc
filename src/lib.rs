//! Causeway joins an X-Cart shop to an Infor M3 ERP: nothing lost, nothing doubled, nothing silently stuck.
//!
//! Words first, then the stages in the way an event takes; `ARCHITECTURE.md` is the map.

pub mod amount;
pub mod clock;
pub mod connector;
pub mod dates;
pub mod flow;
pub mod ids;
pub mod order;
pub mod retry;
pub mod secret;
