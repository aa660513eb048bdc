//! Causeway joins an X-Cart shop to an Infor M3 ERP: nothing lost, nothing doubled, nothing silently stuck.
//!
//! Words first, then the stages in the way an event takes; `ARCHITECTURE.md` is the map.

pub mod amount;
pub mod certificate;
pub mod clock;
pub mod dates;
pub mod failpoint;
pub mod ids;
pub mod order;
pub mod rehearsal;
pub mod retry;
pub mod secret;

pub mod backup;
pub mod journal;
pub mod state;

pub mod intake;

pub mod flow;

pub mod delivery;

pub mod goods;

pub mod buyers;
pub mod profiles;

pub mod connector;

pub mod alert;

pub mod cli;
pub mod config;
pub mod contract;
pub mod control;
pub mod gateway;
pub mod log;
pub mod metrics;
pub mod reconcile;
pub mod supervise;
