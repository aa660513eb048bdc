//! How profiles lie in the state store: keys and values. Pure.
//!
//! | key | value |
//! |---|---|
//! | `cp/<profile id>` | one profile of the shop, and what became of it |
//! | `cn/<profile id>` | it is new, or the shop or a person told of a change |
//! | `cq/<profile id>` | it is to be compared, after those |
//!
//! A profile's id has 20 digits, so that profiles lie in the order of the shop's list. A value begins
//! with the version of its form, as in `delivery::rows`.

pub use crate::buyers::table::{of_profile, profile_of};
use serde::{Deserialize, Serialize};

/// Table of the profiles.
pub const PROFILES: &str = "cp";
/// Table of those that are due first.
pub const NEWS: &str = "cn";
/// Table of those that are due after them.
pub const DUE: &str = "cq";
/// Name of the cursor of the shop's list.
pub const WALK_CURSOR: &str = "profiles-walk";
/// Name of the row that says for which settings everything was marked.
pub const SETTINGS: &str = "profiles-settings";
/// Name of the row of the load.
pub const LOAD: &str = "profiles-load";

/// A profile that is due. Each change writes another mark, so that none is lost while one is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Drawn anew at each change.
    pub mark: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// How often it failed in a row.
    pub failed: u32,
    /// It rests until then, in milliseconds since 1970.
    pub again_ms: u64,
}
